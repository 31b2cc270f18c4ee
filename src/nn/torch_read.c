/* torch_read.c - weights under PyTorch's names. See torch_names.h.     Floor 6 (nn)
 *
 * First the names: each spelling is compared with the file as a whole, and the first one that gives every
 * parameter a tensor and every tensor a place is taken. Where none does, the message is about the one that
 * comes nearest. Then the shapes, then the numbers; only then the model is touched. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/torch_names.h"
#include "retort/alloc.h"

#define NUMBERS_MAX 4 /* of a module inside of modules: "features.0.1" */

typedef struct reader {
    const rt_model *model;
    const rti_st_file *file;
    const char *path;
    size_t skip;                    /* "module." in front of every name */
    char (*name)[RTI_TORCH_NAME];   /* of each layer's module, in the spelling that is looked at */
    char (*best)[RTI_TORCH_NAME];   /* in the one that fits best so far */
    char order[2 * RTI_TORCH_NAME]; /* why numbered modules do not go with the layers; "": they do */
    int found;                      /* parameters that have a tensor there; -1: no spelling yet */
} reader;

bool rti_torch_is(const rti_st_file *file) {
    for (int i = 0; i < file->metadata_count; i++)
        if (strncmp(file->metadata[2 * i], "retort.", 7) == 0) return false;
    return true;
}

/* ---- names ---- */

static const char *bare(const reader *r, int entry) { return r->file->entries[entry].name + r->skip; }

static void find_prefix(reader *r) {
    static const char *const wrappers[] = {"module.", "_orig_mod."};
    for (int w = 0; w < 2 && r->file->count > 0; w++) {
        const size_t length = strlen(wrappers[w]);
        bool all = true;
        for (int i = 0; i < r->file->count; i++) all &= strncmp(bare(r, i), wrappers[w], length) == 0;
        if (!all) continue;
        r->skip += length;
        w = -1; /* one may stand inside of the other */
    }
}

static void tensor_name(const rt_model *m, char (*name)[RTI_TORCH_NAME], int parameter,
                        char out[RTI_TORCH_NAME + 32]) {
    const rti_layer *l = rti_torch_layer(m, parameter);
    snprintf(out, RTI_TORCH_NAME + 32, "%s.%s", name[l - m->layers], rti_torch_leaf(m, parameter));
}

static const rti_st_entry *tensor_of(const reader *r, char (*name)[RTI_TORCH_NAME], int parameter) {
    char wanted[RTI_TORCH_NAME + 32];
    tensor_name(r->model, name, parameter, wanted);
    for (int i = 0; i < r->file->count; i++)
        if (strcmp(bare(r, i), wanted) == 0) return &r->file->entries[i];
    return NULL;
}

/* Does this tensor belong to a parameter, or count the batches of a normalisation? */
static bool has_place(const reader *r, char (*name)[RTI_TORCH_NAME], int entry) {
    const rt_model *m = r->model;
    const char *full = bare(r, entry), *dot = strrchr(full, '.');
    if (!dot) return false;
    const size_t length = (size_t)(dot - full);
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *l = &m->layers[i];
        if (!l->parameter_count || strlen(name[i]) != length || strncmp(name[i], full, length) != 0) continue;
        for (int p = l->parameter; p < l->parameter + l->parameter_count; p++)
            if (strcmp(rti_torch_leaf(m, p), dot + 1) == 0) return true;
        if (l->kind == &rti_layer_batch_norm && strcmp(dot + 1, "num_batches_tracked") == 0) return true;
    }
    return false;
}

/* Everything in its place? Keeps the names when they fit better than all before. */
static bool try_names(reader *r) {
    int found = 0, placed = 0;
    for (int p = 0; p < r->model->parameter_count; p++) found += tensor_of(r, r->name, p) != NULL;
    for (int i = 0; i < r->file->count; i++) placed += has_place(r, r->name, i);
    if (found > r->found) {
        memcpy(r->best, r->name, (size_t)r->model->layer_count * sizeof *r->name);
        r->found = found;
    }
    return found == r->model->parameter_count && placed == r->file->count;
}

