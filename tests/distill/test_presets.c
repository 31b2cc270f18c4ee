/* Every preset's loss against an implementation of the published formula in plain double loops, written
 * from the table of what others publish and knowing nothing of the options; and who wins when a preset
 * and a user's setting meet. */
#include "distill/method.h"
#include "fixture.h"

enum { ROWS = 6, WIDTH = 5 };
static const int32_t labels[ROWS] = {0, 3, 2, 4, 1, 1};

/* ---- the published formulas ---- */

static double log_p(const double *z, double T, int k) {
    double m = -INFINITY, s = 0;
    for (int j = 0; j < WIDTH; j++) m = fmax(m, z[j]);
    for (int j = 0; j < WIDTH; j++) s += exp((z[j] - m) / T);
    return (z[k] - m) / T - log(s);
}

typedef double numbers[ROWS][WIDTH];

static double ce(numbers z) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++) sum -= log_p(z[n], 1, labels[n]);
    return sum / ROWS;
}
/* sum over classes and batch of first * (log first - log second); `entropy` 0 leaves the first out */
static double soft_sum(numbers first, numbers second, double T, int entropy) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < WIDTH; k++) {
            double p = log_p(first[n], T, k), q = log_p(second[n], T, k);
            sum += exp(p) * (entropy * p - q);
        }
    return sum;
}
static double kl(numbers first, numbers second, double T) { return soft_sum(first, second, T, 1) / ROWS; }
static double soft_ce(numbers p, numbers z, double T) { return soft_sum(p, z, T, 0) / ROWS; }
static double squares(numbers a, numbers b) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < WIDTH; k++) sum += (a[n][k] - b[n][k]) * (a[n][k] - b[n][k]);
    return sum;
}
static double smoothed(numbers z, double on, double off) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < WIDTH; k++) sum -= (k == labels[n] ? on : off) * log_p(z[n], 1, k);
    return sum / ROWS;
}

static double retort(numbers v, numbers z) { return 0.1 * ce(z) + 0.9 * 16 * kl(v, z, 4); }
static double hinton(numbers v, numbers z) { return 0.1 * ce(z) + 0.9 * 400 * soft_ce(v, z, 20); }
static double attention_transfer(numbers v, numbers z) {
    return 0.1 * ce(z) + 0.9 * 16 * soft_sum(v, z, 4, 1) / ROWS;
}
static double repdistiller(numbers v, numbers z) { return 0.1 * ce(z) + 0.9 * 4 * 4 * kl(v, z, 4); }
static double torchdistill(numbers v, numbers z) { return 0.9 * ce(z) + (1 - 0.9) * 16 * kl(v, z, 4); }
static double over_classes(numbers v, numbers z) {
    return (1 - 0.9) * ce(z) + 0.9 * 16 * soft_sum(v, z, 4, 1) / (ROWS * WIDTH);
}
static double kd_zoo(numbers v, numbers z) { return ce(z) + 0.1 * 16 * kl(v, z, 4); }
static double textbrewer(numbers v, numbers z) { return soft_ce(v, z, 4); }
static double mmrazor(numbers v, numbers z) { return ce(z) + 3 * kl(v, z, 1); }
static double mmrazor_fitnets(numbers v, numbers z) {
    return ce(z) + 10 * 36 * soft_sum(v, z, 6, 1) / (ROWS * WIDTH);
}
static double intellabs(numbers v, numbers z) { return 0.5 * ce(z) + 0.5 * kl(v, z, 1); }
static double gnosis(numbers v, numbers z) { return 0.9 * ce(z) + 0.1 * kl(v, z, 4); }
static double keras(numbers v, numbers z) { return 0.1 * ce(z) + 0.9 * kl(v, z, 10); }
static double fitnets(numbers v, numbers z) { return ce(z) + 4 * soft_ce(v, z, 3); }
static double mnn(numbers v, numbers z) { return 0.9 * 400 * kl(z, v, 20) + 0.1 * ce(z); }
/* cross-entropy with the targets 0.1 onehot + 0.9 soft */
static double darknet(numbers v, numbers z) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < WIDTH; k++)
            sum -= (0.1 * (k == labels[n]) + 0.9 * exp(log_p(v[n], 1, k))) * log_p(z[n], 1, k);
    return sum / ROWS;
}
static double mueller(numbers v, numbers z) { return 0.4 * ce(z) + 0.6 * 0.5 * squares(v, z) / ROWS; }
static double ba_caruana(numbers v, numbers z) { return 0.5 * squares(v, z) / ROWS; }
static double smooth_pytorch(numbers v, numbers z) {
    (void)v;
    return smoothed(z, 0.9 + 0.1 / WIDTH, 0.1 / WIDTH);
}
static double smooth_tf_kd(numbers v, numbers z) {
    (void)v;
    return smoothed(z, 0.9, 0.1 / (WIDTH - 1));
}

