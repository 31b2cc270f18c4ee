/* Does the gradient check see? Ops that are wrong on purpose, one mistake each, must be refused with
 * the right complaint, and the same op without the mistake must pass. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "retort/alloc.h"
#include "retort/ops.h"
#include "tensor/strided.h"

static rt_real read(const rt_tensor *x, int64_t row, int64_t column) {
    return rt_real_data(x)[row * x->stride[0] + column * x->stride[1]];
}

/* ---- y = x^2 of a matrix; the mistakes are in backward and chosen by attribute i[0] ---- */

enum { RIGHT, WRONG_SIGN, NOT_A_NUMBER, ZERO, OVERWRITES, ADDS_TO_GARBAGE, NO_STRIDES, ONE_ELEMENT, NEVER,
      MISTAKES };

static bool square_shape(rt_graph *g, rti_node *n) { return rti_out_like(g, n, n->in[0]); }

static void square_forward(rt_graph *g, rti_node *n) {
    (void)g;
    const rt_tensor *x = n->in[0];
    for (int64_t i = 0; i < x->shape[0]; i++)
        for (int64_t j = 0; j < x->shape[1]; j++)
            rt_real_data(n->out)[i * x->shape[1] + j] = read(x, i, j) * read(x, i, j);
}

static void square_backward(rt_graph *g, rti_node *n) {
    int mistake = (int)n->a.i[0];
    if (mistake == NEVER) return;
    rti_grad d = rti_grad_begin(g, n, 0);
    if (!d.data) return;
    const rt_tensor *x = n->in[0];
    for (int64_t i = 0; i < x->shape[0]; i++)
        for (int64_t j = 0; j < x->shape[1]; j++) {
            int64_t e = i * x->shape[1] + j;
            rt_real value = mistake == NO_STRIDES ? rt_real_data(x)[e] : read(x, i, j);
            rt_real slope = 2 * value * n->out->grad[e];
            if (mistake == WRONG_SIGN) slope = -slope;
            if (mistake == NOT_A_NUMBER && e == 3) slope = (rt_real)NAN;
            if (mistake == ZERO) slope = 0;
            if (mistake == ONE_ELEMENT && e == 4) slope *= (rt_real)1.5;
            bool add = mistake == OVERWRITES ? false : mistake == ADDS_TO_GARBAGE ? true : d.accumulate;
            d.data[e] = add ? d.data[e] + slope : slope;
        }
}

static const rti_op square = {
    .name = "square", .arity = 1, .differentiable = 1, .formula = "y = x^2", .source = "",
    .shape = square_shape, .forward = square_forward, .backward = square_backward,
};

static rt_tensor *square_once(rt_graph *g, rt_tensor *const in[], const void *context) {
    return rti_apply1(g, &square, in[0], &(rti_attributes){.i = {*(const int *)context}});
}

/* x^2 + (x + x)^2: x gets gradients from three places. */
static rt_tensor *square_twice(rt_graph *g, rt_tensor *const in[], const void *context) {
    const rti_attributes a = {.i = {*(const int *)context}};
    return rt_add(g, rti_apply1(g, &square, in[0], &a), rti_apply1(g, &square, rt_add(g, in[0], in[0]), &a));
}

static rt_status check(rt_gradcheck_function *function, int mistake, rt_gradcheck_result *result,
                       rt_error *error) {
    const rt_gradcheck_case c = {.name = "square", .function = function, .inputs = 1,
                                 .input = {{2, {2, 3}}}, .context = &mistake};
    return rt_gradcheck(&c, 1, 0, result, error);
}

Test(gradcheck, right_gradients_pass) {
    rt_error error = {.status = RT_OK};
    rt_gradcheck_result result;
    cr_assert_eq(check(square_once, RIGHT, &result, &error), RT_OK, "%s", error.message);
    cr_assert_eq(result.checked, 6);
    cr_assert_lt(result.worst_error, sizeof(rt_real) == sizeof(double) ? 1e-9 : 1e-3);
    cr_assert_float_eq(result.analytic, result.numeric, sizeof(rt_real) == sizeof(double) ? 1e-8 : 1e-2);
    cr_assert_eq(check(square_twice, RIGHT, NULL, &error), RT_OK, "%s", error.message);
}

