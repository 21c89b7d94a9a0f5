/* What a loop over all pairs is given. */
#ifndef LSM_STAN_ROWS_HPP
#define LSM_STAN_ROWS_HPP

namespace lsm {

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

}  // namespace lsm

#endif
