"""From a network to the data block of ``stan/latent_space.stan``: pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.model.covariates import Covariates
from lsm_stan.model.family import FORMS, LIKELIHOODS, MODELS, ModelSpec
from lsm_stan.model.layering import one_layer
from lsm_stan.model.parameters import effect_columns
from lsm_stan.network.checks import STAN_INT_MAX
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import dyad_blocks
from lsm_stan.typing import FloatArray, IntArray

#: What the tutorial adds to the diagonal's squared distance.
DIAGONAL_JITTER = 1e3

#: Terms u or log(1 + u) of the likelihood: sender, receiver, whether the reverse is in u, weight.
Terms = tuple[NDArray[Any], ...]


#: Dyads with charges of their own, at most: some gigabytes.
MAX_CHARGED = 20_000_000

#: More latent dimensions say nothing of any network.
MOST_DIMENSIONS = 1000


def check_numbers(dim: int, prior_scale: float, jitter: float) -> None:
    """Raise InputError if one of the model's own numbers is out of its range.

    Parameters
    ----------
    dim : int
        K, the number of latent dimensions.
    prior_scale : float
        Standard deviation of a coordinate.
    jitter : float
        What is added to the squared distance of a node to itself.

    Raises
    ------
    InputError
        If `dim` is not an integer from 1 to `MOST_DIMENSIONS`, or another number is not positive
        and finite.
    """
    if not isinstance(dim, int | np.integer) or isinstance(dim, bool) or dim < 1:
        raise InputError(f"dim is {dim!r}; the number of latent dimensions is an integer >= 1")
    if dim > MOST_DIMENSIONS:
        raise InputError(
            f"dim is {dim:,}; at most {MOST_DIMENSIONS:,} latent dimensions can be had"
        )
    for name, value in (("prior_scale", prior_scale), ("jitter", jitter)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value!r}; a positive, finite number is needed")


def check_data(spec: ModelSpec, network: Network) -> None:
    """Raise InputError if a network's weights cannot be a model's, or its nodes are too few.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    network : Network
        The network.

    Raises
    ------
    InputError
        If there are more clusters than nodes, weights above 1 for ``bernoulli``, or an undirected
        network for ``dyadic`` or roles.
    """
    directed, max_weight = network.directed, int(network.weight.max(initial=0))
    if spec.clusters > network.n_nodes:
        raise InputError(f"{spec.clusters} clusters of {network.n_nodes} nodes; at most one a node")
    if spec.likelihood == "bernoulli" and max_weight > 1:
        raise InputError(
            f"weights go up to {max_weight}; likelihood 'bernoulli' needs weights of 0 and 1:"
            f" read them so with --binary (in Python network.binary()), or take another likelihood"
        )
    if spec.likelihood == "dyadic" and not directed:
        raise InputError(
            "the network is undirected; likelihood 'dyadic' is of the two directions of a pair:"
            " take 'nb'"
        )
    if spec.likelihood == "dyadic":
        both = network.weight + network.weight_of(network.receiver, network.sender)
        if np.any(both > STAN_INT_MAX):
            k = int(np.argmax(both))
            pair = network.names[network.sender[k]], network.names[network.receiver[k]]
            raise InputError(
                f"the two weights between {pair[0]!r} and {pair[1]!r} add up to {both[k]}, which"
                f" overflows Stan's int; likelihood 'dyadic' needs at most {STAN_INT_MAX}: count in"
                " a larger unit, or take 'nb'"
            )
    if spec.roles and not directed:
        raise InputError(
            "the network is undirected; its nodes have no roles of sender and receiver"
        )


def stan_data(
    network: Network,
    dim: int,
    *,
    spec: ModelSpec = MODELS["tutorial"],
    prior_scale: float = 1.0,
    jitter: float = DIAGONAL_JITTER,
    learned: bool = False,
    softening: float = 0.0,
    factor: FloatArray | None = None,
) -> dict[str, Any]:
    """Return the data of the Stan program for one network: both parts of them.

    Parameters
    ----------
    network : Network
        As in :func:`fixed_data`.
    dim : int
        As in :func:`fixed_data`.
    spec : ModelSpec, default MODELS["tutorial"]
        As in :func:`fixed_data`.
    prior_scale : float, default 1.0
        As in :func:`fixed_data`.
    jitter : float, default 1000.0
        As in :func:`fixed_data`.
    learned : bool, default False
        As in :func:`run_data`.
    softening : float, default 0.0
        As in :func:`run_data`.
    factor : ndarray of shape (N, N), optional
        As in :func:`run_data`.

    Returns
    -------
    dict of str to object
        By the names of the program's data block.

    Raises
    ------
    InputError
        If :func:`fixed_data` or :func:`run_data` would raise it.
    """
    fixed = fixed_data(network, dim, spec=spec, prior_scale=prior_scale, jitter=jitter)
    return fixed | run_data(spec, learned=learned, softening=softening, factor=factor)


def run_data(
    spec: ModelSpec,
    *,
    learned: bool = False,
    softening: float = 0.0,
    factor: FloatArray | None = None,
) -> dict[str, Any]:
    """Return those Stan data that one run of a model may have other than the next.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    learned : bool, default False
        Whether scales are parameters: those of sender and receiver effects, with their
        correlation, and that of the positions.
    softening : float, default 0.0
        ε in ``d = sqrt(|z_i - z_j|^2 + ε^2)``, in units of distance, besides the model's own; 0 is
        the exact model.
    factor : ndarray of shape (N, N), optional
        Matrix C of the change of variables ``z = C z_raw``; by default there is none.

    Returns
    -------
    dict of str to object
        By the names of the program's data block.

    Raises
    ------
    InputError
        If the softening is out of its range.
    """
    if not (np.isfinite(softening) and softening >= 0):
        raise InputError(f"softening is {softening!r}; a finite number >= 0 is needed")
    return {
        "learned_roles": int(learned and spec.roles),
        "learned_effects": int(learned and spec.effects),
        "learned_positions": int(learned and spec.learns_positions_scale),
        "learned_clusters": int(learned and spec.clusters > 0),
        "softening": float(np.hypot(softening, spec.softening)),
        "preconditioned": 0 if factor is None else 1,
        "factor": np.zeros((0, 0)) if factor is None else factor,
    }


def fixed_data(
    network: Network, dim: int, *, spec: ModelSpec, prior_scale: float, jitter: float
) -> dict[str, Any]:
    """Return those Stan data that all runs of a model have.

    Parameters
    ----------
    network : Network
        N nodes and E edges. Only observed edges travel: memory is O(N + E).
    dim : int
        K, the number of latent dimensions.
    spec : ModelSpec
        The model; one with covariates is bound to the network here.
    prior_scale : float
        Standard deviation of each coordinate's normal prior, where it is not learned.
    jitter : float
        Added to the squared distance of a node to itself, so that the diagonal's rate is
        ``1 / sqrt(jitter)``.

    Returns
    -------
    dict of str to object
        By the names of the program's data block; node indices start at 1.

    Raises
    ------
    InputError
        If ``dim`` is not a positive integer, a number is out of its range, the network cannot be
        one of the model (:func:`check_data`), or covariates are not 0 for too many dyads.
    """
    check_numbers(dim, prior_scale, jitter)
    check_data(spec, network)
    spec = spec if spec.covariates is not None else spec.bound(network)
    loop = network.sender == network.receiver
    self_weight = np.zeros(network.n_nodes, dtype=np.int64)
    self_weight[network.sender[loop]] = network.weight[loop]
    edges = network.sender[~loop], network.receiver[~loop], network.weight[~loop]
    totals = frailty_totals(network, shared=spec.likelihood == "dyadic")
    if not spec.dispersed:
        totals = tuple(values[:0] for values in totals)
    hidden = hidden_terms(network, shared=spec.likelihood == "dyadic")
    return {
        "n_nodes": network.n_nodes,
        "n_dims": int(dim),
        **one_layer(network.n_nodes),
        "n_edges": len(edges[0]),
        "sender": edges[0] + 1,
        "receiver": edges[1] + 1,
        "weight": edges[2],
        "has_diagonal": int(spec.diagonal),
        "self_weight": self_weight if spec.diagonal else self_weight[:0],
        "cells_per_pair": 2 if network.directed else 1,
        "n_totals": len(totals[0]),
        **_terms("total", "total", totals),
        "n_hidden": len(hidden[0]),
        **_terms("hidden", "hidden_weight", hidden),
        **_covariate_data(network, spec, edges, totals),
        "form": FORMS.index(spec.form) + 1,
        "likelihood": LIKELIHOODS.index(spec.likelihood) + 1,
        "has_intercept": int(spec.intercept),
        "n_effects": effect_columns(spec, network.directed),
        "has_roles": int(spec.roles),
        "n_clusters": spec.clusters,
        "jitter": float(jitter),
        "prior_scale": float(prior_scale),
        "sigma_z_scale": spec.sigma_z_scale,
        "intercept_scale": spec.intercept_scale,
        "sigma_scale": spec.sigma_scale,
        "sigma_fixed": spec.sigma_fixed,
        "role_fixed": spec.role_fixed,
        "phi_scale": spec.phi_scale,
        "cluster_fixed": spec.cluster_fixed,
        "cluster_scale": spec.cluster_scale,
        "concentration": spec.concentration,
    }


def frailty_totals(network: Network, *, shared: bool) -> Terms:
    """Return the weights under each frailty, where they are not 0.

    Parameters
    ----------
    network : Network
        Any network; its self-loops have no frailty.
    shared : bool
        Whether the two directions of a pair have one frailty. If so, and both were observed,
        the total is theirs, listed with sender < receiver.

    Returns
    -------
    tuple of ndarray of shape (T,)
        Sender, receiver (0-based), whether the reverse dyad is in it, and total weight.
    """
    between = network.sender != network.receiver
    sender, receiver = network.sender[between], network.receiver[between]
    weight = network.weight[between]
    if not shared:
        return sender, receiver, np.zeros_like(sender), weight
    n = network.n_nodes
    back = ~np.isin(receiver * n + sender, network.hidden_cells)
    cells = np.where(back, np.minimum(sender, receiver), sender) * n
    cells += np.where(back, np.maximum(sender, receiver), receiver)
    # a pair's own cell may be listed twice, one of a half observed pair only once
    cell, first, pair = np.unique(cells, return_index=True, return_inverse=True)
    total = np.zeros(len(cell), dtype=np.int64)
    np.add.at(total, pair, weight)
    return cell // n, cell % n, back[first].astype(np.int64), total


def hidden_terms(network: Network, *, shared: bool) -> Terms:
    """Return what hidden dyads take out of the sum over all pairs.

    Parameters
    ----------
    network : Network
        Any network. An undirected one has both directions listed, each with weight 1/2.
    shared : bool
        Whether the two directions of a pair are under one logarithm. A pair of which one
        direction is hidden is then taken out as a whole, and the other put in for it.

    Returns
    -------
    tuple of ndarray of shape (T,)
        Sender, receiver (0-based), whether the reverse dyad is in it, and the term's weight.
    """
    sender, receiver = network.hidden_sender, network.hidden_receiver
    none = np.zeros_like(sender)
    if not network.directed:
        ends = np.concatenate([sender, receiver]), np.concatenate([receiver, sender])
        return *ends, np.tile(none, 2), np.full(2 * len(sender), 0.5)
    if not shared:
        return sender, receiver, none, none + 1.0
    n = network.n_nodes
    pair = np.unique(np.minimum(sender, receiver) * n + np.maximum(sender, receiver))
    half = ~np.isin(receiver * n + sender, network.hidden_cells)
    return (
        np.concatenate([pair // n, receiver[half]]),
        np.concatenate([pair % n, sender[half]]),
        np.concatenate([np.ones_like(pair), none[half]]),
        np.concatenate([np.ones(len(pair)), np.full(int(half.sum()), -1.0)]),
    )


def charged_terms(network: Network, covariates: Covariates, *, shared: bool) -> Terms:
    """Return the observed dyads with charges of their own: where a covariate is not 0.

    Parameters
    ----------
    network : Network
        Any network. An undirected one has a pair listed once.
    covariates : Covariates
        The covariates in that network.
    shared : bool
        Whether the two directions of a pair are under one logarithm. If so, and both were
        observed, they are one term, listed with sender < receiver.

    Returns
    -------
    tuple of ndarray of shape (T,)
        Sender, receiver (0-based), whether the reverse dyad is in it, and the term's weight.

    Raises
    ------
    InputError
        If there are more than :data:`MAX_CHARGED`.
    """
    n = network.n_nodes
    blocks: list[IntArray] = []
    for sender, receiver in dyad_blocks(network, 1_000_000):
        charged = covariates.of_dyads(sender, receiver).any(axis=1)
        blocks.append((sender * n + receiver)[charged])
        if sum(map(len, blocks)) > MAX_CHARGED:
            raise InputError(
                f"covariates of dyads are not 0 for more than {MAX_CHARGED} dyads; leave them, or"
                f" take an edgecov that is 0 for most"
            )
    cell = np.concatenate(blocks)
    if shared:  # either direction's covariates are the pair's
        cell = np.union1d(cell, cell % n * n + cell // n)
    sender, receiver = np.divmod(cell, n)
    seen = ~np.isin(cell, network.hidden_cells)
    back = np.zeros_like(cell)
    if shared:
        back = (seen & ~np.isin(receiver * n + sender, network.hidden_cells)).astype(np.int64)
        seen &= (back == 0) | (sender < receiver)
    return sender[seen], receiver[seen], back[seen], np.ones(int(seen.sum()))


def _covariate_data(
    network: Network, spec: ModelSpec, edges: Terms, totals: Terms
) -> dict[str, Any]:
    """Return what the Stan program wants to know of covariates; of none, nothing of size.

    There they vary by 1, so that their coefficients are of one size whatever the units; offsets,
    the last of those of nodes and of dyads, are as they are.
    """
    of_nodes = of_dyads = node_coefficients = dyad_coefficients = 0
    charged: Terms = tuple(np.zeros(0, dtype=np.int64) for _ in range(4))
    empty = np.zeros((0, 0))
    values = dict.fromkeys(("sender_covariate", "receiver_covariate"), empty)
    for name in ("total", "charged"):
        values |= {f"{name}_covariate": empty, f"{name}_reverse_covariate": empty}
    moment, beta_scale = np.zeros(0), np.zeros(0)
    covariates = spec.covariates
    if covariates is not None:
        of_nodes = covariates.n_of_nodes
        of_dyads = len(covariates.terms) - of_nodes
        unit = covariates.coefficients(covariates.scale)
        node_coefficients, dyad_coefficients = (
            int(np.sum(~offsets)) for offsets in np.split(covariates.offsets, [of_nodes])
        )
        beta_scale = np.full(len(covariates.scale), spec.beta_scale)
    if covariates is not None and of_nodes:
        values["sender_covariate"] = covariates.sender / unit[:of_nodes]
        values["receiver_covariate"] = covariates.receiver / unit[:of_nodes]
    if covariates is not None and of_dyads:
        charged = charged_terms(network, covariates, shared=spec.likelihood == "dyadic")
        moment = edges[2] @ covariates.of_dyads(edges[0], edges[1]) / unit[of_nodes:]
        for name, terms in (("total", totals), ("charged", charged)):
            for way, ends in (("", terms[:2]), ("_reverse", terms[1::-1])):
                value = covariates.of_dyads(*ends)
                # what is never observed is in no sum, and no number for Stan
                finite = np.where(np.isfinite(value), value, 0.0)
                values[f"{name}{way}_covariate"] = finite / unit[of_nodes:]
    return {
        "n_node_covariates": of_nodes,
        "n_dyad_covariates": of_dyads,
        "n_node_coefficients": node_coefficients,
        "n_dyad_coefficients": dyad_coefficients,
        "weighted_covariate": moment,
        "n_charged": len(charged[0]),
        **_terms("charged", "charged_weight", charged),
        **values,
        "coefficient_scale": beta_scale,
    }


def _terms(name: str, weight_name: str, terms: Terms) -> dict[str, NDArray[Any]]:
    sender, receiver, back, weight = terms
    return {
        f"{name}_sender": sender + 1,
        f"{name}_receiver": receiver + 1,
        f"{name}_back": back,
        weight_name: weight,
    }
