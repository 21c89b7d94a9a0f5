"""Coordinates without rotations: the integral over all positions is that over the slice."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from lsm_stan.posterior.alignment import procrustes_rmse
from lsm_stan.posterior.bridge import bridge
from lsm_stan.posterior.slice import RotationSlice, log_volume_of_rotations


@pytest.mark.parametrize(("n_nodes", "dim"), [(4, 1), (5, 2), (6, 3), (6, 4)])
def test_a_density_of_positions_has_the_integral_that_it_has(n_nodes, dim):
    """Of normal and of t coordinates, both of which do not change with rotations."""
    rng = np.random.default_rng(dim)
    by_slice = RotationSlice(rng.normal(size=(n_nodes, dim)))
    size = n_nodes * dim
    for law in (
        stats.multivariate_normal(np.zeros(size)),
        stats.multivariate_t(np.zeros(size), np.eye(size), df=8),
    ):
        z = law.rvs(8000, random_state=rng).reshape(-1, n_nodes, dim)
        at = by_slice.coordinates(z)
        normal = stats.multivariate_normal(at[:4000].mean(axis=0), np.cov(at[:4000].T))

        def ratio(at, law=law, normal=normal):
            w = by_slice.positions(at)
            return law.logpdf(w.reshape(len(w), -1)) + by_slice.log_orbit(w) - normal.logpdf(at)

        integral = bridge(ratio(at[4000:])[None], ratio(normal.rvs(4000, random_state=rng)))
        assert abs(integral.log_value) < 4 * integral.error < 0.1


def test_positions_come_back_turned_onto_the_reference():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(7, 3))
    by_slice = RotationSlice(reference)
    z = rng.normal(size=(5, 7, 3))
    back = by_slice.positions(by_slice.coordinates(z))
    for turned, original in zip(back, z, strict=True):
        assert procrustes_rmse(turned, original) < 1e-12
        overlap = turned.T @ reference
        assert_allclose(overlap, overlap.T, atol=1e-12)
    assert np.isfinite(by_slice.log_orbit(back)).all()
    assert np.isneginf(by_slice.log_orbit(back @ np.diag([1.0, 1.0, -1.0]))).all()


@pytest.mark.parametrize(("dim", "volume"), [(1, 2), (2, 4 * np.pi), (3, 16 * np.pi**2)])
def test_the_volume_of_rotations_and_reflections(dim, volume):
    assert np.exp(log_volume_of_rotations(dim)) == pytest.approx(volume)


def test_the_volume_is_that_of_orthonormal_frames():
    """Of 5 dimensions: the product of the areas of spheres, S⁴ down to S⁰."""
    areas = [2 * np.pi ** (k / 2) / special.gamma(k / 2) for k in range(1, 6)]
    assert log_volume_of_rotations(5) == pytest.approx(np.log(areas).sum())
