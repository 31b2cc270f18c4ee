/* arena.c - see arena.h.                                               Floor 1 (core) */
#include "core/arena.h"

#include <string.h>

#include "retort/alloc.h"

#define ALIGNMENT 64
#define FIRST_CHUNK ((size_t)64 << 10)

struct rti_chunk {
    rti_chunk *before;
    size_t capacity, used; /* bytes after the header */
};

#define HEADER ((sizeof(rti_chunk) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

void rti_arena_init(rti_arena *arena) { *arena = (rti_arena){NULL, 0, 0}; }

static void release_chunks(rti_arena *arena) {
    while (arena->chunk) {
        rti_chunk *before = arena->chunk->before;
        rt_free(arena->chunk);
        arena->chunk = before;
    }
}

void rti_arena_deinit(rti_arena *arena) {
    release_chunks(arena);
    rti_arena_init(arena);
}

static bool push_chunk(rti_arena *arena, size_t capacity) {
    rti_chunk *chunk = rt_alloc(HEADER + capacity);
    if (!chunk) return false;
    *chunk = (rti_chunk){arena->chunk, capacity, 0};
    arena->chunk = chunk;
    return true;
}

void *rti_arena_alloc(rti_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 4) return NULL;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    rti_chunk *chunk = arena->chunk;
    if (!chunk || chunk->capacity - chunk->used < bytes) {
        size_t capacity = chunk ? 2 * chunk->capacity : FIRST_CHUNK;
        /* Where there is no memory for a chunk to grow into, one that just fits may do. */
        bool pushed = capacity > bytes && push_chunk(arena, capacity);
        if (!pushed && !push_chunk(arena, bytes)) return NULL;
        chunk = arena->chunk;
    }
    void *block = (char *)chunk + HEADER + chunk->used;
    chunk->used += bytes;
    arena->used_bytes += bytes;
    if (arena->used_bytes > arena->peak_bytes) arena->peak_bytes = arena->used_bytes;
    return block;
}

void *rti_arena_alloc_zero(rti_arena *arena, size_t bytes) {
    void *block = rti_arena_alloc(arena, bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

void rti_arena_reset(rti_arena *arena) {
    if (arena->chunk && arena->chunk->before) {
        /* Several chunks: replace them by one that holds all that was ever used at once. Without
         * the memory for it the arena is simply empty and grows again. */
        release_chunks(arena);
        (void)push_chunk(arena, arena->peak_bytes);
    }
    if (arena->chunk) arena->chunk->used = 0;
    arena->used_bytes = 0;
}
