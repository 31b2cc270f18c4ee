/* signals.c - see signals.h.                                           Floor 9 (cli) */
#include "cli/signals.h"

#include <string.h>

volatile sig_atomic_t rti_signals_seen;

static void on_signal(int signal_number) {
    (void)signal_number;
    rti_signals_seen = rti_signals_seen + 1;
}

void rti_signals_catch(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    for (int i = 0; i < 4; i++) {
        struct sigaction action, before;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal; /* without SA_RESTART: waiting ends at once */
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

bool rti_signals_none(void *context) {
    (void)context;
    return !rti_signals_seen;
}

bool rti_signals_none_yet(void *context, int64_t epoch, int64_t step, int64_t steps) {
    (void)epoch, (void)step, (void)steps;
    return rti_signals_none(context);
}
