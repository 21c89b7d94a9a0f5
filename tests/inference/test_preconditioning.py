"""The preconditioner: mean curvatures by another route, and the root of the covariance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lsm_stan.inference.preconditioning import pair_curvature, preconditioner
from lsm_stan.model.simulation import simulate
from lsm_stan.network.network import Network

DIMS = (1, 2, 3, 5)


def pair_energy(offset, total_weight, cells):
    """Return u = s log d + n / d for an offset between two positions, complex or not."""
    distance = np.sqrt(np.sum(offset**2))
    return total_weight * np.log(distance) + cells / distance


def mean_curvature(offset, total_weight, cells):
    """Return trace/K of the energy's Hessian: fourth-order differences of complex-step slopes."""
    dim = len(offset)
    trace, step = 0.0, 1e-3 * np.linalg.norm(offset)
    for axis in np.eye(dim):
        for shift, share in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            place = offset + (shift * step + 1e-30j) * axis
            slope = pair_energy(place, total_weight, cells).imag / 1e-30
            trace += share * slope / (12 * step)
    return trace / dim


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("directed", [True, False])
def test_curvature_is_the_trace_of_the_hessian_of_the_pairs_energy(dim, directed):
    network, _ = simulate(9, dim, seed=dim, directed=directed)
    draws = np.random.default_rng(dim).normal(size=(3, 9, dim))
    actual = pair_curvature(network, draws)
    weight = network.to_dense()
    total = weight + weight.T if directed else weight
    cells = 2 if directed else 1
    for i in range(9):
        for j in range(i):
            each = [mean_curvature(z[i] - z[j], total[i, j], cells) for z in draws]
            expected = max(np.mean(each), 0.0)
            assert actual[i, j] == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_curvature_is_the_mean_over_directions(dim):
    """The second derivative along random lines through the pair, averaged."""
    network = Network.from_matrix([[0, 7], [4, 0]])
    rng = np.random.default_rng(1)
    offset = rng.normal(size=dim)
    directions = rng.normal(size=(20_000, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    step = 1e-3 * np.linalg.norm(offset)
    energy = [
        [pair_energy(offset + k * step * u, 11, 2) for u in directions] for k in (-1.0, 0.0, 1.0)
    ]
    second = (energy[0] - 2 * np.array(energy[1]) + energy[2]) / step**2
    expected, error = second.mean(), second.std() / np.sqrt(len(second))
    actual = pair_curvature(network, np.stack([np.zeros(dim), offset])[None])[0, 1]
    assert abs(actual - expected) < 5 * error + 1e-4 * abs(expected)


@given(st.integers(0, 2**32 - 1), st.sampled_from(DIMS), st.booleans())
def test_curvature_is_symmetric_non_negative_and_rotation_invariant(seed, dim, directed):
    network, truth = simulate(8, dim, seed=seed, directed=directed)
    positions = truth["z"]
    weight = pair_curvature(network, positions[None])
    scale = max(weight.max(), 1.0)
    assert np.all(weight >= 0)
    assert np.all(np.diag(weight) == 0)
    assert_allclose(weight, weight.T, rtol=1e-8, atol=1e-12 * scale)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))
    turned = pair_curvature(network, (positions @ turn)[None])
    assert_allclose(turned, weight, rtol=1e-5, atol=1e-9 * scale)


def test_self_loops_have_no_part_in_it():
    plain = Network.from_matrix([[0, 3], [1, 0]])
    loops = Network.from_matrix([[9, 3], [1, 5]])
    draws = np.random.default_rng(1).normal(size=(2, 2, 3))
    assert_allclose(pair_curvature(loops, draws), pair_curvature(plain, draws))


def test_only_observed_edges_count_in_three_dimensions():
    network, truth = simulate(15, 3, seed=1)
    positions = truth["z"]
    weight = network.to_dense()
    np.testing.assert_array_equal(
        pair_curvature(network, positions[None]) > 0, (weight + weight.T) > np.diag(np.diag(weight))
    )


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("prior_scale", [0.5, 1.0, 10.0])
def test_the_factor_is_a_root_of_the_covariance(dim, prior_scale):
    network, _ = simulate(12, dim, seed=1)
    draws = np.random.default_rng(2).normal(size=(4, 12, dim))
    change = preconditioner(network, draws, prior_scale)
    weight = pair_curvature(network, draws)
    precision = np.eye(12) / prior_scale**2 + np.diag(weight.sum(axis=1)) - weight
    covariance = np.linalg.inv(precision)
    assert change.factor.shape == change.inverse.shape == (12, 12)
    assert_allclose(change.factor @ change.inverse, np.eye(12), atol=1e-9)
    assert_allclose(change.inverse @ change.factor, np.eye(12), atol=1e-9)
    assert_allclose(
        change.factor @ change.factor.T, covariance, rtol=1e-7, atol=1e-9 * covariance.max()
    )


def test_without_edges_only_the_prior_is_left():
    network = Network.from_matrix(np.zeros((5, 5), dtype=int))
    draws = np.random.default_rng(1).normal(size=(2, 5, 3))
    change = preconditioner(network, draws, prior_scale=3.0)
    assert_allclose(change.factor @ change.factor.T, 9.0 * np.eye(5), atol=1e-12)


def test_relabelled_nodes_have_a_relabelled_covariance():
    network, truth = simulate(10, 2, seed=4)
    positions = truth["z"]
    order = np.random.default_rng(1).permutation(10)
    relabelled = Network.from_matrix(network.to_dense()[np.ix_(order, order)])
    one = preconditioner(network, positions[None])
    two = preconditioner(relabelled, positions[order][None])
    covariance = (one.factor @ one.factor.T)[np.ix_(order, order)]
    assert_allclose(two.factor @ two.factor.T, covariance, rtol=1e-8, atol=1e-12)


def test_very_large_weights_leave_the_factor_finite():
    """Curvatures of 10^20 beside a prior of 1: rounding is larger than the prior."""
    weight = np.triu(np.random.default_rng(3).integers(1, 10**6, size=(20, 20)), 1)
    network = Network.from_matrix(weight + weight.T)
    z = 1e-6 * np.random.default_rng(4).normal(size=(1, 20, 3))
    change = preconditioner(network, z, 2.0)
    assert np.isfinite(change.factor).all()
    assert np.isfinite(change.inverse).all()
    assert np.linalg.eigvalsh(change.factor).max() <= 2.0 * np.sqrt(2) * (1 + 1e-6)
