"""Sums of a smooth function of x_i + y_j over all i and j, without a visit to every pair.

A function is interpolated at Chebyshev points, each of which has a weight: how much all numbers
together lean on it. The sum over N numbers is then one over P points, for any function that is as
smooth as log(1 + e^x): its error falls as e^(-P asinh(π / h)) for numbers at most h from their
middle (Trefethen, Approximation Theory and Approximation Practice, 2013, theorem 8.2).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lsm_stan.typing import FloatArray

#: Points: with 160 the error is below 1e-9 for numbers that are up to e^50 apart as odds.
POINTS = 160


class Stand(NamedTuple):
    """Points that stand for many numbers in sums of smooth functions.

    Attributes
    ----------
    points : ndarray of shape (P,)
        Chebyshev points between the smallest and the largest number.
    weights : ndarray of shape (P,)
        Weights, which add up to the number of numbers; some may be negative.
    """

    points: FloatArray
    weights: FloatArray


def stand_in(values: FloatArray, points: int = POINTS) -> Stand:
    """Return points that stand for numbers in sums of smooth functions.

    Parameters
    ----------
    values : ndarray of shape (N,)
        Numbers.
    points : int, default 160
        P, how many points.

    Returns
    -------
    Stand

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan.prediction.smooth_sums import stand_in
    >>> values = np.linspace(-3, 5, 1000)
    >>> stand = stand_in(values)
    >>> print(round(float(stand.weights @ np.exp(stand.points) - np.exp(values).sum()), 6))
    0.0
    """
    low, high = float(values.min()), float(values.max())
    middle, half = (low + high) / 2, max((high - low) / 2, 1e-9)
    x = np.clip((values - middle) / half, -1.0, 1.0)
    angle = np.pi * (np.arange(points) + 0.5) / points
    # sums of Chebyshev polynomials by their recurrence
    sums = np.empty(points)
    before, now = np.ones_like(x), x
    for degree in range(points):
        sums[degree] = before.sum()
        before, now = now, 2 * x * now - before
    sums[1:] *= 2
    weights = np.cos(np.outer(angle, np.arange(points))) @ sums / points
    return Stand(middle + half * np.cos(angle), weights)
