/* Prior densities of the model's parameters, with every constant.
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
 * Normal density of positions around the origin.
 *
 * @param z positions, a row a node
 * @param scale standard deviation of each coordinate, > 0
 * @return log density, summed over nodes
 */
real positions_lpdf(matrix z, real scale) {
  // in parts, which is faster than one statement
  return -0.5 / square(scale) * dot_self(to_vector(z))
         + rows(z) * cols(z) * normal_lpdf(0 | 0, scale);
}

/**
 * Density of positions in clusters: a mixture of spherical normal densities
 * (Handcock, Raftery & Tantrum, JRSS A 170, 2007), summed over, so that no node has
 * a label.
 *
 * @param z positions, a row a node
 * @param theta shares of the clusters, which sum to 1
 * @param centre a row a cluster's centre
 * @param sigma standard deviations of the clusters, > 0
 * @return log density, summed over nodes
 */
real clustered_positions_lpdf(matrix z, vector theta, matrix centre, vector sigma) {
  int n_nodes = rows(z);
  matrix[n_nodes, rows(centre)] log_p;
  vector[n_nodes] density;
  for (g in 1 : rows(centre))
    log_p[ : , g] = log(theta[g])
                    - 0.5
                      * rows_dot_self((z - rep_matrix(centre[g], n_nodes)) / sigma[g])
                    + cols(z) * normal_lpdf(0 | 0, sigma[g]);
  for (n in 1 : n_nodes)
    density[n] = log_sum_exp(log_p[n]);
  return sum(density);
}

/**
 * Symmetric Dirichlet density of shares, as one of the logarithms of their ratios.
 *
 * @param theta shares, softmax of the parameters and a 0
 * @param concentration > 0
 * @return log density of log(theta / theta[last]), which has the Jacobian of softmax
 */
real shares_lpdf(vector theta, real concentration) {
  int n_clusters = size(theta);
  return concentration * sum(log(theta)) + lgamma(n_clusters * concentration)
         - n_clusters * lgamma(concentration);
}

/**
 * Density of what clusters are: their centres, shares and standard deviations.
 *
 * @param centre a row a cluster's centre, normal(0, scale)
 * @param theta shares
 * @param log_omega logarithms of the standard deviations in units of scale, normal; of
 *   size 0 where they are fixed
 * @param scale the positions' scale, > 0
 * @param concentration of the shares' Dirichlet density, > 0
 * @param median, spread of exp(log_omega) its median, of log_omega its standard deviation
 * @return log density
 */
real clusters_lpdf(matrix centre, vector theta, vector log_omega, real scale,
                   real concentration, real median, real spread) {
  return normal_lpdf(to_vector(centre) | 0, scale) + shares_lpdf(theta | concentration)
         + normal_lpdf(log_omega | log(median), spread);
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
  return std_normal_lpdf(to_vector(raw)) + log_scale_lpdf(log_sigma | scale)
         + correlation_lpdf(rho);
}

/**
 * Half-normal density of 1 / sqrt(phi), the frailty's coefficient of variation, as one
 * of log(phi).
 *
 * @param log_phi no logarithm, or one
 * @param scale scale of the half-normal density, > 0
 * @return log density of log_phi, summed
 */
real dispersion_lpdf(vector log_phi, real scale) {
  return normal_lpdf(exp(-0.5 * log_phi) | 0, scale) - 0.5 * sum(log_phi);
}
