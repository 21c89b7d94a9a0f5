"""Figures that judge fits: ArviZ's own on invariants, predictive checks, comparisons."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, product

import arviz as az
import numpy as np
import pandas as pd
from matplotlib import MatplotlibDeprecationWarning
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lsm_stan.criticism.comparison import Comparison
from lsm_stan.criticism.ppc import PredictiveCheck
from lsm_stan.criticism.tables import reported_pairs
from lsm_stan.inference.fit import Fit
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.checks import MAX_RHAT, MIN_ESS
from lsm_stan.report.plots import PALETTE, UNKNOWN_COLOUR, Figure
from lsm_stan.typing import IntArray

#: Distances traced one by one: heaviest pairs, then random ones.
TRACED = (0, 1, 2, 3, -2, -1)

#: Tell quantities of one colour apart.
MARKERS = "o^s"

#: Widths of a histogram beyond which an observed value is not in view.
FAR = 1.5


def plot_trace(fit: Fit) -> Figure:
    """Draw ArviZ's trace and rank plots of the log joint, coefficients and some distances.

    Parameters
    ----------
    fit
        With more than one draw. The rank plot needs more than one chain; a single chain's
        trace is drawn instead.

    Returns
    -------
    matplotlib.figure.Figure
    """
    chosen = _traced(fit)
    kind = "rank_bars" if chosen.posterior.sizes["chain"] > 1 else "trace"
    n_rows = _n_traced(chosen)
    figure = Figure(figsize=(10, 1.7 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, 2, squeeze=False)
    with _quiet():
        az.plot_trace(chosen.posterior, kind=kind, compact=False, axes=axes)
    for row in axes:
        for axis in row:
            _small(axis)
    for axis in axes[:-1, 1]:
        axis.set_xlabel("")
    return figure


def plot_ess(fit: Fit) -> Figure:
    """Draw how ESS of the log joint, coefficients and some distances grew with draws (ArviZ)."""
    chosen = _traced(fit)
    n_panels = _n_traced(chosen)
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, (n_panels + 1) // 2, squeeze=False)
    with _quiet():
        az.plot_ess(
            chosen,
            kind="evolution",
            ax=axes.flat[:n_panels],
            min_ess=int(MIN_ESS),
        )
    handles, labels = axes.flat[0].get_legend_handles_labels()
    for number, axis in enumerate(axes.flat):
        _small(axis)
        axis.set_visible(number < n_panels)
        if axis.get_legend() is not None:
            axis.get_legend().remove()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    return figure


def plot_energy(fit: Fit) -> Figure:
    """Draw the marginal and the transition energies of every chain (ArviZ, Betancourt 2016)."""
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axis = figure.add_subplot()
    with _quiet():
        az.plot_energy(fit.idata, ax=axis)
    _small(axis)
    return figure


def plot_forest(fits: Mapping[str, Fit]) -> Figure:
    """Draw intervals of the same distances under several fits (ArviZ).

    Parameters
    ----------
    fits
        At least one with draws; others only keep their colours.

    Returns
    -------
    matplotlib.figure.Figure
        Per distance and fit the 90 % highest density interval, quartiles and median.
    """
    pairs = reported_pairs(next(iter(fits.values())).network)
    colours = dict(zip(fits, cycle(PALETTE), strict=False))
    drawn = {name: fit for name, fit in fits.items() if fit.draws.shape[:2] != (1, 1)}
    figure = Figure(figsize=(8, 0.8 + 0.22 * len(pairs) * (len(drawn) + 1)), layout="constrained")
    axis = figure.add_subplot()
    with _quiet():
        az.plot_forest(
            [fit.invariants(pairs, nodes=[]).posterior for fit in drawn.values()],
            model_names=list(drawn),
            var_names=["distance"],
            combined=True,
            hdi_prob=0.9,
            colors=[colours[name] for name in drawn],
            ax=axis,
        )
    _small(axis)
    axis.set(xlabel="distance", xscale="log")
    _plain_ticks(axis.xaxis)
    return figure


def plot_coefficients(coefficients: pd.DataFrame) -> Figure:
    """Draw the coefficients of covariates under several fits.

    Parameters
    ----------
    coefficients
        What :func:`lsm_stan.criticism.tables.coefficients_table` returns; at least one row.

    Returns
    -------
    matplotlib.figure.Figure
        Per covariate and fit the mean and the 90 % interval; of a mode a point.
    """
    covariates, fits = (coefficients[name].unique() for name in ("covariate", "fit"))
    figure = Figure(
        figsize=(8, 0.9 + 0.25 * len(covariates) * (len(fits) + 1)), layout="constrained"
    )
    axis = figure.add_subplot()
    for number, name in enumerate(fits):
        rows = coefficients[coefficients["fit"] == name]
        place = np.arange(len(rows)) + (number - (len(fits) - 1) / 2) / (len(fits) + 1)
        ends = rows[["low", "high"]].sub(rows["mean"], axis=0).abs().fillna(0.0).to_numpy().T
        colour = PALETTE[number % len(PALETTE)]
        axis.errorbar(rows["mean"], place, xerr=ends, fmt="o", ms=4, color=colour, label=str(name))
    axis.axvline(0, color=UNKNOWN_COLOUR, lw=1, ls="--")
    axis.set_yticks(np.arange(len(covariates)), covariates)
    axis.set(ylim=(len(covariates) - 0.5, -0.5), xlabel="coefficient")
    figure.legend(loc="outside lower center", ncols=len(fits), fontsize=8)
    return figure


def plot_convergence(items: pd.DataFrame) -> Figure:
    """Draw R-hat against ESS of every invariant item.

    Parameters
    ----------
    items
        What :func:`lsm_stan.posterior.idata.diagnostics` returns.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for bulk and one for tail ESS, with the limits.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
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
    checks
        By the fits' names.

    Returns
    -------
    matplotlib.figure.Figure
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
        panel.set_title(str(row["statistic"]).replace("_", " "), fontsize=9)
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
    """Draw the distribution of weights and the ordered strengths beside predicted ones."""
    directions = list(check.strengths["direction"].unique())
    figure = Figure(figsize=(4 * (1 + len(directions)), 3.6), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(directions), squeeze=False)[0]
    weights = check.weights
    place = np.arange(len(weights))
    _band(first, place, weights, bars=True)
    first.set_xticks(place, weights["weight"].astype(str), rotation=45, fontsize=7)
    first.set(yscale="log", xlabel="weight", ylabel="share of cells")
    for axis, direction in zip(others, directions, strict=True):
        strengths = check.strengths[check.strengths["direction"] == direction]
        _band(axis, strengths["rank"].to_numpy(), strengths, bars=False)
        label = "strength" if direction == "both" else f"{direction}-strength"
        axis.set(xlabel="node, by rank", ylabel=label)
        axis.set_yscale("symlog", linthresh=1)
    first.legend(fontsize=8)
    return figure


