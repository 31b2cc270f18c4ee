/* identity.c - what a trial is: its identity, its data, its network.   Floor 8 (experiment)
 *
 * A trial is identified by what it computes and nothing else: the rows of its own network and method, the
 * contents of the data it sees, its seeds, its teachers, and whom it is measured against when that is
 * somebody else. Rows that only say who teaches are no part of it: the teachers are. So an assistant is
 * the same trial as a student that learns from the same teacher. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"
#include "experiment/finish.h"
#include "experiment/plan_builder.h"
#include "retort/alloc.h"

static rt_status no_memory(rt_error *error) { return rt_fail(error, RT_MEMORY, "no memory for the plan"); }

/* ---- data ---- */

static void hash_part(rti_hash *hash, const rt_part *part) {
    const rt_examples *e = part->examples;
    double numbers[] = {(double)part->count, (double)e->ndim, (double)e->classes, e->scale, e->shift,
                        e->background};
    rti_hash_add(hash, numbers, sizeof numbers);
    rti_hash_add(hash, e->channel_scale, sizeof e->channel_scale[0] * (size_t)e->channels);
    rti_hash_add(hash, e->channel_shift, sizeof e->channel_shift[0] * (size_t)e->channels);
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

rt_status rti_builder_data(rti_builder *b, const rt_params *rows, int *number, rt_error *error) {
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
    rti_known_data *data = rt_realloc(b->data, n * sizeof *data);
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
    if (rti_same_part(rt_dataset_part(set, RT_PART_TRAIN), rt_dataset_part(set, RT_PART_TRANSFER)))
        memcpy(data[n - 1].student, data[n - 1].teacher, sizeof data[n - 1].student);
    else hash_parts(set, RT_PART_TRANSFER, data[n - 1].student);
    plan->dataset_count = (int)n;
    return RT_OK;
}

/* ---- identities ---- */

static const char *const network_skip[] = {"count", "combine", "seed", "weights", NULL};
static const char *const distill_skip[] = {"preset", "schedule", "generations", "first", "teachers",
                                           "scratch", NULL};

bool rti_has_own_references(const rti_trial *trial) {
    if (trial->reference_answers[0] && strcmp(trial->reference_answers, trial->answers) != 0) return true;
    return trial->reference_count != trial->teacher_count ||
           memcmp(trial->references, trial->teachers,
                  (size_t)trial->teacher_count * sizeof trial->teachers[0]) != 0;
}

const rt_params *rti_reference_rows(const rti_plan *plan, int trial) {
    bool shared = plan->spec.is_comparison;
    return shared ? &plan->spec.base.teacher : &plan->trials[trial].settings->teacher;
}

const char *rti_reference_combine(const rti_plan *plan, int trial) {
    return rt_params_text(rti_reference_rows(plan, trial), "combine");
}

static void append_teachers(rti_text *text, const rti_builder *b, const rti_trial *trial) {
    const rti_plan *plan = b->plan;
    for (int i = 0; i < trial->teacher_count; i++)
        rti_text_printf(text, "teacher %s\n", plan->trials[trial->teachers[i]].id);
    if (trial->answers[0]) rti_text_printf(text, "answers %s\n", trial->answers);
    if (trial->teacher_count > 1)
        rti_text_printf(text, "combine %s\n", rt_params_text(&trial->settings->teacher, "combine"));
    if (trial->initial_seed != trial->seed)
        rti_text_printf(text, "initial seed %" PRIu64 "\n", trial->initial_seed);
    if (trial->tuning) {
        rti_text_append(text, "validation only\n");
        return;
    }
    if (!rti_has_own_references(trial)) return;
    rti_text_append(text, "measured\n");
    for (int i = 0; i < trial->reference_count; i++)
        rti_text_printf(text, "reference %s\n", plan->trials[trial->references[i]].id);
    if (trial->reference_answers[0])
        rti_text_printf(text, "reference answers %s\n", trial->reference_answers);
    if (trial->reference_count > 1) {
        const rt_params *rows = b->is_shared ? &plan->spec.base.teacher : &trial->settings->teacher;
        rti_text_printf(text, "combine %s\n", rt_params_text(rows, "combine"));
    }
}

static rt_status network_id(const rti_trial *trial, char id[RTI_HASH_TEXT], rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "data %d\n", trial->dataset);
    rti_params_append(&text, rti_trial_network(trial), network_skip);
    if (text.failed) {
        rti_text_deinit(&text);
        return no_memory(error);
    }
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add(&hash, text.bytes, text.length);
    rti_hash_finish_text(&hash, id);
    rti_text_deinit(&text);
    return RT_OK;
}

/* What the file of a teacher holds, by content: two names of the same weights are the same teacher. A file
 * of another architecture, for another size of input or other classes, is found here. */
static rt_status weights_hash(rti_builder *b, const rti_trial *trial, const char *path,
                              char hash[RTI_HASH_TEXT], rt_error *error) {
    rti_known_weights now;
    RT_TRY(network_id(trial, now.network, error));
    snprintf(now.path, sizeof now.path, "%s", path);
    for (int i = 0; i < b->weights_count; i++)
        if (!strcmp(b->weights[i].path, path) && !strcmp(b->weights[i].network, now.network)) {
            memcpy(hash, b->weights[i].hash, RTI_HASH_TEXT);
            return RT_OK;
        }
    rt_error inner = {0};
    const rt_dataset *set = b->plan->datasets[trial->dataset];
    rt_model *model = rti_builder_model(rti_trial_network(trial), set, 1, &inner);
    rt_status status = model ? rt_model_load(model, path, &inner) : inner.status;
    if (status == RT_OK) rt_model_hash(model, now.hash);
    rt_model_free(model);
    if (status != RT_OK)
        return rt_fail(error, status, "%s: [teacher] weights: %s", b->plan->spec.path, inner.message);
    memcpy(hash, now.hash, RTI_HASH_TEXT);
    if (b->weights_count < RTI_WEIGHTS_MAX) b->weights[b->weights_count++] = now;
    return RT_OK;
}

