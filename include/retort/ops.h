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

/* ---- reductions. axes: RT_AXIS(0) | RT_AXIS(2), or RT_ALL_AXES; | RT_KEEP_DIMS keeps extents 1 ---- */
#define RT_AXIS(i) (1u << (i))
#define RT_ALL_AXES 0x3fu
#define RT_KEEP_DIMS 0x80000000u
rt_tensor *rt_sum(rt_graph *g, rt_tensor *x, unsigned axes);
rt_tensor *rt_mean(rt_graph *g, rt_tensor *x, unsigned axes);
rt_tensor *rt_max(rt_graph *g, rt_tensor *x, unsigned axes); /* gradient to the first maximum */
rt_tensor *rt_min(rt_graph *g, rt_tensor *x, unsigned axes);
rt_tensor *rt_variance(rt_graph *g, rt_tensor *x, unsigned axes, int correction); /* / (n - correction) */

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
rt_tensor *rt_l2_normalize(rt_graph *g, rt_tensor *x, int axis, double epsilon); /* x / max(||x||, eps) */
rt_tensor *rt_log_softmax(rt_graph *g, rt_tensor *z, double T); /* over the last axis, of z/T */
rt_tensor *rt_softmax(rt_graph *g, rt_tensor *z, double T);
rt_tensor *rt_dropout(rt_graph *g, rt_tensor *x, double rate, const rt_rng *stream); /* inverted */

/* ---- losses: mean over the batch, one number. z (N,K) logits, y (N) I32 labels ---- */
rt_tensor *rt_cross_entropy(rt_graph *g, rt_tensor *z, rt_tensor *y);
rt_tensor *rt_cross_entropy_soft(rt_graph *g, rt_tensor *p, rt_tensor *z, double T); /* -sum p log softmax(z/T) */
typedef enum rt_smoothing {
    RT_SMOOTHING_UNIFORM, /* (1-e) onehot + e/K everywhere: PyTorch; Szegedy et al. 2015 */
    RT_SMOOTHING_OTHERS   /* 1-e on y, e/(K-1) on the others: Tf-KD */
} rt_smoothing;
rt_tensor *rt_cross_entropy_smooth(rt_graph *g, rt_tensor *z, rt_tensor *y, double epsilon, rt_smoothing form);
/* KL(softmax(v/T) || softmax(z/T)), summed over classes, mean over batch, NO factor T^2.
 * Teacher logits v, student logits z; both may require gradients. */
rt_tensor *rt_kl_divergence(rt_graph *g, rt_tensor *v, rt_tensor *z, double T);
rt_tensor *rt_kl_divergence_reverse(rt_graph *g, rt_tensor *v, rt_tensor *z, double T); /* KL(z/T || v/T) */
rt_tensor *rt_mse(rt_graph *g, rt_tensor *a, rt_tensor *b);                      /* mean over all elements */
rt_tensor *rt_l1(rt_graph *g, rt_tensor *a, rt_tensor *b);
rt_tensor *rt_smooth_l1(rt_graph *g, rt_tensor *a, rt_tensor *b, double beta);
rt_tensor *rt_cosine_similarity(rt_graph *g, rt_tensor *a, rt_tensor *b, double epsilon); /* last axis -> (..) */

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
