/* suggest.c - see suggest.h.                                           Floor 8 (experiment) */
#include "experiment/suggest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/spec.h"
#include "formats/csv.h"
#include "retort/alloc.h"

/* ---- the reader's spec ---- */

static bool is_written(const rti_spec *spec, const char *key) {
    for (int i = 0; i < spec->entries->count; i++)
        if (!strcmp(spec->entries->items[i].key, key)) return true;
    return false;
}

/* "distill.temperature 4": what stands there when the axis is gone. */
static void note_axis(const rti_spec *spec, const char *key, char *out, size_t size) {
    char value[RTI_LABEL_MAX];
    const rt_value *v = rti_settings_value(&spec->base, key);
    size_t used = strlen(out);
    if (v && used < size)
        snprintf(out + used, size - used, "%s%s %s%s", used ? ", " : "", key,
                 rti_label_value(v, value, sizeof value),
                 is_written(spec, key) ? "" : " (the default: the spec names no single value)");
}

/* What the spec says without a sweep. */
static rt_status resolve_again(rti_spec *spec, rt_error *error) {
    static const int first[RTI_AXES_MAX];
    rti_settings *now = rt_alloc(sizeof *now);
    if (!now) return rt_fail(error, RT_MEMORY, "no memory for the settings");
    rt_status status = rti_spec_resolve(spec, first, now, error);
    if (status == RT_OK) spec->base = *now;
    rt_free(now);
    return status;
}

static rt_status drop_sweep(rti_spec *spec, char *dropped, size_t size, rt_error *error) {
    char keys[RTI_AXES_MAX][RTI_KEY_MAX];
    int count = spec->axis_count;
    for (int a = 0; a < count; a++) snprintf(keys[a], sizeof keys[a], "%s", spec->axes[a].key);
    spec->axis_count = 0;
    RT_TRY(resolve_again(spec, error));
    dropped[0] = 0;
    for (int a = 0; a < count; a++) note_axis(spec, keys[a], dropped, size);
    return RT_OK;
}

rt_status rti_suggest_prepare(rti_spec *spec, char *dropped, size_t size, rt_error *error) {
    const rti_settings *base = &spec->base;
    if (spec->is_comparison)
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: a search distils with one method; it needs [distill], not [compare]", spec->path);
    RT_TRY(drop_sweep(spec, dropped, size, error));
    const char *method = rt_params_text(&base->distill, "method");
    if (!base->has_teacher)
        return rt_fail(error, RT_SPEC, "%s: there is no [teacher]; a search distils each candidate from one",
                       spec->path);
    if (!strcmp(method, "none") || rt_method_is_labels_only(method, &base->distill))
        return rt_fail(
            error, RT_SPEC,
            "%s: [distill] learns from the labels alone; name a method and, for kd, an alpha above "
            "0, for example --set distill.alpha=0.9",
            spec->path);
    if (rti_settings_lineage(base) == RTI_BORN_AGAIN)
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: generations are not searched; leave out schedule = "
                       "\"born-again\"",
                       spec->path);
    if (strlen(spec->name) + strlen(RTI_SUGGEST_ENDING) >= sizeof spec->name)
        return rt_fail(error, RT_SPEC,
                       "%s: the name %s is too long for %s behind it; give a shorter one with "
                       "--set name=...",
                       spec->path, spec->name, RTI_SUGGEST_ENDING);
    return RT_OK;
}

/* ---- times of untrained networks ---- */

#define TIMES_MAX 1024
#define RUNS 301
#define LIMIT_S 0.15

typedef struct known_time {
    char network[RTI_LABEL_MAX];
    int64_t parameters, multiply_adds;
    rti_latency latency;
} known_time;

typedef struct stopwatch {
    char path[RTI_PATH_MAX];
    const rt_dataset *set;
    uint64_t seed;
    int count;
    known_time *times;
    bool is_new;
} stopwatch;

static rt_status read_times(stopwatch *w, rt_error *error) {
    rti_csv csv;
    rt_error inner = {0};
    w->times = rt_alloc_zero(TIMES_MAX, sizeof *w->times);
    if (!w->times) return rt_fail(error, RT_MEMORY, "no memory for the times of networks");
    rt_status status = rti_csv_read(&csv, w->path, ',', &inner);
    if (status == RT_NOT_FOUND) return RT_OK;
    if (status != RT_OK)
        return rt_fail(error, status, "%s; remove the file, times are measured again", inner.message);
    for (int64_t row = 1; csv.columns == 7 && row < csv.rows && w->count < TIMES_MAX; row++) {
        double v[6];
        bool fine = true;
        for (int i = 0; i < 6; i++) fine = fine && rti_csv_number(rti_csv_field(&csv, row, i + 1), &v[i]);
        if (!fine || v[0] < 0 || v[0] > 9e15 || v[1] < 0 || v[1] > 9e15 || !(v[3] > 0)) continue;
        known_time *t = &w->times[w->count++];
        snprintf(t->network, sizeof t->network, "%s", rti_csv_field(&csv, row, 0));
        t->parameters = (int64_t)v[0];
        t->multiply_adds = (int64_t)v[1];
        t->latency = (rti_latency){v[2] >= 0 && v[2] <= 1e6 ? (int)v[2] : 1, v[3], v[4], v[5]};
    }
    rti_csv_deinit(&csv);
    return RT_OK;
}

