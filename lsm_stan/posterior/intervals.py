"""The intervals that tables and checks report: one probability for all."""

from __future__ import annotations

import numpy as np

from lsm_stan.typing import FloatArray

#: The quantiles at their ends: they hold 90 %.
ENDS = (0.05, 0.95)


def interval(draws: FloatArray) -> FloatArray:
    """Return the ends of the central 90 % interval of draws.

    Parameters
    ----------
    draws
        ``(S, ...)``.

    Returns
    -------
    numpy.ndarray
        ``(2, ...)`` lower and upper ends; NaN of one draw, which says nothing of a spread.
    """
    if len(draws) < 2:
        return np.full((2, *draws.shape[1:]), np.nan)
    return np.quantile(draws, ENDS, axis=0)
