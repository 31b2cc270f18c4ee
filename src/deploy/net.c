/* net.c - from a model's layers to steps. See net.h.                   Floor 7 (deploy) */
#include "deploy/net.h"

#include <math.h>
#include <string.h>

#include "retort/alloc.h"

typedef struct builder {
    const rt_model *model;
    rti_net *net;
    int *step_of;    /* (layers) the step whose output is the layer's, or RTI_NO_STEP */
    int *readers;    /* (layers) how many layers read it */
    bool *postponed; /* (layers) a product that becomes a step together with its only reader */
    int64_t used;    /* of the block */
} builder;

void rti_net_free(rti_net *net) {
    if (!net) return;
    rt_free(net->steps);
    rt_free(net->block);
    rt_free(net->scale);
    rt_free(net);
}

/* ---- shapes ---- */

static void shape_of(int ndim, const int64_t shape[], int64_t out[3]) {
    out[0] = ndim == 3 ? shape[0] : 1;
    out[1] = ndim == 3 ? shape[1] : 1;
    out[2] = ndim == 3 ? shape[2] : rti_product(ndim, shape);
}

static bool is_kind(const rti_layer *layer, const rti_layer_kind *kind) { return layer->kind == kind; }

/* Hands on what it reads; its numbers and their order are the same. */
static bool is_transparent(const rti_layer *layer) {
    return is_kind(layer, &rti_layer_dropout) || is_kind(layer, &rti_layer_flatten) ||
           is_kind(layer, &rti_layer_free_parameter) || is_kind(layer, &rti_layer_channels_last);
}

static bool is_product(const rti_layer *layer) {
    return is_kind(layer, &rti_layer_linear) || is_kind(layer, &rti_layer_conv);
}

static rt_activation activation_of(const rti_layer *layer) {
    if (is_kind(layer, &rti_layer_linear)) return layer->linear.activation;
    if (is_kind(layer, &rti_layer_conv)) return layer->conv.activation;
    if (is_kind(layer, &rti_layer_batch_norm)) return layer->batch_norm.activation;
    if (is_kind(layer, &rti_layer_add) || is_kind(layer, &rti_layer_activation)) return layer->activation;
    return RT_ACT_NONE;
}

/* ---- numbers ---- */

static const rt_real *parameter(const builder *b, const rti_layer *layer, int i) {
    return rt_real_data(&b->model->parameters[layer->parameter + i].tensor);
}

static float *take(builder *b, int64_t count) {
    float *at = b->net->block + b->used;
    b->used += count;
    return at;
}

/* The units lie on the first axis of a linear layer's weights and on the last of a convolution's. */
static int64_t unit_of(const rti_step *step, int64_t i) {
    return step->kind == RTI_STEP_LINEAR ? i / (step->weights / step->biases) : i % step->biases;
}

/* scale and shift of batch normalisation in evaluation, channel c. */
static void norm_constants(const builder *b, const rti_layer *norm, int64_t c, double *scale, double *shift) {
    const double gamma = (double)parameter(b, norm, 0)[c], beta = (double)parameter(b, norm, 1)[c],
                 mean = (double)parameter(b, norm, 2)[c], variance = (double)parameter(b, norm, 3)[c];
    *scale = gamma / sqrt(variance + norm->batch_norm.epsilon);
    *shift = beta - mean * *scale;
}

static void product_numbers(builder *b, rti_step *step, const rti_layer *product, const rti_layer *norm) {
    const bool has_bias = product->parameter_count > 1;
    step->weight = take(b, step->weights);
    step->bias = take(b, step->biases);
    for (int64_t i = 0; i < step->weights; i++) {
        double scale = 1, shift;
        if (norm) norm_constants(b, norm, unit_of(step, i), &scale, &shift);
        step->weight[i] = (float)((double)parameter(b, product, 0)[i] * scale);
    }
    for (int64_t u = 0; u < step->biases; u++) {
        double scale = 1, shift = 0;
        if (norm) norm_constants(b, norm, u, &scale, &shift);
        step->bias[u] = (float)((has_bias ? (double)parameter(b, product, 1)[u] : 0) * scale + shift);
    }
}

