/* Square root, exponential and logarithm, vectorisable and the standard library's,
 * and the distance forms made of them.
 */
#ifndef LSM_STAN_ELEMENTARY_HPP
#define LSM_STAN_ELEMENTARY_HPP

#include "vectorise.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>

namespace lsm {

constexpr int lanes = 8;    // doubles in the widest vector unit, divides block
constexpr int block = 256;  // pairs at a time where intermediate results are stored

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
  static constexpr double away = 1e300;  // a squared distance at which there is no charge
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

  // x <= 709. x = k log 2 + r, |r| <= log(2) / 2, exp(r) by a minimax polynomial.
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
  static constexpr double away = HUGE_VAL;
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

/* The distance form f, or its logarithm, at the squared distance r2, and c = -(log f)' / d. */
template <typename Math>
LSM_INLINE void evaluate(int form, bool logarithm, double r2, double& f, double& c) {
  if (form == 1 && logarithm) {
    Math::log(r2, f, c);
    f *= -0.5;
  } else if (form == 1) {
    f = Math::rsqrt(r2);
    c = f * f;
  } else if (form == 2) {
    const double d = Math::sqrt(r2);
    f = logarithm ? -d : Math::exp(-d);
    c = Math::inverse_distance(r2);
  } else {
    f = logarithm ? -r2 : Math::exp(-r2);
    c = 2;
  }
}

LSM_WIDE void wide_exp(double* x, long count) {
  LSM_INDEPENDENT
  for (long e = 0; e < count; ++e)
    x[e] = Vectorisable::exp(x[e]);
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

/* Calls Loop::run<form>: loops are compiled for each form. A struct and no lambda: only a
 * function can be inlined into one that is compiled for wider vector units. */
template <typename Loop, typename... Arguments>
LSM_INLINE double by_form(int form, const Arguments&... arguments) {
  switch (form) {
    case 1: return Loop::template run<1>(arguments...);
    case 2: return Loop::template run<2>(arguments...);
    default: return Loop::template run<3>(arguments...);
  }
}

}  // namespace lsm

#endif
