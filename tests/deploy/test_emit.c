/* test_emit.c - networks written out as C are the same networks. Checked against the model itself (float, to
 * rounding; what the plain steps say, too) and the integer steps (int8, to the bit), for every kind of model,
 * by compiling and running what was written with all warnings as errors: with gcc, clang, without
 * optimisation, under the sanitizers, and for aarch64 under emulation, where these are on the machine. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "../nn/images_fixture.h"
#include "emitted.h"
#include "retort/retort.h"

enum { EXAMPLES = 24 };

static const emitted_target targets[] = {
    {"gcc", "gcc", "-O2", ""},
    {"clang", "clang", "-O3", ""},
    {"gcc, with sanitizers", "gcc", "-O0 -g -fsanitize=undefined -fno-sanitize-recover=all", ""},
    {"aarch64", "aarch64-linux-gnu-gcc", "-O2 -static", "qemu-aarch64"},
};

static const struct {
    const char *kind, *settings;
} more[] = {
    {"mlp", "hidden=[9,7]"},
    {"mlp", "hidden=[]"},
    {"mlp", "hidden=[6] activation=leaky-relu bias=false"},
    {"mlp", "hidden=[6] activation=tanh"},
    {"mlp", "hidden=[6] activation=sigmoid dropout.hidden=0.5"},
    {"mlp", "hidden=[6,5] activation=softplus"},
    {"mlp", "hidden=[6] activation=gelu"},
};
enum { MORE = sizeof more / sizeof more[0], KINDS = FIXTURE_SMALL + MORE };

/* Statistics and scales that are not those of the start, so that folding has something to do. */
static void stir(rt_model *m) {
    for (int i = 0; i < rt_model_parameters(m); i++) {
        rt_parameter *p = rt_model_parameter(m, i);
        rt_rng r = rt_rng_stream(7, p->name, 0, 0);
        const int64_t count = rt_tensor_count(&p->tensor);
        rt_real *x = rt_real_data(&p->tensor);
        for (int64_t k = 0; k < count; k++) {
            if (p->kind == RT_BUFFER && strstr(p->name, "variance"))
                x[k] = (rt_real)(0.5 + rt_rng_uniform(&r));
            else if (p->kind != RT_WEIGHT)
                x[k] += (rt_real)(0.2 * rt_rng_normal(&r));
        }
    }
}

static rt_model *small(int kind) {
    rt_model *m = kind < FIXTURE_SMALL
                      ? fixture_image_model(fixture_small[kind].kind, fixture_small[kind].settings,
                                            fixture_image, 3, 5)
                      : fixture_image_model(more[kind - FIXTURE_SMALL].kind,
                                            more[kind - FIXTURE_SMALL].settings, fixture_image, 3, 5);
    stir(m);
    return m;
}

/* bytes with a scale for each channel, or numbers with one for all, by turns. */
typedef struct rig {
    rt_model *model;
    double scale[2], shift[2];
    rt_input_form form;
    rti_net *net;
    uint8_t bytes[EXAMPLES * 288];
    float numbers[EXAMPLES * 288];
    const void *raw;
    rt_real expected[EXAMPLES * 3];
} rig;

static rig r;

static void begin(int kind, bool bytes) {
    rt_error error = {0};
    r.model = small(kind);
    r.scale[0] = bytes ? 1.0 / 64 : 0.8;
    r.scale[1] = 1.0 / 77;
    r.shift[0] = bytes ? -1.75 : 0.1;
    r.shift[1] = -1.25;
    r.form = (rt_input_form){.bytes = bytes, .count = bytes ? 2 : 1, .scale = r.scale, .shift = r.shift};
    r.net = rti_net_new(r.model, &r.form, &error);
    cr_assert(r.net, "%s", error.message);
    rt_rng stream = rt_rng_stream(3, "raw", (uint64_t)kind, 0);
    for (int i = 0; i < EXAMPLES * 288; i++) {
        r.bytes[i] = (uint8_t)rt_rng_below(&stream, 256);
        r.numbers[i] = (float)rt_rng_normal(&stream);
    }
    r.raw = bytes ? (const void *)r.bytes : r.numbers;
    emitted_expected(r.model, &r.form, r.raw, EXAMPLES, r.expected);
}

static const void *raw_of(int n) {
    return r.form.bytes ? (const void *)(r.bytes + (ptrdiff_t)n * 288) : r.numbers + (ptrdiff_t)n * 288;
}

static void end(void) {
    rti_net_free(r.net);
    rt_model_free(r.model);
    cr_expect_eq(rt_alloc_stats_get().live_blocks, 0);
}

static int best_of(const rt_real *z) { return z[1] > z[0] ? (z[2] > z[1] ? 2 : 1) : (z[2] > z[0] ? 2 : 0); }

static double tolerance_of(const rt_real *z) {
    return 2e-5 * (1 + fabs((double)z[0]) + fabs((double)z[1]) + fabs((double)z[2]));
}

Test(emit, plain_steps_answer_like_the_model) {
    for (int kind = 0; kind < KINDS; kind++)
        for (int bytes = 0; bytes < 2; bytes++) {
            begin(kind, bytes);
            float *scratch = rt_alloc((size_t)r.net->scratch * sizeof *scratch);
            for (int n = 0; n < EXAMPLES; n++) {
                const float *z = rti_net_run(r.net, raw_of(n), scratch, NULL, NULL);
                for (int k = 0; k < 3; k++)
                    cr_assert_float_eq(z[k], r.expected[3 * n + k], tolerance_of(r.expected + 3 * n),
                                       "%s, example %d, class %d", r.net->summary, n, k);
            }
            rt_free(scratch);
            end();
        }
}

