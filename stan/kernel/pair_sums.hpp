/* The sums over pairs of nodes, and the change of variables, in C++ with
 * analytic gradients: what pair_sums.stan declares and what
 * ../functions/pair_sums.stan defines in the Stan language.
 *
 * Notation. d_ij = sqrt(|z_i - z_j|^2 + eps^2), F the distance form f or its
 * logarithm, and c(d) = -F'(d) / d, so that  d F(d_ij) / d z_i = c (z_j - z_i).
 *
 *     form    f           c             log f      c of log f
 *     1       1 / d       1 / d^3       -log d     1 / d^2
 *     2       exp(-d)     exp(-d) / d   -d         1 / d
 *     3       exp(-d^2)   2 exp(-d^2)   -d^2       2
 *
 * Method. The loops that carry the cost are free functions over plain arrays
 * (section 2). They alone are compiled for wider vector units, of which the
 * widest is chosen when the program starts, and may add in any order. They use
 * the square root, exponential and logarithm of section 1, which vectorise and
 * are exact to a few units in the last place for numbers of ordinary size, but
 * know nothing of poles. A result that is not of ordinary size is therefore
 * computed again by the same formulas with the standard library, which treats
 * zero, infinity and NaN as the reference does. Where two nodes coincide and
 * eps = 0, form 1 is infinite and its gradient NaN; form 2 has its cusp, where
 * the pair's gradient is 0, the mean of those on either side.
 *
 * Lookup. CmdStan 2.27 to 2.31 declare the functions as templates in the
 * model's namespace, later releases not at all. Either way the call finds those
 * below through the namespace Eigen of its arguments. They win over the declared
 * ones because they fix the type of softening, or bind a variable without const;
 * no name of a model enters. Matrices and vectors are any dense expression of
 * double or var: CmdStan passes Matrix, Map or Map<const>, by its version.
 */
#ifndef LSM_STAN_PAIR_SUMS_HPP
#define LSM_STAN_PAIR_SUMS_HPP

#include <stan/math/rev.hpp>
#ifdef STAN_THREADS
#include <tbb/parallel_for.h>
#endif
#if defined(__x86_64__) && defined(__GLIBC__)
#include <immintrin.h>
#endif
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <type_traits>
#include <vector>

// LSM_WIDE marks a function to compile once for every width of vector unit, where
// the dynamic linker can choose (x86-64, glibc). LSM_REORDER lets it reorder
// sums, which vectorises them; NaN and infinity keep their meaning.
// LSM_INDEPENDENT promises that iterations write to different places. With
// LSM_PORTABLE defined every machine runs the plain loops that those without wide
// vector units run, so that they can be tested on any.
#if defined(__clang__)
#define LSM_INLINE __attribute__((always_inline)) inline
#define LSM_REORDER _Pragma("clang fp reassociate(on)")
#define LSM_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define LSM_OPTIMIZE
#pragma clang diagnostic push  // not every clone of every loop vectorises
#pragma clang diagnostic ignored "-Wpass-failed"
#else
#define LSM_OPTIMIZE \
  optimize("O3", "no-math-errno", "no-trapping-math", "no-signed-zeros", "associative-math")
#define LSM_INLINE __attribute__((always_inline, LSM_OPTIMIZE)) inline
#define LSM_REORDER
#define LSM_INDEPENDENT _Pragma("GCC ivdep")
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(LSM_PORTABLE)
#define LSM_X86
#endif
#if !defined(LSM_X86) || (defined(__clang__) && __clang_major__ < 14)
#define LSM_WIDE __attribute__((LSM_OPTIMIZE)) static
#elif defined(__clang__) || __GNUC__ < 12
#define LSM_WIDE \
  __attribute__((target_clones("avx512f", "avx2", "default"), LSM_OPTIMIZE)) static
#else
#define LSM_WIDE \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), LSM_OPTIMIZE)) static
#endif

// LSM_AVX512 marks functions written for those vector units, which are called only
// where they are. There are registers enough for loops that the compiler reorders.
#ifdef LSM_X86
#ifdef __clang__
#define LSM_AVX512 __attribute__((target("avx512f")))
#else
#define LSM_AVX512 __attribute__((target("avx512f"), optimize("O3", "schedule-insns")))
#endif
#endif

