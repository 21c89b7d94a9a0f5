"""Read a network from a file or from an object in memory.

==========================  =====================================================================
source                      what is read
==========================  =====================================================================
``.npy``, NumPy array       matrix of weights, senders in rows
``.npz``, SciPy sparse      the same, sparse
``.mtx``                    the same, Matrix Market; a symmetric one is undirected
``.csv``, ``.tsv``,         edge list or labelled matrix; also ``.txt``, ``.edges``, ``.edgelist``,
``.txt``, KONECT's ``out.`` ``.dat``, ``.ncol``, ``.tab``
``.gml``, ``.graphml``,     nodes, edges and attributes, as networkx reads them
``.gexf``
``.net``, ``.paj``          Pajek's vertices, arcs and edges
pandas data frame           edge list with named columns, or matrix labelled by index and columns
networkx graph              nodes, edges and attributes
==========================  =====================================================================

Files may be compressed: ``edges.csv.gz``, ``.bz2`` or ``.xz``. What the user may say about a source
is a value, `lsm_stan.network.reading.Reading`. What graphs, tables and text must look like is told
in `lsm_stan.network.graphs`, `lsm_stan.network.tables` and `lsm_stan.network.text_files`; which
columns are weights in `lsm_stan.network.edge_columns`; policies for parallel edges and the like in
`lsm_stan.network.cells`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan.choices import ParallelEdges
from lsm_stan.errors import InputError
from lsm_stan.network.arrays import checked_sparse
from lsm_stan.network.attributes import check_columns
from lsm_stan.network.cells import SparseMatrix, counted
from lsm_stan.network.checks import clean_name, look_alike
from lsm_stan.network.dyads import DYAD_ENDS
from lsm_stan.network.fact_tables import index_by_ends, index_by_name, read_columns
from lsm_stan.network.formats import NO_MEMORY, read_file, readable
from lsm_stan.network.frames import read_frame
from lsm_stan.network.graphs import read_graph
from lsm_stan.network.headers import find_ends
from lsm_stan.network.network import Network
from lsm_stan.network.packaged import is_packaged, packaged_network
from lsm_stan.network.reading import OF_LAYERS, Reading
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.network.text_files import TABLES, inner_suffix, read_rows, refuse_marked
from lsm_stan.network.two_sets import hide_within_sets, in_two_sets
from lsm_stan.progress import doing

Source: TypeAlias = str | Path | pd.DataFrame | NDArray[Any] | SparseMatrix | nx.Graph
Table: TypeAlias = str | Path | pd.DataFrame

#: As said of nothing else.
AS_IT_SAYS = Reading()

#: How the note on a table of dyads begins.
_OF_DYADS = "Table of dyads:"


def open_network(data: Source, how: Reading = AS_IT_SAYS) -> Network:
    """Open a network by the name of a packaged one, or read it.

    Parameters
    ----------
    data : str, Path, DataFrame, ndarray, SciPy sparse array or networkx graph
        A name of :data:`lsm_stan.network.packaged.NETWORKS`, or what `read_network` reads.
    how : Reading, default Reading()
        How to read it. A packaged network is directed and brings its own node table.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        If the source cannot be read, is of no known kind, or does not hold a valid network; if
        `how` contradicts a packaged network.
    """
    doing(f"reading {data if isinstance(data, str | Path) else 'the network'}")
    if is_packaged(data):
        where, network = data, packaged_network(data, how)
    else:
        where, network = _read(data, how)
    network = replace(network, notes=(*network.notes, *look_alike(network.names)))
    network = hide_within_sets(network, where)
    if how.binary:
        network = network.binary()
    if how.hidden is not None:
        network = hide_listed(network, how.hidden)
    return network if how.dyads is None else with_dyads(network, how.dyads)


def ensure_network(value: object) -> None:
    """Refuse what is no network yet, such as a graph or a table.

    Parameters
    ----------
    value : object
        What is given for a network.

    Raises
    ------
    InputError
        If it is not a `Network`.
    """
    if not isinstance(value, Network):
        raise InputError(
            f"the network is an object of type {type(value).__name__}; a Network is needed, which"
            f" lsm_stan.read_network makes of graphs, data frames, arrays and files"
        )


def _read(data: Source, how: Reading) -> tuple[str, Network]:
    """Read a source; return what to call it in messages, and its network."""
    how.refuse(OF_LAYERS, str(data), "one network is needed; fit, info, plan and run take layers")
    content, where, title = read_content(data, how)
    nodes = how.nodes
    table = None if nodes is None else read_nodes(nodes, content)
    if how.bipartite:
        content, table = in_two_sets(content, table, where)
        how = replace(how, directed=False)
    try:
        network = content.build(
            how,
            nodes=table,
            title=title if how.title is None else how.title,
            source=where,
        )
    except MemoryError as error:
        raise InputError(f"{where}: {NO_MEMORY}") from error
    return where, network


def read_content(data: Source, how: Reading) -> tuple[Matrix | EdgeList, str, str]:
    """Read what a source says, before it is a network.

    Parameters
    ----------
    data : str, Path, DataFrame, ndarray, SciPy sparse array or networkx graph
        What :func:`read_network` reads.
    how : Reading
        What the user says.

    Returns
    -------
    content : Matrix or EdgeList
        What it says.
    where : str
        What to call it in messages.
    title : str
        A file's name without its suffix.
    """
    if isinstance(data, str | Path):
        path = Path(data)
        return read_file(path, how), str(path), _stem(path)
    return *_read_object(data, how), ""


def _stem(path: Path) -> str:
    """Return a file's name without its suffix, nor that of compression."""
    name = Path(path.name)
    suffix = inner_suffix(name)
    while name.suffix and name.suffix.lower() != suffix and inner_suffix(name) == suffix:
        if name.name.startswith("out."):
            return name.name.removeprefix("out.")
        name = Path(name.stem)
    return name.stem


