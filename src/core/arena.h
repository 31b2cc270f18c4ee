/* arena.h - memory that is released all at once.                      Floor 1 (core)
 *
 * Blocks come one after the other from large chunks, aligned to 64 bytes. rti_arena_reset gives
 * everything back to the arena, not to the system; when more than one chunk was needed, the chunks
 * are replaced by a single one that holds it all, so that the second step of a training loop is
 * the last one that allocates. */
#ifndef RTI_ARENA_H
#define RTI_ARENA_H

#include "retort/status.h"

typedef struct rti_chunk rti_chunk;

typedef struct rti_arena {
    rti_chunk *chunk;    /* the newest; older ones hang behind it */
    size_t used_bytes;   /* since the last reset */
    size_t peak_bytes;
} rti_arena;

void rti_arena_init(rti_arena *arena);
void rti_arena_deinit(rti_arena *arena);

/* Uninitialised; NULL when there is no memory. Valid until the next reset. */
void *rti_arena_alloc(rti_arena *arena, size_t bytes) RT_MUST_CHECK;
void *rti_arena_alloc_zero(rti_arena *arena, size_t bytes) RT_MUST_CHECK;

void rti_arena_reset(rti_arena *arena);

#endif
