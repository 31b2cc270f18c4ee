/* tensor.h - shape, strides, views, dtype.                            Floor 3 (tensor)
 *
 * A tensor is a small struct that points at numbers. Dimension letters used everywhere: N batch,
 * C channels, H W height and width, D features, K classes.
 *
 * Element (i0, i1, ...) is at data[i0 * stride[0] + i1 * stride[1] + ...]; a stride of 0 repeats
 * an element (broadcasting), and views share the data of what they look at.
 *
 * Lifetimes: a persistent tensor (rt_tensor_new) belongs to its maker; a step tensor belongs to the
 * graph it was made in and lives until rt_graph_reset; a borrowed one until its lender says so. */
#ifndef RETORT_TENSOR_H
#define RETORT_TENSOR_H

#include "retort/status.h"

#define RT_MAX_DIMS 6

typedef enum rt_dtype { RT_DTYPE_REAL, RT_DTYPE_I32, RT_DTYPE_U8 } rt_dtype;

/* Whose memory it is, and so how long it lasts. */
typedef enum rt_lifetime {
    RT_BORROWED,   /* rt_tensor_view_init: the lender's, gradient included */
    RT_STEP,       /* the graph's, until rt_graph_reset */
    RT_PERSISTENT  /* rt_tensor_new: until rt_tensor_free */
} rt_lifetime;

struct rti_node;

typedef struct rt_tensor {
    rt_dtype dtype;
    rt_lifetime lifetime;
    int ndim;                     /* 0 ... 6; 0 is a single number */
    int64_t shape[RT_MAX_DIMS];
    int64_t stride[RT_MAX_DIMS];  /* in elements */
    void *data;
    rt_real *grad;                /* dL/d(this): contiguous, row-major, this shape; NULL until needed */
    bool has_grad;                /* grad holds a sum; false: the next contribution overwrites it */
    bool requires_grad;           /* REAL only */
    bool passing;                 /* its gradient is of no use after backward has passed it on */
    struct rti_node *node;        /* the op that made it in this step; NULL for a leaf */
} rt_tensor;

/* A persistent leaf with zeroed data, contiguous. NULL and *error on RT_MEMORY or RT_SHAPE (a
 * negative extent, more than 6 dimensions, a product that overflows). Freed with rt_tensor_free.
 * `grad` is allocated for it when the first backward pass needs it, unless the maker has let it
 * point at memory of its own before. */
rt_tensor *rt_tensor_new(rt_dtype dtype, int ndim, const int64_t shape[], rt_error *error) RT_MUST_CHECK;
void rt_tensor_free(rt_tensor *tensor); /* NULL is fine */

/* Fills *tensor so that it looks at `data`, contiguous, without owning it. The shape must be valid
 * (a caller's bug otherwise). To be trained it needs a `grad` of the same shape, also the lender's. */
void rt_tensor_view_init(rt_tensor *tensor, rt_dtype dtype, int ndim, const int64_t shape[], void *data);

int64_t rt_tensor_count(const rt_tensor *tensor); /* product of the shape; 1 for ndim 0 */
bool rt_tensor_is_contiguous(const rt_tensor *tensor);
bool rt_tensor_same_shape(const rt_tensor *a, const rt_tensor *b);
size_t rt_dtype_bytes(rt_dtype dtype);

static inline rt_real *rt_real_data(const rt_tensor *t) { return (rt_real *)t->data; }
static inline int32_t *rt_i32_data(const rt_tensor *t) { return (int32_t *)t->data; }

/* One element by index, of any dtype, for tests and lessons; slow. An index out of range is a
 * caller's bug. */
double rt_tensor_get(const rt_tensor *tensor, const int64_t index[]);
/* The value of a tensor with one element; another count is a caller's bug. */
double rt_tensor_item(const rt_tensor *tensor);

/* "(100, 784)" into buffer; returns buffer. */
#define RT_SHAPE_TEXT 160
const char *rt_shape_text(const rt_tensor *tensor, char buffer[RT_SHAPE_TEXT]);

#endif
