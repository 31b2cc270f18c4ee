/* pair.c - see pair.h.                                                 Floor 8 (experiment) */
#include "experiment/pair.h"

#include <stdio.h>
#include <string.h>

#include "experiment/finish.h"
#include "experiment/plan_builder.h"
#include "retort/alloc.h"

/* ---- from one to the next ---- */

static rti_pair pair_of(const rti_spec *spec, const rti_settings *settings) {
    rti_pair pair = {.spec = spec, .settings = settings, .student_name = "student"};
    if (settings->number)
        snprintf(pair.student_name, sizeof pair.student_name, "assistant.%d", settings->number);
    return pair;
}

static void taught_by_teacher(rti_pair *pair) {
    const rti_settings *s = pair->settings;
    if (!s->has_teacher) return;
    int wanted = (int)rt_params_int(&s->distill, "teachers");
    pair->teacher = &s->teacher;
    pair->teachers = wanted ? wanted : (int)rt_params_int(&s->teacher, "count");
    snprintf(pair->teacher_name, sizeof pair->teacher_name, "teacher");
}

static rt_status each_of_chain(const rti_spec *spec, const int value[], const rti_settings *settings,
                               rti_pair_function *see, void *context, rt_error *error) {
    rti_settings *both = rt_alloc(2 * sizeof *both);
    if (!both) return rt_fail(error, RT_MEMORY, "no memory for the settings of assistants");
    rt_status status = RT_OK;
    for (int n = 1; status == RT_OK && n <= spec->assistant_count + 1; n++) {
        rti_settings *now = &both[n % 2], *before = &both[(n + 1) % 2];
        bool is_student = n > spec->assistant_count;
        if (!is_student) status = rti_spec_resolve_for(spec, value, n, now, error);
        if (status != RT_OK) break;
        rti_pair pair = pair_of(spec, is_student ? settings : now);
        if (n == 1) taught_by_teacher(&pair);
        else {
            pair.teacher = &before->student;
            pair.teachers = 1;
            snprintf(pair.teacher_name, sizeof pair.teacher_name, "assistant.%d", n - 1);
        }
        status = see(context, &pair, error);
    }
    rt_free(both);
    return status;
}

rt_status rti_pairs_each(const rti_spec *spec, const int value[], const rti_settings *settings,
                         rti_pair_function *see, void *context, rt_error *error) {
    rti_lineage lineage = rti_settings_lineage(settings);
    if (lineage == RTI_TAKD) return each_of_chain(spec, value, settings, see, context, error);
    rti_pair pair = pair_of(spec, settings);
    const rt_params *rows = &settings->distill;
    bool born_again = lineage == RTI_BORN_AGAIN, labels = !strcmp(rt_params_text(rows, "first"), "labels");
    if (!born_again || !labels) {
        taught_by_teacher(&pair);
        RT_TRY(see(context, &pair, error));
        if (!born_again || rt_params_int(rows, "generations") == 1) return RT_OK;
    }
    pair.teacher = &settings->student;
    pair.teachers = 1;
    snprintf(pair.teacher_name, sizeof pair.teacher_name, "student");
    return see(context, &pair, error);
}

/* ---- networks ---- */

/* "spec.toml: [teacher] message" */
static rt_status in_section(const rti_pair *pair, const char *section, const rt_error *inner,
                            rt_error *error) {
    return rt_fail(error, inner->status, "%s: [%s] %s", pair->spec->path, section, inner->message);
}

