/* dkd, logit-standardization and dist: gradients of the whole loss against central differences of plain
 * loops in double that are written out from the formulas and know nothing of the library; the
 * decomposition of the KL that dkd rests on; invariances; student = teacher; logits of +-1e4, constant
 * logits, a batch of one; what is refused. (Values of all presets: test_presets.c.) */
#include "distill/method.h"
#include "fixture.h"
#include "retort/ops.h"

enum { ROWS = 6, WIDTH = 5, NUMBERS = ROWS * WIDTH };
static const int32_t labels[ROWS] = {0, 3, 2, 4, 1, 1}, others[ROWS] = {2, 3, 1, 0, 1, 4};
static double v[NUMBERS], z[NUMBERS];

static void draw(void) {
    rt_rng rng = rt_rng_stream(41, "logits", 0, 0);
    for (int i = 0; i < NUMBERS; i++) {
        v[i] = (double)(rt_real)(6 * rt_rng_uniform(&rng) - 3);
        z[i] = (double)(rt_real)(6 * rt_rng_uniform(&rng) - 3);
    }
}

/* ---- the library ---- */

typedef struct answer {
    double loss, term[4], grad[NUMBERS];
} answer;

static rt_params options;

/* The loss of `rows` examples, repeated `times`. lambda 1: no mixup. */
static answer asked(const char *method, const char *settings, int rows, int times, int64_t epoch,
                    double lambda) {
    static rt_real a[4 * NUMBERS], b[4 * NUMBERS];
    static int32_t y[4 * ROWS], y2[4 * ROWS];
    answer out = {0};
    fixture_options(&options, method, settings);
    for (int i = 0; i < times * rows * WIDTH; i++)
        a[i] = (rt_real)v[i % (rows * WIDTH)], b[i] = (rt_real)z[i % (rows * WIDTH)];
    for (int i = 0; i < times * rows; i++) y[i] = labels[i % rows], y2[i] = others[i % rows];
    rt_graph *g = rt_graph_new(NULL);
    int64_t shape[] = {times * rows, WIDTH};
    rti_method_input in = {.graph = g,
                           .y = rt_graph_labels(g, y, shape[0]),
                           .lambda = lambda,
                           .epoch = epoch,
                           .epochs = 100,
                           .v = rt_graph_input(g, a, 2, shape),
                           .z = rt_graph_input(g, b, 2, shape)};
    if (lambda < 1) in.y2 = rt_graph_labels(g, y2, shape[0]);
    in.z->requires_grad = true;
    rti_terms terms = {.count = 0};
    rti_method_find(method)->loss(NULL, &options, &in, &terms);
    rt_tensor *total = rti_terms_total(g, &terms);
    cr_assert(total, "%s", rt_graph_error(g)->message);
    cr_assert_eq(rt_backward(g, total), RT_OK, "%s %s: %s", method, settings, rt_graph_error(g)->message);
    cr_assert(!in.v->has_grad && !in.v->requires_grad, "%s: the teacher has a gradient", method);
    out.loss = rt_tensor_item(total);
    for (int i = 0; i < terms.count; i++) out.term[i] = rt_tensor_item(terms.term[i].value);
    for (int i = 0; i < rows * WIDTH; i++)
        for (int t = 0; t < times; t++) out.grad[i] += (double)in.z->grad[t * rows * WIDTH + i];
    rt_graph_free(g);
    return out;
}

/* ---- the formulas ---- */

static double log_p(const double *row, double T, int k) {
    double m = -INFINITY, s = 0;
    for (int j = 0; j < WIDTH; j++) m = fmax(m, row[j]);
    for (int j = 0; j < WIDTH; j++) s += exp((row[j] - m) / T);
    return (row[k] - m) / T - log(s);
}

static double ce_of(const int32_t *y, int rows) {
    double sum = 0;
    for (int n = 0; n < rows; n++) sum -= log_p(z + n * WIDTH, 1, y[n]);
    return sum / rows;
}

static double kl_row(const double *a, const double *b, double T) {
    double sum = 0;
    for (int k = 0; k < WIDTH; k++) sum += exp(log_p(a, T, k)) * (log_p(a, T, k) - log_p(b, T, k));
    return sum;
}

