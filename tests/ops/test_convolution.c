/* Convolution and its transpose as ops: values against loops in double by the formula of image.h, for every
 * activation, with operands that are views; what they are in other words (a fully connected layer on pixels,
 * the transpose by its definition y . conv(x) = x . transpose(y)); what is not computed when nobody wants it;
 * every refusal with its message. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "retort/image.h"
#include "retort/nn.h"
#include "retort/rng.h"

#define TOLERANCE (sizeof(rt_real) == sizeof(double) ? 1e-13 : 3e-6)

static rt_tensor *drawn(rt_graph *g, uint64_t seed, int ndim, const int64_t shape[]) {
    rt_tensor *t = rt_graph_tensor(g, RT_DTYPE_REAL, ndim, shape);
    rt_rng rng = rt_rng_stream(seed, "convolution", 0, 0);
    const int64_t count = rt_tensor_count(t);
    for (int64_t i = 0; i < count; i++) rt_real_data(t)[i] = (rt_real)(2 * rt_rng_uniform(&rng) - 1);
    return t;
}

static rt_tensor *image(rt_graph *g, uint64_t seed, int64_t a, int64_t b, int64_t c, int64_t d) {
    return drawn(g, seed, 4, (const int64_t[]){a, b, c, d});
}

/* (a,b,c,d) whose axes lie the other way round in memory. */
static rt_tensor *turned_image(rt_graph *g, uint64_t seed, int64_t a, int64_t b, int64_t c, int64_t d) {
    return rt_transpose(g, rt_transpose(g, image(g, seed, d, c, b, a), 0, 3), 1, 2);
}

static double activation(rt_activation act, double z) {
    switch (act) {
    case RT_ACT_NONE: return z;
    case RT_ACT_RELU: return z > 0 ? z : 0;
    case RT_ACT_LEAKY_RELU: return z > 0 ? z : RT_LEAKY_SLOPE * z;
    case RT_ACT_TANH: return tanh(z);
    case RT_ACT_SIGMOID: return 1 / (1 + exp(-z));
    case RT_ACT_SOFTPLUS: return log1p(exp(z));
    case RT_ACT_GELU: return z * erfc(-z / sqrt(2)) / 2;
    }
    return NAN;
}

static double get(const rt_tensor *t, int64_t a, int64_t b, int64_t c, int64_t d) {
    return rt_tensor_get(t, (const int64_t[]){a, b, c, d});
}

static double conv2d_element(const rt_tensor *x, const rt_tensor *k, const rt_tensor *b, const rt_conv *how,
                             int64_t n, int64_t h, int64_t w, int64_t f) {
    const int64_t groups = how->groups, per_group = k->shape[3] / groups, channels = k->shape[2];
    double z = b ? rt_tensor_get(b, &f) : 0;
    for (int64_t i = 0; i < k->shape[0]; i++)
        for (int64_t j = 0; j < k->shape[1]; j++) {
            const int64_t row = h * how->stride - how->padding + i * how->dilation,
                          column = w * how->stride - how->padding + j * how->dilation;
            if (row < 0 || row >= x->shape[1] || column < 0 || column >= x->shape[2]) continue;
            for (int64_t c = 0; c < channels; c++)
                z += get(x, n, row, column, f / per_group * channels + c) * get(k, i, j, c, f);
        }
    return z;
}

Test(convolution, conv2d_is_its_formula) {
    static const rt_conv settings[] = {{1, 1, 1, 1}, {2, 1, 1, 1}, {1, 0, 2, 1}, {1, 1, 1, 2}, {3, 2, 2, 2}};
    rt_graph *g = rt_graph_new(NULL);
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++)
        for (int variant = 0; variant < 4; variant++)
            for (int act = RT_ACT_NONE; act <= RT_ACT_GELU; act++) {
                const rt_conv *how = &settings[s];
                rt_tensor *x = (variant & 1 ? turned_image : image)(g, 1, 2, 7, 6, 4);
                rt_tensor *k = (variant & 1 ? turned_image : image)(g, 2, 3, 2, 4 / how->groups, 6);
                rt_tensor *b = variant & 2 ? drawn(g, 3, 1, (const int64_t[]){6}) : NULL;
                rt_tensor *y = rt_conv2d(g, x, k, b, how, (rt_activation)act);
                cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
                cr_assert_eq(y->shape[1], (7 + 2 * how->padding - how->dilation * 2 - 1) / how->stride + 1);
                cr_assert_eq(y->shape[2], (6 + 2 * how->padding - how->dilation - 1) / how->stride + 1);
                for (int64_t n = 0; n < 2; n++)
                    for (int64_t h = 0; h < y->shape[1]; h++)
                        for (int64_t w = 0; w < y->shape[2]; w++)
                            for (int64_t f = 0; f < 6; f++) {
                                const double z = conv2d_element(x, k, b, how, n, h, w, f);
                                const double off = get(y, n, h, w, f) - activation((rt_activation)act, z);
                                cr_assert(fabs(off) <= TOLERANCE * 4, "setting %d, activation %d: off by %g",
                                          (int)s, act, off);
                            }
                rt_graph_reset(g);
            }
    rt_graph_free(g);
}

