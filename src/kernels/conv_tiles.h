/* conv_tiles.h - what an instruction set contributes to convolution.   Floor 2 (kernels)
 *
 * A convolution is cut into tiles of at most `most` rows x (vectors * lanes) columns of its result, which
 * live in registers while one function of these tables walks along the sum:
 *
 *     C[r][j] = fma(A[r][t], B[t][j], C[r][j])       for all t, in order
 *
 * Forward, rows are pixels of y (of dx, backward), columns its channels, and t runs over the kernel's lines,
 * its taps in a line, and the channels of x at a tap: by_rows, A's t are contiguous. For dk, rows are
 * channels of x at a tap, columns filters (or the other way round), and t runs over images, their lines and
 * pixels: by_steps, A's rows are contiguous. The chain is the same for every element of every tile; it goes
 * on from what C holds. */
#ifndef RTI_CONV_TILES_H
#define RTI_CONV_TILES_H

#include "kernels/dispatch.h"

enum { RTI_CONV_VECTORS_MOST = 4, RTI_CONV_ROWS_MOST = 24 };

typedef struct rti_conv_job {
    int64_t blocks, runs, run;      /* how many t: blocks * runs * run */
    const rt_real *a;
    int64_t a_row, a_step;          /* from row to row, from t to t; one of them is 1 */
    int64_t a_run, a_block;         /* from one run's start to the next, from one block's to the next */
    const rt_real *b;               /* by_rows: whole vectors; by_steps: no column beyond the last is read */
    int64_t b_step, b_run, b_block;
    rt_real *c;
    int64_t ldc;
    int columns;                    /* how many of the tile's columns there are */
    bool from_zero;                 /* or from C */
    bool relu;                      /* at the end */
    const rt_real *bias;            /* at the end, or NULL */
} rti_conv_job;

typedef void rti_conv_tile(const rti_conv_job *job);

typedef struct rti_conv_tiles {
    int lanes;                      /* of a vector */
    int most[RTI_CONV_VECTORS_MOST]; /* rows of the highest tile 1, 2, ... vectors wide; 0: there is none */
    /* [vectors - 1][rows - 1] */
    rti_conv_tile *const (*by_rows)[RTI_CONV_ROWS_MOST];
    rti_conv_tile *const (*by_steps)[RTI_CONV_ROWS_MOST];
} rti_conv_tiles;

extern const rti_conv_tiles rti_conv_portable, rti_conv_14x32_avx512, rti_conv_6x16_avx2;

/* How many vectors wide the tiles of a result should be. */
int rti_conv_vectors(const rti_conv_tiles *tiles, int64_t columns, int64_t rows);

/* The part of x that a stretch of the result reads, copied so that zeros surround it and nothing has to be
 * checked: `lines` x `pixels` x `channels` from (line, pixel, channel) of image n on; coordinates may lie
 * outside. */
typedef struct rti_conv_window {
    const rt_real *x;               /* (.., H, W, C) */
    int64_t H, W, C;
    int64_t n, line, pixel, channel;
    int64_t lines, pixels, channels;
} rti_conv_window;
void rti_conv_copy(const rti_conv_window *w, rt_real *to);

/* The scratch of the two passes that sweep. */
size_t rti_conv_sweep_bytes(const rti_convolution *c, bool is_forward);

/* The other way to dx, for few channels: does it pay here, its scratch, and itself. */
bool rti_conv_spreads(const rti_convolution *c);
size_t rti_conv_spread_bytes(const rti_convolution *c);
void rti_conv_spread(const rti_convolution *c, const rt_real *dy, const rt_real *k, rt_real *dx,
                     bool accumulate, const rti_epilogue *epilogue, void *scratch);

/* While tiles compute the memory is idle: each fetches its share of what the thread will probably need next
 * into the second-level cache. Reading past the end of an array this way does nothing. (Inlined by force,
 * because gcc drops calls of a function that does nothing but prefetch.) */
typedef struct rti_conv_ahead {
    const char *at;
    int64_t left, share; /* cache lines; of each tile */
} rti_conv_ahead;

static inline rti_conv_ahead rti_conv_ahead_of(const rt_real *at, int64_t elements, int64_t tiles) {
    const int64_t lines = elements * (int64_t)sizeof *at / 64 + 1;
    return (rti_conv_ahead){(const char *)at, lines, (lines + tiles - 1) / tiles};
}

static inline __attribute__((always_inline)) void rti_conv_fetch(rti_conv_ahead *a) {
    for (int64_t i = a->share < a->left ? a->share : a->left; i > 0; i--, a->left--, a->at += 64)
        __builtin_prefetch(a->at, 0, 2);
}

enum { RTI_CONV_BUFFER = 16384 };   /* elements of the copy, on the stack of the thread */

#endif
