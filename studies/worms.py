"""How well do seven animals predict the eighth? ``python -m studies.worms reports/worms``.

The animals are those of Witvliet et al. (2021), and their chemical synapses are predicted. K is
chosen on animal 7, from animals 1 to 6; animal 8 is then predicted as a whole, and in folds of its
dyads.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lsm_stan import (
    Fit,
    LatentSpaceModel,
    Layers,
    load_connectome,
    score_dyads,
    score_layer,
    simulate_layers,
)
from lsm_stan.criticism.tables import interval_text
from lsm_stan.files import write_files
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.posterior.intervals import interval
from lsm_stan.prediction.scores import split_error
from lsm_stan.report.markdown import markdown_files
from lsm_stan.report.page import Page, PageFigure, PageTable, Section
from lsm_stan.report.plots import PALETTE
from lsm_stan.text import as_text, brief

MODEL = "nb-squared-effects"
STRUCTURES = ("exchangeable", "ordered")
SEED, FOLDS = 1, 5

#: What is shown of the scores.
SCORES = ["log_density", "auc", "auc_pr", "edge_log_density"]


#: Candidates of K, and those of a trial.
DIMS, QUICK_DIMS = (2, 5, 8), (1, 2)


def animals(quick: bool) -> Layers:
    """Return the eight animals, or for a trial four small layers that are drawn."""
    if not quick:
        return load_connectome("witvliet2021")
    truth = {"layer_intercept": np.full(4, 1.0), "sigma_change": np.asarray(0.3)}
    drawn, _ = simulate_layers(
        14, 2, 4, seed=SEED, model=MODEL, layers="exchangeable", parameters=truth
    )
    return drawn


def predict_last(layers: Layers, structure: str, dim: int) -> pd.DataFrame:
    """Predict the last animal from those before it, with the level of the one before it."""
    last = layers.n_layers - 1
    model = LatentSpaceModel(layers.chosen(range(last)), dim, model=MODEL, layers=structure)
    fit = model.optimize(seed=SEED, starts=1, show_progress=False)
    time = None if layers.times is None else float(layers.times[last])
    network = layers.networks[last]
    return score_layer(cast(LayeredFit, fit), network, time=time, like=last - 1, seed=SEED)


def choose(layers: Layers, dims: Sequence[int]) -> pd.DataFrame:
    """Predict the last animal but one from those before it, by every candidate."""
    before = layers.chosen(range(layers.n_layers - 1))
    tables = []
    for structure, dim in product(STRUCTURES, dims):
        print(f"choosing: {structure}, K = {dim}", flush=True)
        table = predict_last(before, structure, dim)
        tables.append(table.assign(structure=structure, dim=dim))
    scores = pd.concat(tables, ignore_index=True)
    return scores[scores["predictor"] == "model"].drop(columns="predictor")


def chosen(candidates: pd.DataFrame) -> dict[str, int]:
    """Return the K that predicted best, by structure."""
    best = candidates.loc[candidates.groupby("structure")["log_density"].idxmax()]
    return dict(zip(best["structure"], best["dim"], strict=True))


def predict_whole(layers: Layers, best: dict[str, int]) -> pd.DataFrame:
    """Predict the last animal from the others."""
    tables = []
    for structure, dim in best.items():
        print(f"the whole animal: {structure}", flush=True)
        table = predict_last(layers, structure, dim)
        tables.append(table.assign(structure=structure))
    return pd.concat(tables, ignore_index=True)


def predict_folds(layers: Layers, best: dict[str, int]) -> pd.DataFrame:
    """Predict folds of the last animal's dyads from the rest of it and the other animals."""
    tables = []
    for structure, dim in best.items():
        table = score_dyads(
            layers,
            layers.n_layers - 1,
            dim,
            model=MODEL,
            structure=structure,
            seed=SEED,
            n_folds=FOLDS,
            beside=[layers.n_layers - 2],
            say=lambda said, structure=structure: print(f"{structure}: {said}", flush=True),
            starts=1,
        )
        tables.append(table.assign(structure=structure))
    return pd.concat(tables, ignore_index=True)


