"""Moves of the positions that effects make up for, so that no likelihood tells them apart.

Where every node has effects of its own, a likelihood is blind to more than rotations. With a rate
of 1/d these are the conformal maps, such as an inversion in a circle, which change distances by a
factor for each end. With an inner product they are translations. Where nodes have roles, and the
rate is an inner product or falls with the squared distance, senders and receivers may be moved
apart, and stretched against each other. Along all of them only the prior has a slope.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from lsm_stan.inference.problem import Problem
from lsm_stan.model.parameters import Parameters, flat
from lsm_stan.typing import FloatArray

EFFECTS = ("sender_effect", "receiver_effect")

#: Halves of a step of a conformal map that are tried.
HALVES = 20


@dataclass(frozen=True, eq=False)
class _Move:
    """An infinitesimal move of the sites of senders, or of receivers, and of their effects.

    A site x moves by ``shift + stretch x + 2 (b x) x - x² b``, its node's effect by
    ``tilt x + x bend x``.
    """

    shift: FloatArray
    stretch: FloatArray
    b: FloatArray
    tilt: FloatArray
    bend: FloatArray

    @classmethod
    def of(cls, dim: int, **parts: FloatArray) -> _Move:
        """Return a move whose other parts are 0."""
        vectors = {name: np.zeros(dim) for name in ("shift", "b", "tilt")}
        matrices = {name: np.zeros((dim, dim)) for name in ("stretch", "bend")}
        return cls(**{**vectors, **matrices, **parts})

    def of_sites(self, x: FloatArray) -> FloatArray:
        """Return how sites move."""
        along = (x @ self.b)[:, None]
        squared = (x**2).sum(axis=1, keepdims=True)
        moved: FloatArray = self.shift + x @ self.stretch.T + 2 * along * x - squared * self.b
        return moved

    def of_effects(self, x: FloatArray) -> FloatArray:
        """Return how effects move."""
        moved: FloatArray = x @ self.tilt + ((x @ self.bend) * x).sum(axis=1)
        return moved

    def turned(self, x: FloatArray, slope: FloatArray, of_effect: FloatArray) -> FloatArray:
        """Return the derivative in x of the move times slopes in sites and in effects."""
        rows = (slope @ self.b)[:, None]
        inner = (x * slope).sum(axis=1, keepdims=True)
        along = (x @ self.b)[:, None]
        of_sites = slope @ self.stretch + 2 * (inner * self.b + along * slope - rows * x)
        turned: FloatArray = of_sites + of_effect[:, None] * (self.tilt + 2 * x @ self.bend)
        return turned


def _moves(form: str, roles: bool, x: FloatArray) -> Iterator[tuple[_Move, _Move]]:
    """Yield moves of senders' sites and of receivers', of the size of positions."""
    dim = x.shape[1]
    size = float(np.sqrt((x**2).mean())) or 1.0
    axes = np.eye(dim)
    if form == "inverse":
        for axis in axes:
            move = _Move.of(dim, b=axis / size, tilt=axis / size)
            yield move, move
    if form == "inner" and not roles:
        for axis in axes:
            move = _Move.of(dim, shift=axis / size, tilt=-axis / size)
            yield move, move
    if not roles or form not in ("inner", "squared"):
        return
    squared = 1.0 if form == "squared" else 0.0
    for axis in axes:  # senders move; then receivers
        tilts = (2 * squared * axis, -(2 * squared + 1 - squared) * axis)
        moved = _Move.of(dim, shift=axis, tilt=tilts[0]), _Move.of(dim, tilt=tilts[1])
        yield moved
        if form == "inner":
            yield moved[1], moved[0]
    for a, b in combinations_with_replacement(range(dim), 2):
        stretch = np.zeros((dim, dim))
        stretch[a, b] = stretch[b, a] = 1.0
        bend = 2 * squared * stretch
        yield (
            _Move.of(dim, stretch=stretch, bend=bend),
            _Move.of(dim, stretch=-stretch, bend=-bend),
        )


def made_up_for(
    problem: Problem, values: Parameters, slope: Parameters
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield moves that effects make up for, and what the slope of the likelihood adds.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    values : dict of str to ndarray
        Parameters as Stan declares them.
    slope : dict of str to ndarray
        Gradient of the log likelihood in them.

    Yields
    ------
    direction : ndarray of shape (P,)
        How the parameters move.
    product : ndarray of shape (P,)
        Minus the Hessian of the log likelihood times that: moves differ from point to point.
    """
    spec = problem.spec
    if not spec.effects or spec.clusters:
        return
    nothing = {name: np.zeros_like(value) for name, value in values.items()}
    z, both = values["z_raw"], spec.roles
    apart = values["role_raw"] * spec.role_fixed if both else np.zeros_like(z)
    sites = z + apart, z - apart
    of_sites = slope["z_raw"], slope["role_raw"] / spec.role_fixed if both else np.zeros_like(z)
    # a half of what z and the role have between them is of each site
    of_ends = (of_sites[0] + of_sites[1]) / 2, (of_sites[0] - of_sites[1]) / 2
    columns = range(values["effect_raw"].shape[1])
    for moves in _moves(spec.form, both, np.concatenate(sites)):
        ends = [move.of_sites(x) for move, x in zip(moves, sites, strict=True)]
        effects = [move.of_effects(x) for move, x in zip(moves, sites, strict=True)]
        of_effects = [slope["effect_raw"][:, column] / spec.sigma_fixed for column in columns]
        of_effects += [np.zeros(len(z))] * (2 - len(of_effects))
        turned = [
            move.turned(x, of_end, of_effect)
            for move, x, of_end, of_effect in zip(moves, sites, of_ends, of_effects, strict=True)
        ]
        direction = {
            **nothing,
            "z_raw": (ends[0] + ends[1]) / 2,
            "effect_raw": np.column_stack([effects[column] for column in columns])
            / spec.sigma_fixed,
        }
        product = {**nothing, "z_raw": turned[0] + turned[1]}
        if both:
            direction["role_raw"] = (ends[0] - ends[1]) / 2 / spec.role_fixed
            product["role_raw"] = (turned[0] - turned[1]) * spec.role_fixed
        yield flat(direction), flat(product)


