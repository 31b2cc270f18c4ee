/* Bugs that other implementations of distillation have had, line by line, and what would catch each here.
 *
 *   divided by the number of classes        impossible_classes_count_for_nothing
 *   T^2 missing, or in one place only       the_gradient_does_not_fade_with_temperature; all_methods/
 *                                           gradients_of_whole_losses_are_right
 *   KL reversed                             the_teacher_comes_first; presets/are_what_others_publish
 *   a jump at alpha = 0, 0 x inf            the_ends_of_alpha_are_exact;
 *                                           parts/a_part_of_weight_0_changes_no_bit
 *   sum for mean over the batch             a_batch_twice_is_the_batch
 *   log of a softmax                        logits_of_ten_thousand_are_finite; logits/extremes_are_finite
 *   an adapter outside the optimiser        stages/every_adapter_parameter_is_trained_and_none_is_in_
 *                                           the_student
 *   a loss that is always 0                 the_teacher_is_the_minimum_and_every_soft_term_pulls; the golden
 *                                           values of each method's test
 *   teacher and student are one object      all_methods/a_run_trains_the_student_and_leaves_the_teacher_
 *                                           alone,
 *                                           chains/generations_follow_one_another_from_new_weights,
 *                                           mutual/peers_have_weights_of_their_own
 *   evaluation mode sticks                  driver/dropout_works_in_every_epoch
 *   the teacher in training mode            a_teacher_with_batch_norm_answers_alike
 *   targets of other examples               cache/a_lookup_is_a_fresh_forward_pass,
 *                                           all_methods/soft_targets_belong_to_the_example_at_hand
 *   a path that nobody ran                  contrast_crd/variants, contrast_crd/negatives
 *   a sign turned                           the_teacher_is_the_minimum_and_every_soft_term_pulls;
 *                                           logits/the_minimum_is_the_teacher
 *   one name, several losses                presets/none_is_without_a_formula_and_a_source
 *   the same seed, another result           driver/the_same_seed_gives_the_same_bits_and_another_does_not
 *   the best epoch on test data             trial/without_validation_the_best_is_the_last, test_tuning.c */
#include "fixture.h"
#include "retort/ops.h"

enum { ROWS = 6, WIDTH = 5, WIDEST = 2 * WIDTH, TWICE = 2 * ROWS };
static const int32_t labels[TWICE] = {0, 3, 2, 4, 1, 1, 0, 3, 2, 4, 1, 1};

typedef struct batch {
    int rows, width;
    rt_real v[TWICE * WIDEST], z[TWICE * WIDEST], gradient[TWICE * WIDEST];
} batch;

/* ROWS rows of WIDTH logits in -scale..scale. */
static batch drawn(double scale) {
    batch b = {.rows = ROWS, .width = WIDTH};
    rt_rng rng = rt_rng_stream(5, "peer bugs", 0, 0);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        b.v[i] = (rt_real)(scale * (2 * rt_rng_uniform(&rng) - 1));
        b.z[i] = (rt_real)(scale * (2 * rt_rng_uniform(&rng) - 1));
    }
    return b;
}

static rt_params options;

/* The loss; its gradient to z in b->gradient. */
static double loss_of(const char *method, batch *b) {
    rt_graph *g = rt_graph_new(NULL);
    const int64_t shape[] = {b->rows, b->width};
    rti_method_input in = {.graph = g, .y = rt_graph_labels(g, labels, b->rows), .lambda = 1, .epochs = 1};
    in.v = rt_graph_input(g, b->v, 2, shape);
    in.z = rt_graph_input(g, b->z, 2, shape);
    in.z->requires_grad = true;
    rti_terms terms = {.count = 0};
    rti_method_find(method)->loss(NULL, &options, &in, &terms);
    rt_tensor *total = rti_terms_total(g, &terms);
    cr_assert(total, "%s: %s", method, rt_graph_error(g)->message);
    cr_assert_eq(rt_backward(g, total), RT_OK);
    memcpy(b->gradient, in.z->grad, (size_t)(b->rows * b->width) * sizeof *b->gradient);
    const double value = rt_tensor_item(total);
    rt_graph_free(g);
    return value;
}

