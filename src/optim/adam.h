/* adam.h - what Adam and AdamW share.                                  Floor 6 (optim) */
#ifndef RTI_ADAM_H
#define RTI_ADAM_H

#include "optim/optimizer.h"

#define RTI_ADAM_ROWS                                                                                       \
    RT_PARAM_REAL_ROW("beta1", 0.9, 0, 0.999999, "", "part of the mean gradient that is kept in each step"), \
    RT_PARAM_REAL_ROW("beta2", 0.999, 0, 0.99999999, "", "part of the mean squared gradient that is kept"),  \
    RTI_EPSILON_ROW
#define RTI_EPSILON_ROW \
    RT_PARAM_REAL_ROW("epsilon", 1e-8, 1e-30, 1, "", "is added to the root of the mean squared gradient")

/* decay joins the gradient, decoupled the weight. */
void rti_adam_prepare(const rti_update *update, double decay, double decoupled, rti_constants *constants);
void rti_adam_apply(int64_t n, const rti_constants *constants, rt_real *p, const rt_real *g,
                    rt_real *const slot[RTI_SLOTS_MAX]);

#endif
