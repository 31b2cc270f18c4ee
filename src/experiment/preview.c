/* preview.c - see preview.h.                                           Floor 8 (experiment)
 *
 * What is said is looked up in networks that are built for it, not computed from tables: the same code
 * will train. Memory and time come from two steps on the first examples; the first one warms up, and is
 * enough when it takes long. */
#include "experiment/preview.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "experiment/pair.h"
#include "experiment/plan_builder.h"
#include "experiment/report_parts.h"
#include "experiment/scheduler.h"
#include "retort/alloc.h"

/* ---- two steps ---- */

#define LONG_STEP_S 0.5 /* a step that takes so long needs no warming up */

typedef struct stopwatch {
    double started_s, step_s;    /* of the last step */
    int steps;
    size_t before, bytes;        /* live: without, and with all that a step needs */
} stopwatch;

static bool after_step(void *context, int64_t epoch, int64_t step, int64_t steps) {
    stopwatch *w = context;
    (void)epoch;
    double now = rti_clock_s();
    w->step_s = now - w->started_s;
    w->started_s = now;
    w->bytes = rt_alloc_stats_get().live_bytes - w->before;
    return ++w->steps < 2 && step + 1 < steps && w->step_s < LONG_STEP_S;
}

/* What one kind of training costs, and how often. */
typedef struct cost {
    double once_s, epoch_s;      /* ahead of the first step (soft targets); NaN: not measured */
    double megabytes, step_ms;
} cost;

static rt_status rehearse(rt_distiller_config *config, const rt_dataset *set, int64_t examples, size_t before,
                          cost *out, rt_error *error) {
    stopwatch w = {.before = before};
    rt_epoch_report report;
    config->on_step = after_step;
    config->on_step_context = &w;
    double start = rti_clock_s();
    rt_distiller *d = rt_distiller_new(config, error);
    if (!d) return error ? error->status : RT_MEMORY;
    w.started_s = rti_clock_s();
    double share = (double)examples / (double)config->transfer->count;
    out->once_s = (w.started_s - start) * share;
    rt_status status = rt_distiller_epoch(d, &report, error);
    rt_distiller_free(d);
    if (status != RT_OK && status != RT_STOPPED && status != RT_NOT_FINITE) return status;
    /* A validation example goes forward only: a third of a step's work. */
    int64_t in_step = config->batch < config->transfer->count ? config->batch : config->transfer->count;
    double per_example = w.step_s / (double)in_step,
           validation = (double)rt_dataset_part(set, RT_PART_VALIDATION)->count;
    out->epoch_s = per_example * ((double)examples + validation / 3);
    out->step_ms = 1000 * w.step_s;
    out->megabytes = (double)w.bytes / 1e6;
    return RT_OK;
}

static void add_cost(rti_text *out, const cost *c, int64_t batch, int64_t epochs) {
    char duration[32];
    rti_text_printf(out, "%.3g ms a step of %lld, %.3g MB, about %s for %lld epochs\n", c->step_ms,
                    (long long)batch, c->megabytes,
                    rti_duration_text(c->once_s + c->epoch_s * (double)epochs, duration), (long long)epochs);
}

/* ---- networks ---- */

static void add_thousands(rti_text *out, int64_t n) {
    if (n >= 1000) {
        add_thousands(out, n / 1000);
        rti_text_printf(out, ",%03d", (int)(n % 1000));
    } else {
        rti_text_printf(out, "%d", (int)n);
    }
}

static rt_status add_taps(rti_text *out, const rt_model *model, rt_error *error) {
    size_t line = out->length;
    rti_text_append(out, "    taps:");
    for (int i = 0; i < rt_model_taps(model); i++) {
        rt_tensor t = {.ndim = 0};
        char shape[RT_SHAPE_TEXT], tap[RT_SHAPE_TEXT + 64];
        const char *name = rt_model_tap_name(model, i);
        RT_TRY(rt_model_tap_shape(model, name, &t.ndim, t.shape, error));
        snprintf(tap, sizeof tap, " %s %s", name, rt_shape_text(&t, shape));
        if (i) rti_text_append(out, ",");
        if (out->length - line + strlen(tap) >= RTI_TABLE_WIDTH) {
            rti_text_append(out, "\n         ");
            line = out->length - 9;
        }
        rti_text_append(out, tap);
    }
    rti_text_append(out, "\n");
    return RT_OK;
}

static rt_status add_network(rti_text *out, const char *name, const rt_params *rows, const rt_dataset *set,
                             bool taps, rt_error *error) {
    rt_model *model = rti_builder_model(rows, set, 1, error);
    if (!model) return error ? error->status : RT_MEMORY;
    rt_model_cost c = rt_model_cost_get(model);
    rti_text_printf(out, "  %-12s %s: ", name, rt_model_summary(model));
    add_thousands(out, c.parameters);
    rti_text_append(out, " parameters, ");
    add_thousands(out, c.multiply_adds);
    rti_text_append(out, " multiply-adds an example\n");
    rt_status status = taps ? add_taps(out, model, error) : RT_OK;
    rt_model_free(model);
    return status;
}

