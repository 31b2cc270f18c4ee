/* avx2.h - vectors of which only the first lanes count.                Floor 2 (kernels)
 *
 * The instruction that stores by a mask is a little program on AMD's processors: 18 cycles on a Zen 3, where
 * a whole vector takes 2. With it in every tile the product of 100 x 10 by 10 x 1200 ran at 14 GFLOP/s in
 * place of 49, and dW of 784 x 1200 at 41 in place of 55. So whole vectors are stored as such, and others
 * in pieces. */
#ifndef RTI_AVX2_H
#define RTI_AVX2_H

#include <immintrin.h>

#include "kernels/unroll.h"

/* -1 in the first `count` lanes. */
ALWAYS __m256i first_lanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* How many lanes of vector v count, when `last` of the last one do. */
ALWAYS int lanes_of(int v, int vectors, int last) { return v < vectors - 1 ? 8 : last; }

/* `count` floats, 1 or more, and then zeros; from 8 on a whole vector. */
ALWAYS __m256 load_first(const float *from, int count) {
    return count >= 8 ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, first_lanes(count));
}

/* The first `count` lanes of x, 1 or more; from 8 on all. */
ALWAYS void store_first(float *to, __m256 x, int count) {
    if (count >= 8) {
        _mm256_storeu_ps(to, x);
        return;
    }
    __m128 rest = _mm256_castps256_ps128(x);
    if (count & 4) {
        _mm_storeu_ps(to, rest);
        rest = _mm256_extractf128_ps(x, 1);
        to += 4;
    }
    if (count & 2) {
        _mm_storel_pi((__m64 *)(void *)to, rest);
        rest = _mm_movehl_ps(rest, rest);
        to += 2;
    }
    if (count & 1) _mm_store_ss(to, rest);
}

#endif
