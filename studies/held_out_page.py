"""The page of the models on held-out dyads of C. elegans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lsm_stan.network.summary import NetworkSummary
from lsm_stan.prediction.choice import candidates
from lsm_stan.prediction.scores import split_error
from lsm_stan.report.page import Page, PageFigure, PageTable, Section
from lsm_stan.report.plots import PALETTE
from lsm_stan.report.score_plots import plot_calibration, plot_differences
from lsm_stan.report.selection_page import failed_checks
from lsm_stan.text import with_error
from studies.model_steps import STEPS

#: What was held out: the first decides which candidate is the best.
HELD_OUT = ("single dyads", "pairs")

#: Of the dyads that a split holds out.
SHARE = 0.1

#: The model whose edges are compared with those of a hurdle's own model, by name.
NEGATIVE_BINOMIAL, BERNOULLI = "nb-squared-effects", "bernoulli-squared-effects"


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Name every row's candidate: its model, and K and the method where there are any."""

    def label(model: str, dim: float, method: str | float) -> str:
        k = "" if np.isnan(dim) else f", K = {dim:.0f}"
        return f"{model}{k}" + (f", {method}" if isinstance(method, str) else "")

    names = table[["model", "dim", "method"]].itertuples(index=False)
    return table.assign(candidate=[label(*row) for row in names])


def best(scores: pd.DataFrame) -> pd.Series[Any]:
    """Return a row of the candidate of highest mean log density."""
    table = _compared(scores, HELD_OUT[0])
    return scores[scores["candidate"] == table.loc[0, "candidate"]].iloc[0]


def page(
    scores: pd.DataFrame,
    warnings: pd.DataFrame,
    calibration: pd.DataFrame,
    network: NetworkSummary,
    settings: Mapping[str, str],
    missing: Mapping[str, str],
) -> Page:
    """Lay the results out as a page, for Markdown.

    Parameters
    ----------
    scores : DataFrame
        A row a candidate and split, of :func:`labelled`; ``held_out`` says what of,
        ``edges_only`` whether the network had its weights replaced by 1.
    warnings : DataFrame
        The checks that fits failed: ``candidate``, ``held_out``, ``split``, ``warning``.
    calibration : DataFrame
        Of :func:`best`.
    network : NetworkSummary
        Facts about it.
    settings : Mapping of str to str
        The arguments of each method.
    missing : Mapping of str to str
        Runs that are not in, by name: what they are.
    """
    tables = {what: _compared(scores, what) for what in HELD_OUT}
    tables = {what: table for what, table in tables.items() if len(table)}
    return Page(
        title=f"{network.title}: which model predicts what was hidden?",
        subtitle="Parallel edges are summed. Made by `make models`; do not edit.",
        facts=network.in_short,
        summary=[Section("", "", [_missing(missing)])],
        sections=[
            _question(tables),
            _result(scores, tables, calibration),
            *_ingredients(scores),
            *_hurdle(scores),
            *failed_checks(
                warnings.assign(
                    candidate=warnings["candidate"].astype(str) + ", " + warnings["held_out"]
                )
            ),
            _made(settings),
        ],
        footer="",
    )


def _question(tables: Mapping[str, pd.DataFrame]) -> Section:
    dyads = " and ".join(f"{table.loc[0, 'dyads']:,.0f} ({w})" for w, table in tables.items())
    return Section(
        "Question",
        "A tenth of the dyads is hidden, the model is fitted to the rest and asked for the hidden"
        " weights: five seeded splits, the same for all. The score is the mean log predictive"
        " density of a hidden dyad in nats: the higher the better, 0 would be certainty. AUC is"
        " how often a hidden edge is thought likelier than a hidden empty dyad. *Single dyads*:"
        " ordered dyads are hidden one by one, so that a dyad's reverse is mostly known. *Pairs*:"
        " both directions are hidden and scored together, which is harder. In each split"
        f" {dyads} ordered dyads are hidden.\n\n"
        "A model's name says what the log of a dyad's mean weight is: minus the log of the distance"
        " d of the two neurons' latent positions (`inverse`), -d (`exponential`) or -d²"
        " (`squared`), plus an intercept (but in `tutorial`, else `poisson-inverse`) and, with"
        " `-effects`, a term of the sender and one of the receiver. Weights are Poisson or negative"
        " binomial (`nb`).",
        [],
    )


