"""Laplace's approximation: exact for a normal density, without spread along rotations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan import InputError, LatentSpaceModel, load_celegans, simulate
from lsm_stan.cmdstan.compiled import Compiled
from lsm_stan.inference.curvature import Known, quadratic
from lsm_stan.inference.differences import minus_hessian
from lsm_stan.inference.laplace import normal_draws
from lsm_stan.model.parameters import flat


def nothing(size):
    return Known(np.zeros((size, 0)), np.zeros((size, 0)))


@pytest.mark.parametrize("n_known", [0, 2])
def test_draws_have_the_covariance_of_a_normal_density(n_known):
    """Against the inverse of the precision matrix, whichever directions are known beforehand."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 9))
    precision = root @ root.T
    directions = rng.normal(size=(6, n_known))
    known = Known(directions, precision @ directions)
    around = quadratic(minus_hessian(lambda x: -x @ precision, np.zeros(6)), nothing(6), known)
    offsets, log_q = normal_draws(around, 40_000, np.random.default_rng(2))
    covariance = np.linalg.inv(precision)
    assert_allclose(np.cov(offsets.T), covariance, atol=0.03 * np.abs(covariance).max())
    density = -0.5 * np.einsum("si,ij,sj->s", offsets, precision, offsets)
    assert_allclose(log_q, density, rtol=1e-6, atol=1e-6)


@pytest.mark.cmdstan
def test_laplace_is_near_a_posterior_that_is_nearly_normal():
    network, _ = simulate(20, 2, seed=4, model="poisson-squared")
    model = LatentSpaceModel(network, dim=2, model="poisson-squared")
    fit = model.laplace(seed=1, draws=2000, show_progress=False)
    assert fit.warnings == []
    assert fit.method == "laplace"
    assert fit.draws.shape == (1, 2000, 20, 2)
    assert fit.record.details["khat"] < 0.7
    assert_allclose(fit.positions, model.optimize(seed=1, show_progress=False).positions, atol=1e-5)
    # along the rotation there is no spread: draws span one dimension less
    draws = {name: fit.idata.posterior[name].to_numpy()[0] for name in ("z", "intercept")}
    points = flat(model.problem.declared(draws))
    offsets = points - flat(model.problem.declared(fit.estimate))
    sizes = np.linalg.svd(offsets, compute_uv=False)
    assert (sizes > 1e-8 * sizes[0]).sum() == points.shape[1] - 1


@pytest.mark.cmdstan
def test_its_gradients_are_those_that_were_asked_for_before_the_draws(monkeypatch):
    asked, evaluate = [], Compiled.log_prob_grad

    def counted(self, data, points):
        asked.append(len(points))
        return evaluate(self, data, points)

    monkeypatch.setattr(Compiled, "log_prob_grad", counted)
    network, _ = simulate(12, 2, seed=4, model="poisson-squared")
    model = LatentSpaceModel(network, dim=2, model="poisson-squared")
    mode = model.optimize(seed=1, show_progress=False)
    asked.clear()
    fit = model.laplace(seed=1, init=mode, draws=30, show_progress=False)
    gradients = fit.record.details["gradients"]
    assert gradients >= 2 * 25  # at least two a column of the Hessian
    assert gradients == sum(asked[: asked.index(30)])


@pytest.mark.cmdstan
def test_too_many_parameters_are_refused(monkeypatch):
    monkeypatch.setattr("lsm_stan.inference.laplace.MAX_CURVATURE_SIZE", 100)
    model = LatentSpaceModel(load_celegans(), dim=3)
    with pytest.raises(InputError, match="at most 100 are possible: take advi"):
        model.laplace(seed=1, init=np.random.default_rng(0).normal(size=(297, 3)))
