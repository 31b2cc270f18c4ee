/* conv_portable.c - convolution's tiles in portable C.                 Floor 2 (kernels)
 *
 * Four rows of eight columns: with 16 registers of two to eight numbers a compiler keeps them there. */
#include "kernels/conv_tiles.h"

enum { LANES = 8 };

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
#define ALWAYS static inline __attribute__((always_inline))

/* acc[r][j] += sum of A[r][t] B[t][j]; `rows` and `by_steps` are constants in every caller. */
ALWAYS void walk(const rti_conv_job *t, const int rows, const bool by_steps, const int columns,
                 rt_real acc[][LANES]) {
    const int64_t a_step = by_steps ? t->a_step : 1, a_row = by_steps ? 1 : t->a_row;
    for (int64_t block = 0; block < t->blocks; block++)
        for (int64_t run = 0; run < t->runs; run++) {
            const rt_real *a = t->a + block * t->a_block + run * t->a_run;
            const rt_real *b = t->b + block * t->b_block + run * t->b_run;
            for (int64_t p = 0; p < t->run; p++, a += a_step, b += t->b_step) {
                UNROLL for (int r = 0; r < rows; r++) {
                    const rt_real factor = a[r * a_row];
                    for (int j = 0; j < columns; j++) acc[r][j] += factor * b[j];
                }
            }
        }
}

ALWAYS void tile(const rti_conv_job *t, const int rows, const bool by_steps) {
    rt_real acc[4][LANES] = {{0}};
    if (!t->from_zero)
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < t->columns; j++) acc[r][j] = t->c[r * t->ldc + j];
    if (t->columns == LANES || !by_steps) walk(t, rows, by_steps, LANES, acc);
    else walk(t, rows, by_steps, t->columns, acc);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < t->columns; j++) {
            rt_real y = t->bias ? acc[r][j] + t->bias[j] : acc[r][j];
            t->c[r * t->ldc + j] = t->relu && y < 0 ? 0 : y;
        }
}

#define TILE(rows)                                                            \
    static void rows_##rows(const rti_conv_job *t) { tile(t, rows, false); } \
    static void steps_##rows(const rti_conv_job *t) { tile(t, rows, true); }
TILE(1) TILE(2) TILE(3) TILE(4)

static rti_conv_tile *const by_rows[1][RTI_CONV_ROWS_MOST] = {{rows_1, rows_2, rows_3, rows_4}};
static rti_conv_tile *const by_steps[1][RTI_CONV_ROWS_MOST] = {{steps_1, steps_2, steps_3, steps_4}};

const rti_conv_tiles rti_conv_portable = {LANES, {4}, by_rows, by_steps};