/* sum of y conv(x, k) = sum of x transpose(y, k), where conv's result has y's shape exactly. */
Test(convolution, the_transpose_is_the_transpose) {
    static const rt_conv settings[] = {{1, 0, 1, 1}, {2, 1, 1, 1}, {3, 0, 2, 1}, {2, 2, 1, 1}};
    rt_graph *g = rt_graph_new(NULL);
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++) {
        rt_tensor *y = image(g, 1, 2, 4, 3, 5), *k = image(g, 2, 3, 3, 2, 5),
                  *b = drawn(g, 3, 1, &(int64_t){2});
        rt_tensor *up = rt_conv_transpose2d(g, y, k, NULL, &settings[s], RT_ACT_NONE);
        cr_assert_not_null(up, "%s", rt_graph_error(g)->message);
        rt_tensor *x = image(g, 4, 2, up->shape[1], up->shape[2], 2);
        rt_tensor *down = rt_conv2d(g, x, k, NULL, &settings[s], RT_ACT_NONE);
        cr_assert(down && rt_tensor_same_shape(down, y));
        double one = 0, two = 0;
        for (int64_t i = 0; i < rt_tensor_count(y); i++)
            one += (double)rt_real_data(y)[i] * (double)rt_real_data(down)[i];
        for (int64_t i = 0; i < rt_tensor_count(x); i++)
            two += (double)rt_real_data(x)[i] * (double)rt_real_data(up)[i];
        cr_assert(fabs(one - two) <= 20 * TOLERANCE, "setting %d: %g and %g", (int)s, one, two);

        rt_tensor *biased = rt_conv_transpose2d(g, y, k, b, &settings[s], RT_ACT_RELU);
        for (int64_t i = 0; i < rt_tensor_count(up); i++) {
            const double z = (double)rt_real_data(up)[i] + (double)rt_real_data(b)[i % 2];
            cr_assert(fabs((double)rt_real_data(biased)[i] - (z > 0 ? z : 0)) <= TOLERANCE);
        }
        rt_graph_reset(g);
    }
    rt_graph_free(g);
}

/* A 1 x 1 convolution is a fully connected layer on every pixel. */
Test(convolution, one_by_one_is_linear) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = image(g, 1, 2, 5, 3, 7), *k = image(g, 2, 1, 1, 7, 4), *b = drawn(g, 3, 1, &(int64_t){4});
    rt_tensor *y = rt_conv2d(g, x, k, b, NULL, RT_ACT_TANH);
    rt_tensor *rows = rt_reshape(g, x, 2, (const int64_t[]){30, 7});
    rt_tensor *w = rt_transpose(g, rt_reshape(g, k, 2, (const int64_t[]){7, 4}), 0, 1);
    rt_tensor *expected = rt_linear(g, rows, w, b, RT_ACT_TANH);
    cr_assert(y && expected);
    for (int64_t i = 0; i < 120; i++)
        cr_assert(fabs((double)rt_real_data(y)[i] - (double)rt_real_data(expected)[i]) <= TOLERANCE);
    rt_graph_free(g);
}

/* Images ask for no gradient: no memory is taken for one. */
Test(convolution, what_nobody_wants_is_not_computed) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = image(g, 1, 2, 6, 6, 3), *k = image(g, 2, 3, 3, 3, 4);
    k->requires_grad = true;
    rt_tensor *y = rt_conv2d(g, x, k, NULL, &(rt_conv){.padding = 1}, RT_ACT_RELU);
    cr_assert_eq(rt_backward(g, rt_sum(g, y, RT_ALL_AXES)), RT_OK, "%s", rt_graph_error(g)->message);
    cr_assert(k->has_grad && !x->has_grad && x->grad == NULL);
    rt_graph_free(g);
}

