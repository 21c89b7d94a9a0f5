"""How much a posterior moves when its priors or its likelihood are raised to a power.

Power-scaling sensitivity (Kallioinen, Paananen, Bürkner & Vehtari, Statistics and Computing 34,
2024): to a power above 1 the prior, or the likelihood, is a little stronger, to one below a little
weaker. Draws get the importance weights of that change. How far a quantity's distribution function
moves is its cumulative Jensen-Shannon distance; a sensitivity is that distance for a doubling.

ArviZ 1 has it, ``psense_summary``, on ``fit.log_prior()`` and ``fit.log_likelihood(by="network")``;
ArviZ before 1 has not. The powers are so near 1 that weights need no smoothing here.
"""

from __future__ import annotations

import numpy as np

from lsm_stan.model.likelihood import chunks
from lsm_stan.typing import FloatArray

#: Powers that are compared with 1: ArviZ's.
ALPHAS = (0.99, 1.01)

#: Sensitivity from which a quantity counts as moved: the paper's.
MOVED = 0.05


def sensitivity(
    values: FloatArray, log_density: FloatArray, alphas: tuple[float, float] = ALPHAS
) -> FloatArray:
    """Return how much quantities move when a part of the posterior is raised to a power.

    Parameters
    ----------
    values : ndarray of shape (S, Q)
        Draws of Q quantities.
    log_density : ndarray of shape (S,)
        Log density of that part, the prior or the likelihood, in nats.
    alphas : tuple of float, default ALPHAS
        Powers below and above 1.

    Returns
    -------
    ndarray of shape (Q,)
        Distances for a doubling, without unit; 0 for a quantity that is the same in every draw.
    """
    moved = np.zeros(values.shape[1])
    for alpha in alphas:
        log_weight = (alpha - 1) * log_density
        weight = np.exp(log_weight - log_weight.max())
        for part in chunks(values.shape[1], 8 * len(values)):
            distance = np.maximum(
                cjs_distance(values[:, part], weight), cjs_distance(-values[:, part], weight)
            )
            moved[part] += distance / (len(alphas) * abs(np.log2(alpha)))
    return moved


def cjs_distance(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return how far weights move the distribution functions of quantities.

    The square root of the cumulative Jensen-Shannon divergence of weighted and unweighted draws,
    over its upper bound (Nguyen & Vreeken, ECML PKDD 2015).

    Parameters
    ----------
    values : ndarray of shape (S, Q)
        Draws of Q quantities.
    weight : ndarray of shape (S,)
        Weights of the draws, of any sum.

    Returns
    -------
    ndarray of shape (Q,)
        Distances from 0 to 1.
    """
    n_draws = len(values)
    order = np.argsort(values, axis=0)
    width = np.diff(np.take_along_axis(values, order, axis=0), axis=0)
    plain = np.linspace(1 / n_draws, 1 - 1 / n_draws, n_draws - 1)[:, None]
    weighted = np.cumsum(weight[order] / weight.sum(), axis=0)[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):  # a weight can be 0
        middle = np.log2(0.5 * (plain + weighted))
        of_plain = plain * (np.log2(plain) - middle)
        of_weighted = np.where(weighted > 0, weighted * (np.log2(weighted) - middle), 0.0)
    area, weighted_area = (plain * width).sum(axis=0), (weighted * width).sum(axis=0)
    excess = 0.5 / np.log(2) * (weighted_area - area)
    divergence = np.maximum(0, (width * of_plain).sum(axis=0) + excess)
    divergence += np.maximum(0, (width * of_weighted).sum(axis=0) - excess)
    bound = area + weighted_area
    share = np.divide(divergence, bound, out=np.zeros_like(bound), where=bound > 0)
    return np.asarray(np.sqrt(share))
