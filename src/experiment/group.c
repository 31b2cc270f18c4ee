/* group.c - see group.h.                                               Floor 8 (experiment) */
#include "experiment/group.h"

#include <string.h>

#include "data/views.h"
#include "distill/parts.h"
#include "distill/shared.h"
#include "distill/targets.h"
#include "experiment/scheduler.h"
#include "retort/alloc.h"

/* ---- what one pass can serve ---- */

static bool same_teachers(const rti_trial *a, const rti_trial *b) {
    if (a->teacher_count != b->teacher_count || strcmp(a->answers, b->answers) != 0) return false;
    for (int i = 0; i < a->teacher_count; i++)
        if (a->teachers[i] != b->teachers[i]) return false;
    return a->teacher_count < 2 || strcmp(rt_params_text(&a->settings->teacher, "combine"),
                                          rt_params_text(&b->settings->teacher, "combine")) == 0;
}

/* A teacher whose dropout is left on answers others differently. */
static bool is_noisy(const rti_trial *t) {
    return rt_targets_named(rt_params_text(&t->settings->distill, "targets")) == RT_TARGETS_DROPOUT;
}

bool rti_go_together(const rti_plan *plan, int a, int b) {
    const rti_trial *x = &plan->trials[a], *y = &plan->trials[b];
    if (x->dataset != y->dataset || x->seed != y->seed ||
        rti_trial_part(plan, a) != rti_trial_part(plan, b) ||
        rt_params_int(&x->settings->data, "batch") != rt_params_int(&y->settings->data, "batch"))
        return false;
    if (is_noisy(x) != is_noisy(y)) return false;
    const rt_augment p = rti_training_augment(rti_trial_network(x)),
                     q = rti_training_augment(rti_trial_network(y));
    return rti_same_augment(&p, &q) && same_teachers(x, y);
}

/* ---- when it pays ----
 *
 * Everything in multiply-adds of one example. Measured with eight students of MNIST, start and end of the
 * trials included: alone they need 1.2 times the processor's time when they are 784-30-30-10 (24,720
 * multiply-adds) and see 60,000 images five times, 1.06 times when they are 784-300-10 (238,200) and see
 * 30,000 once. */

#define GATHER 20.0        /* for each number of an example that is gathered */
#define STEP 20000.0       /* of a student's step, beside its products; as in estimate.c */
#define PAYS_FROM 0.05     /* of the work of a trial */

/* What the teacher costs in each step, when its answers cannot be kept. */
static double teacher_work(const rti_plan *plan, const rti_trial *t) {
    const rt_params *distill = &t->settings->distill;
    const char *method = rt_params_text(distill, "method");
    if (!rt_method_needs_teacher(method) || rt_method_is_labels_only(method, distill)) return 0;
    const rt_augment augment = rti_training_augment(rti_trial_network(t));
    const rt_targets targets = rt_targets_named(rt_params_text(distill, "targets"));
    bool is_live = is_noisy(t) || (rti_augment_moves(&augment) && !rti_targets_are_fixed(targets)) ||
                   augment.mixup > 0;
    rti_parts parts;
    if (rti_parts_find(method, &parts))
        for (int i = 0; i < parts.count; i++) is_live |= (parts.method[i]->needs & RTI_NEEDS_FEATURES) != 0;
    double work = 0;
    for (int i = 0; is_live && i < t->teacher_count; i++) /* a file of answers has none */
        work += (double)plan->trials[t->teachers[i]].cost.multiply_adds;
    return work;
}

bool rti_group_pays(const rti_plan *plan, int trial) {
    const rti_trial *t = &plan->trials[trial];
    if (t->role == RTI_TEACHER) return false;
    const double common = GATHER * (double)rti_trial_part(plan, trial)->examples->features +
                          teacher_work(plan, t),
                 own = 3.0 * (double)t->cost.multiply_adds + STEP;
    return common >= PAYS_FROM * (common + own);
}

/* ---- dividing ---- */

typedef struct division {
    const rti_plan *plan;
    int *group_of;      /* while it is made: the first trial that this one could go with */
    int *size, *pieces; /* of that, at the first trial */
} division;

static void find_alike(division *d, const bool wanted[]) {
    for (int t = 0; t < d->plan->trial_count; t++) {
        d->group_of[t] = wanted[t] ? t : -1;
        if (!wanted[t] || !rti_group_pays(d->plan, t)) continue;
        const int64_t work = rti_trial_work(d->plan, t);
        for (int u = 0; u < t; u++)
            if (d->size[u] && rti_trial_work(d->plan, u) == work && rti_go_together(d->plan, u, t)) {
                d->group_of[t] = u;
                break;
            }
        d->size[d->group_of[t]]++;
    }
}

static int largest_piece(const division *d, int t) {
    return (d->size[t] + d->pieces[t] - 1) / d->pieces[t];
}

/* No group too large, and the number of groups a multiple of the workers. */
static void choose_sizes(division *d, int workers) {
    int trials = 0, groups = 0;
    for (int t = 0; t < d->plan->trial_count; t++) trials += d->size[t];
    int most = (trials + workers - 1) / workers;
    if (most > RTI_GROUP_MAX) most = RTI_GROUP_MAX;
    for (int t = 0; t < d->plan->trial_count; t++)
        if (d->size[t]) groups += d->pieces[t] = (d->size[t] + most - 1) / most;
    for (; groups % workers; groups++) {
        int largest = -1;
        for (int t = 0; t < d->plan->trial_count; t++)
            if (d->size[t] && (largest < 0 || largest_piece(d, t) > largest_piece(d, largest))) largest = t;
        if (largest_piece(d, largest) == 1) return; /* all are alone */
        d->pieces[largest]++;
    }
}

/* The i-th of n trials goes into piece i p / n. */
static void cut(division *d, int first) {
    int piece = -1, leader = -1, n = d->size[first], p = d->pieces[first];
    for (int t = first, i = 0; i < n; t++) {
        if (d->group_of[t] != first) continue;
        if (i * p / n != piece) piece = i * p / n, leader = t;
        d->group_of[t] = leader;
        i++;
    }
}

void rti_groups_form(const rti_plan *plan, const bool wanted[], int workers, int group_of[]) {
    RT_ASSERT(workers >= 1, "%d workers", workers);
    const size_t count = (size_t)plan->trial_count;
    division d = {.plan = plan,
                  .group_of = group_of,
                  .size = rt_alloc_zero(count, sizeof *d.size),
                  .pieces = rt_alloc_zero(count, sizeof *d.pieces)};
    if (d.size && d.pieces) {
        find_alike(&d, wanted);
        choose_sizes(&d, workers);
        for (int t = plan->trial_count - 1; t >= 0; t--)
            if (d.size[t]) cut(&d, t);
    } else {
        for (int t = 0; t < plan->trial_count; t++) group_of[t] = wanted[t] ? t : -1;
    }
    rt_free(d.size);
    rt_free(d.pieces);
}

rti_group_count rti_groups_count(const rti_plan *plan, const int group_of[]) {
    rti_group_count count = {0};
    for (int first = 0; first < plan->trial_count; first++) {
        int trials = 0;
        if (group_of[first] != first) continue;
        for (int t = first; t < plan->trial_count; t++) trials += group_of[t] == first;
        if (trials > 1) count.trials += trials, count.groups++;
    }
    return count;
}
