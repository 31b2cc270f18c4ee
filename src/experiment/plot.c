/* plot.c - pictures: starts gnuplot on the scripts in plots/.          Floor 8 (experiment)
 *
 * Every picture has a file of settings beside its data, plain gnuplot that sets variables:
 *     gnuplot runs/demo/temperature.set plots/temperature.gp
 * draws runs/demo/temperature.svg and .png. Texts are single-quoted there, where gnuplot runs no
 * commands and reads no escapes, and hold no quotes, no backslashes and no line breaks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiment/report_parts.h"
#include "retort/alloc.h"

/* ---- settings ----------------------------------------------------------------------------------- */

static void set_text(rti_text *text, const char *name, const char *value) {
    char plain[RTI_PATH_MAX + 16];
    rti_label_plain(value, plain, sizeof plain);
    rti_text_printf(text, "%s = '", name);
    for (const char *s = plain; *s; s++) {
        if (*s == '\'') rti_text_append(text, "''"); /* how a quote is written between quotes */
        else rti_text_append_bytes(text, s, 1);
    }
    rti_text_append(text, "'\n");
}

static void set_number(rti_text *text, const char *name, double value) {
    rti_text_printf(text, isfinite(value) ? "%s = %.10g\n" : "%s = NaN\n", name, value);
}

static void set_path(rti_text *text, const rti_plan *plan, const char *name, const char *stem, int facet,
                     const char *ending) {
    char file[RTI_LABEL_MAX], path[RTI_PATH_MAX + RTI_LABEL_MAX];
    snprintf(path, sizeof path, "%s/%s", plan->directory,
             rti_label_file(plan, stem, facet, ending, file, sizeof file));
    set_text(text, name, path);
}

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

