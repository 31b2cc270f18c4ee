/* status.c - names of statuses, messages, assertions.                  Floor 1 (core) */
#include "retort/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *meaning;
} statuses[RT_STATUS_COUNT] = {
#define X(code, name, meaning) {name, meaning},
    RT_STATUS_LIST(X)
#undef X
};

const char *rt_status_name(rt_status status) {
    return (unsigned)status < RT_STATUS_COUNT ? statuses[status].name : "unknown";
}

const char *rt_status_meaning(rt_status status) {
    return (unsigned)status < RT_STATUS_COUNT ? statuses[status].meaning : "not a status";
}

rt_status rt_fail(rt_error *error, rt_status status, const char *format, ...) {
    if (!error) return status;
    va_list arguments;
    va_start(arguments, format);
    /* Through a buffer of its own: an argument may be the old message. */
    char message[sizeof error->message];
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    memcpy(error->message, message, sizeof message);
    error->status = status;
    return status;
}

rt_status rt_fail_in(rt_error *error, rt_status status, const char *format, ...) {
    if (!error) return status;
    char context[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    return rt_fail(error, error->status == RT_OK ? status : error->status, "%s: %s", context,
                   error->message[0] ? error->message : rt_status_meaning(status));
}

void rt_assert_failed(const char *file, int line, const char *condition, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "retort: caller's bug: %s [%s, %s:%d]\n", /* lint: fprintf */
            message, condition, file, line);
    abort(); /* lint: abort */
}
