/* The training loop: what it must leave alone (teacher, allocation), what it must do in every step
 * (training mode), what its report means, and that a training put to sleep and woken up in new objects
 * ends with the same bits. */
#include "fixture.h"

#include "distill/distiller.h"

#define SGD "lr=0.2 momentum=0.9 schedule=linear"

/* One training: its own nets and objects. */
typedef struct training {
    rt_model *teacher_net, *student;
    rt_teacher *teacher;
    rt_params optimizer, options;
    rt_distiller_config config;
    rt_distiller *distiller;
} training;

static void training_config(training *t, const char *method, const char *settings, int jitter) {
    fixture_data();
    t->teacher_net = fixture_teacher_for(method, 1);
    t->student = fixture_student_for(method, 2);
    t->teacher = fixture_teacher(&t->teacher_net, 1, RT_COMBINE_LOGITS);
    fixture_optimizer(&t->optimizer, SGD);
    fixture_options(&t->options, method, settings);
    t->config = (rt_distiller_config){.student = t->student,
                                      .teacher = t->teacher,
                                      .method = method,
                                      .options = &t->options,
                                      .transfer = &fixture_part,
                                      .batch = BATCH,
                                      .augment = {.jitter = jitter},
                                      .seed = 3,
                                      .epochs = 4,
                                      .training = &t->optimizer,
                                      .prefix = ""};
}

static void training_begin(training *t, const char *method, const char *settings, int jitter) {
    training_config(t, method, settings, jitter);
    t->distiller = fixture_distiller(&t->config);
}

static void training_end(training *t) {
    rt_distiller_free(t->distiller);
    rt_teacher_free(t->teacher);
    rt_model_free(t->teacher_net);
    rt_model_free(t->student);
}

/* ---- resuming ---- */

static void resumes_bit_exactly(const char *settings, int jitter) {
    static training straight, first, second;
    training_begin(&straight, "kd", settings, jitter);
    rt_epoch_report last, resumed;
    for (int i = 0; i < 4; i++) last = fixture_epoch(straight.distiller);

    training_begin(&first, "kd", settings, jitter);
    for (int i = 0; i < 2; i++) fixture_epoch(first.distiller);
    cr_assert(!fixture_same_weights(first.student, straight.student));
    void *bytes;
    size_t count;
    rt_error error;
    cr_assert_eq(rt_distiller_save(first.distiller, &bytes, &count, &error), RT_OK);
    training_end(&first);

    training_begin(&second, "kd", settings, jitter);
    fixture_epoch(second.distiller); /* whatever it was, it is overwritten */
    cr_assert_eq(rt_distiller_restore(second.distiller, bytes, count, &error), RT_OK, "%s", error.message);
    cr_assert_eq(rt_distiller_epochs_done(second.distiller), 2);
    for (int i = 0; i < 2; i++) resumed = fixture_epoch(second.distiller);
    cr_assert(fixture_same_weights(second.student, straight.student), "other weights");
    cr_assert(resumed.loss == last.loss && resumed.accuracy == last.accuracy && resumed.lr == last.lr);
    rt_free(bytes);
    training_end(&second);
    training_end(&straight);
}

Test(driver, resumes_bit_exactly_with_cached_targets) { resumes_bit_exactly("temperature=4", 0); }
Test(driver, resumes_bit_exactly_with_jitter) { resumes_bit_exactly("temperature=4", 2); }
Test(driver, resumes_bit_exactly_from_labels) { resumes_bit_exactly("alpha=0", 1); }

Test(driver, the_same_seed_gives_the_same_bits_and_another_does_not) {
    static training a, b, c;
    training_begin(&a, "kd", "", 1), training_begin(&b, "kd", "", 1);
    training_config(&c, "kd", "", 1);
    c.config.seed = 4;
    c.distiller = fixture_distiller(&c.config);
    fixture_epoch(a.distiller), fixture_epoch(b.distiller), fixture_epoch(c.distiller);
    cr_assert(fixture_same_weights(a.student, b.student));
    cr_assert(!fixture_same_weights(a.student, c.student));
    training_end(&a), training_end(&b), training_end(&c);
}

static bool stop_at_step_3(void *context, int64_t epoch, int64_t step, int64_t steps) {
    bool *stopping = context;
    cr_assert_eq(steps, STEPS);
    return !(*stopping && epoch == 1 && step == 3);
}

