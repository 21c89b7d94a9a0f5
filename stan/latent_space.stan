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
 * has no charge b and the second none a; each of the first meets all of the second but
 * itself.
 *
 * Covariates x_ij of nodes, of the sender or the receiver, are parts of their charges.
 * A dyad of which other covariates are not 0 has a charge of its own: it is taken out
 * of the sum over all pairs and put in again with it. An offset is a covariate of
 * coefficient 1.
 *
 * Positions can have G clusters (Handcock, Raftery & Tantrum, JRSS A 170, 2007),
 *
 *     z_n ~ sum over g of theta_g normal(centre_g, sigma_cluster_g)
 *
 * summed over, so that no node has a label.
 *
 * There can be L networks of the same nodes, layers, in one space:
 *
 *     z_l = z_from + sigma_change step_l change_l       change ~ normal(0, 1)
 *
 * where the layer that l comes from is an earlier one (layers in time), or none, and its change
 * is from the node's own z (animals); without steps all layers share z. A node in a layer that
 * has it is a member; the edges of all layers are between members, and only the sum over pairs
 * has to go through the layers. Every layer has an intercept, and effects if asked for.
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
  #include scales.stan
  #include positions.stan
  #include layers.stan
  #include effects.stan
  #include sites.stan
  #include dyads.stan
  #include frailties.stan
}
data {
  // The network
  int<lower=1> n_nodes;
  int<lower=1> n_dims; // dimensions of the latent space

  // Its layers, and their members: the nodes of each, one layer after the other. A network
  // alone is one layer with all nodes.
  int<lower=1> n_layers;
  int<lower=1> n_members;
  array[n_members] int<lower=1, upper=n_nodes> member_node;
  array[n_members] int<lower=1, upper=n_layers> member_layer; // ascending, each at least once
  array[n_layers] int<lower=0> from_layer; // an earlier one; 0: none, but the nodes' own z
  vector<lower=0>[n_layers] step; // of the layer's change; 0: it has none
  int<lower=1, upper=n_layers> n_effect_sets; // n_layers: effects differ by layer; or 1

  // Edges and dyads, whose ends are members
  int<lower=0> n_edges; // between different nodes, of weight > 0
  array[n_edges] int<lower=1, upper=n_members> sender;
  array[n_edges] int<lower=1, upper=n_members> receiver;
  array[n_edges] int<lower=1> weight;
  int<lower=0, upper=1> has_diagonal; // are self-loops observations?
  array[has_diagonal ? n_members : 0] int<lower=0> self_weight;
  // 2: the two directions of a pair are two observations. 1: the network is undirected,
  // a pair is one observation, and an edge is listed once.
  int<lower=1, upper=2> cells_per_pair;

  // Weights that share a frailty, added up. back: 1 where the total is that of both
  // directions of a pair.
  int<lower=0> n_totals;
  array[n_totals] int<lower=1, upper=n_members> total_sender;
  array[n_totals] int<lower=1, upper=n_members> total_receiver;
  vector[n_totals] total_back;
  array[n_totals] int<lower=1> total;

  // What was not observed, and is taken out of the sum over all dyads. Likelihood 1 lists
  // the hidden dyads themselves, both ways if the network is undirected.
  int<lower=0> n_hidden;
  array[n_hidden] int<lower=1, upper=n_members> hidden_sender;
  array[n_hidden] int<lower=1, upper=n_members> hidden_receiver;
  vector[n_hidden] hidden_back;
  vector[n_hidden] hidden_weight;

  // Covariates of nodes, and of dyads. A dyad whose covariates are not all 0 has a charge
  // of its own and is listed here; reverse: the covariates of its reverse. Those without a
  // coefficient, the last, are offsets.
  int<lower=0> n_node_covariates;
  int<lower=0, upper=n_node_covariates> n_node_coefficients;
  matrix[n_node_covariates ? n_members : 0, n_node_covariates] sender_covariate;
  matrix[n_node_covariates ? n_members : 0, n_node_covariates] receiver_covariate;
  int<lower=0> n_dyad_covariates;
  int<lower=0, upper=n_dyad_covariates> n_dyad_coefficients;
  vector[n_dyad_covariates] weighted_covariate; // summed over edges, times their weights
  matrix[n_dyad_covariates ? n_totals : 0, n_dyad_covariates] total_covariate;
  matrix[n_dyad_covariates ? n_totals : 0, n_dyad_covariates] total_reverse_covariate;
  int<lower=0> n_charged;
  array[n_charged] int<lower=1, upper=n_members> charged_sender;
  array[n_charged] int<lower=1, upper=n_members> charged_receiver;
  vector[n_charged] charged_back;
  vector[n_charged] charged_weight;
  matrix[n_dyad_covariates ? n_charged : 0, n_dyad_covariates] charged_covariate;
  matrix[n_dyad_covariates ? n_charged : 0, n_dyad_covariates] charged_reverse_covariate;

  // The model
  int<lower=1, upper=4> form; // of f; 4: the inner product
  int<lower=1, upper=4> likelihood; // as above
  int<lower=0, upper=1> has_intercept;
  // 2: a node has a sender and a receiver effect. 1: one effect that is both (undirected
  // networks). 0: none.
  int<lower=0, upper=2> n_effects;
  int<lower=0, upper=1> has_roles; // does a node send and receive at two positions?
  int<lower=0> n_clusters; // of positions; 0: no mixture
  // Are scales, and the effects' correlation, parameters? Not at a mode: there the joint
  // density grows without bound as a scale falls to 0.
  int<lower=0, upper=1> learned_effects;
  int<lower=0, upper=1> learned_roles;
  int<lower=0, upper=1> learned_positions;
  int<lower=0, upper=1> learned_clusters;
  int<lower=0, upper=1> learned_changes;

  // Priors
  real<lower=0> jitter; // added to the diagonal's squared distance
  real<lower=0> prior_scale; // sd of each coordinate, where not learned
  real<lower=0> sigma_z_scale; // of its half-normal, where learned
  real<lower=0> intercept_scale; // sd of the intercept
  real<lower=0> sigma_scale; // of the half-normal scales of effects and roles
  real<lower=0> sigma_fixed; // scale of effects, where not learned
  real<lower=0> role_fixed; // scale of roles, where not learned
  real<lower=0> phi_scale; // of the half-normal 1 / sqrt(phi)
  vector<lower=0>[n_node_coefficients + n_dyad_coefficients] coefficient_scale; // their sds
  real<lower=0> cluster_fixed; // sd of a cluster, in units of the positions'
  real<lower=0> cluster_scale; // sd of its logarithm, where learned
  real<lower=0> concentration; // of the shares' Dirichlet
  real<lower=0> change_fixed; // scale of changes, in units of the positions'
  real<lower=0> change_scale; // of its half-normal, where learned

  // Numerics
  real<lower=0> softening; // eps in d = sqrt(d^2 + eps^2); 0: exact
  // A change of variables z = factor * z_raw, for samplers and optimisers only: the
  // posterior of z is the same with and without.
  int<lower=0, upper=1> preconditioned;
  matrix[preconditioned ? n_nodes : 0, preconditioned ? n_nodes : 0] factor;
}
transformed data {
  int has_frailty = likelihood == 2 || likelihood == 3;
  int has_charges = n_layers > 1 || likelihood > 1 || has_intercept || n_effects > 0
                    || has_roles || form == 4
                    || n_node_covariates + n_dyad_covariates > 0;
  int is_inner = form == 4;
  int distance_form = is_inner ? 3 : form;
  int n_scales = learned_effects * n_effects;
  int n_changes = 0;
  array[n_layers] int layer_size = tally(member_layer)[2];
  array[n_members] int member_effect = member_node; // row of its effects
  int n_sites = has_roles ? 2 * n_members : n_members;
  int shift = n_sites - n_members; // from a member to where it receives
  array[n_edges] int to;
  array[n_totals] int total_to;
  // dyads not as all: the hidden ones, then those charged, first taken out, then put in
  int n_listed = n_hidden + 2 * n_charged;
  int n_taken = n_hidden + n_charged;
  array[n_listed] int listed = append_array(hidden_sender,
                                            append_array(charged_sender, charged_sender));
  array[n_listed] int listed_to = append_array(hidden_receiver,
                                               append_array(charged_receiver,
                                                            charged_receiver));
  vector[n_listed] listed_back = append_row(hidden_back,
                                            append_row(charged_back, charged_back));
  vector[n_listed] listed_weight = append_row(-hidden_weight,
                                              append_row(-charged_weight, charged_weight));
  int n_own = n_dyad_covariates ? n_listed : 0;
  matrix[n_own, n_dyad_covariates] listed_covariate = rep_matrix(0, n_own,
                                                                 n_dyad_covariates);
  matrix[n_own, n_dyad_covariates] listed_reverse_covariate = listed_covariate;
  vector[n_edges] y = to_vector(weight);
  vector[n_totals] total_weight = to_vector(total);
  int n_distinct = size(tally(total)[1]);
  array[2, n_distinct] int tallied = tally(total);
  vector[n_nodes] unit = rep_vector(0, n_nodes); // logarithm of charges of 1
  vector[0] none = rep_vector(0, 0);
  vector[n_members] sent = rep_vector(0, n_members); // out- and in-strength
  vector[n_members] received = rep_vector(0, n_members);
  real constant = poisson_lpmf(self_weight | inv_sqrt(jitter)) - sum(lgamma(y + 1));
  for (l in 1 : n_layers)
    n_changes += step[l] > 0;
  if (n_effect_sets > 1)
    for (m in 1 : n_members)
      member_effect[m] += (member_layer[m] - 1) * n_nodes;
  for (k in 1 : n_totals)
    total_to[k] = total_receiver[k] + shift;
  for (d in 1 : n_listed)
    listed_to[d] += shift;
  if (n_dyad_covariates > 0) {
    listed_covariate[(n_taken + 1) : n_listed] = charged_covariate;
    listed_reverse_covariate[(n_taken + 1) : n_listed] = charged_reverse_covariate;
  }
  for (e in 1 : n_edges) {
    to[e] = receiver[e] + shift;
    sent[sender[e]] += weight[e];
    received[receiver[e]] += weight[e];
  }
}
parameters {
  // Every parameter has a prior. stanc --warn-pedantic misses them, since data that
  // choose the model decide which.
  matrix[n_nodes, n_dims] z_raw; // z, in units of its scale if that is learned
  matrix[has_roles ? n_nodes : 0, n_dims] role_raw; // in units of its scale
  vector[has_intercept ? n_layers : 0] intercept;
  vector[has_frailty] log_phi;
  matrix[n_nodes * n_effect_sets, n_effects] effect_raw; // in units of their scales, uncorrelated
  vector[n_scales] log_sigma;
  vector[n_scales == 2] rho_raw;
  vector[learned_roles] log_sigma_role;
  vector[learned_positions] log_sigma_z;
  vector[n_node_coefficients + n_dyad_coefficients] coefficient; // of nodes first
  matrix[n_clusters, n_dims] centre;
  vector[max(n_clusters - 1, 0)] theta_raw; // log(theta / theta[last])
  vector[learned_clusters ? n_clusters : 0] log_omega; // sigma_cluster / scale of z
  array[n_changes] matrix[n_nodes, n_dims] change_raw; // in units of their scale
  vector[learned_changes] log_sigma_change; // in units of the scale of z
}
transformed parameters {
  vector[learned_positions] sigma_z = exp(log_sigma_z);
  matrix[n_nodes, n_dims] z; // latent positions, a row a node
  vector[has_frailty] phi = exp(log_phi); // frailties are gamma(phi, phi)
  vector[n_scales] sigma = exp(log_sigma); // scales of the effects
  vector[n_scales == 2] rho = tanh(rho_raw); // correlation of a node's two effects
  matrix[n_nodes * n_effect_sets, n_effects] effect = effects(effect_raw, sigma, rho,
                                                              sigma_fixed);
  vector[learned_roles] sigma_role = exp(log_sigma_role);
  matrix[has_roles ? n_nodes : 0, n_dims] role = (learned_roles ? sigma_role[1]
                                                  : role_fixed)
                                                 * role_raw;
  // shares and standard deviations of the clusters
  vector[n_clusters] theta = n_clusters > 0 ? softmax(append_row(theta_raw, 0))
                             : theta_raw;
  vector[n_clusters] sigma_cluster = (learned_positions ? sigma_z[1] : prior_scale)
                                     * (learned_clusters ? exp(log_omega)
                                        : rep_vector(cluster_fixed, n_clusters));
  if (preconditioned)
    z = precondition(factor, z_raw);
  else
    z = z_raw;
  if (learned_positions)
    z *= sigma_z[1];
}
model {
  real scale = learned_positions ? sigma_z[1] : prior_scale;

  // Priors
  target += positions_lpdf(z | scale, theta, centre, sigma_cluster);
  target += position_scale_lpdf(log_sigma_z | sigma_z_scale, n_nodes * n_dims);
  target += clusters_lpdf(centre | theta, log_omega, scale, concentration, cluster_fixed,
                          cluster_scale);
  target += effects_lpdf(effect_raw | log_sigma, rho, sigma_scale);
  target += effects_lpdf(role_raw | log_sigma_role, rep_vector(0, 0), sigma_scale);
  target += dispersion_lpdf(log_phi | phi_scale);
  target += changes_lpdf(change_raw | log_sigma_change, change_scale);
  target += normal_lpdf(intercept | 0, intercept_scale);
  target += normal_lpdf(coefficient | 0, coefficient_scale);

  // Likelihood
  target += constant;
  if (has_charges) {
    real change = scale * (learned_changes ? exp(log_sigma_change[1]) : change_fixed);
    matrix[n_members, n_dims] at = positions_of_members(z, change_raw, change,
                                     from_layer, step, member_node, layer_size);
    matrix[shift, n_dims] role_there = has_roles && n_layers > 1 ? role[member_node]
                                       : role;
    matrix[n_sites, n_dims] x = sites(at, role_there, is_inner);
    vector[n_node_covariates] of_nodes = and_ones(head(coefficient, n_node_coefficients),
                                                  n_node_covariates);
    // a half to each: with an inner product the level makes up for the charges
    vector[n_members] half_level = 0.5
                                   * (levels_of_members(intercept, member_layer)
                                      - sum(log_phi));
    matrix[n_members, n_effects] effect_there = n_layers > 1 ? effect[member_effect]
                                                : effect;
    vector[n_sites] log_a = log_charges(half_level, effect_there, 1, sender_covariate,
                                        of_nodes, x, 1, is_inner);
    vector[n_sites] log_b = log_charges(half_level, effect_there, n_effects,
                                        receiver_covariate, of_nodes, x,
                                        shift + 1, is_inner);
    vector[n_dyad_covariates] slope = and_ones(tail(coefficient, n_dyad_coefficients),
                                               n_dyad_covariates);
    target += charges_of_edges(log_a, log_b, sent, received)
              + dot_product(weighted_covariate, slope);
    if (has_frailty)
      target += frail_edges(x, log_a, log_b, total_sender, total_to, total_back,
                            total_weight, tallied, total_covariate * slope,
                            total_reverse_covariate * slope, phi[1], softening,
                            distance_form);
    else
      target += edge_sum(x, sender, to, y, softening, distance_form);
    target += -(has_frailty ? phi[1] : 1)
              * all_dyads(x, log_a, log_b, layer_size, listed, listed_to, listed_back,
                          listed_weight, listed_covariate * slope,
                          listed_reverse_covariate * slope, cells_per_pair, likelihood,
                          softening, distance_form);
  } else
    target += edge_sum(z, sender, receiver, y, softening, form)
              - all_dyads(z, unit, unit, layer_size, listed, listed_to, listed_back,
                          listed_weight, none, none, cells_per_pair, likelihood,
                          softening, form);
}
