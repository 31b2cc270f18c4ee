/* fixture.h - for tests of floor 7 (distill): a handful of images made here, nets that fit them, options.
 *
 * 60 images of 6x6 bytes in 4 classes: a bright bar whose place is the class, and noise. A part lists
 * 53 of them, not in order, so that a position in the part is not a number of an example and the last
 * batch is smaller than the others. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/method.h"
#include "retort/alloc.h"
#include "retort/distill.h"
#include "retort/log.h"

enum { EXAMPLES = 60, SIDE = 6, PIXELS = SIDE * SIDE, CLASSES = 4, PART = 53, BATCH = 8, STEPS = 7 };

static uint8_t fixture_pixels[EXAMPLES * PIXELS];
static int32_t fixture_labels[EXAMPLES], fixture_index[PART], fixture_part_labels[PART];
static rt_examples fixture_examples;
static rt_part fixture_part;

static inline void fixture_data(void) {
    rt_rng rng = rt_rng_stream(11, "fixture", 0, 0);
    for (int i = 0; i < EXAMPLES; i++) {
        int label = (int)rt_rng_below(&rng, CLASSES);
        fixture_labels[i] = label;
        for (int p = 0; p < PIXELS; p++) {
            bool bar = p / SIDE == label + 1 && rt_rng_below(&rng, 4) > 0;
            fixture_pixels[i * PIXELS + p] = (uint8_t)((bar ? 150 : 0) + rt_rng_below(&rng, 100));
        }
    }
    for (int i = 0; i < PART; i++) {
        fixture_index[i] = (i * 7 + 5) % EXAMPLES;
        fixture_part_labels[i] = fixture_labels[fixture_index[i]];
    }
    fixture_examples = (rt_examples){.count = EXAMPLES,
                                     .ndim = 3,
                                     .shape = {1, SIDE, SIDE},
                                     .features = PIXELS,
                                     .classes = CLASSES,
                                     .bytes = fixture_pixels,
                                     .labels = fixture_labels,
                                     .scale = 1.0 / 255};
    fixture_part = (rt_part){&fixture_examples, PART, fixture_index, fixture_part_labels};
}

/* "name=value name=value" */
static inline void fixture_set(rt_params *p, const char *settings) {
    char text[512];
    snprintf(text, sizeof text, "%s", settings);
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest));) {
        char *value = strchr(word, '=');
        cr_assert(value, "%s", word);
        *value++ = 0;
        rt_error error;
        cr_assert_eq(rt_params_set_text(p, word, value, &error), RT_OK, "%s", error.message);
    }
}

static inline void fixture_optimizer(rt_params *p, const char *settings) {
    int count;
    const rt_param *rows = rt_optimizer_rows(&count);
    rt_params_init(p, rows, count);
    fixture_set(p, settings);
}

static inline void fixture_options(rt_params *p, const char *method, const char *settings) {
    int count;
    const rt_param *rows = rt_method_rows(method, &count);
    cr_assert(rows, "method %s", method);
    rt_params_init(p, rows, count);
    fixture_set(p, settings);
}

/* settings: of the kind, "hidden=[12] dropout.hidden=0.3" (no spaces inside a list). */
static inline rt_model *fixture_network(const char *kind, const char *settings, uint64_t seed) {
    int count;
    const rt_param *rows = rt_model_rows(kind, &count);
    static rt_params p;
    rt_params_init(&p, rows, count);
    fixture_set(&p, settings);
    rt_error error;
    rt_model *model = rt_model_new(kind, &p, 3, (int64_t[]){1, SIDE, SIDE}, CLASSES, seed, &error);
    cr_assert(model, "%s", error.message);
    return model;
}
static inline rt_model *fixture_model(const char *settings, uint64_t seed) {
    return fixture_network("mlp", settings, seed);
}

/* A net whose answers differ from class to class: its weights are drawn wide. */
static inline rt_model *fixture_teacher_net(uint64_t seed) {
    rt_model *model = fixture_model("hidden=[16] dropout.hidden=0.5 dropout.input=0.2", seed);
    int64_t count;
    rt_real *block = rt_model_block(model, &count);
    for (int64_t i = 0; i < count; i++) block[i] *= 3;
    return model;
}

/* Networks that a method is defined for: with maps of equal channels and sizes when it looks at features. */
static inline bool fixture_wants_maps(const char *method) {
    const rti_method *m = rti_method_find(method);
    return m && m->needs & RTI_NEEDS_FEATURES;
}
static inline rt_model *fixture_student_for(const char *method, uint64_t seed) {
    if (!fixture_wants_maps(method)) return fixture_model("hidden=[10] dropout.hidden=0.3", seed);
    return fixture_network("cnn", "filters=[4,5] pool_after=[1] batch_norm=true hidden=[10] dropout=0.3",
                           seed);
}
static inline rt_model *fixture_teacher_for(const char *method, uint64_t seed) {
    if (!fixture_wants_maps(method)) return fixture_teacher_net(seed);
    return fixture_network("cnn", "filters=[4,5] pool_after=[1] batch_norm=true hidden=[16] dropout=0.5",
                           seed);
}

static inline rt_teacher *fixture_teacher(rt_model *const members[], int count, rt_combine combine) {
    rt_error error;
    rt_teacher *teacher = rt_teacher_new(members, count, combine, &error);
    cr_assert(teacher, "%s", error.message);
    return teacher;
}

static inline rt_distiller *fixture_distiller(const rt_distiller_config *config) {
    rt_error error;
    rt_distiller *distiller = rt_distiller_new(config, &error);
    cr_assert(distiller, "%s", error.message);
    return distiller;
}

static inline rt_epoch_report fixture_epoch(rt_distiller *distiller) {
    rt_error error;
    rt_epoch_report report;
    cr_assert_eq(rt_distiller_epoch(distiller, &report, &error), RT_OK, "%s", error.message);
    return report;
}

static inline size_t fixture_block_bytes(rt_model *model) {
    int64_t count;
    rt_model_block(model, &count);
    return (size_t)count * sizeof(rt_real);
}

/* A copy of the weights, to be released with rt_free. */
static inline rt_real *fixture_weights(rt_model *model) {
    int64_t count;
    const rt_real *block = rt_model_block(model, &count);
    rt_real *copy = rt_alloc((size_t)count * sizeof *copy);
    cr_assert(copy);
    memcpy(copy, block, (size_t)count * sizeof *copy);
    return copy;
}

static inline bool fixture_same_weights(rt_model *a, rt_model *b) {
    int64_t count_a, count_b;
    const rt_real *x = rt_model_block(a, &count_a), *y = rt_model_block(b, &count_b);
    return count_a == count_b && memcmp(x, y, (size_t)count_a * sizeof *x) == 0;
}

#endif
