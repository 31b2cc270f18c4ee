/* What convolutional models compute: small networks against plain loops in double that follow the papers'
 * figures block by block and know nothing of layers; their gradients, through everything, against central
 * differences (in double). */
#include <math.h>

#include "images_fixture.h"

enum { N = 3, SIDE = 12 };

/* ---- images in double, (N, H, W, C) ---- */

typedef struct image {
    int h, w, c;
    double v[N * SIDE * SIDE * 8];
} image;

static double *pixel(image *x, int n, int i, int j) { return &x->v[((n * x->h + i) * x->w + j) * x->c]; }

static const rt_model *net;
static bool training;

static const rt_real *numbers(const char *layer, const char *what) {
    char name[256];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    const rt_parameter *p = rti_model_find_parameter(net, name);
    return p ? rt_real_data(&p->tensor) : NULL;
}

static void conv(image *x, const char *name, int kernel, int stride, int padding, int filters) {
    static image y;
    const rt_real *k = numbers(name, "weight"), *b = numbers(name, "bias");
    cr_assert(k, "%s", name);
    y = (image){.h = (x->h + 2 * padding - kernel) / stride + 1,
                .w = (x->w + 2 * padding - kernel) / stride + 1,
                .c = filters};
    for (int n = 0; n < N; n++)
        for (int i = 0; i < y.h; i++)
            for (int j = 0; j < y.w; j++)
                for (int f = 0; f < filters; f++) {
                    double sum = b ? (double)b[f] : 0;
                    for (int a = 0; a < kernel; a++)
                        for (int e = 0; e < kernel; e++) {
                            const int r = i * stride - padding + a, s = j * stride - padding + e;
                            if (r < 0 || s < 0 || r >= x->h || s >= x->w) continue;
                            for (int c = 0; c < x->c; c++)
                                sum += pixel(x, n, r, s)[c] *
                                       (double)k[((a * kernel + e) * x->c + c) * filters + f];
                        }
                    pixel(&y, n, i, j)[f] = sum;
                }
    *x = y;
}

static void norm(image *x, const char *name) {
    const rt_real *scale = numbers(name, "scale"), *bias = numbers(name, "bias"),
                  *mean = numbers(name, "running_mean"), *variance = numbers(name, "running_variance");
    cr_assert(scale, "%s", name);
    const int count = N * x->h * x->w;
    for (int c = 0; c < x->c; c++) {
        double m = (double)mean[c], v = (double)variance[c];
        if (training) {
            m = v = 0;
            for (int i = 0; i < count; i++) m += x->v[i * x->c + c] / count;
            for (int i = 0; i < count; i++) v += (x->v[i * x->c + c] - m) * (x->v[i * x->c + c] - m) / count;
        }
        for (int i = 0; i < count; i++) {
            double *p = &x->v[i * x->c + c];
            *p = (double)scale[c] * (*p - m) / sqrt(v + 1e-5) + (double)bias[c];
        }
    }
}

static void relu(image *x) {
    for (int i = 0; i < N * x->h * x->w * x->c; i++) x->v[i] = x->v[i] > 0 ? x->v[i] : 0;
}

static void add(image *x, const image *y) {
    cr_assert(x->h == y->h && x->w == y->w && x->c == y->c);
    for (int i = 0; i < N * x->h * x->w * x->c; i++) x->v[i] += y->v[i];
}

static void pool(image *x, bool mean) {
    static image y;
    y = (image){.h = x->h / 2, .w = x->w / 2, .c = x->c};
    for (int n = 0; n < N; n++)
        for (int i = 0; i < y.h; i++)
            for (int j = 0; j < y.w; j++)
                for (int c = 0; c < y.c; c++) {
                    double best = -INFINITY, sum = 0;
                    for (int k = 0; k < 4; k++) {
                        const double v = pixel(x, n, 2 * i + k / 2, 2 * j + k % 2)[c];
                        best = v > best ? v : best;
                        sum += v / 4;
                    }
                    pixel(&y, n, i, j)[c] = mean ? sum : best;
                }
    *x = y;
}

