/* gemm_tiles.h - what an instruction set contributes to the matrix product. Floor 2 (kernels)
 *
 * gemm_tiled.c cuts C into tiles of at most tile_rows x (vectors * lanes) elements, which live in registers
 * while one function of these tables walks along p:
 *
 *     C[i][j] = fma(A[i][p], B[p][j], C[i][j])       for p = 0, 1, 2, ..., K-1
 *
 * That chain is the same for every element of every tile, whatever its shape, so a result does
 * not depend on which tile it falls in; it starts from C and goes on from C, so cutting K in blocks
 * changes nothing either. */
#ifndef RTI_GEMM_TILES_H
#define RTI_GEMM_TILES_H

#include "kernels/dispatch.h"

enum { RTI_TILE_ROWS_MOST = 32, RTI_STEPS_MOST = 512, RTI_PACKED_BYTES = 240 << 10 };

/* While a product computes, the memory is idle: each of its parts fetches into the second-level cache so many
 * of `rows` rows of `floats` floats that will be needed. */
typedef struct rti_ahead {
    const float *from;
    int64_t rows, step, floats, each;
} rti_ahead;

/* Tiles of the same height, one below the other; then the same again further right, `panels` times in all,
 * where B is read where it is. */
typedef struct rti_tile_job {
    int64_t tiles, panels;      /* 1 or more */
    int64_t depth;              /* how many p */
    const float *a;             /* element (i, p) at a[i * a_row + p * a_step] */
    int64_t a_row, a_step;
    int64_t a_tile;             /* from one tile to the next */
    const float *b;             /* whole vectors at b[p * b_step], see masked_loads */
    int64_t b_step;
    float *copy;                /* NULL, or where B is copied to in passing, in rows of whole vectors */
    float *c;
    int64_t ldc;
    int columns;                /* how many of the tile's columns are in C */
    bool from_zero;             /* or from C */
    bool relu;                  /* at the end */
    const float *bias;          /* at the end, or NULL */
    rti_ahead ahead;
} rti_tile_job;

typedef void rti_tile(const rti_tile_job *job);

typedef void rti_one_tile(const rti_tile_job *job, const float *a, const float *b, float *c);

/* Calls `one` for each tile, of `height` rows and `width` columns. (Inlined by force, because gcc drops a
 * call of a function that does nothing but prefetch; and `one` is not inlined into it, because gcc then takes
 * registers from the sums for what it needs outside of them.) */
static inline __attribute__((always_inline)) void rti_each_tile(const rti_tile_job *job, int height,
                                                                int width, rti_one_tile *one) {
    enum { LINE = 16 };
    const float *ahead = job->ahead.from;
    int64_t left = job->ahead.rows;
    for (int64_t j0 = 0; j0 < job->panels * width; j0 += width) {
        const float *a = job->a;
        float *c = job->c + j0;
        for (int64_t n = 0; n < job->tiles; n++, a += job->a_tile, c += height * job->ldc) {
            const int64_t end = left > job->ahead.each ? left - job->ahead.each : 0;
            for (; left > end; left--, ahead += job->ahead.step)
                for (int64_t j = 0; j < job->ahead.floats; j += LINE) __builtin_prefetch(ahead + j, 0, 2);
            one(job, a, job->b + j0, c);
        }
    }
}

/* One row of any number of columns: c[j] = fma(a, b[p * b_step + j], c[j]) for `count` pairs p, a. */
typedef struct rti_row_job {
    int count;
    const rti_entry *entry;
    const float *b;
    int64_t b_step;
    float *c;
    int64_t columns;
    bool from_zero, relu;
    const float *bias;
} rti_row_job;

typedef void rti_row(const rti_row_job *job);

/* Rows of C of what is not 0 in A (gemm_sparse.c), row i by list i, or by its bits in a map:
 *
 *     c[i][j] = fma(a, b[p][j], c[i][j])         for the p that are listed and their a, j < columns
 *
 * The sums of a row stay in registers. By lists b has rows of list_width (dispatch.h), which is so many times
 * the lanes; by bits of RTI_BITS_WIDTH or, for few columns, RTI_BITS_NARROW. */
enum { RTI_LIST_VECTORS = 4, RTI_BITS_WIDTH = 32, RTI_BITS_NARROW = 16 };

typedef struct rti_sparse_job {
    int64_t rows;
    rti_lists lists;
    const uint64_t *map;        /* of row i: map[i * map_stride ...], or NULL: made in passing of a's rows */
    int64_t map_stride, depth;  /* depth: how many p */
    const float *a;             /* by bits: element (i, p) at a[i * a_row + p * a_step], one of them 1 */
    const uint8_t *bytes;       /* or, not NULL, value[] of the byte there */
    const float *value;
    int64_t a_row, a_step;
    const float *b;
    float *c;
    int64_t ldc;
    int columns;                /* how many of a row of b are in C */
    bool from_zero, relu;
    const float *bias;
    rti_ahead ahead;            /* by lists: by each two rows */
} rti_sparse_job;

typedef void rti_sparse_rows(const rti_sparse_job *job);

