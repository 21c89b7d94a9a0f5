"""MAP: modes by softened continuation, each run of it by CmdStan's L-BFGS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from lsm_stan.cmdstan.density import write_data
from lsm_stan.inference.continuation import continuation
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.following import is_followed, numbered_modes, settled_ends
from lsm_stan.inference.hops import hop
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.mode_checks import settle_mode
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import Run
from lsm_stan.inference.starts import prior_starts
from lsm_stan.inference.symmetries import freely_moved
from lsm_stan.inference.units import counted_in, counting_units, first_step, recounted
from lsm_stan.model.parameters import Parameters, flat
from lsm_stan.posterior.checks import Check
from lsm_stan.progress import has_bars
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray

if TYPE_CHECKING:
    import cmdstanpy

#: An L-BFGS run of the continuation.
LBFGS = {"algorithm": "lbfgs", "history_size": 20, "iter": 2000, "sig_figs": 18}

#: Positions that differ by less than this share of the largest coordinate are in one place.
SAME_PLACE = 1e-9

#: The last L-BFGS run of a start goes on until the line search can improve no more: CmdStan
#: refuses tolerances of 0.
POLISH = {
    "iter": 20_000,
    **dict.fromkeys(("tol_obj", "tol_rel_obj", "tol_grad", "tol_rel_grad", "tol_param"), 1e-30),
}


@dataclass(frozen=True)
class Rung:
    """A model that a start descends in on its way to the exact one.

    Attributes
    ----------
    problem : Problem
        The model; before the last rung without clusters.
    before, unit : int
        How many counts were one on the rung before, and are in its network.
    softening : float
        ε of the softened distance, in units of distance.
    last : bool
        Whether this is the exact model, in coarse counts where modes are followed from there
        (:mod:`lsm_stan.inference.following`): L-BFGS goes on until it can improve no more.
    """

    problem: Problem
    before: int
    unit: int
    softening: float
    last: bool = False


@dataclass(frozen=True)
class Search:
    """What came of the starts.

    Attributes
    ----------
    ends : list of dict of str to ndarray
        Parameters at the end of each start.
    moved : list of bool
        Whether L-BFGS left the place where it began, on any rung of a start.
    gradients : int
        How many gradients L-BFGS took.
    """

    ends: list[Parameters]
    moved: list[bool]
    gradients: int


def rungs_of(problem: Problem, ladder: Sequence[float]) -> list[Rung]:
    """Return the models of a search: softer in coarse counts, then finer counts, then exact.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    ladder : sequence of float
        Softenings before the exact model, in units of distance, largest first.

    Returns
    -------
    list of Rung
    """
    units = [1] if problem.layered else counting_units(problem.network)
    if is_followed(problem):
        units = units[:1]
    elif units[0] > 1 and not ladder:
        ladder = (0.0,)
    unclustered = problem.without_clusters()
    coarse = counted_in(unclustered, units[0])
    finer = [
        Rung(counted_in(unclustered, unit), before, unit, 0.0)
        for before, unit in pairwise(units[:-1])
    ]
    unit = units[-1]
    before = units[-2] if len(units) > 1 else unit
    return [
        *(Rung(coarse, units[0], units[0], epsilon) for epsilon in ladder),
        *finer,
        Rung(counted_in(problem, unit), before, unit, 0.0, last=True),
    ]


def best_mode(
    run: Run,
    log_joint: LogJoint,
    starts: int,
    ladder: Sequence[float],
    hops: int,
    cmdstan: Mapping[str, Any],
) -> Fit:
    """Find the best mode of several starts, and go on from there by hops.

    Parameters
    ----------
    run : Run
        The run; its seed draws the starts.
    log_joint : LogJoint
        The density.
    starts : int
        Number of starts.
    ladder : sequence of float
        Softenings before the exact model, in units of distance, largest first.
    hops : int
        Number of hops from the best start's end.
    cmdstan : Mapping
        Further arguments of CmdStanPy, for every run.

    Returns
    -------
    Fit
        One chain of one draw.
    """
    search = find_modes(run, starts, ladder, cmdstan)
    ends = settled_ends(log_joint, search.ends)
    of_starts = starts_of_record(log_joint, ends)
    best = ends[of_starts[0]["start"] - 1]
    modes = max(start["mode"] for start in of_starts)
    details: dict[str, Any] = {"distinct_modes": modes, "hops": hops}
    gradients = search.gradients
    if hops:
        run.say(f"{counted(hops, 'hop')} from the best of them")
        hopping = hop(run, best, hops)
        best, details["hop_gain"] = hopping.point, hopping.gain
        gradients += hopping.gradients
    mode = settle_mode(log_joint, best)
    return run.finish(
        draws={name: value[None, None] for name, value in mode.point.items()},
        log_joint=np.full((1, 1), mode.log_joint),
        estimate=mode.point,
        checks=searched_checks(mode.checks, starts - sum(search.moved), starts),
        details={
            **mode.details,
            **details,
            "ladder": ladder,
            "starts": [{**start, "moved": search.moved[start["start"] - 1]} for start in of_starts],
            "gradients": gradients,
        },
    )


def find_modes(
    run: Run, starts: int, ladder: Sequence[float], cmdstan: Mapping[str, Any]
) -> Search:
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
    Search
    """
    rungs = rungs_of(run.problem, ladder)
    points = prior_starts(rungs[0].problem, starts, run.seed)
    moved = [False] * starts
    run.say(f"{starts} starts of {len(rungs)} L-BFGS runs")
    gradients: list[int] = []

    def descend(point: Parameters, rung: Rung, *, start: int) -> Parameters:
        point = recounted(point, run.problem, rung.before, rung.unit)
        # only the runs that end in the exact model leave their files with the fit; there the
        # stiffness of heavy pairs would cost thousands of iterations, where the ladder has come
        # near enough to a mode to know it
        near = rung.last and len(rungs) > 1
        change = rung.problem.preconditioner(point["z"][None]) if near else None
        with run.folder(f"start-{start + 1}" if rung.last else None) as folder:
            result = run.cmdstan(
                data=rung.problem.stan_data(change=change) if rung.last else data[rung],
                inits=rung.problem.inits(point, change=change),
                output_dir=folder,
                require_converged=False,
                **{
                    **LBFGS,
                    "init_alpha": first_step(rung.problem.network),
                    **(POLISH if rung.last else {}),
                    **cmdstan,
                },
            )
            gradients.append(evaluations(result))
            end = rung.problem.from_stan(result)
        moved[start] |= _differ(point["z"], end["z"])
        return end

    hidden = not has_bars(run.show_progress)
    with (
        run.folder(None) as folder,  # all starts share the data
        tqdm(total=starts * len(rungs), desc="MAP", unit="run", disable=hidden) as bar,
    ):
        data = {
            rung: write_data(
                Path(folder, f"rung-{number}.json"),
                rung.problem.stan_data(softening=rung.softening),
            )
            for number, rung in enumerate(rungs[:-1])
        }
        ends = continuation(descend, points, rungs, bar.update)
    return Search([freely_moved(rungs[-1].problem, end) for end in ends], moved, sum(gradients))


