"""NUTS with and without the change of variables, from one mode."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.problem import CELEGANS, DIM, make_problem
from lsm_stan import Fit, LatentSpaceModel
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.invariants import MONITORED_PAIRS, pair_distances, sample_pairs
from lsm_stan.typing import FloatArray

CHAINS, WARMUP, DRAWS, MAX_TREEDEPTH = 2, 500, 500, 12

#: The runs: arguments of ``LatentSpaceModel.sample``.
RUNS: dict[str, dict[str, Any]] = {
    "nuts-moves": {},
    "nuts-preconditioned": {"moves": False, "max_treedepth": MAX_TREEDEPTH},
    "nuts-plain": {"precondition": False, "max_treedepth": MAX_TREEDEPTH},
}


def run(
    warmup: int = WARMUP, draws: int = DRAWS, n_nodes: int = CELEGANS
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the benchmark.

    Parameters
    ----------
    warmup, draws : int
        Iterations a chain.
    n_nodes : int, default CELEGANS
        As of :func:`benchmarks.problem.make_problem`.

    Returns
    -------
    results : pandas.DataFrame
        Columns ``implementation, gradients, seconds, ess_median, ess_p05, rhat_p95``: gradients
        a draw after warmup; seconds of the whole run, warmup and the short first run that
        shapes the change of variables included, the mode not; bulk ESS and R-hat of the
        monitored distances.
    details : dict
        The length of the runs, and the loss of the mode they start from.
    """
    with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
        network = make_problem(n_nodes, Path(folder)).network
    model = LatentSpaceModel(network, DIM)
    mode = model.optimize(seed=1, show_progress=False)
    rows = []
    for name, arguments in RUNS.items():
        start = time.perf_counter()
        fit = model.sample(
            seed=1,
            chains=CHAINS,
            init=mode,
            iter_warmup=warmup,
            iter_sampling=draws,
            show_progress=False,
            **arguments,
        )
        seconds = time.perf_counter() - start
        distance = monitored_distances(fit)
        items = diagnostics.diagnostic_table(diagnostics.as_dataset(distance=distance))
        steps = container.sample_stat(fit.idata, "n_steps")
        assert steps is not None
        row: dict[str, Any] = {
            "implementation": name,
            "gradients": float(steps.mean()),
            "seconds": seconds,
            "ess_median": float(items["ess_bulk"].median()),
            "ess_p05": float(items["ess_bulk"].quantile(0.05)),
            "rhat_p95": float(items["rhat"].quantile(0.95)),
        }
        rows.append(row)
        numbers = {key: round(value, 3) for key, value in row.items() if key != "implementation"}
        print(f"  {name}: {numbers}", flush=True)
    details = {
        "chains": CHAINS,
        "warmup": warmup,
        "draws": draws,
        "max_treedepth": MAX_TREEDEPTH,
        "mode_loss": mode.record.loss,
    }
    return pd.DataFrame(rows), details


def monitored_distances(fit: Fit) -> FloatArray:
    """Return the ``(chain, draw, P)`` distances a fit is judged by."""
    z = container.draws_of(fit.idata)
    return pair_distances(z, sample_pairs(z.shape[2], MONITORED_PAIRS))
