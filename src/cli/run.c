/* run.c - `retort run`: trains what a spec asks for.                   Floor 9 (cli) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "cli/status.h"
#include "cli/training.h"
#include "experiment/preview.h"
#include "experiment/report.h"
#include "experiment/scheduler.h"
#include "retort/alloc.h"
#include "retort/threads.h"

extern const rti_command rti_command_run;

#define SPECS_MAX 64

typedef struct arguments {
    rti_opening opening;              /* of the spec at hand */
    const char *specs[SPECS_MAX];
    int spec_count;
    rti_run_options run;
    bool dry_run, no_plots;
} arguments;

/* ---- arguments ---- */

static int workers_of(const arguments *a) { return a->run.workers ? a->run.workers : rt_threads_available(); }

/* One task of a Slurm array: the tasks are numbered MIN, MIN + STEP, ... and there are COUNT. */
static const char *shard_of_slurm(arguments *a) {
    const char *id = getenv("SLURM_ARRAY_TASK_ID"), *count = getenv("SLURM_ARRAY_TASK_COUNT");
    const char *min = getenv("SLURM_ARRAY_TASK_MIN"), *step = getenv("SLURM_ARRAY_TASK_STEP");
    int number, least = 0, stride = 1;
    if (!id || !count)
        return "--shard auto needs the environment of a Slurm array (SLURM_ARRAY_TASK_ID and _COUNT):";
    if (!rti_read_count(id, 0, 100000000, &number) || !rti_read_count(count, 1, 100000000, &a->run.shards) ||
        (min && !rti_read_count(min, 0, 100000000, &least)) ||
        (step && !rti_read_count(step, 1, 100000000, &stride)) || number < least ||
        (number - least) / stride >= a->run.shards)
        return "the SLURM_ARRAY_TASK_* variables do not fit together:";
    a->run.shard = (number - least) / stride + 1;
    return NULL;
}

static const char *read_shard(arguments *a, const char *text) {
    char first[16];
    const char *slash = strchr(text, '/');
    if (!strcmp(text, "auto")) return shard_of_slurm(a);
    if (!slash || slash - text >= (long)sizeof first) return "--shard needs i/n, for example 1/4, or auto:";
    snprintf(first, sizeof first, "%.*s", (int)(slash - text), text);
    if (!rti_read_count(slash + 1, 1, 100000000, &a->run.shards) ||
        !rti_read_count(first, 1, a->run.shards, &a->run.shard))
        return "--shard i/n: i goes from 1 to n:";
    return NULL;
}

/* True when argv[*i] was an option of this command. */
static bool take_option(arguments *a, int argc, char **argv, int *i, const char **problem) {
    const char *value;
    *problem = NULL;
    if (rti_training_take(&a->run, argc, argv, i, problem)) return true;
    if ((value = rti_option_value("--shard", argc, argv, i, problem))) {
        if (!*problem) *problem = read_shard(a, value);
    } else if (!strcmp(argv[*i], "--dry-run")) a->dry_run = true;
    else if (!strcmp(argv[*i], "--strict")) a->opening.strict = true;
    else if (!strcmp(argv[*i], "--no-plots")) a->no_plots = true;
    else if (argv[*i][0] != '-' || !argv[*i][1]) {
        if (a->spec_count == SPECS_MAX) *problem = "at most 64 specs at a time; this is one more:";
        else a->specs[a->spec_count++] = argv[*i];
    } else return false;
    return true;
}

/* ---- before ---- */

/* "60 trials in 8 groups that share batches and teacher's answers\n": false when there are none. */
static bool say_groups(const rti_plan *plan, const arguments *a, char *out, size_t size) {
    rti_group_count count = {0};
    if (rti_run_groups(plan, &a->run, &count, NULL) != RT_OK || !count.groups) return false;
    const bool one = count.groups == 1;
    snprintf(out, size, "%d trials in %d group%s batches and teacher's answers (--alone: each by itself)\n",
             count.trials, count.groups, one ? " that shares" : "s that share");
    return true;
}

