/* gemm_bf16_portable.c - products of bfloat16 in portable C.           Floor 2 (kernels)
 *
 * The bits of the processor's instruction (VDPBF16PS), without it. An operand is rounded to bfloat16, 8
 * significant bits, to nearest and ties to even; subnormal numbers become 0, a NaN stays one. Then, two p
 * at a time and the later one first,
 *
 *     c = round(c + a[2p + 1] b[2p + 1]),    c = round(c + a[2p] b[2p])        p = 0, 1, 2, ...
 *
 * each product exact, each sum rounded once to float, and to 0 when what it rounds to lies below the
 * smallest normal number. An odd K ends with a pair (a, 0). Bias and relu follow in ordinary float32. Only
 * the sign and payload of a NaN are nobody's promise.
 *
 * A product has 16 significant bits, so float holds it, and a sum of floats is all there is to do, unless
 * numbers come near the ends of the range; what is in A, B and C says beforehand whether they can. Then
 * sums are made in double and rounded to float afterwards. That is rounded once, too: where a sum of 16 and
 * of 24 bits needs more than double's 53, one of the two is so small (2^-29 or less beside the other) that
 * the larger is the float nearest to the sum, before as after.
 *
 * In the double library operands are rounded alike, but keep double's range of exponents, and sums stay
 * double. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/pool.h"
#include "kernels/dispatch.h"

enum { JB = 32, KB = 128, IB = 32 };

#if RTI_REAL_IS_FLOAT
typedef uint32_t bits;
enum { DROPPED = 16, EXPONENT = 23 };
#else
typedef uint64_t bits;
enum { DROPPED = 45, EXPONENT = 52 };
#endif

static rt_real rounded(rt_real x) {
    bits u;
    memcpy(&u, &x, sizeof u);
    const bits one = 1, sign = one << (8 * sizeof u - 1), infinite = sign - (one << EXPONENT);
    if ((u & ~sign) > infinite)
        u |= one << (EXPONENT - 1); /* NaN */
    else if (!(u & infinite))
        u &= sign;
    else
        u += (one << (DROPPED - 1)) - 1 + (u >> DROPPED & 1);
    u &= ~((one << DROPPED) - 1);
    memcpy(&x, &u, sizeof u);
    return x;
}

/* The smallest and the greatest magnitude of what is not 0. */
typedef struct range {
    rt_real least, greatest;
} range;

static const range nothing = {(rt_real)INFINITY, 0};

static void widen(range *r, rt_real x) {
    const rt_real size = x != x ? (rt_real)INFINITY : x < 0 ? -x : x;
    if (size > 0 && size < r->least) r->least = size;
    if (size > r->greatest) r->greatest = size;
}

/* Nothing overflows, and whatever is not 0 is a multiple of the smallest normal number, so no sum is less. */
static bool is_plain(range a, range b, int n, const rt_real *c) {
    if (!RTI_REAL_IS_FLOAT) return true;
    range sum = nothing;
    for (int j = 0; j < n; j++) widen(&sum, c[j]);
    return (a.greatest == 0 || b.greatest == 0 || a.least * b.least >= (rt_real)0x1p-110) &&
           a.greatest * b.greatest <= (rt_real)0x1p126 && sum.least >= (rt_real)0x1p-102;
}

/* c + a b, for all numbers. A sum is below the normal numbers when it would be so with float's precision but
 * any exponent. */
static inline rt_real plus_product(rt_real c, rt_real a, rt_real b) {
    const double sum = (double)c + (double)a * (double)b,
                 normal = (double)FLT_MIN * (1 - 0.25 * (double)FLT_EPSILON);
    return (rt_real)(fabs(sum) < normal ? copysign(0, sum) : sum);
}

static rt_real start(rt_real c) {
#if RTI_REAL_IS_FLOAT
    return fabsf(c) < FLT_MIN ? copysignf(0, c) : c;
#else
    return c;
#endif
}

typedef struct job {
    int64_t M, N, K;
    rti_matrix A, B;
    rt_real *C;
    int64_t ldc;
    bool accumulate;
    rti_epilogue epilogue;
    int64_t column_blocks;
} job;

