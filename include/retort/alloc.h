/* alloc.h - where every byte of the library comes from.              Floor 1 (core)
 *
 * Live counters tell what is still held, hooks replace the allocator, and a countdown makes the
 * n-th allocation fail, so that tests can fail each one in turn. Thread-safe, except the setters,
 * which are for the start of a program or a test. */
#ifndef RETORT_ALLOC_H
#define RETORT_ALLOC_H

#include "retort/status.h"

/* Uninitialised memory, aligned to 64 bytes (a cache line, an AVX-512 register). NULL when there
 * is none or when `bytes` is absurd. bytes == 0 gives a valid pointer to nothing. */
void *rt_alloc(size_t bytes) RT_MUST_CHECK;

/* count * size zeroed bytes; NULL also when the product overflows. */
void *rt_alloc_zero(size_t count, size_t size) RT_MUST_CHECK;

/* Grows or shrinks; the old block stays valid when NULL is returned. `block` may be NULL. */
void *rt_realloc(void *block, size_t bytes) RT_MUST_CHECK;

void rt_free(void *block); /* NULL is fine */

/* Copies a string; NULL when there is no memory. */
char *rt_strdup(const char *text) RT_MUST_CHECK;

typedef struct rt_alloc_stats {
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
    size_t calls; /* allocations and reallocations since the start */
} rt_alloc_stats;

rt_alloc_stats rt_alloc_stats_get(void);

/* The `n`-th allocation from now fails, and then all after it until the countdown is set again.
 * n = 1 fails the next one, n = 0 switches the countdown off. */
void rt_alloc_fail_after(size_t n);

/* Replaces malloc, realloc and free for the blocks allocated from now on; NULL restores libc's.
 * Call while no block is live. */
typedef struct rt_alloc_hooks {
    void *(*allocate)(void *context, size_t bytes);
    void (*release)(void *context, void *block);
    void *context;
} rt_alloc_hooks;

void rt_alloc_set_hooks(const rt_alloc_hooks *hooks);

#endif
