/* full_distribution.c - equation 5, see specialists.h.                 Floor 7 (distill)
 *
 * Everything in double, as log q: probabilities of 1e-300 and of 1 stand beside each other. */
#include <math.h>
#include <string.h>

#include "distill/specialists.h"

#define LONGER 1.1 /* a step's growth while F falls */
#define LOG_Q_MIN -700.0

typedef struct problem {
    int64_t K;
    const rti_opinion *opinions;
    int count;
    double *p, *q, *t, *next, *sum; /* (K) each, sum: (all outputs) */
} problem;

static int64_t outputs_of(const rti_opinion opinions[], int count) {
    int64_t all = 0;
    for (int m = 0; m < count; m++) all += opinions[m].outputs;
    return all;
}

size_t rti_full_scratch(int64_t K, const rti_opinion opinions[], int count) {
    return (size_t)(4 * K + outputs_of(opinions, count));
}

/* log_z -> log q, normalised and bounded from below. */
static void normalise(int64_t K, double log_z[]) {
    double top = log_z[0], sum = 0;
    for (int64_t k = 1; k < K; k++)
        if (log_z[k] > top) top = log_z[k];
    for (int64_t k = 0; k < K; k++) sum += exp(log_z[k] - top);
    top += log(sum);
    for (int64_t k = 0; k < K; k++) log_z[k] = fmax(log_z[k] - top, LOG_Q_MIN);
}

/* q and q^m of log_q; returns F without its constants. */
static double look(const problem *f, const double log_q[]) {
    double *sum = f->sum, F = 0;
    for (int64_t k = 0; k < f->K; k++) {
        f->q[k] = exp(log_q[k]);
        F -= f->p[k] * log_q[k];
    }
    for (int m = 0; m < f->count; m++) {
        const rti_opinion *o = &f->opinions[m];
        memset(sum, 0, (size_t)o->outputs * sizeof *sum);
        for (int64_t k = 0; k < f->K; k++) sum[o->output[k]] += f->q[k];
        for (int j = 0; j < o->outputs; j++)
            if (o->p[j] > 0 && sum[j] > 0) F -= o->p[j] * log(sum[j]);
        sum += o->outputs;
    }
    return F;
}

/* t of the q and q^m that were looked at last; returns the length of dF/dz. */
static double differentiate(const problem *f) {
    const double N = 1 + f->count;
    const double *sum = f->sum;
    memcpy(f->t, f->p, (size_t)f->K * sizeof *f->t);
    for (int m = 0; m < f->count; m++) {
        const rti_opinion *o = &f->opinions[m];
        for (int64_t k = 0; k < f->K; k++) {
            const int32_t j = o->output[k];
            if (sum[j] > 0) f->t[k] += o->p[j] * (f->q[k] / sum[j]);
        }
        sum += o->outputs;
    }
    double square = 0;
    for (int64_t k = 0; k < f->K; k++) square += (N * f->q[k] - f->t[k]) * (N * f->q[k] - f->t[k]);
    return sqrt(square);
}

/* next = log q + length (log(t / N) - log q), normalised. */
static void move(const problem *f, const double log_q[], double length) {
    const double log_N = log(1.0 + f->count);
    for (int64_t k = 0; k < f->K; k++) f->next[k] = log_q[k] + length * (log(f->t[k]) - log_N - log_q[k]);
    normalise(f->K, f->next);
}

static rt_status descend(const problem *f, double tolerance, double log_q[], rti_descent *descent,
                         rt_error *error) {
    double F = look(f, log_q), length = 1;
    *descent = (rti_descent){.gradient = differentiate(f)};
    while (!(descent->gradient <= tolerance)) {
        if (descent->steps == RTI_DESCENT_STEPS || isnan(descent->gradient))
            return rt_fail(error, RT_VALUE,
                           "equation 5: after %lld steps the gradient has the length %g, above %g",
                           (long long)descent->steps, descent->gradient, tolerance);
        move(f, log_q, length);
        double next = look(f, f->next);
        if (length > 1 && !(next < F)) { /* too long: the step that can not be */
            length = 1;
            move(f, log_q, length);
            next = look(f, f->next);
        } else {
            length *= LONGER;
        }
        F = next;
        memcpy(log_q, f->next, (size_t)f->K * sizeof *log_q);
        descent->gradient = differentiate(f);
        descent->steps++;
    }
    return RT_OK;
}

rt_status rti_full_distribution(int64_t K, const double log_p[], const rti_opinion opinions[], int count,
                                double tolerance, double log_q[], double scratch[], rti_descent *descent,
                                rt_error *error) {
    const problem f = {.K = K,
                       .opinions = opinions,
                       .count = count,
                       .p = scratch,
                       .q = scratch + K,
                       .t = scratch + 2 * K,
                       .next = scratch + 3 * K,
                       .sum = scratch + 4 * K};
    for (int64_t k = 0; k < K; k++) log_q[k] = fmax(log_p[k], RTI_LOG_P_MIN);
    normalise(K, log_q);
    for (int64_t k = 0; k < K; k++) f.p[k] = exp(log_q[k]);
    if (!count) { /* q = p^g, as it stands */
        *descent = (rti_descent){0, 0};
        return RT_OK;
    }
    return descend(&f, tolerance, log_q, descent, error);
}

double rti_full_divergence(int64_t K, const double log_p[], const rti_opinion opinions[], int count,
                           const double log_q[]) {
    double F = 0;
    for (int64_t k = 0; k < K; k++) F += exp(log_p[k]) * (log_p[k] - log_q[k]);
    for (int m = 0; m < count; m++) {
        const rti_opinion *o = &opinions[m];
        for (int j = 0; j < o->outputs; j++) {
            double sum = 0;
            for (int64_t k = 0; k < K; k++)
                if (o->output[k] == j) sum += exp(log_q[k]);
            if (o->p[j] > 0) F += o->p[j] * (log(o->p[j]) - log(sum));
        }
    }
    return F;
}
