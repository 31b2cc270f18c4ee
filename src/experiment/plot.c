/* plot.c - which pictures there are, and what each is told.            Floor 8 (experiment)
 *
 * Those of grids are here, those of comparisons in plot_league.c; how gnuplot is started is in gnuplot.c. */
#include <math.h>
#include <stdio.h>

#include "experiment/findings.h"
#include "experiment/plot.h"
#include "retort/alloc.h"

/* ---- settings ----------------------------------------------------------------------------------- */

/* "set xtics ('1' 1, '2' 2)": at the values, or at 0, 1, 2, ... */
static void set_tics(rti_text *text, const rti_plan *plan, int axis, const char *which, bool at_values) {
    const rti_axis *a = &plan->spec.axes[axis];
    char label[32];
    rti_text_printf(text, "set %s (", which);
    for (int i = 0; i < a->count; i++)
        rti_text_printf(text, "%s'%s' %.10g", i ? ", " : "",
                        rti_label_value(&a->values[i], label, sizeof label),
                        at_values ? a->values[i].number : (double)i);
    rti_text_append(text, ")\n");
}

static double accuracy_of(const rti_estimate *e) { return e->count ? 100.0 * (1.0 - e->mean) : NAN; }

/* False when every line is scratch itself. */
static bool temperature_settings(rti_text *text, const rti_summary *summary, int facet,
                                 const rti_range *range) {
    const rti_plan *plan = summary->plan;
    const rti_facet_summary *f = &summary->facets[facet];
    int axis = rti_picture_axis(plan), lines = rti_picture_lines(plan);
    const rti_axis *a = &plan->spec.axes[axis];
    double low = INFINITY, high = -INFINITY, half = f->scratch.test_last.half;
    for (int i = 0; i < a->count; i++) {
        low = fmin(low, a->values[i].number);
        high = fmax(high, a->values[i].number);
    }
    rti_set_text(text, "axis_name", axis == plan->temperature_axis ? "temperature T" : "alpha");
    rti_set_number(text, "log_axis", axis == plan->temperature_axis);
    rti_set_number(text, "x_low", low);
    rti_set_number(text, "x_high", high);
    rti_set_number(text, "y_low", 100.0 * range->low);
    rti_set_number(text, "y_high", 100.0 * range->high);
    set_tics(text, plan, axis, "xtics", true);
    const rti_estimate teacher = rti_teacher_error(f);
    rti_set_number(text, "teacher", range->has_teacher ? accuracy_of(&teacher) : NAN);
    rti_set_number(text, "teacher_inside", range->teacher_inside);
    rti_set_number(text, "scratch", accuracy_of(&f->scratch.test_last));
    rti_set_number(text, "scratch_half", isfinite(half) ? 100.0 * half : 0.0);
    const rti_cell *best = f->best_cell < 0 ? NULL : &plan->cells[f->best_cell];
    rti_set_number(text, "chosen_line",
                   !best               ? 0
                   : rti_is_grid(plan) ? best->value[plan->alpha_axis] + 1
                                       : 1);
    rti_set_number(text, "chosen_row", best ? best->value[axis] : 0);
    rti_text_printf(text, "array names[%d]\nshown = ''\n", lines);
    bool any_line = false;
    for (int line = 0; line < lines; line++) {
        char label[RTI_LABEL_MAX], value[64];
        bool any = false;
        for (int x = 0; x < a->count; x++) {
            int cell = rti_picture_cell(plan, facet, x, line);
            any = any ||
                  (cell >= 0 && !summary->cells[cell].is_scratch && summary->cells[cell].students.done);
        }
        if (rti_is_grid(plan))
            snprintf(label, sizeof label, "alpha %s",
                     rti_label_value(&plan->spec.axes[plan->alpha_axis].values[line], value, sizeof value));
        else
            snprintf(label, sizeof label, "distilled student");
        rti_set_item(text, "names", line + 1, label);
        if (any) rti_text_printf(text, "shown = shown . ' %d'\n", line + 1);
        any_line = any_line || any;
    }
    return any_line;
}

static bool heatmap_settings(rti_text *text, const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    double low = INFINITY, high = -INFINITY;
    bool missing = false;
    for (int c = 0; c < plan->cell_count; c++) {
        const rti_estimate *e = &summary->cells[c].students.test_last;
        if (plan->cells[c].facet != facet) continue;
        missing = missing || !e->count;
        if (!e->count) continue;
        low = fmin(low, 100.0 * e->mean);
        high = fmax(high, 100.0 * e->mean);
    }
    if (!(low <= high)) return false;
    rti_set_number(text, "columns", plan->spec.axes[plan->alpha_axis].count);
    rti_set_number(text, "rows", plan->spec.axes[plan->temperature_axis].count);
    set_tics(text, plan, plan->alpha_axis, "xtics", false);
    set_tics(text, plan, plan->temperature_axis, "ytics", false);
    rti_set_number(text, "low", low);
    rti_set_number(text, "high", high >= low + 0.02 ? high : low + 0.1);
    rti_set_number(text, "missing", missing);
    int best = summary->facets[facet].best_cell;
    rti_set_number(text, "has_choice", best >= 0);
    rti_set_number(text, "chosen_column", best < 0 ? 0 : plan->cells[best].value[plan->alpha_axis]);
    rti_set_number(text, "chosen_row", best < 0 ? 0 : plan->cells[best].value[plan->temperature_axis]);
    return true;
}

/* A teacher from a file has no curve. */
static bool has_learnt_here(const rti_summary *summary, const rti_facet_summary *f) {
    const rti_plan *plan = summary->plan;
    const rti_trial *student = &plan->trials[plan->cells[f->first_cell].trials[0]];
    return student->reference_count > 0 && summary->records[student->references[0]].epoch_count > 0;
}

