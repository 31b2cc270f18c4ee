/* predict.c - see predict.h.                                           Floor 7 (deploy) */
#include "deploy/predict.h"

#include <math.h>
#include <string.h>

#include "data/raw.h"
#include "nn/model.h"
#include "ops/softmax_row.h"
#include "retort/alloc.h"

enum { BATCH = 1000 };

typedef struct work {
    rt_model *model;
    const rt_input_form *form;
    rti_raw raw;
    rt_graph *graph;
    int64_t features, classes;
    rt_real *x;      /* (BATCH, features) */
    double *numbers; /* of one example */
    uint8_t *pixels; /* the same */
    double *p, *log_p;
    bool has_fraction;
    double largest; /* of the batch */
    rti_prediction_function *each;
    void *context;
    rti_predict_counts counts;
} work;

/* ---- numbers to input ---- */

/* For a network of pixels: whole numbers 0 ... 255 take the way that they took in training, bit by bit. */
static rt_status read_pixels(work *w, int64_t i, rt_real *to, rt_error *error) {
    bool whole = true;
    char place[256];
    for (int64_t k = 0; k < w->features; k++) {
        const double v = w->numbers[k];
        if (v < 0 || v > 255)
            return rt_fail(error, RT_VALUE, "%s: number %lld is %g; the network reads pixels from 0 to 255",
                           rti_raw_place(&w->raw, i, place), (long long)k, v);
        if (v != floor(v)) whole = false;
        w->pixels[k] = (uint8_t)v;
        if (v > w->largest) w->largest = v;
    }
    w->has_fraction |= !whole;
    if (whole)
        rt_input_form_apply_bytes(w->form, w->features, w->pixels, to);
    else
        rt_input_form_apply(w->form, w->features, w->numbers, to);
    return RT_OK;
}

static rt_status read_batch(work *w, int64_t first, int64_t count, rt_error *error) {
    w->has_fraction = false;
    w->largest = 0;
    for (int64_t i = 0; i < count; i++) {
        rt_real *to = w->x + i * w->features;
        RT_TRY(rti_raw_example(&w->raw, first + i, w->numbers, error));
        if (w->form->bytes)
            RT_TRY(read_pixels(w, first + i, to, error));
        else
            rt_input_form_apply(w->form, w->features, w->numbers, to);
    }
    if (first == 0 && w->has_fraction && w->largest <= 1)
        return rt_fail(
            error, RT_VALUE,
            "%s: its numbers lie between 0 and 1; the network reads pixels from 0 to 255: multiply "
            "them by 255.",
            w->raw.name);
    return RT_OK;
}

/* ---- labels ---- */

static bool same_label(const char *text, const char *name) {
    double a, b;
    if (strcmp(text, name) == 0) return true;
    return rti_csv_number(text, &a) && rti_csv_number(name, &b) && a == b;
}

