/* gemm_zeros.c - see gemm_zeros.h.                                     Floor 2 (kernels) */
#include "kernels/gemm_zeros.h"

/* places[0 ... count - 1] become distances. What stands at places[count] is garbage. */
static void finish(rti_steps_left *left, int count) {
    uint16_t *places = left->strides;
    left->count = (uint16_t)count;
    left->first = count ? places[0] : 0;
    for (int i = 0; i + 1 < count; i++) places[i] = (uint16_t)(places[i + 1] - places[i]);
    if (count) places[count - 1] = 0;
}

/* Four words of the map at once: bits are found one by one, and each end of that is guessed wrong. */
enum { RUN = 4 * RTI_MAP_BITS };

static uint64_t run_of(const uint16_t *word, int words) {
    if (words == 4) /* is one load */
        return word[0] | (uint64_t)word[1] << 16 | (uint64_t)word[2] << 32 | (uint64_t)word[3] << 48;
    uint64_t bits = 0;
    for (int w = 0; w < words; w++) bits |= (uint64_t)word[w] << RTI_MAP_BITS * w;
    return bits;
}

void rti_steps_left_of_rows(const uint16_t *map, int64_t map_stride, int rows, int64_t p0, int64_t depth,
                            rti_steps_left *left) {
    int count = 0;
    for (int64_t p = 0; p < depth; p += RUN) {
        const uint16_t *word = map + (p0 + p) / RTI_MAP_BITS;
        const int64_t here = depth - p < RUN ? depth - p : RUN;
        const int words = (int)((here + RTI_MAP_BITS - 1) / RTI_MAP_BITS);
        uint64_t some = 0;
        for (int i = 0; i < rows; i++) some |= run_of(word + i * map_stride, words);
        if (here < RUN) some &= ((uint64_t)1 << here) - 1;
        for (; some; some &= some - 1) left->strides[count++] = (uint16_t)(p + __builtin_ctzll(some));
    }
    finish(left, count);
}

void rti_steps_left_of_words(const uint16_t *map, int64_t map_stride, int64_t column, int64_t p0,
                             int64_t depth, rti_steps_left *left) {
    const uint16_t *word = map + p0 * map_stride + column;
    int count = 0;
    for (int64_t p = 0; p < depth; p++, word += map_stride) { /* a branch would be guessed wrong */
        left->strides[count] = (uint16_t)p;
        count += *word != 0;
    }
    finish(left, count);
}
