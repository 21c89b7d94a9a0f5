"""Tables: edge lists and labelled matrices in text files, and in data frames.

A table, in a file or a data frame, is taken for

1. a *labelled matrix* if the names in its first row are those in its first column (in any order)
   and the corner is empty or there are at least four columns; else
2. an *edge list with header* if its first row, or the comment above it, names a sender and a
   receiver column as `lsm_stan.network.headers` knows them, or as the user says (``--source``,
   ``--target``). Which column has the weights is told in `lsm_stan.network.edge_columns`; else
3. an *edge list without header* if it has two columns, sender and receiver, or three, the third
   being the weight (a number or empty), and the first row can be an edge: it has a node that comes
   again, or numbers as the rows below. With ``--no-header`` the columns are called 1, 2, and so on.
   A data frame has no header if pandas has called its columns 0, 1 and so on.

Anything else is refused: what the first row is, the user may say (``--header``, ``--no-header``).
All cells of a file are text until they are weights: a node may be called ``NA`` or ``01``. White
space around a cell is not part of it, and an empty weight of an edge is a missing one, as NaN is in
a data frame.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import MISSING
from lsm_stan.network.cells import TWO_SETS
from lsm_stan.network.checks import clean_name
from lsm_stan.network.headers import (
    are_numbered,
    find_ends,
    first_row,
    is_number,
    is_numbered_alike,
    quoted,
    words,
)
from lsm_stan.network.reading import Reading
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.network.text_files import MARKS, TextTable, read_rows, refuse_marked
from lsm_stan.network.two_sets import incidence_matrix, is_incidence

#: What a first comment of these kinds says of direction: KONECT's, and SNAP's.
_KONECT = re.compile(r"(sym|asym|bip)(\s+\w+|\s*$)")
_SNAP = re.compile(r"(Und|D)irected graph\b", re.IGNORECASE)
#: A number that may have a decimal comma, and one whose commas may be of thousands.
_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)?([eE][+-]?[0-9]+)?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+")
#: A number whose point may be of thousands, and is read as a decimal one.
_POINT = re.compile(r"[+-]?[0-9]{1,3}\.000")
#: What stands on the diagonal of a matrix whose nodes have no weight with themselves.
_BLANK = ("", "-", "–", "—", ".")
#: The columns of KONECT's files, as far as there are.
_OF_KONECT = ("source", "target", "weight", "time")
#: Seconds since 1970 in the years of such data, from 1985 to 2100.
_TIMES = (5e8, 4.1e9)


def read_table(path: Path, how: Reading) -> Matrix | EdgeList:
    """Read a text file by the rules at the top of this module.

    Parameters
    ----------
    path : Path
        The file.
    how : Reading
        What the user says.

    Returns
    -------
    Matrix or EdgeList

    Raises
    ------
    InputError
        If the table is neither a labelled matrix nor an edge list, or may be read in two ways.
    """
    table, source = read_rows(path), str(path)
    directed, notes = _said_by_comments(table, source)
    notes += _left_out(table, source)
    header, rows = _header(table, how, source)
    header = header and [clean_name(name) for name in header]
    if header is None:
        _refuse_rows(table.above, table, source)
        header = [str(k) for k in range(1, len(rows[0]) + 1)]
        named = how.source is not None
        ends = find_ends(header, how, source) if named else (0, 1)
        if ends is None or len(header) < 2:
            raise InputError(f"{source}: {neither(rows[0], len(rows), len(header))}")
        if how.header is None:
            first = ", ".join(rows[0])
            notes += (f"No header was recognised: the first row, {first}, is read as an edge.",)
        times = len(header) == 3 and are_times([row[2] for row in rows])
        if len(header) == 3 and not named and how.weight is None and not times:
            header[2] = "weight"
        return _edge_list(rows, header, ends, directed, notes)
    one_set = how.source is None and not how.bipartite
    matrix = _matrix_of(header, rows) if one_set else None
    if matrix is not None:
        return matrix
    ends = find_ends(header, how, source)
    if ends is None and how.bipartite and is_incidence(header, rows):
        return incidence_matrix([row[0] for row in rows], header[1:], [row[1:] for row in rows])
    if ends is None and how.bipartite and len(header) > 1:
        ends = (0, 1)
    if ends is None:
        raise InputError(f"{source}: {_unknown(header, rows)}")
    return _edge_list(rows, header, ends, directed, notes)


def are_times(cells: Sequence[Any]) -> bool:
    """Return whether a column looks like seconds since 1970, as temporal networks have.

    Parameters
    ----------
    cells : sequence, length L
        Its values.

    Returns
    -------
    bool
    """
    if len(set(cells)) < 2 or not all(is_number(cell) for cell in cells):
        return False
    return all(_TIMES[0] <= float(cell) <= _TIMES[1] for cell in cells)


def _edge_list(
    rows: Sequence[Sequence[str]],
    header: Sequence[str],
    ends: tuple[int, int],
    directed: bool | None,
    notes: tuple[str, ...],
) -> EdgeList:
    """Take ends and attributes from the rows of a file, where an empty cell is a missing one."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in header]
    commas = [k for k, cells in enumerate(columns) if k not in ends and _has_commas(cells)]
    for k in commas:
        columns[k] = _with_points(columns[k])
    if commas:
        notes += (f"Decimal commas are read as points: {', '.join(header[k] for k in commas)}.",)
    for k, cells in enumerate(columns):
        pointed = [cell for cell in cells if "." in cell]
        if k not in ends and pointed and all(map(_POINT.fullmatch, pointed)):
            notes += (
                f"{header[k]}: {pointed[0]} is read as {pointed[0][:-4]}; write thousands without"
                " a point.",
            )
    return EdgeList(
        senders=columns[ends[0]],
        receivers=columns[ends[1]],
        attributes={
            name: [None if cell == "" else cell for cell in column]
            for k, (name, column) in enumerate(zip(header, columns, strict=True))
            if k not in ends
        },
        directed=directed,
        notes=notes,
    )


