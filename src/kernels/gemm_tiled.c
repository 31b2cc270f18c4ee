/* gemm_tiled.c - the matrix product over register tiles.               Floor 2 (kernels)
 *
 * C is cut into panels, two vectors wide, and these into blocks of rows, small enough that the block's
 * part of A stays in the second-level cache. A block and some panels side by side are one task. It takes K
 * in steps of `depth`: B's part of a panel is copied into a contiguous buffer on the stack (64 KiB at most,
 * transposed on the way when B's columns are contiguous), or is used where it is, and then the tiles of the
 * block, from top to bottom, are swept over it, all of a height in one call. With AVX2 the first tile copies
 * B's rows in passing, the others read the copy. A is read where it is, or copied once for all panels. When
 * there are many rows and one thread, B's panels are kept for all blocks of rows (1.4 MB of stack at most);
 * otherwise each block copies its own. No memory is allocated, so none can be missing.
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
 * With AVX2 on a Zen 3 (first-level cache 32 KiB, second-level 512 KiB), geometric means over the wide layers
 * of the share of the peak, at batch 100 and 1000; before and after all of it: tests/bench/avx2.csv.
 *
 *   A of dW copied, 240 KiB at a time for all panels     dW 0.67, 0.54 -> 0.70, 0.63
 *   the copy made in runs of 16 steps of p               dW 0.72, 0.62 -> 0.74, 0.68
 *   depth 400, 272, 256: B's panel is half of L1         0.711, 0.678; 0.716, 0.704; 0.701, 0.696
 *   blocks of A of 240, 120, 60, 30 KiB, of oneDNN's speed   0.86, 0.81, 0.77, 0.68
 *
 * and a block of A is kept for 16 panels before the next steps of p, because all of a wide A is more than the
 * second-level cache holds: dX of 784 x 1200 went from 0.80 to 0.87 of oneDNN's speed.
 *
 * Later, there too, several builds of the library in one process, in turn: the speed of Y, dX and dW of the
 * wide layers at batch 1000, in parts of what it was before (tests/bench/kept.csv):
 *
 *   B's panels kept for all rows, A copied by rows      1.04, 1.08, 1.06; batch 256 1.02, 1.01, 1.03
 *   up to 39 panels in place of 80                      1.04, 1.08, 1.02
 *   the same way for Y and dX of batch 256              0.96, 0.98: not kept
 *   the same way on two threads                         0.93; in smaller tasks 0.99: not kept
 *   tiles of 4 x 24, depth 272, 208, 160                0.95 of those of 6 x 16: not kept
 *   A's next rows fetched ahead; 8 steps at once         0.99; 0.93: not kept
 *   B not fetched ahead, batch 100                      0.98, 0.90, 1.01: not kept
 *
 * After that what a tile costs beside its sums (gemm_6x16_avx2.c): Y, dX and dW in parts of what they were,
 * at batch 100; 256; 1000. Beside OpenBLAS and oneDNN, shape by shape: tests/bench/tiles.csv.
 *
 *   all tiles of a height in one call       1.03, 1.03, 1.09; 1.02, 1.03, 1.07; 1.03, 1.04, 1.05
 *   and the first copies B in passing       1.04, 1.03, 1.12; 1.03, 1.04, 1.10; 1.04, 1.05, 1.06
 *   dX's B copied before its tiles          0.92; 0.96 of in place: not kept
 *   A copied by rows at batch 100, too      1.00, 1.00: not kept
 *   two panels at once, not 16              1.01, 0.98, 1.00; 1.03, 0.98, 1.03: not kept
 *   two threads, and where A is not copied 64 tasks, not 8:   Y, dX 1.04, 1.00; 1.06, 1.02; 0.99, 0.99
 *   two threads, A copied by rows           batch 1000 0.97, 0.99: not kept
 *   two threads, 16 tasks that copy A and not 8     dW 0.93 to 0.98: not kept
 *   two threads from a quarter, a half of ALONE on  an epoch of 784-30-30-10 takes 1.10 (Zen 4): not kept
 *   Y^T = W X^T without a copy of W, tiles of 4 x 24 turned in registers, 16 bytes of a row of Y at a time:
 *                                           0.95 to 0.99 at batch 100: not kept
 *
 * And for few rows or short sums, where a tile is little work beside what stands around it: panels of B that
 * are read in place are taken in one call, and the last one, which is not whole, is read whole from where it
 * ends with the row, in place of a copy. Before and after, with the changes to the tiles, in
 * tests/bench/skinny.csv. Of it, in parts of the speed without:
 *
 *   along the rows of C, not down its columns                0.94 to 1.00: not kept
 *   up to 5 tiles of B in place, not copied in passing       dW of 784 x 30 1.08
 *   but 3, when its rows are not aligned and long            dW of 30 x 30, batch 256 and 1000: 1.10
 *   1000 steps at once when B is near                        dW of 30 x 30 1.2: all panels are whole then
 *   A of 24 KiB copied, not of 32 only                       dW of 784 x 30, batch 256: 1.18
 *   in place up to 64 steps, not 32                          dX of 1200 x 40, batch 1000: 0.95: not kept
 *
 * Tried on the loops alone, not kept: tiles of 4 x 24, 1.00 to 1.05 of 6 x 16, and 0.9 with B far; of 3 x 32
 * and 2 x 48 with B from memory in each multiplication, 1.03 on a core by itself and 0.8 to 0.9 on a shared
 * one, whose loads are what is scarce; B of the next panel fetched with each step, 1.04 at batch 100 and 0.93
 * at 1000; fetched in blocks before a tile, 0.95; all of B copied first, 0.5 to 0.8. */
