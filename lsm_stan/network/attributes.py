"""Tables of facts about nodes or dyads: what their columns are called, and what a cell says.

A table says the same in memory as in a text file. Text loses the white space around it, and has
single spaces inside. A cell is missing if it is empty, None, NaN or the like, or the text ``NA`` or
``NaN``: text is then ``""``, a number NaN. A column of text is one of numbers if all its cells but
missing ones are (never one called ``label``, and no ``01``), and one of booleans if each of its
cells is ``true`` or ``false``, in upper or lower case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.checks import clean_name

#: What text a missing value is; not ``Na``, which may be sodium.
MISSING = ("", "NA", "NaN", "nan")

_NUMBER = re.compile(r"[+-]?((?!0[0-9])[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?|inf)")
_WHOLE = re.compile("[+-]?[0-9]{1,20}")


def check_columns(names: Sequence[str], source: str) -> None:
    """Raise InputError if two columns of a table have one name.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    source : str
        What to call the table in messages.

    Raises
    ------
    InputError
        If a name occurs twice.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"{source}: there are two columns {twice!r}; every column needs its own name"
        )


def as_facts(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return a table with clean names of columns, and cells as this module has them.

    Parameters
    ----------
    table : DataFrame
        A table with a row for each node, or for each dyad.
    source : str
        What to call the table in messages.

    Returns
    -------
    DataFrame
        Columns of booleans, integers, floats of 64 bits (which a text file keeps to the last digit)
        and text, on the index of `table`.

    Raises
    ------
    InputError
        If two columns have one name.
    """
    names = [clean_name(name) for name in table.columns]
    check_columns(names, source)
    columns = (_typed(name, table.iloc[:, number]) for number, name in enumerate(names))
    return pd.DataFrame(dict(zip(names, columns, strict=True)), table.index)


def _typed(name: str, column: pd.Series[Any]) -> pd.Series[Any]:
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return column.astype(np.float64) if dtype.kind == "f" else column
    missing = column.isna()
    cells = ["" if no else clean_name(cell) for cell, no in zip(column, missing, strict=True)]
    cells = ["" if cell in MISSING else cell for cell in cells]
    text = pd.Series(cells, column.index, dtype=object)
    if cells and all(cell.lower() in ("true", "false") for cell in cells):
        return text.str.lower() == "true"
    if name != "label" and all(cell == "" or _NUMBER.fullmatch(cell) for cell in cells):
        # by Python: before pandas 3, its own reader of numbers misses last digits
        if cells and all(_WHOLE.fullmatch(cell) for cell in cells):
            whole = [int(cell) for cell in cells]
            for limits in (np.iinfo(np.int64), np.iinfo(np.uint64)):
                if limits.min <= min(whole) and max(whole) <= limits.max:
                    return pd.Series(whole, column.index, dtype=limits.dtype)
        return text.mask(text == "", "nan").astype(np.float64)
    return text
