/* conv_portable.c - convolution's tiles in portable C.                 Floor 2 (kernels)
 *
 * Four rows of eight columns, as vectors of 16 bytes, which every instruction set has or a compiler makes up:
 * in float 8 of 16 registers hold the tile. (Plain loops over an array of the same shape were kept in memory:
 * 7 GFLOP/s instead of 25 for float on SSE2.) */
#include <string.h>

#include "kernels/conv_tiles.h"
#include "kernels/unroll.h"

typedef rt_real part __attribute__((vector_size(16)));
enum { LANES = 8, PART = 16 / sizeof(rt_real), PARTS = LANES / PART, ROWS = 4 };

/* `columns` numbers and zeros. */
ALWAYS void load(const rt_real *from, const int columns, part to[PARTS]) {
    rt_real all[LANES] = {0};
    if (columns < LANES) {
        for (int j = 0; j < columns; j++) all[j] = from[j];
        from = all;
    }
    EACH(v, PARTS) memcpy(&to[v], from + v * PART, sizeof *to);
}

/* to += the sum; `rows` and `by_steps` are constants in every caller. */
ALWAYS void walk(const rti_conv_job *t, const int rows, const bool by_steps, const int columns,
                 part to[ROWS][PARTS]) {
    part acc[ROWS][PARTS]; /* has no address, so it lives in registers */
    EACH(r, rows) EACH(v, PARTS) acc[r][v] = to[r][v];
    const int64_t a_step = by_steps ? t->a_step : 1, a_row = by_steps ? 1 : t->a_row;
    for (int64_t block = 0; block < t->blocks; block++)
        for (int64_t run = 0; run < t->runs; run++) {
            const rt_real *a = t->a + block * t->a_block + run * t->a_run;
            const rt_real *b = t->b + block * t->b_block + run * t->b_run;
            for (int64_t p = 0; p < t->run; p++, a += a_step, b += t->b_step) {
                part x[PARTS];
                load(b, columns, x);
                EACH(r, rows) EACH(v, PARTS) acc[r][v] += a[r * a_row] * x[v];
            }
        }
    EACH(r, rows) EACH(v, PARTS) to[r][v] = acc[r][v];
}

ALWAYS void tile(const rti_conv_job *t, const int rows, const bool by_steps) {
    part acc[ROWS][PARTS];
    EACH(r, rows) load(t->c + r * t->ldc, t->from_zero ? 0 : t->columns, acc[r]);
    if (t->columns == LANES || !by_steps) walk(t, rows, by_steps, LANES, acc);
    else walk(t, rows, by_steps, t->columns, acc);
    EACH(r, rows) {
        rt_real all[LANES];
        memcpy(all, acc[r], sizeof all);
        for (int j = 0; j < t->columns; j++) {
            const rt_real y = t->bias ? all[j] + t->bias[j] : all[j];
            t->c[r * t->ldc + j] = t->relu && y < 0 ? 0 : y;
        }
    }
}

#define TILE(rows)                                                            \
    static void rows_##rows(const rti_conv_job *t) { tile(t, rows, false); } \
    static void steps_##rows(const rti_conv_job *t) { tile(t, rows, true); }
TILE(1) TILE(2) TILE(3) TILE(4)

static rti_conv_tile *const by_rows[1][RTI_CONV_ROWS_MOST] = {{rows_1, rows_2, rows_3, rows_4}};
static rti_conv_tile *const by_steps[1][RTI_CONV_ROWS_MOST] = {{steps_1, steps_2, steps_3, steps_4}};

const rti_conv_tiles rti_conv_portable = {LANES, {ROWS}, by_rows, by_steps};
