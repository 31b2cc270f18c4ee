/* live.c - see live.h.                                                 Floor 9 (cli) */
#include "cli/live.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/opening.h"
#include "core/clock.h"

#define DRAW_EVERY_S 0.1
#define LOG_EVERY_S 10.0

void rti_live_begin(rti_live *live, const rti_plan *plan) {
    const char *term = getenv("TERM");
    *live = (rti_live){.plan = plan, .drawn_s = rti_clock_s()};
    live->terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
}

void rti_live_end(rti_live *live) {
    if (live->shown) fputs("\r\033[K", stderr);
    live->shown = false;
    fflush(stderr);
}

/* "trial 12 of 57  student T 4, alpha 0.9, seed 2  epoch 7/20  validation 93.1 %  0:40 min left"; when
 * several run "trials 9-12 of 57", and what is said is of one of them */
static void describe(const rti_live *live, const rti_run_view *v, char *out, size_t size) {
    char label[256], duration[32];
    int ended = v->done + v->failed + v->blocked, number = ended + v->running;
    if (number > v->total) number = v->total;
    size_t used = v->running > 1
                      ? (size_t)snprintf(out, size, "trials %d-%d of %d", ended + 1, number, v->total)
                      : (size_t)snprintf(out, size, "trial %d of %d", number, v->total);
    if (v->failed) used += (size_t)snprintf(out + used, size - used, " (%d failed)", v->failed);
    if (v->current.trial >= 0 && v->running) {
        rti_trial_label(live->plan, v->current.trial, label, sizeof label);
        used += (size_t)snprintf(out + used, size - used, "  %s  epoch %lld/%lld", label,
                                 (long long)(v->current.epoch < v->current.epochs ? v->current.epoch + 1
                                                                                  : v->current.epochs),
                                 (long long)v->current.epochs);
        if (used < size && !isnan(v->current.validation_accuracy))
            used += (size_t)snprintf(out + used, size - used, "  validation %.1f %%",
                                     100 * v->current.validation_accuracy);
    } else if (v->elsewhere && !v->running) {
        used += (size_t)snprintf(out + used, size - used, "  waiting for %d that other processes run",
                                 v->elsewhere);
    }
    if (used < size && !isnan(v->remaining_s) && v->running)
        snprintf(out + used, size - used, "  %s left", rti_duration(v->remaining_s, duration));
}

static size_t terminal_width(void) {
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 20) return window.ws_col;
    return 80;
}

static void draw(rti_live *live, const rti_run_view *view) {
    char line[1024];
    double now = rti_clock_s();
    if (now - live->drawn_s < (live->terminal ? DRAW_EVERY_S : LOG_EVERY_S)) return;
    live->drawn_s = now;
    describe(live, view, line, sizeof line);
    if (!live->terminal) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    size_t width = terminal_width() - 1;
    if (width < sizeof line) line[width] = 0;
    fprintf(stderr, "\r%s\033[K", line);
    live->shown = true;
    fflush(stderr);
}

static void say_ended(rti_live *live, const rti_run_event *event) {
    char label[256];
    const rti_run_view *v = event->view;
    rti_trial_label(live->plan, event->trial, label, sizeof label);
    const char *id = live->plan->trials[event->trial].id;
    if (event->end == RTI_END_FAILED || event->end == RTI_END_UNSAVED) {
        rti_live_end(live);
        fprintf(stderr, "%s (%.16s) %s: %s\n", label, id,
                event->end == RTI_END_FAILED ? "failed" : "is not saved", event->message);
    } else if (event->end == RTI_END_LOST) {
        rti_live_end(live);
        fprintf(stderr, "%s (%.16s): %s; it goes on alone\n", label, id, event->message);
    } else if (event->end == RTI_END_DONE && !live->terminal) {
        fprintf(stderr, "%d of %d  %s (%.16s) done\n", v->done, v->total, label, id);
    }
}

void rti_live_event(void *context, const rti_run_event *event) {
    rti_live *live = context;
    switch (event->kind) {
    case RTI_EVENT_TICK:
    case RTI_EVENT_STARTED: draw(live, event->view); break;
    case RTI_EVENT_ENDED: say_ended(live, event); break;
    case RTI_EVENT_LOG:
        rti_live_end(live);
        fprintf(stderr, "%.16s: %s\n", live->plan->trials[event->trial].id, event->message);
        break;
    }
}
