/* The allocator: counters against a count kept by hand, alignment, hooks that count themselves,
 * failures on demand, and several threads at once. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/blocks.h"

Test(alloc, blocks_are_aligned_and_counted) {
    rt_alloc_stats before = rt_alloc_stats_get();
    void *blocks[64];
    size_t bytes = 0;
    for (size_t i = 0; i < 64; i++) {
        blocks[i] = rt_alloc(i * i);
        cr_assert_not_null(blocks[i]);
        cr_assert_eq((uintptr_t)blocks[i] % 64, 0);
        memset(blocks[i], (int)i, i * i);
        bytes += i * i;
    }
    rt_alloc_stats during = rt_alloc_stats_get();
    cr_assert_eq(during.live_blocks - before.live_blocks, 64);
    cr_assert_eq(during.live_bytes - before.live_bytes, bytes);
    cr_assert_eq(during.calls - before.calls, 64);
    for (size_t i = 0; i < 64; i++) {
        for (size_t j = 0; j < i * i; j++) cr_assert_eq(((unsigned char *)blocks[i])[j], i);
        rt_free(blocks[i]);
    }
    rt_free(NULL);
    rt_alloc_stats after = rt_alloc_stats_get();
    cr_assert_eq(after.live_blocks, before.live_blocks);
    cr_assert_eq(after.live_bytes, before.live_bytes);
    cr_assert_eq(after.peak_bytes, before.live_bytes + bytes);
}

Test(alloc, absurd_sizes_are_refused) {
    cr_assert_null(rt_alloc(SIZE_MAX));
    cr_assert_null(rt_alloc(SIZE_MAX / 2 + 1));
    cr_assert_null(rt_alloc_zero(SIZE_MAX / 2, 3));
    cr_assert_null(rt_alloc_zero((size_t)1 << 40, (size_t)1 << 40));
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(alloc, zero_and_copies) {
    unsigned char *zero = rt_alloc_zero(100, 7);
    for (int i = 0; i < 700; i++) cr_assert_eq(zero[i], 0);
    rt_free(zero);
    void *nothing = rt_alloc_zero(0, 8);
    cr_assert_not_null(nothing);
    rt_free(nothing);
    char *copy = rt_strdup("dark knowledge");
    cr_assert_str_eq(copy, "dark knowledge");
    rt_free(copy);
}

Test(alloc, realloc_keeps_the_content) {
    unsigned char *block = rt_realloc(NULL, 10);
    for (int i = 0; i < 10; i++) block[i] = (unsigned char)i;
    const size_t sizes[] = {1000, 5, 100000, 5};
    for (int s = 0; s < 4; s++) {
        block = rt_realloc(block, sizes[s]);
        cr_assert_eq((uintptr_t)block % 64, 0);
        for (int i = 0; i < 5; i++) cr_assert_eq(block[i], i);
        cr_assert_eq(rt_alloc_stats_get().live_bytes, sizes[s]);
    }
    rt_alloc_fail_after(1);
    cr_assert_null(rt_realloc(block, 10));
    rt_alloc_fail_after(0);
    cr_assert_eq(block[4], 4); /* the old block is still there */
    rt_free(block);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(alloc, the_nth_fails_and_all_after_it) {
    rt_alloc_fail_after(3);
    void *a = rt_alloc(1), *b = rt_alloc(1);
    cr_assert(a && b);
    for (int i = 0; i < 5; i++) cr_assert_null(rt_alloc(1));
    rt_alloc_fail_after(0);
    void *c = rt_alloc(1);
    cr_assert_not_null(c);
    rt_free(a), rt_free(b), rt_free(c);
}

/* Blocks of several large pages, with ends of all sorts: aligned, counted, zero when asked for, also where a
 * block that was written to has lain before; they grow and shrink across the border to small ones. */
