/* ops.h - every differentiable operation.                              Floor 5 (ops)
 *
 * All take the graph first and return a step tensor, or NULL after a failure that the graph
 * remembers (RT_SHAPE, RT_VALUE, RT_MEMORY, with a message that says op, shapes and what should be).
 * Broadcasting: shapes are aligned at the right, an extent of 1 is repeated; the gradient of what
 * was repeated is the sum over its repetitions. Inputs may be views with any strides; results are
 * contiguous unless they are called views. An input may be given more than once.
 *
 * "Kept" says what stays in the step's arena for backward besides the inputs and the result, which
 * are there anyway. dx is the gradient of x, dy that of the result.
 * N batch, K classes, D features, T temperature. */
#ifndef RETORT_OPS_H
#define RETORT_OPS_H

#include "retort/graph.h"
#include "retort/rng.h"

/* ---- arithmetic, with broadcasting: a and b of any shapes that fit. Kept: nothing ---- */

/* a + b.  da = db = dy */
rt_tensor *rt_add(rt_graph *g, rt_tensor *a, rt_tensor *b);
/* a - b.  da = dy, db = -dy */
rt_tensor *rt_sub(rt_graph *g, rt_tensor *a, rt_tensor *b);
/* a b, element by element.  da = dy b, db = dy a */
rt_tensor *rt_mul(rt_graph *g, rt_tensor *a, rt_tensor *b);
/* a / b.  da = dy / b, db = -dy a / b^2. b == 0 gives what IEEE 754 says, infinite or NaN. */
rt_tensor *rt_div(rt_graph *g, rt_tensor *a, rt_tensor *b);
/* factor x.  dx = factor dy */
rt_tensor *rt_scale(rt_graph *g, rt_tensor *x, double factor);
/* x + term.  dx = dy */
rt_tensor *rt_add_scalar(rt_graph *g, rt_tensor *x, double term);

/* ---- element by element: any shape, the same comes out. Kept: nothing ---- */

/* exp(x).  dx = dy y */
rt_tensor *rt_exp(rt_graph *g, rt_tensor *x);
/* Natural logarithm; -infinity at 0, NaN below.  dx = dy / x */
rt_tensor *rt_log(rt_graph *g, rt_tensor *x);
/* NaN below 0.  dx = dy / (2 y): infinite at 0, so add an epsilon before where 0 can occur. */
rt_tensor *rt_sqrt(rt_graph *g, rt_tensor *x);
/* x^exponent; NaN for x < 0 unless the exponent is whole.  dx = dy exponent x^(exponent - 1) */
rt_tensor *rt_pow(rt_graph *g, rt_tensor *x, double exponent);
/* |x|.  dx = dy sign(x), 0 at 0 */
rt_tensor *rt_abs(rt_graph *g, rt_tensor *x);
/* max(0, x).  dx = dy where x > 0, else 0, also at 0. Nair and Hinton 2010, section 2 */
rt_tensor *rt_relu(rt_graph *g, rt_tensor *x);
/* x > 0 ? x : slope x.  dx = dy or slope dy. Maas, Hannun and Ng 2013, equation 2 */
rt_tensor *rt_leaky_relu(rt_graph *g, rt_tensor *x, double slope);
/* tanh(x).  dx = dy (1 - y^2) */
rt_tensor *rt_tanh(rt_graph *g, rt_tensor *x);
/* 1 / (1 + exp(-x)), without overflow.  dx = dy y (1 - y) */
rt_tensor *rt_sigmoid(rt_graph *g, rt_tensor *x);
/* log(1 + exp(x)), without overflow.  dx = dy sigmoid(x). Dugas et al. 2000, section 3 */
rt_tensor *rt_softplus(rt_graph *g, rt_tensor *x);
/* x Phi(x), Phi the normal distribution: the exact form, not the one with tanh.
 * dx = dy (Phi(x) + x phi(x)). Hendrycks and Gimpel 2016, section 2 */
rt_tensor *rt_gelu(rt_graph *g, rt_tensor *x);

/* ---- products: 2 dimensions or more; leading ones (..) are batches, broadcast. Views and
 * transposed operands are read where they lie. Cost: 2 M N K operations forward, and as many for
 * each gradient that is wanted. Kept: nothing. RT_SHAPE when the extents K differ ---- */

