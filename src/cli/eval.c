/* eval.c - `retort eval`: how good is a trained network?               Floor 9 (cli) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "core/file.h"
#include "experiment/statistics.h"
#include "formats/json.h"
#include "retort/alloc.h"
#include "retort/threads.h"

extern const rti_command rti_command_eval;

typedef struct arguments {
    const char *target, *data, *teacher, *part;
    const char *overrides[RTI_OVERRIDES_MAX];
    int override_count;
    bool best;
} arguments;

typedef struct evaluation {
    rti_target target;
    rt_params data;
    rt_dataset *set;
    rt_model *model;
    int teacher_count;
    rt_model *teachers[RTI_TEACHERS_MAX];
    rt_teacher *teacher;
    uint8_t *predictions;
} evaluation;

/* ---- what is meant ---- */

static rt_status open_teacher(evaluation *e, const char *path, rt_error *error) {
    if (e->teacher_count == RTI_TEACHERS_MAX) return rt_fail(error, RT_VALUE, "too many teachers");
    rt_model *model = rt_model_open(path, error);
    if (!model) return error->status;
    e->teachers[e->teacher_count++] = model;
    return RT_OK;
}

/* The teachers of a trial are its neighbours; its manifest names them, and, where these are others, those
 * that it is measured against. */
static rt_status open_teachers_of_trial(evaluation *e, rt_error *error) {
    char path[RTI_PATH_MAX], neighbour[64];
    rti_bytes bytes;
    rti_json_document document;
    RT_TRY(rti_path_join(path, sizeof path, e->target.directory, "manifest.json", error));
    rt_status status = rti_file_read(path, (size_t)1 << 20, &bytes, error);
    if (status == RT_NOT_FOUND) return RT_OK;
    if (status != RT_OK) return status;
    status = rti_json_parse(&document, (const char *)bytes.data, bytes.count, path, error);
    rt_free(bytes.data);
    if (status != RT_OK) return status;
    const rti_json *ids = rti_json_get(&document.root, "references");
    if (!ids) ids = rti_json_get(&document.root, "teachers");
    for (int i = 0; status == RT_OK && ids && ids->type == RTI_JSON_ARRAY && i < ids->count; i++) {
        if (ids->items[i].type != RTI_JSON_STRING || strspn(ids->items[i].string, "0123456789abcdef") != 32)
            continue;
        snprintf(neighbour, sizeof neighbour, "../%.16s/weights.safetensors", ids->items[i].string);
        status = rti_path_join(path, sizeof path, e->target.directory, neighbour, error);
        if (status == RT_OK && rti_file_exists(path)) status = open_teacher(e, path, error);
    }
    if (status == RT_OK && ids && ids->count != e->teacher_count) { /* some are gone: then none */
        for (int i = 0; i < e->teacher_count; i++) rt_model_free(e->teachers[i]);
        e->teacher_count = 0;
    }
    rti_json_deinit(&document);
    return status;
}

static rt_combine combine_of(const evaluation *e) {
    const char *word = e->target.directory[0] && e->target.spec.base.has_teacher
                           ? rt_params_text(&e->target.spec.base.teacher, "combine") : "logits";
    if (!strcmp(word, "probabilities")) return RT_COMBINE_PROBABILITIES;
    return strcmp(word, "geometric") ? RT_COMBINE_LOGITS : RT_COMBINE_GEOMETRIC;
}

static rt_status open_all(const arguments *a, evaluation *e, rt_error *error) {
    const char *weights = a->best ? "best.safetensors" : "weights.safetensors";
    RT_TRY(rti_target_find(&e->target, a->target, weights, error));
    e->model = rt_model_open(e->target.weights, error);
    if (!e->model) return error->status;
    RT_TRY(rti_target_data(&e->target, a->data, a->overrides, a->override_count, &e->data, error));
    e->set = rt_dataset_open(&e->data, NULL, error);
    if (!e->set) return error->status;
    if (a->teacher) RT_TRY(open_teacher(e, a->teacher, error));
    else if (e->target.directory[0]) RT_TRY(open_teachers_of_trial(e, error));
    if (!e->teacher_count) return RT_OK;
    e->teacher = rt_teacher_new(e->teachers, e->teacher_count, combine_of(e), error);
    return e->teacher ? RT_OK : error->status;
}

static void release(evaluation *e) {
    rt_teacher_free(e->teacher);
    for (int i = 0; i < e->teacher_count; i++) rt_model_free(e->teachers[i]);
    rt_model_free(e->model);
    rt_dataset_free(e->set);
    rt_free(e->predictions);
    rti_target_deinit(&e->target);
}

/* ---- what is said ---- */

