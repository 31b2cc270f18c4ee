/* fitnets, vid, mgd and reviewkd: feature methods with adapters. Each loss is computed a second time by plain
 * loops in double (volumes.h), from the formulas of the papers and of the published code, with the adapters'
 * own weights: every variant. Gradients of the whole loss, to the student's features and to every parameter
 * of every adapter, are held against central differences; a parameter that the loss does not reach fails. */
#include "volumes.h"

static rig r;
static volume s, t, a, b, c;

static void load(int i) {
    volume_of(&s, &r.student[i], r.s[i]);
    volume_of(&t, &r.teacher[i], r.t[i]);
}

/* ---- fitnets ---- */

typedef const int64_t pair_shape[1][2][3];
static pair_shape equal = {{{4, 4, 3}, {4, 4, 3}}}, wider = {{{4, 4, 3}, {4, 4, 5}}};
static pair_shape halved = {{{6, 6, 3}, {3, 3, 4}}}, doubled = {{{2, 3, 3}, {4, 6, 4}}};
static pair_shape shrunk = {{{5, 6, 2}, {3, 4, 3}}}, units = {{{6}, {9}}};

/* r(s), into `a`. `norm`: conv-bn or conv-bn-relu. */
static void regress(bool norm, bool relu) {
    const rti_feature *f = &r.student[0], *hint = &r.teacher[0];
    const rt_real *w = volume_parameter(&r, 0, "regressor.weight"),
                  *bias = volume_parameter(&r, 0, "regressor.bias");
    int64_t H = f->shape[0], h = hint->shape[0], F = t.C;
    if (f->ndim == 1)
        volume_linear(&s, w, bias, F, &a);
    else if (2 * H == h)
        volume_spread(&s, w, bias, 4, 2, 1, F, &a);
    else if (norm && H == 2 * h)
        volume_conv(&s, w, bias, 3, 2, 1, F, &a);
    else
        volume_conv(&s, w, bias, H - h + 1, 1, 0, F, &a);
    if (norm) volume_norm(&a, volume_parameter(&r, 0, "norm.scale"), volume_parameter(&r, 0, "norm.bias"));
    if (!norm || relu) volume_relu(&a);
}

static double hint_expected(char distance) {
    if (distance == 'h') return volume_squares(&a, &t) / 2 / RIG_N;
    if (distance == 'm') return volume_mse(&a, &t);
    double sum = 0;
    int64_t D = volume_count(&t) / RIG_N;
    for (int n = 0; n < RIG_N; n++) {
        double aa = 0, tt = 0, at = 0;
        for (int64_t i = n * D; i < (n + 1) * D; i++)
            aa += a.x[i] * a.x[i], tt += t.x[i] * t.x[i], at += a.x[i] * t.x[i];
        sum += 2 - 2 * at / sqrt(aa * tt);
    }
    return sum / RIG_N;
}

Test(features_fitnets, variants) {
    static pair_shape *const shapes[] = {&equal, &wider, &halved, &doubled, &shrunk, &units};
    static const char *const regressors[] = {"conv", "conv-bn", "conv-bn-relu", "none"};
    static const char *const distances[] = {"half-squared", "mean", "normalized"};
    for (int p = 0; p < 6; p++)
        for (int k = 0; k < (p == 0 ? 4 : 3); k++)
            for (int d = 0; d < 3; d++) {
                char settings[128];
                snprintf(settings, sizeof settings, "form=joint regressor=%s distance=%s", regressors[k],
                         distances[d]);
                rig_open(&r, "fitnets", settings, 1, *shapes[p]);
                bool is_bare = p == 0 && (k == 0 || k == 3);
                load(0);
                if (is_bare)
                    a = s;
                else
                    regress(k == 1 || k == 2, k == 2);
                cr_assert_eq(r.adapters.count, is_bare ? 0 : 1);
                rig_close_to(rig_term(&r, "hint"), hint_expected(distances[d][0]), settings);
                if (d == p % 3) rig_check_gradient(&r, 1e-6);
                rig_close(&r);
            }
}

