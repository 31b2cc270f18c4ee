/* alloc.c - counted, aligned, failable memory.                         Floor 1 (core)
 *
 * In front of each block lie 64 bytes: where the system's block starts, its size, and who must
 * release it. Counters are atomic, so the peak is exact and a countdown fails exactly its n-th.
 *
 * Large blocks come from the system itself, at the start of a large page (2 MB): the kernel then hands out a
 * block's memory with a five-hundredth of the page faults, and the processor finds its way in it with fewer
 * look-ups. They are zero already. */
#include "retort/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/blocks.h"

#define ALIGNMENT 64
#define LARGE_PAGE ((size_t)2 << 20)

/* The sanitizer sees what is written beyond malloc's blocks. */
#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define MAPS_LARGE_BLOCKS false
#elif defined(MADV_HUGEPAGE) && defined(MAP_ANONYMOUS)
#define MAPS_LARGE_BLOCKS true
#else
#define MAPS_LARGE_BLOCKS false
#endif

typedef struct header {
    void *block;
    size_t bytes;
    void (*release)(void *context, void *block);
    void *context;
} header;

_Static_assert(sizeof(header) <= ALIGNMENT && ALIGNMENT == RTI_BLOCK_HEAD,
               "the header fits in one alignment unit");

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

static header *header_of(const void *block) { return (header *)(uintptr_t)((const char *)block - ALIGNMENT); }

/* The block whose data begin at `start` counts from now on. */
static void *count_block(uintptr_t start, header h) {
    *(header *)(start - ALIGNMENT) = h;
    atomic_fetch_add(&live_blocks, 1);
    size_t live = atomic_fetch_add(&live_bytes, h.bytes) + h.bytes;
    size_t peak = atomic_load(&peak_bytes);
    while (live > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, live)) continue;
    return (void *)start;
}

/* ---- large blocks ---- */

static void unmap(void *mapped_bytes, void *block) { munmap(block, (size_t)(uintptr_t)mapped_bytes); }

/* What a block takes: large pages, and small ones for its end where a large one would waste more than an
 * eighth. */
static size_t mapped_size(size_t bytes) {
    const size_t whole = (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    return whole - bytes <= bytes / 8 ? whole : (bytes + 4095) / 4096 * 4096;
}

/* A header and `bytes` from a large page's start; NULL when the system has none. */
static void *map_block(size_t bytes) {
#if MAPS_LARGE_BLOCKS
    const size_t wanted = mapped_size(bytes + ALIGNMENT);
    char *found = mmap(NULL, wanted + LARGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return NULL;
    const size_t ahead = (LARGE_PAGE - (uintptr_t)found % LARGE_PAGE) % LARGE_PAGE;
    char *block = found + ahead;
    if (ahead) munmap(found, ahead);
    munmap(block + wanted, LARGE_PAGE - ahead);
    (void)madvise(block, wanted, MADV_HUGEPAGE);
    return count_block((uintptr_t)block + ALIGNMENT,
                       (header){block, bytes, unmap, (void *)(uintptr_t)wanted});
#else
    (void)bytes, (void)unmap, (void)mapped_size;
    return NULL;
#endif
}

static bool is_large(size_t bytes) {
    return MAPS_LARGE_BLOCKS && bytes >= LARGE_PAGE && hooks.allocate == libc_allocate;
}

/* ---- all blocks ---- */

static void *allocate(size_t bytes, bool zero) {
    atomic_fetch_add(&calls, 1);
    if (must_fail() || bytes > SIZE_MAX / 2) return NULL;
    void *large = is_large(bytes) ? map_block(bytes) : NULL;
    if (large) return large;
    void *block = hooks.allocate(hooks.context, bytes + 2 * ALIGNMENT);
    if (!block) return NULL;
    uintptr_t start = ((uintptr_t)block + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (zero) memset((void *)start, 0, bytes);
    return count_block(start, (header){block, bytes, hooks.release, hooks.context});
}

void *rt_alloc(size_t bytes) { return allocate(bytes, false); }

void *rt_alloc_zero(size_t count, size_t size) {
    if (size && count > SIZE_MAX / 2 / size) return NULL;
    return allocate(count * size, true);
}

void *rti_block_adopt(void *data, size_t bytes, void (*release)(void *context, void *data), void *context) {
    RT_ASSERT((uintptr_t)data % ALIGNMENT == 0, "a block at %p is not aligned", data);
    atomic_fetch_add(&calls, 1);
    return must_fail() ? NULL : count_block((uintptr_t)data, (header){data, bytes, release, context});
}

size_t rti_block_adopted(const void *block, void (*release)(void *context, void *data)) {
    const header *h = header_of(block);
    return h->release == release ? h->bytes : 0;
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
