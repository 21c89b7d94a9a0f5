"""MAP: modes by softened continuation, each run of it by CmdStan's L-BFGS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lsm_stan.cmdstan.density import write_data
from lsm_stan.inference.continuation import continuation, distinct_modes
from lsm_stan.inference.run import Run
from lsm_stan.model.parameters import Parameters, from_stan
from lsm_stan.progress import has_bars
from lsm_stan.typing import FloatArray

#: An L-BFGS run of the continuation.
LBFGS = {"algorithm": "lbfgs", "history_size": 20, "iter": 2000, "sig_figs": 18}

#: The last L-BFGS run of a start goes on until the line search can improve no more: CmdStan
#: refuses tolerances of 0.
POLISH = {
    "iter": 20_000,
    **dict.fromkeys(("tol_obj", "tol_rel_obj", "tol_grad", "tol_rel_grad", "tol_param"), 1e-30),
}


def find_modes(
    run: Run, starts: int, ladder: Sequence[float], cmdstan: Mapping[str, Any]
) -> list[Parameters]:
    """Run softened continuation from starts that are drawn from the prior.

    Parameters
    ----------
    run : Run
        The run; its seed draws the starts.
    starts : int
        Number of starts.
    ladder : sequence of float
        Softenings before the exact model, in units of distance, largest first; empty for one
        L-BFGS run a start.
    cmdstan : Mapping
        Further arguments of CmdStanPy, for every run.

    Returns
    -------
    list of dict of str to ndarray
        Parameters at the end of each start.
    """
    problem, unclustered = run.problem, run.problem.without_clusters()
    rng = np.random.default_rng(run.seed)
    shape = (starts, problem.network.n_nodes, problem.dim)
    points: list[Parameters] = [{"z": z} for z in rng.normal(scale=problem.prior_scale, size=shape)]
    rungs = len(ladder) + 1
    run.say(f"{starts} starts of {rungs} L-BFGS runs")

    def descend(point: Parameters, softening: float, *, start: int, polish: bool) -> Parameters:
        # only the runs that end in the exact model leave their files with the fit; there the
        # stiffness of heavy pairs would cost thousands of iterations, where the ladder has come
        # near enough to a mode to know it
        change = problem.preconditioner(point["z"][None]) if polish and ladder else None
        descended = problem if polish else unclustered
        with run.folder(f"start-{start + 1}" if polish else None) as folder:
            result = run.cmdstan(
                data=problem.stan_data(change=change) if polish else data[softening],
                inits=descended.inits(point, change=change),
                output_dir=folder,
                require_converged=False,
                **{**LBFGS, **(POLISH if polish else {}), **cmdstan},
            )
            return from_stan(result, descended.spec)

    hidden = not has_bars(run.show_progress)
    with (
        run.folder(None) as folder,  # all starts share the data
        tqdm(total=starts * rungs, desc="MAP", unit="run", disable=hidden) as bar,
    ):
        data = {
            softening: write_data(
                Path(folder, f"rung-{rung}.json"), unclustered.stan_data(softening=softening)
            )
            for rung, softening in enumerate(ladder)
        }
        return continuation(descend, points, ladder, bar.update)


def starts_of_record(
    ends: Sequence[Parameters], log_joint: FloatArray, gradient: FloatArray
) -> list[dict[str, Any]]:
    """Return what the record says of every start, the best first.

    Parameters
    ----------
    ends : sequence of dict of str to ndarray
        Parameters at the end of each of S starts.
    log_joint : ndarray of shape (S,)
        Log joint densities there, in nats.
    gradient : ndarray of shape (S, P)
        Gradients there, in Stan's own coordinates.

    Returns
    -------
    list of dict
        ``start``, from 1; ``loss``, in nats; ``gradient_norm``; and ``mode``, from 1.
    """
    order = np.argsort(-log_joint)
    numbers = distinct_modes([ends[i]["z"] for i in order])
    return [
        {
            "start": int(i) + 1,
            "loss": -float(log_joint[i]),
            "gradient_norm": float(np.linalg.norm(gradient[i])),
            "mode": number + 1,
        }
        for i, number in zip(order, numbers, strict=True)
    ]
