/* elementwise.c - the public element-by-element kernels.               Floor 2 (kernels)
 *
 * Short arrays go straight to the table of the chosen instruction set; long ones are cut in pieces of
 * a fixed size that the pool's threads share. Pieces never meet in a sum, so the number of threads
 * changes nothing in the result. */
#include <math.h>

#include "core/pool.h"
#include "kernels/dispatch.h"
#include "kernels/loops.h"

/* A piece is about ten times a hand-over's work; a multiple of RTI_DROPOUT_STEP. */
enum { PIECE = 16384 };

typedef struct job {
    int64_t n;
    const rti_loops *loops;
    const rt_real *a, *b;
    rt_real *out, *slot, *slot2;
    rt_real factor, shift;
    double deviation;
    bool accumulate;
    const void *settings;
    const uint8_t *bytes;
    int64_t rows;
} job;

/* Elements [start, start + count) of a piece. */
#define RANGE                                  \
    const job *j = context;                    \
    const int64_t start = task * PIECE;        \
    const int64_t count = j->n - start < PIECE ? j->n - start : PIECE

static void run(const job *j, rti_task *piece) { rti_parallel((j->n + PIECE - 1) / PIECE, piece, (void *)j); }

static bool is_short(int64_t n) { return n <= 2 * PIECE; }

#define BINARY(name)                                                                     \
    static void name##_piece(void *context, int64_t task) {                              \
        RANGE;                                                                           \
        j->loops->name(count, j->a + start, j->b + start, j->out + start);               \
    }                                                                                    \
    void rti_##name(int64_t n, const rt_real *a, const rt_real *b, rt_real *out) {       \
        const rti_loops *loops = rti_kernels()->loops;                                   \
        if (is_short(n)) loops->name(n, a, b, out);                                      \
        else run(&(job){.n = n, .loops = loops, .a = a, .b = b, .out = out}, name##_piece); \
    }

BINARY(add)
BINARY(sub)
BINARY(mul)

static void scale_piece(void *context, int64_t task) {
    RANGE;
    j->loops->scale(count, j->factor, j->a + start, j->out + start);
}

void rti_scale(int64_t n, rt_real factor, const rt_real *x, rt_real *out) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->scale(n, factor, x, out);
    else run(&(job){.n = n, .loops = loops, .a = x, .factor = factor, .out = out}, scale_piece);
}

static void axpy_piece(void *context, int64_t task) {
    RANGE;
    j->loops->axpy(count, j->factor, j->a + start, j->out + start);
}

void rti_axpy(int64_t n, rt_real factor, const rt_real *x, rt_real *y) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->axpy(n, factor, x, y);
    else run(&(job){.n = n, .loops = loops, .a = x, .factor = factor, .out = y}, axpy_piece);
}

static void fill_piece(void *context, int64_t task) {
    RANGE;
    j->loops->fill(count, j->factor, j->out + start);
}

void rti_fill(int64_t n, rt_real value, rt_real *out) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->fill(n, value, out);
    else run(&(job){.n = n, .loops = loops, .factor = value, .out = out}, fill_piece);
}

static void relu_piece(void *context, int64_t task) {
    RANGE;
    j->loops->relu(count, j->a + start, j->out + start);
}

void rti_relu(int64_t n, const rt_real *x, rt_real *out) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->relu(n, x, out);
    else run(&(job){.n = n, .loops = loops, .a = x, .out = out}, relu_piece);
}

static void relu_backward_piece(void *context, int64_t task) {
    RANGE;
    j->loops->relu_backward(count, j->a + start, j->b + start, j->out + start, j->accumulate);
}

void rti_relu_backward(int64_t n, const rt_real *y, const rt_real *dy, rt_real *dx, bool accumulate) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->relu_backward(n, y, dy, dx, accumulate);
    else
        run(&(job){.n = n, .loops = loops, .a = y, .b = dy, .out = dx, .accumulate = accumulate},
            relu_backward_piece);
}

/* ---- reductions ---- */

double rti_sum(int64_t n, const rt_real *x) { return rti_kernels()->loops->sum(n, x); }

