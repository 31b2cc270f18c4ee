/* bench_pool.c - what handing work to the thread pool costs.
 *
 *   make bench-pool                            two threads, then all processors
 *   build/float/bench_pool [THREADS]
 *
 * First the same sum of squares on one thread and on all: from which length on the pool is worth it. Then
 * microseconds of one rti_parallel with a task per thread, best and median of the rounds. Empty tasks: the
 * caller does them all itself when the helpers are not there in time. Tasks that wait until all have begun:
 * every thread must take one, so that this is the way to the helpers and back; one after the other, after a
 * pause of the caller as long as a small product takes (the helpers still spin), and after a long one (they
 * sleep). It needs processors that do nothing else. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/pool.h"

enum { ROUNDS = 301, MOST_THREADS = 256 };

#define MOST_S 2.0 /* for one line, on a machine that is busy */

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void spend(double s) {
    for (const double start = now_s(); now_s() - start < s;) continue;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void nothing(void *context, int64_t task) { (void)context, (void)task; }

static atomic_int begun;

static void meet(void *threads, int64_t task) {
    (void)task;
    const int wanted = *(const int *)threads;
    const double start = now_s();
    atomic_fetch_add(&begun, 1);
    for (int i = 0; atomic_load(&begun) < wanted; i++)
        if (i % 1024 == 1023 && now_s() - start > 1) return; /* a helper could not be started */
}

/* `jobs` of them in a row and the caller's pause after each one, which is not counted. */
static void hand_over(const char *name, rti_task *task, int threads, int jobs, double pause_s) {
    double spent[ROUNDS];
    int rounds = 0;
    const double begin = now_s();
    for (; rounds < ROUNDS && (rounds < 3 || now_s() - begin < MOST_S); rounds++) {
        spent[rounds] = 0;
        for (int i = 0; i < jobs; i++) {
            atomic_store(&begun, 0);
            const double start = now_s();
            rti_parallel(threads, task, &threads);
            spent[rounds] += (now_s() - start) / jobs;
            if (pause_s > 0) spend(pause_s);
        }
    }
    qsort(spent, (size_t)rounds, sizeof *spent, ascending);
    printf("%-24s %8.2f us  median %8.2f us\n", name, spent[0] * 1e6, spent[rounds / 2] * 1e6);
}

typedef struct sums {
    const float *x;
    int64_t length; /* of a task's part */
    struct {
        _Alignas(64) float sum;
    } part[MOST_THREADS];
} sums;

static void add_squares(void *context, int64_t task) {
    sums *s = context;
    float lane[64] = {0};
    const float *x = s->x + task * s->length;
    for (int64_t i = 0; i + 64 <= s->length; i += 64)
        for (int l = 0; l < 64; l++) lane[l] += x[i + l] * x[i + l];
    for (int l = 1; l < 64; l++) lane[0] += lane[l];
    s->part[task].sum = lane[0];
}

/* Best of the rounds, both ways in turn. */
static void worth(int threads, int64_t length) {
    float *x = aligned_alloc(64, (size_t)(length * threads) * sizeof *x);
    if (!x) exit(1);
    for (int64_t i = 0; i < length * threads; i++) x[i] = 1;
    sums s = {.x = x, .length = length};
    double alone_s = INFINITY, together_s = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_s();
        for (int task = 0; task < threads; task++) add_squares(&s, task);
        alone_s = fmin(alone_s, now_s() - start);
        start = now_s();
        rti_parallel(threads, add_squares, &s);
        together_s = fmin(together_s, now_s() - start);
        for (int task = 0; task < threads; task++)
            if (s.part[task].sum != (float)length) printf("WRONG ");
    }
    printf("%9lld numbers %18.2f us alone %8.2f us on %d threads  ratio %.2f\n",
           (long long)(length * threads), alone_s * 1e6, together_s * 1e6, threads, alone_s / together_s);
    free(x);
}

int main(int count, char **arguments) {
    const int threads = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 2;
    if (threads < 1 || threads > MOST_THREADS) return 2;
    rt_threads_set(threads);
    printf("# %d thread%s, %d processors, best of %d rounds\n", threads, threads == 1 ? "" : "s",
           rt_threads_available(), ROUNDS);
    for (int64_t length = 256; length <= 1 << 20; length *= 4) worth(threads, length);
    hand_over("empty tasks", nothing, threads, 100, 0);
    hand_over("there and back", meet, threads, 100, 0);
    hand_over("the same after 5 us", meet, threads, 20, 5e-6);
    hand_over("the same after 500 us", meet, threads, 2, 500e-6);
    return 0;
}
