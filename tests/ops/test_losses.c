/* Losses, distances, reductions and normalisation: values and gradients against closed forms that
 * plain double loops compute here, and against identities:
 *   d CE/dz = (p - y)/N;  d(T^2 KL)/dz = T (q - p)/N, for T -> infinity (z~ - v~)/(K N);
 *   impossible classes and a duplicated batch change nothing; the smoothing forms convert into each
 *   other; the direction of KL against golden numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "graph/notes.h"
#include "retort/ops.h"

enum { N = 4, K = 5 };
#define IN_DOUBLE (sizeof(rt_real) == 8)
#define TOLERANCE (IN_DOUBLE ? 1e-12 : 2e-6)

static void near(double found, double expected, const char *what) {
    double error = fabs(found - expected) / fmax(1e-3, fabs(expected));
    cr_assert(error <= TOLERANCE, "%s: %.17g, expected %.17g", what, found, expected);
}

static void draw(rt_real *x, int64_t count, double size, uint64_t number) {
    rt_rng r = rt_rng_stream(5, "losses", 0, number);
    for (int64_t i = 0; i < count; i++) x[i] = (rt_real)(size * (2 * rt_rng_uniform(&r) - 1));
}

/* log softmax(z/T)_k by the definition, shifted. */
static double log_p(const rt_real *z, int classes, double T, int k) {
    double m = -INFINITY, s = 0;
    for (int j = 0; j < classes; j++) m = fmax(m, (double)z[j]);
    for (int j = 0; j < classes; j++) s += exp(((double)z[j] - m) / T);
    return ((double)z[k] - m) / T - log(s);
}

static double kl_rows(const rt_real *a, const rt_real *b, int rows, int classes, double T) {
    double sum = 0;
    for (int n = 0; n < rows; n++)
        for (int k = 0; k < classes; k++) {
            double la = log_p(a + n * classes, classes, T, k), lb = log_p(b + n * classes, classes, T, k);
            sum += exp(la) * (la - lb);
        }
    return sum / rows;
}

static rt_tensor *leaf(rt_graph *g, const rt_real *data, int64_t rows, int64_t columns) {
    rt_tensor *t = rt_graph_input(g, data, 2, (int64_t[]){rows, columns});
    cr_assert(t);
    t->requires_grad = true;
    return t;
}

static const int32_t labels[N] = {1, 4, 0, 2};

/* ---- cross-entropy ---- */

Test(losses, cross_entropy_is_its_definition) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real z[N * K];
    draw(z, N * K, 3, 1);
    rt_tensor *zt = leaf(g, z, N, K), *loss = rt_cross_entropy(g, zt, rt_graph_labels(g, labels, N));
    cr_assert_eq(rt_backward(g, loss), RT_OK);
    double expected = 0;
    for (int n = 0; n < N; n++) expected -= log_p(z + n * K, K, 1, labels[n]) / N;
    near(rt_tensor_item(loss), expected, "value");
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++)
            near(zt->grad[n * K + k], (exp(log_p(z + n * K, K, 1, k)) - (k == labels[n])) / N, "(p - y)/N");
    rt_graph_free(g);
}

Test(losses, soft_cross_entropy_is_entropy_and_divergence) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real v[N * K], z[N * K];
    draw(v, N * K, 4, 2), draw(z, N * K, 4, 3);
    const double T = 2.5;
    rt_tensor *p = rt_softmax(g, rt_graph_input(g, v, 2, (int64_t[]){N, K}), T), *zt = leaf(g, z, N, K);
    rt_tensor *loss = rt_cross_entropy_soft(g, p, zt, T);
    cr_assert_eq(rt_backward(g, loss), RT_OK);
    double entropy = 0;
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++) {
            double l = log_p(v + n * K, K, T, k);
            entropy -= exp(l) * l / N;
        }
    near(rt_tensor_item(loss), entropy + kl_rows(v, z, N, K, T), "H(p) + KL(p||q)");
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++) {
            double p_k = exp(log_p(v + n * K, K, T, k)), q_k = exp(log_p(z + n * K, K, T, k));
            near(zt->grad[n * K + k], (q_k - p_k) / (T * N), "(q - p)/(T N)");
        }
    rt_graph_free(g);
}

