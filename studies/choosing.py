"""Does ``select`` find K? ``python -m studies.choosing FOLDER``.

Networks are drawn from models of the family at a known K, and ``select`` chooses among several. The
folder gets ``choices.csv`` (a row a network), ``candidates.csv`` (a row a network and K), a figure
and a README; under ``fits/`` what is done is kept, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.optimize import brentq
from scipy.stats import binomtest

from lsm_stan import Network, simulate
from lsm_stan.files import as_csv, write_files
from lsm_stan.model.family import MODELS
from lsm_stan.model.likelihood import log_likelihood
from lsm_stan.prediction.selection import Selection, select
from lsm_stan.report.markdown import markdown_files
from lsm_stan.report.page import Page, PageFigure, PageTable, Section
from lsm_stan.report.plots import PALETTE, UNKNOWN_COLOUR


@dataclass(frozen=True)
class Design:
    """How networks are drawn.

    Attributes
    ----------
    model : str
        A name of :data:`lsm_stan.model.family.MODELS`, the one that is then fitted.
    density : float
        Expected share of ordered dyads with an edge, given the positions and effects: the
        intercept is what gives it.
    seeds : int
        How many networks are drawn at each K, with seeds from 1.
    n_nodes : int
        N.
    """

    model: str
    density: float
    seeds: int
    n_nodes: int = 60


DESIGNS = {
    "poisson": Design("poisson-squared", 0.2, seeds=10),
    "sparse": Design("poisson-squared", 0.1, seeds=5),
    "effects": Design("nb-squared-effects", 0.2, seeds=5),
}
#: Of a trial.
QUICK = {"poisson": replace(DESIGNS["poisson"], seeds=1, n_nodes=20)}
TRUE_DIMS, DIMS = (2, 3), (1, 2, 3, 4)
N_SPLITS, STARTS = 5, 2

#: Standard deviation of sender and of receiver effects, and phi, where a model has them.
EFFECT_SCALE, PHI = 0.7, 1.0


def draw_network(design: Design, dim: int, seed: int) -> Network:
    """Draw a network of a design at one K; the same seed gives the same network."""
    spec, n = MODELS[design.model], design.n_nodes
    rng = np.random.default_rng([seed, dim])
    z = rng.normal(size=(n, dim))
    sent, received = rng.normal(scale=EFFECT_SCALE, size=(2, n))
    parameters = {"z": z, "sender_effect": sent, "receiver_effect": received, "phi": np.array(PHI)}
    sender, receiver = np.nonzero(~np.eye(n, dtype=bool))

    def excess(intercept: float) -> float:
        given = {**parameters, "intercept": np.asarray(intercept)}
        empty = log_likelihood(spec, given, sender, receiver, np.zeros_like(sender))
        return float(-np.expm1(empty).mean() - design.density)

    parameters["intercept"] = np.asarray(brentq(excess, -20, 20))
    return simulate(n, dim, seed=seed, model=spec, parameters=parameters)[0]


def select_dim(network: Network, design: Design, seed: int, folder: Path) -> Selection:
    """Run ``select`` with its defaults, but for the starts, the model and :data:`DIMS`."""
    return select(
        network,
        folder,
        dims=DIMS,
        models=[design.model],
        n_splits=N_SPLITS,
        seed=seed,
        arguments={"starts": STARTS},
        jobs=1,
        say=lambda _: None,
    )


def run(folder: Path, designs: Mapping[str, Design]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw every network, and choose its K.

    Parameters
    ----------
    folder : Path
        Of the selections, one a network.
    designs : Mapping of str to Design
        How networks are drawn, by name.

    Returns
    -------
    choices : pandas.DataFrame
        A row a network: ``design, true_dim, seed, edges``, its total ``weight``, ``chosen``
        (missing where nothing was), ``best`` (the K that predicts best), ``within`` (whether the
        true K is within one standard error of it) and ``reason``.
    candidates : pandas.DataFrame
        A row a network and ``dim``, with its scores as in
        :class:`lsm_stan.prediction.choice.Choice`.
    """
    choices: list[dict[str, Any]] = []
    candidates = []
    grid = [
        (name, seed, dim)
        for name, design in designs.items()
        for seed, dim in product(range(1, design.seeds + 1), TRUE_DIMS)
    ]
    for number, (name, seed, dim) in enumerate(grid, start=1):
        design = designs[name]
        network = draw_network(design, dim, seed)
        choice = select_dim(network, design, seed, folder / f"{name}-{dim}-{seed}").choice
        facts = {"design": name, "true_dim": dim, "seed": seed}
        table = choice.table.drop(columns="model")
        true = table.set_index("dim").loc[dim]
        candidates.append(table.assign(**facts)[[*facts, *table.columns]])
        choices.append(
            {
                **facts,
                "edges": network.n_edges,
                "weight": int(network.weight.sum()),
                "chosen": choice.dim,
                "best": table["dim"].iloc[0],
                "within": -true["difference"] <= true["difference_error"],
                "reason": choice.reason,
            }
        )
        print(f"[{number}/{len(grid)}] {name}, K = {dim}, seed {seed}: {choice.reason}", flush=True)
    table = pd.DataFrame(choices).astype({"chosen": "Int64"})
    return table, pd.concat(candidates, ignore_index=True)


