/* digits_forms.c - ways of writing the ten digits.                     Floor 6 (data)
 *
 * Each row of a form is a point of the pen's way: pose A, pose B, and what the pen does there. */
#include "data/digits.h"

#define P(ax, ay, bx, by) {ax, ay, bx, by, RTI_PEN_SMOOTH}
#define CORNER(ax, ay, bx, by) {ax, ay, bx, by, RTI_PEN_CORNER}
#define UP(ax, ay, bx, by) {ax, ay, bx, by, RTI_PEN_UP}
#define FORM(weight, knots) {knots, (int)(sizeof knots / sizeof *knots), weight}

/* ---- 0: narrow or wide, closed or with a gap, with an inner curl, slashed ---- */
static const rti_knot zero_oval[] = {P(52, 2, 62, 4),   P(36, 10, 34, 2),  P(25, 34, 14, 24),
                                     P(24, 62, 8, 54),  P(33, 90, 20, 88), P(50, 99, 48, 99),
                                     P(67, 90, 80, 86), P(75, 60, 94, 54), P(72, 28, 88, 22),
                                     P(60, 6, 66, 3),   UP(50, 1, 48, 6)};
static const rti_knot zero_curl[] = {P(60, 14, 70, 6),  P(48, 2, 48, 2),   P(28, 14, 22, 16),
                                     P(20, 48, 10, 50), P(26, 84, 24, 88), P(48, 99, 52, 99),
                                     P(72, 84, 84, 80), P(79, 50, 90, 44), P(70, 16, 74, 14),
                                     P(54, 6, 52, 10),  P(44, 12, 40, 22), UP(46, 20, 52, 30)};
static const rti_knot zero_slashed[] = {P(50, 1, 56, 3),   P(30, 12, 26, 12), P(20, 48, 14, 46),
                                        P(28, 86, 26, 88), P(50, 99, 52, 99), P(74, 84, 78, 84),
                                        P(80, 48, 88, 44), P(70, 12, 74, 12), UP(49, 1, 52, 2),
                                        P(76, 10, 92, -4), UP(26, 90, 8, 104)};
static const rti_form zero[] = {FORM(70, zero_oval), FORM(24, zero_curl), FORM(6, zero_slashed)};

/* ---- 1: bare, with a flag (long flags look like 7), with flag and base ---- */
static const rti_knot one_bare[] = {P(50, 0, 54, 0), P(50, 50, 51, 48), UP(50, 100, 46, 100)};
static const rti_knot one_flag[] = {P(40, 18, 16, 34), P(46, 10, 36, 18), CORNER(52, 1, 56, 0),
                                    P(52, 50, 55, 48), UP(51, 100, 54, 100)};
static const rti_knot one_base[] = {P(38, 16, 24, 26),  CORNER(52, 1, 54, 0), P(52, 50, 53, 50),
                                    UP(52, 98, 52, 98), P(32, 99, 20, 98),    P(52, 98, 52, 99),
                                    UP(70, 99, 84, 97)};
static const rti_knot one_wave[] = {P(46, 8, 38, 14), P(52, 0, 54, 0), P(53, 26, 56, 24), P(50, 70, 50, 74),
                                    UP(52, 100, 58, 98)};
static const rti_form one[] = {FORM(52, one_bare), FORM(24, one_flag), FORM(14, one_base),
                               FORM(10, one_wave)};

/* ---- 2: open, with a loop, like a z, with a short foot ---- */
static const rti_knot two_open[] = {
    P(22, 24, 14, 30), P(34, 6, 26, 8), P(56, 1, 52, 0), P(74, 14, 78, 16), P(72, 38, 74, 42),
    P(48, 70, 46, 74), CORNER(18, 97, 14, 98), P(46, 95, 50, 93), UP(82, 97, 88, 96)};
