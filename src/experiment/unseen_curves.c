/* unseen_curves.c - accuracy on classes that students never see, by epoch.  Floor 8 (experiment)
 *
 * On validation examples, from the tables of epochs; the teacher's level, which is no curve, from its answers
 * to the same examples. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/findings.h"
#include "formats/csv.h"
#include "retort/alloc.h"

static const int *trials_of(const rti_summary *summary, int facet, int cell) {
    const rti_plan *plan = summary->plan;
    return cell < 0 ? plan->cells[summary->facets[facet].first_cell].scratch : plan->cells[cell].trials;
}

/* Mean and interval over seeds, in per cent. */
static rti_estimate at_epoch(const rti_summary *summary, const int trials[], int epoch) {
    double values[RTI_SEEDS_MAX];
    int count = 0;
    for (int s = 0; s < summary->plan->spec.seed_count; s++) {
        const rti_record *r = trials[s] < 0 ? NULL : &summary->records[trials[s]];
        if (r && r->state == RTI_DONE && epoch < r->epoch_count)
            values[count++] = 100 * r->rows[epoch].unseen_accuracy;
    }
    return rti_estimate_of(values, count);
}

static int epochs_of(const rti_summary *summary, const int trials[]) {
    int epochs = 0;
    for (int s = 0; s < summary->plan->spec.seed_count; s++) {
        const rti_record *r = trials[s] < 0 ? NULL : &summary->records[trials[s]];
        if (!r || r->state != RTI_DONE) continue;
        for (int e = epochs; e < r->epoch_count; e++)
            if (isfinite(r->rows[e].unseen_accuracy)) epochs = e + 1;
    }
    return epochs;
}

/* ---- the teacher -------------------------------------------------------------------------------- */

static rt_status teacher_level(const rti_summary *summary, int trial, double *level, rt_error *error) {
    rti_unseen unseen;
    rti_answers answers;
    *level = NAN;
    rti_unseen_find(&unseen, summary->plan, trial);
    RT_TRY(rti_answers_of_teacher(&answers, summary, trial, RT_PART_VALIDATION, 1, error));
    int32_t *top = answers.logits ? rt_alloc((size_t)(answers.count + 1) * sizeof *top) : NULL;
    rt_status status = RT_OK;
    int64_t count = 0, right = 0;
    if (top)
        rti_answers_top(&answers, top);
    else if (answers.logits)
        status = rt_fail(error, RT_MEMORY, "not enough memory for the teacher's answers");
    for (int64_t i = 0; top && i < answers.count; i++) {
        if (!unseen.is_unseen[answers.labels[i]]) continue;
        count++;
        right += top[i] == answers.labels[i];
    }
    if (count) *level = (double)right / (double)count;
    rt_free(top);
    rti_answers_deinit(&answers);
    return status;
}

/* ---- lines -------------------------------------------------------------------------------------- */

static rt_status add_line(rti_unseen_curves *c, const rti_summary *summary, int facet, int cell,
                          rt_error *error) {
    const int *trials = trials_of(summary, facet, cell);
    const int epochs = epochs_of(summary, trials);
    if (!epochs || c->lines == RTI_UNSEEN_LINES) return RT_OK;
    if (epochs > c->epochs) c->epochs = epochs;
    c->line[c->lines].facet = facet;
    c->line[c->lines].cell = cell;
    char *label = c->line[c->lines].label;
    if (summary->plan->facet_count > 1)
        rti_omitted_label(summary, facet, label);
    else
        rti_finding_label(summary, facet, cell, label);
    int known = 0;
    while (trials[known] < 0) known++; /* there is one: it has epochs */
    return teacher_level(summary, trials[known], &c->line[c->lines++].teacher, error);
}

/* The chosen cell of the facet, else the first that knows of unseen classes. */
static int shown_cell(const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    int first = -1;
    for (int c = 0; c < plan->cell_count; c++) {
        if (plan->cells[c].facet != facet || summary->cells[c].is_scratch ||
            !epochs_of(summary, plan->cells[c].trials))
            continue;
        if (summary->facets[facet].best_cell == c) return c;
        if (first < 0) first = c;
    }
    return first;
}

static rt_status add_cells(rti_unseen_curves *c, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    for (int cell = 0; cell < plan->cell_count; cell++)
        if (!summary->cells[cell].is_scratch && !(plan->spec.is_comparison && plan->cells[cell].row < 0))
            RT_TRY(add_line(c, summary, 0, cell, error));
    if (c->lines == RTI_UNSEEN_LINES) c->lines--; /* scratch is always there */
    return add_line(c, summary, 0, -1, error);
}

rt_status rti_unseen_curves_make(rti_unseen_curves *curves, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    *curves = (rti_unseen_curves){0};
    rt_status status = RT_OK;
    if (!plan->dataset_count || !summary->validation_examples || !plan->cell_count) return RT_OK;
    if (plan->facet_count == 1) status = add_cells(curves, summary, error);
    for (int f = 0; f < plan->facet_count && plan->facet_count > 1 && status == RT_OK; f++) {
        int cell = shown_cell(summary, f);
        if (cell >= 0) status = add_line(curves, summary, f, cell, error);
    }
    if (status != RT_OK) *curves = (rti_unseen_curves){0};
    return status;
}

/* ---- the file ----------------------------------------------------------------------------------- */

rt_status rti_unseen_curves_write(const rti_unseen_curves *c, const rti_summary *summary, rt_error *error) {
    if (!c->lines) return RT_OK;
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "epoch");
    for (int i = 0; i < c->lines; i++) {
        static const char *const parts[] = {"", " low", " high"};
        for (int p = 0; p < 3; p++) {
            char name[RTI_LABEL_MAX + 8];
            snprintf(name, sizeof name, "%s%s", c->line[i].label, parts[p]);
            rti_csv_append(&text, name, false);
        }
    }
    rti_text_append(&text, "\n");
    for (int epoch = 0; epoch < c->epochs; epoch++) {
        rti_text_printf(&text, "%d", epoch + 1);
        for (int i = 0; i < c->lines; i++) {
            rti_estimate e = at_epoch(summary, trials_of(summary, c->line[i].facet, c->line[i].cell), epoch);
            double half = isfinite(e.half) ? e.half : 0;
            rti_csv_add_number(&text, e.mean, false);
            rti_csv_add_number(&text, isfinite(e.mean) ? fmax(e.mean - half, 0) : NAN, false);
            rti_csv_add_number(&text, isfinite(e.mean) ? fmin(e.mean + half, 100) : NAN, false);
        }
        rti_text_append(&text, "\n");
    }
    rt_status status = rti_report_file(summary->plan, "unseen.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}
