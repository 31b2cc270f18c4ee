/* gemm_sparse.c - the matrix product of what is not 0.                 Floor 2 (kernels)
 *
 * Adding 0 * b to a sum that began as +0 changes nothing when b is finite, so a product may leave out what
 * meets a 0, and gives the same bits. (Not with `accumulate`, where a sum may begin as -0.) Of MNIST's pixels
 * 81 % are 0, of relu's answers with dropout after it 60 to 80 %, without 40 to 60 %.
 *
 *   Y = X W^T       rows of X, over a copy of W^T as wide as a row keeps in registers and as deep as stays in
 *                   the first-level cache (28 KiB)
 *   dW = dY^T X     the transpose, rows of X^T, over as many columns of dY; some rows at a time are turned
 *                   and written to dW
 *
 * Of a row is known what is not 0 by a list of places and values, or by a map, a bit each (nonzero.c):
 *
 *   by lists        nothing is multiplied by 0. Each number of B's copy is loaded for one multiplication and
 *                   not for 14, so about half must be 0 before they win over dense tiles
 *   by a map        two rows at a time, of which one may be 0 where the other is not: a quarter of MNIST's
 *                   places are left, not a fifth. A map takes a tenth of the time that lists take to make
 *
 * So wide layers, and groups of students, go by lists, and a narrow one by the map (gemm_rows.h). With
 * AVX-512 the narrow layers of groups, too: of 64 columns that a list serves they have 30.
 *
 * Lists, measured on a Zen 5 (one thread, batch 100, microseconds, lists included; H: 60 % are 0), when a
 * list had places alone and values were read from X:
 *
 *                          dense     tiles that leave out     lists, one row     two at a time
 *   Y = X W^T, 784 x 800     648                      355                277               275
 *   Y = H W^T, 800 x 800     684                      753                734               527
 *   dW = dY^T X              610                      440                311               289
 *   dW = dY^T H              640                      700                885               540
 *
 * With 40 % zeros 771 and 789: no gain; a H that is half 0 by lists made the step 3 % slower. Copies 160 and
 * 400 deep: 273 and 290, 542 and 863. An epoch of 784-1200-1200-10 with dropout .2/.5 went from 5.07 to
 * 3.97 s, of 784-800-800-10 without from 2.40 to 2.38 (medians of four, in turn; tests/bench/lists.csv).
 *
 * Then, on a Zen 3 (AVX2, batch 100 of MNIST, microseconds; kernels alone, for 32 columns of C, the same
 * batch again and again):
 *
 *                                                       Y       dW
 *   64 columns, values read from X                     25       27
 *   64 columns, values in the lists                    15       15
 *   32 columns, values in the lists, two rows          17       17
 *   32 columns, one list for two rows                  24       20
 *   adding rows of dY to the sums of each pixel                 35
 *
 * Values that stand in the lists are read one after the other, from X they come from 784 places. One list
 * that serves two rows multiplies by half as many zeros again. 32 columns take what narrow layers have. And
 * copying W, whose rows lie 4.8 KB apart, ran at 1.8 GB/s before gemm_pack.c fetched ahead. Epochs and sweep
 * before and after all of it: tests/bench/values.csv.
 *
 * So with AVX2 they win over dense tiles while fewer than 55 % are not 0, for dW 50 %, on a core by itself;
 * they are used up to 50 and 45 (tests/bench/density.csv). With AVX-512 up to 55 and 50: on a
 * Zen 4 an epoch of 784-800-800-10 took 0.83 of its time with 40 and 45, with a teacher 0.79.
 *
 * Panels are copied from rows of B that lie far apart, a quarter of the step of 784-1200-1200-10 with
 * dropout. So each pair of rows that is multiplied fetches a part of the next panel into the second-level
 * cache: 0.90 of the epoch's time, of 784-800-800-10 0.97 (Zen 4, one thread; both: tests/bench/ahead.csv).
 *
 * The map took the place of dense tiles that left out a p where all their rows, or 16 columns, were 0. With
 * it X is read as bytes, a quarter of the memory: dW of 784 x 30 waited for the numbers of X, 313 KB, which
 * the weights drive out of a second-level cache of 512 KB. Epochs and inference on a Zen 3 before and after,
 * in turn: tests/bench/bits.csv. Pictures of which more than three tenths are not 0 are dense now.
 *
 * Answers about numbers need no map afterwards, and that of 1000 rows, 3.1 MB, waited for memory: rows are
 * looked at when they are multiplied, and those four ahead fetched, which hides the waiting: a narrow layer
 * of 1000 pictures takes two thirds of its time (tests/bench/passing.csv).
 *
 * Lists of bytes are made eight at a time and, by one thread, one behind the other and not counted before:
 * of a batch of MNIST bit by bit 36 microseconds, now 25; beside a busy neighbour 48 and 34. Passing over
 * eights of 0 is a fifth of it, and the loop must be free of calls: with one for a row's end it took 35. Four
 * students together before and after, the teacher's answers read once, too: tests/bench/together.csv.
 *
 * Not kept:
 *   dW of 784 x 30 as its transpose by tiles of six neighbouring columns, whose steps that were left were
 *     listed: the step takes 1.10 of its time (tests/bench/kept.csv)
 *   rows in pairs in the order of their lists, so that both end together: 0.4 and 2 % (ten pairs of old and
 *     new at the same time), within the noise
 *   the next batch's pictures fetched while this one's are multiplied: 0.99 (bits.csv)
 *   two places of a map in each turn of the loop, all lines of dW fetched, later entries of lists fetched:
 *     0.97 to 1.00 (passing.csv)
 *   all lists of a panel as two streams of whole runs of four, whose ends are arithmetic and no branches:
 *     each list a little longer, sums stored more often; Y 0.88, dW 0.94 of the speed (passing.csv)
 *   in turn within one process, medians of 600 batches, Zen 3: three lists at a time 0.98 to 1.02, places
 *     as distances in bytes 0.97, three neighbours of dW by a map 1.00, one look for two neighbours' bytes
 *     0.95; lists of columns made like those of rows, of bytes that were turned for it, 0.56; four students'
 *     layers side by side, as panels of 32 columns or of 64 with one row at a time, 0.95 to 1.05
 *   rows of a map fetched four ahead: an epoch 0.99 (30 pairs)
 *   with AVX-512 (Zen 4, time of a sweep of students 30-30, five to eight rounds): their layers by lists
 *     1.09, four lists at a time 1.10; rows of a map two or three at a time, which have fewer places in
 *     common, 0.98 and 0.99, but 1.01 of an epoch alone; bytes and places of each row moved to the front
 *     (VBMI2), two, three, four rows at a time 1.03, 1.04, 1.07; panels of half the depth 1.00
 *     (784-800-800-10) */
