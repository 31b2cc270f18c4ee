/* specialists.h - networks that know a few classes, beside one that knows all.  Floor 7 (distill)
 *
 * Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 5. The generalist tells K classes apart. A specialist
 * has n of them as its first n outputs, its special set S, and the others in one output more, the dustbin:
 *
 *     output (K):   output[k] = place of class k in S, 0 ... n-1;   n when k is not in S
 *
 * The same map turns labels into the specialist's, and K probabilities into its n + 1. */
#ifndef RTI_SPECIALISTS_H
#define RTI_SPECIALISTS_H

#include "retort/nn.h"

/* ---- the dustbin's prior ----
 *
 * A specialist is shown `shown_special` examples of S, of which there are `special`, and `shown_rest` of
 * the `rest` others. What it learns is the posterior under the classes' shares as they were shown,
 *
 *     p'(c | x) ~ p(x | c) pi'(c)      pi'(c) / pi(c) ~ shown_special / special   for c in S
 *                                                     ~ shown_rest    / rest      for the dustbin
 *
 * and p(c | x) ~ p(x | c) pi(c) is wanted. With rho = (shown_special / special) / (shown_rest / rest), the
 * proportion by which S was over-sampled, p(dustbin | x) / p(c | x) = rho p'(dustbin | x) / p'(c | x) for
 * each c in S: log rho is ADDED to the dustbin's logit. Half and half, rho = rest / special. Counts > 0. */
double rti_dustbin_shift(int64_t special, int64_t rest, int64_t shown_special, int64_t shown_rest);

/* ---- where a specialist starts ----
 *
 * `specialist`, the generalist's kind and options with n + 1 classes, gets the generalist's parameters and
 * buffers. Of the last layer it gets the rows of S, and the dustbin gets the mean of the R = K - n other
 * rows, its bias log R - log rho more: since log sum exp z_j >= log R + mean z_j, with the dustbin's prior
 * put right it starts from below at what the generalist says of all of them together (equal when it can not
 * tell them apart). A layer without biases goes without. RT_SHAPE: the networks differ elsewhere, too. */
rt_status rti_specialist_start(rt_model *specialist, rt_model *generalist, int n, const int32_t output[],
                               double shift, rt_error *error) RT_MUST_CHECK;

/* ---- equation 5: what generalist and specialists say together ----
 *
 * The distribution q = softmax(z) over all K classes that minimises
 *
 *     F(q) = KL(p^g || q) + sum over m of KL(p^m || q^m)      q^m_j = sum of q_k over k with output^m[k] = j
 *
 * F is convex in q, a sum of -log of linear forms, and strictly so because all p^g_k > 0: there is one
 * minimum, inside the simplex. With N = 1 + the number of specialists, in the logits,
 *
 *     dF/dz_k = N q_k - t_k      t_k = p^g_k + sum over m of p^m_j q_k / q^m_j,  j = output^m[k]
 *
 * (sum t = N). This is descended from the generalist's logits at T = 1. A plain step of gradient descent is
 * as short as the largest q_k needs, while the smallest, 1e-9, needs one of 1e9; so each logit has its own,
 *
 *     z_k <- log q_k - step_k dF/dz_k     step_k = log(t_k / N q_k) / (t_k - N q_k) > 0
 *
 * which is q <- t / N. F never rises, without a line search: by Jensen's inequality -log(q'^m_j) <= -sum over
 * k in j of (q_k / q^m_j) log(q'_k q^m_j / q_k), equal at q' = q, and t / N is the minimum of F with these in
 * place of its terms. A few such steps are enough for nearly all examples. Where the generalist is very sure
 * and its specialists are at odds with it, classes owe their q_k to dustbins alone, and the rest of the way
 * would take 1e5 steps. It is gone on the path of an interior-point method: mu is added to each p^g_k, which
 * makes an easy problem of it, and taken back by a factor of 5 at a time; the minimum with mu has |dF/dz_k| =
 * |mu - K mu q_k| without, so that the path ends below any tolerance. On the path are Newton's steps, of
 * F + N sum q over q > 0 (the same minimum: there t = N q, and sum t = N). In relative coordinates
 * d_k = dq_k / q_k its matrix is diagonal but for the dustbins,
 *
 *     (W + sum over m of c_m^2 u_m u_m^T) d = t - N q     w_k = p^g_k + sum of p^m_j, j the place of k in S^m
 *                                                         c_m = sqrt(p^m_dustbin) / q^m_dustbin
 *                                                         u_m = q in the dustbin of m, 0 elsewhere
 *
 * so that (Woodbury) a system of as many numbers as specialists is solved, (1 + c u^T W^-1 u c) >= 1. A step
 * is cut at 0.95 of the way to q = 0, and halved until F does not rise. It ends when the length of dF/dz,
 * without mu, is at most `tolerance`. Closed forms, for the tests:
 *
 *     no specialist             q = p^g
 *     one, with set S           q_k = (p^g_k + p^m_k) / 2 in S; else q_k ~ p^g_k, the sum
 *                               P of these becoming (P + p^m_dustbin) / 2 */
typedef struct rti_opinion {
    int outputs;           /* n + 1 */
    const int32_t *output; /* (K); each but the last belongs to one class */
    const double *p;       /* (outputs), sums to 1 */
} rti_opinion;

typedef struct rti_descent {
    int64_t steps;
    double gradient; /* length of dF/dz at the end */
} rti_descent;

#define RTI_DESCENT_TOLERANCE 1e-9

/* log_p (K), the generalist's log-softmax, where less than RTI_LOG_P_MIN counts as that; log_q (K) is
 * written; scratch holds rti_full_scratch doubles. RT_VALUE: the tolerance is not reached. */
rt_status rti_full_distribution(int64_t K, const double log_p[], const rti_opinion opinions[], int count,
                                double tolerance, double log_q[], double scratch[], rti_descent *descent,
                                rt_error *error) RT_MUST_CHECK;
size_t rti_full_scratch(int64_t K, const rti_opinion opinions[], int count);
#define RTI_LOG_P_MIN -690.0 /* e^-690 = 1e-300 */

/* F(q) of any q. */
double rti_full_divergence(int64_t K, const double log_p[], const rti_opinion opinions[], int count,
                           const double log_q[]);

#endif
