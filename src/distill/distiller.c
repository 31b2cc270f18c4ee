/* distiller.c - the driver: one training loop for every method.        Floor 7 (distill)
 *
 * A distiller is made of the parts of the method's name ("kd", or "kd+at": parts.h), the features they
 * look at (features.h), their adapters (adapters.h), the soft-target cache, the student's optimiser and
 * the loader. What happens in a step is in step.c. Nothing here knows a particular method.
 *
 * A method may have two stages (FitNets' hints): the first epochs belong to the first, and the optimiser
 * begins anew with the second, schedule and slots, since each is a training of its own. */
#include "distill/distiller.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "distill/teacher.h"
#include "kernels/kernels.h"
#include "retort/alloc.h"
#include "retort/log.h"

/* The loader takes seed 0 for "do not shuffle". */
#define ORDER_OF_SEED_0 UINT64_C(0x7265746f72740000)

/* ---- making ---- */

/* Answers from a file: what they can not be asked. */
static rt_status check_stored(const rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    const char *file = rti_teacher_stored(c->teacher)->name;
    long long K = rt_model_classes(c->student), teacher_K = rt_teacher_classes(c->teacher);
    if (K != teacher_K)
        return rt_fail(error, RT_SHAPE, "the student has %lld classes and the teacher %lld", K, teacher_K);
    if (d->uses_features)
        return rt_fail(error, RT_UNSUPPORTED,
                       "method \"%s\" looks at hidden layers, and %.200s holds answers alone; use a network as "
                       "teacher, or a method of the logits (kd)",
                       c->method, file);
    if (c->augment.mixup > 0)
        return rt_fail(error, RT_UNSUPPORTED,
                       "mixup shows mixtures of examples, and %.200s has answers to the examples alone; take "
                       "mixup away, or use a network as teacher",
                       file);
    if (!rti_teacher_knows(c->teacher, c->transfer->examples))
        return rt_fail(error, RT_UNSUPPORTED,
                       "the student learns from a transfer set of its own, and %.200s has answers to the "
                       "training examples of the main set alone",
                       file);
    return RT_OK;
}

static rt_status check_teacher(const rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    if (!d->uses_teacher) return RT_OK;
    if (!c->teacher)
        return rt_fail(error, RT_SPEC, "method \"%s\" needs a teacher, there is none", c->method);
    if (rt_teacher_is_stored(c->teacher)) return check_stored(d, error);
    for (int i = 0; i < rt_teacher_members(c->teacher); i++)
        if (rt_teacher_member(c->teacher, i) == c->student)
            return rt_fail(error, RT_SPEC,
                           "the student is a network of its own teacher; make a second model");
    long long K = rt_model_classes(c->student), teacher_K = rt_teacher_classes(c->teacher);
    if (K != teacher_K)
        return rt_fail(error, RT_SHAPE, "the student has %lld classes and the teacher %lld", K, teacher_K);
    if (d->uses_features && rt_teacher_members(c->teacher) > 1)
        return rt_fail(
            error, RT_UNSUPPORTED,
            "method \"%s\" looks at hidden layers, and a teacher of %d networks has no single one; "
            "use one network, or a method of the logits (kd)",
            c->method, rt_teacher_members(c->teacher));
    return RT_OK;
}

static rt_status check_config(const rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    int64_t K = rt_model_classes(c->student);
    if (c->transfer->count < 1) return rt_fail(error, RT_VALUE, "there are no examples to learn from");
    if (c->transfer->examples->classes > K)
        return rt_fail(error, RT_SHAPE, "the examples have %d classes, the student answers with %lld",
                       c->transfer->examples->classes, (long long)K);
    for (int i = 0; i < d->parts.count; i++)
        if (d->part[i].method->check) RT_TRY(d->part[i].method->check(&d->part[i].options, K, error));
    return check_teacher(d, error);
}

