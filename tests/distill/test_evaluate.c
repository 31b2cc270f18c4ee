/* Quality measures against numbers computed by hand and against second formulas; the batches must not
 * matter. */
#include "distill/evaluate.h"
#include "fixture.h"

#define TOLERANCE (sizeof(rt_real) == 8 ? 1e-12 : 1e-6)

static void near(double found, double expected, const char *what) {
    cr_assert(fabs(found - expected) <= TOLERANCE, "%s: %.15g, expected %.15g", what, found, expected);
}

/* Logits log p, so that the probabilities are known. Two classes:
 *   student p(1)   0.9  0.8  0.6  0.3 ; label  1  0  1  1 ; teacher p(1)  0.9  0.2  0.7  0.6 */
Test(evaluate, four_examples_by_hand) {
    const double p1[] = {0.9, 0.8, 0.6, 0.3}, t1[] = {0.9, 0.2, 0.7, 0.6};
    const int32_t y[] = {1, 0, 1, 1};
    rt_real z[8], v[8];
    double kl = 0;
    for (int i = 0; i < 4; i++) {
        z[2 * i] = (rt_real)(log(1 - p1[i]) + i), z[2 * i + 1] = (rt_real)(log(p1[i]) + i);
        v[2 * i] = (rt_real)log(1 - t1[i]), v[2 * i + 1] = (rt_real)log(t1[i]);
        kl += t1[i] * log(t1[i] / p1[i]) + (1 - t1[i]) * log((1 - t1[i]) / (1 - p1[i]));
    }
    double scratch[8];
    uint8_t predictions[4];
    rti_quality_sums sums = {0};
    rt_quality q;
    cr_assert_eq(rti_quality_add(&sums, 4, 2, z, v, y, predictions, scratch, NULL), RT_OK);
    rti_quality_finish(&sums, &q);
    cr_assert(q.examples == 4 && q.errors == 2 && q.has_teacher);
    near(q.accuracy, 0.5, "accuracy");
    near(q.nll, -(log(0.9) + log(0.2) + log(0.6) + log(0.3)) / 4, "NLL");
    near(q.brier, 2 * (0.01 + 0.64 + 0.16 + 0.49) / 4, "Brier");
    /* confidences 0.9, 0.8, 0.6, 0.7 in bins of their own; right, wrong, right, wrong */
    near(q.ece, (0.1 + 0.8 + 0.4 + 0.7) / 4, "ECE");
    near(q.agreement, 2.0 / 4, "agreement");
    near(q.teacher_kl, kl / 4, "KL(teacher || student)");
    const uint8_t expected[] = {1, 1, 1, 0};
    cr_assert_arr_eq(predictions, expected, 4);
}

/* A bin's confidence may be too high for some and too low for others: only the means count. */
Test(evaluate, calibration_compares_means_of_bins) {
    enum { COUNT = 10 };
    rt_real z[2 * COUNT];
    int32_t y[COUNT];
    for (int i = 0; i < COUNT; i++) {
        z[2 * i] = 0, z[2 * i + 1] = (rt_real)log(3.0); /* confidence 0.75 */
        y[i] = i < 8;                                   /* 80 % right */
    }
    double scratch[8];
    rti_quality_sums sums = {0};
    rt_quality q;
    cr_assert_eq(rti_quality_add(&sums, COUNT, 2, z, NULL, y, NULL, scratch, NULL), RT_OK);
    rti_quality_finish(&sums, &q);
    near(q.ece, 0.05, "ECE");
    cr_assert(!q.has_teacher && q.agreement == 0 && q.teacher_kl == 0);
}

/* Bin edges belong to the bin below: (0.4667, 0.5333] holds 0.5, and 1 is in the last one. */
Test(evaluate, certainty_is_in_the_last_bin) {
    const rt_real z[] = {10000, -10000, 0, 0};
    const int32_t y[] = {0, 1};
    double scratch[8];
    rti_quality_sums sums = {0};
    cr_assert_eq(rti_quality_add(&sums, 2, 2, z, NULL, y, NULL, scratch, NULL), RT_OK);
    cr_assert_eq(sums.bin[RTI_CALIBRATION_BINS - 1].count, 1);
    cr_assert_eq(sums.bin[7].count, 1);
    rt_quality q;
    rti_quality_finish(&sums, &q);
    near(q.nll, log(2) / 2, "NLL");
    cr_assert_eq(q.errors, 1); /* equal logits: the first class is the answer */
}