/* Ahead of the hint's activation there is none in the regressor. */
Test(features_fitnets, the_regressor_has_the_hints_activation) {
    rig_prepare(&r, "fitnets", "form=joint", 1, wider);
    r.teacher[0].tap = "stage1.pre";
    cr_assert_eq(rig_init(&r, NULL), RT_OK);
    load(0);
    volume_conv(&s, volume_parameter(&r, 0, "regressor.weight"), volume_parameter(&r, 0, "regressor.bias"), 1,
                1, 0, t.C, &a);
    rig_close_to(rig_term(&r, "hint"), hint_expected('h'), "without activation");
    rig_close(&r);
}

/* Stage 1: the hint alone. Stage 2: labels, and the teacher's answers at T = 3 without T^2, lambda 4 -> 1. */
Test(features_fitnets, two_stages) {
    rig_open(&r, "fitnets", "weight=2", 1, wider);
    r.first_stage = true;
    rig_loss(&r);
    cr_assert(r.terms.count == 1 && rig_find(&r, "hint") == 0 && r.terms.term[0].weight == 2);
    load(0), regress(false, true);
    rig_close_to(rig_term(&r, "hint"), hint_expected('h'), "hint");
    rig_check_gradient(&r, 1e-6);
    r.first_stage = false;
    double soft = 0;
    for (int n = 0; n < RIG_N; n++) {
        double p = 0, q = 0, top = 0;
        const rt_real *v = r.v + n * RIG_CLASSES, *z = r.z + n * RIG_CLASSES;
        for (int k = 0; k < RIG_CLASSES; k++) p += exp((double)v[k] / 3), q += exp((double)z[k] / 3);
        for (int k = 0; k < RIG_CLASSES; k++)
            top += exp((double)v[k] / 3) / p * log(exp((double)z[k] / 3) / q);
        soft -= top / RIG_N;
    }
    cr_assert_eq(r.method->first_stage_epochs(&r.options, 10), 5);
    static const double lambdas[] = {4, 3.25, 2.5, 1.75, 1};
    for (int e = 0; e < 5; e++) {
        r.epoch = 5 + e;
        rig_close_to(rig_term(&r, "kd"), soft, "kd");
        cr_assert_float_eq(rig_weight(&r, "kd"), lambdas[e], 1e-12);
        cr_assert(r.terms.count == 2 && rig_weight(&r, "ce") == 1, "the hint leaks into the second stage");
    }
    cr_assert_eq(r.method->temperature(&r.options), 3);
    rig_close(&r);
}

Test(features_fitnets, student_is_teacher_and_zeros) {
    static const char *const distances[] = {"half-squared", "mean", "normalized"};
    for (int d = 0; d < 3; d++) {
        char settings[64];
        snprintf(settings, sizeof settings, "form=joint distance=%s", distances[d]);
        rig_open(&r, "fitnets", settings, 1, equal);
        memset(r.s[0], 0, sizeof r.s[0]);
        rig_finite(&r);
        memcpy(r.s[0], r.t[0], sizeof r.s[0]);
        cr_assert_eq(rig_term(&r, "hint"), 0);
        rig_finite(&r);
        rig_close(&r);
    }
}

Test(features_fitnets, refusals) {
    static pair_shape mixed = {{{4, 4, 3}, {12}}}, apart = {{{4, 4, 3}, {6, 6, 3}}};
    static pair_shape oblong = {{{6, 4, 3}, {4, 3, 3}}};
    rig_refuses("fitnets", "", 1, mixed, RT_UNSUPPORTED, "one has pixels and the other has not",
                "sp, pkt, rkd");
    rig_refuses("fitnets", "", 1, apart, RT_UNSUPPORTED, "4 x 4 pixels", "at, sp, reviewkd");
    rig_refuses("fitnets", "", 1, oblong, RT_UNSUPPORTED, "6 x 4 pixels", "at, sp, reviewkd");
    rig_refuses("fitnets", "regressor=none", 1, wider, RT_UNSUPPORTED, "without a regressor", "\"conv\"");
    static rt_error error;
    rig_prepare(&r, "fitnets", "", 1, wider);
    r.config.epochs = 1;
    cr_assert(rig_init(&r, &error) == RT_SPEC && strstr(error.message, "joint"), "%s", error.message);
    rig_close(&r);
}

