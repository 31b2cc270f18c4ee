/* opening.c - see opening.h.                                           Floor 9 (cli) */
#include "cli/opening.h"

#include <stdio.h>
#include <string.h>

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

const char *rti_duration(double seconds, char out[32]) {
    long whole = seconds < 1e9 ? (long)(seconds + 0.5) : 1000000000;
    if (whole < 60) snprintf(out, 32, "%ld s", whole);
    else if (whole < 3600) snprintf(out, 32, "%ld:%02ld min", whole / 60, whole % 60);
    else snprintf(out, 32, "%ld:%02ld h", whole / 3600, whole / 60 % 60);
    return out;
}
