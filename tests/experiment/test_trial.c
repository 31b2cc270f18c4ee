/* One trial, run in the test's own process. Stopped after any step and run again, or on other numbers
 * of threads, it must leave the same bytes as when nobody stopped it; and what it wrote is read back
 * and compared with networks that are evaluated here. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "core/file.h"
#include "experiment/trial.h"
#include "experiment/unseen.h"
#include "kernels/dispatch.h"
#include "retort/alloc.h"
#include "retort/threads.h"
#include "specs.h"

static rti_plan plan, other;
static rt_error error;

typedef struct countdown {
    int64_t steps, seen;
} countdown;

static bool until(void *context) {
    countdown *c = context;
    return ++c->seen < c->steps;
}

static void make(rti_plan *p, const char *runs, const char *const sets[], int count) {
    char path[1024];
    snprintf(path, sizeof path, "%s", test_path(runs));
    test_plan(p, TEST_SPEC, sets, count, path);
}

/* Two plans of the same trials, whose runs are below the folders a and b. */
static void make_two(const char *const sets[], int count, char a[1024], char b[1024]) {
    make(&plan, "a", sets, count);
    make(&other, "b", sets, count);
    snprintf(a, 1024, "%s", test_path("a"));
    snprintf(b, 1024, "%s", test_path("b"));
}

static void run_whole(const rti_plan *p, int trial) {
    cr_assert_eq(rti_trial_run(p, trial, NULL, &error), RTI_END_DONE, "%s", error.message);
}

/* The files of soft targets are gone: the teacher is asked again. */
static void forget_soft_targets(const rti_plan *p) {
    char path[RTI_PATH_MAX + 300];
    snprintf(path, sizeof path, "%s/cache", p->trials_directory);
    DIR *directory = opendir(path);
    cr_assert(directory);
    int gone = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        snprintf(path, sizeof path, "%s/cache/%s", p->trials_directory, entry->d_name);
        gone += entry->d_name[0] != '.' && remove(path) == 0;
    }
    closedir(directory);
    cr_assert_gt(gone, 0);
}