def _result(
    scores: pd.DataFrame, tables: Mapping[str, pd.DataFrame], calibration: pd.DataFrame
) -> Section:
    first = tables[HELD_OUT[0]]
    top = str(first.loc[0, "candidate"])
    compared = pd.concat(
        [table.assign(held_out=what) for what, table in tables.items()], ignore_index=True
    )
    return Section(
        "Result",
        f"{_first_place(first)}{_by_one_method(scores, top)}",
        [
            PageTable(
                None,
                f"{top}: the mean over splits, ± its standard error, and the range of the splits.",
                _of_the_best(scores, tables, top),
            ),
            _convergence(scores, top),
            PageFigure(
                "scores",
                "Log density with its standard error over splits, and AUC; baselines are hollow.",
                _plot(tables),
            ),
            PageTable(
                "candidates",
                "± is a standard error over splits, as large as it is for fits that share dyads"
                " (Nadeau & Bengio 2003). Most of it is common to all candidates: whether a split"
                " has many heavy edges among its hidden ones. Differences on the same splits are"
                " known far better (next figure). *Parameters* counts learned scales too;"
                " *seconds* a fit are of a shared machine, for orientation. ✗: some fits did not"
                " converge. Everything by split: [scores.csv](scores.csv); on average, AUC-PR and"
                " Brier score included:",
                compared,
                _candidates(tables),
            ),
            PageFigure(
                "differences",
                f"Single dyads: differences from {top} on the same splits, mean and standard"
                " error; splits in grey.",
                plot_differences(first, _of(scores, HELD_OUT[0]), ["candidate"]),
            ),
            PageFigure(
                "calibration",
                f"{top}, single dyads: observed share of edges against predicted probability,"
                " deciles of every split; bars are two standard errors, were the prediction true."
                " Numbers: [calibration.csv](calibration.csv).",
                plot_calibration(calibration, top),
            ),
        ],
    )


def _ingredients(scores: pd.DataFrame) -> list[Section]:
    steps = _steps(scores)
    if steps.empty:
        return []
    caption = (
        "Change of the log density a dyad, and of AUC, on the same single dyads, ± paired standard"
        " error: positive is better. ✗: candidates of whose fits some did not converge; a step"
        " from or to them compares more than the ingredient."
    )
    items = [PageTable(None, caption, steps), _losses(scores)]
    return [Section("What each ingredient changes", "", items)]


def _made(settings: Mapping[str, str]) -> Section:
    methods = "; ".join(f"{name}: {value}" for name, value in settings.items())
    return Section(
        "How it was made",
        "`python -m studies.held_out reports/celegans/models`, which goes on where it stopped."
        f" {methods}; what is not named is as `lsm-stan fit` has it. A mode holds the scales of"
        " effects and positions fixed; NUTS learns them, from the best mode of eight."
        " Baselines: `constant`, one mean weight; `degrees`, sender × receiver factors;"
        " `spectral-nb`, scikit-learn's truncated SVD of log(1 + weight) with K vectors, its"
        " inner products and the degrees' log means being regressors of a negative binomial;"
        " `-nb`: negative binomial weights.",
        [],
    )


def _of(scores: pd.DataFrame, held_out: str) -> pd.DataFrame:
    return scores[(scores["held_out"] == held_out) & ~scores["edges_only"]]


def _compared(scores: pd.DataFrame, held_out: str) -> pd.DataFrame:
    rows = _of(scores, held_out)
    return (
        candidates(rows.astype({"converged": float}), SHARE, ["candidate"])
        if len(rows)
        else pd.DataFrame()
    )


def _first_place(table: pd.DataFrame) -> str:
    """Say which candidate is the best, and by how much."""
    text = f"**{table.loc[0, 'candidate']}** predicts best"
    if len(table) < 2:
        return f"{text}."
    second = table.iloc[1]
    gap = with_error(-second["difference"], second["difference_error"])
    return f"{text}: {gap} a dyad better than the next, {second['candidate']}."


def _by_one_method(scores: pd.DataFrame, name: str) -> str:
    """Say what the best candidate does not show where no other was fitted by its method."""
    first = _of(scores, HELD_OUT[0])
    top = first[first["candidate"] == name].iloc[0]
    alike = first[first["method"] == top["method"]]
    twins = first[(first["model"] == top["model"]) & (first["dim"] == top["dim"])]
    others = [candidate for candidate in twins["candidate"].unique() if candidate != name]
    if len(alike["candidate"].unique()) > 1 or not others:
        return ""
    gain = _gain(first, first, others[0], name, "log_density")
    return (
        f" {top['method']} was run for this model and this K only: it is the method that gains"
        f" {_mean(gain)} over {others[0]}, and no other model or K was tried"
        " with it."
    )


