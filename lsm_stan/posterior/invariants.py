"""Quantities that rotations and reflections of the positions leave unchanged.

Only these can be summarised, compared and diagnosed: a single coordinate of a node has no
meaning of its own (see :mod:`lsm_stan.posterior.alignment`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import log_mean
from lsm_stan.model.parameters import NODE_PARAMETERS, Parameters, rate_parameters
from lsm_stan.network.pairs import nth_pair
from lsm_stan.typing import FloatArray, IntArray

#: The pairs a fit is judged by, and the nodes: fixed random sets of this many.
MONITORED_PAIRS, MONITORED_NODES = 500, 500

#: The most dyads that the expected strengths of these nodes are sums of, a draw; and fewest nodes.
MONITORED_DYADS, FEWEST_NODES = 2_000_000, 20


def sample_pairs(n_nodes: int, size: int, seed: int = 0) -> IntArray:
    """Draw a fixed set of unordered node pairs, the same for every fit of a network.

    Parameters
    ----------
    n_nodes : int
        N, the number of nodes.
    size : int
        How many distinct pairs; all of them where there are fewer.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    ndarray of int64 of shape (P, 2)
        0-based indices i < j, sorted.

    Examples
    --------
    >>> from lsm_stan.posterior.invariants import sample_pairs
    >>> print(sample_pairs(3, 10))
    [[0 1]
     [0 2]
     [1 2]]
    """
    pairs = np.column_stack(nth_pair(_sample(n_nodes * (n_nodes - 1) // 2, size, seed)))
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def sample_nodes(n_nodes: int, size: int) -> IntArray:
    """Draw a fixed set of nodes, the same for every fit of a network.

    Parameters
    ----------
    n_nodes : int
        N, the number of nodes.
    size : int
        How many distinct nodes; all of them where there are fewer.

    Returns
    -------
    ndarray of int64 of shape (M,)
        0-based indices, sorted.
    """
    return _sample(n_nodes, size, seed=0)


def monitored_nodes(n_nodes: int) -> IntArray:
    """Return the nodes whose radii and strengths a fit is judged by, the same for every fit.

    Parameters
    ----------
    n_nodes : int
        N, the number of nodes.

    Returns
    -------
    ndarray of int64 of shape (M,)
        0-based indices, sorted: up to 500; of more than 4,000 nodes fewer, since an expected
        strength is a sum over all nodes.
    """
    size = min(MONITORED_NODES, max(FEWEST_NODES, MONITORED_DYADS // n_nodes))
    return sample_nodes(n_nodes, size)


def _sample(total: int, size: int, seed: int) -> IntArray:
    """Return distinct numbers below a total, sorted: all of them where there are fewer."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(total, size=min(size, total), replace=False))


def pair_distances(positions: FloatArray, pairs: IntArray) -> FloatArray:
    """Return the Euclidean distances of node pairs.

    Parameters
    ----------
    positions : ndarray of shape (..., N, K)
        Positions.
    pairs : ndarray of int64 of shape (P, 2)
        0-based node indices.

    Returns
    -------
    ndarray of shape (..., P)
        Distances.

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan.posterior.invariants import pair_distances
    >>> z = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> print(pair_distances(z, np.array([[0, 1]])))
    [5.]
    """
    difference = positions[..., pairs[:, 0], :] - positions[..., pairs[:, 1], :]
    return np.asarray(np.sqrt(np.einsum("...k,...k->...", difference, difference)))


def settled(values: FloatArray) -> FloatArray:
    """Round invariants to about ten digits of the largest.

    A rotation changes the last digits of an invariant, and these would decide which of two tied
    draws ranks first: R-hat ranks draws by their distance from the median, where the two middle
    ones tie.

    Parameters
    ----------
    values : ndarray of shape (...)
        Invariants.

    Returns
    -------
    ndarray of shape (...)
    """
    step = np.spacing(np.abs(values).max(initial=0.0)) * 2.0**20
    return np.asarray(np.round(values / step) * step)


