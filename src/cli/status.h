/* status.h - the table of trials.                                      Floor 9 (cli) */
#ifndef RTI_STATUS_TABLE_H
#define RTI_STATUS_TABLE_H

#include "core/text.h"
#include "experiment/experiment.h"

/* One line for each trial of the shard (0, 0: all), and their numbers. RT_MEMORY, RT_IO. */
rt_status rti_status_text(const rti_plan *plan, int shard, int shards, rti_text *out,
                          rt_error *error) RT_MUST_CHECK;

#endif
