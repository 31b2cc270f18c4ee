/* kernels.h - loops over plain arrays.                                 Floor 2 (kernels)
 *
 * Knows no tensors. The portable C version of each kernel is the oracle; vector versions override it
 * in a table that is chosen once, by what the processor can do or by the environment
 * RETORT_ISA=portable|avx2|avx512 (one that is unknown or not possible here is passed over). Kernels are
 * deterministic: every output element is computed in an order that depends on the summed extent alone,
 * never on the number of threads, on the other extents or on where the element lies. Between
 * instruction sets only the matrix product of rt_real differs: avx2 and avx512 agree to the bit, portable
 * rounds products that they do not. The double library is portable throughout.
 *
 * n may be 0 everywhere. No pointer needs more alignment than its type. Unused parts of buffers may
 * hold NaN. No kernel allocates memory or can fail. */
#ifndef RTI_KERNELS_H
#define RTI_KERNELS_H

#include "retort/rng.h"
#include "retort/status.h"

/* ---- gemm -------------------------------------------------------------------------------------
 *
 *   C[i][j] = act( bias[j] + (accumulate ? C[i][j] : 0) + sum_p A[i][p] B[p][j] )
 *
 * A (M,K) and B (K,N) have any row and column strides (elements), so a transposed operand is a
 * swapped pair of strides; fast when one of the two strides is 1. C is row-major with leading extent
 * ldc >= N and overlaps neither A nor B. K == 0 gives the empty sum. Threaded over tiles of C. */
typedef struct rti_matrix {
    const rt_real *data;
    int64_t row_stride, column_stride;
    const struct rti_nonzero *nonzero; /* NULL, or what is not 0: the rest is left out (column_stride 1) */
} rti_matrix;

typedef struct rti_epilogue {
    const rt_real *bias; /* (N) or NULL */
    bool relu;           /* max(0, .) after the bias; NaN stays NaN */
} rti_epilogue;

void rti_gemm(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C, int64_t ldc,
              bool accumulate, const rti_epilogue *epilogue /* may be NULL */);

/* The same with the elements of A and B rounded to bfloat16 (8 significant bits; subnormals to 0), products
 * exact, sums in rt_real, in pairs along K; gemm_bf16_portable.c says it to the bit. These bits are those
 * of every instruction set. Lists of rti_matrix.nonzero are used if rti_lists_serve_bf16(). scratch:
 * rti_gemm_bf16_scratch_bytes, aligned to 4; garbage before and after. */
size_t rti_gemm_bf16_scratch_bytes(int64_t M, int64_t N, int64_t K);
void rti_gemm_bf16(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C, int64_t ldc,
                   bool accumulate, const rti_epilogue *epilogue /* may be NULL */, void *scratch);

/* ---- what of a matrix is not 0 ------------------------------------------------------------------
 *
 * For products that leave the rest out (gemm_sparse.c): finite results are the same bits. A map is cheap;
 * lists take longer to make, are faster, and pay for wide layers. */
typedef struct rti_entry {
    uint32_t place;
    rt_real value;
} rti_entry;

typedef struct rti_lists {
    const uint32_t *start;        /* list n: entries start[n] up to start[n + 1]; NULL: not made */
    const rti_entry *entry;       /* places ascend */
} rti_lists;

/* A matrix as bytes, which takes a quarter of the memory: contiguous rows, each byte b the number value[b],
 * which is b value[1]. */
typedef struct rti_byte_rows {
    const uint8_t *bytes;
    const rt_real *value;
} rti_byte_rows;

typedef struct rti_nonzero {
    int64_t rows, columns, count; /* so many are not 0 */
    bool is_sparse;               /* so few that lists pay */
    const uint64_t *map;          /* element j of a row: bit j % 64 of word j / 64; NULL after _sample */
    int64_t map_stride;           /* words */
    rti_lists by_row;             /* list d * rows + i: row i, columns d * depth ..., places from there */
    int64_t depth, blocks;
    rti_lists by_column;          /* list j: of column j, places are rows */
    const uint64_t *turned;       /* the map of columns: row i of a column is bit i % 64; NULL: not made */
    int64_t turned_stride;        /* words */
    const rti_byte_rows *of;      /* not NULL: products that leave zeros out look at these and not at x */
    uint64_t *turned_room;        /* for the map of columns */
} rti_nonzero;