static void whole(image *x) {
    static image y;
    y = (image){.h = 1, .w = 1, .c = x->c};
    for (int n = 0; n < N; n++)
        for (int i = 0; i < x->h * x->w; i++)
            for (int c = 0; c < x->c; c++)
                y.v[n * x->c + c] += x->v[(n * x->h * x->w + i) * x->c + c] / (x->h * x->w);
    *x = y;
}

/* Reads H, W, C in this order. */
static void linear(image *x, const char *name, int units) {
    static image y;
    const rt_real *w = numbers(name, "weight"), *b = numbers(name, "bias");
    const int features = x->h * x->w * x->c;
    y = (image){.h = 1, .w = 1, .c = units};
    cr_assert(w && b, "%s", name);
    for (int n = 0; n < N; n++)
        for (int u = 0; u < units; u++) {
            double sum = (double)b[u];
            for (int d = 0; d < features; d++) sum += x->v[n * features + d] * (double)w[u * features + d];
            y.v[n * units + u] = sum;
        }
    *x = y;
}

/* ---- networks, as the papers draw them ---- */

static void resnet(image *x, int blocks, const int filters[4], bool pad) {
    char name[64];
    static image short_cut, padded;
    conv(x, "stem.conv", 3, 1, 1, filters[0]), norm(x, "stem.bn"), relu(x);
    for (int stage = 1; stage <= 3; stage++)
        for (int i = 1; i <= blocks; i++) {
            const int stride = stage > 1 && i == 1 ? 2 : 1, f = filters[stage];
            short_cut = *x;
            if ((stride > 1 || x->c != f) && !pad) {
                snprintf(name, sizeof name, "stage%d.block%d.shortcut", stage, i);
                conv(&short_cut, name, 1, stride, 0, f);
                snprintf(name, sizeof name, "stage%d.block%d.shortcut.bn", stage, i);
                norm(&short_cut, name);
            } else if (stride > 1 || x->c != f) {
                padded = (image){.h = (x->h - 1) / stride + 1, .w = (x->w - 1) / stride + 1, .c = f};
                for (int n = 0; n < N; n++)
                    for (int r = 0; r < padded.h; r++)
                        for (int s = 0; s < padded.w; s++)
                            for (int c = 0; c < x->c; c++)
                                pixel(&padded, n, r, s)[c + (f - x->c) / 2] = pixel(x, n, r * stride,
                                                                                    s * stride)[c];
                short_cut = padded;
            }
            snprintf(name, sizeof name, "stage%d.block%d.conv1", stage, i), conv(x, name, 3, stride, 1, f);
            snprintf(name, sizeof name, "stage%d.block%d.bn1", stage, i), norm(x, name), relu(x);
            snprintf(name, sizeof name, "stage%d.block%d.conv2", stage, i), conv(x, name, 3, 1, 1, f);
            snprintf(name, sizeof name, "stage%d.block%d.bn2", stage, i), norm(x, name);
            add(x, &short_cut), relu(x);
        }
    whole(x), linear(x, "fc", 3);
}

static void wrn(image *x, int blocks, int base, int width) {
    char name[64];
    static image short_cut;
    conv(x, "stem.conv", 3, 1, 1, base);
    for (int stage = 1; stage <= 3; stage++)
        for (int i = 1; i <= blocks; i++) {
            const int stride = stage > 1 && i == 1 ? 2 : 1, f = (base * width) << (stage - 1);
            short_cut = *x;
            snprintf(name, sizeof name, "stage%d.block%d.bn1", stage, i), norm(x, name), relu(x);
            if (stride > 1 || x->c != f) {
                short_cut = *x;
                snprintf(name, sizeof name, "stage%d.block%d.shortcut", stage, i);
                conv(&short_cut, name, 1, stride, 0, f);
            }
            snprintf(name, sizeof name, "stage%d.block%d.conv1", stage, i), conv(x, name, 3, stride, 1, f);
            snprintf(name, sizeof name, "stage%d.block%d.bn2", stage, i), norm(x, name), relu(x);
            snprintf(name, sizeof name, "stage%d.block%d.conv2", stage, i), conv(x, name, 3, 1, 1, f);
            add(x, &short_cut);
        }
    norm(x, "bn"), relu(x), whole(x), linear(x, "fc", 3);
}

