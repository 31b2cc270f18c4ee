/* Convolutional models in training: against themselves (evaluation and training, other seeds, files, copies)
 * and against constants worked out here. */
#include <math.h>

#include "../support/temporary.h"
#include "images_fixture.h"

enum { N = 4, PIXELS = N * 2 * 12 * 12 };
static const int32_t labels[N] = {2, 0, 1, 1};

static rt_tensor *forward(rt_model *m, rt_graph *g, const rt_real *pixels) {
    const int64_t shape[] = {N, 2, 12, 12};
    rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, pixels, 4, shape));
    cr_assert(z, "%s: %s", rt_model_summary(m), rt_graph_error(g)->message);
    return z;
}

static double step(rt_model *m, rt_graph *g, rt_optimizer *o, const rt_real *pixels, uint64_t number) {
    rt_model_train(m, 1, 0, number);
    rt_tensor *loss = rt_cross_entropy(g, forward(m, g, pixels), rt_graph_labels(g, labels, N));
    cr_assert_eq(rt_backward(g, loss), RT_OK);
    const double value = rt_tensor_item(loss);
    rt_optimizer_step(o);
    rt_graph_reset(g);
    return value;
}

Test(image_training, no_allocation_after_the_first_step_and_the_loss_falls) {
    static rt_real pixels[PIXELS];
    fixture_numbers(pixels, PIXELS, 7);
    for (int k = 0; k < FIXTURE_SMALL; k++) {
        rt_model *m = fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image, 3,
                                          3);
        rt_graph *g = rt_graph_new(NULL);
        rt_optimizer *o = rt_sgd_new(m, 0.05, 0.9, NULL);
        const double first = step(m, g, o, pixels, 0);
        const size_t calls = rt_alloc_stats_get().calls;
        double last = first;
        for (uint64_t i = 1; i < 30; i++) last = step(m, g, o, pixels, i);
        cr_assert_eq(rt_alloc_stats_get().calls, calls, "%s", rt_model_summary(m));
        cr_assert(last < 0.96 * first, "%s: loss %g, then %g", rt_model_summary(m), first, last);
        rt_optimizer_free(o);
        rt_graph_free(g);
        rt_model_free(m);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static rt_real *buffer_of(rt_model *m, const char *name) {
    rt_parameter *p = rti_model_find_parameter(m, name);
    cr_assert(p && p->kind == RT_BUFFER && !p->tensor.requires_grad, "%s", name);
    return rt_real_data(&p->tensor);
}

Test(image_training, running_statistics_move_in_training_only_and_no_optimiser_touches_them) {
    static rt_real pixels[PIXELS];
    fixture_numbers(pixels, PIXELS, 7);
    rt_model *m = fixture_image_model("resnet", "depth=8 filters=[2,3,4,5] bn_momentum=0.25", fixture_image,
                                      3, 3);
    rt_graph *g = rt_graph_new(NULL);
    rt_real *mean = buffer_of(m, "stem.bn.running_mean"),
            *variance = buffer_of(m, "stem.bn.running_variance");
    rt_tensor *z = forward(m, g, pixels);
    const rt_real evaluated = rt_real_data(z)[0];
    cr_assert(mean[0] == 0 && variance[1] == 1, "evaluation moves nothing");
    rt_model_train(m, 1, 0, 0);
    cr_assert_neq(rt_real_data(forward(m, g, pixels))[0], evaluated, "training normalises by the batch");
    /* 0.25 of the batch's mean and unbiased variance, of what the first convolution says. */
    const rt_tensor *x = rt_model_tap(m, "stem.conv");
    double sum = 0, squares = 0;
    const int count = N * 12 * 12;
    for (int i = 0; i < count; i++) sum += (double)rt_real_data(x)[2 * i] / count;
    for (int i = 0; i < count; i++) squares += pow((double)rt_real_data(x)[2 * i] - sum, 2);
    cr_assert_float_eq((double)mean[0], 0.25 * sum, 1e-6);
    cr_assert_float_eq((double)variance[0], 0.75 + 0.25 * squares / (count - 1), 1e-5);

    rt_params options;
    int rows;
    rt_error error = {0};
    const rt_param *row = rt_optimizer_rows(&rows);
    rt_params_init(&options, row, rows);
    cr_assert_eq(rt_params_set_text(&options, "weight_decay", "0.5", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "decay_biases", "true", &error), RT_OK);
    rt_optimizer *o = rt_optimizer_new(m, &options, "", 1, 1, &error);
    rt_tensor *loss = rt_cross_entropy(g, forward(m, g, pixels), rt_graph_labels(g, labels, N));
    const rt_real before[2] = {mean[0], variance[0]};
    const rt_real *scale = rt_real_data(&rti_model_find_parameter(m, "stem.bn.scale")->tensor);
    const rt_real scale_before = scale[0];
    cr_assert_eq(rt_backward(g, loss), RT_OK);
    rt_optimizer_step(o);
    cr_assert(mean[0] == before[0] && variance[0] == before[1]);
    cr_assert_neq(scale[0], scale_before);

    /* What is frozen and thawed again does not learn its statistics by gradient. */
    rt_model_freeze(m), rt_model_thaw(m);
    cr_assert_eq(buffer_of(m, "stem.bn.running_mean"), mean);
    rt_model_freeze(m), rt_model_evaluate(m);
    const rt_real kept = mean[1];
    cr_assert_not(forward(m, g, pixels)->requires_grad);
    cr_assert_eq(mean[1], kept);
    rt_optimizer_free(o);
    rt_graph_free(g);
    rt_model_free(m);
}

/* Slots and pieces are for what is trained: momentum's slot has no room for statistics. */
Test(image_training, scales_decay_like_biases_and_statistics_have_no_slots) {
    rt_model *m = fixture_image_model("resnet", "depth=8 filters=[2,3,4,5]", fixture_image, 3, 3);
    rt_optimizer *o = rt_sgd_new(m, 0.1, 0.9, NULL);
    int64_t elements = 0, trained = 0;
    const int64_t line = (int64_t)(64 / sizeof(rt_real));
    for (int i = 0; i < rt_model_parameters(m); i++) {
        const rt_parameter *p = rt_model_parameter(m, i);
        if (p->kind == RT_BUFFER) continue;
        trained++;
        elements += (rt_tensor_count(&p->tensor) + line - 1) / line * line;
    }
    cr_assert_eq(rt_optimizer_state_bytes(o), (size_t)(trained + 1) * 8 + (size_t)elements * sizeof(rt_real));
    rt_optimizer_free(o);

    rt_params options;
    int rows;
    rt_error error = {0};
    const rt_param *row = rt_optimizer_rows(&rows);
    rt_params_init(&options, row, rows);
    cr_assert_eq(rt_params_set_text(&options, "weight_decay", "0.5", &error), RT_OK);
    o = rt_optimizer_new(m, &options, "", 1, 1, &error);
    for (int i = 0; i < rt_model_parameters(m); i++) { /* gradients of zero: decay alone changes something */
        rt_tensor *t = &rt_model_parameter(m, i)->tensor;
        memset(t->grad, 0, (size_t)rt_tensor_count(t) * sizeof *t->grad);
        t->has_grad = t->requires_grad;
    }
    const rt_real weight = rt_real_data(&rti_model_find_parameter(m, "stem.conv.weight")->tensor)[0];
    rt_optimizer_step(o);
    cr_assert_eq(rt_real_data(&rti_model_find_parameter(m, "stem.bn.scale")->tensor)[0], 1);
    cr_assert_neq(rt_real_data(&rti_model_find_parameter(m, "stem.conv.weight")->tensor)[0], weight);
    rt_optimizer_free(o);
    rt_model_free(m);
}

/* (3, 3, 2, 4): filter f's incoming weights have the index f last. */
Test(image_training, max_norm_is_about_the_incoming_weights_of_a_filter) {
    rt_error error = {0};
    rt_model *m = rti_model_begin("net", 3, (const int64_t[]){6, 6, 2}, &error);
    const rti_conv conv = {.kernel = 3, .init = RTI_INIT_NORMAL, .init_std = 1};
    const rti_linear last = {.init = RTI_INIT_HE};
    cr_assert_eq(rti_model_add_conv(m, "a", 4, &conv, &error), RT_OK);
    cr_assert_eq(rti_model_add_conv_transpose(m, "b", 3, &conv, &error), RT_OK); /* weights (3, 3, 3, 4) */
    cr_assert_eq(rti_model_add_linear(m, "c", 2, &last, &error), RT_OK);
    cr_assert_eq(rti_model_end(m, 1, &error), RT_OK);
    rt_params options;
    int rows;
    const rt_param *row = rt_optimizer_rows(&rows);
    rt_params_init(&options, row, rows);
    cr_assert_eq(rt_params_set_text(&options, "max_norm_squared", "17", &error), RT_OK);
    rt_optimizer *o = rt_optimizer_new(m, &options, "", 1, 1, &error);
    static rt_real before[2][200];
    for (int k = 0; k < 2; k++) {
        rt_tensor *t = &rti_model_find_parameter(m, k ? "b.weight" : "a.weight")->tensor;
        memcpy(before[k], t->data, (size_t)rt_tensor_count(t) * sizeof(rt_real));
        memset(t->grad, 0, (size_t)rt_tensor_count(t) * sizeof(rt_real));
        t->has_grad = true;
    }
    rt_optimizer_step(o);
    int longer = 0, shorter = 0;
    for (int k = 0; k < 2; k++) {
        const rt_tensor *t = &rti_model_find_parameter(m, k ? "b.weight" : "a.weight")->tensor;
        const int units = k ? 3 : 4, count = (int)rt_tensor_count(t);
        for (int u = 0; u < units; u++) {
            double was = 0;
            for (int i = 0; i < count; i++)
                if ((k ? i / 4 % 3 : i % 4) == u) was += (double)before[k][i] * (double)before[k][i];
            const double factor = was > 17 ? sqrt(17 / was) : 1;
            was > 17 ? longer++ : shorter++;
            for (int i = 0; i < count; i++)
                if ((k ? i / 4 % 3 : i % 4) == u)
                    cr_assert_float_eq((double)rt_real_data(t)[i], factor * (double)before[k][i], 1e-6);
        }
    }
    cr_assert(longer && shorter, "%d longer, %d shorter", longer, shorter);
    rt_optimizer_free(o);
    rt_model_free(m);
}

Test(image_training, files_hashes_and_copies_hold_the_statistics) {
    static rt_real pixels[PIXELS];
    fixture_numbers(pixels, PIXELS, 7);
    for (int k = 0; k < FIXTURE_SMALL; k++) {
        rt_model *m = fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image, 3,
                                          3);
        rt_graph *g = rt_graph_new(NULL);
        rt_error error = {0};
        char before[33], after[33], path[256];
        rt_model_hash(m, before);
        rt_model_train(m, 1, 0, 0);
        forward(m, g, pixels);
        rt_model_evaluate(m);
        rt_model_hash(m, after);
        bool normalised = false;
        for (int i = 0; i < rt_model_parameters(m); i++)
            normalised |= rt_model_parameter(m, i)->kind == RT_BUFFER;
        cr_assert_eq(strcmp(before, after) != 0, normalised, "%s", rt_model_summary(m));

        snprintf(path, sizeof path, "%s", test_path("net.safetensors"));
        cr_assert_eq(rt_model_save(m, path, NULL, &error), RT_OK, "%s", error.message);
        rt_model *opened = rt_model_open(path, &error), *like = rt_model_new_like(m, 9, &error);
        cr_assert(opened && like, "%s", error.message);
        rt_model_hash(opened, before);
        cr_assert_str_eq(before, after);
        cr_assert_eq(rt_model_load(like, path, &error), RT_OK, "%s", error.message);
        rt_tensor *z = forward(m, g, pixels), *again = forward(opened, g, pixels),
                  *third = forward(like, g, pixels);
        cr_assert_arr_eq(z->data, again->data, 3 * N * sizeof(rt_real));
        cr_assert_arr_eq(z->data, third->data, 3 * N * sizeof(rt_real));
        rt_graph_free(g);
        rt_model_free(m), rt_model_free(opened), rt_model_free(like);
    }
}

