/* image_shape.c - images turned round, with borders, larger; a residual sum.  Floor 5 (ops) */
#include <string.h>

#include "core/pool.h"
#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/image.h"
#include "tensor/strided.h"

#define CASE_FUNCTION(name, expression)                                                             \
    static rt_tensor *name(rt_graph *g, rt_tensor *const in[], const void *context) {               \
        rt_tensor *x = in[0];                                                                       \
        (void)context;                                                                              \
        return expression;                                                                          \
    }

static bool wants_image(rt_graph *g, rti_node *n) {
    return n->in[0]->ndim == 4 || rti_op_fail(g, n, RT_SHAPE, "an image has 4 dimensions");
}

/* ---- channels_last: (N, C, H, W) -> (N, H, W, C) ---- */

static bool channels_last_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    if (!wants_image(g, n)) return false;
    const int64_t *s = x->shape, shape[] = {s[0], s[2], s[3], s[1]};
    if (s[1] != 1 && s[2] * s[3] != 1) return rti_out(g, n, 4, shape);
    const int64_t stride[] = {x->stride[0], x->stride[2], x->stride[3], x->stride[1]};
    n->a.i[0] = 1; /* a view */
    return rti_out_view(g, n, x, 4, shape, stride, 0);
}

static void channels_last_forward(rt_graph *g, rti_node *n) {
    (void)g;
    if (n->a.i[0]) return;
    const rt_tensor *x = n->in[0], *y = n->out;
    const int64_t *s = x->shape, pixels = s[2] * s[3], C = s[1];
    const rt_real *from = rt_real_data(x);
    rt_real *to = rt_real_data(y);
    if (!rt_tensor_is_contiguous(x)) {
        const int64_t stride[] = {x->stride[0], x->stride[2], x->stride[3], x->stride[1]};
        rti_copy_strided(4, y->shape, from, stride, to, y->stride);
        return;
    }
    for (int64_t i = 0; i < s[0]; i++)
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t c = 0; c < C; c++) to[(i * pixels + p) * C + c] = from[(i * C + c) * pixels + p];
}

static void channels_last_backward(rt_graph *g, rti_node *n) {
    const rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    int64_t stride[4], back[4];
    rti_row_major(4, n->out->shape, stride);
    back[0] = stride[0], back[1] = stride[3], back[2] = stride[1], back[3] = stride[2];
    rti_row_major(4, n->in[0]->shape, stride);
    (dx.accumulate ? rti_add_strided : rti_copy_strided)(4, n->in[0]->shape, n->out->grad, back, dx.data,
                                                         stride);
}

CASE_FUNCTION(channels_last_plain, rt_channels_last(g, x))
CASE_FUNCTION(channels_last_turned, rt_channels_last(g, rt_transpose(g, x, 1, 3)))
static const rt_gradcheck_case channels_last_cases[] = {
    {.name = "channels_last", .function = channels_last_plain, .inputs = 1, .input = {{4, {2, 3, 2, 4}}}},
    {.name = "channels_last of grey images", .function = channels_last_plain, .inputs = 1,
     .input = {{4, {2, 1, 2, 4}}}},
    {.name = "channels_last of a view", .function = channels_last_turned, .inputs = 1,
     .input = {{4, {2, 3, 2, 4}}}},
};
const rti_op rti_op_channels_last = {
    .name = "channels_last", .arity = 1, .differentiable = 1,
    .formula = "y[n,h,w,c] = x[n,c,h,w]", .source = "",
    .shape = channels_last_shape, .forward = channels_last_forward, .backward = channels_last_backward,
    .cases = channels_last_cases, .case_count = RTI_COUNT(channels_last_cases),
};
RTI_REGISTER(op, channels_last)

rt_tensor *rt_channels_last(rt_graph *g, rt_tensor *x) {
    return rti_apply1(g, &rti_op_channels_last, x, NULL);
}

/* ---- pad2d: i[0] ... i[3] top, bottom, left, right; f[0] the value ---- */

static bool pad2d_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    const int64_t *a = n->a.i;
    if (!wants_image(g, n)) return false;
    for (int i = 0; i < 4; i++)
        if (a[i] < 0) return rti_op_fail(g, n, RT_VALUE, "a border of %lld pixels", (long long)a[i]);
    const int64_t shape[] = {x->shape[0], a[0] + x->shape[1] + a[1], a[2] + x->shape[2] + a[3], x->shape[3]};
    return rti_out(g, n, 4, shape);
}

