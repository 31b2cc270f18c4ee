/* text.c - see text.h.                                                 Floor 1 (core) */
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "retort/alloc.h"

static bool reserve(rti_text *text, size_t extra) {
    if (extra > SIZE_MAX / 4 || text->length > SIZE_MAX / 4) text->failed = true;
    if (text->failed) return false;
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < needed) capacity *= 2;
    char *grown = rt_realloc(text->bytes, capacity);
    if (!grown) {
        text->failed = true;
        return false;
    }
    text->bytes = grown;
    text->capacity = capacity;
    return true;
}

void rti_text_deinit(rti_text *text) {
    rt_free(text->bytes);
    *text = (rti_text)RTI_TEXT_EMPTY;
}

void rti_text_clear(rti_text *text) {
    text->length = 0;
    if (text->bytes) text->bytes[0] = 0;
}

void rti_text_append_bytes(rti_text *text, const void *bytes, size_t count) {
    if (!reserve(text, count)) return;
    if (count) memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = 0;
}

void rti_text_append(rti_text *text, const char *string) {
    rti_text_append_bytes(text, string, strlen(string));
}

void rti_text_printf(rti_text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) text->failed = true;
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

const char *rti_text_string(const rti_text *text) { return text->bytes ? text->bytes : ""; }

char *rti_text_take(rti_text *text) {
    char *bytes = text->failed ? NULL : text->bytes;
    if (text->failed) rt_free(text->bytes);
    *text = (rti_text)RTI_TEXT_EMPTY;
    return bytes;
}
