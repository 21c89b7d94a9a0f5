/* Likelihoods of a network, given where its nodes are and their charges.
 *
 * The dyad from i to j has mean weight mu_ij = phi a_i b_j f(d_ij), phi = 1 where there
 * is no frailty. The charge a_i is that of the sender, b_j that of the receiver, f falls
 * with the distance d_ij. Everything is written as sums over observed edges and one sum
 * over all pairs: no array has a cell for every pair of nodes.
 */

/**
 * Log of the rising factorial phi (phi + 1) ... (phi + t - 1).
 *
 * It is lgamma(phi + t) - lgamma(phi), which has no digits left where phi is large;
 * there it is t log(phi) plus three terms of the series of sum over k < t of
 * log(1 + k / phi).
 *
 * @param phi > 0
 * @param t a count >= 1, as a real number: its powers are no integers of Stan's
 * @return the logarithm, with a relative error below 1e-12 in what t log(phi) leaves
 */
real log_rising(real phi, real t) {
  real first = 0.5 * t * (t - 1); // sums over k < t of k, k^2, k^3
  real second = first * (2 * t - 1) / 3;
  real third = square(first);
  if (phi > 1e4 * t)  // both branches agree there to 1e-12
    return t * log(phi) + (first - (0.5 * second - third / (3 * phi)) / phi) / phi;
  return lgamma(phi + t) - lgamma(phi);
}

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
 * Log charges of nodes, as senders or as receivers.
 *
 * @param level what all have in common
 * @param effect a column an effect, or none
 * @param column the column that counts
 * @param covariate a row a node, a column a covariate
 * @param coefficient the covariates' coefficients
 * @param x the sites where nodes have this charge
 * @param is_inner see sites
 */
vector log_charges(real level, matrix effect, int column, matrix covariate,
                   vector coefficient, matrix x, int is_inner) {
  vector[rows(x)] log_charge = rep_vector(level, rows(x));
  if (cols(effect) > 0)
    log_charge += effect[ : , column];
  if (cols(covariate) > 0)
    log_charge += covariate * coefficient;
  if (is_inner)
    log_charge += rows_dot_self(x);
  return log_charge;
}

/**
 * Log of mu_ij / phi of the observed edges, weighted and summed.
 *
 *   sum over edges  weight * log(a_i b_j f(d_ij))
 *
 * @param x sites, see above
 * @param log_a, log_b log charges of senders and receivers, one a node
 * @param sender, receiver sites of each edge's ends
 * @param weight each edge's weight
 * @param sent, received out- and in-strength of each node
 * @param softening, form see pair_sums.stan
 */
real observed_edges(matrix x,
                    vector log_a,
                    vector log_b,
                    array[] int sender,
                    array[] int receiver,
                    vector weight,
                    vector sent,
                    vector received,
                    real softening,
                    int form) {
  return edge_sum(x, sender, receiver, weight, softening, form)
         + dot_product(sent, log_a) + dot_product(received, log_b);
}

/**
 * What all observed dyads cost, whether they have an edge or not.
 *
 *   likelihood 1: sum of mu;  2 to 4: sum of log(1 + mu / phi)
 *
 * over ordered pairs, over pairs (3), or over unordered ones (undirected networks).
 *
 * @param x sites
 * @param a, b charges of the sites; 0 where a site does not send or receive
 * @param hidden_sender, hidden_receiver sites of what is not observed
 * @param hidden_back 1 where the reverse direction is in the term, too
 * @param hidden_weight how often a term is taken out
 * @param cells_per_pair 2, or 1 if the network is undirected
 * @param likelihood see latent_space.stan
 * @param softening, form see pair_sums.stan
 */
real all_dyads(matrix x,
               vector a,
               vector b,
               array[] int hidden_sender,
               array[] int hidden_receiver,
               vector hidden_back,
               vector hidden_weight,
               int cells_per_pair,
               int likelihood,
               real softening,
               int form) {
  vector[0] no_charge = rep_vector(0, 0);
  int shared = likelihood == 3;
  if (likelihood == 1)
    return 0.5 * cells_per_pair
           * kernel_sum(x, a, b, hidden_sender, hidden_receiver, softening, form);
  return (shared ? 1 : 0.5 * cells_per_pair)
         * log1p_kernel_sum(x, a, b, softening, form, shared)
         - charged_edge_sum(x, a, b, hidden_sender, hidden_receiver, hidden_back,
                            hidden_weight, no_charge, no_charge, softening, form, 1);
}

/**
 * How much more dyads cost, given their own charges.
 *
 * A dyad that covariates act on is taken out of the sum over all dyads, and put in again
 * with its own charge.
 *
 * @param x, a, b, likelihood, softening, form see all_dyads
 * @param sender, receiver sites of these dyads
 * @param back 1 where the reverse direction is in the term, too
 * @param weight how often a term counts
 * @param log_charge, back_log_charge log charges of the dyads and of their reverses
 */
real charged_dyads(matrix x,
                   vector a,
                   vector b,
                   array[] int sender,
                   array[] int receiver,
                   vector back,
                   vector weight,
                   vector log_charge,
                   vector back_log_charge,
                   int likelihood,
                   real softening,
                   int form) {
  vector[0] no_charge = rep_vector(0, 0);
  int logarithm = likelihood > 1;
  return charged_edge_sum(x, a, b, sender, receiver, back, weight, log_charge,
                          back_log_charge, softening, form, logarithm)
         - charged_edge_sum(x, a, b, sender, receiver, back, weight, no_charge,
                            no_charge, softening, form, logarithm);
}

/**
 * What frailties add to the log likelihood of the weights that share them.
 *
 *   sum over totals T  lgamma(phi + T) - lgamma(phi) - T log(1 + mu / phi)
 *
 * @param x, a, b, softening, form see all_dyads
 * @param sender, receiver sites of each total's ends
 * @param back 1 where the total is that of both directions of a pair
 * @param total the weights that share a frailty, added up
 * @param ascending the totals in ascending order: equal ones are computed once
 * @param log_charge, back_log_charge see charged_dyads; of size 0 without covariates
 * @param phi the frailties are gamma(phi, phi)
 */
real frailties(matrix x,
               vector a,
               vector b,
               array[] int sender,
               array[] int receiver,
               vector back,
               vector total,
               array[] int ascending,
               vector log_charge,
               vector back_log_charge,
               real phi,
               real softening,
               int form) {
  real log_gammas = 0;
  int count = 0; // of totals equal to this one so far
  for (k in 1 : size(ascending)) {
    count += 1;
    if (k == size(ascending) || ascending[k + 1] != ascending[k]) {
      log_gammas += count * log_rising(phi, ascending[k]);
      count = 0;
    }
  }
  return log_gammas
         - charged_edge_sum(x, a, b, sender, receiver, back, total, log_charge,
                            back_log_charge, softening, form, 1);
}
