"""NUTS: a run of chains, a pilot that shapes its coordinates, and the mean of its draws."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_stan.inference.chain_files import ChainFile
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.going_on import (
    can_go_on,
    folder_after,
    read_files,
    settings_of_one,
    settings_to_go_on,
    state_after,
    take_up,
)
from lsm_stan.inference.jumps import learn_jumps
from lsm_stan.inference.moves import DEPTH, accepted_moves, moves_data, what_moved
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import SIG_FIGS, Run
from lsm_stan.model.parameters import Parameters, cloud
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.alignment import mean_positions, rotation_onto
from lsm_stan.posterior.checks import ITERATIONS, Check, sampler_checks
from lsm_stan.processes import cores
from lsm_stan.progress import has_bars
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray

if TYPE_CHECKING:
    import cmdstanpy

#: Warmup and sampling iterations of the short run whose draws shape the preconditioner.
PILOT = 150

#: Folders of CmdStan's files: of the pilot, of the run that teaches jumps, and of the chains.
PILOT_FOLDER, JUMPS_FOLDER, CHAINS = "pilot", "jumps", "chains"

#: Depth of trees where nothing else is asked for: Stan's.
MAX_TREEDEPTH = 10


def sample_chains(
    run: Run,
    name: str,
    starts: Sequence[Parameters],
    change: Preconditioner | None,
    cmdstan: Mapping[str, Any],
    moves: Mapping[str, Any] | None = None,
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
    moves : Mapping or None, default None
        Moves between transitions (:func:`lsm_stan.inference.moves.moves_data`), of which the
        metric has the covariance of the change of variables: coordinates are positions then.

    Returns
    -------
    draws : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    columns : dict of str to ndarray of shape (chain, draw)
        The sampler's columns, called as CmdStan calls them.
    """
    problem = run.problem
    learned = problem.hierarchical
    defaults: dict[str, Any] = {"sig_figs": SIG_FIGS, "threads_per_chain": run.compiled.threads}
    if moves is not None:
        # the program's own metric stands in for Stan's unit metric
        defaults |= {"max_treedepth": DEPTH, "metric": "unit_e"}
        change = None
    elif change is not None and "inv_metric" not in cmdstan:
        # in the preconditioned coordinates every direction has about the same scale, and a metric
        # estimated from few draws of a posterior this stiff does harm
        defaults["metric"] = "unit_e"
    settings = defaults | {key: value for key, value in cmdstan.items() if value is not None}

    def chains(starts: Sequence[Parameters], folder: Path, settings: Mapping[str, Any]) -> Any:
        return run.cmdstan(
            data=problem.stan_data(learned=learned, change=change),
            inits=[problem.inits(start, learned=learned, change=change) for start in starts],
            chains=len(starts),
            output_dir=str(folder),
            show_progress=has_bars(run.show_progress),
            moves=moves,
            **settings,
        )

    with run.folder(name) as there:
        folder = Path(there)
        if not _went_on(run, folder, starts, settings, chains):
            shutil.rmtree(folder)
            folder.mkdir()
            return read_chains(chains(starts, folder, settings), problem)
        return read_chains(read_files(folder), problem)


def _went_on(
    run: Run,
    folder: Path,
    starts: Sequence[Parameters],
    settings: Mapping[str, Any],
    sample: Callable[[Sequence[Parameters], Path, Mapping[str, Any]], object],
) -> bool:
    """Let chains that were interrupted go on to their ends; return whether there are such."""
    if not can_go_on(settings):
        return False
    iterations, thin = settings.get("iter_sampling", ITERATIONS), settings.get("thin", 1)
    wanted = math.ceil(iterations / thin)
    files = take_up(folder, len(starts), wanted)
    before = [len(file.draws) for file in files]
    if not any(before):
        return False
    run.from_before[folder.name] = before
    run.say(f"{folder.name}: {sum(before)} of {wanted * len(files)} draws were made before")

    def finish(chain: int, file: ChainFile) -> None:
        start, others = starts[chain - 1], settings_of_one(settings, chain, len(starts))
        if file.draws:
            state = state_after(file, thin)
            [start] = ends_of(read_chains(state, run.problem)[0])
            others = settings_to_go_on(state, settings, (wanted - len(file.draws)) * thin)
            others["seed"] = run.seed_after(chain, len(file.draws))
        after = folder_after(folder, chain, file)
        after.mkdir()
        sample([start], after, {**others, "chain_ids": [chain]})

    with ThreadPoolExecutor(settings.get("parallel_chains") or cores()) as pool:
        left = [item for item in enumerate(files, start=1) if not item[1].tail]
        list(pool.map(finish, *zip(*left, strict=True)) if left else ())
    take_up(folder, len(starts), wanted)
    return True


def read_chains(
    result: cmdstanpy.CmdStanMCMC, problem: Problem
) -> tuple[Parameters, dict[str, FloatArray]]:
    """Return draws and columns of chains.

    Parameters
    ----------
    result : CmdStanMCMC
        What CmdStanPy returned for the chains, or read from their files.
    problem : Problem
        The model and its network.

    Returns
    -------
    draws : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    columns : dict of str to ndarray of shape (chain, draw)
        The sampler's columns, called as CmdStan calls them.
    """
    columns = {key: np.asarray(values).T for key, values in result.method_variables().items()}
    draws = {
        key: values.reshape(result.chains, -1, *values.shape[1:])
        for key, values in problem.from_stan(result, learned=problem.hierarchical).items()
    }
    return draws, columns