Test(trial, stopped_anywhere_it_ends_with_the_same_bits) {
    static const char *const sets[] = {"student.epochs=3", "student.optimizer.momentum=0.9",
                                       "student.dropout.hidden=0.2", "student.jitter=1"};
    char a[1024], b[1024];
    make_two(sets, 4, a, b);
    int student = plan.trial_count - 1, steps = 0;
    run_whole(&plan, 0);
    run_whole(&plan, student);
    run_whole(&other, 0);
    test_compare_trial(&plan, 0, a, b);
    for (int n = 1; n <= 20; n++) {
        /* Stopped after n steps, then after n more, and so on: an epoch of 6 steps is lost each time. */
        rti_trial_end end;
        int sessions = 0;
        do {
            countdown c = {.steps = n + 6 * sessions};
            rti_trial_hooks hooks = {.go_on = until, .context = &c, .checkpoint_s = n % 2 ? 0 : 100};
            end = rti_trial_run(&other, student, &hooks, &error);
            cr_assert(end == RTI_END_STOPPED || end == RTI_END_DONE, "%s", error.message);
            steps += end == RTI_END_STOPPED;
        } while (end == RTI_END_STOPPED && ++sessions < 20);
        cr_assert_eq(end, RTI_END_DONE);
        test_compare_trial(&plan, student, a, b);
        char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 16];
        rti_trial_directory(&other, student, directory, sizeof directory);
        snprintf(path, sizeof path, "%s/result.json", directory);
        remove(path);
        forget_soft_targets(&other); /* the teacher is asked about the test set again */
    }
    cr_assert_gt(steps, 15); /* it was stopped */
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(trial, stopped_while_its_teacher_is_asked_it_keeps_its_checkpoint) {
    char a[1024], b[1024], directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 16];
    make_two(NULL, 0, a, b);
    const int student = plan.trial_count - 1;
    run_whole(&plan, 0);
    run_whole(&plan, student);
    run_whole(&other, 0);
    countdown c = {.steps = 12};
    rti_trial_hooks hooks = {.go_on = until, .context = &c};
    cr_assert_eq(rti_trial_run(&other, student, &hooks, &error), RTI_END_STOPPED);
    rti_trial_directory(&other, student, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/checkpoint.bin", directory);
    size_t length, later;
    char *before = test_file(path, &length);
    forget_soft_targets(&other);
    c = (countdown){.steps = 1};
    cr_assert_eq(rti_trial_run(&other, student, &hooks, &error), RTI_END_STOPPED);
    cr_assert_eq(error.status, RT_STOPPED);
    cr_assert_eq(c.seen, 1);
    char *after = test_file(path, &later);
    cr_assert(before && after && length > 200 && length == later && memcmp(before, after, length) == 0);
    free(before);
    free(after);
    run_whole(&other, student);
    test_compare_trial(&plan, student, a, b);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(trial, threads_do_not_change_a_bit) {
    char a[1024], b[1024];
    static const char *const sets[] = {"student.hidden=[96, 80]", "data.digits.train=700", "data.batch=100"};
    make_two(sets, 3, a, b);
    int student = plan.trial_count - 1;
    rt_threads_set(1);
    run_whole(&plan, 0);
    run_whole(&plan, student);
    rt_threads_set(3);
    run_whole(&other, 0);
    run_whole(&other, student);
    test_compare_trial(&plan, 0, a, b);
    test_compare_trial(&plan, student, a, b);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
}

static const char *const in_bf16[] = {"student.hidden=[96, 80]", "student.precision=bf16",
                                      "teacher.precision=bf16", "student.dropout.hidden=0.2",
                                      "data.digits.train=700", "data.batch=100"};

/* On any number of threads, stopped and resumed, and where the processor has no instruction for it: an mlp of
 * bfloat16 has no other products. */
Test(trial, in_bf16_threads_pauses_and_instructions_do_not_change_a_bit) {
    char a[1024], b[1024];
    make(&plan, "a", in_bf16, 6);
    const int student = plan.trial_count - 1;
    rt_threads_set(1);
    run_whole(&plan, 0);
    run_whole(&plan, student);
    for (int round = 0; round < 4; round++) {
        char runs[16];
        snprintf(runs, sizeof runs, "b%d", round);
        make(&other, runs, in_bf16, 6);
        snprintf(a, sizeof a, "%s", test_path("a"));
        snprintf(b, sizeof b, "%s", test_path(runs));
        rt_threads_set((const int[]){2, 3, 8, 2}[round]);
        if (round == 3) rti_kernels_use(rti_kernels_named("portable"));
        run_whole(&other, 0);
        countdown c = {.steps = 7};
        rti_trial_hooks hooks = {.go_on = until, .context = &c};
        if (round == 1) cr_assert_eq(rti_trial_run(&other, student, &hooks, &error), RTI_END_STOPPED);
        run_whole(&other, student);
        test_compare_trial(&plan, 0, a, b);
        test_compare_trial(&plan, student, a, b);
        rti_plan_deinit(&other);
    }
    rti_plan_deinit(&plan);
}

/* What is measured is what was trained; what is saved is float32. */
Test(trial, in_bf16_the_network_measured_is_the_one_trained) {
    make(&plan, "a", in_bf16, 6);
    const int student = plan.trial_count - 1;
    run_whole(&plan, 0);
    run_whole(&plan, student);
    rti_record record;
    cr_assert_eq(rti_record_read(&plan, student, &record, &error), RT_OK, "%s", error.message);
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 32];
    rti_trial_directory(&plan, student, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    rt_model *trained = rti_trial_model(&plan, student, &error), *saved = rt_model_open(path, &error);
    cr_assert(saved != NULL, "%s", error.message);
    cr_assert(strstr(rt_model_summary(trained), ", bf16") && !strstr(rt_model_summary(saved), "bf16"));
    cr_assert_eq(rt_model_load(trained, path, &error), RT_OK, "%s", error.message);
    const rt_part *part = rt_dataset_part(plan.datasets[0], RT_PART_TEST);
    rt_quality quality[2];
    cr_assert_eq(rt_evaluate(trained, NULL, part, &quality[0], NULL, &error), RT_OK);
    cr_assert_eq(rt_evaluate(saved, NULL, part, &quality[1], NULL, &error), RT_OK);
    cr_assert_eq(record.test_last.nll, quality[0].nll);
    cr_assert_neq(record.test_last.nll, quality[1].nll);
    cr_assert_float_eq(record.test_last.nll, quality[1].nll, 0.01);
    char hashes[2][33];
    rt_model_hash(trained, hashes[0]);
    rt_model_hash(saved, hashes[1]);
    cr_assert_str_neq(hashes[0], hashes[1]); /* answers kept for one are not the other's */
    rti_record_deinit(&record);
    rt_model_free(trained);
    rt_model_free(saved);
    rti_plan_deinit(&plan);
}

Test(trial, record_says_what_the_weights_do) {
    make(&plan, "a", NULL, 0);
    int student = plan.trial_count - 1;
    rti_record record;
    cr_assert_eq(rti_record_read(&plan, student, &record, &error), RT_OK);
    cr_assert_eq(record.state, RTI_PENDING);
    rti_record_deinit(&record);
    run_whole(&plan, 0);
    run_whole(&plan, student);
    cr_assert_eq(rti_record_read(&plan, student, &record, &error), RT_OK, "%s", error.message);
    cr_assert_eq(record.state, RTI_DONE, "%s", record.failure);
    cr_assert_eq(record.epochs, 2);
    cr_assert_eq(record.epoch_count, 2);
    cr_assert_eq(record.rows[1].epoch, 2);
    cr_assert_gt(record.seconds, 0);
    cr_assert_gt(record.latency_us, 0);
    cr_assert_gt(record.peak_megabytes, 1);
    cr_assert_eq(record.cost.parameters, 784 * 8 + 8 + 8 * 10 + 10);

    /* The files, loaded into fresh networks and evaluated, give the same qualities. */
    char directory[RTI_PATH_MAX], teacher_directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 32];
    rti_trial_directory(&plan, student, directory, sizeof directory);
    rti_trial_directory(&plan, 0, teacher_directory, sizeof teacher_directory);
    rt_model *teacher_model = rti_trial_model(&plan, 0, &error);
    snprintf(path, sizeof path, "%s/weights.safetensors", teacher_directory);
    cr_assert_eq(rt_model_load(teacher_model, path, &error), RT_OK, "%s", error.message);
    rt_teacher *teacher = rt_teacher_new(&teacher_model, 1, RT_COMBINE_LOGITS, &error);
    for (int best = 0; best < 2; best++) {
        rt_model *model = rti_trial_model(&plan, student, &error);
        snprintf(path, sizeof path, "%s/%s.safetensors", directory, best ? "best" : "weights");
        cr_assert_eq(rt_model_load(model, path, &error), RT_OK, "%s", error.message);
        rt_quality test, validation;
        const rt_dataset *set = plan.datasets[0];
        cr_assert_eq(rt_evaluate(model, teacher, rt_dataset_part(set, RT_PART_TEST), &test, NULL, &error),
                     RT_OK);
        cr_assert_eq(
            rt_evaluate(model, NULL, rt_dataset_part(set, RT_PART_VALIDATION), &validation, NULL, &error),
            RT_OK);
        const rt_quality *said = best ? &record.test_best : &record.test_last;
        cr_assert_eq(said->errors, test.errors);
        cr_assert_eq(said->nll, test.nll);
        cr_assert_eq(said->ece, test.ece);
        cr_assert(said->has_teacher);
        cr_assert_eq(said->agreement, test.agreement);
        cr_assert_eq(said->teacher_kl, test.teacher_kl);
        said = best ? &record.validation_best : &record.validation_last;
        cr_assert_eq(said->accuracy, validation.accuracy);
        cr_assert_eq(record.rows[(best ? record.best_epoch : record.epochs) - 1].validation_accuracy,
                     validation.accuracy);
        rt_model_free(model);
    }
    for (int e = 0; e < record.best_epoch - 1; e++)
        cr_assert_lt(record.rows[e].validation_accuracy, record.validation_best.accuracy);
    rti_record_deinit(&record);
    rt_teacher_free(teacher);
    rt_model_free(teacher_model);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* The column of unseen classes, against predictions that are made here with the last weights. */
Test(trial, tells_how_classes_fare_that_it_never_saw) {
    static const char *const sets[] = {"data.transfer.omit_classes=[3, 5]", "teacher.epochs=10",
                                       "student.epochs=8", "data.validation=100"};
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 32];
    make(&plan, "runs", sets, 4);
    const int student = plan.trial_count - 1;
    run_whole(&plan, 0);
    run_whole(&plan, student);
    rti_unseen unseen;
    rti_unseen_find(&unseen, &plan, 0);
    cr_assert_eq(unseen.count, 0, "a teacher sees all");
    rti_unseen_find(&unseen, &plan, student);
    cr_assert(unseen.count == 2 && unseen.is_unseen[3] && unseen.is_unseen[5]);
    rti_record record;
    cr_assert_eq(rti_record_read(&plan, student, &record, &error), RT_OK, "%s", error.message);
    rti_trial_directory(&plan, student, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    rt_model *model = rt_model_open(path, &error);
    const rt_part *part = rt_dataset_part(plan.datasets[plan.trials[student].dataset], RT_PART_VALIDATION);
    uint8_t predictions[100];
    rt_quality quality;
    cr_assert_eq(part->count, 100);
    cr_assert_eq(rt_evaluate(model, NULL, part, &quality, predictions, &error), RT_OK);
    int count = 0, right = 0;
    for (int i = 0; i < 100; i++) {
        if (part->labels[i] != 3 && part->labels[i] != 5) continue;
        count++;
        right += predictions[i] == part->labels[i];
    }
    cr_assert(count > 0);
    cr_assert_float_eq(record.rows[record.epoch_count - 1].unseen_accuracy, (double)right / count, 1e-12);
    rti_record_deinit(&record);
    cr_assert_eq(rti_record_read(&plan, 0, &record, &error), RT_OK);
    cr_assert(isnan(record.rows[0].unseen_accuracy));
    rti_record_deinit(&record);
    rt_model_free(model);
    rti_plan_deinit(&plan);
}

Test(trial, without_validation_the_best_is_the_last) {
    const char *sets[] = {"data.validation=0"};
    make(&plan, "a", sets, 1);
    rti_record record;
    run_whole(&plan, 0);
    cr_assert_eq(rti_record_read(&plan, 0, &record, &error), RT_OK);
    cr_assert_eq(record.state, RTI_DONE, "%s", record.failure);
    cr_assert_eq(record.best_epoch, record.epochs);
    cr_assert_eq(record.validation_last.examples, 0);
    cr_assert_eq(record.test_best.errors, record.test_last.errors);
    cr_assert(isnan(record.rows[0].validation_accuracy));
    rti_record_deinit(&record);
    rti_plan_deinit(&plan);
}

Test(trial, a_loss_that_is_no_number_is_a_failure_with_its_place) {
    const char *sets[] = {"student.optimizer.weight_decay=1000", "student.epochs=60"};
    make(&plan, "a", sets, 2);
    run_whole(&plan, 0);
    int student = plan.trial_count - 1;
    cr_assert_eq(rti_trial_run(&plan, student, NULL, &error), RTI_END_FAILED);
    cr_assert_eq(error.status, RT_NOT_FINITE);
    rti_record record;
    cr_assert_eq(rti_record_read(&plan, student, &record, &error), RT_OK);
    cr_assert_eq(record.state, RTI_FAILED);
    cr_assert(strstr(record.failure, "epoch") && strstr(record.failure, "step"), "%s", record.failure);
    cr_assert(strstr(record.failure, "ce") || strstr(record.failure, "kd"), "no term: %s", record.failure);
    rti_record_deinit(&record);
    rti_plan_deinit(&plan);
}

Test(trial, damaged_checkpoints_and_results_are_not_believed) {
    char a[1024], b[1024], directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 16];
    make_two(NULL, 0, a, b);
    run_whole(&plan, 0);
    for (int round = 0; round < 4; round++) {
        countdown c = {.steps = 8};
        rti_trial_hooks hooks = {.go_on = until, .context = &c};
        cr_assert_eq(rti_trial_run(&other, 0, &hooks, &error), RTI_END_STOPPED);
        rti_trial_directory(&other, 0, directory, sizeof directory);
        snprintf(path, sizeof path, "%s/checkpoint.bin", directory);
        size_t length;
        char *bytes = test_file(path, &length);
        cr_assert(bytes && length > 200);
        if (round == 1) bytes[length / 2] ^= 1;
        FILE *file = fopen(path, "wb");
        fwrite(bytes, 1, round == 2 ? length - 1 : round == 3 ? 3 : length, file);
        fclose(file);
        free(bytes);
        run_whole(&other, 0);
        test_compare_trial(&plan, 0, a, b);
        snprintf(path, sizeof path, "%s/result.json", directory);
        remove(path);
    }
    static const char *const results[] = {
        "", "{", "{}", "[]", "{\"id\": \"x\"}", "{\"id\": 3, \"epochs\": -1}", "\377"};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        rti_record record;
        test_write(path, results[i]);
        cr_assert_eq(rti_record_read(&other, 0, &record, &error), RT_OK);
        cr_assert_eq(record.state, RTI_FAILED, "believed: %s", results[i]);
        cr_assert(strstr(record.failure, "result.json"), "%s", record.failure);
        rti_record_deinit(&record);
    }
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
}

