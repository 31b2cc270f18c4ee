/* checkpoint.h - a trial between two epochs, on disk.                  Floor 8 (experiment)
 *
 * One file, written whole: everything needed to go on after the last whole epoch with the same bits.
 * A hash over the contents guards it; a file that does not fit is no checkpoint, and the trial starts
 * from its beginning. */
#ifndef RTI_CHECKPOINT_H
#define RTI_CHECKPOINT_H

#include "core/text.h"
#include "retort/distill.h"

typedef struct rti_checkpoint {
    int64_t epochs;          /* done */
    int64_t best_epoch;      /* 0: none yet */
    double best_accuracy;
    double seconds;          /* of training, all sessions */
    double peak_megabytes;
    rti_text metrics;        /* the table so far, with its header */
    rt_real *best;           /* (best_count) weights of the best epoch; owned */
    int64_t best_count;
    void *distiller;         /* what rt_distiller_save gave; owned */
    size_t distiller_bytes;
} rti_checkpoint;

rt_status rti_checkpoint_write(const rti_checkpoint *checkpoint, const char *path, const char *id,
                               rt_error *error) RT_MUST_CHECK;

/* RT_NOT_FOUND: none there; RT_FORMAT: damaged, or of another trial or network; RT_MEMORY, RT_IO.
 * *checkpoint is empty then. best_count must be what the network has. */
rt_status rti_checkpoint_read(rti_checkpoint *checkpoint, const char *path, const char *id,
                              int64_t best_count, rt_error *error) RT_MUST_CHECK;
void rti_checkpoint_deinit(rti_checkpoint *checkpoint);

#endif
