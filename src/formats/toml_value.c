/* toml_value.c - strings, numbers, arrays of TOML. See toml_parser.h.  Floor 6 (formats) */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/reader.h"
#include "formats/toml_parser.h"
#include "retort/alloc.h"

#define CHUNK_BYTES 4096

/* ---- messages, memory, blanks ---------------------------------------------------------------- */

rt_status rti_toml_fail(const rti_toml_parser *p, const char *at, const char *format, ...) {
    char message[sizeof p->error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return rti_fail_at(p->error, p->name, p->text, (size_t)(at - p->text), "%s", message);
}

rt_status rti_toml_fail_unexpected(const rti_toml_parser *p, const char *wanted) {
    char buffer[16];
    return rti_toml_fail(p, p->at, "%s where %s is expected", rti_show_character(p->at, p->end, buffer),
                         wanted);
}

rt_status rti_toml_fail_memory(const rti_toml_parser *p) {
    return rt_fail(p->error, RT_MEMORY, "%s: not enough memory to read it", p->name);
}

void *rti_toml_grow(void *array, size_t count, size_t size) {
    if (array && (count < 16 || (count & (count - 1)) != 0)) return array;
    return rt_realloc(array, (count < 16 ? 16 : 2 * count) * size);
}

char *rti_toml_keep(rti_toml_parser *p, const char *bytes, size_t count) {
    if (count > p->chunk_left) {
        size_t chunk_bytes = count > CHUNK_BYTES ? count : CHUNK_BYTES;
        p->chunk_left = 0;
        p->chunk = rti_arena_alloc(&p->arena, chunk_bytes);
        if (!p->chunk) return NULL;
        p->chunk_left = chunk_bytes;
    }
    char *kept = p->chunk;
    memcpy(kept, bytes, count);
    p->chunk += count;
    p->chunk_left -= count;
    return kept;
}

int rti_toml_peek(const rti_toml_parser *p) { return p->at < p->end ? (unsigned char)*p->at : -1; }

void rti_toml_skip_blanks(rti_toml_parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t')) p->at++;
}

bool rti_toml_skip_newline(rti_toml_parser *p) {
    size_t length = rti_toml_peek(p) == '\r' ? 2 : 1;
    if ((size_t)(p->end - p->at) < length || p->at[length - 1] != '\n') return false;
    p->at += length;
    p->line++;
    return true;
}

static bool is_control(int c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7F; }

rt_status rti_toml_skip_comment(rti_toml_parser *p) {
    if (rti_toml_peek(p) != '#') return RT_OK;
    while (p->at < p->end && !is_control(rti_toml_peek(p))) p->at++;
    int c = rti_toml_peek(p);
    if (c < 0 || c == '\n' || (c == '\r' && p->end - p->at > 1 && p->at[1] == '\n')) return RT_OK;
    return rti_toml_fail(p, p->at, "the control character 0x%02X inside a comment: remove it", (unsigned)c);
}

/* ---- strings --------------------------------------------------------------------------------- */

/* At a backslash; the bytes it stands for go to `to`. */
static rt_status parse_escape(rti_toml_parser *p, char **to) {
    static const char letters[] = "btnfr\"\\", meanings[] = "\b\t\n\f\r\"\\";
    const char *escape = p->at++;
    int letter = rti_toml_peek(p);
    const char *found = letter > 0 ? strchr(letters, letter) : NULL;
    if (found) {
        *(*to)++ = meanings[found - letters];
        p->at++;
        return RT_OK;
    }
    if (letter != 'u' && letter != 'U')
        return rti_toml_fail(p, escape,
                             "an escape that TOML does not know: write \\\\ for a backslash, or use "
                             "single quotes");
    p->at++;
    int digits = letter == 'u' ? 4 : 8;
    uint32_t point;
    if (!rti_hex_parse(p->at, p->end, digits, &point))
        return rti_toml_fail(p, escape, "\\%c needs %d hexadecimal digits", letter, digits);
    if (point == 0) return rti_toml_fail(p, escape, "a zero character is not read here");
    int length = rti_utf8_encode(point, *to);
    if (length == 0) return rti_toml_fail(p, escape, "no Unicode character has this number");
    *to += length;
    p->at += digits;
    return RT_OK;
}

/* The quote that ends the string, or NULL; `escapes` says whether a backslash protects it. */
static const char *find_end(const rti_toml_parser *p, char quote, bool escapes) {
    for (const char *s = p->at + 1; s < p->end && *s != '\n'; s++) {
        if (*s == quote) return s;
        if (escapes && *s == '\\') s++;
    }
    return NULL;
}

rt_status rti_toml_parse_string(rti_toml_parser *p, const char **string, size_t *length) {
    const char *start = p->at;
    char quote = *start;
    if (p->end - start >= 3 && start[1] == quote && start[2] == quote)
        return rti_toml_fail(p, start, "multi-line strings are not read here: write it on one line");
    const char *end = find_end(p, quote, quote == '"');
    if (!end) return rti_toml_fail(p, start, "the string that starts here does not end on its line");
    /* Decoded it is not longer than its spelling: keep that, then write over it. */
    char *first = rti_toml_keep(p, start, (size_t)(end - start));
    if (!first) return rti_toml_fail_memory(p);
    char *to = first;
    p->at++;
    while (p->at < end) {
        if (is_control(rti_toml_peek(p)))
            return rti_toml_fail(p, p->at,
                                 "a control character inside a string: write it as \\u%04X in double "
                                 "quotes",
                                 (unsigned)rti_toml_peek(p));
        if (quote == '"' && *p->at == '\\')
            RT_TRY(parse_escape(p, &to));
        else
            *to++ = *p->at++;
    }
    p->at++;
    *to = 0;
    *string = first;
    *length = (size_t)(to - first);
    return RT_OK;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool is_digit(char c, int base) {
    if (base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return true;
    return c >= '0' && c <= '9' && c - '0' < base;
}

/* Digits with single underscores between them, from *at on; appended without the underscores.
 * False when there is none or an underscore is in the wrong place. */
static bool take_digits(const char **at, const char *end, int base, char *out, size_t *length) {
    const char *s = *at;
    if (s == end || !is_digit(*s, base)) return false;
    for (; s < end && (is_digit(*s, base) || *s == '_'); s++) {
        if (*s != '_')
            out[(*length)++] = *s;
        else if (s + 1 == end || !is_digit(s[1], base))
            return false;
    }
    *at = s;
    return true;
}

static rt_status finish_integer(rti_toml_parser *p, const char *start, const char *digits, size_t length,
                                int base, rti_toml_value *value) {
    value->type = RTI_TOML_INTEGER;
    if (!rti_integer_parse(digits, length, base, &value->integer))
        return rti_toml_fail(p, start, "an integer that does not fit 64 bits");
    value->number = (double)value->integer;
    return RT_OK;
}

/* The word from `start` to `end` as a number: false when it is not spelt like one. */
static bool parse_number_word(rti_toml_parser *p, const char *start, const char *end, rti_toml_value *value,
                              rt_status *status) {
    char digits[RTI_NUMBER_MAX + 1];
    size_t length = 0;
    const char *s = start;
    if (end - s > 2 && *s == '0' && (s[1] == 'x' || s[1] == 'o' || s[1] == 'b')) {
        int base = s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : 2;
        s += 2;
        if (!take_digits(&s, end, base, digits, &length) || s != end) return false;
        *status = finish_integer(p, start, digits, length, base, value);
        return true;
    }
    if (*s == '+' || *s == '-') digits[length++] = *s++;
    const char *whole = s;
    if (!take_digits(&s, end, 10, digits, &length) || (*whole == '0' && s - whole > 1)) return false;
    if (s == end) {
        *status = finish_integer(p, start, digits, length, 10, value);
        return true;
    }
    if (*s == '.') {
        digits[length++] = *s++;
        if (!take_digits(&s, end, 10, digits, &length)) return false;
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        digits[length++] = *s++;
        if (s < end && (*s == '+' || *s == '-')) digits[length++] = *s++;
        if (!take_digits(&s, end, 10, digits, &length)) return false;
    }
    if (s != end) return false;
    value->type = RTI_TOML_FLOAT;
    *status = rti_number_parse(digits, length, &value->number)
                  ? RT_OK
                  : rti_toml_fail(p, start, "a number that is too large for a double");
    return true;
}

static bool is_word(const char *start, const char *end, const char *word) {
    return (size_t)(end - start) == strlen(word) && memcmp(start, word, strlen(word)) == 0;
}

/* What is written without quotes: a boolean, a number, or a mistake that deserves a good answer. */
static rt_status parse_bare(rti_toml_parser *p, rti_toml_value *value) {
    const char *start = p->at, *end = start;
    while (end < p->end && (unsigned char)*end > 0x20 && !strchr(",]}#=[{\"'", *end)) end++;
    if (end == start) return rti_toml_fail_unexpected(p, "a value");
    int shown = (int)rti_utf8_valid(start, end - start > 40 ? 40 : (size_t)(end - start));
    if (end - start > RTI_NUMBER_MAX)
        return rti_toml_fail(p, start, "a value of more than %d characters: quote it", RTI_NUMBER_MAX);
    p->at = end;
    bool yes = is_word(start, end, "true");
    if (yes || is_word(start, end, "false")) {
        value->type = RTI_TOML_BOOL;
        value->integer = yes;
        value->number = yes;
        return RT_OK;
    }
    rt_status status = RT_OK;
    if (parse_number_word(p, start, end, value, &status)) return status;
    const char *unsigned_start = start + (*start == '+' || *start == '-');
    if (is_word(unsigned_start, end, "inf") || is_word(unsigned_start, end, "nan"))
        return rti_toml_fail(p, start, "%.*s is not read here: write a finite number", shown, start);
    char first = unsigned_start < end ? *unsigned_start : 0;
    bool digit = first >= '0' && first <= '9';
    if (digit && end - start > 4 && (start[4] == '-' || start[2] == ':'))
        return rti_toml_fail(p, start, "dates and times are not read here: put it in quotes");
    if (digit || first == '.')
        return rti_toml_fail(p, start,
                             "%.*s is no number of TOML: write 10, 0.5 or 1e-3, no zeros before, digits on "
                             "both sides of the point",
                             shown, start);
    return rti_toml_fail(p, start, "%.*s is no value: a string needs quotes, a boolean is true or false",
                         shown, start);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

/* Between the values of an array lines may end and comments stand. */
static rt_status skip_in_array(rti_toml_parser *p) {
    do {
        rti_toml_skip_blanks(p);
        RT_TRY(rti_toml_skip_comment(p));
    } while (rti_toml_skip_newline(p));
    return RT_OK;
}

/* Collects into *items, which grows; the caller frees it. */
static rt_status parse_items(rti_toml_parser *p, int depth, rti_toml_value **items, int *count) {
    const char *open = p->at++;
    for (;;) {
        RT_TRY(skip_in_array(p));
        int c = rti_toml_peek(p);
        if (c < 0) return rti_toml_fail(p, open, "the array that starts here never ends: close it with ]");
        if (c == ']') break;
        if (c == '{')
            return rti_toml_fail(p, p->at, "tables inside arrays are not read here: give each table a name");
        rti_toml_value *grown = rti_toml_grow(*items, (size_t)*count, sizeof *grown);
        if (!grown) return rti_toml_fail_memory(p);
        *items = grown;
        rti_toml_value item = {0};
        RT_TRY(rti_toml_parse_value(p, depth + 1, &item));
        (*items)[(*count)++] = item;
        RT_TRY(skip_in_array(p));
        c = rti_toml_peek(p);
        if (c == ',')
            p->at++;
        else if (c >= 0 && c != ']')
            return rti_toml_fail_unexpected(p, "',' or ']'");
    }
    p->at++;
    return RT_OK;
}

static rt_status parse_array(rti_toml_parser *p, int depth, rti_toml_value *value) {
    if (depth >= RTI_TOML_ARRAY_DEPTH_MAX)
        return rti_toml_fail(p, p->at, "arrays nested more than %d deep are not read here",
                             RTI_TOML_ARRAY_DEPTH_MAX);
    rti_toml_value *items = NULL;
    int count = 0;
    rt_status status = parse_items(p, depth, &items, &count);
    if (status == RT_OK && count > 0) {
        rti_toml_value *kept = rti_arena_alloc(&p->arena, (size_t)count * sizeof *kept);
        if (kept)
            memcpy(kept, items, (size_t)count * sizeof *kept);
        else
            status = rti_toml_fail_memory(p);
        value->items = kept;
    }
    rt_free(items);
    value->type = RTI_TOML_ARRAY;
    value->count = count;
    return status;
}

rt_status rti_toml_parse_value(rti_toml_parser *p, int depth, rti_toml_value *value) {
    value->line = p->line;
    int c = rti_toml_peek(p);
    if (c == '[') return parse_array(p, depth, value);
    if (c != '"' && c != '\'') return parse_bare(p, value);
    size_t length;
    value->type = RTI_TOML_STRING;
    return rti_toml_parse_string(p, &value->string, &length);
}
