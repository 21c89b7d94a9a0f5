/* Moves of nodes that NUTS does not find, each a Metropolis step that leaves the
 * posterior as it is.
 *
 * The model is that of latent_space.stan with no parameter but positions:
 *
 *     log p = sum_{pairs} s_ij log f(d_ij) - c_ij f(d_ij)  -  |z|^2 / (2 scale^2)
 *
 * (s_ij: weight of both directions; c_ij: observed cells). What changes with one
 * node is a sum over the others, so a move costs a hundredth of a gradient. Energies of all
 * nodes are kept, and changed where a move is accepted: one that is rejected takes the
 * sum after it alone.
 *
 * A turn takes m <= K neighbours of a node, chosen whatever the positions are, and
 * gives the node's offset from the plane (line, point) through them another
 * direction, uniform among all that are perpendicular to the plane. Distances from
 * the m neighbours stay. With m = K there are two directions: a reflection. A node
 * without neighbours turns about the origin.
 *
 * A jump moves a group of nodes as a rigid body: to y' = M y + t, or back to
 * y = M'(y' - t), with equal chances. The coordinates y are those of a frame that
 * lies on nodes outside the group (weighted Procrustes), hence is the same before
 * and after. Jumps are given, and fixed while sampling. Both kinds keep volumes and
 * propose the way back as often as the way there; the ratio of densities decides.
 */
#ifndef LSM_STAN_MOVES_HPP
#define LSM_STAN_MOVES_HPP

#include "../kernel/elementary.hpp"
#include "../kernel/vectorise.hpp"

#include <stan/math/prim/fun/Eigen.hpp>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_01.hpp>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace lsm_stan {

using Eigen::MatrixXd;
using Eigen::VectorXd;

/* Turns squared distances r2 into cells f, and returns their sum. */
LSM_WIDE double forms(int form, int n, double cells, double *__restrict r2) {
  LSM_REORDER
  double sum = 0;
  if (form == 1) {
    LSM_INDEPENDENT
    for (int j = 0; j < n; ++j)
      sum += r2[j] = cells * lsm::Vectorisable::rsqrt(r2[j]);
  } else {
    LSM_INDEPENDENT
    for (int j = 0; j < n; ++j)
      sum += r2[j] =
          cells * lsm::Vectorisable::exp(form == 2 ? -lsm::Vectorisable::sqrt(r2[j]) : -r2[j]);
  }
  return sum;
}

/* from: coordinates of a node, `stride` apart; z: those of all, n apart */
LSM_WIDE void squared_distances(int n, int K, long stride, double eps2, const double *from,
                                const double *z, double *__restrict r2) {
  LSM_REORDER
  LSM_INDEPENDENT
  for (int j = 0; j < n; ++j)
    r2[j] = eps2;
  for (int k = 0; k < K; ++k) {
    const double x = from[k * stride], *zk = z + k * n;
    LSM_INDEPENDENT
    for (int j = 0; j < n; ++j)
      r2[j] += (zk[j] - x) * (zk[j] - x);
  }
}

/* The orthogonal matrix nearest to a square one, its polar factor: scaled Newton steps,
 * each of which squares the error (Higham, SIAM J. Sci. Stat. Comput. 7, 1986). NaN if
 * the matrix is singular. */
template <typename Matrix>
Matrix nearest_orthogonal(Matrix X) {
  for (double change = 1; change > 1e-8;) {
    const Matrix inverse = X.inverse().transpose();
    const double scale = std::sqrt(inverse.norm() / X.norm());
    const Matrix next = 0.5 * (scale * X + inverse / scale);
    change = (next - X).norm();  // NaN ends it
    X = next;
  }
  return X;
}

/* Parts of a list: part k is [first[k], first[k + 1]). */
struct Parts {
  std::vector<int> first, node;
};

class Moves {
 public:
  /* data: what lsm_stan.inference.moves writes */
  template <typename Context>
  explicit Moves(const Context &data)
      : n_(data.vals_i("n_nodes")[0]),
        K_(data.vals_i("n_dims")[0]),
        form_(data.vals_i("form")[0]),
        sweeps_(data.vals_i("sweeps")[0]),
        tries_(data.vals_i("tries")[0]),
        cells_(data.vals_i("cells_per_pair")[0]),
        eps2_(std::pow(data.vals_r("softening")[0], 2)),
        precision_(std::pow(data.vals_r("prior_scale")[0], -2)),
        link_(parts(data, "link")),
        hidden_(parts(data, "hidden")),
        group_(parts(data, "group")),
        frame_(parts(data, "frame")),
        chance_(data.vals_r("chance")),
        link_weight_(data.vals_r("link_weight")),
        hidden_weight_(data.vals_r("hidden_weight")),
        frame_weight_(data.vals_r("frame_weight")),
        frame_place_(data.vals_r("frame_place")),
        turn_(data.vals_r("turn")),
        shift_(data.vals_r("shift")),
        energy_(n_),
        of_pair_(n_) {}

