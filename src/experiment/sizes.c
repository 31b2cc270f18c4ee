/* sizes.c - error against the number of examples a student is shown.   Floor 8 (experiment)
 *
 * Hinton, Vinyals, Dean 2015 (arXiv 1503.02531, section 6): with 3 % of the speech data hard targets overfit
 * and need early stopping, soft targets reach nearly what all data give. So the students of the labels alone
 * stand here with the last epoch and with the one that was best on validation, which is early stopping.
 *
 * Facets differ in the number of examples, so this is a picture of the whole experiment. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/spec.h"
#include "experiment/sweeps.h"
#include "formats/csv.h"
#include "retort/alloc.h"

/* ---- the axis --------------------------------------------------------------------------------------- */

static int size_axis(const rti_plan *plan) {
    int axis = rti_spec_axis(&plan->spec, "data.transfer.size");
    return axis >= 0 ? axis : rti_spec_axis(&plan->spec, "data.transfer.fraction");
}

/* What the students of a cell are shown; what was asked for, when the data are not open. */
static double examples_of(const rti_plan *plan, int cell, int axis) {
    int trial = plan->cells[cell].trials[0];
    if (plan->dataset_count && trial >= 0) return (double)rti_trial_part(plan, trial)->count;
    return plan->spec.axes[axis].values[plan->cells[cell].value[axis]].number;
}

/* The cell with value x of the axis and the other values of `like`; free_grid: T and alpha may differ. */
static int cell_at(const rti_plan *plan, int like, int axis, int x, bool free_grid) {
    for (int c = 0; c < plan->cell_count; c++) {
        bool same = plan->cells[c].value[axis] == x;
        for (int a = 0; a < plan->spec.axis_count && same; a++) {
            bool grid = a == plan->temperature_axis || a == plan->alpha_axis;
            if (a != axis && !(grid && free_grid))
                same = plan->cells[c].value[a] == plan->cells[like].value[a];
        }
        if (same) return c;
    }
    return -1;
}

/* ---- names ------------------------------------------------------------------------------------------ */

/* "labels alone, hidden [30]"; "T 4, alpha 0.9"; "hidden [30], T, alpha chosen on validation" */
static void label_line(rti_size_line *line, const rti_plan *plan, int cell, int axis) {
    rti_text text = RTI_TEXT_EMPTY;
    if (line->kind == RTI_SIZE_SCRATCH) rti_text_append(&text, "labels alone");
    for (int a = 0; a < plan->spec.axis_count; a++) {
        char name[RTI_KEY_MAX + 8], value[RTI_LABEL_MAX];
        bool grid = a == plan->temperature_axis || a == plan->alpha_axis;
        bool of_method = !strncmp(plan->spec.axes[a].key, "distill.", 8);
        if (a == axis || (grid && line->kind == RTI_SIZE_CHOSEN)) continue;
        if (of_method && line->kind == RTI_SIZE_SCRATCH) continue;
        bool bare = !strcmp(plan->spec.axes[a].key, "distill.method");
        rti_text_printf(&text, "%s%s%s%s", text.length ? ", " : "",
                        bare ? "" : rti_label_axis(plan, a, name, sizeof name), bare ? "" : " ",
                        rti_label_value(&plan->spec.axes[a].values[plan->cells[cell].value[a]], value,
                                        sizeof value));
    }
    if (line->kind == RTI_SIZE_CHOSEN)
        rti_text_printf(&text, "%schosen on validation", text.length ? ", " : "distilled, ");
    rti_label_plain(text.length && !text.failed ? rti_text_string(&text) : "distilled student", line->label,
                    sizeof line->label);
    rti_text_deinit(&text);
}

/* ---- lines ------------------------------------------------------------------------------------------ */

static int by_examples(const void *a, const void *b) {
    double x = ((const rti_size_point *)a)->examples, y = ((const rti_size_point *)b)->examples;
    return (x > y) - (x < y);
}

static const rti_group *group_of(const rti_summary *summary, const rti_size_line *line, int cell) {
    if (line->kind == RTI_SIZE_SCRATCH) return &summary->facets[summary->plan->cells[cell].facet].scratch;
    return &summary->cells[cell].students;
}

