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
``beta``                               ``(P,)``      models with covariates: their coefficients
``centre``                             ``(G, K)``    models with clusters of positions: their
``theta``, ``sigma_cluster``           ``(G,)``      centres, shares and standard deviations,
                                                     the last where they are learned
=====================================  ============  =============================================

The Stan program declares other coordinates, none of them bounded: ``log_phi``, the logarithms of
scales, ``rho_raw`` with ``rho = tanh(rho_raw)``, ``coefficient``, that is ``beta`` times the
covariates' scales, positions (where their scale is learned), effects and roles in units of their
scales, ``z_raw``, ``effect_raw`` and ``role_raw``, ``theta_raw``, logarithms of ``theta`` relative
to its last, and ``log_omega`` with ``sigma_cluster`` in units of the positions' scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.cluster.vq import kmeans
from scipy.special import softmax

from lsm_stan.model.family import ModelSpec
from lsm_stan.typing import FloatArray

if TYPE_CHECKING:
    import cmdstanpy

Parameters: TypeAlias = Mapping[str, FloatArray]

#: Dims of parameters that have any, after the draws'.
DIMS: dict[str, tuple[str, ...]] = {
    "z": ("node", "dim"),
    "role": ("node", "dim"),
    "sender_effect": ("node",),
    "receiver_effect": ("node",),
    "beta": ("covariate",),
    "z_layer": ("layer", "node", "dim"),
    "layer_intercept": ("layer",),
    "layer_sender_effect": ("layer", "node"),
    "layer_receiver_effect": ("layer", "node"),
    "centre": ("cluster", "dim"),
    "theta": ("cluster",),
    "sigma_cluster": ("cluster",),
}

#: Parameters that have one value a node.
NODE_PARAMETERS = tuple(name for name, dims in DIMS.items() if dims == ("node",))

#: Parameters that there are only where scales are learned.
SCALES = ("sigma_sender", "sigma_role", "sigma_z", "sigma_cluster", "sigma_change")

#: What the Stan program declares as a matrix.
MATRICES = ("z_raw", "role_raw", "effect_raw", "centre", "change_raw")

#: Those of them that turn with the positions.
TURNED = ("z_raw", "role_raw", "centre", "change_raw")


def cloud(parameters: Parameters) -> FloatArray:
    """Return all positions that turn as one: those of all layers, where there are layers.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters with any leading axes.

    Returns
    -------
    ndarray of shape (..., N, K) or (..., L N, K)
    """
    z = parameters.get("z_layer")
    if z is None:
        return parameters["z"]
    return z.reshape(*z.shape[:-3], -1, z.shape[-1])


def rate_parameters(spec: ModelSpec) -> list[str]:
    """Return the names of the parameters that the weights' distribution depends on.

    Parameters
    ----------
    spec : ModelSpec
        The model.

    Returns
    -------
    list of str
    """
    return [
        "z",
        *(["intercept"] if spec.intercept else []),
        *(["phi"] if spec.dispersed else []),
        *(NODE_PARAMETERS if spec.effects else []),
        *(["role"] if spec.roles else []),
        *(["beta"] if spec.with_coefficient else []),
    ]


def effect_columns(spec: ModelSpec, directed: bool) -> int:
    """Return how many effects a node has: sender and receiver, one that is both, or none.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    directed : bool
        Whether the network is directed.

    Returns
    -------
    int
        2, 1 or 0.
    """
    return (2 if directed else 1) if spec.effects else 0


def from_stan(
    result: cmdstanpy.CmdStanMLE | cmdstanpy.CmdStanVB | cmdstanpy.CmdStanMCMC,
    spec: ModelSpec,
    **options: bool,
) -> dict[str, FloatArray]:
    """Return the parameters in a result of CmdStanPy.

    Parameters
    ----------
    result : CmdStanMLE, CmdStanVB or CmdStanMCMC
        What CmdStanPy returned for the Stan program.
    spec : ModelSpec
        The model that was run.
    **options : bool
        Options of CmdStanPy's ``stan_variable``.

    Returns
    -------
    dict of str to ndarray
        Parameters by name, with the leading axes of CmdStanPy's result.
    """
    z = np.asarray(result.stan_variable("z", **options))
    *batch, n_nodes, _ = z.shape

    def read(name: str, *shape: int) -> FloatArray:
        # CmdStanPy drops axes of length 1 from some results, not from others
        return np.asarray(result.stan_variable(name, **options)).reshape((*batch, *shape))

    parameters = {"z": z}
    names = result.metadata.stan_vars
    if spec.intercept:
        parameters["intercept"] = read("intercept")
    if spec.dispersed:
        parameters["phi"] = read("phi")
    if spec.effects:
        effect = read("effect", n_nodes, -1)
        parameters["sender_effect"], parameters["receiver_effect"] = effect[..., 0], effect[..., -1]
        if "sigma" in names:
            sigma = read("sigma", -1)
            parameters["sigma_sender"], parameters["sigma_receiver"] = sigma[..., 0], sigma[..., -1]
        if "rho" in names:
            parameters["rho"] = read("rho")
    if spec.roles:
        parameters["role"] = read("role", *z.shape[-2:])
    parameters |= {name: read(name) for name in ("sigma_role", "sigma_z") if name in names}
    if spec.covariates is not None and spec.with_coefficient:
        scale = spec.covariates.scale
        parameters["beta"] = read("coefficient", len(scale)) / scale
    if spec.clusters:
        parameters["centre"] = read("centre", spec.clusters, z.shape[-1])
        parameters["theta"] = read("theta", spec.clusters)
        if "log_omega" in names:
            parameters["sigma_cluster"] = read("sigma_cluster", spec.clusters)
    return parameters


