/* worker.c - see worker.h.                                             Floor 8 (experiment)
 *
 * The child obeys SIGTERM from its parent, and stops by itself when the parent is gone: an orphan
 * would hold a claim that nobody waits for. Ctrl-C reaches all processes of a terminal; the child
 * leaves the decision to its parent. A timer keeps the claim's heartbeat, whatever the trial does. */
#include "experiment/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "experiment/lock.h"
#include "retort/log.h"
#include "retort/threads.h"

#define TELL_EVERY_S 0.1

_Static_assert(sizeof(rti_message) <= 4096, "a message fits in a pipe at once");

/* ---- in the child ---- */

static volatile sig_atomic_t child_stop;
static rti_lock child_lock = {.descriptor = -1};
static int child_pipe = -1;
static pid_t child_parent;
static double child_told_s;

static void on_stop(int signal_number) {
    (void)signal_number;
    child_stop = 1;
}

static void on_alarm(int signal_number) {
    (void)signal_number;
    int saved = errno;
    rti_lock_beat(&child_lock);
    errno = saved;
}

static void handle(int signal_number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

static void set_signals(void) {
    handle(SIGTERM, on_stop);
    handle(SIGALRM, on_alarm);
    handle(SIGINT, SIG_IGN);
    handle(SIGHUP, SIG_IGN);
    handle(SIGUSR1, SIG_IGN);
    handle(SIGPIPE, SIG_IGN);
    handle(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
}

static void send_message(const rti_message *message) {
    ssize_t written = write(child_pipe, message, sizeof *message);
    (void)written; /* a full pipe loses a line of progress */
}

static bool go_on(void *context) {
    (void)context;
    if (getppid() != child_parent) child_stop = 1;
    return !child_stop;
}

static void tell_progress(void *context, const rti_trial_progress *progress) {
    (void)context;
    double now = rti_clock_s();
    if (progress->epoch == 0 && progress->fraction == 0) return;
    if (now - child_told_s < TELL_EVERY_S) return;
    child_told_s = now;
    rti_message message = {.kind = RTI_MESSAGE_PROGRESS, .progress = *progress};
    send_message(&message);
}

static void tell_log(void *context, rt_log_level level, const char *line) {
    (void)context;
    if (level < RT_LOG_WARNING) return;
    rti_message message = {.kind = RTI_MESSAGE_LOG};
    snprintf(message.error.message, sizeof message.error.message, "%s", line);
    send_message(&message);
}

static rti_trial_end claim_and_run(const rti_plan *plan, int trial, double checkpoint_s, rt_error *error) {
    char directory[RTI_PATH_MAX];
    rti_trial_directory(plan, trial, directory, sizeof directory);
    rt_status status = rti_directory_make(directory, error);
    if (status == RT_OK) status = rti_lock_take(&child_lock, directory, error);
    if (status == RT_BUSY) return RTI_END_BUSY;
    if (status != RT_OK) return RTI_END_UNSAVED;
    struct itimerval beat = {{RTI_LOCK_BEAT_S, 0}, {RTI_LOCK_BEAT_S, 0}};
    setitimer(ITIMER_REAL, &beat, NULL);
    rti_trial_end end = RTI_END_DONE; /* somebody may have finished it before we had the claim */
    if (rti_trial_state(plan, trial) != RTI_DONE) {
        rti_trial_hooks hooks = {.go_on = go_on, .progress = tell_progress, .checkpoint_s = checkpoint_s};
        end = rti_trial_run(plan, trial, &hooks, error);
    }
    memset(&beat, 0, sizeof beat);
    setitimer(ITIMER_REAL, &beat, NULL);
    rti_lock_release(&child_lock);
    return end;
}

static _Noreturn void child(const rti_plan *plan, int trial, int threads, double checkpoint_s) {
    rti_message message = {.kind = RTI_MESSAGE_END};
    rt_log_set(tell_log, NULL);
    rt_threads_set(threads);
    message.end = claim_and_run(plan, trial, checkpoint_s, &message.error);
    fcntl(child_pipe, F_SETFL, 0); /* the last message must arrive */
    send_message(&message);
    _exit(0); /* lint: _exit */
}

/* ---- in the parent ---- */

rt_status rti_worker_start(rti_worker *worker, const rti_plan *plan, int trial, int threads,
                           double checkpoint_s, rt_error *error) {
    int ends[2];
    memset(worker, 0, sizeof *worker);
    if (pipe(ends) != 0) return rt_fail(error, RT_PROGRAM, "no pipe for a worker: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    /* Until the child has its own handlers a signal must not reach those of the parent in it. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child_pipe = ends[1];
        child_parent = parent;
        set_signals();
        sigprocmask(SIG_SETMASK, &before, NULL);
        child(plan, trial, threads, checkpoint_s);
    }
    int failure = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return rt_fail(error, RT_PROGRAM, "no process for a worker: %s", strerror(failure));
    }
    worker->pid = pid;
    worker->pipe = ends[0];
    worker->trial = trial;
    worker->started_s = rti_clock_s();
    worker->progress.trial = trial;
    worker->progress.validation_accuracy = NAN;
    return RT_OK;
}

bool rti_worker_listen(rti_worker *worker, void (*log)(void *context, int trial, const char *line),
                       void *context) {
    rti_message message;
    for (;;) {
        ssize_t got = read(worker->pipe, &message, sizeof message);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
        if (got != (ssize_t)sizeof message) return true;
        if (message.kind == RTI_MESSAGE_PROGRESS) worker->progress = message.progress;
        if (message.kind == RTI_MESSAGE_LOG && log) log(context, worker->trial, message.error.message);
        if (message.kind == RTI_MESSAGE_END) {
            worker->has_end = true;
            worker->last = message;
        }
    }
}

rti_trial_end rti_worker_reap(rti_worker *worker, const rti_plan *plan, bool killed, rt_error *why) {
    int status = 0;
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) continue;
    rti_worker_listen(worker, NULL, NULL);
    close(worker->pipe);
    worker->pid = 0;
    if (worker->has_end) {
        *why = worker->last.error;
        return worker->last.end;
    }
    if (killed) return RTI_END_STOPPED;
    int64_t epoch = worker->progress.epoch + 1;
    if (WIFSIGNALED(status))
        rt_fail(why, RT_PROGRAM, "its process was ended by signal %d (%s)%s", WTERMSIG(status),
                strsignal(WTERMSIG(status)), WTERMSIG(status) == SIGKILL ? "; perhaps memory ran out" : "");
    else rt_fail(why, RT_PROGRAM, "its process ended with exit status %d", WEXITSTATUS(status));
    rt_error inner = {0};
    if (rti_trial_write_failure(plan, worker->trial, why, epoch, 0, "", &inner) == RT_OK)
        return RTI_END_FAILED;
    *why = inner;
    return RTI_END_UNSAVED;
}
