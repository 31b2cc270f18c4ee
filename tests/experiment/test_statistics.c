/* test_statistics.c - means, intervals, tests, verdicts.
 *
 * Checked against: the published table of Student's t (critical values to three decimals, as in any
 * textbook), closed forms of its distribution for 1 and 2 degrees of freedom, integration of the density
 * by Simpson's rule, the 1908 sleep data of Student (paired t = -4.0621, p = 0.00283, as R's t.test
 * prints), Wilson's interval from solving its quadratic equation by bisection, and Holm's procedure done
 * by hand; McNemar's p from Pascal's triangle, ranks counted one against all, Fieller's ends by bisection
 * of a t-test. */
#include <criterion/criterion.h>
#include <math.h>

#include "experiment/statistics.h"
#include "retort/alloc.h"

static void expect_near(double got, double want, double tolerance, const char *what) {
    cr_assert(fabs(got - want) <= tolerance, "%s: got %.15g, want %.15g", what, got, want);
}

Test(statistics, quantiles_are_the_published_ones) {
    static const struct { double freedom, q90, q95, q975, q99, q995; } table[] = {
        {1, 3.078, 6.314, 12.706, 31.821, 63.657}, {2, 1.886, 2.920, 4.303, 6.965, 9.925},
        {3, 1.638, 2.353, 3.182, 4.541, 5.841},    {4, 1.533, 2.132, 2.776, 3.747, 4.604},
        {5, 1.476, 2.015, 2.571, 3.365, 4.032},    {9, 1.383, 1.833, 2.262, 2.821, 3.250},
        {10, 1.372, 1.812, 2.228, 2.764, 3.169},   {20, 1.325, 1.725, 2.086, 2.528, 2.845},
        {30, 1.310, 1.697, 2.042, 2.457, 2.750},   {120, 1.289, 1.658, 1.980, 2.358, 2.617},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double v = table[i].freedom;
        expect_near(rti_student_quantile(0.90, v), table[i].q90, 0.00051, "0.90");
        expect_near(rti_student_quantile(0.95, v), table[i].q95, 0.00051, "0.95");
        expect_near(rti_student_quantile(0.975, v), table[i].q975, 0.00051, "0.975");
        expect_near(rti_student_quantile(0.99, v), table[i].q99, 0.00051, "0.99");
        expect_near(rti_student_quantile(0.995, v), table[i].q995, 0.00051, "0.995");
        expect_near(rti_student_quantile(0.025, v), -rti_student_quantile(0.975, v), 1e-9, "symmetry");
    }
    expect_near(rti_student_quantile(0.975, 1e6), 1.959964, 3e-6, "the normal limit");
    expect_near(rti_student_quantile(0.5, 3), 0.0, 0.0, "the median");
}

Test(statistics, distribution_has_its_closed_forms) {
    const double pi = 3.14159265358979323846;
    for (double t = -60.0; t <= 60.0; t += 0.37) {
        expect_near(rti_student_cdf(t, 1), 0.5 + atan(t) / pi, 1e-13, "Cauchy");
        expect_near(rti_student_cdf(t, 2), 0.5 + t / (2.0 * sqrt(2.0 + t * t)), 1e-13, "two degrees");
    }
    for (double p = 0.0005; p < 1.0; p += 0.0173)
        for (double v = 0.7; v < 200.0; v *= 1.9)
            expect_near(rti_student_cdf(rti_student_quantile(p, v), v), p, 1e-12, "round trip");
    cr_assert(rti_student_cdf(1e-9, 3) > 0.5);
    cr_assert(rti_student_cdf(INFINITY, 3) == 1.0 && rti_student_cdf(-INFINITY, 3) == 0.0);
}

/* The area under the density from 0 to t by Simpson's rule. */
static double density_area(double t, double v) {
    const int n = 20000;
    double c = exp(lgamma(0.5 * (v + 1.0)) - lgamma(0.5 * v)) / sqrt(v * 3.14159265358979323846), sum = 0.0;
    for (int i = 0; i <= n; i++) {
        double x = t * i / n;
        sum += (i == 0 || i == n ? 1.0 : i % 2 ? 4.0 : 2.0) * c * pow(1.0 + x * x / v, -0.5 * (v + 1.0));
    }
    return sum * t / n / 3.0;
}

Test(statistics, distribution_is_the_integral_of_its_density) {
    for (double v = 1.0; v < 60.0; v = 1.7 * v + 0.5)
        for (double t = 0.1; t < 9.0; t += 1.3)
            expect_near(rti_student_cdf(t, v), 0.5 + density_area(t, v), 1e-10, "area");
}

