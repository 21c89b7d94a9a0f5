"""What ranks of true values among posterior draws say: pure arithmetic.

If the truth is drawn from the prior, the data from the model at the truth, and the posterior is
right, then the rank of any quantity's true value among L independent posterior draws is uniform on
0, ..., L (Cook, Gelman & Rubin, JCGS 15, 2006; Talts et al., arXiv:1804.06788).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.stats import binom

from lsm_stan.typing import BoolArray, FloatArray, IntArray

#: How often a band holds a whole ecdf of uniform ranks.
SIMULTANEOUS = 0.95


def rank(values: FloatArray) -> IntArray:
    """Return the ranks of true values among draws.

    Parameters
    ----------
    values : ndarray
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
    ranks : ndarray of int64
        Any shape.
    draws : int
        L, such that the interval begins and ends at a draw: 19 for shares 0.5 and 0.9.
    share : float
        Of the posterior that the interval has.
    """
    outside = round((1 - share) / 2 * (draws + 1))
    return (ranks >= outside) & (ranks <= draws - outside)


def coverage(ranks: Sequence[IntArray], draws: int, share: float) -> tuple[float, float]:
    """Return how often intervals hold the truth, and the standard error of that.

    Parameters
    ----------
    ranks : sequence of ndarray of int64
        An array a simulation: those of quantities of one kind, which depend on each other.
    draws, share : int or float
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

    That of Säilynoja, Bürkner & Vehtari (Statistics and Computing 32, 2022): central intervals of
    the binomial distributions at single points, of the least probability at which the whole ecdf
    is inside all of them in 95 % of cases.
    """

    def pointwise(share: float) -> tuple[IntArray, IntArray]:
        low, high = binom.interval(share, simulations, uniform(draws))
        return low.astype(int), high.astype(int)

    narrow, wide = SIMULTANEOUS, 1.0
    while wide - narrow > 1e-9:
        middle = (narrow + wide) / 2
        if share_inside(*pointwise(middle), simulations) < SIMULTANEOUS:
            narrow = middle
        else:
            wide = middle
    below, above = pointwise(wide)
    return below / simulations, above / simulations


def share_inside(below: IntArray, above: IntArray, simulations: int) -> float:
    """Return how probable it is that S uniform ranks stay inside a band.

    Parameters
    ----------
    below, above : ndarray of int64
        ``(L,)`` fewest and most ranks below 1, ..., L.
    simulations : int
        S.
    """
    shares = uniform(len(below))
    # from point to point: how probable each number of ranks is, those before being inside
    counts, probability = np.zeros(1, dtype=int), np.ones(1)
    for before, share, low, high in zip([0.0, *shares], shares, below, above, strict=False):
        left = simulations - counts[:, None]
        further = np.arange(low, high + 1) - counts[:, None]
        probability = probability @ binom.pmf(further, left, (share - before) / (1 - before))
        counts = np.arange(low, high + 1)
    return float(probability.sum())


def deviation(ranks: IntArray, draws: int) -> float:
    """Return the largest deviation of ``(S,)`` ranks from uniform, in units of the band's width.

    More than 1 is outside the band, where 5 % of uniform ranks are.
    """
    below, above = band(len(ranks), draws)
    observed, expected = ecdf(ranks, draws), uniform(draws)
    edge = np.where(observed > expected, above, below)
    return float(np.max((observed - expected) / (edge - expected)))
