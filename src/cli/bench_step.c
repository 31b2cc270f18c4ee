/* bench_step.c - `retort bench step`: milliseconds of one training step.  Floor 9 (cli)
 *
 * Forward, backward and SGD with momentum of a convolutional network on random images, with the labels' loss
 * or with a fixed teacher's answers beside it. Nets, work and keys are those of the peers' program, so that
 * both can be started in turn. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "core/clock.h"
#include "kernels/kernels.h"
#include "nn/model.h"
#include "retort/retort.h"

enum { BATCHES = 4, STEPS_MAX = 1000 };

typedef struct work {
    const char *net;
    int threads, batch, warm_up, steps;
    bool distil;
    rt_model *model;
    rt_graph *graph;
    rt_optimizer *optimizer;
    int64_t features;
    rt_real *pixels, *answers; /* BATCHES batches */
    int32_t *labels;
} work;

/* The peers' names, and any kind with its default options. */
static const struct {
    const char *net, *kind, *settings;
    int64_t shape[3];
} nets[] = {
    {"lenet", "lenet5", "", {1, 28, 28}},
    {"conv32", "cnn", "filters=[32,32] pool_after=[2] padding=none hidden=[128] dropout=0.2", {1, 28, 28}},
    {"plain2", "plain", "layers=2", {3, 32, 32}},
    {"plain10", "plain", "layers=10", {3, 32, 32}},
    {"resnet8", "resnet", "depth=8", {3, 32, 32}},
    {"resnet14", "resnet", "depth=14", {3, 32, 32}},
    {"resnet20", "resnet", "depth=20", {3, 32, 32}},
    {"resnet8x4", "resnet", "depth=8 filters=[32,64,128,256]", {3, 32, 32}},
    {"wrn-16-1", "wrn", "depth=16 width=1", {3, 32, 32}},
    {"wrn-16-2", "wrn", "depth=16 width=2", {3, 32, 32}},
    {"wrn-40-2", "wrn", "depth=40 width=2", {3, 32, 32}},
    {"vgg8", "vgg", "depth=8", {3, 32, 32}},
};
enum { NETS = sizeof nets / sizeof nets[0] };

/* ---- making ---- */

static rt_status make_model(work *w, int net, rt_error *error) {
    static rt_params options;
    int count;
    const rt_param *rows = rt_model_rows(nets[net].kind, &count);
    rt_params_init(&options, rows, count);
    char text[128], *rest = text;
    snprintf(text, sizeof text, "%s", nets[net].settings);
    for (char *one; (one = strtok_r(rest, " ", &rest)) != NULL;) {
        char *sign = strchr(one, '=');
        *sign = 0;
        RT_TRY(rt_params_set_text(&options, one, sign + 1, error));
    }
    w->model = rt_model_new(nets[net].kind, &options, 3, nets[net].shape, 10, 1, error);
    w->features = nets[net].shape[0] * nets[net].shape[1] * nets[net].shape[2];
    return w->model ? RT_OK : error->status;
}

static rt_status make_data(work *w, rt_error *error) {
    const int64_t examples = (int64_t)BATCHES * w->batch;
    w->pixels = rt_alloc((size_t)(examples * w->features) * sizeof *w->pixels);
    w->answers = rt_alloc((size_t)(examples * 10) * sizeof *w->answers);
    w->labels = rt_alloc((size_t)examples * sizeof *w->labels);
    if (!w->pixels || !w->answers || !w->labels) return rt_fail(error, RT_MEMORY, "no memory for the images");
    rt_rng rng = rt_rng_stream(1, "bench", 0, 0);
    for (int64_t i = 0; i < examples * w->features; i++) w->pixels[i] = (rt_real)rt_rng_uniform(&rng);
    for (int64_t i = 0; i < examples * 10; i++) w->answers[i] = (rt_real)(3 * rt_rng_normal(&rng));
    for (int64_t i = 0; i < examples; i++) w->labels[i] = (int32_t)(rt_rng_u32(&rng) % 10);
    return RT_OK;
}

static rt_status make_optimizer(work *w, rt_error *error) {
    static rt_params training;
    int count;
    const rt_param *rows = rt_optimizer_rows(&count);
    rt_params_init(&training, rows, count);
    RT_TRY(rt_params_set_text(&training, "lr", "0.01", error));
    RT_TRY(rt_params_set_text(&training, "momentum", "0.9", error));
    RT_TRY(rt_params_set_text(&training, "weight_decay", "5e-4", error));
    w->optimizer = rt_optimizer_new(w->model, &training, "", 1, 1, error);
    return w->optimizer ? RT_OK : error->status;
}

static void release(work *w) {
    rt_optimizer_free(w->optimizer);
    rt_graph_free(w->graph);
    rt_model_free(w->model);
    rt_free(w->pixels);
    rt_free(w->answers);
    rt_free(w->labels);
}

/* ---- the work ---- */

