/* status.h - the three kinds of error.                               Floor 1 (core)
 *
 *   a caller's bug        RT_ASSERT: message on standard error and abort, in release builds too
 *   an expected failure   a status code and, for people, an rt_error that says what, where and
 *                         what to do. Functions that can fail so are RT_MUST_CHECK.
 *   the program's exits   only src/cli prints or exits
 *
 * A function that can fail takes `rt_error *error` last. NULL is allowed: then only the code is
 * returned. On success *error is left as it was. */
#ifndef RETORT_STATUS_H
#define RETORT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number type of every tensor. The library built with -DRT_REAL=double is the one that
 * gradients are checked with; a program must be compiled with the same RT_REAL as its library. */
#ifndef RT_REAL
#define RT_REAL float
#endif
typedef RT_REAL rt_real;

#if defined(__GNUC__)
#define RT_MUST_CHECK __attribute__((warn_unused_result))
#define RT_PRINTF(position, first) __attribute__((format(printf, position, first)))
#else
#define RT_MUST_CHECK
#define RT_PRINTF(position, first)
#endif

/* One row per status: code, name in files and logs, what it means. */
#define RT_STATUS_LIST(X)                                                     \
    X(OK,          "ok",          "done")                                     \
    X(MEMORY,      "memory",      "not enough memory")                        \
    X(SHAPE,       "shape",       "shapes do not fit together")               \
    X(VALUE,       "value",       "a value is out of its range")              \
    X(SPEC,        "spec",        "the experiment spec is not valid")         \
    X(FORMAT,      "format",      "a file is not in the format it should be") \
    X(IO,          "io",          "a file could not be read or written")      \
    X(NOT_FOUND,   "not-found",   "a thing asked for does not exist")         \
    X(NOT_FINITE,  "not-finite",  "a loss or gradient is not a finite number") \
    X(UNSUPPORTED, "unsupported", "this combination is not defined")          \
    X(PROGRAM,     "program",     "another program failed or is missing")     \
    X(BUSY,        "busy",        "somebody else is working on it")           \
    X(STOPPED,     "stopped",     "stopped by a signal, everything is saved")

typedef enum rt_status {
#define X(code, name, meaning) RT_##code,
    RT_STATUS_LIST(X)
#undef X
    RT_STATUS_COUNT
} rt_status;

const char *rt_status_name(rt_status status);    /* "shape"; never NULL */
const char *rt_status_meaning(rt_status status); /* "shapes do not fit together"; never NULL */

typedef struct rt_error {
    rt_status status;
    char message[512]; /* one or more whole sentences, no newline at the end */
} rt_error;

/* Fills *error (when not NULL) and returns `status`, so that a failure is one line:
 *     return rt_fail(error, RT_IO, "%s: cannot be opened: %s", path, strerror(errno));
 * A message longer than the buffer is cut. */
rt_status rt_fail(rt_error *error, rt_status status, const char *format, ...) RT_PRINTF(3, 4);

/* Puts "context: " before the message that is already there; returns error's status.
 * With error == NULL returns `status`. */
rt_status rt_fail_in(rt_error *error, rt_status status, const char *format, ...) RT_PRINTF(3, 4);

/* Passes a failure on to the caller. */
#define RT_TRY(expression)                                   \
    do {                                                     \
        rt_status rt_try_status_ = (expression);             \
        if (rt_try_status_ != RT_OK) return rt_try_status_;  \
    } while (0)

/* A caller's bug. Kept in release builds. */
#define RT_ASSERT(condition, ...) \
    ((condition) ? (void)0 : rt_assert_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))

_Noreturn void rt_assert_failed(const char *file, int line, const char *condition,
                                const char *format, ...) RT_PRINTF(4, 5);

#endif
