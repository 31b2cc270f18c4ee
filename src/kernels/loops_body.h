/* loops_body.h - the element-by-element kernels, once for all instruction sets. Floor 2 (kernels)
 *
 * Included by loops_<isa>.c, which defines LOOPS_TABLE (the table's name) and may define
 * LOOPS_DROPOUT_STEP(mask, block, bits) to draw RTI_DROPOUT_STEP times 16 bits with its own instructions,
 * LOOPS_NORMALS for normal numbers, LOOPS_NONZERO(x) to compare 16 numbers with 0 and
 * LOOPS_LIST(n, x, to) to list those that are not, LOOPS_NONZERO_BYTES(x) for 64 bytes,
 * LOOPS_TURN_BITS(square) for a map's, LOOPS_WIDEN(x) for doubles of as many numbers as fill a register.
 * Plain loops that the compiler turns into vector code: INDEPENDENT says that an iteration
 * only touches what it alone writes, which holds also when out is one of the inputs. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "kernels/loops.h"

#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

static void add(int64_t n, const rt_real *a, const rt_real *b, rt_real *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

static void sub(int64_t n, const rt_real *a, const rt_real *b, rt_real *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = a[i] - b[i];
}

static void mul(int64_t n, const rt_real *a, const rt_real *b, rt_real *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = a[i] * b[i];
}

static void scale(int64_t n, rt_real factor, const rt_real *x, rt_real *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = factor * x[i];
}

static void axpy(int64_t n, rt_real factor, const rt_real *x, rt_real *y) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

static void fill(int64_t n, rt_real value, rt_real *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = value;
}

/* The comparison is false for NaN and for -0, which therefore pass. */
static void relu(int64_t n, const rt_real *x, rt_real *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = x[i] < 0 ? 0 : x[i];
}

static void relu_backward(int64_t n, const rt_real *y, const rt_real *dy, rt_real *dx, bool accumulate) {
    if (accumulate) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] += y[i] > 0 ? dy[i] : 0;
    } else {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
    }
}

/* ---- reductions: LANES partial sums, element i in lane i % LANES, then a tree over the lanes ---- */

enum { LANES = 32 };

static double tree(double lane[LANES]) {
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

static double sum(int64_t n, const rt_real *x) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (double)x[i + l];
    for (int l = 0; i + l < n; l++) lane[l] += (double)x[i + l];
    return tree(lane);
}

static double dot(int64_t n, const rt_real *a, const rt_real *b) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (double)a[i + l] * (double)b[i + l];
    for (int l = 0; i + l < n; l++) lane[l] += (double)a[i + l] * (double)b[i + l];
    return tree(lane);
}

/* 0 * x is 0 for finite x and NaN for the others; blocks, to stop early. */
static bool all_finite(int64_t n, const rt_real *x) {
    enum { BLOCK = 2048 };
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t end = n - start < BLOCK ? n : start + BLOCK;
        int bad = 0;
        for (int64_t i = start; i < end; i++) bad |= !(x[i] * 0 == 0);
        if (bad) return false;
    }
    return true;
}

/* Row after row into double accumulators, a strip of columns at a time. */
static void column_sums(int64_t rows, int64_t columns, int64_t stride, const rt_real *x, double *out) {
    enum { WIDE = 64 };
    for (int64_t j = 0; j < columns; j += WIDE) {
        int width = columns - j < WIDE ? (int)(columns - j) : WIDE;
        double acc[WIDE] = {0};
        if (width == WIDE)
            for (int64_t i = 0; i < rows; i++)
                for (int l = 0; l < WIDE; l++) acc[l] += (double)x[i * stride + j + l];
        else
            for (int64_t i = 0; i < rows; i++)
                for (int l = 0; l < width; l++) acc[l] += (double)x[i * stride + j + l];
        for (int l = 0; l < width; l++) out[j + l] = acc[l];
    }
}

/* ---- dropout ---- */

#ifndef LOOPS_DROPOUT_STEP
static void dropout_step(const rti_dropout_mask *mask, uint32_t block, uint16_t bits[RTI_DROPOUT_STEP]) {
    uint32_t counter[4] = {block, mask->counter[1], mask->counter[2], mask->counter[3]};
    for (int i = 0; i < RTI_DROPOUT_STEP; i += 8, counter[0]++) {
        uint32_t words[4];
        rt_philox(counter, mask->key, words);
        for (int w = 0; w < 4; w++) {
            bits[i + 2 * w] = (uint16_t)words[w];
            bits[i + 2 * w + 1] = (uint16_t)(words[w] >> 16);
        }
    }
}
#define LOOPS_DROPOUT_STEP dropout_step
#endif

