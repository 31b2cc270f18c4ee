/* batch_norm.c - batch normalisation with a residual and relu riding along.   Floor 5 (ops) */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/image.h"

/* ---- batch_norm ----
 *
 * Inputs x, gamma, beta and maybe a residual r. With i = 1/sqrt(v + epsilon), xhat = (x - m) i, n elements in
 * a channel, dz = dy where relu let something through:
 *
 *   1.  z = gamma xhat + beta + r, so dbeta = sum dz, dgamma = sum dz xhat, dr = dz, dxhat = gamma dz
 *   2.  m and v depend on x: a change of x moves all xhat of the channel. Moving m takes the mean of
 *       dxhat away, moving v its part along xhat:
 *           dx = i (dxhat - mean dxhat - xhat mean(dxhat xhat))
 *   3.  with d = x - m:  dx = gamma i dz - gamma i mean dz - (gamma i^3 mean(dz d)) d
 *       which is factor dz - level - slope d, one multiplication and one subtraction per term.
 *   In evaluation m and v are constants: level = slope = 0.
 *   4.  The kernels subtract m as rounded to rt_real. What rounding took goes, times the factor, into what
 *       is added anyway (bias, level), so a channel far from 0 loses nothing.
 *
 * Attributes: i[0] training, i[1] relu, i[2] whether there is a residual; p the caller's settings, looked at
 * in forward only. */

typedef struct kept {
    const rt_real *x;   /* contiguous */
    rt_real *mean, *factor, *bias, *level, *slope; /* (C) each: what the kernels take */
    double *inverse;    /* (C) 1/sqrt(v + epsilon) */
    double *rest;       /* (C) m - mean: what rounding took from m */
    double *scratch;
} kept;

static int64_t channels(const rti_node *n) { return n->in[0]->shape[n->in[0]->ndim - 1]; }

static bool is_vector(const rt_tensor *t, int64_t C) { return t->ndim == 1 && t->shape[0] == C; }

static bool batch_norm_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    const rt_batch_norm_how *how = n->a.p;
    if (x->ndim < 1 || channels(n) < 1 || rt_tensor_count(x) < 1)
        return rti_op_fail(g, n, RT_SHAPE, "there is nothing to normalise");
    const int64_t C = channels(n);
    if (!is_vector(n->in[1], C) || !is_vector(n->in[2], C) || !is_vector(how->running_mean, C) ||
        !is_vector(how->running_variance, C))
        return rti_op_fail(g, n, RT_SHAPE, "gamma, beta and the running statistics must be (%lld)",
                           (long long)C);
    char text[RT_SHAPE_TEXT]; /* the message names three inputs by itself */
    if (n->inputs == 4 && !rt_tensor_same_shape(n->in[3], x))
        return rti_op_fail(g, n, RT_SHAPE, "the residual is %s and must have the shape of x",
                           rt_shape_text(n->in[3], text));
    if (!(how->epsilon > 0) || !(how->momentum >= 0 && how->momentum <= 1))
        return rti_op_fail(g, n, RT_VALUE, "epsilon is %g, momentum %g", how->epsilon, how->momentum);
    if (how->training && rt_tensor_count(x) == C)
        return rti_op_fail(g, n, RT_UNSUPPORTED,
                           "training needs more than one element per channel; there is no variance of one");
    return rti_out_like(g, n, x);
}

static kept *keep(rt_graph *g, const rti_node *n, int64_t rows, int64_t C) {
    kept *k = rti_step_alloc(g, sizeof *k);
    if (!k) return NULL;
    k->x = rti_contiguous(g, n->in[0]);
    k->inverse = rti_step_alloc(g, (size_t)(2 * C) * sizeof *k->inverse);
    k->mean = rti_step_alloc(g, (size_t)(5 * C) * sizeof *k->mean);
    k->scratch = rti_step_alloc(g, rti_norm_scratch_bytes(rows, C));
    if (!k->x || !k->inverse || !k->mean || !k->scratch) return NULL;
    k->rest = k->inverse + C;
    k->factor = k->mean + C, k->bias = k->mean + 2 * C;
    k->level = k->mean + 3 * C, k->slope = k->mean + 4 * C;
    return k;
}

/* running = (1 - momentum) running + momentum batch, the variance unbiased. */
static void move(const rt_batch_norm_how *how, int64_t rows, int64_t C, const double *mean,
                 const double *variance) {
    rt_real *m = rt_real_data(how->running_mean), *v = rt_real_data(how->running_variance);
    const double part = how->momentum, unbiased = (double)rows / (double)(rows - 1);
    for (int64_t c = 0; c < C; c++) {
        m[c] = (rt_real)((1 - part) * (double)m[c] + part * mean[c]);
        v[c] = (rt_real)((1 - part) * (double)v[c] + part * unbiased * variance[c]);
    }
}

