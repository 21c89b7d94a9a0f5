"""What a fit says about the nodes, as a file for other programs."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.files import write_whole
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.network.text_files import write_table
from lsm_stan.report.nodes import node_table
from lsm_stan.temporary import partial_folder

#: What XML 1.0 cannot hold, not even escaped.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

#: Names of node attributes that GEXF, as networkx writes it, keeps for itself.
_OF_GEXF = ("id", "label", "viz", "pid", "parents", "start", "end", "slices", "spells")


def export(fit: Fit, file: str | Path) -> Path:
    """Write what a fit says about the nodes for other programs.

    Parameters
    ----------
    fit : Fit
        A fit by any method.
    file : str or pathlib.Path
        ``.csv``: the table of :func:`lsm_stan.report.nodes.node_table`. ``.graphml`` or ``.gexf``:
        the network, its weights the edges' ``weight``, the columns of that table attributes of
        its nodes; in GEXF the first three coordinates are also where Gephi draws a node. What is
        missing of a node is left out. The file appears when it is whole.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If `fit` is none, the file has another suffix, or text is not fit for XML.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lsm_stan import Fit, export
    >>> export(Fit.load("fits/nuts"), Path("nodes.csv"))  # doctest: +SKIP
    PosixPath('nodes.csv')
    """
    ensure_fits(fit)
    path = Path(file)
    writer = ensure_export(path)
    if writer is None:
        with partial_folder(path) as folder:
            write_table(node_table(fit), folder / path.name)
            (folder / path.name).replace(path)
        return path
    content = BytesIO()
    writer(_graph(fit, path), content)
    write_whole(path, content.getvalue())
    return path


def ensure_export(file: Path) -> Callable[[nx.Graph, BytesIO], None] | None:
    """Return what writes a graph file of that name.

    Parameters
    ----------
    file : pathlib.Path
        A file to be written.

    Returns
    -------
    callable or None
        None where the file is a table.

    Raises
    ------
    InputError
        If the name ends in none of those that are known.
    """
    known: dict[str, Callable[[nx.Graph, BytesIO], None] | None] = {
        ".csv": None,
        ".graphml": nx.write_graphml,
        ".gexf": nx.write_gexf,
    }
    if file.suffix not in known or file.is_dir():
        raise InputError(
            f"{file}: a name is needed that ends in .csv (a table of nodes), .graphml or .gexf"
            " (a graph)"
        )
    return known[file.suffix]


def _graph(fit: Fit, path: Path) -> nx.Graph:
    """Return the network with what the fit says of its nodes."""
    network = fit.network
    table = node_table(fit).set_index("name").loc[list(network.names)]
    graph = nx.DiGraph() if network.directed else nx.Graph()
    if path.suffix == ".gexf":
        table = table.rename(columns={name: f"{name} (node table)" for name in _OF_GEXF})
    for name, row in zip(network.names, table.to_dict("records"), strict=True):
        told = {str(column): _plain(value) for column, value in row.items() if not _missing(value)}
        strange = next((t for t in (name, *told, *told.values()) if _is_strange(t)), None)
        if strange is not None:
            raise InputError(
                f"{path}: node {name!r}: {strange!r} holds a character that XML has not; write a"
                " .csv, or rename it"
            )
        graph.add_node(name, **told)
    if path.suffix == ".gexf":
        for name, place in zip(network.names, _where_drawn(table), strict=True):
            graph.nodes[name]["viz"] = {"position": dict(zip("xyz", place, strict=True))}
    for i, j, weight in zip(network.sender, network.receiver, network.weight, strict=True):
        graph.add_edge(network.names[i], network.names[j], weight=int(weight))
    return graph


def _where_drawn(table: pd.DataFrame) -> list[list[float]]:
    axes = [name for name in ("axis1", "axis2", "axis3") if name in table]
    flat = np.zeros((len(table), 3))
    flat[:, : len(axes)] = table[axes]
    return [[float(value) for value in place] for place in flat]


def _missing(value: Any) -> bool:
    return bool(pd.isna(value))


def _plain(value: Any) -> Any:
    """Return a value as Python's own bool, int, float or text."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float) else str(value)


def _is_strange(value: Any) -> bool:
    return isinstance(value, str) and _NO_XML.search(value) is not None
