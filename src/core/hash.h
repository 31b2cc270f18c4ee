/* hash.h - content hashes: the identity of trials, data and teachers.  Floor 1 (core)
 *
 * 128 bits, fast (several GB/s), the same on every machine; not for security. Feeding in pieces
 * gives the same hash as feeding at once. */
#ifndef RTI_HASH_H
#define RTI_HASH_H

#include "retort/status.h"

typedef struct rti_hash {
    uint64_t lane[4];
    uint64_t length;
    unsigned char pending[32];
    int pending_count;
} rti_hash;

#define RTI_HASH_TEXT 33 /* 32 hexadecimal digits and a zero */

void rti_hash_init(rti_hash *hash, uint64_t seed);
void rti_hash_add(rti_hash *hash, const void *bytes, size_t count);
void rti_hash_add_text(rti_hash *hash, const char *text); /* with its zero: ("ab","c") != ("a","bc") */
void rti_hash_finish(const rti_hash *hash, uint64_t out[2]);
void rti_hash_finish_text(const rti_hash *hash, char out[RTI_HASH_TEXT]);

uint64_t rti_hash64(uint64_t seed, const void *bytes, size_t count); /* in one call */

#endif
