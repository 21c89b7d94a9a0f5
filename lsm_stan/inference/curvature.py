"""Whether a point is a mode: the Hessian there, or what conjugate gradients see of it.

Nothing here knows the model: only gradients of a density.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lsm_stan.typing import FloatArray

#: Eigenvalues of the Hessian below this share of the largest, or below what is seen along a
#: rotation, count as zero.
ZERO_EIGENVALUE = 1e-13

#: Columns of the Hessian that are differentiated in one batch of gradients.
PROBED_COLUMNS = 256

#: Fourth-order central difference: where to evaluate, in steps, and weights for a step of 1.
SHIFTS = np.array([2.0, 1.0, -1.0, -2.0])
WEIGHTS = np.array([-1.0, 8.0, -8.0, 1.0]) / 12

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
    rotation_curvature : float
        Largest entry of the Hessian times a rotation, zero at a mode: the error of
        differentiation, and of the mode.
    smallest, largest : float
        Smallest and largest eigenvalue, rotations left out.
    newton_gain : float
        What a Newton step within the curved directions would add to the log joint, in nats: a
        gradient's distance from zero in units that mean something.
    """

    negative: int
    flat: int
    rotations: int
    rotation_curvature: float
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


def rotation_directions(positions: FloatArray) -> FloatArray:
    """Return an orthonormal basis of the infinitesimal rotations of a position set.

    Parameters
    ----------
    positions : ndarray of shape (N, K)
        Positions.

    Returns
    -------
    ndarray of shape (N·K, R)
        Orthonormal columns; R = K(K-1)/2, less where the positions span fewer dimensions.

    Examples
    --------
    >>> rotation_directions(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]])).shape
    (6, 1)
    """
    dim = positions.shape[1]
    tangents = np.zeros((positions.size, dim * (dim - 1) // 2))
    for column, (a, b) in enumerate(combinations(range(dim), 2)):
        tangent = np.zeros_like(positions)
        tangent[:, a], tangent[:, b] = -positions[:, b], positions[:, a]
        tangents[:, column] = tangent.reshape(-1)
    basis, sizes, _ = np.linalg.svd(tangents, full_matrices=False)
    return np.asarray(basis[:, sizes > 1e-10 * sizes.max(initial=0.0)])


def curvature(
    gradients: Callable[[FloatArray], FloatArray],
    mode: FloatArray,
    gradient: FloatArray,
    rotations: FloatArray | None = None,
    step: float = 1e-5,
) -> Curvature:
    """Check that a point is a mode: differentiate the gradient numerically and count signs.

    Parameters
    ----------
    gradients : callable
        Maps points of shape ``(M, *shape)`` to the gradients of the log joint there, of the
        same shape.
    mode : ndarray of shape (N, K)
        Positions, or a point of any shape if its rotations are given.
    gradient : ndarray
        Gradient of the log joint at the mode, of the mode's shape.
    rotations : ndarray of shape (size, R), or None, default None
        Orthonormal directions in which the log joint is constant; by default those of
        :func:`rotation_directions`.
    step : float, default 1e-5
        Step of the central difference, which is of fourth order.

    Returns
    -------
    Curvature
    """
    size = mode.size
    hessian = np.empty((size, size))
    for first in range(0, size, PROBED_COLUMNS):
        columns = np.arange(first, min(first + PROBED_COLUMNS, size))
        probes = np.tile(mode.reshape(size), (columns.size, 4, 1))
        probes[np.arange(columns.size), :, columns] += SHIFTS * step
        probed = gradients(probes.reshape(-1, *mode.shape)).reshape(probes.shape)
        hessian[columns] = -np.einsum("s,csp->cp", WEIGHTS / step, probed)
    hessian = (hessian + hessian.T) / 2
    if rotations is None:
        rotations = rotation_directions(mode)
    along = hessian @ rotations
    # rotations are taken out by giving them a curvature that no other direction has
    largest = float(np.linalg.norm(hessian, 2))
    shifted = hessian - along @ rotations.T - rotations @ along.T
    shifted += (
        rotations @ (rotations.T @ along + 2 * largest * np.eye(along.shape[1])) @ rotations.T
    )
    values, vectors = np.linalg.eigh(shifted)
    kept = slice(0, size - rotations.shape[1])
    values, slope = values[kept], gradient.reshape(size) @ vectors[:, kept]
    error = float(np.abs(along).max(initial=0.0))
    zero = max(ZERO_EIGENVALUE * largest, error)
    curved = values > zero
    return Curvature(
        negative=int((values < -zero).sum()),
        flat=int((np.abs(values) <= zero).sum()),
        rotations=rotations.shape[1],
        rotation_curvature=error,
        smallest=float(values[0]),
        largest=largest,
        newton_gain=float(np.sum(slope[curved] ** 2 / values[curved]) / 2),
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
