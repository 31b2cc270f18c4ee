/* finish.c - see finish.h.                                             Floor 8 (experiment)
 *
 * result.json, metrics.csv and the weights are functions of the trial's identity alone. What depends
 * on the machine and the hour goes to cost.json and manifest.json. */
#include "experiment/finish.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/hash.h"
#include "deploy/size.h"
#include "distill/evaluate.h"
#include "distill/teacher.h"
#include "experiment/spec.h"
#include "formats/json.h"
#include "kernels/kernels.h"
#include "retort/alloc.h"
#include "retort/threads.h"

#ifndef RETORT_CFLAGS
#define RETORT_CFLAGS ""
#endif

/* ---- the teacher ---- */

void rti_teaching_deinit(rti_teaching *teaching) {
    rti_cache_free(teaching->test);
    rt_teacher_free(teaching->teacher);
    for (int i = 0; i < teaching->count; i++) rt_model_free(teaching->members[i]);
    memset(teaching, 0, sizeof *teaching);
}

static rt_combine combine_of(const char *word) {
    if (!strcmp(word, "probabilities")) return RT_COMBINE_PROBABILITIES;
    return strcmp(word, "geometric") ? RT_COMBINE_LOGITS : RT_COMBINE_GEOMETRIC;
}

static rt_status load_members(rti_teaching *teaching, const rti_plan *plan, const int trials[], int count,
                              rt_error *error) {
    for (int i = 0; i < count; i++) {
        char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
        rti_trial_directory(plan, trials[i], directory, sizeof directory);
        RT_TRY(rti_path_join(path, sizeof path, directory, "weights.safetensors", error));
        teaching->members[i] = rti_trial_model(plan, trials[i], error);
        if (!teaching->members[i]) return error->status;
        teaching->count = i + 1;
        RT_TRY(rt_model_load(teaching->members[i], path, error));
    }
    return RT_OK;
}

static rt_status load(rti_teaching *teaching, const rti_plan *plan, const int trials[], int count,
                      const char *combine, rt_error *error) {
    memset(teaching, 0, sizeof *teaching);
    if (!count) return RT_OK;
    rt_error inner = {0};
    rt_status status = load_members(teaching, plan, trials, count, &inner);
    if (status == RT_OK) {
        teaching->teacher = rt_teacher_new(teaching->members, count, combine_of(combine), &inner);
        if (!teaching->teacher) status = inner.status;
    }
    if (status == RT_OK) {
        rt_teacher_hash(teaching->teacher, teaching->hash);
        return RT_OK;
    }
    rti_teaching_deinit(teaching);
    return rt_fail(error, status, "the teacher cannot be loaded: %s", inner.message);
}

rt_teacher *rti_stored_teacher(const rt_params *rows, const rt_dataset *set, rt_error *error) {
    const rt_answer_form form = strcmp(rt_params_text(rows, "logits_are"), "probabilities") == 0
                                    ? RT_ANSWERS_PROBABILITIES
                                    : RT_ANSWERS_LOGITS;
    const char *test = rt_params_text(rows, "test_logits");
    rt_teacher *teacher =
        rt_teacher_open(rt_params_text(rows, "logits"), form, rt_dataset_train_examples(set), error);
    if (!teacher || !test[0] ||
        rt_teacher_open_more(teacher, test, form, rt_dataset_test_examples(set), error) == RT_OK)
        return teacher;
    rt_teacher_free(teacher);
    return NULL;
}

/* The plan's identities say what the files held; what they hold now must be the same. */
static rt_status load_stored(rti_teaching *teaching, const rt_params *rows, const rt_dataset *set,
                             const char *answers, rt_error *error) {
    memset(teaching, 0, sizeof *teaching);
    teaching->teacher = rti_stored_teacher(rows, set, error);
    if (!teaching->teacher) return error ? error->status : RT_MEMORY;
    rt_teacher_hash(teaching->teacher, teaching->hash);
    if (strcmp(teaching->hash, answers) == 0) return RT_OK;
    rti_teaching_deinit(teaching);
    return rt_fail(error, RT_FORMAT, "%s: has changed since the run began; start it again.",
                   rt_params_text(rows, "logits"));
}