static bool try_spellings(reader *r) {
    const rt_model *m = r->model;
    const bool chain = rti_torch_is_chain(m);
    for (const rti_torch_spelling *s = rti_torch_spellings; s->name; s++) {
        if (s->kind ? strcmp(s->kind, m->kind->name) != 0 : !chain) continue;
        bool named = true;
        for (int i = 0; i < m->layer_count; i++)
            if (m->layers[i].parameter_count) named &= s->name(m, &m->layers[i], s, r->name[i]);
        if (named && try_names(r)) return true;
    }
    return false;
}

/* ---- numbered modules ---- */

/* "features.3" of "features.3.weight". */
typedef struct numbered {
    const char *name;
    size_t length, word; /* of the name; of the word ahead of the numbers, its dot included */
    int numbers;         /* 0: it is all word */
    long number[NUMBERS_MAX];
    const int64_t *shape;
    int ndim; /* of its weight: 4 convolution, 2 linear, 1 normalisation */
    int rank; /* 0: stands where the convolutions do; 1: under a second word; 2: no number */
} numbered;

static bool read_numbers(numbered *n) {
    const char *at = n->name, *end = n->name + n->length;
    n->word = n->length;
    n->numbers = 0;
    while (at < end) {
        const size_t length = strcspn(at, ".");
        const bool digits = strspn(at, "0123456789") == length && length > 0 && length < 10;
        if (!digits && n->numbers) return false; /* "layer1.0.conv1" */
        if (digits) {
            if (n->numbers == NUMBERS_MAX) return false;
            if (!n->numbers) n->word = (size_t)(at - n->name);
            n->number[n->numbers++] = strtol(at, NULL, 10);
        }
        at += length + 1;
    }
    return true;
}

static bool same_word(const numbered *a, const numbered *b) {
    return a->word == b->word && strncmp(a->name, b->name, a->word) == 0;
}

static int by_place(const void *left, const void *right) {
    const numbered *a = left, *b = right;
    if (a->rank != b->rank) return a->rank - b->rank;
    for (int i = 0; i < a->numbers && i < b->numbers; i++)
        if (a->number[i] != b->number[i]) return a->number[i] < b->number[i] ? -1 : 1;
    return a->numbers - b->numbers;
}

/* Convolutions and normalisations under one word, linear layers there or under a second one, and one of
 * them without a number. False: another form, in which an order can not be seen. */
static bool rank_all(numbered *list, int count) {
    const numbered *first = NULL, *second = NULL;
    int alone = 0;
    for (int i = 0; i < count; i++)
        if (list[i].numbers && (!first || (first->ndim != 4 && list[i].ndim == 4))) first = &list[i];
    if (!first) return false;
    for (int i = 0; i < count; i++) {
        numbered *n = &list[i];
        if (!n->numbers) {
            n->rank = 2;
            alone++;
        } else if (!same_word(n, first)) {
            if (second && !same_word(n, second)) return false;
            second = n;
            n->rank = 1;
        }
        if (n->rank && n->ndim != 2) return false;
    }
    if (alone > 1 || (second && first->ndim != 4)) return false;
    qsort(list, (size_t)count, sizeof *list, by_place);
    for (int i = 1; i < count; i++)
        if (by_place(&list[i - 1], &list[i]) == 0) return false;
    return true;
}

static int weight_dimensions(const rti_layer *l) {
    return l->kind == &rti_layer_conv ? 4 : l->kind == &rti_layer_linear ? 2 : 1;
}

static const char *shape_text(int ndim, const int64_t shape[RT_MAX_DIMS], char text[RT_SHAPE_TEXT]) {
    rt_tensor t = {.ndim = ndim};
    memcpy(t.shape, shape, sizeof t.shape);
    return rt_shape_text(&t, text);
}

