/* Optimisers: each against the loops of its paper written here in double, for gradients chosen by the
 * test; identities between them; padding, layer factors and skipped parameters against the same. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "retort/alloc.h"
#include "retort/optim.h"
#include "retort/threads.h"

#define IS_DOUBLE (sizeof(rt_real) == sizeof(double))
#define TOLERANCE (IS_DOUBLE ? 1e-12 : 2e-5)

/* A 6-5-4-3 net and an optimiser from "name=value" texts, ended by NULL. */
static rt_model *net(uint64_t seed) { return rt_mlp_new(4, (const int64_t[]){6, 5, 4, 3}, seed, NULL); }

static rt_optimizer *optimizer(rt_model *m, int64_t epochs, int64_t steps, ...) {
    int count;
    const rt_param *rows = rt_optimizer_rows(&count);
    static rt_params options;
    rt_params_init(&options, rows, count);
    va_list settings;
    va_start(settings, steps);
    rt_error error = {0};
    for (const char *setting; (setting = va_arg(settings, const char *));) {
        char name[64];
        const char *sign = strchr(setting, '=');
        snprintf(name, sizeof name, "%.*s", (int)(sign - setting), setting);
        cr_assert_eq(rt_params_set_text(&options, name, sign + 1, &error), RT_OK, "%s", error.message);
    }
    va_end(settings);
    rt_optimizer *o = rt_optimizer_new(m, &options, "", epochs, steps, &error);
    cr_assert_not_null(o, "%s", error.message);
    return o;
}

/* The gradient of a bowl around 1 with its own steepness in every direction; a function of p alone. */
static double slope(double p, int64_t i) { return (0.5 + (double)(i % 7)) * (p - 1); }

static void set_gradients(rt_model *m) {
    for (int k = 0; k < rt_model_parameters(m); k++) {
        rt_tensor *t = &rt_model_parameter(m, k)->tensor;
        for (int64_t i = 0; i < rt_tensor_count(t); i++)
            t->grad[i] = (rt_real)slope((double)rt_real_data(t)[i], i);
        t->has_grad = true;
    }
}

/* What the test keeps beside the model: p and two slots in double. */
#define MAX 64
typedef struct mirror {
    double p[6][MAX], a[6][MAX], b[6][MAX];
    int64_t count[6];
    bool bias[6];
} mirror;

static void mirror_init(mirror *s, rt_model *m) {
    memset(s, 0, sizeof *s);
    for (int k = 0; k < 6; k++) {
        const rt_parameter *p = rt_model_parameter(m, k);
        s->count[k] = rt_tensor_count(&p->tensor);
        s->bias[k] = p->kind == RT_BIAS;
        for (int64_t i = 0; i < s->count[k]; i++) s->p[k][i] = (double)rt_real_data(&p->tensor)[i];
    }
}

static void agrees(const mirror *s, rt_model *m, const char *what) {
    for (int k = 0; k < 6; k++)
        for (int64_t i = 0; i < s->count[k]; i++)
            cr_assert_float_eq((double)rt_real_data(&rt_model_parameter(m, k)->tensor)[i], s->p[k][i],
                               TOLERANCE, "%s: parameter %d, element %d", what, k, (int)i);
}

static void padding_is_zero(rt_model *m) {
    int64_t n, at = 0;
    const rt_real *block = rt_model_block(m, &n);
    for (int k = 0; k < 6; k++) {
        const rt_parameter *p = rt_model_parameter(m, k);
        for (; at < p->offset; at++) cr_assert_eq(block[at], 0);
        at += rt_tensor_count(&p->tensor);
    }
    for (; at < n; at++) cr_assert_eq(block[at], 0);
}

#define EACH(s) for (int k = 0; k < 6; k++) for (int64_t i = 0; i < (s)->count[k]; i++)
#define STEPS 12

