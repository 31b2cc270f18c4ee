/* Protocol Buffers: the bytes that the format's own description gives for its examples (protobuf.dev,
 * "Encoding"), and values at the edges worked out by hand. tests/deploy reads whole messages with a second
 * reader. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "formats/protobuf.h"
#include "retort/alloc.h"

static rti_text out = RTI_TEXT_EMPTY;

#define IS(expected) is(expected, sizeof(expected) - 1)
static void is(const char *expected, size_t length) {
    cr_assert_not(out.failed);
    cr_assert_eq(out.length, length, "%d bytes", (int)out.length);
    cr_assert_eq(memcmp(out.bytes, expected, length), 0);
    rti_text_deinit(&out);
}

Test(protobuf, fields_are_the_bytes_of_the_description) {
    rti_pb_int(&out, 1, 150);
    IS("\x08\x96\x01");
    rti_pb_text(&out, 2, "testing");
    IS("\x12\x07testing");
    rti_text inner = RTI_TEXT_EMPTY;
    rti_pb_int(&inner, 1, 150);
    rti_pb_message(&out, 3, &inner);
    rti_text_deinit(&inner);
    IS("\x1a\x03\x08\x96\x01");
    rti_pb_int(&out, 1, -2); /* ten bytes */
    IS("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

Test(protobuf, values_and_fields_at_the_edges) {
    rti_pb_int(&out, 1, 0);
    rti_pb_int(&out, 15, 127);
    rti_pb_int(&out, 16, 128);
    IS("\x08\x00\x78\x7f\x80\x01\x80\x01");
    rti_pb_varint(&out, 1, UINT64_MAX);
    rti_pb_int(&out, 1, INT64_MIN);
    IS("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
    rti_pb_float(&out, 2, 1.0F);
    rti_pb_float(&out, 2, -0.0F);
    IS("\x15\x00\x00\x80\x3f\x15\x00\x00\x00\x80");
    rti_pb_text(&out, 5, "");
    rti_pb_begin(&out, 9, 300);
    IS("\x2a\x00\x4a\xac\x02");
    const rti_text nothing = RTI_TEXT_EMPTY;
    rti_pb_message(&out, 7, &nothing);
    IS("\x3a\x00");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(protobuf, a_message_that_lacks_memory_spoils_what_it_is_put_into) {
    const rti_text broken = {.failed = true};
    rti_pb_message(&out, 1, &broken);
    cr_assert(out.failed);
    rti_text_deinit(&out);
}
