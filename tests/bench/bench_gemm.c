/* bench_gemm.c - GFLOP/s of the matrix product at the shapes of MLP training.
 *
 *   make bench-gemm                             one thread, then all processors
 *   bench_gemm [--csv] [--rounds N] [--batch N] [--layer INxOUT] [THREADS [ISA]]
 *                                               ISA: portable, avx2, avx512
 *   bench_gemm --who                            the libraries that take part, one a line
 *   bench_gemm --peak [--csv] [THREADS [ISA]]   the peak alone
 *
 * OpenBLAS and oneDNN do the same work in turn when they are installed, so that all meet the same
 * disturbances; both run in threads of OpenMP, if that is how they were built. Results are compared before
 * they are timed. A time is that of a block of products of 2 ms or more. --csv prints
 * work,threads,program,median,GFLOP/s: what table.sh collects. The last lines are the peak: loops of
 * multiply-adds and of additions over registers, measured in between. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "kernels/dispatch.h"
#include "peak.h"
#include "retort/threads.h"

enum { ROUNDS_MAX = 99, PEAKS_MAX = 64, ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

/* C (m,n) = op(A) op(B), all contiguous by rows. */
typedef struct work {
    int m, n, k;
    bool turn_a, turn_b;
    int lda, ldb;
    float *a, *b;
} work;

/* ---- who takes part ---- */

typedef void cblas_sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k,
                                  float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                                  float *c, int ldc);
typedef int dnnl_sgemm_function(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k,
                                float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                                float beta, float *c, int64_t ldc); /* by rows, since oneDNN 1.0 */
typedef struct dnnl_version { int major, minor, patch; } dnnl_version;

static cblas_sgemm_function *cblas_sgemm;
static dnnl_sgemm_function *dnnl_sgemm;

static void by_retort(const work *w, float *c) {
    const rti_matrix A = {(const rt_real *)w->a, w->turn_a ? 1 : w->lda, w->turn_a ? w->lda : 1, NULL};
    const rti_matrix B = {(const rt_real *)w->b, w->turn_b ? 1 : w->ldb, w->turn_b ? w->ldb : 1, NULL};
    rti_gemm(w->m, w->n, w->k, A, B, (rt_real *)c, w->n, false, NULL);
}

static void by_openblas(const work *w, float *c) {
    cblas_sgemm(ROW_MAJOR, w->turn_a ? TRANSPOSED : PLAIN, w->turn_b ? TRANSPOSED : PLAIN, w->m, w->n,
                w->k, 1, w->a, w->lda, w->b, w->ldb, 0, c, w->n);
}

static void by_dnnl(const work *w, float *c) {
    dnnl_sgemm(w->turn_a ? 'T' : 'N', w->turn_b ? 'T' : 'N', w->m, w->n, w->k, 1, w->a, w->lda, w->b,
               w->ldb, 0, c, w->n);
}

typedef struct program {
    const char *name;
    void (*product)(const work *w, float *c);
} program;

static program programs[3] = {{"retort", by_retort}};
static int program_count = 1;

