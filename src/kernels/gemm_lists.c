/* gemm_lists.c - the matrix product by lists of what is not 0.         Floor 2 (kernels)
 *
 * gemm_zeros.h says when a term may be left out. The tiles of gemm_tiled.c leave out a step where 4 rows, or
 * 16 columns, are 0 together; here every row has a list of its own, so that nothing is multiplied by 0:
 *
 *   Y = X W^T       rows of X by lists, over a copy of W^T that is 64 columns wide and at most 112 rows deep
 *                   (28 KiB: it stays in the first-level cache)
 *   dW = dY^T X     the transpose, rows of X^T by lists, over 64 columns of dY; 16 rows at a time are turned
 *                   and written to dW
 *
 * Each number of B's copy is loaded for one multiplication and not for 14, so three fifths of the operand
 * must be 0 before lists win over dense tiles. Of MNIST's pixels 81 % are 0, of relu's answers with dropout
 * after it 60 to 80 %, without 40 to 60 %.
 *
 * Measured on a Zen 5 (one thread, batch 100, microseconds, lists included; H: 60 % are 0):
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
 * Not kept: rows in pairs in the order of their lists, so that both end together, 0.4 and 2 % (ten pairs of
 * old and new at the same time), within the noise. And lists for narrow layers, 784-30-30-10 (W^T 32 columns
 * wide, four rows at once in the order of their lists; dW by adding rows of dY to the sums of each pixel that
 * is not 0): an epoch took 0.046 in place of 0.035 s, because making the lists, 13 cycles for 16 numbers,
 * takes as long as the tiles' products do. */
#include "core/pool.h"
#include "kernels/gemm_tiles.h"
#include "kernels/gemm_zeros.h"

#if RTI_REAL_IS_FLOAT

#include <string.h>

enum {
    WIDTH = RTI_LIST_WIDTH,
    NARROW = 32,          /* columns, up to here gemm_tiled's tiles win */
    DEPTH = 112,          /* most of Y's steps at a time */
    BATCH = 160,          /* most of dW's, which are not cut */
    SLACK = 16,           /* what nonzero_places writes beyond a list */
    PLACES = 100 << 10,   /* of all lists, 200 KiB on the caller's stack, */
    COUNTS = 4 << 10,     /* and how many lists */
    NOTED = 8,            /* rows that a task makes lists for */
    STRIP = RTI_MAP_BITS, /* columns of dW that are turned together */
    ALONE = 1 << 18,      /* multiply-adds per lane, as in gemm_tiled.c */
};

typedef struct lists {
    const rti_tiles *tiles;
    int64_t M, N, K; /* of the product, or of the part whose lists there is room for */
    rti_matrix A, B;
    float *C;
    int64_t ldc;
    rti_epilogue epilogue;
    int64_t map_stride; /* words */
    uint16_t *places, *counts;
    int64_t room; /* of one list */
    int64_t depth, depth_blocks;
    int64_t panels, blocks; /* of Y's rows, or of dW's columns */
    bool alone;
} lists;

static void run(const lists *t, int64_t tasks, void (*task)(void *, int64_t)) {
    if (!t->alone)
        rti_parallel(tasks, task, (void *)t);
    else
        for (int64_t i = 0; i < tasks; i++) task((void *)t, i);
}

/* More blocks when there are too few panels to keep the threads busy evenly. */
static int64_t blocks_of(const lists *t, int64_t most) {
    if (t->alone) return 1;
    const int threads = rt_threads_get();
    int64_t blocks = 1;
    while (blocks * t->panels < 8 * threads && blocks * t->panels % threads != 0 && blocks < most) blocks++;
    return blocks;
}

static int width_at(int64_t extent, int64_t j0) { return extent - j0 < WIDTH ? (int)(extent - j0) : WIDTH; }

/* ---- Y = A B by lists of A's rows ---- */

