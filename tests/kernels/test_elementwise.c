/* The element-by-element kernels: each against its formula, written here as a plain loop, and every vector
 * set against the portable one to the bit. Lengths 0 to several pieces, addresses aligned to nothing,
 * out equal to an input, 1 to 8 threads. Dropout against rt_philox word by word. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "retort/threads.h"

#define EPSILON (sizeof(rt_real) == 4 ? (double)FLT_EPSILON : DBL_EPSILON)

static const char *const set_names[] = {"portable", "avx2", "avx512"};
enum { SETS = 3, MOST = 70001 };

static const int lengths[] = {0,  1,   2,   7,   15,   16,   17,    31,    33,
                              64, 127, 128, 129, 1000, 4097, 32768, 32769, 70000};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static rt_real a[MOST + 8], b[MOST + 8], c[MOST + 8], d[MOST + 8], e[MOST + 8], f[MOST + 8], g[MOST + 8];

static bool use(int s) {
    const rti_kernel_set *set = rti_kernels_named(set_names[s]);
    if (set) rti_kernels_use(set);
    return set != NULL;
}

static void draw(rt_real *x, uint64_t index) {
    rt_rng r = rt_rng_stream(11, "elementwise", 0, index);
    for (int i = 0; i < MOST + 8; i++) x[i] = (rt_real)(rt_rng_uniform(&r) * 4 - 2);
}

static bool same(const rt_real *x, const rt_real *y, int64_t n) {
    return memcmp(x, y, (size_t)n * sizeof *x) == 0;
}

/* Runs CALL for every set, thread count, length and offset with `got` = c, and compares with
 * WANT, an expression in i (inputs x and y); elements outside of the range must stay. */
#define CHECK_EACH(CALL, WANT)                                                                       \
    for (int s = 0; s < SETS; s++)                                                                   \
        for (int l = 0; use(s) && l < LENGTHS; l++) {                                                \
            const int n = lengths[l], o = l % 4;                                                     \
            rt_threads_set(1 + l % 3);                                                               \
            draw(a, 0), draw(b, 1), draw(c, 2), memcpy(d, c, sizeof d);                              \
            const rt_real *x = a + o, *y = b + 3 - o;                                                \
            rt_real *out = c + o, *old = d + o;                                                      \
            (void)x, (void)y, (void)old;                                                             \
            CALL;                                                                                    \
            for (int i = 0; i < n; i++)                                                              \
                cr_assert(out[i] == (WANT), "%s: length %d, element %d", set_names[s], n, i);        \
            cr_assert(same(c, d, o) && same(c + o + n, d + o + n, MOST + 8 - n - o), "wrote outside"); \
        }

Test(elementwise, arithmetic) {
    CHECK_EACH(rti_add(n, x, y, out), x[i] + y[i])
    CHECK_EACH(rti_sub(n, x, y, out), x[i] - y[i])
    CHECK_EACH(rti_mul(n, x, y, out), x[i] * y[i])
    CHECK_EACH(rti_scale(n, (rt_real)1.7, x, out), (rt_real)1.7 * x[i])
    CHECK_EACH(rti_fill(n, 3, out), 3)
    CHECK_EACH(rti_relu(n, x, out), x[i] > 0 ? x[i] : 0)
    CHECK_EACH(rti_relu_backward(n, x, y, out, false), x[i] > 0 ? y[i] : 0)
    CHECK_EACH(rti_relu_backward(n, x, y, out, true), old[i] + (x[i] > 0 ? y[i] : 0))
}

/* Product and sum each rounded once, never contracted; the volatile keeps this side so too. */
static rt_real product(rt_real x, rt_real y) {
    volatile rt_real p = x * y;
    return p;
}

Test(elementwise, axpy_rounds_twice_everywhere) {
    CHECK_EACH(rti_axpy(n, (rt_real)0.3, x, out), old[i] + product((rt_real)0.3, x[i]))
}

