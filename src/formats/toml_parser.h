/* toml_parser.h - between toml.c (keys, tables) and toml_value.c.      Floor 6 (formats) */
#ifndef RTI_TOML_PARSER_H
#define RTI_TOML_PARSER_H

#include "core/arena.h"
#include "formats/toml.h"

#define RTI_TOML_PATH_MAX 255 /* bytes of a key with its section: bounds what a small file can ask for */
#define RTI_TOML_DEPTH_MAX 16 /* of inline tables */
#define RTI_TOML_ARRAY_DEPTH_MAX 2

typedef struct rti_toml_node rti_toml_node;

typedef struct rti_toml_parser {
    const char *name, *text, *at, *end;
    int line;
    rt_error *error;
    rti_arena arena; /* keys, strings, items */
    char *chunk;     /* of the arena, for small things */
    size_t chunk_left;
    rti_toml_entry *entries;
    rti_toml_table *tables;
    int count, table_count;
    rti_toml_node *nodes; /* hash table of all paths */
    size_t node_slots, node_count;
    int section, sections; /* where we are: each [header] and each inline table has a number */
} rti_toml_parser;

typedef struct rti_toml_key {
    const char *path, *start; /* "student.lr"; where it is spelt */
    size_t length;            /* of path */
    int line;
    bool is_end[RTI_TOML_PATH_MAX + 1]; /* this '.' of the path separates two parts */
} rti_toml_key;

rt_status rti_toml_fail(const rti_toml_parser *p, const char *at, const char *format, ...) RT_PRINTF(3, 4);
rt_status rti_toml_fail_unexpected(const rti_toml_parser *p, const char *wanted);
rt_status rti_toml_fail_memory(const rti_toml_parser *p);

int rti_toml_peek(const rti_toml_parser *p); /* the next byte, -1 at the end */
void rti_toml_skip_blanks(rti_toml_parser *p);
bool rti_toml_skip_newline(rti_toml_parser *p); /* LF or CRLF; false when there is none */
rt_status rti_toml_skip_comment(rti_toml_parser *p) RT_MUST_CHECK;

/* Room for element `count` of an array that doubles at powers of two, from 16; NULL without memory
 * (the old array is still there then). */
void *rti_toml_grow(void *array, size_t count, size_t size);

/* A copy in the arena, or NULL. */
char *rti_toml_keep(rti_toml_parser *p, const char *bytes, size_t count);

/* At a quote: "..." or '...'. The string is borrowed from the arena, zero-terminated. */
rt_status rti_toml_parse_string(rti_toml_parser *p, const char **string, size_t *length) RT_MUST_CHECK;

/* Anything but an inline table. */
rt_status rti_toml_parse_value(rti_toml_parser *p, int depth, rti_toml_value *value) RT_MUST_CHECK;

#endif
