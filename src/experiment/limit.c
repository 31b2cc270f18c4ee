/* limit.c - what distillation becomes at high temperature.            Floor 8 (experiment)
 *
 * Equations 2 to 4 of Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), q = softmax(z/T), p = softmax(v/T):
 *
 *     dC/dz_k = (q_k - p_k) / T                                      (2)
 *             ~ ((1 + z_k/T) / (K + sum z/T) - (1 + v_k/T) / (K + sum v/T)) / T,  T large against logits
 *             = (z~_k - v~_k) / (K T^2),  z~ and v~ less their means over the classes
 *
 * Here z and v are logits of networks of the experiment. Times T^2 the gradient's length tends to that of
 * (z~ - v~) / K and its direction to that of z~ - v~; without the factor it falls with the square of T. How
 * far a temperature is from the limit is read off these. All in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/pool.h"
#include "experiment/answers.h"
#include "experiment/sweeps.h"
#include "retort/alloc.h"

enum { EXAMPLES_MAX = 2000, GRID = 34 };
static const double grid_first = 0.5, grid_last = 1000;

/* ---- one example ---------------------------------------------------------------------------------- */

/* p = softmax(z / T) */
static void soften(const double z[], int64_t K, double T, double p[]) {
    double top = z[0], sum = 0;
    for (int64_t k = 1; k < K; k++) top = fmax(top, z[k]);
    for (int64_t k = 0; k < K; k++) sum += p[k] = exp((z[k] - top) / T);
    for (int64_t k = 0; k < K; k++) p[k] /= sum;
}

void rti_soft_gradient(const double z[], const double v[], int64_t K, double T, double p[], double g[]) {
    soften(z, K, T, g);
    soften(v, K, T, p);
    for (int64_t k = 0; k < K; k++) g[k] = (g[k] - p[k]) / T;
}

static double dot(const double a[], const double b[], int64_t K) {
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += a[k] * b[k];
    return sum;
}

/* d = z~ - v~ */
static void centred_difference(const double z[], const double v[], int64_t K, double d[]) {
    double mean = 0;
    for (int64_t k = 0; k < K; k++) mean += (d[k] = z[k] - v[k]) / (double)K;
    for (int64_t k = 0; k < K; k++) d[k] -= mean;
}

/* ---- means over examples --------------------------------------------------------------------------- */

typedef struct pair_of_answers {
    rti_answers student, teacher;
    int64_t count, K;
    double *room;            /* for each temperature its own vectors (PER_POINT, K) */
    rti_limit *limit;        /* whose points are measured */
} pair_of_answers;

typedef struct vectors {
    double *z, *v, *p, *g, *d; /* (K) each */
} vectors;
enum { PER_POINT = 5 };

static vectors vectors_of(const pair_of_answers *a, int64_t point) {
    double *at = a->room + point * PER_POINT * a->K;
    return (vectors){at, at + a->K, at + 2 * a->K, at + 3 * a->K, at + 4 * a->K};
}

static void read_example(const pair_of_answers *a, int64_t i, const vectors *x) {
    for (int64_t k = 0; k < a->K; k++) {
        x->z[k] = (double)a->student.logits[i * a->K + k];
        x->v[k] = (double)a->teacher.logits[i * a->K + k];
    }
    centred_difference(x->z, x->v, a->K, x->d);
}

static void measure_point(void *context, int64_t number) {
    const pair_of_answers *a = context;
    rti_limit_point *p = &a->limit->point[number];
    const vectors x = vectors_of(a, number);
    double n = (double)a->count, directions = 0;
    for (int64_t i = 0; i < a->count; i++) {
        read_example(a, i, &x);
        rti_soft_gradient(x.z, x.v, a->K, p->T, x.p, x.g);
        double length = sqrt(dot(x.g, x.g, a->K)), distance = sqrt(dot(x.d, x.d, a->K));
        p->soft += length / n;
        p->scaled += p->T * p->T * length / n;
        if (!(length > 0) || !(distance > 0)) continue;
        p->cosine += dot(x.g, x.d, a->K) / (length * distance);
        p->ratio += p->T * p->T * length * (double)a->K / distance;
        directions++;
    }
    p->cosine = directions > 0 ? p->cosine / directions : NAN;
    p->ratio = directions > 0 ? p->ratio / directions : NAN;
}

/* The hard term, and where `scaled` goes. */
static void measure_scale(rti_limit *l, const pair_of_answers *a) {
    const vectors x = vectors_of(a, 0);
    double n = (double)a->count;
    for (int64_t i = 0; i < a->count; i++) {
        read_example(a, i, &x);
        double distance = sqrt(dot(x.d, x.d, a->K));
        l->equal += !(distance > 0);
        l->target += distance / (double)a->K / n;
        soften(x.z, a->K, 1, x.g);
        x.g[a->student.labels[i]] -= 1;
        l->hard += sqrt(dot(x.g, x.g, a->K)) / n;
    }
    l->examples = a->count;
}

/* ---- which temperatures ---------------------------------------------------------------------------- */

static int by_temperature(const void *a, const void *b) {
    const rti_limit_point *x = a, *y = b;
    if (x->T != y->T) return x->T < y->T ? -1 : 1;
    return y->is_swept - x->is_swept;
}

