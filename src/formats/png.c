/* png.c - writes PNG with stored deflate blocks. See png.h.            Floor 6 (formats) */
#include "formats/png.h"

#include <string.h>

#include "core/file.h"
#include "core/text.h"

#define BLOCK 65535 /* bytes of a stored block (RFC 1951, 3.2.4) */

static void append_u32(rti_text *out, uint32_t v) {
    unsigned char b[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                          (unsigned char)v};
    rti_text_append_bytes(out, b, 4);
}

/* CRC-32 of ISO 3309, bit by bit. */
static uint32_t crc32_of(const unsigned char *bytes, size_t count) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++) crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
    }
    return crc ^ 0xffffffffu;
}

static void append_chunk(rti_text *out, const char type[5], const void *data, size_t count) {
    append_u32(out, (uint32_t)count);
    size_t from = out->length;
    rti_text_append_bytes(out, type, 4);
    rti_text_append_bytes(out, data, count);
    if (!out->failed) append_u32(out, crc32_of((const unsigned char *)out->bytes + from, out->length - from));
}

/* zlib (RFC 1950): header, stored blocks, Adler-32. */
static void append_stored(rti_text *out, const unsigned char *bytes, size_t count) {
    uint32_t a = 1, b = 0;
    rti_text_append_bytes(out, "\x78\x01", 2);
    for (size_t at = 0; at < count; at += BLOCK) {
        size_t n = count - at < BLOCK ? count - at : BLOCK;
        unsigned char head[5] = {at + n == count, (unsigned char)n, (unsigned char)(n >> 8),
                                 (unsigned char)~n, (unsigned char)(~n >> 8)};
        rti_text_append_bytes(out, head, 5);
        rti_text_append_bytes(out, bytes + at, n);
    }
    for (size_t i = 0; i < count; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    append_u32(out, b << 16 | a);
}

rt_status rti_png_write(const char *path, const uint8_t *pixels, int width, int height, int channels,
                        rt_error *error) {
    RT_ASSERT(width > 0 && height > 0 && (channels == 1 || channels == 3), "%dx%dx%d", width, height,
              channels);
    rti_text rows = RTI_TEXT_EMPTY, data = RTI_TEXT_EMPTY, png = RTI_TEXT_EMPTY, head = RTI_TEXT_EMPTY;
    size_t row_bytes = (size_t)width * (size_t)channels;
    for (int y = 0; y < height; y++) {
        rti_text_append_bytes(&rows, "", 1); /* filter: none */
        rti_text_append_bytes(&rows, pixels + (size_t)y * row_bytes, row_bytes);
    }
    if (!rows.failed) append_stored(&data, (const unsigned char *)rows.bytes, rows.length);
    append_u32(&head, (uint32_t)width);
    append_u32(&head, (uint32_t)height);
    rti_text_append_bytes(&head, channels == 1 ? "\x08\x00\x00\x00\x00" : "\x08\x02\x00\x00\x00", 5);
    rti_text_append_bytes(&png, "\x89PNG\r\n\x1a\n", 8);
    bool ok = !rows.failed && !data.failed && !head.failed;
    if (ok) {
        append_chunk(&png, "IHDR", head.bytes, head.length);
        append_chunk(&png, "IDAT", data.bytes, data.length);
        append_chunk(&png, "IEND", "", 0);
    }
    rt_status status = ok && !png.failed ? rti_file_write(path, png.bytes, png.length, error)
                                         : rt_fail(error, RT_MEMORY, "%s: no memory for the picture", path);
    rti_text_deinit(&rows);
    rti_text_deinit(&data);
    rti_text_deinit(&head);
    rti_text_deinit(&png);
    return status;
}
