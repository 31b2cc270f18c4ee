/* product.c - matmul, matmul_nt, matmul_tn.                            Floor 5 (ops)
 *
 * All three are y = A B with A (M,K) and B (K,N), where A or B may lie transposed in memory. gemm
 * reads operands with any strides, so a transposition, a view or a repeated batch axis costs
 * nothing. */
#include <string.h>

#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/ops.h"
#include "tensor/strided.h"

/* Attributes: i[0] a lies as (K,M), i[1] b lies as (N,K). */
typedef struct product {
    bool a_turned, b_turned;
    int64_t M, N, K;
    rti_matrix A, B; /* of the first batch */
    int batch_dims;
    int64_t batch[RT_MAX_DIMS]; /* leading extents of the result */
    /* Strides over them, of the inputs, of their gradients, of the result. */
    int64_t a[RT_MAX_DIMS], b[RT_MAX_DIMS], da[RT_MAX_DIMS], db[RT_MAX_DIMS], y[RT_MAX_DIMS];
} product;

static rti_matrix turn(rti_matrix m) { return (rti_matrix){m.data, m.column_stride, m.row_stride, NULL}; }
static rti_matrix shift(rti_matrix m, int64_t offset) {
    return (rti_matrix){m.data + offset, m.row_stride, m.column_stride, NULL};
}

static void batch_strides(const rt_tensor *x, bool contiguous, const product *p, int64_t stride[]) {
    rt_tensor leading = *x;
    leading.ndim -= 2;
    if (contiguous) rti_row_major(x->ndim, x->shape, leading.stride);
    rti_broadcast_strides(&leading, false, p->batch_dims, p->batch, stride);
}

/* (.., M, K) contiguous times one matrix is a single product with more rows. */
static bool flatten(rt_tensor *x) {
    if (!rt_tensor_is_contiguous(x)) return false;
    int64_t rows = 1, columns = x->shape[x->ndim - 1];
    for (int d = 0; d < x->ndim - 1; d++) rows *= x->shape[d];
    x->ndim = 2;
    x->shape[0] = rows, x->shape[1] = columns;
    x->stride[0] = columns, x->stride[1] = 1;
    return true;
}

static product product_plan(const rti_node *n) {
    product p = {.a_turned = n->a.i[0], .b_turned = n->a.i[1]};
    rt_tensor a = *n->in[0], b = *n->in[1], y = *n->out;
    if (b.ndim == 2 && !p.a_turned && flatten(&a)) flatten(&y);
    p.M = y.shape[y.ndim - 2], p.N = y.shape[y.ndim - 1];
    p.K = a.shape[a.ndim - (p.a_turned ? 2 : 1)];
    p.A = (rti_matrix){rt_real_data(&a), a.stride[a.ndim - 2], a.stride[a.ndim - 1], NULL};
    p.B = (rti_matrix){rt_real_data(&b), b.stride[b.ndim - 2], b.stride[b.ndim - 1], NULL};
    if (p.a_turned) p.A = turn(p.A);
    if (p.b_turned) p.B = turn(p.B);
    p.batch_dims = y.ndim - 2;
    memcpy(p.batch, y.shape, sizeof p.batch);
    batch_strides(&a, false, &p, p.a);
    batch_strides(&b, false, &p, p.b);
    batch_strides(&a, true, &p, p.da);
    batch_strides(&b, true, &p, p.db);
    batch_strides(&y, true, &p, p.y);
    return p;
}

static bool product_shape(rt_graph *g, rti_node *n) {
    rt_tensor a = *n->in[0], b = *n->in[1];
    if (a.ndim < 2 || b.ndim < 2)
        return rti_op_fail(g, n, RT_SHAPE, "both must have at least two dimensions");
    int64_t M = a.shape[a.ndim - 2], K = a.shape[a.ndim - 1];
    int64_t inner = b.shape[b.ndim - 2], N = b.shape[b.ndim - 1], swap;
    if (n->a.i[0]) swap = M, M = K, K = swap;
    if (n->a.i[1]) swap = inner, inner = N, N = swap;
    if (K != inner)
        return rti_op_fail(g, n, RT_SHAPE, "the extents to be summed over, %lld and %lld, differ",
                           (long long)K, (long long)inner);
    int ndim;
    int64_t shape[RT_MAX_DIMS];
    a.ndim -= 2, b.ndim -= 2;
    if (!rti_broadcast_shape(&a, &b, &ndim, shape))
        return rti_op_fail(g, n, RT_SHAPE, "leading extents, aligned at the right, must be equal or 1");
    shape[ndim] = M, shape[ndim + 1] = N;
    return rti_out(g, n, ndim + 2, shape);
}

