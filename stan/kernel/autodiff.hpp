/* From the arguments of a sum to its result: numbers, or parameters whose adjoints the
 * reverse pass adds to.
 */
#ifndef LSM_STAN_AUTODIFF_HPP
#define LSM_STAN_AUTODIFF_HPP

#include "elementary.hpp"

#include <stan/math/rev.hpp>
#include <type_traits>

namespace lsm {

using Eigen::MatrixXd;
using stan::math::var;

/* What an argument leaves for the reverse pass: a parameter its adjoint, data
 * nothing. */
struct Data {};
template <typename T>
constexpr bool is_data = std::is_same<stan::scalar_type_t<T>, double>::value;
template <typename T, std::enable_if_t<is_data<T>>* = nullptr>
Data operand(const T&) { return {}; }
template <typename T, std::enable_if_t<!is_data<T>>* = nullptr>
auto operand(const T& x) { return stan::math::to_arena(x); }

template <typename G>
void add_adjoint(Data&, double, const G&, int) {}
template <typename T, typename G>
void add_adjoint(T& x, double adjoint, const G& g, int column) {
  x.adj() += adjoint * g.block(0, column, x.rows(), x.cols());
}

/* exp(x) of an array of numbers or parameters */
template <typename X>
Eigen::VectorXd exponentials(const X& x) {
  Eigen::VectorXd y = stan::math::value_of(x);
  if (y.size() > 0 && y.maxCoeff() < 700)
    wide_exp(y.data(), y.size());
  else
    y = y.array().exp();
  return y;
}

/* The result of a sum: a number, or a var that hands its adjoint on to the
 * operands, times the gradient in the columns of g. */
template <typename G>
double result(double value, const G&, int, Data, Data, Data) { return value; }
template <typename G, typename Z, typename A, typename B>
var result(double value, const G& gradient, int K, Z z, A a, B b) {
  const stan::arena_t<MatrixXd> g = gradient;
  return stan::math::make_callback_var(value, [g, K, z, a, b](auto& vi) mutable {
    add_adjoint(z, vi.adj_, g, 0);
    add_adjoint(a, vi.adj_, g, K);
    add_adjoint(b, vi.adj_, g, K + 1);
  });
}

}  // namespace lsm

#endif
