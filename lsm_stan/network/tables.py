"""Tables: edge lists and labelled matrices in text files and data frames, of nodes, of dyads.

A table, in a file or a data frame, is taken for

1. a *labelled matrix* if the names in its first row are those in its first column (in any order)
   and the corner is empty or there are at least four columns; else
2. an *edge list with header* if its first row, or the comment above it, names a sender and a
   receiver column as `lsm_stan.network.headers` knows them, or as the user says (``--source``,
   ``--target``). Which column has the weights is told in `lsm_stan.network.edge_columns`; else
3. (files only) an *edge list without header* if it has two columns, sender and receiver, or
   three, the third being the weight (a number or empty), and the first row can be an edge: it has
   a node that comes again, or numbers as the rows below. With ``--no-header`` the columns are
   called 1, 2, and so on.

Anything else is refused: what the first row is, the user may say (``--header``, ``--no-header``).
All cells of a file are text until they are weights: a node may be called ``NA`` or ``01``. White
space around a cell is not part of it, and an empty weight of an edge is a missing one, as NaN is in
a data frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import MISSING
from lsm_stan.network.cells import TWO_SETS
from lsm_stan.network.checks import check_names, clean_name
from lsm_stan.network.dyads import DYAD_ENDS
from lsm_stan.network.headers import find_ends, first_row, is_number, quoted
from lsm_stan.network.reading import Reading
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.network.text_files import TextTable, read_rows

#: What a first comment of these kinds says of direction: KONECT's, and SNAP's.
_KONECT = re.compile(r"(sym|asym|bip)\s+\w+")
_SNAP = re.compile(r"(Und|D)irected graph\b", re.IGNORECASE)
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
    header, rows = _header(table, how, source)
    header = header and [clean_name(name) for name in header]
    if header is None:
        header = [str(k) for k in range(1, len(rows[0]) + 1)]
        named = how.source is not None
        ends = find_ends(header, how, source) if named else (0, 1)
        if ends is None or len(header) < 2:
            raise InputError(f"{source}: {_neither(rows[0], len(rows), len(header))}")
        if how.header is None:
            first = ", ".join(rows[0])
            notes += (f"No header was recognised: the first row, {first}, is read as an edge.",)
        if len(header) == 3 and not named and how.weight is None and not _are_times(rows):
            header[2] = "weight"
        return _edge_list(rows, header, ends, directed, notes)
    matrix = _matrix_of(header, rows)
    if matrix is not None and how.source is None:
        return matrix
    ends = find_ends(header, how, source)
    if ends is None:
        raise InputError(f"{source}: {_unknown(header, rows)}")
    return _edge_list(rows, header, ends, directed, notes)


def _are_times(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the third column looks like seconds since 1970, as temporal networks have."""
    cells = [row[2] for row in rows]
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
    marked = sum(row[ends[0]][:1] in ("#", "%") for row in rows)
    if marked:
        each = "1 row begins" if marked == 1 else f"{marked:,} rows begin"
        notes += (f"{each} with a mark of comments below the first row, and is read as an edge.",)
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
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


