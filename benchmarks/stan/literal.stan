/* Edward's tutorial "Latent Space Models for Neural Data", line by line.
 *
 * What a user who translates the tutorial to Stan would write first: the dense
 * N x N matrix of counts as data, the full matrix of distances built by the
 * tutorial's three steps (the comments are its steps), and one Poisson statement
 * for each of the N x N cells, the diagonal included. Only what Stan writes
 * differently is different: z is a matrix, the sampling statements replace the
 * random variables. Its density is that of stan/latent_space.stan.
 */
data {
  int<lower=1> N;
  int<lower=1> K;
  array[N, N] int<lower=0> Y;
}
parameters {
  matrix[N, K] z;
}
model {
  // 1. The squared norms |z_1|^2, ..., |z_N|^2, tiled to N identical columns.
  matrix[N, N] xp = rep_matrix(rows_dot_self(z), N);
  // 2. Entry (i, j) becomes |z_i|^2 + |z_j|^2 - 2 z_i' z_j.
  xp = xp + xp' - 2 * z * z';
  // 3. Invert the distances; 1e3 on the diagonal makes its rates close to zero.
  xp = inv_sqrt(xp + diag_matrix(rep_vector(1e3, N)));

  to_vector(z) ~ normal(0, 1);
  for (i in 1 : N)
    for (j in 1 : N)
      Y[i, j] ~ poisson(xp[i, j]);
}
