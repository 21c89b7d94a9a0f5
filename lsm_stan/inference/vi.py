r"""Closed-form variational inference: no noise, no step size, a true test of convergence.

The normal density of highest ELBO is climbed to in rounds: some steps of L-BFGS in the means, in
units of the density itself, :math:`z = \mathrm{mean} + C x` with :math:`C C^T = S`, which takes
the stiffness away; then a natural-gradient step in the precision (Khan & Lin, AISTATS 2017). At a
maximum :math:`S^{-1} = -(2/K)\,\partial E \log p / \partial S`, for distances a graph Laplacian and
the prior's precision; a step goes part of the way there, never down.

A random start is annealed: the entropy counts several times at first, once at last. Positions
then find their places while all are uncertain, as softened distances do it for a mode. On
*C. elegans* three random starts end within some ten nats of each other, in 2 s.

What a round can still gain is known from the gradient, half its squared length in the metric of
the density, and the climb ends where that is below :data:`TOLERANCE`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError
from scipy.optimize import minimize

from lsm_stan.blas import on_one_blas_thread
from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.normals import (
    Bound,
    Normals,
    Shape,
    log_volume,
    parameters_of,
    widest,
)
from lsm_stan.inference.preconditioning import MAX_NODES
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import Run
from lsm_stan.model.normal_pairs import Gradient
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.sites import Sites
from lsm_stan.posterior.checks import Check, approximation_khat
from lsm_stan.typing import FloatArray

#: Nats that the next round may still promise at the end.
TOLERANCE = 0.01

#: Most rounds, and steps of L-BFGS in each.
ROUNDS, STEPS = 200, 15

#: Share of the way to the precision that a gradient asks for, and the smallest that is tried.
DAMPING, SMALLEST = 0.7, 1e-4

#: How many times the entropy of a random start counts at first, and rounds until it counts once.
HOT, COOLING = 10.0, 20

#: The same where the positions' scale is learned: more entropy would take the scale to 0.
WARM = 3.0

#: Variance that a density has at first, in squared units of the prior: of a mode, of random starts.
NARROW, WIDE = 1e-4, 0.5


#: What L-BFGS is told of places where numbers overflow: it turns back.
FORBIDDEN = 1e300


@dataclass(frozen=True, eq=False)
class Climb:
    """Where a climb ended.

    Attributes
    ----------
    normals : Normals
        The density.
    elbo : float
        Its ELBO, in nats.
    promise : float
        Nats that the next round would gain if the ELBO were quadratic.
    trace : list of tuple of (int, float)
        Evaluations of the gradient, and the ELBO, in nats, after each round.
    """

    normals: Normals
    elbo: float
    promise: float
    trace: list[tuple[int, float]]


@on_one_blas_thread
def climb(
    bound: Bound,
    normals: Normals,
    *,
    annealed: bool = False,
) -> Climb:
    """Climb to the normal density of highest ELBO near a start.

    Parameters
    ----------
    bound : Bound
        The ELBO.
    normals : Normals
        The start.
    annealed : bool, default False
        Whether the entropy counts more at first.

    Returns
    -------
    Climb
    """
    hottest = WARM if bound.problem.spec.learns_positions_scale else HOT
    schedule = np.geomspace(hottest, 1.0, COOLING) if annealed else np.ones(1)
    trace: list[tuple[int, float]] = []
    # a line search may look where numbers overflow, and comes back
    with np.errstate(over="ignore", invalid="ignore"):
        if not annealed:
            normals = widened(bound, normals)
        for number in range(ROUNDS):
            heat = float(schedule[min(number, len(schedule) - 1)])
            normals = move_means(bound, normals)
            bound.tighten(normals)
            value, gradient = bound.energy(normals)
            gain = promise(normals, gradient, heat)
            trace.append((bound.evaluations, value + normals.entropy()))
            if heat == 1.0 and gain < TOLERANCE:
                break
            normals = move_shape(bound, normals, value, gradient, heat)
    return Climb(normals, trace[-1][1], gain, trace)


def move_means(bound: Bound, normals: Normals) -> Normals:
    """Move the means uphill by some steps of L-BFGS, in units of the density.

    Parameters
    ----------
    bound : Bound
        The ELBO.
    normals : Normals
        The density.

    Returns
    -------
    Normals
    """
    mean, shape = normals.mean, normals.shape
    ends = np.cumsum([values.size for values in mean.values()])

    def at(point: FloatArray) -> Normals:
        parts = zip(mean.items(), np.split(point, ends[:-1]), strict=True)
        moved = {
            name: old + shape.scale(name, part.reshape(old.shape)) for (name, old), part in parts
        }
        return Normals(moved, shape)

    def descent(point: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = bound.energy(at(point), means_only=True)
        slope = np.concatenate([part.reshape(-1) for part in shape.in_units(gradient)])
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return FORBIDDEN, np.zeros(len(point))
        return -value, -slope

    options: Any = {"maxiter": STEPS, "maxcor": 20, "ftol": 0.0, "gtol": 1e-4}
    with np.errstate(over="ignore", invalid="ignore"):  # a line search may look far away
        result = minimize(descent, np.zeros(ends[-1]), jac=True, method="L-BFGS-B", options=options)
    return at(result.x) if result.fun < FORBIDDEN else normals


def promise(normals: Normals, gradient: Gradient, heat: float = 1.0) -> float:
    """Return what a natural-gradient step would gain if the ELBO were quadratic.

    Parameters
    ----------
    normals : Normals
        The density.
    gradient : Gradient
        That of the expected log joint density there.
    heat : float, default 1.0
        How many times the entropy counts.

    Returns
    -------
    float
        In nats.
    """
    shape, dim = normals.shape, normals.mean["z"].shape[1]
    gain = 0.5 * float(sum(np.sum(part**2) for part in shape.in_units(gradient)))
    factor, wanted = shape.factor, wanted_precision(normals, gradient, heat)
    if factor.ndim == 1:
        off = factor**2 * wanted - 1
    else:
        off = factor.T @ wanted @ factor - np.eye(len(factor))
    gain += 0.25 * dim * float(np.sum(off**2))
    for name, values in shape.variance.items():
        gain += 0.25 * float(np.sum((2 * values * gradient.variance[name] / heat + 1) ** 2))
    return float(gain)


def wanted_precision(normals: Normals, gradient: Gradient, heat: float = 1.0) -> FloatArray:
    """Return the precision of the sites at which the derivative in their covariance is 0.

    Parameters
    ----------
    normals : Normals
        The density.
    gradient : Gradient
        As in :func:`promise`.
    heat : float, default 1.0
        As in :func:`promise`.

    Returns
    -------
    ndarray of shape (M, M) or (M,)
    """
    return np.asarray(gradient.spread * (-2 / (normals.mean["z"].shape[1] * heat)))


def move_shape(
    bound: Bound, normals: Normals, value: float, gradient: Gradient, heat: float
) -> Normals:
    """Move covariance and variances part of the way to where they are wanted, never downhill.

    Parameters
    ----------
    bound : Bound
        The ELBO.
    normals : Normals
        The density.
    value : float
        The expected log joint density there, in nats.
    gradient : Gradient
        Its derivatives.
    heat : float
        How many times the entropy counts.

    Returns
    -------
    Normals
        The same where no step goes up.
    """
    shape, height = normals.shape, value + heat * normals.entropy()
    wanted = wanted_precision(normals, gradient, heat)
    share = DAMPING
    while share > SMALLEST:
        # the others' precisions are no less than halved at a time, whatever is asked for
        variance = {
            name: values
            / np.maximum(1 - share - 2 * share * values * gradient.variance[name] / heat, 0.5)
            for name, values in shape.variance.items()
        }
        precision = (1 - share) * shape.precision + share * wanted
        moved = Normals(normals.mean, Shape(precision, variance))
        with contextlib.suppress(LinAlgError):  # too far: the precision is not positive definite
            if bound.energy(moved, means_only=True)[0] + heat * moved.entropy() >= height:
                return moved
        share /= 2
    return normals


def widened(bound: Bound, normals: Normals) -> Normals:
    """Return a density around the same place, as wide as that asks for, node by node.

    Parameters
    ----------
    bound : Bound
        The ELBO.
    normals : Normals
        A narrow density.

    Returns
    -------
    Normals
    """
    gradient = bound.energy(normals)[1]
    wanted = wanted_precision(normals, gradient)
    each = wanted if wanted.ndim == 1 else np.diagonal(wanted)
    # no less precise than the prior
    precision = np.maximum(each, 1 / widest(bound.problem))
    variance = {name: 1 / np.maximum(-2 * by, 1.0) for name, by in gradient.variance.items()}
    return Normals(
        normals.mean, Shape(precision if wanted.ndim == 1 else np.diag(precision), variance)
    )


def count_sites(problem: Problem) -> int:
    """Return how many positions a covariance would be of.

    Parameters
    ----------
    problem : Problem
        The model and its network.

    Returns
    -------
    int
        A node with two roles has two; clusters have one each.
    """
    return Sites.of(problem.spec, problem.network.n_nodes).total


def check_served(problem: Problem, covariance: str) -> None:
    """Raise InputError where a model has no ELBO in closed form, or a network is too large.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    covariance : {"shared", "isotropic"}
        What was asked for.

    Raises
    ------
    InputError
        If there are layers; K = 1 with the inverse form; or a covariance of more than
        :data:`MAX_NODES` sites (:mod:`lsm_stan.model.sites`).
    """
    if problem.layered:
        raise InputError(
            "method vi has no closed form for layers, whose positions are sums of changes on a"
            " scale that is learned; take advi, or nuts"
        )
    if problem.spec.form == "inverse" and problem.dim == 1:
        raise InputError(
            "dim is 1, where the mean of 1/d under a normal density is infinite, and so is the"
            " bound of method vi; take dim 2 or more, or a model of form exponential or squared"
        )
    n_sites = count_sites(problem)
    if covariance == "shared" and n_sites > MAX_NODES:
        raise InputError(
            f"vi: covariance is 'shared', that of {n_sites:,} positions; at most {MAX_NODES:,} can"
            " have one: take covariance = 'isotropic'"
        )


def approximate_in_closed_form(
    run: Run, start: Parameters, *, annealed: bool, shared: bool, draws: int
) -> Fit:
    """Climb to the highest ELBO from a start, and draw from the density there.

    Parameters
    ----------
    run : Run
        The run.
    start : dict of str to ndarray
        Parameters without leading axes.
    annealed : bool
        Whether the start is a random one.
    shared : bool
        Whether positions have a covariance.
    draws : int
        Number of draws.

    Returns
    -------
    Fit
    """
    problem, bound = run.problem, Bound(run.problem)
    width = WIDE if annealed else NARROW
    run.say(f"a covariance of {'all positions' if shared else 'each position'}")
    end = climb(bound, Normals.around(problem, start, width, shared=shared), annealed=annealed)
    values, log_q = end.normals.draw(draws, np.random.default_rng(run.seed))
    parameters = parameters_of(problem, values)
    log_joint = LogJoint(problem, run.compiled).at(parameters)[0]
    log_q += log_volume(problem, values)
    return run.finish(
        draws={name: value[None] for name, value in parameters.items()},
        log_joint=log_joint[None],
        estimate=parameters_of(problem, end.normals.mean),
        sample_stats={"log_q": log_q[None]},
        checks=[gain_check(end)],
        details={
            "elbo": end.elbo,
            "elbo_trace": end.trace,
            "elbo_exact": bound.exact,
            "elbo_of_draws": float(np.mean(log_joint - log_q)),
            "khat": approximation_khat(log_joint - log_q),
            "draws": draws,
            "covariance": "shared" if shared else "isotropic",
            "gradients": bound.evaluations,
        },
    )


def gain_check(end: Climb) -> Check:
    """Check that a climb has come to a maximum of the ELBO.

    Parameters
    ----------
    end : Climb
        The climb.

    Returns
    -------
    Check
        ``elbo``.
    """
    held = end.promise < TOLERANCE
    return Check(
        "elbo",
        held,
        f"another step would raise the ELBO by {max(end.promise, 1e-4):.1g} nats"
        + ("" if held else f" (at most {TOLERANCE} is asked for)"),
        "" if held else "start at this fit, or at another place",
    )
