/* pool.c - the thread pool.                                            Floor 1 (core)
 *
 * One job at a time. Its tasks are cut into one contiguous range per thread (so that a thread meets
 * the same data again in the next job); who is done with its own range takes tasks from the others'.
 *
 * `state` is the whole protocol: generation, whether the job is open, how many helpers are inside.
 * A helper joins by adding 1 while the job is open. The caller works too, and when no task is left it
 * closes the job and waits until nobody is inside. So a helper that is asleep or was not given a
 * processor is never waited for, and a helper that comes late never sees a job that has ended.
 *
 * Waiting is spinning first, then yielding, then sleeping, so that processes which share
 * the processors do not take them from each other for long. A task of a product takes up to 200
 * microseconds, and so far apart may threads be done. When they yielded for 40, one of them slept after a
 * product and had to be woken for the next: dW of 784 x 800, batch 100, ran at 91 in place of 145 GFLOP/s,
 * and an epoch of 784-800-800-10 took 1.16 times as long. With 1000, one that has nothing to do takes from
 * its core what the other needs: 784-30-30-10 took 1.4 times as long (tests/bench/waiting.csv). */
#include "core/pool.h"

#include "core/processors.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum { MOST = 256, STACK_BYTES = 4 << 20 };

#define SPIN_S 10e-6   /* with the processor to ourselves */
#define YIELD_S 200e-6 /* after that: offering it to others */

#define INSIDE 0xffffu        /* number of helpers inside the job */
#define OPEN (1u << 16)       /* tasks may be taken */
#define CALLER_SLEEPS (1u << 17)
#define GENERATION_SHIFT 32

typedef struct range {
    _Alignas(64) atomic_llong next; /* a cache line each */
    long long end;
} range;

static struct {
    range ranges[MOST];
    pthread_t thread[MOST];
    pthread_cond_t work, done;
    pthread_mutex_t mutex;
    rti_task *function;
    void *context;
    int ranges_used;
    int threads, helpers;
    atomic_int sleepers;
    atomic_bool stop, busy;
    bool started; /* helpers were started for this number of threads, as many as could be */
    bool spins;   /* there is a processor for each thread */
    atomic_int caller_is_on; /* the processor on which the caller began the job */
    atomic_ullong state;
} pool = {.threads = 1, .mutex = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

/* This thread is running a task, so what it calls runs on it alone. */
static _Thread_local bool inside_task;

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Spins, then yields, until satisfied(argument); false when the time for that is over. */
static bool spin_until(bool (*satisfied)(unsigned long long), unsigned long long argument) {
    if (satisfied(argument)) return true;
    if (!pool.spins) return false;
    const double start = now_s();
    for (;;) {
        for (int i = 0; i < 32; i++) {
            pause_briefly();
            if (satisfied(argument)) return true;
        }
        double waited = now_s() - start;
        if (waited > YIELD_S) return false;
        if (waited > SPIN_S) sched_yield();
    }
}

/* ---- a job ---- */

static void take_tasks(int slot) {
    for (int i = 0; i < pool.ranges_used; i++) {
        range *r = &pool.ranges[(slot + i) % pool.ranges_used];
        while (atomic_load_explicit(&r->next, memory_order_relaxed) < r->end) {
            long long task = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
            if (task < r->end) pool.function(pool.context, task);
        }
    }
}

static bool nobody_inside(unsigned long long unused) {
    (void)unused;
    return (atomic_load_explicit(&pool.state, memory_order_acquire) & INSIDE) == 0;
}

static bool new_job_or_stop(unsigned long long seen) {
    unsigned long long s = atomic_load(&pool.state);
    return ((s & OPEN) && s >> GENERATION_SHIFT != seen) ||
           atomic_load_explicit(&pool.stop, memory_order_relaxed);
}

/* A helper that is woken may be put where the caller runs, with another processor idle, and the two then take
 * turns for milliseconds. */
static void make_room(void) {
    const int taken = atomic_load_explicit(&pool.caller_is_on, memory_order_relaxed);
    if (taken >= 0 && rti_processor_now() == taken) rti_processor_leave(taken);
}

static void *helper(void *argument) {
    const int slot = (int)(intptr_t)argument;
    unsigned long long seen = 0;
    inside_task = true;
    for (;;) {
        if (!spin_until(new_job_or_stop, seen)) {
            pthread_mutex_lock(&pool.mutex);
            atomic_fetch_add(&pool.sleepers, 1); /* then looks at state; the caller does the reverse */
            while (!new_job_or_stop(seen)) pthread_cond_wait(&pool.work, &pool.mutex);
            atomic_fetch_sub(&pool.sleepers, 1);
            pthread_mutex_unlock(&pool.mutex);
        }
        if (atomic_load(&pool.stop)) return NULL;
        make_room();

        unsigned long long s = atomic_load(&pool.state);
        bool joined = false;
        while ((s & OPEN) && !joined) joined = atomic_compare_exchange_weak(&pool.state, &s, s + 1);
        if (!joined) continue;
        seen = s >> GENERATION_SHIFT;
        take_tasks(slot);
        s = atomic_fetch_sub(&pool.state, 1);
        if ((s & INSIDE) == 1 && (s & CALLER_SLEEPS)) {
            pthread_mutex_lock(&pool.mutex);
            pthread_cond_signal(&pool.done);
            pthread_mutex_unlock(&pool.mutex);
        }
    }
}

static void wake_helpers(int64_t wanted) {
    if (atomic_load(&pool.sleepers) == 0) return;
    pthread_mutex_lock(&pool.mutex);
    if (wanted >= pool.helpers) pthread_cond_broadcast(&pool.work);
    else
        for (int64_t i = 0; i < wanted; i++) pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.mutex);
}

