/* training.c - see training.h.                                         Floor 9 (cli) */
#include "cli/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/live.h"
#include "cli/opening.h"
#include "cli/signals.h"

/* ---- options ---- */

bool rti_read_count(const char *text, long least, long most, int *out) {
    char *end;
    long value = strtol(text, &end, 10);
    if (!text[0] || *end || value < least || value > most) return false;
    *out = (int)value;
    return true;
}

bool rti_training_take(rti_run_options *run, int argc, char **argv, int *i, const char **problem) {
    const char *value;
    *problem = NULL;
    if ((value = rti_option_value("--workers", argc, argv, i, problem))) {
        if (!*problem && !rti_read_count(value, 1, 256, &run->workers))
            *problem = "--workers goes from 1 to 256:";
    } else if ((value = rti_option_value("--threads", argc, argv, i, problem))) {
        if (!*problem && !rti_read_count(value, 1, 256, &run->threads))
            *problem = "--threads goes from 1 to 256:";
    } else if ((value = rti_option_value("--checkpoint", argc, argv, i, problem))) {
        char *end;
        run->checkpoint_s = strtod(value, &end);
        if (!*problem && (end == value || *end || !(run->checkpoint_s >= 0)))
            *problem = "--checkpoint needs a number of seconds, 0 or more:";
    } else if (!strcmp(argv[*i], "--retry-failed"))
        run->retry_failed = true;
    else if (!strcmp(argv[*i], "--fail-fast"))
        run->fail_fast = true;
    else if (!strcmp(argv[*i], "--alone"))
        run->alone = true;
    else if (!strcmp(argv[*i], "--keep-going"))
        run->fail_fast = false;
    else
        return !strcmp(argv[*i], "--resume");
    return true;
}

/* ---- training ---- */

rt_status rti_training_run(const rti_plan *plan, rti_run_options *run, rti_run_outcome *outcome,
                           rt_error *error) {
    rti_live live;
    rti_signals_catch();
    rti_live_begin(&live, plan);
    run->stop = &rti_signals_seen;
    run->event = rti_live_event;
    run->context = &live;
    rt_status status = rti_run(plan, run, outcome, error);
    rti_live_end(&live);
    return status;
}

int rti_training_broken(const rti_run_outcome *outcome, const rt_error *error) {
    fprintf(stderr,
            "%d of %d trials are finished and kept; the others go on from where they are when the same "
            "command is run again.\n",
            outcome->view.done, outcome->view.total);
    return rti_complain(error);
}

int rti_training_stopped(const rti_run_outcome *outcome) {
    fprintf(stderr,
            "stopped: %d of %d trials are finished, the others %s. To go on, run the same command again.\n",
            outcome->view.done, outcome->view.total,
            rti_signals_seen >= 2 ? "go on from their last checkpoint" : "are saved");
    return RTI_EXIT_STOPPED;
}

bool rti_training_failures(const rti_run_outcome *outcome) {
    const rti_run_view *v = &outcome->view;
    if (!v->failed && !v->blocked) return false;
    fprintf(stderr, "%d of %d trials failed", v->failed, v->total);
    if (v->blocked) fprintf(stderr, " and %d wait for a teacher that failed", v->blocked);
    fputs("; `retort status` says why, --retry-failed tries them again.\n", stderr);
    return true;
}
