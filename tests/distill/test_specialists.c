/* Specialists: the dustbin's prior against Bayes' rule on a table of likelihoods; where a network starts,
 * against the generalist's rows added up here; equation 5 against its closed forms (no specialist, one
 * over all classes, one with a dustbin), against a search over the simplex, and against the gradient by
 * differences. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "distill/specialists.h"
#include "retort/retort.h"

static rt_error error;

/* ---- the dustbin's prior ---- */

Test(specialists, corrected_dustbin_is_bayes_under_the_true_shares) {
    /* p(x | c) of four classes and three inputs; S = {0, 1}; the counts are those of the examples. */
    static const double likelihood[4][3] = {{.6, .3, .1}, {.2, .5, .3}, {.1, .2, .7}, {.3, .3, .4}};
    static const double have[4] = {30, 20, 90, 60};
    const double shown_special = 50, shown_rest = 75, special = 50, rest = 150;
    const double shift = rti_dustbin_shift(50, 150, 50, 75);
    for (int x = 0; x < 3; x++) {
        double shown[3] = {0}, truth[3] = {0}, sum_shown = 0, sum_truth = 0, sum = 0;
        for (int c = 0; c < 4; c++) {
            const int j = c < 2 ? c : 2;
            const double rate = c < 2 ? shown_special / special : shown_rest / rest;
            shown[j] += likelihood[c][x] * have[c] * rate;
            truth[j] += likelihood[c][x] * have[c];
        }
        for (int j = 0; j < 3; j++) sum_shown += shown[j], sum_truth += truth[j];
        double z[3];
        for (int j = 0; j < 3; j++) z[j] = log(shown[j] / sum_shown); /* what a perfect specialist learns */
        z[2] += shift;
        for (int j = 0; j < 3; j++) sum += exp(z[j]);
        for (int j = 0; j < 3; j++) cr_assert_float_eq(exp(z[j]) / sum, truth[j] / sum_truth, 1e-14);
    }
    cr_assert_float_eq(rti_dustbin_shift(50, 150, 50, 50), log(3), 1e-15); /* half and half: rest / special */
    cr_assert_gt(shift, 0); /* over-sampled classes: the dustbin gains */
}

/* ---- where it starts ---- */

static rt_model *network(const char *kind, const char *const settings[], int64_t classes, uint64_t seed) {
    int count;
    rt_params options;
    const rt_param *rows = rt_model_rows(kind, &count);
    rt_params_init(&options, rows, count);
    for (int i = 0; settings[i]; i += 2)
        cr_assert_eq(rt_params_set_text(&options, settings[i], settings[i + 1], &error), RT_OK, "%s",
                     error.message);
    rt_model *m = rt_model_new(kind, &options, 3, (int64_t[]){1, 8, 8}, classes, seed, &error);
    cr_assert(m, "%s", error.message);
    return m;
}

static void starts_like(const char *kind, const char *const settings[]) {
    static const int32_t output[6] = {3, 1, 3, 0, 3, 2}; /* S = (3, 1, 5) */
    static const int first[3] = {3, 1, 5};
    const double shift = 0.7;
    rt_model *all = network(kind, settings, 6, 1), *own = network(kind, settings, 4, 2);
    const int count = rt_model_parameters(all), last = rt_model_layers(all) - 1;
    for (int i = 0; i < count; i++) { /* biases and buffers begin as constants: tell them apart */
        const rt_parameter *p = rt_model_parameter(all, i);
        rt_real *data = p->tensor.data;
        for (int64_t e = 0; e < rt_tensor_count(&p->tensor); e++) data[e] += (rt_real)(0.01 * (double)e + i);
    }
    cr_assert_eq(rti_specialist_start(own, all, 3, output, shift, &error), RT_OK, "%s", error.message);
    for (int i = 0; i < count; i++) {
        const rt_parameter *a = rt_model_parameter(all, i), *b = rt_model_parameter(own, i);
        const rt_real *from = a->tensor.data, *to = b->tensor.data;
        const int64_t N = rt_tensor_count(&a->tensor);
        if (a->layer != last) {
            cr_assert(!memcmp(from, to, (size_t)N * sizeof *from), "%s", a->name);
            continue;
        }
        const int64_t D = N / 6;
        for (int64_t d = 0; d < D; d++) {
            for (int j = 0; j < 3; j++) cr_assert_eq(to[j * D + d], from[first[j] * D + d]);
            double mean = ((double)from[d] + (double)from[2 * D + d] + (double)from[4 * D + d]) / 3;
            if (a->kind == RT_BIAS) mean += log(3) - shift;
            cr_assert_float_eq((double)to[3 * D + d], mean, 1e-5);
        }
    }
    rt_model_free(all);
    rt_model_free(own);
}