#include "core/pool.h"
#include "kernels/gemm_tiles.h"

#if RTI_REAL_IS_FLOAT

#include <string.h>

enum {
    WIDTH_MOST = 16 * RTI_LIST_VECTORS,
    STRIP_MOST = 64, /* columns of dW that are turned together, */
    TURNED = 2048,   /* while these are no more floats, a quarter of a first-level cache; else 16 */
    FEW_ROWS = 16,   /* of Y, for which a thread copies no panel */
    ALONE = 1 << 18, /* multiply-adds per lane, as in gemm_tiled.c */
};

typedef struct sparse_product {
    const rti_tiles *tiles;
    rti_sparse_rows *multiply;
    int64_t M, N, K;
    rti_matrix A, B;
    float *C;
    int64_t ldc;
    rti_epilogue epilogue;
    bool by_lists;          /* or by bits */
    int width, strip;       /* of a panel of what is dense; columns of dW that are turned together */
    int64_t depth;          /* of Y's panels */
    int64_t panels, blocks; /* blocks: of Y's rows, or of dW's columns */
    bool alone;             /* too small for threads */
} sparse_product;

static void run(const sparse_product *t, int64_t tasks, void (*task)(void *, int64_t)) {
    if (!t->alone)
        rti_parallel(tasks, task, (void *)t);
    else
        for (int64_t i = 0; i < tasks; i++) task((void *)t, i);
}

/* More blocks when there are too few panels to keep the threads busy evenly. */
static int64_t blocks_of(const sparse_product *t, int64_t most) {
    if (t->alone) return 1;
    const int threads = rt_threads_get();
    int64_t blocks = 1;
    while (blocks * t->panels < 8 * threads && blocks * t->panels % threads != 0 && blocks < most) blocks++;
    return blocks;
}

