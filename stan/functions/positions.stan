/* Where nodes are: one normal density, or a mixture of clusters. */

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
real mixture_lpdf(matrix z, vector theta, matrix centre, vector sigma) {
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
 * Density of positions: normal around the origin, or in clusters if there are any.
 *
 * @param z positions, a row a node
 * @param scale standard deviation of each coordinate without clusters, > 0
 * @param theta, centre, sigma see mixture; of size 0 without clusters
 * @return log density, summed over nodes
 */
real positions_lpdf(matrix z, real scale, vector theta, matrix centre, vector sigma) {
  if (rows(centre) > 0)
    return mixture_lpdf(z | theta, centre, sigma);
  return spherical_lpdf(z | scale);
}

/**
 * Half-normal density of the positions' scale, as one of its logarithm.
 *
 * The parameters are positions in units of the scale: the Jacobian of
 * z = sigma_z * z_raw counts.
 *
 * @param log_sigma_z no logarithm, or one
 * @param scale scale of the half-normal density, > 0
 * @param n_coordinates how many numbers are in units of it
 * @return log density
 */
real position_scale_lpdf(vector log_sigma_z, real scale, int n_coordinates) {
  return log_scale_lpdf(log_sigma_z | scale) + n_coordinates * sum(log_sigma_z);
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
 * @param centre a row a cluster's centre, normal(0, scale); or no row
 * @param theta shares
 * @param log_omega logarithms of the standard deviations in units of scale, normal; of
 *   size 0 where they are fixed
 * @param scale the positions' scale, > 0
 * @param concentration of the shares' Dirichlet density, > 0
 * @param median, spread of exp(log_omega) its median, of log_omega its standard deviation
 * @return log density; 0 without clusters
 */
real clusters_lpdf(matrix centre, vector theta, vector log_omega, real scale,
                   real concentration, real median, real spread) {
  if (rows(centre) == 0)
    return 0;
  return spherical_lpdf(centre | scale) + shares_lpdf(theta | concentration)
         + normal_lpdf(log_omega | log(median), spread);
}
