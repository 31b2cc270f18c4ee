/* latency.h - how long an answer takes.                                Floor 8 (experiment)
 *
 * On one thread, whatever the process may use otherwise: a network that is deployed has rarely more. Several
 * networks answer one after another. Networks may be untrained: time does not depend on the weights. */
#ifndef RTI_LATENCY_H
#define RTI_LATENCY_H

#include "deploy/int8.h"
#include "retort/distill.h"

typedef struct rti_latency {
    int runs;                        /* 0: not measured */
    double median_us, low_us, high_us; /* of a whole batch; low and high: first and third quartile; NaN */
} rti_latency;

/* A few runs warm the caches up, then the time of each of `runs` (at most 1001) is taken, as long as limit_s
 * has not passed: at least one. A batch that the part is too small for repeats its examples. runs 0 when
 * there are no examples, when memory is short or when a network fails. */
rti_latency rti_latency_measure(rt_model *const models[], int count, const rt_part *part, int64_t batch,
                                int runs, double limit_s);

/* The same of a network in integers, which takes the examples as they are in the set. */
rti_latency rti_latency_int8(const rti_int8 *q, const rt_part *part, int64_t batch, int runs, double limit_s);

/* Quartiles of what was measured: linear between the two nearest. Sorts `times`. */
rti_latency rti_latency_of(double times_us[], int count);

#endif
