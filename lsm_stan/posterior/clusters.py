"""Clusters of nodes: what draws of a mixture of positions say of them.

The posterior is the same for every permutation of the clusters' labels, as it is for every
rotation: the mean of a label's centre over draws says nothing unless labels have been matched.
Whether two nodes are together does not depend on labels at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.parameters import Parameters
from lsm_stan.posterior.alignment import rotation_onto
from lsm_stan.posterior.intervals import interval
from lsm_stan.typing import FloatArray, IntArray

#: Draws among which the point partition is sought, and that stand for the posterior in that.
CANDIDATES = 400

#: Rounds of matching labels, at most; they end when no label changes.
MAX_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters with one label in all draws, the largest first.

    Attributes
    ----------
    probability : ndarray of shape (N, G)
        Posterior probability of a node to be in a cluster.
    partition : ndarray of int64 of shape (N,)
        Cluster of every node, from 0: the partition of the draw of least Binder loss.
    centre : ndarray of shape (chain, draw, G, K)
        Centres, turned as the positions are onto those of the estimate.
    theta, sigma : ndarray of shape (chain, draw, G)
        Shares and standard deviations.
    drawn : ndarray of shape (S, N, G)
        Probabilities given each draw, chains one after the other; their mean is ``probability``.
    """

    probability: FloatArray
    partition: IntArray
    centre: FloatArray
    theta: FloatArray
    sigma: FloatArray
    drawn: FloatArray


def find_clusters(
    spec: ModelSpec, draws: Parameters, positions: FloatArray, prior_scale: float = 1.0
) -> Clusters:
    """Match the labels of draws.

    Parameters
    ----------
    spec : ModelSpec
        A model with clusters.
    draws : dict of str to ndarray
        Its parameters, leading axes ``(chain, draw)``.
    positions : ndarray of shape (N, K)
        Positions that centres are turned with.
    prior_scale : float, default 1.0
        The scale of the positions where it is not learned.

    Returns
    -------
    Clusters
    """
    sigma = cluster_scales(spec, draws, prior_scale)
    drawn = membership(draws["z"], draws["centre"], draws["theta"], sigma)
    pooled = drawn.reshape(-1, *drawn.shape[-2:])
    best = least_binder_loss(pooled)
    order, probability = match_labels(pooled, pooled[best])
    by_size = np.argsort(-probability.sum(axis=0), kind="stable")
    order = order[:, by_size]
    pooled = np.take_along_axis(pooled, order[:, None, :], axis=-1)
    order = order.reshape(draws["theta"].shape)
    centre = np.take_along_axis(draws["centre"], order[..., None], axis=-2)
    return Clusters(
        probability=probability[:, by_size],
        partition=pooled[best].argmax(axis=1),
        centre=centre @ rotation_onto(draws["z"], positions),
        theta=np.take_along_axis(draws["theta"], order, axis=-1),
        sigma=np.take_along_axis(sigma, order, axis=-1),
        drawn=pooled,
    )


def cluster_table(clusters: Clusters) -> pd.DataFrame:
    """Return a row a cluster: size, share and standard deviation.

    Parameters
    ----------
    clusters : Clusters
        The clusters of one fit.

    Returns
    -------
    DataFrame, G rows
        ``cluster``, from 1; ``nodes``, how many the point partition has there; ``theta`` and
        ``sd``, means over draws, with 90 % intervals ``_low``, ``_high``, NaN for one draw.
    """
    n_clusters = clusters.probability.shape[1]
    table = pd.DataFrame({"cluster": np.arange(n_clusters) + 1})
    table["nodes"] = np.bincount(clusters.partition, minlength=n_clusters)
    for name, values in {"theta": clusters.theta, "sd": clusters.sigma}.items():
        pooled = values.reshape(-1, n_clusters)
        table[name] = pooled.mean(axis=0)
        table[f"{name}_low"], table[f"{name}_high"] = interval(pooled)
    return table


def mean_clusters(clusters: Clusters, draws: Parameters) -> dict[str, FloatArray]:
    """Return the means of matched draws, of those of the clusters' parameters that draws have.

    Parameters
    ----------
    clusters : Clusters
        The clusters of one fit.
    draws : dict of str to ndarray
        The fit's parameters.

    Returns
    -------
    dict of str to ndarray
        Means by the names of the parameters, without the axes of chains and draws.
    """
    values = {"centre": clusters.centre, "theta": clusters.theta, "sigma_cluster": clusters.sigma}
    return {name: value.mean(axis=(0, 1)) for name, value in values.items() if name in draws}


