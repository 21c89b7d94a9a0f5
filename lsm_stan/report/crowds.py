"""Figures of more nodes than can be told apart: shades for how many there are, and a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from mpl_toolkits.mplot3d import Axes3D

from lsm_stan.network.network import Network
from lsm_stan.posterior.invariants import sample_nodes
from lsm_stan.typing import FloatArray, IntArray

#: The most nodes that figures draw one by one.
MANY_NODES = 5000

#: The heaviest edges that are drawn behind the nodes.
DRAWN_EDGES = 400

#: Nodes of most strength that are always drawn.
STRONGEST = 100

#: Cells of a figure's width that shades are of.
SHADES = 90


def heaviest_edges(network: Network) -> IntArray:
    """Return the edges that are drawn behind the nodes.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    ndarray of int64 of shape (M,)
        Numbers of the heaviest edges, the lightest of them first.
    """
    return np.argsort(network.weight)[-DRAWN_EDGES:]


def shown_nodes(network: Network) -> IntArray:
    """Return the nodes that figures draw one by one.

    Parameters
    ----------
    network : Network
        N nodes.

    Returns
    -------
    ndarray of int64 of shape (M,)
        0-based indices, increasing: all nodes; of more than
        :data:`MANY_NODES` a fixed random sample of so many, the
        strongest, and the ends of the heaviest edges.
    """
    if network.n_nodes <= MANY_NODES:
        return np.arange(network.n_nodes)
    edges = heaviest_edges(network)
    ends = np.append(network.sender[edges], network.receiver[edges])
    strongest = np.argsort(network.out_strength() + network.in_strength())[-STRONGEST:]
    return np.union1d(sample_nodes(network.n_nodes, MANY_NODES), np.append(ends, strongest))


def draw_nodes(
    panel: Axes, positions: FloatArray, shown: IntArray, style: Mapping[str, Any]
) -> None:
    """Draw nodes one by one; where that is not all of them, on shades of how many there are.

    Parameters
    ----------
    panel : Axes
        Where to draw, in two dimensions or in three, which have no shades.
    positions : ndarray of shape (N, D)
        Positions of all nodes.
    shown : ndarray of int64 of shape (M,)
        0-based indices of the nodes that are drawn.
    style : Mapping of str to Any
        Arguments of Matplotlib's ``scatter``, sequences of length N.
    """
    crowd = len(shown) < len(positions)
    chosen: dict[str, Any] = {name: [v[node] for node in shown] for name, v in style.items()}
    if crowd:
        chosen |= {"s": np.minimum(chosen["s"], 2.0), "lw": 0, "alpha": 0.7, "rasterized": True}
        if not isinstance(panel, Axes3D):
            panel.hexbin(
                *positions.T,
                gridsize=SHADES,
                bins="log",
                mincnt=1,
                cmap="Greys",
                lw=0,
                zorder=0.5,
                rasterized=True,
            )
    panel.scatter(*positions[shown].T, zorder=2, **chosen)


def crowd_note(network: Network) -> str:
    """Say how nodes are drawn where they are too many to be told apart.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    str
        A sentence that begins with a blank; or nothing.
    """
    if network.n_nodes <= MANY_NODES:
        return ""
    return (
        f" Of the {network.n_nodes:,} nodes {MANY_NODES:,} at random are drawn one by one, and the"
        " strongest; grey shades show where all are, darker where they are more."
    )
