/* array_set.h - what the sets made of array files share.               Floor 6 (data) */
#ifndef RTI_ARRAY_SET_H
#define RTI_ARRAY_SET_H

#include "data/arrays.h"

/* Training numbers, training labels, test numbers, test labels. */
typedef struct rti_array_files {
    char path[4][RTI_PATH_MAX]; /* "": there is none (the test files, both) */
    rti_array_format format[4];
    const char *row[3]; /* names of the options below */
} rti_array_files;

/* The options every such set has; `kind` is a string literal. */
#define RTI_ARRAY_SET_ROWS(kind)                                                                            \
    RT_PARAM_REAL_ROW(kind ".holdout", 0.2, 0.001, 0.999, "",                                               \
                      "fraction of the examples held out as the test set when there are no test files"),    \
        RT_PARAM_INT_ROW(kind ".classes", 0, 0, RTI_CLASSES_MAX, "classes",                                 \
                         "number of classes; 0 takes one more than the largest training label"),            \
        RT_PARAM_BOOL_ROW(kind ".standardise", 1,                                                           \
                          "floats get mean 0 and deviation 1 per column, of images per channel, fitted on " \
                          "the train part alone; bytes stay as they are")

/* Reads the files; `like` as in rti_dataset_kind. */
rt_status rti_array_set_read(const rt_params *options, const rti_array_files *files, const rti_source *like,
                             rti_source *out, rt_error *error) RT_MUST_CHECK;

/* Finds the files of a set in a directory by their usual names. RT_NOT_FOUND names what was looked for,
 * RT_FORMAT two files for the same part. */
rt_status rti_folder_find(const char *directory, rti_array_files *out, rt_error *error) RT_MUST_CHECK;

#endif
