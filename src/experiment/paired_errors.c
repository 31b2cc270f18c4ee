/* paired_errors.c - which test examples two networks get wrong.        Floor 8 (experiment)
 *
 * Two students with 74 and 80 errors of 10000 differ by less than chance explains; but on the same
 * examples only those count that one of them gets right and the other wrong (McNemar 1947). And a student
 * that learned from the teacher's answers, errors included, should err where the teacher errs and say the
 * same: fidelity, apart from accuracy.
 *
 * Chosen cells and scratch students are always asked, other cells while there are passes left to spend. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/findings.h"
#include "formats/csv.h"
#include "retort/alloc.h"

/* Multiply-adds for cells that were not chosen: some ten seconds of a laptop. */
#define TO_SPEND 5e11

rti_overlap rti_overlap_of(const int32_t a[], const int32_t b[], const int32_t labels[], int64_t count) {
    rti_overlap o = {.examples = count};
    for (int64_t i = 0; i < count; i++) {
        bool wrong = a[i] != labels[i], other = b[i] != labels[i];
        o.errors += wrong;
        o.other_errors += other;
        o.n01 += wrong && !other;
        o.n10 += !wrong && other;
        o.both += wrong && other;
        o.same += wrong && a[i] == b[i];
        o.agreeing += a[i] == b[i];
    }
    o.p = rti_mcnemar(o.n01, o.n10);
    return o;
}

/* ---- asking ------------------------------------------------------------------------------------- */

typedef struct facet_answers {
    const rti_summary *summary;
    rti_paired_errors *paired;
    int facet;
    double left;   /* multiply-adds to spend */
    int64_t count; /* test examples */
    const int32_t *labels;
    int32_t *teacher;  /* (count), or NULL */
    int32_t **scratch; /* (seed_count), each (count) or NULL */
} facet_answers;

/* The classes that `answers` gives, which are released. */
static rt_status take_top(facet_answers *f, rti_answers *answers, int32_t **top, rt_error *error) {
    rt_status status = RT_OK;
    if (answers->logits && answers->count == f->count) {
        *top = rt_alloc((size_t)f->count * sizeof **top);
        if (*top)
            rti_answers_top(answers, *top);
        else
            status = rt_fail(error, RT_MEMORY, "not enough memory for the answers of a network");
    }
    rti_answers_deinit(answers);
    return status;
}

static rt_status ask_trial(facet_answers *f, int trial, int32_t **top, rt_error *error) {
    rti_answers answers;
    if (trial < 0 || f->summary->records[trial].state != RTI_DONE) return RT_OK;
    RT_TRY(rti_answers_of_done(&answers, f->summary, trial, RT_PART_TEST, error));
    return take_top(f, &answers, top, error);
}

static void add_line(facet_answers *f, int cell, int seed, const int32_t *top, const int32_t *other) {
    if (!top || !other) return;
    f->paired->line[f->paired->count++] = (rti_paired_line){
        .facet = f->facet,
        .cell = cell,
        .seed = seed,
        .chosen = cell >= 0 && rti_is_chosen(f->summary, cell),
        .against_teacher = other == f->teacher,
        .overlap = rti_overlap_of(top, other, f->labels, f->count)};
}

static rt_status add_cell(facet_answers *f, int cell, rt_error *error) {
    const rti_cell *c = &f->summary->plan->cells[cell];
    for (int s = 0; s < f->summary->plan->spec.seed_count; s++) {
        int32_t *top = NULL;
        RT_TRY(ask_trial(f, c->trials[s], &top, error));
        add_line(f, cell, s, top, f->scratch[s]);
        add_line(f, cell, s, top, f->teacher);
        rt_free(top);
    }
    return RT_OK;
}

/* What a cell that was not chosen costs; one that was costs nothing. */
static double price_of(const facet_answers *f, int cell) {
    const rti_group *g = &f->summary->cells[cell].students;
    if (rti_is_chosen(f->summary, cell)) return 0;
    return (double)g->done * (double)g->cost.multiply_adds * (double)f->count;
}

static rt_status add_facet(facet_answers *f, rt_error *error) {
    const rti_summary *summary = f->summary;
    const rti_plan *plan = summary->plan;
    const int *scratch = plan->cells[summary->facets[f->facet].first_cell].scratch;
    rti_answers answers;
    RT_TRY(
        rti_answers_of_teacher(&answers, summary, rti_facet_student(plan, f->facet), RT_PART_TEST, 1, error));
    RT_TRY(take_top(f, &answers, &f->teacher, error));
    for (int s = 0; s < plan->spec.seed_count; s++) {
        RT_TRY(ask_trial(f, scratch[s], &f->scratch[s], error));
        add_line(f, -1, s, f->scratch[s], f->teacher);
    }
    for (int c = 0; c < plan->cell_count; c++) {
        const rti_cell_summary *cell = &summary->cells[c];
        if (plan->cells[c].facet != f->facet || cell->is_scratch || !cell->students.done) continue;
        double price = price_of(f, c);
        if (price > f->left) {
            f->paired->left_out++;
            continue;
        }
        f->left -= price;
        RT_TRY(add_cell(f, c, error));
    }
    return RT_OK;
}

