/* What a report says of classes that students never see. Its numbers are checked against the records, and
 * against the saved networks, asked again with s added to a logit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "finished.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan;
static rti_summary summary;
static rt_error error;

static const char *const without_3[] = {"data.transfer.omit_classes=[3]",
                                        "data.digits.train=500",
                                        "data.digits.test=200",
                                        "data.validation=100",
                                        "student.epochs=4",
                                        "teacher.epochs=4"};

static double number_at(const rti_csv *csv, int64_t row, const char *column) {
    double value = NAN;
    int c = rti_csv_column(csv, column);
    cr_assert(c >= 0, "no column %s", column);
    return rti_csv_number(rti_csv_field(csv, row, c), &value) ? value : NAN;
}

static bool exists(const char *name) {
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", plan.directory, name);
    return access(path, F_OK) == 0;
}

/* Of the part's examples: errors, and how many are said to be of class 3, when s is added to its logit. */
static void ask_by_hand(int trial, rt_part_name name, double s, int64_t *errors, int64_t *said) {
    rti_answers a;
    cr_assert_eq(rti_answers_of_trial(&a, &plan, trial, name, &error), RT_OK, "%s", error.message);
    *errors = *said = 0;
    for (int64_t i = 0; i < a.count; i++) {
        int top = 0;
        double best = -INFINITY;
        for (int k = 0; k < a.classes; k++) {
            double z = (double)a.logits[i * a.classes + k] + (k == 3 ? s : 0);
            if (z > best) best = z, top = k;
        }
        *errors += top != a.labels[i];
        *said += top == 3;
    }
    rti_answers_deinit(&a);
}

