/* toml.h - a reader for a subset of TOML 1.0.                          Floor 6 (formats)
 *
 * Every file accepted is valid TOML 1.0 and means the same there. Left out, each with an error that
 * says so: dates, arrays of tables, tables inside arrays, multi-line strings, arrays nested deeper
 * than two, inf and nan, empty keys, a key that with its section is longer than 255 bytes, and
 * dotted keys that add to a table which a [header] mentions. The result
 * is flat: dotted keys in the order of the file, each with its line; inline tables and [sections]
 * become part of the key. Quoted keys keep their dots: ["a.b"] is one part, joined with a dot too,
 * and a clash between the two spellings is an error.
 *
 *     [student]
 *     optimizer = { name = "sgd", lr = 0.1 }      ->   student.optimizer.name, student.optimizer.lr
 */
#ifndef RTI_TOML_H
#define RTI_TOML_H

#include "retort/status.h"

typedef enum rti_toml_type {
    RTI_TOML_STRING,
    RTI_TOML_INTEGER,
    RTI_TOML_FLOAT,
    RTI_TOML_BOOL,
    RTI_TOML_ARRAY
} rti_toml_type;

typedef struct rti_toml_value {
    rti_toml_type type;
    const char *string;    /* STRING, zero-terminated, escapes resolved */
    int64_t integer;       /* INTEGER, BOOL */
    double number;         /* FLOAT, and INTEGER and BOOL as a double */
    int count;             /* ARRAY */
    const struct rti_toml_value *items;
    int line;
} rti_toml_value;

typedef struct rti_toml_entry {
    const char *key;       /* "student.optimizer.lr" */
    rti_toml_value value;
    int line, column;
} rti_toml_entry;

typedef struct rti_toml_table {
    const char *name;      /* "student" */
    int line;
} rti_toml_table;

typedef struct rti_toml {
    int count;
    const rti_toml_entry *entries;
    const rti_toml_table *tables; /* the [sections] that were opened, and empty inline tables */
    int table_count;
    void *memory;          /* owns it all */
} rti_toml;

/* `name` is for messages: "name:line:column: what is wrong". The text may go away afterwards. A zero
 * byte inside is an error, as is invalid UTF-8. RT_FORMAT, RT_MEMORY. */
rt_status rti_toml_parse(rti_toml *toml, const char *text, size_t length, const char *name,
                         rt_error *error) RT_MUST_CHECK;
rt_status rti_toml_read(rti_toml *toml, const char *path, rt_error *error) RT_MUST_CHECK; /* at most 1 MiB */
void rti_toml_deinit(rti_toml *toml);

#endif