double rti_dot(int64_t n, const rt_real *a, const rt_real *b) { return rti_kernels()->loops->dot(n, a, b); }

bool rti_all_finite(int64_t n, const rt_real *x) { return rti_kernels()->loops->all_finite(n, x); }

/* n counts columns here, and a piece is COLUMNS of them. */
enum { COLUMNS = 128 };

static void put_sums(int64_t n, const double *sums, rt_real *out, bool accumulate) {
    for (int64_t l = 0; l < n; l++) out[l] = (rt_real)(accumulate ? (double)out[l] + sums[l] : sums[l]);
}

static void column_sums_piece(void *context, int64_t task) {
    const job *j = context;
    int64_t start = task * COLUMNS, count = j->n - start < COLUMNS ? j->n - start : COLUMNS;
    double sums[COLUMNS];
    j->loops->column_sums(j->rows, count, j->n, j->a + start, sums);
    put_sums(count, sums, j->out + start, j->accumulate);
}

/* Many rows of few columns, a picture's channels: rows lie side by side until they fill a strip, and chunks
 * of such lines, whose number depends on the extents alone, go to the threads. Before, one thread took a
 * column after the other, 6 % of a step of LeNet-5. */
enum { STRIP_COLUMNS = 64, CHUNKS = 16 };

typedef struct folded {
    const rti_loops *loops;
    const rt_real *x;
    int64_t lines, width; /* of `width` numbers: several rows each */
    double sums[CHUNKS][STRIP_COLUMNS];
} folded;

static void folded_chunk(void *context, int64_t task) {
    folded *f = context;
    const int64_t begin = task * f->lines / CHUNKS, end = (task + 1) * f->lines / CHUNKS;
    f->loops->column_sums(end - begin, f->width, f->width, f->x + begin * f->width, f->sums[task]);
}

static void folded_sums(int64_t rows, int64_t columns, const rt_real *x, rt_real *out, bool accumulate) {
    const int64_t beside = STRIP_COLUMNS / columns;
    folded f = {.loops = rti_kernels()->loops, .x = x, .lines = rows / beside, .width = beside * columns};
    rti_parallel(CHUNKS, folded_chunk, &f);
    double sums[STRIP_COLUMNS] = {0};
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        for (int64_t l = 0; l < f.width; l++) sums[l % columns] += f.sums[chunk][l];
    for (int64_t e = f.lines * f.width; e < rows * columns; e++) sums[e % columns] += (double)x[e];
    put_sums(columns, sums, out, accumulate);
}

void rti_column_sums(int64_t rows, int64_t columns, const rt_real *x, rt_real *out, bool accumulate) {
    const rti_loops *loops = rti_kernels()->loops;
    const bool is_large = rows * columns > 2 * PIECE;
    if (is_large && columns <= STRIP_COLUMNS / 2) {
        folded_sums(rows, columns, x, out, accumulate);
        return;
    }
    job j = {.n = columns, .rows = rows, .loops = loops, .a = x, .out = out, .accumulate = accumulate};
    const int64_t pieces = (columns + COLUMNS - 1) / COLUMNS;
    if (is_large) rti_parallel(pieces, column_sums_piece, &j);
    else
        for (int64_t piece = 0; piece < pieces; piece++) column_sums_piece(&j, piece);
}

/* ---- maxima ---- */

void rti_max_rows(int64_t w, int64_t C, const rt_real *top, const rt_real *bottom, rt_real *y) {
    rti_kernels()->loops->max_rows(w, C, top, bottom, y);
}

void rti_max_rows_backward(int64_t w, int64_t C, const rt_real *const x[2], const rt_real *y,
                           const rt_real *dy, rt_real *const dx[2]) {
    rti_kernels()->loops->max_rows_backward(w, C, x, y, dy, dx);
}

/* ---- dropout ---- */

static void dropout_piece(void *context, int64_t task) {
    RANGE;
    j->loops->dropout(start, count, j->settings, j->a + start, j->out + start, j->accumulate);
}

