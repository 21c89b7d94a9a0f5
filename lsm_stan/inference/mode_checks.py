"""The checks of a mode, and their sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from lsm_stan.cmdstan.density import write_data
from lsm_stan.files import needs_room, temporary_folder
from lsm_stan.inference.curvature import curvature, newton_step, rotation_directions
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.model.parameters import TURNED, Parameters, flat
from lsm_stan.posterior.checks import Check
from lsm_stan.typing import FloatArray

#: A mode is accepted when a Newton step from it would gain less than this many nats.
MAX_NEWTON_GAIN = 1e-3

#: Largest number of parameters whose Hessian is computed at a mode; of more it is only multiplied.
MAX_CURVATURE_SIZE = 3000


def judge_mode(
    log_joint: LogJoint, point: Parameters, gradient: FloatArray
) -> tuple[list[Check], dict[str, Any]]:
    """Check that a point is a mode, by its Hessian where its size allows.

    Parameters
    ----------
    log_joint : LogJoint
        The density that the point may be a mode of.
    point : dict of str to ndarray
        All parameters.
    gradient : ndarray of shape (P,)
        Gradient of the log joint there, in Stan's own coordinates.

    Returns
    -------
    checks : list of Check
        ``gradient`` and ``curvature``.
    details : dict
        Their numbers, for the record.
    """
    if not np.isfinite(gradient).all():
        return [Check("gradient", False, "the gradient is not finite")], {}
    values = log_joint.problem.declared(point)
    mode = flat(values)
    if mode.size > MAX_CURVATURE_SIZE:
        return _judge_large_mode(log_joint, values, gradient)
    # what turns with the positions is turned by one rotation: as if it were further nodes
    parts = [values[name] for name in TURNED]
    nodes = np.concatenate(parts)
    basis = rotation_directions(nodes).T
    blocks = np.split(
        basis.reshape(len(basis), *nodes.shape), np.cumsum([*map(len, parts)])[:-1], axis=1
    )
    still = {name: np.zeros((len(basis), *value.shape)) for name, value in values.items()}
    rotations = flat({**still, **dict(zip(TURNED, blocks, strict=True))}).T
    measured = curvature(lambda points: log_joint.at_flat(points)[1], mode, gradient, rotations)
    checks = [
        _newton_check(measured.newton_gain),
        Check(
            "curvature",
            measured.is_mode,
            f"the log joint falls in every direction but the {measured.rotations} rotations"
            if measured.is_mode
            else f"the log joint still rises along {measured.negative} directions, and along"
            f" {measured.flat} it does not change (the {measured.rotations} rotations apart): no"
            " mode. Try more starts or another form; this model may have no mode here",
        ),
    ]
    return checks, {"newton_gain": measured.newton_gain, "curvature": measured.as_record()}


def _judge_large_mode(
    log_joint: LogJoint, values: dict[str, FloatArray], gradient: FloatArray
) -> tuple[list[Check], dict[str, Any]]:
    """Check that a point is a mode, as far as conjugate gradients go."""
    problem = log_joint.problem
    sd = problem.spec.prior_sd(problem.prior_scale)
    units = flat({name: np.full_like(v, sd.get(name, np.nan)) for name, v in values.items()})
    change = problem.preconditioner(values["z_raw"][None])

    def root(vector: FloatArray) -> FloatArray:
        if change is None:
            return vector * units
        return (vector.reshape(problem.dim, -1) @ change.factor).reshape(-1)

    with needs_room(), temporary_folder() as folder:
        data = write_data(folder / "data.json", problem.stan_data())

        def gradients(points: FloatArray) -> FloatArray:
            return log_joint.compiled.log_prob_grad(data, points)[1]

        measured = newton_step(gradients, flat(values), gradient, root)
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
