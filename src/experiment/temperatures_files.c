/* temperatures_files.c - equivalence.csv, temperature-pairs.csv and their tables.  Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>

#include "experiment/sweeps.h"
#include "formats/csv.h"
#include "retort/alloc.h"

/* ---- equivalence.csv: a row per line and temperature ---------------------------------------------- */

static void add_alpha(rti_text *text, const rti_plan *plan, int alpha) {
    if (plan->alpha_axis < 0) rti_text_append(text, ",");
    else rti_csv_add_number(text, plan->spec.axes[plan->alpha_axis].values[alpha].number, false);
}

static void add_point(rti_text *text, const rti_temperatures *all, const rti_summary *summary, int line,
                      int row, int at) {
    const rti_temperature_line *l = &all->line[line];
    const rti_temperature_point *p = &l->point[at];
    char T[32];
    rti_text_printf(text, "%d,%d", row, l->facet + 1);
    rti_csv_append(text, l->label, false);
    add_alpha(text, summary->plan, l->alpha);
    rti_text_printf(text, ",%s,%d,%d", rti_temperature_text(p->T, T), at, p->error.count);
    rti_csv_add_number(text, p->error.mean, false);
    rti_csv_add_number(text, p->error.half, false);
    rti_csv_add_number(text, p->error.count ? p->relative : NAN, false);
    rti_text_printf(text, ",%d,%d", p->is_best, p->is_alike);
    rti_csv_add_number(text, p->against_best.difference.mean, false);
    rti_csv_add_number(text, p->against_best.difference.half, false);
    rti_csv_add_number(text, p->against_best.p, false);
    rti_csv_add_number(text, p->margin, false);
    rti_text_append(text, "\n");
}

