/* sp, rkd, pkt and cc: relations between the examples of a batch, against plain loops in double that are
 * written out from the formulas of the papers and of the published code (names in the tests), every
 * variant of each; gradients of the whole loss against central differences; what they must not see
 * (rotations, scales, places, the order of the batch), student = teacher, batches of one and two, points
 * that coincide, rows of zeros. */
#define RIG_EXAMPLES 5
#include "features_rig.h"

enum { N = RIG_N, WIDE = 40 };

static rig r;

/* Row n of one side of pair i, flattened. */
static const rt_real *row(int side, int i, int n) {
    return side ? r.t[i] + n * rig_size(&r.teacher[i]) : r.s[i] + n * rig_size(&r.student[i]);
}
static int64_t width(int side, int i) { return rig_size(side ? &r.teacher[i] : &r.student[i]); }

static double product(int side, int i, int a, int b) {
    double sum = 0;
    for (int64_t d = 0; d < width(side, i); d++)
        sum += (double)row(side, i, a)[d] * (double)row(side, i, b)[d];
    return sum;
}
static double cosine(int side, int i, int a, int b) {
    return product(side, i, a, b) / sqrt(product(side, i, a, a) * product(side, i, b, b));
}
static double huber(double d) { return fabs(d) < 1 ? d * d / 2 : fabs(d) - 0.5; }

/* Different widths; maps and units. */
static const int64_t shapes[][2][3] = {{{2, 2, 3}, {2, 3, 4}}, {{7}, {4}}};

static void rotate(rt_real *x, int64_t D, double factor) { /* in the plane of the first two numbers */
    for (int n = 0; n < N; n++) {
        double a = (double)x[n * D], b = (double)x[n * D + 1];
        x[n * D] = (rt_real)(0.6 * a - 0.8 * b), x[n * D + 1] = (rt_real)(0.8 * a + 0.6 * b);
    }
    for (int64_t e = 0; e < N * D; e++) x[e] *= (rt_real)factor;
}

static void exchange_examples(rt_real *x, int64_t D) {
    for (int64_t d = 0; d < D; d++) {
        rt_real first = x[d];
        x[d] = x[3 * D + d], x[3 * D + d] = x[D + d], x[D + d] = first;
    }
}

/* Rotated and scaled student features, and batches in another order on both sides, change nothing. */
static void check_invariance(const char *term, double before) {
    for (int i = 0; i < r.pairs; i++) rotate(r.s[i], width(0, i), 2.5);
    rig_close_to(rig_term(&r, term), before, "rotated and scaled");
    for (int i = 0; i < r.pairs; i++)
        exchange_examples(r.s[i], width(0, i)), exchange_examples(r.t[i], width(1, i));
    rig_close_to(rig_term(&r, term), before, "another order");
}

static const int64_t alike[][2][3] = {{{6}, {6}}};

/* The student's features are the teacher's: nothing is left, but for rounding, and the gradient is 0. */
static void check_equal(const char *method, const char *settings, const char *term) {
    rig_open(&r, method, settings, 1, alike);
    cr_assert_gt(fabs(rig_term(&r, term)), 1e-6);
    memcpy(r.s[0], r.t[0], sizeof r.s[0]);
    double tolerance = sizeof(rt_real) == 8 ? 1e-15 : 1e-7;
    rig_loss(&r);
    rt_tensor *value = r.terms.term[rig_find(&r, term)].value;
    cr_assert(fabs(rt_tensor_item(value)) <= tolerance, "%s: %g", method, rt_tensor_item(value));
    cr_assert_eq(rt_backward(r.graph, value), RT_OK);
    for (int64_t e = 0; e < N * 6; e++) cr_assert(fabs((double)r.feature[0]->grad[e]) <= 1e-6, "%s", method);
    rig_close(&r);
}

/* Batches of `few` examples: nothing, and no gradient that is not 0. One more: something. */
static void check_small(const char *method, const char *settings, const char *term, int few) {
    rig_open(&r, method, settings, 1, alike);
    for (r.N = 1; r.N <= few; r.N++) {
        cr_assert_eq(rig_term(&r, term), 0, "%s, %d examples", method, r.N);
        rt_tensor *value = r.terms.term[rig_find(&r, term)].value;
        cr_assert_eq(rt_backward(r.graph, value), RT_OK);
        for (int64_t e = 0; e < r.N * 6; e++) cr_assert_eq(r.feature[0]->grad[e], 0);
        rig_finite(&r);
    }
    cr_assert_gt(fabs(rig_term(&r, term)), 1e-9, "%s, %d examples", method, r.N);
    rig_finite(&r);
    rig_close(&r);
}

