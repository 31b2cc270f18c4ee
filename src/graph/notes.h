/* notes.h - what is found out about a batch once, for all steps that look at it. Floor 4 (graph)
 *
 * Students that are trained together make their steps on the same batch. What an op works out about the
 * batch's numbers and about nothing else (where they are 0), it leaves here for the next student's. */
#ifndef RTI_NOTES_H
#define RTI_NOTES_H

#include "core/arena.h"
#include "kernels/kernels.h"
#include "retort/graph.h"

typedef struct rti_notes {
    const rt_tensor *batch; /* contiguous, and nobody changes it; NULL: nothing is noted */
    rti_nonzero *nonzero;   /* in the arena; NULL: not asked for yet */
    rti_arena arena;
} rti_notes;

void rti_notes_init(rti_notes *notes);
void rti_notes_deinit(rti_notes *notes);

/* Forgets what was noted; from now on it is about `batch`, borrowed, or about none (NULL). */
void rti_notes_begin(rti_notes *notes, const rt_tensor *batch);

/* Steps of this graph read and write them. Borrowed; NULL, as at first: none. */
void rti_graph_use_notes(rt_graph *graph, rti_notes *notes);

/* The notes, when they are about all of x's numbers in this order; else NULL. */
rti_notes *rti_notes_about(const rt_graph *graph, const rt_tensor *x);

#endif