def read_network(
    data: Source,
    *,
    directed: bool | None = None,
    parallel_edges: ParallelEdges | None = None,
    header: bool | None = None,
    source: str | None = None,
    target: str | None = None,
    weight: str | None = None,
    where: Sequence[str] = (),
    binary: bool = False,
    bipartite: bool = False,
    nodes: Table | None = None,
    hidden: str | Path | None = None,
    dyads: Table | None = None,
    title: str | None = None,
) -> Network:
    """Read a network from a file or an object, of any kind named at the top of this module.

    Parameters
    ----------
    data : str, Path, DataFrame, ndarray, SciPy sparse array or networkx graph
        Path of a file, or an object that holds the network.
    directed : bool, optional
        Whether the network is directed. Default: what a source says about itself; else True. An
        undirected graph read as directed has each edge in both directions.
    parallel_edges : {"sum", "first"}, optional
        Weight of a pair that is listed more than once. Default: the sum.
    header : bool, optional
        Whether the first row of a text file has the names of its columns. Default: as it looks.
    source, target : str, optional
        Columns of an edge list that have the ends of edges; by number where there is no header.
        Default: by their usual names.
    weight : str, optional
        Column of the weights, or edge attribute of a graph; ``"none"``: each row counts 1.
        Default: by its usual names.
    where : sequence of str, default ()
        ``COLUMN=VALUE``: rows of an edge list, or edges of a graph, to keep, by any of the values
        of a column and by all columns.
    binary : bool, default False
        Whether every weight above 0 becomes 1.
    bipartite : bool, default False
        Whether the network is of two sets, such as plants and pollinators: of an edge list senders
        and receivers, of a matrix rows and columns. It is undirected then, and the dyads within a
        set are hidden.
    nodes : str, Path or DataFrame, optional
        Table (a file of text) with a header and one row per node, which fixes the order of the
        nodes and may add isolated ones. Node names are in the column ``name``, else in a data
        frame's named index, else in the first column. It replaces the node attributes of a graph.
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
        If the data cannot be read, is of no known kind, does not hold a valid network, or may be
        understood in more than one way.

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
    how = Reading(
        directed=directed,
        parallel_edges=parallel_edges,
        header=header,
        source=source,
        target=target,
        weight=weight,
        where=tuple(where) if not isinstance(where, str) else (where,),
        binary=binary,
        bipartite=bipartite,
        nodes=nodes,
        hidden=hidden,
        dyads=dyads,
        title=title,
    )
    return open_network(Path(data) if isinstance(data, str) else data, how)


def hide_listed(network: Network, path: str | Path) -> Network:
    """Hide the dyads that a file lists.

    Parameters
    ----------
    network : Network
        Any network.
    path : str or Path
        An edge list; weights are not used.

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
    index = {name: i for i, name in enumerate(network.names)}
    ends = []
    for names in _listed_dyads(path, index):
        unknown = next((name for name in names if clean_name(name) not in index), None)
        if unknown is not None:
            raise InputError(f"{path}: there is no node {unknown!r} in the network")
        ends.append([index[clean_name(name)] for name in names])
    hidden = network.hide(*ends)
    number = counted(hidden.n_hidden - network.n_hidden, "dyad")
    note = f"{path.name}: {number} not observed."
    return replace(hidden, notes=(*network.notes, note))


