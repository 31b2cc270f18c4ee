/* norm_body.h - the loops of batch normalisation, once for all instruction sets.  Floor 2 (kernels)
 *
 * Part of loops_body.h. x is (rows, C), channels side by side. Channels go in strips of STRIP, so that what
 * belongs to a channel stays in registers while the rows run by; sums are kept in double. A strip is made of
 * vectors of the compiler's as large as a register: larger ones gcc 12 compares number by number, with a
 * branch for each, and a step of resnet8 took 1.3 times as long (tests/bench/compilers.csv). The channels
 * left after whole strips go in strips of 8, 4, 2 and 1, each a constant (the other lanes are zero), whose
 * lanes are taken one by one: with a width that is none 10 channels took 8 to 25 times as long as 16, with
 * a part of a register copied through memory, which gcc makes of memcpy, up to 12 times. */
#include <string.h>

#include "kernels/unroll.h"

enum {
    STRIP = 16,
    PIECE = REGISTER / sizeof(rt_real), /* numbers in a register, */
    PIECES = STRIP / PIECE,
    PART = REGISTER / sizeof(double), /* and of those that are summed */
    PARTS = STRIP / PART,
};

typedef rt_real piece __attribute__((vector_size(PIECE * sizeof(rt_real))));
typedef rt_real part __attribute__((vector_size(PART * sizeof(rt_real))));
typedef double wide_part __attribute__((vector_size(PART * sizeof(double))));
typedef __typeof__((piece){0} > (piece){0}) piece_mask;
typedef __typeof__((part){0} > (part){0}) part_mask;

/* How many of the `count` numbers of piece or part i are in the strip. */
ALWAYS int lanes_in(const int width, int count, int i) {
    const int left = width - count * i;
    return left >= count ? count : left > 0 ? left : 0;
}

#define COUNT(x) ((int)(sizeof(x) / sizeof((x)[0])))
#define LOAD(x, from, i)                                                                        \
    do {                                                                                        \
        const int lanes_ = lanes_in(width, COUNT(x), i);                                        \
        (x) = (__typeof__(x)){0};                                                               \
        if (lanes_ == COUNT(x)) memcpy(&(x), (from) + COUNT(x) * (i), sizeof(x));               \
        else EACH(k_, COUNT(x)) if (k_ < lanes_) (x)[k_] = (from)[COUNT(x) * (i) + k_];         \
    } while (0)
#define STORE(x, to, i)                                                                         \
    do {                                                                                        \
        const int lanes_ = lanes_in(width, COUNT(x), i);                                        \
        if (lanes_ == COUNT(x)) memcpy((to) + COUNT(x) * (i), &(x), sizeof(x));                 \
        else EACH(k_, COUNT(x)) if (k_ < lanes_) (to)[COUNT(x) * (i) + k_] = (x)[k_];           \
    } while (0)
/* Of all pieces or parts of a strip. */
#define LOAD_ALL(x, from) EACH(i_, COUNT(x)) LOAD((x)[i_], from, i_)
#define STORE_ALL(x, to) EACH(i_, COUNT(x)) STORE((x)[i_], to, i_)
#ifndef LOOPS_WIDEN
#define LOOPS_WIDEN(x) __builtin_convertvector(x, wide_part)
#endif
#define WIDEN(x) ((wide_part)LOOPS_WIDEN(x))
/* value where the condition holds, else 0 */
#define KEEP(type, value, condition) ((type)((type##_mask)(value) & (condition)))

#define OF_WIDTH(width, function, ...) \
    for (; C - first >= (width); first += (width)) function(width, first, rows, C, __VA_ARGS__);
#define OVER_STRIPS(function, ...)             \
    {                                          \
        int64_t first = 0;                     \
        OF_WIDTH(STRIP, function, __VA_ARGS__) \
        OF_WIDTH(8, function, __VA_ARGS__)     \
        OF_WIDTH(4, function, __VA_ARGS__)     \
        OF_WIDTH(2, function, __VA_ARGS__)     \
        OF_WIDTH(1, function, __VA_ARGS__)     \
    }

/* sum (x - shift), sum (x - shift)^2 */
ALWAYS void moments_strip(const int width, int64_t first, int64_t rows, int64_t C, const rt_real *x,
                          const rt_real *shift, double *sums, double *squares) {
    wide_part a[PARTS] = {{0}}, b[PARTS] = {{0}}, k[PARTS];
    EACH(i, PARTS) {
        part v;
        LOAD(v, shift + first, i);
        k[i] = WIDEN(v);
    }
    for (int64_t at = first; at < rows * C; at += C)
        EACH(i, PARTS) {
            part v;
            LOAD(v, x + at, i);
            const wide_part d = WIDEN(v) - k[i];
            a[i] += d;
            b[i] += d * d;
        }
    STORE_ALL(a, sums + first);
    STORE_ALL(b, squares + first);
}

static void norm_moments(int64_t rows, int64_t C, const rt_real *x, const rt_real *shift, double *sums,
                         double *squares) {
    OVER_STRIPS(moments_strip, x, shift, sums, squares)
}

/* Bits of a variant, constants where a function is inlined, so that nothing is asked inside of the loop. */
enum { RESIDUAL = 1, RELU = 2, MASKED = 1, ACCUMULATE = 2, OUT = 4, ACCUMULATE_OUT = 8, MASKED_BY_X = 16 };