/* Where the image begins in the one with the border. */
static int64_t pad2d_offset(const rti_node *n) {
    return (n->a.i[0] * n->out->shape[2] + n->a.i[2]) * n->out->shape[3];
}

static void pad2d_forward(rt_graph *g, rti_node *n) {
    (void)g;
    const rt_tensor *x = n->in[0], *y = n->out;
    rti_fill(rt_tensor_count(y), (rt_real)n->a.f[0], rt_real_data(y));
    rti_copy_strided(4, x->shape, rt_real_data(x), x->stride, rt_real_data(y) + pad2d_offset(n), y->stride);
}

static void pad2d_backward(rt_graph *g, rti_node *n) {
    const rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    int64_t stride[4], own[4];
    rti_row_major(4, n->out->shape, stride);
    rti_row_major(4, n->in[0]->shape, own);
    (dx.accumulate ? rti_add_strided : rti_copy_strided)(4, n->in[0]->shape, n->out->grad + pad2d_offset(n),
                                                         stride, dx.data, own);
}

CASE_FUNCTION(pad2d_plain, rt_pad2d(g, x, 1, 2, 0, 3, 0.5))
CASE_FUNCTION(pad2d_turned, rt_pad2d(g, rt_transpose(g, x, 1, 3), 1, 0, 1, 0, 0))
static const rt_gradcheck_case pad2d_cases[] = {
    {.name = "pad2d", .function = pad2d_plain, .inputs = 1, .input = {{4, {2, 3, 2, 2}}}},
    {.name = "pad2d of a view", .function = pad2d_turned, .inputs = 1, .input = {{4, {2, 3, 2, 2}}}},
};
const rti_op rti_op_pad2d = {
    .name = "pad2d", .arity = 1, .differentiable = 1,
    .formula = "y = x with a border of one value", .source = "",
    .shape = pad2d_shape, .forward = pad2d_forward, .backward = pad2d_backward,
    .cases = pad2d_cases, .case_count = RTI_COUNT(pad2d_cases),
};
RTI_REGISTER(op, pad2d)

rt_tensor *rt_pad2d(rt_graph *g, rt_tensor *x, int top, int bottom, int left, int right, double value) {
    return rti_apply1(g, &rti_op_pad2d, x,
                      &(rti_attributes){.i = {top, bottom, left, right}, .f = {value}});
}

/* ---- upsample_nearest: row i comes from row i H / H' ---- */

static bool upsample_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    if (!wants_image(g, n)) return false;
    if (n->a.i[0] < 1 || n->a.i[1] < 1 || x->shape[1] < 1 || x->shape[2] < 1)
        return rti_op_fail(g, n, RT_VALUE, "to %lld x %lld pixels", (long long)n->a.i[0],
                           (long long)n->a.i[1]);
    return rti_out(g, n, 4, (const int64_t[]){x->shape[0], n->a.i[0], n->a.i[1], x->shape[3]});
}

/* Element of x, seen as contiguous, that the first channel of pixel p of y comes from. */
static int64_t upsample_source(const rti_node *n, int64_t p) {
    const int64_t *s = n->in[0]->shape, *to = n->out->shape;
    const int64_t image = p / (to[1] * to[2]), row = p / to[2] % to[1], column = p % to[2];
    return ((image * s[1] + row * s[1] / to[1]) * s[2] + column * s[2] / to[2]) * s[3];
}

static void upsample_forward(rt_graph *g, rti_node *n) {
    const rt_real *x = rti_contiguous(g, n->in[0]);
    if (!x) return;
    const int64_t C = n->out->shape[3], pixels = C ? rt_tensor_count(n->out) / C : 0;
    for (int64_t p = 0; p < pixels; p++)
        memcpy(rt_real_data(n->out) + p * C, x + upsample_source(n, p), (size_t)C * sizeof *x);
}