def evaluations(result: cmdstanpy.CmdStanMLE) -> int:
    """Return how many gradients a run of CmdStan's L-BFGS took, from what it printed.

    Parameters
    ----------
    result : CmdStanMLE
        What CmdStanPy returned for it.

    Returns
    -------
    int
        The last number of evaluations; 1 where it did not leave its start.
    """
    (console,) = result.runset.stdout_files
    said = Path(console).read_text(encoding="utf-8", errors="replace")
    # iteration, log prob, ||dx||, ||grad||, alpha, alpha0, evaluations, notes
    rows = re.findall(r"^ *\d+(?: +[-+.\dainfe]+){5} +(\d+)\b", said, re.MULTILINE)
    return int(rows[-1]) if rows else 1


def _differ(before: FloatArray, after: FloatArray) -> bool:
    """Return whether positions differ by more than the digits they are handed on with."""
    return bool(np.abs(after - before).max() > SAME_PLACE * np.abs(before).max())


def searched_checks(of_mode: Sequence[Check], stuck: int, starts: int) -> list[Check]:
    """Return the checks of a mode, and before them what came of its search, if that never began.

    Parameters
    ----------
    of_mode : sequence of Check
        What :func:`lsm_stan.inference.mode_checks.settle_mode` says of the best end.
    stuck : int
        Number of starts from which L-BFGS ended at once.
    starts : int
        Number of starts.

    Returns
    -------
    list of Check
        Where nothing was searched it has failed, even if Newton's method then found a mode; and it
        is not said that there may be none.
    """
    if not stuck:
        return list(of_mode)
    whose = "every start" if stuck == starts else f"{stuck} of {counted(starts, 'start')}"
    search = Check(
        "search",
        stuck < starts and all(check.passed for check in of_mode),
        f"L-BFGS ended at once from {whose}, where it began: its line search found no step up",
        "count in a larger unit, or take other starts (another seed)",
    )
    if stuck < starts:
        return [search, *of_mode]
    return [search, *(check for check in of_mode if check.passed or check.name != "curvature")]


def starts_of_record(log_joint: LogJoint, ends: Sequence[Parameters]) -> list[dict[str, Any]]:
    """Return what the record says of every start, the best first.

    Parameters
    ----------
    log_joint : LogJoint
        The density.
    ends : sequence of dict of str to ndarray
        Parameters at the end of each start.

    Returns
    -------
    list of dict
        ``start``, from 1; ``loss``, in nats; ``gradient_norm``; and ``mode``, from 1.
    """
    problem = log_joint.problem
    points = {name: np.stack([end[name] for end in ends]) for name in ends[0]}
    value, gradient = log_joint.at_flat(flat(problem.declared(points)))
    order = np.argsort(-value)
    numbers = numbered_modes(problem, [ends[i] for i in order])
    return [
        {
            "start": int(i) + 1,
            "loss": -float(value[i]),
            "gradient_norm": float(np.linalg.norm(gradient[i])),
            "mode": int(number) + 1,
        }
        for i, number in zip(order, numbers, strict=True)
    ]
