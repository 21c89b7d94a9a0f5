"""Networks drawn at one draw of a model's parameters, a block of pairs at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lsm_stan.models import ModelSpec
from lsm_stan.network import Network
from lsm_stan.network_statistics import Edges
from lsm_stan.parameters import Parameters
from lsm_stan.simulation import draw_weights, log_mean_cells

IntArray = NDArray[np.int64]

#: Cells drawn at a time; memory grows by some 100 bytes a cell.
BLOCK_CELLS = 250_000


def replicate(
    spec: ModelSpec, draw: Parameters, network: Network, rng: np.random.Generator
) -> Iterator[Edges]:
    """Draw a network at one draw of the parameters: its edges, a block of pairs at a time.

    Dyads that are hidden in the network are hidden here.
    """
    for pairs in pair_blocks(network.n_nodes):
        log_mu = log_mean_cells(spec, draw, pairs, both=network.directed)
        weights = draw_weights(spec, draw, log_mu, rng)
        if network.n_hidden:
            ways = [pairs, pairs[:, ::-1]][: weights.shape[1]]
            seen = np.column_stack([network.weight_of(*way.T) >= 0 for way in ways])
            weights = np.where(seen, weights, -1)
        pair, way = np.nonzero(weights > 0)
        yield Edges(
            pairs[pair, way], pairs[pair, 1 - way], weights[pair, way], weights[:, ::-1][pair, way]
        )


def pair_blocks(n_nodes: int) -> Iterator[IntArray]:
    """Yield all pairs i < j in order, ``(P, 2)`` at a time, of at most `BLOCK_CELLS` cells.

    A block has whole rows i, and one at least.
    """
    first = 0
    while first < n_nodes - 1:
        columns = n_nodes - first
        rows = min(max(1, BLOCK_CELLS // (2 * columns)), columns - 1)
        yield first + np.column_stack(np.triu_indices(rows, 1, columns))
        first += rows
