/* Frailties: what dyads have at random, a gamma(phi, phi) each. */

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

/**
 * Log of the rising factorial phi (phi + 1) ... (phi + t - 1).
 *
 * It is lgamma(phi + t) - lgamma(phi), which loses digits where phi is large. There it is the
 * difference of two of Stirling's series, with what they have in common taken off; and, where
 * phi is much larger than t, t log(phi) plus three terms of the series of sum over k < t of
 * log(1 + k / phi).
 *
 * @param phi > 0
 * @param t counts >= 1
 * @return the logarithms, with a relative error below 1e-12 in what t log(phi) leaves
 */
vector log_rising(real phi, vector t) {
  int n = size(t);
  vector[n] rising;
  real log_gamma = lgamma(phi);
  vector[n] first = 0.5 * t .* (t - 1); // sums over k < t of k, k^2, k^3
  vector[n] second = first .* (2 * t - 1) / 3;
  vector[n] third = square(first);
  for (i in 1 : n)
    if (phi > 1e4 * t[i])  // both branches agree there to 1e-12
      rising[i] = t[i] * log(phi)
                  + (first[i] - (0.5 * second[i] - third[i] / (3 * phi)) / phi) / phi;
    else if (phi > 1e3)  // the next term is 1 / (1260 phi^5)
      rising[i] = (phi - 0.5) * log1p(t[i] / phi) + t[i] * (log(phi + t[i]) - 1)
                  + (inv(phi + t[i]) - inv(phi)) / 12
                  - (inv(phi + t[i]) ^ 3 - inv(phi) ^ 3) / 360;
    else
      rising[i] = lgamma(phi + t[i]) - log_gamma;
  return rising;
}

/**
 * Which numbers there are, and how often.
 *
 * @param x any numbers
 * @return rows: the numbers in ascending order, and how often each is among x
 */
array[,] int tally(array[] int x) {
  array[size(x)] int ascending = sort_asc(x);
  array[2, size(x)] int counted = rep_array(0, 2, size(x));
  int n = 0;
  for (i in 1 : size(x)) {
    if (i == 1 || ascending[i] != ascending[i - 1]) {
      n += 1;
      counted[1, n] = ascending[i];
    }
    counted[2, n] += 1;
  }
  return counted[ : , 1 : n];
}

/**
 * Observed edges under frailties: the weights T that share one, added up.
 *
 *   sum over totals  lgamma(phi + T) - lgamma(phi) + T (log f(d) - log(1 + mu / phi))
 *
 * @param x, log_a, log_b, softening, form see all_dyads
 * @param sender, receiver sites of each total's ends
 * @param back 1 where the total is that of both directions of a pair
 * @param total the totals
 * @param tallied see tally, of the totals
 * @param log_charge, back_log_charge see all_dyads
 * @param phi the frailties are gamma(phi, phi)
 */
real frail_edges(matrix x,
                 vector log_a,
                 vector log_b,
                 array[] int sender,
                 array[] int receiver,
                 vector back,
                 vector total,
                 array[,] int tallied,
                 vector log_charge,
                 vector back_log_charge,
                 real phi,
                 real softening,
                 int form) {
  return dot_product(to_vector(tallied[2]), log_rising(phi, to_vector(tallied[1])))
         - charged_edge_sum(x, log_a, log_b, sender, receiver, back, total, log_charge,
                            back_log_charge, 2, softening, form);
}
