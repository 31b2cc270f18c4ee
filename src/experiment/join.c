/* join.c - several plans in one queue.                                 Floor 8 (experiment) */
#include <string.h>

#include "experiment/experiment.h"
#include "retort/alloc.h"

static int trial_of(const rti_plan *joint, const char *id) {
    for (int t = 0; t < joint->trial_count; t++)
        if (!strcmp(joint->trials[t].id, id)) return t;
    return -1;
}

/* Adds what is new of `plan`; `place` (plan->trial_count) says where each of its trials stands. */
static void add(rti_plan *joint, const rti_plan *plan, int place[]) {
    for (int t = 0; t < plan->trial_count; t++) {
        place[t] = trial_of(joint, plan->trials[t].id);
        if (place[t] >= 0) continue;
        place[t] = joint->trial_count++;
        rti_trial *trial = &joint->trials[place[t]];
        *trial = plan->trials[t];
        trial->from = plan;
        trial->number_there = t;
        trial->dataset += joint->dataset_count;
        for (int i = 0; i < trial->teacher_count; i++) trial->teachers[i] = place[trial->teachers[i]];
        for (int i = 0; i < trial->reference_count; i++) trial->references[i] = place[trial->references[i]];
    }
    for (int d = 0; d < plan->dataset_count; d++) joint->datasets[joint->dataset_count++] = plan->datasets[d];
}

rt_status rti_plan_join(rti_plan *joint, rti_plan *const plans[], int count, rt_error *error) {
    memset(joint, 0, sizeof *joint);
    size_t trials = 0, datasets = 0;
    for (int p = 0; p < count; p++) {
        RT_ASSERT(!strcmp(plans[p]->trials_directory, plans[0]->trials_directory), "%s and %s",
                  plans[p]->trials_directory, plans[0]->trials_directory);
        trials += (size_t)plans[p]->trial_count;
        datasets += (size_t)plans[p]->dataset_count;
    }
    joint->trials = rt_alloc_zero(trials, sizeof *joint->trials);
    joint->datasets = rt_alloc_zero(datasets, sizeof *joint->datasets);
    int *place = rt_alloc_zero(trials, sizeof *place);
    rt_status status = RT_OK;
    if (joint->trials && joint->datasets && place) {
        joint->spec = plans[0]->spec;
        joint->temperature_axis = joint->alpha_axis = -1;
        memcpy(joint->directory, plans[0]->directory, sizeof joint->directory);
        memcpy(joint->trials_directory, plans[0]->trials_directory, sizeof joint->trials_directory);
        for (int p = 0; p < count; p++) add(joint, plans[p], place);
    } else {
        status = rt_fail(error, RT_MEMORY, "no memory for the trials of %d specs", count);
        rti_plan_part(joint);
    }
    rt_free(place);
    return status;
}

void rti_plan_part(rti_plan *joint) {
    rt_free(joint->trials);
    rt_free(joint->datasets);
    memset(joint, 0, sizeof *joint);
}
