/* strided.h - walking over tensors whose elements lie anywhere.        Floor 3 (tensor)
 *
 * A walk visits all elements of a shape in row-major order for up to four operands at once, each
 * with strides of its own (0 repeats). The innermost dimension is handed out as a row of n elements
 * at a fixed stride, so that the loop that does the work is a plain one; neighbouring dimensions
 * are merged where every operand allows it, so contiguous operands are one row.
 *
 *     const int64_t *strides[] = {x->stride, y->stride};
 *     for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w))
 *         for (int64_t i = 0; i < w.n; i++)
 *             yd[w.offset[1] + i * w.step[1]] = xd[w.offset[0] + i * w.step[0]];
 */
#ifndef RTI_STRIDED_H
#define RTI_STRIDED_H

#include "retort/tensor.h"

#define RTI_WALK_OPERANDS 4

typedef struct rti_walk {
    int64_t n;                          /* elements of this row; 0: the walk is over */
    int64_t offset[RTI_WALK_OPERANDS];  /* first element of the row */
    int64_t step[RTI_WALK_OPERANDS];    /* from one element of the row to the next */
    int operands, outer;                /* dimensions outside the row */
    int64_t shape[RT_MAX_DIMS], index[RT_MAX_DIMS];
    int64_t stride[RTI_WALK_OPERANDS][RT_MAX_DIMS];
} rti_walk;

rti_walk rti_walk_begin(int ndim, const int64_t shape[], int operands, const int64_t *const strides[]);
void rti_walk_next(rti_walk *walk);

/* Row-major strides of a shape. */
void rti_row_major(int ndim, const int64_t shape[], int64_t stride[]);

/* Strides with which x is read as if it had the broadcast shape (ndim, shape): aligned at the
 * right, 0 where an extent of 1 is repeated. x must be broadcastable to it. With `contiguous` as if
 * x were row-major, which its gradient is. */
void rti_broadcast_strides(const rt_tensor *x, bool contiguous, int ndim, const int64_t shape[],
                           int64_t stride[]);

/* The shape both a and b are broadcast to; false when there is none. Returns the number of
 * dimensions in *ndim. */
bool rti_broadcast_shape(const rt_tensor *a, const rt_tensor *b, int *ndim, int64_t shape[RT_MAX_DIMS]);

/* out[...] = x[...]: REAL numbers between any strides of one shape. */
void rti_copy_strided(int ndim, const int64_t shape[], const rt_real *x, const int64_t x_stride[],
                      rt_real *out, const int64_t out_stride[]);
/* out[...] += x[...] */
void rti_add_strided(int ndim, const int64_t shape[], const rt_real *x, const int64_t x_stride[],
                     rt_real *out, const int64_t out_stride[]);

/* Is this a shape at all, and do its bytes fit into memory addresses? */
rt_status rti_shape_check(rt_dtype dtype, int ndim, const int64_t shape[], rt_error *error) RT_MUST_CHECK;

/* Makes sure a leaf has a gradient buffer: false when there is no memory for it. RT_PERSISTENT
 * tensors get one of their own; a borrowed one without is a caller's bug. */
bool rti_tensor_own_grad(rt_tensor *tensor);

#endif
