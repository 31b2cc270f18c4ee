/* trial.h - one trial, from its settings to its result.                Floor 8 (experiment) */
#ifndef RTI_TRIAL_H
#define RTI_TRIAL_H

#include "experiment/experiment.h"

typedef struct rti_trial_progress {
    int trial;
    int64_t epoch, epochs;         /* whole epochs done, of how many */
    double fraction;               /* of all steps, 0 ... 1 */
    double validation_accuracy;    /* of the last whole epoch; NaN when there is none */
    double seconds;                /* of training so far, all sessions */
} rti_trial_progress;

/* How the trial talks to whoever runs it. Both are called often and must be quick; NULL is fine. */
typedef struct rti_trial_hooks {
    bool (*go_on)(void *context);  /* asked after each step: false saves and stops */
    void (*progress)(void *context, const rti_trial_progress *progress);
    void *context;
    double checkpoint_s;           /* at most every so many seconds; 0: after every epoch */
} rti_trial_hooks;

typedef enum rti_trial_end {
    RTI_END_DONE,     /* result.json is there */
    RTI_END_STOPPED,  /* go_on said so; a checkpoint is there */
    RTI_END_FAILED,   /* failed.json says why */
    RTI_END_UNSAVED,  /* files cannot be written (a full disk): other trials will fare no better */
    RTI_END_BUSY      /* somebody else has the claim */
} rti_trial_end;

/* Runs one trial whose teachers are done; the caller holds its lock. *error says why unless DONE. */
rti_trial_end rti_trial_run(const rti_plan *plan, int trial, const rti_trial_hooks *hooks, rt_error *error);

/* Writes failed.json for a trial that could not do so itself. */
rt_status rti_trial_write_failure(const rti_plan *plan, int trial, const rt_error *why, int64_t epoch,
                                  int64_t step, const char *term, rt_error *error) RT_MUST_CHECK;

/* The state alone, without reading what the files say. */
rti_state rti_trial_state(const rti_plan *plan, int trial);

#endif
