"""Whether a point is a mode: the Hessian there, or what conjugate gradients see of it.

Nothing here knows the model: only gradients of a density.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lsm_stan.inference.differences import SHIFTS, WEIGHTS
from lsm_stan.typing import FloatArray

#: Eigenvalues below this share of the largest count as zero, or below what differentiation is wrong
#: by along the directions whose curvature is known. The second is for those directions.
ZERO_EIGENVALUE, ZERO_KNOWN = 1e-13, 1e-8

#: Curvatures of single coordinates below this are not scaled up any more.
LEAST_CURVATURE = 1e-8

#: Conjugate gradients end when the preconditioned gradient is down to this share, or after so
#: many products with the Hessian.
CG_TOLERANCE = 0.01
CG_PRODUCTS = 500


@dataclass(frozen=True)
class Curvature:
    """Eigenvalues of minus the Hessian of the log joint at a mode.

    Attributes
    ----------
    negative, flat : int
        Numbers of eigenvalues below zero, and of those that are zero within the error of
        differentiation, among the directions that are not rotations.
    rotations : int
        Number of directions that are rotations, K(K-1)/2 where the positions span K
        dimensions; along them the log joint is flat whatever the positions.
    error : float
        What differentiation is wrong by, along the directions whose curvature is known.
    smallest, largest : float
        Smallest and largest eigenvalue, rotations left out, in coordinates of which each has a
        curvature of 1.
    newton_gain : float
        What a Newton step within the curved directions would add to the log joint, in nats: a
        gradient's distance from zero in units that mean something.
    """

    negative: int
    flat: int
    rotations: int
    error: float
    smallest: float
    largest: float
    newton_gain: float

    @property
    def is_mode(self) -> bool:
        """No direction goes up, and none is flat but the rotations."""
        return self.negative == 0 and self.flat == 0

    def as_record(self) -> dict[str, Any]:
        """Return the numbers for ``fit.json``.

        Returns
        -------
        dict
        """
        return {**asdict(self), "is_mode": self.is_mode}


def tangents(positions: FloatArray) -> FloatArray:
    """Return how infinitesimal rotations move positions, one for each pair of dimensions.

    Parameters
    ----------
    positions : ndarray of shape (N, K)
        Positions, or gradients: those turn with them.

    Returns
    -------
    ndarray of shape (N·K, K(K-1)/2)
    """
    dim = positions.shape[1]
    columns = np.zeros((positions.size, dim * (dim - 1) // 2))
    for column, (a, b) in enumerate(combinations(range(dim), 2)):
        tangent = np.zeros_like(positions)
        tangent[:, a], tangent[:, b] = -positions[:, b], positions[:, a]
        columns[:, column] = tangent.reshape(-1)
    return columns


def independent(columns: FloatArray, least: float = 0.0) -> FloatArray:
    """Return the combinations of columns that are orthonormal.

    Parameters
    ----------
    columns : ndarray of shape (P, C)
        Columns, such as those of :func:`tangents`.
    least : float, default 0.0
        Length below which a combination counts as zero. Rotating positions that are zero does
        nothing.

    Returns
    -------
    ndarray of shape (C, R)
        ``columns @ independent(columns)`` has orthonormal columns; R is less than C where the
        positions span fewer dimensions.

    Examples
    --------
    >>> independent(tangents(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])))
    array([[0.5]])
    """
    _, sizes, axes = np.linalg.svd(columns, full_matrices=False)
    kept = sizes > max(1e-10 * sizes.max(initial=0.0), least)
    return np.asarray(axes[kept].T / sizes[kept])


@dataclass(frozen=True, eq=False)
class Known:
    """Directions, and minus the Hessian times each, known better than from the Hessian.

    Attributes
    ----------
    directions, products : ndarray of shape (P, S)
        They need not be orthogonal.
    errors : ndarray of shape (P, S), or float, default 0.0
        What the products are about wrong by; 0 where they are known without differentiation.
    """

    directions: FloatArray
    products: FloatArray
    errors: FloatArray | float = 0.0

    def __add__(self, other: Known) -> Known:
        """Return the directions of both."""
        errors = [np.broadcast_to(part.errors, part.products.shape) for part in (self, other)]
        return Known(
            np.column_stack([self.directions, other.directions]),
            np.column_stack([self.products, other.products]),
            np.column_stack(errors),
        )


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The log joint around a point, without the directions in which nothing changes.

    Coordinates are scaled to a curvature of 1 each, which leaves signs as they are. There minus the
    Hessian is taken apart into what it is known to do along some directions and what
    differentiation gave for the others: of its inverse by blocks the Schur complement is exact
    where the likelihood has nothing to say.

    Attributes
    ----------
    scale : ndarray of shape (P,)
        What a scaled coordinate is multiplied by.
    error : float
        The error of differentiation, in scaled coordinates.
    rotations : int
        Number of directions in which nothing changes.
    n_known : int
        Number of the last values: of the directions whose curvature is known.
    values : ndarray of shape (S,)
        Eigenvalues where nothing is known, and of the Schur complement where it is.
    zero : ndarray of shape (S,)
        What of them counts as zero: the error of differentiation, or, where they are known, of
        arithmetic.
    vectors : ndarray of shape (P, S)
        Vectors v with ``sum of v v' / value`` the inverse.
    """

    scale: FloatArray
    error: float
    rotations: int
    n_known: int
    values: FloatArray
    zero: FloatArray
    vectors: FloatArray

    def newton(self, gradient: FloatArray) -> tuple[FloatArray, float]:
        """Return a Newton step uphill, and what it would add to the log joint.

        Parameters
        ----------
        gradient : ndarray of shape (P,)
            Gradient of the log joint.

        Returns
        -------
        step : ndarray of shape (P,)
            Uphill too along directions that curve upwards.
        gain : float
            In nats, of the directions that curve downwards.
        """
        moved, slope = self._moved(gradient)
        down = self.values > self.zero
        return self.scale * (self.vectors @ moved), float(slope[down] @ moved[down] / 2)

    def newton_elsewhere(self, gradient: FloatArray) -> FloatArray:
        """Return a Newton step that leaves what is known as it is.

        Parameters
        ----------
        gradient : ndarray of shape (P,)
            Gradient of the log joint.

        Returns
        -------
        ndarray of shape (P,)
        """
        moved, _ = self._moved(gradient)
        others = slice(len(moved) - self.n_known)
        return self.scale * (self.vectors[:, others] @ moved[others])

    @property
    def soft(self) -> FloatArray:
        """Directions along which differentiation does not see the density fall: a column each."""
        others = slice(len(self.values) - self.n_known)
        unseen = self.values[others] <= self.zero[others]
        return self.scale[:, None] * self.vectors[:, others][:, unseen]

    def _moved(self, gradient: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return a Newton step in the coordinates of the vectors, and the gradient there."""
        slope = (self.scale * gradient) @ self.vectors
        curved = np.abs(self.values) > self.zero
        moved = np.zeros_like(slope)
        moved[curved] = slope[curved] / np.abs(self.values[curved])
        return moved, slope

    def judged(self, gradient: FloatArray) -> Curvature:
        """Return the numbers that say whether this is a mode.

        Parameters
        ----------
        gradient : ndarray of shape (P,)
            Gradient of the log joint.

        Returns
        -------
        Curvature
        """
        return Curvature(
            negative=int((self.values < -self.zero).sum()),
            flat=int((np.abs(self.values) <= self.zero).sum()),
            rotations=self.rotations,
            error=self.error,
            smallest=float(self.values.min()),
            largest=float(self.values.max()),
            newton_gain=self.newton(gradient)[1],
        )


def quadratic(hessian: FloatArray, rotations: Known, known: Known | None = None) -> Quadratic:
    """Decompose minus the Hessian.

    Parameters
    ----------
    hessian : ndarray of shape (P, P)
        As :func:`lsm_stan.inference.differences.minus_hessian` returns it.
    rotations : Known
        Directions in which the log joint is constant.
    known : Known or None, default None
        Further directions.

    Returns
    -------
    Quadratic
    """
    size, n_rotations = len(hessian), rotations.directions.shape[1]
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), LEAST_CURVATURE))
    hessian = scale[:, None] * (hessian + hessian.T) / 2 * scale
    parts = [rotations] if known is None else [rotations, known]
    directions = np.column_stack([part.directions for part in parts]) / scale[:, None]
    products = np.column_stack([part.products for part in parts]) * scale[:, None]
    basis, mixed = np.linalg.qr(directions, mode="complete")
    n_known = directions.shape[1]
    exact = products @ np.linalg.inv(mixed[:n_known])
    error = float(np.abs(hessian @ basis[:, :n_known] - exact).max(initial=0.0))
    others, along = basis[:, n_known:], basis[:, n_rotations:n_known]
    # what is known, rotations left out: at a mode the Hessian takes them to zero
    unmixed = np.linalg.inv(mixed[n_rotations:n_known, n_rotations:])
    exact = products[:, n_rotations:] @ unmixed
    # where nothing is known, and what couples it with what is
    values, vectors = np.linalg.eigh(others.T @ hessian @ others)
    # entries that are wrong by so much move eigenvalues by as much as this
    moved = 2 * np.sqrt(size) * error
    zero = max(ZERO_EIGENVALUE * float(np.abs(values).max(initial=0.0)), moved)
    vectors, coupling = others @ vectors, vectors.T @ others.T @ exact
    curved = np.abs(values) > zero
    solved = np.zeros_like(coupling)
    solved[curved] = coupling[curved] / values[curved, None]
    block = along.T @ exact
    size_of = 1 / np.sqrt(np.maximum(np.abs(np.diag(block)), 1e-300))
    schur = size_of[:, None] * (block - coupling.T @ solved) * size_of
    schur_values, turned = np.linalg.eigh((schur + schur.T) / 2)
    known_vectors = (along - vectors @ solved) @ (size_of[:, None] * turned)
    zero_known = ZERO_KNOWN
    if known is not None:
        errors = np.broadcast_to(known.errors, known.products.shape) * scale[:, None]
        wrong = along.T @ errors @ unmixed
        zero_known += 2 * float(np.linalg.norm(size_of[:, None] * wrong * size_of))
    return Quadratic(
        scale=scale,
        error=error,
        rotations=n_rotations,
        n_known=len(schur_values),
        values=np.concatenate([values, schur_values]),
        zero=np.repeat([zero, zero_known], [len(values), len(schur_values)]),
        vectors=np.column_stack([vectors, known_vectors]),
    )


@dataclass(frozen=True)
class NewtonStep:
    """What conjugate gradients found of a Newton step, without a Hessian.

    Attributes
    ----------
    newton_gain : float
        What the step would add to the log joint, in nats; a lower bound where `settled` is false.
    settled : bool
        Whether conjugate gradients ended by themselves.
    is_mode : bool
        Whether the log joint falls in every direction that they took.
    products : int
        Number of products with the Hessian.
    """

    newton_gain: float
    settled: bool
    is_mode: bool
    products: int

    def as_record(self) -> dict[str, Any]:
        """Return the numbers for ``fit.json``.

        Returns
        -------
        dict
        """
        return asdict(self)


def newton_step(
    gradients: Callable[[FloatArray], FloatArray],
    mode: FloatArray,
    gradient: FloatArray,
    root: Callable[[FloatArray], FloatArray],
    step: float = 1e-5,
) -> NewtonStep:
    """Measure a Newton step by conjugate gradients, where the Hessian is too large to have.

    A product with the Hessian is a difference of gradients. A gradient has no part along the
    rotations, and conjugate gradients never move along them.

    Parameters
    ----------
    gradients : callable
        Maps points of shape ``(M, P)`` to the gradients of the log joint there.
    mode : ndarray of shape (P,)
        The point.
    gradient : ndarray of shape (P,)
        Gradient of the log joint at the mode.
    root : callable
        A symmetric, positive definite linear map of P numbers, whose square is near to the
        inverse of minus the Hessian: the preconditioner.
    step : float, default 1e-5
        Step of the difference, in the coordinate that moves most.

    Returns
    -------
    NewtonStep

    Notes
    -----
    The preconditioned method of Nocedal & Wright, Numerical Optimization, 2006, algorithm 5.3; the
    gains of its steps add up to half of what the gradient times the Newton step is.
    """
    residual = root(gradient)
    direction = residual
    first = squared = float(residual @ residual)
    gain, products = 0.0, 0
    while squared > CG_TOLERANCE**2 * first and products < CG_PRODUCTS:
        move = root(direction)
        length = step / np.abs(move).max()
        probed = gradients(mode + length * SHIFTS[:, None] * move)
        product = -root(WEIGHTS @ probed) / length
        products += 1
        curved = float(direction @ product)
        if not curved > 0:
            return NewtonStep(gain, settled=False, is_mode=False, products=products)
        size = squared / curved
        gain += size * squared / 2
        residual = residual - size * product
        before, squared = squared, float(residual @ residual)
        direction = residual + squared / before * direction
    settled = squared <= CG_TOLERANCE**2 * first
    return NewtonStep(gain, settled=settled, is_mode=True, products=products)
