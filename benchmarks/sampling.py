"""NUTS with and without the change of variables, on C. elegans, from one mode."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.problem import CELEGANS, DIM, make_problem
from lsm_stan import Fit, LatentSpaceModel
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.invariants import MONITORED_PAIRS, pair_distances, sample_pairs
from lsm_stan.typing import FloatArray

#: The two runs: arguments of ``LatentSpaceModel.sample``.
RUNS: dict[str, dict[str, Any]] = {
    "nuts-preconditioned": {"precondition": True},
    "nuts-plain": {"precondition": False},
}

CHAINS, WARMUP, DRAWS, MAX_TREEDEPTH = 2, 500, 500, 12


def run(warmup: int = WARMUP, draws: int = DRAWS) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the benchmark.

    Parameters
    ----------
    warmup, draws
        Iterations a chain.

    Returns
    -------
    results : pandas.DataFrame
        Columns ``implementation, gradients, seconds, ess_median, ess_p05, rhat_p95``: gradients
        a draw after warmup; seconds of the whole run, warmup and the short first run that
        shapes the change of variables included, the mode not; bulk ESS and R-hat of the
        monitored distances.
    details : dict
        The length of the runs, and how far apart their posteriors are; see `compare`.
    """
    with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
        network = make_problem(CELEGANS, Path(folder)).network
    model = LatentSpaceModel(network, DIM)
    mode = model.optimize(seed=1, show_progress=False)
    rows, distances = [], []
    for name, arguments in RUNS.items():
        start = time.perf_counter()
        fit = model.sample(
            seed=1,
            chains=CHAINS,
            init=mode,
            iter_warmup=warmup,
            iter_sampling=draws,
            max_treedepth=MAX_TREEDEPTH,
            show_progress=False,
            **arguments,
        )
        seconds = time.perf_counter() - start
        distances.append(monitored_distances(fit))
        items = container.diagnostics(container.as_dataset(distance=distances[-1]))
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
        "mode_loss": mode.record["loss"],
        "comparison": compare(*distances),
    }
    return pd.DataFrame(rows), details


def monitored_distances(fit: Fit) -> FloatArray:
    """Return the ``(chain, draw, P)`` distances a fit is judged by."""
    z = container.draws_of(fit.idata)
    return pair_distances(z, sample_pairs(z.shape[2], MONITORED_PAIRS))


def compare(one: FloatArray, other: FloatArray) -> dict[str, dict[str, float]]:
    """Compare two samples of the same posterior.

    Parameters
    ----------
    one, other
        ``(chain, draw, P)`` quantities.

    Returns
    -------
    dict
        For ``mean`` and ``sd``: the differences of the P estimates in units of their Monte-Carlo
        standard error (both samples' in quadrature), as root mean square, share beyond 2, and
        largest. Were both samples long and the errors known, the first would be about 1 and
        the second about 0.05.
    """
    found = {}
    for what, estimate in (("mean", np.mean), ("sd", np.std)):
        difference = estimate(one, axis=(0, 1)) - estimate(other, axis=(0, 1))
        variance = container.mcse(one, what) ** 2 + container.mcse(other, what) ** 2
        units = np.abs(difference) / np.sqrt(variance)
        found[what] = {
            "rms": float(np.sqrt(np.mean(units**2))),
            "beyond_2": float(np.mean(units > 2)),
            "largest": float(units.max()),
        }
    return found
