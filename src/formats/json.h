/* json.h - reader and writer of JSON (RFC 8259).                       Floor 6 (formats)
 *
 * The reader treats its input as hostile: depth is limited, duplicate keys are refused, numbers are
 * checked, invalid UTF-8 is an error. The writer escapes what must be escaped, writes numbers with
 * the fewest digits that read back to the same bits, and NaN and infinity as null. */
#ifndef RTI_JSON_H
#define RTI_JSON_H

#include "core/text.h"

typedef enum rti_json_type {
    RTI_JSON_NULL,
    RTI_JSON_BOOL,
    RTI_JSON_NUMBER,
    RTI_JSON_STRING,
    RTI_JSON_ARRAY,
    RTI_JSON_OBJECT
} rti_json_type;

typedef struct rti_json {
    rti_json_type type;
    bool boolean;
    double number;
    bool is_integer;          /* no point, no exponent, fits int64 */
    int64_t integer;
    const char *string;       /* zero-terminated; string_length tells of zeros inside */
    size_t string_length;
    int count;                /* members or elements */
    const char *const *keys;  /* OBJECT */
    const struct rti_json *items;
} rti_json;

typedef struct rti_json_document {
    rti_json root;
    void *memory;
} rti_json_document;

#define RTI_JSON_DEPTH_MAX 64

/* `text` need not be zero-terminated and may go away afterwards. RT_FORMAT with name:line:column,
 * RT_MEMORY. Beyond the RFC, refused: duplicate keys, a zero character inside a key, numbers too
 * large for a double or longer than 500 characters, a byte order mark. Takes up to about 60 bytes
 * of memory for each byte of a hostile text: limit the length before. */
rt_status rti_json_parse(rti_json_document *document, const char *text, size_t length, const char *name,
                         rt_error *error) RT_MUST_CHECK;
void rti_json_deinit(rti_json_document *document);
const rti_json *rti_json_get(const rti_json *object, const char *key); /* NULL when missing or no object */
/* The fallback when the key is missing or its value is of another type (null is what NaN became). */
double rti_json_number(const rti_json *object, const char *key, double fallback);
const char *rti_json_string(const rti_json *object, const char *key, const char *fallback);

/* Writing, onto a text: the caller takes care of nesting with begin/end; commas come by themselves.
 * A failed allocation shows in text->failed. What is not UTF-8 is written as U+FFFD.
 *     rti_json_writer w = {.text = &text};
 *     rti_json_begin_object(&w, NULL); rti_json_add_number(&w, "lr", 0.1); rti_json_end(&w); */
typedef struct rti_json_writer {
    rti_text *text;
    bool indent; /* each member of an object on a line of its own, for people */
    int depth;
    char closing[RTI_JSON_DEPTH_MAX];
    bool started[RTI_JSON_DEPTH_MAX];
} rti_json_writer;
/* key NULL inside arrays and at the top */
void rti_json_begin_object(rti_json_writer *w, const char *key);
void rti_json_begin_array(rti_json_writer *w, const char *key);
void rti_json_end(rti_json_writer *w);
void rti_json_add_number(rti_json_writer *w, const char *key, double value);
void rti_json_add_integer(rti_json_writer *w, const char *key, int64_t value);
void rti_json_add_string(rti_json_writer *w, const char *key, const char *value);
void rti_json_add_bool(rti_json_writer *w, const char *key, bool value);

/* The fewest digits that read back to the same double, with a point in every locale; "nan", "inf"
 * and "-inf". Returns the length. */
int rti_number_format(double value, char buffer[32]);

#endif
