"""Names of columns: which hold the ends of an edge, which its weight, and is there a header at all.

Names are compared by their words, in lower case: ``FromNodeId``, ``from_node_id`` and
``from node id`` are the same. Ends are a pair of columns whose words differ in one place only,
where one says sender and the other receiver (`_DIRECTIONS`: ``source`` and ``target``,
``pre_root_id`` and ``post_root_id``), or where they number two nodes (``node1`` and ``node2``, or
any other word in the first two columns: ``family1`` and ``family2``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import check_columns
from lsm_stan.network.reading import Reading

#: Words for sender and receiver; the first pair that is there, without other words, is taken.
_DIRECTIONS = (
    ("source", "target"),
    ("sender", "receiver"),
    ("from", "to"),
    ("pre", "post"),
    ("i", "j"),
    ("ego", "alter"),
    ("u", "v"),
    ("origin", "destination"),
    ("orig", "dest"),
    ("origin", "dest"),
    ("presynaptic", "postsynaptic"),
    ("presyn", "postsyn"),
    ("tail", "head"),
    ("src", "dst"),
    ("src", "dest"),
    ("src", "trg"),
    ("src", "tgt"),
    ("source", "destination"),
    ("sender", "recipient"),
    ("citing", "cited"),
    ("follower", "followee"),
    ("exporter", "importer"),
    ("reporter", "partner"),
    ("lender", "borrower"),
    ("donor", "recipient"),
    ("predator", "prey"),
    ("consumer", "resource"),
    ("host", "parasite"),
    ("plant", "pollinator"),
    ("o", "d"),
    ("caller", "callee"),
    ("giver", "receiver"),
)
_NUMBERED = (
    ("1", "2"),
    ("a", "b"),
    ("i", "j"),
    ("0", "1"),
    ("first", "second"),
    ("one", "two"),
)
#: What a third column of a numbered series has, so that its first two are no ends.
_THIRD = {"1": "3", "a": "c", "i": "k", "0": "2", "first": "third", "one": "three"}
#: What is numbered as an end of an edge: node1 and node2.
_ENTITIES = frozenset(
    {
        "node", "id", "v", "x", "n", "vertex", "neuron", "cell", "person", "actor", "agent",
        "user", "author", "individual", "animal", "species", "student", "member", "country",
        "city", "region", "state", "place", "station", "protein", "gene", "interactor", "name",
        "player", "team", "company", "firm", "bank", "account", "entity", "end", "endpoint",
    }
)  # fmt: skip

#: Names of weights, by rank; then any name with one of these words.
_WEIGHTS = ("weight", "value", "count")
_WEIGHT_WORDS = frozenset(
    {
        "weight", "weights", "count", "counts", "freq", "frequency", "values", "rating", "ratings",
        "synapses", "contacts", "size", "trips", "strength", "w", "nbr", "occurrences",
        "interactions", "encounters", "volume", "flow", "flows", "calls", "messages", "emails",
        "passengers", "visits", "citations", "multiplicity",
    }
)  # fmt: skip
#: With these at their head names of weights begin: n_synapses, number of trips.
_NUMBER_OF = frozenset(("n", "nr", "num", "number"))
#: Numbers that are no weights: when, which and where.
_NO_WEIGHTS = frozenset(
    {
        "id", "ids", "key", "index", "row", "layer", "time", "times", "timestamp", "date",
        "datetime", "year", "month", "day", "hour", "week", "wave", "period", "start", "end", "t",
        "label", "name", "type", "class", "category", "kind", "group", "color", "colour",
        "timeset", "unnamed", "code", "codes", "latitude", "longitude", "lat", "lon", "x", "y", "z",
    }
)  # fmt: skip


#: Letters of Latin alphabets; those beyond Latin-1 are taken for small ones.
_UPPER, _LOWER = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ɏ"
_WORD = re.compile(
    f"[{_UPPER}]+(?![{_LOWER}])|[{_UPPER}]?[{_LOWER}]+|[0-9]+|[^\\W\\d_{_UPPER}{_LOWER}]+"
)


def words(name: str) -> tuple[str, ...]:
    """Return the words of a column's name.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    tuple of str
        In lower case.

    Examples
    --------
    >>> from lsm_stan.network.headers import words
    >>> words("# FromNodeId"), words("pre_root_id"), words("V1"), words("Nähe")
    (('from', 'node', 'id'), ('pre', 'root', 'id'), ('v', '1'), ('nähe',))
    """
    return tuple(part.lower() for part in _WORD.findall(name))


def find_ends(header: Sequence[str], how: Reading, source: str) -> tuple[int, int] | None:
    """Find the columns of sender and receiver.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    how : Reading
        What the user says.
    source : str
        File name or description, for error messages.

    Returns
    -------
    tuple of two int, or None
        Their numbers from 0; None if the header names no pair.

    Raises
    ------
    InputError
        If a column that the user names is not there, or pairs are equally good.
    """
    if how.source is not None and how.target is not None:
        ends = named_column(how.source, header, source), named_column(how.target, header, source)
        if ends[0] == ends[1]:
            raise InputError(
                f"{source}: --source and --target are the same column, {how.source!r}; an edge has"
                f" two ends"
            )
        return ends
    by_words = [words(name) for name in header]
    for pair in _DIRECTIONS:
        if all((word,) in by_words for word in pair):
            for word in pair:
                check_columns([word for name in by_words if name == (word,)], source)
            return by_words.index((pair[0],)), by_words.index((pair[1],))
    for possible in (_differing(by_words, _DIRECTIONS), _numbered(by_words)):
        if len(possible) > 1:
            (a, b), (c, d) = possible[:2]
            raise InputError(
                f"{source}: the ends of edges may be in the columns {header[a]}, {header[b]} or in"
                f" {header[c]}, {header[d]}; name them, such as --source {quoted(header[a])}"
                f" --target {quoted(header[b])}"
            )
        if possible:
            return possible[0]
    return None


def _differing(
    names: Sequence[tuple[str, ...]], pairs: Sequence[tuple[str, str]]
) -> list[tuple[int, int]]:
    """Return the pairs of columns whose names differ in one word, a pair's one for its other."""
    column = {name: k for k, name in reversed(list(enumerate(names)))}
    possible = []
    for name, k in column.items():
        for number, word in enumerate(name):
            for first, second in pairs:
                other = (*name[:number], second, *name[number + 1 :])
                if word == first and len(name) > 1 and other in column:
                    possible.append((k, column[other]))
    return sorted(set(possible))


