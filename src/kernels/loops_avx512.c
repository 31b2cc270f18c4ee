/* loops_avx512.c - the element-by-element kernels for AVX-512.         Floor 2 (kernels)
 *
 * The loops of loops_body.h, and Philox for sixteen blocks at a time, a block per lane. */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include "kernels/nonzero_avx2.h"

/* high and low halves of the sixteen products factor * x. */
static inline void multiply(uint32_t factor, __m512i x, __m512i *high, __m512i *low) {
    const __m512i f = _mm512_set1_epi32((int)factor);
    const __m512i even = _mm512_mul_epu32(f, x), odd = _mm512_mul_epu32(f, _mm512_srli_epi64(x, 32));
    *high = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), 0xaaaa, odd);
    *low = _mm512_mask_mov_epi32(even, 0xaaaa, _mm512_slli_epi64(odd, 32));
}

/* Lane 4 q + k draws block 4 k + q, so that after the 4 x 4 transpositions within the quarters of a
 * register the blocks stand in order. */
static inline void dropout_bits(const rti_dropout_mask *mask, uint32_t block,
                                uint16_t bits[RTI_DROPOUT_STEP]) {
    __m512i c0 = _mm512_add_epi32(_mm512_set1_epi32((int)block),
                                  _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m512i c1 = _mm512_set1_epi32((int)mask->counter[1]), c2 = _mm512_set1_epi32((int)mask->counter[2]);
    __m512i c3 = _mm512_set1_epi32((int)mask->counter[3]);
    uint32_t k0 = mask->key[0], k1 = mask->key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        __m512i high0, low0, high1, low1;
        multiply(0xD2511F53u, c0, &high0, &low0);
        multiply(0xCD9E8D57u, c2, &high1, &low1);
        c0 = _mm512_ternarylogic_epi32(high1, c1, _mm512_set1_epi32((int)k0), 0x96); /* three-way xor */
        c1 = low1;
        c2 = _mm512_ternarylogic_epi32(high0, c3, _mm512_set1_epi32((int)k1), 0x96);
        c3 = low0;
    }
    const __m512i a = _mm512_unpacklo_epi32(c0, c1), b = _mm512_unpackhi_epi32(c0, c1);
    const __m512i c = _mm512_unpacklo_epi32(c2, c3), d = _mm512_unpackhi_epi32(c2, c3);
    _mm512_storeu_si512(bits, _mm512_unpacklo_epi64(a, c));
    _mm512_storeu_si512(bits + 32, _mm512_unpackhi_epi64(a, c));
    _mm512_storeu_si512(bits + 64, _mm512_unpacklo_epi64(b, d));
    _mm512_storeu_si512(bits + 96, _mm512_unpackhi_epi64(b, d));
}

static inline unsigned nonzero16(const float *x) {
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(x), _mm512_setzero_ps(), _CMP_NEQ_UQ);
}

#define LOOPS_NONZERO(x) nonzero16(x)
#define LOOPS_LIST list_avx2
#define LOOPS_LIST_BYTES list_bytes_avx2
#define LOOPS_NONZERO_BYTES nonzero_bytes_avx2
#define LOOPS_TURN_BITS turn_bits_avx2
#define LOOPS_DROPOUT_STEP dropout_bits
#define LOOPS_NORMALS rti_normals_avx512
#define LOOPS_WIDEN(x) _mm512_cvtps_pd((__m256)(x))
#define LOOPS_TABLE rti_loops_avx512
#include "kernels/loops_body.h"

#endif