static double length_of_gradient(const batch *b) {
    double sum = 0;
    for (int i = 0; i < b->rows * b->width; i++) sum += (double)b->gradient[i] * (double)b->gradient[i];
    return sqrt(sum);
}

static void same(double a, double b, const char *what) {
    const double tolerance = sizeof(rt_real) == 8 ? 1e-12 : 4e-5;
    cr_assert(fabs(a - b) <= tolerance * (1 + fabs(a)), "%s: %.12g, then %.12g", what, a, b);
}

/* Every method of logits alone, and every preset of kd. f(method, preset or "default"). */
static void for_logits(void (*f)(const char *method, const char *preset)) {
    static const char *const methods[] = {"kd",    "logit-mse",      "dkd", "logit-standardization", "dist",
                                          "tf-kd", "label-smoothing"};
    for (int m = 0; m < (int)(sizeof methods / sizeof *methods); m++) {
        int count;
        const char *const *presets = rt_preset_names(methods[m], &count);
        for (int p = -1; p < count; p++) {
            rt_error error;
            fixture_options(&options, methods[m], "");
            if (p >= 0)
                cr_assert_eq(rt_preset_apply(methods[m], presets[p], &options, &error), RT_OK, "%s",
                             error.message);
            f(methods[m], p < 0 ? "default" : presets[p]);
        }
    }
}

/* ---- classes, batch ---- */

/* These say in their contract that they take the mean over classes; with the labels' part apart, half. */
static bool is_mean_over_classes(const char *preset) {
    static const char *const known[] = {"haitongli", "takd", "mmrazor-fitnets"};
    for (int i = 0; i < (int)(sizeof known / sizeof *known); i++)
        if (strcmp(known[i], preset) == 0) return true;
    return false;
}

static void with_impossible_classes(const char *method, const char *preset) {
    if (strcmp(method, "kd") && strcmp(method, "dkd")) return; /* others look at all classes by definition */
    batch few = drawn(3), many = {.rows = ROWS, .width = WIDEST};
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < WIDEST; k++) {
            many.v[n * WIDEST + k] = k < WIDTH ? few.v[n * WIDTH + k] : (rt_real)-1e4;
            many.z[n * WIDEST + k] = k < WIDTH ? few.z[n * WIDTH + k] : (rt_real)-1e4;
        }
    double a = loss_of(method, &few), b = loss_of(method, &many);
    if (is_mean_over_classes(preset)) {
        cr_assert(fabs(a - b) > 1e-3 * a, "%s no longer divides by the classes", preset);
        return;
    }
    same(a, b, preset);
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < WIDTH; k++)
            same((double)few.gradient[n * WIDTH + k], (double)many.gradient[n * WIDEST + k], preset);
}

Test(peer_bugs, impossible_classes_count_for_nothing) { for_logits(with_impossible_classes); }

static void with_batch_twice(const char *method, const char *preset) {
    if (strcmp(preset, "mmrazor") == 0 && strcmp(method, "dkd") == 0) return; /* the bug itself, by name */
    batch once = drawn(3), twice = drawn(3);
    twice.rows = TWICE;
    memcpy(twice.v + ROWS * WIDTH, once.v, (size_t)(ROWS * WIDTH) * sizeof *once.v);
    memcpy(twice.z + ROWS * WIDTH, once.z, (size_t)(ROWS * WIDTH) * sizeof *once.z);
    same(loss_of(method, &once), loss_of(method, &twice), preset);
    for (int i = 0; i < ROWS * WIDTH; i++)
        same((double)once.gradient[i], (double)twice.gradient[i] + (double)twice.gradient[ROWS * WIDTH + i],
             preset);
}

Test(peer_bugs, a_batch_twice_is_the_batch) { for_logits(with_batch_twice); }

/* ---- temperature, direction, alpha ---- */

/* At high T the gradient tends to (z~ - v~)/(K N), z~ and v~ centred: the same length at any T. Without T^2
 * it would fall 16-fold from T 64 to 256, with T^2 in the value alone it would not be the slope. */