/* b[p][0 ... JB-1] = B[p0 + p][j0 ...] rounded, zeros beyond the last column and up to an even depth. */
static range copy_b(const job *t, int64_t p0, int depth, int64_t j0, int width, rt_real *b) {
    range r = nothing;
    for (int p = 0; p < depth; p++) {
        const rt_real *from = t->B.data + (p0 + p) * t->B.row_stride + j0 * t->B.column_stride;
        for (int j = 0; j < width; j++) {
            b[p * JB + j] = rounded(from[j * t->B.column_stride]);
            widen(&r, b[p * JB + j]);
        }
        for (int j = width; j < JB; j++) b[p * JB + j] = 0;
    }
    if (depth % 2)
        for (int j = 0; j < JB; j++) b[depth * JB + j] = 0;
    return r;
}

static range copy_a(const job *t, int64_t i, int64_t p0, int depth, rt_real *a) {
    const rt_real *from = t->A.data + i * t->A.row_stride + p0 * t->A.column_stride;
    range r = nothing;
    for (int p = 0; p < depth; p++) {
        a[p] = rounded(from[p * t->A.column_stride]);
        widen(&r, a[p]);
    }
    if (depth % 2) a[depth] = 0;
    return r;
}

static void row_times_block(int depth, const rt_real *a, const rt_real *b, rt_real c[JB], bool plain) {
    for (int p = 0; p < depth; p += 2, a += 2, b += 2 * JB) {
        if (plain)
            for (int j = 0; j < JB; j++) c[j] = c[j] + a[1] * b[JB + j] + a[0] * b[j];
        else
            for (int j = 0; j < JB; j++) c[j] = plus_product(plus_product(c[j], a[1], b[JB + j]), a[0], b[j]);
    }
}

static void finish_row(const job *t, int64_t j0, int width, rt_real *c) {
    if (t->epilogue.bias)
        for (int j = 0; j < width; j++) c[j] += t->epilogue.bias[j0 + j];
    if (t->epilogue.relu)
        for (int j = 0; j < width; j++) c[j] = c[j] < 0 ? 0 : c[j];
}

static void block(void *context, int64_t task) {
    const job *t = context;
    const int64_t i0 = task / t->column_blocks * IB, j0 = task % t->column_blocks * JB;
    const int height = t->M - i0 < IB ? (int)(t->M - i0) : IB, width = t->N - j0 < JB ? (int)(t->N - j0) : JB;
    rt_real a[KB], b[KB * JB], c[IB][JB];
    for (int i = 0; i < height; i++)
        for (int j = 0; j < JB; j++) {
            const rt_real before = t->accumulate && j < width ? t->C[(i0 + i) * t->ldc + j0 + j] : 0;
            c[i][j] = t->K > 0 ? start(before) : before;
        }
    for (int64_t p0 = 0; p0 < t->K; p0 += KB) {
        const int depth = t->K - p0 < KB ? (int)(t->K - p0) : KB;
        const range of_b = copy_b(t, p0, depth, j0, width, b);
        for (int i = 0; i < height; i++) {
            const range of_a = copy_a(t, i0 + i, p0, depth, a);
            row_times_block(depth, a, b, c[i], is_plain(of_a, of_b, JB, c[i]));
        }
    }
    for (int i = 0; i < height; i++) {
        finish_row(t, j0, width, c[i]);
        for (int j = 0; j < width; j++) t->C[(i0 + i) * t->ldc + j0 + j] = c[i][j];
    }
}

void rti_gemm_bf16_portable(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C,
                            int64_t ldc, bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    (void)scratch;
    job t = {M, N, K, A, B, C, ldc, accumulate, {NULL, false}, (N + JB - 1) / JB};
    if (epilogue) t.epilogue = *epilogue;
    const int64_t blocks = (M + IB - 1) / IB * t.column_blocks;
    if ((double)M * (double)N * (double)K > 65536)
        rti_parallel(blocks, block, &t);
    else
        for (int64_t i = 0; i < blocks; i++) block(&t, i);
}
