/* gemm_tiled.c - the matrix product over register tiles.               Floor 2 (kernels)
 *
 * C is cut into panels, two vectors wide, and these into blocks of rows, small enough that the block's
 * part of A stays in the second-level cache. A block is one task. It takes K in steps of `depth`:
 * B's part of the panel is copied into a contiguous buffer on the stack (64 KiB at most, transposed on
 * the way when B's columns are contiguous), or is used where it is, and then the tiles of the block, from
 * top to bottom, are swept over it. A is read where it is. No memory is allocated, so none can be missing.
 *
 * What was tried (Zen 5 at 4.2 GHz, peak 269 GFLOP/s on one thread; 784 x 1200, batch 100):
 *
 *   packing B always, A never             forward 222, dX 225, dW 243 GFLOP/s; at N = 10, dW 137
 *   B in place when its rows are contiguous          dX 245, dW 240; at N = 10, dW 240
 *   depth 128, 256, 400, 512              220, 210, 210, 222: the panel may well be larger than L1
 *   tiles of 8, 12, 13, 14 rows           220, 225, 218, 222 at batch 100
 *
 * So B is used in place when few rows share a panel (the copy does not pay), and not when its rows lie a
 * multiple of 8 KiB apart, of 4 KiB with AVX2 (they fall in the same few cache sets: 2048 x 2048,
 * dX 157 instead of 175).
 *
 * And fetching the next panel ahead costs what it brings when B is a batch, which the second-level cache
 * holds already: without it an epoch of 784-30-30-10 takes 5 % less; of wide nets 1 and 3 %, within the
 * noise (medians of 12 pairs of old and new at the same time, tests/bench/fetch.csv).
 *
 * And on a Zen 4 (117 GFLOP/s on one thread), where the products are nearer to the peak:
 *
 *   C fetched for writing when a tile begins        dW 1200 x 1200 98 -> 108, 784 x 1200 105 -> 108
 *   A of dW copied, tile by tile                    108 -> 105, 1200 x 1200 104: not kept
 *   depth 128, 256, 512, 800, 1200, batch 1000      102, 104, 106, 105, 103
 *   the optimiser's update at the end of dW's tiles, so that the gradient is never written: the step of
 *   784-1200-1200-10 became 3 to 8 % slower (pieces of 64 and 128 bytes of parameter and velocity, a row
 *   apart, in place of streams): not kept. On a Zen 5 by blocks of 64 rows, updated while they are in the
 *   second-level cache, with and without fetching both ahead: 784-800-800-10 1 and 2 % faster, within the
 *   noise of 12 pairs, for a way from the graph into the optimiser: not kept
 *
 * Zeros (gemm_zeros.h), batch 100, MNIST, microseconds without and with, the making of the map included:
 *
 *                        784 x 30       784 x 110      784 x 800       784 x 1200
 *   Y = X W^T            54 ->  35      174 ->  93     1270 -> 562     1926 ->  855
 *   dW = dY^T X          45 ->  38      162 -> 113     1190 -> 826     1805 -> 1239
 *
 * With tiles of 14 rows in place of 4 the first line is 35, 104, 689, 1040. Panels of 32 columns in place of
 * 16 would leave 70 % of dW's steps, not 58 %. Wide layers go by lists now: gemm_lists.c. */
#include "core/pool.h"
#include "kernels/gemm_tiles.h"
#include "kernels/gemm_zeros.h"

#if RTI_REAL_IS_FLOAT

#include <string.h>

enum {
    DEPTH = RTI_STEPS_MOST, /* most steps of p at a time */
    WIDTH = 32,             /* most columns of a panel */
    NEAR = 480 << 10,       /* bytes, half a second-level cache: the block of A, or all of B */
    FEW_ROWS = 256,         /* B in place up to here */
    ALONE = 1 << 18,        /* multiply-adds per lane that one thread does by itself, some 20 us */
    LISTS = 256,            /* of steps that are left, for tiles of A; 256 KiB on the caller's stack */
    LOW = 4,                /* rows of a tile that leaves steps out, */
    MANY_PANELS = 3,        /* when so many panels share its list */
};

typedef struct product {
    const rti_tiles *tiles;
    int64_t M, N, K;
    rti_matrix A, B;
    float *C;
    int64_t ldc;
    bool accumulate;
    rti_epilogue epilogue;
    bool a_by_rows, a_by_steps; /* how A is contiguous, if it is */
    int width;                  /* of a panel */
    int64_t panels, row_blocks, depth, depth_blocks;
    bool b_in_place, b_is_far;  /* read where it is; larger than what the second-level cache will hold */
    bool alone;                 /* too small for threads */
    int64_t map_stride;         /* words of a row of the map, of A's or B's */
    const rti_steps_left *lists; /* NULL, or [row_block][tile][depth block] */
    int64_t height, tiles_of_block; /* with lists: the highest tile, and how many a block has at most */
} product;

