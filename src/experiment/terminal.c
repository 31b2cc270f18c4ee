/* terminal.c - the answer of a run: head, tables, legend, loss contract.  Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/league.h"

/* ---- the head --------------------------------------------------------------------------------- */

void rti_terminal_group(rti_text *out, const char *name, const char *members, const rti_group *group) {
    char number[48];
    rti_text_printf(out, "%s ", name);
    if (!group->done) {
        rti_text_append(out, group->failed ? "failed" : "not finished");
        return;
    }
    rti_text_printf(out, "%s %%", rti_percent(&group->test_last, number));
    if (group->trials == 1) rti_text_printf(out, " (%.0f errors)", group->test_errors.mean);
    else if (members) rti_text_printf(out, " (%d %s)", group->trials, members);
    if (group->done < group->trials) rti_text_printf(out, " (%d of %d finished)", group->done, group->trials);
}

void rti_terminal_teacher(rti_text *out, const rti_facet_summary *facet) {
    rti_terminal_group(out, facet->teacher.trials > 1 ? "teachers" : "teacher", "networks", &facet->teacher);
    if (isfinite(facet->together)) rti_text_printf(out, ", together %.2f %%", 100.0 * facet->together);
}

rti_estimate rti_teacher_error(const rti_facet_summary *facet) {
    if (isfinite(facet->together)) return (rti_estimate){1, facet->together, NAN, NAN};
    return facet->teacher.test_last;
}

/* Puts the pieces of a line one after the other, three blanks between, a new line where one would
 * not fit any more. Pieces are separated by '\n' in `pieces`. */
static void flow(rti_text *out, const char *pieces, int indent) {
    int used = 0;
    while (*pieces) {
        size_t length = strcspn(pieces, "\n");
        rti_text piece = RTI_TEXT_EMPTY;
        rti_text_append_bytes(&piece, pieces, length);
        int width = rti_text_columns(rti_text_string(&piece));
        rti_text_deinit(&piece);
        if (used && used + 3 + width > RTI_TABLE_WIDTH) {
            rti_text_append(out, "\n");
            used = 0;
            for (; used < indent; used++) rti_text_append(out, " ");
        } else if (used) {
            rti_text_append(out, "   ");
            used += 3;
        }
        rti_text_append_bytes(out, pieces, length);
        used += width;
        pieces += length + (pieces[length] == '\n');
    }
    rti_text_append(out, "\n");
}

static void references(rti_text *pieces, const rti_facet_summary *facet) {
    if (facet->teacher.trials) {
        rti_terminal_teacher(pieces, facet);
        rti_text_append(pieces, "\n");
    }
    if (facet->scratch.trials) rti_terminal_group(pieces, "scratch", NULL, &facet->scratch);
}

static void head(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    char name[80], duration[32];
    rti_text pieces = RTI_TEXT_EMPTY;
    rti_text_printf(&pieces, "%s\n", rti_label_plain(plan->spec.name, name, sizeof name));
    if (plan->facet_count == 1) {
        references(&pieces, &summary->facets[0]);
        rti_text_append(&pieces, "\n");
    }
    if (summary->done < plan->trial_count) rti_text_printf(&pieces, "%d of ", summary->done);
    rti_text_printf(&pieces, "%d trial%s%s, %d seed%s, %s training", plan->trial_count,
                    plan->trial_count == 1 ? "" : "s", summary->done < plan->trial_count ? " finished" : "",
                    plan->spec.seed_count, plan->spec.seed_count == 1 ? "" : "s",
                    rti_duration_text(summary->seconds, duration));
    flow(out, rti_text_string(&pieces), 2);
    rti_text_deinit(&pieces);
}

/* ---- below the tables ------------------------------------------------------------------------- */

void rti_terminal_failures(rti_text *out, const rti_summary *summary, int at_most, const char *indent) {
    int shown = 0;
    for (int t = 0; t < summary->plan->trial_count && shown < at_most; t++) {
        const rti_record *r = &summary->records[t];
        if (r->state != RTI_FAILED) continue;
        char label[RTI_LABEL_MAX], plain[RTI_LABEL_MAX], why[sizeof r->failure];
        rti_label_plain(rti_trial_label(summary->plan, t, label, sizeof label), plain, sizeof plain);
        rti_text_printf(out, "%sfailed: %s: %s\n", indent, plain,
                        r->failure[0] ? rti_label_plain(r->failure, why, sizeof why)
                                      : "no reason was recorded");
        shown++;
    }
    if (summary->failed > shown) rti_text_printf(out, "%sfailed: %d more\n", indent, summary->failed - shown);
}

static void chosen(rti_text *out, const rti_summary *summary, int facet, bool several) {
    const rti_facet_summary *f = &summary->facets[facet];
    const rti_plan *plan = summary->plan;
    if (f->best_cell < 0 || (f->cell_count < 2 && !rti_is_grid(plan))) return;
    const rti_cell_summary *cell = &summary->cells[f->best_cell];
    char label[RTI_LABEL_MAX], number[48], best[48], points[48], p[32];
    rti_label_cell(plan, f->best_cell, several ? RTI_LABEL_ALL : RTI_LABEL_GRID, label, sizeof label);
    if (!label[0]) rti_label_cell(plan, f->best_cell, RTI_LABEL_ALL, label, sizeof label);
    rti_text_printf(out, "  * chosen on validation: %s\n    test error %s %%, at the best epochs %s %%\n",
                    label, rti_percent(&cell->students.test_last, number),
                    rti_percent(&cell->students.test_best, best));
    if (!f->scratch.trials) return;
    rti_text_printf(out, "    against scratch %s points, ", rti_points(&cell->paired.difference, points));
    if (isnan(cell->paired.p)) rti_text_append(out, "one pair: no test\n");
    else
        rti_text_printf(out, "%s%s (%s adjusted for %d cells)\n", cell->paired.no_spread ? "sign test " : "",
                        rti_p_text(cell->paired.p, p), rti_p_text(cell->p_holm, best), f->tests);
    if (f->scratch_is_better)
        rti_text_append(out,
                        "    on validation scratch was not worse than it: distillation did not help here\n");
}

