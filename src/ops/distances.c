/* distances.c - mean squared error, L1, smooth L1, cosine similarity.  Floor 5 (ops)
 *
 * Both inputs must have the same shape: a difference that broadcasts (N) against (N, 1) without a
 * word is a well-known way to train on the wrong thing. */
#include <math.h>

#include "graph/op.h"
#include "retort/ops.h"

/* ---- L = mean of f(a - b);  da = f'(a - b) dy / n, db = -da ---- */

static bool distance_shape(rt_graph *g, rti_node *n) {
    if (!rt_tensor_same_shape(n->in[0], n->in[1]))
        return rti_op_fail(g, n, RT_SHAPE, "the shapes must be equal");
    if (rt_tensor_count(n->in[0]) == 0) return rti_op_fail(g, n, RT_SHAPE, "there is nothing to average");
    return rti_out(g, n, 0, NULL);
}

/* The value of f at one difference d, and its slope. */
typedef struct curve {
    double value, slope;
} curve;

static curve square_curve(double d, double beta) {
    (void)beta;
    return (curve){d * d, 2 * d};
}
static curve absolute_curve(double d, double beta) {
    (void)beta;
    return (curve){fabs(d), d > 0 ? 1 : d < 0 ? -1 : 0};
}
static curve huber_curve(double d, double beta) {
    if (fabs(d) < beta) return (curve){0.5 * d * d / beta, d / beta};
    return (curve){fabs(d) - 0.5 * beta, d > 0 ? 1 : -1};
}

/* Keeps the slopes. */
static void distance_forward(rt_graph *g, rti_node *n, curve (*f)(double, double)) {
    int64_t count = rt_tensor_count(n->in[0]);
    const rt_real *a = rti_contiguous(g, n->in[0]), *b = rti_contiguous(g, n->in[1]);
    rt_real *slope = rti_step_alloc(g, (size_t)count * sizeof *slope);
    if (!a || !b || !slope) return;
    n->saved = slope;
    double total = 0;
    for (int64_t i = 0; i < count; i++) {
        curve c = f((double)a[i] - (double)b[i], n->a.f[0]);
        total += c.value;
        slope[i] = (rt_real)c.slope;
    }
    rt_real_data(n->out)[0] = (rt_real)(total / (double)count);
}

static void distance_backward(rt_graph *g, rti_node *n) {
    int64_t count = rt_tensor_count(n->in[0]);
    const rt_real *slope = n->saved;
    for (int side = 0; side < 2; side++) {
        rti_grad dx = rti_grad_begin(g, n, side);
        if (!dx.data) continue;
        double factor = (side ? -1 : 1) * (double)n->out->grad[0] / (double)count;
        for (int64_t i = 0; i < count; i++) {
            rt_real part = (rt_real)(factor * (double)slope[i]);
            dx.data[i] = dx.accumulate ? dx.data[i] + part : part;
        }
    }
}

#define DISTANCE_INPUTS .inputs = 2, .input = {{2, {3, 4}}, {2, {3, 4}}}

static void mse_forward(rt_graph *g, rti_node *n) { distance_forward(g, n, square_curve); }

static rt_tensor *mse_case(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_mse(g, x[0], x[1]);
}
static const rt_gradcheck_case mse_cases[] = {
    {.name = "near", .function = mse_case, DISTANCE_INPUTS},
    {.name = "far", .function = mse_case, DISTANCE_INPUTS, .low = -5, .high = 5},
};

const rti_op rti_op_mse = {
    .name = "mse", .arity = 2, .differentiable = 3, .formula = "L = mean of (a - b)^2", .source = "",
    .shape = distance_shape, .forward = mse_forward, .backward = distance_backward,
    .cases = mse_cases, .case_count = RTI_COUNT(mse_cases),
};
RTI_REGISTER(op, mse)

rt_tensor *rt_mse(rt_graph *g, rt_tensor *a, rt_tensor *b) { return rti_apply2(g, &rti_op_mse, a, b, NULL); }

static void l1_forward(rt_graph *g, rti_node *n) { distance_forward(g, n, absolute_curve); }

/* The kink is where a = b. Cases with two inputs shift one of them out of the other's range; the
 * mixed one compares x with -x, so that the kink is at x = 0. */
