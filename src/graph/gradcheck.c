/* gradcheck.c - is a gradient what differences say it is?              Floor 4 (graph)
 *
 * The tape is asked three times (see graph.h) and the differences once: all that the second and the
 * third answer may differ in from the first is rounding. The output is compared element by element
 * before it is weighted and summed, and the sum is made in double, so that the float build loses as
 * little as possible. */
#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "graph/op.h"
#include "retort/rng.h"
#include "tensor/strided.h"

#define STEP (sizeof(rt_real) == sizeof(double) ? 1e-5 : 1e-2)
#define TOLERANCE (sizeof(rt_real) == sizeof(double) ? 1e-6 : 5e-2)
#define MARGIN 1e-3
#define DRAWS 1000 /* attempts to stay away from the kinks */

typedef struct check {
    const rt_gradcheck_case *c;
    rt_graph *g;
    rti_arena arena;
    rt_tensor leaf[RT_GRADCHECK_INPUTS_MAX];
    rt_tensor *in[RT_GRADCHECK_INPUTS_MAX];
    rt_real *analytic[RT_GRADCHECK_INPUTS_MAX]; /* the first answer */
    int64_t outputs;
    rt_real *weights, *plus; /* (outputs) */
    double tolerance;
    rt_gradcheck_result *result;
    rt_error *error;
} check;

static rt_status no_memory(check *k) {
    return rt_fail(k->error, RT_MEMORY, "no memory to check %s", k->c->name);
}

static double relative_error(double a, double b) { return fabs(a - b) / fmax(1, fmax(fabs(a), fabs(b))); }

static bool is_checked(const check *k, int i) { return !(k->c->constant >> i & 1u); }

/* ---- inputs ---- */

static bool draw(check *k, rt_rng *rng, double *value) {
    const rt_gradcheck_case *c = k->c;
    bool unset = c->low == 0 && c->high == 0;
    double low = unset ? -1 : c->low, high = unset ? 1 : c->high;
    double margin = fmax(c->margin > 0 ? c->margin : MARGIN, 2 * STEP);
    for (int attempt = 0; attempt < DRAWS; attempt++) {
        *value = low + (high - low) * rt_rng_uniform(rng);
        bool near = false;
        for (int i = 0; i < c->kink_count; i++) near |= fabs(*value - c->kinks[i]) < margin;
        if (!near) return true;
    }
    return false;
}

static rt_status make_inputs(check *k, uint64_t seed) {
    for (int i = 0; i < k->c->inputs; i++) {
        int ndim = k->c->input[i].ndim;
        RT_TRY(rti_shape_check(RT_DTYPE_REAL, ndim, k->c->input[i].shape, k->error));
        rt_tensor *x = k->in[i] = &k->leaf[i];
        rt_tensor_view_init(x, RT_DTYPE_REAL, ndim, k->c->input[i].shape, NULL);
        int64_t count = rt_tensor_count(x);
        size_t bytes = (size_t)count * sizeof(rt_real);
        x->data = rti_arena_alloc(&k->arena, bytes);
        x->grad = rti_arena_alloc(&k->arena, bytes);
        k->analytic[i] = rti_arena_alloc(&k->arena, bytes);
        if (!x->data || !x->grad || !k->analytic[i]) return no_memory(k);
        x->requires_grad = is_checked(k, i);

        rt_rng rng = rt_rng_stream(seed, "gradcheck.input", 0, (uint64_t)i);
        for (int64_t e = 0; e < count; e++) {
            double value;
            if (!draw(k, &rng, &value))
                return rt_fail(k->error, RT_VALUE,
                               "gradcheck %s: no value in the range is away from the kinks",
                               k->c->name);
            rt_real_data(x)[e] = (rt_real)value;
        }
    }
    return RT_OK;
}

/* The same values column by column, with NaN after each. */
static rt_status spread_inputs(check *k) {
    for (int i = 0; i < k->c->inputs; i++) {
        rt_tensor *x = k->in[i];
        int64_t count = rt_tensor_count(x), stride[RT_MAX_DIMS], step = 2;
        rt_real *spread = rti_arena_alloc(&k->arena, 2 * (size_t)count * sizeof *spread);
        if (!spread) return no_memory(k);
        for (int d = 0; d < x->ndim; d++) {
            stride[d] = step;
            step *= x->shape[d];
        }
        for (int64_t e = 0; e < 2 * count; e++) spread[e] = (rt_real)NAN;
        rti_copy_strided(x->ndim, x->shape, rt_real_data(x), x->stride, spread, stride);
        x->data = spread;
        memcpy(x->stride, stride, sizeof stride);
    }
    return RT_OK;
}