def sample_posterior(
    run: Run,
    starts: Sequence[Parameters],
    change: Preconditioner | None,
    moved: bool,
    cmdstan: Mapping[str, Any],
) -> Fit:
    """Sample the posterior, after short runs that shape the coordinates and teach jumps.

    Where nodes move, most of the warmup that was asked for is the run whose draws teach jumps: a
    clan that changes its place once in a thousand draws has to be seen doing so.

    Parameters
    ----------
    run : Run
        The run that the chains belong to.
    starts : sequence of dict of str to ndarray
        Parameters that the chains start at.
    change : Preconditioner or None
        The first change of variables.
    moved : bool
        Whether nodes move between transitions.
    cmdstan : Mapping
        Further arguments of CmdStanPy.

    Returns
    -------
    Fit
        The estimate is the mean of the draws, aligned.
    """
    problem, gradients, moves = run.problem, 0, None
    if change is not None:
        run.say(f"a pilot run of {counted(len(starts), 'chain')} shapes the preconditioner")
        short = {**cmdstan, "iter_warmup": PILOT, "iter_sampling": PILOT, "thin": 1}
        moves = moves_data(problem, change) if moved else None
        pilot, columns = sample_chains(run, PILOT_FOLDER, starts, change, short, moves)
        starts, gradients = ends_of(pilot), gradients_of(columns)
        change = shaped_by(problem, pilot["z"])
        if moved and change is not None:
            jumps = learn_jumps(problem, pilot["z"], run.seed)
            run.say(f"{counted(len(jumps), 'jump')} of nodes help to find more of them")
            moves = moves_data(problem, change, jumps)
            warmup = ITERATIONS if (given := cmdstan.get("iter_warmup")) is None else given
            settling = min(warmup, 2 * PILOT)
            short = {**short, "iter_sampling": max(2 * PILOT, warmup - settling)}
            cmdstan = {**cmdstan, "iter_warmup": settling}
            pilot, columns = sample_chains(run, JUMPS_FOLDER, starts, change, short, moves)
            starts, gradients = ends_of(pilot), gradients + gradients_of(columns)
            moves = moves_data(problem, change, learn_jumps(problem, pilot["z"], run.seed))
    run.say(counted(len(starts), "chain"))
    draws, columns = sample_chains(run, CHAINS, starts, change, cmdstan, moves)
    return finish_chains(
        run,
        draws,
        columns,
        moves,
        gradients=gradients + gradients_of(columns),
        details={"preconditioned": change is not None, "moves": moved},
    )


def shaped_by(problem: Problem, positions: FloatArray) -> Preconditioner | None:
    """Return the change of variables that a pilot shapes.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    positions : ndarray of shape (chain, draw, N, K)
        The pilot's draws.

    Returns
    -------
    Preconditioner or None
    """
    return problem.preconditioner(positions[:, ::3].reshape(-1, *positions.shape[2:]))


def finish_chains(
    run: Run,
    draws: Parameters,
    columns: Mapping[str, FloatArray],
    moves: Mapping[str, Any] | None,
    *,
    gradients: int,
    details: Mapping[str, Any],
) -> Fit:
    """Judge chains, and assemble the fit.

    Parameters
    ----------
    run : Run
        The run that the chains belong to.
    draws : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    columns : dict of str to ndarray of shape (chain, draw)
        The sampler's columns, called as CmdStan calls them.
    moves : Mapping or None
        Moves between transitions, as in :func:`sample_chains`.
    gradients : int
        How many were evaluated.
    details : Mapping
        What the record says of the run besides.

    Returns
    -------
    Fit
        The estimate is the mean of the draws, aligned.
    """
    stats, log_joint = sample_stats(columns), columns["lp__"]
    depth, moved = run.arguments.get("max_treedepth"), moves is not None
    checks, measured = sampler_checks(
        run.problem.monitored(draws, log_joint),
        stats,
        depth or (DEPTH if moved else MAX_TREEDEPTH),
        run.arguments,
        meant=moved and depth is None,
    )
    measured["gradients"] = gradients
    if moves is not None:
        accepted = accepted_moves(moves, columns)
        measured |= accepted
        checks.append(Check("moves", True, what_moved(accepted)))
        run.say(what_moved(accepted))
    if run.from_before:
        measured["from_before"] = run.from_before
    return run.finish(
        draws=draws,
        log_joint=log_joint,
        estimate=mean_of_draws(draws, log_joint),
        sample_stats=stats,
        checks=checks,
        details={**details, **measured},
    )


def ends_of(draws: Parameters) -> list[Parameters]:
    """Return the parameters where chains end.

    Parameters
    ----------
    draws : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.

    Returns
    -------
    list of dict of str to ndarray
        One a chain.
    """
    return [
        {name: values[chain, -1] for name, values in draws.items()}
        for chain in range(len(draws["z"]))
    ]


def gradients_of(columns: Mapping[str, FloatArray]) -> int:
    """Return how many gradients chains took, their warmup included.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (chain, draw)
        The sampler's columns, called as CmdStan calls them.

    Returns
    -------
    int
    """
    return int(columns["gradients__"][:, -1].sum())


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
    z = cloud(draws)
    best = z.reshape(-1, *z.shape[2:])[log_joint.argmax()]
    estimate = {name: values.mean(axis=(0, 1)) for name, values in draws.items()}
    estimate["z"] = mean_positions(z, best)
    turn = rotation_onto(z, estimate["z"])
    if "role" in draws:  # turned as the positions are
        estimate["role"] = (draws["role"] @ turn).mean(axis=(0, 1))
    if "z_layer" in draws:  # what turned as one are the positions of all layers
        estimate["z_layer"] = (draws["z_layer"] @ turn[..., None, :, :]).mean(axis=(0, 1))
        estimate["z"] = (draws["z"] @ turn).mean(axis=(0, 1))
    return estimate