static void forget(facet_answers *f) {
    rt_free(f->teacher);
    f->teacher = NULL;
    for (int s = 0; s < f->summary->plan->spec.seed_count; s++) {
        rt_free(f->scratch[s]);
        f->scratch[s] = NULL;
    }
}

rt_status rti_paired_errors_make(rti_paired_errors *paired, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    const size_t seeds = (size_t)plan->spec.seed_count;
    const size_t most = 2 * (size_t)plan->cell_count + (size_t)plan->facet_count;
    *paired = (rti_paired_errors){0};
    if (!plan->dataset_count) return RT_OK;
    paired->line = rt_alloc_zero(most * seeds, sizeof *paired->line);
    facet_answers f = {summary, paired, .left = TO_SPEND, .scratch = rt_alloc_zero(seeds, sizeof *f.scratch)};
    rt_status status = RT_OK;
    if (!paired->line || !f.scratch)
        status = rt_fail(error, RT_MEMORY, "not enough memory for the table of paired errors");
    for (; f.facet < plan->facet_count && status == RT_OK; f.facet++) {
        int student = rti_facet_student(plan, f.facet);
        if (student < 0) continue;
        const rt_part *test = rt_dataset_part(plan->datasets[plan->trials[student].dataset], RT_PART_TEST);
        f.count = test->count;
        f.labels = test->labels;
        if (f.count) status = add_facet(&f, error);
        forget(&f);
    }
    rt_free(f.scratch);
    if (status != RT_OK) rti_paired_errors_deinit(paired);
    return status;
}

void rti_paired_errors_deinit(rti_paired_errors *paired) {
    rt_free(paired->line);
    *paired = (rti_paired_errors){0};
}

/* ---- paired-errors.csv -------------------------------------------------------------------------- */

static double share(int64_t part, int64_t of) { return of ? (double)part / (double)of : NAN; }

static void add_row(rti_text *text, const rti_paired_line *l, const rti_summary *summary) {
    const rti_overlap *o = &l->overlap;
    char label[RTI_LABEL_MAX], cell[16] = "";
    if (l->cell >= 0) snprintf(cell, sizeof cell, "%d", l->cell + 1);
    rti_text_printf(text, "%d,%s", l->facet + 1, cell);
    rti_csv_append(text, rti_finding_label(summary, l->facet, l->cell, label), false);
    rti_text_printf(text, ",%d,%llu,%s", l->chosen, (unsigned long long)summary->plan->spec.seeds[l->seed],
                    l->against_teacher ? "teacher" : "scratch");
    rti_text_printf(text, ",%lld,%lld,%lld,%lld,%lld,%lld,%lld", (long long)o->examples, (long long)o->errors,
                    (long long)o->other_errors, (long long)o->n01, (long long)o->n10, (long long)o->both,
                    (long long)o->same);
    rti_csv_add_number(text, o->p, false);
    rti_csv_add_number(text, share(o->agreeing, o->examples), false);
    rti_csv_add_number(text, share(o->same, o->other_errors), false);
    rti_csv_add_number(text, share(o->same, o->errors), false);
    rti_text_append(text, "\n");
}

