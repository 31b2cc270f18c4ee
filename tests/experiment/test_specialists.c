/* Specialists, from the generalist's answers to the tables. Checked: the covariance against E[pq] -
 * E[p]E[q], the clusters against all partitions of a few points, sets of classes that are mixed up by
 * construction, the prior that a trained specialist has learnt against the data's own counts, the tables
 * against a recount from the files, a stop at every kind of place against the bits of an undisturbed run,
 * and a student that learns from what was left for it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "compare.h"
#include "deploy/export.h"
#include "experiment/specialists.h"
#include "experiment/trial.h"
#include "formats/csv.h"
#include "formats/npy.h"
#include "retort/alloc.h"
#include "specs.h"

static rt_error error;
static rti_plan plan;

/* ---- sets ---- */

Test(specialists, covariance_is_that_of_the_probabilities) {
    enum { N = 40, K = 4 };
    rt_real z[N * K];
    int32_t index[N / 2];
    double covariance[K * K], p[N / 2][K];
    rt_rng rng = rt_rng_stream(3, "test", 0, 0);
    for (int i = 0; i < N * K; i++) z[i] = (rt_real)(2 * rt_rng_normal(&rng));
    for (int i = 0; i < N / 2; i++) {
        double sum = 0;
        index[i] = 2 * i + 1;
        for (int k = 0; k < K; k++) sum += p[i][k] = exp((double)z[index[i] * K + k]);
        for (int k = 0; k < K; k++) p[i][k] /= sum;
    }
    cr_assert_eq(rti_prediction_covariance(N / 2, K, index, z, covariance, &error), RT_OK);
    for (int a = 0; a < K; a++)
        for (int b = 0; b < K; b++) {
            double ab = 0, mean_a = 0, mean_b = 0;
            for (int i = 0; i < N / 2; i++) ab += p[i][a] * p[i][b], mean_a += p[i][a], mean_b += p[i][b];
            const double expected = ab / (N / 2) - mean_a * mean_b / (N / 2) / (N / 2);
            cr_assert_float_eq(covariance[a * K + b], expected, 1e-12);
        }
    const double corner = covariance[1] / sqrt(covariance[0] * covariance[K + 1]);
    rti_correlation(K, covariance);
    cr_assert_float_eq(covariance[1], corner, 1e-12);
    cr_assert_float_eq(covariance[K], corner, 1e-12);
    cr_assert_eq(covariance[0], 1);
}

/* The smallest sum of squares over all ways to give `count` points to `clusters`, each at most `most`. */
static double all_partitions(int count, int D, const double *x, int clusters, int most) {
    double least = INFINITY;
    int ways = 1;
    for (int i = 0; i < count; i++) ways *= clusters;
    for (int way = 0; way < ways; way++) {
        double sum = 0;
        bool fits = true;
        for (int c = 0; c < clusters && fits; c++) {
            double mean[4] = {0}, square = 0;
            int have = 0;
            for (int i = 0, rest = way; i < count; i++, rest /= clusters)
                for (int d = 0; rest % clusters == c && d < D; d++) {
                    have += d == 0;
                    mean[d] += x[i * D + d];
                    square += x[i * D + d] * x[i * D + d];
                }
            for (int d = 0; have && d < D; d++) square -= mean[d] * mean[d] / have;
            sum += square;
            fits = have && have <= most;
        }
        if (fits && sum < least) least = sum;
    }
    return least;
}

Test(specialists, kmeans_finds_the_best_partition_of_a_few_points) {
    for (int try = 0; try < 12; try++) {
        double x[7 * 2], squares;
        int32_t cluster[7], again[7];
        rt_rng rng = rt_rng_stream(5, "test", (uint64_t)try, 0);
        for (int i = 0; i < 7; i++) /* three heaps, more or less far apart */
            for (int d = 0; d < 2; d++) x[i * 2 + d] = 6 * (i % 3 == d) + rt_rng_normal(&rng);
        const int most = try % 2 ? 7 : 3;
        cr_assert_eq(rti_online_kmeans(7, 2, x, 3, most, 1, cluster, &squares, &error), RT_OK);
        cr_assert_float_eq(squares, all_partitions(7, 2, x, 3, most), 1e-9);
        cr_assert_eq(rti_online_kmeans(7, 2, x, 3, most, 1, again, &squares, &error), RT_OK);
        cr_assert(!memcmp(cluster, again, sizeof cluster));
        int have[3] = {0};
        for (int i = 0; i < 7; i++) have[cluster[i]]++;
        for (int c = 0; c < 3; c++) cr_assert(have[c] >= 1 && have[c] <= most);
    }
}

