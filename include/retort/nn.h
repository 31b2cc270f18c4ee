/* nn.h - models.                                                       Floor 6 (nn)
 *
 * A model is a graph of named layers over one contiguous block of parameters. Kinds of models are
 * descriptors (RTI_REGISTER(model, ...)) with their typed options; "mlp" and "resnet" are two.
 *
 *     rt_model *net = rt_mlp_new(4, (int64_t[]){784, 800, 800, 10}, seed, &error);
 *     rt_tensor *z = rt_model_forward(net, graph, x);       // (N, K) logits
 *     rt_tensor *h = rt_model_tap(net, "fc2");              // what layer fc2 said, borrowed
 */
#ifndef RETORT_NN_H
#define RETORT_NN_H

#include "retort/graph.h"
#include "retort/ops.h"
#include "retort/params.h"

typedef struct rt_model rt_model;

typedef enum rt_parameter_kind {
    RT_WEIGHT, /* of products: weight decay and max-norm are for these */
    RT_BIAS,   /* what is added */
    RT_SCALE,  /* batch normalisation's gamma: starts at 1, decays like a bias */
    RT_BUFFER  /* running statistics: saved and hashed with the rest, but never trained nor counted */
} rt_parameter_kind;

typedef struct rt_parameter {
    char name[64];            /* "fc1.weight" */
    rt_tensor tensor;         /* data and grad lie in the model's blocks; requires_grad, unless a buffer */
    rt_parameter_kind kind;
    int unit_axis;            /* of a weight: what comes into a unit has one index on this axis */
    int layer;                /* 0, 1, ...: for learning-rate factors by layer */
    int64_t offset;           /* in elements from the start of the block */
} rt_parameter;

typedef struct rt_model_cost {
    int64_t parameters;       /* without buffers */
    int64_t multiply_adds;    /* per example, forward; products only */
    int64_t bytes;            /* of parameters and buffers */
} rt_model_cost;

/* Option rows of a kind of model, for specs and help: NULL when there is no such kind. */
const rt_param *rt_model_rows(const char *kind, int *count);
const char *const *rt_model_kinds(int *count);
const char *rt_model_title(const char *kind); /* one line; NULL when there is no such kind */

/* A model of `kind` with `options` (made from rt_model_rows; others in the same rt_params are
 * ignored) for examples of `input_shape` and `classes` outputs. Initial weights are a function of
 * seed alone. NULL and *error: RT_SPEC, RT_MEMORY. Freed with rt_model_free. */
rt_model *rt_model_new(const char *kind, const rt_params *options, int input_ndim,
                       const int64_t input_shape[], int64_t classes, uint64_t seed,
                       rt_error *error) RT_MUST_CHECK;
/* A plain ReLU network without dropout: widths[0] inputs ... widths[count-1] classes. */
rt_model *rt_mlp_new(int count, const int64_t widths[], uint64_t seed, rt_error *error) RT_MUST_CHECK;
/* The same kind, options and shapes (of an adapter: the same layers); new weights, a function of seed alone:
 * peers, generations. RT_MEMORY. */
rt_model *rt_model_new_like(const rt_model *model, uint64_t seed, rt_error *error) RT_MUST_CHECK;
void rt_model_free(rt_model *model);

/* From now on the products of linear layers are of bfloat16, in training and in evaluation (rt_linear_bf16);
 * convolutions, parameters and all else stay float32. What is saved says nothing of it. */
void rt_model_use_bf16(rt_model *model);

/* Evaluation (the default) or training. In training dropout draws from the stream
 * (seed, "dropout.<layer>", epoch, step), and batch normalisation takes the batch's statistics and moves
 * its running ones. A frozen model's parameters receive no gradients, until _thaw. */
void rt_model_evaluate(rt_model *model);
void rt_model_train(rt_model *model, uint64_t seed, uint64_t epoch, uint64_t step);
bool rt_model_is_training(const rt_model *model);
void rt_model_freeze(rt_model *model);
void rt_model_thaw(rt_model *model);

/* (N, input shape...) -> (N, K) logits; x may also be (N, D) with D the product of the shape, and for a
 * model of rows, (D), examples of any shape with D numbers. */
rt_tensor *rt_model_forward(rt_model *model, rt_graph *graph, rt_tensor *x);

/* The same inside of a no-grad scope, where only the logits and the places that rt_model_want_tap has named
 * are there afterwards: what a layer said gives its memory to the next ones once it has been read. Outside
 * of such a scope it is rt_model_forward. */
rt_tensor *rt_model_answer(rt_model *model, rt_graph *graph, rt_tensor *x);

