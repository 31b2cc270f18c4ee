/* onnx.c - layers to nodes of ONNX. See onnx.h.                        Floor 7 (deploy)
 *
 * Every layer leaves a value: a name in the graph, and how its numbers lie there. Inside of retort images are
 * (H, W, C), here (C, H, W); a flattened image keeps that order, and what reads it has its weights permuted:
 * element (h, w, c) of retort is number h W C + w C + c there and c H W + h W + w here.
 *
 * One function per kind of layer, in the table `writers`; a kind that is not there can not be exported. */
#include "deploy/onnx.h"

#include <stdio.h>
#include <string.h>

#include "deploy/onnx_graph.h"
#include "nn/model.h"
#include "retort/alloc.h"

typedef enum layout {
    AS_IT_IS,  /* the same as in retort */
    IMAGE,     /* (C, H, W), in retort (H, W, C) */
    FLAT_IMAGE /* the same in one row */
} layout;

typedef struct value {
    char name[RTI_ONNX_NAME];
    layout order;
    int64_t image[3]; /* H, W, C of an image */
} value;

typedef struct writer {
    const rt_model *model;
    rti_onnx_graph graph;
    value input, *values; /* what the layers said */
    int last;             /* the layer whose value is the logits */
    bool has_gelu;        /* its constants are there */
} writer;

#define INT(key, value)                                        \
    {                                                          \
        .name = (key), .kind = RTI_ONNX_INT, .ints = { value } \
    }
#define INTS2(key, a, b)                                                   \
    {                                                                      \
        .name = (key), .kind = RTI_ONNX_INTS, .count = 2, .ints = { a, b } \
    }
#define INTS4(key, a, b, c, d)                                                   \
    {                                                                            \
        .name = (key), .kind = RTI_ONNX_INTS, .count = 4, .ints = { a, b, c, d } \
    }
#define FLOAT(key, value) \
    { .name = (key), .kind = RTI_ONNX_FLOAT, .number = (value) }
#define ATTRIBUTES(...) ((const rti_onnx_attribute[]){__VA_ARGS__, {.name = NULL}})
#define INPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef char name_text[RTI_ONNX_NAME];

static const char *named(name_text out, const char *name, const char *suffix) {
    snprintf(out, RTI_ONNX_NAME, "%.64s.%.24s", name, suffix);
    return out;
}

static const value *value_of(const writer *w, int layer) {
    return layer == RTI_INPUT ? &w->input : &w->values[layer];
}

static value *own_value(const writer *w, const rti_layer *layer) {
    return &w->values[layer - w->model->layers];
}

/* What the layer says, under its own name; the last one's is that of the output. */
static const char *say(const writer *w, const rti_layer *layer, layout order, const int64_t image[3]) {
    value *v = own_value(w, layer);
    const bool is_last = layer - w->model->layers == w->last;
    snprintf(v->name, sizeof v->name, "%s", is_last ? "logits" : layer->name);
    v->order = order;
    if (image) memcpy(v->image, image, sizeof v->image);
    return v->name;
}

/* Another name for the same value. */
static void hand_on(const writer *w, const rti_layer *layer) {
    *own_value(w, layer) = *value_of(w, layer->source);
}

/* ---- weights, in the order of the graph ---- */

/* Where number i here lies in retort, when numbers are those of the value. */
static int64_t place(const value *v, int64_t i) {
    if (v->order == AS_IT_IS) return i;
    const int64_t pixels = v->image[0] * v->image[1];
    return i % pixels * v->image[2] + i / pixels;
}

typedef struct source {
    const rt_real *numbers;
    const value *columns; /* order of the last axis; NULL: as it is */
    int64_t extent[4];    /* of the kernel, or of a matrix, as in retort */
} source;

static double row_number(const void *context, int64_t i) {
    const source *s = context;
    return (double)s->numbers[s->columns ? place(s->columns, i) : i];
}

/* (units, D), the D in the order of what is read. */
static double matrix_number(const void *context, int64_t i) {
    const source *s = context;
    const int64_t columns = s->extent[1];
    return (double)s->numbers[i / columns * columns + place(s->columns, i % columns)];
}

/* (KH, KW, A, B) there is (B, A, KH, KW) here. */
static double kernel_number(const void *context, int64_t i) {
    const source *s = context;
    const int64_t *e = s->extent, area = e[0] * e[1], a = i / area % e[2], b = i / area / e[2];
    return (double)s->numbers[(i % area * e[2] + a) * e[3] + b];
}

