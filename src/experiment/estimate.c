/* estimate.c - how long trials take.                                   Floor 8 (experiment) */
#include <math.h>
#include <string.h>

#include "experiment/scheduler.h"

/* A forward and two backward products for each example, and something for each that no product
 * counts. */
int64_t rti_trial_work(const rti_plan *plan, int trial) {
    const rti_trial *t = &plan->trials[trial];
    int64_t epochs = rti_trial_epochs(t),
            examples = rti_trial_part(plan, trial)->count;
    double work = (double)epochs * (double)examples * (3.0 * (double)t->cost.multiply_adds + 20000.0);
    return work < 9e18 ? (int64_t)work : INT64_MAX;
}

/* A network that comes from a file has no work, and says nothing about others. */
void rti_estimator_add(rti_estimator *e, int64_t work, double seconds) {
    if (work <= 0 || !(seconds >= 0) || !isfinite(seconds)) return;
    int i = 0;
    while (i < e->count && e->classes[i].work != work) i++;
    if (i == RTI_ESTIMATE_CLASSES) return;
    if (i == e->count) e->classes[e->count++] = (rti_estimate_class){.work = work};
    e->classes[i].count++;
    e->classes[i].seconds += seconds;
}

double rti_estimator_seconds(const rti_estimator *e, int64_t work) {
    double nearest = INFINITY, seconds = NAN;
    for (int i = 0; i < e->count; i++) {
        double mean = e->classes[i].seconds / e->classes[i].count;
        double ratio = ((double)work + 1) / ((double)e->classes[i].work + 1), distance = fabs(log(ratio));
        if (distance < nearest) nearest = distance, seconds = mean * ratio;
    }
    return seconds;
}

rt_status rti_estimator_read(rti_estimator *e, const rti_plan *plan, rt_error *error) {
    for (int t = 0; t < plan->trial_count; t++) {
        if (rti_trial_state(plan, t) != RTI_DONE) continue;
        rti_record record;
        RT_TRY(rti_record_read(plan, t, &record, error));
        if (record.state == RTI_DONE) rti_estimator_add(e, rti_trial_work(plan, t), record.seconds);
        rti_record_deinit(&record);
    }
    return RT_OK;
}
