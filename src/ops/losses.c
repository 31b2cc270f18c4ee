/* losses.c - cross-entropy and Kullback-Leibler divergence on logits.  Floor 5 (ops)
 *
 * Every loss takes logits and works on log-softmax (rti_softmax_rows): a probability is never computed
 * first and its logarithm taken after. Each is summed over the K classes and averaged over the N
 * examples of the batch, in double, and keeps the probabilities for backward.
 *
 * A term p log(.) with p = 0 is 0, also where the logarithm is minus infinity. */
#include <math.h>

#include "graph/notes.h"
#include "graph/op.h"
#include "ops/softmax_row.h"
#include "retort/ops.h"

/* ---- what all of them check ---- */

static bool logits_shape(rt_graph *g, rti_node *n, int z) {
    const rt_tensor *t = n->in[z];
    if (t->ndim != 2)
        return rti_op_fail(g, n, RT_SHAPE, "logits must be (N, K), not of %d dimensions", t->ndim);
    if (t->shape[0] == 0) return rti_op_fail(g, n, RT_SHAPE, "an empty batch has no mean loss");
    if (t->shape[1] == 0) return rti_op_fail(g, n, RT_SHAPE, "there are no classes");
    return rti_out(g, n, 0, NULL);
}

static bool labels_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *z = n->in[0], *y = n->in[1];
    if (!logits_shape(g, n, 0)) return false;
    if (y->dtype != RT_DTYPE_I32) return rti_op_fail(g, n, RT_VALUE, "labels must be whole numbers (I32)");
    if (y->ndim != 1 || y->shape[0] != z->shape[0])
        return rti_op_fail(g, n, RT_SHAPE, "there must be one label for each row of logits");
    return true;
}

/* Logits or probabilities of two sources over the same examples and classes, and a temperature. */
static bool pair_shape(rt_graph *g, rti_node *n) {
    if (!rti_temperature_is_valid(n->a.f[0]))
        return rti_op_fail(g, n, RT_VALUE, "the temperature is %g, it must be above 0", n->a.f[0]);
    if (!rt_tensor_same_shape(n->in[0], n->in[1])) return rti_op_fail(g, n, RT_SHAPE, "both must be (N, K)");
    return logits_shape(g, n, 0);
}

/* The label of row i, or -1 after recording that it is no class. */
static int64_t label_at(rt_graph *g, const rti_node *n, int64_t i) {
    const rt_tensor *y = n->in[1];
    int64_t label = rt_i32_data(y)[i * y->stride[0]], K = n->in[0]->shape[1];
    if (label >= 0 && label < K) return label;
    rti_op_fail(g, n, RT_VALUE, "label %lld of row %lld is not in 0 ... %lld", (long long)label, (long long)i,
                (long long)(K - 1));
    return -1;
}

/* dz[i] (+)= factor * d[i] */
static void give(rti_grad dz, int64_t count, double factor, const double *d) {
    for (int64_t i = 0; i < count; i++) {
        rt_real part = (rt_real)(factor * d[i]);
        dz.data[i] = dz.accumulate ? dz.data[i] + part : part;
    }
}

/* ---- cross-entropy with labels, smoothed or not ----
 *
 *   L = -(1/N) sum_n sum_k t_nk log p_nk,   p = softmax(z),   t = `on` for k = y, `off` for others
 *   dL/dz_nk = (p_nk - t_nk) / N            because sum_k t_nk = 1
 * Keeps p - t. on = 1, off = 0 is plain cross-entropy, to the bit. */

static void smoothing_targets(const rti_node *n, double *on, double *off) {
    double e = n->a.f[0], K = (double)n->in[0]->shape[1];
    bool others = n->a.i[0] == RT_SMOOTHING_OTHERS;
    *off = e == 0 ? 0 : others ? e / (K - 1) : e / K;
    *on = others ? 1 - e : 1 - e + *off;
}