def _left_out(table: TextTable, source: str) -> tuple[str, ...]:
    """Count the comments among the rows, and refuse one that may be a row."""
    if not table.n_below:
        return ()
    _refuse_rows(table.below, table, source)
    times = Counter(cell for row in table.rows for cell in row)
    refuse_marked([row for row in table.loosely if times[row[0]]], source)
    each = "1 line begins" if table.n_below == 1 else f"{table.n_below:,} lines begin"
    example = f" ({', '.join(table.below[0])})" if table.below else ""
    return (f"{each} with a mark of comments below the first row: not read{example}.",)


def _refuse_rows(comments: Sequence[Sequence[str]], table: TextTable, source: str) -> None:
    """Refuse a comment that may be a row of a node that is called so.

    A row that was commented out names a node of other rows behind its mark, and no other row
    names that with its mark.
    """
    known = {cell for row in table.rows for cell in row}
    times = Counter(row[0] for row in comments)
    for row in comments:
        again = row[0] in known or times[row[0]] > 1
        commented_out = row[0].lstrip(MARKS + "/") in known and not again
        refuse_marked([] if commented_out and len(table.rows) > 1 else [row], source)


def _has_commas(cells: Sequence[str]) -> bool:
    """Return whether cells are numbers of which some have a decimal comma, for certain."""
    given = [cell for cell in cells if cell not in MISSING]
    commas = [cell for cell in given if "," in cell]
    return all(map(_COMMA.fullmatch, given)) and not all(map(_THOUSANDS.fullmatch, commas))


def _with_points(cells: Sequence[str]) -> list[str]:
    return [cell.replace(",", ".") for cell in cells]


def _said_by_comments(table: TextTable, source: str) -> tuple[bool | None, tuple[str, ...]]:
    """Return what the comments of KONECT and SNAP say of direction, and a sentence on that."""
    first = table.comments[0] if table.comments else ""
    konect, snap = _KONECT.match(first), _SNAP.match(first)
    if konect and konect[1] == "bip":
        raise InputError(
            f"{source}: KONECT's file has a network of two sets, whose numbers name different"
            f" nodes; give them different names, and say --bipartite"
        )
    if not (konect or snap):
        return None, ()
    directed = konect[1] == "asym" if konect else str(snap and snap[1]).lower() == "d"
    return directed, (f"The file says that edges are {'' if directed else 'un'}directed.",)