Test(specialists, starts_with_the_generalists_layers_and_a_dustbin_of_the_rest) {
    starts_like("mlp", (const char *const[]){"hidden", "[7, 5]", NULL});
    starts_like("mlp", (const char *const[]){"hidden", "[]", "bias", "false", NULL});
    starts_like("cnn", (const char *const[]){"filters", "[2, 3]", "hidden", "[6]", NULL});
    starts_like("resnet", (const char *const[]){"depth", "8", "filters", "[2, 2, 3, 4]", NULL});
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(specialists, refuses_another_network) {
    static const int32_t output[6] = {1, 1, 1, 0, 1, 1};
    rt_model *all = network("mlp", (const char *const[]){"hidden", "[7]", NULL}, 6, 1);
    rt_model *wide = network("mlp", (const char *const[]){"hidden", "[8]", NULL}, 2, 1);
    rt_model *deep = network("mlp", (const char *const[]){"hidden", "[7, 7]", NULL}, 2, 1);
    cr_assert_eq(rti_specialist_start(wide, all, 1, output, 0, &error), RT_SHAPE);
    cr_assert_eq(rti_specialist_start(deep, all, 1, output, 0, &error), RT_SHAPE);
    rt_model_free(all), rt_model_free(wide), rt_model_free(deep);
}

/* ---- equation 5 ---- */

#define K_MAX 12
#define M_MAX 4

typedef struct problem {
    int K, count;
    double log_p[K_MAX], own[M_MAX][K_MAX + 1];
    int32_t output[M_MAX][K_MAX];
    rti_opinion opinions[M_MAX];
    double log_q[K_MAX], scratch[7 * K_MAX + M_MAX * (K_MAX + 1) + M_MAX * (M_MAX + 2)];
    rti_descent descent;
} problem;

static problem f;

static void draw_distribution(rt_rng *rng, int n, double spread, double out[], bool as_log) {
    double sum = 0, top = -INFINITY;
    for (int k = 0; k < n; k++) top = fmax(top, out[k] = spread * rt_rng_normal(rng));
    for (int k = 0; k < n; k++) sum += exp(out[k] - top);
    for (int k = 0; k < n; k++) out[k] = as_log ? out[k] - top - log(sum) : exp(out[k] - top) / sum;
}

/* `count` specialists of n of K classes, who are as sure and as much at odds as `spread` is large. */
static void draw_problem(int K, int count, int n, double spread, uint64_t number) {
    rt_rng rng = rt_rng_stream(7, "test", (uint64_t)K, number);
    int32_t order[K_MAX];
    f.K = K, f.count = count;
    draw_distribution(&rng, K, spread, f.log_p, true);
    for (int m = 0; m < count; m++) {
        for (int k = 0; k < K; k++) order[k] = k;
        rt_rng_shuffle(&rng, order, K);
        for (int i = 0; i < K; i++) f.output[m][order[i]] = i < n ? i : n;
        draw_distribution(&rng, n < K ? n + 1 : n, spread, f.own[m], false);
        f.opinions[m] = (rti_opinion){n < K ? n + 1 : n, f.output[m], f.own[m]};
    }
}

static void solve(void) {
    cr_assert_leq(rti_full_scratch(f.K, f.opinions, f.count), sizeof f.scratch / sizeof f.scratch[0]);
    cr_assert_eq(rti_full_distribution(f.K, f.log_p, f.opinions, f.count, RTI_DESCENT_TOLERANCE, f.log_q,
                                       f.scratch, &f.descent, &error),
                 RT_OK, "%s", error.message);
    double sum = 0;
    for (int k = 0; k < f.K; k++) sum += exp(f.log_q[k]);
    cr_assert_float_eq(sum, 1, 1e-12);
    cr_assert_leq(f.descent.gradient, RTI_DESCENT_TOLERANCE);
}

Test(full_distribution, without_specialists_is_the_generalist) {
    for (uint64_t i = 0; i < 20; i++) {
        draw_problem(8, 0, 3, 3, i);
        solve();
        for (int k = 0; k < 8; k++) cr_assert_float_eq(f.log_q[k], f.log_p[k], 1e-12);
    }
}

/* KL(p1 || q) + KL(p2 || q) is smallest at the mean: (p1 + p2) / q, minus its gradient, is constant there. */
Test(full_distribution, with_one_specialist_of_all_classes_is_the_mean) {
    for (uint64_t i = 0; i < 20; i++) {
        draw_problem(6, 1, 6, 4, i);
        solve();
        for (int k = 0; k < 6; k++)
            cr_assert_float_eq(exp(f.log_q[k]), 0.5 * (exp(f.log_p[k]) + f.own[0][f.output[0][k]]), 1e-9);
    }
}

Test(full_distribution, with_one_specialist_shares_its_dustbin_like_the_generalist) {
    for (uint64_t i = 0; i < 50; i++) {
        draw_problem(9, 1, 3, i < 25 ? 2 : 8, i);
        solve();
        double outside = 0;
        for (int k = 0; k < 9; k++)
            if (f.output[0][k] == 3) outside += exp(f.log_p[k]);
        for (int k = 0; k < 9; k++) {
            const double p = exp(f.log_p[k]);
            const double q = f.output[0][k] < 3 ? 0.5 * (p + f.own[0][f.output[0][k]])
                                                : p / outside * 0.5 * (outside + f.own[0][3]);
            cr_assert_float_eq(exp(f.log_q[k]), q, 1e-9);
        }
    }
}

/* The smallest F on a grid of the simplex, refined around its best point. */
static double search(double best[3]) {
    double least = INFINITY, centre[2] = {1.0 / 3, 1.0 / 3}, width = 1;
    for (int round = 0; round < 30; round++, width *= 0.5) {
        const double from[2] = {centre[0], centre[1]};
        for (int a = -20; a <= 20; a++)
            for (int b = -20; b <= 20; b++) {
                const double x = from[0] + width * a / 20, y = from[1] + width * b / 20;
                if (x <= 0 || y <= 0 || x + y >= 1) continue;
                const double log_q[3] = {log(x), log(y), log(1 - x - y)};
                const double F = rti_full_divergence(3, f.log_p, f.opinions, f.count, log_q);
                if (F >= least) continue;
                least = F, centre[0] = x, centre[1] = y;
            }
    }
    best[0] = centre[0], best[1] = centre[1], best[2] = 1 - centre[0] - centre[1];
    return least;
}

Test(full_distribution, is_what_a_search_over_the_simplex_finds) {
    for (uint64_t i = 0; i < 6; i++) {
        double best[3];
        draw_problem(3, 2 + (int)(i % 2), 1 + (int)(i / 3), 1.5, i);
        solve();
        const double least = search(best), F = rti_full_divergence(3, f.log_p, f.opinions, f.count, f.log_q);
        cr_assert_leq(F, least + 1e-12);
        for (int k = 0; k < 3; k++) cr_assert_float_eq(exp(f.log_q[k]), best[k], 1e-6);
    }
}

/* F at z + step e_k, with its softmax. */
static double moved(int k, double step) {
    double z[K_MAX], sum = 0;
    for (int i = 0; i < f.K; i++) sum += exp(z[i] = f.log_q[i] + (i == k ? step : 0));
    for (int i = 0; i < f.K; i++) z[i] -= log(sum);
    return rti_full_divergence(f.K, f.log_p, f.opinions, f.count, z);
}

Test(full_distribution, nobody_beside_it_is_lower_and_the_gradient_is_zero) {
    int64_t most = 0;
    for (uint64_t i = 0; i < 3000; i++) { /* up to probabilities of 1e-50 */
        draw_problem(4 + (int)(i % 9), 1 + (int)(i % M_MAX), 1 + (int)(i % 3), (double)(1 + i % 30), i);
        solve();
        if (f.descent.steps > most) most = f.descent.steps;
        const double here = moved(-1, 0);
        for (int k = 0; k < f.K; k++) {
            cr_assert_geq(moved(k, 0.1), here - 1e-9);
            cr_assert_geq(moved(k, -0.1), here - 1e-9);
            cr_assert_float_eq((moved(k, 1e-4) - moved(k, -1e-4)) / 2e-4, 0, 1e-6);
        }
    }
    cr_assert_leq(most, 200, "%lld steps", (long long)most);
}

Test(full_distribution, stays_finite_when_all_are_sure_of_something_else) {
    for (uint64_t i = 0; i < 30; i++) {
        draw_problem(10, 4, 2, 400, i);
        solve();
        for (int k = 0; k < 10; k++) cr_assert(isfinite(f.log_q[k]));
    }
}
