/* gemm_bf16_14x32_avx512.c - products of bfloat16, summed in float32.  Floor 2 (kernels)
 *
 * VDPBF16PS multiplies 32 pairs and adds them to 16 sums, two products where an FMA has one. Its operands
 * are packed in pairs (bf16_pack_avx512.h), for a tile of A as for a panel of B. All of A is packed once, by
 * tiles, into the caller's scratch memory; a task packs its panel of B on the stack, at most DEPTH pairs
 * deep, and sweeps the tiles of its block of rows over it. Rounding happens on the way, so nothing is read
 * twice for it.
 *
 * A pair's step is left out where all of the tile's rows, or all of the panel's columns, are 0 (pictures with
 * empty borders): what it would add to sums that began with 0 is 0, unless the other side is not finite, and
 * then nothing is left out.
 *
 * What an element's sum does is said in gemm_bf16_portable.c, which gives the same bits.
 *
 * What was tried (Zen 4 at 3.7 GHz, one thread, peak 236 GFLOP/s; forward / dX / dW of 784 x 1200 and of
 * 1200 x 1200, batch 100; float32 beside it 104 / 110 / 105 and 104 / 109 / 95, peak 118):
 *
 *   the next panel of B fetched ahead of each tile     202 / 183 / 201     184 / 166 / 195
 *   fetched two lines a step inside of the tiles       213 / 209 / 203     209 / 209 / 199
 *   the same, C's lines not fetched                    209 / 204 / 175     205 / 203 / 165
 *   at most 12 rows, 13 rows                           within the noise of 14
 *   at most 320 pairs deep                             208 / 208 / 202     208 / 206 / 203
 *   zeros left out, the list of steps in every tile    213 / 206 / 196     208 / 208 / 186 (nothing is 0)
 *   the list only where there is one                   213 / 207 / 199     206 / 209 / 199
 *
 * Products are half as long as float32's and read as much, so what is fetched when decides more than the
 * tile does. dW with a sum of 100 writes 3.8 and 5.8 MB and meets memory, not arithmetic. */
#include "kernels/gemm_tiles.h"

#if RTI_REAL_IS_FLOAT

#include "core/pool.h"
#include "kernels/bf16_pack_avx512.h"

enum {
    ROWS = RTI_BF16_ROWS,   /* most rows of a tile */
    WIDTH = 32,             /* most columns of a panel */
    DEPTH = RTI_BF16_DEPTH, /* most pairs at a time */
    BLOCK_OF_A = 480 << 10, /* bytes, half a second-level cache */
    MANY_ROWS = 256,        /* from here on looking for zeros in panels costs nothing beside the product */
    ALONE = 1 << 22,        /* multiply-adds that one thread does by itself, some 40 us */
};

/* Which p of a packed operand hold anything but zeros: returns how many; list has room for `pairs`. */
static int64_t list_of_nonzero(const pair *x, int64_t pairs, int width, uint16_t *list, bool *finite) {
    const __m512i size = _mm512_set1_epi16(0x7fff), infinite = _mm512_set1_epi16(0x7f80);
    int64_t count = 0;
    __mmask32 bad = 0;
    for (int64_t p = 0; p < pairs; p++, x += width) {
        __mmask16 some = 0;
        for (int j = 0; j < width; j += 16) {
            const __m512i v = _mm512_maskz_loadu_epi32(lanes_of(width - j), x + j);
            some |= _mm512_test_epi32_mask(v, size);
            bad |= _mm512_cmpeq_epi16_mask(_mm512_and_si512(v, infinite), infinite);
        }
        list[count] = (uint16_t)p;
        count += some != 0;
    }
    *finite = bad == 0;
    return count;
}

/* ---- tiles ---- */

typedef struct tile_job {
    const uint16_t *list; /* of p; NULL: all of them */
    int64_t count;
    const pair *a, *b;
    float *c;
    int64_t ldc;
    int columns;
    bool from_zero, relu;
    const float *bias;
    const float *fetch; /* two lines from here, and at each pair further; see fetch_next */
    int64_t fetch_step, fetch_wrap;
} tile_job;

