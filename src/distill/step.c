/* step.c - one step of the driver.                                     Floor 7 (distill)
 *
 *     teacher's answers v and features, from the cache or from its pass over the batch (shared.h)
 *     student's logits z and features, on the tape
 *     each part's terms, their weighted sum, backward, the optimiser
 *
 * The student and the adapters are put into training mode in every step, so that an evaluation between
 * two epochs cannot leave dropout off for the rest of the training, and the teacher into evaluation mode
 * in every pass. After the first step no step allocates.
 *
 * In the first step of an epoch each term is differentiated by itself before the sum is, and the length
 * of its gradient is reported: with its weight, over the student's parameters and over its logits. So a
 * reader sees whether a gain is knowledge or only a larger loss. It changes no result, and a single term is
 * differentiated once. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "distill/distiller.h"
#include "distill/teacher.h"
#include "kernels/kernels.h"

typedef struct pass {
    rti_method_input in;
    rt_tensor *v[RTI_PARTS_MAX];
    rt_tensor *student[RTI_PARTS_MAX][RTI_PAIRS_MAX], *teacher[RTI_PARTS_MAX][RTI_PAIRS_MAX];
    rti_terms terms;
} pass;

static rt_status graph_failure(const rt_graph *g, rt_error *error) {
    if (error) *error = *rt_graph_error(g);
    return rt_graph_status(g);
}

/* ---- the teacher ---- */

/* The members' answers at part p's temperature; a single network says the same at each. */
static rt_tensor *combined(rt_distiller *d, const rt_real *const member[], int64_t N, double T) {
    rt_teacher *teacher = d->config.teacher;
    rt_tensor *v = rt_graph_tensor(d->graph, RT_DTYPE_REAL, 2, (int64_t[]){N, rt_teacher_classes(teacher)});
    return v && rti_teacher_combine(teacher, d->graph, member, N, T, rt_real_data(v)) ? v : NULL;
}

static rt_status ask_teacher(rt_distiller *d, const rt_batch *batch, pass *p, rt_error *error) {
    if (!d->uses_teacher) return RT_OK;
    const rti_teacher_noise noise = {d->config.seed, (uint64_t)d->epochs_done, (uint64_t)batch->step};
    const bool is_noisy = d->config.targets == RT_TARGETS_DROPOUT;
    if (!d->cache) RT_TRY(rti_shared_ask(d->shared, batch, is_noisy ? &noise : NULL, error));
    for (int i = 0; i < d->parts.count; i++) {
        const rti_part *part = &d->part[i];
        if (part->method->needs & RTI_NEEDS_TEACHER_LOGITS) {
            p->v[i] = d->cache ? rti_shared_logits(d->shared, d->cache, batch, part->T)
                               : combined(d, d->shared->member, batch->count, part->T);
            if (!p->v[i]) return graph_failure(d->cache ? d->shared->pass : d->graph, error);
        }
        if (part->features.pairs)
            rti_features_get(&part->features, 1, rt_teacher_member(d->config.teacher, 0), p->teacher[i]);
    }
    return rt_graph_status(d->graph) == RT_OK ? RT_OK : graph_failure(d->graph, error);
}

/* ---- the student ---- */

static void train_mode(rt_distiller *d, int64_t step) {
    const rt_distiller_config *c = &d->config;
    rt_model_train(c->student, c->seed, (uint64_t)d->epochs_done, (uint64_t)step);
    for (int i = 0; i < d->adapters.count; i++) /* with streams of their own */
        rt_model_train(d->adapters.model[i], c->seed + UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(i + 1),
                       (uint64_t)d->epochs_done, (uint64_t)step);
}

static void ask_student(rt_distiller *d, const rt_batch *batch, pass *p) {
    p->in.z = rt_model_forward(d->config.student, d->graph, batch->x);
    for (int i = 0; p->in.z && i < d->parts.count; i++)
        rti_features_get(&d->part[i].features, 0, d->config.student, p->student[i]);
}

/* What part i is given. */
static rti_method_input input_of(const rt_distiller *d, pass *p, int i) {
    rti_method_input in = p->in;
    in.v = p->v[i];
    in.pairs = d->part[i].features.pairs;
    in.student_feature = p->student[i];
    in.teacher_feature = p->teacher[i];
    in.first_stage = d->epochs_done < d->first_stage;
    return in;
}

/* In a first stage only the parts that have one are at work. */
static bool is_at_work(const rt_distiller *d, int i) {
    return d->epochs_done >= d->first_stage || d->epochs_done < d->part[i].first_stage;
}

static void add_terms(rt_distiller *d, pass *p) {
    for (int i = 0; i < d->parts.count; i++) {
        if (!is_at_work(d, i)) continue;
        rti_method_input in = input_of(d, p, i);
        in.labels_are_counted = p->in.labels_are_counted;
        d->part[i].method->loss(d->part[i].state, &d->part[i].options, &in, &p->terms);
        p->in.labels_are_counted = true;
    }
}

/* ---- checks and figures ---- */