Test(alloc, large_blocks) {
    static const size_t sizes[] = {((size_t)2 << 20) - 1, (size_t)2 << 20,  ((size_t)2 << 20) + 1,
                                   ((size_t)4 << 20) - 64, (size_t)5300000, (size_t)9 << 20};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    for (int s = 0; s < SIZES; s++) {
        unsigned char *block = rt_alloc(sizes[s]);
        cr_assert_eq((uintptr_t)block % 64, 0);
        memset(block, 0xa5, sizes[s]);
        cr_assert_eq(rt_alloc_stats_get().live_bytes, sizes[s]);
        rt_free(block);
        unsigned char *zero = rt_alloc_zero(sizes[s], 1);
        for (size_t i = 0; i < sizes[s]; i++) cr_assert(zero[i] == 0);
        for (size_t i = 0; i < sizes[s]; i += 1009) zero[i] = (unsigned char)(i % 251);
        for (int to = 0; to < SIZES; to++) {
            zero = rt_realloc(zero, to % 2 ? sizes[to] : 100000);
            cr_assert_eq(rt_alloc_stats_get().live_blocks, 1);
            for (size_t i = 0; i < 100000; i += 1009) cr_assert(zero[i] == i % 251);
        }
        rt_free(zero);
    }
    rt_alloc_fail_after(1);
    cr_assert_null(rt_alloc(sizes[SIZES - 1]));
    rt_alloc_fail_after(0);
    cr_assert_eq(rt_alloc_stats_get().live_bytes, 0);
#if !defined(__SANITIZE_ADDRESS__) /* it ends the program instead */
    cr_assert_null(rt_alloc_zero((size_t)1 << 62, 1)); /* more than there can be */
#endif
}

static void put_down(void *context, void *data) { *(void **)context = data; }

Test(alloc, adopted_blocks_count_and_go_back_where_they_came_from) {
    static _Alignas(64) unsigned char memory[RTI_BLOCK_HEAD + 100];
    void *came_back = NULL;
    unsigned char *block = rti_block_adopt(memory + RTI_BLOCK_HEAD, 100, put_down, &came_back);
    cr_assert_eq(block, memory + RTI_BLOCK_HEAD);
    memset(block, 1, 100);
    cr_assert_eq(rt_alloc_stats_get().live_bytes, 100);
    cr_assert_eq(rti_block_adopted(block, put_down), 100);
    void *other = rt_alloc(100);
    cr_assert_eq(rti_block_adopted(other, put_down), 0);
    rt_free(other);
    rt_free(block);
    cr_assert_eq(came_back, block);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    rt_alloc_fail_after(1);
    came_back = NULL;
    cr_assert_null(rti_block_adopt(memory + RTI_BLOCK_HEAD, 100, put_down, &came_back));
    cr_assert_null(came_back);
}

typedef struct counted {
    int allocated, released;
} counted;

static void *hook_allocate(void *context, size_t bytes) {
    ((counted *)context)->allocated++;
    return malloc(bytes);
}

static void hook_release(void *context, void *block) {
    ((counted *)context)->released++;
    free(block);
}

Test(alloc, hooks_own_what_they_gave) {
    counted count = {0, 0};
    rt_alloc_set_hooks(&(rt_alloc_hooks){hook_allocate, hook_release, &count});
    void *a = rt_alloc(10), *b = rt_realloc(rt_alloc(10), 20);
    rt_alloc_set_hooks(NULL);
    void *c = rt_alloc(10);
    cr_assert_eq(count.allocated, 3);
    rt_free(a), rt_free(b), rt_free(c); /* a and b go back to the hooks that gave them */
    cr_assert_eq(count.released, 3);
}

static void *work(void *unused) {
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        void *block = rt_realloc(rt_alloc(100), 300);
        rt_free(block);
    }
    return NULL;
}

Test(alloc, counters_survive_threads) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    rt_alloc_stats stats = rt_alloc_stats_get();
    cr_assert_eq(stats.live_blocks, 0);
    cr_assert_eq(stats.live_bytes, 0);
    cr_assert_eq(stats.calls, 4 * 2000 * 2);
    cr_assert(stats.peak_bytes >= 400 && stats.peak_bytes <= 4 * 400);
}

static size_t failures[4];

static void *count_failures(void *slot) {
    for (int i = 0; i < 1000; i++) {
        void *block = rt_alloc(8);
        if (!block) ++*(size_t *)slot;
        rt_free(block);
    }
    return NULL;
}

/* A countdown that loses a step between threads would let too many through. */
Test(alloc, the_countdown_is_exact_between_threads) {
    rt_alloc_fail_after(1501);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_failures, &failures[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    rt_alloc_fail_after(0);
    cr_assert_eq(failures[0] + failures[1] + failures[2] + failures[3], 4000 - 1500);
}
