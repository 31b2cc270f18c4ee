/* blocks.h - memory of other origin under rt_free.                     Floor 1 (core) */
#ifndef RTI_BLOCKS_H
#define RTI_BLOCKS_H

#include "retort/alloc.h"

/* Bytes that must lie free ahead of the data of an adopted block. */
#define RTI_BLOCK_HEAD 64

/* Makes `data`, aligned to 64 bytes, a block like those of rt_alloc: counted, and given back by rt_free with
 * release(context, data). NULL when an allocation is to fail now (rt_alloc_fail_after); nothing has happened
 * then. */
void *rti_block_adopt(void *data, size_t bytes, void (*release)(void *context, void *data),
                      void *context) RT_MUST_CHECK;

/* The bytes of a block that was adopted with this `release`; 0 for any other. */
size_t rti_block_adopted(const void *block, void (*release)(void *context, void *data));

#endif
