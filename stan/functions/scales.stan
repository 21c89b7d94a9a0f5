/* Prior densities that several parts of the model have in common, with every constant.
 *
 * No parameter is declared with bounds. The density of a bounded quantity is therefore
 * given for the unbounded parameter, with the Jacobian of the transform between them.
 */

/**
 * Half-normal density of scales, as one of their logarithms.
 *
 * @param log_sigma logarithms of the scales
 * @param scale scale of the half-normal density, > 0
 * @return log density of log_sigma, summed
 */
real log_scale_lpdf(vector log_sigma, real scale) {
  return normal_lpdf(exp(log_sigma) | 0, scale) + size(log_sigma) * log2()
         + sum(log_sigma);
}

/**
 * Normal density of vectors around the origin, a row a vector.
 *
 * @param x rows of independent coordinates
 * @param scale standard deviation of each coordinate, > 0
 * @return log density, summed
 */
real spherical_lpdf(matrix x, real scale) {
  // in parts, which is faster than one statement
  return -0.5 / square(scale) * dot_self(to_vector(x))
         + rows(x) * cols(x) * normal_lpdf(0 | 0, scale);
}
