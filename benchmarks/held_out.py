"""The family on held-out dyads of C. elegans: ``python -m benchmarks.held_out FOLDER``.

Ten per cent of single ordered dyads, and of pairs, in five seeded splits; one MAP start, K = 3. The
folder gets a selection for each, which goes on where it stopped, and ``celegans-scores.csv``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.spectral import predict_spectral
from lsm_stan import Network, load_celegans
from lsm_stan.holdout import splits
from lsm_stan.scores import scores
from lsm_stan.selection import run_selection

MODELS = (
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
DIM, N_SPLITS, SEED = 3, 5, 0

#: Singular vectors of the spectral embedding.
SPECTRAL_DIMS = (3, 10)


def spectral_scores(network: Network, *, together: bool) -> pd.DataFrame:
    """Score the spectral embedding on the splits: columns as of a selection's scores."""
    rows = []
    held_out = splits(network, N_SPLITS, seed=SEED, together=together)
    for split, dyads in enumerate(held_out, start=1):
        weight, train = network.weight_of(*dyads), network.hide(*dyads)
        for dim in SPECTRAL_DIMS:
            found = scores(predict_spectral(train, *dyads, weight, dim), weight)
            facts = {"model": "spectral-nb", "dim": dim, "split": split, "dyads": len(weight)}
            rows.append({**facts, **found})
    return pd.DataFrame(rows)


def summary(tables: Sequence[pd.DataFrame], held_out: str) -> pd.DataFrame:
    """Return means over splits, best first, of tables of scores."""
    table = pd.concat(tables, ignore_index=True)
    groups = table.groupby(["model", "dim"], dropna=False)
    means = groups[["log_density", "auc", "auc_pr", "brier"]].mean()
    means.insert(1, "error", groups["log_density"].sem())
    means = means.sort_values("log_density", ascending=False).reset_index()
    means.insert(0, "held_out", held_out)
    return means


def main(folder: Path, models: Sequence[str] = MODELS) -> None:
    """Run, and write the table."""
    network = load_celegans(parallel_edges="sum")
    found = []
    for held_out, together in (("single dyads", False), ("pairs", True)):
        selection = run_selection(
            network,
            folder / held_out.replace(" ", "-"),
            dims=[DIM],
            models=models,
            n_splits=N_SPLITS,
            seed=SEED,
            together=together,
            arguments={"starts": 1},
        )
        tables = [
            selection.scores,
            selection.references,
            spectral_scores(network, together=together),
        ]
        found.append(summary(tables, held_out))
    pd.concat(found).to_csv(folder / "celegans-scores.csv", index=False, float_format="%.4f")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