static void set_title(rti_text *text, const rti_summary *summary, int facet) {
    char name[80], label[RTI_LABEL_MAX], all[RTI_LABEL_MAX + 100];
    rti_label_plain(summary->plan->spec.name, name, sizeof name);
    rti_label_cell(summary->plan, summary->facets[facet].first_cell, RTI_LABEL_FACET, label, sizeof label);
    snprintf(all, sizeof all, "%s%s%s", name, label[0] ? ", " : "", label);
    set_text(text, "experiment", all);
    set_number(text, "seeds", summary->plan->spec.seed_count);
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
    set_text(text, "axis_name", axis == plan->temperature_axis ? "temperature T" : "alpha");
    set_number(text, "log_axis", axis == plan->temperature_axis);
    set_number(text, "x_low", low);
    set_number(text, "x_high", high);
    set_number(text, "y_low", 100.0 * range->low);
    set_number(text, "y_high", 100.0 * range->high);
    set_tics(text, plan, axis, "xtics", true);
    set_number(text, "teacher", range->has_teacher ? accuracy_of(&f->teacher.test_last) : NAN);
    set_number(text, "teacher_inside", range->teacher_inside);
    set_number(text, "scratch", accuracy_of(&f->scratch.test_last));
    set_number(text, "scratch_half", isfinite(half) ? 100.0 * half : 0.0);
    const rti_cell *best = f->best_cell < 0 ? NULL : &plan->cells[f->best_cell];
    set_number(text, "chosen_line", !best ? 0 : rti_is_grid(plan) ? best->value[plan->alpha_axis] + 1 : 1);
    set_number(text, "chosen_row", best ? best->value[axis] : 0);
    rti_text_printf(text, "array names[%d]\nshown = ''\n", lines);
    bool any_line = false;
    for (int line = 0; line < lines; line++) {
        char name[40], label[RTI_LABEL_MAX], value[64];
        bool any = false;
        for (int x = 0; x < a->count; x++) {
            int cell = rti_picture_cell(plan, facet, x, line);
            any = any ||
                  (cell >= 0 && !summary->cells[cell].is_scratch && summary->cells[cell].students.done);
        }
        if (rti_is_grid(plan))
            snprintf(label, sizeof label, "alpha %s",
                     rti_label_value(&plan->spec.axes[plan->alpha_axis].values[line], value, sizeof value));
        else snprintf(label, sizeof label, "distilled student");
        snprintf(name, sizeof name, "names[%d]", line + 1);
        set_text(text, name, label);
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
    set_number(text, "columns", plan->spec.axes[plan->alpha_axis].count);
    set_number(text, "rows", plan->spec.axes[plan->temperature_axis].count);
    set_tics(text, plan, plan->alpha_axis, "xtics", false);
    set_tics(text, plan, plan->temperature_axis, "ytics", false);
    set_number(text, "low", low);
    set_number(text, "high", high >= low + 0.02 ? high : low + 0.1);
    set_number(text, "missing", missing);
    int best = summary->facets[facet].best_cell;
    set_number(text, "has_choice", best >= 0);
    set_number(text, "chosen_column", best < 0 ? 0 : plan->cells[best].value[plan->alpha_axis]);
    set_number(text, "chosen_row", best < 0 ? 0 : plan->cells[best].value[plan->temperature_axis]);
    return true;
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
    set_text(text, "student_name", all);
    set_number(text, "has_student", f->best_cell >= 0);
    set_number(text, "has_teacher", f->teacher.done > 0);
    set_number(text, "has_scratch", f->scratch.done > 0);
    set_number(text, "teachers", f->teacher.trials);
    set_number(text, "floor_value", 50.0 / (double)summary->validation_examples);
    return true;
}

/* ---- gnuplot ------------------------------------------------------------------------------------ */

static bool has_scripts(const char *directory) {
    char path[RTI_PATH_MAX];
    return rti_path_join(path, sizeof path, directory, "temperature.gp", NULL) == RT_OK &&
           rti_file_exists(path);
}

/* "<directory of path>/<rest>" when the scripts are there. */
static bool beside(const char *path, const char *rest, char out[RTI_PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (!slash) return false;
    int length = snprintf(out, RTI_PATH_MAX, "%.*s/%s", (int)(slash - path), path, rest);
    return length > 0 && length < RTI_PATH_MAX && has_scripts(out);
}

static bool find_scripts(const char *program, char out[RTI_PATH_MAX]) {
    const char *named = getenv("RETORT_PLOTS");
    if (named && named[0]) {
        snprintf(out, RTI_PATH_MAX, "%s", named);
        return has_scripts(out);
    }
    char self[RTI_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    if (beside(self, "../plots", out) || beside(self, "../share/retort/plots", out)) return true;
    if (program && (beside(program, "../plots", out) || beside(program, "../share/retort/plots", out)))
        return true;
    snprintf(out, RTI_PATH_MAX, "%s/share/retort/plots", RETORT_PREFIX);
    return has_scripts(out);
}

static void trouble(rti_pictures *pictures, const char *what, const char *why) {
    if (!pictures->trouble[0]) snprintf(pictures->trouble, sizeof pictures->trouble, "%s%.400s", what, why);
}

const char *rti_picture_stem(rti_picture picture) {
    static const char *const stems[RTI_PICTURES] = {"temperature", "heatmap", "curves", "dark-knowledge"};
    return stems[picture];
}

/* gnuplot draws under another name, so that nobody sees half a picture. */
static bool put_in_place(const rti_plan *plan, const char *stem, int facet, const char *ending, bool good) {
    char file[RTI_LABEL_MAX], path[RTI_PATH_MAX + RTI_LABEL_MAX + 16],
        drawn[RTI_PATH_MAX + RTI_LABEL_MAX + 16];
    rti_label_file(plan, stem, facet, "", file, sizeof file);
    snprintf(drawn, sizeof drawn, "%s/%s.new%s", plan->directory, file, ending);
    snprintf(path, sizeof path, "%s/%s%s", plan->directory, file, ending);
    if (good && rename(drawn, path) == 0) return true;
    unlink(drawn);
    return false;
}

/* Writes the settings and starts gnuplot; a picture that cannot be drawn is trouble, not an error. */
static rt_status draw(const rti_plan *plan, const char *scripts, const char *stem, int facet,
                      rti_text *settings, rti_pictures *pictures, bool *drawn, rt_error *error) {
    char name[RTI_LABEL_MAX], head[RTI_PATH_MAX + RTI_LABEL_MAX], script[RTI_PATH_MAX + 64];
    set_path(settings, plan, "output", stem, facet, "");
    rti_label_file(plan, stem, facet, ".set", name, sizeof name);
    RT_TRY(rti_report_file(plan, name, settings, error));
    snprintf(head, sizeof head, "%s/%s", plan->directory, name);
    snprintf(script, sizeof script, "%s/%s.gp", scripts, stem);
    const char *const command[] = {"gnuplot", head, "-e", "output = output . '.new'", script, NULL};
    rti_bytes said = {NULL, 0};
    rt_error why = {0};
    rt_status status = rti_program_run(command, (size_t)1 << 20, &said, &why);
    rt_free(said.data);
    bool svg = put_in_place(plan, stem, facet, ".svg", status == RT_OK);
    *drawn = put_in_place(plan, stem, facet, ".png", status == RT_OK) && svg;
    if (status == RT_MEMORY) return rt_fail(error, RT_MEMORY, "%s", why.message);
    if (!*drawn) trouble(pictures, "A picture could not be drawn: ", status == RT_OK ? script : why.message);
    return RT_OK;
}

static rt_status draw_facet(const rti_summary *summary, const char *scripts, int facet,
                            rti_pictures *pictures, rt_error *error) {
    const rti_plan *plan = summary->plan;
    rt_status status = RT_OK;
    for (int i = RTI_PICTURE_TEMPERATURE; i <= RTI_PICTURE_CURVES && status == RT_OK; i++) {
        rti_text settings = RTI_TEXT_EMPTY;
        rti_range range;
        bool possible = false;
        set_title(&settings, summary, facet);
        set_path(&settings, plan, "data", rti_picture_stem((rti_picture)i), facet, ".csv");
        if (i == RTI_PICTURE_TEMPERATURE && rti_picture_axis(plan) >= 0 &&
            rti_range_of(summary, facet, &range))
            possible = temperature_settings(&settings, summary, facet, &range);
        if (i == RTI_PICTURE_HEATMAP && rti_is_grid(plan))
            possible = heatmap_settings(&settings, summary, facet);
        if (i == RTI_PICTURE_CURVES) possible = curves_settings(&settings, summary, facet);
        if (possible)
            status = draw(plan, scripts, rti_picture_stem((rti_picture)i), facet, &settings, pictures,
                          &pictures->drawn[facet * RTI_PICTURES + i], error);
        rti_text_deinit(&settings);
    }
    return status;
}

static rt_status draw_dark(const rti_summary *summary, const char *scripts, rti_pictures *pictures,
                           rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    char name[80], path[RTI_PATH_MAX + 32];
    set_text(&settings, "experiment", rti_label_plain(summary->plan->spec.name, name, sizeof name));
    snprintf(path, sizeof path, "%s/dark.csv", summary->plan->directory);
    set_text(&settings, "data", path);
    snprintf(path, sizeof path, "%s/dark-images.csv", summary->plan->directory);
    set_text(&settings, "images", path);
    rt_status status = draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_DARK), -1, &settings,
                            pictures, &pictures->drawn[RTI_PICTURE_DARK], error);
    rti_text_deinit(&settings);
    return status;
}

static rt_status draw_all(rti_pictures *pictures, const rti_summary *summary, const char *program,
                          bool has_dark, rt_error *error) {
    char scripts[RTI_PATH_MAX];
    if (!rti_program_exists("gnuplot")) {
        trouble(pictures, "No pictures: gnuplot is not installed. ",
                "Install it (apt-get install gnuplot-nox, dnf install gnuplot, brew install gnuplot), then: "
                "retort report");
        return RT_OK;
    }
    if (!find_scripts(program, scripts)) {
        trouble(pictures, "No pictures: the gnuplot scripts are not found. ",
                "Set RETORT_PLOTS to the folder plots of the retort sources, then: retort report");
        return RT_OK;
    }
    for (int f = 0; f < summary->plan->facet_count; f++)
        RT_TRY(draw_facet(summary, scripts, f, pictures, error));
    return has_dark ? draw_dark(summary, scripts, pictures, error) : RT_OK;
}

rt_status rti_plot_all(rti_pictures *pictures, const rti_summary *summary, const char *program, bool wanted,
                       bool has_dark, rt_error *error) {
    *pictures = (rti_pictures){
        .drawn = rt_alloc_zero((size_t)summary->plan->facet_count * RTI_PICTURES, sizeof(bool))};
    if (!pictures->drawn) return rt_fail(error, RT_MEMORY, "not enough memory for the list of pictures");
    rt_status status = wanted ? draw_all(pictures, summary, program, has_dark, error) : RT_OK;
    if (status != RT_OK) rti_pictures_deinit(pictures);
    return status;
}

void rti_pictures_deinit(rti_pictures *pictures) {
    rt_free(pictures->drawn);
    *pictures = (rti_pictures){0};
}
