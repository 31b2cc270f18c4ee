/* log.h - how the library speaks without printing.                    Floor 1 (core)
 *
 * The library never writes to the terminal; it hands lines to this call-back. Without one they
 * are dropped. */
#ifndef RETORT_LOG_H
#define RETORT_LOG_H

#include "retort/status.h"

typedef enum rt_log_level { RT_LOG_DEBUG, RT_LOG_INFO, RT_LOG_WARNING, RT_LOG_ERROR } rt_log_level;

typedef void rt_log_function(void *context, rt_log_level level, const char *line);

/* One call-back for the process; NULL drops everything. Call from one thread. */
void rt_log_set(rt_log_function *function, void *context);

/* One line, no newline at its end. */
void rt_say(rt_log_level level, const char *format, ...) RT_PRINTF(2, 3);

#endif
