/* statistics.c - see statistics.h.                                     Floor 8 (experiment) */
#include "experiment/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "retort/alloc.h"

/* ---- distributions --------------------------------------------------------------------------- */

/* The continued fraction of the incomplete beta function, by the modified method of Lentz: the
 * even and the odd step of each round use the coefficients
 *     d_2m   =  m (b - m) x / ((a + 2m - 1)(a + 2m))
 *     d_2m+1 = -(a + m)(a + b + m) x / ((a + 2m)(a + 2m + 1))
 * It converges fast for x < (a + 1) / (a + b + 2); the caller mirrors the rest. */
static double beta_fraction(double a, double b, double x) {
    const double tiny = 1e-300;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double result = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 + even * d;
        c = 1.0 + even / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        if (fabs(c) < tiny) c = tiny;
        result *= c * d;
        d = 1.0 + odd * d;
        c = 1.0 + odd / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        if (fabs(c) < tiny) c = tiny;
        double factor = c * d;
        result *= factor;
        if (fabs(factor - 1.0) < 1e-15) break;
    }
    return result;
}

double rti_incomplete_beta(double a, double b, double x) {
    if (!(a > 0.0) || !(b > 0.0) || !(x >= 0.0) || !(x <= 1.0)) return NAN;
    if (x == 0.0 || x == 1.0) return x;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0)) return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/* P(X > t) for t >= 0:  I_{v / (v + t^2)}(v/2, 1/2) / 2.  Near t = 0 the argument rounds to 1, where
 * the mirrored form with t^2 / (v + t^2) keeps the digits. */
static double student_tail(double t, double freedom) {
    if (isinf(t)) return 0.0;
    double x = freedom / (freedom + t * t);
    if (x > 0.5) return 0.5 - 0.5 * rti_incomplete_beta(0.5, 0.5 * freedom, t * t / (freedom + t * t));
    return 0.5 * rti_incomplete_beta(0.5 * freedom, 0.5, x);
}

double rti_student_cdf(double t, double freedom) {
    if (isnan(t) || !(freedom > 0.0)) return NAN;
    return t < 0.0 ? student_tail(-t, freedom) : 1.0 - student_tail(t, freedom);
}

double rti_student_quantile(double p, double freedom) {
    if (!(p > 0.0) || !(p < 1.0) || !(freedom > 0.0)) return NAN;
    if (p == 0.5) return 0.0;
    double tail = p < 0.5 ? p : 1.0 - p, low = 0.0, high = 1.0;
    while (student_tail(high, freedom) > tail && high < 1e300) {
        low = high;
        high *= 2.0;
    }
    for (int step = 0; step < 200; step++) {
        double middle = low + 0.5 * (high - low);
        if (middle <= low || middle >= high) break;
        if (student_tail(middle, freedom) > tail) low = middle;
        else high = middle;
    }
    return p < 0.5 ? -high : high;
}

/* ---- means ----------------------------------------------------------------------------------- */

rti_estimate rti_estimate_of(const double values[], int count) {
    rti_estimate estimate = {0, NAN, NAN, NAN};
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) {
            sum += values[i];
            estimate.count++;
        }
    if (!estimate.count) return estimate;
    estimate.mean = sum / estimate.count;
    if (estimate.count < 2) return estimate;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) squares += (values[i] - estimate.mean) * (values[i] - estimate.mean);
    estimate.sd = sqrt(squares / (estimate.count - 1));
    estimate.half = rti_student_quantile(0.975, estimate.count - 1) * estimate.sd / sqrt(estimate.count);
    return estimate;
}

void rti_wilson(int64_t hits, int64_t trials, double *low, double *high) {
    *low = 0.0;
    *high = 1.0;
    if (trials <= 0 || hits < 0 || hits > trials) return;
    const double z = 1.959963984540054; /* the 0.975 quantile of the normal distribution */
    double n = (double)trials, p = (double)hits / n;
    double centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    double half = z / (1.0 + z * z / n) * sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));
    if (hits > 0) *low = centre - half;
    if (hits < trials) *high = centre + half;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double rti_median(double values[], int count) {
    int known = 0;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) values[known++] = values[i];
    if (!known) return NAN;
    qsort(values, (size_t)known, sizeof *values, ascending);
    return 0.5 * (values[(known - 1) / 2] + values[known / 2]);
}

