/* choose.c - which point of a row's grid its results stand for.        Floor 8 (experiment)
 *
 * A choice is a function of the records on disk alone: whoever makes the plan, on whatever machine, makes
 * the same one. It is made on validation accuracy and never sees a test result; a tuning trial has none.
 * A point counts when all its trials are done: one that fails (its loss is no number) is not chosen. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/plan_builder.h"
#include "experiment/trial.h"

static rt_status read_point(const rti_plan *plan, rti_point *point, char failure[512], rt_error *error) {
    double sum = 0;
    point->scored = point->failed = 0;
    for (int s = 0; s < plan->spec.tune_seed_count; s++) {
        rti_state state = rti_trial_state(plan, point->tuning[s]);
        if (state != RTI_DONE && state != RTI_FAILED) continue;
        rti_record record;
        RT_TRY(rti_record_read(plan, point->tuning[s], &record, error));
        if (record.state == RTI_DONE) {
            point->scored++;
            sum += record.validation_last.accuracy;
        } else if (record.state == RTI_FAILED) {
            point->failed++;
            snprintf(failure, 512, "%s", record.failure);
        }
        rti_record_deinit(&record);
    }
    point->validation = point->scored ? sum / point->scored : NAN;
    return RT_OK;
}

rt_status rti_row_decide(rti_plan *plan, int number, rt_error *error) {
    rti_row *row = &plan->rows[number];
    int seeds = plan->spec.tune_seed_count, best = -1;
    bool complete = true;
    char failure[512] = "";
    row->chosen = -1;
    for (int p = 0; p < row->point_count; p++) {
        rti_point *point = &row->points[p];
        RT_TRY(read_point(plan, point, failure, error));
        if (point->scored + point->failed < seeds) complete = false;
        if (point->scored < seeds) continue;
        if (best < 0 || point->validation > row->points[best].validation) best = p;
    }
    if (!complete) return RT_OK;
    row->chosen = best;
    if (best < 0)
        snprintf(row->reason, sizeof row->reason, "none of %d points of its grid could be trained: %.400s",
                 row->point_count, failure);
    return RT_OK;
}

int rti_row_chosen(const rti_plan *plan, int number, const rti_record *records) {
    const rti_row *row = &plan->rows[number];
    if (row->tuned) return row->chosen;
    if (row->point_count == 1) return row->points[0].cell >= 0 ? 0 : -1;
    int best = -1;
    double most = 0;
    for (int p = 0; p < row->point_count; p++) {
        if (row->points[p].cell < 0) continue;
        const rti_cell *cell = &plan->cells[row->points[p].cell];
        double sum = 0;
        int done = 0;
        for (int s = 0; s < plan->spec.seed_count; s++) {
            const rti_record *record = &records[cell->trials[s]];
            if (record->state != RTI_DONE || !record->validation_last.examples) continue;
            sum += record->validation_last.accuracy;
            done++;
        }
        if (done < plan->spec.seed_count || (best >= 0 && !(sum > most))) continue;
        best = p;
        most = sum;
    }
    return best;
}
