/* suggest.c - `retort suggest`: the student that keeps limits.         Floor 9 (cli) */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "cli/training.h"
#include "core/file.h"
#include "experiment/report.h"
#include "experiment/suggest.h"
#include "retort/alloc.h"
#include "retort/threads.h"

extern const rti_command rti_command_suggest;

typedef struct arguments {
    rti_opening opening;
    rti_run_options run;
    rti_limits limits;
    bool no_plots;
} arguments;

typedef struct work {
    const arguments *a;
    rti_spec spec; /* the reader's, then with the choice in it */
    rt_dataset *set;
    rti_suggestion suggestion;
    rti_plan search, assisted;
    rti_run_outcome outcome;
    bool failures;
    char choice_spec[RTI_PATH_MAX];
    bool drawn;
    char trouble[512];
} work;

/* ---- arguments ---- */

/* A number above 0 and a unit from a list of pairs; "" is a unit when it is on the list. */
static bool read_unit(const char *text, const char *const units[], const double factors[], double *out) {
    char *end;
    double value = strtod(text, &end);
    if (!isdigit((unsigned char)text[0]) || !(value > 0) || !isfinite(value)) return false;
    for (int i = 0; units[i]; i++)
        if (!strcmp(end, units[i])) {
            *out = value * factors[i];
            return true;
        }
    return false;
}

static const char *read_bytes(const char *text, double *out) {
    static const char *const units[] = {"", "k", "K", "kB", "KB", "M", "MB", NULL};
    static const double factors[] = {1, 1e3, 1e3, 1e3, 1e3, 1e6, 1e6};
    return read_unit(text, units, factors, out)
               ? NULL
               : "--max-bytes needs a size such as 50k (50,000) or 1.5M, not";
}

static const char *read_latency(const char *text, double *out) {
    static const char *const units[] = {"us", "\xc2\xb5s", "\xce\xbcs", "ms", "s", NULL};
    static const double factors[] = {1, 1, 1, 1e3, 1e6};
    return read_unit(text, units, factors, out)
               ? NULL
               : "--max-latency needs a time with its unit, 20us or 0.5ms, not";
}

static const char *read_accuracy(const char *text, double *out) {
    static const char *const units[] = {"", "%", NULL};
    static const double factors[] = {0.01, 0.01};
    if (read_unit(text, units, factors, out) && *out > 0.01 && *out <= 1) return NULL;
    return "--min-accuracy is in per cent, for example 97, not";
}

static bool take(arguments *a, int argc, char **argv, int *i, const char **problem) {
    const char *value;
    *problem = NULL;
    if ((value = rti_option_value("--max-bytes", argc, argv, i, problem))) {
        if (!*problem) *problem = read_bytes(value, &a->limits.bytes);
    } else if ((value = rti_option_value("--max-latency", argc, argv, i, problem))) {
        if (!*problem) *problem = read_latency(value, &a->limits.latency_us);
    } else if ((value = rti_option_value("--min-accuracy", argc, argv, i, problem))) {
        if (!*problem) *problem = read_accuracy(value, &a->limits.accuracy);
    } else if ((value = rti_option_value("--candidates", argc, argv, i, problem))) {
        if (!*problem && !rti_read_count(value, 1, RTI_CANDIDATES_MAX, &a->limits.candidates))
            *problem = "--candidates goes from 1 to 64, not";
    } else if (!strcmp(argv[*i], "--int8")) {
        a->limits.int8 = true;
        return true;
    } else if (!strcmp(argv[*i], "--no-plots")) {
        a->no_plots = true;
        return true;
    } else {
        return rti_training_take(&a->run, argc, argv, i, problem) ||
               rti_opening_take(&a->opening, argc, argv, i, problem);
    }
    return true;
}

/* ---- training ---- */

static void say_search(const work *w, const rti_plan *plan) {
    int students = 0, done = 0;
    double work_s = 0;
    char duration[32];
    rti_estimator estimator = {0};
    if (rti_estimator_read(&estimator, plan, NULL) != RT_OK) estimator.count = 0;
    for (int t = 0; t < plan->trial_count; t++) {
        bool finished = rti_trial_state(plan, t) == RTI_DONE;
        students += plan->trials[t].role != RTI_TEACHER;
        done += finished;
        if (!finished) work_s += rti_estimator_seconds(&estimator, rti_trial_work(plan, t));
    }
    int workers = w->a->run.workers ? w->a->run.workers : rt_threads_available();
    fprintf(stderr, "%s: ", plan->spec.name);
    if (plan == &w->search) fprintf(stderr, "%d candidates inside the limits, ", w->suggestion.count);
    fprintf(stderr, "%d students and their teachers, %d of %d trials finished", students, done,
            plan->trial_count);
    if (done < plan->trial_count && !isnan(work_s))
        fprintf(stderr, ", about %s to go", rti_duration(work_s / workers, duration));
    fputs("\n", stderr);
}

