/* model_run.c - a batch goes through a model.                           Floor 6 (nn)
 *
 * Layers run in the order in which they were added; each reads a layer ahead of it. What they said is
 * kept until the next forward, so residual sums and taps cost nothing; answers, for which nobody asks what
 * is inside, use its memory again. */
#include <string.h>

#include "nn/model.h"
#include "retort/alloc.h"

void rt_model_evaluate(rt_model *m) { m->training = false; }

void rt_model_train(rt_model *m, uint64_t seed, uint64_t epoch, uint64_t step) {
    rt_model_unpack(m);
    m->training = true;
    m->seed = seed;
    m->epoch = epoch;
    m->step = step;
}

void rt_model_unpack(rt_model *m) {
    rt_free(m->packed);
    rt_free(m->packed_block);
    m->packed = NULL;
    m->packed_block = NULL;
}

/* The transposed copy as a view with the strides of the original, so that everything else stays as it is. */
static rt_real *turn(const rt_tensor *weight, rt_tensor *view, rt_real *copy) {
    const int64_t units = weight->shape[0], D = weight->shape[1];
    const rt_real *w = rt_real_data(weight);
    for (int64_t d = 0; d < D; d++)
        for (int64_t u = 0; u < units; u++) copy[d * units + u] = w[u * D + d];
    *view = *weight;
    view->data = copy;
    view->requires_grad = view->has_grad = false;
    view->stride[0] = 1;
    view->stride[1] = units;
    return copy + units * D;
}

static const rt_tensor *linear_weight(const rt_model *m, int layer) {
    const rti_layer *l = &m->layers[layer];
    return l->kind == &rti_layer_linear && !l->linear.int8 ? &m->parameters[l->parameter].tensor : NULL;
}

rt_status rt_model_pack(rt_model *m, rt_error *error) {
    rt_model_unpack(m);
    int64_t count = 0;
    for (int i = 0; i < m->layer_count; i++)
        if (linear_weight(m, i)) count += rt_tensor_count(linear_weight(m, i));
    if (count == 0) return RT_OK;
    m->packed = rt_alloc_zero((size_t)m->layer_count, sizeof *m->packed);
    m->packed_block = rt_alloc((size_t)count * sizeof *m->packed_block);
    if (!m->packed || !m->packed_block) {
        rt_model_unpack(m);
        return rt_fail(error, RT_MEMORY, "no memory to lay out %lld weights for answers", (long long)count);
    }
    rt_real *copy = m->packed_block;
    for (int i = 0; i < m->layer_count; i++)
        if (linear_weight(m, i)) copy = turn(linear_weight(m, i), &m->packed[i], copy);
    return RT_OK;
}

bool rt_model_is_training(const rt_model *m) { return m->training; }

void rt_model_thaw(rt_model *m) {
    for (int i = 0; i < m->parameter_count; i++)
        m->parameters[i].tensor.requires_grad = m->parameters[i].kind != RT_BUFFER;
}

void rt_model_freeze(rt_model *m) {
    for (int i = 0; i < m->parameter_count; i++) {
        m->parameters[i].tensor.requires_grad = false;
        m->parameters[i].tensor.has_grad = false;
    }
}

static bool fits(const rt_model *m, const rt_tensor *x) {
    if (x->dtype != RT_DTYPE_REAL) return false;
    if (x->ndim == 2 && x->shape[1] == m->features) return true;
    if (m->input_ndim == 1 && x->ndim > 1) { /* rows: examples of any shape are flattened */
        int64_t features = 1;
        for (int i = 1; i < x->ndim; i++) features *= x->shape[i];
        return features == m->features;
    }
    if (x->ndim != m->input_ndim + 1) return false;
    return memcmp(x->shape + 1, m->input_shape, (size_t)m->input_ndim * sizeof *x->shape) == 0;
}