/* "mnist: 12 trials (...), 5 seeds, 0 finished, about 3 min to go; 2 workers\n"; true when all have ended. */
static bool say_trials(const rti_plan *plan, const arguments *a, const char *name, int seeds) {
    int roles[3] = {0}, tuning = 0, total = 0, done = 0, failed = 0;
    double work = 0;
    char duration[32];
    rti_estimator estimator = {0};
    if (rti_estimator_read(&estimator, plan, NULL) != RT_OK) estimator.count = 0;
    for (int t = 0; t < plan->trial_count; t++) {
        if (!rti_in_shard(plan, t, a->run.shard, a->run.shards)) continue;
        rti_state state = rti_trial_state(plan, t);
        total++;
        if (plan->trials[t].tuning) tuning++;
        else roles[plan->trials[t].role]++;
        done += state == RTI_DONE;
        failed += state == RTI_FAILED;
        if (state != RTI_DONE) work += rti_estimator_seconds(&estimator, rti_trial_work(plan, t));
    }
    int workers = workers_of(a);
    fprintf(stderr, "%s: %d trials (%d teacher, ", name, total, roles[0]);
    if (tuning) fprintf(stderr, "%d tuning, ", tuning);
    fprintf(stderr, "%d scratch, %d distilled)", roles[1], roles[2]);
    if (seeds) fprintf(stderr, ", %d seeds", seeds);
    fprintf(stderr, ", %d finished", done);
    if (failed)
        fprintf(stderr, ", %d failed%s", failed,
                a->run.retry_failed ? " and tried again" : " before (--retry-failed tries them again)");
    if (done < total && !isnan(work))
        fprintf(stderr, ", about %s to go", rti_duration(work / workers, duration));
    fprintf(stderr, "; %d worker%s\n", workers, workers == 1 ? "" : "s");
    char groups[128];
    if (say_groups(plan, a, groups, sizeof groups)) fputs(groups, stderr);
    return done == total;
}

static void say_plan(const rti_plan *plan, const arguments *a) {
    const bool finished = say_trials(plan, a, plan->spec.name, plan->spec.seed_count);
    for (int r = 0; r < plan->row_count; r++)
        if (plan->rows[r].reason[0])
            fprintf(stderr, "%s is left out: %s\n", plan->rows[r].spec->label, plan->rows[r].reason);
    if (plan->undecided)
        fprintf(stderr, "then the chosen points of %d rows with %d seeds\n", plan->undecided,
                plan->spec.seed_count);
    for (int i = 0; i < plan->dataset_count; i++)
        fprintf(stderr, "%s\n", rt_dataset_summary(plan->datasets[i]));
    if (finished) return;
    rti_text text = RTI_TEXT_EMPTY; /* what cannot be said here is said by the trial that meets it */
    if (rti_preview_text(plan, RTI_PREVIEW_SHORT, 0, 0, &text, NULL) == RT_OK)
        fputs(rti_text_string(&text), stderr);
    rti_text_deinit(&text);
}

