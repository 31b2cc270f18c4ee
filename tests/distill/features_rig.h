/* features_rig.h - one feature method alone: pairs of random features of any shapes, its init, its loss.
 *
 *     rig r;
 * rig_open(&r, "at", "power=1", 2, (const int64_t[][2][3]){{{4, 4, 3}, {4, 4, 5}}, {{2, 2, 6}, {2, 2,
 * 8}}});
 *     double found = rig_term(&r, "at");         the term's value, without its weight
 *     rig_check_gradient(&r, 1e-6);              of the whole loss, to features and adapters
 *     rig_close(&r);
 *
 * A shape {D, 0, 0} is a layer of an mlp. Teacher features have no gradient. */
#ifndef FEATURES_RIG_H
#define FEATURES_RIG_H

#include "distill/adapters.h"
#include "distill/method.h"
#include "fixture.h"
#include "retort/ops.h"

#ifndef RIG_EXAMPLES
#define RIG_EXAMPLES 3 /* in a batch */
#endif

enum { RIG_N = RIG_EXAMPLES, RIG_CLASSES = 5, RIG_NUMBERS = 4096 };

typedef struct rig {
    const rti_method *method;
    rt_params options;
    int pairs;
    int N;                             /* examples in the batch, RIG_N unless the test says less */
    int32_t index[RIG_N]; /* their places in the transfer set, 0, 1, 2 ... unless the test says others */
    rti_feature student[RTI_PAIRS_MAX], teacher[RTI_PAIRS_MAX];
    rt_real s[RTI_PAIRS_MAX][RIG_NUMBERS], t[RTI_PAIRS_MAX][RIG_NUMBERS];
    rt_real z[RIG_N * RIG_CLASSES], v[RIG_N * RIG_CLASSES];
    rti_adapters adapters;
    rt_distiller_config config;
    void *state;
    rt_graph *graph;
    bool first_stage;
    int64_t epoch, epochs, step;
    rt_tensor *feature[RTI_PAIRS_MAX]; /* of the student, after a loss */
    rt_tensor *teacher_feature[RTI_PAIRS_MAX];
    rti_terms terms;
} rig;

static inline int64_t rig_size(const rti_feature *f) {
    int64_t count = 1;
    for (int i = 0; i < f->ndim; i++) count *= f->shape[i];
    return count;
}

static inline void rig_feature(rti_feature *f, const int64_t shape[3], const char *tap, rt_real *out,
                               int number) {
    *f = (rti_feature){.tap = tap, .ndim = shape[1] ? 3 : 1, .shape = {shape[0], shape[1], shape[2]}};
    rt_rng rng = rt_rng_stream(31, tap, 0, (uint64_t)number);
    int64_t count = RIG_N * rig_size(f);
    cr_assert_leq(count, RIG_NUMBERS);
    for (int64_t i = 0; i < count; i++) out[i] = (rt_real)(2 * rt_rng_uniform(&rng) - 1);
}

/* Everything but init. */
static inline void rig_prepare(rig *r, const char *method, const char *settings, int pairs,
                               const int64_t shapes[][2][3]) {
    static const char *const taps[] = {"stage1", "stage2", "stage3", "stage4", "stage5"};
    *r = (rig){.method = rti_method_find(method), .pairs = pairs, .N = RIG_N, .epochs = 10};
    cr_assert(r->method, "%s", method);
    fixture_options(&r->options, method, settings);
    for (int i = 0; i < RIG_N; i++) r->index[i] = i;
    for (int i = 0; i < pairs; i++) {
        rig_feature(&r->student[i], shapes[i][0], taps[i], r->s[i], i);
        rig_feature(&r->teacher[i], shapes[i][1], taps[i], r->t[i], 100 + i);
    }
    rt_rng rng = rt_rng_stream(32, "rig", 0, 0);
    for (int i = 0; i < RIG_N * RIG_CLASSES; i++) {
        r->z[i] = (rt_real)(4 * rt_rng_uniform(&rng) - 2);
        r->v[i] = (rt_real)(4 * rt_rng_uniform(&rng) - 2);
    }
    r->config = (rt_distiller_config){.seed = 7, .epochs = 10, .batch = RIG_N, .options = &r->options};
    r->graph = rt_graph_new(NULL);
}

