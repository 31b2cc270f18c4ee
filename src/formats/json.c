/* json.c - the reader of JSON. See json.h; the writer is json_writer.c. Floor 6 (formats)
 *
 * One pass. The values of an open array or object wait on a stack; when it closes they move, side
 * by side, into the arena. A decoded string is never longer than its spelling, so all of them fit
 * into one block as long as the text. */
#include "formats/json.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "formats/reader.h"
#include "retort/alloc.h"

typedef struct storage {
    rti_arena arena;
    char *strings;
} storage;

typedef struct waiting {
    rti_json value;
    const char *key;
    size_t key_offset;
} waiting;

typedef struct parser {
    const char *name, *text, *at, *end;
    rt_error *error;
    storage *storage;
    char *next_string;
    waiting *stack;
    size_t count, capacity;
} parser;

static rt_status fail(const parser *p, const char *at, const char *what) {
    return rti_fail_at(p->error, p->name, p->text, (size_t)(at - p->text), "%s", what);
}

static rt_status fail_unexpected(const parser *p, const char *wanted) {
    char buffer[16];
    return rti_fail_at(p->error, p->name, p->text, (size_t)(p->at - p->text), "%s where %s is expected",
                       rti_show_character(p->at, p->end, buffer), wanted);
}

static rt_status fail_memory(const parser *p) {
    return rt_fail(p->error, RT_MEMORY, "%s: not enough memory to read it", p->name);
}

/* The next byte, or -1 at the end. */
static int peek(const parser *p) { return p->at < p->end ? (unsigned char)*p->at : -1; }

static void skip_space(parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t')) p->at++;
}

/* ---- strings --------------------------------------------------------------------------------- */

/* Behind "\u": four digits, or a pair of surrogates. */
static rt_status parse_unicode(parser *p, const char *escape) {
    uint32_t point, low;
    if (!rti_hex_parse(p->at, p->end, 4, &point)) return fail(p, escape, "\\u needs four hexadecimal digits");
    p->at += 4;
    if (point >= 0xD800 && point <= 0xDBFF) {
        if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u' ||
            !rti_hex_parse(p->at + 2, p->end, 4, &low) || low < 0xDC00 || low > 0xDFFF)
            return fail(p, escape, "the first half of a surrogate pair without the second");
        p->at += 6;
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    int length = rti_utf8_encode(point, p->next_string);
    if (length == 0) return fail(p, escape, "the second half of a surrogate pair without the first");
    p->next_string += length;
    return RT_OK;
}

static rt_status parse_escape(parser *p) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *escape = p->at++;
    int letter = peek(p);
    const char *found = letter > 0 ? strchr(letters, letter) : NULL;
    if (found) {
        *p->next_string++ = meanings[found - letters];
        p->at++;
        return RT_OK;
    }
    if (letter != 'u') return fail(p, escape, "an escape that JSON does not know");
    p->at++;
    return parse_unicode(p, escape);
}

