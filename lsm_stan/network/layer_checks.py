"""What layers are checked for, and the order of their nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from lsm_stan.errors import InputError
from lsm_stan.network.cells import counted
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray


def with_nodes_in_order(network: Network, place: Mapping[str, int]) -> Network:
    """Return a network with its nodes in the order of all nodes.

    Parameters
    ----------
    network : Network
        A layer.
    place : mapping of str to int
        Numbers of all nodes, by name.

    Returns
    -------
    Network
    """
    order = sorted(network.names, key=place.__getitem__)
    if tuple(order) == network.names:
        return network
    at = np.array([order.index(name) for name in network.names], dtype=np.int64)
    n, directed = network.n_nodes, network.directed
    cells = cells_among(at, network.sender, network.receiver, n, directed)
    hidden = np.sort(cells_among(at, network.hidden_sender, network.hidden_receiver, n, directed))
    by_cell = np.argsort(cells)
    cells = cells[by_cell]
    table = network.node_table
    return replace(
        network,
        names=tuple(order),
        sender=cells // n,
        receiver=cells % n,
        weight=network.weight[by_cell],
        hidden_sender=hidden // n,
        hidden_receiver=hidden % n,
        node_table=None if table is None else table.loc[order],
    )


def kind_of(network: Network) -> str:
    """Return whether a network is directed, in a word.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    str
    """
    return "directed" if network.directed else "undirected"


def lacking(names: Sequence[str], there: Sequence[str]) -> list[str]:
    """Return which names are not there.

    Parameters
    ----------
    names, there : sequence of str
        All names, and those there.

    Returns
    -------
    list of str
    """
    known = set(there)
    return [name for name in names if name not in known]


def cells_among(
    at: IntArray, sender: IntArray, receiver: IntArray, n: int, directed: bool
) -> IntArray:
    """Return one number a dyad, ``sender * n + receiver``, among all nodes.

    Parameters
    ----------
    at : ndarray of int64 of shape (M,)
        Numbers of a layer's nodes among all.
    sender, receiver : ndarray of int64 of shape (D,)
        Dyads, by numbers in the layer.
    n : int
        N, all nodes.
    directed : bool
        Whether the two directions of a pair are different.

    Returns
    -------
    ndarray of int64 of shape (D,)
    """
    s, r = at[sender], at[receiver]
    if not directed:
        s, r = np.minimum(s, r), np.maximum(s, r)
    return np.asarray(s * n + r)


def checked_times(times: ArrayLike, labels: Sequence[str], what: str) -> FloatArray:
    """Return times of layers; raise InputError where they cannot be.

    Parameters
    ----------
    times : array_like of float of shape (L,)
        The times.
    labels : sequence of str
        What layers are called.
    what : str
        What to call all of them.

    Returns
    -------
    ndarray of float64 of shape (L,)

    Raises
    ------
    InputError
        If they are not a finite number for each layer, or fall.
    """
    values = np.array(times, dtype=float)
    if values.shape != (len(labels),) or not np.isfinite(values).all():
        raise InputError(
            f"{what}: times are {values.tolist()}; a finite number for each of the"
            f" {counted(len(labels), 'layer')} is needed"
        )
    for k in np.flatnonzero(np.diff(values) < 0)[:1]:
        raise InputError(
            f"{what}: the layer {labels[k + 1]!r} at time {values[k + 1]:g} comes after"
            f" {labels[k]!r} at {values[k]:g}; give the layers in the order of their times"
        )
    values.flags.writeable = False
    return values
