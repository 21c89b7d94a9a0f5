"""Figures: arrays in, a Matplotlib figure out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray

from lsm_stan import idata as container
from lsm_stan.alignment import principal_axes
from lsm_stan.fit import Fit
from lsm_stan.summary import invariant_draws

FloatArray = NDArray[np.float64]

#: Colours that people with colour-blindness tell apart (Okabe & Ito), grey for the rest.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINES = ("-", "--", "-.")
UNKNOWN, UNKNOWN_COLOUR = ("", "unknown", "other"), "#9a9a9a"

#: Nodes whose name is printed: those with the most total weight.
LABELLED_NODES = 24

#: Room for a label, as shares of the figure's width and height.
LABEL_CLEARANCE = np.array([0.08, 0.035])

#: The heaviest pairs whose edges are drawn behind the nodes.
DRAWN_EDGES = 400


def node_colours(classes: pd.Series[str] | None, n_nodes: int) -> tuple[list[str], dict[str, str]]:
    """Return a colour for every node, and the legend: class to colour."""
    if classes is None:
        return [PALETTE[0]] * n_nodes, {}
    known = [name for name in classes.value_counts().index if name not in UNKNOWN]
    legend = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(known)}
    if classes.isin(UNKNOWN).any():
        legend["other or unknown"] = UNKNOWN_COLOUR
    return [legend.get(name, UNKNOWN_COLOUR) for name in classes], legend


def plot_embedding(fit: Fit) -> Figure:
    """Draw the positions on their first two principal axes, and in three dimensions.

    Parameters
    ----------
    fit
        Nodes are coloured by the node table's column ``class`` and labelled, the strongest
        first, unless their class is ``unknown``: then the name is a guess too.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for K <= 2, two above.
    """
    network = fit.network
    z = principal_axes(fit.positions)
    z = np.pad(z, ((0, 0), (0, max(0, 2 - z.shape[1]))))
    table = network.node_table
    classes = table["class"] if table is not None and "class" in table else None
    colours, legend = node_colours(classes, network.n_nodes)
    strength = network.out_strength() + network.in_strength()
    size = 12 + 60 * strength / max(1, strength.max())
    order = np.argsort(network.weight)[-DRAWN_EDGES:]
    segments = np.stack([z[network.sender[order]], z[network.receiver[order]]], axis=1)

    solid = z.shape[1] > 2
    figure = Figure(figsize=(13 if solid else 7.5, 6.2), layout="constrained")
    flat = figure.add_subplot(1, 2 if solid else 1, 1)
    flat.plot(*_lines(segments[:, :, :2]), color="#777777", alpha=0.18, lw=0.6, zorder=1)
    flat.scatter(z[:, 0], z[:, 1], s=size, c=colours, lw=0.4, ec="white", zorder=2)
    labelled = _labelled_nodes(fit, z, strength)
    for node in labelled:
        flat.annotate(
            network.names[node],
            (z[node, 0], z[node, 1]),
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=7,
        )
    flat.set(xlabel="first principal axis", ylabel="second principal axis", aspect="equal")
    if solid:
        axes = figure.add_subplot(1, 2, 2, projection="3d")
        assert isinstance(axes, Axes3D)
        axes.plot(*_lines(segments[:, :, :3]), color="#777777", alpha=0.12, lw=0.5)
        axes.scatter(z[:, 0], z[:, 1], z[:, 2], s=size, c=colours, lw=0.3, ec="white")
        for node in labelled:
            axes.text(*z[node, :3], network.names[node], fontsize=6)
        axes.set(xlabel="axis 1", ylabel="axis 2", zlabel="axis 3")
        axes.set_box_aspect(np.ptp(z[:, :3], axis=0), zoom=0.9)
    if legend:
        handles = [
            Line2D([], [], ls="", marker="o", color=colour, label=name)
            for name, colour in legend.items()
        ]
        flat.legend(handles=handles, loc="best", fontsize=8, framealpha=0.9)
    figure.suptitle(f"{network.title}: {fit.method.upper()}, loss {fit.loss:,.1f}", fontsize=11)
    return figure


def plot_trace(fit: Fit) -> Figure:
    """Draw trace and rank plots of the log joint and of some distances (ArviZ).

    Parameters
    ----------
    fit
        With more than one draw. The rank plot needs more than one chain; a single chain's
        distribution is drawn instead.

    Returns
    -------
    matplotlib.figure.Figure
    """
    chosen = invariant_draws(fit)[["log_joint", "distance"]]
    n_traced = chosen.sizes["distance_of"] // 2
    chosen = chosen.isel(distance_of=[*range(n_traced - 2), -2, -1])
    return container.plot_trace(chosen, f"{fit.network.title}: {fit.method.upper()}")


def _lines(segments: FloatArray) -> list[FloatArray]:
    """Turn ``(E, 2, D)`` segments into D coordinate rows with gaps: one artist for all."""
    gaps = np.full((len(segments), 1, segments.shape[2]), np.nan)
    return list(np.concatenate([segments, gaps], axis=1).reshape(-1, segments.shape[2]).T)


def _labelled_nodes(fit: Fit, z: FloatArray, strength: NDArray[np.int64]) -> list[int]:
    """Choose nodes to label: the strongest first, none whose label would cover another's."""
    table = fit.network.node_table
    sure = np.ones(fit.network.n_nodes, dtype=bool)
    if table is not None and "class" in table:
        sure = (table["class"] != "unknown").to_numpy()
    clearance = LABEL_CLEARANCE * np.ptp(z[:, :2], axis=0)
    chosen: list[int] = []
    for node in np.argsort(-strength, kind="stable"):
        offset = np.abs(z[chosen, :2] - z[node, :2])
        if sure[node] and not (offset < clearance).all(axis=1).any():
            chosen.append(int(node))
        if len(chosen) == LABELLED_NODES:
            break
    return chosen