static void affine_numbers(builder *b, rti_step *step, const rti_layer *norm) {
    step->weight = take(b, step->weights);
    step->bias = take(b, step->biases);
    for (int64_t c = 0; c < step->weights; c++) {
        double scale, shift;
        norm_constants(b, norm, c, &scale, &shift);
        step->weight[c] = (float)scale;
        step->bias[c] = (float)shift;
    }
}

/* ---- steps ---- */

static rti_step *add(builder *b, rti_step_kind kind, const rti_layer *layer, int in, int second) {
    rti_step *step = &b->net->steps[b->net->count++];
    *step = (rti_step){.kind = kind, .in = in, .second = second, .groups = 1, .stride = 1, .dilation = 1};
    memcpy(step->name, layer->name, sizeof step->name);
    shape_of(layer->in_ndim, layer->in, step->in_shape);
    shape_of(layer->out_ndim, layer->out, step->shape);
    return step;
}

/* relu is part of its step; other activations are steps of their own. */
static void add_activation(builder *b, rt_activation activation, const rti_layer *layer) {
    rti_step *last = &b->net->steps[b->net->count - 1];
    if (activation == RT_ACT_RELU) last->relu = true;
    if (activation == RT_ACT_NONE || activation == RT_ACT_RELU) return;
    rti_step *step = add(b, RTI_STEP_ACTIVATION, layer, b->net->count - 1, RTI_NO_STEP);
    memcpy(step->in_shape, step->shape, sizeof step->shape);
    step->activation = activation;
}

static int step_of(const builder *b, int layer) { return layer == RTI_INPUT ? 0 : b->step_of[layer]; }

/* Through layers that only hand on. */
static int real_source(const builder *b, int layer) {
    while (layer >= 0 && is_transparent(&b->model->layers[layer])) layer = b->model->layers[layer].source;
    return layer;
}

static void add_product(builder *b, const rti_layer *product, const rti_layer *norm, const rti_layer *shown,
                        int second) {
    const bool linear = is_kind(product, &rti_layer_linear);
    rti_step *step = add(b, linear ? RTI_STEP_LINEAR : RTI_STEP_CONV, product, step_of(b, product->source),
                         second);
    memcpy(step->name, shown->name, sizeof step->name);
    step->weights = rt_tensor_count(&b->model->parameters[product->parameter].tensor);
    step->biases = step->shape[2];
    if (!linear) {
        const rti_conv *c = &product->conv;
        step->kernel = c->kernel;
        step->stride = c->stride;
        step->padding = c->padding;
        step->dilation = c->dilation;
        step->groups = c->groups;
    }
    product_numbers(b, step, product, norm);
}

/* The product that may be joined with its only reader, or NULL. */
static const rti_layer *joined(const builder *b, int source) {
    source = real_source(b, source);
    return source >= 0 && b->postponed[source] ? &b->model->layers[source] : NULL;
}

static void add_norm(builder *b, const rti_layer *layer, int second) {
    const rti_layer *product = joined(b, layer->source);
    if (product) {
        add_product(b, product, layer, layer, second);
        return;
    }
    rti_step *step = add(b, RTI_STEP_AFFINE, layer, step_of(b, layer->source), second);
    step->weights = step->biases = step->shape[2];
    affine_numbers(b, step, layer);
}

static rt_status add_pool(builder *b, const rti_layer *layer, rt_error *error) {
    const rti_pool *p = &layer->pool;
    if (p->kind == RTI_POOL_ADAPTIVE_MAX || p->kind == RTI_POOL_ADAPTIVE_AVG)
        return rt_fail(error, RT_UNSUPPORTED,
                       "layer %s: pooling to a fixed number of cells has no form for "
                       "deployment",
                       layer->name);
    rti_step *step = add(b, RTI_STEP_POOL, layer, step_of(b, layer->source), RTI_NO_STEP);
    step->pool = p->kind;
    step->kernel = p->size;
    step->stride = p->stride;
    step->padding = p->padding;
    return RT_OK;
}

