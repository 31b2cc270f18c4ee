/* ONNX files: read by a second reader (onnx_reader.h) that knows the format's published field numbers and
 * operators and nothing of retort, they are well-formed and give retort's logits, to rounding, for a small
 * network of every kind and for layers that no kind has. Where node is there and the package onnxruntime-web
 * is, or can be fetched, ONNX Runtime itself must load all of them and give the same logits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../nn/images_fixture.h"
#include "../support/program.h"
#include "../support/temporary.h"
#include "core/file.h"
#include "deploy/onnx.h"
#include "onnx_reader.h"
#include "retort/alloc.h"

enum { N = 3 };

/* ---- networks ---- */

static const struct {
    const char *kind, *settings;
    int ndim;
    int64_t shape[3];
} kinds[] = {
    {"mlp", "hidden=[]", 1, {7}},
    {"mlp", "hidden=[5,4]", 1, {7}},
    {"mlp", "hidden=[6] activation=leaky-relu bias=false", 2, {3, 4}},
    {"mlp", "hidden=[6,5] activation=tanh dropout.input=0.2 dropout.hidden=0.5", 3, {2, 3, 4}},
    {"mlp", "hidden=[6] activation=sigmoid", 1, {7}},
    {"mlp", "hidden=[6] activation=softplus", 1, {7}},
    {"mlp", "hidden=[6,4] activation=gelu", 1, {7}},
    {"lenet5", "", 3, {1, 16, 20}},
    {"lenet5", "activation=tanh pool=mean dropout=0.3", 2, {16, 14}},
    {"cnn", "filters=[2,3,3] pool_after=[1,3] hidden=[5]", 3, {2, 12, 14}},
    {"cnn", "filters=[3,4] activation=gelu kernel=5 hidden=[6,5]", 3, {2, 12, 8}},
    {"cnn",
     "filters=[3,4] batch_norm=true activation=tanh padding=none pool_after=[] hidden=[]",
     3,
     {2, 7, 9}},
    {"cnn", "filters=[3,4] batch_norm=true hidden=[5] dropout=0.5", 2, {8, 8}},
    {"plain", "layers=2", 3, {2, 12, 12}},
    {"resnet", "depth=8 filters=[2,3,4,5]", 3, {2, 12, 12}},
    {"resnet", "depth=14 filters=[2,2,3,6] shortcut=pad", 3, {3, 9, 11}},
    {"wrn", "depth=10 base=2", 3, {2, 12, 12}},
    {"wrn", "depth=16 base=1 width=2 dropout=0.3", 3, {1, 9, 12}},
    {"vgg", "depth=8 filters=[2,3,5,6,8]", 3, {2, 12, 12}},
    {"vgg", "depth=8 filters=[6,8,8,8,9] batch_norm=false dropout=0.2", 3, {2, 16, 8}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static rt_error error;

#define OK(call) cr_assert_eq((call), RT_OK, "%s", error.message)

/* Layers that kinds of models do not have, or not so: an example that is (H, W, C) itself, dilation, groups,
 * a stride, the transpose, pools with padding and adaptive ones, sums, normalised rows of a flattened image,
 * a parameter that hands on. */
static rt_model *uncommon(int which) {
    rt_model *m = rti_model_begin("uncommon", 3, (const int64_t[]){9, 8, 4}, &error);
    cr_assert(m, "%s", error.message);
    const rti_conv grouped = {.kernel = 3,
                              .padding = 2,
                              .dilation = 2,
                              .groups = 2,
                              .bias = true,
                              .activation = RT_ACT_LEAKY_RELU,
                              .init = RTI_INIT_HE},
                   strided = {.kernel = 2, .stride = 2, .padding = 1, .init = RTI_INIT_HE},
                   back = {.kernel = 3,
                           .stride = 2,
                           .padding = 1,
                           .dilation = 2,
                           .bias = true,
                           .activation = RT_ACT_GELU,
                           .init = RTI_INIT_HE};
    const rti_pool mean = {.kind = RTI_POOL_AVG, .size = 3, .stride = 2, .padding = 1},
                   most = {.kind = RTI_POOL_MAX, .size = 3, .stride = 1, .padding = 1},
                   cells = {.kind = RTI_POOL_ADAPTIVE_MAX, .size = 2},
                   whole = {.kind = RTI_POOL_ADAPTIVE_AVG, .size = 1}, end = {.kind = RTI_POOL_GLOBAL};
    const rti_linear linear = {.bias = true, .init = RTI_INIT_HE, .activation = RT_ACT_SOFTPLUS};
    OK(rti_model_add_conv(m, "grouped", 6, &grouped, &error)); /* 9 8 6 */
    OK(rti_model_add_pool(m, "most", &most, &error));
    OK(rti_model_add_sum(m, "sum", "grouped", RT_ACT_TANH, &error));
    if (which == 0) {
        OK(rti_model_add_conv(m, "strided", 3, &strided, &error));     /* 5 5 3 */
        OK(rti_model_add_conv_transpose(m, "back", 5, &back, &error)); /* 11 11 5 */
        OK(rti_model_add_activation(m, "act", RT_ACT_SIGMOID, &error));
        OK(rti_model_add_pool(m, "mean", &mean, &error));   /* 6 6 5 */
        OK(rti_model_add_pool(m, "cells", &cells, &error)); /* 2 2 5 */
        OK(rti_model_add_flatten(m, "flat", &error));
        OK(rti_model_add_batch_norm(m, "rows", NULL, &error));
        OK(rti_model_add_dropout(m, "rows", 0.5, &error));
        OK(rti_model_add_activation(m, "again", RT_ACT_RELU, &error));
        OK(rti_model_add_linear(m, "end", 4, &linear, &error));
    } else {
        OK(rti_model_add_shortcut(m, "shortcut", 3, 9, &error)); /* 3 3 9 */
        OK(rti_model_add_pool(m, "whole", &whole, &error));      /* 1 1 9 */
        OK(rti_model_add_pool(m, "end", &end, &error));
    }
    OK(rti_model_add_free_parameter(m, "knob", RT_WEIGHT, 1, (const int64_t[]){3}, 0.5, &error));
    OK(rti_model_end(m, 5, &error));
    return m;
}

enum { UNCOMMON = 2, ALL = KINDS + UNCOMMON };

/* With weights, biases and statistics that are no round numbers. */
static rt_model *network(int i) {
    rt_model *m = i >= KINDS ? uncommon(i - KINDS)
                             : fixture_try(kinds[i].kind, kinds[i].settings, kinds[i].ndim, kinds[i].shape, 3,
                                           11, &error);
    cr_assert(m, "%s", error.message);
    for (int p = 0; p < m->parameter_count; p++) {
        rt_parameter *one = &m->parameters[p];
        rt_rng r = rt_rng_stream(23, one->name, 0, 0);
        const bool variance = strstr(one->name, "running_variance") != NULL, matrix = one->tensor.ndim == 2;
        const double around = variance || one->kind == RT_SCALE, wide_by = variance ? 0.1
                                                                           : matrix ? 0.5
                                                                                    : 0.3;
        if (one->kind == RT_WEIGHT && !matrix) continue;
        for (int64_t k = 0; k < rt_tensor_count(&one->tensor); k++)
            rt_real_data(&one->tensor)[k] = (rt_real)(around + wide_by * rt_rng_normal(&r));
    }
    return m;
}

static const char *title(int i) {
    static char text[160];
    snprintf(text, sizeof text, "%s %s", i < KINDS ? kinds[i].kind : "uncommon layers",
             i < KINDS ? kinds[i].settings : "");
    return text;
}

/* N examples, and what retort says about them; logits (N, 65536 / N) at most. */
static int64_t ask(rt_model *m, rt_real *x, double *logits) {
    int64_t shape[RT_MAX_DIMS] = {N};
    memcpy(shape + 1, m->input_shape, (size_t)m->input_ndim * sizeof *shape);
    fixture_numbers(x, N * m->features, 31);
    rt_tensor in;
    rt_tensor_view_init(&in, RT_DTYPE_REAL, m->input_ndim + 1, shape, x);
    rt_graph *g = rt_graph_new(&error);
    rt_no_grad_begin(g);
    rt_tensor *z = rt_model_forward(m, g, &in);
    cr_assert(z, "%s", rt_graph_error(g)->message);
    const int64_t columns = z->shape[1];
    for (int64_t i = 0; i < N * columns; i++) logits[i] = (double)rt_real_data(z)[i];
    rt_no_grad_end(g);
    rt_graph_free(g);
    return columns;
}

static double largest(const double *a, int64_t count) {
    double most = 0;
    for (int64_t i = 0; i < count; i++) most = fabs(a[i]) > most ? fabs(a[i]) : most;
    return most;
}

/* ---- structure ---- */

static int times_named(const onnx_model *m, const char *name) {
    int times = strcmp(m->input.name, name) == 0;
    for (int i = 0; i < m->array_count; i++) times += strcmp(m->arrays[i].name, name) == 0;
    for (int i = 0; i < m->node_count; i++) times += strcmp(m->nodes[i].out, name) == 0;
    return times;
}

/* Every name is given once, ahead of where it is read, and every initialiser is read. */
static void check_names(onnx_model *m) {
    for (int i = 0; i < m->node_count; i++) {
        const onnx_node *n = &m->nodes[i];
        cr_assert_eq(times_named(m, n->out), 1, "%s", n->out);
        for (int k = 0; k < n->in_count; k++) {
            bool there = strcmp(n->in[k], m->input.name) == 0;
            for (int e = 0; e < i; e++) there |= strcmp(n->in[k], m->nodes[e].out) == 0;
            for (int a = 0; a < m->array_count; a++) {
                const bool same = strcmp(n->in[k], m->arrays[a].name) == 0;
                m->arrays[a].readers += same;
                there |= same;
            }
            cr_assert(there, "node %s reads %s, which is not there yet", n->name, n->in[k]);
        }
    }
    for (int a = 0; a < m->array_count; a++) {
        cr_assert_eq(times_named(m, m->arrays[a].name), 1, "%s", m->arrays[a].name);
        cr_assert_gt(m->arrays[a].readers, 0, "nobody reads %s", m->arrays[a].name);
    }
}

static void check_heads(const onnx_model *m, const rt_model *net, int64_t columns) {
    char fingerprint[33];
    rt_model_hash(net, fingerprint);
    cr_assert_eq(m->ir_version, 8);
    cr_assert_eq(m->opset, 13);
    cr_assert_str_eq(m->producer, "retort");
    cr_assert_neq(m->version[0], 0);
    cr_assert_str_eq(m->graph, rt_model_kind(net));
    cr_assert_str_eq(m->fingerprint, fingerprint);
    cr_assert_str_eq(m->summary, rt_model_summary(net));
    cr_assert(m->inputs == 1 && m->outputs == 1 && m->input.type == 1 && m->output.type == 1);
    cr_assert_str_eq(m->input.name, "input");
    cr_assert_str_eq(m->output.name, "logits");
    cr_assert_str_eq(m->input.batch, "N");
    cr_assert_str_eq(m->output.batch, "N");
    cr_assert(m->output.ndim == 1 && m->output.dims[0] == columns);
    cr_assert_eq(m->input.ndim, net->input_ndim);
    for (int i = 0; i < m->input.ndim; i++) cr_assert_eq(m->input.dims[i], net->input_shape[i]);
}

static onnx_model file; /* large */
static rt_real x[65536];
static double wide[65536], logits[65536];

Test(onnx, a_network_of_every_kind_is_well_formed_and_answers_as_retort_does) {
    for (int i = 0; i < ALL; i++) {
        rt_model *m = network(i);
        const int64_t columns = ask(m, x, logits);
        OK(rti_onnx_write(m, NULL, test_path("m.onnx"), &error));
        onnx_read(&file, test_path("m.onnx"));
        check_heads(&file, m, columns);
        check_names(&file);
        for (int64_t k = 0; k < N * m->features; k++) wide[k] = (double)x[k];
        int64_t given;
        double *answer = onnx_run(&file, N, wide, &given);
        cr_assert_eq(given, columns);
        const double size = largest(logits, N * columns);
        double apart = 0;
        for (int64_t k = 0; k < columns; k++) apart = fmax(apart, fabs(logits[k] - logits[columns + k]));
        cr_assert(apart > 1e-3 * size, "%s: says the same about all examples", title(i));
        for (int64_t k = 0; k < N * columns; k++)
            cr_assert(fabs(answer[k] - logits[k]) <= 4e-6 * (1 + size), "%s: %g, retort says %g", title(i),
                      answer[k], logits[k]);
        free(answer);
        onnx_free(&file);
        rt_model_free(m);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- raw input ---- */

/* One entry for all, one for each channel, one for each number: the graph reads raw numbers and says what
 * the network says about scale raw + shift. A form of 1 and 0 adds no node. */
Test(onnx, with_a_form_the_graph_reads_raw_numbers) {
    rt_model *m = network(9); /* (2, 12, 14) */
    const int64_t counts[] = {1, 2, m->features}, columns = 3;
    static double scale[2048], shift[2048];
    for (int c = 0; c < 3; c++) {
        const rt_input_form form = {.count = counts[c], .scale = scale, .shift = shift};
        rt_rng r = rt_rng_stream(3, "form", (uint64_t)c, 0);
        for (int64_t i = 0; i < form.count; i++) {
            scale[i] = 0.01 + rt_rng_uniform(&r);
            shift[i] = rt_rng_normal(&r);
        }
        cr_assert_eq(ask(m, x, logits), columns);
        for (int64_t i = 0; i < N * m->features; i++) {
            const int64_t entry = i % m->features / (m->features / form.count);
            wide[i] = ((double)x[i] - shift[entry]) / scale[entry];
        }
        OK(rti_onnx_write(m, &form, test_path("m.onnx"), &error));
        onnx_read(&file, test_path("m.onnx"));
        check_names(&file);
        int64_t given;
        double *answer = onnx_run(&file, N, wide, &given);
        for (int64_t k = 0; k < N * columns; k++)
            cr_assert_float_eq(answer[k], logits[k], 2e-5 * (1 + largest(logits, N * columns)));
        free(answer);
        onnx_free(&file);
    }
    OK(rti_onnx_write(m, NULL, test_path("plain.onnx"), &error));
    scale[0] = 1, shift[0] = 0;
    OK(rti_onnx_write(m, &(rt_input_form){.count = 1, .scale = scale, .shift = shift}, test_path("m.onnx"),
                      &error));
    size_t lengths[2];
    char *same[] = {test_file(test_path("plain.onnx"), &lengths[0]),
                    test_file(test_path("m.onnx"), &lengths[1])};
    cr_assert(lengths[0] == lengths[1] && memcmp(same[0], same[1], lengths[0]) == 0);
    free(same[0]);
    free(same[1]);
    rt_model_free(m);
}

/* ---- what can not be written ---- */

static rt_tensor *unknown_forward(const rt_model *m, rti_layer *layer, rt_graph *g, rt_tensor *in) {
    (void)m, (void)layer;
    return rt_relu(g, in);
}
static const rti_layer_kind unknown_kind = {.name = "sorcery", .forward = unknown_forward};

static void refuse(rt_model *m, const rt_input_form *form, rt_status status, const char *part) {
    char path[1024];
    snprintf(path, sizeof path, "%s", test_path("refused.onnx"));
    error = (rt_error){0};
    cr_assert_eq(rti_onnx_write(m, form, path, &error), status, "%s", error.message);
    cr_assert(strstr(error.message, part), "\"%s\" does not say \"%s\"", error.message, part);
    cr_assert_not(rti_file_exists(path), "a file was left");
    rt_model_free(m);
}

static rt_model *begin(int64_t side) {
    rt_model *m = rti_model_begin("odd", 3, (const int64_t[]){side, side, 2}, &error);
    cr_assert(m);
    return m;
}

Test(onnx, what_has_no_operator_is_refused_by_name) {
    rt_model *m = begin(4);
    cr_assert(rti_model_add_layer(m, &unknown_kind, "spell", &error));
    OK(rti_model_add_flatten(m, "flat", &error));
    OK(rti_model_add_linear(m, "fc", 2, &(rti_linear){.init = RTI_INIT_HE}, &error));
    OK(rti_model_end(m, 1, &error));
    refuse(m, NULL, RT_UNSUPPORTED, "layer spell is of the kind \"sorcery\"");

    const rti_linear rounded = {.init = RTI_INIT_HE, .int8 = true};
    m = begin(4);
    OK(rti_model_add_linear(m, "fc", 2, &rounded, &error));
    OK(rti_model_end(m, 1, &error));
    refuse(m, NULL, RT_UNSUPPORTED, "layer fc is in training for int8");

    m = begin(4);
    OK(rti_model_add_int8(m, "grid", &(rti_grid){.low = 0, .high = 1, .step = 0.1}, &error));
    OK(rti_model_add_pool(m, "end", &(rti_pool){.kind = RTI_POOL_GLOBAL}, &error));
    OK(rti_model_end(m, 1, &error));
    refuse(m, NULL, RT_UNSUPPORTED, "layer grid is of the kind \"int8\"");

    m = begin(5);
    OK(rti_model_add_pool(m, "cells", &(rti_pool){.kind = RTI_POOL_ADAPTIVE_AVG, .size = 2}, &error));
    OK(rti_model_add_pool(m, "end", &(rti_pool){.kind = RTI_POOL_GLOBAL}, &error));
    OK(rti_model_end(m, 1, &error));
    refuse(m, NULL, RT_UNSUPPORTED, "layer cells pools 5 x 5 pixels to 2 x 2 cells of different sizes");

    m = begin(4);
    OK(rti_model_add_pool(m, "half", &(rti_pool){.kind = RTI_POOL_MAX, .size = 2}, &error));
    OK(rti_model_end(m, 1, &error));
    refuse(m, NULL, RT_UNSUPPORTED, "the last layer, half, says no row of logits");

    m = begin(4);
    OK(rti_model_add_pool(m, "half", &(rti_pool){.kind = RTI_POOL_MAX, .size = 2}, &error));
    OK(rti_model_add_flatten(m, "flat", &error));
    OK(rti_model_end(m, 1, &error));
    refuse(m, NULL, RT_UNSUPPORTED, "the last layer, flat, says an image");

    m = begin(1); /* the example and an image of it are the same numbers in another order */
    OK(rti_model_add_pool(m, "one", &(rti_pool){.kind = RTI_POOL_MAX, .size = 1}, &error));
    OK(rti_model_add_sum(m, "sum", "input", RT_ACT_NONE, &error));
    OK(rti_model_add_pool(m, "end", &(rti_pool){.kind = RTI_POOL_GLOBAL}, &error));
    OK(rti_model_end(m, 1, &error));
    refuse(m, NULL, RT_UNSUPPORTED, "layer sum adds numbers that lie in different orders");

    double numbers[5] = {1, 1, 1, 1, 1};
    refuse(network(9), &(rt_input_form){.count = 5, .scale = numbers, .shift = numbers}, RT_SHAPE,
           "the form of the input has 5 entries");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(onnx, a_place_that_can_not_be_written_is_said_and_nothing_is_left) {
    rt_model *m = network(1);
    cr_assert_eq(rti_onnx_write(m, NULL, test_path("none/m.onnx"), &error), RT_IO);
    cr_assert(strstr(error.message, "none/m.onnx"), "%s", error.message);
    rt_model_free(m);
}

Test(onnx, survives_every_failing_allocation) {
    rt_model *m = network(15); /* a resnet, padded shortcuts */
    char path[1024];
    snprintf(path, sizeof path, "%s", test_path("m.onnx"));
    rt_status status = RT_MEMORY;
    for (size_t n = 1; status != RT_OK; n++) {
        const size_t before = rt_alloc_stats_get().live_blocks;
        rt_alloc_fail_after(n);
        status = rti_onnx_write(m, NULL, path, &error);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY, "allocation %d: %s", (int)n, error.message);
        cr_assert_eq(rti_file_exists(path), status == RT_OK);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, before);
    }
    rt_model_free(m);
}

/* ---- ONNX Runtime ----
 *
 * Its WebAssembly build, the package onnxruntime-web, under node: where node finds it (NODE_PATH), else in
 * build/node, where it is installed once unless RETORT_NO_INSTALL is set. */

static bool run_quietly(const char *const argv[], char *out, size_t size) {
    rti_bytes said = {NULL, 0};
    rt_error why = {0};
    const bool good = rti_program_run(argv, (size_t)1 << 20, &said, &why) == RT_OK;
    if (out) snprintf(out, size, "%.*s", good ? (int)said.count : 0, good ? (const char *)said.data : "");
    if (good) rt_free(said.data);
    return good;
}

/* Where node finds the package, below `directory` or elsewhere. */
static bool find_runtime(const char *directory, char *out, size_t size) {
    static const char script[] =
        "try{process.stdout.write(require.resolve('onnxruntime-web',{paths:[process.argv[1],'.',"
        "...(process.env.NODE_PATH||'').split(':').filter(Boolean)]}))}catch(e){}";
    return run_quietly((const char *const[]){"node", "-e", script, directory, NULL}, out, size) && out[0];
}

/* Asks the registry first, briefly: without a network the test must not wait. The package comes into another
 * directory and is renamed, so that nobody finds half of it. */
static void install(const char *directory) {
    static const char *const ask_first[] = {"npm",
                                            "view",
                                            "onnxruntime-web@1",
                                            "name",
                                            "--fetch-retries=0",
                                            "--fetch-timeout=4000",
                                            "--loglevel=silent",
                                            NULL};
    char fresh[1100], said[65536];
    snprintf(fresh, sizeof fresh, "%s.%ld", directory, (long)getpid());
    if (!run_quietly(ask_first, said, sizeof said)) return;
    if (rti_directory_make(fresh, NULL) != RT_OK) return;
    const char *const get[] = {"npm",
                               "install",
                               "--prefix",
                               fresh,
                               "--ignore-scripts",
                               "--no-audit",
                               "--no-fund",
                               "--no-save",
                               "--fetch-retries=1",
                               "--loglevel=silent",
                               "onnxruntime-web@1",
                               NULL};
    if (!run_quietly(get, said, sizeof said) || rename(fresh, directory) != 0)
        run_quietly((const char *const[]){"rm", "-rf", fresh, NULL}, NULL, 0);
}

static void skip(const char *why) {
    fprintf(stderr, "ONNX Runtime is left out: %s\n", why);
    cr_skip_test("%s", why);
}

/* Skips the test when there is none. */
static void need_runtime(char *out, size_t size) {
    char directory[1024];
    if (!rti_program_exists("node")) skip("there is no node to run it with");
    const char *program = test_program_path(), *slash = strrchr(program, '/');
    snprintf(directory, sizeof directory, "%.*s/node", slash ? (int)(slash - program) : 1,
             slash ? program : ".");
    if (find_runtime(directory, out, size)) return;
    const char *no = getenv("RETORT_NO_INSTALL");
    if (!(no && no[0]) && rti_program_exists("npm") && !rti_file_exists(directory)) install(directory);
    if (!find_runtime(directory, out, size))
        skip("node finds no package onnxruntime-web, and it could not be installed");
}

/* node SCRIPT RUNTIME DIRECTORY COUNT N: for each model i.onnx and i.in writes i.out. */
static const char script[] =
    "const [,, runtime, directory, count, n] = process.argv;\n"
    "const fs = require('fs'), ort = require(runtime);\n"
    "ort.env.wasm.numThreads = 1;\n"
    "ort.env.logLevel = 'error';\n"
    "(async () => {\n"
    "  for (let i = 0; i < +count; i++) {\n"
    "    const name = directory + '/' + i;\n"
    "    const session = await ort.InferenceSession.create(fs.readFileSync(name + '.onnx'),\n"
    "                                                      {executionProviders: ['wasm']});\n"
    "    const bytes = fs.readFileSync(name + '.in');\n"
    "    const x = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));\n"
    "    const dims = JSON.parse(fs.readFileSync(name + '.json', 'utf8'));\n"
    "    const said = await session.run({input: new ort.Tensor('float32', x, [+n, ...dims])});\n"
    "    fs.writeFileSync(name + '.out', Buffer.from(Float32Array.from(said.logits.data).buffer));\n"
    "  }\n"
    "  process.stdout.write('version ' + ort.env.versions.web);\n"
    "})().catch(e => { process.stdout.write(String(e)); process.exit(0); });\n";

static const char *numbered(int i, const char *end) {
    char name[32];
    snprintf(name, sizeof name, "%d.%s", i, end);
    return test_path(name);
}

static void write_case(int i, const rt_model *m) {
    static float narrow[65536];
    char dims[64];
    size_t length = (size_t)snprintf(dims, sizeof dims, "[");
    for (int d = 0; d < m->input_ndim; d++)
        length += (size_t)snprintf(dims + length, sizeof dims - length, "%s%lld", d ? "," : "",
                                   (long long)m->input_shape[d]);
    snprintf(dims + length, sizeof dims - length, "]");
    test_write(numbered(i, "json"), dims);
    for (int64_t k = 0; k < N * m->features; k++) narrow[k] = (float)x[k];
    OK(rti_file_write(numbered(i, "in"), narrow, (size_t)(N * m->features) * sizeof *narrow, &error));
    OK(rti_onnx_write(m, NULL, numbered(i, "onnx"), &error));
}

Test(onnx, onnx_runtime_loads_all_of_them_and_says_the_same) {
    char runtime[1024], said[4096];
    need_runtime(runtime, sizeof runtime);
    static double expected[ALL][N * 16];
    int64_t columns[ALL];
    for (int i = 0; i < ALL; i++) {
        rt_model *m = network(i);
        columns[i] = ask(m, x, logits);
        memcpy(expected[i], logits, (size_t)(N * columns[i]) * sizeof *logits);
        write_case(i, m);
        rt_model_free(m);
    }
    char path[1024], directory[1024], count[16], batch[16];
    snprintf(path, sizeof path, "%s", test_path("run.js"));
    snprintf(directory, sizeof directory, "%s", test_path(""));
    snprintf(count, sizeof count, "%d", ALL);
    snprintf(batch, sizeof batch, "%d", N);
    test_write(path, script);
    cr_assert(run_quietly((const char *const[]){"node", path, runtime, directory, count, batch, NULL}, said,
                          sizeof said));
    cr_assert(strncmp(said, "version ", 8) == 0, "ONNX Runtime: %s", said);
    for (int i = 0; i < ALL; i++) {
        size_t length;
        char *answer = test_file(numbered(i, "out"), &length);
        cr_assert(answer && length == (size_t)(N * columns[i]) * sizeof(float), "%s", title(i));
        double apart = 0;
        const double size = largest(expected[i], N * columns[i]);
        for (int64_t k = 0; k < N * columns[i]; k++) {
            float z;
            memcpy(&z, answer + k * (int64_t)sizeof z, sizeof z);
            apart = fmax(apart, fabs((double)z - expected[i][k]));
        }
        if (getenv("RETORT_VERBOSE"))
            printf("%-90s largest logit %8.4f  apart %.2e\n", title(i), size, apart);
        cr_assert(apart <= 1e-5 * (1 + size), "%s: logits are %g apart, the largest is %g", title(i), apart,
                  size);
        free(answer);
    }
    if (getenv("RETORT_VERBOSE")) printf("ONNX Runtime Web, %s\n", said);
}