static rt_status find_class(const work *w, int64_t i, const char *text, int64_t *label, rt_error *error) {
    char place[256];
    double number;
    const char *const *names = w->form->class_names;
    for (*label = 0; names && *label < w->form->classes; ++*label)
        if (same_label(text, names[*label])) return RT_OK;
    if (!names && rti_csv_number(text, &number) && number >= 0 && number < (double)w->classes &&
        number == floor(number)) {
        *label = (int64_t)number;
        return RT_OK;
    }
    const char *near = names ? rt_nearest_word(text, names, w->form->classes) : NULL;
    return rt_fail(error, RT_VALUE, "%s: the label \"%.64s\" is no class of the network%s%.64s%s",
                   rti_raw_place(&w->raw, i, place), text, near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

/* ---- answers ---- */

static rt_status tell(work *w, int64_t i, const rt_real *z, rt_error *error) {
    rti_prediction said = {.index = i, .classes = w->classes, .probabilities = w->p, .label = -1};
    char place[256];
    for (int64_t k = 0; k < w->classes; k++) {
        if (!isfinite((double)z[k]))
            return rt_fail(error, RT_NOT_FINITE, "%s: the network's answer is no finite number",
                           rti_raw_place(&w->raw, i, place));
        if (z[k] > z[said.top]) said.top = k;
    }
    rti_softmax_row(w->classes, z, 1, w->p, w->log_p);
    const char *label = rti_raw_label(&w->raw, i);
    if (label) RT_TRY(find_class(w, i, label, &said.label, error));
    w->counts.examples++;
    w->counts.labelled += label != NULL;
    w->counts.wrong += label && said.label != said.top;
    return w->each(w->context, &said, error);
}

static rt_status ask_batch(work *w, int64_t first, int64_t count, rt_error *error) {
    rt_tensor x;
    rt_tensor_view_init(&x, RT_DTYPE_REAL, 2, (const int64_t[]){count, w->features}, w->x);
    rt_no_grad_begin(w->graph);
    rt_tensor *z = rt_model_answer(w->model, w->graph, &x);
    const rt_real *rows = z ? rti_contiguous(w->graph, z) : NULL;
    rt_no_grad_end(w->graph);
    if (!rows) {
        if (error) *error = *rt_graph_error(w->graph);
        return rt_graph_status(w->graph);
    }
    for (int64_t i = 0; i < count; i++) RT_TRY(tell(w, first + i, rows + i * w->classes, error));
    rt_graph_reset(w->graph);
    return RT_OK;
}

static rt_status reserve(work *w, rt_error *error) {
    const size_t D = (size_t)w->features, K = (size_t)w->classes;
    const size_t rows = (size_t)(w->raw.count < BATCH ? w->raw.count : BATCH);
    w->x = rt_alloc(rows * D * sizeof *w->x);
    w->numbers = rt_alloc(D * sizeof *w->numbers);
    w->pixels = rt_alloc(D);
    w->p = rt_alloc(K * sizeof *w->p);
    w->log_p = rt_alloc(K * sizeof *w->log_p);
    if (!w->x || !w->numbers || !w->pixels || !w->p || !w->log_p)
        return rt_fail(error, RT_MEMORY, "%s: no memory to ask about its examples", w->raw.name);
    w->graph = rt_graph_new(error);
    return w->graph ? RT_OK : RT_MEMORY;
}

static rt_status ask(work *w, rt_error *error) {
    RT_TRY(reserve(w, error));
    rt_model_evaluate(w->model);
    for (int64_t first = 0; first < w->raw.count; first += BATCH) {
        const int64_t left = w->raw.count - first, count = left < BATCH ? left : BATCH;
        RT_TRY(read_batch(w, first, count, error));
        RT_TRY(ask_batch(w, first, count, error));
    }
    return RT_OK;
}

/* The form and the network must belong together before the one is applied for the other. */
static rt_status check_form(const work *w, const char *name, rt_error *error) {
    const rt_model *m = w->model;
    if (!rt_input_form_fits(w->form, m->input_ndim, m->input_shape))
        return rt_fail(error, RT_SHAPE,
                       "%s: the network's file says how %lld numbers become its input, it reads %lld", name,
                       (long long)w->form->count, (long long)m->features);
    if (w->form->class_names && w->form->classes != w->classes)
        return rt_fail(error, RT_SHAPE, "%s: the network's file names %d classes, it tells %lld apart", name,
                       w->form->classes, (long long)w->classes);
    return RT_OK;
}

rt_status rti_predict(rt_model *model, const rt_input_form *form, const char *name, rti_bytes bytes,
                      const char *label, rti_prediction_function *each, void *context,
                      rti_predict_counts *about, rt_error *error) {
    work w = {.model = model,
              .form = form,
              .features = model->features,
              .classes = model->classes,
              .each = each,
              .context = context};
    rti_raw_wanted wanted = {.ndim = model->input_ndim, .label = label};
    memcpy(wanted.shape, model->input_shape, sizeof wanted.shape);
    if (form) RT_TRY(check_form(&w, name, error));
    RT_TRY(rti_raw_open(&w.raw, name, bytes, &wanted, error));
    double scale = w.raw.bytes ? 1.0 / 255 : 1, shift = 0;
    const rt_input_form usual = {.bytes = w.raw.bytes, .count = 1, .scale = &scale, .shift = &shift};
    if (!form) w.form = &usual;
    const rt_status status = ask(&w, error);
    if (about) *about = w.counts;
    rt_graph_free(w.graph);
    rt_free(w.x);
    rt_free(w.numbers);
    rt_free(w.pixels);
    rt_free(w.p);
    rt_free(w.log_p);
    rti_raw_deinit(&w.raw);
    return status;
}