/* Rows of zeros, all of them zeros, two that are equal, all that are equal: finite. */
static void check_degenerate(const char *method, const char *settings) {
    rig_open(&r, method, settings, 1, alike);
    size_t one = 6 * sizeof(rt_real);
    memset(r.s[0], 0, one), rig_finite(&r);
    memset(r.t[0], 0, sizeof r.t[0]), rig_finite(&r);
    memcpy(r.s[0] + 6, r.s[0] + 12, one), rig_finite(&r);
    for (int n = 1; n < N; n++) memcpy(r.s[0] + 6 * n, r.s[0] + 6 * (n - 1), one);
    rig_finite(&r);
    for (int e = 0; e < 6 * N; e++) r.s[0][e] = 0.3f;
    rig_finite(&r);
    rig_close(&r);
}

static void check_preset(const char *method, const char *preset) {
    rt_error error;
    int count;
    const rt_param *rows = rt_method_rows(method, &count);
    rt_params_init(&r.options, rows, count);
    cr_assert_eq(rt_preset_apply(method, preset, &r.options, &error), RT_OK, "%s", error.message);
}

/* ---- sp ---- */

static double sp_expected(int i) {
    double sum = 0;
    for (int a = 0; a < N; a++) {
        double length[2] = {0};
        for (int side = 0; side < 2; side++) {
            for (int b = 0; b < N; b++) length[side] += product(side, i, a, b) * product(side, i, a, b);
            length[side] = sqrt(length[side]);
        }
        for (int b = 0; b < N; b++) {
            double d = product(0, i, a, b) / length[0] - product(1, i, a, b) / length[1];
            sum += d * d;
        }
    }
    return sum / (N * N);
}