Test(omission, no_shift_gives_the_recorded_errors_and_the_prior_is_matched) {
    finished_make(&plan, &summary, TEST_SPEC, without_3, 6, "runs");
    rti_shifts shifts;
    cr_assert_eq(rti_shifts_make(&shifts, &summary, &error), RT_OK, "%s", error.message);
    cr_assert_eq(shifts.group_count, 3); /* scratch, T 1 and T 4 at alpha 0.5 */
    cr_assert(shifts.group[0].cell == -1 && shifts.group[1].cell >= 0);
    const rt_part *train = rt_dataset_part(plan.datasets[0], RT_PART_TRAIN);
    int64_t threes = 0, errors, said;
    for (int64_t i = 0; i < train->count; i++) threes += train->labels[i] == 3;
    for (int i = 0; i < shifts.student_count; i++) {
        const rti_shift_student *s = &shifts.student[i];
        cr_assert_eq(s->choice[RTI_SHIFT_NONE].errors, summary.records[s->trial].test_last.errors);
        /* All hidden units of so small a network may be silent: then many margins are equal. */
        ask_by_hand(s->trial, RT_PART_TRAIN, s->choice[RTI_SHIFT_PRIOR].s + 1e-9, &errors, &said);
        cr_assert(said >= threes, "%lld images for %lld labels", (long long)said, (long long)threes);
        ask_by_hand(s->trial, RT_PART_TRAIN, s->choice[RTI_SHIFT_PRIOR].s - 1e-9, &errors, &said);
        cr_assert(said < threes, "%lld images for %lld labels", (long long)said, (long long)threes);
        const double wanted = 200 * (double)threes / (double)train->count;
        ask_by_hand(s->trial, RT_PART_TEST, s->choice[RTI_SHIFT_TEST_PRIOR].s + 1e-9, &errors, &said);
        cr_assert((double)said >= wanted - 1e-6);
        ask_by_hand(s->trial, RT_PART_TEST, s->choice[RTI_SHIFT_TEST_PRIOR].s - 1e-9, &errors, &said);
        cr_assert((double)said < wanted);
        for (int c = 0; c < RTI_SHIFT_CHOICES; c++) {
            cr_assert(s->choice[RTI_SHIFT_TUNED].errors <= s->choice[c].errors);
            cr_assert(s->choice[c].s >= shifts.low * RTI_SHIFT_STEP);
            cr_assert(s->choice[c].s <= shifts.high * RTI_SHIFT_STEP);
        }
    }
    rti_shifts_deinit(&shifts);
    finished_free(&plan, &summary);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* shift.csv against shift-curve.csv. */
static void compare_files(void) {
    rti_csv choices = finished_csv(&plan, "shift.csv"), curve = finished_csv(&plan, "shift-curve.csv");
    cr_assert_eq(choices.rows, 1 + 3 * 2 * RTI_SHIFT_CHOICES);
    for (int64_t row = 1; row < choices.rows; row += RTI_SHIFT_CHOICES) {
        double least = INFINITY, at_zero = NAN;
        for (int64_t i = 1; i < curve.rows; i++) {
            bool same = !strcmp(rti_csv_field(&curve, i, 0), rti_csv_field(&choices, row, 0)) &&
                        !strcmp(rti_csv_field(&curve, i, 2), rti_csv_field(&choices, row, 2)) &&
                        !strcmp(rti_csv_field(&curve, i, 3), rti_csv_field(&choices, row, 3));
            if (!same) continue;
            least = fmin(least, number_at(&curve, i, "errors"));
            if (number_at(&curve, i, "s") == 0) at_zero = number_at(&curve, i, "errors");
        }
        cr_assert_eq(at_zero, number_at(&choices, row, "errors"));
        double tuned = number_at(&choices, row + RTI_SHIFT_TUNED, "errors");
        cr_assert(tuned <= least && tuned >= least - 2, "%g, least of the curve %g", tuned, least);
        cr_assert_eq(number_at(&choices, row + 1, "bias"), number_at(&choices, row + 1, "s"));
    }
    rti_csv_deinit(&choices);
    rti_csv_deinit(&curve);
}

/* The last row of unseen.csv against the records. */
static void compare_curves(void) {
    rti_csv csv = finished_csv(&plan, "unseen.csv");
    const rti_cell *cell = &plan.cells[1];
    double mean = 50 * (summary.records[cell->trials[0]].rows[3].unseen_accuracy +
                        summary.records[cell->trials[1]].rows[3].unseen_accuracy);
    cr_assert_eq(csv.rows, 5);
    cr_assert_eq(csv.columns, 1 + 3 * 3);
    cr_assert_float_eq(number_at(&csv, 4, "T 1, alpha 0.5"), mean, 1e-9);
    cr_assert_eq(number_at(&csv, 4, "scratch"), 0, "labels alone teach nothing of a class that is not there");
    rti_csv_deinit(&csv);
}

/* taught.csv against the teacher's logits: nobody who is left out stands higher. */
static void compare_taught(void) {
    rti_csv csv = finished_csv(&plan, "taught.csv");
    rti_answers a;
    const rt_part *part = rt_dataset_part(plan.datasets[0], RT_PART_TRANSFER);
    cr_assert_eq(rti_answers_of_teacher(&a, &summary, plan.cells[1].trials[0], RT_PART_TRANSFER, 1, &error),
                 RT_OK);
    cr_assert_eq(csv.rows, 1 + RTI_TAUGHT_IMAGES);
    const double last = number_at(&csv, RTI_TAUGHT_IMAGES, "logit");
    int above = 0;
    for (int64_t i = 0; i < a.count; i++) {
        double mean = 0, sum = 0, top = -INFINITY;
        const rt_real *v = a.logits + i * a.classes;
        cr_assert_neq(part->labels[i], 3);
        for (int k = 0; k < a.classes; k++) mean += (double)v[k] / (double)a.classes;
        for (int k = 0; k < a.classes; k++) top = fmax(top, (double)v[k]);
        for (int k = 0; k < a.classes; k++) sum += exp((double)v[k] - top);
        above += (double)v[3] - mean > last + 1e-9;
        for (int64_t row = 1; row < csv.rows; row++) {
            if ((int32_t)number_at(&csv, row, "example") != part->index[i]) continue;
            cr_assert_float_eq(number_at(&csv, row, "logit"), (double)v[3] - mean, 1e-9);
            cr_assert_float_eq(number_at(&csv, row, "probability"), exp((double)v[3] - top) / sum, 1e-6);
            cr_assert_eq((int32_t)number_at(&csv, row, "true"), part->labels[i]);
        }
    }
    cr_assert_eq(above, RTI_TAUGHT_IMAGES - 1);
    rti_answers_deinit(&a);
    rti_csv_deinit(&csv);
}

Test(omission, a_report_has_the_table_and_its_files) {
    finished_make(&plan, &summary, TEST_SPEC, without_3, 6, "runs");
    rti_text said = finished_report(&plan, false);
    cr_assert(strstr(rti_text_string(&said),
                     "unseen classes: test errors when their bias is shifted (bias of "
                     "omitted 3)"),
              "%s", rti_text_string(&said));
    finished_file_says(&plan, "report.md", "## Classes that students never see");
    finished_file_says(&plan, "report.md", "no test\n  image and no test label is used");
    finished_file_says(&plan, "report.md", "omitted 3 (prior of the unseen classes");
    finished_file_says(&plan, "taught-images.csv", "rank,x,y,red,green,blue\n1,0,0,");
    compare_files();
    compare_curves();
    compare_taught();
    cr_assert(!exists("omitted.csv"));
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(omission, where_fewer_classes_are_seen_their_bias_is_told) {
    static const char *const sets[] = {"data.transfer.classes=[7, 8]", "data.digits.train=300"};
    finished_make(&plan, &summary, TEST_SPEC, sets, 2, "runs");
    rti_text said = finished_report(&plan, false);
    cr_assert(strstr(rti_text_string(&said), "(bias of seen 7, 8)"), "%s", rti_text_string(&said));
    rti_csv csv = finished_csv(&plan, "shift.csv");
    bool any = false;
    for (int64_t row = 1; row < csv.rows; row++) {
        double s = number_at(&csv, row, "s"), bias = number_at(&csv, row, "bias");
        cr_assert_eq(bias, -s);
        cr_assert(s == 0 || signbit(s) != signbit(bias));
        any = any || s > 0;
    }
    cr_assert(any);
    cr_assert(!exists("taught.csv"), "eight classes are unseen, not one");
    rti_csv_deinit(&csv);
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(omission, a_sweep_over_omitted_classes_has_a_row_for_each) {
    static const char spec[] = TEST_SPEC_HEAD "scratch = false\n[sweep]\n"
                                              "\"data.transfer.omit_classes\" = [[], [0], [3], [1, 2]]\n";
    static const char *const sets[] = {"data.digits.train=200"};
    finished_make(&plan, &summary, spec, sets, 1, "runs");
    cr_assert_eq(plan.facet_count, 4);
    int teachers = 0;
    for (int t = 0; t < plan.trial_count; t++) teachers += plan.trials[t].role == RTI_TEACHER;
    cr_assert_eq(teachers, 1, "what students do not see is no matter of the teacher");
    rti_text said = finished_report(&plan, false);
    rti_csv csv = finished_csv(&plan, "omitted.csv");
    static const char *const classes[] = {"0", "3", "1, 2"};
    cr_assert_eq(csv.rows, 4);
    for (int i = 0; i < 3; i++) {
        const int *trials = plan.cells[i + 1].trials;
        cr_assert_str_eq(rti_csv_field(&csv, i + 1, 0), classes[i]);
        double mean = 0.5 * (double)(summary.records[trials[0]].test_last.errors +
                                     summary.records[trials[1]].test_last.errors);
        cr_assert_eq(number_at(&csv, i + 1, "errors"), mean);
        cr_assert(number_at(&csv, i + 1, "errors_tuned") <= mean);
        cr_assert(number_at(&csv, i + 1, "errors_tuned") <= number_at(&csv, i + 1, "errors_prior"));
    }
    cr_assert(strstr(rti_text_string(&said), "to match the prior, and tuned on test"));
    rti_csv_deinit(&csv);
    csv = finished_csv(&plan, "unseen.csv");
    cr_assert_eq(csv.columns, 1 + 3 * 3);
    rti_csv_deinit(&csv);
    cr_assert(exists("shift-mean-3.csv"));
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(omission, students_that_see_every_class_have_no_such_files) {
    static const char *const sets[] = {"data.digits.train=300"};
    finished_make(&plan, &summary, TEST_SPEC, sets, 1, "runs");
    rti_text said = finished_report(&plan, false);
    cr_assert(!strstr(rti_text_string(&said), "unseen"));
    char *report = finished_file(&plan, "report.md");
    cr_assert(!strstr(report, "never see"));
    cr_assert(!exists("shift.csv") && !exists("shift-curve.csv") && !exists("unseen.csv") &&
              !exists("taught.csv") && !exists("omitted.csv"));
    free(report);
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(omission, every_failing_allocation_is_an_error_and_leaks_nothing) {
    int failures = 0;
    finished_make(&plan, &summary, TEST_SPEC, without_3, 1, "runs");
    size_t before = rt_alloc_stats_get().live_blocks;
    for (size_t n = 1; n < 100000; n += 1 + n / 10) {
        rti_shifts shifts;
        rti_unseen_curves curves;
        rti_taught taught;
        rt_alloc_fail_after(n);
        rt_status status = rti_shifts_make(&shifts, &summary, &error);
        bool is_made = status == RT_OK;
        if (status == RT_OK) status = rti_shifts_write(&shifts, &summary, &error);
        if (status == RT_OK) status = rti_unseen_curves_make(&curves, &summary, &error);
        if (status == RT_OK) status = rti_unseen_curves_write(&curves, &summary, &error);
        if (status == RT_OK) status = rti_taught_make(&taught, &summary, &error);
        if (status == RT_OK) status = rti_taught_write(&taught, &summary, &error);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY, "n = %zu: %s: %s", n, rt_status_name(status),
                  error.message);
        if (is_made) rti_shifts_deinit(&shifts);
        rti_kept_answers_free(summary.kept);
        summary.kept = rti_kept_answers_new();
        cr_assert(rt_alloc_stats_get().live_blocks == before, "n = %zu leaks", n);
        failures += status == RT_MEMORY;
        if (status == RT_OK) break;
    }
    cr_assert(failures > 20, "%d", failures);
    finished_free(&plan, &summary);
}

/* Several seeds and one, with scratch and without, one facet and several. */
Test(omission, pictures_are_drawn) {
    if (!rti_program_exists("gnuplot")) cr_skip_test("gnuplot is not installed");
    static const char spec[] = TEST_SPEC_HEAD "scratch = false\n[sweep]\n"
                                              "\"data.transfer.omit_classes\" = [[0], [3]]\n";
    static const char *const sets[] = {"data.digits.train=200", "seeds=[1]"};
    static const char *const whole[] = {"shift.svg", "unseen.svg", "taught.svg"}, *const each[] = {
                                                                                      "shift-0.svg",
                                                                                      "unseen.svg",
                                                                                      "taught.svg",
                                                                                      "omitted.png"};
    setenv("RETORT_PLOTS", "plots", 1);
    for (int i = 0; i < 2; i++) {
        if (i)
            finished_make(&plan, &summary, spec, sets, 2, "each");
        else
            finished_make(&plan, &summary, TEST_SPEC, without_3, 6, "one");
        rti_text said = finished_report(&plan, true);
        cr_assert(!strstr(rti_text_string(&said), "could not be drawn"), "%s", rti_text_string(&said));
        for (int p = 0; p < 3 + i; p++) {
            const char *name = i ? each[p] : whole[p];
            cr_assert(exists(name), "%s is missing:\n%s", name, rti_text_string(&said));
        }
        rti_text_deinit(&said);
        finished_free(&plan, &summary);
    }
}
