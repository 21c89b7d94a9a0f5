/* The main() that lsm-stan links its models with.
 *
 * It is CmdStan's own main, and does everything CmdStan does, with one more
 * method in front:
 *
 *     model log_prob_grad DATA.json POSITIONS OUTPUT
 *
 * evaluates the log density and its gradient at many positions;
 * methods/log_prob_grad.hpp says how they are written. CmdStan has a method log_prob since 2.31 only; it
 * prints decimals, and its users' usual way is a process a position. Here the
 * model reads its data once. An error goes to the error stream, and the exit code
 * is not 0.
 *
 * Its NUTS counts gradients, and can move nodes between transitions; methods/nuts.hpp
 * says how.
 */
#include "methods/nuts.hpp"  // before CmdStan makes samplers

#include <cmdstan/command.hpp>

#include "methods/log_prob_grad.hpp"

#include <cstdlib>
#include <iostream>
#include <string>

int main(int argc, const char *argv[]) {
  try {
    if (argc == 5 && std::string(argv[1]) == "log_prob_grad") {
      stan::math::init_threadpool_tbb();  // as CmdStan does; STAN_NUM_THREADS rules
      auto data = cmdstan::get_var_context(argv[2]);
      const unsigned int seed = 0;  // only a model that draws random numbers has use for it
      lsm_stan::log_prob_grad(new_model(*data, seed, &std::cout), argv[3], argv[4], std::cout);
      return EXIT_SUCCESS;
    }
    if (const char *moves = std::getenv("LSM_STAN_MOVES"))
      lsm_stan::given_moves().reset(new lsm_stan::Moves(*cmdstan::get_var_context(moves)));
    return cmdstan::command(argc, argv) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception &e) {
    std::cerr << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
