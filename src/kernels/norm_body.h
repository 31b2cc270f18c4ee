/* norm_body.h - the loops of batch normalisation, once for all instruction sets.  Floor 2 (kernels)
 *
 * Part of loops_body.h. x is (rows, C), channels side by side. Channels go in strips of STRIP, so that what
 * belongs to a channel stays in registers while the rows run by; sums are kept in double. A strip is a vector
 * of the compiler's, which makes of it what the instruction set has. Its functions are inlined twice: for
 * whole strips, and for the channels that are left (the other lanes are zero). */
#include <string.h>

enum { STRIP = 16 };

typedef rt_real strip __attribute__((vector_size(STRIP * sizeof(rt_real))));
typedef double wide_strip __attribute__((vector_size(STRIP * sizeof(double))));
typedef __typeof__((strip){0} > (strip){0}) strip_mask;

#define STRIP_FUNCTION static inline __attribute__((always_inline)) void
#define LOAD(name, from)                                     \
    strip name = {0};                                        \
    memcpy(&name, (from), (size_t)width * sizeof(rt_real))
#define STORE(name, to) memcpy((to), &name, (size_t)width * sizeof(rt_real))
#define WIDEN(name) __builtin_convertvector(name, wide_strip)
/* value where the condition holds, else 0 */
#define KEEP(value, condition) ((strip)((strip_mask)(value) & (condition)))

#define OVER_STRIPS(function, ...)                                                     \
    for (int64_t first = 0; first < C; first += STRIP) {                               \
        if (C - first >= STRIP) function(STRIP, first, rows, C, __VA_ARGS__);          \
        else function((int)(C - first), first, rows, C, __VA_ARGS__);                  \
    }

/* sum (x - shift), sum (x - shift)^2 */
STRIP_FUNCTION moments_strip(const int width, int64_t first, int64_t rows, int64_t C, const rt_real *x,
                             const rt_real *shift, double *sums, double *squares) {
    wide_strip a = {0}, b = {0};
    LOAD(k, shift + first);
    for (int64_t at = first; at < rows * C; at += C) {
        LOAD(v, x + at);
        const wide_strip d = WIDEN(v) - WIDEN(k);
        a += d;
        b += d * d;
    }
    memcpy(sums + first, &a, (size_t)width * sizeof *sums);
    memcpy(squares + first, &b, (size_t)width * sizeof *squares);
}

static void norm_moments(int64_t rows, int64_t C, const rt_real *x, const rt_real *shift, double *sums,
                         double *squares) {
    OVER_STRIPS(moments_strip, x, shift, sums, squares)
}

/* Bits of a variant, constants where a function is inlined, so that nothing is asked inside of the loop. */
enum { RESIDUAL = 1, RELU = 2, MASKED = 1, ACCUMULATE = 2, OUT = 4, ACCUMULATE_OUT = 8, MASKED_BY_X = 16 };

/* y = act((x - mean) factor + bias + residual) */
STRIP_FUNCTION forward_strip(const int width, int64_t first, int64_t rows, int64_t C, const int variant,
                             const rti_norm *n, const rt_real *x, const rt_real *residual, rt_real *y) {
    LOAD(m, n->mean + first);
    LOAD(f, n->factor + first);
    LOAD(b, n->bias + first);
    for (int64_t at = first; at < rows * C; at += C) {
        LOAD(v, x + at);
        strip t = (v - m) * f + b;
        if (variant & RESIDUAL) {
            LOAD(r, residual + at);
            t += r;
        }
        if (variant & RELU) t = KEEP(t, ~(t < 0)); /* NaN stays NaN */
        STORE(t, y + at);
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
STRIP_FUNCTION sums_strip(const int width, int64_t first, int64_t rows, int64_t C, const int variant,
                          const rti_norm *n, const rt_real *x, const rt_real *y, const rt_real *dy,
                          double *sums, double *products) {
    wide_strip sum_z = {0}, sum_zd = {0};
    LOAD(m, n->mean + first);
    LOAD(f, n->factor + first);
    LOAD(b, n->bias + first);
    for (int64_t at = first; at < rows * C; at += C) {
        LOAD(v, x + at);
        LOAD(dz, dy + at);
        if (variant & MASKED) {
            LOAD(answer, y + at);
            dz = KEEP(dz, answer > 0);
        }
        const strip d = v - m;
        if (variant & MASKED_BY_X) dz = KEEP(dz, d * f + b > 0);
        const wide_strip z = WIDEN(dz);
        sum_z += z;
        sum_zd += z * WIDEN(d);
    }
    memcpy(sums + first, &sum_z, (size_t)width * sizeof *sums);
    memcpy(products + first, &sum_zd, (size_t)width * sizeof *products);
}

static void norm_sums(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x, const rt_real *y,
                      const rt_real *dy, double *sums, double *products) {
    if (y) OVER_STRIPS(sums_strip, MASKED, n, x, y, dy, sums, products)
    else if (n->masked) OVER_STRIPS(sums_strip, MASKED_BY_X, n, x, y, dy, sums, products)
    else OVER_STRIPS(sums_strip, 0, n, x, y, dy, sums, products)
}

/* dx (+)= factor dz - level - slope (x - mean), and dz itself (+)= for a residual when `out` is not NULL */
STRIP_FUNCTION backward_strip(const int width, int64_t first, int64_t rows, int64_t C, const int variant,
                              const rti_norm *n, const rt_real *x, const rt_real *y, const rt_real *dy,
                              rt_real *dx, rt_real *out) {
    LOAD(m, n->mean + first);
    LOAD(f, n->factor + first);
    LOAD(level, n->level + first);
    LOAD(slope, n->slope + first);
    LOAD(b, n->bias + first);
    for (int64_t at = first; at < rows * C; at += C) {
        LOAD(v, x + at);
        LOAD(dz, dy + at);
        const strip d = v - m;
        if (variant & MASKED) {
            LOAD(answer, y + at);
            dz = KEEP(dz, answer > 0);
        }
        if (variant & MASKED_BY_X) dz = KEEP(dz, d * f + b > 0);
        strip t = f * dz - level - slope * d;
        if (variant & ACCUMULATE) {
            LOAD(before, dx + at);
            t += before;
        }
        STORE(t, dx + at);
        if (!(variant & OUT)) continue;
        if (variant & ACCUMULATE_OUT) {
            LOAD(before, out + at);
            dz += before;
        }
        STORE(dz, out + at);
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