Test(specialists, kmeans_leaves_no_cluster_empty_when_points_are_the_same) {
    const double x[4] = {1, 1, 1, 1};
    double squares;
    int32_t cluster[4];
    int have[3] = {0};
    cr_assert_eq(rti_online_kmeans(4, 1, x, 3, 4, 9, cluster, &squares, &error), RT_OK);
    for (int i = 0; i < 4; i++) have[cluster[i]]++;
    for (int c = 0; c < 3; c++) cr_assert_geq(have[c], 1);
    cr_assert_eq(squares, 0);
}

static void check_sets(const rti_special_sets *s) {
    for (int m = 0; m < s->count; m++) {
        int inside = 0;
        for (int i = 0; i < s->n; i++) cr_assert_eq(s->output[m * s->K + s->classes[m * s->n + i]], i);
        for (int k = 0; k < s->K; k++) inside += s->output[m * s->K + k] < s->n;
        cr_assert_eq(inside, s->n);
    }
}

/* Classes 2 i and 2 i + 1 are mixed up half of the time; 0 and 1 are also taken for 4 now and then. */
static void mixed_up(double covariance[36]) {
    enum { N = 600 };
    static rt_real z[N * 6];
    static int32_t index[N];
    for (int i = 0; i < N; i++) {
        const int k = i % 6, other = k ^ 1;
        index[i] = i;
        for (int j = 0; j < 6; j++) z[i * 6 + j] = j == k || (j == other && i / 6 % 2) ? 6 : 0;
        if (k < 2 && i / 6 % 5 == 0) z[i * 6 + 4] = 5;
    }
    cr_assert_eq(rti_prediction_covariance(N, 6, index, z, covariance, &error), RT_OK);
}

