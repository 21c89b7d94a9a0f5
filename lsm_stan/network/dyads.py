"""Tables of dyads: a row a pair of nodes, columns of facts about it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import as_facts
from lsm_stan.network.checks import clean_name

#: The columns of a file that the names of a dyad's ends are in.
DYAD_ENDS = ("source", "target")


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
        If a row is no dyad of the network, or there twice.
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
    known, seen = set(names), set()
    for row in rows:
        unknown = [name for name in row if name not in known]
        if unknown:
            raise InputError(
                f"{what}: the dyad table has {row[0]!r} to {row[1]!r}; there is no node"
                f" {unknown[0]!r} in the network"
            )
        if row[0] == row[1]:
            raise InputError(f"{what}: the dyad table has {row[0]!r} with itself, no dyad")
        pair = row if directed else tuple(sorted(row))
        if pair in seen:
            raise InputError(f"{what}: the dyad table has {row[0]!r} to {row[1]!r} twice")
        seen.add(pair)
    index = pd.MultiIndex.from_frame(pd.DataFrame(rows, columns=list(DYAD_ENDS)))
    return dyads.set_axis(index, axis=0)