static void fill_point(rti_size_point *point, const rti_summary *summary, const rti_size_line *line, int cell,
                       int axis) {
    const rti_group *g = group_of(summary, line, cell);
    const rti_estimate none = {0, NAN, NAN, NAN};
    *point = (rti_size_point){examples_of(summary->plan, cell, axis), cell, g->test_last, g->test_best};
    if (!g->validation_best.count) point->best = none; /* nothing to choose an epoch on */
}

/* The line of `cell`, which stands at the axis' first value, into the next free place. */
static void add_line(rti_sizes *sizes, const rti_summary *summary, rti_size_kind kind, int cell, int axis) {
    const rti_plan *plan = summary->plan;
    rti_size_line *line = &sizes->line[sizes->count];
    bool known = false;
    *line = (rti_size_line){.kind = kind, .shown = true};
    line->point = sizes->point + (size_t)sizes->count * (size_t)sizes->points;
    label_line(line, plan, cell, axis);
    for (int x = 0; x < sizes->points; x++) {
        int other = cell_at(plan, cell, axis, x, kind == RTI_SIZE_CHOSEN);
        int best = other < 0 ? -1 : summary->facets[plan->cells[other].facet].best_cell;
        if (kind == RTI_SIZE_CHOSEN && best >= 0) other = best;
        const rti_estimate none = {0, NAN, NAN, NAN};
        line->point[x] = (rti_size_point){other < 0 ? NAN : examples_of(plan, other, axis), -1, none, none};
        if (other < 0 || (kind == RTI_SIZE_CHOSEN && best < 0)) continue;
        fill_point(&line->point[x], summary, line, other, axis);
        known = known || (kind == RTI_SIZE_SCRATCH ? summary->plan->cells[other].scratch[0] >= 0
                                                   : !summary->cells[other].is_scratch);
    }
    qsort(line->point, (size_t)sizes->points, sizeof *line->point, by_examples);
    sizes->count += known;
}

/* Is cell's scratch student that of an earlier one at the same value of the axis? */
static bool scratch_is_known(const rti_plan *plan, int cell, int axis) {
    for (int c = 0; c < cell; c++)
        if (plan->cells[c].value[axis] == 0 && plan->cells[c].scratch[0] == plan->cells[cell].scratch[0])
            return true;
    return false;
}

static bool starts_facet(const rti_summary *summary, int cell) {
    return summary->facets[summary->plan->cells[cell].facet].first_cell == cell;
}

/* Too many settings for one picture: those that were chosen stand for them. */
static void choose_shown(rti_sizes *sizes, const rti_summary *summary, int axis) {
    const rti_plan *plan = summary->plan;
    int all = sizes->count, shown = 0;
    bool grid = plan->temperature_axis >= 0 || plan->alpha_axis >= 0;
    for (int c = 0; c < plan->cell_count && grid && all > RTI_SIZE_LINES_SHOWN; c++)
        if (plan->cells[c].value[axis] == 0 && starts_facet(summary, c))
            add_line(sizes, summary, RTI_SIZE_CHOSEN, c, axis);
    bool chosen = sizes->count > all;
    for (int i = 0; i < sizes->count; i++) {
        rti_size_line *line = &sizes->line[i];
        line->shown = shown < RTI_SIZE_LINES_SHOWN && !(chosen && line->kind == RTI_SIZE_CELL);
        shown += line->shown;
    }
}

/* The error of the teacher when all facets have the same. */
static double common_teacher(const rti_summary *summary) {
    rti_estimate first = rti_teacher_error(&summary->facets[0]);
    for (int f = 0; f < summary->plan->facet_count; f++) {
        rti_estimate e = rti_teacher_error(&summary->facets[f]);
        if (!e.count || e.mean != first.mean) return NAN;
    }
    return first.mean;
}

