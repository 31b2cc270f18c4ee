/* norm.c - batch normalisation over plain arrays.                      Floor 2 (kernels)
 *
 * Rows are cut in chunks whose length depends on the number of channels alone; each chunk is summed by itself
 * and the chunks' sums are added in order, so the number of threads changes no bit. One pass over x gives
 * both moments, as differences from its first row: what cancels in sum d^2 - (sum d)^2 / n is then small,
 * and both are kept in double. */
#include "core/pool.h"
#include "kernels/dispatch.h"
#include "kernels/loops.h"

enum { CHUNK = 16384 }; /* elements: two or three arrays of it fit into a second-level cache */

typedef struct job {
    const rti_loops *loops;
    int64_t rows, C, step; /* step: rows of a chunk */
    const rti_norm *norm;
    const rt_real *x, *y, *dy, *residual, *shift;
    rt_real *to, *out;
    bool relu, accumulate, accumulate_out;
    double *scratch;       /* (chunks, 2, C) */
} job;

static int64_t chunk_rows(int64_t C) { return C < CHUNK ? CHUNK / C : 1; }

static int64_t chunks_of(int64_t rows, int64_t C) { return (rows + chunk_rows(C) - 1) / chunk_rows(C); }

size_t rti_norm_scratch_bytes(int64_t rows, int64_t C) {
    return (size_t)(2 * chunks_of(rows, C) * C) * sizeof(double);
}

static void run(job *j, rti_task *chunk) {
    j->loops = rti_kernels()->loops;
    j->step = chunk_rows(j->C);
    const int64_t chunks = chunks_of(j->rows, j->C);
    if (chunks > 2) rti_parallel(chunks, chunk, j);
    else
        for (int64_t i = 0; i < chunks; i++) chunk(j, i);
}

/* Chunk number `task`: `rows` rows, elements from `at` on. */
#define CHUNK_OF                                                                       \
    const job *j = context;                                                            \
    const int64_t at = task * j->step * j->C, left = j->rows - task * j->step;         \
    const int64_t rows = left < j->step ? left : j->step

/* Adds the chunks' two sums, in order. */
static void total(const job *j, double *first, double *second) {
    const int64_t chunks = chunks_of(j->rows, j->C), C = j->C;
    for (int64_t c = 0; c < C; c++) first[c] = second[c] = 0;
    for (int64_t i = 0; i < chunks; i++)
        for (int64_t c = 0; c < C; c++) {
            first[c] += j->scratch[2 * i * C + c];
            second[c] += j->scratch[(2 * i + 1) * C + c];
        }
}

static void moments_chunk(void *context, int64_t task) {
    CHUNK_OF;
    double *sums = j->scratch + 2 * task * j->C;
    j->loops->norm_moments(rows, j->C, j->x + at, j->shift, sums, sums + j->C);
}

void rti_norm_statistics(int64_t rows, int64_t C, const rt_real *x, double *mean, double *variance,
                         double *scratch) {
    job j = {.rows = rows, .C = C, .x = x, .shift = x, .scratch = scratch};
    run(&j, moments_chunk);
    total(&j, mean, variance);
    const double n = (double)rows;
    for (int64_t c = 0; c < C; c++) {
        const double d = mean[c] / n, v = variance[c] / n - d * d;
        mean[c] = (double)x[c] + d;
        variance[c] = v < 0 ? 0 : v; /* not for NaN */
    }
}

static void forward_chunk(void *context, int64_t task) {
    CHUNK_OF;
    j->loops->norm_forward(rows, j->C, j->norm, j->x + at, j->residual ? j->residual + at : NULL, j->relu,
                           j->to + at);
}

void rti_norm_forward(int64_t rows, int64_t C, const rti_norm *norm, const rt_real *x,
                      const rt_real *residual, bool relu, rt_real *y) {
    job j = {.rows = rows, .C = C, .norm = norm, .x = x, .residual = residual, .relu = relu, .to = y};
    run(&j, forward_chunk);
}

static void sums_chunk(void *context, int64_t task) {
    CHUNK_OF;
    double *sums = j->scratch + 2 * task * j->C;
    j->loops->norm_sums(rows, j->C, j->norm, j->x + at, j->y ? j->y + at : NULL, j->dy + at, sums,
                        sums + j->C);
}

void rti_norm_sums(int64_t rows, int64_t C, const rti_norm *norm, const rt_real *x, const rt_real *y,
                   const rt_real *dy, double *sum, double *product, double *scratch) {
    job j = {.rows = rows, .C = C, .norm = norm, .x = x, .y = y, .dy = dy, .scratch = scratch};
    run(&j, sums_chunk);
    total(&j, sum, product);
}

static void backward_chunk(void *context, int64_t task) {
    CHUNK_OF;
    j->loops->norm_backward(rows, j->C, j->norm, j->x + at, j->y ? j->y + at : NULL, j->dy + at, j->to + at,
                            j->accumulate, j->out ? j->out + at : NULL, j->accumulate_out);
}

void rti_norm_backward(int64_t rows, int64_t C, const rti_norm *norm, const rt_real *x, const rt_real *y,
                       const rt_real *dy, rt_real *dx, bool accumulate, rt_real *dz, bool accumulate_dz) {
    job j = {.rows = rows, .C = C, .norm = norm, .x = x, .y = y, .dy = dy, .to = dx, .accumulate = accumulate,
             .out = dz, .accumulate_out = accumulate_dz};
    run(&j, backward_chunk);
}
