/* normalize.c - L2 normalisation, log-softmax and softmax with temperature.   Floor 5 (ops) */
#include <math.h>

#include "graph/op.h"
#include "ops/softmax_row.h"
#include "retort/ops.h"

/* ---- l2_normalize: y = x / max(r, eps), r = ||x|| along an axis ----
 *
 *   r > eps:   dx = (dy - y (y . dy)) / r        the part of dy along y cannot change y
 *   r <= eps:  dx = dy / eps                     the norm is not looked at
 * x is seen as (outer, D, inner). Keeps one norm per vector. */

typedef struct vectors {
    int64_t outer, D, inner;
} vectors;

static vectors vectors_along(const rt_tensor *x, int axis) {
    vectors v = {1, x->shape[axis], 1};
    for (int i = 0; i < axis; i++) v.outer *= x->shape[i];
    for (int i = axis + 1; i < x->ndim; i++) v.inner *= x->shape[i];
    return v;
}

static bool l2_normalize_shape(rt_graph *g, rti_node *n) {
    int64_t axis = n->a.i[0];
    if (axis < 0 || axis >= n->in[0]->ndim)
        return rti_op_fail(g, n, RT_SHAPE, "there is no axis %lld", (long long)axis);
    if (!(n->a.f[0] > 0)) return rti_op_fail(g, n, RT_VALUE, "epsilon is %g, it must be above 0", n->a.f[0]);
    return rti_out_like(g, n, n->in[0]);
}

static void l2_normalize_forward(rt_graph *g, rti_node *n) {
    vectors v = vectors_along(n->in[0], (int)n->a.i[0]);
    const rt_real *x = rti_contiguous(g, n->in[0]);
    double *norm = rti_step_alloc(g, (size_t)(v.outer * v.inner) * sizeof *norm);
    if (!x || !norm) return;
    n->saved = norm;
    rt_real *y = rt_real_data(n->out);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++, norm++) {
            int64_t at = o * v.D * v.inner + i;
            double squares = 0;
            for (int64_t d = 0; d < v.D; d++) {
                double value = (double)x[at + d * v.inner];
                squares += value * value;
            }
            *norm = sqrt(squares);
            double divisor = *norm > n->a.f[0] ? *norm : n->a.f[0];
            if (*norm != *norm) divisor = *norm;
            for (int64_t e = at; e < at + v.D * v.inner; e += v.inner)
                y[e] = (rt_real)((double)x[e] / divisor);
        }
}

static void l2_normalize_backward(rt_graph *g, rti_node *n) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    vectors v = vectors_along(n->in[0], (int)n->a.i[0]);
    const double *norm = n->saved;
    const rt_real *y = rt_real_data(n->out), *dy = n->out->grad;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++, norm++) {
            int64_t at = o * v.D * v.inner + i;
            bool clamped = *norm <= n->a.f[0];
            double along = 0, divisor = clamped ? n->a.f[0] : *norm;
            for (int64_t d = 0; d < v.D && !clamped; d++)
                along += (double)y[at + d * v.inner] * (double)dy[at + d * v.inner];
            for (int64_t d = 0; d < v.D; d++) {
                int64_t e = at + d * v.inner;
                rt_real part = (rt_real)(((double)dy[e] - (double)y[e] * along) / divisor);
                dx.data[e] = dx.accumulate ? dx.data[e] + part : part;
            }
        }
}

static rt_tensor *l2_last(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_l2_normalize(g, x[0], x[0]->ndim - 1, 1e-12);
}
static rt_tensor *l2_middle(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_l2_normalize(g, x[0], 1, 1e-12);
}
static rt_tensor *l2_below(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_l2_normalize(g, x[0], 1, 100);
}
static const rt_gradcheck_case l2_normalize_cases[] = {
    {.name = "rows", .function = l2_last, .inputs = 1, .input = {{2, {4, 5}}}},
    {.name = "channels", .function = l2_middle, .inputs = 1, .input = {{4, {2, 3, 2, 2}}}},
    {.name = "below epsilon", .function = l2_below, .inputs = 1, .input = {{2, {3, 4}}}},
};

const rti_op rti_op_l2_normalize = {
    .name = "l2_normalize", .arity = 1, .differentiable = 1,
    .formula = "y = x / max(||x||_2, eps) along an axis", .source = "",
    .shape = l2_normalize_shape, .forward = l2_normalize_forward, .backward = l2_normalize_backward,
    .cases = l2_normalize_cases, .case_count = RTI_COUNT(l2_normalize_cases),
};
RTI_REGISTER(op, l2_normalize)

rt_tensor *rt_l2_normalize(rt_graph *g, rt_tensor *x, int axis, double epsilon) {
    return rti_apply1(g, &rti_op_l2_normalize, x, &(rti_attributes){.i = {axis}, .f = {epsilon}});
}

/* ---- softmax and its logarithm, over the last axis ----
 *
 * With p = softmax(z/T):    d log p_j / d z_k = ([j = k] - p_k) / T    so
 *   log_softmax:  dz_k = (dy_k - p_k sum_j dy_j) / T
 *   softmax:      dz_k = p_k (dy_k - sum_j p_j dy_j) / T
 * Keeps p, in double. */