static const rti_knot two_loop[] = {P(20, 20, 16, 28), P(38, 3, 34, 2),    P(62, 5, 66, 6),
                                    P(72, 26, 76, 30), P(60, 56, 60, 58),  P(38, 84, 34, 88),
                                    P(20, 95, 14, 97), P(14, 84, 4, 86),   P(28, 79, 22, 74),
                                    P(52, 92, 52, 90), P(72, 99, 76, 101), UP(88, 90, 98, 92)};
static const rti_knot two_zed[] = {P(20, 12, 14, 8),  P(48, 3, 50, 4),   P(74, 8, 80, 4),
                                   P(72, 24, 74, 26), P(46, 64, 48, 60), CORNER(16, 98, 10, 96),
                                   P(48, 98, 50, 98), UP(80, 96, 94, 99)};
static const rti_knot two_swan[] = {P(26, 30, 22, 26), P(32, 8, 34, 4),   P(56, 2, 60, 2),
                                    P(70, 22, 72, 28), P(58, 54, 58, 60), P(34, 82, 36, 84),
                                    P(26, 94, 28, 95), P(44, 96, 48, 96), UP(76, 92, 70, 92)};
static const rti_form two[] = {FORM(46, two_open), FORM(28, two_loop), FORM(14, two_zed), FORM(12, two_swan)};

/* ---- 3: two bowls, flat top, a loop in the middle ---- */
static const rti_knot three_bowls[] = {
    P(22, 14, 26, 12), P(44, 1, 46, 0), P(70, 10, 68, 8), P(70, 32, 66, 28), CORNER(44, 46, 40, 42),
    P(72, 58, 74, 54), P(78, 78, 82, 76), P(58, 97, 58, 98), P(34, 98, 34, 100), UP(16, 86, 14, 88)};
static const rti_knot three_flat[] = {
    P(20, 6, 14, 4), P(44, 4, 46, 4), CORNER(74, 4, 80, 2), P(58, 24, 60, 22), CORNER(44, 42, 40, 40),
    P(68, 50, 72, 46), P(78, 70, 84, 68), P(62, 95, 64, 96), P(38, 99, 36, 100), UP(18, 88, 12, 86)};
static const rti_knot three_loop[] = {P(24, 12, 18, 16),  P(46, 1, 44, 0),   P(68, 12, 70, 12),
                                      P(64, 34, 62, 34),  P(44, 48, 42, 50), P(38, 44, 32, 46),
                                      P(50, 45, 46, 42),  P(74, 60, 76, 58), P(76, 84, 78, 82),
                                      P(52, 99, 50, 100), UP(22, 90, 12, 84)};
static const rti_form three[] = {FORM(58, three_bowls), FORM(22, three_flat), FORM(20, three_loop)};

/* ---- 4: open, closed, and in one stroke (nearly a 9) ---- */
static const rti_knot four_open[] = {
    P(26, 4, 18, 6), P(20, 34, 12, 38), P(24, 54, 16, 58), P(50, 57, 48, 58), UP(86, 53, 92, 50),
    P(68, 6, 76, 0), P(66, 50, 70, 50), UP(62, 100, 64, 100)};
static const rti_knot four_angular[] = {
    P(34, 4, 26, 2), P(24, 34, 16, 34), CORNER(18, 58, 10, 56), P(48, 58, 48, 54), UP(82, 56, 92, 52),
    P(66, 22, 60, 10), P(62, 60, 58, 58), UP(58, 100, 54, 100)};
static const rti_knot four_closed[] = {
    P(62, 2, 66, 0), P(40, 32, 38, 30), CORNER(14, 66, 6, 64), P(50, 66, 50, 66), UP(86, 65, 96, 66),
    P(62, 2, 66, 10), P(62, 50, 65, 54), UP(61, 100, 64, 100)};
static const rti_knot four_nine[] = {
    P(30, 6, 42, 4), P(22, 34, 24, 26), P(36, 50, 34, 46), P(58, 42, 56, 38), CORNER(70, 10, 68, 6),
    P(68, 50, 66, 50), UP(64, 100, 60, 100)};
