/* ab, ofd and ft against plain loops in double, written out from the formulas of the papers and of the
 * published code, every variant, with the adapters' own weights; gradients of the whole loss to the
 * student's features and to every parameter of every adapter against central differences; margins against
 * numerical integration; what each stage trains; limits; what is refused. */
#include "distill/relations.h"
#include "features_rig.h"

enum { N = RIG_N };

static rig r;

/* ---- images in double, (N, H, W, C) ---- */

typedef struct image {
    int64_t H, W, C;
    double x[1024];
} image;

static image a, b, c;

static double *at(image *m, int64_t i, int64_t h, int64_t w, int64_t ch) {
    return &m->x[((i * m->H + h) * m->W + w) * m->C + ch];
}
static int64_t numbers(const image *m) { return N * m->H * m->W * m->C; }

static void image_of(image *m, const rti_feature *f, const rt_real *x) {
    bool map = f->ndim == 3;
    *m = (image){map ? f->shape[0] : 1, map ? f->shape[1] : 1, map ? f->shape[2] : f->shape[0], {0}};
    for (int64_t e = 0; e < numbers(m); e++) m->x[e] = (double)x[e];
}

static const rt_real *parameter(int model, const char *name) {
    rt_parameter *p = rti_model_find_parameter(r.adapters.model[model], name);
    cr_assert(p, "%s", name);
    return rt_real_data(&p->tensor);
}

/* y = k * x, kernel size x size with zeros around; k (size, size, C, F); transposed: k (size, size, F, C). */
static void conv(const image *x_, image *y, const rt_real *k, const rt_real *bias, int size, int64_t F,
                 bool turned) {
    image *x = (image *)(uintptr_t)x_;
    *y = (image){x->H, x->W, F, {0}};
    for (int i = 0; i < N; i++)
        for (int64_t h = 0; h < x->H; h++)
            for (int64_t w = 0; w < x->W; w++)
                for (int64_t f = 0; f < F; f++) {
                    double sum = bias ? (double)bias[f] : 0;
                    for (int u = 0; u < size; u++)
                        for (int v = 0; v < size; v++) {
                            int64_t p = turned ? h - u + size / 2 : h + u - size / 2;
                            int64_t q = turned ? w - v + size / 2 : w + v - size / 2;
                            if (p < 0 || q < 0 || p >= x->H || q >= x->W) continue;
                            for (int64_t ch = 0; ch < x->C; ch++)
                                sum += *at(x, i, p, q, ch) *
                                       (double)(turned ? k[((u * size + v) * F + f) * x->C + ch]
                                                       : k[((u * size + v) * x->C + ch) * F + f]);
                        }
                    *at(y, i, h, w, f) = sum;
                }
}

static void units(const image *x_, image *y, const rt_real *weight, int64_t F) {
    image *x = (image *)(uintptr_t)x_;
    *y = (image){1, 1, F, {0}};
    for (int i = 0; i < N; i++)
        for (int64_t f = 0; f < F; f++)
            for (int64_t ch = 0; ch < x->C; ch++)
                *at(y, i, 0, 0, f) += *at(x, i, 0, 0, ch) * (double)weight[f * x->C + ch];
}

/* In training: the batch's own mean and variance; scale 1 and bias 0 at the start. */
static void norm(image *m, const rt_real *scale, const rt_real *bias) {
    double count = (double)(numbers(m) / m->C);
    for (int64_t ch = 0; ch < m->C; ch++) {
        double mean = 0, variance = 0;
        for (int64_t e = ch; e < numbers(m); e += m->C) mean += m->x[e] / count;
        for (int64_t e = ch; e < numbers(m); e += m->C)
            variance += (m->x[e] - mean) * (m->x[e] - mean) / count;
        for (int64_t e = ch; e < numbers(m); e += m->C)
            m->x[e] = (double)scale[ch] * (m->x[e] - mean) / sqrt(variance + 1e-5) + (double)bias[ch];
    }
}

