"""Networks of two sets, such as people and events: dyads within a set cannot be observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import MISSING
from lsm_stan.network.cells import counted
from lsm_stan.network.checks import check_names, clean_name
from lsm_stan.network.headers import is_number
from lsm_stan.network.network import Network
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.typing import IntArray

#: Where networkx and Pajek's files have the set of a node; igraph has it in a boolean ``type``.
ATTRIBUTE, OF_IGRAPH = "bipartite", "type"

#: More hidden dyads than these would not fit into memory.
MOST_HIDDEN = 20_000_000


def is_incidence(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a table has numbers for the rows and columns of two sets.

    Parameters
    ----------
    header : sequence of str, length 1 + C
        Its first row. A corner with a name may be that of an edge list if there are few columns.
    rows : sequence of sequence of str
        The others.

    Returns
    -------
    bool
    """
    if len(header) < 2 or (header[0] != "" and len(header) < 4):
        return False
    cells = set().union(*(row[1:] for row in rows)).difference(MISSING)
    return all(map(is_number, cells)) and not all(map(is_number, header[1:]))


def incidence_matrix(
    row_labels: Sequence[object],
    column_labels: Sequence[object],
    cells: Sequence[Sequence[object]] | NDArray[Any],
) -> Matrix:
    """Return the matrix whose rows and columns are two sets of nodes.

    Parameters
    ----------
    row_labels, column_labels : sequence, lengths R and C
        Names of the nodes.
    cells : sequence of sequence, or ndarray, of shape (R, C)
        Weights.

    Returns
    -------
    Matrix
    """
    names, columns = ([clean_name(label) for label in side] for side in (row_labels, column_labels))
    matrix = cells if isinstance(cells, np.ndarray) else np.array(cells, dtype=object)
    return Matrix(matrix.reshape(len(names), len(columns)), names, columns=columns)


def in_two_sets(
    content: Matrix | EdgeList, table: pd.DataFrame | None, source: str
) -> tuple[Matrix | EdgeList, pd.DataFrame]:
    """Put the nodes of a source into two sets: by the ends of its edges, or rows and columns.

    Parameters
    ----------
    content : Matrix or EdgeList
        What the source says.
    table : DataFrame or None
        Facts about the nodes, indexed by node name.
    source : str
        File name or description, for error messages.

    Returns
    -------
    content : Matrix or EdgeList
        A matrix is square now: zeros stand within the sets.
    table : DataFrame
        With a column ``bipartite``, 0 for the first set and 1 for the other.

    Raises
    ------
    InputError
        If a node is in both sets, or in none.
    """
    if isinstance(content, Matrix):
        content, sets = _square(content, source)
    elif content.node_table is not None and ATTRIBUTE in content.node_table.columns:
        sets = {str(name): code for name, code in content.node_table[ATTRIBUTE].items()}
    elif content.kind != "column":
        raise InputError(
            f"{source}: a graph says which of two sets a node is in by a node attribute bipartite"
            f" of 0 or 1; it has none"
        )
    else:
        ends = [map(clean_name, side) for side in (content.senders, content.receivers)]
        first, second = (dict.fromkeys(side, code) for code, side in enumerate(ends))
        _refuse_both(first, second, source)
        sets = first | second
    if table is None:
        known = content.node_table if isinstance(content, EdgeList) else None
        table = pd.DataFrame(index=pd.Index(sets)) if known is None else known
    if ATTRIBUTE in table.columns:
        return content, table
    lacking = next((name for name in table.index if name not in sets), None)
    if lacking is not None:
        raise InputError(
            f"{source}: node {lacking!r} of the node table is in none of the two sets; give the"
            f" table a column {ATTRIBUTE}, 0 for senders or rows and 1 for the others"
        )
    return content, table.assign(**{ATTRIBUTE: [sets[name] for name in table.index]})


