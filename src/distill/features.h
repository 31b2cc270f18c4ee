/* features.h - which layers of two networks look at each other.        Floor 7 (distill) */
#ifndef RTI_FEATURES_H
#define RTI_FEATURES_H

#include "distill/method.h"

#define RTI_TAP_NAME 48

typedef struct rti_features {
    int pairs;
    rti_feature student[RTI_PAIRS_MAX], teacher[RTI_PAIRS_MAX];
    char name[2][RTI_PAIRS_MAX][RTI_TAP_NAME]; /* 0: the student's, 1: the teacher's */
} rti_features;

/* The pairs that `method` looks at: those that its options name, or those it takes by itself. Both
 * networks keep them from now on. RT_NOT_FOUND: no such tap (lists those there are); RT_SPEC: lists of
 * different lengths; RT_UNSUPPORTED: a network without stages. */
rt_status rti_features_pair(rti_features *features, const rti_method *method, const rt_params *options,
                            rt_model *student, rt_model *teacher, rt_error *error) RT_MUST_CHECK;

/* What the taps hold after a forward pass; false when one failed (the graph remembers). */
bool rti_features_get(const rti_features *features, int side, const rt_model *model,
                      rt_tensor *out[RTI_PAIRS_MAX]);

#endif
