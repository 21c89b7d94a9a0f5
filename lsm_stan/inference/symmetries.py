"""What a likelihood leaves unchanged: rotations, translations, a shared level, a dilation.

Along these only the prior has a slope and a curvature. Where counts are large, both are lost in the
error of computing the likelihood; here they are computed without it.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from lsm_stan.inference.curvature import Known, tangents
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.orbits import inverted_by_prior, made_up_for
from lsm_stan.inference.problem import Problem
from lsm_stan.model.parameters import TURNED, Parameters, flat, unflat
from lsm_stan.typing import FloatArray

#: Where nodes are; and what has a normal prior at a mode, of what likelihoods may leave alone.
PLACES = ("z_raw", "role_raw")
NORMAL = (*PLACES, "intercept", "effect_raw")

#: Moves that the prior sees less of, in its standard deviations, are none.
LEAST_MOVE = 1e-9

#: Rounds in which the prior's highest point among those of one likelihood is sought.
ROUNDS = 100


def turns(values: Parameters) -> FloatArray:
    """Return how rotations move what turns with the positions, a column for two dimensions.

    All turn by one rotation, as if they were further nodes.

    Parameters
    ----------
    values : dict of str to ndarray
        What Stan declares; or a gradient, which turns with it.

    Returns
    -------
    ndarray of shape (P, K(K-1)/2)
    """
    turned = [name for name in TURNED if name in values]
    dim = values["z_raw"].shape[1]
    parts = [values[name].reshape(-1, dim) for name in turned]
    nodes = np.concatenate(parts)
    columns = tangents(nodes).T.reshape(-1, *nodes.shape)
    blocks = np.split(columns, np.cumsum([*map(len, parts)])[:-1], axis=1)
    moved = {name: np.zeros((len(columns), *value.shape)) for name, value in values.items()}
    for name, block in zip(turned, blocks, strict=True):
        moved[name] = block.reshape(moved[name].shape)
    return flat(moved).T


def prior_directions(problem: Problem, point: Parameters, gradient: FloatArray) -> Known | None:
    """Return directions along which the likelihood never changes, and the curvature there.

    Where counts are large that curvature, of the prior alone, is lost in the error of
    differentiating the likelihood. The directions are translations; a level that effects share with
    the intercept; with a rate of 1/d, a dilation that the intercept makes up for; and what effects
    make up for (:mod:`lsm_stan.inference.orbits`).

    Parameters
    ----------
    problem : Problem
        The model and its network.
    point : dict of str to ndarray
        All parameters.
    gradient : ndarray of shape (P,)
        Gradient of the log joint there.

    Returns
    -------
    Known or None
        None where positions have no normal prior, or there are no such directions, or they are not
        looked for, as with layers.
    """
    spec = problem.spec
    if spec.clusters or problem.layered:
        return None
    values = problem.declared(point)
    precision = _precision(problem, values)
    # the gradient of the likelihood: at a mode the prior's balances it
    slope = unflat(gradient + precision * flat(values), values)
    nothing = {name: np.zeros_like(value) for name, value in values.items()}
    moves: list[tuple[FloatArray, FloatArray | float]] = []
    for k in range(problem.dim if spec.form != "inner" else 0):
        z = np.zeros_like(values["z_raw"])
        z[:, k] = 1.0
        moves.append((flat({**nothing, "z_raw": z}), 0.0))
    if spec.intercept:
        shared = spec.sigma_fixed * (1 if problem.network.directed else 2)
        for column in range(values["effect_raw"].shape[1]):
            effect = np.zeros_like(values["effect_raw"])
            effect[:, column] = -1 / shared
            moves.append((flat({**nothing, "intercept": np.ones(1), "effect_raw": effect}), 0.0))
    if spec.intercept and spec.form == "inverse":
        places = {name: values[name] for name in PLACES}
        dilation = flat({**nothing, **places, "intercept": np.ones(1)})
        # a dilation moves nodes by where they are: the likelihood's slope there counts too
        moves.append((dilation, flat({**nothing, **{name: slope[name] for name in PLACES}})))
    moves += made_up_for(problem, values, slope)
    if not moves:
        return None
    # nodes in one place leave nothing to stretch
    seen = [np.linalg.norm(np.sqrt(precision) * move) > LEAST_MOVE for move, _ in moves]
    moves = [move for move, kept in zip(moves, seen, strict=True) if kept]
    products = [precision * move + further for move, further in moves]
    return Known(np.column_stack([move for move, _ in moves]), np.column_stack(products))


def _precision(problem: Problem, values: Parameters) -> FloatArray:
    """Return the precision of each coordinate's prior; 0 where it is not normal."""
    sd = problem.spec.prior_sd(problem.prior_scale)
    return flat(
        {n: np.full_like(v, sd[n] ** -2 if n in NORMAL else 0.0) for n, v in values.items()}
    )


