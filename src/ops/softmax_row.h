/* softmax_row.h - the one softmax of the library.                      Floor 5 (ops)
 *
 * With m the largest logit of the row and s = sum_k exp((z_k - m)/T), which is at least 1:
 *
 *     log p_k = (z_k - m)/T - log s          p_k = exp((z_k - m)/T) / s
 *
 * Nothing overflows: exponents are at most 0. A class far below the top has p_k = 0 and a finite
 * log p_k; a log of p_k is never taken. All in double, whatever rt_real is, because distillation at
 * high temperature lives on small differences between nearly equal probabilities. exp and log are our own
 * (kernels.h): the same bits on every processor and with every libm. */
#ifndef RTI_SOFTMAX_ROW_H
#define RTI_SOFTMAX_ROW_H

#include "kernels/kernels.h"

/* rti_softmax_rows (kernels.h): z (N, K), T > 0, K >= 1; p (N, K) and log_p (N, K) are written. NaN in a row
 * of z makes all of it NaN. This is one row. */
static inline void rti_softmax_row(int64_t K, const rt_real *z, double T, double *p, double *log_p) {
    rti_softmax_rows(1, K, z, T, p, log_p);
}

static inline bool rti_temperature_is_valid(double T) { return T > 0 && T <= 1e30; }

#endif
