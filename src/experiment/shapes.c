/* shapes.c - see shapes.h.                                             Floor 8 (experiment) */
#include "experiment/shapes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "retort/alloc.h"

typedef struct family {
    const char *model;
    const char *scaled[3]; /* keys of widths, NULL behind the last; those that are axes come first */
    int least_depth;       /* depth is the second axis, in steps of 6 from here; 0: it is not */
} family;

static const family families[] = {
    {"mlp", {"hidden"}, 0},
    {"cnn", {"filters", "hidden"}, 0},
    {"resnet", {"filters"}, 8},
    {"wrn", {"base"}, 10},
};

static const family *family_of(const char *model) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (!strcmp(families[i].model, model)) return &families[i];
    return NULL;
}

const char *const *rti_shape_keys(const char *model) {
    const family *f = family_of(model);
    return f ? f->scaled : NULL;
}

/* ---- sizes ---- */

rt_status rti_shape_size(const rt_examples *e, const rt_params *rows, rti_size *size, char *summary,
                         size_t summary_size, rt_error *error) {
    return rti_size_plan(rt_params_text(rows, "model"), rows, e->ndim, e->shape, e->classes, size, summary,
                         summary_size, error);
}

double rti_limits_bytes(const rti_limits *limits, const rti_size *size) {
    return (double)(limits->int8 ? size->int8 : size->float32);
}

/* ---- widths ---- */

/* A width, or each width of a list, times `scale`, kept in its row's range. */
static rt_value scaled(const rt_params *rows, const char *key, const rt_value *from, double scale) {
    const rt_param *row = rows->rows[rt_params_find(rows, key)];
    rt_value v = *from;
    double most = fmin(row->max, 65536), least = fmax(row->min, 2);
    for (int i = 0; i < v.count; i++) v.items[i] = fmin(fmax(round(from->items[i] * scale), least), most);
    if (row->type == RT_PARAM_INT) v.number = fmin(fmax(round(from->number * scale), least), most);
    return v;
}

static void put(rt_params *rows, const char *key, const rt_value *value) {
    rows->values[rt_params_find(rows, key)] = *value;
    rows->given[rt_params_find(rows, key)] = true;
}

static const rt_value *get(const rt_params *rows, const char *key) {
    return &rows->values[rt_params_find(rows, key)];
}

static void scale_all(const family *f, const rt_params *from, double scale, rt_params *to) {
    for (int k = 0; f->scaled[k]; k++) {
        rt_value v = scaled(from, f->scaled[k], get(from, f->scaled[k]), scale);
        put(to, f->scaled[k], &v);
    }
}

rt_status rti_shape_resize(const rt_examples *e, const rti_limits *limits, rt_params *rows, double bytes,
                           rt_error *error) {
    const family *f = family_of(rt_params_text(rows, "model"));
    RT_ASSERT(f, "%s is not searched", rt_params_text(rows, "model"));
    rt_params *from = rt_alloc(sizeof *from);
    if (!from) return rt_fail(error, RT_MEMORY, "no memory for a shape");
    *from = *rows;
    double low = 1e-4, high = 1e4; /* in between, by the logarithm: sizes grow with the scale */
    rt_status status = RT_OK;
    for (int i = 0; status == RT_OK && i < 40; i++) {
        double middle = sqrt(low * high);
        rti_size size;
        scale_all(f, from, middle, rows);
        status = rti_shape_size(e, rows, &size, NULL, 0, error);
        if (status == RT_OK && rti_limits_bytes(limits, &size) <= bytes)
            low = middle;
        else
            high = middle;
    }
    if (status == RT_OK) scale_all(f, from, low, rows);
    rt_free(from);
    return status;
}

/* ---- limits ---- */

typedef struct search {
    const rti_shape_search *s;
    const family *family;
    double bytes;         /* the limit, the teacher's size at most */
    rt_params base, rows; /* the spec's student; one that is looked at */
} search;

/* Does w->rows keep the limits? */
static rt_status fits(search *w, bool *yes, rt_error *error) {
    rti_size size;
    RT_TRY(rti_shape_size(w->s->examples, &w->rows, &size, NULL, 0, error));
    *yes = rti_limits_bytes(w->s->limits, &size) <= w->bytes;
    if (!*yes || w->s->limits->latency_us <= 0) return RT_OK;
    *yes = w->s->latency(w->s->context, &w->rows) <= w->s->limits->latency_us;
    return RT_OK;
}

