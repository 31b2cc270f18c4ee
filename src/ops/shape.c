/* shape.c - reshape, transpose, slice, concat, gather_rows.            Floor 5 (ops)
 *
 * The first three look at the data of their input and only move numbers in backward, where
 * gradients are contiguous in their own shapes. */
#include <string.h>

#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/ops.h"
#include "tensor/strided.h"

/* ---- reshape: attributes i[0..5] the shape, i[6] its dimensions ---- */

/* Fills in the extent -1; false when the counts cannot be made equal. */
static bool complete_shape(const rt_tensor *x, int ndim, int64_t shape[]) {
    int64_t count = rt_tensor_count(x), known = 1;
    int open = -1;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (shape[i] < 0) return false;
        if (shape[i] > 0 && known > INT64_MAX / shape[i]) return false;
        known *= shape[i];
    }
    if (open < 0) return known == count;
    if (known == 0 || count % known != 0) return false;
    shape[open] = count / known;
    return true;
}

static bool reshape_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    int ndim = (int)n->a.i[6];
    if (ndim < 0 || ndim > RT_MAX_DIMS)
        return rti_op_fail(g, n, RT_SHAPE, "to %d dimensions; a tensor has 0 to %d", ndim, RT_MAX_DIMS);
    if (!complete_shape(x, ndim, n->a.i)) {
        rt_tensor wanted = {.ndim = ndim};
        memcpy(wanted.shape, n->a.i, sizeof wanted.shape);
        char text[RT_SHAPE_TEXT];
        return rti_op_fail(g, n, RT_SHAPE, "%lld elements do not fit into %s", (long long)rt_tensor_count(x),
                           rt_shape_text(&wanted, text));
    }
    if (!rt_tensor_is_contiguous(x)) return rti_out(g, n, ndim, n->a.i);
    int64_t stride[RT_MAX_DIMS];
    rti_row_major(ndim, n->a.i, stride);
    return rti_out_view(g, n, x, ndim, n->a.i, stride, 0);
}

static void reshape_forward(rt_graph *g, rti_node *n) {
    (void)g;
    const rt_tensor *x = n->in[0];
    if (n->out->data == x->data) return;
    int64_t stride[RT_MAX_DIMS];
    rti_row_major(x->ndim, x->shape, stride);
    rti_copy_strided(x->ndim, x->shape, rt_real_data(x), x->stride, rt_real_data(n->out), stride);
}

static void reshape_backward(rt_graph *g, rti_node *n) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    int64_t count = rt_tensor_count(n->out);
    if (!dx.data || count == 0) return;
    if (dx.accumulate) rti_add(count, dx.data, n->out->grad, dx.data);
    else memcpy(dx.data, n->out->grad, (size_t)count * sizeof *dx.data);
}

static rt_tensor *reshape_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_reshape(g, in[0], 2, (const int64_t[]){-1, 3});
}

static rt_tensor *reshape_turned(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_mul(g, rt_reshape(g, rt_transpose(g, in[0], 0, 1), 3, (const int64_t[]){2, 1, 3}),
                  rt_reshape(g, in[0], 3, (const int64_t[]){2, 1, 3}));
}

static rt_tensor *reshape_number(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_reshape(g, in[0], 0, NULL);
}

static const rt_gradcheck_case reshape_cases[] = {
    {.name = "reshape", .function = reshape_plain, .inputs = 1, .input = {{3, {2, 3, 2}}}},
    {.name = "reshape a view", .function = reshape_turned, .inputs = 1, .input = {{2, {3, 2}}}},
    {.name = "reshape to a number", .function = reshape_number, .inputs = 1, .input = {{3, {1, 1, 1}}}},
};

const rti_op rti_op_reshape = {
    .name = "reshape", .arity = 1, .differentiable = 1, .formula = "y = x in another shape", .source = "",
    .shape = reshape_shape, .forward = reshape_forward, .backward = reshape_backward,
    .cases = reshape_cases, .case_count = sizeof reshape_cases / sizeof *reshape_cases,
    .asks_for_numbers = 1,
};
RTI_REGISTER(op, reshape)

rt_tensor *rt_reshape(rt_graph *g, rt_tensor *x, int ndim, const int64_t shape[]) {
    rti_attributes a = {.i = {[6] = ndim}};
    for (int i = 0; i < ndim && i < RT_MAX_DIMS; i++) a.i[i] = shape[i];
    return rti_apply1(g, &rti_op_reshape, x, &a);
}

