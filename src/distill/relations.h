/* relations.h - what methods of relations, contrast and boundaries share.    Floor 7 (distill) */
#ifndef RTI_RELATIONS_H
#define RTI_RELATIONS_H

#include "distill/maps.h"
#include "nn/model.h"

/* RT_SPEC when the batches of the training hold less than `least` examples, for then the term is nothing. */
rt_status rti_batch_check(const rti_method_setup *setup, const char *method, int64_t least, const char *why,
                          rt_error *error) RT_MUST_CHECK;
/* RT_SPEC when more than one pair of layers is named. */
rt_status rti_one_pair_check(const rti_method_setup *setup, const char *method,
                             rt_error *error) RT_MUST_CHECK;

/* Of a batch that is too small for a relation: 0 times the sum of the student's features x, so that the
 * loss is still one of the student. */
rt_tensor *rti_no_term(rt_graph *g, rt_tensor *x);

/* An adapter with one linear layer, from a feature of any shape to `units` numbers: weights as PyTorch draws
 * them. */
rt_status rti_embedding_new(const rti_method_setup *setup, const char *name, const rti_feature *feature,
                            int64_t units, rt_model **embedding, rt_error *error) RT_MUST_CHECK;

/* ---- connectors: from the student's channels to the teacher's, without activation ----
 *
 * A 1x1 convolution without bias and batch normalisation, or the same for units. "needed": where the numbers
 * of channels differ; "always"; "none". */
#define RTI_CONNECTOR_ROW(fallback)                                            \
    RT_PARAM_CHOICE_ROW("connector", fallback, "needed|always|none",           \
                        "1x1 convolution and batch norm, from the student's channels to the teacher's")
/* connector[i] stays NULL where there is none. RT_UNSUPPORTED: a map against units, channels that differ
 * without a connector; RT_SPEC: a batch of one example that would be normalised. */
rt_status rti_connectors_new(const rti_method_setup *setup, const char *method,
                             rt_model *connector[RTI_PAIRS_MAX], rt_error *error) RT_MUST_CHECK;
/* Pair i at one size in pixels, the student's connected. */
void rti_connect(rt_model *const connector[], const rti_method_input *in, int i, rt_tensor **student,
                 rt_tensor **teacher);
/* Rows of methods that add squares over neurons, stage by stage. */
#define RTI_BOUNDARY_ROWS(halving)                                                                       \
    RT_PARAM_CHOICE_ROW("reduction", "sum", "sum|mean", "over the neurons of an example"),               \
    RT_PARAM_BOOL_ROW("halving", halving, "each stage counts half of the one behind it, the last one 1"), \
    RTI_CONNECTOR_ROW("always")
/* Of means over all neurons and the batch, term(context, in, i): as "reduction" and "halving" say. */
rt_tensor *rti_over_boundaries(const rt_params *options, const rti_method_input *in, rti_stage_term *term,
                               const void *context);
/* The lines "reduction: ..." and "stages: ..." of their contracts. */
void rti_boundaries_contract(rti_writer *w, const rt_params *options);
/* The mean of those below 0 of a normal distribution: what a batch normalisation with this bias and scale
 * leaves below the relu. 3 deviations below 0 when less than a thousandth is there, as in the authors'
 * code. */
double rti_negative_mean(double mean, double deviation);

/* For contracts: "1x1 convolution and batch norm, always there". */
const char *rti_connector_text(const rt_params *options);

#endif
