/* evaluate.h - quality measures from logits, a batch at a time.        Floor 7 (distill) */
#ifndef RTI_EVALUATE_H
#define RTI_EVALUATE_H

#include "distill/cache.h"

#define RTI_CALIBRATION_BINS 15

/* The bin of a confidence: b holds (b/15, (b+1)/15]. */
int rti_calibration_bin(double confidence);

/* Sums over the examples seen so far. Start with all zero. */
typedef struct rti_quality_sums {
    int64_t examples, correct, agreeing;
    bool has_teacher;
    double nll, brier, teacher_kl;
    struct { int64_t count, correct; double confidence; } bin[RTI_CALIBRATION_BINS];
} rti_quality_sums;

/* Adds N examples: student logits z (N, K), teacher logits v (N, K) or NULL, labels y (N);
 * predictions (N) may be NULL; scratch holds 4 K doubles. RT_NOT_FINITE when a logit of z or v is
 * not a finite number, RT_VALUE when a label is no class; examples are counted from 1 in messages. */
rt_status rti_quality_add(rti_quality_sums *sums, int64_t N, int64_t K, const rt_real *z, const rt_real *v,
                          const int32_t *y, uint8_t *predictions, double *scratch,
                          rt_error *error) RT_MUST_CHECK;

/* All zero when no example was added. */
void rti_quality_finish(const rti_quality_sums *sums, rt_quality *quality);

/* rt_evaluate, to the bit, with the teacher's answers looked up in a cache of the part instead of asked for
 * again; NULL: no teacher. */
rt_status rti_evaluate_beside(rt_model *model, const rti_cache *answers, const rt_part *part,
                              rt_quality *quality, rt_error *error) RT_MUST_CHECK;

#endif
