/* Constraints, schedules and checkpoints: lengths measured here in double, values of schedules worked
 * out by hand at chosen points, a run that was saved and restored against one that was not, bit by
 * bit; every allocation is made to fail once. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retort/alloc.h"
#include "retort/graph.h"
#include "retort/optim.h"

static rt_params options;

static void set(const char *settings) {
    char copy[512];
    snprintf(copy, sizeof copy, "%s", settings);
    rt_error error = {0};
    char *rest = NULL;
    for (char *at = strtok_r(copy, ";", &rest); at; at = strtok_r(NULL, ";", &rest)) {
        char *sign = strchr(at, '=');
        *sign = 0;
        cr_assert_eq(rt_params_set_text(&options, at, sign + 1, &error), RT_OK, "%s", error.message);
    }
}

static void set_defaults(void) {
    int count;
    const rt_param *rows = rt_optimizer_rows(&count);
    rt_params_init(&options, rows, count);
}

/* "name=value;name=value" */
static rt_optimizer *optimizer(rt_model *m, int64_t epochs, int64_t steps, const char *settings) {
    set_defaults();
    set(settings);
    rt_error error = {0};
    rt_optimizer *o = rt_optimizer_new(m, &options, "", epochs, steps, &error);
    cr_assert_not_null(o, "%s", error.message);
    return o;
}

static rt_model *net(void) { return rt_mlp_new(4, (const int64_t[]){20, 10, 8, 3}, 1, NULL); }

static void gradients(rt_model *m, double value) {
    for (int k = 0; k < rt_model_parameters(m); k++) {
        rt_tensor *t = &rt_model_parameter(m, k)->tensor;
        for (int64_t i = 0; i < rt_tensor_count(t); i++) t->grad[i] = (rt_real)value;
        t->has_grad = true;
    }
}

/* ---- max-norm ---- */

static double row_squares(const rt_tensor *t, int64_t row) {
    double sum = 0;
    for (int64_t i = 0; i < t->shape[1]; i++) {
        double w = (double)rt_real_data(t)[row * t->shape[1] + i];
        sum += w * w;
    }
    return sum;
}

/* Row r of fc1 and fc3 gets the squared length r + 10.5: some below 15 and some above, all far below 15^2. */
static void set_rows(rt_model *m) {
    for (int k = 0; k < rt_model_parameters(m); k++) {
        rt_parameter *p = rt_model_parameter(m, k);
        if (p->kind != RT_WEIGHT) continue;
        for (int64_t r = 0; r < p->tensor.shape[0]; r++)
            for (int64_t i = 0; i < p->tensor.shape[1]; i++)
                rt_real_data(&p->tensor)[r * p->tensor.shape[1] + i] =
                    (rt_real)(sqrt(((double)r + 10.5) / (double)p->tensor.shape[1]) * (i % 2 ? 1 : -1));
    }
}

static void check_limit(const char *settings, bool last_layer_too) {
    rt_model *m = net();
    set_rows(m);
    rt_real before[3][200];
    for (int l = 0; l < 3; l++) {
        const rt_tensor *t = &rt_model_parameter(m, 2 * l)->tensor;
        memcpy(before[l], t->data, (size_t)rt_tensor_count(t) * sizeof(rt_real));
    }
    rt_real *bias = rt_real_data(&rt_model_parameter(m, 1)->tensor);
    for (int i = 0; i < 10; i++) bias[i] = 100;
    rt_optimizer *o = optimizer(m, 1, 9, settings);
    gradients(m, 0); /* so that only the limit moves anything */
    rt_optimizer_step(o);
    for (int l = 0; l < 3; l++) {
        const rt_tensor *t = &rt_model_parameter(m, 2 * l)->tensor;
        bool limited = l < 2 || last_layer_too;
        for (int64_t r = 0; r < t->shape[0]; r++) {
            double was = (double)r + 10.5, is = row_squares(t, r);
            const rt_real *now = rt_real_data(t) + r * t->shape[1], *old = before[l] + r * t->shape[1];
            if (limited && was > 15) {
                cr_assert_float_eq(is, 15, 1e-4, "layer %d row %d: squared length %g", l + 1, (int)r, is);
                for (int64_t i = 0; i < t->shape[1]; i++)
                    cr_assert_float_eq((double)now[i] / (double)old[i], sqrt(15 / was), 1e-5,
                                       "direction is kept");
            } else {
                cr_assert_arr_eq(now, old, (size_t)t->shape[1] * sizeof *now, "layer %d row %d is short",
                                 l + 1, (int)r);
            }
        }
    }
    for (int i = 0; i < 10; i++) cr_assert_eq(bias[i], 100, "biases have no limit");
    rt_optimizer_free(o), rt_model_free(m);
}

