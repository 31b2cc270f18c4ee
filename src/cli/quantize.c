/* quantize.c - `retort quantize`: 8-bit integers instead of floats.    Floor 9 (cli) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "cli/signals.h"
#include "cli/target.h"
#include "experiment/quantize.h"
#include "experiment/statistics.h"
#include "formats/json.h"
#include "retort/alloc.h"
#include "retort/threads.h"

extern const rti_command rti_command_quantize;

typedef struct arguments {
    const char *target, *method;
    bool best;
    int64_t epochs, calibration;
    double lr; /* 0: a hundredth of the network's own */
} arguments;

typedef struct state {
    rti_target target;
    rt_dataset *set;
    int teacher_count;
    rt_model *teachers[RTI_TEACHERS_MAX];
    rt_teacher *teacher;
    rt_params data, options;
} state;

/* "teacher", "scratch" or "student", from result.json; "student" when it does not say. */
static rt_status role_of(const rti_target *t, char role[16], rt_error *error) {
    char path[RTI_PATH_MAX];
    rti_bytes bytes;
    rti_json_document document;
    snprintf(role, 16, "student");
    RT_TRY(rti_path_join(path, sizeof path, t->directory, "result.json", error));
    rt_status status = rti_file_read(path, (size_t)1 << 20, &bytes, error);
    if (status == RT_NOT_FOUND)
        return rt_fail(error, status, "%s: there is no result.json; is the trial finished?", t->directory);
    RT_TRY(status);
    status = rti_json_parse(&document, (const char *)bytes.data, bytes.count, path, error);
    rt_free(bytes.data);
    RT_TRY(status);
    snprintf(role, 16, "%s", rti_json_string(&document.root, "role", "student"));
    rti_json_deinit(&document);
    return RT_OK;
}

static rt_status open_teacher(state *s, rt_error *error) {
    RT_TRY(rti_target_teachers(&s->target, s->teachers, &s->teacher_count, error));
    if (!s->teacher_count) return RT_OK;
    s->teacher = rt_teacher_new(s->teachers, s->teacher_count, rti_target_combine(&s->target), error);
    return s->teacher ? RT_OK : error->status;
}

static void print_line(const char *what, const rti_quantized *q, const rti_quantize_result *r, int64_t bytes,
                       const char *word) {
    double low, high;
    if (q->errors < 0) return;
    rti_wilson(q->errors, r->test, &low, &high);
    printf("%-24s %8.2f %%", what, 100 * (1 - (double)q->errors / (double)r->test));
    printf("  (%.2f to %.2f)", 100 * (1 - high), 100 * (1 - low));
    if (r->validation) printf("  %8.2f %%", 100 * (1 - (double)q->validation_errors / (double)r->validation));
    printf("  %10lld%s\n", (long long)bytes, word);
}

static void print_time(const char *what, rti_latency one, rti_latency large, double int8_us) {
    if (!one.runs) return;
    printf("%-24s %8.2f us  (%.2f to %.2f)", what, one.median_us, one.low_us, one.high_us);
    if (large.runs) printf("  %10.1f us", large.median_us);
    if (one.median_us > int8_us) printf("  %10.1f x", one.median_us / int8_us);
    printf("\n");
}

static void print_times(const rti_quantize_result *r) {
    const double int8_us = r->time_int8.one.median_us;
    if (!r->time_int8.one.runs) return;
    printf("%-24s %11s  %16s  %13s  %12s\n", "answers on one thread", "one", "quartiles", "a thousand",
           "slower, one");
    print_time("int8", r->time_int8.one, r->time_int8.large, int8_us);
    print_time("float", r->time_float.one, r->time_float.large, int8_us);
    print_time("teacher, float", r->time_teacher.one, r->time_teacher.large, int8_us);
}

static void print_result(const state *s, const rti_quantize_result *r) {
    printf("%s\n%s\n%-24s %10s  %16s%s  %10s\n", s->target.weights, rt_dataset_summary(s->set), "", "test",
           "95 % interval", r->validation ? "  validation" : "", "bytes");
    print_line("float", &r->real, r, 4 * r->parameters, "");
    print_line("int8 after training", &r->after, r, r->bytes, r->chose_distilled ? "" : "  kept");
    print_line("int8, distilled", &r->distilled, r, r->bytes, r->chose_distilled ? "  kept" : "");
    if (r->validation) printf("the better on validation is kept; the test set chose nothing\n");
    print_times(r);
    printf("%sint8.safetensors  int8.json   (retort export %s --to c --int8)\n", s->target.directory,
           s->target.name);
}

