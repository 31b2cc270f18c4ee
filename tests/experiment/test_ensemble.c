/* test_ensemble.c - members alone and together, and what one student keeps of their gain.
 *
 * Checked against: combinations worked out here from the members' own answers, means and shares by hand
 * from made-up records, Fieller's interval of the same numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/temporary.h"
#include "finished.h"
#include "retort/alloc.h"
#include "specs.h"
#include "synthetic.h"

static rti_plan plan;
static rti_summary summary;
static rt_error error;

/* ---- together ----------------------------------------------------------------------------------- */

enum { EXAMPLES = 60, CLASSES = 10, MEMBERS = 3 };

/* Mean logits, or mean probabilities, of the members one by one. */
static double combined_error(bool probabilities) {
    static double sum[EXAMPLES * CLASSES];
    int wrong = 0;
    const int32_t *labels = rt_dataset_part(plan.datasets[0], RT_PART_TEST)->labels;
    memset(sum, 0, sizeof sum);
    for (int m = 0; m < MEMBERS; m++) {
        rti_answers a;
        cr_assert_eq(plan.trials[m].role, RTI_TEACHER);
        cr_assert_eq(rti_answers_of_trial(&a, &plan, m, RT_PART_TEST, &error), RT_OK, "%s", error.message);
        cr_assert(a.count == EXAMPLES && a.classes == CLASSES);
        for (int i = 0; i < EXAMPLES; i++) {
            double s = 0;
            for (int k = 0; k < CLASSES; k++) s += exp((double)a.logits[i * CLASSES + k]);
            for (int k = 0; k < CLASSES; k++)
                sum[i * CLASSES + k] += probabilities ? exp((double)a.logits[i * CLASSES + k]) / s
                                                      : (double)a.logits[i * CLASSES + k];
        }
        rti_answers_deinit(&a);
    }
    for (int i = 0; i < EXAMPLES; i++) {
        int top = 0;
        for (int k = 1; k < CLASSES; k++)
            if (sum[i * CLASSES + k] > sum[i * CLASSES + top]) top = k;
        wrong += top != labels[i];
    }
    return (double)wrong / EXAMPLES;
}

