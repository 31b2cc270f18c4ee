/* model.c - putting models together.                                   Floor 6 (nn)
 *
 * Parameters lie one after the other in one block, gradients in a second one at the same offsets,
 * each starting on a cache line. The gaps are zero and stay zero, so norms may run over the block. */
#include "nn/model.h"

#include <stdio.h>
#include <string.h>

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

int rti_model_layer_number(const rt_model *m, const char *name) {
    if (strcmp(name, "input") == 0) return RTI_INPUT;
    for (int i = 0; i < m->layer_count; i++)
        if (strcmp(m->layers[i].name, name) == 0) return i;
    for (int i = 0; i < m->mark_count; i++)
        if (strcmp(m->marks[i].name, name) == 0) return m->marks[i].layer;
    return RTI_NO_LAYER;
}

/* The same, for a name that must be there. */
static int number_of(const rt_model *m, const char *name) {
    int number = rti_model_layer_number(m, name);
    RT_ASSERT(number != RTI_NO_LAYER, "the model %s has no layer \"%s\"", m->summary, name);
    return number;
}

void rti_model_from(rt_model *m, const char *name) { m->from = number_of(m, name); }

void rti_model_add_second(rt_model *m, const char *name) {
    m->layers[m->layer_count - 1].second = number_of(m, name);
}

rti_layer *rti_model_add_layer(rt_model *m, const rti_layer_kind *kind, const char *name, rt_error *error) {
    RT_ASSERT(strlen(name) < RTI_LAYER_NAME, "layer name %s is too long", name);
    RT_ASSERT(rti_model_layer_number(m, name) == RTI_NO_LAYER, "there are two layers \"%s\"", name);
    void *list = m->layers;
    bool ok = grow(&list, m->layer_count, &m->layer_capacity, sizeof *m->layers);
    m->layers = list;
    if (!ok) {
        rt_fail(error, RT_MEMORY, "no memory for layer %s", name);
        return NULL;
    }
    int source = m->from != RTI_NO_LAYER ? m->from : m->layer_count - 1;
    m->from = RTI_NO_LAYER;
    const rti_layer *before = source == RTI_INPUT ? NULL : &m->layers[source];
    rti_layer *layer = &m->layers[m->layer_count++];
    *layer = (rti_layer){.kind = kind,
                         .source = source,
                         .second = RTI_NO_LAYER,
                         .number = -1,
                         .parameter = m->parameter_count};
    snprintf(layer->name, sizeof layer->name, "%s", name);
    layer->in_ndim = before ? before->out_ndim : m->input_ndim;
    memcpy(layer->in, before ? before->out : m->input_shape, sizeof layer->in);
    layer->out_ndim = layer->in_ndim;
    memcpy(layer->out, layer->in, sizeof layer->out);
    return layer;
}

rt_status rti_model_add_parameter(rt_model *m, const char *suffix, rt_parameter_kind kind, int ndim,
                                  const int64_t shape[], rt_error *error) {
    void *list = m->parameters;
    bool ok = grow(&list, m->parameter_count, &m->parameter_capacity, sizeof *m->parameters);
    m->parameters = list;
    if (!ok) return rt_fail(error, RT_MEMORY, "no memory for a parameter");
    rti_layer *layer = &m->layers[m->layer_count - 1];
    if (layer->number < 0) layer->number = m->numbered_layers++;
    layer->parameter_count++;
    rt_parameter *p = &m->parameters[m->parameter_count++];
    *p = (rt_parameter){.kind = kind, .layer = layer->number, .offset = m->block_count};
    snprintf(p->name, sizeof p->name, "%s%s%s", layer->name, suffix ? "." : "", suffix ? suffix : "");
    rt_tensor_view_init(&p->tensor, RT_DTYPE_REAL, ndim, shape, NULL);
    int64_t count = rt_tensor_count(&p->tensor);
    m->block_count += (count + LINE_ELEMENTS - 1) / LINE_ELEMENTS * LINE_ELEMENTS;
    return RT_OK;
}

rt_status rti_model_mark(rt_model *m, rti_mark_role role, const char *name, rt_error *error) {
    RT_ASSERT(strlen(name) < RTI_LAYER_NAME, "the name %s is too long", name);
    int last = m->layer_count - 1, found = rti_model_layer_number(m, name);
    RT_ASSERT(found == RTI_NO_LAYER || found == last, "the name %s stands for another layer", name);
    void *list = m->marks;
    bool ok = grow(&list, m->mark_count, &m->mark_capacity, sizeof *m->marks);
    m->marks = list;
    if (!ok) return rt_fail(error, RT_MEMORY, "no memory for the tap %s", name);
    rti_mark *mark = &m->marks[m->mark_count++];
    *mark = (rti_mark){.role = role, .layer = last, .before = last};
    snprintf(mark->name, sizeof mark->name, "%s", name);
    return RT_OK;
}

