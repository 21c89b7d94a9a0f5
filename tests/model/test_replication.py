"""Replicated networks: every pair once, with the moments of its model."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from lsm_stan.model.family import MODELS
from lsm_stan.model.likelihood import log_mean, mean_weight
from lsm_stan.model.replication import replicate
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.model.thinning import Cells
from lsm_stan.network.network import Network


@pytest.mark.parametrize("directed", [True, False])
def test_replicated_cells_have_the_rates_of_the_model(directed):
    """Mean and variance of every cell, and no covariance of the two directions of a pair."""
    positions = np.random.default_rng(3).normal(size=(5, 2))
    rng, repeats = np.random.default_rng(4), 4000
    network = Network.from_matrix(np.zeros((5, 5), dtype=int), directed=directed)
    cells = Cells(MODELS["tutorial"], {"z": positions}, directed=directed)
    matrices = np.zeros((repeats, 5, 5))
    for matrix in matrices:
        for edges in replicate(cells, network, rng):
            matrix[edges.sender, edges.receiver] = edges.weight
            reverse = matrix.T if directed else matrix
            np.testing.assert_array_equal(reverse[edges.sender, edges.receiver], edges.reverse)
    i, j = np.triu_indices(5, 1)
    rate = 1 / pdist(positions)
    for cells in (matrices[:, i, j], matrices[:, j, i])[: 2 if directed else 1]:
        assert np.all(np.abs(cells.mean(axis=0) - rate) < 5 * np.sqrt(rate / repeats))
        spread = np.sqrt((rate + 2 * rate**2) / repeats)  # of the variance of Poisson counts
        assert np.all(np.abs(cells.var(axis=0) - rate) < 5 * spread)
    if directed:
        there, back = (matrices - matrices.mean(axis=0))[:, [i, j], [j, i]].transpose(1, 0, 2)
        covariance = (there * back).mean(axis=0)
        assert np.all(np.abs(covariance) < 5 * rate / np.sqrt(repeats))
    else:
        assert not matrices[:, j, i].any()


@pytest.mark.parametrize("name", ["nb-exponential-effects", "dyadic-inverse", "bernoulli-inner"])
def test_replicated_cells_have_the_moments_of_their_model(name):
    """Negative binomial variance, a covariance only where a frailty is shared, no hidden dyad."""
    spec, rng, repeats = MODELS[name], np.random.default_rng(5), 4000
    draw = draw_parameters(5, 2, seed=6, model=spec)
    near = {"z": rng.normal(scale=0.4, size=(5, 2))}  # no mean near 0
    draw |= {**near, "intercept": np.asarray(-0.5), "phi": np.asarray(4.0)}
    network = Network.from_matrix(np.zeros((5, 5), dtype=int), directed=True).hide([0], [1])
    drawn = Cells(spec, draw, directed=True)
    cells = np.zeros((repeats, 5, 5))
    for matrix in cells:
        for edges in replicate(drawn, network, rng):
            matrix[edges.sender, edges.receiver] = edges.weight
    assert not cells[:, 0, 1].any()
    i, j = np.nonzero(~np.eye(5, dtype=bool))
    i, j = i[1:], j[1:]
    mean = mean_weight(spec, log_mean(spec, draw, i, j))
    back = mean_weight(spec, log_mean(spec, draw, j, i))
    variance = mean * (1 - mean) if spec.likelihood == "bernoulli" else mean + mean**2 / 4
    actual = cells[:, i, j]
    assert np.all(np.abs(actual.mean(axis=0) - mean) < 5 * np.sqrt(variance / repeats))
    fourth = ((actual - actual.mean(axis=0)) ** 4).mean(axis=0)
    assert np.all(np.abs(actual.var(axis=0) - variance) < 6 * np.sqrt(fourth / repeats))
    covariance = np.mean((actual - mean) * (cells[:, j, i] - back), axis=0)
    expected = mean * back / 4 if spec.likelihood == "dyadic" else 0 * mean
    seen = (i != 1) | (j != 0)
    noise = np.sqrt(np.mean(((actual - mean) * (cells[:, j, i] - back)) ** 2, axis=0) / repeats)
    assert np.all(np.abs(covariance - expected)[seen] < 6 * noise[seen])
