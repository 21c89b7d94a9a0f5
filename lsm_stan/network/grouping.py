"""The column of a node table that says which nodes belong together."""

from __future__ import annotations

import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.network import Network

#: What such columns are called, the likeliest first; in any case of letters.
GROUPINGS = (
    *("class", "club", "type", "group", "community", "category", "party", "faction", "module"),
    *("role", "kind", "gender", "sex", "department", "region"),
)

#: Texts that say that a node's group is not known.
UNKNOWN = ("", "unknown", "other")

#: Numbers of more different values than this are put into as many ranges as :data:`RANGES`.
MAX_NUMBERS, RANGES = 12, 5


def grouping(network: Network, column: str | None = None) -> pd.Series[str] | None:
    """Return the group of every node, as text.

    Parameters
    ----------
    network : Network
        N nodes.
    column : str or None, default None
        A column of its node table; by default the first of :data:`GROUPINGS` that it has, if that
        says that some nodes belong together.

    Returns
    -------
    Series of shape (N,) or None
        Groups, with the column's name; "" where the table has none; ranges of a column of many
        numbers. None where no column is named and the table has none.

    Raises
    ------
    InputError
        If the table has no such column.

    Examples
    --------
    >>> nodes = pd.DataFrame({"Club": ["a", "b", "a"]}, ["x", "y", "z"])
    >>> network = Network.from_edges(["x", "y"], ["y", "z"], [1, 1], node_table=nodes)
    >>> grouping(network).tolist()
    ['a', 'b', 'a']
    """
    table = network.node_table
    names = [] if table is None else list(map(str, table.columns))
    if column is None:
        lower = {name.lower(): name for name in reversed(names)}
        chosen = (lower[name] for name in GROUPINGS if name in lower)
        groups = [_as_text(table[name]) for name in chosen] if table is not None else []
        return next((each for each in groups if each.nunique() < len(each)), None)
    if table is None or column not in names:
        there = f"it has {', '.join(names)}" if names else "there is none"
        raise InputError(f"no column {column!r} in the table of nodes; {there} (--nodes FILE)")
    return _as_text(table[column])


def _as_text(column: pd.Series) -> pd.Series[str]:
    """Return a column as text, many numbers as ranges of about as many nodes each."""
    numbers = pd.to_numeric(column, errors="coerce")
    blank = column.isna() | (column.astype(str).str.strip() == "")
    if numbers[~blank].notna().all() and numbers.nunique() > MAX_NUMBERS:
        low = numbers.min()
        ranges = pd.qcut(numbers, RANGES, duplicates="drop")
        texts = ranges.map(lambda ends: f"{max(ends.left, low):.3g} to {ends.right:.3g}").astype(
            object
        )
    else:
        texts = column.astype(str).astype(object)
    known = texts.where(~blank, "").astype(str)
    return pd.Series(known.to_list(), column.index, name=str(column.name), dtype=str)
