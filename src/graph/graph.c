/* graph.c - the tape.                                                  Floor 4 (graph)
 *
 * A node is one op that was run: its inputs, its result, its attributes. Nodes hang together from
 * the newest to the oldest, which is the order backward needs: whatever uses a tensor was recorded
 * after what made it, so its gradient is complete when the walk arrives. Nodes, results, gradients
 * and saved buffers come from one arena and go with one reset. */
#include "retort/graph.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "graph/notes.h"
#include "graph/op.h"
#include "retort/alloc.h"
#include "retort/log.h"
#include "tensor/strided.h"

struct rt_graph {
    rti_arena arena;
    struct spare *spares;  /* given back before the step's end */
    rti_node *newest;      /* the tape */
    rti_notes *notes;      /* about the batch; NULL: none */
    int no_grad;           /* depth of nested no-grad scopes */
    const rti_op *running; /* for the message when memory runs out inside an op */
    rt_error error;        /* the first failure of this step */
};

/* ---- life ---- */

rt_graph *rt_graph_new(rt_error *error) {
    rt_graph *g = rt_alloc_zero(1, sizeof *g);
    if (!g) {
        rt_fail(error, RT_MEMORY, "no memory for a graph");
        return NULL;
    }
    rti_arena_init(&g->arena);
    return g;
}

void rt_graph_free(rt_graph *g) {
    if (!g) return;
    rti_arena_deinit(&g->arena);
    rt_free(g);
}

void rt_graph_reset(rt_graph *g) {
    rti_arena_reset(&g->arena);
    g->spares = NULL;
    g->newest = NULL;
    g->running = NULL;
    g->error.status = RT_OK;
    g->error.message[0] = 0;
}

rt_status rt_graph_status(const rt_graph *g) { return g->error.status; }

const rt_error *rt_graph_error(const rt_graph *g) { return &g->error; }

rt_status rt_report(const rt_graph *g) {
    if (g->error.status != RT_OK) rt_say(RT_LOG_ERROR, "%s", g->error.message);
    return g->error.status;
}

void rt_no_grad_begin(rt_graph *g) { g->no_grad++; }

void rt_no_grad_end(rt_graph *g) {
    RT_ASSERT(g->no_grad > 0, "rt_no_grad_end without rt_no_grad_begin");
    g->no_grad--;
}

bool rti_is_recording(const rt_graph *g) { return g->no_grad == 0; }

/* ---- failures ---- */

