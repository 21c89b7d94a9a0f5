"""Modes of coarse counts are followed through finer ones, and soft directions are measured."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan import LatentSpaceModel, read_network
from lsm_stan.inference.curvature import Known, quadratic
from lsm_stan.inference.differences import minus_hessian
from lsm_stan.inference.following import is_followed
from lsm_stan.inference.optimize import rungs_of
from lsm_stan.inference.soft import measured_along
from tests.inference.test_units import LARGEST, counts, problem_of


def steep(size=12, steepness=1e10, seed=0):
    """Return minus the Hessian of a density that is soft along four combinations alone."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(size, size)))[0]
    values = np.r_[np.full(size - 4, steepness), np.ones(4)]
    return axes[:, -4:], (axes * values) @ axes.T


def noisy(hessian, seed=1):
    """Return gradients that have lost the digits that a sum of steep terms loses."""
    rng = np.random.default_rng(seed)

    def gradients(points):
        exact = -points @ hessian
        return exact + 1e-16 * np.abs(hessian).max() * rng.normal(size=exact.shape)

    return gradients


def test_soft_directions_are_seen_where_a_hessian_hides_them():
    soft, hessian = steep()
    gradients, point, steps = noisy(hessian), np.zeros(12), np.full(12, 1e-3)
    none = Known(np.zeros((12, 0)), np.zeros((12, 0)))
    along = measured_along(gradients, point, soft, steps)
    assert np.abs(along.errors).max() > 0
    measured = quadratic(minus_hessian(gradients, point, steps), none, along)
    assert measured.judged(np.zeros(12)).is_mode
    step, gain = measured.newton(soft[:, 0])
    assert_allclose(step, soft[:, 0], atol=0.01)
    assert_allclose(gain, 0.5, rtol=0.01)


def test_what_rounding_hides_is_not_called_known():
    """The gradient along the direction is rounding alone."""
    soft, hessian = steep(steepness=1e16)
    gradients, point, steps = noisy(hessian), np.zeros(12), np.full(12, 1e-3)
    none = Known(np.zeros((12, 0)), np.zeros((12, 0)))
    along = measured_along(gradients, point, soft, steps)
    measured = quadratic(minus_hessian(gradients, point, steps), none, along)
    assert measured.judged(np.zeros(12)).flat > 0


def test_l_bfgs_searches_coarse_counts_alone_where_newton_follows():
    heavy = problem_of(counts() * 10**6, "poisson-squared")
    assert is_followed(heavy)
    (rung,) = rungs_of(heavy, ())
    assert rung.last
    assert 2 < rung.problem.network.weight.mean() <= 5.5
    assert not is_followed(problem_of(counts(), "poisson-squared"))
    many = problem_of(np.tile(counts(), (10, 10)) * 10**6, "poisson-squared")
    assert not is_followed(many)
    assert [rung.unit for rung in rungs_of(many, ())][-1] == 1


@pytest.mark.cmdstan
@pytest.mark.parametrize("model", ["nb-squared", "nb-exponential"])
def test_equal_counts_of_any_size_have_their_mode_at_the_origin(model):
    equal = read_network(LARGEST * (1 - np.eye(12, dtype=int)))
    mode = LatentSpaceModel(equal, dim=2, model=model).optimize(seed=1, show_progress=False)
    assert mode.warnings == []
    assert np.abs(mode.positions).max() < 1e-6


@pytest.mark.cmdstan
def test_one_direction_of_a_pair_may_be_known_far_better_than_their_sum():
    """A frailty that both directions share hides their sum; their share is known to 1e-4."""
    network = read_network(counts() * 10**5)
    mode = LatentSpaceModel(network, dim=2, model="dyadic-squared-effects").optimize(
        seed=1, show_progress=False
    )
    assert mode.warnings == []
    assert all(start["mode"] == 1 for start in mode.record.details["starts"])
