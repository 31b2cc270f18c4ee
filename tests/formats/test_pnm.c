/* PGM and PPM: files put together here by the format's description, in all four spellings of one picture;
 * damaged ones are refused with the reason. tests/fuzz damages more of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "formats/pnm.h"
#include "retort/alloc.h"

static rt_error error;

static rt_status parse(rti_pnm *picture, const char *text, size_t length, size_t *at) {
    error = (rt_error){0};
    return rti_pnm_parse(picture, (const unsigned char *)text, length, at, "p", &error);
}

#define READ(picture, text) read_whole(picture, text, sizeof(text) - 1)
static void read_whole(rti_pnm *picture, const char *text, size_t length) {
    size_t at = 0;
    cr_assert(rti_pnm_begins((const unsigned char *)text, length));
    cr_assert_eq(parse(picture, text, length, &at), RT_OK, "%s", error.message);
    cr_assert_eq(at, length);
}

static void is(rti_pnm *p, int width, int height, int channels, const char *pixels) {
    cr_assert(p->width == width && p->height == height && p->channels == channels);
    cr_assert_eq(memcmp(p->pixels, pixels, (size_t)(width * height * channels)), 0);
    rt_free(p->pixels);
}

Test(pnm, one_picture_in_every_spelling) {
    rti_pnm p;
    READ(&p, "P5 3 2 255\n\x00\x01\x02\x0a\xfe\xff");
    is(&p, 3, 2, 1, "\x00\x01\x02\x0a\xfe\xff");
    READ(&p, "P2\n3 2\n255\n0 1 2\n10 254 255\n");
    is(&p, 3, 2, 1, "\x00\x01\x02\x0a\xfe\xff");
    READ(&p, "P6\n1 2\n255\n\x00\x01\x02\x0a\xfe\xff");
    is(&p, 1, 2, 3, "\x00\x01\x02\x0a\xfe\xff");
    READ(&p, "P3 1 2 255 0 1 2 10 254 255");
    is(&p, 1, 2, 3, "\x00\x01\x02\x0a\xfe\xff");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(pnm, comments_and_white_space_stand_anywhere) {
    rti_pnm p;
    READ(&p, "P5#made by\r\n# hand\n\t2 # wide\n\n1#high\n255\n  ");
    is(&p, 2, 1, 1, "  "); /* only one white space ends the header: these are pixels */
    READ(&p, "P2\r\n2\r\n1\r\n# 7\r\n255 # first\n 007#second\n8\n\n");
    is(&p, 2, 1, 1, "\x07\x08");
    READ(&p, "P5\n1\n1\n255\n#");
    is(&p, 1, 1, 1, "#");
}

Test(pnm, smaller_ranges_are_stretched) {
    rti_pnm p;
    READ(&p, "P2 4 1 15 0 1 8 15");
    is(&p, 4, 1, 1, "\x00\x11\x88\xff");
    READ(&p, "P5 3 1 1\n\x00\x01\x01");
    is(&p, 3, 1, 1, "\x00\xff\xff");
    READ(&p, "P2 3 1 100 50 33 1"); /* 127.5 84.15 2.55 */
    is(&p, 3, 1, 1, "\x80\x54\x03");
}

Test(pnm, a_stream_holds_several) {
    static const char stream[] = "P5 1 1 255\nA\nP2 2 1 9 9 0\n\n P6 1 1 255\nxyz";
    static const char *const pixels[] = {"A", "\xff\x00", "xyz"};
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        rti_pnm p;
        cr_assert_eq(parse(&p, stream, sizeof stream - 1, &at), RT_OK, "%s", error.message);
        is(&p, i == 1 ? 2 : 1, 1, i == 2 ? 3 : 1, pixels[i]);
    }
    cr_assert_eq(at, sizeof stream - 1);
}

Test(pnm, what_is_damaged_or_another_kind_is_refused_with_the_reason) {
    static const struct {
        const char *text;
        size_t length; /* 0: of the text */
        rt_status status;
        const char *part;
    } bad[] = {
        {"P1 1 1 1", 0, RT_UNSUPPORTED, "P1 (a bit map, PBM)"},
        {"P4 8 1\n", 8, RT_UNSUPPORTED, "P4 (a bit map, PBM)"},
        {"P7\nWIDTH 1", 0, RT_UNSUPPORTED, "P7 (PAM)"},
        {"P5 1 1 256\nAB", 0, RT_UNSUPPORTED, "16 bits"},
        {"P5 1 1 65536\nAB", 0, RT_FORMAT, "the largest value at byte 7 is more than 65535"},
        {"P8 1 1 1", 0, RT_FORMAT, "a picture begins with"},
        {"P5x1 1 1", 0, RT_FORMAT, "a picture begins with"},
        {"P5", 0, RT_FORMAT, "a picture begins with"},
        {"P5 ", 0, RT_FORMAT, "the width is missing: the file is truncated"},
        {"P5 3 # ", 0, RT_FORMAT, "the height is missing: the file is truncated"},
        {"P5 3 2 25", 0, RT_FORMAT, "one white space ends the header; the file is truncated"},
        {"P5 3 2 255x", 0, RT_FORMAT, "byte 10: one white space"},
        {"P5 -3 2 255 ", 0, RT_FORMAT, "byte 3 is 0x2d where the width, a number, should be"},
        {"P5 0 2 255 ", 0, RT_FORMAT, "0 x 2 pixels up to 255 is none"},
        {"P5 1 1 0 A", 0, RT_FORMAT, "up to 0 is none"},
        {"P5 65537 1 255 ", 0, RT_FORMAT, "the width at byte 3 is more than 65536"},
        {"P5 99999999999999999999999 1 255 ", 0, RT_FORMAT, "the width at byte 3 is more than 65536"},
        {"P6 65536 65536 255 AAA", 0, RT_FORMAT, "need at least 12884901888 bytes, 3 are there"},
        {"P5 2 2 255\nABC", 0, RT_FORMAT, "need at least 4 bytes, 3 are there"},
        {"P3 1 1 255 1 2", 0, RT_FORMAT, "need at least 5 bytes, 3 are there"},
        {"P2 2 1 255 123  ", 0, RT_FORMAT, "a pixel is missing"},
        {"P2 2 1 255 1 x  ", 0, RT_FORMAT, "byte 13 is 0x78 where a pixel"},
        {"P2 2 1 255 1x2  ", 0, RT_FORMAT, "behind a pixel"},
        {"P2 1 1 9 10", 0, RT_FORMAT, "is 10, the header says at most 9"},
        {"P5 1 1 9\n\x0a", 0, RT_FORMAT, "the pixel at byte 9 is 10, the header says at most 9"},
        {"P2 1 1 255 70000", 0, RT_FORMAT, "a pixel at byte 11 is more than 65535"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rti_pnm p;
        size_t at = 0;
        const size_t length = bad[i].length ? bad[i].length : strlen(bad[i].text);
        cr_assert_eq(parse(&p, bad[i].text, length, &at), bad[i].status, "%s: %s", bad[i].text,
                     error.message);
        cr_assert(strstr(error.message, bad[i].part), "\"%s\" does not say \"%s\"", error.message,
                  bad[i].part);
        cr_assert(at == 0 && !p.pixels);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(pnm, survives_a_failing_allocation) {
    rti_pnm p;
    size_t at = 0;
    rt_alloc_fail_after(1);
    cr_assert_eq(parse(&p, "P5 1 1 255 A", 12, &at), RT_MEMORY);
    rt_alloc_fail_after(0);
    cr_assert(at == 0 && !p.pixels);
}