static const rt_tensor *parameter_of(const writer *w, const rti_layer *layer, int number) {
    return &w->model->parameters[layer->parameter + number].tensor;
}

static const char *parameter_name(const writer *w, const rti_layer *layer, int number) {
    return w->model->parameters[layer->parameter + number].name;
}

/* One number per unit or channel, in the order of `like` (NULL: as it is). */
static void add_row(writer *w, const rti_layer *layer, int number, const value *like) {
    const rt_tensor *t = parameter_of(w, layer, number);
    const source from = {.numbers = rt_real_data(t), .columns = like};
    rti_onnx_floats(&w->graph, parameter_name(w, layer, number), 1, t->shape, row_number, &from);
}

static void add_kernel(writer *w, const rti_layer *layer) {
    const rt_tensor *t = parameter_of(w, layer, 0);
    source from = {.numbers = rt_real_data(t)};
    memcpy(from.extent, t->shape, sizeof from.extent);
    const int64_t *e = t->shape, shape[] = {e[3], e[2], e[0], e[1]};
    rti_onnx_floats(&w->graph, parameter_name(w, layer, 0), 4, shape, kernel_number, &from);
}

static double one_number(const void *context, int64_t i) { return ((const double *)context)[i]; }

static void add_constant(writer *w, const char *name, double number) {
    rti_onnx_floats(&w->graph, name, 0, NULL, one_number, &number);
}

/* ---- activations ---- */

/* x Phi(x) = x / 2 (1 + erf(x / sqrt 2)), as the standard's own Gelu (operator set 20) is defined. */
static void add_gelu(writer *w, const char *x, const char *out) {
    name_text scaled, erf, plus, half;
    if (!w->has_gelu) {
        add_constant(w, "gelu.sqrt_half", 0.70710678118654752440);
        add_constant(w, "gelu.one", 1);
        add_constant(w, "gelu.half", 0.5);
        w->has_gelu = true;
    }
    rti_onnx_node(&w->graph, "Mul", INPUTS(x, "gelu.sqrt_half"), named(scaled, out, "gelu.scaled"), NULL);
    rti_onnx_node(&w->graph, "Erf", INPUTS(scaled), named(erf, out, "gelu.erf"), NULL);
    rti_onnx_node(&w->graph, "Add", INPUTS(erf, "gelu.one"), named(plus, out, "gelu.plus"), NULL);
    rti_onnx_node(&w->graph, "Mul", INPUTS(plus, "gelu.half"), named(half, out, "gelu.half"), NULL);
    rti_onnx_node(&w->graph, "Mul", INPUTS(x, half), out, NULL);
}

static void add_activation(writer *w, rt_activation activation, const char *x, const char *out) {
    static const char *const ops[] = {
        [RT_ACT_NONE] = "Identity", [RT_ACT_RELU] = "Relu",       [RT_ACT_LEAKY_RELU] = "LeakyRelu",
        [RT_ACT_TANH] = "Tanh",     [RT_ACT_SIGMOID] = "Sigmoid", [RT_ACT_SOFTPLUS] = "Softplus",
    };
    if (activation == RT_ACT_GELU)
        add_gelu(w, x, out);
    else
        rti_onnx_node(&w->graph, ops[activation], INPUTS(x), out,
                      activation == RT_ACT_LEAKY_RELU ? ATTRIBUTES(FLOAT("alpha", RT_LEAKY_SLOPE)) : NULL);
}

/* A node whose result goes through the activation: its own name is "<layer>.pre" then. */
static void add_activated(writer *w, const rti_layer *layer, const char *op, const char *const inputs[],
                          const rti_onnx_attribute attributes[], rt_activation activation, const char *out) {
    name_text pre;
    const char *first = activation == RT_ACT_NONE ? out : named(pre, layer->name, "pre");
    rti_onnx_node(&w->graph, op, inputs, first, attributes);
    if (activation != RT_ACT_NONE) add_activation(w, activation, first, out);
}

/* ---- what is read ---- */