static void product_forward(rt_graph *g, rti_node *n) {
    (void)g;
    product p = product_plan(n);
    const int64_t *strides[] = {p.a, p.b, p.y};
    for (rti_walk w = rti_walk_begin(p.batch_dims, p.batch, 3, strides); w.n; rti_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++)
            rti_gemm(p.M, p.N, p.K, shift(p.A, w.offset[0] + i * w.step[0]),
                     shift(p.B, w.offset[1] + i * w.step[1]),
                     rt_real_data(n->out) + w.offset[2] + i * w.step[2], p.N, false, NULL);
}

/* Gradients of an input that was repeated over the batch are added up in the batch's order. */
static rti_grad product_grad(rt_graph *g, rti_node *n, const product *p, int input, const int64_t stride[]) {
    bool repeated = false;
    for (int d = 0; d < p->batch_dims; d++) repeated |= stride[d] == 0 && p->batch[d] != 1;
    int64_t batches = 1;
    for (int d = 0; d < p->batch_dims; d++) batches *= p->batch[d];
    if (repeated || batches == 0) return (rti_grad){rti_grad_zeroed(g, n, input), true};
    return rti_grad_begin(g, n, input);
}

/* dA (M,K) = dy B^T, or as it lies: dA^T (K,M) = B dy^T */
static void product_backward_a(rt_graph *g, rti_node *n, const product *p) {
    rti_grad d = product_grad(g, n, p, 0, p->da);
    if (!d.data) return;
    const int64_t *strides[] = {p->b, p->y, p->da};
    for (rti_walk w = rti_walk_begin(p->batch_dims, p->batch, 3, strides); w.n; rti_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++) {
            rti_matrix B = shift(p->B, w.offset[0] + i * w.step[0]);
            rti_matrix dy = {n->out->grad + w.offset[1] + i * w.step[1], p->N, 1, NULL};
            rt_real *da = d.data + w.offset[2] + i * w.step[2];
            if (p->a_turned) rti_gemm(p->K, p->M, p->N, B, turn(dy), da, p->M, d.accumulate, NULL);
            else rti_gemm(p->M, p->K, p->N, dy, turn(B), da, p->K, d.accumulate, NULL);
        }
}

/* dB (K,N) = A^T dy, or as it lies: dB^T (N,K) = dy^T A */
static void product_backward_b(rt_graph *g, rti_node *n, const product *p) {
    rti_grad d = product_grad(g, n, p, 1, p->db);
    if (!d.data) return;
    const int64_t *strides[] = {p->a, p->y, p->db};
    for (rti_walk w = rti_walk_begin(p->batch_dims, p->batch, 3, strides); w.n; rti_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++) {
            rti_matrix A = shift(p->A, w.offset[0] + i * w.step[0]);
            rti_matrix dy = {n->out->grad + w.offset[1] + i * w.step[1], p->N, 1, NULL};
            rt_real *db = d.data + w.offset[2] + i * w.step[2];
            if (p->b_turned) rti_gemm(p->N, p->K, p->M, turn(dy), A, db, p->K, d.accumulate, NULL);
            else rti_gemm(p->K, p->N, p->M, turn(A), dy, db, p->N, d.accumulate, NULL);
        }
}

static void product_backward(rt_graph *g, rti_node *n) {
    product p = product_plan(n);
    product_backward_a(g, n, &p);
    product_backward_b(g, n, &p);
}

/* ---- matmul ---- */

static rt_tensor *matmul_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul(g, in[0], in[1]);
}

static rt_tensor *matmul_views(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul(g, rt_transpose(g, in[0], 0, 1), rt_slice(g, in[1], 1, 1, 3));
}

static rt_tensor *matmul_square(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul(g, in[0], in[0]);
}

static const rt_gradcheck_case matmul_cases[] = {
    {.name = "matmul", .function = matmul_plain, .inputs = 2, .input = {{2, {3, 4}}, {2, {4, 2}}}},
    {.name = "matmul row and column", .function = matmul_plain, .inputs = 2,
     .input = {{2, {1, 4}}, {2, {4, 1}}}},
    {.name = "matmul of views", .function = matmul_views, .inputs = 2, .input = {{2, {4, 3}}, {2, {4, 3}}}},
    {.name = "matmul with itself", .function = matmul_square, .inputs = 1, .input = {{2, {3, 3}}}},
    {.name = "matmul in batches", .function = matmul_plain, .inputs = 2,
     .input = {{4, {2, 3, 2, 4}}, {4, {2, 3, 4, 2}}}},
    {.name = "matmul in batches with one matrix", .function = matmul_plain, .inputs = 2,
     .input = {{3, {3, 2, 4}}, {2, {4, 2}}}},
    {.name = "matmul of one matrix with batches", .function = matmul_plain, .inputs = 2,
     .input = {{2, {2, 4}}, {3, {3, 4, 2}}}},
    {.name = "matmul with repeated batches", .function = matmul_plain, .inputs = 2,
     .input = {{4, {2, 1, 2, 3}}, {4, {1, 3, 3, 2}}}},
};

