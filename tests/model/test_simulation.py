"""Simulation: seeds, the Poisson rates of the model, and what is refused."""

import contextlib

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from lsm_stan.errors import InputError
from lsm_stan.model import simulation
from lsm_stan.model.family import MODELS, find_model
from lsm_stan.model.simulation import draw_parameters, simulate
from lsm_stan.model.stan_data import DIAGONAL_JITTER

#: What tests of means and covariances draw: their bounds are standard errors of so many.
REPEATS = 400


@pytest.mark.parametrize("directed", [True, False])
def test_the_same_seed_gives_the_same_network(directed):
    one, truth = simulate(20, 2, seed=5, directed=directed)
    z_one = truth["z"]
    two, truth = simulate(20, 2, seed=5, directed=directed)
    z_two = truth["z"]
    other, _ = simulate(20, 2, seed=6, directed=directed)
    assert one.digest == two.digest != other.digest
    np.testing.assert_array_equal(z_one, z_two)
    assert one.directed is directed
    assert one.names == tuple(str(i) for i in range(1, 21))


def mean_weights(positions, **options):
    total = np.zeros((len(positions), len(positions)))
    for seed in range(REPEATS):
        network, truth = simulate(*positions.shape, seed=seed, positions=positions, **options)
        kept = truth["z"]
        assert kept is positions
        total += network.to_dense()
    return total / REPEATS


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("jitter", [DIAGONAL_JITTER, 0.25])
def test_mean_weights_are_the_rates(dim, jitter):
    positions = np.random.default_rng(1).normal(size=(6, dim))
    distance = squareform(pdist(positions))
    np.fill_diagonal(distance, np.sqrt(jitter))
    error = np.sqrt(1 / distance / REPEATS)
    mean = mean_weights(positions, jitter=jitter)
    assert np.all(np.abs(mean - 1 / distance) < 5 * error)


def test_an_undirected_pair_is_one_draw():
    positions = np.random.default_rng(2).normal(size=(6, 2))
    distance = squareform(pdist(positions))
    np.fill_diagonal(distance, np.sqrt(DIAGONAL_JITTER))
    mean = mean_weights(positions, directed=False)
    assert np.all(np.abs(mean - 1 / distance) < 5 * np.sqrt(1 / distance / REPEATS))
    network, _ = simulate(30, 2, seed=1, directed=False)
    assert np.all(network.sender <= network.receiver)


def test_directed_cells_are_draws_of_their_own():
    """The covariance of Y_ij and Y_ji is that of independent draws."""
    positions = np.array([[0.0], [0.5]])
    cells = np.array(
        [
            simulate(2, 1, seed=seed, positions=positions)[0].to_dense()[[0, 1], [1, 0]]
            for seed in range(REPEATS)
        ]
    )
    covariance = np.cov(cells.T)
    rate = 2.0
    assert abs(covariance[0, 1]) < 5 * rate / np.sqrt(REPEATS)
    spread = np.sqrt((rate + 2 * rate**2) / REPEATS)  # of the variance of Poisson counts
    assert np.all(np.abs(np.diag(covariance) - rate) < 5 * spread)


@pytest.mark.parametrize("scale", [0.5, 4.0])
def test_positions_come_from_the_prior(scale):
    _, truth = simulate(400, 3, seed=1, prior_scale=scale)
    positions = truth["z"]
    assert positions.shape == (400, 3)
    error = scale / np.sqrt(2 * positions.size)
    assert abs(positions.std() - scale) < 5 * error
    assert abs(positions.mean()) < 5 * scale / np.sqrt(positions.size)


@pytest.mark.parametrize(
    ("n_nodes", "dim", "message"), [(1, 2, "at least 2 nodes"), (0, 2, "n_nodes"), (5, 0, "dim")]
)
def test_numbers_out_of_range(n_nodes, dim, message):
    with pytest.raises(InputError, match=message):
        simulate(n_nodes, dim, seed=1)


def test_positions_that_coincide():
    positions = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [1.0, 2.0]])
    with pytest.raises(InputError, match="nodes 2 and 4 have the same position"):
        simulate(4, 2, seed=1, positions=positions)


def test_positions_so_close_that_the_weight_overflows():
    positions = np.array([[0.0], [1e-11]])
    with pytest.raises(
        InputError, match=r"nodes 1 and 2 have log mean weight 25\.3; at most 20\.7"
    ):
        simulate(2, 1, seed=1, positions=positions)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tutorial"])
def test_most_networks_of_the_default_priors_are_networks(name):
    """Neither empty nor too heavy to draw, wide as the intercept's prior is."""
    drawn = 0
    for seed in range(20):
        with contextlib.suppress(InputError):  # a mean beyond what Stan's int can hold
            drawn += simulate(40, 3, seed=seed, model=name)[0].n_edges > 0
    assert drawn >= 12


