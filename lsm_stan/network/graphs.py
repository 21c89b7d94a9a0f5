"""Graphs: what networkx objects and the files that networkx reads say.

Node names are GML's ``label`` (``id`` without one) and GraphML's node id; other node attributes
become the node table, an attribute ``name`` its column ``name_attribute``. The weight is the edge
attribute ``weight``; if no edge has it, ``value``, as in Mark Newman's collection. Edges of a
multigraph, and repeated edges in a GML file, are parallel edges.
"""

from __future__ import annotations

import re
from pathlib import Path

import networkx as nx
import pandas as pd

from lsm_stan.network.checks import clean_name
from lsm_stan.network.sources import EdgeList


def read_gml(path: Path) -> EdgeList:
    """Read a ``.gml`` file, repeated edges and all.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    EdgeList
    """
    text = path.read_text(encoding="utf-8-sig")
    if not re.search(r"^\s*multigraph\s", text, flags=re.MULTILINE):
        # networkx refuses a repeated edge unless the header announces it, which that of Mark
        # Newman's celegansneural.gml does not.
        text = re.sub(r"^(\s*graph\s*\[)", r"\1 multigraph 1 ", text, count=1, flags=re.MULTILINE)
    graph = nx.parse_gml(text, label=None)
    labels = dict(graph.nodes(data="label"))
    if any(label is None for label in labels.values()):
        return read_graph(graph)
    for _, attributes in graph.nodes(data=True):
        del attributes["label"]
    return read_graph(graph, labels)


def read_graphml(path: Path) -> EdgeList:
    """Read a ``.graphml`` file, repeated edges and all.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    EdgeList
    """
    return read_graph(nx.read_graphml(path, force_multigraph=True))


def read_graph(graph: nx.Graph, labels: dict[object, object] | None = None) -> EdgeList:
    """Read a networkx graph.

    Parameters
    ----------
    graph : networkx.Graph
        A graph of any kind; edges may have the attribute ``weight``.
    labels : dict, optional
        Other names for the nodes, by node.

    Returns
    -------
    EdgeList
    """
    names = {node: clean_name(labels[node] if labels else node) for node in graph.nodes}
    edges = list(graph.edges(data=True))
    attributes = {name for *_, data in edges for name in data}
    attribute = "value" if "value" in attributes and "weight" not in attributes else "weight"
    node_table = pd.DataFrame(
        [data for _, data in graph.nodes(data=True)], index=pd.Index(list(names.values()))
    ).rename(columns={"name": "name_attribute"})
    return EdgeList(
        senders=[names[a] for a, *_ in edges],
        receivers=[names[b] for _, b, _ in edges],
        weights=[data.get(attribute) for *_, data in edges] if attribute in attributes else None,
        directed=graph.is_directed(),
        names=list(names.values()),
        node_table=node_table if len(node_table.columns) else None,
        notes=("Weights are in the edge attribute 'value'.",) if attribute == "value" else (),
    )
