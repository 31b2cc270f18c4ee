/* specialists.c - a generalist, its specialists, and what they say together.  Floor 8 (experiment)
 *
 *     the first finished teacher of the plan -> its answers to all examples -> their covariance
 *     for each seed: sets -> specialists -> equation 5 on test examples (tables) and on training examples
 *
 * Nothing is chosen anywhere, so the validation examples are looked at by nobody; the answers that are left
 * for students have a row for each of them all the same. */
#include "experiment/specialists.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "deploy/export.h"
#include "experiment/trial.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "retort/alloc.h"
#include "retort/log.h"

typedef struct work {
    const rti_specialists_config *c;
    rti_specialists_result *r;
    const rti_trial *trial;
    rt_model *generalist;
    rt_params training; /* rows of the generalist with the specialists' epochs and rates */
    const rt_examples *train, *test;
    rt_real *train_rows, *test_rows; /* the generalist's logits */
    double *covariance;
    rti_specialist specialists[RTI_SPECIALISTS_MAX];
    rt_real *on_rows; /* test logits of the generalist that went on; NULL: there is none */
} work;

/* ---- the generalist ---- */

static rt_status find_generalist(work *w, rt_error *error) {
    const rti_plan *plan = w->c->plan;
    int teachers = 0;
    for (int t = 0; t < plan->trial_count; t++) {
        if (plan->trials[t].role != RTI_TEACHER) continue;
        teachers++;
        if (rti_trial_state(plan, t) != RTI_DONE) continue;
        char directory[RTI_PATH_MAX], path[RTI_PATH_MAX], label[128];
        w->trial = &plan->trials[t];
        rti_trial_directory(plan, t, directory, sizeof directory);
        RT_TRY(rti_path_join(path, sizeof path, directory, "weights.safetensors", error));
        w->generalist = rti_trial_model(plan, t, error);
        if (!w->generalist) return error ? error->status : RT_MEMORY;
        RT_TRY(rt_model_load(w->generalist, path, error));
        rt_model_hash(w->generalist, w->r->generalist_hash);
        snprintf(w->r->generalist, sizeof w->r->generalist, "%s: %.300s",
                 rti_trial_label(plan, t, label, sizeof label), rt_model_summary(w->generalist));
        return RT_OK;
    }
    if (teachers)
        return rt_fail(error, RT_NOT_FOUND,
                       "%s: its [teacher] is the generalist, and it is not trained yet; first: retort run %s",
                       plan->spec.name, plan->spec.path);
    if (plan->trial_count && rti_settings_stored(plan->trials[0].settings))
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: its [teacher] is a file of answers; a specialist begins with "
                       "the weights of the generalist, so that a network is needed",
                       plan->spec.name);
    return rt_fail(error, RT_SPEC, "%s: has no [teacher], and that is the generalist", plan->spec.name);
}

/* ---- options ---- */

static rt_status set_row(rt_params *rows, const char *name, double value, rt_error *error) {
    char text[32];
    rti_number_format(value, text);
    return rt_params_set_text(rows, name, text, error);
}

static rt_status set_training(work *w, rt_error *error) {
    const rti_specialists_config *c = w->c;
    const rt_params *own = &w->trial->settings->teacher;
    rti_specialists_result *r = w->r;
    const int64_t epochs = rt_params_int(own, "epochs") / 2;
    r->epochs = c->epochs ? c->epochs : epochs > 1 ? epochs : 1;
    w->training = *own;
    RT_TRY(set_row(&w->training, "epochs", (double)r->epochs, error));
    const double lr = isnan(c->lr) ? rt_params_real(own, "optimizer.lr") / 10 : c->lr;
    RT_TRY(set_row(&w->training, "optimizer.lr", lr, error));
    if (!isnan(c->momentum)) RT_TRY(set_row(&w->training, "optimizer.momentum", c->momentum, error));
    RT_TRY(rt_optimizer_check(&w->training, "optimizer.", error));
    const char *name = rt_params_text(own, "optimizer.name");
    snprintf(r->rates, sizeof r->rates, "%s, lr %g", name, lr);
    if (!strcmp(name, "sgd"))
        snprintf(r->rates + strlen(r->rates), 64, ", momentum %g",
                 rt_params_real(&w->training, "optimizer.momentum"));
    return RT_OK;
}

