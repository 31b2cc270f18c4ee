/* test_report.c - summary, tables, CSV files, Markdown and pictures of made-up records.
 *
 * Checked against: means and deviations worked out here from the formula that made the records, the
 * records themselves, rules that must hold for every report (nothing chosen on test data, failed trials
 * named, no name that reaches a shell, a terminal or Markdown as anything but text), and allocations that
 * fail in turn. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/temporary.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "synthetic.h"

static const synthetic_options grid = {1, 3, 5, 4};

static rti_summary summarise(synthetic *s) {
    rti_summary summary;
    rt_error error = {0};
    cr_assert(rti_summary_make(&summary, s->plan, s->records, &error) == RT_OK, "%s", error.message);
    return summary;
}

static void finish(synthetic *s, rti_summary *summary) {
    rti_summary_deinit(summary);
    synthetic_free(s);
    cr_assert(rt_alloc_stats_get().live_blocks == 0, "%zu blocks are left", rt_alloc_stats_get().live_blocks);
}

/* Writes the report without pictures into a directory of its own; returns what the terminal shows. */
static rti_text write_report(synthetic *s, rti_summary *summary, bool plots) {
    rti_text said = RTI_TEXT_EMPTY;
    rt_error error = {0};
    rti_report_options options = {.plots = plots};
    cr_assert(rti_report_files(summary, &s->facts, &options, &said, &error) == RT_OK, "%s", error.message);
    return said;
}

static rti_bytes file_of(const synthetic *s, const char *name) {
    char path[RTI_PATH_MAX];
    rti_bytes bytes;
    rt_error error = {0};
    snprintf(path, sizeof path, "%.3000s/%s", s->plan->directory, name);
    cr_assert(rti_file_read(path, 1 << 24, &bytes, &error) == RT_OK, "%s", error.message);
    return bytes;
}

static void expect_in_file(const synthetic *s, const char *name, const char *text) {
    rti_bytes bytes = file_of(s, name);
    cr_assert(strstr((char *)bytes.data, text), "%s does not hold \"%s\":\n%.6000s", name, text,
              (char *)bytes.data);
    rt_free(bytes.data);
}

static rti_csv csv_of(const synthetic *s, const char *name) {
    char path[RTI_PATH_MAX];
    rti_csv csv;
    rt_error error = {0};
    snprintf(path, sizeof path, "%.3000s/%s", s->plan->directory, name);
    cr_assert(rti_csv_read(&csv, path, ',', &error) == RT_OK, "%s", error.message);
    return csv;
}

static double number_at(const rti_csv *csv, int64_t row, const char *column) {
    int c = rti_csv_column(csv, column);
    double value = NAN;
    cr_assert(c >= 0, "no column %s", column);
    if (!rti_csv_number(rti_csv_field(csv, row, c), &value)) value = NAN;
    return value;
}

static const char *text_at(const rti_csv *csv, int64_t row, const char *column) {
    int c = rti_csv_column(csv, column);
    cr_assert(c >= 0, "no column %s", column);
    return rti_csv_field(csv, row, c);
}

static void expect_near(double got, double want, const char *what) {
    cr_assert(fabs(got - want) <= 1e-12 + 1e-9 * fabs(want), "%s: %.15g, not %.15g", what, got, want);
}

/* ---- the numbers --------------------------------------------------------------------------------- */

