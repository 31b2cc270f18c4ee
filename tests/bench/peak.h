/* peak.h - how many multiply-adds in float this processor can do, for "share of peak", and how many
 * additions, which tell a core that is shared from one that is not. */
#ifndef TESTS_BENCH_PEAK_H
#define TESTS_BENCH_PEAK_H

/* GFLOP/s (two for a multiply-add) of that many threads, each in a loop of independent multiply-adds over
 * registers of the widest kind that the processor has; no memory is touched. Takes about 5 ms.
 * 0 when there is no such loop for the processor. */
double peak_gflops(int threads);

/* G/s of additions of whole numbers, of that many threads, each in a loop of independent additions over
 * registers. Takes about 2 ms. A neighbour on the same core takes half of these units when he counts,
 * compares and branches, and may leave those of the multiply-adds alone. */
double peak_additions(int threads);

#endif
