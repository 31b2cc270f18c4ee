/* ensemble.c - an ensemble, and how much of its gain one student keeps.  Floor 8 (experiment)
 *
 * Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 4, table 1: one network 58.9 % of frames right,
 * ten that differ in their initial weights together 61.1 %, one distilled from them 60.8 %: "more than 80
 * %" of the gain.
 *
 * The single network is the scratch student: the same architecture, budget, initial weights and order of
 * examples as the distilled one of its seed. With e the error of the members together,
 *
 *     share = mean(scratch - distilled) / mean(scratch - e)
 *
 * with Fieller's interval over seeds, where top and bottom are paired. e is one number: the interval
 * speaks of other seeds of the students and of this ensemble. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/findings.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "retort/log.h"

/* ---- together ----------------------------------------------------------------------------------- */

static rt_status find_facet(rti_summary *summary, int facet, rt_error *error) {
    int student = rti_facet_student(summary->plan, facet);
    if (student < 0 || summary->plan->trials[student].reference_count < 2) return RT_OK;
    rti_answers answers;
    RT_TRY(rti_answers_of_teacher(&answers, summary, student, RT_PART_TEST, 1, error));
    int64_t wrong = 0;
    int32_t *top = rt_alloc((size_t)(answers.count + 1) * sizeof *top);
    if (top) rti_answers_top(&answers, top);
    for (int64_t i = 0; top && i < answers.count; i++) wrong += top[i] != answers.labels[i];
    if (answers.count) summary->facets[facet].together = (double)wrong / (double)answers.count;
    rt_free(top);
    rti_answers_deinit(&answers);
    return top ? RT_OK : rt_fail(error, RT_MEMORY, "not enough memory for the answers of the teacher");
}

rt_status rti_together_find(rti_summary *summary, rt_error *error) {
    for (int f = 0; f < summary->plan->facet_count && summary->plan->dataset_count; f++) {
        rt_error own = {0};
        rt_status status = find_facet(summary, f, &own);
        if (status == RT_MEMORY) return rt_fail(error, status, "%s", own.message);
        if (status != RT_OK)
            rt_say(RT_LOG_WARNING, "What the members say together is left out: %s", own.message);
    }
    return RT_OK;
}

/* ---- lines -------------------------------------------------------------------------------------- */

static double error_of(const rti_summary *summary, int trial) {
    const rti_record *r = trial < 0 ? NULL : &summary->records[trial];
    if (!r || r->state != RTI_DONE || r->test_last.examples <= 0) return NAN;
    return (double)r->test_last.errors / (double)r->test_last.examples;
}

static rti_ratio share_of(const rti_summary *summary, int cell) {
    const rti_cell *c = &summary->plan->cells[cell];
    double kept[RTI_SEEDS_MAX], gain[RTI_SEEDS_MAX];
    int seeds = summary->plan->spec.seed_count;
    for (int s = 0; s < seeds; s++) {
        double scratch = error_of(summary, c->scratch[s]);
        kept[s] = scratch - error_of(summary, c->trials[s]);
        gain[s] = isnan(kept[s]) ? NAN : scratch - summary->facets[c->facet].together;
    }
    return rti_fieller(kept, gain, seeds);
}

static void add(rti_ensemble *e, int facet, rti_ensemble_part part, int networks, rti_estimate error) {
    e->line[e->count++] = (rti_ensemble_line){.facet = facet,
                                              .cell = -1,
                                              .part = part,
                                              .shown = true,
                                              .networks = networks,
                                              .error = error,
                                              .share = {0, NAN, NAN, NAN}};
}

static void add_facet(rti_ensemble *e, const rti_summary *summary, int facet) {
    const rti_facet_summary *f = &summary->facets[facet];
    const rti_plan *plan = summary->plan;
    int shown[RTI_ROWS_MAX], count = rti_shown_cells(summary, facet, shown, RTI_ROWS_MAX);
    add(e, facet, RTI_MEMBERS, f->teacher.done, f->teacher.test_last);
    add(e, facet, RTI_TOGETHER, f->teacher.trials, (rti_estimate){1, f->together, NAN, NAN});
    if (f->scratch.done) add(e, facet, RTI_SINGLE, f->scratch.done, f->scratch.test_last);
    for (int c = 0; c < plan->cell_count; c++) {
        const rti_cell_summary *cell = &summary->cells[c];
        if (plan->cells[c].facet != facet || cell->is_scratch || !cell->students.done) continue;
        add(e, facet, RTI_DISTILLED, cell->students.done, cell->students.test_last);
        rti_ensemble_line *line = &e->line[e->count - 1];
        line->cell = c;
        line->share = share_of(summary, c);
        line->shown = false;
        for (int i = 0; i < count; i++) line->shown = line->shown || shown[i] == c;
    }
}

rt_status rti_ensemble_make(rti_ensemble *ensemble, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    *ensemble = (rti_ensemble){0};
    bool any = false;
    for (int f = 0; f < plan->facet_count; f++) any = any || isfinite(summary->facets[f].together);
    if (!any) return RT_OK;
    ensemble->line = rt_alloc_zero(3 * (size_t)plan->facet_count + (size_t)plan->cell_count,
                                   sizeof *ensemble->line);
    if (!ensemble->line) return rt_fail(error, RT_MEMORY, "not enough memory for the table of the ensemble");
    for (int f = 0; f < plan->facet_count; f++)
        if (isfinite(summary->facets[f].together)) add_facet(ensemble, summary, f);
    return RT_OK;
}