Test(elementwise, out_may_be_an_input) {
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        for (int l = 0; l < LENGTHS; l++) {
            const int n = lengths[l];
            draw(a, 0), draw(b, 1), memcpy(c, a, sizeof c);
            rti_add(n, c, b, c);
            for (int i = 0; i < n; i++) cr_assert(c[i] == a[i] + b[i]);
            memcpy(c, a, sizeof c), rti_sub(n, b, c, c);
            for (int i = 0; i < n; i++) cr_assert(c[i] == b[i] - a[i]);
            memcpy(c, a, sizeof c), rti_mul(n, c, c, c);
            for (int i = 0; i < n; i++) cr_assert(c[i] == a[i] * a[i]);
            memcpy(c, a, sizeof c), rti_scale(n, 2, c, c), rti_relu(n, c, c);
            for (int i = 0; i < n; i++) cr_assert(c[i] == (a[i] > 0 ? 2 * a[i] : 0));
            memcpy(c, b, sizeof c), rti_relu_backward(n, a, c, c, false);
            for (int i = 0; i < n; i++) cr_assert(c[i] == (a[i] > 0 ? b[i] : 0));
        }
    }
}

Test(elementwise, relu_lets_nan_through) {
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        draw(a, 0);
        for (int i = 0; i < 100; i += 3) a[i] = (rt_real)NAN;
        rti_relu(100, a, c);
        for (int i = 0; i < 100; i++) cr_assert(i % 3 == 0 ? isnan(c[i]) : c[i] == (a[i] > 0 ? a[i] : 0));
    }
}

/* ---- reductions ---- */

Test(elementwise, sums_are_accurate_and_the_same_everywhere) {
    double sums[LENGTHS], dots[LENGTHS];
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        draw(a, 0), draw(b, 1);
        for (int l = 0; l < LENGTHS; l++) {
            const int n = lengths[l];
            double sum = 0, dot = 0, got_sum = rti_sum(n, a + 1), got_dot = rti_dot(n, a + 1, b + 2);
            for (int i = 0; i < n; i++) sum += (double)a[i + 1], dot += (double)a[i + 1] * (double)b[i + 2];
            cr_assert_float_eq(got_sum, sum, 1e-14 * (n + 1) * 2);
            cr_assert_float_eq(got_dot, dot, 1e-14 * (n + 1) * 4);
            if (s == 0) sums[l] = got_sum, dots[l] = got_dot;
            cr_assert(got_sum == sums[l] && got_dot == dots[l], "%s differs from portable", set_names[s]);
        }
    }
}

Test(elementwise, all_finite_finds_each_bad_number) {
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        draw(a, 0);
        for (int l = 0; l < LENGTHS; l++) cr_assert(rti_all_finite(lengths[l], a));
        a[5] = (rt_real)(sizeof(rt_real) == 4 ? FLT_MAX : DBL_MAX);
        a[6] = 0, a[7] = (rt_real)(sizeof(rt_real) == 4 ? FLT_TRUE_MIN : DBL_TRUE_MIN);
        cr_assert(rti_all_finite(70000, a));
        for (int i = 0; i < 70000; i = i < 300 ? i + 1 : i + 4999)
            for (int k = 0; k < 3; k++) {
                rt_real good = a[i];
                a[i] = (rt_real)bad[k];
                cr_assert(!rti_all_finite(70000, a) && !rti_all_finite(i + 1, a), "%s: %g at %d",
                          set_names[s], bad[k], i);
                cr_assert(rti_all_finite(i, a), "looked too far");
                a[i] = good;
            }
    }
}

Test(elementwise, column_sums) {
    static const int shapes[][2] = {{0, 5},    {1, 1},    {1, 70},  {3, 1},    {7, 63},
                                    {100, 10}, {100, 64}, {30, 65}, {100, 600}};
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        for (int k = 0; k < 9; k++) {
            const int rows = shapes[k][0], columns = shapes[k][1];
            draw(a, 0), draw(c, 2), memcpy(d, c, sizeof d), memcpy(e, c, sizeof e);
            rt_threads_set(1 + k % 3);
            rti_column_sums(rows, columns, a + 1, c, false);
            rti_column_sums(rows, columns, a + 1, e, true);
            for (int j = 0; j < columns; j++) {
                double sum = 0;
                for (int i = 0; i < rows; i++) sum += (double)a[1 + i * columns + j];
                cr_assert(c[j] == (rt_real)sum, "%s: column %d of %d", set_names[s], j, columns);
                cr_assert(e[j] == (rt_real)((double)d[j] + sum));
            }
            cr_assert(same(c + columns, d + columns, MOST - columns), "wrote beyond the columns");
        }
    }
}

/* ---- normal numbers ---- */

/* Against rt_rng_normal() one by one, to the bit: so many that about a hundred of them lie too near the
 * middle between two floats for the vector kernels to decide. The stream is where the same number of single
 * draws would have left it, and one that is in the middle of a block is taken as it is. */
