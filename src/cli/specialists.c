/* specialists.c - `retort specialists`: networks that know a few classes, beside one that knows all.
 *                                                                      Floor 9 (cli) */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "cli/signals.h"
#include "cli/training.h"
#include "experiment/specialists.h"
#include "retort/alloc.h"
#include "retort/log.h"
#include "retort/threads.h"

extern const rti_command rti_command_specialists;

typedef struct arguments {
    rti_opening opening;
    rti_specialists_config config;
    int epochs;
} arguments;

static void tell(void *context, rt_log_level level, const char *line) {
    (void)context;
    if (level >= RT_LOG_INFO) fprintf(stderr, "%s\n", line);
}

/* ---- arguments ---- */

/* "1,2,3": whole numbers from 0, no two the same. */
static bool read_seeds(const char *text, rti_specialists_config *c) {
    c->seed_count = 0;
    for (const char *at = text;; at++) {
        char *end;
        if (*at < '0' || *at > '9' || c->seed_count == RTI_SEEDS_MAX) return false;
        errno = 0;
        const unsigned long long seed = strtoull(at, &end, 10);
        if (errno || seed > (1ULL << 53)) return false;
        for (int i = 0; i < c->seed_count; i++)
            if (c->seeds[i] == seed) return false;
        c->seeds[c->seed_count++] = seed;
        if (!*end) return true;
        if (*end != ',') return false;
        at = end;
    }
}

static bool read_number(const char *text, double least, double most, double *out) {
    char *end;
    const double value = strtod(text, &end);
    if (!text[0] || *end || !(value >= least && value <= most)) return false;
    *out = value;
    return true;
}

static bool read_law(const char *text, rti_set_law *out) {
    for (rti_set_law law = RTI_SETS_COVARIANCE; law <= RTI_SETS_RANDOM; law++)
        if (!strcmp(text, rti_set_law_name(law))) {
            *out = law;
            return true;
        }
    return false;
}

/* An option with a value; false: another one. */
static bool take_value(arguments *a, int argc, char **argv, int *i, const char **problem) {
    const char *value;
    rti_specialists_config *c = &a->config;
    const struct {
        const char *name;
        int *out, least, most;
        const char *wrong;
    } counts[] = {{"--count", &c->count, 1, RTI_SPECIALISTS_MAX, "--count goes from 1 to 255:"},
                  {"--classes", &c->classes, 1, 65535, "--classes goes from 1 to 65535:"},
                  {"--epochs", &a->epochs, 1, 100000, "--epochs goes from 1 to 100000:"},
                  {"--cover", &c->cover, 1, 65535, "--cover goes from 1 to 65535:"}};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
        if ((value = rti_option_value(counts[k].name, argc, argv, i, problem))) {
            if (!*problem && !rti_read_count(value, counts[k].least, counts[k].most, counts[k].out))
                *problem = counts[k].wrong;
            return true;
        }
    if ((value = rti_option_value("--lr", argc, argv, i, problem))) {
        if (!*problem && !read_number(value, 1e-12, 1e6, &c->lr)) *problem = "--lr needs a number above 0:";
    } else if ((value = rti_option_value("--momentum", argc, argv, i, problem))) {
        if (!*problem && !read_number(value, 0, 0.99999, &c->momentum))
            *problem = "--momentum goes from 0 to below 1:";
    } else if ((value = rti_option_value("--seeds", argc, argv, i, problem))) {
        if (!*problem && !read_seeds(value, c))
            *problem = "--seeds needs up to 64 different whole numbers, as 1,2,3:";
    } else if ((value = rti_option_value("--out", argc, argv, i, problem))) {
        c->directory = value;
        if (!*problem && !value[0]) *problem = "--out needs a directory:";
    } else if ((value = rti_option_value("--sets", argc, argv, i, problem))) {
        if (!*problem && !read_law(value, &c->law)) *problem = "--sets is covariance, correlation or random:";
    } else {
        return false;
    }
    return true;
}

static bool take(arguments *a, int argc, char **argv, int *i, const char **problem) {
    *problem = NULL;
    if (take_value(a, argc, argv, i, problem)) return true;
    if (!strcmp(argv[*i], "--no-plots")) {
        a->config.plots = false;
        return true;
    }
    if (!strcmp(argv[*i], "--no-control")) {
        a->config.control = false;
        return true;
    }
    return rti_opening_take(&a->opening, argc, argv, i, problem);
}

