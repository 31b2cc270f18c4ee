/* digits.h - how the built-in digits are described.                    Floor 6 (data)
 *
 * A form is one way of writing a digit: a few pen strokes through points, in two poses A and B of the
 * same points. A writer stands somewhere between the poses (and a little beyond), so a form is a
 * continuum: a 4 that is more or less closed, a 1 with a shorter or longer flag. Coordinates are in
 * hundredths of the digit's height, x to the right, y down. */
#ifndef RTI_DIGITS_H
#define RTI_DIGITS_H

#include <stdint.h>

typedef enum rti_pen {
    RTI_PEN_SMOOTH, /* the curve passes without a corner */
    RTI_PEN_CORNER, /* the pen stays down and turns sharply */
    RTI_PEN_UP      /* last point of a stroke */
} rti_pen;

typedef struct rti_knot {
    int8_t ax, ay, bx, by;
    uint8_t pen;
} rti_knot;

#define RTI_KNOTS_MAX 20

typedef struct rti_form {
    const rti_knot *knots;
    int count;
    int weight; /* how often, relative to the other forms of the digit */
} rti_form;

typedef struct rti_digit_forms {
    const rti_form *forms;
    int count;
} rti_digit_forms;

extern const rti_digit_forms rti_digits[10]; /* (digits_forms.c) */

#endif
