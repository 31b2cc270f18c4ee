/* gemm_pack.c - the matrix product's operands, copied in the order its tiles read them. Floor 2 (kernels) */
#include "kernels/gemm_tiles.h"

#if RTI_REAL_IS_FLOAT

#include <string.h>

void rti_pack(const rti_tiles *tiles, int64_t depth, int columns, int width, rti_matrix B, float *panel) {
    const float *from = B.data;
    if (B.row_stride == 1) {
        tiles->transpose(depth, columns, width, from, B.column_stride, panel, width);
        return;
    }
    if (B.column_stride == 1) {
        tiles->copy(depth, columns, width, from, B.row_stride, panel);
        return;
    }
    for (int64_t p = 0; p < depth; p++, from += B.row_stride, panel += width) {
        for (int j = 0; j < columns; j++) panel[j] = from[j * B.column_stride];
        for (int j = columns; j < width; j++) panel[j] = 0;
    }
}

/* memcpy of a dozen floats at most, without the call. */
static inline void copy_few(float *to, const float *from, int64_t count) {
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) memcpy(to + i, from + i, 4 * sizeof *to);
    if (i + 2 <= count) memcpy(to + i, from + i, 2 * sizeof *to), i += 2;
    if (i < count) to[i] = from[i];
}

void rti_pack_a(const rti_tiles *tiles, int64_t rows, int64_t depth, const float *a, int64_t a_step,
                float *out) {
    enum {
        STEPS = 16, /* the runs that are read stay in the first-level cache */
        AHEAD = 96, /* floats of them: dW of wide layers at batch 100 and 256 takes 2 % less (Zen 3) */
    };
    const rti_cuts cuts = rti_cuts_of(rows, tiles->rows[1]);
    for (int64_t p0 = 0; p0 < depth; p0 += STEPS) {
        const int64_t end = depth - p0 < STEPS ? depth : p0 + STEPS;
        for (int64_t n = 0; n < cuts.tiles; n++) {
            const int64_t i = rti_cut(&cuts, n), height = rti_cut(&cuts, n + 1) - i;
            float *to = out + i * depth + p0 * height;
            const float *from = a + p0 * a_step + i;
            for (int64_t p = p0; p < end; p++, from += a_step, to += height) {
                __builtin_prefetch(from + AHEAD);
                copy_few(to, from, height);
            }
        }
    }
}

#endif
