/* model.c - putting models together and running them.                  Floor 6 (nn)
 *
 * Parameters lie one after the other in one block, gradients in a second one at the same offsets,
 * each starting on a cache line. The gaps are zero and stay zero, so norms may run over the block. */
#include "nn/model.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "retort/alloc.h"

#define LINE_ELEMENTS ((int64_t)(64 / sizeof(rt_real)))
#define FEATURES_MAX (INT64_C(1) << 31)
#define CLASSES_MAX 65536

/* ---- planning ---- */

/* Room for one more item behind `count`; the list moves. */
static bool grow(void **list, int count, int *capacity, size_t size) {
    if (count < *capacity) return true;
    int wanted = *capacity ? 2 * *capacity : 8;
    void *grown = rt_realloc(*list, (size_t)wanted * size);
    if (!grown) return false;
    *list = grown;
    *capacity = wanted;
    return true;
}

rti_layer *rti_model_add_layer(rt_model *m, const rti_layer_kind *kind, const char *name, rt_error *error) {
    RT_ASSERT(strlen(name) < RTI_LAYER_NAME, "layer name %s is too long", name);
    void *list = m->layers;
    bool ok = grow(&list, m->layer_count, &m->layer_capacity, sizeof *m->layers);
    m->layers = list;
    if (!ok) {
        rt_fail(error, RT_MEMORY, "no memory for layer %s", name);
        return NULL;
    }
    const rti_layer *last = m->layer_count ? &m->layers[m->layer_count - 1] : NULL;
    rti_layer *layer = &m->layers[m->layer_count++];
    *layer = (rti_layer){.kind = kind, .number = -1, .parameter = m->parameter_count};
    snprintf(layer->name, sizeof layer->name, "%s", name);
    layer->in_ndim = last ? last->out_ndim : m->input_ndim;
    memcpy(layer->in, last ? last->out : m->input_shape, sizeof layer->in);
    layer->out_ndim = layer->in_ndim;
    memcpy(layer->out, layer->in, sizeof layer->out);
    return layer;
}

rt_status rti_model_add_parameter(rt_model *m, const char *suffix, rt_parameter_kind kind, int ndim,
                                  const int64_t shape[], rt_error *error) {
    void *list = m->parameters;
    bool ok = grow(&list, m->parameter_count, &m->parameter_capacity, sizeof *m->parameters);
    m->parameters = list;
    if (!ok) return rt_fail(error, RT_MEMORY, "no memory for parameter %s", suffix);
    rti_layer *layer = &m->layers[m->layer_count - 1];
    if (layer->number < 0) layer->number = m->numbered_layers++;
    layer->parameter_count++;
    rt_parameter *p = &m->parameters[m->parameter_count++];
    *p = (rt_parameter){.kind = kind, .layer = layer->number, .offset = m->block_count};
    snprintf(p->name, sizeof p->name, "%s.%s", layer->name, suffix);
    rt_tensor_view_init(&p->tensor, RT_DTYPE_REAL, ndim, shape, NULL);
    int64_t count = rt_tensor_count(&p->tensor);
    m->block_count += (count + LINE_ELEMENTS - 1) / LINE_ELEMENTS * LINE_ELEMENTS;
    return RT_OK;
}

static rt_status set_problem(rt_model *m, int ndim, const int64_t shape[], int64_t classes, rt_error *error) {
    if (ndim < 1 || ndim > RT_MAX_DIMS - 1)
        return rt_fail(error, RT_SPEC, "An example has %d dimensions; 1 to %d are possible.", ndim,
                       RT_MAX_DIMS - 1);
    m->features = 1;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 1 || shape[i] > FEATURES_MAX / m->features)
            return rt_fail(
                error, RT_SPEC,
                "Extent %d of an example is %lld; extents are at least 1 and their product at most 2^31.", i,
                (long long)shape[i]);
        m->features *= shape[i];
        m->input_shape[i] = shape[i];
    }
    if (classes < 1 || classes > CLASSES_MAX)
        return rt_fail(error, RT_SPEC, "There are %lld classes; 1 to %d are possible.", (long long)classes,
                       CLASSES_MAX);
    m->input_ndim = ndim;
    m->classes = classes;
    return RT_OK;
}

