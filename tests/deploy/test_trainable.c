/* test_trainable.c - the network that is trained for int8. Checked against the integer network it stands for
 * (the same numbers, but for the rounding of sums), and through a file. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "../nn/images_fixture.h"
#include "../support/program.h"
#include "../support/temporary.h"
#include "deploy/trainable.h"
#include "retort/retort.h"

enum { EXAMPLES = 40, D = 288 };

typedef struct rig {
    rt_model *model;
    rt_input_form form;
    double scale, shift;
    rti_net *net;
    uint8_t bytes[EXAMPLES * D];
    int32_t labels[EXAMPLES], index[EXAMPLES];
    rt_examples examples;
    rt_part part;
    double range[200];
} rig;

static rig r;

static void begin(int kind) {
    rt_error error = {0};
    r.model = kind < 0 ? fixture_image_model("mlp", "hidden=[9,7]", fixture_image, 3, 5)
                       : fixture_image_model(fixture_small[kind].kind, fixture_small[kind].settings,
                                             fixture_image, 3, 5);
    for (int i = 0; i < rt_model_parameters(r.model); i++) {
        rt_parameter *p = rt_model_parameter(r.model, i);
        rt_rng s = rt_rng_stream(7, p->name, 0, 0);
        for (int64_t k = 0; p->kind != RT_WEIGHT && k < rt_tensor_count(&p->tensor); k++)
            rt_real_data(&p->tensor)[k] += (rt_real)(0.2 * rt_rng_uniform(&s));
    }
    r.scale = 1.0 / 64;
    r.shift = -2;
    r.form = (rt_input_form){.bytes = true, .count = 1, .scale = &r.scale, .shift = &r.shift};
    r.net = rti_net_new(r.model, &r.form, &error);
    cr_assert(r.net && r.net->count <= 100, "%s", error.message);
    rt_rng s = rt_rng_stream(3, "raw", 0, 0);
    for (int i = 0; i < EXAMPLES * D; i++) r.bytes[i] = (uint8_t)rt_rng_below(&s, 256);
    for (int n = 0; n < EXAMPLES; n++) r.index[n] = n, r.labels[n] = n % 3;
    r.examples = (rt_examples){.count = EXAMPLES,
                               .ndim = 3,
                               .shape = {2, 12, 12},
                               .features = D,
                               .classes = 3,
                               .bytes = r.bytes,
                               .labels = r.labels,
                               .scale = r.scale,
                               .shift = r.shift};
    r.part = (rt_part){&r.examples, EXAMPLES, r.index, r.labels};
    cr_assert_eq(rti_net_calibrate(r.net, &r.part, EXAMPLES, r.range, &error), RT_OK, "%s", error.message);
}

static void end(void) {
    rti_net_free(r.net);
    rt_model_free(r.model);
    cr_expect_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* The answers of a model to all examples, as a loader shows them. */
static void answers(rt_model *model, rt_real *z) {
    rt_error error = {0};
    rt_graph *g = rt_graph_new(&error);
    rt_loader *loader = rt_loader_new(&r.part, EXAMPLES, 0, NULL, &error);
    rt_batch batch;
    cr_assert(loader && rt_loader_next(loader, &batch));
    rt_model_evaluate(model);
    rt_no_grad_begin(g);
    rt_tensor *out = rt_model_forward(model, g, batch.x);
    cr_assert(out, "%s", rt_graph_error(g)->message);
    memcpy(z, rt_real_data(out), EXAMPLES * 3 * sizeof *z);
    rt_no_grad_end(g);
    rt_loader_free(loader);
    rt_graph_free(g);
}

static void integers(const rti_net *net, const double *range, int32_t *z, double *scale) {
    rt_error error = {0};
    rti_int8 *q = rti_int8_new(net, range, &error);
    cr_assert(q, "%s", error.message);
    int8_t *scratch = rt_alloc((size_t)q->scratch);
    for (int n = 0; n < EXAMPLES; n++) rti_int8_run(q, r.bytes + (ptrdiff_t)n * D, scratch, z + 3 * n);
    *scale = q->steps[net->count - 1].scale;
    rt_free(scratch);
    rti_int8_free(q);
}