/* A limit of the length itself at 15 would change nothing here. */
Test(constraints, max_norm_is_about_the_squared_length_of_hidden_units) {
    check_limit("max_norm_squared=15", false);
    check_limit("max_norm_squared=15;name=adam", false);
}

Test(constraints, max_norm_of_all_layers) {
    rt_model *m = rt_mlp_new(2, (const int64_t[]){4, 30}, 1, NULL); /* one layer: there is no hidden one */
    for (int all = 0; all < 2; all++) {
        set_rows(m);
        rt_optimizer *o = optimizer(m, 1, 9,
                                    all ? "max_norm_squared=15;max_norm_layers=all" : "max_norm_squared=15");
        gradients(m, 0);
        rt_optimizer_step(o);
        cr_assert_float_eq(row_squares(&rt_model_parameter(m, 0)->tensor, 29), all ? 15 : 39.5, 1e-3);
        rt_optimizer_free(o);
    }
    rt_model_free(m);
    check_limit("max_norm_squared=15;max_norm_layers=all", true);
}

Test(constraints, max_norm_holds_after_every_step) {
    rt_model *m = net();
    rt_optimizer *o = optimizer(m, 1, 99, "max_norm_squared=15;lr=0.5;momentum=0.9");
    int on_the_limit = 0;
    for (int t = 0; t < 20; t++) {
        gradients(m, 0.3);
        rt_optimizer_step(o);
        const rt_tensor *w = &rt_model_parameter(m, 0)->tensor;
        for (int64_t r = 0; r < 10; r++) {
            cr_assert_leq(row_squares(w, r), 15.0001);
            on_the_limit += row_squares(w, r) > 14.999;
        }
    }
    cr_assert_gt(on_the_limit, 50);
    rt_optimizer_free(o), rt_model_free(m);
}

/* ---- clipping ---- */

/* 311 gradients of 2: length 2 sqrt(311). With lr 1 and no momentum the step is the gradient. */
Test(constraints, clipping_scales_the_whole_gradient) {
    rt_model *m = net(), *same = net();
    double length = 2 * sqrt(20 * 10 + 10 + 10 * 8 + 8 + 8 * 3 + 3);
    rt_optimizer *o = optimizer(m, 1, 9, "clip_norm=0.5;lr=1;momentum=0");
    cr_assert_eq(rt_optimizer_grad_norm(o), -1);
    gradients(m, 2);
    rt_optimizer_step(o);
    cr_assert_float_eq(rt_optimizer_grad_norm(o), length, 1e-4);
    double squares = 0;
    for (int k = 0; k < 6; k++) {
        const rt_tensor *a = &rt_model_parameter(m, k)->tensor, *b = &rt_model_parameter(same, k)->tensor;
        for (int64_t i = 0; i < rt_tensor_count(a); i++) {
            double d = (double)rt_real_data(b)[i] - (double)rt_real_data(a)[i];
            cr_assert_float_eq(d, 2 * 0.5 / length, 1e-6);
            squares += d * d;
        }
    }
    cr_assert_float_eq(sqrt(squares), 0.5, 1e-4);
    rt_optimizer_free(o);

    rt_optimizer *loose = optimizer(m, 1, 9, "clip_norm=1000;lr=1;momentum=0");
    rt_optimizer *none = optimizer(same, 1, 9, "lr=1;momentum=0");
    int64_t n;
    rt_real *p = rt_model_block(m, &n), *q = rt_model_block(same, NULL);
    memcpy(q, p, (size_t)n * sizeof *p);
    gradients(m, 2), gradients(same, 2);
    rt_optimizer_step(loose), rt_optimizer_step(none);
    cr_assert_arr_eq(p, q, (size_t)n * sizeof *p, "a gradient within the limit is left as it is");
    cr_assert_eq(rt_optimizer_grad_norm(none), -1);
    rt_optimizer_free(loose), rt_optimizer_free(none), rt_model_free(m), rt_model_free(same);
}