static inline rt_status rig_init(rig *r, rt_error *error) {
    const rti_method_setup setup = {.config = &r->config, .options = &r->options, .classes = RIG_CLASSES,
                                    .pairs = r->pairs, .student = r->student, .teacher = r->teacher,
                                    .adapters = &r->adapters};
    return r->method->init ? r->method->init(&r->state, &setup, error) : RT_OK;
}

static inline void rig_close(rig *r) {
    if (r->state && r->method->deinit) r->method->deinit(r->state);
    rti_adapters_deinit(&r->adapters);
    rt_graph_free(r->graph);
}

static inline void rig_open(rig *r, const char *method, const char *settings, int pairs,
                            const int64_t shapes[][2][3]) {
    rt_error error = {0};
    rig_prepare(r, method, settings, pairs, shapes);
    cr_assert_eq(rig_init(r, &error), RT_OK, "%s: %s", method, error.message);
}

static inline rt_tensor *rig_input(rig *r, const rti_feature *f, const rt_real *numbers) {
    int64_t shape[RT_MAX_DIMS] = {r->N};
    for (int i = 0; i < f->ndim; i++) shape[i + 1] = f->shape[i];
    return rt_graph_input(r->graph, numbers, f->ndim + 1, shape);
}

/* The terms of one step, in r->terms; returns their weighted sum. What the method was given is in *in. */
static inline rt_tensor *rig_step(rig *r, rti_method_input *in) {
    static const int32_t labels[RIG_N] = {1, 4, 0};
    rt_graph *g = r->graph;
    rt_graph_reset(g);
    for (int i = 0; i < r->adapters.count; i++) rt_model_train(r->adapters.model[i], 1, 0, 0);
    for (int i = 0; i < r->pairs; i++) {
        r->feature[i] = rig_input(r, &r->student[i], r->s[i]);
        r->feature[i]->requires_grad = true;
        r->teacher_feature[i] = rig_input(r, &r->teacher[i], r->t[i]);
    }
    *in = (rti_method_input){.graph = g,
                             .y = rt_graph_labels(g, labels, r->N),
                             .z = rt_graph_input(g, r->z, 2, (int64_t[]){r->N, RIG_CLASSES}),
                             .v = rt_graph_input(g, r->v, 2, (int64_t[]){r->N, RIG_CLASSES}),
                             .pairs = r->pairs,
                             .student_feature = r->feature,
                             .teacher_feature = r->teacher_feature,
                             .epoch = r->epoch,
                             .epochs = r->epochs,
                             .step = r->step,
                             .steps = 4,
                             .first_stage = r->first_stage,
                             .index = r->index};
    in->z->requires_grad = true;
    r->terms.count = 0;
    r->method->loss(r->state, &r->options, in, &r->terms);
    rt_tensor *total = rti_terms_total(g, &r->terms);
    cr_assert(total, "%s: %s", r->method->name, rt_graph_error(g)->message);
    return total;
}

static inline rt_tensor *rig_loss(rig *r) {
    rti_method_input in;
    return rig_step(r, &in);
}

/* Index of a term, or -1. */
static inline int rig_find(const rig *r, const char *name) {
    for (int i = 0; i < r->terms.count; i++)
        if (strcmp(r->terms.term[i].name, name) == 0) return i;
    return -1;
}

static inline double rig_term(rig *r, const char *name) {
    rig_loss(r);
    int i = rig_find(r, name);
    cr_assert(i >= 0, "%s has no term %s", r->method->name, name);
    return rt_tensor_item(r->terms.term[i].value);
}

static inline double rig_weight(rig *r, const char *name) {
    rig_loss(r);
    int i = rig_find(r, name);
    return i < 0 ? 0 : r->terms.term[i].weight;
}

static inline void rig_close_to(double found, double expected, const char *what) {
    double tolerance = (sizeof(rt_real) == 8 ? 1e-10 : 2e-5) * fmax(fabs(expected), 1e-2);
    cr_assert(fabs(found - expected) <= tolerance, "%s: %.15g, expected %.15g", what, found, expected);
}

