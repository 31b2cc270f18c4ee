/* pnm.c - see pnm.h.                                                   Floor 6 (formats) */
#include "formats/pnm.h"

#include "retort/alloc.h"

#define SIDE_MAX 65536

typedef struct reader {
    const unsigned char *bytes;
    size_t length, at;
    const char *name;
} reader;

static bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_digit(int c) { return c >= '0' && c <= '9'; }

bool rti_pnm_begins(const unsigned char *bytes, size_t length) {
    return length > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' &&
           (is_space(bytes[2]) || bytes[2] == '#');
}

static void skip_spaces(reader *r) {
    while (r->at < r->length && is_space(r->bytes[r->at])) r->at++;
}

/* White space and comments. */
static void skip(reader *r) {
    for (skip_spaces(r); r->at < r->length && r->bytes[r->at] == '#'; skip_spaces(r))
        while (r->at < r->length && r->bytes[r->at] != '\n' && r->bytes[r->at] != '\r') r->at++;
}

/* A number of digits alone, 0 ... limit; `what` is for the message. */
static rt_status number(reader *r, const char *what, int64_t limit, int64_t *value, rt_error *error) {
    skip(r);
    const size_t start = r->at;
    *value = 0;
    for (; r->at < r->length && is_digit(r->bytes[r->at]); r->at++) {
        *value = 10 * *value + (r->bytes[r->at] - '0');
        if (*value > limit)
            return rt_fail(error, RT_FORMAT, "%s: %s at byte %llu is more than %lld", r->name, what,
                           (unsigned long long)start, (long long)limit);
    }
    if (r->at == start && start == r->length)
        return rt_fail(error, RT_FORMAT, "%s: %s is missing: the file is truncated", r->name, what);
    if (r->at == start)
        return rt_fail(error, RT_FORMAT, "%s: byte %llu is 0x%02x where %s, a number, should be", r->name,
                       (unsigned long long)start, r->bytes[start], what);
    return RT_OK;
}

/* "P5": 5. */
static rt_status kind(reader *r, int *which, rt_error *error) {
    const unsigned char *p = r->bytes + r->at;
    if (!rti_pnm_begins(p, r->length - r->at))
        return rt_fail(error, RT_FORMAT, "%s: byte %llu: a picture begins with P2, P3, P5 or P6", r->name,
                       (unsigned long long)r->at);
    *which = p[1] - '0';
    if (*which == 1 || *which == 4 || *which == 7)
        return rt_fail(
            error, RT_UNSUPPORTED,
            "%s: is a picture of the kind P%d (%s); grey ones (PGM, P2, P5) and coloured ones (PPM, "
            "P3, P6) are read: convert it",
            r->name, *which, *which == 7 ? "PAM" : "a bit map, PBM");
    r->at += 2;
    return RT_OK;
}

static rt_status header(reader *r, int which, rti_pnm *picture, int64_t *most, rt_error *error) {
    RT_TRY(number(r, "the width", SIDE_MAX, &picture->width, error));
    RT_TRY(number(r, "the height", SIDE_MAX, &picture->height, error));
    RT_TRY(number(r, "the largest value", 65535, most, error));
    if (picture->width < 1 || picture->height < 1 || *most < 1)
        return rt_fail(error, RT_FORMAT, "%s: a picture of %lld x %lld pixels up to %lld is none", r->name,
                       (long long)picture->width, (long long)picture->height, (long long)*most);
    if (*most > 255)
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: has 16 bits a pixel (up to %lld); 8 bits are read: convert it, for example with "
                       "pamdepth 255",
                       r->name, (long long)*most);
    picture->channels = which == 3 || which == 6 ? 3 : 1;
    return RT_OK;
}

static rt_status pixel(const reader *r, int64_t value, int64_t most, size_t at, uint8_t *out,
                       rt_error *error) {
    if (value > most)
        return rt_fail(error, RT_FORMAT, "%s: the pixel at byte %llu is %lld, the header says at most %lld",
                       r->name, (unsigned long long)at, (long long)value, (long long)most);
    *out = (uint8_t)((value * 255 + most / 2) / most);
    return RT_OK;
}

static rt_status read_bytes(reader *r, int64_t count, int64_t most, uint8_t *to, rt_error *error) {
    for (int64_t i = 0; i < count; i++, r->at++)
        RT_TRY(pixel(r, r->bytes[r->at], most, r->at, &to[i], error));
    return RT_OK;
}

static rt_status read_text(reader *r, int64_t count, int64_t most, uint8_t *to, rt_error *error) {
    for (int64_t i = 0; i < count; i++) {
        int64_t value;
        RT_TRY(number(r, "a pixel", 65535, &value, error));
        RT_TRY(pixel(r, value, most, r->at, &to[i], error));
        if (r->at < r->length && !is_space(r->bytes[r->at]) && r->bytes[r->at] != '#')
            return rt_fail(error, RT_FORMAT,
                           "%s: byte %llu is 0x%02x behind a pixel; a blank should be there", r->name,
                           (unsigned long long)r->at, r->bytes[r->at]);
    }
    return RT_OK;
}

static rt_status parse(reader *r, rti_pnm *picture, rt_error *error) {
    int which = 0;
    int64_t most = 0;
    RT_TRY(kind(r, &which, error));
    RT_TRY(header(r, which, picture, &most, error));
    if (r->at == r->length || !is_space(r->bytes[r->at]))
        return rt_fail(error, RT_FORMAT, "%s: byte %llu: one white space ends the header%s", r->name,
                       (unsigned long long)r->at, r->at == r->length ? "; the file is truncated" : "");
    r->at++;
    const int64_t count = picture->width * picture->height * picture->channels;
    const bool text = which < 4;
    const size_t left = r->length - r->at; /* a number that is text takes two bytes, but for the last */
    if ((uint64_t)count > (text ? left / 2 + 1 : left))
        return rt_fail(error, RT_FORMAT,
                       "%s: %lld x %lld pixels of %d need at least %llu bytes, %llu are there: the file is "
                       "truncated",
                       r->name, (long long)picture->width, (long long)picture->height, picture->channels,
                       (unsigned long long)(text ? 2 * count - 1 : count), (unsigned long long)left);
    picture->pixels = rt_alloc((size_t)count);
    if (!picture->pixels) return rt_fail(error, RT_MEMORY, "%s: no memory for its pixels", r->name);
    return text ? read_text(r, count, most, picture->pixels, error)
                : read_bytes(r, count, most, picture->pixels, error);
}

rt_status rti_pnm_parse(rti_pnm *picture, const unsigned char *bytes, size_t length, size_t *at,
                        const char *name, rt_error *error) {
    reader r = {.bytes = bytes, .length = length, .at = *at, .name = name};
    *picture = (rti_pnm){0};
    const rt_status status = parse(&r, picture, error);
    if (status != RT_OK) {
        rt_free(picture->pixels);
        *picture = (rti_pnm){0};
        return status;
    }
    skip_spaces(&r);
    *at = r.at;
    return RT_OK;
}
