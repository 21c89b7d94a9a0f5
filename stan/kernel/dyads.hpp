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

/* Four coordinates of a node, or its two charges, fetched and stored as one. */
typedef double Quad __attribute__((vector_size(32), aligned(8), may_alias));
typedef double Charges __attribute__((vector_size(16), aligned(8), may_alias));

/* Ordered dyads (s_e, r_e), indices from 1, with weights w_e. A node's coordinates lie side
 * by side in x and g, filled up to Q quads. */
struct Listed {
  int form, Q, count;
  const int *s, *r;
  const double* w;
  double eps2;
  const Quad* x;
  Quad* g;

  // the next of them, at most a block
  LSM_INLINE Listed from(int start) const {
    Listed some = *this;
    some.count = count - start < block ? count - start : block;
    some.s += start;
    some.r += start;
    some.w += start;
    return some;
  }
};

/* What is summed over listed dyads, of t = u + v with
 *   u = a_s b_r own f    v = back a_r b_s own_back f */
enum class Dyad {
  plain,    // t
  log1p,    // log1p(t)
  observed  // log1p(t) - log f
};

/* What dyads under such sums have. Where there are no charges of the dyads themselves, own is
 * null. Out: gradients in logarithms of charges. */
struct OfPairs {
  Dyad term;
  const double *back, *own, *own_back;
  const Charges* charges;  // of each node a, b
  Charges* g;
  double *own_g, *own_back_g;
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

/* Adds c_e (z_r - z_s) to the gradient in z_s, the opposite to that in z_r; and charges, if
 * there are any, {u_e, v_e} to the gradient of s_e, {v_e, u_e} to that of r_e. */
LSM_INLINE void pull(int Q, const Listed& dyads, const double* c, const double* u = nullptr,
                     const double* v = nullptr, Charges* charges = nullptr) {
  const int *s = dyads.s, *r = dyads.r;
  const Quad* x = dyads.x - Q;
  Quad* g = dyads.g - Q;
  for (int q = 0; q < Q; ++q) {
    const bool charged = u && q == 0;
    Quad gi = {};  // kept while the sender stays the same: edges are often sorted
    Charges ci = {};
    for (int e = 0; e < dyads.count; ++e) {
      const long i = long(s[e]) * Q + q, j = long(r[e]) * Q + q;
      const Quad step = c[e] * (x[i] - x[j]);
      gi -= step;
      g[j] += step;
      if (charged) {
        ci += Charges{u[e], v[e]};
        charges[r[e] - 1] += Charges{v[e], u[e]};
      }
      if (e + 1 == dyads.count || s[e + 1] != s[e]) {
        g[i] += gi;
        gi = Quad{};
        if (charged) {
          charges[s[e] - 1] += ci;
          ci = Charges{};
        }
      }
    }
  }
}

/* Returns sum_e w_e log f_e; gradient in z_s  w_e c_e (z_r - z_s), opposite in z_r. */
template <typename Math>
LSM_INLINE double logarithms(int form, int Q, const Listed& all) {
  LSM_REORDER
  double r2[block], c[block], total = 0;
  for (int start = 0; start < all.count; start += block) {
    const Listed dyads = all.from(start);
    const double* w = dyads.w;
    squared_distances(Q, dyads, r2);
    LSM_INDEPENDENT
    for (int e = 0; e < dyads.count; ++e) {
      double f;
      evaluate<Math>(form, true, r2[e], f, c[e]);
      total += w[e] * f;
      c[e] *= w[e];
    }
    pull(Q, dyads, c);
  }
  return total;
}

/* Returns the sum over dyads, weighted. */
template <typename Math>
LSM_INLINE double charged(int form, Dyad term, int Q, const Listed& all,
                          const OfPairs& pairs) {
  LSM_REORDER
  double r2[block], c[block], u[block], v[block], total = 0;
  const Charges* charges = pairs.charges - 1;
  for (int start = 0; start < all.count; start += block) {
    const Listed dyads = all.from(start);
    const int count = dyads.count, *s = dyads.s, *r = dyads.r;
    const double *w = dyads.w, *back = pairs.back + start;
    for (int e = 0; e < count; ++e) {
      const Charges from = charges[s[e]], to = charges[r[e]];
      u[e] = from[0] * to[1];
      v[e] = from[1] * to[0];
    }
    if (pairs.own)
      for (int e = 0; e < count; ++e) {
        u[e] *= pairs.own[start + e];
        v[e] *= pairs.own_back[start + e];
      }
    squared_distances(Q, dyads, r2);
    LSM_INDEPENDENT
    for (int e = 0; e < count; ++e) {
      double f, log_f;
      evaluate<Math>(form, true, r2[e], log_f, c[e]);
      evaluate<Math>(form, false, r2[e], f, c[e]);
      u[e] *= f;
      v[e] *= back[e] * f;
      const double t = u[e] + v[e], slope = term == Dyad::plain ? w[e] : w[e] / (1 + t);
      double value = term == Dyad::plain ? t : Math::log1p(t);
      u[e] *= slope;
      v[e] *= slope;
      if (term == Dyad::observed) {
        value -= log_f;
        c[e] *= u[e] + v[e] - w[e];
      } else {
        c[e] *= u[e] + v[e];
      }
      total += w[e] * value;
    }
    pull(Q, dyads, c, u, v, pairs.g);
    if (pairs.own) {
      std::copy(u, u + count, pairs.own_g + start);
      std::copy(v, v + count, pairs.own_back_g + start);
    }
  }
  return total;
}

struct Logarithms {
  template <int form>
  static LSM_INLINE double run(const Listed& dyads) {
    return dyads.Q > 1 ? logarithms<Vectorisable>(form, dyads.Q, dyads)
                       : logarithms<Vectorisable>(form, 1, dyads);
  }
};

template <Dyad term>
struct ChargedDyads {
  template <int form>
  static LSM_INLINE double run(const Listed& dyads, const OfPairs& pairs) {
    return dyads.Q > 1 ? charged<Vectorisable>(form, term, dyads.Q, dyads, pairs)
                       : charged<Vectorisable>(form, term, 1, dyads, pairs);
  }
};

LSM_WIDE double wide_logarithms(const Listed& dyads) {
  return by_form<Logarithms>(dyads.form, dyads);
}

LSM_WIDE double wide_charged(const Listed& dyads, const OfPairs& pairs) {
  switch (pairs.term) {
    case Dyad::plain: return by_form<ChargedDyads<Dyad::plain>>(dyads.form, dyads, pairs);
    case Dyad::log1p: return by_form<ChargedDyads<Dyad::log1p>>(dyads.form, dyads, pairs);
    default: return by_form<ChargedDyads<Dyad::observed>>(dyads.form, dyads, pairs);
  }
}

/* Do all indices lie in 1..n? */
LSM_WIDE bool within(const int* index, long count, int n) {
  unsigned outside = 0;
  for (long e = 0; e < count; ++e)
    outside |= unsigned(index[e]) - 1 >= unsigned(n);
  return outside == 0;
}

/* Positions as they are read here: a column a node, filled up to quads. */
inline MatrixXd quads(const MatrixXd& z) {
  MatrixXd x = MatrixXd::Zero((z.cols() + 3) / 4 * 4, z.rows());
  x.topRows(z.cols()) = z.transpose();
  return x;
}

}  // namespace lsm

#endif