static bool softmax_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *z = n->in[0];
    if (!rti_temperature_is_valid(n->a.f[0]))
        return rti_op_fail(g, n, RT_VALUE, "the temperature is %g, it must be above 0", n->a.f[0]);
    if (z->ndim < 1 || z->shape[z->ndim - 1] < 1) return rti_op_fail(g, n, RT_SHAPE, "there are no classes");
    return rti_out_like(g, n, z);
}

static void softmax_rows(rt_graph *g, rti_node *n, bool logarithm) {
    int64_t K = n->in[0]->shape[n->in[0]->ndim - 1], count = rt_tensor_count(n->out);
    const rt_real *z = rti_contiguous(g, n->in[0]);
    double *p = rti_step_alloc(g, (size_t)(2 * count) * sizeof *p);
    if (!z || !p) return;
    double *log_p = p + count;
    rt_real *y = rt_real_data(n->out);
    rti_softmax_rows(count / K, K, z, n->a.f[0], p, log_p);
    for (int64_t i = 0; i < count; i++) y[i] = (rt_real)(logarithm ? log_p[i] : p[i]);
    n->saved = p;
}

static void log_softmax_forward(rt_graph *g, rti_node *n) { softmax_rows(g, n, true); }
static void softmax_forward(rt_graph *g, rti_node *n) { softmax_rows(g, n, false); }

static void log_softmax_backward(rt_graph *g, rti_node *n) {
    rti_grad dz = rti_grad_begin(g, n, 0);
    if (!dz.data) return;
    int64_t K = n->in[0]->shape[n->in[0]->ndim - 1], count = rt_tensor_count(n->out);
    const double *p = n->saved;
    const rt_real *dy = n->out->grad;
    for (int64_t row = 0; row < count; row += K) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) sum += (double)dy[row + k];
        for (int64_t k = row; k < row + K; k++) {
            rt_real part = (rt_real)(((double)dy[k] - p[k] * sum) / n->a.f[0]);
            dz.data[k] = dz.accumulate ? dz.data[k] + part : part;
        }
    }
}

static void softmax_backward(rt_graph *g, rti_node *n) {
    rti_grad dz = rti_grad_begin(g, n, 0);
    if (!dz.data) return;
    int64_t K = n->in[0]->shape[n->in[0]->ndim - 1], count = rt_tensor_count(n->out);
    const double *p = n->saved;
    const rt_real *dy = n->out->grad;
    for (int64_t row = 0; row < count; row += K) {
        double mean = 0;
        for (int64_t k = row; k < row + K; k++) mean += p[k] * (double)dy[k];
        for (int64_t k = row; k < row + K; k++) {
            rt_real part = (rt_real)(p[k] * ((double)dy[k] - mean) / n->a.f[0]);
            dz.data[k] = dz.accumulate ? dz.data[k] + part : part;
        }
    }
}

static const double softmax_T[] = {1, 4, 0.5};

static rt_tensor *log_softmax_case(rt_graph *g, rt_tensor *const x[], const void *T) {
    return rt_log_softmax(g, x[0], *(const double *)T);
}
static rt_tensor *softmax_case(rt_graph *g, rt_tensor *const x[], const void *T) {
    return rt_softmax(g, x[0], *(const double *)T);
}
#define ROWS_OF_5 .inputs = 1, .input = {{2, {3, 5}}}
#define BLOCKS_OF_3 .inputs = 1, .input = {{3, {2, 2, 3}}}
#define SOFTMAX_CASES(f)                                                                            \
    {.name = "T 1", .function = f, ROWS_OF_5, .low = -2, .high = 2, .context = &softmax_T[0]},      \
    {.name = "T 4", .function = f, ROWS_OF_5, .low = -4, .high = 4, .context = &softmax_T[1]},      \
    {.name = "T 0.5", .function = f, BLOCKS_OF_3, .context = &softmax_T[2]}

static const rt_gradcheck_case log_softmax_cases[] = {SOFTMAX_CASES(log_softmax_case)};
static const rt_gradcheck_case softmax_cases[] = {SOFTMAX_CASES(softmax_case)};

const rti_op rti_op_log_softmax = {
    .name = "log_softmax", .arity = 1, .differentiable = 1,
    .formula = "y_k = z_k/T - log sum_j exp(z_j/T), over the last axis",
    .source = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, eq. 1",
    .shape = softmax_shape, .forward = log_softmax_forward, .backward = log_softmax_backward,
    .cases = log_softmax_cases, .case_count = RTI_COUNT(log_softmax_cases),
};
RTI_REGISTER(op, log_softmax)

rt_tensor *rt_log_softmax(rt_graph *g, rt_tensor *z, double T) {
    return rti_apply1(g, &rti_op_log_softmax, z, &(rti_attributes){.f = {T}});
}

const rti_op rti_op_softmax = {
    .name = "softmax", .arity = 1, .differentiable = 1,
    .formula = "y_k = exp(z_k/T) / sum_j exp(z_j/T), over the last axis",
    .source = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, eq. 1",
    .shape = softmax_shape, .forward = softmax_forward, .backward = softmax_backward,
    .cases = softmax_cases, .case_count = RTI_COUNT(softmax_cases),
};
RTI_REGISTER(op, softmax)

rt_tensor *rt_softmax(rt_graph *g, rt_tensor *z, double T) {
    return rti_apply1(g, &rti_op_softmax, z, &(rti_attributes){.f = {T}});
}