Test(image_training, files_of_another_architecture_are_refused) {
    rt_error error = {0};
    char path[256];
    rt_model *conv = fixture_image_model("resnet", "depth=8 filters=[2,2,2,2]", fixture_image, 3, 3);
    rt_model *pad = fixture_image_model("resnet", "depth=8 filters=[2,2,2,2] shortcut=pad", fixture_image, 3,
                                        3);
    rt_model *eps = fixture_image_model("resnet", "depth=8 filters=[2,2,2,2] bn_epsilon=0.001", fixture_image,
                                        3, 3);
    snprintf(path, sizeof path, "%s", test_path("net.safetensors"));
    cr_assert_eq(rt_model_save(conv, path, NULL, &error), RT_OK);
    cr_assert_eq(rt_model_load(pad, path, &error), RT_FORMAT);
    cr_assert(strstr(error.message, "shortcut"), "%s", error.message);
    cr_assert_eq(rt_model_load(eps, path, &error), RT_FORMAT, "another epsilon is another function");
    buffer_of(conv, "stem.bn.running_variance")[1] = -1;
    cr_assert_eq(rt_model_save(conv, path, NULL, &error), RT_OK);
    cr_assert_null(rt_model_open(path, &error));
    cr_assert(error.status == RT_FORMAT && strstr(error.message, "negative variance"), "%s", error.message);
    rt_model_free(conv), rt_model_free(pad), rt_model_free(eps);
}