Test(driver, stopping_in_an_epoch_and_restoring_loses_nothing) {
    static training straight, t;
    training_begin(&straight, "kd", "", 1);
    for (int i = 0; i < 2; i++) fixture_epoch(straight.distiller);
    bool stopping = true;
    training_config(&t, "kd", "", 1);
    t.config.on_step = stop_at_step_3, t.config.on_step_context = &stopping;
    t.distiller = fixture_distiller(&t.config);
    fixture_epoch(t.distiller);
    void *bytes;
    size_t count;
    rt_error error;
    rt_epoch_report report;
    cr_assert_eq(rt_distiller_save(t.distiller, &bytes, &count, &error), RT_OK);
    cr_assert_eq(rt_distiller_epoch(t.distiller, &report, &error), RT_STOPPED);
    cr_assert(strstr(error.message, "epoch 2, step 4 of 7"), "%s", error.message);
    cr_assert_eq(rt_distiller_epochs_done(t.distiller), 1);
    stopping = false;
    cr_assert_eq(rt_distiller_restore(t.distiller, bytes, count, &error), RT_OK);
    fixture_epoch(t.distiller);
    cr_assert(fixture_same_weights(t.student, straight.student));
    rt_free(bytes);
    training_end(&t), training_end(&straight);
}

/* Every length that is too short, every byte changed: refused, and the student is as it was. */
Test(driver, damaged_checkpoints_are_refused) {
    static training t;
    training_begin(&t, "kd", "", 0);
    fixture_epoch(t.distiller);
    void *bytes;
    size_t count;
    rt_error error;
    cr_assert_eq(rt_distiller_save(t.distiller, &bytes, &count, &error), RT_OK);
    rt_real *before = fixture_weights(t.student);
    unsigned char *copy = rt_alloc(count + 1);
    for (size_t length = 0; length < count; length += length < 200 ? 1 : 97)
        cr_assert_eq(rt_distiller_restore(t.distiller, bytes, length, &error), RT_FORMAT, "%zu bytes",
                     length);
    for (size_t at = 0; at < count; at += at < 200 ? 1 : 31) {
        memcpy(copy, bytes, count);
        copy[at] ^= 0x10;
        cr_assert_eq(rt_distiller_restore(t.distiller, copy, count, &error), RT_FORMAT, "byte %zu", at);
    }
    memcpy(copy, bytes, count), copy[count] = 0;
    cr_assert_eq(rt_distiller_restore(t.distiller, copy, count + 1, &error), RT_FORMAT);
    int64_t elements;
    cr_assert_arr_eq(rt_model_block(t.student, &elements), before, fixture_block_bytes(t.student));

    static training other;
    const char *const differences[] = {"temperature=5", "alpha=0.5", "direction=student-first"};
    for (int i = 0; i < 3; i++) {
        training_begin(&other, "kd", differences[i], 0);
        cr_assert_eq(rt_distiller_restore(other.distiller, bytes, count, &error), RT_FORMAT);
        cr_assert(strstr(error.message, "another training"), "%s", error.message);
        training_end(&other);
    }
    rt_free(copy), rt_free(before), rt_free(bytes);
    training_end(&t);
}

/* ---- in every step ---- */

static bool student_is_training(void *context, int64_t epoch, int64_t step, int64_t steps) {
    training *t = context;
    (void)steps;
    cr_assert(rt_model_is_training(t->student), "epoch %d, step %d: the student is evaluated", (int)epoch,
              (int)step);
    cr_assert(!rt_model_is_training(t->teacher_net), "epoch %d, step %d: the teacher trains", (int)epoch,
              (int)step);
    return true;
}

/* An evaluation after each epoch puts the student into evaluation mode; training must go on as if
 * nobody had looked: same bits, dropout at work in all epochs. */
Test(driver, evaluating_between_epochs_changes_nothing) {
    static training watched, alone;
    training_config(&watched, "kd", "", 1);
    watched.config.on_step = student_is_training, watched.config.on_step_context = &watched;
    watched.distiller = fixture_distiller(&watched.config);
    training_begin(&alone, "kd", "", 1);
    rt_quality quality;
    rt_error error;
    for (int i = 0; i < 3; i++) {
        rt_model_train(watched.teacher_net, 1, 1, 1); /* somebody meddles with the teacher */
        fixture_epoch(watched.distiller), fixture_epoch(alone.distiller);
        cr_assert_eq(rt_evaluate(watched.student, watched.teacher, &fixture_part, &quality, NULL, &error),
                     RT_OK);
        cr_assert(!rt_model_is_training(watched.student));
        rt_model_evaluate(watched.teacher_net);
    }
    cr_assert(fixture_same_weights(watched.student, alone.student));
    training_end(&watched), training_end(&alone);
}

