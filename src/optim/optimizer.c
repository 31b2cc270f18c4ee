/* optimizer.c - one step over all parameters.                          Floor 6 (optim)
 *
 * Parameters are cut in pieces of a fixed size once, when the optimiser is made; a step hands the
 * pieces to the pool. A piece is updated and, where a limit holds, its rows are measured and scaled
 * while they are in the cache. Pieces share nothing, so the number of threads changes no bit. Buffers of a
 * model (running statistics) are none of the optimiser's business. */
#include "optim/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/pool.h"
#include "retort/alloc.h"

#define PIECE 16384       /* elements, or one row when rows are longer */
#define SHARED (2 * PIECE) /* from here on the pool is worth it */
#define LINE_ELEMENTS ((int64_t)(64 / sizeof(rt_real)))

typedef struct target {
    rt_parameter *parameter;
    double factor;           /* of the rate */
    double decay;
    double max_norm_squared; /* 0: none */
    int64_t count, offset;   /* offset: in each slot */
    int64_t t;               /* updates done */
    rti_constants constants; /* of this step */
    bool active;             /* in this step */
} target;

typedef struct piece {
    int target;
    int64_t begin, count;
} piece;

struct rt_optimizer {
    rt_params options;
    const rti_optimizer_kind *kind;
    const rti_schedule *schedule;
    int64_t epochs, steps_per_epoch, steps;
    double grad_norm;
    int target_count;
    target *targets;
    int64_t piece_count;
    piece *pieces;
    int64_t slot_count; /* elements of one slot, gaps included */
    rt_real *slots;     /* kind->slots of them, one after the other */
};

/* ---- options ---- */

/* Own copy without the prefix; what is missing stays at its default. */
static rt_status take_options(const rt_params *given, const char *prefix, rt_params *own, rt_error *error) {
    int count;
    const rt_param *rows = rt_optimizer_rows(&count);
    rt_params_init(own, rows, count);
    for (int i = 0; given && i < count; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s%s", prefix, rows[i].name);
        int at = rt_params_find(given, name);
        if (at < 0) continue;
        RT_TRY(rt_params_set(own, rows[i].name, &given->values[at], error));
        own->given[i] = given->given[at];
    }
    return RT_OK;
}

/* Texts of checked values never have padding that differs. */
static bool is_default(const rt_params *p, int i) {
    rt_params fresh;
    rt_params_init(&fresh, p->rows[i], 1);
    const rt_value *a = &fresh.values[0], *b = &p->values[i];
    return a->number == b->number && a->count == b->count && strcmp(a->text, b->text) == 0 &&
           memcmp(a->items, b->items, (size_t)a->count * sizeof a->items[0]) == 0;
}

static rt_status check(const rt_params *own, const char *prefix, rt_error *error) {
    const rti_optimizer_kind *kind = rti_optimizer_find(rt_params_text(own, "name"));
    const rti_schedule *schedule = rti_schedule_find(rt_params_text(own, "schedule"));
    for (int i = 0; i < own->count; i++) {
        const char *name = own->rows[i]->name;
        if (own->given[i] && !is_default(own, i) && !rti_option_is_used(kind, schedule, name))
            return rt_fail(error, RT_SPEC, "%s%s means nothing with the optimiser %s and the schedule %s.",
                           prefix, name, kind->name, schedule->name);
    }
    return RT_OK;
}

rt_status rt_optimizer_check(const rt_params *options, const char *prefix, rt_error *error) {
    rt_params own;
    RT_TRY(take_options(options, prefix, &own, error));
    return check(&own, prefix, error);
}

/* ---- making ---- */

static double layer_factor(const rt_optimizer *o, int layer, bool main_model) {
    const rt_value *factors = rt_params_list(&o->options, "lr_factors");
    return main_model && factors->count > 0 ? factors->items[layer] : 1;
}

static double limit_of(const rt_optimizer *o, const rt_parameter *p, const rt_model *model, bool main_model) {
    bool all = strcmp(rt_params_text(&o->options, "max_norm_layers"), "all") == 0;
    bool inside = main_model && (all || p->layer < rt_model_layers(model) - 1);
    return inside && p->kind == RT_WEIGHT && p->tensor.ndim > 1
               ? rt_params_real(&o->options, "max_norm_squared")
               : 0;
}

