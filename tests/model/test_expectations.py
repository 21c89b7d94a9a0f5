"""Expectations of functions of distance, against integrals over the distance's own density."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from lsm_stan import InputError
from lsm_stan.model import expectations
from lsm_stan.model.family import ROUNDING

DIMS = [1, 2, 3, 4, 5, 20]

#: Expectation, and the function of distance it is of.
FUNCTIONS = {
    "inverse": (expectations.expected_power, lambda d: 1 / d),
    "root": (lambda *of: expectations.expected_power(*of, -0.7), lambda d: d**0.7),
    "log": (expectations.expected_log, np.log),
    "squared": (expectations.expected_squared_exponential, lambda d: np.exp(-(d**2))),
    "exponential": (
        expectations.expected_exponential,
        lambda d: np.exp(-np.sqrt(d**2 + ROUNDING**2)),
    ),
    "distance": (expectations.expected_root, lambda d: np.sqrt(d**2 + ROUNDING**2)),
    "square": (expectations.expected_square, np.square),
}

#: In one dimension the mean of an inverse distance is infinite.
CASES = [case for case in product(FUNCTIONS, DIMS) if case != ("inverse", 1)]


def integral(function, mean, sd, dim):
    """Integrate over the noncentral chi density of the distance; the variable is its cube root.

    The density has a Bessel function; its scaled form does not overflow. In the cube root the
    logarithm's and the inverse's integrands are smooth at 0.
    """
    nodes, weights = np.polynomial.legendre.leggauss(40)
    ends = np.linspace(
        max(0, mean - 14 * sd) ** (1 / 3), (mean + (14 + 2 * dim**0.5) * sd) ** (1 / 3), 80
    )
    half = 0.5 * np.diff(ends)[:, None]
    root = (ends[:-1, None] + half) + half * nodes
    d = root**3
    density = np.exp(-0.5 * ((d - mean) / sd) ** 2) * special.ive(dim / 2 - 1, mean * d / sd**2)
    density *= (d / mean) ** (dim / 2 - 1) * d / sd**2
    return float(np.sum(half * weights * function(d) * density * 3 * root**2))


@pytest.mark.parametrize(("name", "dim"), CASES)
def test_expectations_are_integrals(name, dim):
    expected, function = FUNCTIONS[name]
    cases = [(ratio * sd, sd) for sd in (0.01, 0.4, 3.0) for ratio in (0.05, 0.31, 1.0, 4.0, 20.0)]
    means, sds = np.transpose(cases)
    actual = expected(means**2, sds**2, dim).value
    reference = [integral(function, mean, sd, dim) for mean, sd in cases]
    assert_allclose(actual, reference, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "dim"), CASES)
def test_derivatives_are_those_of_the_values(name, dim):
    expected = FUNCTIONS[name][0]
    rng = np.random.default_rng(dim)
    square, variance = rng.exponential(size=50) * 3, rng.exponential(size=50) + 0.02
    result = expected(square, variance, dim)
    for argument, derivative in ((0, result.by_square), (1, result.by_variance)):
        at = [square, variance]
        step = 1e-4 * at[argument]
        values = []
        for times in (-2, -1, 1, 2):
            moved = list(at)
            moved[argument] = at[argument] + times * step
            values.append(expected(*moved, dim).value)
        slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        assert_allclose(derivative, slope, rtol=1e-7, atol=1e-9)


def test_the_logarithm_has_closed_forms():
    """In two dimensions by the exponential integral; at mean 0 by digamma in any."""
    ratio = np.logspace(-6, 6, 60)
    actual = expectations.expected_log(ratio, np.ones(60), 2).value
    assert_allclose(actual, 0.5 * (np.log(ratio) + special.exp1(ratio / 2)), atol=1e-11)
    for dim in (1, 2, 3, 7, 300):
        actual = expectations.expected_log(np.zeros(1), np.full(1, 4.0), dim).value
        expected = np.log(2) + 0.5 * (np.log(2) + special.digamma(dim / 2))
        assert_allclose(actual, expected, atol=1e-11)


def test_where_erf_loses_digits_the_series_goes_on():
    square = 2 * expectations.NEAR * np.array([0.0, 1e-9, 0.999999, 1.000001])
    by_erf = expectations.expected_power(square, np.ones(4), 3)
    by_kummer = expectations.expected_power(square, np.ones(4), 3, np.ones(4))
    for actual, expected in zip(by_erf, by_kummer, strict=True):
        assert_allclose(actual, expected, rtol=1e-12)


def test_in_one_dimension_there_is_no_mean_inverse():
    with pytest.raises(InputError, match=r"no finite mean of 1/d: take dim 2 or more"):
        expectations.expected_power(np.ones(1), np.ones(1), 1)


def test_far_apart_an_expectation_is_the_function_of_the_mean():
    square, variance = np.full(3, 4.0), np.array([1e-4, 1e-9, 1e-30])
    for power in (1.0, 1e-3, -0.7, np.full(3, 0.5)):
        for dim in (2, 3, 400):
            result = expectations.expected_power(square, variance, dim, power)
            assert_allclose(result.value[1:], 2.0 ** -np.broadcast_to(power, 3)[1:], rtol=1e-6)
            slope = -0.5 * power * 2.0 ** -(np.asarray(power) + 2)
            assert_allclose(result.by_square[1:], np.broadcast_to(slope, 3)[1:], rtol=1e-6)
            assert np.isfinite(result.by_variance).all()
    near = expectations.kummer(0.3, 1.5, -expectations.FAR * np.array([0.999999, 1.000001]))
    assert near[0] == pytest.approx(near[1], rel=1e-6)
