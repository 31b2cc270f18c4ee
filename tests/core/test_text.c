/* The growing string, against snprintf into a buffer that is large enough. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "retort/alloc.h"

Test(text, grows_like_a_large_buffer) {
    static char wanted[60000];
    size_t length = 0;
    rti_text text = RTI_TEXT_EMPTY;
    cr_assert_str_eq(rti_text_string(&text), "");
    for (int i = 0; i < 2000; i++) {
        rti_text_printf(&text, "%d:%s,", i, i % 3 ? "abc" : "");
        length += (size_t)snprintf(wanted + length, sizeof wanted - length, "%d:%s,", i, i % 3 ? "abc" : "");
        rti_text_append(&text, "-+");
        rti_text_append_bytes(&text, "xyz", (size_t)(i % 4));
        length += (size_t)snprintf(wanted + length, sizeof wanted - length, "-+%.*s", i % 4, "xyz");
        cr_assert_eq(text.length, length);
        cr_assert_eq(text.bytes[length], 0);
        cr_assert_lt(text.length, text.capacity);
    }
    cr_assert_str_eq(rti_text_string(&text), wanted);
    size_t capacity = text.capacity;
    rti_text_clear(&text);
    cr_assert_str_eq(rti_text_string(&text), "");
    cr_assert_eq(text.capacity, capacity);
    rti_text_append_bytes(&text, "a\0b", 3); /* zeros count like any byte */
    cr_assert_eq(text.length, 3);
    rti_text_deinit(&text);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(text, a_long_printf_is_not_cut) {
    static char long_one[100001];
    memset(long_one, 'x', 100000);
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "<%s>", long_one);
    cr_assert_eq(text.length, 100002);
    cr_assert_eq(text.bytes[100001], '>');
    rti_text_deinit(&text);
}

Test(text, take_gives_the_string_away) {
    rti_text text = RTI_TEXT_EMPTY;
    cr_assert_null(rti_text_take(&text));
    rti_text_append(&text, "mine");
    char *taken = rti_text_take(&text);
    cr_assert_str_eq(taken, "mine");
    cr_assert_str_eq(rti_text_string(&text), "");
    rt_free(taken);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(text, a_failure_sticks_and_keeps_what_is_there) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "start");
    rt_alloc_fail_after(1);
    for (int i = 0; i < 100; i++) rti_text_append(&text, "0123456789");
    rt_alloc_fail_after(0);
    cr_assert(text.failed);
    size_t length = text.length;
    rti_text_append(&text, "x");
    rti_text_printf(&text, "%d", 1);
    cr_assert_eq(text.length, length, "nothing is appended after a gap");
    cr_assert(strncmp(rti_text_string(&text), "start0123456789", 15) == 0);
    cr_assert_null(rti_text_take(&text));
    cr_assert_not(text.failed);
    rti_text_append_bytes(&text, "", SIZE_MAX - 10); /* would overflow, and must not be copied */
    cr_assert(text.failed);
    rti_text_deinit(&text);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
