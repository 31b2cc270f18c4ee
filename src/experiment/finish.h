/* finish.h - what a trial needs of its teacher, and what it leaves behind.  Floor 8 (experiment) */
#ifndef RTI_FINISH_H
#define RTI_FINISH_H

#include "distill/cache.h"
#include "experiment/checkpoint.h"
#include "experiment/experiment.h"
#include "experiment/latency.h"

/* The finished teacher of a trial: its members' last weights, loaded. */
typedef struct rti_teaching {
    int count;
    rt_model *members[RTI_TEACHERS_MAX];
    rt_teacher *teacher; /* NULL: the trial has none; a file of answers has no members */
    char hash[33];       /* "": none */
    rti_cache *test;     /* its answers to the test set, opened for the first who is measured against it */
} rti_teaching;

/* RT_NOT_FOUND, RT_FORMAT, RT_IO when weights cannot be read; RT_MEMORY. */
rt_status rti_teaching_load(rti_teaching *teaching, const rti_plan *plan, int trial,
                            rt_error *error) RT_MUST_CHECK;
/* The same of those whose answers its own are compared with; empty when there are none. */
rt_status rti_reference_load(rti_teaching *reference, const rti_plan *plan, int trial,
                             rt_error *error) RT_MUST_CHECK;
/* A teacher that is made of the files of [teacher] `rows`. */
rt_teacher *rti_stored_teacher(const rt_params *rows, const rt_dataset *set, rt_error *error) RT_MUST_CHECK;
void rti_teaching_deinit(rti_teaching *teaching);

/* How fast a network answers, alone and in a large batch. */
typedef struct rti_speed {
    const rt_params *of;  /* rows of that network; NULL: not measured yet */
    rti_latency one, large;
} rti_speed;

typedef struct rti_finish {
    const rti_plan *plan;
    int trial;
    const char *directory;
    rt_model *model;          /* with the weights of the last epoch */
    rti_teaching *teaching;   /* it is measured against; may hold no teacher */
    const rti_cache_making *answers; /* how its answers to the test set are made */
    rti_speed *speed;         /* of the group: measured again only for other rows */
    int together;             /* how many trials the process trained */
    rti_checkpoint *now;
    int64_t epochs;
    int64_t extra_parameters; /* of the method's adapters */
    bool unsaved;             /* out: a file could not be written */
} rti_finish;

/* Measures the last and the best weights and writes everything, result.json last; then removes what
 * only an unfinished trial needs. Leaves the best weights in the model. */
rt_status rti_trial_finish(rti_finish *finish, rt_error *error) RT_MUST_CHECK;

/* Removes what a finished trial does not need from its directory. */
void rti_trial_tidy(const char *directory);

#endif
