/* hash.c - a four-lane multiply-rotate hash, 128 bits out.             Floor 1 (core)
 *
 * Each lane takes 8 of 32 bytes: lane = rotate(lane + word * P2, 31) * P1, the round of the xxHash
 * family, which mixes well and runs at memory speed. At the end the lanes are folded with the
 * length into two words by the SplitMix64 finaliser. Words are read little-endian. */
#include "core/hash.h"

#include <stdio.h>
#include <string.h>

#define P1 0x9E3779B185EBCA87u
#define P2 0xC2B2AE3D27D4EB4Fu
#define P3 0x165667B19E3779F9u

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static uint64_t word_at(const unsigned char *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static uint64_t finish(uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

void rti_hash_init(rti_hash *hash, uint64_t seed) {
    memset(hash, 0, sizeof *hash);
    for (int i = 0; i < 4; i++) hash->lane[i] = finish(seed + P3 * (uint64_t)(i + 1));
}

static void add_block(rti_hash *hash, const unsigned char *p) {
    for (int i = 0; i < 4; i++) hash->lane[i] = rotate(hash->lane[i] + word_at(p + 8 * i) * P2, 31) * P1;
}

void rti_hash_add(rti_hash *hash, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    hash->length += count;
    if (hash->pending_count) {
        while (count && hash->pending_count < 32) {
            hash->pending[hash->pending_count++] = *p++;
            count--;
        }
        if (hash->pending_count < 32) return;
        add_block(hash, hash->pending);
        hash->pending_count = 0;
    }
    for (; count >= 32; count -= 32, p += 32) add_block(hash, p);
    if (count) memcpy(hash->pending, p, count);
    hash->pending_count = (int)count;
}

void rti_hash_add_text(rti_hash *hash, const char *text) { rti_hash_add(hash, text, strlen(text) + 1); }

void rti_hash_finish(const rti_hash *hash, uint64_t out[2]) {
    rti_hash h = *hash;
    memset(h.pending + h.pending_count, 0, (size_t)(32 - h.pending_count));
    add_block(&h, h.pending);
    uint64_t a = h.length * P3, b = ~h.length;
    for (int i = 0; i < 4; i++) {
        a = finish(a ^ rotate(h.lane[i], 7 * i + 1));
        b = finish(b + rotate(h.lane[3 - i], 11 * i + 3) * P1);
    }
    out[0] = a;
    out[1] = finish(b ^ a * P2);
}

void rti_hash_finish_text(const rti_hash *hash, char out[RTI_HASH_TEXT]) {
    uint64_t words[2];
    rti_hash_finish(hash, words);
    snprintf(out, RTI_HASH_TEXT, "%016llx%016llx", (unsigned long long)words[0],
             (unsigned long long)words[1]);
}

uint64_t rti_hash64(uint64_t seed, const void *bytes, size_t count) {
    rti_hash h;
    uint64_t words[2];
    rti_hash_init(&h, seed);
    rti_hash_add(&h, bytes, count);
    rti_hash_finish(&h, words);
    return words[0];
}