rt_status rti_teaching_load(rti_teaching *teaching, const rti_plan *plan, int trial, rt_error *error) {
    const rti_trial *t = &plan->trials[trial];
    if (t->answers[0])
        return load_stored(teaching, &t->settings->teacher, plan->datasets[t->dataset], t->answers, error);
    const char *combine = rt_params_text(&t->settings->teacher, "combine");
    return load(teaching, plan, t->teachers, t->teacher_count, combine, error);
}

rt_status rti_reference_load(rti_teaching *reference, const rti_plan *plan, int trial, rt_error *error) {
    const rti_trial *t = &plan->trials[trial];
    if (t->reference_answers[0])
        return load_stored(reference, rti_reference_rows(plan, trial), plan->datasets[t->dataset],
                           t->reference_answers, error);
    const char *combine = rti_reference_combine(plan, trial);
    return load(reference, plan, t->references, t->reference_count, combine, error);
}

/* ---- measuring ---- */

/* Long enough to be steady, short beside the training. */
#define LATENCY_RUNS 101
#define LATENCY_LIMIT_S 0.5
#define LARGE_BATCH 1000
#define LARGE_RUNS 15
#define LARGE_LIMIT_S 0.1
#define LARGE_BYTES ((int64_t)1 << 29) /* a batch that needs more is not tried beside other trainings */

typedef struct measured {
    rt_quality validation, test;
    char hash[33];
} measured;

/* The teacher is asked about the test set once for all trials of an experiment. */
static rt_status open_answers(const rti_finish *f, const rt_part *test, rt_error *error) {
    rti_teaching *teaching = f->teaching;
    if (!teaching->teacher || teaching->test || !rti_teacher_knows(teaching->teacher, test->examples))
        return RT_OK;
    rt_error inner = {0};
    teaching->test = rti_cache_open(teaching->teacher, test, f->answers, &inner);
    if (!teaching->test && error) *error = inner;
    return teaching->test ? RT_OK : inner.status;
}

static rt_status measure(const rti_finish *f, measured *m, rt_error *error) {
    const rt_dataset *set = f->plan->datasets[f->plan->trials[f->trial].dataset];
    const rt_part *validation = rt_dataset_part(set, RT_PART_VALIDATION),
                  *test = rt_dataset_part(set, RT_PART_TEST);
    memset(m, 0, sizeof *m);
    if (validation->count) RT_TRY(rt_evaluate(f->model, NULL, validation, &m->validation, NULL, error));
    bool tuning = f->plan->trials[f->trial].tuning; /* then the test set stays unseen */
    if (test->count && !tuning) {
        RT_TRY(open_answers(f, test, error));
        RT_TRY(rti_evaluate_beside(f->model, f->teaching->test, test, &m->test, error));
    }
    rt_model_hash(f->model, m->hash);
    return RT_OK;
}

/* ---- writing ---- */

static rt_status save_text(rti_finish *f, const char *name, rti_text *text, rt_error *error) {
    char path[RTI_PATH_MAX];
    rt_status status = text->failed ? rt_fail(error, RT_MEMORY, "no memory for %s", name)
                                    : rti_path_join(path, sizeof path, f->directory, name, error);
    if (status == RT_OK) status = rti_file_write(path, rti_text_string(text), text->length, error);
    if (status == RT_IO) f->unsaved = true;
    return status;
}

static rt_status save_weights(rti_finish *f, const char *name, int64_t epoch, rt_error *error) {
    const rti_trial *trial = &f->plan->trials[f->trial];
    char path[RTI_PATH_MAX], number[32];
    snprintf(number, sizeof number, "%" PRId64, epoch);
    const char *metadata[16] = {"experiment", rti_spec_trials(&f->plan->spec), "trial", trial->id, "epoch",
                                number};
    RT_TRY(rti_path_join(path, sizeof path, f->directory, name, error));
    rt_input_form *form = rt_input_form_of(f->plan->datasets[trial->dataset], error);
    if (!form) return RT_MEMORY;
    memcpy(metadata + 6, form->metadata, sizeof form->metadata);
    rt_status status = rt_model_save(f->model, path, metadata, error);
    rt_input_form_free(form);
    if (status == RT_IO) f->unsaved = true;
    return status;
}

