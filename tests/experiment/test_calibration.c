/* test_calibration.c - bins, temperature scaling, and the report's part of both.
 *
 * Checked against: rt_evaluate's numbers in the records of trained networks, a temperature in closed form,
 * the NLL at temperatures beside the fitted one, sums over the bins of the CSV file. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/temporary.h"
#include "experiment/findings.h"
#include "finished.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "retort/rng.h"
#include "specs.h"

static rti_plan plan;
static rti_summary summary;
static rt_error error;

static void expect_near(double got, double want, double tolerance, const char *what) {
    cr_assert(fabs(got - want) <= tolerance, "%s: got %.15g, want %.15g", what, got, want);
}

/* ---- one network -------------------------------------------------------------------------------- */

enum { N = 200, K = 5 };

typedef struct made_up {
    rti_answers answers;
    int32_t labels[N];
    rt_real logits[N * K];
} made_up;

static void make_up(made_up *m, double scale) {
    rt_rng rng = rt_rng_stream(7, "calibration", 0, 0);
    for (int i = 0; i < N; i++) {
        m->labels[i] = (int32_t)(rt_rng_u64(&rng) % K);
        for (int k = 0; k < K; k++)
            m->logits[i * K + k] = (rt_real)(scale * (rt_rng_normal(&rng) + (k == m->labels[i])));
    }
    m->answers = (rti_answers){N, K, m->labels, m->logits};
}

static double nll_at(const made_up *m, double T) {
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double s = 0;
        for (int k = 0; k < K; k++) s += exp((double)m->logits[i * K + k] / T);
        sum -= (double)m->logits[i * K + m->labels[i]] / T - log(s);
    }
    return sum / N;
}

Test(calibration, bins_are_filled_by_hand) {
    /* Two classes: confidence 1 / (1 + exp(-z)). */
    const double confidences[] = {0.55, 0.95, 0.61, 0.92};
    const int32_t labels[] = {0, 0, 1, 1};
    rt_real logits[8] = {0};
    for (int i = 0; i < 4; i++) logits[2 * i] = (rt_real)log(confidences[i] / (1 - confidences[i]));
    rti_reliability r;
    rti_answers answers = {4, 2, labels, logits};
    cr_assert_eq(rti_reliability_of(&r, &answers, 1, &error), RT_OK);
    cr_assert(r.examples == 4 && r.errors == 2);
    cr_assert(r.bin[8].count == 1 && r.bin[8].correct == 1);   /* (0.533, 0.6] */
    cr_assert(r.bin[9].count == 1 && r.bin[9].correct == 0);   /* (0.6, 0.667] */
    cr_assert(r.bin[13].count == 1 && r.bin[13].correct == 0); /* (0.867, 0.933] */
    cr_assert(r.bin[14].count == 1 && r.bin[14].correct == 1); /* (0.933, 1] */
    expect_near(r.ece, (0.45 + 0.61 + 0.92 + 0.05) / 4, 1e-6, "ECE");
    expect_near(r.nll, -(log(0.55) + log(0.95) + log(0.39) + log(0.08)) / 4, 1e-6, "NLL");
}

Test(calibration, sums_of_parts_are_those_of_the_whole) {
    static made_up m;
    rti_reliability whole, sum = {.examples = 0};
    make_up(&m, 2);
    cr_assert_eq(rti_reliability_of(&whole, &m.answers, 1.7, &error), RT_OK);
    for (int part = 0, from = 0; part < 3; part++) {
        int count = part == 2 ? N - from : 40 + 50 * part;
        rti_answers some = {count, K, m.labels + from, m.logits + from * K};
        rti_reliability r;
        cr_assert_eq(rti_reliability_of(&r, &some, 1.7, &error), RT_OK);
        rti_reliability_add(&sum, &r);
        from += count;
    }
    cr_assert(sum.examples == N && sum.errors == whole.errors);
    expect_near(sum.nll, whole.nll, 1e-12, "NLL");
    expect_near(sum.ece, whole.ece, 1e-12, "ECE");
    expect_near(whole.nll, nll_at(&m, 1.7), 1e-6, "NLL at T");
}

