/* relations.c - how examples lie to each other: distances, angles, products with a bank.  Floor 5 (ops)
 *
 * Examples are rows of x (N, D). What belongs to pairs of them has N^2 numbers and is a tensor; what belongs
 * to triples would have N^3, so angles are compared as they are made and never kept. */
#include <math.h>

#include "core/pool.h"
#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/ops.h"

/* ---- pairwise_distances: d_ij = ||x_i - x_j|| ----
 *
 * With w_ij = (dy_ij + dy_ji) / d_ij the gradient is dx_i = sum_j w_ij (x_i - x_j), and 0 for a pair that
 * coincides. Differences are taken before they are squared, so that points that lie close together far from
 * the origin keep their distance (|a|^2 + |b|^2 - 2 a.b would not). Keeps the distances in double. */

static bool pairwise_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    if (x->ndim != 2) return rti_op_fail(g, n, RT_SHAPE, "examples must be rows, (N, D)");
    return rti_out(g, n, 2, (const int64_t[]){x->shape[0], x->shape[0]});
}

static void pairwise_forward(rt_graph *g, rti_node *n) {
    int64_t N = n->in[0]->shape[0], D = n->in[0]->shape[1];
    const rt_real *x = rti_contiguous(g, n->in[0]);
    double *length = rti_step_alloc(g, (size_t)(N * N) * sizeof *length);
    rt_real *across = rti_step_alloc(g, (size_t)D * sizeof *across), *y = rt_real_data(n->out);
    if (!x || !length || !across) return;
    n->saved = length;
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j <= i; j++) {
            rti_sub(D, x + i * D, x + j * D, across);
            length[i * N + j] = length[j * N + i] = i == j ? 0 : sqrt(rti_dot(D, across, across));
            y[i * N + j] = y[j * N + i] = (rt_real)length[i * N + j];
        }
}

static void pairwise_backward(rt_graph *g, rti_node *n) {
    int64_t N = n->in[0]->shape[0], D = n->in[0]->shape[1];
    const rt_real *x = rti_contiguous(g, n->in[0]), *dy = n->out->grad;
    rt_real *across = rti_step_alloc(g, (size_t)D * sizeof *across), *dx = rti_grad_zeroed(g, n, 0);
    if (!x || !across || !dx) return;
    const double *length = n->saved;
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < i; j++) {
            double d = length[i * N + j];
            if (d == 0) continue;
            rt_real w = (rt_real)(((double)dy[i * N + j] + (double)dy[j * N + i]) / d);
            rti_sub(D, x + i * D, x + j * D, across);
            rti_axpy(D, w, across, dx + i * D);
            rti_axpy(D, -w, across, dx + j * D);
        }
}

static rt_tensor *pairwise_case(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_pairwise_distances(g, x[0]);
}
/* Two of three points coincide, whatever x is: their distance is a constant 0. */
static rt_tensor *pairwise_coincident(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    static const int32_t twice[] = {0, 1, 0};
    return rt_pairwise_distances(g, rt_gather_rows(g, x[0], rt_graph_labels(g, twice, 3)));
}
static rt_tensor *pairwise_twice(rt_graph *g, rt_tensor *const x[], const void *context) {
    return rt_mul(g, pairwise_case(g, x, context), pairwise_case(g, x, context));
}
static const rt_gradcheck_case pairwise_cases[] = {
    {.name = "points", .function = pairwise_case, .inputs = 1, .input = {{2, {5, 4}}}},
    {.name = "coincident points", .function = pairwise_coincident, .inputs = 1, .input = {{2, {2, 3}}}},
    {.name = "twice", .function = pairwise_twice, .inputs = 1, .input = {{2, {4, 3}}}},
};

const rti_op rti_op_pairwise_distances = {
    .name = "pairwise_distances", .arity = 1, .differentiable = 1,
    .formula = "d_ij = ||x_i - x_j||_2, rows of x", .source = "",
    .shape = pairwise_shape, .forward = pairwise_forward, .backward = pairwise_backward,
    .cases = pairwise_cases, .case_count = RTI_COUNT(pairwise_cases),
};
RTI_REGISTER(op, pairwise_distances)

rt_tensor *rt_pairwise_distances(rt_graph *g, rt_tensor *x) {
    return rti_apply1(g, &rti_op_pairwise_distances, x, NULL);
}

