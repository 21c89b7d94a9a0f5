/* The sums over pairs of nodes, and the change of variables, in C++ with
 * analytic gradients: what pair_sums.stan declares and what
 * ../functions/pair_sums.stan defines in the Stan language.
 *
 * Notation. d_ij = sqrt(|z_i - z_j|^2 + eps^2), F the distance form f or its
 * logarithm, and c(d) = -F'(d) / d, so that  d F(d_ij) / d z_i = c (z_j - z_i).
 *
 *     form    f           c             log f      c of log f
 *     1       1 / d       1 / d^3       -log d     1 / d^2
 *     2       exp(-d)     exp(-d) / d   -d         1 / d
 *     3       exp(-d^2)   2 exp(-d^2)   -d^2       2
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
  MatrixXd g;
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(x.rows(), n);
    value = listed_sum(standard, form, true, sender, receiver, softening * softening, x, g,
                       [&](int e) { return weight.coeff(e); }, [](int, double) {});
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g.topRows(K).transpose(), K, operand(z), Data(), Data());
}

/* sum_{i != j} a_i b_j f(d_ij) - sum_h a_s b_r f(d_sr) over hidden h = (s, r) */
template <typename Z, typename A, typename B>
stan::return_type_t<Z, A, B> kernel_sum(const Z& z, const A& a, const B& b,
                                        const Indices& hidden_sender,
                                        const Indices& hidden_receiver, const double& softening,
                                        const int& form, std::ostream*) {
  const int n = z.rows(), K = z.cols();
  const Indices &s = hidden_sender, &r = hidden_receiver;
  stan::math::check_bounded("kernel_sum", "form", form, 1, 3);
  stan::math::check_size_match("kernel_sum", "a", a.size(), "z", n);
  stan::math::check_size_match("kernel_sum", "b", b.size(), "z", n);
  stan::math::check_size_match("kernel_sum", "hidden_receiver", r.size(), "hidden_sender",
                               s.size());
  check_indices("kernel_sum", "hidden_sender", s, n);
  check_indices("kernel_sum", "hidden_receiver", r, n);

  MatrixXd x = with_phantoms(z, a, b), g;
  const bool charges = !is_data<A> || !is_data<B>;
  double scale = 1;  // of data all equal, the product is left for the end
  const bool equal = !charges && n > 0 && (x.col(K).head(n).array() == x(0, K)).all()
                     && (x.col(K + 1).head(n).array() == x(0, K + 1)).all();
  if (equal) {
    scale = 2 * x(0, K) * x(0, K + 1);
    x.col(K).head(n).setOnes();
    x.col(K + 1).head(n).setConstant(0.5);
  }
  const double eps2 = softening * softening;
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(n + lanes, K + 2);
    const Rows rows{K, form, charges, equal, 0, n, n, n + lanes, eps2, x.data(), g.data()};
    value = standard ? rows_any<Standard>(rows) : pair_sum(rows);
    if (!s.empty()) {
      const MatrixXd nodes = quads(x.topLeftCorner(n, K));
      MatrixXd hidden = MatrixXd::Zero(nodes.rows(), n);
      value += listed_sum(
          standard, form, false, s, r, eps2, nodes, hidden,
          [&](int h) { return -x(s[h] - 1, K) * x(r[h] - 1, K + 1); },
          [&](int h, double f) {
            if (!charges)
              return;
            g(s[h] - 1, K) -= x(r[h] - 1, K + 1) * f;
            g(r[h] - 1, K + 1) -= x(s[h] - 1, K) * f;
          });
      g.topLeftCorner(n, K) += hidden.topRows(K).transpose();
    }
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  if (equal)
    g *= scale;
  return result(scale * value, g, K, operand(z), operand(a), operand(b));
}

/* sum_{i != j} log1p(a_i b_j f(d_ij)), or, shared, sum_{i < j} log1p((a_i b_j + a_j b_i) f(d_ij)) */
template <typename Z, typename A, typename B>
stan::return_type_t<Z, A, B> log1p_kernel_sum(const Z& z, const A& a, const B& b,
                                              const double& softening, const int& form,
                                              const int& shared, std::ostream*) {
  const int n = z.rows(), K = z.cols();
  stan::math::check_bounded("log1p_kernel_sum", "form", form, 1, 3);
  stan::math::check_size_match("log1p_kernel_sum", "a", a.size(), "z", n);
  stan::math::check_size_match("log1p_kernel_sum", "b", b.size(), "z", n);
  const MatrixXd x = with_phantoms(z, a, b);
  MatrixXd g;
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(n + lanes, K + 2);
    const Rows rows{K, form, true, false, 0, n, n, n + lanes, softening * softening, x.data(),
                    g.data(), true, shared != 0};
    value = standard ? rows_any<Standard>(rows) : pair_sum(rows);
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g, K, operand(z), operand(a), operand(b));
}

