"""Tables of dyads: a row a pair of nodes, columns of facts about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import as_facts
from lsm_stan.network.checks import clean_name
from lsm_stan.typing import IntArray

#: The columns of a file that the names of a dyad's ends are in.
DYAD_ENDS = ("source", "target")


def numbered_ends(dyads: Iterable[tuple[str, str]], names: Sequence[str]) -> IntArray:
    """Return the numbers of the nodes that dyads are named by.

    Parameters
    ----------
    dyads : iterable of tuple of (str, str)
        Names of sender and receiver, such as the index of a table of dyads.
    names : sequence of str
        The nodes' names.

    Returns
    -------
    ndarray of int64 of shape (D, 2)
        From 0.
    """
    number = {name: k for k, name in enumerate(names)}
    ends = [(number[sender], number[receiver]) for sender, receiver in dyads]
    return np.array(ends, dtype=np.int64).reshape(-1, 2)


def checked_dyads(
    dyads: pd.DataFrame, names: Sequence[str], directed: bool, what: str
) -> pd.DataFrame:
    """Return a table of dyads with clean names.

    Parameters
    ----------
    dyads : pandas.DataFrame
        Indexed by sender and receiver.
    names : sequence of str
        The nodes' names.
    directed : bool
        Whether the two directions of a pair are two dyads.
    what : str
        The network, for error messages.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    InputError
        If a row is no dyad of the network, or there twice; in an undirected network the two
        directions of a pair may both be there if they say the same.
    """
    if dyads.index.nlevels != 2:
        raise InputError(f"{what}: the dyad table is not indexed by sender and receiver")
    if not len(dyads.columns):
        raise InputError(f"{what}: the dyad table has no column besides sender and receiver")
    dyads = as_facts(dyads, f"{what}, dyad table")
    ends = next((name for name in DYAD_ENDS if name in dyads.columns), None)
    if ends is not None:
        raise InputError(
            f"{what}: the dyad table has a column {ends!r} besides the names of sender and"
            f" receiver, its index; give the column another name"
        )
    rows = [(clean_name(sender), clean_name(receiver)) for sender, receiver in dyads.index]
    known: set[str] = set(names)
    seen: dict[tuple[str, ...], int] = {}
    twice: set[int] = set()
    for number, row in enumerate(rows):
        unknown = [name for name in row if name not in known]
        if unknown:
            raise InputError(
                f"{what}: the dyad table has {row[0]!r} to {row[1]!r}; there is no node"
                f" {unknown[0]!r} in the network"
            )
        if row[0] == row[1]:
            raise InputError(f"{what}: the dyad table has {row[0]!r} with itself, no dyad")
        pair = row if directed else tuple(sorted(row))
        first = seen.setdefault(pair, number)
        if first == number:
            continue
        if rows[first] == row:
            raise InputError(f"{what}: the dyad table has {row[0]!r} to {row[1]!r} twice")
        if (
            not dyads.iloc[[first]]
            .reset_index(drop=True)
            .equals(dyads.iloc[[number]].reset_index(drop=True))
        ):
            raise InputError(
                f"{what}: the dyad table has other values for {row[0]!r} to {row[1]!r} than for"
                f" {row[1]!r} to {row[0]!r}; the network is undirected, and a pair has one"
            )
        twice.add(number)
    index = pd.MultiIndex.from_frame(pd.DataFrame(rows, columns=list(DYAD_ENDS), dtype=object))
    dyads = dyads.set_axis(index, axis=0)
    return dyads[[k not in twice for k in range(len(rows))]] if twice else dyads
