/* specialists_answer.c - equation 5 for a whole table of examples.     Floor 8 (experiment)
 *
 * Examples are independent: they are spread over the threads, each with memory of its own, and the bits do
 * not depend on how many there are. */
#include <stdio.h>
#include <string.h>

#include "core/pool.h"
#include "deploy/export.h"
#include "experiment/specialists.h"
#include "ops/softmax_row.h"
#include "retort/alloc.h"

#define TASKS 16
#define ROUND (TASKS * 32) /* examples between two looks at whether to go on */

typedef struct desk {
    double *log_p, *p, *log_q, *own, *own_log, *scratch; /* (K), (K), (K), (count, n + 1) twice */
    rti_opinion *opinions;                               /* (count) */
    int64_t steps;
    double gradient;
    rt_status status;
    rt_error error;
} desk;

typedef struct work {
    rti_full_answers *out;
    const rti_special_sets *sets;
    int cover;
    int64_t first; /* of the round */
    desk desks[TASKS];
} work;

bool rti_is_asked(const rti_special_sets *s, int m, const rt_real z[], int cover) {
    for (int i = 0; i < s->n; i++) {
        const int k = s->classes[m * s->n + i];
        int before = 0;
        for (int j = 0; j < s->K; j++) before += z[j] > z[k] || (z[j] == z[k] && j < k);
        if (before < cover) return true;
    }
    return false;
}

static rt_status answer(const work *w, desk *d, int64_t example, rt_error *error) {
    const rti_special_sets *s = w->sets;
    const int K = s->K, outputs = s->n + 1;
    const rt_real *z = w->out->generalist + example * K;
    int asked = 0;
    rti_softmax_row(K, z, 1, d->p, d->log_p);
    for (int m = 0; m < s->count; m++) {
        if (!rti_is_asked(s, m, z, w->cover)) continue;
        double *p = d->own + (int64_t)asked * outputs;
        rti_softmax_row(outputs, w->out->own[m] + example * outputs, 1, p, d->own_log);
        d->opinions[asked++] = (rti_opinion){outputs, s->output + (int64_t)m * K, p};
    }
    rti_descent descent;
    RT_TRY(rti_full_distribution(K, d->log_p, d->opinions, asked, RTI_DESCENT_TOLERANCE, d->log_q, d->scratch,
                                 &descent, error));
    for (int k = 0; k < K; k++) w->out->full[example * K + k] = (rt_real)d->log_q[k];
    w->out->asked[example] = (uint8_t)asked;
    d->steps += descent.steps;
    if (descent.gradient > d->gradient) d->gradient = descent.gradient;
    return RT_OK;
}

static void some(void *context, int64_t task) {
    work *w = context;
    desk *d = &w->desks[task];
    for (int64_t i = w->first + task; i < w->first + ROUND && i < w->out->examples->count; i += TASKS) {
        if (d->status != RT_OK) return;
        d->status = answer(w, d, i, &d->error);
        if (d->status != RT_OK) rt_fail_in(&d->error, d->status, "example %lld", (long long)i + 1);
    }
}

static rt_status make_desk(desk *d, const rti_special_sets *s, rt_error *error) {
    const size_t K = (size_t)s->K, M = (size_t)s->count, own = M * (size_t)(s->n + 1);
    const size_t scratch = 7 * K + own + M * (M + 2); /* rti_full_scratch when all are asked */
    double *memory = rt_alloc((3 * K + 2 * own + scratch) * sizeof *memory);
    d->opinions = rt_alloc((size_t)s->count * sizeof *d->opinions);
    d->log_p = memory;
    if (!memory || !d->opinions) return rt_fail(error, RT_MEMORY, "no memory for equation 5");
    d->p = memory + K, d->log_q = memory + 2 * K;
    d->own = memory + 3 * K, d->own_log = d->own + own;
    d->scratch = d->own_log + own;
    return RT_OK;
}

static rt_status ask_specialists(rti_full_answers *out, const rti_special_sets *s,
                                 const rti_specialist specialists[], rt_error *error) {
    const int64_t N = out->examples->count, outputs = s->n + 1;
    for (int m = 0; m < s->count; m++) {
        out->own[m] = rt_alloc_zero((size_t)N, (size_t)outputs * sizeof **out->own);
        out->count = m + 1;
        if (!out->own[m]) return rt_fail(error, RT_MEMORY, "no memory for the specialists' answers");
        RT_TRY(rti_answers(specialists[m].model, out->examples, out->own[m], error));
        for (int64_t i = 0; i < N; i++) out->own[m][i * outputs + s->n] += (rt_real)specialists[m].shift;
    }
    return RT_OK;
}

static rt_status go(work *w, rt_step_function *on_step, void *context, rt_error *error) {
    const int64_t N = w->out->examples->count;
    for (int i = 0; i < TASKS; i++) RT_TRY(make_desk(&w->desks[i], w->sets, error));
    for (w->first = 0; w->first < N; w->first += ROUND) {
        if (on_step && !on_step(context, 0, w->first / ROUND, (N + ROUND - 1) / ROUND))
            return rt_fail(error, RT_STOPPED, "stopped while specialists were asked");
        rti_parallel(TASKS, some, w);
        for (int i = 0; i < TASKS; i++)
            if (w->desks[i].status != RT_OK)
                return rt_fail(error, w->desks[i].status, "%s", w->desks[i].error.message);
    }
    for (int i = 0; i < TASKS; i++) {
        w->out->steps += w->desks[i].steps;
        if (w->desks[i].gradient > w->out->gradient) w->out->gradient = w->desks[i].gradient;
    }
    return RT_OK;
}

rt_status rti_full_answers_make(rti_full_answers *out, const rt_examples *examples, rt_real *generalist,
                                const rti_special_sets *sets, const rti_specialist specialists[], int cover,
                                rt_step_function *on_step, void *context, rt_error *error) {
    const size_t N = (size_t)examples->count;
    *out = (rti_full_answers){.examples = examples, .generalist = generalist};
    out->full = rt_alloc_zero(N, (size_t)sets->K * sizeof *out->full);
    out->asked = rt_alloc_zero(N, 1);
    work *w = rt_alloc_zero(1, sizeof *w);
    rt_status status = out->full && out->asked && w ? RT_OK
                                                    : rt_fail(error, RT_MEMORY, "no memory for equation 5");
    if (status == RT_OK) {
        *w = (work){.out = out, .sets = sets, .cover = cover};
        status = ask_specialists(out, sets, specialists, error);
    }
    if (status == RT_OK) status = go(w, on_step, context, error);
    for (int i = 0; w && i < TASKS; i++) rt_free(w->desks[i].log_p), rt_free(w->desks[i].opinions);
    rt_free(w);
    if (status != RT_OK) rti_full_answers_deinit(out);
    return status;
}

void rti_full_answers_deinit(rti_full_answers *out) {
    for (int m = 0; m < out->count; m++) rt_free(out->own[m]);
    rt_free(out->full), rt_free(out->asked);
    memset(out, 0, sizeof *out);
}
