/* The log density and gradient of a model at many positions, in one process.
 *
 * POSITIONS   rows of unconstrained parameters, doubles of this machine
 * OUTPUT      for each row: log density, then its gradient; same encoding
 *
 * Numbers go in and out as the bytes of doubles, so they are exact to the last
 * bit.
 *
 * The log density is normalised (propto = false: no constant is dropped) and
 * on the unconstrained scale (jacobian = true), as in CmdStan's sampler. A
 * position that the model rejects (std::domain_error) has log density -infinity
 * and a gradient of NaN. Any other error is thrown.
 */
#ifndef LSM_STAN_LOG_PROB_GRAD_HPP
#define LSM_STAN_LOG_PROB_GRAD_HPP

#include <stan/model/log_prob_grad.hpp>

#include <chrono>
#include <fstream>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>

namespace lsm_stan {

/* Says on `messages` what the model prints, then how many seconds the evaluations
 * took, reading and writing left out. */
inline void log_prob_grad(const stan::model::model_base &model,
                          const std::string &positions_file,
                          const std::string &output_file,
                          std::ostream &messages) {
  std::ifstream positions(positions_file, std::ios::binary);
  if (!positions)
    throw std::invalid_argument("cannot read " + positions_file);
  std::ofstream output(output_file, std::ios::binary);

  if (model.num_params_r() == 0)
    throw std::invalid_argument(model.model_name() + " has no parameters");
  Eigen::VectorXd position(model.num_params_r());
  Eigen::VectorXd gradient(position.size());
  const std::streamsize bytes = position.size() * sizeof(double);
  std::chrono::duration<double> elapsed{0};
  while (positions.read(reinterpret_cast<char *>(position.data()), bytes)) {
    double log_density;
    const auto start = std::chrono::steady_clock::now();
    try {
      log_density = stan::model::log_prob_grad<false, true>(
          model, position, gradient, &messages);
    } catch (const std::domain_error &) {
      log_density = -std::numeric_limits<double>::infinity();
      gradient.setConstant(std::numeric_limits<double>::quiet_NaN());
    }
    elapsed += std::chrono::steady_clock::now() - start;
    output.write(reinterpret_cast<const char *>(&log_density), sizeof(double));
    output.write(reinterpret_cast<const char *>(gradient.data()), bytes);
  }
  if (positions.gcount() != 0)
    throw std::invalid_argument(
        positions_file + " does not hold whole rows of "
        + std::to_string(position.size()) + " unconstrained parameters");
  output.close();
  if (!output)
    throw std::runtime_error("cannot write " + output_file);
  messages << elapsed.count() << " seconds" << std::endl;
}

}  // namespace lsm_stan

#endif
