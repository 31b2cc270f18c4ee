/* parts.h - a method's name taken apart: "kd", or a sum "kd+at".       Floor 7 (distill)
 *
 * A sum of methods is the sum of their losses. Its options carry the part's name: "kd.temperature",
 * "at.weight"; those of a single method stand alone. The labels are counted once, by the first part that
 * is at work. Methods that look at features have two rows more, student_taps and teacher_taps. */
#ifndef RTI_PARTS_H
#define RTI_PARTS_H

#include "distill/method.h"

#define RTI_PARTS_MAX 4

typedef struct rti_parts {
    int count;
    const rti_method *method[RTI_PARTS_MAX];
} rti_parts;

/* False when a part is no method, stands twice, or there are too many. */
bool rti_parts_find(const char *name, rti_parts *parts);
/* RT_SPEC: says which part of the name is wrong and what is near. */
rt_status rti_parts_check(const char *name, rt_error *error) RT_MUST_CHECK;

/* All rows of the name: static tables, made when they are first asked for. NULL: no such method, or its
 * rows are more than a table holds. Not to be asked for the first time from two threads at once. */
const rt_param *rti_parts_rows(const char *name, int *count);
/* Rows of one method by itself, taps included. */
const rt_param *rti_method_own_rows(const rti_method *method, int *count);

/* The options of part `i` under their own names, from `given` (NULL: defaults), which may hold others. */
void rti_part_options(const rti_parts *parts, int i, const rt_params *given, rt_params *own);

#endif