def cluster_scales(spec: ModelSpec, draws: Parameters, prior_scale: float) -> FloatArray:
    """Return the standard deviations of clusters, learned or not.

    Parameters
    ----------
    spec : ModelSpec
        A model with clusters.
    draws : dict of str to ndarray
        Its parameters, with any leading axes.
    prior_scale : float
        The scale of the positions where it is not learned.

    Returns
    -------
    ndarray of shape (..., G)
        Standard deviations, in units of distance.
    """
    fixed = np.full_like(draws["theta"], spec.cluster_fixed * prior_scale)
    return np.asarray(draws.get("sigma_cluster", fixed))


def membership(
    positions: FloatArray, centre: FloatArray, theta: FloatArray, sigma: FloatArray
) -> FloatArray:
    """Return the probability of every node to be in a cluster, given the parameters.

    Parameters
    ----------
    positions : ndarray of shape (..., N, K)
        Positions.
    centre : ndarray of shape (..., G, K)
        Centres of the clusters.
    theta, sigma : ndarray of shape (..., G)
        Shares and standard deviations of the clusters.

    Returns
    -------
    ndarray of shape (..., N, G)
    """
    n_clusters, dim = centre.shape[-2:]
    log_p = np.empty((*positions.shape[:-1], n_clusters))
    for g in range(n_clusters):
        scaled = (positions - centre[..., g, None, :]) / sigma[..., g, None, None]
        # CSV files round a small share to 0
        constant = np.log(np.maximum(theta[..., g], 1e-100)) - dim * np.log(sigma[..., g])
        log_p[..., g] = constant[..., None] - np.sum(scaled**2, axis=-1) / 2
    return np.asarray(softmax(log_p, axis=-1))


def match_labels(drawn: FloatArray, target: FloatArray) -> tuple[IntArray, FloatArray]:
    """Give a cluster the same label in all draws.

    Each draw's labels are permuted so that its memberships overlap most with a target, first
    the one given and then the mean of the permuted draws, until that settles (Stephens, JRSS B
    62, 2000, with the overlap in the place of the divergence).

    Parameters
    ----------
    drawn : ndarray of shape (S, N, G)
        Memberships in every draw.
    target : ndarray of shape (N, G)
        Memberships to match them with.

    Returns
    -------
    order : ndarray of int64 of shape (S, G)
        Which label of a draw is the target's first, second, ...
    mean : ndarray of shape (N, G)
        Mean memberships of the permuted draws.
    """
    order = np.zeros(drawn.shape[::2], dtype=np.int64)
    for _ in range(MAX_ROUNDS):
        overlaps = target.T @ drawn
        next_order = np.array([linear_sum_assignment(-overlap)[1] for overlap in overlaps])
        target = np.mean(
            [p[:, labels] for p, labels in zip(drawn, next_order, strict=True)], axis=0
        )
        if np.array_equal(next_order, order):
            break
        order = next_order
    return order, target


def co_membership(drawn: FloatArray) -> FloatArray:
    """Return the probability of two nodes to be in one cluster.

    That of a node with itself is 1. O(N²) memory: give it the nodes that are wanted.

    Parameters
    ----------
    drawn : ndarray of shape (S, N, G)
        Memberships in every draw.

    Returns
    -------
    ndarray of shape (N, N)
    """
    together = np.zeros((drawn.shape[1],) * 2)
    for p in drawn:
        together += p @ p.T
    together /= len(drawn)
    np.fill_diagonal(together, 1)
    return together


def least_binder_loss(drawn: FloatArray) -> int:
    """Return the number of the draw whose partition has the least expected Binder loss.

    A pair of nodes that is together in one partition and apart in the other is a loss of 1
    (Binder, Biometrika 65, 1978); only partitions of draws are candidates (Dahl, in Bayesian
    Inference for Gene Expression and Proteomics, Cambridge, 2006). In a draw's partition every
    node is in its most probable cluster.

    Parameters
    ----------
    drawn : ndarray of shape (S, N, G)
        Memberships in every draw; where there are more than :data:`CANDIDATES`, so many serve.

    Returns
    -------
    int
        Number of the draw, from 0.
    """
    # sum over pairs of [together] (1 - 2 P(together)), by counts in G x G tables: no N x N array
    step = -(-len(drawn) // CANDIDATES)
    thinned = drawn[::step]
    n_draws, n_nodes, n_clusters = thinned.shape
    side_by_side = thinned.transpose(1, 0, 2).reshape(n_nodes, -1)
    losses = []
    for p in thinned:
        in_cluster = np.eye(n_clusters)[p.argmax(axis=1)]
        losses.append(
            np.sum(in_cluster.sum(axis=0) ** 2)
            - 2 * np.sum((in_cluster.T @ side_by_side) ** 2) / n_draws
        )
    # equal partitions tie but for rounding
    return step * int(np.flatnonzero(np.isclose(losses, min(losses), rtol=1e-10))[0])
