/* ops.h - every differentiable operation.                              Floor 5 (ops)
 *
 * All take the graph first and return a step tensor, or NULL after a failure that the graph
 * remembers. Broadcasting: shapes are aligned at the right, an extent of 1 is repeated.
 * Inputs may be views with any strides. N batch, K classes, T temperature. */
#ifndef RETORT_OPS_H
#define RETORT_OPS_H

#include "retort/graph.h"
#include "retort/rng.h"

/* ---- arithmetic, with broadcasting ---- */
rt_tensor *rt_add(rt_graph *g, rt_tensor *a, rt_tensor *b);
rt_tensor *rt_sub(rt_graph *g, rt_tensor *a, rt_tensor *b);
rt_tensor *rt_mul(rt_graph *g, rt_tensor *a, rt_tensor *b);
rt_tensor *rt_div(rt_graph *g, rt_tensor *a, rt_tensor *b);
rt_tensor *rt_scale(rt_graph *g, rt_tensor *x, double factor);
rt_tensor *rt_add_scalar(rt_graph *g, rt_tensor *x, double term);

/* ---- element by element ---- */
rt_tensor *rt_exp(rt_graph *g, rt_tensor *x);
rt_tensor *rt_log(rt_graph *g, rt_tensor *x);
rt_tensor *rt_sqrt(rt_graph *g, rt_tensor *x);
rt_tensor *rt_pow(rt_graph *g, rt_tensor *x, double exponent);
rt_tensor *rt_abs(rt_graph *g, rt_tensor *x);
rt_tensor *rt_relu(rt_graph *g, rt_tensor *x);
rt_tensor *rt_leaky_relu(rt_graph *g, rt_tensor *x, double slope);
rt_tensor *rt_tanh(rt_graph *g, rt_tensor *x);
rt_tensor *rt_sigmoid(rt_graph *g, rt_tensor *x);
rt_tensor *rt_softplus(rt_graph *g, rt_tensor *x);
rt_tensor *rt_gelu(rt_graph *g, rt_tensor *x);

/* ---- products ---- */
rt_tensor *rt_matmul(rt_graph *g, rt_tensor *a, rt_tensor *b);    /* (..,M,K)(..,K,N) -> (..,M,N) */
rt_tensor *rt_matmul_nt(rt_graph *g, rt_tensor *a, rt_tensor *b); /* (..,M,K)(..,N,K) -> (..,M,N) */
rt_tensor *rt_matmul_tn(rt_graph *g, rt_tensor *a, rt_tensor *b); /* (..,K,M)(..,K,N) -> (..,M,N) */

typedef enum rt_activation {
    RT_ACT_NONE, RT_ACT_RELU, RT_ACT_LEAKY_RELU, RT_ACT_TANH, RT_ACT_SIGMOID, RT_ACT_SOFTPLUS, RT_ACT_GELU
} rt_activation;
#define RT_LEAKY_SLOPE 0.01 /* below 0, in RT_ACT_LEAKY_RELU */
/* y = act(x W^T + b): x (N,D), W (units,D), b (units) or NULL -> (N,units). Bias and activation
 * ride on the product. */
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

/* ---- shape: reshape, transpose and slice are views ---- */
rt_tensor *rt_reshape(rt_graph *g, rt_tensor *x, int ndim, const int64_t shape[]); /* one extent may be -1 */
rt_tensor *rt_transpose(rt_graph *g, rt_tensor *x, int axis_a, int axis_b);
rt_tensor *rt_slice(rt_graph *g, rt_tensor *x, int axis, int64_t begin, int64_t end);
rt_tensor *rt_concat(rt_graph *g, rt_tensor *const x[], int count, int axis);
rt_tensor *rt_gather_rows(rt_graph *g, rt_tensor *x, rt_tensor *index); /* index (M) I32 */

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
