/* Products of a square matrix and a few vectors, faster than Eigen's where the matrix
 * does not fit the nearest cache.
 */
#ifndef LSM_STAN_PRODUCTS_HPP
#define LSM_STAN_PRODUCTS_HPP

#include "vectorise.hpp"

#include <algorithm>

namespace lsm {

/* y += C x, or y += C' x, for K <= 4 vectors of n numbers. C, n x n by columns, streams
 * past once, P columns at a time. */
template <int K, bool transposed, typename Number>
LSM_INLINE void multiply(long n, const Number* __restrict C, const double* __restrict x,
                         double* __restrict y) {
  LSM_REORDER
  constexpr int P = K < 4 ? 8 : 4;
  for (long j = 0; j < n; j += P) {
    const Number* column[P];
    double xj[P][K], yj[P][K] = {};
    for (int p = 0; p < P; ++p) {
      column[p] = C + std::min(j + p, n - 1) * n;
      for (int k = 0; k < K; ++k)
        xj[p][k] = j + p < n ? x[k * n + j + p] : 0;
    }
    LSM_INDEPENDENT
    for (long i = 0; i < n; ++i)
      for (int k = 0; k < K; ++k)
        for (int p = 0; p < P; ++p)
          if (transposed)
            yj[p][k] += column[p][i] * x[k * n + i];
          else
            y[k * n + i] += column[p][i] * xj[p][k];
    for (int p = 0; transposed && p < P && j + p < n; ++p)
      for (int k = 0; k < K; ++k)
        y[k * n + j + p] += yj[p][k];
  }
}

template <bool transposed, typename Number>
LSM_INLINE void multiply_all(int K, long n, const Number* C, const double* x, double* y) {
  for (; K > 0; K -= 4, x += 4 * n, y += 4 * n)
    switch (std::min(K, 4)) {
      case 1: multiply<1, transposed>(n, C, x, y); break;
      case 2: multiply<2, transposed>(n, C, x, y); break;
      case 3: multiply<3, transposed>(n, C, x, y); break;
      default: multiply<4, transposed>(n, C, x, y);
    }
}

}  // namespace lsm

#endif