static void cross_entropy_forward(rt_graph *g, rti_node *n) {
    int64_t N = n->in[0]->shape[0], K = n->in[0]->shape[1];
    const rt_real *z = rti_contiguous(g, n->in[0]);
    double *p = rti_step_alloc(g, (size_t)(2 * N * K) * sizeof *p);
    if (!z || !p) return;
    n->saved = p;
    double *log_p = p + N * K, total = 0, on, off;
    smoothing_targets(n, &on, &off);
    rti_softmax_rows(N, K, z, 1, p, log_p);
    for (int64_t i = 0; i < N; i++, p += K, log_p += K) {
        int64_t y = label_at(g, n, i);
        if (y < 0) return;
        double others = 0;
        if (off != 0)
            for (int64_t k = 0; k < K; k++) others -= k == y ? 0 : log_p[k];
        total += on == 0 ? off * others : off == 0 ? -on * log_p[y] : off * others - on * log_p[y];
        const double of_label = p[y] - on;
        if (off != 0)
            for (int64_t k = 0; k < K; k++) p[k] -= off;
        p[y] = of_label;
    }
    rt_real_data(n->out)[0] = (rt_real)(total / (double)N);
}

static void cross_entropy_backward(rt_graph *g, rti_node *n) {
    rti_grad dz = rti_grad_begin(g, n, 0);
    if (dz.data)
        give(dz, rt_tensor_count(n->in[0]), (double)n->out->grad[0] / (double)n->in[0]->shape[0], n->saved);
}

#define ONE_INPUT .inputs = 1, .input = {{2, {3, 5}}}
#define TWO_INPUTS .inputs = 2, .input = {{2, {3, 5}}, {2, {3, 5}}}

static const int32_t case_labels[] = {2, 0, 4};

static rt_tensor *cross_entropy_case(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_cross_entropy(g, x[0], rt_graph_labels(g, case_labels, 3));
}
static const rt_gradcheck_case cross_entropy_cases[] = {
    {.name = "three examples", .function = cross_entropy_case, ONE_INPUT, .low = -3, .high = 3},
    {.name = "sure and wrong", .function = cross_entropy_case, ONE_INPUT, .low = -20, .high = 20},
};

const rti_op rti_op_cross_entropy = {
    .name = "cross_entropy", .arity = 2, .differentiable = 1,
    .formula = "L = -(1/N) sum_n log softmax(z_n)[y_n]",
    .source = "", .shape = labels_shape, .forward = cross_entropy_forward, .backward = cross_entropy_backward,
    .cases = cross_entropy_cases, .case_count = RTI_COUNT(cross_entropy_cases),
};
RTI_REGISTER(op, cross_entropy)

rt_tensor *rt_cross_entropy(rt_graph *g, rt_tensor *z, rt_tensor *y) {
    return rti_apply2(g, &rti_op_cross_entropy, z, y, NULL);
}

static bool smooth_shape(rt_graph *g, rti_node *n) {
    if (!(n->a.f[0] >= 0 && n->a.f[0] <= 1))
        return rti_op_fail(g, n, RT_VALUE, "epsilon is %g, it must lie in 0 ... 1", n->a.f[0]);
    if (!labels_shape(g, n)) return false;
    if (n->a.i[0] == RT_SMOOTHING_OTHERS && n->in[0]->shape[1] < 2)
        return rti_op_fail(g, n, RT_UNSUPPORTED, "there are no other classes to give epsilon to");
    return true;
}