Test(image_training, what_is_ahead_of_an_activation_changes_no_answer) {
    static rt_real pixels[PIXELS];
    fixture_numbers(pixels, PIXELS, 7);
    for (int k = 0; k < FIXTURE_SMALL; k++) {
        rt_model *m = fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image, 3,
                                          3);
        rt_model *asked = fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image,
                                              3, 3);
        rt_graph *g = rt_graph_new(NULL);
        for (int i = 0; i < rt_model_stages(m); i++) {
            char name[64];
            snprintf(name, sizeof name, "%s.pre", rt_model_stage(m, i));
            cr_assert(rt_model_want_tap(asked, name), "%s of %s", name, rt_model_summary(m));
        }
        rt_tensor *z = forward(m, g, pixels), *same = forward(asked, g, pixels);
        for (int i = 0; i < 3 * N; i++)
            cr_assert_float_eq((double)rt_real_data(z)[i], (double)rt_real_data(same)[i], 1e-5);
        for (int i = 0; i < rt_model_stages(m); i++) {
            char name[64];
            snprintf(name, sizeof name, "%s.pre", rt_model_stage(m, i));
            const rt_tensor *before = rt_model_tap(asked, name),
                            *after = rt_model_tap(asked, rt_model_stage(m, i));
            cr_assert(before && after && rt_tensor_same_shape(before, after), "%s", name);
            int negative = 0;
            for (int64_t e = 0; e < rt_tensor_count(before); e++) {
                const rt_real b = rt_real_data(before)[e], a = rt_real_data(after)[e];
                negative += b < 0;
                if (strcmp(rt_model_kind(m), "resnet") == 0 || strcmp(rt_model_kind(m), "vgg") == 0)
                    cr_assert_eq(a, b > 0 ? b : 0);
            }
            cr_assert_gt(negative, 0);
        }
        rt_graph_free(g);
        rt_model_free(m), rt_model_free(asked);
    }
}

