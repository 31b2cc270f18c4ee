/* linear.c - the linear layer, y = act(x W^T + b).                      Floor 6 (nn)
 *
 * W (units, D) and b (units) are the parameters "<name>.weight" and "<name>.bias". Bias and activation ride
 * on the product (rt_linear), unless somebody asked for what is ahead of the activation. */
#include <stdio.h>
#include <string.h>

#include "nn/model.h"

static rt_tensor *linear_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    rt_tensor *w = &model->parameters[layer->parameter].tensor;
    rt_tensor *b = layer->linear.bias ? &model->parameters[layer->parameter + 1].tensor : NULL;
    if (x && x->ndim != 2) x = rt_reshape(graph, x, 2, (const int64_t[]){x->shape[0], w->shape[1]});
    if (layer->linear.int8) w = rti_int8_weights(graph, w, 0);
    else if (model->packed && !rti_is_recording(graph)) w = &model->packed[layer - model->layers];
    const bool alone = layer->wants_before; /* the activation is a step of its own */
    const rt_activation activation = alone ? RT_ACT_NONE : layer->linear.activation;
    rt_tensor *y = (layer->linear.bf16 ? rt_linear_bf16 : rt_linear)(graph, x, w, b, activation);
    if (!alone) return y;
    layer->before = y;
    return rti_activate(graph, layer->before, layer->linear.activation);
}

static void linear_init(rt_model *model, const rti_layer *layer, uint64_t seed) {
    const rti_linear *l = &layer->linear;
    rti_layer_draw(model, layer, l->init, l->init_std, rti_product(layer->in_ndim, layer->in), layer->out[0],
                   seed);
    if (!l->bias || !l->zero_bias) return;
    memset(model->parameters[layer->parameter + 1].tensor.data, 0, (size_t)layer->out[0] * sizeof(rt_real));
}

static int64_t linear_multiply_adds(const rti_layer *layer) {
    return rti_product(layer->in_ndim, layer->in) * layer->out[0];
}

static void linear_describe(const rti_layer *layer, char *buffer, size_t size) {
    snprintf(buffer, size, "%s%s%s", rti_activation_names[layer->linear.activation],
             layer->linear.bias ? "" : " without bias", layer->linear.int8 ? " int8" : "");
}

const rti_layer_kind rti_layer_linear = {
    .name = "linear",
    .forward = linear_forward,
    .init = linear_init,
    .multiply_adds = linear_multiply_adds,
    .describe = linear_describe,
    .is_tap = true,
};

rt_status rti_model_add_linear(rt_model *model, const char *name, int64_t units, const rti_linear *linear,
                               rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_linear, name, error);
    if (!layer) return RT_MEMORY;
    layer->linear = *linear;
    layer->has_before = true;
    layer->out_ndim = 1;
    layer->out[0] = units;
    const int64_t shape[] = {units, rti_product(layer->in_ndim, layer->in)};
    RT_TRY(rti_model_add_parameter(model, "weight", RT_WEIGHT, 2, shape, error));
    return linear->bias ? rti_model_add_parameter(model, "bias", RT_BIAS, 1, &units, error) : RT_OK;
}
