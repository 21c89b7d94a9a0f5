/* Evaluates a model's log density and gradient where Stan's headers are there, but not
 * CmdStan's:
 *
 *     newest density DATA.json
 *
 * MODEL_HPP is the C++ that stanc made of the program.
 */
#include MODEL_HPP

#include <stan/io/json/json_data.hpp>

#include "methods/density.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

int main(int argc, const char *argv[]) {
  try {
    if (argc != 3)
      throw std::invalid_argument("usage: newest density DATA.json");
    std::ifstream file(argv[2]);
    stan::json::json_data data(file);
    lsm_stan::serve_density(new_model(data, 0, &std::cerr), std::cin, std::cout, std::cerr);
    return EXIT_SUCCESS;
  } catch (const std::exception &e) {
    std::cerr << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
