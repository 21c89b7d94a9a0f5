// Takes back what vectorise.hpp defines, once every header is read.
#ifdef __clang__
#pragma clang diagnostic pop
#endif
#undef LSM_AVX512
#undef LSM_X86
#undef LSM_INDEPENDENT
#undef LSM_INLINE
#undef LSM_OPTIMIZE
#undef LSM_REORDER
#undef LSM_WIDE
#undef LSM_STAN_VECTORISE_HPP  // so that the next header that needs them can mark again
