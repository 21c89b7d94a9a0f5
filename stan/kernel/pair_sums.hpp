/* The sums over pairs of nodes, and the change of variables, in C++ with
 * analytic gradients: what pair_sums.stan declares and what
 * ../functions/pair_sums.stan defines in the Stan language.
 *
 * Notation. d_ij = sqrt(|z_i - z_j|^2 + eps^2), f the distance form and c(d) = -(log f)' / d,
 * so that  d log f(d_ij) / d z_i = c (z_j - z_i).
 *
 *     form    f           log f     c
 *     1       1 / d       -log d    1 / d^2
 *     2       exp(-d)     -d        1 / d
 *     3       exp(-d^2)   -d^2      2
 *
 * Charges come as logarithms. What a dyad adds is a function of log u, u = a_i b_j f(d_ij):
 * its slope in log u is the gradient in both log charges, and c times it that in positions.
 *
 * Method. The loops that carry the cost are free functions over plain arrays
 * (pairs.hpp, dyads.hpp, change_of_variables.hpp). They alone are compiled for wider
 * vector units (vectorise.hpp), of which the widest is chosen when the program
 * starts, and may add in any order. They use the square root, exponential and
 * logarithm of elementary.hpp, which vectorise and are exact to a few units in the
 * last place for numbers of ordinary size, but know nothing of poles. A result
 * that is not of ordinary size is therefore computed again by the same formulas
 * with the standard library, which treats zero, infinity and NaN as the reference
 * does. Where two nodes coincide and eps = 0, form 1 is infinite and its gradient
 * NaN; form 2 has its cusp, where the pair's gradient is 0, the mean of those on
 * either side.
 *
 * Lookup. CmdStan 2.27 to 2.31 declare the functions as templates in the
 * model's namespace, later releases not at all. Either way the call finds those
 * below through the namespace Eigen of its arguments. They win over the declared
 * ones because they fix the type of softening, or bind a variable without const;
 * no name of a model enters. Matrices and vectors are any dense expression of
 * double or var: CmdStan passes Matrix, Map or Map<const>, by its version.
 */
#ifndef LSM_STAN_PAIR_SUMS_HPP
#define LSM_STAN_PAIR_SUMS_HPP

#include "autodiff.hpp"
#include "change_of_variables.hpp"
#include "dyads.hpp"
#include "pairs.hpp"

#include <ostream>

namespace lsm {

inline void check_indices(const char* function, const char* name, const Indices& index, int n) {
  if (!within(index.data(), index.size(), n))  // Stan's own check costs more, and says which one
    stan::math::check_bounded(function, name, index, 1, n);
}

/* Data as an array of doubles that lies in one piece. */
template <typename P, int O, typename S>
const Eigen::Map<P, O, S>& plain(const Eigen::Map<P, O, S>& x) { return x; }
template <typename X>
Eigen::VectorXd plain(const X& x) { return x; }

template <typename W>
Listed listed(int form, const Indices& s, const Indices& r, const W& w, double softening,
              const MatrixXd& x, MatrixXd& g) {
  return {form, int(x.rows() / 4), int(s.size()), s.data(), r.data(), w.data(),
          softening * softening, reinterpret_cast<const Quad*>(x.data()),
          reinterpret_cast<Quad*>(g.data())};
}

/* sum_e weight_e log f(d_e) over the edges e = (sender_e, receiver_e) */
template <typename Z, typename W>
stan::return_type_t<Z> edge_sum(const Z& z, const Indices& sender, const Indices& receiver,
                                const W& weight, const double& softening, const int& form,
                                std::ostream*) {
  static_assert(is_data<W>, "edge_sum: weight must be data or transformed data");
  const int n = z.rows(), K = z.cols();
  stan::math::check_bounded("edge_sum", "form", form, 1, 3);
  stan::math::check_size_match("edge_sum", "receiver", receiver.size(), "sender", sender.size());
  stan::math::check_size_match("edge_sum", "weight", weight.size(), "sender", sender.size());
  check_indices("edge_sum", "sender", sender, n);
  check_indices("edge_sum", "receiver", receiver, n);

  const MatrixXd x = quads(stan::math::value_of(z));
  const auto& w = plain(weight);
  MatrixXd g;
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(x.rows(), n);
    const Listed edges = listed(form, sender, receiver, w, softening, x, g);
    value = standard ? logarithms<Standard>(form, edges.Q, edges) : wide_logarithms(edges);
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g.topRows(K).transpose(), K, operand(z), Data(), Data());
}

/* sum_{i != j} u_ij, u_ij = a_i b_j f(d_ij); logarithm: of log1p(u_ij); shared, too: of
 * log1p(u_ij + u_ji) over i < j; halves: over i, j in different halves, at different places */
