/* Evaluates a model's log density and gradient where Stan's headers are there, but not
 * CmdStan's:
 *
 *     newest DATA.json POSITIONS OUTPUT
 *
 * MODEL_HPP is the C++ that stanc made of the program.
 */
#include MODEL_HPP

#include <stan/io/json/json_data.hpp>

#include "methods/log_prob_grad.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

int main(int argc, const char *argv[]) {
  try {
    if (argc != 4)
      throw std::invalid_argument("usage: newest DATA.json POSITIONS OUTPUT");
    std::ifstream file(argv[1]);
    stan::json::json_data data(file);
    lsm_stan::log_prob_grad(new_model(data, 0, &std::cout), argv[2], argv[3], std::cout);
    return EXIT_SUCCESS;
  } catch (const std::exception &e) {
    std::cerr << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
