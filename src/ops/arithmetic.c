/* arithmetic.c - add, sub, mul, div with broadcasting; scale, add_scalar.   Floor 5 (ops)
 *
 * A broadcast input is read with strides of 0. Its gradient is the sum over everything it was
 * repeated to, so backward writes through the same strides, added up in row-major order. */
#include <string.h>

#include "ops/elementwise.h"

/* ---- what the four have in common ---- */

static bool binary_shape(rt_graph *g, rti_node *n) {
    int ndim;
    int64_t shape[RT_MAX_DIMS];
    if (!rti_broadcast_shape(n->in[0], n->in[1], &ndim, shape))
        return rti_op_fail(g, n, RT_SHAPE, "extents, aligned at the right, must be equal or 1");
    return rti_out(g, n, ndim, shape);
}

/* One row of a result: out is contiguous, a and b lie at their steps. */
typedef void row_forward(int64_t n, const rt_real *a, int64_t sa, const rt_real *b, int64_t sb, rt_real *out);

static void binary_forward(const rti_node *n, row_forward *row) {
    const rt_tensor *out = n->out;
    int64_t a[RT_MAX_DIMS], b[RT_MAX_DIMS];
    rti_broadcast_strides(n->in[0], false, out->ndim, out->shape, a);
    rti_broadcast_strides(n->in[1], false, out->ndim, out->shape, b);
    const int64_t *strides[] = {a, b, out->stride};
    for (rti_walk w = rti_walk_begin(out->ndim, out->shape, 3, strides); w.n; rti_walk_next(&w))
        row(w.n, rt_real_data(n->in[0]) + w.offset[0], w.step[0], rt_real_data(n->in[1]) + w.offset[1],
            w.step[1], rt_real_data(out) + w.offset[2]);
}

/* The gradient of input i of one element, given dy and both inputs. */
typedef rt_real slope(rt_real dy, rt_real a, rt_real b);

/* One row of the gradient. dx lies at its step: 1, or 0 when the row is one repeated element. */
RTI_INLINED void row_backward(int64_t n, const rt_real *dy, const rt_real *a, int64_t sa, const rt_real *b,
                              int64_t sb, rt_real *dx, int64_t step, bool accumulate, slope *f) {
    if (step == 0) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += (double)f(dy[i], a[i * sa], b[i * sb]);
        dx[0] += (rt_real)sum;
    } else if (accumulate) {
        for (int64_t i = 0; i < n; i++) dx[i] += f(dy[i], a[i * sa], b[i * sb]);
    } else if (sa == 1 && sb == 1) {
        for (int64_t i = 0; i < n; i++) dx[i] = f(dy[i], a[i], b[i]);
    } else {
        for (int64_t i = 0; i < n; i++) dx[i] = f(dy[i], a[i * sa], b[i * sb]);
    }
}

RTI_INLINED void binary_backward(rt_graph *g, rti_node *n, int input, slope *f) {
    const rt_tensor *out = n->out;
    bool repeated = !rt_tensor_same_shape(n->in[input], out);
    rti_grad dx = {NULL, true};
    if (repeated) dx.data = rti_grad_zeroed(g, n, input);
    else dx = rti_grad_begin(g, n, input);
    if (!dx.data) return;

    int64_t a[RT_MAX_DIMS], b[RT_MAX_DIMS], x[RT_MAX_DIMS];
    rti_broadcast_strides(n->in[0], false, out->ndim, out->shape, a);
    rti_broadcast_strides(n->in[1], false, out->ndim, out->shape, b);
    rti_broadcast_strides(n->in[input], true, out->ndim, out->shape, x);
    const int64_t *strides[] = {a, b, x, out->stride};
    for (rti_walk w = rti_walk_begin(out->ndim, out->shape, 4, strides); w.n; rti_walk_next(&w))
        row_backward(w.n, out->grad + w.offset[3], rt_real_data(n->in[0]) + w.offset[0], w.step[0],
                     rt_real_data(n->in[1]) + w.offset[1], w.step[1], dx.data + w.offset[2], w.step[2],
                     dx.accumulate, f);
}

/* ---- cases: same shapes, rows and columns repeated, views, extents of 1, single numbers ---- */