/* One-hot targets at T = 1 are labels; a target of 0 never meets the logarithm. */
Test(losses, onehot_targets_are_labels) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real z[N * K], onehot[N * K] = {0};
    draw(z, N * K, 3, 4);
    z[0] = -INFINITY;
    for (int n = 0; n < N; n++) onehot[n * K + labels[n]] = 1;
    rt_tensor *zt = rt_graph_input(g, z, 2, (int64_t[]){N, K});
    rt_tensor *soft = rt_cross_entropy_soft(g, rt_graph_input(g, onehot, 2, (int64_t[]){N, K}), zt, 1);
    rt_tensor *hard = rt_cross_entropy(g, zt, rt_graph_labels(g, labels, N));
    near(rt_tensor_item(soft), rt_tensor_item(hard), "one-hot targets");
    rt_graph_free(g);
}

Test(losses, smoothing_forms_convert_into_each_other) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real z[N * K];
    draw(z, N * K, 3, 5);
    rt_tensor *zt = rt_graph_input(g, z, 2, (int64_t[]){N, K}), *y = rt_graph_labels(g, labels, N);
    const double e = 0.13;
    double uniform = rt_tensor_item(rt_cross_entropy_smooth(g, zt, y, e * K / (K - 1), RT_SMOOTHING_UNIFORM));
    double others = rt_tensor_item(rt_cross_entropy_smooth(g, zt, y, e, RT_SMOOTHING_OTHERS));
    near(uniform, others, "uniform at e K/(K-1)");
    double expected = 0;
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++)
            expected -= (k == labels[n] ? 1 - e : e / (K - 1)) * log_p(z + n * K, K, 1, k) / N;
    near(others, expected, "others by the definition");
    cr_assert(fabs(others - rt_tensor_item(rt_cross_entropy_smooth(g, zt, y, e, RT_SMOOTHING_UNIFORM))) >
                  1e-3,
              "at equal epsilon the forms must differ");
    rt_graph_free(g);
}

Test(losses, no_smoothing_is_cross_entropy_to_the_bit) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real z[N * K];
    draw(z, N * K, 3, 6);
    for (int form = 0; form < 2; form++) {
        rt_tensor *y = rt_graph_labels(g, labels, N), *a = leaf(g, z, N, K), *b = leaf(g, z, N, K);
        rt_tensor *plain = rt_cross_entropy(g, a, y),
                  *smooth = rt_cross_entropy_smooth(g, b, y, 0, (rt_smoothing)form);
        cr_assert_eq(rt_tensor_item(plain), rt_tensor_item(smooth));
        cr_assert_eq(rt_backward(g, plain), RT_OK);
        cr_assert_eq(rt_backward(g, smooth), RT_OK);
        cr_assert_arr_eq(a->grad, b->grad, sizeof z);
    }
    rt_graph_free(g);
}

/* ---- KL ---- */

Test(losses, kl_is_its_definition_in_both_directions) {
    rt_real v[N * K], z[N * K];
    draw(v, N * K, 5, 7), draw(z, N * K, 5, 8);
    const double temperatures[] = {0.5, 1, 4, 20};
    for (int i = 0; i < 4; i++) {
        double T = temperatures[i];
        rt_graph *g = rt_graph_new(NULL);
        rt_tensor *vt = rt_graph_input(g, v, 2, (int64_t[]){N, K}), *zt = leaf(g, z, N, K);
        rt_tensor *kl = rt_scale(g, rt_kl_divergence(g, vt, zt, T), T * T);
        cr_assert_eq(rt_backward(g, kl), RT_OK);
        near(rt_tensor_item(kl), T * T * kl_rows(v, z, N, K, T), "T^2 KL(teacher || student)");
        for (int n = 0; n < N; n++)
            for (int k = 0; k < K; k++) {
                double p = exp(log_p(v + n * K, K, T, k)), q = exp(log_p(z + n * K, K, T, k));
                near(zt->grad[n * K + k], T * (q - p) / N, "T (q - p)/N");
            }
        rt_tensor *reverse = rt_kl_divergence_reverse(g, vt, zt, T);
        near(rt_tensor_item(reverse), kl_rows(z, v, N, K, T), "KL(student || teacher)");
        rt_graph_free(g);
    }
}