/* y = a b: (..,M,K) (..,K,N) -> (..,M,N).      da = dy b^T, db = a^T dy */
rt_tensor *rt_matmul(rt_graph *g, rt_tensor *a, rt_tensor *b);
/* y = a b^T: (..,M,K) (..,N,K) -> (..,M,N).    da = dy b,   db = dy^T a */
rt_tensor *rt_matmul_nt(rt_graph *g, rt_tensor *a, rt_tensor *b);
/* y = a^T b: (..,K,M) (..,K,N) -> (..,M,N).    da = b dy^T, db = a dy */
rt_tensor *rt_matmul_tn(rt_graph *g, rt_tensor *a, rt_tensor *b);

typedef enum rt_activation {
    RT_ACT_NONE, RT_ACT_RELU, RT_ACT_LEAKY_RELU, RT_ACT_TANH, RT_ACT_SIGMOID, RT_ACT_SOFTPLUS, RT_ACT_GELU
} rt_activation;
#define RT_LEAKY_SLOPE 0.01 /* below 0, in RT_ACT_LEAKY_RELU */

/* A fully connected layer, y = act(x W^T + b): x (N,D), W (U,D), b (U) or NULL -> (N,U). Bias and
 * relu ride on the product. With dz = act'(z) dy:  dx = dz W, dW = dz^T x, db = sums over N of dz;
 * dx is not computed for an input that wants none. Kept: nothing, with RT_ACT_GELU (N,U); backward
 * needs (N,U) more for dz when there is an activation. */
rt_tensor *rt_linear(rt_graph *g, rt_tensor *x, rt_tensor *w, rt_tensor *b, rt_activation act);
/* The same with x, W and dz rounded to bfloat16 (8 significant bits, to nearest even; subnormals to 0) as
 * operands of the three products. Sums, bias, activation and gradients are float32, and so are x and W where
 * they lie. The same bits on every processor, twice as fast where there is an instruction for it (AVX-512
 * BF16). Needs 2 bytes an element more of x, and of dz in backward, while a product runs. */
rt_tensor *rt_linear_bf16(rt_graph *g, rt_tensor *x, rt_tensor *w, rt_tensor *b, rt_activation act);

/* ---- reductions -------------------------------------------------------------------------------
 *
 * axes: RT_AXIS(0) | RT_AXIS(2), or RT_ALL_AXES, which fits any number of dimensions. Reduced axes
 * disappear from the shape; with | RT_KEEP_DIMS they stay with extent 1. Sums are kept in double.
 * n is the number of elements that go into one result.
 * Errors: RT_VALUE for an empty mask, RT_SHAPE for an axis x does not have; RT_SHAPE when n is 0
 * (not for rt_sum, whose empty sum is 0). */
#define RT_AXIS(i) (1u << (i))
#define RT_ALL_AXES 0x3fu
#define RT_KEEP_DIMS 0x80000000u
rt_tensor *rt_sum(rt_graph *g, rt_tensor *x, unsigned axes);  /* dx = dy */
rt_tensor *rt_mean(rt_graph *g, rt_tensor *x, unsigned axes); /* dx = dy / n */
/* The largest and the smallest. dx = dy at the first of equal winners in row-major order, 0
 * elsewhere; keeps where each winner lies. A NaN among the elements is the result. */
rt_tensor *rt_max(rt_graph *g, rt_tensor *x, unsigned axes);
rt_tensor *rt_min(rt_graph *g, rt_tensor *x, unsigned axes);
/* sum (x - mean)^2 / (n - correction), in two passes; correction 0: of a population, 1: unbiased.
 * dx = 2 (x - mean) dy / (n - correction); keeps the means. RT_VALUE when n <= correction. */
rt_tensor *rt_variance(rt_graph *g, rt_tensor *x, unsigned axes, int correction);

/* ---- one number for each row: (.., D) -> (..), sums in double ---- */

/* sum_d |x_d|^p, p >= 1 (RT_VALUE); of an image (N, H, W, C) a map of what it looks at.
 * dx = dy p |x|^(p-1) sign(x), 0 at 0. Kept: nothing.
 * Zagoruyko, Komodakis 2017, arXiv 1612.03928, section 3.1. */
