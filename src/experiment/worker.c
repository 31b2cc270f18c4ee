/* worker.c - see worker.h.                                             Floor 8 (experiment)
 *
 * The child obeys SIGTERM from its parent, and stops by itself when the parent is gone: an orphan
 * would hold claims that nobody waits for. Ctrl-C reaches all processes of a terminal; the child
 * leaves the decision to its parent. A timer keeps the claims' heartbeat, whatever the trials do.
 *
 * Children are not tied to processors: two that were took 0.957 s for the sweep of eight students, two that
 * were not 0.954 (medians of ten in turn), and other programs of the machine would have to wait for them. */
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
static rti_lock child_locks[RTI_GROUP_MAX];
static int child_trials[RTI_GROUP_MAX]; /* whose locks they are */
static volatile sig_atomic_t child_count;
static double child_told_s[RTI_GROUP_MAX];
static int child_pipe = -1;
static pid_t child_parent;

static void on_stop(int signal_number) {
    (void)signal_number;
    child_stop = 1;
}

static void on_alarm(int signal_number) {
    (void)signal_number;
    int saved = errno;
    for (int i = 0; i < child_count; i++) rti_lock_beat(&child_locks[i]);
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

static int place_of(int trial) {
    int i = 0;
    while (child_trials[i] != trial) i++;
    return i;
}

static void tell_progress(void *context, const rti_trial_progress *progress) {
    (void)context;
    double now = rti_clock_s(), *told_s = &child_told_s[place_of(progress->trial)];
    if (progress->epoch == 0 && progress->fraction == 0) return;
    if (now - *told_s < TELL_EVERY_S) return;
    *told_s = now;
    rti_message message = {.kind = RTI_MESSAGE_PROGRESS, .trial = progress->trial, .progress = *progress};
    send_message(&message);
}

/* The last that is heard of a trial must arrive. */
static void tell_end(void *context, int trial, rti_trial_end end, const rt_error *why) {
    (void)context;
    rti_message message = {.kind = RTI_MESSAGE_END, .trial = trial, .end = end};
    if (why) message.error = *why;
    rti_lock_release(&child_locks[place_of(trial)]);
    fcntl(child_pipe, F_SETFL, 0);
    send_message(&message);
    fcntl(child_pipe, F_SETFL, O_NONBLOCK);
}

static void tell_log(void *context, rt_log_level level, const char *line) {
    (void)context;
    if (level < RT_LOG_WARNING) return;
    rti_message message = {.kind = RTI_MESSAGE_LOG};
    snprintf(message.error.message, sizeof message.error.message, "%s", line);
    send_message(&message);
}

/* True when the trial is ours and unfinished. */
static bool claim(const rti_plan *plan, int trial) {
    char directory[RTI_PATH_MAX];
    rt_error error = {0};
    rti_lock *lock = &child_locks[child_count];
    lock->descriptor = -1;
    child_trials[child_count++] = trial;
    rti_trial_directory(plan, trial, directory, sizeof directory);
    rt_status status = rti_directory_make(directory, &error);
    if (status == RT_OK) status = rti_lock_take(lock, directory, &error);
    rti_trial_end end = status == RT_OK ? RTI_END_DONE : status == RT_BUSY ? RTI_END_BUSY : RTI_END_UNSAVED;
    /* somebody may have finished it before we had the claim */
    if (status == RT_OK && rti_trial_state(plan, trial) != RTI_DONE) return true;
    tell_end(NULL, trial, end, &error);
    return false;
}

static void beat_every(int seconds) {
    struct itimerval beat = {{seconds, 0}, {seconds, 0}};
    setitimer(ITIMER_REAL, &beat, NULL);
}

static _Noreturn void child(const rti_plan *plan, const int trials[], int count, int threads,
                            int all_threads, double checkpoint_s) {
    int mine[RTI_GROUP_MAX], claimed = 0;
    rti_trial_end ends[RTI_GROUP_MAX];
    rt_log_set(tell_log, NULL);
    rt_threads_set(threads);
    beat_every(RTI_LOCK_BEAT_S);
    for (int i = 0; i < count; i++)
        if (claim(plan, trials[i])) mine[claimed++] = trials[i];
    rti_trial_hooks hooks = {.go_on = go_on, .progress = tell_progress, .ended = tell_end,
                             .checkpoint_s = checkpoint_s, .all_threads = all_threads};
    if (claimed) rti_trials_run(plan, mine, claimed, &hooks, ends, NULL);
    beat_every(0);
    _exit(0); /* lint: _exit */
}

/* ---- in the parent ---- */

rt_status rti_worker_start(rti_worker *worker, const rti_plan *plan, const int trials[], int count,
                           int threads, int all_threads, double checkpoint_s, rt_error *error) {
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
        child(plan, trials, count, threads, all_threads, checkpoint_s);
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
    worker->count = count;
    worker->started_s = rti_clock_s();
    for (int i = 0; i < count; i++)
        worker->trials[i] = (rti_worker_trial){
            .number = trials[i], .progress = {.trial = trials[i], .validation_accuracy = NAN}};
    return RT_OK;
}

static rti_worker_trial *find(rti_worker *worker, int trial) {
    for (int i = 0; i < worker->count; i++)
        if (worker->trials[i].number == trial) return &worker->trials[i];
    return NULL;
}

static void hear(rti_worker *worker, const rti_message *message, const rti_worker_listener *l) {
    if (message->kind == RTI_MESSAGE_LOG) {
        l->log(l->context, worker->trials[0].number, message->error.message);
        return;
    }
    rti_worker_trial *t = find(worker, message->trial);
    if (!t) return;
    if (message->kind == RTI_MESSAGE_PROGRESS) {
        t->progress = message->progress;
        l->progress(l->context, &t->progress);
    } else {
        t->has_end = true;
        l->ended(l->context, worker, t->number, message->end, &message->error);
    }
}

bool rti_worker_listen(rti_worker *worker, const rti_worker_listener *listener) {
    rti_message message;
    for (;;) {
        ssize_t got = read(worker->pipe, &message, sizeof message);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
        if (got != (ssize_t)sizeof message) return true;
        hear(worker, &message, listener);
    }
}

/* How a trial ended whose process died. */
static rti_trial_end post_mortem(const rti_worker *worker, const rti_plan *plan, const rti_worker_trial *t,
                                 int status, rt_error *why) {
    const char *whose = worker->count > 1 ? "the process of its group" : "its process";
    if (WIFSIGNALED(status))
        rt_fail(why, RT_PROGRAM, "%s was ended by signal %d (%s)%s", whose, WTERMSIG(status),
                strsignal(WTERMSIG(status)),
                WTERMSIG(status) == SIGKILL  ? "; perhaps memory ran out"
                : WTERMSIG(status) == SIGBUS ? "; perhaps a data file was made shorter while it was in use"
                                             : "");
    else rt_fail(why, RT_PROGRAM, "%s ended with exit status %d", whose, WEXITSTATUS(status));
    if (worker->count > 1) return RTI_END_LOST;
    rt_error inner = {0};
    if (rti_trial_write_failure(plan, t->number, why, t->progress.epoch + 1, 0, &inner) == RT_OK)
        return RTI_END_FAILED;
    *why = inner;
    return RTI_END_UNSAVED;
}

void rti_worker_reap(rti_worker *worker, const rti_plan *plan, bool killed,
                     const rti_worker_listener *listener) {
    int status = 0;
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) continue;
    rti_worker_listen(worker, listener);
    close(worker->pipe);
    worker->pid = 0;
    for (int i = 0; i < worker->count; i++) {
        rti_worker_trial *t = &worker->trials[i];
        rt_error why = {0};
        if (t->has_end) continue;
        rti_trial_end end = killed ? RTI_END_STOPPED : post_mortem(worker, plan, t, status, &why);
        t->has_end = true;
        listener->ended(listener->context, worker, t->number, end, &why);
    }
}
