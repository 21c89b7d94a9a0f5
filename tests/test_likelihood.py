"""The pointwise log likelihood: SciPy's, pair by pair, and Stan's in sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from lsm_stan import LatentSpaceModel, Network, likelihood, simulate
from lsm_stan.invariants import pair_distances
from lsm_stan.likelihood import expected_strength, log_likelihood, pair_weights, rates


def every_pair(n_nodes: int) -> np.ndarray:
    return np.column_stack(np.triu_indices(n_nodes, 1))


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 4), st.booleans())
def test_pairs_have_the_log_probability_of_scipys_poisson(seed, n_nodes, dim, directed):
    rng = np.random.default_rng(seed)
    matrix = rng.poisson(0.7, (n_nodes, n_nodes))
    if not directed:
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
    network = Network.from_matrix(matrix, directed=directed)
    positions = rng.normal(size=(3, n_nodes, dim))
    pairs = rng.permutation(every_pair(n_nodes))[: n_nodes + 1]
    flipped = np.where(rng.random(len(pairs))[:, None] < 0.5, pairs, pairs[:, ::-1])
    found = log_likelihood(pair_weights(network, flipped), pair_distances(positions, flipped))
    for z, values in zip(positions, found, strict=True):
        rate = 1 / cdist(z, z)[pairs[:, 0], pairs[:, 1]]
        expected = stats.poisson.logpmf(matrix[pairs[:, 0], pairs[:, 1]], rate)
        if directed:
            expected = expected + stats.poisson.logpmf(matrix[pairs[:, 1], pairs[:, 0]], rate)
        np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.cmdstan
@pytest.mark.parametrize("directed", [True, False])
def test_the_sum_over_pairs_is_stans_log_likelihood_for_every_kind_of_fit(directed):
    network, _ = simulate(14, 2, seed=3, directed=directed)
    model = LatentSpaceModel(network, 2)
    mode = model.optimize(seed=1, starts=1, show_progress=False)
    short = {"iter_warmup": 20, "iter_sampling": 20, "show_progress": False}
    fits = [mode, model.variational(seed=1, init=mode), model.sample(seed=1, chains=2, **short)]
    pairs = every_pair(14)
    weights = pair_weights(network, pairs)
    loops = np.diag(network.to_dense())
    diagonal = stats.poisson.logpmf(loops, model.jitter**-0.5).sum()
    for fit in fits:
        total = log_likelihood(weights, pair_distances(fit.draws, pairs)).sum(axis=-1)
        prior = stats.norm.logpdf(fit.draws).sum(axis=(-1, -2))
        stan, _ = model.log_prob(fit.draws)
        np.testing.assert_allclose(total + prior + diagonal, stan, rtol=1e-10)


@pytest.mark.parametrize("block", [1, 50, likelihood.BLOCK_CELLS])
def test_expected_strength_in_blocks_is_the_row_sum_of_rates(monkeypatch, block):
    monkeypatch.setattr(likelihood, "BLOCK_CELLS", block)
    draws = np.random.default_rng(2).normal(size=(2, 3, 17, 3))
    found = expected_strength(draws)
    for index in np.ndindex(2, 3):
        distance = cdist(draws[index], draws[index])
        np.fill_diagonal(distance, np.inf)
        np.testing.assert_allclose(found[index], rates(distance).sum(axis=1), rtol=1e-12)
