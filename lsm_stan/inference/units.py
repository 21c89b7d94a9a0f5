"""The units that a search goes by, so that a mode does not depend on those people count in.

Counts of 100,000 where others have 1 make a likelihood 100,000 times as steep: from a start drawn
from the prior, L-BFGS then stops at the first barrier. The search therefore descends in coarser
counts first, and starts from the level and the dispersion of the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lsm_stan.inference.problem import Problem
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray

#: Mean weight of an edge, in counting units, above which the unit is made coarser.
MEAN_WEIGHT = 5.0

#: From one counting unit to the next.
FINER = 100

#: Total weight up to which L-BFGS's first step is CmdStan's own; beyond, it is shorter in
#: proportion, as gradients are larger.
USUAL_TOTAL, FIRST_STEP = 1e4, 1e-3

#: Dispersions that a search starts from.
PHI_RANGE = (0.1, 10.0)


def counting_units(network: Network) -> list[int]:
    """Return how many counts are one in successive descents.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    list of int
        Coarse first, 1 last: 1 alone unless edges weigh more than :data:`MEAN_WEIGHT` in the
        mean.

    Examples
    --------
    >>> counting_units(Network.from_edges(["a", "b"], ["b", "a"], [3_000_000, 1_000_000]))
    [400000, 4000, 40, 1]
    """
    units = [max(1, math.ceil(mean_weight(network) / MEAN_WEIGHT))]
    while units[-1] > 1:
        units.append(max(1, units[-1] // FINER))
    return units


def mean_weight(network: Network) -> float:
    """Return the mean weight of an edge; 0 where there is none.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    float
    """
    return network.total_weight / max(network.n_edges, 1)


def counted_in(problem: Problem, unit: int) -> Problem:
    """Return a problem whose weights are counted in a coarser unit, rounded, at least 1.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    unit : int
        How many counts are one.

    Returns
    -------
    Problem
    """
    if unit == 1:
        return problem
    weight = np.maximum(1, (problem.network.weight + unit // 2) // unit)
    return replace(problem, network=replace(problem.network, weight=weight))


def recounted(point: Parameters, problem: Problem, before: int, unit: int) -> Parameters:
    """Return a point that was reached in one counting unit as it would be in a finer one.

    Parameters
    ----------
    point : dict of str to ndarray
        Parameters without leading axes.
    problem : Problem
        The model and its network, in counts of 1.
    before, unit : int
        How many counts were one, and are.

    Returns
    -------
    dict of str to ndarray
        Rates are higher: by the intercept, or, without one, by the distances. What was Poisson
        noise around coarse counts is dispersion in fine ones.
    """
    if before == unit:
        return point
    spec = problem.spec
    if spec.dispersed:
        noise = (before - unit) / mean_weight(problem.network)
        point = {**point, "phi": 1 / (1 / point["phi"] + noise)}
    if spec.intercept:
        return {**point, "intercept": point["intercept"] + math.log(before / unit)}
    return {**point, "z": point["z"] * (unit / before)}


def length(problem: Problem) -> float:
    """Return the order of magnitude of the positions, in units of distance.

    Parameters
    ----------
    problem : Problem
        The model and its network.

    Returns
    -------
    float
        The scale of their prior; less where only small distances make heavy weights.
    """
    unit = 1 if problem.spec.intercept else counting_units(problem.network)[0]
    return problem.prior_scale / unit


def levels(problem: Problem) -> Parameters:
    """Return the intercept and the dispersion that the data suggest before any position is known.

    Parameters
    ----------
    problem : Problem
        The model and its network.

    Returns
    -------
    dict of str to ndarray
        ``intercept`` and ``phi``, those of them that the model has; of layers
        ``layer_intercept``.
    """
    if problem.layered:
        return _levels_of_layers([levels(part) for part in problem.parts])
    spec, network = problem.spec, problem.network
    n_dyads = network.n_observed
    between = network.weight[network.sender != network.receiver].astype(float)
    # half a count more: a network without edges, or with all of them, has finite levels
    mean = (between.sum() + 0.5) / (n_dyads + 1)
    at_levels: dict[str, FloatArray] = {}
    if spec.intercept:
        odds = mean / (1 - mean) if spec.likelihood == "bernoulli" else mean
        distance = math.sqrt(2 * problem.dim) * problem.prior_scale  # of two draws from the prior
        fall = {
            "inverse": math.log(distance),
            "exponential": math.hypot(distance, spec.softening),
            "squared": distance**2,
            "inner": 0.0,
        }[spec.form]
        exposure = 0.0 if spec.covariates is None else spec.covariates.log_exposure
        at_levels["intercept"] = np.asarray(math.log(odds) + fall - exposure)
    if spec.dispersed:
        # the method of moments; positions then explain a part of the variance
        variance = float(between @ between) / n_dyads - mean**2
        phi = mean**2 / max(variance - mean, 1e-10 * mean)
        at_levels["phi"] = np.asarray(np.clip(phi, *PHI_RANGE))
    return at_levels


def _levels_of_layers(each: Sequence[Parameters]) -> Parameters:
    """Return an intercept for each layer, and the geometric mean of their dispersions."""
    at_levels: dict[str, FloatArray] = {}
    if "intercept" in each[0]:
        at_levels["layer_intercept"] = np.stack([level["intercept"] for level in each])
    if "phi" in each[0]:
        at_levels["phi"] = np.exp(np.mean([np.log(level["phi"]) for level in each], axis=0))
    return at_levels


def first_step(network: Network) -> float:
    """Return the length of L-BFGS's first step, in gradients.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    float
        CmdStan's ``init_alpha``.
    """
    return FIRST_STEP * min(1.0, USUAL_TOTAL / max(network.total_weight, 1))
