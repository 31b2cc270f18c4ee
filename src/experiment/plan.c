/* plan.c - from a spec to trials and cells.                            Floor 8 (experiment)
 *
 * A trial is identified by what it computes and nothing else: the rows of its own network and
 * method, the contents of the data it sees, its seed and its teachers. So a teacher is the same
 * trial for the whole sweep, a student with alpha = 0 is the scratch student, and adding a value to
 * an axis leaves every finished trial finished.
 *
 * Students wait for their teacher even when they learn from labels alone, because their agreement
 * with it is part of the result. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/hash.h"
#include "experiment/spec.h"
#include "retort/alloc.h"

const char *rti_role_name(rti_role role) {
    return role == RTI_TEACHER ? "teacher" : role == RTI_SCRATCH ? "scratch" : "student";
}

const char *rti_state_name(rti_state state) {
    static const char *const names[] = {"pending", "running", "done", "failed"};
    return names[state];
}

const rt_params *rti_trial_network(const rti_trial *trial) {
    return trial->role == RTI_TEACHER ? &trial->settings->teacher : &trial->settings->student;
}

const rt_part *rti_trial_part(const rti_plan *plan, int trial) {
    const rti_trial *t = &plan->trials[trial];
    return rt_dataset_part(plan->datasets[t->dataset],
                           t->role == RTI_TEACHER ? RT_PART_TRAIN : RT_PART_TRANSFER);
}

/* ---- what is kept while a plan is made ---- */

typedef struct known_data {
    char *text;                            /* canonical rows */
    char teacher[RTI_HASH_TEXT], student[RTI_HASH_TEXT];
} known_data;

typedef struct known_network {
    char id[RTI_HASH_TEXT];
    rt_model_cost cost;
} known_network;

#define NETWORKS_MAX 512 /* more are checked again each time */

typedef struct builder {
    rti_plan *plan;
    const char *data_directory;
    known_data *data; /* one for each of the plan's data sets */
    int network_count;
    known_network networks[NETWORKS_MAX];
    int trial_capacity;
} builder;

static rt_status no_memory(rt_error *error) { return rt_fail(error, RT_MEMORY, "no memory for the plan"); }

/* ---- data ---- */

static void hash_part(rti_hash *hash, const rt_part *part) {
    const rt_examples *e = part->examples;
    double numbers[] = {(double)part->count, (double)e->ndim, (double)e->classes, e->scale, e->shift,
                        e->background};
    rti_hash_add(hash, numbers, sizeof numbers);
    rti_hash_add(hash, e->shape, sizeof e->shape[0] * (size_t)e->ndim);
    rti_hash_add(hash, part->labels, sizeof part->labels[0] * (size_t)part->count);
    size_t row = (size_t)e->features * (e->bytes ? 1 : sizeof e->values[0]);
    const char *start = e->bytes ? (const char *)e->bytes : (const char *)e->values;
    for (int64_t i = 0; i < part->count; i++) rti_hash_add(hash, start + (size_t)part->index[i] * row, row);
}

static void hash_parts(const rt_dataset *set, rt_part_name trained_on, char out[RTI_HASH_TEXT]) {
    rti_hash hash;
    rti_hash_init(&hash, 0);
    hash_part(&hash, rt_dataset_part(set, trained_on));
    hash_part(&hash, rt_dataset_part(set, RT_PART_VALIDATION));
    hash_part(&hash, rt_dataset_part(set, RT_PART_TEST));
    rti_hash_finish_text(&hash, out);
}

