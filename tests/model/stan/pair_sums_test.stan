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
  real softening;
  int form;
  vector[N] fixed_charge;
  matrix[N, N] factor;
}
transformed data {
  // z = factor * x is rounded differently by every way of adding up: near pairs must not count
  real well_conditioned = softening + 1;
  vector[0] none = rep_vector(0, 0);
  vector[N] none_of_all = rep_vector(0, N);
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
  for (logarithm in 0 : 1)
    for (shared in 0 : 1) {
      for (halves in 0 : 1)
        target += kernel_sum(x, a, 1 * b, logarithm, shared, halves, softening, form);
      target += kernel_sum(1 * x, a + 0, fixed_charge, logarithm, shared, 0, softening,
                           form);
      target += kernel_sum(x, fixed_charge, b, logarithm, shared, 0, softening, form);
      target += kernel_sum(z, fixed_charge, fixed_charge, logarithm, shared, 0,
                           well_conditioned, form);
    }
  for (halves in 0 : 1)
    target += kernel_sum(z, none_of_all, none_of_all, 0, 0, halves, well_conditioned,
                         form);
  for (term in 0 : 2) {
    target += charged_edge_sum(1 * x, a, 1 * b, sender, receiver, back, weight,
                               own + 0, own_reverse, term, softening, form);
    target += charged_edge_sum(x, fixed_charge, b, sender, receiver, back, weight, none,
                               none, term, softening, form);
    target += charged_edge_sum(z, fixed_charge, fixed_charge, sender, receiver, back,
                               weight, none, none, term, well_conditioned, form);
    target += charged_edge_sum(z, fixed_charge, fixed_charge, sender, receiver, back,
                               weight, own, own_reverse, term, well_conditioned, form);
  }
}