def _square(matrix: Matrix, source: str) -> tuple[Matrix, dict[str, int]]:
    """Return a matrix of both sets, and the set of each node."""
    cells = matrix.cells.toarray() if issparse(matrix.cells) else np.asarray(matrix.cells)
    shape = cells.shape
    if len(shape) != 2 or (matrix.names is not None and matrix.columns is None):
        raise InputError(
            f"{source}: it holds a matrix with the same nodes in rows and columns, which are not"
            f" two sets; drop --bipartite"
        )
    rows = matrix.names or [f"row {k}" for k in range(1, shape[0] + 1)]
    columns = matrix.columns or [f"column {k}" for k in range(1, shape[1] + 1)]
    for names in (rows, columns):
        check_names(names, source)
    first, second = dict.fromkeys(rows, 0), dict.fromkeys(columns, 1)
    _refuse_both(first, second, source)
    n = len(rows)
    whole = np.zeros((n + len(columns),) * 2, dtype=cells.dtype)
    whole[:n, n:], whole[n:, :n] = cells, cells.T
    square = replace(matrix, cells=whole, names=[*rows, *columns], columns=None)
    return square, first | second


def _refuse_both(first: Mapping[str, int], second: Mapping[str, int], source: str) -> None:
    """Raise InputError if a node is in both sets."""
    both = next((name for name in first if name in second), None)
    if both is not None:
        raise InputError(
            f"{source}: node {both!r} is in both sets; the two sets need different names, or drop"
            f" --bipartite"
        )


def hide_within_sets(network: Network, source: str) -> Network:
    """Hide the dyads within a set, if the node table says which of two sets a node is in.

    Parameters
    ----------
    network : Network
        Any network.
    source : str
        File name or description, for error messages.

    Returns
    -------
    Network
        With a note; the same network if its node table has no column ``bipartite`` of two values,
        or edges join nodes of one set.

    Raises
    ------
    InputError
        If there are too many such dyads.
    """
    table = network.node_table
    if table is None:
        return network
    codes = _sets(table)
    if codes is None and ATTRIBUTE in table.columns:
        values = table[ATTRIBUTE]
        n_missing = int((values.isna() | (values == "")).sum())
        what = (
            f"{counted(n_missing, 'node')} without a value"
            if n_missing
            else counted(values.nunique(), "value")
        )
        note = (
            f"The nodes' column {ATTRIBUTE} has {what}, where two sets need two values: it is not"
            f" used."
        )
        return replace(network, notes=(*network.notes, note))
    if codes is None:
        return network
    within = int(np.sum(codes[network.sender] == codes[network.receiver]))
    if within:
        lie = "lies" if within == 1 else "lie"
        note = (
            f"The nodes are in two sets by their attributes, but {counted(within, 'edge')} {lie}"
            f" within a set: it is not used."
        )
        return replace(network, notes=(*network.notes, note))
    sizes = np.bincount(codes).tolist()
    if sum(size**2 for size in sizes) > 2 * MOST_HIDDEN:
        raise InputError(
            f"{source}: it has two sets of {sizes[0]:,} and {sizes[1]:,} nodes; so large ones"
            f" cannot be read yet, since all pairs within a set have to be hidden"
        )
    ends = [np.nonzero(codes == code)[0] for code in (0, 1)]
    pairs = np.hstack([np.array(np.meshgrid(nodes, nodes)).reshape(2, -1) for nodes in ends])
    hidden = network.hide(*pairs[:, pairs[0] != pairs[1]])
    note = (
        f"Two sets of {sizes[0]:,} and {sizes[1]:,} nodes: the"
        f" {hidden.n_hidden - network.n_hidden:,} dyads within a set are hidden, since no edge can"
        f" be there."
    )
    return replace(hidden, notes=(*network.notes, note))


def sets_of(network: Network) -> IntArray | None:
    """Return the set of each node of a network whose dyads are all between two sets.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    ndarray of int64 of shape (N,), or None
        0 or 1; None where some dyad within a set is not hidden.
    """
    codes = None if network.node_table is None else _sets(network.node_table)
    if codes is None:
        return None
    sizes = np.bincount(codes)
    within = int((sizes * (sizes - 1)).sum()) // (1 if network.directed else 2)
    hidden = codes[network.hidden_sender] == codes[network.hidden_receiver]
    return codes if np.count_nonzero(hidden) == within else None


def _sets(table: pd.DataFrame) -> IntArray | None:
    """Return the set of each node, 0 or 1, or None if there are not two."""
    if ATTRIBUTE in table.columns:
        values = table[ATTRIBUTE]
    elif OF_IGRAPH in table.columns and table[OF_IGRAPH].dtype == bool:
        values = table[OF_IGRAPH]
    else:
        return None
    if values.isna().any() or (values == "").any() or values.nunique() != 2:
        return None
    return np.asarray(pd.factorize(values)[0], dtype=np.int64)