Test(relations_sp, variants) {
    static const char *const stages[] = {"stages=sum", "stages=mean", "stages=last"};
    for (int s = 0; s < 3; s++) {
        rig_open(&r, "sp", stages[s], 2, shapes);
        double a = sp_expected(0), b = sp_expected(1), expected = s == 2 ? b : (a + b) / (s + 1);
        rig_close_to(rig_term(&r, "sp"), expected, stages[s]);
        cr_assert(expected > 1e-4 && rig_weight(&r, "sp") == 3000 && rig_weight(&r, "ce") == 1);
        check_invariance("sp", expected);
        if (s < 2) rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
    static const struct { const char *name; double weight, share; } presets[] = {
        {"repdistiller", 3000, 1}, {"torchdistill", 1, 1}, {"kd-zoo", 3000, 2}};
    rig_open(&r, "sp", "", 2, shapes);
    for (int p = 0; p < 3; p++) {
        check_preset("sp", presets[p].name);
        rig_close_to(rig_term(&r, "sp"), (sp_expected(0) + sp_expected(1)) / presets[p].share,
                     presets[p].name);
        cr_assert_eq(rig_weight(&r, "sp"), presets[p].weight);
    }
    rig_close(&r);
}

Test(relations_sp, limits) {
    check_equal("sp", "", "sp");
    check_small("sp", "", "sp", 1);
    check_degenerate("sp", "");
}

/* ---- pkt ---- */

static double pkt_expected(int i, double epsilon) {
    double sum = 0;
    for (int a = 0; a < N; a++) {
        double near[2] = {0};
        for (int side = 0; side < 2; side++)
            for (int b = 0; b < N; b++) near[side] += (1 + cosine(side, i, a, b)) / 2;
        for (int b = 0; b < N; b++) {
            double s = (1 + cosine(0, i, a, b)) / 2 / near[0], t = (1 + cosine(1, i, a, b)) / 2 / near[1];
            sum += t * log((t + epsilon) / (s + epsilon));
        }
    }
    return sum / (N * N);
}

Test(relations_pkt, variants) {
    static const char *const settings[] = {"", "epsilon=0.01 stages=mean", "stages=last epsilon=1e-6"};
    static const double epsilon[] = {1e-7, 0.01, 1e-6};
    for (int s = 0; s < 3; s++) {
        rig_open(&r, "pkt", settings[s], 2, shapes);
        double a = pkt_expected(0, epsilon[s]), b = pkt_expected(1, epsilon[s]);
        double expected = s == 2 ? b : (a + b) / (s + 1);
        rig_close_to(rig_term(&r, "pkt"), expected, settings[s]);
        cr_assert(expected > 1e-4 && rig_weight(&r, "pkt") == 30000);
        check_invariance("pkt", expected);
        if (s < 2) rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
    rig_open(&r, "pkt", "", 2, shapes);
    check_preset("pkt", "kd-zoo");
    rig_close_to(rig_term(&r, "pkt"), pkt_expected(0, 1e-6) + pkt_expected(1, 1e-6), "kd-zoo");
    cr_assert_eq(rig_weight(&r, "pkt"), 10000);
    rig_close(&r);
}

/* The teacher stands first, and the divergence is not symmetric. */
Test(relations_pkt, direction) {
    rig_open(&r, "pkt", "", 1, alike);
    double forward = rig_term(&r, "pkt");
    static rt_real kept[RIG_NUMBERS];
    memcpy(kept, r.s[0], sizeof kept), memcpy(r.s[0], r.t[0], sizeof kept), memcpy(r.t[0], kept, sizeof kept);
    double backward = rig_term(&r, "pkt");
    rig_close_to(backward, pkt_expected(0, 1e-7), "exchanged");
    cr_assert_gt(fabs(forward - backward), 1e-3 * forward);
    rig_close(&r);
}

Test(relations_pkt, limits) {
    check_equal("pkt", "", "pkt");
    check_small("pkt", "", "pkt", 1);
    check_degenerate("pkt", "");
}

/* ---- rkd ---- */

static bool scaled; /* features are scaled to length 1 first */

static double coordinate(int side, int i, int n, int64_t d) {
    return (double)row(side, i, n)[d] / (scaled ? sqrt(product(side, i, n, n)) : 1);
}
static double between(int side, int i, int a, int b) {
    double sum = 0;
    for (int64_t d = 0; d < width(side, i); d++) {
        double x = coordinate(side, i, a, d) - coordinate(side, i, b, d);
        sum += x * x;
    }
    return sqrt(sum);
}
static double distance_expected(int i) {
    double mean[2] = {0}, sum = 0;
    int positive[2] = {0};
    for (int side = 0; side < 2; side++)
        for (int a = 0; a < N; a++)
            for (int b = 0; b < N; b++)
                mean[side] += between(side, i, a, b), positive[side] += between(side, i, a, b) > 0;
    for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++)
            sum += huber(between(0, i, a, b) / (mean[0] / positive[0]) -
                         between(1, i, a, b) / (mean[1] / positive[1]));
    return sum / (N * N);
}
static double angle_at(int side, int i, int a, int j, int b) {
    double sum = 0;
    if (between(side, i, a, j) == 0 || between(side, i, b, j) == 0) return 0;
    for (int64_t d = 0; d < width(side, i); d++)
        sum += (coordinate(side, i, a, d) - coordinate(side, i, j, d)) *
               (coordinate(side, i, b, d) - coordinate(side, i, j, d));
    return sum / between(side, i, a, j) / between(side, i, b, j);
}
static double angle_expected(int i) {
    double sum = 0;
    for (int j = 0; j < N; j++)
        for (int a = 0; a < N; a++)
            for (int b = 0; b < N; b++) sum += huber(angle_at(0, i, a, j, b) - angle_at(1, i, a, j, b));
    return sum / (N * N * N);
}

Test(relations_rkd, variants) {
    static const char *const settings[] = {"", "stages=mean normalize=true", "stages=last weight=0.5"};
    for (int s = 0; s < 3; s++) {
        scaled = s == 1;
        rig_open(&r, "rkd", settings[s], 2, shapes);
        double d[] = {distance_expected(0), distance_expected(1)},
               a[] = {angle_expected(0), angle_expected(1)};
        double distance = s == 2 ? d[1] : (d[0] + d[1]) / (s + 1),
               angle = s == 2 ? a[1] : (a[0] + a[1]) / (s + 1);
        rig_close_to(rig_term(&r, "distance"), distance, settings[s]);
        rig_close_to(rig_term(&r, "angle"), angle, settings[s]);
        double outer = s == 2 ? 0.5 : 1;
        cr_assert(rig_weight(&r, "distance") == 25 * outer && rig_weight(&r, "angle") == 50 * outer);
        cr_assert(distance > 1e-3 && angle > 1e-3);
        if (s < 2) rig_check_gradient(&r, 1e-6);
        check_invariance("distance", distance);
        rig_close_to(rig_term(&r, "angle"), angle, "rotated");
        if (s != 1) { /* moved */
            for (int64_t e = 0; e < N * width(0, 1); e++) r.s[1][e] += e % width(0, 1) == 3 ? 1.5f : 0.25f;
            rig_close_to(rig_term(&r, "angle"), angle, "moved");
            rig_close_to(rig_term(&r, "distance"), distance, "moved");
        }
        rig_close(&r);
    }
    static const struct { const char *name; double distance, angle; bool scaled;
    } presets[] = {{"repdistiller", 25, 50, false},
                   {"author", 1, 2, false},
                   {"mmrazor", 25, 50, true},
                   {"kd-lib", 0.5, 0.5, false}};
    rig_open(&r, "rkd", "", 1, shapes);
    for (int p = 0; p < 4; p++) {
        check_preset("rkd", presets[p].name);
        scaled = presets[p].scaled;
        double total = rt_tensor_item(rig_loss(&r)),
               ce = rt_tensor_item(r.terms.term[rig_find(&r, "ce")].value);
        rig_close_to(total,
                     ce + presets[p].distance * distance_expected(0) + presets[p].angle * angle_expected(0),
                     presets[p].name);
    }
    rig_close(&r);
}

Test(relations_rkd, each_term_alone) {
    rig_open(&r, "rkd", "angle_weight=0", 1, shapes);
    cr_assert(rig_weight(&r, "angle") == 0 && rig_find(&r, "distance") >= 0 && rig_find(&r, "angle") < 0);
    rig_close(&r);
    rig_open(&r, "rkd", "distance_weight=0", 1, shapes);
    cr_assert(rig_weight(&r, "angle") == 50 && rig_find(&r, "distance") < 0);
    rig_close(&r);
}

/* Two examples that coincide are no pair with a distance: not in the mean, and without an angle. */
Test(relations_rkd, coincident_points) {
    scaled = false;
    rig_open(&r, "rkd", "", 1, alike);
    memcpy(r.s[0], r.s[0] + 12, 6 * sizeof(rt_real));
    rig_close_to(rig_term(&r, "distance"), distance_expected(0), "distance");
    rig_close_to(rig_term(&r, "angle"), angle_expected(0), "angle");
    rig_finite(&r);
    rig_close(&r);
}

Test(relations_rkd, limits) {
    check_equal("rkd", "", "distance");
    check_equal("rkd", "normalize=true", "angle");
    check_small("rkd", "", "distance", 2);
    check_small("rkd", "", "angle", 2);
    check_degenerate("rkd", "");
    check_degenerate("rkd", "normalize=true");
}

/* ---- cc ---- */

/* Embedding or features of example n, D numbers; scaled to length 1 when asked. */
static int64_t cc_row(int side, int n, bool unit, double out[WIDE]) {
    int64_t D = width(side, 0), units = D;
    if (r.adapters.count) {
        rt_model *m = r.adapters.model[side];
        const rt_real *w = rt_real_data(&rt_model_parameter(m, 0)->tensor);
        const rt_real *b = rt_real_data(&rt_model_parameter(m, 1)->tensor);
        units = rt_model_parameter(m, 1)->tensor.shape[0];
        for (int64_t u = 0; u < units; u++) {
            out[u] = (double)b[u];
            for (int64_t d = 0; d < D; d++) out[u] += (double)w[u * D + d] * (double)row(side, 0, n)[d];
        }
    } else
        for (int64_t d = 0; d < D; d++) out[d] = (double)row(side, 0, n)[d];
    double squares = 0;
    for (int64_t u = 0; u < units; u++) squares += out[u] * out[u];
    for (int64_t u = 0; u < units && unit; u++) out[u] /= sqrt(squares);
    return units;
}

static double cc_delta_expected(void) {
    double sum = 0, s[WIDE], t[WIDE], before[WIDE] = {0};
    for (int n = 0; n < N; n++) {
        int64_t units = cc_row(0, n, false, s);
        cc_row(1, n, false, t);
        for (int64_t u = 0; u < units; u++) {
            double delta = fabs(s[u] - t[u]);
            if (n) sum += delta * before[u];
            before[u] = delta;
        }
    }
    return sum / (N - 1);
}

static double cc_kernel(int side, int a, int b, double gamma, int order) {
    double x[WIDE], y[WIDE], cosine_ = 0, sum = 0, factorial = 1;
    int64_t units = cc_row(side, a, true, x);
    cc_row(side, b, true, y);
    for (int64_t u = 0; u < units; u++) cosine_ += x[u] * y[u];
    for (int p = 0; p <= order; p++) {
        if (p) factorial *= p;
        sum += exp(-2 * gamma) * pow(2 * gamma, p) / factorial * pow(cosine_, p);
    }
    return sum;
}

static double cc_gaussian_expected(double gamma, int order, bool square) {
    double sum = 0;
    for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++) {
            double d = cc_kernel(0, a, b, gamma, order) - cc_kernel(1, a, b, gamma, order);
            sum += d * d;
        }
    return (square ? sum : sqrt(sum)) / (N * N);
}

