"""The table of nodes of a report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lsm_stan.inference.fit import Fit
from lsm_stan.posterior.alignment import (
    gram_positions,
    mean_gram,
    principal_axes,
    strays,
    target_sensitivity,
)
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.posterior.invariants import radii

#: Columns of the table of nodes that are computed.
COMPUTED_COLUMNS = (
    "out_strength", "in_strength", "strength", "spread", "shift",
    "flagged", "cluster", "cluster_probability",
)  # fmt: skip

#: Those that a page does not show, and those that it does.
UNSHOWN_COLUMNS = ("radius", "strays")

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
        A row a node; :class:`lsm_stan.report.report.Report` says what columns there are.
    """
    network, axes = fit.network, principal_axes(fit.positions)
    coordinates = {f"axis{k}": column for k, column in enumerate(axes.T, start=1)}
    # a column of the user must not be taken for a computed one, even where there is none
    names = {
        name: f"{name} (node table)" for name in (*COMPUTED_COLUMNS, *UNSHOWN_COLUMNS, *coordinates)
    }
    sent, received = network.out_strength(), network.in_strength()
    strengths = (
        {"out_strength": sent, "in_strength": received} if network.directed else {"strength": sent}
    )
    table = network.node_frame().rename(columns=names).assign(**strengths, **coordinates)
    many = fit.draws.shape[1] > 1
    if many:
        radius = radii(fit.draws).mean(axis=(0, 1))
        table = table.assign(radius=radius, strays=strays(fit.draws, fit.positions))
    if many and network.n_nodes <= MAX_GRAM_NODES:
        flat = fit.draws.reshape(-1, *fit.positions.shape)
        draws = flat_draws(fit.parameters)["z"]
        best = flat[fit.idata.sample_stats["lp"].to_numpy().argmax()]
        targets = {
            "mean": fit.positions,
            "best": best,
            "gram": gram_positions(mean_gram(draws), fit.record.dim),
        }
        table = table.join(target_sensitivity(draws, targets))
    if fit.clusters is not None:
        partition = fit.clusters.partition
        sure = fit.clusters.probability[np.arange(len(partition)), partition]
        table = table.assign(cluster=partition + 1, cluster_probability=sure)
    order = np.argsort(sent + received, kind="stable")[::-1]
    return table.iloc[order].reset_index(drop=True)
