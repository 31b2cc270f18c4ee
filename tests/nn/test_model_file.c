/* Model files: what is loaded against what was saved, bit by bit; files that lie, of another model or
 * cut short must be refused with the model as it was; every allocation is made to fail once. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/safetensors.h"
#include "retort/alloc.h"
#include "retort/nn.h"

static char path[64];

static void make_path(void) {
    snprintf(path, sizeof path, "/tmp/retort-model-XXXXXX");
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
}

static void remove_path(void) { unlink(path); }

TestSuite(model_file, .init = make_path, .fini = remove_path);

static rt_model *make(const char *hidden, const char *activation, uint64_t seed) {
    int count;
    const rt_param *rows = rt_model_rows("mlp", &count);
    static rt_params options;
    rt_params_init(&options, rows, count);
    cr_assert_eq(rt_params_set_text(&options, "hidden", hidden, NULL), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "activation", activation, NULL), RT_OK);
    cr_assert_eq(rt_params_set_text(&options, "dropout.hidden", "0.25", NULL), RT_OK);
    return rt_model_new("mlp", &options, 3, (const int64_t[]){1, 2, 3}, 4, seed, NULL);
}

static void refused(rt_model *m, const char *says) {
    int64_t n;
    rt_real *block = rt_model_block(m, &n), *before = malloc((size_t)n * sizeof *before);
    memcpy(before, block, (size_t)n * sizeof *before);
    rt_error error = {0};
    cr_assert_neq(rt_model_load(m, path, &error), RT_OK, "%s", says);
    cr_assert(strstr(error.message, says) && strstr(error.message, path), "%s", error.message);
    cr_assert_arr_eq(block, before, (size_t)n * sizeof *before);
    free(before);
}

static void not_opened(const char *says) {
    rt_error error = {0};
    cr_assert_null(rt_model_open(path, &error), "%s", says);
    cr_assert(strstr(error.message, says), "wanted \"%s\", got: %s", says, error.message);
}

Test(model_file, round_trip_is_bit_exact_with_and_without_a_model) {
    rt_model *m = make("[5, 3]", "tanh", 1), *other = make("[5, 3]", "tanh", 2);
    const char *const extra[] = {"note", "a b", "retort.model", "not mine to say", NULL};
    cr_assert_eq(rt_model_save(m, path, extra, NULL), RT_OK);
    char wanted[33], got[33];
    rt_model_hash(m, wanted), rt_model_hash(other, got);
    cr_assert_str_neq(wanted, got);
    rt_error error = {0};
    cr_assert_eq(rt_model_load(other, path, &error), RT_OK, "%s", error.message);
    rt_model_hash(other, got);
    cr_assert_str_eq(wanted, got);

    rt_model *opened = rt_model_open(path, &error);
    cr_assert_not_null(opened, "%s", error.message);
    rt_model_hash(opened, got);
    cr_assert_str_eq(wanted, got);
    cr_assert_str_eq(rt_model_summary(opened), rt_model_summary(m));
    cr_assert_str_eq(rt_model_options(opened), rt_model_options(m));
    int64_t n, k;
    rt_real *a = rt_model_block(m, &n), *b = rt_model_block(opened, &k);
    cr_assert_eq(n, k);
    cr_assert_arr_eq(a, b, (size_t)n * sizeof *a);
    cr_assert(rt_model_parameter(opened, 0)->tensor.requires_grad);

    rti_st_file file;
    cr_assert_eq(rti_st_read(&file, path, NULL), RT_OK);
    cr_assert_str_eq(rti_st_metadata(&file, "note"), "a b");
    cr_assert_str_eq(rti_st_metadata(&file, "retort.model"), "mlp");
    cr_assert_str_eq(rti_st_metadata(&file, "retort.input_shape"), "[1, 2, 3]");
    rti_st_deinit(&file);
    rt_model_free(m), rt_model_free(other), rt_model_free(opened);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(model_file, other_models_are_refused) {
    rt_model *m = make("[5, 3]", "relu", 1);
    rt_model *wider = make("[6, 3]", "relu", 1), *deeper = make("[5, 3, 4]", "relu", 1);
    rt_model *flatter = make("[5]", "relu", 1), *curved = make("[5, 3]", "gelu", 1);
    cr_assert_eq(rt_model_save(m, path, NULL, NULL), RT_OK);
    refused(wider, "(5, 6)");
    refused(deeper, "fc4.weight");
    refused(flatter, "fc2.weight");
    refused(curved, "another structure");
    unlink(path);
    refused(m, path);
    not_opened(path);
    rt_model_free(m), rt_model_free(wider), rt_model_free(deeper), rt_model_free(flatter),
        rt_model_free(curved);
}

/* A 6-2 softmax regression as a file, with one thing wrong. */
typedef struct fake {
    float weight[12], bias[2];
    const char *metadata[16];
    rti_st_entry entries[3];
    int count;
} fake;

static void fake_init(fake *f) {
    memset(f, 0, sizeof *f);
    static const char *const good[] = {"retort.model", "mlp", "retort.options", "hidden = []\n",
                                       "retort.input_shape", "[2, 3]", "retort.classes", "2", NULL};
    memcpy(f->metadata, good, sizeof good);
    for (int i = 0; i < 12; i++) f->weight[i] = (float)i;
    f->entries[0] = (rti_st_entry){.name = "fc1.weight",
                                   .dtype = RTI_ST_F32,
                                   .ndim = 2,
                                   .shape = {2, 6},
                                   .count = 12,
                                   .data = (const unsigned char *)f->weight,
                                   .bytes = 48};
    f->entries[1] = (rti_st_entry){.name = "fc1.bias",
                                   .dtype = RTI_ST_F32,
                                   .ndim = 1,
                                   .shape = {2},
                                   .count = 2,
                                   .data = (const unsigned char *)f->bias,
                                   .bytes = 8};
    f->count = 2;
}

