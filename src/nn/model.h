/* model.h - layers, kinds of models, and how a model is put together.  Floor 6 (nn)
 *
 * Layers stand in topological order. Each reads the layer before it, unless rti_model_from has named
 * another one, and some read a second layer (residual sums). A kind of model is a descriptor
 * `rti_model_<name>` and the line RTI_REGISTER(model, <name>). Its `build` says which layers follow each
 * other; everything else (memory, initial weights, forward, taps, files, hashes, costs) is the same for
 * all kinds. A kind of layer is a descriptor `rti_layer_<name>` with its settings in the union below.
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
#define RTI_INPUT (-1)    /* as a layer's source: the example itself */
#define RTI_NO_LAYER (-2)

typedef struct rti_layer rti_layer;

typedef struct rti_layer_kind {
    const char *name;
    /* x (N, in...) -> (N, out...). Required. Failures stick to the graph; may set layer->before; reads a
     * second layer with rti_layer_second. */
    rt_tensor *(*forward)(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x);
    /* Initial values of its parameters from streams of (seed, layer name). NULL: they stay zero. */
    void (*init)(rt_model *model, const rti_layer *layer, uint64_t seed);
    /* Per example, forward, products only. NULL: none. */
    int64_t (*multiply_adds)(const rti_layer *layer);
    /* Appends what its answers depend on besides the parameters' numbers: "relu". NULL: nothing. */
    void (*describe)(const rti_layer *layer, char *buffer, size_t size);
    bool is_tap;             /* is counted by rt_model_taps, marked or not */
    bool is_batch_norm;      /* its first two parameters are scale and bias */
    bool only_in_training;   /* changes nothing in evaluation, so it is no part of the identity */
} rti_layer_kind;

typedef struct rti_linear {
    bool bias;
    rt_activation activation;
    rti_init init;
    double init_std;
    bool zero_bias;                   /* whatever the law says about biases */
    bool int8;                        /* forward sees the weights as int8 says them (int8_layer.c) */
    bool bf16;                        /* products of bfloat16 (rt_model_use_bf16) */
} rti_linear;

typedef struct rti_dropout_layer {
    double rate;
    char stream[RTI_LAYER_NAME + 16]; /* "dropout.fc1" */
} rti_dropout_layer;

/* Convolution and its transpose; 0 stands for the usual: stride 1, padding 0, dilation 1, one group. */
typedef struct rti_conv {
    int kernel;                       /* kernel x kernel */
    int stride, padding, dilation, groups;
    bool bias;
    rt_activation activation;
    rti_init init;
    double init_std;
    bool int8;                        /* as of rti_linear */
} rti_conv;

typedef struct rti_batch_norm {
    double momentum, epsilon;         /* 0: 0.1 and 1e-5 */
    rt_activation activation;         /* RT_ACT_NONE or RT_ACT_RELU */
    const char *residual;             /* name of a layer that is added ahead of the activation, or NULL */
} rti_batch_norm;

typedef enum rti_pool_kind {
    RTI_POOL_MAX, RTI_POOL_AVG,                      /* windows size x size */
    RTI_POOL_ADAPTIVE_MAX, RTI_POOL_ADAPTIVE_AVG,    /* to size x size cells */
    RTI_POOL_GLOBAL                                  /* mean over the image: (H, W, C) -> (C) */
} rti_pool_kind;

typedef struct rti_pool {
    rti_pool_kind kind;
    int size, stride, padding;        /* stride 0: as size */
} rti_pool;

/* What an activation is rounded to: multiples of step from low to high. */
typedef struct rti_grid {
    double low, high, step;
} rti_grid;

