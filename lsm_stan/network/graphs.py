"""Graphs: what networkx objects and the files that networkx reads say.

Nodes are called by GML's ``label``, else by an attribute ``name`` or ``label`` (GEXF: ``label``
first) if every node has its own; without one by their id, which is what networkx calls them. Other
node attributes become the node table, an attribute ``name`` that is not used its column
``name_attribute``. Which edge attribute has the weights is told in
`lsm_stan.network.edge_columns`. Edges of a multigraph, and repeated edges, are parallel edges.
"""

from __future__ import annotations

import io
import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.checks import clean_name
from lsm_stan.network.sources import EdgeList
from lsm_stan.network.text_files import contents, text_of

#: Node attributes that nodes may be called by, the first that all have and that tells them apart.
_NAMES = ("name", "label")


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
    lines = [line for line in text_of(path).splitlines() if line.strip()]
    text = "\n".join(lines)
    if not re.search(r"^[ \t]*multigraph[ \t]", text, flags=re.MULTILINE):
        # networkx refuses a repeated edge unless the header announces it, which that of Mark
        # Newman's celegansneural.gml does not.
        text = re.sub(
            r"^([ \t]*graph\s*\[)", r"\1 multigraph 1 ", text, count=1, flags=re.MULTILINE
        )
    graph = nx.parse_gml(text, label=None)
    # the format's own name of a node, if all have one; two of the same are refused
    labels = ["label"] if all("label" in data for _, data in graph.nodes(data=True)) else _NAMES
    return read_graph(graph, tuple(labels), unique=False)


def read_graphml(path: Path) -> EdgeList:
    """Read a ``.graphml`` file, repeated edges and all.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    EdgeList

    Raises
    ------
    InputError
        If it holds more than one graph, or does not say whether that is directed; if a node has
        no id or another's, or an edge has not both ends among the nodes.
    """
    content = contents(path)
    said = _check_xml(content, str(path)).get("edgedefault")
    if said not in ("directed", "undirected"):
        raise InputError(
            f"{path}: the graph has edgedefault={said!r}; it has to say directed or undirected"
        )
    graph = nx.read_graphml(io.BytesIO(content), force_multigraph=True)
    defaults = graph.graph.get("node_default", {}), graph.graph.get("edge_default", {})
    for _, data in graph.nodes(data=True):
        data.update({**defaults[0], **data})
    for *_, data in graph.edges(data=True):
        data.update({**defaults[1], **data})
    return read_graph(graph)


def read_gexf(path: Path) -> EdgeList:
    """Read a ``.gexf`` file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    EdgeList

    Raises
    ------
    InputError
        As :func:`read_graphml` does.
    """
    content = contents(path)
    said = _check_xml(content, str(path))
    kinds = [said.get("defaultedgetype"), *(edge.get("type") for edge in _elements(said, "edge"))]
    if "mutual" in kinds:
        raise InputError(
            f"{path}: it has mutual edges, which go in both directions; write two directed edges"
            f" for each"
        )
    if said.get("mode") == "dynamic" and said.get("timeformat") is None:
        # the format's default, which networkx does not know
        content = content.replace(b'mode="dynamic"', b'mode="dynamic" timeformat="double"', 1)
    graph = nx.read_gexf(io.BytesIO(content))
    for *_, data in graph.edges(data=True):
        data.pop("id", None)  # a number of the format's own
    return read_graph(graph, ("label", "name"))


def _check_xml(content: bytes, source: str) -> ElementTree.Element:
    """Return a file's graph, refusing what networkx would make up, or leave out."""
    root = ElementTree.fromstring(content)
    graphs = list(_elements(root, "graph"))
    if len(graphs) != 1:
        raise InputError(
            f"{source}: the file has {len(graphs)} graphs; a network is one of them, without graphs"
            f" within its nodes: save that alone"
        )
    known: set[str] = set()
    for number, node in enumerate(_elements(root, "node"), start=1):
        name = node.get("id")
        if name is None or name in known:
            what = "no id" if name is None else f"the id {name!r}, as a node before it"
            raise InputError(f"{source}: node {number} has {what}; every node needs its own")
        known.add(name)
    for number, edge in enumerate(_elements(root, "edge"), start=1):
        for end in ("source", "target"):
            name = edge.get(end)
            if name is None:
                raise InputError(f"{source}: edge {number} has no {end}; an edge needs both ends")
            if name not in known:
                raise InputError(
                    f"{source}: edge {number} has the {end} {name!r}, and no node has this id; add"
                    f" the node or correct the edge"
                )
    return graphs[0]


def _elements(root: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    """Yield the elements of a name, whatever its namespace."""
    return (element for element in root.iter() if str(element.tag).rpartition("}")[2] == tag)


def read_graph(
    graph: nx.Graph, named_by: tuple[str, ...] = _NAMES, *, unique: bool = True
) -> EdgeList:
    """Read a networkx graph.

    Parameters
    ----------
    graph : networkx.Graph
        A graph of any kind.
    named_by : tuple of str, default ("name", "label")
        Node attributes that may have the names of nodes, the best first.
    unique : bool, default True
        Whether to look for one that tells nodes apart, and not to take it as it is.

    Returns
    -------
    EdgeList
    """
    facts: dict[Hashable, dict[str, object]] = {n: dict(data) for n, data in graph.nodes(data=True)}
    called = dict.fromkeys(str(key) for data in facts.values() for key in data)
    named_by = tuple(key for name in named_by for key in called if key.lower() == name)
    given = [name for name in named_by if _is_given(facts, name)]
    usable = [name for name in given if not unique or _tells_apart(facts, name)]
    notes: tuple[str, ...] = ()
    if usable:
        names = {node: clean_name(data.pop(usable[0])) for node, data in facts.items()}
        if any(clean_name(node) != name for node, name in names.items()):
            notes = (f"Nodes are called by their attribute {usable[0]!r}.",)
    else:
        names = {node: clean_name(node) for node in facts}
        if given:
            notes = (f"The attribute {given[0]!r} is not unique: nodes are called by their id.",)
        elif named_by:
            notes = (
                f"The attribute {named_by[0]!r} is not a name of every node: nodes are called by"
                f" their id.",
            )
    edges = list(graph.edges(data=True))
    attributes = dict.fromkeys(name for *_, data in edges for name in data)
    node_table = pd.DataFrame(
        list(facts.values()), index=pd.Index(list(names.values()), dtype=object)
    ).rename(columns={"name": "name_attribute"})
    return EdgeList(
        senders=[names[a] for a, *_ in edges],
        receivers=[names[b] for _, b, _ in edges],
        attributes={clean_name(a): [_value(data.get(a)) for *_, data in edges] for a in attributes},
        kind="edge attribute",
        directed=graph.is_directed(),
        names=list(names.values()),
        node_table=node_table if len(node_table.columns) else None,
        notes=notes,
    )


def _value(value: object) -> object:
    """Return an attribute's value; None for empty text."""
    return None if isinstance(value, str) and not value.strip() else value


def _is_given(facts: dict[Hashable, dict[str, object]], attribute: str) -> bool:
    """Return whether every node has an attribute that can be a name."""
    values = [data.get(attribute) for data in facts.values()]
    return bool(values) and all(isinstance(v, str | int) and clean_name(v) for v in values)


def _tells_apart(facts: dict[Hashable, dict[str, object]], attribute: str) -> bool:
    return len({clean_name(data[attribute]) for data in facts.values()}) == len(facts)
