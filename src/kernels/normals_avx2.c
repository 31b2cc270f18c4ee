/* normals_avx2.c - normal numbers with AVX2, see normals_body.h.       Floor 2 (kernels) */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>
#include <string.h>

#define NORMALS rti_normals_avx2
enum { VECTORS = 4, LANES = 4 * VECTORS };

typedef struct {
    __m256d v[VECTORS];
} reals;

typedef struct {
    __m256i v[VECTORS];
} words;

/* The operation's vectors, one after the other. */
#define EACH(type, operation)                                \
    type each;                                               \
    for (int i = 0; i < VECTORS; i++) each.v[i] = operation; \
    return each

static inline reals all(double x) { EACH(reals, _mm256_set1_pd(x)); }
static inline reals add(reals a, reals b) { EACH(reals, _mm256_add_pd(a.v[i], b.v[i])); }
static inline reals subtract(reals a, reals b) { EACH(reals, _mm256_sub_pd(a.v[i], b.v[i])); }
static inline reals multiply(reals a, reals b) { EACH(reals, _mm256_mul_pd(a.v[i], b.v[i])); }
static inline reals divide(reals a, reals b) { EACH(reals, _mm256_div_pd(a.v[i], b.v[i])); }
static inline reals root(reals x) { EACH(reals, _mm256_sqrt_pd(x.v[i])); }
static inline reals multiply_add(reals a, reals b, reals c) {
    EACH(reals, _mm256_fmadd_pd(a.v[i], b.v[i], c.v[i]));
}
static inline reals multiply_subtract_from(reals a, reals b, reals c) {
    EACH(reals, _mm256_fnmadd_pd(a.v[i], b.v[i], c.v[i]));
}
static inline reals as_reals(words x) { EACH(reals, _mm256_castsi256_pd(x.v[i])); }
static inline words as_words(reals x) { EACH(words, _mm256_castpd_si256(x.v[i])); }

static inline words all_words(uint64_t x) { EACH(words, _mm256_set1_epi64x((long long)x)); }
static inline words add_words(words a, words b) { EACH(words, _mm256_add_epi64(a.v[i], b.v[i])); }
static inline words subtract_words(words a, words b) { EACH(words, _mm256_sub_epi64(a.v[i], b.v[i])); }
static inline words and_words(words a, words b) { EACH(words, _mm256_and_si256(a.v[i], b.v[i])); }
static inline words or_words(words a, words b) { EACH(words, _mm256_or_si256(a.v[i], b.v[i])); }
static inline words xor_words(words a, words b) { EACH(words, _mm256_xor_si256(a.v[i], b.v[i])); }
static inline words xor3(words a, words b, words c) { return xor_words(xor_words(a, b), c); }
static inline words shift_left(words x, int bits) { EACH(words, _mm256_slli_epi64(x.v[i], bits)); }
static inline words shift_right(words x, int bits) { EACH(words, _mm256_srli_epi64(x.v[i], bits)); }
static inline words shift_halves_right(words x, int bits) { EACH(words, _mm256_srli_epi32(x.v[i], bits)); }
static inline words multiply_low(words a, words b) { EACH(words, _mm256_mul_epu32(a.v[i], b.v[i])); }

static inline words with_high_halves(words x, uint32_t high) {
    EACH(words, _mm256_blend_epi32(x.v[i], _mm256_set1_epi32((int)high), 0xaa));
}

static inline words count_from(uint32_t first) {
    const __m128i step = _mm_setr_epi32(0, 1, 2, 3);
    EACH(words, _mm256_cvtepu32_epi64(_mm_add_epi32(_mm_set1_epi32((int)first + 4 * i), step)));
}

/* A bit for each lane that has none of `bits`. */
static inline unsigned lanes_without(words x, uint64_t bits) {
    unsigned lanes = 0;
    for (int i = 0; i < VECTORS; i++) {
        const __m256i found = _mm256_and_si256(x.v[i], _mm256_set1_epi64x((long long)bits));
        const __m256i none = _mm256_cmpeq_epi64(found, _mm256_setzero_si256());
        lanes |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(none)) << 4 * i;
    }
    return lanes;
}

static inline void store_floats(float *out, reals x) {
    for (int i = 0; i < VECTORS; i++) _mm_storeu_ps(out + 4 * i, _mm256_cvtpd_ps(x.v[i]));
}

#include "kernels/normals_body.h"

#endif