Test(peer_bugs, the_gradient_does_not_fade_with_temperature) {
    batch b = drawn(3);
    double limit = 0, length[2];
    for (int n = 0; n < ROWS; n++) {
        double mean = 0;
        for (int k = 0; k < WIDTH; k++)
            mean += ((double)b.z[n * WIDTH + k] - (double)b.v[n * WIDTH + k]) / WIDTH;
        for (int k = 0; k < WIDTH; k++) {
            const double d = (double)b.z[n * WIDTH + k] - (double)b.v[n * WIDTH + k] - mean;
            limit += d * d;
        }
    }
    limit = sqrt(limit) / (WIDTH * ROWS);
    for (int i = 0; i < 2; i++) {
        fixture_options(&options, "kd", i ? "alpha=1 temperature=256" : "alpha=1 temperature=64");
        loss_of("kd", &b);
        length[i] = length_of_gradient(&b);
    }
    cr_assert(fabs(length[0] / limit - 1) < 0.05 && fabs(length[1] / limit - 1) < 0.02, "%g %g, limit %g",
              length[0], length[1], limit);
}

Test(peer_bugs, the_teacher_comes_first) {
    /* p = (1/2, 1/2), q = (1/4, 3/4): KL(p||q) = log 2 - log(3)/2, KL(q||p) = (3/4) log 3 - log 2. */
    batch b = {.rows = 1, .width = 2, .z = {0, (rt_real)log(3)}};
    fixture_options(&options, "kd", "alpha=1 temperature=1");
    same(log(2) - 0.5 * log(3), loss_of("kd", &b), "KL(teacher || student)");
    fixture_options(&options, "kd", "alpha=1 temperature=1 direction=student-first");
    same(0.75 * log(3) - log(2), loss_of("kd", &b), "KL(student || teacher)");
}

Test(peer_bugs, the_ends_of_alpha_are_exact) {
    batch b = drawn(3);
    rt_graph *g = rt_graph_new(NULL);
    const int64_t shape[] = {ROWS, WIDTH};
    rt_tensor *z = rt_graph_input(g, b.z, 2, shape), *v = rt_graph_input(g, b.v, 2, shape);
    const double ce = rt_tensor_item(rt_cross_entropy(g, z, rt_graph_labels(g, labels, ROWS)));
    const double kl = rt_tensor_item(rt_scale(g, rt_kl_divergence(g, v, z, 4), 16));
    fixture_options(&options, "kd", "alpha=1 temperature=4");
    cr_assert(loss_of("kd", &b) == kl);
    fixture_options(&options, "kd", "alpha=0 temperature=4");
    cr_assert(loss_of("kd", &b) == ce);
    /* Nothing times infinity is no number: a term of weight 0 is not computed. */
    b.v[3] = (rt_real)INFINITY, b.v[7] = (rt_real)NAN;
    cr_assert(loss_of("kd", &b) == ce);
    rt_graph_free(g);
}

/* ---- extremes, signs ---- */

static void with_extremes(const char *method, const char *preset) {
    batch b = drawn(1e4);
    const double loss = loss_of(method, &b);
    cr_assert(isfinite(loss) && isfinite(length_of_gradient(&b)), "%s %s: %g", method, preset, loss);
}

Test(peer_bugs, logits_of_ten_thousand_are_finite) { for_logits(with_extremes); }