/* A part of a task: columns j0 ... of C, steps p0 ... of the sum. */
typedef struct part {
    int64_t i_start, i_end, row_block, j0, p0, depth;
    int columns, vectors, width;
} part;

void rti_pack(const rti_tiles *tiles, int64_t depth, int columns, int width, rti_matrix B, float *panel) {
    const float *from = B.data;
    if (B.row_stride == 1) {
        tiles->transpose(depth, columns, width, from, B.column_stride, panel, width);
        return;
    }
    for (int64_t p = 0; p < depth; p++, from += B.row_stride, panel += width) {
        if (B.column_stride == 1) memcpy(panel, from, (size_t)columns * sizeof *panel);
        else
            for (int j = 0; j < columns; j++) panel[j] = from[j * B.column_stride];
        for (int j = columns; j < width; j++) panel[j] = 0;
    }
}

static void pack_b(const product *t, const part *k, float *panel) {
    rti_matrix B = t->B;
    B.data += k->p0 * B.row_stride + k->j0 * B.column_stride;
    rti_pack(t->tiles, k->depth, k->columns, k->width, B, panel);
}

/* While the tiles of one panel compute, the memory is idle: for a B that is far, fetches share n of `shares`
 * of what the next panel will read of B into the second-level cache. (Inlined by force, because gcc drops
 * calls of a function that does nothing but prefetch.) */
static inline __attribute__((always_inline)) void prefetch_b(const product *t, const part *k,
                                                             int64_t n, int64_t shares) {
    const int64_t j = k->j0 + t->width, columns = t->N - j < t->width ? t->N - j : t->width;
    enum { LINE = 16 };
    if (t->B.row_stride == 1) {
        for (int64_t c = columns * n / shares; c < columns * (n + 1) / shares; c++) {
            const float *from = t->B.data + k->p0 + (j + c) * t->B.column_stride;
            for (int64_t p = 0; p < k->depth; p += LINE) __builtin_prefetch(from + p, 0, 2);
        }
    } else if (t->B.column_stride == 1) {
        for (int64_t p = k->depth * n / shares; p < k->depth * (n + 1) / shares; p++) {
            const float *from = t->B.data + (k->p0 + p) * t->B.row_stride + j;
            for (int64_t c = 0; c < columns; c += LINE) __builtin_prefetch(from + c, 0, 2);
        }
    }
}

/* For an A that is contiguous in neither direction: its tile is copied first, so that a_row is 1. */
static __attribute__((noinline)) void tile_of_strided_a(const product *t, const part *k, int64_t i, int rows,
                                                        rti_tile_job *job) {
    float copy[RTI_TILE_ROWS_MOST * DEPTH];
    for (int64_t p = 0; p < k->depth; p++)
        for (int r = 0; r < rows; r++)
            copy[p * rows + r] = t->A.data[(i + r) * t->A.row_stride + (k->p0 + p) * t->A.column_stride];
    job->a = copy;
    job->a_row = 1;
    job->a_step = rows;
    t->tiles->a_by_steps[k->vectors - 1][rows - 1](job);
}

/* Tiles of nearly equal height: 100 rows are 12 + 13 + 12 + ... and not 7 * 14 + 2. */
static int64_t tiles_of(int64_t rows, int64_t most) { return (rows + most - 1) / most; }
static int64_t first_of_tile(int64_t rows, int64_t tiles, int64_t n) { return rows * n / tiles; }

static int64_t first_of_block(const product *t, int64_t row_block) {
    return t->M * row_block / t->row_blocks;
}

/* The part of a tile that is left: the job goes by strides from the first step on. */
static void leave_out(const rti_steps_left *left, rti_tile_job *job) {
    job->a += left->first * job->a_step;
    job->b += left->first * job->b_step;
    job->depth = left->count;
    job->strides = left->strides;
}