/* ---- transpose: attributes i[0], i[1] the axes ---- */

static bool transpose_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    int64_t p = n->a.i[0], q = n->a.i[1];
    if (p < 0 || q < 0 || p >= x->ndim || q >= x->ndim)
        return rti_op_fail(g, n, RT_SHAPE, "axes %lld and %lld; there are 0 to %d", (long long)p,
                           (long long)q, x->ndim - 1);
    int64_t shape[RT_MAX_DIMS], stride[RT_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    memcpy(stride, x->stride, sizeof stride);
    shape[p] = x->shape[q], shape[q] = x->shape[p];
    stride[p] = x->stride[q], stride[q] = x->stride[p];
    return rti_out_view(g, n, x, x->ndim, shape, stride, 0);
}

static void view_forward(rt_graph *g, rti_node *n) { (void)g, (void)n; }

static void transpose_backward(rt_graph *g, rti_node *n) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    const rt_tensor *x = n->in[0], *y = n->out;
    int64_t p = n->a.i[0], q = n->a.i[1], to[RT_MAX_DIMS], from[RT_MAX_DIMS];
    rti_row_major(x->ndim, x->shape, to);
    int64_t swapped = to[p];
    to[p] = to[q], to[q] = swapped;
    rti_row_major(y->ndim, y->shape, from);
    if (dx.accumulate) rti_add_strided(y->ndim, y->shape, y->grad, from, dx.data, to);
    else rti_copy_strided(y->ndim, y->shape, y->grad, from, dx.data, to);
}

static rt_tensor *transpose_ends(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_transpose(g, in[0], 0, 2);
}

static rt_tensor *transpose_same(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_transpose(g, rt_transpose(g, in[0], 1, 1), 0, 1);
}

static const rt_gradcheck_case transpose_cases[] = {
    {.name = "transpose", .function = transpose_ends, .inputs = 1, .input = {{3, {2, 3, 4}}}},
    {.name = "transpose an extent of 1", .function = transpose_ends, .inputs = 1, .input = {{3, {1, 3, 2}}}},
    {.name = "transpose an axis with itself", .function = transpose_same, .inputs = 1,
     .input = {{2, {2, 3}}}},
};

const rti_op rti_op_transpose = {
    .name = "transpose", .arity = 1, .differentiable = 1, .formula = "y = x with two axes exchanged",
    .source = "",
    .shape = transpose_shape, .forward = view_forward, .backward = transpose_backward,
    .cases = transpose_cases, .case_count = sizeof transpose_cases / sizeof *transpose_cases,
};
RTI_REGISTER(op, transpose)

rt_tensor *rt_transpose(rt_graph *g, rt_tensor *x, int axis_a, int axis_b) {
    return rti_apply1(g, &rti_op_transpose, x, &(rti_attributes){.i = {axis_a, axis_b}});
}

/* ---- slice: attributes i[0] axis, i[1] begin, i[2] end ---- */

static bool slice_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    int64_t axis = n->a.i[0], begin = n->a.i[1], end = n->a.i[2];
    if (axis < 0 || axis >= x->ndim)
        return rti_op_fail(g, n, RT_SHAPE, "axis %lld; there are 0 to %d", (long long)axis, x->ndim - 1);
    if (begin < 0 || begin > end || end > x->shape[axis])
        return rti_op_fail(g, n, RT_SHAPE, "[%lld, %lld) of axis %lld, which has %lld elements",
                           (long long)begin, (long long)end, (long long)axis, (long long)x->shape[axis]);
    int64_t shape[RT_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = end - begin;
    return rti_out_view(g, n, x, x->ndim, shape, x->stride, begin * x->stride[axis]);
}

static void slice_backward(rt_graph *g, rti_node *n) {
    rt_real *dx = rti_grad_zeroed(g, n, 0);
    if (!dx) return;
    const rt_tensor *x = n->in[0], *y = n->out;
    int64_t to[RT_MAX_DIMS], from[RT_MAX_DIMS];
    rti_row_major(x->ndim, x->shape, to);
    rti_row_major(y->ndim, y->shape, from);
    rti_add_strided(y->ndim, y->shape, y->grad, from, dx + n->a.i[1] * to[n->a.i[0]], to);
}

static rt_tensor *slice_rows(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_slice(g, in[0], 0, 1, 3);
}

