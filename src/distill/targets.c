/* targets.c - see targets.h.                                           Floor 7 (distill) */
#include "distill/targets.h"

#include <string.h>

#include "retort/alloc.h"
#include "retort/rng.h"

static const char *const words[] = {"teacher", "fixed", "shuffled", "permuted", "class-mean", "dropout"};

rt_targets rt_targets_named(const char *word) {
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
        if (strcmp(words[i], word) == 0) return (rt_targets)i;
    RT_ASSERT(false, "targets \"%s\" are on no list", word);
    return RT_TARGETS_TEACHER;
}

const char *rt_targets_name(rt_targets targets) { return words[targets]; }

bool rti_targets_are_fixed(rt_targets targets) {
    return targets != RT_TARGETS_TEACHER && targets != RT_TARGETS_DROPOUT;
}

/* What the work needs: the answers as they were, and the examples ordered by class. */
typedef struct scratch {
    rt_real *before;        /* (N, K) of one member */
    int32_t *order, *first; /* (N) positions, class by class; (classes + 1) where a class begins */
    double *sum;            /* (K) */
    int classes;
} scratch;

static void release(scratch *s) {
    rt_free(s->before);
    rt_free(s->order);
    rt_free(s->first);
    rt_free(s->sum);
}

static rt_status sort_by_class(scratch *s, const rt_part *part, int64_t K, rt_error *error) {
    const int64_t N = part->count;
    s->classes = part->examples->classes;
    s->before = rt_alloc_zero((size_t)N, (size_t)K * sizeof *s->before);
    s->order = rt_alloc_zero((size_t)N, sizeof *s->order);
    s->first = rt_alloc_zero((size_t)s->classes + 2, sizeof *s->first);
    s->sum = rt_alloc_zero((size_t)K, sizeof *s->sum);
    if (!s->before || !s->order || !s->first || !s->sum)
        return rt_fail(error, RT_MEMORY, "no memory to change the soft targets of %lld examples",
                       (long long)N);
    for (int64_t i = 0; i < N; i++) s->first[part->labels[i] + 2]++;
    for (int k = 2; k <= s->classes + 1; k++) s->first[k] += s->first[k - 1];
    for (int64_t i = 0; i < N; i++) s->order[s->first[part->labels[i] + 1]++] = (int32_t)i;
    return RT_OK;
}

static int32_t *members_of(const scratch *s, int class, int64_t *count) {
    *count = s->first[class + 1] - s->first[class];
    return s->order + s->first[class];
}

/* In a random order each takes the answer of the next, the last that of the first. */
static void shuffle(scratch *s, rt_real *v, int64_t K) {
    const size_t bytes = (size_t)K * sizeof *v;
    for (int class = 0; class < s->classes; class++) {
        int64_t count;
        const int32_t *list = members_of(s, class, &count);
        for (int64_t i = 0; i < count; i++)
            memcpy(v + list[i] * K, s->before + list[(i + 1) % count] * K, bytes);
    }
}

static void average(scratch *s, rt_real *v, int64_t K) {
    for (int class = 0; class < s->classes; class++) {
        int64_t count;
        const int32_t *list = members_of(s, class, &count);
        memset(s->sum, 0, (size_t)K * sizeof *s->sum);
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = 0; k < K; k++) s->sum[k] += (double)s->before[list[i] * K + k];
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = 0; k < K; k++) v[list[i] * K + k] = (rt_real)(s->sum[k] / (double)count);
    }
}

/* Fisher-Yates over the classes other than the label. */
static void permute(const rt_part *part, rt_real *v, int64_t K, uint64_t seed) {
    for (int64_t i = 0; i < part->count; i++) {
        rt_rng rng = rt_rng_stream(seed, "targets", 0, (uint64_t)i);
        const int64_t y = part->labels[i];
        rt_real *row = v + i * K;
        for (int64_t left = K - 1; left > 1; left--) {
            int64_t a = left - 1, b = (int64_t)rt_rng_below(&rng, (uint32_t)left);
            a += a >= y, b += b >= y;
            const rt_real held = row[a];
            row[a] = row[b];
            row[b] = held;
        }
    }
}

rt_status rti_targets_change(rti_cache *cache, const rt_part *part, rt_targets targets, uint64_t seed,
                             rt_error *error) {
    if (targets == RT_TARGETS_TEACHER || targets == RT_TARGETS_FIXED || targets == RT_TARGETS_DROPOUT)
        return RT_OK;
    const int64_t K = rt_teacher_classes(rti_cache_teacher(cache));
    scratch s = {0};
    rt_status status = sort_by_class(&s, part, K, error);
    for (int class = 0; status == RT_OK && class < s.classes; class++) {
        int64_t count;
        int32_t *list = members_of(&s, class, &count);
        rt_rng rng = rt_rng_stream(seed, "targets", 0, (uint64_t)class);
        if (targets == RT_TARGETS_SHUFFLED) rt_rng_shuffle(&rng, list, count);
    }
    for (int m = 0; status == RT_OK && m < rt_teacher_members(rti_cache_teacher(cache)); m++) {
        rt_real *v = rti_cache_member(cache, m);
        memcpy(s.before, v, (size_t)(part->count * K) * sizeof *v);
        if (targets == RT_TARGETS_SHUFFLED) shuffle(&s, v, K);
        else if (targets == RT_TARGETS_PERMUTED) permute(part, v, K, seed);
        else average(&s, v, K);
    }
    release(&s);
    return status;
}
