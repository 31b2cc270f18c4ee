/* What is found before training: methods that are undefined for two networks, taps that do not exist. The
 * rows that are left out must leave nothing in the plan, and the others as they would be without them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "experiment/experiment.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan, other;
static rti_spec spec;
static rt_error error;

#define ROWS "[compare]\n[compare.kd]\n[compare.at]\n[compare.\"kd+at\"]\n\"at.weight\" = [1, 2]\n"

#define CNN {"teacher.model=cnn", "student.model=cnn", "teacher.hidden=[8]", "student.hidden=[8]"}

static rt_status make(rti_plan *p, const char *text, const char *const sets[], int count, bool strict) {
    memset(&error, 0, sizeof error);
    cr_assert_eq(rti_spec_parse(&spec, text, strlen(text), "tiny.toml", sets, count, &error), RT_OK, "%s",
                 error.message);
    spec.strict = strict;
    return rti_plan_make(p, &spec, "runs", NULL, &error);
}

/* Attention maps need height and width, which the layers of an mlp do not have. */
Test(pairs, a_row_that_is_undefined_is_left_out_and_says_why) {
    cr_assert_eq(make(&plan, TEST_COMPARE_HEAD ROWS, NULL, 0, false), RT_OK, "%s", error.message);
    cr_assert_eq(make(&other, TEST_COMPARE_HEAD "[compare.kd]\n", NULL, 0, false), RT_OK, "%s",
                 error.message);
    cr_assert_eq(plan.row_count, 3);
    cr_assert_str_eq(plan.rows[0].reason, "");
    for (int r = 1; r < 3; r++) {
        cr_assert(strstr(plan.rows[r].reason, "at is undefined"), "%s", plan.rows[r].reason);
        cr_assert_not(strstr(plan.rows[r].reason, "tiny.toml"), "%s", plan.rows[r].reason);
        cr_assert_eq(plan.rows[r].points[0].cell, -1);
        cr_assert_eq(rti_row_chosen(&plan, r, NULL), -1);
    }
    cr_assert_eq(plan.undecided, 0);
    cr_assert_eq(plan.cell_count, 2);
    cr_assert_eq(plan.trial_count, other.trial_count);
    for (int t = 0; t < plan.trial_count; t++) cr_assert_str_eq(plan.trials[t].id, other.trials[t].id);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);

    cr_assert_eq(make(&plan, TEST_COMPARE_HEAD ROWS, NULL, 0, true), RT_UNSUPPORTED);
    cr_assert(strstr(error.message, "tiny.toml: [compare.at] ") && strstr(error.message, "undefined"), "%s",
              error.message);
    /* Without a comparison there is nothing left to run. */
    const char *sets[] = {"distill.method=at"};
    cr_assert_eq(make(&plan, TEST_SPEC_HEAD, sets, 1, false), RT_UNSUPPORTED);
    cr_assert(strstr(error.message, "tiny.toml: [distill] ") && strstr(error.message, "undefined"), "%s",
              error.message);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(pairs, a_tap_that_does_not_exist_is_an_error_that_lists_those_that_do) {
    static const struct { const char *set, *says[4]; } bad[] = {
        {"student_taps = \"stge2\"\nteacher_taps = \"stage2\"",
         {"tiny.toml:19:", "stge2", "stage1", "did you mean \"stage2\"?"}},
        {"student_taps = \"stage2\"\nteacher_taps = \"fc9\"", {"tiny.toml:20:", "teacher", "fc9", "stage1"}},
        {"student_taps = \"stage1, stage2\"\nteacher_taps = \"stage1\"",
         {"tiny.toml:19:", "student_taps names 2", "teacher_taps 1", ""}},
    };
    const char *sets[] = CNN;
    char text[4096];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "%s[compare.at]\n%s\n", TEST_COMPARE_HEAD, bad[i].set);
        cr_assert_neq(make(&plan, text, sets, 4, false), RT_OK, "%s is accepted", bad[i].set);
        for (int j = 0; j < 4; j++)
            cr_assert(strstr(error.message, bad[i].says[j]), "\"%s\" does not say \"%s\"", error.message,
                      bad[i].says[j]);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* In a chain the networks in between count, too: a row is defined for all of its pairs or not at all. */
Test(pairs, of_a_chain_are_all_looked_at) {
    const char *sets[] = CNN;
    const char *chain = TEST_COMPARE_HEAD "[compare.at]\nschedule = \"takd\"\n";
    cr_assert_eq(make(&plan, chain, sets, 4, false), RT_OK, "%s", error.message);
    cr_assert(strstr(plan.rows[0].reason, "assistant.1 taught by teacher: "), "%s", plan.rows[0].reason);
    rti_plan_deinit(&plan);
}
