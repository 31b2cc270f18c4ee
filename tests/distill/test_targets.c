/* Controls in place of the teacher's answers, against their definitions: whose answer each example got is
 * found by search, sums over classes are made again here, and a student of changed answers is the student of
 * a table with the same answers. Dropout that was left on gives other answers in each step, and the same
 * again. */
#include "core/file.h"
#include "core/text.h"
#include "distill/targets.h"
#include "distill/teacher.h"
#include "fixture.h"
#include "../support/temporary.h"

enum { MEMBERS = 2 };
static rt_model *nets[MEMBERS];
static rt_teacher *teacher;
static rti_cache *plain, *changed;

static void begin(void) {
    fixture_data();
    for (int m = 0; m < MEMBERS; m++) nets[m] = fixture_teacher_net(20 + (uint64_t)m);
    teacher = fixture_teacher(nets, MEMBERS, RT_COMBINE_LOGITS);
    plain = rti_cache_open(teacher, &fixture_part, NULL, NULL);
    cr_assert(plain);
}

static void change(rt_targets targets, uint64_t seed) {
    rti_cache_free(changed);
    changed = rti_cache_dup(plain, NULL);
    cr_assert(changed);
    cr_assert_eq(rti_targets_change(changed, &fixture_part, targets, seed, NULL), RT_OK);
}

