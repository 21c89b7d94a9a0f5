/* A Euclidean metric of networks: its inverse is one covariance S of all nodes, the same
 * in each of K dimensions.
 *
 * Stan's dense metric would hold (N K)^2 numbers where N^2 tell all. A leapfrog step takes
 * one product with S, of the force: the velocity S p follows the momentum p from kick to
 * kick. Stan asks for the velocity of any momentum; that of one it goes back to is made
 * anew.
 *
 * Without S it is Stan's unit metric.
 */
#ifndef LSM_STAN_METRIC_HPP
#define LSM_STAN_METRIC_HPP

#include "../kernel/products.hpp"
#include "../kernel/vectorise.hpp"  // again: another header may have unmarked

#include <stan/callbacks/logger.hpp>
#include <stan/math/prim/fun/Eigen.hpp>
#include <stan/mcmc/hmc/hamiltonians/unit_e_metric.hpp>
#include <stan/mcmc/hmc/integrators/base_integrator.hpp>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace lsm_stan {

using Eigen::MatrixXd;
using Eigen::VectorXd;

/* y += S x. A matrix of floats takes half the time; sums are of doubles. */
LSM_WIDE void multiply_floats(int K, long n, const float *S, const double *x, double *y) {
  lsm::multiply_all<false>(K, n, S, x, y);
}

/* S, and what momenta are drawn by. */
class Covariance {
  long n_;
  Eigen::MatrixXf s_;
  MatrixXd upper_;  // S = upper' upper

 public:
  /* values: N x N, by columns */
  Covariance(long n, const std::vector<double> &values) : n_(n) {
    if (values.size() != static_cast<size_t>(n * n))
      throw std::invalid_argument("a covariance of " + std::to_string(n) + " nodes has "
                                  + std::to_string(n * n) + " numbers, not "
                                  + std::to_string(values.size()));
    s_ = Eigen::Map<const MatrixXd>(values.data(), n, n).cast<float>();
    const Eigen::LLT<MatrixXd> root(s_.cast<double>());
    if (root.info() != Eigen::Success)
      throw std::invalid_argument("the covariance of nodes is not positive definite");
    upper_ = root.matrixU();
  }

  /* S x, for each dimension of x */
  VectorXd times(const VectorXd &x) const {
    VectorXd y = VectorXd::Zero(x.size());
    multiply_floats(x.size() / n_, n_, s_.data(), x.data(), y.data());
    return y;
  }

  /* A draw of covariance 1 becomes one of covariance S^-1, a momentum. */
  void make_momentum(VectorXd &x) const {
    Eigen::Map<MatrixXd> columns(x.data(), n_, x.size() / n_);
    upper_.triangularView<Eigen::Upper>().solveInPlace(columns);
  }
};

/* The covariance of this process's chains; none at first. */
inline std::shared_ptr<const Covariance> &given_covariance() {
  static std::shared_ptr<const Covariance> covariance;
  return covariance;
}

template <class Model, class RNG>
class node_e_metric : public stan::mcmc::unit_e_metric<Model, RNG> {
  using Base = stan::mcmc::unit_e_metric<Model, RNG>;
  using Point = stan::mcmc::unit_e_point;

  std::shared_ptr<const Covariance> covariance_ = given_covariance();
  VectorXd momentum_, velocity_, force_, thrust_;  // velocity = S momentum, thrust = S force

 public:
  explicit node_e_metric(const Model &model)
      : Base(model),
        momentum_(VectorXd::Constant(model.num_params_r(), NAN)),  // equal to none
        force_(momentum_) {}

  double T(Point &z) { return covariance_ ? 0.5 * z.p.dot(velocity(z.p)) : Base::T(z); }

  double tau(Point &z) { return T(z); }

  double dG_dt(Point &z, stan::callbacks::logger &) { return 2 * T(z) - z.q.dot(z.g); }

  VectorXd dtau_dp(Point &z) { return velocity(z.p); }

  void sample_p(Point &z, RNG &rng) {
    Base::sample_p(z, rng);
    if (covariance_)
      covariance_->make_momentum(z.p);
  }

  const VectorXd &velocity(const VectorXd &p) {
    if (!covariance_)
      return p;
    if (momentum_ != p) {
      momentum_ = p;
      velocity_ = covariance_->times(p);
    }
    return velocity_;
  }

  /* p += time * force */
  void kick(VectorXd &p, const VectorXd &force, double time) {
    if (!covariance_) {
      p += time * force;
      return;
    }
    velocity(p);
    if (force_ != force) {
      force_ = force;
      thrust_ = covariance_->times(force);
    }
    velocity_ += time * thrust_;
    momentum_ = p += time * force;
  }
};

/* Stan's explicit leapfrog */
template <class Hamiltonian>
class node_leapfrog : public stan::mcmc::base_integrator<Hamiltonian> {
 public:
  void evolve(typename Hamiltonian::PointType &z, Hamiltonian &hamiltonian, const double epsilon,
              stan::callbacks::logger &logger) {
    hamiltonian.kick(z.p, z.g, -0.5 * epsilon);
    z.q += epsilon * hamiltonian.velocity(z.p);
    hamiltonian.update_potential_gradient(z, logger);
    hamiltonian.kick(z.p, z.g, -0.5 * epsilon);
  }

  void verbose_evolve(typename Hamiltonian::PointType &z, Hamiltonian &hamiltonian,
                      const double epsilon, stan::callbacks::logger &logger) {
    evolve(z, hamiltonian, epsilon, logger);
  }
};

}  // namespace lsm_stan

#include "../kernel/unmark.hpp"
#endif
