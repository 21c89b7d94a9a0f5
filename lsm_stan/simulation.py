"""Draw a network from the model: positions from the prior, weights from their rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.model import DIAGONAL_JITTER, check_numbers
from lsm_stan.network import Network


def simulate(
    n_nodes: int,
    dim: int = 3,
    *,
    seed: int,
    directed: bool = True,
    prior_scale: float = 1.0,
    jitter: float = DIAGONAL_JITTER,
    positions: NDArray[np.float64] | None = None,
) -> tuple[Network, NDArray[np.float64]]:
    """Simulate a network of the latent space model.

    Parameters
    ----------
    n_nodes
        N, at least 2.
    dim
        K, at least 1.
    seed
        The same seed gives the same network.
    directed
        Whether ``Y_ij`` and ``Y_ji`` are two draws or one.
    prior_scale
        Standard deviation of each coordinate.
    jitter
        The diagonal's weights have rate ``1 / sqrt(jitter)``.
    positions
        ``(N, K)`` positions to use instead of a draw from the prior.

    Returns
    -------
    network : Network
        Nodes are named ``1`` to ``N``.
    positions : numpy.ndarray
        ``(N, K)`` positions the weights were drawn at.

    Raises
    ------
    InputError
        If a number is out of its range, or two positions coincide.
    """
    if n_nodes < 2:
        raise InputError(f"n_nodes is {n_nodes}; a network needs at least 2 nodes")
    check_numbers(dim, prior_scale, jitter)
    if positions is not None and positions.shape != (n_nodes, dim):
        raise InputError(
            f"positions have shape {positions.shape}; (n_nodes, dim) = {(n_nodes, dim)} is needed"
        )
    rng = np.random.default_rng(seed)
    if positions is None:
        positions = rng.normal(scale=prior_scale, size=(n_nodes, dim))
    senders, receivers, weights = [], [], []
    for i in range(n_nodes):  # a row at a time: nothing N x N
        distance = np.linalg.norm(positions - positions[i], axis=1)
        distance[i] = np.sqrt(jitter)
        if not (distance > 0).all():
            twin = int(np.flatnonzero(distance == 0)[0])
            raise InputError(f"nodes {i + 1} and {twin + 1} have the same position")
        row = rng.poisson(1.0 / distance)
        if not directed:
            row[:i] = 0
        (observed,) = np.nonzero(row)
        senders.append(np.full(observed.size, i))
        receivers.append(observed)
        weights.append(row[observed])
    names = tuple(str(i + 1) for i in range(n_nodes))
    network = Network(
        names=names,
        sender=np.concatenate(senders),
        receiver=np.concatenate(receivers),
        weight=np.concatenate(weights),
        directed=directed,
        title=f"simulated network (N = {n_nodes}, K = {dim}, seed {seed})",
    )
    return network, positions
