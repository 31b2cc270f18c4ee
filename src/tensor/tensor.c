/* tensor.c - making, measuring and reading tensors.                    Floor 3 (tensor)
 *
 * A persistent tensor is one block: owner, padding to a cache line, numbers. */
#include "retort/tensor.h"

#include <stdio.h>
#include <string.h>

#include "retort/alloc.h"
#include "tensor/strided.h"

#define ALIGNMENT 64

typedef struct owner {
    rt_tensor tensor; /* first, so that a pointer to it is a pointer to the owner */
    rt_real *grad;    /* the one allocated here, when tensor.grad was asked for */
} owner;

#define HEADER ((sizeof(owner) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

size_t rt_dtype_bytes(rt_dtype dtype) {
    switch (dtype) {
    case RT_DTYPE_REAL: return sizeof(rt_real);
    case RT_DTYPE_I32: return sizeof(int32_t);
    case RT_DTYPE_U8: return 1;
    }
    RT_ASSERT(false, "%d is not a dtype", (int)dtype);
    return 0;
}

rt_status rti_shape_check(rt_dtype dtype, int ndim, const int64_t shape[], rt_error *error) {
    if (ndim < 0 || ndim > RT_MAX_DIMS)
        return rt_fail(error, RT_SHAPE, "a tensor has 0 to %d dimensions, not %d", RT_MAX_DIMS, ndim);
    /* Zero extents are skipped in the product, so that the strides cannot overflow either. */
    int64_t limit = INT64_MAX / 8 / (int64_t)rt_dtype_bytes(dtype);
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0)
            return rt_fail(error, RT_SHAPE, "extent %d of a shape is negative: %lld", i, (long long)shape[i]);
        if (shape[i] == 0) continue;
        if (shape[i] > limit)
            return rt_fail(error, RT_SHAPE,
                           "a shape of %d dimensions has more elements than memory has addresses",
                           ndim);
        limit /= shape[i];
    }
    return RT_OK;
}

void rt_tensor_view_init(rt_tensor *tensor, rt_dtype dtype, int ndim, const int64_t shape[], void *data) {
    RT_ASSERT(rti_shape_check(dtype, ndim, shape, NULL) == RT_OK, "the shape of a view is not valid");
    memset(tensor, 0, sizeof *tensor);
    tensor->dtype = dtype;
    tensor->lifetime = RT_BORROWED;
    tensor->ndim = ndim;
    for (int i = 0; i < ndim; i++) tensor->shape[i] = shape[i];
    rti_row_major(ndim, shape, tensor->stride);
    tensor->data = data;
}

rt_tensor *rt_tensor_new(rt_dtype dtype, int ndim, const int64_t shape[], rt_error *error) {
    if (rti_shape_check(dtype, ndim, shape, error) != RT_OK) return NULL;
    rt_tensor view;
    rt_tensor_view_init(&view, dtype, ndim, shape, NULL);
    size_t bytes = (size_t)rt_tensor_count(&view) * rt_dtype_bytes(dtype);
    owner *o = rt_alloc_zero(1, HEADER + bytes);
    if (!o) {
        char text[RT_SHAPE_TEXT];
        rt_fail(error, RT_MEMORY, "no memory for the %zu bytes of a tensor %s", bytes,
                rt_shape_text(&view, text));
        return NULL;
    }
    o->tensor = view;
    o->tensor.lifetime = RT_PERSISTENT;
    o->tensor.data = (char *)o + HEADER;
    return &o->tensor;
}

bool rti_tensor_own_grad(rt_tensor *tensor) {
    if (tensor->grad) return true;
    RT_ASSERT(tensor->lifetime == RT_PERSISTENT, "a borrowed tensor that requires a gradient has no grad");
    owner *o = (owner *)(void *)tensor;
    if (!o->grad) o->grad = rt_alloc((size_t)rt_tensor_count(tensor) * sizeof(rt_real));
    tensor->grad = o->grad;
    return tensor->grad != NULL;
}

void rt_tensor_free(rt_tensor *tensor) {
    if (!tensor) return;
    RT_ASSERT(tensor->lifetime == RT_PERSISTENT, "only a tensor made by rt_tensor_new is freed");
    owner *o = (owner *)(void *)tensor;
    rt_free(o->grad);
    rt_free(o);
}

int64_t rt_tensor_count(const rt_tensor *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++) count *= tensor->shape[i];
    return count;
}

bool rt_tensor_is_contiguous(const rt_tensor *tensor) {
    int64_t expected = 1;
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        if (tensor->shape[i] == 0) return true;
        if (tensor->shape[i] != 1 && tensor->stride[i] != expected) return false;
        expected *= tensor->shape[i];
    }
    return true;
}

bool rt_tensor_same_shape(const rt_tensor *a, const rt_tensor *b) {
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->shape[i] != b->shape[i]) return false;
    return true;
}

static double read_element(const rt_tensor *tensor, int64_t offset) {
    switch (tensor->dtype) {
    case RT_DTYPE_REAL: return (double)((const rt_real *)tensor->data)[offset];
    case RT_DTYPE_I32: return (double)((const int32_t *)tensor->data)[offset];
    case RT_DTYPE_U8: return (double)((const uint8_t *)tensor->data)[offset];
    }
    return 0;
}

double rt_tensor_get(const rt_tensor *tensor, const int64_t index[]) {
    int64_t offset = 0;
    for (int i = 0; i < tensor->ndim; i++) {
        RT_ASSERT(index[i] >= 0 && index[i] < tensor->shape[i],
                  "index %lld of axis %d, which has %lld elements",
                  (long long)index[i], i, (long long)tensor->shape[i]);
        offset += index[i] * tensor->stride[i];
    }
    return read_element(tensor, offset);
}

double rt_tensor_item(const rt_tensor *tensor) {
    RT_ASSERT(rt_tensor_count(tensor) == 1, "the value of a tensor with %lld elements",
              (long long)rt_tensor_count(tensor));
    return read_element(tensor, 0);
}

const char *rt_shape_text(const rt_tensor *tensor, char buffer[RT_SHAPE_TEXT]) {
    int length = snprintf(buffer, RT_SHAPE_TEXT, "(");
    for (int i = 0; i < tensor->ndim; i++)
        length += snprintf(buffer + length, (size_t)(RT_SHAPE_TEXT - length), i ? ", %lld" : "%lld",
                           (long long)tensor->shape[i]);
    snprintf(buffer + length, (size_t)(RT_SHAPE_TEXT - length), ")");
    return buffer;
}