static target make_target(const rt_optimizer *o, rt_model *model, int number, bool main_model) {
    rt_parameter *p = rt_model_parameter(model, number);
    bool decays = p->kind == RT_WEIGHT || rt_params_bool(&o->options, "decay_biases");
    return (target){
        .parameter = p,
        .factor = layer_factor(o, p->layer, main_model),
        .decay = decays ? rt_params_real(&o->options, "weight_decay") : 0,
        .max_norm_squared = limit_of(o, p, model, main_model),
        .count = rt_tensor_count(&p->tensor),
    };
}

/* Elements of one row: a unit's incoming weights, where units are rows. */
static int64_t row_count(const target *t) {
    return t->parameter->tensor.shape[0] > 0 ? t->count / t->parameter->tensor.shape[0] : 1;
}

/* The filters of a convolution lie beside each other: their parameter is one piece. */
static int64_t piece_elements(const target *t) {
    if (t->max_norm_squared == 0) return PIECE;
    if (t->parameter->unit_axis > 0) return t->count;
    int64_t row = row_count(t);
    return row >= PIECE ? row : PIECE / row * row;
}

/* Fills `out` (may be NULL: counts only). */
static int64_t cut(const target *targets, int count, piece *out) {
    int64_t pieces = 0;
    for (int i = 0; i < count; i++) {
        int64_t step = piece_elements(&targets[i]);
        for (int64_t begin = 0; begin < targets[i].count; begin += step, pieces++) {
            int64_t rest = targets[i].count - begin;
            if (out) out[pieces] = (piece){i, begin, rest < step ? rest : step};
        }
    }
    return pieces;
}

static rt_status add(rt_optimizer *o, rt_model *model, bool main_model, rt_error *error) {
    int count = o->target_count;
    target *targets = rt_alloc((size_t)(count + rt_model_parameters(model)) * sizeof *targets);
    if (!targets) return rt_fail(error, RT_MEMORY, "no memory for an optimiser");
    int64_t slot_count = o->slot_count;
    if (o->target_count) memcpy(targets, o->targets, (size_t)o->target_count * sizeof *targets);
    for (int i = 0; i < rt_model_parameters(model); i++) {
        if (rt_model_parameter(model, i)->kind == RT_BUFFER) continue;
        target *t = &targets[count++];
        *t = make_target(o, model, i, main_model);
        t->offset = slot_count;
        slot_count += (t->count + LINE_ELEMENTS - 1) / LINE_ELEMENTS * LINE_ELEMENTS;
    }
    int64_t piece_count = cut(targets, count, NULL);
    piece *pieces = rt_alloc((size_t)piece_count * sizeof *pieces);
    rt_real *slots = pieces ? rt_alloc_zero((size_t)slot_count * (size_t)o->kind->slots, sizeof *slots)
                            : NULL;
    if (!slots) {
        rt_free(targets);
        rt_free(pieces);
        return rt_fail(error, RT_MEMORY, "no memory for the %d slots of %s", o->kind->slots, o->kind->name);
    }
    cut(targets, count, pieces);
    rt_free(o->targets);
    rt_free(o->pieces);
    rt_free(o->slots);
    o->targets = targets;
    o->target_count = count;
    o->pieces = pieces;
    o->piece_count = piece_count;
    o->slots = slots;
    o->slot_count = slot_count;
    return RT_OK;
}

static rt_status set_up(rt_optimizer *o, rt_model *model, const rt_params *options, const char *prefix,
                        rt_error *error) {
    RT_TRY(take_options(options, prefix, &o->options, error));
    RT_TRY(check(&o->options, prefix, error));
    o->kind = rti_optimizer_find(rt_params_text(&o->options, "name"));
    o->schedule = rti_schedule_find(rt_params_text(&o->options, "schedule"));
    int factors = rt_params_list(&o->options, "lr_factors")->count;
    if (factors != 0 && factors != rt_model_layers(model))
        return rt_fail(error, RT_SPEC, "%slr_factors has %d entries; %s has %d layers.", prefix, factors,
                       rt_model_summary(model), rt_model_layers(model));
    return add(o, model, true, error);
}