/* y = act((x - mean) factor + bias + residual) */
ALWAYS void forward_strip(const int width, int64_t first, int64_t rows, int64_t C, const int variant,
                          const rti_norm *n, const rt_real *x, const rt_real *residual, rt_real *y) {
    piece m[PIECES], f[PIECES], b[PIECES];
    LOAD_ALL(m, n->mean + first);
    LOAD_ALL(f, n->factor + first);
    LOAD_ALL(b, n->bias + first);
    for (int64_t at = first; at < rows * C; at += C)
        EACH(i, PIECES) {
            piece v, r;
            LOAD(v, x + at, i);
            piece t = (v - m[i]) * f[i] + b[i];
            if (variant & RESIDUAL) {
                LOAD(r, residual + at, i);
                t += r;
            }
            if (variant & RELU) t = KEEP(piece, t, ~(t < 0)); /* NaN stays NaN */
            STORE(t, y + at, i);
        }
}

static void norm_forward(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x,
                         const rt_real *residual, bool relu_too, rt_real *y) {
    switch ((residual ? RESIDUAL : 0) | (relu_too ? RELU : 0)) {
    case 0: OVER_STRIPS(forward_strip, 0, n, x, residual, y) break;
    case 1: OVER_STRIPS(forward_strip, 1, n, x, residual, y) break;
    case 2: OVER_STRIPS(forward_strip, 2, n, x, residual, y) break;
    default: OVER_STRIPS(forward_strip, 3, n, x, residual, y)
    }
}

/* sum dz, sum dz (x - mean), with dz = dy where y > 0 (y NULL: everywhere) */
ALWAYS void sums_strip(const int width, int64_t first, int64_t rows, int64_t C, const int variant,
                       const rti_norm *n, const rt_real *x, const rt_real *y, const rt_real *dy,
                       double *sums, double *products) {
    wide_part sum_z[PARTS] = {{0}}, sum_zd[PARTS] = {{0}};
    part m[PARTS], f[PARTS], b[PARTS];
    LOAD_ALL(m, n->mean + first);
    LOAD_ALL(f, n->factor + first);
    LOAD_ALL(b, n->bias + first);
    for (int64_t at = first; at < rows * C; at += C)
        EACH(i, PARTS) {
            part v, dz, answer;
            LOAD(v, x + at, i);
            LOAD(dz, dy + at, i);
            if (variant & MASKED) {
                LOAD(answer, y + at, i);
                dz = KEEP(part, dz, answer > 0);
            }
            const part d = v - m[i];
            if (variant & MASKED_BY_X) dz = KEEP(part, dz, d * f[i] + b[i] > 0);
            const wide_part z = WIDEN(dz);
            sum_z[i] += z;
            sum_zd[i] += z * WIDEN(d);
        }
    STORE_ALL(sum_z, sums + first);
    STORE_ALL(sum_zd, products + first);
}

static void norm_sums(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x, const rt_real *y,
                      const rt_real *dy, double *sums, double *products) {
    if (y) OVER_STRIPS(sums_strip, MASKED, n, x, y, dy, sums, products)
    else if (n->masked) OVER_STRIPS(sums_strip, MASKED_BY_X, n, x, y, dy, sums, products)
    else OVER_STRIPS(sums_strip, 0, n, x, y, dy, sums, products)
}

/* dx (+)= factor dz - level - slope (x - mean), and dz itself (+)= for a residual when `out` is not NULL */
ALWAYS void backward_strip(const int width, int64_t first, int64_t rows, int64_t C, const int variant,
                           const rti_norm *n, const rt_real *x, const rt_real *y, const rt_real *dy,
                           rt_real *dx, rt_real *out) {
    piece m[PIECES], f[PIECES], level[PIECES], slope[PIECES], b[PIECES];
    LOAD_ALL(m, n->mean + first);
    LOAD_ALL(f, n->factor + first);
    LOAD_ALL(level, n->level + first);
    LOAD_ALL(slope, n->slope + first);
    LOAD_ALL(b, n->bias + first);
    for (int64_t at = first; at < rows * C; at += C)
        EACH(i, PIECES) {
            piece v, dz, answer, before;
            LOAD(v, x + at, i);
            LOAD(dz, dy + at, i);
            const piece d = v - m[i];
            if (variant & MASKED) {
                LOAD(answer, y + at, i);
                dz = KEEP(piece, dz, answer > 0);
            }
            if (variant & MASKED_BY_X) dz = KEEP(piece, dz, d * f[i] + b[i] > 0);
            piece t = f[i] * dz - level[i] - slope[i] * d;
            if (variant & ACCUMULATE) {
                LOAD(before, dx + at, i);
                t += before;
            }
            STORE(t, dx + at, i);
            if (!(variant & OUT)) continue;
            if (variant & ACCUMULATE_OUT) {
                LOAD(before, out + at, i);
                dz += before;
            }
            STORE(dz, out + at, i);
        }
}

static void norm_backward(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x, const rt_real *y,
                          const rt_real *dy, rt_real *dx, bool accumulate, rt_real *out,
                          bool accumulate_out) {
#define VARIANT(v) \
    case v: OVER_STRIPS(backward_strip, v, n, x, y, dy, dx, out) break;
    switch ((y ? MASKED : 0) | (accumulate ? ACCUMULATE : 0) | (out ? OUT : 0) |
            (out && accumulate_out ? ACCUMULATE_OUT : 0) | (!y && n->masked ? MASKED_BY_X : 0)) {
        VARIANT(0) VARIANT(1) VARIANT(2) VARIANT(3)
        VARIANT(4) VARIANT(5) VARIANT(6) VARIANT(7)
        VARIANT(12) VARIANT(13) VARIANT(14) VARIANT(15)
        VARIANT(16) VARIANT(18)
    }
#undef VARIANT
}
