/* onnx.h - a model as an ONNX file.                                    Floor 7 (deploy)
 *
 * The file holds the network as it answers in evaluation: nodes of the standard operator set 13 and float32
 * weights. Input "input" (N, shape of one example), output "logits" (N, K); N is free. What a layer says
 * keeps the layer's name in the graph, and what stands ahead of its activation is "<name>.pre". Images are
 * (N, C, H, W) from the input on, so kernels and the columns of what reads a flattened image are put in
 * another order than in retort. Metadata "retort.fingerprint" is rt_model_hash. */
#ifndef RTI_ONNX_H
#define RTI_ONNX_H

#include "retort/nn.h"

/* How raw numbers become the network's input: y = scale x + shift, as the first nodes of the graph.
 * One pair for all numbers (count 1), one per channel of (C, H, W), or one per number of an example. */
typedef struct rti_onnx_input {
    int64_t count;
    const float *scale, *shift; /* count numbers each; NULL: 1 and 0 */
} rti_onnx_input;

/* Writes the file whole or not at all. `input` may be NULL: then the graph reads what the network was trained
 * on. RT_UNSUPPORTED names the layer that ONNX has no operator for, or says that the file would be longer
 * than the 2 GiB of the format; RT_SHAPE when `input` does not fit the examples; RT_IO, RT_MEMORY. */
rt_status rti_onnx_write(const rt_model *model, const rti_onnx_input *input, const char *path,
                         rt_error *error) RT_MUST_CHECK;

#endif
