/* params.c - see params.h: tables, checked values, their text.         Floor 1 (core) */
#include "retort/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX 9007199254740992.0 /* 2^53: every whole number up to here is a double */

static const char *const type_names[] = {"a number", "a whole number", "true or false", "a word",
                                         "a text", "a list of whole numbers", "a list of numbers"};

static bool is_text(rt_param_type type) { return type == RT_PARAM_CHOICE || type == RT_PARAM_TEXT; }
static bool is_list(rt_param_type type) { return type == RT_PARAM_INTS || type == RT_PARAM_REALS; }
static bool is_whole(double x) { return fabs(x) <= WHOLE_MAX && floor(x) == x; }

/* ---- nearest word ---------------------------------------------------------------------------- */

#define WORD_MAX 64

/* Edit distance in which a swap of neighbours counts once (Damerau; optimal string alignment). */
static int edit_distance(const char *a, const char *b) {
    int m = (int)strlen(a), n = (int)strlen(b);
    if (m > WORD_MAX || n > WORD_MAX) return WORD_MAX;
    int rows[3][WORD_MAX + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (int j = 0; j <= n; j++) last[j] = before[j] = j;
    for (int i = 1; i <= m; i++) {
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        int *spare = before;
        before = last, last = now, now = spare;
    }
    return last[n];
}

const char *rt_nearest_word(const char *word, const char *const *words, int count) {
    size_t length = strlen(word);
    int nearest = 2 + (int)length / 4; /* the first distance that is too far: 2 letters, one slip */
    const char *found = NULL;
    for (int i = 0; i < count; i++) {
        bool begins = length >= 3 && strncmp(word, words[i], length) == 0;
        int distance = begins ? 1 : edit_distance(word, words[i]);
        if (distance >= nearest || distance >= (int)strlen(words[i])) continue;
        nearest = distance;
        found = words[i];
    }
    return found;
}

/* ---- checking -------------------------------------------------------------------------------- */

static bool is_choice(const char *choices, const char *word) {
    size_t length = strlen(word);
    if (length == 0 || strchr(word, '|')) return false;
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strncmp(at, word, length) == 0 && (at[length] == '|' || at[length] == 0)) return true;
    return false;
}

static rt_status check_number(const rt_param *row, double x, bool whole, rt_error *error) {
    if (!isfinite(x)) return rt_fail(error, RT_SPEC, "%s must be a finite number.", row->name);
    if (whole && !is_whole(x))
        return rt_fail(error, RT_SPEC, "%s must be a whole number, not %.17g.", row->name, x);
    if (x >= row->min && x <= row->max) return RT_OK;
    const char *space = row->unit[0] ? " " : "";
    if (isinf(row->max))
        return rt_fail(error, RT_SPEC, "%s is %.10g, but must be at least %.10g%s%s.", row->name, x, row->min,
                       space, row->unit);
    return rt_fail(error, RT_SPEC, "%s is %.10g, but must be within %.10g ... %.10g%s%s.", row->name, x,
                   row->min, row->max, space, row->unit);
}

static rt_status check_text(const rt_param *row, const char *text, rt_error *error) {
    if (!memchr(text, 0, RT_PARAM_TEXT_MAX))
        return rt_fail(error, RT_SPEC, "%s is longer than %d bytes.", row->name, RT_PARAM_TEXT_MAX - 1);
    if (row->type == RT_PARAM_CHOICE && !is_choice(row->choices, text))
        return rt_fail(error, RT_SPEC, "%s is \"%.64s\", but must be one of %s.", row->name, text,
                       row->choices);
    return RT_OK;
}

/* Whether a value of type `given` may stand where `wanted` is asked for. */
static bool type_fits(rt_param_type wanted, rt_param_type given) {
    if (wanted == given) return true;
    if (is_text(wanted)) return is_text(given);
    if (is_list(wanted)) return is_list(given);
    return wanted != RT_PARAM_BOOL && (given == RT_PARAM_REAL || given == RT_PARAM_INT);
}

/* Adding zero turns -0 into 0, so that equal settings have equal text. */
static rt_status convert(const rt_param *row, const rt_value *given, rt_value *out, rt_error *error) {
    if (!type_fits(row->type, given->type))
        return rt_fail(error, RT_SPEC, "%s must be %s, not %s.", row->name, type_names[row->type],
                       type_names[given->type]);
    rt_value value = {.type = row->type};
    if (is_text(row->type)) {
        RT_TRY(check_text(row, given->text, error));
        snprintf(value.text, sizeof value.text, "%s", given->text);
    } else if (is_list(row->type)) {
        if (given->count < 0 || given->count > RT_PARAM_ITEMS_MAX)
            return rt_fail(error, RT_SPEC, "%s has %d entries, but at most %d are possible.", row->name,
                           given->count, RT_PARAM_ITEMS_MAX);
        value.count = given->count;
        for (int i = 0; i < given->count; i++) {
            RT_TRY(check_number(row, given->items[i], row->type == RT_PARAM_INTS, error));
            value.items[i] = given->items[i] + 0.0;
        }
    } else {
        RT_TRY(check_number(row, given->number, row->type != RT_PARAM_REAL, error));
        value.number = given->number + 0.0;
    }
    *out = value;
    return RT_OK;
}

