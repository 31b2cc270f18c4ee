/* shift.c - see omission.h.                                            Floor 8 (experiment) */
#include <math.h>
#include <stdlib.h>

#include "experiment/omission.h"
#include "retort/alloc.h"

/* ---- the examples ------------------------------------------------------------------------------- */

/* Of the classes that are unseen, or are not; of equal logits the first. */
static int best_class(const rt_real *z, int64_t classes, const rti_unseen *unseen, bool of_unseen) {
    int best = -1;
    for (int k = 0; k < (int)classes; k++)
        if (unseen->is_unseen[k] == of_unseen && (best < 0 || z[k] > z[best])) best = k;
    RT_ASSERT(best >= 0, "a shift needs seen and unseen classes, and one of them is missing of %d",
              (int)classes);
    return best;
}

rt_status rti_shift_set_make(rti_shift_set *set, const rti_answers *answers, const rti_unseen *unseen,
                             rt_error *error) {
    RT_ASSERT(answers->classes <= RTI_UNSEEN_CLASSES_MAX, "%d classes are too many", (int)answers->classes);
    *set = (rti_shift_set){.count = answers->count};
    set->example = rt_alloc_zero((size_t)answers->count + 1, sizeof *set->example);
    if (!set->example) return rt_fail(error, RT_MEMORY, "not enough memory for the shift of a bias");
    for (int64_t i = 0; i < answers->count; i++) {
        const rt_real *z = answers->logits + i * answers->classes;
        const int seen = best_class(z, answers->classes, unseen, false),
                  other = best_class(z, answers->classes, unseen, true), label = answers->labels[i];
        set->example[i] = (rti_shift_example){.margin = (double)z[seen] - (double)z[other],
                                              .wins_tie = other < seen,
                                              .is_unseen = unseen->is_unseen[label],
                                              .right_seen = seen == label,
                                              .right_unseen = other == label};
        set->unseen += set->example[i].is_unseen;
        if (isfinite(set->example[i].margin)) continue;
        rti_shift_set_deinit(set);
        return rt_fail(error, RT_NOT_FINITE, "a network's answer to example %lld is no number", (long long)i);
    }
    return RT_OK;
}

void rti_shift_set_deinit(rti_shift_set *set) {
    rt_free(set->example);
    *set = (rti_shift_set){0};
}

/* ---- at one s ----------------------------------------------------------------------------------- */

static bool says_unseen(const rti_shift_example *x, double s) {
    return s > x->margin || (s == x->margin && x->wins_tie);
}

rti_shifted rti_shift_at(const rti_shift_set *set, double s) {
    rti_shifted at = {.s = s};
    for (int64_t i = 0; i < set->count; i++) {
        const rti_shift_example *x = &set->example[i];
        bool wrong = says_unseen(x, s) ? !x->right_unseen : !x->right_seen;
        at.errors += wrong;
        at.errors_unseen += wrong && x->is_unseen;
    }
    return at;
}

int64_t rti_shift_answers(const rti_shift_set *set, double s) {
    int64_t count = 0;
    for (int64_t i = 0; i < set->count; i++) count += says_unseen(&set->example[i], s);
    return count;
}

/* ---- choosing ----------------------------------------------------------------------------------- */

double rti_shift_matching(const rti_shift_set *set, double prior) {
    double low = INFINITY, high = -INFINITY;
    if (!set->count) return 0;
    const double wanted = ceil(prior * (double)set->count - 1e-6); /* examples; the prior is a rounded part */
    for (int64_t i = 0; i < set->count; i++) {
        low = fmin(low, set->example[i].margin);
        high = fmax(high, set->example[i].margin);
    }
    low = nextafter(low, -INFINITY);  /* nobody is answered with an unseen class here, */
    high = nextafter(high, INFINITY); /* and everybody here */
    for (;;) {
        double middle = low + 0.5 * (high - low);
        if (!(middle > low && middle < high)) return high;
        if ((double)rti_shift_answers(set, middle) >= wanted)
            high = middle;
        else
            low = middle;
    }
}

static int by_margin(const void *a, const void *b) {
    const rti_shift_example *x = a, *y = b;
    return (x->margin > y->margin) - (x->margin < y->margin);
}

/* The point of the open interval that is nearest to 0, a little inside. */
static double nearest_within(double low, double high) {
    double inside = fmin(1.0, 0.5 * (high - low));
    if (low < 0 && high > 0) return 0;
    return low >= 0 ? low + inside : high - inside;
}

double rti_shift_best(rti_shift_set *set) {
    int64_t errors = 0, least;
    qsort(set->example, (size_t)set->count, sizeof *set->example, by_margin);
    for (int64_t i = 0; i < set->count; i++) errors += !set->example[i].right_seen;
    double best = set->count ? nearest_within(-INFINITY, set->example[0].margin) : 0;
    least = errors;
    /* Between two margins nothing changes. */
    for (int64_t i = 0; i < set->count; i++) {
        const rti_shift_example *x = &set->example[i];
        errors += x->right_seen - x->right_unseen;
        double next = i + 1 < set->count ? x[1].margin : INFINITY;
        double s = nearest_within(x->margin, next);
        if (next == x->margin || errors > least || (errors == least && fabs(s) >= fabs(best))) continue;
        least = errors;
        best = s;
    }
    return best;
}