static void end(void) {
    rti_cache_free(changed), rti_cache_free(plain);
    changed = NULL;
    rt_teacher_free(teacher);
    for (int m = 0; m < MEMBERS; m++) rt_model_free(nets[m]);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static const rt_real *row(rti_cache *cache, int member, int64_t i) {
    return rti_cache_member(cache, member) + i * CLASSES;
}

static bool same_row(const rt_real *a, const rt_real *b) { return !memcmp(a, b, CLASSES * sizeof *a); }

/* Whose answer example i got from member m: the only one with these bits. */
static int owner(int m, int i) {
    int found = -1;
    for (int j = 0; j < PART; j++)
        if (same_row(row(changed, m, i), row(plain, m, j))) {
            cr_assert_lt(found, 0, "two examples have the same answer");
            found = j;
        }
    return found;
}

Test(targets, shuffled_are_those_of_others_of_the_class_each_once) {
    begin();
    change(RT_TARGETS_SHUFFLED, 5);
    bool taken[PART] = {false};
    for (int i = 0; i < PART; i++) {
        int j = owner(0, i);
        cr_assert(j >= 0 && j != i && !taken[j], "example %d got the answer of %d", i, j);
        cr_assert_eq(owner(1, i), j, "members of an ensemble are changed alike");
        cr_assert_eq(fixture_part.labels[i], fixture_part.labels[j]);
        taken[j] = true;
    }
    rti_cache *first = changed;
    changed = NULL;
    change(RT_TARGETS_SHUFFLED, 6);
    int differ = 0;
    for (int i = 0; i < PART; i++) differ += !same_row(row(first, 0, i), row(changed, 0, i));
    cr_assert_gt(differ, PART / 2, "another seed is another order");
    rti_cache_free(first);
    end();
}

Test(targets, a_class_of_one_keeps_its_answer) {
    begin();
    rt_part part = fixture_part;
    int32_t labels[PART] = {0};
    labels[PART - 1] = 3;
    part.labels = labels;
    changed = rti_cache_dup(plain, NULL);
    cr_assert_eq(rti_targets_change(changed, &part, RT_TARGETS_SHUFFLED, 5, NULL), RT_OK);
    cr_assert_eq(owner(0, PART - 1), PART - 1);
    end();
}

static int by_value(const void *a, const void *b) {
    return (*(const rt_real *)a > *(const rt_real *)b) - (*(const rt_real *)a < *(const rt_real *)b);
}

Test(targets, permuted_keep_the_label_and_the_set_of_numbers) {
    begin();
    change(RT_TARGETS_PERMUTED, 5);
    int moved[CLASSES] = {0}, kept = 0;
    for (int i = 0; i < PART; i++)
        for (int m = 0; m < MEMBERS; m++) {
            const int y = fixture_part.labels[i];
            rt_real a[CLASSES], b[CLASSES];
            memcpy(a, row(plain, m, i), sizeof a), memcpy(b, row(changed, m, i), sizeof b);
            cr_assert_eq(a[y], b[y]);
            kept += same_row(a, b);
            for (int k = 0; k < CLASSES; k++) moved[k] += a[k] != b[k];
            qsort(a, CLASSES, sizeof *a, by_value), qsort(b, CLASSES, sizeof *b, by_value);
            cr_assert(same_row(a, b));
        }
    for (int k = 0; k < CLASSES; k++) cr_assert_gt(moved[k], 0, "class %d never moves", k);
    /* 3 wrong classes: one order in six is the old one, 18 of 106 */
    cr_assert(kept > 2 && kept < 40, "%d answers are as they were", kept);
    end();
}

Test(targets, class_means_are_the_means_of_the_class) {
    begin();
    change(RT_TARGETS_CLASS_MEAN, 5);
    for (int m = 0; m < MEMBERS; m++)
        for (int i = 0; i < PART; i++)
            for (int k = 0; k < CLASSES; k++) {
                double sum = 0;
                int count = 0;
                for (int j = 0; j < PART; j++) {
                    if (fixture_part.labels[j] != fixture_part.labels[i]) continue;
                    sum += (double)row(plain, m, j)[k];
                    count++;
                }
                cr_assert_float_eq((double)row(changed, m, i)[k], sum / count, 1e-5);
            }
    end();
}

/* The row of a spec and the names: one list. */
Test(targets, names_are_the_choices) {
    char choices[] = RT_TARGETS_CHOICES;
    int i = 0;
    for (char *rest = choices, *word; (word = strtok_r(rest, "|", &rest)); i++) {
        cr_assert_eq((int)rt_targets_named(word), i);
        cr_assert_str_eq(rt_targets_name((rt_targets)i), word);
    }
    cr_assert_eq(i, RT_TARGETS_DROPOUT + 1);
}

/* ---- through the driver ---- */

static rt_params options, training;

static rt_status train(rt_targets targets, rt_teacher *asked, int jitter, rt_epoch_report *report,
                       rt_error *error) {
    rt_model *student = fixture_model("hidden=[10]", 1);
    fixture_options(&options, "kd", "alpha=1 temperature=4");
    fixture_optimizer(&training, "lr=0.05");
    const rt_distiller_config config = {.student = student, .teacher = asked, .method = "kd",
                                        .options = &options, .transfer = &fixture_part, .batch = BATCH,
                                        .augment.jitter = jitter, .targets = targets, .seed = 3, .epochs = 2,
                                        .training = &training};
    rt_distiller *d = rt_distiller_new(&config, error);
    rt_status status = d ? RT_OK : error->status;
    if (d) *report = fixture_epoch(d), *report = fixture_epoch(d);
    rt_distiller_free(d);
    rt_model_free(student);
    return status;
}

static double loss(rt_targets targets, int jitter) {
    rt_epoch_report report;
    rt_error error = {0};
    cr_assert_eq(train(targets, teacher, jitter, &report, &error), RT_OK, "%s", error.message);
    return report.loss;
}

Test(targets, reach_the_student) {
    begin();
    const double own = loss(RT_TARGETS_TEACHER, 0);
    cr_assert_eq(loss(RT_TARGETS_FIXED, 0), own, "without augmentation the two are one");
    const rt_targets others[] = {RT_TARGETS_SHUFFLED, RT_TARGETS_PERMUTED, RT_TARGETS_CLASS_MEAN,
                                 RT_TARGETS_DROPOUT};
    for (int i = 0; i < 4; i++) {
        const double first = loss(others[i], 0);
        cr_assert(isfinite(first) && first != own, "%s", rt_targets_name(others[i]));
        cr_assert_eq(loss(others[i], 0), first, "%s is repeatable", rt_targets_name(others[i]));
    }
    cr_assert_neq(loss(RT_TARGETS_FIXED, 2), loss(RT_TARGETS_TEACHER, 2),
                  "on shifted images the teacher says something else");
    end();
}

/* The same numbers from a file. */
Test(targets, fixed_are_a_table_of_answers) {
    begin();
    rti_text text = RTI_TEXT_EMPTY;
    rt_graph *g = rt_graph_new(NULL);
    char path[1200];
    snprintf(path, sizeof path, "%s", test_path("answers.csv"));
    rt_part all = fixture_part;
    int32_t index[EXAMPLES];
    for (int i = 0; i < EXAMPLES; i++) index[i] = i;
    all.count = EXAMPLES, all.index = index, all.labels = fixture_labels;
    rti_cache *cache = rti_cache_open(teacher, &all, NULL, NULL);
    rt_tensor *v = rti_cache_logits(cache, g, index, EXAMPLES, 4);
    for (int i = 0; i < EXAMPLES * CLASSES; i++)
        rti_text_printf(&text, "%.17g%s", (double)rt_real_data(v)[i], (i + 1) % CLASSES ? "," : "\n");
    cr_assert_eq(rti_file_write(path, text.bytes, text.length, NULL), RT_OK);
    rt_error error = {0};
    rt_teacher *stored = rt_teacher_open(path, RT_ANSWERS_LOGITS, &fixture_examples, &error);
    cr_assert(stored, "%s", error.message);
    rt_epoch_report report;
    cr_assert_eq(train(RT_TARGETS_TEACHER, stored, 2, &report, &error), RT_OK, "%s", error.message);
    cr_assert_float_eq(report.loss, loss(RT_TARGETS_FIXED, 2), 1e-6 * fabs(report.loss));
    cr_assert_eq(train(RT_TARGETS_DROPOUT, stored, 0, &report, &error), RT_UNSUPPORTED);
    rt_teacher_free(stored);
    rti_cache_free(cache);
    rt_graph_free(g);
    rti_text_deinit(&text);
    end();
}

Test(targets, dropout_left_on_is_noise_and_leaves_no_trace) {
    begin();
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (int64_t[]){2, PIXELS});
    for (int i = 0; i < 2 * PIXELS; i++) rt_real_data(x)[i] = (rt_real)(i % 5) / 5;
    const rt_real *before[MEMBERS], *noisy[MEMBERS], *again[MEMBERS], *next[MEMBERS], *after[MEMBERS];
    const rti_teacher_noise noise = {7, 1, 2}, later = {7, 1, 3};
    cr_assert(rti_teacher_member_logits(teacher, g, x, NULL, before));
    cr_assert(rti_teacher_member_logits(teacher, g, x, &noise, noisy));
    cr_assert(rti_teacher_member_logits(teacher, g, x, &noise, again));
    cr_assert(rti_teacher_member_logits(teacher, g, x, &later, next));
    cr_assert(rti_teacher_member_logits(teacher, g, x, NULL, after));
    for (int m = 0; m < MEMBERS; m++) {
        cr_assert(same_row(before[m], after[m]) && same_row(noisy[m], again[m]));
        cr_assert(!same_row(before[m], noisy[m]) && !same_row(noisy[m], next[m]));
    }
    rt_graph_free(g);
    end();
}

