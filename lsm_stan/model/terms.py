"""Terms of a model: what its log mean depends on besides positions, by their names.

Terms are those of statnet's ergm and latentnet (Hunter et al., Journal of Statistical Software 24,
2008), a column of the node table or of the dyad table in brackets:

=================  ==========================================================
``nodeocov(x)``    x of the sender, less the mean of x over the nodes
``nodeicov(x)``    x of the receiver, less that mean
``nodecov(x)``     the sum of both
``nodematch(x)``   1 where sender and receiver have the same x, else 0
``absdiff(x)``     ``|x_i - x_j|``
``edgecov(x)``     x of the dyad; 0 where the dyad table has no row for it
``offset(x)``      x of the dyad, or the sum of x of both nodes, as it is;
                   ``offset(log(x))``: its logarithm
=================  ==========================================================

The first three, and an offset of nodes, are parts of a node's charge and cost nothing. A dyad where
one of the others is not 0 has a charge of its own, which costs time and memory for that dyad. An
offset has no coefficient, as in R's ``glm``: it is the logarithm of how much of a dyad was
observed, such as hours, or the area of contact. A hidden dyad that the dyad table has no row for is
never observed: a weight of 0 is expected of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lsm_stan.errors import InputError
from lsm_stan.network.checks import clean_name

#: Terms that are parts of a node's charge, by whether sender and receiver have them.
NODE_TERMS = {"nodeocov": (True, False), "nodeicov": (False, True), "nodecov": (True, True)}
DYAD_TERMS = ("nodematch", "absdiff", "edgecov")

#: The term without a coefficient, of nodes or of dyads.
OFFSET = "offset"

#: A term; its column may have a unit in brackets, but no brackets in brackets.
_TERM = re.compile(r"\s*(\w+)\s*\(((?:[^()]|\([^()]*\))+)\)\s*")


class Term(NamedTuple):
    """A term of a model: its kind, and the column that it takes.

    Attributes
    ----------
    kind : str
        One of `NODE_TERMS` or `DYAD_TERMS`, or `OFFSET`.
    column : str
        Name of a column of the node table, or of the dyad table.
    """

    kind: str
    column: str

    def __str__(self) -> str:
        return f"{self.kind}({self.column})"


def read_term(text: str) -> Term:
    """Read a term such as ``nodematch(class)``.

    Parameters
    ----------
    text : str
        Kind and column.

    Returns
    -------
    Term

    Raises
    ------
    InputError
        If there is no such term.

    Examples
    --------
    >>> from lsm_stan.model.terms import read_term
    >>> read_term("nodematch(class)")
    Term(kind='nodematch', column='class')
    """
    match = _TERM.fullmatch(text)
    kinds = [*NODE_TERMS, *DYAD_TERMS, OFFSET]
    column = clean_name(match[2]) if match else ""
    if match is None or match[1] not in kinds or not column:
        raise InputError(
            f"no term {text.strip()!r}; there are {', '.join(f'{kind}(COLUMN)' for kind in kinds)}"
        )
    return Term(match[1], column)


def split_outside_brackets(text: str, mark: str) -> list[str]:
    """Split a text at a mark that is not in brackets.

    Parameters
    ----------
    text : str
        Any text.
    mark : str
        One character, such as ``+``.

    Returns
    -------
    list of str
        The parts, without white space around them.

    Examples
    --------
    >>> from lsm_stan.model.terms import split_outside_brackets
    >>> split_outside_brackets("nb-squared + nodecov(a+b)", "+")
    ['nb-squared', 'nodecov(a+b)']
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
