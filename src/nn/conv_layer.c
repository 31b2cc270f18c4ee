/* conv_layer.c - convolution and its transpose.                        Floor 6 (nn)
 *
 * "<name>.weight" is (K, K, C/groups, F), "<name>.bias" (F). Bias and activation ride on the product, unless
 * somebody asked for what is ahead of the activation. The transpose reads F channels and says C of them; its
 * weights have the same order, so that it is the gradient of the convolution with these weights. */
#include <stdio.h>

#include "nn/model.h"
#include "retort/image.h"

static rt_conv how(const rti_conv *c) {
    return (rt_conv){
        .stride = c->stride, .padding = c->padding, .dilation = c->dilation, .groups = c->groups};
}

/* ---- convolution ---- */

static rt_tensor *conv_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    const rti_conv *c = &layer->conv;
    const rt_conv settings = how(c);
    rt_tensor *k = &model->parameters[layer->parameter].tensor;
    rt_tensor *b = c->bias ? &model->parameters[layer->parameter + 1].tensor : NULL;
    if (c->int8) k = rti_int8_weights(graph, k, 3);
    if (!layer->wants_before) return rt_conv2d(graph, x, k, b, &settings, c->activation);
    layer->before = rt_conv2d(graph, x, k, b, &settings, RT_ACT_NONE);
    return rti_activate(graph, layer->before, c->activation);
}

static void conv_init(rt_model *model, const rti_layer *layer, uint64_t seed) {
    const rti_conv *c = &layer->conv;
    const int64_t area = (int64_t)c->kernel * c->kernel;
    rti_layer_draw(model, layer, c->init, c->init_std, area * layer->in[2] / c->groups,
                   area * layer->out[2] / c->groups, seed);
}

static int64_t conv_multiply_adds(const rti_layer *layer) {
    const rti_conv *c = &layer->conv;
    return rti_product(3, layer->out) * c->kernel * c->kernel * (layer->in[2] / c->groups);
}

static void conv_describe(const rti_layer *layer, char *buffer, size_t size) {
    const rti_conv *c = &layer->conv;
    snprintf(buffer, size, "%dx%d stride %d padding %d dilation %d groups %d %s%s%s", c->kernel, c->kernel,
             c->stride, c->padding, c->dilation, c->groups, rti_activation_names[c->activation],
             c->bias ? "" : " without bias", c->int8 ? " int8" : "");
}

const rti_layer_kind rti_layer_conv = {
    .name = "conv",
    .forward = conv_forward,
    .init = conv_init,
    .multiply_adds = conv_multiply_adds,
    .describe = conv_describe,
};

/* A new layer with the settings filled in; NULL and *error: RT_MEMORY, RT_SPEC. */
static rti_layer *add(rt_model *model, const rti_layer_kind *kind, const char *name, const rti_conv *conv,
                      rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, kind, name, error);
    if (!layer || rti_layer_wants_image(layer, error) != RT_OK) return NULL;
    rti_conv *c = &layer->conv;
    *c = *conv;
    if (c->stride == 0) c->stride = 1;
    if (c->dilation == 0) c->dilation = 1;
    if (c->groups == 0) c->groups = 1;
    RT_ASSERT(c->kernel >= 1 && c->stride >= 1 && c->dilation >= 1 && c->padding >= 0 && c->groups >= 1,
              "layer %s: kernel %d, stride %d, dilation %d, padding %d, groups %d", name, c->kernel,
              c->stride, c->dilation, c->padding, c->groups);
    layer->has_before = c->activation != RT_ACT_NONE;
    return layer;
}

/* The parameters of the last layer; units: the axis its outputs lie on. */
static rt_status add_parameters(rt_model *model, const int64_t shape[4], int units, bool bias,
                                rt_error *error) {
    RT_TRY(rti_model_add_parameter(model, "weight", RT_WEIGHT, 4, shape, error));
    model->parameters[model->parameter_count - 1].unit_axis = units;
    return bias ? rti_model_add_parameter(model, "bias", RT_BIAS, 1, &shape[units], error) : RT_OK;
}

rt_status rti_model_add_conv(rt_model *model, const char *name, int64_t filters, const rti_conv *conv,
                             rt_error *error) {
    rti_layer *layer = add(model, &rti_layer_conv, name, conv, error);
    if (!layer) return error ? error->status : RT_SPEC;
    const rti_conv *c = &layer->conv;
    const int64_t channels = layer->in[2];
    if (channels % c->groups != 0 || filters % c->groups != 0)
        return rt_fail(error, RT_SPEC, "Layer %s: %d groups divide not both %lld channels and %lld filters.",
                       name, c->groups, (long long)channels, (long long)filters);
    const int64_t reach = (int64_t)c->dilation * (c->kernel - 1) + 1;
    for (int i = 0; i < 2; i++) {
        const int64_t room = layer->in[i] + 2 * c->padding - reach;
        if (room < 0)
            return rt_fail(error, RT_SPEC,
                           "Layer %s: a kernel over %lld pixels does not fit on %lld x %lld pixels.", name,
                           (long long)reach, (long long)layer->in[0], (long long)layer->in[1]);
        layer->out[i] = room / c->stride + 1;
    }
    layer->out[2] = filters;
    return add_parameters(model, (const int64_t[]){c->kernel, c->kernel, channels / c->groups, filters}, 3,
                          c->bias, error);
}

/* ---- its transpose ---- */

static rt_tensor *conv_transpose_forward(const rt_model *model, rti_layer *layer, rt_graph *graph,
                                         rt_tensor *x) {
    const rti_conv *c = &layer->conv;
    const rt_conv settings = how(c);
    rt_tensor *k = &model->parameters[layer->parameter].tensor;
    rt_tensor *b = c->bias ? &model->parameters[layer->parameter + 1].tensor : NULL;
    if (!layer->wants_before) return rt_conv_transpose2d(graph, x, k, b, &settings, c->activation);
    layer->before = rt_conv_transpose2d(graph, x, k, b, &settings, RT_ACT_NONE);
    return rti_activate(graph, layer->before, c->activation);
}

/* Every pixel of x is spread over a kernel. */
static int64_t conv_transpose_multiply_adds(const rti_layer *layer) {
    const rti_conv *c = &layer->conv;
    return rti_product(3, layer->in) * c->kernel * c->kernel * layer->out[2];
}

const rti_layer_kind rti_layer_conv_transpose = {
    .name = "conv-transpose",
    .forward = conv_transpose_forward,
    .init = conv_init,
    .multiply_adds = conv_transpose_multiply_adds,
    .describe = conv_describe,
};

rt_status rti_model_add_conv_transpose(rt_model *model, const char *name, int64_t channels,
                                       const rti_conv *conv, rt_error *error) {
    rti_layer *layer = add(model, &rti_layer_conv_transpose, name, conv, error);
    if (!layer) return error ? error->status : RT_SPEC;
    const rti_conv *c = &layer->conv;
    RT_ASSERT(c->groups == 1, "layer %s: a transpose has one group", name);
    for (int i = 0; i < 2; i++) {
        layer->out[i] = (layer->in[i] - 1) * c->stride - 2 * c->padding;
        layer->out[i] += (int64_t)c->dilation * (c->kernel - 1) + 1;
        if (layer->out[i] < 1)
            return rt_fail(error, RT_SPEC, "Layer %s: nothing is left of %lld pixels with padding %d.", name,
                           (long long)layer->in[i], c->padding);
    }
    layer->out[2] = channels;
    return add_parameters(model, (const int64_t[]){c->kernel, c->kernel, channels, layer->in[2]}, 2, c->bias,
                          error);
}
