/* Tuning: what is tried, what is chosen and when. Choices are compared with those that made-up records on
 * disk ask for; the plan of the second phase with the plan of a spec in which the choice was written down;
 * runs that are killed, doubled and split, between and within the phases, with the bytes of one that nobody
 * disturbed. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "core/clock.h"
#include "core/file.h"
#include "experiment/scheduler.h"
#include "retort/alloc.h"
#include "retort/rng.h"
#include "specs.h"

static rti_plan plan, other;
static rt_error error;
static char spec_path[1024], runs_a[1024], runs_b[1024];
static test_run result;

/* ---- made-up records ---- */

static void write_record(int trial, const char *file, const char *text) {
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
    rti_trial_directory(&plan, trial, directory, sizeof directory);
    cr_assert_eq(rti_directory_make(directory, &error), RT_OK);
    cr_assert_eq(rti_path_join(path, sizeof path, directory, file, &error), RT_OK);
    test_write(path, text);
}

static void pretend_done(int trial, double accuracy) {
    char text[1024], quality[160];
    snprintf(quality, sizeof quality, "{\"examples\": 40, \"errors\": 1, \"accuracy\": %.3f, \"nll\": 1}",
             accuracy);
    snprintf(text, sizeof text,
             "{\"id\": \"%s\", \"epochs\": 1, \"best_epoch\": 1, \"validation_last\": %s, "
             "\"validation_best\": %s, \"test_last\": null, \"test_best\": null, "
             "\"cost\": {\"parameters\": 1, \"multiply_adds\": 1, \"bytes\": 4}}",
             plan.trials[trial].id, quality, quality);
    write_record(trial, "metrics.csv", "epoch,loss\n1,0.5\n");
    write_record(trial, "result.json", text);
}

static void pretend_failed(int trial) {
    write_record(trial, "failed.json", "{\"status\": \"NOT_FINITE\", \"message\": \"the loss is nan\"}");
}

static void make(rti_plan *p, const char *text, const char *const sets[], int count, const char *runs) {
    char path[1024];
    snprintf(path, sizeof path, "%s", test_path(runs));
    test_plan(p, text, sets, count, path);
}

static void remake(void) {
    char path[1024];
    snprintf(path, sizeof path, "%s", test_path("a"));
    cr_assert_eq(rti_plan_remake(&plan, path, NULL, &error), RT_OK, "%s", error.message);
}

static int count_tuning(const rti_plan *p) {
    int count = 0;
    for (int t = 0; t < p->trial_count; t++) count += p->trials[t].tuning;
    return count;
}