rt_status rti_paired_errors_write(const rti_paired_errors *paired, const rti_summary *summary,
                                  rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    if (!paired->count) return RT_OK;
    rti_text_append(&text,
                    "facet,cell,network,chosen,seed,against,examples,errors,other_errors,n01,n10,both_wrong,"
                    "same_wrong,p,agreement,agreement_on_other_errors,agreement_on_own_errors\n");
    for (int i = 0; i < paired->count; i++) add_row(&text, &paired->line[i], summary);
    rt_status status = rti_report_file(summary->plan, "paired-errors.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- report.md ---------------------------------------------------------------------------------- */

typedef double line_number(const rti_overlap *overlap);

static double errors(const rti_overlap *o) { return (double)o->errors; }
static double other_errors(const rti_overlap *o) { return (double)o->other_errors; }
static double n01(const rti_overlap *o) { return (double)o->n01; }
static double n10(const rti_overlap *o) { return (double)o->n10; }
static double both(const rti_overlap *o) { return (double)o->both; }
static double agreement(const rti_overlap *o) { return 100.0 * share(o->agreeing, o->examples); }
static double on_other_errors(const rti_overlap *o) { return 100.0 * share(o->same, o->other_errors); }
static double on_own_errors(const rti_overlap *o) { return 100.0 * share(o->same, o->errors); }
static double p_of(const rti_overlap *o) { return o->p; }

static double median_of(const rti_paired_line *const lines[], int count, line_number *number) {
    double values[RTI_SEEDS_MAX];
    for (int i = 0; i < count; i++) values[i] = number(&lines[i]->overlap);
    return rti_median(values, count);
}

/* The row of one cell against one opponent: `lines` differ in the seed. */
static void table_row(rti_text *out, const rti_paired_line *const lines[], int count,
                      const rti_summary *summary) {
    static line_number *const counts[] = {errors, other_errors, n01, n10, both};
    static line_number *const shares[] = {agreement, on_other_errors, on_own_errors};
    char label[RTI_LABEL_MAX], p[32];
    int below = 0;
    for (int i = 0; i < count; i++) below += lines[i]->overlap.p < 0.05;
    rti_text_append(out, "| ");
    rti_markdown_escape(out, rti_finding_label(summary, lines[0]->facet, lines[0]->cell, label));
    rti_text_printf(out, " | %s", lines[0]->against_teacher ? "teacher" : "scratch");
    for (int i = 0; i < 5; i++) rti_text_printf(out, " | %.10g", median_of(lines, count, counts[i]));
    rti_text_printf(out, " | %s | %d of %d", rti_p_text(median_of(lines, count, p_of), p), below, count);
    for (int i = 0; i < 3; i++) {
        double value = median_of(lines, count, shares[i]);
        rti_text_printf(out, isnan(value) ? " | -" : " | %.1f", value);
    }
    rti_text_append(out, " |\n");
}

static bool belongs(const rti_paired_line *l, int facet, int cell, bool against_teacher) {
    return l->facet == facet && l->cell == cell && l->against_teacher == against_teacher;
}

static void add_opponent(rti_text *out, const rti_paired_errors *paired, const rti_summary *summary,
                         int facet, int cell, bool against_teacher) {
    const rti_paired_line *lines[RTI_SEEDS_MAX];
    int count = 0;
    for (int i = 0; i < paired->count && count < RTI_SEEDS_MAX; i++)
        if (belongs(&paired->line[i], facet, cell, against_teacher)) lines[count++] = &paired->line[i];
    if (count) table_row(out, lines, count, summary);
}

static void facet_table(rti_text *out, const rti_paired_errors *paired, const rti_summary *summary,
                        int facet) {
    int cells[RTI_ROWS_MAX], count = rti_shown_cells(summary, facet, cells, RTI_ROWS_MAX);
    rti_finding_heading(out, summary, facet);
    rti_text_append(
        out, "| | against | errors | errors of the other | n01 | n10 | in common | p (McNemar) | p < 0.05 "
             "in | agreement, % | on the other's errors, % | on its own errors, % |\n"
             "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    add_opponent(out, paired, summary, facet, -1, true);
    for (int i = 0; i < count; i++) {
        add_opponent(out, paired, summary, facet, cells[i], false);
        add_opponent(out, paired, summary, facet, cells[i], true);
    }
    rti_text_append(out, "\n");
}

void rti_paired_errors_markdown(rti_text *out, const rti_paired_errors *paired, const rti_summary *summary) {
    if (!paired->count) return;
    rti_text_append(
        out,
        "## Paired errors\n\nThe same test examples, last epoch; medians over seeds. n01: wrong here and "
        "right there; n10: right here and wrong there; in common: wrong in both. p: exact two-sided "
        "McNemar test of n01 against n10 for the two networks of a seed, with the examples as the sample "
        "(the t-tests above are over seeds). Agreement: the same class, of all examples, of those that the "
        "other gets wrong (the same wrong class) and of those it gets wrong itself. The teacher's members "
        "answer together.\n\n");
    for (int f = 0; f < summary->plan->facet_count; f++) {
        bool any = false;
        for (int i = 0; i < paired->count; i++) any = any || paired->line[i].facet == f;
        if (any) facet_table(out, paired, summary, f);
    }
    rti_text_append(out, "paired-errors.csv has a row per cell, seed and opponent");
    if (paired->left_out)
        rti_text_printf(out, "; %d cell%s that would take long to ask and %s not chosen %s left out",
                        paired->left_out, paired->left_out == 1 ? "" : "s",
                        paired->left_out == 1 ? "was" : "were", paired->left_out == 1 ? "is" : "are");
    rti_text_append(out, ".\n\n");
}
