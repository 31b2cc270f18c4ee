/* teacher.h - how the answers of several networks become one.          Floor 7 (distill) */
#ifndef RTI_TEACHER_H
#define RTI_TEACHER_H

#include "core/hash.h"
#include "distill/stored.h"
#include "retort/distill.h"

/* Feeds the members' structures and weights to a hash, but not how they are combined. */
void rti_teacher_hash_members(const rt_teacher *teacher, rti_hash *hash);

/* member[m] (N, K) contiguous logits of member m. Writes v (N, K) with softmax(v/T) = their combination
 * at T; one member is copied. Computed in double, each row by itself. False when K doubles of scratch
 * memory in the graph are not to be had. The live teacher and the cache both end here, so that their
 * answers are the same bits. */
bool rti_teacher_combine(const rt_teacher *teacher, rt_graph *graph, const rt_real *const member[], int64_t N,
                         double T, rt_real *v);

/* Which random numbers a teacher's dropout draws, when it is left on (RT_TARGETS_DROPOUT). */
typedef struct rti_teacher_noise {
    uint64_t seed, epoch, step;
} rti_teacher_noise;

/* The logits of every member, uncombined: (N, K) each, contiguous, in the graph; false after a
 * failure that the graph remembers. noise NULL, as it should be: in evaluation mode. */
bool rti_teacher_member_logits(rt_teacher *teacher, rt_graph *graph, rt_tensor *x,
                               const rti_teacher_noise *noise, const rt_real *member[]);

/* The answers of a stored teacher; NULL: it is made of networks. */
const rti_stored *rti_teacher_stored(const rt_teacher *teacher);
/* Can it say something of these examples? Networks can of all. */
bool rti_teacher_knows(const rt_teacher *teacher, const rt_examples *examples);
/* v (N, K) at T for a batch of `part`: from the networks, or from the file. NULL after a failure that the
 * graph remembers. */
rt_tensor *rti_teacher_answers(rt_teacher *teacher, rt_graph *graph, const rt_part *part,
                               const rt_batch *batch, double T);

#endif
