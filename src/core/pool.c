/* pool.c - the thread pool.                                            Floor 1 (core) */
#include "core/pool.h"

static int threads = 1;

void rt_threads_set(int n) {
    RT_ASSERT(n >= 1 && n <= 256, "rt_threads_set: %d threads, 1 to 256 are possible", n);
    threads = n;
}

int rt_threads_get(void) { return threads; }

int rt_threads_available(void) { return 1; }

void rti_parallel(int64_t tasks, rti_task *function, void *context) {
    for (int64_t i = 0; i < tasks; i++) function(context, i);
}
