/* bench.c - `retort bench`: what a training epoch, a teacher, an answer and a start cost.   Floor 9 (cli)
 *
 * Every measurement prints one JSON line, so that tests/bench/table.sh can put the same work of
 * other programs beside it. Work and keys are those of the peers' programs: an epoch is timed over
 * `steps` steps after a warm-up and scaled to the whole epoch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "core/clock.h"
#include "kernels/kernels.h"
#include "retort/retort.h"

#define WARM_UP_STEPS 20
#define EPOCHS_MAX 32
#define WIDTHS_MAX 16

typedef struct bench {
    int64_t widths[WIDTHS_MAX];
    int width_count;
    char net[128];
    int threads;
    int batch;
    double dropout_input, dropout_hidden;
    bool distil, bf16;
    int steps, epochs;
    char data[32];
    double started_s;
    rt_dataset *set;
    rt_model *model, *teacher_model;
    rt_teacher *teacher;
    rt_distiller *distiller;
    rt_distiller *targets; /* keeps the teacher's answers for those beside it; its student learns nothing */
    rt_model *targets_model;
} bench;

/* ---- options ---- */

static bool parse_net(bench *b, const char *text) {
    snprintf(b->net, sizeof b->net, "%s", text);
    b->width_count = 0;
    for (const char *p = text;;) {
        char *end;
        long width = strtol(p, &end, 10);
        if (end == p || width < 1 || width > 1000000 || b->width_count == WIDTHS_MAX) return false;
        b->widths[b->width_count++] = width;
        if (*end == 0) return b->width_count >= 2;
        if (*end != '-') return false;
        p = end + 1;
    }
}

static bool parse_int(const char *text, long low, long high, int *out) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < low || value > high) return false;
    *out = (int)value;
    return true;
}

static bool parse_rates(bench *b, const char *text) {
    char extra;
    int n = sscanf(text, "%lf,%lf%c", &b->dropout_input, &b->dropout_hidden, &extra);
    return n == 2 && b->dropout_input >= 0 && b->dropout_input < 1 && b->dropout_hidden >= 0 &&
           b->dropout_hidden < 1;
}

static bool parse_option(bench *b, const char *name, const char *value) {
    if (!strcmp(name, "--net")) return parse_net(b, value);
    if (!strcmp(name, "--threads")) return parse_int(value, 1, 256, &b->threads);
    if (!strcmp(name, "--batch")) return parse_int(value, 1, 100000, &b->batch);
    if (!strcmp(name, "--dropout")) return parse_rates(b, value);
    if (!strcmp(name, "--steps")) return parse_int(value, 1, 1000000, &b->steps);
    if (!strcmp(name, "--epochs")) return parse_int(value, 1, EPOCHS_MAX, &b->epochs);
    if (!strcmp(name, "--data")) return snprintf(b->data, sizeof b->data, "%s", value) < (int)sizeof b->data;
    return false;
}

/* ---- the work ---- */

static rt_status open_data(bench *b, rt_error *error) {
    rt_params options;
    int count;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(&options, rows, count);
    RT_TRY(rt_params_set_text(&options, "set", b->data, error));
    RT_TRY(rt_params_set_text(&options, "validation", "0", error));
    b->set = rt_dataset_open(&options, NULL, error);
    return b->set ? RT_OK : error->status;
}

static rt_status make_model(const bench *b, bool dropout, uint64_t seed, rt_model **model, rt_error *error) {
    rt_params options;
    int count;
    const rt_param *rows = rt_model_rows("mlp", &count);
    rt_params_init(&options, rows, count);
    char text[256] = "[";
    for (int i = 1; i + 1 < b->width_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%lld", i > 1 ? ", " : "", (long long)b->widths[i]);
    }
    snprintf(text + strlen(text), sizeof text - strlen(text), "]");
    RT_TRY(rt_params_set_text(&options, "hidden", text, error));
    if (dropout) {
        snprintf(text, sizeof text, "%.9g", b->dropout_input);
        RT_TRY(rt_params_set_text(&options, "dropout.input", text, error));
        snprintf(text, sizeof text, "%.9g", b->dropout_hidden);
        RT_TRY(rt_params_set_text(&options, "dropout.hidden", text, error));
    }
    *model = rt_model_new("mlp", &options, 1, b->widths, b->widths[b->width_count - 1], seed, error);
    if (*model && b->bf16) rt_model_use_bf16(*model);
    return *model ? RT_OK : error->status;
}

