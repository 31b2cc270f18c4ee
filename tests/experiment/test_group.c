/* Trials trained in groups. What they are compared with: the bytes of the same trials trained alone. And how
 * groups are formed, against what any division must satisfy. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "core/file.h"
#include "experiment/lock.h"
#include "experiment/scheduler.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan, other;
static rt_error error;
static char runs_a[1024], runs_b[1024], spec_path[1024];
static test_run result;

/* ---- forming ---- */

enum { TRIALS_MOST = 512 };

typedef struct shape {
    int groups, largest, smallest, trials; /* of groups of students */
} shape;

/* Checks what holds of every division, and measures this one. */
static shape divide(const rti_plan *p, int workers) {
    static bool wanted[TRIALS_MOST];
    static int group_of[TRIALS_MOST], size[TRIALS_MOST];
    cr_assert_leq(p->trial_count, TRIALS_MOST);
    for (int t = 0; t < p->trial_count; t++) wanted[t] = p->trials[t].role != RTI_TEACHER || t > 0;
    rti_groups_form(p, wanted, workers, group_of);
    shape s = {.smallest = TRIALS_MOST};
    memset(size, 0, sizeof size);
    for (int t = 0; t < p->trial_count; t++) {
        cr_assert_eq(group_of[t] >= 0, wanted[t]);
        if (!wanted[t]) continue;
        cr_assert(group_of[t] <= t && group_of[group_of[t]] == group_of[t]);
        cr_assert(rti_go_together(p, group_of[t], t));
        cr_assert_eq(rti_trial_work(p, group_of[t]), rti_trial_work(p, t));
        size[group_of[t]]++;
    }
    for (int t = 0; t < p->trial_count; t++) {
        if (!size[t] || p->trials[t].role == RTI_TEACHER) continue;
        s.groups++, s.trials += size[t];
        if (size[t] > s.largest) s.largest = size[t];
        if (size[t] < s.smallest) s.smallest = size[t];
    }
    cr_assert_leq(s.largest, RTI_GROUP_MAX);
    return s;
}

