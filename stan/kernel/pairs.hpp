/* Sums over all pairs of nodes: loops over plain arrays, and the fastest that the
 * machine has.
 */
#ifndef LSM_STAN_PAIRS_HPP
#define LSM_STAN_PAIRS_HPP

#include "autodiff.hpp"
#include "elementary.hpp"
#include "rows.hpp"
#include "tiles.hpp"

#include <stan/math/rev.hpp>
#ifdef STAN_THREADS
#include <tbb/parallel_for.h>
#endif
#include <algorithm>

namespace lsm {

using Eigen::MatrixXd;

/* What the two directions of a pair add to a sum, of their u and v; see Sum. Afterwards u
 * and v are its slopes in their logarithms. */
template <typename Math>
LSM_INLINE double term(Sum sum, double& u, double& v) {
  double t = u + v;
  if (sum == Sum::unit || sum == Sum::plain)
    return t;
  if (sum == Sum::log1p) {  // (1 + u) (1 + v) = 1 + t
    const double both = u * v;
    t += both;
    u += both;
    v += both;
  }
  const double inverse = 1 / (1 + t);
  u *= inverse;
  v *= inverse;
  return Math::log1p(t);
}

/* Returns the sum over pairs; a block of pairs at a time, coordinate by coordinate. With
 * Math = Standard it is the loop for extreme numbers, and looks at no phantom. Gradient
 *   in z_i  sum_j c_ij (u_ij + v_ij) (z_j - z_i)    in log a_i  sum_j u_ij, log b_i likewise
 * with the slopes u and v. */
template <typename Math>
LSM_INLINE double pair_rows(int form, Sum sum, const Rows& rows) {
  LSM_REORDER
  const int K = rows.K;
  const long stride = rows.stride;
  const double *x = rows.x, *a = x + K * stride, *b = a + stride;
  double *g = rows.g, *ga = g + K * stride, *gb = ga + stride, total = 0;
  double r2[block], c[block];
  for (int i = rows.begin; i < rows.end; ++i)
    for (int start = rows.first(i); start < rows.n; start += block) {
      const int count = std::min(block, (rows.n - start + Math::lanes - 1) & -Math::lanes);
      std::fill(r2, r2 + count, rows.eps2);
      for (int k = 0; k < K; ++k) {
        const double *xj = x + k * stride + start, xi = x[k * stride + i];
        for (int j = 0; j < count; ++j)
          r2[j] += (xi - xj[j]) * (xi - xj[j]);
      }
      const int skip = rows.skipped(i) - start;
      if (skip >= 0 && skip < count)
        r2[skip] = Math::away;
      const double ai = a[i], bi = b[i], *aj = a + start, *bj = b + start;
      double *gaj = ga + start, *gbj = gb + start, gai = 0, gbi = 0, value = 0;
      LSM_INDEPENDENT
      for (int j = 0; j < count; ++j) {
        double f;
        evaluate<Math>(form, false, r2[j], f, c[j]);
        double u = ai * bj[j] * f, v = bi * aj[j] * f;
        value += term<Math>(sum, u, v);
        c[j] *= u + v;
        if (sum == Sum::unit)
          continue;
        gai += u;
        gbi += v;
        gaj[j] += v;
        gbj[j] += u;
      }
      total += value;
      ga[i] += gai;
      gb[i] += gbi;
      for (int k = 0; k < K; ++k) {
        const double *xj = x + k * stride + start, xi = x[k * stride + i];
        double *gj = g + k * stride + start, gi = 0;
        LSM_INDEPENDENT
        for (int j = 0; j < count; ++j) {
          const double step = c[j] * (xi - xj[j]);
          gi -= step;
          gj[j] += step;
        }
        g[k * stride + i] += gi;
      }
    }
  return total;
}

/* The same of the triangle for K given coordinates, all at once: faster where a pair costs
 * little. */
template <int K>
LSM_INLINE double pair_rows_of(int form, Sum sum, const Rows& rows) {
  LSM_REORDER
  const long stride = rows.stride;
  const double eps2 = rows.eps2, *x = rows.x, *a = x + K * stride, *b = a + stride;
  double *g = rows.g, *ga = g + K * stride, *gb = ga + stride, total = 0;
  for (int i = rows.begin; i < rows.end; ++i) {
    const double ai = a[i], bi = b[i];
    double z[K], gz[K], gai = 0, gbi = 0, value = 0;
    for (int k = 0; k < K; ++k) {
      z[k] = x[k * stride + i];
      gz[k] = 0;
    }
    const double *xj = x + i + 1, *aj = a + i + 1, *bj = b + i + 1;
    double *gj = g + i + 1, *gaj = ga + i + 1, *gbj = gb + i + 1;
    const int padded = (rows.n - i - 1 + lanes - 1) & -lanes;
    LSM_INDEPENDENT
    for (int j = 0; j < padded; ++j) {
      double dz[K], r2 = eps2, f, c;
      for (int k = 0; k < K; ++k) {
        dz[k] = z[k] - xj[k * stride + j];
        r2 += dz[k] * dz[k];
      }
      evaluate<Vectorisable>(form, false, r2, f, c);
      double u = ai * bj[j] * f, v = bi * aj[j] * f;
      value += term<Vectorisable>(sum, u, v);
      c *= u + v;
      for (int k = 0; k < K; ++k) {
        gz[k] -= c * dz[k];
        gj[k * stride + j] += c * dz[k];
      }
      if (sum == Sum::unit)
        continue;
      gai += u;
      gbi += v;
      gaj[j] += v;
      gbj[j] += u;
    }
    total += value;
    for (int k = 0; k < K; ++k)
      g[k * stride + i] += gz[k];
    ga[i] += gai;
    gb[i] += gbi;
  }
  return total;
}

/* Calls Loop<sum>::run<form>(rows). */
template <template <Sum> class Loop>
LSM_INLINE double by_sum(const Rows& rows) {
  switch (rows.sum) {
    case Sum::unit: return Loop<Sum::unit>::template run<1>(rows);
    case Sum::plain: return by_form<Loop<Sum::plain>>(rows.form, rows);
    case Sum::log1p: return by_form<Loop<Sum::log1p>>(rows.form, rows);
    default: return by_form<Loop<Sum::shared>>(rows.form, rows);
  }
}

template <Sum sum>
struct PairRows {
  template <int form>
  static LSM_INLINE double run(const Rows& rows) {
    const bool cheap = sum == Sum::unit || sum == Sum::plain;
    switch (cheap && rows.half == 0 ? rows.K : 0) {
      case 1: return pair_rows_of<1>(form, sum, rows);
      case 2: return pair_rows_of<2>(form, sum, rows);
      case 3: return pair_rows_of<3>(form, sum, rows);
      case 4: return pair_rows_of<4>(form, sum, rows);
      default: return pair_rows<Vectorisable>(form, sum, rows);
    }
  }
};

LSM_WIDE double wide_rows(const Rows& rows) { return by_sum<PairRows>(rows); }

/* The fastest loop that this machine has. */
inline double fastest_rows(const Rows& rows) {
#ifdef LSM_AVX512
  if (has_tiles(rows))
    return by_sum<Tiles>(rows);
#endif
  return wide_rows(rows);
}

/* All pairs. With STAN_THREADS the rows of a larger network are split into chunks
 * of equal numbers of pairs, which depend on n alone and whose results are added
 * in order: the sum does not depend on the number of threads. */
inline double pair_sum(const Rows& rows) {
#ifdef STAN_THREADS
  const int chunks = std::min(32, rows.n / 128);  // a chunk's g must cost less than its pairs
  if (chunks > 1) {
    const auto bound = [&](int t) {
      const double share = double(t) / chunks;
      const double row = rows.half > 0 ? rows.half * share : rows.n * (1 - std::sqrt(1 - share));
      return t < chunks ? int(row) & -lanes : rows.end;
    };
    const long size = rows.stride * (rows.K + 2);
    Eigen::VectorXd value(chunks);
    MatrixXd g(size, chunks);  // at once: malloc keeps one large block for the next call
    tbb::parallel_for(0, chunks, [&](int t) {
      g.col(t).setZero();
      Rows chunk = rows;
      chunk.begin = bound(t);
      chunk.end = bound(t + 1);
      chunk.g = g.col(t).data();
      value[t] = fastest_rows(chunk);
    });
    double total = 0;
    for (int t = 0; t < chunks; ++t) {
      total += value[t];
      Eigen::Map<Eigen::VectorXd>(rows.g, size) += g.col(t);
    }
    return total;
  }
#endif
  return fastest_rows(rows);
}

/* Positions and charges as `pair_rows` reads them. */
template <typename Z, typename A, typename B>
MatrixXd with_phantoms(const Z& z, const A& log_a, const B& log_b) {
  const int n = z.rows(), K = z.cols();
  MatrixXd x = MatrixXd::Zero(n + lanes, K + 2);
  x.topLeftCorner(n, K) = stan::math::value_of(z);
  x.col(K).head(n) = exponentials(log_a);
  x.col(K + 1).head(n) = exponentials(log_b);
  const double away = 1e20 * (1 + x.col(0).cwiseAbs().maxCoeff());
  x.col(0).tail(lanes).setLinSpaced(away, 2 * away);
  return x;
}

}  // namespace lsm

#endif
