/* Whole runs of the program, in processes that are killed, stopped, doubled, split and starved. What
 * they are compared with: the bytes of a run that nobody disturbed.
 *
 * RETORT_KILLS sets how often the killing tests kill (default 6); 100 takes about a minute. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "core/clock.h"
#include "core/file.h"
#include "retort/rng.h"
#include "specs.h"

static char spec_path[1024], runs_a[1024], runs_b[1024];
static rti_plan plan;
static test_run result;

/* A spec that takes the better part of a second: enough to be hit in the middle. */
static const char *const longer[] = {"student.epochs=12", "teacher.epochs=6", "data.digits.train=400",
                                     "student.hidden=[64]"};

static void prepare(const char *const overrides[], int count) {
    snprintf(spec_path, sizeof spec_path, "%s", test_path("tiny.toml"));
    snprintf(runs_a, sizeof runs_a, "%s", test_path("a"));
    snprintf(runs_b, sizeof runs_b, "%s", test_path("b"));
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, TEST_SPEC);
    test_write(spec_path, rti_text_string(&text));
    rti_text_deinit(&text);
    test_plan(&plan, TEST_SPEC, overrides, count, runs_a);
}

typedef struct line {
    const char *words[48];
    int count;
} line;

static line command(const char *runs, const char *const overrides[], int count) {
    line l = {.words = {"run", spec_path, "--runs", runs, "--no-plots"}, .count = 5};
    for (int i = 0; i < count; i++) {
        l.words[l.count++] = "--set";
        l.words[l.count++] = overrides[i];
    }
    return l;
}

static void add(line *l, const char *word) { l->words[l->count++] = word; }

static void run_undisturbed(const char *const overrides[], int count) {
    line l = command(runs_a, overrides, count);
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
}

static int kills_wanted(void) {
    const char *text = getenv("RETORT_KILLS");
    long wanted = text ? strtol(text, NULL, 10) : 0;
    return wanted > 0 && wanted < 100000 ? (int)wanted : 6;
}

static void forget(const char *runs) {
    char shell[1200];
    snprintf(shell, sizeof shell, "rm -rf '%s'", runs);
    cr_assert_eq(system(shell), 0);
}

/* A worker whose parent was killed may be at its last step; what it holds, it lets go. */
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

/* Kills with `signal_number`, the program alone or with all its workers, at random moments, until it
 * gets through; compares; and starts anew until enough were killed. */
static void kill_and_compare(int signal_number, bool group, uint64_t seed) {
    prepare(longer, 4);
    double start = rti_clock_s();
    run_undisturbed(longer, 4);
    double whole_s = rti_clock_s() - start;
    rt_rng rng = rt_rng_stream(seed, "kills", 0, 0);
    int wanted = kills_wanted(), killed = 0;
    while (killed < wanted) {
        int status;
        do {
            line l = command(runs_b, longer, 4);
            add(&l, "--workers");
            add(&l, rt_rng_below(&rng, 2) ? "1" : "2");
            add(&l, "--checkpoint");
            add(&l, rt_rng_below(&rng, 2) ? "0" : "0.05");
            pid_t pid = test_program_start(l.words);
            double wait_s = rt_rng_uniform(&rng) * whole_s;
            usleep((useconds_t)(1e6 * wait_s));
            kill(group ? -pid : pid, killed < wanted ? signal_number : 0);
            status = test_program_wait(pid);
            bool ended = status == 0;
            killed += !ended;
            if (!ended && signal_number == SIGTERM)
                cr_assert(status == 75 || status == 128 + SIGTERM, "%d", status);
            if (!ended && signal_number == SIGKILL) cr_assert_eq(status, 128 + SIGKILL);
        } while (status != 0);
        wait_for_orphans();
        test_compare_all(&plan, runs_a, runs_b);
        forget(runs_b);
    }
    rti_plan_deinit(&plan);
}

Test(runs, killed_at_random_moments_they_end_with_the_same_bits) { kill_and_compare(SIGKILL, true, 1); }

Test(runs, whose_parent_is_killed_alone_end_with_the_same_bits) { kill_and_compare(SIGKILL, false, 2); }

Test(runs, stopped_at_random_moments_they_end_with_the_same_bits) { kill_and_compare(SIGTERM, false, 3); }

