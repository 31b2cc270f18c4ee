/* stored.h - answers that stand in a file instead of a network.        Floor 7 (distill)
 *
 * A table with one row of K numbers for each example of a set, in the set's own order: logits, or
 * probabilities, which become log p (a constant per row is nothing to a softmax). Examples are told apart by
 * their address, so a table of the training examples is never asked about others. */
#ifndef RTI_STORED_H
#define RTI_STORED_H

#include "core/hash.h"
#include "retort/distill.h"

#define RTI_STORED_TABLES 2

typedef struct rti_stored {
    int tables;
    struct {
        const rt_examples *examples; /* borrowed */
        rt_real *logits;             /* (count, K) */
    } table[RTI_STORED_TABLES];
    int64_t K;
    char name[256];                  /* of the file with the first table, for messages */
} rti_stored;

/* Reads one more table. *stored is as it was on failure. */
rt_status rti_stored_read(rti_stored *stored, const char *path, rt_answer_form form,
                          const rt_examples *examples, rt_error *error) RT_MUST_CHECK;
void rti_stored_deinit(rti_stored *stored);
/* (count, K) logits of these examples; NULL: they are not in it. */
const rt_real *rti_stored_logits(const rti_stored *stored, const rt_examples *examples);
void rti_stored_hash(const rti_stored *stored, rti_hash *hash);

#endif
