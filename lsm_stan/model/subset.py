"""A model of some of a network's nodes: what it says of the dyads among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lsm_stan.model.family import ModelSpec
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray


def among(spec: ModelSpec, network: Network, nodes: IntArray) -> tuple[ModelSpec, Network]:
    """Leave all but some nodes out of a network and of its model.

    Given its parameters, a model says the same of the dyads among these nodes as before.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to the network if it has covariates.
    network : Network
        N nodes.
    nodes : ndarray of int64 of shape (M,)
        0-based node indices, increasing.

    Returns
    -------
    spec : ModelSpec
        As :func:`model_among` returns it.
    network : Network
        As :func:`network_among` returns it.
    """
    return model_among(spec, network.n_nodes, nodes), network_among(network, nodes)


def network_among(network: Network, nodes: IntArray) -> Network:
    """Leave all but some nodes out of a network.

    Parameters
    ----------
    network : Network
        N nodes.
    nodes : ndarray of int64 of shape (M,)
        0-based node indices, increasing.

    Returns
    -------
    Network
        M nodes, the edges and hidden dyads among them, and no tables.
    """
    index = _places(nodes, network.n_nodes)

    def kept(*columns: IntArray) -> list[IntArray]:
        inside = (index[columns[0]] >= 0) & (index[columns[1]] >= 0)
        ends = [index[column[inside]] for column in columns[:2]]
        return [*ends, *(column[inside] for column in columns[2:])]

    sender, receiver, weight = kept(network.sender, network.receiver, network.weight)
    hidden_sender, hidden_receiver = kept(network.hidden_sender, network.hidden_receiver)
    return replace(
        network,
        names=tuple(network.names[node] for node in nodes),
        sender=sender,
        receiver=receiver,
        weight=weight,
        hidden_sender=hidden_sender,
        hidden_receiver=hidden_receiver,
        node_table=None,
        dyad_table=None,
    )


def model_among(spec: ModelSpec, n_nodes: int, nodes: IntArray) -> ModelSpec:
    """Leave all but some nodes out of a model.

    Scales of covariates, which priors depend on, remain those of the whole network.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to a network if it has covariates.
    n_nodes : int
        N, the nodes of that network.
    nodes : ndarray of int64 of shape (M,)
        0-based node indices, increasing.

    Returns
    -------
    ModelSpec
        The model of M nodes.
    """
    if spec.covariates is None:
        return spec
    index = _places(nodes, n_nodes)

    def coded(codes: FloatArray) -> FloatArray:
        if codes.ndim == 1:
            return codes[nodes]
        first, second = index[np.array(np.divmod(codes[0].astype(np.int64), n_nodes))]
        inside = (first >= 0) & (second >= 0)
        return np.vstack([first * len(nodes) + second, codes[1]])[:, inside]

    covariates = replace(
        spec.covariates,
        sender=spec.covariates.sender[nodes],
        receiver=spec.covariates.receiver[nodes],
        codes=tuple(map(coded, spec.covariates.codes)),
    )
    return replace(spec, covariates=covariates)


def _places(nodes: IntArray, n_nodes: int) -> IntArray:
    """Return every node's number among some; -1 for others."""
    index = np.full(n_nodes, -1)
    index[nodes] = np.arange(len(nodes))
    return index
