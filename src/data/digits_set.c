/* digits_set.c - the built-in data set: no file needed.                Floor 6 (data) */
#include "core/pool.h"
#include "data/dataset.h"

#define PIXELS (28 * 28)
#define TEST_SHIFT ((uint64_t)1 << 32) /* test images are numbered from here: never a training image */

static const rt_param rows[] = {
    RT_PARAM_INT_ROW("digits.train", 10000, 1, 10000000, "images", "training images, validation included"),
    RT_PARAM_INT_ROW("digits.test", 5000, 1, 10000000, "images", "test images"),
    RT_PARAM_INT_ROW("digits.seed", 1, 0, 9007199254740992.0, "", "which images"),
};

typedef struct work {
    uint64_t seed, first;
    int64_t count;
    uint8_t *pixels;
    int32_t *labels;
} work;

#define IMAGES_PER_TASK 64

static void draw_some(void *context, int64_t task) {
    const work *w = context;
    int64_t end = (task + 1) * IMAGES_PER_TASK < w->count ? (task + 1) * IMAGES_PER_TASK : w->count;
    for (int64_t i = task * IMAGES_PER_TASK; i < end; i++)
        rt_digit_draw(w->labels[i], w->seed, w->first + (uint64_t)i, w->pixels + i * PIXELS);
}

static rt_status draw_all(uint64_t seed, uint64_t first, int64_t count, rti_source *source, rt_examples *out,
                          rt_error *error) {
    work w = {seed, first, count, rt_alloc((size_t)count * PIXELS),
              rt_alloc((size_t)count * sizeof(int32_t))};
    rti_source_keep(source, w.pixels);
    rti_source_keep(source, w.labels);
    if (!w.pixels || !w.labels)
        return rt_fail(error, RT_MEMORY, "digits: no memory for %lld images", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        rt_rng rng = rt_rng_stream(seed, "digit.label", 0, first + (uint64_t)i);
        w.labels[i] = (int32_t)rt_rng_below(&rng, 10);
    }
    rti_parallel((count + IMAGES_PER_TASK - 1) / IMAGES_PER_TASK, draw_some, &w);
    *out = (rt_examples){.count = count, .ndim = 3, .shape = {1, 28, 28}, .features = PIXELS, .classes = 10,
                         .bytes = w.pixels, .labels = w.labels, .scale = 1.0 / 255};
    return RT_OK;
}

static rt_status read_digits(const rt_params *options, const char *directory, const rti_source *like,
                             rti_source *out, rt_error *error) {
    (void)directory;
    uint64_t seed = (uint64_t)rt_params_int(options, "digits.seed");
    RT_TRY(draw_all(seed, 0, rt_params_int(options, "digits.train"), out, &out->train, error));
    if (like) return RT_OK;
    return draw_all(seed, TEST_SHIFT, rt_params_int(options, "digits.test"), out, &out->test, error);
}

const rti_dataset_kind rti_dataset_kind_digits = {
    .name = "digits",
    .title = "built-in handwritten digits from stroke models, 28x28 grey, any number of them",
    .files = "none: drawn from digits.seed",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .read = read_digits,
};
RTI_REGISTER(dataset, digits)