/* The same net with and without dropout, from the same weights: the second epoch differs as well. */
Test(driver, dropout_works_in_every_epoch) {
    fixture_data();
    static rt_params optimizer;
    fixture_optimizer(&optimizer, "lr=0");
    rt_model *with = fixture_model("hidden=[10] dropout.hidden=0.5", 2),
             *without = fixture_model("hidden=[10]", 2);
    rt_distiller_config c = {.method = "none",
                             .transfer = &fixture_part,
                             .batch = BATCH,
                             .seed = 3,
                             .epochs = 3,
                             .training = &optimizer,
                             .prefix = ""};
    c.student = with;
    rt_distiller *dropping = fixture_distiller(&c);
    c.student = without;
    rt_distiller *whole = fixture_distiller(&c);
    double last = 0;
    for (int i = 0; i < 3; i++) {
        double loss = fixture_epoch(dropping).loss;
        cr_assert(fabs(loss - fixture_epoch(whole).loss) > 1e-4, "epoch %d: dropout is off", i);
        cr_assert(i == 0 || loss != last, "epoch %d: the same masks again", i);
        last = loss;
    }
    rt_distiller_free(dropping), rt_distiller_free(whole);
    rt_model_free(with), rt_model_free(without);
}

static size_t calls_at_step[STEPS];
static bool count_allocations(void *context, int64_t epoch, int64_t step, int64_t steps) {
    (void)context, (void)epoch, (void)steps;
    calls_at_step[step] = rt_alloc_stats_get().calls;
    return true;
}

static void allocates_nothing(const char *method, const char *settings, int jitter) {
    static training t;
    training_config(&t, method, settings, jitter);
    t.config.on_step = count_allocations;
    t.distiller = fixture_distiller(&t.config);
    /* the first epoch, of the second stage where there are two: it begins with a new optimiser */
    for (int64_t i = 0; i <= t.distiller->first_stage; i++) fixture_epoch(t.distiller);
    cr_assert_eq(calls_at_step[STEPS - 1], calls_at_step[0], "%s allocates after its first step", method);
    size_t before = rt_alloc_stats_get().calls;
    fixture_epoch(t.distiller);
    cr_assert_eq(rt_alloc_stats_get().calls, before, "%s allocates in its second epoch", method);
    training_end(&t);
}

Test(driver, no_step_after_the_first_allocates) {
    int count;
    const char *const *names = rt_method_names(&count);
    for (int i = 0; i < count; i++)
        for (int jitter = 0; jitter < 2; jitter++) allocates_nothing(names[i], "", jitter);
}

/* ---- alpha = 0 ---- */

/* A teacher whose weights are NaN: a term of weight 0 that is computed would show (0 x NaN is NaN). */
Test(driver, alpha_0_is_training_on_labels_to_the_bit) {
    static training kd, none;
    training_config(&kd, "kd", "alpha=0 temperature=7", 1);
    int64_t count;
    rt_real *block = rt_model_block(kd.teacher_net, &count);
    for (int64_t i = 0; i < count; i++) block[i] = (rt_real)NAN;
    kd.distiller = fixture_distiller(&kd.config);
    training_begin(&none, "none", "", 1);
    for (int i = 0; i < 3; i++) {
        rt_epoch_report a = fixture_epoch(kd.distiller), b = fixture_epoch(none.distiller);
        cr_assert(a.loss == b.loss && a.terms == 1 && b.terms == 1);
    }
    cr_assert(fixture_same_weights(kd.student, none.student));
    training_end(&kd), training_end(&none);
}

Test(driver, alpha_0_needs_no_teacher) {
    static training t;
    training_config(&t, "kd", "alpha=0", 0);
    t.config.teacher = NULL;
    t.distiller = fixture_distiller(&t.config);
    fixture_epoch(t.distiller);
    training_end(&t);
}

/* ---- the report ---- */