/* Times the steps between two marks of one epoch. */
typedef struct stopwatch {
    int64_t first, last;       /* steps */
    double first_s, last_s;
    size_t first_calls, last_calls;
} stopwatch;

static bool on_step(void *context, int64_t epoch, int64_t step, int64_t steps) {
    (void)epoch;
    stopwatch *watch = context;
    if (step + 1 == watch->first) {
        watch->first_calls = rt_alloc_stats_get().calls;
        watch->first_s = rti_clock_s();
    }
    if (step + 1 == watch->last || step + 1 == steps) {
        watch->last_s = rti_clock_s();
        watch->last_calls = rt_alloc_stats_get().calls;
        watch->last = step + 1;
        return false;
    }
    return true;
}

static rt_status make_teacher(bench *b, rt_error *error) {
    RT_TRY(make_model(b, false, 2, &b->teacher_model, error));
    b->teacher = rt_teacher_new(&b->teacher_model, 1, RT_COMBINE_LOGITS, error);
    return b->teacher ? RT_OK : error->status;
}

static rt_status make_distiller(bench *b, stopwatch *watch, rt_error *error) {
    const rt_part *part = rt_dataset_part(b->set, RT_PART_TRAIN);
    if (part->examples->features != b->widths[0])
        return rt_fail(error, RT_SHAPE, "--net %s: %s has %lld features per example", b->net, b->data,
                       (long long)part->examples->features);
    const char *method = b->distil ? "kd" : "none";
    rt_params options, training;
    int count;
    const rt_param *rows = rt_method_rows(method, &count);
    rt_params_init(&options, rows, count);
    rows = rt_optimizer_rows(&count);
    rt_params_init(&training, rows, count);
    RT_TRY(rt_params_set_text(&training, "lr", "0.05", error));
    RT_TRY(rt_params_set_text(&training, "momentum", "0.9", error));
    if (b->distil) {
        RT_TRY(rt_params_set_text(&options, "alpha", "0.7", error));
        if (!b->teacher) RT_TRY(make_teacher(b, error));
    }
    rt_distiller_config config = {
        .student = b->model,
        .teacher = b->teacher,
        .method = method,
        .options = &options,
        .transfer = part,
        .transfer_hash = NULL, /* nothing is saved */
        .batch = b->batch,
        .seed = 1,
        .epochs = 1,
        .training = &training,
        .prefix = "",
        .on_step = on_step,
        .on_step_context = watch,
        .beside = b->distil ? b->targets : NULL,
    };
    b->distiller = rt_distiller_new(&config, error);
    return b->distiller ? RT_OK : error->status;
}

static void release_student(bench *b) {
    rt_distiller_free(b->distiller);
    rt_model_free(b->model);
    b->distiller = NULL, b->model = NULL;
}

static void release_training(bench *b) {
    release_student(b);
    rt_distiller_free(b->targets);
    rt_model_free(b->targets_model);
    rt_teacher_free(b->teacher);
    rt_model_free(b->teacher_model);
    b->targets = NULL, b->targets_model = NULL, b->teacher = NULL, b->teacher_model = NULL;
}