def declared(
    parameters: Parameters,
    spec: ModelSpec,
    *,
    directed: bool,
    learned: bool,
    prior_scale: float = 1.0,
) -> dict[str, FloatArray]:
    """Return the values of what the Stan program declares, in its order; positions as ``z_raw``.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters of the model. Those that are missing get the values they have where nothing is
        known: no effects, their scales the fixed ones, no intercept, phi = 1, the scale of the
        positions their root mean square, coefficients 0, clusters those that k-means finds in the
        positions.
    spec : ModelSpec
        The model.
    directed : bool
        Whether the network is directed.
    learned : bool
        Whether scales are parameters.
    prior_scale : float, default 1.0
        The scale of the positions where it is never learned.

    Returns
    -------
    dict of str to ndarray
    """
    z = parameters["z"]
    batch = z.shape[:-2]

    def scalar(name: str, default: float) -> FloatArray:
        return np.asarray(parameters.get(name, np.full(batch, default)), dtype=float)

    columns = effect_columns(spec, directed)
    learned_positions = learned and spec.learns_positions_scale
    unit = np.full(batch, prior_scale)
    if learned_positions:
        unit = parameters.get("sigma_z", np.sqrt(np.mean(z**2, axis=(-2, -1))))
    values = {"z_raw": z / unit[..., None, None] if learned_positions else z}
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
    values["log_sigma_z"] = np.log(unit)[..., None] if learned_positions else _none(batch)
    n_terms, n_clusters = len(spec.with_coefficient), spec.clusters
    beta = parameters.get("beta", np.zeros((*batch, n_terms)))[..., :n_terms]
    values["coefficient"] = beta if spec.covariates is None else beta * spec.covariates.scale
    values["centre"] = _centres(parameters, n_clusters)
    theta = parameters.get("theta", np.ones((*batch, n_clusters)))[..., :n_clusters]
    log_theta = np.log(np.maximum(theta, 1e-100))  # CSV files round a small share to 0
    values["theta_raw"] = (log_theta - log_theta[..., -1:])[..., :-1]
    fixed = np.multiply.outer(unit, np.full(n_clusters, spec.cluster_fixed))
    omega = parameters.get("sigma_cluster", fixed)[..., :n_clusters] / unit[..., None]
    values["log_omega"] = np.log(omega)[..., : n_clusters if learned else 0]
    return values


def flat(values: Parameters) -> FloatArray:
    """Return declared values as rows of numbers, in Stan's order.

    Parameters
    ----------
    values : dict of str to ndarray
        What :func:`declared` returns.

    Returns
    -------
    ndarray of shape (..., P)
    """
    z = values["z_raw"]
    batch = z.shape[:-2]
    # Stan stores a matrix column by column
    parts = [
        np.swapaxes(value, -1, -2) if name in MATRICES else value for name, value in values.items()
    ]
    return np.concatenate(
        [part.reshape(*batch, math.prod(part.shape[len(batch) :])) for part in parts], axis=-1
    )


def unflat(points: FloatArray, template: Parameters) -> dict[str, FloatArray]:
    """Return rows of numbers as declared values: what `flat` undoes.

    Parameters
    ----------
    points : ndarray of shape (..., P)
        Numbers in Stan's order.
    template : dict of str to ndarray
        Values of the names and shapes that are wanted.

    Returns
    -------
    dict of str to ndarray
        With the leading axes of `points`.
    """
    batch = points.shape[:-1]
    ends = np.cumsum([value.size for value in template.values()])
    values = {}
    for (name, value), part in zip(
        template.items(), np.split(points, ends[:-1], axis=-1), strict=True
    ):
        if name in MATRICES:
            *first, rows, columns = value.shape
            values[name] = np.swapaxes(part.reshape(*batch, *first, columns, rows), -1, -2)
        else:
            values[name] = part.reshape(*batch, *value.shape)
    return values


