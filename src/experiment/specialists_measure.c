/* specialists_measure.c - tables 3 and 4 of the paper.                 Floor 8 (experiment)
 *
 *   test accuracy   all test examples, all classes
 *   conditional     test examples whose true class is in a set, answers among the classes of the sets only
 *   coverage        test examples by how many sets hold the true class
 *
 * Of equal answers the first class counts. */
#include <math.h>
#include <string.h>

#include "experiment/specialists.h"

static bool in_set(const rti_special_sets *s, int m, int k) { return s->output[m * s->K + k] < s->n; }

static int covering(const rti_special_sets *s, int k) {
    int sets = 0;
    for (int m = 0; m < s->count; m++) sets += in_set(s, m, k);
    return sets;
}

/* The top class of all (m -1: the classes of all sets) or of set m. */
static int top(const rti_special_sets *s, int m, const rt_real row[]) {
    int best = -1;
    for (int k = 0; k < s->K; k++) {
        if (m >= 0 ? !in_set(s, m, k) : !covering(s, k)) continue;
        if (best < 0 || row[k] > row[best]) best = k;
    }
    return best;
}

static int top_of_all(int K, const rt_real row[]) {
    int best = 0;
    for (int k = 1; k < K; k++)
        if (row[k] > row[best]) best = k;
    return best;
}

static void count(rti_counts *c, int y, int generalist, int full) {
    c->examples++;
    c->generalist += generalist == y;
    c->full += full == y;
}

static void add_specialist(rti_specialists_seed *seed, const rti_full_answers *a, int m, int64_t e, int y,
                           int cover) {
    const rti_special_sets *s = &seed->sets;
    rti_specialist_row *row = &seed->row[m];
    const rt_real *generalist = a->generalist + e * s->K, *own = a->own[m] + e * (s->n + 1);
    row->asked += rti_is_asked(s, m, generalist, cover);
    if (!in_set(s, m, y)) return;
    count(&row->inside, y, top(s, m, generalist), top(s, m, a->full + e * s->K));
    row->alone += s->classes[m * s->n + top_of_all(s->n, own)] == y;
}

void rti_specialists_measure(rti_specialists_seed *seed, const rti_full_answers *a, const rt_part *part,
                             const rti_specialist specialists[], int cover, const rt_real *on) {
    const rti_special_sets *s = &seed->sets;
    for (int m = 0; m < s->count; m++)
        seed->row[m] = (rti_specialist_row){
            .special = specialists[m].special, .rest = specialists[m].rest, .shift = specialists[m].shift};
    for (int k = 0; k < s->K; k++) seed->union_classes += covering(s, k) > 0;
    for (int64_t i = 0; i < part->count; i++) {
        const int64_t e = part->index[i];
        const rt_real *before = a->generalist + e * s->K, *after = a->full + e * s->K;
        const int y = part->labels[i], g = top_of_all(s->K, before), f = top_of_all(s->K, after);
        const int sets = covering(s, y);
        count(&seed->all, y, g, f);
        count(&seed->covered[sets], y, g, f);
        seed->won += g != y && f == y;
        seed->lost += g == y && f != y;
        if (on) seed->on += top_of_all(s->K, on + e * s->K) == y;
        if (on && sets) seed->conditional_on += top(s, -1, on + e * s->K) == y;
        if (sets) count(&seed->conditional, y, top(s, -1, before), top(s, -1, after));
        for (int m = 0; m < s->count; m++) add_specialist(seed, a, m, e, y, cover);
    }
    seed->steps = part->count ? (double)a->steps / (double)a->examples->count : 0;
    seed->gradient = a->gradient;
}

/* ---- over seeds ---- */

static double share(int64_t part, int64_t of) { return of ? (double)part / (double)of : NAN; }

static double quantity(const rti_specialists_seed *s, rti_specialists_quantity what, bool conditional) {
    const rti_counts *c = conditional ? &s->conditional : &s->all;
    const int64_t on = conditional ? s->conditional_on : s->on;
    if (!s->on_epochs && (what == RTI_SPECIALISTS_ON || what == RTI_SPECIALISTS_OVER_ON)) return NAN;
    switch (what) {
    case RTI_SPECIALISTS_GENERALIST:
        return share(c->generalist, c->examples);
    case RTI_SPECIALISTS_ON:
        return share(on, c->examples);
    case RTI_SPECIALISTS_FULL:
        return share(c->full, c->examples);
    case RTI_SPECIALISTS_DELTA:
        return share(c->full - c->generalist, c->examples);
    case RTI_SPECIALISTS_OVER_ON:
        return share(c->full - on, c->examples);
    }
    return NAN;
}

rti_estimate rti_specialists_over_seeds(const rti_specialists_result *r, rti_specialists_quantity what,
                                        bool conditional) {
    double values[RTI_SEEDS_MAX];
    for (int i = 0; i < r->seed_count; i++) values[i] = quantity(&r->seeds[i], what, conditional);
    return rti_estimate_of(values, r->seed_count);
}

rti_coverage rti_coverage_of(const rti_specialists_result *r, int sets) {
    double examples[RTI_SEEDS_MAX], delta[RTI_SEEDS_MAX], relative[RTI_SEEDS_MAX];
    int seeds = 0;
    for (int i = 0; i < r->seed_count; i++) {
        const rti_counts *c = &r->seeds[i].covered[sets];
        if (!c->examples) continue;
        examples[seeds] = (double)c->examples;
        delta[seeds] = (double)(c->full - c->generalist);
        relative[seeds++] = 100 * share(c->full - c->generalist, c->generalist);
    }
    return (rti_coverage){seeds, rti_estimate_of(examples, seeds), rti_estimate_of(delta, seeds),
                          rti_estimate_of(relative, seeds)};
}

int rti_coverage_most(const rti_specialists_result *r) {
    int most = 0;
    for (int i = 0; i < r->seed_count; i++)
        for (int sets = 0; sets <= r->count; sets++)
            if (r->seeds[i].covered[sets].examples && sets > most) most = sets;
    return most;
}