namespace lsm {

using Eigen::MatrixXd;
using stan::math::var;
using Indices = std::vector<int>;

constexpr int lanes = 8;    // doubles in the widest vector unit, divides block
constexpr int block = 256;  // pairs at a time where intermediate results are stored

// ---------------------------------------------------------------------------
// 1. Elementary functions: vectorisable ones, and the standard library's.

template <typename To, typename From>
LSM_INLINE To bits(From from) {
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

/* No branches, calls or tables; relative error about 1e-15 for arguments of
 * ordinary size (for sums and gradients below 1e100 nothing else occurs). */
struct Vectorisable {
  static constexpr int lanes = lsm::lanes;
  // Halving the bits of x as an integer halves its exponent: a first y = x^(-1/2)
  // within 3.5 %. A minimax cubic in x y^2 - 1 brings it to 8e-7, two terms of
  // the series of (1 - h)^(-1/2), h = 1 - x y^2, to full precision. At x = 0, y^2
  // overflows and the result is NaN: hence the brackets.
  static LSM_INLINE double rsqrt(double x) {
    double y = bits<double>(0x5fe6eb50c7b537a9u - (bits<uint64_t>(x) >> 1));
    const double u = x * (y * y) - 1;
    y *= 0.999999253614034
         + u * (-0.5000004234159765 + u * (0.37627901898114163 + u * -0.3130540859450361));
    const double h = 1 - x * (y * y);
    return y + y * h * (0.5 + 0.375 * h);
  }
  static LSM_INLINE double inverse_distance(double x) { return rsqrt(x); }
  static LSM_INLINE double sqrt(double x) { return x * rsqrt(x); }

  // x <= 0. x = k log 2 + r, |r| <= log(2) / 2, exp(r) by a minimax polynomial.
  // Where 2^k would leave the normal range, its exponent field, hence it, is 0.
  static LSM_INLINE double exp(double x) {
    x = x < -709.2 ? -709.2 : x;
    const double k = std::floor(x * 1.4426950408889634 + 0.5);
    const double r = x - k * 0.6931471803691238 - k * 1.9082149292705877e-10;
    double p = 2.5298623077803883e-08;
    p = (p * r + 2.764812881122254e-07) * r + 2.755676765429513e-06;
    p = (p * r + 2.480145791175592e-05) * r + 0.00019841270251545347;
    p = (p * r + 0.0013888888960452224) * r + 0.00833333333324684;
    p = (p * r + 0.041666666666536435) * r + 0.16666666666666627;
    p = ((p * r + 0.5) * r + 1) * r + 1;
    // + 2^52 + 2^51 + 1023 leaves k + 1023 in the low bits
    return p * bits<double>(bits<uint64_t>(k + 6755399441056767.0) << 52);
  }

  // x = 2^k m, sqrt(1/2) <= m < sqrt(2); log m = 2 atanh(s), s = (m - 1) / (m + 1),
  // by the minimax polynomial in s^2 of Sun's fdlibm.
  // 1 / x, which takes the same division, is 2^-k / m.
  static LSM_INLINE void log(double x, double& log, double& inverse) {
    const uint64_t biased  // k + 1023
        = (bits<uint64_t>(x) - 0x3fe6a09e667f3bcdu + 0x3ff0000000000000u) >> 52;
    const double k = bits<double>(biased | 0x4330000000000000u) - 4503599627371519.0;
    const double scale = bits<double>((2046 - biased) << 52);
    const double m = x * scale, q = 1 / (m * (m + 1));
    log = log_of(k, (m - 1) * m * q);
    inverse = (m + 1) * q * scale;
  }
  // log(1 + x), x >= 0: the same, but where k = 0 it is x itself that m exceeds 1 by.
  static LSM_INLINE double log1p(double x) {
    const uint64_t biased
        = (bits<uint64_t>(1 + x) - 0x3fe6a09e667f3bcdu + 0x3ff0000000000000u) >> 52;
    const double k = bits<double>(biased | 0x4330000000000000u) - 4503599627371519.0;
    const double m = (1 + x) * bits<double>((2046 - biased) << 52);
    const double r = k == 0 ? x : m - 1;
    return log_of(k, r / (r + 2));
  }
  // log(2^k (1 + s) / (1 - s))
  static LSM_INLINE double log_of(double k, double s) {
    const double t = s * s;
    double p = 0.14798198605116586;
    p = (p * t + 0.15313837699209373) * t + 0.1818357216161805;
    p = (p * t + 0.22222198432149784) * t + 0.2857142874366239;
    p = (p * t + 0.3999999999940942) * t + 0.6666666666666735;
    return k * 0.6931471805599453 + (2 * s + s * t * p);
  }
};

struct Standard {
  static constexpr int lanes = 1;
  static double rsqrt(double x) { return 1 / std::sqrt(x); }
  static double inverse_distance(double x) { return x == 0 ? 0 : rsqrt(x); }
  static double sqrt(double x) { return std::sqrt(x); }
  static double exp(double x) { return std::exp(x); }
  static void log(double x, double& log, double& inverse) {
    log = std::log(x);
    inverse = 1 / x;
  }
  static double log1p(double x) { return std::log1p(x); }
};

/* F and c at the squared distance r2. */
template <typename Math>
LSM_INLINE void evaluate(int form, bool logarithm, double r2, double& F, double& c) {
  if (form == 1 && logarithm) {
    Math::log(r2, F, c);
    F *= -0.5;
  } else if (form == 1) {
    F = Math::rsqrt(r2);
    c = F * F * F;
  } else if (form == 2) {
    const double d = Math::sqrt(r2), inverse = Math::inverse_distance(r2);
    F = logarithm ? -d : Math::exp(-d);
    c = logarithm ? inverse : inverse * F;
  } else {
    F = logarithm ? -r2 : Math::exp(-r2);
    c = logarithm ? 2 : 2 * F;
  }
}

// ---------------------------------------------------------------------------
// 2. Loops over plain arrays.

/* Rows begin <= i < end of the triangle of pairs i < j < n. The columns of x are
 * K coordinates, then the charges a and b; those of g the gradient in them.
 * After the n nodes come `lanes` phantoms without charge, away from all nodes:
 * rows are rounded up to whole vectors, which saves a scalar tail to each. */
struct Rows {
  int K, form;
  bool charges;  // is the gradient in a and b wanted?
  bool equal;    // is every w_ij = 1?
  int begin, end, n;
  long stride;
  double eps2;
  const double* x;
  double* g;
  bool log1p = false;   // the log kernel sum
  bool shared = false;  // its two directions of a pair under one logarithm
};

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

#ifdef LSM_AVX512
/* The same for form 1 with AVX-512, whose first y = x^(-1/2) is within 2^-14: three
 * terms of the series in h = 1 - x y^2 follow. A tile is eight rows from i against
 * eight columns from j, a vector each; the columns are read and written once. */
typedef double Octet __attribute__((vector_size(64), aligned(8), may_alias));

template <int K, bool charges, bool equal, bool diagonal>
LSM_AVX512 __attribute__((always_inline)) inline void tile(const Rows& rows, int i, int j,
                                                           Octet (&gi)[lanes][K + 2],
                                                           Octet& total) {
  const long stride = rows.stride;
  const double *xi = rows.x + i, *ai = xi + K * stride, *bi = ai + stride;
  Octet xj[K + 2], gj[K + 2];
  for (int k = 0; k < K + 2; ++k) {
    xj[k] = *reinterpret_cast<const Octet*>(rows.x + k * stride + j);
    gj[k] = *reinterpret_cast<const Octet*>(rows.g + k * stride + j);
  }
  const Octet aj = xj[K], bj = xj[K + 1];
#pragma GCC unroll 8
  for (int r = 0; r < lanes; ++r) {
    Octet dz[K], r2 = Octet{} + rows.eps2;
    for (int k = 0; k < K; ++k) {
      dz[k] = xi[k * stride + r] - xj[k];
      r2 += dz[k] * dz[k];
    }
    const Octet y = _mm512_rsqrt14_pd(r2), h = 1 - r2 * y * y;
    Octet f = y + y * h * (0.5 + h * (0.375 + h * 0.3125));
    if (diagonal)  // j > i only
      f = _mm512_maskz_mov_pd(0xfe << r, f);
    const Octet wf = equal ? f : (ai[r] * bj + bi[r] * aj) * f, c = wf * (f * f);
    total += wf;
    for (int k = 0; k < K; ++k) {
      gi[r][k] -= c * dz[k];
      gj[k] += c * dz[k];
    }
    if (charges) {
      gi[r][K] += bj * f;
      gi[r][K + 1] += aj * f;
      gj[K] += bi[r] * f;
      gj[K + 1] += ai[r] * f;
    }
  }
  for (int k = 0; k < (charges ? K + 2 : K); ++k)
    *reinterpret_cast<Octet*>(rows.g + k * stride + j) = gj[k];
}

template <int K, bool charges, bool equal>
LSM_AVX512 double tiles(const Rows& rows) {
  Octet total = {};
  for (int i = rows.begin; i < rows.end; i += lanes) {
    Octet gi[lanes][K + 2] = {};
    tile<K, charges, equal, true>(rows, i, i, gi, total);
    for (int j = i + lanes; j < rows.n; j += lanes)
      tile<K, charges, equal, false>(rows, i, j, gi, total);
    for (int r = 0; r < lanes; ++r)
      for (int k = 0; k < (charges ? K + 2 : K); ++k)
        rows.g[k * rows.stride + i + r] += _mm512_reduce_add_pd(gi[r][k]);
  }
  return _mm512_reduce_add_pd(total);
}

template <bool charges, bool equal>
double tiles_of(const Rows& rows) {
  switch (rows.K) {
    case 1: return tiles<1, charges, equal>(rows);
    case 2: return tiles<2, charges, equal>(rows);
    case 3: return tiles<3, charges, equal>(rows);
    default: return tiles<4, charges, equal>(rows);
  }
}
#endif

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

template <int form, bool charges>
LSM_INLINE double pair_rows_of(const Rows& rows) {
  switch (rows.K) {
    case 1: return pair_rows<1, form, charges>(rows);
    case 2: return pair_rows<2, form, charges>(rows);
    case 3: return pair_rows<3, form, charges>(rows);
    case 4: return pair_rows<4, form, charges>(rows);
    default: return pair_rows_any<Vectorisable>(form, rows);
  }
}

LSM_WIDE double wide_pair_rows(const Rows& rows) {
  switch (2 * rows.form + rows.charges) {
    case 2: return pair_rows_of<1, false>(rows);
    case 3: return pair_rows_of<1, true>(rows);
    case 4: return pair_rows_of<2, false>(rows);
    case 5: return pair_rows_of<2, true>(rows);
    case 6: return pair_rows_of<3, false>(rows);
    default: return pair_rows_of<3, true>(rows);
  }
}

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

LSM_WIDE double wide_log1p_rows(const Rows& rows) {
  switch (2 * rows.form + rows.shared) {
    case 2: return log1p_rows<Vectorisable>(1, false, rows);
    case 3: return log1p_rows<Vectorisable>(1, true, rows);
    case 4: return log1p_rows<Vectorisable>(2, false, rows);
    case 5: return log1p_rows<Vectorisable>(2, true, rows);
    case 6: return log1p_rows<Vectorisable>(3, false, rows);
    default: return log1p_rows<Vectorisable>(3, true, rows);
  }
}

inline double wide_rows(const Rows& rows) {
  return rows.log1p ? wide_log1p_rows(rows) : wide_pair_rows(rows);
}

template <typename Math>
double rows_any(const Rows& rows) {
  return rows.log1p ? log1p_rows<Math>(rows.form, rows.shared, rows)
                    : pair_rows_any<Math>(rows.form, rows);
}

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

LSM_WIDE double wide_charged(const Listed& dyads, const double* q) {
  switch (2 * dyads.form + dyads.logarithm) {
    case 2: return charged<Vectorisable>(1, false, dyads, q);
    case 3: return charged<Vectorisable>(1, true, dyads, q);
    case 4: return charged<Vectorisable>(2, false, dyads, q);
    case 5: return charged<Vectorisable>(2, true, dyads, q);
    case 6: return charged<Vectorisable>(3, false, dyads, q);
    default: return charged<Vectorisable>(3, true, dyads, q);
  }
}

LSM_WIDE double wide_listed(const Listed& dyads) {
  if (dyads.Q > 1)
    return listed<Vectorisable>(dyads.form, dyads.logarithm, dyads.Q, dyads);
  switch (2 * dyads.form + dyads.logarithm) {
    case 2: return listed<Vectorisable>(1, false, 1, dyads);
    case 3: return listed<Vectorisable>(1, true, 1, dyads);
    case 4: return listed<Vectorisable>(2, false, 1, dyads);
    case 5: return listed<Vectorisable>(2, true, 1, dyads);
    case 6: return listed<Vectorisable>(3, false, 1, dyads);
    default: return listed<Vectorisable>(3, true, 1, dyads);
  }
}

/* y += C x, or y += C' x, for K <= 4 vectors of n numbers. C, n x n by columns,
 * does not fit the nearest cache: it streams past once, P columns at a time. */
template <int K, bool transposed>
LSM_INLINE void multiply(long n, const double* __restrict C, const double* __restrict x,
                         double* __restrict y) {
  LSM_REORDER
  constexpr int P = K < 4 ? 8 : 4;
  for (long j = 0; j < n; j += P) {
    const double* column[P];
    double xj[P][K], yj[P][K] = {};
    for (int p = 0; p < P; ++p) {
      column[p] = C + std::min(j + p, n - 1) * n;
      for (int k = 0; k < K; ++k)
        xj[p][k] = j + p < n ? x[k * n + j + p] : 0;
    }
    LSM_INDEPENDENT
    for (long i = 0; i < n; ++i)
      for (int k = 0; k < K; ++k)
        for (int p = 0; p < P; ++p)
          if (transposed)
            yj[p][k] += column[p][i] * x[k * n + i];
          else
            y[k * n + i] += column[p][i] * xj[p][k];
    for (int p = 0; transposed && p < P && j + p < n; ++p)
      for (int k = 0; k < K; ++k)
        y[k * n + j + p] += yj[p][k];
  }
}

LSM_WIDE void wide_multiply(bool transposed, int K, long n, const double* C, const double* x,
                            double* y) {
  for (; K > 0; K -= 4, x += 4 * n, y += 4 * n)
    switch (std::min(K, 4) + 4 * transposed) {
      case 1: multiply<1, false>(n, C, x, y); break;
      case 2: multiply<2, false>(n, C, x, y); break;
      case 3: multiply<3, false>(n, C, x, y); break;
      case 4: multiply<4, false>(n, C, x, y); break;
      case 5: multiply<1, true>(n, C, x, y); break;
      case 6: multiply<2, true>(n, C, x, y); break;
      case 7: multiply<3, true>(n, C, x, y); break;
      default: multiply<4, true>(n, C, x, y);
    }
}

/* Is the result of ordinary size? It is not if a position is NaN or infinite, or
 * if two nodes (all but) coincide where F has a pole. */
LSM_WIDE bool ordinary(double value, const double* g, long count) {
  LSM_REORDER
  double sum = std::fabs(value);
  for (long e = 0; e < count; ++e)
    sum += std::fabs(g[e]);
  return sum < 1e100;
}

/* Do all indices lie in 1..n? */
LSM_WIDE bool within(const int* index, long count, int n) {
  unsigned outside = 0;
  for (long e = 0; e < count; ++e)
    outside |= unsigned(index[e]) - 1 >= unsigned(n);
  return outside == 0;
}

// ---------------------------------------------------------------------------
// 3. One evaluation, in double.

/* The fastest loop that this machine has. */
inline double fastest_rows(const Rows& rows) {
#ifdef LSM_AVX512
  if (rows.form == 1 && rows.K <= 4 && !rows.log1p && __builtin_cpu_supports("avx512f"))
    return rows.charges ? tiles_of<true, false>(rows)
           : rows.equal ? tiles_of<false, true>(rows)
                        : tiles_of<false, false>(rows);
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

// ---------------------------------------------------------------------------
// 4. Arguments and results.

inline void check_indices(const char* function, const char* name, const Indices& index, int n) {
  if (!within(index.data(), index.size(), n))  // Stan's own check costs more, and says which one
    stan::math::check_bounded(function, name, index, 1, n);
}

/* What an argument leaves for the reverse pass: a parameter its adjoint, data
 * nothing. */
struct Data {};
template <typename T>
constexpr bool is_data = std::is_same<stan::scalar_type_t<T>, double>::value;
template <typename T, std::enable_if_t<is_data<T>>* = nullptr>
Data operand(const T&) { return {}; }
template <typename T, std::enable_if_t<!is_data<T>>* = nullptr>
auto operand(const T& x) { return stan::math::to_arena(x); }

template <typename G>
void add_adjoint(Data&, double, const G&, int) {}
template <typename T, typename G>
void add_adjoint(T& x, double adjoint, const G& g, int column) {
  x.adj() += adjoint * g.block(0, column, x.rows(), x.cols());
}

/* The result of a sum: a number, or a var that hands its adjoint on to the
 * operands, times the gradient in the columns of g. */
template <typename G>
double result(double value, const G&, int, Data, Data, Data) { return value; }
template <typename G, typename Z, typename A, typename B>
var result(double value, const G& gradient, int K, Z z, A a, B b) {
  const stan::arena_t<MatrixXd> g = gradient;
  return stan::math::make_callback_var(value, [g, K, z, a, b](auto& vi) mutable {
    add_adjoint(z, vi.adj_, g, 0);
    add_adjoint(a, vi.adj_, g, K);
    add_adjoint(b, vi.adj_, g, K + 1);
  });
}

// ---------------------------------------------------------------------------
// 5. The functions of the Stan program; arguments as in pair_sums.stan.

/* sum_e weight_e log f(d_e) over the edges e = (sender_e, receiver_e) */
template <typename Z, typename W>
stan::return_type_t<Z> edge_sum(const Z& z, const Indices& sender, const Indices& receiver,
                                const W& weight, const double& softening, const int& form,
                                std::ostream*) {
  static_assert(is_data<W>, "edge_sum: weight must be data or transformed data");
  const int n = z.rows(), K = z.cols();
  stan::math::check_bounded("edge_sum", "form", form, 1, 3);
  stan::math::check_size_match("edge_sum", "receiver", receiver.size(), "sender", sender.size());
  stan::math::check_size_match("edge_sum", "weight", weight.size(), "sender", sender.size());
  check_indices("edge_sum", "sender", sender, n);
  check_indices("edge_sum", "receiver", receiver, n);

  const MatrixXd x = quads(stan::math::value_of(z));
  MatrixXd g;
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(x.rows(), n);
    value = listed_sum(standard, form, true, sender, receiver, softening * softening, x, g,
                       [&](int e) { return weight.coeff(e); }, [](int, double) {});
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g.topRows(K).transpose(), K, operand(z), Data(), Data());
}

/* sum_{i != j} a_i b_j f(d_ij) - sum_h a_s b_r f(d_sr) over hidden h = (s, r) */
template <typename Z, typename A, typename B>
stan::return_type_t<Z, A, B> kernel_sum(const Z& z, const A& a, const B& b,
                                        const Indices& hidden_sender,
                                        const Indices& hidden_receiver, const double& softening,
                                        const int& form, std::ostream*) {
  const int n = z.rows(), K = z.cols();
  const Indices &s = hidden_sender, &r = hidden_receiver;
  stan::math::check_bounded("kernel_sum", "form", form, 1, 3);
  stan::math::check_size_match("kernel_sum", "a", a.size(), "z", n);
  stan::math::check_size_match("kernel_sum", "b", b.size(), "z", n);
  stan::math::check_size_match("kernel_sum", "hidden_receiver", r.size(), "hidden_sender",
                               s.size());
  check_indices("kernel_sum", "hidden_sender", s, n);
  check_indices("kernel_sum", "hidden_receiver", r, n);

  MatrixXd x = with_phantoms(z, a, b), g;
  const bool charges = !is_data<A> || !is_data<B>;
  double scale = 1;  // of data all equal, the product is left for the end
  const bool equal = !charges && n > 0 && (x.col(K).head(n).array() == x(0, K)).all()
                     && (x.col(K + 1).head(n).array() == x(0, K + 1)).all();
  if (equal) {
    scale = 2 * x(0, K) * x(0, K + 1);
    x.col(K).head(n).setOnes();
    x.col(K + 1).head(n).setConstant(0.5);
  }
  const double eps2 = softening * softening;
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(n + lanes, K + 2);
    const Rows rows{K, form, charges, equal, 0, n, n, n + lanes, eps2, x.data(), g.data()};
    value = standard ? rows_any<Standard>(rows) : pair_sum(rows);
    if (!s.empty()) {
      const MatrixXd nodes = quads(x.topLeftCorner(n, K));
      MatrixXd hidden = MatrixXd::Zero(nodes.rows(), n);
      value += listed_sum(
          standard, form, false, s, r, eps2, nodes, hidden,
          [&](int h) { return -x(s[h] - 1, K) * x(r[h] - 1, K + 1); },
          [&](int h, double f) {
            if (!charges)
              return;
            g(s[h] - 1, K) -= x(r[h] - 1, K + 1) * f;
            g(r[h] - 1, K + 1) -= x(s[h] - 1, K) * f;
          });
      g.topLeftCorner(n, K) += hidden.topRows(K).transpose();
    }
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  if (equal)
    g *= scale;
  return result(scale * value, g, K, operand(z), operand(a), operand(b));
}

/* sum_{i != j} log1p(a_i b_j f(d_ij)), or, shared, sum_{i < j} log1p((a_i b_j + a_j b_i) f(d_ij)) */
template <typename Z, typename A, typename B>
stan::return_type_t<Z, A, B> log1p_kernel_sum(const Z& z, const A& a, const B& b,
                                              const double& softening, const int& form,
                                              const int& shared, std::ostream*) {
  const int n = z.rows(), K = z.cols();
  stan::math::check_bounded("log1p_kernel_sum", "form", form, 1, 3);
  stan::math::check_size_match("log1p_kernel_sum", "a", a.size(), "z", n);
  stan::math::check_size_match("log1p_kernel_sum", "b", b.size(), "z", n);
  const MatrixXd x = with_phantoms(z, a, b);
  MatrixXd g;
  double value = 0;
  for (bool standard : {false, true}) {
    g = MatrixXd::Zero(n + lanes, K + 2);
    const Rows rows{K, form, true, false, 0, n, n, n + lanes, softening * softening, x.data(),
                    g.data(), true, shared != 0};
    value = standard ? rows_any<Standard>(rows) : pair_sum(rows);
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g, K, operand(z), operand(a), operand(b));
}

/* sum_e weight_e q_e f(d_e), or weight_e log1p(q_e f(d_e)), over e = (s, r) with
 * q_e = a_s b_r exp(log_charge_e) + back_e a_r b_s exp(back_log_charge_e) */
template <typename Z, typename A, typename B, typename W, typename V, typename O, typename P>
stan::return_type_t<Z, A, B, O> charged_edge_sum(
    const Z& z, const A& a, const B& b, const Indices& sender, const Indices& receiver,
    const V& back, const W& weight, const O& log_charge, const P& back_log_charge,
    const double& softening, const int& form, const int& logarithm, std::ostream*) {
  static_assert(is_data<V> && is_data<W>,
                "charged_edge_sum: back and weight must be data or transformed data");
  static_assert(is_data<O> == is_data<P>,
                "charged_edge_sum: log_charge and back_log_charge must be of one type");
  const char* function = "charged_edge_sum";
  const int n = z.rows(), K = z.cols(), E = sender.size(), log_charges = log_charge.size();
  stan::math::check_bounded(function, "form", form, 1, 3);
  stan::math::check_size_match(function, "a", a.size(), "z", n);
  stan::math::check_size_match(function, "b", b.size(), "z", n);
  stan::math::check_size_match(function, "receiver", receiver.size(), "sender", E);
  stan::math::check_size_match(function, "back", back.size(), "sender", E);
  stan::math::check_size_match(function, "weight", weight.size(), "sender", E);
  stan::math::check_size_match(function, "back_log_charge", back_log_charge.size(), "log_charge",
                               log_charges);
  if (log_charges > 0)
    stan::math::check_size_match(function, "log_charge", log_charges, "sender", E);
  check_indices(function, "sender", sender, n);
  check_indices(function, "receiver", receiver, n);

  const MatrixXd x = quads(stan::math::value_of(z));
  const Eigen::VectorXd A_ = stan::math::value_of(a), B_ = stan::math::value_of(b);
  const Eigen::ArrayXd own = stan::math::value_of(log_charge).array().exp(),
                       reverse = stan::math::value_of(back_log_charge).array().exp();
  MatrixXd g, pulls, log_charge_g;
  double value = 0;
  for (bool standard : {false, true}) {
    value = 0;
    g = MatrixXd::Zero(n, K + 2);
    pulls = MatrixXd::Zero(x.rows(), n);
    log_charge_g = MatrixXd::Zero(log_charges, 2);
    for (int start = 0; start < E; start += block) {
      double w[block], q[block], slope[block];
      const Listed terms{form, logarithm != 0, int(x.rows() / 4), std::min(block, E - start),
                         &sender[start], &receiver[start], w, softening * softening,
                         reinterpret_cast<const Quad*>(x.data()),
                         reinterpret_cast<Quad*>(pulls.data()), slope};
      const auto there = [&](int e) { return log_charges > 0 ? own[start + e] : 1.0; };
      const auto again = [&](int e) {
        return back.coeff(start + e) * (log_charges > 0 ? reverse[start + e] : 1.0);
      };
      for (int e = 0; e < terms.count; ++e) {
        const int s = terms.s[e] - 1, r = terms.r[e] - 1;
        w[e] = weight.coeff(start + e);
        q[e] = there(e) * A_[s] * B_[r] + again(e) * A_[r] * B_[s];
      }
      value += standard ? charged<Standard>(form, logarithm, terms, q) : wide_charged(terms, q);
      for (int e = 0; e < terms.count; ++e) {
        const int s = terms.s[e] - 1, r = terms.r[e] - 1;
        const double one = there(e) * slope[e], other = again(e) * slope[e];
        g(s, K) += one * B_[r];
        g(r, K + 1) += one * A_[s];
        g(r, K) += other * B_[s];
        g(s, K + 1) += other * A_[r];
        if (log_charges > 0) {
          log_charge_g(start + e, 0) = one * A_[s] * B_[r];
          log_charge_g(start + e, 1) = other * A_[r] * B_[s];
        }
      }
    }
    g.leftCols(K) = pulls.topRows(K).transpose();
    if (ordinary(value, g.data(), g.size()))
      break;
  }
  return result(value, g, K, operand(z), operand(a), operand(b))
         + result(0, log_charge_g, 1, operand(log_charge), operand(back_log_charge), Data());
}

/* z = C x; in the reverse pass xbar += C' zbar */
inline MatrixXd product(bool transposed, const double* C, const MatrixXd& x) {
  MatrixXd y = MatrixXd::Zero(x.rows(), x.cols());
  wide_multiply(transposed, x.cols(), x.rows(), C, x.data(), y.data());
  return y;
}

// The reverse pass reads the factor again. Data that Stan holds in a Map are still there;
// anything else is copied.
template <typename P, int O, typename S>
const double* lasting(const Eigen::Map<P, O, S>& C) { return C.data(); }
template <typename C>
const double* lasting(const C& factor) { return stan::math::to_arena(factor).data(); }

template <typename X, std::enable_if_t<is_data<X>>* = nullptr>
MatrixXd change_of_variables(const double* C, const X& x) {
  return product(false, C, x);
}
template <typename X, std::enable_if_t<!is_data<X>>* = nullptr>
Eigen::Matrix<var, -1, -1> change_of_variables(const double* C, const X& x) {
  using Arena = stan::arena_t<Eigen::Matrix<var, -1, -1>>;
  Arena from = x;
  Arena to = product(false, C, stan::math::value_of(from));
  stan::math::reverse_pass_callback([from, to, C]() mutable {
    from.adj() += product(true, C, to.adj());
  });
  return to;
}

template <typename C, typename X>
auto checked_change(const C& factor, const X& x) {
  static_assert(is_data<C>, "precondition: factor must be data or transformed data");
  stan::math::check_size_match("precondition", "rows of factor", factor.rows(), "rows of x",
                               x.rows());
  stan::math::check_size_match("precondition", "columns of factor", factor.cols(), "rows of x",
                               x.rows());
  return change_of_variables(lasting(factor), x);
}

// The first takes temporaries and variables, the others constants; see Lookup above.
template <typename C, typename X>
auto precondition(const C& factor, X&& x, std::ostream*) {
  return checked_change(factor, x);
}
template <typename C, typename S, int R, int K>
auto precondition(const C& factor, const Eigen::Matrix<S, R, K>& x, std::ostream*) {
  return checked_change(factor, x);
}
template <typename C, typename P, int O, typename S>
auto precondition(const C& factor, const Eigen::Map<P, O, S>& x, std::ostream*) {
  return checked_change(factor, x);
}

}  // namespace lsm

namespace Eigen {  // where argument-dependent lookup finds them, see above
using lsm::charged_edge_sum;
using lsm::edge_sum;
using lsm::kernel_sum;
using lsm::log1p_kernel_sum;
using lsm::precondition;
}  // namespace Eigen

#ifdef __clang__
#pragma clang diagnostic pop
#endif
#undef LSM_AVX512
#undef LSM_X86
#undef LSM_INDEPENDENT
#undef LSM_INLINE
#undef LSM_OPTIMIZE
#undef LSM_REORDER
#undef LSM_WIDE
#endif
