/* int8_kernels.h - products of 8-bit integers.                         Floor 2 (kernels)
 *
 * What a deployed network in integers (deploy/int8.h) spends its time with, for one example. Integers add up
 * to the same sum in any order, so every instruction set gives the same bits.
 *
 * Weights stand as the instruction for four products wants them: blocks of up to 64 units, in each block the
 * groups of four inputs in order, in each group all panels of 16 units, 4 bytes a unit. Units and inputs
 * that fill up a panel or a group are 0. The inputs are read as unsigned, x + 128, and what that adds to a
 * sum is taken from the bias when the weights are packed; so a group whose inputs are all -128, which is the
 * zero of pixels and of relu, adds nothing and is skipped. */
#ifndef RTI_INT8_KERNELS_H
#define RTI_INT8_KERNELS_H

#include "kernels/kernels.h"

enum { RTI_INT8_PANEL = 16, RTI_INT8_GROUP = 4, RTI_INT8_BLOCK = 4 * RTI_INT8_PANEL };

typedef struct rti_int8_kernels {
    const char *name;
    /* sums[u] = base[u] + sum_d (x[d] + 128) w[u][d] for the `panels` panels of one block, in 32 bits that
     * wrap around; D <= 65,536 inputs. sums and base: 16 numbers a panel. */
    void (*sums)(int64_t D, int panels, const int8_t *x, const int8_t *packed, const int32_t *base,
                 int32_t *sums);
    /* y[u] = clamp(floor((sums[u] factor[u] + 2^(shift-1)) / 2^shift) + zero, low, 127), shift 1 ... 46 */
    void (*requantise)(int64_t units, const int32_t *sums, const int32_t *factor, int shift, int32_t zero,
                       int32_t low, int8_t *y);
    /* y[i] = table[x[i]] */
    void (*look_up)(int64_t n, const int8_t table[256], const uint8_t *x, int8_t *y);
} rti_int8_kernels;

/* Bytes of the packed weights; numbers of the base. */
int64_t rti_int8_packed_bytes(int64_t units, int64_t D);
int64_t rti_int8_base_count(int64_t units);

/* w (units, D), bias (units). */
void rti_int8_pack(int64_t units, int64_t D, const int8_t *w, const int32_t *bias, int8_t *packed,
                   int32_t *base);

/* Those of the set in use; the portable ones when this processor has no instruction for it. */
const rti_int8_kernels *rti_kernels_int8(void);

extern const rti_int8_kernels rti_int8_portable, rti_int8_avx512;

#endif
