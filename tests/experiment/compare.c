/* compare.c - see compare.h. */
#include "compare.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"

void test_plan(rti_plan *plan, const char *text, const char *const overrides[], int count, const char *runs) {
    static rti_spec spec;
    rt_error error = {0};
    cr_assert_eq(rti_spec_parse(&spec, text, strlen(text), "tiny.toml", overrides, count, &error), RT_OK,
                 "%s", error.message);
    cr_assert_eq(rti_plan_make(plan, &spec, runs, NULL, &error), RT_OK, "%s", error.message);
}

static void directory_of(const rti_plan *plan, int trial, const char *runs, char *out, size_t size) {
    snprintf(out, size, "%s/%s/%.16s", runs, plan->spec.name, plan->trials[trial].id);
}

void test_compare_trial(const rti_plan *plan, int trial, const char *runs, const char *other_runs) {
    static const char *const files[] = {"result.json", "metrics.csv", "weights.safetensors",
                                        "best.safetensors", "spec.toml"};
    char a[1200], b[1200], path[1300];
    directory_of(plan, trial, runs, a, sizeof a);
    directory_of(plan, trial, other_runs, b, sizeof b);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t lengths[2];
        snprintf(path, sizeof path, "%s/%s", a, files[i]);
        char *x = test_file(path, &lengths[0]);
        cr_assert(x, "%s is missing", path);
        snprintf(path, sizeof path, "%s/%s", b, files[i]);
        char *y = test_file(path, &lengths[1]);
        cr_assert(y, "%s is missing", path);
        cr_assert_gt(lengths[0], 0);
        cr_assert(lengths[0] == lengths[1] && !memcmp(x, y, lengths[0]),
                  "%s has other bytes than the same file in %s", path, a);
        free(x);
        free(y);
    }
    DIR *listing = opendir(b);
    cr_assert(listing);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        const char *name = entry->d_name;
        bool left_over = strstr(name, ".tmp-") || strstr(name, "lock") || !strcmp(name, "checkpoint.bin") ||
                         !strcmp(name, "progress.csv") || !strcmp(name, "failed.json");
        cr_assert_not(left_over, "%s/%s is left over", b, name);
    }
    closedir(listing);
}

void test_compare_all(const rti_plan *plan, const char *runs, const char *other_runs) {
    for (int t = 0; t < plan->trial_count; t++) test_compare_trial(plan, t, runs, other_runs);
}