def _listed_dyads(path: Path, nodes: Container[str]) -> tuple[Sequence[object], Sequence[object]]:
    """Return the ends of the dyads that a file lists; nodes in its first row are no header."""
    wanted = f"{path}: a list of dyads is needed, with columns source and target"
    if inner_suffix(path) not in TABLES:
        listed = read_file(path, AS_IT_SAYS)
        if not isinstance(listed, EdgeList):
            raise InputError(wanted)
        return listed.senders, listed.receivers
    with readable(path):
        table = read_rows(path)
    refuse_marked([row for row in table.below if row[0] in nodes], str(path))
    header, rows = (table.header, table.rows) if table.header else (table.rows[0], table.rows[1:])
    ends = find_ends(header, AS_IT_SAYS, str(path))
    certain = table.header is not None or header[:2] == list(DYAD_ENDS)
    if not certain and len(header) > 1 and all(clean_name(cell) in nodes for cell in header[:2]):
        ends, rows = (0, 1), table.rows
    if ends is None:
        raise InputError(wanted)
    return [row[ends[0]] for row in rows], [row[ends[1]] for row in rows]


def with_dyads(network: Network, dyads: Table) -> Network:
    """Give a network a table of facts about its dyads.

    Parameters
    ----------
    network : Network
        Any network.
    dyads : str, Path or DataFrame
        A table (a file of text) with a header and a row per dyad, in columns such as ``source``
        and ``target``, or in a data frame's index of two levels, then the facts; or a labelled
        matrix of one fact. It replaces the table that the network had. In an undirected network
        both directions of a pair may be there, with the same values.

    Returns
    -------
    Network
        Its notes say how many dyads have no row.

    Raises
    ------
    InputError
        If the table cannot be read or has no facts, a row is no dyad of the network, or a dyad
        has two rows.
    """
    table, where = _read_facts(dyads, index_by_ends, "table of dyads")
    try:
        network = replace(network, dyad_table=table)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    n_dyads = network.n_observed + network.n_hidden
    lacking = n_dyads - len(network.dyad_frame())
    kept = tuple(note for note in network.notes if not note.startswith(_OF_DYADS))
    if lacking:
        note = (
            f"{_OF_DYADS} {lacking:,} of {counted(n_dyads, 'dyad')} have no row; their covariates"
            f" are 0."
        )
        kept = (*kept, note)
    return replace(network, notes=kept)


def _read_object(source: object, how: Reading) -> tuple[Matrix | EdgeList, str]:
    """Read a source in memory; return what it says and what to call it in messages."""
    if isinstance(source, pd.DataFrame):
        return read_frame(source, how), "data frame"
    if isinstance(source, np.ndarray):
        return Matrix(source), "NumPy array"
    if isinstance(source, SparseMatrix):
        return Matrix(checked_sparse(source, "SciPy sparse array")), "SciPy sparse array"
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
        if inner_suffix(path) not in TABLES:
            raise InputError(
                f"{path}: the suffix {path.suffix!r} is not that of a {what}; "
                f"{', '.join(TABLES)} can be read"
            )
        with readable(path):
            table, where = read_columns(path), str(path)
    check_columns([clean_name(name) for name in table.columns], where)
    return index(table, where), where


def read_nodes(nodes: Table, content: Matrix | EdgeList) -> pd.DataFrame:
    """Read a node table, whose header must not be a node of the network.

    Parameters
    ----------
    nodes : str, Path or DataFrame
        The table.
    content : Matrix or EdgeList
        What the network's source says.

    Returns
    -------
    DataFrame
        Indexed by node name.

    Raises
    ------
    InputError
        If it cannot be read, or its header may be a node.
    """
    table, where = _read_facts(nodes, index_by_name, "node table")
    first = clean_name(table.index.name)
    names = content.names or []
    if isinstance(content, EdgeList) and not names:
        names = [clean_name(name) for name in (*content.senders, *content.receivers)]
    if first not in table.index and first in names:
        raise InputError(
            f"{where}: its first row begins with the node {first!r}; a header is needed above,"
            f" such as name"
        )
    return table
