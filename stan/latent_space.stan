/* A latent space model of a weighted network.
 *
 * Every node n has a position z_n in R^K. The closer two nodes, the heavier
 * their connection:
 *
 *     z_n  ~ normal(0, prior_scale)               each coordinate
 *     Y_ij ~ poisson(1 / |z_i - z_j|)             each ordered pair, i != j
 *     Y_ii ~ poisson(1 / sqrt(jitter))            the diagonal
 *
 * which is Edward's tutorial "Latent Space Models for Neural Data". There the
 * likelihood runs over all N x N cells of a dense matrix, and the diagonal is
 * kept finite by adding jitter = 1e3 to its squared distance of zero.
 *
 * Written out, the Poisson log likelihood is
 *
 *     sum over edges  Y_ij log(1 / d_ij)          the edge sum
 *   - sum over pairs  1 / d_ij                    the kernel sum
 *   - sum over edges  log(Y_ij !)                 constant
 *   + the diagonal                                constant
 *
 * so that only observed edges need to be stored, and no N x N array is needed
 * anywhere. The density is normalised: lp__ is the log joint density of
 * positions and network with every constant, comparable across methods.
 */
functions {
#include pair_sums.stan
}
data {
  int<lower=1> N;                              // nodes
  int<lower=1> K;                              // latent dimensions
  int<lower=0> E;                              // observed edges, i != j
  array[E] int<lower=1, upper=N> sender;
  array[E] int<lower=1, upper=N> receiver;
  array[E] int<lower=1> weight;                // Y_ij where it is not 0
  array[N] int<lower=0> self_weight;           // Y_ii
  // 2: Y_ij and Y_ji are two observations. 1: the network is undirected, a
  // pair is one observation and an edge is listed once.
  int<lower=1, upper=2> cells_per_pair;
  real<lower=0> jitter;                        // added to the diagonal's squared distance
  real<lower=0> prior_scale;                   // sd of each coordinate
  real<lower=0> softening;                     // eps in d = sqrt(d^2 + eps^2); 0: exact
  // A change of variables z = factor * z_raw, for samplers and optimisers only:
  // the posterior of z is the same with and without.
  int<lower=0, upper=1> preconditioned;
  matrix[preconditioned ? N : 0, preconditioned ? N : 0] factor;
}
transformed data {
  int inverse = 1;                             // the distance form f(d) = 1 / d
  vector[E] y = to_vector(weight);
  vector[N] unit_charge = rep_vector(1, N);    // no sender or receiver effects
  array[0] int none;                           // no hidden dyads
  real constant = poisson_lpmf(self_weight | inv_sqrt(jitter));
  for (e in 1 : E)
    constant -= lgamma(weight[e] + 1);
  constant += N * K * normal_lpdf(0 | 0, prior_scale);
}
parameters {
  matrix[N, K] z_raw;                          // z itself, unless preconditioned
}
transformed parameters {
  matrix[N, K] z;                              // latent positions, a row a node
  if (preconditioned)
    z = precondition(factor, z_raw);
  else
    z = z_raw;
}
model {
  // The Jacobian of z = factor * z_raw is a constant and left out, so that
  // lp__ is the log joint density of z.
  target += -0.5 / square(prior_scale) * dot_self(to_vector(z));  // the prior
  target += edge_sum(z, sender, receiver, y, softening, inverse);
  target += -0.5 * cells_per_pair
            * kernel_sum(z, unit_charge, unit_charge, none, none, softening,
                         inverse);
  target += constant;
}
