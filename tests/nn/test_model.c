/* Models: forward against plain double loops written here; layout and cost against counting by hand;
 * initial weights against the moments and bounds of their laws; streams against each other; dropout
 * against the same net without it; every allocation is made to fail once. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "retort/alloc.h"
#include "retort/nn.h"

#define TOLERANCE (sizeof(rt_real) == sizeof(double) ? 1e-12 : 2e-5)

/* A model from "name=value" texts, ended by NULL. */
static rt_model *make(const char *const settings[], int ndim, const int64_t shape[], int64_t classes,
                      uint64_t seed) {
    int count;
    const rt_param *rows = rt_model_rows("mlp", &count);
    static rt_params options;
    rt_params_init(&options, rows, count);
    rt_error error = {0};
    for (int i = 0; settings[i]; i++) {
        char name[64];
        const char *sign = strchr(settings[i], '=');
        snprintf(name, sizeof name, "%.*s", (int)(sign - settings[i]), settings[i]);
        cr_assert_eq(rt_params_set_text(&options, name, sign + 1, &error), RT_OK, "%s", error.message);
    }
    rt_model *m = rt_model_new("mlp", &options, ndim, shape, classes, seed, &error);
    cr_assert_not_null(m, "%s", error.message);
    return m;
}
#define MAKE(ndim, shape, classes, seed, ...) \
    make((const char *const[]){__VA_ARGS__, NULL}, ndim, shape, classes, seed)

static const int64_t five[] = {5};

static void fill(rt_real *x, int64_t count, uint64_t seed) {
    rt_rng r = rt_rng_stream(seed, "test", 0, 0);
    for (int64_t i = 0; i < count; i++) x[i] = (rt_real)rt_rng_normal(&r);
}

static double value(rt_model *m, const char *name, int64_t i) {
    for (int k = 0; k < rt_model_parameters(m); k++) {
        const rt_parameter *p = rt_model_parameter(m, k);
        if (strcmp(p->name, name) == 0) return (double)rt_real_data(&p->tensor)[i];
    }
    cr_assert_fail("no parameter %s", name);
    return 0;
}

Test(model, layout_is_contiguous_aligned_and_padded_with_zeros) {
    rt_model *m = MAKE(1, five, 3, 1, "hidden=[7, 4]");
    static const struct {
        const char *name;
        int layer;
        rt_parameter_kind kind;
        int ndim;
        int64_t shape[2];
    } known[] = {
        {"fc1.weight", 0, RT_WEIGHT, 2, {7, 5}}, {"fc1.bias", 0, RT_BIAS, 1, {7}},
        {"fc2.weight", 1, RT_WEIGHT, 2, {4, 7}}, {"fc2.bias", 1, RT_BIAS, 1, {4}},
        {"fc3.weight", 2, RT_WEIGHT, 2, {3, 4}}, {"fc3.bias", 2, RT_BIAS, 1, {3}},
    };
    cr_assert_eq(rt_model_parameters(m), 6);
    cr_assert_eq(rt_model_layers(m), 3);
    int64_t block_count, at = 0;
    rt_real *block = rt_model_block(m, &block_count), *grads = rt_model_grad_block(m);
    for (int i = 0; i < 6; i++) {
        rt_parameter *p = rt_model_parameter(m, i);
        cr_assert_str_eq(p->name, known[i].name);
        cr_assert(p->layer == known[i].layer && p->kind == known[i].kind && p->tensor.ndim == known[i].ndim);
        for (int d = 0; d < p->tensor.ndim; d++) cr_assert_eq(p->tensor.shape[d], known[i].shape[d]);
        cr_assert_eq((uintptr_t)p->tensor.data % 64, 0);
        cr_assert_eq(p->tensor.data, (void *)(block + p->offset));
        cr_assert_eq(p->tensor.grad, grads + p->offset);
        cr_assert(p->tensor.requires_grad && !p->tensor.has_grad);
        for (; at < p->offset; at++) cr_assert_eq(block[at], 0);
        at = p->offset + rt_tensor_count(&p->tensor);
    }
    for (; at < block_count; at++) cr_assert_eq(block[at], 0);
    cr_assert_eq(block_count % (int64_t)(64 / sizeof(rt_real)), 0);
    rt_model_free(m);
}