/* ---- from text ------------------------------------------------------------------------------- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* One decimal number at *at; strtod alone would also take "inf", "nan" and "0x10". */
static bool scan_number(const char **at, double *out) {
    const char *p = *at;
    if (*p == '+' || *p == '-') p++;
    if (!((*p >= '0' && *p <= '9') || *p == '.') || (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')))
        return false;
    char *end;
    *out = strtod(*at, &end);
    if (end == *at || !isfinite(*out)) return false;
    *at = end;
    return true;
}

static bool scan_list(const char *text, rt_value *out) {
    const char *at = text + 1;
    out->count = 0;
    for (;;) {
        while (is_blank(*at)) at++;
        if (*at == ']') return at[1] == 0;
        if (out->count == RT_PARAM_ITEMS_MAX || !scan_number(&at, &out->items[out->count])) return false;
        out->count++;
        while (is_blank(*at)) at++;
        if (*at == ',') at++;
        else if (*at != ']') return false;
    }
}

/* Escapes that rt_value_format writes; *at stands behind the backslash. */
static bool scan_escape(const char **at, char *out) {
    static const char codes[] = "\"\\btnfr", meaning[] = "\"\\\b\t\n\f\r";
    const char *code = **at ? strchr(codes, **at) : NULL;
    if (code) {
        *out = meaning[code - codes];
        (*at)++;
        return true;
    }
    unsigned value;
    int used = 0;
    if (sscanf(*at, "u%4x%n", &value, &used) != 1 || used != 5 || value == 0 || value > 0x7f) return false;
    *out = (char)value;
    *at += used;
    return true;
}

static bool scan_quoted(const char *text, char out[RT_PARAM_TEXT_MAX]) {
    char quote = text[0];
    int length = 0;
    const char *at = text + 1;
    while (*at && *at != quote) {
        if (length == RT_PARAM_TEXT_MAX - 1) return false;
        if (quote == '"' && *at == '\\') {
            at++;
            if (!scan_escape(&at, &out[length])) return false;
        } else {
            out[length] = *at++;
        }
        length++;
    }
    out[length] = 0;
    return *at == quote && at[1] == 0;
}

/* The text without blanks around it; false when it is too long. */
static bool trim(const char *text, char *out, size_t size) {
    while (is_blank(*text)) text++;
    size_t length = strlen(text);
    while (length && is_blank(text[length - 1])) length--;
    if (length >= size) return false;
    memcpy(out, text, length);
    out[length] = 0;
    return true;
}

/* Text to a value of the type that `row` wants; the range is not looked at. */
static bool scan_value(rt_param_type type, const char *text, rt_value *out) {
    *out = (rt_value){.type = type};
    if (is_text(type)) {
        if (text[0] == '"' || text[0] == '\'') return scan_quoted(text, out->text);
        return snprintf(out->text, sizeof out->text, "%s", text) < RT_PARAM_TEXT_MAX;
    }
    if (is_list(type)) return text[0] == '[' && scan_list(text, out);
    if (type == RT_PARAM_BOOL) {
        out->number = strcmp(text, "true") == 0;
        return out->number == 1 || strcmp(text, "false") == 0;
    }
    return scan_number(&text, &out->number) && *text == 0;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static rt_value default_of(const rt_param *row) {
    rt_value raw = {.type = row->type, .number = row->fallback}, value = raw;
    if (is_text(row->type) || is_list(row->type)) {
        RT_ASSERT(row->text, "option %s has no default text", row->name);
        if (is_text(row->type)) snprintf(raw.text, sizeof raw.text, "%s", row->text);
        else RT_ASSERT(scan_value(row->type, row->text, &raw), "option %s: default is no list", row->name);
    }
    rt_error error = {0};
    RT_ASSERT(convert(row, &raw, &value, &error) == RT_OK, "bad default: %s", error.message);
    return value;
}

void rt_params_init(rt_params *p, const rt_param *rows, int count) {
    p->count = 0;
    rt_params_add(p, rows, count);
}

void rt_params_add(rt_params *p, const rt_param *rows, int count) {
    for (int i = 0; i < count; i++) {
        RT_ASSERT(p->count < RT_PARAMS_MAX, "more than %d options", RT_PARAMS_MAX);
        RT_ASSERT(rt_params_find(p, rows[i].name) < 0, "option %s stands twice", rows[i].name);
        p->rows[p->count] = &rows[i];
        p->values[p->count] = default_of(&rows[i]);
        p->given[p->count] = false;
        p->count++;
    }
}

/* Optimisers ask in every step: most names differ in their first letter. */
int rt_params_find(const rt_params *p, const char *name) {
    for (int i = 0; i < p->count; i++)
        if (p->rows[i]->name[0] == *name && strcmp(p->rows[i]->name, name) == 0) return i;
    return -1;
}

static rt_status unknown(const rt_params *p, const char *name, rt_error *error) {
    const char *names[RT_PARAMS_MAX];
    for (int i = 0; i < p->count; i++) names[i] = p->rows[i]->name;
    const char *near = rt_nearest_word(name, names, p->count);
    if (near)
        return rt_fail(error, RT_SPEC, "There is no option \"%.64s\" here; did you mean \"%s\"?", name, near);
    return rt_fail(error, RT_SPEC, "There is no option \"%.64s\" here.", name);
}

rt_status rt_params_set(rt_params *p, const char *name, const rt_value *value, rt_error *error) {
    int i = rt_params_find(p, name);
    if (i < 0) return unknown(p, name, error);
    RT_TRY(convert(p->rows[i], value, &p->values[i], error));
    p->given[i] = true;
    return RT_OK;
}

rt_status rt_params_set_text(rt_params *p, const char *name, const char *text, rt_error *error) {
    int i = rt_params_find(p, name);
    if (i < 0) return unknown(p, name, error);
    char trimmed[6 * RT_PARAM_TEXT_MAX + 3]; /* every byte escaped, in quotes */
    rt_value value;
    if (!trim(text, trimmed, sizeof trimmed) || !scan_value(p->rows[i]->type, trimmed, &value)) {
        if (is_text(p->rows[i]->type))
            return rt_fail(error, RT_SPEC, "%s must be a text of at most %d bytes, with the quotes closed.",
                           name, RT_PARAM_TEXT_MAX - 1);
        if (is_list(p->rows[i]->type))
            return rt_fail(error, RT_SPEC,
                           "%s must be %s like [30, 30] with at most %d entries, not \"%.64s\".", name,
                           type_names[p->rows[i]->type], RT_PARAM_ITEMS_MAX, text);
        return rt_fail(error, RT_SPEC, "%s must be %s, not \"%.64s\".", name, type_names[p->rows[i]->type],
                       text);
    }
    return rt_params_set(p, name, &value, error);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const rt_value *read_value(const rt_params *p, const char *name, rt_param_type a, rt_param_type b) {
    int i = rt_params_find(p, name);
    RT_ASSERT(i >= 0, "there is no option \"%s\"", name);
    rt_param_type type = p->rows[i]->type;
    RT_ASSERT(type == a || type == b, "option \"%s\" is %s", name, type_names[type]);
    return &p->values[i];
}

double rt_params_real(const rt_params *p, const char *name) {
    return read_value(p, name, RT_PARAM_REAL, RT_PARAM_INT)->number;
}

int64_t rt_params_int(const rt_params *p, const char *name) {
    return (int64_t)read_value(p, name, RT_PARAM_INT, RT_PARAM_INT)->number;
}

bool rt_params_bool(const rt_params *p, const char *name) {
    return read_value(p, name, RT_PARAM_BOOL, RT_PARAM_BOOL)->number != 0;
}

const char *rt_params_text(const rt_params *p, const char *name) {
    return read_value(p, name, RT_PARAM_CHOICE, RT_PARAM_TEXT)->text;
}

const rt_value *rt_params_list(const rt_params *p, const char *name) {
    return read_value(p, name, RT_PARAM_INTS, RT_PARAM_REALS);
}

/* ---- to text --------------------------------------------------------------------------------- */

static int format_number(double x, char out[32]) {
    if (is_whole(x) && fabs(x) < 1e15) return snprintf(out, 32, "%.0f", x);
    int length = 0;
    for (int digits = 1; digits <= 17; digits++) {
        length = snprintf(out, 32, "%.*g", digits, x);
        if (strtod(out, NULL) == x) break;
    }
    return length;
}

/* Appends to buffer as far as it is large enough; *length is what would be there. */
static void put(char *buffer, size_t size, size_t *length, const char *piece) {
    size_t room = *length < size ? size - *length : 0;
    snprintf(room ? buffer + *length : NULL, room, "%s", piece);
    *length += strlen(piece);
}

static void put_quoted(char *buffer, size_t size, size_t *length, const char *text) {
    static const char codes[] = "\"\\btnfr", meaning[] = "\"\\\b\t\n\f\r";
    put(buffer, size, length, "\"");
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        const char *special = strchr(meaning, *at);
        char piece[8] = {*at, 0};
        if (special) snprintf(piece, sizeof piece, "\\%c", codes[special - meaning]);
        else if (c < 0x20 || c == 0x7f) snprintf(piece, sizeof piece, "\\u%04x", c);
        put(buffer, size, length, piece);
    }
    put(buffer, size, length, "\"");
}

int rt_value_format(const rt_value *value, char *buffer, size_t size) {
    size_t length = 0;
    char number[32];
    if (size) buffer[0] = 0;
    if (is_text(value->type)) {
        put_quoted(buffer, size, &length, value->text);
    } else if (is_list(value->type)) {
        put(buffer, size, &length, "[");
        for (int i = 0; i < value->count; i++) {
            if (i) put(buffer, size, &length, ", ");
            format_number(value->items[i], number);
            put(buffer, size, &length, number);
        }
        put(buffer, size, &length, "]");
    } else if (value->type == RT_PARAM_BOOL) {
        put(buffer, size, &length, value->number != 0 ? "true" : "false");
    } else {
        format_number(value->number, number);
        put(buffer, size, &length, number);
    }
    return (int)length;
}
