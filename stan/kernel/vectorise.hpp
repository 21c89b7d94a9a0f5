/* How the loops are compiled: marks that every header of the kernel uses.
 * unmark.hpp takes them back.
 */
#ifndef LSM_STAN_VECTORISE_HPP
#define LSM_STAN_VECTORISE_HPP

#include <cstdlib>  // defines __GLIBC__, where it is

#if defined(__x86_64__) && defined(__GLIBC__)
#include <immintrin.h>
#endif

// LSM_WIDE marks a function to compile once for every width of vector unit, where
// the dynamic linker can choose (x86-64, glibc). LSM_REORDER lets it reorder
// sums, which vectorises them; NaN and infinity keep their meaning.
// LSM_INDEPENDENT promises that iterations write to different places. With
// LSM_PORTABLE defined every machine runs the plain loops that those without wide
// vector units run, so that they can be tested on any.
#if defined(__clang__)
#define LSM_INLINE __attribute__((always_inline)) inline
#define LSM_REORDER _Pragma("clang fp reassociate(on)")
#define LSM_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define LSM_OPTIMIZE
#pragma clang diagnostic push  // not every clone of every loop vectorises
#pragma clang diagnostic ignored "-Wpass-failed"
#else
#define LSM_OPTIMIZE \
  optimize("O3", "no-math-errno", "no-trapping-math", "no-signed-zeros", "associative-math")
#define LSM_INLINE __attribute__((always_inline, LSM_OPTIMIZE)) inline
#define LSM_REORDER
#define LSM_INDEPENDENT _Pragma("GCC ivdep")
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(LSM_PORTABLE)
#define LSM_X86
#endif
#if !defined(LSM_X86) || (defined(__clang__) && __clang_major__ < 14)
#define LSM_WIDE __attribute__((LSM_OPTIMIZE)) static
#elif defined(__clang__) || __GNUC__ < 12
#define LSM_WIDE \
  __attribute__((target_clones("avx512f", "avx2", "default"), LSM_OPTIMIZE)) static
#else
#define LSM_WIDE \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), LSM_OPTIMIZE)) static
#endif

// LSM_AVX512 marks functions written for those vector units, which are called only
// where they are. There are registers enough for loops that the compiler reorders.
#ifdef LSM_X86
#ifdef __clang__
#define LSM_AVX512 __attribute__((target("avx512f")))
#else
#define LSM_AVX512 __attribute__((target("avx512f"), optimize("O3", "schedule-insns")))
#endif
#endif

#endif