Test(elementwise, normals_are_the_stream_one_by_one) {
    static rt_real want[8 * MOST];
    static rt_real got[8 * MOST];
    const rt_rng first = rt_rng_stream(9, "normals.test", 0, 0);
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        for (int l = 0; l <= LENGTHS; l++) {
            const int64_t n = l < LENGTHS ? lengths[l] : 8 * MOST - 1;
            static const double deviations[] = {0.0505076, 1, 1e-37, 0};
            const double deviation = l < LENGTHS ? deviations[l % 4] : 0.03;
            rt_rng one = first, all = first;
            one.counter[0] = all.counter[0] = (uint32_t)(l % 3 ? -1000 : 7); /* the count of blocks wraps */
            rt_threads_set(1 + l % 3);
            for (int64_t i = 0; i < n; i++) want[i] = (rt_real)(deviation * rt_rng_normal(&one));
            got[n] = 77;
            rti_normals(n, deviation, &all, got);
            for (int64_t i = 0; i < n; i++)
                cr_assert(memcmp(&got[i], &want[i], sizeof *got) == 0, "%s: of %lld number %lld: %.9g, %.9g",
                          set_names[s], (long long)n, (long long)i, (double)got[i], (double)want[i]);
            cr_assert(got[n] == 77, "wrote outside");
            cr_assert(rt_rng_u64(&all) == rt_rng_u64(&one), "the stream stands elsewhere");
            const rt_real next = (rt_real)(2 * rt_rng_normal(&one));
            rti_normals(1, 2, &all, got);
            cr_assert(got[0] == next, "in the middle of a block");
        }
    }
    rti_kernels_use(NULL);
    rt_threads_set(1);
}

/* ---- dropout ---- */

static unsigned random16(const rt_rng *stream, int64_t i) {
    uint32_t counter[4] = {(uint32_t)(i / 8), stream->counter[1], stream->counter[2], stream->counter[3]},
             words[4];
    rt_philox(counter, stream->key, words);
    return words[i / 2 % 4] >> (i % 2 * 16) & 0xffff;
}

Test(elementwise, dropout_is_the_stream_word_by_word) {
    static const double rates[] = {0, 0.2, 0.5, 0.999999};
    for (int s = 0; s < SETS; s++)
        for (int l = 0; use(s) && l < LENGTHS; l++)
            for (int r = 0; r < 4; r++) {
                const int n = lengths[l];
                const rt_rng stream = rt_rng_stream(5, "dropout.test", 3, (uint64_t)l << 30);
                double threshold =
                    floor(rates[r] * 65536 + 0.5) < 65535 ? floor(rates[r] * 65536 + 0.5) : 65535;
                const rt_real factor = (rt_real)(65536 / (65536 - threshold));
                draw(a, 0), draw(c, 2), memcpy(d, c, sizeof d), memcpy(e, c, sizeof e),
                    memcpy(f, c, sizeof f);
                rt_threads_set(1 + l % 3);
                rti_dropout(n, rates[r], &stream, a + 1, c);
                rti_dropout_backward(n, rates[r], &stream, a + 1, e, false);
                rti_dropout_backward(n, rates[r], &stream, a + 1, f, true);
                for (int i = 0; i < n; i++) {
                    rt_real want = random16(&stream, i) >= threshold ? a[1 + i] * factor : 0;
                    cr_assert(c[i] == want && e[i] == want && f[i] == d[i] + want,
                              "%s: rate %g, length %d, element %d", set_names[s], rates[r], n, i);
                }
                cr_assert(same(c + n, d + n, MOST - n) && same(f + n, d + n, MOST - n), "wrote outside");
            }
}

Test(elementwise, dropout_in_place_and_with_nan_in_dropped_elements) {
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        const rt_rng stream = rt_rng_stream(6, "dropout.test", 0, 0);
        draw(a, 0);
        for (int i = 0; i < 1000; i++)
            if (random16(&stream, i) < 32768) a[i] = (rt_real)NAN;
        rti_dropout(1000, 0.5, &stream, a, a);
        cr_assert(rti_all_finite(1000, a));
    }
}