#define BINARY_FUNCTIONS(op)                                                                              \
    static rt_tensor *op##_plain(rt_graph *g, rt_tensor *const in[], const void *context) {               \
        (void)context;                                                                                    \
        return rt_##op(g, in[0], in[1]);                                                                  \
    }                                                                                                     \
    static rt_tensor *op##_turned(rt_graph *g, rt_tensor *const in[], const void *context) {              \
        (void)context;                                                                                    \
        return rt_##op(g, rt_transpose(g, in[0], 0, 1), rt_slice(g, in[1], 1, 1, 3));                     \
    }                                                                                                     \
    static rt_tensor *op##_twice(rt_graph *g, rt_tensor *const in[], const void *context) {               \
        (void)context;                                                                                    \
        return rt_##op(g, in[0], rt_##op(g, in[0], rt_##op(g, in[0], in[1])));                            \
    }

/* Denominators stay away from 0. */
#define BINARY_CASES(op)                                                                                  \
    {.name = #op " same shape", .function = op##_plain, .inputs = 2,                                      \
     .input = {{2, {3, 4}}, {2, {3, 4}}}, .low = 0.5, .high = 2},                                         \
    {.name = #op " row repeated", .function = op##_plain, .inputs = 2,                                    \
     .input = {{2, {3, 4}}, {1, {4}}}, .low = 0.5, .high = 2},                                            \
    {.name = #op " column and outer axis repeated", .function = op##_plain, .inputs = 2,                  \
     .input = {{2, {3, 1}}, {3, {2, 3, 4}}}, .low = 0.5, .high = 2},                                      \
    {.name = #op " both repeated", .function = op##_plain, .inputs = 2,                                   \
     .input = {{4, {2, 1, 3, 1}}, {3, {4, 1, 2}}}, .low = 0.5, .high = 2},                                \
    {.name = #op " single numbers", .function = op##_plain, .inputs = 2,                                  \
     .input = {{0, {0}}, {2, {1, 1}}}, .low = 0.5, .high = 2},                                            \
    {.name = #op " number and matrix", .function = op##_plain, .inputs = 2,                               \
     .input = {{0, {0}}, {2, {3, 2}}}, .low = 0.5, .high = 2},                                            \
    {.name = #op " of views", .function = op##_turned, .inputs = 2,                                       \
     .input = {{2, {2, 3}}, {2, {3, 4}}}, .low = 0.5, .high = 2},                                         \
    {.name = #op " with one input used often", .function = op##_twice, .inputs = 2,                       \
     .input = {{2, {3, 2}}, {2, {3, 2}}}, .low = 0.5, .high = 2}

/* ---- add ---- */

static void add_row(int64_t n, const rt_real *a, int64_t sa, const rt_real *b, int64_t sb, rt_real *out) {
    if (sa == 1 && sb == 1) {
        rti_add(n, a, b, out);
        return;
    }
    for (int64_t i = 0; i < n; i++) out[i] = a[i * sa] + b[i * sb];
}

static rt_real add_slope(rt_real dy, rt_real a, rt_real b) {
    (void)a, (void)b;
    return dy;
}

static void add_forward(rt_graph *g, rti_node *n) {
    (void)g;
    binary_forward(n, add_row);
}

/* Without repetitions both gradients are dy itself. */
static void add_backward(rt_graph *g, rti_node *n) {
    const rt_tensor *out = n->out;
    if (!rt_tensor_same_shape(n->in[0], out) || !rt_tensor_same_shape(n->in[1], out)) {
        binary_backward(g, n, 0, add_slope);
        binary_backward(g, n, 1, add_slope);
        return;
    }
    const rt_real *dy = out->grad;
    const int64_t count = rt_tensor_count(out);
    for (int i = 1; i >= 0; i--) {
        const rti_grad d = i ? rti_grad_begin(g, n, i) : rti_grad_take(g, n, i);
        if (!d.data || d.data == dy || count == 0) continue;
        if (d.accumulate) rti_add(count, d.data, dy, d.data);
        else memcpy(d.data, dy, (size_t)count * sizeof *dy);
    }
}

BINARY_FUNCTIONS(add)
static const rt_gradcheck_case add_cases[] = {BINARY_CASES(add)};

const rti_op rti_op_add = {
    .name = "add", .arity = 2, .differentiable = 3, .formula = "y = a + b", .source = "",
    .shape = binary_shape, .forward = add_forward, .backward = add_backward,
    .cases = add_cases, .case_count = sizeof add_cases / sizeof *add_cases,
};
RTI_REGISTER(op, add)

