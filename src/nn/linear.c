/* linear.c - the linear layer, y = act(x W^T + b), and activations by name.  Floor 6 (nn)
 *
 * W (units, D) and b (units) are the parameters "<name>.weight" and "<name>.bias". Bias and activation ride
 * on the product (rt_linear), unless somebody asked for what is ahead of the activation. */
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

static int64_t product(int ndim, const int64_t shape[]) {
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= shape[i];
    return count;
}

static rt_tensor *linear_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    rt_tensor *w = &model->parameters[layer->parameter].tensor;
    rt_tensor *b = layer->linear.bias ? &model->parameters[layer->parameter + 1].tensor : NULL;
    if (x && x->ndim != 2) x = rt_reshape(graph, x, 2, (const int64_t[]){x->shape[0], w->shape[1]});
    if (!layer->wants_before) return rt_linear(graph, x, w, b, layer->linear.activation);
    layer->before = rt_linear(graph, x, w, b, RT_ACT_NONE);
    return rti_activate(graph, layer->before, layer->linear.activation);
}

static void linear_init(rt_model *model, const rti_layer *layer, uint64_t seed) {
    const rti_linear *l = &layer->linear;
    char purpose[sizeof model->parameters->name + 8];
    for (int i = 0; i < layer->parameter_count; i++) {
        rt_parameter *p = &model->parameters[layer->parameter + i];
        snprintf(purpose, sizeof purpose, "init.%s", p->name);
        rt_rng stream = rt_rng_stream(seed, purpose, 0, 0);
        int64_t inputs = model->parameters[layer->parameter].tensor.shape[1],
                count = rt_tensor_count(&p->tensor);
        if (p->kind == RT_WEIGHT)
            rti_init_weights(l->init, inputs, layer->out[0], l->init_std, &stream, count,
                             rt_real_data(&p->tensor));
        else
            rti_init_biases(l->init, inputs, &stream, count, rt_real_data(&p->tensor));
    }
}

static int64_t linear_multiply_adds(const rti_layer *layer) {
    return product(layer->in_ndim, layer->in) * layer->out[0];
}

static void linear_describe(const rti_layer *layer, char *buffer, size_t size) {
    snprintf(buffer, size, "%s%s", rti_activation_names[layer->linear.activation],
             layer->linear.bias ? "" : " without bias");
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
    layer->out_ndim = 1;
    layer->out[0] = units;
    const int64_t shape[] = {units, product(layer->in_ndim, layer->in)};
    RT_TRY(rti_model_add_parameter(model, "weight", RT_WEIGHT, 2, shape, error));
    return linear->bias ? rti_model_add_parameter(model, "bias", RT_BIAS, 1, &units, error) : RT_OK;
}
