/* The program against its promises: exit status 0 done, 1 failed, 2 wrong usage; every wrong input is
 * a sentence on standard error that names file and place, and leaves no partial result. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../experiment/specs.h"
#include "../support/program.h"
#include "../support/temporary.h"

static test_run result;

static void must_say(const char *const arguments[], int status, const char *first, const char *second) {
    test_program(&result, arguments);
    cr_assert_eq(result.status, status, "%s %s: status %d, not %d\n%s", arguments[0],
                 arguments[1] ? arguments[1] : "", result.status, status, result.err);
    cr_assert(strstr(result.err, first), "\"%s\" does not say \"%s\"", result.err, first);
    cr_assert(strstr(result.err, second), "\"%s\" does not say \"%s\"", result.err, second);
    cr_assert_str_eq(result.out, "", "results of a command that failed: %s", result.out);
}

#define MUST_SAY(status, first, second, ...)                                                                 \
    must_say((const char *const[]){__VA_ARGS__, NULL}, status, first, second)

static void write_bytes(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
}

Test(command_line, wrong_usage_is_2_and_names_the_word) {
    MUST_SAY(2, "which spec?", "retort run --help", "run");
    MUST_SAY(2, "--wrokers", "retort run --help", "run", "x.toml", "--wrokers", "2");
    MUST_SAY(2, "--workers", "1 to 256", "run", "x.toml", "--workers", "0");
    MUST_SAY(2, "--workers", "1 to 256", "run", "x.toml", "--workers=two");
    MUST_SAY(2, "--workers", "needs a value", "run", "x.toml", "--workers");
    MUST_SAY(2, "--shard", "from 1 to n", "run", "x.toml", "--shard", "3/2");
    MUST_SAY(2, "--shard", "i/n", "run", "x.toml", "--shard", "3");
    MUST_SAY(2, "--checkpoint", "seconds", "run", "x.toml", "--checkpoint", "-1");
    MUST_SAY(2, "y.toml", "second one", "status", "x.toml", "y.toml");
    MUST_SAY(2, "which spec?", "retort status --help", "status");
    MUST_SAY(2, "--workers", "unknown option", "status", "x.toml", "--workers", "2");
    MUST_SAY(2, "which spec?", "retort specialists --help", "specialists");
    MUST_SAY(2, "--count", "1 to 255", "specialists", "x.toml", "--count", "0");
    MUST_SAY(2, "--seeds", "different whole numbers", "specialists", "x.toml", "--seeds", "1,2,1");
    MUST_SAY(2, "--sets", "covariance, correlation or random", "specialists", "x.toml", "--sets", "x");
    MUST_SAY(2, "--lr", "above 0", "specialists", "x.toml", "--lr", "nan");
    MUST_SAY(2, "--momentum", "below 1", "specialists", "x.toml", "--momentum=1");
    MUST_SAY(2, "which network?", "retort eval --help", "eval");
    MUST_SAY(2, "--part", "test or validation", "eval", "x", "--part", "train");
    MUST_SAY(2, "rnu", "did you mean \"run\"", "rnu");
}

Test(command_line, several_specs_are_run_one_after_the_other) {
    char first[1024], second[1024], runs[1024];
    snprintf(first, sizeof first, "%s", test_path("first.toml"));
    snprintf(second, sizeof second, "%s", test_path("second.toml"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_write(first, TEST_SPEC);
    test_write(second, TEST_SPEC);
    const char *const both[] = {"run", first, second, "--runs", runs, "--no-plots", "--set", "trials=family",
                                "--set", "sweep.distill.alpha=[1.0]", NULL};
    test_program(&result, both);
    cr_assert_eq(result.status, 0, "%s", result.err);
    cr_assert(strstr(result.err, "spec 1 of 2") && strstr(result.err, "spec 2 of 2"), "%s", result.err);
    cr_assert(strstr(result.err, "0 finished") && strstr(result.err, "7 finished"), "%s", result.err);
    test_write(second, "name = \"second\"\nnonsense = 1\n");
    MUST_SAY(1, "second.toml:2", "nonsense", "run", first, second, "--runs", test_path("none"));
    cr_assert_neq(access(test_path("none"), F_OK), 0, "a mistake in the last spec is found before the first");
}

Test(command_line, shard_auto_reads_the_environment_of_slurm) {
    char spec[1024], runs[1024];
    snprintf(spec, sizeof spec, "%s", test_path("tiny.toml"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_write(spec, TEST_SPEC);
    unsetenv("SLURM_ARRAY_TASK_ID");
    MUST_SAY(2, "--shard", "SLURM_ARRAY_TASK_ID", "run", spec, "--shard", "auto");
    setenv("SLURM_ARRAY_TASK_ID", "14", 1); /* tasks 10, 12, 14: the third of three */
    setenv("SLURM_ARRAY_TASK_COUNT", "3", 1);
    setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
    setenv("SLURM_ARRAY_TASK_STEP", "2", 1);
    const char *const dry[] = {"run", spec, "--runs", runs, "--shard", "auto", "--dry-run", NULL};
    static test_run third;
    test_program(&third, dry);
    cr_assert_eq(third.status, 0, "%s", third.err);
    const char *const plain[] = {"run", spec, "--runs", runs, "--shard", "3/3", "--dry-run", NULL};
    test_program(&result, plain);
    /* The list of trials; what stands ahead of it is measured. */
    const char *ours = strstr(third.out, " on this machine\n");
    const char *theirs = strstr(result.out, " on this machine\n");
    cr_assert(ours && theirs, "%s", third.out);
    cr_assert_str_eq(ours, theirs);
    setenv("SLURM_ARRAY_TASK_ID", "16", 1);
    MUST_SAY(2, "do not fit together", "--shard", "run", spec, "--shard", "auto");
}