/* The largest width, as a scale of w->base, that keeps bytes and then time. *found false: none. */
static rt_status widest(search *w, double *scale, bool *found, rt_error *error) {
    rti_size size;
    w->rows = w->base;
    RT_TRY(rti_shape_resize(w->s->examples, w->s->limits, &w->rows, w->bytes, error));
    const char *key = w->family->scaled[0];
    const rt_value *was = get(&w->base, key), *is = get(&w->rows, key);
    *scale = was->count ? is->items[0] / was->items[0] : is->number / was->number;
    RT_TRY(rti_shape_size(w->s->examples, &w->rows, &size, NULL, 0, error));
    for (int i = 0; i < 24; i++, *scale *= 0.8) {
        scale_all(w->family, &w->base, *scale, &w->rows);
        RT_TRY(fits(w, found, error));
        if (*found) return RT_OK;
    }
    return RT_OK;
}

static rt_status nothing_fits(search *w, rt_error *error) {
    rti_size size;
    char name[256];
    w->rows = w->base;
    scale_all(w->family, &w->base, 1e-9, &w->rows);
    RT_TRY(rti_shape_size(w->s->examples, &w->rows, &size, name, sizeof name, error));
    double time = w->s->limits->latency_us > 0 ? w->s->latency(w->s->context, &w->rows) : NAN;
    char more[64] = "";
    if (!isnan(time)) snprintf(more, sizeof more, " and %.3g us on this machine", time);
    return rt_fail(
        error, RT_VALUE,
        "no %s keeps the limits: the smallest one that is looked at, %s, takes %.0f bytes in %s%s. "
        "Raise %s",
        w->family->model, name, rti_limits_bytes(w->s->limits, &size),
        w->s->limits->int8 ? "int8" : "float32", more,
        rti_limits_bytes(w->s->limits, &size) > w->bytes
            ? w->s->limits->int8 ? "--max-bytes" : "--max-bytes, or count them in --int8"
            : "--max-latency");
}

static bool same(const rt_value *a, const rt_value *b) {
    if (a->count != b->count || a->number != b->number) return false;
    for (int i = 0; i < a->count; i++)
        if (a->items[i] != b->items[i]) return false;
    return true;
}

static void add_value(rti_axis *axis, const rt_value *v) {
    for (int i = 0; i < axis->count; i++)
        if (same(&axis->values[i], v)) return;
    if (axis->count < RTI_AXIS_VALUES_MAX) axis->values[axis->count++] = *v;
}

static void open_axis(rti_axis *axis, const char *key) {
    memset(axis, 0, sizeof *axis);
    snprintf(axis->key, sizeof axis->key, "student.%s", key);
}

/* ---- the kinds ---- */

/* Each depth has a widest value of its own; every value is looked at. */
static rt_status find_mlp(search *w, rti_axis *axis, rt_error *error) {
    int widths = w->s->limits->candidates / 3 > 0 ? w->s->limits->candidates / 3 : 1;
    int depths = w->s->limits->candidates < 3 ? w->s->limits->candidates : 3;
    open_axis(axis, "hidden");
    for (int depth = 1; depth <= depths; depth++) {
        double scale;
        bool found;
        rt_value hidden = {.type = RT_PARAM_INTS, .count = depth};
        for (int i = 0; i < depth; i++) hidden.items[i] = 32;
        put(&w->base, "hidden", &hidden);
        RT_TRY(widest(w, &scale, &found, error));
        if (!found) continue;
        for (int i = 0; i < widths; i++, scale *= RTI_SHAPE_STEP) {
            rt_value v = scaled(&w->base, "hidden", &hidden, scale);
            put(&w->rows, "hidden", &v);
            RT_TRY(fits(w, &found, error));
            if (found) add_value(axis, &v);
        }
    }
    return RT_OK;
}