Test(statistics, incomplete_beta_has_its_identities) {
    for (double x = 0.0; x <= 1.0; x += 0.05) {
        expect_near(rti_incomplete_beta(1, 1, x), x, 1e-14, "I_x(1,1) = x");
        expect_near(rti_incomplete_beta(3, 1, x), x * x * x, 1e-14, "I_x(a,1) = x^a");
        expect_near(rti_incomplete_beta(2, 2, x), x * x * (3.0 - 2.0 * x), 1e-14, "I_x(2,2)");
        expect_near(rti_incomplete_beta(2.5, 0.7, x) + rti_incomplete_beta(0.7, 2.5, 1.0 - x), 1.0, 1e-13,
                    "mirror");
    }
    cr_assert(isnan(rti_incomplete_beta(0, 1, 0.5)));
    cr_assert(isnan(rti_incomplete_beta(1, 1, 1.5)));
    cr_assert(isnan(rti_incomplete_beta(1, 1, NAN)));
    cr_assert(isnan(rti_student_cdf(NAN, 3)) && isnan(rti_student_cdf(1, 0)));
    cr_assert(isnan(rti_student_quantile(0, 3)) && isnan(rti_student_quantile(1, 3)));
    cr_assert(isnan(rti_student_quantile(NAN, 3)) && isnan(rti_student_quantile(0.5, -1)));
}

