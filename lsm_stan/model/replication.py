"""Networks drawn at draws of a model's parameters, some pairs at a time, and what is kept.

Every draw's network leaves its statistics, the strengths of its nodes, and the weights of the dyads
that were asked for: memory does not grow with the square of the number of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_stan.blas import on_one_blas_thread
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.thinning import Cells
from lsm_stan.network.network import Network
from lsm_stan.network.statistics import Edges, features, observed_edges
from lsm_stan.typing import FloatArray, IntArray

#: Where only statistics and strengths are kept.
NO_DYADS: IntArray = np.zeros((0, 2), dtype=np.int64)


def replicate(cells: Cells, network: Network, rng: np.random.Generator) -> Iterator[Edges]:
    """Draw a network at one draw of the parameters: its edges, those of some pairs at a time.

    Dyads that are hidden in the network are hidden here.

    Parameters
    ----------
    cells : Cells
        The cells of the network at the draw.
    network : Network
        The network whose nodes and hidden dyads the drawn one has.
    rng : numpy.random.Generator
        Source of random numbers.

    Yields
    ------
    Edges
    """
    for pairs, weights in cells.drawn(rng):
        if network.n_hidden:
            ways = [pairs, pairs[:, ::-1]][: weights.shape[1]]
            seen = np.column_stack([network.weight_of(*way.T) >= 0 for way in ways])
            weights = np.where(seen, weights, -1)
        pair, way = np.nonzero(weights > 0)
        yield Edges(
            pairs[pair, way], pairs[pair, 1 - way], weights[pair, way], weights[:, ::-1][pair, way]
        )


@dataclass(frozen=True, eq=False)
class Replications:
    """What is kept of networks, or of one; arrays have the draws' leading axes ``(...)``.

    Attributes
    ----------
    statistics : dict of str to ndarray of shape (...)
        Statistics by the names of :data:`lsm_stan.criticism.advice.STATISTICS`.
    strengths : dict of str to ndarray of shape (..., N)
        ``out_strength`` and ``in_strength``, or ``strength`` if undirected.
    weights : ndarray of int64 of shape (..., D)
        Weights of the dyads that were asked for.
    """

    statistics: dict[str, FloatArray]
    strengths: dict[str, IntArray]
    weights: IntArray


@on_one_blas_thread
def replications(
    spec: ModelSpec,
    parameters: Parameters,
    network: Network,
    dyads: IntArray,
    rng: np.random.Generator,
) -> Replications:
    """Draw a network at every draw of the parameters.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters with any leading axes ``(...)``.
    network : Network
        The network whose nodes and hidden dyads the drawn ones have.
    dyads : ndarray of int64 of shape (D, 2)
        0-based node indices of the dyads whose weights are kept; D may be 0.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    Replications
    """
    batch = parameters["z"].shape[:-2]
    kept = []
    for index in np.ndindex(*batch):
        draw = {name: values[index] for name, values in parameters.items()}
        cells = Cells(spec, draw, directed=network.directed)
        kept.append(_kept(replicate(cells, network, rng), network, dyads))

    def stacked(rows: Iterable[NDArray[Any]]) -> NDArray[Any]:
        values = np.stack(list(rows))
        return values.reshape(*batch, *values.shape[1:])

    first = kept[0]
    return Replications(
        {
            name: stacked(replication.statistics[name] for replication in kept)
            for name in first.statistics
        },
        {
            name: stacked(replication.strengths[name] for replication in kept)
            for name in first.strengths
        },
        stacked(replication.weights for replication in kept),
    )


def observed(network: Network, dyads: IntArray) -> Replications:
    """Return from a network itself what :func:`replications` keeps of those drawn from a model.

    Parameters
    ----------
    network : Network
        The network.
    dyads : ndarray of int64 of shape (D, 2)
        0-based node indices of the dyads whose weights are kept; D may be 0.

    Returns
    -------
    Replications
    """
    return _kept([observed_edges(network)], network, dyads)


def _kept(blocks: Iterable[Edges], network: Network, dyads: IntArray) -> Replications:
    cells = _cells(network, *dyads.T)
    order = np.argsort(cells)
    ascending = cells[order]
    weights = np.zeros(len(dyads), dtype=np.int64)

    def looked_through() -> Iterator[Edges]:
        for edges in blocks:
            cell = _cells(network, edges.sender, edges.receiver)
            first = np.searchsorted(ascending, cell)
            last = np.searchsorted(ascending, cell, side="right")  # a dyad may be named twice
            for shift in range(int((last - first).max(initial=0))):
                there = first + shift < last
                weights[order[first[there] + shift]] = edges.weight[there]
            yield edges

    network_features = features(looked_through(), network)
    strengths = {
        "strength" if direction == "both" else f"{direction}_strength": values.astype(np.int64)
        for direction, values in network_features.strengths.items()
    }
    statistics = {name: np.asarray(value) for name, value in network_features.statistics.items()}
    return Replications(statistics, strengths, weights)


def _cells(network: Network, sender: IntArray, receiver: IntArray) -> IntArray:
    """Return one number a dyad, the same for both directions if the network is undirected."""
    if not network.directed:
        sender, receiver = np.minimum(sender, receiver), np.maximum(sender, receiver)
    return sender * network.n_nodes + receiver