static rt_status find_data(builder *b, const rt_params *rows, int *number, rt_error *error) {
    rti_plan *plan = b->plan;
    rti_text text = RTI_TEXT_EMPTY;
    static const char *const skip[] = {"batch", NULL};
    rti_params_append(&text, rows, skip);
    char *key = rti_text_take(&text);
    if (!key) return no_memory(error);
    for (*number = 0; *number < plan->dataset_count; ++*number)
        if (!strcmp(b->data[*number].text, key)) {
            rt_free(key);
            return RT_OK;
        }
    size_t n = (size_t)plan->dataset_count + 1;
    known_data *data = rt_realloc(b->data, n * sizeof *data);
    if (data) b->data = data;
    rt_dataset **sets = data ? rt_realloc(plan->datasets, n * sizeof *sets) : NULL;
    if (!sets) {
        rt_free(key);
        return no_memory(error);
    }
    plan->datasets = sets;
    rt_dataset *set = rt_dataset_open(rows, b->data_directory, error);
    if (!set) {
        rt_free(key);
        return error ? error->status : RT_IO;
    }
    sets[n - 1] = set;
    data[n - 1].text = key;
    hash_parts(set, RT_PART_TRAIN, data[n - 1].teacher);
    hash_parts(set, RT_PART_TRANSFER, data[n - 1].student);
    plan->dataset_count = (int)n;
    return RT_OK;
}

/* ---- identities ---- */

static const char *const teacher_skip[] = {"count", "combine", "seed", NULL};
static const char *const preset_skip[] = {"preset", NULL};

static rt_status trial_identity(const builder *b, rti_trial *trial, rt_error *error) {
    const known_data *data = &b->data[trial->dataset];
    bool teacher = trial->role == RTI_TEACHER;
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "retort trial %d, %d bytes\n%s\nseed %" PRIu64 "\nbatch %" PRId64 "\ndata %s\n",
                    RTI_TRIAL_FORMAT, (int)sizeof(rt_real), teacher ? "teacher" : "student", trial->seed,
                    rt_params_int(&trial->settings->data, "batch"), teacher ? data->teacher : data->student);
    rti_params_append(&text, rti_trial_network(trial), teacher ? teacher_skip : NULL);
    if (!teacher) {
        rti_text_append(&text, "distill\n");
        rti_params_append(&text, &trial->settings->distill, preset_skip);
        for (int i = 0; i < trial->teacher_count; i++)
            rti_text_printf(&text, "teacher %s\n", b->plan->trials[trial->teachers[i]].id);
        if (trial->teacher_count > 1)
            rti_text_printf(&text, "combine %s\n", rt_params_text(&trial->settings->teacher, "combine"));
    }
    if (text.failed) {
        rti_text_deinit(&text);
        return no_memory(error);
    }
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add(&hash, text.bytes, text.length);
    rti_hash_finish_text(&hash, trial->id);
    rti_text_deinit(&text);
    return RT_OK;
}

/* ---- networks: tried once, so that a bad one is found before the first trial ---- */

static rt_model *make_model(const rt_params *rows, const rt_dataset *set, uint64_t seed, rt_error *error) {
    const rt_examples *e = rt_dataset_train_examples(set);
    return rt_model_new(rt_params_text(rows, "model"), rows, e->ndim, e->shape, e->classes, seed, error);
}

rt_model *rti_trial_model(const rti_plan *plan, int trial, rt_error *error) {
    const rti_trial *t = &plan->trials[trial];
    return make_model(rti_trial_network(t), plan->datasets[t->dataset], t->seed, error);
}

static rt_status check_network(builder *b, rti_trial *trial, rt_error *error) {
    const rt_params *rows = rti_trial_network(trial);
    known_network network;
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "data %d\n", trial->dataset);
    rti_params_append(&text, rows, teacher_skip);
    if (text.failed) {
        rti_text_deinit(&text);
        return no_memory(error);
    }
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add(&hash, text.bytes, text.length);
    rti_hash_finish_text(&hash, network.id);
    rti_text_deinit(&text);
    for (int i = 0; i < b->network_count; i++)
        if (!strcmp(b->networks[i].id, network.id)) {
            trial->cost = b->networks[i].cost;
            return RT_OK;
        }
    const char *section = trial->role == RTI_TEACHER ? "teacher" : "student";
    rt_error inner = {0};
    rt_model *model = make_model(rows, b->plan->datasets[trial->dataset], trial->seed, &inner);
    rt_optimizer *optimizer =
        model ? rt_optimizer_new(model, rows, "optimizer.", rt_params_int(rows, "epochs"), 1, &inner) : NULL;
    if (model) network.cost = rt_model_cost_get(model);
    bool fits = optimizer != NULL;
    rt_optimizer_free(optimizer);
    rt_model_free(model);
    if (!fits) return rt_fail(error, inner.status, "%s: [%s] %s", b->plan->spec.path, section, inner.message);
    trial->cost = network.cost;
    if (b->network_count < NETWORKS_MAX) b->networks[b->network_count++] = network;
    return RT_OK;
}

