/* gradcheck.c - retort gradcheck: are the gradients of all ops right?  Floor 9 (cli)
 *
 * Differences need double, so the program in float hands over to the one in double, which is built
 * from the same sources and lies beside it or in ../libexec. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "core/file.h"
#include "retort/alloc.h"
#include "retort/distill.h"
#include "retort/ops.h"
#include "retort/params.h"

#define IS_DOUBLE (sizeof(rt_real) == sizeof(double))
#define TOLERANCE (IS_DOUBLE ? 1e-6 : 5e-2)

extern const rti_command rti_command_gradcheck;

static int no_memory(void) {
    fputs("retort: not enough memory.\n", stderr);
    return RTI_EXIT_FAILED;
}

/* ---- the program in double ---- */

/* The directory of this program, without a slash at its end. */
static bool own_directory(char *out, size_t size) {
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    if (length > 0)
        out[length] = 0;
    else if (snprintf(out, size, "%s", rti_program_name) >= (int)size)
        return false;
    char *slash = strrchr(out, '/');
    if (slash) *slash = 0;
    return slash != NULL;
}

static int start_double(int argc, char **argv) {
    static const char *const places[] = {"retort-double", "../libexec/retort-double"};
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
    bool known = own_directory(directory, sizeof directory);
    for (int i = 0; known && i < 2; i++) {
        if (rti_path_join(path, sizeof path, directory, places[i], NULL) != RT_OK || access(path, X_OK) != 0)
            continue;
        char **again = rt_alloc_zero((size_t)argc + 2, sizeof *again);
        if (!again) return no_memory();
        again[0] = path;
        memcpy(again + 1, argv, (size_t)argc * sizeof *again);
        fflush(stdout);
        execv(path, again);
        fprintf(stderr, "retort: %s cannot be started: %s\n", path, strerror(errno));
        rt_free(again);
        return RTI_EXIT_FAILED;
    }
    fputs("retort: gradients are checked by the program retort-double, which is neither beside this program "
          "nor in\n"
          "../libexec. Build it with make, or use --here for a rough check in float.\n",
          stderr);
    return RTI_EXIT_FAILED;
}

/* ---- the table ---- */

typedef struct tally {
    int ops, cases, failed;
    int64_t checked;
    double worst;
    const char *worst_op;
} tally;

/* A line of the table, and its part of the sum. cases -1: there is no such number. */
static void count_result(const char *name, int cases, const rt_gradcheck_result *worst, rt_status status,
                         const rt_error *error, tally *sum) {
    char text[16] = "";
    if (cases >= 0) snprintf(text, sizeof text, "%d", cases);
    printf("%-24s %5s %9lld %12.2e%s\n", name, text, (long long)worst->checked, worst->worst_error,
           status == RT_OK ? "" : "  FAILED");
    fflush(stdout);
    if (status != RT_OK) {
        fprintf(stderr, "retort: %s\n", error->message);
        sum->failed++;
    }
    sum->ops++;
    sum->cases += cases > 0 ? cases : 0;
    sum->checked += worst->checked;
    if (!sum->worst_op || !(worst->worst_error <= sum->worst)) {
        sum->worst = worst->worst_error;
        sum->worst_op = name;
    }
}

static void check_op(const char *name, double tolerance, tally *sum) {
    if (!rt_op_has_gradient(name)) {
        printf("%-24s %5s %9s %12s\n", name, "-", "-", "no gradient");
        return;
    }
    rt_gradcheck_result worst = {0};
    rt_error error = {0};
    int cases = 0;
    rt_status status = rt_op_gradcheck(name, tolerance, &worst, &cases, &error);
    count_result(name, cases, &worst, status, &error, sum);
}

static void check_method(const char *name, double tolerance, tally *sum) {
    rt_gradcheck_result worst = {0};
    rt_error error = {0};
    rt_status status = rt_method_gradcheck(name, tolerance, &worst, &error);
    count_result(name, -1, &worst, status, &error, sum);
}

static int unknown(const char *name) {
    int ops, methods;
    const char *const *op = rt_op_names(&ops), *const *method = rt_method_names(&methods);
    const char *near = rt_nearest_word(name, op, ops);
    if (!near) near = rt_nearest_word(name, method, methods);
    if (near)
        return rti_usage(&rti_command_gradcheck, "there is no op or method \"%s\"; did you mean \"%s\"?",
                         name, near);
    return rti_usage(&rti_command_gradcheck,
                     "there is no op or method \"%s\"; see retort list ops, retort list methods.", name);
}