/* Seconds for a whole epoch, from `steps` timed ones. */
static rt_status time_epoch(bench *b, double *epoch_s, double *calls_per_step, rt_error *error) {
    int64_t examples = rt_dataset_part(b->set, RT_PART_TRAIN)->count;
    int64_t all = (examples + b->batch - 1) / b->batch;
    int64_t warm_up = all > 2 * WARM_UP_STEPS ? WARM_UP_STEPS : 1;
    stopwatch watch = {.first = warm_up,
                       .last = b->steps && warm_up + b->steps < all ? warm_up + b->steps : all};
    RT_TRY(make_model(b, true, 1, &b->model, error));
    RT_TRY(make_distiller(b, &watch, error));
    rt_epoch_report report;
    rt_status status = rt_distiller_epoch(b->distiller, &report, error);
    if (status != RT_OK && status != RT_STOPPED) return status;
    int64_t timed = watch.last - watch.first, whole_batches = examples / b->batch;
    if (timed < 1) return rt_fail(error, RT_VALUE, "%s has too few batches of %d to time", b->data, b->batch);
    *epoch_s = (watch.last_s - watch.first_s) * (double)whole_batches / (double)timed;
    *calls_per_step = (double)(watch.last_calls - watch.first_calls) / (double)timed;
    return RT_OK;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

static void print_head(const bench *b, const char *work) {
    printf("{\"work\": \"%s\", \"net\": \"%s\", \"threads\": %d, \"batch\": %d, \"isa\": \"%s\", "
           "\"precision\": \"%s\"", work, b->net, b->threads, b->batch, rti_isa_name(),
           b->bf16 ? "bf16" : "float32");
}

static rt_status bench_epoch(bench *b, rt_error *error) {
    RT_TRY(open_data(b, error));
    rt_dataset_settle(b->set);
    double times[EPOCHS_MAX], calls = 0;
    for (int i = 0; i < b->epochs; i++) {
        rt_status status = time_epoch(b, &times[i], &calls, error);
        release_training(b);
        RT_TRY(status);
    }
    double macs = 0, first = (double)b->widths[0] * (double)b->widths[1];
    for (int i = 0; i + 1 < b->width_count; i++) macs += (double)b->widths[i] * (double)b->widths[i + 1];
    double flop = (double)rt_dataset_part(b->set, RT_PART_TRAIN)->count * (6 * macs - 2 * first);
    double epoch_s = median(times, b->epochs);
    print_head(b, "epoch");
    printf(", \"drop\": \"%g,%g\", \"kd\": %s, \"median_s\": %.4f, \"min_s\": %.4f, \"max_s\": %.4f, "
           "\"gflops\": %.1f, "
           "\"allocations_per_step\": %g, \"rss_mb\": %.0f}\n",
           b->dropout_input, b->dropout_hidden, b->distil ? "true" : "false", epoch_s, times[0],
           times[b->epochs - 1], flop / epoch_s * 1e-9, calls, rti_peak_megabytes());
    return RT_OK;
}

/* What distilling costs more than learning from labels alone: epochs of both in turn, each kind first in
 * every second pair, so that what the machine does meanwhile falls on both alike. */
static rt_status bench_kd(bench *b, rt_error *error) {
    RT_TRY(open_data(b, error));
    stopwatch never = {.first = 0, .last = 0};
    b->distil = true;
    RT_TRY(make_model(b, true, 1, &b->model, error));
    RT_TRY(make_distiller(b, &never, error));
    b->targets = b->distiller, b->targets_model = b->model;
    b->distiller = NULL, b->model = NULL;
    double more[EPOCHS_MAX], calls;
    for (int pair = 0; pair < b->epochs; pair++) {
        double epoch_s[2];
        for (int i = 0; i < 2; i++) {
            b->distil = i != pair % 2;
            rt_status status = time_epoch(b, &epoch_s[b->distil], &calls, error);
            release_student(b);
            RT_TRY(status);
        }
        more[pair] = 100 * (epoch_s[1] / epoch_s[0] - 1);
    }
    const double middle = median(more, b->epochs);
    print_head(b, "kd");
    printf(", \"extra_percent\": %.2f, \"least\": %.2f, \"most\": %.2f, \"pairs\": %d}\n", middle, more[0],
           more[b->epochs - 1], b->epochs);
    return RT_OK;
}

/* From main's first line to the end of the first training step. */
static rt_status bench_start(bench *b, rt_error *error) {
    RT_TRY(open_data(b, error));
    stopwatch watch = {.first = 1, .last = 1};
    RT_TRY(make_model(b, true, 1, &b->model, error));
    RT_TRY(make_distiller(b, &watch, error));
    rt_epoch_report report;
    rt_status status = rt_distiller_epoch(b->distiller, &report, error);
    if (status != RT_OK && status != RT_STOPPED) return status;
    print_head(b, "start");
    printf(", \"total_s\": %.4f, \"rss_mb\": %.0f}\n", watch.last_s - b->started_s, rti_peak_megabytes());
    return RT_OK;
}

enum { ANSWERED = 4096 }; /* different examples */

/* Answers per second at one batch size about the set's test examples: the median of seven rounds of about
 * 0.3 s. `pixels`: ANSWERED examples and a batch more. */
static rt_status time_answers(bench *b, rt_graph *g, const rt_real *pixels, int64_t batch, double *per_second,
                              rt_error *error) {
    int64_t features = b->widths[0];
    double rounds[7];
    int64_t repeats = batch == 1 ? 2000 : 20;
    rt_status status = RT_OK;
    for (int round = -1; round < 7 && status == RT_OK; round++) { /* round -1 warms up and sets the length */
        double start_s = rti_clock_s();
        for (int64_t i = 0; i < repeats && status == RT_OK; i++) {
            rt_no_grad_begin(g);
            rt_tensor *x = rt_graph_input(g, pixels + i * batch % ANSWERED * features, 2,
                                          (int64_t[]){batch, features});
            rt_model_answer(b->model, g, x);
            rt_no_grad_end(g);
            if (rt_graph_status(g) != RT_OK)
                status = rt_fail(error, rt_graph_status(g), "%s", rt_graph_error(g)->message);
            rt_graph_reset(g);
        }
        double spent_s = rti_clock_s() - start_s;
        if (round >= 0) rounds[round] = (double)(repeats * batch) / spent_s;
        if (round < 0 && spent_s > 0) repeats = (int64_t)ceil((double)repeats * 0.3 / spent_s);
    }
    *per_second = median(rounds, 7);
    return status;
}

static rt_real *read_examples(const bench *b, int64_t count, rt_error *error) {
    const rt_part *part = rt_dataset_part(b->set, RT_PART_TEST);
    const int64_t features = b->widths[0];
    if (part->examples->features != features) {
        rt_fail(error, RT_SHAPE, "--net %s: %s has %lld features per example", b->net, b->data,
                (long long)part->examples->features);
        return NULL;
    }
    rt_real *pixels = rt_alloc((size_t)(count * features) * sizeof *pixels);
    rt_loader *loader = pixels ? rt_loader_new(part, 1, 0, NULL, error) : NULL;
    rt_batch batch;
    for (int64_t i = 0; loader && i < count; i++) {
        if (!rt_loader_next(loader, &batch)) { /* from the start again */
            rt_loader_begin(loader, 0);
            if (!rt_loader_next(loader, &batch)) break;
        }
        memcpy(pixels + i * features, rt_real_data(batch.x), (size_t)features * sizeof *pixels);
    }
    if (!pixels) rt_fail(error, RT_MEMORY, "no memory for %lld examples", (long long)count);
    if (!loader) rt_free(pixels);
    rt_loader_free(loader);
    return loader ? pixels : NULL;
}

static rt_status bench_answers(bench *b, rt_error *error) {
    RT_TRY(open_data(b, error));
    RT_TRY(make_model(b, false, 1, &b->model, error));
    RT_TRY(rt_model_pack(b->model, error));
    enum { MANY = 1000 };
    rt_real *pixels = read_examples(b, ANSWERED + MANY, error);
    if (!pixels) return error->status;
    rt_graph *g = rt_graph_new(error);
    double one = 0, thousand = 0;
    rt_status status = g ? time_answers(b, g, pixels, 1, &one, error) : error->status;
    if (status == RT_OK) status = time_answers(b, g, pixels, MANY, &thousand, error);
    rt_graph_free(g);
    rt_free(pixels);
    RT_TRY(status);
    print_head(b, "infer");
    printf(", \"per_s_b1\": %.0f, \"per_s_b1000\": %.0f}\n", one, thousand);
    return RT_OK;
}

/* ---- the command ---- */

extern const rti_command rti_command_bench;

static const char usage[] =
    "usage: retort bench epoch|kd|step|start|infer [options]\n"
    "\n"
    "Measures this machine and prints one JSON line: seconds per training epoch (epoch), how much more an\n"
    "epoch with a teacher takes than one without, in % (kd), seconds from the program's start to the end\n"
    "of its first training step (start), answers per second (infer), milliseconds per training step of\n"
    "a convolutional network on random images (step).\n"
    "\n"
    "  --net 784-800-800-10   widths, input to classes\n"
    "  --batch N              examples per step (100)\n"
    "  --threads N            threads (1)\n"
    "  --dropout IN,HIDDEN    dropout rates, e.g. 0.2,0.5 (0,0)\n"
    "  --kd                   distil: alpha 0.7, T 4, cached soft targets\n"
    "  --bf16                 products of bfloat16, as with precision = \"bf16\" in a spec\n"
    "  --steps N              time only N steps of each epoch and scale (all)\n"
    "  --epochs N             epochs to take the median of, of kd pairs of them (3)\n"
    "  --data SET             data set (mnist)\n"
    "\n"
    "Of step: --net resnet8 (lenet, conv32, resnet20, wrn-16-1, wrn-16-2, vgg8, ...), --batch N (128),\n"
    "--threads N (1), --steps N (8), --warm-up N (3), --kd (alpha 0.9, T 4, a fixed teacher's answers).\n"
    "\n"
    "example: retort bench epoch --net 784-1200-1200-10 --dropout 0.2,0.5 --threads 2 --steps 100\n";

static int run(int argc, char **argv) {
    const rti_command *self = &rti_command_bench;
    bench b = {.threads = 1, .batch = 100, .epochs = 3, .data = "mnist", .started_s = rti_program_started_s};
    parse_net(&b, "784-800-800-10");
    rt_error error = {RT_OK, ""};
    rt_status (*work)(bench *, rt_error *) = NULL;
    if (argc > 1 && !strcmp(argv[1], "epoch")) work = bench_epoch;
    if (argc > 1 && !strcmp(argv[1], "kd")) work = bench_kd;
    if (argc > 1 && !strcmp(argv[1], "start")) work = bench_start;
    if (argc > 1 && !strcmp(argv[1], "infer")) work = bench_answers;
    if (argc > 1 && !strcmp(argv[1], "step")) return rti_bench_step(self, argc, argv);
    if (!work) return rti_usage(self, "say what to measure: epoch, kd, step, start or infer");
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--kd")) {
            b.distil = true;
        } else if (!strcmp(argv[i], "--bf16")) {
            b.bf16 = true;
        } else if (i + 1 < argc && parse_option(&b, argv[i], argv[i + 1])) {
            i++;
        } else {
            return rti_usage(self, "'%s%s%s' is not an option, or its value is out of range", argv[i],
                                   i + 1 < argc ? " " : "", i + 1 < argc ? argv[i + 1] : "");
        }
    }
    rt_threads_set(b.threads);
    rt_status status = work(&b, &error);
    release_training(&b);
    rt_dataset_free(b.set);
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

const rti_command rti_command_bench = {.name = "bench",
                                       .line = "measures training, start-up and inference on this machine",
                                       .usage = usage,
                                       .run = run};
RTI_REGISTER(command, bench)