#if RTI_REAL_IS_FLOAT
typedef uint32_t real_bits;
#else
typedef uint64_t real_bits;
#endif

/* x or 0. Of a choice between two numbers compilers make a branch where the instruction set has no masks, and
 * the processor guesses it wrong half of the time: 4.3 ns an element in place of 0.5 (AVX2, Zen 3). */
static inline rt_real kept_if(bool kept, rt_real x) {
    real_bits bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0 - (real_bits)kept;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void dropout(int64_t first, int64_t n, const rti_dropout_mask *mask, const rt_real *x, rt_real *out,
                    bool accumulate) {
    const uint32_t threshold = mask->threshold;
    const rt_real factor = mask->factor;
    for (int64_t start = 0; start < n; start += RTI_DROPOUT_STEP) {
        int width = n - start < RTI_DROPOUT_STEP ? (int)(n - start) : RTI_DROPOUT_STEP;
        uint16_t bits[RTI_DROPOUT_STEP];
        LOOPS_DROPOUT_STEP(mask, (uint32_t)((first + start) / 8), bits);
        const rt_real *from = x + start;
        rt_real *to = out + start;
        if (accumulate) {
            INDEPENDENT
            for (int i = 0; i < width; i++) to[i] += kept_if(bits[i] >= threshold, from[i] * factor);
        } else {
            INDEPENDENT
            for (int i = 0; i < width; i++) to[i] = kept_if(bits[i] >= threshold, from[i] * factor);
        }
    }
}

#ifndef LOOPS_NORMALS
static void normals(int64_t n, double deviation, const rt_rng *stream, rt_real *out) {
    rt_rng own = *stream;
    for (int64_t i = 0; i < n; i++) out[i] = (rt_real)(deviation * rt_rng_normal(&own));
}
#define LOOPS_NORMALS normals
#endif

/* ---- optimisers ---- */

static void sgd(int64_t n, const rti_sgd *c, rt_real *p, const rt_real *g, rt_real *v) {
    const rt_real momentum = c->momentum, decay = c->decay, grad_scale = c->grad_scale,
                  step = c->lr * c->damping;
    if (c->nesterov) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            rt_real change = step * (grad_scale * g[i] + decay * p[i]);
            v[i] = momentum * v[i] - change;
            p[i] += momentum * v[i] - change;
        }
    } else {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            v[i] = momentum * v[i] - step * (grad_scale * g[i] + decay * p[i]);
            p[i] += v[i];
        }
    }
}

static rt_real root(rt_real x) {
    return sizeof x == sizeof(float) ? (rt_real)sqrtf((float)x) : (rt_real)sqrt((double)x);
}

static void adam(int64_t n, const rti_adam *c, rt_real *p, const rt_real *g, rt_real *m, rt_real *v) {
    const rti_adam k = *c;
    const rt_real rest1 = 1 - k.beta1, rest2 = 1 - k.beta2;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        rt_real gradient = k.grad_scale * g[i] + k.decay * p[i];
        m[i] = k.beta1 * m[i] + rest1 * gradient;
        v[i] = k.beta2 * v[i] + rest2 * gradient * gradient;
        p[i] = p[i] - k.decoupled * p[i] - k.rate * m[i] / (root(v[i]) * k.scale + k.epsilon);
    }
}

static void bytes_to_real(int64_t n, const uint8_t *bytes, rt_real factor, rt_real shift, rt_real *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = (rt_real)bytes[i] * factor + shift;
}

/* ---- exp and log ----
 *
 *   x = k log 2 + r, |r| <= log(2)/2;   exp(x) = 2^k (1 + (r + r^2 (1/2! + r (1/3! + ... + r^11/13!))))
 *
 * Adding 1.5 * 2^52 rounds to a whole number, which then stands in the lowest bits. log 2 is taken in two
 * parts, the first of which times k is exact (Cody and Waite 1980). The rest of the series is below 1e-17.
 *
 * Not kept: four registers in turn, so that their chains overlap: 0.8 of the time (Zen 3), but a step of
 * 784-30-30-10 with a teacher spends a tenth in softmax, half of it here. */
