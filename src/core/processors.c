/* processors.c - how many processors this process may use, and where a thread is. Floor 1 (core)
 *
 * The smaller of two limits: the affinity mask (taskset, Slurm) and the CPU quota of the control
 * group and its parents (containers). */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity, CPU_COUNT, sched_getcpu */
#endif
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/processors.h"
#include "retort/threads.h"

static int by_affinity(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online >= 1 && online <= 65536 ? (int)online : 1;
}

#if defined(__linux__)
/* A cpu.max file holds "max 100000" or "150000 100000": quota and period in microseconds.
 * The quota is rounded up to whole processors. */
static int quota_in(const char *folder) {
    char path[640];
    if (snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", folder) >= (int)sizeof path) return INT_MAX;
    FILE *file = fopen(path, "r");
    if (!file) return INT_MAX;
    long long quota, period;
    int fields = fscanf(file, "%lld %lld", &quota, &period);
    fclose(file);
    if (fields != 2 || quota <= 0 || period <= 0) return INT_MAX;
    long long processors = (quota - 1) / period + 1;
    return processors < INT_MAX ? (int)processors : INT_MAX;
}

static int by_quota(void) {
    char line[512], folder[512] = "";
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (file) {
        while (fgets(line, sizeof line, file))
            if (strncmp(line, "0::/", 4) == 0) { /* the version 2 hierarchy */
                line[strcspn(line, "\n")] = 0;
                snprintf(folder, sizeof folder, "%s", line + 3);
            }
        fclose(file);
    }
    int least = INT_MAX;
    for (;;) { /* from our group up to the root, whose folder is "" */
        int here = quota_in(folder);
        if (here < least) least = here;
        char *slash = strrchr(folder, '/');
        if (!slash) return least;
        *slash = 0;
    }
}
#else
static int by_quota(void) { return INT_MAX; }
#endif

int rt_threads_available(void) {
    int affinity = by_affinity(), quota = by_quota();
    int available = affinity < quota ? affinity : quota;
    return available < 1 ? 1 : available > 256 ? 256 : available;
}

int rti_processor_now(void) {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

void rti_processor_leave(int processor) {
#if defined(__linux__)
    cpu_set_t allowed;
    if (processor < 0 || (size_t)processor >= 8 * sizeof allowed) return;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    cpu_set_t others = allowed;
    CPU_CLR(processor, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
    (void)sched_setaffinity(0, sizeof allowed, &allowed);
#else
    (void)processor;
#endif
}
