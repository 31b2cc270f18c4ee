/* alloc.c - counted, aligned, failable memory.                         Floor 1 (core)
 *
 * In front of each block lie 64 bytes: where the system's block starts, its size, and who must
 * release it. Counters are atomic, so the peak is exact and a countdown fails exactly its n-th. */
#include "retort/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

typedef struct header {
    void *block;
    size_t bytes;
    void (*release)(void *context, void *block);
    void *context;
} header;

_Static_assert(sizeof(header) <= ALIGNMENT, "the header fits in one alignment unit");

static void *libc_allocate(void *context, size_t bytes) {
    (void)context;
    return malloc(bytes); /* lint: malloc */
}

static void libc_release(void *context, void *block) {
    (void)context;
    free(block); /* lint: free */
}

static rt_alloc_hooks hooks = {libc_allocate, libc_release, NULL};
static atomic_size_t live_blocks, live_bytes, peak_bytes, calls;
static atomic_size_t countdown; /* 0: off; 1: the next allocation and all after it fail */

void rt_alloc_set_hooks(const rt_alloc_hooks *replacement) {
    hooks = replacement ? *replacement : (rt_alloc_hooks){libc_allocate, libc_release, NULL};
}

void rt_alloc_fail_after(size_t n) { atomic_store(&countdown, n); }

static bool must_fail(void) {
    size_t n = atomic_load(&countdown);
    while (n > 1 && !atomic_compare_exchange_weak(&countdown, &n, n - 1)) continue;
    return n == 1;
}

static header *header_of(void *block) { return (header *)(void *)((char *)block - ALIGNMENT); }

void *rt_alloc(size_t bytes) {
    atomic_fetch_add(&calls, 1);
    if (must_fail() || bytes > SIZE_MAX / 2) return NULL;
    void *block = hooks.allocate(hooks.context, bytes + 2 * ALIGNMENT);
    if (!block) return NULL;
    uintptr_t start = ((uintptr_t)block + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *(header *)(start - ALIGNMENT) = (header){block, bytes, hooks.release, hooks.context};

    atomic_fetch_add(&live_blocks, 1);
    size_t live = atomic_fetch_add(&live_bytes, bytes) + bytes;
    size_t peak = atomic_load(&peak_bytes);
    while (live > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, live)) continue;
    return (void *)start;
}

void *rt_alloc_zero(size_t count, size_t size) {
    if (size && count > SIZE_MAX / 2 / size) return NULL;
    void *block = rt_alloc(count * size);
    if (block) memset(block, 0, count * size);
    return block;
}

void *rt_realloc(void *block, size_t bytes) {
    void *grown = rt_alloc(bytes);
    if (!grown || !block) return grown;
    size_t old = header_of(block)->bytes;
    memcpy(grown, block, old < bytes ? old : bytes);
    rt_free(block);
    return grown;
}

void rt_free(void *block) {
    if (!block) return;
    header h = *header_of(block);
    atomic_fetch_sub(&live_blocks, 1);
    atomic_fetch_sub(&live_bytes, h.bytes);
    h.release(h.context, h.block);
}

char *rt_strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = rt_alloc(bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

rt_alloc_stats rt_alloc_stats_get(void) {
    return (rt_alloc_stats){atomic_load(&live_blocks), atomic_load(&live_bytes), atomic_load(&peak_bytes),
                            atomic_load(&calls)};
}
