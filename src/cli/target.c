/* target.c - see target.h.                                             Floor 9 (cli) */
#include "cli/target.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/json.h"
#include "retort/alloc.h"

static bool is_directory(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

rt_status rti_target_find(rti_target *t, const char *name, bool best, rt_error *error) {
    char spec[RTI_PATH_MAX];
    memset(t, 0, sizeof *t);
    RT_TRY(rti_path_join(t->name, sizeof t->name, "", name, error));
    if (is_directory(name)) {
        RT_TRY(rti_path_join(t->directory, sizeof t->directory, name, "", error));
        RT_TRY(rti_path_join(t->weights, sizeof t->weights, name,
                             best ? "best.safetensors" : "weights.safetensors", error));
    } else {
        RT_TRY(rti_path_join(t->weights, sizeof t->weights, "", name, error));
        const char *slash = strrchr(name, '/');
        snprintf(t->directory, sizeof t->directory, "%.*s/", slash ? (int)(slash - name) : 1,
                 slash ? name : ".");
    }
    RT_TRY(rti_path_join(spec, sizeof spec, t->directory, "spec.toml", error));
    if (!rti_file_exists(spec)) {
        if (is_directory(name))
            return rt_fail(error, RT_NOT_FOUND, "%s: is not the directory of a trial (it has no spec.toml)",
                           name);
        t->directory[0] = 0;
        return RT_OK;
    }
    return rti_spec_read(&t->spec, spec, NULL, 0, error);
}

void rti_target_deinit(rti_target *t) {
    rti_spec_deinit(&t->spec);
    memset(t, 0, sizeof *t);
}

rt_status rti_target_data(const rti_target *t, const char *set, const char *const overrides[],
                          int override_count, rt_params *data, rt_error *error) {
    int count;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(data, rows, count);
    if (t->directory[0] && !set) *data = t->spec.base.data;
    else if (set) RT_TRY(rt_params_set_text(data, "set", set, error));
    else return rt_fail(error, RT_VALUE, "%s: on which data? For example --data mnist", t->name);
    for (int i = 0; i < override_count; i++) {
        char key[RTI_KEY_MAX];
        const char *text = overrides[i], *equals = strchr(text, '=');
        if (!strncmp(text, "data.", 5)) text += 5;
        if (!equals || equals <= text || equals - text >= RTI_KEY_MAX)
            return rt_fail(error, RT_VALUE, "--set %s: expected data.KEY=VALUE", overrides[i]);
        snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
        RT_TRY(rt_params_set_text(data, key, equals + 1, error));
    }
    return RT_OK;
}

static rt_status open_member(const char *path, rt_model *members[], int *count, rt_error *error) {
    if (*count == RTI_TEACHERS_MAX) return rt_fail(error, RT_VALUE, "too many teachers");
    rt_model *model = rt_model_open(path, error);
    if (!model) return error ? error->status : RT_MEMORY;
    members[(*count)++] = model;
    return RT_OK;
}

static void close_members(rt_model *members[], int first, int *count) {
    while (*count > first) rt_model_free(members[--*count]);
}

/* The teachers of a trial are its neighbours; its manifest names them, and, where these are others, those
 * that it is measured against. */
rt_status rti_target_teachers(const rti_target *t, rt_model *members[RTI_TEACHERS_MAX], int *count,
                              rt_error *error) {
    char path[RTI_PATH_MAX], neighbour[64];
    const int first = *count;
    rti_bytes bytes;
    rti_json_document document;
    if (!t->directory[0]) return RT_OK;
    RT_TRY(rti_path_join(path, sizeof path, t->directory, "manifest.json", error));
    rt_status status = rti_file_read(path, (size_t)1 << 20, &bytes, error);
    if (status == RT_NOT_FOUND) return RT_OK;
    if (status != RT_OK) return status;
    status = rti_json_parse(&document, (const char *)bytes.data, bytes.count, path, error);
    rt_free(bytes.data);
    if (status != RT_OK) return status;
    const rti_json *ids = rti_json_get(&document.root, "references");
    if (!ids) ids = rti_json_get(&document.root, "teachers");
    int named = ids && ids->type == RTI_JSON_ARRAY ? ids->count : 0;
    for (int i = 0; status == RT_OK && i < named; i++) {
        const rti_json *id = &ids->items[i];
        if (id->type != RTI_JSON_STRING || strspn(id->string, "0123456789abcdef") != 32) continue;
        snprintf(neighbour, sizeof neighbour, "../%.16s/weights.safetensors", id->string);
        status = rti_path_join(path, sizeof path, t->directory, neighbour, error);
        if (status == RT_OK && rti_file_exists(path)) status = open_member(path, members, count, error);
    }
    if (status != RT_OK || named != *count - first) close_members(members, first, count); /* some are gone */
    rti_json_deinit(&document);
    return status;
}

rt_combine rti_target_combine(const rti_target *t) {
    const char *word =
        t->directory[0] && t->spec.base.has_teacher ? rt_params_text(&t->spec.base.teacher, "combine") : "";
    if (!strcmp(word, "probabilities")) return RT_COMBINE_PROBABILITIES;
    return strcmp(word, "geometric") ? RT_COMBINE_LOGITS : RT_COMBINE_GEOMETRIC;
}