def from_flat(
    points: FloatArray,
    spec: ModelSpec,
    *,
    n_nodes: int,
    dim: int,
    directed: bool,
    learned: bool,
    prior_scale: float = 1.0,
) -> dict[str, FloatArray]:
    """Return the parameters at points in Stan's own coordinates: what `flat` and `declared` undo.

    Parameters
    ----------
    points : ndarray of shape (..., P)
        Points as :func:`flat` lays them out.
    spec : ModelSpec
        The model.
    n_nodes, dim : int
        N and K.
    directed : bool
        Whether the network is directed.
    learned : bool
        Whether scales are among the parameters.
    prior_scale : float, default 1.0
        The scale of the positions where it is never learned.

    Returns
    -------
    dict of str to ndarray
        Parameters with the leading axes of `points`.
    """
    nowhere = {"z": np.ones((n_nodes, dim)), "centre": np.zeros((spec.clusters, dim))}
    template = declared(nowhere, spec, directed=directed, learned=learned, prior_scale=prior_scale)
    return from_declared(unflat(points, template), spec, learned=learned, prior_scale=prior_scale)


def from_declared(
    values: Parameters, spec: ModelSpec, *, learned: bool, prior_scale: float
) -> dict[str, FloatArray]:
    """Return the parameters of values that Stan declares: what `declared` undoes.

    Parameters
    ----------
    values : dict of str to ndarray
        Values by Stan's names, with any leading axes.
    spec : ModelSpec
        The model.
    learned : bool
        Whether scales are among the parameters.
    prior_scale : float
        The scale of the positions where it is never learned.

    Returns
    -------
    dict of str to ndarray
    """
    batch = values["z_raw"].shape[:-2]
    learned_positions = learned and spec.learns_positions_scale
    unit = np.exp(values["log_sigma_z"][..., 0]) if learned_positions else np.asarray(prior_scale)
    each = unit[..., None, None] if learned_positions else 1.0
    parameters = {"z": values["z_raw"] * each}
    if learned_positions:
        parameters["sigma_z"] = unit
    if spec.intercept:
        parameters["intercept"] = values["intercept"][..., 0]
    if spec.dispersed:
        parameters["phi"] = np.exp(values["log_phi"][..., 0])
    if spec.effects:
        raw, scales = values["effect_raw"], values["log_sigma"]
        sigma = np.exp(scales) if learned else np.full(raw.shape[-1], spec.sigma_fixed)
        rho = np.tanh(values["rho_raw"]) if learned and raw.shape[-1] == 2 else np.zeros(1)
        first, second = raw[..., 0], raw[..., -1]
        if raw.shape[-1] == 2:
            second = rho * first + np.sqrt(1 - rho**2) * second
        parameters["sender_effect"] = sigma[..., :1] * first
        parameters["receiver_effect"] = sigma[..., -1:] * second
        if learned:
            parameters["sigma_sender"], parameters["sigma_receiver"] = sigma[..., 0], sigma[..., -1]
            if raw.shape[-1] == 2:
                parameters["rho"] = rho[..., 0]
    if spec.roles:
        spread = np.exp(values["log_sigma_role"]) if learned else np.full(1, spec.role_fixed)
        parameters["role"] = values["role_raw"] * spread[..., None]
        if learned:
            parameters["sigma_role"] = spread[..., 0]
    if spec.covariates is not None and spec.with_coefficient:
        parameters["beta"] = values["coefficient"] / spec.covariates.scale
    if spec.clusters:
        parameters["centre"] = values["centre"]
        last = np.zeros((*batch, 1))
        parameters["theta"] = softmax(np.concatenate([values["theta_raw"], last], -1), axis=-1)
        if learned:
            parameters["sigma_cluster"] = np.exp(values["log_omega"]) * unit[..., None]
    return parameters


def _centres(parameters: Parameters, n_clusters: int) -> FloatArray:
    """Return the centres of clusters, by k-means where they are not known."""
    z = parameters["z"]
    shape = (*z.shape[:-2], n_clusters, z.shape[-1])
    known = parameters.get("centre", np.zeros(0))
    if not n_clusters or known.shape == shape:
        return known.reshape(shape) if n_clusters else np.zeros(shape)
    sets = z.reshape(-1, *z.shape[-2:])
    # nodes in one place have fewer centres: some then start where others do
    centres = [np.resize(kmeans(points, n_clusters, seed=0)[0], shape[-2:]) for points in sets]
    return np.stack(centres).reshape(shape)


def _none(batch: tuple[int, ...]) -> FloatArray:
    return np.zeros((*batch, 0))