Test(convolution, no_images_at_all) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = image(g, 1, 0, 6, 6, 3), *k = image(g, 2, 3, 3, 3, 4), *b = drawn(g, 3, 1, &(int64_t){4});
    k->requires_grad = b->requires_grad = x->requires_grad = true;
    rt_tensor *y = rt_conv2d(g, x, k, b, NULL, RT_ACT_GELU);
    cr_assert(y && y->shape[0] == 0 && y->shape[1] == 4);
    cr_assert_eq(rt_backward(g, rt_sum(g, y, RT_ALL_AXES)), RT_OK, "%s", rt_graph_error(g)->message);
    for (int64_t i = 0; i < rt_tensor_count(k); i++) cr_assert_eq(k->grad[i], 0);
    rt_graph_free(g);
}

/* ---- refusals ---- */

static void refuse(rt_graph *g, const rt_tensor *y, rt_status status, const char *part) {
    const rt_error *error = rt_graph_error(g);
    cr_assert_null(y);
    cr_assert_eq(error->status, status, "%s", error->message);
    cr_assert(strstr(error->message, part) != NULL, "\"%s\" does not say \"%s\"", error->message, part);
    rt_graph_reset(g);
}

Test(convolution, refusals_of_conv2d) {
    rt_graph *g = rt_graph_new(NULL);
#define REFUSED(x, k, b, how, act, status, part) refuse(g, rt_conv2d(g, x, k, b, how, act), status, part)
#define X image(g, 1, 2, 4, 5, 6)
#define K image(g, 2, 3, 3, 6, 4)
    REFUSED(drawn(g, 1, 2, (const int64_t[]){2, 3}), K, NULL, NULL, RT_ACT_NONE, RT_SHAPE, "(N, H, W, C)");
    REFUSED(X, drawn(g, 1, 2, (const int64_t[]){2, 3}), NULL, NULL, RT_ACT_NONE, RT_SHAPE, "be (KH, KW, C /");
    REFUSED(X, image(g, 2, 3, 0, 6, 4), NULL, NULL, RT_ACT_NONE, RT_SHAPE, "no extent of k");
    REFUSED(X, image(g, 2, 3, 3, 5, 4), NULL, NULL, RT_ACT_NONE, RT_SHAPE, "k must be (KH, KW, 6, F)");
    REFUSED(X, K, drawn(g, 3, 1, &(int64_t){5}), NULL, RT_ACT_NONE, RT_SHAPE, "b must have 4 elements");
    REFUSED(image(g, 1, 2, 0, 5, 6), K, NULL, &(rt_conv){.padding = 4}, RT_ACT_NONE, RT_SHAPE, "no pixels");
    REFUSED(X, image(g, 2, 5, 3, 6, 4), NULL, NULL, RT_ACT_NONE, RT_VALUE, "fits nowhere");
    REFUSED(X, K, NULL, &(rt_conv){.dilation = 2}, RT_ACT_NONE, RT_VALUE, "5 high or wide");
    REFUSED(X, K, NULL, &(rt_conv){.groups = 4}, RT_ACT_NONE, RT_VALUE, "4 groups must divide");
    REFUSED(X, image(g, 2, 3, 3, 2, 4), NULL, &(rt_conv){.groups = 3}, RT_ACT_NONE, RT_VALUE, "3 groups");
    REFUSED(X, K, NULL, &(rt_conv){.stride = -1}, RT_ACT_NONE, RT_VALUE, "stride -1");
    REFUSED(X, K, NULL, &(rt_conv){.padding = -2}, RT_ACT_NONE, RT_VALUE, "padding -2");
    REFUSED(X, K, NULL, NULL, (rt_activation)99, RT_VALUE, "99 is not an activation");
    rt_graph_free(g);
}

Test(convolution, refusals_of_the_transpose) {
    rt_graph *g = rt_graph_new(NULL);
#define REFUSED_T(x, k, b, how, status, part) \
    refuse(g, rt_conv_transpose2d(g, x, k, b, how, RT_ACT_NONE), status, part)
    REFUSED_T(X, K, NULL, NULL, RT_SHAPE, "k must be (KH, KW, C, 6)");
    REFUSED_T(X, image(g, 2, 3, 3, 4, 6), drawn(g, 3, 1, &(int64_t){6}), NULL, RT_SHAPE, "b must have 4");
    REFUSED_T(X, image(g, 2, 3, 3, 4, 6), NULL, &(rt_conv){.groups = 2}, RT_VALUE, "one group only");
    REFUSED_T(X, image(g, 2, 3, 3, 4, 6), NULL, &(rt_conv){.padding = 3}, RT_VALUE, "nothing is left of 4");
    rt_graph_free(g);
}
