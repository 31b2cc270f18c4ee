/* reduce.c - sum, mean, variance, max, min over axes.                  Floor 5 (ops)
 *
 * x is read as one walk over its shape in row-major order, in which the result stands still along
 * the reduced axes (stride 0). Sums are kept in double, one per result. */
#include "kernels/kernels.h"
#include "graph/op.h"
#include "retort/ops.h"
#include "tensor/strided.h"

/* ---- axes ---- */

/* Bit i set: axis i of x is summed. False after a failure. */
static bool reduced_axes(rt_graph *g, const rti_node *n, unsigned *axes) {
    const rt_tensor *x = n->in[0];
    unsigned all = (1u << x->ndim) - 1, wanted = (unsigned)n->a.i[0] & ~RT_KEEP_DIMS;
    *axes = wanted & all;
    if (wanted == RT_ALL_AXES) return true;
    if (wanted == 0) return rti_op_fail(g, n, RT_VALUE, "no axis is named; RT_ALL_AXES takes all of them");
    if (wanted & ~all)
        return rti_op_fail(g, n, RT_SHAPE, "mask 0x%x names an axis that is not there", wanted);
    return true;
}

/* How many elements go into one result. */
static int64_t reduced_count(const rti_node *n, unsigned axes) {
    int64_t count = 1;
    for (int i = 0; i < n->in[0]->ndim; i++)
        if (axes >> i & 1) count *= n->in[0]->shape[i];
    return count;
}

static bool reduce_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    unsigned axes;
    if (!reduced_axes(g, n, &axes)) return false;
    int64_t shape[RT_MAX_DIMS];
    int ndim = 0;
    for (int i = 0; i < x->ndim; i++) {
        if (!(axes >> i & 1)) shape[ndim++] = x->shape[i];
        else if ((unsigned)n->a.i[0] & RT_KEEP_DIMS) shape[ndim++] = 1;
    }
    return rti_out(g, n, ndim, shape);
}

/* A mean or a maximum of nothing does not exist. */
static bool reduce_some_shape(rt_graph *g, rti_node *n) {
    unsigned axes;
    if (!reduced_axes(g, n, &axes)) return false;
    int64_t count = reduced_count(n, axes);
    if (count == 0) return rti_op_fail(g, n, RT_SHAPE, "there are no elements along the axes");
    if (count - n->a.i[1] <= 0)
        return rti_op_fail(g, n, RT_VALUE, "%lld elements less a correction of %lld leave nothing",
                           (long long)count, (long long)n->a.i[1]);
    return reduce_shape(g, n);
}

/* The strides with which the (contiguous) result is walked along with x. */
static void result_strides(const rti_node *n, int64_t stride[RT_MAX_DIMS]) {
    const rt_tensor *x = n->in[0];
    unsigned wanted = (unsigned)n->a.i[0] & ~RT_KEEP_DIMS;
    int64_t step = 1;
    for (int i = x->ndim - 1; i >= 0; i--) {
        stride[i] = wanted >> i & 1 ? 0 : step;
        if (stride[i]) step *= x->shape[i];
    }
}

static double *zeroed_doubles(rt_graph *g, int64_t count) {
    double *d = rti_step_alloc(g, (size_t)count * sizeof *d);
    for (int64_t i = 0; d && i < count; i++) d[i] = 0;
    return d;
}

/* sums[r] = sum of x over the axes. NULL after a failure. */
static double *sums_of(rt_graph *g, const rti_node *n) {
    const rt_tensor *x = n->in[0];
    double *sums = zeroed_doubles(g, rt_tensor_count(n->out));
    if (!sums) return NULL;
    int64_t out_stride[RT_MAX_DIMS];
    result_strides(n, out_stride);
    const int64_t *strides[] = {x->stride, out_stride};
    const rt_real *xd = rt_real_data(x);
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w)) {
        const rt_real *row = xd + w.offset[0];
        double *s = sums + w.offset[1];
        if (w.step[1] == 0 && w.step[0] == 1) *s += rti_sum(w.n, row);
        else
            for (int64_t i = 0; i < w.n; i++) s[i * w.step[1]] += (double)row[i * w.step[0]];
    }
    return sums;
}

