/* peak.h - how many multiply-adds in float this processor can do, for "share of peak". */
#ifndef TESTS_BENCH_PEAK_H
#define TESTS_BENCH_PEAK_H

/* GFLOP/s (two for a multiply-add) of that many threads, each in a loop of independent multiply-adds over
 * registers of the widest kind that the processor has; no memory is touched. Takes about 5 ms.
 * 0 when there is no such loop for the processor. */
double peak_gflops(int threads);

#endif