/* An answer has the bits of a forward pass, in less memory; places asked for are there, others are not. */
Test(image_training, answers_are_the_same_and_keep_only_what_is_wanted) {
    static rt_real pixels[PIXELS];
    fixture_numbers(pixels, PIXELS, 7);
    for (int k = 0; k < FIXTURE_SMALL; k++)
        for (int wanted = 0; wanted < 2; wanted++) {
            rt_model *m =
                fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image, 3, 3);
            char before[64];
            snprintf(before, sizeof before, "%s.pre", rt_model_stage(m, rt_model_stages(m) - 1));
            if (wanted) cr_assert(rt_model_want_tap(m, rt_model_stage(m, 0)) && rt_model_want_tap(m, before));
            rt_graph *g = rt_graph_new(NULL), *h = rt_graph_new(NULL);
            rt_no_grad_begin(g), rt_no_grad_begin(h);
            rt_tensor *z = forward(m, g, pixels);
            const rt_tensor *stage = rt_model_tap(m, rt_model_stage(m, 0)), *pre = rt_model_tap(m, before);
            static const int64_t shape[] = {N, 2, 12, 12};
            for (int again = 0; again < 2; again++) {
                rt_tensor *x = rt_graph_input(h, pixels, 4, shape), *answer = rt_model_answer(m, h, x);
                cr_assert(answer, "%s", rt_graph_error(h)->message);
                cr_assert_arr_eq(answer->data, z->data, 3 * N * sizeof(rt_real), "%s", rt_model_summary(m));
                if (!wanted) {
                    cr_assert_null(rt_model_tap(m, rt_model_stage(m, 0)), "%s", rt_model_summary(m));
                    continue;
                }
                const rt_tensor *same = rt_model_tap(m, rt_model_stage(m, 0));
                const rt_tensor *ahead = rt_model_tap(m, before);
                cr_assert_arr_eq(same->data, stage->data, (size_t)rt_tensor_count(stage) * sizeof(rt_real));
                cr_assert_arr_eq(ahead->data, pre->data, (size_t)rt_tensor_count(pre) * sizeof(rt_real));
            }
            rt_graph_free(g), rt_graph_free(h);
            rt_model_free(m);
        }
}