/* At the opening quote. */
static rt_status parse_string(parser *p, const char **string, size_t *length) {
    const char *start = p->at++;
    char *first = p->next_string;
    for (;;) {
        int c = peek(p);
        if (c < 0) return fail(p, start, "the string that starts here never ends");
        if (c == '"') break;
        if (c < 0x20) return fail(p, p->at, "a control character inside a string: write it as an escape");
        if (c == '\\') {
            RT_TRY(parse_escape(p));
        } else {
            *p->next_string++ = (char)c;
            p->at++;
        }
    }
    p->at++;
    *length = (size_t)(p->next_string - first);
    *p->next_string++ = 0;
    *string = first;
    return RT_OK;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void skip_digits(parser *p) {
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') p->at++;
}

static rt_status parse_number(parser *p, rti_json *value) {
    const char *start = p->at;
    if (peek(p) == '-') p->at++;
    const char *whole = p->at;
    skip_digits(p);
    if (p->at == whole) return fail_unexpected(p, "a digit");
    if (*whole == '0' && p->at - whole > 1) return fail(p, whole, "a number with a leading zero");
    bool integer = true;
    if (peek(p) == '.') {
        integer = false;
        const char *fraction = ++p->at;
        skip_digits(p);
        if (p->at == fraction) return fail_unexpected(p, "a digit after the point");
    }
    if (peek(p) == 'e' || peek(p) == 'E') {
        integer = false;
        p->at++;
        if (peek(p) == '-' || peek(p) == '+') p->at++;
        const char *exponent = p->at;
        skip_digits(p);
        if (p->at == exponent) return fail_unexpected(p, "a digit of the exponent");
    }
    size_t length = (size_t)(p->at - start);
    value->type = RTI_JSON_NUMBER;
    if (!rti_number_parse(start, length, &value->number))
        return fail(p, start, "a number that is too large for a double, or too long");
    value->is_integer = integer && rti_integer_parse(start, length, 10, &value->integer);
    return RT_OK;
}

/* ---- arrays, objects, values ----------------------------------------------------------------- */

static rt_status push(parser *p, const waiting *item) {
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 64;
        waiting *grown = capacity <= SIZE_MAX / 4 / sizeof *grown
                             ? rt_realloc(p->stack, capacity * sizeof *grown)
                             : NULL;
        if (!grown) return fail_memory(p);
        p->stack = grown;
        p->capacity = capacity;
    }
    p->stack[p->count++] = *item;
    return RT_OK;
}

static int compare_keys(const void *left, const void *right) {
    const waiting *a = *(const waiting *const *)left, *b = *(const waiting *const *)right;
    int order = strcmp(a->key, b->key);
    return order ? order : (a->key_offset > b->key_offset) - (a->key_offset < b->key_offset);
}

/* Sorted, equal keys are neighbours: a hostile object of a million keys takes no longer than a second. */
static rt_status refuse_duplicates(parser *p, const waiting *members, size_t count) {
    if (count < 2) return RT_OK;
    const waiting **order = rt_alloc(count * sizeof *order);
    if (!order) return fail_memory(p);
    for (size_t i = 0; i < count; i++) order[i] = &members[i];
    qsort(order, count, sizeof *order, compare_keys);
    const waiting *again = NULL;
    for (size_t i = 1; i < count; i++)
        if (strcmp(order[i - 1]->key, order[i]->key) == 0 &&
            (!again || order[i]->key_offset < again->key_offset))
            again = order[i];
    rt_free(order);
    if (!again) return RT_OK;
    return rti_fail_at(p->error, p->name, p->text, again->key_offset, "the key \"%.60s\" is there twice",
                       again->key);
}

/* Moves the values above `base` from the stack into the arena. */
static rt_status close_container(parser *p, size_t base, rti_json *value) {
    size_t count = p->count - base;
    const waiting *members = p->stack + base;
    p->count = base;
    if (count == 0) return RT_OK;
    if (count > INT32_MAX) return fail(p, p->at, "more members than can be counted");
    rti_json *items = rti_arena_alloc(&p->storage->arena, count * sizeof *items);
    if (!items) return fail_memory(p);
    for (size_t i = 0; i < count; i++) items[i] = members[i].value;
    value->items = items;
    value->count = (int)count;
    if (value->type == RTI_JSON_ARRAY) return RT_OK;
    RT_TRY(refuse_duplicates(p, members, count));
    const char **keys = rti_arena_alloc(&p->storage->arena, count * sizeof *keys);
    if (!keys) return fail_memory(p);
    for (size_t i = 0; i < count; i++) keys[i] = members[i].key;
    value->keys = keys;
    return RT_OK;
}

static rt_status parse_value(parser *p, int depth, rti_json *value);

static rt_status parse_key(parser *p, waiting *member) {
    if (peek(p) != '"') return fail_unexpected(p, "a key in double quotes");
    member->key_offset = (size_t)(p->at - p->text);
    size_t length;
    RT_TRY(parse_string(p, &member->key, &length));
    if (strlen(member->key) != length)
        return fail(p, p->text + member->key_offset, "a key with a zero character inside");
    skip_space(p);
    if (peek(p) != ':') return fail_unexpected(p, "':'");
    p->at++;
    skip_space(p);
    return RT_OK;
}

