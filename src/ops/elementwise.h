/* elementwise.h - the loops behind a function of one number.           Floor 5 (ops)
 *
 * An op gives its value and its slope; the drivers here walk over x with any strides. They are
 * always inlined, so that for each op the compiler sees one plain loop without a call. */
#ifndef RTI_ELEMENTWISE_H
#define RTI_ELEMENTWISE_H

#include "graph/op.h"
#include "kernels/kernels.h"
#include "ops/activation.h"
#include "retort/ops.h"
#include "tensor/strided.h"

#if defined(__GNUC__)
#define RTI_INLINED static inline __attribute__((always_inline))
#else
#define RTI_INLINED static inline
#endif

typedef rt_real rti_value(rt_real x, const rti_attributes *a);
typedef rt_real rti_slope(rt_real x, rt_real y, const rti_attributes *a);

static inline bool rti_elementwise_shape(rt_graph *g, rti_node *n) { return rti_out_like(g, n, n->in[0]); }

RTI_INLINED void rti_elementwise_forward(const rti_node *n, rti_value *value) {
    const rt_tensor *x = n->in[0], *y = n->out;
    const rti_attributes a = n->a; /* a copy: what is written to y cannot change it */
    const int64_t *strides[] = {x->stride, y->stride};
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w)) {
        const rt_real *from = rt_real_data(x) + w.offset[0];
        rt_real *to = rt_real_data(y) + w.offset[1];
        if (w.step[0] == 1)
            for (int64_t i = 0; i < w.n; i++) to[i] = value(from[i], &a);
        else
            for (int64_t i = 0; i < w.n; i++) to[i] = value(from[i * w.step[0]], &a);
    }
}

/* dx (+)= slope dy; dy, y and dx are contiguous. */
RTI_INLINED void rti_elementwise_backward(rt_graph *g, rti_node *n, rti_slope *slope) {
    rti_grad d = rti_grad_begin(g, n, 0);
    if (!d.data) return;
    const rt_tensor *x = n->in[0], *out = n->out;
    const rti_attributes a = n->a;
    const int64_t *strides[] = {x->stride, out->stride};
    for (rti_walk w = rti_walk_begin(x->ndim, x->shape, 2, strides); w.n; rti_walk_next(&w)) {
        const rt_real *xs = rt_real_data(x) + w.offset[0], *y = rt_real_data(out) + w.offset[1];
        const rt_real *dy = out->grad + w.offset[1];
        rt_real *dx = d.data + w.offset[1];
        if (d.accumulate)
            for (int64_t i = 0; i < w.n; i++) dx[i] += dy[i] * slope(xs[i * w.step[0]], y[i], &a);
        else if (w.step[0] == 1)
            for (int64_t i = 0; i < w.n; i++) dx[i] = dy[i] * slope(xs[i], y[i], &a);
        else
            for (int64_t i = 0; i < w.n; i++) dx[i] = dy[i] * slope(xs[i * w.step[0]], y[i], &a);
    }
}

/* Forward and backward of op `name` from name_value and name_slope, and what its gradcheck cases
 * call: the op alone, and of a view that is used twice. `call` applies it to x. */
#define ELEMENTWISE_OP(name, call)                                                               \
    static void name##_forward(rt_graph *g, rti_node *n) {                                       \
        (void)g;                                                                                 \
        rti_elementwise_forward(n, name##_value);                                                \
    }                                                                                            \
    static void name##_backward(rt_graph *g, rti_node *n) {                                      \
        rti_elementwise_backward(g, n, name##_slope);                                            \
    }                                                                                            \
    ELEMENTWISE_FUNCTIONS(name, call)

#define ELEMENTWISE_FUNCTIONS(name, call)                                                        \
    static rt_tensor *name##_plain(rt_graph *g, rt_tensor *const in[], const void *context) {    \
        (void)context;                                                                           \
        rt_tensor *x = in[0];                                                                    \
        return call;                                                                             \
    }                                                                                            \
    static rt_tensor *name##_turned(rt_graph *g, rt_tensor *const in[], const void *context) {   \
        (void)context;                                                                           \
        rt_tensor *x = rt_slice(g, rt_transpose(g, in[0], 0, 1), 0, 1, 3);                       \
        return rt_mul(g, call, call);                                                            \
    }

/* Cases on [low, high]; further members of rt_gradcheck_case may follow. */
#define ELEMENTWISE_CASES(name_, low_, ...)                                                      \
    {.name = #name_, .function = name_##_plain, .inputs = 1, .input = {{2, {3, 4}}},             \
     .low = low_, .high = __VA_ARGS__},                                                          \
    {.name = #name_ " of a number", .function = name_##_plain, .inputs = 1, .input = {{0, {0}}}, \
     .low = low_, .high = __VA_ARGS__},                                                          \
    {.name = #name_ " of a view", .function = name_##_turned, .inputs = 1,                       \
     .input = {{3, {2, 3, 2}}}, .low = low_, .high = __VA_ARGS__}

#endif