Test(optim, sgd_heavy_ball_with_decay_of_weights_only) {
    rt_model *m = net(1);
    rt_optimizer *o = optimizer(m, 1, 100, "lr=0.05", "momentum=0.8", "weight_decay=0.1", NULL);
    static mirror s;
    mirror_init(&s, m);
    for (int t = 0; t < STEPS; t++) {
        EACH(&s) {
            double g = slope(s.p[k][i], i) + (s.bias[k] ? 0 : 0.1 * s.p[k][i]);
            s.a[k][i] = 0.8 * s.a[k][i] - 0.05 * g;
            s.p[k][i] += s.a[k][i];
        }
        set_gradients(m);
        rt_optimizer_step(o);
        agrees(&s, m, "sgd");
        for (int k = 0; k < 6; k++) cr_assert_not(rt_model_parameter(m, k)->tensor.has_grad);
    }
    cr_assert_eq(rt_optimizer_steps(o), STEPS);
    padding_is_zero(m);
    rt_optimizer_free(o), rt_model_free(m);
}

/* Nesterov as in Sutskever et al. 2013, eq 3-4: the gradient is taken at p + mu v. What retort keeps is that
 * point: theta + mu v. */
Test(optim, nesterov_is_the_gradient_at_the_point_ahead) {
    rt_model *m = net(2);
    rt_optimizer *o = optimizer(m, 1, 100, "lr=0.05", "momentum=0.7", "nesterov=true", NULL);
    static mirror s;
    mirror_init(&s, m); /* p: theta, a: v */
    static mirror ahead;
    for (int t = 0; t < STEPS; t++) {
        EACH(&s) {
            s.a[k][i] = 0.7 * s.a[k][i] - 0.05 * slope(s.p[k][i] + 0.7 * s.a[k][i], i);
            s.p[k][i] += s.a[k][i];
        }
        set_gradients(m);
        rt_optimizer_step(o);
        ahead = s;
        EACH(&s) ahead.p[k][i] = s.p[k][i] + 0.7 * s.a[k][i];
        agrees(&ahead, m, "nesterov");
    }
    rt_optimizer_free(o), rt_model_free(m);
}

Test(optim, without_momentum_nesterov_heavy_ball_and_damping_are_the_same) {
    rt_model *a = net(3), *b = net(3), *c = net(3);
    rt_optimizer *x = optimizer(a, 1, 100, "momentum=0", NULL),
                 *y = optimizer(b, 1, 100, "momentum=0", "nesterov=true", NULL);
    rt_optimizer *z = optimizer(c, 1, 100, "momentum=0", "damping=true", NULL);
    for (int t = 0; t < 3; t++) {
        set_gradients(a), set_gradients(b), set_gradients(c);
        rt_optimizer_step(x), rt_optimizer_step(y), rt_optimizer_step(z);
    }
    int64_t n;
    rt_real *p = rt_model_block(a, &n);
    cr_assert_arr_eq(p, rt_model_block(b, NULL), (size_t)n * sizeof *p);
    cr_assert_arr_eq(p, rt_model_block(c, NULL), (size_t)n * sizeof *p);
    rt_optimizer_free(x), rt_optimizer_free(y), rt_optimizer_free(z);
    rt_model_free(a), rt_model_free(b), rt_model_free(c);
}

/* Hinton et al. 2012: dw = p dw - (1 - p) eps g, p from 0.5 to 0.99 over 4 epochs here, eps times 0.998 an
 * epoch. */
Test(optim, the_2012_recipe) {
    rt_model *m = net(4);
    rt_optimizer *o = optimizer(m, 10, 3, "lr=0.4", "momentum=0.99", "momentum_start=0.5",
                                "momentum_epochs=4", "damping=true", "schedule=exponential", "gamma=0.998",
                                "schedule_by=epoch", NULL);
    static mirror s;
    mirror_init(&s, m);
    for (int step = 0; step < 18; step++) {
        int epoch = step / 3;
        double p = epoch < 4 ? 0.5 + 0.49 * epoch / 4 : 0.99, eps = 0.4 * pow(0.998, epoch);
        cr_assert_float_eq(rt_optimizer_momentum(o), p, 1e-15);
        cr_assert_float_eq(rt_optimizer_lr(o), eps, 1e-15);
        EACH(&s) {
            s.a[k][i] = p * s.a[k][i] - (1 - p) * eps * slope(s.p[k][i], i);
            s.p[k][i] += s.a[k][i];
        }
        set_gradients(m);
        rt_optimizer_step(o);
        agrees(&s, m, "2012");
    }
    rt_optimizer_free(o), rt_model_free(m);
}