static void summarise(const tally *sum, const char *what, double tolerance) {
    printf("\n%d %s", sum->ops, what);
    if (sum->cases) printf(", %d cases", sum->cases);
    printf(", %lld elements in %s, tolerance %g", (long long)sum->checked, IS_DOUBLE ? "double" : "float",
           tolerance);
    if (sum->worst_op) printf(", worst %.2e (%s)", sum->worst, sum->worst_op);
    printf(": %s\n", sum->failed ? "FAILED" : "all right");
}

/* The named ones of `all`, or all of them when none is named; false: it had none to check. */
static bool check_those(const char *title, const char *what, const char *const all[], int known,
                        void (*check)(const char *name, double tolerance, tally *sum), char *const names[],
                        int count, double tolerance, int *failed) {
    tally sum = {0};
    for (int i = 0; i < (count ? count : known); i++) {
        const char *name = count ? names[i] : all[i];
        if (count && (rt_op_formula(name) != NULL) != (check == check_op)) continue;
        if (!sum.ops)
            printf("%-24s %5s %9s %12s\n", title, check == check_op ? "cases" : "", "elements",
                   "worst error");
        check(name, tolerance, &sum);
    }
    if (sum.ops) summarise(&sum, what, tolerance);
    *failed += sum.failed;
    return sum.ops > 0;
}

static int run_checks(char *const names[], int count, double tolerance) {
    int ops, methods, failed = 0, rows;
    const char *const *op = rt_op_names(&ops), *const *method = rt_method_names(&methods);
    for (int i = 0; i < count; i++)
        if (!rt_op_formula(names[i]) && !rt_method_rows(names[i], &rows)) return unknown(names[i]);
    if (check_those("op", "ops with a gradient", op, ops, check_op, names, count, tolerance, &failed) &&
        !count)
        putchar('\n');
    check_those("method, whole loss", "methods", method, methods, check_method, names, count, tolerance,
                &failed);
    return failed ? RTI_EXIT_FAILED : RTI_EXIT_DONE;
}

static int run(int argc, char **argv) {
    double tolerance = TOLERANCE;
    bool here = false;
    int names = 0;
    char **name = rt_alloc_zero((size_t)argc, sizeof *name);
    if (!name) return no_memory();
    int status = -1;
    for (int i = 1; i < argc && status < 0; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--here") == 0)
            here = true;
        else if (strncmp(argv[i], "--tolerance=", 12) == 0) {
            tolerance = strtod(argv[i] + 12, &end);
            if (*end || !(tolerance > 0))
                status = rti_usage(&rti_command_gradcheck, "--tolerance needs a number above 0.");
        } else if (argv[i][0] == '-')
            status = rti_usage(&rti_command_gradcheck, "there is no option %s.", argv[i]);
        else
            name[names++] = argv[i];
    }
    if (status < 0 && !IS_DOUBLE && !here) status = start_double(argc, argv);
    if (status < 0) status = run_checks(name, names, tolerance);
    rt_free(name);
    return status;
}

const rti_command rti_command_gradcheck = {
    .name = "gradcheck",
    .line = "compares the gradients of all ops and methods with differences",
    .usage =
        "usage: retort gradcheck [--here] [--tolerance=X] [OP|METHOD ...]\n"
        "\n"
        "Compares the gradient of every op, and of every method's whole loss through a student and its\n"
        "adapters, or of the ones named, with central differences, in double (by starting retort-double),\n"
        "and prints the worst error of each:\n"
        "\n"
        "    error = |analytic - numeric| / max(1, |analytic|, |numeric|)\n"
        "\n"
        "  --here           in this program's own precision, even when that is float\n"
        "  --tolerance=X    largest error that is right (1e-6 in double, 0.05 in float)\n"
        "\n"
        "example: retort gradcheck linear kl_divergence kd+at\n"
        "Exit status: 0 all right, 1 a gradient is wrong, 2 wrong usage.\n",
    .run = run,
};
RTI_REGISTER(command, gradcheck)
