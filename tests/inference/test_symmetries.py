"""What a likelihood leaves unchanged, against differences of the compiled density."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan import LatentSpaceModel, read_network
from lsm_stan.inference.differences import SHIFTS, WEIGHTS
from lsm_stan.inference.symmetries import evaluated, freely_moved, prior_directions
from lsm_stan.model.parameters import flat

pytestmark = pytest.mark.cmdstan

CASES = [
    ("tutorial", True),
    ("poisson-inverse", False),
    ("poisson-inverse-effects", True),
    ("bernoulli-exponential-effects", False),
    ("nb-inverse-roles", True),
]


def at_random(model, directed):
    """Return a model of a small network, and a point that is no mode."""
    rng = np.random.default_rng(3)
    matrix = rng.poisson(0.7, size=(7, 7))
    np.fill_diagonal(matrix, 0)
    if model.startswith("bernoulli"):
        matrix = np.minimum(matrix, 1)
    network = read_network(matrix if directed else np.minimum(matrix, matrix.T), directed=directed)
    fitted = LatentSpaceModel(network, dim=2, model=model)
    problem = fitted.problem
    template = flat(problem.declared({"z": rng.normal(size=(7, 2))}))
    return fitted, template + rng.normal(scale=0.3, size=template.shape)


@pytest.mark.parametrize(("model", "directed"), CASES)
def test_minus_the_hessian_times_the_directions_is_what_is_said(model, directed):
    fitted, point = at_random(model, directed)
    problem, density = fitted.problem, fitted.log_joint
    gradient = density.at_flat(point)[1]
    known = prior_directions(problem, problem.at_flat(point), gradient)
    step = 1e-3
    for direction, product in zip(known.directions.T, known.products.T, strict=True):
        probes = density.at_flat(point + step * SHIFTS[:, None] * direction)[1]
        assert_allclose(product, -WEIGHTS @ probes / step, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("model", "directed"), CASES)
def test_the_gradient_without_the_error_is_the_gradient(model, directed):
    fitted, point = at_random(model, directed)
    value, gradient = fitted.log_joint.at_flat(point)
    same_value, cleaned = evaluated(fitted.log_joint, point)
    assert value == same_value
    assert_allclose(cleaned, gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("model", "directed"), CASES)
def test_a_free_move_keeps_the_likelihood_and_ends_where_the_prior_is_highest(model, directed):
    fitted, point = at_random(model, directed)
    problem, density = fitted.problem, fitted.log_joint
    moved = freely_moved(problem, problem.at_flat(point))
    end = flat(problem.declared(moved))
    assert density.at_flat(end)[0] > density.at_flat(point)[0]
    assert_allclose(moved["z"].mean(axis=0), 0, atol=1e-12)
    # nothing is left to gain along the directions in which the likelihood is constant
    known = prior_directions(problem, moved, density.at_flat(end)[1])
    assert_allclose(density.at_flat(end)[1] @ known.directions, 0, atol=1e-8)