/* dx (+)= factor * dy, spread over the reduced axes. */
static void spread_gradient(rt_graph *g, rti_node *n, double factor) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    const rt_tensor *x = n->in[0];
    int64_t x_stride[RT_MAX_DIMS], out_stride[RT_MAX_DIMS];
    rti_row_major(x->ndim, x->shape, x_stride);
    result_strides(n, out_stride);
    const int64_t *strides[] = {x_stride, out_stride};
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w)) {
        rt_real *row = dx.data + w.offset[0];
        const rt_real *dy = n->out->grad + w.offset[1];
        for (int64_t i = 0; i < w.n; i++) {
            rt_real part = (rt_real)(factor * (double)dy[i * w.step[1]]);
            row[i * w.step[0]] = dx.accumulate ? row[i * w.step[0]] + part : part;
        }
    }
}

/* The gradcheck cases of one reduction: all axes, one at each end, two with kept extents. */
#define REDUCTION_FUNCTIONS(name, call)                                                                     \
    static rt_tensor *name##_all(rt_graph *g, rt_tensor *const x[], const void *context) {                  \
        (void)context;                                                                                      \
        const unsigned axes = RT_ALL_AXES;                                                                  \
        return call;                                                                                        \
    }                                                                                                       \
    static rt_tensor *name##_first(rt_graph *g, rt_tensor *const x[], const void *context) {                \
        (void)context;                                                                                      \
        const unsigned axes = RT_AXIS(0);                                                                   \
        return call;                                                                                        \
    }                                                                                                       \
    static rt_tensor *name##_last(rt_graph *g, rt_tensor *const x[], const void *context) {                 \
        (void)context;                                                                                      \
        const unsigned axes = RT_AXIS(2);                                                                   \
        return call;                                                                                        \
    }                                                                                                       \
    static rt_tensor *name##_outer(rt_graph *g, rt_tensor *const x[], const void *context) {                \
        (void)context;                                                                                      \
        const unsigned axes = RT_AXIS(0) | RT_AXIS(2) | RT_KEEP_DIMS;                                       \
        return call;                                                                                        \
    }

