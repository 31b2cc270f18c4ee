/* full_distribution.c - equation 5, see specialists.h.                 Floor 7 (distill)
 *
 * Everything in double, as log q: probabilities of 1e-300 and of 1 stand beside each other. */
#include <math.h>
#include <string.h>

#include "distill/specialists.h"

#define PLAIN_STEPS 40
#define PATH_FIRST 0.1 /* mu, the path's first and the factor from stage to stage */
#define PATH_FACTOR 0.2
#define STAGE_STEPS 60 /* of Newton, at most; a few are needed */
#define HALVINGS 30
#define INSIDE 0.95    /* of the way to the border of q > 0 */
#define ROUNDING 1e-13 /* of F, relative */
#define LOG_Q_MIN -700.0

typedef struct problem {
    int64_t K;
    const rti_opinion *opinions;
    int count;
    double mu, N;                    /* N: all weights together, 1 + count + K mu */
    double *base, *p;                /* (K): the generalist's, and with mu */
    double *q, *t, *next, *sum;      /* (K) each, sum: (all outputs) */
    double *w, *step, *dust, *y, *S; /* of Newton's step: (K), (K), (count), (count), (count, count) */
} problem;

static int64_t outputs_of(const rti_opinion opinions[], int count) {
    int64_t all = 0;
    for (int m = 0; m < count; m++) all += opinions[m].outputs;
    return all;
}

