/* lengths.c - one number for each row: sums of powers, Euclidean lengths.    Floor 5 (ops)
 *
 * Rows lie along the last axis: (.., D) -> (..). The channels of an image are such a row, and the sum of
 * their squares is how much the network looks at this pixel (attention maps). Sums are kept in double. */
#include <math.h>

#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/ops.h"

static bool rows_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    if (x->ndim < 1) return rti_op_fail(g, n, RT_SHAPE, "a single number has no last axis");
    return rti_out(g, n, x->ndim - 1, x->shape);
}

static int64_t row_length(const rti_node *n) { return n->in[0]->shape[n->in[0]->ndim - 1]; }

/* ---- power_sum: y = sum_d |x_d|^p;  dx_d = dy p |x_d|^(p-1) sign(x_d) ----
 *
 * p = 1 and p = 2, which are what everybody uses, ask for no power. */

static bool power_sum_shape(rt_graph *g, rti_node *n) {
    if (!(n->a.f[0] >= 1))
        return rti_op_fail(g, n, RT_VALUE, "the power is %g, it must be 1 or more", n->a.f[0]);
    return rows_shape(g, n);
}

static void power_sum_forward(rt_graph *g, rti_node *n) {
    int64_t D = row_length(n), rows = rt_tensor_count(n->out);
    const rt_real *x = rti_contiguous(g, n->in[0]);
    rt_real *y = rt_real_data(n->out);
    double p = n->a.f[0];
    if (!x) return;
    for (int64_t r = 0; r < rows; r++, x += D) {
        double sum = 0;
        if (p == 2)
            sum = rti_dot(D, x, x);
        else if (p == 1)
            for (int64_t d = 0; d < D; d++) sum += fabs((double)x[d]);
        else
            for (int64_t d = 0; d < D; d++) sum += pow(fabs((double)x[d]), p);
        y[r] = (rt_real)sum;
    }
}

static double power_slope(double x, double p) {
    double size = p == 1 ? x != 0 : p * pow(fabs(x), p - 1);
    return x < 0 ? -size : size;
}

static void power_sum_backward(rt_graph *g, rti_node *n) {
    rti_grad grad = rti_grad_begin(g, n, 0);
    const rt_real *x = rti_contiguous(g, n->in[0]), *dy = n->out->grad;
    if (!grad.data || !x) return;
    int64_t D = row_length(n), rows = rt_tensor_count(n->out);
    double p = n->a.f[0];
    for (int64_t r = 0; r < rows; r++, x += D) {
        rt_real *dx = grad.data + r * D;
        if (p == 2) {
            if (grad.accumulate)
                rti_axpy(D, 2 * dy[r], x, dx);
            else
                rti_scale(D, 2 * dy[r], x, dx);
            continue;
        }
        for (int64_t d = 0; d < D; d++) {
            rt_real part = (rt_real)((double)dy[r] * power_slope((double)x[d], p));
            dx[d] = grad.accumulate ? dx[d] + part : part;
        }
    }
}

static const double powers[] = {1, 2, 3, 1.5};

static rt_tensor *power_sum_case(rt_graph *g, rt_tensor *const x[], const void *p) {
    return rt_power_sum(g, x[0], *(const double *)p);
}
static rt_tensor *power_sum_twice(rt_graph *g, rt_tensor *const x[], const void *p) {
    return rt_mul(g, power_sum_case(g, x, p), power_sum_case(g, x, p));
}
#define POWER_CASE(i) \
    .function = power_sum_case, .inputs = 1, .input = {{3, {2, 3, 4}}}, .context = &powers[i]
