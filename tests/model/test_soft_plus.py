"""The bound of E log(1 + u) is one, and near what it bounds where the tilt is right."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan.model.charges import LEAST
from lsm_stan.model.expectations import expected_form
from lsm_stan.model.family import find_model
from lsm_stan.model.likelihood import log_form as log_shape
from lsm_stan.model.likelihood import log_mean
from lsm_stan.model.soft_plus import Differences, best_tilts, bounded, logarithm
from lsm_stan.model.soft_plus_both import Both, bounded_both


def truth(form, mean, variance, apart, spread, rng):
    """Return E log(1 + u) by Monte Carlo, and its error, for each dyad."""
    dim, draws = apart.shape[1], 100_000
    spec = find_model(f"nb-{form}")
    values = []
    for m, v, x, s in zip(mean, variance, apart, spread, strict=True):
        there = x + np.sqrt(s) * rng.normal(size=(draws, dim))
        z = np.stack([there, np.zeros_like(there)], axis=1)
        zero = np.zeros(draws)
        log_u = log_mean(spec, {"z": z, "intercept": zero, "phi": zero + 1}, [0], [1])[:, 0]
        values.append(np.logaddexp(0, log_u + m + np.sqrt(v) * rng.normal(size=draws)))
    return np.mean(values, axis=1), np.std(values, axis=1) / np.sqrt(draws)


@pytest.mark.parametrize("form", ["inverse", "exponential", "squared"])
def test_the_bound_is_above_the_truth_and_tilts_bring_it_near(form):
    rng = np.random.default_rng(1)
    mean, variance = rng.normal(scale=3, size=12), rng.exponential(size=12) * 0.5
    apart, spread = rng.normal(size=(12, 3)), rng.exponential(size=12) * 0.1
    between = Differences(form, np.sum(apart**2, axis=1), spread, 3)
    log_form = logarithm(expected_form(form, between.square, spread, 3))
    plain = bounded(mean, variance, between, log_form)

    def bound_at(tilts):
        return bounded(mean, variance, between, log_form, tilts)

    tilts = best_tilts(bound_at, between, plain, None)
    tilted = bounded(mean, variance, between, log_form, tilts)
    actual, error = truth(form, mean, variance, apart, spread, rng)
    assert (tilted.value > actual - 4 * error).all()
    assert (tilted.value <= plain.value).all()
    lost = (tilted.value - actual).sum() / (plain.value - actual).sum()
    assert lost < (0.4 if form == "exponential" else 0.25)
    # another round only tightens
    again = best_tilts(bound_at, between, tilted, tilts)
    assert (bounded(mean, variance, between, log_form, again).value <= tilted.value).all()


@pytest.mark.parametrize("form", ["inverse", "squared"])
def test_powers_of_the_form_are_what_their_names_say(form):
    square, variance = np.array([0.3, 2.0]), np.array([0.1, 0.4])
    between = Differences(form, square, variance, 3)
    one = between.log_power(np.ones(2))
    assert_allclose(one.value, np.log(expected_form(form, square, variance, 3).value), rtol=1e-12)
    assert_allclose(between.log_power(np.zeros(2)).value, 0, atol=1e-14)


@pytest.mark.parametrize("form", ["inverse", "exponential", "squared"])
def test_the_bound_of_both_directions_is_above_the_truth_and_tilts_bring_it_near(form):
    rng = np.random.default_rng(1)
    mean, variance = rng.normal(scale=3, size=(2, 12)), rng.exponential(size=(2, 12)) * 0.5
    correlation = rng.uniform(-1, 1, size=12)
    both = Both(mean, variance, correlation * np.sqrt(variance.prod(axis=0)))
    apart, spread = rng.normal(size=(12, 3)), rng.exponential(size=12) * 0.1
    between = Differences(form, np.sum(apart**2, axis=1), spread, 3)
    log_form = between.log_form_mean()
    bound_at = partial(bounded_both, both, between, log_form)
    plain = bound_at()
    tilted, tilts = plain, None
    for _ in range(4):  # as in the rounds of a climb
        tilts = best_tilts(bound_at, between, tilted, tilts)
        assert (bound_at(tilts).value <= tilted.value).all()
        tilted = bound_at(tilts)
    noise = rng.normal(size=(100_000, 2, 12))
    noise[:, 1] = correlation * noise[:, 0] + np.sqrt(1 - correlation**2) * noise[:, 1]
    eta = mean + np.sqrt(variance) * noise
    there = apart + np.sqrt(spread)[:, None] * rng.normal(size=(100_000, 12, 3))
    log_f = log_shape(find_model(f"nb-{form}"), np.sum(there**2, axis=-1))
    values = np.logaddexp(0, np.logaddexp(eta[:, 0], eta[:, 1]) + log_f)
    actual, error = values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))
    assert (tilted.value > actual - 4 * error).all()
    assert (tilted.value - actual).sum() < 0.4 * (plain.value - actual).sum()


def test_without_its_reverse_the_bound_is_that_of_one_direction():
    mean, variance = np.array([0.7, -1.0]), np.array([0.4, 0.2])
    between = Differences("squared", np.array([0.3, 2.0]), np.array([0.1, 0.4]), 3)
    log_form, tilts = between.log_form_mean(), (np.array([0.3, 0.6]), np.array([0.2, 0.5]))
    alone = bounded(mean, variance, between, log_form, tilts)
    both = Both(np.stack([mean, mean + LEAST]), np.stack([variance] * 2), variance)
    ends = np.stack([tilts[0], np.zeros(2)]), tilts[1]
    assert_allclose(bounded_both(both, between, log_form, ends).value, alone.value, rtol=1e-14)
