/* Sums over all pairs of nodes: loops over plain arrays, and the fastest that the
 * machine has.
 */
#ifndef LSM_STAN_PAIRS_HPP
#define LSM_STAN_PAIRS_HPP

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

/* Returns sum_{i < j} w_ij f_ij with w_ij = a_i b_j + a_j b_i. Gradient
 *   in z_i  sum_j w_ij c_ij (z_j - z_i)    in a_i  sum_j b_j f_ij, b_i likewise */
template <int K, int form, bool charges>
LSM_INLINE double pair_rows(const Rows& rows) {
  LSM_REORDER
  const int n = rows.n, end = rows.end;
  const long stride = rows.stride;
  const double eps2 = rows.eps2, *x = rows.x, *a = x + K * stride, *b = a + stride;
  double *g = rows.g, *ga = g + K * stride, *gb = ga + stride, total = 0;
  for (int i = rows.begin; i < end; ++i) {
    const double ai = a[i], bi = b[i];
    double z[K], gz[K], gai = 0, gbi = 0, sum = 0;
    for (int k = 0; k < K; ++k) {
      z[k] = x[k * stride + i];
      gz[k] = 0;
    }
    const double *xj = x + i + 1, *aj = a + i + 1, *bj = b + i + 1;
    double *gj = g + i + 1, *gaj = ga + i + 1, *gbj = gb + i + 1;
    const int padded = (n - i - 1 + lanes - 1) & -lanes;
    LSM_INDEPENDENT
    for (int j = 0; j < padded; ++j) {
      double dz[K], r2 = eps2, f, c;
      for (int k = 0; k < K; ++k) {
        dz[k] = z[k] - xj[k * stride + j];
        r2 += dz[k] * dz[k];
      }
      evaluate<Vectorisable>(form, false, r2, f, c);
      const double w = ai * bj[j] + bi * aj[j];
      sum += w * f;
      c *= w;
      for (int k = 0; k < K; ++k) {
        gz[k] -= c * dz[k];
        gj[k * stride + j] += c * dz[k];
      }
      if (charges) {
        gai += bj[j] * f;
        gbi += aj[j] * f;
        gaj[j] += bi * f;
        gbj[j] += ai * f;
      }
    }
    total += sum;
    for (int k = 0; k < K; ++k)
      g[k * stride + i] += gz[k];
    ga[i] += gai;
    gb[i] += gbi;
  }
  return total;
}

/* The same for any K: one coordinate at a time over a block of pairs. With
 * Math = Standard also the loop for extreme numbers; it looks at no phantom. */
