/* unroll.h - loops whose ends are constants, written out by the compiler. Floor 2 (kernels)
 *
 * Arrays that such loops index live in registers; tests/support/unrolled.sh looks whether they do. clang
 * must be asked for all turns: "unroll" alone is forgotten where the end becomes a constant only after one
 * function was put into another. An epoch of 784-800-800-10 took 2.7 times as long
 * (tests/bench/compilers.csv). */
#ifndef RTI_UNROLL_H
#define RTI_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define EACH(i, n) UNROLL for (int i = 0; i < n; i++)
#define ALWAYS static inline __attribute__((always_inline))

#endif