rt_tensor *rt_add(rt_graph *g, rt_tensor *a, rt_tensor *b) { return rti_apply2(g, &rti_op_add, a, b, NULL); }

/* ---- sub ---- */

static void sub_row(int64_t n, const rt_real *a, int64_t sa, const rt_real *b, int64_t sb, rt_real *out) {
    if (sa == 1 && sb == 1) {
        rti_sub(n, a, b, out);
        return;
    }
    for (int64_t i = 0; i < n; i++) out[i] = a[i * sa] - b[i * sb];
}

static rt_real sub_slope_b(rt_real dy, rt_real a, rt_real b) {
    (void)a, (void)b;
    return -dy;
}

static void sub_forward(rt_graph *g, rti_node *n) {
    (void)g;
    binary_forward(n, sub_row);
}

static void sub_backward(rt_graph *g, rti_node *n) {
    binary_backward(g, n, 0, add_slope);
    binary_backward(g, n, 1, sub_slope_b);
}

BINARY_FUNCTIONS(sub)
static const rt_gradcheck_case sub_cases[] = {BINARY_CASES(sub)};

const rti_op rti_op_sub = {
    .name = "sub", .arity = 2, .differentiable = 3, .formula = "y = a - b", .source = "",
    .shape = binary_shape, .forward = sub_forward, .backward = sub_backward,
    .cases = sub_cases, .case_count = sizeof sub_cases / sizeof *sub_cases,
};
RTI_REGISTER(op, sub)

rt_tensor *rt_sub(rt_graph *g, rt_tensor *a, rt_tensor *b) { return rti_apply2(g, &rti_op_sub, a, b, NULL); }

/* ---- mul ---- */

static void mul_row(int64_t n, const rt_real *a, int64_t sa, const rt_real *b, int64_t sb, rt_real *out) {
    if (sa == 1 && sb == 1) {
        rti_mul(n, a, b, out);
        return;
    }
    for (int64_t i = 0; i < n; i++) out[i] = a[i * sa] * b[i * sb];
}

static rt_real mul_slope_a(rt_real dy, rt_real a, rt_real b) {
    (void)a;
    return dy * b;
}

static rt_real mul_slope_b(rt_real dy, rt_real a, rt_real b) {
    (void)b;
    return dy * a;
}

static void mul_forward(rt_graph *g, rti_node *n) {
    (void)g;
    binary_forward(n, mul_row);
}

static void mul_backward(rt_graph *g, rti_node *n) {
    binary_backward(g, n, 0, mul_slope_a);
    binary_backward(g, n, 1, mul_slope_b);
}

BINARY_FUNCTIONS(mul)
static const rt_gradcheck_case mul_cases[] = {BINARY_CASES(mul)};

const rti_op rti_op_mul = {
    .name = "mul", .arity = 2, .differentiable = 3, .formula = "y = a * b", .source = "",
    .shape = binary_shape, .forward = mul_forward, .backward = mul_backward,
    .cases = mul_cases, .case_count = sizeof mul_cases / sizeof *mul_cases,
};
RTI_REGISTER(op, mul)

rt_tensor *rt_mul(rt_graph *g, rt_tensor *a, rt_tensor *b) { return rti_apply2(g, &rti_op_mul, a, b, NULL); }

/* ---- div:  da = dy / b,  db = -dy a / b^2 ---- */

static void div_row(int64_t n, const rt_real *a, int64_t sa, const rt_real *b, int64_t sb, rt_real *out) {
    for (int64_t i = 0; i < n; i++) out[i] = a[i * sa] / b[i * sb];
}

static rt_real div_slope_a(rt_real dy, rt_real a, rt_real b) {
    (void)a;
    return dy / b;
}

static rt_real div_slope_b(rt_real dy, rt_real a, rt_real b) { return -dy * (a / b) / b; }

static void div_forward(rt_graph *g, rti_node *n) {
    (void)g;
    binary_forward(n, div_row);
}

static void div_backward(rt_graph *g, rti_node *n) {
    binary_backward(g, n, 0, div_slope_a);
    binary_backward(g, n, 1, div_slope_b);
}

BINARY_FUNCTIONS(div)
static const rt_gradcheck_case div_cases[] = {BINARY_CASES(div)};

const rti_op rti_op_div = {
    .name = "div", .arity = 2, .differentiable = 3, .formula = "y = a / b", .source = "",
    .shape = binary_shape, .forward = div_forward, .backward = div_backward,
    .cases = div_cases, .case_count = sizeof div_cases / sizeof *div_cases,
};
RTI_REGISTER(op, div)

