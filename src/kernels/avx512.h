/* avx512.h - words for vectors of 16 floats.                           Floor 2 (kernels) */
#ifndef RTI_AVX512_H
#define RTI_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#include "kernels/unroll.h"

/* 1 for each of the first `left` lanes, of 16 at most. */
ALWAYS __mmask16 lanes_of(int64_t left) {
    return left >= 16 ? 0xffff : left <= 0 ? 0 : (__mmask16)((1u << left) - 1);
}

typedef __m512 vector;
enum { LANES = 16 };
ALWAYS vector none(void) { return _mm512_setzero_ps(); }
ALWAYS vector all(float x) { return _mm512_set1_ps(x); }
ALWAYS vector load(const float *from) { return _mm512_loadu_ps(from); }
ALWAYS vector load_first(const float *from, int count) {
    return _mm512_maskz_loadu_ps(lanes_of(count), from);
}
ALWAYS void store_first(float *to, vector x, int count) { _mm512_mask_storeu_ps(to, lanes_of(count), x); }
ALWAYS vector multiply_add(vector a, vector b, vector c) { return _mm512_fmadd_ps(a, b, c); }
ALWAYS vector multiply_add_at(vector a, const float *b, vector c) { return _mm512_fmadd_ps(a, load(b), c); }
ALWAYS vector add(vector a, vector b) { return _mm512_add_ps(a, b); }
ALWAYS vector larger(vector a, vector b) { return _mm512_max_ps(a, b); } /* b, when one is NaN */
ALWAYS vector either(vector a, vector b) {
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
ALWAYS unsigned nonzero(vector x) { return _mm512_cmp_ps_mask(x, none(), _CMP_NEQ_UQ); }

#endif
