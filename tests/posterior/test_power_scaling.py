"""Power-scaling: a conjugate posterior's, which is known, and ArviZ's where it has one."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.integrate import trapezoid

from lsm_stan.posterior.power_scaling import ALPHAS, cjs_distance, sensitivity

rng = np.random.default_rng(1)
VALUES = np.column_stack([rng.normal(size=4000), rng.gamma(2, size=4000), np.ones(4000)])

since_arviz_1 = pytest.mark.skipif(hasattr(az, "waic"), reason="ArviZ before 1 has none")


def quantiles(distribution: stats.rv_continuous, size: int = 20_000) -> np.ndarray:
    """Return draws as even as can be, ``(S, 1)``."""
    return distribution.ppf((np.arange(size) + 0.5) / size)[:, None]


def exact_distances(
    p: stats.rv_continuous, q: stats.rv_continuous, low: float, high: float
) -> list[float]:
    """Return the distance of two distributions by quadrature, of a quantity and of minus it."""
    axis = np.linspace(low, high, 400_001)
    actual = []
    for a, b in ((p.cdf(axis), q.cdf(axis)), (p.sf(axis), q.sf(axis))):
        middle = np.log2(0.5 * (a + b))
        both = a * (np.log2(a) - middle) + b * (np.log2(b) - middle)
        actual.append(float(np.sqrt(trapezoid(both, axis) / trapezoid(a + b, axis))))
    return actual


def test_the_distance_is_that_of_the_distribution_functions():
    p, q = stats.norm(0, 1), stats.norm(0.5, 1.2)
    draws = quantiles(p)
    weight = q.pdf(draws[:, 0]) / p.pdf(draws[:, 0])
    actual = [cjs_distance(sign * draws, weight)[0] for sign in (1, -1)]
    expected = exact_distances(p, q, draws.min(), draws.max())
    np.testing.assert_allclose(actual, expected, rtol=0.02)


def test_a_conjugate_posterior_moves_as_far_as_it_should():
    """A normal mean: with the prior or the likelihood to a power the posterior is known."""
    prior_precision, n, mean = 1.0, 3.0, 2.0

    def posterior(prior_power: float, likelihood_power: float) -> stats.rv_continuous:
        data = likelihood_power * n
        precision = prior_power * prior_precision + data
        return stats.norm(data * mean / precision, precision**-0.5)

    draws = quantiles(posterior(1, 1))
    parts = {
        "prior": stats.norm.logpdf(draws[:, 0], scale=prior_precision**-0.5),
        "likelihood": stats.norm.logpdf(draws[:, 0], mean, n**-0.5),
    }
    for part, log_density in parts.items():
        expected = [
            max(
                exact_distances(
                    posterior(1, 1),
                    posterior(alpha, 1) if part == "prior" else posterior(1, alpha),
                    draws.min(),
                    draws.max(),
                )
            )
            / abs(np.log2(alpha))
            for alpha in ALPHAS
        ]
        assert sensitivity(draws, log_density)[0] == pytest.approx(np.mean(expected), rel=0.02)


def test_what_never_changes_is_not_moved():
    assert sensitivity(VALUES, VALUES[:, 0] ** 2)[2] == 0
    # the square root of what rounding leaves
    assert sensitivity(VALUES, np.full(4000, -1e5)).max() < 1e-5


@since_arviz_1
def test_distances_are_arviz_s():
    weight = np.exp(-0.3 * VALUES[:, 0] ** 2)
    weights = [weight, weight**2]
    for values in VALUES.T[:2]:
        draws, lower, upper = (
            xr.DataArray(v.reshape(4, 1000), dims=("chain", "draw")) for v in (values, *weights)
        )
        theirs = draws.azstats.power_scale_sense(
            lower_w=lower, upper_w=upper, lower_alpha=0.5, upper_alpha=2.0
        )
        ours = [max(cjs_distance(s * values[:, None], w)[0] for s in (1, -1)) for w in weights]
        assert np.mean(ours) == pytest.approx(float(theirs), rel=1e-10)


@since_arviz_1
def test_sensitivities_are_arviz_s_but_for_its_smoothing():
    log_density = -0.5 * VALUES[:, 0] ** 2 + np.log(VALUES[:, 1])
    groups = {
        "posterior": {"a": VALUES[:, 0].reshape(4, -1), "b": VALUES[:, 1].reshape(4, -1)},
        "log_prior": {"all": log_density.reshape(4, -1)},
    }
    theirs = az.psense(az.from_dict(groups), group="prior", alphas=ALPHAS)
    actual = sensitivity(VALUES, log_density)
    np.testing.assert_allclose(actual[:2], [theirs["a"], theirs["b"]], rtol=0.01)


def test_draws_without_weight_are_those_of_hardly_any():
    """Without it the lowest draws have a weighted distribution function of 0, whose log is none."""
    weight = np.linspace(0, 1, len(VALUES))[np.argsort(np.argsort(VALUES[:, 0]))]
    lowest = VALUES[:, 0] < -1
    none, hardly = (np.where(lowest, tiny, weight) for tiny in (0.0, 1e-200))
    actual = cjs_distance(VALUES[:, :1], none)
    assert 0.1 < actual[0] < 1
    np.testing.assert_allclose(actual, cjs_distance(VALUES[:, :1], hardly), rtol=1e-12)