static void sweep_tiles(const product *t, const part *k, float *panel) {
    const bool last = k->p0 + k->depth >= t->K;
    const bool in_place = t->b_in_place && (k->columns == k->width || t->tiles->masked_loads);
    if (!in_place) pack_b(t, k, panel);
    rti_tile_job job = {
        .depth = k->depth,
        .a_row = t->A.row_stride,
        .a_step = t->A.column_stride,
        .b = in_place ? t->B.data + k->p0 * t->B.row_stride + k->j0 : panel,
        .b_step = in_place ? t->B.row_stride : k->width,
        .ldc = t->ldc,
        .columns = k->columns,
        .from_zero = k->p0 == 0 && !t->accumulate,
        .relu = last && t->epilogue.relu,
        .bias = last && t->epilogue.bias ? t->epilogue.bias + k->j0 : NULL,
    };
    rti_steps_left of_panel;
    const rti_steps_left *left = NULL;
    if (t->B.nonzero) {
        rti_steps_left_of_words(t->B.nonzero, t->map_stride, k->j0 / RTI_MAP_BITS, k->p0, k->depth,
                                &of_panel);
        left = &of_panel;
    }
    const int64_t rows = k->i_end - k->i_start;
    const int64_t tiles = tiles_of(rows, t->lists ? t->height : t->tiles->rows[k->vectors - 1]);
    for (int64_t n = 0; n < tiles; n++) {
        const int64_t i = k->i_start + first_of_tile(rows, tiles, n),
                      next = k->i_start + first_of_tile(rows, tiles, n + 1);
        rti_tile_job here = job;
        here.c = t->C + i * t->ldc + k->j0;
        if (t->b_is_far && k->j0 + t->width < t->N) prefetch_b(t, k, n, tiles);
        if (!t->a_by_rows && !t->a_by_steps) {
            tile_of_strided_a(t, k, i, (int)(next - i), &here);
            continue;
        }
        here.a = t->A.data + i * t->A.row_stride + k->p0 * t->A.column_stride;
        if (t->lists)
            left = &t->lists[(k->row_block * t->tiles_of_block + n) * t->depth_blocks + k->p0 / t->depth];
        const bool some = left && left->count < k->depth;
        if (some) leave_out(left, &here);
        rti_tile *const(*table)[RTI_TILE_ROWS_MOST] =
            t->a_by_rows ? (some ? t->tiles->a_by_rows_some : t->tiles->a_by_rows)
                         : (some ? t->tiles->a_by_steps_some : t->tiles->a_by_steps);
        table[k->vectors - 1][next - i - 1](&here);
    }
}

static void block(void *context, int64_t task) {
    const product *t = context;
    const int64_t row_block = task / t->panels;
    part k = {
        .i_start = first_of_block(t, row_block),
        .i_end = first_of_block(t, row_block + 1),
        .row_block = row_block,
        .j0 = task % t->panels * t->width,
    };
    k.columns = t->N - k.j0 < t->width ? (int)(t->N - k.j0) : t->width;
    k.vectors = k.columns > t->tiles->lanes ? 2 : 1;
    k.width = k.vectors * t->tiles->lanes;
    _Alignas(64) float panel[DEPTH * WIDTH];
    do {
        k.depth = t->K - k.p0 < t->depth ? t->K - k.p0 : t->depth;
        sweep_tiles(t, &k, panel);
        k.p0 += t->depth;
    } while (k.p0 < t->K);
}

/* More blocks of rows when there are too few panels to keep the threads busy evenly. */
static int64_t divide_rows(const product *t, int64_t row_blocks, int threads) {
    const int64_t most = t->M / t->tiles->rows[1];
    int64_t tasks = row_blocks * t->panels;
    while (tasks < 8 * threads && tasks % threads != 0 && row_blocks < most) tasks = ++row_blocks * t->panels;
    return row_blocks;
}

static void run_blocks(product *t) {
    const int64_t tasks = t->row_blocks * t->panels;
    if (!t->alone) rti_parallel(tasks, block, t);
    else
        for (int64_t i = 0; i < tasks; i++) block(t, i);
}

static void divide(product *t) {
    const int64_t rows_at_once = NEAR / ((int64_t)sizeof *t->A.data * t->depth);
    t->row_blocks = (t->M - 1) / rows_at_once + 1;
    t->alone = (double)t->M * (double)t->N * (double)t->K < (double)ALONE * t->tiles->lanes;
    if (!t->alone) t->row_blocks = divide_rows(t, t->row_blocks, rt_threads_get());
}

