/* unseen.h - classes that a student never sees, and its teacher has seen.  Floor 8 (experiment)
 *
 * A transfer set without the 3s teaches what a 3 is through the teacher's doubts about others (Hinton,
 * Vinyals, Dean 2015, arXiv 1503.02531, section 3). Which classes these are follows from the data alone:
 * those of which the training examples have some and the transfer set has none. */
#ifndef RTI_UNSEEN_H
#define RTI_UNSEEN_H

#include "experiment/experiment.h"

#define RTI_UNSEEN_CLASSES_MAX 256

typedef struct rti_unseen {
    int count;   /* 0: it sees all; also of a teacher, or of more classes than fit */
    bool is_unseen[RTI_UNSEEN_CLASSES_MAX];
} rti_unseen;

void rti_unseen_find(rti_unseen *unseen, const rti_plan *plan, int trial);

/* Accuracy on those examples of `part` whose class is unseen; predictions (part->count). NaN: there are
 * none. */
double rti_unseen_accuracy(const rti_unseen *unseen, const rt_part *part, const uint8_t *predictions);

#endif
