/* toml.c - the reader of a subset of TOML: keys, tables, the flat result. See toml.h; values are in
 * toml_value.c.                                                        Floor 6 (formats)
 *
 * Every path that is defined, also in passing, is a node of a hash table that remembers how: that
 * decides what may still be added to it, by the rules of TOML 1.0 (a little stricter: dotted keys
 * cannot add to a table that a [header] mentions). */
#include "formats/toml.h"

#include <string.h>

#include "core/file.h"
#include "core/hash.h"
#include "formats/reader.h"
#include "formats/toml_parser.h"
#include "retort/alloc.h"

#define FILE_MAX ((size_t)1 << 20)

/* ---- paths ----------------------------------------------------------------------------------- */

typedef enum node_kind {
    NODE_QUOTED, /* ends inside a quoted key: "a.b" passes a */
    NODE_PASSED, /* named on the way by a [header] */
    NODE_HEADER, /* a [header] of its own */
    NODE_DOTTED, /* made by a dotted key in section `section` */
    NODE_INLINE, /* an inline table: complete */
    NODE_VALUE
} node_kind;

struct rti_toml_node {
    const char *path; /* length bytes of it, in the arena */
    size_t length;
    node_kind kind;
    int section, line;
};

static uint64_t slot_of(const rti_toml_parser *p, const char *path, size_t length) {
    uint64_t slot = rti_hash64(0, path, length) & (p->node_slots - 1);
    while (p->nodes[slot].path &&
           (p->nodes[slot].length != length || memcmp(p->nodes[slot].path, path, length) != 0))
        slot = (slot + 1) & (p->node_slots - 1);
    return slot;
}

static rti_toml_node *find_node(const rti_toml_parser *p, const char *path, size_t length) {
    if (p->node_slots == 0) return NULL;
    rti_toml_node *node = &p->nodes[slot_of(p, path, length)];
    return node->path ? node : NULL;
}

static rt_status grow_nodes(rti_toml_parser *p) {
    rti_toml_parser old = *p;
    p->node_slots = old.node_slots ? 2 * old.node_slots : 256;
    p->nodes = rt_alloc_zero(p->node_slots, sizeof *p->nodes);
    if (!p->nodes) {
        p->nodes = old.nodes;
        p->node_slots = old.node_slots;
        return rti_toml_fail_memory(p);
    }
    for (size_t i = 0; i < old.node_slots; i++)
        if (old.nodes[i].path) p->nodes[slot_of(p, old.nodes[i].path, old.nodes[i].length)] = old.nodes[i];
    rt_free(old.nodes);
    return RT_OK;
}

static rt_status add_node(rti_toml_parser *p, const char *path, size_t length, node_kind kind, int line) {
    if (2 * (p->node_count + 1) > p->node_slots) RT_TRY(grow_nodes(p));
    p->nodes[slot_of(p, path, length)] = (rti_toml_node){path, length, kind, p->section, line};
    p->node_count++;
    return RT_OK;
}

static rt_status fail_defined(const rti_toml_parser *p, const rti_toml_key *key, const rti_toml_node *node) {
    static const char *const what[] = {[NODE_QUOTED] = "a table that a quoted key makes",
                                       [NODE_PASSED] = "a table that a [header] makes",
                                       [NODE_HEADER] = "a [header]",
                                       [NODE_DOTTED] = "a table that dotted keys make",
                                       [NODE_INLINE] = "an inline table, which is complete",
                                       [NODE_VALUE] = "a value"};
    return rti_toml_fail(p, key->start, "%.*s is already %s, on line %d: keep one of the two",
                         (int)node->length, node->path, what[node->kind], node->line);
}

/* Goes over the tables on the way to the last part of the key, from byte `from` of its path on. */
static rt_status pass_tables(rti_toml_parser *p, const rti_toml_key *key, size_t from, bool header) {
    for (size_t i = from; i < key->length; i++) {
        if (key->path[i] != '.') continue;
        bool quoted = !key->is_end[i];
        rti_toml_node *node = find_node(p, key->path, i);
        if (!node) {
            node_kind kind = quoted ? NODE_QUOTED : header ? NODE_PASSED : NODE_DOTTED;
            RT_TRY(add_node(p, key->path, i, kind, key->line));
        } else if (node->kind == NODE_VALUE || node->kind == NODE_INLINE) {
            return fail_defined(p, key, node);
        } else if (!quoted && node->kind == NODE_QUOTED) {
            node->kind = header ? NODE_PASSED : NODE_DOTTED;
            node->section = p->section;
        } else if (!quoted && !header && (node->kind != NODE_DOTTED || node->section != p->section)) {
            return fail_defined(p, key, node);
        }
    }
    return RT_OK;
}

/* Defines the whole path of a key, value or inline table. */
static rt_status define(rti_toml_parser *p, const rti_toml_key *key, size_t from, node_kind kind) {
    RT_TRY(pass_tables(p, key, from, false));
    rti_toml_node *node = find_node(p, key->path, key->length);
    return node ? fail_defined(p, key, node) : add_node(p, key->path, key->length, kind, key->line);
}