static void batch_norm_forward(rt_graph *g, rti_node *n) {
    const rt_batch_norm_how *how = n->a.p;
    const int64_t C = channels(n), rows = rt_tensor_count(n->in[0]) / C;
    kept *k = keep(g, n, rows, C);
    double *mean = k ? rti_step_alloc(g, (size_t)(2 * C) * sizeof *mean) : NULL;
    const rt_real *residual = mean && n->inputs == 4 ? rti_contiguous(g, n->in[3]) : NULL;
    const rt_real *gamma = mean ? rti_contiguous(g, n->in[1]) : NULL;
    const rt_real *beta = gamma ? rti_contiguous(g, n->in[2]) : NULL;
    if (!beta || (n->inputs == 4 && !residual)) return;
    double *variance = mean + C;
    if (how->training) {
        rti_norm_statistics(rows, C, k->x, mean, variance, k->scratch);
        move(how, rows, C, mean, variance);
    } else {
        for (int64_t c = 0; c < C; c++) {
            mean[c] = (double)rt_real_data(how->running_mean)[c];
            variance[c] = (double)rt_real_data(how->running_variance)[c];
        }
    }
    for (int64_t c = 0; c < C; c++) {
        k->inverse[c] = 1 / sqrt(variance[c] + how->epsilon);
        k->mean[c] = (rt_real)mean[c];
        k->factor[c] = (rt_real)((double)gamma[c] * k->inverse[c]);
        k->rest[c] = mean[c] - (double)k->mean[c];
        k->bias[c] = (rt_real)((double)beta[c] - k->rest[c] * (double)k->factor[c]);
    }
    const rti_norm norm = {k->mean, k->factor, k->bias, NULL, NULL, false};
    rti_norm_forward(rows, C, &norm, k->x, residual, n->a.i[1] != 0, rt_real_data(n->out));
    n->saved = k;
}

/* Writes a gradient of C numbers. */
static void give(rt_graph *g, rti_node *n, int input, int64_t C, const double *value, const double *factor) {
    const rti_grad d = rti_grad_begin(g, n, input);
    for (int64_t c = 0; d.data && c < C; c++) {
        const rt_real v = (rt_real)(value[c] * (factor ? factor[c] : 1));
        d.data[c] = d.accumulate ? d.data[c] + v : v;
    }
}

static void batch_norm_backward(rt_graph *g, rti_node *n) {
    const kept *k = n->saved;
    const int64_t C = channels(n), rows = rt_tensor_count(n->in[0]) / C;
    const bool training = n->a.i[0] != 0;
    /* Where relu let something through y tells, or x, which is read anyway, when nothing was added to it. */
    const rt_real *y = n->a.i[1] && n->inputs == 4 ? rt_real_data(n->out) : NULL, *dy = n->out->grad;
    const rti_norm norm = {k->mean, k->factor, k->bias, k->level, k->slope, n->a.i[1] && n->inputs == 3};
    double *sum = rti_step_alloc(g, (size_t)(2 * C) * sizeof *sum);
    if (!sum) return;
    double *product = sum + C;
    rti_norm_sums(rows, C, &norm, k->x, y, dy, sum, product, k->scratch);
    for (int64_t c = 0; c < C; c++) {
        const double factor = training ? (double)k->factor[c] / (double)rows : 0;
        product[c] -= k->rest[c] * sum[c];
        const double slope = factor * product[c] * k->inverse[c] * k->inverse[c];
        k->level[c] = (rt_real)(factor * sum[c] - slope * k->rest[c]);
        k->slope[c] = (rt_real)slope;
    }
    /* x and its residual may be one tensor: then one gradient after the other. */
    const bool apart = n->inputs == 4 && n->in[3] != n->in[0];
    const rti_grad dx = n->inputs == 3 ? rti_grad_take(g, n, 0) : rti_grad_begin(g, n, 0);
    rti_grad dr = {NULL, false};
    if (apart) dr = rti_grad_take(g, n, 3);
    if (dx.data)
        rti_norm_backward(rows, C, &norm, k->x, y, dy, dx.data, dx.accumulate, dr.data, dr.accumulate);
    if (n->inputs == 4 && !(apart && dx.data)) {
        if (!apart) dr = rti_grad_begin(g, n, 3);
        const int64_t count = rows * C;
        if (dr.data && y) rti_relu_backward(count, y, dy, dr.data, dr.accumulate);
        else if (dr.data && dr.accumulate) rti_add(count, dr.data, dy, dr.data);
        else if (dr.data && dr.data != dy) memcpy(dr.data, dy, (size_t)count * sizeof *dy);
    }
    give(g, n, 1, C, product, k->inverse);
    give(g, n, 2, C, sum, NULL);
}