/* ---- angle_smooth_l1: of all angles between three points, in s and in t ----
 *
 * At each point j, with unit vectors e_i = (x_i - x_j) / r_i (0 where r_i is 0), the cosines of the angles
 * are C = E E^T, (N, N). With h the smooth L1 function (beta 1), A = h'(C_s - C_t), which is symmetric:
 *
 *   L = 1/N^3 sum_j sum_ik h(C_s - C_t)
 *   dE = 2 A E,   du_i = (dE_i - e_i (e_i . dE_i)) / r_i,   ds_i += du_i,   ds_j -= du_i
 *
 * Since L is a single number, its gradient is a constant times dL and is made in the same pass, vertex by
 * vertex: memory is O(N^2 + N D) instead of the N^3 of all angles. Keeps ds. */

typedef struct angles {
    int64_t N, D;
    const rt_real *x;
    rt_real *unit, *cosine; /* (N, D), (N, N), of one vertex */
    double *length;         /* (N) */
} angles;

static bool angles_begin(rt_graph *g, const rt_tensor *x, angles *a) {
    *a = (angles){.N = x->shape[0], .D = x->shape[1], .x = rti_contiguous(g, x)};
    a->unit = rti_step_alloc(g, (size_t)(a->N * a->D) * sizeof *a->unit);
    a->cosine = rti_step_alloc(g, (size_t)(a->N * a->N) * sizeof *a->cosine);
    a->length = rti_step_alloc(g, (size_t)a->N * sizeof *a->length);
    return a->x && a->unit && a->cosine && a->length;
}

static void angles_at(angles *a, int64_t vertex) {
    for (int64_t i = 0; i < a->N; i++) {
        rt_real *e = a->unit + i * a->D;
        rti_sub(a->D, a->x + i * a->D, a->x + vertex * a->D, e);
        a->length[i] = sqrt(rti_dot(a->D, e, e));
        for (int64_t d = 0; d < a->D; d++)
            e[d] = a->length[i] == 0 ? 0 : (rt_real)((double)e[d] / a->length[i]);
    }
    rti_gemm(a->N, a->N, a->D, (rti_matrix){a->unit, a->D, 1, NULL},
             (rti_matrix){a->unit, 1, a->D, NULL}, a->cosine,
             a->N, false, NULL);
}

/* Sum of h over two arrays; leaves its slope in `a`. */
static double huber_sum(int64_t count, rt_real *a, const rt_real *b) {
    double total = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = (double)a[i] - (double)b[i], size = fabs(d);
        total += size < 1 ? 0.5 * d * d : size - 0.5;
        a[i] = (rt_real)(size < 1 ? d : d > 0 ? 1 : -1);
    }
    return total;
}

/* Adds factor times the gradient of one vertex, whose slopes lie in a->cosine, to dx. */
static void angles_gradient(const angles *a, int64_t vertex, double factor, rt_real *de, rt_real *dx) {
    int64_t D = a->D;
    rti_gemm(a->N, D, a->N, (rti_matrix){a->cosine, a->N, 1, NULL},
             (rti_matrix){a->unit, D, 1, NULL}, de, D, false,
             NULL);
    for (int64_t i = 0; i < a->N; i++) {
        const rt_real *e = a->unit + i * D;
        if (a->length[i] == 0) continue;
        double along = rti_dot(D, e, de + i * D), scale = 2 * factor / a->length[i];
        for (int64_t d = 0; d < D; d++) {
            rt_real part = (rt_real)(scale * ((double)de[i * D + d] - along * (double)e[d]));
            dx[i * D + d] += part;
            dx[vertex * D + d] -= part;
        }
    }
}

static bool angle_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *s = n->in[0], *t = n->in[1];
    if (s->ndim != 2 || t->ndim != 2 || s->shape[0] != t->shape[0])
        return rti_op_fail(g, n, RT_SHAPE, "both must be the same number of rows, (N, D) and (N, D')");
    if (s->shape[0] < 1) return rti_op_fail(g, n, RT_SHAPE, "there is nothing to average");
    return rti_out(g, n, 0, NULL);
}