static void leaky(image *m) {
    for (int64_t e = 0; e < numbers(m); e++)
        if (m->x[e] < 0) m->x[e] *= 0.1;
}

/* Means over whole blocks, to H x W. */
static void shrink(image *m, int64_t H, int64_t W) {
    image y = {H, W, m->C, {0}};
    int64_t p = m->H / H, q = m->W / W;
    for (int i = 0; i < N; i++)
        for (int64_t h = 0; h < m->H; h++)
            for (int64_t w = 0; w < m->W; w++)
                for (int64_t ch = 0; ch < m->C; ch++)
                    *at(&y, i, h / p, w / q, ch) += *at(m, i, h, w, ch) / (double)(p * q);
    *m = y;
}

static void align(image *x, image *y) {
    int64_t H = x->H < y->H ? x->H : y->H, W = x->W < y->W ? x->W : y->W;
    shrink(x, H, W), shrink(y, H, W);
}

/* Random numbers into every parameter of every adapter, so that biases and scales take part. */
static void stir(void) {
    rt_rng rng = rt_rng_stream(4, "stir", 0, 0);
    for (int m = 0; m < r.adapters.count; m++)
        for (int p = 0; p < rt_model_parameters(r.adapters.model[m]); p++) {
            rt_parameter *q = rt_model_parameter(r.adapters.model[m], p);
            for (int64_t e = 0; e < rt_tensor_count(&q->tensor) && q->kind != RT_BUFFER; e++)
                rt_real_data(&q->tensor)[e] += (rt_real)(0.2 * rt_rng_uniform(&rng) - 0.1);
        }
}

/* ---- ab and ofd: pairs with other channels, equal ones, other sizes, units ---- */

static const int64_t pairs[][2][3] = {{{4, 4, 2}, {4, 4, 3}},
                                      {{2, 3, 4}, {2, 3, 4}},
                                      {{4, 4, 3}, {2, 2, 2}},
                                      {{2, 2, 3}, {4, 4, 3}},
                                      {{7}, {4}}};
enum { PAIRS = 5 };

/* Student behind its connector in `a`, teacher in `b`, at one size. `adapter` moves on when there is one. */
static void connect(int i, char kind, int *adapter) {
    image_of(&a, &r.student[i], r.s[i]), image_of(&b, &r.teacher[i], r.t[i]);
    bool there = kind == 'a' || (kind == 'n' && a.C != b.C);
    if (there) {
        const rt_real *w = parameter(*adapter, "connector.weight");
        if (r.student[i].ndim == 3) conv(&a, &c, w, NULL, 1, b.C, false);
        else units(&a, &c, w, b.C);
        a = c;
        norm(&a, parameter(*adapter, "norm.scale"), parameter(*adapter, "norm.bias"));
        ++*adapter;
    }
    align(&a, &b);
}

static double boundary(double s, double t, double m) {
    if (s > -m && t <= 0) return (s + m) * (s + m);
    if (s <= m && t > 0) return (s - m) * (s - m);
    return 0;
}

static double ab_expected(char kind, double m, bool mean, bool halving) {
    double total = 0;
    int adapter = 0;
    for (int i = 0; i < r.pairs; i++) {
        connect(i, kind, &adapter);
        double sum = 0;
        for (int64_t e = 0; e < numbers(&a); e++) sum += boundary(a.x[e], b.x[e], m);
        total += sum / (mean ? (double)numbers(&a) : N) * (halving ? pow(2, i - r.pairs + 1) : 1);
    }
    return total;
}

