/* summary.c - from records to numbers: means, verdicts, the chosen cell.  Floor 8 (experiment) */
#include <math.h>
#include <string.h>

#include "experiment/report.h"
#include "retort/alloc.h"

/* ---- one number of one record; NaN when it has none ------------------------------------------- */

static double error_of(const rt_quality *q) {
    return q->examples > 0 ? (double)q->errors / (double)q->examples : NAN;
}
static double of_teacher(const rt_quality *q, double value) { return q->has_teacher ? value : NAN; }

static double test_last(const rti_record *r) { return error_of(&r->test_last); }
static double test_best(const rti_record *r) { return error_of(&r->test_best); }
static double validation_last(const rti_record *r) { return error_of(&r->validation_last); }
static double validation_best(const rti_record *r) { return error_of(&r->validation_best); }
static double validation_nll(const rti_record *r) {
    return r->validation_last.examples > 0 ? r->validation_last.nll : NAN;
}
static double test_errors(const rti_record *r) {
    return r->test_last.examples > 0 ? (double)r->test_last.errors : NAN;
}
static double agreement(const rti_record *r) { return of_teacher(&r->test_last, r->test_last.agreement); }
static double teacher_kl(const rti_record *r) { return of_teacher(&r->test_last, r->test_last.teacher_kl); }
static double nll(const rti_record *r) { return r->test_last.nll; }
static double ece(const rti_record *r) { return r->test_last.ece; }
static double brier(const rti_record *r) { return r->test_last.brier; }
static double seconds(const rti_record *r) { return r->seconds; }
static double latency(const rti_record *r) { return r->latency_us; }
static double megabytes(const rti_record *r) { return r->peak_megabytes; }

/* ---- groups ----------------------------------------------------------------------------------- */

typedef double record_number(const rti_record *record);

typedef struct workspace {
    const rti_record *records;
    double *values, *others; /* (trial_count or seed_count, the larger) */
} workspace;

/* values[i] = what `number` says of trial i of the list, NaN when that trial is not done. */
static void gather(const workspace *w, const int trials[], int count, record_number *number,
                   double values[]) {
    for (int i = 0; i < count; i++) {
        const rti_record *r = trials[i] < 0 ? NULL : &w->records[trials[i]];
        values[i] = r && r->state == RTI_DONE ? number(r) : NAN;
    }
}

static rti_estimate estimate(const workspace *w, const int trials[], int count, record_number *number) {
    gather(w, trials, count, number, w->values);
    return rti_estimate_of(w->values, count);
}

static rti_group group_of(const workspace *w, const int trials[], int count) {
    rti_group g = {0};
    for (int i = 0; i < count; i++) {
        const rti_record *r = trials[i] < 0 ? NULL : &w->records[trials[i]];
        g.trials += r != NULL;
        if (r && r->state == RTI_DONE && g.done++ == 0) g.cost = r->cost;
        if (r && r->state == RTI_FAILED) g.failed++;
    }
    g.test_last = estimate(w, trials, count, test_last);
    g.test_best = estimate(w, trials, count, test_best);
    g.validation_last = estimate(w, trials, count, validation_last);
    g.validation_best = estimate(w, trials, count, validation_best);
    g.validation_nll = estimate(w, trials, count, validation_nll);
    g.test_errors = estimate(w, trials, count, test_errors);
    g.agreement = estimate(w, trials, count, agreement);
    g.teacher_kl = estimate(w, trials, count, teacher_kl);
    g.nll = estimate(w, trials, count, nll);
    g.ece = estimate(w, trials, count, ece);
    g.brier = estimate(w, trials, count, brier);
    g.seconds = estimate(w, trials, count, seconds);
    g.latency_us = estimate(w, trials, count, latency);
    g.peak_megabytes = estimate(w, trials, count, megabytes);
    return g;
}

static void summarise_cell(rti_cell_summary *cell, const rti_cell *at, int seeds, const workspace *w) {
    cell->students = group_of(w, at->trials, seeds);
    gather(w, at->trials, seeds, test_last, w->values);
    gather(w, at->scratch, seeds, test_last, w->others);
    cell->paired = rti_paired_test(w->values, w->others, seeds);
    cell->is_scratch = true;
    for (int i = 0; i < seeds; i++)
        if (at->trials[i] != at->scratch[i]) cell->is_scratch = false;
    /* Holm's count is of questions: that scratch equals scratch is none. */
    cell->p_holm = cell->is_scratch ? NAN : cell->paired.p;
}

/* ---- facets ----------------------------------------------------------------------------------- */

/* The networks that the facet's students are measured against, each once, into list; returns how many. */
static int teachers_of(const rti_plan *plan, int facet, int list[], bool seen[]) {
    int count = 0;
    memset(seen, 0, (size_t)plan->trial_count);
    for (int c = 0; c < plan->cell_count; c++) {
        if (plan->cells[c].facet != facet) continue;
        for (int s = 0; s < plan->spec.seed_count; s++) {
            int t = plan->cells[c].trials[s];
            for (int k = 0; t >= 0 && k < plan->trials[t].reference_count; k++) {
                int member = plan->trials[t].references[k];
                if (!seen[member]) list[count++] = member;
                seen[member] = true;
            }
        }
    }
    return count;
}

/* Better on validation: more finished seeds first (a cell with one lucky seed must not win), then
 * the lower mean error, then the lower mean NLL; equal: the earlier cell stays. */