static void angle_forward(rt_graph *g, rti_node *n) {
    angles s, t;
    if (!angles_begin(g, n->in[0], &s) || !angles_begin(g, n->in[1], &t)) return;
    rt_real *ds = NULL, *de = NULL;
    size_t bytes = (size_t)(s.N * s.D) * sizeof *ds;
    if (n->out->requires_grad) {
        ds = rti_step_alloc(g, bytes), de = rti_step_alloc(g, bytes);
        if (!ds || !de) return;
        rti_fill(s.N * s.D, 0, ds);
        n->saved = ds;
    }
    double total = 0, share = 1 / ((double)s.N * (double)s.N * (double)s.N);
    for (int64_t j = 0; j < s.N; j++) {
        angles_at(&s, j), angles_at(&t, j);
        total += huber_sum(s.N * s.N, s.cosine, t.cosine);
        if (ds) angles_gradient(&s, j, share, de, ds);
    }
    rt_real_data(n->out)[0] = (rt_real)(total * share);
}

static void angle_backward(rt_graph *g, rti_node *n) {
    rti_grad grad = rti_grad_begin(g, n, 0);
    if (!grad.data) return;
    int64_t count = rt_tensor_count(n->in[0]);
    if (grad.accumulate) rti_axpy(count, n->out->grad[0], n->saved, grad.data);
    else rti_scale(count, n->out->grad[0], n->saved, grad.data);
}

static rt_tensor *angle_case(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_scale(g, rt_angle_smooth_l1(g, x[0], x[1]), 10);
}
/* Points 0 and 2 coincide: no angle is measured along their difference. */
static rt_tensor *angle_coincident(rt_graph *g, rt_tensor *const x[], const void *context) {
    static const int32_t twice[] = {0, 1, 0, 2};
    rt_tensor *points = rt_gather_rows(g, x[0], rt_graph_labels(g, twice, 4));
    return angle_case(g, (rt_tensor *const[]){points, x[1]}, context);
}
/* Angles of 180 degrees against angles of 0: differences above 1, where h is straight. */
static rt_tensor *angle_wide(rt_graph *g, rt_tensor *const x[], const void *context) {
    static const rt_real line[] = {0, 0, 4, 0, -4, 0.5}, ray[] = {0, 0, 1, 0, 2, 0};
    rt_tensor *points = rt_add(g, rt_scale(g, x[0], 0.1),
                               rt_graph_input(g, line, 2, (const int64_t[]){3, 2}));
    rt_tensor *others = rt_graph_input(g, ray, 2, (const int64_t[]){3, 2});
    return angle_case(g, (rt_tensor *const[]){points, others}, context);
}
static const rt_gradcheck_case angle_cases[] = {
    {.name = "other widths", .function = angle_case, .inputs = 2, .input = {{2, {5, 3}}, {2, {5, 4}}},
     .constant = 2},
    {.name = "coincident points", .function = angle_coincident, .inputs = 2,
     .input = {{2, {3, 3}}, {2, {4, 2}}}, .constant = 2},
    {.name = "far apart", .function = angle_wide, .inputs = 1, .input = {{2, {3, 2}}}},
};

const rti_op rti_op_angle_smooth_l1 = {
    .name = "angle_smooth_l1", .arity = 2, .differentiable = 1,
    .formula = "L = mean over i, j, k of h(cos of the angle at s_j - cos of the angle at t_j), h smooth L1",
    .source = "Park, Kim, Lu, Cho 2019, arXiv 1904.05068, eqs. 8 and 10",
    .shape = angle_shape, .forward = angle_forward, .backward = angle_backward,
    .cases = angle_cases, .case_count = RTI_COUNT(angle_cases),
};
RTI_REGISTER(op, angle_smooth_l1)

rt_tensor *rt_angle_smooth_l1(rt_graph *g, rt_tensor *s, rt_tensor *t) {
    return rti_apply2(g, &rti_op_angle_smooth_l1, s, t, NULL);
}

/* ---- bank_products: y_nm = x_n . bank[index_nm];  dx_n = sum_m dy_nm bank[index_nm] ----
 *
 * The rows are read where they lie: nothing of size (N, M, D) is made. Threads share the examples. */

typedef struct lookup {
    int64_t M, D;
    const rt_real *x, *bank;
    const int32_t *index;
    rt_real *y;              /* forward */
    const rt_real *dy;       /* backward */
    rti_grad dx;
} lookup;

