/* model.h - layers, kinds of models, and how a model is put together.  Floor 6 (nn)
 *
 * A kind of model is a descriptor `rti_model_<name>` and the line RTI_REGISTER(model, <name>). Its
 * `build` says which layers follow each other; everything else (memory, initial weights, forward,
 * taps, files, hashes, costs) is the same for all kinds. A kind of layer is a descriptor
 * `rti_layer_<name>` with its settings in the union below.
 *
 *     static rt_status build(rt_model *m, const rt_params *options, rt_error *error) {
 *         RT_TRY(rti_model_add_linear(m, "fc1", 30, &linear, error));
 *         return rti_model_add_linear(m, "fc2", m->classes, &last, error);
 *     }
 *
 * Building happens in two phases, so that a file can be compared with the plan before memory is
 * asked for: rti_model_plan (layers, shapes, offsets), then rti_model_fill (blocks, weights). */
#ifndef RTI_MODEL_H
#define RTI_MODEL_H

#include "graph/op.h"
#include "nn/init.h"
#include "retort/nn.h"

#define RTI_LAYER_NAME 32
#define RTI_OPTIONS_TEXT 2048

typedef struct rti_layer rti_layer;

typedef struct rti_layer_kind {
    const char *name;
    /* x (N, in...) -> (N, out...). Required. Failures stick to the graph; may set layer->before. */
    rt_tensor *(*forward)(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x);
    /* Initial values of its parameters from streams of (seed, layer name). NULL: they stay zero. */
    void (*init)(rt_model *model, const rti_layer *layer, uint64_t seed);
    /* Per example, forward, products only. NULL: none. */
    int64_t (*multiply_adds)(const rti_layer *layer);
    /* Appends what its answers depend on besides the parameters' numbers: "relu". NULL: nothing. */
    void (*describe)(const rti_layer *layer, char *buffer, size_t size);
    bool is_tap;             /* is counted by rt_model_taps */
    bool only_in_training;   /* changes nothing in evaluation, so it is no part of the identity */
} rti_layer_kind;

typedef struct rti_linear {
    bool bias;
    rt_activation activation;
    rti_init init;
    double init_std;
} rti_linear;

typedef struct rti_dropout_layer {
    double rate;
    char stream[RTI_LAYER_NAME + 16]; /* "dropout.fc1" */
} rti_dropout_layer;

struct rti_layer {
    const rti_layer_kind *kind;
    char name[RTI_LAYER_NAME];        /* "fc1", "dropout.fc1" */
    int in_ndim, out_ndim;            /* of one example */
    int64_t in[RT_MAX_DIMS], out[RT_MAX_DIMS];
    int number;                       /* among the layers with parameters; -1: has none */
    int parameter;                    /* its first one in model->parameters */
    int parameter_count;
    union {
        rti_linear linear;
        rti_dropout_layer dropout;
    };
    bool wants_before;                /* somebody asked for "<name>.pre" */
    rt_tensor *output, *before;       /* of the last forward; before: ahead of the activation */
};

typedef struct rti_model_kind {
    const char *name;                 /* "mlp" */
    const char *title;                /* one line */
    const rt_param *rows;
    int row_count;
    /* Adds the layers; the model knows input shape and classes. RT_SPEC, RT_MEMORY. */
    rt_status (*build)(rt_model *model, const rt_params *options, rt_error *error);
    /* "784-30-10 relu" */
    void (*summarise)(const rt_model *model, const rt_params *options, char *buffer, size_t size);
} rti_model_kind;

struct rt_model {
    const rti_model_kind *kind;
    char options[RTI_OPTIONS_TEXT];   /* canonical: one "name = value\n" for each row of the kind */
    char summary[256];
    int input_ndim;
    int64_t input_shape[RT_MAX_DIMS];
    int64_t features;                 /* product of input_shape */
    int64_t classes;

    int layer_count, layer_capacity;
    rti_layer *layers;
    int numbered_layers;              /* those with parameters */
    int parameter_count, parameter_capacity;
    rt_parameter *parameters;
    int64_t block_count;              /* elements, padding included */
    rt_real *block, *grad_block;

    bool training;
    uint64_t seed, epoch, step;       /* of the training step, for streams */
};

/* ---- for kinds of models ---- */

/* Each layer takes what the layer before gives (the first: the example, flattened for linear). */
rt_status rti_model_add_linear(rt_model *model, const char *name, int64_t units, const rti_linear *linear,
                               rt_error *error) RT_MUST_CHECK;
/* After layer `after` ("input", "fc1"). A rate of 0 adds nothing. */
rt_status rti_model_add_dropout(rt_model *model, const char *after, double rate,
                                rt_error *error) RT_MUST_CHECK;

/* ---- for kinds of layers ---- */

/* A new last layer with the shape of the one before as input; NULL: RT_MEMORY or a name too long. */
rti_layer *rti_model_add_layer(rt_model *model, const rti_layer_kind *kind, const char *name, rt_error *error)
    RT_MUST_CHECK;
/* Plans a parameter "<layer>.<suffix>" of the last layer. */
rt_status rti_model_add_parameter(rt_model *model, const char *suffix, rt_parameter_kind kind, int ndim,
                                  const int64_t shape[], rt_error *error) RT_MUST_CHECK;
rt_tensor *rti_activate(rt_graph *graph, rt_tensor *x, rt_activation activation);
extern const char *const rti_activation_names[]; /* by rt_activation */
rt_activation rti_activation_find(const char *name);

/* ---- the two phases ---- */

rt_model *rti_model_plan(const rti_model_kind *kind, const rt_params *options, int input_ndim,
                         const int64_t input_shape[], int64_t classes, rt_error *error) RT_MUST_CHECK;
rt_status rti_model_reserve(rt_model *model, rt_error *error) RT_MUST_CHECK; /* zeroed blocks */
void rti_model_draw(rt_model *model, uint64_t seed);                         /* initial weights */

/* One line per layer that the answers depend on: "linear fc1 784 -> 30 relu". */
void rti_model_structure(const rt_model *model, char *buffer, size_t size);
#define RTI_STRUCTURE_TEXT 8192

/* ---- kinds ---- */

extern const rti_model_kind *const rti_all_models[]; /* alphabetical, NULL-terminated */
const rti_model_kind *rti_model_find(const char *name);

extern const rti_layer_kind rti_layer_linear, rti_layer_dropout;

#endif
