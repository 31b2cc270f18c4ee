/* batch_norm_layer.c - batch normalisation.                            Floor 6 (nn)
 *
 *     y = act( scale (x - m) / sqrt(v + epsilon) + bias + residual )
 *
 * Scale and bias are trained; the running statistics are buffers: they lie in the model's block, are saved,
 * hashed and copied with the weights, and move in each forward in training. */
#include <stdio.h>

#include "nn/model.h"
#include "retort/image.h"

enum { SCALE, BIAS, MEAN, VARIANCE };

static rt_tensor *batch_norm_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    const rti_batch_norm *b = &layer->batch_norm;
    rt_parameter *p = &model->parameters[layer->parameter];
    const rt_batch_norm_how how = {.running_mean = &p[MEAN].tensor,
                                   .running_variance = &p[VARIANCE].tensor,
                                   .momentum = b->momentum,
                                   .epsilon = b->epsilon,
                                   .training = model->training};
    rt_tensor *residual = rti_layer_second(model, layer);
    rt_tensor *scale = &p[SCALE].tensor, *bias = &p[BIAS].tensor;
    if (!layer->wants_before) return rt_batch_norm(graph, x, scale, bias, residual, &how, b->activation);
    layer->before = rt_batch_norm(graph, x, scale, bias, residual, &how, RT_ACT_NONE);
    return rti_activate(graph, layer->before, b->activation);
}

static void batch_norm_init(rt_model *model, const rti_layer *layer, uint64_t seed) {
    (void)seed;
    static const rt_real start[] = {[SCALE] = 1, [BIAS] = 0, [MEAN] = 0, [VARIANCE] = 1};
    for (int i = SCALE; i <= VARIANCE; i++) {
        rt_tensor *t = &model->parameters[layer->parameter + i].tensor;
        for (int64_t c = 0; c < t->shape[0]; c++) rt_real_data(t)[c] = start[i];
    }
}

static void batch_norm_describe(const rti_layer *layer, char *buffer, size_t size) {
    snprintf(buffer, size, "epsilon %g %s", layer->batch_norm.epsilon,
             rti_activation_names[layer->batch_norm.activation]);
}

const rti_layer_kind rti_layer_batch_norm = {
    .name = "batch-norm",
    .forward = batch_norm_forward,
    .init = batch_norm_init,
    .describe = batch_norm_describe,
    .is_batch_norm = true,
};

rt_status rti_model_add_batch_norm(rt_model *model, const char *name, const rti_batch_norm *how,
                                   rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_batch_norm, name, error);
    if (!layer) return RT_MEMORY;
    layer->batch_norm = how ? *how : (rti_batch_norm){0};
    rti_batch_norm *b = &layer->batch_norm;
    if (b->momentum == 0) b->momentum = 0.1;
    if (b->epsilon == 0) b->epsilon = 1e-5;
    RT_ASSERT(b->activation == RT_ACT_NONE || b->activation == RT_ACT_RELU,
              "layer %s: batch normalisation goes with relu or nothing", name);
    if (b->residual) rti_model_add_second(model, b->residual);
    b->residual = NULL; /* it was the caller's text */
    layer->has_before = true;
    const int64_t channels = layer->in[layer->in_ndim - 1];
    RT_TRY(rti_model_add_parameter(model, "scale", RT_SCALE, 1, &channels, error));
    RT_TRY(rti_model_add_parameter(model, "bias", RT_BIAS, 1, &channels, error));
    RT_TRY(rti_model_add_parameter(model, "running_mean", RT_BUFFER, 1, &channels, error));
    return rti_model_add_parameter(model, "running_variance", RT_BUFFER, 1, &channels, error);
}
