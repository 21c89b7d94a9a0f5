/* Positions from the coordinates that the sampler moves in, z = C x. */
#ifndef LSM_STAN_CHANGE_OF_VARIABLES_HPP
#define LSM_STAN_CHANGE_OF_VARIABLES_HPP

#include "autodiff.hpp"
#include "products.hpp"

#include <ostream>

namespace lsm {

LSM_WIDE void wide_multiply(int K, long n, const double* C, const double* x, double* y) {
  multiply_all<false>(K, n, C, x, y);
}
LSM_WIDE void wide_multiply_transposed(int K, long n, const double* C, const double* x,
                                       double* y) {
  multiply_all<true>(K, n, C, x, y);
}

/* z = C x; in the reverse pass xbar += C' zbar */
inline MatrixXd product(bool transposed, const double* C, const MatrixXd& x) {
  MatrixXd y = MatrixXd::Zero(x.rows(), x.cols());
  (transposed ? wide_multiply_transposed : wide_multiply)(x.cols(), x.rows(), C, x.data(),
                                                          y.data());
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