Test(runs, interrupted_from_the_keyboard_save_and_say_how_to_go_on) {
    prepare(longer, 4);
    char log[1024], shell[4096];
    snprintf(log, sizeof log, "%s", test_path("log"));
    /* All processes of the group get it, as from a terminal. */
    line l = command(runs_b, longer, 4);
    int used = snprintf(shell, sizeof shell, "exec '%s'", test_program_path());
    for (int i = 0; i < l.count; i++)
        used += snprintf(shell + used, sizeof shell - (size_t)used, " '%s'", l.words[i]);
    snprintf(shell + used, sizeof shell - (size_t)used, " --checkpoint 0 2>'%s' >/dev/null", log);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL);
        execl("/bin/sh", "sh", "-c", shell, (char *)NULL);
        _exit(127);
    }
    size_t length;
    char *said = NULL;
    for (int i = 0; i < 1000; i++) { /* until a trial has ended */
        usleep(10000);
        said = test_file(log, &length);
        bool some = said && strstr(said, " done\n");
        if (some) break;
        free(said);
        said = NULL;
    }
    cr_assert(said);
    free(said);
    kill(-pid, SIGINT);
    int status = test_program_wait(pid);
    said = test_file(log, &length);
    cr_assert(said);
    cr_assert(status == 75 || status == 0, "%d: %s", status, said);
    if (status == 75) {
        cr_assert(strstr(said, "run the same command again"), "%s", said);
        test_program(&result, l.words);
        cr_assert_eq(result.status, 0, "%s", result.err);
    }
    free(said);
    run_undisturbed(longer, 4);
    test_compare_all(&plan, runs_a, runs_b);
    rti_plan_deinit(&plan);
}

Test(runs, workers_and_threads_do_not_change_a_bit) {
    static const char *const sets[] = {"student.hidden=[96, 80]", "data.digits.train=500", "data.batch=100"};
    prepare(sets, 3);
    line l = command(runs_a, sets, 3);
    add(&l, "--workers");
    add(&l, "1");
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    l = command(runs_b, sets, 3);
    add(&l, "--workers=3");
    add(&l, "--threads");
    add(&l, "2");
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    test_compare_all(&plan, runs_a, runs_b);
    rti_plan_deinit(&plan);
}

Test(runs, two_in_one_directory_share_the_work) {
    prepare(longer, 4);
    run_undisturbed(longer, 4);
    line l = command(runs_b, longer, 4);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) pids[i] = test_program_start(l.words);
    for (int i = 0; i < 3; i++) cr_assert_eq(test_program_wait(pids[i]), 0);
    test_compare_all(&plan, runs_a, runs_b);
    rti_plan_deinit(&plan);
}

Test(runs, shards_make_a_whole) {
    prepare(longer, 4);
    run_undisturbed(longer, 4);
    for (int i = 0; i < 3; i++) {
        static const char *const shards[] = {"1/3", "2/3", "3/3"};
        line l = command(runs_b, longer, 4);
        add(&l, "--shard");
        add(&l, shards[i]);
        test_program(&result, l.words);
        cr_assert_eq(result.status, 0, "%s", result.err);
        int done = 0;
        char state[1300];
        for (int t = 0; t < plan.trial_count; t++) {
            snprintf(state, sizeof state, "%s/tiny/%.16s/result.json", runs_b, plan.trials[t].id);
            done += access(state, F_OK) == 0;
        }
        cr_assert_eq(done, 1 + 2 * (i + 1)); /* the teacher, and 6 students in 3 shards */
    }
    test_compare_all(&plan, runs_a, runs_b);
    rti_plan_deinit(&plan);
}

Test(runs, finished_trials_are_not_run_again) {
    prepare(NULL, 0);
    run_undisturbed(NULL, 0);
    char path[1300];
    snprintf(path, sizeof path, "%s/tiny/%.16s/cost.json", runs_a, plan.trials[0].id);
    size_t length;
    char *before = test_file(path, &length), *after;
    run_undisturbed(NULL, 0);
    after = test_file(path, &length);
    cr_assert_str_eq(before, after); /* times: they would differ */
    cr_assert(strstr(result.err, "7 finished"), "%s", result.err);
    free(before);
    free(after);
    /* A longer axis adds trials and keeps those that are there. */
    line l = command(runs_a, (const char *const[]){"sweep.distill.alpha=[0.0, 0.5, 0.9]"}, 1);
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    cr_assert(strstr(result.err, "11 trials") && strstr(result.err, "7 finished"), "%s", result.err);
    rti_plan_deinit(&plan);
}

/* The second has the teacher, scratch and one temperature of the first, and one of its own. */
Test(runs, specs_that_share_trials_are_trained_in_one_queue) {
    prepare(NULL, 0);
    run_undisturbed(NULL, 0);
    char other_path[1024], path[1300];
    snprintf(other_path, sizeof other_path, "%s", test_path("other.toml"));
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "trials = \"tiny\"\n" TEST_SPEC);
    char *name = strstr(text.bytes, "name = \"tiny\"");
    cr_assert_not_null(name);
    memcpy(name, "name = \"next\"", strlen("name = \"next\""));
    char *axis = strstr(text.bytes, "[1, 4]");
    cr_assert_not_null(axis);
    memcpy(axis, "[4, 8]", strlen("[4, 8]"));
    test_write(other_path, rti_text_string(&text));
    rti_text_deinit(&text);
    line l = command(runs_b, NULL, 0);
    add(&l, other_path);
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    cr_assert(strstr(result.err, "2 specs in one queue: 9 trials (1 teacher, 2 scratch, 6 distilled)"), "%s",
              result.err);
    cr_assert(strstr(result.err, "tiny: 7 trials") && strstr(result.err, "next: 7 trials"), "%s", result.err);
    char *first = strstr(result.err, "7 finished");
    cr_assert(first && strstr(first + 1, "7 finished"), "%s", result.err);
    test_compare_all(&plan, runs_a, runs_b);
    static const char *const reports[] = {"tiny", "next"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/summary.csv", runs_b, reports[i]);
        cr_assert_eq(access(path, F_OK), 0, "%s", path);
    }
    rti_plan_deinit(&plan);
}

