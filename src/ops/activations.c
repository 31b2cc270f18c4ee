/* activations.c - relu, leaky_relu, tanh, sigmoid, softplus, gelu.     Floor 5 (ops) */
#include "ops/elementwise.h"

#define CASES(list) .cases = list, .case_count = sizeof list / sizeof *list

/* ---- relu: slope 0 at 0 ---- */

static void relu_forward(rt_graph *g, rti_node *n) {
    (void)g;
    const rt_tensor *x = n->in[0], *y = n->out;
    const int64_t *strides[] = {x->stride, y->stride};
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w)) {
        const rt_real *from = rt_real_data(x) + w.offset[0];
        rt_real *to = rt_real_data(y) + w.offset[1];
        if (w.step[0] == 1) rti_relu(w.n, from, to);
        else
            for (int64_t i = 0; i < w.n; i++) to[i] = from[i * w.step[0]] < 0 ? 0 : from[i * w.step[0]];
    }
}

static void relu_backward(rt_graph *g, rti_node *n) {
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    const rt_tensor *y = n->out;
    rti_relu_backward(rt_tensor_count(y), rt_real_data(y), y->grad, dx.data, dx.accumulate);
}

ELEMENTWISE_FUNCTIONS(relu, rt_relu(g, x))
static const rt_gradcheck_case relu_cases[] = {
    {.name = "relu", .function = relu_plain, .inputs = 1, .input = {{2, {3, 4}}}, .kink_count = 1},
    {.name = "relu of a positive number", .function = relu_plain, .inputs = 1, .input = {{0, {0}}},
     .low = 0.5, .high = 1},
    {.name = "relu of a view", .function = relu_turned, .inputs = 1, .input = {{3, {2, 3, 2}}},
     .kink_count = 1},
};

const rti_op rti_op_relu = {
    .name = "relu", .arity = 1, .differentiable = 1, .formula = "y = max(0, x)",
    .source = "Nair and Hinton 2010, section 2",
    .shape = rti_elementwise_shape, .forward = relu_forward, .backward = relu_backward, CASES(relu_cases),
};
RTI_REGISTER(op, relu)

rt_tensor *rt_relu(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_relu, x, NULL); }

/* ---- leaky_relu: attribute f[0] the slope below 0, taken at 0, too ---- */

static rt_real leaky_relu_value(rt_real x, const rti_attributes *a) {
    return rti_leaky_relu_value(x, (rt_real)a->f[0]);
}

static rt_real leaky_relu_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)y;
    return x > 0 ? 1 : (rt_real)a->f[0];
}

ELEMENTWISE_OP(leaky_relu, rt_leaky_relu(g, x, 0.2))
static const rt_gradcheck_case leaky_relu_cases[] = {ELEMENTWISE_CASES(leaky_relu, -1, 1, .kink_count = 1)};

const rti_op rti_op_leaky_relu = {
    .name = "leaky_relu", .arity = 1, .differentiable = 1, .formula = "y = x > 0 ? x : slope x",
    .source = "Maas, Hannun and Ng 2013, equation 2",
    .shape = rti_elementwise_shape, .forward = leaky_relu_forward, .backward = leaky_relu_backward,
    CASES(leaky_relu_cases),
};
RTI_REGISTER(op, leaky_relu)

rt_tensor *rt_leaky_relu(rt_graph *g, rt_tensor *x, double slope) {
    return rti_apply1(g, &rti_op_leaky_relu, x, &(rti_attributes){.f = {slope}});
}

/* ---- tanh: dy/dx = 1 - y^2 ---- */

static rt_real tanh_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return rti_tanh_value(x);
}

static rt_real tanh_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)x, (void)a;
    return rti_tanh_slope(y);
}

ELEMENTWISE_OP(tanh, rt_tanh(g, x))
static const rt_gradcheck_case tanh_cases[] = {ELEMENTWISE_CASES(tanh, -2, 2)};

const rti_op rti_op_tanh = {
    .name = "tanh", .arity = 1, .differentiable = 1, .formula = "y = tanh(x)", .source = "",
    .shape = rti_elementwise_shape, .forward = tanh_forward, .backward = tanh_backward, CASES(tanh_cases),
};
RTI_REGISTER(op, tanh)

rt_tensor *rt_tanh(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_tanh, x, NULL); }

/* ---- sigmoid: dy/dx = y (1 - y) ---- */

static rt_real sigmoid_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return rti_sigmoid_value(x);
}

static rt_real sigmoid_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)x, (void)a;
    return rti_sigmoid_slope(y);
}

ELEMENTWISE_OP(sigmoid, rt_sigmoid(g, x))
static const rt_gradcheck_case sigmoid_cases[] = {ELEMENTWISE_CASES(sigmoid, -3, 3)};

const rti_op rti_op_sigmoid = {
    .name = "sigmoid", .arity = 1, .differentiable = 1, .formula = "y = 1 / (1 + exp(-x))", .source = "",
    .shape = rti_elementwise_shape, .forward = sigmoid_forward, .backward = sigmoid_backward,
    CASES(sigmoid_cases),
};
RTI_REGISTER(op, sigmoid)

rt_tensor *rt_sigmoid(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_sigmoid, x, NULL); }

/* ---- softplus: dy/dx = sigmoid(x) = 1 - exp(-y) ---- */

static rt_real softplus_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return rti_softplus_value(x);
}

static rt_real softplus_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)x, (void)a;
    return rti_softplus_slope(y);
}

ELEMENTWISE_OP(softplus, rt_softplus(g, x))
static const rt_gradcheck_case softplus_cases[] = {ELEMENTWISE_CASES(softplus, -3, 3)};

const rti_op rti_op_softplus = {
    .name = "softplus", .arity = 1, .differentiable = 1, .formula = "y = log(1 + exp(x))",
    .source = "Dugas et al. 2000, section 3",
    .shape = rti_elementwise_shape, .forward = softplus_forward, .backward = softplus_backward,
    CASES(softplus_cases),
};
RTI_REGISTER(op, softplus)

rt_tensor *rt_softplus(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_softplus, x, NULL); }

/* ---- gelu, exact: x Phi(x) ---- */

static rt_real gelu_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return rti_gelu_value(x);
}

static rt_real gelu_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)y, (void)a;
    return rti_gelu_slope(x);
}

ELEMENTWISE_OP(gelu, rt_gelu(g, x))
static const rt_gradcheck_case gelu_cases[] = {ELEMENTWISE_CASES(gelu, -3, 3)};

const rti_op rti_op_gelu = {
    .name = "gelu", .arity = 1, .differentiable = 1, .formula = "y = x Phi(x), Phi the normal distribution",
    .source = "Hendrycks and Gimpel 2016, section 2",
    .shape = rti_elementwise_shape, .forward = gelu_forward, .backward = gelu_backward, CASES(gelu_cases),
};
RTI_REGISTER(op, gelu)

rt_tensor *rt_gelu(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_gelu, x, NULL); }
