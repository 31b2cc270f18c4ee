/* test_similarity.c - which classes a teacher takes for alike.
 *
 * Checked against: mean soft targets worked out here from the teacher's logits, rows that sum to 1, the
 * errors in the records (what is off the diagonal), a rank correlation of the file's columns. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/temporary.h"
#include "finished.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan;
static rti_summary summary;
static rti_similarity s;
static rt_error error;

static int64_t off_diagonal(const int64_t counts[RTI_SIMILARITY_CLASSES][RTI_SIMILARITY_CLASSES]) {
    int64_t sum = 0;
    for (int y = 0; y < s.classes; y++)
        for (int k = 0; k < s.classes; k++) sum += y != k ? counts[y][k] : 0;
    return sum;
}

/* The same by another way: one example at a time, exp and sum. */
static void expect_soft_targets(int student) {
    double mean[10][10] = {{0}}, count[10] = {0};
    rti_teaching teacher;
    cr_assert_eq(rti_reference_load(&teacher, &plan, student, &error), RT_OK);
    const rt_part *part = rt_dataset_part(plan.datasets[0], RT_PART_TRANSFER);
    rt_graph *g = rt_graph_new(&error);
    rt_loader *loader = rt_loader_new(part, 7, 0, NULL, &error);
    rt_batch batch;
    cr_assert(g && loader);
    while (rt_loader_next(loader, &batch)) {
        rt_tensor *v = rt_teacher_logits(teacher.teacher, g, batch.x, s.T);
        for (int64_t i = 0; i < batch.count; i++) {
            double sum = 0, p[10];
            int y = rt_i32_data(batch.y)[i];
            for (int k = 0; k < 10; k++) sum += p[k] = exp((double)rt_real_data(v)[i * 10 + k] / s.T);
            for (int k = 0; k < 10; k++) mean[y][k] += p[k] / sum;
            count[y]++;
        }
        rt_graph_reset(g);
    }
    for (int y = 0; y < 10; y++) {
        double row = 0;
        cr_assert(s.examples[y] == (int64_t)count[y]);
        for (int k = 0; k < 10 && count[y] > 0; k++) {
            cr_assert(fabs(s.soft[y][k] - mean[y][k] / count[y]) < 1e-12, "%d %d", y, k);
            row += s.soft[y][k];
        }
        cr_assert(count[y] > 0 ? fabs(row - 1) < 1e-12 : isnan(s.soft[y][0]));
    }
    rt_loader_free(loader);
    rt_graph_free(g);
    rti_teaching_deinit(&teacher);
}

Test(similarity, soft_targets_and_confusions) {
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    cr_assert_eq(rti_similarity_make(&s, &summary, &error), RT_OK, "%s", error.message);
    int best = summary.facets[0].best_cell;
    cr_assert(s.classes == 10 && s.facet == 0 && s.has_teacher && s.has_students);
    cr_assert(
        s.T ==
        plan.spec.axes[plan.temperature_axis].values[plan.cells[best].value[plan.temperature_axis]].number);
    expect_soft_targets(plan.cells[0].trials[0]);
    cr_assert_eq(off_diagonal(s.teacher), summary.records[0].test_last.errors);
    cr_assert_eq(off_diagonal(s.students), summary.records[plan.cells[best].trials[0]].test_last.errors +
                                               summary.records[plan.cells[best].trials[1]].test_last.errors);
    cr_assert(s.rho_teacher > -1 && s.rho_teacher < 1 && s.rho_students > -1 && s.rho_students < 1);
    finished_free(&plan, &summary);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

Test(similarity, file_has_what_is_correlated) {
    finished_make(&plan, &summary, TEST_SPEC, NULL, 0, "runs");
    cr_assert_eq(rti_similarity_make(&s, &summary, &error), RT_OK, "%s", error.message);
    rti_text said = finished_report(&plan, false);
    char path[5000];
    rti_csv csv;
    snprintf(path, sizeof path, "%s/similarity.csv", plan.directory);
    cr_assert_eq(rti_csv_read(&csv, path, ',', &error), RT_OK);
    cr_assert_eq(csv.rows, 101);
    double soft[100], share[100], rho;
    int count = 0;
    for (int i = 0; i < 100; i++) {
        if (i / 10 == i % 10) continue;
        soft[count] = share[count] = NAN;
        rti_csv_number(rti_csv_field(&csv, i + 1, rti_csv_column(&csv, "soft_target")), &soft[count]);
        rti_csv_number(rti_csv_field(&csv, i + 1, rti_csv_column(&csv, "teacher_share")), &share[count]);
        count++;
    }
    cr_assert_eq(rti_spearman(soft, share, count, &rho, &error), RT_OK);
    cr_assert(fabs(rho - s.rho_teacher) < 1e-12);
    char text[64];
    snprintf(text, sizeof text, "* with the confusions of the teacher: %.2f\n", rho);
    finished_file_says(&plan, "report.md", text);
    rti_csv_deinit(&csv);
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(similarity, class_that_no_student_sees_has_no_row) {
    static const char *const omit[] = {"data.transfer.omit_classes=[3]"};
    finished_make(&plan, &summary, TEST_SPEC, omit, 1, "runs");
    cr_assert_eq(rti_similarity_make(&s, &summary, &error), RT_OK, "%s", error.message);
    cr_assert(s.classes == 10 && s.examples[3] == 0 && isnan(s.soft[3][3]) && !isnan(s.soft[2][3]));
    expect_soft_targets(plan.cells[0].trials[0]);
    cr_assert(isfinite(s.rho_teacher));
    rti_text said = finished_report(&plan, false);
    finished_file_says(&plan, "similarity.csv", "\n3,3,,");
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}

Test(similarity, too_many_classes_or_no_teacher_is_nothing) {
    /* 21 classes of one number each. */
    rti_text rows = RTI_TEXT_EMPTY;
    for (int i = 0; i < 84; i++) rti_text_printf(&rows, "%d,%d,%d\n", i % 21, (i * 7) % 5, i % 21);
    FILE *file = fopen(test_path("many.csv"), "w");
    cr_assert(file && fputs(rti_text_string(&rows), file) >= 0 && fclose(file) == 0);
    rti_text_deinit(&rows);
    char spec[2048];
    snprintf(spec, sizeof spec,
             "name = \"many\"\nseeds = [1]\n[data]\nset = \"csv\"\ncsv = { train = \"%s\", test = \"%s\" }\n"
             "validation = 21\nbatch = 10\n[teacher]\nhidden = [4]\nepochs = 1\n[student]\nhidden = "
             "[3]\nepochs = 1\n"
             "[distill]\nmethod = \"kd\"\n",
             test_path("many.csv"), test_path("many.csv"));
    finished_make(&plan, &summary, spec, NULL, 0, "runs");
    cr_assert_eq(rti_similarity_make(&s, &summary, &error), RT_OK, "%s", error.message);
    cr_assert_eq(s.classes, 0);
    rti_text said = finished_report(&plan, false);
    char *report = finished_file(&plan, "report.md");
    cr_assert(!strstr(report, "## Similar classes") && strstr(report, "## Calibration"));
    free(report);
    rti_text_deinit(&said);
    finished_free(&plan, &summary);
}