  int size() const { return n_ * K_; }
  int n_jumps() const { return group_.first.size() - 1; }

  /* Changes the positions q, by columns. */
  template <typename RNG>
  void operator()(VectorXd &q, RNG &rng) {
    z_ = Eigen::Map<const MatrixXd>(q.data(), n_, K_);
    accepted_turns_ = accepted_jumps_ = 0;
    for (int i = 0; i < n_; ++i)
      energy_[i] = energy(i);
    for (int sweep = 0; sweep < sweeps_; ++sweep)
      for (int i = 0; i < n_; ++i)
        accepted_turns_ += take({i}, turned(i, rng), rng);
    for (int t = 0; n_jumps() > 0 && t < tries_; ++t) {
      const double u = uniform(rng) * chance_.back();
      const int jump = std::upper_bound(chance_.begin(), chance_.end() - 1, u) - chance_.begin();
      accepted_jumps_ += take(members(jump), jumped(jump, uniform(rng) < 0.5), rng);
    }
    q = Eigen::Map<const VectorXd>(z_.data(), size());
  }

  int accepted_turns() const { return accepted_turns_; }
  int accepted_jumps() const { return accepted_jumps_; }

  // What moves are made of, in positions.
  MatrixXd &positions() { return z_; }

  std::vector<int> members(int jump) const {
    return {group_.node.begin() + group_.first[jump], group_.node.begin() + group_.first[jump + 1]};
  }

  /* Where a node turns to. */
  template <typename RNG>
  MatrixXd turned(int i, RNG &rng) const {
    boost::random::normal_distribution<double> normal;
    const VectorXd z = z_.row(i);
    const std::vector<int> about = neighbours(i, rng);
    const int m = about.size();
    VectorXd foot = VectorXd::Zero(K_);
    if (m > 0)
      foot = z_.row(about[0]);
    VectorXd offset = z - foot, direction(K_);
    if (m == K_)
      direction.setZero();
    else
      for (int k = 0; k < K_; ++k)
        direction[k] = normal(rng);
    MatrixXd plane(K_, std::max(m - 1, 0));  // orthonormal
    for (int l = 1; l < m; ++l) {
      VectorXd axis = z_.row(about[l]).transpose() - z_.row(about[0]).transpose();
      for (int again = 0; again < 2; ++again)
        axis -= plane.leftCols(l - 1) * (plane.leftCols(l - 1).transpose() * axis);
      plane.col(l - 1) = axis.normalized();
    }
    const VectorXd along = plane * (plane.transpose() * offset);
    offset -= along;
    direction -= plane * (plane.transpose() * direction);
    direction = m == K_ ? VectorXd(-offset) : VectorXd(direction.normalized() * offset.norm());
    return (foot + along + direction).transpose();
  }

  /* Where the group of a jump goes. */
  MatrixXd jumped(int jump, bool back) const {
    switch (K_) {
      case 1: return jumped<1>(jump, back);
      case 2: return jumped<2>(jump, back);
      case 3: return jumped<3>(jump, back);
      default: return jumped<Eigen::Dynamic>(jump, back);
    }
  }

  /* The energy that a node has with all others. */
  double energy(int i) {
    return 0.5 * precision_ * z_.row(i).squaredNorm() + pairs(i, z_.data() + i, n_);
  }

  /* Energies of all nodes where moves have left them. */
  const std::vector<double> &energies() const { return energy_; }

  /* Moves nodes, or leaves them: Metropolis. Pairs within the group, whose distances stay,
   * count twice before and after. */
  template <typename RNG>
  bool take(const std::vector<int> &nodes, const MatrixXd &to, RNG &rng) {
    MatrixXd from(nodes.size(), K_);
    for (size_t g = 0; g < nodes.size(); ++g) {
      from.row(g) = z_.row(nodes[g]);
      z_.row(nodes[g]) = to.row(g);
    }
    std::vector<double> after(nodes.size());
    double rise = 0;
    for (size_t g = 0; g < nodes.size(); ++g)
      rise += (after[g] = energy(nodes[g])) - energy_[nodes[g]];
    const bool accepted = std::log(1 - uniform(rng)) < -rise;  // false where it is NaN
    for (size_t g = 0; g < nodes.size(); ++g) {
      if (accepted) {
        add_pairs(nodes[g], from.data() + g, nodes.size(), -1);
        add_pairs(nodes[g], to.data() + g, nodes.size(), 1);
      } else {
        z_.row(nodes[g]) = from.row(g);
      }
    }
    for (size_t g = 0; accepted && g < nodes.size(); ++g)
      energy_[nodes[g]] = after[g];
    return accepted;
  }

