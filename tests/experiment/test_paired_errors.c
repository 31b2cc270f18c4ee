/* test_paired_errors.c - which examples two networks get wrong.
 *
 * Checked against: counts by hand, the errors and agreements that rt_evaluate left in the records, and
 * identities between the counts. */
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

static rti_plan plan;
static rti_summary summary;
static rt_error error;

Test(paired_errors, overlap_by_hand) {
    const int32_t labels[] = {0, 1, 2, 0, 1, 2, 0, 1}, a[] = {0, 1, 2, 1, 2, 0, 0, 0},
                  b[] = {0, 1, 0, 1, 0, 2, 1, 0};
    rti_overlap o = rti_overlap_of(a, b, labels, 8);
    cr_assert(o.examples == 8 && o.errors == 4 && o.other_errors == 5);
    cr_assert(o.n01 == 1 && o.n10 == 2 && o.both == 3 && o.same == 2 && o.agreeing == 4);
    cr_assert(o.p == 1.0);
    o = rti_overlap_of(a, a, labels, 8);
    cr_assert(o.n01 == 0 && o.n10 == 0 && o.both == 4 && o.same == 4 && o.agreeing == 8 && o.p == 1.0);
}

static void expect_identities(const rti_paired_errors *paired) {
    for (int i = 0; i < paired->count; i++) {
        const rti_paired_line *l = &paired->line[i];
        const rti_overlap *o = &l->overlap;
        const int *scratch = plan.cells[summary.facets[l->facet].first_cell].scratch;
        int trial = l->cell < 0 ? scratch[l->seed] : plan.cells[l->cell].trials[l->seed];
        const rt_quality *q = &summary.records[trial].test_last;
        cr_assert(o->examples == q->examples && o->errors == q->errors);
        cr_assert(o->n01 + o->both == o->errors && o->n10 + o->both == o->other_errors);
        cr_assert(o->same <= o->both && o->agreeing <= o->examples - o->n01 - o->n10);
        cr_assert(o->agreeing == o->examples - o->errors - o->n10 + o->same);
        if (l->against_teacher)
            cr_assert(fabs((double)o->agreeing / (double)o->examples - q->agreement) < 1e-12);
        else
            cr_assert(o->other_errors == summary.records[scratch[l->seed]].test_last.errors);
    }
}

Test(paired_errors, agree_with_the_records) {
    rti_paired_errors paired;
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    cr_assert_eq(rti_paired_errors_make(&paired, &summary, &error), RT_OK, "%s", error.message);
    /* two seeds: scratch against the teacher; two cells that are not scratch against both */
    cr_assert(paired.count == 2 * (1 + 2 * 2) && paired.left_out == 0);
    expect_identities(&paired);
    int chosen = 0;
    for (int i = 0; i < paired.count; i++) chosen += paired.line[i].chosen;
    cr_assert_eq(chosen, 4);
    rti_text said = finished_report(&plan, false);
    finished_file_says(&plan, "report.md", "## Paired errors");
    finished_file_says(&plan, "report.md", "| scratch | teacher | ");
    finished_file_says(&plan, "paired-errors.csv", "facet,cell,network,chosen,seed,against,examples");
    rti_text_deinit(&said);
    rti_paired_errors_deinit(&paired);
    finished_free(&plan, &summary);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

Test(paired_errors, cells_that_take_long_are_left_out) {
    rti_paired_errors paired;
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    for (int c = 0; c < plan.cell_count; c++) summary.cells[c].students.cost.multiply_adds = (int64_t)1 << 40;
    cr_assert_eq(rti_paired_errors_make(&paired, &summary, &error), RT_OK, "%s", error.message);
    cr_assert(paired.left_out == 1 && paired.count == 2 * (1 + 2));
    for (int i = 0; i < paired.count; i++) cr_assert(paired.line[i].cell < 0 || paired.line[i].chosen);
    rti_text out = RTI_TEXT_EMPTY;
    rti_paired_errors_markdown(&out, &paired, &summary);
    cr_assert(strstr(rti_text_string(&out), "1 cell that would take long to ask and was not chosen is left"),
              "%s", rti_text_string(&out));
    rti_text_deinit(&out);
    rti_paired_errors_deinit(&paired);
    finished_free(&plan, &summary);
}

Test(paired_errors, comparison_has_every_cell) {
    rti_paired_errors paired;
    char label[RTI_LABEL_MAX];
    finished_make(&plan, &summary, TEST_COMPARE_HEAD TEST_COMPARE_ROWS, NULL, 0, "runs");
    cr_assert_eq(rti_paired_errors_make(&paired, &summary, &error), RT_OK, "%s", error.message);
    /* scratch; kd at two temperatures, chain at two, the sum, label-smoothing */
    cr_assert(paired.count == 2 * (1 + 6 * 2), "%d", paired.count);
    expect_identities(&paired);
    for (int i = 0; i < paired.count; i++)
        if (paired.line[i].cell >= 0)
            cr_assert(rti_finding_label(&summary, 0, paired.line[i].cell, label)[0]);
    cr_assert_str_eq(rti_finding_label(&summary, 0, -1, label), "scratch");
    rti_paired_errors_deinit(&paired);
    finished_free(&plan, &summary);
}

Test(paired_errors, without_scratch_only_the_teacher_is_there) {
    static const char *const alone[] = {"distill.scratch=false", "distill.alpha=0.5"};
    rti_paired_errors paired;
    finished_make(&plan, &summary, TEST_SPEC_HEAD "temperature = 4.0\n", alone, 2, "runs");
    cr_assert_eq(rti_paired_errors_make(&paired, &summary, &error), RT_OK, "%s", error.message);
    cr_assert_eq(paired.count, 2);
    cr_assert(paired.line[0].against_teacher && paired.line[1].against_teacher);
    rti_paired_errors_deinit(&paired);
    finished_free(&plan, &summary);
}

Test(paired_errors, weights_that_are_gone_leave_a_report) {
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 32];
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    rti_trial_directory(&plan, plan.cells[0].scratch[0], directory, sizeof directory);
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    cr_assert_eq(unlink(path), 0);
    rti_paired_errors paired;
    cr_assert_neq(rti_paired_errors_make(&paired, &summary, &error), RT_OK);
    cr_assert(strstr(error.message, "weights.safetensors"), "%s", error.message);
    rti_text said = finished_report(&plan, false);
    char *report = finished_file(&plan, "report.md");
    cr_assert(!strstr(report, "## Paired errors") && strstr(report, "## Similar classes"), "%s", report);
    free(report);
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

Test(paired_errors, every_failing_allocation_is_an_error_and_leaks_nothing) {
    int failures = 0;
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    size_t before = rt_alloc_stats_get().live_blocks;
    for (size_t n = 1; n < 100000; n += 1 + n / 10) {
        rti_findings findings;
        rt_alloc_fail_after(n);
        rt_status status = rti_findings_make(&findings, &summary, &error);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY, "n = %zu: %s: %s", n, rt_status_name(status),
                  error.message);
        if (status == RT_OK) rti_findings_deinit(&findings);
        rti_kept_answers_free(summary.kept);
        summary.kept = rti_kept_answers_new();
        cr_assert(rt_alloc_stats_get().live_blocks == before, "n = %zu leaks", n);
        failures += status == RT_MEMORY;
        if (status == RT_OK) break;
    }
    cr_assert(failures > 20, "%d", failures);
    finished_free(&plan, &summary);
}
