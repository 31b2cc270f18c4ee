/* dropout.c - some units are left out of each training step.           Floor 5 (ops)
 *
 * The mask is drawn from a counter-based stream and is a function of (stream, position), so backward
 * draws it again: nothing is stored but the stream. */
#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/ops.h"

static bool dropout_shape(rt_graph *g, rti_node *n) {
    double rate = n->a.f[0];
    if (!(rate >= 0 && rate < 1))
        return rti_op_fail(g, n, RT_VALUE, "the rate is %g, it must be at least 0 and less than 1", rate);
    return rti_out_like(g, n, n->in[0]);
}

static void dropout_forward(rt_graph *g, rti_node *n) {
    rt_rng *stream = rti_step_alloc(g, sizeof *stream);
    const rt_real *x = rti_contiguous(g, n->in[0]);
    if (!stream || !x) return;
    *stream = *(const rt_rng *)n->a.p; /* the caller's lives only as long as the call */
    n->a.p = NULL;
    n->saved = stream;
    rti_dropout(rt_tensor_count(n->out), n->a.f[0], stream, x, rt_real_data(n->out));
}

static void dropout_backward(rt_graph *g, rti_node *n) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    rti_dropout_backward(rt_tensor_count(n->out), n->a.f[0], n->saved, n->out->grad, dx.data, dx.accumulate);
}

static rt_tensor *dropout_case(rt_graph *g, rt_tensor *const x[], const void *rate) {
    rt_rng stream = rt_rng_stream(1, "dropout.gradcheck", 2, 3);
    return rt_dropout(g, x[0], *(const double *)rate, &stream);
}

static const double dropout_half = 0.5, dropout_fifth = 0.2;
static const rt_gradcheck_case dropout_cases[] = {
    {.name = "half", .function = dropout_case, .inputs = 1, .input = {{2, {5, 13}}},
     .context = &dropout_half},
    {.name = "a fifth, images", .function = dropout_case, .inputs = 1, .input = {{4, {2, 3, 4, 2}}},
     .context = &dropout_fifth},
};

const rti_op rti_op_dropout = {
    .name = "dropout", .arity = 1, .differentiable = 1,
    .formula = "y = x * m / (1 - rate), P(m = 0) = rate, else m = 1",
    .source = "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, JMLR 15, section 4, inverted",
    .shape = dropout_shape, .forward = dropout_forward, .backward = dropout_backward,
    .cases = dropout_cases, .case_count = 2,
};
RTI_REGISTER(op, dropout)

rt_tensor *rt_dropout(rt_graph *g, rt_tensor *x, double rate, const rt_rng *stream) {
    if (rate == 0) return rt_graph_status(g) == RT_OK ? x : NULL;
    return rti_apply1(g, &rti_op_dropout, x, &(rti_attributes){.f = {rate}, .p = stream});
}
