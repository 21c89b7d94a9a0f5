"""The plots of the benchmarks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

#: Okabe and Ito's colours, which people with colour-blindness tell apart.
COLOURS = {
    "stan-literal": "#7F3300",
    "stan-distance": "#D55E00",
    "stan-reference": "#E69F00",
    "pymc": "#CC79A7",
    "jax": "#56B4E9",
    "lsm-kernel": "#0072B2",
    "adam-jax": "#56B4E9",
    "lbfgs-plain": "#E69F00",
    "continuation-1": "#009E73",
    "continuation": "#0072B2",
    "nuts-moves": "#0072B2",
    "nuts-preconditioned": "#009E73",
    "nuts-plain": "#E69F00",
}

#: Smallest distance of two labels, as a share of the axis.
LABEL_GAP = 0.055

#: Where a loss of 0 above the best is drawn, on a logarithmic axis, in nats.
BEST_AT = 0.1


def gradient(results: pd.DataFrame) -> Figure:
    """Plot the time of one gradient against the number of nodes.

    Parameters
    ----------
    results : DataFrame
        As in ``gradient.csv``.
    """
    figure, axes = _figure()
    axes.set(
        xscale="log", yscale="log", xlabel="nodes", ylabel="one value and gradient (ms)",
        title="Log joint of the latent space model, K = 3",
    )  # fmt: skip
    smallest = results[results["nodes"] == results["nodes"].min()]
    for name in smallest.sort_values("ms_median", ascending=False)["implementation"]:
        rows = results[results["implementation"] == name].sort_values("nodes")
        spread = [rows["ms_median"] - rows["ms_low"], rows["ms_high"] - rows["ms_median"]]
        axes.errorbar(
            rows["nodes"], rows["ms_median"], spread, marker="o", ms=4, capsize=2,
            color=COLOURS[name], label=name,
        )  # fmt: skip
    axes.set_xticks(sorted(results["nodes"].unique()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(fontsize=9)
    return figure


def modes(results: pd.DataFrame) -> Figure:
    """Plot the loss of the modes found against time.

    Parameters
    ----------
    results : DataFrame
        As in ``map.csv``.
    """
    best = results["loss"].min()
    figure, axes = _figure()
    axes.set(
        xscale="log", yscale="log", xlabel="seconds",
        ylabel=f"loss above the best ({best:,.1f}), nats; 0 is drawn at {BEST_AT:g}",
        title="Posterior mode, K = 3",
    )  # fmt: skip
    ends = {}
    for name, rows in results.groupby("implementation"):
        above = np.maximum(rows["loss"] - best, BEST_AT)
        axes.scatter(rows["seconds"], above, s=28, color=COLOURS[str(name)])
        last = rows["seconds"].argmax()
        ends[str(name)] = (rows["seconds"].iloc[last], above.iloc[last])
    axes.set_xlim(right=results["seconds"].max() * 4)
    _label(axes, ends)
    return figure


def sampling(results: pd.DataFrame) -> Figure:
    """Plot effective draws of distances a second.

    Parameters
    ----------
    results : DataFrame
        As in ``nuts.csv``.
    """
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    for height, row in enumerate(results[::-1].itertuples()):
        name = str(row.implementation)
        rates = [row.ess_p05 / row.seconds, row.ess_median / row.seconds]
        axes.plot(rates, [height, height], color=COLOURS[name], lw=2, zorder=1)
        axes.scatter(rates, [height, height], s=[28, 56], color=COLOURS[name])
        axes.annotate(
            f"{row.gradients:,.0f} gradients a draw", (rates[1], height), xytext=(8, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.set_yticks(range(len(results)), results["implementation"][::-1])
    axes.set(
        xscale="log",
        ylim=(-0.6, len(results) - 0.4),
        xlabel="effective draws of distances a second: 5 % (small), median (large)",
    )
    fastest = (results["ess_median"] / results["seconds"]).max()
    axes.set_xlim(right=fastest * 20)
    return figure


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def _label(axes: Axes, ends: dict[str, tuple[float, float]]) -> None:
    """Write names beside points, moved up where they would overlap."""
    low, high = np.log(axes.get_ylim())
    previous: list[tuple[float, float]] = []
    for name, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        height = (np.log(y) - low) / (high - low)
        near = [p for x_other, p in previous if abs(np.log(x / x_other)) < 1]
        if near:
            height = max(height, max(near) + LABEL_GAP)
        previous.append((x, height))
        axes.annotate(
            name, (x, np.exp(low + height * (high - low))), xytext=(7, 0),
            textcoords="offset points", va="center", color=COLOURS[name], fontsize=9,
        )  # fmt: skip
