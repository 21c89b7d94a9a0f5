/* Edward's tutorial "Latent Space Models for Neural Data", as a user of Stan writes it.
 *
 *     z_n  ~ normal(0, I)
 *     Y_ij ~ poisson(1 / |z_i - z_j|)      over all N x N cells
 *
 * One vector a node, distance() for each pair, a Poisson statement for each of
 * the N x N cells, the diagonal's with a constant rate. Faster than the three
 * matrix operations of literal.stan; its density is the same.
 */
data {
  int<lower=1> N;
  int<lower=1> K;
  array[N, N] int<lower=0> Y;
}
parameters {
  array[N] vector[K] z;
}
model {
  for (n in 1 : N)
    z[n] ~ normal(0, 1);
  for (i in 1 : N)
    for (j in 1 : N)
      if (i == j)
        Y[i, j] ~ poisson(1 / sqrt(1e3));
      else
        Y[i, j] ~ poisson(1 / distance(z[i], z[j]));
}