Test(gradcheck, each_mistake_is_seen) {
    static const struct { int mistake; const char *complaint; } expected[] = {
        {WRONG_SIGN, "differences say"},
        {NOT_A_NUMBER, "should be nan"}, /* NaN is not twice itself either */
        {ZERO, "zero everywhere"},
        {OVERWRITES, "added to a gradient that was there"},
        {ADDS_TO_GARBAGE, "nan"},
        {NO_STRIDES, "not contiguous"},
        {ONE_ELEMENT, "element 4"},
        {NEVER, "zero everywhere"},
    };
    cr_assert_eq(sizeof expected / sizeof *expected, MISTAKES - 1);
    for (int i = 0; i < MISTAKES - 1; i++) {
        rt_error error = {.status = RT_OK};
        rt_gradcheck_result result;
        cr_assert_eq(check(square_once, expected[i].mistake, &result, &error), RT_VALUE, "mistake %d passed",
                     expected[i].mistake);
        cr_assert(strstr(error.message, expected[i].complaint), "mistake %d: %s", expected[i].mistake,
                  error.message);
        cr_assert_eq(check(square_twice, expected[i].mistake, &result, NULL), RT_VALUE);
    }
}

/* ---- softmax of rows whose backward forgets to subtract sum_j p_j dy_j. With a plain sum of the
 * outputs the right gradient is zero and the difference would be in nothing but that term. The other
 * variant is right but for a factor: what a forgotten temperature does. ---- */

static bool softmax_shape(rt_graph *g, rti_node *n) { return rti_out_like(g, n, n->in[0]); }

static void softmax_forward(rt_graph *g, rti_node *n) {
    (void)g;
    const rt_tensor *x = n->in[0];
    rt_real *y = rt_real_data(n->out);
    for (int64_t i = 0; i < x->shape[0]; i++) {
        double sum = 0;
        for (int64_t j = 0; j < x->shape[1]; j++) sum += exp((double)read(x, i, j) / n->a.f[0]);
        for (int64_t j = 0; j < x->shape[1]; j++)
            y[i * x->shape[1] + j] = (rt_real)(exp((double)read(x, i, j) / n->a.f[0]) / sum);
    }
}

static void softmax_backward(rt_graph *g, rti_node *n) {
    rti_grad d = rti_grad_begin(g, n, 0);
    if (!d.data) return;
    bool forgets_sum = n->a.i[0] == 1, forgets_temperature = n->a.i[0] == 2;
    int64_t K = n->out->shape[1];
    for (int64_t i = 0; i < n->out->shape[0]; i++) {
        const rt_real *p = rt_real_data(n->out) + i * K, *dy = n->out->grad + i * K;
        rt_real sum = 0;
        for (int64_t j = 0; j < K; j++) sum += p[j] * dy[j];
        for (int64_t j = 0; j < K; j++) {
            rt_real slope = p[j] * (dy[j] - (forgets_sum ? 0 : sum));
            if (!forgets_temperature) slope /= (rt_real)n->a.f[0];
            d.data[i * K + j] = d.accumulate ? d.data[i * K + j] + slope : slope;
        }
    }
}

static const rti_op softmax = {
    .name = "softmax_in_a_test", .arity = 1, .differentiable = 1, .formula = "softmax", .source = "",
    .shape = softmax_shape, .forward = softmax_forward, .backward = softmax_backward,
};

static rt_tensor *softmax_rows(rt_graph *g, rt_tensor *const in[], const void *context) {
    return rti_apply1(g, &softmax, in[0], &(rti_attributes){.i = {*(const int *)context}, .f = {0.5}});
}

Test(gradcheck, missing_factors_of_a_softmax_are_seen) {
    for (int mistake = 0; mistake <= 2; mistake++) {
        const rt_gradcheck_case c = {.name = "softmax", .function = softmax_rows, .inputs = 1,
                                     .input = {{2, {2, 4}}}, .context = &mistake};
        rt_error error = {.status = RT_OK};
        rt_status status = rt_gradcheck(&c, 1, 0, NULL, &error);
        cr_assert_eq(status, mistake ? RT_VALUE : RT_OK, "mistake %d: %s", mistake, error.message);
    }
}

/* ---- cases that cannot be right ---- */

static rt_tensor *first_only(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_add(g, in[0], rt_scale(g, in[1], 0));
}