/* The kept share within five standard deviations, and an expectation that dropout does not change. */
Test(elementwise, dropout_keeps_the_expectation) {
    static const double rates[] = {0.1, 0.2, 0.5, 0.9};
    for (int r = 0; r < 4; r++) {
        const rt_rng stream = rt_rng_stream(7, "dropout.test", 0, (uint64_t)r);
        rti_fill(70000, 1, a);
        rti_dropout(70000, rates[r], &stream, a, c);
        int kept = 0;
        for (int i = 0; i < 70000; i++) kept += c[i] != 0;
        double deviation = sqrt(70000 * rates[r] * (1 - rates[r]));
        cr_assert(fabs(kept - 70000 * (1 - rates[r])) < 5 * deviation, "rate %g kept %d", rates[r], kept);
        cr_assert_float_eq(rti_sum(70000, c) / 70000, 1, 5 * deviation / 70000 / (1 - rates[r]));
    }
}

/* ---- optimisers, against the formulas in double ---- */

static void check_near(const rt_real *got, int i, double want, const char *what, int s) {
    cr_assert(fabs((double)got[i] - want) <= 16 * EPSILON * (1 + fabs(want)), "%s: %s %d: %g, not %g",
              set_names[s], what, i, (double)got[i], want);
}

Test(elementwise, sgd_update) {
    for (int s = 0; s < SETS; s++)
        for (int l = 0; use(s) && l < LENGTHS; l++)
            for (int nesterov = 0; nesterov < 2; nesterov++) {
                const int n = lengths[l];
                const rti_sgd k = {(rt_real)0.1, (rt_real)0.9, (rt_real)0.01,
                                   (rt_real)0.5, (rt_real)0.7, nesterov};
                draw(a, 0), draw(b, 1), draw(c, 2), memcpy(d, a, sizeof d), memcpy(e, c, sizeof e);
                rt_threads_set(1 + l % 3);
                rti_sgd_update(n, &k, a, b, c); /* p = a, g = b, v = c; before: d, e */
                for (int i = 0; i < n; i++) {
                    double change = 0.1 * 0.5 * (0.7 * (double)b[i] + 0.01 * (double)d[i]);
                    double v = 0.9 * (double)e[i] - change;
                    check_near(c, i, v, "v", s);
                    check_near(a, i, (double)d[i] + (nesterov ? 0.9 * v - change : v), "p", s);
                }
                cr_assert(same(a + n, d + n, MOST - n) && same(c + n, e + n, MOST - n), "wrote outside");
            }
}

Test(elementwise, adam_update) {
    for (int s = 0; s < SETS; s++)
        for (int l = 0; use(s) && l < LENGTHS; l++) {
            const int n = lengths[l];
            const rti_adam k = {(rt_real)0.01, (rt_real)0.9,  (rt_real)0.99, (rt_real)3,
                                (rt_real)1e-3, (rt_real)0.02, (rt_real)0.03, (rt_real)0.7};
            draw(a, 0), draw(b, 1), draw(c, 2), draw(g, 3), memcpy(d, a, sizeof d), memcpy(e, c, sizeof e);
            for (int i = 0; i < MOST; i++) g[i] = g[i] < 0 ? -g[i] : g[i];
            memcpy(f, g, sizeof f);
            rt_threads_set(1 + l % 3);
            rti_adam_update(n, &k, a, b, c, g); /* p = a, gradient = b, m = c, v = g; before: d, e, f */
            for (int i = 0; i < n; i++) {
                double gradient = 0.7 * (double)b[i] + 0.02 * (double)d[i];
                double m = 0.9 * (double)e[i] + 0.1 * gradient,
                       v = 0.99 * (double)f[i] + 0.01 * gradient * gradient;
                check_near(c, i, m, "m", s);
                check_near(g, i, v, "v", s);
                check_near(a, i, (double)d[i] - 0.03 * (double)d[i] - 0.01 * m / (sqrt(v) * 3 + 1e-3), "p",
                           s);
            }
            cr_assert(same(a + n, d + n, MOST - n) && same(g + n, f + n, MOST - n), "wrote outside");
        }
}

Test(elementwise, every_set_and_thread_count_updates_to_the_same_bits) {
    const rti_sgd sgd = {(rt_real)0.1, (rt_real)0.9, (rt_real)0.01, 1, 1, false};
    const rti_adam adam = {(rt_real)0.01, (rt_real)0.9, (rt_real)0.99, 3, (rt_real)1e-3, 0, 0, 1};
    bool first = true;
    for (int s = 0; s < SETS; s++)
        for (int threads = 1; use(s) && threads <= 8; threads++) {
            rt_threads_set(threads);
            draw(a, 0), draw(b, 1), draw(c, 2), rti_fill(MOST, (rt_real)0.5, g);
            rti_sgd_update(MOST, &sgd, a, b, c);
            rti_adam_update(MOST, &adam, a, b, c, g);
            if (first) memcpy(d, a, sizeof d), memcpy(e, c, sizeof e), memcpy(f, g, sizeof f);
            first = false;
            cr_assert(same(a, d, MOST) && same(c, e, MOST) && same(g, f, MOST), "%s, %d threads",
                      set_names[s], threads);
        }
}

