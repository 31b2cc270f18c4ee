/* metrics.h - the table that a trial grows by one row an epoch.        Floor 8 (experiment)
 *
 *   epoch,loss,train_accuracy,validation_accuracy,validation_nll,lr,stage
 *   unseen_accuracy, where there are classes that the student never sees: on validation examples of these
 *   then for each term of the loss: term_<name>, its value; gradient_<name>, the length of its weighted
 *   gradient over the student's parameters, and logit_gradient_<name>, over the logits, both in the first
 *   step of the epoch.
 *
 * Terms that come later (a second stage) add columns; rows that know nothing of them have empty fields. */
#ifndef RTI_METRICS_H
#define RTI_METRICS_H

#include "core/text.h"
#include "retort/distill.h"

/* The head of a table, for one that gets no rows. */
void rti_metrics_begin(rti_text *table);
/* One row more; a validation of 0 examples leaves its fields empty. unseen: NaN in all rows or in none; then
 * there is no such column. Failure is in table->failed. */
void rti_metrics_append(rti_text *table, const rt_epoch_report *report, const rt_quality *validation,
                        double unseen);

#endif
