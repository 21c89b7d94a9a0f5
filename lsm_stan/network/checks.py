"""What a network refuses: names and weights that cannot be those of a network.

Every check raises `InputError` with one sentence that says where the fault is, what it is, and
what would be accepted.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lsm_stan.errors import InputError
from lsm_stan.typing import FloatArray, IntArray

STAN_INT_MAX = 2**31 - 1
"""Largest weight that fits Stan's ``int``, a signed 32-bit integer."""

MOST_NODES = 10_000_000
"""Largest number of nodes that names are made for."""

ACCEPTED_WEIGHTS = f"weights are whole numbers from 0 to {STAN_INT_MAX}"

_MISSING_NAMES = ("None", "nan", "NaT", "<NA>")
"""What Python, NumPy and pandas print for their missing values; as text these are names."""


def clean_name(name: object) -> str:
    """Return a node name as text without white space around it, and single spaces inside.

    Parameters
    ----------
    name : object
        Any value that `str` can turn into text.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it cannot.
    """
    try:
        return " ".join(str(name).split())
    except ValueError as error:  # Python does not print integers of thousands of digits
        raise InputError(f"a name cannot be turned into text: {error}") from error


def check_size(n_nodes: int, source: str) -> None:
    """Refuse a number of nodes that no machine holds the names of.

    Parameters
    ----------
    n_nodes : int
        How many a source announces.
    source : str
        File name or description, for error messages.

    Raises
    ------
    InputError
        If there are more than `MOST_NODES`.
    """
    if n_nodes > MOST_NODES:
        raise InputError(
            f"{source}: the network would have {n_nodes:,} nodes; at most {MOST_NODES:,} can be"
            f" held"
        )


def node_name(value: object, where: str, source: str) -> str:
    """Turn a node name into text, refusing a missing one.

    Parameters
    ----------
    value : object
        The name as the source has it.
    where : str
        Which name it is, in words, for error messages.
    source : str
        File name or description, for error messages.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If the name is missing or empty.
    """
    name = clean_name(value)
    if name == "" or (not isinstance(value, str) and name in _MISSING_NAMES):
        raise InputError(f"{source}: the {where} has no name; every node needs one")
    return name


def node_names(values: Iterable[object], source: str) -> tuple[str, ...]:
    """Turn the names of all nodes into text and check them.

    Parameters
    ----------
    values : iterable, length N
        Names as the source has them.
    source : str
        File name or description, for error messages.

    Returns
    -------
    tuple of str, length N

    Raises
    ------
    InputError
        If a name is missing, or `check_names` refuses the names.
    """
    names = tuple(node_name(name, f"node {k}", source) for k, name in enumerate(values, start=1))
    check_names(names, source)
    return names


def check_names(names: Sequence[str], source: str) -> None:
    """Refuse node names that cannot be those of a network.

    Parameters
    ----------
    names : sequence of str, length N
        Node names.
    source : str
        File name or description, for error messages.

    Raises
    ------
    InputError
        If there are fewer than two names, one occurs twice, or one is not as `clean_name`
        returns it.
    """
    if len(names) == 0:
        raise InputError(f"{source}: the network is empty; it needs at least two nodes")
    if len(names) == 1:
        raise InputError(
            f"{source}: the network has one node only, {names[0]!r}; it needs at least two"
        )
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{source}: the node name {name!r} occurs {times} times; every node needs its own name"
        )
    unclean = next((name for name in names if name != clean_name(name) or not name), None)
    if unclean is not None:
        raise InputError(
            f"{source}: the node name {unclean!r} is empty or has needless white space; "
            f"Network.from_edges and Network.from_matrix clean names"
        )


