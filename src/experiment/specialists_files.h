/* specialists_files.h - what the files of specialists share.           Floor 8 (experiment) */
#ifndef RTI_SPECIALISTS_FILES_H
#define RTI_SPECIALISTS_FILES_H

#include "experiment/specialists.h"

/* report.md into the directory of `place`, a plan of which that alone is used. (specialists_report.c) */
rt_status rti_specialists_report(const rti_specialists_result *result, const char *name,
                                 const rti_plan *place, rt_error *error) RT_MUST_CHECK;

#endif
