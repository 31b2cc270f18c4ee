/* Sums of methods. Checked against: the losses of the parts, computed by themselves; a training with a
 * part of weight 0, which must have the bits of the training without it. */
#include "fixture.h"

#include "distill/distiller.h"

Test(parts, names_are_taken_apart) {
    rti_parts parts;
    cr_assert(rti_parts_find("kd", &parts) && parts.count == 1 && !strcmp(parts.method[0]->name, "kd"));
    cr_assert(rti_parts_find("kd+logit-mse", &parts) && parts.count == 2);
    cr_assert_str_eq(parts.method[1]->name, "logit-mse");
    static const char *const wrong[] = {"",      "+",           "kd+",   "+kd",    "kd++kd",
                                        "kd+kd", "kd+nonsense", "kd kd", "kd+none"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int count;
        rt_error error = {0};
        cr_assert(!rti_parts_find(wrong[i], &parts), "%s", wrong[i]);
        cr_assert_eq(rti_parts_check(wrong[i], &error), RT_SPEC, "%s", wrong[i]);
        cr_assert(error.message[0], "%s", wrong[i]);
        cr_assert_null(rt_method_rows(wrong[i], &count));
    }
    rt_error error = {0};
    cr_assert_eq(rti_parts_check("kd+logit-mze", &error), RT_SPEC);
    cr_assert(strstr(error.message, "logit-mze") && strstr(error.message, "\"logit-mse\""), "%s",
              error.message);
}

Test(parts, rows_carry_the_name_of_their_part) {
    int alone, both, other;
    const rt_param *kd = rt_method_rows("kd", &alone);
    cr_assert_not_null(rt_method_rows("logit-mse", &other));
    const rt_param *sum = rt_method_rows("kd+logit-mse", &both);
    cr_assert_eq(both, alone + other);
    for (int i = 0; i < alone; i++) {
        char name[96];
        snprintf(name, sizeof name, "kd.%s", kd[i].name);
        cr_assert_str_eq(sum[i].name, name);
        cr_assert(sum[i].fallback == kd[i].fallback && sum[i].min == kd[i].min && sum[i].max == kd[i].max);
    }
    cr_assert_str_eq(sum[alone].name, "logit-mse.alpha");
    int again;
    cr_assert_eq(rt_method_rows("kd+logit-mse", &again), sum, "the table of a name stays where it is");
    rti_parts parts;
    static rt_params given, own;
    rti_parts_find("kd+logit-mse", &parts);
    fixture_options(&given, "kd+logit-mse", "kd.temperature=7 logit-mse.alpha=0.25");
    rti_part_options(&parts, 0, &given, &own);
    cr_assert(rt_params_real(&own, "temperature") == 7 && rt_params_real(&own, "alpha") == 0.9);
    rti_part_options(&parts, 1, &given, &own);
    cr_assert_eq(rt_params_real(&own, "alpha"), 0.25);
}

Test(parts, methods_with_features_have_rows_for_taps) {
    for (int i = 0; rti_all_methods[i]; i++) {
        int count, taps = 0;
        const rt_param *rows = rti_method_own_rows(rti_all_methods[i], &count);
        for (int r = 0; r < count; r++)
            taps += !strcmp(rows[r].name, "student_taps") || !strcmp(rows[r].name, "teacher_taps");
        cr_assert_eq(taps, rti_all_methods[i]->needs & RTI_NEEDS_FEATURES ? 2 : 0, "%s",
                     rti_all_methods[i]->name);
    }
}

Test(parts, a_contract_says_that_the_labels_count_once) {
    static rt_params options;
    char contract[RT_CONTRACT_BYTES], cut[40];
    fixture_options(&options, "kd+logit-mse", "");
    rt_method_contract("kd+logit-mse", &options, contract, sizeof contract);
    cr_assert(strstr(contract, "kd:\nL = ") &&
                  strstr(contract, "logit-mse, added to it without the labels:\nL = "),
              "%s", contract);
    rt_method_contract("kd+logit-mse", &options, cut, sizeof cut);
    cr_assert(strlen(cut) == sizeof cut - 1 && !strncmp(cut, contract, sizeof cut - 1));
}

Test(parts, the_labels_alone) {
    static rt_params options;
    fixture_options(&options, "kd+logit-mse", "");
    cr_assert(!rt_method_is_labels_only("kd+logit-mse", &options));
    fixture_options(&options, "kd+logit-mse", "kd.alpha=0");
    cr_assert(!rt_method_is_labels_only("kd+logit-mse", &options));
    fixture_options(&options, "kd+logit-mse", "kd.alpha=0 logit-mse.alpha=0");
    cr_assert(rt_method_is_labels_only("kd+logit-mse", &options));
    cr_assert(rt_method_needs_teacher("kd+logit-mse") && !rt_method_needs_teacher("label-smoothing"));
    cr_assert_eq(rt_method_check("kd+logit-mse", &options, 10, NULL), RT_OK);
}