static double activate(const char *name, double x) {
    if (strcmp(name, "relu") == 0) return x > 0 ? x : 0;
    if (strcmp(name, "leaky-relu") == 0) return x > 0 ? x : 0.01 * x;
    if (strcmp(name, "tanh") == 0) return tanh(x);
    if (strcmp(name, "sigmoid") == 0) return 1 / (1 + exp(-x));
    if (strcmp(name, "softplus") == 0) return log(1 + exp(x));
    return x * 0.5 * erfc(-x / sqrt(2));
}

/* Every activation; 4 examples of 2x3 pixels, 5 hidden units, 2 classes. */
Test(model, forward_is_what_loops_say_flat_or_not) {
    static const char *const names[] = {"relu", "leaky-relu", "tanh", "sigmoid", "softplus", "gelu"};
    for (int a = 0; a < 6; a++) {
        char setting[32];
        snprintf(setting, sizeof setting, "activation=%s", names[a]);
        rt_model *m = MAKE(3, ((const int64_t[]){1, 2, 3}), 2, 7, "hidden=[5]", "init=fan-in", setting);
        rt_graph *g = rt_graph_new(NULL);
        rt_real x[24];
        fill(x, 24, 3);
        rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, x, 4, (const int64_t[]){4, 1, 2, 3}));
        rt_tensor *flat = rt_model_forward(m, g, rt_graph_input(g, x, 2, (const int64_t[]){4, 6}));
        cr_assert(z && flat && z->ndim == 2 && z->shape[0] == 4 && z->shape[1] == 2);
        cr_assert_arr_eq(z->data, flat->data, 8 * sizeof(rt_real));
        for (int n = 0; n < 4; n++)
            for (int k = 0; k < 2; k++) {
                double sum = value(m, "fc2.bias", k);
                for (int u = 0; u < 5; u++) {
                    double h = value(m, "fc1.bias", u);
                    for (int d = 0; d < 6; d++) h += value(m, "fc1.weight", 6 * u + d) * (double)x[6 * n + d];
                    sum += value(m, "fc2.weight", 5 * k + u) * activate(names[a], h);
                }
                cr_assert_float_eq(rt_tensor_get(z, (const int64_t[]){n, k}), sum, TOLERANCE, "%s", names[a]);
            }
        rt_graph_free(g);
        rt_model_free(m);
    }
}

Test(model, taps_by_name_and_number) {
    rt_model *m = MAKE(1, five, 3, 1, "hidden=[7, 4]", "dropout.hidden=0.5");
    rt_model *plain = MAKE(1, five, 3, 1, "hidden=[7, 4]");
    rt_graph *g = rt_graph_new(NULL);
    rt_real x[10];
    fill(x, 10, 1);
    rt_tensor *input = rt_graph_input(g, x, 2, (const int64_t[]){2, 5});
    cr_assert_eq(rt_model_taps(m), 3);
    cr_assert_str_eq(rt_model_tap_name(m, 0), "fc1");
    cr_assert_str_eq(rt_model_tap_name(m, 2), "fc3");
    cr_assert_null(rt_model_tap(m, "fc1"));
    rt_tensor *z = rt_model_forward(m, g, input);
    cr_assert_eq(rt_model_tap(m, "fc3"), z);
    cr_assert_null(rt_model_tap(m, "fc4"));
    cr_assert_null(rt_model_tap(m, "fc1.pre"), "nobody asked for it");
    cr_assert_not_null(rt_model_tap(m, "dropout.fc1"));
    cr_assert_not(rt_model_want_tap(m, "fc9.pre"));
    cr_assert_not(rt_model_want_tap(m, ".pre"));
    cr_assert(rt_model_want_tap(m, "fc1.pre"));
    rt_tensor *again = rt_model_forward(m, g, input);
    rt_tensor *pre = rt_model_tap(m, "fc1.pre"), *post = rt_model_tap(m, "fc1");
    rt_model_forward(plain, g, input);
    rt_tensor *fused = rt_model_tap(plain, "fc1");
    int negative = 0;
    for (int i = 0; i < 14; i++) {
        rt_real p = rt_real_data(pre)[i];
        negative += p < 0;
        cr_assert_eq(rt_real_data(post)[i], p > 0 ? p : 0);
        cr_assert_eq(rt_real_data(fused)[i], rt_real_data(post)[i]);
    }
    cr_assert_gt(negative, 0);
    cr_assert_arr_eq(again->data, z->data, 6 * sizeof(rt_real));
    rt_graph_free(g);
    rt_model_free(m);
    rt_model_free(plain);
}