static void adam_steps(mirror *s, int t, double decay, double decoupled) {
    EACH(s) {
        double g = slope(s->p[k][i], i) + (s->bias[k] ? 0 : decay * s->p[k][i]);
        s->a[k][i] = 0.9 * s->a[k][i] + 0.1 * g;
        s->b[k][i] = 0.999 * s->b[k][i] + 0.001 * g * g;
        double m = s->a[k][i] / (1 - pow(0.9, t)), v = s->b[k][i] / (1 - pow(0.999, t));
        s->p[k][i] -= (s->bias[k] ? 0 : 0.01 * decoupled * s->p[k][i]) + 0.01 * m / (sqrt(v) + 1e-8);
    }
}

Test(optim, adam_and_adamw_with_their_decays) {
    for (int decoupled = 0; decoupled < 2; decoupled++) {
        rt_model *m = net(5);
        rt_optimizer *o = optimizer(m, 1, 100, decoupled ? "name=adamw" : "name=adam", "lr=0.01",
                                    "weight_decay=0.3", NULL);
        static mirror s;
        mirror_init(&s, m);
        for (int t = 1; t <= STEPS; t++) {
            adam_steps(&s, t, decoupled ? 0 : 0.3, decoupled ? 0.3 : 0);
            set_gradients(m);
            rt_optimizer_step(o);
            agrees(&s, m, decoupled ? "adamw" : "adam");
        }
        cr_assert_eq(rt_optimizer_momentum(o), 0);
        padding_is_zero(m);
        rt_optimizer_free(o), rt_model_free(m);
    }
}

/* m / (1 - b1) = g and sqrt(v / (1 - b2)) = |g|, so the first step is lr sign(g), whatever g. */
Test(optim, adam_first_step_is_the_rate_times_the_sign) {
    rt_model *m = net(6);
    rt_optimizer *o = optimizer(m, 1, 100, "name=adam", "lr=0.01", "epsilon=1e-25", NULL);
    static mirror s;
    mirror_init(&s, m);
    EACH(&s) s.p[k][i] -= slope(s.p[k][i], i) > 0 ? 0.01 : -0.01;
    set_gradients(m);
    rt_optimizer_step(o);
    agrees(&s, m, "adam's first step");
    rt_optimizer_free(o), rt_model_free(m);
}

Test(optim, adam_and_adamw_are_one_without_decay) {
    rt_model *a = net(7), *b = net(7);
    rt_optimizer *x = optimizer(a, 1, 9, "name=adam", NULL), *y = optimizer(b, 1, 9, "name=adamw", NULL);
    for (int t = 0; t < 4; t++) {
        set_gradients(a), set_gradients(b);
        rt_optimizer_step(x), rt_optimizer_step(y);
    }
    int64_t n;
    rt_real *p = rt_model_block(a, &n);
    cr_assert_arr_eq(p, rt_model_block(b, NULL), (size_t)n * sizeof *p);
    rt_optimizer_free(x), rt_optimizer_free(y), rt_model_free(a), rt_model_free(b);
}

Test(optim, rmsprop) {
    rt_model *m = net(8);
    rt_optimizer *o = optimizer(m, 1, 100, "name=rmsprop", "lr=0.01", "rho=0.8", "epsilon=1e-6",
                                "weight_decay=0.1", "decay_biases=true", NULL);
    static mirror s;
    mirror_init(&s, m);
    for (int t = 0; t < STEPS; t++) {
        EACH(&s) {
            double g = slope(s.p[k][i], i) + 0.1 * s.p[k][i];
            s.a[k][i] = 0.8 * s.a[k][i] + 0.2 * g * g;
            s.p[k][i] -= 0.01 * g / (sqrt(s.a[k][i]) + 1e-6);
        }
        set_gradients(m);
        rt_optimizer_step(o);
        agrees(&s, m, "rmsprop");
    }
    rt_optimizer_free(o), rt_model_free(m);
}