Test(relations_cc, delta) {
    rig_open(&r, "cc", "embedding=7", 1, shapes);
    rig_close_to(rig_term(&r, "cc"), cc_delta_expected(), "embedded");
    cr_assert(rig_weight(&r, "cc") == 0.02 && r.adapters.count == 2);
    fixture_set(&r.options, "weight=1");
    rig_check_gradient(&r, 1e-6);
    /* both embeddings collapsed: nothing, as the file says */
    for (int i = 0; i < 2; i++) {
        int64_t count;
        rt_real *block = rt_model_block(r.adapters.model[i], &count);
        memset(block, 0, (size_t)count * sizeof *block);
    }
    cr_assert_eq(rig_term(&r, "cc"), 0);
    rig_finite(&r);
    rig_close(&r);
    rig_open(&r, "cc", "embedding=0 weight=1", 1, alike);
    rig_close_to(rig_term(&r, "cc"), cc_delta_expected(), "as they are");
    rig_check_gradient(&r, 1e-6);
    rig_close(&r);
}

Test(relations_cc, gaussian) {
    static const struct { const char *settings; double gamma; int order; bool square; } variants[] = {
        {"embedding=0", 0.4, 2, true},
        {"embedding=7", 0.4, 2, true},
        {"embedding=0 gamma=1.5 order=5", 1.5, 5, true},
        {"embedding=0 distance=norm order=1", 0.4, 1, false},
        {"embedding=7 distance=norm order=3", 0.4, 3, false}};
    for (int v = 0; v < 5; v++) {
        char settings[96];
        snprintf(settings, sizeof settings, "form=gaussian weight=1 %s", variants[v].settings);
        rig_open(&r, "cc", settings, 1, shapes);
        double expected = cc_gaussian_expected(variants[v].gamma, variants[v].order, variants[v].square);
        rig_close_to(rig_term(&r, "cc"), expected, settings);
        cr_assert_gt(expected, 1e-4);
        rig_check_gradient(&r, 1e-6);
        if (!r.adapters.count) check_invariance("cc", expected);
        rig_close(&r);
    }
    /* the series is the kernel: exp(-gamma ||a - b||^2) */
    rig_open(&r, "cc", "form=gaussian embedding=0", 1, shapes);
    double a[WIDE], b[WIDE], squares = 0;
    int64_t units = cc_row(0, 0, true, a);
    cc_row(0, 1, true, b);
    for (int64_t u = 0; u < units; u++) squares += (a[u] - b[u]) * (a[u] - b[u]);
    cr_assert_float_eq(cc_kernel(0, 0, 1, 0.4, 12), exp(-0.4 * squares), 1e-7);
    check_preset("cc", "kd-zoo");
    rig_close_to(rig_term(&r, "cc"), cc_gaussian_expected(0.4, 2, true), "kd-zoo");
    cr_assert_eq(rig_weight(&r, "cc"), 100);
    check_preset("cc", "paper");
    rig_close_to(rig_weight(&r, "cc"), 0.003, "paper");
    rig_close(&r);
}

