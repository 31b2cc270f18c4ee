/* Students that are trained together, against the same students trained alone: weights, reports and
 * checkpoints must be the same bits, whoever else is in the group, whenever it was put together, and when
 * one of them fails or is stopped. */
#include "fixture.h"

#include <signal.h>

#include "distill/distiller.h"

#define SGD "lr=0.05 momentum=0.9 schedule=linear"
#define MOST 32
enum { EPOCHS = 4 };

/* The teacher that all students have, a small convolutional network: any method finds its features. */
static rt_model *teacher_net;
static rt_teacher *teacher;
static rt_params optimizer, options;

typedef struct pupil {
    const char *method, *settings;
    rt_model *student;
    rt_distiller_config config;
    rt_distiller *distiller;
} pupil;

static void school_begin(void) {
    fixture_data();
    teacher_net = fixture_teacher_for("at", 1);
    teacher = fixture_teacher(&teacher_net, 1, RT_COMBINE_LOGITS);
    fixture_optimizer(&optimizer, SGD);
}

static void school_end(void) {
    rt_teacher_free(teacher);
    rt_model_free(teacher_net);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static void pupil_config(pupil *p, const char *method, const char *settings, rt_augment augment,
                         rt_distiller *beside) {
    p->method = method, p->settings = settings;
    fixture_options(&options, method, settings);
    p->student = strchr(method, '+') ? fixture_student_for("at", 2) : fixture_student_for(method, 2);
    p->config = (rt_distiller_config){.student = p->student,
                                      .teacher = teacher,
                                      .method = method,
                                      .options = &options, /* copied */
                                      .transfer = &fixture_part,
                                      .batch = BATCH,
                                      .augment = augment,
                                      .seed = 3,
                                      .epochs = EPOCHS,
                                      .training = &optimizer,
                                      .prefix = "",
                                      .beside = beside};
}

static void pupil_begin(pupil *p, const char *method, const char *settings, rt_augment augment,
                        rt_distiller *beside) {
    pupil_config(p, method, settings, augment, beside);
    p->distiller = fixture_distiller(&p->config);
}

static void pupil_end(pupil *p) {
    rt_distiller_free(p->distiller);
    rt_model_free(p->student);
}

static void same_report(const rt_epoch_report *a, const rt_epoch_report *b, const char *method) {
    cr_assert(a->epoch == b->epoch && a->stage == b->stage && a->terms == b->terms, "%s", method);
    cr_assert(a->loss == b->loss && a->accuracy == b->accuracy && a->lr == b->lr, "%s", method);
    for (int i = 0; i < a->terms; i++) {
        cr_assert_str_eq(a->term[i].name, b->term[i].name);
        cr_assert(a->term[i].value == b->term[i].value && a->term[i].gradient == b->term[i].gradient &&
                      a->term[i].logit_gradient == b->term[i].logit_gradient,
                  "%s: %s", method, a->term[i].name);
    }
}

static void same_checkpoint(const rt_distiller *a, const rt_distiller *b, const char *method) {
    void *x, *y;
    size_t count_x, count_y;
    rt_error error;
    cr_assert_eq(rt_distiller_save(a, &x, &count_x, &error), RT_OK, "%s", error.message);
    cr_assert_eq(rt_distiller_save(b, &y, &count_y, &error), RT_OK, "%s", error.message);
    cr_assert(count_x == count_y && memcmp(x, y, count_x) == 0, "%s: another checkpoint", method);
    rt_free(x), rt_free(y);
}

/* One epoch of pupils[first ... first+count-1]. */
static void epoch(pupil pupils[], int count, rt_epoch_outcome outcomes[]) {
    rt_distiller *distillers[MOST];
    for (int i = 0; i < count; i++) distillers[i] = pupils[i].distiller;
    rt_distillers_epoch(distillers, count, outcomes);
}

static void trained_together(const char *const methods[], const char *const settings[], int count,
                             rt_augment augment) {
    static pupil together[MOST], alone;
    static rt_epoch_outcome outcomes[EPOCHS][MOST];
    school_begin();
    for (int i = 0; i < count; i++)
        pupil_begin(&together[i], methods[i], settings[i], augment, i ? together[0].distiller : NULL);
    for (int e = 0; e < EPOCHS; e++) epoch(together, count, outcomes[e]);
    for (int i = 0; i < count; i++) {
        pupil_begin(&alone, methods[i], settings[i], augment, NULL);
        for (int e = 0; e < EPOCHS; e++) {
            rt_epoch_report report = fixture_epoch(alone.distiller);
            cr_assert_eq(outcomes[e][i].status, RT_OK, "%s: %s", methods[i], outcomes[e][i].error.message);
            same_report(&outcomes[e][i].report, &report, methods[i]);
        }
        same_checkpoint(together[i].distiller, alone.distiller, methods[i]);
        pupil_end(&alone);
    }
    while (count > 0) pupil_end(&together[--count]);
    school_end();
}

static void all_methods_together(rt_augment augment) {
    static const char *settings[MOST];
    int count;
    const char *const *names = rt_method_names(&count);
    for (int i = 0; i < count; i++) settings[i] = "";
    trained_together(names, settings, count, augment);
}

Test(together, every_method_beside_every_other) { all_methods_together((rt_augment){.jitter = 0}); }
Test(together, every_method_with_images_that_move) { all_methods_together((rt_augment){.jitter = 2}); }

Test(together, temperatures_alphas_and_sums_of_one_sweep) {
    static const char *const methods[] = {"kd", "kd", "kd", "none", "kd+sp", "kd"};
    static const char *const settings[] = {"temperature=1 alpha=0.5", "temperature=8 alpha=0.9", "alpha=0",
                                           "", "kd.temperature=3", "alpha=1"};
    trained_together(methods, settings, 6, (rt_augment){.jitter = 0});
    trained_together(methods, settings, 6, (rt_augment){.jitter = 1, .flip = true, .cutout = 2});
    trained_together(methods, settings, 4, (rt_augment){.mixup = 0.4});
    trained_together(methods + 2, settings + 2, 3, (rt_augment){.jitter = 0}); /* the first asks no teacher */
}

/* The group is made anew after two epochs, from checkpoints, in another order and with others. */
Test(together, groups_that_are_put_together_anew) {
    static const char *const methods[] = {"crd", "kd", "fitnets", "dml"};
    static pupil first[4], second[4], alone;
    rt_epoch_outcome outcomes[4];
    rt_augment augment = {.jitter = 1};
    rt_error error;
    school_begin();
    for (int i = 0; i < 4; i++)
        pupil_begin(&first[i], methods[i], "", augment, i ? first[0].distiller : NULL);
    for (int e = 0; e < 2; e++) epoch(first, 4, outcomes);
    for (int i = 0; i < 3; i++) {
        void *bytes;
        size_t count;
        pupil_begin(&second[i], methods[3 - i], "", augment, i ? second[0].distiller : NULL);
        cr_assert_eq(rt_distiller_save(first[3 - i].distiller, &bytes, &count, &error), RT_OK);
        cr_assert_eq(rt_distiller_restore(second[i].distiller, bytes, count, &error), RT_OK, "%s",
                     error.message);
        rt_free(bytes);
    }
    for (int e = 2; e < EPOCHS; e++) epoch(second, 3, outcomes);
    for (int i = 0; i < 3; i++) {
        pupil_begin(&alone, second[i].method, "", augment, NULL);
        for (int e = 0; e < EPOCHS; e++) fixture_epoch(alone.distiller);
        same_checkpoint(second[i].distiller, alone.distiller, alone.method);
        pupil_end(&alone);
    }
    for (int i = 2; i >= 0; i--) pupil_end(&second[i]);
    for (int i = 3; i >= 0; i--) pupil_end(&first[i]);
    school_end();
}

/* ---- those who leave ---- */

static bool until_step_3(void *context, int64_t number, int64_t step, int64_t steps) {
    (void)context, (void)steps;
    return !(number == 1 && step == 3);
}

/* A weight that is no number: the next loss is none either. */
static bool spoilt_at_step_3(void *context, int64_t number, int64_t step, int64_t steps) {
    int64_t count;
    (void)steps;
    if (number == 1 && step == 3) rt_model_block(context, &count)[0] = (rt_real)NAN;
    return true;
}

/* Whether it is the first, beside whom the others were made, or another. */
static void one_leaves(int who, bool diverges) {
    static pupil together[3], alone;
    rt_epoch_outcome outcomes[3], last = {.status = RT_OK};
    rt_augment augment = {.jitter = 1};
    school_begin();
    for (int i = 0; i < 3; i++) {
        pupil_config(&together[i], "kd", "", augment, i ? together[0].distiller : NULL);
        if (i == who) together[i].config.on_step = diverges ? spoilt_at_step_3 : until_step_3;
        together[i].config.on_step_context = together[i].student;
        together[i].distiller = fixture_distiller(&together[i].config);
    }
    for (int e = 0; e < EPOCHS; e++) {
        rt_distiller *at_work[3];
        int count = 0, place = -1;
        for (int i = 0; i < 3; i++) {
            if (i == who && last.status != RT_OK) continue;
            if (i == who) place = count;
            at_work[count++] = together[i].distiller;
        }
        rt_distillers_epoch(at_work, count, outcomes);
        for (int i = 0; i < count; i++)
            if (i == place) last = outcomes[i];
            else cr_assert_eq(outcomes[i].status, RT_OK, "%s", outcomes[i].error.message);
    }
    cr_assert_eq(last.status, diverges ? RT_NOT_FINITE : RT_STOPPED);
    const char *said = diverges ? "epoch 2, step 5 of 7: the loss term" : "epoch 2, step 4 of 7";
    cr_assert(strstr(last.error.message, said), "%s", last.error.message);
    pupil_begin(&alone, "kd", "", augment, NULL);
    for (int e = 0; e < EPOCHS; e++) fixture_epoch(alone.distiller);
    for (int i = 0; i < 3; i++)
        if (i != who) same_checkpoint(together[i].distiller, alone.distiller, "kd");
    pupil_end(&alone);
    for (int i = 2; i >= 0; i--) pupil_end(&together[i]);
    school_end();
}

Test(together, one_that_diverges_leaves_the_others_their_bits) {
    for (int who = 0; who < 3; who++) one_leaves(who, true);
}
Test(together, one_that_is_stopped_leaves_the_others_their_bits) {
    for (int who = 0; who < 3; who++) one_leaves(who, false);
}

/* ---- cost ---- */

Test(together, no_step_after_the_first_allocates) {
    static const char *const methods[] = {"kd", "none", "kd+sp", "crd", "dml"};
    static pupil together[5];
    rt_epoch_outcome outcomes[5];
    for (int jitter = 0; jitter < 2; jitter++) {
        school_begin();
        for (int i = 0; i < 5; i++)
            pupil_begin(&together[i], methods[i], "", (rt_augment){.jitter = jitter},
                        i ? together[0].distiller : NULL);
        epoch(together, 5, outcomes);
        size_t before = rt_alloc_stats_get().calls;
        for (int e = 1; e < EPOCHS; e++) epoch(together, 5, outcomes);
        cr_assert_eq(rt_alloc_stats_get().calls, before);
        for (int i = 4; i >= 0; i--) pupil_end(&together[i]);
        school_end();
    }
}

/* One loader, one table of soft targets, one graph: made by the first, beside whichever the others were. */
Test(together, batches_and_soft_targets_are_shared) {
    static pupil together[3];
    school_begin();
    for (int i = 0; i < 3; i++)
        pupil_begin(&together[i], "kd", "", (rt_augment){.jitter = 0}, i ? together[i - 1].distiller : NULL);
    const rt_distiller *first = together[0].distiller;
    cr_assert(first->own.loader && first->own.graph && first->cache);
    for (int i = 1; i < 3; i++) {
        const rt_distiller *d = together[i].distiller;
        cr_assert(d->shared == &first->own && d->cache == first->cache);
        cr_assert(!d->own.loader && !d->own.graph && !d->own.cache);
    }
    for (int i = 2; i >= 0; i--) pupil_end(&together[i]);
    school_end();
}

/* ---- misuse ---- */

Test(together, another_order_is_refused, .signal = SIGABRT) {
    static pupil a, b;
    school_begin();
    pupil_begin(&a, "kd", "", (rt_augment){.jitter = 0}, NULL);
    pupil_config(&b, "kd", "", (rt_augment){.jitter = 0}, a.distiller);
    b.config.seed = 4;
    fixture_distiller(&b.config);
}

Test(together, another_epoch_is_refused, .signal = SIGABRT) {
    static pupil together[2];
    rt_epoch_outcome outcomes[2];
    school_begin();
    for (int i = 0; i < 2; i++)
        pupil_begin(&together[i], "kd", "", (rt_augment){.jitter = 0}, i ? together[0].distiller : NULL);
    fixture_epoch(together[1].distiller);
    epoch(together, 2, outcomes);
}
