"""The curvature along directions in which a density hardly changes.

A Hessian is differentiated coordinate by coordinate: of large counts every coordinate is steep, and
what is soft are combinations of them, whose curvature is lost in the error of the steep ones. Along
the combination itself the gradient changes by the soft curvature alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lsm_stan.inference.curvature import Known
from lsm_stan.inference.differences import fall_of_gradient
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
    step = 1 / np.abs(directions / steps[:, None]).max(axis=0)
    moves = (step * directions).T
    fall = fall_of_gradient(gradients, point, np.concatenate([moves, moves / 2])).T
    if not np.isfinite(fall).all():
        raise ArithmeticError("the gradient is not finite around the point")
    whole, half = fall[:, : step.size] / step, fall[:, step.size :] / (step / 2)
    return Known(directions, whole, half - whole)
