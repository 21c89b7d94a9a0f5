"""A baseline for held-out dyads from scikit-learn: an adjacency spectral embedding.

Sussman et al., JASA 107, 2012: positions to send from and to receive at are the scaled singular
vectors of the matrix of log(1 + weight), hidden dyads 0. Their inner product and the log mean of
the degree-corrected null are the two regressors of a negative binomial's log mean.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import gammaln
from sklearn.decomposition import TruncatedSVD

from lsm_stan import Network
from lsm_stan.network.pairs import dyad_blocks
from lsm_stan.prediction.baselines import degree_factors, negative_binomial
from lsm_stan.prediction.scores import Prediction
from lsm_stan.typing import FloatArray, IntArray


def predict_spectral(
    network: Network, sender: IntArray, receiver: IntArray, weight: IntArray, dim: int
) -> Prediction:
    """Predict dyads of a directed network from its observed ones.

    Parameters
    ----------
    network : Network
        What was observed; for some thousands of nodes at most.
    sender, receiver, weight : ndarray of int64
        ``(D,)`` node indices, from 0, and the weights that were found there.
    dim : int
        How many singular vectors.
    """
    n = network.n_nodes
    matrix = sparse.csr_array(
        (np.log1p(network.weight), (network.sender, network.receiver)), shape=(n, n)
    )
    decomposition = TruncatedSVD(dim, algorithm="arpack", random_state=0)
    sends = decomposition.fit_transform(matrix)
    receives = decomposition.components_.T
    mean, a, b = degree_factors(network)

    def regressors(i: IntArray, j: IntArray) -> FloatArray:
        product = np.einsum("dk,dk->d", sends[i], receives[j])
        return np.column_stack([np.ones(len(i)), np.log(mean * a[i] * b[j]), product])

    i, j = (np.concatenate(ends) for ends in zip(*dyad_blocks(network, n * n), strict=True))
    seen = network.weight_of(i, j)
    i, j, seen = i[seen >= 0], j[seen >= 0], seen[seen >= 0]
    known = regressors(i, j)

    def loss(theta: FloatArray) -> float:
        size, log_mu = np.exp(theta[-1]), known @ theta[:-1]
        log_u = log_mu - theta[-1]
        terms = gammaln(seen + size) - gammaln(size) + seen * log_u
        return -float(np.sum(terms - (seen + size) * np.logaddexp(0.0, log_u)))

    theta = minimize(loss, [0.0, 1.0, 0.0, -1.0], method="L-BFGS-B").x
    mu = np.exp(regressors(sender, receiver) @ theta[:-1])
    return negative_binomial(mu, float(np.exp(theta[-1])), weight)
