/* Sums over listed dyads: edges, hidden ones, those with charges of their own. */
#ifndef LSM_STAN_DYADS_HPP
#define LSM_STAN_DYADS_HPP

#include "elementary.hpp"

#include <stan/math/rev.hpp>
#include <algorithm>
#include <vector>

namespace lsm {

using Eigen::MatrixXd;
using Indices = std::vector<int>;

/* Four coordinates of a node, fetched and stored as one. */
typedef double Quad __attribute__((vector_size(32), aligned(8), may_alias));

/* At most `block` ordered dyads (s_e, r_e), indices from 1, with weights w_e. A
 * node's coordinates lie side by side in x and g, filled up to Q quads. */
struct Listed {
  int form;
  bool logarithm;  // F = log f, not f; of charged dyads: terms under log1p
  int Q, count;
  const int *s, *r;
  const double* w;
  double eps2;
  const Quad* x;
  Quad* g;
  double* F;  // out: F_e
};

LSM_INLINE void squared_distances(int Q, const Listed& dyads, double* r2) {
  LSM_REORDER
  const int *s = dyads.s, *r = dyads.r;
  const Quad* x = dyads.x - Q;
  for (int e = 0; e < dyads.count; ++e) {
    Quad sum = {dyads.eps2, 0, 0, 0};
    for (int q = 0; q < Q; ++q) {
      const Quad dz = x[long(s[e]) * Q + q] - x[long(r[e]) * Q + q];
      sum += dz * dz;
    }
    r2[e] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
  }
}

/* Adds c_e (z_r - z_s) to the gradient in z_s, the opposite to that in z_r. */
LSM_INLINE void pull(int Q, const Listed& dyads, const double* c) {
  const int *s = dyads.s, *r = dyads.r;
  const Quad* x = dyads.x - Q;
  Quad* g = dyads.g - Q;
  for (int q = 0; q < Q; ++q) {
    Quad gi = {};  // kept while the sender stays the same: edges are often sorted
    for (int e = 0; e < dyads.count; ++e) {
      const long i = long(s[e]) * Q + q, j = long(r[e]) * Q + q;
      const Quad step = c[e] * (x[i] - x[j]);
      gi -= step;
      g[j] += step;
      if (e + 1 == dyads.count || s[e + 1] != s[e]) {
        g[i] += gi;
        gi = Quad{};
      }
    }
  }
}

/* Returns sum_e w_e F_e; gradient in z_s  w_e c_e (z_r - z_s), opposite in z_r. */
template <typename Math>
LSM_INLINE double listed(int form, bool logarithm, int Q, const Listed& dyads) {
  LSM_REORDER
  const int count = dyads.count;
  const double* w = dyads.w;
  double *F = dyads.F, r2[block], c[block], total = 0;
  squared_distances(Q, dyads, r2);
  LSM_INDEPENDENT
  for (int e = 0; e < count; ++e) {
    evaluate<Math>(form, logarithm, r2[e], F[e], c[e]);
    total += w[e] * F[e];
    c[e] *= w[e];
  }
  pull(Q, dyads, c);
  return total;
}

/* The same for the terms w_e q_e f_e, or w_e log1p(q_e f_e), with charges q_e. Out: F_e, their
 * slope in q_e. */
template <typename Math>
LSM_INLINE double charged(int form, bool logarithm, const Listed& dyads, const double* q) {
  LSM_REORDER
  const int count = dyads.count, Q = dyads.Q;
  double *F = dyads.F, r2[block], c[block], total = 0;
  squared_distances(Q, dyads, r2);
  LSM_INDEPENDENT
  for (int e = 0; e < count; ++e) {
    double f;
    evaluate<Math>(form, false, r2[e], f, c[e]);
    const double u = q[e] * f, slope = logarithm ? dyads.w[e] / (1 + u) : dyads.w[e];
    total += dyads.w[e] * (logarithm ? Math::log1p(u) : u);
    F[e] = slope * f;
    c[e] *= slope * q[e];
  }
  pull(Q, dyads, c);
  return total;
}

struct Charged {
  template <int form, bool logarithm>
  static LSM_INLINE double run(const Listed& dyads, const double* q) {
    return charged<Vectorisable>(form, logarithm, dyads, q);
  }
};

struct ListedByForm {
  template <int form, bool logarithm>
  static LSM_INLINE double run(const Listed& dyads) {
    return listed<Vectorisable>(form, logarithm, 1, dyads);
  }
};

LSM_WIDE double wide_charged(const Listed& dyads, const double* q) {
  return dispatch<Charged>(dyads.form, dyads.logarithm, dyads, q);
}

LSM_WIDE double wide_listed(const Listed& dyads) {
  if (dyads.Q > 1)
    return listed<Vectorisable>(dyads.form, dyads.logarithm, dyads.Q, dyads);
  return dispatch<ListedByForm>(dyads.form, dyads.logarithm, dyads);
}

/* Do all indices lie in 1..n? */
LSM_WIDE bool within(const int* index, long count, int n) {
  unsigned outside = 0;
  for (long e = 0; e < count; ++e)
    outside |= unsigned(index[e]) - 1 >= unsigned(n);
  return outside == 0;
}

/* Positions as `listed` reads them: a column a node, filled up to quads. */
inline MatrixXd quads(const MatrixXd& z) {
  MatrixXd x = MatrixXd::Zero((z.cols() + 3) / 4 * 4, z.rows());
  x.topRows(z.cols()) = z.transpose();
  return x;
}

/* Listed dyads, block by block: asks weight(e) before, tells each(e, F_e) after. */
template <typename Weight, typename Each>
double listed_sum(bool standard, int form, bool logarithm, const Indices& s, const Indices& r,
                  double eps2, const MatrixXd& x, MatrixXd& g, const Weight& weight,
                  const Each& each) {
  double w[block], F[block], total = 0;
  const int E = s.size(), Q = x.rows() / 4;
  for (int start = 0; start < E; start += block) {
    const Listed dyads{form, logarithm, Q, std::min(block, E - start), &s[start], &r[start], w,
                       eps2, reinterpret_cast<const Quad*>(x.data()),
                       reinterpret_cast<Quad*>(g.data()), F};
    for (int e = 0; e < dyads.count; ++e)
      w[e] = weight(start + e);
    total += standard ? listed<Standard>(form, logarithm, Q, dyads) : wide_listed(dyads);
    for (int e = 0; e < dyads.count; ++e)
      each(start + e, F[e]);
  }
  return total;
}

}  // namespace lsm

#endif
