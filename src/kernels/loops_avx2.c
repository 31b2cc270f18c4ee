/* loops_avx2.c - the element-by-element kernels for AVX2.              Floor 2 (kernels)
 *
 * The loops of loops_body.h, and Philox for eight blocks at a time, a block per lane. */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include "kernels/nonzero_avx2.h"

/* high and low halves of the eight products factor * x. */
static inline void multiply(uint32_t factor, __m256i x, __m256i *high, __m256i *low) {
    const __m256i f = _mm256_set1_epi32((int)factor);
    const __m256i even = _mm256_mul_epu32(f, x), odd = _mm256_mul_epu32(f, _mm256_srli_epi64(x, 32));
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

/* bits[0 ... 63] of blocks block ... block + 7. Lane 4 q + k draws block 2 k + q, so that after the 4 x 4
 * transpositions within the two halves of a register the blocks stand in order. */
static inline void eight_blocks(const uint32_t key[2], const uint32_t counter[4], uint32_t block,
                                uint16_t *bits) {
    __m256i c0 = _mm256_add_epi32(_mm256_set1_epi32((int)block), _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    __m256i c1 = _mm256_set1_epi32((int)counter[1]), c2 = _mm256_set1_epi32((int)counter[2]);
    __m256i c3 = _mm256_set1_epi32((int)counter[3]);
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        __m256i high0, low0, high1, low1;
        multiply(0xD2511F53u, c0, &high0, &low0);
        multiply(0xCD9E8D57u, c2, &high1, &low1);
        c0 = _mm256_xor_si256(_mm256_xor_si256(high1, c1), _mm256_set1_epi32((int)k0));
        c1 = low1;
        c2 = _mm256_xor_si256(_mm256_xor_si256(high0, c3), _mm256_set1_epi32((int)k1));
        c3 = low0;
    }
    const __m256i a = _mm256_unpacklo_epi32(c0, c1), b = _mm256_unpackhi_epi32(c0, c1);
    const __m256i c = _mm256_unpacklo_epi32(c2, c3), d = _mm256_unpackhi_epi32(c2, c3);
    __m256i *out = (__m256i *)(void *)bits;
    _mm256_storeu_si256(out, _mm256_unpacklo_epi64(a, c));
    _mm256_storeu_si256(out + 1, _mm256_unpackhi_epi64(a, c));
    _mm256_storeu_si256(out + 2, _mm256_unpacklo_epi64(b, d));
    _mm256_storeu_si256(out + 3, _mm256_unpackhi_epi64(b, d));
}

static inline void dropout_bits(const rti_dropout_mask *mask, uint32_t block,
                                uint16_t bits[RTI_DROPOUT_STEP]) {
    eight_blocks(mask->key, mask->counter, block, bits);
    eight_blocks(mask->key, mask->counter, block + 8, bits + 64);
}

static inline unsigned nonzero8(const float *x) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_setzero_ps(), _CMP_NEQ_UQ));
}

#define LOOPS_NONZERO(x) (nonzero8(x) | nonzero8(x + 8) << 8)
#define LOOPS_LIST list_avx2
#define LOOPS_LIST_BYTES list_bytes_avx2
#define LOOPS_NONZERO_BYTES nonzero_bytes_avx2
#define LOOPS_TURN_BITS turn_bits_avx2
#define LOOPS_DROPOUT_STEP dropout_bits
#define LOOPS_NORMALS rti_normals_avx2
#define LOOPS_WIDEN(x) _mm256_cvtps_pd((__m128)(x))
#define LOOPS_TABLE rti_loops_avx2
#include "kernels/loops_body.h"

#endif