static void vgg(image *x, const int filters[5], const int convs[5], bool normalise) {
    char name[64], group[16];
    for (int k = 0; k < 5; k++) {
        if (k)
            snprintf(group, sizeof group, "stage%d", k);
        else
            snprintf(group, sizeof group, "stem");
        for (int i = 1; i <= convs[k]; i++) {
            snprintf(name, sizeof name, "%s.conv%d", group, i), conv(x, name, 3, 1, 1, filters[k]);
            if (normalise) snprintf(name, sizeof name, "%s.bn%d", group, i), norm(x, name);
            relu(x);
        }
        if (k < 3) pool(x, false);
    }
    whole(x), linear(x, "fc", 3);
}

static void squash(image *x) {
    for (int i = 0; i < N * x->h * x->w * x->c; i++) x->v[i] = tanh(x->v[i]);
}

/* Number k of fixture_small. */
static void by_hand(int k, image *x) {
    switch (k) {
    case 0:
        resnet(x, 1, (const int[]){2, 3, 4, 5}, false);
        break;
    case 1:
        resnet(x, 2, (const int[]){2, 2, 3, 6}, true);
        break;
    case 2:
        wrn(x, 1, 2, 1);
        break;
    case 3:
        wrn(x, 2, 1, 2);
        break;
    case 4:
        vgg(x, (const int[]){2, 3, 5, 6, 8}, (const int[]){1, 1, 1, 1, 1}, true);
        break;
    case 5:
        vgg(x, (const int[]){3, 3, 4, 5, 6}, (const int[]){1, 1, 2, 2, 2}, false);
        break;
    case 6:
        conv(x, "conv1", 3, 1, 1, 2), relu(x), pool(x, false), conv(x, "conv2", 3, 1, 1, 3), relu(x);
        conv(x, "conv3", 3, 1, 1, 3), relu(x), pool(x, false), linear(x, "fc1", 5), relu(x),
            linear(x, "fc2", 3);
        break;
    case 7:
        conv(x, "conv1", 3, 1, 0, 3), norm(x, "bn1"), squash(x);
        conv(x, "conv2", 3, 1, 0, 4), norm(x, "bn2"), squash(x), linear(x, "fc1", 3);
        break;
    default:
        cr_assert_fail("nobody has written down network %d", k);
    }
}

/* Running statistics that are not their start, scales and biases that are not 1 and 0. */
static void disturb(rt_model *m) {
    rt_rng r = rt_rng_stream(5, "disturb", 0, 0);
    for (int i = 0; i < rt_model_parameters(m); i++) {
        rt_parameter *p = rt_model_parameter(m, i);
        if (p->kind == RT_WEIGHT) continue;
        const bool positive = strstr(p->name, "variance") || p->kind == RT_SCALE;
        for (int64_t k = 0; k < rt_tensor_count(&p->tensor); k++)
            rt_real_data(&p->tensor)[k] += (rt_real)(positive ? rt_rng_uniform(&r) : 0.3 * rt_rng_normal(&r));
    }
}

Test(image_forward, is_what_the_papers_draw) {
    static image x;
    static rt_real pixels[N * 2 * SIDE * SIDE];
    fixture_numbers(pixels, N * 2 * SIDE * SIDE, 7);
    for (int k = 0; k < 8; k++)
        for (int mode = 0; mode < 2; mode++) {
            rt_model *m = fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image,
                                              3, 3);
            disturb(m);
            net = m, training = mode == 1;
            x = (image){.h = SIDE, .w = SIDE, .c = 2};
            for (int n = 0; n < N; n++)
                for (int c = 0; c < 2; c++)
                    for (int i = 0; i < SIDE * SIDE; i++)
                        x.v[(n * SIDE * SIDE + i) * 2 + c] = (double)pixels[(n * 2 + c) * SIDE * SIDE + i];
            by_hand(k, &x);
            rt_graph *g = rt_graph_new(NULL);
            if (training) rt_model_train(m, 1, 0, 0);
            const int64_t shape[] = {N, 2, SIDE, SIDE};
            rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, pixels, 4, shape));
            cr_assert(z, "%s: %s", rt_model_summary(m), rt_graph_error(g)->message);
            for (int i = 0; i < N * 3; i++) {
                const double is = (double)rt_real_data(z)[i], tolerance = sizeof(rt_real) == 8 ? 1e-11 : 2e-4;
                cr_assert_float_eq(is, x.v[i], tolerance * fmax(1, fabs(x.v[i])), "%s, %s, %d: %.9g not %.9g",
                                   rt_model_summary(m), training ? "training" : "evaluation", i, is, x.v[i]);
            }
            rt_graph_free(g);
            rt_model_free(m);
        }
}