/* Rounding of sums can move an activation by one step, and that moves logits a little; rounding of weights
 * and activations themselves would move them far more, and so would a wrong zero or scale. */
Test(trainable, answers_like_the_integers_it_stands_for) {
    for (int kind = -1; kind < FIXTURE_SMALL; kind++) {
        begin(kind);
        rt_error error = {0};
        rt_model *student = rti_net_trainable(r.net, r.range, &error);
        cr_assert(student, "%s: %s", r.net->summary, error.message);
        rt_real z[EXAMPLES * 3], original[EXAMPLES * 3];
        int32_t q[EXAMPLES * 3];
        double scale, mean = 0, spread = 0, apart = 0, rounding = 0, integers_off = 0;
        answers(student, z);
        answers(r.model, original);
        integers(r.net, r.range, q, &scale);
        for (int i = 0; i < EXAMPLES * 3; i++) mean += (double)z[i] / (EXAMPLES * 3);
        for (int i = 0; i < EXAMPLES * 3; i++) {
            spread += ((double)z[i] - mean) * ((double)z[i] - mean);
            apart += (scale * q[i] - (double)z[i]) * (scale * q[i] - (double)z[i]);
            rounding += (double)(original[i] - z[i]) * (double)(original[i] - z[i]);
            integers_off += (scale * q[i] - (double)original[i]) * (scale * q[i] - (double)original[i]);
        }
        cr_expect_lt(sqrt(apart), 0.05 * sqrt(spread), "%s: %g of %g", r.net->summary, sqrt(apart),
                     sqrt(spread));
        cr_expect_lt(sqrt(integers_off), 1.6 * sqrt(rounding) + 0.01 * sqrt(spread),
                     "%s: the integers are %g off, "
                     "what was trained for them %g",
                     r.net->summary, sqrt(integers_off), sqrt(rounding));
        cr_expect_gt(rounding, 0, "%s: nothing is rounded", r.net->summary);
        rt_model_free(student);
        end();
    }
}

Test(trainable, weights_go_out_and_come_back) {
    for (int kind = -1; kind < FIXTURE_SMALL; kind++) {
        begin(kind);
        rt_error error = {0};
        rt_model *student = rti_net_trainable(r.net, r.range, &error);
        cr_assert(student, "%s", error.message);
        int64_t count;
        rt_real *block = rt_model_block(student, &count);
        for (int64_t i = 0; i < count; i++) block[i] *= (rt_real)0.5;
        const int last = r.net->count - 1;
        const float before = r.net->steps[last].weight[0], bias = r.net->steps[last].bias[1];
        rti_net_take_weights(r.net, student);
        cr_expect_float_eq(r.net->steps[last].weight[0], 0.5f * before, 1e-7);
        cr_expect_float_eq(r.net->steps[last].bias[1], 0.5f * bias, 1e-7);
        rt_model_free(student);
        end();
    }
}

/* Trained a few steps, the loss on the batch goes down although every number in forward is rounded. */
Test(trainable, learns) {
    begin(-1);
    rt_error error = {0};
    rt_model *student = rti_net_trainable(r.net, r.range, &error);
    rt_graph *g = rt_graph_new(&error);
    rt_loader *loader = rt_loader_new(&r.part, EXAMPLES, 0, NULL, &error);
    rt_batch batch;
    cr_assert(student && g && rt_loader_next(loader, &batch));
    double first = 0, last = 0;
    for (int step = 0; step < 60; step++) {
        rt_model_train(student, 1, 0, (uint64_t)step);
        rt_tensor *loss = rt_cross_entropy(g, rt_model_forward(student, g, batch.x), batch.y);
        cr_assert_eq(rt_backward(g, loss), RT_OK, "%s", rt_graph_error(g)->message);
        last = rt_tensor_item(loss);
        if (step == 0) first = last;
        int64_t count;
        rt_real *w = rt_model_block(student, &count), *dw = rt_model_grad_block(student);
        for (int64_t i = 0; i < count; i++) w[i] -= (rt_real)0.02 * dw[i];
        for (int i = 0; i < rt_model_parameters(student); i++)
            rt_model_parameter(student, i)->tensor.has_grad = false;
        rt_graph_reset(g);
    }
    cr_expect_lt(last, 0.7 * first, "from %g to %g", first, last);
    rt_loader_free(loader);
    rt_graph_free(g);
    rt_model_free(student);
    end();
}

