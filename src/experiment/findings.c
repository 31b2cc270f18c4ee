/* findings.c - see findings.h.                                         Floor 8 (experiment) */
#include "experiment/findings.h"

#include <stdio.h>

#include "experiment/league.h"
#include "retort/log.h"

/* ---- names and choices -------------------------------------------------------------------------- */

/* "kd (temperature 4)" */
static void row_label(const rti_summary *summary, int cell, char out[RTI_LABEL_MAX]) {
    const rti_plan *plan = summary->plan;
    const int row = plan->cells[cell].row;
    char label[RTI_LABEL_TEXT], point[RTI_LABEL_MAX] = "", all[2 * RTI_LABEL_MAX];
    rti_label_plain(plan->rows[row].spec->label, label, sizeof label);
    for (int p = 0; p < plan->rows[row].point_count; p++)
        if (plan->rows[row].points[p].cell == cell) rti_point_label(plan, row, p, point, sizeof point);
    snprintf(all, sizeof all, point[0] ? "%s (%s)" : "%s", label, point);
    rti_label_plain(all, out, RTI_LABEL_MAX);
}

const char *rti_finding_label(const rti_summary *summary, int facet, int cell, char out[RTI_LABEL_MAX]) {
    const rti_plan *plan = summary->plan;
    char own[RTI_LABEL_MAX], all[RTI_LABEL_MAX + 16];
    if (cell >= 0 && plan->spec.is_comparison && plan->cells[cell].row >= 0) {
        row_label(summary, cell, out);
        return out;
    }
    if (cell >= 0) {
        rti_label_cell(plan, cell, RTI_LABEL_GRID, out, RTI_LABEL_MAX);
        if (!out[0]) snprintf(out, RTI_LABEL_MAX, "student");
        return out;
    }
    rti_label_cell(plan, summary->facets[facet].first_cell, RTI_LABEL_FACET, own, sizeof own);
    snprintf(all, sizeof all, "scratch%s%s", own[0] ? ", " : "", own);
    return rti_label_plain(all, out, RTI_LABEL_MAX);
}

bool rti_is_chosen(const rti_summary *summary, int cell) {
    const rti_plan *plan = summary->plan;
    const int row = plan->cells[cell].row;
    if (!plan->spec.is_comparison || row < 0)
        return summary->facets[plan->cells[cell].facet].best_cell == cell;
    int point = rti_row_chosen(plan, row, summary->records);
    return point >= 0 && plan->rows[row].points[point].cell == cell;
}

static bool can_be_shown(const rti_summary *summary, int cell) {
    return !summary->cells[cell].is_scratch && summary->cells[cell].students.done > 0;
}

static int shown_rows(const rti_summary *summary, int cells[], int limit) {
    int count = 0;
    rti_league league;
    rti_league_make(&league, summary);
    for (int i = 0; i < league.count && count < limit; i++)
        if (league.line[i].cell >= 0 && can_be_shown(summary, league.line[i].cell))
            cells[count++] = league.line[i].cell;
    return count;
}

int rti_shown_cells(const rti_summary *summary, int facet, int cells[], int limit) {
    const rti_plan *plan = summary->plan;
    const int best = summary->facets[facet].best_cell;
    int count = 0;
    if (plan->spec.is_comparison) return shown_rows(summary, cells, limit);
    for (int c = 0; c < plan->cell_count && count < limit; c++)
        if (plan->cells[c].facet == facet && (best < 0 || best == c) && can_be_shown(summary, c))
            cells[count++] = c;
    return count;
}

void rti_finding_heading(rti_text *out, const rti_summary *summary, int facet) {
    char label[RTI_LABEL_MAX];
    if (summary->plan->facet_count < 2) return;
    rti_label_cell(summary->plan, summary->facets[facet].first_cell, RTI_LABEL_FACET, label, sizeof label);
    rti_text_append(out, "### ");
    rti_markdown_escape(out, label);
    rti_text_append(out, "\n\n");
}

/* ---- all ---------------------------------------------------------------------------------------- */

/* What cannot be asked is left out; only lack of memory ends the report. */
static rt_status left_out(rt_status status, const char *what, const rt_error *own, rt_error *error) {
    if (status == RT_OK) return RT_OK;
    if (status == RT_MEMORY) return rt_fail(error, status, "%s", own->message);
    rt_say(RT_LOG_WARNING, "%s left out: %s", what, own->message);
    return RT_OK;
}

