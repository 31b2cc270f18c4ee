/* reader.h - what the readers and writers of text formats share.       Floor 6 (formats) */
#ifndef RTI_READER_H
#define RTI_READER_H

#include "retort/status.h"

/* RT_FORMAT with "name:line:column: ..." for byte `offset` of `text`. Lines and columns count from
 * 1, columns in characters. Takes time in proportion to offset: for the one failure of a parse. */
rt_status rti_fail_at(rt_error *error, const char *name, const char *text, size_t offset, const char *format,
                      ...) RT_PRINTF(5, 6);

/* For messages: the character at `text` as it is, or "byte 0x07" when it cannot be printed. */
const char *rti_show_character(const char *text, const char *end, char buffer[16]);

/* How many bytes at the start are valid UTF-8: no surrogates, nothing overlong, at most U+10FFFF. */
size_t rti_utf8_valid(const char *text, size_t length);

/* The bytes of a code point, 1 to 4; 0 when it is a surrogate or beyond U+10FFFF. */
int rti_utf8_encode(uint32_t point, char out[4]);

/* Four or eight hexadecimal digits; false when there are fewer before `end`. */
bool rti_hex_parse(const char *text, const char *end, int digits, uint32_t *value);

/* A decimal number whose spelling the caller has checked, whatever the locale. False when it is
 * longer than RTI_NUMBER_MAX or too large for a double. */
#define RTI_NUMBER_MAX 500
bool rti_number_parse(const char *text, size_t length, double *value);

/* [+-]digits in base 2, 8, 10 or 16; false when it does not fit int64 or is not spelt so. */
bool rti_integer_parse(const char *text, size_t length, int base, int64_t *value);

#endif