/* ---- schedules: 10 epochs of 4 steps ---- */

static const struct {
    const char *settings;
    struct { int step; double lr; } at[6];
} schedules[] = {
    {"lr=2", {{0, 2}, {17, 2}, {39, 2}}},
    {"lr=2;schedule=linear", {{0, 2}, {1, 1.95}, {20, 1}, {39, 0.05}}},
    {"lr=2;schedule=linear;schedule_by=epoch", {{0, 2}, {3, 2}, {4, 1.8}, {39, 0.2}}},
    {"lr=2;schedule=linear;end_factor=0.5", {{0, 2}, {20, 1.5}}},
    {"lr=2;schedule=cosine", {{0, 2}, {10, 1.7071067811865475}, {20, 1}, {30, 0.2928932188134525}}},
    {"lr=2;schedule=cosine;end_factor=0.1", {{20, 1.1}}},
    {"lr=2;schedule=step;milestones=[5, 7.5];gamma=0.1",
     {{0, 2}, {19, 2}, {20, 0.2}, {29, 0.2}, {30, 0.02}, {39, 0.02}}},
    {"lr=2;schedule=exponential;gamma=0.25", {{0, 2}, {2, 1}, {4, 0.5}, {8, 0.125}}},
    {"lr=2;schedule=exponential;gamma=0.25;schedule_by=epoch", {{0, 2}, {3, 2}, {4, 0.5}, {7, 0.5}}},
    {"lr=2;warmup=2", {{0, 0.25}, {1, 0.5}, {7, 2}, {8, 2}}},
    {"lr=2;warmup=2;schedule_by=epoch", {{0, 1}, {3, 1}, {4, 2}, {39, 2}}},
    {"lr=2;warmup=2;schedule=linear", {{0, 0.25}, {4, 2 * 0.9 * 0.625}, {20, 1}}},
    {"lr=2;schedule=linear;name=adam", {{0, 2}, {20, 1}}},
};

Test(schedules, values_at_chosen_steps) {
    rt_model *m = net();
    for (size_t s = 0; s < sizeof schedules / sizeof schedules[0]; s++) {
        rt_optimizer *o = optimizer(m, 10, 4, schedules[s].settings);
        int seen = 0;
        for (int step = 0; step < 40; step++) {
            for (int i = 0; i < 6; i++) {
                if (schedules[s].at[i].lr == 0 || schedules[s].at[i].step != step) continue;
                cr_assert_float_eq(rt_optimizer_lr(o), schedules[s].at[i].lr, 1e-12, "%s, step %d: %.15g",
                                   schedules[s].settings, step, rt_optimizer_lr(o));
                seen++;
            }
            rt_optimizer_step(o);
        }
        cr_assert_gt(seen, 0);
        cr_assert_geq(rt_optimizer_lr(o), 0, "after the end");
        rt_optimizer_free(o);
    }
    rt_model_free(m);
}

Test(schedules, momentum_rises_and_stays) {
    rt_model *m = net();
    rt_optimizer *o = optimizer(m, 10, 4, "momentum=0.9;momentum_start=0.5;momentum_epochs=4");
    static const double wanted[] = {0.5, 0.6, 0.7, 0.8, 0.9, 0.9};
    for (int step = 0; step < 24; step++) {
        if (step % 4 == 0) cr_assert_float_eq(rt_optimizer_momentum(o), wanted[step / 4], 1e-12);
        if (step == 2) cr_assert_float_eq(rt_optimizer_momentum(o), 0.55, 1e-12);
        rt_optimizer_step(o);
    }
    rt_optimizer_free(o), rt_model_free(m);
}

/* ---- refusals ---- */

