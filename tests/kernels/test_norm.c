/* The loops of batch normalisation, of every instruction set: the bits of plain loops, for channels that fill
 * strips and that leave 1 ... 15, with NaN, infinity and -0 among the numbers, in place and added to what is
 * there; and nothing beyond the last number is touched. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/loops.h"
#include "operands.h"

enum { C_MOST = 67, ROWS_MOST = 9, GUARD = 40, MOST = C_MOST * ROWS_MOST + GUARD };

static rt_rng rng;
static const rt_real special[] = {(rt_real)NAN, (rt_real)INFINITY, (rt_real)-INFINITY, (rt_real)-0.0, 0};

static void fill(rt_real x[MOST]) {
    test_fill(&rng, x, MOST);
    for (int i = 0; i < MOST; i++)
        if (rt_rng_below(&rng, 12) == 0) x[i] = special[rt_rng_below(&rng, 5)];
}

typedef struct setting {
    int64_t rows, C;
    rt_real mean[C_MOST], factor[C_MOST], bias[C_MOST], level[C_MOST], slope[C_MOST];
    rt_real x[MOST], y[MOST], dy[MOST], residual[MOST];
    rti_norm norm;
} setting;

static void make(setting *s, int64_t rows, int64_t C, bool masked_by_x) {
    s->rows = rows, s->C = C;
    test_fill(&rng, s->mean, C), test_fill(&rng, s->factor, C), test_fill(&rng, s->bias, C);
    test_fill(&rng, s->level, C), test_fill(&rng, s->slope, C);
    fill(s->x), fill(s->y), fill(s->dy), fill(s->residual);
    s->norm = (rti_norm){s->mean, s->factor, s->bias, s->level, s->slope, masked_by_x};
}

/* NaN is NaN, whichever it is; every other number to the bit. */
static bool same(rt_real a, rt_real b) { return isnan(a) ? isnan(b) : test_same(&a, &b, 1); }

static void check(const setting *s, const rt_real *is, const rt_real *expected, const char *what,
                  int variant) {
    for (int i = 0; i < MOST; i++)
        cr_assert(same(is[i], expected[i]), "%s, variant %d: %d rows of %d channels, number %d is %g, not %g",
                  what, variant, (int)s->rows, (int)s->C, i, (double)is[i], (double)expected[i]);
}

static void check_sums(const setting *s, const double *is, const double *expected, const char *what,
                       int variant) {
    for (int64_t c = 0; c < s->C; c++)
        cr_assert(isnan(expected[c]) ? isnan(is[c]) : is[c] == expected[c],
                  "%s, variant %d: %d rows of %d channels, channel %d is %g, not %g", what, variant,
                  (int)s->rows, (int)s->C, (int)c, is[c], expected[c]);
    cr_assert_eq(is[s->C], 42, "%s: a sum beyond the last channel is written", what);
}

static void check_moments(const setting *s, const rti_loops *loops) {
    double sums[C_MOST + 1], squares[C_MOST + 1], sum[C_MOST], square[C_MOST];
    sums[s->C] = squares[s->C] = 42;
    for (int64_t c = 0; c < s->C; c++) {
        sum[c] = square[c] = 0;
        for (int64_t i = 0; i < s->rows; i++) {
            const double d = (double)s->x[i * s->C + c] - (double)s->mean[c];
            sum[c] += d;
            square[c] += d * d;
        }
    }
    loops->norm_moments(s->rows, s->C, s->x, s->mean, sums, squares);
    check_sums(s, sums, sum, "moments, sum", 0);
    check_sums(s, squares, square, "moments, squares", 0);
}

static void check_forward(const setting *s, const rti_loops *loops) {
    for (int variant = 0; variant < 8; variant++) { /* a residual, relu, in place */
        const bool residual = variant & 1, relu = variant & 2, in_place = variant & 4;
        rt_real y[MOST], expected[MOST];
        memcpy(y, in_place ? s->x : s->y, sizeof y);
        memcpy(expected, y, sizeof y);
        for (int64_t i = 0; i < s->rows * s->C; i++) {
            const int64_t c = i % s->C;
            rt_real t = (s->x[i] - s->mean[c]) * s->factor[c] + s->bias[c];
            if (residual) t += s->residual[i];
            expected[i] = relu && t < 0 ? 0 : t;
        }
        loops->norm_forward(s->rows, s->C, &s->norm, in_place ? y : s->x, residual ? s->residual : NULL,
                            relu, y);
        check(s, y, expected, "forward", variant);
    }
}

/* dy where the answer was above 0. */
static rt_real passed(const setting *s, int64_t i, bool by_y) {
    const int64_t c = i % s->C;
    const rt_real answer = (s->x[i] - s->mean[c]) * s->factor[c] + s->bias[c];
    const bool all = !by_y && !s->norm.masked;
    return all || (by_y ? s->y[i] > 0 : answer > 0) ? s->dy[i] : 0;
}

static void check_backward(const setting *s, const rti_loops *loops) {
    for (int variant = 0; variant < 16; variant++) { /* y, added, dz, added */
        const bool by_y = variant & 1, add = variant & 2, out = variant & 4, add_out = out && variant & 8;
        if (s->norm.masked && (by_y || out)) continue; /* of a residual's sum x does not tell */
        double sums[C_MOST + 1], products[C_MOST + 1], sum[C_MOST] = {0}, product[C_MOST] = {0};
        rt_real dx[MOST], dz[MOST], expected[MOST], expected_dz[MOST];
        sums[s->C] = products[s->C] = 42;
        memcpy(dx, s->residual, sizeof dx), memcpy(expected, dx, sizeof dx);
        memcpy(dz, s->residual, sizeof dz), memcpy(expected_dz, dz, sizeof dz);
        for (int64_t i = 0; i < s->rows * s->C; i++) {
            const int64_t c = i % s->C;
            const rt_real z = passed(s, i, by_y), d = s->x[i] - s->mean[c],
                          t = s->factor[c] * z - s->level[c] - s->slope[c] * d;
            sum[c] += (double)z;
            product[c] += (double)z * (double)d;
            expected[i] = add ? t + expected[i] : t;
            if (out) expected_dz[i] = add_out ? z + expected_dz[i] : z;
        }
        const rt_real *y = by_y ? s->y : NULL;
        loops->norm_sums(s->rows, s->C, &s->norm, s->x, y, s->dy, sums, products);
        check_sums(s, sums, sum, "backward, sum", variant);
        check_sums(s, products, product, "backward, products", variant);
        loops->norm_backward(s->rows, s->C, &s->norm, s->x, y, s->dy, dx, add, out ? dz : NULL, add_out);
        check(s, dx, expected, "dx", variant);
        check(s, dz, expected_dz, "dz", variant);
    }
}

Test(norm, every_set_computes_what_plain_loops_do) {
    setting *s = malloc(sizeof *s);
    cr_assert(s != NULL);
    for (int n = 0; n < TEST_SETS; n++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[n]);
        if (!set) continue;
        rng = rt_rng_stream(5, "norm", 0, 0);
        for (int64_t C = 1; C <= C_MOST; C++)
            for (int64_t rows = 1; rows <= ROWS_MOST; rows += 4)
                for (int masked = 0; masked < 2; masked++) {
                    make(s, rows, C, masked);
                    check_moments(s, set->loops);
                    check_forward(s, set->loops);
                    check_backward(s, set->loops);
                }
    }
    free(s);
}
