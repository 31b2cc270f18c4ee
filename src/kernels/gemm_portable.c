/* gemm_portable.c - the matrix product in portable C.                  Floor 2 (kernels)
 *
 * Needs no memory but the stack. A block of C is JB columns wide; the matching part of B is copied,
 * KB rows at a time, into a small contiguous buffer (which makes all strides alike), and every row of
 * C is swept over it: c[j] += a[p] * b[p][j] for p = 0, 1, 2, ... The order of the sum is p's order,
 * and the blocks of p are a function of K alone. */
#include "core/pool.h"
#include "kernels/dispatch.h"

enum { JB = 32, KB = 128, IB = 32 };

typedef struct job {
    int64_t M, N, K;
    rti_matrix A, B;
    rt_real *C;
    int64_t ldc;
    bool accumulate;
    rti_epilogue epilogue;
    int64_t column_blocks;
} job;

/* b[p][0 ... JB-1] = B[p0 + p][j0 ...], zeros beyond the last column. */
static void copy_b(const job *t, int64_t p0, int depth, int64_t j0, int width, rt_real *b) {
    for (int p = 0; p < depth; p++) {
        const rt_real *from = t->B.data + (p0 + p) * t->B.row_stride + j0 * t->B.column_stride;
        for (int j = 0; j < width; j++) b[p * JB + j] = from[j * t->B.column_stride];
        for (int j = width; j < JB; j++) b[p * JB + j] = 0;
    }
}

static void row_times_block(const job *t, int64_t i, int64_t p0, int depth, const rt_real *b, rt_real c[JB]) {
    const rt_real *a = t->A.data + i * t->A.row_stride + p0 * t->A.column_stride;
    for (int p = 0; p < depth; p++) {
        const rt_real factor = a[p * t->A.column_stride];
        for (int j = 0; j < JB; j++) c[j] += factor * b[p * JB + j];
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
    rt_real b[KB * JB], c[IB][JB];
    for (int i = 0; i < height; i++)
        for (int j = 0; j < JB; j++)
            c[i][j] = t->accumulate && j < width ? t->C[(i0 + i) * t->ldc + j0 + j] : 0;
    for (int64_t p0 = 0; p0 < t->K; p0 += KB) {
        const int depth = t->K - p0 < KB ? (int)(t->K - p0) : KB;
        copy_b(t, p0, depth, j0, width, b);
        for (int i = 0; i < height; i++) row_times_block(t, i0 + i, p0, depth, b, c[i]);
    }
    for (int i = 0; i < height; i++) {
        finish_row(t, j0, width, c[i]);
        for (int j = 0; j < width; j++) t->C[(i0 + i) * t->ldc + j0 + j] = c[i][j];
    }
}

void rti_gemm_portable(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C, int64_t ldc,
                       bool accumulate, const rti_epilogue *epilogue) {
    job t = {M, N, K, A, B, C, ldc, accumulate, {NULL, false}, (N + JB - 1) / JB};
    if (epilogue) t.epilogue = *epilogue;
    const int64_t blocks = (M + IB - 1) / IB * t.column_blocks;
    if ((double)M * (double)N * (double)K > 65536) rti_parallel(blocks, block, &t);
    else
        for (int64_t i = 0; i < blocks; i++) block(&t, i);
}
