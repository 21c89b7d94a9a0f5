"""NUTS goes on where its chains ended: from their last states, with their step sizes and metrics.

What a run learned of its posterior is in CmdStan's files that lie with the fit: the coordinates are
shaped by the draws of its pilot, and the jumps of nodes are learned from those of its second run,
anew and to the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cmdstanpy
import numpy as np

from lsm_stan.errors import InputError
from lsm_stan.inference.compiled_model import CompiledModel
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.going_on import read_files, settings_to_go_on
from lsm_stan.inference.jumps import learn_jumps
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.moves import moves_data
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import MAX_SEED, Run
from lsm_stan.inference.sample import (
    CHAINS,
    JUMPS_FOLDER,
    PILOT_FOLDER,
    ends_of,
    finish_chains,
    gradients_of,
    read_chains,
    sample_chains,
    shaped_by,
)
from lsm_stan.posterior.checks import ITERATIONS
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray, plain

#: The folder of CmdStan's files of each time that chains went on.
RESUMED = "resumed-{}"


def resume(fit: Fit, *, draws: int, show_progress: bool = True) -> Fit:
    """Let the chains of a fit by NUTS go on.

    Parameters
    ----------
    fit : Fit
        A fit by NUTS.
    draws : int
        How many iterations each chain goes on for.
    show_progress : bool, default True
        Show progress bars.

    Returns
    -------
    Fit
        All draws, those of before first, with checks of all.

    Raises
    ------
    InputError
        If the fit is by another method, of layers, or by another version of the program.
    DamagedError
        If CmdStan's files of the chains are missing.
    """
    draws, record = plain(draws), fit.record
    if record.method != "nuts":
        raise InputError(
            f"the fit is by {METHODS[record.method].title}, which has no chains that could go on; a"
            " fit by NUTS is needed"
        )
    if isinstance(fit, LayeredFit):
        raise InputError("the fit is of layers, whose chains do not go on; sample more at once")
    if type(draws) is not int or draws < 1:
        raise InputError(f"draws is {draws!r}; an integer from 1 is needed")
    settings = {**record.model, "model": fit.spec}
    kernel, threads = settings.pop("kernel"), settings.pop("threads")
    problem = Problem.of(fit.network, settings.pop("dim"), **settings)
    model = CompiledModel(problem, kernel, threads)
    if model.compiled.program != record.program:
        raise InputError(
            "the fit is by another version of the program, whose chains do not go on in this one;"
            " sample again, or install the version of the fit"
        )
    before = _past(fit)
    past, times = [read_chains(each, problem) for each in before], len(before)
    arguments = dict(record.arguments)
    arguments["iter_sampling"] = arguments.get("iter_sampling", ITERATIONS) + draws
    # another seed, or the chains would take the random numbers of their first draws again
    seed = (record.seed + times) % MAX_SEED
    run = Run(problem, model.compiled, METHODS["nuts"], seed, arguments, show_progress)
    run.keep_files(fit.cmdstan_output)
    change, moves = _learned(fit, problem)
    run.say(f"{counted(before[0].chains, 'chain')}, {counted(draws, 'iteration')} more of each")
    cmdstan = settings_to_go_on(before[0], record.arguments, draws)
    starts = ends_of(past[-1][0])
    past.append(sample_chains(run, RESUMED.format(times), starts, change, cmdstan, moves))
    run.seed = record.seed
    return finish_chains(
        run,
        _joined([each for each, _ in past]),
        _joined([columns for _, columns in past]),
        moves,
        gradients=record.details["gradients"] + gradients_of(past[-1][1]),
        details={
            "preconditioned": change is not None,
            "moves": moves is not None,
            "resumed": times,
        },
    )


def _past(fit: Fit) -> list[cmdstanpy.CmdStanMCMC]:
    """Read the chains of a fit, and of each time that they went on."""
    folders = [fit.cmdstan_output / CHAINS]
    while (next_ := fit.cmdstan_output / RESUMED.format(len(folders))).is_dir():
        folders.append(next_)
    return [read_files(folder) for folder in folders]


def _learned(fit: Fit, problem: Problem) -> tuple[Preconditioner | None, dict[str, Any] | None]:
    """Return the coordinates that the chains had, and the moves between their transitions."""
    if not fit.record.details["preconditioned"]:
        return None, None
    pilot = read_chains(read_files(fit.cmdstan_output / PILOT_FOLDER), problem)[0]["z"]
    change = shaped_by(problem, pilot)
    if change is None or not fit.record.details["moves"]:
        return change, None
    teacher = read_chains(read_files(fit.cmdstan_output / JUMPS_FOLDER), problem)[0]["z"]
    return change, moves_data(problem, change, learn_jumps(problem, teacher, fit.record.seed))


def _joined(parts: Sequence[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