/* The map of x (rows, columns), whose rows lie `stride` apart, in memory that the caller lends. 0 bytes:
 * these kernels have no use for it. */
size_t rti_nonzero_bytes(int64_t rows, int64_t columns);
void rti_nonzero_note(rti_nonzero *z, int64_t rows, int64_t columns, const rt_real *x, int64_t stride,
                      void *memory);
/* In the place of a map: `count` is estimated from some of the rows, and a product of which x is the left
 * operand looks at it in passing. For a single product. Too few rows for a map are not looked at. */
void rti_nonzero_sample(rti_nonzero *z, int64_t rows, int64_t columns, const rt_real *x, int64_t stride);
/* The map of bytes, which are borrowed. */
void rti_nonzero_note_bytes(rti_nonzero *z, int64_t rows, int64_t columns, const rti_byte_rows *of,
                            void *memory);
/* Lists of the rows of the x that was noted, which is sparse; of bytes x is not looked at. Memory is lent. */
size_t rti_nonzero_by_row_bytes(const rti_nonzero *z);
void rti_nonzero_by_row(rti_nonzero *z, const rt_real *x, int64_t stride, void *memory);
/* For products of which it is the right operand, of up to RTI_SPARSE_BATCH rows: the map of its columns,
 * which stays once it is made, and lists of them, made from those of the rows. */
enum { RTI_SPARSE_BATCH = 160 };
void rti_nonzero_turn(rti_nonzero *z);
size_t rti_nonzero_by_column_bytes(const rti_nonzero *z);
void rti_nonzero_by_column(rti_nonzero *z, void *memory);
/* Is a product with `extent` columns (or rows, for lists of columns) faster by lists that are there; do they
 * pay when they are made for so many of them; and does the map? */
bool rti_lists_serve(int64_t extent);
bool rti_lists_pay(int64_t extent, int products);
bool rti_map_pays(const rti_nonzero *z);
bool rti_columns_pay(const rti_nonzero *z); /* of an x whose rows are listed: its columns, too? */
/* Of bfloat16: does this processor leave zeros out of products with lists, and do these pay? */
bool rti_lists_serve_bf16(void);
bool rti_lists_pay_bf16(const rti_nonzero *z);

/* ---- convolution -------------------------------------------------------------------------------
 *
 *   y[n][h][w][f] = sum over i, j, c of  x[n][h s - p + i d][w s - p + j d][c] k[i][j][c][f]
 *
 * x (N,H,W,C), k (KH,KW,C/groups,F), y (N,OH,OW,F), contiguous, channels last; outside x there are zeros.
 * rti_conv_forward writes y; rti_conv_input_gradient, its transpose, dx from dy; rti_conv_kernel_gradient
 * dk. Each adds to what is there with `accumulate`; the epilogue (NULL for none) is that of gemm, by the
 * last axis of the result. scratch: rti_conv_scratch_bytes, aligned to 64 bytes, its content is
 * garbage before and after. The order of every sum depends on the geometry alone, not on the threads. */
typedef struct rti_convolution {
    int64_t N, H, W, C;    /* x */
    int64_t OH, OW, F;     /* y */
    int64_t KH, KW;
    int64_t stride, padding, dilation, groups;
} rti_convolution;

typedef enum rti_conv_pass {
    RTI_CONV_FORWARD, RTI_CONV_INPUT_GRADIENT, RTI_CONV_KERNEL_GRADIENT
} rti_conv_pass;

size_t rti_conv_scratch_bytes(const rti_convolution *c, rti_conv_pass pass);
void rti_conv_forward(const rti_convolution *c, const rt_real *x, const rt_real *k, rt_real *y,
                      bool accumulate, const rti_epilogue *epilogue, void *scratch);
