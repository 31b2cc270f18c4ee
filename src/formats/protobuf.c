/* protobuf.c - see protobuf.h.                                         Floor 6 (formats) */
#include "formats/protobuf.h"

#include <string.h>

enum { VARINT = 0, LENGTH = 2, FIXED32 = 5 };

/* Seven bits at a time, the lowest first; the high bit says that more follow. */
static void append_varint(rti_text *out, uint64_t value) {
    unsigned char bytes[10];
    size_t count = 0;
    do {
        bytes[count] = (unsigned char)(value & 127);
        value >>= 7;
        if (value) bytes[count] |= 128;
        count++;
    } while (value);
    rti_text_append_bytes(out, bytes, count);
}

static void append_key(rti_text *out, int field, int wire_type) {
    RT_ASSERT(field >= 1, "there is no field %d", field);
    append_varint(out, (uint64_t)field << 3 | (uint64_t)wire_type);
}

void rti_pb_varint(rti_text *out, int field, uint64_t value) {
    append_key(out, field, VARINT);
    append_varint(out, value);
}

void rti_pb_int(rti_text *out, int field, int64_t value) { rti_pb_varint(out, field, (uint64_t)value); }

void rti_pb_float(rti_text *out, int field, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                    (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
    append_key(out, field, FIXED32);
    rti_text_append_bytes(out, bytes, sizeof bytes);
}

void rti_pb_begin(rti_text *out, int field, size_t count) {
    append_key(out, field, LENGTH);
    append_varint(out, count);
}

void rti_pb_bytes(rti_text *out, int field, const void *bytes, size_t count) {
    rti_pb_begin(out, field, count);
    rti_text_append_bytes(out, bytes, count);
}

void rti_pb_text(rti_text *out, int field, const char *string) {
    rti_pb_bytes(out, field, string, strlen(string));
}

void rti_pb_message(rti_text *out, int field, const rti_text *message) {
    rti_pb_bytes(out, field, message->bytes, message->length);
    out->failed |= message->failed;
}
