"""Read layers: an edge list with a column of layers, a folder of files, or objects in memory.

==================================  ============================================================
source                              what is a layer
==================================  ============================================================
edge list, and ``layer``            the rows of one value of the column
edge list, and ``time``             the same; its values are numbers, the layers' times
folder                              a file, called by its name without suffix
mapping or sequence                 what :func:`lsm_stan.network.readers.read_network` reads
NumPy array of shape ``(L, N, N)``  a matrix; a node whose cells in it are all NaN is absent
==================================  ============================================================

Matrices with labels and graphs list their nodes: who is missing there is absent from the layer. An
edge list names nodes by their edges only: all nodes are present in all of its layers, unless a
table of absent nodes says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.cells import counted
from lsm_stan.network.checks import clean_name
from lsm_stan.network.formats import NO_MEMORY
from lsm_stan.network.headers import named_column
from lsm_stan.network.layer_tables import (
    hide_in_layers,
    layer_label,
    layers_with_dyads,
    natural,
    number_of,
    read_absent,
    read_layer_list,
    times_of,
)
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.network.packaged import LAYERS, is_packaged, packaged_layers
from lsm_stan.network.readers import (
    Source,
    Table,
    open_network,
    read_content,
    read_nodes,
)
from lsm_stan.network.reading import OF_LAYERS, Reading
from lsm_stan.network.sources import EdgeList, Matrix

#: What layers are read from besides the sources of a network.
LayerSource = Source | Mapping[str, Any] | Sequence[Any]

#: Files of a folder that are none of its layers.
_NOT_LAYERS = re.compile(r"readme|licen[cs]e|\.", re.IGNORECASE)


@dataclass(frozen=True)
class _Part:
    """One layer before it is a network."""

    label: str
    content: Matrix | EdgeList | Network
    where: str


def has_layers(data: object, how: Reading) -> bool:
    """Return whether a source is of layers.

    Parameters
    ----------
    data : object
        The source.
    how : Reading
        What the user says.

    Returns
    -------
    bool
    """
    if any(getattr(how, name) is not None for name in OF_LAYERS):
        return True
    if is_packaged(data):
        return data in LAYERS
    if isinstance(data, str | Path):
        return Path(data).is_dir()
    if isinstance(data, np.ndarray):
        return data.ndim == 3
    return isinstance(data, Mapping | list | tuple)


def open_source(data: LayerSource, how: Reading) -> Network | Layers:
    """Open a network, or layers, whatever the source is of.

    Parameters
    ----------
    data : LayerSource
        What :func:`open_layers` or :func:`lsm_stan.network.readers.open_network` reads.
    how : Reading
        How to read it.

    Returns
    -------
    Network or Layers

    Raises
    ------
    InputError
        If the source cannot be read.
    """
    if has_layers(data, how):
        return open_layers(data, how)
    return open_network(data, how)


def read_layers(
    data: LayerSource,
    *,
    layer: str | None = None,
    time: str | None = None,
    layer_list: str | Path | None = None,
    absent: str | Path | None = None,
    directed: bool | None = None,
    weight: str | None = None,
    binary: bool = False,
    nodes: Table | None = None,
    hidden: str | Path | None = None,
    dyads: Table | None = None,
    title: str | None = None,
) -> Layers:
    """Read layers from a file, a folder or objects, as the top of this module says.

    Parameters
    ----------
    data : LayerSource
        An edge list (file or data frame), a folder, a mapping of labels to networks or what they
        are read from, a sequence of such, or an array of shape ``(L, N, N)``.
    layer : str, optional
        Column of an edge list that says which layer an edge is of.
    time : str, optional
        Column of an edge list with the times of layers; without `layer` it tells them apart.
    layer_list : str or Path, optional
        Table of layers in their order: columns ``layer`` and, if wanted, ``time``.
    absent : str or Path, optional
        Table of nodes that layers have not: columns ``name`` and ``layer``.
    directed : bool, optional
        Whether the networks are directed. Default: what the source says; else True.
    weight : str, optional
        Column of the weights. Default: by its usual names.
    binary : bool, default False
        Whether every weight above 0 becomes 1.
    nodes : str, Path or DataFrame, optional
        Table of nodes, which fixes their order.
    hidden : str or Path, optional
        A list of dyads that were not observed; with a column ``layer`` in that layer, else in all.
    dyads : str, Path or DataFrame, optional
        Table of facts about dyads, the same in all layers.
    title : str, optional
        What to call them in print. Default: the file's or folder's name.

    Returns
    -------
    Layers

    Raises
    ------
    InputError
        If the data cannot be read, or cannot be layers of one another.

    Examples
    --------
    >>> import pandas as pd
    >>> from lsm_stan import read_layers
    >>> edges = pd.DataFrame({"source": ["a", "a"], "target": ["b", "c"], "age": [1, 50]})
    >>> layers = read_layers(edges, time="age")
    >>> layers.labels, layers.times.tolist(), layers.names
    (('1', '50'), [1.0, 50.0], ('a', 'b', 'c'))
    """
    how = Reading(
        layer=layer,
        time=time,
        layer_list=layer_list,
        absent=absent,
        directed=directed,
        weight=weight,
        binary=binary,
        nodes=nodes,
        hidden=hidden,
        dyads=dyads,
        title=title,
    )
    return open_layers(Path(data) if isinstance(data, str) else data, how)


def open_layers(data: LayerSource, how: Reading) -> Layers:
    """Read layers.

    Parameters
    ----------
    data : LayerSource
        As :func:`read_layers` takes it.
    how : Reading
        How to read it.

    Returns
    -------
    Layers

    Raises
    ------
    InputError
        If the data cannot be read, or cannot be layers of one another.
    """
    layers = packaged_layers(data, how) if is_packaged(data) else _read(data, how)
    if how.hidden is not None:
        layers = hide_in_layers(layers, how.hidden)
    if how.dyads is not None:
        layers = layers_with_dyads(layers, how.dyads)
    return layers.binary() if how.binary else layers


def _read(data: LayerSource, how: Reading) -> Layers:
    """Read layers that are not packaged; all their dyads are observed, and weights as they are."""
    unordered, known_times, title = _parts(data, how)
    parts, times = _in_order(unordered, known_times, how)
    absent = {} if how.absent is None else read_absent(how.absent, [part.label for part in parts])
    contents = [part.content for part in parts]
    table = None
    if how.nodes is not None:
        table = read_nodes(
            how.nodes,
            next((c for c in contents if isinstance(c, EdgeList)), Matrix(np.zeros((0, 0)), [])),
        )
    names = list(dict.fromkeys(_all_names(unordered) if table is None else table.index))
    networks: dict[str, Network] = {}
    isolated = 0
    for part in parts:
        network = _network(part, how, names, table, absent.get(part.label, set()))
        if isinstance(part.content, EdgeList) and part.content.names is None:
            joined = np.union1d(network.sender, network.receiver)
            isolated += network.n_nodes - len(joined)
        networks[part.label] = network
    notes = _notes(networks)
    if isolated and how.absent is None:
        notes.append(
            f"{counted(isolated, 'node')} of a layer (counted in each) without an edge there, taken"
            f" as present with no edges; nodes that were not observed in a layer are listed with"
            f" --absent FILE, columns name and layer."
        )
    return Layers.of(
        networks,
        times=times,
        names=names,
        node_table=table,
        title=title if how.title is None else how.title,
        notes=notes,
    )


def _parts(data: LayerSource, how: Reading) -> tuple[list[_Part], dict[str, float] | None, str]:
    """Return the layers that a source has, the times that it gives them, and its title."""
    how.refuse(("bipartite",), "layers", "layers of two sets cannot be read yet")
    alone = _of_one(how)
    if isinstance(data, str | Path) and Path(data).is_dir():
        folder = Path(data)
        files = sorted(
            (path for path in folder.iterdir() if path.is_file()), key=lambda p: natural(p.name)
        )
        files = [path for path in files if not _NOT_LAYERS.match(path.name)]
        if not files:
            raise InputError(f"{folder}: the folder has no files; one for each layer is needed")
        how.refuse(("layer", "time"), str(folder), "its files are the layers")
        read = [(*read_content(path, alone),) for path in files]
        return [_Part(title, content, where) for content, where, title in read], None, folder.name
    if isinstance(data, Mapping | list | tuple):
        how.refuse(("layer", "time"), "layers", "each object is a layer")
        pairs = data.items() if isinstance(data, Mapping) else enumerate(data, start=1)
        parts = []
        for key, value in pairs:
            label = clean_name(key)
            if isinstance(value, Network):
                parts.append(_Part(label, value, f"layer {label!r}"))
                continue
            content, where, _ = read_content(value, alone)
            parts.append(_Part(label, content, where))
        return parts, None, ""
    if isinstance(data, np.ndarray) and data.ndim == 3:
        return [_matrix_part(k, cells) for k, cells in enumerate(data, start=1)], None, ""
    column = how.layer or how.time
    content, where, title = read_content(data, alone)
    if column is None or not isinstance(content, EdgeList):
        raise InputError(
            f"{where}: layers are read from an edge list with a column of layers (--layer COLUMN),"
            f" from a folder with a file for each, or in Python from a dict of networks"
        )
    return *_split(content, how, where), title


def _of_one(how: Reading) -> Reading:
    """Return how each layer is read."""
    return replace(
        how,
        layer=None,
        time=None,
        layer_list=None,
        absent=None,
        nodes=None,
        hidden=None,
        dyads=None,
    )


def _matrix_part(number: int, cells: Any) -> _Part:
    """Return a layer of an array, without the nodes that are NaN throughout."""
    label = str(number)
    if cells.dtype.kind == "f" and cells.shape[0] == cells.shape[1]:
        none = np.isnan(cells)
        off = ~np.eye(len(cells), dtype=bool)
        there = np.flatnonzero(((~none | ~none.T) & off).any(axis=1))
        names = [str(node) for node in there]
        return _Part(label, Matrix(cells[np.ix_(there, there)], names), f"layer {label}")
    return _Part(label, Matrix(cells, [str(k) for k in range(len(cells))]), f"layer {label}")


def _split(
    content: EdgeList, how: Reading, where: str
) -> tuple[list[_Part], dict[str, float] | None]:
    """Divide an edge list by its column of layers."""
    columns = list(content.attributes)
    name = columns[named_column(str(how.layer or how.time), columns, where, content.kind)]
    of_time = None
    if how.time is not None:
        of_time = columns[named_column(how.time, columns, where, content.kind)]
    rest = {k: v for k, v in content.attributes.items() if k not in (name, of_time)}
    labels = [layer_label(value) for value in content.attributes[name]]
    for row in [k for k, label in enumerate(labels) if not label][:1]:
        raise InputError(f"{where}: edge {row + 1} has nothing in the column {name!r}, its layer")
    times = None
    if of_time is not None:
        times = times_of(labels, content.attributes[of_time], of_time, where)
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    content = replace(content, attributes=rest)
    parts = [_Part(label, content.rows(kept), where) for label, kept in rows.items()]
    return parts, times


def _in_order(
    parts: list[_Part], times: dict[str, float] | None, how: Reading
) -> tuple[list[_Part], list[float] | None]:
    """Put layers in the order of a table, of their times, or of labels that are numbers."""
    labels = [part.label for part in parts]
    again = [label for label in labels if labels.count(label) > 1]
    if again:
        raise InputError(f"two layers are called {again[0]!r}; each needs a name of its own")
    if how.layer_list is not None:
        listed, times = read_layer_list(Path(how.layer_list), times)
        unknown = next((label for label in labels if label not in listed), None)
        if unknown is not None:
            raise InputError(
                f"{how.layer_list}: the layer {unknown!r} is not in the table of layers"
            )
        by_label = {part.label: part for part in parts}
        empty = EdgeList([], [], {})
        ordered = [
            by_label.get(label, _Part(label, empty, str(how.layer_list))) for label in listed
        ]
        return ordered, None if times is None else [times[label] for label in listed]
    numbers = {label: number_of(label) for label in labels}
    if times is None and len(labels) > 1 and None not in numbers.values():
        times = {label: number for label, number in numbers.items() if number is not None}
    if times is None:
        return parts, None
    ordered = sorted(parts, key=lambda part: times[part.label])
    return ordered, [times[part.label] for part in ordered]


def _all_names(parts: Sequence[_Part]) -> list[str]:
    """Return all nodes in the order in which layers first have them."""
    names: list[str] = []
    for part in parts:
        content = part.content
        if isinstance(content, EdgeList) and content.names is None:
            pairs = zip(content.senders, content.receivers, strict=True)
            names += [clean_name(name) for pair in pairs for name in pair]
        elif content.names is not None:
            names += list(map(clean_name, content.names))
        elif isinstance(content, Matrix):
            names += [str(k) for k in range(content.cells.shape[0])]  # type: ignore[union-attr]
    return names


def _network(
    part: _Part, how: Reading, names: Sequence[str], table: pd.DataFrame | None, absent: set[str]
) -> Network:
    """Build the network of one layer, of the nodes that it has."""
    content = part.content
    if isinstance(content, Network):
        return content
    where = f"{part.where}, layer {part.label!r}"
    unknown = sorted(absent.difference(names))
    if unknown:
        raise InputError(f"{how.absent}: there is no node {unknown[0]!r} in the layers")
    there = [name for name in names if name not in absent]
    if isinstance(content, EdgeList) and content.names is None:
        pairs = zip(content.senders, content.receivers, strict=True)
        gone = [name for pair in pairs for name in map(clean_name, pair) if name in absent]
        if gone:
            raise InputError(
                f"{where}: the node {gone[0]!r} has an edge, and {how.absent} says that it is"
                f" absent"
            )
        content = replace(content, names=there)
    elif content.names is not None:
        known = set(map(clean_name, content.names))
        there = [name for name in there if name in known]
    nodes = None if table is None else table.loc[there]
    alone = _of_one(how)
    try:
        network = content.build(alone, nodes=nodes, title=part.label, source=where)
    except MemoryError as error:
        raise InputError(f"{where}: {NO_MEMORY}") from error
    return replace(network, node_table=None)


def _notes(networks: Mapping[str, Network]) -> list[str]:
    """Return what is to be said of all layers once, and of single ones with their labels."""
    each = {label: network.notes for label, network in networks.items()}
    notes: list[str] = []
    for label, of_layer in each.items():
        for note in of_layer:
            shared = all(note in other for other in each.values())
            sentence = note if shared else f"Layer {label}: {note}"
            if sentence not in notes:
                notes.append(sentence)
    return notes