/* 200 inputs, 100 units: deviations worked out by hand, bounds of the uniform laws. */
Test(model, initial_weights_follow_their_laws) {
    static const struct {
        const char *law;
        double deviation, bound;
    } laws[] = {
        {"init=he", 0.1, 0},
        {"init=he-uniform", 0.1, 0.17320508},
        {"init=xavier", 0.08164966, 0.14142136},
        {"init=xavier-normal", 0.08164966, 0},
        {"init=lecun", 0.07071068, 0},
        {"init=normal", 0.03, 0},
        {"init=fan-in", 0.04082483, 0.07071068},
    };
    for (size_t l = 0; l < sizeof laws / sizeof laws[0]; l++) {
        rt_model *m = MAKE(1, ((const int64_t[]){200}), 10, 5, "hidden=[100]", "init_std=0.03", laws[l].law);
        const rt_real *weights = rt_real_data(&rt_model_parameter(m, 0)->tensor);
        const int n = 20000;
        double sum = 0, squares = 0, fourth = 0, largest = 0;
        for (int i = 0; i < n; i++) {
            double w = (double)weights[i];
            sum += w, squares += w * w, fourth += w * w * w * w;
            if (fabs(w) > largest) largest = fabs(w);
        }
        double s = laws[l].deviation, kurtosis = fourth / n / (s * s * s * s);
        cr_assert_float_eq(sum / n, 0, 4 * s / sqrt(n), "%s: mean %g", laws[l].law, sum / n);
        cr_assert_float_eq(sqrt(squares / n) / s, 1, 0.025, "%s: deviation %g", laws[l].law,
                           sqrt(squares / n));
        if (laws[l].bound > 0) {
            cr_assert(largest <= laws[l].bound * 1.000001 && largest > 0.999 * laws[l].bound, "%s",
                      laws[l].law);
            cr_assert_float_eq(kurtosis, 1.8, 0.1, "%s is uniform: %g", laws[l].law, kurtosis);
        } else {
            cr_assert_float_eq(kurtosis, 3, 0.25, "%s is normal: %g", laws[l].law, kurtosis);
        }
        bool biases = strcmp(laws[l].law, "init=fan-in") == 0;
        for (int i = 0; i < 100; i++) {
            double b = value(m, "fc1.bias", i);
            cr_assert(biases ? b != 0 && fabs(b) <= 0.0707107 : b == 0);
        }
        rt_model_free(m);
    }
}

