/* What the ops of arithmetic, products, functions of one number and shapes compute, against loops in
 * double that index every element by the definition. Inputs are transposed, sliced and broadcast.
 * Then the limits where a naive formula overflows, and every refusal with its message. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "retort/ops.h"
#include "retort/rng.h"

#define TOLERANCE (sizeof(rt_real) == sizeof(double) ? 1e-13 : 2e-6)

static void assert_near(double found, double expected, const char *what) {
    double off = fabs(found - expected) / fmax(1, fabs(expected));
    cr_assert(off <= TOLERANCE, "%s: %.17g, expected %.17g", what, found, expected);
}

/* A step tensor with numbers of [low, high]. */
static rt_tensor *drawn(rt_graph *g, uint64_t seed, double low, double high, int ndim,
                        const int64_t shape[]) {
    rt_tensor *t = rt_graph_tensor(g, RT_DTYPE_REAL, ndim, shape);
    rt_rng rng = rt_rng_stream(seed, "values", 0, 0);
    int64_t count = rt_tensor_count(t);
    for (int64_t i = 0; i < count; i++)
        rt_real_data(t)[i] = (rt_real)(low + (high - low) * rt_rng_uniform(&rng));
    return t;
}

static bool advance(const rt_tensor *t, int64_t index[]) {
    for (int d = t->ndim - 1; d >= 0; d--) {
        if (++index[d] < t->shape[d]) return true;
        index[d] = 0;
    }
    return false;
}

/* The element of x that is repeated to `index` of the result y. */
static double broadcast_get(const rt_tensor *x, const rt_tensor *y, const int64_t index[]) {
    int64_t own[RT_MAX_DIMS];
    for (int d = 0; d < x->ndim; d++) own[d] = x->shape[d] == 1 ? 0 : index[d + y->ndim - x->ndim];
    return rt_tensor_get(x, own);
}

/* ---- arithmetic ---- */

typedef rt_tensor *binary(rt_graph *g, rt_tensor *a, rt_tensor *b);
static double plus(double a, double b) { return a + b; }
static double minus(double a, double b) { return a - b; }
static double times(double a, double b) { return a * b; }
static double over(double a, double b) { return a / b; }

static void compare_binary(binary *op, double (*f)(double, double), rt_graph *g, rt_tensor *a, rt_tensor *b) {
    rt_tensor *y = op(g, a, b);
    cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
    cr_assert(rt_tensor_is_contiguous(y));
    int64_t index[RT_MAX_DIMS] = {0};
    if (rt_tensor_count(y) == 0) return;
    do assert_near(rt_tensor_get(y, index), f(broadcast_get(a, y, index), broadcast_get(b, y, index)),
                   "binary");
    while (advance(y, index));
}

Test(ops_values, arithmetic) {
    static const struct { binary *op; double (*f)(double, double); } ops[] = {
        {rt_add, plus}, {rt_sub, minus}, {rt_mul, times}, {rt_div, over}};
    rt_graph *g = rt_graph_new(NULL);
    for (int i = 0; i < 4; i++) {
        rt_tensor *cube = drawn(g, 1, 0.5, 2, 3, (const int64_t[]){4, 3, 5});
        rt_tensor *matrix = drawn(g, 2, 0.5, 2, 2, (const int64_t[]){5, 3});
        rt_tensor *turned = rt_transpose(g, matrix, 0, 1); /* (3, 5) */
        rt_tensor *row = drawn(g, 3, 0.5, 2, 1, (const int64_t[]){5}), *scalar = rt_graph_scalar(g, 1.25);
        rt_tensor *column = drawn(g, 4, 0.5, 2, 2, (const int64_t[]){3, 1});
        rt_tensor *slice = rt_slice(g, rt_transpose(g, cube, 0, 2), 2, 1, 4); /* (5, 3, 3) */
        compare_binary(ops[i].op, ops[i].f, g, cube, cube);
        compare_binary(ops[i].op, ops[i].f, g, cube, turned);
        compare_binary(ops[i].op, ops[i].f, g, row, cube);
        compare_binary(ops[i].op, ops[i].f, g, column, row);
        compare_binary(ops[i].op, ops[i].f, g, scalar, slice);
        compare_binary(ops[i].op, ops[i].f, g, slice, column);
        compare_binary(ops[i].op, ops[i].f, g, scalar, scalar);
        compare_binary(ops[i].op, ops[i].f, g, rt_slice(g, cube, 1, 2, 2), scalar);
        rt_graph_reset(g);
    }
    rt_graph_free(g);
}