def changes(folder: Path) -> pd.DataFrame:
    """Return what the fits of `make worms` by NUTS say of changes, a row a structure."""
    rows = []
    for structure in STRUCTURES:
        path = folder / structure / "fits" / "nuts"
        if not path.is_dir():  # of a trial
            continue
        fit = cast(LayeredFit, Fit.load(path))
        row = {"structure": structure, "K": fit.record.dim, "checks passed": fit.converged}
        for shown, name in {"change": "sigma_change", "scale": "sigma_z", "phi": "phi"}.items():
            draws = fit.parameters[name].reshape(-1, 1)
            (low,), (high,) = interval(draws)
            row[shown] = interval_text(
                {"mean": draws.mean(), "sd": draws.std(), "low": low, "high": high}
            )
        row["median node"] = brief(fit.movers()["moved"].median())
        rows.append(row)
    return pd.DataFrame(rows)


def folded(folds: pd.DataFrame) -> pd.DataFrame:
    """Return means over folds, and how far log densities are above those of counts."""
    by_counts = folds[folds["predictor"] == "counts"].groupby("fold")["log_density"].first()
    rows = []
    for _, group in folds.groupby(["structure", "predictor"], sort=False):
        first = group.iloc[0][["structure", "predictor"]]
        above = group.set_index("fold")["log_density"] - by_counts
        compared = {"above_counts": above.mean(), "error": split_error(above, 1 / len(above))}
        rows.append({**first, **group[SCORES].mean(), **compared})
    table = pd.DataFrame(rows)
    of_model = table["predictor"].isin(["model", "both"])
    # regressions on counts know nothing of structures
    others = table[~of_model].drop_duplicates("predictor").assign(structure="")
    return pd.concat([table[of_model], others], ignore_index=True)


