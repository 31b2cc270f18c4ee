/* at, nst and fsp: feature methods without adapters, against plain loops in double that are written out from
 * the formulas of the papers and of the published code (names in the tests), every variant of each; gradients
 * against central differences; limits (student = teacher, other scales, other orders of channels), and what
 * is refused. Features are random; the student's and the teacher's differ in channels and in pixels. */
#include "features_rig.h"

enum { PLACES = 64 };

static rig r;

/* Means over the cells of PyTorch's adaptive pooling: (H, W) -> (h, w), one channel. */
static void pool_means(int64_t H, int64_t W, const double *x, int64_t h, int64_t w, double *out) {
    for (int64_t i = 0; i < h; i++)
        for (int64_t j = 0; j < w; j++) {
            double sum = 0;
            int64_t top = i * H / h, bottom = ((i + 1) * H + h - 1) / h, left = j * W / w;
            int64_t right = ((j + 1) * W + w - 1) / w;
            for (int64_t a = top; a < bottom; a++)
                for (int64_t b = left; b < right; b++) sum += x[a * W + b];
            out[i * w + j] = sum / (double)((bottom - top) * (right - left));
        }
}

/* Channel c of example n of one side of pair i, as it lies or as means over h x w cells. */
static void channel(int side, int i, int n, int64_t c, int64_t h, int64_t w, double out[PLACES]) {
    const rti_feature *f = side ? &r.teacher[i] : &r.student[i];
    double all[PLACES];
    for (int64_t a = 0; a < f->shape[0]; a++)
        for (int64_t b = 0; b < f->shape[1]; b++)
            all[a * f->shape[1] + b] = side ? rig_t(&r, i, n, a, b, c) : rig_s(&r, i, n, a, b, c);
    pool_means(f->shape[0], f->shape[1], all, h, w, out);
}

static void to_length_1(int64_t count, double *x) {
    double squares = 0;
    for (int64_t i = 0; i < count; i++) squares += x[i] * x[i];
    for (int64_t i = 0; i < count && squares > 0; i++) x[i] /= sqrt(squares);
}

static void smaller_size(int i, int64_t *h, int64_t *w) {
    const int64_t *s = r.student[i].shape, *t = r.teacher[i].shape;
    *h = s[0] < t[0] ? s[0] : t[0];
    *w = s[1] < t[1] ? s[1] : t[1];
}

/* ---- at ---- */

static const int64_t maps[][2][3] = {
    {{4, 4, 3}, {4, 4, 5}}, {{6, 3, 4}, {3, 3, 2}}, {{2, 2, 2}, {5, 4, 3}}}; /* equal, larger, smaller */

/* Q of example n. */
static void attention(int side, int i, int n, double power, bool max, double q[PLACES]) {
    int64_t h, w;
    smaller_size(i, &h, &w);
    for (int64_t p = 0; p < h * w; p++) q[p] = 0;
    int64_t channels = side ? r.teacher[i].shape[2] : r.student[i].shape[2];
    for (int64_t c = 0; c < channels; c++) {
        double x[PLACES];
        channel(side, i, n, c, h, w, x);
        for (int64_t p = 0; p < h * w; p++) {
            double a = pow(fabs(x[p]), power);
            q[p] = max ? fmax(q[p], a) : q[p] + a;
        }
    }
    to_length_1(h * w, q);
}

/* Per example ||Q_s - Q_t||^2. */
static double attention_squares(int i, int n, double power, bool max) {
    double a[PLACES], b[PLACES], sum = 0;
    int64_t h, w;
    smaller_size(i, &h, &w);
    attention(0, i, n, power, max, a), attention(1, i, n, power, max, b);
    for (int64_t p = 0; p < h * w; p++) sum += (a[p] - b[p]) * (a[p] - b[p]);
    return sum;
}

static double at_expected(int i, double power, bool max, char distance, bool by_size) {
    double sum = 0;
    int64_t h, w;
    smaller_size(i, &h, &w);
    for (int n = 0; n < RIG_N; n++) {
        double squares = attention_squares(i, n, power, max);
        sum += distance == 's' ? squares : distance == 'n' ? sqrt(squares) : sqrt(squares) / 2;
    }
    return sum / RIG_N / (by_size ? (double)(h * w) : 1);
}

