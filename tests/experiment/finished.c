/* finished.c - see finished.h. */
#include "finished.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "experiment/trial.h"

void finished_make(rti_plan *plan, rti_summary *summary, const char *text, const char *const overrides[],
                   int count, const char *runs) {
    rt_error error = {0};
    test_plan(plan, text, overrides, count, test_path(runs));
    for (int t = 0; t < plan->trial_count; t++)
        cr_assert_eq(rti_trial_run(plan, t, NULL, &error), RTI_END_DONE, "%s", error.message);
    cr_assert_eq(rti_summary_read(summary, plan, &error), RT_OK, "%s", error.message);
    cr_assert_eq(rti_together_find(summary, &error), RT_OK, "%s", error.message);
}

void finished_free(rti_plan *plan, rti_summary *summary) {
    rti_summary_deinit(summary);
    rti_plan_deinit(plan);
}

rti_text finished_report(const rti_plan *plan, bool plots) {
    rti_text said = RTI_TEXT_EMPTY;
    rti_report_options options = {.plots = plots};
    rt_error error = {0};
    cr_assert_eq(rti_report_write(plan, &options, &said, &error), RT_OK, "%s", error.message);
    return said;
}

char *finished_file(const rti_plan *plan, const char *name) {
    char path[5000];
    size_t length;
    snprintf(path, sizeof path, "%s/%s", plan->directory, name);
    char *bytes = test_file(path, &length);
    cr_assert(bytes, "%s is missing", path);
    return bytes;
}

rti_csv finished_csv(const rti_plan *plan, const char *name) {
    char path[5000];
    rti_csv csv;
    rt_error error = {0};
    snprintf(path, sizeof path, "%s/%s", plan->directory, name);
    cr_assert_eq(rti_csv_read(&csv, path, ',', &error), RT_OK, "%s", error.message);
    return csv;
}

void finished_file_says(const rti_plan *plan, const char *name, const char *text) {
    char *bytes = finished_file(plan, name);
    cr_assert(strstr(bytes, text), "%s does not hold \"%s\":\n%.8000s", name, text, bytes);
    free(bytes);
}
