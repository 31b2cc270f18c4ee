/* test_quantize.c - from a trained network to 8-bit integers. Checked against the integer network that is
 * made of the file it leaves, against an undisturbed run after a stop, and for what it refuses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "core/file.h"
#include "deploy/trainable.h"
#include "experiment/quantize.h"
#include "experiment/spec.h"
#include "retort/retort.h"

typedef struct rig {
    rt_dataset *set;
    rt_model *teacher_model;
    rt_teacher *teacher;
    rt_params training, options;
    char weights[RTI_PATH_MAX], directory[RTI_PATH_MAX];
    rti_quantize_config config;
    int steps_left;
} rig;

static rig r;

static rt_dataset *digits(void) {
    rt_error error = {0};
    rt_params options;
    int count;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(&options, rows, count);
    cr_assert_eq(rt_params_set_text(&options, "set", "digits", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "digits.train", "500", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "digits.test", "200", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "validation", "100", &error), RT_OK);
    rt_dataset *set = rt_dataset_open(&options, NULL, &error);
    cr_assert(set, "%s", error.message);
    return set;
}

static bool count_down(void *context, int64_t epoch, int64_t step, int64_t steps) {
    (void)context, (void)epoch, (void)step, (void)steps;
    return r.steps_left < 0 || r.steps_left-- > 0;
}

static void train(rt_model *model, int64_t epochs) {
    rt_error error = {0};
    rt_params none;
    rt_params_init(&none, NULL, 0);
    const rt_distiller_config c = {.student = model,
                                   .method = "none",
                                   .options = &none,
                                   .transfer = rt_dataset_part(r.set, RT_PART_TRAIN),
                                   .batch = 20,
                                   .seed = 1,
                                   .epochs = epochs,
                                   .training = &r.training,
                                   .prefix = "optimizer."};
    rt_distiller *d = rt_distiller_new(&c, &error);
    cr_assert(d, "%s", error.message);
    for (int64_t e = 0; e < epochs; e++) {
        rt_epoch_report report;
        cr_assert_eq(rt_distiller_epoch(d, &report, &error), RT_OK, "%s", error.message);
    }
    rt_distiller_free(d);
}

static void begin(void) {
    rt_error error = {0};
    int count;
    memset(&r, 0, sizeof r);
    r.steps_left = -1;
    r.set = digits();
    rti_network_table(&r.training, "mlp", NULL, 0);
    cr_assert_eq(rt_params_set_text(&r.training, "optimizer.lr", "0.05", &error), RT_OK);
    r.teacher_model = rt_mlp_new(3, (int64_t[]){784, 40, 10}, 1, &error);
    rt_model *student = rt_mlp_new(3, (int64_t[]){784, 12, 10}, 2, &error);
    cr_assert(r.teacher_model && student);
    train(r.teacher_model, 4);
    train(student, 4);
    snprintf(r.weights, sizeof r.weights, "%s", test_path("w.safetensors"));
    snprintf(r.directory, sizeof r.directory, "%s", test_path(""));
    cr_assert_eq(rt_model_save(student, r.weights, NULL, &error), RT_OK);
    rt_model_free(student);
    r.teacher = rt_teacher_new(&r.teacher_model, 1, RT_COMBINE_LOGITS, &error);
    const rt_param *rows = rt_method_rows("kd", &count);
    rt_params_init(&r.options, rows, count);
    r.config = (rti_quantize_config){.weights = r.weights,
                                     .set = r.set,
                                     .teacher = r.teacher,
                                     .teachers = &r.teacher_model,
                                     .teacher_count = 1,
                                     .method = "kd",
                                     .options = &r.options,
                                     .training = &r.training,
                                     .epochs = 3,
                                     .lr = 0.01,
                                     .calibration = 100,
                                     .seed = 5,
                                     .directory = r.directory,
                                     .on_step = count_down};
}

static void end(void) {
    rt_teacher_free(r.teacher);
    rt_model_free(r.teacher_model);
    rt_dataset_free(r.set);
    cr_expect_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* Errors of the integer network that the file holds. */
static int64_t errors_of_file(rt_part_name part) {
    rt_error error = {0};
    double *range;
    int64_t errors;
    rti_net *net = rti_net_open(test_path("int8.safetensors"), &range, &error);
    cr_assert(net, "%s", error.message);
    rti_int8 *q = rti_int8_new(net, range, &error);
    cr_assert_eq(rti_int8_evaluate(q, rt_dataset_part(r.set, part), &errors, NULL, &error), RT_OK);
    rti_int8_free(q);
    rti_net_free(net);
    rt_free(range);
    return errors;
}