rt_tensor *rt_power_sum(rt_graph *g, rt_tensor *x, double p);
/* ||x||_2. dx = dy x / y, and 0 where y is 0, so it is finite everywhere. Keeps y in double. */
rt_tensor *rt_l2_norm(rt_graph *g, rt_tensor *x);

/* ---- shape. Kept: nothing ---- */

/* The same elements, row by row, in another shape of the same count; one extent may be -1, it
 * follows from the others. A view when x is contiguous, else a copy. RT_SHAPE when the counts differ. */
rt_tensor *rt_reshape(rt_graph *g, rt_tensor *x, int ndim, const int64_t shape[]);
/* A view with two axes exchanged; axes count from 0. */
rt_tensor *rt_transpose(rt_graph *g, rt_tensor *x, int axis_a, int axis_b);
/* A view of elements begin ... end - 1 along one axis. Each backward fills a gradient of x's size. */
rt_tensor *rt_slice(rt_graph *g, rt_tensor *x, int axis, int64_t begin, int64_t end);
/* x[0], x[1], ... one after the other along one axis; all other extents are equal. At least one. */
rt_tensor *rt_concat(rt_graph *g, rt_tensor *const x[], int count, int axis);
/* y[i] = x[index[i]]: x (R, ..), index (M) I32 -> (M, ..). A row may be taken often or never; its
 * gradient is the sum, in the order of the index. RT_VALUE names an entry outside 0 ... R-1. */
rt_tensor *rt_gather_rows(rt_graph *g, rt_tensor *x, rt_tensor *index);

/* ---- normalisation ---- */

/* y = x / max(r, epsilon), r = ||x||_2 along `axis` (0 ... ndim-1). dx = (dy - y (y.dy)) / r, or
 * dy / epsilon where r <= epsilon. Keeps r. Errors: RT_SHAPE (no such axis), RT_VALUE (epsilon <= 0). */
rt_tensor *rt_l2_normalize(rt_graph *g, rt_tensor *x, int axis, double epsilon);
/* log softmax(z/T) and softmax(z/T) over the last axis, shape of z: with m = max_k z_k
 *     y_k = (z_k - m)/T - log sum_j exp((z_j - m)/T),  finite for all finite logits.
 * dz_k = (dy_k - p_k sum_j dy_j) / T  and  dz_k = p_k (dy_k - sum_j p_j dy_j) / T, p = softmax(z/T).
 * Keep p, in double. Errors: RT_VALUE (T <= 0 or not finite), RT_SHAPE (no classes).
 * For a loss use the fused ops below: the logarithm of rt_softmax is minus infinity for a class far
 * below the top. Hinton, Vinyals, Dean 2015, arXiv 1503.02531, eq. 1. */
rt_tensor *rt_log_softmax(rt_graph *g, rt_tensor *z, double T);
rt_tensor *rt_softmax(rt_graph *g, rt_tensor *z, double T);
/* min(max(x, low), high).  dx = dy inside of the range, its ends included, else 0. RT_VALUE: low > high */
rt_tensor *rt_clamp(rt_graph *g, rt_tensor *x, double low, double high);
/* What rounding changes, a constant to the tape: step round(c / step) - c, c = clamp(x, low, high). A network
 * that is trained for integers sees clamp(x) + rounding(x): the straight-through estimator. Halves away from
 * zero. RT_VALUE: low > high, step <= 0. Jacob et al. 2018, arXiv 1712.05877, equation 12 */
rt_tensor *rt_rounding(rt_graph *g, rt_tensor *x, double low, double high, double step);
/* The same for weights, each unit (index of `axis`) with a step of its own, max|w| / levels: the sum of w and
 * this has at most 2 levels + 1 values in a unit. RT_VALUE: no such axis. Krishnamoorthi 2018,
 * arXiv 1806.08342 */
