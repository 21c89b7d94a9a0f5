"""Statistics of a network, added up from blocks of its edges.

Self-loops are left out: the model gives them one constant rate, so they say nothing of positions.
A *cell* is an observed ordered pair of different nodes, or an unordered one if the network is
undirected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from lsm_stan.network.network import Network
from lsm_stan.typing import BoolArray, FloatArray, IntArray

#: Transitivity takes time N^3: beyond this many nodes it is that of a fixed random set of them.
TRANSITIVITY_NODES = 2000
#: Classes of weights: 0, 1, 2, 3-4, 5-8, ... up to the largest int64.
WEIGHT_CLASSES = 65


class Edges(NamedTuple):
    """Edges between different nodes; an undirected edge is listed once.

    Attributes
    ----------
    sender, receiver : ndarray of int64 of shape (E,)
        0-based node indices.
    weight : ndarray of int64 of shape (E,)
        Weights of the edges.
    reverse : ndarray of int64 of shape (E,)
        Weights of the reverse edges: the edge's own if the network is undirected, -1 if the
        reverse dyad is hidden.
    """

    sender: IntArray
    receiver: IntArray
    weight: IntArray
    reverse: IntArray


@dataclass(frozen=True)
class Features:
    """What is compared of two networks.

    Attributes
    ----------
    statistics : dict of str to float
        The names of :data:`lsm_stan.criticism.advice.STATISTICS` that the network can have; NaN
        where undefined.
    shares : ndarray of shape (WEIGHT_CLASSES,)
        Shares of the cells in each class of weights.
    strengths : dict of str to ndarray of shape (N,)
        Strengths of the nodes: ``out`` and ``in``, or ``both`` if undirected.
    """

    statistics: dict[str, float]
    shares: FloatArray
    strengths: dict[str, FloatArray]


def observed_edges(network: Network) -> Edges:
    """Return the edges of a network, self-loops left out.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    Edges
    """
    between = network.sender != network.receiver
    sender, receiver, weight = (
        ends[between] for ends in (network.sender, network.receiver, network.weight)
    )
    return Edges(sender, receiver, weight, network.weight_of(receiver, sender))


def features(blocks: Iterable[Edges], network: Network) -> Features:
    """Add up what is compared of a network from blocks of its edges.

    Strengths are sums over observed dyads; their standard deviations have divisor N. Reciprocity
    is the share of edges whose reverse is there, and the correlation of weights is over pairs;
    where one direction is hidden a pair is in neither. Transitivity is that of the network without
    directions and weights: among the triples in which one node is connected to two others, the
    share in which those two are connected too. A triple is left out where the dyad between those
    two is hidden. Beyond `TRANSITIVITY_NODES` nodes it is that of the sub-network of a random set
    of so many nodes, the same set for all networks of N nodes.

    Parameters
    ----------
    blocks : iterable of Edges
        Blocks that have every edge once.
    network : Network
        A network with the same nodes and hidden dyads; its edges are not looked at.

    Returns
    -------
    Features
    """
    n_nodes, directed, n_cells = network.n_nodes, network.directed, network.n_observed
    size = min(n_nodes, TRANSITIVITY_NODES)
    index = np.full(n_nodes, -1)
    index[np.random.default_rng(0).choice(n_nodes, size, replace=False)] = np.arange(size)
    skeleton = np.zeros((size, size), dtype=bool)
    sent, received = np.zeros(n_nodes), np.zeros(n_nodes)
    counts = np.zeros(WEIGHT_CLASSES, dtype=np.int64)
    total = squares = 0.0
    # of edges whose reverse was observed: how many, and sums of weights, squares and products
    n_paired = returned = largest = 0
    paired = np.zeros(3)
    for sender, receiver, weight, reverse in blocks:
        # floating point: squares of Stan's largest int, added up, can leave int64
        y = weight.astype(np.float64)
        total += float(y.sum())
        squares += float(y @ y)
        there, back = y[reverse >= 0], reverse[reverse >= 0]
        n_paired += len(back)
        returned += int(np.count_nonzero(back))
        paired += there.sum(), there @ there, there @ back
        largest = max(largest, int(weight.max(initial=0)))
        counts += np.bincount(_weight_class(weight), minlength=WEIGHT_CLASSES)
        sent += np.bincount(sender, y, minlength=n_nodes)
        received += np.bincount(receiver, y, minlength=n_nodes)
        a, b = _indices(index, sender, receiver)
        skeleton[a, b] = skeleton[b, a] = True
    counts[0] = n_cells - counts.sum()
    mean = total / n_cells
    variance = squares / n_cells - mean**2
    statistics = {
        "share_zero": counts[0] / n_cells,
        "mean_weight": mean,
        "dispersion": _ratio(variance, mean),
        "max_weight": float(largest),
    }
    strengths = {"out": sent, "in": received} if directed else {"both": sent + received}
    for direction, strength in strengths.items():
        name = f"{direction}_strength" if directed else "strength"
        statistics[f"sd_{name}"] = float(strength.std())
        statistics[f"max_{name}"] = float(strength.max())
    if directed:
        statistics["reciprocity"] = _ratio(returned, n_paired)
        alone = network.weight_of(network.hidden_receiver, network.hidden_sender) >= 0
        n_both = n_cells - np.count_nonzero(alone)
        both_total, both_squares, products = paired
        statistics["weight_correlation"] = _ratio(
            n_both * products - both_total**2, n_both * both_squares - both_total**2
        )
    a, b = _indices(index, network.hidden_sender, network.hidden_receiver)
    unknown = np.unique(np.append(a * size + b, b * size + a))
    statistics["transitivity"] = _ratio(*_triples(skeleton, unknown))
    return Features(statistics, counts / n_cells, strengths)


def _indices(index: IntArray, sender: IntArray, receiver: IntArray) -> IntArray:
    """Return the indices, ``(2, D)``, of the ends of those dyads of which both have one."""
    ends = index[np.array([sender, receiver])]
    return np.asarray(ends[:, (ends >= 0).all(axis=0)])


def _triples(skeleton: BoolArray, unknown: IntArray) -> tuple[float, float]:
    """Return twice the number of closed triples among nodes, and twice that of all.

    None is counted whose ends have one of the unknown cells between them.
    """
    degree, size = skeleton.sum(axis=1), len(skeleton)
    if degree @ (degree + np.bincount(unknown // size, minlength=size)) < skeleton.size:
        cells = np.flatnonzero(skeleton)
        edges = csr_array((np.ones(len(cells)), np.divmod(cells, size)), skeleton.shape)
        closed = _common_neighbours(edges, np.setdiff1d(cells, unknown, assume_unique=True))
        apart = _common_neighbours(edges, unknown)
        return closed, float(degree @ (degree - 1)) - apart
    # single precision, in which BLAS counts up to 2^24 exactly, and so do sums of a row
    links = skeleton.astype(np.float32)
    shared = links @ links
    apart = shared.ravel()[unknown].sum(dtype=np.float64)
    shared.ravel()[unknown] = 0
    closed = np.einsum("ij,ij->i", shared, links).sum(dtype=np.float64)
    return float(closed), float(degree @ (degree - 1) - apart)


def _common_neighbours(edges: csr_array, cells: IntArray) -> float:
    """Return the number of neighbours that two nodes share, added up over cells, both of a pair."""
    first, second = np.divmod(cells, edges.shape[0])
    once = first < second
    return 2 * float(edges[first[once]].multiply(edges[second[once]]).sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else np.nan


def _weight_class(weight: IntArray) -> IntArray:
    """Return the number of the class of each weight from 1 on: 1 + log2 of it, rounded up."""
    exponent: IntArray = np.frexp(weight - 1.0)[1].astype(np.int64)
    return exponent + 1