/* Takes A's rows in runs that have no more tiles than there is room for lists. */
static void run_with_lists(const product *whole) {
    rti_steps_left lists[LISTS];
    const int64_t height = whole->panels >= MANY_PANELS
                               ? LOW
                               : whole->tiles->rows[whole->N > whole->tiles->lanes];
    int64_t most = LISTS / whole->depth_blocks * height, next;
    for (int64_t start = 0; start < whole->M; start = next) {
        product t = *whole;
        next = whole->M - start < most ? whole->M : start + most;
        t.M = next - start;
        t.A.data += start * t.A.row_stride;
        t.C += start * t.ldc;
        t.lists = lists;
        t.height = height;
        divide(&t);
        t.tiles_of_block = tiles_of((t.M + t.row_blocks - 1) / t.row_blocks, height);
        if (t.row_blocks * t.tiles_of_block * t.depth_blocks > LISTS) { /* uneven blocks */
            most = most * 3 / 4;
            next = start;
            continue;
        }
        for (int64_t b = 0; b < t.row_blocks; b++) {
            const int64_t first = first_of_block(&t, b), rows = first_of_block(&t, b + 1) - first;
            const int64_t tiles = tiles_of(rows, height);
            for (int64_t n = 0; n < tiles; n++) {
                const int64_t i = first + first_of_tile(rows, tiles, n),
                              end = first + first_of_tile(rows, tiles, n + 1);
                const uint16_t *map = t.A.nonzero + (start + i) * t.map_stride;
                for (int64_t d = 0; d < t.depth_blocks; d++) {
                    const int64_t p0 = d * t.depth, depth = t.K - p0 < t.depth ? t.K - p0 : t.depth;
                    rti_steps_left_of_rows(map, t.map_stride, (int)(end - i), p0, depth,
                                           &lists[(b * t.tiles_of_block + n) * t.depth_blocks + d]);
                }
            }
        }
        run_blocks(&t);
    }
}

/* One row of A, and B by rows: B is read once, from left to right, and not at all where A is 0 (and C not
 * added to). */
static void run_row(const rti_tiles *tiles, int64_t N, int64_t K, const float *a, rti_matrix B, float *C,
                    bool accumulate, const rti_epilogue *epilogue) {
    uint16_t places[DEPTH + 16];
    rti_row_job job = {
        .places = places, .b_step = B.row_stride, .c = C, .columns = N, .from_zero = !accumulate,
    };
    int64_t p0 = 0;
    do {
        const int64_t depth = K - p0 < DEPTH ? K - p0 : DEPTH;
        job.a = a + p0;
        job.b = B.data + p0 * B.row_stride;
        if (epilogue && p0 + depth >= K) {
            job.relu = epilogue->relu;
            job.bias = epilogue->bias;
        }
        if (accumulate)
            for (job.count = 0; job.count < depth; job.count++) places[job.count] = (uint16_t)job.count;
        else job.count = rti_kernels()->loops->nonzero_places(depth, job.a, places);
        tiles->row(&job);
        job.from_zero = false;
        p0 += depth;
    } while (p0 < K);
}

void rti_gemm_tiled(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                    rt_real *C, int64_t ldc, bool accumulate, const rti_epilogue *epilogue) {
    if (M == 1 && A.column_stride == 1 && B.column_stride == 1) {
        run_row(tiles, N, K, A.data, B, C, accumulate, epilogue);
        return;
    }
    if (!accumulate && rti_gemm_by_lists(tiles, M, N, K, A, B, C, ldc, epilogue)) return;
    const int64_t depth_blocks = K > 0 ? (K + DEPTH - 1) / DEPTH : 1;
    product t = {
        .tiles = tiles, .M = M, .N = N, .K = K, .A = A, .B = B, .C = C, .ldc = ldc, .accumulate = accumulate,
        .width = 2 * tiles->lanes,
        .depth = K > 0 ? (K + depth_blocks - 1) / depth_blocks : 1,
        .depth_blocks = depth_blocks,
    };
    if (depth_blocks > 1) t.depth = (t.depth + RTI_MAP_BITS - 1) / RTI_MAP_BITS * RTI_MAP_BITS;
    if (epilogue) t.epilogue = *epilogue;
    if (M == 1) t.A.row_stride = 1;
    if (N == 1) t.B.column_stride = 1;
    t.a_by_rows = t.A.column_stride == 1;
    t.a_by_steps = t.A.row_stride == 1;
    t.b_in_place = t.B.column_stride == 1 && M <= FEW_ROWS && t.B.row_stride % (128 * tiles->lanes) != 0;
    t.b_is_far = K * N * (int64_t)sizeof *B.data > NEAR;

    const bool skips = !accumulate && K > 0;
    if (!skips || A.column_stride != 1 || K > LISTS / 2 * DEPTH) t.A.nonzero = NULL;
    if (!skips || B.column_stride != 1 || t.A.nonzero || !(t.a_by_rows || t.a_by_steps)) t.B.nonzero = NULL;
    if (t.A.nonzero) {
        t.map_stride = (K + RTI_MAP_BITS - 1) / RTI_MAP_BITS;
    } else if (t.B.nonzero) {
        t.map_stride = (N + RTI_MAP_BITS - 1) / RTI_MAP_BITS;
        t.width = RTI_MAP_BITS;
    }
    t.panels = (N + t.width - 1) / t.width;
    if (t.A.nonzero) {
        run_with_lists(&t);
        return;
    }
    divide(&t);
    run_blocks(&t);
}

#endif
