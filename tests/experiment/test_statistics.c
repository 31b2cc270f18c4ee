/* test_statistics.c - means, intervals, tests, verdicts.
 *
 * Checked against: the published table of Student's t (critical values to three decimals, as in any
 * textbook), closed forms of its distribution for 1 and 2 degrees of freedom, integration of the
 * density by Simpson's rule, the 1908 sleep data of Student (paired t = -4.0621, p = 0.00283, as R's
 * t.test prints), Wilson's interval from solving its quadratic equation by bisection, and Holm's
 * procedure done by hand. */
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