def plot(folds: pd.DataFrame) -> Figure:
    """Draw log density and AUC of the predictors of folds."""
    figure = Figure(figsize=(9, 0.35 * len(folds) + 1.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    rows = folds.sort_values("log_density")
    names = [
        " ".join(filter(None, [row["predictor"], row["structure"]]))
        for row in rows.to_dict("records")
    ]
    colours = [PALETTE[int(name in ("model", "both"))] for name in rows["predictor"]]
    for panel, score in zip(panels, ("log_density", "auc"), strict=True):
        errors = 2 * rows["error"] if score == "log_density" else None
        panel.errorbar(rows[score], names, xerr=errors, fmt="none", ecolor="#888888", capsize=3)
        panel.scatter(rows[score], names, c=colours, zorder=3)
        panel.grid(axis="x", alpha=0.3)
        panel.xaxis.set_major_locator(MaxNLocator(5))
    panels[0].set_xlabel("log density a dyad, nats")
    panels[1].set_xlabel("AUC of an edge")
    return figure


def sentence(folds: pd.DataFrame) -> str:
    """Say how the best predictions compare with counts alone."""
    by = folds.set_index("predictor")["log_density"]
    best = folds.loc[folds["log_density"].idxmax()]
    model = folds[folds["predictor"] == "model"]
    model = model.loc[model["log_density"].idxmax()]
    single = next(name for name in by.index if name.startswith("counts of"))
    return (
        f"Best is *{best['predictor']}* ({best['structure']}):"
        f" {best['log_density']:.3f} nats a dyad, AUC {best['auc']:.3f}. The model alone has"
        f" {model['log_density']:.3f} and {model['auc']:.3f} at best, the counts of all other"
        f" animals {by['counts']:.3f}, those of the animal before {by[single]:.3f}, a constant"
        f" {by['constant']:.3f}."
    )


def page(
    layers: Layers,
    candidates: pd.DataFrame,
    whole: pd.DataFrame,
    folds: pd.DataFrame,
    changed: pd.DataFrame,
) -> Page:
    """Lay the results out as a page, for Markdown."""
    means, best = folded(folds), chosen(candidates)
    kept = ["structure", "dim", *SCORES]
    told = ", ".join(f"K = {dim} ({structure})" for structure, dim in best.items())
    sections = [
        Section(
            "Question",
            "Chemical synapses of the last animal are predicted: how many there are from one neuron"
            f" to another, for every ordered pair of its {layers.networks[-1].n_nodes} neurons."
            f" The model is `{MODEL}`: positions of neurons that all animals share, and changes"
            " of them; a level for each animal; sending and receiving effects of neurons. A neuron"
            " that an animal has not is absent there. Beside it stand regressions on the counts of"
            " the other animals themselves.",
            [],
        ),
        Section(
            "Folds of the last animal's dyads",
            f"{FOLDS} folds; both directions of a pair are hidden together, and predicted from all"
            " other dyads of the animal and from the other animals, at modes. " + sentence(means),
            [
                PageTable(
                    "folds",
                    "Means over folds. *model*: the latent space model. *counts*: regression on the"
                    " mean count in all other animals. *counts of*: on that of one. *both*: on"
                    " these counts and the model's rate, learned from the other folds. Log"
                    " densities are nats a dyad. *above_counts*: difference to *counts* in the same"
                    " folds, with its standard *error*.",
                    folds,
                    as_text(means),
                ),
                PageFigure(
                    "scores",
                    "Log density, with two standard errors of its difference to *counts*, and AUC."
                    " Orange: with the model.",
                    plot(means),
                ),
            ],
        ),
        Section(
            "The whole animal",
            "No dyad of the last animal is known. *model* takes the level of the animal before it."
            " *counts* is a regression on the animal before (ordered) or on the mean of all others"
            " (exchangeable), learned from the other animals.",
            [
                PageTable(
                    "whole",
                    "Standard errors of log densities are of dyads, taken as independent.",
                    whole,
                    as_text(whole[["structure", "predictor", *SCORES, "log_density_error"]]),
                )
            ],
        ),
        Section(
            "How it was chosen",
            "The last animal but one was predicted from those before it, at modes. Best, and used"
            f" above: {told}.",
            [PageTable("choice", "", candidates, as_text(candidates[kept]))],
        ),
    ]
    if len(changed):
        sections.insert(
            1,
            Section(
                "What is common, and what changes",
                "All animals, by NUTS. More on the pages of the fits:"
                " [exchangeable](exchangeable/README.md), [ordered](ordered/README.md). A change"
                " that is small beside the scale says that animals share the positions of their"
                " neurons: they differ in their levels, and in what the model takes for noise."
                " Where animals are ordered, those of one age have one place.",
                [
                    PageTable(
                        "changes",
                        "*change*: standard deviation of a coordinate's change, of an animal"
                        " (exchangeable) or over a mean step between ages (ordered); *scale*: of a"
                        " coordinate; both with 90 % intervals. *median node*: how far it moves"
                        " about its mean place.",
                        changed,
                        changed,
                    )
                ],
            ),
        )
    return Page(
        title="Eight brains of C. elegans: do seven predict the eighth?",
        subtitle="Made by `make worms`; do not edit. Data:"
        " [connectomes](../../lsm_stan/network/data/worms/README.md).",
        facts={},
        summary=[],
        sections=sections,
        footer="",
    )


def main(folder: Path, *, quick: bool = False) -> None:
    """Run, and write the tables, the figure and the page."""
    layers = animals(quick)
    candidates = choose(layers, QUICK_DIMS if quick else DIMS)
    best = chosen(candidates)
    whole = predict_whole(layers, best)
    folds = predict_folds(layers, best)
    made = page(layers, candidates, whole, folds, changes(folder))
    write_files(folder, markdown_files(made))
    print(f"written to {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m studies.worms", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("--quick", action="store_true", help="four small layers: a trial")
    arguments = parser.parse_args()
    main(arguments.folder, quick=arguments.quick)
