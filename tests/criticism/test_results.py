"""What a fit found, in sentences: how surely nodes are placed, who is near whom, who is central."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lsm_stan import simulate
from lsm_stan.criticism.results import describe_result, placement
from lsm_stan.network.grouping import grouping
from lsm_stan.network.network import Network
from lsm_stan.posterior.checks import Finding
from lsm_stan.posterior.invariants import pair_distances
from tests.support.made import fit_of, made_fit, scattered, turned

#: Three tight groups of four nodes, far from each other, and a node at their centre.
CORNERS = np.array([[6.0, 0.0], [-3.0, 5.0], [-3.0, -5.0]])


@pytest.fixture(scope="module")
def grouped() -> Network:
    names = [f"{group}{k}" for group in "abc" for k in range(4)] + ["hub"]
    weights = np.zeros((13, 13), dtype=int)
    weights[12, :12] = 1
    for first in (0, 4, 8):
        weights[first, first + 1 : first + 4] = 9 - first
    table = pd.DataFrame({"Club": [*"aaaabbbbcccc", ""]}, names)
    return replace(Network.from_matrix(weights, names), node_table=table)


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.vstack([corner + 0.1 * rng.normal(size=(4, 2)) for corner in CORNERS] + [np.zeros(2)])


def told(fit, groups=None) -> list[str]:
    return [one if isinstance(one, str) else one.text for one in describe_result(fit, groups)]


def test_groups_and_the_central_node_are_named_with_numbers(grouped, places):
    rng = np.random.default_rng(2)
    draws = turned(scattered(places, rng, 0.05, size=25), rng)
    first, nearest, by_group, centre = told(made_fit(grouped, draws), grouping(grouped))
    assert first.startswith("13 of 13 nodes are placed surely")
    assert "none is without a place" in first
    i, j = np.triu_indices(4, 1)
    within = pair_distances(draws, np.column_stack([i, j])).mean()
    assert f"a0, a1, a2 and a3 ({within:.2g} apart on average, 90\N{NO-BREAK SPACE}%" in nearest
    assert "b0, b1, b2 and b3" in nearest
    assert "c0, c1, c2 and c3" in nearest
    assert "By Club" in by_group
    assert "nodes of different groups" in by_group
    assert "Nearest to the centre of the cloud are hub (" in centre


def test_a_node_at_the_centre_whose_place_is_known_is_not_unknown(grouped, places):
    """It is nearer the centre than its draws are on average, and by next to nothing."""
    rng = np.random.default_rng(3)
    fit = made_fit(grouped, turned(scattered(places, rng, 0.05, size=50), rng))
    assert placement(fit).sure[12]
    assert not placement(fit).unknown.any()


def test_positions_that_mean_nothing_are_the_first_finding_and_the_only_one():
    """Draws from the prior: nobody is placed, no group and no centre is named."""
    network, _ = simulate(15, 2, seed=3)
    rng = np.random.default_rng(4)
    fit = made_fit(network, rng.normal(size=(4, 100, 15, 2)))
    (only,) = describe_result(fit)
    assert isinstance(only, Finding)
    assert only.kind == "bad"
    assert "positions mean nothing" in only.text
    assert "no latent structure was found" in only.text
    assert placement(fit).means_nothing


@pytest.mark.parametrize("size", [0.0, 3e-7])
def test_a_mode_at_one_point_is_no_structure(size):
    network, truth = simulate(12, 2, seed=4, model="nb-squared")
    z = size * np.random.default_rng(5).normal(size=(1, 1, 12, 2))
    draws = {"z": z, "intercept": np.zeros((1, 1)), "phi": np.ones((1, 1))}
    (only,) = describe_result(fit_of(network, draws, "nb-squared"))
    assert isinstance(only, Finding)
    assert only.text.startswith("No latent structure was found: all nodes are at one point")
    real = {**draws, "z": truth["z"][None, None]}
    assert "one mode" in told(fit_of(network, real, "nb-squared"))[0]


def test_without_a_group_of_three_the_nearest_two_are_named():
    names = ["one", "two", "three", "four", "five"]
    network = Network.from_edges(names[:-1], names[1:], [1, 1, 1, 1])
    places = np.array([[0, 0.0], [0, 0.1], [5, 0], [0, 5], [-5, -5]])
    _, nearest, _ = told(made_fit(network, places[None, None], "map"))
    assert "No three nodes stand out" in nearest
    assert "two and one (0.1 apart)" in nearest


def test_a_covariate_is_said_as_a_factor_and_whether_it_is_sure():
    drawn, truth = simulate(12, 2, seed=4, model="poisson-squared")
    network = replace(drawn, node_table=pd.DataFrame({"x": np.arange(12.0)}, drawn.names))
    for mean, sure in ((0.5, True), (0.0, False)):
        beta = mean + 0.1 * np.random.default_rng(6).normal(size=(2, 50, 1))
        draws = {
            "z": scattered(truth["z"], np.random.default_rng(7), 0.01, chains=2, size=50),
            "intercept": np.zeros((2, 50)),
            "sigma_z": np.ones((2, 50)),
            "beta": beta,
        }
        said = told(fit_of(network, draws, "poisson-squared+nodecov(x)"))[-1]
        assert said.startswith("One unit more of nodecov(x) multiplies the expected weight by")
        assert ("open" in said) == (not sure)
        assert f"by {float(f'{np.exp(beta.mean()):.2g}'):g}" in said