Test(calibration, temperature_in_closed_form) {
    /* All logits (z, 0), a share f of the labels is 0: sigmoid(z/T) = f. */
    static rt_real logits[200];
    static int32_t labels[100];
    for (int right = 60; right <= 99; right += 13)
        for (double z = 0.3; z < 10; z *= 3) {
            double f = right / 100.0, T;
            for (int i = 0; i < 100; i++) {
                logits[2 * i] = (rt_real)z;
                labels[i] = i >= right;
            }
            rti_answers answers = {100, 2, labels, logits};
            cr_assert_eq(rti_calibration_temperature(&T, &answers, &error), RT_OK);
            expect_near(T, (double)(rt_real)z / log(f / (1 - f)), 1e-8 * T, "T");
        }
}

Test(calibration, temperature_has_ends) {
    rt_real logits[] = {1, 0, 2, 0};
    int32_t right[] = {0, 0}, wrong[] = {1, 1};
    double T;
    rti_answers answers = {2, 2, right, logits};
    cr_assert_eq(rti_calibration_temperature(&T, &answers, &error), RT_OK);
    expect_near(T, RTI_SCALE_LEAST, 1e-12, "always right: as sure as can be");
    answers.labels = wrong;
    cr_assert_eq(rti_calibration_temperature(&T, &answers, &error), RT_OK);
    expect_near(T, RTI_SCALE_MOST, 1e-9, "always wrong: as unsure as can be");
}

Test(calibration, fitted_temperature_is_the_best_and_changes_no_answer) {
    static made_up m;
    for (double scale = 0.05; scale < 60; scale *= 4) {
        double T;
        rti_reliability plain, scaled;
        make_up(&m, scale);
        cr_assert_eq(rti_calibration_temperature(&T, &m.answers, &error), RT_OK);
        cr_assert_eq(rti_reliability_of(&plain, &m.answers, 1, &error), RT_OK);
        cr_assert_eq(rti_reliability_of(&scaled, &m.answers, T, &error), RT_OK);
        cr_assert(scaled.nll <= plain.nll && scaled.errors == plain.errors);
        for (double off = 1.001; off < 30; off *= 1.7) {
            cr_assert(nll_at(&m, T) < nll_at(&m, T * off), "T %g, beside %g", T, T * off);
            cr_assert(nll_at(&m, T) < nll_at(&m, T / off), "T %g, beside %g", T, T / off);
        }
    }
}

