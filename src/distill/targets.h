/* targets.h - controls: what a student is told in place of the teacher's answers.  Floor 7 (distill)
 *
 * Is it knowledge that helps a student, or would any soft target do? Each kind (rt_targets) takes one thing
 * away from the answers v_i to the examples i of a part, whose label is y_i:
 *
 *   shuffled    v_j of another example j with y_j = y_i: the teacher's view of the class without that of the
 *               example. Every answer is given once; a class of one example keeps its own.
 *   permuted    v_i with the classes other than y_i in a random order, drawn for each example: how sure the
 *               teacher is, without what it is unsure about.
 *   class-mean  the mean of v_j over all j with y_j = y_i, of logits: at every T the normalised geometric
 *               mean of the softened answers. What the classes have in common, and nothing else.
 *
 * The draws come from the stream (seed, "targets", 0, class or example). Members of an ensemble are changed
 * alike. */
#ifndef RTI_TARGETS_H
#define RTI_TARGETS_H

#include "distill/cache.h"

/* Are the answers looked up by example, whatever the student sees of it? */
bool rti_targets_are_fixed(rt_targets targets);

/* Changes the answers in `cache`, which are those to `part`. RT_MEMORY. */
rt_status rti_targets_change(rti_cache *cache, const rt_part *part, rt_targets targets, uint64_t seed,
                             rt_error *error) RT_MUST_CHECK;

#endif