def _said_by_comments(table: TextTable, source: str) -> tuple[bool | None, tuple[str, ...]]:
    """Return what the comments of KONECT and SNAP say of direction, and a sentence on that."""
    first = table.comments[0] if table.comments else ""
    konect, snap = _KONECT.match(first), _SNAP.match(first)
    if konect and konect[1] == "bip":
        raise InputError(
            f"{source}: KONECT's file has a network of two sets, whose numbers name different"
            f" nodes; give them different names: {TWO_SETS}"
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
        known = find_ends(above, how, source) is not None or _matrix_of(above, table.rows)
        if known:
            return above, table.rows
        if not table.loose:
            raise InputError(
                f"{source}: the row {', '.join(above)} begins with a mark of comments; if it is"
                f" data, write the name in quotes, if it is a comment, put a blank after the mark"
            )
        if not how.header and find_ends(first, how, source) is None:
            raise InputError(f"{source}: {_unknown(above, table.rows)}, or say --no-header")
    if how.header is not None:
        return (first, rest) if how.header else (None, table.rows)
    if _matrix_of(first, rest) is not None:
        return first, rest
    if _is_named(first, rest, how, source):
        return first, rest
    _refuse_bare_matrix(table.rows, source)
    if len(first) == 1 or first[0] == "" or len(first) > 3:
        wide = len(first) > 3 and all(is_number(cell) for cell in first[2:] if cell)
        advice = "; if it has no header, say --no-header, and --weight 3 for the third column"
        raise InputError(f"{source}: {_unknown(first, rest)}{advice if wide else ''}")
    kind = first_row(first, rest)
    if kind == "header":
        raise InputError(f"{source}: {_unknown(first, rest)}")
    if kind == "unclear":
        raise InputError(
            f"{source}: the first row, {', '.join(first)}, may be a header or an edge, since no"
            f" row below names its nodes; say --header or --no-header"
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
    names = {first[k] for k in ends}
    short = all(len(name) == 1 for name in names)
    certain = any(cell and not is_number(cell) for k, cell in enumerate(first) if k not in ends)
    if short and not certain and any(names & {row[k] for k in ends} for row in rows):
        raise InputError(
            f"{source}: the first row, {', '.join(first)}, may be a header or an edge, since rows"
            f" below have nodes of these names; say --header or --no-header"
        )
    return True


def _refuse_bare_matrix(rows: Sequence[Sequence[str]], source: str) -> None:
    """Refuse a square table of numbers whose diagonal is 0, or that is too wide for a list."""
    n = len(rows)
    if n < 2 or n != len(rows[0]) or not all(is_number(cell) for row in rows for cell in row):
        return
    if n > 3 or (n == 3 and not any(float(rows[k][k]) for k in range(n))):
        raise InputError(
            f"{source}: it looks like a matrix of {n} x {n} cells without names of nodes; add"
            f" them as first row and first column, or save it with numpy.save; if it is an edge"
            f" list, say --no-header"
        )


def read_frame(frame: pd.DataFrame, how: Reading) -> Matrix | EdgeList:
    """Read a data frame by the rules at the top of this module.

    Parameters
    ----------
    frame : DataFrame
        The table.
    how : Reading
        What the user says.

    Returns
    -------
    Matrix or EdgeList

    Raises
    ------
    InputError
        If the table is neither a labelled matrix nor an edge list.
    """
    how.refuse(("header",), "data frame", "its columns have names")
    header = [clean_name(name) for name in frame.columns]
    matrix = _labelled_matrix(list(frame.index), header, frame.to_numpy())
    if matrix is not None and how.source is None:
        return matrix
    ends = find_ends(header, how, "data frame")
    if ends is None:
        raise InputError(f"data frame: {_neither(header, *frame.shape)}")
    # what pandas has for a missing value becomes None
    cells = frame.astype(object).where(frame.notna().to_numpy(), None)
    columns = [cells.iloc[:, k].tolist() for k in range(len(header))]
    return EdgeList(
        senders=columns[ends[0]],
        receivers=columns[ends[1]],
        attributes={
            name: [None if isinstance(cell, str) and not cell.strip() else cell for cell in column]
            for k, (name, column) in enumerate(zip(header, columns, strict=True))
            if k not in ends
        },
    )


def _neither(header: Sequence[str], n_rows: int, n_columns: int) -> str:
    """Say why a table is refused; as a matrix it would be `n_rows` x `n_columns`."""
    first_row = ", ".join(header[:4]) + (", ..." if len(header) > 4 else "")
    return (
        f"the table is neither an edge list, whose header has a pair such as source,target, nor "
        f"a labelled matrix, which has the same node names in its first row and first column: "
        f"it starts with {first_row!r} and has {n_rows} x {n_columns} cells besides the names"
    )


def _unknown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Say why a table with a header is refused, and what to do."""
    numbers = all(is_number(cell) or not cell for row in rows for cell in row[1:])
    matrix = bool(rows) and numbers and len(header) > 2 and header[0] == ""
    if matrix and not {row[0] for row in rows} & set(header[1:]):
        return (
            f"the matrix has {len(rows)} rows and {len(header) - 1} columns of other names,"
            f" such as {rows[0][0]} and {header[1]}; a matrix needs the same nodes in both;"
            f" {TWO_SETS}"
        )
    neither = _neither(header, len(rows), len(header) - 1)
    if len(header) < 2:
        return f"{neither}; cells are separated by commas, tabs, semicolons or white space"
    names = [name for name in header if name] or ["1", "2"]
    return (
        f"{neither}; name the columns of both ends, such as --source {quoted(names[0])}"
        f" --target {quoted(names[min(1, len(names) - 1)])}"
    )


def _matrix_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Matrix | None:
    """Return the labelled matrix that rows below a header are, or None."""
    if header[0] != "" and (len(header) < 4 or is_number(header[0])):
        return None  # a symmetric matrix without names has the same first row and column
    if len(rows) != len(header) - 1:
        return None
    return _labelled_matrix([row[0] for row in rows], header[1:], [row[1:] for row in rows])


def _labelled_matrix(
    row_labels: Sequence[object],
    column_labels: Sequence[object],
    cells: Sequence[Sequence[object]] | NDArray[Any],
) -> Matrix | None:
    """Return a matrix, columns in the order of rows, or None if the names are not the same."""
    row_names = [clean_name(label) for label in row_labels]
    column_names = [clean_name(label) for label in column_labels]
    if not row_names or sorted(row_names) != sorted(column_names):
        return None
    matrix = cells if isinstance(cells, np.ndarray) else np.array(cells, dtype=object)
    if row_names != column_names:
        column = {name: k for k, name in enumerate(column_names)}
        matrix = matrix[:, [column[name] for name in row_names]]
    return Matrix(matrix, row_names)


def read_columns(path: Path) -> pd.DataFrame:
    """Read a table from a text file with a header.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DataFrame
        Columns of text.

    Raises
    ------
    InputError
        If the file is empty, or its rows differ in length.
    """
    table = read_rows(path)
    header, rows = table.rows[0], table.rows[1:]
    if table.header is not None:
        header, rows = table.header, table.rows
    return pd.DataFrame(rows, columns=header, dtype=object)


def index_by_name(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Make the node names, wherever a table has them, its index.

    Parameters
    ----------
    table : DataFrame
        A table with a row for each node.
    source : str
        What to call the table in messages.

    Returns
    -------
    DataFrame
        Its index is called as the column of names was.

    Raises
    ------
    InputError
        If the names cannot be those of a network.
    """
    if "name" in table.columns:
        table = table.set_index("name")
    elif table.index.name is None and len(table.columns):
        table = table.set_index(table.columns[0])
    table = table.set_axis(
        pd.Index([clean_name(name) for name in table.index], name=table.index.name, dtype=object)
    )
    check_names(list(table.index), source)
    return table


def index_by_ends(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Make sender and receiver, wherever a table of dyads has them, its index.

    Parameters
    ----------
    table : DataFrame
        A table with a row for each dyad, or a labelled matrix with a cell for each.
    source : str
        What to call the table in messages.

    Returns
    -------
    DataFrame
        The facts; of a matrix one column, called as the file, or ``value``.

    Raises
    ------
    InputError
        If the table has no columns of senders and receivers, or no other column.
    """
    if table.index.nlevels == 2:
        return table
    header = [str(name) for name in table.columns]
    named = not isinstance(table.index, pd.RangeIndex)
    cells = table if named else table.iloc[:, 1:]
    labels = list(table.index) if named else table.iloc[:, 0].tolist()
    if named or header[0] == "" or len(header) >= 4:
        matrix = _labelled_matrix(labels, list(cells.columns), cells.to_numpy(dtype=object))
        if matrix is not None:
            return _facts_of_matrix(matrix, source)
    ends = find_ends(header, Reading(), source)
    if ends is None or len(table.columns) < 3:
        raise InputError(
            f"{source}: a table of dyads is needed, with columns source and target and one more,"
            f" or a labelled matrix"
        )
    kept = [k for k, name in enumerate(header) if name or k in ends]
    ordered = [*ends, *(k for k in kept if k not in ends)]
    table = table.iloc[:, ordered]
    return table.set_index(list(table.columns[:2]))


def _facts_of_matrix(matrix: Matrix, source: str) -> pd.DataFrame:
    """Return the cells of a matrix between different nodes, as a table of dyads."""
    names, cells = matrix.names or [], np.asarray(matrix.cells)
    pairs = [(i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    values = pd.Series([cells[i, j] for i, j in pairs], dtype=object)
    kept = ~(values.isna() | values.astype(str).str.strip().isin(MISSING)).to_numpy()
    index = pd.MultiIndex.from_tuples(
        [(names[i], names[j]) for (i, j), keep in zip(pairs, kept, strict=True) if keep],
        names=list(DYAD_ENDS),
    )
    column = Path(source).name.partition(".")[0] if Path(source).suffix else "value"
    return pd.DataFrame({column: values[kept].to_numpy()}, index=index)