template <typename Math>
LSM_INLINE double pair_rows_any(int form, const Rows& rows) {
  LSM_REORDER
  const int K = rows.K;
  const long stride = rows.stride;
  const double *x = rows.x, *a = x + K * stride, *b = a + stride;
  double *g = rows.g, *ga = g + K * stride, *gb = ga + stride, total = 0;
  double r2[block], f[block], c[block];
  for (int i = rows.begin; i < rows.end; ++i)
    for (int start = i + 1; start < rows.n; start += block) {
      const int count = std::min(block, (rows.n - start + Math::lanes - 1) & -Math::lanes);
      std::fill(r2, r2 + count, rows.eps2);
      for (int k = 0; k < K; ++k) {
        const double *xj = x + k * stride + start, xi = x[k * stride + i];
        for (int j = 0; j < count; ++j)
          r2[j] += (xi - xj[j]) * (xi - xj[j]);
      }
      const double ai = a[i], bi = b[i], *aj = a + start, *bj = b + start;
      double *gaj = ga + start, *gbj = gb + start, gai = 0, gbi = 0, sum = 0;
      for (int j = 0; j < count; ++j)
        evaluate<Math>(form, false, r2[j], f[j], c[j]);
      LSM_INDEPENDENT
      for (int j = 0; j < count; ++j) {
        const double w = ai * bj[j] + bi * aj[j];
        sum += w * f[j];
        c[j] *= w;
        gai += bj[j] * f[j];
        gbi += aj[j] * f[j];
        gaj[j] += bi * f[j];
        gbj[j] += ai * f[j];
      }
      total += sum;
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

struct PairRows {
  template <int form, bool charges>
  static LSM_INLINE double run(const Rows& rows) {
    switch (rows.K) {
      case 1: return pair_rows<1, form, charges>(rows);
      case 2: return pair_rows<2, form, charges>(rows);
      case 3: return pair_rows<3, form, charges>(rows);
      case 4: return pair_rows<4, form, charges>(rows);
      default: return pair_rows_any<Vectorisable>(form, rows);
    }
  }
};

/* The log kernel sum, for any K and both kinds of Math, as above. With
 * u = a_i b_j f, v = a_j b_i f it returns sum_{i < j} log1p(u) + log1p(v), or
 * log1p(u + v) if shared: log1p(u + v + u v) but for the last term. */
template <typename Math>
LSM_INLINE double log1p_rows(int form, bool shared, const Rows& rows) {
  LSM_REORDER
  const int K = rows.K;
  const long stride = rows.stride;
  const double *x = rows.x, *a = x + K * stride, *b = a + stride;
  double *g = rows.g, *ga = g + K * stride, *gb = ga + stride, total = 0;
  double r2[block], c[block];
  for (int i = rows.begin; i < rows.end; ++i)
    for (int start = i + 1; start < rows.n; start += block) {
      const int count = std::min(block, (rows.n - start + Math::lanes - 1) & -Math::lanes);
      std::fill(r2, r2 + count, rows.eps2);
      for (int k = 0; k < K; ++k) {
        const double *xj = x + k * stride + start, xi = x[k * stride + i];
        for (int j = 0; j < count; ++j)
          r2[j] += (xi - xj[j]) * (xi - xj[j]);
      }
      const double ai = a[i], bi = b[i], *aj = a + start, *bj = b + start;
      double *gaj = ga + start, *gbj = gb + start, gai = 0, gbi = 0, sum = 0;
      LSM_INDEPENDENT
      for (int j = 0; j < count; ++j) {
        double f;
        evaluate<Math>(form, false, r2[j], f, c[j]);
        const double u = ai * bj[j] * f, v = bi * aj[j] * f;
        const double t = shared ? u + v : u + v + u * v, inverse = 1 / (1 + t);
        const double du = shared ? inverse : (1 + v) * inverse;
        const double dv = shared ? inverse : (1 + u) * inverse;
        sum += Math::log1p(t);
        c[j] *= du * ai * bj[j] + dv * bi * aj[j];
        gai += du * f * bj[j];
        gbi += dv * f * aj[j];
        gaj[j] += dv * f * bi;
        gbj[j] += du * f * ai;
      }
      total += sum;
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

struct Log1pRows {
  template <int form, bool shared>
  static LSM_INLINE double run(const Rows& rows) {
    return log1p_rows<Vectorisable>(form, shared, rows);
  }
};

LSM_WIDE double wide_rows(const Rows& rows) {
  return rows.log1p ? dispatch<Log1pRows>(rows.form, rows.shared, rows)
                    : dispatch<PairRows>(rows.form, rows.charges, rows);
}

template <typename Math>
double rows_any(const Rows& rows) {
  return rows.log1p ? log1p_rows<Math>(rows.form, rows.shared, rows)
                    : pair_rows_any<Math>(rows.form, rows);
}

/* The fastest loop that this machine has. */
inline double fastest_rows(const Rows& rows) {
#ifdef LSM_AVX512
  if (has_tiles(rows))
    return tiles(rows);
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
      return t < chunks ? int(rows.n * (1 - std::sqrt(1 - double(t) / chunks))) & -lanes : rows.n;
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
MatrixXd with_phantoms(const Z& z, const A& a, const B& b) {
  const int n = z.rows(), K = z.cols();
  MatrixXd x = MatrixXd::Zero(n + lanes, K + 2);
  x.topLeftCorner(n, K) = stan::math::value_of(z);
  x.col(K).head(n) = stan::math::value_of(a);
  x.col(K + 1).head(n) = stan::math::value_of(b);
  const double away = 1e90 * (1 + x.col(0).cwiseAbs().maxCoeff());
  x.col(0).tail(lanes).setLinSpaced(away, 2 * away);
  return x;
}

}  // namespace lsm

#endif
