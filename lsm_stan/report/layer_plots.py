"""Figures of positions in several layers: a fit in, a Matplotlib figure out."""

from __future__ import annotations

import numpy as np

from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.posterior.alignment import principal_axes
from lsm_stan.report.plots import PALETTE, UNKNOWN_COLOUR, Figure

#: Nodes whose paths are in colour and named: those that move farthest.
NAMED = len(PALETTE)


def plot_paths(fit: LayeredFit) -> Figure:
    """Draw the path of every node through the layers, on the principal axes of all places.

    Parameters
    ----------
    fit : LayeredFit
        A fit of layers.

    Returns
    -------
    Figure
    """
    z = fit.layer_positions
    n_layers, n_nodes, dim = z.shape
    # the layers of a draw turn as one, and so does their mean
    places = principal_axes(z.reshape(-1, dim)).reshape(z.shape)
    if dim == 1:
        places = np.concatenate([places, np.zeros_like(places)], axis=-1)
    present = np.zeros((n_layers, n_nodes), dtype=bool)
    for layer, at in enumerate(fit.layers.members):
        present[layer, at] = True
    movers = fit.movers()["node"].head(NAMED).tolist()
    figure = Figure(figsize=(7.5, 7.0), layout="constrained")
    axes = figure.add_subplot()
    in_a_row = fit.layering.structure == "ordered"
    for node, name in enumerate(fit.layers.names):
        path = places[present[:, node], node, :2]
        if not len(path):
            continue
        named = name in movers
        colour = PALETTE[movers.index(name)] if named else UNKNOWN_COLOUR
        width, opacity = (1.8, 1.0) if named else (0.7, 0.6)
        if in_a_row:
            axes.plot(*path.T, color=colour, linewidth=width, alpha=opacity)
        else:  # no order: a star around the mean
            for end in path:
                spoke = np.stack([path.mean(axis=0), end])
                axes.plot(*spoke.T, color=colour, linewidth=width, alpha=opacity)
        axes.plot(*path[-1], "o", color=colour, markersize=4 if named else 2, alpha=opacity)
        if named:
            axes.annotate(name, path[-1], xytext=(4, 4), textcoords="offset points", color=colour)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("axis 1")
    axes.set_ylabel("axis 2" if dim > 1 else "")
    return figure