/* ---- gradients ---- */

static double loss_of(rt_model *m, rt_graph *g, const rt_real *pixels, const int32_t *labels, bool backward) {
    const int64_t shape[] = {N, 2, SIDE, SIDE};
    rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, pixels, 4, shape));
    rt_tensor *loss = rt_cross_entropy(g, z, rt_graph_labels(g, labels, N));
    cr_assert(loss, "%s", rt_graph_error(g)->message);
    if (backward) cr_assert_eq(rt_backward(g, loss), RT_OK);
    const double value = rt_tensor_item(loss);
    rt_graph_reset(g);
    return value;
}

/* Steps of the differences that straddle a kink say nothing: then both halves disagree. */
static bool is_smooth(double middle, double above, double below, double step) {
    return fabs(above - 2 * middle + below) / (step * step) < 1e4;
}

Test(image_forward, gradients_of_whole_networks_are_right) {
    if (sizeof(rt_real) != sizeof(double)) return;
    static rt_real pixels[N * 2 * SIDE * SIDE];
    static const int32_t labels[N] = {2, 0, 1};
    fixture_numbers(pixels, N * 2 * SIDE * SIDE, 7);
    double worst = 0;
    for (int k = 0; k < FIXTURE_SMALL; k++)
        for (int mode = 0; mode < 2; mode++) {
            rt_model *m = fixture_image_model(fixture_small[k].kind, fixture_small[k].settings, fixture_image,
                                              3, 3);
            disturb(m);
            rt_graph *g = rt_graph_new(NULL);
            if (mode) rt_model_train(m, 1, 0, 0);
            const double middle = loss_of(m, g, pixels, labels, true);
            int64_t checked = 0, kinks = 0;
            for (int i = 0; i < rt_model_parameters(m); i++) {
                rt_parameter *p = rt_model_parameter(m, i);
                cr_assert_eq(p->tensor.has_grad, p->kind != RT_BUFFER, "%s", p->name);
                if (p->kind == RT_BUFFER) continue;
                const int64_t n = rt_tensor_count(&p->tensor), stride = n / 12 + 1;
                double largest = 0;
                for (int64_t e = 0; e < n; e++) largest = fmax(largest, fabs((double)p->tensor.grad[e]));
                for (int64_t e = 0; e < n; e += stride) {
                    rt_real *x = rt_real_data(&p->tensor) + e;
                    const double step = 1e-5, was = (double)*x;
                    *x = (rt_real)(was + step);
                    const double above = loss_of(m, g, pixels, labels, false);
                    *x = (rt_real)(was - step);
                    const double below = loss_of(m, g, pixels, labels, false);
                    *x = (rt_real)was;
                    const double numeric = (above - below) / (2 * step), is = (double)p->tensor.grad[e];
                    const double error = fabs(numeric - is) / fmax(1, fmax(fabs(numeric), fabs(is)));
                    if (!(error <= 1e-7) && !is_smooth(middle, above, below, step)) {
                        kinks++;
                        continue;
                    }
                    cr_assert(error <= 1e-7, "%s, %s[%lld]: %.12g, differences say %.12g",
                              rt_model_summary(m), p->name, (long long)e, is, numeric);
                    worst = fmax(worst, error);
                    checked++;
                }
                /* A bias that a batch's mean takes away has no influence in training. */
                const bool idle = mode && strstr(p->name, "conv") && p->kind == RT_BIAS;
                cr_assert(largest > 0 || idle, "%s of %s: no gradient", p->name, rt_model_summary(m));
            }
            cr_assert(kinks * 20 <= checked, "%s: %lld kinks", rt_model_summary(m), (long long)kinks);
            rt_graph_free(g);
            rt_model_free(m);
        }
    cr_log_info("worst error %g", worst);
}
