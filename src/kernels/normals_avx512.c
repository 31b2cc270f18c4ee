/* normals_avx512.c - normal numbers with AVX-512, see normals_body.h.  Floor 2 (kernels) */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>

#define NORMALS rti_normals_avx512
#define VECTOR(operation) _mm512_##operation
#define BITWISE(operation) _mm512_##operation##_si512
#define AS_REALS _mm512_castsi512_pd
#define AS_WORDS _mm512_castpd_si512
#define ALL_WORDS _mm512_set1_epi64

typedef __m512d real_vector;
typedef __m512i word_vector;
enum { WIDTH = 8, VECTORS = 4 };

static inline word_vector vector_xor3(word_vector a, word_vector b, word_vector c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

static inline word_vector vector_with_high_halves(word_vector x, uint32_t high) {
    return _mm512_mask_mov_epi32(x, 0xaaaa, _mm512_set1_epi32((int)high));
}

static inline word_vector vector_count_from(uint32_t first) {
    const __m256i step = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_cvtepu32_epi64(_mm256_add_epi32(_mm256_set1_epi32((int)first), step));
}

static inline unsigned vector_lanes_without(word_vector x, word_vector bits) {
    return _mm512_testn_epi64_mask(x, bits);
}

static inline void vector_store(float *out, real_vector x) { _mm256_storeu_ps(out, _mm512_cvtpd_ps(x)); }

#include "kernels/normals_body.h"

#endif