static rt_status add_layer(builder *b, int i, rt_error *error) {
    const rti_layer *layer = &b->model->layers[i];
    const int second = layer->second == RTI_NO_LAYER ? RTI_NO_STEP : step_of(b, layer->second);
    if (b->postponed[i]) return RT_OK;
    if (is_transparent(layer)) {
        b->step_of[i] = step_of(b, layer->source);
        const int source = real_source(b, layer->source);
        if (source >= 0 && b->postponed[source])
            b->step_of[i] = RTI_NO_STEP; /* its reader asks the product */
        return RT_OK;
    }
    if (is_product(layer))
        add_product(b, layer, NULL, layer, RTI_NO_STEP);
    else if (is_kind(layer, &rti_layer_batch_norm))
        add_norm(b, layer, second);
    else if (is_kind(layer, &rti_layer_add)) {
        const rti_layer *product = joined(b, layer->source);
        if (product)
            add_product(b, product, NULL, layer, second);
        else
            add(b, RTI_STEP_ADD, layer, step_of(b, layer->source), second);
    } else if (is_kind(layer, &rti_layer_pool))
        RT_TRY(add_pool(b, layer, error));
    else if (is_kind(layer, &rti_layer_shortcut))
        add(b, RTI_STEP_SHORTCUT, layer, step_of(b, layer->source), RTI_NO_STEP)->stride =
            layer->shortcut_stride;
    else if (is_kind(layer, &rti_layer_activation)) {
        rti_step *step = add(b, RTI_STEP_ACTIVATION, layer, step_of(b, layer->source), RTI_NO_STEP);
        step->activation = layer->activation;
    } else
        return rt_fail(error, RT_UNSUPPORTED, "layer %s (%s) has no form for deployment", layer->name,
                       layer->kind->name);
    if (!is_kind(layer, &rti_layer_activation)) add_activation(b, activation_of(layer), layer);
    b->step_of[i] = b->net->count - 1;
    return RT_OK;
}

/* ---- who reads what ---- */

/* A product without activation whose only reader normalises it, or adds to it what is computed by then. */
static void find_joined(builder *b) {
    const rt_model *m = b->model;
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *layer = &m->layers[i];
        if (is_transparent(layer)) continue;
        const int source = real_source(b, layer->source), second = real_source(b, layer->second);
        if (source >= 0) b->readers[source]++;
        if (layer->second != RTI_NO_LAYER && second >= 0) b->readers[second]++;
    }
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *layer = &m->layers[i];
        if (!is_kind(layer, &rti_layer_batch_norm) && !is_kind(layer, &rti_layer_add)) continue;
        const int source = real_source(b, layer->source);
        if (source < 0 || b->readers[source] != 1 || !is_product(&m->layers[source]) ||
            activation_of(&m->layers[source]) != RT_ACT_NONE)
            continue;
        if (layer->second != RTI_NO_LAYER && real_source(b, layer->second) == source) continue;
        b->postponed[source] = true;
    }
}

/* ---- scratch ---- */

static void find_last_readers(rti_net *net) {
    for (int i = 0; i < net->count; i++) {
        rti_step *step = &net->steps[i];
        step->last_reader = i;
        if (step->in != RTI_NO_STEP) net->steps[step->in].last_reader = i;
        if (step->second != RTI_NO_STEP) net->steps[step->second].last_reader = i;
    }
    net->steps[net->count - 1].last_reader = net->count;
}

/* Each step takes the lowest place that is free of those alive with it: first fit, in order. Offsets are
 * multiples of 16 elements. */
static void place(rti_net *net) {
    enum { GRAIN = 16 };
    for (int i = 0; i < net->count; i++) {
        rti_step *step = &net->steps[i];
        const int64_t size = rti_step_size(step);
        bool moved = true;
        step->offset = 0;
        while (moved) {
            moved = false;
            for (int k = 0; k < i; k++) {
                const rti_step *other = &net->steps[k];
                const int64_t end = other->offset + (rti_step_size(other) + GRAIN - 1) / GRAIN * GRAIN;
                if (other->last_reader < i || step->offset >= end || step->offset + size <= other->offset)
                    continue;
                step->offset = end;
                moved = true;
            }
        }
        if (step->offset + size > net->scratch) net->scratch = step->offset + size;
    }
}

/* ---- all of it ---- */

