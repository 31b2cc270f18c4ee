/* init.h - laws for initial weights.                                   Floor 6 (nn)
 *
 * D inputs of a unit, U units that an input goes to; with kernels D = KH KW C/groups, U = KH KW F/groups.
 * Biases start at zero, except under fan-in.
 *
 *   he              normal, deviation sqrt(2 / D)      He et al. 2015 (arXiv 1502.01852), eq 12
 *   he-fan-out      normal, deviation sqrt(2 / U)      the same, eq 17
 *   he-uniform      uniform, the same variance
 *   xavier          uniform in +-sqrt(6 / (D + U))     Glorot, Bengio 2010, eq 16
 *   xavier-normal   normal, the same variance
 *   lecun           normal, deviation sqrt(1 / D)      LeCun et al. 1998, "Efficient BackProp"
 *   normal          normal, deviation init_std         0.01 in Hinton et al. 2012 (arXiv 1207.0580)
 *   fan-in          uniform in +-sqrt(1 / D), biases too: what PyTorch's Linear does
 */
#ifndef RTI_INIT_H
#define RTI_INIT_H

#include "retort/rng.h"

typedef enum rti_init {
    RTI_INIT_HE,
    RTI_INIT_HE_UNIFORM,
    RTI_INIT_XAVIER,
    RTI_INIT_XAVIER_NORMAL,
    RTI_INIT_LECUN,
    RTI_INIT_NORMAL,
    RTI_INIT_FAN_IN,
    RTI_INIT_HE_FAN_OUT
} rti_init;

#define RTI_INIT_CHOICES "he|he-fan-out|he-uniform|xavier|xavier-normal|lecun|normal|fan-in"
rti_init rti_init_find(const char *name); /* one of the choices */

/* Standard deviation of a weight under the law. */
double rti_init_deviation(rti_init law, int64_t inputs, int64_t units, double init_std);

/* Fills `count` weights, in order, from the stream. */
void rti_init_weights(rti_init law, int64_t inputs, int64_t units, double init_std, rt_rng *stream,
                      int64_t count, rt_real *out);
/* Zeros, or numbers under fan-in. */
void rti_init_biases(rti_init law, int64_t inputs, rt_rng *stream, int64_t count, rt_real *out);

#endif