rt_optimizer *rt_optimizer_new(rt_model *model, const rt_params *options, const char *prefix, int64_t epochs,
                               int64_t steps_per_epoch, rt_error *error) {
    RT_ASSERT(epochs >= 1 && steps_per_epoch >= 1, "%lld epochs of %lld steps", (long long)epochs,
              (long long)steps_per_epoch);
    rt_optimizer *o = rt_alloc_zero(1, sizeof *o);
    if (!o) {
        rt_fail(error, RT_MEMORY, "no memory for an optimiser");
        return NULL;
    }
    o->epochs = epochs;
    o->steps_per_epoch = steps_per_epoch;
    o->grad_norm = -1;
    if (set_up(o, model, options, prefix, error) == RT_OK) return o;
    rt_optimizer_free(o);
    return NULL;
}

rt_optimizer *rt_sgd_new(rt_model *model, double lr, double momentum, rt_error *error) {
    int count;
    const rt_param *rows = rt_optimizer_rows(&count);
    rt_params options;
    rt_params_init(&options, rows, count);
    const rt_value rate = {.type = RT_PARAM_REAL, .number = lr},
                   kept = {.type = RT_PARAM_REAL, .number = momentum};
    if (rt_params_set(&options, "lr", &rate, error) != RT_OK) return NULL;
    if (rt_params_set(&options, "momentum", &kept, error) != RT_OK) return NULL;
    return rt_optimizer_new(model, &options, "", 1, 1, error);
}

rt_status rt_optimizer_add(rt_optimizer *o, rt_model *model, rt_error *error) {
    RT_ASSERT(o->steps == 0, "parameters are added after %lld steps", (long long)o->steps);
    return add(o, model, false, error);
}

void rt_optimizer_free(rt_optimizer *o) {
    if (!o) return;
    rt_free(o->targets);
    rt_free(o->pieces);
    rt_free(o->slots);
    rt_free(o);
}

/* ---- schedules ---- */

static bool by_epoch(const rt_optimizer *o) {
    return strcmp(rt_params_text(&o->options, "schedule_by"), "epoch") == 0;
}

static double epochs_gone(const rt_optimizer *o) {
    int64_t whole = o->steps / o->steps_per_epoch;
    return by_epoch(o) ? (double)whole : (double)o->steps / (double)o->steps_per_epoch;
}

/* The end of the present step or epoch on the way to 1. */
static double warm(const rt_optimizer *o) {
    double warmup = rt_params_real(&o->options, "warmup");
    double unit = by_epoch(o) ? 1 : 1 / (double)o->steps_per_epoch;
    double reached = epochs_gone(o) + unit;
    return reached < warmup ? reached / warmup : 1;
}

double rt_optimizer_lr(const rt_optimizer *o) {
    double factor = o->schedule->factor(&o->options, epochs_gone(o), (double)o->epochs);
    return rt_params_real(&o->options, "lr") * warm(o) * factor;
}

double rt_optimizer_momentum(const rt_optimizer *o) {
    return o->kind->momentum ? o->kind->momentum(&o->options, epochs_gone(o)) : 0;
}

int64_t rt_optimizer_steps(const rt_optimizer *o) { return o->steps; }
double rt_optimizer_grad_norm(const rt_optimizer *o) { return o->grad_norm; }

/* ---- the step ---- */

/* Length of the whole gradient, summed parameter by parameter in double. */
static double measure(const rt_optimizer *o) {
    double squares = 0;
    for (int i = 0; i < o->target_count; i++) {
        const rt_tensor *t = &o->targets[i].parameter->tensor;
        if (t->has_grad) squares += rti_dot(o->targets[i].count, t->grad, t->grad);
    }
    return sqrt(squares);
}

static double clip(rt_optimizer *o) {
    double limit = rt_params_real(&o->options, "clip_norm");
    if (limit == 0) return 1;
    o->grad_norm = measure(o);
    return o->grad_norm > limit ? limit / o->grad_norm : 1;
}

static void limit_rows(const target *t, int64_t count, rt_real *p) {
    int64_t row = row_count(t);
    for (int64_t i = 0; i < count; i += row) {
        double squares = rti_dot(row, p + i, p + i);
        if (squares > t->max_norm_squared)
            rti_scale(row, (rt_real)sqrt(t->max_norm_squared / squares), p + i, p + i);
    }
}

