"""Invariants: unchanged by rotation, equal to plain loops; pairs drawn fairly."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from lsm_stan.model.family import find_model
from lsm_stan.model.likelihood import log_mean
from lsm_stan.posterior.invariants import (
    MONITORED_PAIRS,
    monitored,
    monitored_nodes,
    pair_distances,
    radii,
    sample_nodes,
    sample_pairs,
    settled,
)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 20), st.booleans())
def test_rotations_and_reflections_leave_invariants_alone(seed, dim, n_nodes, reflect):
    rng = np.random.default_rng(seed)
    positions = rng.normal(scale=3.0, size=(n_nodes, dim))
    turn, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    if reflect:
        turn[:, 0] = -turn[:, 0]
    pairs = sample_pairs(n_nodes, 50)
    before, after = pair_distances(positions, pairs), pair_distances(positions @ turn, pairs)
    np.testing.assert_allclose(after, before, rtol=1e-8)
    np.testing.assert_allclose(radii(positions @ turn), radii(positions), rtol=1e-8)


def test_settling_keeps_ten_digits_whatever_the_unit():
    values = np.random.default_rng(1).random(1000)
    for unit in (1e-12, 1.0, 1e12):
        np.testing.assert_allclose(settled(unit * values), unit * values, atol=1e-9 * unit)
        np.testing.assert_array_equal(settled(unit * values), settled(unit * values + 1e-15 * unit))
    np.testing.assert_array_equal(settled(np.zeros(3)), np.zeros(3))


def test_distances_are_those_of_scipy_in_batches_too():
    draws = np.random.default_rng(1).normal(size=(2, 3, 9, 4))
    pairs = sample_pairs(9, 1000)
    actual = pair_distances(draws, pairs)
    assert actual.shape == (2, 3, 36)
    for batch in np.ndindex(2, 3):
        expected = squareform(pdist(draws[batch]))[pairs[:, 0], pairs[:, 1]]
        np.testing.assert_allclose(actual[batch], expected, rtol=1e-12)
        np.testing.assert_allclose(radii(draws)[batch] ** 2, (draws[batch] ** 2).sum(axis=1))


@given(st.integers(2, 3000), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_sampled_pairs_are_distinct_sorted_and_reproducible(n_nodes, size, seed):
    pairs = sample_pairs(n_nodes, size, seed)
    assert pairs.shape == (min(size, n_nodes * (n_nodes - 1) // 2), 2)
    assert np.issubdtype(pairs.dtype, np.integer)
    assert pairs.min() >= 0
    assert pairs.max() < n_nodes
    assert np.all(pairs[:, 0] < pairs[:, 1])
    assert np.all(np.diff(pairs[:, 0] * n_nodes + pairs[:, 1]) > 0), "sorted, each once"
    np.testing.assert_array_equal(sample_pairs(n_nodes, size, seed), pairs)


@pytest.mark.parametrize("n_nodes", [2, 3, 10, 41])
@pytest.mark.parametrize("more", [0, 1, 1000])
def test_all_pairs_where_there_are_no_more(n_nodes, more):
    every = list(itertools.combinations(range(n_nodes), 2))
    np.testing.assert_array_equal(sample_pairs(n_nodes, len(every) + more), every)


def test_another_seed_draws_other_pairs():
    assert not np.array_equal(sample_pairs(100, 20, seed=0), sample_pairs(100, 20, seed=1))


def test_pairs_of_a_large_network():
    """The inverse of the pair numbers is exact where they are large."""
    n_nodes = 100_000
    pairs = sample_pairs(n_nodes, 5000)
    assert len(np.unique(pairs, axis=0)) == 5000
    assert pairs.min() >= 0
    assert pairs.max() < n_nodes
    assert np.all(pairs[:, 0] < pairs[:, 1])


@pytest.mark.parametrize(("n_nodes", "size", "drawn"), [(7, 9, 7), (40, 6, 6)])
def test_nodes_are_distinct_and_all_where_there_are_no_more(n_nodes, size, drawn):
    nodes = sample_nodes(n_nodes, size)
    assert len(np.unique(nodes)) == len(nodes) == drawn
    np.testing.assert_array_equal(nodes, np.sort(nodes))
    assert set(nodes) <= set(range(n_nodes))


def test_every_pair_is_drawn_equally_often():
    n_nodes, size, draws = 8, 7, 4000
    total = n_nodes * (n_nodes - 1) // 2
    times = np.zeros((n_nodes, n_nodes))
    for seed in range(draws):
        i, j = sample_pairs(n_nodes, size, seed).T
        times[i, j] += 1
    share = size / total
    error = np.sqrt(draws * share * (1 - share))
    upper = times[np.triu_indices(n_nodes, 1)]
    assert np.all(np.abs(upper - draws * share) < 5 * error)


@pytest.mark.parametrize("n_nodes", [9, 200])
def test_what_is_monitored_is_of_the_monitored_pairs_and_their_nodes(n_nodes):
    rng = np.random.default_rng(1)
    shapes = {
        **dict.fromkeys(("z", "role"), (n_nodes, 2)),
        **dict.fromkeys(("sender_effect", "receiver_effect"), (n_nodes,)),
        **dict.fromkeys(("intercept", "phi", "sigma_z"), ()),
    }
    draws = {name: rng.gamma(2, size=(2, 3, *shape)) for name, shape in shapes.items()}
    log_joint = rng.normal(size=(2, 3))
    spec = find_model("nb-squared-roles")
    actual = monitored(spec, draws, log_joint)
    assert actual.keys() == {"distance", "log_joint", "log_mean", *shapes} - {"z"}
    i, j = pairs = sample_pairs(n_nodes, MONITORED_PAIRS).T
    nodes = np.unique(pairs)
    assert (len(nodes) == n_nodes) == (n_nodes == 9)
    np.testing.assert_allclose(
        actual["distance"], np.linalg.norm(draws["z"][:, :, i] - draws["z"][:, :, j], axis=-1)
    )
    np.testing.assert_array_equal(actual["log_mean"], log_mean(spec, draws, i, j))
    np.testing.assert_allclose(actual["role"], np.linalg.norm(draws["role"][:, :, nodes], axis=-1))
    for name in ("sender_effect", "receiver_effect"):
        np.testing.assert_array_equal(actual[name], draws[name][:, :, nodes])
    for name in ("intercept", "phi", "sigma_z"):
        np.testing.assert_array_equal(actual[name], draws[name])
    np.testing.assert_array_equal(actual["log_joint"], log_joint)


def test_clusters_are_monitored_by_their_size():
    theta = np.array([[[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]]])
    draws = {"z": np.random.default_rng(1).normal(size=(1, 2, 5, 2)), "theta": theta}
    actual = monitored(find_model("tutorial+clusters(3)"), draws, np.zeros((1, 2)))
    shares = [actual[f"theta[{k}, by size]"].tolist() for k in (1, 2, 3)]
    assert shares == [[[0.1, 0.1]], [[0.2, 0.4]], [[0.7, 0.5]]]


@pytest.mark.parametrize(
    ("n_nodes", "size"), [(30, 30), (4000, 500), (8000, 250), (50_000, 40), (10**6, 20)]
)
def test_sums_over_all_nodes_are_of_fewer_nodes_in_large_networks(n_nodes, size):
    nodes = monitored_nodes(n_nodes)
    assert len(np.unique(nodes)) == len(nodes) == size