Test(runs, a_trial_whose_loss_is_no_number_does_not_take_the_others_down) {
    static const char *const sets[] = {"student.epochs=60", "sweep.student.optimizer.weight_decay=[0, 1000]"};
    prepare(sets, 2);
    line l = command(runs_a, sets, 2);
    test_program(&result, l.words);
    cr_assert_eq(result.status, 1, "%s", result.err);
    int done = 0, failed = 0;
    for (int t = 0; t < plan.trial_count; t++) {
        rti_record record;
        rt_error error;
        cr_assert_eq(rti_record_read(&plan, t, &record, &error), RT_OK);
        done += record.state == RTI_DONE;
        failed += record.state == RTI_FAILED;
        if (record.state == RTI_FAILED) {
            cr_assert(strstr(record.failure, "step") && strstr(record.failure, "epoch"), "%s",
                      record.failure);
            cr_assert(strstr(result.err, record.failure), "%s", result.err);
        }
        rti_record_deinit(&record);
    }
    cr_assert_eq(done, 7);
    cr_assert_eq(failed, 6);
    cr_assert(strstr(result.err, "6 of 13 trials failed"), "%s", result.err);
    /* Failed ones stay failed until somebody asks. */
    test_program(&result, l.words);
    cr_assert_eq(result.status, 1);
    cr_assert(strstr(result.err, "--retry-failed"), "%s", result.err);
    cr_assert_not(strstr(result.err, " failed: "), "%s", result.err);
    add(&l, "--retry-failed");
    test_program(&result, l.words);
    cr_assert_eq(result.status, 1);
    cr_assert(strstr(result.err, ") failed: "), "%s", result.err);
    add(&l, "--fail-fast");
    test_program(&result, l.words);
    cr_assert_eq(result.status, 1);
    rti_plan_deinit(&plan);
}

Test(runs, students_of_a_teacher_that_failed_are_not_run) {
    static const char *const sets[] = {"teacher.epochs=60", "teacher.optimizer.weight_decay=1000"};
    prepare(sets, 2);
    line l = command(runs_a, sets, 2);
    test_program(&result, l.words);
    cr_assert_eq(result.status, 1);
    cr_assert(strstr(result.err, "6 wait for a teacher that failed"), "%s", result.err);
    line status = {.words = {"status", spec_path, "--runs", runs_a, "--set", sets[0], "--set", sets[1]},
                   .count = 8};
    test_program(&result, status.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    cr_assert(strstr(result.out, "cannot run without teacher"), "%s", result.out);
    cr_assert(strstr(result.out, "0 done, 0 running, 6 pending, 1 failed"), "%s", result.out);
    rti_plan_deinit(&plan);
}

/* A limit on the size of files stands for a full disk: writing fails in the same place. */
Test(runs, files_that_cannot_be_written_stop_the_run_and_lose_nothing) {
    prepare(longer, 4);
    line l = command(runs_b, longer, 4);
    struct rlimit before, small = {20000, RLIM_INFINITY};
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    test_program(&result, l.words);
    setrlimit(RLIMIT_FSIZE, &before);
    cr_assert_eq(result.status, 1, "%s", result.err);
    cr_assert(strstr(result.err, "cannot be written"), "%s", result.err);
    cr_assert(strstr(result.err, "0 of 7 trials are finished and kept"), "%s", result.err);
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    run_undisturbed(longer, 4);
    test_compare_all(&plan, runs_a, runs_b);
    rti_plan_deinit(&plan);
}

Test(runs, a_dry_run_touches_nothing) {
    prepare(NULL, 0);
    line l = command(runs_a, NULL, 0);
    add(&l, "--dry-run");
    test_program(&result, l.words);
    cr_assert_eq(result.status, 0, "%s", result.err);
    for (int t = 0; t < plan.trial_count; t++) {
        char id[17];
        snprintf(id, sizeof id, "%.16s", plan.trials[t].id);
        cr_assert(strstr(result.out, id), "%s", result.out);
    }
    cr_assert(strstr(result.out, "can start") && strstr(result.out, "waits for teacher"), "%s", result.out);
    cr_assert_neq(access(runs_a, F_OK), 0);
    rti_plan_deinit(&plan);
}
