"""The curvature along directions in which a density hardly changes.

A Hessian is differentiated coordinate by coordinate: of large counts every coordinate is steep, and
what is soft are combinations of them, whose curvature is lost in the error of the steep ones. Along
the combination itself the gradient changes by the soft curvature alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lsm_stan.inference.curvature import SHIFTS, WEIGHTS, Known
from lsm_stan.typing import FloatArray


def measured_along(
    gradients: Callable[[FloatArray], FloatArray],
    point: FloatArray,
    directions: FloatArray,
    steps: FloatArray,
) -> Known:
    """Differentiate the gradient along directions.

    Parameters
    ----------
    gradients : callable
        Maps points of shape ``(M, P)`` to the gradients of the log joint there.
    point : ndarray of shape (P,)
        Where.
    directions : ndarray of shape (P, S)
        Directions of any length.
    steps : ndarray of shape (P,)
        How far each coordinate may move for a difference.

    Returns
    -------
    Known
        Minus the Hessian times each direction. The error is the difference to what half the step
        gives: of rounding, or of the step.

    Raises
    ------
    ArithmeticError
        If the gradient is not finite somewhere around the point.
    """
    size, number = directions.shape
    step = 1 / np.abs(directions / steps[:, None]).max(axis=0)
    shifts = np.concatenate([SHIFTS, SHIFTS / 2])
    probes = point + shifts[:, None] * (step * directions).T[:, None]
    probed = gradients(probes.reshape(-1, size)).reshape(number, 2, len(SHIFTS), size)
    if not np.isfinite(probed).all():
        raise ArithmeticError("the gradient is not finite around the point")
    whole, half = -np.einsum("w,shwp->hps", WEIGHTS, probed) / step
    return Known(directions, whole, 2 * half - whole)
