/* opening.h - the arguments that name a plan, the same for every command that has one.  Floor 9 (cli) */
#ifndef RTI_OPENING_H
#define RTI_OPENING_H

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

/* "1:05" for people; "a few seconds" and so on are left to the caller. Returns out. */
const char *rti_duration(double seconds, char out[32]);

#endif
