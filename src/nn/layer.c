/* layer.c - what several kinds of layers share.                        Floor 6 (nn) */
#include <stdio.h>
#include <string.h>

#include "nn/model.h"

const char *const rti_activation_names[] = {
    [RT_ACT_NONE] = "none",       [RT_ACT_RELU] = "relu",         [RT_ACT_LEAKY_RELU] = "leaky-relu",
    [RT_ACT_TANH] = "tanh",       [RT_ACT_SIGMOID] = "sigmoid",   [RT_ACT_SOFTPLUS] = "softplus",
    [RT_ACT_GELU] = "gelu",
};

rt_activation rti_activation_find(const char *name) {
    for (int i = RT_ACT_NONE; i <= RT_ACT_GELU; i++)
        if (strcmp(rti_activation_names[i], name) == 0) return (rt_activation)i;
    RT_ASSERT(false, "there is no activation \"%s\"", name);
    return RT_ACT_NONE;
}

rt_tensor *rti_activate(rt_graph *graph, rt_tensor *x, rt_activation activation) {
    switch (activation) {
    case RT_ACT_NONE: return x;
    case RT_ACT_RELU: return rt_relu(graph, x);
    case RT_ACT_LEAKY_RELU: return rt_leaky_relu(graph, x, RT_LEAKY_SLOPE);
    case RT_ACT_TANH: return rt_tanh(graph, x);
    case RT_ACT_SIGMOID: return rt_sigmoid(graph, x);
    case RT_ACT_SOFTPLUS: return rt_softplus(graph, x);
    case RT_ACT_GELU: return rt_gelu(graph, x);
    }
    return NULL;
}

int64_t rti_product(int ndim, const int64_t shape[]) {
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= shape[i];
    return count;
}

void rti_layer_draw(rt_model *model, const rti_layer *layer, rti_init law, double init_std, int64_t inputs,
                    int64_t units, uint64_t seed) {
    char purpose[sizeof model->parameters->name + 8];
    for (int i = 0; i < layer->parameter_count; i++) {
        rt_parameter *p = &model->parameters[layer->parameter + i];
        snprintf(purpose, sizeof purpose, "init.%s", p->name);
        rt_rng stream = rt_rng_stream(seed, purpose, 0, 0);
        int64_t count = rt_tensor_count(&p->tensor);
        if (p->kind == RT_WEIGHT)
            rti_init_weights(law, inputs, units, init_std, &stream, count, rt_real_data(&p->tensor));
        else
            rti_init_biases(law, inputs, &stream, count, rt_real_data(&p->tensor));
    }
}

rt_status rti_layer_wants_image(const rti_layer *layer, rt_error *error) {
    if (layer->in_ndim == 3) return RT_OK;
    rt_tensor in = {.ndim = layer->in_ndim};
    char text[RT_SHAPE_TEXT];
    memcpy(in.shape, layer->in, sizeof in.shape);
    return rt_fail(error, RT_SPEC, "Layer %s needs an image (H, W, C), it is given %s.", layer->name,
                   rt_shape_text(&in, text));
}
