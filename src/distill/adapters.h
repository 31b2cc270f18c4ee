/* adapters.h - small networks that belong to a method.                 Floor 7 (distill)
 *
 * A regressor between feature maps of different width, an embedding, a peer: a model of its own, built
 * from the layers of nn/model.h, made in a method's init:
 *
 *     rt_model *r = rti_adapter_begin(setup, "regressor", &setup->student[0], error);
 *     if (!r) return error->status;
 *     RT_TRY(rti_model_add_conv(r, "conv", channels, &conv, error));
 *     RT_TRY(rti_adapter_end(setup, r, error));
 *     ...
 *     rt_tensor *guess = rt_model_forward(state->r, in->graph, in->student_feature[0]);
 *
 * The driver owns them: it puts them into training mode in each step, trains them with the student's
 * optimiser, saves and restores them, and frees them. They are not in the student's file, and their
 * parameters are counted apart. */
#ifndef RTI_ADAPTERS_H
#define RTI_ADAPTERS_H

#include "distill/method.h"
#include "nn/model.h"

#define RTI_ADAPTERS_MAX 32

struct rti_adapters {
    int count;
    rt_model *model[RTI_ADAPTERS_MAX]; /* owned */
};

/* A model without layers for examples like `input`; it is on the list at once, so that it is freed
 * whatever happens. NULL and *error: RT_MEMORY. */
rt_model *rti_adapter_begin(const rti_method_setup *setup, const char *name, const rti_feature *input,
                            rt_error *error) RT_MUST_CHECK;
/* After the last layer: memory, and initial weights that are a function of (seed, name). RT_MEMORY. */
rt_status rti_adapter_end(const rti_method_setup *setup, rt_model *adapter, rt_error *error) RT_MUST_CHECK;
/* Puts a finished model on the list (a peer of the student's kind) and takes it, also on failure. */
rt_status rti_adapter_take(const rti_method_setup *setup, rt_model *model, rt_error *error) RT_MUST_CHECK;

void rti_adapters_deinit(rti_adapters *adapters);
int64_t rti_adapters_parameters(const rti_adapters *adapters);

#endif