/* ---- functions of one number ---- */

static rt_tensor *scale_it(rt_graph *g, rt_tensor *x) { return rt_scale(g, x, -1.5); }
static double scaled(double x) { return -1.5 * x; }
static rt_tensor *shift_it(rt_graph *g, rt_tensor *x) { return rt_add_scalar(g, x, 0.75); }
static double shifted(double x) { return x + 0.75; }
static rt_tensor *square_it(rt_graph *g, rt_tensor *x) { return rt_pow(g, x, 2); }
static double squared(double x) { return x * x; }
static rt_tensor *root_it(rt_graph *g, rt_tensor *x) { return rt_pow(g, rt_abs(g, x), 0.3); }
static double rooted(double x) { return pow(fabs(x), 0.3); }
static rt_tensor *log_it(rt_graph *g, rt_tensor *x) { return rt_log(g, rt_abs(g, x)); }
static double logged(double x) { return log(fabs(x)); }
static rt_tensor *sqrt_it(rt_graph *g, rt_tensor *x) { return rt_sqrt(g, rt_abs(g, x)); }
static double sqrted(double x) { return sqrt(fabs(x)); }
static rt_tensor *leak_it(rt_graph *g, rt_tensor *x) { return rt_leaky_relu(g, x, 0.1); }
static double leaked(double x) { return x > 0 ? x : 0.1 * x; }
static double rectified(double x) { return x > 0 ? x : 0; }
static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double soft_plus(double x) { return log(1 + exp(x)); }
static double gaussian(double x) { return x * (1 + erf(x / sqrt(2))) / 2; }

Test(ops_values, functions_of_one_number) {
    static const struct { rt_tensor *(*op)(rt_graph *,
                                           rt_tensor *); double (*f)(double); const char *name; } ops[] = {
        {rt_exp, exp, "exp"}, {log_it, logged, "log"}, {sqrt_it, sqrted, "sqrt"}, {square_it, squared,
                                                                                   "pow 2"},
        {root_it, rooted, "pow 0.3"}, {rt_abs, fabs, "abs"}, {rt_relu, rectified, "relu"}, {leak_it, leaked,
                                                                                            "leaky_relu"},
        {rt_tanh, tanh, "tanh"}, {rt_sigmoid, logistic, "sigmoid"}, {rt_softplus, soft_plus, "softplus"},
        {rt_gelu, gaussian, "gelu"}, {scale_it, scaled, "scale"}, {shift_it, shifted, "add_scalar"},
    };
    rt_graph *g = rt_graph_new(NULL);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        rt_tensor *x = drawn(g, i, -3, 3, 3, (const int64_t[]){5, 7, 3});
        rt_tensor *const inputs[] = {x, rt_slice(g, rt_transpose(g, x, 0, 2), 1, 2, 6), rt_slice(g, x, 0, 1,
                                                                                                 1)};
        for (int k = 0; k < 3; k++) {
            rt_tensor *y = ops[i].op(g, inputs[k]);
            cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
            cr_assert(rt_tensor_same_shape(y, inputs[k]) && rt_tensor_is_contiguous(y));
            int64_t index[RT_MAX_DIMS] = {0};
            if (rt_tensor_count(y) == 0) continue;
            do assert_near(rt_tensor_get(y, index), ops[i].f(rt_tensor_get(inputs[k], index)), ops[i].name);
            while (advance(y, index));
        }
        rt_graph_reset(g);
    }
    rt_graph_free(g);
}

static double at(rt_tensor *(*op)(rt_graph *, rt_tensor *), double x) {
    rt_graph *g = rt_graph_new(NULL);
    double y = rt_tensor_item(op(g, rt_graph_scalar(g, x)));
    rt_graph_free(g);
    return y;
}

