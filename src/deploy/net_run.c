/* net_run.c - the steps in float, one example, plain loops.            Floor 7 (deploy)
 *
 * The order of every sum is that of the C that is written out (emit_float.c): products run along the
 * outputs, input by input, and inputs that are 0 are left out, which changes no bit. */
#include <math.h>
#include <string.h>

#include "deploy/net.h"

double rti_activation_value(rt_activation activation, double x) {
    switch (activation) {
    case RT_ACT_NONE:
        return x;
    case RT_ACT_RELU:
        return x > 0 ? x : 0;
    case RT_ACT_LEAKY_RELU:
        return x > 0 ? x : RT_LEAKY_SLOPE * x;
    case RT_ACT_TANH:
        return tanh(x);
    case RT_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case RT_ACT_SOFTPLUS:
        return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case RT_ACT_GELU:
        return 0.5 * x * (1 + erf(x * 0.70710678118654752));
    }
    return x;
}

/* Numbers of a set are standardised already; what they were before is good enough for calibration. */
const void *rti_net_raw(const rti_net *net, const rt_examples *e, int64_t i, float *row) {
    if (net->bytes) {
        RT_ASSERT(e->bytes, "a network of bytes is shown numbers");
        return e->bytes + i * e->features;
    }
    const int64_t run = net->features / net->form_count;
    for (int64_t d = 0; d < e->features; d++) {
        const double x = e->bytes ? e->bytes[i * e->features + d] * e->scale + e->shift
                                  : (double)e->values[i * e->features + d];
        row[d] = (float)((x - net->shift[d / run]) / net->scale[d / run]);
    }
    return row;
}

static void run_input(const rti_net *net, const rti_step *s, const void *raw, float *y) {
    const int64_t C = net->raw_shape[0], pixels = net->raw_shape[1] * net->raw_shape[2];
    const bool turn = s->shape[2] == C;
    const int64_t run = net->features / net->form_count;
    for (int64_t c = 0; c < C; c++)
        for (int64_t p = 0; p < pixels; p++) {
            const int64_t i = c * pixels + p;
            const float x = net->bytes ? (float)((const uint8_t *)raw)[i] : ((const float *)raw)[i];
            y[turn ? p * C + c : i] = x * (float)net->scale[i / run] + (float)net->shift[i / run];
        }
}

static void run_linear(const rti_step *s, const float *x, float *y) {
    const int64_t D = s->in_shape[0] * s->in_shape[1] * s->in_shape[2], units = s->biases;
    for (int64_t u = 0; u < units; u++) {
        float sum = s->bias[u];
        for (int64_t d = 0; d < D; d++) sum += x[d] * s->weight[u * D + d];
        y[u] = sum;
    }
}

/* One output pixel: all filters. */
static void run_conv_pixel(const rti_step *s, const float *x, int64_t oy, int64_t ox, float *y) {
    const int64_t H = s->in_shape[0], W = s->in_shape[1], C = s->in_shape[2], F = s->shape[2];
    const int64_t G = s->groups, CG = C / G, FG = F / G;
    for (int64_t f = 0; f < F; f++) y[f] = s->bias[f];
    for (int64_t ky = 0; ky < s->kernel; ky++)
        for (int64_t kx = 0; kx < s->kernel; kx++) {
            const int64_t iy = oy * s->stride - s->padding + ky * s->dilation,
                          ix = ox * s->stride - s->padding + kx * s->dilation;
            if (iy < 0 || iy >= H || ix < 0 || ix >= W) continue;
            const float *w = s->weight + (ky * s->kernel + kx) * CG * F;
            for (int64_t c = 0; c < C; c++) {
                const float v = x[(iy * W + ix) * C + c];
                const int64_t first = c / CG * FG;
                for (int64_t f = first; f < first + FG; f++) y[f] += v * w[c % CG * F + f];
            }
        }
}

static void run_conv(const rti_step *s, const float *x, float *y) {
    for (int64_t oy = 0; oy < s->shape[0]; oy++)
        for (int64_t ox = 0; ox < s->shape[1]; ox++)
            run_conv_pixel(s, x, oy, ox, y + (oy * s->shape[1] + ox) * s->shape[2]);
}