static rt_status check_terms(const rt_distiller *d, const rti_terms *terms, rt_error *error) {
    RT_ASSERT(terms->count > 0, "method %s has no loss", d->config.method);
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

static double squared_length(rt_tensor *t) {
    return t->has_grad ? rti_dot(rt_tensor_count(t), t->grad, t->grad) : 0;
}

static double model_gradient(rt_model *model) {
    double squares = 0;
    for (int i = 0; i < rt_model_parameters(model); i++)
        squares += squared_length(&rt_model_parameter(model, i)->tensor);
    return sqrt(squares);
}

static void clear_gradients(rt_distiller *d) {
    for (int m = -1; m < d->adapters.count; m++) {
        rt_model *model = m < 0 ? d->config.student : d->adapters.model[m];
        for (int i = 0; i < rt_model_parameters(model); i++)
            rt_tensor_clear_grad(&rt_model_parameter(model, i)->tensor);
    }
}

/* Of term i, whose gradient has just been found. */
static void note_gradient(rt_distiller *d, const pass *p, int i, rt_epoch_report *report) {
    const double weight = fabs(p->terms.term[i].weight);
    report->term[i].gradient = weight * model_gradient(d->config.student);
    report->term[i].logit_gradient = weight * sqrt(squared_length(p->in.z));
}

static rt_status measure_terms(rt_distiller *d, pass *p, rt_epoch_report *report, rt_error *error) {
    for (int i = 0; i < p->terms.count; i++) {
        const rti_term *term = &p->terms.term[i];
        report->term[i].gradient = report->term[i].logit_gradient = 0;
        if (!term->value->requires_grad) continue;
        p->in.z->has_grad = false;
        if (rt_backward(d->graph, term->value) != RT_OK) return graph_failure(d->graph, error);
        note_gradient(d, p, i, report);
        clear_gradients(d);
    }
    return RT_OK;
}

/* A single term of weight 1 is the sum: what backward leaves is its gradient. */
static bool is_alone(const rti_terms *terms) { return terms->count == 1 && terms->term[0].weight == 1; }

static int64_t correct_answers(const rt_tensor *z, const rt_tensor *y) {
    RT_ASSERT(z, "no logits");
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

/* ---- the step ---- */

/* The teacher's and the student's answers and the terms that come of them. */
static rt_status forward(rt_distiller *d, const rt_batch *batch, pass *p, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    *p = (pass){.in = {.graph = d->graph,
                       .x = batch->x,
                       .y = batch->y,
                       .y2 = batch->y2,
                       .lambda = batch->lambda,
                       .student = c->student,
                       .teacher = c->teacher,
                       .index = batch->index,
                       .epoch = d->epochs_done,
                       .epochs = c->epochs,
                       .step = batch->step,
                       .steps = rt_loader_steps(d->shared->loader)}};
    train_mode(d, batch->step);
    RT_TRY(ask_teacher(d, batch, p, error));
    ask_student(d, batch, p);
    if (rt_graph_status(d->graph) != RT_OK) return graph_failure(d->graph, error);
    add_terms(d, p);
    return check_terms(d, &p->terms, error);
}

rt_status rti_distiller_loss(rt_distiller *d, const rt_batch *batch, const char *without, bool backward,
                             double *loss, rt_error *error) {
    rt_graph_reset(d->graph);
    clear_gradients(d);
    pass p;
    RT_TRY(forward(d, batch, &p, error));
    rti_terms terms = {.count = 0};
    for (int i = 0; i < p.terms.count; i++)
        if (!without || strcmp(p.terms.term[i].name, without) != 0)
            terms.term[terms.count++] = p.terms.term[i];
    rt_tensor *total = rti_terms_total(d->graph, &terms);
    if (rt_graph_status(d->graph) != RT_OK || (backward && rt_backward(d->graph, total) != RT_OK))
        return graph_failure(d->graph, error);
    *loss = rt_tensor_item(total);
    return RT_OK;
}

static rt_status learn(rt_distiller *d, const rt_batch *batch, rt_epoch_report *report, rt_error *error) {
    rt_graph *g = d->graph;
    pass p;
    RT_TRY(forward(d, batch, &p, error));
    const bool measured = batch->step == 0, alone = is_alone(&p.terms);
    if (measured && !alone) RT_TRY(measure_terms(d, &p, report, error));
    rt_tensor *loss = rti_terms_total(g, &p.terms);
    if (rt_backward(g, loss) != RT_OK) return graph_failure(g, error);
    if (measured && alone) note_gradient(d, &p, 0, report);

    report->accuracy += (double)correct_answers(p.in.z, batch->y);
    report->lr = rt_optimizer_lr(d->optimizer);
    report->momentum = rt_optimizer_momentum(d->optimizer);
    add_to_report(report, &p.terms, rt_tensor_item(loss), batch);
    rt_optimizer_step(d->optimizer);
    for (int i = 0; i < d->parts.count; i++) {
        if (!d->part[i].method->step_end || !is_at_work(d, i)) continue;
        rti_method_input in = input_of(d, &p, i);
        d->part[i].method->step_end(d->part[i].state, &in);
    }
    return RT_OK;
}

/* Whatever becomes of it, the memory is the next student's. */
rt_status rti_distiller_step(rt_distiller *d, const rt_batch *batch, rt_epoch_report *report,
                             rt_error *error) {
    rt_status status = learn(d, batch, report, error);
    rt_graph_reset(d->graph);
    return status;
}