#include "core/pool.h"
#include "kernels/gemm_tiles.h"

#if RTI_REAL_IS_FLOAT

#include <string.h>

enum {
    WIDTH = 32,             /* most columns of a panel */
    FEW_PANELS = 4,         /* that at least must use a copied block of A, */
    L1 = 6 << 10,           /* floats of a first-level cache that a smaller A stays in anyhow */
    FAR = 480 << 10,        /* bytes of a B that is not in the second-level cache */
    FEW_ROWS = 256,         /* B in place up to here */
    ALONE = 1 << 18,        /* multiply-adds per lane that one thread does by itself, some 20 us */
    KEPT = 350 << 10,       /* floats of B's panels that are kept for all blocks of A; 1.4 MB of stack */
    SEVERAL = 6,            /* tiles of a panel that are worth a copy of B, made in passing by one, */
    SEVERAL_CROOKED = 3,    /* of a B whose vectors cross cache lines, when there are */
    LONG = 160,             /* more steps of p than that; */
    SHALLOW = 32,           /* but not for so few */
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
    int64_t panels, groups;     /* a group: panels side by side, of one task */
    int64_t row_blocks, depth, depth_blocks;
    bool b_in_place, b_is_far;  /* read where it is; larger than what the second-level cache will hold */
    bool copies_b;              /* the first of `several` tiles of a panel copies it in passing */
    int several;
    bool ends_with_row;         /* what is left of a row after whole panels is read with numbers before it */
    bool packs_a;               /* each block of A is copied before its tiles are */
    bool keeps_b;               /* a task is a group of panels, copied once, for all blocks of rows */
    bool alone;                 /* too small for threads */
} product;

/* A part of a task: columns j0 ... of C, steps p0 ... of the sum. */
typedef struct part {
    int64_t i_start, i_end, row_block, j0, p0, depth;
    int columns, vectors, width;
    rti_cuts cuts[2];    /* of the rows, for panels of one and of two vectors */
    const float *packed; /* the block of A, tile after tile; or NULL */
} part;

static void pack_b(const product *t, const part *k, float *panel) {
    rti_matrix B = t->B;
    B.data += k->p0 * B.row_stride + k->j0 * B.column_stride;
    rti_pack(t->tiles, k->depth, k->columns, k->width, B, panel);
}