static void print_classes(const rt_part *part, const uint8_t *predictions) {
    int classes = part->examples->classes;
    if (classes > 256) return;
    int64_t count[256] = {0}, wrong[256] = {0};
    for (int64_t i = 0; i < part->count; i++) {
        int32_t y = part->labels[i];
        if (y < 0 || y >= classes) continue;
        count[y]++;
        wrong[y] += predictions[i] != (uint8_t)y;
    }
    printf("wrong by class");
    for (int k = 0; k < classes; k++) printf("  %d: %lld/%lld", k, (long long)wrong[k], (long long)count[k]);
    printf("\n");
}

static void print_quality(const evaluation *e, const char *part, const rt_quality *q) {
    double low, high;
    rti_wilson(q->errors, q->examples, &low, &high);
    printf("%s\n%s\n%s\n", e->target.weights, rt_model_summary(e->model), rt_dataset_summary(e->set));
    printf("%s error      %.2f %%   %lld of %lld, 95 %% interval %.2f to %.2f %% (Wilson)\n", part,
           100.0 * (double)q->errors / (double)q->examples, (long long)q->errors, (long long)q->examples,
           100 * low, 100 * high);
    printf("nll             %.4f nats\nbrier           %.4f\ncalibration     %.4f (ECE, 15 bins)\n", q->nll,
           q->brier, q->ece);
    if (q->has_teacher)
        printf("agreement       %.2f %% with the teacher\nKL              %.4f nats, teacher || student at T "
               "= 1\n",
               100 * q->agreement, q->teacher_kl);
}

static rt_status evaluate(const arguments *a, evaluation *e, rt_error *error) {
    RT_TRY(open_all(a, e, error));
    bool validation = !strcmp(a->part, "validation");
    const rt_part *part = rt_dataset_part(e->set, validation ? RT_PART_VALIDATION : RT_PART_TEST);
    if (!part->count) return rt_fail(error, RT_VALUE, "the data set has no %s part", a->part);
    if (rt_model_classes(e->model) != part->examples->classes)
        return rt_fail(error, RT_SHAPE, "%s tells %lld classes apart, the data have %d", e->target.weights,
                       (long long)rt_model_classes(e->model), part->examples->classes);
    e->predictions = rt_alloc((size_t)part->count);
    if (!e->predictions) return rt_fail(error, RT_MEMORY, "no memory for the predictions");
    rt_quality quality;
    rt_threads_set(rt_threads_available());
    RT_TRY(rt_evaluate(e->model, e->teacher, part, &quality, e->predictions, error));
    print_quality(e, a->part, &quality);
    print_classes(part, e->predictions);
    return RT_OK;
}

static const char *take(arguments *a, int argc, char **argv, int *i) {
    const char *problem = NULL, *value;
    if ((value = rti_option_value("--data", argc, argv, i, &problem))) a->data = value;
    else if ((value = rti_option_value("--teacher", argc, argv, i, &problem))) a->teacher = value;
    else if ((value = rti_option_value("--part", argc, argv, i, &problem))) {
        if (!problem && strcmp(value, "test") && strcmp(value, "validation"))
            problem = "--part is test or validation:";
        a->part = value;
    } else if ((value = rti_option_value("--set", argc, argv, i, &problem))) {
        if (a->override_count == RTI_OVERRIDES_MAX) problem = "at most 64 times --set:";
        else a->overrides[a->override_count++] = value;
    } else if (!strcmp(argv[*i], "--best")) a->best = true;
    else if (argv[*i][0] == '-') problem = "unknown option";
    else if (a->target) problem = "one network at a time; this is a second one:";
    else a->target = argv[*i];
    return problem;
}

static int run(int argc, char **argv) {
    arguments a = {.part = "test"};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *problem = take(&a, argc, argv, &i);
        if (problem) return rti_usage(&rti_command_eval, "%s %s", problem, word);
    }
    if (!a.target)
        return rti_usage(&rti_command_eval, "which network? A trial's directory or a .safetensors file");
    rt_error error = {0};
    evaluation *e = rt_alloc_zero(1, sizeof *e);
    rt_status status = e ? evaluate(&a, e, &error) : rt_fail(&error, RT_MEMORY, "no memory to evaluate with");
    if (e) release(e);
    rt_free(e);
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

const rti_command rti_command_eval = {
    .name = "eval",
    .line = "quality of a trained network on test data",
    .usage =
        "usage: retort eval TRIAL|FILE [options]\n"
        "\n"
        "TRIAL is the directory of a finished trial, FILE a network in a .safetensors file. Prints errors\n"
        "with their interval, NLL, calibration, errors by class and, when a teacher is known, the\n"
        "agreement with it.\n"
        "\n"
        "  --best            of a trial, the weights that were best on validation (default: the last)\n"
        "  --data SET        on this set (default: the trial's)\n"
        "  --set data.K=V    an option of the data, e.g. --set data.digits.seed=7\n"
        "  --part PART       test (default) or validation\n"
        "  --teacher FILE    compares with this network (default: the trial's teacher)\n"
        "\n"
        "example: retort eval runs/demo/0ad17e86814a91c0 --best\n",
    .run = run,
};
RTI_REGISTER(command, eval)