/* With lr 0 and no dropout an epoch's means are those of the whole part, whatever the batches. */
Test(driver, the_report_holds_means_over_examples) {
    fixture_data();
    static rt_params optimizer, options;
    fixture_optimizer(&optimizer, "lr=0");
    fixture_options(&options, "kd", "alpha=0.7 temperature=3");
    rt_model *net = fixture_teacher_net(1), *student = fixture_model("hidden=[10]", 2);
    rt_teacher *teacher = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
    rt_distiller_config c = {.student = student,
                             .teacher = teacher,
                             .method = "kd",
                             .options = &options,
                             .transfer = &fixture_part,
                             .seed = 3,
                             .epochs = 1,
                             .training = &optimizer};
    rt_epoch_report report[2];
    for (int i = 0; i < 2; i++) {
        c.batch = i ? BATCH : PART;
        rt_distiller *d = fixture_distiller(&c);
        report[i] = fixture_epoch(d);
        rt_distiller_free(d);
    }
    const double tolerance = sizeof(rt_real) == 8 ? 1e-12 : 1e-5;
    cr_assert(fabs(report[0].loss - report[1].loss) <= tolerance * report[0].loss);
    cr_assert_eq(report[0].accuracy, report[1].accuracy);
    cr_assert_eq(report[1].terms, 2);
    cr_assert_str_eq(report[1].term[0].name, "ce");
    cr_assert_str_eq(report[1].term[1].name, "kd");
    cr_assert(fabs(report[1].term[0].weight - 0.3) < 1e-12 &&
              fabs(report[1].term[1].weight - 0.7 * 9) < 1e-12);
    double sum = report[1].term[0].weight * report[1].term[0].value +
                 report[1].term[1].weight * report[1].term[1].value;
    cr_assert(fabs(sum - report[1].loss) <= 10 * tolerance * sum, "%g is not %g", sum, report[1].loss);
    rt_quality quality;
    rt_error error;
    cr_assert_eq(rt_evaluate(student, teacher, &fixture_part, &quality, NULL, &error), RT_OK);
    cr_assert(fabs(quality.nll - report[1].term[0].value) <= 10 * tolerance * quality.nll);
    cr_assert_eq(quality.accuracy, report[1].accuracy);
    rt_teacher_free(teacher);
    rt_model_free(net), rt_model_free(student);
}

Test(driver, a_student_learns_from_its_teacher_alone) {
    static training t;
    training_config(&t, "kd", "alpha=1 temperature=2", 0);
    fixture_optimizer(&t.optimizer, "lr=0.1 momentum=0.9");
    t.config.epochs = 40;
    t.distiller = fixture_distiller(&t.config);
    double first = fixture_epoch(t.distiller).loss, last = first;
    for (int i = 1; i < 40; i++) last = fixture_epoch(t.distiller).loss;
    cr_assert(last < 0.5 * first, "the loss goes from %g to %g", first, last);
    rt_quality quality;
    rt_error error;
    cr_assert_eq(rt_evaluate(t.student, t.teacher, &fixture_part, &quality, NULL, &error), RT_OK);
    cr_assert_gt(quality.agreement, 0.8);
    training_end(&t);
}

/* ---- failures ---- */

Test(driver, what_diverges_is_named) {
    static training t;
    training_config(&t, "logit-mse", "alpha=1", 0);
    fixture_optimizer(&t.optimizer, "lr=1000 momentum=0.9");
    t.config.epochs = 400;
    t.distiller = fixture_distiller(&t.config);
    rt_epoch_report report;
    rt_error error = {.status = RT_OK};
    rt_status status = RT_OK;
    for (int i = 0; i < 400 && status == RT_OK; i++)
        status = rt_distiller_epoch(t.distiller, &report, &error);
    cr_assert_eq(status, RT_NOT_FINITE);
    cr_assert(strstr(error.message, "epoch ") && strstr(error.message, "step ") &&
                  strstr(error.message, "\"logits\""),
              "%s", error.message);
    training_end(&t);
}

Test(driver, a_teacher_that_answers_nonsense_is_named) {
    static training t;
    training_config(&t, "kd", "", 1);
    int64_t count;
    rt_real *block = rt_model_block(t.teacher_net, &count);
    for (int64_t i = 0; i < count; i++) block[i] = (rt_real)NAN;
    t.distiller = fixture_distiller(&t.config);
    rt_epoch_report report;
    rt_error error;
    cr_assert_eq(rt_distiller_epoch(t.distiller, &report, &error), RT_NOT_FINITE);
    cr_assert(strstr(error.message, "epoch 1, step 1 of 7: the loss term \"kd\" (weight 14.4) is"), "%s",
              error.message);
    training_end(&t);
}

