"""Log prior densities of draws, block by block, in NumPy.

A block is one prior as it is stated in :class:`lsm_stan.model.family.ModelSpec`; its density is
that of what the prior is stated on:

======================  ===========================================================================
block                   density of
======================  ===========================================================================
``positions``           ``z``, and ``centre`` of clusters, given their scale
``positions_scale``     ``sigma_z``: half-normal
``clusters``            ``theta``: Dirichlet; log ``sigma_cluster`` in units of the positions'
                        scale: normal
``intercept``           ``intercept``: normal
``dispersion``          ``1 / sqrt(phi)``: half-normal
``effects``             ``sender_effect``, ``receiver_effect``, given scales and correlation
``effects_scale``       ``sigma_sender``, ``sigma_receiver``: half-normal; ``rho``: LKJ(2)
``roles``               ``role``, given its scale
``roles_scale``         ``sigma_role``: half-normal
``covariates``          ``beta``: normal
======================  ===========================================================================

They have every constant, and no Jacobian: raised to a power, each is a wider or narrower prior of
the same kind, which power-scaling needs (:mod:`lsm_stan.posterior.power_scaling`). The Stan
program's density is that of the coordinates it declares (:mod:`lsm_stan.model.parameters`);
:func:`log_jacobian` is the difference: its ``lp__`` is the sum of the blocks, the log likelihood,
and that.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, logsumexp

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import chunks
from lsm_stan.model.parameters import Parameters
from lsm_stan.typing import FloatArray

#: Blocks whose own numbers are those of another block, where that is there: what the nodes have in
#: common is learned, and nobody chooses it.
LEARNED_BY = {
    "positions": "positions_scale",
    "effects": "effects_scale",
    "roles": "roles_scale",
}


def log_prior(
    spec: ModelSpec, parameters: Parameters, *, directed: bool, prior_scale: float
) -> dict[str, FloatArray]:
    """Return the log prior density of draws, by block.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to its network if it has covariates.
    parameters : dict of str to ndarray
        All parameters of the model, with any leading axes ``(...)``; see
        :mod:`lsm_stan.model.parameters`. Scales have priors if they are among them.
    directed : bool
        Whether the network is directed.
    prior_scale : float
        Standard deviation of a coordinate where it is not learned.

    Returns
    -------
    dict of str to ndarray of shape (...)
        Log densities, in nats, by the blocks that the model has.
    """
    z = parameters["z"]
    scale = parameters.get("sigma_z", np.full(z.shape[:-2], prior_scale))
    blocks: dict[str, FloatArray] = {}
    if "sigma_z" in parameters:
        blocks["positions_scale"] = _half_normal(parameters["sigma_z"], spec.sigma_z_scale)
    if spec.clusters:
        centre, theta = parameters["centre"], _positive(parameters["theta"])
        fixed = np.multiply.outer(scale, np.full(spec.clusters, spec.cluster_fixed))
        sigma = parameters.get("sigma_cluster", fixed)
        blocks["positions"] = _mixture(z, centre, theta, sigma) + _normal(centre, scale, 2)
        c, n = spec.concentration, spec.clusters
        blocks["clusters"] = (c - 1) * np.log(theta).sum(axis=-1) + gammaln(n * c) - n * gammaln(c)
        if "sigma_cluster" in parameters:
            log_ratio = np.log(sigma / fixed)
            blocks["clusters"] = blocks["clusters"] + _normal(log_ratio, spec.cluster_scale, 1)
    else:
        blocks["positions"] = _normal(z, scale, 2)
    if spec.intercept:
        blocks["intercept"] = _normal(parameters["intercept"], spec.intercept_scale, 0)
    if spec.dispersed:
        blocks["dispersion"] = _half_normal(parameters["phi"] ** -0.5, spec.phi_scale)
    if spec.effects:
        blocks |= _effects(spec, parameters, directed)
    if spec.roles:
        spread = parameters.get("sigma_role", np.full(z.shape[:-2], spec.role_fixed))
        blocks["roles"] = _normal(parameters["role"], spread, 2)
    if "sigma_role" in parameters:
        blocks["roles_scale"] = _half_normal(parameters["sigma_role"], spec.sigma_scale)
    if spec.covariates is not None and spec.with_coefficient:
        standard = parameters["beta"] * spec.covariates.scale / spec.beta_scale
        volume = np.log(spec.beta_scale / spec.covariates.scale).sum()
        blocks["covariates"] = _normal(standard, 1.0, 1) - volume
    return blocks


def log_jacobian(
    spec: ModelSpec, parameters: Parameters, *, directed: bool, prior_scale: float
) -> FloatArray:
    """Return what the Stan program's log density has besides log priors and log likelihood.

    It is the log volume of what priors are stated on in one of what Stan declares: of scales in
    their logarithms, of positions, effects and roles in units of their scales, of correlations in
    their inverse hyperbolic tangents, of shares in log ratios, of coefficients in units of their
    covariates. A change of variables by a preconditioner is in neither.

    Parameters
    ----------
    spec : ModelSpec
        As in :func:`log_prior`.
    parameters : dict of str to ndarray
        As in :func:`log_prior`.
    directed : bool
        As in :func:`log_prior`.
    prior_scale : float
        As in :func:`log_prior`.

    Returns
    -------
    ndarray of shape (...)
        Log volumes, in nats.
    """
    z = parameters["z"]
    n_nodes, dim = z.shape[-2:]
    total = np.zeros(z.shape[:-2])
    if "sigma_z" in parameters:
        total += (1 + n_nodes * dim) * np.log(parameters["sigma_z"])
    if spec.clusters:
        total += np.log(_positive(parameters["theta"])).sum(axis=-1)
    if spec.dispersed:  # of 1 / sqrt(phi) in log(phi)
        total += -math.log(2) - 0.5 * np.log(parameters["phi"])
    if spec.effects:
        sigma, rho = _scales(spec, parameters, directed)
        total += n_nodes * np.log(sigma).sum(axis=-1)
        if "sigma_sender" in parameters:
            total += np.log(sigma).sum(axis=-1)
        if directed:
            total += (0.5 * n_nodes + ("rho" in parameters)) * np.log1p(-(rho**2))
    if spec.roles:
        total += n_nodes * dim * np.log(parameters.get("sigma_role", np.asarray(spec.role_fixed)))
    if "sigma_role" in parameters:
        total += np.log(parameters["sigma_role"])
    if spec.covariates is not None:
        total -= np.log(spec.covariates.scale).sum()
    return total


def chosen_blocks(blocks: Parameters) -> list[str]:
    """Return the blocks whose numbers somebody chose: the priors proper of a model.

    Parameters
    ----------
    blocks : dict of str to ndarray
        What :func:`log_prior` returns.

    Returns
    -------
    list of str
    """
    return [name for name in blocks if LEARNED_BY.get(name) not in blocks]


def _effects(spec: ModelSpec, parameters: Parameters, directed: bool) -> dict[str, FloatArray]:
    sigma, rho = _scales(spec, parameters, directed)
    first = parameters["sender_effect"] / sigma[..., :1]
    value = _normal(first, 1.0, 1)
    if directed:
        rest = parameters["receiver_effect"] / sigma[..., 1:] - rho[..., None] * first
        value = value + _normal(rest, np.sqrt(1 - rho**2), 1)
    blocks = {"effects": value - first.shape[-1] * np.log(sigma).sum(axis=-1)}
    if "sigma_sender" in parameters:
        blocks["effects_scale"] = _half_normal(sigma, spec.sigma_scale).sum(axis=-1)
        if "rho" in parameters:
            blocks["effects_scale"] += np.log(0.75) + np.log1p(-(rho**2))
    return blocks


def _scales(
    spec: ModelSpec, parameters: Parameters, directed: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the scales of the effects, ``(..., 2)`` or ``(..., 1)``, and their correlation."""
    batch = parameters["z"].shape[:-2]
    fixed = np.full(batch, spec.sigma_fixed)
    names = ("sigma_sender", "sigma_receiver")[: 2 if directed else 1]
    sigma = np.stack([parameters.get(name, fixed) for name in names], axis=-1)
    # CSV files round a correlation of nearly 1, which ADVI can end at, to 1
    return sigma, np.clip(parameters.get("rho", np.zeros(batch)), -1 + 1e-10, 1 - 1e-10)


