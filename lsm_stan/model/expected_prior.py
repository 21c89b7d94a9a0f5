r"""The expected log prior density of independent normal parameters, with its gradient.

The densities are those of :mod:`lsm_stan.model.log_prior`, of sites and effects themselves and
of the logarithms of scales; the correlation's is that of its inverse hyperbolic tangent r. Under a
normal density all is closed but one function of one variable: with
:math:`1 - \rho^2 = \cosh^{-2} r`, only :math:`E \log\cosh r` takes a Gauss-Hermite rule.
"""

from __future__ import annotations

import math

import numpy as np

from lsm_stan.model.expected_dispersion import normal_rule
from lsm_stan.model.expected_positions import LOG_ROOT, Moments, expected_log_positions
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.normal_pairs import Gradient
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.sites import Sites
from lsm_stan.typing import FloatArray


def expected_log_prior(
    spec: ModelSpec,
    sites: Sites,
    mean: Parameters,
    spread: FloatArray,
    variance: Parameters,
    prior_scale: float,
    total: Gradient,
) -> float:
    """Evaluate it.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    sites : Sites
        Its sites.
    mean : dict of str to ndarray
        Means: ``z`` of shape (M, K), of sites, and of all else that the model has, by Stan's
        names, but for ``effect`` of shape (N, C), in nats.
    spread : ndarray of shape (M, M) or (M,)
        Covariance of the sites in each coordinate, or variances of independent ones.
    variance : dict of str to ndarray
        Variances of the parameters other than sites.
    prior_scale : float
        Standard deviation of a coordinate where it is not learned.
    total : Gradient
        What its derivatives are added to.

    Returns
    -------
    float
        In nats; where there are clusters a lower bound.
    """
    moments = Moments(mean, variance, spread, total)
    value = expected_log_positions(spec, sites, moments, prior_scale)
    if spec.intercept:
        value += _normal("intercept", spec.intercept_scale, mean, variance, total)
    if spec.with_coefficient:  # in units of the covariates
        value += _normal("coefficient", spec.beta_scale, mean, variance, total)
    if spec.dispersed:  # 1 / sqrt(phi) is half-normal
        value += _half_normal("log_phi", -0.5, spec.phi_scale, mean, variance, total)
    if "log_sigma_z" in mean:
        value += _half_normal("log_sigma_z", 1.0, spec.sigma_z_scale, mean, variance, total)
    if "log_sigma_role" in mean:
        value += _half_normal("log_sigma_role", 1.0, spec.sigma_scale, mean, variance, total)
    if spec.effects:
        value += _half_normal("log_sigma", 1.0, spec.sigma_scale, mean, variance, total)
        value += _effects(mean, variance, total)
    return float(value)


def _normal(
    name: str, scale: float, mean: Parameters, variance: Parameters, total: Gradient
) -> float:
    precision, m, v = scale**-2, mean[name], variance[name]
    total.mean[name] -= precision * m
    total.variance[name] -= 0.5 * precision
    return float(-0.5 * precision * np.sum(m**2 + v) - m.size * (math.log(scale) + LOG_ROOT))


def _half_normal(
    name: str,
    power: float,
    scale: float,
    mean: Parameters,
    variance: Parameters,
    total: Gradient,
) -> float:
    """Return the log density of log x, where x to a power is half-normal: ``power = ±1, -1/2``.

    That of the power's logarithm, less a constant, is what Stan declares, with ``log|power|``.
    """
    m, v = mean[name], variance[name]
    squares = np.exp(2 * power * m + 2 * power**2 * v) / scale**2
    total.mean[name] += power - power * squares
    total.variance[name] -= power**2 * squares
    constant = math.log(2) + math.log(abs(power)) - math.log(scale) - LOG_ROOT
    return float(np.sum(power * m - 0.5 * squares + constant))


def _effects(mean: Parameters, variance: Parameters, total: Gradient) -> float:
    """Return the log density of effects given their scales, and of their correlation."""
    m, v, log_sigma, u = (
        mean["effect"],
        variance["effect"],
        mean["log_sigma"],
        variance["log_sigma"],
    )
    n_nodes, columns = m.shape
    squares = np.sum(m**2 + v, axis=0)
    precision = np.exp(2 * (u - log_sigma))
    widened, value = 1.0, 0.0
    if columns == 2:
        r, w = mean["rho_raw"].item(), variance["rho_raw"].item()
        # means of 1 / (1 - rho^2) and of rho / (1 - rho^2)
        grown = 0.5 * math.exp(2 * w)
        widened, crossed = 0.5 + grown * math.cosh(2 * r), grown * math.sinh(2 * r)
        factor = math.exp(float(np.sum(0.5 * u - log_sigma)))
        product = float(m[:, 0] @ m[:, 1]) * factor
        value += crossed * product
        total.mean["effect"] += crossed * factor * m[:, ::-1]
        total.mean["log_sigma"] -= crossed * product
        total.variance["log_sigma"] += 0.5 * crossed * product
        both = float(precision @ squares)
        total.mean["rho_raw"] += 2 * grown * math.cosh(2 * r) * product - crossed * both
        total.variance["rho_raw"] += 2 * crossed * product - grown * math.cosh(2 * r) * both
        # log(1 - rho^2): half a time less for each node, and twice in the prior (LKJ(2))
        nodes, shares = normal_rule()
        at, sd, times = r + math.sqrt(w) * nodes, math.sqrt(w), n_nodes - 4.0
        value += times * float(shares @ (np.logaddexp(at, -at) - math.log(2))) + math.log(0.75)
        total.mean["rho_raw"] += times * float(shares @ np.tanh(at))
        total.variance["rho_raw"] += times * float((shares * nodes) @ np.tanh(at)) / (2 * sd)
    scaled = widened * precision
    value -= 0.5 * float(scaled @ squares) + n_nodes * float(log_sigma.sum() + columns * LOG_ROOT)
    total.mean["effect"] -= scaled * m
    total.variance["effect"] -= 0.5 * scaled
    total.mean["log_sigma"] += scaled * squares - n_nodes
    total.variance["log_sigma"] -= scaled * squares
    return float(value)
