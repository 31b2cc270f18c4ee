/* scheduler.c - see scheduler.h.                                       Floor 8 (experiment)
 *
 * The truth is on the disk: what is kept here of a trial's state is only what was seen last, and it
 * is looked at again before the trial is started. */
#include "experiment/scheduler.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"
#include "experiment/finish.h"
#include "experiment/lock.h"
#include "experiment/worker.h"
#include "retort/alloc.h"
#include "retort/threads.h"

#define TICK_MS 200
#define LOOK_EVERY_S 0.5
#define WORKERS_MAX 256

typedef enum seen { SEEN_PENDING, SEEN_HERE, SEEN_ELSEWHERE, SEEN_DONE, SEEN_FAILED, SEEN_NOT_OURS } seen;

typedef struct run {
    const rti_plan *plan;
    const rti_run_options *options;
    int worker_count, processors;
    rti_worker *workers;
    seen *trials;
    int *group_of;             /* as rti_groups_form has it; -1: done, or not ours */
    bool *retried;
    bool stopping, killing;
    bool broken;               /* results cannot be written, or no process can be started */
    rt_error why_broken;
    double start_s, looked_s;
    rti_estimator estimator;
    rti_run_view view;
} run;

/* Whatever decides is everybody's: a shard that is through takes what others have not claimed. */
bool rti_in_shard(const rti_plan *plan, int trial, int shard, int shards) {
    if (shards < 2) return true;
    int student = 0;
    for (int t = 0; t < plan->trial_count; t++) {
        const rti_trial *root = &plan->trials[t];
        if (root->role == RTI_TEACHER || root->inner) continue;
        bool mine = root->tuning || student++ % shards == shard - 1;
        if (mine && rti_trial_needs(plan, t, trial)) return true;
    }
    return false;
}

/* ---- what is known ---- */

static void look_at(run *r, int t) {
    if (r->trials[t] == SEEN_HERE || r->trials[t] == SEEN_DONE || r->trials[t] == SEEN_NOT_OURS) return;
    switch (rti_trial_state(r->plan, t)) {
    case RTI_DONE: r->trials[t] = SEEN_DONE; break;
    case RTI_RUNNING: r->trials[t] = SEEN_ELSEWHERE; break;
    case RTI_PENDING: r->trials[t] = SEEN_PENDING; break;
    case RTI_FAILED:
        r->trials[t] = r->options->retry_failed && !r->retried[t] ? SEEN_PENDING : SEEN_FAILED;
        break;
    }
}

static void look_at_all(run *r) {
    for (int t = 0; t < r->plan->trial_count; t++) look_at(r, t);
    r->looked_s = rti_clock_s();
}

typedef enum readiness { READY, WAITS, BLOCKED } readiness;

static readiness readiness_of_all(const run *r, const int trials[], int count) {
    readiness all = READY;
    for (int i = 0; i < count; i++) {
        seen teacher = r->trials[trials[i]];
        if (teacher == SEEN_FAILED) return BLOCKED;
        if (teacher == SEEN_DONE) continue;
        /* Who waits for one that waits for a failed one waits for ever. */
        const rti_trial *t = &r->plan->trials[trials[i]];
        if (readiness_of_all(r, t->teachers, t->teacher_count) == BLOCKED ||
            readiness_of_all(r, t->references, t->reference_count) == BLOCKED)
            return BLOCKED;
        all = WAITS;
    }
    return all;
}

static readiness readiness_of(const run *r, int t) {
    const rti_trial *trial = &r->plan->trials[t];
    readiness teachers = readiness_of_all(r, trial->teachers, trial->teacher_count),
              references = readiness_of_all(r, trial->references, trial->reference_count);
    return teachers > references ? teachers : references;
}

static int parallel(const run *r) { return r->worker_count < 1 ? 1 : r->worker_count; }

/* What a process that is at work still needs. */
static double rest_of(const run *r, const rti_worker *worker) {
    double sum = 0;
    for (int i = 0; worker->pid && i < worker->count; i++) {
        const rti_worker_trial *t = &worker->trials[i];
        const rti_trial_progress *p = &t->progress;
        if (t->has_end) continue;
        double guess = rti_estimator_seconds(&r->estimator, rti_trial_work(r->plan, t->number));
        if (p->fraction > 0.02) guess = p->seconds / p->fraction;
        sum += fmax(0, guess - (p->fraction > 0 ? p->seconds : 0));
    }
    return sum;
}

