/* The arena: blocks checked for overlap by filling each with its own byte, the promise that the
 * second round allocates nothing, and every failing allocation. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/arena.h"
#include "retort/alloc.h"
#include "retort/rng.h"

/* Allocates a round of `count` blocks of pseudo-random sizes and checks them. */
static void fill_round(rti_arena *arena, int count, uint32_t largest) {
    unsigned char *blocks[300];
    size_t sizes[300];
    rt_rng rng = rt_rng_stream(5, "arena", 0, 0);
    for (int i = 0; i < count; i++) {
        sizes[i] = rt_rng_below(&rng, largest);
        blocks[i] = i % 2 ? rti_arena_alloc(arena, sizes[i]) : rti_arena_alloc_zero(arena, sizes[i]);
        cr_assert_not_null(blocks[i]);
        cr_assert_eq((uintptr_t)blocks[i] % 64, 0);
        for (size_t j = 0; i % 2 == 0 && j < sizes[i]; j++) cr_assert_eq(blocks[i][j], 0);
        memset(blocks[i], i & 0xFF, sizes[i]);
    }
    for (int i = 0; i < count; i++)
        for (size_t j = 0; j < sizes[i]; j++) cr_assert_eq(blocks[i][j], i & 0xFF);
}

Test(arena, blocks_do_not_overlap_and_later_rounds_allocate_nothing) {
    rti_arena arena;
    rti_arena_init(&arena);
    fill_round(&arena, 300, 5000); /* several chunks */
    size_t used = arena.used_bytes;
    cr_assert_gt(rt_alloc_stats_get().live_blocks, 1);
    cr_assert_eq(arena.peak_bytes, used);
    rti_arena_reset(&arena);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 1);
    cr_assert_eq(arena.used_bytes, 0);
    size_t calls = rt_alloc_stats_get().calls;
    for (int i = 0; i < 5; i++) {
        fill_round(&arena, 300, 5000);
        cr_assert_eq(arena.used_bytes, used);
        rti_arena_reset(&arena);
    }
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    rti_arena_deinit(&arena);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(arena, one_block_larger_than_a_chunk_and_absurd_ones) {
    rti_arena arena;
    rti_arena_init(&arena);
    unsigned char *small = rti_arena_alloc(&arena, 1), *large = rti_arena_alloc(&arena, 3 << 20);
    memset(large, 1, 3 << 20);
    *small = 2;
    cr_assert_null(rti_arena_alloc(&arena, SIZE_MAX));
    cr_assert_null(rti_arena_alloc(&arena, SIZE_MAX / 2));
    cr_assert_null(rti_arena_alloc_zero(&arena, SIZE_MAX - 32));
    cr_assert_eq(arena.used_bytes, 64 + (3 << 20));
    rti_arena_reset(&arena);
    cr_assert_not_null(rti_arena_alloc(&arena, 0));
    rti_arena_deinit(&arena);
    rti_arena_deinit(&arena); /* twice is fine */
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(arena, survives_every_failing_allocation) {
    for (size_t n = 1; n <= 8; n++) {
        rti_arena arena;
        rti_arena_init(&arena);
        rt_alloc_fail_after(n);
        int got = 0;
        for (int i = 0; i < 200; i++) got += rti_arena_alloc(&arena, 3000) != NULL;
        rti_arena_reset(&arena); /* may have no memory for its one chunk */
        cr_assert_eq(arena.used_bytes, 0);
        rt_alloc_fail_after(0);
        if (n == 1) cr_assert_eq(got, 0);
        fill_round(&arena, 200, 3000);
        rti_arena_deinit(&arena);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    }
}