def _mixture(z: FloatArray, centre: FloatArray, theta: FloatArray, sigma: FloatArray) -> FloatArray:
    """Return the log density of ``(..., N, K)`` positions in a mixture of normal distributions."""
    *batch, n_nodes, dim = z.shape
    n_clusters = theta.shape[-1]
    z, centre = z.reshape(-1, n_nodes, dim), centre.reshape(-1, n_clusters, dim)
    theta, sigma = theta.reshape(-1, 1, n_clusters), sigma.reshape(-1, 1, n_clusters)
    total = np.empty(len(z))
    for part in chunks(len(z), n_nodes * n_clusters * dim):
        apart = z[part, :, None] - centre[part, None]
        squared = np.einsum("sngk,sngk->sng", apart, apart) / sigma[part] ** 2
        log_p = np.log(theta[part]) - 0.5 * squared - dim * np.log(sigma[part])
        total[part] = logsumexp(log_p, axis=-1).sum(axis=-1)
    return np.asarray(total.reshape(batch) - 0.5 * n_nodes * dim * math.log(2 * math.pi))


def _normal(values: FloatArray, scale: FloatArray | float, axes: int) -> FloatArray:
    """Return the log density of normal values about 0, summed over so many last axes."""
    size = math.prod(values.shape[values.ndim - axes :])
    flat = values.reshape(*values.shape[: values.ndim - axes], size)
    squares = np.einsum("...i,...i->...", flat, flat)
    log_scale = np.log(scale) + 0.5 * math.log(2 * math.pi)
    return np.asarray(-0.5 * squares / np.square(scale) - size * log_scale)


def _half_normal(values: FloatArray, scale: float) -> FloatArray:
    return np.asarray(_normal(values, scale, 0) + math.log(2))


def _positive(share: FloatArray) -> FloatArray:
    """Return shares above 0, to which CSV files round a small one."""
    return np.maximum(share, 1e-100)
