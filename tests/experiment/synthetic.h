/* synthetic.h - a plan with records made up by formula, for tests of what readers see. */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H

#include "experiment/report_parts.h"

/* One teacher; per facet (student.hidden: [30, 30], then [800, 800]) a scratch student per seed; a grid
 * of temperatures 1, 2, 4, 8, 20 by alphas 0, 0.5, 0.9, 1, where alpha 0 is the scratch student. 2000 test
 * and 1000 validation examples, 30 epochs.
 *
 *   errors on the test set = synthetic_errors(facet, T index, alpha index, seed index)
 */
typedef struct synthetic_options {
    int facets;   /* 1 or 2 */
    int seeds;
    int temperatures, alphas; /* 0: that axis is not swept */
} synthetic_options;

typedef struct synthetic {
    rti_plan *plan;
    rti_record *records;
    rti_facts facts;
} synthetic;

int synthetic_errors(int facet, int t, int a, int seed);
int synthetic_teacher_errors(void);

/* Fails the test when there is no memory. The directory need not exist. */
synthetic synthetic_make(const synthetic_options *options, const char *directory);
void synthetic_set_errors(rti_record *record, int errors);
/* All but the records, which a summary takes. */
void synthetic_free(synthetic *s);

#endif
