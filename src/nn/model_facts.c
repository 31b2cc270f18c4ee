/* model_facts.c - what can be asked of a model.                        Floor 6 (nn) */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "nn/model.h"

int rt_model_parameters(const rt_model *m) { return m->parameter_count; }

rt_parameter *rt_model_parameter(rt_model *m, int i) {
    RT_ASSERT(i >= 0 && i < m->parameter_count, "parameter %d of %d", i, m->parameter_count);
    return &m->parameters[i];
}

rt_parameter *rti_model_find_parameter(const rt_model *m, const char *name) {
    for (int i = 0; i < m->parameter_count; i++)
        if (strcmp(m->parameters[i].name, name) == 0) return &m->parameters[i];
    return NULL;
}

bool rti_model_has_batch_norm(const rt_model *m) {
    for (int i = 0; i < m->layer_count; i++)
        if (m->layers[i].kind->is_batch_norm) return true;
    return false;
}

rt_real *rt_model_block(rt_model *m, int64_t *count) {
    if (count) *count = m->block_count;
    return m->block;
}

rt_real *rt_model_grad_block(rt_model *m) { return m->grad_block; }
int64_t rt_model_classes(const rt_model *m) { return m->classes; }
int rt_model_layers(const rt_model *m) { return m->numbered_layers; }
const char *rt_model_summary(const rt_model *m) { return m->summary; }
const char *rt_model_kind(const rt_model *m) { return m->kind->name; }
const char *rt_model_options(const rt_model *m) { return m->options; }

rt_model_cost rt_model_cost_get(const rt_model *m) {
    rt_model_cost cost = {0};
    for (int i = 0; i < m->parameter_count; i++) {
        int64_t count = rt_tensor_count(&m->parameters[i].tensor);
        cost.bytes += count * (int64_t)sizeof(rt_real);
        if (m->parameters[i].kind != RT_BUFFER) cost.parameters += count;
    }
    for (int i = 0; i < m->layer_count; i++)
        if (m->layers[i].kind->multiply_adds)
            cost.multiply_adds += m->layers[i].kind->multiply_adds(&m->layers[i]);
    return cost;
}

static const char *layer_name(const rt_model *m, int number) {
    return number == RTI_INPUT ? "input" : m->layers[number].name;
}

/* " from stem + stage1": what is read, where it is not simply the layer before. */
static void write_sources(const rt_model *m, int i, char *buffer, size_t size) {
    const rti_layer *l = &m->layers[i];
    buffer[0] = 0;
    size_t length = 0;
    if (l->source != i - 1)
        length += (size_t)snprintf(buffer, size, " from %s", layer_name(m, l->source));
    if (l->second != RTI_NO_LAYER)
        snprintf(buffer + length, size - length, " + %s", layer_name(m, l->second));
}

void rti_model_structure(const rt_model *m, char *buffer, size_t size) {
    size_t length = 0;
    buffer[0] = 0;
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *l = &m->layers[i];
        if (l->kind->only_in_training) continue;
        rt_tensor in = {.ndim = l->in_ndim}, out = {.ndim = l->out_ndim};
        memcpy(in.shape, l->in, sizeof in.shape);
        memcpy(out.shape, l->out, sizeof out.shape);
        char from[RT_SHAPE_TEXT], to[RT_SHAPE_TEXT], more[128] = "", sources[2 * RTI_LAYER_NAME + 16];
        if (l->kind->describe) l->kind->describe(l, more, sizeof more);
        write_sources(m, i, sources, sizeof sources);
        length += (size_t)snprintf(buffer + length, size - length, "%s %s %s -> %s %s%s\n", l->kind->name,
                                   l->name, rt_shape_text(&in, from), rt_shape_text(&out, to), more, sources);
        RT_ASSERT(length < size, "the structure of %s is longer than the buffer", m->summary);
    }
}

void rt_model_hash(const rt_model *m, char text[33]) {
    char structure[RTI_STRUCTURE_TEXT];
    rti_model_structure(m, structure, sizeof structure);
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add_text(&hash, structure);
    if (m->bf16) rti_hash_add_text(&hash, "bf16"); /* answers are others */
    for (int i = 0; i < m->parameter_count; i++) {
        const rt_tensor *t = &m->parameters[i].tensor;
        rti_hash_add_text(&hash, m->parameters[i].name);
        rti_hash_add(&hash, t->data, (size_t)rt_tensor_count(t) * sizeof(rt_real));
    }
    rti_hash_finish_text(&hash, text);
}
