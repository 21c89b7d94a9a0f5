"""The page of a selection: its tables in, Markdown out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lsm_stan.files import as_csv, as_markdown, as_png, write_whole
from lsm_stan.prediction.choice import CANDIDATE
from lsm_stan.prediction.scores import split_error
from lsm_stan.prediction.selection import Selection
from lsm_stan.report.score_plots import plot_calibration, plot_differences, plot_scores

SCORES, BASELINES = "scores.csv", "baselines.csv"
CALIBRATION, WARNINGS = "calibration.csv", "warnings.csv"

#: How the choice is made; :func:`lsm_stan.prediction.choice.choose` does it.
RULE = (
    "A candidate's score is the mean log predictive density of the dyads held out from its fits,"
    " where pairs are held out together that of both directions jointly; candidates are compared on"
    " the same splits, by the mean and the standard error of the differences from the best. The"
    " choice is the candidate of fewest parameters whose difference is within one standard error,"
    " of those that are better than the best baseline by one; none where that does not decide, or"
    " where the best is not better than the best baseline by one standard error."
)


def write_selection(selection: Selection, folder: Path) -> Path:
    """Write what came out of a selection, as tables, figures and a page.

    Parameters
    ----------
    selection
        What came out.
    folder
        For ``README.md``, which says it, ``scores.csv``, ``baselines.csv``, ``calibration.csv``
        (of the best candidate), ``warnings.csv`` (checks that fits failed) and figures.

    Returns
    -------
    Path
        The page, which is written last.
    """
    table, best = selection.choice.table, selection.choice.table.iloc[0]
    title = f"{best['model']}, K = {best['dim']}"
    figures = {
        "scores": plot_scores(table, selection.baselines),
        "differences": plot_differences(table, selection.scores, CANDIDATE),
        "calibration": plot_calibration(selection.calibration, title),
    }
    files = {
        SCORES: as_csv(selection.scores),
        BASELINES: as_csv(selection.baselines),
        CALIBRATION: as_csv(selection.calibration),
        WARNINGS: as_csv(selection.warnings),
        **{f"{name}.png": as_png(figure) for name, figure in figures.items()},
        "README.md": selection_page(selection).encode(),
    }
    for name, content in files.items():
        write_whole(folder / name, content)
    return folder / "README.md"


def selection_page(selection: Selection) -> str:
    """Return the README of a selection.

    Returns
    -------
    str
        Markdown; its figures are ``differences.png``, ``scores.png`` and ``calibration.png``.
    """
    network = selection.network
    choice, table = selection.choice, selection.choice.table
    best = table.iloc[0]
    verdict = "Choice" if choice.model else "No choice"
    facts = ", ".join(f"{value} {name}" for name, value in network.in_short.items())
    lines = [
        f"# {network.title or 'Network'}: model and dimension",
        "",
        f"{facts}. Written by `lsm-stan select`; do not edit.",
        "",
        f"- **{verdict}**: {choice.reason}.",
        f"- Held out: {selection.held_out}; {round(best['dyads']):,} dyads a split.",
        f"- Fitted by {selection.fitted}.",
        *_not_converged(table),
        "",
        RULE,
        "",
        "## Candidates, best first",
        "",
        *as_markdown(_candidates(selection)),
        "",
        "Log density: nats a held-out dyad, ± a standard error over splits, as large as it is for"
        " fits that share dyads (Nadeau & Bengio 2003). AUC (of ROC and of precision and recall)"
        " and Brier score: of whether there is an edge. Seconds: mean of a fit. Every split:"
        " [scores.csv](scores.csv).",
        "",
        "![differences](differences.png)",
        "",
        "Differences from the best on the same splits: mean and standard error, and every split in"
        " grey. Bars that reach the line are within one standard error.",
        "",
        "## Baselines",
        "",
        *as_markdown(_baselines(selection.baselines, selection.share)),
        "",
        "Without positions: one mean weight (`constant`) or a product of sender and receiver"
        " factors (`degrees`), with Poisson or negative binomial (`-nb`) weights; with Bernoulli"
        " ones where every weight is 0 or 1. Every split: [baselines.csv](baselines.csv).",
        "",
        "![scores](scores.png)",
        "",
        "Log density against K, with standard errors; baselines that are in reach are dotted.",
        "",
        f"## Calibration of {best['model']}, K = {best['dim']}",
        "",
        "![calibration](calibration.png)",
        "",
        "Observed share of edges against predicted probability, by deciles of each split; bars are"
        " two standard errors, were the prediction true. Zero inflation of these predictions would"
        f" gain {best['zero_inflation_gain']:.5f} a dyad at most."
        " Numbers: [calibration.csv](calibration.csv).",
        "",
    ]
    if len(selection.warnings):
        warnings = selection.warnings
        names = warnings["model"] + ", K = " + warnings["dim"].astype(str)
        lines += failed_checks(warnings.assign(candidate=names))
    return "\n".join(lines)


def failed_checks(warnings: pd.DataFrame) -> list[str]:
    """Return a section, folded, on the fits that did not converge.

    Parameters
    ----------
    warnings
        Columns ``candidate``, ``split`` and ``warning``.
    """
    groups = warnings.groupby(["candidate", "split"])["warning"]
    items = [f"- {name}, split {split}: {'; '.join(each)}" for (name, split), each in groups]
    summary = f"<details><summary>{len(items)} fits: the checks that failed</summary>"
    return ["## Fits that did not converge", "", summary, "", *items, "", "</details>", ""]


def with_error(value: float, error: float, digits: int = 4) -> str:
    """Return a mean with its standard error, if it has one."""
    return f"{value:.{digits}f}" + ("" if pd.isna(error) else f" ± {error:.{digits}f}")


def _candidates(selection: Selection) -> pd.DataFrame:
    chosen = (selection.choice.model, selection.choice.dim)

    def row(rank: int, candidate: Mapping[Any, Any]) -> dict[str, str]:
        bold = "**" if (candidate["model"], candidate["dim"]) == chosen else ""
        converged = round(candidate["converged"] * candidate["splits"])
        mark = "" if converged == candidate["splits"] else " ✗"
        return {
            "model": f"{bold}{candidate['model']}{bold}",
            "K": str(candidate["dim"]),
            "log density": with_error(candidate["log_density"], candidate["error"]),
            "from the best": with_error(candidate["difference"], candidate["difference_error"])
            if rank
            else "",
            **_shares(candidate),
            "parameters": f"{candidate['parameters']:,.0f}",
            "converged": f"{converged} of {candidate['splits']}{mark}",
            "seconds": f"{candidate['seconds']:,.0f}",
        }

    records = selection.choice.table.to_dict("records")
    return pd.DataFrame([row(rank, candidate) for rank, candidate in enumerate(records)])


def _baselines(baselines: pd.DataFrame, share: float) -> pd.DataFrame:
    by_split = baselines.pivot_table(index="split", columns="model", values="log_density")
    means = baselines.groupby("model").mean(numeric_only=True)
    means["error"] = split_error(by_split, share)
    records = means.sort_values("log_density", ascending=False).reset_index().to_dict("records")
    return pd.DataFrame(
        [
            {
                "baseline": candidate["model"],
                "log density": with_error(candidate["log_density"], candidate["error"]),
                **_shares(candidate),
            }
            for candidate in records
        ]
    )


def _shares(candidate: Mapping[Any, Any]) -> dict[str, str]:
    names = {"AUC": "auc", "AUC-PR": "auc_pr", "Brier": "brier"}
    return {
        shown: f"{candidate[name]:.{4 if name == 'brier' else 3}f}" for shown, name in names.items()
    }


def _not_converged(table: pd.DataFrame) -> list[str]:
    failed, fits = round((table["splits"] * (1 - table["converged"])).sum()), table["splits"].sum()
    text = f"- **{failed} of {fits} fits did not converge** (✗ below; the last section says why)."
    return [text] if failed else []
