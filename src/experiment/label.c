/* label.c - names of axes, values, cells and files.                    Floor 8 (experiment) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "experiment/report_parts.h"
#include "experiment/spec.h"

/* ---- plain text ------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at s, 0 when it is not one. */
static int utf8_length(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    int length = s[0] >= 0xf0 && s[0] < 0xf5   ? 4
                 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                                               : 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
    if (s[0] == 0xed && s[1] > 0x9f) return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) return 0;
    if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
    return length;
}

int rti_text_columns(const char *text) {
    int columns = 0;
    for (; *text; text++) columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

const char *rti_label_plain(const char *text, char *out, size_t size) {
    RT_ASSERT(size >= 8, "a label needs %d bytes or more", 8);
    const unsigned char *s = (const unsigned char *)text;
    size_t length = 0;
    while (*s) {
        int bytes = utf8_length(s);
        /* C1 controls (U+0080 to U+009F) move cursors too. */
        bool bad = bytes == 0 || s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && bytes == 2 && s[1] < 0xa0);
        int add = bad ? 1 : bytes;
        if (length + (size_t)add + 3 > size) {
            memcpy(out + length, "..", 2);
            length += 2;
            break;
        }
        if (bad) out[length] = '?';
        else memcpy(out + length, s, (size_t)add);
        length += (size_t)add;
        s += bytes ? bytes : 1;
    }
    out[length] = 0;
    return out;
}

/* Appends, as far as there is room. */
static void append(char *out, size_t size, const char *text) {
    size_t length = strlen(out);
    if (length + 1 < size) snprintf(out + length, size - length, "%s", text);
}

/* ---- values, axes, cells ---------------------------------------------------------------------- */

const char *rti_label_value(const rt_value *value, char *out, size_t size) {
    char text[1024];
    switch (value->type) {
    case RT_PARAM_REAL:
    case RT_PARAM_INT: snprintf(text, sizeof text, "%.10g", value->number); break;
    case RT_PARAM_BOOL: snprintf(text, sizeof text, "%s", value->number != 0.0 ? "true" : "false"); break;
    case RT_PARAM_CHOICE:
    case RT_PARAM_TEXT: snprintf(text, sizeof text, "%s", value->text[0] ? value->text : "\"\""); break;
    default: {
        size_t length = (size_t)snprintf(text, sizeof text, "[");
        for (int i = 0; i < value->count && length < sizeof text - 40; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%.10g", i ? ", " : "",
                                       value->items[i]);
        snprintf(text + length, sizeof text - length, "]");
    }
    }
    return rti_label_plain(text, out, size);
}

static const char *last_part(const char *key) {
    const char *dot = strrchr(key, '.');
    return dot && dot[1] ? dot + 1 : key;
}

const char *rti_label_axis(const rti_plan *plan, int axis, char *out, size_t size) {
    if (axis == plan->temperature_axis) return rti_label_plain("T", out, size);
    if (axis == plan->alpha_axis) return rti_label_plain("alpha", out, size);
    const char *key = plan->spec.axes[axis].key, *name = last_part(key);
    for (int other = 0; other < plan->spec.axis_count; other++)
        if (other != axis && strcmp(last_part(plan->spec.axes[other].key), name) == 0) name = key;
    return rti_label_plain(name, out, size);
}

bool rti_is_grid(const rti_plan *plan) { return plan->temperature_axis >= 0 && plan->alpha_axis >= 0; }

static bool is_part(const rti_plan *plan, int axis, rti_label_part part) {
    bool grid = axis == plan->temperature_axis || axis == plan->alpha_axis;
    return (part & (grid ? RTI_LABEL_GRID : RTI_LABEL_FACET)) != 0;
}

const char *rti_label_cell(const rti_plan *plan, int cell, rti_label_part part, char *out, size_t size) {
    out[0] = 0;
    for (int a = 0; a < plan->spec.axis_count; a++) {
        if (!is_part(plan, a, part)) continue;
        char axis[RTI_KEY_MAX + 8], value[RTI_LABEL_MAX];
        if (out[0]) append(out, size, ", ");
        append(out, size, rti_label_axis(plan, a, axis, sizeof axis));
        append(out, size, " ");
        append(out, size,
               rti_label_value(&plan->spec.axes[a].values[plan->cells[cell].value[a]], value, sizeof value));
    }
    char all[RTI_LABEL_MAX * 2]; /* cutting may have split a character */
    snprintf(all, sizeof all, "%s", out);
    return rti_label_plain(all, out, size);
}

/* ---- trials and points ------------------------------------------------------------------------ */

/* What a trial is there for: a point of the plan's grid or of a row's. */
typedef struct purpose {
    const rti_spec *spec;   /* whose axes; NULL: nothing */
    const int *value;
    int row;                /* of a comparison, or -1 */
    int cell;               /* -1: it only tunes */
} purpose;

static purpose purpose_of(const rti_plan *plan, int trial) {
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; s < plan->spec.seed_count; s++) {
            const rti_cell *cell = &plan->cells[c];
            if (!rti_trial_needs(plan, cell->trials[s], trial) &&
                (cell->scratch[s] < 0 || !rti_trial_needs(plan, cell->scratch[s], trial)))
                continue;
            return (purpose){cell->row < 0 ? &plan->spec : plan->rows[cell->row].spec, cell->value,
                             cell->row, c};
        }
    for (int r = 0; r < plan->row_count; r++)
        for (int p = 0; p < plan->rows[r].point_count; p++)
            for (int s = 0; plan->rows[r].points[p].tuning && s < plan->spec.tune_seed_count; s++)
                if (rti_trial_needs(plan, plan->rows[r].points[p].tuning[s], trial))
                    return (purpose){plan->rows[r].spec, plan->rows[r].points[p].value, r, -1};
    return (purpose){NULL, NULL, -1, -1};
}