static rt_status take_form(rti_net *net, const rt_model *model, const rt_input_form *form, rt_error *error) {
    const int ndim = model->input_ndim;
    const int64_t *s = model->input_shape;
    net->raw_shape[0] = ndim == 3 ? s[0] : ndim == 2 ? 1 : model->features;
    net->raw_shape[1] = ndim == 3 ? s[1] : ndim == 2 ? s[0] : 1;
    net->raw_shape[2] = ndim == 3 ? s[2] : ndim == 2 ? s[1] : 1;
    if (form && !rt_input_form_fits(form, ndim, s))
        return rt_fail(error, RT_SHAPE, "the form of the input has %lld entries and does not fit the network",
                       (long long)form->count);
    net->bytes = form && form->bytes;
    net->form_count = form ? form->count : 1;
    net->scale = rt_alloc(2 * (size_t)net->form_count * sizeof *net->scale);
    if (!net->scale) return rt_fail(error, RT_MEMORY, "no memory for the form of the input");
    net->shift = net->scale + net->form_count;
    for (int64_t i = 0; i < net->form_count; i++) {
        net->scale[i] = form ? form->scale[i] : 1;
        net->shift[i] = form ? form->shift[i] : 0;
    }
    return RT_OK;
}

static void add_input(builder *b) {
    rti_step *step = &b->net->steps[b->net->count++];
    const int64_t *raw = b->net->raw_shape;
    const bool image = b->model->layer_count > 0 && is_kind(&b->model->layers[0], &rti_layer_channels_last);
    *step = (rti_step){.kind = RTI_STEP_INPUT, .name = "input", .in = RTI_NO_STEP, .second = RTI_NO_STEP};
    step->shape[0] = step->shape[1] = 1;
    step->shape[2] = b->model->features;
    if (image) {
        step->shape[0] = raw[1];
        step->shape[1] = raw[2];
        step->shape[2] = raw[0];
    }
    memcpy(step->in_shape, step->shape, sizeof step->shape);
}

static rt_status build(builder *b, rt_error *error) {
    const rt_model *m = b->model;
    find_joined(b);
    add_input(b);
    for (int i = 0; i < m->layer_count; i++) RT_TRY(add_layer(b, i, error));
    rti_net *net = b->net;
    for (int i = 0; i < net->count; i++) {
        net->parameters += net->steps[i].weights + net->steps[i].biases;
        RT_ASSERT(net->steps[i].kind == RTI_STEP_INPUT || net->steps[i].in != RTI_NO_STEP,
                  "step %s reads nothing", net->steps[i].name);
    }
    find_last_readers(net);
    place(net);
    return RT_OK;
}

rti_net *rti_net_new(const rt_model *model, const rt_input_form *form, rt_error *error) {
    const size_t layers = (size_t)model->layer_count;
    builder b = {.model = model, .net = rt_alloc_zero(1, sizeof *b.net)};
    b.step_of = rt_alloc_zero(layers + 1, 2 * sizeof *b.step_of);
    b.postponed = rt_alloc_zero(layers + 1, sizeof *b.postponed);
    rt_status status = RT_MEMORY;
    if (b.net && b.step_of && b.postponed) {
        b.readers = b.step_of + layers;
        b.net->steps = rt_alloc_zero(2 * layers + 1, sizeof *b.net->steps);
        b.net->block = rt_alloc_zero(2 * (size_t)model->block_count + 1, sizeof *b.net->block);
        if (b.net->steps && b.net->block) status = RT_OK;
    }
    if (status != RT_OK) rt_fail(error, status, "no memory for the network's form for deployment");
    if (status == RT_OK) {
        b.net->features = model->features;
        b.net->classes = model->classes;
        b.net->multiply_adds = rt_model_cost_get(model).multiply_adds;
        memcpy(b.net->summary, model->summary, sizeof b.net->summary);
        rt_model_hash(model, b.net->fingerprint);
        status = take_form(b.net, model, form, error);
    }
    if (status == RT_OK) status = build(&b, error);
    rt_free(b.step_of);
    rt_free(b.postponed);
    if (status == RT_OK) return b.net;
    rti_net_free(b.net);
    return NULL;
}