void rti_ensemble_deinit(rti_ensemble *ensemble) {
    rt_free(ensemble->line);
    *ensemble = (rti_ensemble){0};
}

const char *rti_ensemble_label(const rti_ensemble_line *line, const rti_summary *summary,
                               char out[RTI_LABEL_MAX]) {
    static const char *const names[] = {"one member", "members together", "scratch student", "distilled"};
    char label[RTI_LABEL_MAX], all[RTI_LABEL_MAX + 16];
    snprintf(out, RTI_LABEL_MAX, "%s", names[line->part]);
    if (line->part != RTI_DISTILLED) return out;
    rti_finding_label(summary, line->facet, line->cell, label);
    snprintf(all, sizeof all, "distilled%s%s", strcmp(label, "student") ? ", " : "",
             strcmp(label, "student") ? label : "");
    return rti_label_plain(all, out, RTI_LABEL_MAX);
}

/* ---- files -------------------------------------------------------------------------------------- */

static void add_row(rti_text *text, const rti_ensemble_line *l, const rti_summary *summary) {
    static const char *const parts[] = {"member", "together", "scratch", "distilled"};
    char label[RTI_LABEL_MAX], cell[16] = "";
    if (l->cell >= 0) snprintf(cell, sizeof cell, "%d", l->cell + 1);
    rti_text_printf(text, "%d,%s,%s", l->facet + 1, cell, parts[l->part]);
    rti_csv_append(text, rti_ensemble_label(l, summary, label), false);
    rti_text_printf(text, ",%d,%d", l->shown, l->networks);
    rti_csv_add_number(text, l->error.mean, false);
    rti_csv_add_number(text, l->error.sd, false);
    rti_csv_add_number(text, l->error.half, false);
    rti_text_printf(text, ",%d", l->share.pairs);
    rti_csv_add_number(text, l->share.ratio, false);
    rti_csv_add_number(text, l->share.low, false);
    rti_csv_add_number(text, l->share.high, false);
    rti_text_append(text, "\n");
}

rt_status rti_ensemble_write(const rti_ensemble *ensemble, const rti_summary *summary, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    if (!ensemble->count) return RT_OK;
    rti_text_append(&text,
                    "facet,cell,part,network,shown,networks,test_error,test_error_sd,test_error_half,pairs,"
                    "share_of_gain,share_low,share_high\n");
    for (int i = 0; i < ensemble->count; i++) add_row(&text, &ensemble->line[i], summary);
    rt_status status = rti_report_file(summary->plan, "ensemble.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* "82 (61 to 103)", "82 (open)": in per cent. */
static void share_text(rti_text *out, const rti_ratio *share) {
    if (isnan(share->ratio)) return;
    rti_text_printf(out, "%.0f", 100.0 * share->ratio);
    if (isfinite(share->low))
        rti_text_printf(out, " (%.0f to %.0f)", 100.0 * share->low, 100.0 * share->high);
    else if (!isnan(share->low))
        rti_text_append(out, " (open)");
}

static void table_of(rti_text *out, const rti_ensemble *ensemble, const rti_summary *summary, int facet) {
    char label[RTI_LABEL_MAX], number[48];
    rti_finding_heading(out, summary, facet);
    rti_text_append(out, "| | networks | test error, % | accuracy, % | share of the gain, % |\n"
                         "|---|---|---|---|---|\n");
    for (int i = 0; i < ensemble->count; i++) {
        const rti_ensemble_line *l = &ensemble->line[i];
        if (l->facet != facet || !l->shown) continue;
        rti_text_append(out, "| ");
        rti_markdown_escape(out, rti_ensemble_label(l, summary, label));
        rti_text_printf(out, " | %d | %s | %.2f | ", l->networks, rti_percent(&l->error, number),
                        100.0 * (1.0 - l->error.mean));
        share_text(out, &l->share);
        rti_text_append(out, " |\n");
    }
    rti_text_append(out, "\n");
}

void rti_ensemble_markdown(rti_text *out, const rti_ensemble *ensemble, const rti_summary *summary) {
    if (!ensemble->count) return;
    rti_text_append(
        out,
        "## The ensemble\n\nTest error of the last epoch, mean and 95 % interval: of members over members, "
        "of students over seeds. Share of the gain: mean(scratch - distilled) / mean(scratch - together), "
        "with Fieller's 95 % interval over seeds, paired; the ensemble is one, so the interval speaks of "
        "other students of it. \"Open\": the gain itself may be 0. The paper's speech table, frame "
        "accuracy: one network 58.9 %, ten together 61.1 %, distilled 60.8 %, over 80 % of the gain.\n\n");
    for (int f = 0; f < summary->plan->facet_count; f++)
        if (isfinite(summary->facets[f].together)) table_of(out, ensemble, summary, f);
    rti_text_append(out, "ensemble.csv has every cell.\n\n");
}