static void wait_for_helpers(void) {
    if (spin_until(nobody_inside, 0)) return;
    pthread_mutex_lock(&pool.mutex);
    atomic_fetch_or(&pool.state, CALLER_SLEEPS);
    while (!nobody_inside(0)) pthread_cond_wait(&pool.done, &pool.mutex);
    pthread_mutex_unlock(&pool.mutex);
}

/* ---- helpers come and go ---- */

/* After fork() only the calling thread lives on in the child. */
static void forget_helpers(void) {
    pool.helpers = 0;
    pool.started = false;
    atomic_store(&pool.state, atomic_load(&pool.state) >> GENERATION_SHIFT << GENERATION_SHIFT);
    atomic_store(&pool.sleepers, 0);
    atomic_store(&pool.stop, false);
    atomic_store(&pool.busy, false);
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.done, NULL);
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_helpers); }

static void start_helpers(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pool.started = true;
    pool.spins = pool.threads <= rt_threads_available();

    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes)) return;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigset_t all, before; /* signals are for the program's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.helpers < pool.threads - 1) {
        void *slot = (void *)(intptr_t)(pool.helpers + 1);
        if (pthread_create(&pool.thread[pool.helpers], &attributes, helper, slot)) break;
        pool.helpers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

static void stop_helpers(void) {
    atomic_store(&pool.stop, true);
    pthread_mutex_lock(&pool.mutex);
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.mutex);
    for (int i = 0; i < pool.helpers; i++) pthread_join(pool.thread[i], NULL);
    atomic_store(&pool.stop, false);
    pool.helpers = 0;
    pool.started = false;
}

void rt_threads_set(int n) {
    RT_ASSERT(n >= 1 && n <= MOST, "rt_threads_set: %d threads, 1 to 256 are possible", n);
    if (n == pool.threads) return;
    if (pool.started) stop_helpers();
    pool.threads = n;
}

int rt_threads_get(void) { return pool.threads; }

void rti_parallel(int64_t tasks, rti_task *function, void *context) {
    /* busy: another thread of the program has the helpers just now. */
    if (tasks <= 1 || pool.threads == 1 || inside_task || atomic_exchange(&pool.busy, true)) {
        for (int64_t i = 0; i < tasks; i++) function(context, i);
        return;
    }
    if (!pool.started) start_helpers();

    int ranges = (int)(tasks < pool.helpers + 1 ? tasks : pool.helpers + 1);
    for (int r = 0; r < ranges; r++) {
        atomic_store_explicit(&pool.ranges[r].next, tasks / ranges * r + tasks % ranges * r / ranges,
                              memory_order_relaxed);
        pool.ranges[r].end = tasks / ranges * (r + 1) + tasks % ranges * (r + 1) / ranges;
    }
    pool.ranges_used = ranges;
    atomic_store_explicit(&pool.caller_is_on, pool.spins ? rti_processor_now() : -1, memory_order_relaxed);
    pool.function = function;
    pool.context = context;
    unsigned long long generation = (atomic_load(&pool.state) >> GENERATION_SHIFT) + 1;
    atomic_store(&pool.state, (generation & 0xffffffffu) << GENERATION_SHIFT | OPEN);
    wake_helpers(tasks - 1);

    inside_task = true;
    take_tasks(0);
    inside_task = false;
    atomic_fetch_and(&pool.state, ~(unsigned long long)OPEN);
    wait_for_helpers();
    atomic_store(&pool.busy, false);
}
