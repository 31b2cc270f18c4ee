/* cache.h - the teacher's answers to every example of a part, kept.    Floor 7 (distill)
 *
 * Holds the logits of each member for each position of a part, uncombined and untempered, so that one
 * cache serves every temperature, every combination and every student. Answers are looked up by
 * position, whatever the order of the batches.
 *
 * It can not go stale: the file's name is a hash of the members' weights, of the examples themselves
 * (every byte the teacher would see, in the order of the part) and of the precision and instruction
 * set that decide the last bit. A file that is damaged or says something else is computed again and
 * replaced. A stored teacher's answers are copied from its table and written nowhere. There is no
 * cache of augmented batches: the driver runs the teacher on those. */
#ifndef RTI_CACHE_H
#define RTI_CACHE_H

#include "retort/distill.h"

typedef struct rti_cache rti_cache;

/* How a cache is made. */
typedef struct rti_cache_making {
    const char *directory;   /* NULL: in memory only */
    int threads;             /* of the teacher, while other processes may wait; 0: those there are */
    bool (*go_on)(void *);   /* asked while the teacher is, or another process is waited for; NULL: yes */
    void *context;
} rti_cache_making;

/* Reads directory/<key>.safetensors, or asks the teacher and writes it, or waits for the process that does.
 * `making` NULL is all of it 0. A file that cannot be written is reported with rt_say and forgotten.
 * `teacher` and `part` must outlive the cache. NULL and *error: RT_STOPPED, RT_MEMORY, or what the teacher's
 * forward pass fails with. */
rti_cache *rti_cache_open(rt_teacher *teacher, const rt_part *part, const rti_cache_making *making,
                          rt_error *error) RT_MUST_CHECK;
void rti_cache_free(rti_cache *cache);

/* v (N, K): the teacher's answers at T for the positions index[0 ... N-1], the same bits as
 * rt_teacher_logits gives for those examples. NULL after a failure that the graph remembers. */
rt_tensor *rti_cache_logits(const rti_cache *cache, rt_graph *graph, const int32_t *index, int64_t N,
                            double T);

/* The same answers again, in memory of their own, to be changed; in no file. NULL: RT_MEMORY. */
rti_cache *rti_cache_dup(const rti_cache *cache, rt_error *error) RT_MUST_CHECK;
rt_real *rti_cache_member(rti_cache *cache, int member); /* (N, K) logits, borrowed */

rt_teacher *rti_cache_teacher(const rti_cache *cache); /* borrowed */
const char *rti_cache_path(const rti_cache *cache); /* "" when in memory only */
bool rti_cache_was_read(const rti_cache *cache);    /* from a file; false: the teacher was asked */

#endif