/* ---- running the case ---- */

/* f(x), contiguous and finite; resets the graph first, so the last answer is gone. */
static rt_status evaluate(check *k, rt_tensor **y, const rt_real **values) {
    rt_graph_reset(k->g);
    *y = k->c->function(k->g, k->in, k->c->context);
    const rt_error *failure = rt_graph_error(k->g);
    if (*y && failure->status == RT_OK && (*y)->dtype == RT_DTYPE_REAL) *values = rti_contiguous(k->g, *y);
    rt_status status = failure->status;
    if (status != RT_OK)
        return rt_fail(k->error, status, "gradcheck %s: %s", k->c->name, failure->message);
    if (!*y || (*y)->dtype != RT_DTYPE_REAL)
        return rt_fail(k->error, RT_VALUE, "gradcheck %s: the function returned no real tensor", k->c->name);
    int64_t count = rt_tensor_count(*y);
    if (k->weights && count != k->outputs)
        return rt_fail(k->error, RT_VALUE, "gradcheck %s: the function's result changed its size",
                       k->c->name);
    for (int64_t e = 0; e < count; e++)
        if (!isfinite((*values)[e]))
            return rt_fail(k->error, RT_NOT_FINITE, "gradcheck %s: element %lld of the result is %g",
                           k->c->name, (long long)e, (double)(*values)[e]);
    return RT_OK;
}

/* +-[0.5, 1.5]: no two outputs weigh the same and none is forgotten. */
static rt_status make_weights(check *k, uint64_t seed, int64_t outputs) {
    rt_rng rng = rt_rng_stream(seed, "gradcheck.weights", 0, 0);
    k->plus = rti_arena_alloc(&k->arena, (size_t)outputs * sizeof *k->plus);
    k->weights = rti_arena_alloc(&k->arena, (size_t)outputs * sizeof *k->weights);
    if (!k->plus || !k->weights) return no_memory(k);
    for (int64_t e = 0; e < outputs; e++) {
        double size = 0.5 + rt_rng_uniform(&rng);
        k->weights[e] = (rt_real)(rt_rng_u32(&rng) & 1 ? size : -size);
    }
    k->outputs = outputs;
    return RT_OK;
}

static rt_status run_tape(check *k, uint64_t seed) {
    rt_tensor *y;
    const rt_real *values = NULL;
    RT_TRY(evaluate(k, &y, &values));
    if (!k->weights) RT_TRY(make_weights(k, seed, rt_tensor_count(y)));
    rt_status status = rti_backward_from(k->g, y, k->weights);
    if (status == RT_OK) return RT_OK;
    return rt_fail(k->error, status, "gradcheck %s: %s", k->c->name, rt_graph_error(k->g)->message);
}

/* dL/dx of one element by central differences. */
static rt_status differences(check *k, rt_real *x, double *numeric) {
    rt_tensor *y;
    const rt_real *values = NULL;
    rt_real here = *x;
    double h = STEP * fmax(1, fabs((double)here));
    volatile rt_real above = (rt_real)(here + h), below = (rt_real)(here - h);
    *x = above;
    rt_status status = evaluate(k, &y, &values);
    if (status == RT_OK) {
        if (k->outputs > 0) memcpy(k->plus, values, (size_t)k->outputs * sizeof *values);
        *x = below;
        status = evaluate(k, &y, &values);
    }
    double sum = 0;
    for (int64_t e = 0; status == RT_OK && e < k->outputs; e++)
        sum += (double)k->weights[e] * ((double)k->plus[e] - (double)values[e]);
    *x = here; /* only now: the values may be a view of x */
    if (status != RT_OK) return status;
    *numeric = sum / ((double)above - (double)below);
    return RT_OK;
}

/* ---- comparing ---- */

static void forget_gradients(check *k) {
    for (int i = 0; i < k->c->inputs; i++) {
        int64_t count = rt_tensor_count(k->in[i]);
        for (int64_t e = 0; e < count; e++) k->in[i]->grad[e] = (rt_real)NAN;
        k->in[i]->has_grad = false;
    }
}