/* The name of the image (N, C, H, W) that the layer reads. An example that is (H, W, C) itself is turned. */
static const char *read_image(writer *w, const rti_layer *layer, name_text turned) {
    const value *in = value_of(w, layer->source);
    if (in->order == IMAGE) return in->name;
    rti_onnx_node(&w->graph, "Transpose", INPUTS(in->name), named(turned, layer->name, "turned"),
                  ATTRIBUTES(INTS4("perm", 0, 3, 1, 2)));
    return turned;
}

/* The name of the rows (N, D) that the layer reads; *columns says in which order. */
static const char *read_rows(writer *w, const rti_layer *layer, name_text flat, value *columns) {
    *columns = *value_of(w, layer->source);
    if (columns->order == IMAGE) columns->order = FLAT_IMAGE;
    if (layer->in_ndim == 1) return value_of(w, layer->source)->name;
    rti_onnx_node(&w->graph, "Flatten", INPUTS(columns->name), named(flat, layer->name, "rows"),
                  ATTRIBUTES(INT("axis", 1)));
    return flat;
}

/* ---- one function per kind of layer ---- */

/* Weights that are seen rounded, in training for int8. */
static rt_status fail_rounded(const rti_layer *layer, rt_error *error) {
    return rt_fail(error, RT_UNSUPPORTED,
                   "ONNX: layer %s is in training for int8; what comes out of that training can be written.",
                   layer->name);
}

static rt_status write_linear(writer *w, const rti_layer *layer, rt_error *error) {
    if (layer->linear.int8) return fail_rounded(layer, error);
    name_text flat;
    value columns;
    const char *x = read_rows(w, layer, flat, &columns);
    const rt_tensor *t = parameter_of(w, layer, 0);
    const source from = {
        .numbers = rt_real_data(t), .columns = &columns, .extent = {t->shape[0], t->shape[1]}};
    const char *weight = parameter_name(w, layer, 0),
               *bias = layer->linear.bias ? parameter_name(w, layer, 1) : NULL;
    rti_onnx_floats(&w->graph, weight, 2, t->shape, matrix_number, &from);
    if (bias) add_row(w, layer, 1, NULL);
    add_activated(w, layer, "Gemm", INPUTS(x, weight, bias), ATTRIBUTES(INT("transB", 1)),
                  layer->linear.activation, say(w, layer, AS_IT_IS, NULL));
    return RT_OK;
}

static rt_status write_conv(writer *w, const rti_layer *layer, rt_error *error) {
    const rti_conv *c = &layer->conv;
    if (c->int8) return fail_rounded(layer, error);
    name_text turned;
    const char *x = read_image(w, layer, turned), *weight = parameter_name(w, layer, 0),
               *bias = c->bias ? parameter_name(w, layer, 1) : NULL;
    add_kernel(w, layer);
    if (bias) add_row(w, layer, 1, NULL);
    const rti_onnx_attribute *attributes = ATTRIBUTES(
        INTS2("kernel_shape", c->kernel, c->kernel), INTS2("strides", c->stride, c->stride),
        INTS2("dilations", c->dilation, c->dilation),
        INTS4("pads", c->padding, c->padding, c->padding, c->padding), INT("group", c->groups));
    add_activated(w, layer, layer->kind == &rti_layer_conv ? "Conv" : "ConvTranspose",
                  INPUTS(x, weight, bias), attributes, c->activation, say(w, layer, IMAGE, layer->out));
    return RT_OK;
}

/* Two values can be added when their numbers lie in the same order. */
static rt_status same_order(const rti_layer *layer, const value *a, const value *b, rt_error *error) {
    const bool same = a->order == AS_IT_IS || memcmp(a->image, b->image, sizeof a->image) == 0;
    if (a->order == b->order && same) return RT_OK;
    return rt_fail(error, RT_UNSUPPORTED,
                   "ONNX: layer %s adds numbers that lie in different orders; it can not be written.",
                   layer->name);
}