static rt_status set_sizes(work *w, rt_error *error) {
    const rti_specialists_config *c = w->c;
    rti_specialists_result *r = w->r;
    const int K = r->K;
    if (K < 3)
        return rt_fail(error, RT_UNSUPPORTED, "%d classes: a specialist needs some of its own and a rest", K);
    const int root = (int)lround(sqrt(K));
    r->n = c->classes ? c->classes : root > 2 ? root : 2;
    if (r->n >= K)
        return rt_fail(error, RT_VALUE, "a specialist can have 1 to %d of %d classes, not %d", K - 1, K,
                       r->n);
    r->count = c->count ? c->count : (int)ceil(1.22 * K / r->n);
    const int most = K < RTI_SPECIALISTS_MAX ? K : RTI_SPECIALISTS_MAX;
    if (r->count > most && !c->count) r->count = most;
    if (r->count > most)
        return rt_fail(error, RT_VALUE, "there can be 1 to %d specialists for %d classes, not %d", most, K,
                       r->count);
    r->cover = c->cover;
    if (r->cover < 1 || r->cover > K)
        return rt_fail(error, RT_VALUE, "1 to %d most probable classes can choose specialists, not %d", K,
                       r->cover);
    r->law = c->law;
    return set_training(w, error);
}

/* ---- what the generalist says ---- */

static rt_status ask_generalist(work *w, rt_error *error) {
    const size_t K = (size_t)w->r->K;
    const rt_part *part = rt_dataset_part(w->r->set, RT_PART_TRAIN);
    w->train_rows = rt_alloc_zero((size_t)w->train->count, K * sizeof *w->train_rows);
    w->test_rows = rt_alloc_zero((size_t)w->test->count, K * sizeof *w->test_rows);
    w->covariance = rt_alloc(K * K * sizeof *w->covariance);
    if (!w->train_rows || !w->test_rows || !w->covariance)
        return rt_fail(error, RT_MEMORY, "no memory for the generalist's answers");
    RT_TRY(rti_answers(w->generalist, w->train, w->train_rows, error));
    RT_TRY(rti_answers(w->generalist, w->test, w->test_rows, error));
    RT_TRY(rti_prediction_covariance(part->count, w->r->K, part->index, w->train_rows, w->covariance, error));
    if (w->r->law == RTI_SETS_CORRELATION) rti_correlation(w->r->K, w->covariance);
    return RT_OK;
}

/* ---- a seed ---- */

static rti_specialist_training training_of(const work *w, uint64_t seed, const char *directory) {
    return (rti_specialist_training){
        .set = w->r->set,
        .generalist = w->generalist,
        .generalist_hash = w->r->generalist_hash,
        .network = &w->trial->settings->teacher,
        .training = &w->training,
        .epochs = w->r->epochs,
        .batch = rt_params_int(&w->trial->settings->data, "batch"),
        .seed = seed,
        .directory = directory,
        .on_step = w->c->on_step,
        .context = w->c->context,
    };
}

static rt_status train_all(work *w, const rti_special_sets *sets, uint64_t seed, const char *directory,
                           rt_error *error) {
    const rti_specialist_training training = training_of(w, seed, directory);
    int known = 0;
    for (int m = 0; m < sets->count; m++) {
        RT_TRY(rti_specialist_train(&w->specialists[m], &training, sets, m, error));
        known += w->specialists[m].was_there;
    }
    if (known)
        rt_say(RT_LOG_INFO, "seed %" PRIu64 ": %d of %d specialists were trained before", seed, known,
               sets->count);
    return RT_OK;
}

/* The generalist sees as many examples more as all specialists did, in whole epochs. */
static rt_status train_on(work *w, rti_specialists_seed *s, const char *directory, rt_error *error) {
    if (!w->c->control) return RT_OK;
    const int64_t all = rt_dataset_part(w->r->set, RT_PART_TRAIN)->count;
    int64_t shown = 0;
    for (int m = 0; m < s->sets.count; m++) shown += 2 * w->specialists[m].special * w->r->epochs;
    rti_specialist_training training = training_of(w, s->seed, directory);
    training.epochs = s->on_epochs = shown > all ? (shown + all / 2) / all : 1;
    rti_specialist on;
    RT_TRY(rti_generalist_go_on(&on, &training, error));
    if (!w->on_rows) w->on_rows = rt_alloc_zero((size_t)w->test->count, (size_t)w->r->K * sizeof *w->on_rows);
    rt_status status = w->on_rows ? rti_answers(on.model, w->test, w->on_rows, error)
                                  : rt_fail(error, RT_MEMORY, "no memory for the generalist's answers");
    rt_model_free(on.model);
    return status;
}

