/* notes.c - see notes.h.                                               Floor 4 (graph) */
#include "graph/notes.h"

void rti_notes_init(rti_notes *notes) {
    *notes = (rti_notes){.batch = NULL};
    rti_arena_init(&notes->arena);
}

void rti_notes_deinit(rti_notes *notes) { rti_arena_deinit(&notes->arena); }

void rti_notes_begin(rti_notes *notes, const rt_tensor *batch, int students) {
    notes->batch = batch;
    notes->students = students;
    notes->nonzero = NULL;
    notes->of.bytes = NULL;
    notes->fill = NULL;
    notes->target_count = notes->soft_count = 0;
    rti_arena_reset(&notes->arena);
}

void rti_notes_late(rti_notes *notes, const rti_byte_rows *of, void (*fill)(void *), void *filler) {
    notes->of = *of;
    notes->fill = fill;
    notes->filler = filler;
}

void rti_notes_target(rti_notes *notes, const rt_tensor *v) {
    if (notes->target_count < RTI_NOTES_TARGETS) notes->targets[notes->target_count++] = v;
}