rt_status rti_sizes_make(rti_sizes *sizes, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    *sizes = (rti_sizes){.teacher = NAN};
    int axis = plan->spec.is_comparison ? -1 : size_axis(plan), most = 0;
    if (axis < 0) return RT_OK;
    sizes->points = plan->spec.axes[axis].count;
    for (int c = 0; c < plan->cell_count; c++) most += plan->cells[c].value[axis] == 0;
    most = 3 * most + 1; /* scratch, itself, chosen; and the place behind the last */
    sizes->line = rt_alloc_zero((size_t)most, sizeof *sizes->line);
    sizes->point = rt_alloc_zero((size_t)most * (size_t)sizes->points, sizeof *sizes->point);
    if (!sizes->line || !sizes->point) {
        rti_sizes_deinit(sizes);
        return rt_fail(error, RT_MEMORY, "not enough memory for the table of sizes");
    }
    sizes->teacher = common_teacher(summary);
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].value[axis] == 0 && plan->cells[c].scratch[0] >= 0 &&
            !scratch_is_known(plan, c, axis))
            add_line(sizes, summary, RTI_SIZE_SCRATCH, c, axis);
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].value[axis] == 0) add_line(sizes, summary, RTI_SIZE_CELL, c, axis);
    choose_shown(sizes, summary, axis);
    return RT_OK;
}

void rti_sizes_deinit(rti_sizes *sizes) {
    rt_free(sizes->line);
    rt_free(sizes->point);
    *sizes = (rti_sizes){0};
}

/* ---- files ------------------------------------------------------------------------------------------ */

static void add_row(rti_text *text, const rti_size_line *line, const rti_size_point *p, int row,
                    const rti_summary *summary) {
    static const char *const kinds[] = {"scratch", "student", "chosen"};
    const rti_group *g = group_of(summary, line, p->cell);
    rti_text_printf(text, "%d,%s", row, kinds[line->kind]);
    rti_csv_append(text, line->label, false);
    rti_csv_add_number(text, p->examples, false);
    rti_text_printf(text, ",%d,%d,%d", line->kind == RTI_SIZE_SCRATCH ? 0 : p->cell + 1, g->trials, g->done);
    rti_csv_add_number(text, p->last.mean, false);
    rti_csv_add_number(text, p->last.half, false);
    rti_csv_add_number(text, p->best.mean, false);
    rti_csv_add_number(text, p->best.half, false);
    rti_text_append(text, "\n");
}

/* row: the number of the line in the picture, from 1; 0: it is not shown. */
rt_status rti_sizes_write(const rti_sizes *sizes, const rti_summary *summary, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    int row = 0;
    if (!sizes->count) return RT_OK;
    rti_text_append(&text, "row,kind,line,examples,cell,trials,done,test_error_last,test_error_last_half,"
                           "test_error_best,test_error_best_half\n");
    for (int i = 0; i < sizes->count; i++) {
        const rti_size_line *line = &sizes->line[i];
        row += line->shown;
        for (int x = 0; x < sizes->points; x++)
            if (line->point[x].cell >= 0)
                add_row(&text, line, &line->point[x], line->shown ? row : 0, summary);
    }
    rt_status status = rti_report_file(summary->plan, "sizes.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

static void markdown_row(rti_text *out, const rti_sizes *sizes, const rti_size_line *line, bool best) {
    char number[48];
    rti_text_append(out, "| ");
    rti_markdown_escape(out, line->label);
    rti_text_append(out, best ? ", early stopping" : "");
    for (int x = 0; x < sizes->points; x++) {
        const rti_size_point *p = &line->point[x];
        rti_text_printf(out, " | %s", rti_percent(best ? &p->best : &p->last, number));
    }
    rti_text_append(out, " |\n");
}

void rti_sizes_markdown(rti_text *out, const rti_sizes *sizes, const rti_summary *summary) {
    if (!sizes->count) return;
    rti_text_append(out, "## Few examples\n\nTest error in %, mean and 95 % interval over seeds, by the "
                         "number of examples of the transfer set; last epoch. Early stopping: the epoch that "
                         "is best on validation.\n\n| ");
    for (int x = 0; x < sizes->points; x++)
        rti_text_printf(out, " | %.10g", sizes->line[0].point[x].examples);
    rti_text_append(out, " |\n|---");
    for (int x = 0; x < sizes->points; x++) rti_text_append(out, "|---");
    rti_text_append(out, "|\n");
    for (int i = 0; i < sizes->count; i++) {
        const rti_size_line *line = &sizes->line[i];
        if (!line->shown) continue;
        markdown_row(out, sizes, line, false);
        if (line->kind == RTI_SIZE_SCRATCH && summary->validation_examples)
            markdown_row(out, sizes, line, true);
    }
    rti_text_append(out, "\nsizes.csv has every line.\n\n");
}