static rt_status write_batch_norm(writer *w, const rti_layer *layer, rt_error *error) {
    const rti_batch_norm *b = &layer->batch_norm;
    const value *in = value_of(w, layer->source);
    const bool adds = layer->second != RTI_NO_LAYER;
    if (layer->in_ndim != 1 && layer->in_ndim != 3)
        return rt_fail(error, RT_UNSUPPORTED,
                       "ONNX: layer %s normalises %d axes; only rows and images are written.", layer->name,
                       layer->in_ndim);
    name_text turned, normal;
    value made = *in;
    const char *x = in->name;
    if (layer->in_ndim == 3) {
        x = read_image(w, layer, turned);
        made.order = IMAGE;
        memcpy(made.image, layer->out, sizeof made.image);
    }
    for (int i = 0; i < 4; i++) add_row(w, layer, i, layer->in_ndim == 1 ? in : NULL);
    const char *const inputs[] = {x,
                                  parameter_name(w, layer, 0),
                                  parameter_name(w, layer, 1),
                                  parameter_name(w, layer, 2),
                                  parameter_name(w, layer, 3),
                                  NULL};
    const rti_onnx_attribute *attributes = ATTRIBUTES(FLOAT("epsilon", b->epsilon));
    const char *out = say(w, layer, made.order, made.image);
    if (!adds) {
        add_activated(w, layer, "BatchNormalization", inputs, attributes, b->activation, out);
        return RT_OK;
    }
    const value *residual = value_of(w, layer->second);
    RT_TRY(same_order(layer, &made, residual, error));
    rti_onnx_node(&w->graph, "BatchNormalization", inputs, named(normal, layer->name, "normal"), attributes);
    add_activated(w, layer, "Add", INPUTS(normal, residual->name), NULL, b->activation, out);
    return RT_OK;
}

static rt_status write_activation(writer *w, const rti_layer *layer, rt_error *error) {
    (void)error;
    const value *in = value_of(w, layer->source);
    add_activation(w, layer->activation, in->name, say(w, layer, in->order, in->image));
    return RT_OK;
}

static rt_status write_add(writer *w, const rti_layer *layer, rt_error *error) {
    const value *a = value_of(w, layer->source), *b = value_of(w, layer->second);
    RT_TRY(same_order(layer, a, b, error));
    add_activated(w, layer, "Add", INPUTS(a->name, b->name), NULL, layer->activation,
                  say(w, layer, a->order, a->image));
    return RT_OK;
}

/* Cells of an adaptive grid are windows where they are all of one size. */
static rt_status window_of(const rti_layer *layer, int64_t size[2], int64_t stride[2], rt_error *error) {
    const rti_pool *p = &layer->pool;
    const bool adaptive = p->kind == RTI_POOL_ADAPTIVE_MAX || p->kind == RTI_POOL_ADAPTIVE_AVG;
    for (int i = 0; i < 2; i++) {
        if (adaptive && layer->in[i] % p->size)
            return rt_fail(
                error, RT_UNSUPPORTED,
                "ONNX: layer %s pools %lld x %lld pixels to %d x %d cells of different sizes; ONNX has "
                "no operator for this.",
                layer->name, (long long)layer->in[0], (long long)layer->in[1], p->size, p->size);
        size[i] = adaptive ? layer->in[i] / p->size : p->size;
        stride[i] = adaptive ? size[i] : p->stride;
    }
    return RT_OK;
}

static rt_status write_pool(writer *w, const rti_layer *layer, rt_error *error) {
    const rti_pool *p = &layer->pool;
    name_text turned, cells;
    const char *x = read_image(w, layer, turned);
    if (p->kind == RTI_POOL_GLOBAL) {
        rti_onnx_node(&w->graph, "GlobalAveragePool", INPUTS(x), named(cells, layer->name, "cells"), NULL);
        rti_onnx_node(&w->graph, "Flatten", INPUTS(cells), say(w, layer, AS_IT_IS, NULL),
                      ATTRIBUTES(INT("axis", 1)));
        return RT_OK;
    }
    int64_t size[2], stride[2];
    RT_TRY(window_of(layer, size, stride, error));
    const bool mean = p->kind == RTI_POOL_AVG || p->kind == RTI_POOL_ADAPTIVE_AVG;
    rti_onnx_attribute attributes[] = {INTS2("kernel_shape", size[0], size[1]),
                                       INTS2("strides", stride[0], stride[1]),
                                       INTS4("pads", p->padding, p->padding, p->padding, p->padding),
                                       INT("count_include_pad", 1), /* of means only */
                                       {.name = NULL}};
    if (!mean) attributes[3].name = NULL;
    rti_onnx_node(&w->graph, mean ? "AveragePool" : "MaxPool", INPUTS(x), say(w, layer, IMAGE, layer->out),
                  attributes);
    return RT_OK;
}