/* DKD: the label against the rest, and the rest among themselves; from probabilities. */
static double dkd(numbers v, numbers z, double T, double alpha, double beta) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++) {
        double p = exp(log_p(v[n], T, labels[n])), q = exp(log_p(z[n], T, labels[n]));
        sum += alpha * (p * log(p / q) + (1 - p) * log((1 - p) / (1 - q)));
        for (int k = 0; k < WIDTH; k++) {
            if (k == labels[n]) continue;
            double a = exp(log_p(v[n], T, k)) / (1 - p), b = exp(log_p(z[n], T, k)) / (1 - q);
            sum += beta * a * log(a / b);
        }
    }
    return T * T * sum / ROWS;
}
/* in the first of 20 epochs of warm-up */
static double dkd_8(numbers v, numbers z) { return ce(z) + dkd(v, z, 4, 1, 8) / 20; }
static double dkd_2(numbers v, numbers z) { return ce(z) + dkd(v, z, 4, 1, 2) / 20; }
static double dkd_6(numbers v, numbers z) { return ce(z) + dkd(v, z, 4, 1, 6) / 20; }
static double dkd_sum(numbers v, numbers z) { return ce(z) + ROWS * dkd(v, z, 1, 1, 0.5); }

static void scores(numbers z, numbers out) {
    for (int n = 0; n < ROWS; n++) {
        double mean = 0, squares_ = 0;
        for (int k = 0; k < WIDTH; k++) mean += z[n][k] / WIDTH;
        for (int k = 0; k < WIDTH; k++) squares_ += (z[n][k] - mean) * (z[n][k] - mean);
        for (int k = 0; k < WIDTH; k++) out[n][k] = (z[n][k] - mean) / (sqrt(squares_ / (WIDTH - 1)) + 1e-7);
    }
}
static double standardized(numbers v, numbers z, double hard, double weight, double T) {
    numbers a, b;
    scores(v, a), scores(z, b);
    return hard * ce(z) + weight * T * T * kl(a, b, T);
}
static double lskd(numbers v, numbers z) { return standardized(v, z, 0.1, 9, 2); }
static double lskd_same(numbers v, numbers z) { return standardized(v, z, 0.1, 0.9, 4); }
static double lskd_torchdistill(numbers v, numbers z) { return standardized(v, z, 0.5, 9, 2); }

static double pearson(const double *a, const double *b, int count) {
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < count; i++) ma += a[i] / count, mb += b[i] / count;
    for (int i = 0; i < count; i++)
        ab += (a[i] - ma) * (b[i] - mb), aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb);
    return ab / sqrt(aa * bb);
}
static double inter(numbers v, numbers z) {
    double sum = 0, p[WIDTH], q[WIDTH];
    for (int n = 0; n < ROWS; n++) {
        for (int k = 0; k < WIDTH; k++) p[k] = exp(log_p(v[n], 1, k)), q[k] = exp(log_p(z[n], 1, k));
        sum += 1 - pearson(p, q, WIDTH);
    }
    return sum / ROWS;
}
static double intra(numbers v, numbers z) {
    double sum = 0, p[ROWS], q[ROWS];
    for (int k = 0; k < WIDTH; k++) {
        for (int n = 0; n < ROWS; n++) p[n] = exp(log_p(v[n], 1, k)), q[n] = exp(log_p(z[n], 1, k));
        sum += 1 - pearson(p, q, ROWS);
    }
    return sum / WIDTH;
}
static double dist(numbers v, numbers z) { return ce(z) + 2 * inter(v, z) + 2 * intra(v, z); }
static double dist_inter(numbers v, numbers z) { return ce(z) + 2 * inter(v, z); }
static double dist_intra(numbers v, numbers z) { return ce(z) + 2 * intra(v, z); }

/* The made-up teacher's probabilities go through a softmax of their own; the student's T is 1; mean over
 * classes. */
