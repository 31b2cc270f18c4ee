/* rng.h - random numbers that do not depend on who else draws.        Floor 1 (core)
 *
 * A stream is a pure function of (seed, purpose, epoch, index): Philox4x32-10 (Salmon, Moraes,
 * Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"), keyed by the hash of seed and
 * purpose, counting (block, index, epoch). Adding a consumer never shifts another, and any
 * example's numbers can be drawn again later.
 *
 *     rt_rng r = rt_rng_stream(seed, "shuffle", epoch, 0);
 *     rt_rng_shuffle(&r, order, n);
 */
#ifndef RETORT_RNG_H
#define RETORT_RNG_H

#include "retort/status.h"

typedef struct rt_rng {
    uint32_t key[2];
    uint32_t counter[4]; /* block, index low, index high, epoch */
    uint32_t block[4];   /* the current four words */
    int used;            /* how many of them are spent */
} rt_rng;

/* `purpose` is any text, e.g. "dropout.fc1". epoch is taken modulo 2^32. */
rt_rng rt_rng_stream(uint64_t seed, const char *purpose, uint64_t epoch, uint64_t index);

uint32_t rt_rng_u32(rt_rng *rng);
uint64_t rt_rng_u64(rt_rng *rng);
uint32_t rt_rng_below(rt_rng *rng, uint32_t n);  /* 0 ... n-1, unbiased; n >= 1 */
double rt_rng_uniform(rt_rng *rng);              /* [0, 1), 53 bits */
double rt_rng_normal(rt_rng *rng);               /* mean 0, deviation 1; Box-Muller, two draws each */
void rt_rng_shuffle(rt_rng *rng, int32_t *items, int64_t count); /* Fisher-Yates; count < 2^32 */

/* The raw generator: out[0..3] = Philox4x32-10(counter, key). */
void rt_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