def inverted_by_prior(problem: Problem, point: Parameters) -> tuple[dict[str, FloatArray], float]:
    """Move by the conformal map towards the highest prior, where the rate is 1/d.

    Parameters
    ----------
    problem : Problem
        The model, with effects, and its network.
    point : dict of str to ndarray
        All parameters.

    Returns
    -------
    moved : dict of str to ndarray
        A point of the same likelihood.
    size : float
        How far effects were moved, in their standard deviations.
    """
    spec, dim = problem.spec, problem.dim
    sites = _sites(point)
    moves = [[_Move.of(dim, b=axis).of_sites(x).reshape(-1) for axis in np.eye(dim)] for x in sites]
    moved_p, moved_q = (np.column_stack(of_axes) for of_axes in moves)
    # how the prior's standard normals move, a column for each axis
    parts = [(point["z"].reshape(-1), (moved_p + moved_q) / 2, problem.prior_scale)]
    if spec.roles:
        parts.append((point["role"].reshape(-1), (moved_p - moved_q) / 2, spec.role_fixed))
    for name, x in zip(EFFECTS[: 1 + problem.network.directed], sites, strict=False):
        parts.append((point[name], x, spec.sigma_fixed))
    slope, stiffness = np.zeros(dim), np.zeros((dim, dim))
    for value, move, sd in parts:
        slope -= move.T @ value / sd**2
        stiffness += move.T @ move / sd**2
    if np.linalg.matrix_rank(stiffness, hermitian=True) < dim:
        return dict(point), 0.0
    b = np.asarray(np.linalg.solve(stiffness, slope), dtype=np.float64)
    before = _prior(problem, point)
    for _ in range(HALVES):
        moved = _inverted(problem, point, b)
        if _prior(problem, moved) >= before:
            return moved, float(np.sqrt(b @ stiffness @ b))
        b /= 2
    return dict(point), 0.0


def _sites(point: Parameters) -> tuple[FloatArray, FloatArray]:
    """Return where nodes are as senders and as receivers."""
    role = point.get("role", np.zeros_like(point["z"]))
    return point["z"] + role, point["z"] - role


def _inverted(problem: Problem, point: Parameters, b: FloatArray) -> dict[str, FloatArray]:
    """Return the point under a conformal map, which effects make up for."""
    growths = [1 - 2 * x @ b + (b @ b) * (x**2).sum(axis=1) for x in _sites(point)]
    sites = [
        (x - (x**2).sum(axis=1, keepdims=True) * b) / growth[:, None]
        for x, growth in zip(_sites(point), growths, strict=True)
    ]
    moved = {**point, "z": (sites[0] + sites[1]) / 2}
    if problem.spec.roles:
        moved["role"] = (sites[0] - sites[1]) / 2
    for name, growth in zip(EFFECTS, growths, strict=True):
        moved[name] = point[name] - np.log(growth) / 2
    return moved


def _prior(problem: Problem, point: Parameters) -> float:
    """Return the log prior of positions and effects, up to a constant."""
    spec, directed = problem.spec, problem.network.directed
    names = EFFECTS[: 1 + directed]
    squares = sum(float((point[name] ** 2).sum()) for name in names) / spec.sigma_fixed**2
    squares += float((point["z"] ** 2).sum()) / problem.prior_scale**2
    if spec.roles:
        squares += float((point["role"] ** 2).sum()) / spec.role_fixed**2
    return -squares / 2
