/* temperatures.c - error against temperature, and which temperatures are as good as the best.  Floor 8
 *
 * Hinton, Vinyals, Dean 2015 (arXiv 1503.02531, section 3) say of MNIST that with 300 or more units in each
 * hidden layer all temperatures above 8 give fairly similar results, and that with 30 units those of 2.5 to 4
 * are significantly better than higher or lower ones. "Better" is a paired test over seeds here, "similar" a
 * margin that all differences stay within. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/spec.h"
#include "experiment/sweeps.h"
#include "retort/alloc.h"

/* ---- which method -------------------------------------------------------------------------------- */

static int method_axis(const rti_plan *plan) { return rti_spec_axis(&plan->spec, "distill.method"); }

static bool has_temperature(const char *method) {
    int count;
    const rt_param *rows = rt_method_rows(method, &count);
    for (int i = 0; rows && i < count; i++)
        if (!strcmp(rows[i].name, "temperature")) return true;
    return false;
}

static const char *method_of(const rti_plan *plan, int cell) {
    int axis = method_axis(plan);
    return axis < 0 ? NULL : plan->spec.axes[axis].values[plan->cells[cell].value[axis]].text;
}

/* The facet of the same values whose method regresses on logits; -1: there is none, or `cell` is not kd's. */
static int facet_of_logits(const rti_plan *plan, int cell) {
    int axis = method_axis(plan);
    if (axis < 0 || strcmp(method_of(plan, cell), "kd") != 0) return -1;
    for (int c = 0; c < plan->cell_count; c++) {
        bool same = !strcmp(method_of(plan, c), "logit-mse");
        for (int a = 0; a < plan->spec.axis_count; a++)
            if (a != axis && a != plan->temperature_axis && a != plan->alpha_axis)
                same = same && plan->cells[c].value[a] == plan->cells[cell].value[a];
        if (same) return plan->cells[c].facet;
    }
    return -1;
}

/* ---- names --------------------------------------------------------------------------------------- */

const char *rti_temperature_text(double T, char out[32]) {
    snprintf(out, 32, isinf(T) ? "inf" : "%.10g", T);
    return out;
}

/* Methods tell lines apart only when several of them have a temperature. */
static bool tells(const rti_plan *plan, int axis) {
    if (axis == plan->temperature_axis || axis == plan->alpha_axis) return false;
    if (axis != method_axis(plan)) return true;
    int tempered = 0;
    const rti_axis *a = &plan->spec.axes[axis];
    for (int i = 0; i < a->count; i++) tempered += has_temperature(a->values[i].text);
    return tempered > 1;
}

static int telling_axes(const rti_plan *plan, int *only) {
    int count = 0;
    for (int a = 0; a < plan->spec.axis_count; a++)
        if (tells(plan, a)) {
            count++;
            *only = a;
        }
    return count;
}

/* "[30, 30]"; "hidden [30, 30], method kd, alpha 0.5" */
static void label_line(rti_temperature_line *line, const rti_plan *plan, int cell) {
    int only = -1;
    bool named = telling_axes(plan, &only) > 1;
    rti_text text = RTI_TEXT_EMPTY;
    for (int a = 0; a < plan->spec.axis_count; a++) {
        char name[RTI_KEY_MAX + 8], value[RTI_LABEL_MAX];
        if (!tells(plan, a) && a != plan->alpha_axis) continue;
        bool with_name = named || a == plan->alpha_axis;
        rti_text_printf(&text, "%s%s%s%s", text.length ? ", " : "",
                        with_name ? rti_label_axis(plan, a, name, sizeof name) : "", with_name ? " " : "",
                        rti_label_value(&plan->spec.axes[a].values[plan->cells[cell].value[a]], value,
                                        sizeof value));
    }
    rti_label_plain(text.length && !text.failed ? rti_text_string(&text) : "student", line->label,
                    sizeof line->label);
    rti_text_deinit(&text);
}

/* ---- one line ------------------------------------------------------------------------------------ */

void rti_seed_errors(const rti_summary *summary, int cell, double errors[RTI_SEEDS_MAX]) {
    for (int s = 0; s < summary->plan->spec.seed_count; s++) {
        int trial = cell < 0 ? -1 : summary->plan->cells[cell].trials[s];
        const rti_record *r = trial < 0 ? NULL : &summary->records[trial];
        bool known = r && r->state == RTI_DONE && r->test_last.examples > 0;
        errors[s] = known ? (double)r->test_last.errors / (double)r->test_last.examples : NAN;
    }
}

static rti_paired difference(const rti_summary *summary, int cell, int other) {
    double a[RTI_SEEDS_MAX], b[RTI_SEEDS_MAX];
    rti_seed_errors(summary, cell, a);
    rti_seed_errors(summary, other, b);
    return rti_paired_test(a, b, summary->plan->spec.seed_count);
}

static int find_best(const rti_temperature_point point[], int count) {
    int best = -1;
    for (int i = 0; i < count; i++) {
        const rti_estimate *e = &point[i].error;
        if (!e->count) continue;
        if (best < 0 || e->count > point[best].error.count ||
            (e->count == point[best].error.count && e->mean < point[best].error.mean))
            best = i;
    }
    return best;
}

