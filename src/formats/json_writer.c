/* json_writer.c - the writer of JSON. See json.h.                      Floor 6 (formats) */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/json.h"
#include "formats/reader.h"

static void new_line(rti_json_writer *w, int depth) {
    rti_text_append(w->text, "\n");
    for (int i = 0; i < depth; i++) rti_text_append(w->text, "  ");
}

/* In quotes; what is not UTF-8 becomes U+FFFD, so that what we write can always be read. */
static void append_string(rti_text *text, const char *string) {
    rti_text_append(text, "\"");
    const char *end = string + strlen(string), *valid_end = string;
    for (;;) {
        if (string == valid_end) valid_end += rti_utf8_valid(string, (size_t)(end - string));
        const char *plain = string;
        while (string < valid_end && (unsigned char)*string >= 0x20 && *string != '"' && *string != '\\')
            string++;
        rti_text_append_bytes(text, plain, (size_t)(string - plain));
        if (string == end) break;
        static const char special[] = "\"\\\n\t\r\b\f", letters[] = "\"\\ntrbf";
        const char *found = string < valid_end ? strchr(special, *string) : NULL;
        if (found)
            rti_text_printf(text, "\\%c", letters[found - special]);
        else if (string < valid_end)
            rti_text_printf(text, "\\u%04x", (unsigned)*string);
        else
            rti_text_append(text, "\xEF\xBF\xBD");
        if (string++ == valid_end) valid_end = string;
    }
    rti_text_append(text, "\"");
}

/* The comma, the line and the key before a value. */
static void begin_value(rti_json_writer *w, const char *key) {
    bool in_object = w->depth > 0 && w->closing[w->depth - 1] == '}';
    RT_ASSERT(in_object == (key != NULL), "rti_json: a key inside objects and only there (key %s)",
              key ? key : "missing");
    if (w->depth > 0) {
        if (w->started[w->depth - 1]) rti_text_append(w->text, w->indent && !in_object ? ", " : ",");
        w->started[w->depth - 1] = true;
        if (w->indent && in_object) new_line(w, w->depth);
    }
    if (!key) return;
    append_string(w->text, key);
    rti_text_append(w->text, w->indent ? ": " : ":");
}

static void begin(rti_json_writer *w, const char *key, const char *open, char close) {
    RT_ASSERT(w->depth < RTI_JSON_DEPTH_MAX, "rti_json: nested more than %d deep", RTI_JSON_DEPTH_MAX);
    begin_value(w, key);
    rti_text_append(w->text, open);
    w->closing[w->depth] = close;
    w->started[w->depth] = false;
    w->depth++;
}

void rti_json_begin_object(rti_json_writer *w, const char *key) { begin(w, key, "{", '}'); }
void rti_json_begin_array(rti_json_writer *w, const char *key) { begin(w, key, "[", ']'); }

void rti_json_end(rti_json_writer *w) {
    RT_ASSERT(w->depth > 0, "rti_json_end: nothing is open");
    w->depth--;
    bool object = w->closing[w->depth] == '}';
    if (w->indent && object && w->started[w->depth]) new_line(w, w->depth);
    rti_text_append(w->text, object ? "}" : "]");
    if (w->indent && w->depth == 0) rti_text_append(w->text, "\n");
}

void rti_json_add_number(rti_json_writer *w, const char *key, double value) {
    char number[32];
    begin_value(w, key);
    if (isfinite(value))
        rti_text_append_bytes(w->text, number, (size_t)rti_number_format(value, number));
    else
        rti_text_append(w->text, "null");
}

void rti_json_add_integer(rti_json_writer *w, const char *key, int64_t value) {
    begin_value(w, key);
    rti_text_printf(w->text, "%" PRId64, value);
}

void rti_json_add_string(rti_json_writer *w, const char *key, const char *value) {
    begin_value(w, key);
    append_string(w->text, value);
}

void rti_json_add_bool(rti_json_writer *w, const char *key, bool value) {
    begin_value(w, key);
    rti_text_append(w->text, value ? "true" : "false");
}
