/* signals.h - Ctrl-C and its like, for commands that save what they have done.  Floor 9 (cli) */
#ifndef RTI_SIGNALS_H
#define RTI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* How many have come since rti_signals_catch: 1 asks to save and stop, 2 to stop at once. */
extern volatile sig_atomic_t rti_signals_seen;

/* SIGINT, SIGTERM, SIGHUP and SIGUSR1 are counted and end waiting; one that our starter ignores (nohup) stays
 * ignored. */
void rti_signals_catch(void);

/* Go on until a signal has come: for whoever asks in between, and as an rt_step_function. */
bool rti_signals_none(void *context);
bool rti_signals_none_yet(void *context, int64_t epoch, int64_t step, int64_t steps);

#endif
