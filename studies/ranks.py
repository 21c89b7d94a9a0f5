"""What ranks of true values among posterior draws say: pure arithmetic.

If the truth is drawn from the prior, the data from the model at the truth, and the posterior is
right, then the rank of any quantity's true value among L independent posterior draws is uniform on
0, ..., L (Cook, Gelman & Rubin, JCGS 15, 2006; Talts et al., arXiv:1804.06788).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from arviz.stats.ecdf_utils import ecdf_confidence_band

from lsm_stan.typing import BoolArray, FloatArray, IntArray


def rank(values: FloatArray) -> IntArray:
    """Return the ranks of true values among draws.

    Parameters
    ----------
    values
        ``(1 + L, ...)``: the truth, then the draws.

    Returns
    -------
    numpy.ndarray
        ``(...)`` numbers of draws below the truth, 0 to L.

    Raises
    ------
    ValueError
        If a value is not a number: it would have no rank.
    """
    if np.isnan(values).any():
        raise ValueError("a quantity is not a number; it has no rank")
    return np.asarray((values[1:] < values[0]).sum(axis=0))


def covered(ranks: IntArray, draws: int, share: float) -> BoolArray:
    """Return whether central posterior intervals hold the truth.

    Parameters
    ----------
    ranks
        Any shape.
    draws
        L, such that the interval begins and ends at a draw: 19 for shares 0.5 and 0.9.
    share
        Of the posterior that the interval has.
    """
    outside = round((1 - share) / 2 * (draws + 1))
    return (ranks >= outside) & (ranks <= draws - outside)


def coverage(ranks: Sequence[IntArray], draws: int, share: float) -> tuple[float, float]:
    """Return how often intervals hold the truth, and the standard error of that.

    Parameters
    ----------
    ranks
        An array a simulation: those of quantities of one kind, which depend on each other.
    draws, share
        As in :func:`covered`.

    Returns
    -------
    found : float
        Mean over simulations of the share of quantities that are covered.
    error : float
        Its standard error over simulations; but not less than that of as many independent
        quantities of nominal coverage, which is what the other estimates badly where there are few
        and all of them are covered.
    """
    shares = np.array([covered(of_one, draws, share).mean() for of_one in ranks])
    least = np.sqrt(share * (1 - share) / sum(of_one.size for of_one in ranks))
    over = shares.std(ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else 0.0
    return float(shares.mean()), float(max(over, least))


def uniform(draws: int) -> FloatArray:
    """Return the shares of uniform ranks below 1, ..., L."""
    return np.arange(1, draws + 1) / (draws + 1)


def ecdf(ranks: IntArray, draws: int) -> FloatArray:
    """Return the shares of ``(S,)`` ranks below 1, ..., L."""
    return np.asarray((ranks[:, None] < np.arange(1, draws + 1)).mean(axis=0))


@cache
def band(simulations: int, draws: int) -> tuple[FloatArray, FloatArray]:
    """Return the 95 % simultaneous band of :func:`ecdf` of S uniform ranks.

    That of Säilynoja, Bürkner & Vehtari (Statistics and Computing 32, 2022), by ArviZ.
    """
    points = uniform(draws)
    return ecdf_confidence_band(simulations, points, points, prob=0.95, method="optimized")


def deviation(ranks: IntArray, draws: int) -> float:
    """Return the largest deviation of ``(S,)`` ranks from uniform, in units of the band's width.

    More than 1 is outside the band, where 5 % of uniform ranks are.
    """
    below, above = band(len(ranks), draws)
    found, expected = ecdf(ranks, draws), uniform(draws)
    edge = np.where(found > expected, above, below)
    return float(np.max((found - expected) / (edge - expected)))
