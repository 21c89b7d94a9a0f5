"""Tables and figures of finished simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lsm_stan.model.parameters import NODE_PARAMETERS
from lsm_stan.posterior.checks import MAX_SATURATED
from lsm_stan.typing import IntArray
from studies.calibration_study import Record, Study
from studies.ranks import band, coverage, deviation, ecdf, uniform

#: All fits in tables, and those whose chain was not stuck.
ALL, MOVED = "all", "all but stuck"

Results: TypeAlias = Mapping[Study, Sequence[Record]]

#: Of each study, of each test quantity.
Ranks: TypeAlias = Mapping[Study, Mapping[str, IntArray]]

#: Of quantities that have many values, how many simulation-based calibration looks at: nodes are
#: exchangeable.
SHOWN = 2

#: Shares of the posterior whose intervals are looked at, by the ends of their columns' names.
SHARES = {"50": 0.5, "90": 0.9}

#: Standard errors from the nominal share beyond which coverage is flagged.
LIMIT = 3.0

#: What intervals are of.
KINDS = ("log means", "node effects", "other parameters")

#: Share of draws at the depth limit beyond which a chain is called stuck.
STUCK = 0.5

#: Test quantities that are no parameters with few values.
OTHERS = (
    *("log_joint", "log_likelihood", "total_weight", "distance", "log_mean", "radius"),
    *NODE_PARAMETERS,
)

COLOURS = {"50": "#E69F00", "90": "#0072B2"}

OUTSIDE = "#D55E00"

#: Panels of a figure side by side.
ACROSS = 7


def sbc_ranks(records: Sequence[Record]) -> dict[str, IntArray]:
    """Return ``(S,)`` ranks of each test quantity: the first of pairs, dyads and nodes."""
    ranks_of: dict[str, list[int]] = {}
    for record in records:
        for name, value in record.get("ranks", {}).items():
            if np.isscalar(value):
                ranks_of.setdefault(name, []).append(value)
            else:
                for number, rank in enumerate(value[:SHOWN], start=1):
                    ranks_of.setdefault(f"{name} {number}", []).append(rank)
    return {name: np.array(values) for name, values in ranks_of.items()}


def sbc_table(ranks: Mapping[str, Ranks]) -> pd.DataFrame:
    """Return how far from uniform the ranks of each test quantity are.

    Parameters
    ----------
    ranks : Mapping of str to Ranks
        Of :data:`ALL` and :data:`MOVED`.

    Returns
    -------
    pandas.DataFrame
        Columns ``model, dim, fits`` (all, or those without trouble), ``quantity, simulations``;
        ``mean_rank``, 0.5 on average; ``deviation`` (:func:`studies.ranks.deviation`) and
        ``outside``, whether it is outside the band.
    """
    rows = [
        {
            "model": study.label,
            "dim": study.dim,
            "fits": group,
            "quantity": name,
            "simulations": len(values),
            "mean_rank": values.mean() / study.draws,
            "deviation": deviation(values, study.draws),
        }
        for group, by_study in ranks.items()
        for study, by_name in by_study.items()
        for name, values in by_name.items()
    ]
    table = pd.DataFrame(rows)
    table["outside"] = table["deviation"] > 1
    return table


def coverage_table(results: Results) -> pd.DataFrame:
    """Return the coverage of each model's intervals, and of all models' together.

    Returns
    -------
    pandas.DataFrame
        Columns ``model``, or :data:`ALL` or :data:`MOVED`; ``quantity``, a kind of
        :data:`KINDS`, or one parameter of many models; ``simulations``;
        ``covered_50``, its standard error ``error_50``, the same of 90 %, and ``flagged``.
    """
    draws = next(iter(results)).draws
    groups: dict[str, list[dict[str, IntArray]]] = {ALL: [], MOVED: []}
    for study, records in results.items():
        done = [record for record in records if "ranks" in record]
        groups[study.label] = [_by_kind(record["ranks"]) for record in done]
        for group, those in ((ALL, done), (MOVED, moved(records))):
            groups[group] += [{**_by_kind(r["ranks"]), **_others(r["ranks"])} for r in those]
    rows = []
    for model, simulations in groups.items():
        for quantity in dict.fromkeys(name for of_one in simulations for name in of_one):
            ranks = [of_one[quantity] for of_one in simulations if quantity in of_one]
            row: dict[str, Any] = {"model": model, "quantity": quantity, "simulations": len(ranks)}
            beyond = []
            for end, share in SHARES.items():
                covered, error = coverage(ranks, draws, share)
                row |= {f"covered_{end}": covered, f"error_{end}": error}
                beyond.append(abs(covered - share) > LIMIT * error)
            rows.append({**row, "flagged": any(beyond)})
    return pd.DataFrame(rows)


def _by_kind(ranks: Mapping[str, Any]) -> dict[str, IntArray]:
    """Return the ranks of one simulation, kind by kind."""
    effects = [value for name in NODE_PARAMETERS for value in ranks.get(name, [])]
    others = np.concatenate([[], *_others(ranks).values()])
    values = zip(KINDS, (ranks["log_mean"], effects, others), strict=True)
    return {kind: np.array(value) for kind, value in values if len(value)}


def _others(ranks: Mapping[str, Any]) -> dict[str, IntArray]:
    """Return the ranks of parameters that pairs and nodes have none of, of one simulation."""
    return {name: np.atleast_1d(value) for name, value in ranks.items() if name not in OTHERS}


def troubles(study: Study, record: Record) -> dict[str, bool]:
    """Return what was wrong with one fit.

    Returns
    -------
    dict
        Whether it ``failed`` (CmdStan stopped, or weights were too large to draw), was
        ``divergent`` (any divergence), ``saturated`` (too many draws at the depth limit),
        ``stuck`` (most draws there) or ``slow`` (an effective sample size below the number of
        draws that were ranked).
    """
    failed = "error" in record
    return {
        "failed": failed,
        "divergent": not failed and record["divergences"] > 0,
        "saturated": not failed and record["saturated"] > MAX_SATURATED,
        "stuck": not failed and record["saturated"] > STUCK,
        "slow": not failed and record["ess"] < study.draws,
    }


def moved(records: Sequence[Record]) -> list[Record]:
    """Return the fits that did not fail and whose chain was not stuck."""
    return [record for record in records if record.get("saturated", 1.0) <= STUCK]


def fit_table(results: Results) -> pd.DataFrame:
    """Return how many fits of each study had which trouble.

    Returns
    -------
    pandas.DataFrame
        Columns ``model, nodes, dim, simulations``, those of :func:`troubles`, ``any`` of them,
        ``empty`` networks, and ``seconds`` of all.
    """
    rows = []
    for study, records in results.items():
        faults = pd.DataFrame([troubles(study, record) for record in records])
        rows.append(
            {
                "model": study.label,
                "nodes": study.nodes,
                "dim": study.dim,
                "simulations": len(records),
                **faults.sum(),
                "any": faults.any(axis=1).sum(),
                "empty": sum(record.get("weight") == 0 for record in records),
                "seconds": sum(record.get("seconds", 0.0) for record in records),
            }
        )
    return pd.DataFrame(rows)


def plot_sbc(every: Ranks, but_stuck: Ranks) -> Figure:
    """Plot the ECDF of ranks less that of uniform ones, with its band.

    Parameters
    ----------
    every, but_stuck : Ranks
        ``(S,)`` ranks of all fits, and of those whose chain was not stuck.
    """
    rows = {study: -(-len(by_name) // ACROSS) for study, by_name in every.items()}
    figure = Figure(figsize=(12, 0.5 + 1.6 * sum(rows.values())), layout="constrained")
    parts = np.atleast_1d(figure.subfigures(len(every), height_ratios=list(rows.values())))
    for part, (study, by_name) in zip(parts, every.items(), strict=True):
        size = len(next(iter(by_name.values())))
        part.suptitle(f"{study.label}, K = {study.dim}: {size} simulations", fontsize=11)
        grid = part.subplots(rows[study], ACROSS, sharex=True, sharey=True, squeeze=False)
        expected = uniform(study.draws)
        below, above = (edge - expected for edge in band(size, study.draws))
        for axes, (name, values) in zip(grid.flat, by_name.items(), strict=False):
            axes.fill_between(expected, below, above, color="#DDDDDD", lw=0)
            axes.axhline(0, color="#999999", lw=0.6)
            outside = deviation(values, study.draws) > 1
            axes.step(
                expected, ecdf(values, study.draws) - expected, where="mid", lw=1.2,
                color=OUTSIDE if outside else COLOURS["90"],
            )  # fmt: skip
            if name in but_stuck[study]:
                line = ecdf(but_stuck[study][name], study.draws) - expected
                axes.step(expected, line, where="mid", lw=0.8, color="black", ls=":")
            axes.set_title(name, fontsize=8, color=OUTSIDE if outside else "black", pad=3)
            axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
            axes.tick_params(labelsize=7)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in grid.flat[len(by_name) :]:
            axes.remove()
    figure.supxlabel("rank of the true value, as a share", fontsize=9)
    figure.supylabel("ECDF less uniform", fontsize=9)
    return figure


def plot_coverage(table: pd.DataFrame) -> Figure:
    """Plot coverage model by model, with bars of :data:`LIMIT` standard errors.

    Parameters
    ----------
    table : DataFrame
        As of :func:`coverage_table`.
    """
    models = list(dict.fromkeys(table["model"]))
    figure = Figure(figsize=(11, 0.9 + 0.22 * len(models)), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(KINDS), sharey=True), KINDS, strict=True):
        for end, share in SHARES.items():
            axes.axvline(share, color=COLOURS[end], lw=0.8, ls="--")
            for row in table[table["quantity"] == kind].to_dict("records"):
                covered, error = row[f"covered_{end}"], LIMIT * row[f"error_{end}"]
                beyond = abs(covered - share) > error
                bar = [[min(error, covered)], [min(error, 1 - covered)]]
                height = models.index(row["model"]) + (0.12 if end == "50" else -0.12)
                axes.errorbar(
                    covered, height, xerr=bar, fmt="D" if beyond else "o", ms=5 if beyond else 3,
                    lw=1, color=OUTSIDE if beyond else COLOURS[end],
                )  # fmt: skip
        axes.set(title=kind, xlim=(-0.02, 1.02))
        axes.set_yticks(range(len(models)), models, fontsize=8)
        axes.set_ylim(len(models) - 0.4, -0.6)
        axes.grid(axis="y", alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("share of intervals that hold the truth", fontsize=10)
    marks = [
        Line2D([], [], marker=marker, ms=5, color=colour, label=label)
        for marker, colour, label in (
            *(("o", COLOURS[end], f"{end} % intervals") for end in SHARES),
            ("D", OUTSIDE, f"beyond {LIMIT:g} standard errors, which the bars show"),
        )
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks), fontsize=9)
    return figure