static rt_status quantize(const arguments *a, state *s, rt_error *error) {
    char role[16], label[128], cache[RTI_PATH_MAX];
    RT_TRY(rti_target_find(&s->target, a->target, a->best, error));
    if (!rti_file_exists(a->target))
        return rt_fail(error, RT_NOT_FOUND, "%s: there is no such directory: check the path", a->target);
    if (!s->target.directory[0])
        return rt_fail(error, RT_VALUE, "%s: is no trial: its data, training and teacher are not known",
                       a->target);
    RT_TRY(role_of(&s->target, role, error));
    RT_TRY(rti_target_data(&s->target, NULL, NULL, 0, &s->data, error));
    s->set = rt_dataset_open(&s->data, NULL, error);
    if (!s->set) return error->status;
    const rti_settings *settings = &s->target.spec.base;
    const bool is_teacher = !strcmp(role, "teacher");
    if (!is_teacher) RT_TRY(open_teacher(s, error));
    const char *method = a->method                   ? a->method
                         : is_teacher || !s->teacher ? "none"
                                                     : rt_params_text(&settings->distill, "method");
    s->options = settings->distill;
    if (a->method || is_teacher || !s->teacher) {
        int count;
        const rt_param *rows = rt_method_rows(method, &count);
        if (!rows && !rt_method_formula(method))
            return rt_fail(error, RT_NOT_FOUND, "there is no method \"%s\"; retort list methods", method);
        rt_params_init(&s->options, rows, count);
    }
    const rt_params *training = is_teacher ? &settings->teacher : &settings->student;
    RT_TRY(rti_path_join(cache, sizeof cache, s->target.directory, "../cache", error));
    snprintf(label, sizeof label, "%s %s, seed %llu", s->target.spec.name, role,
             (unsigned long long)s->target.spec.seeds[0]);
    const rti_quantize_config config = {
        .weights = s->target.weights,
        .label = label,
        .set = s->set,
        .teacher = rt_method_needs_teacher(method) ? s->teacher : NULL,
        .teachers = s->teachers,
        .teacher_count = s->teacher_count,
        .method = method,
        .options = &s->options,
        .training = training,
        .epochs = a->epochs,
        .lr = a->lr > 0 ? a->lr : rt_params_real(training, "optimizer.lr") / 100,
        .calibration = a->calibration,
        .seed = s->target.spec.seeds[0],
        .directory = s->target.directory,
        .cache_directory = cache,
        .go_on = rti_signals_none,
        .on_step = rti_signals_none_yet,
    };
    rti_quantize_result result;
    rt_threads_set(rt_threads_available());
    RT_TRY(rti_quantize(&config, &result, error));
    print_result(s, &result);
    return RT_OK;
}

static void release(state *s) {
    rt_teacher_free(s->teacher);
    for (int i = 0; i < s->teacher_count; i++) rt_model_free(s->teachers[i]);
    rt_dataset_free(s->set);
    rti_target_deinit(&s->target);
}

static bool read_integer(const char *text, int64_t least, int64_t most, int64_t *out) {
    char *end;
    const long long value = strtoll(text, &end, 10);
    if (!text[0] || *end || value < least || value > most) return false;
    *out = value;
    return true;
}

static const char *take(arguments *a, int argc, char **argv, int *i) {
    const char *problem = NULL, *value;
    if ((value = rti_option_value("--epochs", argc, argv, i, &problem))) {
        if (!problem && !read_integer(value, 0, 100000, &a->epochs))
            problem = "--epochs needs a whole number:";
    } else if ((value = rti_option_value("--examples", argc, argv, i, &problem))) {
        if (!problem && !read_integer(value, 1, 100000000, &a->calibration))
            problem = "--examples needs a whole number from 1:";
    } else if ((value = rti_option_value("--lr", argc, argv, i, &problem))) {
        char *end;
        a->lr = strtod(value, &end);
        if (!problem && (!value[0] || *end || !(a->lr > 0) || !isfinite(a->lr)))
            problem = "--lr needs a number above 0:";
    } else if ((value = rti_option_value("--method", argc, argv, i, &problem)))
        a->method = value;
    else if (!strcmp(argv[*i], "--best"))
        a->best = true;
    else if (argv[*i][0] == '-')
        problem = "unknown option";
    else if (a->target)
        problem = "one trial at a time; this is a second one:";
    else
        a->target = argv[*i];
    return problem;
}

static int run(int argc, char **argv) {
    arguments a = {.epochs = 5, .calibration = 1000};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *problem = take(&a, argc, argv, &i);
        if (problem) return rti_usage(&rti_command_quantize, "%s %s", problem, word);
    }
    if (!a.target) return rti_usage(&rti_command_quantize, "which network? The directory of a trial");
    rti_signals_catch();
    rt_error error = {0};
    state *s = rt_alloc_zero(1, sizeof *s);
    rt_status status = s ? quantize(&a, s, &error) : rt_fail(&error, RT_MEMORY, "no memory to quantise with");
    if (s) release(s);
    rt_free(s);
    if (status == RT_STOPPED) {
        fprintf(stderr, "retort quantize: stopped; whole epochs are saved, run it again to go on\n");
        return RTI_EXIT_STOPPED;
    }
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

const rti_command rti_command_quantize = {
    .name = "quantize",
    .line = "a trained network in 8-bit integers, distilled while quantised",
    .usage = "usage: retort quantize TRIAL [options]\n"
             "\n"
             "TRIAL is the directory of a finished trial. Its network is turned into 8-bit integers, once as "
             "it is\n"
             "and once after some epochs more in which it sees its own rounding and learns from the trial's "
             "teacher\n"
             "(without a teacher: from the labels). The better of the two on validation goes into\n"
             "TRIAL/int8.safetensors, figures into TRIAL/int8.json: errors, bytes, and how long answers\n"
             "take on one thread in int8, in float, and of the teacher.\n"
             "\n"
             "  --epochs N       epochs of distilling while quantised (default 5; 0: none)\n"
             "  --lr RATE        their first learning rate (default: a hundredth of the trial's)\n"
             "  --method NAME    learns with this method at its defaults (default: the trial's)\n"
             "  --examples N     training examples that ranges are calibrated on (default 1000)\n"
             "  --best           of the weights that were best on validation (default: the last)\n"
             "\n"
             "example: retort quantize runs/demo/0ad17e86814a91c0 --epochs 3\n",
    .run = run,
};
RTI_REGISTER(command, quantize)
