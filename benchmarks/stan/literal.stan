/* Edward's tutorial "Latent Space Models for Neural Data", line for line.
 *
 *     xp = tile(reduce_sum(z^2, 1), [1, N])
 *     xp = xp + transpose(xp) - 2 * matmul(z, z, transpose_b=True)
 *     xp = 1.0 / sqrt(xp + diag(zeros(N) + 1e3))
 *     x = Poisson(rate=xp)
 *
 * The dense matrix of counts is data, and each of its N x N cells has a Poisson
 * statement. distance.stan says the same as somebody would who starts in Stan.
 * Its density is that of stan/latent_space.stan.
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
  matrix[N, N] xp = rep_matrix(rows_dot_self(z), N);
  xp = xp + xp' - 2 * z * z';
  xp = inv(sqrt(add_diag(xp, 1e3)));
  to_vector(z) ~ normal(0, 1);
  for (i in 1 : N)
    for (j in 1 : N)
      Y[i, j] ~ poisson(xp[i, j]);
}
