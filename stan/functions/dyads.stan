/* What dyads add to the log likelihood: sums over observed edges, and one over all pairs.
 * No array has a cell for every pair of nodes.
 */

/**
 * What the charges of observed edges' ends add, times the edges' weights.
 *
 * @param log_a, log_b log charges of sites as senders and receivers
 * @param sent, received out- and in-strength of each node: the first sites send, the last
 *   receive
 */
real charges_of_edges(vector log_a, vector log_b, vector sent, vector received) {
  return dot_product(sent, head(log_a, size(sent)))
         + dot_product(received, tail(log_b, size(received)));
}

/**
 * Kernel sum over the pairs of each layer.
 *
 * @param x, log_a, log_b sites and their log charges, see sites.stan
 * @param sizes how many members each layer has; of one layer it is not looked at
 * @param logarithm, shared, softening, form see kernel_sum in pair_sums.stan
 */
real all_pairs(matrix x, vector log_a, vector log_b, array[] int sizes, int logarithm,
               int shared, real softening, int form) {
  real total = 0;
  int shift = rows(x) - sum(sizes); // from where members send to where they receive
  int last = 0;
  if (size(sizes) == 1)
    return kernel_sum(x, log_a, log_b, logarithm, shared, shift > 0, softening, form);
  for (n in sizes) {
    array[n] int sends = linspaced_int_array(n, last + 1, last + n);
    array[n] int receives = linspaced_int_array(n, shift + last + 1, shift + last + n);
    array[shift > 0 ? 2 * n : n] int at = shift > 0 ? append_array(sends, receives)
                                          : sends;
    last += n;
    total += kernel_sum(x[at], log_a[at], log_b[at], logarithm, shared,
                        shift > 0, softening, form);
  }
  return total;
}

/**
 * What all observed dyads cost, whether they have an edge or not.
 *
 *   likelihood 1: sum of mu;  2 to 4: sum of log(1 + mu / phi)
 *
 * over ordered pairs, over pairs (3), or over unordered ones (undirected networks). Some
 * dyads are listed, since they are not as all: those not observed are taken out; those that
 * covariates act on are taken out, and put in again with charges of their own.
 *
 * @param x, log_a, log_b sites and their log charges, see sites.stan
 * @param sizes how many members each layer has, see all_pairs
 * @param sender, receiver sites of listed dyads
 * @param back 1 where the reverse direction is in the term, too
 * @param weight how often a term is put in; negative: taken out
 * @param log_charge, back_log_charge log charges of these dyads and of their reverses; of
 *   size 0 without covariates
 * @param cells_per_pair 2, or 1 if the network is undirected
 * @param likelihood see latent_space.stan
 * @param softening, form see pair_sums.stan
 */
real all_dyads(matrix x,
               vector log_a,
               vector log_b,
               array[] int sizes,
               array[] int sender,
               array[] int receiver,
               vector back,
               vector weight,
               vector log_charge,
               vector back_log_charge,
               int cells_per_pair,
               int likelihood,
               real softening,
               int form) {
  int logarithm = likelihood > 1;
  int shared = likelihood == 3;
  return (shared ? 1 : 0.5 * cells_per_pair)
         * all_pairs(x, log_a, log_b, sizes, logarithm, shared, softening, form)
         + charged_edge_sum(x, log_a, log_b, sender, receiver, back, weight, log_charge,
                            back_log_charge, logarithm, softening, form);
}
