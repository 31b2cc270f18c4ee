/* notes.c - see notes.h.                                               Floor 4 (graph) */
#include "graph/notes.h"

void rti_notes_init(rti_notes *notes) {
    *notes = (rti_notes){.batch = NULL};
    rti_arena_init(&notes->arena);
}

void rti_notes_deinit(rti_notes *notes) { rti_arena_deinit(&notes->arena); }

void rti_notes_begin(rti_notes *notes, const rt_tensor *batch) {
    notes->batch = batch;
    notes->nonzero = NULL;
    rti_arena_reset(&notes->arena);
}
