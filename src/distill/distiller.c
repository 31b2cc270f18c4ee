/* distiller.c - the driver: how it is made.                            Floor 7 (distill)
 *
 * A distiller is made of the parts of the method's name ("kd", or "kd+at": parts.h), the features they
 * look at (features.h), their adapters (adapters.h), the student's optimiser, and the batches and teacher's
 * answers that it may share with others (shared.h). The training loop is in epoch.c, what happens in a step
 * in step.c. Nothing here knows a particular method.
 *
 * A method may have two stages (FitNets' hints): the first epochs belong to the first, and the optimiser
 * begins anew with the second, schedule and slots, since each is a training of its own. */
#include "distill/distiller.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "distill/targets.h"
#include "distill/teacher.h"
#include "kernels/kernels.h"
#include "nn/model.h"
#include "retort/alloc.h"
#include "retort/log.h"

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
                       "method \"%s\" looks at hidden layers, and %.200s holds answers alone; use a network "
                       "as teacher, or a method of the logits (kd)",
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

static bool has_batch_norm(const rt_teacher *teacher) {
    for (int i = 0; i < rt_teacher_members(teacher); i++)
        if (rti_model_has_batch_norm(rt_teacher_member(teacher, i))) return true;
    return false;
}

/* Other targets than the teacher's answers: when there are none. */
static rt_status check_targets(const rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    const char *name = rt_targets_name(c->targets);
    if (c->targets == RT_TARGETS_TEACHER) return RT_OK;
    if (d->uses_features)
        return rt_fail(error, RT_UNSUPPORTED,
                       "targets = \"%s\" changes answers, and method \"%s\" looks at hidden layers", name,
                       c->method);
    if (rti_targets_are_fixed(c->targets) && c->augment.mixup > 0)
        return rt_fail(error, RT_UNSUPPORTED,
                       "targets = \"%s\" are answers to examples, and mixup shows mixtures of them", name);
    if (c->targets == RT_TARGETS_DROPOUT &&
        (rt_teacher_is_stored(c->teacher) || has_batch_norm(c->teacher)))
        return rt_fail(error, RT_UNSUPPORTED,
                       "targets = \"dropout\" leaves the teacher's dropout on; that needs a network without "
                       "batch normalisation, whose statistics would change");
    return RT_OK;
}

static rt_status check_teacher(const rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    if (!d->uses_teacher) return RT_OK;
    if (!c->teacher)
        return rt_fail(error, RT_SPEC, "method \"%s\" needs a teacher, there is none", c->method);
    RT_TRY(check_targets(d, error));
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
    if (c->targets != RT_TARGETS_TEACHER) rti_hash_add_text(&hash, rt_targets_name(c->targets));
    int64_t numbers[] = {sizeof(rt_real), c->batch, (int64_t)c->seed, c->epochs, c->transfer->count};
    rti_hash_add(&hash, numbers, sizeof numbers);
    rti_hash_add(&hash, c->transfer->index, (size_t)c->transfer->count * sizeof *c->transfer->index);
    rti_hash_add(&hash, c->transfer->labels, (size_t)c->transfer->count * sizeof *c->transfer->labels);
    rti_hash_add_text(&hash, c->transfer_hash ? c->transfer_hash : "");
    rti_hash_add_text(&hash, d->uses_teacher ? d->shared->teacher_hash : "");
    hash_shapes(&hash, c->student);
    for (int i = 0; i < d->adapters.count; i++) hash_shapes(&hash, d->adapters.model[i]);
    rti_hash_finish_text(&hash, d->identity);
}

/* Soft targets of augmented batches are asked for again each time: another shift, another answer. */
static rt_status open_cache(rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    if (d->uses_features) return RT_OK;
    const rt_augment *a = &c->augment;
    if (c->targets == RT_TARGETS_DROPOUT) return RT_OK; /* other noise in every step */
    const bool moves = (a->jitter || a->flip || a->crop || a->cutout || a->mixup > 0) &&
                       !rti_targets_are_fixed(c->targets);
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
    d->cache = rti_shared_cache(d->shared, c, error);
    if (!d->cache) return RT_MEMORY;
    if (c->targets == RT_TARGETS_TEACHER || c->targets == RT_TARGETS_FIXED) return RT_OK;
    d->cache = d->changed = rti_cache_dup(d->cache, error);
    return d->cache ? rti_targets_change(d->cache, c->transfer, c->targets, c->seed, error) : RT_MEMORY;
}

/* Its own batches, or those of the one it is made beside. */
static rt_status open_shared(rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    d->shared = c->beside ? c->beside->shared : &d->own;
    if (!c->beside) RT_TRY(rti_shared_init(&d->own, c, error));
    d->graph = d->shared->graph;
    if (!d->uses_teacher) return RT_OK;
    rti_shared_teacher(d->shared, c->teacher);
    return open_cache(d, error);
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
                                    rt_loader_steps(d->shared->loader), error);
    if (!d->optimizer) return RT_MEMORY;
    for (int i = 0; i < d->adapters.count; i++)
        RT_TRY(rt_optimizer_add(d->optimizer, d->adapters.model[i], error));
    return RT_OK;
}

static rt_status build(rt_distiller *d, const rt_distiller_config *config, rt_error *error) {
    RT_TRY(rti_distiller_prepare(d, config, error));
    RT_TRY(open_shared(d, error));
    make_identity(d);
    return rti_distiller_optimizer(d, 0, error);
}

rt_distiller *rt_distiller_new(const rt_distiller_config *config, rt_error *error) {
    RT_ASSERT(config->student && config->transfer && config->method && config->training,
              "a distiller needs a student, a part to learn from, a method and training options");
    RT_ASSERT(config->batch >= 1 && config->epochs >= 1, "%lld epochs with batches of %lld",
              (long long)config->epochs, (long long)config->batch);
    const rt_distiller_config *other = config->beside ? &config->beside->config : config;
    RT_ASSERT(other->transfer == config->transfer && other->batch == config->batch &&
                  other->seed == config->seed && rti_same_augment(&other->augment, &config->augment),
              "students that are trained together see the same batches");
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
    rt_optimizer_free(d->optimizer);
    rti_cache_free(d->changed);
    rti_shared_deinit(&d->own);
    rti_adapters_deinit(&d->adapters);
    rt_free(d);
}

int64_t rt_distiller_epochs_done(const rt_distiller *d) { return d->epochs_done; }

int64_t rt_distiller_extra_parameters(const rt_distiller *d) { return rti_adapters_parameters(&d->adapters); }
