/* norm_body.h - the loops of batch normalisation, once for all instruction sets.  Floor 2 (kernels)
 *
 * Part of loops_body.h. x is (rows, C), channels side by side. Channels go in strips of STRIP, so that what
 * belongs to a channel stays in registers while the rows run by; sums are kept in double. A strip's function
 * is inlined twice: with the constant width STRIP, and for what is left. */

enum { STRIP = 16 };

#define STRIP_FUNCTION static inline __attribute__((always_inline)) void

#define OVER_STRIPS(function, ...)                                                     \
    for (int64_t first = 0; first < C; first += STRIP) {                               \
        if (C - first >= STRIP) function(STRIP, first, rows, C, __VA_ARGS__);          \
        else function((int)(C - first), first, rows, C, __VA_ARGS__);                  \
    }

/* sum (x - shift), sum (x - shift)^2 */
STRIP_FUNCTION moments_strip(const int width, int64_t first, int64_t rows, int64_t C, const rt_real *x,
                             const rt_real *shift, double *sums, double *squares) {
    double a[STRIP] = {0}, b[STRIP] = {0}, k[STRIP] = {0};
    for (int l = 0; l < width; l++) k[l] = (double)shift[first + l];
    for (int64_t r = 0; r < rows; r++) {
        const rt_real *v = x + r * C + first;
        for (int l = 0; l < width; l++) {
            const double d = (double)v[l] - k[l];
            a[l] += d;
            b[l] += d * d;
        }
    }
    for (int l = 0; l < width; l++) sums[first + l] = a[l], squares[first + l] = b[l];
}

static void norm_moments(int64_t rows, int64_t C, const rt_real *x, const rt_real *shift, double *sums,
                         double *squares) {
    OVER_STRIPS(moments_strip, x, shift, sums, squares)
}

/* y = act((x - mean) factor + bias + residual) */
STRIP_FUNCTION forward_strip(const int width, int64_t first, int64_t rows, int64_t C, const rti_norm *n,
                             const rt_real *x, const rt_real *residual, bool relu_too, rt_real *y) {
    rt_real m[STRIP] = {0}, f[STRIP] = {0}, b[STRIP] = {0};
    for (int l = 0; l < width; l++)
        m[l] = n->mean[first + l], f[l] = n->factor[first + l], b[l] = n->bias[first + l];
    for (int64_t at = first; at < rows * C; at += C) {
        rt_real t[STRIP] = {0};
        for (int l = 0; l < width; l++) t[l] = (x[at + l] - m[l]) * f[l] + b[l];
        if (residual)
            for (int l = 0; l < width; l++) t[l] += residual[at + l];
        if (relu_too)
            for (int l = 0; l < width; l++) t[l] = t[l] < 0 ? 0 : t[l];
        for (int l = 0; l < width; l++) y[at + l] = t[l];
    }
}

static void norm_forward(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x,
                         const rt_real *residual, bool relu_too, rt_real *y) {
    OVER_STRIPS(forward_strip, n, x, residual, relu_too, y)
}

/* sum dz, sum dz (x - mean), with dz = dy where y > 0 (y NULL: everywhere) */
STRIP_FUNCTION sums_strip(const int width, int64_t first, int64_t rows, int64_t C, const rti_norm *n,
                          const rt_real *x, const rt_real *y, const rt_real *dy, double *sums,
                          double *products) {
    double a[STRIP] = {0}, b[STRIP] = {0};
    rt_real m[STRIP] = {0};
    for (int l = 0; l < width; l++) m[l] = n->mean[first + l];
    for (int64_t at = first; at < rows * C; at += C) {
        rt_real dz[STRIP] = {0};
        for (int l = 0; l < width; l++) dz[l] = dy[at + l];
        if (y)
            for (int l = 0; l < width; l++) dz[l] = y[at + l] > 0 ? dz[l] : 0;
        for (int l = 0; l < width; l++) {
            a[l] += (double)dz[l];
            b[l] += (double)dz[l] * (double)(x[at + l] - m[l]);
        }
    }
    for (int l = 0; l < width; l++) sums[first + l] = a[l], products[first + l] = b[l];
}

static void norm_sums(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x, const rt_real *y,
                      const rt_real *dy, double *sums, double *products) {
    OVER_STRIPS(sums_strip, n, x, y, dy, sums, products)
}

/* dx (+)= factor dz - level - slope (x - mean), and dz itself (+)= for a residual when `out` is not NULL */
STRIP_FUNCTION backward_strip(const int width, int64_t first, int64_t rows, int64_t C, const rti_norm *n,
                              const rt_real *x, const rt_real *y, const rt_real *dy, rt_real *dx,
                              bool accumulate, rt_real *out, bool accumulate_out) {
    rt_real m[STRIP] = {0}, f[STRIP] = {0}, level[STRIP] = {0}, slope[STRIP] = {0};
    for (int l = 0; l < width; l++) {
        m[l] = n->mean[first + l], f[l] = n->factor[first + l];
        level[l] = n->level[first + l], slope[l] = n->slope[first + l];
    }
    for (int64_t at = first; at < rows * C; at += C) {
        rt_real dz[STRIP] = {0}, t[STRIP] = {0};
        for (int l = 0; l < width; l++) dz[l] = dy[at + l];
        if (y)
            for (int l = 0; l < width; l++) dz[l] = y[at + l] > 0 ? dz[l] : 0;
        for (int l = 0; l < width; l++) t[l] = f[l] * dz[l] - level[l] - slope[l] * (x[at + l] - m[l]);
        if (accumulate)
            for (int l = 0; l < width; l++) t[l] += dx[at + l];
        for (int l = 0; l < width; l++) dx[at + l] = t[l];
        if (!out) continue;
        if (accumulate_out)
            for (int l = 0; l < width; l++) dz[l] += out[at + l];
        for (int l = 0; l < width; l++) out[at + l] = dz[l];
    }
}

static void norm_backward(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x, const rt_real *y,
                          const rt_real *dy, rt_real *dx, bool accumulate, rt_real *out,
                          bool accumulate_out) {
    OVER_STRIPS(backward_strip, n, x, y, dy, dx, accumulate, out, accumulate_out)
}
