/* The thread pool: every task runs exactly once for any number of tasks and threads, nested calls and
 * calls from several threads at once included; results do not depend on the number of threads; a forked
 * child works on with a pool of its own. Counted against plain loops. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_setaffinity */
#endif
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/pool.h"
#include "core/processors.h"

enum { MOST_TASKS = 1000 };

typedef struct counts {
    atomic_int runs[MOST_TASKS];
    atomic_int total;
} counts;

static void count(void *context, int64_t task) {
    counts *c = context;
    atomic_fetch_add(&c->runs[task], 1);
    atomic_fetch_add(&c->total, 1);
}

static bool each_ran_once(int tasks) {
    static counts c;
    for (int i = 0; i < MOST_TASKS; i++) atomic_store(&c.runs[i], 0);
    atomic_store(&c.total, 0);
    rti_parallel(tasks, count, &c);
    for (int i = 0; i < tasks; i++)
        if (atomic_load(&c.runs[i]) != 1) return false;
    return atomic_load(&c.total) == tasks;
}

Test(pool, every_task_runs_exactly_once) {
    static const int threads[] = {1, 2, 3, 8, 1, 17, 2}, tasks[] = {0, 1, 2, 3, 7, 8, 64, 1000};
    for (int t = 0; t < 7; t++) {
        rt_threads_set(threads[t]);
        cr_assert_eq(rt_threads_get(), threads[t]);
        for (int round = 0; round < 50; round++)
            for (int i = 0; i < 8; i++)
                cr_assert(each_ran_once(tasks[i]), "%d threads, %d tasks", threads[t], tasks[i]);
    }
}

Test(pool, short_jobs_in_quick_succession) {
    rt_threads_set(4);
    for (int round = 0; round < 20000; round++) cr_assert(each_ran_once(1 + round % 5));
}

Test(pool, jobs_after_the_helpers_have_gone_to_sleep) {
    rt_threads_set(3);
    for (int round = 0; round < 30; round++) {
        usleep(1000);
        cr_assert(each_ran_once(10));
    }
}

static void nested(void *context, int64_t task) {
    (void)task;
    rti_parallel(MOST_TASKS / 10, count, context);
}

Test(pool, nested_calls_run_too) {
    static counts c;
    rt_threads_set(3);
    rti_parallel(20, nested, &c);
    for (int i = 0; i < MOST_TASKS / 10; i++) cr_assert_eq(atomic_load(&c.runs[i]), 20);
}

typedef struct where {
    pthread_t outer;
    atomic_int elsewhere;
} where;

static void note_thread(void *context, int64_t task) {
    (void)task;
    where *w = context;
    if (!pthread_equal(w->outer, pthread_self())) atomic_fetch_add(&w->elsewhere, 1);
}

static void nested_note(void *context, int64_t task) {
    (void)task;
    where w = {.outer = pthread_self()};
    rti_parallel(50, note_thread, &w);
    atomic_fetch_add((atomic_int *)context, atomic_load(&w.elsewhere));
}

Test(pool, nested_calls_stay_on_their_thread) {
    atomic_int elsewhere = 0;
    rt_threads_set(4);
    for (int i = 0; i < 100; i++) rti_parallel(8, nested_note, &elsewhere);
    cr_assert_eq(atomic_load(&elsewhere), 0);
}

static void wait_for_a_second(void *context, int64_t task) {
    (void)task;
    atomic_int *arrived = context;
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < 2) sched_yield();
}

/* Two tasks that wait for each other can only end when two threads run them. */
Test(pool, helpers_really_help, .timeout = 20) {
    rt_threads_set(2);
    atomic_int arrived = 0;
    rti_parallel(2, wait_for_a_second, &arrived);
    cr_assert_eq(atomic_load(&arrived), 2);
}

static void *caller(void *argument) {
    int *bad = argument;
    for (int round = 0; round < 300; round++) {
        counts *c = calloc(1, sizeof *c);
        rti_parallel(100, count, c);
        for (int i = 0; i < 100; i++) *bad += atomic_load(&c->runs[i]) != 1;
        free(c);
    }
    return NULL;
}

Test(pool, several_threads_may_call_at_once) {
    rt_threads_set(3);
    pthread_t threads[4];
    int bad[4] = {0};
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&threads[i], NULL, caller, &bad[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) cr_assert_eq(bad[i], 0);
}

static int exit_code_of_child(int threads) {
    pid_t child = fork();
    if (child == 0) {
        bool fine = each_ran_once(100);
        if (threads) rt_threads_set(threads);
        fine = fine && each_ran_once(500);
        atomic_int arrived = 0;
        rti_parallel(2, wait_for_a_second, &arrived);
        _exit(fine ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The address sanitizer's allocator may be locked by a helper at the moment of the fork; its child then
 * waits for a thread that it does not have. */
#if defined(__SANITIZE_ADDRESS__)
#define FORKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORKS 0
#endif
#endif
#ifndef FORKS
#define FORKS 20
#endif

Test(pool, a_forked_child_starts_its_own_helpers, .timeout = 30) {
    rt_threads_set(3);
    cr_assert(each_ran_once(100));
    for (int i = 0; i < FORKS; i++) cr_assert_eq(exit_code_of_child(i % 2 ? 0 : 2), 0);
    cr_assert(each_ran_once(100));
}

Test(pool, at_least_one_processor_is_there) {
    cr_assert_geq(rt_threads_available(), 1);
    cr_assert_leq(rt_threads_available(), 256);
}

#if defined(__linux__)
static void *restrict_to_one(void *argument) {
    cpu_set_t *set = argument;
    sched_setaffinity(0, sizeof *set, set);
    return (void *)(intptr_t)rt_threads_available();
}

/* sched_setaffinity works on one thread, so the thread asks for itself. */
Test(pool, affinity_is_respected) {
    cpu_set_t mine, one;
    cr_assert_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &mine)) {
            CPU_SET(i, &one);
            break;
        }
    pthread_t thread;
    void *available;
    cr_assert_eq(pthread_create(&thread, NULL, restrict_to_one, &one), 0);
    pthread_join(thread, &available);
    cr_assert_eq((intptr_t)available, 1);
}
#endif

/* Moves once, and may go everywhere afterwards. */
Test(pool, a_thread_can_leave_a_processor) {
    const int before = rti_processor_now(), available = rt_threads_available();
    rti_processor_leave(-1);
    rti_processor_leave(1 << 20);
    rti_processor_leave(before);
    cr_assert_eq(rt_threads_available(), available);
    if (before >= 0 && available >= 2) cr_assert_neq(rti_processor_now(), before);
}