static void add_quality(rti_json_writer *w, const char *key, const rt_quality *q) {
    if (!q->examples) {
        rti_json_add_number(w, key, NAN); /* null */
        return;
    }
    rti_json_begin_object(w, key);
    rti_json_add_integer(w, "examples", q->examples);
    rti_json_add_integer(w, "errors", q->errors);
    rti_json_add_number(w, "accuracy", q->accuracy);
    rti_json_add_number(w, "nll", q->nll);
    rti_json_add_number(w, "brier", q->brier);
    rti_json_add_number(w, "ece", q->ece);
    if (q->has_teacher) {
        rti_json_add_number(w, "agreement", q->agreement);
        rti_json_add_number(w, "teacher_kl", q->teacher_kl);
    }
    rti_json_end(w);
}

static rt_status save_result(rti_finish *f, const measured *last, const measured *best, rt_error *error) {
    const rti_trial *trial = &f->plan->trials[f->trial];
    rti_text text = RTI_TEXT_EMPTY;
    rti_json_writer w = {.text = &text};
    rti_json_begin_object(&w, NULL);
    rti_json_add_integer(&w, "format", RTI_TRIAL_FORMAT);
    rti_json_add_string(&w, "id", trial->id);
    rti_json_add_string(&w, "role", rti_role_name(trial->role));
    rti_json_add_integer(&w, "seed", (int64_t)trial->seed);
    rti_json_add_integer(&w, "epochs", f->epochs);
    rti_json_add_integer(&w, "best_epoch", f->now->best_epoch);
    add_quality(&w, "validation_last", &last->validation);
    add_quality(&w, "validation_best", &best->validation);
    add_quality(&w, "test_last", &last->test);
    add_quality(&w, "test_best", &best->test);
    rt_model_cost cost = rt_model_cost_get(f->model);
    rti_json_begin_object(&w, "cost");
    rti_json_add_integer(&w, "parameters", cost.parameters);
    rti_json_add_integer(&w, "multiply_adds", cost.multiply_adds);
    rti_json_add_integer(&w, "bytes", cost.bytes);
    rti_json_add_integer(&w, "extra_parameters", f->extra_parameters);
    rti_json_end(&w);
    rti_json_add_string(&w, "weights_last", last->hash);
    rti_json_add_string(&w, "weights_best", best->hash);
    rti_json_end(&w);
    rti_text_append(&text, "\n");
    rt_status status = save_text(f, "result.json", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* "latency_1000_us", "latency_1000_low_us", "latency_1000_high_us" */
static void add_latency(rti_json_writer *w, const char *of, const rti_latency *latency) {
    char key[32];
    snprintf(key, sizeof key, "latency%s_us", of);
    rti_json_add_number(w, key, latency->median_us);
    snprintf(key, sizeof key, "latency%s_low_us", of);
    rti_json_add_number(w, key, latency->low_us);
    snprintf(key, sizeof key, "latency%s_high_us", of);
    rti_json_add_number(w, key, latency->high_us);
}

static bool same_rows(const rt_params *a, const rt_params *b) {
    rti_text x = RTI_TEXT_EMPTY, y = RTI_TEXT_EMPTY;
    rti_params_append(&x, a, NULL);
    rti_params_append(&y, b, NULL);
    bool same = !x.failed && !y.failed && strcmp(rti_text_string(&x), rti_text_string(&y)) == 0;
    rti_text_deinit(&x);
    rti_text_deinit(&y);
    return same;
}

/* Time does not depend on the weights: what was measured of an equal network holds for this one. */
static void measure_speed(const rti_finish *f, const rt_part *test) {
    rti_speed *speed = f->speed;
    const rt_params *rows = rti_trial_network(&f->plan->trials[f->trial]);
    if (speed->of && same_rows(speed->of, rows)) return;
    speed->of = rows;
    speed->one = rti_latency_measure(&f->model, 1, test, 1, LATENCY_RUNS, LATENCY_LIMIT_S);
    speed->large = rti_latency_of(NULL, 0);
    if (rti_size_of(f->model).working <= LARGE_BYTES / LARGE_BATCH)
        speed->large = rti_latency_measure(&f->model, 1, test, LARGE_BATCH, LARGE_RUNS, LARGE_LIMIT_S);
}

static rt_status save_cost(rti_finish *f, rt_error *error) {
    const rt_dataset *set = f->plan->datasets[f->plan->trials[f->trial].dataset];
    double peak = fmax(f->now->peak_megabytes, rti_peak_megabytes()); /* of the training */
    measure_speed(f, rt_dataset_part(set, RT_PART_TEST));
    rti_text text = RTI_TEXT_EMPTY;
    rti_json_writer w = {.text = &text};
    rti_json_begin_object(&w, NULL);
    rti_json_add_number(&w, "seconds", f->now->seconds);
    add_latency(&w, "", &f->speed->one);
    add_latency(&w, "_1000", &f->speed->large);
    rti_json_add_number(&w, "peak_megabytes", peak);
    rti_json_add_integer(&w, "threads", rt_threads_get());
    rti_json_add_integer(&w, "together", f->together);
    rti_json_end(&w);
    rti_text_append(&text, "\n");
    rt_status status = save_text(f, "cost.json", &text, error);
    rti_text_deinit(&text);
    return status;
}

static rt_status save_manifest(rti_finish *f, rt_error *error) {
    const rti_trial *trial = &f->plan->trials[f->trial];
    struct utsname machine;
    if (uname(&machine) < 0) memset(&machine, 0, sizeof machine);
    rti_text text = RTI_TEXT_EMPTY;
    rti_json_writer w = {.text = &text};
    rti_json_begin_object(&w, NULL);
    rti_json_add_string(&w, "id", trial->id);
    rti_json_add_string(&w, "role", rti_role_name(trial->role));
    rti_json_add_integer(&w, "seed", (int64_t)trial->seed);
    rti_json_add_string(&w, "network", rt_model_summary(f->model));
    rti_json_add_string(&w, "data", rt_dataset_summary(f->plan->datasets[trial->dataset]));
    rti_json_add_string(&w, "data_hash", rt_dataset_hash(f->plan->datasets[trial->dataset]));
    rti_json_begin_array(&w, "teachers");
    for (int i = 0; i < trial->teacher_count; i++)
        rti_json_add_string(&w, NULL, f->plan->trials[trial->teachers[i]].id);
    rti_json_end(&w);
    if (rti_has_own_references(trial)) {
        rti_json_begin_array(&w, "references");
        for (int i = 0; i < trial->reference_count; i++)
            rti_json_add_string(&w, NULL, f->plan->trials[trial->references[i]].id);
        rti_json_end(&w);
    }
    rti_json_add_string(&w, "teacher_hash", f->teaching->hash);
    rti_json_add_string(&w, "retort", RETORT_VERSION);
    rti_json_add_string(&w, "precision", sizeof(rt_real) == 4 ? "float" : "double");
    rti_json_add_string(&w, "compiler", __VERSION__);
    rti_json_add_string(&w, "flags", RETORT_CFLAGS);
    rti_json_add_string(&w, "isa", rti_isa_name());
    rti_json_add_string(&w, "host", machine.nodename);
    rti_json_add_string(&w, "system", machine.sysname);
    rti_json_add_string(&w, "machine", machine.machine);
    rti_json_end(&w);
    rti_text_append(&text, "\n");
    rt_status status = save_text(f, "manifest.json", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* What an unfinished trial left: its checkpoint, and halves of files from a process that was killed. */
static bool is_left_over(const char *name) {
    return strstr(name, ".tmp-") || !strcmp(name, "checkpoint.bin") || !strcmp(name, "progress.csv");
}

void rti_trial_tidy(const char *directory) {
    char path[RTI_PATH_MAX];
    DIR *listing = opendir(directory);
    if (!listing) return;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (is_left_over(entry->d_name) &&
            rti_path_join(path, sizeof path, directory, entry->d_name, NULL) == RT_OK)
            unlink(path);
    closedir(listing);
}

rt_status rti_trial_finish(rti_finish *f, rt_error *error) {
    measured last, best;
    RT_TRY(measure(f, &last, error));
    RT_TRY(save_weights(f, "weights.safetensors", f->epochs, error));
    best = last;
    if (f->now->best_epoch != f->epochs) {
        int64_t count;
        rt_real *block = rt_model_block(f->model, &count);
        memcpy(block, f->now->best, (size_t)count * sizeof *block);
        RT_TRY(measure(f, &best, error));
    }
    RT_TRY(save_weights(f, "best.safetensors", f->now->best_epoch, error));
    RT_TRY(save_text(f, "metrics.csv", &f->now->metrics, error));
    RT_TRY(save_manifest(f, error));
    RT_TRY(save_cost(f, error));
    RT_TRY(save_result(f, &last, &best, error));
    rti_trial_tidy(f->directory);
    return RT_OK;
}
