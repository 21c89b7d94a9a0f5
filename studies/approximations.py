"""How far are the approximations off? ``python -m studies.approximations reports/approximations``.

Parameters are drawn from a model's priors, a network from the model at them, and every method is
fitted to it from the same mode. Then it is counted how often intervals of distances hold the truth.
Finished networks are kept in the folder, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lsm_stan import METHODS, InputError, LatentSpaceModel, simulate
from lsm_stan.cmdstan.compiled import Compiled
from lsm_stan.errors import LsmStanError
from lsm_stan.files import as_csv, write_files
from lsm_stan.inference.fit import Fit
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.posterior.invariants import pair_distances
from lsm_stan.processes import cores
from lsm_stan.report.markdown import markdown_files
from lsm_stan.report.page import Page, PageFigure, PageTable, Section
from studies.calibration_study import Record, Study
from studies.simulations import run, seeds

#: What is drawn: sizes of the networks, and the priors of the calibration.
STUDIES = tuple(
    Study(name, nodes=30, dim=2, warmup=1000, draws=1000, thin=1)
    for name in ("tutorial", "poisson-squared-effects", "nb-squared-effects")
)
NETWORKS = 20

QUICK = (Study("tutorial", nodes=8, dim=2, warmup=100, draws=100, thin=1),)

#: Probabilities of the intervals.
LEVELS = (0.5, 0.9)

#: The method that the others' widths are told in shares of.
EXACT = "nuts"

Row = dict[str, Any]


def simulation(study: Study, number: int, compiled: Compiled | None) -> Record:
    """Draw a network, and fit it by every method; the record has a row a method.

    Parameters
    ----------
    study : Study
        Which model, and how large.
    number : int
        From 0.
    compiled : Compiled or None
        The compiled Stan program; None where it is to be found here.
    """
    of_truth, of_network, of_mode, of_fits = seeds(study, number)
    size = (study.nodes, study.dim)
    truth = draw_parameters(*size, seed=of_truth, model=study.spec)
    try:
        network, _ = simulate(*size, seed=of_network, model=study.spec, parameters=truth)
        model = LatentSpaceModel(network, study.dim, model=study.spec)
        if compiled is not None:  # or each would find it by itself
            model.compiled = compiled
        mode = model.optimize(seed=of_mode, show_progress=False)
    except LsmStanError as error:
        return {"simulation": number, "error": str(error)}
    rows = []
    for method in METHODS:
        if method == "map":
            continue
        asked = {"iter_warmup": study.warmup, "iter_sampling": study.draws}
        try:
            fit = model.fit(
                method,
                seed=of_fits,
                init=mode,
                show_progress=False,
                **(asked if method == EXACT else {}),
            )
        except InputError:  # this method does not serve this model
            continue
        except LsmStanError as error:
            rows.append({"method": method, "error": str(error).splitlines()[0]})
            continue
        rows.append({"method": method, **judged(fit, truth["z"])})
    return {"simulation": number, "rows": rows}


def judged(fit: Fit, truth: np.ndarray) -> Row:
    """Count the distances whose intervals hold the truth, and tell how wide these are.

    Parameters
    ----------
    fit : Fit
        A fit to a simulated network.
    truth : ndarray
        ``(N, K)`` positions that the network is of.
    """
    pairs = np.column_stack(np.triu_indices(len(truth), 1))
    draws = pair_distances(fit.draws.reshape(-1, *truth.shape), pairs)
    actual = pair_distances(truth[None], pairs)[0]
    row: Row = {"seconds": fit.record.seconds, "khat": fit.record.details.get("khat", np.nan)}
    for level in LEVELS:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        row[f"covered_{level:.0%}"] = float(np.mean((low <= actual) & (actual <= high)))
        row[f"width_{level:.0%}"] = float(np.mean(high - low))
    return row


def fitted(folder: Path, studies: Sequence[Study], networks: int, jobs: int) -> pd.DataFrame:
    """Fit what is missing; return a row a network and method, or one with its error.

    Parameters
    ----------
    folder : Path
        Of finished networks, a file a study.
    studies : sequence of Study
        What is drawn.
    networks : int
        How many of each.
    jobs : int
        How many run at once.
    """
    records = run(simulation, dict.fromkeys(studies, networks), folder, jobs)
    return pd.DataFrame(
        [
            {"study": study.label, "network": record["simulation"], **row}
            for study, of_study in records.items()
            for record in of_study
            for row in record.get("rows", [{"error": record.get("error")}])
        ]
    )


def summary(fits: pd.DataFrame) -> pd.DataFrame:
    """Return coverage with its standard error between networks, a row a model and method.

    Parameters
    ----------
    fits : DataFrame
        What :func:`fitted` returns.
    """
    rows = []
    for (study, method), group in fits.groupby(["study", "method"], sort=False):
        exact = fits[(fits["study"] == study) & (fits["method"] == EXACT)].set_index("network")
        whole = group.dropna(subset="seconds").set_index("network")
        row: Row = {"model": study, "method": METHODS[method].title, "networks": len(whole)}
        for level in LEVELS:
            covered = whole[f"covered_{level:.0%}"]
            row[f"covered_{level:.0%}"] = covered.mean()
            row[f"error_{level:.0%}"] = covered.std() / np.sqrt(len(covered))
        name = f"width_{LEVELS[-1]:.0%}"
        row["width"] = float((whole[name] / exact[name]).median())
        row["khat"] = whole["khat"].median()
        row["seconds"] = whole["seconds"].median()
        rows.append(row)
    return pd.DataFrame(rows)


def plot(table: pd.DataFrame) -> Figure:
    """Draw the coverage of each method beside what it should be.

    Parameters
    ----------
    table : DataFrame
        What :func:`summary` returns.
    """
    models = list(dict.fromkeys(table["model"]))
    figure = Figure(figsize=(3.2 * len(models) + 0.6, 3.4), layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for panel, model in zip(panels, models, strict=True):
        rows = table[table["model"] == model].iloc[::-1]
        for level, color in zip(LEVELS, ("#4477aa", "#cc6633"), strict=True):
            name = f"{level:.0%}"
            error = 2 * rows[f"error_{name}"]
            panel.errorbar(
                rows[f"covered_{name}"], rows["method"], xerr=error, fmt="o", color=color
            )
            panel.axvline(level, color=color, linestyle=":")
        panel.set_title(model, fontsize=10)
        panel.set_xlim(0, 1)
    figure.supxlabel("share of distances whose interval holds the truth", fontsize=10)
    return figure


def page(table: pd.DataFrame, fits: pd.DataFrame, studies: Sequence[Study]) -> Page:
    """Lay the results out as a page, for Markdown.

    Parameters
    ----------
    table : DataFrame
        What :func:`summary` returns.
    fits : DataFrame
        What :func:`fitted` returns.
    studies : sequence of Study
        What was drawn.
    """
    failed = int(fits["error"].notna().sum()) if "error" in fits else 0
    shown = pd.DataFrame(
        {
            "model": "`" + table["model"] + "`",
            "method": table["method"],
            **{
                f"{level:.0%} intervals": [
                    f"{row[f'covered_{level:.0%}']:.3f} ± {row[f'error_{level:.0%}']:.3f}"
                    for row in table.to_dict("records")
                ]
                for level in LEVELS
            },
            "width": table["width"].map("{:.2f}".format),
            "k-hat": table["khat"].map(lambda k: "" if np.isnan(k) else f"{k:.2f}"),
            "seconds": table["seconds"].map("{:.1f}".format),
        }
    )
    drawn = fits["network"].nunique()
    sizes = ", ".join(sorted({f"N = {study.nodes}, K = {study.dim}" for study in studies}))
    return Page(
        title="How far are the approximations off?",
        subtitle="Made by `make approximations`; do not edit.",
        facts={},
        summary=[],
        sections=[
            Section(
                "Question",
                f"Networks ({sizes}, {drawn} of each model) are drawn from a model with"
                " parameters from its priors, those of `make calibration`. Every method is"
                " fitted to each, from the same mode and with its defaults. How often does an"
                " interval of a distance hold the true one? Truth, network, mode and fits have"
                " seeds of their own: no start knows the truth.",
                [],
            ),
            Section(
                "Result",
                "An approximation that is right has the coverage that its intervals are said to"
                " have. Distances of one network depend on each other: errors are between"
                " networks.",
                [
                    PageTable(
                        "coverage",
                        "Shares of distances whose interval holds the truth, ± a standard error."
                        " *width*: of 90 % intervals, in shares of NUTS's, median. *k-hat*: median;"
                        " above 0.7 the draws cannot be weighted to the posterior. *seconds*:"
                        f" median, several fits at once. Fits that failed: {failed}.",
                        table,
                        shown,
                    ),
                    PageFigure(
                        "coverage",
                        "Coverage of 50 % intervals (blue) and of 90 % intervals (orange), with two"
                        " standard errors; dotted, what it should be.",
                        plot(table),
                    ),
                ],
            ),
        ],
        footer="",
    )


def main(folder: Path, studies: Sequence[Study], networks: int, jobs: int) -> None:
    """Run, and write the tables, the figure and the page."""
    fits = fitted(folder / "fits", studies, networks, jobs)
    results = markdown_files(page(summary(fits), fits, studies))
    write_files(folder, {"fits.csv": as_csv(fits), **results})
    print(f"written to {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m studies.approximations", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("--jobs", type=int, default=cores(), help="networks at once")
    parser.add_argument("--quick", action="store_true", help="two small networks: a trial")
    arguments = parser.parse_args()
    try:
        trial = (QUICK, 2) if arguments.quick else (STUDIES, NETWORKS)
        main(arguments.folder, *trial, arguments.jobs)
    except KeyboardInterrupt:
        sys.exit("interrupted; what is done is kept, and the same command goes on")
