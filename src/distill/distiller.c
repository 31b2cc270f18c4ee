/* distiller.c - the driver: one training loop for every method.        Floor 7 (distill)
 *
 * A step: the student's logits z on the tape; the teacher's v for the same examples, from the cache or
 * live, without a tape; the method's terms; their weighted sum; backward; the optimiser. Nothing here
 * knows a particular method.
 *
 * The student is put into training mode in every step, so that an evaluation between two epochs cannot
 * leave dropout off for the rest of the training, and the teacher into evaluation mode in every pass.
 * After the first step no step allocates. */
#include "distill/distiller.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "kernels/kernels.h"
#include "retort/alloc.h"
#include "retort/log.h"

/* The loader takes seed 0 for "do not shuffle". */
#define ORDER_OF_SEED_0 UINT64_C(0x7265746f72740000)

/* ---- making ---- */

static rt_status check_teacher(const rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    const char *name = d->method->name;
    if (!d->uses_teacher) return RT_OK;
    if (!c->teacher) return rt_fail(error, RT_SPEC, "method \"%s\" needs a teacher, there is none", name);
    for (int i = 0; i < rt_teacher_members(c->teacher); i++)
        if (rt_teacher_member(c->teacher, i) == c->student)
            return rt_fail(error, RT_SPEC,
                           "the student is a network of its own teacher; make a second model");
    long long K = rt_model_classes(c->student), teacher_K = rt_teacher_classes(c->teacher);
    if (K != teacher_K)
        return rt_fail(error, RT_SHAPE, "the student has %lld classes and the teacher %lld", K, teacher_K);
    return RT_OK;
}

