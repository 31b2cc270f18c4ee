/* clock.c - see clock.h.                                               Floor 1 (core) */
#include "core/clock.h"

#include <sys/resource.h>
#include <time.h>

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double rti_clock_s(void) { return seconds(CLOCK_MONOTONIC); }

double rti_wall_clock_s(void) { return seconds(CLOCK_REALTIME); }

double rti_peak_megabytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return (double)usage.ru_maxrss * 1e-6; /* bytes there */
#else
    return (double)usage.ru_maxrss * 1024e-6;
#endif
}