/* ---- trials ---- */

/* The number of the trial with the identity of `trial`, which is added when it is new. */
static rt_status add_trial(builder *b, rti_trial *trial, int *number, rt_error *error) {
    rti_plan *plan = b->plan;
    RT_TRY(trial_identity(b, trial, error));
    for (*number = 0; *number < plan->trial_count; ++*number)
        if (!memcmp(plan->trials[*number].id, trial->id, sizeof trial->id)) return RT_OK;
    if (plan->trial_count == RTI_TRIALS_MAX)
        return rt_fail(error, RT_SPEC, "%s: more than %d trials; sweep over less", plan->spec.path,
                       RTI_TRIALS_MAX);
    if (plan->trial_count == b->trial_capacity) {
        int capacity = b->trial_capacity ? 2 * b->trial_capacity : 64;
        rti_trial *grown = rt_realloc(plan->trials, (size_t)capacity * sizeof *grown);
        if (!grown) return no_memory(error);
        plan->trials = grown;
        b->trial_capacity = capacity;
    }
    RT_TRY(check_network(b, trial, error));
    plan->trials[plan->trial_count++] = *trial;
    return RT_OK;
}

static rt_status keep_settings(rti_plan *plan, const rti_settings *settings, rti_settings **kept,
                               rt_error *error) {
    size_t n = (size_t)plan->settings_count + 1;
    rti_settings **all = rt_realloc(plan->settings, n * sizeof *all);
    if (!all) return no_memory(error);
    plan->settings = all;
    *kept = rt_alloc(sizeof **kept);
    if (!*kept) return no_memory(error);
    **kept = *settings;
    all[n - 1] = *kept;
    plan->settings_count = (int)n;
    return RT_OK;
}

static void drop_settings(rti_plan *plan) { rt_free(plan->settings[--plan->settings_count]); }

static rt_status add_teachers(builder *b, rti_settings *settings, int dataset, rti_trial *student,
                              rt_error *error) {
    student->teacher_count = 0;
    if (!settings->has_teacher) return RT_OK;
    int count = (int)rt_params_int(&settings->teacher, "count");
    for (int i = 0; i < count; i++) {
        rti_trial teacher = {.role = RTI_TEACHER, .settings = settings, .dataset = dataset};
        teacher.seed = (uint64_t)rt_params_int(&settings->teacher, "seed") + (uint64_t)i;
        RT_TRY(add_trial(b, &teacher, &student->teachers[i], error));
    }
    student->teacher_count = count;
    return RT_OK;
}

static rt_status add_cell_trials(builder *b, rti_cell *cell, const rti_settings *resolved, rt_error *error) {
    rti_plan *plan = b->plan;
    rti_settings *own, *labels;
    rti_trial student = {.role = RTI_STUDENT}, scratch;
    RT_TRY(keep_settings(plan, resolved, &own, error));
    RT_TRY(find_data(b, &own->data, &student.dataset, error));
    RT_TRY(add_teachers(b, own, student.dataset, &student, error));
    const char *method = rt_params_text(&own->distill, "method");
    const rt_examples *examples = rt_dataset_train_examples(plan->datasets[student.dataset]);
    rt_error inner = {0};
    if (rt_method_check(method, &own->distill, examples->classes, &inner) != RT_OK)
        return rt_fail(error, inner.status, "%s: [distill] %s", plan->spec.path, inner.message);
    bool labels_only = !strcmp(method, "none") || rt_method_is_labels_only(method, &own->distill);

    RT_TRY(keep_settings(plan, own, &labels, error));
    rti_settings_labels_only(labels);
    scratch = student;
    scratch.role = RTI_SCRATCH;
    scratch.settings = labels;
    student.settings = own;
    int before = plan->trial_count;
    for (int s = 0; s < plan->spec.seed_count; s++) {
        scratch.seed = student.seed = plan->spec.seeds[s];
        RT_TRY(add_trial(b, &scratch, &cell->scratch[s], error));
    }
    if (plan->trial_count == before) drop_settings(plan);
    for (int s = 0; s < plan->spec.seed_count; s++) {
        student.seed = plan->spec.seeds[s];
        if (labels_only) cell->trials[s] = cell->scratch[s];
        else RT_TRY(add_trial(b, &student, &cell->trials[s], error));
    }
    return RT_OK;
}