Test(calibration, answers_that_are_no_numbers_are_refused) {
    rt_real logits[] = {1, (rt_real)NAN, 2, 0};
    int32_t labels[] = {0, 0};
    rti_answers answers = {2, 2, labels, logits};
    rti_reliability r;
    cr_assert_eq(rti_reliability_of(&r, &answers, 1, &error), RT_NOT_FINITE);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

/* ---- a report ----------------------------------------------------------------------------------- */

static void expect_records(const rti_calibration *c) {
    for (int i = 0; i < c->count; i++) {
        const rti_calibrated *n = &c->network[i];
        const rt_quality *q = &summary.records[n->trial < 0 ? 0 : n->trial].test_last;
        cr_assert(n->test.errors == q->errors && n->scaled.errors == q->errors &&
                  n->test.examples == q->examples);
        expect_near(n->test.ece, q->ece, 1e-12, "ECE");
        expect_near(n->test.nll, q->nll, 1e-12, "NLL");
        const rt_quality *v = &summary.records[n->trial < 0 ? 0 : n->trial].validation_last;
        expect_near(n->nll_validation, v->nll, 1e-12, "NLL on validation");
        cr_assert(n->has_validation && n->nll_validation_scaled <= n->nll_validation);
    }
}

Test(calibration, networks_have_the_numbers_of_their_records) {
    rti_calibration c;
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    cr_assert_eq(rti_calibration_make(&c, &summary, &error), RT_OK, "%s", error.message);
    cr_assert(c.lines[0] == 3 && c.count == 1 + 2 + 2);
    cr_assert(c.network[0].trial == -1 && plan.trials[0].role == RTI_TEACHER);
    for (int s = 0; s < 2; s++) {
        cr_assert_eq(c.network[1 + s].trial, plan.cells[0].scratch[s]);
        cr_assert_eq(c.network[3 + s].trial, plan.cells[summary.facets[0].best_cell].trials[s]);
    }
    expect_records(&c);
    rti_calibration_mean m = rti_calibration_mean_of(&c, 0, 1);
    expect_near(m.ece.mean, summary.facets[0].scratch.ece.mean, 1e-12, "mean ECE");
    rti_calibration_deinit(&c);
    finished_free(&plan, &summary);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

static double number_at(const rti_csv *csv, int64_t row, const char *column) {
    double value = 0;
    int c = rti_csv_column(csv, column);
    cr_assert(c >= 0, "no column %s", column);
    if (!rti_csv_number(rti_csv_field(csv, row, c), &value)) value = 0;
    return value;
}

Test(calibration, weighted_gaps_of_the_file_are_the_ece) {
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    rti_text said = finished_report(&plan, false);
    rti_csv bins = finished_csv(&plan, "calibration.csv");
    rti_csv networks = finished_csv(&plan, "calibration-networks.csv");
    cr_assert_eq(networks.rows, 1 + 5);
    /* teacher, teacher scaled: one network and "all"; scratch and student: two seeds and "all" */
    cr_assert_eq(bins.rows, 1 + 15 * (2 * 2 + 2 * 3 + 2 * 3));
    double gap = 0, count = 0;
    for (int b = 1; b <= 15; b++) {
        double n = number_at(&bins, b, "examples");
        count += n;
        gap += n * fabs(number_at(&bins, b, "accuracy") - number_at(&bins, b, "confidence"));
    }
    cr_assert(count == 60);
    expect_near(gap / count, summary.records[0].test_last.ece, 1e-12, "the teacher's gap");
    expect_near(number_at(&networks, 1, "ece"), summary.records[0].test_last.ece, 1e-12, "the teacher's ECE");
    finished_file_says(&plan, "report.md", "## Calibration");
    rti_csv_deinit(&bins);
    rti_csv_deinit(&networks);
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(calibration, without_validation_nothing_is_fitted) {
    static const char *const none[] = {"data.validation=0"};
    rti_calibration c;
    finished_make(&plan, &summary, TEST_SPEC, none, 1, "runs");
    cr_assert_eq(rti_calibration_make(&c, &summary, &error), RT_OK, "%s", error.message);
    /* Nothing is chosen, so all cells that are not scratch are shown: two of four. */
    cr_assert(c.lines[0] == 4 && c.count == 1 + 3 * 2);
    for (int i = 0; i < c.count; i++) cr_assert(!c.network[i].has_validation && isnan(c.network[i].T));
    rti_text said = finished_report(&plan, false);
    rti_text_deinit(&said);
    rti_calibration_deinit(&c);
    finished_free(&plan, &summary);
}

Test(calibration, comparison_has_six_lines_at_most) {
    rti_calibration c;
    finished_make(&plan, &summary, TEST_COMPARE_HEAD TEST_COMPARE_ROWS "[compare.dkd]\n[compare.dist]\n",
                  NULL, 0, "runs");
    cr_assert_eq(rti_calibration_make(&c, &summary, &error), RT_OK, "%s", error.message);
    cr_assert(c.lines[0] == RTI_CALIBRATION_LINES && c.count == 1 + 2 * 5, "%d lines, %d", c.lines[0],
              c.count);
    expect_records(&c);
    rti_calibration_deinit(&c);
    finished_free(&plan, &summary);
}

Test(calibration, pictures_are_drawn) {
    if (!rti_program_exists("gnuplot")) cr_skip_test("gnuplot is not installed");
    static const char *const none[] = {"data.validation=0"};
    setenv("RETORT_PLOTS", "plots", 1);
    for (int i = 0; i < 2; i++) {
        finished_make(&plan, &summary, TEST_SPEC, none, i, i ? "b" : "a");
        rti_text said = finished_report(&plan, true);
        cr_assert(!strstr(rti_text_string(&said), "could not be drawn"), "%s", rti_text_string(&said));
        cr_assert(strstr(rti_text_string(&said), "calibration.svg"), "%s", rti_text_string(&said));
        cr_assert(strstr(rti_text_string(&said), "similarity.svg"), "%s", rti_text_string(&said));
        rti_text_deinit(&said);
        finished_free(&plan, &summary);
    }
}
