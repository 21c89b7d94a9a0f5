"""From a list of edges or a matrix to the cells of a network: merged, sorted and told about.

What happens to input that leaves a choice, and where the choice is told (`Network.notes`):

Parallel edges
    A pair listed more than once is one edge whose weight is the ``"sum"`` of the listed weights
    (the default) or that of the ``"first"`` one listed.
Self-loops
    Kept. They are diagonal cells of the model and carry no information about positions.
Undirected networks
    One observation per unordered pair. In an edge list (a, b) and (b, a) are parallel edges; a
    matrix has to be symmetric, or to have one empty triangle.
Isolated nodes
    Nodes without an edge to another node are kept: that they have none is an observation.
Missing weights
    An edge without a weight has weight 1. In a matrix NaN (in text also NA, in a masked array a
    masked cell) says that the dyad was not observed: it is hidden. On the diagonal, which cannot
    be hidden, it is 0. In a list of edges NaN is refused, but of a data frame's it is a missing
    weight.
Node names
    Text. White space around a name is not part of it, and inside a name it is one space, so that
    a name survives every file format and fits on a line.
Zero weights
    No edge. The nodes named by an edge of weight 0 are nodes all the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from lsm_stan.choices import ParallelEdges
from lsm_stan.errors import InputError
from lsm_stan.network.checks import (
    ACCEPTED_WEIGHTS,
    as_list,
    check_size,
    checked_weights,
    node_name,
    node_names,
)
from lsm_stan.network.edges import check_symmetric, count_isolated, merge_parallel, reverse_weight
from lsm_stan.network.headers import is_number
from lsm_stan.typing import BoolArray, IntArray

#: How a matrix of two sets is read.
TWO_SETS = "if rows and columns are two sets of nodes, say --bipartite"

SparseMatrix: TypeAlias = sparse.sparray | sparse.spmatrix

_NONE = np.zeros(0, dtype=np.int64)


class Cells(NamedTuple):
    """What a network is made of, each as the field of `Network` of that name.

    Attributes
    ----------
    names : tuple of str, length N
        Node names.
    sender, receiver : ndarray of int64 of shape (E,)
        Ends of the edges, 0-based node indices.
    weight : ndarray of int64 of shape (E,)
        Weights of the edges.
    notes : tuple of str
        Sentences about how the source was read.
    hidden_sender, hidden_receiver : ndarray of int64 of shape (H,)
        Ends of the dyads that were not observed, 0-based node indices.
    """

    names: tuple[str, ...]
    sender: IntArray
    receiver: IntArray
    weight: IntArray
    notes: tuple[str, ...]
    hidden_sender: IntArray
    hidden_receiver: IntArray


def cells_of_list(
    sender_names: Iterable[object],
    receiver_names: Iterable[object],
    weights: Iterable[object] | None,
    names: Iterable[object] | None,
    *,
    directed: bool,
    parallel_edges: ParallelEdges,
    source: str,
) -> Cells:
    """Return the cells of a list of edges; see `Network.from_edges`.

    Parameters
    ----------
    sender_names, receiver_names : iterable, length L
        Node names of each listed edge.
    weights : iterable of numbers or numeric text, length L, or None
        Weight of each listed edge; None, for one edge or for all, is weight 1.
    names : iterable, length N, or None
        All nodes, in order; None for the nodes in the order in which edges first name them.
    directed : bool
        Whether an edge goes from sender to receiver or simply joins the two.
    parallel_edges : {"sum", "first"}
        Weight of a pair that is listed more than once.
    source : str
        File name or description, for error messages.

    Returns
    -------
    Cells

    Raises
    ------
    InputError
        If `Network.from_edges` would raise it.
    """
    if parallel_edges not in get_args(ParallelEdges):
        raise InputError(
            f"{source}: parallel_edges is {parallel_edges!r}; it can be 'sum' or 'first'"
        )
    senders, receivers = (
        [node_name(name, f"{end} of edge {k}", source) for k, name in enumerate(ends, start=1)]
        for end, ends in (("sender", sender_names), ("receiver", receiver_names))
    )
    listed = [1] * len(senders) if weights is None else as_list(weights)
    if not len(senders) == len(receivers) == len(listed):
        raise InputError(
            f"{source}: there are {len(senders)} senders, {len(receivers)} receivers and "
            f"{len(listed)} weights; every edge needs one of each"
        )
    pairs = list(zip(senders, receivers, strict=True))

    def where(edge: int) -> str:
        return f"edge {edge + 1} ({senders[edge]!r} -> {receivers[edge]!r})"

    if names is None:
        names = dict.fromkeys(itertools.chain.from_iterable(pairs))
    nodes = node_names(names, source)
    index = {name: i for i, name in enumerate(nodes)}
    for edge, name in ((edge, name) for edge, pair in enumerate(pairs) for name in pair):
        if name not in index:
            raise InputError(
                f"{source}: {where(edge)} names the node {name!r}, which is not among "
                f"the {len(nodes)} nodes given, from {nodes[0]!r} to {nodes[-1]!r}; add it to them "
                f"or correct the edge"
            )

    notes = []
    missing = sum(w is None for w in listed)
    if weights is None:
        notes.append("No weights are given: every edge listed has weight 1.")
    elif missing:
        notes.append(f"{counted(missing, 'edge')} without a weight: weight 1 each.")
    weight = checked_weights([1 if w is None else w for w in listed], where, source)
    zeros = int(np.count_nonzero(weight == 0))
    if zeros:
        notes.append(f"{counted(zeros, 'edge')} of weight 0: read as no edge.")

    sender = np.array([index[name] for name in senders], dtype=np.int64)
    receiver = np.array([index[name] for name in receivers], dtype=np.int64)
    twice = not directed and parallel_edges == "sum" and _is_symmetric(sender, receiver, weight)
    if not directed:
        sender, receiver = np.minimum(sender, receiver), np.maximum(sender, receiver)
    sender, receiver, weight = merge_parallel(
        nodes, sender, receiver, weight, parallel_edges, source
    )
    if len(weight) < len(pairs):
        done = "added to" if parallel_edges == "sum" else "dropped in favour of"
        notes.append(
            f"{counted(len(pairs) - len(weight), 'parallel edge')}: "
            f"{done} the first edge listed for the pair."
        )
    if twice:
        notes.append(
            "Every edge is listed in both directions with the same weight, and counts twice: with"
            ' parallel edges "first" it counts once.'
        )
    # In a list both directions of one undirected edge would be added up.
    undirected = '--undirected and parallel edges "first"'
    return _finished(nodes, sender, receiver, weight, directed, notes, undirected)


def _is_symmetric(sender: IntArray, receiver: IntArray, weight: IntArray) -> bool:
    """Return whether each listed edge between different nodes is listed reversed, too."""
    between = sender != receiver
    edges = np.stack([sender, receiver, weight])[:, between]
    same = edges[:, np.lexsort(edges)], edges[:, np.lexsort(edges[[1, 0, 2]])][[1, 0, 2]]
    return bool(between.any()) and np.array_equal(*same)


def cells_of_matrix(
    matrix: ArrayLike | SparseMatrix,
    names: Iterable[object] | None,
    *,
    directed: bool,
    source: str,
) -> Cells:
    """Return the cells of a matrix of weights; see `Network.from_matrix`.

    Parameters
    ----------
    matrix : array_like or SciPy sparse array of shape (N, N)
        Weights, senders in rows; numbers or numeric text.
    names : iterable, length N, or None
        Node names; None for ``"0"`` to ``"N-1"``.
    directed : bool
        If False the matrix must be symmetric.
    source : str
        File name or description, for error messages.

    Returns
    -------
    Cells

    Raises
    ------
    InputError
        If `Network.from_matrix` would raise it.
    """
    cells = matrix if sparse.issparse(matrix) else _unmasked(matrix)
    shape: tuple[int, ...] = cells.shape
    if len(shape) != 2 or shape[0] != shape[1]:
        sets = f"; {TWO_SETS}" if len(shape) == 2 and min(shape) > 1 else ""
        raise InputError(
            f"{source}: the matrix has the shape {' x '.join(map(str, shape)) or '()'}; "
            f"it must be square, with one row and one column per node{sets}"
        )
    check_size(shape[0], source)
    names = list(range(shape[0]) if names is None else names)
    if len(names) != shape[0]:
        raise InputError(
            f"{source}: the matrix has {shape[0]} rows but there are {len(names)} node names; "
            f"every row needs one name"
        )
    nodes = node_names(names, source)
    sender, receiver, values = _nonzero_cells(cells, source)
    missing = _is_nan(values)
    hidden, notes = _hidden_dyads(nodes, sender[missing], receiver[missing], directed, source)
    sender, receiver, values = sender[~missing], receiver[~missing], values[~missing]

    def where(cell: int) -> str:
        row, column = nodes[sender[cell]], nodes[receiver[cell]]
        return f"the cell in row {row!r} and column {column!r}"

    weight = checked_weights(values, where, source)
    sender, receiver, weight = merge_parallel(nodes, sender, receiver, weight, "sum", source)
    if not directed:
        filled = weight > 0
        sender, receiver, weight = sender[filled], receiver[filled], weight[filled]
        if not missing.any() and _is_triangle(sender, receiver):
            notes.append("One triangle of the matrix is empty: the other holds both directions.")
            sender, receiver = np.minimum(sender, receiver), np.maximum(sender, receiver)
            sender, receiver, weight = merge_parallel(
                nodes, sender, receiver, weight, "sum", source
            )
        else:
            check_symmetric(nodes, sender, receiver, weight, source)
            upper = sender <= receiver
            sender, receiver, weight = sender[upper], receiver[upper], weight[upper]
    return _finished(nodes, sender, receiver, weight, directed, notes, "--undirected", hidden)


def _is_triangle(sender: IntArray, receiver: IntArray) -> bool:
    """Return whether all edges between different nodes lie on one side of the diagonal."""
    above, below = bool(np.any(sender < receiver)), bool(np.any(sender > receiver))
    return above != below


def _hidden_dyads(
    names: tuple[str, ...], sender: IntArray, receiver: IntArray, directed: bool, source: str
) -> tuple[tuple[IntArray, IntArray], list[str]]:
    """Return the dyads of cells that are NaN, and what is to be said of them."""
    n, between = len(names), sender != receiver
    cells = np.unique(sender[between] * n + receiver[between])
    if not directed:
        back = cells % n * n + cells // n
        alone = cells[~np.isin(back, cells)]
        if alone.size:
            i, j = divmod(int(alone[0]), n)
            raise InputError(
                f"{source}: the matrix is not symmetric: the cell in row {names[i]!r} and column "
                f"{names[j]!r} is NaN, its mirror image is not; an undirected network needs a "
                f"symmetric matrix"
            )
        cells = cells[cells < back]
    notes = []
    if cells.size:
        notes.append(f"{counted(cells.size, 'cell')} NaN: dyads that were not observed.")
    if not between.all():
        notes.append(f"{counted(int((~between).sum()), 'diagonal cell')} NaN: read as 0.")
    return (cells // n, cells % n), notes


def _finished(
    names: tuple[str, ...],
    sender: IntArray,
    receiver: IntArray,
    weight: IntArray,
    directed: bool,
    notes: Sequence[str],
    undirected: str,
    hidden: tuple[IntArray, IntArray] = (_NONE, _NONE),
) -> Cells:
    """Drop zeros from merged cells and complete the notes; `undirected` is advice."""
    kept = weight > 0
    sender, receiver, weight = sender[kept], receiver[kept], weight[kept]
    notes = list(notes)
    if not directed:
        notes.append("Undirected: each unordered pair of nodes is one observation.")
    elif np.any(sender != receiver) and np.array_equal(
        reverse_weight(len(names), sender, receiver, weight), weight
    ):
        notes.append(
            "Every edge has a reverse edge of the same weight: if the network is undirected, "
            f"each edge is counted twice; read it with {undirected}."
        )
    loops = int(np.count_nonzero(sender == receiver))
    if loops:
        notes.append(
            f"{counted(loops, 'self-loop')}: kept as diagonal cells, "
            "which carry no information about positions."
        )
    isolated = count_isolated(len(names), sender, receiver)
    if not len(weight):
        notes.append("There are no edges: only the prior and empty cells inform positions.")
    elif isolated:
        notes.append(f"{counted(isolated, 'isolated node')} (no edge to another node): kept.")
    return Cells(names, sender, receiver, weight, tuple(notes), *hidden)


def _unmasked(matrix: ArrayLike | SparseMatrix) -> NDArray[Any]:
    """Return an array, NaN in the cells that are masked."""
    if isinstance(matrix, np.ma.MaskedArray):
        # integers have no NaN, and text needs room for it
        wide = matrix.astype(np.result_type(matrix, np.float64))
        return np.asarray(np.ma.filled(wide, np.nan))
    return np.asarray(matrix)


def _nonzero_cells(
    cells: NDArray[Any] | SparseMatrix, source: str
) -> tuple[IntArray, IntArray, NDArray[Any]]:
    """Return rows, columns and values of the cells of a square matrix that may not be 0."""
    if not isinstance(cells, np.ndarray):
        coo = sparse.coo_array(cast(Any, cells))
        return coo.row.astype(np.int64), coo.col.astype(np.int64), coo.data
    if cells.dtype.kind in "biufc":
        row, column = np.nonzero(cells)
    elif cells.dtype.kind not in "OUST" or not cells.dtype.itemsize:
        raise InputError(
            f"{source}: the cells are of type {cells.dtype}, which are no numbers; "
            f"{ACCEPTED_WEIGHTS}"
        )
    else:
        filled = np.reshape(_may_be_edges(cells.ravel().tolist()), cells.shape)
        row, column = np.nonzero(filled)
    return row.astype(np.int64), column.astype(np.int64), cells[row, column]


def _may_be_edges(cells: list[Any]) -> BoolArray:
    """Return which cells, text or other objects, are not 0 however it is written."""
    try:
        numbers = filter(is_number, set(cells))
    except TypeError:  # what has no hash is no number either, and is named later
        return np.ones(len(cells), dtype=bool)
    zeros = {n for n in numbers if (float(n) if isinstance(n, str) else n) == 0}
    return ~np.fromiter(map(zeros.__contains__, cells), dtype=bool, count=len(cells))


def _is_nan(values: NDArray[Any]) -> BoolArray:
    """Return which values of a matrix are NaN or the like, or say so in text."""
    if values.dtype.kind in "biufc":
        return np.asarray(np.isnan(values))
    words = [str(value).lower() in ("nan", "na") for value in values.tolist()]
    return np.array(words, dtype=bool) | pd.isna(values)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``"1 edge"`` or ``"2 edges"``.

    Parameters
    ----------
    number : int
        How many there are.
    noun : str
        What they are, in the singular.

    Returns
    -------
    str
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