/* (N, D) for a model that wants (N, C, H, W), and the other way round, is a matter of a view. */
static rt_tensor *input_of(const rt_model *m, rt_graph *g, rt_tensor *x) {
    if (!x) return rt_reshape(g, x, 0, NULL);
    if (!fits(m, x)) {
        static const rti_op name = {.name = "model"};
        const rti_node here = {.op = &name, .inputs = 1, .in = &x};
        rt_tensor example = {.ndim = m->input_ndim};
        memcpy(example.shape, m->input_shape, sizeof example.shape);
        char text[RT_SHAPE_TEXT];
        rti_op_fail(g, &here, RT_SHAPE, "%s takes batches of examples %s or rows of %lld real numbers",
                    m->summary, rt_shape_text(&example, text), (long long)m->features);
        return NULL;
    }
    const rti_layer *first = &m->layers[0];
    if (x->ndim == first->in_ndim + 1) return x;
    int64_t shape[RT_MAX_DIMS] = {x->shape[0]};
    memcpy(shape + 1, first->in, (size_t)first->in_ndim * sizeof *shape);
    return rt_reshape(g, x, first->in_ndim + 1, shape);
}

static rt_tensor *output_of(const rt_model *m, int layer) {
    return layer == RTI_INPUT ? m->input : m->layers[layer].output;
}

rt_tensor *rti_layer_second(const rt_model *m, const rti_layer *layer) {
    return layer->second == RTI_NO_LAYER ? NULL : output_of(m, layer->second);
}

/* The gradient of what is inside of the model needs to be there only until it has been passed on, unless it
 * is a place somebody has asked for. The last layer's is the caller's. */
static void mark_passing(const rt_model *m, const rti_layer *layer, const rt_tensor *in) {
    const bool kept = layer->wanted || layer == &m->layers[m->layer_count - 1];
    rt_tensor *y = layer->output;
    if (y && (y != in || kept)) y->passing = !kept;
}

/* Some layers hand on what they read, so an output may lie in an earlier one's memory. */
static void note_holder(rt_model *m, int i, const rt_tensor *in) {
    rti_layer *layer = &m->layers[i];
    const bool own = !layer->output || layer->output->data != in->data;
    layer->holder = own ? i : layer->source == RTI_INPUT ? RTI_INPUT : m->layers[layer->source].holder;
    if (layer->wants_before && layer->source >= 0 && m->layers[layer->source].holder >= 0)
        /* "before" may be what it read */
        m->layers[m->layers[layer->source].holder].busy_until = m->layer_count;
    if (layer->holder == RTI_INPUT) return;
    const bool kept = layer->wanted || layer->wants_before || i == m->layer_count - 1;
    const int until = kept ? m->layer_count : layer->last_reader;
    rti_layer *holder = &m->layers[layer->holder];
    if (own || holder->busy_until < until) holder->busy_until = until;
}

/* After layer i: what it was the last one to read is free. */
static void release_read(rt_model *m, rt_graph *g, int i, int source) {
    if (source < 0 || m->layers[source].holder < 0) return;
    const int holder = m->layers[source].holder;
    rt_tensor *y = m->layers[holder].output;
    if (!y || m->layers[holder].busy_until > i) return;
    rti_step_release(g, y->data, (size_t)rt_tensor_count(y) * sizeof(rt_real));
    for (int k = holder; k < i; k++)
        if (m->layers[k].holder == holder) m->layers[k].output = NULL;
}

static rt_tensor *run(rt_model *m, rt_graph *g, rt_tensor *x, bool release) {
    m->input = input_of(m, g, x);
    for (int i = 0; i < m->layer_count; i++) {
        rti_layer *layer = &m->layers[i];
        rt_tensor *in = output_of(m, layer->source);
        layer->before = NULL;
        layer->output = in ? layer->kind->forward(m, layer, g, in) : NULL;
        mark_passing(m, layer, in);
        if (!release || !layer->output) continue;
        note_holder(m, i, in);
        release_read(m, g, i, layer->source);
        release_read(m, g, i, layer->second);
    }
    return output_of(m, m->layer_count - 1);
}

rt_tensor *rt_model_forward(rt_model *m, rt_graph *g, rt_tensor *x) { return run(m, g, x, false); }

rt_tensor *rt_model_answer(rt_model *m, rt_graph *g, rt_tensor *x) {
    return run(m, g, x, !rti_is_recording(g));
}