/* What stands in the notes of a batch is softened once for each temperature; what does not, or finds no room,
 * by each op for itself. */
Test(losses, a_noted_target_is_softened_once_and_changes_no_bit) {
    enum { TEMPERATURES = RTI_NOTES_SOFT + 2 };
    rt_real v[N * K], z[N * K], loss[2][TEMPERATURES], gradient[2][TEMPERATURES][N * K];
    draw(v, N * K, 6, 1), draw(z, N * K, 4, 2);
    rt_graph *g = rt_graph_new(NULL);
    cr_assert(g);
    rti_notes notes;
    rti_notes_init(&notes);
    rti_graph_use_notes(g, &notes);
    for (int noted = 0; noted < 2; noted++) {
        rti_notes_begin(&notes, NULL, 0);
        rt_tensor *target = rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){N, K}, NULL);
        cr_assert(target);
        memcpy(rt_real_data(target), v, sizeof v);
        if (noted) rti_notes_target(&notes, target);
        for (int turn = 0; turn < 2; turn++) /* the second finds what the first has made */
            for (int t = 0; t < TEMPERATURES; t++) {
                rt_tensor *of_z = leaf(g, z, N, K), *kl = rt_kl_divergence(g, target, of_z, 1 + 0.5 * t);
                cr_assert(kl && rt_backward(g, kl) == RT_OK);
                loss[noted][t] = rt_real_data(kl)[0];
                memcpy(gradient[noted][t], of_z->grad, sizeof gradient[noted][t]);
                const rti_soft_targets *soft = rti_notes_soften(g, target, 1 + 0.5 * t);
                cr_assert_eq(soft, noted && t < RTI_NOTES_SOFT ? &notes.soft[t] : NULL);
                rt_graph_reset(g);
            }
        cr_assert_eq(notes.soft_count, noted ? RTI_NOTES_SOFT : 0);
        cr_assert_null(rti_notes_soften(g, NULL, 1));
        rt_tensor_free(target);
    }
    cr_assert(memcmp(loss[0], loss[1], sizeof loss[0]) == 0);
    cr_assert(memcmp(gradient[0], gradient[1], sizeof gradient[0]) == 0);
    rt_graph_free(g);
    rti_notes_deinit(&notes);
}

/* p = (1/2, 1/4, 1/4), q = (1/3, 1/3, 1/3):  KL(p||q) = log 3 - 3/2 log 2 = 0.0588915...
 * KL(q||p) = 5/3 log 2 - log 3 = 0.0566330...   Computed with logarithms of whole numbers. */
Test(losses, golden_numbers_tell_the_direction) {
    rt_graph *g = rt_graph_new(NULL);
    const rt_real v[] = {(rt_real)0.69314718055994530942, 0, 0}, z[] = {7, 7, 7};
    rt_tensor *vt = rt_graph_input(g, v, 2, (int64_t[]){1, 3}),
              *zt = rt_graph_input(g, z, 2, (int64_t[]){1, 3});
    near(rt_tensor_item(rt_kl_divergence(g, vt, zt, 1)), 0.058891517828191, "teacher first");
    near(rt_tensor_item(rt_kl_divergence_reverse(g, vt, zt, 1)), 0.056633012265132, "student first");
    near(rt_tensor_item(rt_kl_divergence(g, zt, vt, 1)), 0.056633012265132, "arguments exchanged");
    rt_graph_free(g);
}

