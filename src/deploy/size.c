/* size.c - see size.h.                                                 Floor 7 (deploy) */
#include "deploy/size.h"

#include <stdio.h>

#include "nn/model.h"
#include "retort/alloc.h"

static bool has_product(const rti_layer *layer) {
    return layer->kind == &rti_layer_conv || layer->kind == &rti_layer_conv_transpose ||
           layer->kind == &rti_layer_linear;
}

static int64_t count_of(const rt_model *m, const rti_layer *layer, rt_parameter_kind kind) {
    int64_t count = 0;
    for (int i = 0; i < layer->parameter_count; i++) {
        const rt_parameter *p = &m->parameters[layer->parameter + i];
        if (p->kind == kind) count += rt_tensor_count(&p->tensor);
    }
    return count;
}

static int readers_of(const rt_model *m, int number) {
    int readers = 0;
    for (int i = 0; i < m->layer_count; i++)
        readers += (m->layers[i].source == number) + (m->layers[i].second == number);
    return readers;
}

/* The layer that a batch normalisation is folded into, or -1. */
static int folds_into(const rt_model *m, const rti_layer *norm) {
    int source = norm->source;
    while (source >= 0 && m->layers[source].kind == &rti_layer_dropout && readers_of(m, source) == 1)
        source = m->layers[source].source;
    if (source < 0 || !has_product(&m->layers[source]) || readers_of(m, source) != 1) return -1;
    const rti_layer *layer = &m->layers[source];
    rt_activation activation = layer->kind == &rti_layer_linear ? layer->linear.activation
                                                                : layer->conv.activation;
    return activation == RT_ACT_NONE ? source : -1;
}

static void add_layer(const rt_model *m, const rti_layer *layer, rti_size *size) {
    int64_t channels = layer->out[layer->out_ndim - 1], biases = count_of(m, layer, RT_BIAS);
    if (layer->kind->is_batch_norm) {
        int into = folds_into(m, layer);
        if (into < 0)
            size->biases += 2 * channels; /* a scale and a bias */
        else if (!count_of(m, &m->layers[into], RT_BIAS))
            size->biases += channels;
    } else if (has_product(layer)) {
        size->weights += count_of(m, layer, RT_WEIGHT);
        size->biases += biases;
        size->channels += channels;
    }
}

/* ---- working memory ---- */

typedef enum room { OWN, IN_PLACE, NONE } room;

static room room_of(const rti_layer_kind *kind) {
    if (kind == &rti_layer_dropout || kind == &rti_layer_flatten || kind == &rti_layer_channels_last ||
        kind == &rti_layer_free_parameter)
        return NONE;
    if (kind == &rti_layer_activation || kind == &rti_layer_add || kind->is_batch_norm) return IN_PLACE;
    return OWN;
}

/* A piece of memory: the example (number 0), or what a layer wrote and others wrote over. */
typedef struct piece {
    int64_t numbers;
    int last; /* the layer that reads it last; -1: nobody has it any more */
} piece;

static int last_reader(const rt_model *m, int number) {
    int last = number;
    for (int i = 0; i < m->layer_count; i++)
        if (m->layers[i].source == number || m->layers[i].second == number) last = i;
    return number == m->layer_count - 1 ? m->layer_count : last;
}

/* holder[1 + i]: the piece that the output of layer i lies in; [0]: the example's. */
static int64_t most_alive(const rt_model *m, piece *pieces, int *holder) {
    int64_t most = 0;
    int count = 1;
    pieces[0] = (piece){m->features, last_reader(m, RTI_INPUT)};
    holder[0] = 0;
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *layer = &m->layers[i];
        int read = holder[1 + layer->source], until = last_reader(m, i);
        room wanted = room_of(layer->kind);
        if (wanted == IN_PLACE && (pieces[read].last > i || layer->source == RTI_INPUT)) wanted = OWN;
        if (wanted == OWN) {
            holder[1 + i] = count;
            pieces[count++] = (piece){rti_product(layer->out_ndim, layer->out), until};
        } else {
            holder[1 + i] = read;
            if (until > pieces[read].last) pieces[read].last = until;
        }
        int64_t alive = 0;
        for (int p = 0; p < count; p++)
            if (pieces[p].last >= i) alive += pieces[p].numbers;
        if (alive > most) most = alive;
    }
    return most;
}

rti_size rti_size_of(const rt_model *m) {
    const rt_model_cost cost = rt_model_cost_get(m);
    rti_size size = {.parameters = cost.parameters, .multiply_adds = cost.multiply_adds, .working = -1};
    for (int i = 0; i < m->layer_count; i++) add_layer(m, &m->layers[i], &size);
    size.float32 = 4 * (size.weights + size.biases);
    size.bf16 = 2 * (size.weights + size.biases);
    size.int8 = size.weights + 4 * size.biases + 4 * size.channels;
    size_t count = (size_t)m->layer_count + 1;
    piece *pieces = rt_alloc_zero(count, sizeof *pieces);
    int *holder = rt_alloc_zero(count, sizeof *holder);
    if (pieces && holder) size.working = 4 * most_alive(m, pieces, holder);
    rt_free(pieces);
    rt_free(holder);
    return size;
}

rt_status rti_size_plan(const char *kind, const rt_params *options, int input_ndim,
                        const int64_t input_shape[], int64_t classes, rti_size *size, char *summary,
                        size_t summary_size, rt_error *error) {
    const rti_model_kind *found = rti_model_find(kind);
    if (!found) return rt_fail(error, RT_SPEC, "There is no kind of model \"%.64s\".", kind);
    rt_model *model = rti_model_plan(found, options, input_ndim, input_shape, classes, error);
    if (!model) return error ? error->status : RT_MEMORY;
    *size = rti_size_of(model);
    if (summary) snprintf(summary, summary_size, "%s", rt_model_summary(model));
    rt_model_free(model);
    return RT_OK;
}

rti_size rti_size_sum(const rti_size sizes[], int count) {
    rti_size sum = {0};
    for (int i = 0; i < count; i++) {
        const rti_size *s = &sizes[i];
        sum.parameters += s->parameters, sum.multiply_adds += s->multiply_adds;
        sum.weights += s->weights, sum.biases += s->biases, sum.channels += s->channels;
        sum.float32 += s->float32, sum.bf16 += s->bf16, sum.int8 += s->int8;
        if (s->working > sum.working) sum.working = s->working;
    }
    return sum;
}
