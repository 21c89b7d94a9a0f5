"""The pointwise log likelihood of pairs: SciPy's one by one, Stan's in sum; expected strengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from lsm_stan import LatentSpaceModel, Network, simulate
from lsm_stan.model import likelihood
from lsm_stan.model.family import MODELS, ModelSpec
from lsm_stan.model.likelihood import expected_strengths, pair_log_likelihood
from lsm_stan.model.simulation import draw_parameters

TUTORIAL = MODELS["tutorial"]


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
    actual = pair_log_likelihood(TUTORIAL, {"z": positions}, network, flipped)
    for z, values in zip(positions, actual, strict=True):
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
    fits = [mode, model.variational(seed=2, init=mode), model.sample(seed=1, chains=2, **short)]
    loops = np.diag(network.to_dense())
    diagonal = stats.poisson.logpmf(loops, model.problem.jitter**-0.5).sum()
    for fit in fits:
        total = pair_log_likelihood(fit.spec, fit.parameters, network, every_pair(14)).sum(axis=-1)
        prior = stats.norm.logpdf(fit.draws).sum(axis=(-1, -2))
        stan, _ = model.log_prob_grad(fit.draws)
        np.testing.assert_allclose(total + prior + diagonal, stan, rtol=1e-10)


@pytest.mark.parametrize("name", ["tutorial", "nb-exponential-effects", "bernoulli-inner-roles"])
@pytest.mark.parametrize("chunk", [1, 50, likelihood.CACHED])
def test_expected_strengths_in_blocks_add_up_expected_weights(monkeypatch, name, chunk):
    spec: ModelSpec = MODELS[name]
    n, rng = 11, np.random.default_rng(2)
    drawn = [draw_parameters(n, 2, seed=rng, model=spec) for _ in range(3)]
    parameters = {key: np.stack([draw[key] for draw in drawn])[None] for key in drawn[0]}
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    mean = np.zeros((3, n, n))
    mean[:, i, j] = likelihood.mean_weight(spec, likelihood.log_mean(spec, parameters, i, j))[0]
    monkeypatch.setattr(likelihood, "CACHED", chunk)
    nodes = np.array([0, 3, 4, 9])
    sent, received = expected_strengths(spec, parameters, nodes)
    np.testing.assert_allclose(sent[0], mean.sum(axis=2)[:, nodes], rtol=1e-10)
    np.testing.assert_allclose(received[0], mean.sum(axis=1)[:, nodes], rtol=1e-10)
    sets = np.arange(n) % 2
    between = mean * (sets[:, None] != sets)
    sent, received = expected_strengths(spec, parameters, nodes, sets)
    np.testing.assert_allclose(sent[0], between.sum(axis=2)[:, nodes], rtol=1e-10)
    np.testing.assert_allclose(received[0], between.sum(axis=1)[:, nodes], rtol=1e-10)
    if name == "tutorial":
        np.testing.assert_allclose(mean[0][i, j], 1 / cdist(*[drawn[0]["z"]] * 2)[i, j])


@pytest.mark.parametrize("dim", [2, 3])
def test_with_effects_a_rate_of_one_over_the_distance_knows_no_inversion(dim):
    """An inversion changes a distance by a factor of each end, which effects make up for."""
    spec, n = MODELS["nb-inverse-effects"], 9
    parameters = draw_parameters(n, dim, seed=4, model=spec)
    sizes = np.linalg.norm(parameters["z"], axis=1)
    inverted = {
        **parameters,
        "z": parameters["z"] / sizes[:, None] ** 2,
        **{name: parameters[name] - np.log(sizes) for name in ("sender_effect", "receiver_effect")},
    }
    ends = np.nonzero(~np.eye(n, dtype=bool))
    np.testing.assert_allclose(
        likelihood.log_mean(spec, inverted, *ends), likelihood.log_mean(spec, parameters, *ends)
    )
