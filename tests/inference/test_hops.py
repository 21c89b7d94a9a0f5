"""Basin hopping: what moves, what stays, and that misplaced nodes find their places."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lsm_stan import LatentSpaceModel, Network, simulate
from lsm_stan.inference import hops
from lsm_stan.inference.hops import linked_group, moved, neighbours, usual_hops
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import Run


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def network():
    return simulate(20, 2, seed=4)[0]


def test_neighbours_are_those_of_either_direction():
    network = Network.from_edges(["a", "b", "c", "c"], ["b", "a", "a", "c"], [3, 1, 2, 4])
    assert [list(nodes) for nodes in neighbours(network)] == [[1, 2], [0], [0]]


def test_a_group_hangs_together(network, rng):
    linked = neighbours(network)
    sizes = np.zeros(hops.MOST_NODES + 1, dtype=int)
    for _ in range(500):
        group = linked_group(linked, rng)
        sizes[len(group)] += 1
        assert len(set(group)) == len(group)
        for last, companion in pairwise(group):
            assert companion in linked[last]
    # the first companion comes with the chance that it is said to
    assert sizes[0] == 0
    assert abs(sizes[2:].sum() / 500 - hops.COMPANY) < 4 * np.sqrt(hops.COMPANY * 0.7 / 500)


def test_the_nodes_of_a_hop_keep_their_distances_and_the_others_their_places(network, rng):
    problem = Problem.of(network, 2, model="tutorial", prior_scale=None, jitter=1e3)
    z = rng.normal(size=(20, 2))
    group = np.array([3, 7, 11])
    tries = moved(problem, z, group, neighbours(network), rng)
    others = np.setdiff1d(np.arange(20), group)
    assert tries.shape == (hops.PLACES, 20, 2)
    assert_array_equal(tries[:, others], np.broadcast_to(z[others], (hops.PLACES, 17, 2)))
    for first, second in ((3, 7), (3, 11), (7, 11)):
        assert_allclose(
            np.linalg.norm(tries[:, first] - tries[:, second], axis=1),
            np.linalg.norm(z[first] - z[second]),
        )
    assert len(np.unique(tries[:, 3].round(12), axis=0)) == hops.PLACES


def test_nodes_that_are_all_in_one_place_are_spread(network, rng):
    problem = Problem.of(network, 2, model="tutorial", prior_scale=None, jitter=1e3)
    tries = moved(problem, np.zeros((20, 2)), np.array([0]), neighbours(network), rng)
    assert np.abs(tries[:, 0]).max() > 1e-3 * problem.prior_scale


def test_a_large_network_gets_fewer_hops():
    assert [usual_hops(n) for n in (1, 300, 600, 100_000)] == [2, 600, 150, 0]


@pytest.mark.cmdstan
@pytest.mark.parametrize("name", ["tutorial", "nb-squared-effects", "bernoulli-exponential"])
def test_misplaced_nodes_find_their_places(name):
    """Three nodes of a mode change places: hops get back to a mode at least as good."""
    network = simulate(30, 2, model=name, seed=4)[0]
    model = LatentSpaceModel(network, 2, model=name)
    mode = model.optimize(seed=1, hops=0, show_progress=False)
    point = dict(mode.estimate)
    z = np.array(point["z"])
    z[[0, 9, 17]] = z[[9, 17, 0]]
    run = Run(model.problem, model.compiled, METHODS["map"], 1, {}, show_progress=False)
    spoiled = hops.hop(run, {**point, "z": z}, 0)
    hopping = hops.hop(run, {**point, "z": z}, 60)
    reached = float(model.log_joint.at(hopping.point)[0])
    assert reached > mode.log_joint - 1e-3
    assert hopping.gain == pytest.approx(
        reached - float(model.log_joint.at(spoiled.point)[0]), abs=1e-6
    )
    assert 0 < hopping.accepted <= 60 < hopping.gradients


@pytest.mark.cmdstan
def test_hops_are_the_same_for_the_same_seed(network):
    model = LatentSpaceModel(network, 2)
    modes = [model.optimize(seed=3, starts=1, hops=20, show_progress=False) for _ in range(2)]
    assert_array_equal(modes[0].positions, modes[1].positions)
    before = modes[0].record.details["starts"][0]["loss"]
    assert modes[0].loss == pytest.approx(before - modes[0].record.details["hop_gain"], abs=1e-6)
    assert modes[0].warnings == []