def freely_moved(problem: Problem, point: Parameters) -> Parameters:
    """Return the point of highest prior among those of the same likelihood, without turning it.

    Newton's steps are straight, and a dilation that the intercept makes up for is not.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    point : dict of str to ndarray
        All parameters.

    Returns
    -------
    dict of str to ndarray
    """
    spec = problem.spec
    if spec.clusters or spec.form == "inner" or problem.layered:
        return point
    moved = {**point, "z": point["z"] - point["z"].mean(axis=0)}
    if not spec.intercept:
        return moved
    for _ in range(ROUNDS):
        before = float(moved["intercept"])
        if spec.effects:
            moved = _levelled(problem, moved)
        if spec.form == "inverse":
            moved = _dilated(problem, moved)
        inverted = 0.0
        if spec.form == "inverse" and spec.effects:
            moved, inverted = inverted_by_prior(problem, moved)
            moved = {**moved, "z": moved["z"] - moved["z"].mean(axis=0)}
        if abs(float(moved["intercept"]) - before) < 1e-13 and inverted < 1e-12:
            break
    return moved


def _levelled(problem: Problem, point: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the point with the level that effects and intercept share where the prior has it."""
    spec, directed = problem.spec, problem.network.directed
    for name in ("sender_effect", "receiver_effect")[: 1 + directed]:
        effect, intercept = point[name], point["intercept"]
        times = 1 if directed else 2  # an undirected effect counts at both ends
        pull = effect.sum() / spec.sigma_fixed**2 - times * intercept / spec.intercept_scale**2
        stiffness = len(effect) / spec.sigma_fixed**2 + (times / spec.intercept_scale) ** 2
        shift = pull / stiffness
        point = {**point, name: effect - shift, "intercept": intercept + times * shift}
    return point if directed else {**point, "receiver_effect": point["sender_effect"]}


def _dilated(problem: Problem, point: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the point with the size that the prior has, made up for by the intercept."""
    spec = problem.spec
    sizes = float((point["z"] ** 2).sum()) / problem.prior_scale**2
    if spec.roles:
        sizes += float((point["role"] ** 2).sum()) / spec.role_fixed**2
    intercept = float(point["intercept"])

    def slope(log_growth: float) -> float:
        grown = sizes * np.exp(2 * log_growth)
        return float(grown + (intercept + log_growth) / spec.intercept_scale**2)

    # the prior of the intercept alone would have it at 0, that of the positions below
    growth = brentq(slope, -abs(intercept) - 100, abs(intercept) + 1, xtol=1e-15, rtol=1e-14)
    larger = {k: v * np.exp(growth) if k in ("z", "role") else v for k, v in point.items()}
    return {**larger, "intercept": np.asarray(intercept + growth)}


def evaluated(log_joint: LogJoint, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Evaluate the log joint and its gradient, without an error where the likelihood is constant.

    The gradient of a likelihood of 1e10 nats is wrong by more than that of the prior, which alone
    has a slope along these directions.

    Parameters
    ----------
    log_joint : LogJoint
        The density.
    points : ndarray of shape (..., P)
        Points in Stan's own coordinates.

    Returns
    -------
    log_joint : ndarray of shape (...)
        Log joint densities, in nats.
    gradient : ndarray of shape (..., P)
    """
    problem = log_joint.problem
    value, gradient = log_joint.at_flat(points)
    gradient = gradient.copy()
    for point, slope in zip(np.atleast_2d(points), np.atleast_2d(gradient), strict=True):
        parameters = problem.at_flat(point)
        values = problem.declared(parameters)
        along = turns(values)
        slopes = np.zeros(along.shape[1])
        known = prior_directions(problem, parameters, slope)
        if known is not None:
            along = np.column_stack([along, known.directions])
            prior = -_precision(problem, values) * point
            slopes = np.concatenate([slopes, prior @ known.directions])
        if np.isfinite(slope).all():
            slope -= np.linalg.pinv(along.T) @ (along.T @ slope - slopes)
    return value, gradient
