/* latency.c - see latency.h.                                           Floor 8 (experiment) */
#include "experiment/latency.h"

#include <math.h>
#include <stdlib.h>

#include "core/clock.h"
#include "retort/alloc.h"
#include "retort/threads.h"

#define RUNS_MAX 1001
#define WARM_UP 5

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double sorted[], int count, double part) {
    double place = part * (count - 1);
    int below = (int)place;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

rti_latency rti_latency_of(double times_us[], int count) {
    if (!count) return (rti_latency){0, NAN, NAN, NAN};
    qsort(times_us, (size_t)count, sizeof times_us[0], ascending);
    return (rti_latency){count, quantile(times_us, count, 0.5), quantile(times_us, count, 0.25),
                         quantile(times_us, count, 0.75)};
}

static bool answer(rt_model *const models[], int count, rt_graph *graph, rt_tensor *x) {
    rt_no_grad_begin(graph);
    bool fine = true;
    for (int i = 0; i < count && fine; i++) fine = rt_model_answer(models[i], graph, x) != NULL;
    rt_no_grad_end(graph);
    return fine;
}

static int measure(rt_model *const models[], int count, rt_graph *graph, rt_tensor *x, int runs,
                   double limit_s, double times_us[]) {
    int measured = 0;
    double end = rti_clock_s() + limit_s;
    for (int i = 0; i < count; i++) {
        rt_model_evaluate(models[i]);
        if (rt_model_pack(models[i], NULL) != RT_OK) return 0;
    }
    for (int i = -WARM_UP; i < runs && (measured < 1 || rti_clock_s() < end); i++) {
        if (i == 1 - WARM_UP && rti_clock_s() >= end) i = 0; /* too long to be warmed up more than once */
        double start = rti_clock_s();
        bool fine = answer(models, count, graph, x);
        double time = rti_clock_s() - start;
        rt_graph_reset(graph);
        if (!fine) break;
        if (i >= 0) times_us[measured++] = 1e6 * time;
    }
    for (int i = 0; i < count; i++) rt_model_unpack(models[i]);
    return measured;
}

/* `batch` examples of the part, from its start and again. The list is the caller's to free. */
static rt_part repeated(const rt_part *part, int64_t batch, int32_t **list) {
    rt_part examples = *part;
    examples.count = batch;
    *list = NULL;
    if (part->count >= batch) return examples;
    *list = rt_alloc(2 * (size_t)batch * sizeof **list);
    if (!*list) return (rt_part){.examples = part->examples};
    for (int64_t i = 0; i < batch; i++) {
        (*list)[i] = part->index[i % part->count];
        (*list)[batch + i] = part->labels[i % part->count];
    }
    examples.index = *list;
    examples.labels = *list + batch;
    return examples;
}

rti_latency rti_latency_measure(rt_model *const models[], int count, const rt_part *part, int64_t batch,
                                int runs, double limit_s) {
    int32_t *list = NULL;
    int measured = 0, threads = rt_threads_get();
    if (runs > RUNS_MAX) runs = RUNS_MAX;
    rt_part examples = part->count ? repeated(part, batch, &list) : *part;
    double *times_us = rt_alloc((size_t)RUNS_MAX * sizeof *times_us);
    rt_graph *graph = examples.count ? rt_graph_new(NULL) : NULL;
    rt_loader *loader = graph && times_us ? rt_loader_new(&examples, batch, 0, NULL, NULL) : NULL;
    rt_batch lent;
    rt_threads_set(1);
    if (loader && rt_loader_next(loader, &lent))
        measured = measure(models, count, graph, lent.x, runs, limit_s, times_us);
    rt_threads_set(threads);
    rti_latency latency = rti_latency_of(times_us, measured);
    rt_loader_free(loader);
    rt_graph_free(graph);
    rt_free(times_us);
    rt_free(list);
    return latency;
}

/* ---- in integers ---- */

typedef struct integers {
    const rti_int8 *q;
    const void **raw; /* (batch) */
    float *rows;      /* what of it is not in the set as it is */
    int8_t *scratch;
    int32_t *logits;
} integers;

static bool reserve_integers(integers *w, const rt_part *part, int64_t batch) {
    const rti_net *net = w->q->net;
    const size_t rows = net->bytes ? 1 : (size_t)batch;
    w->raw = rt_alloc((size_t)batch * sizeof *w->raw);
    w->rows = rt_alloc(rows * (size_t)net->features * sizeof *w->rows);
    w->scratch = rt_alloc((size_t)w->q->scratch + 1);
    w->logits = rt_alloc((size_t)net->classes * sizeof *w->logits);
    if (!w->raw || !w->rows || !w->scratch || !w->logits) return false;
    for (int64_t n = 0; n < batch; n++) {
        float *row = w->rows + (net->bytes ? 0 : n * net->features);
        w->raw[n] = rti_net_raw(net, part->examples, part->index[n % part->count], row);
    }
    return true;
}

rti_latency rti_latency_int8(const rti_int8 *q, const rt_part *part, int64_t batch, int runs,
                             double limit_s) {
    integers w = {.q = q};
    int measured = 0;
    double *times_us = rt_alloc((size_t)RUNS_MAX * sizeof *times_us);
    if (runs > RUNS_MAX) runs = RUNS_MAX;
    if (part->count && times_us && reserve_integers(&w, part, batch)) {
        const double end = rti_clock_s() + limit_s;
        for (int i = -WARM_UP; i < runs && (measured < 1 || rti_clock_s() < end); i++) {
            const double start = rti_clock_s();
            for (int64_t n = 0; n < batch; n++) rti_int8_run(q, w.raw[n], w.scratch, w.logits);
            const double time = rti_clock_s() - start;
            if (i >= 0) times_us[measured++] = 1e6 * time;
        }
    }
    const rti_latency latency = rti_latency_of(times_us, measured);
    rt_free(times_us);
    rt_free(w.raw);
    rt_free(w.rows);
    rt_free(w.scratch);
    rt_free(w.logits);
    return latency;
}
