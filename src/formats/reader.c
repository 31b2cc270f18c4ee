/* reader.c - places in a text, UTF-8, numbers. See reader.h.           Floor 6 (formats) */
#include "formats/reader.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include "formats/json.h"

rt_status rti_fail_at(rt_error *error, const char *name, const char *text, size_t offset, const char *format,
                      ...) {
    if (!error) return RT_FORMAT;
    int64_t line = 1, column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) { /* not the middle of a character */
            column++;
        }
    }
    char message[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return rt_fail(error, RT_FORMAT, "%s:%lld:%lld: %s", name, (long long)line, (long long)column, message);
}

const char *rti_show_character(const char *text, const char *end, char buffer[16]) {
    if (text >= end) return "the end of the file";
    unsigned char first = (unsigned char)*text;
    if (first == '\r' && (end - text < 2 || text[1] != '\n')) return "a carriage return without a line feed";
    if (first == '\n' || first == '\r') return "the end of the line";
    if (first > 0x20 && first < 0x7F) {
        snprintf(buffer, 16, "'%c'", first);
        return buffer;
    }
    size_t left = (size_t)(end - text);
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (first >= 0xC0 && left >= length && rti_utf8_valid(text, length) == length)
        snprintf(buffer, 16, "'%.*s'", (int)length, text);
    else
        snprintf(buffer, 16, "byte 0x%02X", first);
    return buffer;
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

size_t rti_utf8_valid(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;
    while (i < length) {
        size_t tail = s[i] < 0x80 ? 0 : s[i] >= 0xF0 ? 3 : s[i] >= 0xE0 ? 2 : 1;
        if (tail == 0) {
            i++;
            continue;
        }
        if (s[i] < 0xC2 || s[i] > 0xF4 || length - i <= tail) return i;
        /* The second byte excludes overlong forms, surrogates and what lies beyond U+10FFFF. */
        unsigned char low = s[i] == 0xE0 ? 0xA0 : s[i] == 0xF0 ? 0x90 : 0x80;
        unsigned char high = s[i] == 0xED ? 0x9F : s[i] == 0xF4 ? 0x8F : 0xBF;
        if (s[i + 1] < low || s[i + 1] > high) return i;
        for (size_t j = 2; j <= tail; j++)
            if ((s[i + j] & 0xC0) != 0x80) return i;
        i += tail + 1;
    }
    return length;
}

int rti_utf8_encode(uint32_t point, char out[4]) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if ((point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return 0;
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

bool rti_hex_parse(const char *text, const char *end, int digits, uint32_t *value) {
    if (end - text < digits) return false;
    uint32_t sum = 0;
    for (int i = 0; i < digits; i++) {
        int digit = digit_value(text[i]);
        if (digit > 15) return false;
        sum = sum << 4 | (uint32_t)digit;
    }
    *value = sum;
    return true;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* A program that has set a locale with a decimal comma must not change what a file means, so
 * strtod and snprintf are called in the "C" locale. */
static locale_t c_locale_enter(locale_t *made) {
    *made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return *made ? uselocale(*made) : (locale_t)0;
}

static void c_locale_leave(locale_t made, locale_t before) {
    if (!made) return;
    uselocale(before);
    freelocale(made);
}

bool rti_number_parse(const char *text, size_t length, double *value) {
    char copy[RTI_NUMBER_MAX + 1];
    if (length == 0 || length > RTI_NUMBER_MAX) return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    char *end;
    locale_t made, before = c_locale_enter(&made);
    double number = strtod(copy, &end);
    c_locale_leave(made, before);
    if (end != copy + length || !isfinite(number)) return false;
    *value = number;
    return true;
}

bool rti_integer_parse(const char *text, size_t length, int base, int64_t *value) {
    bool negative = length && text[0] == '-';
    size_t i = length && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    if (i == length) return false;
    int64_t sum = 0; /* kept negative: INT64_MIN has no positive counterpart */
    for (; i < length; i++) {
        int digit = digit_value(text[i]);
        if (digit >= base || sum < (INT64_MIN + digit) / base) return false;
        sum = sum * base - digit;
    }
    if (!negative && sum == INT64_MIN) return false;
    *value = negative ? sum : -sum;
    return true;
}

int rti_number_format(double value, char buffer[32]) {
    if (isnan(value)) return snprintf(buffer, 32, "nan");
    if (isinf(value)) return snprintf(buffer, 32, value > 0 ? "inf" : "-inf");
    /* Every decimal of up to 15 digits survives the way through a normal double, so %.15g, which
     * drops trailing zeros, is already the shortest when it reads back. */
    char text[32];
    int length = 0;
    locale_t made, before = c_locale_enter(&made);
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        length = snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    c_locale_leave(made, before);
    memcpy(buffer, text, sizeof text);
    return length;
}