static const rti_form four[] = {FORM(40, four_open), FORM(24, four_angular), FORM(20, four_closed),
                                FORM(16, four_nine)};

/* ---- 5: hat apart, in one stroke, like an s ---- */
static const rti_knot five_hat[] = {P(34, 6, 28, 4),    P(30, 26, 24, 26),  CORNER(28, 44, 22, 46),
                                    P(50, 38, 50, 38),  P(74, 52, 80, 56),  P(74, 82, 78, 84),
                                    P(50, 99, 48, 100), UP(20, 92, 12, 90), P(34, 6, 32, 3),
                                    P(56, 4, 62, 3),    UP(80, 3, 96, 0)};
static const rti_knot five_one[] = {
    P(78, 4, 86, 2), P(56, 5, 58, 4), CORNER(36, 6, 28, 4), P(32, 24, 24, 26), CORNER(30, 44, 20, 44),
    P(54, 40, 52, 38), P(74, 58, 80, 60), P(68, 88, 72, 88), P(44, 99, 44, 100), UP(18, 90, 10, 88)};
static const rti_knot five_ess[] = {P(78, 8, 84, 4),   P(54, 3, 58, 0),    P(36, 12, 34, 8),
                                    P(34, 32, 26, 28), P(52, 45, 46, 46),  P(70, 58, 70, 62),
                                    P(70, 82, 68, 86), P(46, 99, 44, 100), UP(20, 92, 12, 90)};
static const rti_form five[] = {FORM(44, five_hat), FORM(34, five_one), FORM(22, five_ess)};

/* ---- 6: curved, straight stem, big bowl that stays open ---- */
static const rti_knot six_curved[] = {
    P(68, 4, 76, 6),   P(46, 14, 48, 8),  P(26, 46, 22, 42), P(22, 76, 16, 74), P(40, 98, 38, 98),
    P(64, 92, 72, 92), P(72, 72, 80, 70), P(56, 56, 58, 54), P(34, 64, 32, 62), UP(24, 80, 20, 78)};
static const rti_knot six_stem[] = {P(50, 0, 40, 0),   P(36, 36, 30, 36), P(26, 72, 24, 70),
                                    P(38, 97, 34, 96), P(60, 95, 60, 98), P(70, 78, 72, 80),
                                    P(58, 62, 60, 64), P(38, 68, 38, 72), UP(30, 84, 28, 88)};
static const rti_knot six_open[] = {P(64, 2, 58, 0),   P(38, 22, 34, 24), P(24, 56, 18, 58),
                                    P(30, 90, 26, 92), P(54, 99, 54, 99), P(76, 82, 78, 82),
                                    P(70, 60, 72, 58), P(50, 58, 52, 56), UP(40, 72, 38, 66)};
static const rti_form six[] = {FORM(50, six_curved), FORM(28, six_stem), FORM(22, six_open)};

/* ---- 7: plain, with a bar, with a drop at the left, round shoulder ---- */
static const rti_knot seven_plain[] = {
    P(20, 8, 12, 10), P(48, 6, 46, 7), CORNER(76, 5, 84, 2), P(62, 40, 66, 36), UP(46, 100, 40, 100)};
static const rti_knot seven_bar[] = {
    P(20, 10, 14, 8), P(48, 6, 46, 6), CORNER(78, 4, 84, 2), P(60, 44, 64, 40), UP(44, 100, 40, 100),
    P(34, 54, 28, 50), P(52, 51, 54, 50), UP(74, 49, 84, 48)};
static const rti_knot seven_drop[] = {
    P(20, 24, 14, 26), CORNER(24, 7, 18, 4), P(48, 6, 48, 5), CORNER(74, 4, 82, 3), P(62, 38, 64, 40),
    UP(52, 100, 44, 100)};
static const rti_knot seven_round[] = {P(22, 16, 26, 22), P(44, 5, 44, 6),   P(70, 6, 68, 2),
                                       P(72, 22, 72, 20), P(60, 54, 64, 52), UP(52, 100, 60, 100)};
