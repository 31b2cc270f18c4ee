/* session.c - see session.h.                                           Floor 8 (experiment)
 *
 * After every epoch the trial holds, in memory, all it needs to be continued (rti_checkpoint). It is
 * written to disk every few seconds and when the trial is stopped, so that nothing but the epoch in
 * progress is ever lost, and an epoch that is run again gives the same bits.
 *
 * What is written at the end is made from numbers that do not depend on time or place, except
 * cost.json; result.json comes last. */
#include "experiment/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "experiment/metrics.h"
#include "retort/alloc.h"
#include "retort/log.h"

/* ---- while it trains ---- */

static void tell(const rti_session *r, int64_t epoch, double fraction_of_epoch) {
    if (!r->hooks || !r->hooks->progress) return;
    rti_trial_progress p = {.trial = r->number, .epoch = r->now.epochs, .epochs = r->epochs};
    p.fraction = ((double)epoch + fraction_of_epoch) / (double)r->epochs;
    p.validation_accuracy = r->validation_accuracy;
    p.seconds = r->seconds + rti_stopwatch_share(&r->group->watch);
    r->hooks->progress(r->hooks->context, &p);
}

static bool goes_on(void *session) {
    const rti_session *r = session;
    return !r->hooks || !r->hooks->go_on || r->hooks->go_on(r->hooks->context);
}

static bool on_step(void *context, int64_t epoch, int64_t step, int64_t steps) {
    rti_session *r = context;
    r->epoch = epoch + 1;
    r->step = step + 1;
    tell(r, epoch, (double)(step + 1) / (double)steps);
    return goes_on(r);
}

static rt_status save(rti_session *r, const char *name, const void *bytes, size_t count, rt_error *error) {
    char path[RTI_PATH_MAX];
    RT_TRY(rti_path_join(path, sizeof path, r->directory, name, error));
    rt_status status = rti_file_write(path, bytes, count, error);
    if (status == RT_IO) r->unsaved = true;
    return status;
}

/* The table as it grows, for whoever looks; what counts is in the checkpoint. */
static rt_status show_progress(rti_session *r, rt_error *error) {
    char path[RTI_PATH_MAX];
    RT_TRY(rti_path_join(path, sizeof path, r->directory, "progress.csv", error));
    FILE *file = fopen(path, "wb");
    bool fine = file && fwrite(r->now.metrics.bytes, 1, r->now.metrics.length, file) == r->now.metrics.length;
    if (file && fclose(file) != 0) fine = false;
    if (fine) return RT_OK;
    r->unsaved = true;
    return rt_fail(error, RT_IO, "%s: cannot be written; is the disk full?", path);
}

static rt_status write_checkpoint(rti_session *r, rt_error *error) {
    if (r->on_disk || !r->now.distiller) return RT_OK;
    char path[RTI_PATH_MAX];
    RT_TRY(rti_path_join(path, sizeof path, r->directory, "checkpoint.bin", error));
    rt_status status = rti_checkpoint_write(&r->now, path, r->trial->id, error);
    if (status == RT_IO) r->unsaved = true;
    if (status == RT_OK) r->on_disk = true;
    r->written_s = rti_clock_s();
    return status;
}

/* Everything that happens after a whole epoch. */
rt_status rti_session_end_epoch(rti_session *r, const rt_epoch_report *report, rt_error *error) {
    const rt_part *validation = rt_dataset_part(r->plan->datasets[r->trial->dataset], RT_PART_VALIDATION);
    rt_quality quality = {0};
    if (validation->count) {
        rt_status status = rt_evaluate(r->model, NULL, validation, &quality, r->predictions, error);
        if (status != RT_OK)
            return rt_fail_in(error, status, "epoch %" PRId64 ", after step %" PRId64 ", validation",
                              r->epoch, r->step);
    }
    const double unseen = r->predictions ? rti_unseen_accuracy(&r->unseen, validation, r->predictions) : NAN;
    rti_metrics_append(&r->now.metrics, report, &quality, unseen);
    if (r->now.metrics.failed) return rt_fail(error, RT_MEMORY, "no memory for the table of epochs");

    /* Without a validation set nothing is chosen: the best epoch is the last one. */
    r->now.epochs = report->epoch + 1;
    if (!validation->count || !r->now.best_epoch || quality.accuracy > r->now.best_accuracy) {
        r->now.best_epoch = r->now.epochs;
        r->now.best_accuracy = validation->count ? quality.accuracy : NAN;
        memcpy(r->now.best, rt_model_block(r->model, &r->now.best_count),
               (size_t)r->now.best_count * sizeof(rt_real));
    }
    r->validation_accuracy = validation->count ? quality.accuracy : NAN;
    rt_free(r->now.distiller);
    r->now.distiller = NULL;
    RT_TRY(rt_distiller_save(r->distiller, &r->now.distiller, &r->now.distiller_bytes, error));
    r->now.seconds = r->seconds + rti_stopwatch_share(&r->group->watch);
    double peak = rti_peak_megabytes();
    if (peak > r->now.peak_megabytes) r->now.peak_megabytes = peak;
    r->on_disk = false;
    tell(r, r->now.epochs, 0);
    RT_TRY(show_progress(r, error));
    double wait_s = r->hooks ? r->hooks->checkpoint_s : 5;
    if (r->now.epochs < r->epochs && rti_clock_s() - r->written_s >= wait_s)
        return write_checkpoint(r, error);
    return RT_OK;
}