Test(optim_options, refusals_and_what_is_understood) {
    static const struct { const char *settings, *says; } wrong[] = {
        {"name=adam;momentum=0.5", "momentum means nothing with the optimiser adam"},
        {"nesterov=true;name=rmsprop", "nesterov means nothing"},
        {"beta1=0.5", "beta1 means nothing with the optimiser sgd"},
        {"schedule=linear;gamma=0.5", "gamma means nothing with the optimiser sgd and the schedule linear"},
        {"lr_factors=[1, 0.1]", "lr_factors has 2 entries; 20-10-8-3 relu has 3 layers"},
    };
    rt_model *m = net();
    size_t live = rt_alloc_stats_get().live_blocks;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        set_defaults();
        set(wrong[i].settings);
        rt_error error = {0};
        cr_assert_null(rt_optimizer_new(m, &options, "", 1, 1, &error));
        cr_assert(error.status == RT_SPEC && strstr(error.message, wrong[i].says), "%s", error.message);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live);
    }
    set_defaults();
    set("name=adam;momentum=0.9"); /* at its default it does not matter */
    cr_assert_eq(rt_optimizer_check(&options, "", NULL), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "name", "adagrad", NULL), RT_SPEC);
    cr_assert_null(rt_sgd_new(m, -1, 0.9, NULL));
    cr_assert_null(rt_sgd_new(m, 0.1, 1.5, NULL));
    rt_model_free(m);
}

Test(optim_options, names_may_have_a_prefix_and_company) {
    static const rt_param rows[] = {
        RT_PARAM_REAL_ROW("lr", 9, 0, 10, "", "somebody else's"),
        RT_PARAM_REAL_ROW("optimizer.lr", 0.25, 0, 10, "", "ours"),
        RT_PARAM_CHOICE_ROW("optimizer.name", "adam", "adam|sgd", "ours"),
    };
    static rt_params p;
    rt_params_init(&p, rows, 3);
    rt_model *m = net();
    rt_optimizer *o = rt_optimizer_new(m, &p, "optimizer.", 3, 7, NULL);
    cr_assert_eq(rt_optimizer_lr(o), 0.25);
    cr_assert_eq(rt_optimizer_momentum(o), 0, "it is adam");
    rt_optimizer_free(o), rt_model_free(m);
}

/* ---- checkpoints ---- */

static void train(rt_model *m, rt_optimizer *o, int begin, int end) {
    for (int t = begin; t < end; t++) {
        for (int k = 0; k < rt_model_parameters(m); k++) {
            rt_tensor *p = &rt_model_parameter(m, k)->tensor;
            for (int64_t i = 0; i < rt_tensor_count(p); i++)
                p->grad[i] = (rt_real)sin((double)(t + 1) * ((double)i + 1)) + rt_real_data(p)[i];
            p->has_grad = t % 3 != 0 || k != 1;
        }
        rt_optimizer_step(o);
    }
}

Test(checkpoint, goes_on_with_the_same_bits) {
    static const char *const kinds[] = {"momentum=0.9;schedule=cosine;warmup=1;momentum_epochs=3",
                                        "name=adam;schedule=linear", "name=adamw;weight_decay=0.1",
                                        "name=rmsprop;clip_norm=1"};
    for (int i = 0; i < 4; i++) {
        rt_model *a = net(), *b = net();
        rt_optimizer *x = optimizer(a, 5, 4, kinds[i]), *y = optimizer(b, 5, 4, kinds[i]);
        train(a, x, 0, 7);
        size_t count = rt_optimizer_state_bytes(x);
        char *bytes = malloc(count + 1);
        rt_optimizer_state_save(x, bytes + 1); /* checkpoints are not aligned */
        int64_t n;
        rt_real *p = rt_model_block(a, &n), *q = rt_model_block(b, NULL);
        memcpy(q, p, (size_t)n * sizeof *p);
        cr_assert_eq(rt_optimizer_state_restore(y, bytes + 1, count, NULL), RT_OK);
        cr_assert_eq(rt_optimizer_steps(y), 7);
        train(a, x, 7, 20), train(b, y, 7, 20);
        cr_assert_arr_eq(p, q, (size_t)n * sizeof *p, "%s", kinds[i]);
        cr_assert_eq(rt_optimizer_lr(x), rt_optimizer_lr(y));

        rt_error error = {0};
        cr_assert_eq(rt_optimizer_state_restore(y, bytes + 1, count - 1, &error), RT_FORMAT);
        cr_assert(error.message[0]);
        memset(bytes + 1, 0xff, 8);
        cr_assert_eq(rt_optimizer_state_restore(y, bytes + 1, count, NULL), RT_FORMAT);
        cr_assert_eq(rt_optimizer_steps(y), 20, "nothing changed");
        free(bytes);
        rt_optimizer_free(x), rt_optimizer_free(y), rt_model_free(a), rt_model_free(b);
    }
}