static void hash_options(rti_hash *hash, const rt_params *options, const char *prefix, const rt_param *rows,
                         int count) {
    for (int i = 0; i < count; i++) {
        char name[128], text[RT_PARAM_TEXT_MAX * 2];
        snprintf(name, sizeof name, "%s%s", prefix, rows[i].name);
        int row = rt_params_find(options, name);
        if (row < 0) continue;
        rt_value_format(&options->values[row], text, sizeof text);
        rti_hash_add_text(hash, text);
    }
}

static void hash_shapes(rti_hash *hash, rt_model *model) {
    for (int i = 0; i < rt_model_parameters(model); i++) {
        const rt_parameter *p = rt_model_parameter(model, i);
        rti_hash_add_text(hash, p->name);
        rti_hash_add(hash, p->tensor.shape, (size_t)p->tensor.ndim * sizeof *p->tensor.shape);
    }
}

/* Everything the numbers of an epoch depend on, except weights and slots. */
static void make_identity(rt_distiller *d) {
    const rt_distiller_config *c = &d->config;
    rti_hash hash;
    rti_hash_init(&hash, 0);
    int count;
    const rt_param *rows = rti_parts_rows(c->method, &count);
    rti_hash_add_text(&hash, c->method);
    hash_options(&hash, &d->options, "", rows, count);
    rows = rt_optimizer_rows(&count);
    hash_options(&hash, c->training, c->prefix ? c->prefix : "", rows, count);
    const rt_augment *a = &c->augment;
    double views[] = {a->jitter, a->flip, a->crop, a->reflect, a->cutout, a->mixup};
    rti_hash_add(&hash, views, sizeof views);
    int64_t numbers[] = {sizeof(rt_real), c->batch, (int64_t)c->seed, c->epochs, c->transfer->count};
    rti_hash_add(&hash, numbers, sizeof numbers);
    rti_hash_add(&hash, c->transfer->index, (size_t)c->transfer->count * sizeof *c->transfer->index);
    rti_hash_add(&hash, c->transfer->labels, (size_t)c->transfer->count * sizeof *c->transfer->labels);
    rti_hash_add_text(&hash, c->transfer_hash ? c->transfer_hash : "");
    char teacher[33] = "";
    if (d->uses_teacher) rt_teacher_hash(c->teacher, teacher);
    rti_hash_add_text(&hash, teacher);
    hash_shapes(&hash, c->student);
    for (int i = 0; i < d->adapters.count; i++) hash_shapes(&hash, d->adapters.model[i]);
    rti_hash_finish_text(&hash, d->identity);
}

/* Soft targets of augmented batches are asked for again each time: another shift, another answer. */
static rt_status open_cache(rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    if (!d->uses_teacher || d->uses_features) return RT_OK;
    const rt_augment *a = &c->augment;
    const bool moves = a->jitter || a->flip || a->crop || a->cutout || a->mixup > 0;
    if (moves && rt_teacher_is_stored(c->teacher)) {
        rt_say(RT_LOG_INFO, "soft targets are fixed: the student's images change, the stored answers do not");
    } else if (moves) {
        rt_say(RT_LOG_INFO, "soft targets are not cached: %s shows the teacher new images in every epoch",
               a->jitter   ? "jitter"
               : a->crop   ? "crop"
               : a->flip   ? "flip"
               : a->cutout ? "cutout"
                           : "mixup");
        return RT_OK;
    }
    d->cache = rti_cache_open(c->teacher, c->transfer, c->cache_directory, error);
    return d->cache ? RT_OK : RT_MEMORY;
}