/* A finished teacher's file, given as a teacher, is that teacher: same qualities, same students' teacher. */
Test(trial, a_teacher_may_come_from_a_file) {
    make(&plan, "a", NULL, 0);
    run_whole(&plan, 0);
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 32], set[RTI_PATH_MAX + 64];
    rti_trial_directory(&plan, 0, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    snprintf(set, sizeof set, "teacher.weights=\"%s\"", path);
    const char *sets[] = {set, "name=again"};
    make(&other, "a", sets, 2);
    cr_assert_str_neq(plan.trials[0].id, other.trials[0].id);
    cr_assert_eq(rti_trial_epochs(&other.trials[0]), 0);
    run_whole(&other, 0);
    rti_record trained, loaded;
    cr_assert_eq(rti_record_read(&plan, 0, &trained, &error), RT_OK);
    cr_assert_eq(rti_record_read(&other, 0, &loaded, &error), RT_OK);
    cr_assert_eq(loaded.state, RTI_DONE, "%s", loaded.failure);
    cr_assert_eq(loaded.epochs, 0);
    cr_assert_eq(loaded.test_last.nll, trained.test_last.nll);
    cr_assert_eq(loaded.validation_best.errors, trained.validation_last.errors);
    rti_record_deinit(&trained);
    rti_record_deinit(&loaded);
    run_whole(&other, other.trial_count - 1);
    rti_plan_deinit(&plan);

    /* The contents make the identity, not the name; the file may be gone when all is done. */
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", test_path("copy.safetensors"));
    size_t length;
    char *bytes = test_file(path, &length);
    FILE *file = fopen(copy, "wb");
    cr_assert(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
    free(bytes);
    snprintf(set, sizeof set, "teacher.weights=\"%s\"", copy);
    make(&plan, "a", sets, 2);
    cr_assert_str_eq(plan.trials[0].id, other.trials[0].id);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(trial, a_file_that_is_another_network_is_refused_before_anything_runs) {
    static const int64_t widths[][3] = {{784, 17, 10}, {100, 16, 10}, {784, 16, 5}};
    static const char *const says[] = {"17", "100", "5"};
    static rti_spec spec;
    char path[1024], set[1100];
    snprintf(path, sizeof path, "%s", test_path("other.safetensors"));
    snprintf(set, sizeof set, "teacher.weights=\"%s\"", path);
    for (int i = 0; i < 4; i++) {
        const char *sets[] = {set, "teacher.count=2"};
        if (i < 3) {
            rt_model *model = rt_mlp_new(3, widths[i], 1, &error);
            cr_assert_eq(rt_model_save(model, path, NULL, &error), RT_OK);
            rt_model_free(model);
        } else remove(path);
        cr_assert_eq(rti_spec_parse(&spec, TEST_SPEC, strlen(TEST_SPEC), "t.toml", sets, 1, &error), RT_OK);
        cr_assert_neq(rti_plan_make(&plan, &spec, "runs", NULL, &error), RT_OK);
        cr_assert(strstr(error.message, "t.toml: [teacher] weights: ") && strstr(error.message, path), "%s",
                  error.message);
        if (i < 3) cr_assert(strstr(error.message, says[i]), "%s", error.message);
        cr_assert_eq(rti_spec_parse(&spec, TEST_SPEC, strlen(TEST_SPEC), "t.toml", sets, 2, &error), RT_SPEC);
        cr_assert(strstr(error.message, "teacher.weights") && strstr(error.message, "one network"), "%s",
                  error.message);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* The driver, asked directly for two epochs of a schedule of four, ends with the same weights. */
Test(trial, a_teacher_that_stops_early_has_the_bits_of_that_epoch) {
    const char *early[] = {"teacher.epochs=4", "teacher.stop_epoch=2", "teacher.optimizer.schedule=linear"};
    make(&plan, "a", early, 3);
    run_whole(&plan, 0);
    rti_record record;
    cr_assert_eq(rti_record_read(&plan, 0, &record, &error), RT_OK);
    cr_assert_eq(record.state, RTI_DONE, "%s", record.failure);
    cr_assert_eq(record.epochs, 2);
    cr_assert_gt(record.rows[1].lr, 0.4 * record.rows[0].lr); /* not the end of a schedule of two */
    rti_record_deinit(&record);

    const rt_params *rows = rti_trial_network(&plan.trials[0]);
    rt_params none;
    rt_params_init(&none, NULL, 0);
    rt_model *model = rti_trial_model(&plan, 0, &error), *loaded = rti_trial_model(&plan, 0, &error);
    rt_distiller_config config = {.student = model, .method = "none", .options = &none,
                                  .transfer = rti_trial_part(&plan, 0), .batch = 20,
                                  .seed = plan.trials[0].seed, .epochs = 4, .training = rows,
                                  .prefix = "optimizer."};
    rt_distiller *distiller = rt_distiller_new(&config, &error);
    cr_assert(distiller, "%s", error.message);
    rt_epoch_report report;
    for (int e = 0; e < 2; e++) cr_assert_eq(rt_distiller_epoch(distiller, &report, &error), RT_OK);
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX + 32], by_hand[33], on_disk[33];
    rti_trial_directory(&plan, 0, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    cr_assert_eq(rt_model_load(loaded, path, &error), RT_OK, "%s", error.message);
    rt_model_hash(model, by_hand);
    rt_model_hash(loaded, on_disk);
    cr_assert_str_eq(by_hand, on_disk);
    rt_distiller_free(distiller);
    rt_model_free(model);
    rt_model_free(loaded);
    rti_plan_deinit(&plan);
}
