/* shared.h - what students that are trained together have in common.   Floor 7 (distill)
 *
 * The batches, the teacher's answers to them, and the memory of a step: one student after the other makes
 * its step on the batch at hand, and gives the memory back. It belongs to the distiller beside which the
 * others were made (rt_distiller_config); one that stands alone shares with nobody. */
#ifndef RTI_SHARED_H
#define RTI_SHARED_H

#include "distill/cache.h"
#include "distill/teacher.h"
#include "graph/notes.h"

typedef struct rti_shared {
    rt_loader *loader;
    rt_graph *graph;      /* of a student's step */
    rti_notes notes;      /* about the batch at hand */
    rt_teacher *teacher;  /* borrowed; NULL: nobody asks one */
    char teacher_hash[33];
    rti_cache *cache;     /* NULL: nobody reads soft targets */
    rt_graph *pass;       /* of the teacher's pass over the batch at hand, with the features it leaves */
    bool has_passed;
    struct {
        const rti_cache *cache;
        double T;
        rt_tensor *v;
    } read[RTI_NOTES_TARGETS]; /* of the batch at hand, from caches */
    int read_count;
    const rt_real *member[RT_TEACHER_MEMBERS_MAX]; /* (N, K) logits of each member, when has_passed */
} rti_shared;

/* Do both show an example in the same way? Then, with the same part, batch and seed, batches are equal. */
bool rti_same_augment(const rt_augment *a, const rt_augment *b);

/* Loader and graphs. RT_UNSUPPORTED (jitter of what is no image), RT_MEMORY. */
rt_status rti_shared_init(rti_shared *shared, const rt_distiller_config *config,
                          rt_error *error) RT_MUST_CHECK;
void rti_shared_deinit(rti_shared *shared);

/* The teacher that all have: the first who asks one says which. */
void rti_shared_teacher(rti_shared *shared, rt_teacher *teacher);

/* The soft targets, opened for the first who wants them. Borrowed. NULL and *error: see rti_cache_open. */
rti_cache *rti_shared_cache(rti_shared *shared, const rt_distiller_config *config,
                            rt_error *error) RT_MUST_CHECK;

/* The loader's next batch, for so many students, lent until the one after it, and notes about it: its numbers
 * may be made later (loader.h). false: the epoch is over. */
bool rti_next_batch(rt_loader *loader, int students, rt_batch *batch, rti_notes *notes);
/* The same of the students' loader. */
bool rti_shared_next(rti_shared *shared, int students, rt_batch *batch);
/* There will be no next batch. */
void rti_shared_end(rti_shared *shared);

/* rti_cache_logits of the batch at hand, read for the first who asks for it; good until the next batch.
 * NULL: the graph `pass` says why. */
rt_tensor *rti_shared_logits(rti_shared *shared, const rti_cache *cache, const rt_batch *batch, double T);

/* The teacher's pass over the batch at hand, made for the first who asks (all ask with the same noise); what
 * it leaves on its taps is good until the next batch. RT_MEMORY, RT_SHAPE. */
rt_status rti_shared_ask(rti_shared *shared, const rt_batch *batch, const rti_teacher_noise *noise,
                         rt_error *error) RT_MUST_CHECK;

#endif