static rt_tensor *l1_above(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_l1(g, rt_add_scalar(g, x[0], 3), x[1]);
}
static rt_tensor *l1_below(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_l1(g, x[0], rt_add_scalar(g, x[1], 3));
}
static rt_tensor *l1_mixed(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_l1(g, x[0], rt_scale(g, x[0], -1));
}
static const rt_gradcheck_case l1_cases[] = {
    {.name = "a above b", .function = l1_above, DISTANCE_INPUTS},
    {.name = "a below b", .function = l1_below, DISTANCE_INPUTS},
    {.name = "x and -x", .function = l1_mixed, .inputs = 1, .input = {{2, {4, 5}}},
     .kinks = {0}, .kink_count = 1, .margin = 0.05},
};

const rti_op rti_op_l1 = {
    .name = "l1", .arity = 2, .differentiable = 3, .formula = "L = mean of |a - b|", .source = "",
    .shape = distance_shape, .forward = l1_forward, .backward = distance_backward,
    .cases = l1_cases, .case_count = RTI_COUNT(l1_cases),
};
RTI_REGISTER(op, l1)

rt_tensor *rt_l1(rt_graph *g, rt_tensor *a, rt_tensor *b) { return rti_apply2(g, &rti_op_l1, a, b, NULL); }

static bool smooth_l1_shape(rt_graph *g, rti_node *n) {
    if (!(n->a.f[0] > 0)) return rti_op_fail(g, n, RT_VALUE, "beta is %g, it must be above 0", n->a.f[0]);
    return distance_shape(g, n);
}

static void smooth_l1_forward(rt_graph *g, rti_node *n) { distance_forward(g, n, huber_curve); }

static const double smooth_l1_beta[] = {1, 8};

static rt_tensor *smooth_l1_mixed(rt_graph *g, rt_tensor *const x[], const void *beta) {
    return rt_smooth_l1(g, x[0], rt_scale(g, x[0], -1), *(const double *)beta);
}
static rt_tensor *smooth_l1_case(rt_graph *g, rt_tensor *const x[], const void *beta) {
    return rt_smooth_l1(g, x[0], x[1], *(const double *)beta);
}
/* The second derivative jumps where |a - b| = beta: at x = +-beta/2 for x and -x. */
static const rt_gradcheck_case smooth_l1_cases[] = {
    {.name = "x and -x", .function = smooth_l1_mixed, .inputs = 1, .input = {{2, {4, 5}}},
     .kinks = {-0.5, 0.5}, .kink_count = 2, .margin = 0.05, .context = &smooth_l1_beta[0]},
    {.name = "within beta", .function = smooth_l1_case, DISTANCE_INPUTS, .context = &smooth_l1_beta[1]},
};

const rti_op rti_op_smooth_l1 = {
    .name = "smooth_l1", .arity = 2, .differentiable = 3,
    .formula = "L = mean of (d^2 / (2 beta) where |d| < beta, else |d| - beta/2),  d = a - b",
    .source = "Girshick 2015, arXiv 1504.08083, eq. 3 (beta = 1)",
    .shape = smooth_l1_shape, .forward = smooth_l1_forward, .backward = distance_backward,
    .cases = smooth_l1_cases, .case_count = RTI_COUNT(smooth_l1_cases),
};
RTI_REGISTER(op, smooth_l1)

rt_tensor *rt_smooth_l1(rt_graph *g, rt_tensor *a, rt_tensor *b, double beta) {
    return rti_apply2(g, &rti_op_smooth_l1, a, b, &(rti_attributes){.f = {beta}});
}

/* ---- cosine similarity: c = a.b / (|a| |b|), lengths not less than eps, over the last axis ----
 *
 *   |a| > eps:   da = dy (b/|b| - c a/|a|) / |a|         |a| <= eps:   da = dy (b/|b|) / eps
 * and the same for b. Keeps |a| and |b|. */