def plot_distances(comparison: Comparison) -> Figure:
    """Draw the mean distances and the nodes' spreads of every fit against the reference's."""
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
        for colour, name in zip(cycle(PALETTE), others, strict=False):
            panel.scatter(frame[reference], frame[name], s=8, alpha=0.5, color=colour, label=name)
        low, high = frame.to_numpy().min(), frame.to_numpy().max()
        panel.plot([low, high], [low, high], color="black", lw=0.8)
        panel.set(xscale="log", yscale="log", xlabel=f"{what}, {reference}", ylabel=what)
        _plain_ticks(panel.xaxis)
        _plain_ticks(panel.yaxis)
        panel.legend(fontsize=8)
    return figure


def _traced(fit: Fit) -> container.InferenceData:
    pairs = reported_pairs(fit.network)
    chosen = np.unique(np.mod(TRACED, len(pairs)))
    invariants = fit.invariants(pairs[chosen], nodes=[])
    names = [name for name in ("log_joint", "beta", "distance") if name in invariants.posterior]
    invariants.posterior = invariants.posterior[names]
    return invariants


def _n_traced(chosen: container.InferenceData) -> int:
    return sum(variable[0, 0].size for variable in chosen.posterior.values())


def _band(axis: Axes, x: IntArray, table: pd.DataFrame, *, bars: bool) -> None:
    """Draw the observed column black, the predicted ones as an interval about their median."""
    low, median, high = (table[f"predicted_{end}"] for end in ("low", "median", "high"))
    if bars:
        error = np.array([median - low, high - median])
        axis.errorbar(x, median, error, fmt="o", ms=4, color=PALETTE[0], label="predicted, 90 %")
        axis.plot(x, table["observed"], "k_", ms=12, mew=2, label="observed")
        return
    axis.fill_between(x, low, high, color=PALETTE[0], alpha=0.3)
    axis.plot(x, median, color=PALETTE[0], lw=1)
    axis.plot(x, table["observed"], color="black", lw=1.4)


def _plain_ticks(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 2 and 5 times powers of ten, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _small(axis: Axes) -> None:
    axis.title.set_fontsize(8)
    axis.tick_params(labelsize=7)
    axis.xaxis.label.set_fontsize(8)
    axis.yaxis.label.set_fontsize(8)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # ArviZ 0.23 calls what Matplotlib 3.11 deprecates
        warnings.simplefilter("ignore", MatplotlibDeprecationWarning)
        yield