/* Keeps why the order of the modules is not that of the layers, for refuse_names. */
static bool out_of_order(reader *r, const numbered *n, const rti_layer *l) {
    char has[RT_SHAPE_TEXT] = "", wants[RT_SHAPE_TEXT] = "";
    rti_torch_layout y;
    if (l) rti_torch_layout_of(r->model, l->parameter, &y);
    if (l) shape_text(y.ndim, y.shape, wants);
    if (n) shape_text(n->ndim, n->shape, has);
    if (n && l)
        snprintf(r->order, sizeof r->order, "\"%.*s.weight\" %s stands where the model has %s %s",
                 (int)n->length, n->name, has, l->name, wants);
    else if (n)
        snprintf(r->order, sizeof r->order, "\"%.*s.weight\" %s has no place in the model", (int)n->length,
                 n->name, has);
    else
        snprintf(r->order, sizeof r->order, "there is nothing for the model's %s %s", l->name, wants);
    return false;
}

/* The modules of the file, in order, are the layers of the chain. */
static bool take_numbered(reader *r, const numbered *list, int count) {
    const rt_model *m = r->model;
    int at = 0;
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *l = &m->layers[i];
        if (!l->parameter_count) continue;
        const numbered *n = at < count ? &list[at] : NULL;
        if (!n || n->ndim != weight_dimensions(l) || n->length >= RTI_TORCH_NAME)
            return out_of_order(r, n, l);
        snprintf(r->name[i], RTI_TORCH_NAME, "%.*s", (int)n->length, n->name);
        at++;
    }
    return at == count || out_of_order(r, &list[at], NULL);
}

static rt_status try_numbers(reader *r, bool *fits, rt_error *error) {
    *fits = false;
    if (!rti_torch_is_chain(r->model)) return RT_OK;
    numbered *list = rt_alloc_zero((size_t)r->file->count + 1, sizeof *list);
    if (!list) return rt_fail(error, RT_MEMORY, "%s: no memory to read it", r->path);
    int count = 0;
    bool good = true;
    for (int i = 0; i < r->file->count && good; i++) {
        const char *name = bare(r, i), *dot = strrchr(name, '.');
        if (!dot || strcmp(dot, ".weight") != 0) continue;
        list[count] = (numbered){.name = name,
                                 .length = (size_t)(dot - name),
                                 .ndim = r->file->entries[i].ndim,
                                 .shape = r->file->entries[i].shape};
        good = read_numbers(&list[count++]);
    }
    if (good && count && rank_all(list, count) && take_numbered(r, list, count)) *fits = try_names(r);
    rt_free(list);
    return RT_OK;
}

/* ---- messages ---- */

/* The tensors that have no place, as many as fit. */
static void list_unplaced(const reader *r, char *text, size_t size) {
    char shape[RT_SHAPE_TEXT];
    size_t length = 0;
    int more = 0;
    text[0] = 0;
    for (int i = 0; i < r->file->count; i++) {
        const rti_st_entry *e = &r->file->entries[i];
        if (r->found > 0 && has_place(r, r->best, i)) continue;
        char one[RT_SHAPE_TEXT + 64];
        const int width = snprintf(one, sizeof one, "%s\"%.48s\" %s", length ? ", " : "", e->name,
                                   shape_text(e->ndim, e->shape, shape));
        if (more || length + (size_t)width + 24 > size)
            more++;
        else
            length += (size_t)snprintf(text + length, size - length, "%s", one);
    }
    if (more) snprintf(text + length, size - length, " and %d more", more);
}

static rt_status refuse_names(const reader *r, rt_error *error) {
    const rt_model *m = r->model;
    if (r->order[0] && r->found == 0)
        return rt_fail(
            error, RT_FORMAT,
            "%s: its numbered modules, in the order of their numbers, are not the layers of %.80s: "
            "%s.",
            r->path, m->summary, r->order);
    char unplaced[160], shape[RT_SHAPE_TEXT], wanted[RTI_TORCH_NAME + 32];
    list_unplaced(r, unplaced, sizeof unplaced);
    for (int p = 0; p < m->parameter_count; p++) {
        rti_torch_layout y;
        if (tensor_of(r, r->best, p)) continue;
        tensor_name(m, r->best, p, wanted);
        rti_torch_layout_of(m, p, &y);
        return rt_fail(error, RT_FORMAT,
                       "%s: there is no tensor \"%s\" %s in it, as %.80s has it in PyTorch's form%s%s.",
                       r->path, wanted, shape_text(y.ndim, y.shape, shape), m->summary,
                       unplaced[0] ? "; without a place in the model: " : "", unplaced);
    }
    return rt_fail(error, RT_FORMAT, "%s: it has tensors without a place in the model %.80s: %s.", r->path,
                   m->summary, unplaced);
}