#define REDUCTION_INPUT .inputs = 1, .input = {{3, {3, 2, 4}}}
#define REDUCTION_CASES(stem)                                                                               \
    {.name = "all axes", .function = stem##_all, REDUCTION_INPUT},                                          \
    {.name = "first axis", .function = stem##_first, REDUCTION_INPUT},                                      \
    {.name = "last axis", .function = stem##_last, REDUCTION_INPUT},                                        \
    {.name = "outer axes, extents kept", .function = stem##_outer, REDUCTION_INPUT}
/* ---- sum: y = sum x,  dx += dy ---- */

static void sum_forward(rt_graph *g, rti_node *n) {
    const double *sums = sums_of(g, n);
    for (int64_t i = 0, count = rt_tensor_count(n->out); sums && i < count; i++)
        rt_real_data(n->out)[i] = (rt_real)sums[i];
}

static void sum_backward(rt_graph *g, rti_node *n) { spread_gradient(g, n, 1); }

REDUCTION_FUNCTIONS(sum, rt_sum(g, x[0], axes))
static const rt_gradcheck_case sum_cases[] = {REDUCTION_CASES(sum)};

const rti_op rti_op_sum = {
    .name = "sum", .arity = 1, .differentiable = 1, .formula = "y = sum over axes of x", .source = "",
    .shape = reduce_shape, .forward = sum_forward, .backward = sum_backward,
    .cases = sum_cases, .case_count = RTI_COUNT(sum_cases),
};
RTI_REGISTER(op, sum)

rt_tensor *rt_sum(rt_graph *g, rt_tensor *x, unsigned axes) {
    return rti_apply1(g, &rti_op_sum, x, &(rti_attributes){.i = {axes}});
}

/* ---- mean: y = sum x / n,  dx += dy / n ---- */

static int64_t count_along(const rti_node *n) {
    return reduced_count(n, (unsigned)n->a.i[0] & ~RT_KEEP_DIMS);
}

static void mean_forward(rt_graph *g, rti_node *n) {
    const double *sums = sums_of(g, n);
    double count = (double)count_along(n);
    for (int64_t i = 0, results = rt_tensor_count(n->out); sums && i < results; i++)
        rt_real_data(n->out)[i] = (rt_real)(sums[i] / count);
}

static void mean_backward(rt_graph *g, rti_node *n) { spread_gradient(g, n, 1 / (double)count_along(n)); }

REDUCTION_FUNCTIONS(mean, rt_mean(g, x[0], axes))
static const rt_gradcheck_case mean_cases[] = {REDUCTION_CASES(mean)};

const rti_op rti_op_mean = {
    .name = "mean", .arity = 1, .differentiable = 1, .formula = "y = sum over axes of x / n", .source = "",
    .shape = reduce_some_shape, .forward = mean_forward, .backward = mean_backward,
    .cases = mean_cases, .case_count = RTI_COUNT(mean_cases),
};
RTI_REGISTER(op, mean)

rt_tensor *rt_mean(rt_graph *g, rt_tensor *x, unsigned axes) {
    return rti_apply1(g, &rti_op_mean, x, &(rti_attributes){.i = {axes}});
}

/* ---- variance: y = sum (x - m)^2 / (n - correction), m = sum x / n ----
 *
 *   dy/dx_i = 2 (x_i - m) / (n - correction);  the way through m vanishes, as sum (x - m) = 0.
 * Two passes: the mean first, so that a large mean does not swallow a small deviation. */

static void variance_forward(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    int64_t results = rt_tensor_count(n->out);
    double *mean = sums_of(g, n), *squares = zeroed_doubles(g, results);
    if (!mean || !squares) return;
    double count = (double)count_along(n);
    for (int64_t i = 0; i < results; i++) mean[i] /= count;
    int64_t out_stride[RT_MAX_DIMS];
    result_strides(n, out_stride);
    const int64_t *strides[] = {x->stride, out_stride};
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++) {
            int64_t r = w.offset[1] + i * w.step[1];
            double d = (double)rt_real_data(x)[w.offset[0] + i * w.step[0]] - mean[r];
            squares[r] += d * d;
        }
    for (int64_t i = 0; i < results; i++)
        rt_real_data(n->out)[i] = (rt_real)(squares[i] / (count - (double)n->a.i[1]));
    n->saved = mean;
}

static void variance_backward(rt_graph *g, rti_node *n) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    const rt_tensor *x = n->in[0];
    const double *mean = n->saved;
    double factor = 2 / (double)(count_along(n) - n->a.i[1]);
    int64_t dx_stride[RT_MAX_DIMS], out_stride[RT_MAX_DIMS];
    rti_row_major(x->ndim, x->shape, dx_stride);
    result_strides(n, out_stride);
    const int64_t *strides[] = {x->stride, out_stride, dx_stride};
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 3, strides); w.n; rti_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++) {
            int64_t r = w.offset[1] + i * w.step[1];
            rt_real *to = dx.data + w.offset[2] + i * w.step[2];
            double d = (double)rt_real_data(x)[w.offset[0] + i * w.step[0]] - mean[r];
            rt_real part = (rt_real)(factor * d * (double)n->out->grad[r]);
            *to = dx.accumulate ? *to + part : part;
        }
}

REDUCTION_FUNCTIONS(variance, rt_variance(g, x[0], axes, 0))
REDUCTION_FUNCTIONS(unbiased, rt_variance(g, x[0], axes, 1))
static const rt_gradcheck_case variance_cases[] = {REDUCTION_CASES(variance), REDUCTION_CASES(unbiased)};

const rti_op rti_op_variance = {
    .name = "variance", .arity = 1, .differentiable = 1,
    .formula = "y = sum over axes of (x - mean x)^2 / (n - correction)",
    .source = "", .shape = reduce_some_shape, .forward = variance_forward, .backward = variance_backward,
    .cases = variance_cases, .case_count = RTI_COUNT(variance_cases),
};
RTI_REGISTER(op, variance)

rt_tensor *rt_variance(rt_graph *g, rt_tensor *x, unsigned axes, int correction) {
    RT_ASSERT(correction >= 0, "a correction of %d makes no variance", correction);
    return rti_apply1(g, &rti_op_variance, x, &(rti_attributes){.i = {axes, correction}});
}

/* ---- max and min: the gradient goes to the first of equal ones ---- */

/* Remembers in n->saved where each winner lies, as a row-major position in x. The first NaN wins
 * and stays, so that it is not hidden. `sign` is 1 for max, -1 for min. */
