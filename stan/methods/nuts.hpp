/* Stan's NUTS, with the moves of moves.hpp before each of its transitions, in the metric
 * of metric.hpp, and a count of its gradients.
 *
 * CmdStan runs it: its services make a unit_e_nuts<model_base, RNG>, or one of another
 * metric, with or without Stan's adaptation on top, and those are the classes below.
 * Arguments, warmup, files and messages are CmdStan's own. A file of moves and their
 * covariance, DATA.json.moves.json, may lie beside the data; it is for the unit metric
 * alone. Without it the draws are Stan's to the last bit.
 *
 * A column counts gradients since the start, warmup included. Two more say how many
 * turns and jumps were accepted before a draw. A draw's log density and energy are those
 * of NUTS, which comes last.
 */
#ifndef LSM_STAN_NUTS_HPP
#define LSM_STAN_NUTS_HPP

#include "metric.hpp"
#include "moves.hpp"

#include <stan/mcmc/hmc/nuts/dense_e_nuts.hpp>
#include <stan/mcmc/hmc/nuts/diag_e_nuts.hpp>
#include <stan/mcmc/hmc/nuts/unit_e_nuts.hpp>
#include <stan/model/model_base.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace lsm_stan {

/* The moves of this process; none at first. */
inline std::unique_ptr<Moves> &given_moves() {
  static std::unique_ptr<Moves> moves;
  return moves;
}

/* data: what lsm_stan.inference.moves writes */
template <typename Context>
void give_moves(const Context &data) {
  given_moves().reset(new Moves(data));
  given_covariance().reset(
      new Covariance(data.vals_i("n_nodes")[0], data.vals_r("covariance")));
}

template <template <class, class> class Metric, template <class> class Integrator, class RNG>
class counted_nuts
    : public stan::mcmc::base_nuts<stan::model::model_base, Metric, Integrator, RNG> {
  using Base = stan::mcmc::base_nuts<stan::model::model_base, Metric, Integrator, RNG>;
  double gradients_ = 0;

 public:
  using Base::Base;

  stan::mcmc::sample transition(stan::mcmc::sample &from, stan::callbacks::logger &logger) {
    stan::mcmc::sample to = Base::transition(from, logger);
    gradients_ += 1 + this->n_leapfrog_;
    return to;
  }

  void get_sampler_param_names(std::vector<std::string> &names) {
    Base::get_sampler_param_names(names);
    names.push_back("gradients__");
  }

  void get_sampler_params(std::vector<double> &values) {
    Base::get_sampler_params(values);
    values.push_back(gradients_);
  }
};

}  // namespace lsm_stan

namespace stan {
namespace mcmc {

template <class RNG>
class diag_e_nuts<model::model_base, RNG>
    : public lsm_stan::counted_nuts<diag_e_metric, expl_leapfrog, RNG> {
 public:
  using lsm_stan::counted_nuts<diag_e_metric, expl_leapfrog, RNG>::counted_nuts;
};

template <class RNG>
class dense_e_nuts<model::model_base, RNG>
    : public lsm_stan::counted_nuts<dense_e_metric, expl_leapfrog, RNG> {
 public:
  using lsm_stan::counted_nuts<dense_e_metric, expl_leapfrog, RNG>::counted_nuts;
};

template <class RNG>
class unit_e_nuts<model::model_base, RNG>
    : public lsm_stan::counted_nuts<lsm_stan::node_e_metric, lsm_stan::node_leapfrog, RNG> {
  using Base = lsm_stan::counted_nuts<lsm_stan::node_e_metric, lsm_stan::node_leapfrog, RNG>;
  std::shared_ptr<lsm_stan::Moves> moves_;  // its own; shared by copies that Stan makes first

 public:
  unit_e_nuts(const model::model_base &model, RNG &rng) : Base(model, rng) {
    if (!lsm_stan::given_moves())
      return;
    moves_.reset(new lsm_stan::Moves(*lsm_stan::given_moves()));
    if (moves_->size() != static_cast<int>(model.num_params_r()))
      throw std::invalid_argument("moves of " + std::to_string(moves_->size())
                                  + " coordinates, but " + model.model_name() + " has "
                                  + std::to_string(model.num_params_r()));
  }

  sample transition(sample &from, callbacks::logger &logger) {
    if (!moves_)
      return Base::transition(from, logger);
    Eigen::VectorXd q = from.cont_params();
    (*moves_)(q, this->rand_int_);
    sample moved(q, from.log_prob(), from.accept_stat());
    return Base::transition(moved, logger);
  }

  void get_sampler_param_names(std::vector<std::string> &names) {
    Base::get_sampler_param_names(names);
    if (moves_)
      names.insert(names.end(), {"turns__", "jumps__"});
  }

  void get_sampler_params(std::vector<double> &values) {
    Base::get_sampler_params(values);
    if (moves_)
      values.insert(values.end(), {static_cast<double>(moves_->accepted_turns()),
                                   static_cast<double>(moves_->accepted_jumps())});
  }
};

}  // namespace mcmc
}  // namespace stan

#endif