def _numbered(names: Sequence[tuple[str, ...]]) -> list[tuple[int, int]]:
    """Return the pairs of columns that number two nodes, and no third.

    Nodes of the usual kinds (`_ENTITIES`) may be in any columns, others in the first two.
    """
    entities, others = [], []
    first_two = set([k for k, name in enumerate(names) if name][:2])
    for a, b in _differing(names, _NUMBERED):
        place = next(k for k, word in enumerate(names[a]) if word != names[b][k])
        rest = names[a][:place] + names[a][place + 1 :]
        third = (*names[a][:place], _THIRD[names[a][place]], *names[a][place + 1 :])
        if rest in (("v",), ("x",)):  # R's names of columns: the third may be the weight
            entities.append((a, b))
        elif third in names:
            continue
        elif _ENTITIES & set(rest):
            entities.append((a, b))
        elif {a, b} == first_two and _may_be_nodes(rest):
            others.append((a, b))
    return entities or others


def _may_be_nodes(name: Sequence[str]) -> bool:
    """Return whether a word that is numbered may be one for nodes: no measure, no code."""
    measure = (_NO_WEIGHTS | _WEIGHT_WORDS | set(_WEIGHTS) | _NUMBER_OF) & set(name)
    return not measure and any(len(word) > 2 and word.isalpha() for word in name)


def is_numbered_alike(ends: tuple[str, str], cell: str) -> bool:
    """Return whether a cell may be one more of two columns' names that number nodes.

    Parameters
    ----------
    ends : tuple of two str
        The names of the columns.
    cell : str
        A cell of such a column.

    Returns
    -------
    bool
        Whether it has words and a number, or a letter, where the names have; the words are the
        same if the names are usual ones.

    Examples
    --------
    >>> from lsm_stan.network.headers import is_numbered_alike
    >>> sites, people = ("site_1", "site_2"), ("person1", "person2")
    >>> is_numbered_alike(sites, "site_12"), is_numbered_alike(sites, "Lake 3")
    (True, True)
    >>> is_numbered_alike(people, "ann1"), is_numbered_alike(people, "person3")
    (False, True)
    """
    (first, second), third = map(words, ends), words(cell)
    kinds = [_counter(word) for word in first]
    if not any(kinds) or [_counter(word) for word in third] != kinds or len(second) != len(first):
        return False
    rest = [(a, c) for a, b, c in zip(first, second, third, strict=True) if a == b]
    return bool(rest) and (all(a == c for a, c in rest) or not _ENTITIES & set(first))


