/* bench_gemm.c - GFLOP/s of the matrix product at the shapes of MLP training.
 *
 *   make bench-gemm                            one thread, then all processors
 *   build/float/bench_gemm [THREADS [ISA]]     ISA: portable, avx2, avx512
 *
 * When OpenBLAS is installed its cblas_sgemm does the same work in turn, so both meet the same
 * disturbances; the best of the rounds counts. So does the product of bfloat16 where the processor has an
 * instruction for it. Results are compared before they are timed. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/dispatch.h"
#include "retort/threads.h"

enum { ROUNDS = 15, ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
enum { OURS, PEERS, BF16, COMPETITORS };

typedef void cblas_sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k,
                                  float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                                  float *c, int ldc);

static cblas_sgemm_function *peer;

/* C (m,n) = op(A) op(B), all contiguous by rows. */
typedef struct work {
    int m, n, k;
    bool turn_a, turn_b;
    float *a, *b, *c[COMPETITORS];
    void *scratch;
} work;

static void run(const work *w, int who) {
    const int lda = w->turn_a ? w->m : w->k, ldb = w->turn_b ? w->k : w->n;
    if (who == PEERS) {
        peer(ROW_MAJOR, w->turn_a ? TRANSPOSED : PLAIN, w->turn_b ? TRANSPOSED : PLAIN, w->m, w->n, w->k, 1,
             w->a, lda, w->b, ldb, 0, w->c[PEERS], w->n);
        return;
    }
    const rti_matrix A = {(const rt_real *)w->a, w->turn_a ? 1 : lda, w->turn_a ? lda : 1};
    const rti_matrix B = {(const rt_real *)w->b, w->turn_b ? 1 : ldb, w->turn_b ? ldb : 1};
    if (who == OURS) rti_gemm(w->m, w->n, w->k, A, B, (rt_real *)w->c[OURS], w->n, false, NULL);
    else
        rti_gemm_bf16(w->m, w->n, w->k, A, B, (rt_real *)w->c[BF16], w->n, false, NULL, w->scratch);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *floats(size_t n, uint64_t index) {
    rt_rng stream = rt_rng_stream(1, "bench", 0, index);
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
    if (!x) exit(1);
    for (size_t i = 0; i < n; i++) x[i] = (float)rt_rng_uniform(&stream) - 0.5f;
    return x;
}

static void measure(const char *name, const char *pass, work w) {
    const size_t size = (size_t)w.m * (size_t)w.n;
    w.a = floats((size_t)w.m * (size_t)w.k, 0), w.b = floats((size_t)w.n * (size_t)w.k, 1);
    for (int who = 0; who < COMPETITORS; who++) w.c[who] = floats(size, 2);
    w.scratch = floats(rti_gemm_bf16_scratch_bytes(w.m, w.k) / sizeof(float), 3);
    const bool there[] = {true, peer != NULL, rti_kernels_bf16(rti_kernels()) != rti_gemm_bf16_portable};
    double flop = 2.0 * w.m * w.n * w.k, best[] = {INFINITY, INFINITY, INFINITY};
    for (int who = 0; who < COMPETITORS; who++) {
        if (!there[who]) continue;
        run(&w, who);
        for (size_t i = 0; i < size; i++)
            if (!(fabsf(w.c[OURS][i] - w.c[who][i]) < (who == BF16 ? 0.2f : 1e-3f))) printf("WRONG ");
    }

    const int repeat = 1 + (int)(2e-3 * 1e11 / flop);
    for (int round = 0; round < ROUNDS; round++)
        for (int who = 0; who < COMPETITORS; who++) {
            double start = now_s();
            for (int i = 0; i < repeat && there[who]; i++) run(&w, who);
            best[who] = fmin(best[who], (now_s() - start) / repeat);
        }
    printf("%-12s %-8s %5d %5d %5d %10.1f us %7.1f GFLOP/s", name, pass, w.m, w.n, w.k, best[OURS] * 1e6,
           flop / best[OURS] * 1e-9);
    if (peer) printf("   OpenBLAS %7.1f   ratio %.2f", flop / best[PEERS] * 1e-9, best[PEERS] / best[OURS]);
    if (there[BF16]) printf("   bf16 %7.1f   ratio %.2f", flop / best[BF16] * 1e-9, best[OURS] / best[BF16]);
    printf("\n");
    free(w.a), free(w.b), free(w.scratch);
    for (int who = 0; who < COMPETITORS; who++) free(w.c[who]);
}

int main(int count, char **arguments) {
    if (sizeof(rt_real) != sizeof(float)) return 2;
    const int threads = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 1;
    if (threads < 1 || threads > 256) return 2;
    rt_threads_set(threads);
    if (count > 2 && rti_kernels_named(arguments[2])) rti_kernels_use(rti_kernels_named(arguments[2]));

    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    void *symbol = library ? dlsym(library, "cblas_sgemm") : NULL,
         *setter = library ? dlsym(library, "openblas_set_num_threads") : NULL;
    memcpy(&peer, &symbol, sizeof peer); /* a function pointer is not an object pointer in C */
    void (*set_threads)(int);
    memcpy(&set_threads, &setter, sizeof set_threads);
    if (set_threads) set_threads(threads);

    printf("# %s, %d thread%s, best of %d\n", rti_isa_name(), threads, threads == 1 ? "" : "s", ROUNDS);
    printf("# fwd: Y = X W^T, dX = dY W, dW = dY^T X, batch 100\n");
    static const int nets[][2] = {{784, 1200}, {1200, 1200}, {1200, 10}, {784, 800},
                                  {800, 800},  {784, 30},    {30, 30},   {1024, 1024}};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        const int in = nets[i][0], out = nets[i][1];
        char name[32];
        snprintf(name, sizeof name, "%dx%d", in, out);
        measure(name, "fwd", (work){.m = 100, .n = out, .k = in, .turn_b = true});
        measure(name, "dX", (work){.m = 100, .n = in, .k = out});
        measure(name, "dW", (work){.m = out, .n = in, .k = 100, .turn_a = true});
    }
    measure("784x1200", "one", (work){.m = 1, .n = 1200, .k = 784, .turn_b = true});
    measure("784x1200", "10000", (work){.m = 10000, .n = 1200, .k = 784, .turn_b = true});
    return 0;
}
