"""Jumps are found where they were planted, and move groups as rigid bodies, there and back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan.inference.jumps import (
    PairEnergies,
    acceptance,
    energy_rises,
    jump_between,
    learn_jumps,
    moved_together,
    slowness,
)
from lsm_stan.inference.problem import Problem
from lsm_stan.model.simulation import simulate
from lsm_stan.model.stan_data import DIAGONAL_JITTER
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray
from tests.support.tutorial import log_joint


def problem_of(network: Network, dim: int, prior_scale: float = 1.0) -> Problem:
    return Problem.of(
        network, dim, model="tutorial", prior_scale=prior_scale, jitter=DIAGONAL_JITTER
    )


def turned(z: FloatArray, seed: int) -> FloatArray:
    """Return positions after a random rotation or reflection."""
    dim = z.shape[-1]
    return z @ np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))[0]


def with_clan() -> tuple[Network, FloatArray, FloatArray]:
    """Return a ring of 20 nodes and a linked pair, at two places far from each other."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), 0.3 * np.sin(3 * angle)], axis=1)
    z = np.concatenate([ring, [[1.5, 0, 0], [1.5, 0.1, 0]]])
    other = z.copy()
    other[20:] = [[-1.5, 0, 0], [-1.5, 0, 0.1]]
    edges = [(i, (i + 1) % 20, 3) for i in range(20)] + [(20, 21, 20), (20, 0, 1), (21, 10, 1)]
    names = [str(i) for i in range(22)]
    sender, receiver, weight = zip(*edges, strict=True)
    network = Network.from_edges(
        [names[s] for s in sender], [names[r] for r in receiver], list(weight)
    )
    order = [names.index(name) for name in network.names]
    return network, z[order], other[order]


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("hidden", [0, 5])
def test_the_rise_is_that_of_the_tutorials_density(dim, directed, hidden):
    network, _ = simulate(9, dim, seed=3, directed=directed)
    whole = network.to_dense()
    cells = np.argwhere(np.triu(np.ones((9, 9)), 1))[:: 36 // hidden][:hidden] if hidden else []
    if len(cells):
        network = network.hide(*cells.T)
    rng = np.random.default_rng(dim)
    one, other, *draws = rng.normal(size=(6, 9, dim))
    draws = np.stack(draws)
    pairs = PairEnergies.of(problem_of(network, dim, 0.7))
    jump = jump_between(pairs.weight, one, other, np.array([2, 5]))
    for back in (False, True):
        after = draws.copy()
        after[:, jump.group] = jump.apply(draws, back=back)
        lower = []
        for z in (draws, after):
            density = [log_joint(d, whole, directed=directed, prior_scale=0.7) for d in z]
            for i, j in cells:  # a hidden cell says nothing
                distance = np.linalg.norm(z[:, i] - z[:, j], axis=-1)
                density += whole[i, j] * np.log(distance) + 1 / distance
            lower.append(np.array(density))
        expected = lower[0] - lower[1]
        assert_allclose(energy_rises(pairs, jump, draws)[int(back)], expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("group", [[3], [1, 4, 6]])
def test_a_jump_is_rigid_and_has_a_way_back(dim, group):
    network, _ = simulate(15, dim, seed=1)
    pairs = PairEnergies.of(problem_of(network, dim))
    one, other, *draws = np.random.default_rng(2).normal(size=(7, 15, dim))
    draws = np.stack(draws)
    jump = jump_between(pairs.weight, one, other, np.array(group))
    assert not np.isin(jump.frame, group).any()
    assert_allclose(jump.turn @ jump.turn.T, np.eye(dim), atol=1e-12)
    after = draws.copy()
    after[:, group] = jump.apply(draws)
    for i in group:
        for j in group:
            before = np.linalg.norm(draws[:, i] - draws[:, j], axis=-1)
            assert_allclose(np.linalg.norm(after[:, i] - after[:, j], axis=-1), before, atol=1e-12)
    assert_allclose(jump.apply(after, back=True), draws[:, group], atol=1e-10)
    # it is the same jump, however all positions are turned
    assert_allclose(jump.apply(turned(draws, 3)), turned(after[:, group], 3), atol=1e-10)


def test_a_jump_leads_from_one_place_to_the_other():
    network, one, other = with_clan()
    pairs = PairEnergies.of(problem_of(network, 3))
    clan = np.array([network.names.index(name) for name in ("20", "21")])
    jump = jump_between(pairs.weight, one, turned(other, 4), clan)
    assert_allclose(jump.apply(one[None])[0], other[clan], atol=1e-10)
    assert_allclose(jump.apply(other[None], back=True)[0], one[clan], atol=1e-10)


def test_nodes_that_moved_as_one_are_a_group():
    network, one, other = with_clan()
    rng = np.random.default_rng(5)
    noisy = turned(other + rng.normal(scale=0.01, size=other.shape), 6)
    clan = tuple(sorted(network.names.index(name) for name in ("20", "21")))
    assert moved_together(PairEnergies.of(problem_of(network, 3)).weight, one, noisy) >= {clan}
    assert (
        moved_together(PairEnergies.of(problem_of(network, 3)).weight, one, turned(one, 1)) == set()
    )


def planted(rng: np.random.Generator) -> tuple[Network, FloatArray]:
    """Return four chains of draws, of which two hold the pair at each of its places."""
    network, one, other = with_clan()
    chains = [
        np.stack(
            [
                turned(z + rng.normal(scale=0.02, size=z.shape), int(rng.integers(1000)))
                for _ in range(20)
            ]
        )
        for z in (one, other, one, other)
    ]
    return network, np.stack(chains)


def test_jumps_are_learned_where_a_group_has_two_places():
    network, draws = planted(np.random.default_rng(7))
    problem = problem_of(network, 3)
    clan = sorted(network.names.index(name) for name in ("20", "21"))
    jumps = learn_jumps(problem, draws, seed=1)
    assert any(sorted(jump.group.tolist()) == clan for jump in jumps)
    pairs, pool = PairEnergies.of(problem), draws.reshape(-1, 22, 3)
    assert min(acceptance(pairs, jump, pool) for jump in jumps) > 0
    again = learn_jumps(problem, draws, seed=1)
    assert [jump.chance for jump in again] == [jump.chance for jump in jumps]


def test_without_movement_there_are_no_jumps():
    network, one, _ = with_clan()
    still = np.tile(one, (2, 5, 1, 1))
    assert learn_jumps(problem_of(network, 3), still, seed=1) == []


def test_nodes_that_chains_disagree_about_are_slow():
    network, draws = planted(np.random.default_rng(8))
    slow = slowness(draws, np.random.default_rng(1))
    clan = {network.names.index(name) for name in ("20", "21")}
    assert set(np.argsort(-slow)[:2].tolist()) == clan
