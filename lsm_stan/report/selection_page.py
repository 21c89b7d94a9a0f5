"""The page of a selection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lsm_stan.files import as_csv, write_files
from lsm_stan.prediction.choice import CANDIDATE
from lsm_stan.prediction.scores import split_error
from lsm_stan.prediction.selection import Selection
from lsm_stan.report.markdown import README, markdown_files
from lsm_stan.report.page import Page, PageFigure, PageTable, Section
from lsm_stan.report.score_plots import plot_calibration, plot_differences, plot_scores
from lsm_stan.text import counted, with_error

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
    selection : Selection
        What came out.
    folder : Path
        Folder for ``README.md``, which says it, ``scores.csv``, ``baselines.csv``,
        ``calibration.csv`` (of the best candidate), ``warnings.csv`` (checks that fits failed) and
        ``figures/``.

    Returns
    -------
    Path
        The page, which is written last.
    """
    files = {
        CALIBRATION: as_csv(selection.calibration),
        WARNINGS: as_csv(selection.warnings),
        **markdown_files(selection_page(selection)),
    }
    write_files(folder, files)
    return folder / README


def selection_page(selection: Selection) -> Page:
    """Lay a selection out as a page, for Markdown.

    Parameters
    ----------
    selection : Selection
        What came out.

    Returns
    -------
    Page
    """
    network, table = selection.network, selection.choice.table
    best = table.iloc[0]
    title = f"{best['model']}, K = {best['dim']}"
    verdict = "Choice" if selection.choice.model else "No choice"
    warnings = selection.warnings
    candidate = warnings["model"] + ", K = " + warnings["dim"].astype(str)
    first = [
        f"**{verdict}**: {selection.choice.reason}.",
        f"Held out: {selection.held_out}; {round(best['dyads']):,} dyads a split.",
        f"Fitted by {selection.fitted}.",
        *_not_converged(table),
    ]
    return Page(
        title=f"{network.title or 'Network'}: model and dimension",
        subtitle="Written by `lsm-stan select`; do not edit.",
        facts=network.in_short,
        summary=[Section("", "", [first])],
        sections=[
            Section(
                "Candidates, best first",
                RULE,
                [
                    PageTable(
                        "scores",
                        "Log density: nats a held-out dyad, ± a standard error over splits, as"
                        " large as it is for fits that share dyads (Nadeau & Bengio 2003). AUC (of"
                        " ROC and of precision and recall) and Brier score: of whether there is an"
                        " edge. Seconds: mean of a fit. Every split:",
                        selection.scores,
                        _candidates(selection),
                    ),
                    PageFigure(
                        "differences",
                        "Differences from the best on the same splits: mean and standard error, and"
                        " every split in grey. Bars that reach the line are within one standard"
                        " error.",
                        plot_differences(table, selection.scores, CANDIDATE),
                    ),
                ],
            ),
            Section(
                "Baselines",
                "",
                [
                    PageTable(
                        "baselines",
                        "Without positions: one mean weight (`constant`) or a product of sender and"
                        " receiver factors (`degrees`), with Poisson or negative binomial (`-nb`)"
                        " weights; with Bernoulli ones where every weight is 0 or 1. Every split:",
                        selection.baselines,
                        _baselines(selection.baselines, selection.share),
                    ),
                    PageFigure(
                        "scores",
                        "Log density against K, with standard errors; baselines that are in reach"
                        " are dotted.",
                        plot_scores(table, selection.baselines),
                    ),
                ],
            ),
            Section(
                f"Calibration of {title}",
                "",
                [
                    PageFigure(
                        "calibration",
                        "Observed share of edges against predicted probability, by deciles of each"
                        " split; bars are two standard errors, were the prediction true. Zero"
                        " inflation of these predictions would gain"
                        f" {best['zero_inflation_gain']:.5f} a dyad at most. Numbers:"
                        f" [{CALIBRATION}]({CALIBRATION}).",
                        plot_calibration(selection.calibration, title),
                    )
                ],
            ),
            *failed_checks(warnings.assign(candidate=candidate)),
        ],
        footer="",
    )


def failed_checks(warnings: pd.DataFrame) -> list[Section]:
    """Return a section, folded, on the fits that did not converge; none where all did.

    Parameters
    ----------
    warnings : DataFrame
        Columns ``candidate``, ``split`` and ``warning``.

    Returns
    -------
    list of Section

    Examples
    --------
    >>> failed_checks(pd.DataFrame({"candidate": [], "split": [], "warning": []}))
    []
    """
    groups = warnings.groupby(["candidate", "split"])["warning"]
    points = [f"{name}, split {split}: {'; '.join(each)}" for (name, split), each in groups]
    intro = f"{counted(len(points), 'fit')}, with the checks that failed:"
    return [Section("Fits that did not converge", intro, [points], folded=True)] if points else []


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
    text = f"**{failed} of {fits} fits did not converge** (✗ below; the last section says why)."
    return [text] if failed else []