Test(optim, layer_factors_are_for_their_layer) {
    rt_model *m = net(9);
    rt_optimizer *o = optimizer(m, 1, 100, "lr=0.1", "momentum=0", "lr_factors=[1, 0, 0.1]", NULL);
    static const double factor[] = {1, 1, 0, 0, 0.1, 0.1};
    static mirror s;
    mirror_init(&s, m);
    EACH(&s) s.p[k][i] -= 0.1 * factor[k] * slope(s.p[k][i], i);
    set_gradients(m);
    rt_optimizer_step(o);
    agrees(&s, m, "layer factors");
    rt_optimizer_free(o), rt_model_free(m);
}

/* Adam counts each parameter's own updates, so a late starter makes a full first step, too. */
Test(optim, parameters_without_a_gradient_are_left_alone) {
    rt_model *m = net(10);
    rt_optimizer *o = optimizer(m, 1, 100, "name=adam", "lr=0.01", "weight_decay=0.5", "epsilon=1e-25", NULL);
    static mirror s;
    for (int t = 0; t < 3; t++) {
        mirror_init(&s, m);
        set_gradients(m);
        rt_model_parameter(m, 2)->tensor.has_grad = false;
        rt_optimizer_step(o);
        const rt_real *p = rt_real_data(&rt_model_parameter(m, 2)->tensor);
        for (int64_t i = 0; i < s.count[2]; i++) cr_assert_eq((double)p[i], s.p[2][i]);
    }
    mirror_init(&s, m);
    for (int64_t i = 0; i < s.count[2]; i++)
        s.p[2][i] -= slope(s.p[2][i], i) + 0.5 * s.p[2][i] > 0 ? 0.01 : -0.01;
    set_gradients(m);
    for (int k = 0; k < 6; k++) rt_model_parameter(m, k)->tensor.has_grad = k == 2;
    rt_optimizer_step(o);
    agrees(&s, m, "late starter");
    rt_optimizer_free(o), rt_model_free(m);
}

Test(optim, added_models_are_trained_with_factor_1) {
    rt_model *m = net(11), *adapter = rt_mlp_new(2, (const int64_t[]){4, 4}, 1, NULL);
    rt_optimizer *o = optimizer(m, 1, 100, "lr=0.1", "momentum=0", "lr_factors=[0, 0, 0]",
                                "max_norm_squared=1e-9", "max_norm_layers=all", NULL);
    cr_assert_eq(rt_optimizer_add(o, adapter, NULL), RT_OK);
    rt_tensor *w = &rt_model_parameter(adapter, 0)->tensor;
    double wanted[16];
    for (int i = 0; i < 16; i++) {
        wanted[i] = (double)rt_real_data(w)[i] - 0.1 * (i + 1);
        w->grad[i] = (rt_real)(i + 1);
    }
    w->has_grad = true;
    rt_optimizer_step(o);
    for (int i = 0; i < 16; i++) cr_assert_float_eq((double)rt_real_data(w)[i], wanted[i], TOLERANCE);
    rt_optimizer_free(o), rt_model_free(m), rt_model_free(adapter);
}

/* Nets large enough for the pool: one and two threads must give the same bits. */
Test(optim, threads_change_nothing) {
    static const int64_t widths[] = {300, 200, 10};
    rt_model *a = rt_mlp_new(3, widths, 1, NULL), *b = rt_mlp_new(3, widths, 1, NULL);
    rt_optimizer *x = optimizer(a, 1, 9, "name=adam", "max_norm_squared=1.5", "clip_norm=2", NULL);
    rt_optimizer *y = optimizer(b, 1, 9, "name=adam", "max_norm_squared=1.5", "clip_norm=2", NULL);
    for (int t = 0; t < 3; t++) {
        set_gradients(a), set_gradients(b);
        rt_threads_set(1);
        rt_optimizer_step(x);
        rt_threads_set(2);
        rt_optimizer_step(y);
    }
    int64_t n;
    rt_real *p = rt_model_block(a, &n);
    cr_assert_arr_eq(p, rt_model_block(b, NULL), (size_t)n * sizeof *p);
    rt_optimizer_free(x), rt_optimizer_free(y), rt_model_free(a), rt_model_free(b);
}