/* ---- memory ---- */

Test(optim_memory, every_allocation_may_fail_and_a_step_makes_none) {
    rt_model *m = net(), *adapter = rt_mlp_new(2, (const int64_t[]){4, 4}, 1, NULL);
    size_t live = rt_alloc_stats_get().live_blocks;
    rt_optimizer *o = NULL;
    for (size_t n = 1; !o; n++) {
        rt_error error = {0};
        rt_alloc_fail_after(n);
        o = rt_sgd_new(m, 0.1, 0.9, &error);
        rt_alloc_fail_after(0);
        if (!o) cr_assert(error.status == RT_MEMORY && rt_alloc_stats_get().live_blocks == live);
    }
    live = rt_alloc_stats_get().live_blocks;
    rt_status status = RT_MEMORY;
    for (size_t n = 1; status != RT_OK; n++) {
        rt_alloc_fail_after(n);
        status = rt_optimizer_add(o, adapter, NULL);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live);
    }
    gradients(m, 1), gradients(adapter, 1);
    size_t calls = rt_alloc_stats_get().calls;
    rt_optimizer_step(o);
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    rt_optimizer_free(o), rt_model_free(m), rt_model_free(adapter);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- all of it together: two moons, 200 points ---- */

static void moons(rt_real *x, int32_t *y, int count) {
    rt_rng r = rt_rng_stream(1, "moons", 0, 0);
    for (int i = 0; i < count; i++) {
        double angle = 3.14159265358979 * rt_rng_uniform(&r), side = i % 2 ? -1 : 1;
        x[2 * i] = (rt_real)(side * cos(angle) + (i % 2 ? 1 : 0) + 0.1 * rt_rng_normal(&r));
        x[2 * i + 1] = (rt_real)(side * sin(angle) + (i % 2 ? 0.5 : 0) + 0.1 * rt_rng_normal(&r));
        y[i] = i % 2;
    }
}

Test(optim_training, every_kind_learns_two_moons) {
    static const char *const kinds[] = {"lr=0.1;schedule=linear", "lr=0.1;nesterov=true;max_norm_squared=15",
                                        "name=adam;lr=0.01", "name=adamw;lr=0.01;weight_decay=0.01",
                                        "name=rmsprop;lr=0.003;clip_norm=5"};
    rt_real x[400];
    int32_t y[200];
    moons(x, y, 200);
    for (int i = 0; i < 5; i++) {
        rt_model *m = rt_mlp_new(4, (const int64_t[]){2, 16, 16, 2}, 3, NULL);
        rt_optimizer *o = optimizer(m, 300, 1, kinds[i]);
        rt_graph *g = rt_graph_new(NULL);
        double first = 0, last = 0;
        for (int t = 0; t < 300; t++) {
            rt_model_train(m, 1, (uint64_t)t, 0);
            rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, x, 2, (const int64_t[]){200, 2}));
            rt_tensor *loss = rt_cross_entropy(g, z, rt_graph_labels(g, y, 200));
            cr_assert_eq(rt_backward(g, loss), RT_OK);
            last = rt_tensor_item(loss);
            if (t == 0) first = last;
            rt_optimizer_step(o);
            rt_graph_reset(g);
        }
        rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, x, 2, (const int64_t[]){200, 2}));
        int errors = 0;
        for (int n = 0; n < 200; n++) errors += (rt_real_data(z)[2 * n + 1] > rt_real_data(z)[2 * n]) != y[n];
        cr_assert(last < 0.15 && last < first / 3 && errors <= 5, "%s: loss %g to %g, %d errors", kinds[i],
                  first, last, errors);
        rt_graph_free(g), rt_optimizer_free(o), rt_model_free(m);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