Test(model, weights_are_a_function_of_seed_and_layer) {
    rt_model *a = MAKE(1, five, 3, 1, "hidden=[7]"), *b = MAKE(1, five, 3, 1, "hidden=[7]");
    rt_model *c = MAKE(1, five, 3, 2, "hidden=[7]"),
             *deep = MAKE(1, five, 3, 1, "hidden=[7, 7]", "dropout.input=0.2");
    int64_t n;
    rt_real *block = rt_model_block(a, &n);
    cr_assert_arr_eq(block, rt_model_block(b, NULL), (size_t)n * sizeof *block);
    int same = 0;
    for (int i = 0; i < 35; i++) {
        same += value(a, "fc1.weight", i) == value(c, "fc1.weight", i);
        cr_assert_eq(value(a, "fc1.weight", i), value(deep, "fc1.weight", i),
                     "a layer behind shifts nothing");
    }
    cr_assert_eq(same, 0);
    cr_assert_neq(value(a, "fc1.weight", 0), value(a, "fc2.weight", 0));
    rt_model_free(a), rt_model_free(b), rt_model_free(c), rt_model_free(deep);
}

Test(model, dropout_only_in_training_and_new_in_every_step) {
    static const int64_t wide[] = {1000};
    rt_model *m = MAKE(1, wide, 3, 1, "hidden=[500]", "dropout.input=0.2", "dropout.hidden=0.5");
    rt_model *plain = MAKE(1, wide, 3, 1, "hidden=[500]");
    rt_graph *g = rt_graph_new(NULL);
    static rt_real x[4000];
    for (int i = 0; i < 4000; i++) x[i] = 1 + (rt_real)(i % 7);
    rt_tensor *input = rt_graph_input(g, x, 2, (const int64_t[]){4, 1000});
    const size_t bytes = 12 * sizeof(rt_real);
    rt_tensor *z = rt_model_forward(m, g, input), *same = rt_model_forward(plain, g, input);
    cr_assert_arr_eq(z->data, same->data, bytes, "evaluation is the default and knows no dropout");

    static const uint64_t when[][3] = {{9, 0, 0}, {9, 0, 1}, {9, 1, 0}, {8, 0, 0}};
    rt_tensor *trained[4];
    for (int i = 0; i < 4; i++) {
        rt_model_train(m, when[i][0], when[i][1], when[i][2]);
        cr_assert(rt_model_is_training(m));
        trained[i] = rt_model_forward(m, g, input);
        for (int k = 0; k < i; k++) cr_assert_neq(memcmp(trained[i]->data, trained[k]->data, bytes), 0);
        cr_assert_neq(memcmp(trained[i]->data, z->data, bytes), 0);
    }
    const rt_tensor *dropped = rt_model_tap(m, "dropout.input");
    int zeros = 0;
    for (int i = 0; i < 4000; i++) {
        double y = (double)rt_real_data(dropped)[i];
        zeros += y == 0;
        if (y != 0) cr_assert_float_eq(y, (double)x[i] / 0.8, 1e-3);
    }
    cr_assert_float_eq(zeros / 4000.0, 0.2, 0.03);
    rt_model_train(m, 9, 0, 0);
    cr_assert_arr_eq(rt_model_forward(m, g, input)->data, trained[0]->data, bytes);
    rt_model_evaluate(m);
    cr_assert_arr_eq(rt_model_forward(m, g, input)->data, z->data, bytes);
    rt_graph_free(g);
    rt_model_free(m), rt_model_free(plain);
}

Test(model, cost_and_summary_by_hand) {
    rt_model *m = MAKE(3, ((const int64_t[]){1, 28, 28}), 10, 1, "hidden=[1200, 1200]", "dropout.input=0.2",
                       "dropout.hidden=0.5");
    rt_model_cost cost = rt_model_cost_get(m);
    cr_assert_eq(cost.parameters, 2395210);
    cr_assert_eq(cost.multiply_adds, 2392800);
    cr_assert_eq(cost.bytes, 2395210 * (int64_t)sizeof(rt_real));
    cr_assert_str_eq(rt_model_summary(m), "784-1200-1200-10 relu, dropout 0.2/0.5");
    cr_assert_str_eq(rt_model_kind(m), "mlp");
    cr_assert(strstr(rt_model_options(m), "hidden = [1200, 1200]\n"));
    cr_assert_eq(rt_model_classes(m), 10);
    rt_model_free(m);
    m = MAKE(1, five, 3, 1, "hidden=[]", "bias=false");
    cr_assert_eq(rt_model_cost_get(m).parameters, 15);
    cr_assert_str_eq(rt_model_summary(m), "5-3, no biases");
    rt_model_free(m);
}