/* ---- vid ---- */

static const int64_t vid_shapes[][2][3] = {
    {{4, 4, 3}, {4, 4, 5}}, {{6, 6, 2}, {3, 3, 4}}, {{2, 2, 3}, {4, 4, 6}}, {{6}, {4}}};

/* mu(s), into `a`; t at its size. */
static void predict(int i) {
    const char *const weights[] = {"mean1.weight", "mean2.weight", "mean3.weight"};
    int64_t F;
    load(i);
    F = t.C;
    if (s.H > t.H) {
        volume_pool(&s, t.H, t.W, &c);
        s = c;
    } else if (s.H < t.H) {
        volume_pool(&t, s.H, s.W, &c);
        t = c;
    }
    a = s;
    for (int layer = 0; layer < 3; layer++) {
        const rt_real *w = volume_parameter(&r, i, weights[layer]);
        if (r.student[i].ndim == 1)
            volume_linear(&a, w, NULL, F, &b);
        else
            volume_conv(&a, w, NULL, 1, 1, 0, F, &b);
        if (layer < 2) volume_relu(&b);
        a = b;
    }
}

static double vid_expected(int i) {
    predict(i);
    const rt_real *alpha = volume_parameter(&r, i, "alpha");
    double sum = 0, epsilon = rt_params_real(&r.options, "epsilon");
    for (int64_t e = 0; e < volume_count(&t); e++) {
        double variance = log(1 + exp((double)alpha[e % t.C])) + epsilon;
        sum += 0.5 * ((a.x[e] - t.x[e]) * (a.x[e] - t.x[e]) / variance + log(variance));
    }
    return sum / (double)volume_count(&t);
}

Test(features_vid, variants) {
    static const char *const settings[] = {"", "stages=mean", "stages=last variance=0.3 epsilon=0.001"};
    for (int v = 0; v < 3; v++) {
        rig_open(&r, "vid", settings[v], 4, vid_shapes);
        double sum = 0, last = 0;
        for (int i = 0; i < 4; i++) {
            rt_real *alpha = rt_real_data(&rti_model_find_parameter(r.adapters.model[i], "alpha")->tensor);
            double start = log(1 + exp((double)alpha[0])) + rt_params_real(&r.options, "epsilon");
            rig_close_to(start, rt_params_real(&r.options, "variance"), "variance at the start");
            alpha[0] = -4, alpha[1] = 2; /* channels that differ */
            sum += last = vid_expected(i);
        }
        rig_close_to(rig_term(&r, "vid"), v == 0 ? sum : v == 1 ? sum / 4 : last, settings[v]);
        cr_assert_eq(rig_weight(&r, "vid"), 1);
        rig_close(&r);
    }
}

/* mdistiller's variance is no parameter of its optimiser: here it is one of the adapter, with a gradient. */
Test(features_vid, gradients_reach_the_variance) {
    rig_open(&r, "vid", "", 4, vid_shapes);
    rig_check_gradient(&r, 1e-6);
    rig_close(&r);
    rig_open(&r, "vid", "train_variance=false", 1, vid_shapes);
    cr_assert_eq(rt_backward(r.graph, rig_loss(&r)), RT_OK);
    cr_assert(!rti_model_find_parameter(r.adapters.model[0], "alpha")->tensor.has_grad);
    predict(0);
    rig_close_to(rig_term(&r, "vid"), volume_mse(&a, &t) / 10 + log(5) / 2, "frozen: a tenth of the mse");
    rig_close(&r);
}