Test(specialists, sets_are_classes_that_the_generalist_mixes_up) {
    double covariance[36];
    rti_special_sets s, again;
    mixed_up(covariance);
    for (int law = RTI_SETS_COVARIANCE; law <= RTI_SETS_CORRELATION; law++) {
        if (law == RTI_SETS_CORRELATION) rti_correlation(6, covariance);
        cr_assert_eq(rti_special_sets_make(&s, 6, covariance, 3, 2, (rti_set_law)law, 1, &error), RT_OK);
        check_sets(&s);
        for (int m = 0; m < 3; m++) {
            cr_assert_eq(s.classes[2 * m] / 2, s.classes[2 * m + 1] / 2, "set %d", m);
            cr_assert_eq(s.own[m], 2);
        }
        rti_special_sets_deinit(&s);
        cr_assert_eq(rti_special_sets_make(&s, 6, covariance, 3, 3, (rti_set_law)law, 1, &error), RT_OK);
        check_sets(&s);
        for (int m = 0; m < 3; m++)
            if (s.own[m] == 2 && s.classes[3 * m] < 2) cr_assert_eq(s.classes[3 * m + 2], 4, "filled with 4");
        cr_assert_eq(rti_special_sets_make(&again, 6, covariance, 3, 3, (rti_set_law)law, 1, &error), RT_OK);
        cr_assert(!memcmp(s.classes, again.classes, 9 * sizeof *s.classes));
        rti_special_sets_deinit(&s), rti_special_sets_deinit(&again);
    }
    /* Fewer places than classes: a cluster is cut. */
    cr_assert_eq(rti_special_sets_make(&s, 6, covariance, 1, 2, RTI_SETS_COVARIANCE, 1, &error), RT_OK);
    check_sets(&s);
    cr_assert_eq(s.own[0], 2);
    rti_special_sets_deinit(&s);
    cr_assert_eq(rti_special_sets_make(&s, 6, covariance, 6, 2, RTI_SETS_RANDOM, 1, &error), RT_OK);
    check_sets(&s);
    bool differ = false;
    for (int m = 1; m < 6; m++) differ |= memcmp(s.output, s.output + m * 6, 6 * sizeof *s.output) != 0;
    cr_assert(differ);
    rti_special_sets_deinit(&s);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- the prior that is learnt ---- */

/* Inputs that say nothing: the best answer is the classes' shares as they were shown, 1/4, 1/4 and 1/2, and
 * with the shift those of the data, 40, 40 and 120 of 200. */
Test(specialists, corrected_dustbin_is_as_likely_as_the_rest_is_frequent) {
    static const int have[4] = {100, 40, 40, 20};
    char table[8192] = "a,b,kind\n", spec[2048];
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < have[k]; i++)
            snprintf(table + strlen(table), 32, "%d,%d,%c\n", i % 2, i / 2 % 2, "wxyz"[k]);
    test_write(test_path("table.csv"), table);
    snprintf(spec, sizeof spec,
             "name = \"tiny\"\nseeds = [1]\n[data]\nset = \"csv\"\ncsv = { train = \"%s\", test = \"%s\" }\n"
             "validation = 0\nbatch = 20\n[teacher]\nhidden = []\nepochs = 1\n"
             "optimizer = { name = \"sgd\", lr = 0.02, schedule = \"linear\" }\n[student]\nhidden = "
             "[]\nepochs = 1\n",
             test_path("table.csv"), test_path("table.csv"));
    test_plan(&plan, spec, NULL, 0, test_path("runs"));
    cr_assert_eq(plan.trials[0].role, RTI_TEACHER);
    rt_model *generalist = rti_trial_model(&plan, 0, &error);
    int32_t classes[2] = {1, 2}, output[4] = {2, 0, 1, 2};
    rti_special_sets sets = {.K = 4, .count = 1, .n = 2, .classes = classes, .output = output};
    const rt_params *rows = &plan.trials[0].settings->teacher;
    const rti_specialist_training training = {.set = plan.datasets[0],
                                              .generalist = generalist,
                                              .generalist_hash = "x",
                                              .network = rows,
                                              .training = rows,
                                              .epochs = 120,
                                              .batch = 20,
                                              .seed = 1,
                                              .directory = test_path("")};
    rti_specialist s, again;
    cr_assert_eq(rti_specialist_train(&s, &training, &sets, 0, &error), RT_OK, "%s", error.message);
    cr_assert_eq(s.special, 80);
    cr_assert_eq(s.rest, 120);
    cr_assert_float_eq(s.shift, log(1.5), 1e-15);
    const rt_examples *e = rt_dataset_train_examples(plan.datasets[0]);
    rt_real rows_of[200 * 3];
    cr_assert_eq(rti_answers(s.model, e, rows_of, &error), RT_OK);
    double mean[3] = {0};
    for (int i = 0; i < 200; i++) {
        double p[3], sum = 0;
        for (int j = 0; j < 3; j++) sum += p[j] = exp((double)rows_of[3 * i + j] + (j == 2 ? s.shift : 0));
        for (int j = 0; j < 3; j++) mean[j] += p[j] / sum / 200;
    }
    cr_assert_float_eq(mean[2], 0.6, 0.01, "the dustbin has %g", mean[2]);
    cr_assert_float_eq(mean[0], 0.2, 0.02);
    cr_assert_float_eq(mean[1], 0.2, 0.02);

    /* Its file is taken when the same settings ask, and not when others do, nor when it is damaged. */
    rti_specialist_training other = training;
    cr_assert_eq(rti_specialist_train(&again, &training, &sets, 0, &error), RT_OK);
    cr_assert(again.was_there && again.shift == s.shift);
    rt_model_free(again.model);
    other.epochs = 1;
    cr_assert_eq(rti_specialist_train(&again, &other, &sets, 0, &error), RT_OK);
    cr_assert(!again.was_there);
    rt_model_free(again.model);
    test_write(test_path("specialist-01.safetensors"), "junk");
    cr_assert_eq(rti_specialist_train(&again, &training, &sets, 0, &error), RT_OK);
    cr_assert(!again.was_there);
    char one[33], two[33];
    rt_model_hash(s.model, one), rt_model_hash(again.model, two);
    cr_assert_str_eq(one, two);
    rt_model_free(again.model), rt_model_free(s.model), rt_model_free(generalist);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* ---- all of it ---- */

#define TINY TEST_SPEC_HEAD "temperature = 4.0\nalpha = 0.9\n"

static int steps_left;

static bool count_down(void *context, int64_t epoch, int64_t step, int64_t steps) {
    (void)context, (void)epoch, (void)step, (void)steps;
    return steps_left < 0 || steps_left-- > 0;
}

static rti_specialists_config tiny_config(const char *directory) {
    return (rti_specialists_config){.plan = &plan,
                                    .count = 3,
                                    .classes = 4,
                                    .epochs = 2,
                                    .lr = NAN,
                                    .momentum = NAN,
                                    .cover = 1,
                                    .seed_count = 2,
                                    .seeds = {1, 2},
                                    .directory = directory,
                                    .control = true,
                                    .on_step = count_down};
}

static void train_teacher(const char *spec) {
    steps_left = -1;
    test_plan(&plan, spec, NULL, 0, test_path("runs"));
    for (int t = 0; t < plan.trial_count; t++)
        if (plan.trials[t].role == RTI_TEACHER)
            cr_assert_eq(rti_trial_run(&plan, t, NULL, &error), RTI_END_DONE, "%s", error.message);
}

static int top(const rti_npy *rows, int64_t i) {
    int best = 0;
    for (int k = 1; k < 10; k++)
        if (rti_npy_value(rows, i * 10 + k) > rti_npy_value(rows, i * 10 + best)) best = k;
    return best;
}

/* Accuracy and coverage of one seed again, from test-logits.npy and the sets. */
static void recount(const rti_specialists_seed *s, const char *directory, bool *took_part) {
    char path[4200];
    rti_npy rows;
    const rt_examples *e = rt_dataset_test_examples(plan.datasets[0]);
    snprintf(path, sizeof path, "%.4000s/seed-%d/test-logits.npy", directory, (int)s->seed);
    cr_assert_eq(rti_npy_read(&rows, path, &error), RT_OK, "%s", error.message);
    cr_assert(rows.shape[0] == e->count && rows.shape[1] == 10);
    int64_t right = 0, covered[4] = {0}, generalist = 0, examples = 0;
    for (int64_t i = 0; i < e->count; i++) {
        double sum = 0;
        int sets = 0;
        for (int k = 0; k < 10; k++) sum += exp(rti_npy_value(&rows, i * 10 + k));
        cr_assert_float_eq(sum, 1, 1e-5);
        for (int m = 0; m < 3; m++) sets += s->sets.output[m * 10 + e->labels[i]] < 4;
        right += top(&rows, i) == e->labels[i];
        covered[sets]++;
    }
    cr_assert_eq(s->all.full, right);
    cr_assert_eq(s->won - s->lost, s->all.full - s->all.generalist);
    for (int sets = 0; sets < 4; sets++) {
        cr_assert_eq(s->covered[sets].examples, covered[sets]);
        examples += s->covered[sets].examples, generalist += s->covered[sets].generalist;
    }
    cr_assert_eq(examples, e->count);
    cr_assert_eq(generalist, s->all.generalist);
    *took_part |= s->won + s->lost > 0 || s->steps > 0;
    rti_npy_deinit(&rows);
}

Test(specialists, tables_are_those_of_the_answers_that_are_left) {
    char directory[4096], path[4200];
    rti_specialists_result r;
    rti_csv csv;
    bool took_part = false;
    train_teacher(TINY);
    snprintf(directory, sizeof directory, "%s", test_path("out"));
    const rti_specialists_config config = tiny_config(directory);
    cr_assert_eq(rti_specialists(&config, &r, &error), RT_OK, "%s", error.message);
    rt_quality quality;
    rt_model *teacher = NULL;
    rti_trial_directory(&plan, 0, path, sizeof path - 64);
    strncat(path, "/weights.safetensors", 64);
    teacher = rt_model_open(path, &error);
    cr_assert(teacher, "%s", error.message);
    const rt_part *test = rt_dataset_part(plan.datasets[0], RT_PART_TEST);
    cr_assert_eq(rt_evaluate(teacher, NULL, test, &quality, NULL, &error), RT_OK);
    rt_model_free(teacher);
    const int64_t right = quality.examples - quality.errors;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(r.seeds[i].all.generalist, right);
        recount(&r.seeds[i], directory, &took_part);
        cr_assert_eq(r.seeds[i].union_classes, 10); /* 3 sets of 4 */
        cr_assert_eq(r.seeds[i].conditional.full, r.seeds[i].all.full);
        int64_t shown = 0; /* the control sees as many: 2 epochs of twice each set's examples, of 120 */
        for (int m = 0; m < 3; m++) shown += 2 * 2 * r.seeds[i].row[m].special;
        cr_assert_eq(r.seeds[i].on_epochs, (shown + 60) / 120);
        snprintf(path, sizeof path, "%.4000s/seed-%d/generalist.safetensors", directory, i + 1);
        rt_model *on = rt_model_open(path, &error);
        cr_assert(on, "%s", error.message);
        cr_assert_eq(rt_evaluate(on, NULL, test, &quality, NULL, &error), RT_OK);
        cr_assert_eq(r.seeds[i].on, quality.examples - quality.errors);
        cr_assert_eq(r.seeds[i].conditional_on, r.seeds[i].on);
        rt_model_free(on);
    }
    cr_assert(took_part);
    const double a = (double)r.seeds[0].all.full / 60, b = (double)r.seeds[1].all.full / 60;
    cr_assert_float_eq(rti_specialists_over_seeds(&r, RTI_SPECIALISTS_FULL, false).mean, (a + b) / 2, 1e-12);
    static const struct {
        const char *name;
        int64_t rows;
    } tables[] = {{"accuracy.csv", 3}, {"specialists.csv", 7}, {"sets.csv", 25}};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, tables[i].name);
        cr_assert_eq(rti_csv_read(&csv, path, ',', &error), RT_OK, "%s", error.message);
        cr_assert_eq(csv.rows, tables[i].rows, "%s has %lld rows", tables[i].name, (long long)csv.rows);
        rti_csv_deinit(&csv);
    }
    rti_text text = RTI_TEXT_EMPTY;
    rti_specialists_text(&text, &r);
    cr_assert(strstr(rti_text_string(&text), "specialists covering"));
    rti_text_deinit(&text);
    rti_specialists_deinit(&r);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static bool same_file(const char *one, const char *two, const char *name) {
    char path[4200];
    size_t a, b;
    snprintf(path, sizeof path, "%s/%s", one, name);
    char *x = test_file(path, &a);
    snprintf(path, sizeof path, "%s/%s", two, name);
    char *y = test_file(path, &b);
    const bool same = x && y && a == b && !memcmp(x, y, a);
    free(x), free(y);
    return same;
}

