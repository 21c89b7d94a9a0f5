"""Dyads and pairs: numbers, matrices, and a walk through all of them in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray


def nth_dyad(number: IntArray, n_nodes: int) -> tuple[IntArray, IntArray]:
    """Return the ends of ordered dyads by their numbers, row by row.

    Parameters
    ----------
    number : ndarray of int64 of shape (D,)
        Numbers from 0 to N(N-1) - 1.
    n_nodes : int
        N, the number of nodes.

    Returns
    -------
    sender, receiver : ndarray of int64 of shape (D,)
        0-based node indices.
    """
    sender, column = np.divmod(number, n_nodes - 1)
    return sender, column + (column >= sender)


def nth_pair(number: IntArray) -> tuple[IntArray, IntArray]:
    """Return the ends i < j of pairs by their numbers.

    Parameters
    ----------
    number : ndarray of int64 of shape (P,)
        Numbers from 0, in the order (0,1), (0,2), (1,2), (0,3), ...

    Returns
    -------
    i, j : ndarray of int64 of shape (P,)
        0-based node indices.
    """
    # j is the largest with j(j-1)/2 <= number
    j = ((1 + np.sqrt(1 + 8 * number)) // 2).astype(np.int64)
    return number - j * (j - 1) // 2, j


def pair_number(end: IntArray, other_end: IntArray) -> IntArray:
    """Return the numbers of pairs; see :func:`nth_pair`.

    Parameters
    ----------
    end, other_end : ndarray of int64 of shape (P,)
        0-based node indices of the two ends, in any order.

    Returns
    -------
    ndarray of int64 of shape (P,)
    """
    i, j = np.minimum(end, other_end), np.maximum(end, other_end)
    return np.asarray(j * (j - 1) // 2 + i)


def dyad_blocks(network: Network, size: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield all dyads of a network, hidden ones too, some at a time.

    Parameters
    ----------
    network : Network
        N nodes; in an undirected network a pair is one dyad, sender < receiver.
    size : int
        Largest number of dyads in a block.

    Yields
    ------
    sender, receiver : ndarray of int64 of shape (D,)
        0-based node indices, in the order of edges.
    """
    n = network.n_nodes
    for start in range(0, n * n, size):
        sender, receiver = np.divmod(np.arange(start, min(start + size, n * n)), n)
        kept = sender != receiver if network.directed else sender < receiver
        yield sender[kept], receiver[kept]


def pair_weights(network: Network) -> csr_array:
    """Return the weights of both directions of every pair, added up.

    Parameters
    ----------
    network : Network
        N nodes.

    Returns
    -------
    csr_array of shape (N, N)
        Symmetric, with indices in order and an empty diagonal.

    Examples
    --------
    >>> network = Network.from_edges(["a", "b", "a"], ["b", "a", "a"], [3, 1, 2])
    >>> pair_weights(network).toarray()
    array([[0., 4.],
           [4., 0.]])
    """
    return _symmetric(network.n_nodes, network.sender, network.receiver, network.weight)


def hidden_cells(network: Network) -> csr_array:
    """Return how many cells of every pair are hidden.

    Parameters
    ----------
    network : Network
        N nodes.

    Returns
    -------
    csr_array of shape (N, N)
        As in :func:`pair_weights`: up to 2, or 1 where the network is undirected.
    """
    ends = network.hidden_sender, network.hidden_receiver
    return _symmetric(network.n_nodes, *ends, np.ones(len(ends[0])))


def _symmetric(
    n_nodes: int, sender: IntArray, receiver: IntArray, value: IntArray | FloatArray
) -> csr_array:
    """Add values up by pairs, without loops."""
    between = sender != receiver
    ends = sender[between], receiver[between]
    both = np.concatenate(ends), np.concatenate(ends[::-1])
    values = np.tile(value[between].astype(float), 2)
    return csr_array((values, both), shape=(n_nodes, n_nodes))
