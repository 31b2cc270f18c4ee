/* training.h - training a plan, for the commands that do.              Floor 9 (cli)
 *
 * The line that moves, signals, and what is said when it is cut short. */
#ifndef RTI_TRAINING_H
#define RTI_TRAINING_H

#include "experiment/scheduler.h"

#define RTI_TRAINING_USAGE                                                                            \
    "  --workers N       processes at once (default: one for each processor)\n"                       \
    "  --threads N       threads of each (default: processors divided by what runs)\n"                \
    "  --checkpoint S    saves unfinished trials every S seconds (default: 5; 0: after each epoch)\n" \
    "  --alone           no groups: each trial by itself, with the same bits\n"                        \
    "  --retry-failed    tries failed trials again\n"                                                 \
    "  --fail-fast       stops at the first failure (default: --keep-going)\n"                        \
    "  --resume          goes on with what is unfinished: the default, accepted for clarity\n"

/* A whole number in [least, most] and nothing else. */
bool rti_read_count(const char *text, long least, long most, int *out);

/* Takes argv[*i] when it is one of the options above; as rti_opening_take. Start from
 * {.checkpoint_s = 5}. */
bool rti_training_take(rti_run_options *run, int argc, char **argv, int *i, const char **problem);

/* rti_run with a moving line, ended by signals: Ctrl-C saves and stops, a second one stops at once. */
rt_status rti_training_run(const rti_plan *plan, rti_run_options *run, rti_run_outcome *outcome,
                           rt_error *error) RT_MUST_CHECK;

/* What is said when a run did not come to its end; both return the exit status. */
int rti_training_broken(const rti_run_outcome *outcome, const rt_error *error);
int rti_training_stopped(const rti_run_outcome *outcome);

/* "2 of 9 trials failed; ...": false when none did. */
bool rti_training_failures(const rti_run_outcome *outcome);

#endif
