/* Biases of unseen classes, shifted. Checked against made-up answers to whose logits s is added one by one;
 * choices of s against all margins, sorted. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/omission.h"
#include "retort/alloc.h"
#include "retort/rng.h"

static rt_error error;

/* ---- made-up answers ---------------------------------------------------------------------------- */

enum { N = 300, K = 6 };

typedef struct made {
    rti_answers answers;
    rti_unseen unseen;
    int32_t labels[N];
    rt_real logits[N * K];
} made;

/* Logits of halves, so that many are equal; classes 1 and 4 are unseen. */
static void make_answers(made *m, uint64_t seed, bool ties) {
    rt_rng rng = rt_rng_stream(seed, "made-up answers", 0, 0);
    m->unseen = (rti_unseen){.count = 2};
    m->unseen.is_unseen[1] = m->unseen.is_unseen[4] = true;
    for (int i = 0; i < N; i++) {
        m->labels[i] = (int32_t)(rt_rng_uniform(&rng) * K);
        for (int k = 0; k < K; k++) {
            double z = 6 * rt_rng_uniform(&rng) - 3 + 2 * (k == m->labels[i]) - 2 * m->unseen.is_unseen[k];
            m->logits[i * K + k] = (rt_real)(ties ? round(2 * z) / 2 : z);
        }
    }
    m->answers = (rti_answers){.count = N, .classes = K, .labels = m->labels, .logits = m->logits};
}

/* The first of the greatest of z + s, where s is added to those of unseen classes. */
static int answer_by_hand(const made *m, int i, double s) {
    int top = 0;
    double best = -INFINITY;
    for (int k = 0; k < K; k++) {
        double z = (double)m->logits[i * K + k] + (m->unseen.is_unseen[k] ? s : 0);
        if (z > best) best = z, top = k;
    }
    return top;
}

static rti_shifted by_hand(const made *m, double s, int64_t *said_unseen) {
    rti_shifted at = {.s = s};
    *said_unseen = 0;
    for (int i = 0; i < N; i++) {
        int said = answer_by_hand(m, i, s);
        at.errors += said != m->labels[i];
        at.errors_unseen += said != m->labels[i] && m->unseen.is_unseen[m->labels[i]];
        *said_unseen += m->unseen.is_unseen[said];
    }
    return at;
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Margins, sorted. */
static void margins_by_hand(const made *m, double margin[N]) {
    for (int i = 0; i < N; i++) {
        double seen = -INFINITY, other = -INFINITY;
        for (int k = 0; k < K; k++) {
            double z = (double)m->logits[i * K + k];
            if (m->unseen.is_unseen[k])
                other = fmax(other, z);
            else
                seen = fmax(seen, z);
        }
        margin[i] = seen - other;
    }
    qsort(margin, N, sizeof *margin, ascending);
}

static made m;
static rti_shift_set set;

static void begin(uint64_t seed, bool ties) {
    make_answers(&m, seed, ties);
    cr_assert_eq(rti_shift_set_make(&set, &m.answers, &m.unseen, &error), RT_OK, "%s", error.message);
}

Test(shift, errors_are_those_of_shifted_logits) {
    for (int round = 0; round < 4; round++) {
        begin((uint64_t)round + 1, round % 2);
        int64_t labelled = 0, said;
        for (int i = 0; i < N; i++) labelled += m.unseen.is_unseen[m.labels[i]];
        cr_assert_eq(set.unseen, labelled);
        for (double s = -10; s <= 10; s += 0.25) { /* of halves: all sums are exact */
            rti_shifted want = by_hand(&m, s, &said), got = rti_shift_at(&set, s);
            cr_assert_eq(got.errors, want.errors, "s = %g", s);
            cr_assert_eq(got.errors_unseen, want.errors_unseen, "s = %g", s);
            cr_assert_eq(rti_shift_answers(&set, s), said, "s = %g", s);
        }
        rti_shift_set_deinit(&set);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* The k-th smallest margin is where k examples are answered with an unseen class. */
Test(shift, bisection_finds_the_margin_that_matches_the_prior) {
    static const double priors[] = {0.001, 0.1, 1.0 / 3, 0.5, 0.9, 1};
    double margin[N];
    for (int round = 0; round < 6; round++) {
        begin((uint64_t)round + 10, round % 2);
        margins_by_hand(&m, margin);
        for (size_t p = 0; p < sizeof priors / sizeof *priors; p++) {
            int need = (int)ceil(priors[p] * N - 1e-12);
            double s = rti_shift_matching(&set, priors[p]);
            cr_assert(rti_shift_answers(&set, s) >= need);
            cr_assert(rti_shift_answers(&set, nextafter(s, -INFINITY)) < need);
            cr_assert(s >= margin[need - 1] && s <= nextafter(margin[need - 1], INFINITY), "%g, not %g", s,
                      margin[need - 1]);
        }
        rti_shift_set_deinit(&set);
    }
}

Test(shift, no_other_s_has_fewer_errors_than_the_best) {
    double margin[N];
    for (int round = 0; round < 6; round++) {
        begin((uint64_t)round + 20, round % 2);
        margins_by_hand(&m, margin);
        int64_t said, least = by_hand(&m, margin[0] - 1, &said).errors;
        double nearest = fabs(margin[0] - 1);
        for (int i = 0; i < N; i++) { /* one s between any two margins, and one above all */
            double s = i + 1 < N ? 0.5 * (margin[i] + margin[i + 1]) : margin[i] + 1;
            if (s == margin[i]) continue;
            if (i + 1 < N && margin[i] < 0 && margin[i + 1] > 0) s = 0;
            int64_t errors = by_hand(&m, s, &said).errors;
            if (errors < least || (errors == least && fabs(s) < nearest)) nearest = fabs(s);
            if (errors < least) least = errors;
        }
        double best = rti_shift_best(&set);
        cr_assert_eq(rti_shift_at(&set, best).errors, least);
        cr_assert_eq(by_hand(&m, best, &said).errors, least);
        cr_assert(fabs(best) <= nearest + 1, "%g, but there is %g", best, nearest);
        rti_shift_set_deinit(&set);
    }
}

Test(shift, an_answer_that_is_no_number_is_refused) {
    make_answers(&m, 1, false);
    m.logits[7 * K + 1] = m.logits[7 * K + 4] = (rt_real)NAN;
    cr_assert_eq(rti_shift_set_make(&set, &m.answers, &m.unseen, &error), RT_NOT_FINITE);
    cr_assert(strstr(error.message, "example 7"), "%s", error.message);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
