/* chain.c - who teaches whom.                                          Floor 8 (experiment)
 *
 *   direct       teacher -> student
 *   takd         teacher -> assistant 1 -> assistant 2 -> student
 *   born-again   (scratch or teacher) -> generation 1 -> generation 2 -> generation 3
 *
 * Assistants have seeds of their own, so one chain serves the students of all seeds, as one teacher does.
 * A generation belongs to a seed: order, augmentation and dropout are those of the scratch student with
 * that seed, the initial weights are drawn anew for each generation. While points are tuned, assistants
 * train in full (the chosen point uses them again), students and generations as long as tuning says. */
#include <stdio.h>
#include <string.h>

#include "experiment/pair.h"
#include "experiment/plan_builder.h"
#include "retort/alloc.h"
#include "retort/rng.h"

/* ---- is it possible? ---- */

static rt_status check_options(const rti_builder *b, const rti_spec *spec, const rti_settings *settings,
                               int dataset, rt_error *error) {
    const rt_examples *examples = rt_dataset_train_examples(b->plan->datasets[dataset]);
    rt_error inner = {0};
    rt_status status = rt_method_check(rt_params_text(&settings->distill, "method"), &settings->distill,
                                       examples->classes, &inner);
    if (status == RT_OK) return RT_OK;
    if (status == RT_UNSUPPORTED) return rt_fail(error, status, "%s", inner.message);
    return rt_fail(error, status, "%s: [%s%s] %s", spec->path, spec->label[0] ? "compare." : "distill",
                   spec->label, inner.message);
}

/* What decides whether a method fits two networks: all but the strength of its terms. */
static rt_status pair_id(const rti_pair *pair, int dataset, char id[RTI_HASH_TEXT], rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    const rt_params *options = &pair->settings->distill;
    rti_text_printf(&text, "data %d\nstudent\n", dataset);
    rti_params_append(&text, &pair->settings->student, NULL);
    rti_text_printf(&text, "teachers %d\n", pair->teachers);
    if (pair->teacher) rti_params_append(&text, pair->teacher, NULL);
    for (int i = 0; i < options->count; i++) {
        char value[RT_PARAM_TEXT_MAX * 6 + 8];
        if (options->rows[i]->type == RT_PARAM_REAL && options->values[i].number != 0) continue;
        rt_value_format(&options->values[i], value, sizeof value);
        rti_text_printf(&text, "%s = %s\n", options->rows[i]->name, value);
    }
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add(&hash, rti_text_string(&text), text.length);
    rti_hash_finish_text(&hash, id);
    bool failed = text.failed;
    rti_text_deinit(&text);
    return failed ? rt_fail(error, RT_MEMORY, "no memory for the plan") : RT_OK;
}

typedef struct check {
    rti_builder *b;
    int dataset;
} check;

static rt_status check_pair(void *context, const rti_pair *pair, rt_error *error) {
    const check *c = context;
    rti_builder *b = c->b;
    char id[RTI_HASH_TEXT];
    RT_TRY(pair_id(pair, c->dataset, id, error));
    for (int i = 0; i < b->pair_count; i++)
        if (!strcmp(b->pairs[i], id)) return RT_OK;
    RT_TRY(rti_pair_check(pair, b->plan->datasets[c->dataset], error));
    if (b->pair_count < RTI_NETWORKS_MAX) memcpy(b->pairs[b->pair_count++], id, sizeof id);
    return RT_OK;
}

rt_status rti_lesson_check(rti_builder *b, const rti_spec *spec, const int value[],
                           const rti_settings *settings, rt_error *error) {
    check c = {.b = b};
    RT_TRY(rti_builder_data(b, &settings->data, &c.dataset, error));
    RT_TRY(check_options(b, spec, settings, c.dataset, error));
    const char *method = rt_params_text(&settings->distill, "method");
    if (!strcmp(method, "none") || rt_method_is_labels_only(method, &settings->distill)) return RT_OK;
    return rti_pairs_each(spec, value, settings, check_pair, &c, error);
}

/* ---- teachers ---- */

/* A file of answers is no trial. Without answers to the test set nobody is measured against it. */
static rt_status add_answers(rti_builder *b, rti_lesson *lesson, rt_error *error) {
    const rt_params *rows = &lesson->own->teacher;
    RT_TRY(rti_builder_answers(b, rows, lesson->dataset, lesson->answers, error));
    if (!b->is_shared && rt_params_text(rows, "test_logits")[0])
        memcpy(lesson->reference_answers, lesson->answers, RTI_HASH_TEXT);
    return RT_OK;
}