/* Everything that is known before anything is trained. */
static int dry_run(const rti_plan *plan, const arguments *a) {
    rti_text text = RTI_TEXT_EMPTY;
    rt_error error = {0};
    for (int i = 0; i < plan->dataset_count; i++)
        rti_text_printf(&text, "%s\n", rt_dataset_summary(plan->datasets[i]));
    char groups[128];
    if (say_groups(plan, a, groups, sizeof groups)) rti_text_append(&text, groups);
    rt_status status =
        rti_preview_text(plan, RTI_PREVIEW_MEASURED, a->run.shard, a->run.shards, &text, &error);
    if (status == RT_OK) status = rti_status_text(plan, a->run.shard, a->run.shards, &text, &error);
    if (status == RT_OK) fputs(rti_text_string(&text), stdout);
    rti_text_deinit(&text);
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

/* ---- after ---- */

static int report(const rti_plan *plan, const arguments *a) {
    rti_text said = RTI_TEXT_EMPTY;
    rt_error error = {0};
    rti_report_options options = {.plots = !a->no_plots, .program = rti_program_name};
    const int workers = workers_of(a), processors = rt_threads_available();
    rt_threads_set(workers < processors ? workers : processors); /* they have ended, others start later */
    rt_status status = rti_report_write(plan, &options, &said, &error);
    rt_threads_set(1);
    fputs(rti_text_string(&said), stdout);
    rti_text_deinit(&said);
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

/* "kd: T 4 of 3 points" for what the last plan did not know. */
static void say_choices(const rti_plan *plan, const bool known[RTI_ROWS_MAX]) {
    for (int r = 0; r < plan->row_count; r++) {
        const rti_row *row = &plan->rows[r];
        char label[256];
        if (known[r]) continue;
        if (row->chosen >= 0)
            fprintf(stderr, "%s: %s, the best of %d points on validation\n", row->spec->label,
                    rti_point_label(plan, r, row->chosen, label, sizeof label), row->point_count);
        else if (row->reason[0]) fprintf(stderr, "%s: %s\n", row->spec->label, row->reason);
    }
}

/* Trains what is known; what tuning decided is then known, too. */
static rt_status run_phases(rti_plan *plan, arguments *a, rti_run_outcome *outcome, rt_error *error) {
    for (;;) {
        bool known[RTI_ROWS_MAX] = {false};
        int undecided = plan->undecided;
        RT_TRY(rti_training_run(plan, &a->run, outcome, error));
        if (outcome->stopped || !undecided || (a->run.fail_fast && outcome->view.failed)) return RT_OK;
        a->run.retry_failed = false; /* once is what was asked for */
        for (int r = 0; r < plan->row_count; r++)
            known[r] = !plan->rows[r].tuned || plan->rows[r].chosen >= 0 || plan->rows[r].reason[0];
        RT_TRY(rti_plan_remake(plan, a->opening.runs ? a->opening.runs : "runs", NULL, error));
        say_choices(plan, known);
        if (plan->undecided == undecided) return RT_OK;
    }
}

static int train(rti_plan *plan, arguments *a) {
    rti_run_outcome outcome;
    rt_error error = {0};
    if (rti_spec_copy(plan, &error) != RT_OK) return rti_complain(&error); /* `retort report runs/NAME` */
    rt_status status = run_phases(plan, a, &outcome, &error);
    if (status != RT_OK) return rti_training_broken(&outcome, &error);
    if (outcome.stopped) return rti_training_stopped(&outcome);
    int said = report(plan, a);
    if (rti_training_failures(&outcome)) return RTI_EXIT_FAILED;
    return said;
}

static int run_spec(arguments *a) {
    static rti_plan plan;
    rt_error error = {0};
    if (rti_opening_plan(&a->opening, &plan, &error) != RT_OK) return rti_complain(&error);
    int said;
    if (a->dry_run) {
        said = dry_run(&plan, a);
    } else {
        say_plan(&plan, a);
        said = train(&plan, a);
    }
    rti_plan_deinit(&plan);
    return said;
}

/* Trains the trials of these plans, that lie in one directory, in one queue. */
static int train_queue(arguments *a, rti_plan *const plans[], int count) {
    static rti_plan joint;
    rti_run_outcome outcome = {0};
    rt_error error = {0};
    if (rti_plan_join(&joint, plans, count, &error) != RT_OK) return rti_complain(&error);
    char name[64];
    snprintf(name, sizeof name, "%d specs in one queue", count);
    int said = RTI_EXIT_DONE;
    if (!say_trials(&joint, a, name, 0)) {
        rt_status status = rti_training_run(&joint, &a->run, &outcome, &error);
        if (status != RT_OK) said = rti_training_broken(&outcome, &error);
        else if (outcome.stopped) said = rti_training_stopped(&outcome);
        else if (rti_training_failures(&outcome)) said = RTI_EXIT_FAILED;
    }
    rti_plan_part(&joint);
    return said;
}

/* Specs that share their trials keep all workers busy together: what one waits for does not stop the others,
 * and only the end of the last leaves a worker idle. A plan that cannot be made yet, or that goes on by what
 * it finds, has its turn later by itself. */
static int train_together(arguments *all, bool trained[SPECS_MAX]) {
    rti_plan *plans[SPECS_MAX] = {NULL}, *together[SPECS_MAX];
    const int count = all->spec_count;
    int where[SPECS_MAX], said = RTI_EXIT_DONE;
    for (int i = 0; i < count; i++) {
        rti_opening opening = all->opening;
        opening.spec = all->specs[i];
        rti_plan *plan = rt_alloc_zero(1, sizeof *plan);
        if (!plan || rti_opening_plan(&opening, plan, NULL) != RT_OK) {
            rt_free(plan);
            continue;
        }
        plans[i] = plan;
    }
    for (int first = 0; first < count && said != RTI_EXIT_STOPPED; first++) {
        int members = 0;
        for (int p = first; p < count && plans[first] && !trained[first]; p++) {
            if (!plans[p] || plans[p]->undecided ||
                strcmp(plans[p]->trials_directory, plans[first]->trials_directory) != 0)
                continue;
            where[members] = p;
            together[members++] = plans[p];
        }
        if (members < 2) continue;
        for (int m = 0; m < members; m++) trained[where[m]] = true;
        const int queue = train_queue(all, together, members);
        if (queue != RTI_EXIT_DONE) said = queue;
        if (queue != RTI_EXIT_DONE && all->run.fail_fast) break;
    }
    for (int p = 0; p < count; p++) {
        if (plans[p]) rti_plan_deinit(plans[p]);
        rt_free(plans[p]);
    }
    return said;
}

/* Reported in the order in which they were named. A mistake in the last is found before the first is trained;
 * one that fails does not keep the others from being run, unless it was asked for. */
static int run_specs(arguments *all) {
    static rti_spec spec;
    rt_error error = {0};
    const rti_opening *o = &all->opening;
    for (int i = 0; i < all->spec_count && all->spec_count > 1; i++) {
        if (rti_spec_read(&spec, all->specs[i], o->overrides, o->override_count, &error) != RT_OK)
            return rti_complain(&error);
        rti_spec_deinit(&spec);
    }
    int worst = RTI_EXIT_DONE;
    bool trained[SPECS_MAX] = {false};
    if (all->spec_count > 1 && !all->dry_run && all->run.shards < 2) {
        worst = train_together(all, trained);
        if (worst == RTI_EXIT_STOPPED || (worst != RTI_EXIT_DONE && all->run.fail_fast)) return worst;
    }
    for (int i = 0; i < all->spec_count; i++) {
        arguments a = *all;
        a.opening.spec = all->specs[i];
        if (trained[i]) a.run.retry_failed = false; /* once is what was asked for */
        if (all->spec_count > 1)
            fprintf(stderr, "\nspec %d of %d: %s\n", i + 1, all->spec_count, all->specs[i]);
        int said = run_spec(&a);
        fflush(stdout);
        if (said != RTI_EXIT_DONE) worst = said;
        if (said == RTI_EXIT_STOPPED || (said != RTI_EXIT_DONE && all->run.fail_fast)) break;
    }
    return worst;
}

static int run(int argc, char **argv) {
    arguments a = {.run.checkpoint_s = 5};
    for (int i = 1; i < argc; i++) {
        const char *problem, *word = argv[i];
        if (take_option(&a, argc, argv, &i, &problem) ||
            rti_opening_take(&a.opening, argc, argv, &i, &problem)) {
            if (problem) return rti_usage(&rti_command_run, "%s %s", problem, word);
        } else return rti_usage(&rti_command_run, "unknown option %s", word);
    }
    if (!a.spec_count)
        return rti_usage(&rti_command_run, "which spec? For example: retort run experiments/demo.toml");
    return run_specs(&a);
}

const rti_command rti_command_run = {
    .name = "run",
    .line = "train everything a spec asks for, and report",
    .usage =
        "usage: retort run SPEC ... [options]\n"
        "\n"
        "Trains teachers and students, several at once, and writes a report. Several specs that share\n"
        "their trials are trained in one queue, others one after the other; each has its own report.\n"
        "What is finished is not done again; what was interrupted goes on where it was, with the same\n"
        "bits. Several runs of one spec, on several machines that share the directory, divide the work\n"
        "among them.\n"
        "\n"
        RTI_OPENING_USAGE
        RTI_TRAINING_USAGE
        "  --shard I/N       only part I of N of the students, and their teachers; auto: the task of a\n"
        "                    Slurm array\n"
        "  --dry-run         networks, taps, adapters, memory, an estimate of the time, and the trials with\n"
        "                    their states and why; trains nothing\n"
        "  --strict          a row of a comparison that is undefined for its pair is an error, not left out\n"
        "  --no-plots        writes the tables, draws no pictures\n"
        "\n"
        "Ctrl-C or SIGTERM saves everything and exits with 75; a second one stops at once. Exit status 1\n"
        "says that a trial failed.\n"
        "\n"
        "example: retort run experiments/demo.toml --set student.epochs=5\n",
    .run = run,
};
RTI_REGISTER(command, run)