def _counter(word: str) -> str:
    """Return ``1`` for a number, ``a`` for a letter, and nothing for a word."""
    return "1" if word.isdigit() else "a" if len(word) == 1 else ""


def named_column(name: str, columns: Sequence[str], source: str, what: str = "column") -> int:
    """Find a column that the user names.

    Parameters
    ----------
    name : str
        Its name; if none is called so, in upper or lower case.
    columns : sequence of str
        Names of the columns.
    source : str
        File name or description, for error messages.
    what : str, default "column"
        What a column is called there.

    Returns
    -------
    int
        Its number, from 0.

    Raises
    ------
    InputError
        If there is none, or more than one.
    """
    lower = [column.lower() for column in columns]
    for wanted, known in ((name, list(columns)), (name.lower(), lower)):
        if known.count(wanted) > 1:
            raise InputError(
                f"{source}: there are two columns {name!r}; every column needs its own name"
            )
        if wanted in known:
            return known.index(wanted)
    there = ", ".join(column for column in columns if column) or "none"
    raise InputError(f"{source}: there is no {what} {name!r}; there are {there}")


def weight_names(names: Sequence[str], source: str) -> list[str]:
    """Return the columns that are called as weights are.

    Parameters
    ----------
    names : sequence of str
        Names of the columns that hold no ends.
    source : str
        File name or description, for error messages.

    Returns
    -------
    list of str
        One if its name is one of the best known, else all that may be.

    Raises
    ------
    InputError
        If two have one name.
    """
    for wanted in _WEIGHTS:
        same = [name for name in names if words(name) == (wanted,)]
        if same:
            check_columns([wanted for _ in same], source)
            return same
    return [name for name in names if _like_weight(words(name))]


def _like_weight(name: tuple[str, ...]) -> bool:
    if not name or _NO_WEIGHTS & set(name):
        return False
    return bool(_WEIGHT_WORDS & set(name)) or name[0] in _NUMBER_OF or name == ("v", "3")


def may_be_weight(name: str) -> bool:
    """Return whether a column of numbers may be one of weights, by its name.

    Parameters
    ----------
    name : str
        Its name.

    Returns
    -------
    bool
    """
    parts = words(name)
    return bool(parts) and not _NO_WEIGHTS & set(parts)


def is_number(value: object) -> bool:
    """Return whether a cell is a number, or text that is one.

    Parameters
    ----------
    value : object
        The cell.

    Returns
    -------
    bool
    """
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return "_" not in value
    return hasattr(value, "__float__") and not hasattr(value, "__len__")


def first_row(
    first: Sequence[str], rows: Sequence[Sequence[str]]
) -> Literal["header", "edge", "unclear"]:
    """Judge what the first row of an edge list is, when it names no known columns.

    Parameters
    ----------
    first : sequence of str
        Its cells: two, or three of which the last may be a weight.
    rows : sequence of sequence of str
        The rows below.

    Returns
    -------
    {"header", "edge", "unclear"}
        ``"header"`` if it has a word where the rows below have numbers; ``"edge"`` if it names
        nodes that come again, or nodes are numbers there as below.
    """
    columns = list(zip(*rows, strict=True))
    numeric = [
        any(column) and all(is_number(cell) for cell in column if cell) for column in columns
    ]
    if len(first) > 2 and first[2] and not is_number(first[2]):
        return "header"
    if rows and any(n and not is_number(cell) for n, cell in zip(numeric, first, strict=True)):
        return "header"
    ends = {cell for column in columns[:2] for cell in column}
    if all(numeric[:2]) and columns and all(is_number(cell) for cell in first[:2]):
        return "edge"
    return "edge" if ends & set(first[:2]) else "unclear"


def are_numbered(header: Sequence[str]) -> bool:
    """Return whether columns are called V1, V2 and so on, as R calls those of a matrix.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.

    Returns
    -------
    bool
    """
    return bool(header) and any(
        list(header) == [f"{letter}{k}" for k in range(1, len(header) + 1)] for letter in "VX"
    )


def quoted(name: str) -> str:
    """Return a name as it can be typed after an option.

    Parameters
    ----------
    name : str
        The name of a column.

    Returns
    -------
    str
    """
    return name if re.fullmatch(r"[\w.:+-]+", name) else f"'{name}'"
