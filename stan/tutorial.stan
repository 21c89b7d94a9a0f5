/* Edward's tutorial "Latent Space Models for Neural Data", as it is written there.
 *
 * Every node has a position in a latent space. The closer two nodes, the heavier
 * their connection. All cells of the matrix are observations; on the diagonal, where
 * the distance is 0, the jitter keeps the rate finite.
 *
 * latent_space.stan has the same density, evaluated some hundred times faster.
 */
data {
  int<lower=1> n_nodes;
  int<lower=1> n_dims;
  array[n_nodes, n_nodes] int<lower=0> weight; // from each row's node to each column's
  real<lower=0> jitter; // added to the diagonal's squared distance: 1e3
}
parameters {
  matrix[n_nodes, n_dims] z; // latent positions, a row a node
}
model {
  to_vector(z) ~ std_normal();
  for (i in 1 : n_nodes) {
    for (j in 1 : n_nodes) {
      real squared = squared_distance(z[i], z[j]);
      if (i == j)
        squared += jitter;
      weight[i, j] ~ poisson(inv_sqrt(squared));
    }
  }
}