Test(elementwise, bytes_to_real) {
    static uint8_t bytes[MOST];
    for (int i = 0; i < MOST; i++) bytes[i] = (uint8_t)(i * 7 + i / 256);
    CHECK_EACH(rti_bytes_to_real(n, bytes + o, (rt_real)(1.0 / 255), (rt_real)-0.5, out),
               product((rt_real)bytes[o + i], (rt_real)(1.0 / 255)) + (rt_real)-0.5)
}

/* The same bits with every instruction set, within an ulp of `right`, which is libm's; x[alone] by itself. */
static void check_ulps(const char *name, int N, const double *x, int alone,
                       void (*kernel)(int64_t n, const double *x, double *out), double (*right)(double)) {
    double *y = malloc((size_t)N * sizeof *y), *first = malloc((size_t)N * sizeof *first);
    cr_assert(y && first);
    for (int s = 0; s < SETS; s++) {
        if (!use(s)) continue;
        kernel(N, x, y);
        if (s == 0) memcpy(first, y, (size_t)N * sizeof *y);
        cr_assert_eq(memcmp(first, y, (size_t)N * sizeof *y), 0, "%s has other bits", set_names[s]);
        for (int i = 0; i < N; i++) {
            if (isnan(x[i])) {
                cr_assert(isnan(y[i]));
                continue;
            }
            const double wanted = right(x[i]), ulp = nextafter(wanted, INFINITY) - wanted;
            cr_assert(fabs(y[i] - wanted) <= ulp * (wanted > 0), "%s: %s(%.17g) is %.17g, not %.17g",
                      set_names[s], name, x[i], y[i], wanted);
        }
        kernel(1, x + alone, y);
        cr_assert_eq(y[0], first[alone]);
    }
    rti_kernels_use(NULL);
    free(y), free(first);
}

static double exp_or_0(double x) { return x < -708 ? 0 : exp(x); }

/* exp against libm's, which is right to half an ulp or nearly: of numbers as softmax has them. */
Test(elementwise, exp_is_within_an_ulp) {
    enum { N = 20011 };
    static double x[N];
    rt_rng rng = rt_rng_stream(1, "exp", 0, 0);
    for (int i = 0; i < N; i++) x[i] = -pow(10, rt_rng_uniform(&rng) * 10 - 7);
    x[0] = 0, x[1] = -0.0, x[2] = -INFINITY, x[3] = NAN, x[4] = -707.9, x[5] = -708.1, x[6] = -1e300;
    x[7] = -DBL_MIN, x[8] = -0.34657359027997264, x[9] = -0.34657359027997270;
    check_ulps("exp", N, x, 8, rti_exp_down, exp_or_0);
    for (int s = 0; s < SETS; s++) {
        double one[2];
        if (!use(s)) continue;
        rti_exp_down(2, x, one);
        cr_assert_eq(one[0], 1);
        cr_assert_eq(one[1], 1);
    }
    rti_kernels_use(NULL);
}

/* log against libm's: of sums as softmax has them, all powers of 2, and both sides of where m begins anew. */
Test(elementwise, log_is_within_an_ulp) {
    enum { N = 20011 };
    static double x[N];
    rt_rng rng = rt_rng_stream(2, "log", 0, 0);
    for (int i = 0; i < N; i++) x[i] = 1 + pow(10, rt_rng_uniform(&rng) * 24 - 16);
    for (int i = 0; i < 1000; i++) x[i] = 1 + i;
    for (int i = 0; i < 1024; i++) x[1000 + i] = ldexp(1, i);
    x[3000] = 1 + DBL_EPSILON, x[3001] = M_SQRT2, x[3002] = nextafter(M_SQRT2, 1), x[3003] = DBL_MAX;
    x[3004] = NAN, x[3005] = nextafter(M_SQRT2, 2), x[3006] = nextafter(2 * M_SQRT2, 1);
    check_ulps("log", N, x, 7, rti_log_up, log);
}
