/* The main() that lsm-stan links its models with.
 *
 * It is CmdStan's own main, and does everything CmdStan does, with one more
 * method in front:
 *
 *     model log_prob_grad DATA.json POSITIONS OUTPUT
 *
 * evaluates the log density and its gradient at many positions in one process.
 * CmdStan has a method log_prob since 2.31 only; it prints decimals, and its
 * users' usual way is a process a position. Here numbers go in and out as the
 * bytes of doubles, so they are exact to the last bit, and the model reads its
 * data once.
 *
 * POSITIONS   rows of unconstrained parameters, doubles of this machine
 * OUTPUT      for each row: log density, then its gradient; same encoding
 *
 * and says how many seconds the evaluations took, reading and writing left out.
 *
 * The log density is normalised (propto = false: no constant is dropped) and
 * on the unconstrained scale (jacobian = true), as in CmdStan's sampler. A
 * position that the model rejects (std::domain_error) has log density -infinity
 * and a gradient of NaN. Any other error goes to the error stream and the exit
 * code is not 0.
 */
#include <cmdstan/command.hpp>

#include <stan/model/log_prob_grad.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <string>

namespace lsm_stan {

void log_prob_grad(const std::string &data_file,
                   const std::string &positions_file,
                   const std::string &output_file) {
  stan::math::init_threadpool_tbb();  // as CmdStan does; STAN_NUM_THREADS rules
  auto data = cmdstan::get_var_context(data_file);
  const unsigned int seed = 0;  // only a model that draws random numbers has use for it
  const stan::model::model_base &model = new_model(*data, seed, &std::cout);

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
          model, position, gradient, &std::cout);
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
  std::cout << elapsed.count() << " seconds" << std::endl;
}

}  // namespace lsm_stan

int main(int argc, const char *argv[]) {
  try {
    if (argc == 5 && std::string(argv[1]) == "log_prob_grad") {
      lsm_stan::log_prob_grad(argv[2], argv[3], argv[4]);
      return EXIT_SUCCESS;
    }
    return cmdstan::command(argc, argv) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception &e) {
    std::cerr << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