/* rows and vectors are constants in every caller, so acc lives in registers. */
ALWAYS void tile(const tile_job *t, const int rows, const int vectors, const bool listed) {
    __m512 acc[ROWS][2];
    const __mmask16 last = lanes_of(t->columns - 16 * (vectors - 1)),
                    lanes[2] = {vectors == 1 ? last : 0xffff, last};
    float *c = t->c;
    const int64_t ldc = t->ldc;
    if (t->from_zero) {
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm512_setzero_ps();
    } else {
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm512_maskz_loadu_ps(lanes[v], c + i * ldc + 16 * v);
    }
    const float *fetch = t->fetch;
    const int64_t fetch_step = t->fetch_step, fetch_wrap = t->fetch_wrap;
    for (int64_t step = 0; step < t->count; step++) {
        const int64_t p = listed ? t->list[step] : step;
        const pair *a = t->a + p * rows, *b = t->b + p * (16 * vectors);
        __builtin_prefetch(fetch, 0, 2);
        __builtin_prefetch(fetch + 16, 0, 2);
        fetch += step % WIDTH == WIDTH - 1 ? fetch_wrap : fetch_step;
        __m512bh x[2];
        EACH(v, vectors) x[v] = (__m512bh)_mm512_loadu_si512(b + 16 * v);
        EACH(i, rows) {
            const __m512bh factor = (__m512bh)_mm512_set1_epi32((int)a[i]);
            EACH(v, vectors) acc[i][v] = _mm512_dpbf16_ps(acc[i][v], factor, x[v]);
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

#define TILE(rows, vectors) \
    static void tile_##rows##x##vectors(const tile_job *t) { \
        if (t->list) tile(t, rows, vectors, true);            \
        else tile(t, rows, vectors, false);                   \
    }
#define NAME(rows, vectors) tile_##rows##x##vectors,
#define HEIGHTS(X, v)                                                                         \
    X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) \
    X(12, v) X(13, v) X(14, v)

HEIGHTS(TILE, 1)
HEIGHTS(TILE, 2)
static void (*const tiles[2][ROWS])(const tile_job *) = {{HEIGHTS(NAME, 1)}, {HEIGHTS(NAME, 2)}};

/* ---- the product ---- */

typedef struct product {
    int64_t M, N, K;
    rti_matrix A, B;
    float *C;
    int64_t ldc;
    bool accumulate;
    rti_epilogue epilogue;
    pair *packed; /* A: steps of the depth, within them tiles of rows */
    uint16_t *lists, *counts;       /* of A's pairs that are not 0: alike */
    uint16_t *finite;               /* of each tile */
    bool a_is_finite, lists_pay;
    int64_t tiles, panels, row_blocks;
    int64_t depth; /* of a step, in elements, even */
} product;

/* Tiles of nearly equal height: 100 rows are 12 + 13 + 12 + ... and not 7 * 14 + 2. */
static int64_t tile_start(const product *t, int64_t n) { return t->M * n / t->tiles; }

static pair *packed_tile(const product *t, int64_t n, int64_t k0, int64_t depth) {
    return t->packed + k0 / 2 * t->M + tile_start(t, n) * ((depth + 1) / 2);
}

static int64_t depth_at(const product *t, int64_t k0) { return t->K - k0 < t->depth ? t->K - k0 : t->depth; }

static uint16_t *tile_list(const product *t, int64_t n, int64_t k0, int64_t depth) {
    return t->lists + k0 / 2 * t->tiles + n * ((depth + 1) / 2);
}

static uint16_t *tile_count(const product *t, int64_t n, int64_t k0) {
    return t->counts + k0 / t->depth * t->tiles + n;
}

static void pack_tile_of_a(void *context, int64_t n) {
    const product *t = context;
    const int64_t i = tile_start(t, n);
    const int rows = (int)(tile_start(t, n + 1) - i);
    t->finite[n] = true;
    for (int64_t k0 = 0; k0 < t->K; k0 += t->depth) {
        const int64_t depth = depth_at(t, k0);
        const source from = {t->A.data + i * t->A.row_stride + k0 * t->A.column_stride, t->A.row_stride,
                             t->A.column_stride};
        pair *packed = packed_tile(t, n, k0, depth);
        bool finite;
        pack(&from, depth, rows, rows, packed);
        *tile_count(t, n, k0) =
            (uint16_t)list_of_nonzero(packed, (depth + 1) / 2, rows, tile_list(t, n, k0, depth), &finite);
        t->finite[n] &= finite;
    }
}

/* After A is packed. */
static void judge_lists(product *t) {
    int64_t some = 0, all = (t->K + 1) / 2 * t->tiles;
    t->a_is_finite = true;
    for (int64_t n = 0; n < t->tiles; n++) t->a_is_finite &= t->finite[n];
    for (int64_t k0 = 0; k0 < t->K; k0 += t->depth)
        for (int64_t n = 0; n < t->tiles; n++) some += *tile_count(t, n, k0);
    t->lists_pay = 8 * some < 7 * all;
}

/* While a tile computes, the memory is idle: each pair's step fetches 32 numbers of what the next panel will
 * read of B into the second-level cache, from piece number `piece` on. A piece lies in one row, and the next
 * one in the next row; when columns are contiguous it lies in one column, and those of the panel's 32 columns
 * come before the 32 rows below. */
static void fetch_next(const product *t, int64_t j, int64_t k0, int64_t piece, tile_job *job) {
    const int64_t row = t->B.row_stride, column = t->B.column_stride;
    job->fetch = (const float *)job->b;
    job->fetch_step = job->fetch_wrap = 0;
    if (j >= t->N || piece >= t->K - k0 || (row != 1 && column != 1)) return;
    job->fetch = t->B.data + (k0 + piece) * row + j * column;
    job->fetch_step = row == 1 ? column : row;
    job->fetch_wrap = row == 1 ? WIDTH - (WIDTH - 1) * column : row;
}

/* The tile is written at the end: its lines are on their way by then. */
ALWAYS void prefetch_c(const product *t, int64_t i, int rows, int64_t j) {
    for (int r = 0; r < rows; r++) {
        __builtin_prefetch(t->C + (i + r) * t->ldc + j, 1, 3);
        __builtin_prefetch(t->C + (i + r) * t->ldc + j + 16, 1, 3);
    }
}

static void block(void *context, int64_t task) {
    const product *t = context;
    const int64_t row_block = task / t->panels, j = task % t->panels * WIDTH;
    const int64_t start = t->tiles * row_block / t->row_blocks,
                  end = t->tiles * (row_block + 1) / t->row_blocks;
    const int columns = t->N - j < WIDTH ? (int)(t->N - j) : WIDTH, vectors = columns > 16 ? 2 : 1;
    _Alignas(64) pair panel[DEPTH * WIDTH];
    uint16_t some[DEPTH];
    int64_t k0 = 0;
    do {
        const int64_t depth = depth_at(t, k0);
        const bool last = k0 + depth >= t->K;
        const source from = {t->B.data + k0 * t->B.row_stride + j * t->B.column_stride, t->B.column_stride,
                             t->B.row_stride};
        const int64_t pairs = (depth + 1) / 2;
        pack(&from, depth, columns, 16 * vectors, panel);
        int64_t count = pairs;
        bool finite = false;
        if (!t->accumulate && (t->lists_pay || t->M >= MANY_ROWS))
            count = list_of_nonzero(panel, pairs, 16 * vectors, some, &finite);
        const bool by_panel = t->a_is_finite && count < pairs, by_tile = t->lists_pay && finite && !by_panel;
        tile_job job = {
            .list = by_panel ? some : NULL,
            .count = by_panel ? count : pairs,
            .b = panel,
            .ldc = t->ldc,
            .columns = columns,
            .from_zero = k0 == 0 && !t->accumulate,
            .relu = last && t->epilogue.relu,
            .bias = last && t->epilogue.bias ? t->epilogue.bias + j : NULL,
        };
        int64_t piece = 0;
        for (int64_t n = start; n < end; n++) {
            const int64_t i = tile_start(t, n), next = tile_start(t, n + 1);
            job.a = packed_tile(t, n, k0, depth);
            job.c = t->C + i * t->ldc + j;
            prefetch_c(t, i, (int)(next - i), j);
            if (by_tile) {
                job.list = tile_list(t, n, k0, depth);
                job.count = *tile_count(t, n, k0);
            }
            fetch_next(t, j + WIDTH, k0, piece, &job);
            piece += job.count / WIDTH * WIDTH;
            tiles[vectors - 1][next - i - 1](&job);
        }
        k0 += t->depth;
    } while (k0 < t->K);
}

void rti_gemm_bf16_14x32_avx512(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C,
                                int64_t ldc, bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    if (!accumulate && rti_gemm_bf16_lists_avx512(M, N, K, A, B, C, ldc, epilogue, scratch)) return;
    const int64_t pairs = (K + 1) / 2, steps = pairs > 0 ? (pairs + DEPTH - 1) / DEPTH : 1;
    product t = {
        .M = M, .N = N, .K = K, .A = A, .B = B, .C = C, .ldc = ldc, .accumulate = accumulate,
        .packed = scratch,
        .tiles = (M + ROWS - 1) / ROWS,
        .panels = (N + WIDTH - 1) / WIDTH,
        .depth = pairs > 0 ? 2 * ((pairs + steps - 1) / steps) : 2,
    };
    t.lists = (uint16_t *)(t.packed + M * pairs);
    t.counts = t.lists + pairs * t.tiles;
    t.finite = t.counts + steps * t.tiles;
    if (epilogue) t.epilogue = *epilogue;
    if (M == 1) t.A.row_stride = 1;
    if (N == 1) t.B.column_stride = 1;
    const int64_t at_once = BLOCK_OF_A / (2 * t.depth * ROWS);
    t.row_blocks = (t.tiles - 1) / at_once + 1;
    const bool alone = (double)M * (double)N * (double)K < (double)ALONE;
    if (alone) {
        for (int64_t n = 0; n < t.tiles; n++) pack_tile_of_a(&t, n);
        judge_lists(&t);
        for (int64_t n = 0; n < t.row_blocks * t.panels; n++) block(&t, n);
        return;
    }
    /* More blocks of rows when there are too few panels to keep the threads busy evenly. */
    const int threads = rt_threads_get();
    int64_t tasks = t.row_blocks * t.panels;
    while (tasks < 8 * threads && tasks % threads != 0 && t.row_blocks < t.tiles)
        tasks = ++t.row_blocks * t.panels;
    rti_parallel(t.tiles, pack_tile_of_a, &t);
    judge_lists(&t);
    rti_parallel(tasks, block, &t);
}

#endif