/* Hinton, Vinyals, Dean 2015, eq. 4: at high temperature the gradient is that of logit matching. */
Test(losses, high_temperature_is_logit_matching) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real v[N * K], z[N * K];
    draw(v, N * K, 5, 9), draw(z, N * K, 5, 10);
    const double T = 1000;
    rt_tensor *zt = leaf(g, z, N, K);
    rt_tensor *loss =
        rt_scale(g, rt_kl_divergence(g, rt_graph_input(g, v, 2, (int64_t[]){N, K}), zt, T), T * T);
    cr_assert_eq(rt_backward(g, loss), RT_OK);
    double squares = 0;
    for (int n = 0; n < N; n++) {
        double zm = 0, vm = 0;
        for (int k = 0; k < K; k++) zm += (double)z[n * K + k] / K, vm += (double)v[n * K + k] / K;
        for (int k = 0; k < K; k++) {
            double d = ((double)z[n * K + k] - zm) - ((double)v[n * K + k] - vm);
            squares += d * d / (2.0 * K * N);
            double expected = d / (K * N), found = zt->grad[n * K + k];
            cr_assert(fabs(found - expected) <= 0.01 * 5.0 / (K * N), "gradient %g, limit %g", found,
                      expected);
        }
    }
    cr_assert(fabs(rt_tensor_item(loss) - squares) <= 0.01 * squares, "value %g, limit %g",
              rt_tensor_item(loss), squares);
    rt_graph_free(g);
}

/* Classes with logit -1e4 in both nets have probability 0: a mean over classes would shrink. */
Test(losses, impossible_classes_change_nothing) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real v[N * K], z[N * K], v2[N * 2 * K], z2[N * 2 * K];
    draw(v, N * K, 3, 11), draw(z, N * K, 3, 12);
    for (int n = 0; n < N; n++)
        for (int k = 0; k < 2 * K; k++) {
            v2[n * 2 * K + k] = k < K ? v[n * K + k] : (rt_real)-1e4;
            z2[n * 2 * K + k] = k < K ? z[n * K + k] : (rt_real)-1e4;
        }
    rt_tensor *vt = rt_graph_input(g, v, 2, (int64_t[]){N, K}),
              *zt = rt_graph_input(g, z, 2, (int64_t[]){N, K});
    rt_tensor *vt2 = rt_graph_input(g, v2, 2, (int64_t[]){N, 2 * K}),
              *zt2 = rt_graph_input(g, z2, 2, (int64_t[]){N, 2 * K});
    rt_tensor *y = rt_graph_labels(g, labels, N);
    near(rt_tensor_item(rt_kl_divergence(g, vt2, zt2, 3)), rt_tensor_item(rt_kl_divergence(g, vt, zt, 3)),
         "KL");
    near(rt_tensor_item(rt_kl_divergence_reverse(g, vt2, zt2, 3)),
         rt_tensor_item(rt_kl_divergence_reverse(g, vt, zt, 3)), "reversed");
    near(rt_tensor_item(rt_cross_entropy(g, zt2, y)), rt_tensor_item(rt_cross_entropy(g, zt, y)),
         "cross-entropy");
    rt_graph_free(g);
}

Test(losses, a_duplicated_batch_changes_nothing) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real v[2 * N * K], z[2 * N * K];
    int32_t y[2 * N];
    draw(v, N * K, 3, 13), draw(z, N * K, 3, 14);
    memcpy(v + N * K, v, sizeof v / 2), memcpy(z + N * K, z, sizeof z / 2);
    memcpy(y, labels, sizeof labels), memcpy(y + N, labels, sizeof labels);
    double once[4], twice[4];
    for (int copies = 1; copies <= 2; copies++) {
        double *to = copies == 1 ? once : twice;
        rt_tensor *vt = rt_graph_input(g, v, 2, (int64_t[]){copies * N, K});
        rt_tensor *zt = rt_graph_input(g, z, 2, (int64_t[]){copies * N, K}),
                  *yt = rt_graph_labels(g, y, copies * N);
        to[0] = rt_tensor_item(rt_cross_entropy(g, zt, yt));
        to[1] = rt_tensor_item(rt_kl_divergence(g, vt, zt, 4));
        to[2] = rt_tensor_item(rt_cross_entropy_soft(g, rt_softmax(g, vt, 4), zt, 4));
        to[3] = rt_tensor_item(rt_cross_entropy_smooth(g, zt, yt, 0.1, RT_SMOOTHING_UNIFORM));
    }
    for (int i = 0; i < 4; i++) near(twice[i], once[i], "duplicated");
    rt_graph_free(g);
}

