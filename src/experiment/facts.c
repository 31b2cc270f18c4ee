/* facts.c - data, models and the loss contract of a report.            Floor 8 (experiment) */
#include <stdio.h>
#include <string.h>

#include "experiment/report_parts.h"
#include "retort/alloc.h"

/* The cell whose contract is shown: the chosen one, else the first that is distilled, else the first. */
static int contract_cell(const rti_summary *summary, int facet) {
    const rti_facet_summary *f = &summary->facets[facet];
    if (f->best_cell >= 0) return f->best_cell;
    for (int c = f->first_cell; c < summary->plan->cell_count; c++)
        if (summary->plan->cells[c].facet == facet && !summary->cells[c].is_scratch) return c;
    return f->first_cell;
}

static rt_status model_facts(const rti_plan *plan, int trial, char **out, rti_size *size, rt_error *error) {
    rt_model *model = rti_trial_model(plan, trial, error);
    if (!model) return error ? error->status : RT_MEMORY;
    *out = rt_strdup(rt_model_summary(model));
    *size = rti_size_of(model);
    rt_model_free(model);
    return *out ? RT_OK : rt_fail(error, RT_MEMORY, "not enough memory for the report");
}

/* What the contract of the method can not know: that the soft targets are a file's. */
static void add_fixed_targets(const rti_trial *trial, char *contract, size_t size) {
    const rt_params *rows = &trial->settings->teacher;
    const rt_augment a = rti_training_augment(&trial->settings->student);
    const bool moves = a.jitter || a.flip || a.crop || a.cutout;
    const size_t length = strlen(contract);
    const bool probabilities = !strcmp(rt_params_text(rows, "logits_are"), "probabilities");
    snprintf(contract + length, size - length, "\nsoft targets: fixed, v from %s%s%s",
             rt_params_text(rows, "logits"), probabilities ? ", v = log max(p, 1e-12)" : "",
             moves ? "; the student's images change, v is what was said of the images as they are" : "");
}

/* Nor that they are not the teacher's. */
static void add_targets(const rti_trial *trial, char *contract, size_t size) {
    static const char *const said[] = {
        "", "those to the example as it is in the set, whatever the student sees of it",
        "those to another example of the same class", "with the wrong classes in a random order",
        "the mean logits of the class", "of the teacher with its dropout left on"};
    const rt_targets targets = rt_targets_named(rt_params_text(&trial->settings->distill, "targets"));
    const size_t length = strlen(contract);
    if (targets != RT_TARGETS_TEACHER)
        snprintf(contract + length, size - length, "\nsoft targets: %s, not the teacher's answers: %s",
                 rt_targets_name(targets), said[targets]);
}

static rt_status facet_facts(rti_facet_facts *facts, const rti_summary *summary, int facet, rt_error *error) {
    const rti_plan *plan = summary->plan;
    facts->contract_cell = contract_cell(summary, facet);
    const rti_cell *cell = &plan->cells[facts->contract_cell];
    const rti_trial *trial = &plan->trials[cell->trials[0]];
    const rt_dataset *set = plan->datasets[trial->dataset];
    const char *method = rt_params_text(&trial->settings->distill, "method");
    char contract[4096] = "";
    rt_method_contract(method, &trial->settings->distill, contract, sizeof contract);
    if (trial->answers[0] && rt_method_needs_teacher(method))
        add_fixed_targets(trial, contract, sizeof contract);
    if (rt_method_needs_teacher(method)) add_targets(trial, contract, sizeof contract);
    char name[512];
    const char *title = rt_method_title(method);
    snprintf(name, sizeof name, "%s%s%s", method, title ? ": " : "", title ? title : "");
    facts->contract = rt_strdup(contract);
    facts->method = rt_strdup(name);
    facts->data = rt_strdup(rt_dataset_summary(set));
    facts->data_hash = rt_strdup(rt_dataset_hash(set));
    if (!facts->contract || !facts->method || !facts->data || !facts->data_hash)
        return rt_fail(error, RT_MEMORY, "not enough memory for the report");
    if (trial->reference_answers[0]) {
        snprintf(name, sizeof name, "the answers in %s",
                 rt_params_text(rti_reference_rows(plan, cell->trials[0]), "logits"));
        facts->teacher = rt_strdup(name);
        if (!facts->teacher) return rt_fail(error, RT_MEMORY, "not enough memory for the report");
    }
    if (trial->reference_count > 0)
        RT_TRY(model_facts(plan, trial->references[0], &facts->teacher, &facts->teacher_size, error));
    return model_facts(plan, cell->trials[0], &facts->student, &facts->student_size, error);
}

rt_status rti_facts_make(rti_facts *facts, const rti_summary *summary, rt_error *error) {
    int count = summary->plan->facet_count;
    *facts = (rti_facts){count, rt_alloc_zero((size_t)count, sizeof *facts->facets)};
    rt_status status = RT_OK;
    if (!facts->facets) status = rt_fail(error, RT_MEMORY, "not enough memory for the report");
    for (int f = 0; f < count && status == RT_OK; f++)
        status = facet_facts(&facts->facets[f], summary, f, error);
    if (status != RT_OK) rti_facts_deinit(facts);
    return status;
}

void rti_facts_deinit(rti_facts *facts) {
    for (int f = 0; facts->facets && f < facts->count; f++) {
        rt_free(facts->facets[f].data);
        rt_free(facts->facets[f].data_hash);
        rt_free(facts->facets[f].teacher);
        rt_free(facts->facets[f].student);
        rt_free(facts->facets[f].method);
        rt_free(facts->facets[f].contract);
    }
    rt_free(facts->facets);
    *facts = (rti_facts){0};
}

void rti_data_notes(rti_text *out, const rti_plan *plan, const char *before, const char *after) {
    for (int i = 0; i < plan->dataset_count; i++) {
        const char *note = rt_dataset_note(plan->datasets[i]);
        bool said = !note[0];
        for (int j = 0; j < i && !said; j++) said = !strcmp(rt_dataset_note(plan->datasets[j]), note);
        if (!said) rti_text_printf(out, "%s%s%s", before, note, after);
    }
}
