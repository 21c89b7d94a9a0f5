/* Sums over all pairs with AVX-512, up to K = 4: tiles of eight rows against eight
 * columns. The columns of a tile are read and written once.
 */
#ifndef LSM_STAN_TILES_HPP
#define LSM_STAN_TILES_HPP

#include "elementary.hpp"
#include "rows.hpp"

#include <algorithm>
#include <cstdlib>

#ifdef LSM_AVX512

namespace lsm {

typedef double Octet __attribute__((vector_size(64), aligned(8), may_alias));

#define LSM_TILE LSM_AVX512 __attribute__((always_inline)) inline

/* The hardware's first y = x^(-1/2) is within 2^-14; three terms of the series in
 * h = 1 - x y^2 follow. */
LSM_TILE Octet rsqrt(Octet x) {
  const Octet y = _mm512_rsqrt14_pd(x), h = 1 - x * y * y;
  return y + y * h * (0.5 + h * (0.375 + h * 0.3125));
}

/* x <= 0. x = k log 2 + r, k in sixteenths: 2^k is a power of two times one of sixteen
 * numbers, exp(r) for |r| <= log(2) / 32 a minimax polynomial, exact to 1e-17. The added
 * 1.5 * 2^48 rounds to sixteenths, and leaves their number in the low bits. NaN where x is
 * infinite, or below -1e60. */
LSM_TILE Octet exp(Octet x) {
  const Octet low = {1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916,
                     1.189207115002721, 1.241857812073484, 1.2968395546510096,
                     1.3542555469368927};
  const Octet high = {1.4142135623730951, 1.4768261459394993, 1.5422108254079407,
                      1.6104903319492543, 1.681792830507429, 1.7562521603732995,
                      1.8340080864093424, 1.9152065613971474};
  const Octet shifted = x * 1.4426950408889634 + 422212465065984.0, k = shifted - 422212465065984.0;
  const Octet r = x - k * 0.6931471805599453, r2 = r * r;
  const Octet even = (0.001388910863350231 * r2 + (0.00833349623651765 * r + 0.04166666666063865));
  const Octet p = (even * r2 + (0.16666666662845311 * r + 0.5)) * r2 + (r + 1);
  const Octet fraction = _mm512_permutex2var_pd(low, _mm512_castpd_si512(shifted), high);
  return _mm512_scalef_pd(fraction * p, k);
}

/* log(1 + x), x >= 0, as Vectorisable::log1p. */
LSM_TILE Octet log1p(Octet x) {
  const Octet k = _mm512_getexp_pd((1 + x) * 1.3333333333333333);  // 3/4 <= m < 3/2
  const Octet m = _mm512_scalef_pd(1 + x, -k);
  const Octet r = _mm512_mask_mov_pd(m - 1, _mm512_cmp_pd_mask(k, Octet{}, _CMP_EQ_OQ), x);
  const Octet s = r / (r + 2), t = s * s;
  Octet p = 0.14798198605116586 * t + 0.15313837699209373;
  p = (p * t + 0.1818357216161805) * t + 0.22222198432149784;
  p = (p * t + 0.2857142874366239) * t + 0.3999999999940942;
  p = p * t + 0.6666666666666735;
  return k * 0.6931471805599453 + (2 * s + s * t * p);
}

/* f and c at the squared distance r2, see pair_sums.hpp. */
template <int form>
LSM_TILE void evaluate(Octet r2, Octet& f, Octet& c) {
  if (form == 1) {
    f = rsqrt(r2);
    c = f * f;
  } else if (form == 2) {
    c = rsqrt(r2);
    f = exp(-r2 * c);
  } else {
    f = exp(-r2);
    c = Octet{} + 2;
  }
}

/* The lanes of a tile's row i and columns from j that hold pairs of the sum. */
LSM_INLINE __mmask8 pairs_of(const Rows& rows, int i, int j) {
  const int before = rows.first(i) - j, skip = rows.skipped(i) - j;
  const bool skips = skip >= 0 && skip < lanes;
  if (before >= lanes || i >= rows.end)
    return 0;
  return (0xff << std::max(before, 0)) & ~(skips << (skips ? skip : 0));
}

/* Are all pairs of the tile of rows from i and columns from j in the sum? */
LSM_INLINE bool is_whole(const Rows& rows, int i, int j) {
  if (rows.half == 0)
    return j > i;
  return j >= rows.half && i + lanes <= rows.end && std::abs(j - i - rows.half) >= lanes;
}

/* A tile of rows from i and columns from j. What is summed is added to the total. A sum of
 * log1p(t) is the logarithm of a product: there the total is the product of all 1 + t, less
 * 1, so that no digits of small ones are lost. */
template <int K, int form, Sum sum, bool whole>
LSM_TILE void tile(const Rows& rows, int i, int j, Octet (&gi)[lanes][K + 2], Octet& total) {
  constexpr int columns = sum == Sum::unit ? K : K + 2;
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
    Octet dz[K], r2 = Octet{} + rows.eps2, f, c;
    for (int k = 0; k < K; ++k) {
      dz[k] = xi[k * stride + r] - xj[k];
      r2 += dz[k] * dz[k];
    }
    evaluate<form>(r2, f, c);
    const __mmask8 pairs = whole ? 0xff : pairs_of(rows, i + r, j);
    if (!whole)
      f = _mm512_maskz_mov_pd(pairs, f);
    if (sum == Sum::unit) {
      total += f;
      c *= f;
    } else {
      Octet u = ai[r] * (bj * f), v = bi[r] * (aj * f);
      if (sum == Sum::plain) {
        total += u + v;
      } else {
        Octet t = u + v;
        if (sum == Sum::log1p) {
          const Octet both = u * v;
          t += both;
          u += both;
          v += both;
        }
        const Octet inverse = 1 / (1 + t);
        total = total * t + (total + t);
        u *= inverse;
        v *= inverse;
      }
      c *= u + v;
      gi[r][K] += u;
      gi[r][K + 1] += v;
      gj[K] += v;
      gj[K + 1] += u;
    }
    if (!whole)
      c = _mm512_maskz_mov_pd(pairs, c);
    for (int k = 0; k < K; ++k) {
      gi[r][k] -= c * dz[k];
      gj[k] += c * dz[k];
    }
  }
  for (int k = 0; k < columns; ++k)
    *reinterpret_cast<Octet*>(rows.g + k * stride + j) = gj[k];
}

