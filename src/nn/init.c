/* init.c - see init.h.                                                 Floor 6 (nn) */
#include "nn/init.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

static const struct {
    const char *name;
    bool uniform;
} laws[] = {
    [RTI_INIT_HE] = {"he", false},
    [RTI_INIT_HE_UNIFORM] = {"he-uniform", true},
    [RTI_INIT_XAVIER] = {"xavier", true},
    [RTI_INIT_XAVIER_NORMAL] = {"xavier-normal", false},
    [RTI_INIT_LECUN] = {"lecun", false},
    [RTI_INIT_NORMAL] = {"normal", false},
    [RTI_INIT_FAN_IN] = {"fan-in", true},
    [RTI_INIT_HE_FAN_OUT] = {"he-fan-out", false},
};

rti_init rti_init_find(const char *name) {
    for (size_t i = 0; i < sizeof laws / sizeof laws[0]; i++)
        if (strcmp(laws[i].name, name) == 0) return (rti_init)i;
    RT_ASSERT(false, "there is no initialisation \"%s\"", name);
    return RTI_INIT_HE;
}

double rti_init_deviation(rti_init law, int64_t inputs, int64_t units, double init_std) {
    double D = (double)inputs, U = (double)units;
    switch (law) {
    case RTI_INIT_HE:
    case RTI_INIT_HE_UNIFORM: return sqrt(2 / D);
    case RTI_INIT_HE_FAN_OUT: return sqrt(2 / U);
    case RTI_INIT_XAVIER:
    case RTI_INIT_XAVIER_NORMAL: return sqrt(2 / (D + U));
    case RTI_INIT_LECUN: return sqrt(1 / D);
    case RTI_INIT_NORMAL: return init_std;
    case RTI_INIT_FAN_IN: return sqrt(1 / (3 * D));
    }
    return 0;
}

/* Uniform numbers of deviation s fill +-s sqrt(3). */
static void fill(bool uniform, double deviation, rt_rng *stream, int64_t count, rt_real *out) {
    if (!uniform) {
        rti_normals(count, deviation, stream, out);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        out[i] = (rt_real)(deviation * sqrt(3) * (2 * rt_rng_uniform(stream) - 1));
}

void rti_init_weights(rti_init law, int64_t inputs, int64_t units, double init_std, rt_rng *stream,
                      int64_t count, rt_real *out) {
    fill(laws[law].uniform, rti_init_deviation(law, inputs, units, init_std), stream, count, out);
}

void rti_init_biases(rti_init law, int64_t inputs, rt_rng *stream, int64_t count, rt_real *out) {
    if (law == RTI_INIT_FAN_IN) fill(true, rti_init_deviation(law, inputs, 0, 0), stream, count, out);
    else if (count > 0) memset(out, 0, (size_t)count * sizeof *out);
}