static double tckd_row(int n, int y, double T) {
    double p = exp(log_p(v + n * WIDTH, T, y)), q = exp(log_p(z + n * WIDTH, T, y));
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
}
static double nckd_row(int n, int y, double T) {
    double p = exp(log_p(v + n * WIDTH, T, y)), q = exp(log_p(z + n * WIDTH, T, y)), sum = 0;
    for (int k = 0; k < WIDTH; k++) {
        if (k == y) continue;
        double a = exp(log_p(v + n * WIDTH, T, k)) / (1 - p), b = exp(log_p(z + n * WIDTH, T, k)) / (1 - q);
        sum += a * log(a / b);
    }
    return sum;
}
static double dkd_of(const int32_t *y, double T, double alpha, double beta) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++) sum += alpha * tckd_row(n, y[n], T) + beta * nckd_row(n, y[n], T);
    return T * T * sum / ROWS;
}

static void scores(const double *row, double *out) {
    double mean = 0, squares = 0;
    for (int k = 0; k < WIDTH; k++) mean += row[k] / WIDTH;
    for (int k = 0; k < WIDTH; k++) squares += (row[k] - mean) * (row[k] - mean);
    for (int k = 0; k < WIDTH; k++) out[k] = (row[k] - mean) / (sqrt(squares / (WIDTH - 1)) + 1e-7);
}

static double pearson(const double *a, const double *b, int count) {
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < count; i++) ma += a[i] / count, mb += b[i] / count;
    for (int i = 0; i < count; i++)
        ab += (a[i] - ma) * (b[i] - mb), aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb);
    return ab / sqrt(aa * bb);
}
static double dist_of(double T, double beta, double gamma) {
    double p[ROWS][WIDTH], q[ROWS][WIDTH], rows = 0, columns = 0;
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < WIDTH; k++)
            p[n][k] = exp(log_p(v + n * WIDTH, T, k)), q[n][k] = exp(log_p(z + n * WIDTH, T, k));
    for (int n = 0; n < ROWS; n++) rows += (1 - pearson(p[n], q[n], WIDTH)) / ROWS;
    for (int k = 0; k < WIDTH; k++) {
        double a[ROWS], b[ROWS];
        for (int n = 0; n < ROWS; n++) a[n] = p[n][k], b[n] = q[n][k];
        columns += (1 - pearson(a, b, ROWS)) / WIDTH;
    }
    return beta * rows + gamma * columns;
}

static double dkd_late(void) { return 0.5 * ce_of(labels, ROWS) + dkd_of(labels, 3, 1.5, 4); }
static double dkd_epoch_4(void) { return ce_of(labels, ROWS) + 0.25 * dkd_of(labels, 4, 1, 8); }
static double dkd_sum(void) { return ce_of(labels, ROWS) + ROWS * dkd_of(labels, 1, 1, 0.5); }
static double dkd_others(void) { return dkd_of(labels, 2, 0, 1); }
static double dkd_mixed(void) {
    return 0.7 * (ce_of(labels, ROWS) + dkd_of(labels, 4, 1, 8)) +
           0.3 * (ce_of(others, ROWS) + dkd_of(others, 4, 1, 8));
}
static double lskd(void) {
    double sum = 0, a[WIDTH], b[WIDTH];
    for (int n = 0; n < ROWS; n++) {
        scores(v + n * WIDTH, a), scores(z + n * WIDTH, b);
        sum += kl_row(a, b, 2);
    }
    return 0.1 * ce_of(labels, ROWS) + 9 * 4 * sum / ROWS;
}
static double dist_both(void) { return ce_of(labels, ROWS) + 2 * 9 * dist_of(3, 0.5, 2); }
static double dist_plain(void) { return ce_of(labels, ROWS) + 2 * dist_of(3, 1, 1); }
static double dist_intra(void) { return 1.5 * dist_of(1, 0, 1); }

static const struct {
    const char *method, *settings;
    int64_t epoch;
    double lambda, (*loss)(void);
} golden[] = {
    {"dkd", "hard_weight=0.5 temperature=3 alpha=1.5 beta=4", 40, 1, dkd_late},
    {"dkd", "", 4, 1, dkd_epoch_4},
    {"dkd", "temperature=1 beta=0.5 warmup=0 reduction=sum", 0, 1, dkd_sum},
    {"dkd", "hard_weight=0 temperature=2 alpha=0 beta=1 warmup=0", 0, 1, dkd_others},
    {"dkd", "warmup=0", 0, 0.7, dkd_mixed},
    {"logit-standardization", "", 0, 1, lskd},
    {"dist", "temperature=3 beta=0.5 gamma=2", 0, 1, dist_both},
    {"dist", "temperature=3 t_squared=false", 0, 1, dist_plain},
    {"dist", "hard_weight=0 weight=1.5 beta=0", 0, 1, dist_intra},
};