static rt_status write_answers(const rti_full_answers *a, int K, const char *directory, const char *name,
                               rt_error *error) {
    char path[RTI_PATH_MAX];
    const int64_t shape[2] = {a->examples->count, K};
    RT_TRY(rti_path_join(path, sizeof path, directory, name, error));
    return rti_npy_write(path, sizeof(rt_real) == sizeof(float) ? RTI_NPY_F4 : RTI_NPY_F8, 2, shape, a->full,
                         error);
}

/* Equation 5 on one table, its rows for students, and its measures when it is the test set. */
static rt_status combine(work *w, rti_specialists_seed *s, bool test, const char *directory,
                         rt_error *error) {
    const rti_specialists_config *c = w->c;
    rti_full_answers answers;
    RT_TRY(rti_full_answers_make(&answers, test ? w->test : w->train, test ? w->test_rows : w->train_rows,
                                 &s->sets, w->specialists, w->r->cover, c->on_step, c->context, error));
    if (test)
        rti_specialists_measure(s, &answers, rt_dataset_part(w->r->set, RT_PART_TEST), w->specialists,
                                w->r->cover, w->on_rows);
    rt_status status = write_answers(&answers, w->r->K, directory,
                                     test ? "test-logits.npy" : "train-logits.npy", error);
    rti_full_answers_deinit(&answers);
    return status;
}

static rt_status one_seed(work *w, rti_specialists_seed *s, rt_error *error) {
    char name[48], directory[RTI_PATH_MAX];
    snprintf(name, sizeof name, "seed-%" PRIu64, s->seed);
    RT_TRY(rti_path_join(directory, sizeof directory, w->r->directory, name, error));
    RT_TRY(rti_directory_make(directory, error));
    RT_TRY(rti_special_sets_make(&s->sets, w->r->K, w->covariance, w->r->count, w->r->n, w->r->law, s->seed,
                                 error));
    rt_status status = train_all(w, &s->sets, s->seed, directory, error);
    if (status == RT_OK) status = train_on(w, s, directory, error);
    if (status == RT_OK) status = combine(w, s, true, directory, error);
    if (status == RT_OK) status = combine(w, s, false, directory, error);
    for (int m = 0; m < s->sets.count; m++) {
        rt_model_free(w->specialists[m].model);
        w->specialists[m].model = NULL;
    }
    return status;
}

/* ---- all ---- */

static rt_status go(work *w, rt_error *error) {
    const rti_specialists_config *c = w->c;
    rti_specialists_result *r = w->r;
    RT_TRY(find_generalist(w, error));
    r->set = c->plan->datasets[w->trial->dataset];
    w->train = rt_dataset_train_examples(r->set);
    w->test = rt_dataset_test_examples(r->set);
    r->K = w->train->classes;
    RT_TRY(set_sizes(w, error));
    if (c->directory)
        snprintf(r->directory, sizeof r->directory, "%s", c->directory);
    else
        RT_TRY(rti_path_join(r->directory, sizeof r->directory, c->plan->directory, "specialists", error));
    RT_TRY(rti_directory_make(r->directory, error));
    RT_TRY(ask_generalist(w, error));
    r->seeds = rt_alloc_zero((size_t)c->seed_count, sizeof *r->seeds);
    if (!r->seeds) return rt_fail(error, RT_MEMORY, "no memory for %d seeds", c->seed_count);
    for (int i = 0; i < c->seed_count; i++) {
        r->seed_count = i + 1;
        r->seeds[i].seed = c->seeds[i];
        RT_TRY(one_seed(w, &r->seeds[i], error));
    }
    return rti_specialists_write(r, c->plan->spec.name, c->program, c->plots, error);
}

rt_status rti_specialists(const rti_specialists_config *config, rti_specialists_result *result,
                          rt_error *error) {
    RT_ASSERT(config->seed_count >= 1 && config->seed_count <= RTI_SEEDS_MAX, "%d seeds", config->seed_count);
    *result = (rti_specialists_result){.K = 0};
    work *w = rt_alloc_zero(1, sizeof *w);
    if (!w) return rt_fail(error, RT_MEMORY, "no memory for specialists");
    w->c = config;
    w->r = result;
    rt_status status = go(w, error);
    rt_model_free(w->generalist);
    rt_free(w->train_rows), rt_free(w->test_rows), rt_free(w->on_rows);
    rt_free(w->covariance);
    rt_free(w);
    if (status != RT_OK) rti_specialists_deinit(result);
    return status;
}

void rti_specialists_deinit(rti_specialists_result *r) {
    for (int i = 0; i < r->seed_count; i++) rti_special_sets_deinit(&r->seeds[i].sets);
    rt_free(r->seeds);
    r->seeds = NULL;
    r->seed_count = 0;
}
