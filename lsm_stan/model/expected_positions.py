r"""The expected log prior density of normal positions, roles and clusters, with its gradient.

Where positions are a mixture of clusters, the expected logarithm of the mixture is no closed form;
Jensen's inequality gives a lower bound with any responsibilities r of clusters for nodes,

.. math:: E\log\sum_g \theta_g p_g(z_n) \ge \sum_g r_{ng}\,(E\log\theta_g + E\log p_g(z_n)
          - \log r_{ng}),

which is highest, and taken here, at :math:`r_{ng} \propto e^{E\log\theta_g + E\log p_g(z_n)}`.
Shares are the softmax of normal numbers, x, and a 0; :math:`E\log\theta_g \ge E x_g -
\log\sum_h E e^{x_h}`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp, softmax

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.normal_pairs import Gradient, at_nodes
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.sites import Sites
from lsm_stan.typing import FloatArray, IntArray

#: The normal density's constant, a coordinate.
LOG_ROOT = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Weighted sums of sites.

    Attributes
    ----------
    sites : ndarray of int64 of shape (R, T)
        0-based indices of the sites of each sum, all different.
    weights : ndarray of shape (T,)
        Their weights.
    """

    sites: IntArray
    weights: FloatArray

    def squares(self, mean: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the sums' means, and the means of their squared lengths.

        Parameters
        ----------
        mean : ndarray of shape (M, K)
            Means of the sites.
        spread : ndarray of shape (M, M) or (M,)
            Covariance of the sites in each coordinate, or variances of independent ones.

        Returns
        -------
        sums : ndarray of shape (R, K)
        squares : ndarray of shape (R,)
        """
        terms = list(zip(self.sites.T, self.weights, strict=True))
        sums = np.sum([weight * mean[sites] for sites, weight in terms], axis=0)
        variance = np.zeros(len(sums))
        for sites, weight in terms:
            if spread.ndim == 1:
                variance += weight**2 * spread[sites]
            else:
                for others, factor in terms:
                    variance += weight * factor * spread[sites, others]
        return sums, np.einsum("rk,rk->r", sums, sums) + mean.shape[1] * variance

    def add_to(self, total: Gradient, sums: FloatArray, by_square: FloatArray) -> None:
        """Add derivatives in the means of the squared lengths to a gradient.

        Parameters
        ----------
        total : Gradient
            What is added to.
        sums : ndarray of shape (R, K)
            The sums' means.
        by_square : ndarray of shape (R,)
            The derivatives.
        """
        n_sites, dim = total.mean["z"].shape
        by_sum = 2 * by_square[:, None] * sums
        for sites, weight in zip(self.sites.T, self.weights, strict=True):
            for k, column in enumerate(by_sum.T):
                total.mean["z"][:, k] += at_nodes(sites, weight * column, n_sites)
            if total.spread.ndim == 1 and total.spread.size:
                total.spread += at_nodes(sites, dim * weight**2 * by_square, n_sites)
            elif total.spread.size:
                for others, factor in zip(self.sites.T, self.weights, strict=True):
                    np.add.at(total.spread, (sites, others), dim * weight * factor * by_square)


@dataclass(frozen=True, eq=False)
class Moments:
    """What the prior of positions depends on, and where derivatives go.

    Attributes
    ----------
    mean, variance : dict of str to ndarray
        Means and variances of the parameters, which are normal.
    spread : ndarray of shape (M, M) or (M,)
        Covariance of the sites in each coordinate, or variances of independent ones.
    total : Gradient
        What derivatives are added to.
    """

    mean: Parameters
    variance: Parameters
    spread: FloatArray
    total: Gradient

    def log_scale(self, name: str, fixed: float) -> tuple[float, float]:
        """Return mean and variance of the logarithm of a scale, which is learned or fixed.

        Parameters
        ----------
        name : str
            The logarithm.
        fixed : float
            The scale where it is not learned.

        Returns
        -------
        mean, variance : float
        """
        if name not in self.mean:
            return math.log(fixed), 0.0
        return self.mean[name].item(), self.variance[name].item()

    def count(
        self, name: str, by_mean: FloatArray | float, by_variance: FloatArray | float
    ) -> None:
        """Add derivatives in mean and variance of a parameter, if it is one.

        Parameters
        ----------
        name : str
            The parameter.
        by_mean, by_variance : ndarray or float
            The derivatives.
        """
        if name in self.mean:
            self.total.mean[name] += by_mean
            self.total.variance[name] += by_variance


def expected_log_positions(
    spec: ModelSpec, sites: Sites, moments: Moments, prior_scale: float
) -> float:
    """Evaluate it, without the priors of the scales of positions and roles.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    sites : Sites
        Its sites.
    moments : Moments
        The normal density, and what the derivatives are added to.
    prior_scale : float
        Standard deviation of a coordinate where it is not learned.

    Returns
    -------
    float
        In nats: a density of the sites; where there are clusters its lower bound.
    """
    nodes = np.arange(sites.n_nodes)
    ends = np.stack([nodes, nodes + sites.receiving], axis=1)[:, : 2 if spec.roles else 1]
    half = np.full(ends.shape[1], 1 / ends.shape[1])
    scale = "log_sigma_z", prior_scale
    value = -sites.log_volume(moments.mean["z"].shape[1])
    if spec.roles:
        roles = Contrasts(ends, np.array([0.5, -0.5]))
        value += _spherical(roles, moments, "log_sigma_role", spec.role_fixed)
    if not spec.clusters:
        return value + _spherical(Contrasts(ends, half), moments, *scale)
    centres = sites.first_centre + np.arange(spec.clusters)
    value += _spherical(Contrasts(centres[:, None], np.ones(1)), moments, *scale)
    pairs = np.column_stack(
        [np.repeat(ends, spec.clusters, axis=0), np.tile(centres, sites.n_nodes)]
    )
    from_centres = Contrasts(pairs, np.append(half, -1.0))
    return value + _mixture(spec, from_centres, moments, *scale)


def _spherical(contrasts: Contrasts, moments: Moments, name: str, fixed: float) -> float:
    """Return the density of normal points around 0, given their scale."""
    log_scale, v = moments.log_scale(name, fixed)
    sums, squares = contrasts.squares(moments.mean["z"], moments.spread)
    precision = math.exp(2 * (v - log_scale))
    scaled = precision * float(squares.sum())
    moments.count(name, scaled - sums.size, -scaled)
    contrasts.add_to(moments.total, sums, np.full(len(squares), -0.5 * precision))
    return -0.5 * scaled - sums.size * (log_scale + LOG_ROOT)


def _mixture(
    spec: ModelSpec, from_centres: Contrasts, moments: Moments, name: str, fixed: float
) -> float:
    """Return the bound of the density in clusters, and of shares and standard deviations."""
    n_clusters, c = spec.clusters, spec.concentration
    sums, squares = from_centres.squares(moments.mean["z"], moments.spread)
    squares, dim = squares.reshape(-1, n_clusters), sums.shape[1]
    log_scale, v = moments.log_scale(name, fixed)
    log_omega, w = moments.mean["log_omega"], moments.variance["log_omega"]
    precision = np.exp(2 * (v + w - log_scale - log_omega))
    ratio = np.append(moments.mean["theta_raw"], 0.0)
    grown = ratio + 0.5 * np.append(moments.variance["theta_raw"], 0.0)
    log_theta, share = ratio - logsumexp(grown), softmax(grown)
    log_p = log_theta - dim * (log_scale + log_omega + LOG_ROOT) - 0.5 * precision * squares
    responsible = softmax(log_p, axis=1)
    counts, scaled = responsible.sum(axis=0), precision * np.sum(responsible * squares, axis=0)
    value = float(logsumexp(log_p, axis=1).sum() + c * log_theta.sum())
    value += float(gammaln(n_clusters * c) - n_clusters * gammaln(c))
    whole = (len(squares) + n_clusters * c) * share
    moments.count("theta_raw", (counts + c - whole)[:-1], -0.5 * whole[:-1])
    moments.count(name, float(np.sum(scaled - dim * counts)), -float(scaled.sum()))
    off, precise = log_omega - math.log(spec.cluster_fixed), spec.cluster_scale**-2
    value -= 0.5 * precise * float(np.sum(off**2 + w))
    value -= n_clusters * (math.log(spec.cluster_scale) + LOG_ROOT)
    moments.count("log_omega", scaled - dim * counts - precise * off, -scaled - 0.5 * precise)
    from_centres.add_to(moments.total, sums, (-0.5 * responsible * precision).reshape(-1))
    return value
