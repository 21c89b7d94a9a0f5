"""Tables: edge lists and labelled matrices in text files and data frames, of nodes, of dyads.

A table, in a file or a data frame, is taken for

1. a *labelled matrix* if the names in its first row are those in its first column (in any order)
   and the corner is empty or there are at least four columns; else
2. an *edge list with header* if the first row names a sender and a receiver column, in upper or
   lower case: source/target, sender/receiver, from/to, pre/post or i/j, the first of these pairs
   that is there. Weights are in the column weight, value or count; other columns are not used;
   else
3. (files only) an *edge list without header* if it has two columns, sender and receiver, or
   three, the third being the weight (a number or empty).

Anything else is refused. All cells of a file are text until they are weights: a node may be
called ``NA`` or ``01``. White space around a cell is not part of it, and an empty weight of an edge
is a missing one, as NaN is in a data frame.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import check_columns
from lsm_stan.network.checks import check_names, clean_name
from lsm_stan.network.sources import EdgeList, Matrix

DELIMITERS = {".csv": ",", ".tsv": "\t"}

_ENDPOINTS = (
    ("source", "target"),
    ("sender", "receiver"),
    ("from", "to"),
    ("pre", "post"),
    ("i", "j"),
)
_WEIGHTS = ("weight", "value", "count")


def read_table(path: Path) -> Matrix | EdgeList:
    """Read a ``.csv`` or ``.tsv`` file by the rules at the top of this module.

    Parameters
    ----------
    path : Path
        The file, UTF-8.

    Returns
    -------
    Matrix or EdgeList

    Raises
    ------
    InputError
        If the table is neither a labelled matrix nor an edge list.
    """
    header, *rows = _read_rows(path)
    width = len(header)
    if header[0] == "" or width >= 4:
        matrix = _labelled_matrix([row[0] for row in rows], header[1:], [row[1:] for row in rows])
        if matrix is not None:
            return matrix
    columns = _edge_columns(header, str(path))
    if columns is not None:
        return _edge_list([[row[k] for row in rows] for k in range(width)], columns, header)
    # A third cell in words is no weight: the first row is a header, but not one that we know.
    wordy = width == 3 and header[2] != "" and not re.search("[0-9]", header[2])
    if header[0] != "" and width in (2, 3) and not wordy:
        note = f"No header was recognised: the first row, {', '.join(header)}, is read as an edge."
        cells = [list(column) for column in zip(header, *rows, strict=True)]
        return replace(_edge_list(cells, (0, 1, 2 if width == 3 else None), header), notes=(note,))
    raise InputError(
        f"{path}: {_neither(header, len(rows), width - 1)}; cells are separated by commas in a .csv"
        f" file, by tabs in a .tsv file"
    )


def read_frame(frame: pd.DataFrame) -> Matrix | EdgeList:
    """Read a data frame by the rules at the top of this module.

    Parameters
    ----------
    frame : DataFrame
        The table.

    Returns
    -------
    Matrix or EdgeList

    Raises
    ------
    InputError
        If the table is neither a labelled matrix nor an edge list.
    """
    header = [str(name) for name in frame.columns]
    matrix = _labelled_matrix(list(frame.index), header, frame.to_numpy())
    if matrix is not None:
        return matrix
    columns = _edge_columns(header, "data frame")
    if columns is None:
        raise InputError(f"data frame: {_neither(header, *frame.shape)}")
    # what pandas has for a missing value becomes None
    cells = frame.astype(object).where(frame.notna().to_numpy(), None)
    return _edge_list([cells.iloc[:, k].tolist() for k in range(len(header))], columns, header)


def _neither(header: Sequence[str], n_rows: int, n_columns: int) -> str:
    """Say why a table is refused; as a matrix it would be `n_rows` x `n_columns`."""
    first_row = ", ".join(header[:4]) + (", ..." if len(header) > 4 else "")
    return (
        f"the table is neither an edge list, whose header has a pair such as source,target, nor "
        f"a labelled matrix, which has the same node names in its first row and first column: "
        f"it starts with {first_row!r} and has {n_rows} x {n_columns} cells besides the names"
    )


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
        matrix = matrix[:, [column_names.index(name) for name in row_names]]
    return Matrix(matrix, row_names)


def _edge_columns(header: Sequence[str], source: str) -> tuple[int, int, int | None] | None:
    """Find the columns of sender, receiver and weight, or None if the header names no pair."""
    column_of = {name.lower(): k for k, name in enumerate(header)}
    weight = next((name for name in _WEIGHTS if name in column_of), None)
    for sender, receiver in _ENDPOINTS:
        if sender in column_of and receiver in column_of:
            used = (sender, receiver, weight)
            check_columns([name for name in map(str.lower, header) if name in used], source)
            return (
                column_of[sender],
                column_of[receiver],
                None if weight is None else column_of[weight],
            )
    return None


def _edge_list(
    cells: Sequence[Sequence[object]],
    columns: tuple[int, int, int | None],
    header: Sequence[str],
) -> EdgeList:
    """Take sender, receiver and weight from a table given by columns."""
    sender, receiver, weight = columns
    unused = [name for k, name in enumerate(header) if k not in columns]
    return EdgeList(
        senders=cells[sender],
        receivers=cells[receiver],
        # An empty cell of a file is a missing weight.
        weights=None if weight is None else [None if w == "" else w for w in cells[weight]],
        notes=(f"Columns not used: {', '.join(unused)}.",) if unused else (),
    )


def _read_rows(path: Path) -> list[list[str]]:
    """Read the cells of a ``.csv`` or ``.tsv`` file as text, rows of equal length, at least one."""
    rows: list[list[str]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(
            file, delimiter=DELIMITERS[path.suffix.lower()], strict=True, skipinitialspace=True
        )
        for row in reader:
            if not row:
                continue
            rows.append([cell.strip() for cell in row])
            if len(row) != len(rows[0]):
                raise InputError(
                    f"{path}: line {reader.line_num} has {len(row)} cells, the first row has "
                    f"{len(rows[0])}; all rows need equally many"
                )
    if not rows:
        raise InputError(f"{path}: the file is empty; a network needs at least two nodes")
    return rows


def read_columns(path: Path) -> pd.DataFrame:
    """Read a table from a ``.csv`` or ``.tsv`` file with a header.

    Parameters
    ----------
    path : Path
        The file, UTF-8.

    Returns
    -------
    DataFrame
        Columns of text.

    Raises
    ------
    InputError
        If the file is empty, or its rows differ in length.
    """
    header, *rows = _read_rows(path)
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

    Raises
    ------
    InputError
        If the names cannot be those of a network.
    """
    if "name" in table.columns:
        table = table.set_index("name")
    elif table.index.name is None and len(table.columns):
        table = table.set_index(table.columns[0])
    table = table.set_axis([clean_name(name) for name in table.index])
    check_names(list(table.index), source)
    return table


def index_by_ends(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Make sender and receiver, wherever a table of dyads has them, its index.

    Parameters
    ----------
    table : DataFrame
        A table with a row for each dyad.
    source : str
        What to call the table in messages.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If the table has no columns of senders and receivers, or no other column.
    """
    if table.index.nlevels == 2:
        return table
    columns = _edge_columns([str(name) for name in table.columns], source)
    if columns is None or len(table.columns) < 3:
        raise InputError(
            f"{source}: a table of dyads is needed, with columns source and target and one more"
        )
    return table.set_index([table.columns[number] for number in columns[:2]])