static rt_status check_config(const rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    int64_t K = rt_model_classes(c->student);
    if (c->transfer->count < 1) return rt_fail(error, RT_VALUE, "there are no examples to learn from");
    if (c->transfer->examples->classes > K)
        return rt_fail(error, RT_SHAPE, "the examples have %d classes, the student answers with %lld",
                       c->transfer->examples->classes, (long long)K);
    if (d->method->check) RT_TRY(d->method->check(&d->options, K, error));
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

/* Everything the numbers of an epoch depend on, except weights and slots. */
static void make_identity(rt_distiller *d) {
    const rt_distiller_config *c = &d->config;
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add_text(&hash, d->method->name);
    hash_options(&hash, &d->options, "", d->method->rows, d->method->row_count);
    int count;
    const rt_param *rows = rt_optimizer_rows(&count);
    hash_options(&hash, c->training, c->prefix ? c->prefix : "", rows, count);
    int64_t numbers[] = {sizeof(rt_real),  c->batch,  c->augment.jitter,
                         (int64_t)c->seed, c->epochs, c->transfer->count};
    rti_hash_add(&hash, numbers, sizeof numbers);
    rti_hash_add(&hash, c->transfer->index, (size_t)c->transfer->count * sizeof *c->transfer->index);
    rti_hash_add(&hash, c->transfer->labels, (size_t)c->transfer->count * sizeof *c->transfer->labels);
    rti_hash_add_text(&hash, c->transfer_hash ? c->transfer_hash : "");
    char teacher[33] = "";
    if (d->uses_teacher) rt_teacher_hash(c->teacher, teacher);
    rti_hash_add_text(&hash, teacher);
    for (int i = 0; i < rt_model_parameters(c->student); i++) {
        const rt_parameter *p = rt_model_parameter(c->student, i);
        rti_hash_add_text(&hash, p->name);
        rti_hash_add(&hash, p->tensor.shape, (size_t)p->tensor.ndim * sizeof *p->tensor.shape);
    }
    rti_hash_finish_text(&hash, d->identity);
}

/* Soft targets of augmented batches are asked for again each time: another shift, another answer. */
static rt_status open_cache(rt_distiller *d, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    if (!d->uses_teacher || d->method->needs & RTI_NEEDS_FEATURES) return RT_OK;
    if (c->augment.jitter > 0) {
        rt_say(RT_LOG_INFO,
               "soft targets are not cached: jitter %d shows the teacher new images in every epoch",
               c->augment.jitter);
        return RT_OK;
    }
    d->cache = rti_cache_open(c->teacher, c->transfer, c->cache_directory, error);
    return d->cache ? RT_OK : RT_MEMORY;
}

static rt_status build(rt_distiller *d, rt_error *error) {
    rt_distiller_config *c = &d->config;
    RT_TRY(check_config(d, error));
    make_identity(d);
    d->T = d->method->temperature ? d->method->temperature(&d->options) : 1;
    d->graph = rt_graph_new(error);
    if (!d->graph) return RT_MEMORY;
    d->loader = rt_loader_new(c->transfer, c->batch, c->seed ? c->seed : ORDER_OF_SEED_0, &c->augment, error);
    if (!d->loader) return RT_MEMORY;
    d->optimizer = rt_optimizer_new(c->student, c->training, c->prefix ? c->prefix : "", c->epochs,
                                    rt_loader_steps(d->loader), error);
    if (!d->optimizer) return RT_MEMORY;
    if (d->method->init)
        RT_TRY(d->method->init(&d->state, &(rti_method_setup){.config = c, .options = &d->options}, error));
    return open_cache(d, error);
}

rt_distiller *rt_distiller_new(const rt_distiller_config *config, rt_error *error) {
    RT_ASSERT(config->student && config->transfer && config->method && config->training,
              "a distiller needs a student, a part to learn from, a method and training options");
    RT_ASSERT(config->batch >= 1 && config->epochs >= 1, "%lld epochs with batches of %lld",
              (long long)config->epochs, (long long)config->batch);
    const rti_method *method = rti_method_find(config->method);
    rt_params defaults;
    if (!method) {
        rt_status status = rt_method_check(config->method, NULL, 1, error); /* names the nearest */
        RT_ASSERT(status != RT_OK, "a method that is not there is right");
        return NULL;
    }
    rt_params_init(&defaults, method->rows, method->row_count);
    rt_distiller *d = rt_alloc_zero(1, sizeof *d);
    if (!d) {
        rt_fail(error, RT_MEMORY, "no memory for the training of a student");
        return NULL;
    }
    d->config = *config;
    d->method = method;
    d->options = config->options ? *config->options : defaults;
    d->uses_teacher = rt_method_needs_teacher(config->method) &&
                      !(method->is_labels_only && method->is_labels_only(&d->options));
    if (build(d, error) == RT_OK) {
        d->config.options = &d->options;
        return d;
    }
    rt_distiller_free(d);
    return NULL;
}

void rt_distiller_free(rt_distiller *d) {
    if (!d) return;
    if (d->method->deinit && d->state) d->method->deinit(d->state);
    rti_cache_free(d->cache);
    rt_optimizer_free(d->optimizer);
    rt_loader_free(d->loader);
    rt_graph_free(d->graph);
    rt_free(d);
}

int64_t rt_distiller_epochs_done(const rt_distiller *d) { return d->epochs_done; }

/* ---- an epoch ---- */

/* "epoch 3, step 17 of 550", counted from 1, for messages. */
static rt_status at_step(const rt_distiller *d, const rt_batch *batch, rt_status status, rt_error *error) {
    return rt_fail_in(error, status, "epoch %lld, step %lld of %lld", (long long)d->epochs_done + 1,
                      (long long)batch->step + 1, (long long)rt_loader_steps(d->loader));
}

static rt_status graph_failure(const rt_graph *g, rt_error *error) {
    if (error) *error = *rt_graph_error(g);
    return rt_graph_status(g);
}

static rt_tensor *soft_targets(rt_distiller *d, const rt_batch *batch) {
    if (!d->uses_teacher) return NULL;
    if (d->cache) return rti_cache_logits(d->cache, d->graph, batch->index, batch->count, d->T);
    return rt_teacher_logits(d->config.teacher, d->graph, batch->x, d->T);
}

static rt_status check_terms(const rt_distiller *d, const rti_terms *terms, rt_error *error) {
    RT_ASSERT(terms->count > 0, "method %s has no loss", d->method->name);
    if (rt_graph_status(d->graph) != RT_OK) return graph_failure(d->graph, error);
    for (int i = 0; i < terms->count; i++) {
        double value = rt_tensor_item(terms->term[i].value);
        if (!isfinite(value))
            return rt_fail(error, RT_NOT_FINITE,
                           "the loss term \"%s\" (weight %g) is %g; a lower learning rate may help",
                           terms->term[i].name, terms->term[i].weight, value);
    }
    return RT_OK;
}

static int64_t correct_answers(const rt_tensor *z, const rt_tensor *y) {
    int64_t N = z->shape[0], K = z->shape[1], correct = 0;
    for (int64_t n = 0; n < N; n++) {
        const rt_real *row = rt_real_data(z) + n * z->stride[0];
        int64_t top = 0;
        for (int64_t k = 1; k < K; k++)
            if (row[k * z->stride[1]] > row[top * z->stride[1]]) top = k;
        correct += top == rt_i32_data(y)[n];
    }
    return correct;
}

/* The report holds sums over examples until the epoch ends. */
static void add_to_report(rt_epoch_report *report, const rti_terms *terms, double loss,
                          const rt_batch *batch) {
    double n = (double)batch->count;
    report->loss += n * loss;
    report->terms = terms->count;
    for (int i = 0; i < terms->count; i++) {
        snprintf(report->term[i].name, sizeof report->term[i].name, "%s", terms->term[i].name);
        report->term[i].weight += n * terms->term[i].weight;
        report->term[i].value += n * rt_tensor_item(terms->term[i].value);
    }
}

static rt_status step(rt_distiller *d, const rt_batch *batch, rt_epoch_report *report, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    rt_graph *g = d->graph;
    rti_terms terms = {.count = 0};
    rt_model_train(c->student, c->seed, (uint64_t)d->epochs_done, (uint64_t)batch->step);
    rti_method_input in = {.graph = g,
                           .x = batch->x,
                           .y = batch->y,
                           .student = c->student,
                           .teacher = c->teacher,
                           .index = batch->index,
                           .epoch = d->epochs_done,
                           .epochs = c->epochs,
                           .step = batch->step};
    in.v = soft_targets(d, batch);
    in.z = rt_model_forward(c->student, g, batch->x);
    if (rt_graph_status(g) != RT_OK) return graph_failure(g, error);

    d->method->loss(d->state, &d->options, &in, &terms);
    rt_tensor *loss = rti_terms_total(g, &terms);
    RT_TRY(check_terms(d, &terms, error));
    if (rt_backward(g, loss) != RT_OK) return graph_failure(g, error);

    report->accuracy += (double)correct_answers(in.z, batch->y);
    report->lr = rt_optimizer_lr(d->optimizer);
    report->momentum = rt_optimizer_momentum(d->optimizer);
    add_to_report(report, &terms, rt_tensor_item(loss), batch);
    rt_optimizer_step(d->optimizer);
    if (d->method->step_end) d->method->step_end(d->state, &in);
    rt_graph_reset(g);
    return RT_OK;
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
    int64_t count;
    const rt_real *block = rt_model_block(d->config.student, &count);
    if (rti_all_finite(count, block)) return RT_OK;
    return rt_fail(error, RT_NOT_FINITE, "epoch %lld: weights of the student are no longer finite numbers",
                   (long long)d->epochs_done + 1);
}

rt_status rt_distiller_epoch(rt_distiller *d, rt_epoch_report *report, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    RT_ASSERT(!d->mid_epoch, "an epoch that did not end cannot be gone on with: restore a checkpoint");
    RT_ASSERT(d->epochs_done < c->epochs, "all %lld epochs are done", (long long)c->epochs);
    rt_epoch_report sums = {.epoch = d->epochs_done};
    rt_batch batch;
    d->mid_epoch = true;
    rt_loader_begin(d->loader, d->epochs_done);
    if (d->method->epoch_begin) d->method->epoch_begin(d->state, d->epochs_done);
    while (rt_loader_next(d->loader, &batch)) {
        rt_status status = step(d, &batch, &sums, error);
        if (status != RT_OK) return at_step(d, &batch, status, error);
        if (c->on_step &&
            !c->on_step(c->on_step_context, d->epochs_done, batch.step, rt_loader_steps(d->loader)))
            return rt_fail(error, RT_STOPPED, "stopped in epoch %lld, step %lld of %lld",
                           (long long)d->epochs_done + 1, (long long)batch.step + 1,
                           (long long)rt_loader_steps(d->loader));
    }
    RT_TRY(check_weights(d, error));
    finish_report(&sums, c->transfer->count);
    *report = sums;
    d->mid_epoch = false;
    d->epochs_done++;
    return RT_OK;
}