static bool cosine_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *a = n->in[0];
    if (!rt_tensor_same_shape(a, n->in[1]))
        return rti_op_fail(g, n, RT_SHAPE, "the shapes must be equal");
    if (a->ndim < 1) return rti_op_fail(g, n, RT_SHAPE, "single numbers have no direction");
    if (!(n->a.f[0] > 0)) return rti_op_fail(g, n, RT_VALUE, "epsilon is %g, it must be above 0", n->a.f[0]);
    return rti_out(g, n, a->ndim - 1, a->shape);
}

static double at_least(double length, double epsilon) { return length <= epsilon ? epsilon : length; }

static void cosine_forward(rt_graph *g, rti_node *n) {
    int64_t D = n->in[0]->shape[n->in[0]->ndim - 1], rows = rt_tensor_count(n->out);
    const rt_real *a = rti_contiguous(g, n->in[0]), *b = rti_contiguous(g, n->in[1]);
    double *length = rti_step_alloc(g, (size_t)(2 * rows) * sizeof *length);
    if (!a || !b || !length) return;
    n->saved = length;
    for (int64_t r = 0; r < rows; r++, a += D, b += D, length += 2) {
        double aa = 0, bb = 0, ab = 0;
        for (int64_t d = 0; d < D; d++) {
            aa += (double)a[d] * (double)a[d];
            bb += (double)b[d] * (double)b[d];
            ab += (double)a[d] * (double)b[d];
        }
        length[0] = sqrt(aa), length[1] = sqrt(bb);
        double lengths = at_least(length[0], n->a.f[0]) * at_least(length[1], n->a.f[0]);
        rt_real_data(n->out)[r] = (rt_real)(ab / lengths);
    }
}

static void cosine_backward(rt_graph *g, rti_node *n) {
    int64_t D = n->in[0]->shape[n->in[0]->ndim - 1], rows = rt_tensor_count(n->out);
    double epsilon = n->a.f[0];
    for (int side = 0; side < 2; side++) {
        rti_grad grad = rti_grad_begin(g, n, side);
        const rt_real *x = rti_contiguous(g, n->in[side]), *other = rti_contiguous(g, n->in[1 - side]);
        if (!grad.data || !x || !other) continue;
        const double *length = n->saved;
        for (int64_t r = 0; r < rows; r++, length += 2) {
            double mine = length[side], theirs = at_least(length[1 - side], epsilon);
            double c = mine <= epsilon ? 0 : (double)rt_real_data(n->out)[r];
            double dy = (double)n->out->grad[r], divisor = at_least(mine, epsilon);
            for (int64_t i = r * D; i < (r + 1) * D; i++) {
                double across = (double)other[i] / theirs - c * (double)x[i] / divisor;
                rt_real part = (rt_real)(dy * across / divisor);
                grad.data[i] = grad.accumulate ? grad.data[i] + part : part;
            }
        }
    }
}

static const double cosine_epsilon[] = {1e-8, 100};

static rt_tensor *cosine_case(rt_graph *g, rt_tensor *const x[], const void *epsilon) {
    return rt_cosine_similarity(g, x[0], x[1], *(const double *)epsilon);
}
static const rt_gradcheck_case cosine_cases[] = {
    {.name = "rows", .function = cosine_case, .inputs = 2, .input = {{2, {3, 5}}, {2, {3, 5}}},
     .context = &cosine_epsilon[0]},
    {.name = "one vector", .function = cosine_case, .inputs = 2, .input = {{1, {4}}, {1, {4}}},
     .context = &cosine_epsilon[0]},
    {.name = "shorter than epsilon", .function = cosine_case, DISTANCE_INPUTS,
     .low = -10, .high = 10, .context = &cosine_epsilon[1]},
};

const rti_op rti_op_cosine_similarity = {
    .name = "cosine_similarity", .arity = 2, .differentiable = 3,
    .formula = "c = a.b / (max(|a|, eps) max(|b|, eps)), over the last axis", .source = "",
    .shape = cosine_shape, .forward = cosine_forward, .backward = cosine_backward,
    .cases = cosine_cases, .case_count = RTI_COUNT(cosine_cases),
};
RTI_REGISTER(op, cosine_similarity)

rt_tensor *rt_cosine_similarity(rt_graph *g, rt_tensor *a, rt_tensor *b, double epsilon) {
    return rti_apply2(g, &rti_op_cosine_similarity, a, b, &(rti_attributes){.f = {epsilon}});
}
