/* Names of places, and models made without a kind: against what was built here by hand. */
#include <criterion/criterion.h>
#include <string.h>

#include "nn/model.h"
#include "retort/alloc.h"

static const rti_linear hidden = {.bias = true, .activation = RT_ACT_RELU, .init = RTI_INIT_HE};

Test(taps, of_an_mlp_are_its_hidden_layers) {
    rt_error error = {0};
    rt_model *m = rt_mlp_new(4, (const int64_t[]){5, 7, 4, 3}, 1, &error);
    cr_assert_null(rt_model_stem(m));
    cr_assert_eq(rt_model_stages(m), 2);
    cr_assert_str_eq(rt_model_stage(m, 0), "fc1");
    cr_assert_str_eq(rt_model_stage(m, 1), "fc2");
    cr_assert_null(rt_model_stage(m, 2));
    cr_assert_str_eq(rt_model_penultimate(m), "fc2");
    cr_assert_eq(rt_model_taps(m), 3);
    static const struct {
        const char *name;
        int64_t width;
    } places[] = {{"fc1", 7}, {"fc2.pre", 4}, {"fc3", 3}, {"fc3.pre", 3}};
    for (int i = 0; i < 4; i++) {
        int ndim;
        int64_t shape[RT_MAX_DIMS];
        cr_assert_eq(rt_model_tap_shape(m, places[i].name, &ndim, shape, &error), RT_OK);
        cr_assert(ndim == 1 && shape[0] == places[i].width, "%s", places[i].name);
    }
    int ndim;
    int64_t shape[RT_MAX_DIMS];
    cr_assert_eq(rt_model_tap_shape(m, "fk2", &ndim, shape, &error), RT_NOT_FOUND);
    cr_assert(strstr(error.message, "did you mean \"fc2\"?") && strstr(error.message, "fc1, fc2, fc3"), "%s",
              error.message);
    const rt_parameter *scale, *bias;
    cr_assert_not(rt_model_tap_batch_norm(m, "fc1", &scale, &bias));
    rt_model_free(m);
    m = rt_mlp_new(2, (const int64_t[]){5, 3}, 1, &error);
    cr_assert(rt_model_stages(m) == 0 && !rt_model_penultimate(m));
    rt_model_free(m);
}

Test(taps, a_model_like_another_has_new_weights) {
    rt_error error = {0};
    rt_model *m = rt_mlp_new(3, (const int64_t[]){5, 7, 3}, 1, &error);
    rt_model *again = rt_mlp_new(3, (const int64_t[]){5, 7, 3}, 9, &error);
    rt_model_train(m, 1, 2, 3);
    rt_model_freeze(m);
    rt_model *like = rt_model_new_like(m, 9, &error);
    int64_t n;
    rt_real *block = rt_model_block(like, &n);
    cr_assert_arr_eq(block, rt_model_block(again, NULL), (size_t)n * sizeof *block);
    cr_assert_not(rt_model_is_training(like));
    cr_assert(rt_model_parameter(like, 0)->tensor.requires_grad);
    cr_assert_neq(rt_model_grad_block(like), rt_model_grad_block(m));
    cr_assert_str_eq(rt_model_summary(like), rt_model_summary(m));
    rt_model_thaw(m);
    cr_assert(rt_model_parameter(m, 0)->tensor.requires_grad);
    rt_model_free(again), rt_model_free(like);
    for (size_t failing = 1;; failing++) {
        rt_alloc_fail_after(failing);
        like = rt_model_new_like(m, 9, &error);
        rt_alloc_fail_after(0);
        if (like) break;
        cr_assert_eq(error.status, RT_MEMORY);
    }
    rt_model_free(like), rt_model_free(m);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(taps, an_adapter_takes_what_its_feature_is) {
    rt_error error = {0};
    rt_model *m = rti_model_begin("regressor", 3, (const int64_t[]){2, 2, 3}, &error);
    cr_assert_eq(rti_model_add_linear(m, "a", 4, &hidden, &error), RT_OK);
    cr_assert_eq(rti_model_add_linear(m, "b", 6, &hidden, &error), RT_OK);
    cr_assert_eq(rti_model_end(m, 3, &error), RT_OK);
    cr_assert_eq(rt_model_classes(m), 6);
    cr_assert_str_eq(rt_model_summary(m), "regressor");
    rt_graph *g = rt_graph_new(NULL);
    rt_real x[24] = {1, 2, 3};
    rt_tensor *y = rt_model_forward(m, g, rt_graph_input(g, x, 4, (const int64_t[]){2, 2, 2, 3}));
    cr_assert(y && y->ndim == 2 && y->shape[0] == 2 && y->shape[1] == 6);
    rt_graph_free(g);
    rt_model_free(m);
    cr_assert_null(rti_model_begin("nothing", 3, (const int64_t[]){2, 0, 3}, &error));
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
