"""Laplace: the normal density with the posterior's curvature at a mode."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from lsm_stan.errors import InputError
from lsm_stan.inference.curvature import Quadratic
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.mode_checks import MAX_CURVATURE_SIZE, settle_mode
from lsm_stan.inference.run import Run
from lsm_stan.model.parameters import Parameters, flat
from lsm_stan.posterior.checks import approximation_khat
from lsm_stan.typing import FloatArray


@dataclass(frozen=True)
class CountedLogJoint(LogJoint):
    """A log joint density that counts its gradients.

    Attributes
    ----------
    counts : list of int
        How many each evaluation took.
    """

    counts: list[int] = field(default_factory=list)

    def at_flat(
        self, points: FloatArray, *, learned: bool = False
    ) -> tuple[FloatArray, FloatArray]:
        """Evaluate it as :meth:`LogJoint.at_flat` does, and count.

        Parameters
        ----------
        points : ndarray of shape (..., P)
            As there.
        learned : bool, default False
            As there.

        Returns
        -------
        log_joint : ndarray of shape (...)
        gradient : ndarray of shape (..., P)
        """
        self.counts.append(math.prod(points.shape[:-1]))
        return super().at_flat(points, learned=learned)


def approximate_at_mode(run: Run, start: Parameters, draws: int) -> Fit:
    """Go from a start to the mode near it, and draw from the normal density there.

    Parameters
    ----------
    run : Run
        The run.
    start : dict of str to ndarray
        Parameters without leading axes.
    draws : int
        Number of draws.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        If the model has too many parameters for their Hessian.
    """
    problem, log_joint = run.problem, CountedLogJoint(run.problem, run.compiled)
    size = flat(problem.declared(start)).size
    if size > MAX_CURVATURE_SIZE:
        raise InputError(
            f"method laplace needs the Hessian of {size:,} parameters; at most"
            f" {MAX_CURVATURE_SIZE:,} are possible: take advi"
        )
    run.say(f"the curvature of {size:,} parameters")
    mode = settle_mode(log_joint, start)
    gradients = sum(log_joint.counts)
    if mode.around is None:
        points, log_q = (
            np.repeat(flat(problem.declared(mode.point))[None], draws, 0),
            np.zeros(draws),
        )
    else:
        rng = np.random.default_rng(run.seed)
        offsets, log_q = normal_draws(mode.around, draws, rng)
        points = flat(problem.declared(mode.point)) + offsets
    density = log_joint.at_flat(points)[0]
    return run.finish(
        draws={name: values[None] for name, values in problem.at_flat(points).items()},
        log_joint=density[None],
        estimate=mode.point,
        sample_stats={"log_q": log_q[None]},
        checks=mode.checks,
        details={
            **mode.details,
            "khat": approximation_khat(density - log_q),
            "draws": draws,
            "gradients": gradients,
        },
    )


def normal_draws(
    around: Quadratic, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw from the normal density of a mode's curvature, rotations left out.

    Parameters
    ----------
    around : Quadratic
        The log joint around the mode.
    draws : int
        Number of draws, S.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    offsets : ndarray of shape (S, P)
        Draws less the mode; directions in which the log joint does not fall are left out.
    log_q : ndarray of shape (S,)
        Log densities, in nats, up to a constant.
    """
    falls = around.values > around.zero
    noise = rng.normal(size=(draws, int(falls.sum())))
    offsets = (noise / np.sqrt(around.values[falls])) @ around.vectors[:, falls].T * around.scale
    return offsets, -0.5 * np.sum(noise**2, axis=1)