/* ---- beginning ---- */

static rt_status write_settings(rti_session *r, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    char label[512];
    rti_trial_label(r->plan, r->number, label, sizeof label);
    const char *name = rti_spec_trials(&r->plan->spec);
    rti_text_printf(&text, "# %s: %s\nname = \"%s\"\nseeds = [%" PRIu64 "]\n\n", name, label, name,
                    r->trial->seed);
    rti_settings_text(r->trial->settings, &text);
    rt_status status = text.failed ? rt_fail(error, RT_MEMORY, "no memory for the settings")
                                   : save(r, "spec.toml", text.bytes, text.length, error);
    rti_text_deinit(&text);
    return status;
}

/* A teacher learns from the labels, as they are or smoothed. */
static const char *teacher_method(const rt_params *rows, rt_params *options) {
    const double epsilon = rt_params_real(rows, "label_smoothing");
    const char *method = epsilon > 0 ? "label-smoothing" : "none";
    int count;
    const rt_param *own = rt_method_rows(method, &count);
    rt_params_init(options, own, count);
    if (epsilon > 0) options->values[rt_params_find(options, "epsilon")].number = epsilon;
    return method;
}

/* How the teacher's answers are made; the folder's name stands in `directory`. */
static rt_status answers_of(rti_session *r, char directory[RTI_PATH_MAX], rti_cache_making *making,
                            rt_error *error) {
    RT_TRY(rti_path_join(directory, RTI_PATH_MAX, r->plan->trials_directory, "cache", error));
    *making = (rti_cache_making){directory, r->hooks ? r->hooks->all_threads : 0, goes_on, r};
    return RT_OK;
}

static rt_status make_distiller(rti_session *r, rt_distiller *beside, rt_error *error) {
    const rti_settings *s = r->trial->settings;
    const rt_params *network = rti_trial_network(r->trial);
    const rt_dataset *set = r->plan->datasets[r->trial->dataset];
    bool teacher = r->trial->role == RTI_TEACHER;
    const char *method = teacher ? NULL : rt_params_text(&s->distill, "method");
    char directory[RTI_PATH_MAX];
    rti_cache_making answers;
    RT_TRY(answers_of(r, directory, &answers, error));
    rt_params own;
    if (teacher) method = teacher_method(&s->teacher, &own);
    rt_distiller_config config = {
        .student = r->model,
        .teacher = rt_method_needs_teacher(method) ? r->group->teaching.teacher : NULL,
        .method = method,
        .options = teacher ? &own : &s->distill,
        .transfer = rti_trial_part(r->plan, r->number),
        .transfer_hash = rt_dataset_hash(set),
        .batch = rt_params_int(&s->data, "batch"),
        .augment = rti_training_augment(network),
        .targets = teacher ? RT_TARGETS_TEACHER : rt_targets_named(rt_params_text(&s->distill, "targets")),
        .seed = r->trial->seed,
        .epochs = rt_params_int(network, "epochs"), /* of the schedule, also when it stops early */
        .training = network,
        .prefix = "optimizer.",
        .cache_directory = answers.directory,
        .cache_threads = answers.threads,
        .cache_go_on = answers.go_on,
        .cache_context = answers.context,
        .on_step = on_step,
        .on_step_context = r,
        .beside = beside,
    };
    r->distiller = rt_distiller_new(&config, error);
    return r->distiller ? RT_OK : error->status;
}

/* Goes on where a checkpoint stands; a damaged one is as good as none. */
static rt_status resume(rti_session *r, rt_error *error) {
    char path[RTI_PATH_MAX];
    RT_TRY(rti_path_join(path, sizeof path, r->directory, "checkpoint.bin", error));
    int64_t count;
    rt_model_block(r->model, &count);
    rti_checkpoint found;
    rt_error inner = {0};
    rt_status status = rti_checkpoint_read(&found, path, r->trial->id, count, &inner);
    if (status == RT_OK && found.epochs <= r->epochs) {
        status = rt_distiller_restore(r->distiller, found.distiller, found.distiller_bytes, &inner);
        if (status == RT_OK) {
            rti_checkpoint_deinit(&r->now);
            r->now = found;
            r->on_disk = true;
            r->seconds = found.seconds;
            return RT_OK;
        }
    }
    rti_checkpoint_deinit(&found);
    if (status == RT_MEMORY) return rt_fail(error, status, "%s", inner.message);
    if (status != RT_NOT_FOUND) rt_say(RT_LOG_WARNING, "%s; the trial starts again", inner.message);
    r->now.best_count = count;
    r->now.best = rt_alloc((size_t)count * sizeof(rt_real));
    return r->now.best ? RT_OK : rt_fail(error, RT_MEMORY, "no memory for the best weights");
}