static rt_status write_times(const stopwatch *w, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "network,parameters,multiply_adds,runs,median_us,low_us,high_us\n");
    for (int i = 0; i < w->count; i++) {
        const known_time *t = &w->times[i];
        rti_csv_append(&text, t->network, true);
        rti_text_printf(&text, ",%lld,%lld,%d", (long long)t->parameters, (long long)t->multiply_adds,
                        t->latency.runs);
        rti_csv_add_number(&text, t->latency.median_us, false);
        rti_csv_add_number(&text, t->latency.low_us, false);
        rti_csv_add_number(&text, t->latency.high_us, false);
        rti_text_append(&text, "\n");
    }
    rt_status status = text.failed ? rt_fail(error, RT_MEMORY, "no memory for the times of networks")
                                   : rti_file_write(w->path, rti_text_string(&text), text.length, error);
    rti_text_deinit(&text);
    return status;
}

/* Of a network of these rows, measured when nobody knows it. */
static rti_latency time_of(stopwatch *w, const rt_params *rows) {
    const rt_examples *e = rt_dataset_train_examples(w->set);
    rti_latency none = rti_latency_of(NULL, 0);
    known_time now = {.latency = none};
    rti_size size;
    if (rti_shape_size(e, rows, &size, now.network, sizeof now.network, NULL) != RT_OK) return none;
    now.parameters = size.parameters;
    now.multiply_adds = size.multiply_adds;
    for (int i = 0; i < w->count; i++)
        if (!strcmp(w->times[i].network, now.network) && w->times[i].parameters == now.parameters &&
            w->times[i].multiply_adds == now.multiply_adds)
            return w->times[i].latency;
    rt_model *model = rt_model_new(rt_params_text(rows, "model"), rows, e->ndim, e->shape, e->classes,
                                   w->seed, NULL);
    if (!model) return none;
    now.latency = rti_latency_measure(&model, 1, rt_dataset_part(w->set, RT_PART_VALIDATION), 1, RUNS,
                                      LIMIT_S);
    rt_model_free(model);
    if (now.latency.runs && w->count < TIMES_MAX) w->times[w->count++] = now;
    w->is_new = true;
    return now.latency;
}

static double latency_of(void *context, const rt_params *rows) { return time_of(context, rows).median_us; }

/* ---- candidates ---- */

static rt_status fill(rti_suggestion *s, const rti_spec *spec, stopwatch *w, const rti_axis axes[],
                      int axis_count, rt_error *error) {
    int seconds = axis_count > 1 ? axes[1].count : 1;
    rt_params *rows = rt_alloc(sizeof *rows);
    if (!rows) return rt_fail(error, RT_MEMORY, "no memory for the candidates");
    rt_status status = RT_OK;
    s->count = 0;
    for (int i = 0; i < axes[0].count * seconds && status == RT_OK && s->count < RTI_CANDIDATES_MAX; i++) {
        rti_candidate *c = &s->candidate[s->count++];
        memset(c, 0, sizeof *c);
        c->value[0] = i / seconds;
        c->value[1] = i % seconds;
        *rows = spec->base.student;
        for (int a = 0; a < axis_count; a++)
            rows->values[rt_params_find(rows, axes[a].key + 8)] = axes[a].values[c->value[a]];
        status = rti_shape_size(rt_dataset_train_examples(w->set), rows, &c->size, c->network,
                                sizeof c->network, error);
        c->latency = time_of(w, rows);
        c->offer = (rti_offer){.bytes = rti_limits_bytes(&s->limits, &c->size),
                               .latency_us = c->latency.median_us,
                               .accuracy = NAN};
    }
    rt_free(rows);
    return status;
}

static rt_status find(rti_suggestion *s, rti_spec *spec, stopwatch *w, rti_axis axes[], rti_text *search,
                      rt_error *error) {
    int axis_count;
    const rti_shape_search shapes = {rt_dataset_train_examples(w->set), &spec->base, &s->limits, latency_of,
                                     w};
    RT_TRY(rti_shapes_find(&shapes, axes, &axis_count, error));
    RT_TRY(fill(s, spec, w, axes, axis_count, error));
    if (w->is_new) RT_TRY(write_times(w, error));
    spec->axis_count = axis_count;
    memcpy(spec->axes, axes, (size_t)axis_count * sizeof axes[0]);
    rt_status status = rti_suggest_text(spec, false, "the search: every shape keeps the limits", search,
                                        error);
    spec->axis_count = 0;
    return status;
}

