/* What a loop over all pairs is given. */
#ifndef LSM_STAN_ROWS_HPP
#define LSM_STAN_ROWS_HPP

#include "vectorise.hpp"

namespace lsm {

/* What is summed over the pairs i < j, of u = a_i b_j f_ij and v = a_j b_i f_ij. */
enum class Sum {
  unit,    // u + v, which is f: no gradient in the charges is wanted
  plain,   // u + v
  log1p,   // log1p(u) + log1p(v)
  shared   // log1p(u + v)
};

/* Rows begin <= i < end of the triangle of pairs i < j < n; or, where half > 0, of the
 * rectangle of pairs i < half <= j < n without j = i + half. The columns of x are
 * K coordinates, then the charges a and b; those of g the gradient in the coordinates and
 * in the logarithms of the charges. After the n nodes come `lanes` phantoms without charge,
 * away from all nodes: rows are rounded up to whole vectors, which saves a scalar tail to
 * each. */
struct Rows {
  int K, form;
  Sum sum;
  int half, begin, end, n;
  long stride;
  double eps2;
  const double* x;
  double* g;

  // the first column of row i, and the one in it that is left out, or one before all
  LSM_INLINE int first(int i) const { return half > 0 ? half : i + 1; }
  LSM_INLINE int skipped(int i) const { return half > 0 ? i + half : -1; }
};

}  // namespace lsm

#endif
