/* Answers requests on a model's log density, until there are no more.
 *
 * REQUEST   what it asks for (one of the Operations below), how many rows follow, how long
 *           they are (64-bit integers), then rows of unconstrained parameters (doubles)
 * ANSWER    how many seconds it took, reading and writing left out, then for each row
 *             log_prob        log density
 *             log_prob_grad   log density, then its gradient
 *             ascend          log density where L-BFGS ends, how many gradients it
 *                             took, then the parameters there
 *
 * ascend has a row more, in front, of LBFGS_OPTIONS numbers: how many iterations L-BFGS has
 * at most, how many it remembers, the length of its first step in gradients, and the gain of
 * an iteration, in nats, below which it ends.
 *
 * Numbers go in and out as the bytes of this machine's doubles, so they are exact to the last
 * bit. A request is read whole before it is answered, so neither side waits for the other.
 *
 * The log density is normalised (propto = false: no constant is dropped) and on the
 * unconstrained scale (jacobian = true), as in CmdStan's sampler. A position that the model
 * rejects (std::domain_error) has log density -infinity and a gradient of NaN; L-BFGS ends
 * there at once. Any other error is thrown.
 */
#ifndef LSM_STAN_DENSITY_HPP
#define LSM_STAN_DENSITY_HPP

#include <stan/model/log_prob_grad.hpp>
#include <stan/optimization/bfgs.hpp>

#include <chrono>
#include <cstdint>
#include <istream>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace lsm_stan {

enum Operation : std::int64_t { log_prob = 0, log_prob_grad = 1, ascend = 2 };

constexpr std::size_t LBFGS_OPTIONS = 4;

/* The log density at a position, and its gradient unless that is a null pointer. */
inline double log_density_at(const stan::model::model_base &model, Eigen::VectorXd &position,
                             Eigen::VectorXd *gradient, std::ostream &messages) {
  try {
    if (gradient)
      return stan::model::log_prob_grad<false, true>(model, position, *gradient, &messages);
    return model.log_prob_jacobian(position, &messages);
  } catch (const std::domain_error &) {
    if (gradient)
      gradient->setConstant(std::numeric_limits<double>::quiet_NaN());
    return -std::numeric_limits<double>::infinity();
  }
}

/* Climbs from a position by Stan's own L-BFGS; returns how many gradients it took. */
inline double ascend_from(stan::model::model_base &model, Eigen::VectorXd &position,
                          const std::vector<double> &options, std::ostream &messages) {
  using Search = stan::optimization::BFGSLineSearch<stan::model::model_base,
                                                    stan::optimization::LBFGSUpdate<>>;
  std::vector<double> start(position.data(), position.data() + position.size());
  try {
    Search search(model, start, std::vector<int>(), &messages);
    search._conv_opts.maxIts = options[0];
    search.get_qnupdate().set_history_size(options[1]);
    search._ls_opts.alpha0 = options[2];
    search._conv_opts.tolAbsF = options[3];
    search._conv_opts.tolRelF = search._conv_opts.tolRelGrad = 0;
    search._conv_opts.tolAbsX = search._conv_opts.tolAbsGrad = 0;
    while (search.step() == 0) {
    }
    position = search.curr_x();
    return search.grad_evals();
  } catch (const std::exception &error) {  // no finite density here
    messages << error.what() << std::endl;
    return 1;
  }
}

inline void serve_density(stan::model::model_base &model, std::istream &requests,
                          std::ostream &answers, std::ostream &messages) {
  const std::size_t n_params = model.num_params_r();
  if (n_params == 0)
    throw std::invalid_argument(model.model_name() + " has no parameters");
  const auto read = [&requests](std::vector<double> &numbers) {
    requests.read(reinterpret_cast<char *>(numbers.data()), numbers.size() * sizeof(double));
    if (!requests)
      throw std::invalid_argument("a request ends before it is whole");
  };
  Eigen::VectorXd position(n_params), gradient(n_params);
  std::int64_t head[3];
  while (requests.read(reinterpret_cast<char *>(head), sizeof head)) {
    const std::int64_t operation = head[0], n_rows = head[1];
    if (head[2] != static_cast<std::int64_t>(n_params))
      throw std::invalid_argument(model.model_name() + " has " + std::to_string(n_params)
                                  + " unconstrained parameters, not "
                                  + std::to_string(head[2]));
    std::vector<double> options(operation == ascend ? LBFGS_OPTIONS : 0);
    std::vector<double> rows(n_rows * n_params);
    read(options);
    read(rows);
    std::vector<double> answer(1);  // the seconds
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t row = 0; row < n_rows; ++row) {
      position = Eigen::Map<Eigen::VectorXd>(rows.data() + row * n_params, n_params);
      const double gradients
          = operation == ascend ? ascend_from(model, position, options, messages) : 0;
      answer.push_back(log_density_at(
          model, position, operation == log_prob_grad ? &gradient : nullptr, messages));
      if (operation == ascend)
        answer.push_back(gradients);
      if (operation != log_prob) {
        const Eigen::VectorXd &numbers = operation == ascend ? position : gradient;
        answer.insert(answer.end(), numbers.data(), numbers.data() + n_params);
      }
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    answer[0] = elapsed.count();
    answers.write(reinterpret_cast<const char *>(answer.data()),
                  answer.size() * sizeof(double));
    answers.flush();
  }
  if (requests.gcount() != 0)
    throw std::invalid_argument("a request ends before it is whole");
}

}  // namespace lsm_stan

#endif