Test(ensemble, together_is_the_combination_of_the_members) {
    static const char *const ways[][2] = {{"teacher.count=3", "teacher.combine=logits"},
                                          {"teacher.count=3", "teacher.combine=probabilities"}};
    for (int way = 0; way < 2; way++) {
        char line[64];
        finished_make(&plan, &summary, TEST_SPEC, ways[way], 2, way ? "b" : "a");
        const rti_facet_summary *f = &summary.facets[0];
        cr_assert_eq(f->teacher.trials, MEMBERS);
        cr_assert_eq(f->together, combined_error(way == 1));
        rti_text said = finished_report(&plan, false);
        snprintf(line, sizeof line, "(3 networks), together %.2f %%", 100 * f->together);
        cr_assert(strstr(rti_text_string(&said), line), "%s", rti_text_string(&said));
        finished_file_says(&plan, "report.md", line);
        finished_file_says(&plan, "report.md", "## The ensemble");
        finished_file_says(&plan, "ensemble.csv", "1,,together,members together,1,3,");
        rti_text_deinit(&said);
        finished_free(&plan, &summary);
    }
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

Test(ensemble, one_teacher_is_no_ensemble) {
    rti_ensemble e;
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    cr_assert(isnan(summary.facets[0].together));
    cr_assert_eq(rti_ensemble_make(&e, &summary, &error), RT_OK);
    cr_assert(e.count == 0 && !e.line);
    rti_text said = finished_report(&plan, false);
    cr_assert(!strstr(rti_text_string(&said), "together"), "%s", rti_text_string(&said));
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(ensemble, facets_have_ensembles_of_their_own) {
    static const char *const sets[] = {"distill.temperature=4", "distill.alpha=0.5"};
    finished_make(&plan, &summary, TEST_SPEC_HEAD "[sweep]\n\"teacher.count\" = [1, 2, 3]\n", sets, 2,
                  "runs");
    cr_assert_eq(plan.facet_count, 3);
    cr_assert(isnan(summary.facets[0].together));
    cr_assert(isfinite(summary.facets[1].together) && isfinite(summary.facets[2].together));
    cr_assert_eq(summary.facets[2].together, combined_error(false));
    rti_ensemble e;
    cr_assert_eq(rti_ensemble_make(&e, &summary, &error), RT_OK);
    cr_assert_eq(e.count, 2 * 4);
    cr_assert(e.line[0].facet == 1 && e.line[0].networks == 2 && e.line[4].facet == 2 &&
              e.line[4].networks == 3);
    rti_ensemble_deinit(&e);
    finished_free(&plan, &summary);
}

Test(ensemble, members_whose_weights_are_gone_leave_a_report) {
    static const char *const three[] = {"teacher.count=3"};
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 32];
    finished_make(&plan, &summary, TEST_SPEC, three, 1, "runs");
    rti_trial_directory(&plan, 1, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    cr_assert_eq(unlink(path), 0);
    rti_text said = finished_report(&plan, false);
    cr_assert(strstr(rti_text_string(&said), "(3 networks)") && !strstr(rti_text_string(&said), "together"),
              "%s", rti_text_string(&said));
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

/* ---- made-up records ---------------------------------------------------------------------------- */

static rti_ratio share_by_hand(int t, int a, int seeds, double together) {
    double kept[8], gain[8];
    for (int s = 0; s < seeds; s++) {
        double scratch = synthetic_errors(0, t, 0, s) / 2000.0;
        kept[s] = scratch - synthetic_errors(0, t, a, s) / 2000.0;
        gain[s] = scratch - together;
    }
    return rti_fieller(kept, gain, seeds);
}

Test(ensemble, shares_of_made_up_records) {
    synthetic s = synthetic_make(&(synthetic_options){1, 5, 3, 3}, test_path("run"));
    rti_ensemble e;
    char label[RTI_LABEL_MAX];
    cr_assert_eq(rti_summary_make(&summary, s.plan, s.records, &error), RT_OK);
    summary.facets[0].together = 40 / 2000.0;
    summary.facets[0].teacher.trials = summary.facets[0].teacher.done = 10;
    cr_assert_eq(rti_ensemble_make(&e, &summary, &error), RT_OK);
    /* members, together, scratch, and 3 x 2 cells that are not scratch */
    cr_assert_eq(e.count, 3 + 6);
    cr_assert(e.line[0].error.mean == summary.facets[0].teacher.test_last.mean &&
              e.line[0].part == RTI_MEMBERS);
    cr_assert(e.line[1].error.mean == 0.02 && isnan(e.line[1].error.half) && e.line[1].networks == 10);
    cr_assert(e.line[2].error.mean == summary.facets[0].scratch.test_last.mean && e.line[2].networks == 5);
    int shown = 0;
    for (int i = 3; i < e.count; i++) {
        const rti_ensemble_line *l = &e.line[i];
        rti_ratio want = share_by_hand(s.plan->cells[l->cell].value[0], s.plan->cells[l->cell].value[1], 5,
                                       0.02);
        cr_assert(fabs(l->share.ratio - want.ratio) < 1e-12 && fabs(l->share.low - want.low) < 1e-9);
        cr_assert(fabs(l->share.high - want.high) < 1e-9 && l->share.low < l->share.high);
        shown += l->shown;
        cr_assert(!l->shown || l->cell == summary.facets[0].best_cell);
    }
    cr_assert_eq(shown, 1);
    cr_assert_str_eq(rti_ensemble_label(&e.line[4], &summary, label), "distilled, T 1, alpha 0.9");
    rti_ensemble_deinit(&e);
    rti_summary_deinit(&summary);
    synthetic_free(&s);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

Test(ensemble, missing_seeds_are_no_pairs) {
    synthetic s = synthetic_make(&(synthetic_options){1, 3, 1, 3}, test_path("run"));
    rti_ensemble e;
    s.records[s.plan->cells[2].trials[0]].state = RTI_FAILED;
    s.records[s.plan->cells[2].scratch[1]].state = RTI_PENDING;
    cr_assert_eq(rti_summary_make(&summary, s.plan, s.records, &error), RT_OK);
    summary.facets[0].together = 0.02;
    cr_assert_eq(rti_ensemble_make(&e, &summary, &error), RT_OK);
    cr_assert(e.line[4].cell == 2 && e.line[4].share.pairs == 1 && isnan(e.line[4].share.low));
    cr_assert(e.line[3].cell == 1 && e.line[3].share.pairs == 2 && !isnan(e.line[3].share.low));
    rti_ensemble_deinit(&e);
    rti_summary_deinit(&summary);
    synthetic_free(&s);
}

Test(ensemble, report_and_picture_of_made_up_records) {
    bool plots = rti_program_exists("gnuplot");
    setenv("RETORT_PLOTS", "plots", 1);
    for (int seeds = 1; seeds <= 5; seeds += 4) {
        synthetic s = synthetic_make(&(synthetic_options){2, seeds, 3, 3}, test_path(seeds > 1 ? "b" : "a"));
        rti_text said = RTI_TEXT_EMPTY;
        rti_report_options options = {.plots = plots};
        cr_assert_eq(rti_summary_make(&summary, s.plan, s.records, &error), RT_OK);
        summary.facets[0].together = 0.02;
        summary.facets[1].together = 0.01;
        summary.facets[0].teacher.trials = summary.facets[1].teacher.trials = 10;
        cr_assert_eq(rti_report_files(&summary, &s.facts, &options, &said, &error), RT_OK, "%s",
                     error.message);
        cr_assert(!strstr(rti_text_string(&said), "could not be drawn"), "%s", rti_text_string(&said));
        cr_assert(!plots || strstr(rti_text_string(&said), "ensemble.svg"), "%s", rti_text_string(&said));
        cr_assert(strstr(rti_text_string(&said), "together 2.00 %"), "%s", rti_text_string(&said));
        finished_file_says(s.plan, "report.md", "| members together | 10 | 2.00 | 98.00 |  |");
        finished_file_says(s.plan, "report.md", "Fieller");
        rti_text_deinit(&said);
        rti_summary_deinit(&summary);
        synthetic_free(&s);
    }
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void same_answers(const rti_answers *a, const rti_answers *b, int64_t count) {
    cr_assert(a->count == count && a->classes == b->classes && a->labels == b->labels);
    cr_assert(a->logits != b->logits);
    cr_assert_arr_eq(a->logits, b->logits, (size_t)(count * a->classes) * sizeof *a->logits);
}

Test(answers, what_is_kept_with_a_summary_is_what_is_asked_anew) {
    static const char *const overrides[] = {"teacher.count=2"};
    finished_make(&plan, &summary, TEST_SPEC, overrides, 1, "a");
    const size_t blocks = rt_alloc_stats_get().live_blocks;
    for (int trial = 0; trial < 2; trial++) {
        rti_answers anew, first, again, some;
        cr_assert_eq(rti_answers_of_trial(&anew, &plan, trial, RT_PART_TEST, &error), RT_OK);
        cr_assert_eq(rti_answers_of_done(&first, &summary, trial, RT_PART_TEST, &error), RT_OK);
        same_answers(&first, &anew, EXAMPLES);
        for (int64_t i = 0; i < EXAMPLES * CLASSES; i++) first.logits[i] = -1; /* a copy: it may be changed */
        cr_assert_eq(rti_answers_of_done(&again, &summary, trial, RT_PART_TEST, &error), RT_OK);
        same_answers(&again, &anew, EXAMPLES);
        cr_assert_eq(rti_answers_of_some(&some, &plan, trial, RT_PART_TEST, 7, &error), RT_OK);
        same_answers(&some, &anew, 7);
        rti_answers_deinit(&anew), rti_answers_deinit(&first), rti_answers_deinit(&again);
        rti_answers_deinit(&some);
    }
    cr_assert(rt_alloc_stats_get().live_blocks > blocks, "nothing was kept");
    finished_free(&plan, &summary);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

/* A teacher of two, whose answers together depend on T: what is kept for one T is not given for another. */
Test(answers, a_teachers_answers_are_kept_for_their_temperature) {
    static const char *const overrides[] = {"teacher.count=2", "teacher.combine=probabilities"};
    finished_make(&plan, &summary, TEST_SPEC, overrides, 2, "a");
    const int student = rti_facet_student(&plan, 0);
    rti_answers first, again, other, kept;
    cr_assert_eq(rti_answers_of_teacher(&first, &summary, student, RT_PART_TEST, 1, &error), RT_OK);
    cr_assert_eq(rti_answers_of_teacher(&other, &summary, student, RT_PART_TEST, 4, &error), RT_OK);
    cr_assert_arr_neq(first.logits, other.logits, EXAMPLES * CLASSES * sizeof *first.logits);
    const size_t calls = rt_alloc_stats_get().calls;
    cr_assert_eq(rti_answers_of_teacher(&again, &summary, student, RT_PART_TEST, 1, &error), RT_OK);
    cr_assert_eq(rti_answers_of_teacher(&kept, &summary, student, RT_PART_TEST, 4, &error), RT_OK);
    cr_assert_eq(rt_alloc_stats_get().calls - calls, 2, "asked anew"); /* a block for each copy */
    same_answers(&again, &first, EXAMPLES);
    same_answers(&kept, &other, EXAMPLES);
    rti_answers_deinit(&first), rti_answers_deinit(&again), rti_answers_deinit(&other);
    rti_answers_deinit(&kept);
    finished_free(&plan, &summary);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}