/* Gain of sleep in hours with two drugs, the same ten people (Student 1908, R's data set sleep). */
static const double sleep_a[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
static const double sleep_b[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

Test(statistics, paired_test_agrees_with_the_published_one) {
    rti_paired r = rti_paired_test(sleep_a, sleep_b, 10);
    cr_assert(r.pairs == 10 && r.verdict == RTI_BEATS && !r.identical && !r.no_spread);
    expect_near(r.t, -4.0621, 0.00005, "t");
    expect_near(r.p, 0.002833, 0.0000005, "p");
    expect_near(r.difference.mean, -1.58, 1e-12, "mean difference");
    expect_near(r.difference.mean - r.difference.half, -2.4598858, 5e-7, "interval, lower end");
    expect_near(r.difference.mean + r.difference.half, -0.7001142, 5e-7, "interval, upper end");
    r = rti_paired_test(sleep_b, sleep_a, 10);
    cr_assert(r.verdict == RTI_NO_BEATS && r.t > 0.0);
}

Test(statistics, estimates_by_hand) {
    const double three[] = {2.0, 4.0, 9.0};
    rti_estimate e = rti_estimate_of(three, 3);
    cr_assert(e.count == 3);
    expect_near(e.mean, 5.0, 1e-15, "mean");
    expect_near(e.sd, sqrt(13.0), 1e-14, "sd");
    expect_near(e.half, 4.302652730 * sqrt(13.0 / 3.0), 1e-8, "half");
    const double holes[] = {NAN, 2.0, INFINITY, 4.0, -INFINITY};
    e = rti_estimate_of(holes, 5);
    cr_assert(e.count == 2 && e.mean == 3.0);
    expect_near(e.half, 12.70620474, 1e-7, "half of two"); /* t(0.975, 1) * sqrt(2) / sqrt(2) */
    e = rti_estimate_of(three, 1);
    cr_assert(e.count == 1 && e.mean == 2.0 && isnan(e.sd) && isnan(e.half));
    e = rti_estimate_of(holes, 1);
    cr_assert(e.count == 0 && isnan(e.mean) && isnan(e.sd) && isnan(e.half));
    e = rti_estimate_of(NULL, 0);
    cr_assert(e.count == 0 && isnan(e.mean));
}

Test(statistics, verdict_table) {
    static const struct {
        double student[6], scratch[6];
        int n;
        rti_verdict verdict;
        int pairs;
        bool no_spread;
    } c[] = {
        {{0.030, 0.031, 0.032}, {0.040, 0.0411, 0.0419}, 3, RTI_BEATS, 3, false},
        {{0.040, 0.0411, 0.0419}, {0.030, 0.031, 0.032}, 3, RTI_NO_BEATS, 3, false},
        {{0.030, 0.050, 0.040}, {0.040, 0.039, 0.041}, 3, RTI_INCONCLUSIVE, 3, false},
        {{0.030, 0.050, 0.040}, {0.030, 0.050, 0.040}, 3, RTI_NO_BEATS, 3, false},
        {{0.030}, {0.040}, 1, RTI_INCONCLUSIVE, 1, false},
        {{0.030}, {0.030}, 1, RTI_INCONCLUSIVE, 1, false},
        {{0.0}, {0.0}, 0, RTI_INCONCLUSIVE, 0, false},
        {{NAN, 0.030, NAN}, {0.040, 0.040, 0.040}, 3, RTI_INCONCLUSIVE, 1, false},
        {{NAN, 0.030, 0.031, 0.032}, {0.9, 0.040, 0.0411, 0.0419}, 4, RTI_BEATS, 3, false},
        /* the same difference in every seed, though not the same bits: sign test */
        {{0.030, 0.040, 0.031}, {0.031, 0.041, 0.032}, 3, RTI_INCONCLUSIVE, 3, true},
        {{0.030, 0.040, 0.031, 0.030, 0.035},
         {0.031, 0.041, 0.032, 0.031, 0.036},
         5,
         RTI_INCONCLUSIVE,
         5,
         true},
        {{0.030, 0.040, 0.031, 0.030, 0.035, 0.02},
         {0.031, 0.041, 0.032, 0.031, 0.036, 0.021},
         6,
         RTI_BEATS,
         6,
         true},
        {{0.031, 0.041, 0.032, 0.031, 0.036, 0.021},
         {0.030, 0.040, 0.031, 0.030, 0.035, 0.02},
         6,
         RTI_NO_BEATS,
         6,
         true},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        rti_paired r = rti_paired_test(c[i].student, c[i].scratch, c[i].n);
        cr_assert(r.verdict == c[i].verdict, "case %zu: %s, p %g", i, rti_verdict_name(r.verdict), r.p);
        cr_assert(r.pairs == c[i].pairs, "case %zu: %d pairs", i, r.pairs);
        cr_assert(r.no_spread == c[i].no_spread, "case %zu: spread", i);
    }
    rti_paired same = rti_paired_test(c[3].student, c[3].scratch, 3);
    cr_assert(same.identical && same.p == 1.0 && same.t == 0.0 && same.difference.half == 0.0);
    rti_paired sign = rti_paired_test(c[9].student, c[9].scratch, 3);
    cr_assert(sign.p == 0.25 && isinf(sign.t) && sign.t < 0.0);
    cr_assert(isnan(rti_paired_test(c[4].student, c[4].scratch, 1).p));
    cr_assert(isnan(rti_paired_test(c[6].student, c[6].scratch, 0).difference.mean));
}

/* The ends of Wilson's interval are the p with (phat - p)^2 = z^2 p (1 - p) / n. */
static double wilson_excess(double p, double phat, double n) {
    return (phat - p) * (phat - p) - 1.959963984540054 * 1.959963984540054 * p * (1.0 - p) / n;
}

static double wilson_root(double inside, double outside, double phat, double n) {
    for (int i = 0; i < 200; i++) {
        double middle = 0.5 * (inside + outside);
        if (wilson_excess(middle, phat, n) < 0.0) inside = middle;
        else outside = middle;
    }
    return inside;
}

Test(statistics, wilson_solves_its_equation) {
    static const int64_t cases[][2] = {{74, 10000}, {1, 10}, {5, 10}, {9, 10}, {1, 1000000}, {146, 2000}};
    double low, high;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double n = (double)cases[i][1], phat = (double)cases[i][0] / n;
        rti_wilson(cases[i][0], cases[i][1], &low, &high);
        expect_near(low, wilson_root(phat, 0.0, phat, n), 1e-12, "lower end");
        expect_near(high, wilson_root(phat, 1.0, phat, n), 1e-12, "upper end");
    }
    rti_wilson(0, 10, &low, &high);
    cr_assert(low == 0.0);
    expect_near(high, 0.2775, 0.00005, "none of ten");
    rti_wilson(10, 10, &low, &high);
    cr_assert(high == 1.0);
    expect_near(low, 0.7225, 0.00005, "ten of ten");
    rti_wilson(0, 0, &low, &high);
    cr_assert(low == 0.0 && high == 1.0);
    rti_wilson(3, 2, &low, &high);
    cr_assert(low == 0.0 && high == 1.0);
}

Test(statistics, holm_by_hand) {
    const double p[] = {0.01, NAN, 0.04, 0.03, 0.005};
    double adjusted[5];
    cr_assert(rti_holm(p, 5, adjusted, NULL) == RT_OK);
    /* sorted: 0.005*4 = 0.02, 0.01*3 = 0.03, 0.03*2 = 0.06, 0.04*1 = 0.04 -> 0.06 */
    expect_near(adjusted[4], 0.02, 1e-15, "first");
    expect_near(adjusted[0], 0.03, 1e-15, "second");
    expect_near(adjusted[3], 0.06, 1e-15, "third");
    expect_near(adjusted[2], 0.06, 1e-15, "fourth is not below the third");
    cr_assert(isnan(adjusted[1]));
    double one[] = {0.7, 0.9};
    cr_assert(rti_holm(one, 2, one, NULL) == RT_OK);
    cr_assert(one[0] == 1.0 && one[1] == 1.0);
    cr_assert(rti_holm(p, 0, adjusted, NULL) == RT_OK);
    rt_alloc_fail_after(1);
    rt_error error;
    cr_assert(rti_holm(p, 5, adjusted, &error) == RT_MEMORY);
    rt_alloc_fail_after(0);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

/* P(X <= k) of n fair coins: sums of a row of Pascal's triangle, exact up to 50 coins. */
static double coins_up_to(int k, int n) {
    double row[64] = {1.0}, sum = 0.0;
    for (int i = 1; i <= n; i++)
        for (int j = i; j > 0; j--) row[j] += row[j - 1];
    for (int j = 0; j <= k; j++) sum += row[j];
    return ldexp(sum, -n);
}

Test(statistics, mcnemar_is_the_binomial_sum) {
    for (int a = 0; a <= 50; a++)
        for (int b = 0; a + b <= 50; b++) {
            double want = fmin(1.0, 2.0 * coins_up_to(a < b ? a : b, a + b));
            expect_near(rti_mcnemar(a, b), want, 1e-12 * want + 1e-300, "p");
            cr_assert(rti_mcnemar(a, b) == rti_mcnemar(b, a));
        }
    expect_near(rti_mcnemar(2, 10), 158.0 / 4096.0, 1e-15, "2 of 12: 2 (1 + 12 + 66) / 2^12");
    expect_near(rti_mcnemar(0, 5), 0.0625, 1e-16, "none of 5");
    cr_assert(rti_mcnemar(0, 0) == 1.0 && rti_mcnemar(7, 7) == 1.0 && rti_mcnemar(0, 1) == 1.0);
    cr_assert(rti_mcnemar(0, 900) > 0.0 && rti_mcnemar(0, 900) < 1e-200);
    cr_assert(isnan(rti_mcnemar(-1, 3)) && isnan(rti_mcnemar(3, -1)));
    double sum = 0.0; /* many examples: terms by their logarithms */
    for (int k = 0; k <= 4800; k++)
        sum += exp(lgamma(10001) - lgamma(k + 1.0) - lgamma(10001.0 - k) - 10000 * log(2.0));
    expect_near(rti_mcnemar(4800, 5200), 2.0 * sum, 1e-9 * sum, "ten thousand");
}

Test(statistics, medians_by_hand) {
    double odd[] = {3, NAN, 1, 2}, even[] = {4, 1, INFINITY, 3, 2}, none[] = {NAN};
    cr_assert(rti_median(odd, 4) == 2.0 && rti_median(even, 5) == 2.5);
    cr_assert(isnan(rti_median(none, 1)) && isnan(rti_median(none, 0)));
}

/* A rank is one more than how many are smaller, and half of the equal ones besides. */
static double rank_of(const double values[], int n, int i) {
    double rank = 1.0;
    for (int j = 0; j < n; j++)
        rank += values[j] < values[i] ? 1.0 : j != i && values[j] == values[i] ? 0.5 : 0.0;
    return rank;
}

static double pearson_of_ranks(const double x[], const double y[], int n) {
    double xx = 0, yy = 0, xy = 0, mean = 0.5 * (n + 1);
    for (int i = 0; i < n; i++) {
        double a = rank_of(x, n, i) - mean, b = rank_of(y, n, i) - mean;
        xx += a * a, yy += b * b, xy += a * b;
    }
    return xy / sqrt(xx * yy);
}

Test(statistics, spearman_is_pearson_of_ranks) {
    /* The classical form for values without ties: 1 - 6 sum d^2 / (n (n^2 - 1)). */
    const double iq[] = {106, 100, 86, 101, 99, 103, 97, 113, 112, 110};
    const double tv[] = {7, 27, 2, 50, 28, 29, 20, 12, 6, 17};
    double rho;
    cr_assert(rti_spearman(iq, tv, 10, &rho, NULL) == RT_OK);
    expect_near(rho, 1.0 - 6.0 * 194.0 / 990.0, 1e-14, "without ties");
    double x[60], y[60];
    for (int i = 0; i < 60; i++) x[i] = (i * 37) % 11, y[i] = (i * 53) % 7 + 0.3 * x[i];
    cr_assert(rti_spearman(x, y, 60, &rho, NULL) == RT_OK);
    expect_near(rho, pearson_of_ranks(x, y, 60), 1e-13, "with ties");
    const double holes[] = {1, NAN, 3, 4, 2}, other[] = {10, 0, 30, INFINITY, 20}, same[] = {5, 5, 5, 5, 5};
    cr_assert(rti_spearman(holes, other, 5, &rho, NULL) == RT_OK);
    expect_near(rho, 1.0, 1e-15, "what is not finite does not count");
    cr_assert(rti_spearman(holes, same, 5, &rho, NULL) == RT_OK && isnan(rho));
    cr_assert(rti_spearman(iq, tv, 1, &rho, NULL) == RT_OK && isnan(rho));
    cr_assert(rti_spearman(iq, tv, 0, &rho, NULL) == RT_OK && isnan(rho));
    rt_alloc_fail_after(1);
    cr_assert(rti_spearman(iq, tv, 10, &rho, NULL) == RT_MEMORY);
    rt_alloc_fail_after(0);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

/* |t| of top - r bottom, less the quantile: negative where r is not excluded. */
static double excess(const double top[], const double bottom[], int n, double r) {
    double d[16], zero[16] = {0};
    for (int i = 0; i < n; i++) d[i] = top[i] - r * bottom[i];
    return fabs(rti_paired_test(d, zero, n).t) - rti_student_quantile(0.975, n - 1);
}

static double fieller_end(const double top[], const double bottom[], int n, double inside, double outside) {
    for (int i = 0; i < 200; i++) {
        double middle = 0.5 * (inside + outside);
        if (excess(top, bottom, n, middle) < 0.0) inside = middle;
        else outside = middle;
    }
    return inside;
}

Test(statistics, fieller_holds_what_a_t_test_does_not_exclude) {
    const double top[] = {0.9, 1.3, 1.1, 1.6, 1.2}, bottom[] = {1.4, 1.7, 1.5, 2.1, 1.3};
    rti_ratio r = rti_fieller(top, bottom, 5);
    cr_assert(r.pairs == 5);
    expect_near(r.ratio, 6.1 / 8.0, 1e-14, "ratio of means");
    expect_near(r.low, fieller_end(top, bottom, 5, r.ratio, r.ratio - 5), 1e-9, "lower end");
    expect_near(r.high, fieller_end(top, bottom, 5, r.ratio, r.ratio + 5), 1e-9, "upper end");
    /* A bottom that is known: the interval of the mean, divided. */
    const double known[] = {2, 2, 2, 2, 2};
    rti_estimate mean = rti_estimate_of(top, 5);
    r = rti_fieller(top, known, 5);
    expect_near(r.low, (mean.mean - mean.half) / 2, 1e-12, "lower end, known bottom");
    expect_near(r.high, (mean.mean + mean.half) / 2, 1e-12, "upper end, known bottom");
    /* Exactly proportional: nothing is open. */
    const double half[] = {0.7, 0.85, 0.75, 1.05, 0.65};
    r = rti_fieller(half, bottom, 5);
    expect_near(r.low, 0.5, 1e-7, "proportional");
    expect_near(r.high, 0.5, 1e-7, "proportional");
    /* A bottom that may be 0. */
    const double vague[] = {-1, 2, 0.5, -0.5, 0.2};
    r = rti_fieller(top, vague, 5);
    cr_assert(r.low == -INFINITY && r.high == INFINITY && isfinite(r.ratio));
    r = rti_fieller(top, bottom, 1);
    cr_assert(r.pairs == 1 && isnan(r.low) && isnan(r.high));
    expect_near(r.ratio, 0.9 / 1.4, 1e-15, "one pair");
    const double holes[] = {NAN, 1.3, NAN, 1.6, NAN};
    r = rti_fieller(holes, bottom, 5);
    cr_assert(r.pairs == 2);
    expect_near(r.ratio, 2.9 / 3.8, 1e-15, "pairs that are there");
    cr_assert(isnan(rti_fieller(top, bottom, 0).ratio));
}
