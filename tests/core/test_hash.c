/* The hash: pieces against the whole, no collision among a hundred thousand near inputs, each input
 * bit changes about half of the output bits, and fixed values, so that identities of trials stay
 * the same from version to version and from machine to machine. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "retort/rng.h"

static void hash_whole(uint64_t seed, const void *bytes, size_t count, uint64_t out[2]) {
    rti_hash hash;
    rti_hash_init(&hash, seed);
    rti_hash_add(&hash, bytes, count);
    rti_hash_finish(&hash, out);
}

Test(hash, pieces_equal_the_whole) {
    unsigned char bytes[1000];
    rt_rng rng = rt_rng_stream(1, "hash", 0, 0);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)rt_rng_u32(&rng);
    for (int round = 0; round < 500; round++) {
        size_t count = rt_rng_below(&rng, sizeof bytes + 1), at = 0;
        uint64_t whole[2], pieces[2], during[2];
        hash_whole(9, bytes, count, whole);
        rti_hash hash;
        rti_hash_init(&hash, 9);
        while (at < count) {
            size_t piece = rt_rng_below(&rng, 70);
            if (piece > count - at) piece = count - at;
            rti_hash_add(&hash, bytes + at, piece);
            rti_hash_finish(&hash, during); /* finishing leaves it as it is */
            at += piece;
        }
        rti_hash_finish(&hash, pieces);
        cr_assert(whole[0] == pieces[0] && whole[1] == pieces[1]);
        cr_assert_eq(whole[0], rti_hash64(9, bytes, count));
    }
}

static int compare(const void *a, const void *b) { return memcmp(a, b, sizeof(uint64_t)); }

Test(hash, near_inputs_do_not_collide) {
    enum { COUNT = 100000 };
    uint64_t *seen = malloc(COUNT * sizeof *seen), value[8] = {0};
    for (uint64_t i = 0; i < COUNT; i++) {
        /* zeros of many lengths, small integers in every word, seeds */
        if (i < 64) seen[i] = rti_hash64(0, value, (size_t)i);
        else if (i < 50000) {
            value[i % 8] = i;
            seen[i] = rti_hash64(0, value, sizeof value);
            value[i % 8] = 0;
        } else seen[i] = rti_hash64(i, "seed", 4);
    }
    qsort(seen, COUNT, sizeof *seen, compare);
    for (int i = 1; i < COUNT; i++) cr_assert_neq(seen[i - 1], seen[i]);
    free(seen);
}

Test(hash, every_bit_matters) {
    for (size_t length = 1; length <= 67; length += 11) {
        unsigned char bytes[67] = {0};
        uint64_t base[2], changed[2];
        hash_whole(3, bytes, length, base);
        double flipped = 0;
        for (size_t bit = 0; bit < 8 * length; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            hash_whole(3, bytes, length, changed);
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            int count = 0;
            for (uint64_t x = base[0] ^ changed[0]; x; x &= x - 1) count++;
            for (uint64_t x = base[1] ^ changed[1]; x; x &= x - 1) count++;
            cr_assert(count >= 30 && count <= 98, "bit %zu of %zu bytes flips %d of 128", bit, length, count);
            flipped += count;
        }
        flipped /= (double)(8 * length);
        cr_assert(flipped > 58 && flipped < 70, "%g bits on average", flipped);
    }
}

Test(hash, text_is_framed_and_values_are_fixed) {
    char first[RTI_HASH_TEXT], second[RTI_HASH_TEXT];
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add_text(&hash, "ab");
    rti_hash_add_text(&hash, "c");
    rti_hash_finish_text(&hash, first);
    rti_hash_init(&hash, 0);
    rti_hash_add_text(&hash, "a");
    rti_hash_add_text(&hash, "bc");
    rti_hash_finish_text(&hash, second);
    cr_assert_str_neq(first, second);
    cr_assert_eq(strlen(first), 32);
    cr_assert_eq(strspn(first, "0123456789abcdef"), 32);
    cr_assert_str_eq(first, "fd2a23ca27caab0368a3f82c44137020");
    cr_assert_eq(rti_hash64(0, "", 0), 0x7F39058822BB396Bu);
    cr_assert_eq(rti_hash64(42, "retort", 6), 0x3D3F6A575586898Eu);
}