static void fake_write(const fake *f) {
    rt_error error = {0};
    cr_assert_eq(rti_st_write(path, f->entries, f->count, f->metadata, &error), RT_OK, "%s", error.message);
}

Test(model_file, opens_what_others_wrote_in_float) {
    fake f;
    fake_init(&f);
    fake_write(&f);
    rt_error error = {0};
    rt_model *m = rt_model_open(path, &error);
    cr_assert_not_null(m, "%s", error.message);
    cr_assert_str_eq(rt_model_summary(m), "6-2");
    for (int i = 0; i < 12; i++) cr_assert_eq(rt_real_data(&rt_model_parameter(m, 0)->tensor)[i], i);
    rt_model_free(m);
}

Test(model_file, lying_metadata_is_refused) {
    static const struct {
        int at;
        const char *value, *says;
    } lies[] = {
        {1, "perceptron", "kind of model \"perceptron\""},
        {1, "", "kind of model"},
        {3, "hidden = [0]\n", "1 ... 65536"},
        {3, "hidden = [99999999999]\n", "65536"},
        {3, "hiden = []\n", "did you mean \"hidden\""},
        {3, "nonsense", "no option"},
        {3, "hidden = [4]\n", "fc1.weight"},
        {3, "hidden = [65536, 65536, 65536]\n", "fc1.weight"},
        {5, "[2, 3", "list"},
        {5, "[]", "dimensions"},
        {5, "[2, -3]", "1 ..."},
        {5, "[1,1,1,2,3,1,1]", "dimensions"},
        {5, "[2147483648, 2147483648]", "2^31"},
        {5, "[2147483648]", "fc1.weight"},
        {5, "[7]", "(2, 7)"},
        {7, "0", "65536"},
        {7, "3", "(3, 6)"},
        {7, "1e300", "whole number"},
        {7, "two", "whole number"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        fake f;
        fake_init(&f);
        f.metadata[lies[i].at] = lies[i].value;
        fake_write(&f);
        size_t peak = rt_alloc_stats_get().peak_bytes;
        not_opened(lies[i].says);
        cr_assert_lt(rt_alloc_stats_get().peak_bytes, peak + 1000000, "memory was asked for before looking");
    }
    for (int at = 0; at < 8; at += 2) {
        fake f;
        fake_init(&f);
        f.metadata[at] = "something.else";
        fake_write(&f);
        not_opened("has no metadata");
    }
    char long_line[2000];
    memset(long_line, 'x', sizeof long_line);
    long_line[sizeof long_line - 1] = 0;
    fake f;
    fake_init(&f);
    f.metadata[3] = long_line;
    fake_write(&f);
    not_opened("too long");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(model_file, wrong_tensors_are_refused) {
    fake f;
    fake_init(&f);
    f.weight[7] = NAN;
    fake_write(&f);
    not_opened("not finite at position 7");

    fake_init(&f);
    f.count = 1;
    fake_write(&f);
    not_opened("no tensor \"fc1.bias\"");

    fake_init(&f);
    f.entries[2] = f.entries[1];
    f.entries[2].name = "fc2.bias";
    f.count = 3;
    fake_write(&f);
    not_opened("\"fc2.bias\" has no place");

    fake_init(&f);
    static const int32_t numbers[2] = {1, 2};
    f.entries[1].dtype = RTI_ST_I32;
    f.entries[1].data = (const unsigned char *)numbers;
    fake_write(&f);
    not_opened("holds I32");

    if (sizeof(rt_real) == sizeof(float)) {
        static const double wide[2] = {1, 2};
        fake_init(&f);
        f.entries[1].dtype = RTI_ST_F64;
        f.entries[1].data = (const unsigned char *)wide;
        f.entries[1].bytes = sizeof wide;
        fake_write(&f);
        not_opened("holds F64");
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(model_file, cut_files_are_refused) {
    rt_model *m = make("[2]", "relu", 1);
    cr_assert_eq(rt_model_save(m, path, NULL, NULL), RT_OK);
    FILE *file = fopen(path, "rb");
    static unsigned char bytes[8192];
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    cr_assert(length > 500 && length < sizeof bytes);
    for (size_t n = 0; n < length; n += n < 16 || n + 16 > length ? 1 : 15) {
        file = fopen(path, "wb");
        fwrite(bytes, 1, n, file);
        fclose(file);
        refused(m, path);
        cr_assert_null(rt_model_open(path, NULL));
    }
    rt_model_free(m);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(model_file, every_allocation_may_fail) {
    rt_model *m = make("[3]", "relu", 1), *opened = NULL;
    cr_assert_eq(rt_model_save(m, path, NULL, NULL), RT_OK);
    size_t live = rt_alloc_stats_get().live_blocks;
    for (size_t n = 1; !opened; n++) {
        rt_error error = {0};
        rt_alloc_fail_after(n);
        opened = rt_model_open(path, &error);
        rt_alloc_fail_after(0);
        if (!opened)
            cr_assert(error.status == RT_MEMORY && rt_alloc_stats_get().live_blocks == live, "%zu: %s", n,
                      error.message);
        cr_assert_lt(n, 1000);
    }
    rt_model_free(opened);
    rt_status status = RT_MEMORY;
    for (size_t n = 1; status != RT_OK; n++) {
        rt_alloc_fail_after(n);
        status = rt_model_save(m, path, NULL, NULL);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live);
        opened = rt_model_open(path, NULL);
        cr_assert_not_null(opened, "the old file is still there");
        rt_model_free(opened);
    }
    rt_model_free(m);
}
