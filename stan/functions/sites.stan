/* Where nodes send and receive, and with which charges.
 *
 * The dyad from i to j has mean weight mu_ij = phi a_i b_j f(d_ij), phi = 1 where there
 * is no frailty. The charge a_i is that of the sender, b_j that of the receiver, f falls
 * with the distance d_ij.
 *
 * stanc --warn-pedantic says that control flow depends on effect and x: it depends on their
 * sizes, which are data.
 */

/**
 * Where nodes send from, and where they receive.
 *
 * A node with two roles sends from z + role and receives at z - role. All senders and
 * all receivers are then twice as many nodes to the sums over pairs.
 *
 * @param z positions, a row a node
 * @param role a row a node, or no row
 * @param is_inner 1: divided by sqrt(2), so that an inner product is a distance,
 *   z_i . z_j = |x_i|^2 + |x_j|^2 - |x_i - x_j|^2
 * @return z, or z + role followed by z - role
 */
matrix sites(matrix z, matrix role, int is_inner) {
  int n_nodes = rows(z);
  matrix[n_nodes + rows(role), cols(z)] x;
  if (rows(role) == 0)
    x = z;
  else
    x = append_row(z + role, z - role);
  if (is_inner)
    return x / sqrt2();
  return x;
}

/**
 * Coefficients of covariates, and after them ones, those of offsets.
 *
 * @param coefficient those that are parameters
 * @param n how many there are in all
 * @return n coefficients
 */
vector and_ones(vector coefficient, int n) {
  return append_row(coefficient, rep_vector(1, n - rows(coefficient)));
}

/**
 * Log charges of sites, as senders or as receivers.
 *
 * @param level what every charge has, one a node
 * @param effect a column an effect, or none
 * @param column the column that counts
 * @param covariate a row a node, a column a covariate
 * @param coefficient of the covariates
 * @param x sites
 * @param first the first site where nodes have this charge; that of others is 0
 * @param is_inner see sites
 * @return one a site
 */
vector log_charges(vector level, matrix effect, int column, matrix covariate,
                   vector coefficient, matrix x, int first, int is_inner) {
  int n_nodes = size(level);
  vector[n_nodes] log_charge = level;
  if (cols(effect) > 0)
    log_charge += effect[ : , column];
  if (cols(covariate) > 0)
    log_charge += covariate * coefficient;
  if (is_inner)
    log_charge += rows_dot_self(x[first : (first + n_nodes - 1)]);
  if (rows(x) == n_nodes)
    return log_charge;
  {
    vector[rows(x)] of_sites = rep_vector(negative_infinity(), rows(x));
    of_sites[first : (first + n_nodes - 1)] = log_charge;
    return of_sites;
  }
}
