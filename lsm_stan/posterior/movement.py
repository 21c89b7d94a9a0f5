"""What rotations leave unchanged of positions in several layers: who moves, who approaches whom.

The positions of all layers turn as one: distances between a node's places in two layers mean
something, as distances within a layer do. That a distance is positive means nothing: every node
that can move at all moves in every draw. What counts is how far it moves beside the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.layered_parameters import IN_PLACE
from lsm_stan.model.parameters import Parameters, cloud
from lsm_stan.network.layers import Layers
from lsm_stan.posterior.clusters import Clusters
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.posterior.intervals import interval
from lsm_stan.posterior.invariants import (
    MONITORED_PAIRS,
    monitored_parameters,
    pair_distances,
    pair_labels,
    sample_pairs,
)
from lsm_stan.posterior.quantities import parameter_quantities
from lsm_stan.typing import BoolArray, FloatArray, IntArray

#: Draws that tables are made from, at most, and pairs whose draws are held at a time.
DRAWS, PAIRS_AT_A_TIME = 400, 20_000


def monitored_layers(
    spec: ModelSpec, draws: Parameters, log_joint: FloatArray
) -> dict[str, FloatArray]:
    """Return the invariants whose exploration decides whether a sample can be trusted.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draws : dict of str to ndarray
        Parameters of layers, leading axes ``(chain, draw)``.
    log_joint : ndarray of shape (chain, draw)
        Log joint densities, in nats.

    Returns
    -------
    dict of str to ndarray
        ``distance`` of a fixed random set of pairs of places, of any layers; ``log_joint``; every
        scalar and every layer's intercept; and of all nodes and clusters what
        :func:`lsm_stan.posterior.invariants.monitored` has of them.
    """
    places = cloud(draws)
    pairs = sample_pairs(places.shape[-2], MONITORED_PAIRS)
    quantities = {"distance": pair_distances(places, pairs), "log_joint": log_joint}
    quantities |= monitored_parameters(spec, draws, np.arange(draws["z"].shape[-2]))
    return quantities | {
        name: draws[name].reshape(*log_joint.shape, -1) for name in IN_PLACE if name in draws
    }


def moves(parameters: Parameters, layers: Layers) -> FloatArray:
    """Return how far every node moves: the root mean square of its places about their mean.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters of layers, with any leading axes.
    layers : Layers
        The layers; where a node is absent it has no place that counts.

    Returns
    -------
    ndarray of shape (..., N)
        In units of distance; NaN for a node of one layer.
    """
    z = parameters["z_layer"]
    present = _present(layers)
    count = present.sum(axis=0)
    weight = np.where(present, 1.0, 0.0)[:, :, None]
    mean = (z * weight).sum(axis=-3) / np.maximum(count, 1)[:, None]
    squares = (((z - mean[..., None, :, :]) ** 2) * weight).sum(axis=(-3, -1))
    return np.asarray(np.sqrt(squares / np.where(count > 1, count, np.nan)))


def movers_table(parameters: Parameters, layers: Layers) -> pd.DataFrame:
    """Return how far every node moves, the farthest first.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Draws of parameters of layers, leading axes ``(chain, draw)``.
    layers : Layers
        The layers.

    Returns
    -------
    DataFrame, N rows
        ``node``; ``layers``, in how many it is; ``moved`` (:func:`moves`), its mean over draws, and
        ``moved_low``, ``moved_high``, the 90 % interval; ``more_than_median``, the probability that
        it moves farther than the median node; and ``net``, ``net_low``, ``net_high``, the distance
        between its first place and its last. NaN for nodes of one layer; a mode has no intervals.
    """
    draws = flat_draws(parameters, DRAWS)
    moved = moves(draws, layers)
    present = _present(layers)
    first = present.argmax(axis=0)
    last = layers.n_layers - 1 - present[::-1].argmax(axis=0)
    nodes = np.arange(layers.n_nodes)
    z = draws["z_layer"]
    net = np.linalg.norm(z[:, last, nodes] - z[:, first, nodes], axis=-1)
    net = np.where(present.sum(axis=0) > 1, net, np.nan)
    table = pd.DataFrame({"node": layers.names, "layers": present.sum(axis=0)})
    for name, values in (("moved", moved), ("net", net)):
        table[name] = values.mean(axis=0)
        table[f"{name}_low"], table[f"{name}_high"] = interval(values)
        if name == "moved":
            with np.errstate(invalid="ignore"):
                beyond = moved > np.nanmedian(moved, axis=1, keepdims=True)
            table["more_than_median"] = np.where(np.isnan(moved[0]), np.nan, beyond.mean(axis=0))
    order = np.argsort(-np.nan_to_num(table["moved"].to_numpy(), nan=-np.inf), kind="stable")
    return pd.DataFrame(table.iloc[order].reset_index(drop=True))


def changes_of_pairs(
    parameters: Parameters, layers: Layers, first: int | str, last: int | str, top: int = 20
) -> pd.DataFrame:
    """Return the pairs that approach each other most surely between two layers, or part.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Draws of parameters of layers, leading axes ``(chain, draw)``.
    layers : Layers
        The layers.
    first, last : int or str
        Two layers, by number or label.
    top : int, default 20
        Number of pairs of each kind, at most.

    Returns
    -------
    DataFrame
        ``change`` (``approach`` or ``part``), ``source`` and ``target``, the mean distances
        ``distance_first`` and ``distance_last``, ``difference``, its mean over draws, with
        ``difference_low`` and ``difference_high``, the 90 % interval, and ``probability`` that the
        difference has this sign. Pairs of which both nodes are in both layers; the surest first, of
        equally sure ones the largest difference.
    """
    one, other = layers.index(first), layers.index(last)
    draws = flat_draws(parameters, DRAWS)
    both = np.flatnonzero(_present(layers)[[one, other]].all(axis=0))
    i, j = np.triu_indices(len(both), 1)
    pairs = np.column_stack([both[i], both[j]])
    blocks = [
        _differences(draws, pairs[start : start + PAIRS_AT_A_TIME], one, other)
        for start in range(0, len(pairs), PAIRS_AT_A_TIME)
    ]
    if not blocks:
        blocks = [_differences(draws, pairs, one, other)]
    table: pd.DataFrame = pd.concat(blocks, ignore_index=True)
    names = np.array(layers.names, dtype=object)
    table.insert(0, "source", names[pairs[:, 0]])
    table.insert(1, "target", names[pairs[:, 1]])
    parts: list[pd.DataFrame] = []
    for kind, sign in (("approach", -1), ("part", 1)):
        of_kind = table[np.sign(table["difference"]) == sign].copy()
        share = of_kind.pop("rises")
        of_kind["probability"] = share if sign > 0 else 1 - share
        of_kind["size"] = of_kind["difference"].abs()
        of_kind = of_kind.sort_values(["probability", "size"], ascending=False, kind="stable")
        of_kind = of_kind.drop(columns="size").head(top)
        of_kind.insert(0, "change", kind)
        parts.append(of_kind)
    return pd.concat(parts, ignore_index=True)


def layer_quantities(
    spec: ModelSpec,
    parameters: Parameters,
    clusters: Clusters | None,
    layers: Layers,
    pairs: IntArray,
) -> dict[str, tuple[str, Sequence[str], FloatArray]]:
    """Return the draws of what can be summarised of layers.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Draws, leading axes ``(chain, draw)``.
    clusters : Clusters or None
        Clusters with one label in all draws, where the model has them.
    layers : Layers
        The layers.
    pairs : ndarray of shape (P, 2)
        Nodes, from 0, whose distances are wanted.

    Returns
    -------
    dict of str to tuple
        By name: the dim of the items, or ``""``; their labels; and the draws. What
        :func:`lsm_stan.posterior.quantities.parameter_quantities` returns; ``layer_intercept``;
        ``moved`` of every node (dim ``node``) that is in two layers or more; ``distance_LABEL``,
        distances of the pairs in each layer (dim ``pair``).
    """
    quantities = parameter_quantities(spec, parameters, clusters)
    if "layer_intercept" in parameters:
        quantities["layer_intercept"] = ("layer", layers.labels, parameters["layer_intercept"])
    several = np.flatnonzero(_present(layers).sum(axis=0) > 1)
    if len(several):
        labels = [layers.names[node] for node in several]
        quantities["moved"] = ("node", labels, moves(parameters, layers)[..., several])
    labels = pair_labels(layers.names, pairs)
    for layer, label in enumerate(layers.labels):
        there = pair_distances(parameters["z_layer"][..., layer, :, :], pairs)
        quantities[f"distance_{label}"] = ("pair", labels, there)
    return quantities


def _differences(draws: Parameters, pairs: IntArray, one: int, other: int) -> pd.DataFrame:
    z = draws["z_layer"]
    before, after = (pair_distances(z[:, layer], pairs) for layer in (one, other))
    difference = after - before
    low, high = interval(difference)
    return pd.DataFrame(
        {
            "distance_first": before.mean(axis=0),
            "distance_last": after.mean(axis=0),
            "difference": difference.mean(axis=0),
            "difference_low": low,
            "difference_high": high,
            "rises": (difference > 0).mean(axis=0),
        }
    )


def _present(layers: Layers) -> BoolArray:
    """Return which nodes are in which layers, ``(L, N)``."""
    present = np.zeros((layers.n_layers, layers.n_nodes), dtype=bool)
    for layer, at in enumerate(layers.members):
        present[layer, at] = True
    return present