Test(features_ab, variants) {
    static const struct {
        const char *settings;
        char kind;
        double m;
        bool mean, halving;
        int adapters;
    } v[] = {{"", 'a', 1, false, true, 5},
             {"connector=needed", 'n', 1, false, true, 3},
             {"margin=2 reduction=mean halving=false", 'a', 2, true, false, 5},
             {"margin=0.25 halving=false connector=needed", 'n', 0.25, false, false, 3},
             {"margin=0 reduction=mean", 'a', 0, true, true, 5}};
    for (int k = 0; k < 5; k++) {
        char settings[128];
        snprintf(settings, sizeof settings, "form=joint weight=30 %s", v[k].settings);
        rig_open(&r, "ab", settings, PAIRS, pairs);
        cr_assert_eq(r.adapters.count, v[k].adapters);
        stir();
        double expected = ab_expected(v[k].kind, v[k].m, v[k].mean, v[k].halving);
        cr_assert_gt(expected, 0.1);
        rig_close_to(rig_term(&r, "ab"), expected, settings);
        rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
}

/* Boundaries alone, then labels alone; a sum of methods has its part of the labels counted elsewhere. */
Test(features_ab, two_stages) {
    rig_open(&r, "ab", "", PAIRS, pairs);
    r.first_stage = true;
    rig_loss(&r);
    cr_assert(r.terms.count == 1 && rig_find(&r, "ab") == 0 && r.terms.term[0].weight == 0.003);
    rig_close_to(rig_term(&r, "ab"), ab_expected('a', 1, false, true), "first stage");
    rig_check_gradient(&r, 1e-6);
    r.first_stage = false;
    rig_loss(&r);
    cr_assert(r.terms.count == 1 && rig_find(&r, "ce") == 0, "the boundaries leak into the second stage");
    cr_assert_eq(r.method->first_stage_epochs(&r.options, 240), 24);
    cr_assert_eq(r.method->first_stage_epochs(&r.options, 2), 1);
    rig_close(&r);
}

Test(features_ab, limits) {
    static const int64_t alike[][2][3] = {{{2, 3, 4}, {2, 3, 4}}};
    rig_open(&r, "ab", "form=joint connector=none margin=0.5", 1, alike);
    for (int e = 0; e < N * 24; e++)
        r.s[0][e] = r.t[0][e] > 0 ? 0.75f : -0.5f; /* on its side, by the margin */
    cr_assert_eq(rig_term(&r, "ab"), 0);
    rig_finite(&r);
    r.s[0][5] = -r.s[0][5]; /* one neuron on the wrong side */
    cr_assert_gt(rig_term(&r, "ab"), 0.5 * 0.5 / N - 1e-6);
    rig_close(&r);
}

/* E[x | x < 0] of a normal distribution, by the trapezoidal rule. */
Test(features_ofd, margins_of_normal_distributions) {
    static const double cases[][2] = {{0, 1}, {0.7, 0.4}, {-1.3, 2}, {-2, 0.1}, {1, -0.5}, {2.9, 1}};
    for (int k = 0; k < 6; k++) {
        double mu = cases[k][0], sigma = fabs(cases[k][1]), top = 0, bottom = 0, low = mu - 12 * sigma,
               h = -low / 400000;
        for (int i = 0; i <= 400000; i++) {
            double x = low + i * h,
                   p = exp(-(x - mu) * (x - mu) / (2 * sigma * sigma)) * (i == 0 || i == 400000 ? 0.5 : 1);
            top += x * p, bottom += p;
        }
        double found = rti_negative_mean(mu, cases[k][1]);
        cr_assert_float_eq(found, top / bottom, 1e-6, "%g, %g: %g", mu, sigma, found);
    }
    cr_assert_float_eq(rti_negative_mean(0, 1), -sqrt(2 / 3.14159265358979), 1e-12);
    cr_assert_eq(rti_negative_mean(4, 1), -3); /* less than a thousandth lies below 0 */
    cr_assert(rti_negative_mean(2, 0) == 0 && rti_negative_mean(-2, 0) == -2);
}

static double margin_of(int i, int64_t ch) { /* mean of the teacher's negative responses in the batch */
    double sum = 0, count = 0;
    (void)i;
    for (int64_t e = ch; e < numbers(&b); e += b.C)
        if (b.x[e] < 0) sum += b.x[e], count++;
    return count > 0 ? sum / count : 0;
}

static double ofd_expected(char kind, bool mean, bool halving, const double *margins) {
    double total = 0;
    int adapter = 0;
    for (int i = 0; i < r.pairs; i++) {
        connect(i, kind, &adapter);
        double sum = 0;
        for (int64_t e = 0; e < numbers(&a); e++) {
            double t = fmax(b.x[e], margins ? margins[e % b.C] : margin_of(i, e % b.C)), s = a.x[e];
            if (!(s <= t && t <= 0)) sum += (s - t) * (s - t);
        }
        total += sum / (mean ? (double)numbers(&a) : N) * (halving ? pow(2, i - r.pairs + 1) : 1);
    }
    return total;
}

Test(features_ofd, variants) {
    static const struct { const char *settings; char kind; bool mean, halving; } v[] = {
        {"", 'a', false, true}, {"connector=needed reduction=mean", 'n', true, true},
        {"halving=false", 'a', false, false}, {"reduction=mean halving=false", 'a', true, false}};
    for (int k = 0; k < 4; k++) {
        char settings[128];
        snprintf(settings, sizeof settings, "weight=100 margin=batch %s", v[k].settings);
        rig_open(&r, "ofd", settings, PAIRS, pairs);
        stir();
        double expected = ofd_expected(v[k].kind, v[k].mean, v[k].halving, NULL);
        cr_assert_gt(expected, 0.05);
        rig_close_to(rig_term(&r, "ofd"), expected, settings);
        rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
}

/* A network of one kind of layer after the other, with batch normalisation ahead of the relu of "stage1". */
static rt_model *normed_net(int64_t channels) {
    rt_model *m = rti_model_begin("normed", 3, (const int64_t[]){4, 4, 2}, NULL);
    cr_assert(m);
    cr_assert_eq(rti_model_add_conv(m, "conv", channels, &(rti_conv){.kernel = 1, .init = RTI_INIT_HE}, NULL),
                 RT_OK);
    cr_assert_eq(rti_model_add_batch_norm(m, "bn", &(rti_batch_norm){.activation = RT_ACT_RELU}, NULL),
                 RT_OK);
    cr_assert_eq(rti_model_mark(m, RTI_STAGE, "stage1", NULL), RT_OK);
    cr_assert_eq(
        rti_model_add_linear(m, "fc", RIG_CLASSES, &(rti_linear){.bias = true, .init = RTI_INIT_HE}, NULL),
        RT_OK);
    cr_assert_eq(rti_model_end(m, 5, NULL), RT_OK);
    return m;
}

Test(features_ofd, margins_from_the_teachers_batch_norm) {
    static const int64_t one[][2][3] = {{{4, 4, 2}, {4, 4, 3}}};
    rt_model *net = normed_net(3);
    static const rt_real scale[] = {0.5, -1, 2}, bias[] = {0.25, -0.5, 7};
    double margins[3];
    memcpy(rti_model_find_parameter(net, "bn.scale")->tensor.data, scale, sizeof scale);
    memcpy(rti_model_find_parameter(net, "bn.bias")->tensor.data, bias, sizeof bias);
    for (int ch = 0; ch < 3; ch++) margins[ch] = rti_negative_mean((double)bias[ch], (double)scale[ch]);
    rt_teacher *teacher = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
    rig_prepare(&r, "ofd", "weight=100", 1, one);
    r.config.teacher = teacher, r.teacher[0].tap = "stage1.pre";
    rt_error error = {0};
    cr_assert_eq(rig_init(&r, &error), RT_OK, "%s", error.message);
    stir();
    double expected = ofd_expected('a', false, true, margins);
    rig_close_to(rig_term(&r, "ofd"), expected, "margins of a batch norm");
    cr_assert_gt(fabs(expected - ofd_expected('a', false, true, NULL)), 1e-3);
    rig_check_gradient(&r, 1e-6);
    rig_close(&r);
    rt_teacher_free(teacher);
    rt_model_free(net);
}

Test(features_ofd, limits) {
    static const int64_t alike[][2][3] = {{{2, 3, 4}, {2, 3, 4}}};
    rig_open(&r, "ofd", "margin=batch connector=none", 1, alike);
    for (int e = 0; e < N * 24; e++)
        r.s[0][e] = r.t[0][e] > 0 ? r.t[0][e] : -50; /* as negative as it likes */
    cr_assert_eq(rig_term(&r, "ofd"), 0);
    rig_finite(&r);
    for (int e = 0; e < N * 24; e++) r.t[0][e] = 1; /* nothing negative: no margin is measured */
    rig_finite(&r);
    rig_close(&r);
}

/* ---- ft ---- */

static const int64_t ft_shapes[][2][3] = {{{4, 4, 3}, {2, 2, 4}}};

static void chain(const image *from, image *to, int first, bool turned, bool normed) {
    static image x;
    x = *from;
    for (int i = first; i < first + 3; i++) {
        const rt_real *bias = parameter(i, "conv.bias");
        rt_parameter *p = rti_model_find_parameter(r.adapters.model[i], "conv.bias");
        conv(&x, to, parameter(i, "conv.weight"), bias, 3, p->tensor.shape[0], turned);
        if (normed) norm(to, parameter(i, "norm.scale"), parameter(i, "norm.bias"));
        leaky(to);
        x = *to;
    }
}

/* F: one row for each example, of length 1. */
static void factor(image *m, bool collapsed) {
    if (collapsed) {
        image y = {m->H, m->W, 1, {0}};
        for (int64_t e = 0; e < numbers(m); e++) y.x[e / m->C] += m->x[e] * m->x[e] / (double)m->C;
        *m = y;
    }
    int64_t D = numbers(m) / N;
    for (int i = 0; i < N; i++) {
        double squares = 0;
        for (int64_t d = 0; d < D; d++) squares += m->x[i * D + d] * m->x[i * D + d];
        for (int64_t d = 0; d < D; d++) m->x[i * D + d] /= sqrt(squares);
    }
}

static image s, t, told;

/* Adapters: 0-2 encoder, 3-5 decoder, 6-8 translator. The encoder is not normed here. */
static double ft_expected(bool collapsed, bool square, bool translator_norm) {
    image_of(&s, &r.student[0], r.s[0]), image_of(&t, &r.teacher[0], r.t[0]);
    chain(&s, &a, 6, false, translator_norm);
    chain(&t, &b, 0, false, false);
    align(&a, &b);
    factor(&a, collapsed), factor(&b, collapsed);
    double sum = 0;
    for (int64_t e = 0; e < numbers(&a); e++) sum += square ? pow(a.x[e] - b.x[e], 2) : fabs(a.x[e] - b.x[e]);
    return sum / (double)numbers(&a);
}

static double retold_expected(bool normed) {
    double sum = 0;
    image_of(&t, &r.teacher[0], r.t[0]);
    chain(&t, &b, 0, false, normed);
    chain(&b, &told, 3, true, normed);
    for (int64_t e = 0; e < numbers(&t); e++) sum += pow(told.x[e] - t.x[e], 2);
    return sum / (double)numbers(&t);
}

Test(features_ft, variants) {
    static const struct { const char *settings; bool collapsed, square, norm;
    } v[] = {{"", false, false, true},
             {"factor=collapsed", true, false, true},
             {"distance=square", false, true, true},
             {"factor=collapsed distance=square translator_norm=false", true, true, false},
             {"rate=0.8", false, false, true}};
    for (int k = 0; k < 5; k++) {
        char settings[128];
        snprintf(settings, sizeof settings, "weight=2 form=joint %s", v[k].settings);
        rig_open(&r, "ft", settings, 1, ft_shapes);
        cr_assert_eq(r.adapters.count, 9);
        int64_t channels = rti_model_find_parameter(r.adapters.model[2], "conv.bias")->tensor.shape[0];
        cr_assert_eq(channels, k == 4 ? 3 : 2);
        stir();
        double expected = ft_expected(v[k].collapsed, v[k].square, v[k].norm);
        rig_close_to(rig_term(&r, "ft"), expected, settings);
        rig_close_to(rig_term(&r, "paraphraser"), retold_expected(false), "paraphraser");
        cr_assert(expected > 1e-4 && rig_weight(&r, "ft") == 2 && rig_weight(&r, "paraphraser") == 1);
        rig_close(&r);
    }
}

static bool has_gradient(int model) {
    rt_model *m = r.adapters.model[model];
    bool any = false;
    for (int p = 0; p < rt_model_parameters(m); p++) any |= rt_model_parameter(m, p)->tensor.has_grad;
    return any;
}

/* Stage 1: the paraphraser alone. Stage 2: student and translator, on a fixed paraphraser. */
Test(features_ft, two_stages) {
    rig_open(&r, "ft", "paraphraser_norm=true", 1, ft_shapes);
    stir();
    r.first_stage = true;
    rt_tensor *total = rig_loss(&r);
    cr_assert(r.terms.count == 1 && rig_find(&r, "paraphraser") == 0);
    rig_close_to(rt_tensor_item(total), retold_expected(true), "retold");
    cr_assert_eq(rt_backward(r.graph, total), RT_OK);
    cr_assert(!r.feature[0]->has_grad, "the student learns in the first stage");
    for (int m = 0; m < 9; m++) {
        cr_assert_eq(has_gradient(m), m < 6, "first stage, adapter %d", m);
        for (int p = 0; p < rt_model_parameters(r.adapters.model[m]); p++)
            rt_tensor_clear_grad(&rt_model_parameter(r.adapters.model[m], p)->tensor);
    }
    r.first_stage = false;
    rt_real kept[4];
    rt_tensor *mean = &rti_model_find_parameter(r.adapters.model[0], "norm.running_mean")->tensor;
    memcpy(kept, mean->data, sizeof kept);
    cr_assert_eq(rt_backward(r.graph, rig_loss(&r)), RT_OK);
    cr_assert(r.terms.count == 2 && rig_find(&r, "ce") == 0 && rig_find(&r, "ft") == 1);
    for (int m = 0; m < 9; m++) cr_assert_eq(has_gradient(m), m >= 6, "second stage, adapter %d", m);
    cr_assert(r.feature[0]->has_grad);
    cr_assert_arr_eq(mean->data, kept, sizeof kept, "the paraphraser's statistics move in the second stage");
    rig_close(&r);
}

/* The student's features and the translator; the paraphraser, in the stage that trains it. A gradient that is
 * none on purpose (of the encoder in the comparison) is checked above. */
Test(features_ft, gradients) {
    if (sizeof(rt_real) < 8) return;
    static const char *const variants[] = {"weight=2", "weight=2 factor=collapsed",
                                           "weight=3 distance=square"};
    for (int k = 0; k < 3; k++) {
        rig_open(&r, "ft", variants[k], 1, ft_shapes);
        stir();
        rti_adapters all = r.adapters;
        for (int stage = 0; stage < 2;
             stage++) { /* only those adapters that the stage trains are looked at */
            r.first_stage = stage == 0;
            for (int m = stage ? 6 : 0; m < (stage ? 9 : 6); m++)
                for (int p = 0; p < rt_model_parameters(all.model[m]); p++) {
                    rt_parameter *q = rt_model_parameter(all.model[m], p);
                    if (q->kind == RT_BUFFER) continue;
                    static double grad[RIG_NUMBERS];
                    rt_tensor_clear_grad(&q->tensor);
                    cr_assert_eq(rt_backward(r.graph, rig_loss(&r)), RT_OK);
                    cr_assert(q->tensor.has_grad, "%s gets no gradient", q->name);
                    for (int64_t e = 0; e < rt_tensor_count(&q->tensor); e++)
                        grad[e] = (double)q->tensor.grad[e];
                    for (int64_t e = 0; e < rt_tensor_count(&q->tensor); e++)
                        rig_compare(&r, rt_real_data(&q->tensor) + e, grad[e], 1e-6, q->name, (int)e);
                }
        }
        cr_assert_eq(rt_backward(r.graph, rig_loss(&r)), RT_OK);
        static double grad[RIG_NUMBERS];
        for (int64_t e = 0; e < N * 48; e++) grad[e] = (double)r.feature[0]->grad[e];
        for (int64_t e = 0; e < N * 48; e++) rig_compare(&r, &r.s[0][e], grad[e], 1e-6, "student", (int)e);
        rig_close(&r);
    }
}

/* ---- presets, and what is refused ---- */

Test(features_b, presets) {
    static const struct { const char *method, *preset, *term; double weight; } presets[] = {
        {"ab", "repdistiller", "ab", 0.003}, {"ab", "author", "ab", 0.003}, {"ab", "kd-zoo", "ab", 1},
        {"ft", "paper", "ft", 500}, {"ft", "torchdistill", "ft", 1000}, {"ft", "kd-zoo", "ft", 200},
        {"ft", "repdistiller", "ft", 200}};
    for (int k = 0; k < 7; k++) {
        bool ab = presets[k].method[0] == 'a';
        int count;
        const rt_param *rows = rt_method_rows(presets[k].method, &count);
        rig_prepare(&r, presets[k].method, "", 1, ft_shapes);
        rt_params_init(&r.options, rows, count);
        cr_assert_eq(rt_preset_apply(presets[k].method, presets[k].preset, &r.options, NULL), RT_OK);
        cr_assert_eq(rig_init(&r, NULL), RT_OK);
        r.first_stage = ab;
        double expected = !ab      ? ft_expected(k == 6, false, true)
                          : k == 2 ? ab_expected('a', 2, true, false)
                                   : ab_expected(k == 0 ? 'n' : 'a', 1, false, true);
        rig_close_to(rig_term(&r, presets[k].term), expected, presets[k].preset);
        rig_close_to(rig_weight(&r, presets[k].term), presets[k].weight, presets[k].preset);
        rig_close(&r);
    }
    rig_open(&r, "ofd", "margin=batch", PAIRS, pairs);
    int count;
    const rt_param *rows = rt_method_rows("ofd", &count);
    rt_params_init(&r.options, rows, count);
    cr_assert_eq(rt_preset_apply("ofd", "kd-zoo", &r.options, NULL), RT_OK);
    rig_close_to(rig_term(&r, "ofd"), ofd_expected('a', true, false, NULL), "kd-zoo");
    cr_assert_eq(rig_weight(&r, "ofd"), 0.5);
    rig_close(&r);
}

Test(features_b, refusals) {
    static const int64_t mixed[][2][3] = {{{4, 4, 3}, {12}}}, layers[][2][3] = {{{7}, {9}}};
    rig_refuses("ab", "", 1, mixed, RT_UNSUPPORTED, "one has pixels and the other has not", "sp, pkt, rkd");
    rig_refuses("ab", "connector=none", 1, layers, RT_UNSUPPORTED, "without a connector", "\"needed\"");
    rig_refuses("ofd", "margin=batch", 1, mixed, RT_UNSUPPORTED, "one has pixels and the other has not",
                "sp, pkt, rkd");
    rig_refuses("ofd", "", 1, layers, RT_UNSUPPORTED, "batch normalisation", "margin = \"batch\"");
    rig_refuses("ft", "", 1, layers, RT_UNSUPPORTED, "without height and width", "sp, pkt, rkd, fitnets, ab");
    rig_refuses("ft", "", 5, pairs, RT_SPEC, "one pair of layers", "student_taps");
    static rt_error error;
    static const rt_part part = {.count = 7};
    rig_prepare(&r, "ab", "", 1, layers);
    r.config.transfer = &part; /* batches of 3, 3 and 1 */
    cr_assert(rig_init(&r, &error) == RT_SPEC && strstr(error.message, "single example"), "%s",
              error.message);
    rig_close(&r);
    fixture_options(&r.options, "ab", "hard_weight=0");
    cr_assert(rt_method_check("ab", &r.options, 5, &error) == RT_SPEC && strstr(error.message, "joint"));
}
