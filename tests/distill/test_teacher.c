/* Ensembles against their definitions in double: mean logits, mean probabilities at T, geometric mean;
 * the geometric mean has the same softmax as the mean logits at every T, the mean of probabilities has
 * not. And: who asks does not matter (batch, training mode, tape). */
#include "fixture.h"

enum { MEMBERS = 3 };

static rt_model *nets[MEMBERS];
static rt_real x[PART * PIXELS];

static void begin(void) {
    fixture_data();
    for (int m = 0; m < MEMBERS; m++) nets[m] = fixture_teacher_net(10 + (uint64_t)m);
    for (int i = 0; i < PART * PIXELS; i++)
        x[i] = (rt_real)fixture_pixels[fixture_index[i / PIXELS] * PIXELS + i % PIXELS] / 255;
}

static void end(void) {
    for (int m = 0; m < MEMBERS; m++) rt_model_free(nets[m]);
}

static rt_tensor *images(rt_graph *g, int first, int count) {
    return rt_graph_input(g, x + first * PIXELS, 4, (int64_t[]){count, 1, SIDE, SIDE});
}

static void softmax(const double *z, double T, double *p) {
    double m = -INFINITY, s = 0;
    for (int k = 0; k < CLASSES; k++) m = fmax(m, z[k]);
    for (int k = 0; k < CLASSES; k++) s += p[k] = exp((z[k] - m) / T);
    for (int k = 0; k < CLASSES; k++) p[k] /= s;
}

/* What the ensemble must say at T about image n. */
static void expected_answer(rt_graph *g, rt_combine how, int n, double T, double *p) {
    double logits[CLASSES] = {0}, product[CLASSES], sum = 0;
    for (int k = 0; k < CLASSES; k++) p[k] = 0, product[k] = 0;
    for (int m = 0; m < MEMBERS; m++) {
        rt_model_evaluate(nets[m]);
        rt_tensor *z = rt_model_forward(nets[m], g, images(g, n, 1));
        double member[CLASSES], q[CLASSES];
        for (int k = 0; k < CLASSES; k++) member[k] = (double)rt_real_data(z)[k];
        softmax(member, T, q);
        for (int k = 0; k < CLASSES; k++) {
            logits[k] += member[k] / MEMBERS;
            p[k] += how == RT_COMBINE_PROBABILITIES ? q[k] / MEMBERS : 0;
            product[k] += log(q[k]) / MEMBERS;
        }
    }
    if (how == RT_COMBINE_LOGITS) softmax(logits, T, p);
    if (how != RT_COMBINE_GEOMETRIC) return;
    for (int k = 0; k < CLASSES; k++) sum += p[k] = exp(product[k]);
    for (int k = 0; k < CLASSES; k++) p[k] /= sum;
}

Test(teacher, combinations_are_their_definitions) {
    begin();
    const double temperatures[] = {1, 4, 20}, tolerance = sizeof(rt_real) == 8 ? 1e-11 : 2e-5;
    rt_graph *g = rt_graph_new(NULL);
    for (int how = 0; how < 3; how++) {
        rt_teacher *teacher = fixture_teacher(nets, MEMBERS, (rt_combine)how);
        for (int t = 0; t < 3; t++)
            for (int n = 0; n < 10; n++) {
                double p[CLASSES], q[CLASSES], z[CLASSES];
                expected_answer(g, (rt_combine)how, n, temperatures[t], p);
                rt_tensor *v = rt_teacher_logits(teacher, g, images(g, n, 1), temperatures[t]);
                cr_assert(v && !v->requires_grad, "%s", rt_graph_error(g)->message);
                for (int k = 0; k < CLASSES; k++) z[k] = (double)rt_real_data(v)[k];
                softmax(z, temperatures[t], q);
                for (int k = 0; k < CLASSES; k++)
                    cr_assert(fabs(q[k] - p[k]) <= tolerance, "combination %d, T %g: %g, expected %g", how,
                              temperatures[t], q[k], p[k]);
                rt_graph_reset(g);
            }
        rt_teacher_free(teacher);
    }
    rt_graph_free(g);
    end();
}

static double distance(rt_combine a, rt_combine b, double T) {
    rt_teacher *first = fixture_teacher(nets, MEMBERS, a), *second = fixture_teacher(nets, MEMBERS, b);
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *p = rt_softmax(g, rt_teacher_logits(first, g, images(g, 0, PART), T), T);
    rt_tensor *q = rt_softmax(g, rt_teacher_logits(second, g, images(g, 0, PART), T), T);
    double l1 = rt_tensor_item(rt_l1(g, p, q));
    rt_graph_free(g);
    rt_teacher_free(first), rt_teacher_free(second);
    return l1;
}

