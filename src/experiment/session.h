/* session.h - one trial at work in this process.                       Floor 8 (experiment)
 *
 * What is the trial's own while it trains, alone or beside others (trial.c): its directory, its network, its
 * distiller, and after every whole epoch all it needs to be continued. What the trials of a group have in
 * common is lent to each: the teacher, and the time, which is divided among those at work. */
#ifndef RTI_SESSION_H
#define RTI_SESSION_H

#include "core/clock.h"
#include "core/file.h"
#include "experiment/finish.h"
#include "experiment/trial.h"
#include "experiment/unseen.h"

/* The time since `from_s` of `sharing` trials that are at work together. */
typedef struct rti_stopwatch {
    double from_s;
    int sharing;                 /* 0: it stands */
} rti_stopwatch;

static inline double rti_stopwatch_share(const rti_stopwatch *watch) {
    return watch->sharing ? (rti_clock_s() - watch->from_s) / watch->sharing : 0;
}

/* What the trials of a group have in common. */
typedef struct rti_common {
    int count;
    rti_teaching teaching;       /* loaded for the first who begins */
    rti_speed speed;
    rti_stopwatch watch;
} rti_common;

typedef struct rti_session {
    const rti_plan *plan;
    int number;
    const rti_trial *trial;
    const rti_trial_hooks *hooks;
    char directory[RTI_PATH_MAX];
    rti_common *group;           /* borrowed */
    rti_teaching reference;      /* when it is measured against somebody else than its teacher */
    rt_model *model;
    rt_distiller *distiller;
    int64_t epochs;
    rti_checkpoint now;          /* after the last whole epoch */
    bool on_disk;                /* `now` is what checkpoint.bin says */
    bool unsaved;                /* a file could not be written */
    double seconds;              /* of training, all sessions, up to group->watch.from_s */
    double written_s;
    double validation_accuracy;  /* of the last whole epoch of this session; NaN: none yet */
    rti_unseen unseen;
    uint8_t *predictions;        /* (validation) when there are unseen classes, else NULL */
    int64_t epoch, step;         /* in progress; for failure messages */
    bool is_over;                /* it has ended one way or another */
} rti_session;

/* Touches nothing yet. Everything is borrowed. */
void rti_session_init(rti_session *session, const rti_plan *plan, int trial, const rti_trial_hooks *hooks,
                      rti_common *group);
/* Makes network and distiller, beside another one (NULL: alone), and goes on where a checkpoint stands. */
rt_status rti_session_begin(rti_session *session, rt_distiller *beside, rt_error *error) RT_MUST_CHECK;
/* Everything that happens after a whole epoch. */
rt_status rti_session_end_epoch(rti_session *session, const rt_epoch_report *report,
                                rt_error *error) RT_MUST_CHECK;
/* Measures and writes the result of a trial that has done its epochs. */
rt_status rti_session_finish(rti_session *session, rt_error *error) RT_MUST_CHECK;
/* Saves one that was stopped; writes why one failed. *error is replaced by what went wrong here. */
rti_trial_end rti_session_give_up(rti_session *session, rt_status status, rt_error *error);
void rti_session_deinit(rti_session *session);

#endif