Test(losses, huge_logits_stay_finite) {
    rt_graph *g = rt_graph_new(NULL);
    const rt_real v[] = {10000, -10000, 0, 10000, -10000, 3}, z[] = {-10000, 10000, 0, 1, 2, 10000};
    const int32_t y[] = {0, 1};
    const double temperatures[] = {0.01, 1, 20};
    for (int i = 0; i < 3; i++) {
        double T = temperatures[i];
        rt_tensor *vt = leaf(g, v, 2, 3), *zt = leaf(g, z, 2, 3), *yt = rt_graph_labels(g, y, 2);
        rt_tensor *all = rt_add(g, rt_kl_divergence(g, vt, zt, T), rt_kl_divergence_reverse(g, vt, zt, T));
        all = rt_add(g, all, rt_cross_entropy(g, zt, yt));
        all = rt_add(g, all, rt_cross_entropy_soft(g, rt_softmax(g, vt, T), zt, T));
        all = rt_add(g, all, rt_cross_entropy_smooth(g, zt, yt, 0.1, RT_SMOOTHING_OTHERS));
        all = rt_add(g, all, rt_mean(g, rt_log_softmax(g, zt, T), RT_ALL_AXES));
        cr_assert_eq(rt_backward(g, all), RT_OK, "%s", rt_graph_error(g)->message);
        for (int k = 0; k < 6; k++) cr_assert(isfinite(zt->grad[k]) && isfinite(vt->grad[k]));
    }
    rt_tensor *one = rt_graph_input(g, z, 2, (int64_t[]){1, 3});
    near(rt_tensor_item(rt_cross_entropy(g, one, rt_graph_labels(g, y, 1))), 20000, "20000 below the top");
    rt_graph_free(g);
}

Test(losses, equal_logits_have_no_divergence_and_no_gradient) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real v[N * K];
    draw(v, N * K, 5, 15);
    rt_tensor *vt = leaf(g, v, N, K), *zt = leaf(g, v, N, K), *kl = rt_kl_divergence(g, vt, zt, 2);
    cr_assert_eq(rt_tensor_item(kl), 0);
    cr_assert_eq(rt_backward(g, kl), RT_OK);
    for (int i = 0; i < N * K; i++) cr_assert(zt->grad[i] == 0 && vt->grad[i] == 0);
    rt_graph_free(g);
}

/* ---- refusals ---- */

static void refused(rt_graph *g, const rt_tensor *result, rt_status status, const char *words) {
    cr_assert_null(result);
    cr_assert_eq(rt_graph_status(g), status, "%s: %s", words, rt_graph_error(g)->message);
    cr_assert(strstr(rt_graph_error(g)->message, words), "\"%s\" is not in \"%s\"", words,
              rt_graph_error(g)->message);
    rt_graph_reset(g);
}

Test(losses, wrong_inputs_are_refused) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real z[N * K] = {0};
    const int32_t high[N] = {0, 1, K, 2}, low[N] = {0, -1, 1, 2};
