"""Bridge sampling against known integrals, and its error against the spread of repeats."""

import numpy as np
import pytest
from scipy import stats

from lsm_stan.posterior.bridge import bridge


def t_integral(seed: int, degrees: float = 6.0, dim: int = 5):
    """Integrate exp(3) times a multivariate t density."""
    rng = np.random.default_rng(seed)
    t = stats.multivariate_t(np.zeros(dim), np.eye(dim), df=degrees)
    draws = t.rvs(3000, random_state=rng)
    normal = stats.multivariate_normal(draws[:1500].mean(axis=0), np.cov(draws[:1500].T))

    def ratio(at):
        return 3.0 + t.logpdf(at) - normal.logpdf(at)

    return bridge(ratio(draws[1500:])[None], ratio(normal.rvs(1500, random_state=rng)))


def test_the_error_is_the_spread_of_repeats():
    repeats = [t_integral(seed) for seed in range(60)]
    values = np.array([integral.log_value for integral in repeats])
    errors = np.array([integral.error for integral in repeats])
    assert abs(values.mean() - 3.0) < 4 * values.std() / np.sqrt(60)
    # 60 repeats know their standard deviation to 9 %
    assert values.std() == pytest.approx(errors.mean(), rel=0.3)


def test_draws_that_depend_on_each_other_have_a_larger_error():
    rng = np.random.default_rng(0)
    p, q = stats.norm(), stats.norm(1.0)
    slow = [0.0]
    for noise in rng.normal(size=3999):
        slow.append(0.95 * slow[-1] + np.sqrt(1 - 0.95**2) * noise)
    normals = q.rvs(4000, random_state=rng)

    def ratio(at):
        return p.logpdf(at) - q.logpdf(at)

    dependent = bridge(ratio(np.array(slow))[None], ratio(normals))
    independent = bridge(ratio(p.rvs(4000, random_state=rng))[None], ratio(normals))
    assert dependent.error > 1.5 * independent.error
    assert abs(dependent.log_value) < 4 * dependent.error


def test_half_of_a_density_has_half_of_its_integral():
    rng = np.random.default_rng(1)
    p = stats.multivariate_normal(np.zeros(2))
    draws = p.rvs(4000, random_state=rng)
    draws[:, 0] = np.abs(draws[:, 0])
    normals = p.rvs(4000, random_state=rng)
    ratio = np.where(normals[:, 0] > 0, 0.0, -np.inf)
    integral = bridge(np.zeros((1, 4000)), ratio)
    assert abs(integral.log_value - np.log(0.5)) < 4 * integral.error


def test_densities_that_do_not_meet_have_no_integral():
    assert np.isneginf(bridge(np.zeros((1, 100)), np.full(100, -np.inf)).log_value)
