/* text.h - a string that grows.                                       Floor 1 (core)
 *
 * Invariants: bytes[length] == 0 whenever bytes is not NULL; after the first failed allocation
 * `failed` stays true, appending does nothing, and what is there stays valid. So a caller appends
 * as often as it likes and asks once at the end. rti_text_string never returns NULL. */
#ifndef RTI_TEXT_H
#define RTI_TEXT_H

#include "retort/status.h"

typedef struct rti_text {
    char *bytes;
    size_t length, capacity;
    bool failed;
} rti_text;

#define RTI_TEXT_EMPTY {NULL, 0, 0, false}

void rti_text_deinit(rti_text *text); /* empties it; it can be used again */
void rti_text_clear(rti_text *text);  /* length 0, keeps the memory */
void rti_text_append(rti_text *text, const char *string);
void rti_text_append_bytes(rti_text *text, const void *bytes, size_t count);
void rti_text_printf(rti_text *text, const char *format, ...) RT_PRINTF(2, 3);
const char *rti_text_string(const rti_text *text);            /* borrowed */
char *rti_text_take(rti_text *text); /* the caller frees with rt_free; NULL when failed or empty */

#endif