Test(report, summary_has_the_means_of_the_records) {
    synthetic s = synthetic_make(&grid, "nowhere");
    rti_summary summary = summarise(&s);
    for (int t = 0; t < 5; t++)
        for (int a = 0; a < 4; a++) {
            const rti_cell_summary *cell = &summary.cells[t * 4 + a];
            double e[3], d[3], mean = 0.0, mean_d = 0.0, squares = 0.0, squares_d = 0.0;
            for (int i = 0; i < 3; i++) {
                e[i] = synthetic_errors(0, t, a, i) / 2000.0;
                d[i] = e[i] - synthetic_errors(0, 0, 0, i) / 2000.0;
                mean += e[i] / 3.0;
                mean_d += d[i] / 3.0;
            }
            for (int i = 0; i < 3; i++) {
                squares += (e[i] - mean) * (e[i] - mean);
                squares_d += (d[i] - mean_d) * (d[i] - mean_d);
            }
            expect_near(cell->students.test_last.mean, mean, "mean");
            expect_near(cell->students.test_last.half, 4.302652729696142 * sqrt(squares / 2.0) / sqrt(3.0),
                        "half");
            expect_near(cell->students.test_best.mean, mean - 1.0 / 2000.0, "best epoch");
            expect_near(cell->students.agreement.mean, 1.0 - 0.9 * mean, "agreement");
            cr_assert(cell->paired.pairs == 3);
            cr_assert(cell->is_scratch == (a == 0));
            cr_assert(fabs(cell->paired.difference.mean - mean_d) < 1e-12);
            if (!cell->paired.no_spread)
                cr_assert(fabs(cell->paired.difference.sd - sqrt(squares_d / 2.0)) < 1e-9);
            cr_assert(isnan(cell->p_holm) == (a == 0));
            if (a) cr_assert(cell->p_holm >= cell->paired.p);
        }
    cr_assert(summary.done == 49 && summary.failed == 0 && summary.unfinished == 0);
    cr_assert(summary.facets[0].tests == 15 && summary.facets[0].best_cell == 2 * 4 + 2);
    cr_assert(summary.facets[0].teacher.trials == 1 && summary.facets[0].teacher.agreement.count == 0);
    expect_near(summary.facets[0].teacher.test_errors.mean, synthetic_teacher_errors(), "teacher");
    finish(&s, &summary);
}

Test(report, choice_is_made_on_validation_never_on_test) {
    synthetic s = synthetic_make(&grid, "nowhere");
    for (int i = 0; i < 3; i++) { /* T 1, alpha 1: the worst on test becomes the best on validation */
        rti_record *r = &s.records[s.plan->cells[3].trials[i]];
        synthetic_set_errors(r, 1500);
        r->validation_last.errors = 1;
    }
    rti_summary summary = summarise(&s);
    cr_assert(summary.facets[0].best_cell == 3);
    cr_assert(!summary.facets[0].scratch_is_better);
    finish(&s, &summary);

    s = synthetic_make(&grid, "nowhere"); /* a cell with one lucky seed is not chosen */
    s.records[s.plan->cells[3].trials[0]].validation_last.errors = 0;
    s.records[s.plan->cells[3].trials[1]].state = RTI_FAILED;
    s.records[s.plan->cells[3].trials[2]].state = RTI_PENDING;
    summary = summarise(&s);
    cr_assert(summary.facets[0].best_cell == 10);
    cr_assert(summary.cells[3].students.done == 1 && summary.cells[3].students.failed == 1);
    cr_assert(summary.cells[3].paired.pairs == 1 && summary.cells[3].paired.verdict == RTI_INCONCLUSIVE);
    finish(&s, &summary);

    s = synthetic_make(&grid, "nowhere"); /* equal errors: the lower NLL */
    for (int t = 0; t < s.plan->trial_count; t++) s.records[t].validation_last.errors = 30;
    for (int i = 0; i < 3; i++) s.records[s.plan->cells[5].trials[i]].validation_last.nll = 0.001;
    summary = summarise(&s);
    cr_assert(summary.facets[0].best_cell == 5 && summary.facets[0].scratch_is_better);
    finish(&s, &summary);

    s = synthetic_make(&grid, "nowhere"); /* no validation set: nothing is chosen */
    for (int t = 0; t < s.plan->trial_count; t++)
        s.records[t].validation_last = s.records[t].validation_best = (rt_quality){0};
    summary = summarise(&s);
    cr_assert(summary.facets[0].best_cell == -1);
    finish(&s, &summary);
}

/* ---- files --------------------------------------------------------------------------------------- */

