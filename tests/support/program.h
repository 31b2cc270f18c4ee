/* program.h - the program itself, started by a test. */
#ifndef TEST_PROGRAM_H
#define TEST_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/* The path of the program of this precision: RETORT_PROGRAM of the environment, else what was built. */
const char *test_program_path(void);

typedef struct test_run {
    int status;          /* exit status; 128 + signal when a signal ended it */
    char out[1 << 16];   /* what it said, cut at the end */
    char err[1 << 16];
} test_run;

/* Runs the program with these arguments (NULL-terminated, without its own name) and waits. */
void test_program(test_run *run, const char *const arguments[]);

/* Starts it, in a process group of its own, its words thrown away. */
pid_t test_program_start(const char *const arguments[]);
int test_program_wait(pid_t pid); /* the status as above */

/* The whole file, followed by a zero, *length without it; NULL when it cannot be read. free() it. */
char *test_file(const char *path, size_t *length);
void test_write(const char *path, const char *text);

#endif
