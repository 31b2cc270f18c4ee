/* op.h - what an op is: the contract between the tape and src/ops.     Floor 4 (graph)
 *
 * An op is one contiguous block in a family file in src/ops: shape rule, forward, backward,
 * gradcheck cases, descriptor. RTI_REGISTER(op, name) puts the descriptor `rti_op_name` on the
 * generated list of all ops. A new op touches that block and its prototype in ops.h, nothing else.
 *
 *     static bool square_shape(rt_graph *g, rti_node *n) { return rti_out_like(g, n, n->in[0]); }
 *     static void square_forward(rt_graph *g, rti_node *n) { ... write n->out->data ... }
 *     static void square_backward(rt_graph *g, rti_node *n) {       // dx += 2 x dy
 *         rti_grad dx = rti_grad_begin(g, n, 0);                     // dx.data NULL: not wanted
 *         ...
 *     }
 *     static const rt_gradcheck_case square_cases[] = {...};
 *     const rti_op rti_op_square = {.name = "square", ...};
 *     RTI_REGISTER(op, square)
 *     rt_tensor *rt_square(rt_graph *g, rt_tensor *x) { return rti_apply1(g, &rti_op_square, x, NULL); }
 */
#ifndef RTI_OP_H
#define RTI_OP_H

#include "retort/graph.h"

/* Read by the Makefile (one per line, at the start of the line); to the compiler it is nothing. */
#ifndef RTI_REGISTER
#define RTI_REGISTER(kind, name)
#endif

#define RTI_VARIADIC (-1)

/* Attributes that are not tensors. Copied into the node; each op says what it uses. */
typedef struct rti_attributes {
    int64_t i[8];
    double f[4];
    const void *p;
} rti_attributes;

typedef struct rti_node {
    const struct rti_op *op;
    int inputs;
    rt_tensor **in;
    rt_tensor *out;
    rti_attributes a;
    void *saved;             /* what forward keeps for backward, in the arena */
    struct rti_node *before; /* the tape, newest first */
} rti_node;

typedef struct rti_op {
    const char *name;
    int arity;                /* or RTI_VARIADIC */
    unsigned differentiable;  /* bit i: input i can receive a gradient; 0 for none */
    const char *formula;      /* "y = a + b", ASCII */
    const char *source;       /* paper and equation, or "" */
    /* Checks inputs and sets n->out (rti_out, rti_out_like, rti_out_view). On failure calls
     * rti_op_fail and returns false. */
    bool (*shape)(rt_graph *g, rti_node *n);
    /* Computes n->out. May allocate n->saved with rti_step_alloc, and return after a failure. What
     * only backward reads need not be kept when !n->out->requires_grad: the node is not recorded. */
    void (*forward)(rt_graph *g, rti_node *n);
    /* Adds to the gradients of the inputs, reading n->out->grad (contiguous; not to be changed).
     * NULL when differentiable is 0. */
    void (*backward)(rt_graph *g, rti_node *n);
    const rt_gradcheck_case *cases;
    int case_count;
    unsigned asks_for_numbers; /* bit i: input i may be a batch without them yet; it is read by notes.h */
} rti_op;

/* Runs shape and forward and records the node when a gradient may be asked for. `a` may be NULL.
 * Inputs that can receive a gradient must be REAL; this is checked here. Returns NULL when the
 * graph has failed already; a NULL input of a graph that has not is a failure, too. */
rt_tensor *rti_apply(rt_graph *g, const rti_op *op, rt_tensor *const in[], int inputs,
                     const rti_attributes *a);

static inline rt_tensor *rti_apply1(rt_graph *g, const rti_op *op, rt_tensor *x, const rti_attributes *a) {
    return rti_apply(g, op, (rt_tensor *const[]){x}, 1, a);
}
static inline rt_tensor *rti_apply2(rt_graph *g, const rti_op *op, rt_tensor *x, rt_tensor *y,
                                    const rti_attributes *a) {
    return rti_apply(g, op, (rt_tensor *const[]){x, y}, 2, a);
}

/* For shape rules. _out: a fresh contiguous REAL tensor. _view: shares the data of `of`, `offset`
 * elements further. */
bool rti_out(rt_graph *g, rti_node *n, int ndim, const int64_t shape[]);
bool rti_out_like(rt_graph *g, rti_node *n, const rt_tensor *like);
bool rti_out_view(rt_graph *g, rti_node *n, const rt_tensor *of, int ndim, const int64_t shape[],
                  const int64_t stride[], int64_t offset);
/* Records "name of (100, 784) and (1200, 30): message" as the graph's failure (the first one wins)
 * and returns false. */
bool rti_op_fail(rt_graph *g, const rti_node *n, rt_status status, const char *format, ...) RT_PRINTF(4, 5);

#define RTI_COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

bool rti_is_recording(const rt_graph *g); /* not inside of a no-grad scope */

void *rti_step_alloc(rt_graph *g, size_t bytes); /* NULL: failure recorded */
/* Gives a block of rti_step_alloc, or the data of a tensor that nobody looks at any more, back before the
 * step ends: a later rti_step_alloc of this size may get it. Small ones are not worth it. NULL is fine. */
void rti_step_release(rt_graph *g, void *block, size_t bytes);

/* True when the node is recorded and input i wants a gradient. Forward and backward may ask. */
bool rti_wants_grad(const rti_node *n, int i);

/* The gradient buffer of input i: contiguous, its shape. `accumulate` false: the buffer holds
 * garbage and must be overwritten completely; true: add to it. data is NULL when no gradient is
 * wanted (or no memory: then the failure is recorded). Write the gradient of one input completely
 * before beginning the next: both may be the same tensor, and then the second call says accumulate. */
typedef struct rti_grad {
    rt_real *data;
    bool accumulate;
} rti_grad;
rti_grad rti_grad_begin(rt_graph *g, rti_node *n, int i);
/* The same for an op whose gradient is a function of dy element by element: where nobody needs dy any more,
 * the buffer IS dy's, to be overwritten in place. So read n->out->grad before, and take the last gradient. */
rti_grad rti_grad_take(rt_graph *g, rti_node *n, int i);
/* As _begin, zeroed first when it was garbage: for ops that scatter. */
rt_real *rti_grad_zeroed(rt_graph *g, rti_node *n, int i);

/* x's numbers, to be read (notes.h): where they are when contiguous, else a contiguous copy in the arena.
 * NULL: failure recorded. */
const rt_real *rti_contiguous(rt_graph *g, const rt_tensor *x);

/* Walks the tape from y with dL/dy = seed (contiguous, y's shape): what rt_backward does with 1. */
rt_status rti_backward_from(rt_graph *g, rt_tensor *y, const rt_real *seed) RT_MUST_CHECK;

/* All registered ops, in alphabetical order; NULL-terminated. (src/ops/registry.c) */
extern const rti_op *const rti_all_ops[];

#endif
