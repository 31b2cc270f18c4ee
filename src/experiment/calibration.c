/* calibration.c - how sure a network is, and whether it should be.     Floor 8 (experiment)
 *
 * Guo, Pleiss, Sun, Weinberger 2017 (arXiv 1706.04599). Confidence is the probability of the top class; in
 * bin b it lies in (b/15, (b+1)/15], as in rt_evaluate. One number T, fitted on validation, divides all
 * logits: it moves confidence and changes no answer. The mean NLL is convex in s = 1/T:
 *
 *     d NLL / ds = mean( E_p[z] - z_y )      d^2 NLL / ds^2 = mean( Var_p[z] ) >= 0      p = softmax(s z)
 *
 * so Newton's method finds the root of the slope, kept inside a bracket that each step narrows. */
#include <math.h>

#include "experiment/findings.h"
#include "kernels/kernels.h"
#include "ops/softmax_row.h"
#include "retort/alloc.h"

/* ---- bins --------------------------------------------------------------------------------------- */

static void finish(rti_reliability *r) {
    r->ece = 0;
    for (int b = 0; b < RTI_CALIBRATION_BINS; b++)
        r->ece += fabs((double)r->bin[b].correct - r->bin[b].confidence) / (double)r->examples;
}

static void add_example(rti_reliability *r, double confidence, bool right, double log_p) {
    int bin = rti_calibration_bin(confidence);
    r->bin[bin].count++;
    r->bin[bin].correct += right;
    r->bin[bin].confidence += confidence;
    r->errors += !right;
    r->nll -= log_p;
}

static int64_t top_of(const rt_real *z, int64_t classes) {
    int64_t top = 0;
    for (int64_t k = 1; k < classes; k++)
        if (z[k] > z[top]) top = k;
    return top;
}

rt_status rti_reliability_of(rti_reliability *r, const rti_answers *answers, double T, rt_error *error) {
    int64_t K = answers->classes;
    double *p = rt_alloc(2 * (size_t)K * sizeof *p);
    *r = (rti_reliability){.examples = answers->count};
    if (!p)
        return rt_fail(error, RT_MEMORY, "not enough memory for the probabilities of %lld classes",
                       (long long)K);
    for (int64_t i = 0; i < answers->count; i++) {
        const rt_real *z = answers->logits + i * K;
        if (!rti_all_finite(K, z)) {
            rt_free(p);
            return rt_fail(error, RT_NOT_FINITE, "the answer to example %lld is not finite",
                           (long long)i + 1);
        }
        int64_t top = top_of(z, K);
        rti_softmax_row(K, z, T, p, p + K);
        add_example(r, p[top], top == answers->labels[i], p[K + answers->labels[i]]);
    }
    rt_free(p);
    if (!r->examples) return RT_OK;
    r->nll /= (double)r->examples;
    finish(r);
    return RT_OK;
}

void rti_reliability_add(rti_reliability *a, const rti_reliability *b) {
    int64_t examples = a->examples + b->examples;
    if (!examples) return;
    a->nll = (a->nll * (double)a->examples + b->nll * (double)b->examples) / (double)examples;
    a->examples = examples;
    a->errors += b->errors;
    for (int i = 0; i < RTI_CALIBRATION_BINS; i++) {
        a->bin[i].count += b->bin[i].count;
        a->bin[i].correct += b->bin[i].correct;
        a->bin[i].confidence += b->bin[i].confidence;
    }
    finish(a);
}

/* ---- temperature scaling ------------------------------------------------------------------------ */

typedef struct slope {
    double first, second; /* derivatives of the mean NLL by s */
} slope;

static slope slope_at(const rti_answers *a, double s, double *p) {
    slope sum = {0, 0};
    int64_t K = a->classes;
    for (int64_t i = 0; i < a->count; i++) {
        const rt_real *z = a->logits + i * K;
        const double base = (double)z[a->labels[i]];
        double mean = 0, square = 0;
        rti_softmax_row(K, z, 1 / s, p, p + K);
        for (int64_t k = 0; k < K; k++) {
            double d = (double)z[k] - base;
            mean += p[k] * d;
            square += p[k] * d * d;
        }
        sum.first += mean / (double)a->count;
        sum.second += (square - mean * mean) / (double)a->count;
    }
    return sum;
}

/* The root of a rising slope in [low, high]. */
static double root_of(const rti_answers *a, double low, double high, double *p) {
    double s = 1;
    for (int step = 0; step < 100; step++) {
        slope d = slope_at(a, s, p);
        if (d.first == 0) return s;
        if (d.first < 0)
            low = s;
        else
            high = s;
        double next = d.second > 0 ? s - d.first / d.second : NAN;
        if (!(next > low) || !(next < high)) next = sqrt(low * high);
        if (fabs(next - s) <= 1e-10 * s) return next;
        s = next;
    }
    return s;
}

rt_status rti_calibration_temperature(double *T, const rti_answers *validation, rt_error *error) {
    double *p = rt_alloc(2 * (size_t)validation->classes * sizeof *p);
    const double low = 1 / RTI_SCALE_MOST, high = 1 / RTI_SCALE_LEAST;
    *T = 1;
    if (!p) return rt_fail(error, RT_MEMORY, "not enough memory to fit a temperature");
    double s = slope_at(validation, high, p).first <= 0  ? high
               : slope_at(validation, low, p).first >= 0 ? low
                                                         : root_of(validation, low, high, p);
    rt_free(p);
    *T = 1 / s;
    return RT_OK;
}