/* Keeps copies of the linear layers' weights, laid out for answers: inside of a no-grad scope the same bits
 * come sooner, for one example at a time many times sooner. They are copies: after a change of weights that
 * is not by rt_model_train, rt_model_load or rt_model_unpack, which drop them, answers are the old ones.
 * RT_MEMORY. */
rt_status rt_model_pack(rt_model *model, rt_error *error) RT_MUST_CHECK;
void rt_model_unpack(rt_model *model);

/* Taps: the output of a named layer ("fc1", after its activation; the last one gives the logits) in
 * the last forward, borrowed until the graph's reset; NULL when there is no such layer or forward
 * failed. "dropout.input" and "dropout.fc1" are names, too. Convolutional models have more names for the
 * places people mean: "stem", "stage1" ... (ends of stages, after the activation), "stage1.block1" ...
 * Names by number: these, and linear layers.
 *
 * What stands ahead of the activation is "fc1.pre", "stage2.pre". It is kept only after somebody has asked
 * for it once, before forward: then the activation is a step of its own. For other names asking costs next
 * to nothing; it is needed to see the GRADIENT there after backward, whose memory otherwise goes on to the
 * next layer (that of the logits is always kept). _want_tap is false when there is no such place. */
bool rt_model_want_tap(rt_model *model, const char *name);
rt_tensor *rt_model_tap(const rt_model *model, const char *name);
int rt_model_taps(const rt_model *model);
const char *rt_model_tap_name(const rt_model *model, int i);
/* Shape of one example there. RT_NOT_FOUND: the message lists the taps and names the nearest. */
rt_status rt_model_tap_shape(const rt_model *model, const char *name, int *ndim, int64_t shape[RT_MAX_DIMS],
                             rt_error *error) RT_MUST_CHECK;
/* The batch normalisation whose scaled output (a residual aside) is the tap, with or without ".pre": false
 * when it is no such place. *scale and *bias are borrowed. */
bool rt_model_tap_batch_norm(const rt_model *model, const char *name, const rt_parameter **scale,
                             const rt_parameter **bias);
/* Names of taps; borrowed, NULL when there is none. Stages in order, of an mlp its hidden layers;
 * penultimate: what the classifier sees, (N, D). */
const char *rt_model_stem(const rt_model *model);
int rt_model_stages(const rt_model *model);
const char *rt_model_stage(const rt_model *model, int i);
const char *rt_model_penultimate(const rt_model *model);

int rt_model_parameters(const rt_model *model);
rt_parameter *rt_model_parameter(rt_model *model, int i); /* borrowed */
/* The block that all parameters lie in, and that of their gradients; 64-byte aligned. */
rt_real *rt_model_block(rt_model *model, int64_t *count);
rt_real *rt_model_grad_block(rt_model *model);
int64_t rt_model_classes(const rt_model *model);
int rt_model_layers(const rt_model *model); /* with parameters: the range of rt_parameter.layer */
rt_model_cost rt_model_cost_get(const rt_model *model);
/* "784-1200-1200-10 relu, dropout 0.2/0.5": borrowed. */
const char *rt_model_summary(const rt_model *model);
const char *rt_model_kind(const rt_model *model);    /* "mlp"; borrowed */
const char *rt_model_options(const rt_model *model); /* every option, one "name = value" per line; borrowed */
/* 32 hexadecimal digits over structure and weights: equal for models that answer alike. Dropout and
 * the law of the initial weights are no part of it. */
void rt_model_hash(const rt_model *model, char text[33]);

/* Weights as safetensors, with `metadata` pairs (key, value, key, value, ..., NULL; may be NULL).
 * The file also says what model it is (keys retort.model, .options, .input_shape, .classes,
 * .structure; pairs of yours with these keys are left out). RT_IO, RT_MEMORY. */
rt_status rt_model_save(const rt_model *model, const char *path, const char *const metadata[],
                        rt_error *error) RT_MUST_CHECK;
/* Checks names, shapes, dtype (F32; in double F64 as well), finiteness and, when the file says it, the
 * structure, and changes nothing on failure. A file without retort's metadata is taken for one with PyTorch's
 * names and layouts (src/nn/torch_names.h says which; F64, F16 and BF16 are rounded to rt_real): a message
 * names the tensor, the shape it has and the one that is needed. RT_FORMAT, RT_IO, RT_NOT_FOUND,
 * RT_MEMORY. */
rt_status rt_model_load(rt_model *model, const char *path, rt_error *error) RT_MUST_CHECK;
/* The model that a file of rt_model_save holds, from the file alone; every field is checked before
 * memory is asked for. NULL and *error as above. Freed with rt_model_free. */
rt_model *rt_model_open(const char *path, rt_error *error) RT_MUST_CHECK;

#endif