/* ---- cells ---- */

static int facet_of(const rti_plan *plan, const rti_cell *cell, int count) {
    for (int c = 0; c < count; c++) {
        bool same = true;
        for (int a = 0; a < plan->spec.axis_count; a++)
            if (a != plan->temperature_axis && a != plan->alpha_axis &&
                plan->cells[c].value[a] != cell->value[a])
                same = false;
        if (same) return plan->cells[c].facet;
    }
    return -1;
}

static rt_status make_cell(builder *b, int number, rti_settings *settings, rt_error *error) {
    rti_plan *plan = b->plan;
    rti_cell *cell = &plan->cells[number];
    int rest = number;
    for (int a = plan->spec.axis_count - 1; a >= 0; a--) {
        cell->value[a] = rest % plan->spec.axes[a].count;
        rest /= plan->spec.axes[a].count;
    }
    cell->facet = facet_of(plan, cell, number);
    if (cell->facet < 0) cell->facet = plan->facet_count++;
    size_t seeds = (size_t)plan->spec.seed_count;
    cell->trials = rt_alloc_zero(2 * seeds, sizeof *cell->trials);
    if (!cell->trials) return no_memory(error);
    cell->scratch = cell->trials + seeds;
    RT_TRY(rti_spec_resolve(&plan->spec, cell->value, settings, error));
    return add_cell_trials(b, cell, settings, error);
}

static rt_status make_cells(builder *b, rt_error *error) {
    rti_plan *plan = b->plan;
    int cells = 1;
    for (int a = 0; a < plan->spec.axis_count; a++) cells *= plan->spec.axes[a].count;
    plan->temperature_axis = rti_spec_axis(&plan->spec, "distill.temperature");
    plan->alpha_axis = rti_spec_axis(&plan->spec, "distill.alpha");
    plan->cells = rt_alloc_zero((size_t)cells, sizeof *plan->cells);
    rti_settings *settings = rt_alloc(sizeof *settings);
    rt_status status = plan->cells && settings ? RT_OK : no_memory(error);
    for (int c = 0; status == RT_OK && c < cells; c++) {
        plan->cell_count = c + 1;
        status = make_cell(b, c, settings, error);
    }
    rt_free(settings);
    return status;
}

/* Teachers first, then scratch students, then the others: the order in which they are started. */
static rt_status sort_trials(rti_plan *plan, rt_error *error) {
    size_t n = (size_t)plan->trial_count;
    rti_trial *sorted = rt_alloc(n * sizeof *sorted);
    int *moved = rt_alloc(n * sizeof *moved);
    if (!sorted || !moved) {
        rt_free(sorted);
        rt_free(moved);
        return no_memory(error);
    }
    int place = 0;
    for (int role = RTI_TEACHER; role <= RTI_STUDENT; role++)
        for (int t = 0; t < plan->trial_count; t++)
            if ((int)plan->trials[t].role == role) {
                moved[t] = place;
                sorted[place++] = plan->trials[t];
            }
    for (int t = 0; t < plan->trial_count; t++)
        for (int i = 0; i < sorted[t].teacher_count; i++)
            sorted[t].teachers[i] = moved[sorted[t].teachers[i]];
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; s < 2 * plan->spec.seed_count; s++)
            plan->cells[c].trials[s] = moved[plan->cells[c].trials[s]];
    rt_free(plan->trials);
    rt_free(moved);
    plan->trials = sorted;
    return RT_OK;
}

