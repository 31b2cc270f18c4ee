/* unroll.h - loops whose ends are constants, written out by the compiler. Floor 2 (kernels)
 *
 * Arrays that such loops index live in registers. */
#ifndef RTI_UNROLL_H
#define RTI_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define EACH(i, n) UNROLL for (int i = 0; i < n; i++)
#define ALWAYS static inline __attribute__((always_inline))

#endif
