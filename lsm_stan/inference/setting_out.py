"""Where runs set out, and in which coordinates; a mode is found first if need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lsm_stan.inference.fit import Fit
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.run import Run
from lsm_stan.inference.starts import Init, is_random, random_starts
from lsm_stan.model.parameters import Parameters


def starts_for(
    run: Run, given: Parameters | None, init: Init, count: int, optimize: Callable[..., Fit]
) -> list[Parameters]:
    """Return starting values: those given, else a mode or random ones.

    Parameters
    ----------
    run : Run
        The run; it keeps what was given.
    given : dict of str to ndarray, or None
        Parameters without leading axes.
    init : Init
        What was asked for.
    count : int
        Number of starts.
    optimize : callable
        Finds a mode.

    Returns
    -------
    list of dict of str to ndarray
    """
    if given is not None:
        run.keep_start(given)
        return [given] * count
    if is_random(init):
        return random_starts(run.problem, count, run.seed)
    mode = run.made_once(
        "mode", lambda: optimize(seed=run.seed, show_progress=run.show_progress).estimate
    )
    return [mode] * count


def first_change(
    run: Run, init: Init, starts: Sequence[Parameters], optimize: Callable[..., Fit]
) -> Preconditioner | None:
    """Return the change of variables shaped by the start, or by a mode if that is random.

    Random positions have nothing of the posterior's curvature; a mode does, whichever it is.

    Parameters
    ----------
    run : Run
        The run.
    init : Init
        What was asked for.
    starts : sequence of dict of str to ndarray
        Starting values.
    optimize : callable
        Finds a mode.

    Returns
    -------
    Preconditioner or None
    """
    problem, positions = run.problem, starts[0]["z"]
    if is_random(init) and problem.preconditioned:
        quick = partial(optimize, seed=run.seed, starts=1, show_progress=False)
        positions = run.made_once("shape", lambda: {"z": quick().positions})["z"]
    return problem.preconditioner(positions[None])
