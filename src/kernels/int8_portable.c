/* int8_portable.c - see int8_kernels.h.                                Floor 2 (kernels) */
#include <string.h>

#include "kernels/int8_kernels.h"

int64_t rti_int8_base_count(int64_t units) {
    return (units + RTI_INT8_PANEL - 1) / RTI_INT8_PANEL * RTI_INT8_PANEL;
}

int64_t rti_int8_packed_bytes(int64_t units, int64_t D) {
    return rti_int8_base_count(units) * ((D + RTI_INT8_GROUP - 1) / RTI_INT8_GROUP) * RTI_INT8_GROUP;
}

void rti_int8_pack(int64_t units, int64_t D, const int8_t *w, const int32_t *bias, int8_t *packed,
                   int32_t *base) {
    const int64_t groups = (D + RTI_INT8_GROUP - 1) / RTI_INT8_GROUP, all = rti_int8_base_count(units);
    memset(packed, 0, (size_t)rti_int8_packed_bytes(units, D));
    for (int64_t u = 0; u < all; u++) {
        const int64_t block = u / RTI_INT8_BLOCK, in_block = u % RTI_INT8_BLOCK;
        const int64_t left = all - block * RTI_INT8_BLOCK,
                      wide = left < RTI_INT8_BLOCK ? left : RTI_INT8_BLOCK;
        int8_t *to = packed + block * RTI_INT8_BLOCK * groups * RTI_INT8_GROUP + in_block * RTI_INT8_GROUP;
        uint32_t less = 0;
        for (int64_t d = 0; d < D && u < units; d++) {
            to[d / RTI_INT8_GROUP * wide * RTI_INT8_GROUP + d % RTI_INT8_GROUP] = w[u * D + d];
            less += (uint32_t)w[u * D + d];
        }
        base[u] = u < units ? (int32_t)((uint32_t)bias[u] - 128 * less) : 0;
    }
}

static void sums(int64_t D, int panels, const int8_t *x, const int8_t *packed, const int32_t *base,
                 int32_t *out) {
    uint32_t all[RTI_INT8_BLOCK];
    const int wide = panels * RTI_INT8_PANEL;
    for (int u = 0; u < wide; u++) all[u] = (uint32_t)base[u];
    for (int64_t d = 0; d < D; d += RTI_INT8_GROUP, packed += wide * RTI_INT8_GROUP) {
        int32_t v[RTI_INT8_GROUP];
        for (int j = 0; j < RTI_INT8_GROUP; j++) v[j] = d + j < D ? x[d + j] + 128 : 0;
        if (!(v[0] | v[1] | v[2] | v[3])) continue;
        for (int u = 0; u < wide; u++) {
            const int8_t *w = packed + (ptrdiff_t)u * RTI_INT8_GROUP;
            all[u] += (uint32_t)(v[0] * w[0] + v[1] * w[1] + v[2] * w[2] + v[3] * w[3]);
        }
    }
    for (int u = 0; u < wide; u++) out[u] = (int32_t)all[u];
}

/* floor(v / 2^shift), which >> promises for no negative number. */
static int64_t down(int64_t v, int shift) { return v >= 0 ? v >> shift : -((-v - 1) >> shift) - 1; }

static void requantise(int64_t units, const int32_t *in, const int32_t *factor, int shift, int32_t zero,
                       int32_t low, int8_t *y) {
    for (int64_t u = 0; u < units; u++) {
        const int64_t wide = (int64_t)in[u] * factor[u];
        const int64_t v = down(wide + ((int64_t)1 << (shift - 1)), shift) + zero;
        y[u] = (int8_t)(v < low ? low : v > 127 ? 127 : v);
    }
}

static void look_up(int64_t n, const int8_t table[256], const uint8_t *x, int8_t *y) {
    for (int64_t i = 0; i < n; i++) y[i] = table[x[i]];
}

const rti_int8_kernels rti_int8_portable = {"portable", sums, requantise, look_up};
