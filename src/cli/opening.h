/* opening.h - the arguments that name a plan or a network, the same for every command that has one.
 *                                                                      Floor 9 (cli) */
#ifndef RTI_OPENING_H
#define RTI_OPENING_H

#include "core/file.h"
#include "experiment/experiment.h"

#define RTI_OVERRIDES_MAX 64

typedef struct rti_opening {
    const char *spec;                           /* NULL: not given yet */
    const char *runs;                           /* "runs" */
    const char *overrides[RTI_OVERRIDES_MAX];
    int override_count;
    bool strict;                                /* a row that is undefined for the pair is an error */
} rti_opening;

/* Text for the usage of such a command. */
#define RTI_OPENING_USAGE                                                                          \
    "  --set KEY=VALUE   replaces what the spec says, e.g. --set student.epochs=5; a swept key is\n" \
    "                    fixed, and --set 'sweep.distill.alpha=[0, 1]' sets an axis\n"             \
    "  --runs DIR        where results lie (default: runs)\n"

/* Takes argv[*i] (and its value) when it is one of the options above or the spec, and moves *i to
 * the last word it took. False: not for us. *problem (NULL when fine) says what is wrong. */
bool rti_opening_take(rti_opening *opening, int argc, char **argv, int *i, const char **problem);

/* The value of an option "--name VALUE" or "--name=VALUE" at argv[*i]; NULL when it is another
 * option. A missing value sets *problem and gives "". */
const char *rti_option_value(const char *name, int argc, char **argv, int *i, const char **problem);

/* Reads the spec and makes the plan. */
rt_status rti_opening_plan(const rti_opening *opening, rti_plan *plan, rt_error *error) RT_MUST_CHECK;

/* ---- a network: the directory of a trial, or a file ---- */

typedef struct rti_target {
    const char *name;                           /* as it was given */
    char directory[RTI_PATH_MAX];               /* of the trial; "" when the file stands alone */
    char weights[RTI_PATH_MAX];
    rti_spec spec;                              /* of the trial, when there is a directory */
} rti_target;

/* `weights`: the file that is meant when a trial is: "weights.safetensors" (the last epoch's), or
 * "best.safetensors". A file may lie in a trial's directory, too. RT_NOT_FOUND and what rti_spec_read
 * says. */
rt_status rti_target_find(rti_target *target, const char *name, const char *weights,
                          rt_error *error) RT_MUST_CHECK;
void rti_target_deinit(rti_target *target);
/* The rows of [data]: of `set`, else (NULL) of the trial, with "data.KEY=VALUE" texts over them. RT_VALUE:
 * nobody says which set. */
rt_status rti_target_data(const rti_target *target, const char *set, const char *const overrides[],
                          int override_count, rt_params *data, rt_error *error) RT_MUST_CHECK;

/* "1:05" for people; "a few seconds" and so on are left to the caller. Returns out. */
const char *rti_duration(double seconds, char out[32]);

#endif
