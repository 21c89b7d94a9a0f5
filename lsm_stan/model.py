"""From a network to the data block of ``stan/latent_space.stan``: one pure function."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.network import Network

#: What the tutorial adds to the diagonal's squared distance.
DIAGONAL_JITTER = 1e3


def check_numbers(dim: int, prior_scale: float, jitter: float) -> None:
    """Raise InputError if one of the model's own numbers is out of its range."""
    if not isinstance(dim, int | np.integer) or isinstance(dim, bool) or dim < 1:
        raise InputError(f"dim is {dim!r}; the number of latent dimensions is an integer >= 1")
    for name, value in (("prior_scale", prior_scale), ("jitter", jitter)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value!r}; a positive, finite number is needed")


def stan_data(
    network: Network,
    dim: int,
    *,
    prior_scale: float = 1.0,
    jitter: float = DIAGONAL_JITTER,
    softening: float = 0.0,
    factor: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return the data of the Stan program for one network.

    Parameters
    ----------
    network
        N nodes and E edges. Only observed edges travel: memory is O(N + E).
    dim
        K, the number of latent dimensions.
    prior_scale
        Standard deviation of each coordinate's normal prior.
    jitter
        Added to the squared distance of a node to itself, so that the diagonal's rate is
        ``1 / sqrt(jitter)``.
    softening
        ε in ``d = sqrt(|z_i - z_j|^2 + ε^2)``; 0 is the exact model.
    factor
        ``(N, N)`` matrix C of the change of variables ``z = C z_raw``, or None for none.

    Returns
    -------
    dict
        Names as in the program's data block; node indices start at 1.

    Raises
    ------
    InputError
        If ``dim`` is not a positive integer, or a number is out of its range.
    """
    check_numbers(dim, prior_scale, jitter)
    if not (np.isfinite(softening) and softening >= 0):
        raise InputError(f"softening is {softening!r}; a finite number >= 0 is needed")
    loop = network.sender == network.receiver
    self_weight = np.zeros(network.n_nodes, dtype=np.int64)
    self_weight[network.sender[loop]] = network.weight[loop]
    return {
        "N": network.n_nodes,
        "K": int(dim),
        "E": int((~loop).sum()),
        "sender": (network.sender[~loop] + 1).tolist(),
        "receiver": (network.receiver[~loop] + 1).tolist(),
        "weight": network.weight[~loop].tolist(),
        "self_weight": self_weight.tolist(),
        "cells_per_pair": 2 if network.directed else 1,
        "jitter": float(jitter),
        "prior_scale": float(prior_scale),
        "softening": float(softening),
        "preconditioned": 0 if factor is None else 1,
        "factor": np.zeros((0, 0)) if factor is None else factor,
    }
