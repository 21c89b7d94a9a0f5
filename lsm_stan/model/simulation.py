"""Draw a network from a model: parameters from their priors, weights from their distribution."""

from __future__ import annotations

from dataclasses import replace
from operator import index

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.model.exposure import hide_unexposed
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.parameters import Parameters, rate_parameters
from lsm_stan.model.stan_data import DIAGONAL_JITTER, check_data, check_numbers
from lsm_stan.model.thinning import MAX_MEAN, Cells, draw_weights, log_mean_cells
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray

#: The most nodes whose cells are drawn row by row; of more nodes no cell of small rate is visited.
ROWS = 10_000

#: The most cells and candidates of edges that are looked at to draw a network: an hour's work.
MOST_WORK = 2e10


def draw_parameters(
    n_nodes: int,
    dim: int = 3,
    *,
    seed: int | np.random.Generator,
    model: str | ModelSpec = "tutorial",
    directed: bool = True,
    prior_scale: float = 1.0,
    given: Parameters | None = None,
) -> dict[str, FloatArray]:
    """Draw the parameters of a model from their priors.

    Parameters
    ----------
    n_nodes : int
        N, at least 2.
    dim : int, default 3
        K, at least 1.
    seed : int or numpy.random.Generator
        Seed of the draw, or source of random numbers.
    model : str or ModelSpec, default "tutorial"
        As in :func:`simulate`; a model with covariates is bound to a network that has them.
    directed : bool, default True
        As in :func:`simulate`.
    prior_scale : float, default 1.0
        As in :func:`simulate`.
    given : dict of str to ndarray, optional
        Parameters that are known; what depends on them is drawn given them.

    Returns
    -------
    dict of str to ndarray
        All parameters, scales among them; see :mod:`lsm_stan.model.parameters`.
    """
    spec = find_model(model)
    rng = np.random.default_rng(seed)
    drawn: dict[str, FloatArray] = {}

    def keep(name: str, value: object) -> FloatArray:
        drawn[name] = np.asarray((given or {}).get(name, value), dtype=float)
        return drawn[name]

    scale = np.asarray(prior_scale)
    if spec.learns_positions_scale:
        scale = keep("sigma_z", np.abs(rng.normal(scale=spec.sigma_z_scale)))
    z = rng.normal(scale=scale, size=(n_nodes, dim))
    if spec.clusters:
        centre = keep("centre", rng.normal(scale=scale, size=(spec.clusters, dim)))
        theta = keep("theta", rng.dirichlet(np.full(spec.clusters, spec.concentration)))
        omega = np.exp(rng.normal(np.log(spec.cluster_fixed), spec.cluster_scale, spec.clusters))
        sigma_cluster = keep("sigma_cluster", scale * omega)
        label = rng.choice(spec.clusters, size=n_nodes, p=theta)
        z = centre[label] + sigma_cluster[label, None] / scale * z
    keep("z", z)
    if spec.covariates is not None and spec.with_coefficient:
        keep("beta", rng.normal(scale=spec.beta_scale / spec.covariates.scale))
    if spec.intercept:
        keep("intercept", rng.normal(scale=spec.intercept_scale))
    if spec.dispersed:
        keep("phi", rng.normal(scale=spec.phi_scale) ** -2.0)
    if spec.effects:
        sigma = np.abs(rng.normal(scale=spec.sigma_scale, size=2 if directed else 1))
        sigma_sender = keep("sigma_sender", sigma[0])
        sigma_receiver = keep("sigma_receiver", sigma[-1] if directed else sigma_sender)
        rho = keep("rho", 2 * rng.beta(2, 2) - 1) if directed else np.asarray(1.0)
        first, second = rng.normal(size=(2, n_nodes))
        first = keep("sender_effect", sigma_sender * first) / sigma_sender
        keep("receiver_effect", sigma_receiver * (rho * first + np.sqrt(1 - rho**2) * second))
    if spec.roles:
        sigma_role = keep("sigma_role", np.abs(rng.normal(scale=spec.sigma_scale)))
        keep("role", rng.normal(scale=sigma_role, size=(n_nodes, dim)))
    return drawn