static void upsample_backward(rt_graph *g, rti_node *n) {
    rt_real *dx = rti_grad_zeroed(g, n, 0);
    if (!dx) return;
    const int64_t C = n->out->shape[3], pixels = C ? rt_tensor_count(n->out) / C : 0;
    for (int64_t p = 0; p < pixels; p++) {
        rt_real *to = dx + upsample_source(n, p);
        for (int64_t c = 0; c < C; c++) to[c] += n->out->grad[p * C + c];
    }
}

CASE_FUNCTION(upsample_plain, rt_upsample_nearest(g, x, 5, 6))
CASE_FUNCTION(upsample_turned, rt_upsample_nearest(g, rt_transpose(g, x, 1, 3), 2, 5))
static const rt_gradcheck_case upsample_nearest_cases[] = {
    {.name = "upsample_nearest", .function = upsample_plain, .inputs = 1, .input = {{4, {2, 2, 3, 2}}}},
    {.name = "upsample_nearest of a view", .function = upsample_turned, .inputs = 1,
     .input = {{4, {2, 3, 2, 2}}}},
};
const rti_op rti_op_upsample_nearest = {
    .name = "upsample_nearest", .arity = 1, .differentiable = 1,
    .formula = "y[i,j] = x[i H / H', j W / W']", .source = "",
    .shape = upsample_shape, .forward = upsample_forward, .backward = upsample_backward,
    .cases = upsample_nearest_cases, .case_count = RTI_COUNT(upsample_nearest_cases),
};
RTI_REGISTER(op, upsample_nearest)

rt_tensor *rt_upsample_nearest(rt_graph *g, rt_tensor *x, int64_t height, int64_t width) {
    return rti_apply1(g, &rti_op_upsample_nearest, x, &(rti_attributes){.i = {height, width}});
}

/* ---- add_relu: y = max(0, a + b) ---- */

static bool add_relu_shape(rt_graph *g, rti_node *n) {
    if (!rt_tensor_same_shape(n->in[0], n->in[1]))
        return rti_op_fail(g, n, RT_SHAPE, "both must have one shape");
    return rti_out_like(g, n, n->in[0]);
}

static void add_relu_forward(rt_graph *g, rti_node *n) {
    const rt_real *a = rti_contiguous(g, n->in[0]), *b = a ? rti_contiguous(g, n->in[1]) : NULL;
    if (!b) return;
    rt_real *y = rt_real_data(n->out);
    const int64_t count = rt_tensor_count(n->out);
    enum { PIECE = 4096 }; /* stays in the cache between sum and relu */
    for (int64_t i = 0; i < count; i += PIECE) {
        const int64_t some = count - i < PIECE ? count - i : PIECE;
        rti_add(some, a + i, b + i, y + i);
        rti_relu(some, y + i, y + i);
    }
}

static void add_relu_backward(rt_graph *g, rti_node *n) {
    const rt_real *dy = n->out->grad;
    for (int i = 1; i >= 0; i--) {
        const rti_grad d = i ? rti_grad_begin(g, n, i) : rti_grad_take(g, n, i);
        if (d.data)
            rti_relu_backward(rt_tensor_count(n->out), rt_real_data(n->out), dy, d.data, d.accumulate);
    }
}

CASE_FUNCTION(add_relu_plain, rt_add_relu(g, x, in[1]))
CASE_FUNCTION(add_relu_twice, rt_add_relu(g, x, x))
static const rt_gradcheck_case add_relu_cases[] = {
    {.name = "add_relu", .function = add_relu_plain, .inputs = 2, .input = {{2, {3, 4}}, {2, {3, 4}}}},
    {.name = "add_relu of one tensor twice", .function = add_relu_twice, .inputs = 1, .input = {{2, {3, 4}}},
     .kink_count = 1},
};
const rti_op rti_op_add_relu = {
    .name = "add_relu", .arity = 2, .differentiable = 3, .formula = "y = max(0, a + b)",
    .source = "He et al. 2015, arXiv 1512.03385, figure 2",
    .shape = add_relu_shape, .forward = add_relu_forward, .backward = add_relu_backward,
    .cases = add_relu_cases, .case_count = RTI_COUNT(add_relu_cases),
};
RTI_REGISTER(op, add_relu)

rt_tensor *rt_add_relu(rt_graph *g, rt_tensor *a, rt_tensor *b) {
    return rti_apply2(g, &rti_op_add_relu, a, b, NULL);
}