/* The same where units lie along another axis: (outer, units, inner). */
static void limit_units(const target *t, rt_real *p) {
    const rt_tensor *w = &t->parameter->tensor;
    const int64_t units = w->shape[t->parameter->unit_axis];
    int64_t inner = 1;
    for (int i = t->parameter->unit_axis + 1; i < w->ndim; i++) inner *= w->shape[i];
    const int64_t step = units * inner;
    for (int64_t u = 0; u < units; u++) {
        double squares = 0;
        for (int64_t o = u * inner; o < t->count; o += step) squares += rti_dot(inner, p + o, p + o);
        if (!(squares > t->max_norm_squared)) continue;
        const rt_real factor = (rt_real)sqrt(t->max_norm_squared / squares);
        for (int64_t o = u * inner; o < t->count; o += step) rti_scale(inner, factor, p + o, p + o);
    }
}

static void run_piece(void *context, int64_t number) {
    const rt_optimizer *o = context;
    const piece *c = &o->pieces[number];
    const target *t = &o->targets[c->target];
    if (!t->active) return;
    rt_real *slot[RTI_SLOTS_MAX] = {NULL};
    for (int i = 0; i < o->kind->slots; i++) slot[i] = o->slots + i * o->slot_count + t->offset + c->begin;
    rt_real *p = rt_real_data(&t->parameter->tensor) + c->begin;
    o->kind->apply(c->count, &t->constants, p, t->parameter->tensor.grad + c->begin, slot);
    if (t->max_norm_squared == 0) return;
    if (t->parameter->unit_axis > 0) limit_units(t, p);
    else limit_rows(t, c->count, p);
}

void rt_optimizer_step(rt_optimizer *o) {
    rti_update update = {.options = &o->options, .grad_scale = clip(o), .momentum = rt_optimizer_momentum(o)};
    double lr = rt_optimizer_lr(o);
    int64_t elements = 0;
    for (int i = 0; i < o->target_count; i++) {
        target *t = &o->targets[i];
        t->active = t->parameter->tensor.has_grad;
        if (!t->active) continue;
        update.lr = lr * t->factor;
        update.decay = t->decay;
        update.t = ++t->t;
        o->kind->prepare(&update, &t->constants);
        t->parameter->tensor.has_grad = false;
        elements += t->count;
    }
    if (elements >= SHARED) {
        rti_parallel(o->piece_count, run_piece, o);
    } else {
        for (int64_t i = 0; i < o->piece_count; i++) run_piece(o, i);
    }
    o->steps++;
}

/* ---- checkpoints: steps, updates of each parameter, slots ---- */

size_t rt_optimizer_state_bytes(const rt_optimizer *o) {
    return (1 + (size_t)o->target_count) * sizeof(int64_t) +
           (size_t)o->slot_count * (size_t)o->kind->slots * sizeof(rt_real);
}

void rt_optimizer_state_save(const rt_optimizer *o, void *bytes) {
    char *to = bytes;
    memcpy(to, &o->steps, sizeof o->steps);
    to += sizeof o->steps;
    for (int i = 0; i < o->target_count; i++, to += sizeof(int64_t))
        memcpy(to, &o->targets[i].t, sizeof(int64_t));
    memcpy(to, o->slots, (size_t)o->slot_count * (size_t)o->kind->slots * sizeof(rt_real));
}

rt_status rt_optimizer_state_restore(rt_optimizer *o, const void *bytes, size_t count, rt_error *error) {
    size_t wanted = rt_optimizer_state_bytes(o);
    if (count != wanted)
        return rt_fail(error, RT_FORMAT,
                       "The state of an optimiser has %zu bytes; %s for this model needs %zu.", count,
                       o->kind->name, wanted);
    const char *from = bytes;
    for (int i = 0; i <= o->target_count; i++) {
        int64_t number;
        memcpy(&number, from + (size_t)i * sizeof number, sizeof number);
        if (number < 0)
            return rt_fail(error, RT_FORMAT, "The state of an optimiser says %lld steps.", (long long)number);
    }
    memcpy(&o->steps, from, sizeof o->steps);
    from += sizeof o->steps;
    for (int i = 0; i < o->target_count; i++, from += sizeof(int64_t))
        memcpy(&o->targets[i].t, from, sizeof(int64_t));
    memcpy(o->slots, from, (size_t)o->slot_count * (size_t)o->kind->slots * sizeof(rt_real));
    return RT_OK;
}