static void pack_a(const product *t, const part *k, float *packed) {
    if (t->a_by_rows) {
        const float *row = t->A.data + k->i_start * t->A.row_stride + k->p0;
        for (int64_t i = k->i_start; i < k->i_end; i++, row += t->A.row_stride, packed += k->depth)
            memcpy(packed, row, (size_t)k->depth * sizeof *packed);
        return;
    }
    const int64_t step = t->A.column_stride;
    const float *from = t->A.data + k->i_start + k->p0 * step;
    rti_pack_a(t->tiles, k->i_end - k->i_start, k->depth, from, step, packed);
}

/* Of a B that is far, `tiles` tiles share the fetching of what the next panel will read. */
static void fetch_next_panel(const product *t, const part *k, int64_t tiles, rti_tile_job *job) {
    const int64_t j = k->j0 + t->width, columns = t->N - j < t->width ? t->N - j : t->width;
    const bool by_columns = t->B.row_stride == 1;
    if (columns <= 0 || (!by_columns && t->B.column_stride != 1)) return;
    job->ahead.from = t->B.data + k->p0 * t->B.row_stride + j * t->B.column_stride;
    job->ahead.rows = by_columns ? columns : k->depth;
    job->ahead.floats = by_columns ? k->depth : columns;
    job->ahead.step = by_columns ? t->B.column_stride : t->B.row_stride;
    job->ahead.each = (job->ahead.rows + tiles - 1) / tiles;
}

/* For an A that is contiguous in neither direction: its tile is copied first, so that a_row is 1. */
static __attribute__((noinline)) void tile_of_strided_a(const product *t, const part *k, int64_t i, int rows,
                                                        rti_tile_job *job) {
    float copy[RTI_TILE_ROWS_MOST * RTI_STEPS_MOST];
    for (int64_t p = 0; p < k->depth; p++)
        for (int r = 0; r < rows; r++)
            copy[p * rows + r] = t->A.data[(i + r) * t->A.row_stride + (k->p0 + p) * t->A.column_stride];
    job->a = copy;
    job->a_row = 1;
    job->a_step = rows;
    t->tiles->a_by_steps[k->vectors - 1][rows - 1](job);
}

static int64_t first_of_block(const product *t, int64_t row_block) {
    return t->M * row_block / t->row_blocks;
}

/* What all tiles of the part have in common; B where it is, from column j0 on. */
static rti_tile_job job_of(const product *t, const part *k) {
    const bool last = k->p0 + k->depth >= t->K;
    return (rti_tile_job){
        .panels = 1,
        .depth = k->depth,
        .a_row = t->A.row_stride,
        .a_step = t->A.column_stride,
        .b = t->B.data + k->p0 * t->B.row_stride + k->j0,
        .b_step = t->B.row_stride,
        .ldc = t->ldc,
        .columns = k->columns,
        .from_zero = k->p0 == 0 && !t->accumulate,
        .relu = last && t->epilogue.relu,
        .bias = last && t->epilogue.bias ? t->epilogue.bias + k->j0 : NULL,
    };
}

/* Tiles first ... end - 1, of the same height, below each other. */
static void run_tiles(const product *t, const part *k, const rti_cuts *cuts, int64_t first, int64_t end,
                      rti_tile_job *job) {
    const int64_t from_start = rti_cut(cuts, first), i = k->i_start + from_start;
    const int rows = (int)(cuts->height + (first < cuts->taller));
    job->tiles = end - first;
    job->c = t->C + i * t->ldc + k->j0;
    if (!t->a_by_rows && !t->a_by_steps) {
        tile_of_strided_a(t, k, i, rows, job);
        return;
    }
    job->a = t->A.data + i * t->A.row_stride + k->p0 * t->A.column_stride;
    job->a_tile = rows * t->A.row_stride;
    if (k->packed) {
        job->a = k->packed + from_start * k->depth;
        job->a_row = t->a_by_rows ? k->depth : 1;
        job->a_step = t->a_by_rows ? 1 : rows;
        job->a_tile = rows * k->depth;
    }
    rti_tile *const(*table)[RTI_TILE_ROWS_MOST] =
        t->a_by_rows ? t->tiles->a_by_rows : t->tiles->a_by_steps;
    table[k->vectors - 1][rows - 1](job);
}