static rt_tensor *slice_overlapping(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_mul(g, rt_slice(g, in[0], 1, 0, 3), rt_slice(g, rt_slice(g, in[0], 1, 1, 4), 1, 0, 3));
}

static const rt_gradcheck_case slice_cases[] = {
    {.name = "slice rows", .function = slice_rows, .inputs = 1, .input = {{2, {4, 3}}}},
    {.name = "slice all of one row", .function = slice_rows, .inputs = 1, .input = {{3, {3, 1, 2}}}},
    {.name = "slice columns twice", .function = slice_overlapping, .inputs = 1, .input = {{3, {2, 4, 3}}}},
};

const rti_op rti_op_slice = {
    .name = "slice", .arity = 1, .differentiable = 1, .formula = "y[i] = x[begin + i] along one axis",
    .source = "",
    .shape = slice_shape, .forward = view_forward, .backward = slice_backward,
    .cases = slice_cases, .case_count = sizeof slice_cases / sizeof *slice_cases,
};
RTI_REGISTER(op, slice)

rt_tensor *rt_slice(rt_graph *g, rt_tensor *x, int axis, int64_t begin, int64_t end) {
    return rti_apply1(g, &rti_op_slice, x, &(rti_attributes){.i = {axis, begin, end}});
}

/* ---- concat: attribute i[0] the axis ---- */

static bool concat_shape(rt_graph *g, rti_node *n) {
    int64_t axis = n->a.i[0], shape[RT_MAX_DIMS];
    if (n->inputs < 1) return rti_op_fail(g, n, RT_VALUE, "there must be a tensor to join");
    const rt_tensor *first = n->in[0];
    if (axis < 0 || axis >= first->ndim)
        return rti_op_fail(g, n, RT_SHAPE, "axis %lld; there are 0 to %d", (long long)axis, first->ndim - 1);
    memcpy(shape, first->shape, sizeof shape);
    for (int i = 1; i < n->inputs; i++) {
        const rt_tensor *x = n->in[i];
        bool fits = x->ndim == first->ndim;
        for (int d = 0; d < first->ndim && fits; d++) fits = d == axis || x->shape[d] == first->shape[d];
        if (!fits)
            return rti_op_fail(g, n, RT_SHAPE,
                               "input %d must equal the first in every extent but that of axis %lld", i,
                               (long long)axis);
        shape[axis] += x->shape[axis];
    }
    return rti_out(g, n, first->ndim, shape);
}

static void concat_forward(rt_graph *g, rti_node *n) {
    (void)g;
    rt_tensor *y = n->out;
    rt_real *to = rt_real_data(y);
    for (int i = 0; i < n->inputs; i++) {
        const rt_tensor *x = n->in[i];
        rti_copy_strided(x->ndim, x->shape, rt_real_data(x), x->stride, to, y->stride);
        to += x->shape[n->a.i[0]] * y->stride[n->a.i[0]];
    }
}

static void concat_backward(rt_graph *g, rti_node *n) {
    const rt_tensor *y = n->out;
    const rt_real *from = y->grad;
    for (int i = 0; i < n->inputs; i++) {
        const rt_tensor *x = n->in[i];
        rti_grad dx = rti_grad_begin(g, n, i);
        if (dx.data) {
            int64_t to[RT_MAX_DIMS];
            rti_row_major(x->ndim, x->shape, to);
            if (dx.accumulate) rti_add_strided(x->ndim, x->shape, from, y->stride, dx.data, to);
            else rti_copy_strided(x->ndim, x->shape, from, y->stride, dx.data, to);
        }
        from += x->shape[n->a.i[0]] * y->stride[n->a.i[0]];
    }
}

static rt_tensor *concat_columns(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_concat(g, (rt_tensor *const[]){in[0], in[1], in[0]}, 3, 1);
}

static rt_tensor *concat_views(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    rt_tensor *const parts[] = {rt_transpose(g, in[0], 0, 1), rt_slice(g, in[1], 1, 1, 3)};
    return rt_concat(g, parts, 2, 0);
}

static rt_tensor *concat_one(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_concat(g, in, 1, 2);
}

static const rt_gradcheck_case concat_cases[] = {
    {.name = "concat columns, one of them twice", .function = concat_columns, .inputs = 2,
     .input = {{2, {3, 2}}, {2, {3, 1}}}},
    {.name = "concat views", .function = concat_views, .inputs = 2, .input = {{2, {2, 3}}, {2, {2, 4}}}},
    {.name = "concat a single tensor", .function = concat_one, .inputs = 1, .input = {{3, {2, 1, 3}}}},
};

