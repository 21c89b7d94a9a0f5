"""Read a network from a file or from an object in memory.

==========================  =====================================================================
source                      what is read
==========================  =====================================================================
``.npy``, NumPy array       matrix of weights, senders in rows
``.npz``, SciPy sparse      the same, sparse
``.csv``, ``.tsv``          edge list or labelled matrix; UTF-8
``.gml``, ``.graphml``      nodes, edges and attributes, as networkx reads them
pandas data frame           edge list with named columns, or matrix labelled by index and columns
networkx graph              nodes, edges and attributes
==========================  =====================================================================

What graphs and tables must look like is told in `lsm_stan.network.graphs` and
`lsm_stan.network.tables`; policies for parallel edges and the like in `lsm_stan.network.cells`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from lsm_stan.choices import ParallelEdges
from lsm_stan.errors import InputError
from lsm_stan.network.attributes import check_columns
from lsm_stan.network.cells import SparseMatrix, counted
from lsm_stan.network.checks import clean_name
from lsm_stan.network.datasets import load_celegans
from lsm_stan.network.graphs import read_gml, read_graph, read_graphml
from lsm_stan.network.network import Network
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.network.tables import (
    DELIMITERS,
    index_by_ends,
    index_by_name,
    read_columns,
    read_frame,
    read_table,
)

Source: TypeAlias = str | Path | pd.DataFrame | NDArray[Any] | SparseMatrix | nx.Graph
Table: TypeAlias = str | Path | pd.DataFrame


def open_network(
    source: Source,
    *,
    directed: bool | None = None,
    parallel_edges: ParallelEdges | None = None,
    nodes: Table | None = None,
    hidden: str | Path | None = None,
    dyads: Table | None = None,
    title: str | None = None,
) -> Network:
    """Open a network by the name of a packaged one, or read it.

    Parameters
    ----------
    source : str, Path, DataFrame, ndarray, SciPy sparse array or networkx graph
        ``"celegans"`` for the packaged *C. elegans* network, or what `read_network` reads.
    directed : bool, optional
        As in `read_network`. A packaged network is directed.
    parallel_edges : {"sum", "first"}, optional
        As in `read_network`. Default: what `load_celegans` and `read_network` take by default.
    nodes : str, Path or DataFrame, optional
        As in `read_network`. A packaged network brings its own node table.
    hidden : str or Path, optional
        As in `read_network`.
    dyads : str, Path or DataFrame, optional
        As in `read_network`.
    title : str, optional
        As in `read_network`.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        As `read_network` does, and if `directed` or `nodes` contradict a packaged network.
    """
    if isinstance(source, str) and source == "celegans":
        network = _packaged(directed, parallel_edges, nodes, title)
    else:
        network = read_network(
            source,
            directed=directed,
            parallel_edges=parallel_edges or "sum",
            nodes=nodes,
            title=title,
        )
    return _completed(network, hidden, dyads)


def _packaged(
    directed: bool | None,
    parallel_edges: ParallelEdges | None,
    nodes: Table | None,
    title: str | None,
) -> Network:
    """Load the packaged network, as `open_network` was told."""
    if directed is False or nodes is not None:
        raise InputError(
            "celegans: the packaged network is directed and has its own node table; "
            "it takes neither directed=False nor nodes"
        )
    network = load_celegans(parallel_edges or "first")
    return network if title is None else replace(network, title=title)


def read_network(
    source: Source,
    *,
    directed: bool | None = None,
    parallel_edges: ParallelEdges = "sum",
    nodes: Table | None = None,
    hidden: str | Path | None = None,
    dyads: Table | None = None,
    title: str | None = None,
) -> Network:
    """Read a network from a file or an object, of any kind named at the top of this module.

    Parameters
    ----------
    source : str, Path, DataFrame, ndarray, SciPy sparse array or networkx graph
        Path of a file, or an object that holds the network.
    directed : bool, optional
        Whether the network is directed. Default: what a graph says about itself; else True. An
        undirected graph read as directed has each edge in both directions.
    parallel_edges : {"sum", "first"}, default "sum"
        Weight of a pair that is listed more than once.
    nodes : str, Path or DataFrame, optional
        Table (a file is ``.csv`` or ``.tsv``) with a header and one row per node, which fixes
        the order of the nodes and may add isolated ones. Node names are in the column ``name``,
        else in a data frame's named index, else in the first column. It replaces the node
        attributes of a graph.
    hidden : str or Path, optional
        A list of dyads that were not observed, as `hide_listed` reads it.
    dyads : str, Path or DataFrame, optional
        A table of facts about dyads, as `with_dyads` reads it.
    title : str, optional
        What to call the network in print. Default: a file's name without its suffix.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        If the source cannot be read, is of no known kind, or does not hold a valid network.

    Examples
    --------
    >>> import pandas as pd
    >>> from lsm_stan import read_network
    >>> edges = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "weight": [2, 5]})
    >>> network = read_network(edges)
    >>> network.names
    ('a', 'b', 'c')
    >>> print(network.weight)
    [2 5]
    """
    if isinstance(source, str | Path):
        path = Path(source)
        content, where, default_title = _read_file(path), str(path), path.stem
    else:
        content, where = _read_object(source)
        default_title = ""
    network = content.build(
        directed=directed,
        parallel_edges=parallel_edges,
        nodes=None if nodes is None else _read_facts(nodes, index_by_name, "node table")[0],
        title=default_title if title is None else title,
        source=where,
    )
    return _completed(network, hidden, dyads)


def _completed(network: Network, hidden: str | Path | None, dyads: Table | None) -> Network:
    """Return a network with the dyads that are listed hidden, and with its dyad table."""
    if hidden is not None:
        network = hide_listed(network, hidden)
    return network if dyads is None else with_dyads(network, dyads)


def hide_listed(network: Network, path: str | Path) -> Network:
    """Hide the dyads that a file lists.

    Parameters
    ----------
    network : Network
        Any network.
    path : str or Path
        An edge list, ``.csv`` or ``.tsv``; weights are not used.

    Returns
    -------
    Network
        The network as :meth:`lsm_stan.network.network.Network.hide` returns it; its notes say how
        many dyads are hidden.

    Raises
    ------
    InputError
        If the file cannot be read, or names a node that the network has not.
    """
    path = Path(path)
    listed = _read_file(path)
    if not isinstance(listed, EdgeList):
        raise InputError(f"{path}: a list of dyads is needed, with columns source and target")
    index = {name: i for i, name in enumerate(network.names)}
    ends = []
    for names in (listed.senders, listed.receivers):
        unknown = next((name for name in names if clean_name(name) not in index), None)
        if unknown is not None:
            raise InputError(f"{path}: there is no node {unknown!r} in the network")
        ends.append([index[clean_name(name)] for name in names])
    hidden = network.hide(*ends)
    number = counted(hidden.n_hidden - network.n_hidden, "dyad")
    note = f"{path.name}: {number} not observed."
    return replace(hidden, notes=(*network.notes, note))


def with_dyads(network: Network, dyads: Table) -> Network:
    """Give a network a table of facts about its dyads.

    Parameters
    ----------
    network : Network
        Any network.
    dyads : str, Path or DataFrame
        A table (a file is ``.csv`` or ``.tsv``) with a header and a row per dyad, in columns such
        as ``source`` and ``target``, or in a data frame's index of two levels, then the facts. It
        replaces the table that the network had.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        If the table cannot be read or has no facts, a row is no dyad of the network, or a dyad
        has two rows.
    """
    table, where = _read_facts(dyads, index_by_ends, "table of dyads")
    try:
        return replace(network, dyad_table=table)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _read_object(source: object) -> tuple[Matrix | EdgeList, str]:
    """Read a source in memory; return what it says and what to call it in messages."""
    if isinstance(source, pd.DataFrame):
        return read_frame(source), "data frame"
    if isinstance(source, np.ndarray):
        return Matrix(source), "NumPy array"
    if isinstance(source, SparseMatrix):
        return Matrix(source), "SciPy sparse array"
    if isinstance(source, nx.Graph):
        return read_graph(source), "networkx graph"
    raise InputError(
        f"a network cannot be read from an object of type {type(source).__name__}; give the path "
        f"of a file, a pandas data frame, a NumPy or SciPy sparse array, or a networkx graph"
    )


def _read_facts(
    source: Table, index: Callable[[pd.DataFrame, str], pd.DataFrame], what: str
) -> tuple[pd.DataFrame, str]:
    """Read a table of facts about nodes or dyads, indexed by them, and what to call it."""
    if isinstance(source, pd.DataFrame):
        table, where = source, what
    else:
        path = Path(source)
        if path.suffix.lower() not in DELIMITERS:
            raise InputError(
                f"{path}: the suffix {path.suffix!r} is not that of a {what}; "
                f"{', '.join(DELIMITERS)} can be read"
            )
        with _readable(path):
            table, where = read_columns(path), str(path)
    check_columns([clean_name(name) for name in table.columns], where)
    return index(table, where), where


def _read_file(path: Path) -> Matrix | EdgeList:
    """Read a file by its suffix."""
    read = _FILE_READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(
            f"{path}: the suffix {path.suffix!r} is not that of a network file; "
            f"{', '.join(_FILE_READERS)} can be read"
        )
    with _readable(path):
        return read(path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong in reading a file into one sentence."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    # Parsers of foreign formats fail in as many ways as files can be corrupt.
    except Exception as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a {path.suffix} file ({what})") from error


def _read_npy(path: Path) -> Matrix:
    cells = np.load(path, allow_pickle=False)
    if not isinstance(cells, np.ndarray):
        raise InputError(f"{path}: holds an archive of arrays; a .npy file holds one matrix")
    return Matrix(cells)


def _read_npz(path: Path) -> Matrix:
    cells: Any = sparse.load_npz(path)
    return Matrix(cells)


_FILE_READERS: dict[str, Callable[[Path], Matrix | EdgeList]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": read_table,
    ".tsv": read_table,
    ".gml": read_gml,
    ".graphml": read_graphml,
}