/* ---- two networks and the same examples ------------------------------------------------------- */

/* P(X <= k) of the binomial distribution is I_{1-p}(n - k, k + 1). */
double rti_mcnemar(int64_t n01, int64_t n10) {
    if (n01 < 0 || n10 < 0) return NAN;
    int64_t least = n01 < n10 ? n01 : n10, most = n01 < n10 ? n10 : n01;
    if (least == most) return 1.0;
    return fmin(1.0, 2.0 * rti_incomplete_beta((double)most, (double)least + 1.0, 0.5));
}

typedef struct ranked {
    double value;
    int at;
} ranked;

static int by_value(const void *a, const void *b) {
    return ascending(&((const ranked *)a)->value, &((const ranked *)b)->value);
}

/* rank[at] of each: 1, 2, ..., equal values share the mean. */
static void ranks_of(ranked list[], int count, double rank[]) {
    qsort(list, (size_t)count, sizeof *list, by_value);
    for (int first = 0, last; first < count; first = last + 1) {
        for (last = first; last + 1 < count && list[last + 1].value == list[first].value;) last++;
        for (int i = first; i <= last; i++) rank[list[i].at] = 1.0 + 0.5 * (first + last);
    }
}

/* Mean ranks are (n + 1) / 2 on both sides. */
static double correlation(const double a[], const double b[], int n) {
    double aa = 0.0, bb = 0.0, ab = 0.0, mean = 0.5 * (n + 1.0);
    for (int i = 0; i < n; i++) {
        aa += (a[i] - mean) * (a[i] - mean);
        bb += (b[i] - mean) * (b[i] - mean);
        ab += (a[i] - mean) * (b[i] - mean);
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : NAN;
}

rt_status rti_spearman(const double x[], const double y[], int count, double *rho, rt_error *error) {
    size_t room = (size_t)(count > 0 ? count : 1);
    ranked *list = rt_alloc(room * sizeof *list);
    double *ranks = rt_alloc(2 * room * sizeof *ranks);
    *rho = NAN;
    rt_status status = RT_OK;
    if (!list || !ranks) status = rt_fail(error, RT_MEMORY, "not enough memory to rank %d values", count);
    for (int side = 0, n; status == RT_OK && side < 2; side++) {
        n = 0;
        for (int i = 0; i < count; i++) {
            if (!isfinite(x[i]) || !isfinite(y[i])) continue;
            list[n] = (ranked){side ? y[i] : x[i], n};
            n++;
        }
        ranks_of(list, n, ranks + (size_t)side * room);
        if (side) *rho = correlation(ranks, ranks + room, n);
    }
    rt_free(list);
    rt_free(ranks);
    return status;
}

/* (mean_t - r mean_b)^2 <= q (v_tt - 2 r v_tb + r^2 v_bb) with q = t^2 / n:  a r^2 - 2 b r + c <= 0. */
static void fieller_ends(double a, double b, double c, rti_ratio *result) {
    double root = b * b - a * c;
    result->low = -INFINITY;
    result->high = INFINITY;
    if (!(a > 0.0) || !(root >= 0.0)) return;
    result->low = (b - sqrt(root)) / a;
    result->high = (b + sqrt(root)) / a;
}

rti_ratio rti_fieller(const double top[], const double bottom[], int count) {
    rti_ratio result = {0, NAN, NAN, NAN};
    double mean_t = 0.0, mean_b = 0.0, tt = 0.0, tb = 0.0, bb = 0.0;
    for (int i = 0; i < count; i++) {
        if (!isfinite(top[i]) || !isfinite(bottom[i])) continue;
        result.pairs++;
        mean_t += top[i];
        mean_b += bottom[i];
    }
    int n = result.pairs;
    if (!n) return result;
    mean_t /= n;
    mean_b /= n;
    result.ratio = mean_b != 0.0 ? mean_t / mean_b : NAN;
    if (n < 2) return result;
    for (int i = 0; i < count; i++) {
        if (!isfinite(top[i]) || !isfinite(bottom[i])) continue;
        tt += (top[i] - mean_t) * (top[i] - mean_t) / (n - 1);
        tb += (top[i] - mean_t) * (bottom[i] - mean_b) / (n - 1);
        bb += (bottom[i] - mean_b) * (bottom[i] - mean_b) / (n - 1);
    }
    double t = rti_student_quantile(0.975, n - 1), q = t * t / n;
    fieller_ends(mean_b * mean_b - q * bb, mean_t * mean_b - q * tb, mean_t * mean_t - q * tt, &result);
    return result;
}

/* ---- the comparison -------------------------------------------------------------------------- */

const char *rti_verdict_name(rti_verdict verdict) {
    return verdict == RTI_BEATS ? "BEATS" : verdict == RTI_NO_BEATS ? "NO BEATS" : "INCONCLUSIVE";
}

rti_paired rti_paired_test(const double student[], const double scratch[], int count) {
    rti_paired result = {0, {0, NAN, NAN, NAN}, NAN, NAN, false, false, RTI_INCONCLUSIVE};
    double sum = 0.0, squares = 0.0, lowest = INFINITY, highest = -INFINITY, scale = 0.0;
    for (int i = 0; i < count; i++) {
        if (!isfinite(student[i]) || !isfinite(scratch[i])) continue;
        double difference = student[i] - scratch[i];
        result.pairs++;
        sum += difference;
        lowest = fmin(lowest, difference);
        highest = fmax(highest, difference);
        scale = fmax(scale, fmax(fabs(student[i]), fabs(scratch[i])));
    }
    if (!result.pairs) return result;
    int n = result.pairs;
    double mean = sum / n;
    result.difference.count = n;
    result.difference.mean = mean;
    /* 0.031 - 0.030 and 0.041 - 0.040 are the same number of errors, but not the same bits. */
    double noise = 1e-12 * scale;
    result.identical = fmax(fabs(lowest), fabs(highest)) <= noise;
    if (n < 2) return result;
    if (result.identical || highest - lowest <= noise) {
        result.difference.sd = result.difference.half = 0.0;
        result.no_spread = !result.identical;
        result.t = result.identical ? 0.0 : mean < 0.0 ? -INFINITY : INFINITY;
        result.p = result.identical ? 1.0 : ldexp(1.0, 1 - n);
    } else {
        for (int i = 0; i < count; i++) {
            double difference = student[i] - scratch[i];
            if (isfinite(student[i]) && isfinite(scratch[i]))
                squares += (difference - mean) * (difference - mean);
        }
        result.difference.sd = sqrt(squares / (n - 1));
        double error = result.difference.sd / sqrt(n);
        result.difference.half = rti_student_quantile(0.975, n - 1) * error;
        result.t = mean / error;
        result.p = 2.0 * student_tail(fabs(result.t), n - 1);
    }
    if (result.identical) result.verdict = RTI_NO_BEATS;
    else if (result.p < 0.05) result.verdict = mean < 0.0 ? RTI_BEATS : RTI_NO_BEATS;
    return result;
}

rt_status rti_holm(const double p[], int count, double adjusted[], rt_error *error) {
    int *order = rt_alloc((size_t)(count > 0 ? count : 1) * sizeof *order), tests = 0;
    if (!order) return rt_fail(error, RT_MEMORY, "not enough memory to order %d tests", count);
    for (int i = 0; i < count; i++) {
        if (isnan(p[i])) {
            adjusted[i] = NAN;
            continue;
        }
        int at = tests++;
        for (; at > 0 && p[order[at - 1]] > p[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    double floor = 0.0;
    for (int rank = 0; rank < tests; rank++) {
        floor = fmax(floor, fmin(1.0, (tests - rank) * p[order[rank]]));
        adjusted[order[rank]] = floor;
    }
    rt_free(order);
    return RT_OK;
}
