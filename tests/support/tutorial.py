"""The tutorial's formula on a dense matrix, in NumPy and SciPy: what the Stan program must equal.

It shares nothing with the package: every one of the N×N cells is written out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats


def rates(z: NDArray, jitter: float = 1e3, softening: float = 0.0) -> NDArray:
    """Return the N×N Poisson rates; works for complex positions too."""
    difference = z[:, None, :] - z[None, :, :]
    squared = (difference**2).sum(axis=-1) + softening**2 * (1 - np.eye(len(z)))
    return 1 / np.sqrt(squared + jitter * np.eye(len(z)))


def log_joint(
    z: NDArray,
    y: NDArray,
    *,
    directed: bool = True,
    prior_scale: float = 1.0,
    jitter: float = 1e3,
    softening: float = 0.0,
) -> complex | float:
    """Return the log joint density, by definition of normal and Poisson densities.

    An undirected network's cells are those of the upper triangle and the diagonal.
    """
    rate = rates(z, jitter, softening)
    cells = y * np.log(rate) - rate - special.gammaln(y + 1)
    if not directed:
        cells = np.triu(cells)
    prior = -0.5 * (z / prior_scale) ** 2 - np.log(prior_scale) - 0.5 * np.log(2 * np.pi)
    return prior.sum() + cells.sum()


def gradient(z: NDArray, y: NDArray, **kwargs: float | bool) -> NDArray:
    """Return the gradient of `log_joint` by the complex step: exact to rounding.

    W. Squire, G. Trapp, Using complex variables to estimate derivatives of real functions,
    SIAM Review 40 (1998).
    """
    step = 1e-30
    result = np.empty_like(z)
    for index in np.ndindex(*z.shape):
        probe = z.astype(complex)
        probe[index] += 1j * step
        result[index] = np.imag(log_joint(probe, y, **kwargs)) / step
    return result


def hessian(z: NDArray, y: NDArray) -> NDArray:
    """Return the Hessian of `log_joint` in z.reshape(-1): the complex step of its slope."""

    def slope(z: NDArray) -> NDArray:
        apart = z[:, None] - z
        squared = (apart**2).sum(axis=-1) + 1e3 * np.eye(len(z))
        by_squared = -(y + y.T) / (2 * squared) + squared**-1.5  # of both cells of a pair
        return (2 * by_squared[:, :, None] * apart).sum(axis=1) - z

    np.testing.assert_allclose(slope(z), gradient(z, y), rtol=1e-9, atol=1e-9)
    step = 1e-30
    probes = z + 1j * step * np.eye(z.size).reshape(-1, *z.shape)
    return np.stack([np.imag(slope(probe)).reshape(-1) / step for probe in probes])


def scipy_log_joint(z: NDArray, y: NDArray) -> float:
    """Return the same density from SciPy's distributions."""
    return float(stats.norm.logpdf(z).sum() + stats.poisson.logpmf(y, rates(z)).sum())