def _missing(missing: Mapping[str, str]) -> list[str]:
    runs = "; ".join(f"`{name}` ({what})" for name, what in missing.items())
    return [f"Runs of `make models` that are not in: {runs}."] if missing else []


def _of_the_best(
    scores: pd.DataFrame, tables: Mapping[str, pd.DataFrame], name: str
) -> pd.DataFrame:
    """Return the best candidate's scores, with their spread over splits."""

    def cell(values: pd.Series[float]) -> str:
        return f"{_mean(values)} ({values.min():.4f} to {values.max():.4f})" if len(values) else ""

    rows = []
    for score, shown in (("log_density", "log density"), ("auc", "AUC")):
        parts = {what: _of(scores, what) for what in tables}
        of_best = {w: cell(part.loc[part["candidate"] == name, score]) for w, part in parts.items()}
        rows.append({"": shown, **of_best})
    return pd.DataFrame(rows)


def _convergence(scores: pd.DataFrame, name: str) -> list[str]:
    rows = scores[(scores["candidate"] == name) & scores["converged"].notna()]
    lines = []
    for what, part in rows.groupby("held_out", sort=False):
        failed = part.loc[part["converged"] == 0, "split"].astype(str)
        text = f"{what}: {len(part) - len(failed)} of {len(part)} fits passed all their checks"
        lines.append(text + (f"; not split {', '.join(failed)}." if len(failed) else "."))
    return lines


