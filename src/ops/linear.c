/* linear.c - a fully connected layer in one op.                        Floor 5 (ops)
 *
 *     z = x W^T + b,  y = act(z)          x (N,D), W (U,D), b (U), y and z (N,U)
 *
 * Bias and relu ride on gemm's epilogue, so y is written once. Backward, with dz = act'(z) dy:
 *
 *     dx (N,D) = dz W        dW (U,D) = dz^T x        db (U) = the column sums of dz
 *
 * What is kept: y, for the slope of every activation but gelu, which needs z; and where x is not 0, when
 * much of it is 0 (pixels, and what relu and dropout leave): both products with x leave zeros out.
 *
 * rt_linear_bf16 rounds both operands of each of these products to bfloat16 on their way to the multiplier;
 * the gradient passes straight through the rounding. */
#include <string.h>

#include "graph/notes.h"
#include "graph/op.h"
#include "kernels/kernels.h"
#include "ops/activation.h"
#include "retort/ops.h"

/* Attributes: i[0] the rt_activation, i[1] whether products are of bfloat16. Input 2, the bias, may be
 * absent. */

/* gemm, or its bfloat16 version with memory from the step; a failure sticks to the graph. */
static void product(rt_graph *g, const rti_node *n, int64_t M, int64_t N, int64_t K, rti_matrix A,
                    rti_matrix B, rt_real *C, bool accumulate, const rti_epilogue *epilogue) {
    if (!n->a.i[1]) {
        rti_gemm(M, N, K, A, B, C, N, accumulate, epilogue);
        return;
    }
    const size_t bytes = rti_gemm_bf16_scratch_bytes(M, N, K);
    void *scratch = rti_step_alloc(g, bytes);
    if (scratch) rti_gemm_bf16(M, N, K, A, B, C, N, accumulate, epilogue, scratch);
    rti_step_release(g, scratch, bytes);
}

static bool linear_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0], *w = n->in[1], *b = n->inputs > 2 ? n->in[2] : NULL;
    if (x->ndim != 2) return rti_op_fail(g, n, RT_SHAPE, "x must be (N, D)");
    if (w->ndim != 2 || w->shape[1] != x->shape[1])
        return rti_op_fail(g, n, RT_SHAPE, "x and W do not fit: W must have %lld columns",
                           (long long)x->shape[1]);
    if (b && (b->ndim != 1 || b->shape[0] != w->shape[0]))
        return rti_op_fail(g, n, RT_SHAPE, "W and b do not fit: b must have %lld elements",
                           (long long)w->shape[0]);
    if (n->a.i[0] < RT_ACT_NONE || n->a.i[0] > RT_ACT_GELU)
        return rti_op_fail(g, n, RT_VALUE, "%lld is not an activation", (long long)n->a.i[0]);
    return rti_out(g, n, 2, (const int64_t[]){x->shape[0], w->shape[0]});
}

typedef struct kept {
    rt_real *z;
    rti_nonzero *nonzero;
} kept;

static rti_matrix matrix_of(const rt_tensor *x, const rti_nonzero *nonzero) {
    return (rti_matrix){rt_real_data(x), x->stride[0], x->stride[1], nonzero};
}

/* Memory until the notes, if there are any, or the step are at their end. */
static void *lend(rt_graph *g, const rti_node *n, rti_notes *notes, size_t bytes) {
    if (!notes) return rti_step_alloc(g, bytes);
    void *block = rti_arena_alloc(&notes->arena, bytes);
    if (!block) rti_op_fail(g, n, RT_MEMORY, "no memory for %zu bytes of notes about the batch", bytes);
    return block;
}

/* What of x is not 0, when a product with U columns can make use of it: as lists, when half of a wide layer's
 * numbers are 0, or of a batch that several students look at; or, for products of float32, of inputs,
 * when seven tenths are, as a map. Of one example, and in a narrow layer's answers about numbers, the product
 * itself sees what is 0. */