/* ---- files ---- */

Test(trainable, a_file_gives_the_same_integers) {
    for (int kind = -1; kind < FIXTURE_SMALL; kind += 3) {
        begin(kind);
        rt_error error = {0};
        char source[512], path[512];
        snprintf(source, sizeof source, "%s", test_path("w.safetensors"));
        snprintf(path, sizeof path, "%s", test_path("int8.safetensors"));
        const char *const form[] = {
            "retort.input", "bytes", "retort.input_scale", "[0.015625]", "retort.input_shift", "[-2]", NULL};
        cr_assert_eq(rt_model_save(r.model, source, form, &error), RT_OK);
        r.net->steps[r.net->count - 1].bias[0] += 1; /* as training would */
        cr_assert_eq(rti_net_save(r.net, r.range, NULL, source, path, &error), RT_OK, "%s", error.message);
        cr_expect(rti_net_is_file(path));
        cr_expect(!rti_net_is_file(source));
        double *range, scale;
        rti_net *read = rti_net_open(path, &range, &error);
        cr_assert(read, "%s", error.message);
        int32_t own[EXAMPLES * 3], theirs[EXAMPLES * 3];
        integers(r.net, r.range, own, &scale);
        integers(read, range, theirs, &scale);
        cr_expect_arr_eq(own, theirs, sizeof own);
        cr_expect_str_eq(read->fingerprint, r.net->fingerprint);
        rti_net_free(read);
        rt_free(range);
        end();
    }
}

Test(trainable, files_that_do_not_fit_are_refused) {
    begin(-1);
    rt_error error = {0};
    char source[512], path[512];
    snprintf(source, sizeof source, "%s", test_path("w.safetensors"));
    snprintf(path, sizeof path, "%s", test_path("int8.safetensors"));
    double *range;
    cr_assert_eq(rt_model_save(r.model, source, NULL, &error), RT_OK);
    cr_expect_null(rti_net_open(source, &range, &error));
    cr_expect_eq(error.status, RT_FORMAT);
    cr_expect_null(rti_net_open(test_path("none"), &range, &error));
    cr_expect_eq(error.status, RT_NOT_FOUND);

    const char *const form[] = {"retort.input", "bytes", "retort.input_scale", "[1]", "retort.input_shift",
                                "[0]",          NULL};
    cr_assert_eq(rt_model_save(r.model, source, form, &error), RT_OK);
    r.range[3] = NAN;
    cr_assert_eq(rti_net_save(r.net, r.range, NULL, source, path, &error), RT_OK);
    cr_expect_null(rti_net_open(path, &range, &error));
    cr_expect(strstr(error.message, "range 1"), "%s", error.message);
    r.range[3] = 1;
    r.net->steps[1].weight[5] = INFINITY;
    cr_assert_eq(rti_net_save(r.net, r.range, NULL, source, path, &error), RT_OK);
    cr_expect_null(rti_net_open(path, &range, &error));
    cr_expect(strstr(error.message, "step1.weight"), "%s", error.message);
    r.net->steps[1].biases--;
    r.net->steps[1].weight[5] = 0;
    cr_assert_eq(rti_net_save(r.net, r.range, NULL, source, path, &error), RT_OK);
    cr_expect_null(rti_net_open(path, &range, &error));
    cr_expect(strstr(error.message, "step1.bias"), "%s", error.message);
    r.net->steps[1].biases++;
    end();
}
