/* rng.c - Philox4x32-10 streams.                                       Floor 1 (core) */
#include "retort/rng.h"

#include <math.h>
#include <string.h>

#include "core/hash.h"

void rt_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* Weyl sequence of the key schedule */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

rt_rng rt_rng_stream(uint64_t seed, const char *purpose, uint64_t epoch, uint64_t index) {
    uint64_t key = rti_hash64(seed, purpose, strlen(purpose));
    rt_rng rng = {
        .key = {(uint32_t)key, (uint32_t)(key >> 32)},
        .counter = {0, (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)epoch},
        .used = 4,
    };
    return rng;
}

uint32_t rt_rng_u32(rt_rng *rng) {
    if (rng->used == 4) {
        rt_philox(rng->counter, rng->key, rng->block);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

uint64_t rt_rng_u64(rt_rng *rng) {
    uint64_t low = rt_rng_u32(rng);
    return low | (uint64_t)rt_rng_u32(rng) << 32;
}

uint32_t rt_rng_below(rt_rng *rng, uint32_t n) {
    RT_ASSERT(n > 0, "rt_rng_below: n is 0");
    /* Lemire's method: the high half of a 32x32 product, rejecting the few unfair lows. */
    uint64_t product = (uint64_t)rt_rng_u32(rng) * n;
    if ((uint32_t)product < n) {
        uint32_t threshold = (0u - n) % n;
        while ((uint32_t)product < threshold) product = (uint64_t)rt_rng_u32(rng) * n;
    }
    return (uint32_t)(product >> 32);
}

double rt_rng_uniform(rt_rng *rng) { return (double)(rt_rng_u64(rng) >> 11) * 0x1p-53; }

double rt_rng_normal(rt_rng *rng) {
    double radius = sqrt(-2 * log(1 - rt_rng_uniform(rng))); /* 1 - u is never 0 */
    return radius * cos(6.283185307179586476925 * rt_rng_uniform(rng));
}

void rt_rng_shuffle(rt_rng *rng, int32_t *items, int64_t count) {
    RT_ASSERT(count >= 0 && count <= UINT32_MAX, "rt_rng_shuffle: %lld items", (long long)count);
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = rt_rng_below(rng, (uint32_t)(i + 1));
        int32_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
