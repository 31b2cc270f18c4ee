/* notes.h - what is found out about a batch once, for all steps that look at it. Floor 4 (graph)
 *
 * Students that are trained together make their steps on the same batch. What an op works out about the
 * batch's numbers (where they are 0) or the teacher's answers to it and about nothing else, it leaves here
 * for the next student's. And of a batch of bytes that is read by such ops alone, the numbers need never be
 * made. */
#ifndef RTI_NOTES_H
#define RTI_NOTES_H

#include "core/arena.h"
#include "kernels/kernels.h"
#include "retort/graph.h"

/* softmax(v/T) and its logarithm, (N,K), in the notes' arena. */
typedef struct rti_soft_targets {
    const rt_tensor *v;
    double T, *p, *log_p;
} rti_soft_targets;

enum { RTI_NOTES_TARGETS = 8, RTI_NOTES_SOFT = 16 }; /* what is beyond them is not noted */

typedef struct rti_notes {
    const rt_tensor *batch; /* contiguous, and nobody changes it; NULL: nothing is noted */
    int students;           /* who will look at it, one after the other */
    rti_nonzero *nonzero;   /* in the arena; NULL: not asked for yet */
    rti_arena arena;
    rti_byte_rows of;       /* the batch as bytes; `bytes` NULL: it is of numbers */
    void (*fill)(void *);   /* who makes them numbers; NULL: the batch holds them */
    void *filler;
    const rt_tensor *targets[RTI_NOTES_TARGETS]; /* the teacher's answers to the batch, (N,K) logits */
    rti_soft_targets soft[RTI_NOTES_SOFT];
    int target_count, soft_count;
} rti_notes;

void rti_notes_init(rti_notes *notes);
void rti_notes_deinit(rti_notes *notes);

/* Forgets what was noted; from now on it is about `batch`, borrowed, for so many students, or about none
 * (NULL). */
void rti_notes_begin(rti_notes *notes, const rt_tensor *batch, int students);

/* The batch holds nothing yet: it is of these bytes, and fill(filler) makes it hold their numbers. All is
 * borrowed. */
void rti_notes_late(rti_notes *notes, const rti_byte_rows *of, void (*fill)(void *), void *filler);

/* Steps of this graph read and write them. Borrowed; NULL, as at first: none. */
void rti_graph_use_notes(rt_graph *graph, rti_notes *notes);

/* Ahead of an op that reads x: where x is some of a batch that holds nothing yet, it is filled. */
void rti_notes_read(const rt_graph *graph, const rt_tensor *x);

/* The notes, when they are about all of x's numbers in this order; else NULL. */
rti_notes *rti_notes_about(const rt_graph *graph, const rt_tensor *x);

/* v is an answer of the teacher's to the batch: contiguous (N,K) logits, borrowed, which nobody changes until
 * the next batch. */
void rti_notes_target(rti_notes *notes, const rt_tensor *v);

/* softmax(v/T) of such an answer, made for the first who asks; NULL: it is none, or there is no room. */
const rti_soft_targets *rti_notes_soften(const rt_graph *graph, const rt_tensor *v, double T);

#endif