Test(ops_values, far_out_nothing_overflows) {
    cr_assert_eq(at(rt_sigmoid, 1000), 1);
    cr_assert_eq(at(rt_sigmoid, -1000), 0);
    cr_assert_gt(at(rt_sigmoid, -80), 0);
    cr_assert_eq(at(rt_softplus, 1000), 1000);
    cr_assert_eq(at(rt_softplus, -1000), 0);
    cr_assert_gt(at(rt_softplus, -80), 0, "1 + exp(-80) is 1, and yet");
    cr_assert_eq(at(rt_gelu, 1000), 1000);
    cr_assert_eq(at(rt_gelu, -1000), 0);
    cr_assert_lt(at(rt_gelu, -9), 0, "Phi(-9) is not 0");
    cr_assert_eq(at(rt_tanh, 1000), 1);
    rt_tensor *(*const all[])(rt_graph *, rt_tensor *) = {rt_exp, rt_log, rt_sqrt, square_it, rt_abs,
                                                          rt_relu, leak_it,
                                                          rt_tanh, rt_sigmoid, rt_softplus, rt_gelu};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        cr_assert(isnan(at(all[i], NAN)), "function %zu hides a NaN", i);
}

static rt_tensor *constant_it(rt_graph *g, rt_tensor *x) { return rt_pow(g, x, 0); }
static rt_tensor *cube_it(rt_graph *g, rt_tensor *x) { return rt_pow(g, x, 3); }

static double slope_at(rt_tensor *(*op)(rt_graph *, rt_tensor *), double at_x) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_scalar(g, at_x);
    x->requires_grad = true;
    cr_assert_eq(rt_backward(g, op(g, x)), RT_OK);
    double slope = x->grad[0];
    rt_graph_free(g);
    return slope;
}

/* At the kinks the slope is the one the header promises; far out it is the limit, and not NaN. */
Test(ops_values, slopes_at_kinks_and_far_out) {
    cr_assert_eq(slope_at(rt_relu, 0), 0);
    cr_assert_eq(slope_at(rt_abs, 0), 0);
    cr_assert_eq(slope_at(constant_it, 0), 0);
    cr_assert_eq(slope_at(cube_it, 0), 0);
    assert_near(slope_at(leak_it, 0), 0.1, "leaky_relu");
    static const struct { rt_tensor *(*op)(rt_graph *, rt_tensor *); double above; } limits[] = {
        {rt_relu, 1}, {rt_tanh, 0}, {rt_sigmoid, 0}, {rt_softplus, 1}, {rt_gelu, 1}};
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(slope_at(limits[i].op, 1000), limits[i].above, "function %d", i);
        cr_assert_eq(slope_at(limits[i].op, -1000), 0, "function %d", i);
    }
    cr_assert_gt(slope_at(rt_softplus, -80), 0);
}

/* ---- products ---- */

typedef rt_tensor *product(rt_graph *g, rt_tensor *a, rt_tensor *b);

/* The sum over k, with the batch's index broadcast. */
static double product_element(const rt_tensor *a, const rt_tensor *b, const rt_tensor *y,
                              const int64_t index[],
                              bool a_turned, bool b_turned) {
    int64_t K = a->shape[a->ndim - (a_turned ? 2 : 1)], i = index[y->ndim - 2], j = index[y->ndim - 1];
    int64_t p[RT_MAX_DIMS], q[RT_MAX_DIMS];
    for (int d = 0; d < a->ndim - 2; d++) p[d] = a->shape[d] == 1 ? 0 : index[d + y->ndim - a->ndim];
    for (int d = 0; d < b->ndim - 2; d++) q[d] = b->shape[d] == 1 ? 0 : index[d + y->ndim - b->ndim];
    double sum = 0;
    for (int64_t k = 0; k < K; k++) {
        p[a->ndim - 2] = a_turned ? k : i, p[a->ndim - 1] = a_turned ? i : k;
        q[b->ndim - 2] = b_turned ? j : k, q[b->ndim - 1] = b_turned ? k : j;
        sum += rt_tensor_get(a, p) * rt_tensor_get(b, q);
    }
    return sum;
}

static void compare_product(product *op, bool a_turned, bool b_turned, rt_graph *g, rt_tensor *a,
                            rt_tensor *b) {
    /* The inputs are given so that a b fits; the last two axes are exchanged for the other forms,
     * once as a view and once as it lies. */
    for (int copies = 0; copies < 2; copies++) {
        rt_tensor *left = a_turned ? rt_transpose(g, a, a->ndim - 2, a->ndim - 1) : a;
        rt_tensor *right = b_turned ? rt_transpose(g, b, b->ndim - 2, b->ndim - 1) : b;
        if (copies) left = rt_scale(g, left, 1), right = rt_scale(g, right, 1);
        rt_tensor *y = op(g, left, right);
        cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
        int64_t index[RT_MAX_DIMS] = {0};
        do assert_near(rt_tensor_get(y, index), product_element(left, right, y, index, a_turned, b_turned),
                       "product");
        while (advance(y, index));
    }
}