def simulate(
    n_nodes: int,
    dim: int = 3,
    *,
    seed: int,
    model: str | ModelSpec = "tutorial",
    directed: bool = True,
    prior_scale: float = 1.0,
    jitter: float = DIAGONAL_JITTER,
    positions: FloatArray | None = None,
    parameters: Parameters | None = None,
    node_table: pd.DataFrame | None = None,
    dyad_table: pd.DataFrame | None = None,
) -> tuple[Network, dict[str, FloatArray]]:
    """Simulate a network of a latent space model.

    Parameters
    ----------
    n_nodes : int
        N, at least 2.
    dim : int, default 3
        K, at least 1.
    seed : int
        Seed of the draw: the same seed gives the same network.
    model : str or ModelSpec, default "tutorial"
        A name of :data:`lsm_stan.model.family.MODELS`, or any other model of the family.
    directed : bool, default True
        Whether ``Y_ij`` and ``Y_ji`` are two draws or one.
    prior_scale : float, default 1.0
        Standard deviation of each coordinate, where it is not learned.
    jitter : float, default 1000.0
        The diagonal's weights have rate ``1 / sqrt(jitter)``, where the model has a diagonal.
    positions : ndarray of shape (N, K), optional
        Positions to use instead of a draw from the prior.
    parameters : dict of str to ndarray, optional
        Parameters to use instead of draws from their priors, by name; see
        :mod:`lsm_stan.model.parameters`.
    node_table, dyad_table : DataFrame, optional
        Tables that have the covariates' columns; see :class:`lsm_stan.network.network.Network`.

    Returns
    -------
    network : Network
        Nodes are named as in the node table, else ``1`` to ``N``.
    parameters : dict of str to ndarray
        All parameters the weights were drawn at, by name; ``z`` are the positions.

    Raises
    ------
    InputError
        If a number is out of its range, or a mean too large to draw from: so it is where two
        positions coincide and the distance form is the inverse.

    Examples
    --------
    >>> from lsm_stan import simulate
    >>> network, parameters = simulate(30, 2, seed=1, model="nb-squared-effects")
    >>> network.n_nodes, parameters["z"].shape
    (30, (30, 2))
    >>> simulate(30, 2, seed=1, model="nb-squared-effects")[0].digest == network.digest
    True
    """
    try:
        n_nodes = index(n_nodes)
    except TypeError:
        raise InputError(
            f"n_nodes is an object of type {type(n_nodes).__name__}; simulate needs a number of"
            f" nodes, and lsm_stan.read_network reads a network that is there"
        ) from None
    if n_nodes < 2:
        raise InputError(f"n_nodes is {n_nodes}; a network needs at least 2 nodes")
    empty = Network(
        names=tuple(str(i + 1) for i in range(n_nodes))
        if node_table is None
        else tuple(map(str, node_table.index)),
        sender=np.zeros(0, dtype=np.int64),
        receiver=np.zeros(0, dtype=np.int64),
        weight=np.zeros(0, dtype=np.int64),
        directed=directed,
        node_table=node_table,
        dyad_table=dyad_table,
        title=f"simulated network (N = {n_nodes}, K = {dim}, seed {seed})",
    )
    if empty.n_nodes != n_nodes:
        raise InputError(f"the node table has {empty.n_nodes} rows; {n_nodes}, n_nodes, are needed")
    spec = find_model(model)
    empty = hide_unexposed(spec.terms, empty, dyad_table)
    spec = spec.bound(empty)
    check_numbers(dim, prior_scale, jitter)
    check_data(spec, empty)
    given = {**(parameters or {}), **({} if positions is None else {"z": positions})}
    if "z" in given and given["z"].shape != (n_nodes, dim):
        raise InputError(
            f"positions have shape {given['z'].shape}; (n_nodes, dim) = {(n_nodes, dim)} is needed"
        )
    rng = np.random.default_rng(seed)
    if not given.keys() >= set(rate_parameters(spec)):
        given = draw_parameters(
            n_nodes,
            dim,
            seed=rng,
            model=spec,
            directed=directed,
            prior_scale=prior_scale,
            given=given,
        )
    if n_nodes <= ROWS:
        rows = [_row(spec, given, i, rng, directed, jitter) for i in range(n_nodes)]
    else:
        rows = _blocks(spec, given, rng, directed, jitter)
    sender, receiver, weight = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.lexsort((receiver, sender))
    network = replace(empty, sender=sender[order], receiver=receiver[order], weight=weight[order])
    return network, dict(given)