def _header(
    table: TextTable, how: Reading, source: str
) -> tuple[list[str] | None, list[list[str]]]:
    """Return the names of the columns, None if there are none, and the rows of data."""
    first, *rest = table.rows
    if table.comments and _KONECT.match(table.comments[0]):
        if how.header:
            return first, rest
        return list(_OF_KONECT[: len(first)]) if len(first) <= 4 else None, table.rows
    above = table.header
    if above is not None and how.header is not False:
        known = find_ends(above, how, source) is not None or _matrix_columns(above, table.rows)
        if known:
            return above, table.rows
        if not table.loose:
            refuse_marked([[table.mark + above[0], *above[1:]]], source)
        if not how.header and find_ends(first, how, source) is None:
            raise InputError(f"{source}: {_unknown(above, table.rows)}, or say --no-header")
    if how.header is not None:
        return (first, rest) if how.header else (None, table.rows)
    if _matrix_columns(first, rest) is not None:
        return first, rest
    if are_numbered(first) and how.source is None:
        refuse_bare_matrix(rest, source, f"say --source {first[0]} --target {first[1]}")
    if _is_named(first, rest, how, source) or (how.bipartite and is_incidence(first, rest)):
        return first, rest
    refuse_bare_matrix(table.rows, source, "say --no-header")
    if len(first) == 1 or first[0] == "" or len(first) > 3:
        wide = len(first) > 3 and any(is_number(cell) for cell in first)
        advice = (
            "; if it has no header, say --no-header, and --weight 3 for the third column, --source"
            " and --target likewise"
        )
        raise InputError(f"{source}: {_unknown(first, rest)}{advice if wide else ''}")
    kind = first_row(first, rest)
    if kind == "header" and how.bipartite:
        return first, rest
    if kind == "header":
        raise InputError(f"{source}: {_unknown(first, rest)}")
    if kind == "unclear":
        raise InputError(
            f"{source}: the first row, {', '.join(first)}, may be a header or an edge, since no"
            f" row below names its nodes; say --header or --no-header; of a header name the columns"
            f" of both ends, such as --source {quoted(first[0])} --target {quoted(first[1])}"
        )
    return None, table.rows


def _is_named(
    first: Sequence[str], rows: Sequence[Sequence[str]], how: Reading, source: str
) -> bool:
    """Return whether the first row has the names of columns, and no nodes called like these."""
    if how.source is not None and how.target is not None:
        return how.source in first or not (how.source.isdigit() and how.target.isdigit())
    ends = find_ends(first, how, source)
    if ends is None:
        return False
    names = (first[ends[0]], first[ends[1]])
    certain = any(cell and not is_number(cell) for k, cell in enumerate(first) if k not in ends)
    below = () if certain else {row[k] for row in rows for k in ends}
    if any(cell in names or is_numbered_alike(names, cell) for cell in below):
        raise InputError(
            f"{source}: the first row, {', '.join(first)}, may be a header or an edge, since rows"
            f" below have nodes of such names; say --header or --no-header"
        )
    return True


def refuse_bare_matrix(rows: Sequence[Sequence[Any]], source: str, otherwise: str) -> None:
    """Refuse a square table of numbers whose diagonal is 0, or that is too wide for a list.

    Parameters
    ----------
    rows : sequence of sequence
        Its cells.
    source : str
        File name or description, for error messages.
    otherwise : str
        What to do if it is a list of edges.

    Raises
    ------
    InputError
        If it looks like a matrix without names.
    """
    n = len(rows)
    if n < 2 or n != len(rows[0]) or not all(map(is_number, _distinct(rows))):
        return
    if n > 3 or (n == 3 and not any(float(rows[k][k]) for k in range(n))):
        raise InputError(
            f"{source}: it looks like a matrix of {n} x {n} cells without names of nodes; add"
            f" them as first row and first column, or save it with numpy.save; if it is an edge"
            f" list, {otherwise}"
        )


def neither(header: Sequence[str], n_rows: int, n_columns: int) -> str:
    """Say why a table is refused.

    Parameters
    ----------
    header : sequence of str
        Its first row.
    n_rows, n_columns : int
        What shape it would have as a matrix.

    Returns
    -------
    str
    """
    first_row = ", ".join(header[:4]) + (", ..." if len(header) > 4 else "")
    return (
        f"the table is neither an edge list, whose header has a pair such as source,target, nor "
        f"a labelled matrix, which has the same node names in its first row and first column: "
        f"it starts with {first_row!r} and has {n_rows} x {n_columns} cells besides the names"
    )