/* Cases: statistics of their own, so that evaluation has something to divide by. */
typedef struct setting {
    bool training, relu, residual, turned;
} setting;

static rt_tensor *batch_norm_case(rt_graph *g, rt_tensor *const in[], const void *context) {
    const setting *s = context;
    const int64_t C = in[1]->shape[0];
    rt_tensor *mean = rt_graph_tensor(g, RT_DTYPE_REAL, 1, &C),
              *variance = rt_graph_tensor(g, RT_DTYPE_REAL, 1, &C);
    if (!mean || !variance) return NULL;
    for (int64_t c = 0; c < C; c++) {
        rt_real_data(mean)[c] = (rt_real)(0.1 * (double)(c + 1));
        rt_real_data(variance)[c] = (rt_real)(0.5 + 0.25 * (double)c);
    }
    const rt_batch_norm_how how = {mean, variance, 0.1, 1e-5, s->training};
    rt_tensor *x = s->turned ? rt_transpose(g, in[0], 0, 1) : in[0];
    rt_tensor *residual = s->residual ? in[3] : NULL, *beta = in[2];
    if (s->relu) { /* far from the kink: relu blocks every second channel */
        rt_tensor *far = rt_graph_tensor(g, RT_DTYPE_REAL, 1, &C);
        for (int64_t c = 0; far && c < C; c++) rt_real_data(far)[c] = c % 2 ? -6 : 6;
        beta = rt_add(g, beta, far);
    }
    return rt_batch_norm(g, x, in[1], beta, residual, &how, s->relu ? RT_ACT_RELU : RT_ACT_NONE);
}

static rt_tensor *batch_norm_itself(rt_graph *g, rt_tensor *const in[], const void *context) {
    rt_tensor *const all[] = {in[0], in[1], in[2], in[0]};
    return batch_norm_case(g, all, context);
}

#define IMAGES {4, {2, 3, 2, 3}}, {1, {3}}, {1, {3}}
static const rt_gradcheck_case batch_norm_cases[] = {
    {.name = "batch_norm in training", .function = batch_norm_case, .inputs = 3, .input = {IMAGES},
     .context = &(const setting){.training = true}},
    {.name = "batch_norm in evaluation", .function = batch_norm_case, .inputs = 3, .input = {IMAGES},
     .context = &(const setting){.training = false}},
    {.name = "batch_norm and relu", .function = batch_norm_case, .inputs = 3, .input = {IMAGES},
     .context = &(const setting){.training = true, .relu = true}},
    {.name = "batch_norm, residual and relu", .function = batch_norm_case, .inputs = 4,
     .input = {IMAGES, {4, {2, 3, 2, 3}}},
     .context = &(const setting){.training = true, .relu = true, .residual = true}},
    {.name = "batch_norm and residual in evaluation", .function = batch_norm_case, .inputs = 4,
     .input = {IMAGES, {4, {2, 3, 2, 3}}}, .context = &(const setting){.residual = true}},
    {.name = "batch_norm of its own residual", .function = batch_norm_itself, .inputs = 3, .input = {IMAGES},
     .context = &(const setting){.training = true, .residual = true}},
    {.name = "batch_norm of rows, 21 channels", .function = batch_norm_case, .inputs = 3,
     .input = {{2, {5, 21}}, {1, {21}}, {1, {21}}}, .context = &(const setting){.training = true}},
    {.name = "batch_norm of a view", .function = batch_norm_case, .inputs = 3,
     .input = {{2, {3, 5}}, {1, {3}}, {1, {3}}},
     .context = &(const setting){.training = true, .turned = true}},
};
const rti_op rti_op_batch_norm = {
    .name = "batch_norm", .arity = RTI_VARIADIC, .differentiable = 15,
    .formula = "y = act( gamma (x - m) / sqrt(v + epsilon) + beta + r )",
    .source = "Ioffe, Szegedy 2015, arXiv 1502.03167, algorithm 1",
    .shape = batch_norm_shape, .forward = batch_norm_forward, .backward = batch_norm_backward,
    .cases = batch_norm_cases, .case_count = RTI_COUNT(batch_norm_cases),
};
RTI_REGISTER(op, batch_norm)

rt_tensor *rt_batch_norm(rt_graph *g, rt_tensor *x, rt_tensor *gamma, rt_tensor *beta, rt_tensor *residual,
                         const rt_batch_norm_how *how, rt_activation act) {
    RT_ASSERT(act == RT_ACT_NONE || act == RT_ACT_RELU, "batch_norm takes relu or no activation");
    rt_tensor *const in[] = {x, gamma, beta, residual};
    const rti_attributes a = {.i = {how->training, act == RT_ACT_RELU, residual != NULL}, .p = how};
    return rti_apply(g, &rti_op_batch_norm, in, residual ? 4 : 3, &a);
}
