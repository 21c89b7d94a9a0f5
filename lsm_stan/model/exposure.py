"""Dyads without exposure: they cannot have an edge, so that to see none is no observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.model.covariates import logarithm_of
from lsm_stan.model.terms import Term
from lsm_stan.network.cells import counted
from lsm_stan.network.dyads import numbered_ends
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network


def hide_unexposed(terms: Sequence[Term], network: Network, table: pd.DataFrame | None) -> Network:
    """Hide the dyads whose exposure is 0, in an offset such as ``offset(log(hours))``.

    Parameters
    ----------
    terms : sequence of Term
        The terms of a model.
    network : Network
        Any network.
    table : DataFrame or None
        Facts about dyads, which has the offset's column; also about dyads of nodes that the
        network has not.

    Returns
    -------
    Network
        With a note of how many dyads were hidden; the same network where none was.

    Raises
    ------
    InputError
        If a dyad without exposure has an edge.

    Examples
    --------
    >>> ends = pd.MultiIndex.from_tuples([("a", "b"), ("b", "a")])
    >>> table = pd.DataFrame({"hours": [3.0, 0.0]}, ends)
    >>> network = Network.from_edges(["a"], ["b"], [2])
    >>> hide_unexposed([Term("offset", "log(hours)")], network, table).hidden_frame()
      source target
    0      b      a
    """
    if table is None:
        return network
    known = set(network.names)
    for term in terms:
        column = logarithm_of(term)
        if column is None or column not in table or term.column in table:
            continue
        zero = table.index[pd.to_numeric(table[column], errors="coerce") == 0]
        without = [dyad for dyad in zero if known.issuperset(dyad)]
        ends = numbered_ends(without, network.names)
        weight = network.weight_of(*ends.T)
        for k in np.flatnonzero(weight > 0)[:1]:
            sender, receiver = without[k]
            raise InputError(
                f"{term}: dyad {sender!r} to {receiver!r} has an edge of weight {weight[k]}, and"
                f" an exposure of 0, with which none can be; correct one of them"
            )
        new = ends[weight == 0]
        if len(new):
            note = (
                f"{counted(len(new), 'dyad')} without exposure ({term} of 0): no observations, and"
                f" no weight is expected there."
            )
            network = network.hide(*new.T)
            network = replace(network, notes=(*network.notes, note))
    return network


def hide_unexposed_in_layers(terms: Sequence[Term], layers: Layers) -> Layers:
    """Hide the dyads whose exposure is 0 in every layer, as :func:`hide_unexposed` does in one.

    Parameters
    ----------
    terms : sequence of Term
        The terms of a model.
    layers : Layers
        The layers.

    Returns
    -------
    Layers

    Raises
    ------
    InputError
        If a dyad without exposure has an edge in a layer.
    """
    for layer, (label, network) in enumerate(zip(layers.labels, layers.networks, strict=True)):
        try:
            exposed = hide_unexposed(terms, network, layers.dyad_table)
        except InputError as error:
            raise InputError(f"layer {label!r}: {error}") from error
        if exposed is not network:
            layers = layers.with_layer(layer, exposed)
    return layers
