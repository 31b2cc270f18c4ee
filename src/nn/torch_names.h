/* torch_names.h - models under PyTorch's names and in its layouts.     Floor 6 (nn)
 *
 * What a state_dict holds for the models that retort knows:
 *
 *                        retort                          PyTorch
 *   linear               (units, D)                      (units, D)
 *   the same, of an      columns in the order H, W, C    columns in the order C, H, W
 *   image that lies flat
 *   convolution          (K, K, C/groups, filters)       (filters, C/groups, K, K)
 *   batch normalisation  scale, bias,                    weight, bias, running_mean, running_var,
 *                        running_mean, running_variance  num_batches_tracked (one whole number)
 *
 * Names, in the order in which they are tried; the first ones are written:
 *
 *   chains (mlp, lenet5, cnn, plain, vgg)
 *       nn.Sequential          "0.weight", "features.3.bias", "classifier.0.weight": numbered modules in the
 *                              order of their numbers, whatever the numbers are; convolutions stand under one
 *                              word, linear layers under the same or a second one, the last linear layer may
 *                              have a word of its own ("classifier.weight")
 *       retort's own           conv1, bn1, fc1, ...; the last layer also fc, linear, classifier, out, output,
 *                              head
 *   vgg                        block0.0, ..., classifier                      (RepDistiller)
 *   resnet                     conv1, bn1, layer1.0.conv1, layer2.0.downsample.0 or .shortcut.0, fc or linear
 *   wrn                        conv1, block1.layer.0.bn1, ..., convShortcut, bn1, fc or linear
 *                                                                             (WideResNet-pytorch)
 *
 * "module." (DataParallel) and "_orig_mod." (compiled models) in front of all names are taken off. Nothing is
 * guessed: names must be those of one line, all of them, every tensor must have a place, and every shape must
 * be right. A state_dict says nothing about activations, strides or epsilons; the model's options do. */
#ifndef RTI_TORCH_NAMES_H
#define RTI_TORCH_NAMES_H

#include "core/text.h"
#include "formats/safetensors.h"
#include "nn/model.h"

#define RTI_TORCH_NAME 128

typedef struct rti_torch_tensor {
    char name[RTI_TORCH_NAME];
    int parameter; /* of the model; -1: num_batches_tracked, without extents */
    int ndim;
    int64_t shape[RT_MAX_DIMS];
} rti_torch_tensor;

/* Every tensor of the state_dict in the order of the layers, to be released with rt_free. RT_UNSUPPORTED: the
 * model has a layer that PyTorch's names do not cover; RT_MEMORY. */
rt_status rti_torch_list(const rt_model *model, rti_torch_tensor **list, int *count,
                         rt_error *error) RT_MUST_CHECK;
/* The parameter's numbers in PyTorch's order. */
void rti_torch_get(const rt_model *model, int parameter, rt_real *to);
/* The chain as Python, "nn.Sequential(nn.Linear(784, 10))", whose state_dict has the names and shapes of
 * rti_torch_list; for others the words that their names come from. */
rt_status rti_torch_module(const rt_model *model, rti_text *out, rt_error *error) RT_MUST_CHECK;

/* Not one of retort's own files? They say so in their metadata. */
bool rti_torch_is(const rti_st_file *file);
/* Reads such a file: F32, F64, F16, BF16, rounded to rt_real. All is checked before anything is changed.
 * RT_FORMAT: names a tensor, with its shape and the one that is needed, and lists what has no place;
 * RT_MEMORY. */
rt_status rti_torch_load(rt_model *model, const rti_st_file *file, const char *path,
                         rt_error *error) RT_MUST_CHECK;

/* ---- for the reader ---- */

typedef struct rti_torch_spelling {
    const char *kind;           /* of the model; NULL: of every chain */
    /* The layer's module. False: this spelling has no name for it. */
    bool (*name)(const rt_model *model, const rti_layer *layer, const struct rti_torch_spelling *spelling,
                 char out[RTI_TORCH_NAME]);
    const char *shortcut, *last;
} rti_torch_spelling;

extern const rti_torch_spelling rti_torch_spellings[]; /* name NULL: the end */

/* Where PyTorch's element (i, j, k, l) lies among ours: at the sum of index times stride. */
typedef struct rti_torch_layout {
    int ndim;                   /* PyTorch's shape */
    int64_t shape[RT_MAX_DIMS];
    int64_t extent[4], stride[4];
} rti_torch_layout;

void rti_torch_layout_of(const rt_model *model, int parameter, rti_torch_layout *layout);
/* "weight", "running_var": what stands behind the module's name. */
const char *rti_torch_leaf(const rt_model *model, int parameter);
const rti_layer *rti_torch_layer(const rt_model *model, int parameter); /* whose parameter it is */
bool rti_torch_is_chain(const rt_model *model); /* each layer reads the one before it and nothing else */
/* Numbers of a chain's modules in the nn.Sequential that stands for it, by layer; -1: it has none there.
 * `python` (may be NULL) receives the expression. */
rt_status rti_torch_number(const rt_model *model, int number[], rti_text *python,
                           rt_error *error) RT_MUST_CHECK;

#endif