#define Z(rows) rt_graph_input(g, z, 2, (int64_t[]){rows, K})
    refused(g, rt_cross_entropy(g, Z(N), rt_graph_labels(g, high, N)), RT_VALUE, "label 5 of row 2");
    refused(g, rt_cross_entropy_smooth(g, Z(N), rt_graph_labels(g, low, N), 0.1, RT_SMOOTHING_UNIFORM),
            RT_VALUE, "label -1 of row 1");
    refused(g, rt_cross_entropy(g, Z(3), rt_graph_labels(g, labels, N)), RT_SHAPE, "one label for each row");
    refused(g, rt_cross_entropy(g, Z(0), rt_graph_labels(g, labels, 0)), RT_SHAPE, "empty batch");
    refused(g, rt_cross_entropy(g, Z(N), rt_graph_input(g, z, 1, (int64_t[]){N})), RT_VALUE, "whole numbers");
    refused(g, rt_cross_entropy(g, rt_graph_input(g, z, 1, (int64_t[]){N}), rt_graph_labels(g, labels, N)),
            RT_SHAPE, "(N, K)");
    refused(g, rt_cross_entropy_smooth(g, Z(N), rt_graph_labels(g, labels, N), 1.5, RT_SMOOTHING_UNIFORM),
            RT_VALUE, "epsilon is 1.5");
    refused(g, rt_kl_divergence(g, Z(N), Z(3), 1), RT_SHAPE, "(4, 5) and (3, 5)");
    refused(g, rt_kl_divergence(g, Z(0), Z(0), 1), RT_SHAPE, "empty batch");
    refused(g, rt_kl_divergence(g, Z(N), Z(N), 0), RT_VALUE, "temperature is 0");
    refused(g, rt_kl_divergence_reverse(g, Z(N), Z(N), -1), RT_VALUE, "temperature is -1");
    refused(g, rt_cross_entropy_soft(g, Z(N), Z(N), NAN), RT_VALUE, "temperature is");
    refused(g, rt_log_softmax(g, Z(N), INFINITY), RT_VALUE, "temperature is inf");
    refused(g, rt_mse(g, Z(N), Z(3)), RT_SHAPE, "equal");
    refused(g, rt_mse(g, Z(0), Z(0)), RT_SHAPE, "nothing to average");
    refused(g, rt_smooth_l1(g, Z(N), Z(N), 0), RT_VALUE, "beta is 0");
    refused(g, rt_cosine_similarity(g, Z(N), Z(3), 1e-8), RT_SHAPE, "equal");
    refused(g, rt_l2_normalize(g, Z(N), 2, 1e-8), RT_SHAPE, "no axis 2");
    refused(g, rt_l2_normalize(g, Z(N), 1, 0), RT_VALUE, "epsilon is 0");
    refused(g, rt_sum(g, Z(N), RT_AXIS(2)), RT_SHAPE, "not there");
    refused(g, rt_sum(g, Z(N), 0), RT_VALUE, "no axis");
    refused(g, rt_mean(g, Z(0), RT_AXIS(0)), RT_SHAPE, "no elements");
    refused(g, rt_max(g, Z(0), RT_ALL_AXES), RT_SHAPE, "no elements");
    refused(g, rt_variance(g, Z(1), RT_AXIS(0), 1), RT_VALUE, "leave nothing");
    rt_rng stream = rt_rng_stream(1, "x", 0, 0);
    refused(g, rt_dropout(g, Z(N), 1, &stream), RT_VALUE, "rate is 1");
    refused(g, rt_dropout(g, Z(N), -0.1, &stream), RT_VALUE, "rate is -0.1");
    rt_graph_free(g);
}

/* ---- distances ---- */

Test(losses, distances_are_their_definitions) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real a[N * K], b[N * K];
    draw(a, N * K, 2, 16), draw(b, N * K, 2, 17);
    rt_tensor *at = rt_graph_input(g, a, 2, (int64_t[]){N, K});
    /* b column by column: the ops must follow strides */
    rt_real columns[N * K];
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++) columns[k * N + n] = b[n * K + k];
    rt_tensor *bt = rt_transpose(g, rt_graph_input(g, columns, 2, (int64_t[]){K, N}), 0, 1);
    double squares = 0, absolute = 0, huber = 0;
    const double beta = 0.7;
    for (int i = 0; i < N * K; i++) {
        double d = (double)a[i] - (double)b[i], size = fabs(d);
        squares += d * d / (N * K), absolute += size / (N * K);
        huber += (size < beta ? 0.5 * d * d / beta : size - 0.5 * beta) / (N * K);
    }
    near(rt_tensor_item(rt_mse(g, at, bt)), squares, "mse");
    near(rt_tensor_item(rt_l1(g, at, bt)), absolute, "l1");
    near(rt_tensor_item(rt_smooth_l1(g, at, bt, beta)), huber, "smooth l1");
    rt_tensor *c = rt_cosine_similarity(g, at, bt, 1e-8);
    cr_assert(c && c->ndim == 1 && c->shape[0] == N);
    for (int n = 0; n < N; n++) {
        double aa = 0, bb = 0, ab = 0;
        for (int k = n * K; k < (n + 1) * K; k++)
            aa += (double)a[k] * (double)a[k], bb += (double)b[k] * (double)b[k],
                ab += (double)a[k] * (double)b[k];
        near(rt_real_data(c)[n], ab / sqrt(aa * bb), "cosine");
    }
    rt_graph_free(g);
}

