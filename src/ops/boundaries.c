/* boundaries.c - squared distances that hold on one side only.         Floor 5 (ops)
 *
 * Both compare what stands ahead of the relu, student s and teacher t of one shape, and say nothing where the
 * relu would make both answers equal. They are smooth: a distance starts from 0 at its boundary. Only s
 * receives a gradient. Keep the slopes. */
#include <math.h>

#include "graph/op.h"
#include "retort/ops.h"

/* ---- L = mean of f(s, t, margin);  ds = f' dL / count ---- */

static bool boundary_shape(rt_graph *g, rti_node *n) {
    if (!rt_tensor_same_shape(n->in[0], n->in[1]))
        return rti_op_fail(g, n, RT_SHAPE, "the shapes of student and teacher must be equal");
    if (rt_tensor_count(n->in[0]) == 0) return rti_op_fail(g, n, RT_SHAPE, "there is nothing to average");
    return rti_out(g, n, 0, NULL);
}

/* The value of f is the square of what is returned, its slope twice that. */
typedef double boundary_side(double s, double t, double margin);

/* margins: C numbers, by the last axis. */
static void boundary_forward(rt_graph *g, rti_node *n, int64_t C, const rt_real *margins,
                             boundary_side *side) {
    int64_t count = rt_tensor_count(n->in[0]);
    const rt_real *s = rti_contiguous(g, n->in[0]), *t = rti_contiguous(g, n->in[1]);
    rt_real *slope = rti_step_alloc(g, (size_t)count * sizeof *slope);
    if (!s || !t || !slope || !margins) return;
    n->saved = slope;
    double total = 0;
    for (int64_t at = 0; at < count; at += C)
        for (int64_t c = 0; c < C; c++) {
            double d = side((double)s[at + c], (double)t[at + c], (double)margins[c]);
            total += d * d;
            slope[at + c] = (rt_real)(2 * d);
        }
    rt_real_data(n->out)[0] = (rt_real)(total / (double)count);
}

static void boundary_backward(rt_graph *g, rti_node *n) {
    rti_grad ds = rti_grad_begin(g, n, 0);
    if (!ds.data) return;
    int64_t count = rt_tensor_count(n->in[0]);
    const rt_real *slope = n->saved;
    double factor = (double)n->out->grad[0] / (double)count;
    for (int64_t i = 0; i < count; i++) {
        rt_real part = (rt_real)(factor * (double)slope[i]);
        ds.data[i] = ds.accumulate ? ds.data[i] + part : part;
    }
}

/* ---- activation_boundary: the student's neuron is to be on as the teacher's is, by a margin m ----
 *
 *   teacher off (t <= 0):  (s + m)^2 where s > -m      teacher on (t > 0):  (s - m)^2 where s <= m        */

static double activation_side(double s, double t, double m) {
    if (t > 0) return s > m ? 0 : s - m; /* a NaN stays one */
    return s <= -m ? 0 : s + m;
}

static bool activation_boundary_shape(rt_graph *g, rti_node *n) {
    if (!(n->a.f[0] >= 0))
        return rti_op_fail(g, n, RT_VALUE, "the margin is %g, it must not be negative", n->a.f[0]);
    return boundary_shape(g, n);
}

static void activation_boundary_forward(rt_graph *g, rti_node *n) {
    rt_real margin = (rt_real)n->a.f[0];
    boundary_forward(g, n, 1, &margin, activation_side);
}

static const double boundary_margins[] = {1, 0.25};

static rt_tensor *activation_boundary_case(rt_graph *g, rt_tensor *const x[], const void *margin) {
    return rt_activation_boundary(g, x[0], x[1], *(const double *)margin);
}
#define BOUNDARY_INPUTS \
    .inputs = 2, .input = {{4, {2, 3, 2, 4}}, {4, {2, 3, 2, 4}}}, .constant = 2, .low = -2, .high = 2
static const rt_gradcheck_case activation_boundary_cases[] = {
    {.name = "margin 1",
     .function = activation_boundary_case,
     BOUNDARY_INPUTS,
     .context = &boundary_margins[0]},
    {.name = "margin 1/4",
     .function = activation_boundary_case,
     BOUNDARY_INPUTS,
     .context = &boundary_margins[1]},
};

const rti_op rti_op_activation_boundary = {
    .name = "activation_boundary", .arity = 2, .differentiable = 1,
    .formula = "L = mean of (s + m)^2 where s > -m and t <= 0, (s - m)^2 where s <= m and t > 0",
    .source = "Heo, Lee, Yun, Choi 2019, arXiv 1811.03233, eq. 5",
    .shape = activation_boundary_shape, .forward = activation_boundary_forward, .backward = boundary_backward,
    .cases = activation_boundary_cases, .case_count = RTI_COUNT(activation_boundary_cases),
};
RTI_REGISTER(op, activation_boundary)

rt_tensor *rt_activation_boundary(rt_graph *g, rt_tensor *s, rt_tensor *t, double margin) {
    return rti_apply2(g, &rti_op_activation_boundary, s, t, &(rti_attributes){.f = {margin}});
}

/* ---- partial_l2: with t' = max(t, margin_c), 0 where s <= t' <= 0, else (s - t')^2 ---- */

static double partial_side(double s, double t, double margin) {
    double target = t > margin ? t : margin;
    return s <= target && target <= 0 ? 0 : s - target;
}

static bool partial_l2_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *s = n->in[0], *margin = n->in[2];
    if (s->ndim < 1 || margin->dtype != RT_DTYPE_REAL || margin->ndim != 1 ||
        margin->shape[0] != s->shape[s->ndim - 1])
        return rti_op_fail(g, n, RT_SHAPE, "there must be one margin for each channel, (C)");
    return boundary_shape(g, n);
}

static void partial_l2_forward(rt_graph *g, rti_node *n) {
    boundary_forward(g, n, n->in[2]->shape[0], rti_contiguous(g, n->in[2]), partial_side);
}

static rt_tensor *partial_l2_case(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    static const rt_real margins[] = {-0.5, -1, 0, -0.1};
    return rt_partial_l2(g, x[0], x[1], rt_graph_input(g, margins, 1, (const int64_t[]){4}));
}
static rt_tensor *partial_l2_twice(rt_graph *g, rt_tensor *const x[], const void *context) {
    return rt_mul(g, partial_l2_case(g, x, context), partial_l2_case(g, x, context));
}
static const rt_gradcheck_case partial_l2_cases[] = {
    {.name = "maps", .function = partial_l2_case, BOUNDARY_INPUTS},
    {.name = "units, twice", .function = partial_l2_twice, .inputs = 2, .input = {{2, {6, 4}}, {2, {6, 4}}},
     .constant = 2},
};

const rti_op rti_op_partial_l2 = {
    .name = "partial_l2", .arity = 3, .differentiable = 1,
    .formula = "L = mean of 0 where s <= t' <= 0, else (s - t')^2,  t' = max(t, margin_c)",
    .source = "Heo et al. 2019, arXiv 1904.01866, eqs. 1 to 3",
    .shape = partial_l2_shape, .forward = partial_l2_forward, .backward = boundary_backward,
    .cases = partial_l2_cases, .case_count = RTI_COUNT(partial_l2_cases),
};
RTI_REGISTER(op, partial_l2)

rt_tensor *rt_partial_l2(rt_graph *g, rt_tensor *s, rt_tensor *t, rt_tensor *margin) {
    return rti_apply(g, &rti_op_partial_l2, (rt_tensor *const[]){s, t, margin}, 3, NULL);
}
