/* report.c - retort report: tables, files and pictures again.          Floor 9 (cli) */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/compression.h"
#include "core/file.h"
#include "experiment/report.h"
#include "retort/alloc.h"
#include "retort/threads.h"

extern const rti_command rti_command_report;

static const char usage[] =
    "usage: retort report SPEC.toml|runs/NAME [--no-plots] [--runs DIRECTORY] [--set KEY=VALUE ...]\n"
    "       retort report --compression TEACHER STUDENT... [options]\n"
    "\n"
    "Reads what the trials of an experiment have left on disk and writes the report again: the table\n"
    "and a chart to the terminal, and into runs/NAME report.md, results.csv (one row per trial),\n"
    "summary.csv (one row per cell) and the pictures (SVG and PNG, drawn by gnuplot). Trains nothing;\n"
    "trials that are not finished or have failed are counted and named.\n"
    "\n"
    "  --no-plots         no pictures\n"
    "  --runs DIRECTORY   where experiments are kept (runs)\n"
    "  --set KEY=VALUE    as given to retort run; only with a spec file\n"
    "\n"
    "--compression measures networks side by side: parameters, bytes in float32, bf16 and int8,\n"
    "multiply-adds, latency on one thread, working memory, accuracy, agreement with the teacher, and the\n"
    "ratios. Each is the directory of a trial or a .safetensors file. A lone STUDENT is compared with the\n"
    "teachers of its trial. Data are the first student's.\n"
    "\n"
    "  --teacher NETWORK  teaches; given several times, they teach together and cost together\n"
    "  --best             of trials, the weights that were best on validation (default: the last)\n"
    "  --data SET         on this set;  --set data.K=V an option of it\n"
    "  --csv FILE, --json FILE   the numbers, unrounded\n"
    "\n"
    "examples:\n"
    "  retort report runs/demo\n"
    "  retort report --compression runs/demo/0ad17e86814a91c0\n";

#define OVERRIDES_MAX 64

typedef struct arguments {
    const char *what, *runs;
    bool plots;
    const char *overrides[OVERRIDES_MAX];
    int override_count;
} arguments;

static bool is_directory(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* "runs/demo/" -> runs "runs" and spec "runs/demo/spec.toml". */
static rt_status from_directory(const char *path, char spec[RTI_PATH_MAX], char runs[RTI_PATH_MAX],
                                rt_error *error) {
    RT_TRY(rti_path_join(spec, RTI_PATH_MAX, path, "spec.toml", error));
    if (!rti_file_exists(spec))
        return rt_fail(error, RT_NOT_FOUND,
                       "%s: there is no spec.toml in it, so no experiment has run there; name the "
                       "spec file that was given to retort run",
                       path);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    while (length && path[length - 1] != '/') length--;
    while (length > 1 && path[length - 1] == '/') length--;
    snprintf(runs, RTI_PATH_MAX, "%.*s", length ? (int)length : 1, length ? path : ".");
    return RT_OK;
}

static rt_status make_plan(const arguments *a, rti_plan *plan, rt_error *error) {
    char path[RTI_PATH_MAX], runs[RTI_PATH_MAX];
    bool directory = is_directory(a->what);
    if (directory) RT_TRY(from_directory(a->what, path, runs, error));
    rti_spec *spec = rt_alloc_zero(1, sizeof *spec);
    if (!spec) return rt_fail(error, RT_MEMORY, "not enough memory for the spec");
    rt_status status = rti_spec_read(spec, directory ? path : a->what, a->overrides, a->override_count,
                                     error);
    if (status == RT_OK) status = rti_plan_make(plan, spec, directory ? runs : a->runs, NULL, error);
    rt_free(spec);
    return status;
}

static rt_status report(const arguments *a, rt_error *error) {
    rti_plan *plan = rt_alloc_zero(1, sizeof *plan);
    if (!plan) return rt_fail(error, RT_MEMORY, "not enough memory for the plan");
    rt_status status = make_plan(a, plan, error);
    if (status == RT_OK) {
        rti_text said = RTI_TEXT_EMPTY;
        rt_threads_set(rt_threads_available());
        rti_report_options options = {.plots = a->plots, .program = rti_program_name, .chart = true};
        status = rti_report_write(plan, &options, &said, error);
        if (status == RT_OK) fputs(rti_text_string(&said), stdout);
        rti_text_deinit(&said);
        rti_plan_deinit(plan);
    }
    rt_free(plan);
    return status;
}

static int run(int argc, char **argv) {
    if (rti_wants_compression(argc, argv)) return rti_compression_run(&rti_command_report, argc, argv);
    arguments a = {.runs = "runs", .plots = true};
    bool runs_given = false, only_names = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!only_names && strcmp(word, "--") == 0) only_names = true;
        else if (!only_names && strcmp(word, "--no-plots") == 0) a.plots = false;
        else if (!only_names && (strcmp(word, "--runs") == 0 || strcmp(word, "--set") == 0)) {
            if (i + 1 == argc) return rti_usage(&rti_command_report, "%s needs a value.", word);
            if (word[2] == 'r') {
                a.runs = argv[++i];
                runs_given = true;
            } else if (a.override_count == OVERRIDES_MAX) {
                return rti_usage(&rti_command_report, "more than %d times --set.", OVERRIDES_MAX);
            } else {
                a.overrides[a.override_count++] = argv[++i];
            }
        } else if (!only_names && word[0] == '-' && word[1]) {
            return rti_usage(&rti_command_report, "there is no option \"%s\".", word);
        } else if (a.what) {
            return rti_usage(&rti_command_report, "one spec or directory at a time, not \"%s\" and \"%s\".",
                             a.what, word);
        } else {
            a.what = word;
        }
    }
    if (!a.what)
        return rti_usage(&rti_command_report, "which experiment? Name a spec file or a directory in runs.");
    if (is_directory(a.what) && (a.override_count || runs_given))
        return rti_usage(&rti_command_report,
                         "--set and --runs go with a spec file; %s has its own spec.toml.", a.what);
    rt_error error = {0};
    return report(&a, &error) == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

const rti_command rti_command_report = {
    .name = "report",
    .line = "writes an experiment's table, files and pictures again; measures compression",
    .usage = usage,
    .run = run,
};
RTI_REGISTER(command, report)