Test(features_vid, the_value_may_be_negative_and_zeros_are_finite) {
    rig_open(&r, "vid", "variance=0.001 weight=0.5", 4, vid_shapes);
    for (int i = 0; i < 4; i++) memset(r.s[i], 0, sizeof r.s[i]), memset(r.t[i], 0, sizeof r.t[i]);
    cr_assert_lt(rig_term(&r, "vid"), -10);
    rig_finite(&r);
    rig_close(&r);
    static pair_shape mixed = {{{4, 4, 3}, {12}}};
    rig_refuses("vid", "", 1, mixed, RT_UNSUPPORTED, "one has pixels", "sp, pkt, rkd");
}

/* ---- mgd ---- */

/* The mask, from its definition, onto `a` = align(s). Returns how many numbers are 0. */
static int strike(bool by_channel, double drop) {
    int zeros = 0;
    rt_rng stream = rt_rng_stream(7, "mgd.mask", (uint64_t)r.epoch, (uint64_t)r.step * RTI_PAIRS_MAX);
    for (int64_t n = 0; n < RIG_N; n++)
        for (int64_t i = 0; i < (by_channel ? a.C : a.H * a.W); i++) {
            bool is_struck = rt_rng_uniform(&stream) < drop;
            zeros += is_struck;
            for (int64_t e = 0; is_struck && e < (by_channel ? a.H * a.W : a.C); e++)
                a.x[n * a.H * a.W * a.C + (by_channel ? e * a.C + i : i * a.C + e)] = 0;
        }
    return zeros;
}

static double mgd_expected(bool by_channel, double drop, int *zeros) {
    int generator = r.adapters.count - 1;
    load(0);
    a = s;
    if (s.C != t.C)
        volume_conv(&s, volume_parameter(&r, 0, "align.weight"), volume_parameter(&r, 0, "align.bias"), 1, 1,
                    0, t.C, &a);
    *zeros = strike(by_channel, drop);
    volume_conv(&a, volume_parameter(&r, generator, "conv1.weight"),
                volume_parameter(&r, generator, "conv1.bias"), 3, 1, 1, t.C, &b);
    volume_relu(&b);
    volume_conv(&b, volume_parameter(&r, generator, "conv2.weight"),
                volume_parameter(&r, generator, "conv2.bias"), 3, 1, 1, t.C, &a);
    return volume_squares(&a, &t) / RIG_N;
}

