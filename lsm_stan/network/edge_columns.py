"""What the columns of an edge list say, besides the ends: weights, directions, kinds of edges.

Edge attributes of graphs are such columns too. Each is a sequence with a value for each listed
edge, None where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lsm_stan.errors import InputError
from lsm_stan.network.cells import counted
from lsm_stan.network.checks import ACCEPTED_WEIGHTS, may_be_number, shortened
from lsm_stan.network.headers import (
    is_number,
    may_be_weight,
    named_column,
    quoted,
    weight_names,
    words,
)
from lsm_stan.network.reading import NO_WEIGHTS, Reading
from lsm_stan.text import listed

Columns = Mapping[str, Sequence[object]]

_YES_AND_NO = (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"))
#: Columns that say what direction an edge has, by their words; what they say of the direction.
_TYPES = {("type",), ("edge", "type"), ("direction",), ("directionality",)}
_DIRECTED = {("directed",): True, ("is", "directed"): True, ("undirected",): False}
#: Directions from source to target, and others, as some programs write them.
_FORWARD = {"->", ">", "forward", "outgoing", "source_to_target"}
_REVERSED = {
    "<-", "<->", "<", "<>", "both", "bidirectional", "mutual", "reciprocal", "backward", "reverse",
    "reversed", "incoming", "target_to_source",
}  # fmt: skip
#: Words of columns that number rows, or identify them.
_NUMBERING = {"id", "ids", "key", "index", "row"}
_YES = {yes for yes, _ in _YES_AND_NO} | {"1"}
_NO = {no for _, no in _YES_AND_NO} | {"0"}
#: So many different values, at most, tell kinds of edges.
_KINDS = 50


def kept_rows(
    columns: Columns, how: Reading, source: str, kind: str
) -> tuple[list[int] | None, list[str]]:
    """Return which edges to keep, and what is to be said of that.

    Parameters
    ----------
    columns : mapping of str to sequence, length L
        The columns.
    how : Reading
        What the user says.
    source : str
        File name or description, for error messages.
    kind : str
        What a column is called there.

    Returns
    -------
    kept : list of int or None
        Numbers of the edges, from 0; None for all.
    notes : list of str
        Sentences.

    Raises
    ------
    InputError
        If there is no such column, or no edge is left.
    """
    if not how.where:
        return None, []
    names = list(columns)
    n_edges = len(next(iter(columns.values()), ()))
    kept = list(range(n_edges))
    for name, accepted in how.conditions.items():
        values = columns[names[named_column(name, names, source, kind)]]
        texts = {_as_text(values[k]) for k in kept}
        kept = [k for k in kept if _as_text(values[k]) in accepted]
        if not kept:
            raise InputError(
                f"{source}: no edge has --where {name}={accepted[0]}; the {kind} {name!r} has"
                f" {', '.join(map(repr, sorted(texts)[:5]))}{', ...' * (len(texts) > 5)}"
            )
    return kept, [f"{len(kept):,} of {counted(n_edges, 'row')} kept: {' and '.join(how.where)}."]


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def stated_direction(
    columns: Columns, how: Reading, source: str, kind: str
) -> tuple[str | None, bool | None]:
    """Return what a column such as ``Type`` says of direction, as Gephi and others write it.

    Parameters
    ----------
    columns : mapping of str to sequence, length L
        The columns.
    how : Reading
        What the user says.
    source : str
        File name or description, for error messages.
    kind : str
        What a column is called there.

    Returns
    -------
    name : str or None
        The column; None if there is none of this kind.
    directed : bool or None
        Whether edges are directed.

    Raises
    ------
    InputError
        If some edges are directed and others are not, and the user does not say what to do; or if
        some go from target to source.
    """
    for name, values in columns.items():
        types = {_direction(words(name), value) for value in values if value is not None}
        reverse = next((value for value in values if _as_text(value).lower() in _REVERSED), None)
        known = types <= {"directed", "undirected", *_FORWARD, *_REVERSED}
        if reverse is not None and known and how.directed is not False:
            raise InputError(
                f"{source}: the {kind} {name!r} says {reverse!r}, so that an edge goes from target"
                f" to source, or both ways; write a row for each direction, from source to target,"
                f" and leave {name!r} out"
            )
        if not types or not types <= {"directed", "undirected"}:
            continue
        if len(types) == 1 and None not in values:
            return name, types == {"directed"}
        if how.directed is False:
            return name, True  # each row is one edge of an undirected network
        first = next(_as_text(value) for value in values if value is not None)
        raise InputError(
            f"{source}: the {kind} {name!r} says that some edges are directed and others are not;"
            f" a network is one or the other: read all as undirected with --undirected, or keep"
            f" those of one kind with --where {_typed(name, first)}"
        )
    return None, None


def _direction(name: tuple[str, ...], value: object) -> str:
    """Return what a cell says of direction: ``directed``, ``undirected``, or something else."""
    text = _as_text(value).lower()
    if name in _TYPES:
        return text
    if name in _DIRECTED and text in _YES | _NO:
        return "directed" if (text in _YES) == _DIRECTED[name] else "undirected"
    return ""


def read_weights(
    columns: Columns, how: Reading, source: str, kind: str
) -> tuple[str | None, Sequence[object] | None, list[str]]:
    """Return the weights of edges, by their column's name or as the user says.

    Parameters
    ----------
    columns : mapping of str to sequence, length L
        The columns.
    how : Reading
        What the user says.
    source : str
        File name or description, for error messages.
    kind : str
        What a column is called there.

    Returns
    -------
    name : str or None
        The column of weights.
    weights : sequence or None
        Weights, None where there is none; None if no column has them.
    notes : list of str
        Sentences.

    Raises
    ------
    InputError
        If no column has the name of weights, but some have numbers; or several have such names.
    """
    names = list(columns)
    name = None
    if how.weight is not None:
        if how.weight != NO_WEIGHTS or NO_WEIGHTS in names:
            name = names[named_column(how.weight, names, source, kind)]
    else:
        name = _weight_column(columns, how, source, kind)
    unused = [other for other in names if other not in ("", name)]
    notes = []
    if name is not None and words(name) != ("weight",):
        notes.append(f"Weights are in the {kind} {name!r}.")
    if unused:
        notes.append(f"{kind.capitalize()}s not used: {', '.join(unused)}.")
    if name is None and not how.where:
        notes += _denying(columns, kind)
    return name, None if name is None else columns[name], notes


def _denying(columns: Columns, kind: str) -> list[str]:
    """Say which columns have yes in some rows and no in others, all of which are edges."""
    notes = []
    for name, values in columns.items():
        texts = [_as_text(value) for value in values]
        for yes, no in _YES_AND_NO:
            lower = [text.lower() for text in texts]
            if set(lower) == {yes, no}:
                typed = _typed(name, texts[lower.index(yes)])
                notes.append(
                    f"The {kind} {name!r} is {texts[lower.index(no)]} in"
                    f" {counted(lower.count(no), 'row')}, and these are edges all the same: --where"
                    f" {typed} leaves them out."
                )
    return notes


def _weight_column(columns: Columns, how: Reading, source: str, kind: str) -> str | None:
    named = weight_names(list(columns), source)
    if len(named) == 1:
        _refuse_second(named[0], columns, source, kind)
        return named[0]
    numbers = named or [
        name for name, values in columns.items() if may_be_weight(name) and _numeric(values)
    ]
    if not numbers or (how.binary and not named):
        return None
    which = listed([repr(name) for name in numbers])
    has = "may be weights" if named else "has numbers" if len(numbers) == 1 else "have numbers"
    raise InputError(
        f"{source}: no {kind} is called weight, and {which} {has}; name the weights, such as"
        f" --weight {quoted(numbers[0])}, or take --weight {NO_WEIGHTS} if each row counts 1"
    )


def _refuse_second(name: str, columns: Columns, source: str, kind: str) -> None:
    """Refuse a column whose gaps another fills: some edges have this, some that.

    The other is called as weights are, too, or no edge has both.
    """
    gaps = [k for k, value in enumerate(columns[name]) if value is None]
    for other, values in columns.items():
        filled = [k for k in gaps if values[k] is not None]
        if other == name or not filled or not may_be_weight(other) or not _numeric(values):
            continue
        apart = len(filled) == sum(value is not None for value in values)
        if apart or weight_names([other], source):
            raise InputError(
                f"{source}: {counted(len(filled), 'edge')} without {name!r}"
                f" {'has' if len(filled) == 1 else 'have'} {other!r}, and both {kind}s may be"
                f" weights; write them in one {kind}, or say --weight {quoted(name)} or --weight"
                f" {quoted(other)}: edges without it have weight 1"
            )


def check_weights(
    ends: Sequence[tuple[object, object]],
    name: str | None,
    weights: Sequence[object] | None,
    kind: str,
    source: str,
) -> None:
    """Refuse weights that are neither numbers nor text, as attributes in memory may be.

    Parameters
    ----------
    ends : sequence of tuple, length L
        Sender and receiver of each listed edge.
    name : str or None
        The column of weights.
    weights : sequence, length L, or None
        Its values.
    kind : str
        What a column is called there.
    source : str
        File name or description, for error messages.

    Raises
    ------
    InputError
        If there is one.
    """
    for k, value in enumerate(weights or ()):
        if not (value is None or isinstance(value, str | bool) or is_number(value)):
            a, b = ends[k]
            raise InputError(
                f"{source}: edge {k + 1} ({a!r} -> {b!r}) has the {kind} {name!r} with the value"
                f" {shortened(repr(value))}, which is not a number; {ACCEPTED_WEIGHTS}; name"
                f" another {kind} with --weight, or say --weight {NO_WEIGHTS}"
            )


def _numeric(values: Sequence[object]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(
        is_number(value) or (isinstance(value, str) and may_be_number(value)) for value in given
    )


def distinguishing(
    ends: Sequence[tuple[object, object]],
    columns: Columns,
    weight: str | None,
    kind: str,
    directed: bool,
) -> list[str]:
    """Say which columns tell apart the rows of a pair that is listed more than once.

    Parameters
    ----------
    ends : sequence of tuple, length L
        Sender and receiver of each listed edge.
    columns : mapping of str to sequence, length L
        The columns.
    weight : str or None
        The column of weights.
    kind : str
        What a column is called.
    directed : bool
        Whether the two directions of a pair are different.

    Returns
    -------
    list of str
        A sentence for each such column of few values.
    """
    others = {name: values for name, values in columns.items() if name != weight}
    if not others:
        return []
    rows: dict[object, list[int]] = {}
    for k, (a, b) in enumerate(ends):
        rows.setdefault((a, b) if directed else frozenset((a, b)), []).append(k)
    repeated = [same for same in rows.values() if len(same) > 1]
    notes = []
    for name, values in others.items():
        if not repeated:
            break
        if _NUMBERING & set(words(name)):
            continue
        texts = [_as_text(value) for value in values]
        kinds = sorted(set(texts))
        tells = any(len({texts[k] for k in same}) > 1 for same in repeated)
        if tells and len(kinds) <= min(_KINDS, (len(texts) + 1) // 2 + 1):
            notes.append(
                f"The {kind} {name!r} tells rows of the same pair apart, which are added up:"
                f" --where {_typed(name, kinds[-1])} keeps those of one kind."
            )
    return notes


def _typed(name: str, value: str) -> str:
    """Return a condition as it can be typed."""
    plain = quoted(name) == name and quoted(value) == value
    return f"{name}={value}" if plain else f"'{name}={value}'"