static rt_status write_flatten(writer *w, const rti_layer *layer, rt_error *error) {
    (void)error;
    const value *in = value_of(w, layer->source);
    rti_onnx_node(&w->graph, "Flatten", INPUTS(in->name),
                  say(w, layer, in->order == IMAGE ? FLAT_IMAGE : in->order, in->image),
                  ATTRIBUTES(INT("axis", 1)));
    return RT_OK;
}

/* (C, H, W) is what the graph works on; (H, W) gets its one channel. */
static rt_status write_channels_last(writer *w, const rti_layer *layer, rt_error *error) {
    (void)error;
    const value *in = value_of(w, layer->source);
    if (layer->in_ndim == 3) {
        value *own = own_value(w, layer);
        *own = *in;
        own->order = IMAGE;
        memcpy(own->image, layer->out, sizeof own->image);
        return RT_OK;
    }
    name_text axes;
    rti_onnx_ints(&w->graph, named(axes, layer->name, "axes"), 1, (const int64_t[]){1});
    rti_onnx_node(&w->graph, "Unsqueeze", INPUTS(in->name, axes), say(w, layer, IMAGE, layer->out), NULL);
    return RT_OK;
}

/* Every stride-th pixel, then channels of zeros on both sides. */
static rt_status write_shortcut(writer *w, const rti_layer *layer, rt_error *error) {
    (void)error;
    const int64_t more = layer->out[2] - layer->in[2], stride = layer->shortcut_stride;
    name_text turned, starts, ends, axes, steps, pads, picked;
    const char *x = read_image(w, layer, turned);
    if (stride > 1) {
        rti_onnx_ints(&w->graph, named(starts, layer->name, "starts"), 2, (const int64_t[]){0, 0});
        rti_onnx_ints(&w->graph, named(ends, layer->name, "ends"), 2, layer->in);
        rti_onnx_ints(&w->graph, named(axes, layer->name, "axes"), 2, (const int64_t[]){2, 3});
        rti_onnx_ints(&w->graph, named(steps, layer->name, "steps"), 2, (const int64_t[]){stride, stride});
        rti_onnx_node(&w->graph, "Slice", INPUTS(x, starts, ends, axes, steps),
                      named(picked, layer->name, "picked"), NULL);
        x = picked;
    }
    const int64_t borders[8] = {0, more / 2, 0, 0, 0, more - more / 2, 0, 0};
    rti_onnx_ints(&w->graph, named(pads, layer->name, "pads"), 8, borders);
    rti_onnx_node(&w->graph, "Pad", INPUTS(x, pads), say(w, layer, IMAGE, layer->out), NULL);
    return RT_OK;
}

static rt_status write_nothing(writer *w, const rti_layer *layer, rt_error *error) {
    (void)error;
    hand_on(w, layer);
    return RT_OK;
}

static const struct {
    const rti_layer_kind *kind;
    rt_status (*write)(writer *w, const rti_layer *layer, rt_error *error);
} writers[] = {
    {&rti_layer_linear, write_linear},
    {&rti_layer_conv, write_conv},
    {&rti_layer_conv_transpose, write_conv},
    {&rti_layer_batch_norm, write_batch_norm},
    {&rti_layer_activation, write_activation},
    {&rti_layer_add, write_add},
    {&rti_layer_pool, write_pool},
    {&rti_layer_flatten, write_flatten},
    {&rti_layer_channels_last, write_channels_last},
    {&rti_layer_shortcut, write_shortcut},
    {&rti_layer_dropout, write_nothing},
    {&rti_layer_free_parameter, write_nothing},
};

static rt_status write_layer(writer *w, const rti_layer *layer, rt_error *error) {
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++)
        if (writers[i].kind == layer->kind) return writers[i].write(w, layer, error);
    return rt_fail(error, RT_UNSUPPORTED, "ONNX: layer %s is of the kind \"%s\", which can not be written.",
                   layer->name, layer->kind->name);
}

/* ---- the ends of the graph ---- */

