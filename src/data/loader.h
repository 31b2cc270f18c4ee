/* loader.h - batches whose numbers are not made yet.                    Floor 6 (data)
 *
 * A layer that leaves zeros out looks at the bytes of a batch and at a table of their numbers; the numbers
 * themselves, four times as much memory, are written when somebody asks for them. */
#ifndef RTI_LOADER_H
#define RTI_LOADER_H

#include "kernels/kernels.h"
#include "retort/data.h"

/* rt_loader_next, but when the examples are bytes that are shown as they are, 0 as 0, batch->x holds garbage
 * until rti_loader_fill, and *late the bytes; else late->bytes is NULL. Lent until the next batch. */
bool rti_loader_next_late(rt_loader *loader, rt_batch *batch, rti_byte_rows *late);
/* The numbers of the batch at hand. */
void rti_loader_fill(rt_loader *loader);

#endif
