/* retort data describe from outside: what it prints, what it refuses, and that the spec it writes is one that
 * `retort run` takes without an edit and finishes: the report and the results are there, one line for each
 * trial. Tables with an awkward header, and a folder of arrays. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "formats/npy.h"
#include "formats/toml.h"

static test_run result;

#define SAYS(expected, out_part, err_part, ...)                                              \
    do {                                                                                     \
        const char *const arguments[] = {"data", "describe", __VA_ARGS__, NULL};             \
        test_program(&result, arguments);                                                    \
        cr_assert_eq(result.status, expected, "%s%s", result.out, result.err);               \
        cr_assert(strstr(result.out, out_part), "\"%s\" not in:\n%s", out_part, result.out); \
        cr_assert(strstr(result.err, err_part), "\"%s\" not in:\n%s", err_part, result.err); \
    } while (0)

/* 60 rows; what is left and right of a line through the middle. */
static const char *points(void) {
    static char text[4000];
    size_t at = (size_t)snprintf(text, sizeof text, "x;\"y \"\"up\"\"\";side of it\n");
    for (int i = 0; i < 60; i++) {
        double x = sin(i * 12.9898) * 3, y = cos(i * 78.233) * 3;
        at += (size_t)snprintf(text + at, sizeof text - at, "%.3f;%.3f;%s\n", x, y,
                               x + y > 0 ? "\"right \"\"R\"\"\"" : "left");
    }
    return text;
}

/* Runs the spec as it is, from where it was written, and looks at what it left. */
static void runs(const char *spec, const char *name, int trials) {
    char runs_path[1024], results[1200];
    size_t length;
    snprintf(runs_path, sizeof runs_path, "%s", test_path("runs"));
    const char *const arguments[] = {"run", spec, "--runs", runs_path, "--no-plots", NULL};
    test_program(&result, arguments);
    cr_assert_eq(result.status, 0, "%s", result.err);
    cr_assert(strstr(result.out, "16 trials, 3 seeds"), "%s", result.out);
    snprintf(results, sizeof results, "%s/%s/results.csv", runs_path, name);
    char *text = test_file(results, &length);
    cr_assert(text, "%s", results);
    int lines = -1; /* the header */
    for (char *at = text; *at; at++) lines += *at == '\n';
    cr_assert_eq(lines, trials, "%s", text);
    free(text);
}

Test(describe_command, a_table_of_ones_own_runs_without_editing) {
    char table[1024], spec[1024];
    snprintf(table, sizeof table, "%s", test_path("points.csv"));
    snprintf(spec, sizeof spec, "%s", test_path("my points.toml"));
    test_write(table, points());
    SAYS(0, "a table of 60 rows and 3 columns, separated by semicolons; the first line holds names", "",
         table);
    SAYS(0, "label: column 3, side of it (the last column)", "", table);
    SAYS(0, "2 classes: left (", "", table);
    SAYS(0, "is written. Next: retort run", "", table, "--spec", spec);
    runs(spec, "my-points", 16);
    /* as it is said: twice refused, and the file is what it was */
    size_t length, again;
    char *before = test_file(spec, &length);
    SAYS(1, "", "is there already and is not overwritten", table, "--spec", spec);
    char *after = test_file(spec, &again);
    cr_assert(length == again && memcmp(before, after, length) == 0);
    free(before), free(after);
    /* every line that sets something says why */
    char *text = test_file(spec, &length), *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        cr_assert(line[0] == '#' || line[0] == '[' || strstr(line, " # "), "%s", line);
    free(text);
}

Test(describe_command, a_folder_of_arrays_runs_without_editing) {
    char folder[1024], spec[1024];
    snprintf(folder, sizeof folder, "%s", test_path("arrays"));
    snprintf(spec, sizeof spec, "%s", test_path("arrays.toml"));
    cr_assert_eq(mkdir(folder, 0777), 0);
    unsigned char x[60][4][5];
    int64_t y[60];
    for (int i = 0; i < 60; i++) {
        y[i] = i % 3;
        for (int p = 0; p < 20; p++)
            x[i][p / 5][p % 5] = (unsigned char)((p % 3 == y[i] ? 200 : 20) + i % 7 * p % 11);
    }
    rt_error error = {0};
    cr_assert_eq(
        rti_npy_write(test_path("arrays/x_train.npy"), RTI_NPY_U1, 3, (const int64_t[]){60, 4, 5}, x, &error),
        RT_OK);
    cr_assert_eq(
        rti_npy_write(test_path("arrays/y_train.npy"), RTI_NPY_I8, 1, (const int64_t[]){60}, y, &error),
        RT_OK);
    SAYS(0, "x_train.npy: NPY, uint8, shape (60, 4, 5), 20 to ", "", folder);
    SAYS(0, "no test files: a fifth of the training examples will be held out", "", folder);
    SAYS(0, "3 classes: 0 (20), 1 (20), 2 (20)", "", folder);
    SAYS(0, "is written. Next: retort run", "", folder, "--spec", spec);
    runs(spec, "arrays", 16);
    SAYS(0, "one array is not a set", "", test_path("arrays/x_train.npy"));
}

Test(describe_command, refuses_what_would_not_run_and_writes_nothing) {
    char table[1024], spec[1024];
    snprintf(table, sizeof table, "%s", test_path("t.csv"));
    snprintf(spec, sizeof spec, "%s", test_path("t.toml"));
    test_write(table, "x,town,kind\n1,Rome,a\n,Oslo,b\n3,Oslo,a\n4,Rome,b\n");
    SAYS(0, "cannot be used as it is", "", table);
    SAYS(1, "column 1 (x) lacks 1 value",
         "no spec is written: column 1 (x) lacks 1 value, the first in line 3", table, "--spec", spec);
    test_write(table, "x,kind\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n7,a\n8,b\n9,a\n10,b\n");
    SAYS(1, "", "cannot be written", table, "--spec", test_path("no/such/t.toml"));
    SAYS(1, "", "did you mean \"kind\"?", table, "--label", "knd", "--spec", spec);
    SAYS(1, "", "t.csv?", test_path("t.cvs"), "--spec", spec);
    SAYS(2, "", "describe has no option --sepc", table, "--sepc", spec);
    SAYS(2, "", "this option needs a value", table, "--spec");
    SAYS(2, "", "one file or folder at a time", table, table);
    cr_assert_neq(access(spec, F_OK), 0, "%s is written", spec);
    SAYS(0, "is written", "", table, "--spec", spec); /* ten rows are enough */
    SAYS(2, "", "describe needs a file or a folder", "--all");
}