/* Keeps the first answer. An input that nothing was added to has the gradient zero. */
static void keep_gradients(check *k) {
    for (int i = 0; i < k->c->inputs; i++) {
        size_t bytes = (size_t)rt_tensor_count(k->in[i]) * sizeof(rt_real);
        if (!k->in[i]->has_grad) memset(k->analytic[i], 0, bytes);
        else memcpy(k->analytic[i], k->in[i]->grad, bytes);
    }
}

static rt_status refuse_zero_gradient(const check *k, int i) {
    int64_t count = rt_tensor_count(k->in[i]);
    for (int64_t e = 0; e < count; e++)
        if (k->analytic[i][e] != 0) return RT_OK;
    if (k->c->may_be_zero) return RT_OK;
    return rt_fail(k->error, RT_VALUE, "gradcheck %s: the gradient of input %d is zero everywhere",
                   k->c->name, i);
}

static rt_status compare_with_differences(check *k) {
    rt_gradcheck_result *r = k->result;
    for (int i = 0; i < k->c->inputs; i++) {
        int64_t count = is_checked(k, i) ? rt_tensor_count(k->in[i]) : 0;
        for (int64_t e = 0; e < count; e++) {
            double analytic = (double)k->analytic[i][e], numeric;
            RT_TRY(differences(k, rt_real_data(k->in[i]) + e, &numeric));
            double off = relative_error(analytic, numeric);
            r->checked++;
            if (r->checked == 1 || (!isnan(r->worst_error) && !(off <= r->worst_error)))
                *r = (rt_gradcheck_result){off, i, e, analytic, numeric, r->checked};
        }
    }
    if (r->worst_error <= k->tolerance) return RT_OK;
    return rt_fail(k->error, RT_VALUE,
                   "gradcheck %s: the gradient of input %d at element %lld is %.9g, differences say %.9g "
                   "(error %.3g, tolerance %.3g)",
                   k->c->name, r->worst_input, (long long)r->worst_element, r->analytic, r->numeric,
                   r->worst_error, k->tolerance);
}

/* Are the gradients there now `factor` times the first answer? */
static rt_status compare_with_first(const check *k, double factor, const char *what) {
    for (int i = 0; i < k->c->inputs; i++) {
        const rt_tensor *x = k->in[i];
        int64_t count = is_checked(k, i) ? rt_tensor_count(x) : 0;
        for (int64_t e = 0; e < count; e++) {
            double expected = factor * (double)k->analytic[i][e];
            double found = x->has_grad ? (double)x->grad[e] : 0;
            if (!(relative_error(found, expected) <= k->tolerance))
                return rt_fail(k->error, RT_VALUE,
                               "gradcheck %s: %s, the gradient of input %d at element %lld is %.9g "
                               "and should be %.9g",
                               k->c->name, what, i, (long long)e, found, expected);
        }
    }
    return RT_OK;
}

static rt_status run(check *k, uint64_t seed) {
    RT_TRY(make_inputs(k, seed));
    forget_gradients(k);
    RT_TRY(run_tape(k, seed));
    keep_gradients(k);
    for (int i = 0; i < k->c->inputs; i++)
        if (is_checked(k, i)) RT_TRY(refuse_zero_gradient(k, i));

    RT_TRY(run_tape(k, seed));
    RT_TRY(compare_with_first(k, 2, "added to a gradient that was there"));

    rt_no_grad_begin(k->g);
    rt_status status = compare_with_differences(k);
    rt_no_grad_end(k->g);
    RT_TRY(status);

    RT_TRY(spread_inputs(k));
    forget_gradients(k);
    RT_TRY(run_tape(k, seed));
    return compare_with_first(k, 1, "with inputs that are not contiguous");
}

rt_status rt_gradcheck(const rt_gradcheck_case *c, uint64_t seed, double tolerance,
                       rt_gradcheck_result *result, rt_error *error) {
    RT_ASSERT(c->inputs >= 0 && c->inputs <= RT_GRADCHECK_INPUTS_MAX, "a gradcheck case has up to %d inputs",
              RT_GRADCHECK_INPUTS_MAX);
    rt_gradcheck_result unused, *r = result ? result : &unused;
    memset(r, 0, sizeof *r);
    check k = {.c = c, .tolerance = tolerance > 0 ? tolerance : TOLERANCE, .result = r, .error = error};
    rti_arena_init(&k.arena);
    k.g = rt_graph_new(error);
    rt_status status = k.g ? run(&k, seed) : RT_MEMORY;
    rt_graph_free(k.g);
    rti_arena_deinit(&k.arena);
    return status;
}