Test(tuning, tries_every_point_and_nothing_else_of_a_row_that_has_a_grid) {
    const char *sets[] = {"compare.tune.seeds=[101, 102]"};
    make(&plan, TEST_COMPARE, sets, 1, "a");
    cr_assert_eq(plan.row_count, 4);
    cr_assert_eq(plan.undecided, 2);
    cr_assert_eq(count_tuning(&plan), 2 * 2 + 2 * 2);
    /* Scratch and the two rows without a grid. */
    cr_assert_eq(plan.cell_count, 3);
    cr_assert_eq(plan.cells[0].row, -1);
    cr_assert_eq(plan.cells[1].row, 2);
    cr_assert_eq(plan.cells[2].row, 3);
    /* Teacher, an assistant for each point, tuning, two scratch, two seeds of two rows. */
    cr_assert_eq(plan.trial_count, 1 + 2 + 8 + 2 + 4);
    for (int r = 0; r < 2; r++)
        for (int p = 0; p < 2; p++)
            for (int s = 0; s < 2; s++) {
                const rti_trial *t = &plan.trials[plan.rows[r].points[p].tuning[s]];
                cr_assert(t->tuning && !t->inner);
                cr_assert_eq(t->seed, (uint64_t)(101 + s));
                cr_assert_eq(rt_params_int(rti_trial_network(t), "epochs"), 1);
                const rti_trial *teacher = &plan.trials[t->teachers[0]];
                cr_assert_eq(teacher->inner, r == 1); /* the assistant, trained in full */
                cr_assert_eq(rt_params_int(rti_trial_network(teacher), "epochs"), 2);
            }
    for (int c = 1; c < plan.cell_count; c++) /* one scratch for all */
        for (int s = 0; s < 2; s++) cr_assert_eq(plan.cells[c].scratch[s], plan.cells[0].scratch[s]);
    for (int a = 0; a < plan.trial_count; a++)
        for (int b = 0; b < a; b++) {
            char x[256], y[256];
            rti_trial_label(&plan, a, x, sizeof x);
            rti_trial_label(&plan, b, y, sizeof y);
            cr_assert_str_neq(x, y);
        }
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(tuning, takes_the_best_mean_on_validation_and_of_equals_the_first) {
    const char *sets[] = {"compare.tune.seeds=[101, 102]", "compare.kd.temperature=[1, 4, 8]"};
    static const struct { double accuracy[3][2]; int chosen; } cases[] = {
        {{{0.5, 0.6}, {0.7, 0.5}, {0.6, 0.5}}, 1},
        {{{0.5, 0.5}, {0.25, 0.75}, {0.75, 0.25}}, 0},   /* equal means */
        {{{0.5, 0.5}, {-1, 0.99}, {0.6, 0.6}}, 2},       /* a point with a failure is none */
        {{{-1, -1}, {-1, -1}, {0.1, 0.1}}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make(&plan, TEST_COMPARE, sets, 2, "a");
        for (int p = 0; p < 3; p++)
            for (int s = 0; s < 2; s++) {
                cr_assert_eq(plan.rows[0].chosen, -1);
                int trial = plan.rows[0].points[p].tuning[s];
                if (cases[i].accuracy[p][s] < 0) pretend_failed(trial);
                else pretend_done(trial, cases[i].accuracy[p][s]);
                remake();
            }
        cr_assert_eq(plan.rows[0].chosen, cases[i].chosen, "case %zu: %d", i, plan.rows[0].chosen);
        cr_assert_eq(rti_row_chosen(&plan, 0, NULL), cases[i].chosen);
        cr_assert_eq(plan.undecided, 1);
        const rti_point *point = &plan.rows[0].points[cases[i].chosen];
        const rti_cell *cell = &plan.cells[point->cell];
        cr_assert_eq(cell->row, 0);
        cr_assert_eq(cell->value[0], cases[i].chosen);
        cr_assert_not(plan.trials[cell->trials[0]].tuning);
        cr_assert_eq(rt_params_int(rti_trial_network(&plan.trials[cell->trials[0]]), "epochs"), 2);
        cr_assert_float_eq(point->validation, (cases[i].accuracy[cases[i].chosen][0] +
                                               cases[i].accuracy[cases[i].chosen][1]) / 2, 1e-12);
        char shell[1200];
        snprintf(shell, sizeof shell, "rm -rf '%s'", test_path("a"));
        cr_assert_eq(system(shell), 0);
        rti_plan_deinit(&plan);
    }
}

Test(tuning, a_row_of_which_no_point_can_be_trained_says_so) {
    make(&plan, TEST_COMPARE, NULL, 0, "a");
    for (int p = 0; p < 2; p++) pretend_failed(plan.rows[0].points[p].tuning[0]);
    remake();
    cr_assert_eq(plan.rows[0].chosen, -1);
    cr_assert_eq(plan.undecided, 1);
    cr_assert(strstr(plan.rows[0].reason, "none of 2 points") && strstr(plan.rows[0].reason, "is nan"), "%s",
              plan.rows[0].reason);
    rti_plan_deinit(&plan);
}

/* What is trained in the end is what somebody would get who had known the answer. */
Test(tuning, identities_are_those_of_the_choice_written_down) {
    const char *written[] = {"compare.kd.temperature=4", "compare.chain.temperature=2"};
    make(&plan, TEST_COMPARE, NULL, 0, "a");
    make(&other, TEST_COMPARE, written, 2, "a");
    for (int r = 0; r < 2; r++)
        for (int p = 0; p < 2; p++) pretend_done(plan.rows[r].points[p].tuning[0], p != r ? 0.75 : 0.5);
    remake();
    cr_assert_eq(plan.undecided, 0);
    cr_assert_eq(other.undecided, 0);
    cr_assert_eq(count_tuning(&other), 0);
    cr_assert_eq(plan.cell_count, other.cell_count);
    for (int c = 0; c < plan.cell_count; c++)
        for (int s = 0; s < 2; s++)
            cr_assert_str_eq(plan.trials[plan.cells[c].trials[s]].id,
                             other.trials[other.cells[c].trials[s]].id);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
}

Test(tuning, without_it_all_points_run_and_one_is_chosen_afterwards) {
    make(&plan, TEST_COMPARE_HEAD TEST_COMPARE_ROWS, NULL, 0, "a");
    cr_assert_eq(count_tuning(&plan), 0);
    cr_assert_eq(plan.undecided, 0);
    cr_assert_eq(plan.cell_count, 1 + 2 + 2 + 1 + 1);
    rti_record *records = rt_alloc_zero((size_t)plan.trial_count, sizeof *records);
    cr_assert_eq(rti_row_chosen(&plan, 0, records), -1);
    for (int p = 0; p < 2; p++)
        for (int s = 0; s < 2; s++) {
            rti_record *record = &records[plan.cells[plan.rows[0].points[p].cell].trials[s]];
            record->state = RTI_DONE;
            record->validation_last = (rt_quality){.examples = 40, .accuracy = p ? 0.6 : 0.5 + 0.05 * s};
            cr_assert_eq(rti_row_chosen(&plan, 0, records), p && s ? 1 : !p && !s ? -1 : 0);
        }
    rt_free(records);
    rti_plan_deinit(&plan);
}

Test(tuning, needs_something_to_choose_on) {
    static rti_spec spec;
    const char *sets[] = {"data.validation=0"};
    cr_assert_eq(rti_spec_parse(&spec, TEST_COMPARE, strlen(TEST_COMPARE), "t", sets, 1, &error), RT_OK);
    cr_assert_eq(rti_plan_make(&plan, &spec, "runs", NULL, &error), RT_SPEC);
    cr_assert(strstr(error.message, "[compare.kd]") && strstr(error.message, "validation"), "%s",
              error.message);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(tuning, belongs_to_every_shard) {
    make(&plan, TEST_COMPARE, NULL, 0, "a");
    int owned[3] = {0};
    for (int t = 0; t < plan.trial_count; t++)
        for (int i = 0; i < 3; i++) {
            const rti_trial *trial = &plan.trials[t];
            bool mine = rti_in_shard(&plan, t, i + 1, 3);
            bool shared = trial->tuning || trial->inner || trial->role == RTI_TEACHER;
            cr_assert(!shared || mine, "trial %d in shard %d", t, i + 1);
            owned[i] += mine && !shared;
        }
    cr_assert_eq(owned[0] + owned[1] + owned[2], 2 + 4); /* scratch, and two rows of two seeds */
    rti_plan_deinit(&plan);
}

Test(tuning, no_allocation_may_fail_unseen) {
    static rti_spec spec;
    for (size_t n = 1; n < 5000; n += 1 + n / 60) {
        cr_assert_eq(rti_spec_parse(&spec, TEST_COMPARE, strlen(TEST_COMPARE), "t", NULL, 0, &error), RT_OK);
        rt_alloc_fail_after(n);
        rt_status status = rti_plan_make(&plan, &spec, "runs", NULL, &error);
        rt_alloc_fail_after(0);
        if (status == RT_OK) {
            rti_plan_deinit(&plan);
            return;
        }
        cr_assert_eq(status, RT_MEMORY, "allocation %zu: %s", n, error.message);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "allocation %zu", n);
    }
}

/* ---- whole runs ---- */

static void prepare(void) {
    snprintf(spec_path, sizeof spec_path, "%s", test_path("tiny.toml"));
    snprintf(runs_a, sizeof runs_a, "%s", test_path("a"));
    snprintf(runs_b, sizeof runs_b, "%s", test_path("b"));
    test_write(spec_path, TEST_COMPARE);
}

static void run_undisturbed(const char *runs) {
    const char *const words[] = {"run", spec_path, "--runs", runs, "--no-plots", NULL};
    test_program(&result, words);
    cr_assert_eq(result.status, 0, "%s", result.err);
}

/* The plan of phase two, from what lies in runs_a. */
static void plan_the_end(void) {
    test_plan(&plan, TEST_COMPARE, NULL, 0, runs_a);
    cr_assert_eq(plan.undecided, 0);
    cr_assert_eq(plan.trial_count, 1 + 2 + 4 + 2 + 8);
}

static void wait_for_orphans(void) {
    char path[1300];
    for (int t = 0, waits = 0; t < plan.trial_count && waits < 2000; t++) {
        snprintf(path, sizeof path, "%s/tiny/%.16s/lock", runs_b, plan.trials[t].id);
        if (access(path, F_OK) != 0) continue;
        usleep(10000);
        waits++;
        t = -1;
    }
}

Test(tuning, then_training_in_one_run_that_leaves_the_test_set_unseen) {
    prepare();
    run_undisturbed(runs_a);
    cr_assert(strstr(result.err, "kd: T ") && strstr(result.err, "the best of 2 points on validation"), "%s",
              result.err);
    plan_the_end();
    for (int t = 0; t < plan.trial_count; t++) {
        rti_record record;
        cr_assert_eq(rti_record_read(&plan, t, &record, &error), RT_OK);
        cr_assert_eq(record.state, RTI_DONE, "%s", record.failure);
        cr_assert_eq(record.test_last.examples, plan.trials[t].tuning ? 0 : 60);
        cr_assert_eq(record.validation_last.examples, 40);
        bool student = plan.trials[t].role != RTI_TEACHER && !plan.trials[t].tuning;
        cr_assert_eq(record.test_last.has_teacher, student); /* assistants' students, too */
        rti_record_deinit(&record);
    }
    const char *const status[] = {"status", spec_path, "--runs", runs_a, NULL};
    test_program(&result, status);
    cr_assert(strstr(result.out, "kd: tuned over 2 points: T ") && strstr(result.out, "17 done"), "%s",
              result.out);
    run_undisturbed(runs_a);
    cr_assert(strstr(result.err, "17 finished"), "%s", result.err);
    rti_plan_deinit(&plan);
}

Test(tuning, killed_at_random_moments_runs_end_with_the_same_bits) {
    prepare();
    double start = rti_clock_s();
    run_undisturbed(runs_a);
    double whole_s = rti_clock_s() - start;
    plan_the_end();
    rt_rng rng = rt_rng_stream(4, "kills", 0, 0);
    int status, killed = 0;
    do {
        const char *const words[] = {"run", spec_path, "--runs", runs_b, "--no-plots", "--workers",
                                     rt_rng_below(&rng, 2) ? "1" : "2", NULL};
        pid_t pid = test_program_start(words);
        usleep((useconds_t)(1e6 * (0.02 + 0.15 * rt_rng_uniform(&rng)) * whole_s));
        kill(rt_rng_below(&rng, 2) ? -pid : pid, killed < 12 ? SIGKILL : 0);
        status = test_program_wait(pid);
        killed += status != 0;
    } while (status != 0);
    wait_for_orphans();
    test_compare_all(&plan, runs_a, runs_b);
    cr_assert_gt(killed, 0);
    rti_plan_deinit(&plan);
}

Test(tuning, shared_by_several_runs_and_shards_nothing_is_trained_twice) {
    prepare();
    run_undisturbed(runs_a);
    plan_the_end();
    static const char *const shards[] = {"1/2", "2/2", "1/2"};
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        const char *const words[] = {"run", spec_path, "--runs", runs_b, "--no-plots", "--shard", shards[i],
                                     NULL};
        pids[i] = test_program_start(words);
    }
    for (int i = 0; i < 3; i++) cr_assert_eq(test_program_wait(pids[i]), 0);
    test_compare_all(&plan, runs_a, runs_b);
    /* A shard alone tunes everything, and then trains its part. */
    char shell[1200];
    snprintf(shell, sizeof shell, "rm -rf '%s'", runs_b);
    cr_assert_eq(system(shell), 0);
    const char *const words[] = {"run", spec_path, "--runs", runs_b, "--no-plots", "--shard", "2/2", NULL};
    test_program(&result, words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    rti_plan_deinit(&plan);
    test_plan(&plan, TEST_COMPARE, NULL, 0, runs_b);
    cr_assert_eq(plan.undecided, 0);
    rti_plan_deinit(&plan);
}