static void new_is_refused(const rt_distiller_config *c, rt_status status, const char *words) {
    rt_error error = {.status = RT_OK};
    cr_assert_null(rt_distiller_new(c, &error));
    cr_assert_eq(error.status, status, "%s", error.message);
    cr_assert(strstr(error.message, words), "\"%s\" is not in \"%s\"", words, error.message);
}

Test(driver, what_does_not_fit_is_refused) {
    static training t;
    training_config(&t, "kd", "", 0);
    rt_distiller_config c = t.config;
    c.teacher = NULL;
    new_is_refused(&c, RT_SPEC, "needs a teacher");
    c = t.config, c.method = "k-d";
    new_is_refused(&c, RT_SPEC, "did you mean \"kd\"");
    rt_teacher *self = fixture_teacher(&t.student, 1, RT_COMBINE_LOGITS);
    c = t.config, c.teacher = self;
    new_is_refused(&c, RT_SPEC, "its own teacher");
    rt_teacher_free(self);
    rt_part nothing = fixture_part;
    nothing.count = 0;
    c = t.config, c.transfer = &nothing;
    new_is_refused(&c, RT_VALUE, "no examples");
    rt_examples more = fixture_examples;
    more.classes = CLASSES + 1;
    rt_part of_more = fixture_part;
    of_more.examples = &more;
    c = t.config, c.transfer = &of_more;
    new_is_refused(&c, RT_SHAPE, "5 classes");
    rt_model *wide = rt_mlp_new(2, (int64_t[]){PIXELS, CLASSES + 1}, 1, NULL);
    rt_teacher *other = fixture_teacher(&wide, 1, RT_COMBINE_LOGITS);
    c = t.config, c.teacher = other;
    new_is_refused(&c, RT_SHAPE, "the teacher 5");
    rt_params nothing_to_learn;
    fixture_options(&nothing_to_learn, "kd", "weights=free hard_weight=0 soft_weight=0");
    c = t.config, c.options = &nothing_to_learn;
    new_is_refused(&c, RT_SPEC, "nothing to learn");
    rt_teacher_free(other), rt_model_free(wide);
    t.distiller = NULL;
    training_end(&t);
}

/* Each allocation of making a distiller and of its first epoch fails in turn: a clean error, and
 * nothing is left over. */
Test(driver, no_memory_is_an_error_and_leaks_nothing) {
    static training t;
    training_config(&t, "kd", "", 0);
    bool done = false;
    int failures = 0;
    for (size_t n = 1; n < 200 && !done; n++) {
        size_t live = rt_alloc_stats_get().live_blocks;
        rt_error error = {.status = RT_OK};
        rt_epoch_report report;
        rt_alloc_fail_after(n);
        rt_distiller *d = rt_distiller_new(&t.config, &error);
        rt_status status = d ? rt_distiller_epoch(d, &report, &error) : error.status;
        rt_alloc_fail_after(0);
        rt_distiller_free(d);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live, "allocation %zu leaves something over", n);
        done = status == RT_OK;
        failures += !done;
        cr_assert(done || (status == RT_MEMORY && error.message[0]), "allocation %zu: %s", n, error.message);
    }
    cr_assert(done && failures > 5, "%d allocations failed", failures);
    t.distiller = NULL;
    training_end(&t);
}

/* ---- jitter and the cache ---- */

static char said[1024];
static void listen(void *context, rt_log_level level, const char *line) {
    (void)context, (void)level;
    snprintf(said, sizeof said, "%s", line);
}

Test(driver, jitter_runs_the_teacher_live_and_says_so) {
    static training t;
    rt_log_set(listen, NULL);
    training_begin(&t, "kd", "", 2);
    cr_assert(strstr(said, "jitter"), "said: %s", said);
    cr_assert_null(t.distiller->cache);
    training_end(&t);
    training_begin(&t, "kd", "", 0);
    cr_assert_not_null(t.distiller->cache);
    training_end(&t);
    training_begin(&t, "none", "", 0);
    cr_assert_null(t.distiller->cache);
    training_end(&t);
}

/* The cache changes the time, not the numbers: the same training with the teacher asked each time. */
Test(driver, cached_and_live_teachers_give_the_same_bits) {
    static training cached, live;
    training_begin(&cached, "kd", "", 0), training_begin(&live, "kd", "", 0);
    live.distiller->cache = NULL;
    for (int i = 0; i < 2; i++) fixture_epoch(cached.distiller), fixture_epoch(live.distiller);
    cr_assert(fixture_same_weights(cached.student, live.student));
    training_end(&cached), training_end(&live);
}
