/* normals_avx512.c - normal numbers with AVX-512, see normals_body.h.  Floor 2 (kernels) */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>
#include <string.h>

#define NORMALS rti_normals_avx512
enum { VECTORS = 4, LANES = 8 * VECTORS };

typedef struct {
    __m512d v[VECTORS];
} reals;

typedef struct {
    __m512i v[VECTORS];
} words;

/* The operation's vectors, one after the other. */
#define EACH(type, operation)                                \
    type each;                                               \
    for (int i = 0; i < VECTORS; i++) each.v[i] = operation; \
    return each

static inline reals all(double x) { EACH(reals, _mm512_set1_pd(x)); }
static inline reals add(reals a, reals b) { EACH(reals, _mm512_add_pd(a.v[i], b.v[i])); }
static inline reals subtract(reals a, reals b) { EACH(reals, _mm512_sub_pd(a.v[i], b.v[i])); }
static inline reals multiply(reals a, reals b) { EACH(reals, _mm512_mul_pd(a.v[i], b.v[i])); }
static inline reals divide(reals a, reals b) { EACH(reals, _mm512_div_pd(a.v[i], b.v[i])); }
static inline reals root(reals x) { EACH(reals, _mm512_sqrt_pd(x.v[i])); }
static inline reals multiply_add(reals a, reals b, reals c) {
    EACH(reals, _mm512_fmadd_pd(a.v[i], b.v[i], c.v[i]));
}
static inline reals multiply_subtract_from(reals a, reals b, reals c) {
    EACH(reals, _mm512_fnmadd_pd(a.v[i], b.v[i], c.v[i]));
}
static inline reals as_reals(words x) { EACH(reals, _mm512_castsi512_pd(x.v[i])); }
static inline words as_words(reals x) { EACH(words, _mm512_castpd_si512(x.v[i])); }

static inline words all_words(uint64_t x) { EACH(words, _mm512_set1_epi64((long long)x)); }
static inline words add_words(words a, words b) { EACH(words, _mm512_add_epi64(a.v[i], b.v[i])); }
static inline words subtract_words(words a, words b) { EACH(words, _mm512_sub_epi64(a.v[i], b.v[i])); }
static inline words and_words(words a, words b) { EACH(words, _mm512_and_si512(a.v[i], b.v[i])); }
static inline words or_words(words a, words b) { EACH(words, _mm512_or_si512(a.v[i], b.v[i])); }
static inline words xor_words(words a, words b) { EACH(words, _mm512_xor_si512(a.v[i], b.v[i])); }
static inline words xor3(words a, words b, words c) {
    EACH(words, _mm512_ternarylogic_epi64(a.v[i], b.v[i], c.v[i], 0x96));
}
static inline words shift_left(words x, unsigned bits) { EACH(words, _mm512_slli_epi64(x.v[i], bits)); }
static inline words shift_right(words x, unsigned bits) { EACH(words, _mm512_srli_epi64(x.v[i], bits)); }
static inline words shift_halves_right(words x, unsigned bits) {
    EACH(words, _mm512_srli_epi32(x.v[i], bits));
}
static inline words multiply_low(words a, words b) { EACH(words, _mm512_mul_epu32(a.v[i], b.v[i])); }

static inline words with_high_halves(words x, uint32_t high) {
    EACH(words, _mm512_mask_mov_epi32(x.v[i], 0xaaaa, _mm512_set1_epi32((int)high)));
}

static inline words count_from(uint32_t first) {
    const __m256i step = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    EACH(words, _mm512_cvtepu32_epi64(_mm256_add_epi32(_mm256_set1_epi32((int)first + 8 * i), step)));
}

/* A bit for each lane that has none of `bits`. */
static inline unsigned lanes_without(words x, uint64_t bits) {
    unsigned lanes = 0;
    for (int i = 0; i < VECTORS; i++)
        lanes |= (unsigned)_mm512_testn_epi64_mask(x.v[i], _mm512_set1_epi64((long long)bits)) << 8 * i;
    return lanes;
}

static inline void store_floats(float *out, reals x) {
    for (int i = 0; i < VECTORS; i++) _mm256_storeu_ps(out + 8 * i, _mm512_cvtpd_ps(x.v[i]));
}

#include "kernels/normals_body.h"

#endif
