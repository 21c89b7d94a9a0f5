"""The table of nodes of a report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lsm_stan.inference.fit import Fit
from lsm_stan.posterior.alignment import (
    align,
    gram_positions,
    mean_gram,
    principal_axes,
    rotation_onto,
    strays,
    target_sensitivity,
)
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.posterior.invariants import radii
from lsm_stan.typing import FloatArray

#: Columns of the table of nodes that are computed.
COMPUTED_COLUMNS = (
    "out_strength", "in_strength", "strength", "spread", "shift",
    "flagged", "cluster", "cluster_probability",
)  # fmt: skip

#: Those that a page does not show, besides coordinates, and those that it does.
UNSHOWN_COLUMNS = (
    "radius", "strays", "sender_effect", "sender_effect_sd", "receiver_effect",
    "receiver_effect_sd", "effect", "effect_sd",
)  # fmt: skip

SHOWN_COLUMNS = ("name", *COMPUTED_COLUMNS)

#: The strongest nodes that a page shows.
SHOWN_NODES = 15

#: Largest network whose N×N Gram matrix is computed to flag nodes.
MAX_GRAM_NODES = 2000


def node_table(fit: Fit) -> pd.DataFrame:
    """Return the table of nodes, the strongest first.

    Parameters
    ----------
    fit : Fit
        A fit by any method.

    Returns
    -------
    DataFrame
        A row a node: ``name``; the columns of the network's table of nodes, with ``(node table)``
        added to names that are among the following; ``out_strength`` and ``in_strength`` (of an
        undirected network ``strength``); coordinates on the map, ``axis1``, ``axis2``, ...; of
        models with roles also ``sender_axis1``, ..., and ``receiver_axis1``, .... Fits with draws
        have ``axis1_sd``, ..., standard deviations of draws that were turned onto the mean;
        ``radius``, a node's mean distance from the centre; ``strays``, whether its place is
        unknown; ``spread``, its root mean squared distance from its mean place; and, up to
        :data:`MAX_GRAM_NODES` nodes, ``shift`` and ``flagged``
        (:func:`lsm_stan.posterior.alignment.target_sensitivity`). Models with effects have
        ``sender_effect`` and ``receiver_effect`` (of an undirected network ``effect``), each with
        ``_sd``; those with clusters ``cluster``, from 1, and ``cluster_probability``.
    """
    network = fit.network
    places = _places(fit)
    # a column of the user must not be taken for a computed one, even where there is none
    names = {
        name: f"{name} (node table)" for name in (*COMPUTED_COLUMNS, *UNSHOWN_COLUMNS, *places)
    }
    sent, received = network.out_strength(), network.in_strength()
    strengths = (
        {"out_strength": sent, "in_strength": received} if network.directed else {"strength": sent}
    )
    table = network.node_frame().rename(columns=names).assign(**strengths, **places)
    many = fit.draws.shape[1] > 1
    if many:
        squares = [places[name] ** 2 for name in places if name.endswith("_sd")]
        table = table.assign(
            radius=radii(fit.draws).mean(axis=(0, 1)),
            strays=strays(fit.draws, fit.positions),
            spread=np.sqrt(np.sum(squares, axis=0)),
        )
    if many and network.n_nodes <= MAX_GRAM_NODES:
        flat = fit.draws.reshape(-1, *fit.positions.shape)
        draws = flat_draws(fit.parameters)["z"]
        best = flat[fit.idata.sample_stats["lp"].to_numpy().argmax()]
        targets = {
            "mean": fit.positions,
            "best": best,
            "gram": gram_positions(mean_gram(draws), fit.record.dim),
        }
        table = table.join(target_sensitivity(draws, targets)[["shift", "flagged"]])
    table = table.assign(**_effects(fit))
    if fit.clusters is not None:
        partition = fit.clusters.partition
        sure = fit.clusters.probability[np.arange(len(partition)), partition]
        table = table.assign(cluster=partition + 1, cluster_probability=sure)
    order = np.argsort(sent + received, kind="stable")[::-1]
    return table.iloc[order].reset_index(drop=True)


def _places(fit: Fit) -> dict[str, FloatArray]:
    """Return positions on their principal axes, and their deviations; of roles both positions."""
    mean = fit.positions
    axes = principal_axes(mean)
    onto_axes = rotation_onto(mean, axes)
    places = {f"axis{k}": column for k, column in enumerate(axes.T, start=1)}
    flat = fit.draws.reshape(-1, *mean.shape)
    if len(flat) > 1:
        deviations = np.sqrt((((align(flat, mean) - mean) @ onto_axes) ** 2).mean(axis=0))
        places |= {f"axis{k}_sd": column for k, column in enumerate(deviations.T, start=1)}
    if fit.spec.roles:
        role = fit.parameters["role"].reshape(flat.shape)
        half = (role @ rotation_onto(flat, mean)).mean(axis=0) @ onto_axes
        for end, ends in (("sender", axes + half), ("receiver", axes - half)):
            places |= {f"{end}_axis{k}": column for k, column in enumerate(ends.T, start=1)}
    return places


def _effects(fit: Fit) -> dict[str, FloatArray]:
    """Return means and standard deviations over draws of the nodes' effects, if there are any."""
    if not fit.spec.effects:
        return {}
    effects = {}
    ends = {"sender_effect": "sender_effect", "receiver_effect": "receiver_effect"}
    for name, column in (ends if fit.network.directed else {"sender_effect": "effect"}).items():
        draws = fit.parameters[name].reshape(-1, fit.network.n_nodes)
        effects[column] = draws.mean(axis=0)
        if len(draws) > 1:
            effects[f"{column}_sd"] = draws.std(axis=0, ddof=1)
    return effects