static const rt_gradcheck_case power_sum_cases[] = {
    {.name = "squares", POWER_CASE(1)},
    {.name = "sizes", POWER_CASE(0), .kinks = {0}, .kink_count = 1, .margin = 0.05},
    {.name = "cubes", POWER_CASE(2), .kinks = {0}, .kink_count = 1, .margin = 0.05},
    {.name = "a broken power", POWER_CASE(3), .kinks = {0}, .kink_count = 1, .margin = 0.1},
    {.name = "one row", .function = power_sum_case, .inputs = 1, .input = {{1, {5}}}, .context = &powers[1]},
    {.name = "twice",
     .function = power_sum_twice,
     .inputs = 1,
     .input = {{2, {3, 4}}},
     .context = &powers[1]},
};

const rti_op rti_op_power_sum = {
    .name = "power_sum",
    .arity = 1,
    .differentiable = 1,
    .formula = "y = sum_d |x_d|^p, over the last axis",
    .source = "Zagoruyko, Komodakis 2017, arXiv 1612.03928, section 3.1",
    .shape = power_sum_shape,
    .forward = power_sum_forward,
    .backward = power_sum_backward,
    .cases = power_sum_cases,
    .case_count = RTI_COUNT(power_sum_cases),
};
RTI_REGISTER(op, power_sum)

rt_tensor *rt_power_sum(rt_graph *g, rt_tensor *x, double p) {
    return rti_apply1(g, &rti_op_power_sum, x, &(rti_attributes){.f = {p}});
}

/* ---- l2_norm: y = ||x||_2;  dx = dy x / y, and 0 where y is 0 ----
 *
 * At 0 the length has a kink; 0 is its smallest subgradient, and a finite one. Keeps y in double. */

static void l2_norm_forward(rt_graph *g, rti_node *n) {
    int64_t D = row_length(n), rows = rt_tensor_count(n->out);
    const rt_real *x = rti_contiguous(g, n->in[0]);
    double *length = rti_step_alloc(g, (size_t)rows * sizeof *length);
    if (!x || !length) return;
    n->saved = length;
    for (int64_t r = 0; r < rows; r++) {
        length[r] = sqrt(rti_dot(D, x + r * D, x + r * D));
        rt_real_data(n->out)[r] = (rt_real)length[r];
    }
}

static void l2_norm_backward(rt_graph *g, rti_node *n) {
    rti_grad grad = rti_grad_begin(g, n, 0);
    const rt_real *x = rti_contiguous(g, n->in[0]);
    if (!grad.data || !x) return;
    int64_t D = row_length(n), rows = rt_tensor_count(n->out);
    const double *length = n->saved;
    for (int64_t r = 0; r < rows; r++) {
        double factor = length[r] == 0 ? 0 : (double)n->out->grad[r] / length[r];
        for (int64_t i = r * D; i < (r + 1) * D; i++) {
            rt_real part = (rt_real)(factor * (double)x[i]);
            grad.data[i] = grad.accumulate ? grad.data[i] + part : part;
        }
    }
}

static rt_tensor *l2_norm_case(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_l2_norm(g, x[0]);
}
static const rt_gradcheck_case l2_norm_cases[] = {
    {.name = "rows", .function = l2_norm_case, .inputs = 1, .input = {{2, {4, 5}}}},
    {.name = "pixels", .function = l2_norm_case, .inputs = 1, .input = {{4, {2, 2, 3, 4}}}},
    {.name = "single numbers",
     .function = l2_norm_case,
     .inputs = 1,
     .input = {{2, {6, 1}}},
     .kinks = {0},
     .kink_count = 1,
     .margin = 0.05},
};

const rti_op rti_op_l2_norm = {
    .name = "l2_norm",
    .arity = 1,
    .differentiable = 1,
    .formula = "y = ||x||_2, over the last axis",
    .source = "",
    .shape = rows_shape,
    .forward = l2_norm_forward,
    .backward = l2_norm_backward,
    .cases = l2_norm_cases,
    .case_count = RTI_COUNT(l2_norm_cases),
};
RTI_REGISTER(op, l2_norm)

rt_tensor *rt_l2_norm(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_l2_norm, x, NULL); }
