/* pareto.h - which of several offers are worth having, and which one to take.  Floor 8 (experiment)
 *
 * Functions of numbers alone. An offer beats another one when it is nowhere worse and somewhere better; the
 * front is what nobody beats. */
#ifndef RTI_PARETO_H
#define RTI_PARETO_H

#include "retort/status.h"

typedef struct rti_offer {
    double bytes, latency_us;   /* less is better */
    double accuracy;            /* more is better; NaN: not known, then it is on no front */
    bool front;                 /* out: nobody beats it in bytes, latency and accuracy */
    bool front_bytes, front_latency; /* out: in that one and accuracy alone */
} rti_offer;

void rti_pareto_mark(rti_offer offers[], int count);

typedef enum rti_choice {
    RTI_CHOICE_NONE,     /* nothing is known of any */
    RTI_CHOICE_REACHES,  /* the smallest that reaches the accuracy asked for */
    RTI_CHOICE_BEST      /* none does, or none was asked for: the most accurate */
} rti_choice;

/* least: NaN when no accuracy was asked for. Of equals the smaller, then the faster, then the earlier one.
 * *chosen is -1 when there is none. */
rti_choice rti_pareto_choose(const rti_offer offers[], int count, double least, int *chosen);

#endif