Test(ops_values, products) {
    static const struct { product *op; bool a, b; } forms[] = {
        {rt_matmul, false, false}, {rt_matmul_nt, false, true}, {rt_matmul_tn, true, false}};
    rt_graph *g = rt_graph_new(NULL);
    for (int f = 0; f < 3; f++) {
        rt_tensor *a = drawn(g, 1, -1, 1, 2, (const int64_t[]){7, 9}), *b = drawn(g, 2, -1, 1, 2,
                                                                                  (const int64_t[]){9, 4});
        rt_tensor *batches = drawn(g, 3, -1, 1, 4, (const int64_t[]){2, 3, 7, 9});
        rt_tensor *others = drawn(g, 4, -1, 1, 3, (const int64_t[]){3, 9, 4});
        rt_tensor *apart = drawn(g, 5, -1, 1, 4, (const int64_t[]){2, 1, 9, 2});
        rt_tensor *one = drawn(g, 6, -1, 1, 2, (const int64_t[]){1, 9}), *column = rt_slice(g, b, 1, 2, 3);
        compare_product(forms[f].op, forms[f].a, forms[f].b, g, a, b);
        compare_product(forms[f].op, forms[f].a, forms[f].b, g, batches, b);
        compare_product(forms[f].op, forms[f].a, forms[f].b, g, a, others);
        compare_product(forms[f].op, forms[f].a, forms[f].b, g, batches, others);
        compare_product(forms[f].op, forms[f].a, forms[f].b, g, batches, apart);
        compare_product(forms[f].op, forms[f].a, forms[f].b, g, one, column);
        rt_graph_reset(g);
    }
    rt_graph_free(g);
}

Test(ops_values, a_product_over_nothing_is_zero) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *a = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){2, 0});
    rt_tensor *b = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){0, 3});
    rt_tensor *y = rt_matmul(g, a, b);
    for (int i = 0; i < 6; i++) cr_assert_eq(rt_real_data(y)[i], 0);
    rt_graph_free(g);
}

static double identity(double x) { return x; }
static double leaked_a_little(double x) { return x > 0 ? x : 0.01 * x; }

Test(ops_values, linear) {
    static double (*const activations[])(double) = {identity, rectified, leaked_a_little, tanh, logistic,
                                                    soft_plus, gaussian};
    rt_graph *g = rt_graph_new(NULL);
    for (int act = RT_ACT_NONE; act <= RT_ACT_GELU; act++)
        for (int form = 0; form < 3; form++) {
            rt_tensor *x = drawn(g, 1, -1, 1, 2, (const int64_t[]){9, 6}), *w = drawn(g, 2, -1, 1, 2,
                                                                                      (const int64_t[]){11,
                                                                                                        6});
            rt_tensor *b = form ? drawn(g, 3, -1, 1, 2, (const int64_t[]){11, 2}) : NULL;
            if (b) b = rt_reshape(g, rt_slice(g, b, 1, 0, 1), 1, (const int64_t[]){11});
            if (form == 2) { /* views of all three */
                x = rt_slice(g, rt_transpose(g, drawn(g, 4, -1, 1, 2, (const int64_t[]){6, 12}), 0, 1), 0, 2,
                             11);
                w = rt_transpose(g, drawn(g, 5, -1, 1, 2, (const int64_t[]){6, 11}), 0, 1);
            }
            rt_tensor *y = rt_linear(g, x, w, b, (rt_activation)act);
            cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
            for (int64_t i = 0; i < 9; i++)
                for (int64_t u = 0; u < 11; u++) {
                    double z = b ? rt_tensor_get(b, &u) : 0;
                    for (int64_t d = 0; d < 6; d++)
                        z += rt_tensor_get(x, (const int64_t[]){i, d}) * rt_tensor_get(w,
                                                                                       (const int64_t[]){u,
                                                                                                         d});
                    assert_near(rt_tensor_get(y, (const int64_t[]){i, u}), activations[act](z), "linear");
                }
            rt_graph_reset(g);
        }
    rt_graph_free(g);
}

/* ---- shapes ---- */

