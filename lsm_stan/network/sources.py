"""What a source says, before it is a network: a matrix, or a list of edges.

Both build the network once it is known what the user says about it: whether it is directed, what
becomes of parallel edges, and which nodes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan.choices import ParallelEdges
from lsm_stan.errors import InputError
from lsm_stan.network.cells import SparseMatrix
from lsm_stan.network.checks import check_names
from lsm_stan.network.network import Network


@dataclass(frozen=True)
class Matrix:
    """What a source that holds a matrix says.

    Attributes
    ----------
    cells : ndarray or SciPy sparse array of shape (N, N)
        Weights, senders in rows; numbers or text.
    names : list of str or None
        Node names; None if the matrix has no labels.
    """

    cells: NDArray[Any] | SparseMatrix
    names: list[str] | None = None

    def build(
        self,
        *,
        directed: bool | None,
        parallel_edges: ParallelEdges,  # a matrix has none; as `EdgeList.build`
        nodes: pd.DataFrame | None,
        title: str,
        source: str,
    ) -> Network:
        """Build the network, as `lsm_stan.network.readers.read_network` was told.

        Parameters
        ----------
        directed : bool or None
            Whether the network is directed; None for True.
        parallel_edges : {"sum", "first"}
            Not used: a matrix lists no pair twice.
        nodes : DataFrame or None
            Facts about the nodes, indexed by node name.
        title : str
            What to call the network in print.
        source : str
            File name or description, for error messages.

        Returns
        -------
        Network

        Raises
        ------
        InputError
            If the source does not hold a valid network.
        """
        cells, names = self.cells, self.names
        if nodes is not None and names is not None and isinstance(cells, np.ndarray):
            # Other order and further nodes: labels say which cell goes where.
            _check_known(names, nodes, source)
            position = nodes.index.get_indexer(pd.Index(names))
            wide = np.zeros((len(nodes), len(nodes)), dtype=cells.dtype)
            wide[np.ix_(position, position)] = cells
            cells, names = wide, None
        return Network.from_matrix(
            cells,
            names,
            directed=directed is not False,
            node_table=nodes,
            title=title,
            source=source,
        )


@dataclass(frozen=True)
class EdgeList:
    """What a source that lists edges says; fields are as in `Network.from_edges`.

    Attributes
    ----------
    senders, receivers : sequence, length L
        Node names of each listed edge.
    weights : sequence, length L, or None
        Weight of each listed edge; None for 1.
    directed : bool
        Whether the source says that it is directed.
    names : list of str or None
        All nodes, in order; None if nodes are named by edges only.
    node_table : DataFrame or None
        Facts about the nodes.
    notes : tuple of str
        Sentences about how the source was understood.
    """

    senders: Sequence[object]
    receivers: Sequence[object]
    weights: Sequence[object] | None
    directed: bool = True
    names: list[str] | None = None
    node_table: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()

    def build(
        self,
        *,
        directed: bool | None,
        parallel_edges: ParallelEdges,
        nodes: pd.DataFrame | None,
        title: str,
        source: str,
    ) -> Network:
        """Build the network, as `lsm_stan.network.readers.read_network` was told.

        Parameters
        ----------
        directed : bool or None
            Whether the network is directed; None for what the source says.
        parallel_edges : {"sum", "first"}
            Weight of a pair that is listed more than once.
        nodes : DataFrame or None
            Facts about the nodes, indexed by node name, in the place of the source's own.
        title : str
            What to call the network in print.
        source : str
            File name or description, for error messages.

        Returns
        -------
        Network

        Raises
        ------
        InputError
            If the source does not hold a valid network.
        """
        content = self._in_both_directions() if directed and not self.directed else self
        if nodes is not None and content.names is not None:
            _check_known(content.names, nodes, source)
        network = Network.from_edges(
            content.senders,
            content.receivers,
            content.weights,
            names=content.names if nodes is None else nodes.index,
            directed=content.directed if directed is None else directed,
            parallel_edges=parallel_edges,
            node_table=content.node_table if nodes is None else nodes,
            title=title,
            source=source,
        )
        return replace(network, notes=(*content.notes, *network.notes))

    def _in_both_directions(self) -> EdgeList:
        """Add to each edge of an undirected source its reverse, except to self-loops."""
        pairs = list(zip(self.senders, self.receivers, strict=True))
        between = [k for k, (a, b) in enumerate(pairs) if a != b]
        weights = self.weights
        return replace(
            self,
            senders=[*self.senders, *(pairs[k][1] for k in between)],
            receivers=[*self.receivers, *(pairs[k][0] for k in between)],
            weights=None if weights is None else [*weights, *(weights[k] for k in between)],
            directed=True,
            notes=(*self.notes, "Undirected, read as directed: edges go in both directions."),
        )


def _check_known(names: Sequence[str], nodes: pd.DataFrame, source: str) -> None:
    """Refuse nodes of a source that are missing from the node table, and duplicate names."""
    check_names(names, source)
    unknown = [name for name in names if name not in nodes.index]
    if unknown:
        raise InputError(
            f"{source}: the node {unknown[0]!r} is not in the node table; "
            f"the table needs a row for every node of the network"
        )