Test(evaluate, what_is_no_number_is_refused) {
    const rt_real bad[] = {0, 1, (rt_real)NAN, 0}, good[] = {0, 1, 2, 3};
    const int32_t y[] = {0, 1}, wrong[] = {0, 2};
    double scratch[8];
    rt_error error;
    rti_quality_sums sums = {0};
    cr_assert_eq(rti_quality_add(&sums, 2, 2, bad, NULL, y, NULL, scratch, &error), RT_NOT_FINITE);
    cr_assert(strstr(error.message, "the model's answer to example 2"), "%s", error.message);
    sums = (rti_quality_sums){0};
    cr_assert_eq(rti_quality_add(&sums, 2, 2, good, bad, y, NULL, scratch, &error), RT_NOT_FINITE);
    cr_assert(strstr(error.message, "the teacher's answer to example 2"), "%s", error.message);
    sums = (rti_quality_sums){0};
    cr_assert_eq(rti_quality_add(&sums, 2, 2, good, NULL, wrong, NULL, scratch, &error), RT_VALUE);
}

/* A whole part against one pass over it, added example by example. */
Test(evaluate, a_model_on_a_part) {
    fixture_data();
    static int32_t many[600], many_labels[600];
    for (int i = 0; i < 600; i++) many[i] = (i * 13) % EXAMPLES, many_labels[i] = fixture_labels[many[i]];
    rt_part part = {&fixture_examples, 600, many, many_labels};
    rt_model *net = fixture_teacher_net(1), *student = fixture_model("hidden=[10] dropout.hidden=0.5", 2);
    rt_teacher *teacher = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
    rt_model_train(student, 1, 2, 3);
    rt_quality q, again, slow;
    uint8_t predictions[600];
    rt_error error;
    cr_assert_eq(rt_evaluate(student, teacher, &part, &q, predictions, &error), RT_OK, "%s", error.message);
    cr_assert(!rt_model_is_training(student));
    cr_assert_eq(rt_evaluate(student, teacher, &part, &again, NULL, &error), RT_OK);
    cr_assert(q.nll == again.nll && q.ece == again.ece && q.teacher_kl == again.teacher_kl);

    rti_quality_sums sums = {0};
    rt_graph *g = rt_graph_new(NULL);
    double scratch[4 * CLASSES];
    for (int i = 0; i < 600; i++) {
        rt_real x[PIXELS];
        for (int p = 0; p < PIXELS; p++) x[p] = fixture_pixels[many[i] * PIXELS + p] * (rt_real)(1.0 / 255);
        rt_tensor *xt = rt_graph_input(g, x, 4, (int64_t[]){1, 1, SIDE, SIDE});
        rt_tensor *z = rt_model_forward(student, g, xt), *v = rt_model_forward(net, g, xt);
        uint8_t top;
        cr_assert_eq(rti_quality_add(&sums, 1, CLASSES, rt_real_data(z), rt_real_data(v), &many_labels[i],
                                     &top, scratch, NULL),
                     RT_OK);
        cr_assert_eq(top, predictions[i]);
        rt_graph_reset(g);
    }
    rti_quality_finish(&sums, &slow);
    near(q.nll, slow.nll, "NLL"), near(q.brier, slow.brier, "Brier"), near(q.ece, slow.ece, "ECE");
    near(q.teacher_kl, slow.teacher_kl, "KL"), near(q.agreement, slow.agreement, "agreement");
    cr_assert_eq(q.errors, slow.errors);
    cr_assert(q.examples == 600 && q.errors > 0 && q.errors < 600 && q.agreement < 1);

    rt_quality self;
    cr_assert_eq(rt_evaluate(net, teacher, &part, &self, NULL, &error), RT_OK);
    cr_assert(self.agreement == 1 && self.teacher_kl == 0);
    rt_graph_free(g);
    rt_teacher_free(teacher);
    rt_model_free(net), rt_model_free(student);
}

/* Answers that are looked up instead of asked for give the same bits. */
Test(evaluate, beside_a_cache_of_the_teachers_answers) {
    fixture_data();
    rt_model *net = fixture_teacher_net(1), *model = fixture_model("hidden=[10]", 2);
    rt_teacher *teacher = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
    rt_error error;
    rti_cache *cache = rti_cache_open(teacher, &fixture_part, NULL, &error);
    cr_assert(cache, "%s", error.message);
    rt_quality asked, looked_up, without;
    memset(&asked, 0, sizeof asked), memset(&looked_up, 0, sizeof looked_up);
    cr_assert_eq(rt_evaluate(model, teacher, &fixture_part, &asked, NULL, &error), RT_OK);
    cr_assert_eq(rti_evaluate_beside(model, cache, &fixture_part, &looked_up, &error), RT_OK);
    cr_assert_eq(rti_evaluate_beside(model, NULL, &fixture_part, &without, &error), RT_OK);
    cr_assert(looked_up.has_teacher && looked_up.teacher_kl > 0 && !without.has_teacher);
    cr_assert(asked.errors == looked_up.errors && asked.nll == looked_up.nll && asked.ece == looked_up.ece &&
              asked.brier == looked_up.brier && asked.agreement == looked_up.agreement &&
              asked.teacher_kl == looked_up.teacher_kl);
    rti_cache_free(cache);
    rt_teacher_free(teacher);
    rt_model_free(net), rt_model_free(model);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
