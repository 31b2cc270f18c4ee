/* distiller.h - the driver's insides: making, steps, checkpoints, descriptions.  Floor 7 (distill) */
#ifndef RTI_DISTILLER_H
#define RTI_DISTILLER_H

#include "distill/adapters.h"
#include "distill/features.h"
#include "distill/parts.h"
#include "distill/shared.h"

/* One method of the sum that is trained with. */
typedef struct rti_part {
    const rti_method *method;
    rt_params options;           /* under its own names */
    double T;                    /* at which an ensemble's answers are combined */
    int64_t first_stage;         /* epochs of its first stage; 0: it has one stage */
    rti_features features;       /* pairs 0: it looks at none */
    void *state;
} rti_part;

struct rt_distiller {
    rt_distiller_config config;  /* pointers borrowed; text and options only in rt_distiller_new */
    rt_params options;           /* a copy */
    rti_parts parts;
    rti_part part[RTI_PARTS_MAX];
    bool uses_teacher;           /* false also when the options switch the teacher's term off */
    bool uses_features;
    int64_t first_stage;         /* epochs: the longest of the parts' */
    rti_adapters adapters;
    rti_shared own, *shared;     /* `shared` is its own, or that of the one it was made beside */
    rt_optimizer *optimizer;     /* of the stage that the last epoch done belongs to */
    rt_graph *graph;             /* of `shared` */
    rti_cache *cache;            /* of `shared`, or `changed`; NULL: the teacher runs live */
    rti_cache *changed;          /* its own: other targets than the teacher's */
    int64_t epochs_done;
    bool mid_epoch;              /* an epoch did not end: only _restore and _free are left */
    char identity[33];           /* what a checkpoint must agree with */
};

/* Everything but the cache, the loader and the optimiser: enough for a description. */
rt_status rti_distiller_prepare(rt_distiller *distiller, const rt_distiller_config *config,
                                rt_error *error) RT_MUST_CHECK;
/* A fresh optimiser for the stage in which epoch number `epoch` lies. */
rt_status rti_distiller_optimizer(rt_distiller *distiller, int64_t epoch, rt_error *error) RT_MUST_CHECK;

/* One step on the batch at hand: sums are added to the report. (step.c) */
rt_status rti_distiller_step(rt_distiller *distiller, const rt_batch *batch, rt_epoch_report *report,
                             rt_error *error) RT_MUST_CHECK;
/* The loss of one batch at the place where the training stands, and with `backward` its gradients, which stay
 * with the parameters until the next call; nothing is learnt from it. Terms called `without` are left out
 * (NULL: none). (step.c) */
rt_status rti_distiller_loss(rt_distiller *distiller, const rt_batch *batch, const char *without,
                             bool backward, double *loss, rt_error *error) RT_MUST_CHECK;

#endif
