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
 * parameters and network with every constant. It is comparable across methods
 * where these have the same parameters: modes have no learned scales.
 *
 * Around it lies a family of models, of which data choose one:
 *
 *     log mu_ij = intercept + sender_i + receiver_j + x_ij beta + log f(d_ij)
 *
 * with f(d) = 1/d, exp(-d), exp(-d^2), or z_i . z_j in place of log f(d_ij), and
 *
 *     1  Y_ij ~ poisson(mu_ij)
 *     2  Y_ij ~ neg_binomial_2(mu_ij, phi)        a gamma frailty for each dyad
 *     3  Y_ij ~ poisson(g_ij mu_ij)               one for both directions,
 *        g_ij = g_ji ~ gamma(phi, phi)            which makes them correlated
 *     4  Y_ij ~ bernoulli_logit(log mu_ij)        binary networks
 *
 * A node can have two positions, one in each role: it sends from z_i + role_i and
 * receives at z_i - role_i, and d_ij is between the two that meet. All senders and
 * all receivers are then 2 N nodes to the sums over pairs, of which the first half
 * has no charge b and the second none a; a node with itself is a hidden dyad.
 *
 * Covariates x_ij of nodes, of the sender or the receiver, are parts of their charges.
 * A dyad of which other covariates are not 0 has a charge of its own: it is taken out
 * of the sum over all pairs and put in again with it.
 *
 * Positions can have G clusters (Handcock, Raftery & Tantrum, JRSS A 170, 2007),
 *
 *     z_n ~ sum over g of theta_g normal(centre_g, sigma_cluster_g)
 *
 * summed over, so that no node has a label.
 *
 * The diagonal of these models is not modelled. With u_ij = mu_ij / phi (phi = 1 in 4) the log
 * likelihoods 2 to 4 are
 *
 *     sum over edges  Y_ij log u_ij
 *   - sum over totals T log(1 + u)                not in 4
 *   - phi * sum over pairs  log(1 + u)            the log kernel sum
 *   + sum over totals  lgamma(phi + T) - lgamma(phi)
 *   - sum over edges  log(Y_ij !)
 *
 * A total is what shares a frailty: in 2 an edge; in 3 the two directions of a
 * pair, u then being u_ij + u_ji.
 *
 * No parameter is declared with bounds, so lp__ has no Jacobian of Stan's: it is
 * one density, of the parameters as declared, for modes and for samplers.
 */