static double made_up(numbers z, double alpha, double T, double peak, double multiplier) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++) {
        double u[WIDTH];
        for (int k = 0; k < WIDTH; k++) u[k] = k == labels[n] ? peak : (1 - peak) / (WIDTH - 1);
        for (int k = 0; k < WIDTH; k++) sum += exp(log_p(u, T, k)) * (log_p(u, T, k) - log_p(z[n], 1, k));
    }
    return (1 - alpha) * ce(z) + alpha * multiplier * sum / (ROWS * WIDTH);
}
static double tf_kd(numbers v, numbers z) {
    (void)v;
    return made_up(z, 0.1, 20, 0.99, 100);
}
static double tf_kd_mobilenet(numbers v, numbers z) {
    (void)v;
    return made_up(z, 0.95, 40, 0.99, 1);
}
static double tf_kd_lib(numbers v, numbers z) {
    (void)v;
    return made_up(z, 0.5, 10, 0.9, 1);
}

static const struct {
    const char *method, *preset;
    double (*loss)(numbers v, numbers z);
} published[] = {
    {"kd", "retort", retort},
    {"kd", "hinton", hinton},
    {"kd", "attention-transfer", attention_transfer},
    {"kd", "repdistiller", repdistiller},
    {"kd", "mdistiller", repdistiller},
    {"kd", "torchdistill", torchdistill},
    {"kd", "haitongli", over_classes},
    {"kd", "takd", over_classes},
    {"kd", "kd-zoo", kd_zoo},
    {"kd", "textbrewer", textbrewer},
    {"kd", "mmrazor", mmrazor},
    {"kd", "mmrazor-fitnets", mmrazor_fitnets},
    {"kd", "intellabs", intellabs},
    {"kd", "gnosis", gnosis},
    {"kd", "keras-io", keras},
    {"kd", "fitnets", fitnets},
    {"kd", "mnn", mnn},
    {"kd", "darknet", darknet},
    {"logit-mse", "mueller", mueller},
    {"logit-mse", "ba-caruana", ba_caruana},
    {"label-smoothing", "pytorch", smooth_pytorch},
    {"label-smoothing", "tf-kd", smooth_tf_kd},
    {"dkd", "mdistiller", dkd_8},
    {"dkd", "mdistiller-resnet", dkd_2},
    {"dkd", "mdistiller-wrn", dkd_6},
    {"dkd", "mmrazor", dkd_sum},
    {"logit-standardization", "lskd", lskd},
    {"logit-standardization", "lskd-same-weight", lskd_same},
    {"logit-standardization", "torchdistill", lskd_torchdistill},
    {"dist", "author", dist},
    {"dist", "paper", dist},
    {"dist", "inter", dist_inter},
    {"dist", "intra", dist_intra},
    {"tf-kd", "author", tf_kd},
    {"tf-kd", "author-mobilenet", tf_kd_mobilenet},
    {"tf-kd", "kd-lib", tf_kd_lib},
};
enum { PUBLISHED = (int)(sizeof published / sizeof *published) };

static double loss_of(const char *method, const rt_params *options, rt_real *v, rt_real *z) {
    rt_graph *g = rt_graph_new(NULL);
    rti_method_input in = {.graph = g, .y = rt_graph_labels(g, labels, ROWS), .epochs = 1};
    in.v = rt_graph_input(g, v, 2, (int64_t[]){ROWS, WIDTH});
    in.z = rt_graph_input(g, z, 2, (int64_t[]){ROWS, WIDTH});
    rti_terms terms = {.count = 0};
    rti_method_find(method)->loss(NULL, options, &in, &terms);
    rt_tensor *total = rti_terms_total(g, &terms);
    cr_assert(total, "%s", rt_graph_error(g)->message);
    double value = rt_tensor_item(total);
    rt_graph_free(g);
    return value;
}

Test(presets, are_what_others_publish) {
    rt_real v[ROWS * WIDTH], z[ROWS * WIDTH];
    numbers vd, zd;
    rt_rng rng = rt_rng_stream(8, "presets", 0, 0);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        vd[i / WIDTH][i % WIDTH] = v[i] = (rt_real)(6 * rt_rng_uniform(&rng) - 3);
        zd[i / WIDTH][i % WIDTH] = z[i] = (rt_real)(6 * rt_rng_uniform(&rng) - 3);
    }
    const double tolerance = sizeof(rt_real) == 8 ? 1e-12 : 2e-6;
    for (int i = 0; i < PUBLISHED; i++) {
        static rt_params options;
        rt_error error;
        fixture_options(&options, published[i].method, "");
        cr_assert_eq(rt_preset_apply(published[i].method, published[i].preset, &options, &error), RT_OK, "%s",
                     error.message);
        double found = loss_of(published[i].method, &options, v, z), expected = published[i].loss(vd, zd);
        cr_assert(fabs(found - expected) <= tolerance * fabs(expected), "%s: %.15g, published %.15g",
                  published[i].preset, found, expected);
    }
}

