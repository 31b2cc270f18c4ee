/* What was swept: temperatures, the limit of high temperature, numbers of examples.
 *
 * Checked against: the best and the pairs found again here from the made-up errors, with a t-test of its own;
 * the gradient of equation 2 against differences of the loss that it belongs to; its limits in closed form;
 * the number of examples and the errors in the records of a small plan that is trained. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/temporary.h"
#include "core/file.h"
#include "experiment/sweeps.h"
#include "finished.h"
#include "retort/alloc.h"
#include "retort/rng.h"
#include "specs.h"
#include "synthetic.h"

static rti_plan plan;
static rti_summary summary;
static rt_error error;

/* ---- temperatures ------------------------------------------------------------------------------- */

enum { SEEDS = 5, TEMPERATURES = 5 };
static synthetic made;
static rti_temperatures temperatures;

static void make_synthetic(int facets, int alphas) {
    const synthetic_options options = {facets, SEEDS, TEMPERATURES, alphas};
    made = synthetic_make(&options, test_path("none"));
    cr_assert_eq(rti_summary_make(&summary, made.plan, made.records, &error), RT_OK);
    cr_assert_eq(rti_temperatures_make(&temperatures, &summary, &error), RT_OK);
}

static void free_synthetic(void) {
    rti_temperatures_deinit(&temperatures);
    rti_summary_deinit(&summary);
    synthetic_free(&made);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* Mean paired difference and the half-width of its interval; t(0.975, 4) = 2.776. */
static void pair(int facet, int t, int u, int a, double *mean, double *half) {
    double sum = 0, squares = 0;
    for (int s = 0; s < SEEDS; s++) {
        double d = (synthetic_errors(facet, t, a, s) - synthetic_errors(facet, u, a, s)) / 2000.0;
        sum += d / SEEDS, squares += d * d;
    }
    *mean = sum;
    *half = 2.776445105 * sqrt(fmax(0, squares - SEEDS * sum * sum) / (SEEDS - 1) / SEEDS);
}

static double mean_error(int facet, int t, int a) {
    double sum = 0;
    for (int s = 0; s < SEEDS; s++) sum += synthetic_errors(facet, t, a, s) / 2000.0 / SEEDS;
    return sum;
}

Test(temperatures, a_line_has_its_best_and_those_that_are_as_good) {
    make_synthetic(2, 4);
    cr_assert_eq(temperatures.count, 2 * 3, "a line for each alpha that is not scratch itself");
    for (int i = 0; i < temperatures.count; i++) {
        const rti_temperature_line *line = &temperatures.line[i];
        int best = 0;
        for (int t = 1; t < TEMPERATURES; t++)
            if (mean_error(line->facet, t, line->alpha) < mean_error(line->facet, best, line->alpha))
                best = t;
        cr_assert_eq(line->best, best, "%s", line->label);
        for (int t = 0; t < TEMPERATURES; t++) {
            const rti_temperature_point *p = &line->point[t];
            double mean, half;
            cr_assert_float_eq(p->error.mean, mean_error(line->facet, t, line->alpha), 1e-12);
            cr_assert_eq(p->is_best, t == best);
            if (t == best) continue;
            pair(line->facet, t, best, line->alpha, &mean, &half);
            cr_assert_float_eq(p->against_best.difference.mean, mean, 1e-12);
            cr_assert_float_eq(p->against_best.difference.half, half, 1e-8);
            if (half > 0 && fabs(mean) != half) cr_assert_eq(p->is_alike, mean < half, "%s", line->label);
        }
    }
    free_synthetic();
}

Test(temperatures, margins_hold_all_pairs_from_a_temperature_on) {
    make_synthetic(1, 0);
    cr_assert_eq(temperatures.count, 1);
    const rti_temperature_line *line = &temperatures.line[0];
    for (int from = 0; from < TEMPERATURES - 1; from++) {
        double most = 0;
        for (int t = from; t < TEMPERATURES; t++)
            for (int u = t + 1; u < TEMPERATURES; u++) {
                double mean, half;
                pair(0, t, u, 2, &mean, &half); /* alpha 0.9, when it is not swept */
                most = fmax(most, fabs(mean) + half);
            }
        cr_assert_float_eq(line->point[from].margin, most, 1e-8);
    }
    cr_assert(isnan(line->point[TEMPERATURES - 1].margin), "one temperature has no pair");
    free_synthetic();
}

Test(temperatures, are_not_told_where_none_are_swept) {
    const synthetic_options options = {1, SEEDS, 0, 4};
    made = synthetic_make(&options, test_path("none"));
    cr_assert_eq(rti_summary_make(&summary, made.plan, made.records, &error), RT_OK);
    cr_assert_eq(rti_temperatures_make(&temperatures, &summary, &error), RT_OK);
    rti_text out = RTI_TEXT_EMPTY;
    rti_temperatures_markdown(&out, &temperatures, &summary);
    cr_assert(temperatures.count == 0 && out.length == 0);
    rti_text_deinit(&out);
    free_synthetic();
}

Test(temperatures, regression_on_logits_is_their_end) {
    static const char *const sets[] = {"sweep.distill.method=[\"kd\", \"logit-mse\"]",
                                       "sweep.distill.alpha=[0.5]", "student.epochs=1", "teacher.epochs=1"};
    finished_make(&plan, &summary, TEST_SPEC, sets, 4, "runs");
    cr_assert_eq(rti_temperatures_make(&temperatures, &summary, &error), RT_OK);
    cr_assert(temperatures.count == 1 && temperatures.points == 3 && temperatures.finite == 2);
    const rti_temperature_point *end = &temperatures.line[0].point[2];
    cr_assert(isinf(end->T) && end->error.count == 2);
    const rti_trial *trial = &plan.trials[plan.cells[end->cell].trials[0]];
    cr_assert_str_eq(rt_params_text(&trial->settings->distill, "method"), "logit-mse");
    char text[32];
    cr_assert_str_eq(rti_temperature_text(end->T, text), "inf");
    rti_temperatures_deinit(&temperatures);
    finished_free(&plan, &summary);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- the limit ---------------------------------------------------------------------------------- */

enum { K = 7 };

static void draw(uint64_t seed, double z[K], double v[K]) {
    rt_rng rng = rt_rng_stream(seed, "limit", 0, 0);
    for (int k = 0; k < K; k++) z[k] = 6 * rt_rng_normal(&rng), v[k] = 6 * rt_rng_normal(&rng);
}

static double log_sum(const double a[K], double T) {
    double sum = 0;
    for (int k = 0; k < K; k++) sum += exp(a[k] / T);
    return log(sum);
}

/* KL(softmax(v/T) || softmax(z/T)) */
static double divergence(const double z[K], const double v[K], double T) {
    double sum = 0, of_z = log_sum(z, T), of_v = log_sum(v, T);
    for (int k = 0; k < K; k++) {
        double log_p = v[k] / T - of_v;
        sum += exp(log_p) * (log_p - (z[k] / T - of_z));
    }
    return sum;
}

Test(limit, gradient_is_that_of_the_loss) {
    double z[K], v[K], p[K], g[K];
    for (int i = 0; i < 20; i++) {
        const double T = (const double[]){0.7, 1, 3, 9}[i % 4], h = 1e-5;
        draw((uint64_t)i, z, v);
        rti_soft_gradient(z, v, K, T, p, g);
        double sum = 0;
        for (int k = 0; k < K; k++) sum += p[k];
        cr_assert_float_eq(sum, 1, 1e-12);
        for (int k = 0; k < K; k++) {
            const double at = z[k];
            z[k] = at + h;
            const double above = divergence(z, v, T);
            z[k] = at - h;
            const double below = divergence(z, v, T);
            z[k] = at;
            cr_assert_float_eq(g[k], (above - below) / (2 * h), 1e-8);
        }
    }
}

static double length(const double a[K]) {
    double sum = 0;
    for (int k = 0; k < K; k++) sum += a[k] * a[k];
    return sqrt(sum);
}

/* Equation 4, with the condition that the paper makes: logits less their means. */
Test(limit, at_high_temperature_it_is_the_difference_of_centred_logits) {
    double z[K], v[K], p[K], g[K], d[K], near[K], far[K];
    for (int i = 0; i < 20; i++) {
        double mean = 0, dot = 0;
        draw((uint64_t)i, z, v);
        for (int k = 0; k < K; k++) mean += (z[k] - v[k]) / K;
        for (int k = 0; k < K; k++) d[k] = z[k] - v[k] - mean;
        rti_soft_gradient(z, v, K, 1e6, p, g);
        for (int k = 0; k < K; k++) {
            cr_assert_float_eq(1e12 * g[k], d[k] / K, 1e-3 * length(d));
            dot += g[k] * d[k];
        }
        cr_assert_gt(dot / (length(g) * length(d)), 0.99999);
        rti_soft_gradient(z, v, K, 1000, p, near);
        rti_soft_gradient(z, v, K, 10000, p, far);
        cr_assert_float_eq(log10(length(far) / length(near)), -2, 0.02, "it falls with the square of T");
    }
}

Test(limit, of_trained_networks_tends_to_one) {
    static const char *const sets[] = {"sweep.distill.alpha=[0.5]", "teacher.epochs=4"};
    finished_make(&plan, &summary, TEST_SPEC, sets, 2, "runs");
    rti_limits limits;
    cr_assert_eq(rti_limits_make(&limits, &summary, &error), RT_OK, "%s", error.message);
    cr_assert_eq(limits.count, 1);
    const rti_limit *l = &limits.limit[0];
    cr_assert(l->on_validation && l->examples == 40 && plan.trials[l->trial].role == RTI_SCRATCH);
    int swept = 0;
    for (int i = 0; i < l->count; i++) {
        const rti_limit_point *p = &l->point[i];
        swept += p->is_swept;
        cr_assert(i == 0 || p->T > l->point[i - 1].T);
        cr_assert_float_eq(p->scaled, p->T * p->T * p->soft, 1e-9 * p->scaled);
    }
    const rti_limit_point *last = &l->point[l->count - 1];
    cr_assert_eq(swept, 2);
    cr_assert(last->T == 1000 && last->cosine > 0.999);
    cr_assert_float_eq(last->ratio, 1, 0.01);
    cr_assert_float_eq(last->scaled, l->target, 0.01 * l->target);
    rti_limits_deinit(&limits);
    finished_free(&plan, &summary);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- numbers of examples ------------------------------------------------------------------------ */

static const char *const by_size[] = {"sweep.data.transfer.size=[80, 30]", "sweep.distill.alpha=[0.5]"};

Test(sizes, lines_hold_the_errors_of_the_records_by_number_of_examples) {
    rti_sizes sizes;
    finished_make(&plan, &summary, TEST_SPEC, by_size, 2, "runs");
    cr_assert_eq(rti_sizes_make(&sizes, &summary, &error), RT_OK, "%s", error.message);
    cr_assert(sizes.count == 3 && sizes.points == 2, "labels alone, and each temperature");
    cr_assert_eq(sizes.line[0].kind, RTI_SIZE_SCRATCH);
    for (int i = 0; i < sizes.count; i++)
        for (int x = 0; x < 2; x++) {
            const rti_size_point *p = &sizes.line[i].point[x];
            const rti_cell *cell = &plan.cells[p->cell];
            cr_assert_eq(p->examples, x ? 80 : 30);
            double last = 0, best = 0;
            for (int s = 0; s < 2; s++) {
                int trial = i ? cell->trials[s] : cell->scratch[s];
                cr_assert_eq(rti_trial_part(&plan, trial)->count, (int64_t)p->examples);
                last += (double)summary.records[trial].test_last.errors / 60 / 2;
                best += (double)summary.records[trial].test_best.errors / 60 / 2;
            }
            cr_assert_float_eq(p->last.mean, last, 1e-12);
            cr_assert_float_eq(p->best.mean, best, 1e-12);
        }
    rti_sizes_deinit(&sizes);
    finished_free(&plan, &summary);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- reports ------------------------------------------------------------------------------------ */

static bool is_there(const char *name) {
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", plan.directory, name);
    return rti_file_exists(path);
}

Test(sweeps, report_has_their_files_and_tables) {
    static const char *const files[] = {"equivalence.csv", "temperature-pairs.csv",
                                        "gradients-by-temperature.csv", "sizes.csv"};
    finished_make(&plan, &summary, TEST_SPEC, by_size, 2, "runs");
    rti_text said = finished_report(&plan, false);
    for (int i = 0; i < 4; i++) cr_assert(is_there(files[i]), "%s", files[i]);
    rti_csv csv = finished_csv(&plan, "sizes.csv");
    cr_assert_eq(csv.rows, 1 + 3 * 2);
    rti_csv_deinit(&csv);
    finished_file_says(&plan, "report.md", "## Temperatures");
    finished_file_says(&plan, "report.md", "## The limit of high temperature");
    finished_file_says(&plan, "report.md", "## Few examples");
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(sweeps, that_are_not_there_leave_nothing) {
    static const char *const sets[] = {"distill.temperature=4"};
    finished_make(&plan, &summary, TEST_SPEC, sets, 1, "runs");
    rti_text said = finished_report(&plan, false);
    char *report = finished_file(&plan, "report.md");
    cr_assert(!is_there("equivalence.csv") && !is_there("sizes.csv") && !is_there("limit.csv"));
    cr_assert(!strstr(report, "## Temperatures") && !strstr(report, "## Few examples"));
    free(report);
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(sweeps, every_failing_allocation_is_an_error_and_leaks_nothing) {
    int failures = 0;
    finished_make(&plan, &summary, TEST_SPEC, by_size, 2, "runs");
    size_t before = rt_alloc_stats_get().live_blocks;
    for (size_t n = 1; n < 100000; n += 1 + n / 10) {
        rti_sizes sizes;
        rti_limits limits;
        rt_alloc_fail_after(n);
        rt_status first = rti_temperatures_make(&temperatures, &summary, &error);
        rt_status second = first == RT_OK ? rti_sizes_make(&sizes, &summary, &error) : first;
        rt_status third = second == RT_OK ? rti_limits_make(&limits, &summary, &error) : second;
        rt_alloc_fail_after(0);
        cr_assert(third == RT_OK || third == RT_MEMORY, "n = %zu: %s", n, rt_status_name(third));
        if (third == RT_OK) rti_limits_deinit(&limits);
        if (second == RT_OK) rti_sizes_deinit(&sizes);
        if (first == RT_OK) rti_temperatures_deinit(&temperatures);
        rti_kept_answers_free(summary.kept);
        summary.kept = rti_kept_answers_new();
        cr_assert_eq(rt_alloc_stats_get().live_blocks, before, "n = %zu", n);
        failures += third != RT_OK;
        if (third == RT_OK) break;
    }
    cr_assert_gt(failures, 3);
    finished_free(&plan, &summary);
}