Test(teacher, geometric_is_the_softmax_of_mean_logits) {
    begin();
    const double same = sizeof(rt_real) == 8 ? 1e-14 : 1e-6;
    for (int i = 0; i < 3; i++) {
        const double T = (const double[]){1, 4, 20}[i];
        cr_assert_lt(distance(RT_COMBINE_LOGITS, RT_COMBINE_GEOMETRIC, T), same);
        cr_assert_gt(distance(RT_COMBINE_LOGITS, RT_COMBINE_PROBABILITIES, T), 1e-4);
    }
    end();
}

/* Members that are sure of different classes by 1e4: the mean of probabilities is a half each. */
Test(teacher, sure_members_stay_finite) {
    fixture_data();
    rt_model *sure[2];
    for (int m = 0; m < 2; m++) {
        sure[m] = rt_mlp_new(2, (int64_t[]){PIXELS, CLASSES}, 1, NULL);
        int64_t count;
        rt_real *block = rt_model_block(sure[m], &count);
        memset(block, 0, (size_t)count * sizeof *block);
        rt_real_data(&rt_model_parameter(sure[m], 1)->tensor)[m] = 10000;
    }
    rt_teacher *teacher = fixture_teacher(sure, 2, RT_COMBINE_PROBABILITIES);
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *v = rt_teacher_logits(teacher, g, rt_graph_input(g, x, 2, (int64_t[]){1, PIXELS}), 1);
    rt_tensor *p = rt_softmax(g, v, 1);
    for (int k = 0; k < CLASSES; k++) {
        cr_assert(isfinite(rt_real_data(v)[k]));
        cr_assert(fabs((double)rt_real_data(p)[k] - (k < 2 ? 0.5 : 0)) < 1e-6);
    }
    rt_graph_free(g);
    rt_teacher_free(teacher);
    rt_model_free(sure[0]), rt_model_free(sure[1]);
}

Test(teacher, one_member_is_passed_on_and_rows_stand_alone) {
    begin();
    rt_graph *g = rt_graph_new(NULL);
    for (int how = 0; how < 3; how++) {
        rt_teacher *teacher = fixture_teacher(nets, 1, (rt_combine)how);
        rt_model_train(nets[0], 1, 2, 3); /* dropout on: the teacher must not care */
        rt_tensor *all = rt_teacher_logits(teacher, g, images(g, 0, PART), 7);
        rt_tensor *again = rt_teacher_logits(teacher, g, images(g, 0, PART), 7);
        rt_tensor *plain = rt_model_forward(nets[0], g, images(g, 0, PART));
        cr_assert_arr_eq(rt_real_data(all), rt_real_data(plain), PART * CLASSES * sizeof(rt_real));
        cr_assert_arr_eq(rt_real_data(all), rt_real_data(again), PART * CLASSES * sizeof(rt_real));
        for (int n = 0; n < PART; n += 9) {
            rt_tensor *one = rt_teacher_logits(teacher, g, images(g, n, 1), 7);
            cr_assert_arr_eq(rt_real_data(one), rt_real_data(all) + n * CLASSES, CLASSES * sizeof(rt_real));
        }
        rt_teacher_free(teacher);
    }
    rt_graph_free(g);
    end();
}

Test(teacher, the_hash_knows_weights_order_and_combination) {
    begin();
    char hash[5][33];
    rt_teacher *t = fixture_teacher(nets, MEMBERS, RT_COMBINE_LOGITS);
    rt_teacher_hash(t, hash[0]);
    rt_teacher_free(t);
    t = fixture_teacher(nets, MEMBERS, RT_COMBINE_PROBABILITIES);
    rt_teacher_hash(t, hash[1]);
    rt_teacher_free(t);
    t = fixture_teacher(nets, 2, RT_COMBINE_LOGITS);
    rt_teacher_hash(t, hash[2]);
    rt_real_data(&rt_model_parameter(nets[1], 1)->tensor)[2] += 1;
    rt_teacher_hash(t, hash[3]);
    rt_teacher_free(t);
    t = fixture_teacher(nets + 1, 1, RT_COMBINE_LOGITS);
    rt_teacher_hash(t, hash[4]);
    rt_teacher_free(t);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) cr_assert_str_neq(hash[i], hash[j], "%d and %d", i, j);
    end();
}

Test(teacher, impossible_teachers_are_refused) {
    begin();
    rt_error error;
    rt_model *mixed[2] = {nets[0], rt_mlp_new(2, (int64_t[]){PIXELS, CLASSES + 2}, 1, NULL)};
    cr_assert_null(rt_teacher_new(mixed, 2, RT_COMBINE_LOGITS, &error));
    cr_assert(error.status == RT_SHAPE && strstr(error.message, "network 2"), "%s", error.message);
    cr_assert_null(rt_teacher_new(nets, 0, RT_COMBINE_LOGITS, &error));
    cr_assert_eq(error.status, RT_VALUE);
    rt_model_free(mixed[1]);
    end();
}
