/* input_form.c - how raw numbers become what a network reads.          Floor 6 (data)
 *
 * A trained network is worth nothing without the constants of its training data: the same pixel is 1.0 or
 * 2.8 to it. So its file carries them, as metadata:
 *
 *   retort.input        "bytes" or "numbers"
 *   retort.input_scale  "[0.00392156862745098]": one number for all, one for each channel, or one for each
 *   retort.input_shift  "[0]"                    number of an example
 *   retort.class_names  "["no", "yes"]", where numbers are not the names */
#include <math.h>
#include <string.h>

#include "data/input_form.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "retort/alloc.h"

enum { PAIRS = 4 };
static const char *const keys[PAIRS] = {"retort.input", "retort.input_scale", "retort.input_shift",
                                        "retort.class_names"};

void rt_input_form_free(rt_input_form *form) {
    if (!form) return;
    rt_free(form->scale);
    rt_free((void *)form->class_names);
    if (form->text) rti_text_deinit(form->text);
    rt_free(form->text);
    rt_free(form);
}

static rt_input_form *make(bool bytes, int64_t count, int classes, rt_error *error) {
    rt_input_form *form = rt_alloc_zero(1, sizeof *form);
    double *both = form ? rt_alloc_zero(2 * (size_t)count, sizeof *both) : NULL;
    if (!both) {
        rt_free(form);
        rt_fail(error, RT_MEMORY, "no memory for the form of %lld inputs", (long long)count);
        return NULL;
    }
    form->bytes = bytes;
    form->count = count;
    form->scale = both;
    form->shift = both + count;
    form->classes = classes;
    return form;
}

/* ---- of a data set ---- */

static void list_append(rti_text *text, const double *numbers, int64_t count) {
    char number[32];
    for (int64_t i = 0; i < count; i++) {
        rti_number_format(numbers[i], number);
        rti_text_printf(text, "%s%s", i ? ", " : "[", number);
    }
    rti_text_append_bytes(text, "]", 2); /* with its zero: the texts stand one behind the other */
}

static void names_append(rti_text *text, const rt_dataset *set, int classes) {
    char name[16];
    rti_json_writer w = {.text = text};
    rti_json_begin_array(&w, NULL);
    for (int k = 0; k < classes; k++) rti_json_add_string(&w, NULL, rt_dataset_class_name(set, k, name));
    rti_json_end(&w);
    rti_text_append_bytes(text, "", 1);
}

/* Keys and texts of `form`, for rt_model_save. */
static rt_status write_pairs(rt_input_form *form, const rt_dataset *set, bool named, rt_error *error) {
    size_t at[PAIRS] = {0};
    rti_text *text = form->text = rt_alloc_zero(1, sizeof *text);
    if (!text) return rt_fail(error, RT_MEMORY, "no memory for the form of the input");
    const char *word = form->bytes ? "bytes" : "numbers";
    rti_text_append_bytes(text, word, strlen(word) + 1);
    at[1] = text->length;
    list_append(text, form->scale, form->count);
    at[2] = text->length;
    list_append(text, form->shift, form->count);
    at[3] = text->length;
    if (named) names_append(text, set, form->classes);
    if (text->failed) return rt_fail(error, RT_MEMORY, "no memory for the form of the input");
    for (int i = 0; i < (named ? PAIRS : PAIRS - 1); i++) {
        form->metadata[2 * i] = keys[i];
        form->metadata[2 * i + 1] = text->bytes + at[i];
    }
    return RT_OK;
}

static int64_t count_of(const rti_dataset_form *f) {
    if (f->mean) return f->groups;
    return f->examples->bytes && f->examples->channels ? f->examples->channels : 1;
}

rt_input_form *rt_input_form_of(const rt_dataset *set, rt_error *error) {
    const rti_dataset_form f = rti_dataset_form_get(set);
    const rt_examples *e = f.examples;
    rt_input_form *form = make(e->bytes != NULL, count_of(&f), e->classes, error);
    if (!form) return NULL;
    for (int64_t i = 0; i < form->count; i++) {
        form->scale[i] = f.mean ? f.factor[i] : !e->bytes ? 1 : e->channels ? e->channel_scale[i] : e->scale;
        form->shift[i] = f.mean ? -f.mean[i] * f.factor[i]
                         : !e->bytes ? 0 : e->channels ? e->channel_shift[i] : e->shift;
    }
    if (write_pairs(form, set, f.named, error) == RT_OK) return form;
    rt_input_form_free(form);
    return NULL;
}

/* ---- of a file ---- */

static rt_status list_read(const char *path, const char *key, const char *text, rti_json_document *document,
                           rt_error *error) {
    char name[RTI_PATH_MAX + 64];
    snprintf(name, sizeof name, "%s, %s", path, key);
    RT_TRY(rti_json_parse(document, text, strlen(text), name, error));
    const rti_json *root = &document->root;
    bool fine = root->type == RTI_JSON_ARRAY && root->count > 0;
    if (fine) return RT_OK;
    rti_json_deinit(document);
    return rt_fail(error, RT_FORMAT, "%s: %s is no list", path, key);
}

