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
typedef int32_t bits;
typedef uint32_t natural;
enum { DROPPED = 16, EXPONENT = 23 };
#else
typedef int64_t bits;
typedef uint64_t natural;
enum { DROPPED = 45, EXPONENT = 52 };
#endif

static const bits one = 1, sign = (bits)((natural)1 << (8 * sizeof(bits) - 1)), greatest = ~sign,
                  infinite = greatest - (((bits)1 << EXPONENT) - 1);

static inline bits bits_of(rt_real x) {
    bits u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline rt_real real_of(bits u) {
    rt_real x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Without branches, which nobody could predict. */
static inline rt_real rounded(rt_real x) {
    const bits u = bits_of(x), size = u & greatest;
    bits r = (bits)((natural)size + (natural)((one << (DROPPED - 1)) - 1 + (u >> DROPPED & 1)));
    r = size > infinite ? size | one << (EXPONENT - 1) : size < one << EXPONENT ? 0 : r;
    return real_of((r & -(one << DROPPED)) | (u & sign));
}

/* The smallest and the greatest magnitude of what is not 0; a NaN is greater than all. */
typedef struct range {
    rt_real least, greatest;
} range;

static range range_of(int n, const rt_real *x) {
    bits least = infinite, most = 0;
    for (int i = 0; i < n; i++) {
        const bits size = bits_of(x[i]) & greatest, there = size > 0 ? size : infinite;
        least = there < least ? there : least;
        most = size > most ? size : most;
    }
    return (range){real_of(least), real_of(most)};
}

/* Nothing overflows, and whatever is not 0 is a multiple of the smallest normal number, so no sum is less. */
static bool is_plain(range a, range b, range c) {
    return !RTI_REAL_IS_FLOAT || (a.least * b.least >= (rt_real)0x1p-110 && c.least >= (rt_real)0x1p-102 &&
                                  a.greatest * b.greatest <= (rt_real)0x1p126);
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
static void copy_b(const job *t, int64_t p0, int depth, int64_t j0, int width, rt_real *b) {
    for (int p = 0; p < depth; p++) {
        const rt_real *from = t->B.data + (p0 + p) * t->B.row_stride + j0 * t->B.column_stride;
        for (int j = 0; j < width; j++) b[p * JB + j] = rounded(from[j * t->B.column_stride]);
        for (int j = width; j < JB; j++) b[p * JB + j] = 0;
    }
    if (depth % 2)
        for (int j = 0; j < JB; j++) b[depth * JB + j] = 0;
}

static void copy_a(const job *t, int64_t i, int64_t p0, int depth, rt_real *a) {
    const rt_real *from = t->A.data + i * t->A.row_stride + p0 * t->A.column_stride;
    for (int p = 0; p < depth; p++) a[p] = rounded(from[p * t->A.column_stride]);
    if (depth % 2) a[depth] = 0;
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
        copy_b(t, p0, depth, j0, width, b);
        const range of_b = range_of(depth * JB, b);
        for (int i = 0; i < height; i++) {
            copy_a(t, i0 + i, p0, depth, a);
            row_times_block(depth, a, b, c[i], is_plain(range_of(depth, a), of_b, range_of(JB, c[i])));
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
