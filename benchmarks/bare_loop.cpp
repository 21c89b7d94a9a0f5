/* The physical limit: value and gradient of the model's two sums in plain C++,
 * outside Stan, with nothing around them.
 *
 *   g++ -O3 [-DOWN_ROOT] -o bare_loop bare_loop.cpp
 *   ./bare_loop [repetitions [gradient]] < network.txt
 *
 * Input, as text: N and E; N lines of three coordinates; E lines of sender,
 * receiver (from 1) and weight. Computes, at K = 3, with d the distance,
 *
 *   sum_e w_e log(1 / d_e)  -  2 sum_{i < j} 1 / d_ij  -  sum_i |z_i|^2 / 2
 *
 * and its gradient: the log joint density of stan/latent_space.stan without its
 * constants. Pairs in a loop that the compiler vectorises for the machine it
 * runs on, edges with std::log, which becomes a vector one with -ffast-math. With
 * OWN_ROOT the inverse root is the kernel's portable one, a polynomial instead of the machine's
 * root and division, which are slower. Prints median, 5 % and 95 % quantile and mean of
 * the milliseconds of one evaluation, then value and sum of squares of the
 * gradient. Writes the gradient itself, as the bytes of 3 x N doubles, to the file
 * `gradient`.
 */
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12
#define WIDE                                                                   \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), \
                 optimize("O3", "fast-math")))
#else
#define WIDE
#endif

#ifdef OWN_ROOT
/* As in stan/kernel/pair_sums.hpp. */
__attribute__((always_inline)) inline double inverse_root(double x) {
  std::uint64_t bits;
  double y;
  std::memcpy(&bits, &x, sizeof bits);
  bits = 0x5fe6eb50c7b537a9u - (bits >> 1);
  std::memcpy(&y, &bits, sizeof y);
  const double u = x * y * y - 1;
  y *= 0.999999253614034
       + u * (-0.5000004234159765 + u * (0.37627901898114163 + u * -0.3130540859450361));
  const double h = 1 - x * y * y;
  return y + y * h * (0.5 + 0.375 * h);
}
#else
/* The root's argument is guarded because otherwise the compiler keeps a branch
 * for a negative one, and does not vectorise. */
__attribute__((always_inline)) inline double inverse_root(double x) {
  return 1 / std::sqrt(x > 0 ? x : 0);
}
#endif

WIDE double pairs(int n, const double* __restrict x, const double* __restrict y,
                  const double* __restrict z, double* __restrict gx, double* __restrict gy,
                  double* __restrict gz) {
  double total = 0;
  for (int i = 0; i < n; ++i) {
    const double xi = x[i], yi = y[i], zi = z[i];
    double gxi = 0, gyi = 0, gzi = 0;
#pragma GCC ivdep
    for (int j = i + 1; j < n; ++j) {
      const double dx = xi - x[j], dy = yi - y[j], dz = zi - z[j];
      const double r2 = dx * dx + dy * dy + dz * dz;
      const double f = inverse_root(r2);
      const double c = 2 * f * f * f;
      total -= 2 * f;
      gxi += c * dx;
      gyi += c * dy;
      gzi += c * dz;
      gx[j] -= c * dx;
      gy[j] -= c * dy;
      gz[j] -= c * dz;
    }
    gx[i] += gxi;
    gy[i] += gyi;
    gz[i] += gzi;
  }
  return total;
}

int main(int argc, char** argv) {
  const int repetitions = argc > 1 ? std::atoi(argv[1]) : 2000;
  int n, edges;
  if (repetitions < 1 || std::scanf("%d %d", &n, &edges) != 2)
    return 1;
  std::vector<double> z(3 * n), g(3 * n), weight(edges);
  std::vector<int> sender(edges), receiver(edges);
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < 3; ++k)
      if (std::scanf("%lf", &z[k * n + i]) != 1)
        return 1;
  for (int e = 0; e < edges; ++e) {
    if (std::scanf("%d %d %lf", &sender[e], &receiver[e], &weight[e]) != 3)
      return 1;
    --sender[e];
    --receiver[e];
  }
  const double *x = z.data(), *y = x + n, *w = y + n;
  double *gx = g.data(), *gy = gx + n, *gw = gy + n, value = 0;
  std::vector<double> ms, r2(edges), c(edges);
  for (int t = 0; t < repetitions; ++t) {
    const auto start = std::chrono::steady_clock::now();
    value = 0;
    for (int i = 0; i < 3 * n; ++i) {
      value -= 0.5 * z[i] * z[i];
      g[i] = -z[i];
    }
    for (int e = 0; e < edges; ++e) {
      const int i = sender[e], j = receiver[e];
      const double dx = x[i] - x[j], dy = y[i] - y[j], dw = w[i] - w[j];
      r2[e] = dx * dx + dy * dy + dw * dw;
    }
    for (int e = 0; e < edges; ++e) {
      value -= 0.5 * weight[e] * std::log(r2[e]);
      c[e] = weight[e] / r2[e];
    }
    for (int e = 0; e < edges; ++e) {
      const int i = sender[e], j = receiver[e];
      const double dx = x[i] - x[j], dy = y[i] - y[j], dw = w[i] - w[j];
      gx[i] -= c[e] * dx;
      gy[i] -= c[e] * dy;
      gw[i] -= c[e] * dw;
      gx[j] += c[e] * dx;
      gy[j] += c[e] * dy;
      gw[j] += c[e] * dw;
    }
    value += pairs(n, x, y, w, gx, gy, gw);
    const std::chrono::duration<double, std::milli> elapsed
        = std::chrono::steady_clock::now() - start;
    ms.push_back(elapsed.count());
  }
  std::sort(ms.begin(), ms.end());
  double squares = 0;
  for (double v : g)
    squares += v * v;
  if (argc > 2) {
    std::FILE* file = std::fopen(argv[2], "wb");
    if (!file || std::fwrite(g.data(), sizeof(double), g.size(), file) != g.size()
        || std::fclose(file) != 0)
      return 1;
  }
  double mean = 0;
  for (double v : ms)
    mean += v / repetitions;
  std::printf("ms_median %.6f\nms_low %.6f\nms_high %.6f\nms_mean %.6f\n"
              "value %.17g\ngradient_squares %.17g\n",
              ms[repetitions / 2], ms[repetitions / 20], ms[repetitions * 19 / 20], mean,
              value, squares);
}
