/* specialists.c - see specialists.h: where a specialist starts, and its prior.  Floor 7 (distill) */
#include "distill/specialists.h"

#include <math.h>
#include <string.h>

double rti_dustbin_shift(int64_t special, int64_t rest, int64_t shown_special, int64_t shown_rest) {
    RT_ASSERT(special > 0 && rest > 0 && shown_special > 0 && shown_rest > 0,
              "no prior from %lld of %lld and %lld of %lld examples", (long long)shown_special,
              (long long)special, (long long)shown_rest, (long long)rest);
    return log((double)shown_special / (double)special) - log((double)shown_rest / (double)rest);
}

static int64_t elements(const rt_parameter *p) {
    int64_t count = 1;
    for (int i = 0; i < p->tensor.ndim; i++) count *= p->tensor.shape[i];
    return count;
}

/* Rows of the last layer's weights (K, D), or its biases (K, 1). */
static void start_rows(const rt_parameter *from, const rt_parameter *to, int n, const int32_t output[],
                       double shift) {
    const int64_t K = from->tensor.shape[0], D = elements(from) / K;
    const rt_real *all = from->tensor.data;
    rt_real *own = to->tensor.data;
    for (int64_t d = 0; d < D; d++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) {
            if (output[k] < n)
                own[output[k] * D + d] = all[k * D + d];
            else
                sum += (double)all[k * D + d];
        }
        own[n * D + d] = (rt_real)(sum / (double)(K - n));
    }
    if (from->kind == RT_BIAS) own[n] += (rt_real)(log((double)(K - n)) - shift);
}

static bool same_shape(const rt_parameter *a, const rt_parameter *b, int from) {
    if (strcmp(a->name, b->name) || a->tensor.ndim != b->tensor.ndim) return false;
    for (int i = from; i < a->tensor.ndim; i++)
        if (a->tensor.shape[i] != b->tensor.shape[i]) return false;
    return true;
}

rt_status rti_specialist_start(rt_model *specialist, rt_model *generalist, int n, const int32_t output[],
                               double shift, rt_error *error) {
    const int64_t K = rt_model_classes(generalist);
    const int count = rt_model_parameters(generalist), last = rt_model_layers(generalist) - 1;
    RT_ASSERT(n >= 1 && n < K && rt_model_classes(specialist) == n + 1, "%d of %lld classes", n,
              (long long)K);
    if (count != rt_model_parameters(specialist))
        return rt_fail(error, RT_SHAPE, "the specialist has %d parameters and the generalist %d",
                       rt_model_parameters(specialist), count);
    for (int i = 0; i < count; i++) {
        const rt_parameter *from = rt_model_parameter(generalist, i), *to = rt_model_parameter(specialist, i);
        const bool is_last = from->layer == last;
        if (!same_shape(from, to, is_last) ||
            (is_last && (from->tensor.shape[0] != K || to->tensor.shape[0] != n + 1)))
            return rt_fail(error, RT_SHAPE, "the specialist's %s does not fit the generalist's %s", to->name,
                           from->name);
        if (is_last)
            start_rows(from, to, n, output, shift);
        else
            memcpy(to->tensor.data, from->tensor.data, (size_t)elements(from) * sizeof(rt_real));
    }
    rt_model_unpack(specialist);
    return RT_OK;
}
