/* split.c - choosing examples, changing labels.                        Floor 6 (data) */
#include <math.h>

#include "data/dataset.h"

/* How many of each class: want * c_k / count rounded down, the rest to the largest remainders (the
 * lower class first when equal). Sums to want exactly. */
static void quotas(const int64_t *have, int classes, int64_t count, int64_t want, int64_t *quota,
                   int64_t *remainder) {
    int64_t given = 0;
    for (int k = 0; k < classes; k++) {
        quota[k] = want * have[k] / count;
        remainder[k] = want * have[k] % count;
        given += quota[k];
    }
    while (given < want) {
        int best = 0;
        for (int k = 1; k < classes; k++)
            if (remainder[k] > remainder[best]) best = k;
        quota[best]++;
        remainder[best] = -1;
        given++;
    }
}

rt_status rti_choose(const int32_t *labels, int classes, const int32_t *list, int64_t count, int64_t want,
                     uint64_t seed, const char *purpose, bool *chosen, rt_error *error) {
    RT_ASSERT(want >= 0 && want <= count, "%lld of %lld", (long long)want, (long long)count);
    for (int64_t i = 0; i < count; i++) chosen[i] = false;
    if (want == 0) return RT_OK;
    int64_t *tables = rt_alloc_zero(4 * (size_t)classes, sizeof *tables);
    int32_t *members = rt_alloc((size_t)count * sizeof *members);
    if (!tables || !members) {
        rt_free(tables);
        rt_free(members);
        return rt_fail(error, RT_MEMORY, "no memory to choose %lld of %lld examples", (long long)want,
                       (long long)count);
    }
    int64_t *have = tables, *quota = tables + classes, *remainder = tables + 2 * classes,
            *at = tables + 3 * classes;
    for (int64_t i = 0; i < count; i++) have[labels[list[i]]]++;
    quotas(have, classes, count, want, quota, remainder);
    for (int k = 1; k < classes; k++) at[k] = at[k - 1] + have[k - 1];
    for (int64_t i = 0; i < count; i++) members[at[labels[list[i]]]++] = (int32_t)i; /* grouped by class */
    for (int k = 0; k < classes; k++) {
        int32_t *group = members + (at[k] - have[k]);
        rt_rng rng = rt_rng_stream(seed, purpose, 0, (uint64_t)k);
        rt_rng_shuffle(&rng, group, have[k]);
        for (int64_t i = 0; i < quota[k]; i++) chosen[group[i]] = true;
    }
    rt_free(tables);
    rt_free(members);
    return RT_OK;
}

rt_status rti_noise(int32_t *labels, int classes, int64_t count, double fraction, uint64_t seed,
                    const char *purpose, rt_error *error) {
    int64_t change = (int64_t)floor(fraction * (double)count + 0.5);
    if (change == 0 || classes < 2) return RT_OK;
    int32_t *order = rt_alloc((size_t)count * sizeof *order);
    if (!order)
        return rt_fail(error, RT_MEMORY, "no memory for label noise on %lld examples", (long long)count);
    for (int64_t i = 0; i < count; i++) order[i] = (int32_t)i;
    rt_rng rng = rt_rng_stream(seed, purpose, 0, 0);
    rt_rng_shuffle(&rng, order, count);
    for (int64_t i = 0; i < change; i++) {
        int32_t *label = &labels[order[i]];
        *label = (int32_t)((*label + 1 + (int64_t)rt_rng_below(&rng, (uint32_t)classes - 1)) % classes);
    }
    rt_free(order);
    return RT_OK;
}
