"""Orthogonal Procrustes: positions turned onto a reference, for display and for means.

The posterior is the same for every rotation and reflection of the positions, so coordinates
of different draws, chains or methods can be compared only after one has been turned onto the
other. Distances and everything made of them need no alignment; see :mod:`lsm_stan.invariants`.
The prior is centred at the origin, so nothing is translated, and nothing is scaled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def rotation_onto(positions: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the orthogonal matrices that turn positions onto a reference.

    Parameters
    ----------
    positions
        ``(..., N, K)`` positions, any number of sets.
    reference
        ``(N, K)`` positions.

    Returns
    -------
    numpy.ndarray
        ``(..., K, K)`` matrices R, rotations or reflections, that minimise
        ``|positions @ R - reference|`` (Schönemann, Psychometrika 31, 1966).
    """
    left, _, right = np.linalg.svd(np.swapaxes(positions, -1, -2) @ reference)
    return np.asarray(left @ right)


def align(positions: FloatArray, reference: FloatArray) -> FloatArray:
    """Return ``(..., N, K)`` positions turned onto a ``(N, K)`` reference."""
    return np.asarray(positions @ rotation_onto(positions, reference))


def procrustes_rmse(positions: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the root mean squared distance of a node to its place in the reference.

    Parameters
    ----------
    positions
        ``(..., N, K)`` positions.
    reference
        ``(N, K)`` positions.

    Returns
    -------
    numpy.ndarray
        ``(...)`` errors after alignment, in units of distance.
    """
    difference = align(positions, reference) - reference
    return np.asarray(np.sqrt(np.mean(np.sum(difference**2, axis=-1), axis=-1)))


def principal_axes(positions: FloatArray) -> FloatArray:
    """Turn ``(N, K)`` positions so that the first axes carry the most spread.

    Signs are fixed so that each axis is positively skewed: the same cloud is always drawn the
    same way round.
    """
    centred = positions - positions.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    skew = ((centred @ axes.T) ** 3).sum(axis=0)
    return np.asarray(positions @ (axes.T * np.where(skew < 0, -1.0, 1.0)))


def mean_positions(draws: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the mean of ``(..., N, K)`` draws, each aligned first.

    The draws are turned onto the reference, then once more onto their own mean, so that the
    mean hardly depends on which draw served as the reference (generalised Procrustes: Gower,
    Psychometrika 40, 1975).
    """
    flat = draws.reshape(-1, *draws.shape[-2:])
    mean = align(flat, reference).mean(axis=0)
    return np.asarray(align(flat, mean).mean(axis=0))