static void float_form_is_the_model(const emitted_target *t, int kind, bool bytes) {
    float z[EXAMPLES * 3];
    int32_t classes[EXAMPLES];
    begin(kind, bytes);
    emitted_run(t, r.net, NULL, r.raw, EXAMPLES, z, classes);
    for (int n = 0; n < EXAMPLES; n++) {
        for (int k = 0; k < 3; k++)
            cr_expect_float_eq(z[3 * n + k], r.expected[3 * n + k], tolerance_of(r.expected + 3 * n),
                               "%s, %s, example %d, class %d", t->name, r.net->summary, n, k);
        cr_expect_eq(classes[n], best_of(r.expected + 3 * n), "%s, %s, example %d", t->name, r.net->summary,
                     n);
    }
    end();
}

static void int8_form_is_the_same_to_the_bit(const emitted_target *t, int kind, bool bytes) {
    int32_t z[EXAMPLES * 3], classes[EXAMPLES], own[3];
    double range[2 * 100];
    rt_error error = {0};
    begin(kind, bytes);
    cr_assert(r.net->count <= 100);
    float *values = rt_alloc(sizeof r.numbers);
    for (int i = 0; i < EXAMPLES * 288; i++) /* a set of numbers is scaled already */
        values[i] = (float)((double)r.numbers[i] * r.scale[0] + r.shift[0]);
    static int32_t labels[EXAMPLES], index[EXAMPLES];
    for (int n = 0; n < EXAMPLES; n++) index[n] = n;
    const rt_examples examples = {.count = EXAMPLES,
                                  .ndim = 3,
                                  .shape = {2, 12, 12},
                                  .features = 288,
                                  .classes = 3,
                                  .bytes = bytes ? r.bytes : NULL,
                                  .values = bytes ? NULL : values,
                                  .labels = labels};
    const rt_part part = {&examples, EXAMPLES, index, labels};
    cr_assert_eq(rti_net_calibrate(r.net, &part, EXAMPLES, range, &error), RT_OK, "%s", error.message);
    rti_int8 *q = rti_int8_new(r.net, range, &error);
    cr_assert(q, "%s", error.message);
    emitted_run(t, r.net, q, r.raw, EXAMPLES, z, classes);
    int8_t *scratch = rt_alloc((size_t)q->scratch);
    for (int n = 0; n < EXAMPLES; n++) {
        const int said = rti_int8_run(q, raw_of(n), scratch, own);
        cr_expect_eq(classes[n], said, "%s, %s, example %d", t->name, r.net->summary, n);
        cr_expect_arr_eq(z + 3 * n, own, sizeof own, "%s, %s, example %d", t->name, r.net->summary, n);
    }
    rt_free(scratch);
    rt_free(values);
    rti_int8_free(q);
    end();
}

static void with_target(int t, int from, int to) {
    if (!emitted_can(&targets[t])) cr_skip_test("%s: no %s here", targets[t].name, targets[t].compiler);
    for (int kind = from; kind < to; kind++) {
        float_form_is_the_model(&targets[t], kind, kind % 2 == 0);
        int8_form_is_the_same_to_the_bit(&targets[t], kind, kind % 2 == 1);
        if (t == 0) int8_form_is_the_same_to_the_bit(&targets[t], kind, kind % 2 == 0);
    }
}

Test(emit, gcc_makes_the_same_image_networks_of_it) { with_target(0, 0, FIXTURE_SMALL); }
Test(emit, gcc_makes_the_same_perceptrons_of_it) { with_target(0, FIXTURE_SMALL, KINDS); }
Test(emit, clang_makes_the_same_networks_of_it) { with_target(1, 0, KINDS); }
Test(emit, sanitizers_find_nothing_in_it) { with_target(2, 0, KINDS); }
Test(emit, another_processor_gives_the_same_bits) { with_target(3, 0, KINDS); }

Test(emit, names_that_are_none_are_refused) {
    static const char *const names[] = {"",    "3x", "a-b",
                                        "a b", "ü",  "a123456789012345678901234567890123456789012345678"};
    begin(FIXTURE_SMALL, true);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rt_error error = {0};
        rti_text header = RTI_TEXT_EMPTY, source = RTI_TEXT_EMPTY;
        cr_expect_eq(rti_emit(r.net, NULL, names[i], NULL, &header, &source, &error), RT_VALUE, "%s",
                     names[i]);
        rti_text_deinit(&header);
        rti_text_deinit(&source);
    }
    end();
}

Test(emit, the_head_comment_ends_where_it_should) {
    static const char *const names[] = {"*/ int x;", "b\nc", "/* d"};
    const rti_emit_facts facts = {.accuracy = "97 % */", .class_names = names};
    rt_error error = {0};
    begin(FIXTURE_SMALL, true);
    rti_text header = RTI_TEXT_EMPTY, source = RTI_TEXT_EMPTY;
    cr_assert_eq(rti_emit(r.net, NULL, "net", &facts, &header, &source, &error), RT_OK);
    const char *comment_end = strstr(rti_text_string(&header), "*/");
    cr_assert(comment_end);
    cr_expect(strncmp(comment_end, "*/\n#ifndef NET_H", 16) == 0, "%.40s", comment_end);
    rti_text_deinit(&header);
    rti_text_deinit(&source);
    end();
}