size_t rti_full_scratch(int64_t K, const rti_opinion opinions[], int count) {
    const int64_t m = count;
    return (size_t)(7 * K + outputs_of(opinions, count) + m * (m + 2));
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

/* t of the q and q^m that were looked at last; returns the length of dF/dz with mu, *length that without. */
static double differentiate(const problem *f, double *length) {
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
    double square = 0, square_mu = 0;
    for (int64_t k = 0; k < f->K; k++) {
        const double without = N * f->q[k] - (f->t[k] - f->mu), with = f->N * f->q[k] - f->t[k];
        square += without * without;
        square_mu += with * with;
    }
    *length = sqrt(square);
    return sqrt(square_mu);
}

/* ---- Newton's step ---- */

static bool in_dust(const rti_opinion *o, int64_t k) { return o->output[k] == o->outputs - 1; }

/* w, the dustbins' sqrt(p) / q, the small system S and its right side c u^T W^-1 (t - N q). */
static void set_up(const problem *f) {
    const double N = f->N;
    const double *sum = f->sum;
    memcpy(f->w, f->p, (size_t)f->K * sizeof *f->w);
    for (int m = 0; m < f->count; m++) {
        const rti_opinion *o = &f->opinions[m];
        for (int64_t k = 0; k < f->K; k++)
            if (!in_dust(o, k)) f->w[k] += o->p[o->output[k]];
        sum += o->outputs;
        f->dust[m] = sum[-1] > 0 ? sqrt(o->p[o->outputs - 1]) / sum[-1] : 0;
    }
    for (int m = 0; m < f->count; m++) {
        const rti_opinion *o = &f->opinions[m];
        f->y[m] = 0;
        for (int64_t k = 0; k < f->K; k++)
            if (in_dust(o, k)) f->y[m] += f->dust[m] * f->q[k] * ((f->t[k] - N * f->q[k]) / f->w[k]);
        for (int j = 0; j <= m; j++) {
            double product = 0;
            for (int64_t k = 0; k < f->K; k++)
                if (in_dust(o, k) && in_dust(&f->opinions[j], k)) product += f->q[k] * (f->q[k] / f->w[k]);
            f->S[m * f->count + j] = (m == j) + f->dust[m] * f->dust[j] * product;
        }
    }
}

/* y <- S^-1 y by Cholesky's L L^T, in place of S. */
static void solve_small(const problem *f) {
    const int A = f->count;
    double *S = f->S, *y = f->y;
    for (int i = 0; i < A; i++) {
        for (int j = 0; j <= i; j++) {
            for (int k = 0; k < j; k++) S[i * A + j] -= S[i * A + k] * S[j * A + k];
            S[i * A + j] = i == j ? sqrt(S[i * A + i]) : S[i * A + j] / S[j * A + j];
        }
        for (int k = 0; k < i; k++) y[i] -= S[i * A + k] * y[k];
        y[i] /= S[i * A + i];
    }
    for (int i = A - 1; i >= 0; i--) {
        for (int k = i + 1; k < A; k++) y[i] -= S[k * A + i] * y[k];
        y[i] /= S[i * A + i];
    }
}

/* step = dq / q of Newton's step. */
static void newton(const problem *f) {
    set_up(f);
    solve_small(f);
    for (int64_t k = 0; k < f->K; k++) {
        double r = f->t[k] - f->N * f->q[k];
        for (int m = 0; m < f->count; m++)
            if (in_dust(&f->opinions[m], k)) r -= f->dust[m] * f->q[k] * f->y[m];
        f->step[k] = r / f->w[k];
    }
}

/* ---- descent ---- */

/* log q <- log(t / N), by which F is never higher. */
static double plain(const problem *f, double log_q[]) {
    for (int64_t k = 0; k < f->K; k++) log_q[k] = log(f->t[k]);
    normalise(f->K, log_q);
    return look(f, log_q);
}

/* log q <- log(q + length dq) with the longest of halved lengths by which F falls; false: with none. */
static bool leap(const problem *f, double log_q[], double *F) {
    double least = 0;
    newton(f);
    for (int64_t k = 0; k < f->K; k++) least = fmin(least, f->step[k]);
    double length = -least > INSIDE ? INSIDE / -least : 1;
    for (int i = 0; i < HALVINGS; i++, length *= 0.5) {
        for (int64_t k = 0; k < f->K; k++) f->next[k] = log_q[k] + log1p(length * f->step[k]);
        normalise(f->K, f->next);
        const double lower = look(f, f->next);
        if (!(lower <= *F + ROUNDING * (1 + fabs(*F)))) continue;
        *F = lower;
        memcpy(log_q, f->next, (size_t)f->K * sizeof *log_q);
        return true;
    }
    return false;
}

/* The minimum with mu added to each p^g_k, or as far as it is needed. */
static void stage(problem *f, double mu, double tolerance, double log_q[], rti_descent *descent) {
    f->mu = mu;
    f->N = 1 + f->count + (double)f->K * mu;
    for (int64_t k = 0; k < f->K; k++) f->p[k] = f->base[k] + mu;
    look(f, log_q);
    differentiate(f, &descent->gradient);
    double F = plain(f, log_q);
    for (int i = 0; i < STAGE_STEPS; i++, descent->steps++) {
        const double here = differentiate(f, &descent->gradient);
        if (descent->gradient <= tolerance || here <= 0.1 * mu) return;
        if (leap(f, log_q, &F)) continue;
        look(f, log_q);
        differentiate(f, &descent->gradient);
        F = plain(f, log_q);
    }
    differentiate(f, &descent->gradient);
}

static rt_status descend(problem *f, double tolerance, double log_q[], rti_descent *descent,
                         rt_error *error) {
    look(f, log_q);
    differentiate(f, &descent->gradient);
    for (descent->steps = 0; descent->steps < PLAIN_STEPS && descent->gradient > tolerance;
         descent->steps++) {
        plain(f, log_q);
        differentiate(f, &descent->gradient);
    }
    const double last = tolerance / (10.0 * (double)f->K);
    for (double mu = PATH_FIRST; descent->gradient > tolerance && mu > last; mu *= PATH_FACTOR)
        stage(f, mu, tolerance, log_q, descent);
    if (descent->gradient <= tolerance) return RT_OK;
    return rt_fail(error, RT_VALUE, "equation 5: after %lld steps the gradient has the length %g, above %g",
                   (long long)descent->steps, descent->gradient, tolerance);
}

rt_status rti_full_distribution(int64_t K, const double log_p[], const rti_opinion opinions[], int count,
                                double tolerance, double log_q[], double scratch[], rti_descent *descent,
                                rt_error *error) {
    problem f = {.K = K,
                 .opinions = opinions,
                 .count = count,
                 .N = 1 + count,
                 .base = scratch,
                 .p = scratch + K,
                 .q = scratch + 2 * K,
                 .t = scratch + 3 * K,
                 .next = scratch + 4 * K,
                 .w = scratch + 5 * K,
                 .step = scratch + 6 * K,
                 .dust = scratch + 7 * K,
                 .y = scratch + 7 * K + count,
                 .S = scratch + 7 * K + 2 * count,
                 .sum = scratch + 7 * K + count * (count + 2)};
    for (int64_t k = 0; k < K; k++) log_q[k] = fmax(log_p[k], RTI_LOG_P_MIN);
    normalise(K, log_q);
    for (int64_t k = 0; k < K; k++) f.base[k] = f.p[k] = exp(log_q[k]);
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