/* Gradients that are passed on in place have the bits of those that are kept, step after step. */
Test(image_training, gradients_have_the_same_bits_whoever_looks) {
    static rt_real pixels[PIXELS];
    fixture_numbers(pixels, PIXELS, 7);
    for (int k = 0; k < FIXTURE_SMALL; k++) {
        rt_model *net[2];
        rt_graph *g = rt_graph_new(NULL);
        rt_optimizer *o[2];
        for (int i = 0; i < 2; i++) {
            net[i] =
                fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image, 3, 3);
            o[i] = rt_sgd_new(net[i], 0.05, 0.9, NULL);
        }
        for (int l = 0; l < net[1]->layer_count; l++)
            cr_assert(rt_model_want_tap(net[1], net[1]->layers[l].name));
        for (uint64_t n = 0; n < 3; n++)
            for (int i = 0; i < 2; i++) step(net[i], g, o[i], pixels, n);
        int64_t count;
        const rt_real *block = rt_model_block(net[0], &count);
        cr_assert_arr_eq(block, rt_model_block(net[1], NULL), (size_t)count * sizeof *block, "%s",
                         rt_model_summary(net[0]));
        rt_graph_free(g);
        for (int i = 0; i < 2; i++) rt_optimizer_free(o[i]), rt_model_free(net[i]);
    }
}

Test(image_training, dropout_of_a_wide_network_is_new_in_every_step) {
    static rt_real pixels[PIXELS];
    fixture_numbers(pixels, PIXELS, 7);
    rt_model *m = fixture_image_model("wrn", "depth=10 base=2 dropout=0.3", fixture_image, 3, 3);
    rt_model *plain = fixture_image_model("wrn", "depth=10 base=2", fixture_image, 3, 3);
    rt_graph *g = rt_graph_new(NULL);
    const size_t bytes = 3 * N * sizeof(rt_real);
    char a[33], b[33];
    rt_model_hash(m, a), rt_model_hash(plain, b);
    cr_assert_str_eq(a, b);
    cr_assert_arr_eq(forward(m, g, pixels)->data, forward(plain, g, pixels)->data, bytes);
    rt_tensor *z[3];
    for (int i = 0; i < 3; i++) {
        rt_model_train(m, 1, 0, (uint64_t)(i / 2 * 5));
        z[i] = forward(m, g, pixels);
    }
    cr_assert_arr_eq(z[0]->data, z[1]->data, bytes, "the same step, the same units");
    cr_assert_neq(memcmp(z[0]->data, z[2]->data, bytes), 0);
    rt_graph_free(g);
    rt_model_free(m), rt_model_free(plain);
}

