/* scheduler.h - runs the trials of a plan.                             Floor 8 (experiment)
 *
 *   scheduler.c   the parent: what can run, who runs it, what has ended
 *   group.c       which trials are trained together
 *   worker.c      the child: one process, one trial or a group
 *   estimate.c    how long it will take
 *
 * Each trial, or group of trials, is a forked process: the data, loaded before, is shared. A crash costs one
 * trial; in a group, where nobody knows whose fault it was, it costs each what it has done since its last
 * checkpoint, and each goes on alone. A trial starts when its teachers are done; its process claims it
 * with a lock file (lock.h), so any number of runs, shards and machines can work on one directory; of a
 * group it claims each that is free. Nothing here prints: the caller is told by events. */
#ifndef RTI_SCHEDULER_H
#define RTI_SCHEDULER_H

#include <signal.h>

#include "experiment/trial.h"

/* What is known at one moment. */
typedef struct rti_run_view {
    int total;                     /* trials of this run (of its shard and their teachers) */
    int done, failed, blocked;     /* blocked: a teacher failed, or waits for one that did */
    int running, elsewhere;        /* here; in other processes */
    rti_trial_progress current;    /* of the trial that was heard of last; trial -1: none yet */
    double elapsed_s, remaining_s; /* remaining: NaN while nothing is known */
} rti_run_view;

typedef enum rti_event_kind {
    RTI_EVENT_TICK,
    RTI_EVENT_STARTED,
    RTI_EVENT_ENDED,
    RTI_EVENT_LOG
} rti_event_kind;

typedef struct rti_run_event {
    rti_event_kind kind;
    int trial;                     /* STARTED, ENDED, LOG */
    int threads;                   /* STARTED */
    rti_trial_end end;             /* ENDED */
    const char *message;           /* ENDED: why, unless done; LOG: the line */
    const rti_run_view *view;
} rti_run_event;

typedef struct rti_run_options {
    int workers;                   /* 0: as many as there are processors */
    int threads;                   /* of each worker; 0: processors / trials that can run */
    int shard, shards;             /* 1 ... shards; 0, 0: everything */
    bool retry_failed, fail_fast;
    bool alone;                    /* each trial by itself: no groups */
    double checkpoint_s;           /* see rti_trial_hooks */
    const volatile sig_atomic_t *stop; /* 1: save and stop; 2 or more: stop at once. May be NULL */
    void (*event)(void *context, const rti_run_event *event); /* may be NULL */
    void *context;
} rti_run_options;

typedef struct rti_run_outcome {
    rti_run_view view;
    bool stopped;                  /* by `stop`; everything is saved unless it was 2 */
} rti_run_outcome;

/* Trains what is not finished. RT_OK also when trials failed (see the view) or when it was stopped;
 * RT_IO when results cannot be written (a full disk): finished trials are intact, the others go on
 * from their checkpoints next time. RT_MEMORY, RT_PROGRAM (no process can be started). */
rt_status rti_run(const rti_plan *plan, const rti_run_options *options, rti_run_outcome *outcome,
                  rt_error *error) RT_MUST_CHECK;

/* True when `trial` belongs to shard `shard` of `shards` (1 ... shards; 0: everything): students by
 * their number, and all that they wait for; what tunes belongs to every shard. */
bool rti_in_shard(const rti_plan *plan, int trial, int shard, int shards);

/* The groups that a run with these options would form now. RT_MEMORY. */
rt_status rti_run_groups(const rti_plan *plan, const rti_run_options *options, rti_group_count *count,
                         rt_error *error) RT_MUST_CHECK;

/* ---- time ---- */

/* Seconds that trials of a kind took, to say how long others will take. */
typedef struct rti_estimate_class {
    int64_t work;                  /* multiply-adds of the whole training */
    int count;
    double seconds;
} rti_estimate_class;

#define RTI_ESTIMATE_CLASSES 64

typedef struct rti_estimator {
    int count;
    rti_estimate_class classes[RTI_ESTIMATE_CLASSES];
} rti_estimator;

int64_t rti_trial_work(const rti_plan *plan, int trial);
void rti_estimator_add(rti_estimator *estimator, int64_t work, double seconds);
/* From trials of the same work, else in proportion to those that are nearest; NaN without any. */
double rti_estimator_seconds(const rti_estimator *estimator, int64_t work);
/* Learns from the cost.json of all finished trials. */
rt_status rti_estimator_read(rti_estimator *estimator, const rti_plan *plan, rt_error *error) RT_MUST_CHECK;

#endif