/* sum_e weight_e q_e f(d_e), or weight_e log1p(q_e f(d_e)), over e = (s, r) with
 * q_e = a_s b_r exp(log_charge_e) + back_e a_r b_s exp(back_log_charge_e) */
template <typename Z, typename A, typename B, typename W, typename V, typename O, typename P>
stan::return_type_t<Z, A, B, O> charged_edge_sum(
    const Z& z, const A& a, const B& b, const Indices& sender, const Indices& receiver,
    const V& back, const W& weight, const O& log_charge, const P& back_log_charge,
    const double& softening, const int& form, const int& logarithm, std::ostream*) {
  static_assert(is_data<V> && is_data<W>,
                "charged_edge_sum: back and weight must be data or transformed data");
  static_assert(is_data<O> == is_data<P>,
                "charged_edge_sum: log_charge and back_log_charge must be of one type");
  const char* function = "charged_edge_sum";
  const int n = z.rows(), K = z.cols(), E = sender.size(), log_charges = log_charge.size();
  stan::math::check_bounded(function, "form", form, 1, 3);
  stan::math::check_size_match(function, "a", a.size(), "z", n);
  stan::math::check_size_match(function, "b", b.size(), "z", n);
  stan::math::check_size_match(function, "receiver", receiver.size(), "sender", E);
  stan::math::check_size_match(function, "back", back.size(), "sender", E);
  stan::math::check_size_match(function, "weight", weight.size(), "sender", E);
  stan::math::check_size_match(function, "back_log_charge", back_log_charge.size(), "log_charge",
                               log_charges);
  if (log_charges > 0)
    stan::math::check_size_match(function, "log_charge", log_charges, "sender", E);
  check_indices(function, "sender", sender, n);
  check_indices(function, "receiver", receiver, n);

  const MatrixXd x = quads(stan::math::value_of(z));
  const Eigen::VectorXd A_ = stan::math::value_of(a), B_ = stan::math::value_of(b);
  const Eigen::ArrayXd own = stan::math::value_of(log_charge).array().exp(),
                       reverse = stan::math::value_of(back_log_charge).array().exp();
  MatrixXd g, pulls, log_charge_g;
  double value = 0;
  for (bool standard : {false, true}) {
    value = 0;
    g = MatrixXd::Zero(n, K + 2);
    pulls = MatrixXd::Zero(x.rows(), n);
    log_charge_g = MatrixXd::Zero(log_charges, 2);
    for (int start = 0; start < E; start += block) {
      double w[block], q[block], slope[block];
      const Listed terms{form, logarithm != 0, int(x.rows() / 4), std::min(block, E - start),
                         &sender[start], &receiver[start], w, softening * softening,
                         reinterpret_cast<const Quad*>(x.data()),
                         reinterpret_cast<Quad*>(pulls.data()), slope};
      const auto there = [&](int e) { return log_charges > 0 ? own[start + e] : 1.0; };
      const auto again = [&](int e) {
        return back.coeff(start + e) * (log_charges > 0 ? reverse[start + e] : 1.0);
      };
      for (int e = 0; e < terms.count; ++e) {
        const int s = terms.s[e] - 1, r = terms.r[e] - 1;
        w[e] = weight.coeff(start + e);
        q[e] = there(e) * A_[s] * B_[r] + again(e) * A_[r] * B_[s];
      }
      value += standard ? charged<Standard>(form, logarithm, terms, q) : wide_charged(terms, q);
      for (int e = 0; e < terms.count; ++e) {
        const int s = terms.s[e] - 1, r = terms.r[e] - 1;
        const double one = there(e) * slope[e], other = again(e) * slope[e];
        g(s, K) += one * B_[r];
        g(r, K + 1) += one * A_[s];
        g(r, K) += other * B_[s];
        g(s, K + 1) += other * A_[r];
        if (log_charges > 0) {
          log_charge_g(start + e, 0) = one * A_[s] * B_[r];
          log_charge_g(start + e, 1) = other * A_[r] * B_[s];
        }
      }
    }
    g.leftCols(K) = pulls.topRows(K).transpose();
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g, K, operand(z), operand(a), operand(b))
         + result(0, log_charge_g, 1, operand(log_charge), operand(back_log_charge), Data());
}

}  // namespace lsm

namespace Eigen {  // where argument-dependent lookup finds them, see above
using lsm::charged_edge_sum;
using lsm::edge_sum;
using lsm::kernel_sum;
using lsm::log1p_kernel_sum;
using lsm::precondition;
}  // namespace Eigen

#include "unmark.hpp"
#endif
