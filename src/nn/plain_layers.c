/* plain_layers.c - layers without weights: activation, sum, shapes, the shortcut, and the layer that only
 * owns a parameter.                                                    Floor 6 (nn) */
#include <stdio.h>
#include <string.h>

#include "nn/model.h"
#include "retort/image.h"

static void activation_describe(const rti_layer *layer, char *buffer, size_t size) {
    snprintf(buffer, size, "%s", rti_activation_names[layer->activation]);
}

/* ---- y = act(x) ---- */

static rt_tensor *activation_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    (void)model;
    layer->before = x;
    return rti_activate(graph, x, layer->activation);
}

const rti_layer_kind rti_layer_activation = {
    .name = "activation",
    .forward = activation_forward,
    .describe = activation_describe,
};

rt_status rti_model_add_activation(rt_model *model, const char *name, rt_activation activation,
                                   rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_activation, name, error);
    if (!layer) return RT_MEMORY;
    layer->activation = activation;
    layer->has_before = true;
    return RT_OK;
}

/* ---- y = act(a + b) ---- */

static rt_tensor *add_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    rt_tensor *other = rti_layer_second(model, layer);
    if (layer->activation == RT_ACT_RELU && !layer->wants_before) return rt_add_relu(graph, x, other);
    layer->before = rt_add(graph, x, other);
    return rti_activate(graph, layer->before, layer->activation);
}

const rti_layer_kind rti_layer_add = {
    .name = "add",
    .forward = add_forward,
    .describe = activation_describe,
};

rt_status rti_model_add_sum(rt_model *model, const char *name, const char *other, rt_activation activation,
                            rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_add, name, error);
    if (!layer) return RT_MEMORY;
    layer->activation = activation;
    layer->has_before = true;
    rti_model_add_second(model, other);
    const rti_layer *second = layer->second == RTI_INPUT ? NULL : &model->layers[layer->second];
    const int64_t *shape = second ? second->out : model->input_shape;
    const int ndim = second ? second->out_ndim : model->input_ndim;
    RT_ASSERT(ndim == layer->in_ndim && memcmp(shape, layer->in, (size_t)ndim * sizeof *shape) == 0,
              "layer %s adds %s, which has another shape", name, other);
    return RT_OK;
}

/* ---- shapes ---- */

static rt_tensor *flatten_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    (void)model;
    return rt_reshape(graph, x, 2, (const int64_t[]){x->shape[0], layer->out[0]});
}

const rti_layer_kind rti_layer_flatten = {.name = "flatten", .forward = flatten_forward};

rt_status rti_model_add_flatten(rt_model *model, const char *name, rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_flatten, name, error);
    if (!layer) return RT_MEMORY;
    layer->out[0] = rti_product(layer->in_ndim, layer->in);
    layer->out_ndim = 1;
    return RT_OK;
}

static rt_tensor *channels_last_forward(const rt_model *model, rti_layer *layer, rt_graph *graph,
                                        rt_tensor *x) {
    (void)model;
    const int64_t *out = layer->out;
    if (layer->in_ndim == 3) return rt_channels_last(graph, x);
    return rt_reshape(graph, x, 4, (const int64_t[]){x->shape[0], out[0], out[1], 1});
}

const rti_layer_kind rti_layer_channels_last = {.name = "channels-last", .forward = channels_last_forward};

rt_status rti_model_add_channels_last(rt_model *model, rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_channels_last, "image", error);
    if (!layer) return RT_MEMORY;
    if (layer->in_ndim != 2 && layer->in_ndim != 3)
        return rt_fail(error, RT_SPEC,
                       "It needs images (channels, height, width); \"mlp\" takes examples of any shape.");
    const bool flat = layer->in_ndim == 2;
    layer->out[0] = layer->in[flat ? 0 : 1];
    layer->out[1] = layer->in[flat ? 1 : 2];
    layer->out[2] = flat ? 1 : layer->in[0];
    layer->out_ndim = 3;
    return RT_OK;
}

/* ---- the shortcut without parameters ---- */

/* Channels are padded as if they were the rows of images one pixel wide. */
static rt_tensor *shortcut_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    (void)model;
    const int64_t *out = layer->out, pixels = x->shape[0] * out[0] * out[1], channels = layer->in[2];
    const int more = (int)(out[2] - channels);
    if (layer->shortcut_stride > 1) x = rt_avg_pool2d(graph, x, 1, layer->shortcut_stride, 0);
    x = rt_reshape(graph, x, 4, (const int64_t[]){pixels, channels, 1, 1});
    x = rt_pad2d(graph, x, more / 2, more - more / 2, 0, 0, 0);
    return rt_reshape(graph, x, 4, (const int64_t[]){pixels / (out[0] * out[1]), out[0], out[1], out[2]});
}

static void shortcut_describe(const rti_layer *layer, char *buffer, size_t size) {
    snprintf(buffer, size, "stride %d", layer->shortcut_stride);
}

const rti_layer_kind rti_layer_shortcut = {
    .name = "shortcut",
    .forward = shortcut_forward,
    .describe = shortcut_describe,
};

rt_status rti_model_add_shortcut(rt_model *model, const char *name, int stride, int64_t channels,
                                 rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_shortcut, name, error);
    if (!layer) return RT_MEMORY;
    RT_TRY(rti_layer_wants_image(layer, error));
    RT_ASSERT(stride >= 1 && channels >= layer->in[2], "layer %s: stride %d, %lld channels", name, stride,
              (long long)channels);
    layer->shortcut_stride = stride;
    for (int i = 0; i < 2; i++) layer->out[i] = (layer->in[i] - 1) / stride + 1;
    layer->out[2] = channels;
    return RT_OK;
}

/* ---- a parameter ---- */

static rt_tensor *free_parameter_forward(const rt_model *model, rti_layer *layer, rt_graph *graph,
                                         rt_tensor *x) {
    (void)model, (void)layer, (void)graph;
    return x;
}

static void free_parameter_init(rt_model *model, const rti_layer *layer, uint64_t seed) {
    (void)seed;
    rt_tensor *t = &model->parameters[layer->parameter].tensor;
    const int64_t count = rt_tensor_count(t);
    for (int64_t i = 0; i < count; i++) rt_real_data(t)[i] = (rt_real)layer->initial;
}

const rti_layer_kind rti_layer_free_parameter = {
    .name = "parameter",
    .forward = free_parameter_forward,
    .init = free_parameter_init,
};

rt_status rti_model_add_free_parameter(rt_model *model, const char *name, rt_parameter_kind kind, int ndim,
                                       const int64_t shape[], double initial, rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_free_parameter, name, error);
    if (!layer) return RT_MEMORY;
    layer->initial = initial;
    return rti_model_add_parameter(model, NULL, kind, ndim, shape, error);
}
