/* The main() that lsm-stan links its models with.
 *
 * It is CmdStan's own main, and does everything CmdStan does, with methods of ours in
 * front:
 *
 *     model density DATA.json     answers requests on the log density, read from standard
 *                                 input; methods/density.hpp says how they are written.
 *                                 CmdStan has a method log_prob since 2.31 only; it prints
 *                                 decimals, and reads the data anew for each call.
 *
 * Its NUTS counts gradients, and can move nodes between transitions; methods/nuts.hpp
 * says how.
 *
 * What a model prints goes to the error stream, as an error does; the exit code then is not 0.
 */
#include "methods/nuts.hpp"  // before CmdStan makes samplers

#include <cmdstan/command.hpp>

#include "methods/density.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

namespace {

/** The moves that lie beside a run's data: DATA.json.moves.json. */
std::string moves_file(int argc, const char *argv[]) {
  const std::string file = "file=";
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string next = argv[i + 1];
    if (std::string(argv[i]) == "data" && next.rfind(file, 0) == 0)
      return next.substr(file.size()) + ".moves.json";
  }
  return "";
}

}  // namespace

int main(int argc, const char *argv[]) {
  try {
    if (argc == 3 && std::string(argv[1]) == "density") {
      stan::math::init_threadpool_tbb();  // as CmdStan does; STAN_NUM_THREADS rules
      auto data = cmdstan::get_var_context(argv[2]);
      const unsigned int seed = 0;  // only a model that draws random numbers has use for it
      lsm_stan::serve_density(new_model(*data, seed, &std::cerr), std::cin, std::cout,
                              std::cerr);
      return EXIT_SUCCESS;
    }
    const std::string moves = moves_file(argc, argv);
    if (std::ifstream(moves).good())
      lsm_stan::give_moves(*cmdstan::get_var_context(moves));
    return cmdstan::command(argc, argv) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception &e) {
    std::cerr << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