static const rti_form seven[] = {FORM(48, seven_plain), FORM(18, seven_bar), FORM(18, seven_drop),
                                 FORM(16, seven_round)};

/* ---- 8: one stroke, two circles, open at the top ---- */
static const rti_knot eight_one[] = {
    P(68, 12, 76, 10), P(48, 1, 48, 1),   P(28, 14, 24, 12),  P(34, 34, 34, 34), P(54, 50, 56, 50),
    P(72, 70, 78, 70), P(68, 92, 70, 92), P(46, 99, 44, 100), P(26, 90, 18, 88), P(28, 68, 24, 68),
    P(48, 50, 48, 50), P(68, 32, 74, 32), P(68, 12, 76, 12),  UP(54, 2, 56, 2)};
static const rti_knot eight_circles[] = {
    P(50, 1, 54, 1),    P(32, 10, 30, 8),  P(30, 32, 26, 30), P(48, 46, 48, 44), P(68, 34, 72, 32),
    P(68, 12, 74, 12),  UP(50, 1, 50, 0),  P(48, 46, 50, 44), P(28, 60, 22, 58), P(24, 84, 18, 84),
    P(46, 99, 46, 100), P(72, 88, 78, 86), P(74, 62, 78, 60), UP(50, 45, 48, 44)};
static const rti_knot eight_open[] = {P(76, 4, 82, 8),    P(50, 4, 52, 0),   P(32, 16, 28, 16),
                                      P(42, 38, 42, 38),  P(62, 60, 64, 60), P(64, 86, 66, 88),
                                      P(46, 99, 44, 100), P(28, 88, 22, 86), P(36, 64, 34, 62),
                                      P(56, 40, 60, 40),  UP(76, 10, 84, 2)};
static const rti_form eight[] = {FORM(56, eight_one), FORM(18, eight_circles), FORM(26, eight_open)};

/* ---- 9: straight tail, curved tail, hooked like a g, a loop that stays open ---- */
static const rti_knot nine_straight[] = {P(72, 14, 74, 18),      P(54, 2, 54, 2),   P(30, 12, 26, 14),
                                         P(24, 34, 22, 36),      P(40, 50, 40, 52), P(62, 40, 64, 42),
                                         CORNER(72, 14, 74, 16), P(70, 56, 70, 56), UP(66, 100, 60, 100)};
static const rti_knot nine_curved[] = {
    P(70, 10, 72, 12), P(50, 2, 48, 1),   P(28, 18, 24, 20), P(28, 42, 26, 42), P(52, 50, 52, 50),
    P(70, 32, 74, 30), P(72, 24, 77, 24), P(71, 56, 76, 60), P(58, 90, 60, 92), UP(38, 100, 24, 98)};
static const rti_knot nine_hook[] = {
    P(70, 14, 74, 14),      P(50, 2, 52, 2),   P(30, 14, 26, 16), P(30, 38, 28, 38),   P(52, 46, 52, 46),
    CORNER(71, 18, 75, 18), P(72, 56, 74, 54), P(66, 90, 66, 88), P(46, 100, 44, 101), UP(26, 90, 18, 86)};
static const rti_knot nine_open[] = {P(64, 4, 58, 2),   P(40, 6, 38, 8),     P(24, 26, 26, 26),
                                     P(36, 48, 38, 44), P(60, 42, 60, 38),   CORNER(70, 16, 68, 12),
                                     P(66, 56, 64, 54), UP(58, 100, 54, 100)};
static const rti_form nine[] = {FORM(42, nine_straight), FORM(26, nine_curved), FORM(12, nine_hook),
                                FORM(20, nine_open)};

#define DIGIT(forms) {forms, (int)(sizeof forms / sizeof *forms)}

const rti_digit_forms rti_digits[10] = {DIGIT(zero), DIGIT(one), DIGIT(two), DIGIT(three), DIGIT(four),
                                        DIGIT(five), DIGIT(six), DIGIT(seven), DIGIT(eight), DIGIT(nine)};