rt_status rti_builder_answers(rti_builder *b, const rt_params *rows, int dataset, char hash[RTI_HASH_TEXT],
                              rt_error *error) {
    rti_known_answers now = {.dataset = dataset};
    snprintf(now.logits, sizeof now.logits, "%s", rt_params_text(rows, "logits"));
    snprintf(now.test_logits, sizeof now.test_logits, "%s", rt_params_text(rows, "test_logits"));
    snprintf(now.form, sizeof now.form, "%s", rt_params_text(rows, "logits_are"));
    for (int i = 0; i < b->answers_count; i++) {
        const rti_known_answers *known = &b->answers[i];
        if (known->dataset != dataset || strcmp(known->logits, now.logits) != 0 ||
            strcmp(known->test_logits, now.test_logits) != 0 || strcmp(known->form, now.form) != 0)
            continue;
        memcpy(hash, known->hash, RTI_HASH_TEXT);
        return RT_OK;
    }
    rt_error inner = {0};
    rt_teacher *teacher = rti_stored_teacher(rows, b->plan->datasets[dataset], &inner);
    if (!teacher)
        return rt_fail(error, inner.status, "%s: [teacher] logits: %s", b->plan->spec.path, inner.message);
    rt_teacher_hash(teacher, now.hash);
    rt_teacher_free(teacher);
    memcpy(hash, now.hash, RTI_HASH_TEXT);
    if (b->answers_count < RTI_WEIGHTS_MAX) b->answers[b->answers_count++] = now;
    return RT_OK;
}

static rt_status trial_identity(rti_builder *b, rti_trial *trial, rt_error *error) {
    const char *path = rti_trial_weights(trial);
    char weights[RTI_HASH_TEXT] = "";
    if (path) RT_TRY(weights_hash(b, trial, path, weights, error));
    const rti_known_data *data = &b->data[trial->dataset];
    bool teacher = trial->role == RTI_TEACHER;
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "retort trial %d, %d bytes\n%s\nseed %" PRIu64 "\nbatch %" PRId64 "\ndata %s\n",
                    RTI_TRIAL_FORMAT, (int)sizeof(rt_real), teacher ? "teacher" : "student", trial->seed,
                    rt_params_int(&trial->settings->data, "batch"), teacher ? data->teacher : data->student);
    rti_params_append(&text, rti_trial_network(trial), network_skip);
    if (path) rti_text_printf(&text, "weights %s\n", weights);
    if (!teacher) {
        rti_text_append(&text, "distill\n");
        rti_params_append(&text, &trial->settings->distill, distill_skip);
        append_teachers(&text, b, trial);
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

rt_model *rti_builder_model(const rt_params *rows, const rt_dataset *set, uint64_t seed, rt_error *error) {
    const rt_examples *e = rt_dataset_train_examples(set);
    rt_model *model =
        rt_model_new(rt_params_text(rows, "model"), rows, e->ndim, e->shape, e->classes, seed, error);
    if (model && !strcmp(rt_params_text(rows, "precision"), "bf16")) rt_model_use_bf16(model);
    return model;
}

rt_model *rti_trial_model(const rti_plan *plan, int trial, rt_error *error) {
    const rti_trial *t = &plan->trials[trial];
    return rti_builder_model(rti_trial_network(t), plan->datasets[t->dataset], t->initial_seed, error);
}

static rt_status check_network(rti_builder *b, rti_trial *trial, rt_error *error) {
    const rt_params *rows = rti_trial_network(trial);
    rti_known_network network;
    RT_TRY(network_id(trial, network.id, error));
    for (int i = 0; i < b->network_count; i++)
        if (!strcmp(b->networks[i].id, network.id)) {
            trial->cost = b->networks[i].cost;
            return RT_OK;
        }
    char section[32];
    if (trial->settings->number && trial->role != RTI_TEACHER)
        snprintf(section, sizeof section, "assistant.%d", trial->settings->number);
    else snprintf(section, sizeof section, trial->role == RTI_TEACHER ? "teacher" : "student");
    rt_error inner = {0};
    rt_model *model = rti_builder_model(rows, b->plan->datasets[trial->dataset], trial->seed, &inner);
    rt_optimizer *optimizer =
        model ? rt_optimizer_new(model, rows, "optimizer.", rt_params_int(rows, "epochs"), 1, &inner) : NULL;
    if (model) network.cost = rt_model_cost_get(model);
    bool fits = optimizer != NULL;
    rt_optimizer_free(optimizer);
    rt_model_free(model);
    if (!fits) return rt_fail(error, inner.status, "%s: [%s] %s", b->plan->spec.path, section, inner.message);
    trial->cost = network.cost;
    if (b->network_count < RTI_NETWORKS_MAX) b->networks[b->network_count++] = network;
    return RT_OK;
}

/* ---- trials ---- */

rt_status rti_builder_trial(rti_builder *b, rti_trial *trial, int *number, rt_error *error) {
    rti_plan *plan = b->plan;
    if (!trial->generation) trial->initial_seed = trial->seed;
    RT_TRY(trial_identity(b, trial, error));
    for (*number = 0; *number < plan->trial_count; ++*number) {
        rti_trial *known = &plan->trials[*number];
        if (memcmp(known->id, trial->id, sizeof trial->id)) continue;
        if (!trial->inner) known->inner = false;
        return RT_OK;
    }
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

rt_status rti_builder_keep(rti_plan *plan, const rti_settings *settings, rti_settings **kept,
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
