/* export_c.h - `retort export --to c`.                                 Floor 9 (cli) */
#ifndef RTI_EXPORT_C_H
#define RTI_EXPORT_C_H

#include "cli/target.h"

typedef struct rti_export_c {
    const rti_target *target;
    const rt_model *model; /* of target->weights; NULL when that is a file of int8 */
    const char *output;    /* "dir/student": dir/student.h and dir/student.c */
    bool int8;
    const rt_params *data; /* NULL: no data are known */
} rti_export_c;

/* Writes both files and says on standard output what they hold. RT_VALUE: a name that C cannot have, int8
 * without data to calibrate on; errors of opening, evaluating and writing. */
rt_status rti_export_c_write(const rti_export_c *job, rt_error *error) RT_MUST_CHECK;

#endif