static rt_status define_header(rti_toml_parser *p, const rti_toml_key *key) {
    RT_TRY(pass_tables(p, key, 0, true));
    rti_toml_node *node = find_node(p, key->path, key->length);
    if (!node) return add_node(p, key->path, key->length, NODE_HEADER, key->line);
    if (node->kind != NODE_PASSED && node->kind != NODE_QUOTED) return fail_defined(p, key, node);
    node->kind = NODE_HEADER;
    node->line = key->line;
    return RT_OK;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool is_bare(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* One part of a dotted key, onto the end of the path. */
static rt_status parse_key_part(rti_toml_parser *p, rti_toml_key *key, char path[]) {
    const char *start = p->at, *part = p->at;
    size_t length;
    int c = rti_toml_peek(p);
    if (c == '"' || c == '\'') {
        RT_TRY(rti_toml_parse_string(p, &part, &length));
        for (size_t i = 0; i < length; i++)
            if ((unsigned char)part[i] < 0x20 || part[i] == 0x7F)
                return rti_toml_fail(p, start, "a control character inside a key: name it without");
    } else {
        while (is_bare(rti_toml_peek(p))) p->at++;
        length = (size_t)(p->at - start);
        if (length == 0) return rti_toml_fail_unexpected(p, "a key");
    }
    if (length == 0) return rti_toml_fail(p, start, "an empty key is not read here: name it");
    size_t dot = key->length ? 1 : 0;
    if (key->length + dot + length > RTI_TOML_PATH_MAX)
        return rti_toml_fail(p, start, "the key, with its section, is longer than %d bytes: shorten it",
                             RTI_TOML_PATH_MAX);
    if (dot) {
        key->is_end[key->length] = true;
        path[key->length++] = '.';
    }
    memcpy(path + key->length, part, length);
    key->length += length;
    return RT_OK;
}

/* A dotted key. Its path is that of the table it stands in, a dot, and its parts. */
static rt_status parse_key(rti_toml_parser *p, const rti_toml_key *table, rti_toml_key *key) {
    char path[RTI_TOML_PATH_MAX + 1];
    *key = (rti_toml_key){.start = p->at, .line = p->line};
    if (table) {
        key->length = table->length;
        memcpy(path, table->path, table->length);
        memcpy(key->is_end, table->is_end, table->length);
    }
    for (;;) {
        RT_TRY(parse_key_part(p, key, path));
        rti_toml_skip_blanks(p);
        if (rti_toml_peek(p) != '.') break;
        p->at++;
        rti_toml_skip_blanks(p);
    }
    path[key->length] = 0;
    char *kept = rti_toml_keep(p, path, key->length + 1);
    if (!kept) return rti_toml_fail_memory(p);
    key->path = kept;
    return RT_OK;
}

/* ---- entries --------------------------------------------------------------------------------- */

static int column_of(const rti_toml_parser *p, const char *at) {
    int column = 1;
    for (; at > p->text && at[-1] != '\n'; at--)
        if (((unsigned char)at[-1] & 0xC0) != 0x80) column++;
    return column;
}

static rt_status add_table(rti_toml_parser *p, const rti_toml_key *key) {
    rti_toml_table *tables = rti_toml_grow(p->tables, (size_t)p->table_count, sizeof *tables);
    if (!tables) return rti_toml_fail_memory(p);
    p->tables = tables;
    p->tables[p->table_count++] = (rti_toml_table){key->path, key->line};
    return RT_OK;
}

static rt_status add_entry(rti_toml_parser *p, const rti_toml_key *key, int column,
                           const rti_toml_value *value) {
    rti_toml_entry *entries = rti_toml_grow(p->entries, (size_t)p->count, sizeof *entries);
    if (!entries) return rti_toml_fail_memory(p);
    p->entries = entries;
    p->entries[p->count++] = (rti_toml_entry){key->path, *value, key->line, column};
    return RT_OK;
}

static rt_status parse_assignment(rti_toml_parser *p, const rti_toml_key *table, int depth);

/* { a = 1, b.c = 2 }: on one line, without a comma at the end; its keys become entries. */
static rt_status parse_inline_table(rti_toml_parser *p, const rti_toml_key *key, int depth) {
    if (depth >= RTI_TOML_DEPTH_MAX)
        return rti_toml_fail(p, p->at, "inline tables nested more than %d deep", RTI_TOML_DEPTH_MAX);
    p->at++;
    rti_toml_skip_blanks(p);
    if (rti_toml_peek(p) == '}') {
        p->at++;
        return add_table(p, key);
    }
    int outer = p->section;
    p->section = ++p->sections;
    for (;;) {
        RT_TRY(parse_assignment(p, key, depth + 1));
        rti_toml_skip_blanks(p);
        int c = rti_toml_peek(p);
        if (c != ',' && c != '}')
            return rti_toml_fail_unexpected(p, "',' or '}' (an inline table stands on one line)");
        p->at++;
        if (c == '}') break;
        rti_toml_skip_blanks(p);
        if (rti_toml_peek(p) == '}')
            return rti_toml_fail(p, p->at, "an inline table must not end with a comma: remove it");
    }
    p->section = outer;
    return RT_OK;
}

/* key = value */
static rt_status parse_assignment(rti_toml_parser *p, const rti_toml_key *table, int depth) {
    rti_toml_key key;
    RT_TRY(parse_key(p, table, &key));
    int column = column_of(p, key.start);
    if (rti_toml_peek(p) != '=') return rti_toml_fail_unexpected(p, "'=' and a value");
    p->at++;
    rti_toml_skip_blanks(p);
    size_t from = table ? table->length + 1 : 0;
    if (rti_toml_peek(p) == '{') {
        RT_TRY(define(p, &key, from, NODE_INLINE));
        return parse_inline_table(p, &key, depth);
    }
    rti_toml_value value = {0};
    RT_TRY(rti_toml_parse_value(p, 0, &value));
    RT_TRY(define(p, &key, from, NODE_VALUE));
    return add_entry(p, &key, column, &value);
}

/* [a.b] */
static rt_status parse_header(rti_toml_parser *p, rti_toml_key *table) {
    const char *start = p->at++;
    if (rti_toml_peek(p) == '[')
        return rti_toml_fail(p, start, "arrays of tables [[...]] are not read here: give each table a name");
    rti_toml_skip_blanks(p);
    RT_TRY(parse_key(p, NULL, table));
    if (rti_toml_peek(p) != ']') return rti_toml_fail_unexpected(p, "']'");
    p->at++;
    p->section = ++p->sections;
    RT_TRY(define_header(p, table));
    return add_table(p, table);
}

static rt_status parse_line_end(rti_toml_parser *p) {
    rti_toml_skip_blanks(p);
    RT_TRY(rti_toml_skip_comment(p));
    if (p->at == p->end || rti_toml_skip_newline(p)) return RT_OK;
    return rti_toml_fail_unexpected(p, "the end of the line");
}

static rt_status parse_file(rti_toml_parser *p) {
    size_t length = (size_t)(p->end - p->text);
    if (length >= 3 && memcmp(p->text, "\xEF\xBB\xBF", 3) == 0)
        return rti_toml_fail(p, p->at, "a byte order mark: save the file as UTF-8 without one");
    size_t valid = rti_utf8_valid(p->text, length);
    if (valid < length) return rti_toml_fail(p, p->text + valid, "invalid UTF-8: save the file as UTF-8");
    rti_toml_key table = {0};
    bool in_table = false;
    while (p->at < p->end) {
        rti_toml_skip_blanks(p);
        int c = rti_toml_peek(p);
        if (c == '[') {
            RT_TRY(parse_header(p, &table));
            in_table = true;
        } else if (c >= 0 && c != '#' && c != '\n' && c != '\r') {
            RT_TRY(parse_assignment(p, in_table ? &table : NULL, 0));
        }
        RT_TRY(parse_line_end(p));
    }
    return RT_OK;
}

/* ---- the outside ----------------------------------------------------------------------------- */

typedef struct storage {
    rti_arena arena;
    rti_toml_entry *entries;
    rti_toml_table *tables;
} storage;

rt_status rti_toml_parse(rti_toml *toml, const char *text, size_t length, const char *name, rt_error *error) {
    *toml = (rti_toml){0};
    storage *kept = rt_alloc_zero(1, sizeof *kept);
    if (!kept) return rt_fail(error, RT_MEMORY, "%s: not enough memory to read it", name);
    rti_toml_parser p = {
        .name = name, .text = text, .at = text, .end = text + length, .line = 1, .error = error};
    rti_arena_init(&p.arena);
    rt_status status = parse_file(&p);
    *kept = (storage){p.arena, p.entries, p.tables};
    rt_free(p.nodes);
    *toml = (rti_toml){p.count, p.entries, p.tables, p.table_count, kept};
    if (status != RT_OK) rti_toml_deinit(toml);
    return status;
}

rt_status rti_toml_read(rti_toml *toml, const char *path, rt_error *error) {
    *toml = (rti_toml){0};
    rti_bytes bytes;
    RT_TRY(rti_file_read(path, FILE_MAX, &bytes, error));
    rt_status status = rti_toml_parse(toml, (const char *)bytes.data, bytes.count, path, error);
    rt_free(bytes.data);
    return status;
}

void rti_toml_deinit(rti_toml *toml) {
    storage *kept = toml->memory;
    if (kept) {
        rti_arena_deinit(&kept->arena);
        rt_free(kept->entries);
        rt_free(kept->tables);
        rt_free(kept);
    }
    *toml = (rti_toml){0};
}