void rti_session_init(rti_session *r, const rti_plan *plan, int trial, const rti_trial_hooks *hooks,
                      rti_common *group) {
    *r = (rti_session){.plan = plan,
               .number = trial,
               .trial = &plan->trials[trial],
               .hooks = hooks,
               .group = group,
               .epochs = rti_trial_epochs(&plan->trials[trial]),
               .validation_accuracy = NAN};
    rti_trial_directory(plan, trial, r->directory, sizeof r->directory);
}

/* Looks at classes that the student never sees, where the validation set has some. */
static rt_status watch_unseen(rti_session *r, rt_error *error) {
    const rt_part *validation = rt_dataset_part(r->plan->datasets[r->trial->dataset], RT_PART_VALIDATION);
    rti_unseen_find(&r->unseen, r->plan, r->number);
    bool any = false;
    for (int64_t i = 0; r->unseen.count && i < validation->count && !any; i++)
        any = r->unseen.is_unseen[validation->labels[i]];
    if (!any) return RT_OK;
    r->predictions = rt_alloc((size_t)validation->count);
    return r->predictions ? RT_OK : rt_fail(error, RT_MEMORY, "no memory for the predictions");
}

rt_status rti_session_begin(rti_session *r, rt_distiller *beside, rt_error *error) {
    char path[RTI_PATH_MAX];
    r->written_s = rti_clock_s();
    if (rti_directory_make(r->directory, error) != RT_OK) {
        r->unsaved = true;
        return RT_IO;
    }
    RT_TRY(rti_path_join(path, sizeof path, r->directory, "failed.json", error));
    unlink(path);
    RT_TRY(write_settings(r, error));
    rti_teaching *teaching = &r->group->teaching;
    if (!teaching->teacher) RT_TRY(rti_teaching_load(teaching, r->plan, r->number, error));
    r->model = rti_trial_model(r->plan, r->number, error);
    if (!r->model) return error->status;
    const char *weights = rti_trial_weights(r->trial);
    if (weights) {
        RT_TRY(rt_model_load(r->model, weights, error));
        rti_metrics_begin(&r->now.metrics);
    }
    RT_TRY(watch_unseen(r, error));
    RT_TRY(make_distiller(r, beside, error));
    return resume(r, error);
}

/* ---- the end ---- */

rti_trial_end rti_session_give_up(rti_session *r, rt_status status, rt_error *error) {
    if (status == RT_STOPPED) {
        rt_error inner = {0};
        if (write_checkpoint(r, &inner) == RT_OK) return RTI_END_STOPPED;
        *error = inner;
        return r->unsaved ? RTI_END_UNSAVED : RTI_END_STOPPED;
    }
    if (r->unsaved) return RTI_END_UNSAVED;
    rt_error inner = {0};
    if (rti_trial_write_failure(r->plan, r->number, error, r->epoch, r->step, &inner) == RT_OK)
        return RTI_END_FAILED;
    *error = inner;
    return RTI_END_UNSAVED;
}

rt_status rti_session_finish(rti_session *r, rt_error *error) {
    bool own = rti_has_own_references(r->trial) && !r->trial->tuning;
    char directory[RTI_PATH_MAX];
    rti_cache_making answers;
    RT_TRY(answers_of(r, directory, &answers, error));
    if (own) RT_TRY(rti_reference_load(&r->reference, r->plan, r->number, error));
    rti_finish f = {.plan = r->plan, .trial = r->number, .directory = r->directory, .model = r->model,
                    .teaching = own ? &r->reference : &r->group->teaching, .answers = &answers,
                    .speed = &r->group->speed, .together = r->group->count, .now = &r->now,
                    .epochs = r->epochs, .extra_parameters = rt_distiller_extra_parameters(r->distiller)};
    rt_status status = rti_trial_finish(&f, error);
    if (f.unsaved) r->unsaved = true;
    return status;
}

void rti_session_deinit(rti_session *r) {
    rt_distiller_free(r->distiller);
    rti_checkpoint_deinit(&r->now);
    rt_model_free(r->model);
    rt_free(r->predictions);
    rti_teaching_deinit(&r->reference);
}
