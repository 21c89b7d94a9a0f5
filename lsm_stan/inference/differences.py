"""Derivatives of a gradient by central differences of fourth order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lsm_stan.typing import FloatArray

#: Columns of the Hessian that are differentiated in one batch of gradients.
PROBED_COLUMNS = 256

#: Fourth-order central difference: where to evaluate, in steps, and weights for a step of 1.
SHIFTS = np.array([2.0, 1.0, -1.0, -2.0])
WEIGHTS = np.array([-1.0, 8.0, -8.0, 1.0]) / 12


def fall_of_gradient(
    gradients: Callable[[FloatArray], FloatArray], point: FloatArray, moves: FloatArray
) -> FloatArray:
    """Return minus the change of a gradient along moves, to first order in their length.

    Parameters
    ----------
    gradients : callable
        Maps points of shape ``(M, P)`` to the gradients of the log joint there.
    point : ndarray of shape (P,)
        Where.
    moves : ndarray of shape (S, P)
        Steps of the difference.

    Returns
    -------
    ndarray of shape (S, P)
        Minus the Hessian times each move; not finite where a gradient beside the point is not.
    """
    probes = point + SHIFTS[:, None] * moves[:, None]
    probed = gradients(probes.reshape(-1, point.size)).reshape(probes.shape)
    return np.asarray(-np.einsum("w,swp->sp", WEIGHTS, probed))


def minus_hessian(
    gradients: Callable[[FloatArray], FloatArray],
    point: FloatArray,
    step: float | FloatArray = 1e-5,
) -> FloatArray:
    """Differentiate the gradient numerically.

    Parameters
    ----------
    gradients : callable
        Maps points of shape ``(M, P)`` to the gradients of the log joint there.
    point : ndarray of shape (P,)
        Where.
    step : float or ndarray of shape (P,), default 1e-5
        Steps of the central difference, which is of fourth order, in each coordinate.

    Returns
    -------
    ndarray of shape (P, P)
        Minus the Hessian, not yet symmetric.

    Raises
    ------
    ArithmeticError
        If the gradient is not finite somewhere around the point.
    """
    size = point.size
    steps = np.broadcast_to(step, (size,))
    hessian = np.empty((size, size))
    for first in range(0, size, PROBED_COLUMNS):
        columns = slice(first, min(first + PROBED_COLUMNS, size))
        moves = np.eye(columns.stop - first, size, first) * steps
        hessian[columns] = fall_of_gradient(gradients, point, moves) / steps[columns, None]
    if not np.isfinite(hessian).all():
        raise ArithmeticError("the gradient is not finite around the point")
    return hessian
