/* trial.h - trials, from their settings to their results.              Floor 8 (experiment) */
#ifndef RTI_TRIAL_H
#define RTI_TRIAL_H

#include "experiment/group.h"

typedef struct rti_trial_progress {
    int trial;
    int64_t epoch, epochs;         /* whole epochs done, of how many */
    double fraction;               /* of all steps, 0 ... 1 */
    double validation_accuracy;    /* of the last whole epoch; NaN when there is none */
    double seconds;                /* of training so far, all sessions; its share of a group's */
} rti_trial_progress;

typedef enum rti_trial_end {
    RTI_END_DONE,     /* result.json is there */
    RTI_END_STOPPED,  /* go_on said so; a checkpoint is there, if it had begun */
    RTI_END_FAILED,   /* failed.json says why */
    RTI_END_UNSAVED,  /* files cannot be written (a full disk): other trials will fare no better */
    RTI_END_BUSY,     /* somebody else has the claim */
    RTI_END_LOST      /* the process of its group died; it goes on alone from its last checkpoint */
} rti_trial_end;

/* How trials talk to whoever runs them; NULL is fine. The first two are called often and must be quick. */
typedef struct rti_trial_hooks {
    bool (*go_on)(void *context);  /* asked while the teacher is, after each step, and ahead of the
                                    * end: false saves and stops */
    void (*progress)(void *context, const rti_trial_progress *progress);
    /* One of them is over; why: unless it is done. */
    void (*ended)(void *context, int trial, rti_trial_end end, const rt_error *why);
    void *context;
    double checkpoint_s;           /* at most every so many seconds; 0: after every epoch */
    int all_threads;               /* of this process and those that may wait for it; 0: its own */
} rti_trial_hooks;

/* Runs trials whose teachers are done and that can go together (group.h), at most RTI_GROUP_MAX, in one
 * pass; the caller holds their locks. What each leaves in its directory is what it leaves when it runs alone,
 * to the bit, except cost.json. Each is stopped, saved, resumed and fails by itself; those that stand at
 * different epochs catch up first. *error says why of the first that is not done. */
void rti_trials_run(const rti_plan *plan, const int trials[], int count, const rti_trial_hooks *hooks,
                    rti_trial_end ends[], rt_error *error);
/* The same with one. */
rti_trial_end rti_trial_run(const rti_plan *plan, int trial, const rti_trial_hooks *hooks, rt_error *error);

/* Writes failed.json for a trial that could not do so itself. */
rt_status rti_trial_write_failure(const rti_plan *plan, int trial, const rt_error *why, int64_t epoch,
                                  int64_t step, rt_error *error) RT_MUST_CHECK;

/* The state alone, without reading what the files say. */
rti_state rti_trial_state(const rti_plan *plan, int trial);

#endif