Test(logits, values_and_gradients_are_those_of_the_formulas) {
    draw();
    double tolerance = sizeof(rt_real) == 8 ? 1e-10 : 1e-5;
    for (size_t c = 0; c < sizeof golden / sizeof *golden; c++) {
        answer found = asked(golden[c].method, golden[c].settings, ROWS, 1, golden[c].epoch,
                             golden[c].lambda);
        double expected = golden[c].loss(), size = 0;
        cr_assert(fabs(found.loss - expected) <= tolerance * expected, "%s %s: %.15g, expected %.15g",
                  golden[c].method, golden[c].settings, found.loss, expected);
        for (int i = 0; i < NUMBERS; i++) {
            const double step = 1e-5;
            double before = z[i];
            z[i] = before + step;
            double up = golden[c].loss();
            z[i] = before - step;
            double down = golden[c].loss();
            z[i] = before;
            double numeric = (up - down) / (2 * step);
            double error = fabs(found.grad[i] - numeric) / fmax(1, fabs(numeric));
            cr_assert(error <= (sizeof(rt_real) == 8 ? 1e-7 : 1e-4),
                      "%s %s, element %d: %.10g, numerically %.10g", golden[c].method, golden[c].settings, i,
                      found.grad[i], numeric);
            size = fmax(size, fabs(found.grad[i]));
        }
        cr_assert_gt(size, 1e-3, "%s has no gradient", golden[c].method);
    }
}

/* KL = TCKD + (1 - p_t(y)) NCKD, example by example; TCKD and NCKD from the method, KL from loops. */
Test(logits, the_divergence_falls_apart) {
    for (double T = 1; T < 9; T *= 2)
        for (int n = 0; n < ROWS; n++) { /* each example stands first once, alone */
            draw();
            char settings[96];
            snprintf(settings, sizeof settings, "hard_weight=0 alpha=1 beta=1 warmup=0 temperature=%g", T);
            for (int k = 0; k < WIDTH; k++) v[k] = v[n * WIDTH + k], z[k] = z[n * WIDTH + k];
            answer a = asked("dkd", settings, 1, 1, 0, 1); /* of class labels[0] */
            double p = exp(log_p(v, T, labels[0])), whole = kl_row(v, z, T);
            double sum = a.term[0] + (1 - p) * a.term[1];
            cr_assert(fabs(sum - whole) <= (sizeof(rt_real) == 8 ? 1e-12 : 1e-6) * fmax(whole, 1), "%g, %g",
                      sum, whole);
        }
}

/* ---- limits ---- */

static const char *const alone[][2] = {{"dkd", "hard_weight=0 warmup=0"},
                                       {"logit-standardization", "hard_weight=0"},
                                       {"dist", "hard_weight=0"},
                                       {"kd", "alpha=1"},
                                       {"logit-mse", "alpha=1"}};
enum { ALONE = (int)(sizeof alone / sizeof *alone) };

/* Nothing is left at student = teacher, neither value nor gradient; on the way there the loss falls. */
Test(logits, the_minimum_is_the_teacher) {
    for (int m = 0; m < ALONE; m++) {
        double before = INFINITY, size = 0;
        for (int step = 0; step <= 4; step++) {
            draw();
            for (int i = 0; i < NUMBERS; i++) z[i] += (v[i] - z[i]) * step / 4;
            answer a = asked(alone[m][0], alone[m][1], ROWS, 1, 50, 1);
            cr_assert_lt(a.loss, before, "%s rises on the way to the teacher", alone[m][0]);
            before = a.loss;
            if (step == 0) size = a.loss;
            if (step < 4) cr_assert_gt(a.loss, 0);
            if (step < 4) continue;
            cr_assert(fabs(a.loss) <= (sizeof(rt_real) == 8 ? 1e-12 : 1e-5) * fmax(1, size), "%s: %g",
                      alone[m][0], a.loss);
            for (int i = 0; i < NUMBERS; i++)
                cr_assert_lt(fabs(a.grad[i]), sizeof(rt_real) == 8 ? 1e-9 : 1e-4, "%s: %g", alone[m][0],
                             a.grad[i]);
        }
    }
}

