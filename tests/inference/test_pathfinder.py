"""Pathfinder, on a normal density whose answers are known, and on small networks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan import LatentSpaceModel, simulate
from lsm_stan.inference.pathfinder import best_normals, follow_paths, inverse_times
from lsm_stan.posterior.diagnostics import importance_weights

SIZE = 8


def normal_target(seed=1):
    """Return the precision matrix of a normal density, and that density with its gradient."""
    root = np.random.default_rng(seed).normal(size=(SIZE, 30))
    precision = root @ root.T / 30
    constant = 0.5 * np.linalg.slogdet(precision / (2 * np.pi))[1]

    def density(points):
        return constant - 0.5 * np.einsum(
            "si,ij,sj->s", points, precision, points
        ), -points @ precision

    return precision, density


def test_a_path_ends_at_the_mode():
    _, density = normal_target()
    starts = 5 * np.random.default_rng(2).normal(size=(3, SIZE))
    for path in follow_paths(density, starts):
        assert path.ended
        assert_allclose(path.points[-1], 0, atol=1e-3)
        values = [density(point[None])[0][0] for point in path.points]
        assert np.all(np.diff(values) > 0)


def test_the_inverse_hessian_takes_the_last_change_to_the_last_step():
    """The secant condition, which every update of L-BFGS keeps."""
    _, density = normal_target()
    path = follow_paths(density, np.full((1, SIZE), 3.0))[0]
    product = inverse_times(path.alpha, path.steps, path.changes, path.changes[-1])
    assert_allclose(product, path.steps[-1], rtol=1e-8)


def test_draws_have_the_density_that_is_said():
    """Log q is a normal density of the draws' own mean and covariance."""
    _, density = normal_target()
    path = follow_paths(density, np.full((1, SIZE), 3.0))[0]
    normal = path.normals[-1]
    # the covariance, column by column: the diagonal and what L-BFGS adds to it
    columns = [inverse_times(path.alpha, path.steps, path.changes, e) for e in np.eye(SIZE)]
    covariance = np.column_stack(columns)
    points, log_q = normal.draw(4000, np.random.default_rng(3))
    assert_allclose(np.cov(points.T), covariance, atol=0.08 * np.abs(covariance).max())
    off = points - normal.mean
    expected = -0.5 * np.einsum("si,ij,sj->s", off, np.linalg.inv(covariance), off)
    expected -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    assert_allclose(log_q, expected, rtol=1e-6)


def test_the_elbo_of_a_normal_density_is_nearly_its_log_volume():
    _, density = normal_target()
    starts = 5 * np.random.default_rng(2).normal(size=(4, SIZE))
    best = best_normals(density, follow_paths(density, starts), np.random.default_rng(1))
    assert len(best) == 4
    assert max(elbo for _, elbo in best) == pytest.approx(0.0, abs=0.5)


def test_a_start_without_a_density_makes_no_path():
    def density(points):
        return np.full(len(points), -np.inf), np.full_like(points, np.nan)

    paths = follow_paths(density, np.ones((2, SIZE)))
    assert [len(path.points) for path in paths] == [1, 1]
    assert best_normals(density, paths, np.random.default_rng(1)) == []


def test_importance_weights_are_those_of_the_ratios():
    log_ratio = np.random.default_rng(1).normal(scale=0.1, size=500)
    weights, khat = importance_weights(log_ratio)
    plain = np.exp(log_ratio) / np.exp(log_ratio).sum()
    assert weights.sum() == pytest.approx(1)
    # all but the largest tenth, which a Pareto distribution smooths
    usual = np.argsort(log_ratio)[:400]
    assert_allclose(weights[usual], plain[usual], rtol=0.02)
    assert weights.max() < 1.1 * plain.max()
    assert khat < 0.5


@pytest.mark.cmdstan
@pytest.mark.parametrize("name", ["poisson-squared", "tutorial"])
def test_a_small_network(name):
    network, _ = simulate(15, 2, seed=4, model=name)
    model = LatentSpaceModel(network, dim=2, model=name)
    fit = model.pathfinder(seed=1, show_progress=False)
    assert fit.warnings == []
    details = fit.record.details
    assert details["preconditioned"] is (name == "tutorial")
    assert fit.draws.shape == (1, 1000, 15, 2)
    # an ELBO is a lower bound of the evidence: below that of ADVI or above, but not far
    advi = model.variational(seed=1, show_progress=False).record.details["elbo"]
    assert abs(details["elbo"] - advi) < 25
    again = model.pathfinder(seed=1, show_progress=False)
    assert_allclose(again.draws, fit.draws)
