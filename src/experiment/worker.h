/* worker.h - one process, one trial or a group of them.                Floor 8 (experiment) */
#ifndef RTI_WORKER_H
#define RTI_WORKER_H

#include <sys/types.h>

#include "experiment/trial.h"

typedef enum rti_message_kind { RTI_MESSAGE_PROGRESS, RTI_MESSAGE_LOG, RTI_MESSAGE_END } rti_message_kind;

/* What comes through the pipe: smaller than PIPE_BUF, so it comes whole or not at all. */
typedef struct rti_message {
    rti_message_kind kind;
    int trial;           /* PROGRESS, END */
    rti_trial_progress progress;
    rti_trial_end end;
    rt_error error;      /* END: why; LOG: the line */
} rti_message;

typedef struct rti_worker_trial {
    int number;
    bool has_end;
    rti_trial_progress progress;
} rti_worker_trial;

typedef struct rti_worker {
    pid_t pid;           /* 0: this place is free */
    int pipe;            /* reading end, does not block */
    int count;
    rti_worker_trial trials[RTI_GROUP_MAX];
    double started_s;
} rti_worker;

/* Who is told what a process says. */
typedef struct rti_worker_listener {
    void (*log)(void *context, int trial, const char *line); /* a group's lines are its first trial's */
    void (*progress)(void *context, const rti_trial_progress *progress);
    void (*ended)(void *context, rti_worker *worker, int trial, rti_trial_end end, const rt_error *why);
    void *context;
} rti_worker_listener;

/* Starts a process that claims and runs the trials (rti_trials_run), without those that are claimed already.
 * RT_PROGRAM when there can be no more processes. */
rt_status rti_worker_start(rti_worker *worker, const rti_plan *plan, const int trials[], int count,
                           int threads, int all_threads, double checkpoint_s, rt_error *error) RT_MUST_CHECK;

/* Reads what has come. True when the process has closed its end. */
bool rti_worker_listen(rti_worker *worker, const rti_worker_listener *listener);

/* Waits for the process, says how those ended who could not say it, and frees the place. When a process died
 * with a trial that was alone, that has its failure written; nobody knows who of a group is to blame, so each
 * is RTI_END_LOST. `killed`: we did it, and they were only stopped. */
void rti_worker_reap(rti_worker *worker, const rti_plan *plan, bool killed,
                     const rti_worker_listener *listener);

#endif
