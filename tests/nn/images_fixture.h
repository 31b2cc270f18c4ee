/* Making convolutional models from "name=value" texts, and numbers for them. */
#ifndef IMAGES_FIXTURE_H
#define IMAGES_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "nn/model.h"
#include "retort/retort.h"

/* settings: "depth=8 filters=[2,3,4,5]", separated by blanks. NULL and *error when it is refused. */
static inline rt_model *fixture_try(const char *kind, const char *settings, int ndim, const int64_t shape[],
                                    int64_t classes, uint64_t seed, rt_error *error) {
    static rt_params options;
    int count;
    const rt_param *rows = rt_model_rows(kind, &count);
    cr_assert(rows, "there is no kind %s", kind);
    rt_params_init(&options, rows, count);
    char text[256], *rest = text;
    snprintf(text, sizeof text, "%s", settings);
    for (char *one; (one = strtok_r(rest, " ", &rest)) != NULL;) {
        char *sign = strchr(one, '=');
        *sign = 0;
        cr_assert_eq(rt_params_set_text(&options, one, sign + 1, error), RT_OK, "%s", error->message);
    }
    return rt_model_new(kind, &options, ndim, shape, classes, seed, error);
}

static inline rt_model *fixture_image_model(const char *kind, const char *settings, const int64_t shape[3],
                                            int64_t classes, uint64_t seed) {
    rt_error error = {0};
    rt_model *m = fixture_try(kind, settings, 3, shape, classes, seed, &error);
    cr_assert(m, "%s %s: %s", kind, settings, error.message);
    return m;
}

static inline void fixture_numbers(rt_real *x, int64_t count, uint64_t seed) {
    rt_rng r = rt_rng_stream(seed, "numbers", 0, 0);
    for (int64_t i = 0; i < count; i++) x[i] = (rt_real)rt_rng_normal(&r);
}

/* Small instances of every kind, for images of 2 x 12 x 12 and 3 classes. */
static const struct {
    const char *kind, *settings;
} fixture_small[] = {
    {"resnet", "depth=8 filters=[2,3,4,5]"},
    {"resnet", "depth=14 filters=[2,2,3,6] shortcut=pad bn_momentum=0.3"},
    {"wrn", "depth=10 base=2"},
    {"wrn", "depth=16 base=1 width=2"},
    {"vgg", "depth=8 filters=[2,3,5,6,8]"},
    {"vgg", "depth=11 filters=[3,3,4,5,6] batch_norm=false"},
    {"cnn", "filters=[2,3,3] pool_after=[1,3] hidden=[5]"},
    {"cnn", "filters=[3,4] batch_norm=true activation=tanh padding=none pool_after=[] hidden=[]"},
    {"plain", "layers=2"},
    {"lenet5", "activation=tanh pool=mean"},
};
enum { FIXTURE_SMALL = sizeof fixture_small / sizeof fixture_small[0] };
static const int64_t fixture_image[3] = {2, 12, 12};

#endif
