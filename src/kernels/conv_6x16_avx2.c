/* conv_6x16_avx2.c - convolution's tiles for AVX2 with FMA.            Floor 2 (kernels)
 *
 * 16 registers: 12 hold a tile of 12 x 8 or 6 x 16, two a step of B, one an element of A in every lane.
 * Measured (Zen 5, one thread, half of AVX-512's peak of 200 GFLOP/s): 3 x 3, 16 channels, 32 x 32 pixels,
 * batch 128: forward 92, dx 95, dk 92; 64 channels, 16 x 16 pixels: 93, 93, 92. */
#include "kernels/conv_tiles.h"

#if RTI_REAL_IS_FLOAT

#include "kernels/avx2.h"

/* The sum; all but `t` are constants in every caller, so acc lives in registers. B's last vector is loaded
 * by its mask when it ends within. */
ALWAYS void walk(const rti_conv_job *t, const int rows, const int vectors, const bool by_steps,
                 const bool masked, __m256i mask, __m256 acc[][2]) {
    const int64_t b_step = t->b_step, a_step = by_steps ? t->a_step : 1, a_row = by_steps ? 1 : t->a_row;
    for (int64_t block = 0; block < t->blocks; block++)
        for (int64_t run = 0; run < t->runs; run++) {
            const float *a[4]; /* each addresses three rows */
            EACH(i, (rows + 2) / 3) a[i] = t->a + block * t->a_block + run * t->a_run + 3 * i * a_row;
            const float *b = t->b + block * t->b_block + run * t->b_run;
            for (int64_t p = t->run; p > 0; p--) {
                __m256 x[2];
                EACH(v, vectors)
                    x[v] = masked && v == vectors - 1 ? _mm256_maskload_ps(b + 8 * v, mask)
                                                      : _mm256_loadu_ps(b + 8 * v);
                b += b_step;
                EACH(i, rows) {
                    const __m256 factor = _mm256_broadcast_ss(a[i / 3] + i % 3 * a_row);
                    EACH(v, vectors) acc[i][v] = _mm256_fmadd_ps(factor, x[v], acc[i][v]);
                }
                EACH(i, (rows + 2) / 3) a[i] += a_step;
            }
        }
}

ALWAYS void tile(const rti_conv_job *t, const int rows, const int vectors, const bool by_steps,
                 const bool masked) {
    __m256 acc[12][2];
    const int last = t->columns - 8 * (vectors - 1);
    float *c = t->c;
    const int64_t ldc = t->ldc;
    if (t->from_zero) {
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm256_setzero_ps();
    } else {
        EACH(i, rows) EACH(v, vectors) acc[i][v] =
            load_first(c + i * ldc + 8 * v, lanes_of(v, vectors, last));
    }
    walk(t, rows, vectors, by_steps, masked, first_lanes(last), acc);
    if (t->bias) {
        EACH(v, vectors) {
            const __m256 bias = load_first(t->bias + 8 * v, lanes_of(v, vectors, last));
            EACH(i, rows) acc[i][v] = _mm256_add_ps(acc[i][v], bias);
        }
    }
    if (t->relu) { /* max(0, x) gives its second operand when one is NaN */
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm256_max_ps(_mm256_setzero_ps(), acc[i][v]);
    }
    EACH(i, rows) EACH(v, vectors)
        store_first(c + i * ldc + 8 * v, acc[i][v], lanes_of(v, vectors, last));
}

#define TILE(rows, vectors)                                                                              \
    static void rows_##rows##x##vectors(const rti_conv_job *t) { tile(t, rows, vectors, false, false); } \
    static void steps_##rows##x##vectors(const rti_conv_job *t) {                                        \
        if (t->columns == 8 * vectors) tile(t, rows, vectors, true, false);                              \
        else tile(t, rows, vectors, true, true);                                                         \
    }

#define HEIGHTS_6(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v)
#define HEIGHTS_12(X, v) HEIGHTS_6(X, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v)

HEIGHTS_12(TILE, 1)
HEIGHTS_6(TILE, 2)

#define BY_ROWS(rows, vectors) rows_##rows##x##vectors,
#define BY_STEPS(rows, vectors) steps_##rows##x##vectors,
static rti_conv_tile *const by_rows[2][RTI_CONV_ROWS_MOST] = {{HEIGHTS_12(BY_ROWS, 1)},
                                                              {HEIGHTS_6(BY_ROWS, 2)}};
static rti_conv_tile *const by_steps[2][RTI_CONV_ROWS_MOST] = {{HEIGHTS_12(BY_STEPS, 1)},
                                                               {HEIGHTS_6(BY_STEPS, 2)}};

const rti_conv_tiles rti_conv_6x16_avx2 = {8, {12, 6}, by_rows, by_steps};

#endif
