/* Moves of stan/methods/moves.hpp, alone:
 *
 *     moves DATA.json POSITIONS OUTPUT SEED TIMES
 *
 * POSITIONS has rows of coordinates, doubles of this machine. OUTPUT: with TIMES > 0 each
 * row after that many rounds of all moves, and it fails where the energies that these keep
 * are not those of the positions; with TIMES = 0, for each row, where each node
 * turns to, then where the group of each jump goes, there and back, each followed by
 * the energies of these nodes before and after.
 */
#include "methods/moves.hpp"

#include <cmdstan/io/json/json_data.hpp>

#include <boost/random/mersenne_twister.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>

static void write(std::ofstream &output, const Eigen::MatrixXd &values) {
  output.write(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(double));
}

static double energy(lsm_stan::Moves &moves, const std::vector<int> &nodes) {
  double sum = 0;
  for (int i : nodes)
    sum += moves.energy(i);
  return sum;
}

static void propose(lsm_stan::Moves &moves, const std::vector<int> &nodes,
                    const Eigen::MatrixXd &to, std::ofstream &output) {
  const Eigen::MatrixXd before = moves.positions();
  Eigen::MatrixXd energies(2, 1);
  energies(0) = energy(moves, nodes);
  for (size_t g = 0; g < nodes.size(); ++g)
    moves.positions().row(nodes[g]) = to.row(g);
  energies(1) = energy(moves, nodes);
  moves.positions() = before;
  write(output, to);
  write(output, energies);
}

int main(int, char **argv) {
  std::ifstream json(argv[1]), positions(argv[2], std::ios::binary);
  cmdstan::json::json_data data(json);
  std::ofstream output(argv[3], std::ios::binary);
  boost::random::mt19937 rng(std::atoi(argv[4]));
  const int times = std::atoi(argv[5]), n = data.vals_i("n_nodes")[0];
  lsm_stan::Moves moves(data);
  Eigen::VectorXd q(moves.size());
  while (positions.read(reinterpret_cast<char *>(q.data()), q.size() * sizeof(double))) {
    for (int t = 0; t < times; ++t)
      moves(q, rng);
    if (times > 0) {
      for (int i = 0; i < n; ++i) {
        const double right = moves.energy(i);
        if (!(std::abs(moves.energies()[i] - right) < 1e-9 * (1 + std::abs(right))))
          return 1;
      }
      write(output, q);
      continue;
    }
    moves.positions() = Eigen::Map<Eigen::MatrixXd>(q.data(), n, q.size() / n);
    for (int i = 0; i < n; ++i)
      propose(moves, {i}, moves.turned(i, rng), output);
    for (int jump = 0; jump < moves.n_jumps(); ++jump)
      for (bool back : {false, true})
        propose(moves, moves.members(jump), moves.jumped(jump, back), output);
  }
}