/* ---- running ---- */

static rt_status specialists(arguments *a, rti_plan *plan, rt_error *error) {
    rti_specialists_result result;
    RT_TRY(rti_opening_plan(&a->opening, plan, error));
    rt_threads_set(rt_threads_available());
    a->config.plan = plan;
    a->config.epochs = a->epochs;
    RT_TRY(rti_specialists(&a->config, &result, error));
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "%s   %s\n", plan->spec.name, rt_dataset_summary(result.set));
    rti_specialists_text(&text, &result);
    fputs(rti_text_string(&text), stdout);
    rti_text_deinit(&text);
    rti_specialists_deinit(&result);
    return RT_OK;
}

static int run(int argc, char **argv) {
    static arguments a = {
        .config = {.cover = 1, .seed_count = 3, .seeds = {1, 2, 3}, .plots = true, .control = true}};
    a.config.lr = a.config.momentum = NAN;
    a.config.on_step = rti_signals_none_yet;
    a.config.program = rti_program_name;
    for (int i = 1; i < argc; i++) {
        const char *problem, *word = argv[i];
        if (!take(&a, argc, argv, &i, &problem))
            return rti_usage(&rti_command_specialists, "unknown option %s", word);
        if (problem) return rti_usage(&rti_command_specialists, "%s %s", problem, argv[i]);
    }
    if (!a.opening.spec)
        return rti_usage(&rti_command_specialists,
                         "which spec? For example: retort specialists experiments/demo.toml --count 5");
    rti_signals_catch();
    rt_log_set(tell, NULL);
    rt_error error = {0};
    rti_plan *plan = rt_alloc_zero(1, sizeof *plan);
    rt_status status = plan ? specialists(&a, plan, &error)
                            : rt_fail(&error, RT_MEMORY, "no memory for a plan");
    if (plan) rti_plan_deinit(plan);
    rt_free(plan);
    if (status == RT_STOPPED) {
        fprintf(stderr,
                "retort specialists: stopped; finished specialists are kept, run it again to go on\n");
        return RTI_EXIT_STOPPED;
    }
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

const rti_command rti_command_specialists = {
    .name = "specialists",
    .line = "specialists of a few classes beside a trained generalist",
    .usage =
        "usage: retort specialists SPEC [options]\n"
        "\n"
        "Section 5 of Hinton, Vinyals, Dean 2015. The first finished teacher of the spec (retort run SPEC\n"
        "trains it) is the generalist. What it mixes up is clustered into sets of classes; one specialist\n"
        "for each set goes on from its weights, on half examples of the set and half others, which are one\n"
        "class more to it; generalist and specialists are combined example by example (equation 5). Tables:\n"
        "accuracy, and the gain by the number of specialists that cover the true class. The combined\n"
        "answers are left as train-logits.npy and test-logits.npy, for a spec with [teacher] logits.\n"
        "\n"
        "  --count M        specialists (default: as many as give each class 1.22 of them, as in the paper)\n"
        "  --classes N      classes of each (default: the root of the number of classes)\n"
        "  --sets HOW       covariance of its predictions (default), their correlation (for a good "
        "generalist), or\n"
        "                   random: the control for the clustering\n"
        "  --epochs E       of each (default: half of the generalist's)\n"
        "  --lr RATE        their first learning rate (default: a tenth of the generalist's)\n"
        "  --momentum MU    (default: the generalist's; all else is its own, too)\n"
        "  --seeds 1,2,3    each makes sets and specialists (default: 1,2,3)\n"
        "  --cover K        specialists of the K most probable classes are asked (default: 1)\n"
        "  --out DIR        where everything goes (default: runs/NAME/specialists)\n"
        "  --no-control     does not train the generalist on for as long as all specialists together, which "
        "tells\n"
        "                   what longer training alone would bring\n"
        "  --no-plots       draws no picture\n" RTI_OPENING_USAGE "\n"
        "Finished specialists are kept and not trained again. Ctrl-C exits with 75; the same command goes\n"
        "on.\n"
        "\n"
        "example: retort specialists experiments/demo.toml --count 5 --classes 3\n",
    .run = run,
};
RTI_REGISTER(command, specialists)
