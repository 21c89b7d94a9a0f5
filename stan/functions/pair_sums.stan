/* The sums that carry the whole cost of the model, in the Stan language.
 *
 * This file is the reference: what it says is what is meant.
 * stan/kernel/pair_sums.hpp computes the same functions in C++ with analytic
 * gradients; stan/kernel/pair_sums.stan declares them. Which of the two a
 * program uses is decided by its include path, not by the program.
 *
 * stanc --warn-pedantic says that control flow depends on z and on log_charge: it
 * depends on their sizes, which are data. log_form branches at the cusp of form 2.
 */

/**
 * Log of the distance form f at a softened distance.
 *
 * The softened distance is d_eps = sqrt(d^2 + eps^2); eps = 0 is the exact model.
 *
 * @param d2 squared Euclidean distance, >= 0
 * @param softening eps >= 0, in units of distance
 * @param form 1: f(d) = 1/d; 2: f(d) = exp(-d); 3: f(d) = exp(-d^2)
 * @return log f(d_eps). At d_eps = 0 form 1 is +infinity and its gradient NaN; form 2 is 0
 *   and its gradient 0, the mean of those on either side of the cusp.
 * @reject if form is not 1, 2 or 3
 */
real log_form(real d2, real softening, int form) {
  real r2 = d2 + square(softening);
  if (form == 1)
    return -0.5 * log(r2);
  if (form == 2)
    return r2 == 0 ? 0 : -sqrt(r2); // some versions of Stan derive sqrt(0) to NaN
  if (form != 3)
    reject("form must be 1 (inverse), 2 (exponential) or 3 (squared), found ", form);
  return -r2;
}

/**
 * Edge sum: the part of a Poisson log likelihood that only observed edges enter.
 *
 *   sum_e weight[e] * log f(|z[sender[e]] - z[receiver[e]]|)
 *
 * @param z N x K matrix, a row a node's position
 * @param sender index of each edge's sender, 1..N
 * @param receiver index of each edge's receiver, 1..N
 * @param weight each edge's weight
 * @param softening eps >= 0, see log_form
 * @param form distance form, see log_form
 * @return the sum; O(E) time
 */
real edge_sum(matrix z, array[] int sender, array[] int receiver, vector weight,
              real softening, int form) {
  real total = 0;
  for (e in 1 : size(sender))
    total += weight[e]
             * log_form(squared_distance(z[sender[e]], z[receiver[e]]), softening, form);
  return total;
}

/**
 * Kernel sum: a term for every ordered pair, of its expected weight
 * u_ij = a[i] * b[j] * f(|z[i] - z[j]|).
 *
 *   logarithm = 0:  sum_{i != j} u_ij
 *   logarithm = 1:  sum_{i != j} log1p(u_ij)
 *     shared = 1:   sum_{i < j}  log1p(u_ij + u_ji)
 *
 * halves = 1: over those i, j alone that are not in the same half, nor at the same place of the
 * two: nodes with two roles, of which each has a row in the first half that sends, and one in
 * the second that receives.
 *
 * With f(d) = 1/d, K = 3 and no logarithm it is (twice) the Coulomb energy of charges
 * a = b. With charges that hold 1/phi, phi times the logarithms are what empty dyads cost in
 * a negative binomial likelihood, whose two directions have a frailty each or share one.
 * With phi = 1 it is the logistic likelihood's.
 *
 * @param z N x K matrix, a row a node's position
 * @param log_a logarithms of N sender charges; all 0 in the tutorial's model
 * @param log_b logarithms of N receiver charges
 * @param logarithm 0 or 1
 * @param shared 0 or 1
 * @param halves 0 or 1; the first half is the first N %/% 2 nodes
 * @param softening eps >= 0, see log_form
 * @param form distance form, see log_form
 * @return the sum; O(N^2) time, O(N) memory beyond the autodiff stack;
 *   +infinity for form 1 when two nodes coincide and eps = 0
 */
real kernel_sum(matrix z, vector log_a, vector log_b, int logarithm, int shared,
                int halves, real softening, int form) {
  int N = rows(z);
  int half = N %/% 2;
  vector[N] a = exp(log_a);
  vector[N] b = exp(log_b);
  array[N] row_vector[cols(z)] p;
  real total = 0;
  for (i in 1 : N)
    p[i] = z[i];
  for (i in 1 : (halves ? half : N - 1)) {
    int before = halves ? half : i;
    int rest = N - before;
    vector[rest] f;
    vector[rest] there;
    vector[rest] back;
    for (j in 1 : rest)
      f[j] = halves && j == i ? 0
             : exp(log_form(squared_distance(p[i], p[before + j]), softening, form));
    there = a[i] * b[(before + 1) : N] .* f;
    back = b[i] * a[(before + 1) : N] .* f;
    if (!logarithm)
      total += sum(there + back);
    else if (shared)
      total += sum(log1p(there + back));
    else
      total += sum(log1p(there)) + sum(log1p(back));
  }
  return total;
}

/**
 * Charged edge sum: listed terms of a kernel sum, weighted.
 *
 *   term = 0:  sum_e weight[e] * u_e
 *   term = 1:  sum_e weight[e] * log1p(u_e)
 *   term = 2:  sum_e weight[e] * (log1p(u_e) - log f(|z[s] - z[r]|))
 *
 *   u_e = (a[s] * b[r] * exp(log_charge[e])
 *          + back[e] * a[r] * b[s] * exp(back_log_charge[e])) * f(|z[s] - z[r]|)
 *
 * with s = sender[e], r = receiver[e]: what single dyads take out of a sum over all
 * pairs, or put in with a charge of their own; and what observed edges add to it.
 *
 * @param z, log_a, log_b, sender, receiver, weight, softening, form see above
 * @param term 0, 1 or 2
 * @param back 1 where the term has the reverse direction in it, else 0
 * @param log_charge, back_log_charge log charges of the dyads and of their reverses; both of
 *   size 0 where there are none
 * @return the sum; O(E) time
 */
real charged_edge_sum(matrix z,
                      vector log_a,
                      vector log_b,
                      array[] int sender,
                      array[] int receiver,
                      vector back,
                      vector weight,
                      vector log_charge,
                      vector back_log_charge,
                      int term,
                      real softening,
                      int form) {
  real total = 0;
  for (e in 1 : size(sender)) {
    int s = sender[e];
    int r = receiver[e];
    real there = exp(log_a[s] + log_b[r]);
    real reverse = back[e] * exp(log_a[r] + log_b[s]);
    real log_f = log_form(squared_distance(z[s], z[r]), softening, form);
    real u;
    if (size(log_charge) > 0) {
      there *= exp(log_charge[e]);
      reverse *= exp(back_log_charge[e]);
    }
    u = (there + reverse) * exp(log_f);
    if (term == 0)
      total += weight[e] * u;
    else if (term == 1)
      total += weight[e] * log1p(u);
    else
      total += weight[e] * (log1p(u) - log_f);
  }
  return total;
}

/**
 * Positions from the coordinates the sampler moves in: z = C x.
 *
 * @param factor N x N matrix C
 * @param x N x K matrix
 * @return N x K matrix C x
 */
matrix precondition(matrix factor, matrix x) {
  return factor * x;
}
