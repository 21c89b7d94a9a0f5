/* Evaluates a model's log density and gradient where Stan's headers are there, but not
 * CmdStan's:
 *
 *     newest density DATA.json
 *
 * or samples as CmdStan does, with moves, 300 iterations after as many of warmup:
 *
 *     newest sample DATA.json MOVES.json OUTPUT
 *
 * MODEL_HPP is the C++ that stanc made of the program.
 */
#include MODEL_HPP

#include "methods/nuts.hpp"

#include <stan/callbacks/stream_logger.hpp>
#include <stan/callbacks/stream_writer.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/services/sample/hmc_nuts_unit_e_adapt.hpp>

#include "methods/density.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

/* By the service for any number of chains, which newer versions of CmdStan call: it copies
 * samplers. One chain: more would need Stan's threads. */
static int sample(stan::model::model_base &model, const char *moves, const char *output) {
  std::ifstream file(moves);
  stan::json::json_data data(file);
  lsm_stan::give_moves(data);
  std::ofstream csv(output);
  std::vector<stan::callbacks::stream_writer> draws;
  draws.emplace_back(csv);
  std::vector<stan::callbacks::writer> none(1), nothing(1);
  std::vector<stan::callbacks::structured_writer> metric(1);
  stan::callbacks::interrupt interrupt;
  stan::callbacks::stream_logger logger(std::cout, std::cout, std::cout, std::cerr, std::cerr);
  const std::vector<std::shared_ptr<stan::io::var_context>> inits(
      1, std::make_shared<stan::io::empty_var_context>());
  return stan::services::sample::hmc_nuts_unit_e_adapt(
      model, 1, inits, 1, 1, 2, 300, 300, 1, false, 0, 0.1, 0, 6, 0.9, 0.05, 0.75, 10, interrupt,
      logger, none, draws, nothing, metric);
}

int main(int argc, const char *argv[]) {
  try {
    if (argc != 3 && argc != 5)
      throw std::invalid_argument("usage: newest density DATA.json, or newest sample ...");
    std::ifstream file(argv[2]);
    stan::json::json_data data(file);
    stan::model::model_base &model = new_model(data, 0, &std::cerr);
    if (argc == 5)
      return sample(model, argv[3], argv[4]);
    lsm_stan::serve_density(model, std::cin, std::cout, std::cerr);
    return EXIT_SUCCESS;
  } catch (const std::exception &e) {
    std::cerr << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
