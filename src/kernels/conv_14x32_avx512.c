/* conv_14x32_avx512.c - convolution's tiles for AVX-512.               Floor 2 (kernels)
 *
 * 32 registers: up to 28 hold a tile, 24 x 16, 14 x 32, 9 x 48 or 7 x 64, and one to four a step of B;
 * elements of A are spread over all lanes as they are loaded. Columns beyond the last are masked off.
 *
 * Measured in the first-level cache (Zen 5, one thread, 205 GFLOP/s at the clock of that hour):
 *
 *   by_rows     16 x 16  188    24 x 16  183    8 x 32  205    14 x 32  206    8 x 48  212    6 x 64  205
 *   by_steps    16 x 16  181    24 x 16  187               14 x 32  212    8 x 48  209    6 x 64  210
 *
 * One vector wide, a multiply-add needs a load of its own, and two of each a cycle is all there is; so
 * results with 16 channels stay a tenth below the others. Pixels a multiple of 64 bytes apart, or padded to
 * 68 and 80, are alike. */
#include "kernels/conv_tiles.h"
#include "kernels/unroll.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>

/* rows, vectors and by_steps are constants in every caller, so acc lives in registers. */
ALWAYS void tile(const rti_conv_job *t, const int rows, const int vectors, const bool by_steps) {
    __m512 acc[RTI_CONV_ROWS_MOST][RTI_CONV_VECTORS_MOST];
    __mmask16 lanes[RTI_CONV_VECTORS_MOST];
    EACH(v, vectors) lanes[v] = 0xffff;
    lanes[vectors - 1] = (__mmask16)((1u << (t->columns - 16 * (vectors - 1))) - 1);
    float *c = t->c;
    const int64_t ldc = t->ldc;
    if (t->from_zero) {
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm512_setzero_ps();
    } else {
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm512_maskz_loadu_ps(lanes[v], c + i * ldc + 16 * v);
    }

    const int64_t b_step = t->b_step, a_step = by_steps ? t->a_step : 1, a_row = by_steps ? 1 : t->a_row;
    for (int64_t block = 0; block < t->blocks; block++)
        for (int64_t run = 0; run < t->runs; run++) {
            const float *a[(RTI_CONV_ROWS_MOST + 2) / 3];
            EACH(i, (rows + 2) / 3) a[i] = t->a + block * t->a_block + run * t->a_run + 3 * i * a_row;
            const float *b = t->b + block * t->b_block + run * t->b_run;
            for (int64_t p = t->run; p > 0; p--) {
                __m512 x[RTI_CONV_VECTORS_MOST];
                EACH(v, vectors) x[v] = _mm512_maskz_loadu_ps(lanes[v], b + 16 * v);
                b += b_step;
                EACH(i, rows) {
                    const __m512 factor = _mm512_set1_ps(a[i / 3][i % 3 * a_row]);
                    EACH(v, vectors) acc[i][v] = _mm512_fmadd_ps(factor, x[v], acc[i][v]);
                }
                EACH(i, (rows + 2) / 3) a[i] += a_step;
            }
        }

    if (t->bias) {
        EACH(v, vectors) {
            const __m512 bias = _mm512_maskz_loadu_ps(lanes[v], t->bias + 16 * v);
            EACH(i, rows) acc[i][v] = _mm512_add_ps(acc[i][v], bias);
        }
    }
    if (t->relu) { /* max(0, x) gives its second operand when one is NaN */
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm512_max_ps(_mm512_setzero_ps(), acc[i][v]);
    }
    EACH(i, rows) EACH(v, vectors) _mm512_mask_storeu_ps(c + i * ldc + 16 * v, lanes[v], acc[i][v]);
}

#define TILE(rows, vectors)                                                                          \
    static void rows_##rows##x##vectors(const rti_conv_job *t) { tile(t, rows, vectors, false); }    \
    static void steps_##rows##x##vectors(const rti_conv_job *t) { tile(t, rows, vectors, true); }

#define HEIGHTS_7(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v) X(7, v)
#define HEIGHTS_9(X, v) HEIGHTS_7(X, v) X(8, v) X(9, v)
#define HEIGHTS_14(X, v) HEIGHTS_9(X, v) X(10, v) X(11, v) X(12, v) X(13, v) X(14, v)
#define HEIGHTS_24(X, v)                                                                             \
    HEIGHTS_14(X, v) X(15, v) X(16, v) X(17, v) X(18, v) X(19, v) X(20, v) X(21, v) X(22, v) X(23, v) X(24, v)

HEIGHTS_24(TILE, 1)
HEIGHTS_14(TILE, 2)
HEIGHTS_9(TILE, 3)
HEIGHTS_7(TILE, 4)

#define BY_ROWS(rows, vectors) rows_##rows##x##vectors,
#define BY_STEPS(rows, vectors) steps_##rows##x##vectors,
static rti_conv_tile *const by_rows[RTI_CONV_VECTORS_MOST][RTI_CONV_ROWS_MOST] = {
    {HEIGHTS_24(BY_ROWS, 1)}, {HEIGHTS_14(BY_ROWS, 2)}, {HEIGHTS_9(BY_ROWS, 3)}, {HEIGHTS_7(BY_ROWS, 4)}};
static rti_conv_tile *const by_steps[RTI_CONV_VECTORS_MOST][RTI_CONV_ROWS_MOST] = {
    {HEIGHTS_24(BY_STEPS, 1)}, {HEIGHTS_14(BY_STEPS, 2)}, {HEIGHTS_9(BY_STEPS, 3)}, {HEIGHTS_7(BY_STEPS, 4)}};

const rti_conv_tiles rti_conv_14x32_avx512 = {16, {24, 14, 9, 7}, by_rows, by_steps};

#endif
