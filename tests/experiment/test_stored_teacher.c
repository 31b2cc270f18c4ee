/* [teacher] logits and [teacher] weights from elsewhere. A run that reads the answers a trained teacher gave
 * must leave students with the bits of the run that trained it; so must one that reads its weights under
 * PyTorch's names. Plans are counted by hand; what contradicts itself is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "deploy/export.h"
#include "experiment/trial.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan, other;
static rt_error error;

#define HEAD                                                                                     \
    "name = \"tiny\"\nseeds = [1, 2]\n[data]\nset = \"digits\"\n"                                \
    "digits = { train = 160, test = 60 }\nvalidation = 40\nbatch = 20\n"
#define STUDENT                                                                                  \
    "[student]\nhidden = [8]\nepochs = 2\noptimizer = { name = \"sgd\", lr = 0.1 }\n"            \
    "[distill]\nmethod = \"kd\"\ntemperature = 4.0\nalpha = 0.9\n"
#define NETWORK "[teacher]\nmodel = \"cnn\"\nfilters = [2, 3]\nhidden = [6]\n"

static const char *lesson = STUDENT;

static const char *spec_of(const char *teacher) {
    static char text[4096];
    snprintf(text, sizeof text, HEAD "%s%s", teacher, lesson);
    return text;
}

static const char *stored_spec(bool test) {
    char teacher[2048];
    snprintf(teacher, sizeof teacher, "[teacher]\nlogits = \"%s\"\n", test_path("v.npy"));
    if (test)
        snprintf(teacher + strlen(teacher), 1024, "test_logits = \"%s\"\n", test_path("t.npy"));
    return spec_of(teacher);
}

static void run_all(const rti_plan *p) {
    for (int t = 0; t < p->trial_count; t++)
        cr_assert_eq(rti_trial_run(p, t, NULL, &error), RTI_END_DONE, "%s", error.message);
}

/* A field of a trial's result. */
static void result_text(const rti_plan *p, int trial, const char *key, char out[64]) {
    char directory[4096], path[4200];
    size_t length;
    rti_json_document document;
    rti_trial_directory(p, trial, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/result.json", directory);
    char *text = test_file(path, &length);
    cr_assert(text, "%s", path);
    cr_assert_eq(rti_json_parse(&document, text, length, path, &error), RT_OK);
    snprintf(out, 64, "%s", rti_json_string(&document.root, key, ""));
    rti_json_deinit(&document);
    free(text);
}

static void same_weights(int a, int b) {
    char one[64], two[64];
    result_text(&plan, a, "weights_last", one), result_text(&other, b, "weights_last", two);
    cr_assert(one[0]);
    cr_assert_str_eq(one, two);
}

/* A teacher trained here, and what it leaves for others. */
static void train_teacher(void) {
    char directory[4096], path[4200];
    test_plan(&plan, spec_of(NETWORK "epochs = 2\n"), NULL, 0, test_path("runs"));
    run_all(&plan);
    rti_trial_directory(&plan, 0, directory, sizeof directory);
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    rt_model *teacher = rt_model_open(path, &error);
    cr_assert(teacher, "%s", error.message);
    const rt_dataset *set = plan.datasets[0];
    cr_assert_eq(rti_export_logits(teacher, rt_dataset_train_examples(set), test_path("v.npy"), &error), RT_OK);
    cr_assert_eq(rti_export_logits(teacher, rt_dataset_test_examples(set), test_path("t.npy"), &error), RT_OK);
    cr_assert_eq(rti_export_torch(teacher, test_path("torch.safetensors"), &error), RT_OK);
    rt_model_free(teacher);
}

Test(stored_teacher, students_are_those_of_the_network_itself) {
    rti_record with, without;
    train_teacher();
    test_plan(&other, stored_spec(true), NULL, 0, test_path("others"));
    /* No teacher to train: two seeds of scratch and student, that wait for nobody. */
    cr_assert_eq(other.trial_count, 4);
    for (int t = 0; t < 4; t++) {
        cr_assert_neq(other.trials[t].role, RTI_TEACHER);
        cr_assert(!other.trials[t].teacher_count && !other.trials[t].reference_count);
    }
    run_all(&other);
    for (int s = 0; s < 2; s++) {
        const int live = plan.cells[0].trials[s], stored = other.cells[0].trials[s];
        same_weights(live, stored);
        same_weights(plan.cells[0].scratch[s], other.cells[0].scratch[s]);
        cr_assert_eq(rti_record_read(&plan, live, &with, &error), RT_OK);
        cr_assert_eq(rti_record_read(&other, stored, &without, &error), RT_OK);
        cr_assert(with.test_last.has_teacher && without.test_last.has_teacher);
        cr_assert_eq(with.test_last.agreement, without.test_last.agreement);
        cr_assert_float_eq(with.test_last.teacher_kl, without.test_last.teacher_kl, 1e-6);
        rti_record_deinit(&with), rti_record_deinit(&without);
    }
    rti_plan_deinit(&other);
    /* Without answers to the test set nothing is measured against the teacher, and nothing made up. */
    test_plan(&other, stored_spec(false), NULL, 0, test_path("third"));
    run_all(&other);
    same_weights(plan.cells[0].trials[0], other.cells[0].trials[0]);
    cr_assert_eq(rti_record_read(&other, other.cells[0].trials[0], &without, &error), RT_OK);
    cr_assert(!without.test_last.has_teacher);
    rti_record_deinit(&without);
    rti_plan_deinit(&other);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(stored_teacher, weights_with_pytorchs_names_are_a_teacher) {
    char teacher[2048];
    train_teacher();
    snprintf(teacher, sizeof teacher, NETWORK "weights = \"%s\"\n", test_path("torch.safetensors"));
    test_plan(&other, spec_of(teacher), NULL, 0, test_path("others"));
    cr_assert_eq(other.trial_count, 5);
    run_all(&other);
    for (int s = 0; s < 2; s++) same_weights(plan.cells[0].trials[s], other.cells[0].trials[s]);
    rti_plan_deinit(&other);
    rti_plan_deinit(&plan);
}

Test(stored_teacher, the_identity_is_the_content_of_the_answers) {
    char before[33], scratch[33], moved[512];
    train_teacher();
    rti_plan_deinit(&plan);
    test_plan(&plan, stored_spec(false), NULL, 0, "runs");
    memcpy(before, plan.trials[plan.cells[0].trials[0]].id, 33);
    memcpy(scratch, plan.trials[plan.cells[0].scratch[0]].id, 33);
    rti_plan_deinit(&plan);

    /* Under another name it is the same; a spec of the trial's own reads back to it. */
    snprintf(moved, sizeof moved, "%s", test_path("w.npy"));
    cr_assert_eq(rename(test_path("v.npy"), moved), 0);
    const char *set[] = {"teacher.logits=\"", NULL};
    char assignment[600];
    snprintf(assignment, sizeof assignment, "%s%s\"", set[0], moved);
    const char *sets[] = {assignment};
    test_plan(&plan, stored_spec(false), sets, 1, "runs");
    cr_assert_str_eq(plan.trials[plan.cells[0].trials[0]].id, before);
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "name = \"again\"\nseeds = [1]\n");
    rti_settings_text(plan.trials[plan.cells[0].trials[0]].settings, &text);
    test_plan(&other, rti_text_string(&text), NULL, 0, "runs");
    cr_assert_str_eq(other.trials[other.cells[0].trials[0]].id, before, "%s", rti_text_string(&text));
    rti_text_deinit(&text);
    rti_plan_deinit(&other);
    rti_plan_deinit(&plan);

    /* One number changes: another student; the scratch student never saw it. */
    rti_npy a;
    cr_assert_eq(rti_npy_read(&a, moved, &error), RT_OK);
    double *v = malloc((size_t)a.count * sizeof *v);
    for (int64_t i = 0; i < a.count; i++) v[i] = rti_npy_value(&a, i);
    v[7] += 0.5;
    cr_assert_eq(rti_npy_write(moved, RTI_NPY_F8, 2, a.shape, v, &error), RT_OK);
    rti_npy_deinit(&a);
    test_plan(&plan, stored_spec(false), sets, 1, test_path("runs"));
    cr_assert_str_neq(plan.trials[plan.cells[0].trials[0]].id, before);
    cr_assert_str_eq(plan.trials[plan.cells[0].scratch[0]].id, scratch);

    /* A file that changes under a run is noticed. */
    v[7] += 0.5;
    cr_assert_eq(rti_npy_write(moved, RTI_NPY_F8, 2, (int64_t[]){160, 10}, v, &error), RT_OK);
    cr_assert_eq(rti_trial_run(&plan, plan.cells[0].trials[0], NULL, &error), RTI_END_FAILED);
    cr_assert(strstr(error.message, "has changed since the run began"), "%s", error.message);
    free(v);
    rti_plan_deinit(&plan);
}

Test(stored_teacher, chains_begin_with_the_file) {
    train_teacher();
    rti_plan_deinit(&plan);
    const char *assistants[] = {"assistant.1.hidden=[12]", "assistant.1.epochs=1"};
    test_plan(&plan, stored_spec(true), assistants, 2, test_path("chain"));
    cr_assert_eq(plan.trial_count, 5); /* an assistant, and two seeds of scratch and student */
    const rti_trial *student = &plan.trials[plan.cells[0].trials[0]];
    cr_assert_eq(student->teacher_count, 1);
    cr_assert(!student->answers[0] && student->reference_answers[0]);
    const rti_trial *assistant = &plan.trials[student->teachers[0]];
    cr_assert(assistant->inner && !assistant->teacher_count && assistant->answers[0]);
    run_all(&plan);
    rti_record record;
    cr_assert_eq(rti_record_read(&plan, plan.cells[0].trials[0], &record, &error), RT_OK);
    cr_assert(record.test_last.has_teacher); /* measured against the file, not the assistant */
    rti_record_deinit(&record);
    rti_plan_deinit(&plan);

    const char *generations[] = {"distill.schedule=born-again", "distill.generations=2", "distill.first=teacher"};
    test_plan(&plan, stored_spec(false), generations, 3, test_path("again"));
    student = &plan.trials[plan.cells[0].trials[0]];
    cr_assert(student->generation == 2 && student->teacher_count == 1 && !student->answers[0]);
    cr_assert(plan.trials[student->teachers[0]].answers[0] && !plan.trials[student->teachers[0]].teacher_count);
    run_all(&plan);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* The message of a spec that has no plan. */
static void refused(const char *teacher, const char *const sets[], int count, const char *says) {
    static rti_spec spec;
    memset(&error, 0, sizeof error);
    const char *text = spec_of(teacher);
    rt_status status = rti_spec_parse(&spec, text, strlen(text), "tiny.toml", sets, count, &error);
    if (status == RT_OK) status = rti_plan_make(&plan, &spec, "runs", NULL, &error);
    cr_assert_neq(status, RT_OK, "%s", says);
    cr_assert(strstr(error.message, says) && strstr(error.message, "tiny.toml"), "wanted \"%s\", got: %s", says,
              error.message);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(stored_teacher, what_makes_no_sense_is_refused) {
    train_teacher();
    rti_plan_deinit(&plan);
    char teacher[1024], more[1200];
    snprintf(teacher, sizeof teacher, "[teacher]\nlogits = \"%s\"\n", test_path("v.npy"));
    snprintf(more, sizeof more, "%shidden = [5]\n", teacher);
    refused(more, NULL, 0, "teacher.hidden: [teacher] logits are answers without a network");
    snprintf(more, sizeof more, "%scount = 2\n", teacher);
    refused(more, NULL, 0, "teacher.count");
    refused("[teacher]\nepochs = 2\nlogits_are = \"probabilities\"\n", NULL, 0, "goes with [teacher] logits");
    refused("[teacher]\nlogits = \"none.npy\"\n", NULL, 0, "[teacher] none.npy");
    snprintf(more, sizeof more, "%stest_logits = \"%s\"\n", teacher, test_path("v.npy"));
    refused(more, NULL, 0, "has 160 rows, the set has 60 examples");
    snprintf(more, sizeof more, "%slogits_are = \"probabilities\"\n", teacher);
    refused(more, NULL, 0, "are they logits?");
    const char *train[] = {"data.digits.train=170"}, *mixup[] = {"student.mixup=0.2"};
    refused(teacher, train, 1, "has 160 rows, the set has 170 examples");
    refused(teacher, mixup, 1, "mixup shows mixtures");
    lesson = "[student]\nhidden = [8]\nepochs = 2\n[distill]\nmethod = \"kd+rkd\"\n";
    refused(teacher, NULL, 0, "method \"kd+rkd\" looks at hidden layers");
}
