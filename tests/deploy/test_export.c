/* What is exported, read back: by the reader of files with PyTorch's names, by the reader of NumPy's arrays,
 * and against answers computed here. From outside, the command: what it writes, where, and what it refuses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../nn/images_fixture.h"
#include "../support/program.h"
#include "../support/temporary.h"
#include "core/file.h"
#include "deploy/export.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "retort/alloc.h"

static rt_error error;

static rt_model *net(uint64_t seed) {
    return fixture_image_model("cnn", "filters=[2,3] pool_after=[1] hidden=[5] batch_norm=true", fixture_image,
                               3, seed);
}

Test(export, a_file_for_pytorch_is_one_for_retort) {
    char ours[33], theirs[33];
    rt_model *m = net(1), *other = net(2);
    cr_assert_eq(rti_export_torch(m, test_path("m.safetensors"), &error), RT_OK, "%s", error.message);
    cr_assert_eq(rt_model_load(other, test_path("m.safetensors"), &error), RT_OK, "%s", error.message);
    rt_model_hash(m, ours), rt_model_hash(other, theirs);
    cr_assert_str_eq(ours, theirs);
    rti_st_file file;
    cr_assert_eq(rti_st_read(&file, test_path("m.safetensors"), &error), RT_OK);
    cr_assert_str_eq(rti_st_metadata(&file, "format"), "pt");
    cr_assert(strstr(rti_st_metadata(&file, "module"), "nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, bias=False)"));
    const rti_st_entry *batches = rti_st_find(&file, "1.num_batches_tracked");
    cr_assert(batches && batches->dtype == RTI_ST_I64 && batches->ndim == 0 && batches->data[0] == 0);
    rti_st_deinit(&file);
    rt_model_free(m), rt_model_free(other);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(export, arrays_are_the_tensors_of_that_file) {
    rt_model *m = net(1);
    char directory[512], path[600];
    snprintf(directory, sizeof directory, "%s", test_path("arrays"));
    cr_assert_eq(rti_export_npy(m, directory, &error), RT_OK, "%s", error.message);
    cr_assert_eq(rti_export_torch(m, test_path("m.safetensors"), &error), RT_OK);
    rti_st_file file;
    cr_assert_eq(rti_st_read(&file, test_path("m.safetensors"), &error), RT_OK);
    for (int i = 0; i < file.count; i++) {
        const rti_st_entry *e = &file.entries[i];
        rti_npy a;
        snprintf(path, sizeof path, "%s/%s.npy", directory, e->name);
        cr_assert_eq(rti_npy_read(&a, path, &error), RT_OK, "%s", error.message);
        cr_assert_eq(a.ndim, e->ndim);
        for (int d = 0; d < e->ndim; d++) cr_assert_eq(a.shape[d], e->shape[d]);
        cr_assert_eq((size_t)a.count * (size_t)a.item_bytes, e->bytes);
        cr_assert_arr_eq(a.data, e->data, e->bytes);
        rti_npy_deinit(&a);
    }
    cr_assert_eq(rti_export_npy(m, directory, &error), RT_VALUE);
    cr_assert(strstr(error.message, "is there already"), "%s", error.message);
    rti_st_deinit(&file);

    /* Nothing is left of one that failed. */
    snprintf(path, sizeof path, "%s/none/arrays", directory);
    for (size_t n = 1; n < 40; n++) {
        snprintf(path, sizeof path, "%s-%d", directory, (int)n);
        rt_alloc_fail_after(n);
        rt_status status = rti_export_npy(m, path, &error);
        rt_alloc_fail_after(0);
        if (status == RT_OK) break;
        cr_assert(!rti_file_exists(path));
        snprintf(path + strlen(path), 64, ".tmp-%ld", (long)getpid());
        cr_assert(!rti_file_exists(path));
    }
    rt_model_free(m);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(export, logits_are_the_answers_in_the_order_of_the_examples) {
    enum { N = 1203, D = 288 };
    static uint8_t pixels[N * D];
    static int32_t labels[N];
    rt_rng rng = rt_rng_stream(1, "pixels", 0, 0);
    for (int i = 0; i < N * D; i++) pixels[i] = (uint8_t)rt_rng_below(&rng, 256);
    rt_examples e = {.count = N, .ndim = 3, .shape = {2, 12, 12}, .features = D, .classes = 3, .bytes = pixels,
                     .labels = labels, .scale = 1.0 / 255};
    rt_model *m = net(1);
    cr_assert_eq(rti_export_logits(m, &e, test_path("v.npy"), &error), RT_OK, "%s", error.message);
    rti_npy a;
    cr_assert_eq(rti_npy_read(&a, test_path("v.npy"), &error), RT_OK);
    cr_assert(a.ndim == 2 && a.shape[0] == N && a.shape[1] == 3);
    for (int i = 0; i < N; i += 401) { /* one by one: an answer does not depend on its batch */
        rt_graph *g = rt_graph_new(NULL);
        rt_tensor *x = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (int64_t[]){1, D});
        for (int d = 0; d < D; d++) rt_real_data(x)[d] = (rt_real)(pixels[i * D + d] * e.scale);
        rt_tensor *z = rt_model_forward(m, g, x);
        for (int k = 0; k < 3; k++)
            cr_assert_float_eq(rti_npy_value(&a, i * 3 + k), (double)rt_real_data(z)[k], 1e-5);
        rt_graph_free(g);
    }
    rti_npy_deinit(&a);
    e.classes = 4;
    cr_assert_eq(rti_export_logits(m, &e, test_path("v.npy"), &error), RT_SHAPE);
    rt_model_free(m);
}

