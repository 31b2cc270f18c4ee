/* volumes.h - small networks as plain loops in double, for tests of methods with adapters: convolution, its
 * transpose, batch normalisation, pooling, from the definitions and nothing else. (N, H, W, C). */
#ifndef VOLUMES_H
#define VOLUMES_H

#include "features_rig.h"

typedef struct volume {
    int64_t N, H, W, C;
    double x[RIG_NUMBERS];
} volume;

static inline int64_t volume_count(const volume *v) { return v->N * v->H * v->W * v->C; }

static inline double *volume_at(volume *v, int64_t n, int64_t h, int64_t w, int64_t c) {
    return &v->x[((n * v->H + h) * v->W + w) * v->C + c];
}

static inline void volume_zero(volume *v, int64_t N, int64_t H, int64_t W, int64_t C) {
    v->N = N, v->H = H, v->W = W, v->C = C;
    cr_assert_leq(volume_count(v), RIG_NUMBERS);
    for (int64_t i = 0; i < volume_count(v); i++) v->x[i] = 0;
}

/* A feature; units of an mlp are the channels of one pixel. */
static inline void volume_of(volume *v, const rti_feature *f, const rt_real *numbers) {
    bool map = f->ndim == 3;
    volume_zero(v, RIG_N, map ? f->shape[0] : 1, map ? f->shape[1] : 1, f->shape[f->ndim - 1]);
    for (int64_t i = 0; i < volume_count(v); i++) v->x[i] = (double)numbers[i];
}

/* Parameter of adapter number `model`. */
static inline const rt_real *volume_parameter(const rig *r, int model, const char *name) {
    cr_assert_lt(model, r->adapters.count);
    rt_parameter *p = rti_model_find_parameter(r->adapters.model[model], name);
    cr_assert(p, "no parameter %s", name);
    return rt_real_data(&p->tensor);
}

/* k (K, K, C, F), b (F) or NULL. */
static inline void volume_conv(const volume *in, const rt_real *k, const rt_real *b, int64_t K,
                               int64_t stride, int64_t padding, int64_t F, volume *out) {
    volume_zero(out, in->N, (in->H + 2 * padding - K) / stride + 1, (in->W + 2 * padding - K) / stride + 1,
                F);
    for (int64_t n = 0; n < out->N; n++)
        for (int64_t h = 0; h < out->H; h++)
            for (int64_t w = 0; w < out->W; w++)
                for (int64_t f = 0; f < F; f++) {
                    double sum = b ? (double)b[f] : 0;
                    for (int64_t i = 0; i < K; i++)
                        for (int64_t j = 0; j < K; j++) {
                            int64_t y = h * stride - padding + i, x = w * stride - padding + j;
                            if (y < 0 || y >= in->H || x < 0 || x >= in->W) continue;
                            for (int64_t c = 0; c < in->C; c++)
                                sum += in->x[((n * in->H + y) * in->W + x) * in->C + c] *
                                       (double)k[((i * K + j) * in->C + c) * F + f];
                        }
                    *volume_at(out, n, h, w, f) = sum;
                }
}

/* in (N, H, W, F), k (K, K, C, F), b (C): every pixel is spread over a kernel. */
static inline void volume_spread(const volume *in, const rt_real *k, const rt_real *b, int64_t K,
                                 int64_t stride, int64_t padding, int64_t C, volume *out) {
    int64_t F = in->C;
    volume_zero(out, in->N, (in->H - 1) * stride - 2 * padding + K, (in->W - 1) * stride - 2 * padding + K,
                C);
    for (int64_t i = 0; b && i < volume_count(out); i++) out->x[i] = (double)b[i % C];
    for (int64_t n = 0; n < in->N; n++)
        for (int64_t h = 0; h < in->H; h++)
            for (int64_t w = 0; w < in->W; w++)
                for (int64_t i = 0; i < K; i++)
                    for (int64_t j = 0; j < K; j++) {
                        int64_t y = h * stride - padding + i, x = w * stride - padding + j;
                        if (y < 0 || y >= out->H || x < 0 || x >= out->W) continue;
                        for (int64_t c = 0; c < C; c++)
                            for (int64_t f = 0; f < F; f++)
                                *volume_at(out, n, y, x, c) += in->x[((n * in->H + h) * in->W + w) * F + f] *
                                                               (double)k[((i * K + j) * C + c) * F + f];
                    }
}

/* x W^T + b: W (U, D). */
static inline void volume_linear(const volume *in, const rt_real *weight, const rt_real *b, int64_t U,
                                 volume *out) {
    volume_zero(out, in->N, 1, 1, U);
    for (int64_t n = 0; n < in->N; n++)
        for (int64_t u = 0; u < U; u++) {
            double sum = b ? (double)b[u] : 0;
            for (int64_t d = 0; d < in->C; d++) sum += in->x[n * in->C + d] * (double)weight[u * in->C + d];
            out->x[n * U + u] = sum;
        }
}

/* In training: mean and population variance of the batch, epsilon 1e-5. */
static inline void volume_norm(volume *v, const rt_real *scale, const rt_real *bias) {
    int64_t count = volume_count(v), n = count / v->C;
    for (int64_t c = 0; c < v->C; c++) {
        double mean = 0, variance = 0;
        for (int64_t i = c; i < count; i += v->C) mean += v->x[i] / (double)n;
        for (int64_t i = c; i < count; i += v->C) variance += (v->x[i] - mean) * (v->x[i] - mean) / (double)n;
        for (int64_t i = c; i < count; i += v->C)
            v->x[i] = (double)scale[c] * (v->x[i] - mean) / sqrt(variance + 1e-5) + (double)bias[c];
    }
}

static inline void volume_relu(volume *v) {
    for (int64_t i = 0; i < volume_count(v); i++) v->x[i] = v->x[i] > 0 ? v->x[i] : 0;
}

/* Means over the cells of PyTorch's adaptive pooling. */
static inline void volume_pool(const volume *in, int64_t H, int64_t W, volume *out) {
    volume_zero(out, in->N, H, W, in->C);
    for (int64_t n = 0; n < in->N; n++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t w = 0; w < W; w++) {
                int64_t top = h * in->H / H, bottom = ((h + 1) * in->H + H - 1) / H;
                int64_t left = w * in->W / W, right = ((w + 1) * in->W + W - 1) / W;
                for (int64_t y = top; y < bottom; y++)
                    for (int64_t x = left; x < right; x++)
                        for (int64_t c = 0; c < in->C; c++)
                            *volume_at(out, n, h, w, c) += in->x[((n * in->H + y) * in->W + x) * in->C + c] /
                                                           (double)((bottom - top) * (right - left));
            }
}

static inline void volume_nearest(const volume *in, int64_t H, int64_t W, volume *out) {
    volume_zero(out, in->N, H, W, in->C);
    for (int64_t n = 0; n < in->N; n++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t w = 0; w < W; w++)
                for (int64_t c = 0; c < in->C; c++)
                    *volume_at(out, n, h, w,
                               c) = in->x[((n * in->H + h * in->H / H) * in->W + w * in->W / W) * in->C + c];
}

/* Sum of squared differences. */
static inline double volume_squares(const volume *a, const volume *b) {
    cr_assert(a->N == b->N && a->H == b->H && a->W == b->W && a->C == b->C);
    double sum = 0;
    for (int64_t i = 0; i < volume_count(a); i++) sum += (a->x[i] - b->x[i]) * (a->x[i] - b->x[i]);
    return sum;
}
static inline double volume_mse(const volume *a, const volume *b) {
    return volume_squares(a, b) / (double)volume_count(a);
}

#endif