rt_tensor *rt_unit_rounding(rt_graph *g, rt_tensor *w, int axis, int levels);
/* Inverted dropout: an element is 0 with probability `rate` (rounded to 1/65536), otherwise divided
 * by 1 - rate, so that evaluation needs no scaling. The mask is a function of the stream and of the
 * row-major position; the stream is copied and left as it is. rate 0 is x itself. Keeps the stream
 * only. RT_VALUE when the rate is not in [0, 1). Srivastava, Hinton, Krizhevsky, Sutskever,
 * Salakhutdinov 2014, JMLR 15, section 4. */
rt_tensor *rt_dropout(rt_graph *g, rt_tensor *x, double rate, const rt_rng *stream);

/* ---- losses -----------------------------------------------------------------------------------
 *
 * z, v: logits (N, K); y: labels (N) I32 in 0 ... K-1; p: target probabilities (N, K). The result is
 * one number (ndim 0): the sum over the K classes, the MEAN over the N examples, nats. So duplicating
 * the batch or adding classes that are impossible in all logits (-1e4) changes nothing.
 * Computed in double on log-softmax: logits of +-1e4 are harmless.
 * Errors: RT_SHAPE (not (N, K), N or K is 0, sizes that differ), RT_VALUE (a label that is no class,
 * T <= 0, epsilon outside 0 ... 1, integers where reals belong). */

/* -(1/N) sum_n log softmax(z_n)[y_n].  dz = (softmax(z) - onehot(y)) dL / N. Keeps (N, K) doubles. */
rt_tensor *rt_cross_entropy(rt_graph *g, rt_tensor *z, rt_tensor *y);

/* -(1/N) sum_n sum_k p_nk log q_nk, q = softmax(z/T). NO factor T^2.
 * dz = (q sum_j p_j - p) dL / (T N); dp = -log q dL / N. p need not sum to 1; where p is 0 the term
 * is 0. Keeps 2 (N, K) doubles. Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2. */
rt_tensor *rt_cross_entropy_soft(rt_graph *g, rt_tensor *p, rt_tensor *z, double T);

/* Two different losses go by the name of label smoothing; at equal epsilon the second is the first
 * with epsilon K/(K-1). */
typedef enum rt_smoothing {
    RT_SMOOTHING_UNIFORM, /* (1-e) onehot + e/K: Szegedy et al. 2015, arXiv 1512.00567, section 7; PyTorch */
    RT_SMOOTHING_OTHERS   /* 1-e on y, e/(K-1) on the others: code of Yuan et al. 2020, arXiv 1909.11723 */
} rt_smoothing;
/* -(1/N) sum_n sum_k t_nk log softmax(z_n)_k.  dz = (softmax(z) - t) dL / N. epsilon 0 gives the bits
 * of rt_cross_entropy. RT_UNSUPPORTED: "others" with K = 1. Keeps (N, K) doubles. */
rt_tensor *rt_cross_entropy_smooth(rt_graph *g, rt_tensor *z, rt_tensor *y, double epsilon,
                                   rt_smoothing form);

/* KL(p || q) = (1/N) sum_n sum_k p_nk log(p_nk / q_nk), p = softmax(v/T) teacher, q = softmax(z/T)
 * student. NO factor T^2. Both may require gradients; with D_n the divergence of row n
 *     dz = (q - p) dL / (T N)           dv = p (log p - log q - D_n) dL / (T N)
 * For T -> infinity T^2 KL tends to half the mean over classes of the squared difference of the
 * centred logits. Keeps 2 (N, K) doubles. Hinton, Vinyals, Dean 2015, arXiv 1503.02531, eqs. 2-4. */
rt_tensor *rt_kl_divergence(rt_graph *g, rt_tensor *v, rt_tensor *z, double T);
/* KL(q || p): the student first. */
rt_tensor *rt_kl_divergence_reverse(rt_graph *g, rt_tensor *v, rt_tensor *z, double T);

/* ---- distances: a and b of one shape, never broadcast; the MEAN over all elements, ndim 0 ----
 * Both may require gradients: da = f'(a - b) dL / count, db = -da. Keep the slopes. Errors: RT_SHAPE. */
rt_tensor *rt_mse(rt_graph *g, rt_tensor *a, rt_tensor *b); /* f(d) = d^2 */
rt_tensor *rt_l1(rt_graph *g, rt_tensor *a, rt_tensor *b);  /* f(d) = |d|; slope 0 at 0 */
/* f(d) = d^2 / (2 beta) where |d| < beta, else |d| - beta/2; beta > 0 (RT_VALUE).
 * Girshick 2015, arXiv 1504.08083, eq. 3, with beta = 1. */
