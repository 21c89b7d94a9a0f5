/* Edward's tutorial "Latent Space Models for Neural Data", literally.
 *
 *     z_n  ~ normal(0, I)
 *     Y_ij ~ poisson(1 / |z_i - z_j|)      over all N x N cells
 *
 * What a user who knows Stan writes first: the dense matrix of counts as data,
 * one vector a node, and one Poisson statement for each of the N x N cells. As in
 * the tutorial 1e3 is added to the diagonal's squared distance, which is 0, so
 * that its rates are close to zero. The tutorial computes distances as
 * |z_i|^2 + |z_j|^2 - 2 z_i' z_j in three matrix operations; in Stan that takes
 * twice as long as distance(), so it is not held against it.
 *
 * Its density is that of stan/latent_space.stan.
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