static double remaining(const run *r) {
    double sum = 0, longest = 0;
    for (int t = 0; t < r->plan->trial_count; t++)
        if (r->trials[t] == SEEN_PENDING && readiness_of(r, t) != BLOCKED)
            sum += rti_estimator_seconds(&r->estimator, rti_trial_work(r->plan, t));
    for (int w = 0; w < r->worker_count; w++) {
        const double rest = rest_of(r, &r->workers[w]);
        sum += rest;
        longest = fmax(longest, rest);
    }
    return isnan(sum) ? NAN : fmax(longest, sum / parallel(r));
}

static void update_view(run *r) {
    rti_run_view *v = &r->view;
    v->total = v->done = v->failed = v->blocked = v->running = v->elsewhere = 0;
    for (int t = 0; t < r->plan->trial_count; t++) {
        if (r->trials[t] == SEEN_NOT_OURS) continue;
        v->total++;
        if (r->trials[t] == SEEN_DONE) v->done++;
        else if (r->trials[t] == SEEN_FAILED) v->failed++;
        else if (r->trials[t] == SEEN_HERE) v->running++;
        else if (r->trials[t] == SEEN_ELSEWHERE) v->elsewhere++;
        else if (readiness_of(r, t) == BLOCKED) v->blocked++;
    }
    v->elapsed_s = rti_clock_s() - r->start_s;
    v->remaining_s = remaining(r);
}

static void say(run *r, rti_event_kind kind, int trial, int threads, rti_trial_end end, const char *message) {
    if (!r->options->event) return;
    update_view(r);
    rti_run_event event = {kind, trial, threads, end, message, &r->view};
    r->options->event(r->options->context, &event);
}

static void say_log(void *context, int trial, const char *line) {
    say(context, RTI_EVENT_LOG, trial, 0, RTI_END_DONE, line);
}

/* ---- starting ---- */

static bool can_run(const run *r, int t) {
    return r->trials[t] == SEEN_HERE || (r->trials[t] == SEEN_PENDING && readiness_of(r, t) == READY);
}

/* A group is counted by its first trial. */
static bool is_counted(const run *r, int t) {
    const int first = r->group_of[t];
    return first >= 0 && first != t && can_run(r, first);
}

/* The next trial to start, or -1; *runnable counts what could run now, with what does: groups as one. */
static int next_trial(run *r, int *runnable) {
    int next = -1;
    *runnable = 0;
    for (int t = 0; t < r->plan->trial_count; t++) {
        if (!can_run(r, t)) continue;
        if (r->trials[t] == SEEN_PENDING && next < 0) {
            look_at(r, t);
            if (r->trials[t] != SEEN_PENDING) continue;
            next = t;
        }
        if (!is_counted(r, t)) ++*runnable;
    }
    return next;
}

static int threads_for(const run *r, int runnable) {
    if (r->options->threads > 0) return r->options->threads;
    int share = runnable < r->worker_count ? runnable : r->worker_count;
    int threads = r->processors / (share < 1 ? 1 : share);
    return threads < 1 ? 1 : threads > 256 ? 256 : threads;
}

static void break_off(run *r, const rt_error *why) {
    if (!r->broken) r->why_broken = *why;
    r->broken = r->stopping = true;
}

/* Who of the group of `first` can start now: that one ahead of the others. */
static int gather(run *r, int first, int members[RTI_GROUP_MAX]) {
    int count = 0;
    members[count++] = first;
    for (int t = first + 1; t < r->plan->trial_count && count < RTI_GROUP_MAX; t++) {
        if (r->group_of[t] != r->group_of[first] || r->group_of[t] < 0) continue;
        look_at(r, t);
        if (r->trials[t] == SEEN_PENDING && readiness_of(r, t) == READY) members[count++] = t;
    }
    return count;
}

static void start_trials(run *r) {
    for (int w = 0; w < r->worker_count && !r->stopping; w++) {
        if (r->workers[w].pid) continue;
        int members[RTI_GROUP_MAX], runnable, first = next_trial(r, &runnable);
        if (first < 0) return;
        int count = gather(r, first, members), threads = threads_for(r, runnable);
        rt_error error = {0};
        if (rti_worker_start(&r->workers[w], r->plan, members, count, threads, r->processors,
                             r->options->checkpoint_s, &error) != RT_OK) {
            bool alone = true;
            for (int i = 0; i < r->worker_count; i++)
                if (r->workers[i].pid) alone = false;
            if (alone) break_off(r, &error);
            return; /* the next one that ends makes room */
        }
        for (int i = 0; i < count; i++) {
            r->trials[members[i]] = SEEN_HERE;
            r->retried[members[i]] = true;
            say(r, RTI_EVENT_STARTED, members[i], threads, RTI_END_DONE, "");
        }
    }
}

