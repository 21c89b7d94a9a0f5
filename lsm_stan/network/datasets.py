"""Networks packaged with lsm-stan.

`load_celegans` is the network of the tutorial this project grew from. Where its data come from
and how its neurons were named is told in ``lsm_stan/network/data/celegans/README.md``.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

import pandas as pd

from lsm_stan.choices import ParallelEdges
from lsm_stan.network.network import Network

SURE_AGREEMENT = 0.5
"""Least agreement of the graph matching at which a neuron is called by its matched name."""

MUSCLES = "LegacyBodyWallMuscles"
"""The one node that is no neuron."""


def load_celegans(parallel_edges: ParallelEdges = "first") -> Network:
    """Load the neural network of *C. elegans*: 297 nodes, 2,345 directed edges.

    Weights are whole numbers from 1 up. The raw list has 2,359 edges; 14 pairs are listed twice.
    ``lsm_stan/network/data/celegans/README.md`` names the sources.

    Parameters
    ----------
    parallel_edges : {"first", "sum"}, default "first"
        What becomes of the second edge of a pair: ``"first"`` gives a total weight of 8,743, the
        matrix of the tutorial, ``"sum"`` gives 8,819.

    Returns
    -------
    Network
        The network. Its node table has the columns

        ``label``
            The node's number in the original file, as text.
        ``class``
            ``sensory``, ``interneuron``, ``motor`` or ``other``, the class of the matched
            neuron; ``unknown`` where the match is not sure.
        ``matched_neuron``, ``matched_class``
            Best match among the named neurons of White et al. (1986), sure or not.
        ``agreement``
            Jaccard overlap of the node's edges with those of the match, from 0 to 1.

        A node is called by its matched neuron where the agreement is at least `SURE_AGREEMENT`.
        The other 74 are called ``node`` and their label: for them name and class are guesses.

    Raises
    ------
    InputError
        If `parallel_edges` is neither of the two.

    Examples
    --------
    >>> from lsm_stan import load_celegans
    >>> network = load_celegans()
    >>> network.n_nodes, network.n_edges, network.total_weight
    (297, 2345, 8743)
    >>> load_celegans(parallel_edges="sum").total_weight
    8819
    """
    edges, nodes = packaged_table("celegans/edges.csv"), packaged_table("celegans/nodes.csv")
    agreement = pd.to_numeric(nodes["agreement"])
    sure = agreement >= SURE_AGREEMENT
    names = nodes["matched_neuron"].where(sure, "node " + nodes["label"])
    table = pd.DataFrame(
        {
            "label": nodes["label"],
            "class": nodes["matched_class"].where(sure, "unknown"),
            "matched_neuron": nodes["matched_neuron"],
            "matched_class": nodes["matched_class"],
            "agreement": agreement,
        }
    ).set_axis(names)
    name_of = dict(zip(nodes["label"], names, strict=True))
    network = Network.from_edges(
        edges["source"].map(name_of),
        edges["target"].map(name_of),
        edges["weight"],
        parallel_edges=parallel_edges,
        node_table=table,
        title="C. elegans neural network",
        source="celegans",
    )
    unsure = (
        f"{int((~sure).sum())} of {len(nodes)} nodes have no sure neuron name: "
        "they are called by their number, and their class is unknown. The other names, and the "
        "classes, were inferred by a graph matching of this network: "
        "lsm_stan/network/data/celegans/README.md."
    )
    received = int(network.in_strength()[network.names.index(MUSCLES)])
    muscles = (
        f"{MUSCLES} is no neuron: it stands for the muscles of the body wall, which receive "
        f"{received:,} of the total weight of {network.total_weight:,} and send nothing."
    )
    return replace(network, notes=(*network.notes, unsure, muscles))


def packaged_table(file: str) -> pd.DataFrame:
    """Read a packaged table as text.

    Parameters
    ----------
    file : str
        Its path in ``lsm_stan/network/data``.

    Returns
    -------
    DataFrame
    """
    folder = resources.files("lsm_stan.network") / "data"
    with (folder / file).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=str, keep_default_na=False)
