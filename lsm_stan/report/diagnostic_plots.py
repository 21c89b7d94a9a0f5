"""Figures that judge fits: chains by invariants, predictive checks, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy.stats import rankdata

from lsm_stan.criticism.advice import STATISTICS
from lsm_stan.criticism.comparison import Comparison
from lsm_stan.criticism.ppc import PredictiveCheck
from lsm_stan.criticism.tables import reported_pairs
from lsm_stan.inference.fit import Fit
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.checks import MAX_RHAT, MIN_ESS
from lsm_stan.posterior.intervals import interval
from lsm_stan.posterior.invariants import pair_distances, pair_labels
from lsm_stan.report.plots import PALETTE, UNKNOWN_COLOUR, Figure
from lsm_stan.typing import FloatArray, IntArray

#: Distances traced one by one: heaviest pairs, then random ones.
TRACED = (0, 1, 2, 3, -2, -1)

#: Bars of a histogram of ranks.
RANK_BINS = 20

#: Tell quantities of one colour apart.
MARKERS = "o^s"

#: A logarithmic axis that spans less has more labels than one a decade.
FEW_DECADES = 2000

#: How much smaller than the largest a distance is drawn at most: a mode may put nodes together.
NEAREST = 1e-4

#: Widths of a histogram beyond which an observed value is not in view.
FAR = 1.5


def plot_trace(fit: Fit) -> Figure:
    """Draw distributions and ranks of the log joint, coefficients and some distances, by chain.

    Parameters
    ----------
    fit : Fit
        A fit with more than one draw. Ranks need more than one chain; a single chain's
        trace is drawn instead.

    Returns
    -------
    Figure
        A row a quantity. Ranks of a chain's draws among all chains' are drawn as bars about the
        height that all have where the chains agree (Vehtari et al., Bayesian Analysis 16, 2021).
    """
    traced = _traced(fit)
    figure = Figure(figsize=(10, 1.7 * len(traced)), layout="constrained")
    axes = figure.subplots(len(traced), 2, squeeze=False)
    for (left, right), (name, values) in zip(axes, traced.items(), strict=True):
        colours = [PALETTE[chain % len(PALETTE)] for chain in range(len(values))]
        left.hist(list(values), bins=30, density=True, histtype="step", color=colours)
        left.set_yticks([])
        if len(values) > 1:
            _rank_bars(right, values, colours)
        else:
            right.plot(values[0], color=colours[0], lw=0.6)
        for axis in (left, right):
            axis.set_title(name)
            _small(axis)
    axes[-1, 1].set_xlabel("rank" if len(values) > 1 else "draw")
    return figure


def plot_ess(fit: Fit) -> Figure:
    """Draw how ESS of the log joint, coefficients and some distances grew with draws.

    Parameters
    ----------
    fit : Fit
        A fit with at least 4 draws a chain.

    Returns
    -------
    Figure
        A panel a quantity, a line a kind of ESS.
    """
    traced = _traced(fit)
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, (len(traced) + 1) // 2, squeeze=False)
    for axis in axes.flat[len(traced) :]:
        axis.set_visible(False)
    for axis, (name, values) in zip(axes.flat, traced.items(), strict=False):
        lengths = np.unique(np.linspace(4, values.shape[1], 20, dtype=int))
        for method, colour in zip(diagnostics.ESS, PALETTE, strict=False):
            ess = [diagnostics.ess(values[:, :length], method) for length in lengths]
            axis.plot(len(values) * lengths, ess, "o-", ms=3, color=colour, label=method)
        axis.axhline(MIN_ESS, color=UNKNOWN_COLOUR, lw=1, ls="--", label=f"{MIN_ESS:g}")
        axis.set(title=name, xlabel="draws", ylabel="ESS", ylim=(0, None))
        _small(axis)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    return figure


def plot_energy(fit: Fit) -> Figure:
    """Draw energies of the draws and their changes from draw to draw.

    The two histograms should be equally wide (Betancourt, arXiv:1604.00695, 2016).

    Parameters
    ----------
    fit : Fit
        A fit by NUTS.

    Returns
    -------
    Figure
    """
    energy = container.group(fit.idata, "sample_stats")["energy"].to_numpy()
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axis = figure.add_subplot()
    both = {
        "energy, less its mean": (energy - energy.mean()).ravel(),
        "change of energy": np.diff(energy, axis=1).ravel(),
    }
    bins = np.histogram_bin_edges(np.concatenate(list(both.values())), bins=40).tolist()
    for colour, (label, values) in zip(PALETTE, both.items(), strict=False):
        axis.hist(values, bins=bins, density=True, color=colour, alpha=0.55, label=label)
    axis.set_yticks([])
    axis.legend(fontsize=8)
    _small(axis)
    return figure


def plot_elbo(trace: Sequence[tuple[int, float]], step: str = "iteration") -> Figure:
    """Draw the ELBO as a climb goes on.

    Parameters
    ----------
    trace : sequence of tuple of (int, float)
        Numbers of steps, and ELBOs in nats.
    step : str, default "iteration"
        What is counted.

    Returns
    -------
    Figure
    """
    steps, elbos = np.transpose(trace)
    figure = Figure(figsize=(6.5, 2.8), layout="constrained")
    axis = figure.add_subplot()
    axis.plot(steps, elbos, "o-", color=PALETTE[0], ms=3, lw=1)
    axis.set_xlabel(step, fontsize=8)
    axis.set_ylabel("ELBO (nats)", fontsize=8)
    _small(axis)
    return figure


def plot_forest(fits: Mapping[str, Fit]) -> Figure:
    """Draw intervals of the same distances under several fits.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits by name, at least one with draws; others only keep their colours.

    Returns
    -------
    Figure
        The central 90 % interval, quartiles and median of each distance and fit.
    """
    network = next(iter(fits.values())).network
    pairs = reported_pairs(network)
    colours = dict(zip(fits, cycle(PALETTE), strict=False))
    drawn = {name: fit for name, fit in fits.items() if fit.draws.shape[:2] != (1, 1)}
    figure = Figure(figsize=(6.5, 0.8 + 0.22 * len(pairs) * (len(drawn) + 1)), layout="constrained")
    axis = figure.add_subplot()
    for number, (name, fit) in enumerate(drawn.items()):
        height = np.arange(len(pairs)) + (number - (len(drawn) - 1) / 2) / (len(drawn) + 1)
        distances = pair_distances(fit.draws, pairs).reshape(-1, len(pairs))
        quartiles = np.quantile(distances, (0.25, 0.75), axis=0)
        for (low, high), width in ((interval(distances), 1), (quartiles, 2.5)):
            axis.hlines(height, low, high, lw=width, color=colours[name])
        median = np.median(distances, axis=0)
        axis.plot(median, height, "o", ms=4, mfc="white", color=colours[name], label=name)
    axis.set_yticks(np.arange(len(pairs)), pair_labels(network.names, pairs))
    axis.set(ylim=(len(pairs) - 0.5, -0.5), xlabel="distance", xscale="log")
    axis.legend(fontsize=8)
    _small(axis)
    _plain_ticks(axis.xaxis)
    return figure


def plot_coefficients(coefficients: pd.DataFrame) -> Figure:
    """Draw the coefficients of covariates under several fits.

    Parameters
    ----------
    coefficients : DataFrame
        What :func:`lsm_stan.criticism.tables.coefficients_table` returns; at least one row.

    Returns
    -------
    Figure
        The mean and the 90 % interval of each covariate and fit; a mode has a point.
    """
    covariates, fits = (coefficients[name].unique() for name in ("covariate", "fit"))
    figure = Figure(
        figsize=(6.5, 0.9 + 0.25 * len(covariates) * (len(fits) + 1)), layout="constrained"
    )
    axis = figure.add_subplot()
    for number, name in enumerate(fits):
        rows = coefficients[coefficients["fit"] == name]
        height = np.arange(len(rows)) + (number - (len(fits) - 1) / 2) / (len(fits) + 1)
        ends = rows[["low", "high"]].sub(rows["mean"], axis=0).abs().fillna(0.0).to_numpy().T
        colour = PALETTE[number % len(PALETTE)]
        axis.errorbar(rows["mean"], height, xerr=ends, fmt="o", ms=4, color=colour, label=str(name))
    axis.axvline(0, color=UNKNOWN_COLOUR, lw=1, ls="--")
    axis.set_yticks(np.arange(len(covariates)), covariates)
    axis.set(ylim=(len(covariates) - 0.5, -0.5), xlabel="coefficient")
    figure.legend(loc="outside lower center", ncols=len(fits), fontsize=8)
    return figure


def plot_convergence(items: pd.DataFrame) -> Figure:
    """Draw R-hat against ESS of every invariant item.

    Parameters
    ----------
    items : DataFrame
        What :func:`lsm_stan.posterior.diagnostics.diagnostic_table` returns.

    Returns
    -------
    Figure
        A panel for bulk and one for tail ESS, with the limits.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    panels[1].tick_params(labelleft=True)  # a panel can stand alone
    # first, and on top, the distances: the limits are theirs
    items = items.sort_values("quantity", key=lambda names: names != "distance", kind="stable")
    styles = list(product(MARKERS, PALETTE))
    for panel, kind in zip(panels, ("bulk", "tail"), strict=True):
        groups = items.groupby("quantity", sort=False)
        for (marker, colour), (quantity, group) in zip(cycle(styles), groups, strict=False):
            panel.scatter(
                group[f"ess_{kind}"],
                group["rhat"],
                s=9,
                marker=marker,
                color=colour,
                alpha=0.6,
                label=str(quantity),
                zorder=2 if quantity == "distance" else 1,
            )
        panel.axhline(MAX_RHAT, color=UNKNOWN_COLOUR, lw=1, ls="--")
        panel.axvline(MIN_ESS, color=UNKNOWN_COLOUR, lw=1, ls="--")
        panel.set(xscale="log", xlabel=f"{kind} ESS")
        _plain_ticks(panel.xaxis)
    panels[0].set_ylabel("R-hat")
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def plot_predictive(checks: Mapping[str, PredictiveCheck]) -> Figure:
    """Draw every statistic of the network beside its distribution under each fit.

    Parameters
    ----------
    checks : Mapping of str to PredictiveCheck
        Checks by the fits' names.

    Returns
    -------
    Figure
        A panel a statistic; the observed value is a black line, or an arrow at the edge where it
        is more than :data:`FAR` widths of the histogram off.
    """
    first = next(iter(checks.values())).table
    columns = 4
    rows = -(-len(first) // columns)
    figure = Figure(figsize=(12, 2.3 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for panel, row in zip(panels, first.to_dict("records"), strict=False):
        values = {name: check.replicated[row["statistic"]] for name, check in checks.items()}
        bins = np.histogram_bin_edges(pd.concat(list(values.values())).dropna(), bins=30)
        for colour, (name, column) in zip(cycle(PALETTE), values.items(), strict=False):
            panel.hist(column.dropna(), bins=bins, color=colour, alpha=0.55, label=name)
        reach = FAR * np.ptp(bins)
        seen = np.clip(row["observed"], bins[0] - reach, bins[-1] + reach)
        if row["observed"] > seen or row["observed"] < seen:
            right, value = row["observed"] > seen, f"{row['observed']:,.4g}"
            panel.annotate(
                f"{value} →" if right else f"← {value}", (seen, 0.9), fontsize=9,
                xycoords=("data", "axes fraction"), ha="right" if right else "left",
            )  # fmt: skip
            panel.update_datalim([(seen, 0)], updatey=False)
        else:
            panel.axvline(seen, color="black", lw=1.6)
        panel.set_title(STATISTICS[row["statistic"]].label.removeprefix("the "), fontsize=8)
        panel.set_yticks([])
        panel.margins(x=0.08)
        panel.tick_params(labelsize=7)
    handles, _ = figure.axes[0].get_legend_handles_labels()
    handles.append(Line2D([], [], color="black", lw=1.6, label="observed"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)
    for panel in list(figure.axes)[len(first) :]:
        panel.set_visible(False)
    return figure


def plot_weights(check: PredictiveCheck) -> Figure:
    """Draw the distribution of weights and the ordered strengths beside predicted ones.

    Parameters
    ----------
    check : PredictiveCheck
        Predictive checks of one fit.

    Returns
    -------
    Figure
        Black is observed; intervals hold 90 % of the predictions.
    """
    directions = list(check.strengths["direction"].unique())
    figure = Figure(figsize=(4 * (1 + len(directions)), 3.6), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(directions), squeeze=False)[0]
    weights = check.weights
    numbers = np.arange(len(weights))
    _band(first, numbers, weights, bars=True)
    first.set_xticks(numbers, weights["weight"].astype(str), rotation=45, fontsize=7)
    first.set(yscale="log", xlabel="weight", ylabel="share of cells")
    for axis, direction in zip(others, directions, strict=True):
        strengths = check.strengths[check.strengths["direction"] == direction]
        _band(axis, strengths["rank"].to_numpy(), strengths, bars=False)
        label = "strength" if direction == "both" else f"{direction}-strength"
        axis.set(xlabel="node, by rank", ylabel=label)
        axis.set_yscale("symlog", linthresh=1)
        axis.legend(fontsize=8)
    first.legend(fontsize=8)
    return figure


def plot_distances(comparison: Comparison) -> Figure:
    """Draw the mean distances and the nodes' spreads of every fit against the reference's.

    Parameters
    ----------
    comparison : Comparison
        Several fits of one network.

    Returns
    -------
    Figure
        A panel for distances and one for spreads, with the line of equality.
    """
    reference = comparison.reference
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    panels = figure.subplots(1, 2)
    for panel, frame, what in zip(
        panels,
        (comparison.mean_distances, comparison.spreads),
        ("mean distance of a pair", "posterior spread of a node"),
        strict=True,
    ):
        others = [name for name in frame.columns if name != reference]
        if reference not in frame or not others:
            panel.set_visible(False)
            continue
        high = frame.to_numpy().max()
        shown = frame.clip(lower=NEAREST * high)
        low = shown.to_numpy().min()
        for colour, name in zip(cycle(PALETTE), others, strict=False):
            panel.scatter(shown[reference], shown[name], s=8, alpha=0.5, color=colour, label=name)
        panel.plot([low, high], [low, high], color="black", lw=0.8)
        panel.set(xscale="log", yscale="log", xlabel=f"{what}, {reference}", ylabel=what)
        _plain_ticks(panel.xaxis)
        _plain_ticks(panel.yaxis)
        panel.legend(fontsize=8)
    return figure


def _traced(fit: Fit) -> dict[str, FloatArray]:
    """Return what is traced by its names: ``(chain, draw)`` values of each."""
    pairs = reported_pairs(fit.network)
    chosen = np.unique(np.mod(TRACED, len(pairs)))
    posterior = container.group(fit.invariants(pairs[chosen], nodes=[]), "posterior")
    traced: dict[str, FloatArray] = {}
    for quantity in ("log_joint", "beta", "distance"):
        if quantity in posterior:
            values = posterior[quantity].to_numpy()
            dims = posterior[quantity].dims[2:]
            items = posterior[dims[0]].to_numpy() if dims else [""]
            columns = np.moveaxis(values.reshape(*values.shape[:2], -1), -1, 0)
            traced |= {
                f"{quantity} {item}".rstrip().replace("_", " "): column
                for item, column in zip(items, columns, strict=True)
            }
    return traced


def _rank_bars(axis: Axes, values: FloatArray, colours: Sequence[str]) -> None:
    """Draw a histogram of the ranks of every chain's draws, one chain above the other."""
    ranks = rankdata(values).reshape(values.shape)
    edges = np.linspace(0.5, values.size + 0.5, RANK_BINS + 1)
    for chain, (row, colour) in enumerate(zip(ranks, colours, strict=True)):
        counts, _ = np.histogram(row, edges)
        # in units of the height that all bars would have
        heights = counts / (values.shape[1] / RANK_BINS) / 2
        axis.bar(edges[:-1], heights, np.diff(edges), chain, align="edge", color=colour, alpha=0.7)
        axis.axhline(chain + 0.5, color="black", lw=0.7, ls="--")
    axis.set_yticks(np.arange(len(values)), np.arange(len(values)) + 1)
    axis.set_ylabel("chain")


def _band(axis: Axes, x: IntArray, table: pd.DataFrame, *, bars: bool) -> None:
    """Draw the observed column black, the predicted ones as an interval about their median."""
    low, median, high = (table[f"predicted_{end}"] for end in ("low", "median", "high"))
    if bars:
        error = np.array([median - low, high - median])
        axis.errorbar(x, median, error, fmt="o", ms=4, color=PALETTE[0], label="predicted, 90 %")
        axis.plot(x, table["observed"], "k_", ms=12, mew=2, label="observed")
        return
    axis.fill_between(x, low, high, color=PALETTE[0], alpha=0.3, label="predicted, 90 %")
    axis.plot(x, median, color=PALETTE[0], lw=1)
    axis.plot(x, table["observed"], color="black", lw=1.4, label="observed")


def _plain_ticks(axis: Axis) -> None:
    """Label a logarithmic axis of data as plain numbers, at 1, 2 and 5 where there is room."""
    low, high = axis.get_data_interval()
    subs = (1, 2, 5) if high < FEW_DECADES * low else (1,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _small(axis: Axes) -> None:
    axis.title.set_fontsize(8)
    axis.tick_params(labelsize=7)
    axis.xaxis.label.set_fontsize(8)
    axis.yaxis.label.set_fontsize(8)