static void note_rows(void *context, int64_t task) {
    const lists *t = context;
    const int64_t end = NOTED * (task + 1) < t->M ? NOTED * (task + 1) : t->M;
    for (int64_t i = NOTED * task; i < end; i++) {
        for (int64_t d = 0; d < t->depth_blocks; d++) {
            const int64_t p0 = d * t->depth, depth = t->K - p0 < t->depth ? t->K - p0 : t->depth,
                          list = d * t->M + i;
            t->counts[list] = (uint16_t)rti_kernels()->loops->nonzero_places(
                depth, t->A.data + i * t->A.row_stride + p0, t->places + list * t->room);
        }
    }
}

static void multiply_rows(void *context, int64_t task) {
    const lists *t = context;
    const int64_t block = task / t->panels, j0 = task % t->panels * WIDTH, first = t->M * block / t->blocks,
                  end = t->M * (block + 1) / t->blocks;
    _Alignas(64) float panel[DEPTH * WIDTH];
    rti_list_job job = {
        .rows = (int)(end - first),
        .places_row = t->room,
        .a_row = t->A.row_stride,
        .a_step = 1,
        .b = panel,
        .c = t->C + first * t->ldc + j0,
        .ldc = t->ldc,
        .columns = width_at(t->N, j0),
    };
    for (int64_t d = 0; d < t->depth_blocks; d++) {
        const int64_t p0 = d * t->depth;
        rti_matrix B = t->B;
        B.data += p0 * B.row_stride + j0 * B.column_stride;
        rti_pack(t->tiles, t->K - p0 < t->depth ? t->K - p0 : t->depth, job.columns, WIDTH, B, panel);
        job.places = t->places + (d * t->M + first) * t->room;
        job.counts = t->counts + d * t->M + first;
        job.a = t->A.data + first * t->A.row_stride + p0;
        job.from_zero = d == 0;
        if (d + 1 == t->depth_blocks) {
            job.relu = t->epilogue.relu;
            job.bias = t->epilogue.bias ? t->epilogue.bias + j0 : NULL;
        }
        t->tiles->lists(&job);
    }
}

/* Takes as many rows at a time as there is room for their lists. */
static void by_rows(lists *whole) {
    const int64_t depth_blocks = (whole->K + DEPTH - 1) / DEPTH, depth = (whole->K - 1) / depth_blocks + 1,
                  room = depth + SLACK;
    int64_t most = PLACES / (depth_blocks * room);
    if (most > COUNTS / depth_blocks) most = COUNTS / depth_blocks;
    const int64_t parts = (whole->M + most - 1) / most;
    for (int64_t n = 0; n < parts; n++) {
        const int64_t start = whole->M * n / parts, end = whole->M * (n + 1) / parts;
        lists t = *whole;
        t.M = end - start;
        t.A.data += start * t.A.row_stride;
        t.C += start * t.ldc;
        t.depth = depth;
        t.depth_blocks = depth_blocks;
        t.room = room;
        t.panels = (t.N + WIDTH - 1) / WIDTH;
        t.blocks = blocks_of(&t, t.M / STRIP);
        run(&t, (t.M + NOTED - 1) / NOTED, note_rows);
        run(&t, t.panels * t.blocks, multiply_rows);
    }
}

/* ---- dW = A B by lists of B's columns ---- */

static void note_columns(void *context, int64_t task) {
    const lists *t = context;
    uint16_t *counts = t->counts + task * STRIP, *places = t->places + task * STRIP * t->room;
    const uint16_t *word = t->B.nonzero + task;
    memset(counts, 0, STRIP * sizeof *counts);
    for (int64_t p = 0; p < t->K; p++, word += t->map_stride) {
        for (unsigned bits = *word; bits; bits &= bits - 1) {
            const int j = __builtin_ctz(bits);
            places[j * t->room + counts[j]++] = (uint16_t)p;
        }
    }
}