static rt_tensor *smooth_uniform(rt_graph *g, rt_tensor *const x[], const void *epsilon) {
    return rt_cross_entropy_smooth(g, x[0], rt_graph_labels(g, case_labels, 3), *(const double *)epsilon,
                                   RT_SMOOTHING_UNIFORM);
}
static rt_tensor *smooth_others(rt_graph *g, rt_tensor *const x[], const void *epsilon) {
    return rt_cross_entropy_smooth(g, x[0], rt_graph_labels(g, case_labels, 3), *(const double *)epsilon,
                                   RT_SMOOTHING_OTHERS);
}
static const double case_epsilon[] = {0.1, 1};
static const rt_gradcheck_case smooth_cases[] = {
    {.name = "uniform 0.1", .function = smooth_uniform, ONE_INPUT, .low = -3, .high = 3,
     .context = &case_epsilon[0]},
    {.name = "others 0.1", .function = smooth_others, ONE_INPUT, .low = -3, .high = 3,
     .context = &case_epsilon[0]},
    {.name = "others 1", .function = smooth_others, ONE_INPUT, .low = -3, .high = 3,
     .context = &case_epsilon[1]},
};

const rti_op rti_op_cross_entropy_smooth = {
    .name = "cross_entropy_smooth", .arity = 2, .differentiable = 1,
    .formula = "L = -(1/N) sum_n sum_k t_nk log softmax(z_n)_k,\n"
               "uniform: t = (1 - e)[k = y] + e/K;  others: t = 1 - e for k = y, e/(K-1) for the others",
    .source = "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015, arXiv 1512.00567, section 7 (uniform)",
    .shape = smooth_shape, .forward = cross_entropy_forward, .backward = cross_entropy_backward,
    .cases = smooth_cases, .case_count = RTI_COUNT(smooth_cases),
};
RTI_REGISTER(op, cross_entropy_smooth)

rt_tensor *rt_cross_entropy_smooth(rt_graph *g, rt_tensor *z, rt_tensor *y, double epsilon,
                                   rt_smoothing form) {
    return rti_apply2(g, &rti_op_cross_entropy_smooth, z, y, &(rti_attributes){.i = {form}, .f = {epsilon}});
}

/* ---- cross-entropy with soft targets ----
 *
 *   L = -(1/N) sum_n sum_k t_nk log q_nk,   q = softmax(z/T)
 *   dL/dz_nk = (q_nk sum_j t_nj - t_nk) / (T N)          dL/dt_nk = -log q_nk / N
 * t need not sum to 1. Keeps the bracket and -log q. */

static void cross_entropy_soft_forward(rt_graph *g, rti_node *n) {
    int64_t N = n->in[1]->shape[0], K = n->in[1]->shape[1];
    const rt_real *t = rti_contiguous(g, n->in[0]), *z = rti_contiguous(g, n->in[1]);
    double *q = rti_step_alloc(g, (size_t)(2 * N * K) * sizeof *q);
    if (!t || !z || !q) return;
    n->saved = q;
    double total = 0, *cost = q + N * K;
    rti_softmax_rows(N, K, z, n->a.f[0], q, cost);
    for (int64_t i = 0; i < N; i++, q += K, cost += K, t += K) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) {
            cost[k] = -cost[k];
            sum += (double)t[k];
            total += t[k] == 0 ? 0 : (double)t[k] * cost[k];
        }
        for (int64_t k = 0; k < K; k++) q[k] = q[k] * sum - (double)t[k];
    }
    rt_real_data(n->out)[0] = (rt_real)(total / (double)N);
}

static void cross_entropy_soft_backward(rt_graph *g, rti_node *n) {
    int64_t count = rt_tensor_count(n->in[1]);
    double dy = (double)n->out->grad[0] / (double)n->in[1]->shape[0];
    const double *saved = n->saved;
    rti_grad dt = rti_grad_begin(g, n, 0), dz = rti_grad_begin(g, n, 1);
    if (dt.data) give(dt, count, dy, saved + count);
    if (dz.data) give(dz, count, dy / n->a.f[0], saved);
}

static const double case_T[] = {1, 3};