static int width_at(const sparse_product *t, int64_t extent, int64_t j0) {
    return extent - j0 < t->width ? (int)(extent - j0) : t->width;
}

/* The numbers of x from row i, column j on, or the bytes in their place; returns how far rows are apart. */
static int64_t look_at_numbers(const rti_nonzero *z, rti_matrix x, int64_t i, int64_t j,
                               rti_sparse_job *job) {
    if (!z->of) {
        job->a = x.data + i * x.row_stride + j;
        return x.row_stride;
    }
    job->bytes = z->of->bytes + i * z->columns + j;
    job->value = z->of->value;
    return z->columns;
}

/* ---- Y = A B, of A's rows what is not 0 ---- */

/* Rows first ..., columns p0 ... of A. */
static void look_at_rows(const sparse_product *t, int64_t first, int64_t p0, int64_t depth,
                         rti_sparse_job *job) {
    const rti_nonzero *z = t->A.nonzero;
    job->lists = z->by_row;
    if (t->by_lists) job->lists.start += p0 / t->depth * z->rows + first;
    if (z->map) job->map = z->map + first * z->map_stride + p0 / 64;
    job->map_stride = z->map_stride;
    job->depth = depth;
    job->a_row = look_at_numbers(z, t->A, first, p0, job);
    job->a_step = 1;
}

/* The panel after the one that begins with row p0 and column j0 of B, while `rows` rows are multiplied: the
 * one below it, or the first one of the next columns. */
static rti_ahead next_panel(const sparse_product *t, int64_t p0, int64_t j0, int64_t rows) {
    p0 += t->depth;
    if (p0 >= t->K) p0 = 0, j0 += t->width;
    const rti_matrix B = t->B;
    const int64_t depth = t->K - p0 < t->depth ? t->K - p0 : t->depth, columns = width_at(t, t->N, j0);
    rti_ahead next = {0};
    if (columns <= 0 || !t->by_lists) return next;
    next.from = B.data + p0 * B.row_stride + j0 * B.column_stride;
    if (B.row_stride == 1) next.rows = columns, next.step = B.column_stride, next.floats = depth;
    else if (B.column_stride == 1) next.rows = depth, next.step = B.row_stride, next.floats = columns;
    const int64_t parts = (rows + 1) / 2;
    next.each = (next.rows + parts - 1) / parts;
    return next;
}

static void multiply_rows(void *context, int64_t task) {
    const sparse_product *t = context;
    const int64_t block = task / t->panels, j0 = task % t->panels * t->width,
                  first = t->M * block / t->blocks, end = t->M * (block + 1) / t->blocks;
    _Alignas(64) float panel[RTI_LIST_PANEL];
    rti_sparse_job job = {
        .rows = end - first,
        .b = panel,
        .c = t->C + first * t->ldc + j0,
        .ldc = t->ldc,
        .columns = width_at(t, t->N, j0),
    };
    int64_t p0 = 0;
    do {
        const int64_t depth = t->K - p0 < t->depth ? t->K - p0 : t->depth;
        rti_matrix B = t->B;
        B.data += p0 * B.row_stride + j0 * B.column_stride;
        t->tiles->pack(t->tiles, depth, job.columns, t->width, B, panel);
        look_at_rows(t, first, p0, depth, &job);
        job.ahead = next_panel(t, p0, j0, job.rows);
        job.from_zero = p0 == 0;
        p0 += depth;
        if (p0 >= t->K) {
            job.relu = t->epilogue.relu;
            job.bias = t->epilogue.bias ? t->epilogue.bias + j0 : NULL;
        }
        t->multiply(&job);
    } while (p0 < t->K);
}

/* ---- dW = A B, of B's columns what is not 0 ---- */

static void look_at_columns(const sparse_product *t, int64_t j0, rti_sparse_job *job) {
    const rti_nonzero *z = t->B.nonzero;
    job->lists = z->by_column;
    if (t->by_lists) job->lists.start += j0;
    job->map = z->turned + j0 * z->turned_stride;
    job->map_stride = z->turned_stride;
    job->depth = t->K;
    job->a_step = look_at_numbers(z, t->B, 0, j0, job);
    job->a_row = 1;
}

