"""Tables of facts about nodes and dyads: which column, or index, says what a row is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import MISSING
from lsm_stan.network.checks import check_names, clean_name
from lsm_stan.network.dyads import DYAD_ENDS
from lsm_stan.network.headers import find_ends
from lsm_stan.network.reading import Reading
from lsm_stan.network.sources import Matrix
from lsm_stan.network.tables import labelled_matrix
from lsm_stan.network.text_files import read_rows, refuse_marked


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
        If the file is empty, its rows differ in length, or a comment may be one of them.
    """
    table = read_rows(path)
    refuse_marked(table.below, str(path))
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
        matrix = labelled_matrix(labels, list(cells.columns), cells.to_numpy(dtype=object))
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
