"""The model's rates and pointwise log likelihood in NumPy, for draws of the positions.

The Stan program is the one that is fitted; this module evaluates the same likelihood pair by
pair, for leave-one-out and predictive checks. The tests hold the two to each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import gammaln

from lsm_stan.network import Network

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Cells of one block of a pass over all pairs.
BLOCK_CELLS = 4_000_000


def rates(distances: FloatArray) -> FloatArray:
    """Return the model's Poisson rates, 1 / distance."""
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / distances)


@dataclass(frozen=True)
class PairWeights:
    """What the likelihood needs to know of the observed weights of P unordered pairs.

    Attributes
    ----------
    total
        ``(P,)`` weights of a pair, summed over its cells (Y_ij + Y_ji in a directed network).
    log_factorial
        ``(P,)`` sums of log Y! over the cells.
    cells
        How many cells a pair has: 2 in a directed network, 1 in an undirected one.
    """

    total: FloatArray
    log_factorial: FloatArray
    cells: int


def pair_weights(network: Network, pairs: IntArray) -> PairWeights:
    """Collect the weights of unordered pairs ``(P, 2)``, i != j, from a sparse network."""
    n = network.n_nodes
    low, high = np.sort([network.sender, network.receiver], axis=0)
    key, wanted = low * n + high, np.sort(pairs, axis=1) @ np.array([n, 1])
    order = np.argsort(key, kind="stable")

    def lookup(values: FloatArray) -> FloatArray:
        total = np.concatenate([[0.0], np.cumsum(values[order])])
        first, last = (np.searchsorted(key[order], wanted, side) for side in ("left", "right"))
        return np.asarray(total[last] - total[first])

    weight = network.weight.astype(float)
    return PairWeights(lookup(weight), lookup(gammaln(weight + 1)), 2 if network.directed else 1)


def log_likelihood(weights: PairWeights, distances: FloatArray) -> FloatArray:
    """Return the log likelihood of pairs, both cells of a directed pair together.

    Parameters
    ----------
    weights
        Of P pairs.
    distances
        ``(..., P)`` distances of the same pairs.

    Returns
    -------
    numpy.ndarray
        ``(..., P)``, in nats, every constant included.
    """
    return np.asarray(
        -weights.total * np.log(distances)
        - weights.cells * rates(distances)
        - weights.log_factorial
    )


def row_blocks(n_nodes: int) -> Iterator[slice]:
    """Cut N rows of an N×N matrix into blocks of at most :data:`BLOCK_CELLS` cells."""
    step = max(1, BLOCK_CELLS // n_nodes)
    for start in range(0, n_nodes, step):
        yield slice(start, min(start + step, n_nodes))


def expected_strength(positions: FloatArray) -> FloatArray:
    """Return every node's expected out-strength, the sum of its rates to all others.

    It is the expected in-strength too, since both directions of a pair share a rate.

    Parameters
    ----------
    positions
        ``(..., N, K)`` positions.

    Returns
    -------
    numpy.ndarray
        ``(..., N)``; O(N²) time, O(N) rows at a time.
    """
    *batch, n_nodes, dim = positions.shape
    flat = positions.reshape(-1, n_nodes, dim)
    strength = np.empty(flat.shape[:2])
    for z, out in zip(flat, strength, strict=True):
        for rows in row_blocks(n_nodes):
            distance = cdist(z[rows], z)
            distance[np.arange(len(distance)), np.arange(rows.start, rows.stop)] = np.inf
            out[rows] = rates(distance).sum(axis=1)
    return strength.reshape(*batch, n_nodes)
