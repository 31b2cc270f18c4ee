/* rmsprop.c - the update of RMSProp, portable.                         Floor 2 (kernels)
 *
 * Bound by memory and by the division; compilers vectorise the loop as it stands. */
#include <math.h>

#include "kernels/kernels.h"

static rt_real root(rt_real x) {
    return sizeof x == sizeof(float) ? (rt_real)sqrtf((float)x) : (rt_real)sqrt((double)x);
}

void rti_rmsprop_update(int64_t n, const rti_rmsprop *c, rt_real *p, const rt_real *g, rt_real *v) {
    const rti_rmsprop k = *c;
    const rt_real rest = 1 - k.rho;
    for (int64_t i = 0; i < n; i++) {
        rt_real gradient = k.grad_scale * g[i] + k.decay * p[i];
        v[i] = k.rho * v[i] + rest * gradient * gradient;
        p[i] -= k.lr * gradient / (root(v[i]) + k.epsilon);
    }
}
