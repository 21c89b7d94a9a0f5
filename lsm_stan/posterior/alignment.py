"""Orthogonal Procrustes: positions turned onto a target, for display and for means.

The posterior is the same for every rotation and reflection of the positions, so coordinates
of different draws, chains or methods can be compared only after one has been turned onto the
other. Distances and everything made of them need no alignment; see
:mod:`lsm_stan.posterior.invariants`. The prior is centred at the origin, so nothing is translated
or scaled.

What can serve as a target: a mode, or any positions of the user's. :func:`target_sensitivity`
says where the choice matters. :func:`mean_gram` needs none.

A mean of aligned draws is a place of its own: one that strays along the rim of the cloud has its
mean amid it (:func:`strays`), so that distances between means are shorter than mean distances.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import linalg

from lsm_stan.posterior.invariants import radii
from lsm_stan.typing import BoolArray, FloatArray

#: A node is flagged where its mean place moves by more than this many of its spreads.
MAX_SHIFT = 0.5

#: A node strays whose mean place is nearer the centre than this share of its mean radius, unless it
#: stays within this share of the radius of the cloud of nodes: then its place is known.
MIN_RADIUS, ROUGH = 0.7, 0.5


def rotation_onto(positions: FloatArray, target: FloatArray) -> FloatArray:
    """Return the orthogonal matrices that turn positions onto a target.

    Parameters
    ----------
    positions : ndarray of shape (..., N, K)
        Positions, any number of sets.
    target : ndarray of shape (N, K)
        Positions.

    Returns
    -------
    ndarray of shape (..., K, K)
        Matrices R, rotations or reflections, that minimise ``|positions @ R - target|``
        (Schönemann, Psychometrika 31, 1966).
    """
    left, _, right = np.linalg.svd(np.swapaxes(positions, -1, -2) @ target)
    return np.asarray(left @ right)


def align(positions: FloatArray, target: FloatArray) -> FloatArray:
    """Turn positions onto a target by a rotation or reflection (Schönemann 1966).

    Parameters
    ----------
    positions : ndarray of shape (..., N, K)
        Positions, any number of sets.
    target : ndarray of shape (N, K)
        Positions.

    Returns
    -------
    ndarray of shape (..., N, K)
        Positions with the distances that they had.

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan import align
    >>> target = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    >>> quarter_turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> np.allclose(align(target @ quarter_turn, target), target)
    True
    """
    return np.asarray(positions @ rotation_onto(positions, target))


def procrustes_rmse(positions: FloatArray, target: FloatArray) -> FloatArray:
    """Return the root mean squared distance of a node to its place in the target.

    Parameters
    ----------
    positions : ndarray of shape (..., N, K)
        Positions, any number of sets.
    target : ndarray of shape (N, K)
        Positions.

    Returns
    -------
    ndarray of shape (...)
        Errors after alignment, in units of distance.
    """
    difference = align(positions, target) - target
    return np.asarray(np.sqrt(np.mean(np.sum(difference**2, axis=-1), axis=-1)))


def principal_axes(positions: FloatArray) -> FloatArray:
    """Turn positions so that the first axes carry the most spread.

    Signs are fixed so that each axis is positively skewed: the same cloud is always drawn the
    same way round.

    Parameters
    ----------
    positions : ndarray of shape (N, K)
        Positions.

    Returns
    -------
    ndarray of shape (N, K)

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan import principal_axes
    >>> turned = principal_axes(np.random.default_rng(1).normal(size=(50, 2)) * [1.0, 5.0])
    >>> first, second = turned.std(axis=0)
    >>> bool(first > second)
    True
    """
    centred = positions - positions.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    skew = ((centred @ axes.T) ** 3).sum(axis=0)
    return np.asarray(positions @ (axes.T * np.where(skew < 0, -1.0, 1.0)))


def mean_positions(draws: FloatArray, target: FloatArray) -> FloatArray:
    """Return the mean of draws of positions, each aligned first.

    The draws are turned onto the target, then once more onto their own mean, so that the
    mean hardly depends on which draw served as the target (generalised Procrustes: Gower,
    Psychometrika 40, 1975).

    Parameters
    ----------
    draws : ndarray of shape (..., N, K)
        Draws of the positions.
    target : ndarray of shape (N, K)
        Positions.

    Returns
    -------
    ndarray of shape (N, K)
    """
    flat = draws.reshape(-1, *draws.shape[-2:])
    mean = align(flat, target).mean(axis=0)
    return np.asarray(align(flat, mean).mean(axis=0))


def spread(draws: FloatArray, mean: FloatArray) -> FloatArray:
    """Return every node's posterior spread, in units of distance.

    Parameters
    ----------
    draws : ndarray of shape (..., N, K)
        Draws of the positions.
    mean : ndarray of shape (N, K)
        Mean positions, onto which each draw is turned.

    Returns
    -------
    ndarray of shape (N,)
        Root mean squared distances of a node from its mean place.
    """
    flat = draws.reshape(-1, *draws.shape[-2:])
    return np.asarray(np.sqrt(((align(flat, mean) - mean) ** 2).sum(axis=-1).mean(axis=0)))


def strays(draws: FloatArray, mean: FloatArray) -> BoolArray:
    """Return which nodes the mean positions put far nearer the centre than the draws do.

    Parameters
    ----------
    draws : ndarray of shape (..., N, K)
        Draws of the positions.
    mean : ndarray of shape (N, K)
        Mean positions.

    Returns
    -------
    ndarray of bool of shape (N,)
        Whether a node's distance from the centre, at its mean place, is below
        :data:`MIN_RADIUS` times its mean distance over draws, and its spread above :data:`ROUGH`
        times :func:`cloud_radius`. With a single draw no node is.
    """
    flat = draws.reshape(-1, *draws.shape[-2:])
    near = radii(mean) < MIN_RADIUS * radii(flat).mean(axis=0)
    return np.asarray(near & (spread(flat, mean) > ROUGH * cloud_radius(flat)))


def cloud_radius(draws: FloatArray) -> float:
    """Return the radius of the cloud of nodes.

    Parameters
    ----------
    draws : ndarray of shape (..., N, K)
        Draws of the positions.

    Returns
    -------
    float
        Root mean squared distance of a node from the mean of all nodes, over nodes and draws.

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan.posterior.alignment import cloud_radius
    >>> cloud_radius(np.array([[3.0, 4.0], [-3.0, -4.0]]))
    5.0
    """
    centred = draws - draws.mean(axis=-2, keepdims=True)
    return float(np.sqrt((centred**2).sum(axis=-1).mean()))


def mean_gram(draws: FloatArray) -> FloatArray:
    """Return the mean of the Gram matrices of draws, each centred.

    Parameters
    ----------
    draws : ndarray of shape (..., N, K)
        Draws of the positions.

    Returns
    -------
    ndarray of shape (N, N)
    """
    flat = draws.reshape(-1, *draws.shape[-2:])
    centred = flat - flat.mean(axis=1, keepdims=True)
    beside = centred.swapaxes(0, 1).reshape(flat.shape[1], -1)
    return np.asarray(beside @ beside.T / len(flat))


def gram_positions(gram: FloatArray, dim: int) -> FloatArray:
    """Return the centred positions whose Gram matrix is nearest a given one.

    Classical scaling (Torgerson, Psychometrika 17, 1952): a mean position set that no target
    enters.

    Parameters
    ----------
    gram : ndarray of shape (N, N)
        A Gram matrix.
    dim : int
        K, the number of latent dimensions.

    Returns
    -------
    ndarray of shape (N, K)
    """
    n = len(gram)
    values, vectors = linalg.eigh(gram, subset_by_index=(max(0, n - dim), n - 1))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1]


def target_sensitivity(draws: FloatArray, targets: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Say for every node whether its mean place depends on what the draws were aligned to.

    Parameters
    ----------
    draws : ndarray of shape (..., N, K)
        Draws of the positions.
    targets : mapping of str to ndarray of shape (N, K)
        Two or more position sets by name; the first is the one that is reported.

    Returns
    -------
    DataFrame, N rows
        ``spread``, a node's posterior spread about its mean place; ``shift``, how far that place is
        from the one another target gives, at most, when the mean sets are aligned; ``flagged``,
        whether the shift is more than :data:`MAX_SHIFT` spreads.
    """
    flat = draws.reshape(-1, *draws.shape[-2:])
    means = [align(flat, target).mean(axis=0) for target in targets.values()]
    shifts = [np.linalg.norm(align(other, means[0]) - means[0], axis=1) for other in means[1:]]
    shift, scale = np.max(shifts, axis=0), spread(flat, means[0])
    return pd.DataFrame({"spread": scale, "shift": shift, "flagged": shift > MAX_SHIFT * scale})
