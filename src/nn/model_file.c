/* model_file.c - models as safetensors files.                          Floor 6 (nn)
 *
 * Besides the parameters a file holds metadata from which the model can be built again:
 *
 *   retort.model        "mlp"
 *   retort.options      canonical text, one "name = value" per line
 *   retort.input_shape  "[1, 28, 28]"
 *   retort.classes      "10"
 *   retort.structure    one line per layer: weights of a tanh net do not pass for those of a relu net
 *
 * A file without such metadata is one of somebody else, with PyTorch's names (torch_names.h).
 *
 * Nothing in a file is believed: what it says is checked against the option rows, and the tensors
 * that are there against those of the planned model before any memory is asked for. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/safetensors.h"
#include "nn/model.h"
#include "nn/torch_names.h"
#include "retort/alloc.h"

#define OWN_PAIRS 5
#define OWN_DTYPE (sizeof(rt_real) == sizeof(float) ? RTI_ST_F32 : RTI_ST_F64)

/* ---- saving ---- */

static void describe_problem(const rt_model *m, char shape[256], char classes[32]) {
    rt_value list = {.type = RT_PARAM_INTS, .count = m->input_ndim};
    for (int i = 0; i < m->input_ndim; i++) list.items[i] = (double)m->input_shape[i];
    rt_value_format(&list, shape, 256);
    snprintf(classes, 32, "%lld", (long long)m->classes);
}

static void add_entry(const rt_parameter *p, rti_st_entry *out) {
    *out = (rti_st_entry){
        .name = p->name, .dtype = OWN_DTYPE, .ndim = p->tensor.ndim, .data = p->tensor.data};
    memcpy(out->shape, p->tensor.shape, sizeof out->shape);
    out->count = rt_tensor_count(&p->tensor);
    out->bytes = (size_t)out->count * sizeof(rt_real);
}

static bool is_own(const char *const own[], const char *key) {
    for (int i = 0; i < OWN_PAIRS; i++)
        if (strcmp(own[2 * i], key) == 0) return true;
    return false;
}

rt_status rt_model_save(const rt_model *m, const char *path, const char *const metadata[], rt_error *error) {
    char shape[256], classes[32], structure[RTI_STRUCTURE_TEXT];
    describe_problem(m, shape, classes);
    rti_model_structure(m, structure, sizeof structure);
    const char *const own[2 * OWN_PAIRS] = {"retort.model",       m->kind->name, "retort.options", m->options,
                                            "retort.input_shape", shape,         "retort.classes", classes,
                                            "retort.structure",   structure};
    int given = 0;
    while (metadata && metadata[given]) given += 2;
    const char **pairs = rt_alloc((size_t)(2 * OWN_PAIRS + given + 1) * sizeof *pairs);
    rti_st_entry *entries = rt_alloc((size_t)m->parameter_count * sizeof *entries);
    rt_status status;
    if (pairs && entries) {
        int count = 0;
        for (int i = 0; i < 2 * OWN_PAIRS; i++) pairs[count++] = own[i];
        for (int i = 0; i < given; i += 2) {
            if (is_own(own, metadata[i])) continue;
            pairs[count++] = metadata[i];
            pairs[count++] = metadata[i + 1];
        }
        pairs[count] = NULL;
        for (int i = 0; i < m->parameter_count; i++) add_entry(&m->parameters[i], &entries[i]);
        status = rti_st_write(path, entries, m->parameter_count, pairs, error);
    } else {
        status = rt_fail(error, RT_MEMORY, "%s: no memory to save a model", path);
    }
    rt_free(pairs);
    rt_free(entries);
    return status;
}

/* ---- comparing ---- */

/* float files may be read in double; the other way round would round silently. */
static bool dtype_fits(rti_st_dtype dtype) { return dtype == RTI_ST_F32 || dtype == OWN_DTYPE; }

static bool is_variance(const rt_parameter *p) {
    const char *end = strrchr(p->name, '.');
    return p->kind == RT_BUFFER && end && strcmp(end, ".running_variance") == 0;
}