Test(command_line, wrong_specs_are_1_with_file_and_line) {
    char spec[1024], runs[1024];
    snprintf(spec, sizeof spec, "%s", test_path("wrong.toml"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    MUST_SAY(1, "wrong.toml", "no such file", "run", spec);
    test_write(spec, TEST_SPEC "epoch = 3\n");
    MUST_SAY(1, "wrong.toml:22:", "", "run", spec, "--runs", runs);
    test_write(spec, TEST_SPEC);
    MUST_SAY(1, "--set student.epoch", "did you mean student.epochs?", "run", spec, "--set",
             "student.epoch=3");
    MUST_SAY(1, "0 ... 1", "alpha is 2", "run", spec, "--set", "distill.alpha=2");
    MUST_SAY(1, "--set distill.tmperature", "did you mean distill.temperature?", "status", spec, "--set",
             "distill.tmperature=2");
    cr_assert_neq(access(runs, F_OK), 0, "a wrong spec made %s", runs);
}

/* Big-endian header of an IDX file, then the bytes. */
static void write_idx(const char *path, unsigned magic, int dims, const unsigned extents[], size_t bytes) {
    unsigned char all[4096] = {0};
    size_t used = 0;
    for (int i = -1; i < dims; i++) {
        unsigned word = i < 0 ? magic : extents[i];
        for (int shift = 24; shift >= 0; shift -= 8) all[used++] = (unsigned char)(word >> shift);
    }
    for (size_t i = 0; i < bytes; i++) all[used + i] = (unsigned char)(i % 2);
    write_bytes(path, all, used + bytes);
}

Test(command_line, wrong_data_are_1_with_file_and_place) {
    char spec[1024], images[1024], labels[1024], table[1024], runs[1024], sets[6][1200];
    snprintf(spec, sizeof spec, "%s", test_path("tiny.toml"));
    snprintf(images, sizeof images, "%s", test_path("images"));
    snprintf(labels, sizeof labels, "%s", test_path("labels"));
    snprintf(table, sizeof table, "%s", test_path("table.csv"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_write(spec, "name = \"idx\"\n[data]\nset = \"idx\"\nvalidation = 2\n[student]\nepochs = 1\n");
    snprintf(sets[0], sizeof sets[0], "data.idx.train_images=\"%s\"", images);
    snprintf(sets[1], sizeof sets[1], "data.idx.train_labels=\"%s\"", labels);
    snprintf(sets[2], sizeof sets[2], "data.idx.test_images=\"%s\"", images);
    snprintf(sets[3], sizeof sets[3], "data.idx.test_labels=\"%s\"", labels);
#define IDX_RUN                                                                                              \
    "run", spec, "--runs", runs, "--set", sets[0], "--set", sets[1], "--set", sets[2], "--set", sets[3]
    write_idx(labels, 0x801, 1, (unsigned[]){10}, 10);
    write_idx(images, 0x803, 3, (unsigned[]){10, 4, 4}, 100);
    MUST_SAY(1, "images", "", IDX_RUN); /* truncated */
    write_idx(images, 0x903, 3, (unsigned[]){10, 4, 4}, 160);
    MUST_SAY(1, "images", "", IDX_RUN); /* wrong magic */
    write_idx(images, 0x803, 3, (unsigned[]){0xffffffff, 0xffff, 0xffff}, 160);
    MUST_SAY(1, "images", "", IDX_RUN); /* oversized */
    write_idx(images, 0x803, 3, (unsigned[]){11, 4, 4}, 176);
    MUST_SAY(1, "11", "10", IDX_RUN); /* images and labels of different number */
    write_idx(images, 0x803, 3, (unsigned[]){10, 4, 4}, 160);
    const char *const right[] = {IDX_RUN, "--no-plots", NULL};
    test_program(&result, right);
    cr_assert_eq(result.status, 0, "%s", result.err);

    test_write(spec, "name = \"csv\"\n[data]\nset = \"csv\"\nvalidation = 1\n[student]\nepochs = 1\n");
    snprintf(sets[4], sizeof sets[4], "data.csv.train=\"%s\"", table);
    test_write(table, "a,b,kind\n1,2,x\n3,4,y\n5,6\n7,8,x\n");
    MUST_SAY(1, "table.csv", "4", "run", spec, "--runs", runs, "--set", sets[4]); /* ragged in line 4 */
    test_write(table, "a,b,kind\n1,2,x\n3,,y\n5,6,y\n7,8,x\n");
    MUST_SAY(1, "table.csv", "3", "run", spec, "--runs", runs, "--set", sets[4]); /* missing in line 3 */
    char directory[1100];
    snprintf(directory, sizeof directory, "%s/csv", runs);
    cr_assert_neq(access(directory, F_OK), 0, "wrong data made %s", directory);
}

/* Stopped wherever it is: 75 with what is finished kept, and the same command comes to the end. */
Test(command_line, specialists_are_stopped_by_a_signal_and_go_on) {
    char spec[1024], runs[1024];
    snprintf(spec, sizeof spec, "%s", test_path("tiny.toml"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_write(spec, TEST_SPEC);
    const char *const specialists[] = {"specialists", spec,       "--runs", runs, "--classes",
                                       "3",           "--epochs", "2000",   NULL};
    MUST_SAY(1, "not trained yet", "retort run", "specialists", spec, "--runs", runs);
    const char *const run[] = {"run", spec, "--runs", runs, "--no-plots", NULL};
    test_program(&result, run);
    cr_assert_eq(result.status, 0, "%s", result.err);
    const pid_t pid = test_program_start(specialists);
    char first[1100];
    snprintf(first, sizeof first, "%s/tiny/specialists/seed-1/specialist-01.safetensors", runs);
    while (access(first, F_OK) != 0 && waitpid(pid, NULL, WNOHANG) == 0) usleep(1000);
    kill(pid, SIGINT);
    cr_assert_eq(test_program_wait(pid), 75);
    cr_assert_eq(access(first, F_OK), 0);
    const char *const rest[] = {"specialists", spec, "--runs", runs, "--classes", "3", "--epochs", "1",
                                "--no-plots", NULL};
    test_program(&result, rest);
    cr_assert_eq(result.status, 0, "%s", result.err);
    cr_assert(strstr(result.out, "specialists covering"), "%s", result.out);
    cr_assert(strstr(result.err, "seed 3, specialist 5 of 5"), "%s", result.err);
}

Test(command_line, eval_says_what_the_run_said_and_refuses_what_is_no_network) {
    char spec[1024], runs[1024], trial[1100], line[256];
    snprintf(spec, sizeof spec, "%s", test_path("tiny.toml"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_write(spec, TEST_SPEC);
    const char *const run[] = {"run", spec, "--runs", runs, "--no-plots", NULL};
    test_program(&result, run);
    cr_assert_eq(result.status, 0, "%s", result.err);
    const char *const status[] = {"status", spec, "--runs", runs, NULL};
    test_program(&result, status);
    cr_assert(strstr(result.out, "7 done, 0 running, 0 pending, 0 failed"), "%s", result.out);
    char *last = strstr(result.out, "student T"), id[17] = "";
    cr_assert(last);
    while (last > result.out && last[-1] != '\n') last--;
    snprintf(id, sizeof id, "%.16s", last);
    int wrong = -1;
    cr_assert(strstr(last, " wrong on test"));
    for (char *at = strstr(last, " of 60"); at && at > last && wrong < 0; at--)
        if (at[-1] == ' ') wrong = (int)strtol(at, NULL, 10);

    snprintf(trial, sizeof trial, "%s/tiny/%s", runs, id);
    const char *const eval[] = {"eval", trial, NULL};
    test_program(&result, eval);
    cr_assert_eq(result.status, 0, "%s", result.err);
    snprintf(line, sizeof line, "%d of 60", wrong);
    cr_assert(strstr(result.out, line), "not %s: %s", line, result.out);
    cr_assert(strstr(result.out, "with the teacher"), "%s", result.out);

    snprintf(trial, sizeof trial, "%s/tiny/%s/weights.safetensors", runs, id);
    const char *const other[] = {"eval", trial, "--data", "digits", "--set", "data.digits.train=20", "--set",
                                 "data.digits.test=40", "--set", "data.validation=0", NULL};
    test_program(&result, other);
    cr_assert_eq(result.status, 0, "%s", result.err);
    cr_assert(strstr(result.out, "of 40,"), "%s", result.out);

    MUST_SAY(1, "nowhere", "no such file", "eval", "nowhere", "--data", "digits");
    MUST_SAY(1, "not the directory of a trial", "spec.toml", "eval", runs);
    MUST_SAY(1, "must be one of", "digits", "eval", trial, "--data", "digit");
    char broken[1024];
    snprintf(broken, sizeof broken, "%s", test_path("broken.safetensors"));
    write_bytes(broken, "\377\377\377\377\377\377\377\177{}", 10); /* a header longer than the file */
    MUST_SAY(1, "broken.safetensors", "", "eval", broken, "--data", "digits");
    const char *overlap = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                          "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}";
    unsigned char file[512] = {(unsigned char)strlen(overlap)};
    memcpy(file + 8, overlap, strlen(overlap));
    write_bytes(broken, file, 8 + strlen(overlap) + 12);
    MUST_SAY(1, "broken.safetensors", "", "eval", broken, "--data", "digits");
}
