/* protobuf.h - messages of Protocol Buffers, written.                  Floor 6 (formats)
 *
 * The wire format is a row of fields, each a key (number and wire type) and a value: a varint, 4 bytes, or a
 * length and that many bytes. A message within a message is written into a text of its own and put in with
 * its length, so what is inside is made first:
 *
 *     rti_text inner = RTI_TEXT_EMPTY, outer = RTI_TEXT_EMPTY;
 *     rti_pb_text(&inner, 1, "N");
 *     rti_pb_message(&outer, 2, &inner);
 *
 * Source: protobuf.dev/programming-guides/encoding. A failed allocation sticks to the text (see text.h) and
 * to every message it is put into; the caller asks once at the end. Field numbers are at least 1. */
#ifndef RTI_PROTOBUF_H
#define RTI_PROTOBUF_H

#include "core/text.h"

void rti_pb_varint(rti_text *out, int field, uint64_t value);
/* int32, int64, enum: negative ones take ten bytes. */
void rti_pb_int(rti_text *out, int field, int64_t value);
void rti_pb_float(rti_text *out, int field, float value);
void rti_pb_bytes(rti_text *out, int field, const void *bytes, size_t count);
void rti_pb_text(rti_text *out, int field, const char *string);
/* The message's memory stays the caller's. */
void rti_pb_message(rti_text *out, int field, const rti_text *message);
/* Only the key and the length: the caller appends `count` bytes. */
void rti_pb_begin(rti_text *out, int field, size_t count);

#endif