/* Writes the spec beside its results and trains what it asks for. */
static rt_status train(work *w, const char *file, rti_text *text, rti_plan *plan, rt_error *error) {
    char path[RTI_PATH_MAX];
    rti_run_options run = w->a->run;
    RT_TRY(rti_path_join(path, sizeof path, w->suggestion.directory, file, error));
    RT_TRY(rti_file_write(path, rti_text_string(text), text->length, error));
    rti_spec *spec = rt_alloc(sizeof *spec);
    if (!spec) return rt_fail(error, RT_MEMORY, "no memory for the spec");
    rt_status status = rti_spec_read(spec, path, NULL, 0, error);
    if (status == RT_OK)
        status = rti_plan_make(plan, spec, w->a->opening.runs ? w->a->opening.runs : "runs", NULL, error);
    rt_free(spec);
    if (status != RT_OK) return status;
    say_search(w, plan);
    RT_TRY(rti_training_run(plan, &run, &w->outcome, error));
    if (w->outcome.stopped) return RT_STOPPED;
    if (rti_training_failures(&w->outcome)) w->failures = true;
    return RT_OK;
}

/* ---- the search ---- */

static rt_status open_all(work *w, rt_error *error) {
    char dropped[512], name[sizeof w->spec.name + 16];
    const rti_opening *o = &w->a->opening;
    RT_TRY(rti_spec_read(&w->spec, o->spec, o->overrides, o->override_count, error));
    RT_TRY(rti_suggest_prepare(&w->spec, dropped, sizeof dropped, error));
    if (dropped[0]) fprintf(stderr, "the spec's sweep is left out: %s\n", dropped);
    w->set = rt_dataset_open(&w->spec.base.data, NULL, error);
    if (!w->set) return error->status;
    if (!rt_dataset_part(w->set, RT_PART_VALIDATION)->count)
        return rt_fail(error, RT_SPEC,
                       "%s: the choice is made on validation, and [data] validation is 0; set "
                       "it, for example --set data.validation=1000",
                       o->spec);
    snprintf(name, sizeof name, "%s" RTI_SUGGEST_ENDING, w->spec.name);
    return rti_path_join(w->suggestion.directory, sizeof w->suggestion.directory, o->runs ? o->runs : "runs",
                         name, error);
}

static rt_status search(work *w, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    w->suggestion.limits = w->a->limits;
    rt_status status = rti_suggest_candidates(&w->suggestion, &w->spec, w->set, &text, error);
    if (status == RT_OK) status = train(w, "spec.toml", &text, &w->search, error);
    rti_text_deinit(&text);
    if (status != RT_OK) return status;
    RT_TRY(rti_suggest_read(&w->suggestion, &w->search, error));
    if (w->suggestion.chosen < 0)
        return rt_fail(error, RT_VALUE,
                       "no candidate is finished with all seeds, so nothing can be chosen; "
                       "`retort status %s/spec.toml` says why",
                       w->suggestion.directory);
    return rti_suggest_take(&w->spec, &w->search, &w->suggestion.candidate[w->suggestion.chosen], error);
}

/* Says that the gap is large, and tries an assistant. */
static rt_status bridge(work *w, rt_error *error) {
    rti_suggestion *s = &w->suggestion;
    rti_text text = RTI_TEXT_EMPTY;
    char assistant[RTI_LABEL_MAX];
    if (!rti_suggest_has_gap(s)) return RT_OK;
    const rti_candidate alone = s->candidate[s->chosen];
    fprintf(stderr,
            "the gap is large: %s stays %.2f points below its teacher on validation, which is %.0f times its "
            "bytes\n(the rule: more than %.0f point below a teacher of at least %d times the bytes)\n",
            alone.network, 100 * (s->teacher_accuracy - alone.offer.accuracy),
            s->teacher_bytes / alone.offer.bytes, 100 * RTI_GAP_MAX, RTI_GAP_TIMES);
    if (w->spec.assistant_count) {
        fputs("its spec has assistants already; another one is not tried\n", stderr);
        return RT_OK;
    }
    RT_TRY(rti_suggest_assistant(s, &w->spec, w->set, assistant, sizeof assistant, error));
    fprintf(stderr, "an assistant of middle size is tried between them: %s\n", assistant);
    rt_status status = rti_suggest_text(&w->spec, false, "the choice, with an assistant", &text, error);
    if (status == RT_OK) status = train(w, "assistant.toml", &text, &w->assisted, error);
    rti_text_deinit(&text);
    if (status != RT_OK) return status;
    RT_TRY(rti_suggest_add_assisted(s, &w->assisted, error));
    const rti_candidate *with = &s->candidate[s->count - 1];
    bool kept = s->candidate[s->chosen].assisted;
    if (!kept) rti_suggest_forget_assistant(&w->spec);
    fprintf(stderr, "with the assistant %.2f %%, without %.2f %%: it is %s\n", 100 * with->offer.accuracy,
            100 * alone.offer.accuracy, kept ? "kept" : "left out");
    return RT_OK;
}