/* ---- reductions ---- */

Test(losses, reductions_follow_strides_and_axes) {
    rt_graph *g = rt_graph_new(NULL);
    enum { A = 3, B = 4, C = 5 };
    rt_real x[A * B * C];
    draw(x, A * B * C, 2, 18);
    x[7] = 9, x[11] = -9;
    rt_tensor *t = rt_graph_input(g, x, 3, (int64_t[]){A, B, C}),
              *turned = rt_transpose(g, t, 0, 2); /* (C, B, A) */
    rt_tensor *sum = rt_sum(g, turned, RT_AXIS(0) | RT_AXIS(2)),
              *mean = rt_mean(g, turned, RT_AXIS(1) | RT_KEEP_DIMS);
    rt_tensor *largest = rt_max(g, turned, RT_AXIS(1)), *smallest = rt_min(g, turned, RT_ALL_AXES);
    rt_tensor *variance = rt_variance(g, turned, RT_AXIS(0) | RT_AXIS(2), 1);
    cr_assert(sum && sum->ndim == 1 && sum->shape[0] == B);
    cr_assert(mean && mean->ndim == 3 && mean->shape[0] == C && mean->shape[1] == 1 && mean->shape[2] == A);
    cr_assert(largest && largest->ndim == 2 && largest->shape[0] == C && largest->shape[1] == A);
    cr_assert(smallest && smallest->ndim == 0);
    for (int b = 0; b < B; b++) {
        double total = 0, squares = 0;
        for (int a = 0; a < A; a++)
            for (int c = 0; c < C; c++) total += (double)x[(a * B + b) * C + c];
        for (int a = 0; a < A; a++)
            for (int c = 0; c < C; c++) {
                double d = (double)x[(a * B + b) * C + c] - total / (A * C);
                squares += d * d;
            }
        near(rt_real_data(sum)[b], total, "sum");
        near(rt_real_data(variance)[b], squares / (A * C - 1), "variance");
    }
    for (int c = 0; c < C; c++)
        for (int a = 0; a < A; a++) {
            double total = 0, top = -INFINITY;
            for (int b = 0; b < B; b++)
                total += (double)x[(a * B + b) * C + c], top = fmax(top, (double)x[(a * B + b) * C + c]);
            near(rt_real_data(mean)[c * A + a], total / B, "mean");
            cr_assert_eq(rt_real_data(largest)[c * A + a], (rt_real)top);
        }
    cr_assert_eq(rt_tensor_item(smallest), -9);
    rt_graph_free(g);
}

/* Equal winners: the first in row-major order takes the gradient. A NaN is not hidden. */
Test(losses, max_has_one_winner_and_keeps_nan) {
    rt_graph *g = rt_graph_new(NULL);
    const rt_real x[] = {1, 3, 3, 2, 2, 2}, bad[] = {1, (rt_real)NAN, 3, 7, 5, 6};
    rt_tensor *t = leaf(g, x, 2, 3), *top = rt_max(g, t, RT_AXIS(1));
    cr_assert_eq(rt_backward(g, rt_sum(g, top, RT_ALL_AXES)), RT_OK);
    const rt_real expected[] = {0, 1, 0, 1, 0, 0};
    cr_assert_arr_eq(t->grad, expected, sizeof expected);
    rt_tensor *with_nan = rt_max(g, rt_graph_input(g, bad, 2, (int64_t[]){2, 3}), RT_AXIS(1));
    cr_assert(isnan(rt_real_data(with_nan)[0]));
    cr_assert_eq(rt_real_data(with_nan)[1], 7);
    rt_graph_free(g);
}

