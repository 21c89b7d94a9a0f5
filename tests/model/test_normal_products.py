"""Means of exponentials of inner products, against quadrature; infinite where they are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan.model.normal_pairs import Pairs
from lsm_stan.model.normal_products import Products

SITES = np.array([[0.4, -0.7, 0.2], [1.1, 0.3, -0.5]])
SPREAD = np.array([[0.3, 0.1], [0.1, 0.2]])


def products(spread=SPREAD, dim=3):
    pairs = Pairs(np.array([0]), np.array([1]), 2)
    return Products.of(pairs, SITES[:, :dim], spread)


def quadrature(t, dim):
    """Return the mean of exp(t x.y), coordinate by coordinate, by a rule of Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    root = np.linalg.cholesky(SPREAD)
    first, second = np.meshgrid(nodes, nodes, indexing="ij")
    x, y = root[0, 0] * first, root[1, 0] * first + root[1, 1] * second
    total = 1.0
    for m, n in SITES[:, :dim].T:
        total *= weights @ np.exp(t * (m + x) * (n + y)) @ weights
    return total


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("t", [1.0, 0.4, -0.7])
def test_the_mean_of_an_exponential_is_that_of_quadrature(t, dim):
    assert_allclose(products(dim=dim).log_power(t).value, np.log(quadrature(t, dim)), rtol=1e-9)


def test_form_mean_and_minus_log_form_are_what_their_names_say():
    each = products()
    assert_allclose(each.form_mean().value, quadrature(1.0, 3), rtol=1e-9)
    assert_allclose(each.minus_log_form().value, -(SITES[0] @ SITES[1]) - 3 * 0.1)


@pytest.mark.parametrize(
    ("spread", "finite"),
    [
        (np.array([0.99, 1.0]), True),
        (np.array([1.0, 1.0]), False),
        (np.array([0.5, 2.1]), False),
        (np.array([[0.6, 0.45], [0.45, 0.6]]), False),
        (np.array([[1.4, -0.6], [-0.6, 1.4]]), True),
    ],
)
def test_the_mean_is_infinite_where_positions_are_too_uncertain(spread, finite):
    assert np.isfinite(products(spread).form_mean().value) == finite


def test_tilts_have_finite_means():
    rng = np.random.default_rng(1)
    for _ in range(50):
        root = rng.normal(size=(2, 2)) * 0.6
        each = products(root @ root.T)
        if np.isfinite(each.form_mean().value).all():
            r = each.tilt(rng.uniform(size=1))
            assert np.isfinite(each.log_power(-r).value).all()
            assert np.isfinite(each.log_power(1 - r).value).all()