/* A preset of kd and its like that this file has no formula for is not tested: there must be none. Other
 * methods, of features and of logits, have their presets in test files of their own. */
Test(presets, none_is_without_a_formula_and_a_source) {
    int methods, found = 0;
    const char *const *names = rt_method_names(&methods);
    for (int m = 0; m < methods; m++) {
        int presets;
        const char *const *list = rt_preset_names(names[m], &presets);
        cr_assert_not_null(list);
        bool is_here = false;
        for (int i = 0; i < PUBLISHED; i++) is_here |= !strcmp(published[i].method, names[m]);
        for (int p = 0; p < presets; p++) {
            int hits = 0;
            for (int i = 0; i < PUBLISHED; i++)
                hits += !strcmp(published[i].method, names[m]) && !strcmp(published[i].preset, list[p]);
            cr_assert_eq(hits, is_here ? 1 : 0, "%s %s", names[m], list[p]);
            found += hits;
            cr_assert(strlen(rt_preset_source(names[m], list[p])) > 10);
            cr_assert_not_null(rt_preset_settings(names[m], list[p]));
        }
    }
    cr_assert_eq(found, PUBLISHED);
}

Test(presets, what_a_user_sets_wins_before_and_after) {
    static rt_params options;
    rt_error error;
    fixture_options(&options, "kd", "temperature=9");
    cr_assert_eq(rt_preset_apply("kd", "torchdistill", &options, &error), RT_OK);
    cr_assert_eq(rt_params_real(&options, "temperature"), 9);
    cr_assert_str_eq(rt_params_text(&options, "alpha_on"), "hard");
    fixture_set(&options, "alpha=0.3");
    cr_assert_eq(rt_params_real(&options, "alpha"), 0.3);
    /* another preset on top leaves nothing of the first */
    cr_assert_eq(rt_preset_apply("kd", "mnn", &options, &error), RT_OK);
    cr_assert_str_eq(rt_params_text(&options, "alpha_on"), "soft");
    cr_assert_str_eq(rt_params_text(&options, "direction"), "student-first");
    cr_assert_eq(rt_params_real(&options, "temperature"), 9);
    cr_assert_eq(rt_params_real(&options, "alpha"), 0.3);
}

Test(presets, unknown_names_are_refused_with_the_nearest) {
    static rt_params options;
    rt_error error;
    fixture_options(&options, "kd", "");
    cr_assert_eq(rt_preset_apply("kd", "repdistilller", &options, &error), RT_SPEC);
    cr_assert(strstr(error.message, "did you mean \"repdistiller\"") && strstr(error.message, "mnn"), "%s",
              error.message);
    cr_assert_eq(rt_preset_apply("k-d", "hinton", &options, &error), RT_SPEC);
    cr_assert(strstr(error.message, "did you mean \"kd\""), "%s", error.message);
    fixture_options(&options, "none", "");
    cr_assert_eq(rt_preset_apply("none", "hinton", &options, &error), RT_SPEC);
    cr_assert_null(rt_preset_source("kd", "nonsense"));
    cr_assert_null(rt_preset_names("nonsense", &(int){0}));
}

static void contract_says(const char *settings, const char *words) {
    static rt_params options;
    char text[RT_CONTRACT_BYTES];
    fixture_options(&options, "kd", settings);
    rt_method_contract("kd", &options, text, sizeof text);
    cr_assert(strstr(text, words), "\"%s\" is not in:\n%s", words, text);
}

Test(presets, the_contract_says_it_in_words_and_numbers) {
    contract_says("alpha=0.9 temperature=4", "0.9 * 4^2 KL(softmax(v/4) || softmax(z/4))");
    contract_says("alpha=0.9 temperature=4", "effective weights: 0.1 on CE, 14.4 on the soft term");
    contract_says("alpha=0.9", "KL(teacher || student)");
    contract_says("direction=student-first", "KL(student || teacher), reversed");
    contract_says("t_squared=false", "no factor");
    contract_says("reduction=mean", "1/K KL(");
    contract_says("reduction=sum", "grows with the batch");
    contract_says("alpha_on=hard alpha=0.9", "alpha = 0.9 multiplies the hard (label) term");
    contract_says("weights=free", "alpha is not used");
    contract_says("soft=cross-entropy", "entropy of the targets is not subtracted");
    contract_says("alpha=0", "which is not computed");
    contract_says("", "stages: one");
}
