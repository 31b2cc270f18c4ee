/* loops.h - the table of element-by-element kernels of one instruction set. Floor 2 (kernels)
 *
 * loops_body.h is the one source of these loops. It is compiled once per instruction set
 * (loops_portable.c, loops_avx2.c, loops_avx512.c) without contraction and with the order of every sum
 * written out, so all tables give the same bits. The entries run on the calling thread; elementwise.c
 * spreads long arrays over the pool. Meanings are in kernels.h. */
#ifndef RTI_LOOPS_H
#define RTI_LOOPS_H

#include "kernels/kernels.h"

/* Dropout of elements first ... first + n - 1 of a stream; first is a multiple of RTI_DROPOUT_STEP. */
#define RTI_DROPOUT_STEP 128

typedef struct rti_dropout_mask {
    uint32_t key[2];
    uint32_t counter[4]; /* counter[0] is the block and is set by the loop */
    uint32_t threshold;  /* kept when the 16 bits are at least this; 0 ... 65535 */
    rt_real factor;      /* 65536 / (65536 - threshold) */
} rti_dropout_mask;

typedef struct rti_loops {
    void (*add)(int64_t n, const rt_real *a, const rt_real *b, rt_real *out);
    void (*sub)(int64_t n, const rt_real *a, const rt_real *b, rt_real *out);
    void (*mul)(int64_t n, const rt_real *a, const rt_real *b, rt_real *out);
    void (*scale)(int64_t n, rt_real factor, const rt_real *x, rt_real *out);
    void (*axpy)(int64_t n, rt_real factor, const rt_real *x, rt_real *y);
    void (*fill)(int64_t n, rt_real value, rt_real *out);
    void (*relu)(int64_t n, const rt_real *x, rt_real *out);
    void (*relu_backward)(int64_t n, const rt_real *y, const rt_real *dy, rt_real *dx, bool accumulate);
    double (*sum)(int64_t n, const rt_real *x);
    double (*dot)(int64_t n, const rt_real *a, const rt_real *b);
    bool (*all_finite)(int64_t n, const rt_real *x);
    /* `columns` of the array, whose rows lie `stride` elements apart. */
    void (*column_sums)(int64_t rows, int64_t columns, int64_t stride, const rt_real *x, double *out);
    void (*dropout)(int64_t first, int64_t n, const rti_dropout_mask *mask, const rt_real *x, rt_real *out,
                    bool accumulate);
    /* The stream is at the start of a block. */
    void (*normals)(int64_t n, double deviation, const rt_rng *stream, rt_real *out);
    void (*sgd)(int64_t n, const rti_sgd *c, rt_real *p, const rt_real *g, rt_real *v);
    void (*adam)(int64_t n, const rti_adam *c, rt_real *p, const rt_real *g, rt_real *m, rt_real *v);
    void (*bytes_to_real)(int64_t n, const uint8_t *bytes, rt_real scale, rt_real shift, rt_real *out);
    void (*exp_down)(int64_t n, const double *x, double *out);
    void (*log_up)(int64_t n, const double *x, double *out);
    void (*softmax)(int64_t N, int64_t K, const rt_real *z, double T, double *p, double *log_p);
    /* A row of rti_nonzero.map, of numbers or of bytes; returns how many are not 0. */
    int64_t (*nonzero_bits)(int64_t n, const rt_real *x, uint64_t *bits);
    int64_t (*nonzero_bytes)(int64_t n, const uint8_t *x, uint64_t *bits);
    /* Bit j of word i becomes bit i of word j. */
    void (*turn_bits)(uint64_t square[64]);
    /* A list of what is not 0, of numbers or of bytes; `to` has room for 16 entries more. */
    int (*nonzero_list)(int64_t n, const rt_real *x, rti_entry *to);
    int (*nonzero_list_bytes)(int64_t n, const uint8_t *x, const rt_real *value, rti_entry *to);
    void (*norm_moments)(int64_t rows, int64_t C, const rt_real *x, const rt_real *shift, double *sums,
                         double *squares);
    void (*norm_forward)(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x,
                         const rt_real *residual, bool relu, rt_real *y);
    void (*norm_sums)(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x, const rt_real *y,
                      const rt_real *dy, double *sums, double *products);
    void (*norm_backward)(int64_t rows, int64_t C, const rti_norm *n, const rt_real *x, const rt_real *y,
                          const rt_real *dy, rt_real *dx, bool accumulate, rt_real *out, bool accumulate_out);
    void (*max_rows)(int64_t w, int64_t C, const rt_real *top, const rt_real *bottom, rt_real *y);
    void (*max_rows_backward)(int64_t w, int64_t C, const rt_real *const x[2], const rt_real *y,
                              const rt_real *dy, rt_real *const dx[2]);
} rti_loops;

/* normals_<isa>.c; of the other tables it is the plain loop. */
void rti_normals_avx2(int64_t n, double deviation, const rt_rng *stream, float *out);
void rti_normals_avx512(int64_t n, double deviation, const rt_rng *stream, float *out);

extern const rti_loops rti_loops_portable, rti_loops_avx2, rti_loops_avx512;

#endif
