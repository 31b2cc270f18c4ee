/* export_logits.c - what a network says of every example, for students elsewhere.  Floor 7 (deploy) */
#include <math.h>
#include <string.h>

#include "deploy/export.h"
#include "formats/npy.h"
#include "graph/op.h"
#include "retort/alloc.h"

#define BATCH 500

static rt_status ask_batch(rt_model *m, rt_graph *g, const rt_batch *batch, rt_real *rows, rt_error *error) {
    const int64_t K = rt_model_classes(m);
    rt_no_grad_begin(g);
    rt_tensor *z = rt_model_answer(m, g, batch->x);
    const rt_real *from = z ? rti_contiguous(g, z) : NULL;
    rt_no_grad_end(g);
    if (!from) {
        if (error) *error = *rt_graph_error(g);
        return rt_graph_status(g);
    }
    rt_real *to = rows + batch->index[0] * K; /* not shuffled: a run of positions */
    memcpy(to, from, (size_t)(batch->count * K) * sizeof *to);
    rt_graph_reset(g);
    for (int64_t i = 0; i < batch->count * K; i++)
        if (!isfinite((double)to[i]))
            return rt_fail(error, RT_NOT_FINITE, "the network's answer to example %lld is not finite",
                           (long long)batch->index[0] + (long long)(i / K) + 1);
    return RT_OK;
}

static rt_status ask(rt_model *m, const rt_part *part, rt_real *rows, rt_error *error) {
    rt_graph *g = rt_graph_new(error);
    rt_loader *loader = g ? rt_loader_new(part, BATCH, 0, NULL, error) : NULL;
    rt_status status = loader ? RT_OK : RT_MEMORY;
    rt_batch batch;
    rt_model_evaluate(m);
    while (status == RT_OK && rt_loader_next(loader, &batch)) status = ask_batch(m, g, &batch, rows, error);
    rt_loader_free(loader);
    rt_graph_free(g);
    return status;
}

rt_status rti_answers(rt_model *m, const rt_examples *examples, rt_real *rows, rt_error *error) {
    const int64_t N = examples->count;
    int32_t *index = rt_alloc((size_t)N * sizeof *index);
    if (!index) return rt_fail(error, RT_MEMORY, "no memory for the answers to %lld examples", (long long)N);
    for (int64_t i = 0; i < N; i++) index[i] = (int32_t)i;
    const rt_part all = {.examples = examples, .count = N, .index = index, .labels = examples->labels};
    rt_status status = ask(m, &all, rows, error);
    rt_free(index);
    return status;
}

rt_status rti_export_logits(rt_model *m, const rt_examples *examples, const char *path, rt_error *error) {
    const int64_t N = examples->count, K = rt_model_classes(m), shape[2] = {N, K};
    if (K != examples->classes)
        return rt_fail(error, RT_SHAPE, "the network tells %lld classes apart, the data have %d",
                       (long long)K, examples->classes);
    rt_real *rows = rt_alloc_zero((size_t)K, (size_t)N * sizeof *rows);
    rt_status status = rows ? rti_answers(m, examples, rows, error)
                            : rt_fail(error, RT_MEMORY, "no memory for the answers to %lld examples",
                                      (long long)N);
    if (status == RT_OK)
        status = rti_npy_write(path, sizeof *rows == sizeof(float) ? RTI_NPY_F4 : RTI_NPY_F8, 2, shape, rows,
                               error);
    rt_free(rows);
    return status;
}
