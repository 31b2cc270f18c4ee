/* program.c - see program.h. */
#include "program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "temporary.h"

#ifndef RETORT_PROGRAM
#define RETORT_PROGRAM "build/retort"
#endif

const char *test_program_path(void) {
    const char *path = getenv("RETORT_PROGRAM");
    return path && path[0] ? path : RETORT_PROGRAM;
}

static pid_t start(const char *const arguments[], const char *out, const char *err, bool group) {
    const char *all[64] = {test_program_path()};
    int count = 1;
    for (; arguments[count - 1]; count++) {
        cr_assert_lt(count, 63);
        all[count] = arguments[count - 1];
    }
    cr_assert_eq(access(all[0], X_OK), 0, "%s: there is no program to test", all[0]);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid) return pid;
    if (group) setpgid(0, 0);
    signal(SIGINT, SIG_DFL); /* a shell starts what it puts in the background with SIGINT ignored */
    int fds[3] = {open("/dev/null", O_RDONLY), open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
                  open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600)};
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0) _exit(126);
    execv(all[0], (char *const *)(uintptr_t)all);
    _exit(127);
}

int test_program_wait(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0) cr_assert_eq(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_into(const char *path, char *out, size_t size) {
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(out, 1, size - 1, file) : 0;
    if (file) fclose(file);
    out[got] = 0;
}

void test_program(test_run *run, const char *const arguments[]) {
    char out[1024], err[1024];
    snprintf(out, sizeof out, "%s", test_path("program.out"));
    snprintf(err, sizeof err, "%s", test_path("program.err"));
    run->status = test_program_wait(start(arguments, out, err, false));
    read_into(out, run->out, sizeof run->out);
    read_into(err, run->err, sizeof run->err);
}

pid_t test_program_start(const char *const arguments[]) {
    return start(arguments, "/dev/null", "/dev/null", true);
}

char *test_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *bytes = NULL;
    size_t capacity = 0;
    *length = 0;
    do {
        capacity = capacity ? 2 * capacity : 65536;
        bytes = realloc(bytes, capacity + 1);
        cr_assert(bytes);
        *length += fread(bytes + *length, 1, capacity - *length, file);
    } while (*length == capacity);
    fclose(file);
    bytes[*length] = 0;
    return bytes;
}

void test_write(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(text, 1, strlen(text), file) == strlen(text) && fclose(file) == 0, "%s", path);
}