Test(features_mgd, variants) {
    for (int v = 0; v < 8; v++) {
        bool by_channel = v & 1, align = v & 2;
        double drop = v & 4 ? 0.65 : 0.15;
        char settings[64];
        snprintf(settings, sizeof settings, "mask=%s drop=%g", by_channel ? "channel" : "spatial", drop);
        rig_open(&r, "mgd", settings, 1, align ? wider : equal);
        cr_assert_eq(r.adapters.count, align ? 2 : 1);
        int zeros, all = 0;
        for (r.epoch = 0; r.epoch < 3; r.epoch++)
            for (r.step = 0; r.step < 3; r.step++) {
                rig_close_to(rig_term(&r, "mgd"), mgd_expected(by_channel, drop, &zeros), settings);
                all += zeros;
            }
        double share = all / (9.0 * RIG_N * (double)(by_channel ? t.C : 16));
        cr_assert(fabs(share - drop) < 0.15, "%g of them struck out, not %g", share, drop);
        cr_assert_eq(rig_weight(&r, "mgd"), 7e-5);
        fixture_set(&r.options, "weight=1");
        rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
}

/* The mask of a step is a function of seed, epoch and step, and of nothing else. */
Test(features_mgd, masks_are_replayed) {
    rig_open(&r, "mgd", "drop=0.5", 1, wider);
    double first = rig_term(&r, "mgd");
    cr_assert_eq(rig_term(&r, "mgd"), first);
    r.step = 1;
    cr_assert_neq(rig_term(&r, "mgd"), first);
    r.step = 0, r.epoch = 1;
    cr_assert_neq(rig_term(&r, "mgd"), first);
    r.epoch = 0;
    cr_assert_eq(rig_term(&r, "mgd"), first);
    memset(r.s[0], 0, sizeof r.s[0]);
    rig_finite(&r);
    rig_close(&r);
    rig_refuses("mgd", "", 1, halved, RT_UNSUPPORTED, "pixel by pixel", "at, sp, fitnets, reviewkd");
    rig_refuses("mgd", "", 1, units, RT_UNSUPPORTED, "without height and width", "fitnets, vid");
}

/* ---- reviewkd ---- */

static double context_loss(volume *guess, volume *target) {
    double total = volume_mse(guess, target), weight = 1, weights = 1;
    for (int64_t l = 4; l >= 1; l /= 2) {
        if (l >= target->H) continue;
        static volume coarse_guess, coarse_target;
        volume_pool(guess, l, l, &coarse_guess), volume_pool(target, l, l, &coarse_target);
        weight /= 2, weights += weight;
        total += weight * volume_mse(&coarse_guess, &coarse_target);
    }
    return total / weights;
}

/* Convolution and batch norm of adapter m. */
static void transform(int m, const volume *in, int64_t K, int64_t F, volume *out) {
    volume_conv(in, volume_parameter(&r, m, "conv.weight"), NULL, K, 1, K / 2, F, out);
    volume_norm(out, volume_parameter(&r, m, "norm.scale"), volume_parameter(&r, m, "norm.bias"));
}

/* Adapters stand in the order enter, attention, leave of each level, from the shallow end; none at the top
 * pays attention. */
static double review_expected(int levels, bool pooled, int64_t mid) {
    static volume above, x, both, weights, guess;
    double total = 0;
    for (int l = levels - 1; l >= 0; l--) {
        bool top = l == levels - 1;
        load(pooled && top ? l - 1 : l);
        if (pooled && top) {
            volume_pool(&s, 1, 1, &c), s = c;
            volume_pool(&t, 1, 1, &c), t = c;
        }
        transform(3 * l, &s, 1, mid, &x);
        if (!top) {
            volume_nearest(&above, x.H, x.W, &c);
            volume_zero(&both, x.N, x.H, x.W, 2 * mid);
            int64_t pixels = x.N * x.H * x.W;
            for (int64_t p = 0; p < pixels; p++)
                for (int64_t m = 0; m < mid; m++) {
                    both.x[p * 2 * mid + m] = x.x[p * mid + m];
                    both.x[p * 2 * mid + mid + m] = c.x[p * mid + m];
                }
            volume_conv(&both, volume_parameter(&r, 3 * l + 1, "conv.weight"),
                        volume_parameter(&r, 3 * l + 1, "conv.bias"), 1, 1, 0, 2, &weights);
            for (int64_t p = 0; p < pixels; p++)
                for (int64_t m = 0; m < mid; m++)
                    x.x[p * mid + m] = x.x[p * mid + m] / (1 + exp(-weights.x[2 * p])) +
                                       c.x[p * mid + m] / (1 + exp(-weights.x[2 * p + 1]));
        }
        volume_nearest(&x, t.H, t.W, &above);
        transform(3 * l + (top ? 1 : 2), &above, 3, t.C, &guess);
        total += context_loss(&guess, &t);
    }
    return total;
}

/* Odd sizes, and a teacher whose maps are larger and smaller than the student's. */
static const int64_t review_shapes[][2][3] = {
    {{6, 6, 3}, {8, 8, 4}}, {{5, 5, 2}, {4, 4, 3}}, {{2, 2, 4}, {2, 2, 5}}};

Test(features_reviewkd, variants) {
    for (int v = 0; v < 4; v++) {
        bool pooled = v & 1, capped = v & 2;
        char settings[64];
        snprintf(settings, sizeof settings, "pooled=%s mid_max=%d", pooled ? "true" : "false",
                 capped ? 3 : 512);
        rig_open(&r, "reviewkd", settings, 3, review_shapes);
        cr_assert_eq(r.adapters.count, pooled ? 11 : 8);
        rig_close_to(rig_term(&r, "reviewkd"), review_expected(3 + pooled, pooled, capped ? 3 : 4), settings);
        rig_close(&r);
    }
}

Test(features_reviewkd, gradients) {
    static const int64_t small[][2][3] = {{{4, 4, 2}, {4, 4, 3}}, {{3, 3, 2}, {2, 2, 2}}};
    for (int pooled = 0; pooled < 2; pooled++) {
        rig_open(&r, "reviewkd", pooled ? "weight=1" : "weight=1 pooled=false", 2, small);
        r.epoch = 19;
        rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
}

/* Ahead of the activation the mean is over what comes after it. */
Test(features_reviewkd, the_pooled_level_is_what_the_classifier_sees) {
    rig_prepare(&r, "reviewkd", "", 2, review_shapes);
    r.student[1].tap = r.teacher[1].tap = "stage2.pre";
    cr_assert_eq(rig_init(&r, NULL), RT_OK);
    double before = rig_term(&r, "reviewkd");
    rig_close(&r);
    rig_open(&r, "reviewkd", "", 2, review_shapes);
    double after = rig_term(&r, "reviewkd");
    cr_assert(fabs(before - after) > 1e-4);
    for (int i = 0; i < RIG_NUMBERS; i++) {
        if (r.s[1][i] < 0) r.s[1][i] = 0;
        if (r.t[1][i] < 0) r.t[1][i] = 0;
    }
    after = rig_term(&r, "reviewkd");
    rig_close(&r);
    rig_prepare(&r, "reviewkd", "", 2, review_shapes);
    r.student[1].tap = r.teacher[1].tap = "stage2.pre";
    cr_assert_eq(rig_init(&r, NULL), RT_OK);
    for (int i = 0; i < RIG_NUMBERS; i++) {
        if (r.s[1][i] < 0) r.s[1][i] = 0;
        if (r.t[1][i] < 0) r.t[1][i] = 0;
    }
    rig_close_to(rig_term(&r, "reviewkd"), after, "no difference where nothing is negative");
    rig_close(&r);
}

Test(features_reviewkd, warmup_and_refusals) {
    rig_open(&r, "reviewkd", "", 3, review_shapes);
    static const int64_t epochs[] = {0, 9, 18, 19, 20, 100};
    static const double weights[] = {0.25, 2.5, 4.75, 5, 5, 5};
    for (int e = 0; e < 6; e++) {
        r.epoch = epochs[e];
        cr_assert_float_eq(rig_weight(&r, "reviewkd"), weights[e], 1e-12);
    }
    for (int i = 0; i < 3; i++) memset(r.s[i], 0, sizeof r.s[i]), memset(r.t[i], 0, sizeof r.t[i]);
    rig_finite(&r);
    rig_close(&r);
    static const int64_t growing[][2][3] = {{{2, 2, 3}, {4, 4, 3}}, {{4, 4, 3}, {2, 2, 3}}};
    rig_refuses("reviewkd", "", 1, units, RT_UNSUPPORTED, "without height and width", "fitnets, vid");
    rig_refuses("reviewkd", "pooled=false", 1, equal, RT_UNSUPPORTED, "one level", "fitnets");
    rig_refuses("reviewkd", "", 2, growing, RT_UNSUPPORTED, "from large maps to small ones",
                "in their order");
    static rt_part part = {.count = 7};
    static rt_error error;
    rig_prepare(&r, "reviewkd", "", 3, review_shapes);
    r.config.transfer = &part; /* batches of 3, 3 and 1 */
    cr_assert(rig_init(&r, &error) == RT_SPEC && strstr(error.message, "pooled = false"), "%s",
              error.message);
    rig_close(&r);
}