static rt_status add_members(rti_builder *b, rti_lesson *lesson, rt_error *error) {
    const rt_params *rows = &lesson->own->teacher;
    if (!lesson->own->has_teacher) return RT_OK;
    if (rti_settings_stored(lesson->own)) return add_answers(b, lesson, error);
    int count = (int)rt_params_int(rows, "count");
    int wanted = (int)rt_params_int(&lesson->own->distill, "teachers");
    int needed = b->is_shared && wanted ? wanted : count;
    for (int i = 0; i < needed; i++) {
        rti_trial teacher = {.role = RTI_TEACHER, .settings = lesson->own, .dataset = lesson->dataset};
        teacher.seed = (uint64_t)rt_params_int(rows, "seed") + (uint64_t)i;
        RT_TRY(rti_builder_trial(b, &teacher, &lesson->teachers[i], error));
    }
    lesson->teacher_count = wanted ? wanted : count;
    if (!b->is_shared) {
        lesson->reference_count = count;
        memcpy(lesson->references, lesson->teachers, sizeof lesson->references);
    }
    return RT_OK;
}

static void set_word(rt_params *table, const char *name, const char *word) {
    snprintf(table->values[rt_params_find(table, name)].text, RT_PARAM_TEXT_MAX, "%s", word);
}

static void set_number(rt_params *table, const char *name, double number) {
    table->values[rt_params_find(table, name)].number = number;
}

/* Each learns from the one before, with the lesson's method; the last one teaches the students. */
static rt_status add_assistants(rti_builder *b, rti_lesson *lesson, rt_error *error) {
    rti_settings *settings = rt_alloc(sizeof *settings);
    if (!settings) return rt_fail(error, RT_MEMORY, "no memory for the plan");
    rt_status status = RT_OK;
    for (int n = 1; status == RT_OK && n <= lesson->spec->assistant_count; n++) {
        rti_settings *kept;
        status = rti_spec_resolve_for(lesson->spec, lesson->value, n, settings, error);
        if (status != RT_OK) break;
        settings->assistant = lesson->own->assistant;
        if (n == 1) set_word(&settings->distill, "schedule", "direct"); /* read back, it has no assistant */
        status = rti_builder_keep(b->plan, settings, &kept, error);
        if (status != RT_OK) break;
        rti_trial trial = {.role = RTI_STUDENT, .inner = true, .settings = kept, .dataset = lesson->dataset,
                           .seed = (uint64_t)rt_params_int(&kept->student, "seed"),
                           .teacher_count = lesson->teacher_count,
                           .reference_count = lesson->reference_count};
        memcpy(trial.teachers, lesson->teachers, sizeof trial.teachers);
        memcpy(trial.references, lesson->references, sizeof trial.references);
        memcpy(trial.answers, lesson->answers, sizeof trial.answers);
        memcpy(trial.reference_answers, lesson->reference_answers, sizeof trial.reference_answers);
        status = rti_builder_trial(b, &trial, &lesson->teachers[0], error);
        lesson->answers[0] = 0;
        lesson->teacher_count = 1;
        lesson->own->assistant = kept;
    }
    rt_free(settings);
    return status;
}

/* ---- the lesson ---- */

rt_status rti_lesson_begin(rti_builder *b, rti_lesson *lesson, const rti_spec *spec, const int value[],
                           const rti_settings *settings, int64_t tune_epochs, rt_error *error) {
    memset(lesson, 0, sizeof *lesson);
    lesson->spec = spec;
    lesson->value = value;
    lesson->tuning = tune_epochs > 0;
    RT_TRY(rti_builder_keep(b->plan, settings, &lesson->own, error));
    if (tune_epochs) set_number(&lesson->own->student, "epochs", (double)tune_epochs);
    RT_TRY(rti_builder_data(b, &lesson->own->data, &lesson->dataset, error));
    if (b->is_shared) {
        lesson->reference_count = b->reference_count;
        memcpy(lesson->references, b->references, sizeof lesson->references);
        memcpy(lesson->reference_answers, b->reference_answers, sizeof lesson->reference_answers);
    }
    const char *method = rt_params_text(&lesson->own->distill, "method");
    lesson->labels_only = !strcmp(method, "none") || rt_method_is_labels_only(method, &lesson->own->distill);
    if (!lesson->labels_only || !b->is_shared || !b->reference_count) RT_TRY(add_members(b, lesson, error));
    if (!lesson->labels_only && rti_settings_lineage(lesson->own) == RTI_TAKD)
        RT_TRY(add_assistants(b, lesson, error));
    RT_TRY(rti_builder_keep(b->plan, lesson->own, &lesson->labels, error));
    rti_settings_labels_only(lesson->labels);
    lesson->labels->assistant = NULL;
    return RT_OK;
}