Test(report, results_hold_every_record) {
    synthetic s = synthetic_make(&(synthetic_options){2, 2, 3, 2}, test_path("run"));
    int failed = s.plan->cells[3].trials[1];
    s.records[failed].state = RTI_FAILED;
    snprintf(s.records[failed].failure, sizeof s.records[failed].failure,
             "epoch 3: \"kd\", the term,\nis not finite");
    rti_summary summary = summarise(&s);
    rti_text said = write_report(&s, &summary, false);
    rti_csv csv = csv_of(&s, "results.csv");
    cr_assert(csv.rows == 1 + s.plan->trial_count);
    for (int t = 0; t < s.plan->trial_count; t++) {
        const rti_record *r = &s.records[t];
        cr_assert_str_eq(text_at(&csv, t + 1, "id"), s.plan->trials[t].id);
        cr_assert_str_eq(text_at(&csv, t + 1, "role"), rti_role_name(s.plan->trials[t].role));
        cr_assert(number_at(&csv, t + 1, "seed") == (double)s.plan->trials[t].seed);
        if (t == failed) {
            cr_assert_str_eq(text_at(&csv, t + 1, "state"), "failed");
            cr_assert_str_eq(text_at(&csv, t + 1, "failure"), r->failure);
            cr_assert(isnan(number_at(&csv, t + 1, "test_error_last")));
            continue;
        }
        cr_assert_str_eq(text_at(&csv, t + 1, "state"), "done");
        cr_assert(number_at(&csv, t + 1, "test_errors") == (double)r->test_last.errors);
        cr_assert(number_at(&csv, t + 1, "test_error_last") == (double)r->test_last.errors / 2000.0);
        cr_assert(number_at(&csv, t + 1, "test_error_best") == (double)r->test_best.errors / 2000.0);
        cr_assert(number_at(&csv, t + 1, "validation_error_last") ==
                  (double)r->validation_last.errors / 1000.0);
        cr_assert(number_at(&csv, t + 1, "test_nll") == r->test_last.nll);
        cr_assert(number_at(&csv, t + 1, "parameters") == (double)r->cost.parameters);
        cr_assert(number_at(&csv, t + 1, "seconds") == r->seconds);
        cr_assert(isnan(number_at(&csv, t + 1, "agreement")) == !r->test_last.has_teacher);
    }
    /* Scratch works for every temperature and both alphas, the teacher for both sizes. */
    cr_assert_str_eq(text_at(&csv, 1, "student.hidden"), "");
    cr_assert_str_eq(text_at(&csv, 2, "student.hidden"), "[30, 30]");
    cr_assert_str_eq(text_at(&csv, 2, "distill.temperature"), "");
    int student = s.plan->cells[3].trials[0];
    cr_assert_str_eq(text_at(&csv, student + 1, "distill.temperature"), "2");
    cr_assert_str_eq(text_at(&csv, student + 1, "distill.alpha"), "0.5");
    rti_csv_deinit(&csv);
    rti_text_deinit(&said);
    finish(&s, &summary);
}