def _candidates(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    first = tables[HELD_OUT[0]]
    others = {what: table.set_index("candidate") for what, table in tables.items()}
    for scored in first.to_dict("records"):
        name = scored["candidate"]
        row = {"": name}
        for what, table in others.items():
            known = name in table.index
            same = table.loc[name] if known else None
            row[what] = "" if same is None else with_error(same["log_density"], same["error"])
            row[f"AUC, {what}"] = "" if same is None else f"{same['auc']:.3f}"
        fitted = not np.isnan(scored["converged"])
        converged = round(scored["converged"] * scored["splits"]) if fitted else 0
        mark = " ✗" if converged < scored["splits"] else ""
        row["converged, single dyads"] = (
            f"{converged} of {scored['splits']}{mark}" if fitted else ""
        )
        row["parameters"] = f"{scored['parameters']:,.0f}" if fitted else ""
        row["seconds, single dyads"] = f"{scored['seconds']:,.0f}" if fitted else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _losses(scores: pd.DataFrame) -> list[str]:
    """Name the steps that cost log density, by more than one standard error."""
    first = _of(scores, HELD_OUT[0])
    lost = []
    for what, before, after, _ in STEPS:
        gain = _gain(first, first, before, after, "log_density")
        if gain.mean() < -split_error(gain, SHARE):
            lost.append(f"{what} (to {after})")
    return [f"A loss of log density: {'; '.join(lost)}."] if lost else []


def _steps(scores: pd.DataFrame) -> pd.DataFrame:
    rows = []
    first = _of(scores, HELD_OUT[0])
    failed = set(first.loc[first["converged"].eq(False), "candidate"])
    for what, before, after, why in STEPS:
        gain = _gain(first, first, before, after, "log_density")
        auc = _gain(first, first, before, after, "auc")
        if len(gain):
            rows.append(
                {
                    "ingredient": f"{what}: {why}",
                    "from": before + (" ✗" if before in failed else ""),
                    "to": after + (" ✗" if after in failed else ""),
                    "log density": _mean(gain),
                    "AUC": _mean(auc, 3),
                }
            )
    return pd.DataFrame(rows)


def _gain(
    old: pd.DataFrame, new: pd.DataFrame, before: str, after: str, score: str
) -> pd.Series[float]:
    """Return differences of a score, split by split; none where a candidate is missing."""
    earlier = old[old["candidate"] == before].set_index("split")[score]
    later = new[new["candidate"] == after].set_index("split")[score]
    return (later - earlier).dropna()


def _mean(values: pd.Series[float], digits: int = 4) -> str:
    """Return a mean over splits with its standard error."""
    return with_error(values.mean(), split_error(values, SHARE), digits)


def _hurdle(scores: pd.DataFrame) -> list[Section]:
    """Say what a hurdle or zero inflation could gain, where both parts were fitted."""
    first, edges = _of(scores, HELD_OUT[0]), scores[scores["edges_only"]]
    if edges.empty:
        return []
    rows = []
    hurdles: dict[str, str] = {}
    inflations: dict[str, float] = {}
    wins = False
    of_model = first["model"] == NEGATIVE_BINOMIAL
    for same, table in first[of_model].groupby("candidate", sort=False):
        name = str(same).replace(NEGATIVE_BINOMIAL, BERNOULLI)
        gain = _gain(first, edges, str(same), name, "edge_log_density")
        part, inflation = table["edge_log_density"], table["zero_inflation_gain"]
        nats = (inflation * table["dyads"]).mean()
        if len(gain):
            hurdles[str(same)] = _mean(gain, 5)
            wins |= bool(gain.mean() > split_error(gain, SHARE))
        inflations[str(same)] = nats
        rows.append(
            {
                "": same,
                "edge or not": _mean(part),
                "a hurdle's gain": _mean(gain, 5) if len(gain) else "",
                "zero inflation's gain, at most": _mean(inflation, 5),
                "in nats a split": f"{nats:.1f}",
            }
        )
    return [
        Section(
            "Would a hurdle or zero inflation win?",
            f"{_answer(scores, hurdles, inflations, wins=wins)}\n\n"
            "A hurdle's log density is that of whether there is an edge, from a model of its own,"
            " plus that of the weight of an edge. The first part of a hurdle is"
            f" `{BERNOULLI}`, fitted to the network with every weight 1; with the weights of edges"
            f" as `{NEGATIVE_BINOMIAL}` has them, cut off at 0, the difference of the two models'"
            " log densities of *edge or not* is what the hurdle would gain or, if negative, lose."
            " Zero inflation makes a share of dyads empty for reasons of their own; its gain is"
            " that of the best share for the hidden dyads of each split, known with hindsight.",
            [
                PageTable(
                    None,
                    "Nats a dyad, single dyads, ± (paired) standard error over splits; empty: not"
                    " fitted.",
                    pd.DataFrame(rows),
                )
            ],
        )
    ]


def _answer(
    scores: pd.DataFrame, hurdles: Mapping[str, str], inflations: Mapping[str, float], *, wins: bool
) -> str:
    """Say whether a hurdle, or zero inflation of the best candidate, gains anything."""
    top = str(best(scores)["candidate"])
    tried = "; ".join(f"{gain} a dyad over {name}" for name, gain in hurdles.items())
    said = [
        f"A hurdle gains {tried}, {'more' if wins else 'not more'} than its standard error."
        if hurdles
        else "No hurdle was fitted."
    ]
    if top in inflations:
        nats = inflations[top]
        said.append(
            f"Zero inflation gains {nats:.1f} nats a split at most over {top}, the best,"
            f" {'more' if nats > 1 else 'less'} than the nat that a parameter costs (AIC)."
        )
    if hurdles and top not in hurdles:
        said.insert(1, f"None was fitted against {top}.")
    if more := [name for name, nats in inflations.items() if nats > 1 and name != top]:
        said.append(f"It gains more than that over {', and '.join(more)}, which predict worse.")
    lost = bool(hurdles) and not wins and inflations.get(top, np.inf) <= 1
    return f"**{'No' if lost else 'Not excluded'}.** {' '.join(said)}"


def _plot(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw log density and AUC, a row a candidate, best first."""
    first = tables[HELD_OUT[0]]
    row_of = {name: row for row, name in enumerate(first["candidate"])}
    figure = Figure(figsize=(10, 1.4 + 0.3 * len(row_of)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for k, (what, table) in enumerate(tables.items()):
        shown = table[table["candidate"].isin(row_of)]
        rows = shown["candidate"].map(row_of) + 0.24 * (k - (len(tables) - 1) / 2)
        style: dict[str, Any] = {"color": PALETTE[k], "ls": "", "marker": "o", "ms": 5}
        for fitted in (True, False):
            part = shown["converged"].notna() == fitted
            fill = {"mfc": PALETTE[k] if fitted else "white", "label": what if fitted else None}
            left.errorbar(
                shown["log_density"][part], rows[part], xerr=shown["error"][part],
                capsize=2, **style, **fill,
            )  # fmt: skip
            right.plot(shown["auc"][part], rows[part], **style, **fill)
    for axes in (left, right):
        axes.grid(axis="x", lw=0.3)
    left.set_yticks(list(row_of.values()), list(row_of), fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("log predictive density a hidden dyad")
    right.set_xlabel("AUC of an edge")
    left.legend(fontsize=8)
    return figure