functions {
#include pair_sums.stan

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
  real first = 0.5 * t * (t - 1);              // sums over k < t of k, k^2, k^3
  real second = first * (2 * t - 1) / 3;
  real third = square(first);
  if (phi > 1e4 * t)                           // both branches agree there to 1e-12
    return t * log(phi) + (first - (0.5 * second - third / (3 * phi)) / phi) / phi;
  return lgamma(phi + t) - lgamma(phi);
}
}
data {
  int<lower=1> N;                              // nodes
  int<lower=1> K;                              // latent dimensions
  int<lower=0> E;                              // observed edges, i != j
  array[E] int<lower=1, upper=N> sender;
  array[E] int<lower=1, upper=N> receiver;
  array[E] int<lower=1> weight;                // Y_ij where it is not 0
  int<lower=0, upper=1> diagonal;              // is it modelled?
  array[diagonal ? N : 0] int<lower=0> self_weight;  // Y_ii
  // 2: Y_ij and Y_ji are two observations. 1: the network is undirected, a
  // pair is one observation and an edge is listed once.
  int<lower=1, upper=2> cells_per_pair;
  // Totals of a frailty, and what has to be taken out of the sum over pairs
  // because it was not observed: terms log(1 + u), u with (back = 1) or without
  // the reverse direction. In 1 the hidden dyads themselves, both ways if
  // undirected.
  int<lower=0> T;
  array[T] int<lower=1, upper=N> total_sender;
  array[T] int<lower=1, upper=N> total_receiver;
  vector[T] total_back;
  array[T] int<lower=1> total;
  int<lower=0> H;
  array[H] int<lower=1, upper=N> hidden_sender;
  array[H] int<lower=1, upper=N> hidden_receiver;
  vector[H] hidden_back;
  vector[H] hidden_weight;
  // Covariates: P of nodes; Q of dyads, which D terms have that are not 0. Of the
  // totals' covariates and of the terms' there are those of the dyad and those of
  // its reverse.
  int<lower=0> P;
  matrix[P ? N : 0, P] sender_covariate;
  matrix[P ? N : 0, P] receiver_covariate;
  int<lower=0> Q;
  vector[Q] edge_covariate;                    // sum over edges of Y_ij x_ij
  matrix[Q ? T : 0, Q] total_covariate;
  matrix[Q ? T : 0, Q] total_back_covariate;
  int<lower=0> D;
  array[D] int<lower=1, upper=N> own_sender;
  array[D] int<lower=1, upper=N> own_receiver;
  vector[D] own_back;
  vector[D] own_weight;
  matrix[Q ? D : 0, Q] own_covariate;
  matrix[Q ? D : 0, Q] own_back_covariate;
  // The model
  int<lower=1, upper=4> form;                  // of f; 4: the inner product
  int<lower=1, upper=4> likelihood;            // as above
  int<lower=0, upper=1> has_intercept;
  // 2: a sender and a receiver effect for each node. 1: one effect that is
  // both (undirected networks). 0: none.
  int<lower=0, upper=2> R;
  int<lower=0, upper=1> roles;                 // has a node two positions?
  int<lower=0> G;                              // clusters of positions; 0: no mixture
  // Are scales and correlation of the effects, and the scale of the positions,
  // parameters? Not at a mode: the joint density has none but at scale 0.
  int<lower=0, upper=1> learned_effects;
  int<lower=0, upper=1> learned_roles;
  int<lower=0, upper=1> learned_positions;
  int<lower=0, upper=1> learned_clusters;
  // Priors
  real<lower=0> jitter;                        // added to the diagonal's squared distance
  real<lower=0> prior_scale;                   // sd of each coordinate, where not learned
  real<lower=0> sigma_z_scale;                 // of its half-normal, where learned
  real<lower=0> intercept_scale;               // sd of the intercept
  real<lower=0> sigma_scale;                   // of the half-normal scales of effects
  real<lower=0> sigma_fixed;                   // those scales, where not learned
  real<lower=0> role_fixed;                    // sd of each coordinate of role, likewise
  real<lower=0> phi_scale;                     // of the half-normal 1 / sqrt(phi)
  vector<lower=0>[P + Q] beta_scale;           // sd of each covariate's coefficient
  real<lower=0> cluster_fixed;                 // sd of a cluster, in units of the positions'
  real<lower=0> cluster_scale;                 // sd of its logarithm, where learned
  real<lower=0> concentration;                 // of theta's Dirichlet
  // Numerics
  real<lower=0> softening;                     // eps in d = sqrt(d^2 + eps^2); 0: exact
  // A change of variables z = factor * z_raw, for samplers and optimisers only:
  // the posterior of z is the same with and without.
  int<lower=0, upper=1> preconditioned;
  matrix[preconditioned ? N : 0, preconditioned ? N : 0] factor;
}
transformed data {
  int charged = likelihood > 1 || has_intercept || R > 0 || roles || form == 4
                || P + Q > 0;
  int dispersed = likelihood == 2 || likelihood == 3;
  int distance_form = form == 4 ? 3 : form;
  int shared = likelihood == 3;
  int scales = learned_effects * R;
  int M = roles ? 2 * N : N;                   // nodes in the sums over pairs
  array[E] int to;                             // who receives
  array[T] int total_to;
  array[H] int hidden_to;
  array[D] int own_to;
  vector[0] none = rep_vector(0, 0);           // no charge of its own
  vector[E] y = to_vector(weight);
  vector[T] t = to_vector(total);
  array[T] int ascending = sort_asc(total);
  vector[N] unit_charge = rep_vector(1, N);    // no sender or receiver effects
  vector[N] sent = rep_vector(0, N);           // out- and in-strength
  vector[N] received = rep_vector(0, N);
  real constant = poisson_lpmf(self_weight | inv_sqrt(jitter));
  for (k in 1 : T)
    total_to[k] = total_receiver[k] + M - N;
  for (h in 1 : H)
    hidden_to[h] = hidden_receiver[h] + M - N;
  for (d in 1 : D)
    own_to[d] = own_receiver[d] + M - N;
  for (e in 1 : E) {
    to[e] = receiver[e] + M - N;
    constant -= lgamma(weight[e] + 1);
    sent[sender[e]] += weight[e];
    received[receiver[e]] += weight[e];
  }
}
parameters {
  // Every parameter has a prior. stanc --warn-pedantic misses them, since data that
  // choose the model decide which.
  matrix[N, K] z_raw;                          // z, in units of its scale if that is learned
  matrix[roles ? N : 0, K] role_raw;           // in units of its scale
  vector[has_intercept] intercept;
  vector[dispersed] log_phi;
  matrix[N, R] effect_raw;                     // effects in units of their scales
  vector[scales] log_sigma;
  vector[scales == 2] rho_raw;
  vector[learned_roles] log_sigma_role;
  vector[learned_positions] log_sigma_z;
  vector[P + Q] beta;                          // those of nodes, then those of dyads
  matrix[G, K] centre;
  vector[max(G - 1, 0)] theta_raw;             // log(theta_g / theta_G)
  vector[learned_clusters ? G : 0] log_omega;  // omega_g = sigma_cluster_g / scale of z
}
transformed parameters {
  matrix[N, K] z;                              // latent positions, a row a node
  vector[dispersed] phi = exp(log_phi);
  vector[scales] sigma = exp(log_sigma);       // scales of the effects
  vector[scales == 2] rho = tanh(rho_raw);     // correlation of a node's two effects
  vector[learned_roles] sigma_role = exp(log_sigma_role);
  matrix[roles ? N : 0, K] role = (learned_roles ? sigma_role[1] : role_fixed) * role_raw;
  vector[learned_positions] sigma_z = exp(log_sigma_z);
  matrix[N, R] effect;                         // columns: sender, receiver
  vector[G] theta                              // shares of the clusters
    = G > 0 ? softmax(append_row(theta_raw, 0)) : theta_raw;
  vector[G] sigma_cluster = (learned_positions ? sigma_z[1] : prior_scale)
                            * (learned_clusters ? exp(log_omega)
                                                : rep_vector(cluster_fixed, G));
  if (preconditioned)
    z = precondition(factor, z_raw);
  else
    z = z_raw;
  if (learned_positions)
    z *= sigma_z[1];
  if (scales == 2) {
    effect[ : , 1] = sigma[1] * effect_raw[ : , 1];
    effect[ : , 2] = sigma[2]
                     * (rho[1] * effect_raw[ : , 1]
                        + sqrt(1 - square(rho[1])) * effect_raw[ : , 2]);
  } else if (scales == 1)
    effect = sigma[1] * effect_raw;
  else
    effect = sigma_fixed * effect_raw;
}
model {
  // The Jacobian of z = factor * z_raw is a constant and left out: lp__ is what it
  // is without. That of z = sigma_z * z_raw is not.
  if (learned_positions)
    target += normal_lpdf(sigma_z | 0, sigma_z_scale) + log2()
              + (1 + N * K) * log_sigma_z[1];
  if (G > 0) {
    matrix[N, G] log_p;
    for (g in 1 : G)
      log_p[ : , g] = log(theta[g])
                      - 0.5 * rows_dot_self((z - rep_matrix(centre[g], N)) / sigma_cluster[g])
                      + K * normal_lpdf(0 | 0, sigma_cluster[g]);
    for (n in 1 : N)
      target += log_sum_exp(log_p[n]);
    target += normal_lpdf(to_vector(centre) | 0, learned_positions ? sigma_z[1] : prior_scale);
    // theta is Dirichlet, with the Jacobian of softmax
    target += concentration * sum(log(theta)) + lgamma(G * concentration)
              - G * lgamma(concentration);
    target += normal_lpdf(log_omega | log(cluster_fixed), cluster_scale);
  } else if (learned_positions)
    target += normal_lpdf(to_vector(z) | 0, sigma_z[1]);
  else {                                       // normal(0, prior_scale), in parts for speed
    target += -0.5 / square(prior_scale) * dot_self(to_vector(z));
    target += N * K * normal_lpdf(0 | 0, prior_scale);
  }
  target += constant;
  if (!charged) {
    target += edge_sum(z, sender, receiver, y, softening, form);
    target += -0.5 * cells_per_pair
              * kernel_sum(z, unit_charge, unit_charge, hidden_sender,
                           hidden_receiver, softening, form);
  } else {
    matrix[M, K] x;                            // distances are of these
    vector[N] log_a = rep_vector(sum(intercept) - sum(log_phi), N);
    vector[N] log_b = rep_vector(0, N);
    vector[M] a = rep_vector(0, M);            // u_ij = a_i b_j f(d_ij)
    vector[M] b = rep_vector(0, M);
    vector[Q] slope = tail(beta, Q);           // of the dyads' covariates
    real pairs;                                // the sum over pairs
    if (roles)
      x = append_row(z + role, z - role);
    else
      x = z;
    if (R > 0) {
      log_a += effect[ : , 1];
      log_b += effect[ : , R];
    }
    if (P > 0) {
      log_a += sender_covariate * head(beta, P);
      log_b += receiver_covariate * head(beta, P);
    }
    if (form == 4) {                           // z_i . z_j = (|z_i|^2 + |z_j|^2 - d^2) / 2
      x /= sqrt2();
      log_a += rows_dot_self(x[1 : N]);
      log_b += rows_dot_self(x[(M - N + 1) : M]);
    }
    a[1 : N] = exp(log_a);
    b[(M - N + 1) : M] = exp(log_b);
    target += edge_sum(x, sender, to, y, softening, distance_form);
    target += dot_product(sent, log_a) + dot_product(received, log_b);
    target += dot_product(edge_covariate, slope);
    pairs = likelihood == 1
            ? 0.5 * cells_per_pair
              * kernel_sum(x, a, b, hidden_sender, hidden_to, softening, distance_form)
            : (shared ? 1 : 0.5 * cells_per_pair)
              * log1p_kernel_sum(x, a, b, softening, distance_form, shared)
              - charged_edge_sum(x, a, b, hidden_sender, hidden_to, hidden_back,
                                 hidden_weight, none, none, softening, distance_form, 1);
    if (Q > 0) {
      vector[D] own = own_covariate * slope;
      vector[D] own_reverse = own_back_covariate * slope;
      pairs += charged_edge_sum(x, a, b, own_sender, own_to, own_back, own_weight, own,
                                own_reverse, softening, distance_form, likelihood > 1)
               - charged_edge_sum(x, a, b, own_sender, own_to, own_back, own_weight, none,
                                  none, softening, distance_form, likelihood > 1);
    }
    target += -(dispersed ? phi[1] : 1) * pairs;
    if (dispersed) {
      int count = 0;                           // of totals equal to this one so far
      vector[Q ? T : 0] own = total_covariate * slope;
      vector[Q ? T : 0] own_reverse = total_back_covariate * slope;
      target += -charged_edge_sum(x, a, b, total_sender, total_to, total_back, t, own,
                                  own_reverse, softening, distance_form, 1);
      for (k in 1 : T) {
        count += 1;
        if (k == T || ascending[k + 1] != ascending[k]) {
          target += count * log_rising(phi[1], ascending[k]);
          count = 0;
        }
      }
      // 1 / sqrt(phi), the frailty's coefficient of variation, is half-normal
      target += normal_lpdf(inv_sqrt(phi) | 0, phi_scale) - 0.5 * log_phi[1];
    }
    target += normal_lpdf(intercept | 0, intercept_scale);
    target += normal_lpdf(beta | 0, beta_scale);
    target += std_normal_lpdf(to_vector(effect_raw));
    target += std_normal_lpdf(to_vector(role_raw));
    target += normal_lpdf(sigma_role | 0, sigma_scale) + learned_roles * log2()
              + sum(log_sigma_role);
    // sigma is half-normal, rho has the LKJ(2) density 3/4 (1 - rho^2); with the
    // Jacobians of exp and tanh
    target += normal_lpdf(sigma | 0, sigma_scale) + scales * log2()
              + sum(log_sigma);
    target += sum(2 * log1m(square(rho)) + log(0.75));
  }
}
