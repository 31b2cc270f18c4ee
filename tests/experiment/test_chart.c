/* test_chart.c - the text chart, and what pictures show.
 *
 * Checked against: a drawing made by hand for four points (golden), the definition of the range, and
 * limits that must hold for every sweep. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "retort/alloc.h"
#include "synthetic.h"

/* Two temperatures, alphas 0 and 0.5, one seed: points without bars. Test errors of 2000: scratch 86,
 * students 90 and 42, teacher 15. In per cent of accuracy the students span 95.5 to 97.9, with edges of
 * 4 % of that 95.404 to 97.996, in 18 rows of 0.144. So 97.9 is in row 0, 95.5 in row 17, scratch (95.7)
 * in row 15, and the middle of row 1 is 97.996 - 1.5 * 0.144 = 97.78. The teacher (99.25) is further
 * away than 0.4 spans. Two slots of eight columns with the tick on the fifth. */
static const char golden[] =
    "  test accuracy in %, last epoch\n"
    "         |            B\n"
    "   97.78 |\n"
    "         |\n"
    "         |\n"
    "   97.35 |\n"
    "         |\n"
    "         |\n"
    "   96.92 |\n"
    "         |\n"
    "         |\n"
    "   96.48 |\n"
    "         |\n"
    "         |\n"
    "   96.05 |\n"
    "         |\n"
    "         |---------------- scratch\n"
    "   95.62 |\n"
    "         |    B\n"
    "         +----+-------+---\n"
    "       T      1       2\n"
    "\n"
    "         B alpha 0.5\n"
    "         the teacher is outside this picture: 99.25 %\n";

static rti_summary four_points(synthetic *s, int first, int second) {
    rti_summary summary;
    *s = synthetic_make(&(synthetic_options){1, 1, 2, 2}, "nowhere");
    synthetic_set_errors(&s->records[s->plan->cells[1].trials[0]], first);
    synthetic_set_errors(&s->records[s->plan->cells[3].trials[0]], second);
    cr_assert(rti_summary_make(&summary, s->plan, s->records, NULL) == RT_OK);
    return summary;
}

static void finish(synthetic *s, rti_summary *summary, rti_text *out) {
    rti_text_deinit(out);
    rti_summary_deinit(summary);
    synthetic_free(s);
    cr_assert(rt_alloc_stats_get().live_blocks == 0);
}

Test(chart, golden) {
    synthetic s;
    rti_summary summary = four_points(&s, 90, 42);
    rti_text out = RTI_TEXT_EMPTY;
    rti_chart_facet(&out, &summary, 0);
    cr_assert(!strcmp(rti_text_string(&out), golden), "%s", rti_text_string(&out));
    finish(&s, &summary, &out);
}

Test(chart, teacher_near_by_is_a_rule) {
    synthetic s;
    rti_summary summary = four_points(&s, 90, 20);
    rti_text out = RTI_TEXT_EMPTY;
    rti_range range;
    cr_assert(rti_range_of(&summary, 0, &range) && range.has_teacher && range.teacher_inside);
    cr_assert(range.low < 0.955 && range.low > 0.95 && range.high > 0.9925 && range.high < 0.996);
    rti_chart_facet(&out, &summary, 0);
    cr_assert(strstr(rti_text_string(&out), "= teacher\n"), "%s", rti_text_string(&out));
    cr_assert(!strstr(rti_text_string(&out), "outside"));
    finish(&s, &summary, &out);
}

Test(chart, nothing_finished_draws_nothing) {
    synthetic s = synthetic_make(&(synthetic_options){1, 2, 3, 2}, "nowhere");
    rti_summary summary;
    rti_text out = RTI_TEXT_EMPTY;
    for (int t = 0; t < s.plan->trial_count; t++) s.records[t].state = t % 2 ? RTI_PENDING : RTI_FAILED;
    cr_assert(rti_summary_make(&summary, s.plan, s.records, NULL) == RT_OK);
    rti_chart_facet(&out, &summary, 0);
    cr_assert(out.length == 0);
    finish(&s, &summary, &out);
}

/* No line of any chart is wider than a terminal, also with every size of sweep and with one point. */
Test(chart, stays_within_its_width) {
    for (int t = 1; t <= 5; t++)
        for (int a = 0; a <= 4; a++)
            for (int seeds = 1; seeds <= 3; seeds++) {
                synthetic s = synthetic_make(&(synthetic_options){1, seeds, t, a}, "nowhere");
                rti_summary summary;
                rti_text out = RTI_TEXT_EMPTY;
                cr_assert(rti_summary_make(&summary, s.plan, s.records, NULL) == RT_OK);
                rti_chart_facet(&out, &summary, 0);
                cr_assert(a == 1 || out.length > 0, "T %d alpha %d", t, a);
                for (const char *line = rti_text_string(&out); *line; line += strcspn(line, "\n") + 1)
                    cr_assert(strcspn(line, "\n") <= RTI_TABLE_WIDTH + 10);
                finish(&s, &summary, &out);
            }
}

/* Intervals of two seeds are often many times the spread of the means: they may be cut, the means not. */
Test(chart, range_holds_all_means_and_is_not_drowned_by_intervals) {
    synthetic s = synthetic_make(&(synthetic_options){1, 2, 5, 4}, "nowhere");
    rti_summary summary;
    rti_range range;
    for (int c = 0; c < s.plan->cell_count; c++) /* one seed far off in every cell that is not scratch */
        if (s.plan->cells[c].trials[1] != s.plan->cells[c].scratch[1])
            synthetic_set_errors(&s.records[s.plan->cells[c].trials[1]], 200);
    cr_assert(rti_summary_make(&summary, s.plan, s.records, NULL) == RT_OK);
    cr_assert(rti_range_of(&summary, 0, &range));
    double low = 1.0, high = 0.0;
    for (int c = 0; c < s.plan->cell_count; c++) {
        double accuracy = 1.0 - summary.cells[c].students.test_last.mean;
        cr_assert(accuracy > range.low && accuracy < range.high);
        low = fmin(low, accuracy);
        high = fmax(high, accuracy);
        if (!summary.cells[c].is_scratch) cr_assert(summary.cells[c].students.test_last.half > 0.3);
    }
    cr_assert(range.high - range.low < 4.0 * (high - low));
    rti_text none = RTI_TEXT_EMPTY;
    finish(&s, &summary, &none);
}
