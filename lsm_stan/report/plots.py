"""Figures of positions and rates: a fit in, a Matplotlib figure out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Ellipse
from matplotlib.text import Text
from mpl_toolkits.mplot3d import Axes3D
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.model.likelihood import CACHED, chunks, log_mean_block, mean_weight
from lsm_stan.network.grouping import UNKNOWN, grouping
from lsm_stan.network.network import Network
from lsm_stan.posterior.alignment import align, principal_axes, rotation_onto, strays
from lsm_stan.posterior.clusters import co_membership
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.posterior.invariants import sample_nodes
from lsm_stan.report.crowds import draw_nodes, heaviest_edges, shown_nodes
from lsm_stan.report.labels import label_nodes
from lsm_stan.typing import BoolArray, FloatArray, IntArray

#: Colours that people with colour-blindness tell apart (Okabe & Ito), grey for the rest.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
UNKNOWN_COLOUR, OTHERS = "#6a6a6a", "other or unknown"

#: Area grows with total strength up to this quantile: one hub would leave no room for the others.
STRONG = 0.95

#: Nodes whose name is printed: those with the most total weight.
LABELLED_NODES = 24

#: The most nodes whose ellipses are drawn.
ELLIPSES = 1000

#: Probability inside an ellipse of a node's position.
ELLIPSE = 0.5

#: Nodes of the rate matrix, and draws its mean is taken over.
MATRIX_NODES, MATRIX_DRAWS = 2000, 200

#: Rates below this are blank in the rate matrix: fewer than one pair in twenty has an edge.
BLANK = 0.05


class Figure(matplotlib.figure.Figure):
    """A figure where dollars are dollars: two of them in a name are no formula, as elsewhere."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure; powers of ten at a logarithmic axis stay formulas.

        Parameters
        ----------
        renderer : RendererBase
            What Matplotlib draws with.
        """
        for text in self.findobj(Text):
            if isinstance(text, Text) and "$" in text.get_text():
                text.set_parse_math(r"\mathdefault{" in text.get_text())
        super().draw(renderer)


def node_colours(classes: pd.Series[str] | None, n_nodes: int) -> tuple[list[str], dict[str, str]]:
    """Return a colour for every node, and the legend.

    Parameters
    ----------
    classes : Series of shape (N,), or None
        Class of every node; None for one colour. The most frequent have a colour of their own.
    n_nodes : int
        N.

    Returns
    -------
    colours : list of str
        Colour of every node.
    legend : dict of str to str
        Colours by class.

    Examples
    --------
    >>> node_colours(pd.Series(["motor", "unknown"]), 2)[0]
    ['#0072B2', '#6a6a6a']
    """
    if classes is None:
        return [PALETTE[0]] * n_nodes, {}
    counts = classes.value_counts().index
    known = [name for name in counts if str(name).lower() not in UNKNOWN][: len(PALETTE)]
    legend = dict(zip(known, PALETTE, strict=False))
    if not classes.isin(known).all():
        legend[OTHERS] = UNKNOWN_COLOUR
    return [legend.get(name, UNKNOWN_COLOUR) for name in classes], legend


def node_areas(network: Network, smallest: float, largest: float) -> FloatArray:
    """Return an area for every node, that grows with its total strength up to :data:`STRONG`.

    Parameters
    ----------
    network : Network
        N nodes.
    smallest, largest : float
        Area of a node without edges, and of the strongest.

    Returns
    -------
    ndarray of shape (N,)
        In the units of the areas given.
    """
    strength = _strength(network)
    share = np.minimum(1, strength / max(1, np.quantile(strength, STRONG)))
    return np.asarray(smallest + (largest - smallest) * share)


def plot_embedding(fit: Fit, groups: pd.Series[str] | None = None) -> Figure:
    """Draw the positions on their first two principal axes, and in three dimensions.

    Parameters
    ----------
    fit : Fit
        A fit by any method. Nodes that stray (:func:`lsm_stan.posterior.alignment.strays`) are
        hollow.
    groups : Series of shape (N,), or None, default None
        The group of every node, by which it is coloured; by default those of
        :func:`lsm_stan.network.grouping.grouping`. The strongest nodes are labelled, unless their
        group is ``unknown``: then the name may be a guess too.

    Returns
    -------
    Figure
        One panel for K <= 2, two above.
    """
    network = fit.network
    groups = grouping(network) if groups is None else groups
    z = principal_axes(fit.positions)
    z = np.pad(z, ((0, 0), (0, max(0, 2 - z.shape[1]))))
    colours, legend = node_colours(groups, network.n_nodes)
    order = heaviest_edges(network)
    segments = np.stack([z[network.sender[order]], z[network.receiver[order]]], axis=1)

    solid = z.shape[1] > 2
    figure = Figure(figsize=(13 if solid else 7.5, 6.2), layout="constrained")
    flat = figure.add_subplot(1, 2 if solid else 1, 1)
    flat.plot(*_lines(segments[:, :, :2]), color="#777777", alpha=0.18, lw=0.6, zorder=1)
    hollow = strays(fit.draws, fit.positions)
    style = {"s": node_areas(network, 8, 70), **_faces(colours, hollow)}
    shown = shown_nodes(network)
    draw_nodes(flat, z[:, :2], shown, style)
    flat.set(xlabel="first principal axis", ylabel="second principal axis", aspect="equal")
    if solid:
        axes = figure.add_subplot(1, 2, 2, projection="3d")
        assert isinstance(axes, Axes3D)
        axes.plot(*_lines(segments[:, :, :3]), color="#777777", alpha=0.12, lw=0.5)
        draw_nodes(axes, z[:, :3], shown, style)
        axes.set(xlabel="axis 1", ylabel="axis 2", zlabel="axis 3")
        axes.set_box_aspect(np.ptp(z[:, :3], axis=0), zoom=0.9)
    handles = _legend(legend, hollow)
    if handles:
        flat.legend(handles=handles, loc="best", fontsize=8, framealpha=0.9)
    of = "mean of draws" if fit.draws.shape[1] > 1 else f"loss {fit.loss:,.1f}"
    title = f"{network.title}: " if network.title else ""
    figure.suptitle(f"{title}{fit.method.upper()}, {of}", fontsize=11)
    order = _by_strength(network, groups)
    for panel, dims in zip(figure.axes, (2, 3), strict=False):
        label_nodes(panel, z[:, :dims], network.names, order, LABELLED_NODES, fontsize=7)
    return figure


def plot_uncertainty(fit: Fit) -> Figure:
    """Draw where every node may be, on the first two principal axes of the mean positions.

    Parameters
    ----------
    fit : Fit
        A fit with draws; each is turned onto the fit's positions first.

    Returns
    -------
    Figure
        A cross a node at its mean, and the ellipse of a normal distribution with the draws' mean
        and covariance that holds :data:`ELLIPSE` of its probability; of up to :data:`ELLIPSES`
        random nodes. The strongest nodes are in colour, with names; the others are grey.
    """
    target = principal_axes(fit.positions)
    axes = _in_plane(target)
    flat = _in_plane(align(fit.draws.reshape(-1, *target.shape), target))
    covariance = np.einsum("sni,snj->nij", flat - flat.mean(axis=0), flat - flat.mean(axis=0))
    variance, direction = np.linalg.eigh(covariance / (len(flat) - 1))
    # the quantile of a chi-square distribution with two degrees of freedom
    diameter = 2 * np.sqrt(np.maximum(variance, 0) * -2 * np.log(1 - ELLIPSE))
    angle = np.degrees(np.arctan2(direction[:, 1, 1], direction[:, 0, 1]))
    order = _by_strength(fit.network, grouping(fit.network))
    named = [int(node) for node in order[: len(PALETTE) * 2]]
    figure = Figure(figsize=(6.4, 5.7), layout="constrained")
    axis = figure.add_subplot()
    colours: dict[int, str] = {}
    drawn = sample_nodes(len(axes), ELLIPSES)
    for node in [*np.setdiff1d(drawn, named).tolist(), *named]:
        colour = PALETTE[named.index(node) % len(PALETTE)] if node in named else UNKNOWN_COLOUR
        x, y = flat[:, node].mean(axis=0)
        minor, major = diameter[node]
        style: dict[str, Any] = {"fc": "none", "ec": colour, "alpha": 0.9 if node in named else 0.2}
        width = 1.4 if node in named else 0.6
        axis.add_patch(Ellipse((x, y), major, minor, angle=angle[node], lw=width, **style))
        axis.plot(x, y, marker="+", ms=5, color=colour)
        colours[node] = colour
    axis.set(xlabel="first principal axis", ylabel="second principal axis", aspect="equal")
    axis.autoscale_view()
    means = flat.mean(axis=0)
    label_nodes(axis, means, fit.network.names, named, len(named), fontsize=8, colours=colours)
    return figure


def plot_embeddings(
    fits: Mapping[str, Fit], reference: str, groups: pd.Series[str] | None = None
) -> Figure:
    """Draw the positions of several fits side by side, aligned to those of one of them.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits of one network, by name.
    reference : str
        The name of the fit that sets the axes.
    groups : Series of shape (N,), or None, default None
        As in :func:`plot_embedding`.

    Returns
    -------
    Figure
        A panel a fit, on the reference's first two principal axes; nodes that stray are hollow.
    """
    network, target = fits[reference].network, principal_axes(fits[reference].positions)
    groups = grouping(network) if groups is None else groups
    colours, legend = node_colours(groups, len(target))
    hollow = {name: strays(fit.draws, fit.positions) for name, fit in fits.items()}
    columns = min(3, len(fits))
    rows = -(-len(fits) // columns)
    figure = Figure(figsize=(4.4 * columns, 4.4 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat
    for panel, (name, fit) in zip(panels, fits.items(), strict=False):
        z = _in_plane(align(fit.positions, target))
        style = {"s": node_areas(network, 6, 45), **_faces(colours, hollow[name])}
        draw_nodes(panel, z, shown_nodes(network), style)
        panel.set_title(name, fontsize=10)
        panel.set(aspect="equal")
    for panel in figure.axes[len(fits) :]:
        panel.set_visible(False)
    figure.supxlabel(f"first principal axis of {reference}", fontsize=9)
    figure.supylabel(f"second principal axis of {reference}", fontsize=9)
    handles = _legend(legend, np.any(list(hollow.values()), axis=0))
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8)
    return figure


def plot_rate_matrix(fit: Fit) -> Figure:
    """Draw the weights beside the posterior mean rates, nodes ordered by the embedding.

    Parameters
    ----------
    fit : Fit
        A fit of a network of any size: the :data:`MATRIX_NODES` strongest nodes are shown, in
        the order of a hierarchical clustering of the fit's positions.

    Returns
    -------
    Figure
        Where a dyad is hidden the weight is grey; the rate is shown there too. Rates below
        :data:`BLANK` are as blank as weights of 0.
    """
    network = fit.network
    shown = np.sort(np.argsort(-_strength(network), kind="stable")[:MATRIX_NODES])
    z = fit.positions[shown]
    tree = linkage(pdist(z), method="average", optimal_ordering=len(shown) <= 500)
    order = shown[leaves_list(tree)]
    weight = network.weight_of(np.repeat(order, len(order)), np.tile(order, len(order)))
    weight = weight.reshape(len(order), -1)
    draws = flat_draws(fit.parameters, MATRIX_DRAWS)
    rate = np.zeros(weight.shape)
    for index in range(len(draws["z"])):
        draw = {name: values[index] for name, values in draws.items()}
        for rows in chunks(len(order), len(order), CACHED):
            log_mu = log_mean_block(fit.spec, draw, order[rows], order)
            rate[rows] += mean_weight(fit.spec, log_mu)
    rate /= len(draws["z"])
    np.fill_diagonal(rate, np.nan)
    norm = LogNorm(BLANK, max(1.0, float(weight.max())))
    colours = colormaps["viridis_r"].with_extremes(under="white")
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, values, title in zip(
        panels,
        (np.where(weight > 0, weight, np.nan), rate),
        ("observed weight (blank: 0)", f"posterior mean rate (blank: below {BLANK:g})"),
        strict=True,
    ):
        image = panel.imshow(values, norm=norm, cmap=colours, interpolation="nearest")
        panel.set(title=title, xlabel="receiver", ylabel="sender")
    if network.n_hidden:
        panels[0].set(title="observed weight (blank: 0; grey: not observed)")
        hidden, grey = np.where(weight < 0, 1.0, np.nan), ListedColormap([UNKNOWN_COLOUR])
        panels[0].imshow(hidden, cmap=grey, interpolation="nearest")
    figure.colorbar(image, ax=list(panels), shrink=0.85, label="weight, or rate", extend="min")
    return figure


def plot_clusters(fit: Fit) -> Figure:
    """Draw the clusters of positions, and which nodes are together.

    Parameters
    ----------
    fit : Fit
        A fit of a model with clusters.

    Returns
    -------
    Figure
        Positions on their first two principal axes in the colours of the point partition, with
        the clusters' centres; and the co-membership matrix of the :data:`MATRIX_NODES` strongest
        nodes, by clusters.

    Raises
    ------
    InputError
        If the model has none.
    """
    clusters, network = fit.clusters, fit.network
    if clusters is None:
        raise InputError(f"the model is {fit.spec.label}; one with clusters is needed")
    axes = principal_axes(fit.positions)
    centre = clusters.centre.mean(axis=(0, 1)) @ rotation_onto(fit.positions, axes)
    z, centre = _in_plane(axes), _in_plane(centre)
    colours = [PALETTE[label % len(PALETTE)] for label in range(len(centre))]
    strength = _strength(network)
    face = _faces([colours[g] for g in clusters.partition], strays(fit.draws, fit.positions))
    figure = Figure(figsize=(12.5, 5.6), layout="constrained")
    panel, matrix = figure.subplots(1, 2)
    draw_nodes(panel, z, shown_nodes(network), {"s": node_areas(network, 8, 70), **face})
    for g, sd in enumerate(clusters.sigma.mean(axis=(0, 1))):
        panel.add_patch(Circle(centre[g], sd, fc="none", ec=colours[g], lw=1.2, ls="--"))
        panel.plot(*centre[g], marker="P", ms=11, color=colours[g], mec="black")
        panel.annotate(str(g + 1), centre[g], (8, 6), textcoords="offset points", fontsize=11)
    panel.set(xlabel="first principal axis", ylabel="second principal axis", aspect="equal")
    shown = np.argsort(-strength, kind="stable")[:MATRIX_NODES]
    label = clusters.partition[shown]
    order = np.lexsort((-clusters.probability[shown, label], label))
    step = max(1, len(clusters.drawn) // MATRIX_DRAWS)
    together = co_membership(clusters.drawn[::step][:, shown[order]])
    image = matrix.imshow(together, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    present, first, count = np.unique(label[order], return_index=True, return_counts=True)
    for edge in first[1:]:
        matrix.axhline(edge - 0.5, color=PALETTE[1], lw=0.7)
        matrix.axvline(edge - 0.5, color=PALETTE[1], lw=0.7)
    middle, numbers = first + (count - 1) / 2, [str(g + 1) for g in present]
    matrix.set(xticks=middle, yticks=middle, xticklabels=numbers, yticklabels=numbers)
    matrix.set(xlabel="cluster", ylabel="cluster")
    figure.colorbar(image, ax=matrix, shrink=0.85, label="probability of one cluster")
    return figure


def _strength(network: Network) -> IntArray:
    """Return what every node sends and receives."""
    return network.out_strength() + network.in_strength()


def _in_plane(positions: FloatArray) -> FloatArray:
    """Return the first two of ``(..., K)`` coordinates; the second of one is 0."""
    missing = max(0, 2 - positions.shape[-1])
    return np.pad(positions, [*[(0, 0)] * (positions.ndim - 1), (0, missing)])[..., :2]


def _faces(colours: list[str], hollow: BoolArray) -> dict[str, Any]:
    """Return how nodes are drawn, full with a white edge or hollow."""
    return {
        "c": ["none" if empty else colour for colour, empty in zip(colours, hollow, strict=True)],
        "ec": [colour if empty else "white" for colour, empty in zip(colours, hollow, strict=True)],
        "lw": np.where(hollow, 0.9, 0.4),
    }


def _legend(legend: Mapping[str, str], hollow: BoolArray) -> list[Line2D]:
    """Return what stands for the classes in a legend, and for hollow nodes where there are any."""
    style: dict[str, Any] = {"ls": "", "marker": "o"}
    handles = [Line2D([], [], color=colour, label=name, **style) for name, colour in legend.items()]
    if hollow.any():
        label = "drawn too near the centre"
        handles.append(Line2D([], [], color=UNKNOWN_COLOUR, mfc="none", label=label, **style))
    return handles


def _lines(segments: FloatArray) -> list[FloatArray]:
    """Turn ``(E, 2, D)`` segments into D coordinate rows with gaps: one artist for all."""
    gaps = np.full((len(segments), 1, segments.shape[2]), np.nan)
    return list(np.concatenate([segments, gaps], axis=1).reshape(-1, segments.shape[2]).T)


def _by_strength(network: Network, groups: pd.Series[str] | None) -> IntArray:
    """Return the nodes, the strongest first, without those whose group is unknown."""
    order = np.argsort(-_strength(network), kind="stable")
    if groups is None:
        return np.asarray(order)
    return np.asarray(order[(groups.iloc[order] != "unknown").to_numpy()])
