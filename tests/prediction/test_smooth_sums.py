"""Sums over all pairs from a few points, against the sums themselves."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import nbinom

from lsm_stan import simulate
from lsm_stan.prediction.baselines import degree_factors, predict_baselines
from lsm_stan.prediction.smooth_sums import stand_in
from tests.support.made import partly_hidden


@pytest.mark.parametrize("spread", [0.0, 1.0, 20.0])
def test_sums_over_all_pairs_are_those_of_the_pairs(spread):
    rng = np.random.default_rng(1)
    x, y = spread * rng.uniform(-1, 1, 300), 2 - spread * rng.uniform(-1, 1, 200)
    of_x, of_y = stand_in(x), stand_in(y)
    for function in (lambda v: np.logaddexp(0, v), expit):
        exact = function(x[:, None] + y).sum()
        actual = of_x.weights @ function(of_x.points[:, None] + of_y.points) @ of_y.weights
        assert actual == pytest.approx(exact, rel=1e-9)
    assert of_x.weights.sum() == pytest.approx(300)


@pytest.mark.parametrize("directed", [True, False])
def test_the_size_of_the_negative_binomial_is_the_likeliest(directed):
    """Against the likelihood of every observed dyad."""
    network, _ = simulate(25, 2, seed=3, model="tutorial", directed=directed)
    network = partly_hidden(network, 2, 0.2)
    i, j = np.nonzero(~np.eye(25, dtype=bool))
    i, j = (i, j) if directed else (i[i < j], j[i < j])
    seen = network.weight_of(i, j) >= 0
    i, j, weight = i[seen], j[seen], network.weight_of(i, j)[seen]
    mean, a, b = degree_factors(network)
    mu = mean * a[i] * b[j]

    def loss(log_size: float) -> float:
        size = np.exp(log_size)
        return -nbinom.logpmf(weight, size, size / (size + mu)).sum()

    size = np.exp(minimize_scalar(loss, bounds=(-10, 10), method="bounded").x)
    actual = predict_baselines(network, i, j, weight)["degrees-nb"]
    expected = nbinom.logpmf(weight, size, size / (size + mu))
    np.testing.assert_allclose(actual.log_density, expected, rtol=1e-4, atol=1e-6)
