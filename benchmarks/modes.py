"""The loss of the mode found against the time it took, on one network."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.problem import CELEGANS, DIM, Problem, make_problem
from lsm_stan import LatentSpaceModel
from lsm_stan.typing import FloatArray

SEEDS = (1, 2, 3)

#: Ways to find a mode with this package: arguments of ``LatentSpaceModel.optimize``.
OURS: dict[str, dict[str, Any]] = {
    "lbfgs-plain": {"starts": 1, "ladder": ()},
    "continuation-1": {"starts": 1},
    "continuation": {},
}

#: From a seed to ``(N, K)`` positions.
Search = Callable[[int], FloatArray]


def run(
    seeds: Sequence[int] = SEEDS, n_nodes: int = CELEGANS
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the benchmark.

    Parameters
    ----------
    seeds : sequence of int, default SEEDS
        Each gives a start, drawn from N(0, I), to every implementation.
    n_nodes : int, default CELEGANS
        As of :func:`benchmarks.problem.make_problem`.

    Returns
    -------
    results : pandas.DataFrame
        Columns ``implementation, seed, seconds, loss``. Nothing is compiled in these seconds.
        The loss is minus the log joint density of this package's model, whoever found the mode.
    details : dict
        Nothing so far.
    """
    with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
        problem = make_problem(n_nodes, Path(folder))
    model = LatentSpaceModel(problem.network, DIM)
    searches = all_searches(problem, model)
    rows = []
    for seed in seeds:
        for name, search in searches.items():
            start = time.perf_counter()
            z = search(seed)
            seconds = time.perf_counter() - start
            loss = -float(model.log_prob_grad(z)[0])
            rows.append({"implementation": name, "seed": seed, "seconds": seconds, "loss": loss})
            print(f"  {name}, seed {seed}: loss {loss:.2f} in {seconds:.1f} s", flush=True)
    return pd.DataFrame(rows), {}


def all_searches(problem: Problem, model: LatentSpaceModel) -> dict[str, Search]:
    """Return every way to find a mode, compiled."""
    searches: dict[str, Search] = {}
    if importlib.util.find_spec("jax"):
        from benchmarks.adam import Adam

        adam = Adam(problem)

        def tutorial(seed: int) -> FloatArray:
            start = np.random.default_rng(seed).normal(size=problem.positions[0].shape)
            return adam.run(start)

        searches["adam-jax"] = tutorial
    model.log_prob_grad(problem.positions[0])

    def ours(arguments: dict[str, Any]) -> Search:
        return lambda seed: model.optimize(seed=seed, show_progress=False, **arguments).positions

    return {**searches, **{name: ours(arguments) for name, arguments in OURS.items()}}
