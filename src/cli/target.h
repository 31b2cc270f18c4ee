/* target.h - a trained network, as the command line names it.          Floor 9 (cli)
 *
 * A trial's directory stands for its weights; a .safetensors file may lie in one. What the trial says of
 * its data and of its teachers is found with it.
 *
 *     rti_target *t = rt_alloc_zero(1, sizeof *t);                 it is large
 *     rti_target_find(t, "runs/demo/0ad17e86814a91c0", false, &error);
 *     rt_model *model = rt_model_open(t->weights, &error);
 *     rti_target_data(t, NULL, NULL, 0, &data, &error);            rows for rt_dataset_open
 *     rti_target_deinit(t); */
#ifndef RTI_TARGET_H
#define RTI_TARGET_H

#include "core/file.h"
#include "experiment/experiment.h"

typedef struct rti_target {
    char name[RTI_PATH_MAX];      /* as it was given */
    char directory[RTI_PATH_MAX]; /* of the trial; "" when the file stands alone */
    char weights[RTI_PATH_MAX];
    rti_spec spec;                /* of the trial, when there is a directory */
} rti_target;

/* `best`: of a directory, the weights that were best on validation. RT_NOT_FOUND: a directory that is no
 * trial's; what rti_spec_read says. Does not look whether the weights are there. */
rt_status rti_target_find(rti_target *target, const char *name, bool best, rt_error *error) RT_MUST_CHECK;
void rti_target_deinit(rti_target *target);

/* The rows of the data to look at: those of the trial, or the set called `set` (NULL: none was named), with
 * overrides "data.KEY=VALUE". RT_VALUE when nothing says which data; RT_SPEC. */
rt_status rti_target_data(const rti_target *target, const char *set, const char *const overrides[],
                          int override_count, rt_params *data, rt_error *error) RT_MUST_CHECK;

/* The networks that the trial is measured against, its teachers mostly, opened into members[*count ...];
 * all or none. The caller frees them. */
rt_status rti_target_teachers(const rti_target *target, rt_model *members[RTI_TEACHERS_MAX], int *count,
                              rt_error *error) RT_MUST_CHECK;

/* How the trial combines them. */
rt_combine rti_target_combine(const rti_target *target);

#endif