void rti_conv_input_gradient(const rti_convolution *c, const rt_real *dy, const rt_real *k, rt_real *dx,
                             bool accumulate, const rti_epilogue *epilogue, void *scratch);
void rti_conv_kernel_gradient(const rti_convolution *c, const rt_real *x, const rt_real *dy, rt_real *dk,
                              bool accumulate, void *scratch);

/* ---- element by element, contiguous arrays; out may be one of the inputs ---- */
void rti_add(int64_t n, const rt_real *a, const rt_real *b, rt_real *out);
void rti_sub(int64_t n, const rt_real *a, const rt_real *b, rt_real *out);
void rti_mul(int64_t n, const rt_real *a, const rt_real *b, rt_real *out);
void rti_scale(int64_t n, rt_real factor, const rt_real *x, rt_real *out);
void rti_axpy(int64_t n, rt_real factor, const rt_real *x, rt_real *y); /* y += factor x */
void rti_fill(int64_t n, rt_real value, rt_real *out);
void rti_relu(int64_t n, const rt_real *x, rt_real *out);               /* max(0, x); NaN stays NaN */
/* dx = (y > 0 ? dy : 0), or += with accumulate; y is relu's input or its output. */
void rti_relu_backward(int64_t n, const rt_real *y, const rt_real *dy, rt_real *dx, bool accumulate);

/* exp of numbers that are at most 0, or NaN, within 1 ulp; 0 below -708, where it would be subnormal. Made of
 * additions and multiplications alone: the same bits with every instruction set and every libm. */
void rti_exp_down(int64_t n, const double *x, double *out);
/* log of numbers that are at least 1 and finite, or NaN, made in the same way and as exact. */
void rti_log_up(int64_t n, const double *x, double *out);

/* ---- the one softmax of the library: z (N, K), T > 0, K >= 1; p (N, K) and log_p (N, K) are written ----
 *
 * With m the largest logit of the row and s = sum_k exp((z_k - m)/T), which is at least 1:
 *
 *     log p_k = (z_k - m)/T - log s          p_k = exp((z_k - m)/T) / s
 *
 * Nothing overflows: exponents are at most 0. A class far below the top has p_k = 0 and a finite log p_k; a
 * log of p_k is never taken. NaN in a row of z makes all of it NaN. All in double, whatever rt_real is,
 * because distillation at high temperature lives on small differences between nearly equal probabilities; exp
 * and log are those above, so the bits do not depend on the processor or on libm. */
void rti_softmax_rows(int64_t N, int64_t K, const rt_real *z, double T, double *p, double *log_p);

/* ---- reductions: fixed order, in double inside ---- */
double rti_sum(int64_t n, const rt_real *x);
double rti_dot(int64_t n, const rt_real *a, const rt_real *b);
bool rti_all_finite(int64_t n, const rt_real *x);
/* out[j] (+)= sum_i x[i][j] of a (rows, columns) array: the gradient of a bias. */
void rti_column_sums(int64_t rows, int64_t columns, const rt_real *x, rt_real *out, bool accumulate);

/* ---- batch normalisation of x (rows, C), with one number per channel each:
 *
 *   forward    y = act((x - mean) factor + bias + residual)
 *   backward   dx (+)= factor dz - level - slope (x - mean),  dz = dy where y > 0
 *
 * y NULL: no relu, dz = dy; with `masked` y is worked out again from x (there was no residual then). dz, when
 * it is not NULL, receives what goes to the residual. dx or dz may be dy. */
typedef struct rti_norm {
    const rt_real *mean, *factor, *bias, *level, *slope; /* (C) */
    bool masked;
} rti_norm;
size_t rti_norm_scratch_bytes(int64_t rows, int64_t C);
void rti_norm_statistics(int64_t rows, int64_t C, const rt_real *x, double *mean, double *variance,
                         double *scratch); /* of a population; rows >= 1 */
