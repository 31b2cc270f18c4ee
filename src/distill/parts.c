/* parts.c - see parts.h.                                               Floor 7 (distill) */
#include "distill/parts.h"

#include <stdio.h>
#include <string.h>

static const rt_param tap_rows[] = {
    RT_PARAM_TEXT_ROW("student_taps", "auto",
                      "layers of the student, \"stage1, stage2\"; auto: what the method takes by itself"),
    RT_PARAM_TEXT_ROW("teacher_taps", "auto", "the teacher's, one for each of the student's"),
};
enum { TAP_ROWS = 2 };

bool rti_parts_find(const char *name, rti_parts *parts) {
    *parts = (rti_parts){0};
    for (;;) {
        size_t length = strcspn(name, "+");
        char word[32];
        if (length >= sizeof word || parts->count == RTI_PARTS_MAX) return false;
        snprintf(word, sizeof word, "%.*s", (int)length, name);
        const rti_method *method = rti_method_find(word);
        if (!method || (parts->count && method->needs & RTI_LABELS_ALONE)) return false;
        for (int i = 0; i < parts->count; i++)
            if (parts->method[i] == method) return false;
        parts->method[parts->count++] = method;
        if (!name[length]) return true;
        name += length + 1;
    }
}

rt_status rti_parts_check(const char *name, rt_error *error) {
    rti_parts parts;
    if (rti_parts_find(name, &parts)) return RT_OK;
    for (const char *at = name;; at++) {
        size_t length = strcspn(at, "+");
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), at);
        if (!rti_method_find(word)) {
            int count;
            const char *const *names = rt_method_names(&count), *near = rt_nearest_word(word, names, count);
            return rt_fail(error, RT_SPEC, "there is no method \"%.60s\"%s%s%s", word,
                           near ? "; did you mean \"" : "", near ? near : "",
                           near ? "\"?" : "; `retort list methods` shows all");
        }
        if (at != name && rti_method_find(word)->needs & RTI_LABELS_ALONE)
            return rt_fail(error, RT_SPEC,
                           "\"%.60s\": %s is about the labels alone and stands first in a sum", name, word);
        at += length;
        if (!*at) break;
    }
    return rt_fail(error, RT_SPEC, "\"%.60s\": a sum has at most %d different methods", name, RTI_PARTS_MAX);
}

/* ---- rows ---- */

/* A table of rows under one name; names of sums are written behind each other into `text`. */
typedef struct table {
    char name[RTI_PARTS_MAX * 32];
    int count;
    rt_param rows[RT_PARAMS_MAX];
    char text[RT_PARAMS_MAX][64];
} table;

#define TABLES_MAX 96
static table *find_table(const char *name) {
    static table tables[TABLES_MAX];
    static int used;
    for (int i = 0; i < used; i++)
        if (strcmp(tables[i].name, name) == 0) return &tables[i];
    if (used == TABLES_MAX) return NULL;
    snprintf(tables[used].name, sizeof tables[used].name, "%s", name);
    return &tables[used++];
}

static bool add_rows(table *t, const char *prefix, const rt_param *rows, int count) {
    if (t->count + count > RT_PARAMS_MAX) return false;
    for (int i = 0; i < count; i++) {
        rt_param *row = &t->rows[t->count];
        *row = rows[i];
        if (prefix[0]) {
            snprintf(t->text[t->count], sizeof t->text[0], "%s.%s", prefix, rows[i].name);
            row->name = t->text[t->count];
        }
        t->count++;
    }
    return true;
}

const rt_param *rti_parts_rows(const char *name, int *count) {
    rti_parts parts;
    *count = 0;
    if (!rti_parts_find(name, &parts)) return NULL;
    table *t = find_table(name);
    if (!t) return NULL;
    bool fresh = t->count == 0;
    for (int i = 0; fresh && i < parts.count; i++) {
        const rti_method *m = parts.method[i];
        const char *prefix = parts.count > 1 ? m->name : "";
        if (!add_rows(t, prefix, m->rows, m->row_count) ||
            (m->needs & RTI_NEEDS_FEATURES && !add_rows(t, prefix, tap_rows, TAP_ROWS))) {
            t->count = 0;
            return NULL;
        }
    }
    *count = t->count;
    return t->rows;
}

const rt_param *rti_method_own_rows(const rti_method *method, int *count) {
    return rti_parts_rows(method->name, count);
}

void rti_part_options(const rti_parts *parts, int i, const rt_params *given, rt_params *own) {
    const rti_method *m = parts->method[i];
    int count;
    const rt_param *rows = rti_method_own_rows(m, &count);
    rt_params_init(own, rows, count);
    for (int r = 0; given && r < own->count; r++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s%s", parts->count > 1 ? m->name : "", parts->count > 1 ? "." : "",
                 rows[r].name);
        int at = rt_params_find(given, name);
        if (at < 0) continue;
        own->values[r] = given->values[at];
        own->given[r] = given->given[at];
    }
}
