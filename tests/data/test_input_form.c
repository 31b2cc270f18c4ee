/* test_input_form.c - the form of the input, against the batches of a loader: raw numbers that went through
 * the form of a set, or of a file that carries it, are what training saw. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "formats/safetensors.h"
#include "retort/alloc.h"
#include "retort/data.h"
#include "retort/nn.h"
#include "../support/temporary.h"

static rt_dataset *digits(bool normalize) {
    rt_error error = {0};
    rt_params options;
    int count;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(&options, rows, count);
    cr_assert_eq(rt_params_set_text(&options, "set", "digits", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "digits.train", "300", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "digits.test", "50", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "validation", "50", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "normalize", normalize ? "true" : "false", &error), RT_OK);
    rt_dataset *set = rt_dataset_open(&options, NULL, &error);
    cr_assert(set, "%s", error.message);
    return set;
}

static rt_batch first_batch(rt_dataset *set, rt_loader **loader) {
    rt_error error = {0};
    rt_batch batch;
    *loader = rt_loader_new(rt_dataset_part(set, RT_PART_TEST), 50, 0, NULL, &error);
    cr_assert(*loader && rt_loader_next(*loader, &batch), "%s", error.message);
    return batch;
}

/* A network's file with the form in it, and the form as it is read from there. */
static rt_input_form *through_a_file(rt_input_form *form, const char *path) {
    rt_error error = {0};
    rt_model *model = rt_mlp_new(2, (int64_t[]){784, 10}, 1, &error);
    cr_assert_eq(rt_model_save(model, path, form->metadata, &error), RT_OK, "%s", error.message);
    rt_model_free(model);
    rt_input_form *read = rt_input_form_read(path, &error);
    cr_assert(read, "%s", error.message);
    return read;
}

Test(input_form, of_bytes_gives_the_bits_of_the_batches) {
    const char *path = test_path("w.safetensors");
    for (int normalize = 0; normalize < 2; normalize++) {
        rt_error error = {0};
        rt_dataset *set = digits(normalize);
        rt_input_form *form = rt_input_form_of(set, &error);
        cr_assert(form, "%s", error.message);
        rt_input_form *read = through_a_file(form, path);
        cr_expect(read->bytes);
        cr_expect_eq(read->count, 1);
        cr_expect_null(read->class_names);
        cr_expect(rt_input_form_fits(read, 3, (const int64_t[]){1, 28, 28}));
        rt_loader *loader;
        rt_batch batch = first_batch(set, &loader);
        rt_real out[784];
        for (int64_t n = 0; n < 50; n++) {
            rt_input_form_apply_bytes(read, 784, rt_dataset_test_examples(set)->bytes + n * 784, out);
            cr_assert_arr_eq(out, rt_real_data(batch.x) + n * 784, sizeof out, "example %d", (int)n);
        }
        rt_loader_free(loader);
        rt_input_form_free(form);
        rt_input_form_free(read);
        rt_dataset_free(set);
    }
    cr_expect_eq(rt_alloc_stats_get().live_blocks, 0);
}

static const char table[] = "length,width,kind\n1,10,oak\n2,30,elm\n4,20,oak\n6,50,elm\n3,10,oak\n5,70,elm\n"
                            "7,20,oak\n2,90,elm\n";

Test(input_form, of_numbers_has_mean_and_deviation_of_each_column_and_the_names) {
    rt_error error = {0};
    const char *csv = test_path("t.csv");
    cr_assert_eq(rti_file_write(csv, table, strlen(table), &error), RT_OK);
    rt_params options;
    int count;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(&options, rows, count);
    cr_assert_eq(rt_params_set_text(&options, "set", "csv", &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "csv.train", csv, &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "csv.test", csv, &error), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "validation", "0", &error), RT_OK);
    rt_dataset *set = rt_dataset_open(&options, NULL, &error);
    cr_assert(set, "%s", error.message);
    rt_input_form *form = rt_input_form_of(set, &error);
    const char *path = test_path("w.safetensors");
    rt_input_form *read = through_a_file(form, path);
    cr_expect(!read->bytes);
    cr_assert_eq(read->count, 2);
    cr_assert_eq(read->classes, 2);
    cr_expect_str_eq(read->class_names[0], "elm");
    cr_expect_str_eq(read->class_names[1], "oak");

    static const double raw[8][2] = {{1, 10}, {2, 30}, {4, 20}, {6, 50}, {3, 10}, {5, 70}, {7, 20}, {2, 90}};
    rt_loader *loader = rt_loader_new(rt_dataset_part(set, RT_PART_TEST), 8, 0, NULL, &error);
    rt_batch batch;
    cr_assert(rt_loader_next(loader, &batch));
    for (int n = 0; n < 8; n++) {
        rt_real out[2];
        rt_input_form_apply(read, 2, raw[n], out);
        for (int d = 0; d < 2; d++)
            cr_expect_float_eq(out[d], rt_real_data(batch.x)[2 * n + d], 1e-6, "row %d, column %d", n, d);
    }
    /* length: mean 3.75, variance 31.5 / 8 */
    cr_expect_float_eq(read->scale[0], 1 / sqrt(31.5 / 8), 1e-12);
    cr_expect_float_eq(read->shift[0], -3.75 / sqrt(31.5 / 8), 1e-12);
    rt_loader_free(loader);
    rt_input_form_free(form);
    rt_input_form_free(read);
    rt_dataset_free(set);
    cr_expect_eq(rt_alloc_stats_get().live_blocks, 0);
}

static const struct {
    const char *input, *scale, *shift, *names, *says;
} bad[] = {
    {"bits", "[1]", "[0]", NULL, "\"bits\""},
    {"bytes", "1", "[0]", NULL, "no list"},
    {"bytes", "[]", "[0]", NULL, "no list"},
    {"bytes", "[1, 2]", "[0]", NULL, "2 entries"},
    {"bytes", "[1, \"x\"]", "[0, 0]", NULL, "entry 1"},
    {"bytes", "[1e999]", "[0]", NULL, "input_scale"},
    {"bytes", "[1", "[0]", NULL, "input_scale"},
    {"bytes", "[1]", "[0]", "[1]", "entry 0"},
};

Test(input_form, of_a_file_is_not_believed) {
    const char *path = test_path("w.safetensors");
    rt_error error = {0};
    rt_model *model = rt_mlp_new(2, (int64_t[]){2, 2}, 1, &error);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *pairs[9] = {"retort.input", bad[i].input, "retort.input_scale", bad[i].scale,
                                "retort.input_shift", bad[i].shift};
        if (bad[i].names) pairs[6] = "retort.class_names", pairs[7] = bad[i].names;
        cr_assert_eq(rt_model_save(model, path, pairs, &error), RT_OK);
        cr_expect_null(rt_input_form_read(path, &error));
        cr_expect_eq(error.status, RT_FORMAT, "case %zu", i);
        cr_expect(strstr(error.message, bad[i].says), "case %zu: %s", i, error.message);
    }
    cr_assert_eq(rt_model_save(model, path, NULL, &error), RT_OK);
    cr_expect_null(rt_input_form_read(path, &error));
    cr_expect_eq(error.status, RT_NOT_FOUND);
    rt_model_free(model);
    cr_expect_eq(rt_alloc_stats_get().live_blocks, 0);
}