static void same(const char *method, const char *settings, double loss, const char *what) {
    double found = asked(method, settings, ROWS, 1, 50, 1).loss;
    cr_assert(fabs(found - loss) <= (sizeof(rt_real) == 8 ? 1e-6 : 1e-4) * loss, "%s, %s: %g, was %g", method,
              what, found, loss);
}

/* z-scores see neither scale nor offset; correlation of a batch does not see its order. */
Test(logits, what_must_not_be_seen) {
    draw();
    double loss = asked("logit-standardization", "hard_weight=0", ROWS, 1, 0, 1).loss;
    for (int i = 0; i < NUMBERS; i++) z[i] = 3 * z[i] + i / WIDTH;
    same("logit-standardization", "hard_weight=0", loss, "scaled and moved");
    draw();
    const char *const shift[] = {"dkd", "dist", "kd"};
    for (int m = 0; m < 3; m++) {
        draw();
        loss = asked(shift[m], "", ROWS, 1, 50, 1).loss;
        for (int i = 0; i < NUMBERS; i++) z[i] += i / WIDTH;
        same(shift[m], "", loss, "moved");
    }
    draw();
    loss = asked("dist", "hard_weight=0", ROWS, 1, 0, 1).loss;
    for (int k = 0; k < WIDTH; k++) {
        double a = z[k], b = v[k];
        z[k] = z[3 * WIDTH + k], v[k] = v[3 * WIDTH + k];
        z[3 * WIDTH + k] = a, v[3 * WIDTH + k] = b;
    }
    same("dist", "hard_weight=0", loss, "another order");
}

static void stays_finite(const char *method, const char *settings, int rows, const char *what) {
    answer a = asked(method, settings, rows, 1, 50, 1);
    cr_assert(isfinite(a.loss), "%s, %s", method, what);
    for (int i = 0; i < rows * WIDTH; i++) cr_assert(isfinite(a.grad[i]), "%s, %s", method, what);
}

Test(logits, extremes_are_finite) {
    static const char *const methods[] = {"dkd", "logit-standardization", "dist", "kd", "logit-mse"};
    for (int m = 0; m < 5; m++)
        for (int kind = 0; kind < 5; kind++) {
            draw();
            for (int i = 0; i < NUMBERS; i++) {
                int n = i / WIDTH, k = i % WIDTH;
                if (kind == 0) z[i] = k == n % WIDTH ? 1e4 : -1e4; /* sure, mostly of the wrong class */
                if (kind == 1) v[i] = k == labels[n] ? 1e4 : -1e4; /* 1 - p is 0 */
                if (kind == 2) z[i] = 2, v[i] = -1;                /* constant */
                if (kind == 3) z[i] = v[i] = k == labels[n] ? 1e4 : -1e4;
                if (kind == 4) z[i] = 5;
            }
            char what[32];
            snprintf(what, sizeof what, "kind %d", kind);
            stays_finite(methods[m], "", ROWS, what);
            stays_finite(methods[m], "", 1, what);
        }
    draw();
    cr_assert_eq(asked("dist", "hard_weight=0 beta=0", 1, 1, 0, 1).loss, 0); /* one example: no correlation */
}

/* ---- what is refused ---- */

static void refuses(const char *method, const char *settings, int64_t classes, rt_status status,
                    const char *reason, const char *instead) {
    rt_error error = {0};
    fixture_options(&options, method, settings);
    cr_assert_eq(rt_method_check(method, &options, classes, &error), status, "%s", method);
    cr_assert(strstr(error.message, reason) && strstr(error.message, instead), "%s", error.message);
}

Test(logits, refusals) {
    refuses("dkd", "", 2, RT_UNSUPPORTED, "2 classes", "kd works");
    refuses("logit-standardization", "", 1, RT_UNSUPPORTED, "one class", "logit-mse");
    refuses("dist", "", 1, RT_UNSUPPORTED, "one class", "logit-mse");
    refuses("dkd", "hard_weight=0 alpha=0 beta=0", 10, RT_SPEC, "all 0", "nothing to learn");
    refuses("dist", "hard_weight=0 beta=0 gamma=0", 10, RT_SPEC, "0", "nothing to learn");
    refuses("logit-standardization", "hard_weight=0 weight=0", 10, RT_SPEC, "both 0", "nothing to learn");
    fixture_options(&options, "dkd", "");
    cr_assert_eq(rt_method_check("dkd", &options, 3, NULL), RT_OK);
}