/* The first failure wins. */
RT_PRINTF(3, 4) static rt_status fail(rt_graph *g, rt_status status, const char *format, ...) {
    if (g->error.status != RT_OK) return g->error.status;
    char message[sizeof g->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return rt_fail(&g->error, status, "%s", message);
}

bool rti_op_fail(rt_graph *g, const rti_node *n, rt_status status, const char *format, ...) {
    if (g->error.status != RT_OK) return false;
    char message[300], inputs[400] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    enum { SHOWN = 3 };
    size_t length = 0;
    for (int i = 0; i < n->inputs && i < SHOWN && length < sizeof inputs; i++) {
        char text[RT_SHAPE_TEXT];
        const char *separator = i == 0 ? "" : i == n->inputs - 1 ? " and " : ", ";
        length += (size_t)snprintf(inputs + length, sizeof inputs - length, "%s%s", separator,
                                   rt_shape_text(n->in[i], text));
    }
    if (n->inputs > SHOWN && length < sizeof inputs)
        snprintf(inputs + length, sizeof inputs - length, " and %d more", n->inputs - SHOWN);
    rt_fail(&g->error, status, "%s of %s: %s", n->op->name, inputs, message);
    return false;
}

/* A block that was given back; the list stands in the blocks themselves and is short. */
typedef struct spare {
    struct spare *next;
    size_t bytes;
} spare;

enum { SPARE_BYTES = 4096 }; /* from here on it is worth it */

void rti_step_release(rt_graph *g, void *block, size_t bytes) {
    if (!block || bytes < SPARE_BYTES) return;
    spare *s = block;
    *s = (spare){g->spares, bytes};
    g->spares = s;
}

/* The smallest spare block that holds `bytes` and is not twice as large; NULL: none. */
static void *take_spare(rt_graph *g, size_t bytes) {
    spare **best = NULL;
    for (spare **s = &g->spares; *s; s = &(*s)->next) {
        const bool fits = (*s)->bytes >= bytes && (*s)->bytes / 2 <= bytes;
        if (fits && (!best || (*s)->bytes < (*best)->bytes)) best = s;
    }
    if (!best) return NULL;
    spare *found = *best;
    *best = found->next;
    return found;
}

void *rti_step_alloc(rt_graph *g, size_t bytes) {
    void *block = bytes >= SPARE_BYTES ? take_spare(g, bytes) : NULL;
    if (block) return block;
    block = rti_arena_alloc(&g->arena, bytes);
    if (!block)
        fail(g, RT_MEMORY, "%s%sno memory for %zu bytes more in this step, which holds %zu",
             g->running ? g->running->name : "", g->running ? ": " : "", bytes, g->arena.used_bytes);
    return block;
}

/* ---- step tensors ---- */

static rt_tensor *step_tensor(rt_graph *g, rt_dtype dtype, int ndim, const int64_t shape[], void *data) {
    rt_tensor *t = rti_step_alloc(g, sizeof *t);
    if (!t) return NULL;
    rt_tensor_view_init(t, dtype, ndim, shape, data);
    t->lifetime = RT_STEP;
    return t;
}

/* The checks of a shape that come from outside. */
static bool step_shape_fits(rt_graph *g, rt_dtype dtype, int ndim, const int64_t shape[]) {
    rt_error error;
    if (g->error.status != RT_OK) return false;
    if (rti_shape_check(dtype, ndim, shape, &error) == RT_OK) return true;
    g->error = error;
    return false;
}

rt_tensor *rt_graph_tensor(rt_graph *g, rt_dtype dtype, int ndim, const int64_t shape[]) {
    if (!step_shape_fits(g, dtype, ndim, shape)) return NULL;
    rt_tensor *t = step_tensor(g, dtype, ndim, shape, NULL);
    if (t) t->data = rti_step_alloc(g, (size_t)rt_tensor_count(t) * rt_dtype_bytes(dtype));
    return t && t->data ? t : NULL;
}

rt_tensor *rt_graph_input(rt_graph *g, const rt_real *data, int ndim, const int64_t shape[]) {
    if (!step_shape_fits(g, RT_DTYPE_REAL, ndim, shape)) return NULL;
    return step_tensor(g, RT_DTYPE_REAL, ndim, shape, (void *)data);
}

rt_tensor *rt_graph_labels(rt_graph *g, const int32_t *labels, int64_t count) {
    if (!step_shape_fits(g, RT_DTYPE_I32, 1, &count)) return NULL;
    return step_tensor(g, RT_DTYPE_I32, 1, &count, (void *)labels);
}

rt_tensor *rt_graph_scalar(rt_graph *g, double value) {
    rt_tensor *t = rt_graph_tensor(g, RT_DTYPE_REAL, 0, NULL);
    if (t) rt_real_data(t)[0] = (rt_real)value;
    return t;
}

static rt_tensor *step_view(rt_graph *g, const rt_tensor *of) {
    rt_tensor *t = rti_step_alloc(g, sizeof *t);
    if (!t) return NULL;
    *t = *of;
    t->lifetime = RT_STEP;
    t->grad = NULL;
    t->has_grad = t->requires_grad = t->passing = false;
    t->node = NULL;
    return t;
}

rt_tensor *rt_detach(rt_graph *g, rt_tensor *x) {
    if (g->error.status != RT_OK) return NULL;
    if (!x) {
        fail(g, RT_VALUE, "detach: the tensor is NULL");
        return NULL;
    }
    return step_view(g, x);
}

/* ---- what ops use: notes about the batch ---- */

void rti_graph_use_notes(rt_graph *g, rti_notes *notes) { g->notes = notes; }

void rti_notes_read(const rt_graph *g, const rt_tensor *x) {
    rti_notes *notes = g->notes;
    if (!notes || !notes->fill || x->dtype != RT_DTYPE_REAL) return;
    const rt_real *first = notes->batch->data, *of_x = x->data;
    if (of_x < first || of_x >= first + rt_tensor_count(notes->batch)) return;
    notes->fill(notes->filler);
    notes->fill = NULL;
}

rti_notes *rti_notes_about(const rt_graph *g, const rt_tensor *x) {
    const rt_tensor *batch = g->notes ? g->notes->batch : NULL;
    return batch && x->data == batch->data && rt_tensor_count(x) == rt_tensor_count(batch) &&
                   rt_tensor_is_contiguous(x)
               ? g->notes
               : NULL;
}

static bool is_target(const rti_notes *notes, const rt_tensor *v) {
    for (int i = 0; i < notes->target_count; i++)
        if (notes->targets[i] == v) return true;
    return false;
}

const rti_soft_targets *rti_notes_soften(const rt_graph *g, const rt_tensor *v, double T) {
    rti_notes *notes = g->notes;
    if (!notes || !is_target(notes, v)) return NULL;
    for (int i = 0; i < notes->soft_count; i++)
        if (notes->soft[i].v == v && notes->soft[i].T == T) return &notes->soft[i];
    if (notes->soft_count == RTI_NOTES_SOFT) return NULL;
    const int64_t count = rt_tensor_count(v);
    double *p = rti_arena_alloc(&notes->arena, (size_t)(2 * count) * sizeof *p);
    if (!p) return NULL;
    rti_soft_targets *soft = &notes->soft[notes->soft_count++];
    *soft = (rti_soft_targets){v, T, p, p + count};
    rti_softmax_rows(v->shape[0], v->shape[1], rt_real_data(v), T, soft->p, soft->log_p);
    return soft;
}

/* ---- what ops use: results ---- */

bool rti_out(rt_graph *g, rti_node *n, int ndim, const int64_t shape[]) {
    rt_error error;
    if (rti_shape_check(RT_DTYPE_REAL, ndim, shape, &error) != RT_OK)
        return rti_op_fail(g, n, RT_SHAPE, "the result is too large: %s", error.message);
    n->out = rt_graph_tensor(g, RT_DTYPE_REAL, ndim, shape);
    return n->out != NULL;
}

bool rti_out_like(rt_graph *g, rti_node *n, const rt_tensor *like) {
    return rti_out(g, n, like->ndim, like->shape);
}

bool rti_out_view(rt_graph *g, rti_node *n, const rt_tensor *of, int ndim, const int64_t shape[],
                  const int64_t stride[], int64_t offset) {
    n->out = step_view(g, of);
    if (!n->out) return false;
    n->out->ndim = ndim;
    for (int i = 0; i < ndim; i++) {
        n->out->shape[i] = shape[i];
        n->out->stride[i] = stride[i];
    }
    if (n->out->data) n->out->data = (char *)n->out->data + offset * (int64_t)rt_dtype_bytes(of->dtype);
    return true;
}

const rt_real *rti_contiguous(rt_graph *g, const rt_tensor *x) {
    rti_notes_read(g, x);
    if (rt_tensor_is_contiguous(x)) return rt_real_data(x);
    rt_real *copy = rti_step_alloc(g, (size_t)rt_tensor_count(x) * sizeof *copy);
    if (!copy) return NULL;
    int64_t stride[RT_MAX_DIMS];
    rti_row_major(x->ndim, x->shape, stride);
    rti_copy_strided(x->ndim, x->shape, rt_real_data(x), x->stride, copy, stride);
    return copy;
}

/* ---- forward ---- */

static bool has_bit(unsigned inputs, int i) { return inputs >> (i < 31 ? i : 31) & 1u; }

static bool differentiable(const rti_op *op, int i) { return has_bit(op->differentiable, i); }

bool rti_wants_grad(const rti_node *n, int i) {
    return n->out->requires_grad && differentiable(n->op, i) && n->in[i]->requires_grad;
}

static bool inputs_are_there(rt_graph *g, const rti_op *op, rt_tensor *const in[], int inputs) {
    RT_ASSERT(op->arity == RTI_VARIADIC || op->arity == inputs, "%s takes %d inputs, not %d", op->name,
              op->arity, inputs);
    for (int i = 0; i < inputs; i++) {
        if (!in[i]) {
            fail(g, RT_VALUE, "%s: input %d is NULL", op->name, i);
            return false;
        }
    }
    return true;
}

rt_tensor *rti_apply(rt_graph *g, const rti_op *op, rt_tensor *const in[], int inputs,
                     const rti_attributes *a) {
    if (g->error.status != RT_OK || !inputs_are_there(g, op, in, inputs)) return NULL;
    g->running = op;
    size_t list = (size_t)inputs * sizeof(rt_tensor *);
    rti_node *n = rti_step_alloc(g, sizeof *n + list);
    if (!n) return NULL;
    *n = (rti_node){.op = op, .inputs = inputs, .in = (rt_tensor **)(void *)(n + 1)};
    if (list) memcpy(n->in, in, list);
    if (a) n->a = *a;

    bool wanted = false;
    for (int i = 0; i < inputs; i++) {
        if (!differentiable(op, i)) continue;
        if (in[i]->dtype != RT_DTYPE_REAL) {
            rti_op_fail(g, n, RT_VALUE, "input %d must hold real numbers, not integers", i);
            return NULL;
        }
        wanted |= in[i]->requires_grad;
    }
    if (!op->shape(g, n) || g->error.status != RT_OK) return NULL;
    for (int i = 0; i < inputs; i++)
        if (!has_bit(op->asks_for_numbers, i)) rti_notes_read(g, in[i]);
    n->out->requires_grad = wanted && g->no_grad == 0 && op->backward;
    op->forward(g, n);
    if (g->error.status != RT_OK) return NULL;
    if (n->out->requires_grad) {
        n->before = g->newest;
        g->newest = n;
        n->out->node = n;
    }
    g->running = NULL;
    return n->out;
}

/* ---- backward ---- */

/* The buffer behind x->grad, whoever owns x. */
static bool grad_buffer(rt_graph *g, rt_tensor *x) {
    if (x->grad) return true;
    if (x->lifetime == RT_STEP) {
        x->grad = rti_step_alloc(g, (size_t)rt_tensor_count(x) * sizeof(rt_real));
    } else if (!rti_tensor_own_grad(x)) {
        char text[RT_SHAPE_TEXT];
        fail(g, RT_MEMORY, "no memory for the gradient of a parameter %s", rt_shape_text(x, text));
    }
    return x->grad != NULL;
}

rti_grad rti_grad_begin(rt_graph *g, rti_node *n, int i) {
    rt_tensor *x = n->in[i];
    if (!rti_wants_grad(n, i) || !grad_buffer(g, x)) return (rti_grad){NULL, false};
    rti_grad dx = {x->grad, x->has_grad};
    x->has_grad = true;
    return dx;
}

rti_grad rti_grad_take(rt_graph *g, rti_node *n, int i) {
    rt_tensor *x = n->in[i], *y = n->out;
    const bool takes = y->passing && y->grad && rti_wants_grad(n, i) && x->lifetime == RT_STEP &&
                       !x->has_grad && rt_tensor_count(x) == rt_tensor_count(y);
    if (!takes) return rti_grad_begin(g, n, i);
    rti_step_release(g, x->grad, x->grad ? (size_t)rt_tensor_count(x) * sizeof *x->grad : 0);
    x->grad = y->grad;
    y->grad = NULL;
    x->has_grad = true;
    return (rti_grad){x->grad, false};
}

rt_real *rti_grad_zeroed(rt_graph *g, rti_node *n, int i) {
    rti_grad dx = rti_grad_begin(g, n, i);
    if (dx.data && !dx.accumulate) memset(dx.data, 0, (size_t)rt_tensor_count(n->in[i]) * sizeof *dx.data);
    return dx.data;
}

/* The gradient has been passed on; nobody has asked to see it. */
static void give_back(rt_graph *g, rt_tensor *x) {
    rti_step_release(g, x->grad, (size_t)rt_tensor_count(x) * sizeof *x->grad);
    x->grad = NULL;
    x->has_grad = false;
}

rt_status rti_backward_from(rt_graph *g, rt_tensor *y, const rt_real *seed) {
    if (g->error.status != RT_OK) return g->error.status;
    if (!y) return fail(g, RT_VALUE, "backward: the loss is NULL");
    if (!y->requires_grad)
        return fail(g, RT_VALUE, "backward: the loss depends on nothing that requires a gradient");
    for (rti_node *n = g->newest; n; n = n->before) {
        n->out->has_grad = false;
        for (int i = 0; i < n->inputs; i++)
            if (n->in[i]->lifetime == RT_STEP) n->in[i]->has_grad = false;
    }
    if (!grad_buffer(g, y)) return g->error.status;
    int64_t count = rt_tensor_count(y);
    if (y->has_grad)
        for (int64_t i = 0; i < count; i++) y->grad[i] += seed[i];
    else if (count > 0) memcpy(y->grad, seed, (size_t)count * sizeof *seed);
    y->has_grad = true;

    for (rti_node *n = y->node; n; n = n->before) {
        if (!n->out->has_grad) continue;
        g->running = n->op;
        n->op->backward(g, n);
        if (g->error.status != RT_OK) return g->error.status;
        if (n->out->passing) give_back(g, n->out);
    }
    g->running = NULL;
    return RT_OK;
}

rt_status rt_backward(rt_graph *g, rt_tensor *loss) {
    if (g->error.status != RT_OK) return g->error.status;
    if (loss && (loss->dtype != RT_DTYPE_REAL || rt_tensor_count(loss) != 1)) {
        char text[RT_SHAPE_TEXT];
        return fail(g, RT_SHAPE, "backward: the loss must be one real number, not a tensor %s",
                    rt_shape_text(loss, text));
    }
    if (loss && !isfinite(rt_tensor_item(loss)))
        return fail(g, RT_NOT_FINITE, "backward: the loss is %g", rt_tensor_item(loss));
    return rti_backward_from(g, loss, &(rt_real){1});
}
