/* gemm_zeros.h - products that leave zeros out.                        Floor 2 (kernels)
 *
 * Images have borders: of MNIST's pixels 81 % are 0, of its 784 columns 61 % in each of 4 images that share a
 * tile of registers, and 42 % of all runs of 16 pixels are 0. Adding 0 * b to a sum that began as +0 changes
 * nothing when b is finite, so a tile may leave out every p where all its elements of A, or all its elements
 * of B, are 0, and gives the same bits. (Not with `accumulate`, where a sum may begin as -0.)
 *
 * rti_nonzero_note notes for each row of a matrix which elements are not 0, a bit each, 16 to a word. With
 * that map in rti_matrix.nonzero the tiled product finds the p that are left for each tile of rows of A or
 * each panel of B (measured at batch 100 on MNIST, Zen 4: see the head of gemm_tiled.c); with lists there,
 * gemm_lists.c multiplies what is on them and nothing else. */
#ifndef RTI_GEMM_ZEROS_H
#define RTI_GEMM_ZEROS_H

#include "kernels/kernels.h"

enum {
    RTI_MAP_BITS = 16,
    RTI_STEPS_MOST = 512,
    RTI_LIST_PANEL = 7 << 10, /* floats of B's copy that lists look into: it stays in a first-level cache */
    RTI_LIST_DEPTH = RTI_LIST_PANEL / 32,
};

/* The p of one tile, p0 ... p0 + depth - 1, that are left: the first, how many, and the distance from each
 * to the next (0 behind the last). */
typedef struct rti_steps_left {
    uint16_t first, count;
    uint16_t strides[RTI_STEPS_MOST];
} rti_steps_left;

/* Some element of rows i ... i + rows - 1 of A is not 0 there. p0 is a multiple of RTI_MAP_BITS. */
void rti_steps_left_of_rows(const uint16_t *map, int64_t map_stride, int rows, int64_t p0, int64_t depth,
                            rti_steps_left *left);
/* Word `column` of rows p0 ... of B's map is not 0. */
void rti_steps_left_of_words(const uint16_t *map, int64_t map_stride, int64_t column, int64_t p0,
                             int64_t depth, rti_steps_left *left);
#endif
