/* What is said before training, against numbers counted by hand: weights of a 784-16-10 network and so on,
 * shapes of taps, who teaches whom. It must leave nothing behind, on disk or in memory, and change nothing:
 * trials that follow have the bits they would have had. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "core/file.h"
#include "experiment/preview.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan;
static rt_error error;

static void must_say(const rti_text *text, const char *words) {
    cr_assert(strstr(rti_text_string(text), words), "\"%s\" is not said:\n%s", words, rti_text_string(text));
}

Test(preview, says_networks_taps_pairs_memory_and_time) {
    char runs[1024];
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_plan(&plan, TEST_COMPARE, NULL, 0, runs);
    rti_text text = RTI_TEXT_EMPTY;
    rt_status status = rti_preview_text(&plan, RTI_PREVIEW_MEASURED, 0, 0, &text, &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);
    must_say(&text, "teacher      784-16-10 relu: 12,730 parameters, 12,704 multiply-adds an example");
    must_say(&text, "assistant 1  784-12-10 relu: 9,550 parameters, 9,528 multiply-adds an example");
    must_say(&text, "student      784-8-10 relu: 6,370 parameters, 6,352 multiply-adds an example");
    must_say(&text, "taps: fc1 (16), fc2 (10)");
    must_say(&text, "\n  teacher: ");
    must_say(&text, "\n  scratch: ");
    must_say(&text, "\n  kd: ");
    must_say(&text, "ms a step of 20, ");
    must_say(&text, " for 2 epochs");
    must_say(&text, "chain, assistant.1 taught by teacher: ");
    must_say(&text, "chain, student taught by assistant.1: ");
    must_say(&text, "13 trials to train: about "); /* teacher, 2 assistants, 4 tuning, 2 scratch, 2 x 2 */
    must_say(&text, "then the rows that tuning decides");
    rti_text_clear(&text);
    status = rti_preview_text(&plan, RTI_PREVIEW_SHORT, 0, 0, &text, &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);
    must_say(&text, "12,730 parameters");
    cr_assert_not(strstr(rti_text_string(&text), "taps") || strstr(rti_text_string(&text), " ms "));
    cr_assert_neq(access(runs, F_OK), 0);
    rti_text_deinit(&text);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(preview, of_a_grid_has_one_line_for_each_facet) {
    const char *sets[] = {"sweep.student.hidden=[[8], [4, 4]]", "teacher.count=2"};
    test_plan(&plan, TEST_SPEC, sets, 2, "runs");
    rti_text text = RTI_TEXT_EMPTY;
    rt_status status = rti_preview_text(&plan, RTI_PREVIEW_MEASURED, 0, 0, &text, &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);
    const char *first = strstr(rti_text_string(&text), "\n  kd: ");
    const char *second = first ? strstr(first + 1, "\n  kd: ") : NULL;
    cr_assert(second && !strstr(second + 1, "\n  kd: "), "%s", rti_text_string(&text));
    rti_text_deinit(&text);
    rti_plan_deinit(&plan);
}

Test(preview, no_allocation_may_fail_unseen) {
    test_plan(&plan, TEST_COMPARE, NULL, 0, "runs");
    size_t live = rt_alloc_stats_get().live_blocks;
    rti_text text = RTI_TEXT_EMPTY;
    for (size_t n = 1; n < 5000; n += 1 + n / 40) {
        rt_alloc_fail_after(n);
        rt_status status = rti_preview_text(&plan, RTI_PREVIEW_MEASURED, 0, 0, &text, &error);
        rt_alloc_fail_after(0);
        rti_text_deinit(&text);
        text = (rti_text)RTI_TEXT_EMPTY;
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live, "allocation %zu", n);
        if (status == RT_OK) break;
        cr_assert_eq(status, RT_MEMORY, "allocation %zu: %s", n, error.message);
    }
    rti_plan_deinit(&plan);
}