/* 16 million ones and a large mean: float accumulators would stop at 2^24, or lose the deviation. */
Test(losses, sums_are_kept_in_double) {
    rt_graph *g = rt_graph_new(NULL);
    const rt_real one = 1;
    rt_tensor *ones = rt_graph_input(g, &one, 1, (int64_t[]){1});
    ones->shape[0] = 20000001, ones->stride[0] = 0;
    near(rt_tensor_item(rt_mean(g, ones, RT_ALL_AXES)), 1, "mean of 20000001 ones");
    const rt_real far[] = {100000, 100001, 100002};
    near(rt_tensor_item(rt_variance(g, rt_graph_input(g, far, 1, (int64_t[]){3}), RT_ALL_AXES, 1)), 1,
         "variance");
    cr_assert_eq(rt_tensor_item(rt_sum(g, rt_graph_input(g, far, 1, (int64_t[]){0}), RT_ALL_AXES)), 0);
    rt_graph_free(g);
}

/* ---- normalisation and dropout ---- */

Test(losses, softmax_sums_to_one_and_log_softmax_is_its_logarithm) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real z[N * K];
    draw(z, N * K, 6, 19);
    rt_tensor *zt = rt_graph_input(g, z, 2, (int64_t[]){N, K});
    rt_tensor *p = rt_softmax(g, zt, 3), *l = rt_log_softmax(g, zt, 3);
    for (int n = 0; n < N; n++) {
        double sum = 0;
        for (int k = 0; k < K; k++) {
            sum += (double)rt_real_data(p)[n * K + k];
            near(rt_real_data(l)[n * K + k], log_p(z + n * K, K, 3, k), "log softmax");
            near(rt_real_data(p)[n * K + k], exp(log_p(z + n * K, K, 3, k)), "softmax");
        }
        near(sum, 1, "sum of probabilities");
    }
    rt_graph_free(g);
}

Test(losses, unit_length_or_epsilon) {
    rt_graph *g = rt_graph_new(NULL);
    const rt_real x[] = {3, 4, 0, 0};
    rt_tensor *y = rt_l2_normalize(g, rt_graph_input(g, x, 2, (int64_t[]){2, 2}), 1, 1e-6);
    near(rt_real_data(y)[0], 0.6, "3/5"), near(rt_real_data(y)[1], 0.8, "4/5");
    cr_assert(rt_real_data(y)[2] == 0 && rt_real_data(y)[3] == 0, "nothing stays nothing");
    rt_graph_free(g);
}

/* Kept elements are divided by what is kept of them; the gradient takes the same way; the caller's
 * stream is not moved. */
Test(losses, dropout_drops_the_part_it_is_told) {
    rt_graph *g = rt_graph_new(NULL);
    enum { SIZE = 100000 };
    rt_tensor *x = rt_graph_tensor(g, RT_DTYPE_REAL, 1, (int64_t[]){SIZE});
    for (int i = 0; i < SIZE; i++) rt_real_data(x)[i] = 1;
    x->requires_grad = true;
    rt_rng stream = rt_rng_stream(3, "dropout.test", 1, 2), before = stream;
    rt_tensor *y = rt_dropout(g, x, 0.25, &stream), *again = rt_dropout(g, x, 0.25, &stream);
    cr_assert_arr_eq(&stream, &before, sizeof stream);
    cr_assert_arr_eq(rt_real_data(y), rt_real_data(again), SIZE * sizeof(rt_real));
    int kept = 0;
    for (int i = 0; i < SIZE; i++) {
        kept += rt_real_data(y)[i] != 0;
        if (rt_real_data(y)[i] != 0) near(rt_real_data(y)[i], 1 / 0.75, "kept");
    }
    double deviation = sqrt(SIZE * 0.25 * 0.75);
    cr_assert(fabs(kept - 0.75 * SIZE) < 4.5 * deviation, "%d of %d are kept", kept, SIZE);
    memset(&stream, 0, sizeof stream);
    cr_assert_eq(rt_backward(g, rt_sum(g, y, RT_ALL_AXES)), RT_OK);
    cr_assert_arr_eq(x->grad, rt_real_data(y), SIZE * sizeof(rt_real));
    cr_assert_eq(rt_dropout(g, x, 0, &stream), x);
    rt_graph_free(g);
}
