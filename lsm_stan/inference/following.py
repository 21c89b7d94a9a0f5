"""Modes of coarse counts, followed through finer and finer ones by Newton's method.

The heavier the counts, the steeper the likelihood beside the prior, and the more digits of a log
joint its terms take: L-BFGS, which goes by its values, stops far from the mode. Newton's method
goes by gradients. From one unit to the next a mode moves little, so that it gets there in a few
steps; and each mode that several starts have found is followed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from lsm_stan.inference.continuation import distinct_modes
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.mode_checks import settle_mode
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.units import counted_in, counting_units, length, levels, recounted
from lsm_stan.model.parameters import Parameters, cloud, flat
from lsm_stan.typing import IntArray

#: Largest number of parameters for which Newton's method goes on from every start.
MAX_SETTLED = 200


def is_followed(problem: Problem) -> bool:
    """Return whether L-BFGS searches coarse counts alone, and Newton's method follows its modes.

    Parameters
    ----------
    problem : Problem
        The model and its network.

    Returns
    -------
    bool
        True for one network whose edges are heavy, and a model of at most :data:`MAX_SETTLED`
        parameters.
    """
    return not problem.layered and _is_settled(problem)


def settled_ends(log_joint: LogJoint, ends: Sequence[Parameters]) -> list[Parameters]:
    """Go on by Newton's method from every end of a search, where counts are large.

    L-BFGS stops where the log joint cannot tell a step any more: for counts of 1e8 that is far from
    the mode, and two ends near one mode would count as two.

    Parameters
    ----------
    log_joint : LogJoint
        The density.
    ends : sequence of dict of str to ndarray
        Where L-BFGS stopped: in coarse counts where modes are followed (:func:`is_followed`).

    Returns
    -------
    list of dict of str to ndarray
        The ends themselves for usual counts, or more than :data:`MAX_SETTLED` parameters.
    """
    problem = log_joint.problem
    if is_followed(problem):
        return _followed(log_joint, ends)
    if not _is_settled(problem):
        return list(ends)
    return [settle_mode(log_joint, end).point for end in ends]


def numbered_modes(problem: Problem, ends: Sequence[Parameters]) -> IntArray:
    """Give ends numbers, the same to those at one mode.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    ends : sequence of dict of str to ndarray
        Parameters at each.

    Returns
    -------
    ndarray of int64 of shape (M,)
        From 0, in order of appearance.
    """
    points = {name: np.stack([end[name] for end in ends]) for name in ends[0]}
    return distinct_modes(cloud(points) / length(problem))


def _is_settled(problem: Problem) -> bool:
    if len(counting_units(problem.network)) == 1:
        return False
    positions = np.zeros((problem.network.n_nodes, problem.dim))
    return flat(problem.declared({"z": positions, **levels(problem)})).size <= MAX_SETTLED


def _followed(log_joint: LogJoint, ends: Sequence[Parameters]) -> list[Parameters]:
    """Return where the modes that are nearest to the ends, in coarse counts, are in counts of 1."""
    problem = log_joint.problem
    units = counting_units(problem.network)
    coarse = _counting_in(log_joint, units[0])
    modes = [settle_mode(coarse, end).point for end in ends]
    numbers = numbered_modes(coarse.problem, modes)
    reached: dict[int, Parameters] = {}
    for number, mode in zip(numbers, modes, strict=True):
        if number not in reached:
            for before, unit in pairwise(units):
                start = recounted(mode, problem, before, unit)
                mode = settle_mode(_counting_in(log_joint, unit), start).point
            reached[number] = mode
    return [reached[number] for number in numbers]


def _counting_in(log_joint: LogJoint, unit: int) -> LogJoint:
    return replace(log_joint, problem=counted_in(log_joint.problem, unit))
