/* normals_avx2.c - normal numbers with AVX2, see normals_body.h.       Floor 2 (kernels) */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>
#include <string.h>

#define NORMALS rti_normals_avx2
enum { LANES = 4, GROUPS = 2 };

typedef __m256d reals;
typedef __m256i words;

static inline reals all(double x) { return _mm256_set1_pd(x); }
static inline reals add(reals a, reals b) { return _mm256_add_pd(a, b); }
static inline reals subtract(reals a, reals b) { return _mm256_sub_pd(a, b); }
static inline reals multiply(reals a, reals b) { return _mm256_mul_pd(a, b); }
static inline reals divide(reals a, reals b) { return _mm256_div_pd(a, b); }
static inline reals root(reals x) { return _mm256_sqrt_pd(x); }
static inline reals multiply_add(reals a, reals b, reals c) { return _mm256_fmadd_pd(a, b, c); }
static inline reals multiply_subtract_from(reals a, reals b, reals c) { return _mm256_fnmadd_pd(a, b, c); }
static inline reals as_reals(words x) { return _mm256_castsi256_pd(x); }
static inline words as_words(reals x) { return _mm256_castpd_si256(x); }

static inline words all_words(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
static inline words add_words(words a, words b) { return _mm256_add_epi64(a, b); }
static inline words subtract_words(words a, words b) { return _mm256_sub_epi64(a, b); }
static inline words or_words(words a, words b) { return _mm256_or_si256(a, b); }
static inline words xor_words(words a, words b) { return _mm256_xor_si256(a, b); }
static inline words xor3(words a, words b, words c) { return xor_words(xor_words(a, b), c); }
static inline words shift_left(words x, int bits) { return _mm256_slli_epi64(x, bits); }
static inline words shift_right(words x, int bits) { return _mm256_srli_epi64(x, bits); }
static inline words multiply_low(words a, words b) { return _mm256_mul_epu32(a, b); }

/* Below 2^53. Each half is put behind the exponent that makes its bits count what they are worth. */
static inline reals from_integers(words x) {
    const reals high = as_reals(or_words(shift_right(x, 32), all_words(0x4530000000000000u)));
    const reals low = as_reals(_mm256_blend_epi32(x, all_words(0x4330000000000000u), 0xaa));
    return add(subtract(high, all(0x1.00000001p84)), low);
}

static inline words count_from(uint32_t first) {
    const __m128i step = _mm_setr_epi32(0, 1, 2, 3);
    return _mm256_cvtepu32_epi64(_mm_add_epi32(_mm_set1_epi32((int)first), step));
}

/* The low halves of both: a's stay low. */
static inline words join_low(words a, words b) {
    return _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa);
}

/* A bit for each lane that has none of `bits`. */
static inline unsigned lanes_without(words x, uint64_t bits) {
    const words found = _mm256_and_si256(x, all_words(bits));
    return (unsigned)_mm256_movemask_pd(as_reals(_mm256_cmpeq_epi64(found, _mm256_setzero_si256())));
}

static inline void store_floats(float *out, reals x) { _mm_storeu_ps(out, _mm256_cvtpd_ps(x)); }

#include "kernels/normals_body.h"

#endif
