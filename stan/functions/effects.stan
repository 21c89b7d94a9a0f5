/* What a node adds to the log rates of its dyads, and its two roles. */

/**
 * Effects of nodes as senders and receivers.
 *
 * @param raw a row a node, in units of the scales, uncorrelated; a column or two, or none
 * @param sigma scales of the columns; of size 0 where they are fixed
 * @param rho correlation of two columns, or of size 0
 * @param fixed scale where it is fixed
 * @return columns: sender, receiver; or one that is both
 */
matrix effects(matrix raw, vector sigma, vector rho, real fixed) {
  if (size(rho) > 0) {
    matrix[2, 2] half = [[sigma[1], sigma[2] * rho[1]],
                         [0, sigma[2] * sqrt(1 - square(rho[1]))]];
    return raw * half; // half' * half is their covariance
  }
  return (size(sigma) > 0 ? sigma[1] : fixed) * raw;
}

/**
 * LKJ(2) density of the correlation of two effects, as one of its inverse tanh.
 *
 * @param rho no correlation, or one, between -1 and 1
 * @return log density of atanh(rho), summed
 */
real correlation_lpdf(vector rho) {
  return sum(2 * log1m(square(rho)) + log(0.75));
}

/**
 * Normal density of effects in units of their scales, with that of the scales.
 *
 * @param raw a row a node's effects, independent std_normal; or coordinates of roles
 * @param log_sigma logarithms of the scales; of size 0 where they are fixed
 * @param rho the effects' correlation; of size 0 where there is none
 * @param scale of the scales' half-normal density, > 0
 * @return log density
 */
real effects_lpdf(matrix raw, vector log_sigma, vector rho, real scale) {
  return spherical_lpdf(raw | 1) + log_scale_lpdf(log_sigma | scale)
         + correlation_lpdf(rho);
}