template <typename Z, typename A, typename B>
stan::return_type_t<Z, A, B> kernel_sum(const Z& z, const A& log_a, const B& log_b,
                                        const int& logarithm, const int& shared,
                                        const int& halves, const double& softening,
                                        const int& form, std::ostream*) {
  const int n = z.rows(), K = z.cols();
  stan::math::check_bounded("kernel_sum", "form", form, 1, 3);
  stan::math::check_size_match("kernel_sum", "log_a", log_a.size(), "z", n);
  stan::math::check_size_match("kernel_sum", "log_b", log_b.size(), "z", n);
  MatrixXd x = with_phantoms(z, log_a, log_b), g;
  Sum sum = !logarithm ? Sum::plain : shared ? Sum::shared : Sum::log1p;
  double scale = 1;  // of data all equal, the product is left for the end
  if (is_data<A> && is_data<B> && form == 1 && !logarithm && n > 0
      && (x.col(K).head(n).array() == x(0, K)).all()
      && (x.col(K + 1).head(n).array() == x(0, K + 1)).all()) {
    sum = Sum::unit;
    scale = 2 * x(0, K) * x(0, K + 1);
    x.col(K).head(n).setOnes();
    x.col(K + 1).head(n).setConstant(0.5);
  }
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(n + lanes, K + 2);
    const int half = halves ? n / 2 : 0, end = halves ? half : n;
    const Rows rows{K, form, sum, half, 0, end, n, n + lanes, softening * softening, x.data(),
                    g.data()};
    value = standard ? pair_rows<Standard>(form, sum, rows) : pair_sum(rows);
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  if (sum == Sum::unit)
    g *= scale;
  return result(scale * value, g, K, operand(z), operand(log_a), operand(log_b));
}

/* sum_e weight_e u_e, or of log1p(u_e), or of log1p(u_e) - log f(d_e), over e = (s, r) with
 * u_e = (a_s b_r exp(log_charge_e) + back_e a_r b_s exp(back_log_charge_e)) f(d_e) */
template <typename Z, typename A, typename B, typename W, typename V, typename O, typename P>
stan::return_type_t<Z, A, B, O> charged_edge_sum(
    const Z& z, const A& log_a, const B& log_b, const Indices& sender, const Indices& receiver,
    const V& back, const W& weight, const O& log_charge, const P& back_log_charge,
    const int& term, const double& softening, const int& form, std::ostream*) {
  static_assert(is_data<V> && is_data<W>,
                "charged_edge_sum: back and weight must be data or transformed data");
  static_assert(is_data<O> == is_data<P>,
                "charged_edge_sum: log_charge and back_log_charge must be of one type");
  const char* function = "charged_edge_sum";
  const int n = z.rows(), K = z.cols(), E = sender.size(), log_charges = log_charge.size();
  stan::math::check_bounded(function, "term", term, 0, 2);
  stan::math::check_bounded(function, "form", form, 1, 3);
  stan::math::check_size_match(function, "log_a", log_a.size(), "z", n);
  stan::math::check_size_match(function, "log_b", log_b.size(), "z", n);
  stan::math::check_size_match(function, "receiver", receiver.size(), "sender", E);
  stan::math::check_size_match(function, "back", back.size(), "sender", E);
  stan::math::check_size_match(function, "weight", weight.size(), "sender", E);
  stan::math::check_size_match(function, "back_log_charge", back_log_charge.size(), "log_charge",
                               log_charges);
  if (log_charges > 0)
    stan::math::check_size_match(function, "log_charge", log_charges, "sender", E);
  if (E == 0)
    return 0;
  check_indices(function, "sender", sender, n);
  check_indices(function, "receiver", receiver, n);

  const MatrixXd x = quads(stan::math::value_of(z));
  const auto &w = plain(weight), &backs = plain(back);
  MatrixXd charges(2, n), own(log_charges, 2), g, pulls, charge_g, own_g(log_charges, 2);
  charges.row(0) = exponentials(log_a);
  charges.row(1) = exponentials(log_b);
  own.col(0) = exponentials(log_charge);
  own.col(1) = exponentials(back_log_charge);
  double value = 0;
  for (bool standard : {false, true}) {
    pulls = MatrixXd::Zero(x.rows(), n);
    charge_g = MatrixXd::Zero(2, n);
    const Listed dyads = listed(form, sender, receiver, w, softening, x, pulls);
    const double* own_charge = log_charges > 0 ? own.data() : nullptr;
    const OfPairs pairs{static_cast<Dyad>(term), backs.data(), own_charge, own_charge + log_charges,
                        reinterpret_cast<const Charges*>(charges.data()),
                        reinterpret_cast<Charges*>(charge_g.data()), own_g.data(),
                        own_g.data() + log_charges};
    value = standard ? charged<Standard>(form, pairs.term, dyads.Q, dyads, pairs)
                     : wide_charged(dyads, pairs);
    g.resize(n, K + 2);
    g.leftCols(K) = pulls.topRows(K).transpose();
    g.rightCols(2) = charge_g.transpose();
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g, K, operand(z), operand(log_a), operand(log_b))
         + result(0, own_g, 1, operand(log_charge), operand(back_log_charge), Data());
}

}  // namespace lsm

namespace Eigen {  // where argument-dependent lookup finds them, see above
using lsm::charged_edge_sum;
using lsm::edge_sum;
using lsm::kernel_sum;
using lsm::precondition;
}  // namespace Eigen

#include "unmark.hpp"
#endif