int rti_trial_subject(const rti_plan *plan, int trial) {
    purpose why = purpose_of(plan, trial);
    return plan->spec.is_comparison ? why.row : why.cell >= 0 ? plan->cells[why.cell].facet : 0;
}

static bool axis_tells(rti_role role, const char *key) {
    if (!strncmp(key, "teacher.", 8)) return true;
    if (role == RTI_TEACHER) return !strncmp(key, "data.", 5);
    return role == RTI_STUDENT || strncmp(key, "distill.", 8);
}

/* "T 4", "kd.alpha 0.9", "hidden [30, 30]" */
static const char *axis_text(const rti_spec *spec, int axis, int value, char *out, size_t size) {
    char text[RT_PARAM_TEXT_MAX * 6 + 8];
    const char *key = spec->axes[axis].key, *name = last_part(key);
    if (spec->label[0] && !strncmp(key, "distill.", 8)) name = key + 8; /* of a part of a sum: kd.alpha */
    rti_label_value(&spec->axes[axis].values[value], text, sizeof text);
    snprintf(out, size, "%s %s", strcmp(name, "temperature") ? name : "T", text);
    return out;
}

const char *rti_point_label(const rti_plan *plan, int row, int point, char *out, size_t size) {
    char text[RT_PARAM_TEXT_MAX * 6 + 128];
    const rti_spec *spec = plan->rows[row].spec;
    out[0] = 0;
    for (int a = 0; a < spec->axis_count; a++) {
        if (spec->axes[a].count < 2) continue;
        if (out[0]) append(out, size, ", ");
        append(out, size, axis_text(spec, a, plan->rows[row].points[point].value[a], text, sizeof text));
    }
    return out;
}

/* "student", "tuning kd", "assistant 2 of kd", "generation 1": everything but values and seed. */
static void label_head(const rti_trial *t, const purpose *why, char *out, size_t size) {
    const char *row = why->row >= 0 ? why->spec->label : "";
    char what[64];
    if (t->role == RTI_STUDENT && t->generation) snprintf(what, sizeof what, "generation %d", t->generation);
    else if (t->role == RTI_STUDENT && t->settings->number)
        snprintf(what, sizeof what, "assistant %d", t->settings->number);
    else snprintf(what, sizeof what, "%s", rti_role_name(t->role));
    bool plain = t->role == RTI_STUDENT && !strcmp(what, "student");
    if (!row[0] || t->role == RTI_SCRATCH) row = "";
    snprintf(out, size, "%s%s%s%s", t->tuning ? "tuning " : "", plain && row[0] ? "" : what,
             !plain && row[0] ? " of " : "", row);
}

const char *rti_trial_label(const rti_plan *plan, int trial, char *out, size_t size) {
    if (plan->trials[trial].from)
        return rti_trial_label(plan->trials[trial].from, plan->trials[trial].number_there, out, size);
    const rti_trial *t = &plan->trials[trial];
    const char *separator = "";
    purpose why = purpose_of(plan, trial);
    label_head(t, &why, out, size);
    for (int a = 0; why.spec && a < why.spec->axis_count; a++) {
        const char *key = why.spec->axes[a].key;
        char text[RT_PARAM_TEXT_MAX * 6 + 128];
        if (!axis_tells(t->role, key) || (!t->settings->number && !rti_settings_value(t->settings, key)) ||
            (why.row >= 0 && why.spec->axes[a].count < 2))
            continue;
        append(out, size, separator);
        append(out, size, " ");
        append(out, size, axis_text(why.spec, a, why.value[a], text, sizeof text));
        separator = ",";
    }
    char seed[48];
    snprintf(seed, sizeof seed, "%s seed %" PRIu64, separator, t->seed);
    append(out, size, seed);
    return out;
}

/* ---- file names ------------------------------------------------------------------------------- */

static int first_cell(const rti_plan *plan, int facet) {
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].facet == facet) return c;
    return 0;
}

/* "-800-800": the facet's own values with everything but letters, digits and '.' turned into '-'. */
static void suffix_of(const rti_plan *plan, int facet, char out[64]) {
    int cell = first_cell(plan, facet), length = 0;
    out[0] = 0;
    for (int a = 0; a < plan->spec.axis_count; a++) {
        if (!is_part(plan, a, RTI_LABEL_FACET)) continue;
        char value[RTI_LABEL_MAX];
        rti_label_value(&plan->spec.axes[a].values[plan->cells[cell].value[a]], value, sizeof value);
        bool gap = true;
        for (const char *s = value; *s && length < 40; s++) {
            bool good = (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                        (*s == '.' && !gap);
            if (good && gap) out[length++] = '-';
            if (good) out[length++] = *s;
            gap = !good;
        }
    }
    out[length] = 0;
}

const char *rti_label_file(const rti_plan *plan, const char *stem, int facet, const char *ending, char *out,
                           size_t size) {
    char mine[64], theirs[64];
    if (plan->facet_count < 2 || facet < 0) {
        snprintf(out, size, "%s%s", stem, ending);
        return out;
    }
    suffix_of(plan, facet, mine);
    bool unique = mine[0] != 0;
    for (int f = 0; f < plan->facet_count && unique; f++) {
        if (f != facet) suffix_of(plan, f, theirs);
        unique = f == facet || strcasecmp(mine, theirs) != 0;
    }
    /* "_" cannot come from values, so a numbered name meets no other. */
    if (unique) snprintf(out, size, "%s%s%s", stem, mine, ending);
    else snprintf(out, size, "%s%s_%d%s", stem, mine, facet + 1, ending);
    return out;
}