Test(model, hash_is_over_structure_and_weights) {
    rt_model *a = MAKE(1, five, 3, 1, "hidden=[7]"),
             *c = MAKE(1, five, 3, 1, "hidden=[7]", "activation=tanh");
    rt_model *b = MAKE(1, five, 3, 1, "hidden=[7]", "dropout.hidden=0.5", "init_std=3");
    char ha[33], hb[33], hc[33], changed[33];
    rt_model_hash(a, ha), rt_model_hash(b, hb), rt_model_hash(c, hc);
    cr_assert_eq(strlen(ha), 32);
    cr_assert_str_eq(ha, hb, "dropout and the law are no part of it");
    cr_assert_str_neq(ha, hc);
    rt_real *last = rt_real_data(&rt_model_parameter(a, 3)->tensor) + 2;
    *last = (rt_real)1e-30;
    rt_model_hash(a, changed);
    cr_assert_str_neq(ha, changed);
    *last = 0;
    rt_model_hash(a, changed);
    cr_assert_str_eq(ha, changed);
    rt_model_free(a), rt_model_free(b), rt_model_free(c);
}

Test(model, refusals_say_what_is_wrong) {
    rt_error error = {0};
    static const struct {
        int ndim;
        int64_t shape[6];
        int64_t classes;
    } wrong[] = {
        {0, {0}, 3}, {6, {1, 1, 1, 1, 1, 1}, 3}, {1, {0}, 3}, {1, {-1}, 3}, {2, {1 << 20, 1 << 20}, 3},
        {2, {INT64_MAX, 2}, 3}, {1, {5}, 0}, {1, {5}, 65537},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        error.message[0] = 0;
        cr_assert_null(rt_model_new("mlp", NULL, wrong[i].ndim, wrong[i].shape, wrong[i].classes, 1, &error));
        cr_assert(error.status == RT_SPEC && error.message[0], "%zu", i);
    }
    cr_assert_null(rt_model_new("mlpp", NULL, 1, five, 3, 1, &error));
    cr_assert(strstr(error.message, "did you mean \"mlp\"?"), "%s", error.message);
    cr_assert_null(rt_mlp_new(1, five, 1, &error));
    cr_assert_null(rt_mlp_new(3, (const int64_t[]){5, 0, 2}, 1, &error));
    cr_assert_null(rt_mlp_new(2, (const int64_t[]){5, 0}, 1, &error));
    int count = -1;
    cr_assert_null(rt_model_rows("perceptron", &count));
    cr_assert_eq(count, 0);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(model, wrong_batches_stick_to_the_graph) {
    rt_model *m = MAKE(3, ((const int64_t[]){1, 2, 3}), 2, 1, "hidden=[4]");
    static const int64_t shapes[][4] = {{2, 5, 1, 1}, {2, 1, 3, 2}, {2, 6, 1, 1}};
    static const int dims[] = {2, 4, 4};
    for (int i = 0; i < 3; i++) {
        rt_graph *g = rt_graph_new(NULL);
        rt_real x[12] = {0};
        cr_assert_null(rt_model_forward(m, g, rt_graph_input(g, x, dims[i], shapes[i])));
        cr_assert_eq(rt_graph_status(g), RT_SHAPE);
        cr_assert(strstr(rt_graph_error(g)->message, "(1, 2, 3)"), "%s", rt_graph_error(g)->message);
        cr_assert_null(rt_model_tap(m, "fc1"));
        rt_graph_free(g);
    }
    rt_graph *g = rt_graph_new(NULL);
    cr_assert_null(rt_model_forward(m, g, NULL));
    cr_assert_neq(rt_graph_status(g), RT_OK);
    rt_graph_free(g);
    rt_model_free(m);
}

Test(model, frozen_parameters_receive_no_gradient) {
    rt_model *m = MAKE(1, five, 3, 1, "hidden=[4]");
    rt_model_freeze(m);
    rt_graph *g = rt_graph_new(NULL);
    rt_real x[5] = {1, 2, 3, 4, 5};
    rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, x, 2, (const int64_t[]){1, 5}));
    cr_assert(z && !z->requires_grad);
    for (int i = 0; i < rt_model_parameters(m); i++) cr_assert_not(rt_model_parameter(m, i)->tensor.has_grad);
    rt_graph_free(g);
    rt_model_free(m);
}