static rt_tensor *cross_entropy_soft_case(rt_graph *g, rt_tensor *const x[], const void *T) {
    return rt_cross_entropy_soft(g, x[0], x[1], *(const double *)T);
}
static const rt_gradcheck_case cross_entropy_soft_cases[] = {
    {.name = "T 1", .function = cross_entropy_soft_case, TWO_INPUTS, .low = 0,
     .high = 2, .context = &case_T[0]},
    {.name = "T 3", .function = cross_entropy_soft_case, TWO_INPUTS, .low = 0,
     .high = 2, .context = &case_T[1]},
};

const rti_op rti_op_cross_entropy_soft = {
    .name = "cross_entropy_soft", .arity = 2, .differentiable = 3,
    .formula = "L = -(1/N) sum_n sum_k p_nk log softmax(z_n/T)_k",
    .source = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2",
    .shape = pair_shape, .forward = cross_entropy_soft_forward, .backward = cross_entropy_soft_backward,
    .cases = cross_entropy_soft_cases, .case_count = RTI_COUNT(cross_entropy_soft_cases),
};
RTI_REGISTER(op, cross_entropy_soft)

rt_tensor *rt_cross_entropy_soft(rt_graph *g, rt_tensor *p, rt_tensor *z, double T) {
    return rti_apply2(g, &rti_op_cross_entropy_soft, p, z, &(rti_attributes){.f = {T}});
}

/* ---- KL divergence, in both directions ----
 *
 *   L = (1/N) sum_n sum_k p_nk (log p_nk - log q_nk),   p = softmax(a/T), q = softmax(b/T)
 *
 *   With r_k = log p_k - log q_k and D = sum_k p_k r_k of the row:
 *   dL/db_k = (q_k - p_k) / (T N)
 *   dL/da_k = p_k (r_k - D) / (T N)        d p_j/d a_k = p_j ([j=k] - p_k)/T; the 1 of d(p log p)
 *                                          meets sum_j p_j = 1 and drops out
 * Keeps q - p and, when it is asked for, p (r - D). `first` is the input that p comes from: 0 teacher first,
 * 1 reversed. */

static void kl_forward(rt_graph *g, rti_node *n, int first) {
    int64_t N = n->in[0]->shape[0], K = n->in[0]->shape[1];
    double T = n->a.f[0];
    const rt_real *a = rti_contiguous(g, n->in[first]), *b = rti_contiguous(g, n->in[1 - first]);
    double *p = rti_step_alloc(g, (size_t)(4 * N * K) * sizeof *p);
    if (!a || !b || !p) return;
    n->saved = p;
    double *q = p + N * K, *log_p = q + N * K, *r = log_p + N * K, total = 0;
    const rti_soft_targets *soft = rti_notes_soften(g, n->in[first], T);
    if (!soft) rti_softmax_rows(N, K, a, T, p, log_p);
    const double *of_p = soft ? soft->p : p, *of_log_p = soft ? soft->log_p : log_p;
    rti_softmax_rows(N, K, b, T, q, r);
    for (int64_t i = 0; i < N * K; i++) r[i] = of_log_p[i] - r[i];
    const bool wants_first = n->in[first]->requires_grad;
    for (int64_t i = 0; i < N; i++, p += K, of_p += K, q += K, r += K) {
        double divergence = 0;
        for (int64_t k = 0; k < K; k++) divergence += of_p[k] == 0 ? 0 : of_p[k] * r[k];
        for (int64_t k = 0; k < K; k++) q[k] -= of_p[k];
        if (wants_first)
            for (int64_t k = 0; k < K; k++) p[k] = of_p[k] == 0 ? 0 : of_p[k] * (r[k] - divergence);
        total += divergence;
    }
    rt_real_data(n->out)[0] = (rt_real)(total / (double)N);
}

static void kl_backward(rt_graph *g, rti_node *n, int first) {
    int64_t count = rt_tensor_count(n->in[0]);
    double factor = (double)n->out->grad[0] / (n->a.f[0] * (double)n->in[0]->shape[0]);
    const double *saved = n->saved;
    rti_grad da = rti_grad_begin(g, n, first);
    if (da.data) give(da, count, factor, saved);
    rti_grad db = rti_grad_begin(g, n, 1 - first);
    if (db.data) give(db, count, factor, saved + count);
}

