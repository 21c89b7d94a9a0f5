"""What is evaluated: a network, positions, and a folder for files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import gammaln

from lsm_stan import Network, load_celegans, simulate
from lsm_stan.model.stan_data import DIAGONAL_JITTER
from lsm_stan.typing import FloatArray, IntArray

#: K of every benchmark.
DIM = 3

#: Nodes of the C. elegans network.
CELEGANS = 297

#: Edges a node of the simulated networks, about as many as in C. elegans.
EDGES_A_NODE = 8

#: E[1 / |z_i - z_j|] under the prior at K = 3.
MEAN_RATE = 1 / np.sqrt(np.pi)


@dataclass(frozen=True)
class Problem:
    """One network and where its log joint is evaluated.

    Attributes
    ----------
    network : Network
        N nodes and E edges, directed.
    positions : ndarray
        ``(M, N, K)``; the first is the one the clock is run at.
    folder : Path
        For files of the implementations.
    """

    network: Network
    positions: FloatArray
    folder: Path

    @property
    def dense(self) -> FloatArray:
        """The ``(N, N)`` matrix of counts."""
        return np.asarray(self.network.to_dense(), dtype=np.float64)

    @property
    def edges(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Sender, receiver (from 0) and weight of every edge but the self-loops."""
        net = self.network
        keep = net.sender != net.receiver
        return net.sender[keep], net.receiver[keep], net.weight[keep].astype(np.float64)

    @property
    def constant(self) -> float:
        """What of the log joint does not depend on z: factorials, diagonal, prior."""
        net, n_nodes = self.network, self.network.n_nodes
        loops = net.weight[net.sender == net.receiver].sum()
        diagonal = -0.5 * np.log(DIAGONAL_JITTER) * loops - n_nodes / np.sqrt(DIAGONAL_JITTER)
        prior = -0.5 * n_nodes * DIM * np.log(2 * np.pi)
        return float(diagonal + prior - gammaln(net.weight + 1.0).sum())


def make_problem(n_nodes: int, folder: Path) -> Problem:
    """Make the problem of one size.

    Parameters
    ----------
    n_nodes : int
        N. 297 is the C. elegans network as the tutorial reads it; any other size is simulated
        from the model, with positions spread so wide that there are about `EDGES_A_NODE` edges
        a node: real networks of more nodes are sparser.
    folder : Path
        See `Problem`.
    """
    if n_nodes == CELEGANS:
        network = load_celegans(parallel_edges="first")
    else:
        spread = MEAN_RATE * n_nodes / EDGES_A_NODE
        network, _ = simulate(n_nodes, DIM, seed=1, prior_scale=spread)
    rng = np.random.default_rng(2)
    positions = rng.normal(size=(2, n_nodes, DIM))
    positions[1] *= 0.5
    return Problem(network, positions, folder)


def to_stan(positions: FloatArray) -> FloatArray:
    """Return ``(M, N K)`` rows, a matrix column by column, of ``(M, N, K)`` positions."""
    return np.ascontiguousarray(np.swapaxes(positions, -1, -2)).reshape(len(positions), -1)


def from_stan(rows: FloatArray, n_nodes: int) -> FloatArray:
    """Return ``(M, N, K)`` of ``(M, N K)`` rows."""
    return np.swapaxes(rows.reshape(len(rows), -1, n_nodes), -1, -2)