@pytest.mark.parametrize("dim", [2, 3, 6])
@pytest.mark.parametrize("form", ["exponential", "squared", "inner"])
def test_positions_have_the_prior_of_other_log_rates(form, dim):
    """Their part spreads as effects do: a few nats, hardly ever tens of them."""
    spread = []
    for seed in range(300):
        z = draw_parameters(20, dim, seed=seed, model=f"poisson-{form}")["z"]
        i, j = np.triu_indices(20, 1)
        squared = np.sum((z[i] - z[j]) ** 2, axis=1)
        parts = {
            "squared": squared,
            "exponential": np.sqrt(squared),
            "inner": np.sum(z[i] * z[j], 1),
        }
        spread.append(parts[form].std())
    assert 0.4 < np.quantile(spread, 0.5) < 3
    assert 2 < np.quantile(spread, 0.95) < 25


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_depends_on_a_given_scale_is_drawn_at_that_scale(seed):
    model = "nb-squared-roles+clusters(2)"
    known = {
        "sigma_z": 0.3,
        "sigma_sender": 0.01,
        "sigma_receiver": 2.0,
        "rho": 0.9,
        "sigma_role": 0.05,
        "theta": [1.0, 0.0],
        "centre": [[7.0, 7.0], [0.0, 0.0]],
        "sigma_cluster": [0.02, 1.0],
    }
    given = {name: np.asarray(value) for name, value in known.items()}
    p = draw_parameters(2000, 2, seed=seed, model=model, given=given)
    assert all(np.array_equal(p[name], value) for name, value in given.items())
    np.testing.assert_allclose(p["z"].mean(axis=0), 7, atol=0.01)
    for name, wanted in [("z", 0.02), ("sender_effect", 0.01), ("receiver_effect", 2)]:
        assert p[name].std(axis=0) == pytest.approx(np.full(p[name].shape[1:], wanted), rel=0.1)
    assert np.corrcoef(p["sender_effect"], p["receiver_effect"])[0, 1] == pytest.approx(
        0.9, abs=0.02
    )
    assert p["role"].std() == pytest.approx(0.05, rel=0.1)
    scale = {"sigma_z": np.asarray(0.3), "intercept": np.asarray(0.0)}
    _, truth = simulate(200, 3, seed=seed, model="poisson-squared", parameters=scale)
    positions = truth["z"]
    assert positions.std() == pytest.approx(0.3, rel=0.15)


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("model", ["tutorial", "nb-squared-effects", "bernoulli-exponential"])
def test_large_networks_are_drawn_at_the_same_rates(model, directed, monkeypatch):
    """What is drawn without a visit to every cell has the mean and the loops of what is."""
    spec, repeats = find_model(model), 40
    truth = draw_parameters(50, 2, seed=7, model=spec, directed=directed)
    truth |= {"intercept": np.asarray(-1.0)} if spec.intercept else {}
    truth |= {"phi": np.asarray(2.0)} if spec.dispersed else {}

    def drawn(rows: int) -> tuple[np.ndarray, np.ndarray]:
        monkeypatch.setattr(simulation, "ROWS", rows)
        networks = [
            simulate(50, 2, seed=seed, model=model, directed=directed, parameters=truth)[0]
            for seed in range(repeats)
        ]
        loops = [int(np.sum(n.weight[n.sender == n.receiver])) for n in networks]
        return np.array([[n.total_weight, n.n_edges] for n in networks]), np.array(loops)

    by_rows, by_blocks = (np.column_stack(drawn(rows)) for rows in (50, 49))
    error = np.sqrt((by_rows.var(axis=0) + by_blocks.var(axis=0)) / repeats)
    assert np.all(np.abs(by_rows.mean(axis=0) - by_blocks.mean(axis=0)) <= 4 * error)
    assert by_blocks[:, 2].any() == spec.diagonal


def test_a_network_that_cannot_be_drawn_is_refused_before_it_is(monkeypatch):
    monkeypatch.setattr(simulation, "ROWS", 10)
    monkeypatch.setattr(simulation, "MOST_WORK", 100.0)
    with pytest.raises(InputError, match=r"n_nodes is 30: .* take fewer nodes"):
        simulate(30, 2, seed=1)
    monkeypatch.undo()
    monkeypatch.setattr(simulation, "ROWS", 10)
    positions = np.random.default_rng(1).normal(size=(30, 2))
    positions[7] = positions[3]
    with pytest.raises(InputError, match="nodes 4 and 8 have the same position"):
        simulate(30, 2, seed=1, positions=positions)