/* What the rows i and i + 1 of a job by lists fetch. */
static inline __attribute__((always_inline)) void rti_fetch_ahead(const rti_ahead *ahead, int64_t i) {
    enum { LINE = 16 };
    const int64_t first = i / 2 * ahead->each, end = first + ahead->each;
    for (int64_t r = first; r < end && r < ahead->rows; r++)
        for (int64_t j = 0; j < ahead->floats; j += LINE)
            __builtin_prefetch(ahead->from + r * ahead->step + j, 0, 2);
}

/* Where the lists of rows i ... begin and end; returns the length of the shortest. */
static inline int64_t rti_list_ends(const rti_sparse_job *job, int64_t i, int rows, const rti_entry *at[],
                                    const rti_entry *end[]) {
    int64_t common = INT64_MAX;
    for (int r = 0; r < rows; r++) {
        const uint32_t *list = job->lists.start + i + r;
        at[r] = job->lists.entry + list[0];
        end[r] = job->lists.entry + list[1];
        if (end[r] - at[r] < common) common = end[r] - at[r];
    }
    return common;
}

/* Rows of B lie far apart, and few are asked for at once: without fetching, W of 1200 x 1200 was copied at
 * 1.8 GB/s, 8, 16, 24, 48 rows ahead at 5.0, 5.8, 5.4, 4.9 (Zen 3; a sum over it read 12). One row is fetched
 * with each that is copied; sixteen at a time took longer. */
enum { RTI_ROWS_AHEAD = 16 };

typedef struct rti_tiles {
    int lanes;                  /* floats in a vector */
    bool masked_loads;          /* columns beyond the last are not read; otherwise they must be readable */
    int rows[2];                /* the highest tile that is 1 or 2 vectors wide */
    int depth;                  /* most steps of p at a time, up to RTI_STEPS_MOST */
    int near;                   /* bytes of a block of A: half a second-level cache */
    int panels_at_once;         /* that share a block of A before the next steps of p */
    bool copies_b;              /* tiles copy B in passing, when a job asks for it */
    bool packs_a;               /* an A contiguous from row to row is copied: near <= RTI_PACKED_BYTES */
    /* [vectors - 1][rows - 1]: a_step is 1, or a_row is 1. */
    rti_tile *const (*a_by_rows)[RTI_TILE_ROWS_MOST];
    rti_tile *const (*a_by_steps)[RTI_TILE_ROWS_MOST];
    rti_row *row;
    rti_sparse_rows *list_rows, *bit_rows, *bit_rows_narrow;
    /* A panel for list_rows: rti_pack, or in another form that needs no more memory. */
    void (*pack)(const struct rti_tiles *tiles, int64_t depth, int columns, int width, rti_matrix B,
                 float *panel);
    /* out[p * out_stride + j] = from[j * stride + p] for p < depth, j < columns; then, up to width, zeros, or
     * anything when loads are masked. */
    void (*transpose)(int64_t depth, int columns, int width, const float *from, int64_t stride, float *out,
                      int64_t out_stride);
    /* out[p * width + j] = from[p * stride + j], as transpose does beyond columns. Fetches RTI_ROWS_AHEAD. */
    void (*copy)(int64_t depth, int columns, int width, const float *from, int64_t stride, float *out);
} rti_tiles;

/* panel[p * width + j] = B[p][j] for p < depth, j < columns; then, up to width, zeros, or anything when loads
 * are masked. */
void rti_pack(const rti_tiles *tiles, int64_t depth, int columns, int width, rti_matrix B, float *panel);

/* Rows in as few tiles as can be, of nearly equal height: 100 are 4 * 13 + 4 * 12 and not 7 * 14 + 2. */
typedef struct rti_cuts {
    int64_t tiles, height, taller; /* so many, the first, have a row more */
} rti_cuts;

static inline rti_cuts rti_cuts_of(int64_t rows, int64_t most) {
    const int64_t tiles = (rows + most - 1) / most, height = tiles ? rows / tiles : 0;
    return (rti_cuts){tiles, height, rows - tiles * height};
}

/* The row at which tile n starts. */
static inline int64_t rti_cut(const rti_cuts *c, int64_t n) {
    return n * c->height + (n < c->taller ? n : c->taller);
}

/* Rows 0 ... of A, whose element (i, p) is at a[p * a_step + i], for tiles two vectors wide, one after
 * the other: of the tile that starts at row i0, out[i0 * depth + p * height + i - i0]. */
void rti_pack_a(const rti_tiles *tiles, int64_t rows, int64_t depth, const float *a, int64_t a_step,
                float *out);

/* The product over such tiles. */
void rti_gemm_tiled(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                    rt_real *C, int64_t ldc, bool accumulate, const rti_epilogue *epilogue);

/* The same of what is not 0 in A or B, when that is noted and the shape allows it; else false, and nothing is
 * done. See gemm_sparse.c. */
bool rti_gemm_sparse(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                     rt_real *C, int64_t ldc, const rti_epilogue *epilogue);

extern const rti_tiles rti_tiles_14x32_avx512;

/* The same, of bfloat16, with the scratch memory of rti_gemm_bf16. */
bool rti_gemm_bf16_lists_avx512(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C,
                                int64_t ldc, const rti_epilogue *epilogue, void *scratch);

rti_gemm_function rti_gemm_14x32_avx512, rti_gemm_6x16_avx2;

#endif