/* ---- subjects: rows of a comparison, facets of a grid ---- */

typedef struct preview {
    const rti_plan *plan;
    rti_preview_depth depth;
    int shard, shards;
    rti_text *out;
    const rt_dataset *set;
    const char *label;           /* of the subject */
    cost teacher, scratch;
    cost *student;               /* (subjects) */
    cost (*assistant)[RTI_ASSISTANTS_MAX];
    int subject;
} preview;

static int64_t transfer_count(const preview *p) { return rt_dataset_part(p->set, RT_PART_TRANSFER)->count; }

/* Indented lines of a description. */
static void add_lines(rti_text *out, const char *text) {
    for (const char *end; *text; text = end) {
        size_t length = strcspn(text, "\n");
        end = text + length + (text[length] == '\n');
        rti_text_printf(out, "    %.*s\n", (int)length, text);
    }
}

static rt_status see_pair(void *context, const rti_pair *pair, rt_error *error) {
    preview *p = context;
    char described[4096];
    size_t before = rt_alloc_stats_get().live_bytes;
    int number = pair->settings->number;
    int64_t batch = rt_params_int(&pair->settings->data, "batch");
    rti_rehearsal r;
    cost *c = number ? &p->assistant[p->subject][number - 1] : &p->student[p->subject];
    RT_TRY(rti_rehearsal_init(&r, pair, p->set, 2 * batch, error));
    rt_status status = rt_distiller_describe(&r.config, described, sizeof described, error);
    if (status == RT_OK && p->depth == RTI_PREVIEW_MEASURED)
        status = rehearse(&r.config, p->set, transfer_count(p), before, c, error);
    if (status == RT_OK && (described[0] || p->depth == RTI_PREVIEW_MEASURED)) {
        rti_text_printf(p->out, "  %s", p->label);
        if (strcmp(pair->student_name, "student") || !strcmp(pair->teacher_name, "student") ||
            !strncmp(pair->teacher_name, "assistant", 9))
            rti_text_printf(p->out, ", %s taught by %s", pair->student_name, pair->teacher_name);
        rti_text_append(p->out, ": ");
        if (p->depth == RTI_PREVIEW_MEASURED) add_cost(p->out, c, batch, r.config.epochs);
        else rti_text_append(p->out, "\n");
        add_lines(p->out, described);
    }
    rti_rehearsal_deinit(&r);
    return status;
}

/* The training of [teacher], or of the student on the labels alone. */
static rt_status see_alone(preview *p, const rti_settings *settings, bool teacher, cost *c, rt_error *error) {
    size_t before = rt_alloc_stats_get().live_bytes;
    const rt_params *rows = teacher ? &settings->teacher : &settings->student;
    rt_params none;
    rt_params_init(&none, NULL, 0);
    rt_model *model = rti_builder_model(rows, p->set, 1, error);
    if (!model) return error ? error->status : RT_MEMORY;
    int64_t batch = rt_params_int(&settings->data, "batch");
    const rt_part *whole = rt_dataset_part(p->set, teacher ? RT_PART_TRAIN : RT_PART_TRANSFER);
    rt_part part = *whole;
    if (part.count > 2 * batch) part.count = 2 * batch;
    rt_distiller_config config = {.student = model, .method = "none", .options = &none, .transfer = &part,
                                  .batch = batch, .epochs = rt_params_int(rows, "epochs"), .training = rows,
                                  .augment = rti_training_augment(rows),
                                  .prefix = "optimizer.", .seed = 1};
    rt_status status = rehearse(&config, p->set, whole->count, before, c, error);
    rt_model_free(model);
    c->once_s = 0;
    if (status != RT_OK) return status;
    rti_text_printf(p->out, "  %s: ", teacher ? "teacher" : "scratch");
    add_cost(p->out, c, batch, config.epochs);
    return RT_OK;
}

/* The settings of a subject, and the point they stand for. NULL value: nothing is distilled there. */
static rt_status find_subject(const preview *p, rti_settings *settings, const rti_spec **spec,
                              const int **value, rt_error *error) {
    const rti_plan *plan = p->plan;
    *value = NULL;
    if (plan->spec.is_comparison) {
        const rti_row *row = &plan->rows[p->subject];
        if (row->reason[0]) return RT_OK;
        *spec = row->spec;
        *value = row->points[row->chosen > 0 ? row->chosen : 0].value;
        return rti_spec_resolve(*spec, *value, settings, error);
    }
    for (int c = 0; c < plan->cell_count; c++) {
        const rti_cell *cell = &plan->cells[c];
        if (cell->facet != p->subject || cell->trials[0] == cell->scratch[0]) continue;
        *spec = &plan->spec;
        *value = cell->value;
        return rti_spec_resolve(*spec, *value, settings, error);
    }
    return RT_OK;
}