/* The tiles of one block of rows and one panel, which is copied first or by the first of them, unless that is
 * done or not worth it. */
static void sweep_tiles(const product *t, const part *k, float *panel, bool is_copied) {
    const bool whole = k->columns == k->width || t->tiles->masked_loads;
    const rti_cuts *cuts = &k->cuts[k->vectors - 1];
    const bool copies = t->copies_b && whole && !is_copied && cuts->tiles >= t->several;
    const bool in_place = copies || (t->b_in_place && whole);
    if (!in_place && !is_copied) pack_b(t, k, panel);
    rti_tile_job job = job_of(t, k);
    if (!in_place) job.b = panel, job.b_step = k->width;
    if (t->b_is_far && !is_copied) fetch_next_panel(t, k, cuts->tiles, &job);
    const bool strided_a = !t->a_by_rows && !t->a_by_steps;
    for (int64_t n = 0, next; n < cuts->tiles; n = next) {
        const bool copying = copies && n == 0;
        next = strided_a || copying ? n + 1 : n < cuts->taller ? cuts->taller : cuts->tiles;
        rti_tile_job here = job;
        if (copying) {
            here.copy = panel;
            job.b = panel;
            job.b_step = k->width;
        }
        if (job.ahead.rows > 0) {
            here.ahead.from += n * job.ahead.each * job.ahead.step;
            here.ahead.rows -= n * job.ahead.each;
        }
        run_tiles(t, k, cuts, n, next, &here);
    }
}

/* Panels first ... of B, as many as can be read where they are when that is better than a copy; returns the
 * next one. */
static int64_t sweep_strips(const product *t, part *k, int64_t first, int64_t end, const float *packed) {
    const rti_cuts *cuts = &k->cuts[1];
    const bool better =
        cuts->tiles < t->several ? !t->b_is_far || t->tiles->copies_b : k->depth <= SHALLOW;
    const int64_t whole = t->N / t->width < end ? t->N / t->width : end;
    if (!t->b_in_place || !better || whole <= first || !(t->a_by_rows || t->a_by_steps)) return first;
    k->vectors = 2;
    k->columns = k->width = t->width;
    k->packed = packed;
    k->j0 = first * t->width;
    rti_tile_job job = job_of(t, k);
    job.panels = whole - first;
    if (cuts->taller) run_tiles(t, k, cuts, 0, cuts->taller, &job);
    if (cuts->taller < cuts->tiles) run_tiles(t, k, cuts, cuts->taller, cuts->tiles, &job);
    return whole;
}

/* Panels first ... end - 1 under one block of rows. What is left of a row after whole panels may be
 * no whole vector: then, if it can, a panel takes its place that ends with the row and gives some numbers
 * again. */
static void panels_of_block(const product *t, part *k, int64_t first, int64_t end, const float *packed,
                            float *panels, bool are_copied) {
    const int64_t start = first;
    if (!are_copied) first = sweep_strips(t, k, first, end, packed);
    for (int64_t n = first; n < end; n++) {
        k->j0 = n * t->width;
        k->columns = t->N - k->j0 < t->width ? (int)(t->N - k->j0) : t->width;
        k->vectors = k->columns > t->tiles->lanes ? 2 : 1;
        k->width = k->vectors * t->tiles->lanes;
        if (k->columns < k->width && t->ends_with_row && n > start) {
            k->j0 = t->N - k->width;
            k->columns = k->width;
        }
        k->packed = k->vectors == 2 || t->a_by_rows ? packed : NULL; /* tiles of one vector have more rows */
        sweep_tiles(t, k, panels + (t->keeps_b ? (n - first) * t->width * k->depth : 0), are_copied);
    }
}

