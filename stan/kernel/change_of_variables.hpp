/* Positions from the coordinates that the sampler moves in, z = C x. */
#ifndef LSM_STAN_CHANGE_OF_VARIABLES_HPP
#define LSM_STAN_CHANGE_OF_VARIABLES_HPP

#include "autodiff.hpp"
#include "elementary.hpp"

#include <algorithm>
#include <ostream>

namespace lsm {

/* y += C x, or y += C' x, for K <= 4 vectors of n numbers. C, n x n by columns,
 * does not fit the nearest cache: it streams past once, P columns at a time. */
template <int K, bool transposed>
LSM_INLINE void multiply(long n, const double* __restrict C, const double* __restrict x,
                         double* __restrict y) {
  LSM_REORDER
  constexpr int P = K < 4 ? 8 : 4;
  for (long j = 0; j < n; j += P) {
    const double* column[P];
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

LSM_WIDE void wide_multiply(bool transposed, int K, long n, const double* C, const double* x,
                            double* y) {
  for (; K > 0; K -= 4, x += 4 * n, y += 4 * n)
    switch (std::min(K, 4) + 4 * transposed) {
      case 1: multiply<1, false>(n, C, x, y); break;
      case 2: multiply<2, false>(n, C, x, y); break;
      case 3: multiply<3, false>(n, C, x, y); break;
      case 4: multiply<4, false>(n, C, x, y); break;
      case 5: multiply<1, true>(n, C, x, y); break;
      case 6: multiply<2, true>(n, C, x, y); break;
      case 7: multiply<3, true>(n, C, x, y); break;
      default: multiply<4, true>(n, C, x, y);
    }
}

/* z = C x; in the reverse pass xbar += C' zbar */
inline MatrixXd product(bool transposed, const double* C, const MatrixXd& x) {
  MatrixXd y = MatrixXd::Zero(x.rows(), x.cols());
  wide_multiply(transposed, x.cols(), x.rows(), C, x.data(), y.data());
  return y;
}

// The reverse pass reads the factor again. Data that Stan holds in a Map are still there;
// anything else is copied.
template <typename P, int O, typename S>
const double* lasting(const Eigen::Map<P, O, S>& C) { return C.data(); }
template <typename C>
const double* lasting(const C& factor) { return stan::math::to_arena(factor).data(); }

template <typename X, std::enable_if_t<is_data<X>>* = nullptr>
MatrixXd change_of_variables(const double* C, const X& x) {
  return product(false, C, x);
}
template <typename X, std::enable_if_t<!is_data<X>>* = nullptr>
Eigen::Matrix<var, -1, -1> change_of_variables(const double* C, const X& x) {
  using Arena = stan::arena_t<Eigen::Matrix<var, -1, -1>>;
  Arena from = x;
  Arena to = product(false, C, stan::math::value_of(from));
  stan::math::reverse_pass_callback([from, to, C]() mutable {
    from.adj() += product(true, C, to.adj());
  });
  return to;
}

template <typename C, typename X>
auto checked_change(const C& factor, const X& x) {
  static_assert(is_data<C>, "precondition: factor must be data or transformed data");
  stan::math::check_size_match("precondition", "rows of factor", factor.rows(), "rows of x",
                               x.rows());
  stan::math::check_size_match("precondition", "columns of factor", factor.cols(), "rows of x",
                               x.rows());
  return change_of_variables(lasting(factor), x);
}

// The first takes temporaries and variables, the others constants; see Lookup above.
template <typename C, typename X>
auto precondition(const C& factor, X&& x, std::ostream*) {
  return checked_change(factor, x);
}
template <typename C, typename S, int R, int K>
auto precondition(const C& factor, const Eigen::Matrix<S, R, K>& x, std::ostream*) {
  return checked_change(factor, x);
}
template <typename C, typename P, int O, typename S>
auto precondition(const C& factor, const Eigen::Map<P, O, S>& x, std::ostream*) {
  return checked_change(factor, x);
}

}  // namespace lsm

#endif
