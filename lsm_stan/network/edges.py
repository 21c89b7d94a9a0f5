"""Edges as arrays: what must hold of them, and what is computed from them.

Everywhere N nodes are numbered from 0, and E edges are the arrays `sender`, `receiver` and
`weight`, shape (E,).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lsm_stan.choices import ParallelEdges
from lsm_stan.errors import InputError
from lsm_stan.network.checks import ACCEPTED_WEIGHTS, STAN_INT_MAX
from lsm_stan.typing import IntArray


def frozen_integers(values: ArrayLike, field: str, source: str) -> IntArray:
    """Return a read-only int64 copy of a one-dimensional array of integers.

    Parameters
    ----------
    values : array_like of shape (L,)
        Integers.
    field : str
        What the array is, for error messages.
    source : str
        File name or description, for error messages.

    Returns
    -------
    ndarray of int64 of shape (L,)

    Raises
    ------
    InputError
        If the array is not one-dimensional, or not of integers.
    """
    array = np.array(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{source}: {field} is an array of {array.dtype} with {array.ndim} dimensions; "
            f"it must be one-dimensional and hold integers"
        )
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def check_edges(
    n_nodes: int,
    sender: IntArray,
    receiver: IntArray,
    weight: IntArray,
    directed: bool,
    source: str,
) -> None:
    """Refuse edge arrays that are not as `lsm_stan.network.network.Network` describes them.

    Parameters
    ----------
    n_nodes : int
        N, the number of nodes.
    sender, receiver, weight : ndarray of int64 of shape (E,)
        Ends and weights of the edges.
    directed : bool
        Whether the network is directed.
    source : str
        File name or description, for error messages.

    Raises
    ------
    InputError
        If lengths differ, or indices, their order or weights are wrong.
    """
    if not len(sender) == len(receiver) == len(weight):
        raise InputError(
            f"{source}: sender, receiver and weight have the lengths {len(sender)}, "
            f"{len(receiver)} and {len(weight)}; they must be equal"
        )
    if not len(weight):
        return
    for field, ends in (("sender", sender), ("receiver", receiver)):
        if ends.min() < 0 or ends.max() >= n_nodes:
            raise InputError(
                f"{source}: {field} has indices from {ends.min()} to {ends.max()}; "
                f"they must lie between 0 and {n_nodes - 1}"
            )
    if weight.min() < 1 or weight.max() > STAN_INT_MAX:
        raise InputError(
            f"{source}: weights go from {weight.min()} to {weight.max()}; "
            f"those of a network's edges must lie between 1 and {STAN_INT_MAX}"
        )
    if np.any(np.diff(sender * n_nodes + receiver) <= 0):
        raise InputError(
            f"{source}: edges are not in increasing order of (sender, receiver), each pair once; "
            f"Network.from_edges sorts and merges them"
        )
    if not directed and np.any(sender > receiver):
        raise InputError(
            f"{source}: an undirected network stores each edge with sender <= receiver; "
            f"Network.from_edges arranges them"
        )


def check_hidden(
    names: Sequence[str],
    edge_cells: IntArray,
    sender: IntArray,
    receiver: IntArray,
    directed: bool,
    source: str,
) -> None:
    """Refuse hidden dyads that are not as `lsm_stan.network.network.Network` describes them.

    Parameters
    ----------
    names : sequence of str, length N
        Node names.
    edge_cells : ndarray of int64 of shape (E,)
        ``sender * N + receiver`` of each edge.
    sender, receiver : ndarray of int64 of shape (H,)
        Ends of the hidden dyads, 0-based node indices.
    directed : bool
        Whether the network is directed.
    source : str
        File name or description, for error messages.

    Raises
    ------
    InputError
        If lengths differ, indices or their order are wrong, a hidden dyad is an edge, or no dyad
        is left.
    """
    check_edges(len(names), sender, receiver, np.ones_like(sender), directed, source)
    if not sender.size:
        return
    if np.any(sender == receiver):
        node = names[sender[sender == receiver][0]]
        raise InputError(
            f"{source}: the diagonal cell of node {node!r} cannot be hidden; only dyads can"
        )
    both = np.intersect1d(edge_cells, sender * len(names) + receiver)
    if both.size:
        i, j = divmod(int(both[0]), len(names))
        raise InputError(
            f"{source}: {names[i]!r} -> {names[j]!r} is an edge and hidden; Network.hide takes"
            f" the edges of hidden dyads away"
        )


def merge_parallel(
    names: Sequence[str],
    sender: IntArray,
    receiver: IntArray,
    weight: IntArray,
    policy: ParallelEdges,
    source: str,
) -> tuple[IntArray, IntArray, IntArray]:
    """Sort edges by (sender, receiver) and leave each pair once.

    Parameters
    ----------
    names : sequence of str, length N
        Node names.
    sender, receiver, weight : ndarray of int64 of shape (L,)
        Ends and weights of the listed edges.
    policy : {"sum", "first"}
        Weight of a pair that is listed more than once.
    source : str
        File name or description, for error messages.

    Returns
    -------
    sender, receiver, weight : ndarray of int64 of shape (E,)
        Ends and weights of the merged edges.

    Raises
    ------
    InputError
        If the sum of a pair's weights is larger than `STAN_INT_MAX`.
    """
    cells = sender * len(names) + receiver
    if not np.any(np.diff(cells) <= 0):  # a matrix, row by row
        return sender, receiver, weight
    _, first, pair = np.unique(cells, return_index=True, return_inverse=True)
    sender, receiver = sender[first], receiver[first]
    if policy == "first":
        return sender, receiver, weight[first]
    total = np.zeros(len(first), dtype=np.int64)
    np.add.at(total, pair, weight)
    if np.any(total > STAN_INT_MAX):
        k = int(np.argmax(total > STAN_INT_MAX))
        raise InputError(
            f"{source}: the parallel edges {names[sender[k]]!r} -> {names[receiver[k]]!r} add up "
            f"to {total[k]}, which overflows Stan's int; {ACCEPTED_WEIGHTS}"
        )
    return sender, receiver, total


def check_symmetric(
    names: Sequence[str], sender: IntArray, receiver: IntArray, weight: IntArray, source: str
) -> None:
    """Refuse a matrix that is not symmetric, naming the first cell that is not.

    Parameters
    ----------
    names : sequence of str, length N
        Node names.
    sender, receiver, weight : ndarray of int64 of shape (E,)
        The cells that are not 0, sorted by (sender, receiver).
    source : str
        File name or description, for error messages.

    Raises
    ------
    InputError
        If a cell and its mirror image differ.
    """
    reverse = reverse_weight(len(names), sender, receiver, weight)
    bad = np.flatnonzero(reverse != weight)
    if not len(bad):
        return
    # The first in reading order of the matrix, whichever of its two cells is stored.
    upper = np.minimum(sender[bad], receiver[bad]) * len(names)
    k = bad[np.argmin(upper + np.maximum(sender[bad], receiver[bad]))]
    i, j, there, back = sender[k], receiver[k], weight[k], reverse[k]
    if i > j:
        i, j, there, back = j, i, back, there
    raise InputError(
        f"{source}: the matrix is not symmetric: the cell in row {names[i]!r} and column "
        f"{names[j]!r} is {there}, its mirror image is {back}; an undirected network needs a "
        f"symmetric matrix"
    )


def reverse_weight(n: int, sender: IntArray, receiver: IntArray, weight: IntArray) -> IntArray:
    """Return the weight of the reverse of each edge.

    Parameters
    ----------
    n : int
        N, the number of nodes.
    sender, receiver, weight : ndarray of int64 of shape (E,)
        Ends and weights of the edges, sorted by (sender, receiver), each pair once.

    Returns
    -------
    ndarray of int64 of shape (E,)
        Weights; 0 where there is no reverse edge.
    """
    if not len(weight):
        return weight
    cell = sender * n + receiver
    if 8 * len(cell) > n * n:  # a table of all cells is no larger than these arrays, and quicker
        table = np.zeros((n, n), dtype=np.int64)
        table.ravel()[cell] = weight
        return np.asarray(table.T.ravel()[cell])  # cells are in order: so memory is read
    reverse_cell = receiver * n + sender
    index = np.minimum(np.searchsorted(cell, reverse_cell), len(cell) - 1)
    return np.where(cell[index] == reverse_cell, weight[index], 0)


def count_isolated(n: int, sender: IntArray, receiver: IntArray) -> int:
    """Count the nodes without an edge to another node.

    Parameters
    ----------
    n : int
        N, the number of nodes.
    sender, receiver : ndarray of int64 of shape (E,)
        Ends of the edges, 0-based node indices.

    Returns
    -------
    int
    """
    between = sender != receiver
    linked = np.zeros(n, dtype=bool)
    linked[sender[between]] = linked[receiver[between]] = True
    return n - int(linked.sum())