static rt_status step(work *w, int number, rt_error *error) {
    const double T = 4, alpha = 0.9;
    const int64_t at = (int64_t)(number % BATCHES) * w->batch;
    const int64_t rows[] = {w->batch, w->features}, logits[] = {w->batch, 10};
    rt_graph *g = w->graph;
    rt_model_train(w->model, 1, 0, (uint64_t)number);
    rt_tensor *z = rt_model_forward(w->model, g, rt_graph_input(g, w->pixels + at * w->features, 2, rows));
    rt_tensor *loss = rt_cross_entropy(g, z, rt_graph_labels(g, w->labels + at, w->batch));
    if (w->distil) {
        rt_tensor *v = rt_graph_input(g, w->answers + at * 10, 2, logits);
        loss = rt_add(g, rt_scale(g, loss, 1 - alpha),
                      rt_scale(g, rt_kl_divergence(g, v, z, T), alpha * T * T));
    }
    const rt_status status = rt_backward(g, loss);
    if (status != RT_OK) return rt_fail(error, status, "%s", rt_graph_error(g)->message);
    rt_optimizer_step(w->optimizer);
    rt_graph_reset(g);
    return RT_OK;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Three products for each layer; the first one's gradient for the images is not computed. */
static double gflop_of_step(const work *w) {
    const double all = (double)rt_model_cost_get(w->model).multiply_adds;
    const rti_layer *first = NULL;
    for (int i = w->model->layer_count - 1; i >= 0; i--)
        if (w->model->layers[i].kind->multiply_adds) first = &w->model->layers[i];
    if (!first) return 0;
    return w->batch * (6 * all - 2 * (double)first->kind->multiply_adds(first)) * 1e-9;
}

static rt_status measure(work *w, rt_error *error) {
    double ms[STEPS_MAX];
    const size_t before_bytes = rt_alloc_stats_get().live_bytes;
    w->graph = rt_graph_new(error);
    if (!w->graph) return error->status;
    for (int i = 0; i < w->warm_up; i++) RT_TRY(step(w, i, error));
    const size_t step_bytes = rt_alloc_stats_get().live_bytes - before_bytes,
                 calls = rt_alloc_stats_get().calls;
    for (int i = 0; i < w->steps; i++) {
        const double start_s = rti_clock_s();
        RT_TRY(step(w, w->warm_up + i, error));
        ms[i] = (rti_clock_s() - start_s) * 1e3;
    }
    const double allocations = (double)(rt_alloc_stats_get().calls - calls) / w->steps;
    qsort(ms, (size_t)w->steps, sizeof *ms, compare_doubles);
    const double median = w->steps % 2 ? ms[w->steps / 2] : 0.5 * (ms[w->steps / 2 - 1] + ms[w->steps / 2]);
    const rt_model_cost cost = rt_model_cost_get(w->model);
    const double gflop = gflop_of_step(w);
    printf(
        "{\"work\": \"step\", \"net\": \"%s\", \"threads\": %d, \"batch\": %d, \"isa\": \"%s\", \"kd\": %s, "
        "\"params\": %lld, \"mmac_fwd\": %.3f, \"gflop_step\": %.3f, \"ms_per_step\": %.2f, \"ms_min\": "
        "%.2f, "
        "\"ms_max\": %.2f, \"imgs_per_s\": %.0f, \"gflops\": %.1f, \"allocations_per_step\": %g, "
        "\"step_mb\": %.1f, \"rss_mb\": %.0f}\n",
        w->net, w->threads, w->batch, rti_isa_name(), w->distil ? "true" : "false",
        (long long)cost.parameters, (double)cost.multiply_adds * 1e-6, gflop, median, ms[0], ms[w->steps - 1],
        w->batch / median * 1e3, gflop / median * 1e3, allocations, (double)step_bytes / (1024.0 * 1024.0),
        rti_peak_megabytes());
    return RT_OK;
}

/* ---- the command's part ---- */

static bool parse_int(const char *text, long low, long high, int *out) {
    char *end;
    const long value = strtol(text, &end, 10);
    if (end == text || *end || value < low || value > high) return false;
    *out = (int)value;
    return true;
}

static bool parse(work *w, const char *name, const char *value) {
    if (!strcmp(name, "--net")) return w->net = value, true;
    if (!strcmp(name, "--threads")) return parse_int(value, 1, 256, &w->threads);
    if (!strcmp(name, "--batch")) return parse_int(value, 1, 100000, &w->batch);
    if (!strcmp(name, "--steps")) return parse_int(value, 1, STEPS_MAX, &w->steps);
    if (!strcmp(name, "--warm-up")) return parse_int(value, 1, STEPS_MAX, &w->warm_up);
    return false;
}

static rt_status run_all(work *w, int net, rt_error *error) {
    RT_TRY(make_model(w, net, error));
    RT_TRY(make_data(w, error));
    RT_TRY(make_optimizer(w, error));
    return measure(w, error);
}

int rti_bench_step(const rti_command *self, int argc, char **argv) {
    work w = {.net = "resnet8", .threads = 1, .batch = 128, .warm_up = 3, .steps = 8};
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--kd"))
            w.distil = true;
        else if (i + 1 < argc && parse(&w, argv[i], argv[i + 1]))
            i++;
        else
            return rti_usage(self, "'%s' is not an option of step, or its value is out of range", argv[i]);
    }
    int net = 0;
    while (net < NETS && strcmp(nets[net].net, w.net) != 0) net++;
    if (net == NETS) {
        const char *names[NETS];
        for (int i = 0; i < NETS; i++) names[i] = nets[i].net;
        const char *near = rt_nearest_word(w.net, names, NETS);
        return rti_usage(self, "there is no net '%s' to bench; %s%s", w.net,
                         near ? "did you mean " : "try resnet20", near ? near : "");
    }
    rt_error error = {RT_OK, ""};
    rt_threads_set(w.threads);
    const rt_status status = run_all(&w, net, &error);
    release(&w);
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}
