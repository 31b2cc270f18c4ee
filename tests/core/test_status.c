/* Statuses and messages: the list itself, cutting, context, and the abort of a caller's bug. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "retort/status.h"

Test(status, every_status_has_a_name_and_a_meaning) {
    for (int i = 0; i < RT_STATUS_COUNT; i++) {
        cr_assert(strlen(rt_status_name((rt_status)i)) > 1);
        cr_assert(strlen(rt_status_meaning((rt_status)i)) > 3);
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(rt_status_name((rt_status)i), rt_status_name((rt_status)j));
    }
    cr_assert_str_eq(rt_status_name(RT_OK), "ok");
    cr_assert_eq(RT_OK, 0);
    cr_assert_str_eq(rt_status_name((rt_status)9999), "unknown");
    cr_assert_str_eq(rt_status_meaning((rt_status)-1), "not a status");
}

Test(status, messages) {
    rt_error error;
    cr_assert_eq(rt_fail(NULL, RT_IO, "%s", "nobody listens"), RT_IO);
    cr_assert_eq(rt_fail(&error, RT_IO, "%s: line %d", "a.csv", 7), RT_IO);
    cr_assert_eq(error.status, RT_IO);
    cr_assert_str_eq(error.message, "a.csv: line 7");
    rt_status status = rt_fail_in(&error, RT_VALUE, "trial %d", 3); /* the first status stays */
    cr_assert_eq(status, RT_IO);
    cr_assert_str_eq(error.message, "trial 3: a.csv: line 7");
    cr_assert_eq(rt_fail(&error, RT_SHAPE, "again: %s", error.message), RT_SHAPE); /* its own message */
    cr_assert_str_eq(error.message, "again: trial 3: a.csv: line 7");
    cr_assert_eq(rt_fail_in(NULL, RT_VALUE, "x"), RT_VALUE);
    rt_error empty = {RT_OK, ""};
    cr_assert_eq(rt_fail_in(&empty, RT_MEMORY, "there"), RT_MEMORY);
    cr_assert_str_eq(empty.message, "there: not enough memory");
}

Test(status, a_long_message_is_cut) {
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    rt_error error;
    rt_status status = rt_fail(&error, RT_IO, "%s", longer);
    cr_assert_eq(status, RT_IO);
    cr_assert_eq(strlen(error.message), sizeof error.message - 1);
    status = rt_fail_in(&error, RT_IO, "%s", longer);
    cr_assert_eq(strlen(error.message), sizeof error.message - 1);
}

static rt_status tries(int *reached, rt_status inner) {
    RT_TRY(inner);
    ++*reached;
    return RT_OK;
}

Test(status, try_passes_failures_on) {
    int reached = 0;
    cr_assert_eq(tries(&reached, RT_OK), RT_OK);
    cr_assert_eq(tries(&reached, RT_SHAPE), RT_SHAPE);
    cr_assert_eq(reached, 1);
}

Test(status, an_assertion_that_holds_is_silent) {
    int evaluated = 0;
    RT_ASSERT(++evaluated == 1, "evaluated %d times", evaluated);
    cr_assert_eq(evaluated, 1);
}

Test(status, a_callers_bug_aborts, .signal = SIGABRT) { RT_ASSERT(1 + 1 == 3, "the sum is %d", 1 + 1); }
