/* threads.h - how many threads the kernels may use.                   Floor 1 (core)
 *
 * One pool for the process, started by the first work that is worth it. Results never depend on
 * the number of threads: work is split over outputs, never over a summed dimension.
 *
 * Kernels keep what they pack on the stack: a thread that calls this library should have 2 MB of it. (The
 * first thread of a program has 8 as a rule, threads of the pool have 4; with musl and on macOS other threads
 * have less, unless pthread_attr_setstacksize says so.) */
#ifndef RETORT_THREADS_H
#define RETORT_THREADS_H

#include "retort/status.h"

/* 1 ... 256. 1 means no helper threads at all. The default is 1. Not to be called while kernels
 * run. In a child after fork() the pool is empty and starts again when needed. */
void rt_threads_set(int threads);
int rt_threads_get(void);

/* Processors this process may run on (affinity mask and cgroup quota respected); at least 1. */
int rt_threads_available(void);

#endif