def look_alike(names: Sequence[str]) -> list[str]:
    """Say which names of different nodes look alike.

    Parameters
    ----------
    names : sequence of str, length N
        Node names.

    Returns
    -------
    list of str
        A sentence if some differ in upper and lower case, signs that are not seen, or the writing
        of a number only; else empty.

    Examples
    --------
    >>> from lsm_stan.network.checks import look_alike
    >>> look_alike(["Ann", "bob", "ann"])
    ["Nodes of names that look alike, such as 'Ann' and 'ann', are different nodes."]
    """
    alike: dict[str, str] = {}
    for name in names:
        text = name
        if not name.isascii():
            signs = unicodedata.normalize("NFKC", name)
            text = "".join(sign for sign in signs if unicodedata.category(sign) != "Cf")
        text = text.casefold().strip()
        if re.fullmatch(r"0*[0-9]+(\.0*)?", text):
            text = text.partition(".")[0].lstrip("0") or "0"
        first = alike.setdefault(text, name)
        if first != name:
            show = repr if name.isascii() and first.isascii() else ascii
            pair = f"{show(first)} and {show(name)}"
            return [f"Nodes of names that look alike, such as {pair}, are different nodes."]
    return []


def checked_weights(
    values: Sequence[object] | NDArray[Any], where: Callable[[int], str], source: str
) -> IntArray:
    """Turn the weights of listed edges or cells into integers Stan can hold.

    Parameters
    ----------
    values : sequence or ndarray, length L
        Numbers or numeric text.
    where : callable
        Function that says in words where the k-th weight stands, k from 0.
    source : str
        File name or description, for error messages.

    Returns
    -------
    ndarray of int64 of shape (L,)

    Raises
    ------
    InputError
        If a weight is not a whole number from 0 to `STAN_INT_MAX`.
    """
    numbers = _numbers(values, where, source)
    faults = {
        "is not finite": ~np.isfinite(numbers),
        "is negative": numbers < 0,
        "overflows Stan's int": numbers > STAN_INT_MAX,
        "is not a whole number (round it, or count in a smaller unit, such as cents)": numbers
        != np.floor(numbers),
    }
    bad = np.any(list(faults.values()), axis=0)
    if bad.any():
        k = int(bad.argmax())
        why = next(fault for fault, there in faults.items() if there[k])
        raise InputError(
            f"{source}: {where(k)} has the weight {shortened(str(values[k]))}, which {why};"
            f" {ACCEPTED_WEIGHTS}"
        )
    return numbers.astype(np.int64)


def _numbers(
    values: Sequence[object] | NDArray[Any], where: Callable[[int], str], source: str
) -> FloatArray:
    """Turn numbers or numeric text into float64, exact for every weight that is accepted."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values.astype(np.float64)
    numbers = np.empty(len(values))
    for k, value in enumerate(as_list(values)):
        try:
            # float() would read the text "1_000".
            if isinstance(value, str) and "_" in value:
                raise ValueError
            numbers[k] = float(cast(Any, value))
        except OverflowError:
            # An integer beyond every float: infinite here, and too large in the message.
            raise InputError(
                f"{source}: {where(k)} has a weight that overflows Stan's int; {ACCEPTED_WEIGHTS}"
            ) from None
        except (TypeError, ValueError):
            empty = value is None or (isinstance(value, str) and not value)
            what = (
                "no weight (in a matrix write NaN or NA where a dyad was not observed)"
                if empty
                else f"the weight {shortened(repr(value))}, which is not a number{_advice(value)}"
            )
            raise InputError(f"{source}: {where(k)} has {what}; {ACCEPTED_WEIGHTS}") from None
    return numbers


def shortened(text: str) -> str:
    """Return a value as messages have it.

    Parameters
    ----------
    text : str
        The value as text.

    Returns
    -------
    str
        At most 40 characters.
    """
    return text if len(text) <= 40 else f"{text[:37]}..."


def _advice(value: object) -> str:
    """Return what to do with a weight that people take for a number, or nothing."""
    text = str(value)
    if text.upper() in ("NA", "N/A", "NULL", "NONE", "."):
        return " (leave the cell empty for weight 1; --hidden lists dyads that were not observed)"
    if may_be_number(text):
        return " (write it without separators, such as 1204)"
    return ""


def may_be_number(text: str) -> bool:
    """Return whether text is a number with separators, of thousands or decimals.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    bool
    """
    return re.fullmatch(r"[+-]?[0-9][0-9.,' \u00a0\u202f]*([eE][0-9]+)?", text) is not None


def as_list(values: Iterable[object]) -> list[object]:
    """Return a list; of an array, one of Python's own numbers, which print without their type.

    Parameters
    ----------
    values : iterable
        Any values.

    Returns
    -------
    list
    """
    return values.tolist() if isinstance(values, np.ndarray) else list(values)