static rti_nonzero *note_zeros(rt_graph *g, const rti_node *n, rti_matrix x, int64_t N, int64_t D, int64_t U,
                               bool is_input, rti_notes *notes) {
    enum { WIDE = 64 };
    const bool bf16 = n->a.i[1], lists = D >= WIDE && rti_lists_pay(U, notes ? notes->students : 1),
               map = is_input && !bf16;
    if (x.column_stride != 1 || N < 2 || D < 1 || U < 1 || !(lists || map)) return NULL;
    if (bf16 && !rti_lists_serve_bf16()) return NULL;
    rti_nonzero *z = notes ? notes->nonzero : NULL;
    if (z && (z->rows != N || z->columns != D)) return NULL;
    const size_t bytes = rti_nonzero_bytes(N, D);
    if (bytes == 0) return NULL;
    if (!notes && !lists && !n->out->requires_grad) {
        z = lend(g, n, NULL, sizeof *z);
        if (z) rti_nonzero_sample(z, N, D, x.data, x.row_stride);
        return z && rti_map_pays(z) ? z : NULL;
    }
    if (!z) {
        z = lend(g, n, notes, sizeof *z);
        void *memory = lend(g, n, notes, bytes);
        if (!z || !memory) return NULL;
        if (notes && notes->of.bytes) rti_nonzero_note_bytes(z, N, D, &notes->of, memory);
        else rti_nonzero_note(z, N, D, x.data, x.row_stride, memory);
        if (notes) notes->nonzero = z;
    }
    if (lists && z->is_sparse && (!bf16 || rti_lists_pay_bf16(z))) {
        void *memory = z->by_row.start ? NULL : lend(g, n, notes, rti_nonzero_by_row_bytes(z));
        if (memory) rti_nonzero_by_row(z, x.data, x.row_stride, memory);
        return z->by_row.start ? z : NULL;
    }
    return map && rti_map_pays(z) ? z : NULL;
}

/* The same of columns for dW = dz^T x. */
static void look_at_columns(rt_graph *g, const rti_node *n, rti_nonzero *z, int64_t U) {
    if (!z) return;
    rti_nonzero_turn(z);
    if (!z->by_row.start || z->by_column.start || !rti_lists_serve(U)) return;
    void *memory = lend(g, n, rti_notes_about(g, n->in[0]), rti_nonzero_by_column_bytes(z));
    if (memory) rti_nonzero_by_column(z, memory);
}

/* The product with x is to be of every element. */
static void read_all(rt_graph *g, const rt_tensor *x, kept *keep) {
    rti_notes_read(g, x);
    keep->nonzero = NULL;
}

static void linear_forward(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0], *w = n->in[1];
    rt_activation act = (rt_activation)n->a.i[0];
    int64_t N = x->shape[0], D = x->shape[1], U = w->shape[0];
    rti_epilogue epilogue = {.relu = act == RT_ACT_RELU};
    if (n->inputs > 2 && !(epilogue.bias = rti_contiguous(g, n->in[2]))) return;
    rt_real *y = rt_real_data(n->out);
    kept *keep = n->saved = rti_step_alloc(g, sizeof *keep);
    if (!keep) return;
    rti_notes *notes = rti_notes_about(g, x);
    *keep = (kept){NULL, note_zeros(g, n, matrix_of(x, NULL), N, D, U, !x->requires_grad, notes)};
    if (!keep->nonzero) rti_notes_read(g, x);
    product(g, n, N, U, D, matrix_of(x, keep->nonzero),
            (rti_matrix){rt_real_data(w), w->stride[1], w->stride[0], NULL}, y, false, &epilogue);
    if (act == RT_ACT_GELU && n->out->requires_grad) {
        keep->z = rti_step_alloc(g, (size_t)(N * U) * sizeof *y);
        if (!keep->z) return;
        if (N * U > 0) memcpy(keep->z, y, (size_t)(N * U) * sizeof *y);
    }
    rti_act_forward(act, N * U, y);
}

static void linear_backward(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0], *w = n->in[1], *y = n->out;
    rt_activation act = (rt_activation)n->a.i[0];
    int64_t N = x->shape[0], D = x->shape[1], U = w->shape[0];
    const rt_real *dz = y->grad;
    kept *keep = n->saved;
    if (act != RT_ACT_NONE) {
        rt_real *masked = rti_step_alloc(g, (size_t)(N * U) * sizeof *masked);
        if (!masked) return;
        rti_act_backward(act, N * U, rt_real_data(y), keep->z, y->grad, masked);
        dz = masked;
    }
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (dx.data) {
        rti_matrix of_dz = {dz, U, 1, NULL};
        if (act == RT_ACT_RELU && !dx.accumulate)
            of_dz.nonzero = note_zeros(g, n, of_dz, N, U, D, false, NULL);
        product(g, n, N, D, U, of_dz, matrix_of(w, NULL), dx.data, dx.accumulate, NULL);
    }
    rti_grad dw = rti_grad_begin(g, n, 1);
    if (dw.data) {
        const rti_nonzero *z = keep->nonzero;
        if (dw.accumulate || N > RTI_SPARSE_BATCH || (z && !rti_columns_pay(z))) read_all(g, x, keep);
        else look_at_columns(g, n, keep->nonzero, U);
        product(g, n, U, D, N, (rti_matrix){dz, 1, U, NULL}, matrix_of(x, keep->nonzero), dw.data,
                dw.accumulate, NULL);
    }
    if (n->inputs < 3) return;
    rti_grad db = rti_grad_begin(g, n, 2);
    if (db.data) rti_column_sums(N, U, dz, db.data, db.accumulate);
}

