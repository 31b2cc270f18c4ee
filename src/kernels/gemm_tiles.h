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

enum { RTI_TILE_ROWS_MOST = 32, RTI_PACKED_BYTES = 240 << 10 };

typedef struct rti_tile_job {
    int64_t depth;              /* how many p */
    const float *a;             /* element (i, p) at a[i * a_row + p * a_step] */
    int64_t a_row, a_step;
    const float *b;             /* whole vectors at b[p * b_step], see masked_loads */
    int64_t b_step;
    const uint16_t *strides;    /* NULL: every p. Else from one p that is visited to the next */
    float *c;
    int64_t ldc;
    int columns;                /* how many of the tile's columns are in C */
    bool from_zero;             /* or from C */
    bool relu;                  /* at the end */
    const float *bias;          /* at the end, or NULL */
} rti_tile_job;

typedef void rti_tile(const rti_tile_job *job);

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

/* Rows of C by lists (gemm_lists.c), row i by list i:
 *
 *     c[i][j] = fma(a, b[p][j], c[i][j])         for the pairs p, a of list i, j < list_width
 *
 * A row's sums stay in so many vectors: list_width of dispatch.h is as many times the lanes. */
enum { RTI_LIST_VECTORS = 4 };

typedef struct rti_list_job {
    int64_t rows;
    rti_lists lists;
    const float *b;             /* rows of list_width */
    float *c;
    int64_t ldc;
    int columns;                /* how many of list_width are in C */
    bool from_zero, relu;
    const float *bias;
} rti_list_job;

typedef void rti_list_rows(const rti_list_job *job);

/* Where the lists of rows i ... begin and end; returns the length of the shortest. */
static inline int64_t rti_list_ends(const rti_list_job *job, int64_t i, int rows, const rti_entry *at[],
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

typedef struct rti_tiles {
    int lanes;                  /* floats in a vector */
    bool masked_loads;          /* columns beyond the last are not read; otherwise they must be readable */
    int rows[2];                /* the highest tile that is 1 or 2 vectors wide */
    int depth;                  /* most steps of p at a time, up to RTI_STEPS_MOST */
    int near;                   /* bytes of a block of A: half a second-level cache */
    int panels_at_once;         /* that share a block of A before the next steps of p */
    bool packs_a;               /* an A contiguous from row to row is copied: near <= RTI_PACKED_BYTES */
    /* [vectors - 1][rows - 1]: a_step is 1, or a_row is 1; the last two go by strides. */
    rti_tile *const (*a_by_rows)[RTI_TILE_ROWS_MOST];
    rti_tile *const (*a_by_steps)[RTI_TILE_ROWS_MOST];
    rti_tile *const (*a_by_rows_some)[RTI_TILE_ROWS_MOST];
    rti_tile *const (*a_by_steps_some)[RTI_TILE_ROWS_MOST];
    rti_row *row;
    rti_list_rows *list_rows;
    /* out[p * out_stride + j] = from[j * stride + p] for p < depth, j < columns; then, up to width, zeros, or
     * anything when loads are masked. */
    void (*transpose)(int64_t depth, int columns, int width, const float *from, int64_t stride, float *out,
                      int64_t out_stride);
} rti_tiles;

/* panel[p * width + j] = B[p][j] for p < depth, j < columns; then, up to width, zeros, or anything when loads
 * are masked. */
void rti_pack(const rti_tiles *tiles, int64_t depth, int columns, int width, rti_matrix B, float *panel);

/* `total` rows in tiles of nearly equal height: 100 are 12 + 13 + 12 + ... and not 7 * 14 + 2. Tile n starts
 * at total * n / tiles; found by additions, because two divisions take as long as a small tile. */
typedef struct rti_cuts {
    int64_t at, rest, height, left_over, tiles;
} rti_cuts;

static inline rti_cuts rti_cuts_of(int64_t total, int64_t tiles) {
    if (tiles == 0) return (rti_cuts){0}; /* of no rows */
    return (rti_cuts){.height = total / tiles, .left_over = total % tiles, .tiles = tiles};
}

/* Moves on to the next tile and returns where it starts. */
static inline int64_t rti_next_cut(rti_cuts *c) {
    c->at += c->height;
    c->rest += c->left_over;
    if (c->rest >= c->tiles) c->rest -= c->tiles, c->at++;
    return c->at;
}

static inline int64_t rti_tiles_of(int64_t rows, int64_t most) { return (rows + most - 1) / most; }

/* Rows 0 ... of A, whose element (i, p) is at a[p * a_step + i], for tiles two vectors wide, one after
 * the other: of the tile that starts at row i0, out[i0 * depth + p * height + i - i0]. */
void rti_pack_a(const rti_tiles *tiles, int64_t rows, int64_t depth, const float *a, int64_t a_step,
                float *out);

/* The product over such tiles. */
void rti_gemm_tiled(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                    rt_real *C, int64_t ldc, bool accumulate, const rti_epilogue *epilogue);

/* The same by lists, when A or B has them and the shape allows it; else false, and nothing is done. See
 * gemm_lists.c. */
bool rti_gemm_by_lists(const rti_tiles *tiles, int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B,
                       rt_real *C, int64_t ldc, const rti_epilogue *epilogue);

rti_gemm_function rti_gemm_14x32_avx512, rti_gemm_6x16_avx2;

#endif
