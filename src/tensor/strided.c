/* strided.c - see strided.h.                                           Floor 3 (tensor) */
#include "tensor/strided.h"

#include <string.h>

void rti_row_major(int ndim, const int64_t shape[], int64_t stride[]) {
    int64_t step = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        stride[i] = step;
        if (shape[i] > 0) step *= shape[i];
    }
}

void rti_broadcast_strides(const rt_tensor *x, bool contiguous, int ndim, const int64_t shape[],
                           int64_t stride[]) {
    int64_t own[RT_MAX_DIMS] = {0};
    if (contiguous) rti_row_major(x->ndim, x->shape, own);
    else memcpy(own, x->stride, sizeof own);
    int missing = ndim - x->ndim;
    RT_ASSERT(missing >= 0, "broadcast to fewer dimensions");
    for (int i = 0; i < ndim; i++) {
        bool repeated = i < missing || (x->shape[i - missing] == 1 && shape[i] != 1);
        stride[i] = repeated ? 0 : own[i - missing];
    }
}

bool rti_broadcast_shape(const rt_tensor *a, const rt_tensor *b, int *ndim, int64_t shape[RT_MAX_DIMS]) {
    *ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int i = 1; i <= *ndim; i++) {
        int64_t p = i <= a->ndim ? a->shape[a->ndim - i] : 1, q = i <= b->ndim ? b->shape[b->ndim - i] : 1;
        if (p != q && p != 1 && q != 1) return false;
        shape[*ndim - i] = p == 1 ? q : p;
    }
    return true;
}

/* Can the dimension of the given extent, which lies just inside dimension d, be merged into it? */
static bool mergeable(const rti_walk *w, int d, const int64_t *const strides[], int inner, int64_t extent) {
    for (int k = 0; k < w->operands; k++)
        if (w->stride[k][d] != strides[k][inner] * extent) return false;
    return true;
}

rti_walk rti_walk_begin(int ndim, const int64_t shape[], int operands, const int64_t *const strides[]) {
    RT_ASSERT(operands <= RTI_WALK_OPERANDS, "a walk has up to %d operands", RTI_WALK_OPERANDS);
    rti_walk w = {.n = 1, .operands = operands};
    int dims = 0;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] == 0) {
            w.n = 0;
            return w;
        }
        if (shape[i] == 1) continue;
        if (dims > 0 && mergeable(&w, dims - 1, strides, i, shape[i])) {
            w.shape[dims - 1] *= shape[i];
        } else {
            w.shape[dims++] = shape[i];
        }
        for (int k = 0; k < operands; k++) w.stride[k][dims - 1] = strides[k][i];
    }
    for (int k = 0; k < operands; k++) w.step[k] = dims ? w.stride[k][dims - 1] : 1;
    if (dims) w.n = w.shape[dims - 1];
    w.outer = dims ? dims - 1 : 0;
    return w;
}

void rti_walk_next(rti_walk *w) {
    for (int d = w->outer - 1; d >= 0; d--) {
        w->index[d]++;
        for (int k = 0; k < w->operands; k++) w->offset[k] += w->stride[k][d];
        if (w->index[d] < w->shape[d]) return;
        for (int k = 0; k < w->operands; k++) w->offset[k] -= w->index[d] * w->stride[k][d];
        w->index[d] = 0;
    }
    w->n = 0;
}

void rti_copy_strided(int ndim, const int64_t shape[], const rt_real *x, const int64_t x_stride[],
                      rt_real *out, const int64_t out_stride[]) {
    const int64_t *strides[] = {x_stride, out_stride};
    for (rti_walk w = rti_walk_begin(ndim, shape, 2, strides); w.n; rti_walk_next(&w)) {
        const rt_real *from = x + w.offset[0];
        rt_real *to = out + w.offset[1];
        if (w.step[0] == 1 && w.step[1] == 1) memcpy(to, from, (size_t)w.n * sizeof *to);
        else
            for (int64_t i = 0; i < w.n; i++) to[i * w.step[1]] = from[i * w.step[0]];
    }
}

void rti_add_strided(int ndim, const int64_t shape[], const rt_real *x, const int64_t x_stride[],
                     rt_real *out, const int64_t out_stride[]) {
    const int64_t *strides[] = {x_stride, out_stride};
    for (rti_walk w = rti_walk_begin(ndim, shape, 2, strides); w.n; rti_walk_next(&w)) {
        const rt_real *from = x + w.offset[0];
        rt_real *to = out + w.offset[1];
        if (w.step[0] == 1 && w.step[1] == 1)
            for (int64_t i = 0; i < w.n; i++) to[i] += from[i];
        else
            for (int64_t i = 0; i < w.n; i++) to[i * w.step[1]] += from[i * w.step[0]];
    }
}
