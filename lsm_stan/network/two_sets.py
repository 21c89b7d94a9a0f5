"""Networks of two sets, such as people and events: dyads within a set cannot be observed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.cells import counted
from lsm_stan.network.network import Network
from lsm_stan.typing import IntArray

#: Where networkx and Pajek's files have the set of a node; igraph has it in a boolean ``type``.
ATTRIBUTE, OF_IGRAPH = "bipartite", "type"

#: More hidden dyads than these would not fit into memory.
MOST_HIDDEN = 20_000_000


def hide_within_sets(network: Network, source: str) -> Network:
    """Hide the dyads within a set, if the node table says which of two sets a node is in.

    Parameters
    ----------
    network : Network
        Any network.
    source : str
        File name or description, for error messages.

    Returns
    -------
    Network
        With a note; the same network if its node table has no column ``bipartite`` of two values,
        or edges join nodes of one set.

    Raises
    ------
    InputError
        If there are too many such dyads.
    """
    table = network.node_table
    if table is None:
        return network
    codes = _sets(table)
    if codes is None and ATTRIBUTE in table.columns:
        values = table[ATTRIBUTE]
        n_missing = int((values.isna() | (values == "")).sum())
        what = (
            f"{counted(n_missing, 'node')} without a value"
            if n_missing
            else counted(values.nunique(), "value")
        )
        note = (
            f"The nodes' column {ATTRIBUTE} has {what}, where two sets need two values: it is not"
            f" used."
        )
        return replace(network, notes=(*network.notes, note))
    if codes is None:
        return network
    within = int(np.sum(codes[network.sender] == codes[network.receiver]))
    if within:
        lie = "lies" if within == 1 else "lie"
        note = (
            f"The nodes are in two sets by their attributes, but {counted(within, 'edge')} {lie}"
            f" within a set: it is not used."
        )
        return replace(network, notes=(*network.notes, note))
    sizes = np.bincount(codes).tolist()
    if sum(size**2 for size in sizes) > 2 * MOST_HIDDEN:
        raise InputError(
            f"{source}: it has two sets of {sizes[0]:,} and {sizes[1]:,} nodes; so large ones"
            f" cannot be read yet, since all pairs within a set have to be hidden"
        )
    ends = [np.nonzero(codes == code)[0] for code in (0, 1)]
    pairs = np.hstack([np.array(np.meshgrid(nodes, nodes)).reshape(2, -1) for nodes in ends])
    hidden = network.hide(*pairs[:, pairs[0] != pairs[1]])
    note = (
        f"Two sets of {sizes[0]:,} and {sizes[1]:,} nodes: the"
        f" {hidden.n_hidden - network.n_hidden:,} dyads within a set are hidden, since no edge can"
        f" be there."
    )
    return replace(hidden, notes=(*network.notes, note))


def _sets(table: pd.DataFrame) -> IntArray | None:
    """Return the set of each node, 0 or 1, or None if there are not two."""
    if ATTRIBUTE in table.columns:
        values = table[ATTRIBUTE]
    elif OF_IGRAPH in table.columns and table[OF_IGRAPH].dtype == bool:
        values = table[OF_IGRAPH]
    else:
        return None
    if values.isna().any() or (values == "").any() or values.nunique() != 2:
        return None
    return np.asarray(pd.factorize(values)[0], dtype=np.int64)