const rti_op rti_op_concat = {
    .name = "concat", .arity = RTI_VARIADIC, .differentiable = ~0u,
    .formula = "y = x0, x1, ... joined along one axis", .source = "",
    .shape = concat_shape, .forward = concat_forward, .backward = concat_backward,
    .cases = concat_cases, .case_count = sizeof concat_cases / sizeof *concat_cases,
};
RTI_REGISTER(op, concat)

rt_tensor *rt_concat(rt_graph *g, rt_tensor *const x[], int count, int axis) {
    return rti_apply(g, &rti_op_concat, x, count, &(rti_attributes){.i = {axis}});
}

/* ---- gather_rows ---- */

static bool gather_rows_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0], *index = n->in[1];
    if (x->ndim < 1) return rti_op_fail(g, n, RT_SHAPE, "a single number has no rows");
    if (index->dtype != RT_DTYPE_I32 || index->ndim != 1)
        return rti_op_fail(g, n, RT_SHAPE, "the index must be a list (M) of 32-bit integers");
    int64_t shape[RT_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[0] = index->shape[0];
    for (int64_t i = 0; i < shape[0]; i++) {
        int32_t row = rt_i32_data(index)[i * index->stride[0]];
        if (row < 0 || row >= x->shape[0])
            return rti_op_fail(g, n, RT_VALUE, "entry %lld of the index is row %d; there are %lld rows",
                               (long long)i, (int)row, (long long)x->shape[0]);
    }
    return rti_out(g, n, x->ndim, shape);
}

static void gather_rows_forward(rt_graph *g, rti_node *n) {
    (void)g;
    const rt_tensor *x = n->in[0], *index = n->in[1], *y = n->out;
    for (int64_t i = 0; i < y->shape[0]; i++) {
        int64_t row = rt_i32_data(index)[i * index->stride[0]];
        rti_copy_strided(x->ndim - 1, x->shape + 1, rt_real_data(x) + row * x->stride[0], x->stride + 1,
                         rt_real_data(y) + i * y->stride[0], y->stride + 1);
    }
}

/* A row that was taken often gets the sum, in the order of the index. */
static void gather_rows_backward(rt_graph *g, rti_node *n) {
    rt_real *dx = rti_grad_zeroed(g, n, 0);
    if (!dx) return;
    const rt_tensor *index = n->in[1], *y = n->out;
    int64_t width = 1;
    for (int d = 1; d < y->ndim; d++) width *= y->shape[d];
    for (int64_t i = 0; i < y->shape[0]; i++) {
        rt_real *row = dx + rt_i32_data(index)[i * index->stride[0]] * width;
        rti_add(width, row, y->grad + i * width, row);
    }
}

static const int32_t gather_index[] = {2, 0, 2, 1};

static rt_tensor *gather_rows_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_gather_rows(g, in[0], rt_graph_labels(g, gather_index, 4));
}

static rt_tensor *gather_rows_turned(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_gather_rows(g, rt_transpose(g, in[0], 0, 1), rt_graph_labels(g, gather_index, 3));
}

static const rt_gradcheck_case gather_rows_cases[] = {
    {.name = "gather_rows", .function = gather_rows_plain, .inputs = 1, .input = {{2, {3, 4}}}},
    {.name = "gather_rows of numbers", .function = gather_rows_plain, .inputs = 1, .input = {{1, {3}}}},
    {.name = "gather_rows of a view", .function = gather_rows_turned, .inputs = 1, .input = {{3, {2, 3, 2}}}},
};

const rti_op rti_op_gather_rows = {
    .name = "gather_rows", .arity = 2, .differentiable = 1, .formula = "y[i] = x[index[i]]", .source = "",
    .shape = gather_rows_shape, .forward = gather_rows_forward, .backward = gather_rows_backward,
    .cases = gather_rows_cases, .case_count = sizeof gather_rows_cases / sizeof *gather_rows_cases,
};
RTI_REGISTER(op, gather_rows)

rt_tensor *rt_gather_rows(rt_graph *g, rt_tensor *x, rt_tensor *index) {
    return rti_apply2(g, &rti_op_gather_rows, x, index, NULL);
}