/* The parts' features, first stages, adapters and states. */
static rt_status open_parts(rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    for (int i = 0; i < d->parts.count; i++) {
        rti_part *part = &d->part[i];
        const rti_method *m = part->method;
        if (m->needs & RTI_NEEDS_FEATURES && d->uses_teacher)
            RT_TRY(rti_features_pair(&part->features, m, &part->options, c->student,
                                     rt_teacher_member(c->teacher, 0), error));
        part->T = m->temperature ? m->temperature(&part->options) : 1;
        part->first_stage = m->first_stage_epochs ? m->first_stage_epochs(&part->options, c->epochs) : 0;
        if (part->first_stage > d->first_stage) d->first_stage = part->first_stage;
        const rti_method_setup setup = {.config = c,
                                        .options = &part->options,
                                        .classes = rt_model_classes(c->student),
                                        .pairs = part->features.pairs,
                                        .student = part->features.student,
                                        .teacher = part->features.teacher,
                                        .adapters = &d->adapters};
        if (m->init && d->uses_teacher == rt_method_needs_teacher(c->method))
            RT_TRY(m->init(&part->state, &setup, error));
    }
    return RT_OK;
}

rt_status rti_distiller_prepare(rt_distiller *d, const rt_distiller_config *config, rt_error *error) {
    d->config = *config;
    RT_TRY(rti_parts_check(config->method, error));
    rti_parts_find(config->method, &d->parts);
    int count;
    const rt_param *rows = rti_parts_rows(config->method, &count);
    if (!rows) return rt_fail(error, RT_SPEC, "\"%s\" has too many options for one table", config->method);
    if (config->options)
        d->options = *config->options;
    else
        rt_params_init(&d->options, rows, count);
    d->config.options = &d->options;
    for (int i = 0; i < d->parts.count; i++) {
        d->part[i].method = d->parts.method[i];
        rti_part_options(&d->parts, i, &d->options, &d->part[i].options);
        d->uses_features |= (d->part[i].method->needs & RTI_NEEDS_FEATURES) != 0;
    }
    d->uses_teacher = rt_method_needs_teacher(config->method) &&
                      !rt_method_is_labels_only(config->method, &d->options);
    d->uses_features &= d->uses_teacher;
    RT_TRY(check_config(d, error));
    return open_parts(d, error);
}

rt_status rti_distiller_optimizer(rt_distiller *d, int64_t epoch, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    int64_t epochs = epoch < d->first_stage ? d->first_stage : c->epochs - d->first_stage;
    rt_optimizer_free(d->optimizer);
    d->optimizer = rt_optimizer_new(c->student, c->training, c->prefix ? c->prefix : "", epochs,
                                    rt_loader_steps(d->loader), error);
    if (!d->optimizer) return RT_MEMORY;
    for (int i = 0; i < d->adapters.count; i++)
        RT_TRY(rt_optimizer_add(d->optimizer, d->adapters.model[i], error));
    return RT_OK;
}

static rt_status build(rt_distiller *d, const rt_distiller_config *config, rt_error *error) {
    RT_TRY(rti_distiller_prepare(d, config, error));
    const rt_distiller_config *c = &d->config;
    make_identity(d);
    d->graph = rt_graph_new(error);
    if (!d->graph) return RT_MEMORY;
    d->loader = rt_loader_new(c->transfer, c->batch, c->seed ? c->seed : ORDER_OF_SEED_0, &c->augment, error);
    if (!d->loader) return RT_MEMORY;
    RT_TRY(rti_distiller_optimizer(d, 0, error));
    return open_cache(d, error);
}

rt_distiller *rt_distiller_new(const rt_distiller_config *config, rt_error *error) {
    RT_ASSERT(config->student && config->transfer && config->method && config->training,
              "a distiller needs a student, a part to learn from, a method and training options");
    RT_ASSERT(config->batch >= 1 && config->epochs >= 1, "%lld epochs with batches of %lld",
              (long long)config->epochs, (long long)config->batch);
    rt_distiller *d = rt_alloc_zero(1, sizeof *d);
    if (!d) {
        rt_fail(error, RT_MEMORY, "no memory for the training of a student");
        return NULL;
    }
    if (build(d, config, error) == RT_OK) return d;
    rt_distiller_free(d);
    return NULL;
}