/* Are all gradients finite? Of the whole loss, to the student's features. */
static inline void rig_finite(rig *r) {
    rt_tensor *total = rig_loss(r);
    cr_assert(isfinite(rt_tensor_item(total)));
    cr_assert_eq(rt_backward(r->graph, total), RT_OK);
    for (int i = 0; i < r->pairs; i++)
        for (int64_t e = 0; r->feature[i]->has_grad && e < r->N * rig_size(&r->student[i]); e++)
            cr_assert(isfinite((double)r->feature[i]->grad[e]), "feature %d, element %d", i, (int)e);
}

static inline void rig_compare(rig *r, rt_real *x, double analytic, double tolerance, const char *what,
                               int element) {
    const double step = 1e-6;
    rt_real before = *x;
    *x = (rt_real)((double)before + step);
    double up = rt_tensor_item(rig_loss(r));
    *x = (rt_real)((double)before - step);
    double down = rt_tensor_item(rig_loss(r));
    *x = before;
    double numeric = (up - down) / (2 * step);
    double error = fabs(analytic - numeric) / fmax(1, fmax(fabs(analytic), fabs(numeric)));
    cr_assert(error <= tolerance, "%s, element %d of %s: %.9g, numerically %.9g", r->method->name, element,
              what, analytic, numeric);
}

/* Signed central differences of the whole loss, in double only: every element of the student's features,
 * and of every parameter of every adapter. No feature's gradient may be zero everywhere. */
static inline void rig_check_gradient(rig *r, double tolerance) {
    if (sizeof(rt_real) < 8) return;
    static double grad[RIG_NUMBERS];
    for (int i = 0; i < r->pairs; i++) {
        int64_t count = RIG_N * rig_size(&r->student[i]);
        double size = 0;
        cr_assert_eq(rt_backward(r->graph, rig_loss(r)), RT_OK);
        for (int64_t e = 0; e < count; e++) {
            grad[e] = r->feature[i]->has_grad ? (double)r->feature[i]->grad[e] : 0;
            size = fmax(size, fabs(grad[e]));
        }
        cr_assert_gt(size, 0, "feature %d gets no gradient", i);
        for (int64_t e = 0; e < count; e++)
            rig_compare(r, &r->s[i][e], grad[e], tolerance, r->student[i].tap, (int)e);
    }
    for (int m = 0; m < r->adapters.count; m++)
        for (int p = 0; p < rt_model_parameters(r->adapters.model[m]); p++) {
            rt_parameter *parameter = rt_model_parameter(r->adapters.model[m], p);
            rt_tensor *t = &parameter->tensor;
            if (parameter->kind == RT_BUFFER) continue;
            int64_t count = rt_tensor_count(t);
            cr_assert_leq(count, RIG_NUMBERS);
            rt_tensor_clear_grad(t);
            cr_assert_eq(rt_backward(r->graph, rig_loss(r)), RT_OK);
            cr_assert(t->has_grad, "%s gets no gradient", parameter->name);
            for (int64_t e = 0; e < count; e++) grad[e] = (double)t->grad[e];
            for (int64_t e = 0; e < count; e++)
                rig_compare(r, rt_real_data(t) + e, grad[e], tolerance, parameter->name, (int)e);
        }
}

/* Init must refuse these shapes with this status; the message holds both words. */
static inline void rig_refuses(const char *method, const char *settings, int pairs,
                               const int64_t shapes[][2][3], rt_status status, const char *reason,
                               const char *instead) {
    static rig r;
    rt_error error = {0};
    rig_prepare(&r, method, settings, pairs, shapes);
    cr_assert_eq(rig_init(&r, &error), status, "%s: %s", method, error.message);
    cr_assert(strstr(error.message, reason) && strstr(error.message, instead), "%s: %s", method,
              error.message);
    rig_close(&r);
}

/* ---- plain loops over features: example n, row h, column w, channel c ---- */

static inline double rig_s(const rig *r, int i, int64_t n, int64_t h, int64_t w, int64_t c) {
    const int64_t *d = r->student[i].shape;
    return (double)r->s[i][((n * d[0] + h) * d[1] + w) * d[2] + c];
}
static inline double rig_t(const rig *r, int i, int64_t n, int64_t h, int64_t w, int64_t c) {
    const int64_t *d = r->teacher[i].shape;
    return (double)r->t[i][((n * d[0] + h) * d[1] + w) * d[2] + c];
}

#endif