/* Moves a product that grows too large to the total. */
LSM_TILE void keep_small(Octet& product, Octet& total) {
  if (_mm512_cmp_pd_mask(product, Octet{} + 1e100, _CMP_GT_OQ)) {
    total += log1p(product);
    product = Octet{};
  }
}

template <int K, int form, Sum sum>
LSM_AVX512 double tiled_rows(const Rows& rows) {
  constexpr int columns = sum == Sum::unit ? K : K + 2;
  constexpr bool logarithm = sum == Sum::log1p || sum == Sum::shared;
  Octet total = {}, product = {};
  for (int i = rows.begin; i < rows.end; i += lanes) {
    Octet gi[lanes][K + 2] = {};
    const int first = std::max(i, rows.half & -lanes);
    // in loops of their own: each compiles to faster code than both together
    for (int j = first; j < (rows.half > 0 ? rows.n : i + lanes); j += lanes)
      if (!is_whole(rows, i, j)) {
        tile<K, form, sum, false>(rows, i, j, gi, logarithm ? product : total);
        if (logarithm)
          keep_small(product, total);
      }
    for (int j = first; j < rows.n; j += lanes)
      if (is_whole(rows, i, j)) {
        tile<K, form, sum, true>(rows, i, j, gi, logarithm ? product : total);
        if (logarithm)
          keep_small(product, total);
      }
    for (int r = 0; r < lanes; ++r)
      for (int k = 0; k < columns; ++k)
        rows.g[k * rows.stride + i + r] += _mm512_reduce_add_pd(gi[r][k]);
  }
  if (logarithm)
    total += log1p(product);
  return _mm512_reduce_add_pd(total);
}

template <Sum sum>
struct Tiles {
  template <int form>
  static double run(const Rows& rows) {
    switch (rows.K) {
      case 1: return tiled_rows<1, form, sum>(rows);
      case 2: return tiled_rows<2, form, sum>(rows);
      case 3: return tiled_rows<3, form, sum>(rows);
      default: return tiled_rows<4, form, sum>(rows);
    }
  }
};

inline bool has_tiles(const Rows& rows) {
  return rows.K <= 4 && __builtin_cpu_supports("avx512f");
}

}  // namespace lsm

#undef LSM_TILE
#endif
#endif