def plot_scores(table: pd.DataFrame, references: pd.DataFrame) -> Figure:
    """Draw the mean log density against K, a line a model; references as dotted lines.

    Parameters
    ----------
    table
        Of :class:`lsm_stan.selection.Choice`; bars are standard errors over splits.
    references
        Columns ``model`` and ``log_density``; those far below all models are not in view.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    models = table["model"].nunique()
    for k, (name, rows) in enumerate(table.groupby("model", sort=False)):
        line = rows.sort_values("dim")
        aside = 0.04 * (k - (models - 1) / 2)  # or bars would cover each other
        style = LINES[k // len(PALETTE) % len(LINES)]
        colour = PALETTE[k % len(PALETTE)]
        axes.errorbar(
            line["dim"] + aside,
            line["log_density"],
            line["error"].fillna(0.0),
            label=str(name),
            color=colour,
            ls=style,
            marker="o",
            ms=4,
            capsize=3,
        )
    low, high = axes.get_ylim()
    means = references.groupby("model")["log_density"].mean()
    for name, value in zip(means.index, means.to_numpy(), strict=True):
        if value > low - (high - low):
            axes.axhline(value, color=UNKNOWN_COLOUR, ls=":", lw=1)
            axes.text(1.0, value, f"{name} ", transform=axes.get_yaxis_transform(), ha="right",
                      va="bottom", fontsize=7, color="#555555")  # fmt: skip
    axes.set_xticks(sorted(set(table["dim"])))
    axes.set(xlabel="K, latent dimensions", ylabel="log predictive density a held-out dyad")
    axes.legend(fontsize=8)
    return figure


def plot_calibration(table: pd.DataFrame, title: str) -> Figure:
    """Draw the observed share of edges against the predicted probability.

    Parameters
    ----------
    table
        Of :func:`lsm_stan.scores.calibration_table`, those of several splits below each other.
    title
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Bars are two standard errors of the share, were the prediction true.
    """
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.add_subplot()
    lowest = table["predicted"].min()
    axes.plot([lowest, 1], [lowest, 1], color=UNKNOWN_COLOUR, lw=1)
    axes.errorbar(
        table["predicted"],
        table["observed"],
        2 * table["error"],
        color=PALETTE[0],
        ls="",
        marker="o",
        ms=4,
        alpha=0.7,
    )
    # most dyads have small probabilities; shares of 0 have a place too
    for scale in (axes.set_xscale, axes.set_yscale):
        scale("symlog", linthresh=1e-3)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="observed share")
    axes.set_title(f"edges among held-out dyads: {title}", fontsize=10)
    return figure
