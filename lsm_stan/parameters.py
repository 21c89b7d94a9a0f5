"""The parameters of a model: their names and shapes, and the coordinates Stan moves in.

Everywhere in Python parameters are a mapping from name to array, ``Parameters``, whose arrays
share their leading axes (draws, say):

=====================================  ============  =============================================
name                                   shape         where
=====================================  ============  =============================================
``z``                                  ``(N, K)``    always: positions
``role``                               ``(N, K)``    models with roles: a node sends from
                                                     ``z + role`` and receives at ``z - role``
``intercept``                          ``()``        models with an intercept
``phi``                                ``()``        ``nb``, ``dyadic``: the frailty's size
``sender_effect``, ``receiver_effect``  ``(N,)``     models with effects; equal if undirected
``sigma_sender``, ``sigma_receiver``   ``()``        the effects' scales, where they are learned
``rho``                                ``()``        the effects' correlation, where learned
``sigma_role``                         ``()``        the roles' scale, where learned
``sigma_z``                            ``()``        the scale of the positions, where learned
=====================================  ============  =============================================

The Stan program declares other coordinates, none of them bounded: ``log_phi``, the logarithms of
scales, ``rho_raw`` with ``rho = tanh(rho_raw)``, and effects and roles in units of their scales,
``effect_raw`` and ``role_raw``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lsm_stan.models import ModelSpec

if TYPE_CHECKING:
    import cmdstanpy

FloatArray = NDArray[np.float64]
Parameters: TypeAlias = Mapping[str, FloatArray]

#: Parameters that have one value a node.
NODE_PARAMETERS = ("sender_effect", "receiver_effect")


def rate_parameters(spec: ModelSpec) -> list[str]:
    """Return the names of the parameters that the weights' distribution depends on."""
    return [
        "z",
        *(["intercept"] if spec.intercept else []),
        *(["phi"] if spec.dispersed else []),
        *(NODE_PARAMETERS if spec.effects else []),
        *(["role"] if spec.roles else []),
    ]


def effect_columns(spec: ModelSpec, directed: bool) -> int:
    """Return how many effects a node has: sender and receiver, one that is both, or none."""
    return (2 if directed else 1) if spec.effects else 0


def from_stan(
    result: cmdstanpy.CmdStanMLE | cmdstanpy.CmdStanVB | cmdstanpy.CmdStanMCMC,
    spec: ModelSpec,
    **options: bool,
) -> dict[str, FloatArray]:
    """Return the parameters in a result of CmdStanPy.

    Parameters
    ----------
    result
        Of the Stan program.
    spec
        Which model it was.
    **options
        Of CmdStanPy's ``stan_variable``.
    """
    z = np.asarray(result.stan_variable("z", **options))
    *batch, n_nodes, _ = z.shape

    def read(name: str, *shape: int) -> FloatArray:
        # CmdStanPy drops axes of length 1 from some results, not from others
        return np.asarray(result.stan_variable(name, **options)).reshape((*batch, *shape))

    found = {"z": z}
    names = result.metadata.stan_vars
    if spec.intercept:
        found["intercept"] = read("intercept")
    if spec.dispersed:
        found["phi"] = read("phi")
    if spec.effects:
        effect = read("effect", n_nodes, -1)
        found["sender_effect"], found["receiver_effect"] = effect[..., 0], effect[..., -1]
        if "sigma" in names:
            sigma = read("sigma", -1)
            found["sigma_sender"], found["sigma_receiver"] = sigma[..., 0], sigma[..., -1]
        if "rho" in names:
            found["rho"] = read("rho")
    if spec.roles:
        found["role"] = read("role", *z.shape[-2:])
    found |= {name: read(name) for name in ("sigma_role", "sigma_z") if name in names}
    return found


def declared(
    parameters: Parameters, spec: ModelSpec, *, directed: bool, learned: bool
) -> dict[str, FloatArray]:
    """Return the values of what the Stan program declares, in its order; positions as ``z_raw``.

    Parameters
    ----------
    parameters
        Those of the model that are missing get the values they have where nothing is known: no
        effects, their scales the fixed ones, no intercept, phi = 1, the scale of the positions
        their root mean square.
    spec
        The model.
    directed
        Whether the network is.
    learned
        Whether scales are parameters.
    """
    z = parameters["z"]
    batch = z.shape[:-2]

    def scalar(name: str, default: float) -> FloatArray:
        return np.asarray(parameters.get(name, np.full(batch, default)), dtype=float)

    columns = effect_columns(spec, directed)
    values = {"z_raw": z}
    spread = scalar("sigma_role", spec.role_fixed)
    role = parameters.get("role", np.zeros_like(z)) / spread[..., None, None]
    values["role_raw"] = role if spec.roles else role[..., :0, :]
    values["intercept"] = scalar("intercept", 0.0)[..., None] if spec.intercept else _none(batch)
    values["log_phi"] = np.log(scalar("phi", 1.0))[..., None] if spec.dispersed else _none(batch)
    default = spec.sigma_fixed
    sigma = np.stack([scalar("sigma_sender", default), scalar("sigma_receiver", default)], axis=-1)
    # CSV files round a correlation of nearly 1, which ADVI can end at, to 1
    rho = np.clip(scalar("rho", 0.0), -1 + 1e-10, 1 - 1e-10)[..., None]
    no_effect = np.zeros(z.shape[:-1])
    first = parameters.get("sender_effect", no_effect) / sigma[..., :1]
    second = parameters.get("receiver_effect", no_effect) / sigma[..., 1:]
    raw = np.stack([first, (second - rho * first) / np.sqrt(1 - rho**2)], axis=-1)
    values["effect_raw"] = raw[..., :columns]
    values["log_sigma"] = np.log(sigma[..., : columns if learned else 0])
    values["rho_raw"] = np.arctanh(rho) if learned and columns == 2 else _none(batch)
    values["log_sigma_role"] = np.log(spread)[..., None] if learned and spec.roles else _none(batch)
    learned_positions = learned and spec.learns_positions_scale
    spread = parameters.get("sigma_z", np.sqrt(np.mean(z**2, axis=(-2, -1))))
    values["log_sigma_z"] = np.log(spread)[..., None] if learned_positions else _none(batch)
    return values


def flat(values: Parameters) -> FloatArray:
    """Return declared values as ``(..., P)`` rows, in Stan's order."""
    z = values["z_raw"]
    batch = z.shape[:-2]
    # Stan stores a matrix column by column
    parts = [
        np.swapaxes(value, -1, -2) if name in ("z_raw", "role_raw", "effect_raw") else value
        for name, value in values.items()
    ]
    return np.concatenate([part.reshape(*batch, -1) for part in parts], axis=-1)


def _none(batch: tuple[int, ...]) -> FloatArray:
    return np.zeros((*batch, 0))
