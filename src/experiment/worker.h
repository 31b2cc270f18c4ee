/* worker.h - one process, one trial.                                   Floor 8 (experiment) */
#ifndef RTI_WORKER_H
#define RTI_WORKER_H

#include <sys/types.h>

#include "experiment/trial.h"

typedef enum rti_message_kind { RTI_MESSAGE_PROGRESS, RTI_MESSAGE_LOG, RTI_MESSAGE_END } rti_message_kind;

/* What comes through the pipe: smaller than PIPE_BUF, so it comes whole or not at all. */
typedef struct rti_message {
    rti_message_kind kind;
    rti_trial_progress progress;
    rti_trial_end end;
    rt_error error;      /* LOG: the line */
} rti_message;

typedef struct rti_worker {
    pid_t pid;           /* 0: this place is free */
    int pipe;            /* reading end, does not block */
    int trial;
    bool has_end;
    rti_message last;    /* END when has_end */
    rti_trial_progress progress;
    double started_s;
} rti_worker;

/* Starts a process that claims and runs the trial. RT_PROGRAM when there can be no more processes. */
rt_status rti_worker_start(rti_worker *worker, const rti_plan *plan, int trial, int threads,
                           double checkpoint_s, rt_error *error) RT_MUST_CHECK;

/* Reads what has come; calls `log` for each line. True when the process has closed its end. */
bool rti_worker_listen(rti_worker *worker, void (*log)(void *context, int trial, const char *line),
                       void *context);

/* Waits for the process, says how the trial ended and why, and frees the place. A process that died
 * has its failure written for it, unless `killed`: then we did it, and the trial was only stopped. */
rti_trial_end rti_worker_reap(rti_worker *worker, const rti_plan *plan, bool killed, rt_error *why);

#endif
