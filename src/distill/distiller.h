/* distiller.h - the driver's insides, shared with its checkpoints.     Floor 7 (distill) */
#ifndef RTI_DISTILLER_H
#define RTI_DISTILLER_H

#include "distill/cache.h"
#include "distill/method.h"

struct rt_distiller {
    rt_distiller_config config;  /* pointers borrowed; text and options only in rt_distiller_new */
    const rti_method *method;
    rt_params options;           /* a copy */
    double T;                    /* at which an ensemble's answers are combined */
    bool uses_teacher;           /* false also when the options switch the teacher's term off */
    void *state;                 /* the method's */
    rt_graph *graph;
    rt_loader *loader;
    rt_optimizer *optimizer;
    rti_cache *cache;            /* NULL: the teacher runs live */
    int64_t epochs_done;
    bool mid_epoch;              /* an epoch did not end: only _restore and _free are left */
    char identity[33];           /* what a checkpoint must agree with */
};

#endif