static void multiply_columns(void *context, int64_t task) {
    const sparse_product *t = context;
    const int64_t block = task / t->panels, i0 = task % t->panels * t->width,
                  strips = (t->N + t->strip - 1) / t->strip, end = strips * (block + 1) / t->blocks;
    const int rows = width_at(t, t->M, i0), strip = t->strip, lanes = t->tiles->lanes,
              sums = t->by_lists ? (rows + lanes - 1) / lanes * lanes : t->width; /* whole vectors */
    _Alignas(64) float panel[RTI_SPARSE_BATCH * WIDTH_MOST];
    float turned[TURNED], rest[TURNED];
    const rti_matrix A = {t->A.data + i0 * t->A.row_stride, t->A.column_stride, t->A.row_stride, NULL};
    t->tiles->pack(t->tiles, t->K, rows, t->width, A, panel);
    for (int64_t n = strips * block / t->blocks; n < end; n++) {
        const int64_t j0 = n * strip;
        const int columns = t->N - j0 < strip ? (int)(t->N - j0) : strip;
        rti_sparse_job job = {
            .rows = columns,
            .b = panel,
            .c = turned,
            .ldc = t->width,
            .columns = sums,
            .from_zero = true,
        };
        look_at_columns(t, j0, &job);
        float *out = t->C + i0 * t->ldc + j0;
        for (int i = 0; i < rows; i++) __builtin_prefetch(out + i * t->ldc, 1, 3);
        t->multiply(&job);
        if (columns == strip) {
            t->tiles->transpose(rows, strip, strip, turned, t->width, out, t->ldc);
            continue;
        }
        t->tiles->transpose(rows, columns, strip, turned, t->width, rest, strip);
        for (int i = 0; i < rows; i++)
            memcpy(out + i * t->ldc, rest + i * strip, (size_t)columns * sizeof *out);
    }
}

/* ---- which ---- */

static void choose(sparse_product *t, int64_t extent) {
    const bool is_narrow = !t->by_lists && extent <= RTI_BITS_NARROW;
    t->multiply = t->by_lists ? t->tiles->list_rows
                  : is_narrow ? t->tiles->bit_rows_narrow
                              : t->tiles->bit_rows;
    t->width = t->by_lists ? rti_kernels()->list_width : is_narrow ? RTI_BITS_NARROW : RTI_BITS_WIDTH;
    t->strip = STRIP_MOST * t->width <= TURNED ? STRIP_MOST : 16;
    t->panels = (extent + t->width - 1) / t->width;
}

/* Of a map whole words. */
static int64_t depth_by_bits(const sparse_product *t) {
    return t->A.nonzero->map ? RTI_LIST_PANEL / t->width / 64 * 64 : rti_list_block_depth(t->K, t->width);
}

bool rti_gemm_sparse(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                     rt_real *C, int64_t ldc, const rti_epilogue *epilogue) {
    const rti_nonzero *a = A.column_stride == 1 ? A.nonzero : NULL,
                      *b = B.column_stride == 1 && K <= RTI_SPARSE_BATCH && !epilogue ? B.nonzero : NULL;
    if (b && !b->turned) b = NULL;
    if ((!a && !b) || M == 0 || N == 0 || K == 0) {
        RT_ASSERT(!(A.nonzero && A.nonzero->of) && !(B.nonzero && B.nonzero->of), "numbers are missing");
        return false;
    }
    sparse_product t = {
        .tiles = tiles,
        .M = M,
        .N = N,
        .K = K,
        .A = A,
        .B = B,
        .C = C,
        .ldc = ldc,
        .by_lists = a ? a->by_row.start && rti_lists_serve(N) : b->by_column.start && rti_lists_serve(M),
        .alone = (double)M * (double)N * (double)K < (double)ALONE * tiles->lanes,
    };
    if (epilogue) t.epilogue = *epilogue;
    choose(&t, a ? N : M);
    if (a) {
        t.depth = t.by_lists ? a->depth : depth_by_bits(&t);
        t.blocks = blocks_of(&t, M / FEW_ROWS);
        run(&t, t.panels * t.blocks, multiply_rows);
    } else {
        const int64_t strips = (N + t.strip - 1) / t.strip;
        t.blocks = blocks_of(&t, strips / 4 > 0 ? strips / 4 : 1);
        run(&t, t.panels * t.blocks, multiply_columns);
    }
    return true;
}

#endif
