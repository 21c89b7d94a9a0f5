"""The family on held-out dyads of C. elegans: ``python -m studies.held_out FOLDER``.

Ten per cent of single ordered dyads, and of pairs, in five seeded splits. Every run is a selection
of its own in ``FOLDER/runs`` and goes on where it stopped; after each, the page is written of all
that are whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lsm_stan import Network, load_celegans, simulate
from lsm_stan.files import as_csv, write_files
from lsm_stan.inference.methods import METHODS
from lsm_stan.network.pairs import pair_number
from lsm_stan.network.summary import describe
from lsm_stan.prediction.holdout import splits
from lsm_stan.prediction.scores import scores
from lsm_stan.prediction.selection import select
from lsm_stan.report.markdown import markdown_files
from lsm_stan.report.selection_page import (
    BASELINES,
    CALIBRATION,
    SCORES,
    WARNINGS,
    write_selection,
)
from studies import held_out_page
from studies.spectral import predict_spectral

N_SPLITS, SEED = 5, 0

#: How each method fits.
ARGUMENTS = {
    "map": {"starts": 1},
    "nuts": {"chains": 2, "iter_warmup": 500, "iter_sampling": 4000, "thin": 4},
}

#: Singular vectors of the spectral embedding.
SPECTRAL_DIMS = (3, 10)

FAMILY = (
    "tutorial",
    "poisson-inverse",
    "poisson-inverse-effects",
    "poisson-exponential",
    "poisson-exponential-effects",
    "nb-exponential",
    "nb-inverse-effects",
    "nb-exponential-effects",
    "nb-squared-effects",
)
LAST = FAMILY[-2:]
BEST, HURDLE = ("nb-squared-effects",), ("bernoulli-squared-effects",)


class Run(NamedTuple):
    """A selection; `binary` replaces weights by whether there is an edge."""

    models: Sequence[str]
    dims: Sequence[int]
    method: str
    together: bool = False
    binary: bool = False


RUNS = {
    "single-map": Run(FAMILY, (3,), "map"),
    "single-nuts": Run(BEST, (5,), "nuts"),
    "single-map-dims": Run(LAST, (2, 5), "map"),
    "edges-map": Run(HURDLE, (5,), "map", binary=True),
    "edges-nuts": Run(HURDLE, (5,), "nuts", binary=True),
    "pairs-nuts": Run(BEST, (5,), "nuts", together=True),
    "pairs-map": Run(FAMILY, (3,), "map", together=True),
    "pairs-map-dims": Run(LAST, (2, 5), "map", together=True),
    "single-nuts-others": Run((*LAST, "nb-squared-roles"), (3,), "nuts"),
}

#: A trial, on a small network.
QUICK = {
    "single-map": Run(BEST, (2,), "map"),
    "edges-map": Run(HURDLE, (2,), "map", binary=True),
    "pairs-map": Run(("poisson-squared",), (2,), "map", together=True),
}


def in_words(asked: Run) -> str:
    """Say what a run is of."""
    dims = ", ".join(map(str, asked.dims))
    held_out = "pairs" if asked.together else "single dyads"
    weights = ", every weight 1" if asked.binary else ""
    models = " and ".join(asked.models) if len(asked.models) < 4 else f"{len(asked.models)} models"
    return f"{models}, K = {dims}, {METHODS[asked.method].title}, {held_out}{weights}"


def run(name: str, asked: Run, folder: Path, network: Network) -> None:
    """Run a selection, or what is missing of it."""
    if asked.binary:
        network = network.binary()
    selection = select(
        network,
        folder / "runs" / name,
        dims=asked.dims,
        models=asked.models,
        n_splits=N_SPLITS,
        seed=SEED,
        share=held_out_page.SHARE,
        together=asked.together,
        method=asked.method,
        arguments=ARGUMENTS[asked.method],
        say=lambda sentence: print(f"{name} {sentence}", flush=True),
    )
    write_selection(selection, folder / "runs" / name)


def spectral_scores(network: Network, *, together: bool) -> pd.DataFrame:
    """Score the spectral embedding on the splits: columns as of a selection's scores."""
    rows = []
    share = held_out_page.SHARE
    held_out = splits(network, N_SPLITS, seed=SEED, share=share, together=together)
    for split, dyads in enumerate(held_out, start=1):
        weight, train = network.weight_of(*dyads), network.hide(*dyads)
        for dim in SPECTRAL_DIMS:
            prediction = predict_spectral(train, *dyads, weight, dim)
            scored = scores(prediction, weight, pair_number(*dyads) if together else None)
            facts = {"model": "spectral-nb", "dim": dim, "split": split, "dyads": len(weight)}
            rows.append({**facts, **scored})
    return pd.DataFrame(rows)


def collect(folder: Path, runs: Mapping[str, Run], table: str) -> Iterator[pd.DataFrame]:
    """Yield a table of all runs that are whole; it says of which, and what was held out."""
    for name, asked in runs.items():
        file = folder / "runs" / name / table
        if file.exists():
            yield pd.read_csv(file).assign(
                run=name,
                held_out="pairs" if asked.together else "single dyads",
                edges_only=asked.binary,
                method=METHODS[asked.method].title,
            )


def baselines(folder: Path, runs: Mapping[str, Run], network: Network) -> Iterator[pd.DataFrame]:
    """Yield the scores of the baselines, on the splits of all runs that are whole."""
    known = pd.concat(collect(folder, runs, BASELINES), ignore_index=True)
    known = known[~known["edges_only"]].assign(method=np.nan)
    for held_out, rows in known.groupby("held_out"):
        first = rows[rows["run"] == rows["run"].iloc[0]]  # the same in all runs
        spectral = spectral_scores(network, together=held_out == "pairs")
        yield first
        yield spectral.assign(run="", held_out=held_out, edges_only=False)


def main(folder: Path, runs: Mapping[str, Run], network: Network) -> None:
    """Run, and write the page."""
    for name, asked in runs.items():
        run(name, asked, folder, network)
        write(folder, runs, network)
    print(f"written to {folder}")


def write(folder: Path, runs: Mapping[str, Run], network: Network) -> None:
    """Write the page of the runs that are whole."""
    parts = [*collect(folder, runs, SCORES), *baselines(folder, runs, network)]
    table = held_out_page.labelled(pd.concat(parts, ignore_index=True))
    warnings = held_out_page.labelled(pd.concat(collect(folder, runs, WARNINGS), ignore_index=True))
    best = held_out_page.best(table)
    calibration = pd.read_csv(folder / "runs" / best["run"] / CALIBRATION)
    settings = {
        METHODS[method].title: ", ".join(f"{name} = {value}" for name, value in asked.items())
        for method, asked in ARGUMENTS.items()
    }
    missing = {
        name: in_words(asked)
        for name, asked in runs.items()
        if not (folder / "runs" / name / SCORES).exists()
    }
    page = held_out_page.page(table, warnings, calibration, describe(network), settings, missing)
    files = {
        SCORES: as_csv(table),
        CALIBRATION: as_csv(calibration),
        **markdown_files(page),
    }
    write_files(folder, files)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m studies.held_out", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("--quick", action="store_true", help="a small network: a trial")
    arguments = parser.parse_args()
    if arguments.quick:
        main(arguments.folder, QUICK, simulate(30, 2, seed=1, model="poisson-squared")[0])
    else:
        main(arguments.folder, RUNS, load_celegans(parallel_edges="sum"))