Test(specialists, go_on_where_they_were_stopped_with_the_same_bits) {
    char whole[4096], torn[4096];
    rti_specialists_result r;
    train_teacher(TINY);
    snprintf(whole, sizeof whole, "%s", test_path("whole"));
    snprintf(torn, sizeof torn, "%s", test_path("torn"));
    rti_specialists_config config = tiny_config(whole);
    cr_assert_eq(rti_specialists(&config, &r, &error), RT_OK, "%s", error.message);
    rti_specialists_deinit(&r);
    config.directory = torn;
    int stops = 0;
    rt_status status = RT_STOPPED;
    for (; status == RT_STOPPED && stops < 200; stops++) { /* a little farther each time */
        steps_left = 17 + stops;
        status = rti_specialists(&config, &r, &error);
    }
    cr_assert_eq(status, RT_OK, "%s", error.message);
    cr_assert_gt(stops, 2);
    rti_specialists_deinit(&r);
    static const char *const files[] = {"accuracy.csv",
                                        "coverage.csv",
                                        "specialists.csv",
                                        "sets.csv",
                                        "seed-2/specialist-03.safetensors",
                                        "seed-1/generalist.safetensors",
                                        "seed-1/test-logits.npy",
                                        "seed-2/train-logits.npy"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        cr_assert(same_file(whole, torn, files[i]), "%s", files[i]);
    /* All are there: no step of training is needed, only the steps of equation 5. */
    steps_left = 8;
    cr_assert_eq(rti_specialists(&config, &r, &error), RT_OK, "%s", error.message);
    rti_specialists_deinit(&r);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(specialists, a_student_learns_from_what_they_leave) {
    char directory[4096], spec[8192];
    rti_specialists_result r;
    rti_record record;
    train_teacher(TEST_SPEC_HEAD);
    rti_specialists_config config = tiny_config(NULL);
    config.seed_count = 1;
    cr_assert_eq(rti_specialists(&config, &r, &error), RT_OK, "%s", error.message);
    snprintf(directory, sizeof directory, "%s", r.directory);
    cr_assert(strstr(directory, "tiny/specialists"));
    rti_specialists_deinit(&r);
    rti_plan_deinit(&plan);
    snprintf(
        spec, sizeof spec,
        "name = \"student\"\nseeds = [1]\n[data]\nset = \"digits\"\ndigits = { train = 160, test = 60 }\n"
        "validation = 40\nbatch = 20\n[teacher]\nlogits = \"%.1000s/seed-1/train-logits.npy\"\n"
        "test_logits = \"%.1000s/seed-1/test-logits.npy\"\n[student]\nhidden = [8]\nepochs = 2\n"
        "[distill]\nmethod = \"kd\"\n",
        directory, directory);
    test_plan(&plan, spec, NULL, 0, test_path("runs"));
    for (int t = 0; t < plan.trial_count; t++)
        cr_assert_eq(rti_trial_run(&plan, t, NULL, &error), RTI_END_DONE, "%s", error.message);
    cr_assert_eq(rti_record_read(&plan, plan.cells[0].trials[0], &record, &error), RT_OK);
    cr_assert(record.state == RTI_DONE && record.test_last.has_teacher);
    rti_record_deinit(&record);
    rti_plan_deinit(&plan);
}

Test(specialists, of_a_convolutional_net_and_of_two_probable_classes) {
    rti_specialists_result r;
    train_teacher(
        "name = \"tiny\"\nseeds = [1]\n[data]\nset = \"digits\"\ndigits = { train = 160, test = 60 }\n"
        "validation = 40\nbatch = 20\n[teacher]\nmodel = \"resnet\"\ndepth = 8\nfilters = [2, 2, 3, 4]\n"
        "epochs = 1\njitter = 1\n[student]\nhidden = [8]\nepochs = 1\n");
    rti_specialists_config config = tiny_config(test_path("out"));
    config.seed_count = 1;
    config.epochs = 0, config.classes = 0, config.count = 2, config.cover = 2;
    cr_assert_eq(rti_specialists(&config, &r, &error), RT_OK, "%s", error.message);
    cr_assert(r.n == 3 && r.epochs == 1 && r.count == 2 && r.K == 10);
    int64_t asked = 0;
    for (int m = 0; m < 2; m++) asked += r.seeds[0].row[m].asked;
    cr_assert_gt(asked, 0);
    rti_specialists_deinit(&r);
    rti_plan_deinit(&plan);
}

Test(specialists, asked_are_those_with_a_probable_class) {
    int32_t classes[2] = {2, 0};
    const rti_special_sets sets = {.K = 4, .count = 1, .n = 2, .classes = classes};
    const rt_real z[4] = {1, 3, 2, 2};
    cr_assert(!rti_is_asked(&sets, 0, z, 1));
    cr_assert(rti_is_asked(&sets, 0, z, 2)); /* of equals the first */
    classes[0] = 3;
    cr_assert(!rti_is_asked(&sets, 0, z, 2));
    cr_assert(rti_is_asked(&sets, 0, z, 3));
}

static void refuses(const rti_specialists_config *config, rt_status status, const char *word) {
    rti_specialists_result r;
    cr_assert_eq(rti_specialists(config, &r, &error), status, "%s", error.message);
    cr_assert(strstr(error.message, word), "%s", error.message);
}

Test(specialists, refuse_what_can_not_be) {
    test_plan(&plan, TINY, NULL, 0, test_path("runs"));
    rti_specialists_config config = tiny_config(test_path("out"));
    refuses(&config, RT_NOT_FOUND, "retort run");
    rti_plan_deinit(&plan);
    train_teacher(TINY);
    config.classes = 10;
    refuses(&config, RT_VALUE, "1 to 9 of 10 classes");
    config.classes = 3, config.count = 11;
    refuses(&config, RT_VALUE, "specialists");
    config.count = 3, config.cover = 11;
    refuses(&config, RT_VALUE, "most probable");
    rti_plan_deinit(&plan);
    test_plan(&plan,
              "name = \"tiny\"\nseeds = [1]\n[data]\nset = \"digits\"\ndigits = { train = 160, test = 60 }\n"
              "validation = 40\n[student]\nhidden = [8]\nepochs = 2\n",
              NULL, 0, test_path("runs"));
    config.cover = 1;
    refuses(&config, RT_SPEC, "[teacher]");
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
