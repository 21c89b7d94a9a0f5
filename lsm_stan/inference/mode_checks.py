"""A mode's last digits, its checks, and their sentences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from lsm_stan.inference.curvature import (
    Curvature,
    Known,
    Quadratic,
    independent,
    newton_step,
    quadratic,
)
from lsm_stan.inference.differences import minus_hessian
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.soft import measured_along
from lsm_stan.inference.symmetries import evaluated, freely_moved, prior_directions, turns
from lsm_stan.model.parameters import Parameters, flat, unflat
from lsm_stan.posterior.checks import Check
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray

#: A mode is accepted when a Newton step from it would gain less than this many nats; Newton's
#: method goes on from where L-BFGS stopped until it is a thousandth of that.
MAX_NEWTON_GAIN = 1e-3
ENOUGH = 1e-3 * MAX_NEWTON_GAIN
NEWTON_STEPS = 20

#: Positions that are all within this, in prior standard deviations, may be at the origin.
NEAR = 0.01

#: What a log joint may be wrong by, for each count: its terms cancel, and each is rounded.
NOISE = 1e-13

#: Shares of a Newton step that are tried at once.
SHARES = 0.5 ** np.arange(12)

#: How many times what its slope promises a step may gain. Where rates overflow or cancel, the log
#: joint that is computed has peaks that are none.
MOST_PROMISED = 10.0

#: Largest number of parameters whose Hessian is computed at a mode; of more it is only multiplied.
MAX_CURVATURE_SIZE = 3000

#: Step of differentiation, in units of the length over which the density changes.
STEP = 1e-3

#: Step along which the bend of a Newton step is differentiated, in the same units.
BEND_STEP = 1e-2


@dataclass(frozen=True, eq=False)
class Mode:
    """Where a search ended, and what is known of it.

    Attributes
    ----------
    point : dict of str to ndarray
        All parameters.
    log_joint : float
        In nats.
    gradient : ndarray of shape (P,)
        In Stan's own coordinates.
    checks : list of Check
        ``gradient`` and ``curvature``.
    details : dict
        Their numbers, for the record.
    around : Quadratic or None
        The curvature; None where there is none, or too much of it.
    """

    point: Parameters
    log_joint: float
    gradient: FloatArray
    checks: list[Check]
    details: dict[str, Any]
    around: Quadratic | None = None


def settle_mode(log_joint: LogJoint, point: Parameters) -> Mode:
    """Go on by Newton's method where L-BFGS stopped, and check that it is a mode.

    Parameters
    ----------
    log_joint : LogJoint
        The density that the point may be a mode of.
    point : dict of str to ndarray
        All parameters.

    Returns
    -------
    Mode
        The point itself where its parameters are more than :data:`MAX_CURVATURE_SIZE`.
    """
    problem = log_joint.problem
    mode = flat(problem.declared(point))
    value, gradient = log_joint.at_flat(mode)
    if not np.isfinite(gradient).all():
        checks = [Check("gradient", False, "the gradient is not finite")]
        return Mode(point, float(value), gradient, checks, {})
    if mode.size > MAX_CURVATURE_SIZE:
        checks, details = _judge_large_mode(log_joint, point, gradient)
        return Mode(point, float(value), gradient, checks, details)
    try:
        mode, height, gradient, around = _highest(log_joint, mode)
    except ArithmeticError as error:
        checks = [Check("curvature", False, f"{error}: whether it is a mode is not known")]
        return Mode(point, float(value), gradient, checks, {})
    measured = around.judged(gradient)
    if measured.negative and measured.newton_gain <= MAX_NEWTON_GAIN:
        # what rises with the gradient's rounding, and not without it, is not known to rise
        still = _quadratic(log_joint, problem.at_flat(mode), np.zeros_like(gradient))
        measured = min(measured, still.judged(gradient), key=lambda seen: seen.negative)
    checks = [_newton_check(measured.newton_gain), _curvature_check(measured)]
    details = {"newton_gain": measured.newton_gain, "curvature": measured.as_record()}
    return Mode(problem.at_flat(mode), height, gradient, checks, details, around)


def _highest(
    log_joint: LogJoint, mode: FloatArray
) -> tuple[FloatArray, float, FloatArray, Quadratic]:
    """Climb from a point; from the origin first where positions are near to it.

    Where data have no structure the mode is there, and so flat around it for large counts that
    steps towards it gain less than can be computed.
    """
    problem = log_joint.problem
    point = problem.at_flat(mode)
    if problem.spec.form != "inverse" and np.abs(point["z"]).max() < NEAR * problem.prior_scale:
        zeros = {
            name: np.zeros_like(point[name]) for name in ("z", "role", "z_layer") if name in point
        }
        origin = flat(problem.declared({**point, **zeros}))
        at_origin = _climb(log_joint, origin)
        height = float(log_joint.at_flat(mode)[0])
        if at_origin[3].judged(at_origin[2]).is_mode and at_origin[1] >= height - _noise(
            problem, height
        ):
            return at_origin
    return _climb(log_joint, mode)


def _noise(problem: Problem, value: float) -> float:
    """Return what the log joint may be wrong by."""
    return max(NOISE * problem.network.total_weight, 1e-12 * abs(value))


def _climb(
    log_joint: LogJoint, mode: FloatArray
) -> tuple[FloatArray, float, FloatArray, Quadratic]:
    """Take Newton steps while they gain something; return where they end, and what is there."""
    problem = log_joint.problem
    for steps_left in reversed(range(NEWTON_STEPS)):
        mode = flat(problem.declared(freely_moved(problem, problem.at_flat(mode))))
        value, gradient = evaluated(log_joint, mode)
        around = _quadratic(log_joint, problem.at_flat(mode), gradient)
        step, gain = around.newton(gradient)
        enough = gradient @ step / 2 < ENOUGH and around.judged(gradient).is_mode
        if not steps_left or enough:
            break
        # where the gradient is far from zero, what is known of the curvature is not yet exact
        straight = np.outer(SHARES, step)
        bent = straight + np.outer(SHARES**2, _bend(log_joint, mode, step, around))
        elsewhere = np.outer(SHARES, around.newton_elsewhere(gradient))
        steps = np.concatenate([straight, elsewhere, bent])
        tries = mode + steps
        noise = _noise(problem, float(value))
        values, gradients = evaluated(log_joint, tries)
        credible = values - value <= MOST_PROMISED * np.abs(steps @ gradient) + noise
        values = np.where(credible, values, np.nan)
        better = _better(around, noise, float(value), gain, values, gradients)
        if better is None:
            break
        mode = tries[better]
    return mode, float(value), gradient, around


def _bend(log_joint: LogJoint, mode: FloatArray, step: FloatArray, around: Quadratic) -> FloatArray:
    """Return how a Newton step bends: a valley of the density is narrow, and no straight line.

    Notes
    -----
    The geodesic acceleration of Transtrum & Sethna, arXiv:1201.5885: along ``s step + s² bend`` the
    gradient falls as ``1 - s`` to the second order in s.
    """
    problem = log_joint.problem
    reach = flat(lengths(problem, problem.at_flat(mode)))
    far = float(np.abs(step / reach).max())
    share = BEND_STEP / max(far, BEND_STEP)
    _, (ahead, here, behind) = evaluated(log_joint, mode + share * np.outer([1, 0, -1], step))
    bend = around.newton(np.nan_to_num(ahead - 2 * here + behind) / (2 * share**2))[0]
    # no longer than the step, of which it is a correction
    return bend * min(1.0, far / max(float(np.abs(bend / reach).max()), 1e-300))


def _better(
    around: Quadratic,
    noise: float,
    value: float,
    gain: float,
    values: FloatArray,
    gradients: FloatArray,
) -> int | None:
    """Return which of some tries is nearer to the mode; None if none is.

    A log joint of 1e10 nats cannot tell differences of 1e-6 nats; its gradient can.
    """
    finite = np.isfinite(gradients).all(axis=1) & np.isfinite(values)
    values = np.where(finite, values, -np.inf)
    best = int(np.argmax(values))
    if values[best] > value + noise:
        return best
    gains = np.array([around.newton(row)[1] for row in np.nan_to_num(gradients)])
    gains[~finite] = np.inf
    least = int(np.argmin(gains))
    near = values[least] > value - max(1e-9 * abs(value), noise)
    return least if near and gains[least] < gain / 2 else None


def lengths(problem: Problem, point: Parameters) -> dict[str, FloatArray]:
    """Return over which length the density changes in each of Stan's coordinates.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    point : dict of str to ndarray
        All parameters.

    Returns
    -------
    dict of str to ndarray
        By Stan's names, each of the shape of what it says. A rate of 1/d changes over a node's
        distance from its nearest neighbour, one rounded off at ε over ε, one of exp(-d²) over one
        of its largest distance, an inner product over one of the largest position; none over
        more than 1.
    """
    values = problem.declared(point)
    form, spec = problem.spec.form, problem.spec
    reach: FloatArray = np.full(len(point["z"]), spec.softening or 1.0)
    if form == "inverse":
        nearest = np.ones(len(reach))
        for nodes, sites in problem.sites(point):
            np.minimum.at(nearest, nodes, np.asarray(cKDTree(sites).query(sites, k=2)[0])[:, 1])
        reach = np.maximum(nearest, 1e-300)
    elif form in ("squared", "inner"):
        steepest = max(
            np.linalg.norm(sites - (sites.mean(axis=0) if form == "squared" else 0.0), axis=1).max()
            for _, sites in problem.sites(point)
        )
        reach = reach / max(1.0, (4.0 if form == "squared" else 1.0) * float(steepest))
    of_nodes = {"z_raw": reach, "change_raw": reach, "role_raw": reach / spec.role_fixed}
    return {
        name: np.broadcast_to(of_nodes[name][:, None], value.shape)
        if name in of_nodes and value.size
        else np.ones_like(value)
        for name, value in values.items()
    }


def _quadratic(log_joint: LogJoint, point: Parameters, gradient: FloatArray) -> Quadratic:
    """Return the curvature at a point."""
    problem = log_joint.problem
    values = problem.declared(point)
    steps = {name: STEP * length for name, length in lengths(problem, point).items()}

    def gradients(points: FloatArray) -> FloatArray:
        return log_joint.at_flat(points)[1]

    moved, turned = turns(values), turns(unflat(gradient, values))
    mix = independent(moved, float(steps["z_raw"].max()) * np.sqrt(len(point["z"])))
    # a gradient turns with the positions, which is what the Hessian does to a rotation
    rotations = Known(moved @ mix, -turned @ mix)
    hessian = minus_hessian(gradients, flat(values), flat(steps))
    known = prior_directions(problem, point, gradient)
    around = quadratic(hessian, rotations, known)
    measured = around.judged(gradient)
    if measured.is_mode or measured.newton_gain > MAX_NEWTON_GAIN:
        return around
    # so near to a mode the gradient may be the error of computing it: at a mode it is 0
    still = prior_directions(problem, point, np.zeros_like(gradient))
    at_mode = quadratic(hessian, rotations, still)
    if at_mode.soft.size and not at_mode.judged(gradient).is_mode:
        along = measured_along(gradients, flat(values), at_mode.soft, flat(steps))
        known = along if known is None else known + along
        still = along if still is None else still + along
        at_mode = quadratic(hessian, rotations, still)
    if known is None or still is None or at_mode.judged(gradient).is_mode:
        return at_mode
    wrong = still.errors + np.abs(still.products - known.products)
    return quadratic(hessian, rotations, replace(still, errors=wrong))


def _curvature_check(measured: Curvature) -> Check:
    if measured.is_mode:
        text = f"the log joint falls in every direction but the {measured.rotations} rotations"
    elif measured.negative:
        rises = f"the log joint still rises along {counted(measured.negative, 'direction')}"
        text = (
            f"the search stopped before it came to a mode: {rises}. Try more starts, or another"
            " form"
            if measured.newton_gain > MAX_NEWTON_GAIN
            else f"{rises}: no mode. Try more starts or another form; this model may have no mode"
            " here"
        )
    else:
        text = (
            f"along {counted(measured.flat, 'direction')}, {measured.rotations} of rotation apart,"
            " the log joint changes less than the error of computing it: whether this is a mode is"
            " not known"
        )
    return Check("curvature", measured.is_mode, text)


def _judge_large_mode(
    log_joint: LogJoint, point: Parameters, gradient: FloatArray
) -> tuple[list[Check], dict[str, Any]]:
    """Check that a point is a mode, as far as conjugate gradients go."""
    problem = log_joint.problem
    values = problem.declared(point)
    sd = problem.spec.prior_sd(problem.prior_scale)
    step = STEP * min(float(length.min(initial=1.0)) for length in lengths(problem, point).values())
    units = flat({name: np.full_like(v, sd.get(name, np.nan)) for name, v in values.items()})
    change = problem.preconditioner(values["z_raw"][None])

    def root(vector: FloatArray) -> FloatArray:
        if change is None:
            return vector * units
        return (vector.reshape(problem.dim, -1) @ change.factor).reshape(-1)

    with log_joint.compiled.density(problem.stan_data()) as density:

        def gradients(points: FloatArray) -> FloatArray:
            return density.log_prob_grad(points)[1]

        measured = newton_step(gradients, flat(values), gradient, root, step)
    checks = [
        _newton_check(measured.newton_gain, "" if measured.settled else "at least "),
        Check(
            "curvature",
            measured.is_mode,
            f"the log joint falls in the {measured.products} directions looked at (the Hessian of"
            f" {gradient.size:,} parameters was not computed: they are more than"
            f" {MAX_CURVATURE_SIZE:,})"
            if measured.is_mode
            else "the log joint still rises along a direction: no mode. Try more starts or"
            " another form; this model may have no mode here",
        ),
    ]
    return checks, {"newton_gain": measured.newton_gain, "newton_step": measured.as_record()}


def _newton_check(gain: float, bound: str = "") -> Check:
    return Check(
        "gradient",
        gain <= MAX_NEWTON_GAIN,
        f"a Newton step would gain {bound}{gain:.2g} nats (at most {MAX_NEWTON_GAIN:g} at a mode)",
    )