/* The spec's depth, half and one third of its blocks: three at most. */
static void add_depths(const search *w, rti_axis *axis) {
    int least = w->family->least_depth, blocks = ((int)rt_params_int(&w->base, "depth") - least) / 6 + 1;
    open_axis(axis, "depth");
    for (int part = 1; part <= 3; part++) {
        int kept = (blocks + part - 1) / part; /* blocks of each stage */
        rt_value v = {.type = RT_PARAM_INT, .number = least + 6 * (kept - 1)};
        add_value(axis, &v);
    }
}

static rt_status all_fit(search *w, const rti_axis axes[], int axis_count, bool *yes, rt_error *error) {
    *yes = true;
    for (int i = 0; i < axes[0].count && *yes; i++)
        for (int k = 0; k < (axis_count > 1 ? axes[1].count : 1) && *yes; k++) {
            w->rows = w->base;
            put(&w->rows, axes[0].key + 8, &axes[0].values[i]);
            if (axis_count > 1) put(&w->rows, axes[1].key + 8, &axes[1].values[k]);
            RT_TRY(fits(w, yes, error));
        }
    return RT_OK;
}

static rt_status find_images(search *w, rti_axis axes[], int *axis_count, rt_error *error) {
    double scale;
    bool found;
    const char *first = w->family->scaled[0], *second = w->family->scaled[1];
    if (second && !get(&w->base, second)->count) second = NULL; /* no hidden layers */
    RT_TRY(widest(w, &scale, &found, error));
    *axis_count = 1;
    open_axis(&axes[0], first);
    if (!found) return RT_OK;
    if (second || w->family->least_depth) *axis_count = 2;
    if (w->family->least_depth)
        add_depths(w, &axes[1]);
    else if (second) {
        int values = w->s->limits->candidates >= 9 ? 3 : w->s->limits->candidates >= 4 ? 2 : 1;
        open_axis(&axes[1], second);
        for (int i = 0; i < values; i++) {
            rt_value v = scaled(&w->base, second, get(&w->base, second), scale * pow(RTI_SHAPE_STEP, i));
            add_value(&axes[1], &v);
        }
    }
    int values = w->s->limits->candidates / (*axis_count > 1 ? axes[1].count : 1);
    for (int i = 0; i < values || i == 0; i++) {
        rt_value v = scaled(&w->base, first, get(&w->base, first), scale * pow(RTI_SHAPE_STEP, i));
        add_value(&axes[0], &v);
    }
    bool fine = false;
    while (axes[0].count && !fine) { /* a grid: what is too wide goes as a whole */
        RT_TRY(all_fit(w, axes, *axis_count, &fine, error));
        if (!fine) memmove(axes[0].values, axes[0].values + 1, (size_t)--axes[0].count * sizeof(rt_value));
    }
    return RT_OK;
}

rt_status rti_shapes_find(const rti_shape_search *s, rti_axis axes[RTI_SHAPE_AXES], int *axis_count,
                          rt_error *error) {
    const char *model = rt_params_text(&s->settings->student, "model");
    const family *f = family_of(model);
    if (!f)
        return rt_fail(
            error, RT_UNSUPPORTED,
            "[student] model = \"%s\" has no widths that can be searched; what works is mlp (hidden), "
            "cnn (filters, hidden), resnet (filters, depth) and wrn (base, depth)",
            model);
    search *w = rt_alloc(sizeof *w);
    if (!w) return rt_fail(error, RT_MEMORY, "no memory for the search");
    w->s = s;
    w->family = f;
    w->base = w->rows = s->settings->student;
    rti_size teacher;
    rt_status status = rti_shape_size(s->examples, &s->settings->teacher, &teacher, NULL, 0, error);
    if (status == RT_OK) {
        /* Without a limit: what a quarter of the teacher holds. */
        w->bytes = rti_limits_bytes(s->limits, &teacher);
        if (s->limits->bytes > 0)
            w->bytes = fmin(w->bytes, s->limits->bytes);
        else
            w->bytes /= 4;
        *axis_count = 1;
        status = !strcmp(model, "mlp") ? find_mlp(w, &axes[0], error)
                                       : find_images(w, axes, axis_count, error);
    }
    if (status == RT_OK && !axes[0].count) status = nothing_fits(w, error);
    rt_free(w);
    return status;
}
