/* figures.c - the CSV files that gnuplot reads.                        Floor 8 (experiment)
 *
 * Per facet (see rti_label_file): temperature.csv, heatmap.csv, curves.csv. Per cent throughout. */
#include <math.h>
#include <stdio.h>

#include "experiment/report_parts.h"
#include "formats/csv.h"
#include "retort/alloc.h"

/* ---- temperature.csv: a row per value of the axis, three columns per line ----------------------- */

static void temperature(rti_text *text, const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    int axis = rti_picture_axis(plan), lines = rti_picture_lines(plan);
    char label[RTI_LABEL_MAX], name[RTI_LABEL_MAX + 32];
    rti_csv_append(text, rti_label_axis(plan, axis, label, sizeof label), true);
    for (int line = 0; line < lines; line++) {
        static const char *const parts[] = {"accuracy", "low", "high"};
        for (int i = 0; i < 3; i++) {
            if (rti_is_grid(plan)) {
                rti_label_value(&plan->spec.axes[plan->alpha_axis].values[line], label, sizeof label);
                snprintf(name, sizeof name, "%s alpha %s", parts[i], label);
            } else {
                snprintf(name, sizeof name, "%s", parts[i]);
            }
            rti_csv_append(text, name, false);
        }
    }
    rti_text_append(text, "\n");
    for (int x = 0; x < plan->spec.axes[axis].count; x++) {
        rti_csv_add_number(text, plan->spec.axes[axis].values[x].number, true);
        for (int line = 0; line < lines; line++) {
            int cell = rti_picture_cell(plan, facet, x, line);
            rti_estimate none = {0, NAN, NAN, NAN};
            const rti_estimate *e = cell < 0 ? &none : &summary->cells[cell].students.test_last;
            double accuracy = 100.0 * (1.0 - e->mean), half = isfinite(e->half) ? 100.0 * e->half : 0.0;
            rti_csv_add_number(text, accuracy, false);
            rti_csv_add_number(text, accuracy - half, false);
            rti_csv_add_number(text, accuracy + half, false);
        }
        rti_text_append(text, "\n");
    }
}

/* ---- heatmap.csv: a row per cell ---------------------------------------------------------------- */

static void heatmap(rti_text *text, const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    rti_text_append(text, "column,row,alpha,T,error,half,verdict,is_scratch,chosen\n");
    for (int c = 0; c < plan->cell_count; c++) {
        if (plan->cells[c].facet != facet) continue;
        const rti_cell_summary *cell = &summary->cells[c];
        int column = plan->cells[c].value[plan->alpha_axis],
            row = plan->cells[c].value[plan->temperature_axis];
        rti_text_printf(text, "%d,%d", column, row);
        rti_csv_add_number(text, plan->spec.axes[plan->alpha_axis].values[column].number, false);
        rti_csv_add_number(text, plan->spec.axes[plan->temperature_axis].values[row].number, false);
        rti_csv_add_number(text, 100.0 * cell->students.test_last.mean, false);
        rti_csv_add_number(text, 100.0 * cell->students.test_last.half, false);
        rti_csv_append(text, rti_verdict_name(cell->paired.verdict), false);
        rti_text_printf(text, ",%d,%d\n", cell->is_scratch, summary->facets[facet].best_cell == c);
    }
}

/* ---- curves.csv: a row per epoch; mean, lowest and highest seed of each group -------------------- */

static void add_epoch(rti_text *text, const rti_summary *summary, const int trials[], int count, int epoch) {
    double sum = 0.0, low = INFINITY, high = -INFINITY;
    int known = 0;
    for (int i = 0; i < count; i++) {
        const rti_record *r = trials[i] < 0 ? NULL : &summary->records[trials[i]];
        if (!r || r->state != RTI_DONE || epoch >= r->epoch_count) continue;
        double error = 100.0 * (1.0 - r->rows[epoch].validation_accuracy);
        if (!isfinite(error)) continue;
        known++;
        sum += error;
        low = fmin(low, error);
        high = fmax(high, error);
    }
    rti_csv_add_number(text, known ? sum / known : NAN, false);
    rti_csv_add_number(text, known ? low : NAN, false);
    rti_csv_add_number(text, known ? high : NAN, false);
}

static int longest(const rti_summary *summary, const int trials[], int count) {
    int epochs = 0;
    for (int i = 0; i < count; i++)
        if (trials[i] >= 0 && summary->records[trials[i]].state == RTI_DONE &&
            summary->records[trials[i]].epoch_count > epochs)
            epochs = summary->records[trials[i]].epoch_count;
    return epochs;
}

static void curves(rti_text *text, const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    const rti_facet_summary *f = &summary->facets[facet];
    int seeds = plan->spec.seed_count;
    const int *scratch = plan->cells[f->first_cell].scratch;
    const int *best = f->best_cell < 0 ? NULL : plan->cells[f->best_cell].trials;
    const rti_trial *student = &plan->trials[plan->cells[best ? f->best_cell : f->first_cell].trials[0]];
    int teachers = student->teacher_count, epochs = longest(summary, scratch, seeds);
    if (best && longest(summary, best, seeds) > epochs) epochs = longest(summary, best, seeds);
    if (longest(summary, student->teachers, teachers) > epochs)
        epochs = longest(summary, student->teachers, teachers);
    rti_text_append(text, "epoch,teacher,teacher_low,teacher_high,scratch,scratch_low,scratch_high,"
                          "student,student_low,student_high\n");
    for (int epoch = 0; epoch < epochs; epoch++) {
        rti_text_printf(text, "%d", epoch + 1);
        add_epoch(text, summary, student->teachers, teachers, epoch);
        add_epoch(text, summary, scratch, seeds, epoch);
        add_epoch(text, summary, best, best ? seeds : 0, epoch);
        rti_text_append(text, "\n");
    }
}

/* ---- all ---------------------------------------------------------------------------------------- */

static rt_status write_one(const rti_summary *summary, int facet, const char *stem,
                           void (*make)(rti_text *, const rti_summary *, int), rt_error *error) {
    char name[RTI_LABEL_MAX];
    rti_text text = RTI_TEXT_EMPTY;
    make(&text, summary, facet);
    rt_status status = rti_report_file(
        summary->plan, rti_label_file(summary->plan, stem, facet, ".csv", name, sizeof name), &text, error);
    rti_text_deinit(&text);
    return status;
}

rt_status rti_figures_write(const rti_summary *summary, rt_error *error) {
    for (int f = 0; f < summary->plan->facet_count; f++) {
        if (rti_picture_axis(summary->plan) >= 0)
            RT_TRY(write_one(summary, f, "temperature", temperature, error));
        if (rti_is_grid(summary->plan)) RT_TRY(write_one(summary, f, "heatmap", heatmap, error));
        RT_TRY(write_one(summary, f, "curves", curves, error));
    }
    return RT_OK;
}
