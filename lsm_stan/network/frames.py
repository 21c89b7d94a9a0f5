"""Data frames: edge lists and labelled matrices, by the rules of `lsm_stan.network.tables`."""

from __future__ import annotations

import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.checks import clean_name
from lsm_stan.network.headers import are_numbered, find_ends, is_number, may_be_weight
from lsm_stan.network.reading import Reading
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.network.tables import (
    are_times,
    labelled_matrix,
    neither,
    refuse_bare_matrix,
)
from lsm_stan.network.two_sets import incidence_matrix


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
    how.refuse(("header",), "data frame", "it has no text, and its columns are as they are called")
    numbered = frame.columns.equals(pd.RangeIndex(frame.shape[1]))
    matrix = _matrix(frame, numbered) if how.source is None and not how.bipartite else None
    if matrix is not None:
        return matrix
    whole = frame
    frame, ends, notes = _with_ends(frame, how)
    header = [clean_name(name) for name in frame.columns]
    if ends is None and how.bipartite:
        if all(pd.api.types.is_numeric_dtype(kind) for kind in whole.dtypes):
            return incidence_matrix(list(whole.index), list(whole.columns), whole.to_numpy())
        ends = (0, 1) if len(header) > 1 else None
    if ends is None and numbered and len(header) > 1:
        ends = (0, 1)
        notes = ("Columns have no names: the first two are the ends of edges.",)
        if len(header) == 3 and how.weight is None and not are_times(frame.iloc[:, 2].tolist()):
            header[2] = "weight"
    if ends is None:
        raise InputError(
            f"data frame: {neither(header, *frame.shape)}; name the columns of both ends with"
            f" source= and target=, or, if the file had no header, read it with header=None"
        )
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
        notes=notes,
    )


def _matrix(frame: pd.DataFrame, numbered: bool) -> Matrix | None:
    """Return the matrix that a frame is, by its labels, or None.

    Numbers for labels are pandas' own, of a matrix and of a list of edges alike.
    """
    header = [clean_name(name) for name in frame.columns]
    if len(frame) != len(header):
        return None
    rows = frame.to_numpy(dtype=object).tolist()
    if are_numbered(header):
        refuse_bare_matrix(rows, "data frame", "name its columns with source= and target=")
    if numbered and not all(is_number(cell) for row in rows for cell in row[:2]):
        return None
    sides = clean_name(frame.index.name), clean_name(frame.columns.name)
    matrix = labelled_matrix(list(frame.index), header, frame.to_numpy(), sides)
    few = matrix is not None and numbered and len(rows) <= 3
    if few and any(row[k] != 0 for k, row in enumerate(rows)):
        raise InputError(
            f"data frame: its {len(rows)} x {len(header)} numbers, without names of rows and"
            f" columns, may be a matrix or a list of edges; give frame.to_numpy() if it is a"
            f" matrix, or call the columns source, target and weight"
        )
    return matrix


def _with_ends(
    frame: pd.DataFrame, how: Reading
) -> tuple[pd.DataFrame, tuple[int, int] | None, tuple[str, ...]]:
    """Return a frame, the columns of both ends, and what is to be said of them.

    Levels of the index become columns if other columns have no ends.
    """
    header = [clean_name(name) for name in frame.columns]
    levels = list(frame.index.names)
    ends = find_ends(header, how if levels == [None] else Reading(), "data frame")
    if levels == [None] or (ends is not None and how.source is None):
        return frame, ends, ()
    named = [f"level_{k}" if name is None else clean_name(name) for k, name in enumerate(levels)]
    index = frame.index.to_frame(index=False).set_axis(named, axis=1)
    wide = pd.concat([index, frame.reset_index(drop=True)], axis=1)
    known = named if how.source is not None or None not in levels else [""] * len(levels)
    ends = find_ends([*known, *header], how, "data frame")
    if ends is None and len(levels) == 2 and all(may_be_weight(name) for name in named):
        numbers = all(is_number(cell) for cell in frame.to_numpy(dtype=object).ravel())
        if numbers or levels == [None, None]:
            return wide, (0, 1), ("The two levels of the index are the ends of edges.",)
    return wide, ends, ()