static void sweep(const product *t, int64_t group, int64_t first_block, int64_t end_block, float *panels,
                  float *packed) {
    const int64_t first = t->panels * group / t->groups, end = t->panels * (group + 1) / t->groups;
    part k = {.p0 = 0};
    do {
        k.depth = t->K - k.p0 < t->depth ? t->K - k.p0 : t->depth;
        for (k.row_block = first_block; k.row_block < end_block; k.row_block++) {
            k.i_start = first_of_block(t, k.row_block);
            k.i_end = first_of_block(t, k.row_block + 1);
            for (int v = 0; v < 2; v++)
                k.cuts[v] = rti_cuts_of(k.i_end - k.i_start, t->tiles->rows[v]);
            if (t->packs_a) pack_a(t, &k, packed);
            panels_of_block(t, &k, first, end, t->packs_a ? packed : NULL, panels,
                            k.row_block > first_block);
        }
        k.p0 += t->depth;
    } while (k.p0 < t->K);
}

/* Of the buffers, what is not needed is not touched. */
static void block(void *context, int64_t task) {
    const product *t = context;
    const int64_t row_block = task / t->groups;
    _Alignas(64) float panel[RTI_STEPS_MOST * WIDTH];
    float packed[RTI_PACKED_BYTES / sizeof(float)];
    sweep(t, task % t->groups, row_block, row_block + 1, panel, packed);
}

static void all_blocks(void *context, int64_t group) {
    const product *t = context;
    _Alignas(64) float panels[KEPT];
    float packed[RTI_PACKED_BYTES / sizeof(float)];
    sweep(t, group, 0, t->row_blocks, panels, packed);
}

/* More blocks of rows when there are too few groups of panels to keep the threads busy evenly. */
static int64_t divide_rows(const product *t, int64_t row_blocks, int threads) {
    const int64_t most = t->M / t->tiles->rows[1];
    int64_t tasks = row_blocks * t->groups;
    while (tasks < 8 * threads && tasks % threads != 0 && row_blocks < most) tasks = ++row_blocks * t->groups;
    return row_blocks;
}

static void run_tasks(product *t) {
    const int64_t tasks = t->keeps_b ? t->groups : t->row_blocks * t->groups;
    void (*const task)(void *, int64_t) = t->keeps_b ? all_blocks : block;
    if (!t->alone) rti_parallel(tasks, task, t);
    else
        for (int64_t i = 0; i < tasks; i++) task(t, i);
}

/* `count`, or more to be `wanted`, but not more than `most` for that. */
static int64_t raised(int64_t count, int64_t wanted, int64_t most) {
    if (wanted > most) wanted = most;
    return count < wanted ? wanted : count;
}

/* A task is a block of rows times a group of panels: all panels when the block is copied for them, otherwise
 * `panels_at_once`; but several tasks for each thread, and where no task copies A, down to a panel. */
static void divide(product *t) {
    const int64_t rows_at_once = t->tiles->near / ((int64_t)sizeof *t->A.data * t->depth);
    t->row_blocks = (t->M - 1) / rows_at_once + 1;
    t->keeps_b = t->packs_a && t->row_blocks > 1 && rt_threads_get() == 1;
    const int64_t kept = KEPT / (t->depth * t->width),
                  panels_at_once = t->keeps_b ? kept : t->packs_a ? t->panels : t->tiles->panels_at_once;
    t->groups = (t->panels + panels_at_once - 1) / (panels_at_once > 0 ? panels_at_once : 1);
    t->alone = (double)t->M * (double)t->N * (double)t->K < (double)ALONE * t->tiles->lanes;
    if (t->keeps_b) t->b_in_place = false;
    if (t->keeps_b || t->alone) return;
    const int threads = rt_threads_get();
    if (threads > 1) {
        const int64_t tasks = (t->packs_a ? 4 : 32) * threads;
        if (t->packs_a) t->row_blocks = raised(t->row_blocks, tasks, t->M / (4 * t->tiles->rows[1]));
        t->groups = raised(t->groups, (tasks - 1) / t->row_blocks + 1, t->panels);
    }
    t->row_blocks = divide_rows(t, t->row_blocks, threads);
}

/* One row of A, and B by rows: B is read once, from left to right, and not at all where A is 0 (and C not
 * added to). */
