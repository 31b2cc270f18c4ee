/* normals_avx512.c - normal numbers with AVX-512, see normals_body.h.  Floor 2 (kernels) */
#include "kernels/dispatch.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>
#include <string.h>

#define NORMALS rti_normals_avx512
enum { LANES = 8, GROUPS = 4 };

typedef __m512d reals;
typedef __m512i words;

static inline reals all(double x) { return _mm512_set1_pd(x); }
static inline reals add(reals a, reals b) { return _mm512_add_pd(a, b); }
static inline reals subtract(reals a, reals b) { return _mm512_sub_pd(a, b); }
static inline reals multiply(reals a, reals b) { return _mm512_mul_pd(a, b); }
static inline reals divide(reals a, reals b) { return _mm512_div_pd(a, b); }
static inline reals root(reals x) { return _mm512_sqrt_pd(x); }
static inline reals multiply_add(reals a, reals b, reals c) { return _mm512_fmadd_pd(a, b, c); }
static inline reals multiply_subtract_from(reals a, reals b, reals c) { return _mm512_fnmadd_pd(a, b, c); }
static inline reals as_reals(words x) { return _mm512_castsi512_pd(x); }
static inline words as_words(reals x) { return _mm512_castpd_si512(x); }
static inline reals from_integers(words x) { return _mm512_cvtepu64_pd(x); } /* below 2^53 */

static inline words all_words(uint64_t x) { return _mm512_set1_epi64((long long)x); }
static inline words add_words(words a, words b) { return _mm512_add_epi64(a, b); }
static inline words subtract_words(words a, words b) { return _mm512_sub_epi64(a, b); }
static inline words or_words(words a, words b) { return _mm512_or_si512(a, b); }
static inline words xor_words(words a, words b) { return _mm512_xor_si512(a, b); }
static inline words xor3(words a, words b, words c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
static inline words shift_left(words x, unsigned bits) { return _mm512_slli_epi64(x, bits); }
static inline words shift_right(words x, unsigned bits) { return _mm512_srli_epi64(x, bits); }
static inline words multiply_low(words a, words b) { return _mm512_mul_epu32(a, b); }

static inline words count_from(uint32_t first) {
    const __m256i step = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_cvtepu32_epi64(_mm256_add_epi32(_mm256_set1_epi32((int)first), step));
}

/* The low halves of both: a's stay low. */
static inline words join_low(words a, words b) {
    return _mm512_mask_mov_epi32(_mm512_slli_epi64(b, 32), 0x5555, a);
}

/* A bit for each lane that has none of `bits`. */
static inline unsigned lanes_without(words x, uint64_t bits) {
    return _mm512_testn_epi64_mask(x, all_words(bits));
}

static inline void store_floats(float *out, reals x) { _mm256_storeu_ps(out, _mm512_cvtpd_ps(x)); }

#include "kernels/normals_body.h"

#endif
