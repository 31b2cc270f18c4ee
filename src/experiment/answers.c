/* answers.c - see answers.h.                                           Floor 8 (experiment) */
#include "experiment/answers.h"

#include <string.h>

#include "core/file.h"
#include "distill/teacher.h"
#include "retort/alloc.h"

/* A pass of so many multiply-adds, some tenths of a second, is worth a file. */
#define WORTH_KEEPING 4e9
#define STEP 500

void rti_answers_deinit(rti_answers *answers) {
    rt_free(answers->logits);
    *answers = (rti_answers){0};
}

/* Copies the combination of the members' answers, a few examples at a time. */
static rt_status copy_logits(rti_answers *a, const rti_cache *cache, double T, rt_error *error) {
    rt_graph *g = rt_graph_new(error);
    if (!g) return RT_MEMORY;
    for (int64_t from = 0; from < a->count; from += STEP) {
        int32_t index[STEP];
        int64_t n = a->count - from < STEP ? a->count - from : STEP;
        for (int64_t i = 0; i < n; i++) index[i] = (int32_t)(from + i);
        rt_tensor *v = rti_cache_logits(cache, g, index, n, T);
        if (!v) {
            rt_status status = rt_graph_status(g);
            if (error) *error = *rt_graph_error(g);
            rt_graph_free(g);
            return status;
        }
        memcpy(a->logits + from * a->classes, rt_real_data(v), (size_t)(n * a->classes) * sizeof *a->logits);
        rt_graph_reset(g);
    }
    rt_graph_free(g);
    return RT_OK;
}

static rt_status ask(rti_answers *a, const rti_plan *plan, rt_teacher *teacher, const rt_part *part,
                     bool keep, double T, rt_error *error) {
    char directory[RTI_PATH_MAX];
    RT_TRY(rti_path_join(directory, sizeof directory, plan->trials_directory, "cache", error));
    const rti_cache_making making = {.directory = keep ? directory : NULL};
    rti_cache *cache = rti_cache_open(teacher, part, &making, error);
    if (!cache) return error ? error->status : RT_MEMORY;
    *a = (rti_answers){.count = part->count, .classes = rt_teacher_classes(teacher), .labels = part->labels};
    a->logits = rt_alloc((size_t)(a->count * a->classes) * sizeof *a->logits);
    rt_status status = a->logits
                           ? copy_logits(a, cache, T, error)
                           : rt_fail(error, RT_MEMORY, "not enough memory for the answers of a network");
    rti_cache_free(cache);
    if (status != RT_OK) rti_answers_deinit(a);
    return status;
}

rt_status rti_answers_of_some(rti_answers *answers, const rti_plan *plan, int trial, rt_part_name name,
                              int64_t most, rt_error *error) {
    rt_part some = *rt_dataset_part(plan->datasets[plan->trials[trial].dataset], name);
    if (some.count > most) some.count = most;
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
    *answers = (rti_answers){0};
    rti_trial_directory(plan, trial, directory, sizeof directory);
    RT_TRY(rti_path_join(path, sizeof path, directory, "weights.safetensors", error));
    rt_model *model = rti_trial_model(plan, trial, error);
    if (!model) return error ? error->status : RT_MEMORY;
    rt_status status = rt_model_load(model, path, error);
    rt_teacher *alone = status == RT_OK ? rt_teacher_new(&model, 1, RT_COMBINE_LOGITS, error) : NULL;
    if (status == RT_OK && !alone) status = RT_MEMORY;
    if (status == RT_OK) {
        bool keep = (double)rt_model_cost_get(model).multiply_adds * (double)some.count >= WORTH_KEEPING;
        status = ask(answers, plan, alone, &some, keep, 1, error);
    }
    rt_teacher_free(alone);
    rt_model_free(model);
    return status;
}

rt_status rti_answers_of_trial(rti_answers *answers, const rti_plan *plan, int trial, rt_part_name name,
                               rt_error *error) {
    return rti_answers_of_some(answers, plan, trial, name, INT64_MAX, error);
}

/* ---- kept for the next who asks ---- */

#define KEPT_BYTES_MOST ((size_t)64 << 20)

typedef struct kept_entry {
    struct kept_entry *next;
    int trial;
    double T; /* OF_TRIAL, or of those whose answers the trial is compared with, together at T */
    rt_part_name part;
    rti_answers answers;
} kept_entry;

#define OF_TRIAL 0.0

struct rti_kept_answers {
    kept_entry *first;
    size_t bytes;
};

struct rti_kept_answers *rti_kept_answers_new(void) {
    return rt_alloc_zero(1, sizeof(struct rti_kept_answers));
}

void rti_kept_answers_free(struct rti_kept_answers *kept) {
    if (!kept) return;
    for (kept_entry *e = kept->first, *next; e; e = next) {
        next = e->next;
        rti_answers_deinit(&e->answers);
        rt_free(e);
    }
    rt_free(kept);
}