rt_status rti_suggest_candidates(rti_suggestion *s, rti_spec *spec, const rt_dataset *set, rti_text *search,
                                 rt_error *error) {
    stopwatch w = {.set = set, .seed = spec->seeds[0]};
    rti_size teacher;
    snprintf(s->name, sizeof s->name, "%s", spec->name);
    s->seeds = spec->seed_count;
    RT_TRY(rti_shape_size(rt_dataset_train_examples(set), &spec->base.teacher, &teacher, NULL, 0, error));
    s->teacher_bytes = rti_limits_bytes(&s->limits, &teacher) *
                       (double)rt_params_int(&spec->base.teacher, "count");
    RT_TRY(rti_directory_make(s->directory, error));
    RT_TRY(rti_path_join(w.path, sizeof w.path, s->directory, "latency.csv", error));
    rti_axis *axes = rt_alloc_zero(RTI_SHAPE_AXES, sizeof *axes);
    rt_status status = axes ? read_times(&w, error)
                            : rt_fail(error, RT_MEMORY, "no memory for the candidates");
    if (status == RT_OK) status = find(s, spec, &w, axes, search, error);
    rt_free(w.times);
    rt_free(axes);
    return status;
}

/* ---- specs that follow ---- */

rt_status rti_suggest_text(rti_spec *spec, bool scratch, const char *comment, rti_text *out,
                           rt_error *error) {
    char name[sizeof spec->name];
    const rt_value none = {.type = RT_PARAM_BOOL};
    bool added = !scratch && !is_written(spec, "distill.scratch");
    if (!scratch) RT_TRY(rti_spec_keep(spec, "distill.scratch", &none, 0, error));
    memcpy(name, spec->name, sizeof name);
    snprintf(spec->name, sizeof spec->name, "%.50s%s", name, RTI_SUGGEST_ENDING);
    rti_text_printf(out, "# %s\n", comment);
    rti_spec_copy_text(spec, out);
    memcpy(spec->name, name, sizeof name);
    if (added) spec->entries->count--; /* it was the last one */
    return out->failed ? rt_fail(error, RT_MEMORY, "no memory for a spec") : RT_OK;
}

rt_status rti_suggest_take(rti_spec *spec, const rti_plan *search, const rti_candidate *choice,
                           rt_error *error) {
    for (int a = 0; a < search->spec.axis_count; a++) {
        const rti_axis *axis = &search->spec.axes[a];
        RT_TRY(rti_spec_keep(spec, axis->key, &axis->values[choice->value[a]], 0, error));
    }
    return resolve_again(spec, error);
}

void rti_suggest_forget_assistant(rti_spec *spec) {
    rti_spec_entries *all = spec->entries;
    int kept = 0;
    for (int i = 0; i < all->count; i++)
        if (strncmp(all->items[i].key, "assistant.", 10)) all->items[kept++] = all->items[i];
    all->count = kept;
    spec->assistant_count = 0;
}

/* Everything that was written of the student, and the widths of *rows. */
static rt_status write_assistant(rti_spec *spec, const rt_params *rows, rt_error *error) {
    char key[RTI_KEY_MAX + 16];
    int count = spec->entries->count;
    for (int i = 0; i < count; i++) {
        rti_spec_entry entry = spec->entries->items[i]; /* a copy: the list grows */
        if (strncmp(entry.key, "student.", 8)) continue;
        snprintf(key, sizeof key, "assistant.1.%.95s", entry.key + 8);
        if (strlen(key) >= RTI_KEY_MAX) continue;
        RT_TRY(rti_spec_keep(spec, key, &entry.value, 0, error));
    }
    const char *const *widths = rti_shape_keys(rt_params_text(rows, "model"));
    for (; *widths; widths++) {
        snprintf(key, sizeof key, "assistant.1.%s", *widths);
        RT_TRY(rti_spec_keep(spec, key, &rows->values[rt_params_find(rows, *widths)], 0, error));
    }
    spec->assistant_count = 1;
    return RT_OK;
}

rt_status rti_suggest_assistant(const rti_suggestion *s, rti_spec *spec, const rt_dataset *set, char *summary,
                                size_t size, rt_error *error) {
    const rt_examples *e = rt_dataset_train_examples(set);
    rt_params *rows = rt_alloc(sizeof *rows);
    if (!rows) return rt_fail(error, RT_MEMORY, "no memory for the assistant");
    *rows = spec->base.student;
    double middle = sqrt(s->teacher_bytes * s->candidate[s->chosen].offer.bytes);
    rti_size found;
    rt_status status = rti_shape_resize(e, &s->limits, rows, middle, error);
    if (status == RT_OK) status = rti_shape_size(e, rows, &found, summary, size, error);
    if (status == RT_OK) status = write_assistant(spec, rows, error);
    rt_free(rows);
    return status;
}

bool rti_suggest_has_gap(const rti_suggestion *s) {
    if (s->chosen < 0 || isnan(s->teacher_accuracy)) return false;
    const rti_offer *o = &s->candidate[s->chosen].offer;
    return s->teacher_accuracy - o->accuracy > RTI_GAP_MAX && s->teacher_bytes >= RTI_GAP_TIMES * o->bytes;
}
