/* answers.h - what finished networks say of a part of the data.        Floor 8 (experiment)
 *
 * For the parts of a report that need more than a record holds: the network is made again, its weights of
 * the last epoch are read, and it is shown the part. A teacher's answers are looked up in the cache that
 * the trials left beside them; so are those of networks that take long to answer, from the second report
 * on.
 *
 * The logits are the bits that were measured when the trial ended. */
#ifndef RTI_ANSWERS_H
#define RTI_ANSWERS_H

#include "experiment/finish.h"
#include "experiment/report.h"

typedef struct rti_answers {
    int64_t count, classes;
    const int32_t *labels; /* (count) borrowed from the data set */
    rt_real *logits;       /* (count, classes) owned; NULL: nobody answered */
} rti_answers;

/* Of one network. RT_NOT_FOUND, RT_FORMAT, RT_IO: its weights cannot be read; RT_MEMORY. */
rt_status rti_answers_of_trial(rti_answers *answers, const rti_plan *plan, int trial, rt_part_name part,
                               rt_error *error) RT_MUST_CHECK;

/* Of the first examples of the part, `most` of them or all there are. */
rt_status rti_answers_of_some(rti_answers *answers, const rti_plan *plan, int trial, rt_part_name part,
                              int64_t most, rt_error *error) RT_MUST_CHECK;

/* As rti_answers_of_trial; kept with the summary, as far as there is room, because several tables of a report
 * ask for the same. What is returned is a copy. */
rt_status rti_answers_of_done(rti_answers *answers, const rti_summary *summary, int trial, rt_part_name part,
                              rt_error *error) RT_MUST_CHECK;

/* Of those whose answers `student` is compared with, together at T. logits NULL, and RT_OK, when there is
 * nobody, when a member is not finished, or when a file of answers knows nothing of this part. Kept, too. */
rt_status rti_answers_of_teacher(rti_answers *answers, const rti_summary *summary, int student,
                                 rt_part_name part, double T, rt_error *error) RT_MUST_CHECK;

/* The class each example is given: the first of equal logits, as rt_evaluate counts. top (count). */
void rti_answers_top(const rti_answers *answers, int32_t top[]);

void rti_answers_deinit(rti_answers *answers);

/* A trial of the facet that says whose answers its students are compared with; -1: none is there. */
int rti_facet_student(const rti_plan *plan, int facet);

#endif