static rt_status numbers_read(const char *path, const char *key, const rti_json *list, double *out,
                              rt_error *error) {
    for (int i = 0; i < list->count; i++) {
        out[i] = list->items[i].type == RTI_JSON_NUMBER ? list->items[i].number : NAN;
        if (!isfinite(out[i]))
            return rt_fail(error, RT_FORMAT, "%s: entry %d of %s is no finite number", path, i, key);
    }
    return RT_OK;
}

/* The names lie behind their list, in one block. */
static rt_status names_read(const char *path, const rti_json *list, rt_input_form *form, rt_error *error) {
    size_t bytes = 0;
    for (int k = 0; k < list->count; k++) {
        if (list->items[k].type != RTI_JSON_STRING)
            return rt_fail(error, RT_FORMAT, "%s: entry %d of %s is no text", path, k, keys[3]);
        bytes += list->items[k].string_length + 1;
    }
    const char **names = rt_alloc((size_t)list->count * sizeof *names + bytes);
    if (!names) return rt_fail(error, RT_MEMORY, "%s: no memory for class names", path);
    char *to = (char *)(names + list->count);
    for (int k = 0; k < list->count; k++) {
        const size_t length = list->items[k].string_length;
        names[k] = memcpy(to, list->items[k].string, length + 1);
        to += length + 1;
    }
    form->classes = list->count;
    form->class_names = names;
    return RT_OK;
}

static rt_input_form *parse(const rti_st_file *file, const char *path, rt_error *error) {
    const char *text[PAIRS];
    for (int i = 0; i < PAIRS; i++) text[i] = rti_st_metadata(file, keys[i]);
    if (!text[0] || !text[1] || !text[2]) {
        rt_fail(error, RT_NOT_FOUND, "%s does not say how raw numbers become its input", path);
        return NULL;
    }
    const bool bytes = strcmp(text[0], "bytes") == 0;
    if (!bytes && strcmp(text[0], "numbers") != 0) {
        rt_fail(error, RT_FORMAT, "%s: %s is \"%.40s\", not \"bytes\" or \"numbers\"", path, keys[0],
                text[0]);
        return NULL;
    }
    rt_input_form *form = NULL;
    rti_json_document scale = {0}, shift = {0}, names = {0};
    rt_status status = list_read(path, keys[1], text[1], &scale, error);
    if (status == RT_OK) status = list_read(path, keys[2], text[2], &shift, error);
    if (status == RT_OK && scale.root.count != shift.root.count)
        status = rt_fail(error, RT_FORMAT, "%s: %s has %d entries and %s %d", path, keys[1], scale.root.count,
                         keys[2], shift.root.count);
    if (status == RT_OK) {
        form = make(bytes, scale.root.count, 0, error);
        status = form ? numbers_read(path, keys[1], &scale.root, form->scale, error) : RT_MEMORY;
    }
    if (status == RT_OK) status = numbers_read(path, keys[2], &shift.root, form->shift, error);
    if (status == RT_OK && text[3]) status = list_read(path, keys[3], text[3], &names, error);
    if (status == RT_OK && text[3]) status = names_read(path, &names.root, form, error);
    rti_json_deinit(&scale);
    rti_json_deinit(&shift);
    rti_json_deinit(&names);
    if (status == RT_OK) return form;
    rt_input_form_free(form);
    return NULL;
}

rt_input_form *rt_input_form_read(const char *path, rt_error *error) {
    rti_st_file file;
    if (rti_st_read(&file, path, error) != RT_OK) return NULL;
    rt_input_form *form = parse(&file, path, error);
    rti_st_deinit(&file);
    return form;
}

/* ---- use ---- */

/* How many numbers of an example one entry stands for. */
static int64_t run_of(const rt_input_form *form, int64_t features) {
    RT_ASSERT(form->count > 0 && features >= form->count && features % form->count == 0,
              "a form of %lld entries for %lld inputs", (long long)form->count, (long long)features);
    return features / form->count;
}

bool rt_input_form_fits(const rt_input_form *form, int ndim, const int64_t shape[]) {
    int64_t features = 1;
    for (int i = 0; i < ndim; i++) features *= shape[i];
    return form->count == 1 || form->count == features || (ndim == 3 && form->count == shape[0]);
}

void rt_input_form_apply_bytes(const rt_input_form *form, int64_t features, const uint8_t *raw,
                               rt_real *out) {
    const int64_t run = run_of(form, features);
    for (int64_t i = 0; i < features; i++)
        out[i] = (rt_real)raw[i] * (rt_real)form->scale[i / run] + (rt_real)form->shift[i / run];
}

void rt_input_form_apply(const rt_input_form *form, int64_t features, const double *raw, rt_real *out) {
    const int64_t run = run_of(form, features);
    for (int64_t i = 0; i < features; i++)
        out[i] = (rt_real)(raw[i] * form->scale[i / run] + form->shift[i / run]);
}