def tally(choices: pd.DataFrame) -> pd.DataFrame:
    """Count the choices of each design and true K, and of each design altogether.

    Returns
    -------
    pandas.DataFrame
        A row each: ``design, true_dim`` (missing: altogether), ``networks``; how often each K was
        chosen (``chosen_1``, …), or ``none``; ``found`` (the true K was chosen), the exact 95 %
        interval of its share, ``low, high``; and ``within``.
    """
    rows = []
    for name in choices["design"].unique():
        for dim in (*TRUE_DIMS, None):
            of = choices[choices["design"] == name]
            of = of if dim is None else of[of["true_dim"] == dim]
            n_right = int((of["chosen"] == of["true_dim"]).sum())
            interval = binomtest(n_right, len(of)).proportion_ci()
            counts = {f"chosen_{k}": int((of["chosen"] == k).sum()) for k in DIMS}
            rows.append(
                {
                    "design": name,
                    "true_dim": dim,
                    "networks": len(of),
                    **counts,
                    "none": int(of["chosen"].isna().sum()),
                    "found": n_right,
                    "low": interval.low,
                    "high": interval.high,
                    "within": int(of["within"].sum()),
                }
            )
    return pd.DataFrame(rows).astype({"true_dim": "Int64"})


def plot(choices: pd.DataFrame, candidates: pd.DataFrame) -> Figure:
    """Draw scores against K, a line a network, and mark what was chosen."""
    names = list(choices["design"].unique())
    figure = Figure(figsize=(8, 2.4 * len(names) + 0.6), layout="constrained")
    axes = figure.subplots(len(names), len(TRUE_DIMS), sharex=True, sharey="row", squeeze=False)
    right, wrong = PALETTE[:2]
    for (row, name), (column, dim) in product(enumerate(names), enumerate(TRUE_DIMS)):
        panel = axes[row, column]
        of = choices[(choices["design"] == name) & (choices["true_dim"] == dim)]
        for candidate in of.itertuples():
            same = (candidates[["design", "true_dim", "seed"]] == [name, dim, candidate.seed]).all(
                axis=1
            )
            line = candidates[same].set_index("dim")["log_density"].sort_index()
            line = line - line[dim]
            panel.plot(line.index, line, color=UNKNOWN_COLOUR, lw=0.8, zorder=1)
            if not pd.isna(candidate.chosen):
                colour = right if candidate.chosen == dim else wrong
                panel.scatter(
                    candidate.chosen, line[candidate.chosen], s=24, color=colour, zorder=2
                )
        n_right = int((of["chosen"] == dim).sum())
        panel.set_title(f"{name}, true K = {dim}: found {n_right} of {len(of)}", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.axvline(dim, color=UNKNOWN_COLOUR, ls=":", lw=1, zorder=0)
        panel.set_xticks(DIMS)
    figure.supxlabel("K fitted", fontsize=10)
    figure.supylabel("log density a held-out dyad, less that of the true K", fontsize=10)
    marks = {"chosen, the true K": right, "chosen, another": wrong}
    handles = [Line2D([], [], color=c, marker="o", ls="", label=m) for m, c in marks.items()]
    axes[0, 0].legend(handles=handles, fontsize=8, loc="lower right")
    return figure


def page(choices: pd.DataFrame, candidates: pd.DataFrame, designs: Mapping[str, Design]) -> Page:
    """Lay the results out as a page, for Markdown."""
    return Page(
        title="Does `select` find K?",
        subtitle="Made by `make choosing`; do not edit.",
        facts={},
        summary=[],
        sections=[_result(choices, candidates), _drawn(choices, designs)],
        footer="",
    )


def _result(choices: pd.DataFrame, candidates: pd.DataFrame) -> Section:
    counts = tally(choices)
    shown = pd.DataFrame(
        {
            "design": "`" + counts["design"] + "`",
            "true K": counts["true_dim"].astype(object).where(counts["true_dim"].notna(), "all"),
            **{f"chosen {k}": counts[f"chosen_{k}"] for k in DIMS},
            "none": counts["none"],
            "found": [f"{row.found} of {row.networks}" for row in counts.itertuples()],
            "95 % interval": [f"{row.low:.0%} to {row.high:.0%}" for row in counts.itertuples()],
            "within": [f"{row.within} of {row.networks}" for row in counts.itertuples()],
        }
    )
    return Section(
        "Result",
        f"Networks are drawn from models of the family at K = {' and '.join(map(str, TRUE_DIMS))};"
        f" `lsm-stan select` chooses among {DIMS[0]} to {DIMS[-1]}.",
        [
            PageTable(
                "choices",
                "*found*: the true K is chosen, by the rule of `select`: the simplest candidate"
                " whose log density a held-out dyad is within one paired standard error of the"
                " best. Its interval is the exact binomial one. *none*: no candidate is better than"
                " the best baseline by one standard error. *within*: the true K is within one"
                " standard error of the best, though a smaller one may be, too. A network a row:",
                choices,
                shown,
            ),
            _failures(choices),
            PageFigure(
                "choices",
                "A line is a network: its log density a held-out dyad, mean over splits, less that"
                " of the true K. A dot is the K chosen. Numbers: [candidates.csv](candidates.csv).",
                plot(choices, candidates),
            ),
        ],
    )


def _failures(choices: pd.DataFrame) -> str:
    """Count what was chosen where the true K was not."""
    missed = choices[choices["chosen"].ne(choices["true_dim"]).fillna(True)]
    small = missed[(missed["chosen"] < missed["true_dim"]).fillna(False)]
    predicted = int((small["best"] == small["true_dim"]).sum())
    return (
        f"The K of {len(missed)} networks is not found: {len(small)} are given a smaller one,"
        f" {int((missed['chosen'] > missed['true_dim']).sum())} a larger one,"
        f" {int(missed['chosen'].isna().sum())} none. In {predicted} of the {len(small)} the true"
        " K predicts best, and the smaller one is within one standard error of it: the rule"
        " prefers the simpler where the data do not tell them apart."
    )


def _drawn(choices: pd.DataFrame, designs: Mapping[str, Design]) -> Section:
    names = choices["design"].unique()
    medians = choices.groupby("design")[["edges", "weight"]].median().loc[names]
    shown = [designs[name] for name in names]
    drawn = pd.DataFrame(
        {
            "design": [f"`{name}`" for name in names],
            "model": [f"`{design.model}`" for design in shown],
            "expected density": [f"{design.density:.0%}" for design in shown],
            "edges": [f"{edges:.0f}" for edges in medians["edges"]],
            "weight a node": [
                f"{weight / design.n_nodes:.1f}"
                for weight, design in zip(medians["weight"], shown, strict=True)
            ],
        }
    )
    sizes = ", ".join(map(str, sorted({design.n_nodes for design in shown})))
    return Section(
        "What was drawn",
        "",
        [
            PageTable(
                None,
                "Medians of edges and of the total weight sent by a node. All are directed.",
                drawn,
            ),
            [
                f"N = {sizes}. Positions are draws of normal(0, 1) in each coordinate.",
                "The intercept is the one that gives the expected density (the share of ordered"
                " dyads with an edge), given positions and effects.",
                f"`effects` has sender and receiver effects of normal(0, {EFFECT_SCALE:g}) and a"
                f" frailty with phi = {PHI:g}.",
                "Designs were settled on seeds from 100 on; those here count from 1.",
                f"Every candidate is fitted by MAP to {N_SPLITS} random splits that hold out a"
                f" tenth of the pairs, both directions together; from {STARTS} starts, where"
                " `select` by itself takes 8.",
            ],
        ],
    )


def main(folder: Path, designs: Mapping[str, Design]) -> None:
    """Run, and write the tables, the figure and the page."""
    choices, candidates = run(folder / "fits", designs)
    results = markdown_files(page(choices, candidates, designs))
    write_files(folder, {"candidates.csv": as_csv(candidates), **results})
    print(f"written to {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m studies.choosing", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("--quick", action="store_true", help="one small design: a trial")
    arguments = parser.parse_args()
    try:
        main(arguments.folder, QUICK if arguments.quick else DESIGNS)
    except KeyboardInterrupt:
        sys.exit("interrupted; what is done is kept, and the same command goes on")