static void run_global(const rti_step *s, const float *x, float *y) {
    const int64_t pixels = s->in_shape[0] * s->in_shape[1], C = s->in_shape[2];
    for (int64_t c = 0; c < C; c++) {
        float sum = 0;
        for (int64_t p = 0; p < pixels; p++) sum += x[p * C + c];
        y[c] = sum / (float)pixels;
    }
}

/* Padding counts as zeros for the mean, as in rt_avg_pool2d, and never wins a maximum. */
static void run_pool(const rti_step *s, const float *x, float *y) {
    const int64_t H = s->in_shape[0], W = s->in_shape[1], C = s->in_shape[2];
    const bool max = s->pool == RTI_POOL_MAX;
    if (s->pool == RTI_POOL_GLOBAL) {
        run_global(s, x, y);
        return;
    }
    for (int64_t oy = 0; oy < s->shape[0]; oy++)
        for (int64_t ox = 0; ox < s->shape[1]; ox++)
            for (int64_t c = 0; c < C; c++) {
                float best = max ? -INFINITY : 0;
                for (int64_t k = 0; k < (int64_t)s->kernel * s->kernel; k++) {
                    const int64_t iy = oy * s->stride - s->padding + k / s->kernel,
                                  ix = ox * s->stride - s->padding + k % s->kernel;
                    if (iy < 0 || iy >= H || ix < 0 || ix >= W) continue;
                    const float v = x[(iy * W + ix) * C + c];
                    if (!max)
                        best += v;
                    else if (v > best)
                        best = v;
                }
                y[(oy * s->shape[1] + ox) * C + c] = max ? best
                                                         : best / (float)((int64_t)s->kernel * s->kernel);
            }
}

static void run_shortcut(const rti_step *s, const float *x, float *y) {
    const int64_t W = s->in_shape[1], C = s->in_shape[2], F = s->shape[2], front = (F - C) / 2;
    for (int64_t oy = 0; oy < s->shape[0]; oy++)
        for (int64_t ox = 0; ox < s->shape[1]; ox++)
            for (int64_t f = 0; f < F; f++) {
                const int64_t c = f - front;
                y[(oy * s->shape[1] + ox) * F + f] = c < 0 || c >= C
                                                         ? 0
                                                         : x[(oy * s->stride * W + ox * s->stride) * C + c];
            }
}

static void run_plain(const rti_step *s, const float *x, float *y) {
    const int64_t count = rti_step_size(s), C = s->shape[2];
    for (int64_t i = 0; i < count; i++) {
        if (s->kind == RTI_STEP_AFFINE)
            y[i] = x[i] * s->weight[i % C] + s->bias[i % C];
        else if (s->kind == RTI_STEP_ACTIVATION)
            y[i] = (float)rti_activation_value(s->activation, (double)x[i]);
        else
            y[i] = x[i];
    }
}

const float *rti_net_run(const rti_net *net, const void *raw, float *scratch, rti_net_seen *seen,
                         void *context) {
    for (int i = 0; i < net->count; i++) {
        const rti_step *s = &net->steps[i];
        const float *x = scratch + net->steps[s->in == RTI_NO_STEP ? i : s->in].offset;
        float *y = scratch + s->offset;
        switch (s->kind) {
        case RTI_STEP_INPUT:
            run_input(net, s, raw, y);
            break;
        case RTI_STEP_LINEAR:
            run_linear(s, x, y);
            break;
        case RTI_STEP_CONV:
            run_conv(s, x, y);
            break;
        case RTI_STEP_POOL:
            run_pool(s, x, y);
            break;
        case RTI_STEP_SHORTCUT:
            run_shortcut(s, x, y);
            break;
        case RTI_STEP_AFFINE:
        case RTI_STEP_ADD:
        case RTI_STEP_ACTIVATION:
            run_plain(s, x, y);
            break;
        }
        const int64_t count = rti_step_size(s);
        const bool adds = s->second != RTI_NO_STEP;
        const float *r = scratch + net->steps[adds ? s->second : i].offset;
        for (int64_t k = 0; adds && k < count; k++) y[k] += r[k];
        for (int64_t k = 0; s->relu && k < count; k++)
            if (y[k] < 0) y[k] = 0;
        if (seen) seen(context, i, y, count);
    }
    return scratch + net->steps[net->count - 1].offset;
}
