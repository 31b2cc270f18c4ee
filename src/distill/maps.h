/* maps.h - what methods of feature maps share.                         Floor 7 (distill)
 *
 * A map is a feature (N, H, W, C); what an mlp or the classifier's input gives is (N, D) and none. */
#ifndef RTI_MAPS_H
#define RTI_MAPS_H

#include "distill/method.h"

static inline bool rti_is_map(const rti_feature *f) { return f->ndim == 3; }
const char *rti_feature_text(const rti_feature *f, char text[RT_SHAPE_TEXT]); /* "(8, 8, 64)" */

/* Every feature of the setup must be a map; else RT_UNSUPPORTED, with `why` the method needs one and what
 * works `instead`. `pixels`: and after the larger of a pair has been pooled, this many pixels must be
 * left. */
rt_status rti_maps_check(const rti_method_setup *setup, const char *method, int64_t pixels, const char *why,
                         const char *instead, rt_error *error) RT_MUST_CHECK;

/* Both at the smaller height and width of the two, the larger one pooled as others do (RepDistiller): cells
 * of PyTorch's adaptive pooling, their means, or maxima where `max`. */
void rti_maps_align(rt_graph *g, bool max, rt_tensor **a, rt_tensor **b);
/* (N, H, W, C) -> (N, H W, C). */
rt_tensor *rti_map_rows(rt_graph *g, rt_tensor *x);
/* (N, ..) -> (N, D). */
rt_tensor *rti_flat_rows(rt_graph *g, rt_tensor *x);
/* The mean over the examples of the sum of an example's squared differences; a and b of one shape. */
rt_tensor *rti_squared_distance(rt_graph *g, rt_tensor *a, rt_tensor *b);

/* How the terms of several layers become one. */
#define RTI_STAGES_ROW(fallback)                             \
    RT_PARAM_CHOICE_ROW("stages", fallback, "sum|mean|last", \
                        "of the terms of the layers, or the last one alone")
typedef rt_tensor *rti_stage_term(const void *context, const rti_method_input *in, int i);
/* Of terms 0 ... count - 1, as the option "stages" says. */
rt_tensor *rti_over_stages(const rt_params *options, const rti_method_input *in, int count,
                           rti_stage_term *term, const void *context);
/* "sum over stages", "mean over stages", "last stage alone", for contracts. */
const char *rti_stages_text(const rt_params *options);

/* L = hard_weight CE + weight (..): nothing is left when both are 0 (RT_SPEC), and cross-entropy alone when
 * the second is 0 and the first 1. */
rt_status rti_weights_check(const rt_params *options, int64_t classes, rt_error *error) RT_MUST_CHECK;
bool rti_weights_labels_only(const rt_params *options);

/* Methods whose term may stand in a stage of its own, ahead of the training with labels. */
#define RTI_FORM_ROW(fallback)                               \
    RT_PARAM_CHOICE_ROW("form", fallback, "two-stage|joint", \
                        "features first and the rest after, or both in one loss")
#define RTI_FIRST_STAGE_ROW(fallback)                    \
    RT_PARAM_REAL_ROW("first_stage", fallback, 0, 1, "", \
                      "part of the epochs that the first of two stages gets")
/* Of a method with both rows and "weight": 0 when joint; else at least 1 and at most epochs - 1. */
int64_t rti_first_stage_epochs(const rt_params *options, int64_t epochs);
/* RT_SPEC when two stages have less than two epochs. */
rt_status rti_first_stage_check(const rti_method_setup *setup, const char *method,
                                rt_error *error) RT_MUST_CHECK;

#endif