struct rti_layer {
    const rti_layer_kind *kind;
    char name[RTI_LAYER_NAME];        /* "fc1", "dropout.fc1" */
    int source, second;               /* numbers of layers, RTI_INPUT; second: or RTI_NO_LAYER */
    int in_ndim, out_ndim;            /* of one example */
    int64_t in[RT_MAX_DIMS], out[RT_MAX_DIMS];
    int number;                       /* among the layers with parameters; -1: has none */
    int parameter;                    /* its first one in model->parameters */
    int parameter_count;
    union {
        rti_linear linear;
        rti_dropout_layer dropout;
        rti_conv conv;
        rti_batch_norm batch_norm;
        rti_pool pool;
        rt_activation activation;     /* of layers "activation" and "add" */
        double initial;               /* of a free parameter */
        int shortcut_stride;
        rti_grid grid;
    };
    bool has_before;                  /* there is something ahead of an activation: "<name>.pre" */
    bool wants_before;                /* somebody asked for it */
    bool wanted;                      /* somebody asked for the output: its gradient is kept, too */
    rt_tensor *output, *before;       /* of the last forward; before: ahead of the activation */
    int last_reader;                  /* number of the last layer that reads this one; its own: none does */
    int holder, busy_until;           /* in an answer: whose memory the output is, who reads it last */
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

/* A second name for a layer, as users say it: "stage2". */
typedef enum rti_mark_role { RTI_BLOCK, RTI_STEM, RTI_STAGE, RTI_PENULTIMATE } rti_mark_role;

typedef struct rti_mark {
    char name[RTI_LAYER_NAME];
    rti_mark_role role;
    int layer, before;                /* before: the layer whose "<name>.pre" this one's is */
} rti_mark;

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
    int from;                         /* source of the next layer; RTI_NO_LAYER: the last one */
    int mark_count, mark_capacity;
    rti_mark *marks;                  /* in the order of their layers */
    int parameter_count, parameter_capacity;
    rt_parameter *parameters;
    int64_t block_count;              /* elements, padding included */
    rt_real *block, *grad_block;
    rt_tensor *packed;                /* NULL, or for each layer its weights turned; no data: it has none */
    rt_real *packed_block;

    bool bf16;
    bool training;
    uint64_t seed, epoch, step;       /* of the training step, for streams */
    rt_tensor *input;                 /* of the last forward */
};

/* ---- for kinds of models ----
 *
 * A name of a layer that does not exist is a caller's bug; a shape that a layer can not take is RT_SPEC. */

/* The next layer reads this one ("input": the example), not the last. Marks are names, too. */
void rti_model_from(rt_model *model, const char *name);

/* Linear: what it reads is flattened, row by row. */
rt_status rti_model_add_linear(rt_model *model, const char *name, int64_t units, const rti_linear *linear,
                               rt_error *error) RT_MUST_CHECK;
/* After layer `after` ("input", "fc1"), which is the last one. A rate of 0 adds nothing. */
rt_status rti_model_add_dropout(rt_model *model, const char *after, double rate,
                                rt_error *error) RT_MUST_CHECK;

/* Images are (H, W, C) inside of a model; its first layer turns the examples (C, H, W), or (H, W), round. */
rt_status rti_model_add_channels_last(rt_model *model, rt_error *error) RT_MUST_CHECK;
/* "<name>.weight" (K, K, C/groups, filters), "<name>.bias" (filters). */
rt_status rti_model_add_conv(rt_model *model, const char *name, int64_t filters, const rti_conv *conv,
                             rt_error *error) RT_MUST_CHECK;
/* "<name>.weight" (K, K, channels, C), "<name>.bias" (channels): to more pixels and `channels`. */
rt_status rti_model_add_conv_transpose(rt_model *model, const char *name, int64_t channels,
                                       const rti_conv *conv, rt_error *error) RT_MUST_CHECK;
/* "<name>.scale" and ".bias", statistics ".running_mean" and ".running_variance"; (.., C). `how` may be NULL:
 * the usual constants, no activation. */
rt_status rti_model_add_batch_norm(rt_model *model, const char *name, const rti_batch_norm *how,
                                   rt_error *error) RT_MUST_CHECK;
rt_status rti_model_add_activation(rt_model *model, const char *name, rt_activation activation,
                                   rt_error *error) RT_MUST_CHECK;
rt_status rti_model_add_pool(rt_model *model, const char *name, const rti_pool *pool,
                             rt_error *error) RT_MUST_CHECK;
/* act(x + other). */
rt_status rti_model_add_sum(rt_model *model, const char *name, const char *other, rt_activation activation,
                            rt_error *error) RT_MUST_CHECK;
/* Row by row: (H, W, C) -> (H W C). */
rt_status rti_model_add_flatten(rt_model *model, const char *name, rt_error *error) RT_MUST_CHECK;
/* The parameter-free shortcut of He et al. 2015 (arXiv 1512.03385, option A): every stride-th pixel, and
 * channels of zeros on both sides. */
rt_status rti_model_add_shortcut(rt_model *model, const char *name, int stride, int64_t channels,
                                 rt_error *error) RT_MUST_CHECK;
/* What it reads, as 8-bit integers would say it; the gradient passes straight through. (int8_layer.c) */
rt_status rti_model_add_int8(rt_model *model, const char *name, const rti_grid *grid,
                             rt_error *error) RT_MUST_CHECK;
/* The same for weights, one step for each unit; NULL is handed on. */
rt_tensor *rti_int8_weights(rt_graph *graph, rt_tensor *weights, int unit_axis);
/* A layer that hands on what it reads and owns the parameter "<name>": for losses with a parameter. It is
 * found by that name (rti_model_find_parameter); every number starts at `initial`. */
