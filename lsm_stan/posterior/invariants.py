"""Quantities that rotations and reflections of the positions leave unchanged.

Only these can be summarised, compared and diagnosed: a single coordinate of a node has no
meaning of its own (see :mod:`lsm_stan.posterior.alignment`).
"""

from __future__ import annotations

import numpy as np

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import log_mean
from lsm_stan.model.parameters import NODE_PARAMETERS, Parameters, rate_parameters
from lsm_stan.network.pairs import nth_pair
from lsm_stan.typing import FloatArray, IntArray

#: The pairs a fit is judged by, and the nodes: fixed random sets of this many.
MONITORED_PAIRS, MONITORED_NODES = 500, 500


def sample_pairs(n_nodes: int, size: int, seed: int = 0) -> IntArray:
    """Draw a fixed set of unordered node pairs, the same for every fit of a network.

    Parameters
    ----------
    n_nodes
        N, the number of nodes.
    size
        How many distinct pairs; all of them where there are fewer.
    seed
        Of the draw.

    Returns
    -------
    numpy.ndarray
        ``(P, 2)`` indices i < j, from 0, sorted.
    """
    pairs = np.column_stack(nth_pair(_sample(n_nodes * (n_nodes - 1) // 2, size, seed)))
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def sample_nodes(n_nodes: int, size: int) -> IntArray:
    """Draw a fixed set of nodes, the same for every fit of a network.

    Parameters
    ----------
    n_nodes
        N, the number of nodes.
    size
        How many distinct nodes; all of them where there are fewer.

    Returns
    -------
    numpy.ndarray
        ``(M,)`` indices, from 0, sorted.
    """
    return _sample(n_nodes, size, seed=0)


def _sample(total: int, size: int, seed: int) -> IntArray:
    """Return distinct numbers below a total, sorted: all of them where there are fewer."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(total, size=min(size, total), replace=False))


def pair_distances(positions: FloatArray, pairs: IntArray) -> FloatArray:
    """Return the Euclidean distances of node pairs.

    Parameters
    ----------
    positions
        ``(..., N, K)`` positions.
    pairs
        ``(P, 2)`` node indices, from 0.

    Returns
    -------
    numpy.ndarray
        ``(..., P)`` distances.
    """
    difference = positions[..., pairs[:, 0], :] - positions[..., pairs[:, 1], :]
    return np.asarray(np.sqrt(np.einsum("...k,...k->...", difference, difference)))


def settled(values: FloatArray) -> FloatArray:
    """Round invariants to about ten digits of the largest.

    A rotation changes the last digits of an invariant, and these would decide which of two tied
    draws ranks first: R-hat ranks draws by their distance from the median, where the two middle
    ones tie.
    """
    step = np.spacing(np.abs(values).max(initial=0.0)) * 2.0**20
    return np.asarray(np.round(values / step) * step)


def radii(positions: FloatArray) -> FloatArray:
    """Return every node's distance from the origin: ``(..., N)`` of ``(..., N, K)``."""
    return np.asarray(np.linalg.norm(positions, axis=-1))


def monitored(
    spec: ModelSpec, parameters: Parameters, log_joint: FloatArray
) -> dict[str, FloatArray]:
    """Return the invariants whose exploration decides whether a sample can be trusted.

    Parameters
    ----------
    spec
        The model.
    parameters
        Draws, leading axes ``(chain, draw)``.
    log_joint
        ``(chain, draw)`` log joint densities.

    Returns
    -------
    dict
        Of all models ``distance`` of the monitored pairs, ``(chain, draw, pair)``, and
        ``log_joint``. Where weights depend on more, ``log_mean`` from the first node of each pair
        to the second; every scalar parameter and every coefficient; and of the nodes of these
        pairs the effects and the sizes of the roles. Shares and standard deviations of clusters
        by size, in every draw: that needs no labels. Centres, which need labels and an
        alignment, are left to the distances of the nodes about them.
    """
    pairs = sample_pairs(parameters["z"].shape[-2], MONITORED_PAIRS)
    nodes = np.unique(pairs)
    found = {"distance": pair_distances(parameters["z"], pairs), "log_joint": log_joint}
    if spec.form == "inner" or rate_parameters(spec) != ["z"]:
        found["log_mean"] = log_mean(spec, parameters, *pairs.T)
    for name, values in parameters.items():
        if values.ndim == 2:
            found[name] = values
        elif name in NODE_PARAMETERS:
            found[name] = values[..., nodes]
        elif name == "role":
            found[name] = radii(values[..., nodes, :])
        elif name == "beta":
            found |= {f"beta[{term}]": values[..., k] for k, term in enumerate(spec.terms)}
        elif name in ("theta", "sigma_cluster"):
            ordered = np.sort(values, axis=-1)
            found |= {f"{name}[{k + 1}, by size]": ordered[..., k] for k in range(spec.clusters)}
    return found
