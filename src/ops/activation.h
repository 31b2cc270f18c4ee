/* activation.h - the activation functions, one number at a time.       Floor 5 (ops)
 *
 * Shared by the element-wise ops and by linear, which applies them to its product. Each comes with
 * its slope; those of tanh, sigmoid, softplus and leaky_relu can be told from the result y, so
 * nothing else has to be kept. All are exact to rounding for any x and pass NaN on. */
#ifndef RTI_ACTIVATION_H
#define RTI_ACTIVATION_H

#include <tgmath.h>

#include "retort/ops.h"

/* 1 / (1 + exp(-x)); exp only sees numbers that are not positive, so it cannot overflow. */
static inline rt_real rti_sigmoid_value(rt_real x) {
    rt_real e = exp(-fabs(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}
static inline rt_real rti_sigmoid_slope(rt_real y) { return y * (1 - y); }

static inline rt_real rti_tanh_value(rt_real x) { return tanh(x); }
static inline rt_real rti_tanh_slope(rt_real y) { return (1 - y) * (1 + y); }

/* log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)); its slope is sigmoid(x) = 1 - exp(-y). */
static inline rt_real rti_softplus_value(rt_real x) { return (x < 0 ? 0 : x) + log1p(exp(-fabs(x))); }
static inline rt_real rti_softplus_slope(rt_real y) { return -expm1(-y); }

static inline rt_real rti_leaky_relu_value(rt_real x, rt_real slope) { return x > 0 ? x : slope * x; }

#define RTI_SQRT_HALF ((rt_real)0.70710678118654752440)
#define RTI_INVERSE_SQRT_TWO_PI ((rt_real)0.39894228040143267794)

/* x Phi(x) with the normal distribution's Phi; slope Phi(x) + x phi(x). erfc keeps the digits of
 * Phi where it is small. */
static inline rt_real rti_gelu_value(rt_real x) { return x * erfc(-x * RTI_SQRT_HALF) / 2; }
static inline rt_real rti_gelu_slope(rt_real x) {
    return erfc(-x * RTI_SQRT_HALF) / 2 + x * RTI_INVERSE_SQRT_TWO_PI * exp(-x * x / 2);
}

/* For ops whose product has relu done already. y = act(z) in place; then dz = act'(z) dy, told from y, or for
 * gelu from z; untouched with RT_ACT_NONE. */
void rti_act_forward(rt_activation act, int64_t count, rt_real *y);
void rti_act_backward(rt_activation act, int64_t count, const rt_real *y, const rt_real *z, const rt_real *dy,
                      rt_real *dz);

#endif