/* The kind's own rows, with what `given` says about them. */
static rt_status own_options(const rti_model_kind *kind, const rt_params *given, rt_params *own,
                             rt_error *error) {
    rt_params_init(own, kind->rows, kind->row_count);
    for (int i = 0; given && i < own->count; i++) {
        int at = rt_params_find(given, own->rows[i]->name);
        if (at >= 0) RT_TRY(rt_params_set(own, own->rows[i]->name, &given->values[at], error));
    }
    return RT_OK;
}

static void write_options(rt_model *m, const rt_params *own) {
    size_t length = 0;
    for (int i = 0; i < own->count; i++) {
        char value[2 * RT_PARAM_TEXT_MAX];
        rt_value_format(&own->values[i], value, sizeof value);
        length += (size_t)snprintf(m->options + length, sizeof m->options - length, "%s = %s\n",
                                   own->rows[i]->name, value);
        RT_ASSERT(length < sizeof m->options, "the options of %s are longer than the buffer", m->kind->name);
    }
}

rt_model *rti_model_plan(const rti_model_kind *kind, const rt_params *options, int input_ndim,
                         const int64_t input_shape[], int64_t classes, rt_error *error) {
    rt_model *m = rt_alloc_zero(1, sizeof *m);
    if (!m) {
        rt_fail(error, RT_MEMORY, "no memory for a model");
        return NULL;
    }
    m->kind = kind;
    rt_params own;
    if (set_problem(m, input_ndim, input_shape, classes, error) != RT_OK ||
        own_options(kind, options, &own, error) != RT_OK || kind->build(m, &own, error) != RT_OK) {
        rt_model_free(m);
        return NULL;
    }
    write_options(m, &own);
    kind->summarise(m, &own, m->summary, sizeof m->summary);
    return m;
}

/* ---- filling ---- */

rt_status rti_model_reserve(rt_model *m, rt_error *error) {
    m->block = rt_alloc_zero((size_t)m->block_count, sizeof(rt_real));
    m->grad_block = m->block ? rt_alloc_zero((size_t)m->block_count, sizeof(rt_real)) : NULL;
    if (!m->grad_block)
        return rt_fail(error, RT_MEMORY, "no memory for a model of %lld parameters",
                       (long long)m->block_count);
    for (int i = 0; i < m->parameter_count; i++) {
        rt_parameter *p = &m->parameters[i];
        p->tensor.data = m->block + p->offset;
        p->tensor.grad = m->grad_block + p->offset;
        p->tensor.requires_grad = true;
    }
    return RT_OK;
}

void rti_model_draw(rt_model *m, uint64_t seed) {
    for (int i = 0; i < m->layer_count; i++)
        if (m->layers[i].kind->init) m->layers[i].kind->init(m, &m->layers[i], seed);
}

rt_model *rt_model_new(const char *kind, const rt_params *options, int input_ndim,
                       const int64_t input_shape[], int64_t classes, uint64_t seed, rt_error *error) {
    const rti_model_kind *found = rti_model_find(kind);
    if (!found) {
        int count;
        const char *const *kinds = rt_model_kinds(&count);
        const char *near = rt_nearest_word(kind, kinds, count);
        rt_fail(error, RT_SPEC, "There is no kind of model \"%.64s\"%s%s%s", kind,
                near ? "; did you mean \"" : ".", near ? near : "", near ? "\"?" : "");
        return NULL;
    }
    rt_model *m = rti_model_plan(found, options, input_ndim, input_shape, classes, error);
    if (m && rti_model_reserve(m, error) != RT_OK) {
        rt_model_free(m);
        return NULL;
    }
    if (m) rti_model_draw(m, seed);
    return m;
}

void rt_model_free(rt_model *m) {
    if (!m) return;
    rt_free(m->block);
    rt_free(m->grad_block);
    rt_free(m->parameters);
    rt_free(m->layers);
    rt_free(m);
}

/* ---- running ---- */

void rt_model_evaluate(rt_model *m) { m->training = false; }