/* A node x op numbers, whose shape is broadcast to the examples; none when the numbers change nothing. */
static void add_scaling(writer *w, const char *op, const char *word, int64_t count, const double *numbers,
                        double neutral) {
    const rt_model *m = w->model;
    bool matters = false;
    for (int64_t i = 0; i < count; i++) matters |= numbers[i] != neutral;
    if (!matters) return;
    name_text constant, out;
    int64_t shape[RT_MAX_DIMS] = {1, 1, 1, 1, 1, 1};
    if (count == m->features)
        memcpy(shape, m->input_shape, sizeof shape);
    else
        shape[0] = count; /* channels, or 1 */
    rti_onnx_floats(&w->graph, named(constant, "input", word), m->input_ndim, shape, one_number, numbers);
    rti_onnx_node(&w->graph, op, INPUTS(w->input.name, constant), named(out, constant, "done"), NULL);
    memcpy(w->input.name, out, sizeof out);
}

static rt_status write_input(writer *w, const rt_input_form *form, rt_error *error) {
    const rt_model *m = w->model;
    snprintf(w->input.name, sizeof w->input.name, "input");
    rti_onnx_graph_input(&w->graph, "input", m->input_ndim, m->input_shape);
    if (!form) return RT_OK;
    if (!rt_input_form_fits(form, m->input_ndim, m->input_shape))
        return rt_fail(error, RT_SHAPE,
                       "ONNX: the form of the input has %lld entries, which does not suit examples of %lld "
                       "numbers.",
                       (long long)form->count, (long long)m->features);
    add_scaling(w, "Mul", "scale", form->count, form->scale, 1);
    add_scaling(w, "Add", "shift", form->count, form->shift, 0);
    return RT_OK;
}

/* The layer that says what comes out: those behind it hand it on. */
static rt_status find_last(writer *w, rt_error *error) {
    const rt_model *m = w->model;
    const rti_layer *end = &m->layers[m->layer_count - 1];
    if (end->out_ndim != 1)
        return rt_fail(error, RT_UNSUPPORTED, "ONNX: the last layer, %s, says no row of logits.", end->name);
    for (w->last = m->layer_count - 1; w->last >= 0; w->last = m->layers[w->last].source) {
        const rti_layer_kind *kind = m->layers[w->last].kind;
        if (kind != &rti_layer_dropout && kind != &rti_layer_free_parameter) return RT_OK;
    }
    return rt_fail(error, RT_UNSUPPORTED, "ONNX: the model %s has no layer to write.", m->summary);
}

static rt_status write_graph(writer *w, const rt_input_form *form, const char *path, rt_error *error) {
    const rt_model *m = w->model;
    if (m->block_count > INT32_MAX / (int64_t)sizeof(float))
        return rt_fail(error, RT_UNSUPPORTED, "%s: ONNX files end at 2 GiB; the model has %lld weights.",
                       path, (long long)m->block_count);
    RT_TRY(find_last(w, error));
    RT_TRY(write_input(w, form, error));
    for (int i = 0; i < m->layer_count; i++) RT_TRY(write_layer(w, &m->layers[i], error));
    if (w->values[m->layer_count - 1].order == FLAT_IMAGE)
        return rt_fail(error, RT_UNSUPPORTED, "ONNX: the last layer, %s, says an image; logits are wanted.",
                       m->layers[m->layer_count - 1].name);
    rti_onnx_graph_output(&w->graph, "logits", 1, m->layers[m->layer_count - 1].out);
    char fingerprint[33];
    rt_model_hash(m, fingerprint);
    return rti_onnx_finish(
        &w->graph, m->kind->name,
        (const char *const[]){"retort.model", m->summary, "retort.fingerprint", fingerprint, NULL}, path,
        error);
}

rt_status rti_onnx_write(const rt_model *model, const rt_input_form *form, const char *path,
                         rt_error *error) {
    writer w = {.model = model};
    w.values = rt_alloc_zero((size_t)model->layer_count, sizeof *w.values);
    rt_status status = w.values ? write_graph(&w, form, path, error)
                                : rt_fail(error, RT_MEMORY, "%s: not enough memory to write it", path);
    rti_onnx_deinit(&w.graph);
    rt_free(w.values);
    return status;
}

const char *rti_onnx_input_text(const rt_model *model, char buffer[RT_SHAPE_TEXT]) {
    size_t length = (size_t)snprintf(buffer, RT_SHAPE_TEXT, "(N");
    for (int i = 0; i < model->input_ndim; i++)
        length += (size_t)snprintf(buffer + length, RT_SHAPE_TEXT - length, ", %lld",
                                   (long long)model->input_shape[i]);
    snprintf(buffer + length, RT_SHAPE_TEXT - length, ")");
    return buffer;
}