static rt_status check_tensor(const rt_parameter *p, const rti_st_file *file, const char *path,
                              rt_error *error) {
    const rti_st_entry *e = rti_st_find(file, p->name);
    if (!e) return rt_fail(error, RT_FORMAT, "%s: there is no tensor \"%s\" in it.", path, p->name);
    rt_tensor there = {.ndim = e->ndim};
    memcpy(there.shape, e->shape, sizeof there.shape);
    char has[RT_SHAPE_TEXT], wants[RT_SHAPE_TEXT];
    if (!rt_tensor_same_shape(&there, &p->tensor))
        return rt_fail(error, RT_FORMAT, "%s: tensor \"%s\" has the shape %s, the model needs %s.", path,
                       p->name, rt_shape_text(&there, has), rt_shape_text(&p->tensor, wants));
    if (!dtype_fits(e->dtype))
        return rt_fail(error, RT_FORMAT, "%s: tensor \"%s\" holds %s, the model needs %s.", path, p->name,
                       e->dtype_name, sizeof(rt_real) == sizeof(float) ? "F32" : "F32 or F64");
    for (int64_t i = 0; i < e->count; i++)
        if (!isfinite(rti_st_number(e, i)))
            return rt_fail(error, RT_FORMAT,
                           "%s: tensor \"%s\" has a number that is not finite at position %lld.", path,
                           p->name, (long long)i);
    for (int64_t i = 0; is_variance(p) && i < e->count; i++)
        if (rti_st_number(e, i) < 0)
            return rt_fail(error, RT_FORMAT, "%s: tensor \"%s\" has a negative variance at position %lld.",
                           path, p->name, (long long)i);
    return RT_OK;
}

/* Does the file hold this model's parameters, all of them and nothing else? */
static rt_status check_file(const rt_model *m, const rti_st_file *file, const char *path, rt_error *error) {
    for (int i = 0; i < m->parameter_count; i++) RT_TRY(check_tensor(&m->parameters[i], file, path, error));
    for (int i = 0; i < file->count; i++) {
        bool known = false;
        for (int k = 0; k < m->parameter_count; k++)
            known |= strcmp(file->entries[i].name, m->parameters[k].name) == 0;
        if (!known)
            return rt_fail(error, RT_FORMAT, "%s: tensor \"%.64s\" has no place in the model %s.", path,
                           file->entries[i].name, m->summary);
    }
    const char *theirs = rti_st_metadata(file, "retort.structure");
    char ours[RTI_STRUCTURE_TEXT];
    rti_model_structure(m, ours, sizeof ours);
    if (theirs && strcmp(theirs, ours) != 0)
        return rt_fail(
            error, RT_FORMAT,
            "%s: its weights belong to another structure than %s, for instance to another activation.", path,
            m->summary);
    return RT_OK;
}

static void copy_weights(rt_model *m, const rti_st_file *file) {
    for (int i = 0; i < m->parameter_count; i++) {
        const rti_st_entry *e = rti_st_find(file, m->parameters[i].name);
        rt_real *to = rt_real_data(&m->parameters[i].tensor);
        for (int64_t k = 0; k < e->count; k++) to[k] = (rt_real)rti_st_number(e, k);
    }
}

rt_status rt_model_load(rt_model *m, const char *path, rt_error *error) {
    rti_st_file file;
    RT_TRY(rti_st_read(&file, path, error));
    rt_status status;
    if (rti_torch_is(&file)) {
        status = rti_torch_load(m, &file, path, error);
    } else {
        status = check_file(m, &file, path, error);
        if (status == RT_OK) copy_weights(m, &file);
    }
    rti_st_deinit(&file);
    return status;
}

/* ---- a model from a file alone ---- */

static const char *field(const rti_st_file *file, const char *path, const char *key, rt_error *error) {
    const char *value = rti_st_metadata(file, key);
    const char *what_to_do = "; weights with PyTorch's names are loaded into a model that a spec names, "
                             "[teacher] weights";
    if (!value)
        rt_fail(error, RT_FORMAT, "%s: has no metadata \"%s\", so it does not say what model it is%s.", path,
                key, rti_torch_is(file) ? what_to_do : "");
    return value;
}

