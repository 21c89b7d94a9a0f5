"""Pajek's ``.net`` files: vertices, then arcs (directed) and edges (undirected), or a matrix.

networkx reads them too, but takes lists of arcs for arcs, merges vertices of one label, and makes
up those that are not there.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.checks import check_size
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.network.text_files import text_of

_SECTION = re.compile(r"\*\s*(\w+)\s*(.*)")
_OF_EDGES = ("arcs", "edges", "arcslist", "edgeslist")


def read_pajek(path: Path) -> EdgeList | Matrix:
    """Read a ``.net`` file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    EdgeList or Matrix

    Raises
    ------
    InputError
        If it has no vertices or a section of another kind, or an edge has unknown ends.
    """
    sections = _sections(path)
    if not sections or sections[0][0] != "vertices":
        raise InputError(
            f"{path}: a Pajek file begins with *Vertices and their number, such as *Vertices 34"
        )
    names, first_set = _vertices(path, sections[0])
    facts = None
    if first_set is not None:
        sets = [0] * first_set + [1] * (len(names) - first_set)
        facts = pd.DataFrame({"bipartite": sets}, index=pd.Index(names, dtype=object))
    both: dict[bool, list[tuple[str, str, str | None, str]]] = {True: [], False: []}
    has_arcs = any(kind.startswith("arcs") for kind, *_ in sections)
    has_edges = any(kind.startswith("edges") for kind, *_ in sections)
    for kind, rest, lines in sections[1:]:
        if kind == "matrix":
            cells = [line.split() for _, line in lines]
            if any(len(row) != len(names) for row in cells) or len(cells) != len(names):
                raise InputError(
                    f"{path}: *Matrix has not {len(names)} rows of {len(names)} cells, one for each"
                    f" vertex"
                )
            return Matrix(np.array(cells, dtype=object), names)
        if kind not in _OF_EDGES:
            raise InputError(
                f"{path}: *{kind.capitalize()} is not a section that can be read; there are"
                f" *Vertices, *Arcs, *Edges, *Arcslist, *Edgeslist and *Matrix"
            )
        for number, line in lines:
            both[kind.startswith("arcs")] += _edges(path, number, line, kind, names, rest)
    directed = bool(both[True]) or not (both[False] or (has_edges and not has_arcs))
    return _edge_list(both, directed, names, facts)


def _sections(path: Path) -> list[tuple[str, str, list[tuple[int, str]]]]:
    """Return kind, rest of the head line, and numbered lines of each section."""
    sections: list[tuple[str, str, list[tuple[int, str]]]] = []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        head = _SECTION.fullmatch(line)
        if head and head[1].lower() == "network":
            continue
        if head:
            sections.append((head[1].lower(), head[2], []))
        elif not sections:
            raise InputError(f"{path}: line {number} is before *Vertices: {line[:40]!r}")
        else:
            sections[-1][2].append((number, line))
    return sections


def _vertices(
    path: Path, section: tuple[str, str, list[tuple[int, str]]]
) -> tuple[list[str], int | None]:
    """Return the vertices' names, and how many are in the first of two sets."""
    _, rest, lines = section
    counts = [int(word[:20]) for word in rest.split()[:2] if word.isascii() and word.isdigit()]
    if not counts:
        raise InputError(f"{path}: *Vertices {rest}: the number of vertices is needed")
    check_size(counts[0], str(path))
    names = [str(k) for k in range(1, counts[0] + 1)]
    for number, line in lines:
        cells = _split(path, number, line)
        if not cells[0].isdigit() or not 1 <= int(cells[0]) <= len(names):
            raise InputError(
                f"{path}: line {number} has the vertex {cells[0]}; numbers from 1 to {len(names)}"
                f" are needed"
            )
        if len(cells) > 1:
            names[int(cells[0]) - 1] = cells[1]
    first = counts[1] if len(counts) > 1 and 0 < counts[1] < counts[0] else None
    return names, first


def _split(path: Path, number: int, line: str) -> list[str]:
    try:
        return shlex.split(line) or [""]
    except ValueError as error:
        raise InputError(f"{path}: line {number} cannot be read ({error})") from error


def _edges(
    path: Path, number: int, line: str, kind: str, names: list[str], relation: str
) -> list[tuple[str, str, str | None, str]]:
    """Return sender, receiver, weight and relation of the edges of a line."""
    cells = _split(path, number, line)
    ends = cells if kind.endswith("list") else cells[:2]
    for end in ends:
        if not end.isdigit() or not 1 <= int(end) <= len(names):
            raise InputError(
                f"{path}: line {number} names the vertex {end!r}; there are 1 to {len(names)}"
            )
    if len(ends) < 2:
        raise InputError(f"{path}: line {number} has one vertex; an edge has two")
    first, *others = (names[int(end) - 1] for end in ends)
    weight = cells[2] if len(cells) > 2 and not kind.endswith("list") else None
    return [(first, other, weight, relation.strip()) for other in others]


def _edge_list(
    both: dict[bool, list[tuple[str, str, str | None, str]]],
    directed: bool,
    names: list[str],
    facts: pd.DataFrame | None,
) -> EdgeList:
    """Put arcs and edges together; beside arcs an edge goes in both directions."""
    notes: tuple[str, ...] = ()
    edges = both[True] or both[False]
    if both[True] and both[False]:
        back = [(b, a, *rest) for a, b, *rest in both[False] if a != b]
        edges = [*both[True], *both[False], *back]  # type: ignore[list-item]
        notes = ("Arcs and edges: edges go in both directions.",)
    attributes: dict[str, list[object]] = {}
    if any(weight is not None for *_, weight, _ in edges):
        attributes["weight"] = [weight for *_, weight, _ in edges]
    if len({relation for *_, relation in edges}) > 1:
        attributes["relation"] = [relation for *_, relation in edges]
    return EdgeList(
        senders=[a for a, *_ in edges],
        receivers=[b for _, b, *_ in edges],
        attributes=attributes,
        kind="edge attribute",
        directed=directed,
        names=names,
        node_table=facts,
        notes=notes,
    )
