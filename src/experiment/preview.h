/* preview.h - a plan before it is trained: networks, features, memory, time.  Floor 8 (experiment) */
#ifndef RTI_PREVIEW_H
#define RTI_PREVIEW_H

#include "experiment/experiment.h"

typedef enum rti_preview_depth {
    RTI_PREVIEW_SHORT,   /* networks, and what each method looks at */
    RTI_PREVIEW_MEASURED /* taps too; and two steps of each training are run, to say memory and time */
} rti_preview_depth;

/* Appends it; the time is that of the shard's trials (0, 0: of all). Writes no file. RT_MEMORY, and what
 * building networks says. */
rt_status rti_preview_text(const rti_plan *plan, rti_preview_depth depth, int shard, int shards,
                           rti_text *out, rt_error *error) RT_MUST_CHECK;

#endif