/* row: the number of the line in pictures, from 1; 0: it is not shown. */
static rt_status write_equivalence(const rti_temperatures *all, const rti_summary *summary, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    int row = 0;
    rti_text_append(&text, "row,facet,line,alpha,T,at,seeds,test_error,test_error_half,relative,best,alike,"
                           "difference,difference_half,p,margin_from\n");
    for (int i = 0; i < all->count; i++) {
        row += all->line[i].shown;
        for (int at = 0; at < all->points; at++)
            add_point(&text, all, summary, i, all->line[i].shown ? row : 0, at);
    }
    rt_status status = rti_report_file(summary->plan, "equivalence.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- temperature-pairs.csv: every pair of temperatures of a line ---------------------------------- */

static int pairs_of_line(const rti_temperatures *all, const rti_summary *summary, int line,
                         rti_paired paired[]) {
    const rti_temperature_point *point = all->line[line].point;
    double a[RTI_SEEDS_MAX], b[RTI_SEEDS_MAX];
    int count = 0;
    for (int i = 0; i < all->points; i++) {
        rti_seed_errors(summary, point[i].cell, a);
        for (int j = i + 1; j < all->points; j++) {
            rti_seed_errors(summary, point[j].cell, b);
            paired[count++] = rti_paired_test(a, b, summary->plan->spec.seed_count);
        }
    }
    return count;
}

static void add_pair(rti_text *text, const rti_temperature_line *line, const rti_plan *plan, double T,
                     double against, const rti_paired *d, double p_holm) {
    char a[32], b[32];
    rti_text_printf(text, "%d", line->facet + 1);
    rti_csv_append(text, line->label, false);
    add_alpha(text, plan, line->alpha);
    rti_text_printf(text, ",%s,%s,%d", rti_temperature_text(T, a), rti_temperature_text(against, b),
                    d->pairs);
    rti_csv_add_number(text, d->difference.mean, false);
    rti_csv_add_number(text, d->difference.half, false);
    rti_csv_add_number(text, d->t, false);
    rti_csv_add_number(text, d->p, false);
    rti_csv_add_number(text, p_holm, false);
    rti_text_append(text, "\n");
}

/* Holm's adjustment is for all pairs of the line. */
static rt_status add_pairs(rti_text *text, const rti_temperatures *all, const rti_summary *summary, int line,
                           rti_paired paired[], double p[], rt_error *error) {
    const rti_temperature_line *l = &all->line[line];
    int count = pairs_of_line(all, summary, line, paired), at = 0;
    for (int i = 0; i < count; i++) p[i] = paired[i].p;
    RT_TRY(rti_holm(p, count, p, error));
    for (int i = 0; i < all->points; i++)
        for (int j = i + 1; j < all->points; j++, at++)
            if (paired[at].pairs)
                add_pair(text, l, summary->plan, l->point[i].T, l->point[j].T, &paired[at], p[at]);
    return RT_OK;
}

static rt_status write_pairs(const rti_temperatures *all, const rti_summary *summary, rt_error *error) {
    size_t points = (size_t)all->points, most = points * (points - 1) / 2 + 1;
    rti_paired *paired = rt_alloc(most * sizeof *paired);
    double *p = rt_alloc(most * sizeof *p);
    rti_text text = RTI_TEXT_EMPTY;
    rt_status status = RT_OK;
    if (!paired || !p) status = rt_fail(error, RT_MEMORY, "not enough memory for the pairs of temperatures");
    rti_text_append(&text, "facet,line,alpha,T,against,pairs,difference,difference_half,t,p,p_holm\n");
    for (int i = 0; i < all->count && status == RT_OK; i++)
        status = add_pairs(&text, all, summary, i, paired, p, error);
    if (status == RT_OK) status = rti_report_file(summary->plan, "temperature-pairs.csv", &text, error);
    rti_text_deinit(&text);
    rt_free(paired);
    rt_free(p);
    return status;
}

rt_status rti_temperatures_write(const rti_temperatures *all, const rti_summary *summary, rt_error *error) {
    if (!all->count) return RT_OK;
    RT_TRY(write_equivalence(all, summary, error));
    return all->points > 1 ? write_pairs(all, summary, error) : RT_OK;
}

/* ---- report.md ------------------------------------------------------------------------------------ */

/* The temperatures that are, or are not, as good as the best; "-": none. The end of the axis is the
 * logits. */
static void list(rti_text *out, const rti_temperatures *all, const rti_temperature_line *line, bool alike) {
    char T[32];
    bool any = false;
    for (int i = 0; i < all->points; i++) {
        const rti_temperature_point *p = &line->point[i];
        bool known = p->is_best || !isnan(p->against_best.p);
        if (!known || p->is_alike != alike) continue;
        rti_text_printf(out, "%s%s", any ? ", " : "",
                        isinf(p->T) ? "logits" : rti_temperature_text(p->T, T));
        any = true;
    }
    if (!any) rti_text_append(out, "-");
}

static void best_row(rti_text *out, const rti_temperatures *all, const rti_summary *summary, int i) {
    const rti_temperature_line *line = &all->line[i];
    const rti_estimate *scratch = &summary->facets[line->facet].scratch.test_last;
    char T[32], number[48];
    rti_text_append(out, "| ");
    rti_markdown_escape(out, line->label);
    rti_text_printf(out, " | %s", rti_percent(scratch, number));
    rti_text_printf(out, " | %s", rti_temperature_text(line->point[line->best].T, T));
    rti_text_printf(out, " | %s | ", rti_percent(&line->point[line->best].error, number));
    list(out, all, line, true);
    rti_text_append(out, " | ");
    list(out, all, line, false);
    rti_text_append(out, " |\n");
}

static void margin_row(rti_text *out, const rti_temperatures *all, int i) {
    const rti_temperature_line *line = &all->line[i];
    rti_text_append(out, "| ");
    rti_markdown_escape(out, line->label);
    for (int at = 0; at + 1 < all->finite; at++) {
        if (isnan(line->point[at].margin)) rti_text_append(out, " | -");
        else rti_text_printf(out, " | %.2f", 100.0 * line->point[at].margin);
    }
    rti_text_append(out, " |\n");
}

static void margins(rti_text *out, const rti_temperatures *all) {
    char T[32];
    rti_text_append(out, "Points within which all pairs of temperatures from T on are equivalent: the "
                         "largest |mean difference| + half-width of its 95 % interval, over seeds.\n\n| ");
    rti_markdown_escape(out, all->axis);
    for (int at = 0; at + 1 < all->finite; at++)
        rti_text_printf(out, " | T ≥ %s", rti_temperature_text(all->line[0].point[at].T, T));
    rti_text_append(out, " |\n|---");
    for (int at = 0; at + 1 < all->finite; at++) rti_text_append(out, "|---");
    rti_text_append(out, "|\n");
    for (int i = 0; i < all->count; i++)
        if (all->line[i].shown && all->line[i].best >= 0) margin_row(out, all, i);
    rti_text_append(out, "\n");
}

void rti_temperatures_markdown(rti_text *out, const rti_temperatures *all, const rti_summary *summary) {
    bool any = false;
    for (int i = 0; i < all->count; i++) any = any || (all->line[i].shown && all->line[i].best >= 0);
    if (!any || all->finite < 2) return;
    rti_text_append(
        out,
        "## Temperatures\n\nTest error of the last epoch, mean and 95 % interval over seeds. The best T is "
        "that of the lowest mean error on test data: a description, no choice. As good: the best, and what "
        "is not worse than it by p < 0.05 (paired t-test over seeds, not adjusted).\n\n| ");
    rti_markdown_escape(out, all->axis);
    rti_text_append(out, " | scratch, % | best T | error there, % | as good | worse |\n"
                         "|---|---|---|---|---|---|\n");
    for (int i = 0; i < all->count; i++)
        if (all->line[i].shown && all->line[i].best >= 0) best_row(out, all, summary, i);
    rti_text_append(out, "\n");
    if (summary->plan->spec.seed_count > 1) margins(out, all);
    rti_text_append(out, "equivalence.csv has the numbers, temperature-pairs.csv every pair of temperatures "
                         "(p adjusted for all pairs of a line, Holm).\n\n");
}
