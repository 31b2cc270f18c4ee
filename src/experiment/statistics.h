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
