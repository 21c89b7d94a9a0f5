"""Facts about a network, counted before it is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsm_stan.network.edges import count_isolated
from lsm_stan.network.network import Network
from lsm_stan.network.readers import ensure_network


@dataclass(frozen=True)
class NetworkSummary:
    """Facts about a network, as `describe` counts them.

    A *cell* is an observed ordered pair of different nodes, or an unordered one if the network
    is undirected; self-loops are counted in `edges`, `self_loops`, `total_weight`, `max_weight` and
    `weight_counts` only.

    Attributes
    ----------
    title : str
        The network's title.
    directed : bool
        Whether the network is directed.
    nodes, edges, self_loops : int
        Numbers of nodes, of edges (self-loops included) and of self-loops.
    hidden : int
        Number of pairs that were not observed.
    isolated : int
        Number of nodes without an edge to another node.
    total_weight, max_weight : int
        Sum and maximum of the weights; 0 without edges.
    weight_counts : dict of int to int
        Number of edges of each weight that occurs, in increasing order of weight.
    density : float
        Share of the cells that have an edge.
    reciprocity : float or None
        Share of edges whose reverse is an edge too, among those between different nodes whose
        reverse was observed; None if the network is undirected or has no such edge.
    mean_cell : float
        Mean weight of a cell, zeros included.
    dispersion : float or None
        Variance of the cells' weights over their mean (1 for one Poisson rate); None if all are 0.
    notes : tuple of str
        The network's notes.
    """

    title: str
    directed: bool
    nodes: int
    edges: int
    self_loops: int
    hidden: int
    isolated: int
    total_weight: int
    max_weight: int
    weight_counts: dict[int, int]
    density: float
    reciprocity: float | None
    mean_cell: float
    dispersion: float | None
    notes: tuple[str, ...]

    @property
    def share_zero(self) -> float:
        """Share of the cells that have no edge."""
        return 1.0 - self.density

    @property
    def in_short(self) -> dict[str, str]:
        """What a page says of the network, by what it is."""
        return {
            "node" if self.nodes == 1 else "nodes": f"{self.nodes:,}",
            "edge"
            if self.edges == 1
            else "edges": f"{self.edges:,} {'directed' if self.directed else 'undirected'}",
            "total weight": f"{self.total_weight:,}",
            "zero weights": f"{self.share_zero:.1%}",
        }


def describe(network: Network) -> NetworkSummary:
    """Count what there is to know about a network before fitting it.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    NetworkSummary

    Raises
    ------
    InputError
        If it is no network yet, such as a graph or a table.

    Examples
    --------
    >>> from lsm_stan import Network, describe
    >>> summary = describe(Network.from_matrix([[0, 2, 0], [1, 0, 0], [0, 3, 0]]))
    >>> summary.edges, summary.total_weight, summary.density
    (3, 6, 0.5)
    >>> round(summary.reciprocity, 2)
    0.67
    """
    ensure_network(network)
    between = network.sender != network.receiver
    sender, receiver = network.sender[between], network.receiver[between]
    # Floating point: squares of Stan's largest int, added up, can leave int64.
    weight = network.weight[between].astype(np.float64)
    n_cells = network.n_observed
    mean = float(weight.sum()) / n_cells
    # Zero cells each add mean^2, so no N x N array is needed.
    squares = float(((weight - mean) ** 2).sum()) + (n_cells - len(weight)) * mean**2
    reciprocity = None
    reverse = network.weight_of(receiver, sender)
    if network.directed and (reverse >= 0).any():
        reciprocity = float(np.mean(reverse[reverse >= 0] > 0))
    values, counts = np.unique(network.weight, return_counts=True)
    return NetworkSummary(
        title=network.title,
        directed=network.directed,
        nodes=network.n_nodes,
        edges=network.n_edges,
        self_loops=network.n_edges - len(weight),
        hidden=network.n_hidden,
        isolated=count_isolated(network.n_nodes, sender, receiver),
        total_weight=network.total_weight,
        max_weight=int(network.weight.max(initial=0)),
        weight_counts={int(w): int(c) for w, c in zip(values, counts, strict=True)},
        density=len(weight) / n_cells,
        reciprocity=reciprocity,
        mean_cell=mean,
        dispersion=squares / n_cells / mean if mean > 0 else None,
        notes=network.notes,
    )