static void legend(rti_text *out, const rti_summary *summary) {
    int seeds = summary->plan->spec.seed_count;
    bool plural = seeds > 1;
    rti_text_printf(out, "  test error in %%, last epoch, %s\n",
                    plural ? "mean and 95 % interval over seeds" : "one seed: no intervals and no verdicts");
    if (plural)
        rti_text_append(
            out,
            rti_is_grid(summary->plan)
                ? "  BEATS: below scratch, WORSE: above it, in a paired t-test over seeds with p < 0.05; "
                  "neither: open\n"
                : "  BEATS: below scratch in a paired t-test over seeds with p < 0.05; NO BEATS: above or "
                  "equal\n");
    rti_data_notes(out, summary->plan, "  ", "\n");
    for (int c = 0; c < summary->plan->cell_count; c++) {
        const rti_group *g = &summary->cells[c].students;
        if (!g->done || g->done == g->trials) continue;
        rti_text_printf(out, "  %d/%d: only so many seeds are finished\n", g->done, g->trials);
        break;
    }
}

static void contracts(rti_text *out, const rti_summary *summary, const rti_facts *facts) {
    for (int f = 0; f < facts->count; f++) {
        const char *contract = facts->facets[f].contract;
        bool said = !contract || !contract[0];
        for (int before = 0; before < f && !said; before++)
            said = facts->facets[before].contract && strcmp(facts->facets[before].contract, contract) == 0;
        if (said) continue;
        char label[RTI_LABEL_MAX];
        rti_label_cell(summary->plan, facts->facets[f].contract_cell, RTI_LABEL_ALL, label, sizeof label);
        rti_text_printf(out, "  loss%s%s:\n", label[0] ? " at " : "", label);
        while (*contract) {
            size_t length = strcspn(contract, "\n");
            rti_text_append(out, "    ");
            rti_text_append_bytes(out, contract, length);
            rti_text_append(out, "\n");
            contract += length + (contract[length] == '\n');
        }
    }
}

static void grids(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    for (int f = 0; f < plan->facet_count; f++) {
        if (plan->facet_count > 1) {
            char label[RTI_LABEL_MAX];
            rti_text pieces = RTI_TEXT_EMPTY;
            rti_text_printf(
                &pieces, "%s\n",
                rti_label_cell(plan, summary->facets[f].first_cell, RTI_LABEL_FACET, label, sizeof label));
            references(&pieces, &summary->facets[f]);
            rti_text_append(out, "\n");
            flow(out, rti_text_string(&pieces), 2);
            rti_text_deinit(&pieces);
        }
        rti_table table = rti_table_errors(summary, f);
        rti_table_print(out, &table, 6);
    }
    bool head_is_written = false;
    for (int f = 0; f < plan->facet_count; f++) {
        bool any = false;
        for (int c = 0; c < plan->cell_count; c++)
            any = any || (plan->cells[c].facet == f && summary->cells[c].students.agreement.count);
        if (!any) continue;
        if (!head_is_written) rti_text_append(out, "\n  agreement with the teacher on the test set, %\n");
        head_is_written = true;
        char label[RTI_LABEL_MAX];
        if (plan->facet_count > 1)
            rti_text_printf(
                out, "  %s\n",
                rti_label_cell(plan, summary->facets[f].first_cell, RTI_LABEL_FACET, label, sizeof label));
        rti_table table = rti_table_agreement(summary, f);
        rti_table_print(out, &table, 6);
    }
}

/* One line per facet, when they are not in the head. */
static void teachers(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    for (int f = 0; f < plan->facet_count && plan->facet_count > 1; f++) {
        const rti_facet_summary *facet = &summary->facets[f];
        char label[RTI_LABEL_MAX];
        if (!facet->teacher.trials) continue;
        rti_text_append(out, "  ");
        rti_terminal_teacher(out, facet);
        rti_text_printf(out, " of %s\n",
                        rti_label_cell(plan, facet->first_cell, RTI_LABEL_FACET, label, sizeof label));
    }
}

void rti_terminal_summary(rti_text *out, const rti_summary *summary, const rti_facts *facts) {
    head(out, summary);
    rti_terminal_failures(out, summary, 10, "  ");
    if (rti_is_grid(summary->plan)) {
        grids(out, summary);
    } else if (summary->plan->spec.is_comparison) {
        rti_league league;
        rti_league_make(&league, summary);
        rti_league_terminal(out, &league);
        return;
    } else {
        rti_table table = rti_table_cells(summary);
        teachers(out, summary);
        rti_table_print(out, &table, 2);
    }
    rti_text_append(out, "\n");
    legend(out, summary);
    for (int f = 0; f < summary->plan->facet_count; f++)
        chosen(out, summary, f, summary->plan->facet_count > 1);
    contracts(out, summary, facts);
}