static void multiply_columns(void *context, int64_t task) {
    const lists *t = context;
    const int64_t block = task / t->panels, i0 = task % t->panels * WIDTH,
                  strips = (t->N + STRIP - 1) / STRIP, end = strips * (block + 1) / t->blocks;
    const int rows = width_at(t->M, i0);
    _Alignas(64) float panel[BATCH * WIDTH], turned[STRIP * WIDTH], rest[WIDTH * STRIP];
    const rti_matrix A = {t->A.data + i0 * t->A.row_stride, t->A.column_stride, t->A.row_stride, NULL};
    rti_pack(t->tiles, t->K, rows, WIDTH, A, panel);
    for (int64_t strip = strips * block / t->blocks; strip < end; strip++) {
        const int64_t j0 = strip * STRIP;
        const int columns = t->N - j0 < STRIP ? (int)(t->N - j0) : STRIP;
        const rti_list_job job = {
            .rows = columns,
            .places = t->places + j0 * t->room,
            .places_row = t->room,
            .counts = t->counts + j0,
            .a = t->B.data + j0,
            .a_row = 1,
            .a_step = t->B.row_stride,
            .b = panel,
            .c = turned,
            .ldc = WIDTH,
            .columns = WIDTH,
            .from_zero = true,
        };
        float *out = t->C + i0 * t->ldc + j0;
        for (int i = 0; i < rows; i++) __builtin_prefetch(out + i * t->ldc, 1, 3);
        t->tiles->lists(&job);
        if (columns == STRIP) {
            t->tiles->transpose(rows, STRIP, STRIP, turned, WIDTH, out, t->ldc);
            continue;
        }
        t->tiles->transpose(rows, columns, STRIP, turned, WIDTH, rest, STRIP);
        for (int i = 0; i < rows; i++)
            memcpy(out + i * t->ldc, rest + i * STRIP, (size_t)columns * sizeof *out);
    }
}

/* Takes as many columns at a time as there is room for their lists. */
static void by_columns(lists *whole) {
    const int64_t room = whole->K;
    int64_t most = (PLACES / room < COUNTS ? PLACES / room : COUNTS) / STRIP * STRIP;
    for (int64_t start = 0; start < whole->N; start += most) {
        lists t = *whole;
        t.N = t.N - start < most ? t.N - start : most;
        t.B.data += start;
        t.B.nonzero += start / RTI_MAP_BITS;
        t.C += start;
        t.room = room;
        t.panels = (t.M + WIDTH - 1) / WIDTH;
        const int64_t strips = (t.N + STRIP - 1) / STRIP;
        t.blocks = blocks_of(&t, strips / 4 > 0 ? strips / 4 : 1);
        run(&t, strips, note_columns);
        run(&t, t.panels * t.blocks, multiply_columns);
    }
}

/* ---- which ---- */

/* Of a (rows, columns) matrix two fifths or less are not 0. */
static bool is_sparse(const uint16_t *map, int64_t rows, int64_t columns) {
    const int64_t words = rows * rti_nonzero_map_words(columns);
    int64_t count = 0;
    for (int64_t i = 0; i < words; i++) count += __builtin_popcount(map[i]);
    return 5 * count <= 2 * rows * columns;
}

bool rti_gemm_by_lists(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                       rt_real *C, int64_t ldc, const rti_epilogue *epilogue) {
    if (!(A.nonzero || B.nonzero) || K < 1) return false;
    const bool rows = A.nonzero && A.column_stride == 1 && N > NARROW && M > 1 && K <= PLACES / 2 &&
                      is_sparse(A.nonzero, M, K);
    const bool columns = !rows && B.nonzero && B.column_stride == 1 && M > NARROW && K <= BATCH &&
                         !epilogue && is_sparse(B.nonzero, K, N);
    if (!rows && !columns) return false;
    uint16_t places[PLACES], counts[COUNTS];
    lists t = {
        .tiles = tiles,
        .M = M,
        .N = N,
        .K = K,
        .A = A,
        .B = B,
        .C = C,
        .ldc = ldc,
        .places = places,
        .counts = counts,
        .map_stride = rti_nonzero_map_words(N),
        .alone = (double)M * (double)N * (double)K < (double)ALONE * tiles->lanes,
    };
    if (epilogue) t.epilogue = *epilogue;
    if (rows)
        by_rows(&t);
    else
        by_columns(&t);
    return true;
}

#endif