void rti_norm_forward(int64_t rows, int64_t C, const rti_norm *norm, const rt_real *x,
                      const rt_real *residual, bool relu, rt_real *y);
void rti_norm_sums(int64_t rows, int64_t C, const rti_norm *norm, const rt_real *x, const rt_real *y,
                   const rt_real *dy, double *sum /* of dz */, double *product /* of dz (x - mean) */,
                   double *scratch);
void rti_norm_backward(int64_t rows, int64_t C, const rti_norm *norm, const rt_real *x, const rt_real *y,
                       const rt_real *dy, rt_real *dx, bool accumulate, rt_real *dz, bool accumulate_dz);

/* ---- 2 x 2 maxima of two rows of 2 w pixels of C channels; of a maximum's gradient the first of equals has
 * all. Arrays have RTI_ROW_SLACK numbers of room behind their last; what is in it does not matter. ---- */
enum { RTI_ROW_SLACK = 16 };
void rti_max_rows(int64_t w, int64_t C, const rt_real *top, const rt_real *bottom, rt_real *y);
void rti_max_rows_backward(int64_t w, int64_t C, const rt_real *const x[2], const rt_real *y,
                           const rt_real *dy, rt_real *const dx[2]);

/* ---- dropout: element i is kept when 16 random bits of the stream, at position i, are at least
 * t = round(rate * 65536); kept ones are multiplied by 65536 / (65536 - t). The mask is a function of
 * (stream, i), so backward draws it again and nothing is stored. 0 <= rate < 1. ---- */
void rti_dropout(int64_t n, double rate, const rt_rng *stream, const rt_real *x, rt_real *out);
void rti_dropout_backward(int64_t n, double rate, const rt_rng *stream, const rt_real *dy, rt_real *dx,
                          bool accumulate);

/* out[i] = deviation * rt_rng_normal(stream), i = 0 ... n-1, with the same bits on all instruction sets; the
 * stream moves on. */
void rti_normals(int64_t n, double deviation, rt_rng *stream, rt_real *out);

/* ---- optimiser updates, one pass over parameters p, gradients g and slots ----
 *
 *   g' = grad_scale g + decay p;   v = momentum v - lr damping g'
 *   p += v                         or with nesterov   p += momentum v - lr damping g' */
typedef struct rti_sgd {
    rt_real lr, momentum, decay, damping; /* damping 1, or 1 - momentum as in the 2012 recipe */
    rt_real grad_scale;                   /* 1, or less when clipping */
    bool nesterov;
} rti_sgd;
void rti_sgd_update(int64_t n, const rti_sgd *c, rt_real *p, const rt_real *g, rt_real *v);

/*   g' = grad_scale g + decay p;  m = b1 m + (1-b1) g';  v = b2 v + (1-b2) g'^2
 *   p = p - decoupled p - rate m / (sqrt(v) scale + epsilon)
 * rate = lr / (1 - b1^t), scale = 1 / sqrt(1 - b2^t), decoupled = lr * weight decay (AdamW) or 0. */
typedef struct rti_adam {
    rt_real rate, beta1, beta2, scale, epsilon, decay, decoupled, grad_scale;
} rti_adam;
void rti_adam_update(int64_t n, const rti_adam *c, rt_real *p, const rt_real *g, rt_real *m, rt_real *v);

/*   g' = grad_scale g + decay p;  v = rho v + (1-rho) g'^2;  p = p - lr g' / (sqrt(v) + epsilon) */
typedef struct rti_rmsprop {
    rt_real lr, rho, epsilon, decay, grad_scale;
} rti_rmsprop;
void rti_rmsprop_update(int64_t n, const rti_rmsprop *c, rt_real *p, const rt_real *g, rt_real *v);

/* ---- pixels: out[i] = bytes[i] * scale + shift ---- */
void rti_bytes_to_real(int64_t n, const uint8_t *bytes, rt_real scale, rt_real shift, rt_real *out);

/* Which kernels run: "portable", "avx2" or "avx512". */
const char *rti_isa_name(void);

#endif