def _unknown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Say why a table with a header is refused, and what to do."""
    numbers = all(is_number(cell) or not cell for cell in _distinct(row[1:] for row in rows))
    matrix = bool(rows) and numbers and len(header) > 2 and header[0] == ""
    if matrix and not {row[0] for row in rows} & set(header[1:]):
        return (
            f"the matrix has {len(rows)} rows and {len(header) - 1} columns of other names,"
            f" such as {rows[0][0]} and {header[1]}; a matrix needs the same nodes in both;"
            f" {TWO_SETS}"
        )
    what = neither(header, len(rows), len(header) - 1)
    if len(header) < 2:
        return f"{what}; cells are separated by commas, tabs, semicolons or white space"
    stem = {
        name: words(name)[:-1] for name in header[1:] if words(name)[:-1] and name[-1].isdigit()
    }
    series = [name for name in stem if list(stem.values()).count(stem[name]) > 1]
    if series:
        ends = f"--source {quoted(series[0])} --target {quoted(series[1])}"
        two = f"if {series[0]} and {series[1]} are the ends of edges, say {ends}; "
        return (
            f"{what}; {two if len(series) == 2 else ''}if a row names several others, or columns"
            f" are a second set of nodes, write a row for each pair of nodes"
        )
    if any(cell.startswith("{") for cell in header):
        return f"{what}; networkx.write_weighted_edgelist writes weights without braces"
    names = [name for name in header if name] or ["1", "2"]
    return (
        f"{what}; name the columns of both ends, such as --source {quoted(names[0])}"
        f" --target {quoted(names[min(1, len(names) - 1)])}"
    )


def _matrix_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Return the names of the columns of a labelled matrix; None if rows and header are none."""
    if header[0] != "" and (len(header) < 4 or is_number(header[0])):
        return None  # a symmetric matrix without names has the same first row and column
    if len(rows) != len(header) - 1:
        return None
    names, columns = [row[0] for row in rows], list(header[1:])
    if are_numbered(columns) and all(row[0] == str(k) for k, row in enumerate(rows, 1)):
        # R's matrix without names
        cells = _distinct(row[1:] for row in rows)
        if _has_commas(list(cells)):
            rows, cells = [_with_points(row) for row in rows], set(_with_points(list(cells)))
        square = all(is_number(cell) for cell in cells.difference(MISSING))
        empty = not any(is_number(row[k]) and float(row[k]) for k, row in enumerate(rows, 1))
        if square and (len(rows) > 3 or (len(rows) == 3 and empty)):
            return names
    same = sorted(map(clean_name, names)) == sorted(map(clean_name, columns))
    return columns if names and same else None


def _matrix_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Matrix | None:
    """Return the labelled matrix that rows below a header are, or None."""
    columns = _matrix_columns(header, rows)
    if columns is None:
        return None
    names, cells = [row[0] for row in rows], [row[1:] for row in rows]
    if _has_commas(list(_distinct(cells))):
        cells = [_with_points(row) for row in cells]
    corner = re.split(r"[\\/|]+", header[0])
    sides = (corner[0], corner[1]) if len(corner) == 2 else None
    matrix = labelled_matrix(names, columns, cells, sides)
    if matrix is not None and isinstance(matrix.cells, np.ndarray):
        diagonal = [cell if cell not in _BLANK else "NaN" for cell in matrix.cells.diagonal()]
        np.fill_diagonal(matrix.cells, diagonal)
    return matrix


def _distinct(rows: Iterable[Sequence[Any]]) -> set[Any]:
    """Return the cells of rows, each once: of a large matrix they are few."""
    return set().union(*rows)


def labelled_matrix(
    row_labels: Sequence[object],
    column_labels: Sequence[object],
    cells: Sequence[Sequence[object]] | NDArray[Any],
    sides: tuple[str, str] | None = None,
) -> Matrix | None:
    """Return the matrix that cells with names are.

    Parameters
    ----------
    row_labels, column_labels : sequence, length N
        Names of the nodes.
    cells : sequence of sequence, or ndarray, of shape (N, N)
        Weights.
    sides : tuple of two str, optional
        What rows and columns are called.

    Returns
    -------
    Matrix or None
        Its columns are in the order of its rows, and senders are in rows; None if the names are
        not the same.
    """
    row_names = [clean_name(label) for label in row_labels]
    column_names = [clean_name(label) for label in column_labels]
    if not row_names or sorted(row_names) != sorted(column_names):
        return None
    matrix = cells if isinstance(cells, np.ndarray) else np.array(cells, dtype=object)
    if row_names != column_names:
        column = {name: k for k, name in enumerate(column_names)}
        matrix = matrix[:, [column[name] for name in row_names]]
    if sides is not None and find_ends(sides, Reading(), "") == (1, 0):
        note = f"Rows are called {sides[0]}, columns {sides[1]}: edges go from columns to rows."
        return Matrix(matrix.T, row_names, notes=(note,))
    return Matrix(matrix, row_names)