/* ---- the command ---- */

static test_run result;

static void command(int status, const char *says, const char *const arguments[]) {
    test_program(&result, arguments);
    cr_assert_eq(result.status, status, "%s%s", result.out, result.err);
    cr_assert(strstr(result.out, says) || strstr(result.err, says), "not \"%s\": %s%s", says, result.out,
              result.err);
}
#define COMMAND(status, says, ...) command(status, says, (const char *const[]){"export", __VA_ARGS__, NULL})

Test(export, the_command_writes_and_refuses) {
    char file[512], out[512], link[512];
    snprintf(file, sizeof file, "%s", test_path("own.safetensors"));
    snprintf(out, sizeof out, "%s", test_path("out.safetensors"));
    snprintf(link, sizeof link, "%s", test_path("link.safetensors"));
    rt_model *m = rt_mlp_new(3, (int64_t[]){784, 7, 10}, 1, &error);
    cr_assert_eq(rt_model_save(m, file, NULL, &error), RT_OK);
    rt_model_free(m);
    COMMAND(0, "net = nn.Sequential(nn.Linear(784, 7), nn.ReLU(), nn.Linear(7, 10))", file, "--to", "safetensors",
            "-o", out);
    cr_assert(rti_file_exists(out));
    COMMAND(1, "is the network itself", file, "--to", "safetensors", "-o", file);
    cr_assert_eq(symlink(file, link), 0);
    COMMAND(1, "is the network itself", file, "--to", "safetensors", "-o", link);
    rt_model *still = rt_model_open(file, &error);
    cr_assert(still, "%s", error.message);
    rt_model_free(still);
    COMMAND(1, "[teacher] weights", out, "--to", "safetensors"); /* says not what it is */
    COMMAND(2, "did you mean \"safetensors\"?", file, "--to", "safetensor");
    COMMAND(2, "--to which format?", file);
    COMMAND(2, "which network?", "--to", "npy");
    COMMAND(2, "go with --to logits", file, "--to", "npy", "--data", "digits");
    COMMAND(1, "on which data?", file, "--to", "logits");
    snprintf(out, sizeof out, "%s", test_path("v.npy"));
    COMMAND(0, "1200 rows of 10 logits", file, "--to", "logits", "--data", "digits", "--set",
            "data.digits.train=1200", "-o", out);
    COMMAND(0, "60 rows of 10 logits, one for each test example", file, "--to", "logits", "--data", "digits",
            "--set", "data.digits.test=60", "--part", "test", "-o", out);
}