static rt_tensor *linear_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    return rt_linear(g, in[0], in[1], in[2], *(const rt_activation *)context);
}

static rt_tensor *linear_without_bias(rt_graph *g, rt_tensor *const in[], const void *context) {
    return rt_linear(g, in[0], in[1], NULL, *(const rt_activation *)context);
}

/* Views of all three, and two layers that share a weight. */
static rt_tensor *linear_views(rt_graph *g, rt_tensor *const in[], const void *context) {
    rt_tensor *w = rt_transpose(g, in[1], 0, 1);
    rt_tensor *b = rt_reshape(g, rt_slice(g, in[2], 1, 1, 2), 1, (int64_t[]){3});
    rt_tensor *hidden = rt_linear(g, rt_slice(g, in[0], 1, 1, 4), w, b, *(const rt_activation *)context);
    return rt_linear(g, hidden, w, NULL, RT_ACT_NONE);
}

#define ACTIVATION(kind) (&(const rt_activation){kind})
#define LINEAR_CASE(text, kind)                                                 \
    {.name = "linear with " text, .function = linear_plain, .inputs = 3,        \
     .input = {{2, {3, 4}}, {2, {2, 4}}, {1, {2}}}, .context = ACTIVATION(kind)}

static const rt_gradcheck_case linear_cases[] = {
    LINEAR_CASE("no activation", RT_ACT_NONE),
    LINEAR_CASE("relu", RT_ACT_RELU),
    LINEAR_CASE("leaky_relu", RT_ACT_LEAKY_RELU),
    LINEAR_CASE("tanh", RT_ACT_TANH),
    LINEAR_CASE("sigmoid", RT_ACT_SIGMOID),
    LINEAR_CASE("softplus", RT_ACT_SOFTPLUS),
    LINEAR_CASE("gelu", RT_ACT_GELU),
    {.name = "linear without bias", .function = linear_without_bias, .inputs = 2,
     .input = {{2, {1, 4}}, {2, {3, 4}}}, .context = ACTIVATION(RT_ACT_TANH)},
    {.name = "linear, all extents 1", .function = linear_plain, .inputs = 3,
     .input = {{2, {1, 1}}, {2, {1, 1}}, {1, {1}}}, .context = ACTIVATION(RT_ACT_GELU)},
    {.name = "linear of views, weight shared", .function = linear_views, .inputs = 3,
     .input = {{2, {2, 5}}, {2, {3, 3}}, {2, {3, 2}}}, .context = ACTIVATION(RT_ACT_SIGMOID)},
    {.name = "linear, only the weight wants a gradient", .function = linear_plain, .inputs = 3, .constant = 5,
     .input = {{2, {3, 4}}, {2, {2, 4}}, {1, {2}}}, .context = ACTIVATION(RT_ACT_RELU)},
};

const rti_op rti_op_linear = {
    .name = "linear", .arity = RTI_VARIADIC, .differentiable = 7, .formula = "y = act(x W^T + b)",
    .source = "", .shape = linear_shape, .forward = linear_forward, .backward = linear_backward,
    .cases = linear_cases, .case_count = sizeof linear_cases / sizeof *linear_cases,
    .asks_for_numbers = 1,
};
RTI_REGISTER(op, linear)

rt_tensor *rt_linear(rt_graph *g, rt_tensor *x, rt_tensor *w, rt_tensor *b, rt_activation act) {
    return rti_apply(g, &rti_op_linear, (rt_tensor *const[]){x, w, b}, b ? 3 : 2,
                     &(rti_attributes){.i = {act}});
}

rt_tensor *rt_linear_bf16(rt_graph *g, rt_tensor *x, rt_tensor *w, rt_tensor *b, rt_activation act) {
    return rti_apply(g, &rti_op_linear, (rt_tensor *const[]){x, w, b}, b ? 3 : 2,
                     &(rti_attributes){.i = {act, true}});
}
