/* fused_activation.c - activations of what a product has just written. Floor 5 (ops) */
#include "ops/activation.h"

#include "kernels/kernels.h"

void rti_act_forward(rt_activation act, int64_t count, rt_real *y) {
    switch (act) {
    case RT_ACT_NONE:
    case RT_ACT_RELU:
        break;
    case RT_ACT_LEAKY_RELU:
        for (int64_t i = 0; i < count; i++) y[i] = rti_leaky_relu_value(y[i], (rt_real)RT_LEAKY_SLOPE);
        break;
    case RT_ACT_TANH:
        for (int64_t i = 0; i < count; i++) y[i] = rti_tanh_value(y[i]);
        break;
    case RT_ACT_SIGMOID:
        for (int64_t i = 0; i < count; i++) y[i] = rti_sigmoid_value(y[i]);
        break;
    case RT_ACT_SOFTPLUS:
        for (int64_t i = 0; i < count; i++) y[i] = rti_softplus_value(y[i]);
        break;
    case RT_ACT_GELU:
        for (int64_t i = 0; i < count; i++) y[i] = rti_gelu_value(y[i]);
        break;
    }
}

void rti_act_backward(rt_activation act, int64_t count, const rt_real *y, const rt_real *z, const rt_real *dy,
                      rt_real *dz) {
    switch (act) {
    case RT_ACT_NONE:
        break;
    case RT_ACT_RELU:
        rti_relu_backward(count, y, dy, dz, false);
        break;
    case RT_ACT_LEAKY_RELU:
        for (int64_t i = 0; i < count; i++) dz[i] = y[i] > 0 ? dy[i] : (rt_real)RT_LEAKY_SLOPE * dy[i];
        break;
    case RT_ACT_TANH:
        for (int64_t i = 0; i < count; i++) dz[i] = dy[i] * rti_tanh_slope(y[i]);
        break;
    case RT_ACT_SIGMOID:
        for (int64_t i = 0; i < count; i++) dz[i] = dy[i] * rti_sigmoid_slope(y[i]);
        break;
    case RT_ACT_SOFTPLUS:
        for (int64_t i = 0; i < count; i++) dz[i] = dy[i] * rti_softplus_slope(y[i]);
        break;
    case RT_ACT_GELU:
        for (int64_t i = 0; i < count; i++) dz[i] = dy[i] * rti_gelu_slope(z[i]);
        break;
    }
}