static rt_status write_choice(work *w, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    RT_TRY(rti_path_join(w->choice_spec, sizeof w->choice_spec, w->suggestion.directory, "suggested.toml",
                         error));
    rt_status status = rti_suggest_text(&w->spec, true,
                                        "what retort suggest has chosen. Its teacher and its "
                                        "students are trained already, where this file\n# lies: retort run "
                                        "adds the students of the labels alone, to compare with.",
                                        &text, error);
    if (status == RT_OK) status = rti_file_write(w->choice_spec, rti_text_string(&text), text.length, error);
    rti_text_deinit(&text);
    if (status != RT_OK) return status;
    return rti_suggest_write(&w->suggestion, &w->search, rti_program_name, !w->a->no_plots, &w->drawn,
                             w->trouble, error);
}

static void print(const work *w) {
    rti_text text = RTI_TEXT_EMPTY;
    const rti_limits *l = &w->a->limits;
    rti_text_printf(&text, "%s   %s", w->suggestion.name, rt_dataset_summary(w->set));
    if (l->bytes > 0) rti_text_printf(&text, "   at most %.0f bytes", l->bytes);
    if (l->latency_us > 0) rti_text_printf(&text, "   at most %.4g us", l->latency_us);
    rti_text_append(&text, "\n");
    rti_suggest_terminal(&text, &w->suggestion);
    const char *note = rt_dataset_note(w->set);
    if (note[0]) rti_text_printf(&text, "  %s\n", note);
    if (w->trouble[0]) rti_text_printf(&text, "\n  %s", w->trouble);
    rti_text_printf(&text, "\n  %s/suggest.csv   suggested.toml%s\n", w->suggestion.directory,
                    w->drawn ? "   pareto.svg   pareto.png" : "");
    rti_text_printf(&text, "  to go on: retort run %s%s%s\n", w->choice_spec,
                    w->a->opening.runs ? " --runs " : "", w->a->opening.runs ? w->a->opening.runs : "");
    fputs(rti_text_string(&text), stdout);
    rti_text_deinit(&text);
}

static rt_status suggest(work *w, rt_error *error) {
    RT_TRY(open_all(w, error));
    RT_TRY(search(w, error));
    RT_TRY(bridge(w, error));
    RT_TRY(write_choice(w, error));
    print(w);
    return RT_OK;
}

static int run(int argc, char **argv) {
    static arguments a = {.run.checkpoint_s = 5, .limits.candidates = 12};
    a.limits.accuracy = NAN;
    for (int i = 1; i < argc; i++) {
        const char *problem, *word = argv[i];
        if (!take(&a, argc, argv, &i, &problem))
            return rti_usage(&rti_command_suggest, "unknown option %s", word);
        if (problem) return rti_usage(&rti_command_suggest, "%s %s", problem, argv[i]);
    }
    if (!a.opening.spec)
        return rti_usage(&rti_command_suggest,
                         "which spec? For example: retort suggest experiments/demo.toml --max-bytes 50k");
    rt_error error = {0};
    work *w = rt_alloc_zero(1, sizeof *w);
    if (!w) return rti_complain((rt_fail(&error, RT_MEMORY, "no memory for the search"), &error));
    w->a = &a;
    rt_status status = suggest(w, &error);
    int said = RTI_EXIT_DONE;
    if (status == RT_STOPPED && w->outcome.stopped)
        said = rti_training_stopped(&w->outcome);
    else if (status != RT_OK)
        said = rti_complain(&error);
    else if (w->failures)
        said = RTI_EXIT_FAILED;
    rti_plan_deinit(&w->search);
    rti_plan_deinit(&w->assisted);
    rt_dataset_free(w->set);
    rti_spec_deinit(&w->spec);
    rt_free(w);
    return said;
}

const rti_command rti_command_suggest = {
    .name = "suggest",
    .line = "searches for a student that keeps limits of size and time",
    .usage =
        "usage: retort suggest SPEC [limits] [options]\n"
        "\n"
        "Distils students of several widths and depths with the method of the spec's [distill], draws\n"
        "accuracy against bytes and latency, chooses one on validation and writes its spec. What breaks\n"
        "a limit is never trained: bytes are counted and latency is measured beforehand, on one thread.\n"
        "Chosen is the smallest candidate that reaches --min-accuracy, else the most accurate one. When\n"
        "it stays far below its teacher, it is trained again with an assistant of middle size between\n"
        "them. Kinds of students: mlp, cnn, resnet, wrn. A sweep in the spec is left out.\n"
        "\n"
        "  --max-bytes SIZE     50k is 50,000, 1.5M is 1,500,000 (default: a quarter of the teacher)\n"
        "  --max-latency TIME   of one example: 20us, 0.5ms\n"
        "  --min-accuracy A     per cent, on validation: 97\n"
        "  --int8               students are 8-bit integers: bytes and accuracies (default: float32)\n"
        "  --candidates N       about so many (default: 12)\n"
        "  --no-plots           draws no picture\n"
        "\n" RTI_OPENING_USAGE RTI_TRAINING_USAGE "\n"
        "Results lie in runs/NAME-suggest. Ctrl-C saves everything and exits with 75; the same command\n"
        "goes on.\n"
        "\n"
        "example: retort suggest experiments/demo.toml --max-bytes 50k --max-latency 20us --min-accuracy "
        "97\n",
    .run = run,
};
RTI_REGISTER(command, suggest)