const rti_op rti_op_matmul = {
    .name = "matmul", .arity = 2, .differentiable = 3, .formula = "y[i][j] = sum_k a[i][k] b[k][j]",
    .source = "", .shape = product_shape,
    .forward = product_forward, .backward = product_backward,
    .cases = matmul_cases, .case_count = sizeof matmul_cases / sizeof *matmul_cases,
};
RTI_REGISTER(op, matmul)

rt_tensor *rt_matmul(rt_graph *g, rt_tensor *a, rt_tensor *b) {
    return rti_apply2(g, &rti_op_matmul, a, b, &(rti_attributes){.i = {0, 0}});
}

/* ---- matmul_nt ---- */

static rt_tensor *matmul_nt_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul_nt(g, in[0], in[1]);
}

static rt_tensor *matmul_nt_views(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul_nt(g, rt_transpose(g, in[0], 1, 2), rt_slice(g, in[0], 2, 0, 2));
}

static const rt_gradcheck_case matmul_nt_cases[] = {
    {.name = "matmul_nt", .function = matmul_nt_plain, .inputs = 2, .input = {{2, {3, 4}}, {2, {2, 4}}}},
    {.name = "matmul_nt summing over one", .function = matmul_nt_plain, .inputs = 2,
     .input = {{2, {3, 1}}, {2, {2, 1}}}},
    {.name = "matmul_nt of views of one tensor", .function = matmul_nt_views, .inputs = 1,
     .input = {{3, {2, 2, 3}}}},
    {.name = "matmul_nt in batches", .function = matmul_nt_plain, .inputs = 2,
     .input = {{3, {3, 2, 4}}, {3, {3, 3, 4}}}},
    {.name = "matmul_nt in batches with one matrix", .function = matmul_nt_plain, .inputs = 2,
     .input = {{3, {3, 2, 4}}, {2, {3, 4}}}},
};

const rti_op rti_op_matmul_nt = {
    .name = "matmul_nt", .arity = 2, .differentiable = 3, .formula = "y[i][j] = sum_k a[i][k] b[j][k]",
    .source = "", .shape = product_shape,
    .forward = product_forward, .backward = product_backward,
    .cases = matmul_nt_cases, .case_count = sizeof matmul_nt_cases / sizeof *matmul_nt_cases,
};
RTI_REGISTER(op, matmul_nt)

rt_tensor *rt_matmul_nt(rt_graph *g, rt_tensor *a, rt_tensor *b) {
    return rti_apply2(g, &rti_op_matmul_nt, a, b, &(rti_attributes){.i = {0, 1}});
}

/* ---- matmul_tn ---- */

static rt_tensor *matmul_tn_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul_tn(g, in[0], in[1]);
}

static rt_tensor *matmul_tn_views(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul_tn(g, rt_slice(g, in[0], 1, 1, 3), rt_transpose(g, in[1], 0, 1));
}

static const rt_gradcheck_case matmul_tn_cases[] = {
    {.name = "matmul_tn", .function = matmul_tn_plain, .inputs = 2, .input = {{2, {4, 3}}, {2, {4, 2}}}},
    {.name = "matmul_tn summing over one", .function = matmul_tn_plain, .inputs = 2,
     .input = {{2, {1, 3}}, {2, {1, 2}}}},
    {.name = "matmul_tn of views", .function = matmul_tn_views, .inputs = 2,
     .input = {{2, {4, 3}}, {2, {2, 4}}}},
    {.name = "matmul_tn in batches", .function = matmul_tn_plain, .inputs = 2,
     .input = {{3, {3, 4, 2}}, {3, {3, 4, 3}}}},
    {.name = "matmul_tn in batches with one matrix", .function = matmul_tn_plain, .inputs = 2,
     .input = {{3, {3, 4, 2}}, {2, {4, 3}}}},
};

const rti_op rti_op_matmul_tn = {
    .name = "matmul_tn", .arity = 2, .differentiable = 3, .formula = "y[i][j] = sum_k a[k][i] b[k][j]",
    .source = "", .shape = product_shape,
    .forward = product_forward, .backward = product_backward,
    .cases = matmul_tn_cases, .case_count = sizeof matmul_tn_cases / sizeof *matmul_tn_cases,
};
RTI_REGISTER(op, matmul_tn)

rt_tensor *rt_matmul_tn(rt_graph *g, rt_tensor *a, rt_tensor *b) {
    return rti_apply2(g, &rti_op_matmul_tn, a, b, &(rti_attributes){.i = {1, 0}});
}
