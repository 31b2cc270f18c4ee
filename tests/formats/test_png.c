/* PNG against a reader in this test: chunk lengths, CRC-32 with the check value of the standard
 * ("123456789" gives cbf43926), stored blocks, Adler-32, pixels. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/png.h"
#include "retort/alloc.h"
#include "retort/rng.h"

static uint32_t crc(const unsigned char *p, size_t n) {
    uint32_t table[256], c = 0xffffffffu;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int k = 0; k < 8; k++) v = v & 1 ? 0xedb88320u ^ (v >> 1) : v >> 1;
        table[i] = v;
    }
    for (size_t i = 0; i < n; i++) c = table[(c ^ p[i]) & 0xff] ^ (c >> 8);
    return ~c;
}

static uint32_t u32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void round_trip(int width, int height, int channels) {
    char path[] = "/tmp/retort-png-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && close(fd) == 0);
    size_t count = (size_t)width * (size_t)height * (size_t)channels, row = (size_t)width * (size_t)channels;
    uint8_t *pixels = malloc(count);
    rt_rng rng = rt_rng_stream(1, "test", 0, 0);
    for (size_t i = 0; i < count; i++) pixels[i] = (uint8_t)rt_rng_u32(&rng);
    rt_error error = {0};
    cr_assert_eq(rti_png_write(path, pixels, width, height, channels, &error), RT_OK, "%s", error.message);

    static unsigned char file[400000], raw[400000];
    FILE *in = fopen(path, "rb");
    size_t length = fread(file, 1, sizeof file, in), raw_count = 0;
    cr_assert(length < sizeof file && fclose(in) == 0 && memcmp(file, "\x89PNG\r\n\x1a\n", 8) == 0);
    size_t at = 8;
    for (int chunk = 0; chunk < 3; chunk++) {
        static const char *const types[] = {"IHDR", "IDAT", "IEND"};
        size_t n = u32(file + at);
        const unsigned char *data = file + at + 8;
        cr_assert(memcmp(data - 4, types[chunk], 4) == 0 && at + 12 + n <= length);
        cr_assert_eq(u32(data + n), crc(data - 4, n + 4));
        if (chunk == 0) {
            cr_assert(n == 13 && u32(data) == (uint32_t)width && u32(data + 4) == (uint32_t)height);
            cr_assert(data[8] == 8 && data[9] == (channels == 3 ? 2 : 0) && data[12] == 0);
        } else if (chunk == 1) {
            cr_assert((data[0] << 8 | data[1]) % 31 == 0 && (data[0] & 15) == 8);
            size_t p = 2;
            for (bool last = false; !last;) {
                size_t block = data[p + 1] | (size_t)data[p + 2] << 8;
                last = data[p] & 1;
                cr_assert((data[p] >> 1) == 0 &&
                          (block ^ (data[p + 3] | (size_t)data[p + 4] << 8)) == 0xffff);
                memcpy(raw + raw_count, data + p + 5, block);
                raw_count += block;
                p += 5 + block;
            }
            uint32_t a = 1, b = 0;
            for (size_t i = 0; i < raw_count; i++) a = (a + raw[i]) % 65521, b = (b + a) % 65521;
            cr_assert(u32(data + p) == (b << 16 | a) && p + 4 == n);
        }
        at += 12 + n;
    }
    cr_assert(at == length && raw_count == (row + 1) * (size_t)height);
    for (int y = 0; y < height; y++) {
        cr_assert_eq(raw[(size_t)y * (row + 1)], 0);
        cr_assert_arr_eq(raw + (size_t)y * (row + 1) + 1, pixels + (size_t)y * row, row);
    }
    free(pixels);
    unlink(path);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(png, reads_back) {
    cr_assert_eq(crc((const unsigned char *)"123456789", 9), 0xcbf43926u);
    round_trip(1, 1, 1);
    round_trip(65534, 1, 1); /* one full stored block with the filter byte */
    round_trip(300, 250, 1);
    round_trip(201, 300, 3);
}

Test(png, failures) {
    uint8_t pixels[100] = {0};
    rt_error error = {0};
    cr_assert_eq(rti_png_write("/nowhere/at/all.png", pixels, 10, 10, 1, &error), RT_IO);
    cr_assert(strstr(error.message, "/nowhere/at/all.png"));
    for (int n = 1; n < 5; n++) {
        rt_alloc_fail_after((size_t)n);
        cr_assert_eq(rti_png_write("/nowhere/at/all.png", pixels, 10, 10, 1, &error), RT_MEMORY);
        rt_alloc_fail_after(0);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    }
}
