/* program.c - other programs, started without a shell. See file.h.     Floor 1 (core) */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "retort/alloc.h"

extern char **environ;

/* Standard input empty, standard output into `output_fd` unless it is -1; the signals we ignore or
 * block are the program's again. Returns 0 or an errno, that of a failed exec included. */
static int spawn(const char *const argv[], int output_fd, pid_t *child) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int failure = posix_spawn_file_actions_init(&files);
    if (failure) return failure;
    failure = posix_spawnattr_init(&attributes);
    if (failure) {
        posix_spawn_file_actions_destroy(&files);
        return failure;
    }
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    failure = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failure && output_fd >= 0)
        failure = posix_spawn_file_actions_adddup2(&files, output_fd, STDOUT_FILENO);
    if (!failure) failure = posix_spawnattr_setsigmask(&attributes, &none);
    if (!failure) failure = posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (!failure)
        failure = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failure)
        failure = posix_spawnp(child, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failure;
}

/* Collects what comes out of the pipe, doubling the buffer up to limit + 1 bytes: one more than is
 * allowed tells a program that says too much. */
static rt_status collect(int fd, size_t limit, const char *program, rti_bytes *out, rt_error *error) {
    size_t capacity = 0, count = 0;
    unsigned char *data = NULL;
    for (;;) {
        if (capacity - count < 2) { /* a byte to read and the zero at the end */
            size_t most = limit < SIZE_MAX / 4 ? limit + 2 : SIZE_MAX / 4;
            size_t wanted = capacity ? 2 * capacity : (size_t)64 << 10;
            unsigned char *grown = capacity < most ? rt_realloc(data, wanted < most ? wanted : most) : NULL;
            if (!grown) {
                rt_free(data);
                return rt_fail(error, RT_MEMORY, "not enough memory for what %s says (%llu bytes so far)",
                               program, (unsigned long long)count);
            }
            data = grown;
            capacity = wanted < most ? wanted : most;
        }
        ssize_t n = read(fd, data + count, capacity - count - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int failure = errno;
            rt_free(data);
            return rt_fail(error, RT_IO, "the output of %s cannot be read: %s", program, strerror(failure));
        }
        if (n == 0) break;
        count += (size_t)n;
        if (count > limit) {
            rt_free(data);
            return rt_fail(error, RT_IO, "%s says more than the %llu bytes that are read at most", program,
                           (unsigned long long)limit);
        }
    }
    data[count] = 0;
    *out = (rti_bytes){data, count};
    return RT_OK;
}

static rt_status wait_for(pid_t child, const char *program, rt_error *error) {
    int state;
    pid_t waited;
    do waited = waitpid(child, &state, 0);
    while (waited < 0 && errno == EINTR);
    if (waited < 0)
        return rt_fail(error, RT_PROGRAM, "%s: its exit status is lost: %s", program, strerror(errno));
    if (WIFSIGNALED(state))
        return rt_fail(error, RT_PROGRAM, "%s was ended by signal %d", program, WTERMSIG(state));
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return rt_fail(error, RT_PROGRAM, "%s failed with exit status %d", program,
                       WIFEXITED(state) ? WEXITSTATUS(state) : -1);
    return RT_OK;
}

static rt_status fail_to_start(const char *program, int failure, rt_error *error) {
    if (failure == ENOENT)
        return rt_fail(error, RT_PROGRAM, "%s is not installed, or not in PATH: install it", program);
    return rt_fail(error, RT_PROGRAM, "%s cannot be started: %s", program, strerror(failure));
}

rt_status rti_program_run(const char *const argv[], size_t limit, rti_bytes *output, rt_error *error) {
    RT_ASSERT(argv && argv[0], "rti_program_run: no program is named");
    pid_t child;
    if (!output) {
        int failure = spawn(argv, -1, &child);
        return failure ? fail_to_start(argv[0], failure, error) : wait_for(child, argv[0], error);
    }
    *output = (rti_bytes){NULL, 0};
    int ends[2];
    if (pipe(ends) != 0)
        return rt_fail(error, RT_PROGRAM, "%s cannot be started: no pipe: %s", argv[0], strerror(errno));
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    int failure = spawn(argv, ends[1], &child);
    close(ends[1]);
    if (failure) {
        close(ends[0]);
        return fail_to_start(argv[0], failure, error);
    }
    rt_status read_status = collect(ends[0], limit, argv[0], output, error);
    close(ends[0]);
    if (read_status != RT_OK) { /* nobody listens any more, and it might ignore that */
        kill(child, SIGKILL);
        rt_status ended = wait_for(child, argv[0], NULL);
        (void)ended;
        return read_status;
    }
    rt_status status = wait_for(child, argv[0], error);
    if (status != RT_OK) {
        rt_free(output->data);
        *output = (rti_bytes){NULL, 0};
    }
    return status;
}

static bool is_program(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0;
}

bool rti_program_exists(const char *name) {
    if (name[0] == 0) return false;
    if (strchr(name, '/')) return is_program(name);
    const char *list = getenv("PATH");
    if (!list) list = "/usr/local/bin:/usr/bin:/bin";
    for (const char *start = list;; start = strchr(start, ':') + 1) {
        size_t length = strcspn(start, ":");
        char path[RTI_PATH_MAX];
        int written = snprintf(path, sizeof path, "%.*s/%s", length ? (int)length : 1, length ? start : ".",
                               name);
        if (written > 0 && (size_t)written < sizeof path && is_program(path)) return true;
        if (start[length] == 0) return false;
    }
}
