"""NUTS: a run of chains, a pilot that shapes its coordinates, and the mean of its draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.run import SIG_FIGS, Run
from lsm_stan.model.parameters import Parameters, from_stan
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.alignment import mean_positions, rotation_onto
from lsm_stan.progress import has_bars
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray

#: Warmup and sampling iterations of the short run whose draws shape the preconditioner.
PILOT = 150


def sample_chains(
    run: Run,
    name: str,
    starts: Sequence[Parameters],
    change: Preconditioner | None,
    cmdstan: Mapping[str, Any],
) -> tuple[Parameters, dict[str, FloatArray]]:
    """Run chains, one a start.

    Parameters
    ----------
    run : Run
        The run that the chains belong to.
    name : str
        Name of the folder of CmdStan's files.
    starts : sequence of dict of str to ndarray
        Parameters that the chains start at.
    change : Preconditioner or None
        The change of variables.
    cmdstan : Mapping
        Further arguments of CmdStanPy.

    Returns
    -------
    draws : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    columns : dict of str to ndarray of shape (chain, draw)
        The sampler's columns, called as CmdStan calls them.
    """
    problem = run.problem
    learned = problem.spec.hierarchical
    defaults: dict[str, Any] = {"sig_figs": SIG_FIGS, "threads_per_chain": run.compiled.threads}
    if change is not None and "inv_metric" not in cmdstan:
        # in the preconditioned coordinates every direction has about the same scale, and a metric
        # estimated from few draws of a posterior this stiff does harm
        defaults["metric"] = "unit_e"
    with run.folder(name) as folder:
        result = run.cmdstan(
            data=problem.stan_data(learned=learned, change=change),
            inits=[problem.inits(start, learned=learned, change=change) for start in starts],
            chains=len(starts),
            output_dir=folder,
            show_progress=has_bars(run.show_progress),
            **{**defaults, **cmdstan},
        )
        columns = {key: np.asarray(values).T for key, values in result.method_variables().items()}
        draws = {
            key: values.reshape(len(starts), -1, *values.shape[1:])
            for key, values in from_stan(result, problem.spec).items()
        }
    return draws, columns


def run_pilot(
    run: Run, starts: Sequence[Parameters], change: Preconditioner, cmdstan: Mapping[str, Any]
) -> tuple[list[Parameters], Preconditioner | None]:
    """Run short chains: where they end the others start, and their draws shape the coordinates.

    Parameters
    ----------
    run : Run
        The run that the chains belong to.
    starts : sequence of dict of str to ndarray
        Parameters that the short chains start at.
    change : Preconditioner
        The change of variables of the short chains.
    cmdstan : Mapping
        Further arguments of CmdStanPy.

    Returns
    -------
    starts : list of dict of str to ndarray
        Parameters where the short chains end.
    change : Preconditioner or None
        The change of variables that their draws shape.
    """
    run.say(f"a pilot run of {counted(len(starts), 'chain')} shapes the preconditioner")
    short = {"iter_warmup": PILOT, "iter_sampling": PILOT, "thin": 1}
    pilot, _ = sample_chains(run, "pilot", starts, change, {**cmdstan, **short})
    z = pilot["z"]
    ends: list[Parameters] = [
        {name: values[chain, -1] for name, values in pilot.items()} for chain in range(len(z))
    ]
    return ends, run.problem.preconditioner(z[:, ::3].reshape(-1, *z.shape[2:]))


def sample_stats(columns: Mapping[str, FloatArray]) -> dict[str, NDArray[Any]]:
    """Return the sampler's columns as ArviZ calls them, integers and truth values as such.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (chain, draw)
        Columns, called as CmdStan calls them.

    Returns
    -------
    dict of str to ndarray of shape (chain, draw)
    """
    stats: dict[str, NDArray[Any]] = {
        arviz: columns[stan].astype(int if arviz in container.COUNTS else float)
        for stan, arviz in container.SAMPLE_STATS.items()
    }
    stats["diverging"] = stats["diverging"].astype(bool)
    return stats


def mean_of_draws(draws: Parameters, log_joint: FloatArray) -> dict[str, FloatArray]:
    """Return the mean of draws, positions and roles aligned.

    Parameters
    ----------
    draws : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    log_joint : ndarray of shape (chain, draw)
        Log joint densities; the best draw is what the others are aligned with first.

    Returns
    -------
    dict of str to ndarray
        Means without the leading axes.
    """
    z = draws["z"]
    best = z.reshape(-1, *z.shape[2:])[log_joint.argmax()]
    estimate = {name: values.mean(axis=(0, 1)) for name, values in draws.items()}
    estimate["z"] = mean_positions(z, best)
    if "role" in draws:  # turned as the positions are
        turned = draws["role"] @ rotation_onto(z, estimate["z"])
        estimate["role"] = turned.mean(axis=(0, 1))
    return estimate