/* Three seeds of 20 students each: at every number of workers all have work, and about the same. */
Test(group, division_keeps_every_worker_busy) {
    static const char *const sets[] = {"seeds=[1, 2, 3]", "sweep.distill.temperature=[1, 2, 3, 4, 5]",
                                       "sweep.distill.alpha=[0.1, 0.2, 0.3, 0.4]", "distill.scratch=false"};
    test_plan(&plan, TEST_SPEC, sets, 4, test_path("a"));
    for (int workers = 1; workers <= 60; workers++) {
        shape s = divide(&plan, workers);
        cr_assert_eq(s.trials, 60);
        cr_assert(s.groups % workers == 0 || s.largest == 1, "%d groups for %d workers", s.groups, workers);
        cr_assert_leq(s.largest, (60 + workers - 1) / workers);
        cr_assert_leq(s.largest - s.smallest, 4);
    }
    cr_expect_eq(divide(&plan, 1).largest, 10);
    cr_expect_eq(divide(&plan, 2).groups, 6);
    cr_expect_eq(divide(&plan, 4).groups, 8);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(group, eight_students_and_two_workers_make_two_groups_of_four) {
    static const char *const sets[] = {"seeds=[1]", "sweep.distill.temperature=[1, 2, 3, 4]",
                                       "sweep.distill.alpha=[0.5, 0.9]", "distill.scratch=false"};
    test_plan(&plan, TEST_SPEC, sets, 4, test_path("a"));
    shape s = divide(&plan, 2);
    cr_expect(s.groups == 2 && s.largest == 4 && s.smallest == 4);
    cr_expect_eq(divide(&plan, 1).groups, 1);
    cr_expect_eq(divide(&plan, 100).largest, 1);
    rti_plan_deinit(&plan);
}

/* Other batches, another architecture, another order of the examples: another group. */
Test(group, only_what_shares_its_batches_goes_together) {
    static const char *const sets[] = {"sweep.student.jitter=[0, 1]", "sweep.student.hidden=[[8], [9]]"};
    test_plan(&plan, TEST_SPEC, sets, 2, test_path("a"));
    /* (3 students, of which one is scratch) x 2 seeds x 2 jitters x 2 networks */
    shape s = divide(&plan, 1);
    cr_expect(s.groups == 8 && s.largest == 3 && s.smallest == 3, "%d groups, %d to %d", s.groups, s.smallest,
              s.largest);
    rti_plan_deinit(&plan);
}

/* A large student alone gains nothing, unless it is beside a teacher that must be asked in every step. */
Test(group, groups_are_for_small_students_and_live_teachers) {
    static const char *const large[] = {"student.hidden=[500]"};
    static const char *const live[] = {"student.hidden=[500]", "student.jitter=1",
                                       "teacher.hidden=[1200, 1200]"};
    test_plan(&plan, TEST_SPEC, NULL, 0, test_path("a"));
    test_plan(&other, TEST_SPEC, large, 1, test_path("a"));
    cr_expect(rti_group_pays(&plan, plan.trial_count - 1) && !rti_group_pays(&plan, 0));
    cr_expect_not(rti_group_pays(&other, other.trial_count - 1));
    cr_expect_eq(divide(&other, 1).largest, 1);
    rti_plan_deinit(&other);
    test_plan(&other, TEST_SPEC, live, 3, test_path("a"));
    cr_expect(rti_group_pays(&other, other.trial_count - 1));
    rti_plan_deinit(&other);
    rti_plan_deinit(&plan);
}

/* ---- training, in this process ---- */

typedef struct countdown {
    int64_t steps, seen;
    int ended[TRIALS_MOST];
} countdown;

static bool until(void *context) {
    countdown *c = context;
    return ++c->seen < c->steps;
}

static void note_end(void *context, int trial, rti_trial_end end, const rt_error *why) {
    countdown *c = context;
    cr_assert_eq(end != RTI_END_DONE, why->status != RT_OK);
    c->ended[trial]++;
}

static void make(const char *text, const char *const sets[], int count) {
    snprintf(runs_a, sizeof runs_a, "%s", test_path("a"));
    snprintf(runs_b, sizeof runs_b, "%s", test_path("b"));
    test_plan(&plan, text, sets, count, runs_a);
    test_plan(&other, text, sets, count, runs_b);
}

static void unmake(void) {
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static void run_alone(const rti_plan *p, int trial) {
    cr_assert_eq(rti_trial_run(p, trial, NULL, &error), RTI_END_DONE, "%s", error.message);
}

/* The students of the plan's first seed. */
static int students(const rti_plan *p, int trials[RTI_GROUP_MAX]) {
    int count = 0;
    for (int t = 0; t < p->trial_count; t++)
        if (p->trials[t].role != RTI_TEACHER && p->trials[t].seed == 1) trials[count++] = t;
    return count;
}

static void trained_together(const char *text, const char *const sets[], int count) {
    int trials[RTI_GROUP_MAX];
    rti_trial_end ends[RTI_GROUP_MAX];
    make(text, sets, count);
    run_alone(&plan, 0), run_alone(&other, 0);
    int n = students(&plan, trials);
    cr_assert_geq(n, 3);
    for (int i = 0; i < n; i++) run_alone(&plan, trials[i]);
    countdown c = {.steps = INT64_MAX};
    rti_trial_hooks hooks = {.go_on = until, .ended = note_end, .context = &c};
    rti_trials_run(&other, trials, n, &hooks, ends, &error);
    for (int i = 0; i < n; i++) {
        cr_assert_eq(ends[i], RTI_END_DONE, "%s", error.message);
        cr_assert_eq(c.ended[trials[i]], 1);
        test_compare_trial(&plan, trials[i], runs_a, runs_b);
    }
    unmake();
}

Test(group, soft_targets_and_labels) {
    static const char *const sets[] = {"student.epochs=3", "sweep.distill.alpha=[0, 0.5, 1]"};
    trained_together(TEST_SPEC, sets, 2);
}

Test(group, with_jitter_and_dropout) {
    trained_together(TEST_SPEC,
                     (const char *const[]){"student.epochs=3", "student.dropout.hidden=0.2",
                                           "student.dropout.input=0.1", "student.jitter=1",
                                           "sweep.student.optimizer.momentum=[0, 0.9]"},
                     5);
}

Test(group, of_different_methods) {
    trained_together(TEST_SPEC_HEAD "[sweep]\n\"distill.kd.temperature\" = [1, 4]\n",
                     (const char *const[]){"student.epochs=3", "distill.method=\"kd+sp\""}, 2);
    static const char *const sets[] = {"student.epochs=3", "distill.method=\"rkd\"", "student.jitter=1"};
    trained_together(TEST_SPEC_HEAD "[sweep]\n\"distill.weight\" = [1, 10]\n", sets, 3);
}

/* Changed answers are each student's own; a teacher with its dropout left on is asked by all alike. */
Test(group, of_controls) {
    static const char *const sets[] = {
        "student.epochs=2", "sweep.distill.targets=[\"teacher\", \"shuffled\", \"class-mean\"]"};
    trained_together(TEST_SPEC, sets, 2);
    static const char *const noisy[] = {"student.epochs=2", "teacher.dropout.hidden=0.5",
                                        "distill.targets=dropout", "sweep.distill.alpha=[0.5, 0.9]",
                                        "distill.scratch=false"};
    trained_together(TEST_SPEC, noisy, 5);
}

/* Of a group: how many, equal shares of the time, and a latency that was measured once. */
Test(group, cost_says_what_was_shared) {
    int trials[RTI_GROUP_MAX];
    rti_trial_end ends[RTI_GROUP_MAX];
    rti_record records[3];
    make(TEST_SPEC, NULL, 0);
    run_alone(&plan, 0);
    cr_assert_eq(students(&plan, trials), 3);
    rti_trials_run(&plan, trials, 3, NULL, ends, &error);
    for (int i = 0; i < 3; i++) {
        char path[1300];
        size_t length;
        snprintf(path, sizeof path, "%s/tiny/%.16s/cost.json", runs_a, plan.trials[trials[i]].id);
        char *cost = test_file(path, &length);
        cr_assert(cost && strstr(cost, "\"together\":3"), "%s", path);
        free(cost);
        cr_assert_eq(rti_record_read(&plan, trials[i], &records[i], &error), RT_OK);
        cr_assert(records[i].seconds > 0 && records[i].latency_us == records[0].latency_us);
    }
    for (int i = 0; i < 3; i++) rti_record_deinit(&records[i]);
    unmake();
}

/* Stopped after any step, saved, and put together in another way each time. */
Test(group, stopped_anywhere_it_ends_with_the_same_bits) {
    static const char *const sets[] = {"student.epochs=3", "student.optimizer.momentum=0.9",
                                       "student.dropout.hidden=0.2", "student.jitter=1"};
    int trials[RTI_GROUP_MAX], stopped = 0;
    make(TEST_SPEC, sets, 4);
    int n = students(&plan, trials);
    run_alone(&plan, 0), run_alone(&other, 0);
    for (int i = 0; i < n; i++) run_alone(&plan, trials[i]);
    for (int length = 1; length <= 24; length += length < 8 ? 1 : 3) {
        for (int session = 0, left = n; left > 0 && session < 50; session++) {
            int some[RTI_GROUP_MAX], count = 0;
            rti_trial_end ends[RTI_GROUP_MAX];
            for (int i = 0; i < n; i++) { /* of the unfinished ones two, and all every third time */
                int t = trials[(i + session) % n];
                if (rti_trial_state(&other, t) != RTI_DONE && (count < 2 || session % 3 == 2))
                    some[count++] = t;
            }
            countdown c = {.steps = (length + 6 * session) * count};
            rti_trial_hooks hooks = {.go_on = until, .context = &c, .checkpoint_s = length % 2 ? 0 : 100};
            rti_trials_run(&other, some, count, &hooks, ends, &error);
            for (int i = 0; i < count; i++) {
                cr_assert(ends[i] == RTI_END_STOPPED || ends[i] == RTI_END_DONE, "%s", error.message);
                left -= ends[i] == RTI_END_DONE, stopped += ends[i] == RTI_END_STOPPED;
            }
        }
        for (int i = 0; i < n; i++) {
            char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 16];
            test_compare_trial(&plan, trials[i], runs_a, runs_b);
            rti_trial_directory(&other, trials[i], directory, sizeof directory);
            snprintf(path, sizeof path, "%s/result.json", directory);
            remove(path);
        }
    }
    cr_assert_gt(stopped, 20);
    unmake();
}

/* The weight decay takes half of the group down; the other half does not notice. */
Test(group, one_that_fails_leaves_the_others_their_bits) {
    static const char *const sets[] = {"student.epochs=60", "sweep.student.optimizer.weight_decay=[0, 1000]"};
    int trials[RTI_GROUP_MAX], failed = 0;
    rti_trial_end ends[RTI_GROUP_MAX];
    make(TEST_SPEC, sets, 2);
    run_alone(&plan, 0), run_alone(&other, 0);
    int n = students(&plan, trials);
    countdown c = {.steps = INT64_MAX};
    rti_trial_hooks hooks = {.go_on = until, .ended = note_end, .context = &c};
    rti_trials_run(&other, trials, n, &hooks, ends, &error);
    for (int i = 0; i < n; i++) {
        rti_trial_end alone = rti_trial_run(&plan, trials[i], NULL, &error);
        cr_assert_eq(ends[i], alone);
        cr_assert_eq(c.ended[trials[i]], 1);
        if (alone == RTI_END_DONE) {
            test_compare_trial(&plan, trials[i], runs_a, runs_b);
            continue;
        }
        failed++;
        char *why[2], path[1300];
        for (int side = 0; side < 2; side++) {
            size_t length;
            snprintf(path, sizeof path, "%s/tiny/%.16s/failed.json", side ? runs_b : runs_a,
                     plan.trials[trials[i]].id);
            why[side] = test_file(path, &length);
            cr_assert(why[side] && strstr(why[side], "step"), "%s", path);
        }
        cr_assert_str_eq(why[0], why[1]);
        free(why[0]), free(why[1]);
    }
    cr_assert(failed > 0 && failed < n, "%d of %d failed", failed, n);
    unmake();
}

/* ---- whole runs of the program ---- */

/* Long enough to be hit in the middle; 3 + 2 x 4 students of each seed. */
static const char *const longer[] = {"student.epochs=12", "teacher.epochs=6", "data.digits.train=400",
                                     "sweep.distill.temperature=[1, 2, 3, 4]", "student.jitter=1"};

static void prepare(void) {
    snprintf(spec_path, sizeof spec_path, "%s", test_path("tiny.toml"));
    test_write(spec_path, TEST_SPEC);
    snprintf(runs_a, sizeof runs_a, "%s", test_path("a"));
    snprintf(runs_b, sizeof runs_b, "%s", test_path("b"));
    test_plan(&plan, TEST_SPEC, longer, 5, runs_a);
}

typedef struct line {
    const char *words[32];
    int count;
} line;

static line command(const char *runs, const char *more, const char *and) {
    line l = {.words = {"run", spec_path, "--runs", runs, "--no-plots"}, .count = 5};
    for (int i = 0; i < 5; i++) {
        l.words[l.count++] = "--set";
        l.words[l.count++] = longer[i];
    }
    if (more) l.words[l.count++] = more;
    if (and) l.words[l.count++] = and;
    return l;
}

static void run_to_the_end(const char *runs, const char *more, const char *and) {
    line l = command(runs, more, and);
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
}

static void forget(const char *runs) {
    char shell[1200];
    snprintf(shell, sizeof shell, "rm -rf '%s'", runs);
    cr_assert_eq(system(shell), 0);
}

Test(group, runs_are_the_same_bits_alone_and_with_any_number_of_workers) {
    prepare();
    run_to_the_end(runs_a, "--alone", "--workers=2");
    cr_assert_not(strstr(result.err, "group"), "%s", result.err);
    static const char *const workers[] = {"--workers=1", "--workers=2", "--workers=3"};
    static const char *const said[] = {"10 trials in 2 groups", "10 trials in 2 groups",
                                       "8 trials in 4 groups"};
    for (int i = 0; i < 3; i++) {
        run_to_the_end(runs_b, workers[i], NULL);
        cr_assert(strstr(result.err, said[i]), "%s", result.err);
        test_compare_all(&plan, runs_a, runs_b);
        forget(runs_b);
    }
    line l = command(runs_b, "--dry-run", "--workers=2");
    test_program(&result, l.words);
    cr_assert(strstr(result.out, "10 trials in 2 groups"), "%s", result.out);
    rti_plan_deinit(&plan);
}

static void path_of(int trial, const char *name, char path[1300]) {
    snprintf(path, 1300, "%s/tiny/%.16s/%s", runs_b, plan.trials[trial].id, name);
}

static int count_files(const char *name) {
    int count = 0;
    char path[1300];
    for (int t = 1; t < plan.trial_count; t++) {
        path_of(t, name, path);
        count += access(path, F_OK) == 0;
    }
    return count;
}

/* Until `name` is there for so many students. */
static void wait_for(const char *name, int count) {
    for (int i = 0; i < 6000 && count_files(name) < count; i++) usleep(5000);
    cr_assert_geq(count_files(name), count, "%s", name);
}

Test(group, terminated_in_the_middle_it_goes_on) {
    prepare();
    run_to_the_end(runs_a, "--alone", NULL);
    for (int round = 0; round < 3; round++) {
        line l = command(runs_b, "--workers=1", round ? "--checkpoint=0" : NULL);
        pid_t pid = test_program_start(l.words);
        wait_for("progress.csv", 5);
        kill(pid, SIGTERM);
        int status = test_program_wait(pid);
        cr_assert(status == 75 || status == 0, "%d", status);
        if (status == 75) {
            cr_assert_geq(count_files("checkpoint.bin") + count_files("result.json"), 5);
            cr_assert_eq(count_files("lock"), 0);
        }
        run_to_the_end(runs_b, round == 1 ? "--alone" : "--workers=2", NULL);
        test_compare_all(&plan, runs_a, runs_b);
        forget(runs_b);
    }
    rti_plan_deinit(&plan);
}

/* Somebody else, this test, has the claim on one of a group: the others do not wait for it. */
Test(group, one_that_is_claimed_by_others_is_left_out) {
    prepare();
    run_to_the_end(runs_a, "--alone", NULL);
    char directory[1300];
    int held = plan.trial_count - 1;
    path_of(held, "", directory);
    rti_lock lock;
    cr_assert_eq(rti_directory_make(directory, &error), RT_OK);
    cr_assert_eq(rti_lock_take(&lock, directory, &error), RT_OK, "%s", error.message);
    line l = command(runs_b, "--workers=1", NULL);
    pid_t pid = test_program_start(l.words);
    wait_for("result.json", plan.trial_count - 2);
    path_of(held, "result.json", directory);
    cr_assert_neq(access(directory, F_OK), 0);
    rti_lock_release(&lock);
    cr_assert_eq(test_program_wait(pid), 0);
    test_compare_all(&plan, runs_a, runs_b);
    rti_plan_deinit(&plan);
}

/* The process of a group dies: nobody is blamed, each goes on alone, and all end with the same bits. */
Test(group, that_dies_costs_no_trial) {
    prepare();
    run_to_the_end(runs_a, "--alone", NULL);
    char path[1300], log[1024], shell[4096];
    snprintf(log, sizeof log, "%s", test_path("log"));
    line l = command(runs_b, "--workers=1", "--checkpoint=0");
    int used = snprintf(shell, sizeof shell, "exec '%s'", test_program_path());
    for (int i = 0; i < l.count; i++)
        used += snprintf(shell + used, sizeof shell - (size_t)used, " '%s'", l.words[i]);
    snprintf(shell + used, sizeof shell - (size_t)used, " 2>'%s' >/dev/null", log);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", shell, (char *)NULL);
        _exit(127);
    }
    wait_for("checkpoint.bin", 5);
    rti_lock_owner owner = {.held = false};
    for (int t = 1; t < plan.trial_count && !owner.held; t++) {
        path_of(t, "", path);
        rti_lock_look(path, &owner);
    }
    cr_assert(owner.held && owner.pid > 0 && owner.pid != pid);
    kill((pid_t)owner.pid, SIGKILL);
    cr_assert_eq(test_program_wait(pid), 0);
    size_t length;
    char *said = test_file(log, &length);
    cr_assert(said && strstr(said, "the process of its group was ended by signal 9") &&
                  strstr(said, "it goes on alone"),
              "%s", said);
    free(said);
    cr_assert_eq(count_files("failed.json"), 0);
    test_compare_all(&plan, runs_a, runs_b);
    rti_plan_deinit(&plan);
}