/* Every line "name = value", checked as in a spec. */
static rt_status read_options(const char *text, rt_params *options, const char *path, rt_error *error) {
    while (*text) {
        char line[2 * RT_PARAM_TEXT_MAX];
        size_t length = strcspn(text, "\n");
        if (length >= sizeof line)
            return rt_fail(error, RT_FORMAT, "%s: retort.options has a line too long.", path);
        memcpy(line, text, length);
        line[length] = 0;
        text += length + (text[length] == '\n');
        char *sign = strstr(line, " = ");
        if (!sign)
            return rt_fail(error, RT_FORMAT, "%s: retort.options: \"%.64s\" is no option.", path, line);
        *sign = 0;
        rt_error inner = {0};
        if (rt_params_set_text(options, line, sign + 3, &inner) != RT_OK)
            return rt_fail(error, RT_FORMAT, "%s: retort.options: %s", path, inner.message);
    }
    return RT_OK;
}

static const rt_param problem_rows[] = {
    RT_PARAM_INTS_ROW("retort.input_shape", "[1]", 1, 2147483648.0, "", "extents of one example"),
    RT_PARAM_INT_ROW("retort.classes", 1, 1, 65536, "", "outputs"),
};

static rt_status read_problem(const rti_st_file *file, rt_params *problem, const char *path,
                              rt_error *error) {
    rt_params_init(problem, problem_rows, 2);
    for (int i = 0; i < 2; i++) {
        const char *text = field(file, path, problem_rows[i].name, error);
        rt_error inner = {0};
        if (!text) return RT_FORMAT;
        if (rt_params_set_text(problem, problem_rows[i].name, text, &inner) != RT_OK)
            return rt_fail(error, RT_FORMAT, "%s: %s", path, inner.message);
    }
    return RT_OK;
}

static rt_model *plan_from(const rti_st_file *file, const char *path, rt_error *error) {
    const char *name = field(file, path, "retort.model", error);
    const char *text = name ? field(file, path, "retort.options", error) : NULL;
    if (!text) return NULL;
    const rti_model_kind *kind = rti_model_find(name);
    if (!kind) {
        rt_fail(error, RT_FORMAT, "%s: there is no kind of model \"%.64s\".", path, name);
        return NULL;
    }
    rt_params options, problem;
    rt_params_init(&options, kind->rows, kind->row_count);
    if (read_options(text, &options, path, error) != RT_OK) return NULL;
    if (read_problem(file, &problem, path, error) != RT_OK) return NULL;
    const rt_value *list = rt_params_list(&problem, "retort.input_shape");
    int64_t shape[RT_PARAM_ITEMS_MAX];
    for (int i = 0; i < list->count; i++) shape[i] = (int64_t)list->items[i];
    rt_model *m = rti_model_plan(kind, &options, list->count, shape,
                                 rt_params_int(&problem, "retort.classes"), error);
    if (!m) rt_fail_in(error, RT_FORMAT, "%s", path);
    return m;
}

rt_model *rti_model_of_metadata(const rti_st_file *file, const char *path, rt_error *error) {
    rt_model *m = plan_from(file, path, error);
    if (m && rti_model_reserve(m, error) == RT_OK) return m;
    rt_model_free(m);
    return NULL;
}

rt_model *rt_model_open(const char *path, rt_error *error) {
    rti_st_file file;
    if (rti_st_read(&file, path, error) != RT_OK) return NULL;
    rt_model *m = NULL;
    if (rti_st_metadata(&file, "retort.int8"))
        rt_fail(error, RT_UNSUPPORTED,
                "%s: is a network prepared for 8-bit integers; `retort export --to c` takes it, for all else "
                "there is the file it was made of.", path);
    else m = plan_from(&file, path, error);
    if (m && check_file(m, &file, path, error) == RT_OK && rti_model_reserve(m, error) == RT_OK) {
        copy_weights(m, &file);
    } else {
        rt_model_free(m);
        m = NULL;
    }
    rti_st_deinit(&file);
    return m;
}