static bool curves_settings(rti_text *text, const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    const rti_facet_summary *f = &summary->facets[facet];
    char label[RTI_LABEL_MAX], all[RTI_LABEL_MAX + 32];
    if (!summary->validation_examples) return false;
    if (!f->scratch.done && !f->teacher.done) return false;
    label[0] = 0;
    if (f->best_cell >= 0) rti_label_cell(plan, f->best_cell, RTI_LABEL_GRID, label, sizeof label);
    snprintf(all, sizeof all, "distilled student%s%s", label[0] ? ", " : "", label);
    rti_set_text(text, "student_name", all);
    rti_set_number(text, "has_student", f->best_cell >= 0);
    rti_set_number(text, "has_teacher", f->teacher.done > 0 && has_learnt_here(summary, f));
    rti_set_number(text, "has_scratch", f->scratch.done > 0);
    rti_set_number(text, "teachers", f->teacher.trials);
    rti_set_number(text, "floor_value", 50.0 / (double)summary->validation_examples);
    return true;
}

bool rti_picture_is_whole(rti_picture picture) { return picture >= RTI_PICTURE_DARK; }

const char *rti_picture_stem(rti_picture picture) {
    static const char *const stems[RTI_PICTURES] = {
        "temperature", "heatmap", "curves",  "calibration", "shift",    "limit",    "dark-knowledge",
        "similarity",  "ensemble", "unseen", "taught",      "omitted",  "widths",   "ridge",
        "sizes",       "forest",   "price",  "fidelity",    "learning", "gradients", "attention"};
    return stems[picture];
}

/* ---- all ---------------------------------------------------------------------------------------- */

static rt_status draw_facet(const rti_summary *summary, const char *scripts, int facet,
                            rti_pictures *pictures, rt_error *error) {
    const rti_plan *plan = summary->plan;
    rt_status status = RT_OK;
    for (int i = RTI_PICTURE_TEMPERATURE; i <= RTI_PICTURE_CURVES && status == RT_OK; i++) {
        rti_text settings = RTI_TEXT_EMPTY;
        rti_range range;
        bool possible = false;
        rti_set_title(&settings, summary, facet);
        rti_set_path(&settings, plan, "data", rti_picture_stem((rti_picture)i), facet, ".csv");
        if (i == RTI_PICTURE_TEMPERATURE && rti_picture_axis(plan) >= 0 &&
            rti_range_of(summary, facet, &range))
            possible = temperature_settings(&settings, summary, facet, &range);
        if (i == RTI_PICTURE_HEATMAP && rti_is_grid(plan))
            possible = heatmap_settings(&settings, summary, facet);
        if (i == RTI_PICTURE_CURVES) possible = curves_settings(&settings, summary, facet);
        if (possible)
            status = rti_draw(plan, scripts, rti_picture_stem((rti_picture)i), facet, &settings, pictures,
                              &pictures->drawn[facet * RTI_PICTURES + i], error);
        rti_text_deinit(&settings);
    }
    return status;
}

static rt_status draw_dark(const rti_summary *summary, const char *scripts, rti_pictures *pictures,
                           rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    char name[80], path[RTI_PATH_MAX + 32];
    rti_set_text(&settings, "experiment", rti_label_plain(summary->plan->spec.name, name, sizeof name));
    snprintf(path, sizeof path, "%s/dark.csv", summary->plan->directory);
    rti_set_text(&settings, "data", path);
    snprintf(path, sizeof path, "%s/dark-images.csv", summary->plan->directory);
    rti_set_text(&settings, "images", path);
    rt_status status = rti_draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_DARK), -1, &settings,
                                pictures, &pictures->drawn[RTI_PICTURE_DARK], error);
    rti_text_deinit(&settings);
    return status;
}

static rt_status draw_all(rti_pictures *pictures, const rti_summary *summary, const char *program,
                          const rti_asked *asked, rt_error *error) {
    char scripts[RTI_PATH_MAX];
    if (!rti_program_exists("gnuplot")) {
        rti_picture_trouble(
            pictures, "No pictures: gnuplot is not installed. ",
            "Install it (apt-get install gnuplot-nox, dnf install gnuplot, brew install gnuplot), then: "
            "retort report");
        return RT_OK;
    }
    if (!rti_find_scripts(program, scripts)) {
        rti_picture_trouble(
            pictures, "No pictures: the gnuplot scripts are not found. ",
            "Set RETORT_PLOTS to the folder plots of the retort sources, then: retort report");
        return RT_OK;
    }
    if (summary->plan->spec.is_comparison)
        RT_TRY(rti_plot_league(summary, scripts, asked->attention, pictures, error));
    else
        for (int f = 0; f < summary->plan->facet_count; f++)
            RT_TRY(draw_facet(summary, scripts, f, pictures, error));
    RT_TRY(rti_plot_findings(summary, scripts, asked->findings, pictures, error));
    return asked->dark ? draw_dark(summary, scripts, pictures, error) : RT_OK;
}

rt_status rti_plot_all(rti_pictures *pictures, const rti_summary *summary, const char *program, bool wanted,
                       const rti_asked *asked, rt_error *error) {
    *pictures = (rti_pictures){
        .drawn = rt_alloc_zero((size_t)summary->plan->facet_count * RTI_PICTURES, sizeof(bool))};
    if (!pictures->drawn) return rt_fail(error, RT_MEMORY, "not enough memory for the list of pictures");
    rt_status status = wanted ? draw_all(pictures, summary, program, asked, error) : RT_OK;
    if (status != RT_OK) rti_pictures_deinit(pictures);
    return status;
}

void rti_pictures_deinit(rti_pictures *pictures) {
    rt_free(pictures->drawn);
    *pictures = (rti_pictures){0};
}
