/* export.h - trained networks, and what they say, as files for others.  Floor 7 (deploy)
 *
 * One format, one file. Each writes whole files that are renamed into place last, so that nothing is left
 * half-written; what a format can not express is RT_UNSUPPORTED, with the layer. */
#ifndef RTI_EXPORT_H
#define RTI_EXPORT_H

#include "core/text.h"
#include "retort/data.h"
#include "retort/nn.h"

/* One .safetensors file with the names and layouts that PyTorch's state_dict has (nn/torch_names.h). RT_IO,
 * RT_MEMORY, RT_UNSUPPORTED. */
rt_status rti_export_torch(const rt_model *model, const char *path, rt_error *error) RT_MUST_CHECK;

/* The lines of Python that load it: the nn.Sequential of a chain, the names' origin for others; `load` is the
 * expression for the state_dict. RT_MEMORY, RT_UNSUPPORTED. */
rt_status rti_export_torch_lines(const rt_model *model, const char *load, rti_text *out,
                                 rt_error *error) RT_MUST_CHECK;

/* The same tensors, each in a file of its own, directory/<name>.npy. RT_VALUE: there is something of that
 * name already. */
rt_status rti_export_npy(const rt_model *model, const char *directory, rt_error *error) RT_MUST_CHECK;

/* The network's answers to all examples, row i to example i, into rows (count, classes of the network).
 * Leaves it in evaluation mode. RT_SHAPE: other examples than it takes; RT_NOT_FINITE, RT_MEMORY. */
rt_status rti_answers(rt_model *model, const rt_examples *examples, rt_real *rows,
                      rt_error *error) RT_MUST_CHECK;

/* The network's answers to all examples, row i to example i, as a NumPy array (count, classes) of the
 * precision of this build. RT_SHAPE: other examples than the network takes; RT_NOT_FINITE, RT_IO,
 * RT_MEMORY. */
rt_status rti_export_logits(rt_model *model, const rt_examples *examples, const char *path,
                            rt_error *error) RT_MUST_CHECK;

#endif
