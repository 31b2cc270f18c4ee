/* list_avx2.h - a list of what is not 0, eight numbers at a time.      Floor 2 (kernels)
 *
 * The ones of a comparison's byte select, by a table, which lanes move to the front. */
#ifndef RTI_LIST_AVX2_H
#define RTI_LIST_AVX2_H

#include "kernels/avx2.h"
#include "kernels/kernels.h"

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

/* Writes eight entries; returns how many of them count. */
ALWAYS int list8(__m256 x, int first, rti_entry *to) {
    const int bits = _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    const __m128i lanes = _mm_loadl_epi64((const __m128i *)(const void *)&places_of[bits]);
    const __m256i lane = _mm256_cvtepu8_epi32(lanes),
                  place = _mm256_add_epi32(lane, _mm256_set1_epi32(first)),
                  value = _mm256_castps_si256(_mm256_permutevar8x32_ps(x, lane)),
                  low = _mm256_unpacklo_epi32(place, value), high = _mm256_unpackhi_epi32(place, value);
    __m256i *out = (__m256i *)(void *)to;
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(low, high, 0x31));
    return __builtin_popcount((unsigned)bits);
}

static int list_avx2(int64_t n, const float *x, rti_entry *to) {
    int count = 0;
    for (int64_t i = 0; i < n; i += 8)
        count += list8(load_first(x + i, n - i < 8 ? (int)(n - i) : 8), (int)i, to + count);
    return count;
}

#endif