static void extreme_forward(rt_graph *g, rti_node *n, rt_real sign) {
    const rt_tensor *x = n->in[0];
    int64_t results = rt_tensor_count(n->out);
    int64_t *winner = rti_step_alloc(g, (size_t)results * sizeof *winner);
    if (!winner) return;
    for (int64_t i = 0; i < results; i++) winner[i] = -1;
    int64_t out_stride[RT_MAX_DIMS], flat_stride[RT_MAX_DIMS];
    result_strides(n, out_stride);
    rti_row_major(x->ndim, x->shape, flat_stride);
    const int64_t *strides[] = {x->stride, out_stride, flat_stride};
    rt_real *y = rt_real_data(n->out);
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 3, strides); w.n; rti_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++) {
            int64_t r = w.offset[1] + i * w.step[1];
            rt_real value = rt_real_data(x)[w.offset[0] + i * w.step[0]];
            if (winner[r] < 0 || sign * value > sign * y[r] || (value != value && y[r] == y[r])) {
                y[r] = value;
                winner[r] = w.offset[2] + i * w.step[2];
            }
        }
    n->saved = winner;
}

static void extreme_backward(rt_graph *g, rti_node *n) {
    rt_real *dx = rti_grad_zeroed(g, n, 0);
    const int64_t *winner = n->saved;
    for (int64_t i = 0, results = rt_tensor_count(n->out); dx && i < results; i++)
        dx[winner[i]] += n->out->grad[i];
}

static void max_forward(rt_graph *g, rti_node *n) { extreme_forward(g, n, 1); }
static void min_forward(rt_graph *g, rti_node *n) { extreme_forward(g, n, -1); }

/* The kinks of a maximum lie where two elements are equal, which no list of points describes. So a
 * ramp is added that keeps elements apart by more than any step of the check, in an order in which
 * winners lie at different places of their rows. */
static rt_tensor *apart(rt_graph *g, rt_tensor *x) {
    static const rt_real ramp[] = {6, 11, 2, 17, 13, 4, 15, 8, 20, 1, 23, 10,
                                   3, 22, 9, 18, 14, 5, 24, 7, 19, 12, 16, 21};
    return rt_add(g, x, rt_graph_input(g, ramp, x->ndim, x->shape));
}

REDUCTION_FUNCTIONS(max, rt_max(g, apart(g, x[0]), axes))
REDUCTION_FUNCTIONS(min, rt_min(g, apart(g, x[0]), axes))

#define EXTREME_INPUT REDUCTION_INPUT, .low = -0.4, .high = 0.4
#define EXTREME_CASES(stem)                                                                                 \
    {.name = "all axes", .function = stem##_all, EXTREME_INPUT},                                            \
    {.name = "first axis", .function = stem##_first, EXTREME_INPUT},                                        \
    {.name = "last axis", .function = stem##_last, EXTREME_INPUT},                                          \
    {.name = "outer axes, extents kept", .function = stem##_outer, EXTREME_INPUT}

static const rt_gradcheck_case max_cases[] = {EXTREME_CASES(max)};
static const rt_gradcheck_case min_cases[] = {EXTREME_CASES(min)};

const rti_op rti_op_max = {
    .name = "max", .arity = 1, .differentiable = 1, .formula = "y = max over axes of x", .source = "",
    .shape = reduce_some_shape, .forward = max_forward, .backward = extreme_backward,
    .cases = max_cases, .case_count = RTI_COUNT(max_cases),
};
RTI_REGISTER(op, max)

rt_tensor *rt_max(rt_graph *g, rt_tensor *x, unsigned axes) {
    return rti_apply1(g, &rti_op_max, x, &(rti_attributes){.i = {axes}});
}

const rti_op rti_op_min = {
    .name = "min", .arity = 1, .differentiable = 1, .formula = "y = min over axes of x", .source = "",
    .shape = reduce_some_shape, .forward = min_forward, .backward = extreme_backward,
    .cases = min_cases, .case_count = RTI_COUNT(min_cases),
};
RTI_REGISTER(op, min)

rt_tensor *rt_min(rt_graph *g, rt_tensor *x, unsigned axes) {
    return rti_apply1(g, &rti_op_min, x, &(rti_attributes){.i = {axes}});
}
