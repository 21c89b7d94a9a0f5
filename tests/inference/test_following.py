"""Modes of coarse counts are followed through finer ones, and soft directions are measured."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan import LatentSpaceModel, read_network
from lsm_stan.inference.curvature import Known, minus_hessian, quadratic
from lsm_stan.inference.soft import measured_along
from tests.inference.test_units import LARGEST, counts

ONE_PLACE = 1e-6


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
    differentiated = quadratic(minus_hessian(gradients, point, steps), none)
    along = measured_along(gradients, point, soft, steps)
    assert np.abs(along.errors).max() > 0
    measured = quadratic(minus_hessian(gradients, point, steps), none, along)
    assert measured.judged(np.zeros(12)).is_mode
    step, gain = measured.newton(soft[:, 0])
    assert_allclose(step, soft[:, 0], atol=0.01)
    assert_allclose(gain, 0.5, rtol=0.01)
    assert len(differentiated.values) == 12


def test_what_rounding_hides_is_not_called_known():
    """The gradient along the direction is rounding alone."""
    soft, hessian = steep(steepness=1e16)
    gradients, point, steps = noisy(hessian), np.zeros(12), np.full(12, 1e-3)
    none = Known(np.zeros((12, 0)), np.zeros((12, 0)))
    along = measured_along(gradients, point, soft, steps)
    measured = quadratic(minus_hessian(gradients, point, steps), none, along)
    assert measured.judged(np.zeros(12)).flat > 0