/* ---- ending ---- */

static void end_trial(void *context, rti_worker *worker, int t, rti_trial_end end, const rt_error *why) {
    run *r = context;
    double seconds = rti_clock_s() - worker->started_s, before = 0;
    for (int i = 0; i < worker->count; i++)
        if (worker->trials[i].number == t) before = worker->trials[i].progress.seconds;
    bool whole = before <= seconds; /* no earlier session */
    switch (end) {
    case RTI_END_DONE:
        r->trials[t] = SEEN_DONE;
        if (whole) rti_estimator_add(&r->estimator, rti_trial_work(r->plan, t), seconds / worker->count);
        break;
    case RTI_END_FAILED:
        r->trials[t] = SEEN_FAILED;
        if (r->options->fail_fast) r->stopping = true;
        break;
    case RTI_END_UNSAVED:
        r->trials[t] = SEEN_PENDING;
        break_off(r, why);
        break;
    case RTI_END_LOST:
        r->trials[t] = SEEN_PENDING;
        r->group_of[t] = -1;
        break;
    case RTI_END_STOPPED: r->trials[t] = SEEN_PENDING; break;
    case RTI_END_BUSY: r->trials[t] = SEEN_ELSEWHERE; break;
    }
    say(r, RTI_EVENT_ENDED, t, 0, end, why->message);
}

static void note_progress(void *context, const rti_trial_progress *progress) {
    run *r = context;
    if (progress->fraction > 0) r->view.current = *progress;
}

static void kill_all(run *r, int signal_number) {
    for (int w = 0; w < r->worker_count; w++)
        if (r->workers[w].pid) kill(r->workers[w].pid, signal_number);
}

/* Waits until something happens, or a moment. */
static void listen_to_workers(run *r, int milliseconds) {
    const rti_worker_listener listener = {say_log, note_progress, end_trial, r};
    struct pollfd ends[WORKERS_MAX];
    int who[WORKERS_MAX], count = 0;
    for (int w = 0; w < r->worker_count; w++) {
        if (!r->workers[w].pid) continue;
        ends[count] = (struct pollfd){.fd = r->workers[w].pipe, .events = POLLIN};
        who[count++] = w;
    }
    if (poll(ends, (nfds_t)count, milliseconds) <= 0) return;
    for (int i = 0; i < count; i++) {
        if (!ends[i].revents) continue;
        rti_worker *worker = &r->workers[who[i]];
        if (rti_worker_listen(worker, &listener)) rti_worker_reap(worker, r->plan, r->killing, &listener);
    }
}

static int stop_asked(const run *r) { return r->options->stop ? (int)*r->options->stop : 0; }

/* False when nothing is left to do. */
static bool anything_left(const run *r) {
    for (int w = 0; w < r->worker_count; w++)
        if (r->workers[w].pid) return true;
    if (r->stopping) return false;
    for (int t = 0; t < r->plan->trial_count; t++) {
        if (r->trials[t] == SEEN_ELSEWHERE) return true;
        if (r->trials[t] == SEEN_PENDING && readiness_of(r, t) != BLOCKED) return true;
    }
    return false;
}

static void run_all(run *r) {
    bool told = false;
    while (anything_left(r)) {
        if (stop_asked(r)) r->stopping = true;
        if (stop_asked(r) >= 2 && !r->killing) {
            r->killing = true;
            kill_all(r, SIGKILL);
        } else if (r->stopping && !told) {
            told = true;
            kill_all(r, SIGTERM);
        }
        if (!r->stopping) {
            if (rti_clock_s() - r->looked_s > LOOK_EVERY_S) look_at_all(r);
            start_trials(r);
        }
        listen_to_workers(r, TICK_MS);
        say(r, RTI_EVENT_TICK, -1, 0, RTI_END_DONE, "");
    }
}