Test(report, summary_file_and_figures_hold_the_cells) {
    synthetic s = synthetic_make(&grid, test_path("run"));
    rti_summary summary = summarise(&s);
    rti_text said = write_report(&s, &summary, false);
    rti_csv csv = csv_of(&s, "summary.csv");
    cr_assert(csv.rows == 1 + 2 + 20);
    cr_assert_str_eq(text_at(&csv, 1, "role"), "teacher");
    cr_assert_str_eq(text_at(&csv, 2, "role"), "scratch");
    cr_assert_str_eq(text_at(&csv, 2, "verdict"), "");
    for (int c = 0; c < 20; c++) {
        const rti_cell_summary *cell = &summary.cells[c];
        cr_assert(number_at(&csv, c + 3, "cell") == c + 1);
        cr_assert(number_at(&csv, c + 3, "test_error_last") == cell->students.test_last.mean);
        cr_assert(number_at(&csv, c + 3, "test_error_last_half") == cell->students.test_last.half);
        cr_assert(number_at(&csv, c + 3, "difference") == cell->paired.difference.mean);
        cr_assert(number_at(&csv, c + 3, "p") == cell->paired.p);
        cr_assert(number_at(&csv, c + 3, "chosen") == (c == 10));
        cr_assert_str_eq(text_at(&csv, c + 3, "verdict"), rti_verdict_name(cell->paired.verdict));
    }
    rti_csv_deinit(&csv);
    csv = csv_of(&s, "temperature.csv");
    cr_assert(csv.rows == 6 && csv.columns == 1 + 3 * 4);
    expect_near(number_at(&csv, 3, "accuracy alpha 0.9"),
                100.0 * (1.0 - summary.cells[10].students.test_last.mean), "T 4");
    expect_near(number_at(&csv, 3, "high alpha 0.9") - number_at(&csv, 3, "accuracy alpha 0.9"),
                100.0 * summary.cells[10].students.test_last.half, "bar");
    rti_csv_deinit(&csv);
    csv = csv_of(&s, "heatmap.csv");
    cr_assert(csv.rows == 21);
    rti_csv_deinit(&csv);
    csv = csv_of(&s, "curves.csv");
    cr_assert(csv.rows == 31);
    double sum = 0.0;
    for (int i = 0; i < 3; i++)
        sum += 1.0 - s.records[s.plan->cells[10].trials[i]].rows[6].validation_accuracy;
    expect_near(number_at(&csv, 7, "student"), 100.0 * sum / 3.0, "epoch 7");
    expect_near(number_at(&csv, 7, "teacher"), 100.0 * (1.0 - s.records[0].rows[6].validation_accuracy),
                "teacher");
    rti_csv_deinit(&csv);
    rti_text_deinit(&said);
    finish(&s, &summary);
}

/* ---- texts --------------------------------------------------------------------------------------- */

static void expect_lines_fit(const char *text) {
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        cr_assert(strcspn(line, "\n") <= RTI_TABLE_WIDTH, "%.*s", (int)strcspn(line, "\n"), line);
}

Test(report, terminal_shows_the_table) {
    synthetic s = synthetic_make(&grid, test_path("run"));
    rti_summary summary = summarise(&s);
    rti_text out = RTI_TEXT_EMPTY;
    rti_terminal_summary(&out, &summary, &s.facts);
    const char *text = rti_text_string(&out);
    expect_lines_fit(text);
    cr_assert(strstr(text, "teacher 0.75 % (15 errors)"), "%s", text);
    cr_assert(strstr(text, "scratch 4.32 +- 0.31 %"), "%s", text);
    /* by hand: T 1, alpha 0.5: 81, 85, 81 errors of 2000; scratch 86, 89, 84 */
    char expected[64];
    snprintf(expected, sizeof expected, "%.2f +- ",
             (synthetic_errors(0, 0, 1, 0) + synthetic_errors(0, 0, 1, 1) + synthetic_errors(0, 0, 1, 2)) /
                 60.0);
    cr_assert(strstr(text, expected), "%s: %s", expected, text);
    cr_assert(strstr(text, "= scratch") && strstr(text, " BEATS") && strstr(text, "*2.87"), "%s", text);
    cr_assert(
        strstr(
            text,
            "chosen on validation: T 4, alpha 0.9\n    test error 2.87 +- 0.31 %, at the best epochs 2.82"),
        "%s", text);
    cr_assert(strstr(text, "loss at T 4, alpha 0.9:\n    L = "), "%s", text);
    rti_text_deinit(&out);
    finish(&s, &summary);
}

