/* Sums over all pairs with AVX-512, up to K = 4: tiles of eight rows against eight
 * columns. The columns of a tile are read and written once.
 */
#ifndef LSM_STAN_TILES_HPP
#define LSM_STAN_TILES_HPP

#include "elementary.hpp"
#include "rows.hpp"

#ifdef LSM_AVX512
#include <algorithm>

namespace lsm {

typedef double Octet __attribute__((vector_size(64), aligned(8), may_alias));

#define LSM_TILE LSM_AVX512 __attribute__((always_inline)) inline

/* The hardware's first y = x^(-1/2) is within 2^-14; three terms of the series in
 * h = 1 - x y^2 follow. */
LSM_TILE Octet rsqrt(Octet x) {
  const Octet y = _mm512_rsqrt14_pd(x), h = 1 - x * y * y;
  return y + y * h * (0.5 + h * (0.375 + h * 0.3125));
}

/* 1 / x, likewise. */
LSM_TILE Octet reciprocal(Octet x) {
  const Octet y = _mm512_rcp14_pd(x), h = 1 - x * y;
  return y + y * h * (1 + h * (1 + h));
}

/* x <= 0, as Vectorisable::exp. The order of max keeps NaN. */
LSM_TILE Octet exp(Octet x) {
  x = _mm512_max_pd(_mm512_set1_pd(-800), x);
  const Octet k = _mm512_roundscale_pd(x * 1.4426950408889634, 0);
  const Octet r = x - k * 0.6931471803691238 - k * 1.9082149292705877e-10, r2 = r * r;
  // two polynomials in r^2, which do not wait for each other
  Octet odd = 2.5298623077803883e-08 * r2 + 2.755676765429513e-06;
  Octet even = 2.764812881122254e-07 * r2 + 2.480145791175592e-05;
  odd = (odd * r2 + 0.00019841270251545347) * r2 + 0.00833333333324684;
  even = (even * r2 + 0.0013888888960452224) * r2 + 0.041666666666536435;
  odd = (odd * r2 + 0.16666666666666627) * r2 + 1;
  even = (even * r2 + 0.5) * r2 + 1;
  return _mm512_scalef_pd(odd * r + even, k);
}

/* log x, x >= 1, as Vectorisable::log. */
LSM_TILE Octet log(Octet x) {
  const Octet k = _mm512_getexp_pd(x * 1.3333333333333333);  // 3/4 <= m < 3/2
  const Octet m = _mm512_scalef_pd(x, -k), s = (m - 1) / (m + 1), t = s * s;
  Octet p = 0.14798198605116586 * t + 0.15313837699209373;
  p = (p * t + 0.1818357216161805) * t + 0.22222198432149784;
  p = (p * t + 0.2857142874366239) * t + 0.3999999999940942;
  p = p * t + 0.6666666666666735;
  return k * 0.6931471805599453 + (2 * s + s * t * p);
}

/* f and c at the squared distance r2; see pair_sums.hpp. */
template <int form>
LSM_TILE void evaluate(Octet r2, Octet& f, Octet& c) {
  if (form == 1) {
    f = rsqrt(r2);
    c = f * f * f;
  } else if (form == 2) {
    const Octet inverse = rsqrt(r2);
    f = exp(-r2 * inverse);
    c = f * inverse;
  } else {
    f = exp(-r2);
    c = 2 * f;
  }
}

/* What is summed over pairs i < j. */
enum class Sum {
  unit,     // f
  charged,  // (a_i b_j + a_j b_i) f
  log1p     // log1p(a_i b_j f) + log1p(a_j b_i f)
};

/* A tile of rows from i and columns from j. A sum of logarithms is the logarithm of a
 * product, which is taken once a column. Where all terms are tiny that would lose
 * digits: has_tiles. */
template <int K, int form, Sum sum, bool diagonal>
LSM_TILE void tile(const Rows& rows, int i, int j, Octet (&gi)[lanes][K + 2], Octet& total) {
  constexpr int columns = sum == Sum::unit ? K : K + 2;
  const long stride = rows.stride;
  const double *xi = rows.x + i, *ai = xi + K * stride, *bi = ai + stride;
  Octet xj[K + 2], gj[K + 2], product = Octet{} + 1;
  for (int k = 0; k < K + 2; ++k) {
    xj[k] = *reinterpret_cast<const Octet*>(rows.x + k * stride + j);
    gj[k] = *reinterpret_cast<const Octet*>(rows.g + k * stride + j);
  }
  const Octet aj = xj[K], bj = xj[K + 1];
#pragma GCC unroll 8
  for (int r = 0; r < lanes; ++r) {
    Octet dz[K], r2 = Octet{} + rows.eps2, f, c;
    for (int k = 0; k < K; ++k) {
      dz[k] = xi[k * stride + r] - xj[k];
      r2 += dz[k] * dz[k];
    }
    evaluate<form>(r2, f, c);
    if (diagonal) {  // j > i only
      f = _mm512_maskz_mov_pd(0xfe << r, f);
      c = _mm512_maskz_mov_pd(0xfe << r, c);
    }
    const Octet there = ai[r] * bj, back = bi[r] * aj;
    Octet du = f, dv = f;  // slopes in `there` and `back`
    if (sum == Sum::unit) {
      total += f;
    } else if (sum == Sum::charged) {
      total += (there + back) * f;
      c *= there + back;
    } else {
      const Octet p = 1 + there * f, q = 1 + back * f, inverse = reciprocal(p * q);
      product *= p * q;
      c *= there * (q * inverse) + back * (p * inverse);
      du *= q * inverse;
      dv *= p * inverse;
    }
    for (int k = 0; k < K; ++k) {
      gi[r][k] -= c * dz[k];
      gj[k] += c * dz[k];
    }
    if (columns > K) {
      gi[r][K] += bj * du;
      gi[r][K + 1] += aj * dv;
      gj[K] += bi[r] * dv;
      gj[K + 1] += ai[r] * du;
    }
  }
  if (sum == Sum::log1p)
    total += log(product);
  for (int k = 0; k < columns; ++k)
    *reinterpret_cast<Octet*>(rows.g + k * stride + j) = gj[k];
}

template <int K, int form, Sum sum>
LSM_AVX512 double tiled_rows(const Rows& rows) {
  constexpr int columns = sum == Sum::unit ? K : K + 2;
  Octet total = {};
  for (int i = rows.begin; i < rows.end; i += lanes) {
    Octet gi[lanes][K + 2] = {};
    tile<K, form, sum, true>(rows, i, i, gi, total);
    for (int j = i + lanes; j < rows.n; j += lanes)
      tile<K, form, sum, false>(rows, i, j, gi, total);
    for (int r = 0; r < lanes; ++r)
      for (int k = 0; k < columns; ++k)
        rows.g[k * rows.stride + i + r] += _mm512_reduce_add_pd(gi[r][k]);
  }
  return _mm512_reduce_add_pd(total);
}

template <int form, Sum sum>
double tiled(const Rows& rows) {
  switch (rows.K) {
    case 1: return tiled_rows<1, form, sum>(rows);
    case 2: return tiled_rows<2, form, sum>(rows);
    case 3: return tiled_rows<3, form, sum>(rows);
    default: return tiled_rows<4, form, sum>(rows);
  }
}

/* Whether there are tiles for a sum: there are for those of the models that people are
 * told to use, and of the tutorial's. A product of factors 1 + u is exact to 1e-16, a
 * logarithm of one should be to 1e-16 u. */
inline bool has_tiles(const Rows& rows) {
  if (rows.K > 4 || rows.shared || !__builtin_cpu_supports("avx512f"))
    return false;
  if (!rows.log1p)
    return rows.form == 1 || !rows.equal;
  const double *a = rows.x + rows.K * rows.stride, *b = a + rows.stride;
  const double largest = *std::max_element(a, a + rows.n) * *std::max_element(b, b + rows.n);
  return rows.form != 1 && largest > 1e-3;
}

inline double tiles(const Rows& rows) {
  if (rows.form == 1)
    return rows.equal ? tiled<1, Sum::unit>(rows) : tiled<1, Sum::charged>(rows);
  if (rows.form == 2)
    return rows.log1p ? tiled<2, Sum::log1p>(rows) : tiled<2, Sum::charged>(rows);
  return rows.log1p ? tiled<3, Sum::log1p>(rows) : tiled<3, Sum::charged>(rows);
}

}  // namespace lsm

#undef LSM_TILE
#endif
#endif
