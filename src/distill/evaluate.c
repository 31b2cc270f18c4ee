/* evaluate.c - how good a model is, how sure it is, how like its teacher.  Floor 7 (distill)
 *
 * Everything is computed from log-softmax at T = 1 in double and summed in the order of the part.
 *
 *   accuracy    examples whose top class (the first of equals) is the label
 *   NLL         mean of -log p(y)
 *   Brier       mean of sum_k (p_k - [k = y])^2
 *   ECE         sum over bins of (n_b/n) |accuracy of bin - mean confidence of bin|, confidence being
 *               the top probability; bin b holds ((b)/15, (b+1)/15]  (Guo, Pleiss, Sun, Weinberger
 *               2017, arXiv 1706.04599, eq. 3)
 *   agreement   examples whose top class is the teacher's
 *   teacher KL  mean of sum_k p_k log(p_k / q_k), p teacher, q student */
#include "distill/evaluate.h"

#include <math.h>

#include "distill/shared.h"
#include "distill/teacher.h"
#include "graph/op.h"
#include "kernels/kernels.h"
#include "ops/softmax_row.h"

#define EVALUATE_BATCH 500

static int64_t top_class(int64_t K, const rt_real *z) {
    int64_t top = 0;
    for (int64_t k = 1; k < K; k++)
        if (z[k] > z[top]) top = k;
    return top;
}

int rti_calibration_bin(double confidence) {
    int bin = (int)ceil(confidence * RTI_CALIBRATION_BINS) - 1;
    return bin < 0 ? 0 : bin >= RTI_CALIBRATION_BINS ? RTI_CALIBRATION_BINS - 1 : bin;
}

static void add_teacher(rti_quality_sums *s, int64_t K, const rt_real *v, int64_t top, const double *log_q,
                        double *p, double *log_p) {
    s->has_teacher = true;
    s->agreeing += top_class(K, v) == top;
    rti_softmax_row(K, v, 1, p, log_p);
    for (int64_t k = 0; k < K; k++) s->teacher_kl += p[k] == 0 ? 0 : p[k] * (log_p[k] - log_q[k]);
}

static void add_student(rti_quality_sums *s, int64_t K, int64_t y, int64_t top, const double *q,
                        const double *log_q) {
    s->examples++;
    s->correct += top == y;
    s->nll -= log_q[y];
    for (int64_t k = 0; k < K; k++) {
        double d = q[k] - (k == y);
        s->brier += d * d;
    }
    int bin = rti_calibration_bin(q[top]);
    s->bin[bin].count++;
    s->bin[bin].correct += top == y;
    s->bin[bin].confidence += q[top];
}

rt_status rti_quality_add(rti_quality_sums *s, int64_t N, int64_t K, const rt_real *z, const rt_real *v,
                          const int32_t *y, uint8_t *predictions, double *scratch, rt_error *error) {
    double *q = scratch, *log_q = scratch + K, *p = scratch + 2 * K, *log_p = scratch + 3 * K;
    for (int64_t n = 0; n < N; n++, z += K, v = v ? v + K : NULL) {
        long long number = (long long)s->examples + 1;
        if (!rti_all_finite(K, z) || (v && !rti_all_finite(K, v)))
            return rt_fail(error, RT_NOT_FINITE, "the %s's answer to example %lld is not finite",
                           rti_all_finite(K, z) ? "teacher" : "model", number);
        if (y[n] < 0 || y[n] >= K)
            return rt_fail(error, RT_VALUE, "example %lld has label %d, the model has %lld classes", number,
                           (int)y[n], (long long)K);
        int64_t top = top_class(K, z);
        rti_softmax_row(K, z, 1, q, log_q);
        add_student(s, K, y[n], top, q, log_q);
        if (v) add_teacher(s, K, v, top, log_q, p, log_p);
        if (predictions) predictions[n] = (uint8_t)top;
    }
    return RT_OK;
}

void rti_quality_finish(const rti_quality_sums *s, rt_quality *quality) {
    *quality = (rt_quality){
        .examples = s->examples, .errors = s->examples - s->correct, .has_teacher = s->has_teacher};
    if (s->examples == 0) return;
    double n = (double)s->examples;
    quality->accuracy = (double)s->correct / n;
    quality->nll = s->nll / n;
    quality->brier = s->brier / n;
    for (int b = 0; b < RTI_CALIBRATION_BINS; b++)
        quality->ece += fabs((double)s->bin[b].correct - s->bin[b].confidence) / n;
    quality->agreement = (double)s->agreeing / n;
    quality->teacher_kl = s->teacher_kl / n;
}