Test(ops_values, shapes) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = drawn(g, 1, -1, 1, 3, (const int64_t[]){2, 3, 4});

    rt_tensor *flat = rt_reshape(g, x, 2, (const int64_t[]){-1, 8});
    cr_assert(flat->data == x->data && flat->shape[0] == 3 && flat->shape[1] == 8);
    rt_tensor *turned = rt_transpose(g, x, 0, 2); /* (4, 3, 2) */
    cr_assert(turned->data == x->data);
    rt_tensor *copy = rt_reshape(g, turned, 1, (const int64_t[]){24});
    int64_t index[RT_MAX_DIMS] = {0};
    for (int64_t e = 0; e < 24; e++) {
        int64_t back[] = {index[2], index[1], index[0]};
        cr_assert_eq(rt_tensor_get(turned, index), rt_tensor_get(x, back));
        cr_assert_eq(rt_tensor_get(copy, &e), rt_tensor_get(turned, index));
        advance(turned, index);
    }

    rt_tensor *part = rt_slice(g, x, 1, 1, 3); /* (2, 2, 4) */
    cr_assert_eq(rt_tensor_get(part, (const int64_t[]){1, 0, 2}), rt_tensor_get(x, (const int64_t[]){1, 1,
                                                                                                     2}));
    rt_tensor *joined = rt_concat(g, (rt_tensor *const[]){part, x, rt_slice(g, x, 1, 0, 0)}, 3, 1); /* (2, 5,
                                                                                                        4) */
    cr_assert(joined->shape[1] == 5);
    for (int64_t i = 0; i < 2; i++)
        for (int64_t j = 0; j < 5; j++)
            for (int64_t k = 0; k < 4; k++)
                cr_assert_eq(rt_tensor_get(joined, (const int64_t[]){i, j, k}),
                             rt_tensor_get(x, (const int64_t[]){i, j < 2 ? j + 1 : j - 2, k}));

    static const int32_t rows[] = {3, 0, 3};
    rt_tensor *taken = rt_gather_rows(g, turned, rt_graph_labels(g, rows, 3)); /* (3, 3, 2) */
    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 3; j++)
            for (int64_t k = 0; k < 2; k++)
                cr_assert_eq(rt_tensor_get(taken, (const int64_t[]){i, j, k}),
                             rt_tensor_get(turned, (const int64_t[]){rows[i], j, k}));
    rt_graph_free(g);
}

/* ---- refusals ---- */

typedef struct given {
    rt_graph *g;
    rt_tensor *m23, *m34, *v4, *number, *labels;
} given;

static rt_tensor *bad_add(given *x) { return rt_add(x->g, x->m23, x->m34); }
static rt_tensor *bad_matmul(given *x) { return rt_matmul(x->g, x->m34, x->m23); }
static rt_tensor *bad_matmul_vector(given *x) { return rt_matmul(x->g, x->m34, x->v4); }
static rt_tensor *bad_batches(given *x) {
    const int64_t p[] = {2, 3, 3}, q[] = {5, 3, 3};
    return rt_matmul(x->g, drawn(x->g, 1, 0, 1, 3, p), drawn(x->g, 1, 0, 1, 3, q));
}
static rt_tensor *bad_linear_x(given *x) { return rt_linear(x->g, x->v4, x->m34, NULL, RT_ACT_NONE); }
static rt_tensor *bad_linear_w(given *x) { return rt_linear(x->g, x->m23, x->m34, NULL, RT_ACT_NONE); }
static rt_tensor *bad_linear_b(given *x) {
    return rt_linear(x->g, x->m34, x->m34, x->v4, RT_ACT_NONE);
}
static rt_tensor *bad_activation(given *x) {
    return rt_linear(x->g, x->m34, x->m34, NULL, (rt_activation)99);
}
static rt_tensor *bad_reshape(given *x) { return rt_reshape(x->g, x->m23, 2, (const int64_t[]){4, -1}); }
static rt_tensor *bad_reshape_twice(given *x) {
    return rt_reshape(x->g, x->m23, 2, (const int64_t[]){-1, -1});
}
static rt_tensor *bad_reshape_dims(given *x) {
    return rt_reshape(x->g, x->m23, 7, (const int64_t[]){2, 3, 1, 1, 1, 1, 1});
}
static rt_tensor *bad_reshape_size(given *x) {
    return rt_reshape(x->g, x->m23, 3, (const int64_t[]){INT64_MAX, INT64_MAX, INT64_MAX});
}
static rt_tensor *bad_transpose(given *x) { return rt_transpose(x->g, x->m23, 0, 2); }
static rt_tensor *bad_slice_axis(given *x) { return rt_slice(x->g, x->m23, -1, 0, 1); }
static rt_tensor *bad_slice_end(given *x) { return rt_slice(x->g, x->m23, 1, 2, 4); }
static rt_tensor *bad_slice_order(given *x) { return rt_slice(x->g, x->m23, 1, 2, 1); }
static rt_tensor *bad_concat(given *x) { return rt_concat(x->g, (rt_tensor *const[]){x->m23, x->m34}, 2, 0); }
static rt_tensor *bad_concat_dims(given *x) {
    return rt_concat(x->g, (rt_tensor *const[]){x->m34, x->v4}, 2, 0);
}
static rt_tensor *bad_concat_none(given *x) { return rt_concat(x->g, NULL, 0, 0); }
static rt_tensor *bad_gather_row(given *x) { return rt_gather_rows(x->g, x->m23, x->labels); }
static rt_tensor *bad_gather_index(given *x) { return rt_gather_rows(x->g, x->m23, x->v4); }
static rt_tensor *bad_gather_number(given *x) { return rt_gather_rows(x->g, x->number, x->labels); }

