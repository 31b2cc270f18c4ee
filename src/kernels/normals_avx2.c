/* normals_avx2.c - normal numbers with AVX2, see normals_body.h.       Floor 2 (kernels) */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>

#define NORMALS rti_normals_avx2
#define VECTOR(operation) _mm256_##operation
#define BITWISE(operation) _mm256_##operation##_si256
#define AS_REALS _mm256_castsi256_pd
#define AS_WORDS _mm256_castpd_si256
#define ALL_WORDS _mm256_set1_epi64x

typedef __m256d real_vector;
typedef __m256i word_vector;
enum { WIDTH = 4, VECTORS = 4 };

static inline word_vector vector_xor3(word_vector a, word_vector b, word_vector c) {
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

static inline word_vector vector_with_high_halves(word_vector x, uint32_t high) {
    return _mm256_blend_epi32(x, _mm256_set1_epi32((int)high), 0xaa);
}

static inline word_vector vector_count_from(uint32_t first) {
    const __m128i step = _mm_setr_epi32(0, 1, 2, 3);
    return _mm256_cvtepu32_epi64(_mm_add_epi32(_mm_set1_epi32((int)first), step));
}

static inline unsigned vector_lanes_without(word_vector x, word_vector bits) {
    const __m256i none = _mm256_cmpeq_epi64(_mm256_and_si256(x, bits), _mm256_setzero_si256());
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(none));
}

static inline void vector_store(float *out, real_vector x) { _mm_storeu_ps(out, _mm256_cvtpd_ps(x)); }

#include "kernels/normals_body.h"

#endif