static void dropout(int64_t n, double rate, const rt_rng *stream, const rt_real *x, rt_real *out,
                    bool accumulate) {
    RT_ASSERT(rate >= 0 && rate < 1, "dropout: the rate is %g, it must be at least 0 and less than 1", rate);
    double threshold = floor(rate * 65536 + 0.5);
    if (threshold > 65535) threshold = 65535;
    rti_dropout_mask mask = {
        .key = {stream->key[0], stream->key[1]},
        .counter = {0, stream->counter[1], stream->counter[2], stream->counter[3]},
        .threshold = (uint32_t)threshold,
        .factor = (rt_real)(65536 / (65536 - threshold)),
    };
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->dropout(0, n, &mask, x, out, accumulate);
    else
        run(&(job){.n = n, .loops = loops, .a = x, .out = out, .accumulate = accumulate, .settings = &mask},
            dropout_piece);
}

void rti_dropout(int64_t n, double rate, const rt_rng *stream, const rt_real *x, rt_real *out) {
    dropout(n, rate, stream, x, out, false);
}

void rti_dropout_backward(int64_t n, double rate, const rt_rng *stream, const rt_real *dy, rt_real *dx,
                          bool accumulate) {
    dropout(n, rate, stream, dy, dx, accumulate);
}

/* ---- normal numbers ---- */

static void normals_piece(void *context, int64_t task) {
    RANGE;
    rt_rng stream = *(const rt_rng *)j->settings;
    stream.counter[0] += (uint32_t)start; /* a number takes a block */
    j->loops->normals(count, j->deviation, &stream, j->out + start);
}

void rti_normals(int64_t n, double deviation, rt_rng *stream, rt_real *out) {
    if (stream->used != 4) { /* in the middle of a block: nobody does that with many numbers */
        for (int64_t i = 0; i < n; i++) out[i] = (rt_real)(deviation * rt_rng_normal(stream));
        return;
    }
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->normals(n, deviation, stream, out);
    else
        run(&(job){.n = n, .loops = loops, .out = out, .deviation = deviation, .settings = stream},
            normals_piece);
    stream->counter[0] += (uint32_t)n;
}

/* ---- optimisers, pixels ---- */

static void sgd_piece(void *context, int64_t task) {
    RANGE;
    j->loops->sgd(count, j->settings, j->out + start, j->a + start, j->slot + start);
}

void rti_sgd_update(int64_t n, const rti_sgd *c, rt_real *p, const rt_real *g, rt_real *v) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->sgd(n, c, p, g, v);
    else run(&(job){.n = n, .loops = loops, .a = g, .out = p, .slot = v, .settings = c}, sgd_piece);
}

static void adam_piece(void *context, int64_t task) {
    RANGE;
    j->loops->adam(count, j->settings, j->out + start, j->a + start, j->slot + start, j->slot2 + start);
}

void rti_adam_update(int64_t n, const rti_adam *c, rt_real *p, const rt_real *g, rt_real *m, rt_real *v) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->adam(n, c, p, g, m, v);
    else
        run(&(job){.n = n, .loops = loops, .a = g, .out = p, .slot = m, .slot2 = v, .settings = c},
            adam_piece);
}

static void bytes_piece(void *context, int64_t task) {
    RANGE;
    j->loops->bytes_to_real(count, j->bytes + start, j->factor, j->shift, j->out + start);
}

void rti_bytes_to_real(int64_t n, const uint8_t *bytes, rt_real scale, rt_real shift, rt_real *out) {
    const rti_loops *loops = rti_kernels()->loops;
    if (is_short(n)) loops->bytes_to_real(n, bytes, scale, shift, out);
    else
        run(&(job){.n = n, .loops = loops, .bytes = bytes, .factor = scale, .shift = shift, .out = out},
            bytes_piece);
}

void rti_exp_down(int64_t n, const double *x, double *out) { rti_kernels()->loops->exp_down(n, x, out); }
void rti_log_up(int64_t n, const double *x, double *out) { rti_kernels()->loops->log_up(n, x, out); }

void rti_softmax_rows(int64_t N, int64_t K, const rt_real *z, double T, double *p, double *log_p) {
    RT_ASSERT(K >= 1, "a softmax over %d classes", (int)K);
    rti_kernels()->loops->softmax(N, K, z, T, p, log_p);
}
