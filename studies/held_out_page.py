"""The page of the models on held-out dyads of C. elegans: tables in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lsm_stan.files import as_csv, as_markdown, as_png
from lsm_stan.network.summary import NetworkSummary
from lsm_stan.prediction.choice import candidates
from lsm_stan.prediction.scores import split_error
from lsm_stan.report.plots import PALETTE, UNKNOWN_COLOUR
from lsm_stan.report.score_plots import plot_calibration, plot_differences
from lsm_stan.report.selection_page import failed_checks, with_error
from studies.model_steps import STEPS

#: What was held out: the first decides which candidate is the best.
HELD_OUT = ("single dyads", "pairs")

#: Of the dyads that a split holds out.
SHARE = 0.1

#: What was wanted of the best, on single dyads: set before the work began.
WANTED = {"log_density": -0.135, "auc": 0.93}


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


def files(
    scores: pd.DataFrame,
    warnings: pd.DataFrame,
    calibration: pd.DataFrame,
    network: NetworkSummary,
    settings: Mapping[str, str],
    missing: Mapping[str, str],
) -> dict[str, bytes]:
    """Render the page: the content of its files by name, ``README.md`` last.

    Parameters
    ----------
    scores
        A row a candidate and split, of :func:`labelled`; ``held_out`` says what of,
        ``edges_only`` whether the network had its weights replaced by 1.
    warnings
        The checks that fits failed: ``candidate``, ``held_out``, ``split``, ``warning``.
    calibration
        Of :func:`best`.
    network
        Facts about it.
    settings
        The arguments of each method.
    missing
        Runs that are not in, by name: what they are.
    """
    tables = {what: _compared(scores, what) for what in HELD_OUT}
    tables = {what: table for what, table in tables.items() if len(table)}
    first = _of(scores, HELD_OUT[0])
    compared = pd.concat(
        [table.assign(held_out=what) for what, table in tables.items()], ignore_index=True
    )
    text = _text(scores, warnings, tables, network, settings, missing)
    return {
        "scores.csv": as_csv(scores),
        "candidates.csv": as_csv(compared),
        "calibration.csv": as_csv(calibration),
        "scores.png": as_png(_plot(tables)),
        "differences.png": as_png(plot_differences(tables[HELD_OUT[0]], first, ["candidate"])),
        "calibration.png": as_png(
            plot_calibration(calibration, tables[HELD_OUT[0]].loc[0, "candidate"])
        ),
        "README.md": text.encode(),
    }


def _of(scores: pd.DataFrame, held_out: str) -> pd.DataFrame:
    return scores[(scores["held_out"] == held_out) & ~scores["edges_only"]]


def _compared(scores: pd.DataFrame, held_out: str) -> pd.DataFrame:
    rows = _of(scores, held_out)
    return (
        candidates(rows.astype({"converged": float}), SHARE, ["candidate"])
        if len(rows)
        else pd.DataFrame()
    )


def _text(
    scores: pd.DataFrame,
    warnings: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    network: NetworkSummary,
    settings: Mapping[str, str],
    missing: Mapping[str, str],
) -> str:
    first = tables[HELD_OUT[0]]
    top = first.iloc[0]
    facts = ", ".join(f"{value} {name}" for name, value in network.in_short.items())
    dyads = " and ".join(f"{table.loc[0, 'dyads']:,.0f} ({w})" for w, table in tables.items())
    methods = "; ".join(f"{name}: {value}" for name, value in settings.items())
    lines = [
        f"# {network.title}: which model predicts what was hidden?",
        "",
        f"{facts}; parallel edges summed. Made by `make models`; do not edit.",
        "",
        *_missing(missing),
        "A tenth of the dyads is hidden, the model is fitted to the rest and asked for the hidden"
        " weights: five seeded splits, the same for all. The score is the mean log predictive"
        " density of a hidden dyad in nats: the higher the better, 0 would be certainty. AUC is"
        " how often a hidden edge is thought likelier than a hidden empty dyad. *Single dyads*:"
        " ordered dyads are hidden one by one, so that a dyad's reverse is mostly known. *Pairs*:"
        " both directions are hidden and scored together, which is harder. In each split"
        f" {dyads} ordered dyads are hidden.",
        "",
        "A model's name says what the log of a dyad's mean weight is: minus the log of the distance"
        " d of the two neurons' latent positions (`inverse`), -d (`exponential`) or -d²"
        " (`squared`), plus an intercept (but in `tutorial`, else `poisson-inverse`) and, with"
        " `-effects`, a term of the sender and one of the receiver. Weights are Poisson or negative"
        " binomial (`nb`).",
        "",
        "## Result",
        "",
        f"{_first_place(first)}{_by_one_method(scores, top['candidate'])}",
        "",
        *as_markdown(_wanted(scores, tables)),
        "",
        "*wanted*: set before the work began; ± is a standard error over splits.",
        "",
        *_convergence(scores, top["candidate"]),
        "",
        "![scores](scores.png)",
        "",
        "Log density with its standard error over splits, and AUC; baselines are hollow.",
        "",
        *as_markdown(_candidates(tables)),
        "",
        "± is a standard error over splits, as large as it is for fits that share dyads (Nadeau &"
        " Bengio 2003). Most of it is common to all candidates: whether a split has many heavy"
        " edges among its hidden ones. Differences on the same splits are known far better (next"
        " figure). *Parameters* counts learned scales too; *seconds* a fit are of a shared machine,"
        " for orientation. Everything by split: [scores.csv](scores.csv), on average, AUC-PR and"
        " Brier score included: [candidates.csv](candidates.csv).",
        "",
        "![differences](differences.png)",
        "",
        f"Single dyads: differences from {top['candidate']} on the same splits, mean and standard"
        " error; splits in grey.",
        "",
        "![calibration](calibration.png)",
        "",
        f"{top['candidate']}, single dyads: observed share of edges against predicted probability,"
        " deciles of every split; bars are two standard errors, were the prediction true.",
        "",
        "## What each ingredient changes",
        "",
        *as_markdown(_steps(scores)),
        "",
        *_losses(scores),
        "Change of the log density a dyad, and of AUC, on the same single dyads, ± paired standard"
        " error: positive is better. ✗: candidates of whose fits some did not converge; a step"
        " from or to them compares more than the ingredient.",
        "",
        *_hurdle(scores),
        *_failed(warnings),
        "## How it was made",
        "",
        f"`python -m studies.held_out reports/celegans/models`, which goes on where it stopped."
        f" {methods}; what is not named is as `lsm-stan fit` has it. A mode holds the scales of"
        " effects and positions fixed; NUTS learns them, from the best mode of eight."
        " Baselines: `constant`, one mean weight; `degrees`, sender × receiver factors;"
        " `spectral-nb`, scikit-learn's truncated SVD of log(1 + weight) with K vectors, its"
        " inner products and the degrees' log means being regressors of a negative binomial;"
        " `-nb`: negative binomial weights.",
        "",
    ]
    return "\n".join(lines)


def _first_place(table: pd.DataFrame) -> str:
    """Say which candidate is the best, and by how much."""
    text = f"Of the candidates fitted **{table.loc[0, 'candidate']}** predicts best"
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
    others = [one for one in twins["candidate"].unique() if one != name]
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
    return [f"Runs of `make models` that are not in: {runs}.", ""] if missing else []


def _wanted(scores: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    top = tables[HELD_OUT[0]].loc[0, "candidate"]
    rows = []
    for name, shown in (("log_density", "log density"), ("auc", "AUC")):
        row = {"of the best": shown, "wanted, single dyads": f"≥ {WANTED[name]:g}"}
        for what in tables:
            of = _of(scores, what)
            values = of.loc[of["candidate"] == top, name]
            row[what] = _mean(values) if len(values) else ""
            if what == HELD_OUT[0]:
                row[what] += f" ({_held(values, WANTED[name])})"
        rows.append(row)
    return pd.DataFrame(rows)


def _held(values: pd.Series[float], wanted: float) -> str:
    """Say whether the mean over splits is what was wanted, and how surely."""
    short = values.mean() - wanted
    near = ", by less than one standard error" if abs(short) < split_error(values, SHARE) else ""
    below = f"{(values < wanted).sum()} of {len(values)} splits are below"
    return f"{'held' if short >= 0 else '**missed**'} on the mean{near}; {below}"


def _failed(warnings: pd.DataFrame) -> list[str]:
    if warnings.empty:
        return []
    names = warnings["candidate"] + ", " + warnings["held_out"]
    return failed_checks(warnings.assign(candidate=names))


def _convergence(scores: pd.DataFrame, name: str) -> list[str]:
    rows = scores[(scores["candidate"] == name) & scores["converged"].notna()]
    lines = []
    for what, part in rows.groupby("held_out", sort=False):
        failed = part.loc[part["converged"] == 0, "split"].astype(str)
        text = f"- {what}: {len(part) - len(failed)} of {len(part)} fits passed all their checks"
        lines.append(text + (f"; not split {', '.join(failed)}." if len(failed) else "."))
    return lines


def _candidates(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    first = tables[HELD_OUT[0]]
    others = {what: table.set_index("candidate") for what, table in tables.items()}
    for one in first.to_dict("records"):
        name = one["candidate"]
        row = {"": name}
        for what, table in others.items():
            known = name in table.index
            same = table.loc[name] if known else None
            row[what] = "" if same is None else with_error(same["log_density"], same["error"])
            row[f"AUC, {what}"] = "" if same is None else f"{same['auc']:.3f}"
        fitted = not np.isnan(one["converged"])
        converged = round(one["converged"] * one["splits"]) if fitted else 0
        mark = " ✗" if converged < one["splits"] else ""
        row["converged, single dyads"] = f"{converged} of {one['splits']}{mark}" if fitted else ""
        row["parameters"] = f"{one['parameters']:,.0f}" if fitted else ""
        row["seconds, single dyads"] = f"{one['seconds']:,.0f}" if fitted else ""
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
    return [f"A loss of log density: {'; '.join(lost)}.", ""] if lost else []


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
    one = old[old["candidate"] == before].set_index("split")[score]
    other = new[new["candidate"] == after].set_index("split")[score]
    return (other - one).dropna()


def _mean(values: pd.Series[float], digits: int = 4) -> str:
    """Return a mean over splits with its standard error."""
    return with_error(values.mean(), split_error(values, SHARE), digits)


def _hurdle(scores: pd.DataFrame) -> list[str]:
    """Say what a hurdle or zero inflation could gain, where both parts were fitted."""
    first, edges = _of(scores, HELD_OUT[0]), scores[scores["edges_only"]]
    if edges.empty:
        return []
    rows = []
    hurdles: dict[str, str] = {}
    inflations: dict[str, float] = {}
    wins = False
    of_model = first["model"] == NEGATIVE_BINOMIAL
    for same, own in first[of_model].groupby("candidate", sort=False):
        name = str(same).replace(NEGATIVE_BINOMIAL, BERNOULLI)
        gain = _gain(first, edges, str(same), name, "edge_log_density")
        part, inflation = own["edge_log_density"], own["zero_inflation_gain"]
        nats = (inflation * own["dyads"]).mean()
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
        "## Would a hurdle or zero inflation win?",
        "",
        _answer(scores, hurdles, inflations, wins=wins),
        "",
        "A hurdle's log density is that of whether there is an edge, from a model of its own, plus"
        " that of the weight of an edge. The first part of a hurdle is"
        f" `{BERNOULLI}`, fitted to the network with every weight 1; with the weights of edges as"
        f" `{NEGATIVE_BINOMIAL}` has them, cut off at 0, the difference of the two models' log"
        " densities of *edge or not* is what the hurdle would gain or, if negative, lose. Zero"
        " inflation makes a share of dyads empty for reasons of their own; its gain is that of the"
        " best share for the hidden dyads of each split, known with hindsight.",
        "",
        *as_markdown(pd.DataFrame(rows)),
        "",
        "Nats a dyad, single dyads, ± (paired) standard error over splits; empty: not fitted.",
        "",
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
    place = {name: row for row, name in enumerate(first["candidate"])}
    figure = Figure(figsize=(10, 1.4 + 0.3 * len(place)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for k, (what, table) in enumerate(tables.items()):
        shown = table[table["candidate"].isin(place)]
        rows = shown["candidate"].map(place) + 0.24 * (k - (len(tables) - 1) / 2)
        style: dict[str, Any] = {"color": PALETTE[k], "ls": "", "marker": "o", "ms": 5}
        for fitted in (True, False):
            part = shown["converged"].notna() == fitted
            fill = {"mfc": PALETTE[k] if fitted else "white", "label": what if fitted else None}
            left.errorbar(
                shown["log_density"][part], rows[part], xerr=shown["error"][part],
                capsize=2, **style, **fill,
            )  # fmt: skip
            right.plot(shown["auc"][part], rows[part], **style, **fill)
    for axes, score in ((left, "log_density"), (right, "auc")):
        axes.axvline(WANTED[score], color=UNKNOWN_COLOUR, ls=":", lw=1)
        axes.grid(axis="x", lw=0.3)
    left.set_yticks(list(place.values()), list(place), fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("log predictive density a hidden dyad (dotted: wanted)")
    right.set_xlabel("AUC of an edge")
    left.legend(fontsize=8)
    return figure