Test(image_training, adapters_of_all_layers) {
    rt_error error = {0};
    static rt_real x[2 * 4 * 4 * 3];
    fixture_numbers(x, 96, 1);
    rt_model *m = rti_model_begin("adapter", 3, (const int64_t[]){4, 4, 3}, &error);
    const rti_conv one = {.kernel = 1, .init = RTI_INIT_HE},
                   twice = {.kernel = 4, .stride = 2, .padding = 1, .bias = true, .init = RTI_INIT_HE};
    const rti_batch_norm norm = {.activation = RT_ACT_RELU};
    cr_assert_eq(rti_model_add_conv(m, "conv", 5, &one, &error), RT_OK);
    cr_assert_eq(rti_model_add_batch_norm(m, "bn", &norm, &error), RT_OK);
    cr_assert_eq(
        rti_model_add_free_parameter(m, "log_variance", RT_WEIGHT, 1, (const int64_t[]){5}, -2.5, &error),
        RT_OK);
    cr_assert_eq(rti_model_add_conv_transpose(m, "up", 5, &twice, &error), RT_OK);
    cr_assert_eq(rti_model_add_activation(m, "act", RT_ACT_TANH, &error), RT_OK);
    cr_assert_eq(rti_model_add_sum(m, "sum", "up", RT_ACT_RELU, &error), RT_OK);
    cr_assert_eq(rti_model_end(m, 3, &error), RT_OK);
    cr_assert_eq(rt_model_classes(m), 5);
    rt_parameter *free_one = rti_model_find_parameter(m, "log_variance");
    cr_assert(free_one && rt_real_data(&free_one->tensor)[4] == (rt_real)-2.5 &&
              free_one->tensor.requires_grad);
    rt_graph *g = rt_graph_new(NULL);
    rt_model_train(m, 1, 0, 0);
    rt_tensor *in = rt_graph_input(g, x, 4, (const int64_t[]){2, 4, 4, 3});
    rt_tensor *y = rt_model_forward(m, g, in);
    cr_assert(y && y->ndim == 4 && y->shape[1] == 8 && y->shape[3] == 5, "%s", rt_graph_error(g)->message);
    const rt_tensor *up = rt_model_tap(m, "up");
    for (int i = 0; i < 640; i++) {
        const double u = (double)rt_real_data(up)[i], sum = u + tanh(u);
        cr_assert_float_eq((double)rt_real_data(y)[i], sum > 0 ? sum : 0, 1e-5);
    }
    cr_assert_neq(buffer_of(m, "bn.running_mean")[0], 0);
    rt_tensor *loss = rt_mean(g, rt_mul(g, y, y), RT_ALL_AXES);
    loss = rt_add(g, loss, rt_sum(g, &free_one->tensor, RT_ALL_AXES));
    cr_assert_eq(rt_backward(g, loss), RT_OK);
    for (int i = 0; i < rt_model_parameters(m); i++) {
        const rt_parameter *p = rt_model_parameter(m, i);
        cr_assert_eq(p->tensor.has_grad, p->kind != RT_BUFFER, "%s", p->name);
    }
    rt_graph_free(g);
    rt_model_free(m);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(image_training, every_allocation_may_fail) {
    for (size_t n = 1;; n++) {
        rt_error error = {0};
        rt_alloc_fail_after(n);
        rt_model *m = fixture_try("resnet", "depth=8 filters=[1,1,2,2]", 3, fixture_image, 3, 1, &error);
        rt_alloc_fail_after(0);
        if (m) {
            cr_assert_gt(n, 8);
            rt_model_free(m);
            break;
        }
        cr_assert(error.status == RT_MEMORY && error.message[0]);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "after failure %zu", n);
        cr_assert_lt(n, 100);
    }
}