/* ---- trainings ---- */

typedef struct outcome {
    rt_epoch_report last;
    rt_real *weights; /* to be released */
} outcome;

static outcome train(const char *method, const char *settings, int epochs) {
    static rt_params optimizer, options;
    outcome out;
    fixture_optimizer(&optimizer, "lr=0.05 momentum=0.9");
    fixture_options(&options, method, settings);
    rt_model *net = fixture_teacher_net(1), *student = fixture_model("hidden=[10] dropout.hidden=0.3", 2);
    rt_teacher *teacher = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
    rt_distiller *d = fixture_distiller(&(rt_distiller_config){.student = student,
                                                               .teacher = teacher,
                                                               .method = method,
                                                               .options = &options,
                                                               .transfer = &fixture_part,
                                                               .batch = BATCH,
                                                               .seed = 3,
                                                               .epochs = epochs,
                                                               .training = &optimizer});
    for (int i = 0; i < epochs; i++) out.last = fixture_epoch(d);
    out.weights = fixture_weights(student);
    rt_distiller_free(d);
    rt_teacher_free(teacher);
    rt_model_free(net), rt_model_free(student);
    return out;
}

Test(parts, a_part_of_weight_0_changes_no_bit) {
    fixture_data();
    outcome alone = train("kd", "temperature=3", 2);
    outcome sum = train("kd+logit-mse", "kd.temperature=3 logit-mse.alpha=0", 2);
    rt_model *shape = fixture_model("hidden=[10]", 2);
    cr_assert_arr_eq(alone.weights, sum.weights, fixture_block_bytes(shape));
    cr_assert_eq(alone.last.terms, sum.last.terms);
    rt_free(alone.weights), rt_free(sum.weights), rt_model_free(shape);
}

Test(parts, a_sum_has_the_terms_of_both_and_the_labels_once) {
    fixture_data();
    outcome sum = train("kd+logit-mse", "kd.alpha=0.5 logit-mse.alpha=0.25", 1);
    cr_assert_eq(sum.last.terms, 3);
    static const char *const names[] = {"ce", "kd", "logits"};
    static const double weights[] = {0.5, 0.5 * 16, 0.25};
    double loss = 0;
    for (int i = 0; i < 3; i++) {
        cr_assert_str_eq(sum.last.term[i].name, names[i]);
        cr_assert_float_eq(sum.last.term[i].weight, weights[i], 1e-12);
        cr_assert(sum.last.term[i].gradient > 0 && sum.last.term[i].logit_gradient > 0);
        loss += sum.last.term[i].weight * sum.last.term[i].value;
    }
    cr_assert_float_eq(loss, sum.last.loss, 1e-5);
    rt_free(sum.weights);
}

/* The length of each term's gradient does not depend on the other terms; with the weight it scales. */
Test(parts, gradients_are_measured_term_by_term) {
    fixture_data();
    outcome a = train("kd", "weights=free hard_weight=1 soft_weight=1 temperature=2", 1);
    outcome b = train("kd", "weights=free hard_weight=3 soft_weight=0.5 temperature=2", 1);
    double tolerance = sizeof(rt_real) == 8 ? 1e-12 : 1e-5;
    cr_assert_float_eq(b.last.term[0].gradient / a.last.term[0].gradient, 3, 3 * tolerance);
    cr_assert_float_eq(b.last.term[1].gradient / a.last.term[1].gradient, 0.5, tolerance);
    cr_assert_float_eq(b.last.term[0].logit_gradient / a.last.term[0].logit_gradient, 3, 3 * tolerance);
    rt_free(a.weights), rt_free(b.weights);
}

/* A single term of weight 1 is the loss itself and is not differentiated apart from it. */
Test(parts, a_term_alone_has_the_gradient_it_has_among_others) {
    fixture_data();
    outcome alone = train("none", "", 1);
    outcome both = train("kd", "weights=free hard_weight=1 soft_weight=0.5", 1);
    cr_assert(alone.last.terms == 1 && both.last.terms == 2);
    cr_assert(alone.last.term[0].gradient > 0 && alone.last.term[0].logit_gradient > 0);
    cr_assert_eq(alone.last.term[0].gradient, both.last.term[0].gradient);
    cr_assert_eq(alone.last.term[0].logit_gradient, both.last.term[0].logit_gradient);
    rt_free(alone.weights), rt_free(both.weights);
}