rt_tensor *rt_smooth_l1(rt_graph *g, rt_tensor *a, rt_tensor *b, double beta);
/* a.b / (max(|a|, epsilon) max(|b|, epsilon)) over the last axis: (.., D) and (.., D) -> (..).
 * With c the result and |a| > epsilon: da = dy (b/|b| - c a/|a|) / |a|. Keeps the lengths.
 * Errors: RT_SHAPE, RT_VALUE (epsilon <= 0). */
rt_tensor *rt_cosine_similarity(rt_graph *g, rt_tensor *a, rt_tensor *b, double epsilon);

/* L = mean of a squared distance that holds on one side of a boundary; s student, t teacher, of one shape and
 * ahead of their relu; only s receives a gradient. Keep the slopes. RT_SHAPE; RT_VALUE (margin < 0).
 *   _activation_boundary   (s + m)^2 where s > -m and t <= 0;  (s - m)^2 where s <= m and t > 0
 *                          Heo, Lee, Yun, Choi 2019, arXiv 1811.03233, eq. 5
 *   _partial_l2            0 where s <= t' <= 0, else (s - t')^2;  t' = max(t, margin_c), margin (C) by the
 *                          last axis. Heo et al. 2019, arXiv 1904.01866, eqs. 1 to 3 */
rt_tensor *rt_activation_boundary(rt_graph *g, rt_tensor *s, rt_tensor *t, double margin);
rt_tensor *rt_partial_l2(rt_graph *g, rt_tensor *s, rt_tensor *t, rt_tensor *margin);

/* ---- relations between examples, rows of (N, D) ---- */

/* ||x_i - x_j||_2: (N, D) -> (N, N), 0 on the diagonal. dx_i = sum_j (dy_ij + dy_ji) (x_i - x_j) / d_ij,
 * nothing for a pair that coincides, so it is finite everywhere. Keeps d in double. */
rt_tensor *rt_pairwise_distances(rt_graph *g, rt_tensor *x);
/* Over all triples (i, j, k), the mean of h(cos(s_i s_j s_k) - cos(t_i t_j t_k)), cos of the angle at j, h
 * the smooth L1 of beta 1: s (N, D), t (N, D') -> (). An angle with a side of length 0 counts as cos 0,
 * and has no gradient. Only s receives a gradient; it is made in forward, vertex by vertex, so memory is
 * O(N^2 + N D) where all angles would be N^3. Cost: 2 N^3 (2 D + D') operations. Keeps ds. Park, Kim, Lu,
 * Cho 2019, arXiv 1904.05068, eqs. 8 and 10. */
rt_tensor *rt_angle_smooth_l1(rt_graph *g, rt_tensor *s, rt_tensor *t);
/* y_nm = x_n . bank[index_nm]: x (N, D), bank (R, D), index (N M) I32 -> (N, M). The bank has no gradient;
 * dx_n = sum_m dy_nm bank[index_nm]. Kept: nothing. RT_VALUE names an entry outside 0 ... R-1. */
rt_tensor *rt_bank_products(rt_graph *g, rt_tensor *x, rt_tensor *bank, rt_tensor *index);

/* ---- the list of all ops, for `retort gradcheck`, help and tests ---- */

/* Names in alphabetical order; static. */
const char *const *rt_op_names(int *count);
/* "y = a + b", and the paper and equation it is from ("" when it is nobody's). NULL for an unknown name. */
const char *rt_op_formula(const char *name);
const char *rt_op_source(const char *name);
bool rt_op_has_gradient(const char *name);
/* Runs all gradcheck cases of an op until one fails; *worst is the worst of those that were run, with
 * the elements of all counted, *cases their number (both may be NULL). Errors: those of rt_gradcheck;
 * RT_NOT_FOUND for an unknown name; RT_UNSUPPORTED when an op has a backward and no case. */
rt_status rt_op_gradcheck(const char *name, double tolerance, rt_gradcheck_result *worst, int *cases,
                          rt_error *error) RT_MUST_CHECK;

#endif
