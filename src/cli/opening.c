/* opening.c - see opening.h.                                           Floor 9 (cli) */
#include "cli/opening.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *rti_option_value(const char *name, int argc, char **argv, int *i, const char **problem) {
    size_t length = strlen(name);
    if (strncmp(argv[*i], name, length)) return NULL;
    if (argv[*i][length] == '=') return argv[*i] + length + 1;
    if (argv[*i][length]) return NULL;
    if (*i + 1 < argc) return argv[++*i];
    *problem = "this option needs a value:";
    return "";
}

bool rti_opening_take(rti_opening *opening, int argc, char **argv, int *i, const char **problem) {
    const char *value;
    *problem = NULL;
    if ((value = rti_option_value("--set", argc, argv, i, problem))) {
        if (opening->override_count == RTI_OVERRIDES_MAX) *problem = "at most 64 times --set:";
        else opening->overrides[opening->override_count++] = value;
        return true;
    }
    if ((value = rti_option_value("--runs", argc, argv, i, problem))) {
        opening->runs = value;
        if (!*problem && !value[0]) *problem = "--runs needs a directory:";
        return true;
    }
    if (argv[*i][0] == '-' && argv[*i][1]) return false;
    if (opening->spec) *problem = "one spec at a time; this is a second one:";
    opening->spec = argv[*i];
    return true;
}

rt_status rti_opening_plan(const rti_opening *opening, rti_plan *plan, rt_error *error) {
    static rti_spec spec;
    RT_TRY(rti_spec_read(&spec, opening->spec, opening->overrides, opening->override_count, error));
    spec.strict = opening->strict;
    return rti_plan_make(plan, &spec, opening->runs ? opening->runs : "runs", NULL, error);
}

/* ---- a network ---- */

static bool is_directory(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

rt_status rti_target_find(rti_target *t, const char *name, const char *weights, rt_error *error) {
    char spec[RTI_PATH_MAX];
    memset(t, 0, sizeof *t);
    t->name = name;
    if (is_directory(name)) {
        RT_TRY(rti_path_join(t->directory, sizeof t->directory, name, "", error));
        RT_TRY(rti_path_join(t->weights, sizeof t->weights, name, weights, error));
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

const char *rti_duration(double seconds, char out[32]) {
    long whole = seconds < 1e9 ? (long)(seconds + 0.5) : 1000000000;
    if (whole < 60) snprintf(out, 32, "%ld s", whole);
    else if (whole < 3600) snprintf(out, 32, "%ld:%02ld min", whole / 60, whole % 60);
    else snprintf(out, 32, "%ld:%02ld h", whole / 3600, whole / 60 % 60);
    return out;
}
