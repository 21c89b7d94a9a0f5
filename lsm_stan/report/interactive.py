"""Interactive figures: arrays in, a fragment of HTML out that :mod:`lsm_stan.report.page` draws."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lsm_stan.network.grouping import grouping
from lsm_stan.network.network import Network
from lsm_stan.posterior.alignment import principal_axes
from lsm_stan.report.crowds import heaviest_edges, shown_nodes
from lsm_stan.report.plots import OTHERS, node_areas, node_colours
from lsm_stan.typing import BoolArray, FloatArray, IntArray

#: Diameter in pixels of the weakest and of the strongest nodes; area grows with total strength.
SMALLEST, LARGEST = 5, 16

#: The number of nodes above which all are drawn smaller.
CROWD = 500


def embedding_figure(
    positions: FloatArray,
    network: Network,
    *,
    groups: pd.Series[str] | None = None,
    spread: FloatArray | None = None,
    hollow: BoolArray | None = None,
) -> str:
    """Draw positions on their first principal axes, to be turned and searched.

    A large network is drawn by a sample (:func:`lsm_stan.report.crowds.shown_nodes`).

    Parameters
    ----------
    positions : ndarray of shape (N, K)
        Positions; they are drawn in three dimensions for K > 2, else in two.
    network : Network
        N nodes.
    groups : Series of shape (N,), or None, default None
        The group of every node, by which it is coloured; by default those of
        :func:`lsm_stan.network.grouping.grouping`.
    spread : ndarray of shape (N,), or None, default None
        Posterior spread of every node, in units of distance, which shows where the mouse is
        over it.
    hollow : ndarray of bool of shape (N,), or None, default None
        Whether a node strays (:func:`lsm_stan.posterior.alignment.strays`): it is drawn hollow,
        and says so where the mouse is over it.

    Returns
    -------
    str
        A fragment for :attr:`lsm_stan.report.page.PageFigure.html`.
    """
    dims = 3 if positions.shape[1] > 2 else 2
    z = principal_axes(positions)[:, :dims]
    z = np.pad(z, ((0, 0), (0, dims - z.shape[1]))).round(4)
    size = np.sqrt(node_areas(network, SMALLEST**2, LARGEST**2))
    size = (size * min(1, (CROWD / len(shown_nodes(network))) ** (1 / 3))).round(1)
    classes = grouping(network) if groups is None else groups
    colours, legend = node_colours(classes, network.n_nodes)
    hollow = np.zeros(network.n_nodes, dtype=bool) if hollow is None else hollow
    drawn = shown_nodes(network)
    drawn = drawn[np.argsort(hollow[drawn], kind="stable")]  # the first stands in the legend
    hover = _hover(network, drawn, classes, spread, hollow)
    if classes is None:
        shown = ["nodes"] * network.n_nodes
    else:
        shown = [c if c in legend else OTHERS for c in classes]

    scatter, line = (go.Scatter3d, 1.0) if dims == 3 else (go.Scatter, 0.7)
    traces = [
        scatter(
            **_coordinates(_segments(z, network)),
            mode="lines",
            line={"color": "#808080", "width": line},
            opacity=0.3,
            hoverinfo="skip",
            showlegend=False,
        )
    ]
    for name in dict.fromkeys([*legend, *shown]):
        nodes = [node for node in drawn.tolist() if shown[node] == name]
        if nodes:
            traces.append(
                scatter(
                    **_coordinates(z[nodes]),
                    mode="markers",
                    name=escape(name, quote=False),
                    ids=[network.names[node] for node in nodes],
                    hovertext=[hover[node] for node in nodes],
                    hoverinfo="text",
                    marker={
                        "color": colours[nodes[0]],
                        "size": size[nodes].tolist(),
                        "opacity": 1,
                        "symbol": np.where(hollow[nodes], "circle-open", "circle").tolist(),
                    },
                )
            )
    layout: dict[str, Any] = {
        "showlegend": bool(legend),
        "legend": {"orientation": "h", "itemsizing": "constant", "yref": "container"},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "hovermode": "closest",
    }
    first, second, third = ({"title": {"text": f"axis {k}"}} for k in (1, 2, 3))
    if dims == 3:
        axes = {"xaxis": first, "yaxis": second, "zaxis": third}
        scene = {name: {**axis, "showspikes": False} for name, axis in axes.items()}
        layout["scene"] = {**scene, "aspectmode": "data"}
        layout["legend"] |= {"y": 0, "yanchor": "bottom"}
    else:
        layout["xaxis"] = {**first, "automargin": True}
        layout["yaxis"] = {**second, "automargin": True, "scaleanchor": "x"}
        layout["legend"] |= {"y": 1, "yanchor": "top"}
        layout["margin"]["t"] = 30
    return fragment(go.Figure(traces, layout))


def fragment(figure: go.Figure) -> str:
    """Return a plotly figure as HTML without plotly.js, which the page has once.

    Colours of text, grid and paper are left to the page, which follows the reader's scheme. A
    figure whose points have ``ids`` gets a box to find one by its id.

    Parameters
    ----------
    figure : go.Figure
        A figure of plotly; its template is taken off.

    Returns
    -------
    str
    """
    figure.update_layout(template="none")
    # plotly writes <, > and / as escapes: no text can end the script element
    return (
        '<div class="plot"></div>\n'
        f'<script type="application/json">{figure.to_json(engine="json")}</script>'
    )


def _hover(
    network: Network,
    nodes: IntArray,
    classes: pd.Series[str] | None,
    spread: FloatArray | None,
    hollow: BoolArray,
) -> dict[int, str]:
    """Return what is said of nodes, in the markup that plotly reads."""
    sent, received = network.out_strength(), network.in_strength()
    texts = {}
    for node in nodes.tolist():
        lines = [f"<b>{escape(network.names[node], quote=False)}</b>"]
        if classes is not None:
            lines.append(escape(str(classes.iloc[node]), quote=False))
        if network.directed:
            lines.append(f"out-strength {sent[node]:,}, in-strength {received[node]:,}")
        else:
            lines.append(f"strength {sent[node]:,}")
        if spread is not None:
            lines.append(f"posterior spread {spread[node]:.3g}")
        if hollow[node]:
            lines.append("place unknown: drawn too near the centre")
        texts[node] = "<br>".join(lines)
    return texts


def _segments(z: FloatArray, network: Network) -> FloatArray:
    """Return the heaviest edges as one line with gaps: ``(3 E, D)``."""
    heaviest = heaviest_edges(network)
    ends = np.stack([z[network.sender[heaviest]], z[network.receiver[heaviest]]], axis=1)
    gaps = np.full((len(ends), 1, z.shape[1]), np.nan)
    return np.concatenate([ends, gaps], axis=1).reshape(-1, z.shape[1])


def _coordinates(z: FloatArray) -> dict[str, list[float | None]]:
    """Return ``(N, D)`` positions as plotly's x, y and z; NaN, a gap, as None."""
    return {
        axis: [None if np.isnan(v) else float(v) for v in column]
        for axis, column in zip("xyz"[: z.shape[1]], z.T, strict=True)
    }