void rt_model_train(rt_model *m, uint64_t seed, uint64_t epoch, uint64_t step) {
    m->training = true;
    m->seed = seed;
    m->epoch = epoch;
    m->step = step;
}

bool rt_model_is_training(const rt_model *m) { return m->training; }

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

rt_tensor *rt_model_forward(rt_model *m, rt_graph *g, rt_tensor *x) {
    rt_tensor *at = input_of(m, g, x);
    for (int i = 0; i < m->layer_count; i++) {
        rti_layer *layer = &m->layers[i];
        layer->before = NULL;
        at = layer->output = at ? layer->kind->forward(m, layer, g, at) : NULL;
    }
    return at;
}

/* ---- taps ---- */

#define BEFORE ".pre"

/* The layer that `name` means; *before when it ends in ".pre". NULL: none. */
static rti_layer *layer_of(const rt_model *m, const char *name, bool *before) {
    size_t length = strlen(name), suffix = sizeof BEFORE - 1;
    for (int i = 0; i < m->layer_count; i++) {
        const char *own = m->layers[i].name;
        *before = m->layers[i].kind->is_tap && length == strlen(own) + suffix &&
                  strcmp(name + length - suffix, BEFORE) == 0 && strncmp(name, own, length - suffix) == 0;
        if (*before || strcmp(name, own) == 0) return &m->layers[i];
    }
    return NULL;
}

bool rt_model_want_tap(rt_model *m, const char *name) {
    bool before;
    rti_layer *layer = layer_of(m, name, &before);
    if (layer && before) layer->wants_before = true;
    return layer != NULL;
}

rt_tensor *rt_model_tap(const rt_model *m, const char *name) {
    bool before;
    const rti_layer *layer = layer_of(m, name, &before);
    if (!layer) return NULL;
    return before ? layer->before : layer->output;
}

int rt_model_taps(const rt_model *m) {
    int count = 0;
    for (int i = 0; i < m->layer_count; i++) count += m->layers[i].kind->is_tap;
    return count;
}

const char *rt_model_tap_name(const rt_model *m, int i) {
    for (int l = 0; l < m->layer_count; l++)
        if (m->layers[l].kind->is_tap && i-- == 0) return m->layers[l].name;
    RT_ASSERT(false, "the model %s has no tap of that number", m->summary);
    return NULL;
}

/* ---- facts ---- */

int rt_model_parameters(const rt_model *m) { return m->parameter_count; }

rt_parameter *rt_model_parameter(rt_model *m, int i) {
    RT_ASSERT(i >= 0 && i < m->parameter_count, "parameter %d of %d", i, m->parameter_count);
    return &m->parameters[i];
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
    for (int i = 0; i < m->parameter_count; i++) cost.parameters += rt_tensor_count(&m->parameters[i].tensor);
    for (int i = 0; i < m->layer_count; i++)
        if (m->layers[i].kind->multiply_adds)
            cost.multiply_adds += m->layers[i].kind->multiply_adds(&m->layers[i]);
    cost.bytes = cost.parameters * (int64_t)sizeof(rt_real);
    return cost;
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
        char from[RT_SHAPE_TEXT], to[RT_SHAPE_TEXT], more[64] = "";
        if (l->kind->describe) l->kind->describe(l, more, sizeof more);
        length += (size_t)snprintf(buffer + length, size - length, "%s %s %s -> %s %s\n", l->kind->name,
                                   l->name, rt_shape_text(&in, from), rt_shape_text(&out, to), more);
        RT_ASSERT(length < size, "the structure of %s is longer than the buffer", m->summary);
    }
}

void rt_model_hash(const rt_model *m, char text[33]) {
    char structure[RTI_STRUCTURE_TEXT];
    rti_model_structure(m, structure, sizeof structure);
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add_text(&hash, structure);
    for (int i = 0; i < m->parameter_count; i++) {
        const rt_tensor *t = &m->parameters[i].tensor;
        rti_hash_add_text(&hash, m->parameters[i].name);
        rti_hash_add(&hash, t->data, (size_t)rt_tensor_count(t) * sizeof(rt_real));
    }
    rti_hash_finish_text(&hash, text);
}