 private:
  int n_, K_, form_, sweeps_, tries_, cells_, accepted_turns_ = 0, accepted_jumps_ = 0;
  double eps2_, precision_;
  Parts link_, hidden_, group_, frame_;
  std::vector<double> chance_;  // of jumps, added up
  std::vector<double> link_weight_, hidden_weight_, frame_weight_, frame_place_, turn_, shift_;
  MatrixXd z_;
  std::vector<double> energy_;   // of each node with all others
  std::vector<double> of_pair_;  // energies of the pairs of one node
  std::vector<double> log_form_;  // of its links

  /* Energies of the pairs of a node with all others, were it at a place; and their sum.
   * Coordinates of the place are `stride` apart. */
  double pairs(int i, const double *place, long stride) {
    squared_distances(n_, K_, stride, eps2_, place, z_.data(), of_pair_.data());
    of_pair_[i] = 1e200;  // no pair
    log_form_.clear();
    for (int l = link_.first[i]; l < link_.first[i + 1]; ++l)
      log_form_.push_back(log_form(of_pair_[link_.node[l]]));
    double sum = forms(form_, n_, cells_, of_pair_.data());
    for (int h = hidden_.first[i]; h < hidden_.first[i + 1]; ++h) {
      double &of_pair = of_pair_[hidden_.node[h]];
      const double hidden = of_pair * hidden_weight_[h] / cells_;
      of_pair -= hidden;
      sum -= hidden;
    }
    for (int l = link_.first[i]; l < link_.first[i + 1]; ++l) {
      const double attraction = link_weight_[l] * log_form_[l - link_.first[i]];
      of_pair_[link_.node[l]] -= attraction;
      sum -= attraction;
    }
    return sum;
  }

  /* Adds the pairs of a node at a place to the energies of the others, or takes them off. */
  void add_pairs(int i, const double *place, long stride, double sign) {
    pairs(i, place, stride);
    for (int j = 0; j < n_; ++j)
      energy_[j] += sign * of_pair_[j];
  }

  template <int K>
  MatrixXd jumped(int jump, bool back) const {
    using Vector = Eigen::Matrix<double, K, 1>;
    using Matrix = Eigen::Matrix<double, K, K>;
    const int start = frame_.first[jump], end = frame_.first[jump + 1];
    Vector centre = Vector::Zero(K_);  // weights add up to 1, weighted places to 0
    Matrix H = Matrix::Zero(K_, K_);
    for (int f = start; f < end; ++f) {
      const Vector z = frame_weight_[f] * z_.row(frame_.node[f]).transpose();
      centre += z;
      H.noalias() += z * Eigen::Map<const Vector>(&frame_place_[f * K_], K_).transpose();
    }
    const Matrix Q = nearest_orthogonal<Matrix>(H.transpose());  // into the frame
    const Eigen::Map<const Matrix> M(&turn_[jump * K_ * K_], K_, K_);
    const Eigen::Map<const Vector> t(&shift_[jump * K_], K_);
    const int first = group_.first[jump], size = group_.first[jump + 1] - first;
    MatrixXd to(size, K_);
    for (int g = 0; g < size; ++g) {
      const Vector z = z_.row(group_.node[first + g]).transpose(), y = Q * (z - centre);
      const Vector moved = back ? Vector(M.transpose() * (y - t)) : Vector(M * y + t);
      to.row(g) = (Q.transpose() * moved + centre).transpose();
    }
    return to;
  }

  template <typename Context>
  static Parts parts(const Context &data, const std::string &name) {
    return {data.vals_i(name + "_first"), data.vals_i(name + "_node")};
  }
  template <typename RNG>
  static double uniform(RNG &rng) {
    return boost::random::uniform_01<double>()(rng);
  }
  double log_form(double r2) const {
    return form_ == 1 ? -0.5 * std::log(r2) : form_ == 2 ? -std::sqrt(r2) : -r2;
  }

  /* Neighbours to turn about: as many as there are places for, or fewer; heavy links
   * more often. */
  template <typename RNG>
  std::vector<int> neighbours(int i, RNG &rng) const {
    std::vector<int> node(link_.node.begin() + link_.first[i],
                          link_.node.begin() + link_.first[i + 1]);
    std::vector<double> weight(link_weight_.begin() + link_.first[i],
                               link_weight_.begin() + link_.first[i + 1]);
    const int most = std::min<int>(node.size(), K_);
    const int m = uniform(rng) < 0.25 ? int(uniform(rng) * most) + 1 : most;
    for (int l = 0; l < std::min(m, most); ++l) {
      double left = 0;
      for (size_t j = l; j < node.size(); ++j)
        left += weight[j];
      left *= uniform(rng);
      size_t j = l;
      while (j + 1 < node.size() && (left -= weight[j]) > 0)
        ++j;
      std::swap(node[l], node[j]);
      std::swap(weight[l], weight[j]);
    }
    node.resize(std::min(m, most));
    return node;
  }
};

}  // namespace lsm_stan

#include "../kernel/unmark.hpp"
#endif