/* ---- a model on a part ---- */

typedef struct evaluation {
    rt_model *model;
    rt_teacher *teacher;         /* asked about each batch */
    const rti_cache *answers;    /* or looked up here; both NULL: no teacher */
    const rt_part *part;
    rt_graph *graph;
    uint8_t *predictions;
    rti_quality_sums sums;
} evaluation;

static rt_status evaluate_batch(evaluation *e, const rt_batch *batch, rt_error *error) {
    rt_graph *g = e->graph;
    int64_t K = rt_model_classes(e->model);
    rt_tensor *z = rt_model_answer(e->model, g, batch->x);
    rt_tensor *v = e->answers   ? rti_cache_logits(e->answers, g, batch->index, batch->count, 1)
                   : e->teacher ? rti_teacher_answers(e->teacher, g, e->part, batch, 1)
                                : NULL;
    const rt_real *zd = z ? rti_contiguous(g, z) : NULL, *vd = v ? rt_real_data(v) : NULL;
    double *scratch = rti_step_alloc(g, (size_t)(4 * K) * sizeof *scratch);
    if (!zd || !scratch || rt_graph_status(g) != RT_OK) {
        if (error) *error = *rt_graph_error(g);
        return rt_graph_status(g);
    }
    uint8_t *predictions = e->predictions ? e->predictions + batch->index[0] : NULL;
    RT_TRY(rti_quality_add(&e->sums, batch->count, K, zd, vd, rt_i32_data(batch->y), predictions, scratch,
                           error));
    rt_graph_reset(g);
    return RT_OK;
}

static rt_status evaluate_part(evaluation *e, rt_error *error) {
    rt_loader *loader = rt_loader_new(e->part, EVALUATE_BATCH, 0, NULL, error);
    if (!loader) return RT_MEMORY;
    rti_notes notes;
    rti_notes_init(&notes);
    rti_graph_use_notes(e->graph, &notes);
    rt_status status = RT_OK;
    rt_batch batch;
    rt_no_grad_begin(e->graph);
    while (status == RT_OK && rti_next_batch(loader, 1, &batch, &notes))
        status = evaluate_batch(e, &batch, error);
    rt_no_grad_end(e->graph);
    rti_graph_use_notes(e->graph, NULL);
    rti_notes_deinit(&notes);
    rt_loader_free(loader);
    return status;
}

static rt_status evaluate(evaluation *e, rt_quality *quality, rt_error *error) {
    int64_t K = rt_model_classes(e->model);
    if (e->teacher && rt_teacher_classes(e->teacher) != K)
        return rt_fail(error, RT_SHAPE, "the model has %lld classes and its teacher %lld", (long long)K,
                       (long long)rt_teacher_classes(e->teacher));
    if (e->predictions && K > 256)
        return rt_fail(error, RT_UNSUPPORTED, "predictions are bytes, %lld classes do not fit", (long long)K);
    e->graph = rt_graph_new(error);
    if (!e->graph) return RT_MEMORY;
    rt_model_evaluate(e->model);
    rt_status status = evaluate_part(e, error);
    rt_graph_free(e->graph);
    if (status != RT_OK) return rt_fail_in(error, status, "evaluating");
    rti_quality_finish(&e->sums, quality);
    quality->has_teacher = e->teacher != NULL;
    return RT_OK;
}

rt_status rt_evaluate(rt_model *model, rt_teacher *teacher, const rt_part *part, rt_quality *quality,
                      uint8_t *predictions, rt_error *error) {
    if (teacher && !rti_teacher_knows(teacher, part->examples)) teacher = NULL;
    evaluation e = {.model = model, .teacher = teacher, .part = part, .predictions = predictions};
    return evaluate(&e, quality, error);
}

rt_status rti_evaluate_beside(rt_model *model, const rti_cache *answers, const rt_part *part,
                              rt_quality *quality, rt_error *error) {
    evaluation e = {.model = model,
                    .teacher = answers ? rti_cache_teacher(answers) : NULL,
                    .answers = answers,
                    .part = part};
    return evaluate(&e, quality, error);
}
