/* log.c - lines for whoever listens.                                   Floor 1 (core) */
#include "retort/log.h"

#include <stdarg.h>
#include <stdio.h>

static rt_log_function *listener;
static void *listener_context;

void rt_log_set(rt_log_function *function, void *context) {
    listener = function;
    listener_context = context;
}

void rt_say(rt_log_level level, const char *format, ...) {
    if (!listener) return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    listener(listener_context, level, line);
}