Test(gradcheck, an_input_without_effect_is_refused_unless_declared) {
    rt_gradcheck_case c = {.name = "first only", .function = first_only, .inputs = 2,
                           .input = {{1, {3}}, {1, {3}}}};
    rt_error error;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_VALUE);
    cr_assert(strstr(error.message, "input 1 is zero everywhere"), "%s", error.message);
    c.may_be_zero = true;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_OK);
    c.may_be_zero = false, c.constant = 2;
    rt_gradcheck_result result;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, &result, &error), RT_OK);
    cr_assert_eq(result.checked, 3, "a constant input is not compared");
}

static rt_tensor *detached(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_detach(g, in[0]);
}

static rt_tensor *logarithm(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_log(g, in[0]);
}

static rt_tensor *misfit(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_matmul(g, in[0], in[0]);
}

static rt_tensor *nothing(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)g, (void)in, (void)context;
    return NULL;
}

static rt_tensor *absolute(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_abs(g, in[0]);
}

Test(gradcheck, cases_that_cannot_be_run_say_why) {
    rt_gradcheck_case c = {.name = "case", .function = detached, .inputs = 1, .input = {{2, {2, 3}}}};
    rt_error error;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_VALUE, "it depends on nothing");
    c.function = logarithm; /* of numbers of both signs */
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_NOT_FINITE);
    c.function = misfit;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_SHAPE);
    cr_assert(strstr(error.message, "matmul of (2, 3) and (2, 3)"), "%s", error.message);
    c.function = nothing;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_VALUE);
    c.function = absolute;
    c.low = -0.001, c.high = 0.001, c.kink_count = 1, c.margin = 0.01;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_VALUE);
    cr_assert(strstr(error.message, "kinks"), "%s", error.message);
    c.input[0].shape[0] = -2;
    cr_assert_eq(rt_gradcheck(&c, 1, 0, NULL, &error), RT_SHAPE);
}

/* With the kink declared the draws stay away from it, whatever the seed. Without, some seed of a
 * narrow range is bound to have a difference reach over it. */
Test(gradcheck, kinks_are_avoided) {
    rt_gradcheck_case c = {.name = "abs", .function = absolute, .inputs = 1, .input = {{1, {40}}},
                           .low = -0.05, .high = 0.05, .kink_count = 1};
    rt_error error;
    for (uint64_t seed = 0; seed < 50; seed++)
        cr_assert_eq(rt_gradcheck(&c, seed, 0, NULL, &error), RT_OK, "%s", error.message);
    c.kink_count = 0;
    c.low = sizeof(rt_real) == sizeof(double) ? -2e-5 : -2e-2, c.high = -c.low;
    int refused = 0;
    for (uint64_t seed = 0; seed < 5; seed++) refused += rt_gradcheck(&c, seed, 0, NULL, NULL) != RT_OK;
    cr_assert_eq(refused, 5);
}

Test(gradcheck, is_the_same_for_the_same_seed_and_leaves_nothing) {
    size_t before = rt_alloc_stats_get().live_blocks;
    rt_gradcheck_result a, b, other;
    const rt_gradcheck_case c = {.name = "abs", .function = absolute, .inputs = 1, .input = {{1, {40}}},
                                 .kink_count = 1};
    cr_assert_eq(rt_gradcheck(&c, 7, 0, &a, NULL), RT_OK);
    cr_assert_eq(rt_gradcheck(&c, 7, 0, &b, NULL), RT_OK);
    cr_assert_eq(rt_gradcheck(&c, 8, 0, &other, NULL), RT_OK);
    cr_assert(a.worst_error == b.worst_error && a.worst_element == b.worst_element && a.numeric == b.numeric);
    cr_assert(a.worst_error != other.worst_error || a.numeric != other.numeric);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, before);
}

Test(gradcheck, every_allocation_may_fail) {
    size_t before = rt_alloc_stats_get().live_blocks;
    bool done = false;
    int failures = 0;
    for (size_t nth = 1; !done; nth++, failures++) {
        rt_error error = {.status = RT_OK};
        rt_alloc_fail_after(nth);
        int cases;
        rt_status status = rt_op_gradcheck("linear", 0, NULL, &cases, &error);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY, "allocation %zu: %s", nth, error.message);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, before, "allocation %zu", nth);
        done = status == RT_OK;
    }
    cr_assert_geq(failures, 3);
}