static size_t bytes_of(const rti_answers *a) { return (size_t)(a->count * a->classes) * sizeof *a->logits; }

static bool copy(rti_answers *to, const rti_answers *from) {
    *to = *from;
    to->logits = rt_alloc(bytes_of(from));
    if (to->logits && bytes_of(from) > 0) memcpy(to->logits, from->logits, bytes_of(from));
    return to->logits != NULL;
}

/* Are both compared with the same, asked about the same examples? */
static bool is_same_reference(const rti_plan *plan, int of_one, int of_other) {
    const rti_trial *a = &plan->trials[of_one], *b = &plan->trials[of_other];
    return a->dataset == b->dataset && a->reference_count == b->reference_count &&
           memcmp(a->references, b->references, (size_t)a->reference_count * sizeof *a->references) == 0 &&
           !strcmp(a->reference_answers, b->reference_answers) &&
           !strcmp(rti_reference_combine(plan, of_one), rti_reference_combine(plan, of_other));
}

static bool is_asked_for(const kept_entry *e, const rti_plan *plan, int trial, double T, rt_part_name part) {
    if (e->part != part) return false;
    if (T == OF_TRIAL || e->T == OF_TRIAL) return e->T == T && e->trial == trial;
    const rti_trial *of = &plan->trials[trial];
    const bool alone = of->reference_count == 1 && !of->reference_answers[0]; /* the same at every T */
    return (alone || e->T == T) && is_same_reference(plan, e->trial, trial);
}

/* false: not kept. true: *status is RT_OK, or RT_MEMORY. */
static bool find(const rti_summary *summary, int trial, double T, rt_part_name part, rti_answers *answers,
                 rt_status *status, rt_error *error) {
    const kept_entry *e = summary->kept->first;
    while (e && !is_asked_for(e, summary->plan, trial, T, part)) e = e->next;
    if (!e) return false;
    *status = RT_OK;
    if (copy(answers, &e->answers)) return true;
    *answers = (rti_answers){0};
    *status = rt_fail(error, RT_MEMORY, "not enough memory for the answers of a network");
    return true;
}

/* Without memory nothing is kept. */
static void keep(struct rti_kept_answers *kept, int trial, double T, rt_part_name part,
                 const rti_answers *answers) {
    if (kept->bytes + bytes_of(answers) > KEPT_BYTES_MOST) return;
    kept_entry *e = rt_alloc_zero(1, sizeof *e);
    if (!e || !copy(&e->answers, answers)) {
        rt_free(e);
        return;
    }
    e->next = kept->first;
    e->trial = trial;
    e->T = T;
    e->part = part;
    kept->first = e;
    kept->bytes += bytes_of(answers);
}

rt_status rti_answers_of_done(rti_answers *answers, const rti_summary *summary, int trial, rt_part_name part,
                              rt_error *error) {
    rt_status status;
    if (find(summary, trial, OF_TRIAL, part, answers, &status, error)) return status;
    RT_TRY(rti_answers_of_trial(answers, summary->plan, trial, part, error));
    keep(summary->kept, trial, OF_TRIAL, part, answers);
    return RT_OK;
}

rt_status rti_answers_of_teacher(rti_answers *answers, const rti_summary *summary, int student,
                                 rt_part_name name, double T, rt_error *error) {
    const rti_plan *plan = summary->plan;
    const rti_trial *t = &plan->trials[student];
    const rt_part *part = rt_dataset_part(plan->datasets[t->dataset], name);
    *answers = (rti_answers){0};
    if (!t->reference_count && !t->reference_answers[0]) return RT_OK;
    for (int i = 0; i < t->reference_count; i++)
        if (summary->records[t->references[i]].state != RTI_DONE) return RT_OK;
    rt_status status = RT_OK;
    if (find(summary, student, T, name, answers, &status, error)) return status;
    rti_teaching reference;
    RT_TRY(rti_reference_load(&reference, plan, student, error));
    if (rti_teacher_knows(reference.teacher, part->examples))
        status = ask(answers, plan, reference.teacher, part, true, T, error);
    rti_teaching_deinit(&reference);
    if (status == RT_OK && answers->logits) keep(summary->kept, student, T, name, answers);
    return status;
}

void rti_answers_top(const rti_answers *a, int32_t top[]) {
    for (int64_t i = 0; i < a->count; i++) {
        const rt_real *z = a->logits + i * a->classes;
        top[i] = 0;
        for (int64_t k = 1; k < a->classes; k++)
            if (z[k] > z[top[i]]) top[i] = (int32_t)k;
    }
}

int rti_facet_student(const rti_plan *plan, int facet) {
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; plan->cells[c].facet == facet && s < plan->spec.seed_count; s++) {
            if (plan->cells[c].trials[s] >= 0) return plan->cells[c].trials[s];
            if (plan->cells[c].scratch[s] >= 0) return plan->cells[c].scratch[s];
        }
    return -1;
}