/* A process that was killed between its result and its last step leaves a claim and a checkpoint. */
static void tidy_finished(const run *r) {
    for (int t = 0; t < r->plan->trial_count; t++) {
        char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
        rti_lock lock;
        if (r->trials[t] != SEEN_DONE) continue;
        rti_trial_directory(r->plan, t, directory, sizeof directory);
        if (rti_path_join(path, sizeof path, directory, "lock", NULL) != RT_OK || !rti_file_exists(path))
            continue;
        if (rti_lock_take(&lock, directory, NULL) != RT_OK) continue;
        rti_trial_tidy(directory);
        rti_lock_release(&lock);
    }
}

static int workers_of(const rti_run_options *options) {
    int count = options->workers > 0 ? options->workers : rt_threads_available();
    return count < WORKERS_MAX ? count : WORKERS_MAX;
}

/* What has ended is in no group: as seen at the start, what waits and what others run now may be. */
static rt_status form_groups(run *r, rt_error *error) {
    bool *wanted = rt_alloc_zero((size_t)r->plan->trial_count, sizeof *wanted);
    if (!wanted) return rt_fail(error, RT_MEMORY, "no memory for the groups");
    for (int t = 0; t < r->plan->trial_count; t++)
        wanted[t] = !r->options->alone && (r->trials[t] == SEEN_PENDING || r->trials[t] == SEEN_ELSEWHERE);
    rti_groups_form(r->plan, wanted, r->worker_count, r->group_of);
    rt_free(wanted);
    return RT_OK;
}

static void release(run *r) {
    rt_free(r->workers);
    rt_free(r->trials);
    rt_free(r->group_of);
    rt_free(r->retried);
    rt_free(r);
}

static rt_status prepare(run *r, rt_error *error) {
    size_t trials = (size_t)r->plan->trial_count;
    r->processors = rt_threads_available();
    r->worker_count = workers_of(r->options);
    r->workers = rt_alloc_zero((size_t)r->worker_count, sizeof *r->workers);
    r->trials = rt_alloc_zero(trials, sizeof *r->trials);
    r->group_of = rt_alloc_zero(trials, sizeof *r->group_of);
    r->retried = rt_alloc_zero(trials, sizeof *r->retried);
    if (!r->workers || !r->trials || !r->group_of || !r->retried)
        return rt_fail(error, RT_MEMORY, "no memory for the workers");
    for (int t = 0; t < r->plan->trial_count; t++)
        if (!rti_in_shard(r->plan, t, r->options->shard, r->options->shards)) r->trials[t] = SEEN_NOT_OURS;
    r->view.current.trial = -1;
    r->view.current.validation_accuracy = NAN;
    r->start_s = rti_clock_s();
    look_at_all(r);
    return form_groups(r, error);
}

rt_status rti_run_groups(const rti_plan *plan, const rti_run_options *options, rti_group_count *count,
                         rt_error *error) {
    run *r = rt_alloc_zero(1, sizeof *r);
    if (!r) return rt_fail(error, RT_MEMORY, "no memory for the groups");
    r->plan = plan;
    r->options = options;
    rt_status status = prepare(r, error);
    if (status == RT_OK) *count = rti_groups_count(plan, r->group_of);
    release(r);
    return status;
}

/* Before the first worker is born: what it inherits is neither copied nor read again for its hash. The
 * workers' processors are idle now. */
static void settle_data(const run *r) {
    const int threads = rt_threads_get();
    rt_threads_set(r->worker_count < r->processors ? r->worker_count : r->processors);
    for (int t = 0; t < r->plan->trial_count; t++)
        if (r->trials[t] == SEEN_PENDING) {
            rt_dataset *set = r->plan->datasets[r->plan->trials[t].dataset];
            rt_dataset_settle(set);
            (void)rt_dataset_hash(set);
        }
    rt_threads_set(threads);
}

rt_status rti_run(const rti_plan *plan, const rti_run_options *options, rti_run_outcome *outcome,
                  rt_error *error) {
    memset(outcome, 0, sizeof *outcome);
    run *r = rt_alloc_zero(1, sizeof *r);
    if (!r) return rt_fail(error, RT_MEMORY, "no memory for the workers");
    r->plan = plan;
    r->options = options;
    rt_status status = prepare(r, error);
    if (status == RT_OK) status = rti_estimator_read(&r->estimator, plan, error);
    if (status == RT_OK) {
        tidy_finished(r);
        settle_data(r);
        run_all(r);
        update_view(r);
        outcome->view = r->view;
        outcome->stopped = stop_asked(r) > 0;
        if (r->broken) status = rt_fail(error, r->why_broken.status, "%s", r->why_broken.message);
    }
    release(r);
    return status;
}
