"""Numbers, tables and lists as text, on pages and on the command line."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

#: Numbers below this are shown as 0: what rounding leaves of one.
NEGLIGIBLE = 1e-9

#: Numbers from this on are shown as powers of ten.
LARGE = 1e12

#: How findings are marked where there is no colour.
MARKS = {"good": "✓", "caution": "!", "bad": "✗"}


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Format a table's cells, each number by its own size; nothing for what is missing.

    Parameters
    ----------
    frame : DataFrame
        The table.

    Returns
    -------
    DataFrame
    """
    return frame.map(brief)


def brief(value: Any) -> str:
    """Return a value as text: a number to four digits, or to a tenth, one that is whole in full.

    Parameters
    ----------
    value : Any
        A number, a truth value, a text or None.

    Returns
    -------
    str

    Examples
    --------
    >>> [brief(value) for value in (1.00312, 35984.855, 1637.0, 2345, 2.5e-7, True, None)]
    ['1.003', '35,984.9', '1,637', '2,345', '2.5e-07', 'yes', '']
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if not isinstance(value, Real):
        return "" if pd.isna(value) is True else str(value)
    value = float(value)
    if np.isnan(value):
        return ""
    if abs(value) < NEGLIGIBLE:
        return "0"
    if not abs(value) < LARGE:
        return f"{value:.4g}"
    if value.is_integer():
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"


def with_error(value: float, error: float, digits: int = 4) -> str:
    """Return a mean with its standard error, if it has one.

    Parameters
    ----------
    value, error : float
        The mean and its error, which may be NaN.
    digits : int, default 4
        Digits of the mean.

    Returns
    -------
    str
    """
    return f"{value:,.{digits}f}" + ("" if pd.isna(error) else f" ± {error:,.{digits}f}")


def duration(seconds: float) -> str:
    """Return a time in its usual unit, to two digits: ``20 s``, ``2.5 min``, ``3 h``, ``12 days``.

    Parameters
    ----------
    seconds : float
        The time, in seconds.

    Returns
    -------
    str
    """
    for unit, size, next_size in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172_800)):
        if seconds < next_size:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{float(f'{seconds / 86_400:.2g}'):,g} days"


def listed(words: list[str]) -> str:
    """Return words with commas and an "and" between.

    Parameters
    ----------
    words : list of str
        The words.

    Returns
    -------
    str
    """
    unique = list(dict.fromkeys(words))
    return " and ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)


def capital(text: str) -> str:
    """Return a text as a sentence: its first letter in upper case, a full stop behind.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    str
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, of which there may be one.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        What of one is said.
    plural : str, default ""
        What of others is said; the noun with an s by default.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "node"), counted(2345, "node"), counted(0, "dyad that", "dyads that")
    ('1 node', '2,345 nodes', '0 dyads that')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def time_text(time: float) -> str:
    """Return a time, such as a year, as text without marks of thousands.

    Parameters
    ----------
    time : float
        In any unit.

    Returns
    -------
    str

    Examples
    --------
    >>> time_text(2001.0), time_text(0.25)
    ('2001', '0.25')
    """
    return f"{time:.12g}"