static void compare_with_best(rti_temperature_line *line, const rti_summary *summary, int count) {
    const rti_temperature_point *best = &line->point[line->best];
    for (int i = 0; i < count; i++) {
        rti_temperature_point *p = &line->point[i];
        p->is_best = i == line->best;
        p->is_alike = p->is_best;
        if (!p->error.count) continue;
        p->relative = best->error.mean > 0 ? p->error.mean / best->error.mean - 1 : NAN;
        if (p->is_best) continue;
        p->against_best = difference(summary, p->cell, best->cell);
        p->is_alike = p->against_best.p >= 0.05;
    }
}

/* From the last T backwards: the margin of T adds T's own pairs to that of the next. */
static void find_margins(rti_temperature_line *line, const rti_summary *summary, int finite) {
    double margin = 0;
    for (int i = finite - 2; i >= 0; i--) {
        for (int j = i + 1; j < finite; j++) {
            rti_paired d = difference(summary, line->point[i].cell, line->point[j].cell);
            double reach = d.pairs > 1 ? fabs(d.difference.mean) + d.difference.half : NAN;
            margin = isnan(reach) || isnan(margin) ? NAN : fmax(margin, reach);
        }
        line->point[i].margin = margin;
    }
}

static int by_temperature(const void *a, const void *b) {
    const rti_temperature_point *x = a, *y = b;
    return (x->T > y->T) - (x->T < y->T);
}

static void set_point(rti_temperature_point *point, const rti_summary *summary, double T, int cell) {
    *point = (rti_temperature_point){.T = T, .cell = cell, .relative = NAN, .margin = NAN};
    point->error = cell < 0 ? (rti_estimate){0, NAN, NAN, NAN} : summary->cells[cell].students.test_last;
    point->against_best.p = point->against_best.difference.mean = point->against_best.difference.half = NAN;
}

/* False when the line is scratch itself. */
static bool fill_line(rti_temperature_line *line, const rti_temperatures *all, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    const rti_axis *axis = &plan->spec.axes[plan->temperature_axis];
    bool distilled = false;
    for (int t = 0; t < axis->count; t++) {
        int cell = rti_picture_cell(plan, line->facet, t, line->alpha);
        set_point(&line->point[t], summary, axis->values[t].number, cell);
        distilled = distilled || (cell >= 0 && !summary->cells[cell].is_scratch);
    }
    if (!distilled) return false;
    label_line(line, plan, line->point[0].cell);
    if (all->points > all->finite) {
        int logits = facet_of_logits(plan, line->point[0].cell);
        set_point(&line->point[all->finite], summary, INFINITY,
                  logits < 0 ? -1 : rti_picture_cell(plan, logits, 0, line->alpha));
    }
    qsort(line->point, (size_t)all->points, sizeof *line->point, by_temperature);
    line->best = find_best(line->point, all->finite);
    if (line->best >= 0) compare_with_best(line, summary, all->points);
    find_margins(line, summary, all->finite);
    return true;
}

/* ---- all ----------------------------------------------------------------------------------------- */

/* Of each facet the line at the alpha that was chosen; where nothing was chosen, the last one. */
static void find_shown(rti_temperatures *all, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    for (int i = 0; i < all->count; i++) {
        const rti_temperature_line *line = &all->line[i];
        int best = summary->facets[line->facet].best_cell;
        bool last = i + 1 == all->count || all->line[i + 1].facet != line->facet;
        bool chosen = best >= 0 && plan->cells[best].value[plan->alpha_axis < 0 ? 0 : plan->alpha_axis] ==
                                       line->alpha;
        all->line[i].shown = plan->alpha_axis < 0 || (best >= 0 ? chosen : last);
    }
}

static void add_lines(rti_temperatures *all, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    for (int f = 0; f < plan->facet_count; f++) {
        const char *method = method_of(plan, summary->facets[f].first_cell);
        if (method && !has_temperature(method)) continue;
        for (int a = 0; a < rti_picture_lines(plan); a++) {
            rti_temperature_line *line = &all->line[all->count];
            *line = (rti_temperature_line){.facet = f, .alpha = a, .best = -1};
            line->point = all->point + (size_t)all->count * (size_t)all->points;
            all->count += fill_line(line, all, summary);
        }
    }
    find_shown(all, summary);
}

rt_status rti_temperatures_make(rti_temperatures *all, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    *all = (rti_temperatures){0};
    if (plan->spec.is_comparison || plan->temperature_axis < 0) return RT_OK;
    all->finite = all->points = plan->spec.axes[plan->temperature_axis].count;
    for (int c = 0; c < plan->cell_count && all->points == all->finite; c++)
        if (facet_of_logits(plan, c) >= 0) all->points++;
    int only = -1;
    if (telling_axes(plan, &only) == 1) rti_label_axis(plan, only, all->axis, sizeof all->axis);
    size_t lines = (size_t)plan->facet_count * (size_t)rti_picture_lines(plan);
    all->line = rt_alloc_zero(lines, sizeof *all->line);
    all->point = rt_alloc_zero(lines * (size_t)all->points, sizeof *all->point);
    if (!all->line || !all->point) {
        rti_temperatures_deinit(all);
        return rt_fail(error, RT_MEMORY, "not enough memory for the table of temperatures");
    }
    add_lines(all, summary);
    return RT_OK;
}

int rti_temperatures_known(const rti_temperatures *all, int line) {
    int known = 0;
    for (int i = 0; i < all->points; i++) known += all->line[line].point[i].error.count > 0;
    return known;
}

void rti_temperatures_deinit(rti_temperatures *all) {
    rt_free(all->line);
    rt_free(all->point);
    *all = (rti_temperatures){0};
}