void rt_distiller_free(rt_distiller *d) {
    if (!d) return;
    for (int i = 0; i < d->parts.count; i++)
        if (d->part[i].state && d->part[i].method->deinit) d->part[i].method->deinit(d->part[i].state);
    rti_cache_free(d->cache);
    rt_optimizer_free(d->optimizer);
    rt_loader_free(d->loader);
    rt_graph_free(d->graph);
    rti_adapters_deinit(&d->adapters);
    rt_free(d);
}

int64_t rt_distiller_epochs_done(const rt_distiller *d) { return d->epochs_done; }

int64_t rt_distiller_extra_parameters(const rt_distiller *d) { return rti_adapters_parameters(&d->adapters); }

/* ---- an epoch ---- */

/* "epoch 3, step 17 of 550", counted from 1, for messages. */
static rt_status at_step(const rt_distiller *d, const rt_batch *batch, rt_status status, rt_error *error) {
    return rt_fail_in(error, status, "epoch %lld, step %lld of %lld", (long long)d->epochs_done + 1,
                      (long long)batch->step + 1, (long long)rt_loader_steps(d->loader));
}

static void finish_report(rt_epoch_report *report, int64_t examples) {
    double n = (double)examples;
    report->loss /= n;
    report->accuracy /= n;
    for (int i = 0; i < report->terms; i++) {
        report->term[i].weight /= n;
        report->term[i].value /= n;
    }
}

static rt_status check_weights(const rt_distiller *d, rt_error *error) {
    for (int m = -1; m < d->adapters.count; m++) {
        int64_t count;
        const rt_real *block = rt_model_block(m < 0 ? d->config.student : d->adapters.model[m], &count);
        if (!rti_all_finite(count, block))
            return rt_fail(error, RT_NOT_FINITE, "epoch %lld: weights of the %s are no longer finite numbers",
                           (long long)d->epochs_done + 1, m < 0 ? "student" : "method's adapters");
    }
    return RT_OK;
}

static rt_status run_steps(rt_distiller *d, rt_epoch_report *report, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    rt_batch batch;
    rt_loader_begin(d->loader, d->epochs_done);
    for (int i = 0; i < d->parts.count; i++)
        if (d->part[i].method->epoch_begin) d->part[i].method->epoch_begin(d->part[i].state, d->epochs_done);
    while (rt_loader_next(d->loader, &batch)) {
        rt_status status = rti_distiller_step(d, &batch, report, error);
        if (status != RT_OK) return at_step(d, &batch, status, error);
        if (c->on_step &&
            !c->on_step(c->on_step_context, d->epochs_done, batch.step, rt_loader_steps(d->loader)))
            return rt_fail(error, RT_STOPPED, "stopped in epoch %lld, step %lld of %lld",
                           (long long)d->epochs_done + 1, (long long)batch.step + 1,
                           (long long)rt_loader_steps(d->loader));
    }
    return check_weights(d, error);
}

rt_status rt_distiller_epoch(rt_distiller *d, rt_epoch_report *report, rt_error *error) {
    RT_ASSERT(!d->mid_epoch, "an epoch that did not end cannot be gone on with: restore a checkpoint");
    RT_ASSERT(d->epochs_done < d->config.epochs, "all %lld epochs are done", (long long)d->config.epochs);
    bool second = d->first_stage > 0 && d->epochs_done >= d->first_stage;
    rt_epoch_report sums = {.epoch = d->epochs_done, .stage = second ? 2 : 1};
    d->mid_epoch = true;
    if (d->first_stage > 0 && d->epochs_done == d->first_stage)
        RT_TRY(rti_distiller_optimizer(d, d->epochs_done, error));
    RT_TRY(run_steps(d, &sums, error));
    finish_report(&sums, d->config.transfer->count);
    *report = sums;
    d->mid_epoch = false;
    d->epochs_done++;
    return RT_OK;
}