static rt_status choose_temperatures(rti_limit *l, const rti_plan *plan, rt_error *error) {
    const rti_axis *axis = &plan->spec.axes[plan->temperature_axis];
    l->point = rt_alloc_zero(GRID + (size_t)axis->count, sizeof *l->point);
    if (!l->point) return rt_fail(error, RT_MEMORY, "not enough memory for the limit of high temperature");
    for (int i = 0; i < axis->count; i++)
        l->point[l->count++] = (rti_limit_point){.T = axis->values[i].number, .is_swept = true};
    for (int i = 0; i < GRID; i++) {
        double T = grid_first * pow(grid_last / grid_first, (double)i / (GRID - 1));
        l->point[l->count++] = (rti_limit_point){.T = i == GRID - 1 ? grid_last : T};
    }
    qsort(l->point, (size_t)l->count, sizeof *l->point, by_temperature);
    int kept = 1;
    for (int i = 1; i < l->count; i++)
        if (l->point[i].T > l->point[kept - 1].T) l->point[kept++] = l->point[i];
    l->count = kept;
    return RT_OK;
}

/* ---- whose answers --------------------------------------------------------------------------------- */

static bool is_kd(const rti_plan *plan, int trial) {
    const rt_params *rows = &plan->trials[trial].settings->distill;
    return rt_params_find(rows, "method") >= 0 && !strcmp(rt_params_text(rows, "method"), "kd");
}

/* The scratch student of the first seed that has one, else the first distilled one; -1: none is finished, or
 * the facet is not one of kd. */
static int student_of(const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    int scratch = -1, distilled = -1;
    bool kd = false;
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; plan->cells[c].facet == facet && s < plan->spec.seed_count; s++) {
            int student = plan->cells[c].trials[s], plain = plan->cells[c].scratch[s];
            kd = kd || (student >= 0 && is_kd(plan, student));
            if (scratch < 0 && plain >= 0 && summary->records[plain].state == RTI_DONE) scratch = plain;
            if (distilled < 0 && student >= 0 && summary->records[student].state == RTI_DONE)
                distilled = student;
        }
    return !kd ? -1 : scratch >= 0 ? scratch : distilled;
}

/* An ensemble that is not averaged over logits answers differently at each T. */
static bool answers_by_temperature(const rti_plan *plan, int student) {
    return plan->trials[student].reference_count > 1 &&
           strcmp(rti_reference_combine(plan, student), "logits") != 0;
}

static rt_status ask(pair_of_answers *a, rti_limit *l, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    const rt_dataset *set = plan->datasets[plan->trials[l->trial].dataset];
    l->on_validation = rt_dataset_part(set, RT_PART_VALIDATION)->count > 0;
    rt_part_name part = l->on_validation ? RT_PART_VALIDATION : RT_PART_TRANSFER;
    RT_TRY(rti_answers_of_teacher(&a->teacher, summary, l->trial, part, 1, error));
    if (!a->teacher.logits && l->on_validation) { /* a file of answers may know the transfer set alone */
        l->on_validation = false;
        part = RT_PART_TRANSFER;
        RT_TRY(rti_answers_of_teacher(&a->teacher, summary, l->trial, part, 1, error));
    }
    if (!a->teacher.logits) return RT_OK;
    RT_TRY(rti_answers_of_some(&a->student, plan, l->trial, part, EXAMPLES_MAX, error));
    a->K = a->student.classes;
    a->count = a->student.count;
    return RT_OK;
}

static rt_status measure(rti_limit *l, pair_of_answers *a, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    const bool again = answers_by_temperature(plan, l->trial);
    rt_part_name part = l->on_validation ? RT_PART_VALIDATION : RT_PART_TRANSFER;
    RT_TRY(choose_temperatures(l, plan, error));
    a->limit = l;
    a->room = rt_alloc((size_t)l->count * (size_t)a->K * PER_POINT * sizeof *a->room);
    if (!a->room) return rt_fail(error, RT_MEMORY, "not enough memory for the limit of high temperature");
    measure_scale(l, a);
    if (!again) rti_parallel(l->count, measure_point, a);
    for (int i = 0; again && i < l->count; i++) {
        rti_answers_deinit(&a->teacher);
        RT_TRY(rti_answers_of_teacher(&a->teacher, summary, l->trial, part, l->point[i].T, error));
        if (!a->teacher.logits) return rt_fail(error, RT_NOT_FOUND, "the teacher's answers are gone");
        measure_point(a, i);
    }
    return RT_OK;
}

static rt_status look(rti_limit *l, const rti_summary *summary, rt_error *error) {
    pair_of_answers a = {.count = 0};
    rt_status status = ask(&a, l, summary, error);
    if (status == RT_OK && a.teacher.logits && a.count > 0 && a.K == a.teacher.classes)
        status = measure(l, &a, summary, error);
    rti_answers_deinit(&a.student);
    rti_answers_deinit(&a.teacher);
    rt_free(a.room);
    if (status != RT_OK) {
        rt_free(l->point);
        *l = (rti_limit){0};
    }
    return status;
}

/* ---- all ------------------------------------------------------------------------------------------- */

rt_status rti_limits_make(rti_limits *limits, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    *limits = (rti_limits){0};
    if (plan->spec.is_comparison || plan->temperature_axis < 0 || !plan->dataset_count) return RT_OK;
    limits->limit = rt_alloc_zero((size_t)plan->facet_count, sizeof *limits->limit);
    if (!limits->limit)
        return rt_fail(error, RT_MEMORY, "not enough memory for the limit of high temperature");
    rt_status status = RT_OK;
    for (int f = 0; f < plan->facet_count && status == RT_OK; f++) {
        rti_limit *l = &limits->limit[limits->count];
        *l = (rti_limit){.facet = f, .trial = student_of(summary, f)};
        if (l->trial < 0) continue;
        status = look(l, summary, error);
        limits->count += status == RT_OK && l->count > 0;
    }
    if (status != RT_OK) rti_limits_deinit(limits);
    return status;
}

void rti_limits_deinit(rti_limits *limits) {
    for (int i = 0; i < limits->count; i++) rt_free(limits->limit[i].point);
    rt_free(limits->limit);
    *limits = (rti_limits){0};
}
