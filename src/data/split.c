/* split.c - choosing examples, holding some out, changing labels.      Floor 6 (data) */
#include <math.h>
#include <string.h>

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

/* Copies the examples in the order that brings those with chosen[i] to the end: numbers and labels. */
static void move_to_the_end(const rt_examples *all, const bool *chosen, int64_t want, char *numbers,
                            int32_t *labels) {
    size_t bytes = (size_t)all->features * (all->bytes ? 1 : sizeof *all->values);
    const char *from = all->bytes ? (const char *)all->bytes : (const char *)all->values;
    int64_t at[2] = {0, all->count - want};
    for (int64_t i = 0; i < all->count; i++) {
        int64_t to = at[chosen[i]]++;
        labels[to] = all->labels[i];
        memcpy(numbers + (size_t)to * bytes, from + (size_t)i * bytes, bytes);
    }
}

rt_status rti_hold_out(rti_source *source, double fraction, const char *row, uint64_t seed,
                       rt_error *error) {
    rt_examples *all = &source->train;
    int64_t N = all->count, want = (int64_t)floor(fraction * (double)N + 0.5);
    if (want < 1 || want >= N)
        return rt_fail(error, RT_SPEC, "%s: %g of %lld rows leaves one side empty", row, fraction,
                       (long long)N);
    int32_t *list = rt_alloc((size_t)N * sizeof *list), *labels = rt_alloc((size_t)N * sizeof *labels);
    char *numbers = rt_alloc((size_t)(N * all->features) * (all->bytes ? 1 : sizeof *all->values));
    bool *chosen = rt_alloc((size_t)N * sizeof *chosen);
    rt_status status = list && labels && numbers && chosen
                           ? RT_OK
                           : rt_fail(error, RT_MEMORY, "no memory to split rows");
    if (status == RT_OK) {
        for (int64_t i = 0; i < N; i++) list[i] = (int32_t)i;
        status = rti_choose(all->labels, all->classes, list, N, want, seed, "holdout", chosen, error);
    }
    if (status == RT_OK) {
        move_to_the_end(all, chosen, want, numbers, labels);
        rti_source_keep(source, labels);
        rti_source_keep(source, numbers);
        int64_t at = (N - want) * all->features;
        all->labels = labels;
        all->count = N - want;
        if (all->bytes) all->bytes = (const uint8_t *)numbers;
        else all->values = (const float *)(const void *)numbers;
        source->test = *all;
        source->test.count = want;
        source->test.labels += N - want;
        if (all->bytes) source->test.bytes += at;
        else source->test.values += at;
    } else {
        rt_free(labels);
        rt_free(numbers);
    }
    rt_free(list);
    rt_free(chosen);
    return status;
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