static rt_status see_subject(preview *p, rti_settings *settings, rt_error *error) {
    const rti_spec *spec;
    const int *value;
    RT_TRY(find_subject(p, settings, &spec, &value, error));
    if (!value) return RT_OK;
    const char *method = rt_params_text(&settings->distill, "method");
    p->label = spec->label[0] ? spec->label : method;
    if (!strcmp(method, "none") || rt_method_is_labels_only(method, &settings->distill)) return RT_OK;
    return rti_pairs_each(spec, value, settings, see_pair, p, error);
}

/* ---- time ---- */

static double seconds_of(const preview *p, int trial) {
    const rti_trial *t = &p->plan->trials[trial];
    int subject = rti_trial_subject(p->plan, trial);
    const cost *c = t->role == RTI_TEACHER ? &p->teacher : &p->scratch;
    if (t->role == RTI_STUDENT && subject >= 0)
        c = t->settings->number ? &p->assistant[subject][t->settings->number - 1] : &p->student[subject];
    return c->once_s + c->epoch_s * (double)rti_trial_epochs(t);
}

static void add_time(const preview *p) {
    char duration[32];
    double seconds = 0;
    int trials = 0;
    for (int t = 0; t < p->plan->trial_count; t++) {
        if (rti_trial_state(p->plan, t) == RTI_DONE) continue;
        if (!rti_in_shard(p->plan, t, p->shard, p->shards)) continue;
        seconds += seconds_of(p, t);
        trials++;
    }
    if (!trials) return;
    rti_text_printf(p->out, "  %d trials to train: about %s on this machine%s\n", trials,
                    rti_duration_text(seconds, duration),
                    p->plan->undecided ? ", then the rows that tuning decides" : "");
}

/* ---- all ---- */

static rt_status add_all(preview *p, rti_settings *settings, rt_error *error) {
    const rti_plan *plan = p->plan;
    const rti_settings *base = &plan->spec.base;
    bool measured = p->depth == RTI_PREVIEW_MEASURED;
    static const int first[RTI_AXES_MAX];
    if (rti_settings_stored(base))
        rti_text_printf(p->out, "  %-12s answers from %s, no network\n", "teacher",
                        rt_params_text(&base->teacher, "logits"));
    else if (base->has_teacher)
        RT_TRY(add_network(p->out, "teacher", &base->teacher, p->set, measured, error));
    for (int n = 1; n <= plan->spec.assistant_count; n++) {
        char name[32];
        snprintf(name, sizeof name, "assistant %d", n);
        RT_TRY(rti_spec_resolve_for(&plan->spec, first, n, settings, error));
        RT_TRY(add_network(p->out, name, &settings->student, p->set, measured, error));
    }
    RT_TRY(add_network(p->out, "student", &base->student, p->set, measured, error));
    if (measured && base->has_teacher && !rti_settings_stored(base) &&
        !rt_params_text(&base->teacher, "weights")[0])
        RT_TRY(see_alone(p, base, true, &p->teacher, error));
    if (measured) RT_TRY(see_alone(p, base, false, &p->scratch, error));
    int subjects = plan->spec.is_comparison ? plan->row_count : plan->facet_count;
    for (p->subject = 0; p->subject < subjects; p->subject++) RT_TRY(see_subject(p, settings, error));
    if (measured) add_time(p);
    return RT_OK;
}

rt_status rti_preview_text(const rti_plan *plan, rti_preview_depth depth, int shard, int shards,
                           rti_text *out, rt_error *error) {
    preview p = {.plan = plan, .depth = depth, .shard = shard, .shards = shards, .out = out};
    size_t subjects = (size_t)(plan->spec.is_comparison ? plan->row_count : plan->facet_count);
    if (!plan->trial_count) return RT_OK;
    p.set = plan->datasets[plan->trials[plan->trial_count - 1].dataset];
    p.student = rt_alloc_zero(subjects, sizeof *p.student);
    p.assistant = rt_alloc_zero(subjects, sizeof *p.assistant);
    rti_settings *settings = rt_alloc(sizeof *settings);
    rt_status status = p.student && p.assistant && settings
                           ? add_all(&p, settings, error)
                           : rt_fail(error, RT_MEMORY, "no memory for the preview");
    rt_free(p.student);
    rt_free(p.assistant);
    rt_free(settings);
    return status == RT_OK && out->failed ? rt_fail(error, RT_MEMORY, "no memory for the preview") : status;
}