Test(model, every_allocation_may_fail) {
    for (size_t n = 1;; n++) {
        rt_error error = {0};
        rt_alloc_fail_after(n);
        rt_model *m = rt_mlp_new(6, (const int64_t[]){5, 4, 4, 4, 4, 3}, 1, &error);
        rt_alloc_fail_after(0);
        if (m) {
            cr_assert_gt(n, 4);
            rt_model_free(m);
            break;
        }
        cr_assert(error.status == RT_MEMORY && error.message[0]);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "after failure %zu", n);
        cr_assert_lt(n, 100);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- laid out for answers ---- */

static void answers(rt_model *m, const rt_real *x, int64_t n, rt_real *z) {
    rt_graph *g = rt_graph_new(NULL);
    cr_assert_not_null(g);
    rt_no_grad_begin(g);
    rt_tensor *out = rt_model_answer(m, g, rt_graph_input(g, (rt_real *)x, 2, (int64_t[]){n, 40}));
    rt_no_grad_end(g);
    cr_assert_not_null(out);
    memcpy(z, rt_real_data(out), (size_t)(n * 4) * sizeof *z);
    rt_graph_free(g);
}

/* One example alone, in a batch, packed or not, zeros or not: the same bits. Then whatever changes weights
 * is seen: training drops the copies by itself. */
Test(model, packed_weights_give_the_same_bits) {
    enum { N = 9, D = 40, K = 4 };
    const int64_t shape[] = {D};
    rt_model *m = MAKE(1, shape, K, 3, "hidden=[33, 18]"), *other = MAKE(1, shape, K, 4, "hidden=[33, 18]");
    rt_real x[N * D], plain[N * K], packed[N * K], one[K];
    fill(x, N * D, 8);
    for (int i = 0; i < N * D; i++)
        if (i % 3) x[i] = 0;
    rt_model_evaluate(m);
    answers(m, x, N, plain);
    cr_assert_eq(rt_model_pack(m, NULL), RT_OK);
    answers(m, x, N, packed);
    cr_assert_eq(memcmp(plain, packed, sizeof plain), 0);
    for (int i = 0; i < N; i++) {
        answers(m, x + i * D, 1, one);
        cr_assert_eq(memcmp(one, plain + i * K, sizeof one), 0, "example %d", i);
    }
    rt_model_train(m, 1, 0, 0); /* drops the copies */
    int64_t count;
    rt_real *block = rt_model_block(m, &count);
    memcpy(block, rt_model_block(other, &count), (size_t)count * sizeof *block);
    rt_model_evaluate(m);
    answers(m, x, N, packed);
    answers(other, x, N, plain);
    cr_assert_eq(memcmp(plain, packed, sizeof plain), 0);
    for (int i = 0; i < N; i++) {
        answers(m, x + i * D, 1, one);
        cr_assert_eq(memcmp(one, plain + i * K, sizeof one), 0, "example %d, not packed", i);
    }
    cr_assert_eq(rt_model_pack(m, NULL), RT_OK);
    rt_alloc_fail_after(2);
    rt_error error = {0};
    cr_assert_eq(rt_model_pack(m, &error), RT_MEMORY);
    rt_alloc_fail_after(0);
    rt_model_free(m);
    rt_model_free(other);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