static void kl_divergence_forward(rt_graph *g, rti_node *n) { kl_forward(g, n, 0); }
static void kl_divergence_backward(rt_graph *g, rti_node *n) { kl_backward(g, n, 0); }
static void kl_divergence_reverse_forward(rt_graph *g, rti_node *n) { kl_forward(g, n, 1); }
static void kl_divergence_reverse_backward(rt_graph *g, rti_node *n) { kl_backward(g, n, 1); }

static rt_tensor *kl_case(rt_graph *g, rt_tensor *const x[], const void *T) {
    return rt_kl_divergence(g, x[0], x[1], *(const double *)T);
}
static rt_tensor *kl_reverse_case(rt_graph *g, rt_tensor *const x[], const void *T) {
    return rt_kl_divergence_reverse(g, x[0], x[1], *(const double *)T);
}
/* The same tensor on both sides would hide one gradient behind the other; so it stands on one side
 * doubled. */
static rt_tensor *kl_shared_case(rt_graph *g, rt_tensor *const x[], const void *T) {
    return rt_kl_divergence(g, x[0], rt_scale(g, x[0], 2), *(const double *)T);
}
static const rt_gradcheck_case kl_divergence_cases[] = {
    {.name = "T 1", .function = kl_case, TWO_INPUTS, .low = -3, .high = 3,
     .context = &case_T[0]},
    {.name = "T 3", .function = kl_case, TWO_INPUTS, .low = -3, .high = 3,
     .context = &case_T[1]},
    {.name = "one tensor on both sides", .function = kl_shared_case, ONE_INPUT, .low = -2, .high = 2,
     .context = &case_T[0]},
};
static const rt_gradcheck_case kl_divergence_reverse_cases[] = {
    {.name = "T 1", .function = kl_reverse_case, TWO_INPUTS, .low = -3, .high = 3,
     .context = &case_T[0]},
    {.name = "T 3", .function = kl_reverse_case, TWO_INPUTS, .low = -3, .high = 3,
     .context = &case_T[1]},
};

const rti_op rti_op_kl_divergence = {
    .name = "kl_divergence", .arity = 2, .differentiable = 3,
    .formula = "L = (1/N) sum_n sum_k p_nk log(p_nk / q_nk),  p = softmax(v/T), q = softmax(z/T)",
    .source = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2, less the entropy of p",
    .shape = pair_shape, .forward = kl_divergence_forward, .backward = kl_divergence_backward,
    .cases = kl_divergence_cases, .case_count = RTI_COUNT(kl_divergence_cases),
};
RTI_REGISTER(op, kl_divergence)

rt_tensor *rt_kl_divergence(rt_graph *g, rt_tensor *v, rt_tensor *z, double T) {
    return rti_apply2(g, &rti_op_kl_divergence, v, z, &(rti_attributes){.f = {T}});
}

const rti_op rti_op_kl_divergence_reverse = {
    .name = "kl_divergence_reverse", .arity = 2, .differentiable = 3,
    .formula = "L = (1/N) sum_n sum_k q_nk log(q_nk / p_nk),  p = softmax(v/T), q = softmax(z/T)",
    .source = "", .shape = pair_shape, .forward = kl_divergence_reverse_forward,
    .backward = kl_divergence_reverse_backward,
    .cases = kl_divergence_reverse_cases, .case_count = RTI_COUNT(kl_divergence_reverse_cases),
};
RTI_REGISTER(op, kl_divergence_reverse)

rt_tensor *rt_kl_divergence_reverse(rt_graph *g, rt_tensor *v, rt_tensor *z, double T) {
    return rti_apply2(g, &rti_op_kl_divergence_reverse, v, z, &(rti_attributes){.f = {T}});
}
