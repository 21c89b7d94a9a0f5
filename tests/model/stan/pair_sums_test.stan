// Every function of pair_sums.stan, with every argument that can have a gradient
// as a parameter: tests compile it with both kernels. It is no model: of its parameters
// stanc --warn-pedantic says that they have no prior, or take part in many terms.
functions {
  #include pair_sums.stan
}
data {
  int<lower=1> N;
  int<lower=1> K;
  int<lower=0> E;
  array[E] int sender;
  array[E] int receiver;
  vector[E] weight;
  vector[E] back;
  int<lower=0> H;
  array[H] int hidden_sender;
  array[H] int hidden_receiver;
  real softening;
  int form;
  vector[N] fixed_charge;
  matrix[N, N] factor;
}
transformed data {
  // z = factor * x is rounded differently by every way of adding up: near pairs must not count
  real well_conditioned = softening + 1;
  vector[N] fixed_positive = exp(fixed_charge);
  vector[0] none = rep_vector(0, 0);
}
parameters {
  matrix[N, K] x;
  vector[N] a;
  vector[N] b;
  vector[E] own;
  vector[E] own_reverse;
}
model {
  matrix[N, K] z = precondition(factor, 1 * x); // arguments may be expressions
  target += edge_sum(1 * x, sender, receiver, weight, softening, form);
  target += kernel_sum(x, a, b, hidden_sender, hidden_receiver, softening, form);
  target += kernel_sum(1 * x, a + 0, fixed_charge, hidden_sender, hidden_receiver,
                       softening, form);
  target += kernel_sum(x, fixed_charge, b, hidden_sender, hidden_receiver, softening,
                       form);
  target += kernel_sum(z, fixed_charge, fixed_charge, hidden_sender, hidden_receiver,
                       well_conditioned, form);
  {
    vector[N] p = exp(a); // charges of a logarithm are positive
    vector[N] q = exp(b);
    for (shared in 0 : 1)
      target += log1p_kernel_sum(1 * x, p, 1 * q, softening, form, shared);
    target += log1p_kernel_sum(x, p, fixed_positive, softening, form, 0);
    for (logarithm in 0 : 1) {
      target += charged_edge_sum(1 * x, p, 1 * q, sender, receiver, back, weight,
                                 own + 0, own_reverse, softening, form, logarithm);
      target += charged_edge_sum(x, fixed_positive, q, sender, receiver, back, weight,
                                 none, none, softening, form, logarithm);
      target += charged_edge_sum(z, fixed_positive, fixed_positive, sender, receiver,
                                 back, weight, none, none, well_conditioned, form,
                                 logarithm);
      target += charged_edge_sum(z, fixed_positive, fixed_positive, sender, receiver,
                                 back, weight, own, own_reverse, well_conditioned, form,
                                 logarithm);
    }
  }
}
