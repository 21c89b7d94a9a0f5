"""Dyads: numbering them, and walking through all of them in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lsm_stan.network.network import Network
from lsm_stan.typing import IntArray


def nth_dyad(number: IntArray, n_nodes: int) -> tuple[IntArray, IntArray]:
    """Return the ends of ordered dyads by their numbers, from 0 to N(N-1) - 1, row by row."""
    sender, place = np.divmod(number, n_nodes - 1)
    return sender, place + (place >= sender)


def nth_pair(number: IntArray) -> tuple[IntArray, IntArray]:
    """Return the ends i < j of pairs by their numbers: (0,1), (0,2), (1,2), (0,3), ..."""
    # j is the largest with j(j-1)/2 <= number
    j = ((1 + np.sqrt(1 + 8 * number)) // 2).astype(np.int64)
    return number - j * (j - 1) // 2, j


def pair_number(one: IntArray, other: IntArray) -> IntArray:
    """Return the numbers of pairs, whose ends may be in any order; see :func:`nth_pair`."""
    i, j = np.minimum(one, other), np.maximum(one, other)
    return np.asarray(j * (j - 1) // 2 + i)


def dyad_blocks(network: Network, size: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield all dyads of a network, hidden ones too, some at a time.

    Parameters
    ----------
    network
        N nodes; of an undirected network a pair is one dyad, sender < receiver.
    size
        Dyads a block, at most.

    Yields
    ------
    sender, receiver : numpy.ndarray
        ``(D,)`` node indices, in the order of edges.
    """
    n = network.n_nodes
    for start in range(0, n * n, size):
        sender, receiver = np.divmod(np.arange(start, min(start + size, n * n)), n)
        kept = sender != receiver if network.directed else sender < receiver
        yield sender[kept], receiver[kept]
