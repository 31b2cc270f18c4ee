/* nonzero_avx2.h - what is not 0, for AVX2: lists, and maps of bytes.  Floor 2 (kernels) */
#ifndef RTI_NONZERO_AVX2_H
#define RTI_NONZERO_AVX2_H

#include <string.h>

#include "kernels/avx2.h"
#include "kernels/kernels.h"

/* ---- lists, eight numbers at a time ----
 *
 * The ones of a comparison's byte select, by a table, which lanes move to the front. */

/* The places of a byte's ones, a byte each, from the lowest on. */
#define BIT(b, i) ((b) >> (i) & 1)
#define ONES(b) (BIT(b, 0) + BIT(b, 1) + BIT(b, 2) + BIT(b, 3) + BIT(b, 4) + BIT(b, 5) + BIT(b, 6))
#define PLACE(b, i) (BIT(b, i) ? (uint64_t)(i) << 8 * ONES((b) & ((1 << (i)) - 1)) : 0)
#define PLACES(b) \
    PLACE(b, 1) | PLACE(b, 2) | PLACE(b, 3) | PLACE(b, 4) | PLACE(b, 5) | PLACE(b, 6) | PLACE(b, 7)
#define FOUR(b) PLACES(b), PLACES((b) + 1), PLACES((b) + 2), PLACES((b) + 3)
#define SIXTEEN(b) FOUR(b), FOUR((b) + 4), FOUR((b) + 8), FOUR((b) + 12)
#define SIXTY_FOUR(b) SIXTEEN(b), SIXTEEN((b) + 16), SIXTEEN((b) + 32), SIXTEEN((b) + 48)
static const uint64_t places_of[256] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192)};

/* Writes the entries of the lanes whose places are given, to be counted from `first`, and values; eight,
 * however many count. */
ALWAYS void write8(__m256i lane, __m256 values, int first, rti_entry *to) {
    const __m256i place = _mm256_add_epi32(lane, _mm256_set1_epi32(first)),
                  value = _mm256_castps_si256(values), low = _mm256_unpacklo_epi32(place, value),
                  high = _mm256_unpackhi_epi32(place, value);
    __m256i *out = (__m256i *)(void *)to;
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(low, high, 0x31));
}

ALWAYS __m128i places(int bits) { return _mm_loadl_epi64((const __m128i *)(const void *)&places_of[bits]); }

/* Return how many of the eight entries count. */
ALWAYS int list8(__m256 x, int first, rti_entry *to) {
    const int bits = _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    const __m256i lane = _mm256_cvtepu8_epi32(places(bits));
    write8(lane, _mm256_permutevar8x32_ps(x, lane), first, to);
    return __builtin_popcount((unsigned)bits);
}

ALWAYS int list8_bytes(__m128i x, int first, __m256 scale, rti_entry *to) {
    const int bits = ~_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_setzero_si128())) & 0xff;
    const __m128i at = places(bits);
    const __m256i moved = _mm256_cvtepu8_epi32(_mm_shuffle_epi8(x, at));
    write8(_mm256_cvtepu8_epi32(at), _mm256_mul_ps(_mm256_cvtepi32_ps(moved), scale), first, to);
    return __builtin_popcount((unsigned)bits);
}

static int list_avx2(int64_t n, const float *x, rti_entry *to) {
    int count = 0;
    for (int64_t i = 0; i < n; i += 8)
        count += list8(load_first(x + i, n - i < 8 ? (int)(n - i) : 8), (int)i, to + count);
    return count;
}

/* Eight zeros are passed over: of MNIST's eights every second one. */
static int list_bytes_avx2(int64_t n, const uint8_t *x, const float *value, rti_entry *to) {
    const __m256 scale = _mm256_set1_ps(value[1]);
    int count = 0;
    int64_t i = 0;
    for (uint64_t eight; i + 8 <= n; i += 8) {
        memcpy(&eight, x + i, sizeof eight);
        if (eight) count += list8_bytes(_mm_cvtsi64_si128((long long)eight), (int)i, scale, to + count);
    }
    for (; i < n; i++)
        if (x[i]) to[count++] = (rti_entry){(uint32_t)i, value[x[i]]};
    return count;
}

/* ---- maps ---- */

ALWAYS uint64_t zeros32(const uint8_t *x) {
    const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)x);
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_setzero_si256()));
}

/* Bit i: byte i of 64 is not 0. */
ALWAYS uint64_t nonzero_bytes_avx2(const uint8_t *x) { return ~(zeros32(x) | zeros32(x + 32) << 32); }

/* Bit j of word i becomes bit i of word j: the words' bytes are turned by shuffles, then the highest bits of
 * the 64 bytes that belong to one column of bytes are one word, eight times. */
static void turn_bits_avx2(uint64_t square[64]) {
    const __m256i pairs = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
    __m256i bytes[2][8]; /* [rows 0 ... 31 or the others][column of bytes] */
    EACH(h, 2) {
        const __m128i *two = (const __m128i *)(const void *)(square + 32 * h);
        __m256i of2[8], of4[2][4], of8[4][2]; /* of so many rows, columns in order; upper half: 16 rows on */
        EACH(j, 8) {
            const __m256i low = _mm256_castsi128_si256(_mm_loadu_si128(two + j));
            of2[j] = _mm256_inserti128_si256(low, _mm_loadu_si128(two + 8 + j), 1);
            of2[j] = _mm256_shuffle_epi8(of2[j], pairs);
        }
        EACH(j, 4) {
            of4[0][j] = _mm256_unpacklo_epi16(of2[2 * j], of2[2 * j + 1]);
            of4[1][j] = _mm256_unpackhi_epi16(of2[2 * j], of2[2 * j + 1]);
        }
        EACH(c, 2) EACH(j, 2) {
            of8[2 * c][j] = _mm256_unpacklo_epi32(of4[c][2 * j], of4[c][2 * j + 1]);
            of8[2 * c + 1][j] = _mm256_unpackhi_epi32(of4[c][2 * j], of4[c][2 * j + 1]);
        }
        EACH(c, 4) {
            bytes[h][2 * c] = _mm256_unpacklo_epi64(of8[c][0], of8[c][1]);
            bytes[h][2 * c + 1] = _mm256_unpackhi_epi64(of8[c][0], of8[c][1]);
        }
    }
    EACH(c, 8) EACH(b, 8) {
        const uint64_t low = (uint32_t)_mm256_movemask_epi8(bytes[0][c]),
                       high = (uint32_t)_mm256_movemask_epi8(bytes[1][c]);
        square[8 * c + 7 - b] = low | high << 32;
        EACH(h, 2) bytes[h][c] = _mm256_add_epi8(bytes[h][c], bytes[h][c]);
    }
}

#endif
