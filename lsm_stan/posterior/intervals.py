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
    draws : ndarray of shape (S, ...)
        Draws.

    Returns
    -------
    ndarray of shape (2, ...)
        Lower and upper ends; NaN for a single draw, which says nothing about a spread.

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan.posterior.intervals import interval
    >>> print(interval(np.arange(101.0)))
    [ 5. 95.]
    """
    if len(draws) < 2:
        return np.full((2, *draws.shape[1:]), np.nan)
    return np.quantile(draws, ENDS, axis=0)
