"""Bridge sampling: the integral of a density from draws of it and of a normal density beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp

from lsm_stan.posterior.diagnostics import ess
from lsm_stan.typing import FloatArray

#: The fixed point is found when it moves by less than this, in nats; it takes some tens of rounds.
TOLERANCE, ROUNDS = 1e-10, 10_000


@dataclass(frozen=True)
class Integral:
    """An integral of a density.

    Attributes
    ----------
    log_value : float
        Its logarithm, in nats.
    error : float
        Monte-Carlo standard error of that, in nats.
    """

    log_value: float
    error: float


def bridge(at_draws: FloatArray, at_normals: FloatArray) -> Integral:
    """Integrate a density p by the optimal bridge to a normalised density q.

    Parameters
    ----------
    at_draws : ndarray of shape (chain, draw)
        ``log p - log q`` at draws of p.
    at_normals : ndarray of shape (M,)
        The same at independent draws of q; -inf where p is 0.

    Returns
    -------
    Integral

    Notes
    -----
    Meng & Wong, Statistica Sinica 6, 1996; its error by Frühwirth-Schnatter, Econometrics Journal
    7, 2004, with the effective number of the draws of p. They must not be those that q was fitted
    to (Overstall & Forster, Comput. Stat. Data Anal. 54, 2010).

    Examples
    --------
    >>> from scipy.stats import multivariate_normal
    >>> rng = np.random.default_rng(1)
    >>> p = multivariate_normal(np.zeros(2))  # twice of it has the integral 2
    >>> q = multivariate_normal(np.zeros(2), 1.2)
    >>> draws, normals = (density.rvs(2000, random_state=rng) for density in (p, q))
    >>> ratio = [np.log(2) + p.logpdf(x) - q.logpdf(x) for x in (draws, normals)]
    >>> integral = bridge(ratio[0][None], ratio[1])
    >>> abs(integral.log_value - np.log(2)) < 4 * integral.error < 0.1
    True
    """
    independent = _independent(np.exp(at_draws - at_draws.max()))
    share = independent / (independent + at_normals.size)
    odds = np.log(share) - np.log1p(-share)
    p, q = at_draws.reshape(-1), at_normals
    log_value = float(np.median(p))
    for _ in range(ROUNDS):
        # of q: p / (s1 p + s2 q); of p: q / (s1 p + s2 q), both with p divided by its integral
        above = np.where(np.isneginf(q), -np.inf, q - np.logaddexp(odds + q - log_value, 0.0))
        below = -np.logaddexp(odds + p - log_value, 0.0)
        new = float(logsumexp(above) - np.log(q.size) - logsumexp(below) + np.log(p.size))
        if not np.isfinite(new):
            return Integral(-np.inf, np.inf)
        if abs(new - log_value) < TOLERANCE:
            break
        log_value = new
    of_q = expit(odds + q - log_value)  # s1 p / (s1 p + s2 q)
    of_p = expit(-(odds + p - log_value))
    variance = of_q.var() / of_q.mean() ** 2 / q.size
    variance += of_p.var() / of_p.mean() ** 2 / _independent(of_p.reshape(at_draws.shape))
    return Integral(new, float(np.sqrt(variance)))


def _independent(values: FloatArray) -> float:
    """Return how many independent draws say as much of a mean."""
    if values.shape[1] < 4 or np.ptp(values) == 0:
        return float(values.size)
    return float(np.clip(np.nan_to_num(ess(values), nan=1.0), 1.0, values.size))