/* A function pointer is not an object pointer in C, so it is copied, not converted. */
static bool find(void *library, const char *name, void *function) {
    void *symbol = library ? dlsym(library, name) : NULL;
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void find_peers(int threads, bool tell) {
    char text[16];
    snprintf(text, sizeof text, "%d", threads);
    setenv("OMP_NUM_THREADS", text, 1); /* read when the libraries come in */
    setenv("OPENBLAS_NUM_THREADS", text, 1);
    void *openblas = dlopen("libopenblas.so.0", RTLD_NOW), *dnnl = dlopen("libdnnl.so.2", RTLD_NOW);
    if (find(openblas, "cblas_sgemm", &cblas_sgemm)) {
        programs[program_count++] = (program){"OpenBLAS", by_openblas};
        void (*set_threads)(int);
        if (find(openblas, "openblas_set_num_threads", &set_threads)) set_threads(threads);
        char *(*config)(void), *(*core)(void);
        if (tell && find(openblas, "openblas_get_config", &config) &&
            find(openblas, "openblas_get_corename", &core))
            printf("%s, kernels for %s\n", config(), core());
    }
    if (find(dnnl, "dnnl_sgemm", &dnnl_sgemm)) {
        programs[program_count++] = (program){"oneDNN", by_dnnl};
        const dnnl_version *(*version)(void);
        if (tell && find(dnnl, "dnnl_version", &version))
            printf("oneDNN %d.%d.%d\n", version()->major, version()->minor, version()->patch);
    }
}

/* ---- measuring ---- */

static int rounds = 15, threads = 1;
static bool csv;
static double peaks[PEAKS_MAX], additions[PEAKS_MAX];
static int peak_count;

static float *floats(size_t n, uint64_t index) {
    rt_rng stream = rt_rng_stream(1, "bench", 0, index);
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
    if (!x) exit(1);
    for (size_t i = 0; i < n; i++) x[i] = (float)rt_rng_uniform(&stream) - 0.5f;
    return x;
}

static void require_equal(const char *name, const work *w, const float *a, const float *b) {
    for (size_t i = 0; i < (size_t)w->m * (size_t)w->n; i++)
        if (!(fabsf(a[i] - b[i]) < 1e-3f)) {
            fprintf(stderr, "bench_gemm: %s and retort differ at %d %d %d\n", name, w->m, w->n, w->k);
            exit(1);
        }
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* Threads of one pool spin for a while after their work and would take a processor from the next one's. */
static void let_threads_sleep(void) {
    if (threads == 1 || program_count == 1) return;
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void measure_peak(void) {
    if (peak_count < PEAKS_MAX) {
        additions[peak_count] = peak_additions(threads);
        peaks[peak_count++] = peak_gflops(threads);
    }
    let_threads_sleep();
}

static void measure(const char *name, int batch, const char *pass, work w) {
    const double flop = 2.0 * w.m * w.n * w.k;
    const size_t size = (size_t)w.m * (size_t)w.n;
    w.lda = w.turn_a ? w.m : w.k, w.ldb = w.turn_b ? w.k : w.n;
    w.a = floats((size_t)w.m * (size_t)w.k, 0), w.b = floats((size_t)w.n * (size_t)w.k, 1);
    float *c[3];
    for (int p = 0; p < program_count; p++) {
        c[p] = floats(size, 2);
        programs[p].product(&w, c[p]);
        require_equal(programs[p].name, &w, c[p], c[0]);
        let_threads_sleep();
    }

    const int repeat = 1 + (int)(2e-3 * 1e11 * threads / flop);
    double spent_s[3][ROUNDS_MAX];
    for (int round = 0; round < rounds; round++)
        for (int turn = 0; turn < program_count; turn++) {
            const int p = (round + turn) % program_count;
            /* As long again untimed: threads that sleep may need a millisecond to be back. */
            for (int i = 0; i < repeat; i++) programs[p].product(&w, c[p]);
            const double start_s = rti_clock_s();
            for (int i = 0; i < repeat; i++) programs[p].product(&w, c[p]);
            spent_s[p][round] = (rti_clock_s() - start_s) / repeat;
            let_threads_sleep();
        }

    double middle[3];
    for (int p = 0; p < program_count; p++) middle[p] = median(spent_s[p], rounds);
    if (csv) {
        for (int p = 0; p < program_count; p++)
            printf("gemm %s %d %s,%d,%s,%.2f,GFLOP/s\n", name, batch, pass, threads, programs[p].name,
                   flop / middle[p] * 1e-9);
    } else {
        printf("%-10s %5d %-7s %5d %5d %5d %9.1f us", name, batch, pass, w.m, w.n, w.k, middle[0] * 1e6);
        for (int p = 0; p < program_count; p++) {
            printf("   %s %6.1f", programs[p].name, flop / middle[p] * 1e-9);
            printf(p ? " (best %.1f) ratio %.2f" : " (best %.1f)", flop / spent_s[p][0] * 1e-9,
                   middle[p] / middle[0]);
        }
        printf("\n");
    }
    for (int p = 0; p < program_count; p++) free(c[p]);
    free(w.a), free(w.b);
}

/* The three products of a layer in training: Y = X W^T, dX = dY W, dW = dY^T X. */
static void measure_layer(int in, int out, int batch) {
    char name[32];
    snprintf(name, sizeof name, "%dx%d", in, out);
    measure_peak();
    measure(name, batch, "forward", (work){.m = batch, .n = out, .k = in, .turn_b = true});
    measure(name, batch, "dX", (work){.m = batch, .n = in, .k = out});
    measure(name, batch, "dW", (work){.m = out, .n = in, .k = batch, .turn_a = true});
}

static long number(const char *text) {
    const long n = text ? strtol(text, NULL, 10) : 0;
    if (n >= 1 && n <= 10000) return n;
    fprintf(stderr, "usage: bench_gemm [--who] [--peak] [--csv] [--rounds N] [--batch N] "
                    "[--layer INxOUT] [THREADS [ISA]]\n");
    exit(2);
}

int main(int count, char **arguments) {
    if (sizeof(rt_real) != sizeof(float)) return 2;
    int only_batch = 0, only_in = 0, only_out = 0, at = 1;
    bool who = false, only_peak = false;
    for (; at < count && arguments[at][0] == '-'; at++) {
        if (!strcmp(arguments[at], "--who")) who = true;
        else if (!strcmp(arguments[at], "--peak")) only_peak = true;
        else if (!strcmp(arguments[at], "--csv")) csv = true;
        else if (!strcmp(arguments[at], "--rounds")) rounds = (int)number(arguments[++at]);
        else if (!strcmp(arguments[at], "--batch")) only_batch = (int)number(arguments[++at]);
        else if (!strcmp(arguments[at], "--layer") && at + 1 < count &&
                 sscanf(arguments[at + 1], "%dx%d", &only_in, &only_out) == 2)
            at++;
        else number(NULL);
    }
    if (at < count) threads = (int)number(arguments[at++]);
    if (threads > 256 || rounds > ROUNDS_MAX) number(NULL);
    if (at < count && rti_kernels_named(arguments[at])) rti_kernels_use(rti_kernels_named(arguments[at]));
    rt_threads_set(threads);
    if (!only_peak) find_peers(threads, who);
    if (who) return 0;
    if (!csv && !only_peak)
        printf("# %s, %d thread%s, median of %d, GFLOP/s; layer, batch, pass, m, n, k\n", rti_isa_name(),
               threads, threads == 1 ? "" : "s", rounds);

    static const int layers[][2] = {{784, 1200}, {1200, 1200}, {784, 800}, {800, 800},
                                    {784, 30},   {30, 30},     {1200, 10}};
    static const int batches[] = {100, 128, 256, 1000};
    if (only_peak) measure_peak();
    for (size_t b = 0; b < sizeof batches / sizeof *batches && !only_peak; b++)
        for (size_t l = 0; l < sizeof layers / sizeof *layers; l++)
            if ((!only_batch || only_batch == batches[b]) &&
                (!only_in || (only_in == layers[l][0] && only_out == layers[l][1])))
                measure_layer(layers[l][0], layers[l][1], batches[b]);
    if (!peak_count) return 0;
    const double peak = median(peaks, peak_count), counted = median(additions, peak_count);
    if (csv && peak > 0) printf("multiply-adds in registers,%d,retort,%.2f,GFLOP/s\n", threads, peak);
    if (csv) printf("additions in registers,%d,retort,%.2f,G/s\n", threads, counted);
    if (!csv && peak > 0) printf("# multiply-adds in registers: %.1f GFLOP/s\n", peak);
    if (!csv) printf("# additions in registers: %.1f G/s\n", counted);
    return 0;
}