static bool is_chosen_over(const rti_group *a, const rti_group *b) {
    if (a->validation_last.count != b->validation_last.count)
        return a->validation_last.count > b->validation_last.count;
    if (a->validation_last.mean != b->validation_last.mean)
        return a->validation_last.mean < b->validation_last.mean;
    return a->validation_nll.mean < b->validation_nll.mean;
}

static rt_status summarise_facet(rti_summary *summary, int facet, const workspace *w, int list[], bool seen[],
                                 rt_error *error) {
    const rti_plan *plan = summary->plan;
    rti_facet_summary *f = &summary->facets[facet];
    f->first_cell = f->best_cell = -1;
    f->together = NAN; /* no record says it */
    for (int c = 0; c < plan->cell_count; c++) {
        if (plan->cells[c].facet != facet) continue;
        rti_cell_summary *cell = &summary->cells[c];
        if (f->cell_count++ == 0) f->first_cell = c;
        if (!isnan(cell->p_holm)) f->tests++;
        if (cell->is_scratch || !cell->students.validation_last.count) continue;
        if (f->best_cell < 0 || is_chosen_over(&cell->students, &summary->cells[f->best_cell].students))
            f->best_cell = c;
    }
    RT_ASSERT(f->cell_count > 0, "facet %d has no cells", facet);
    f->scratch = group_of(w, plan->cells[f->first_cell].scratch, plan->spec.seed_count);
    f->teacher = group_of(w, list, teachers_of(plan, facet, list, seen));
    if (f->best_cell >= 0 && f->scratch.validation_last.count)
        f->scratch_is_better =
            f->scratch.validation_last.mean <= summary->cells[f->best_cell].students.validation_last.mean;

    int count = 0;
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].facet == facet) w->values[count++] = summary->cells[c].p_holm;
    RT_TRY(rti_holm(w->values, count, w->values, error));
    count = 0;
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].facet == facet) summary->cells[c].p_holm = w->values[count++];
    return RT_OK;
}

/* ---- all -------------------------------------------------------------------------------------- */

static void count_trials(rti_summary *summary) {
    for (int t = 0; t < summary->plan->trial_count; t++) {
        const rti_record *r = &summary->records[t];
        if (r->state == RTI_FAILED) summary->failed++;
        else if (r->state != RTI_DONE) summary->unfinished++;
        if (r->state != RTI_DONE) continue;
        summary->done++;
        summary->seconds += r->seconds;
        if (r->test_last.examples > summary->test_examples) summary->test_examples = r->test_last.examples;
        if (r->validation_last.examples > summary->validation_examples)
            summary->validation_examples = r->validation_last.examples;
    }
}

static rt_status fill(rti_summary *summary, workspace *w, int list[], bool seen[], rt_error *error) {
    const rti_plan *plan = summary->plan;
    count_trials(summary);
    for (int c = 0; c < plan->cell_count; c++)
        summarise_cell(&summary->cells[c], &plan->cells[c], plan->spec.seed_count, w);
    for (int f = 0; f < plan->facet_count; f++) RT_TRY(summarise_facet(summary, f, w, list, seen, error));
    return RT_OK;
}

rt_status rti_summary_make(rti_summary *summary, const rti_plan *plan, rti_record *records, rt_error *error) {
    *summary = (rti_summary){.plan = plan, .records = records};
    size_t trials = (size_t)plan->trial_count, cells = (size_t)plan->cell_count,
           seeds = (size_t)plan->spec.seed_count;
    size_t longest = trials > cells ? trials : cells;
    if (seeds > longest) longest = seeds;
    summary->cells = rt_alloc_zero(cells, sizeof *summary->cells);
    summary->facets = rt_alloc_zero((size_t)plan->facet_count, sizeof *summary->facets);
    summary->kept = rti_kept_answers_new();
    workspace w = {records, rt_alloc_zero(longest, sizeof(double)), rt_alloc_zero(longest, sizeof(double))};
    int *list = rt_alloc_zero(trials, sizeof *list);
    bool *seen = rt_alloc_zero(trials, sizeof *seen);
    rt_status status;
    if (summary->cells && summary->facets && summary->kept && w.values && w.others && list && seen)
        status = fill(summary, &w, list, seen, error);
    else
        status = rt_fail(error, RT_MEMORY, "not enough memory to summarise %d trials", plan->trial_count);
    rt_free(w.values);
    rt_free(w.others);
    rt_free(list);
    rt_free(seen);
    if (status != RT_OK) rti_summary_deinit(summary);
    return status;
}

rt_status rti_summary_read(rti_summary *summary, const rti_plan *plan, rt_error *error) {
    *summary = (rti_summary){0};
    rti_record *records = rt_alloc_zero((size_t)plan->trial_count, sizeof *records);
    if (!records)
        return rt_fail(error, RT_MEMORY, "not enough memory for the records of %d trials", plan->trial_count);
    for (int t = 0; t < plan->trial_count; t++) {
        rt_status status = rti_record_read(plan, t, &records[t], error);
        if (status == RT_OK) continue;
        for (int i = 0; i < t; i++) rti_record_deinit(&records[i]);
        rt_free(records);
        return status;
    }
    return rti_summary_make(summary, plan, records, error);
}

void rti_summary_deinit(rti_summary *summary) {
    for (int t = 0; summary->records && t < summary->plan->trial_count; t++)
        rti_record_deinit(&summary->records[t]);
    rt_free(summary->records);
    rt_free(summary->cells);
    rt_free(summary->facets);
    rti_kept_answers_free(summary->kept);
    *summary = (rti_summary){0};
}