static rt_status parse_container(parser *p, int depth, rti_json *value) {
    char close = value->type == RTI_JSON_OBJECT ? '}' : ']';
    const char *open = p->at++;
    if (depth >= RTI_JSON_DEPTH_MAX) return fail(p, open, "nested more than 64 deep");
    size_t base = p->count;
    skip_space(p);
    if (peek(p) == close) {
        p->at++;
        return RT_OK;
    }
    for (;;) {
        waiting member = {0};
        if (value->type == RTI_JSON_OBJECT) RT_TRY(parse_key(p, &member));
        RT_TRY(parse_value(p, depth + 1, &member.value));
        RT_TRY(push(p, &member));
        skip_space(p);
        int c = peek(p);
        if (c != ',' && c != close) return fail_unexpected(p, close == '}' ? "',' or '}'" : "',' or ']'");
        p->at++;
        if (c == close) return close_container(p, base, value);
        skip_space(p);
    }
}

static bool take_word(parser *p, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0) return false;
    p->at += length;
    return true;
}

static rt_status parse_value(parser *p, int depth, rti_json *value) {
    int c = peek(p);
    if (c == '{' || c == '[') {
        value->type = c == '{' ? RTI_JSON_OBJECT : RTI_JSON_ARRAY;
        return parse_container(p, depth, value);
    }
    if (c == '"') {
        value->type = RTI_JSON_STRING;
        return parse_string(p, &value->string, &value->string_length);
    }
    if (c == '-' || (c >= '0' && c <= '9')) return parse_number(p, value);
    if (take_word(p, "null")) return RT_OK;
    value->type = RTI_JSON_BOOL;
    value->boolean = c == 't';
    if (take_word(p, "true") || take_word(p, "false")) return RT_OK;
    return fail_unexpected(p, "a value");
}

static rt_status parse_document(parser *p, rti_json *root) {
    size_t length = (size_t)(p->end - p->text);
    size_t valid = rti_utf8_valid(p->text, length);
    if (valid < length) return fail(p, p->text + valid, "invalid UTF-8: is it the right file?");
    p->storage->strings = rt_alloc(length + 1);
    if (!p->storage->strings) return fail_memory(p);
    p->next_string = p->storage->strings;
    skip_space(p);
    RT_TRY(parse_value(p, 0, root));
    skip_space(p);
    return p->at == p->end ? RT_OK : fail_unexpected(p, "the end of the file");
}

rt_status rti_json_parse(rti_json_document *document, const char *text, size_t length, const char *name,
                         rt_error *error) {
    *document = (rti_json_document){0};
    storage *kept = rt_alloc_zero(1, sizeof *kept);
    if (!kept) return rt_fail(error, RT_MEMORY, "%s: not enough memory to read it", name);
    rti_arena_init(&kept->arena);
    document->memory = kept;
    parser p = {
        .name = name, .text = text, .at = text, .end = text + length, .error = error, .storage = kept};
    rt_status status = parse_document(&p, &document->root);
    rt_free(p.stack);
    if (status != RT_OK) rti_json_deinit(document);
    return status;
}

void rti_json_deinit(rti_json_document *document) {
    storage *kept = document->memory;
    if (kept) {
        rti_arena_deinit(&kept->arena);
        rt_free(kept->strings);
        rt_free(kept);
    }
    *document = (rti_json_document){0};
}

/* ---- looking things up ----------------------------------------------------------------------- */

const rti_json *rti_json_get(const rti_json *object, const char *key) {
    if (!object || object->type != RTI_JSON_OBJECT) return NULL;
    for (int i = 0; i < object->count; i++)
        if (strcmp(object->keys[i], key) == 0) return &object->items[i];
    return NULL;
}

double rti_json_number(const rti_json *object, const char *key, double fallback) {
    const rti_json *value = rti_json_get(object, key);
    return value && value->type == RTI_JSON_NUMBER ? value->number : fallback;
}

const char *rti_json_string(const rti_json *object, const char *key, const char *fallback) {
    const rti_json *value = rti_json_get(object, key);
    return value && value->type == RTI_JSON_STRING ? value->string : fallback;
}