static rt_status make_networks(rti_rehearsal *r, const rti_pair *pair, const rt_dataset *set,
                               rt_error *error) {
    rt_error inner = {0};
    r->student = rti_builder_model(&pair->settings->student, set, 1, &inner);
    if (!r->student) return in_section(pair, pair->student_name, &inner, error);
    if (!pair->teacher) return RT_OK;
    const bool stored = pair->teacher == &pair->settings->teacher && rti_settings_stored(pair->settings);
    if (stored) {
        r->teacher = rti_stored_teacher(pair->teacher, set, &inner);
        return r->teacher ? RT_OK : in_section(pair, pair->teacher_name, &inner, error);
    }
    r->member = rti_builder_model(pair->teacher, set, 1, &inner);
    if (!r->member) return in_section(pair, pair->teacher_name, &inner, error);
    rt_model *members[RTI_TEACHERS_MAX];
    for (int i = 0; i < pair->teachers; i++) members[i] = r->member;
    r->teacher = rt_teacher_new(members, pair->teachers, RT_COMBINE_LOGITS, &inner);
    return r->teacher ? RT_OK : in_section(pair, pair->teacher_name, &inner, error);
}

rt_status rti_rehearsal_init(rti_rehearsal *r, const rti_pair *pair, const rt_dataset *set, int64_t examples,
                             rt_error *error) {
    const rt_params *network = &pair->settings->student;
    memset(r, 0, sizeof *r);
    rt_status status = make_networks(r, pair, set, error);
    if (status != RT_OK) {
        rti_rehearsal_deinit(r);
        return status;
    }
    r->part = *rt_dataset_part(set, RT_PART_TRANSFER);
    if (r->part.count > examples) r->part.count = examples;
    r->config = (rt_distiller_config){
        .student = r->student,
        .teacher = r->teacher,
        .method = rt_params_text(&pair->settings->distill, "method"),
        .options = &pair->settings->distill,
        .transfer = &r->part,
        .batch = rt_params_int(&pair->settings->data, "batch"),
        .augment = rti_training_augment(network),
        .targets = rt_targets_named(rt_params_text(&pair->settings->distill, "targets")),
        .seed = 1,
        .epochs = rt_params_int(network, "epochs"),
        .training = network,
        .prefix = "optimizer.",
    };
    return RT_OK;
}

void rti_rehearsal_deinit(rti_rehearsal *r) {
    rt_teacher_free(r->teacher);
    rt_model_free(r->member);
    rt_model_free(r->student);
    memset(r, 0, sizeof *r);
}

/* ---- checking ---- */

/* Where the taps that the message speaks of were written, else where the row or the method was; or 0. */
static int line_of(const rti_spec *spec, const char *message) {
    const char *key = strstr(message, "the student's taps") ? "student_taps"
                      : strstr(message, "the teacher's taps") ? "teacher_taps" : "_taps";
    int line = 0;
    for (int i = 0; i < spec->entries->count; i++) {
        const rti_spec_entry *entry = &spec->entries->items[i];
        if (strstr(message, "taps") && strstr(entry->key, key)) return entry->line;
        if (!strcmp(entry->key, "distill.method")) line = entry->line;
    }
    return line;
}

rt_status rti_pair_check(const rti_pair *pair, const rt_dataset *set, rt_error *error) {
    rti_rehearsal r;
    rt_error inner = {0};
    char nothing[1];
    RT_TRY(rti_rehearsal_init(&r, pair, set, INT64_MAX, error));
    rt_status status = rt_distiller_describe(&r.config, nothing, 0, &inner);
    rti_rehearsal_deinit(&r);
    if (status == RT_OK) return RT_OK;
    bool chain = strcmp(pair->student_name, "student") || strcmp(pair->teacher_name, "teacher");
    char who[80] = "", place[32] = "";
    if (chain) snprintf(who, sizeof who, "%s taught by %s: ", pair->student_name, pair->teacher_name);
    if (status == RT_UNSUPPORTED) return rt_fail(error, status, "%s%s", who, inner.message);
    const rti_spec *spec = pair->spec;
    int line = line_of(spec, inner.message);
    if (line) snprintf(place, sizeof place, ":%d", line);
    return rt_fail(error, status, "%s%s: [%s%s] %s%s", spec->path, place,
                   spec->label[0] ? "compare." : "distill", spec->label, who, inner.message);
}