Test(quantize, keeps_the_better_on_validation_and_says_what_it_is_worth) {
    begin();
    rt_error error = {0};
    rti_quantize_result result;
    cr_assert_eq(rti_quantize(&r.config, &result, &error), RT_OK, "%s", error.message);
    cr_expect_eq(result.test, 200);
    cr_expect_eq(result.validation, 100);
    const rti_quantized *kept = result.chose_distilled ? &result.distilled : &result.after;
    cr_expect_eq(result.chose_distilled, result.distilled.validation_errors < result.after.validation_errors);
    cr_expect_eq(errors_of_file(RT_PART_TEST), kept->errors);
    cr_expect_eq(errors_of_file(RT_PART_VALIDATION), kept->validation_errors);
    cr_expect_leq(llabs(result.after.errors - result.real.errors), 10, "%d errors in float, %d in int8",
                  (int)result.real.errors, (int)result.after.errors);
    cr_expect_eq(result.bytes, 784 * 12 + 12 * 10 + 8 * (12 + 10) + 256);
    cr_expect(rti_file_exists(test_path("int8.json")));
    cr_expect(result.time_int8.one.runs && result.time_int8.large.runs && result.time_float.one.runs);
    cr_expect_gt(result.time_int8.large.median_us, result.time_int8.one.median_us);
    cr_expect_gt(result.time_teacher.one.median_us, 0);
    cr_expect_leq(result.time_int8.one.low_us, result.time_int8.one.high_us);
    cr_expect(!rti_file_exists(test_path("int8.checkpoint")));
    end();
}

Test(quantize, goes_on_where_it_was_stopped_with_the_same_bits) {
    begin();
    rt_error error = {0};
    rti_quantize_result result;
    size_t length, again;
    cr_assert_eq(rti_quantize(&r.config, &result, &error), RT_OK, "%s", error.message);
    char *undisturbed = test_file(test_path("int8.safetensors"), &length);
    const int64_t distilled = result.distilled.validation_errors;
    for (int stop = 1; stop < 12; stop += 5) { /* an epoch has four steps */
        r.steps_left = stop;
        cr_assert_eq(rti_quantize(&r.config, &result, &error), RT_STOPPED);
        r.steps_left = -1;
        cr_assert_eq(rti_quantize(&r.config, &result, &error), RT_OK, "%s", error.message);
        cr_expect_eq(result.distilled.validation_errors, distilled);
        char *bytes = test_file(test_path("int8.safetensors"), &again);
        cr_expect(bytes && again == length && !memcmp(bytes, undisturbed, length), "stopped after %d steps",
                  stop);
        free(bytes);
    }
    free(undisturbed);
    end();
}

static bool never(void *context) {
    (void)context;
    return false;
}

Test(quantize, stops_while_the_teacher_is_asked) {
    begin();
    rt_error error = {0};
    rti_quantize_result result;
    r.config.go_on = never;
    cr_assert_eq(rti_quantize(&r.config, &result, &error), RT_STOPPED);
    cr_expect(!rti_file_exists(test_path("int8.json")));
    r.config.go_on = NULL;
    cr_assert_eq(rti_quantize(&r.config, &result, &error), RT_OK, "%s", error.message);
    end();
}

Test(quantize, without_a_directory_keeps_nothing) {
    begin();
    rt_error error = {0};
    rti_quantize_result result;
    r.config.directory = NULL;
    r.config.epochs = 0;
    cr_assert_eq(rti_quantize(&r.config, &result, &error), RT_OK, "%s", error.message);
    cr_expect_eq(result.distilled.errors, -1);
    cr_expect_geq(result.after.errors, 0);
    cr_expect(!rti_file_exists(test_path("int8.safetensors")));
    end();
}

Test(quantize, refuses_another_problem_and_methods_that_look_inside) {
    begin();
    rt_error error = {0};
    rti_quantize_result result;
    int count;
    const rt_param *rows = rt_method_rows("fitnets", &count);
    rt_params_init(&r.options, rows, count);
    r.config.method = "fitnets";
    cr_expect_neq(rti_quantize(&r.config, &result, &error), RT_OK);
    cr_expect(strstr(error.message, "fitnets"), "%s", error.message);

    rt_model *other = rt_mlp_new(2, (int64_t[]){784, 7}, 2, &error);
    cr_assert_eq(rt_model_save(other, r.weights, NULL, &error), RT_OK);
    rt_model_free(other);
    cr_expect_eq(rti_quantize(&r.config, &result, &error), RT_SHAPE);
    cr_expect(strstr(error.message, "7 classes"), "%s", error.message);
    other = rt_mlp_new(2, (int64_t[]){9, 10}, 2, &error);
    cr_assert_eq(rt_model_save(other, r.weights, NULL, &error), RT_OK);
    rt_model_free(other);
    cr_expect_neq(rti_quantize(&r.config, &result, &error), RT_OK);
    end();
}