Test(targets, that_make_no_sense_are_refused) {
    begin();
    rt_model *student = fixture_student_for("at", 1), *net = fixture_teacher_for("at", 2);
    rt_teacher *maps = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
    fixture_options(&options, "at", "");
    fixture_optimizer(&training, "lr=0.05");
    rt_distiller_config config = {.student = student, .teacher = maps, .method = "at", .options = &options,
                                  .transfer = &fixture_part, .batch = BATCH, .seed = 3, .epochs = 1,
                                  .targets = RT_TARGETS_SHUFFLED, .training = &training};
    rt_error error = {0};
    cr_assert_null(rt_distiller_new(&config, &error));
    cr_assert(error.status == RT_UNSUPPORTED && strstr(error.message, "hidden layers"), "%s", error.message);
    fixture_options(&options, "kd", "");
    config.method = "kd", config.augment.mixup = 1;
    cr_assert_null(rt_distiller_new(&config, &error));
    cr_assert(error.status == RT_UNSUPPORTED && strstr(error.message, "mixup"), "%s", error.message);
    config.augment.mixup = 0, config.targets = RT_TARGETS_DROPOUT;
    cr_assert_null(rt_distiller_new(&config, &error));
    cr_assert(strstr(error.message, "batch normalisation"), "%s", error.message);
    rt_teacher_free(maps);
    rt_model_free(net), rt_model_free(student);
    end();
}