rt_status rti_plan_make(rti_plan *plan, rti_spec *spec, const char *runs, const char *data_directory,
                        rt_error *error) {
    memset(plan, 0, sizeof *plan);
    plan->spec = *spec;
    memset(spec, 0, sizeof *spec);
    builder *b = rt_alloc_zero(1, sizeof *b);
    rt_error inner = {0};
    rt_status status = b ? rti_path_join(plan->directory, sizeof plan->directory, runs, plan->spec.name,
                                         &inner)
                         : no_memory(&inner);
    if (status == RT_OK) {
        b->plan = plan;
        b->data_directory = data_directory;
        status = make_cells(b, &inner);
    }
    if (status == RT_OK) status = sort_trials(plan, &inner);
    for (int i = 0; b && i < plan->dataset_count; i++) rt_free(b->data[i].text);
    if (b) rt_free(b->data);
    rt_free(b);
    if (status != RT_OK) {
        rti_plan_deinit(plan);
        if (error) *error = inner;
    }
    return status;
}

void rti_plan_deinit(rti_plan *plan) {
    for (int c = 0; c < plan->cell_count; c++) rt_free(plan->cells[c].trials);
    for (int i = 0; i < plan->settings_count; i++) rt_free(plan->settings[i]);
    for (int i = 0; i < plan->dataset_count; i++) rt_dataset_free(plan->datasets[i]);
    rt_free(plan->cells);
    rt_free(plan->trials);
    rt_free(plan->settings);
    rt_free(plan->datasets);
    rti_spec_deinit(&plan->spec);
    memset(plan, 0, sizeof *plan);
}

/* ---- names ---- */

void rti_trial_directory(const rti_plan *plan, int trial, char *out, size_t size) {
    snprintf(out, size, "%s/%.16s", plan->directory, plan->trials[trial].id);
}

/* A cell that the trial serves, or -1. */
static int cell_of(const rti_plan *plan, int trial) {
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; s < plan->spec.seed_count; s++) {
            const rti_cell *cell = &plan->cells[c];
            if (cell->trials[s] == trial || cell->scratch[s] == trial) return c;
            const rti_trial *student = &plan->trials[cell->trials[s]];
            for (int i = 0; i < student->teacher_count; i++)
                if (student->teachers[i] == trial) return c;
        }
    return -1;
}

static bool axis_tells(rti_role role, const char *key) {
    if (!strncmp(key, "teacher.", 8)) return true;
    if (role == RTI_TEACHER) return !strncmp(key, "data.", 5);
    return role == RTI_STUDENT || strncmp(key, "distill.", 8);
}

const char *rti_trial_label(const rti_plan *plan, int trial, char *out, size_t size) {
    const rti_trial *t = &plan->trials[trial];
    const char *separator = "";
    int cell = cell_of(plan, trial);
    size_t used = (size_t)snprintf(out, size, "%s", rti_role_name(t->role));
    for (int a = 0; cell >= 0 && a < plan->spec.axis_count && used < size; a++) {
        const rti_axis *axis = &plan->spec.axes[a];
        const rt_value *value = rti_settings_value(t->settings, axis->key);
        if (!axis_tells(t->role, axis->key) || !value) continue;
        char text[RT_PARAM_TEXT_MAX * 6 + 8];
        rt_value_format(&axis->values[plan->cells[cell].value[a]], text, sizeof text);
        const char *name = strrchr(axis->key, '.') + 1;
        used += (size_t)snprintf(out + used, size - used, "%s %s %s", separator,
                                 strcmp(name, "temperature") ? name : "T", text);
        separator = ",";
    }
    if (used < size) snprintf(out + used, size - used, "%s seed %" PRIu64, separator, t->seed);
    return out;
}