static double exp_of(double exponent) {
    double x;
    uint64_t bits;
    const uint64_t kept = 0 - (uint64_t)!(exponent < -708); /* all bits or none, and NaN stays */
    memcpy(&bits, &exponent, sizeof bits);
    bits &= kept;
    memcpy(&x, &bits, sizeof x);
    const double shift = 0x1.8p52, high = 0x1.62e42fee00000p-1, low = 0x1.a39ef35793c76p-33;
    const double shifted = x * 0x1.71547652b82fep0 + shift, k = shifted - shift;
    const double r = (x - k * high) - k * low;
    double sum = 1.0 / 6227020800;
    sum = 1.0 / 479001600 + r * sum;
    sum = 1.0 / 39916800 + r * sum;
    sum = 1.0 / 3628800 + r * sum;
    sum = 1.0 / 362880 + r * sum;
    sum = 1.0 / 40320 + r * sum;
    sum = 1.0 / 5040 + r * sum;
    sum = 1.0 / 720 + r * sum;
    sum = 1.0 / 120 + r * sum;
    sum = 1.0 / 24 + r * sum;
    sum = 1.0 / 6 + r * sum;
    sum = 0.5 + r * sum;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52 & kept; /* of 2^k, or of 0 */
    double power;
    memcpy(&power, &bits, sizeof power);
    return (1 + (r + r * r * sum)) * power;
}

static void exp_down(int64_t n, const double *x, double *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = exp_of(x[i]);
}

/*   x = 2^k m, 1/sqrt(2) <= m < sqrt(2);   f = m - 1,  t = f / (2 + f);
 *   log m = 2 (t + t^3/3 + t^5/5 + ...) = f - t (f - R),   R = 2 t^2/3 + 2 t^4/5 + ... + 2 t^20/21
 *
 * because 2 t = f - t f. In this form f is exact, and what is rounded is small beside it. t^2 is at most
 * 0.03, so the rest of the series is below 2e-17 of the whole. x - x is 0, but NaN for NaN and infinity. */
static double log_of(double x) {
    const double high = 0x1.62e42fee00000p-1, low = 0x1.a39ef35793c76p-33;
    const uint64_t least = 0x3fe6a09e667f3bcd; /* the bits of 1/sqrt(2) */
    uint64_t bits, exponent_bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t exponent = (bits - least) >> 52;
    bits -= exponent << 52;
    exponent_bits = exponent | 0x4330000000000000; /* of 2^52 + k */
    double m, k;
    memcpy(&m, &bits, sizeof m);
    memcpy(&k, &exponent_bits, sizeof k);
    k -= 0x1p52;
    const double f = m - 1, t = f / (2 + f), square = t * t;
    double sum = 2.0 / 21;
    sum = 2.0 / 19 + square * sum;
    sum = 2.0 / 17 + square * sum;
    sum = 2.0 / 15 + square * sum;
    sum = 2.0 / 13 + square * sum;
    sum = 2.0 / 11 + square * sum;
    sum = 2.0 / 9 + square * sum;
    sum = 2.0 / 7 + square * sum;
    sum = 2.0 / 5 + square * sum;
    sum = 2.0 / 3 + square * sum;
    return k * high + (f - (t * (f - square * sum) - k * low)) + (x - x);
}

static void log_up(int64_t n, const double *x, double *out) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) out[i] = log_of(x[i]);
}

/* ---- softmax ---- */

enum { SOFTMAX_ROWS = 64 };

/* At most SOFTMAX_ROWS rows, in passes over all of them: each pass is simple enough for vectors. */
static void softmax_rows(int64_t N, int64_t K, const rt_real *z, double T, double *p, double *log_p) {
    double s[SOFTMAX_ROWS], log_s[SOFTMAX_ROWS];
    for (int64_t i = 0; i < N; i++) {
        const rt_real *row = z + i * K;
        rt_real m = row[0];
        for (int64_t k = 1; k < K; k++) m = row[k] > m ? row[k] : m;
        INDEPENDENT
        for (int64_t k = 0; k < K; k++) log_p[i * K + k] = (double)row[k] - (double)m;
    }
    if (T != 1) {
        INDEPENDENT
        for (int64_t i = 0; i < N * K; i++) log_p[i] /= T;
    }
    exp_down(N * K, log_p, p);
    for (int64_t i = 0; i < N; i++) {
        s[i] = 0;
        for (int64_t k = 0; k < K; k++) s[i] += p[i * K + k];
    }
    log_up(N, s, log_s);
    for (int64_t i = 0; i < N; i++) {
        const double own = s[i], log_own = log_s[i];
        INDEPENDENT
        for (int64_t k = 0; k < K; k++) {
            p[i * K + k] /= own;
            log_p[i * K + k] -= log_own;
        }
    }
}