void rti_model_mark_before(rt_model *m, const char *name) {
    for (int i = 0; i < m->mark_count; i++)
        if (strcmp(m->marks[i].name, name) == 0) m->marks[i].before = m->layer_count - 1;
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

/* What a layer can not take is said together with what the model was asked to be. */
static rt_status build(rt_model *m, const rt_params *own, rt_error *error) {
    const rt_status status = m->kind->build(m, own, error);
    if (status != RT_SPEC) return status;
    rt_tensor example = {.ndim = m->input_ndim};
    char text[RT_SHAPE_TEXT];
    memcpy(example.shape, m->input_shape, sizeof example.shape);
    return rt_fail_in(error, status, "The model \"%s\" for examples %s", m->kind->name,
                      rt_shape_text(&example, text));
}

rt_model *rti_model_plan(const rti_model_kind *kind, const rt_params *options, int input_ndim,
                         const int64_t input_shape[], int64_t classes, rt_error *error) {
    rt_model *m = rt_alloc_zero(1, sizeof *m);
    if (!m) {
        rt_fail(error, RT_MEMORY, "no memory for a model");
        return NULL;
    }
    m->kind = kind;
    m->from = RTI_NO_LAYER;
    rt_params own;
    if (set_problem(m, input_ndim, input_shape, classes, error) != RT_OK ||
        own_options(kind, options, &own, error) != RT_OK || build(m, &own, error) != RT_OK) {
        rt_model_free(m);
        return NULL;
    }
    write_options(m, &own);
    kind->summarise(m, &own, m->summary, sizeof m->summary);
    return m;
}

/* ---- filling ---- */

rt_status rti_model_reserve(rt_model *m, rt_error *error) {
    const size_t count = m->block_count > 0 ? (size_t)m->block_count : 1; /* adapters may have no weights */
    m->block = rt_alloc_zero(count, sizeof(rt_real));
    m->grad_block = m->block ? rt_alloc_zero(count, sizeof(rt_real)) : NULL;
    if (!m->grad_block)
        return rt_fail(error, RT_MEMORY, "no memory for a model of %lld parameters",
                       (long long)m->block_count);
    for (int i = 0; i < m->parameter_count; i++) {
        rt_parameter *p = &m->parameters[i];
        p->tensor.data = m->block + p->offset;
        p->tensor.grad = m->grad_block + p->offset;
    }
    for (int i = 0; i < m->layer_count; i++) {
        rti_layer *layer = &m->layers[i];
        layer->last_reader = i;
        if (layer->source >= 0) m->layers[layer->source].last_reader = i;
        if (layer->second >= 0) m->layers[layer->second].last_reader = i;
    }
    rt_model_thaw(m);
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

void rt_model_use_bf16(rt_model *m) {
    const size_t length = strlen(m->summary);
    if (!m->bf16) snprintf(m->summary + length, sizeof m->summary - length, ", bf16");
    m->bf16 = true;
    for (int i = 0; i < m->layer_count; i++)
        if (m->layers[i].kind == &rti_layer_linear) m->layers[i].linear.bf16 = true;
}

static const rti_model_kind adapter_kind = {.name = "adapter", .title = "layers of a method's own"};

rt_model *rti_model_begin(const char *name, int ndim, const int64_t shape[], rt_error *error) {
    rt_model *m = rt_alloc_zero(1, sizeof *m);
    if (!m) {
        rt_fail(error, RT_MEMORY, "no memory for a model");
        return NULL;
    }
    m->kind = &adapter_kind;
    m->from = RTI_NO_LAYER;
    snprintf(m->summary, sizeof m->summary, "%s", name);
    if (set_problem(m, ndim, shape, 1, error) != RT_OK) {
        rt_model_free(m);
        return NULL;
    }
    return m;
}

rt_status rti_model_end(rt_model *m, uint64_t seed, rt_error *error) {
    RT_ASSERT(m->layer_count > 0, "the model %s has no layers", m->summary);
    const rti_layer *last = &m->layers[m->layer_count - 1];
    m->classes = last->out[last->out_ndim - 1];
    RT_TRY(rti_model_reserve(m, error));
    rti_model_draw(m, seed);
    return RT_OK;
}

/* A list of its own with the same contents; false: no memory. */
static bool copy_list(const void *list, int count, size_t size, void **copy) {
    *copy = count ? rt_alloc((size_t)count * size) : NULL;
    if (count && *copy) memcpy(*copy, list, (size_t)count * size);
    return !count || *copy;
}

rt_model *rt_model_new_like(const rt_model *model, uint64_t seed, rt_error *error) {
    rt_model *m = rt_alloc(sizeof *m);
    if (!m) {
        rt_fail(error, RT_MEMORY, "no memory for a model");
        return NULL;
    }
    *m = *model;
    m->block = m->grad_block = NULL;
    m->training = false;
    m->input = NULL;
    m->layer_capacity = m->layer_count;
    m->parameter_capacity = m->parameter_count;
    m->mark_capacity = m->mark_count;
    void *layers, *parameters, *marks;
    bool ok = copy_list(model->layers, m->layer_count, sizeof *m->layers, &layers);
    ok &= copy_list(model->parameters, m->parameter_count, sizeof *m->parameters, &parameters);
    ok &= copy_list(model->marks, m->mark_count, sizeof *m->marks, &marks);
    m->layers = layers, m->parameters = parameters, m->marks = marks;
    if (!ok) rt_fail(error, RT_MEMORY, "no memory for a model like %s", model->summary);
    if (!ok || rti_model_reserve(m, error) != RT_OK) {
        rt_model_free(m);
        return NULL;
    }
    for (int i = 0; i < m->layer_count; i++) {
        m->layers[i].wants_before = m->layers[i].wanted = false;
        m->layers[i].output = m->layers[i].before = NULL;
    }
    for (int i = 0; i < m->parameter_count; i++) m->parameters[i].tensor.has_grad = false;
    rti_model_draw(m, seed);
    return m;
}

void rt_model_free(rt_model *m) {
    if (!m) return;
    rt_model_unpack(m);
    rt_free(m->marks);
    rt_free(m->block);
    rt_free(m->grad_block);
    rt_free(m->parameters);
    rt_free(m->layers);
    rt_free(m);
}