Test(relations_cc, limits) {
    check_equal("cc", "form=gaussian embedding=0", "cc");
    check_equal("cc", "form=gaussian embedding=0 distance=norm", "cc");
    check_equal("cc", "embedding=0", "cc");
    check_small("cc", "embedding=0", "cc", 1);
    check_small("cc", "form=gaussian embedding=0", "cc", 1);
    check_degenerate("cc", "embedding=0");
    check_degenerate("cc", "form=gaussian embedding=0 distance=norm");
    check_degenerate("cc", "embedding=3");
}

/* ---- what is refused ---- */

static void refuses_batch(const char *method, const char *settings, int64_t batch, const char *word) {
    static rt_error error;
    rig_prepare(&r, method, settings, 1, alike);
    r.config.batch = batch;
    cr_assert_eq(rig_init(&r, &error), RT_SPEC, "%s", method);
    cr_assert(strstr(error.message, word), "%s", error.message);
    rig_close(&r);
}

Test(relations, refusals) {
    refuses_batch("sp", "", 1, "at least 2 examples");
    refuses_batch("pkt", "", 1, "at least 2 examples");
    refuses_batch("cc", "", 1, "at least 2 examples");
    refuses_batch("rkd", "", 2, "at least 3 examples");
    refuses_batch("rkd", "angle_weight=0", 2, "at least 3 examples");
    refuses_batch("rkd", "", 5000, "angle_weight = 0");
    static const int64_t apart[][2][3] = {{{6}, {8}}};
    rig_refuses("cc", "embedding=0", 1, apart, RT_UNSUPPORTED, "6 numbers", "embedding = 128");
    rig_refuses("cc", "", 2, shapes, RT_SPEC, "one pair of layers", "student_taps");
}
