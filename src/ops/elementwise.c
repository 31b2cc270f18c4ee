/* elementwise.c - exp, log, sqrt, pow, abs and what all functions of one number share.  Floor 5 (ops)
 *
 * Each is a value y(x) and a slope dy/dx, told from x or from y, whichever is cheaper. */
#include "ops/elementwise.h"

#define CASES(list) .cases = list, .case_count = sizeof list / sizeof *list

/* ---- exp ---- */

static rt_real exp_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return exp(x);
}

static rt_real exp_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)x, (void)a;
    return y;
}

ELEMENTWISE_OP(exp, rt_exp(g, x))
static const rt_gradcheck_case exp_cases[] = {ELEMENTWISE_CASES(exp, -2, 2)};

const rti_op rti_op_exp = {
    .name = "exp", .arity = 1, .differentiable = 1, .formula = "y = exp(x)", .source = "",
    .shape = rti_elementwise_shape, .forward = exp_forward, .backward = exp_backward, CASES(exp_cases),
};
RTI_REGISTER(op, exp)

rt_tensor *rt_exp(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_exp, x, NULL); }

/* ---- log ---- */

static rt_real log_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return log(x);
}

static rt_real log_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)y, (void)a;
    return 1 / x;
}

ELEMENTWISE_OP(log, rt_log(g, x))
static const rt_gradcheck_case log_cases[] = {ELEMENTWISE_CASES(log, 0.5, 3)};

const rti_op rti_op_log = {
    .name = "log", .arity = 1, .differentiable = 1, .formula = "y = log(x)", .source = "",
    .shape = rti_elementwise_shape, .forward = log_forward, .backward = log_backward, CASES(log_cases),
};
RTI_REGISTER(op, log)

rt_tensor *rt_log(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_log, x, NULL); }

/* ---- sqrt ---- */

static rt_real sqrt_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return sqrt(x);
}

static rt_real sqrt_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)x, (void)a;
    return (rt_real)0.5 / y;
}

ELEMENTWISE_OP(sqrt, rt_sqrt(g, x))
static const rt_gradcheck_case sqrt_cases[] = {ELEMENTWISE_CASES(sqrt, 0.5, 3)};

const rti_op rti_op_sqrt = {
    .name = "sqrt", .arity = 1, .differentiable = 1, .formula = "y = sqrt(x)", .source = "",
    .shape = rti_elementwise_shape, .forward = sqrt_forward, .backward = sqrt_backward, CASES(sqrt_cases),
};
RTI_REGISTER(op, sqrt)

rt_tensor *rt_sqrt(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_sqrt, x, NULL); }

/* ---- pow: attribute f[0] the exponent ---- */

static rt_real pow_value(rt_real x, const rti_attributes *a) {
    if (a->f[0] == 2) return x * x;
    return pow(x, (rt_real)a->f[0]);
}

/* x^0 is 1 also at 0, where x^-1 is not finite. */
static rt_real pow_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)y;
    rt_real exponent = (rt_real)a->f[0];
    if (exponent == 0) return 0;
    if (exponent == 2) return 2 * x;
    return exponent * pow(x, exponent - 1);
}

ELEMENTWISE_OP(pow, rt_pow(g, x, 1.7))

static rt_tensor *pow_square(rt_graph *g, rt_tensor *const in[], const void *context) {
    return rt_pow(g, in[0], *(const double *)context);
}

static const rt_gradcheck_case pow_cases[] = {
    ELEMENTWISE_CASES(pow, 0.5, 3),
    {.name = "pow 2 of both signs", .function = pow_square, .inputs = 1, .input = {{2, {3, 2}}},
     .context = &(const double){2}},
    {.name = "pow 3 of both signs", .function = pow_square, .inputs = 1, .input = {{2, {3, 2}}},
     .context = &(const double){3}},
    {.name = "pow -1", .function = pow_square, .inputs = 1, .input = {{2, {3, 2}}}, .low = 0.5, .high = 2,
     .context = &(const double){-1}},
    {.name = "pow 0 is constant", .function = pow_square, .inputs = 1, .input = {{2, {3, 2}}},
     .may_be_zero = true, .context = &(const double){0}},
};

const rti_op rti_op_pow = {
    .name = "pow", .arity = 1, .differentiable = 1, .formula = "y = x^exponent", .source = "",
    .shape = rti_elementwise_shape, .forward = pow_forward, .backward = pow_backward, CASES(pow_cases),
};
RTI_REGISTER(op, pow)

rt_tensor *rt_pow(rt_graph *g, rt_tensor *x, double exponent) {
    return rti_apply1(g, &rti_op_pow, x, &(rti_attributes){.f = {exponent}});
}

/* ---- abs: slope 0 at 0 ---- */

static rt_real abs_value(rt_real x, const rti_attributes *a) {
    (void)a;
    return fabs(x);
}

static rt_real abs_slope(rt_real x, rt_real y, const rti_attributes *a) {
    (void)y, (void)a;
    return (rt_real)((x > 0) - (x < 0));
}

ELEMENTWISE_OP(abs, rt_abs(g, x))
static const rt_gradcheck_case abs_cases[] = {ELEMENTWISE_CASES(abs, -1, 1, .kink_count = 1)};

const rti_op rti_op_abs = {
    .name = "abs", .arity = 1, .differentiable = 1, .formula = "y = |x|", .source = "",
    .shape = rti_elementwise_shape, .forward = abs_forward, .backward = abs_backward, CASES(abs_cases),
};
RTI_REGISTER(op, abs)

rt_tensor *rt_abs(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_abs, x, NULL); }