static void run_row(const rti_tiles *tiles, int64_t N, int64_t K, const float *a, rti_matrix B, float *C,
                    bool accumulate, const rti_epilogue *epilogue) {
    rti_entry entry[RTI_STEPS_MOST + 16];
    rti_row_job job = {
        .entry = entry, .b_step = B.row_stride, .c = C, .columns = N, .from_zero = !accumulate,
    };
    int64_t p0 = 0;
    do {
        const int64_t depth = K - p0 < RTI_STEPS_MOST ? K - p0 : RTI_STEPS_MOST;
        job.b = B.data + p0 * B.row_stride;
        if (epilogue && p0 + depth >= K) {
            job.relu = epilogue->relu;
            job.bias = epilogue->bias;
        }
        if (accumulate)
            for (job.count = 0; job.count < depth; job.count++)
                entry[job.count] = (rti_entry){(uint32_t)job.count, a[p0 + job.count]};
        else job.count = rti_kernels()->loops->nonzero_list(depth, a + p0, entry);
        tiles->row(&job);
        job.from_zero = false;
        p0 += depth;
    } while (p0 < K);
}

static void choose_how_b_is_read(product *t) {
    const int lanes = t->tiles->lanes;
    const bool good_in_place = t->B.column_stride == 1 && t->B.row_stride % (128 * lanes) != 0,
               is_crooked = t->B.row_stride % lanes != 0 ||
                            (uintptr_t)t->B.data % ((size_t)lanes * sizeof *t->B.data) != 0;
    t->b_in_place = good_in_place && (t->M <= FEW_ROWS || t->K <= SHALLOW);
    t->b_is_far = t->K * t->N * (int64_t)sizeof *t->B.data > FAR;
    t->copies_b = t->tiles->copies_b && good_in_place && (t->a_by_rows || t->a_by_steps);
    t->several = is_crooked && t->K > LONG ? SEVERAL_CROOKED : SEVERAL;
}

/* Steps of p at a time. Few rows that read a near B where it is take more: there is no copy to be kept in the
 * first-level cache. */
static void cut_depth(product *t) {
    const int64_t few = (SEVERAL - 1) * t->tiles->rows[1], deep = RTI_STEPS_MOST * WIDTH / t->width;
    const int64_t most = t->b_in_place && !t->b_is_far && t->M <= few ? deep : t->tiles->depth;
    t->depth_blocks = t->K > 0 ? (t->K + most - 1) / most : 1;
    t->depth = t->K > 0 ? (t->K + t->depth_blocks - 1) / t->depth_blocks : 1;
    if (t->depth_blocks > 1) t->depth = (t->depth + 15) / 16 * 16;
}

void rti_gemm_tiled(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                    rt_real *C, int64_t ldc, bool accumulate, const rti_epilogue *epilogue) {
    if (!accumulate && rti_gemm_sparse(tiles, M, N, K, A, B, C, ldc, epilogue)) return;
    if (M == 1 && A.column_stride == 1 && B.column_stride == 1) {
        run_row(tiles, N, K, A.data, B, C, accumulate, epilogue);
        return;
    }
    product t = {
        .tiles = tiles, .M = M, .N = N, .K = K, .A = A, .B = B, .C = C, .ldc = ldc, .accumulate = accumulate,
        .width = 2 * tiles->lanes,
    };
    if (epilogue) t.epilogue = *epilogue;
    if (M == 1) t.A.row_stride = 1;
    if (N == 1) t.B.column_stride = 1;
    t.a_by_rows = t.A.column_stride == 1;
    t.a_by_steps = t.A.row_stride == 1;
    choose_how_b_is_read(&t);
    cut_depth(&t);
    t.ends_with_row = t.copies_b && !accumulate && t.depth_blocks == 1;
    t.panels = (N + t.width - 1) / t.width;
    t.packs_a = tiles->packs_a && t.panels >= FEW_PANELS && M * K > L1 &&
                (t.a_by_rows ? M > FEW_ROWS && rt_threads_get() == 1 : t.a_by_steps);
    divide(&t);
    run_tasks(&t);
}

#endif
