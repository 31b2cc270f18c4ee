/* pair.h - one who teaches and one who learns, before anything is trained.  Floor 8 (experiment) */
#ifndef RTI_PAIR_H
#define RTI_PAIR_H

#include "experiment/spec.h"

/* All borrowed. */
typedef struct rti_pair {
    const rti_spec *spec;
    const rti_settings *settings;  /* whose `student` learns, by its `distill` */
    const rt_params *teacher;      /* rows of a network; NULL: nobody teaches */
    int teachers;                  /* members */
    char teacher_name[32], student_name[32]; /* "teacher", "assistant.1", "student": sections */
} rti_pair;

typedef rt_status rti_pair_function(void *context, const rti_pair *pair, rt_error *error);

/* Calls `see` for each pair on the way to the student of one point: one, or one more for each assistant;
 * for generations those of the first and of the later ones. Ends with what `see` says unless RT_OK. */
rt_status rti_pairs_each(const rti_spec *spec, const int value[], const rti_settings *settings,
                         rti_pair_function *see, void *context, rt_error *error) RT_MUST_CHECK;

/* The networks of a pair, untrained, and what the driver needs of them. */
typedef struct rti_rehearsal {
    rt_model *student, *member;
    rt_teacher *teacher;           /* NULL: nobody teaches */
    rt_part part;                  /* the first examples of the transfer set */
    rt_distiller_config config;
} rti_rehearsal;

/* `examples`: at most so many are used. RT_SPEC and others name file, section and what is wrong. */
rt_status rti_rehearsal_init(rti_rehearsal *rehearsal, const rti_pair *pair, const rt_dataset *set,
                             int64_t examples, rt_error *error) RT_MUST_CHECK;
void rti_rehearsal_deinit(rti_rehearsal *rehearsal);

/* Is the method defined for these networks? RT_UNSUPPORTED: the reason, no file; other failures say where. */
rt_status rti_pair_check(const rti_pair *pair, const rt_dataset *set, rt_error *error) RT_MUST_CHECK;

#endif