Test(features_at, variants) {
    static const struct {
        const char *settings;
        double power;
        bool max;
        char distance;
        bool by_size;
    } variants[] = {
        {"", 2, false, 's', true},
        {"power=1", 1, false, 's', true},
        {"power=4", 4, false, 's', true},
        {"power=1.5 distance=norm", 1.5, false, 'n', true},
        {"map=max", 2, true, 's', true},
        {"map=max power=1 distance=half-norm", 1, true, 'h', true},
        {"by_size=false", 2, false, 's', false},
        {"distance=norm by_size=false", 2, false, 'n', false},
        {"distance=half-norm", 2, false, 'h', true},
    };
    static const char *const stages[] = {"stages=sum", "stages=mean", "stages=last"};
    for (int v = 0; v < 9; v++)
        for (int s = 0; s < 3; s++) {
            char settings[128];
            snprintf(settings, sizeof settings, "%s %s", variants[v].settings, stages[s]);
            double each[3], expected = 0;
            rig_open(&r, "at", settings, 3, maps);
            for (int i = 0; i < 3; i++)
                each[i] = at_expected(i, variants[v].power, variants[v].max, variants[v].distance,
                                      variants[v].by_size);
            expected = s == 2 ? each[2] : (each[0] + each[1] + each[2]) / (s == 1 ? 3 : 1);
            rig_close_to(rig_term(&r, "at"), expected, settings);
            cr_assert(expected > 1e-4 && rig_weight(&r, "at") == 1000 && rig_weight(&r, "ce") == 1);
            rig_close(&r);
        }
}