/* The loss without its labels: the rows that say so are set to what leaves the soft term alone. */
static void with_soft_term(const char *method, const char *preset) {
    if (strcmp(method, "label-smoothing") == 0 || strcmp(method, "tf-kd") == 0) return; /* no teacher */
    batch b = drawn(3), equal = drawn(3), near = drawn(3);
    memcpy(equal.z, equal.v, sizeof equal.z);
    for (int i = 0; i < ROWS * WIDTH; i++)
        near.z[i] = (rt_real)((double)b.v[i] + 0.5 * ((double)b.z[i] - (double)b.v[i]));
    batch *all[] = {&b, &equal, &near};
    double soft[3];
    for (int i = 0; i < 3; i++) {
        batch labelled = *all[i];
        rt_graph *g = rt_graph_new(NULL);
        const int64_t shape[] = {ROWS, WIDTH};
        rti_method_input in = {.graph = g,
                               .y = rt_graph_labels(g, labels, ROWS),
                               .lambda = 1,
                               .epochs = 1,
                               .labels_are_counted = true};
        in.v = rt_graph_input(g, labelled.v, 2, shape), in.z = rt_graph_input(g, labelled.z, 2, shape);
        in.z->requires_grad = true;
        rti_terms terms = {.count = 0};
        rti_method_find(method)->loss(NULL, &options, &in, &terms);
        rt_tensor *total = rti_terms_total(g, &terms);
        cr_assert(total, "%s %s", method, preset);
        cr_assert_eq(rt_backward(g, total), RT_OK);
        soft[i] = rt_tensor_item(total);
        double size = 0;
        for (int e = 0; e < ROWS * WIDTH; e++) size += fabs((double)in.z->grad[e]);
        if (i == 0) cr_assert(size > 1e-4, "%s %s pulls at nothing", method, preset);
        if (i == 1 && strcmp(preset, "darknet"))
            cr_assert(size < (sizeof(rt_real) == 8 ? 1e-9 : 1e-3), "%s %s at the teacher: %g", method, preset,
                      size);
        rt_graph_free(g);
    }
    if (strcmp(preset, "darknet") == 0) return; /* labels are in its targets: no minimum at the teacher */
    cr_assert(soft[1] < soft[2] && soft[2] < soft[0], "%s %s: %g at the teacher, %g on the way, %g", method,
              preset, soft[1], soft[2], soft[0]);
}

Test(peer_bugs, the_teacher_is_the_minimum_and_every_soft_term_pulls) { for_logits(with_soft_term); }

/* ---- the teacher's mode ---- */

Test(peer_bugs, a_teacher_with_batch_norm_answers_alike) {
    fixture_data();
    rt_model *net = fixture_network(
        "cnn", "filters=[4,5] pool_after=[1] batch_norm=true hidden=[16] dropout=0.5", 2);
    rt_model *student = fixture_model("hidden=[10]", 3);
    rt_model_train(net, 1, 0, 0); /* as somebody left it who has just trained it */
    rt_teacher *teacher = fixture_teacher((rt_model *[]){net}, 1, RT_COMBINE_PROBABILITIES);
    rt_real *before = fixture_weights(net); /* with its running statistics */
    static rt_params optimizer;
    fixture_optimizer(&optimizer, "lr=0.05");
    fixture_options(&options, "kd", "");
    rt_distiller *d = fixture_distiller(&(rt_distiller_config){.student = student,
                                                               .teacher = teacher,
                                                               .method = "kd",
                                                               .options = &options,
                                                               .transfer = &fixture_part,
                                                               .batch = BATCH,
                                                               .seed = 4,
                                                               .epochs = 2,
                                                               .training = &optimizer,
                                                               .prefix = ""});
    fixture_epoch(d), fixture_epoch(d);
    int64_t count;
    cr_assert_arr_eq(rt_model_block(net, &count), before, fixture_block_bytes(net));

    /* One image, alone and among others, twice. */
    static rt_real x[8 * PIXELS];
    for (int i = 0; i < 8 * PIXELS; i++) x[i] = (rt_real)(fixture_pixels[i] / 255.0);
    rt_graph *g = rt_graph_new(NULL);
    rt_real answer[3][CLASSES];
    for (int i = 0; i < 3; i++) {
        rt_graph_reset(g);
        const int64_t shape[] = {i == 0 ? 1 : 8, 1, SIDE, SIDE};
        rt_tensor *z = rt_teacher_logits(teacher, g, rt_graph_input(g, x, 4, shape), 1);
        cr_assert(z, "%s", rt_graph_error(g)->message);
        memcpy(answer[i], rt_real_data(z), sizeof answer[i]);
    }
    for (int k = 0; k < CLASSES; k++) {
        same((double)answer[0][k], (double)answer[1][k], "alone and among others");
        cr_assert(answer[1][k] == answer[2][k]);
    }
    rt_graph_free(g);
    rt_distiller_free(d), rt_teacher_free(teacher), rt_model_free(net), rt_model_free(student),
        rt_free(before);
}
