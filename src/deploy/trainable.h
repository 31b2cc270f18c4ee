/* trainable.h - the deployed network, made ready to be trained once more.  Floor 7 (deploy)
 *
 * "Distilled while quantised": the folded network becomes a model again, whose forward sees weights and
 * activations as int8 says them (src/nn/int8_layer.c). It is a student like any other: the driver trains it
 * with the teacher's soft targets, and its weights then go back into the network. */
#ifndef RTI_TRAINABLE_H
#define RTI_TRAINABLE_H

#include "deploy/int8.h"

/* range (steps, 2) from rti_net_calibrate. Takes batches as a loader gives them: scaled, (N, C, H, W) or
 * (N, D). Layers have the steps' names. NULL and *error: RT_SPEC, RT_MEMORY. Freed with rt_model_free. */
rt_model *rti_net_trainable(const rti_net *net, const double range[], rt_error *error) RT_MUST_CHECK;

/* The weights of such a model, back into the network it was made of. */
void rti_net_take_weights(rti_net *net, const rt_model *model);

/* The network with weights and ranges as a file: what `source` (a model's file) says of its structure, what
 * `form` (of a set; NULL: what source says) of its input, and the numbers of every step. RT_IO, RT_FORMAT,
 * RT_MEMORY. */
rt_status rti_net_save(const rti_net *net, const double range[], const rt_input_form *form,
                       const char *source, const char *path, rt_error *error) RT_MUST_CHECK;
/* *range (steps, 2) is released with rt_free. RT_NOT_FOUND, RT_FORMAT (damaged, or no file of _save), RT_IO,
 * RT_MEMORY. */
rti_net *rti_net_open(const char *path, double **range, rt_error *error) RT_MUST_CHECK;
/* Does the file say it is one of rti_net_save? False also when it cannot be read. */
bool rti_net_is_file(const char *path);

#endif