rt_status rti_model_add_free_parameter(rt_model *model, const char *name, rt_parameter_kind kind, int ndim,
                                       const int64_t shape[], double initial, rt_error *error) RT_MUST_CHECK;
rt_parameter *rti_model_find_parameter(const rt_model *model, const char *name); /* NULL: there is none */
bool rti_model_has_batch_norm(const rt_model *model);

/* Gives the last layer a name of this role; where a layer has that name itself, it must be this one.
 * `_before`: what is ahead of the last layer's activation is "<name>.pre" of the mark `name`. */
rt_status rti_model_mark(rt_model *model, rti_mark_role role, const char *name,
                         rt_error *error) RT_MUST_CHECK;
void rti_model_mark_before(rt_model *model, const char *name);

/* ---- models without a kind, for adapters ----
 *
 * _begin: no layers yet, for examples of `shape` ((H, W, C) is taken as it is). NULL and *error: RT_SPEC,
 * RT_MEMORY. _end: memory and initial weights; classes is the last extent of what the last layer says. Frees
 * nothing on failure (RT_MEMORY). */
rt_model *rti_model_begin(const char *name, int ndim, const int64_t shape[], rt_error *error) RT_MUST_CHECK;
rt_status rti_model_end(rt_model *model, uint64_t seed, rt_error *error) RT_MUST_CHECK;

/* ---- for kinds of layers ---- */

/* A new last layer, whose output has the shape of its input; NULL: RT_MEMORY. */
rti_layer *rti_model_add_layer(rt_model *model, const rti_layer_kind *kind, const char *name, rt_error *error)
    RT_MUST_CHECK;
/* Plans a parameter "<layer>.<suffix>" (suffix NULL: "<layer>") of the last layer. */
rt_status rti_model_add_parameter(rt_model *model, const char *suffix, rt_parameter_kind kind, int ndim,
                                  const int64_t shape[], rt_error *error) RT_MUST_CHECK;
/* The last layer reads this one as well. */
void rti_model_add_second(rt_model *model, const char *name);
rt_tensor *rti_layer_second(const rt_model *model, const rti_layer *layer); /* NULL: has none */
/* Number of the layer or mark of that name, RTI_INPUT for "input", else RTI_NO_LAYER. */
int rti_model_layer_number(const rt_model *model, const char *name);
/* RT_SPEC with the layer's name and the shapes, unless it reads (H, W, C). */
rt_status rti_layer_wants_image(const rti_layer *layer, rt_error *error) RT_MUST_CHECK;
/* Weights by the law, from (seed, "init.<parameter>"), and biases, for layers with both. */
void rti_layer_draw(rt_model *model, const rti_layer *layer, rti_init law, double init_std, int64_t inputs,
                    int64_t units, uint64_t seed);
int64_t rti_product(int ndim, const int64_t shape[]);
rt_tensor *rti_activate(rt_graph *graph, rt_tensor *x, rt_activation activation);
extern const char *const rti_activation_names[]; /* by rt_activation */
rt_activation rti_activation_find(const char *name);

/* ---- the two phases ---- */

rt_model *rti_model_plan(const rti_model_kind *kind, const rt_params *options, int input_ndim,
                         const int64_t input_shape[], int64_t classes, rt_error *error) RT_MUST_CHECK;
rt_status rti_model_reserve(rt_model *model, rt_error *error) RT_MUST_CHECK; /* zeroed blocks */
void rti_model_draw(rt_model *model, uint64_t seed);                         /* initial weights */

/* The model that a file's metadata describe, all weights 0. NULL and *error: RT_FORMAT, RT_MEMORY. `path` is
 * for messages. (model_file.c) */
struct rti_st_file;
rt_model *rti_model_of_metadata(const struct rti_st_file *file, const char *path,
                                rt_error *error) RT_MUST_CHECK;

/* One line per layer that the answers depend on: "linear fc1 (784) -> (30) relu". */
void rti_model_structure(const rt_model *model, char *buffer, size_t size);
#define RTI_STRUCTURE_TEXT 65536

/* ---- kinds ---- */

extern const rti_model_kind *const rti_all_models[]; /* alphabetical, NULL-terminated */
const rti_model_kind *rti_model_find(const char *name);

extern const rti_layer_kind rti_layer_linear, rti_layer_dropout, rti_layer_channels_last, rti_layer_conv,
    rti_layer_conv_transpose, rti_layer_batch_norm, rti_layer_activation, rti_layer_pool, rti_layer_add,
    rti_layer_flatten, rti_layer_shortcut, rti_layer_free_parameter, rti_layer_int8;

#endif