Test(report, other_sweeps_have_a_row_per_cell) {
    static const synthetic_options shapes[] = {{1, 3, 0, 0}, {1, 1, 0, 0}, {2, 3, 0, 0},
                                               {1, 2, 5, 0}, {1, 3, 0, 4}, {2, 3, 4, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        synthetic s = synthetic_make(&shapes[i], test_path(""));
        rti_summary summary = summarise(&s);
        rti_text said = write_report(&s, &summary, false), table = RTI_TEXT_EMPTY;
        rti_table cells = rti_table_cells(&summary);
        rti_table_print(&table, &cells, 2);
        int lines = 0;
        for (const char *c = rti_text_string(&table); *c; c++) lines += *c == '\n';
        cr_assert(lines == 1 + s.plan->cell_count, "%s", rti_text_string(&table));
        expect_lines_fit(rti_text_string(&table));
        cr_assert(strstr(rti_text_string(&said), rti_text_string(&table)), "%s", rti_text_string(&said));
        rti_text_deinit(&table);
        rti_text_deinit(&said);
        finish(&s, &summary);
    }
}

Test(report, wide_tables_are_cut_into_blocks) {
    synthetic s = synthetic_make(&(synthetic_options){1, 3, 3, 4}, "nowhere");
    for (int t = 0; t < s.plan->trial_count; t++) /* wide cells: 100.00 +- 0.00 and the like */
        synthetic_set_errors(&s.records[t], t % 2 ? 2000 : 0);
    rti_summary summary = summarise(&s);
    rti_text out = RTI_TEXT_EMPTY;
    rti_table table = rti_table_errors(&summary, 0);
    rti_table_print(&out, &table, 6);
    expect_lines_fit(rti_text_string(&out));
    const char *text = rti_text_string(&out);
    for (int a = 0; a < 4; a++) {
        static const char *const heads[] = {"alpha 0 ", "alpha 0.5", "alpha 0.9", "alpha 1"};
        cr_assert(strstr(text, heads[a]), "%s: %s", heads[a], text);
    }
    rti_text_deinit(&out);
    finish(&s, &summary);
}

Test(report, failed_and_missing_trials_are_counted_and_named) {
    synthetic s = synthetic_make(&grid, test_path("run"));
    int failed = s.plan->cells[10].trials[1], running = s.plan->cells[11].trials[0];
    s.records[failed].state = RTI_FAILED;
    snprintf(s.records[failed].failure, sizeof s.records[failed].failure,
             "epoch 2, step 17: the term kd is NaN");
    s.records[running].state = RTI_RUNNING;
    rti_summary summary = summarise(&s);
    cr_assert(summary.failed == 1 && summary.unfinished == 1 && summary.done == 47);
    rti_text said = write_report(&s, &summary, false);
    cr_assert(strstr(rti_text_string(&said), "47 of 49 trials finished"), "%s", rti_text_string(&said));
    cr_assert(strstr(rti_text_string(&said), "seed 2: epoch 2, step 17: the term kd is NaN"), "%s",
              rti_text_string(&said));
    cr_assert(strstr(rti_text_string(&said), " 2/3"), "%s", rti_text_string(&said));
    expect_in_file(&s, "report.md", "47 of 49 trials finished, 1 failed");
    expect_in_file(&s, "report.md", "epoch 2, step 17: the term kd is NaN");
    expect_in_file(&s, "report.md", "1 trial is not finished");
    rti_text_deinit(&said);
    finish(&s, &summary);
}

Test(report, nothing_finished_is_a_report_too) {
    static const synthetic_options shapes[] = {{1, 3, 5, 4}, {2, 1, 0, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        synthetic s = synthetic_make(&shapes[i], test_path(""));
        for (int t = 0; t < s.plan->trial_count; t++) s.records[t].state = i ? RTI_FAILED : RTI_PENDING;
        rti_summary summary = summarise(&s);
        rti_text said = write_report(&s, &summary, true);
        cr_assert(strstr(rti_text_string(&said), i ? "failed: teacher seed 1000" : "teacher not finished"),
                  "%s", rti_text_string(&said));
        cr_assert(!strstr(rti_text_string(&said), "nan") && !strstr(rti_text_string(&said), "inf"));
        rti_text_deinit(&said);
        finish(&s, &summary);
    }
}

/* ---- names that want more than to be shown -------------------------------------------------------- */

Test(report, labels_are_plain_text) {
    char out[16];
    cr_assert_str_eq(rti_label_plain("a\x1b[31mb\n\x7f", out, sizeof out), "a?[31mb??");
    cr_assert_str_eq(rti_label_plain("\xc3\xa9\xff\xc0\x80", out, sizeof out), "\xc3\xa9???");
    cr_assert_str_eq(rti_label_plain("\xc2\x9b""31m", out, sizeof out), "?31m"); /* a C1 control: CSI */
    cr_assert_str_eq(rti_label_plain("abcdefghijklmnopqrstuvwxyz", out, sizeof out), "abcdefghijklm..");
    cr_assert_str_eq(
        rti_label_plain("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", out, 12),
        "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac..");
    cr_assert(rti_text_columns("\xe2\x82\xac ab") == 4);
    rti_text text = RTI_TEXT_EMPTY;
    rti_markdown_escape(&text, "a|b\n<script>`x` [l](u) *b*");
    cr_assert_str_eq(rti_text_string(&text), "a\\|b \\<script\\>\\`x\\` \\[l\\](u) \\*b\\*");
    rti_text_deinit(&text);
}

Test(report, hostile_values_stay_text) {
    static const char hostile[] =
        "x'; system(\"touch pwned\") `touch pwned` $(touch pwned) \"\\n\x1b[2J| <b>\n# h";
    synthetic s = synthetic_make(&(synthetic_options){2, 2, 3, 3}, test_path("run"));
    char here[RTI_PATH_MAX];
    cr_assert(getcwd(here, sizeof here));
    char plots[RTI_PATH_MAX + 8];
    snprintf(plots, sizeof plots, "%s/plots", here);
    setenv("RETORT_PLOTS", plots, 1);
    cr_assert(chdir(test_path("")) == 0);
    rti_axis *axis = &s.plan->spec.axes[0];
    for (int i = 0; i < 2; i++) {
        axis->values[i] = (rt_value){.type = RT_PARAM_TEXT};
        snprintf(axis->values[i].text, sizeof axis->values[i].text, "%s%d", hostile, i);
    }
    snprintf(s.plan->spec.name, sizeof s.plan->spec.name, "%.50s", hostile);
    s.records[3].state = RTI_FAILED;
    snprintf(s.records[3].failure, sizeof s.records[3].failure, "%s", hostile);
    rti_summary summary = summarise(&s);
    rti_text said = write_report(&s, &summary, true);
    cr_assert(!strchr(rti_text_string(&said), '\x1b'));
    cr_assert(!strstr(rti_text_string(&said), "\n# h"));
    cr_assert(!rti_file_exists("pwned"));
    rti_bytes report = file_of(&s, "report.md");
    cr_assert(!strchr((char *)report.data, '\x1b') && !strstr((char *)report.data, "\n# h"));
    rt_free(report.data);
    rti_csv csv = csv_of(&s, "results.csv"); /* CSV keeps every byte of a reason */
    cr_assert_str_eq(text_at(&csv, 4, "failure"), hostile);
    rti_csv_deinit(&csv);
    rti_text_deinit(&said);
    cr_assert(chdir(here) == 0);
    finish(&s, &summary);
}

Test(report, facets_have_files_of_their_own) {
    synthetic s = synthetic_make(&(synthetic_options){2, 2, 3, 3}, "nowhere");
    char a[RTI_LABEL_MAX], b[RTI_LABEL_MAX];
    cr_assert_str_eq(rti_label_file(s.plan, "temperature", 1, ".svg", a, sizeof a),
                     "temperature-800-800.svg");
    cr_assert_str_eq(rti_label_file(s.plan, "temperature", -1, ".svg", a, sizeof a), "temperature.svg");
    rti_axis *axis = &s.plan->spec.axes[0];
    static const char *const pairs[][2] = {{"../x", "..//x"}, {"A", "a"}, {"", "///"}, {"a b", "a-b"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        for (int v = 0; v < 2; v++) {
            axis->values[v] = (rt_value){.type = RT_PARAM_TEXT};
            snprintf(axis->values[v].text, sizeof axis->values[v].text, "%s", pairs[i][v]);
        }
        rti_label_file(s.plan, "heatmap", 0, ".svg", a, sizeof a);
        rti_label_file(s.plan, "heatmap", 1, ".svg", b, sizeof b);
        cr_assert_str_neq(a, b);
        cr_assert(!strchr(a, '/') && !strstr(a, "..") && !strchr(b, '/') && !strstr(b, ".."), "%s %s", a, b);
    }
    rti_summary summary = summarise(&s);
    finish(&s, &summary);
}

/* ---- pictures ------------------------------------------------------------------------------------ */

Test(report, without_gnuplot_a_chart_takes_the_place) {
    synthetic s = synthetic_make(&grid, test_path("run"));
    rti_summary summary = summarise(&s);
    setenv("PATH", test_path("empty"), 1);
    rti_text said = write_report(&s, &summary, true);
    cr_assert(strstr(rti_text_string(&said), "gnuplot is not installed"), "%s", rti_text_string(&said));
    cr_assert(strstr(rti_text_string(&said), "test accuracy in %, last epoch\n"), "%s",
              rti_text_string(&said));
    expect_in_file(&s, "report.md", "gnuplot is not installed");
    expect_in_file(&s, "report.md", "C alpha 0.9");
    rti_bytes report = file_of(&s, "report.md");
    cr_assert(!strstr((char *)report.data, "!["));
    rt_free(report.data);
    rti_text_deinit(&said);
    finish(&s, &summary);
}

Test(report, without_scripts_it_says_where_they_should_be) {
    if (!rti_program_exists("gnuplot")) cr_skip_test("gnuplot is not installed");
    synthetic s = synthetic_make(&grid, test_path("run"));
    rti_summary summary = summarise(&s);
    setenv("RETORT_PLOTS", "/nowhere/at/all", 1);
    rti_text said = write_report(&s, &summary, true);
    cr_assert(strstr(rti_text_string(&said), "RETORT_PLOTS"), "%s", rti_text_string(&said));
    rti_text_deinit(&said);
    finish(&s, &summary);
}

static void expect_picture(const synthetic *s, const char *name, const char *begin) {
    rti_bytes bytes = file_of(s, name);
    cr_assert(bytes.count > 5000 && memcmp(bytes.data, begin, strlen(begin)) == 0, "%s, %zu bytes", name,
              bytes.count);
    rt_free(bytes.data);
}

Test(report, gnuplot_draws_every_picture_of_every_facet) {
    if (!rti_program_exists("gnuplot")) cr_skip_test("gnuplot is not installed");
    setenv("RETORT_PLOTS", "plots", 1);
    synthetic s = synthetic_make(&(synthetic_options){2, 3, 5, 4}, test_path("run"));
    rti_summary summary = summarise(&s);
    rti_text said = write_report(&s, &summary, true);
    static const char *const stems[] = {"temperature", "heatmap", "curves"};
    for (int i = 0; i < 3; i++)
        for (int f = 0; f < 2; f++) {
            char name[RTI_LABEL_MAX];
            expect_picture(&s, rti_label_file(s.plan, stems[i], f, ".svg", name, sizeof name), "<?xml");
            expect_in_file(&s, "report.md", name);
            expect_picture(&s, rti_label_file(s.plan, stems[i], f, ".png", name, sizeof name), "\x89PNG");
        }
    rti_text_deinit(&said);
    finish(&s, &summary);
}

Test(report, gnuplot_draws_odd_sweeps) {
    if (!rti_program_exists("gnuplot")) cr_skip_test("gnuplot is not installed");
    setenv("RETORT_PLOTS", "plots", 1);
    static const synthetic_options shapes[] = {{1, 1, 1, 2}, {1, 2, 5, 0}, {1, 1, 0, 4},
                                               {1, 2, 1, 0}, {1, 2, 2, 1}, {2, 2, 0, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char name[16];
        snprintf(name, sizeof name, "run%zu", i);
        synthetic s = synthetic_make(&shapes[i], test_path(name));
        s.records[1].state = RTI_PENDING;
        rti_summary summary = summarise(&s);
        rti_text said = write_report(&s, &summary, true);
        cr_assert(!strstr(rti_text_string(&said), "could not be drawn"), "shape %zu: %s", i,
                  rti_text_string(&said));
        if (shapes[i].facets == 1) expect_picture(&s, "curves.svg", "<?xml");
        if (shapes[i].alphas != 1 && shapes[i].alphas + shapes[i].temperatures)
            expect_picture(&s, "temperature.svg", "<?xml");
        rti_text_deinit(&said);
        finish(&s, &summary);
    }
}

/* ---- memory, and the copy of the spec ------------------------------------------------------------- */

Test(report, every_failing_allocation_is_an_error_and_leaks_nothing) {
    int failures = 0;
    for (size_t n = 1; n < 100000; n += 1 + n / 40) {
        synthetic s = synthetic_make(&(synthetic_options){1, 2, 2, 2}, test_path(""));
        rti_summary summary;
        rti_text said = RTI_TEXT_EMPTY;
        rti_report_options options = {0};
        rt_alloc_fail_after(n);
        rt_status status = rti_summary_make(&summary, s.plan, s.records, NULL);
        if (status == RT_OK) status = rti_report_files(&summary, &s.facts, &options, &said, NULL);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY, "n = %zu: %s", n, rt_status_name(status));
        rti_text_deinit(&said);
        finish(&s, &summary);
        failures += status == RT_MEMORY;
        if (status == RT_OK) break;
    }
    cr_assert(failures > 20, "%d", failures);
}

Test(report, copy_of_a_spec_reads_back_the_same) {
    static const char text[] =
        "name = \"copy\"\nseeds = [3, 1, 18446744]\n"
        "[data]\nset = \"digits\"\nbatch = 50\n"
        "[teacher]\nmodel = \"mlp\"\nepochs = 2\nhidden = [40, 20]\n"
        "optimizer = { name = \"sgd\", lr = 0.1 }\n"
        "[student]\nmodel = \"mlp\"\nhidden = []\nepochs = 3\n"
        "[distill]\nmethod = \"kd\"\n"
        "[sweep]\n\"distill.temperature\" = [1, 2.5, 20]\n\"student.hidden\" = [[30], [30, 30]]\n";
    const char *const overrides[] = {"student.epochs=7", "teacher.optimizer.lr=0.25"};
    rti_spec *first = rt_alloc_zero(1, sizeof *first), *second = rt_alloc_zero(1, sizeof *second);
    rti_text a = RTI_TEXT_EMPTY, b = RTI_TEXT_EMPTY;
    rt_error error = {0};
    cr_assert(first && second);
    cr_assert(rti_spec_parse(first, text, strlen(text), "first", overrides, 2, &error) == RT_OK, "%s",
              error.message);
    rti_spec_copy_text(first, &a);
    cr_assert(rti_spec_parse(second, rti_text_string(&a), a.length, "first", NULL, 0, &error) == RT_OK,
              "%s\n%s", error.message, rti_text_string(&a));
    rti_spec_copy_text(second, &b);
    cr_assert_str_eq(rti_text_string(&a), rti_text_string(&b));
    cr_assert(strstr(rti_text_string(&a), "epochs = 7") && strstr(rti_text_string(&a), "optimizer.lr = 0.25"),
              "%s", rti_text_string(&a));
    cr_assert(second->axis_count == 2 && second->axes[1].values[1].count == 2 && second->seed_count == 3);
    cr_assert(second->base.has_teacher);
    rti_text base = RTI_TEXT_EMPTY, again = RTI_TEXT_EMPTY;
    rti_settings_text(&first->base, &base);
    rti_settings_text(&second->base, &again);
    cr_assert_str_eq(rti_text_string(&base), rti_text_string(&again));
    rti_text_deinit(&base);
    rti_text_deinit(&again);
    rti_text_deinit(&a);
    rti_text_deinit(&b);
    rti_spec_deinit(first);
    rti_spec_deinit(second);
    rt_free(first);
    rt_free(second);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}
