/* statistics.h - means, intervals, tests and verdicts.                Floor 8 (experiment)
 *
 * Everything is over seeds: n is small (3 is usual), so every interval and test uses Student's t
 * distribution, computed here from the regularised incomplete beta function (no tables).
 *
 * Values that are not finite (a failed or missing trial) do not count. A quantity that the values
 * at hand do not define is NaN: an interval of one value, a mean of none. */
#ifndef RTI_STATISTICS_H
#define RTI_STATISTICS_H

#include "retort/status.h"

/* ---- distributions ---- */

/* I_x(a, b), the regularised incomplete beta function, a, b > 0 and 0 <= x <= 1; NaN otherwise.
 * Lentz' continued fraction (Press et al., Numerical Recipes, 6.4); relative error below 1e-12 for
 * the small a and b that tests need. */
double rti_incomplete_beta(double a, double b, double x);

double rti_student_cdf(double t, double freedom);      /* P(X <= t); freedom > 0, may be fractional */
double rti_student_quantile(double p, double freedom); /* the t with P(X <= t) = p, 0 < p < 1 */

/* ---- means ---- */

typedef struct rti_estimate {
    int count;     /* finite values */
    double mean;   /* NaN when there is none */
    double sd;     /* with n - 1; NaN for fewer than two */
    double half;   /* the 95 % interval is mean +- half: t(0.975, n-1) sd / sqrt(n); NaN for fewer than two */
} rti_estimate;

rti_estimate rti_estimate_of(const double values[], int count);

/* Wilson's 95 % interval for a proportion of `hits` among `trials` (Wilson 1927): what the size of
 * the test set alone leaves open. [0, 1] for no trials. */
void rti_wilson(int64_t hits, int64_t trials, double *low, double *high);

/* The middle one of the finite values, or the mean of the middle two; NaN: there is none. Sorts `values`. */
double rti_median(double values[], int count);

/* ---- two networks and the same examples ---- */

/* McNemar's exact test, two-sided (McNemar 1947): n01 examples that only the one network gets wrong, n10
 * that only the other one does. If both were equally good each of these would fall to either side with
 * probability 1/2: p = min(1, 2 P(X <= min(n01, n10))) with X binomial of n01 + n10; 1 when they err on
 * the same examples. The seeds are fixed here, and the examples are the sample. NaN for a negative count. */
double rti_mcnemar(int64_t n01, int64_t n10);

/* Spearman's rank correlation: Pearson's of the ranks, equal values sharing their mean rank. Pairs with a
 * value that is not finite do not count. NaN when fewer than two are left or one list is constant.
 * RT_MEMORY. */
rt_status rti_spearman(const double x[], const double y[], int count, double *rho,
                       rt_error *error) RT_MUST_CHECK;

/* The ratio of two means over the same seeds, mean(top) / mean(bottom), with Fieller's 95 % interval
 * (Fieller 1954): all ratios r for which a t-test does not find mean(top - r bottom) different from 0. It
 * allows for what is uncertain in both and for their being paired. Where the bottom itself may be 0 no
 * ratio is excluded on one side or on both, and the ends are infinite. NaN ends: fewer than two pairs. */
typedef struct rti_ratio {
    int pairs;
    double ratio, low, high;
} rti_ratio;
rti_ratio rti_fieller(const double top[], const double bottom[], int count);

/* ---- the comparison with a student trained on the labels alone ---- */

typedef enum rti_verdict { RTI_BEATS, RTI_NO_BEATS, RTI_INCONCLUSIVE } rti_verdict;
const char *rti_verdict_name(rti_verdict verdict); /* "BEATS", "NO BEATS", "INCONCLUSIVE" */

typedef struct rti_paired {
    int pairs;               /* seeds for which both errors are known */
    rti_estimate difference; /* student - scratch, in error: negative is better */
    double t;                /* infinite when all differences are equal and not zero */
    double p;                /* two-sided; NaN for fewer than two pairs */
    bool identical;          /* student == scratch in every pair (and there is one) */
    bool no_spread;          /* all differences equal and not zero: p is the sign test's */
    rti_verdict verdict;
} rti_paired;

/* Paired t-test over seeds: entry i of both lists has the same seed, initial weights and data order.
 *
 *   BEATS         p < 0.05 and the student's mean error is lower
 *   NO BEATS      p < 0.05 and it is higher; or the two are identical in every seed (two at least)
 *   INCONCLUSIVE  anything else, also fewer than two pairs
 *
 * When all differences are equal and not zero their deviation is 0, and t would claim certainty from
 * a spread that was not seen (errors are counts: two seeds can agree by chance). The exact sign test
 * takes its place then: p = 2^(1-n), so six seeds are needed for a verdict. */
rti_paired rti_paired_test(const double student[], const double scratch[], int count);

/* Holm's step-down adjustment (Holm 1979) for several tests looked at together: adjusted[i] < 0.05
 * holds the chance of even one wrong BEATS below 5 %. NaN entries are no tests and stay NaN.
 * `adjusted` may be `p`. Quadratic in count. RT_MEMORY. */
rt_status rti_holm(const double p[], int count, double adjusted[], rt_error *error) RT_MUST_CHECK;

#endif
