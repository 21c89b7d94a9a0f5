"""Figures of scores: a table in, a Matplotlib figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import SymmetricalLogLocator

from lsm_stan.report.plots import PALETTE, UNKNOWN_COLOUR, Figure

LINES = ("-", "--", "-.")


def plot_scores(table: pd.DataFrame, baselines: pd.DataFrame) -> Figure:
    """Draw the mean log density against K, a line a model; baselines as dotted lines.

    Parameters
    ----------
    table : DataFrame
        What :func:`lsm_stan.prediction.choice.candidates` returns.
    baselines : DataFrame
        Columns ``model`` and ``log_density``; those far below all models are not in view.

    Returns
    -------
    Figure
        Bars are standard errors over splits.
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
    means = baselines.groupby("model")["log_density"].mean()
    for name, value in zip(means.index, means.to_numpy(), strict=True):
        if value > low - (high - low):
            axes.axhline(value, color=UNKNOWN_COLOUR, ls=":", lw=1)
            axes.text(1.0, value, f"{name} ", transform=axes.get_yaxis_transform(), ha="right",
                      va="bottom", fontsize=7, color="#555555")  # fmt: skip
    axes.set_xticks(sorted(set(table["dim"])))
    axes.set(xlabel="K, latent dimensions", ylabel="log predictive density a held-out dyad")
    axes.legend(fontsize=8)
    return figure


def plot_differences(table: pd.DataFrame, scores: pd.DataFrame, by: Sequence[str]) -> Figure:
    """Draw every candidate's difference from the best, split by split and on average.

    Parameters
    ----------
    table : DataFrame
        What :func:`lsm_stan.prediction.choice.candidates` returns.
    scores : DataFrame
        The scores that the table was made from.
    by : sequence of str
        The columns that name a candidate.

    Returns
    -------
    Figure
        Bars are standard errors. Differences far larger than all errors are on a logarithmic
        scale, those near zero on a linear one.
    """
    by_split = scores.pivot_table(index="split", columns=list(by), values="log_density")
    names = list(table[list(by)].itertuples(index=False, name=None))
    columns = [name if len(by) > 1 else name[0] for name in names]
    difference = by_split[columns].sub(by_split[columns[0]], axis=0).to_numpy()
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=UNKNOWN_COLOUR, lw=1)
    rows = np.arange(len(names))
    for values in difference:
        axes.plot(values, rows, color=UNKNOWN_COLOUR, ls="", marker="o", ms=3, alpha=0.6)
    axes.errorbar(
        table["difference"],
        rows,
        xerr=table["difference_error"].fillna(0.0),
        color=PALETTE[0],
        ls="",
        marker="o",
        ms=5,
        capsize=3,
    )
    scale = ""
    near = 3 * float(table["difference_error"].max())
    if np.abs(difference).max() > 5 * near > 0:
        locator = SymmetricalLogLocator(base=10, linthresh=near, subs=[1, 2, 5])
        axes.set_xscale("symlog", linthresh=near)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        scale = f"\n(logarithmic beyond {near:.2g})"
    axes.grid(axis="x", lw=0.3)
    axes.set_yticks(rows, [", K = ".join(map(str, name)) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"log predictive density a held-out dyad, minus that of the best{scale}")
    return figure


def plot_calibration(table: pd.DataFrame, title: str) -> Figure:
    """Draw the observed share of edges against the predicted probability.

    Parameters
    ----------
    table : DataFrame
        Tables of :func:`lsm_stan.prediction.scores.calibration_table`, several splits below each
        other.
    title : str
        What the predictions are by.

    Returns
    -------
    Figure
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
    # most dyads have small probabilities; shares of 0 are shown too
    for scale in (axes.set_xscale, axes.set_yscale):
        scale("symlog", linthresh=1e-3)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="observed share")
    axes.set_title(f"edges among held-out dyads: {title}", fontsize=10)
    return figure
