/* image.h - differentiable operations on images.                       Floor 5 (ops)
 *
 * Images in the network lie channels last: x (N, H, W, C). Examples come as (N, C, H, W) and are turned
 * once, at the entrance (rt_channels_last); all taps, features and activation maps are (N, H, W, C). A bias
 * or scale by channel is then rt_add or rt_mul with a tensor (C), and flattening runs over H, W, C in this
 * order. The conventions of ops.h hold: graph first, NULL after a failure that the graph remembers.
 * F is the number of filters, KH KW the extents of a kernel. */
#ifndef RETORT_IMAGE_H
#define RETORT_IMAGE_H

#include "retort/ops.h"

/* (N, C, H, W) -> (N, H, W, C). A view when C or H W is 1, else a copy. dx is dy turned back. */
rt_tensor *rt_channels_last(rt_graph *g, rt_tensor *x);

/* Fields that are 0 stand for the usual: stride 1, padding 0, dilation 1, one group. */
typedef struct rt_conv {
    int stride, padding, dilation, groups;
} rt_conv;

/* y[n,h,w,f] = act( b[f] + sum_{i,j,c} x[n, h s - p + i d, w s - p + j d, c] k[i,j,c,f] )
 *
 * Cross-correlation, as the field calls convolution. x (N,H,W,C), k (KH,KW,C/groups,F), b (F) or NULL ->
 * (N,H',W',F), H' = floor((H + 2 p - d (KH-1) - 1) / s) + 1. What lies outside x is 0 (and 0 times an
 * infinite or NaN weight is NaN). Filters F/groups q ... see channels C/groups q ... of group q. `how` may be
 * NULL; act is RT_ACT_NONE or RT_ACT_RELU, which ride on the product, or any other.
 * With dz = act'(z) dy: dk sums x dz over n, h, w; db sums dz; dx is the transposed convolution of dz.
 * Cost: 2 N H' W' KH KW (C/groups) F operations forward and for each gradient. Kept: nothing, with
 * RT_ACT_GELU the values ahead of it. RT_SHAPE; RT_VALUE (no kernel position fits, groups that do not divide
 * both C and F). */
rt_tensor *rt_conv2d(rt_graph *g, rt_tensor *x, rt_tensor *k, rt_tensor *b, const rt_conv *how,
                     rt_activation act);

/* The transpose of rt_conv2d: x (N,H,W,F), k (KH,KW,C,F) -> (N,H',W',C), H' = (H-1) s - 2 p + d (KH-1) + 1;
 * b (C) or NULL. One group only. Its forward is rt_conv2d's dx, its dx is rt_conv2d. */
rt_tensor *rt_conv_transpose2d(rt_graph *g, rt_tensor *x, rt_tensor *k, rt_tensor *b, const rt_conv *how,
                               rt_activation act);

/* Windows of size x size, (N,H,W,C) -> (N,H',W',C), H' = floor((H + 2 padding - size) / stride) + 1.
 * max: the padding never wins; dx = dy at the first of equal winners in row-major order; a NaN in the
 * window is the result; keeps where each winner lies. avg: the padding counts as zeros, the divisor is
 * always size^2. RT_SHAPE; RT_VALUE (size or stride < 1, 2 padding > size). */
rt_tensor *rt_max_pool2d(rt_graph *g, rt_tensor *x, int size, int stride, int padding);
rt_tensor *rt_avg_pool2d(rt_graph *g, rt_tensor *x, int size, int stride, int padding);
/* To H' x W' cells, (N,H,W,C) -> (N,H',W',C): cell i covers rows floor(i H/H') ... ceil((i+1) H/H') - 1, as
 * PyTorch's adaptive pooling. 1 x 1 is global pooling. */
rt_tensor *rt_adaptive_avg_pool2d(rt_graph *g, rt_tensor *x, int64_t height, int64_t width);
rt_tensor *rt_adaptive_max_pool2d(rt_graph *g, rt_tensor *x, int64_t height, int64_t width);
/* Mean over H and W: (N,H,W,C) -> (N,C). dx = dy / (H W). Sums in double. */
rt_tensor *rt_global_avg_pool(rt_graph *g, rt_tensor *x);

/* A border of `value`: (N,H,W,C) -> (N, top+H+bottom, left+W+right, C). */
rt_tensor *rt_pad2d(rt_graph *g, rt_tensor *x, int top, int bottom, int left, int right, double value);
/* Nearest neighbour to H' x W': row i comes from row floor(i H/H'), PyTorch's "nearest". dx sums. */
rt_tensor *rt_upsample_nearest(rt_graph *g, rt_tensor *x, int64_t height, int64_t width);

/* Batch normalisation (Ioffe, Szegedy 2015, arXiv 1502.03167, algorithm 1) over all axes but the last:
 *
 *     y = act( gamma (x - m) / sqrt(v + epsilon) + beta + r )
 *
 * x (.., C), gamma beta (C), r of x's shape or NULL (a residual that rides along); act RT_ACT_NONE or
 * RT_ACT_RELU. In training m, v are mean and population variance of the batch, in two passes summed in
 * double, and the running statistics move: running = (1 - momentum) running + momentum batch, with the
 * unbiased variance (PyTorch's convention). Otherwise m, v are the running statistics.
 * With dz = act'(z) dy, xhat = (x - m)/sqrt(v + epsilon), n elements per channel:
 *     dgamma = sum dz xhat;  dbeta = sum dz;  dr = dz
 *     dx = gamma / sqrt(v + epsilon) (dz - mean dz - xhat mean(dz xhat))      in training, else without means
 * Keeps m and 1/sqrt(v + epsilon). RT_SHAPE; RT_UNSUPPORTED: training on one element per channel. */
typedef struct rt_batch_norm_how {
    rt_tensor *running_mean, *running_variance; /* (C), changed in training; no gradient */
    double momentum, epsilon;                   /* 0.1 and 1e-5 are usual */
    bool training;
} rt_batch_norm_how;
rt_tensor *rt_batch_norm(rt_graph *g, rt_tensor *x, rt_tensor *gamma, rt_tensor *beta, rt_tensor *residual,
                         const rt_batch_norm_how *how, rt_activation act);

/* relu(a + b) in one pass; shapes must be equal. da = db = (y > 0 ? dy : 0). */
rt_tensor *rt_add_relu(rt_graph *g, rt_tensor *a, rt_tensor *b);

#endif