Test(features_at, gradients) {
    static const char *const variants[] = {"weight=1",
                                           "power=1 weight=1",
                                           "map=max weight=1 power=3",
                                           "distance=half-norm weight=10",
                                           "distance=norm by_size=false weight=1",
                                           "stages=mean map=max power=1 weight=1"};
    for (int v = 0; v < 6; v++) {
        rig_open(&r, "at", variants[v], 3, maps);
        rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
}

/* KD_Lib's loss is 0 whatever the networks say, others' depend on the scale or on the batch's split. */
Test(features_at, what_it_sees_and_what_not) {
    static const int64_t alike[][2][3] = {{{4, 4, 3}, {4, 4, 3}}};
    static const char *const distances[] = {"distance=square", "distance=norm", "distance=half-norm"};
    for (int v = 0; v < 3; v++) {
        rig_open(&r, "at", distances[v], 1, alike);
        double before = rig_term(&r, "at");
        cr_assert_gt(before, 1e-3);
        for (int i = 0; i < RIG_N * 48; i++) r.s[0][i] *= 4; /* scale: nothing */
        rig_close_to(rig_term(&r, "at"), before, "scaled");
        for (int i = 0; i < RIG_N * 48; i += 3) { /* order of channels: nothing */
            rt_real first = r.s[0][i];
            r.s[0][i] = r.s[0][i + 2], r.s[0][i + 2] = first;
        }
        rig_close_to(rig_term(&r, "at"), before, "channels exchanged");
        for (int i = 0; i < 48; i++) r.s[0][i] *= 3; /* one example alone: nothing, it is per example */
        rig_close_to(rig_term(&r, "at"), before, "one example scaled");
        memcpy(r.s[0], r.t[0], sizeof r.s[0]);
        cr_assert_eq(rig_term(&r, "at"), 0, "student = teacher");
        rig_finite(&r); /* where the length of the difference is 0 */
        for (int i = 0; i < RIG_N * 48; i++) r.s[0][i] = -r.s[0][i];
        cr_assert_eq(rig_term(&r, "at"), 0, "the sign of a response does not matter");
        rig_close(&r);
    }
}

Test(features_at, a_map_of_zeros_is_finite) {
    static const char *const variants[] = {
        "", "power=1", "map=max power=1", "map=max", "distance=half-norm", "power=1.5 distance=norm"};
    for (int v = 0; v < 6; v++) {
        rig_open(&r, "at", variants[v], 3, maps);
        memset(r.s[0], 0, sizeof r.s[0]);
        memset(r.s[1], 0, sizeof r.s[1]);
        memset(r.t[1], 0, sizeof r.t[1]);
        memset(r.t[2], 0, sizeof r.t[2]);
        rig_finite(&r);
        rig_close(&r);
    }
}

Test(features_at, presets_and_decay) {
    rig_open(&r, "at", "decay=linear weight=80", 3, maps);
    for (r.epoch = 0; r.epoch < 10; r.epoch++)
        cr_assert_float_eq(rig_weight(&r, "at"), 8 * (10 - (double)r.epoch), 1e-12);
    rig_close(&r);
    static const struct {
        const char *name;
        char distance;
        bool by_size;
        double weight, share;
    } presets[] = {{"official", 's', true, 1000, 1},
                   {"paper", 'h', true, 1000, 1},
                   {"torchdistill-paper", 'n', false, 1, 1},
                   {"kd-zoo", 's', true, 1000, 3}};
    for (int p = 0; p < 4; p++) {
        rt_error error;
        rig_open(&r, "at", "", 3, maps);
        cr_assert_eq(rt_preset_apply("at", presets[p].name, &r.options, &error), RT_OK, "%s", error.message);
        double expected = 0;
        for (int i = 0; i < 3; i++)
            expected += at_expected(i, 2, false, presets[p].distance, presets[p].by_size) / presets[p].share;
        rig_close_to(rig_term(&r, "at"), expected, presets[p].name);
        cr_assert_eq(rig_weight(&r, "at"), presets[p].weight);
        rig_close(&r);
    }
}

Test(features_at, refusals) {
    static const int64_t units[][2][3] = {{{30}, {1200}}}, mixed[][2][3] = {{{4, 4, 3}, {64}}};
    static const int64_t pixel[][2][3] = {{{1, 1, 3}, {4, 4, 3}}};
    rig_refuses("at", "", 1, units, RT_UNSUPPORTED, "without height and width", "sp, pkt, rkd, fitnets");
    rig_refuses("at", "", 1, mixed, RT_UNSUPPORTED, "teacher's \"stage1\" is (64)", "sp, pkt, rkd, fitnets");
    rig_refuses("at", "", 1, pixel, RT_UNSUPPORTED, "1 x 1 pixels are left", "earlier layers");
    rig_refuses("nst", "", 1, units, RT_UNSUPPORTED, "without height and width", "sp, pkt, rkd, fitnets");
    rig_refuses("nst", "", 1, pixel, RT_UNSUPPORTED, "1 x 1 pixels are left", "earlier layers");
}

/* ---- nst ---- */

/* Mean of k(a, b) over the channels of two sides, for one example. */
static double kernel_mean(int i, int n, int side_a, int side_b, bool linear) {
    int64_t h, w, A = side_a ? r.teacher[i].shape[2] : r.student[i].shape[2];
    int64_t B = side_b ? r.teacher[i].shape[2] : r.student[i].shape[2];
    smaller_size(i, &h, &w);
    double sum = 0;
    for (int64_t a = 0; a < A; a++)
        for (int64_t b = 0; b < B; b++) {
            double x[PLACES], y[PLACES], product = 0;
            channel(side_a, i, n, a, h, w, x), channel(side_b, i, n, b, h, w, y);
            to_length_1(h * w, x), to_length_1(h * w, y);
            for (int64_t p = 0; p < h * w; p++) product += x[p] * y[p];
            sum += linear ? product : product * product;
        }
    return sum / (double)(A * B);
}

static double nst_expected(int i, bool linear) {
    double sum = 0;
    for (int n = 0; n < RIG_N; n++)
        sum += kernel_mean(i, n, 1, 1, linear) + kernel_mean(i, n, 0, 0, linear) -
               2 * kernel_mean(i, n, 0, 1, linear);
    return sum / RIG_N;
}

/* More pixels than channels, and fewer: both ways of computing it. */
static const int64_t nst_maps[][2][3] = {
    {{4, 4, 3}, {4, 4, 5}}, {{2, 3, 7}, {4, 6, 9}}, {{6, 6, 2}, {3, 3, 4}}};

Test(features_nst, variants) {
    for (int linear = 0; linear < 2; linear++) {
        rig_open(&r, "nst", linear ? "kernel=linear" : "", 3, nst_maps);
        double sum = 0, last = 0;
        for (int i = 0; i < 3; i++) sum += last = nst_expected(i, linear);
        rig_close_to(rig_term(&r, "nst"), sum, "sum");
        cr_assert(sum > 1e-3 && rig_weight(&r, "nst") == 50);
        fixture_set(&r.options, "stages=mean");
        rig_close_to(rig_term(&r, "nst"), sum / 3, "mean");
        cr_assert_eq(rt_preset_apply("nst", "kd-zoo", &r.options, NULL), RT_OK);
        rig_close(&r);
        rig_open(&r, "nst", linear ? "kernel=linear stages=last" : "stages=last", 3, nst_maps);
        rig_close_to(rig_term(&r, "nst"), last, "last");
        rig_close(&r);
    }
}

Test(features_nst, gradients) {
    for (int linear = 0; linear < 2; linear++) {
        rig_open(&r, "nst", linear ? "kernel=linear" : "", 3, nst_maps);
        rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
}

Test(features_nst, what_it_sees_and_what_not) {
    static const int64_t alike[][2][3] = {{{3, 3, 4}, {3, 3, 4}}, {{2, 2, 8}, {2, 2, 8}}};
    rig_open(&r, "nst", "", 2, alike);
    double before = rig_term(&r, "nst");
    for (int i = 0; i < RIG_N * 36; i += 4) { /* the order, the scale and the sign of channels: nothing */
        rt_real first = r.s[0][i];
        r.s[0][i] = 3 * r.s[0][i + 2], r.s[0][i + 2] = -first;
    }
    rig_close_to(rig_term(&r, "nst"), before, "channels exchanged, scaled, turned");
    for (int i = 0; i < 2; i++) memcpy(r.s[i], r.t[i], sizeof r.s[i]);
    cr_assert(fabs(rig_term(&r, "nst")) < 1e-6, "student = teacher");
    memset(r.s[0], 0, sizeof r.s[0]);
    memset(r.s[1], 0, sizeof r.s[1]);
    rig_finite(&r);
    rig_close(&r);
}

/* ---- fsp ---- */

static const int64_t flows[][2][3] = {{{4, 4, 2}, {6, 6, 2}}, {{4, 4, 3}, {3, 3, 3}}, {{2, 2, 4}, {3, 3, 4}}};

/* G[a][b] of example n between layers i and i + 1 of one side. */
static double flow(int side, int i, int n, int64_t a, int64_t b, bool max) {
    const rti_feature *low = side ? &r.teacher[i] : &r.student[i], *high = low + 1;
    int64_t h = high->shape[0], w = high->shape[1]; /* the later map is never the larger one here */
    double x[PLACES], y[PLACES], sum = 0;
    channel(side, i, n, a, h, w, x), channel(side, i + 1, n, b, h, w, y);
    for (int64_t p = 0; p < h * w && max; p++) {
        int64_t H = low->shape[0], W = low->shape[1];
        x[p] = -1e9;
        for (int64_t u = p / w * H / h; u < (p / w + 1) * H / h; u++)
            for (int64_t v = p % w * W / w; v < (p % w + 1) * W / w; v++)
                x[p] = fmax(x[p], side ? rig_t(&r, i, n, u, v, a) : rig_s(&r, i, n, u, v, a));
    }
    for (int64_t p = 0; p < h * w; p++) sum += x[p] * y[p];
    return sum / (double)(h * w);
}

static double fsp_expected(int i, bool max, char distance) {
    double sum = 0;
    int64_t A = r.student[i].shape[2], B = r.student[i + 1].shape[2];
    for (int n = 0; n < RIG_N; n++)
        for (int64_t b = 0; b < B; b++) {
            double squares = 0;
            for (int64_t a = 0; a < A; a++) {
                double d = flow(0, i, n, a, b, max) - flow(1, i, n, a, b, max);
                squares += d * d;
            }
            sum += distance == 'c' ? sqrt(squares) : squares;
        }
    return sum / RIG_N / (distance == 'm' ? (double)(A * B) : 1);
}

Test(features_fsp, variants) {
    static const char *const pools[] = {"pool=average", "pool=max"};
    static const char *const distances[] = {"frobenius", "mean", "columns"};
    static const char *const stages[] = {"sum", "mean", "last"};
    for (int max = 0; max < 2; max++)
        for (int d = 0; d < 3; d++)
            for (int s = 0; s < 3; s++) {
                char settings[128];
                snprintf(settings, sizeof settings, "form=joint %s distance=%s stages=%s", pools[max],
                         distances[d], stages[s]);
                rig_open(&r, "fsp", settings, 3, flows);
                double first = fsp_expected(0, max, distances[d][0]),
                       last = fsp_expected(1, max, distances[d][0]);
                double expected = s == 2 ? last : (first + last) / (s + 1);
                rig_close_to(rig_term(&r, "fsp"), expected, settings);
                rig_close(&r);
            }
}

Test(features_fsp, gradients) {
    static const char *const variants[] = {"form=joint", "form=joint distance=columns pool=average",
                                           "form=joint distance=mean stages=mean"};
    for (int v = 0; v < 3; v++) {
        rig_open(&r, "fsp", variants[v], 3, flows);
        rig_check_gradient(&r, 1e-6);
        rig_close(&r);
    }
}

Test(features_fsp, two_stages) {
    rig_open(&r, "fsp", "weight=3 hard_weight=2", 3, flows);
    r.first_stage = true;
    rig_loss(&r);
    cr_assert(r.terms.count == 1 && rig_find(&r, "fsp") == 0 && r.terms.term[0].weight == 3);
    rig_check_gradient(&r, 1e-6);
    r.first_stage = false;
    rig_loss(&r);
    cr_assert(r.terms.count == 1 && rig_find(&r, "ce") == 0 && r.terms.term[0].weight == 2,
              "the matrices' loss leaks into the second stage");
    cr_assert_eq(r.method->first_stage_epochs(&r.options, 240), 30);
    cr_assert_eq(r.method->first_stage_epochs(&r.options, 4), 1);
    cr_assert_eq(r.method->first_stage_epochs(&r.options, 1), 0);
    fixture_set(&r.options, "first_stage=1");
    cr_assert_eq(r.method->first_stage_epochs(&r.options, 10), 9);
    rig_close(&r);
}

Test(features_fsp, equal_networks_and_zeros) {
    static const int64_t alike[][2][3] = {{{4, 4, 2}, {4, 4, 2}}, {{2, 2, 3}, {2, 2, 3}}};
    rig_open(&r, "fsp", "form=joint distance=columns", 2, alike);
    cr_assert_gt(rig_term(&r, "fsp"), 0);
    for (int i = 0; i < 2; i++) memcpy(r.s[i], r.t[i], sizeof r.s[i]);
    cr_assert_eq(rig_term(&r, "fsp"), 0);
    rig_finite(&r);
    memset(r.s[0], 0, sizeof r.s[0]);
    rig_finite(&r);
    rig_close(&r);
}

Test(features_fsp, refusals) {
    static const int64_t wide[][2][3] = {{{4, 4, 2}, {4, 4, 2}}, {{2, 2, 3}, {2, 2, 6}}};
    static const int64_t units[][2][3] = {{{4}, {4}}, {{4}, {4}}};
    rig_refuses("fsp", "", 2, wide, RT_UNSUPPORTED, "3 channels and the teacher's \"stage2\" 6",
                "at, sp, nst");
    rig_refuses("fsp", "", 1, wide, RT_UNSUPPORTED, "one pair", "student_taps");
    rig_refuses("fsp", "", 2, units, RT_UNSUPPORTED, "without height and width", "sp, pkt, rkd");
    static rt_error error;
    rig_prepare(&r, "fsp", "", 2, flows);
    r.config.epochs = 1;
    cr_assert(rig_init(&r, &error) == RT_SPEC && strstr(error.message, "joint"), "%s", error.message);
    rig_close(&r);
}
