/* onnx.h - a model as an ONNX file.                                    Floor 7 (deploy)
 *
 * The file holds the network as it answers in evaluation: nodes of the standard operator set 13 and float32
 * weights. Input "input" (N, shape of one example), output "logits" (N, K); N is free. What a layer says
 * keeps the layer's name in the graph, and what stands ahead of its activation is "<name>.pre". Images are
 * (N, C, H, W) from the input on, so kernels and the columns of what reads a flattened image are put in
 * another order than in retort. Metadata "retort.fingerprint" is rt_model_hash. */
#ifndef RTI_ONNX_H
#define RTI_ONNX_H

#include "retort/data.h"
#include "retort/nn.h"

/* Writes the file whole or not at all. With a form the graph reads raw numbers (pixels 0 ... 255) and begins
 * with x = scale raw + shift; without (NULL) it reads what the network itself reads. RT_UNSUPPORTED names the
 * layer that ONNX has no operator for, or says that the file would be longer than the 2 GiB of the format;
 * RT_SHAPE when the form does not fit the examples; RT_IO, RT_MEMORY. */
rt_status rti_onnx_write(const rt_model *model, const rt_input_form *form, const char *path,
                         rt_error *error) RT_MUST_CHECK;

/* "(N, 1, 28, 28)": the shape of the input, for people; returns the buffer. */
const char *rti_onnx_input_text(const rt_model *model, char buffer[RT_SHAPE_TEXT]);

#endif