static bool bank_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0], *bank = n->in[1], *index = n->in[2];
    if (x->ndim != 2 || bank->ndim != 2 || bank->dtype != RT_DTYPE_REAL || x->shape[1] != bank->shape[1])
        return rti_op_fail(g, n, RT_SHAPE, "x must be (N, D) and the bank (R, D)");
    if (index->dtype != RT_DTYPE_I32 || index->ndim != 1 || !rt_tensor_is_contiguous(index) ||
        x->shape[0] < 1 || index->shape[0] % x->shape[0] != 0)
        return rti_op_fail(g, n, RT_SHAPE, "the index must be a list of N times M 32-bit integers");
    for (int64_t i = 0; i < index->shape[0]; i++)
        if (rt_i32_data(index)[i] < 0 || rt_i32_data(index)[i] >= bank->shape[0])
            return rti_op_fail(g, n, RT_VALUE, "entry %lld of the index is row %d; there are %lld rows",
                               (long long)i, (int)rt_i32_data(index)[i], (long long)bank->shape[0]);
    return rti_out(g, n, 2, (const int64_t[]){x->shape[0], index->shape[0] / x->shape[0]});
}

static lookup lookup_of(rt_graph *g, const rti_node *n) {
    return (lookup){.M = n->out->shape[1], .D = n->in[0]->shape[1], .x = rti_contiguous(g, n->in[0]),
                    .bank = rti_contiguous(g, n->in[1]), .index = rt_i32_data(n->in[2])};
}

static void bank_row_forward(void *context, int64_t n) {
    const lookup *l = context;
    for (int64_t m = n * l->M; m < (n + 1) * l->M; m++)
        l->y[m] = (rt_real)rti_dot(l->D, l->x + n * l->D, l->bank + l->index[m] * l->D);
}

static void bank_row_backward(void *context, int64_t n) {
    const lookup *l = context;
    rt_real *dx = l->dx.data + n * l->D;
    if (!l->dx.accumulate) rti_fill(l->D, 0, dx);
    for (int64_t m = n * l->M; m < (n + 1) * l->M; m++)
        rti_axpy(l->D, l->dy[m], l->bank + l->index[m] * l->D, dx);
}

static void bank_forward(rt_graph *g, rti_node *n) {
    lookup l = lookup_of(g, n);
    l.y = rt_real_data(n->out);
    if (l.x && l.bank) rti_parallel(n->out->shape[0], bank_row_forward, &l);
}

static void bank_backward(rt_graph *g, rti_node *n) {
    lookup l = lookup_of(g, n);
    l.dy = n->out->grad, l.dx = rti_grad_begin(g, n, 0);
    if (l.bank && l.dx.data) rti_parallel(n->out->shape[0], bank_row_backward, &l);
}

static const int32_t bank_index[] = {0, 3, 1, 3, 3, 2, 4, 0};

static rt_tensor *bank_case(rt_graph *g, rt_tensor *const x[], const void *context) {
    (void)context;
    return rt_bank_products(g, x[0], x[1], rt_graph_labels(g, bank_index, 8));
}
static rt_tensor *bank_twice(rt_graph *g, rt_tensor *const x[], const void *context) {
    return rt_mul(g, bank_case(g, x, context), bank_case(g, x, context));
}
#define BANK_INPUTS .inputs = 2, .input = {{2, {2, 3}}, {2, {5, 3}}}, .constant = 2
static const rt_gradcheck_case bank_cases[] = {
    {.name = "rows of a bank", .function = bank_case, BANK_INPUTS},
    {.name = "twice", .function = bank_twice, BANK_INPUTS},
};

const rti_op rti_op_bank_products = {
    .name = "bank_products", .arity = 3, .differentiable = 1, .formula = "y_nm = x_n . bank[index_nm]",
    .source = "Wu, Xiong, Yu, Lin 2018, arXiv 1805.01978, section 3.2",
    .shape = bank_shape, .forward = bank_forward, .backward = bank_backward,
    .cases = bank_cases, .case_count = RTI_COUNT(bank_cases),
};
RTI_REGISTER(op, bank_products)

rt_tensor *rt_bank_products(rt_graph *g, rt_tensor *x, rt_tensor *bank, rt_tensor *index) {
    return rti_apply(g, &rti_op_bank_products, (rt_tensor *const[]){x, bank, index}, 3, NULL);
}
