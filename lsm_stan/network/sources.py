"""What a source says, before it is a network: a matrix, or a list of edges.

Both build the network once it is known what the user says about it (`Reading`): whether it is
directed, where its weights are, what becomes of parallel edges, and which nodes there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.network.cells import SparseMatrix, counted
from lsm_stan.network.checks import check_names
from lsm_stan.network.edge_columns import (
    check_weights,
    distinguishing,
    kept_rows,
    read_weights,
    stated_direction,
)
from lsm_stan.network.edges import reverse_weight
from lsm_stan.network.network import Network
from lsm_stan.network.reading import OF_COLUMNS, OF_TABLES, Reading

#: As many edges, none with its reverse, make it likely that each stands for both directions.
FEW = 3

#: Names that are rounded numbers, as spreadsheets and floats write long ones.
_ROUNDED = re.compile(r"[0-9](\.[0-9]+)?[eE]\+[0-9]{2}")

#: What sums at the margins of a table are called.
_SUMS = {"total", "totals", "sum", "sums", "all", "margin", "margins"}

_TWO_SETS = (
    "No node is at both ends of edges: if the network is of two sets, such as plants and"
    " pollinators, say --bipartite."
)


@dataclass(frozen=True)
class Matrix:
    """What a source that holds a matrix says.

    Attributes
    ----------
    cells : ndarray or SciPy sparse array of shape (N, N)
        Weights, senders in rows; numbers or text.
    names : list of str or None
        Node names; None if the matrix has no labels.
    directed : bool or None
        Whether the source says that it is directed; None if it does not say.
    notes : tuple of str
        What is to be said of how it was read.
    columns : list of str or None
        Names of the nodes of the columns, where they are others than those of the rows.
    """

    cells: NDArray[Any] | SparseMatrix
    names: list[str] | None = None
    directed: bool | None = None
    notes: tuple[str, ...] = ()
    columns: list[str] | None = None

    def build(
        self, how: Reading, *, nodes: pd.DataFrame | None, title: str, source: str
    ) -> Network:
        """Build the network.

        Parameters
        ----------
        how : Reading
            What the user says.
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
        how.refuse(OF_COLUMNS, source, "it holds a matrix, whose cells are the weights")
        cells, names = self.cells, self.names
        if names is not None and isinstance(cells, np.ndarray):
            _refuse_sums(cells, names, source)
        if nodes is not None and names is not None and isinstance(cells, np.ndarray):
            # Other order and further nodes: labels say which cell goes where.
            _check_known(names, nodes, source)
            position = nodes.index.get_indexer(pd.Index(names))
            wide = np.zeros((len(nodes), len(nodes)), dtype=cells.dtype)
            wide[np.ix_(position, position)] = cells
            cells, names = wide, None
        said = self.directed if how.directed is None else how.directed
        network = Network.from_matrix(
            cells,
            names,
            directed=said is not False,
            node_table=nodes,
            title=title,
            source=source,
        )
        network = replace(network, notes=(*self.notes, *network.notes))
        return network if said is not None else _with_hint(network)


@dataclass(frozen=True)
class EdgeList:
    """What a source that lists edges says.

    Attributes
    ----------
    senders, receivers : sequence, length L
        Node names of each listed edge.
    attributes : mapping of str to sequence, length L
        What else is said of each edge, by name of the column or attribute; None where nothing is.
    kind : {"column", "edge attribute"}
        What the attributes are called there.
    directed : bool or None
        Whether the source says that it is directed; None if it does not say.
    names : list of str or None
        All nodes, in order; None if nodes are named by edges only.
    node_table : DataFrame or None
        Facts about the nodes.
    notes : tuple of str
        Sentences about how the source was understood.
    """

    senders: Sequence[object]
    receivers: Sequence[object]
    attributes: Mapping[str, Sequence[object]] = field(default_factory=dict)
    kind: str = "column"
    directed: bool | None = None
    names: list[str] | None = None
    node_table: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()

    def build(
        self, how: Reading, *, nodes: pd.DataFrame | None, title: str, source: str
    ) -> Network:
        """Build the network.

        Parameters
        ----------
        how : Reading
            What the user says.
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
            If the source does not hold a valid network, or does not say where weights are.
        """
        if self.kind != "column":
            how.refuse(OF_TABLES, source, "a graph's edges have their ends, and no header")
        kept, notes = kept_rows(self.attributes, how, source, self.kind)
        content = self if kept is None else self.rows(kept)
        content = content._with_direction(how, source)
        column, weights, said = read_weights(content.attributes, how, source, self.kind)
        notes += said
        directed = content.directed if how.directed is None else how.directed
        ends = list(zip(content.senders, content.receivers, strict=True))
        check_weights(ends, column, weights, self.kind, source)
        _refuse_rounded(ends, source)
        if how.parallel_edges != "first":
            notes += distinguishing(
                ends, content.attributes, column, self.kind, directed is not False
            )
        senders, receivers = content.senders, content.receivers
        if directed and content.directed is False:
            senders, receivers, weights = _in_both_directions(ends, weights)
            notes += ["Undirected, read as directed: edges go in both directions."]
        if nodes is not None and content.names is not None:
            _check_known(content.names, nodes, source)
        network = Network.from_edges(
            senders,
            receivers,
            weights,
            names=content.names if nodes is None else nodes.index,
            directed=directed is not False,
            parallel_edges=how.parallel_edges or "sum",
            node_table=content.node_table if nodes is None else nodes,
            title=title,
            source=source,
        )
        network = replace(network, notes=(*content.notes, *notes, *network.notes))
        if self.kind == "column" and nodes is None and _look_like_two_sets(senders, receivers):
            return replace(network, notes=(*network.notes, _TWO_SETS))
        return network if directed is not None else _with_hint(network)

    def rows(self, kept: Sequence[int]) -> EdgeList:
        """Return some of the edges.

        Parameters
        ----------
        kept : sequence of int
            Their numbers, from 0.

        Returns
        -------
        EdgeList
        """
        return replace(
            self,
            senders=[self.senders[k] for k in kept],
            receivers=[self.receivers[k] for k in kept],
            attributes={
                name: [values[k] for k in kept] for name, values in self.attributes.items()
            },
        )

    def _with_direction(self, how: Reading, source: str) -> EdgeList:
        """Return the list with what a column, such as Gephi's of types, says of direction."""
        name, directed = stated_direction(self.attributes, how, source, self.kind)
        if name is None:
            return self
        rest = {key: values for key, values in self.attributes.items() if key != name}
        note = f"The {self.kind} {name!r} says that edges are {'' if directed else 'un'}directed."
        return replace(self, attributes=rest, directed=directed, notes=(*self.notes, note))