void rti_lesson_end(rti_builder *b, rti_lesson *lesson) {
    rti_plan *plan = b->plan;
    bool is_last = lesson->labels && plan->settings[plan->settings_count - 1] == lesson->labels;
    if (lesson->labels_are_new || !is_last) return;
    rt_free(plan->settings[--plan->settings_count]);
    lesson->labels = NULL;
}

/* A student of the labels is measured against the teacher and waits for it. */
rt_status rti_lesson_scratch(rti_builder *b, rti_lesson *lesson, uint64_t seed, int *number,
                             rt_error *error) {
    rti_trial trial = {.role = RTI_SCRATCH, .tuning = lesson->tuning, .settings = lesson->labels,
                       .dataset = lesson->dataset, .seed = seed, .teacher_count = lesson->reference_count,
                       .reference_count = lesson->reference_count};
    memcpy(trial.teachers, lesson->references, sizeof trial.teachers);
    memcpy(trial.references, lesson->references, sizeof trial.references);
    memcpy(trial.answers, lesson->reference_answers, sizeof trial.answers);
    memcpy(trial.reference_answers, lesson->reference_answers, sizeof trial.reference_answers);
    int before = b->plan->trial_count;
    RT_TRY(rti_builder_trial(b, &trial, number, error));
    if (b->plan->trial_count > before) lesson->labels_are_new = true;
    return RT_OK;
}

static rt_status add_student(rti_builder *b, const rti_lesson *lesson, rti_settings *settings, uint64_t seed,
                             const int teachers[], int teacher_count, rti_trial *trial, int *number,
                             rt_error *error) {
    trial->role = RTI_STUDENT;
    trial->tuning = lesson->tuning;
    trial->settings = settings;
    trial->dataset = lesson->dataset;
    trial->seed = seed;
    trial->teacher_count = teacher_count;
    trial->reference_count = lesson->reference_count;
    memcpy(trial->teachers, teachers, (size_t)teacher_count * sizeof trial->teachers[0]);
    memcpy(trial->references, lesson->references, sizeof trial->references);
    if (teachers == lesson->teachers) memcpy(trial->answers, lesson->answers, sizeof trial->answers);
    memcpy(trial->reference_answers, lesson->reference_answers, sizeof trial->reference_answers);
    return rti_builder_trial(b, trial, number, error);
}

static uint64_t seed_of_generation(uint64_t seed, int generation) {
    rt_rng rng = rt_rng_stream(seed, "generation", (uint64_t)generation, 0);
    return rt_rng_u64(&rng);
}

static rt_status add_generations(rti_builder *b, rti_lesson *lesson, uint64_t seed, int scratch, int *number,
                                 rt_error *error) {
    const rt_params *rows = &lesson->own->distill;
    int count = (int)rt_params_int(rows, "generations");
    if (strcmp(rt_params_text(rows, "first"), "labels") != 0) *number = -1;
    else if (scratch >= 0) *number = scratch;
    else RT_TRY(rti_lesson_scratch(b, lesson, seed, number, error));
    for (int g = 1; g <= count; g++) {
        rti_settings *settings = lesson->own;
        if (g < count) { /* read back as a spec, it is the last of g generations */
            RT_TRY(rti_builder_keep(b->plan, lesson->own, &settings, error));
            set_number(&settings->distill, "generations", g);
        }
        rti_trial trial = {.inner = g < count, .generation = g, .initial_seed = seed_of_generation(seed, g)};
        int parent = *number;
        if (parent < 0)
            RT_TRY(add_student(b, lesson, settings, seed, lesson->teachers, lesson->teacher_count, &trial,
                               number, error));
        else RT_TRY(add_student(b, lesson, settings, seed, &parent, 1, &trial, number, error));
    }
    return RT_OK;
}

rt_status rti_lesson_student(rti_builder *b, rti_lesson *lesson, uint64_t seed, int scratch, int *number,
                             rt_error *error) {
    rti_trial trial = {.role = RTI_STUDENT};
    if (lesson->labels_only) {
        *number = scratch;
        return scratch >= 0 ? RT_OK : rti_lesson_scratch(b, lesson, seed, number, error);
    }
    if (rti_settings_lineage(lesson->own) == RTI_BORN_AGAIN)
        return add_generations(b, lesson, seed, scratch, number, error);
    return add_student(b, lesson, lesson->own, seed, lesson->teachers, lesson->teacher_count, &trial, number,
                       error);
}