Test(ops_values, refusals_say_what_should_be) {
    static const struct { rt_tensor *(*call)(given *); rt_status status; const char *part; } bad[] = {
        {bad_add, RT_SHAPE, "add of (2, 3) and (3, 4)"},
        {bad_matmul, RT_SHAPE, "4 and 2, differ"},
        {bad_matmul_vector, RT_SHAPE, "two dimensions"},
        {bad_batches, RT_SHAPE, "leading extents"},
        {bad_linear_x, RT_SHAPE, "x must be (N, D)"},
        {bad_linear_w, RT_SHAPE, "W must have 3 columns"},
        {bad_linear_b, RT_SHAPE, "b must have 3 elements"},
        {bad_activation, RT_VALUE, "99"},
        {bad_reshape, RT_SHAPE, "6 elements do not fit into (4, -1)"},
        {bad_reshape_twice, RT_SHAPE, "(-1, -1)"},
        {bad_reshape_dims, RT_SHAPE, "7 dimensions"},
        {bad_reshape_size, RT_SHAPE, "do not fit"},
        {bad_transpose, RT_SHAPE, "axes 0 and 2"},
        {bad_slice_axis, RT_SHAPE, "axis -1"},
        {bad_slice_end, RT_SHAPE, "which has 3 elements"},
        {bad_slice_order, RT_SHAPE, "[2, 1)"},
        {bad_concat, RT_SHAPE, "input 1"},
        {bad_concat_dims, RT_SHAPE, "input 1"},
        {bad_concat_none, RT_VALUE, "a tensor to join"},
        {bad_gather_row, RT_VALUE, "entry 2 of the index is row 2; there are 2 rows"},
        {bad_gather_index, RT_SHAPE, "32-bit integers"},
        {bad_gather_number, RT_SHAPE, "no rows"},
    };
    static const int32_t labels[] = {0, 1, 2};
    given x = {.g = rt_graph_new(NULL)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        x.m23 = drawn(x.g, 1, 0, 1, 2, (const int64_t[]){2, 3});
        x.m34 = drawn(x.g, 1, 0, 1, 2, (const int64_t[]){3, 4});
        x.v4 = drawn(x.g, 1, 0, 1, 1, (const int64_t[]){4});
        x.number = rt_graph_scalar(x.g, 1);
        x.labels = rt_graph_labels(x.g, labels, 3);
        cr_assert_null(bad[i].call(&x), "refusal %zu", i);
        cr_assert_eq(rt_graph_status(x.g), bad[i].status, "refusal %zu: %s", i, rt_graph_error(x.g)->message);
        cr_assert(strstr(rt_graph_error(x.g)->message, bad[i].part), "refusal %zu: %s", i,
                  rt_graph_error(x.g)->message);
        rt_graph_reset(x.g);
    }
    rt_graph_free(x.g);
}

/* A product that would not fit into memory is an error, not an overflow. */
Test(ops_values, a_result_too_large_is_refused) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *a = rt_graph_input(g, NULL, 2, (const int64_t[]){INT64_MAX / 64, 1});
    rt_tensor *b = rt_graph_input(g, NULL, 2, (const int64_t[]){1, INT64_MAX / 64});
    cr_assert_null(rt_add(g, a, b));
    cr_assert_eq(rt_graph_status(g), RT_SHAPE);
    rt_graph_free(g);
}