def _refuse_sums(matrix: NDArray[Any], names: Sequence[str], source: str) -> None:
    """Refuse a matrix whose last row and column are called as sums are, and are sums."""
    if names[-1].lower() not in _SUMS or len(names) < 3:
        return
    try:
        cells = matrix.astype(float)
    except (TypeError, ValueError):
        return
    sums = cells[:-1, :-1].sum(axis=0), cells[:-1, :-1].sum(axis=1)
    if np.array_equal(cells[-1, :-1], sums[0]) and np.array_equal(cells[:-1, -1], sums[1]):
        raise InputError(
            f"{source}: the last row and column of the matrix, {names[-1]!r}, are the sums of the"
            f" others and no node; leave them out"
        )


def _refuse_rounded(ends: Sequence[tuple[object, object]], source: str) -> None:
    """Refuse nodes called 7.2e+17: long numbers that a spreadsheet, or a float, has rounded."""
    for k, pair in enumerate(ends):
        for name in pair:
            if _ROUNDED.fullmatch(str(name).strip()):
                raise InputError(
                    f"{source}: edge {k + 1} names the node {name}, a long number that was rounded"
                    f" when it was written, so that different nodes may have one name; read and"
                    f" write such names as text"
                )


def _look_like_two_sets(senders: Sequence[object], receivers: Sequence[object]) -> bool:
    """Return whether no node is at both ends of edges, of several nodes at each."""
    ends = set(senders), set(receivers)
    return min(map(len, ends)) > 1 and len(senders) >= FEW and ends[0].isdisjoint(ends[1])


def _in_both_directions(
    ends: Sequence[tuple[object, object]], weights: Sequence[object] | None
) -> tuple[list[object], list[object], list[object] | None]:
    """Add to each edge of an undirected source its reverse, except to self-loops."""
    between = [k for k, (a, b) in enumerate(ends) if a != b]
    return (
        [*(a for a, _ in ends), *(ends[k][1] for k in between)],
        [*(b for _, b in ends), *(ends[k][0] for k in between)],
        None if weights is None else [*weights, *(weights[k] for k in between)],
    )


def _with_hint(network: Network) -> Network:
    """Add a note to a network that nothing says is directed, and that looks as if it were not."""
    between = network.sender != network.receiver
    edges = (network.sender[between], network.receiver[between], network.weight[between])
    n = network.n_nodes
    many = 2 * len(edges[0]) > n * (n - 1)  # more than there are pairs
    if len(edges[0]) < FEW or many or reverse_weight(n, *edges).any():
        return network
    hint = (
        "No pair is listed in both directions: if the network is undirected, read it with"
        " --undirected."
    )
    return replace(network, notes=(*network.notes, hint))


def _check_known(names: Sequence[str], nodes: pd.DataFrame, source: str) -> None:
    """Refuse nodes of a source that are missing from the node table, and duplicate names."""
    check_names(names, source)
    known = set(nodes.index)
    unknown = [name for name in names if name not in known]
    if unknown:
        count = f" (nor are {counted(len(unknown) - 1, 'other')})" if len(unknown) > 1 else ""
        raise InputError(
            f"{source}: the node {unknown[0]!r} is not in the node table{count}; "
            f"the table needs a row for every node of the network"
        )
