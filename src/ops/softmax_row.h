/* softmax_row.h - the softmax of one row.                              Floor 5 (ops)
 *
 * Of many rows: rti_softmax_rows (kernels.h), which also says what is computed. */
#ifndef RTI_SOFTMAX_ROW_H
#define RTI_SOFTMAX_ROW_H

#include "kernels/kernels.h"

static inline void rti_softmax_row(int64_t K, const rt_real *z, double T, double *p, double *log_p) {
    rti_softmax_rows(1, K, z, T, p, log_p);
}

static inline bool rti_temperature_is_valid(double T) { return T > 0 && T <= 1e30; }

#endif