static void softmax(int64_t N, int64_t K, const rt_real *z, double T, double *p, double *log_p) {
    for (int64_t i = 0; i < N; i += SOFTMAX_ROWS)
        softmax_rows(N - i < SOFTMAX_ROWS ? N - i : SOFTMAX_ROWS, K, z + i * K, T, p + i * K, log_p + i * K);
}

/* ---- zeros ---- */

static unsigned nonzero_of(const rt_real *x, int n) {
    unsigned bits = 0;
    for (int i = 0; i < n; i++) bits |= (unsigned)!(x[i] == 0) << i;
    return bits;
}

#ifndef LOOPS_NONZERO
#define LOOPS_NONZERO(x) nonzero_of(x, 16)
#endif

static int64_t nonzero_bits(int64_t n, const rt_real *x, uint64_t *bits) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 64, bits++) {
        const int here = n - i < 64 ? (int)(n - i) : 64;
        int j = 0;
        for (*bits = 0; j + 16 <= here; j += 16) *bits |= (uint64_t)LOOPS_NONZERO(x + i + j) << j;
        if (j < here) *bits |= (uint64_t)nonzero_of(x + i + j, here - j) << j;
        count += __builtin_popcountll(*bits);
    }
    return count;
}

#ifndef LOOPS_NONZERO_BYTES
static uint64_t nonzero_of_bytes(const uint8_t *x) {
    uint64_t some = 0;
    for (int i = 0; i < 64; i++) some |= (uint64_t)(x[i] != 0) << i;
    return some;
}
#define LOOPS_NONZERO_BYTES(x) nonzero_of_bytes(x)
#endif

static int64_t nonzero_bytes(int64_t n, const uint8_t *x, uint64_t *bits) {
    int64_t count = 0, i = 0;
    for (; i + 64 <= n; i += 64, bits++) {
        *bits = LOOPS_NONZERO_BYTES(x + i);
        count += __builtin_popcountll(*bits);
    }
    if (i == n) return count;
    uint8_t rest[64] = {0};
    memcpy(rest, x + i, (size_t)(n - i));
    *bits = LOOPS_NONZERO_BYTES(rest);
    return count + __builtin_popcountll(*bits);
}

#ifndef LOOPS_TURN_BITS
static void turn_by_bits(uint64_t square[64]) {
    uint64_t turned[64] = {0};
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 64; j++) turned[j] |= (square[i] >> j & 1) << i;
    memcpy(square, turned, sizeof turned);
}
#define LOOPS_TURN_BITS turn_by_bits
#endif

#ifndef LOOPS_LIST
static int list_of(int64_t n, const rt_real *x, rti_entry *to) {
    int count = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(x[i] == 0)) to[count++] = (rti_entry){(uint32_t)i, x[i]};
    return count;
}
#define LOOPS_LIST list_of
#endif

#ifndef LOOPS_LIST_BYTES
static int list_of_bytes(int64_t n, const uint8_t *x, const rt_real *value, rti_entry *to) {
    int count = 0;
    for (int64_t i = 0; i < n; i++)
        if (x[i]) to[count++] = (rti_entry){(uint32_t)i, value[x[i]]};
    return count;
}
#define LOOPS_LIST_BYTES list_of_bytes
#endif

/* ---- whole layers, in the compiler's vectors ---- */

/* Bytes; larger vectors become code number by number. */
#if defined(__AVX512F__)
#define REGISTER 64
#elif defined(__AVX__)
#define REGISTER 32
#else
#define REGISTER 16
#endif

#include "kernels/norm_body.h"
#include "kernels/pool_body.h"

const rti_loops LOOPS_TABLE = {
    add,          sub,          mul,        scale,       axpy,      fill, relu, relu_backward,
    sum,          dot,          all_finite, column_sums, dropout,   LOOPS_NORMALS, sgd,  adam, bytes_to_real,
    exp_down, log_up, softmax, nonzero_bits, nonzero_bytes, LOOPS_TURN_BITS, LOOPS_LIST, LOOPS_LIST_BYTES,
    norm_moments, norm_forward, norm_sums, norm_backward,
    max_rows, max_rows_backward,
};