def radii(positions: FloatArray) -> FloatArray:
    """Return every node's distance from the origin.

    Parameters
    ----------
    positions : ndarray of shape (..., N, K)
        Positions.

    Returns
    -------
    ndarray of shape (..., N)
        Distances.
    """
    return np.asarray(np.linalg.norm(positions, axis=-1))


def monitored(
    spec: ModelSpec, parameters: Parameters, log_joint: FloatArray
) -> dict[str, FloatArray]:
    """Return the invariants whose exploration decides whether a sample can be trusted.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Draws, leading axes ``(chain, draw)``.
    log_joint : ndarray of shape (chain, draw)
        Log joint densities, in nats.

    Returns
    -------
    dict of str to ndarray
        Every model has ``distance`` of the monitored pairs, shape (chain, draw, pair), and
        ``log_joint``. Where weights depend on more, there are ``log_mean`` from the first node of
        each pair to the second; every scalar parameter and every coefficient; and for the nodes of
        these pairs the effects and the sizes of the roles. Shares and standard deviations of
        clusters are ordered by size in every draw: that needs no labels. Centres, which need labels
        and an alignment, are left to the distances of the nodes about them.
    """
    pairs = sample_pairs(parameters["z"].shape[-2], MONITORED_PAIRS)
    nodes = np.unique(pairs)
    quantities = {"distance": pair_distances(parameters["z"], pairs), "log_joint": log_joint}
    if spec.form == "inner" or rate_parameters(spec) != ["z"]:
        quantities["log_mean"] = log_mean(spec, parameters, *pairs.T)
    return quantities | monitored_parameters(spec, parameters, nodes)


def monitored_parameters(
    spec: ModelSpec, parameters: Parameters, nodes: IntArray
) -> dict[str, FloatArray]:
    """Return the parameters that rotations and labels of clusters leave unchanged.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Draws, leading axes ``(chain, draw)``.
    nodes : ndarray of int64 of shape (M,)
        Nodes, from 0, whose effects and roles are wanted.

    Returns
    -------
    dict of str to ndarray
        See :func:`monitored`.
    """
    quantities: dict[str, FloatArray] = {}
    for name, values in distinct(parameters).items():
        if values.ndim == 2:
            quantities[name] = values
        elif name in NODE_PARAMETERS:
            quantities[name] = values[..., nodes]
        elif name == "role":
            quantities[name] = radii(values[..., nodes, :])
        elif name == "beta":
            terms = spec.coords["covariate"]
            quantities |= {f"beta[{term}]": values[..., k] for k, term in enumerate(terms)}
        elif name in ("theta", "sigma_cluster"):
            ordered = np.sort(values, axis=-1)
            quantities |= {
                f"{name}[{k + 1}, by size]": ordered[..., k] for k in range(spec.clusters)
            }
    return quantities


def distinct(parameters: Parameters) -> dict[str, FloatArray]:
    """Return parameters without those that are others again.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters.

    Returns
    -------
    dict of str to ndarray
        The same, but for those of receivers where the network is undirected: a node has one
        effect there, which is its sender's and its receiver's.
    """
    sender, receiver = (parameters.get(name) for name in ("sender_effect", "receiver_effect"))
    if sender is None or receiver is None or not np.array_equal(sender, receiver):
        return dict(parameters)
    again = ("receiver_effect", "sigma_receiver", "rho")
    return {name: values for name, values in parameters.items() if name not in again}


def pair_labels(names: Sequence[str], pairs: IntArray) -> list[str]:
    """Return what pairs of nodes are called in tables and figures.

    Parameters
    ----------
    names : sequence of str
        The nodes' names.
    pairs : ndarray of shape (P, 2)
        Nodes, from 0.

    Returns
    -------
    list of str
    """
    return [f"{names[i]}–{names[j]}" for i, j in pairs]