rt_tensor *rt_div(rt_graph *g, rt_tensor *a, rt_tensor *b) { return rti_apply2(g, &rti_op_div, a, b, NULL); }

/* ---- scale and add_scalar: y = factor x, y = x + term. The number is attribute f[0] ---- */

static void scale_forward(rt_graph *g, rti_node *n) {
    (void)g;
    const rt_tensor *x = n->in[0], *y = n->out;
    rt_real factor = (rt_real)n->a.f[0];
    const int64_t *strides[] = {x->stride, y->stride};
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w)) {
        const rt_real *from = rt_real_data(x) + w.offset[0];
        rt_real *to = rt_real_data(y) + w.offset[1];
        if (w.step[0] == 1) rti_scale(w.n, factor, from, to);
        else
            for (int64_t i = 0; i < w.n; i++) to[i] = factor * from[i * w.step[0]];
    }
}

/* dx (+)= factor dy */
static void scaled_gradient(rt_graph *g, rti_node *n, rt_real factor) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    int64_t count = rt_tensor_count(n->out);
    if (dx.accumulate) rti_axpy(count, factor, n->out->grad, dx.data);
    else rti_scale(count, factor, n->out->grad, dx.data);
}

static void scale_backward(rt_graph *g, rti_node *n) { scaled_gradient(g, n, (rt_real)n->a.f[0]); }

static rt_tensor *scale_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_scale(g, in[0], -2.5);
}

static rt_tensor *scale_turned(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_scale(g, rt_transpose(g, rt_slice(g, in[0], 0, 1, 3), 0, 1), 0.7);
}

static const rt_gradcheck_case scale_cases[] = {
    {.name = "scale", .function = scale_plain, .inputs = 1, .input = {{2, {3, 4}}}},
    {.name = "scale a number", .function = scale_plain, .inputs = 1, .input = {{0, {0}}}},
    {.name = "scale a view", .function = scale_turned, .inputs = 1, .input = {{2, {3, 4}}}},
};

const rti_op rti_op_scale = {
    .name = "scale", .arity = 1, .differentiable = 1, .formula = "y = factor x", .source = "",
    .shape = rti_elementwise_shape, .forward = scale_forward, .backward = scale_backward,
    .cases = scale_cases, .case_count = sizeof scale_cases / sizeof *scale_cases,
};
RTI_REGISTER(op, scale)

rt_tensor *rt_scale(rt_graph *g, rt_tensor *x, double factor) {
    return rti_apply1(g, &rti_op_scale, x, &(rti_attributes){.f = {factor}});
}

static rt_real add_scalar_value(rt_real x, const rti_attributes *a) { return x + (rt_real)a->f[0]; }

static void add_scalar_forward(rt_graph *g, rti_node *n) {
    (void)g;
    rti_elementwise_forward(n, add_scalar_value);
}

static void add_scalar_backward(rt_graph *g, rti_node *n) { scaled_gradient(g, n, 1); }

static rt_tensor *add_scalar_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_add_scalar(g, in[0], 3.25);
}

static rt_tensor *add_scalar_turned(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_add_scalar(g, rt_transpose(g, rt_add_scalar(g, in[0], -1), 0, 2), 2);
}

static const rt_gradcheck_case add_scalar_cases[] = {
    {.name = "add_scalar", .function = add_scalar_plain, .inputs = 1, .input = {{2, {3, 4}}}},
    {.name = "add_scalar to a number", .function = add_scalar_plain, .inputs = 1, .input = {{0, {0}}}},
    {.name = "add_scalar to a view", .function = add_scalar_turned, .inputs = 1, .input = {{3, {2, 1, 3}}}},
};

const rti_op rti_op_add_scalar = {
    .name = "add_scalar", .arity = 1, .differentiable = 1, .formula = "y = x + term", .source = "",
    .shape = rti_elementwise_shape, .forward = add_scalar_forward, .backward = add_scalar_backward,
    .cases = add_scalar_cases, .case_count = sizeof add_scalar_cases / sizeof *add_scalar_cases,
};
RTI_REGISTER(op, add_scalar)

rt_tensor *rt_add_scalar(rt_graph *g, rt_tensor *x, double term) {
    return rti_apply1(g, &rti_op_add_scalar, x, &(rti_attributes){.f = {term}});
}
