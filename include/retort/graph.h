/* graph.h - the tape: forward builds it, backward walks it.            Floor 4 (graph)
 *
 * Ops called with a graph append a node to its tape; rt_backward walks the tape from its end and
 * leaves dL/dx in x->grad of every tensor that requires one. All nodes, results, gradients and
 * saved buffers of a step live in the graph's arena; rt_graph_reset releases them together.
 *
 * The status is sticky: an op that fails records its name and shapes in the graph and returns NULL,
 * an op that is given NULL returns NULL, and rt_backward or rt_graph_status reports the first
 * failure. So model code is one expression per line, and is asked once. */
#ifndef RETORT_GRAPH_H
#define RETORT_GRAPH_H

#include "retort/tensor.h"

typedef struct rt_graph rt_graph;

rt_graph *rt_graph_new(rt_error *error) RT_MUST_CHECK;
void rt_graph_free(rt_graph *graph);

/* Ends the step: every step tensor is gone, the status is RT_OK again; a no-grad scope stays open.
 * Allocates nothing, except once after a step that needed more memory than all before. */
void rt_graph_reset(rt_graph *graph);

rt_status rt_graph_status(const rt_graph *graph);
const rt_error *rt_graph_error(const rt_graph *graph); /* borrowed; status RT_OK when nothing failed */
rt_status rt_report(const rt_graph *graph);            /* logs the failure and returns its status */

/* Step tensors: leaves without a gradient. _tensor has uninitialised data; _input and _labels look
 * at the caller's numbers, which must stay until the reset; _scalar holds a copy. NULL on failure
 * (sticky). */
rt_tensor *rt_graph_tensor(rt_graph *graph, rt_dtype dtype, int ndim, const int64_t shape[]);
rt_tensor *rt_graph_input(rt_graph *graph, const rt_real *data, int ndim, const int64_t shape[]);
rt_tensor *rt_graph_labels(rt_graph *graph, const int32_t *labels, int64_t count); /* (count) I32 */
rt_tensor *rt_graph_scalar(rt_graph *graph, double value);                         /* () */

/* Between begin and end ops are computed and not recorded; results require no gradient. Nests. */
void rt_no_grad_begin(rt_graph *graph);
void rt_no_grad_end(rt_graph *graph);

/* The same numbers with the history cut off: a view that requires no gradient. */
rt_tensor *rt_detach(rt_graph *graph, rt_tensor *x);

/* Gradients of `loss` (one element) with respect to everything that requires one, in the order of
 * the tape, so always the same bits. Parameters accumulate until an optimiser's step or
 * rt_tensor_clear_grad; step tensors start empty in each call. A tensor that the loss does not
 * depend on keeps has_grad as it was. Recording goes on afterwards: a second loss may follow.
 * Errors: the graph's first failure; RT_NOT_FINITE when the loss is NaN or infinite (nothing is
 * propagated then); RT_SHAPE when loss has not one element; RT_VALUE when it is NULL or depends on
 * nothing that requires a gradient; RT_MEMORY. Each of them is the graph's status from then on. */
rt_status rt_backward(rt_graph *graph, rt_tensor *loss) RT_MUST_CHECK;

static inline void rt_tensor_clear_grad(rt_tensor *tensor) { tensor->has_grad = false; }

/* ---- gradient check --------------------------------------------------------------------------
 *
 * Compares the gradient of  L = sum_i w_i * f(x)_i  (fixed random weights w; a plain sum hides a
 * missing factor) with central differences, signed, in the precision of the library:
 *     error = |analytic - numeric| / max(1, |analytic|, |numeric|)
 * Inputs are drawn uniformly from [low, high], at least `margin` away from every kink.
 *
 * Every case is run three times on the tape: with contiguous inputs whose gradient buffers hold
 * NaN (what must be overwritten is), once more on top of that (what must be added is: all
 * gradients double), and with inputs that lie column by column with NaN between the elements (no
 * stride is taken for granted). An input whose gradient is zero everywhere is refused, unless the
 * case says that this is right: such a check would compare nothing with nothing. */

#define RT_GRADCHECK_INPUTS_MAX 6

typedef rt_tensor *rt_gradcheck_function(rt_graph *graph, rt_tensor *const inputs[], const void *context);

typedef struct rt_gradcheck_case {
    const char *name;
    rt_gradcheck_function *function;
    int inputs;
    struct { int ndim; int64_t shape[RT_MAX_DIMS]; } input[RT_GRADCHECK_INPUTS_MAX];
    double low, high;       /* both 0: [-1, 1] */
    double kinks[4];        /* points to stay away from */
    int kink_count;
    double margin;          /* 0: 1e-3; at least two steps of the differences */
    unsigned constant;      /* bit i: input i is given no gradient and is not checked */
    bool may_be_zero;       /* an input's gradient that is zero everywhere is right here */
    const void *context;    /* passed to the function */
} rt_gradcheck_case;

typedef struct rt_gradcheck_result {
    double worst_error;
    int worst_input;
    int64_t worst_element;
    double analytic, numeric; /* there */
    int64_t checked;          /* elements compared */
} rt_gradcheck_result;

/* RT_OK when error <= tolerance for every element; RT_VALUE with a message that names case, input
 * and element otherwise (a NaN is not <= anything), also for an all-zero gradient that is not
 * allowed; the graph's error when the case cannot be built; RT_NOT_FINITE when f(x) is not.
 * tolerance <= 0 uses 1e-6 in double and 5e-2 in float. *result (may be NULL) is filled as far as
 * the check came. Leaves nothing allocated. */
rt_status rt_gradcheck(const rt_gradcheck_case *c, uint64_t seed, double tolerance,
                       rt_gradcheck_result *result, rt_error *error) RT_MUST_CHECK;

#endif
