/* rounding.c - clamp, and what rounding to a grid changes.             Floor 5 (ops)
 *
 * Training a network for integers shows it, in forward, the numbers that integers can say, and lets the
 * gradient pass as if nothing had been rounded (the straight-through estimator: Bengio, Leonard, Courville
 * 2013, arXiv 1308.3432, section 4; for quantisation Jacob et al. 2018, arXiv 1712.05877, section 3):
 *
 *     y = clamp(x, low, high) + rounding(x)        dy/dx = 1 inside of the range, 0 outside
 *
 * The second term is a constant to the tape, so no rule is broken and clamp alone has a gradient to check. */
#include <math.h>

#include "ops/elementwise.h"

#define CASES(list) .cases = list, .case_count = sizeof list / sizeof *list

/* ---- clamp: attributes f[0] low, f[1] high ---- */

static rt_real clamp_value(rt_real x, const rti_attributes *a) {
    return x < (rt_real)a->f[0] ? (rt_real)a->f[0] : x > (rt_real)a->f[1] ? (rt_real)a->f[1] : x;
}

static rt_real clamp_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)y;
    return x >= (rt_real)a->f[0] && x <= (rt_real)a->f[1] ? 1 : 0;
}

static bool clamp_shape(rt_graph *g, rti_node *n) {
    if (!(n->a.f[0] <= n->a.f[1]))
        return rti_op_fail(g, n, RT_VALUE, "there is nothing from %g to %g", n->a.f[0], n->a.f[1]);
    return rti_out_like(g, n, n->in[0]);
}

ELEMENTWISE_OP(clamp, rt_clamp(g, x, -0.5, 0.25))
static const rt_gradcheck_case clamp_cases[] = {
    {.name = "clamp", .function = clamp_plain, .inputs = 1, .input = {{2, {3, 4}}}, .low = -1, .high = 1,
     .kink_count = 2, .kinks = {-0.5, 0.25}},
    {.name = "clamp of a number inside", .function = clamp_plain, .inputs = 1, .input = {{0, {0}}},
     .low = -0.4, .high = 0.2},
    {.name = "clamp of a view", .function = clamp_turned, .inputs = 1, .input = {{3, {2, 3, 2}}}, .low = -1,
     .high = 1, .kink_count = 2, .kinks = {-0.5, 0.25}},
};

const rti_op rti_op_clamp = {
    .name = "clamp", .arity = 1, .differentiable = 1, .formula = "y = min(max(x, low), high)", .source = "",
    .shape = clamp_shape, .forward = clamp_forward, .backward = clamp_backward, CASES(clamp_cases),
};
RTI_REGISTER(op, clamp)

rt_tensor *rt_clamp(rt_graph *g, rt_tensor *x, double low, double high) {
    return rti_apply1(g, &rti_op_clamp, x, &(rti_attributes){.f = {low, high}});
}

/* ---- rounding: attributes f[0] low, f[1] high, f[2] step ---- */

static bool rounding_shape(rt_graph *g, rti_node *n) {
    if (!(n->a.f[2] > 0)) return rti_op_fail(g, n, RT_VALUE, "the grid's step is %g", n->a.f[2]);
    return clamp_shape(g, n);
}

static rt_real rounding_value(rt_real x, const rti_attributes *a) {
    const double c = (double)clamp_value(x, a);
    return (rt_real)(round(c / a->f[2]) * a->f[2] - c);
}

static void rounding_forward(rt_graph *g, rti_node *n) {
    (void)g;
    rti_elementwise_forward(n, rounding_value);
}

const rti_op rti_op_rounding = {
    .name = "rounding", .arity = 1, .differentiable = 0,
    .formula = "y = step round(c / step) - c, c = min(max(x, low), high)",
    .source = "Jacob et al. 2018, arXiv 1712.05877, equation 12; halves away from zero",
    .shape = rounding_shape, .forward = rounding_forward,
};
RTI_REGISTER(op, rounding)

rt_tensor *rt_rounding(rt_graph *g, rt_tensor *x, double low, double high, double step) {
    return rti_apply1(g, &rti_op_rounding, x, &(rti_attributes){.f = {low, high, step}});
}

/* ---- unit_rounding: attribute i[0] the axis of the units, i[1] the largest integer ---- */

static bool unit_rounding_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    if (n->a.i[0] < 0 || n->a.i[0] >= x->ndim)
        return rti_op_fail(g, n, RT_VALUE, "there is no axis %lld", (long long)n->a.i[0]);
    return rti_out_like(g, n, x);
}

static void unit_rounding_forward(rt_graph *g, rti_node *n) {
    const rt_tensor *out = n->out;
    const int axis = (int)n->a.i[0];
    const int64_t units = out->shape[axis], count = rt_tensor_count(out);
    int64_t inner = 1;
    for (int i = axis + 1; i < out->ndim; i++) inner *= out->shape[i];
    const rt_real *w = rti_contiguous(g, n->in[0]);
    double *step = rti_step_alloc(g, (size_t)units * sizeof *step);
    if (!w || !step) return;
    for (int64_t u = 0; u < units; u++) step[u] = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t u = i / inner % units;
        if (fabs((double)w[i]) > step[u]) step[u] = fabs((double)w[i]);
    }
    for (int64_t u = 0; u < units; u++) step[u] = step[u] > 1e-30 ? step[u] / (double)n->a.i[1] : 1;
    for (int64_t i = 0; i < count; i++) {
        const double s = step[i / inner % units], x = (double)w[i];
        rt_real_data(out)[i] = (rt_real)(round(x / s) * s - x);
    }
}

const rti_op rti_op_unit_rounding = {
    .name = "unit_rounding", .arity = 1, .differentiable = 0,
    .formula = "y = s round(w / s) - w, s = max|w| / levels over each unit",
    .source = "Krishnamoorthi 2018, arXiv 1806.08342, section 2.2: symmetric, by channel",
    .shape = unit_rounding_shape, .forward = unit_rounding_forward,
};
RTI_REGISTER(op, unit_rounding)

rt_tensor *rt_unit_rounding(rt_graph *g, rt_tensor *w, int axis, int levels) {
    return rti_apply1(g, &rti_op_unit_rounding, w, &(rti_attributes){.i = {axis, levels}});
}