/* Files that a full disk cannot hold are an error as everywhere; networks that cannot be asked are not. */
static rt_status make_omission(rti_omission *o, const rti_summary *summary, rt_error *error) {
    rt_error own = {0};
    RT_TRY(left_out(rti_shifts_make(&o->shifts, summary, &own), "The shift of biases is", &own, error));
    RT_TRY(left_out(rti_unseen_curves_make(&o->curves, summary, &own),
                    "The accuracy on classes that are never seen is", &own, error));
    RT_TRY(left_out(rti_taught_make(&o->taught, summary, &own), "What taught a class is", &own, error));
    RT_TRY(rti_shifts_write(&o->shifts, summary, error));
    RT_TRY(rti_omitted_write(&o->shifts, summary, &o->omitted, error));
    RT_TRY(rti_unseen_curves_write(&o->curves, summary, error));
    return rti_taught_write(&o->taught, summary, error);
}

static rt_status make_sweeps(rti_sweeps *s, const rti_summary *summary, rt_error *error) {
    rt_error own = {0};
    RT_TRY(rti_temperatures_make(&s->temperatures, summary, error));
    RT_TRY(rti_sizes_make(&s->sizes, summary, error));
    RT_TRY(left_out(rti_limits_make(&s->limits, summary, &own), "The limit of high temperature is", &own,
                    error));
    RT_TRY(rti_temperatures_write(&s->temperatures, summary, error));
    RT_TRY(rti_term_gradients_write(&s->temperatures, summary, error));
    RT_TRY(rti_sizes_write(&s->sizes, summary, error));
    return rti_limits_write(&s->limits, summary, error);
}

static rt_status make(rti_findings *f, const rti_summary *summary, rt_error *error) {
    rt_error own = {0};
    RT_TRY(left_out(rti_paired_errors_make(&f->paired, summary, &own), "The table of paired errors is", &own,
                    error));
    RT_TRY(rti_ensemble_make(&f->ensemble, summary, error));
    RT_TRY(left_out(rti_calibration_make(&f->calibration, summary, &own), "Calibration is", &own, error));
    RT_TRY(left_out(rti_similarity_make(&f->similarity, summary, &own), "The map of similar classes is", &own,
                    error));
    RT_TRY(make_omission(&f->omission, summary, error));
    RT_TRY(make_sweeps(&f->sweeps, summary, error));
    RT_TRY(rti_paired_errors_write(&f->paired, summary, error));
    RT_TRY(rti_ensemble_write(&f->ensemble, summary, error));
    RT_TRY(rti_calibration_write(&f->calibration, summary, error));
    return rti_similarity_write(&f->similarity, summary, error);
}

rt_status rti_findings_make(rti_findings *findings, const rti_summary *summary, rt_error *error) {
    *findings = (rti_findings){.ensemble = {0}};
    rt_status status = make(findings, summary, error);
    if (status != RT_OK) rti_findings_deinit(findings);
    return status;
}

void rti_findings_markdown(rti_text *out, const rti_findings *f, const rti_summary *summary) {
    rti_temperatures_markdown(out, &f->sweeps.temperatures, summary);
    rti_sizes_markdown(out, &f->sweeps.sizes, summary);
    rti_limits_markdown(out, &f->sweeps.limits, summary);
    rti_ensemble_markdown(out, &f->ensemble, summary);
    rti_paired_errors_markdown(out, &f->paired, summary);
    rti_calibration_markdown(out, &f->calibration, summary);
    rti_similarity_markdown(out, &f->similarity, summary);
    rti_shifts_markdown(out, &f->omission.shifts, summary);
    rti_taught_markdown(out, &f->omission.taught, summary);
}

void rti_findings_deinit(rti_findings *f) {
    rti_paired_errors_deinit(&f->paired);
    rti_ensemble_deinit(&f->ensemble);
    rti_calibration_deinit(&f->calibration);
    rti_shifts_deinit(&f->omission.shifts);
    rti_temperatures_deinit(&f->sweeps.temperatures);
    rti_limits_deinit(&f->sweeps.limits);
    rti_sizes_deinit(&f->sweeps.sizes);
}