def _row(
    spec: ModelSpec,
    parameters: Parameters,
    i: int,
    rng: np.random.Generator,
    directed: bool,
    jitter: float,
) -> tuple[IntArray, IntArray, IntArray]:
    """Draw the edges that node i sends; of an undirected network those to later nodes.

    Where both directions of a pair share a frailty they are drawn together: those of the pairs
    with later nodes.
    """
    both = spec.likelihood == "dyadic"
    other = np.arange(i + 1 if both else 0, len(parameters["z"]))
    pairs = np.column_stack([np.full_like(other, i), other])
    log_mu = log_mean_cells(spec, parameters, pairs, both=both)
    log_mu[other == i] = -0.5 * np.log(jitter) if spec.diagonal else -np.inf
    _check_means(spec, parameters, log_mu, pairs)
    weight = draw_weights(spec, parameters, log_mu, rng)
    if not directed:
        weight[other < i] = 0
    pair, way = np.nonzero(weight)
    return pairs[pair, way], pairs[pair, 1 - way], weight[pair, way]


def _blocks(
    spec: ModelSpec, parameters: Parameters, rng: np.random.Generator, directed: bool, jitter: float
) -> list[tuple[IntArray, IntArray, IntArray]]:
    """Draw all edges without a visit to every cell."""
    cells = Cells(spec, parameters, directed=directed)
    n_nodes = len(parameters["z"])
    if cells.work > MOST_WORK:
        raise InputError(
            f"n_nodes is {n_nodes}: to draw a network {cells.work:.0e} dyads would be looked at; at"
            f" most {MOST_WORK:.0e} are: take fewer nodes, or in Python give lsm_stan.simulate"
            f" parameters with smaller rates, such as a lower intercept"
        )
    for pairs, log_mu in cells.visited():
        _check_means(spec, parameters, log_mu, pairs)
    loops = rng.poisson(jitter**-0.5, n_nodes) if spec.diagonal else np.zeros(n_nodes, np.int64)
    itself = np.flatnonzero(loops)
    edges = [(itself, itself, loops[itself])]
    for pairs, weights in cells.drawn(rng):
        pair, way = np.nonzero(weights)
        edges.append((pairs[pair, way], pairs[pair, 1 - way], weights[pair, way]))
    return edges


def _check_means(
    spec: ModelSpec, parameters: Parameters, log_mu: FloatArray, pairs: IntArray
) -> None:
    """Refuse means that are too large to draw from."""
    large = np.argwhere(log_mu > np.log(MAX_MEAN))
    if not large.size or spec.likelihood == "bernoulli":
        return
    pair, way = large[0]
    i, j = pairs[pair, way], pairs[pair, 1 - way]
    z = parameters["z"]
    if np.array_equal(z[i], z[j]):
        raise InputError(f"nodes {i + 1} and {j + 1} have the same position")
    raise InputError(
        f"nodes {i + 1} and {j + 1} have log mean weight {log_mu[pair, way]:.1f}; at most"
        f" {np.log(MAX_MEAN):.1f} can be drawn from: take another seed, or in Python give"
        f" lsm_stan.simulate the parameters"
    )