/* ---- tensors ---- */

static rt_status check_tensor(const reader *r, int parameter, rt_error *error) {
    const rt_parameter *p = &r->model->parameters[parameter];
    const rti_st_entry *e = tensor_of(r, r->best, parameter);
    rti_torch_layout y;
    rti_torch_layout_of(r->model, parameter, &y);
    char has[RT_SHAPE_TEXT], wants[RT_SHAPE_TEXT];
    bool same = e->ndim == y.ndim;
    for (int d = 0; same && d < y.ndim; d++) same = e->shape[d] == y.shape[d];
    if (!same)
        return rt_fail(
            error, RT_FORMAT,
            "%s: tensor \"%s\" has the shape %s; %s of the model %.80s needs %s in PyTorch's form.", r->path,
            e->name, shape_text(e->ndim, e->shape, has), p->name, r->model->summary,
            shape_text(y.ndim, y.shape, wants));
    if (!rti_st_is_real(e->dtype))
        return rt_fail(error, RT_FORMAT, "%s: tensor \"%s\" holds %s; F32, F64, F16 and BF16 are read.",
                       r->path, e->name, e->dtype_name);
    const bool variance = strcmp(rti_torch_leaf(r->model, parameter), "running_var") == 0;
    for (int64_t i = 0; i < e->count; i++) {
        const rt_real x = (rt_real)rti_st_number(e, i);
        if (!isfinite((double)x))
            return rt_fail(error, RT_FORMAT,
                           "%s: tensor \"%s\" has a number that is not finite at position %lld.", r->path,
                           e->name, (long long)i);
        if (variance && x < 0)
            return rt_fail(error, RT_FORMAT, "%s: tensor \"%s\" has a negative variance at position %lld.",
                           r->path, e->name, (long long)i);
    }
    return RT_OK;
}

static void copy_tensor(const reader *r, rt_model *m, int parameter) {
    const rti_st_entry *e = tensor_of(r, r->best, parameter);
    rt_real *to = rt_real_data(&m->parameters[parameter].tensor);
    rti_torch_layout y;
    rti_torch_layout_of(m, parameter, &y);
    int64_t at = 0;
    for (int64_t i = 0; i < y.extent[0]; i++)
        for (int64_t j = 0; j < y.extent[1]; j++)
            for (int64_t k = 0; k < y.extent[2]; k++)
                for (int64_t l = 0; l < y.extent[3]; l++)
                    to[i * y.stride[0] + j * y.stride[1] + k * y.stride[2] + l * y.stride[3]] = (rt_real)
                        rti_st_number(e, at++);
}

static rt_status find_names(reader *r, rt_error *error) {
    bool fits;
    find_prefix(r);
    RT_TRY(try_numbers(r, &fits, error));
    if (fits || try_spellings(r)) return RT_OK;
    return refuse_names(r, error);
}

rt_status rti_torch_load(rt_model *m, const rti_st_file *file, const char *path, rt_error *error) {
    reader r = {.model = m, .file = file, .path = path, .found = -1};
    r.name = rt_alloc_zero(2 * (size_t)m->layer_count, sizeof *r.name);
    if (!r.name) return rt_fail(error, RT_MEMORY, "%s: no memory to read it", path);
    r.best = r.name + m->layer_count;
    rt_status status = find_names(&r, error);
    for (int p = 0; status == RT_OK && p < m->parameter_count; p++) status = check_tensor(&r, p, error);
    for (int p = 0; status == RT_OK && p < m->parameter_count; p++) copy_tensor(&r, m, p);
    rt_free(r.name);
    return status;
}
